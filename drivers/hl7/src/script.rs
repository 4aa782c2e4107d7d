//! Messages as people write them: a segment on each line.
//!
//! Promises: each MSH at a line's start begins a message, which is framed; bytes of a line are taken as they are.

use crate::answer::framed;
use orugate_protocol::ascii::{CR, LF, VT};
use orugate_protocol::mllp::{Decoder, Event, Rules};

/// The messages of an example or a simulator's input, without framing.
pub(crate) fn messages(input: &[u8]) -> Vec<Vec<u8>> {
    if input.contains(&VT) {
        let mut decoder = Decoder::new(vec![0; input.len()], Rules { lenient: true, ..Rules::default() });
        let mut found = Vec::new();
        let mut rest = input;
        while !rest.is_empty() {
            let (taken, event) = decoder.receive(rest);
            rest = rest.get(taken..).unwrap_or_default();
            if let Some(Event::Frame { payload, .. }) = event {
                found.push(payload.to_vec());
            }
        }
        if let Some(Event::Frame { payload, .. }) = decoder.flush() {
            found.push(payload.to_vec());
        }
        return found;
    }
    let mut found: Vec<Vec<u8>> = Vec::new();
    for line in input.split(|byte| matches!(*byte, CR | LF)).filter(|line| !line.is_empty()) {
        if line.starts_with(b"MSH") || found.is_empty() {
            found.push(Vec::new());
        }
        if let Some(message) = found.last_mut() {
            message.extend_from_slice(line);
            message.push(CR);
        }
    }
    found
}

/// The bytes on the line.
pub(crate) fn bytes(input: &[u8]) -> Vec<u8> {
    if input.contains(&VT) {
        return input.to_vec();
    }
    messages(input).iter().flat_map(|message| framed(message)).collect()
}
