//! From a capture's bytes to the text of its records, and what its frames say about the link.
//!
//! Promises: whatever `orugate replay` reads is read here: bytes of the line with or without ENQ and EOT, a script of
//! them, bare records. A frame that was sent twice in a row is taken once. Leaves out what the records say.

use crate::script;
use crate::unframe;
use orugate_protocol::ascii::{ENQ, ETB, LF, STX};
use orugate_protocol::astm::link::{checksum, next_number, parse_raw_frame};

/// What the link of all captures looked like.
#[derive(Debug, Default)]
pub(super) struct LinkSeen {
    pub(super) frames: usize,
    /// Frames whose number does not follow the one before, or is not 1 after an ENQ.
    pub(super) out_of_order: usize,
    pub(super) checksum_good: usize,
    pub(super) checksum_bad: usize,
    pub(super) checksum_absent: usize,
    /// Frames that end with ETB.
    pub(super) intermediate: usize,
    pub(super) enq: usize,
    /// Captures without any frame.
    pub(super) bare: usize,
    pub(super) repeated: usize,
}

/// The records' text of one capture.
pub(super) fn text(capture: &[u8], link: &mut LinkSeen) -> Vec<u8> {
    let read;
    let raw = match std::str::from_utf8(capture) {
        Ok(script) if script.contains("<STX>") || script.contains("<ENQ>") => {
            read = script::bytes(script);
            read.as_slice()
        }
        _ => capture,
    };
    if !raw.contains(&STX) {
        link.bare = link.bare.saturating_add(1);
        return unframe::bare(raw).to_vec();
    }
    let mut out = Vec::new();
    let mut rest = raw;
    let (mut last, mut expected): (&[u8], Option<u8>) = (&[], None);
    while let Some(start) = rest.iter().position(|b| *b == STX) {
        let (before, frame) = rest.split_at(start);
        let established = before.iter().filter(|b| **b == ENQ).count();
        if established > 0 {
            link.enq = link.enq.saturating_add(established);
            (last, expected) = (&[], Some(1));
        }
        let view = parse_raw_frame(frame);
        let text = view.as_ref().and_then(|view| frame.get(view.text.clone())).filter(|t| !t.contains(&STX));
        let (Some(view), Some(text)) = (view, text) else {
            rest = frame.get(1..).unwrap_or_default();
            continue;
        };
        let end = view.text.end.saturating_add(1);
        rest = frame.get(end..).unwrap_or_default();
        let body = frame.get(1..end).unwrap_or_default();
        if !last.is_empty() && body == last {
            link.repeated = link.repeated.saturating_add(1);
            continue;
        }
        count(link, body, view.checksum, expected.is_some_and(|n| n != view.number));
        (last, expected) = (body, Some(next_number(view.number)));
        out.extend_from_slice(text);
    }
    out
}

fn count(link: &mut LinkSeen, body: &[u8], given: Option<u8>, out_of_order: bool) {
    link.frames = link.frames.saturating_add(1);
    link.out_of_order = link.out_of_order.saturating_add(usize::from(out_of_order));
    link.intermediate = link.intermediate.saturating_add(usize::from(body.last() == Some(&ETB)));
    let counter = match given {
        None => &mut link.checksum_absent,
        Some(given) if given == checksum(body) => &mut link.checksum_good,
        Some(_) => &mut link.checksum_bad,
    };
    *counter = counter.saturating_add(1);
}

/// True when every line ends with LF alone, which only a file that a person or a program made does.
pub(super) fn is_lines(text: &[u8]) -> bool {
    text.contains(&LF) && !text.contains(&b'\r')
}
