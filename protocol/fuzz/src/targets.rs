//! What arbitrary bytes are thrown at, one function for each entrance of the protocol crate.
//!
//! Promises: a function returns for every input; it panics only when the crate broke a promise that is written beside
//! the assertion. The fuzzer calls these (`fuzz_targets/`), and so does `protocol/tests/fuzz_seeds.rs` on stable, with
//! the files in `seeds/`. Leaves out: whether an answer is right, which the unit tests know.
//!
//! An input that made a target fail goes into `seeds/<target>/` under a name that says what was wrong.

use orugate_protocol::ascii::ENQ;
use orugate_protocol::astm::link::{
    Checksum, Establishment, Event, FrameId, FrameNumbers, Link, Replies, Role, Settings, Terminator,
    parse_raw_frame,
};
use orugate_protocol::astm::record::{RecordType, Records, Walker, parse_header};
use orugate_protocol::text::{Charset, Delimiters, Escapes, Text};
use orugate_protocol::time::{DeviceTime, Tick};

/// A target's name, which is also its folder of seeds, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[("link", link), ("records", records), ("text", text)];

/// LIS01: a line in either role. The first byte chooses the settings, the rest is what the peer says.
pub fn link(data: &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let whole = transcript(choice, bytes, bytes.len().max(1), None);
    assert_eq!(transcript(choice, bytes, 1, None), whole, "reads may be cut anywhere");
    assert_eq!(transcript(choice, bytes, 3, None), whole, "reads may be cut anywhere");
    // With a message of our own the line is asked for between two reads, so only an end is promised.
    for cut in [1, bytes.len().max(1)] {
        transcript(choice, bytes, cut, Some(b"H|\\^&\rP|1\rL|1|N\r"));
    }
}

type Line = Link<Vec<u8>, &'static [u8]>;

fn link_settings(choice: u8) -> Settings {
    let has = |bit: u8| choice & bit != 0;
    Settings {
        role: if has(1) { Role::Instrument } else { Role::Computer },
        checksum: if has(2) { Checksum::Unchecked } else { Checksum::Verified },
        frame_numbers: if has(4) { FrameNumbers::Any } else { FrameNumbers::Strict },
        establishment: if has(8) { Establishment::Optional } else { Establishment::Enq },
        replies: if has(16) { Replies::LastFrame } else { Replies::Each },
        terminator: if has(32) { Terminator::Any } else { Terminator::Etx },
        ..Settings::default()
    }
}

/// All that a line says and sends when `bytes` come in pieces of `cut` and then nothing more comes.
fn transcript(choice: u8, bytes: &[u8], cut: usize, message: Option<&'static [u8]>) -> Vec<String> {
    let room = if choice & 128 != 0 { 16 } else { 4096 };
    let refuses = choice & 64 != 0;
    let mut line: Line = Link::new(link_settings(choice), vec![0; room]);
    if let Some(message) = message {
        line.offer(message).expect("an idle line takes a message that LIS01 allows");
    }
    let mut log = Vec::new();
    for piece in bytes.chunks(cut) {
        drain(&mut line, Tick::ZERO, piece, refuses, &mut log);
    }
    for _ in 0..100 {
        let Some(deadline) = line.deadline() else { break };
        let event = line.handle_deadline(deadline.at);
        let frame = event.and_then(|event| told(event, &mut log));
        answer(&mut line, deadline.at, frame, refuses, log.len(), None);
        drain(&mut line, deadline.at, &[], refuses, &mut log);
    }
    assert_eq!(line.deadline(), None, "a silent line comes to rest");
    log
}

fn drain(line: &mut Line, now: Tick, mut bytes: &[u8], refuses: bool, log: &mut Vec<String>) {
    for _ in 0..bytes.len().saturating_mul(8).saturating_add(64) {
        while let Some(out) = line.transmit(now) {
            log.push(format!("< {out:02X?}"));
            line.sent(now);
        }
        let (taken, event) = line.receive(now, bytes);
        bytes = bytes.get(taken..).expect("no more is taken than was given");
        let nothing = event.is_none();
        let frame = event.and_then(|event| told(event, log));
        answer(line, now, frame, refuses, log.len(), bytes.first());
        if nothing && taken == 0 {
            assert!(bytes.is_empty(), "a line whose frames are settled takes every byte");
            return;
        }
    }
    panic!("a line that tells without end");
}

fn told(event: Event<'_>, log: &mut Vec<String>) -> Option<FrameId> {
    let Event::Frame(frame) = event else {
        log.push(format!("! {event}"));
        return None;
    };
    let view = parse_raw_frame(frame.raw).expect("a frame that was given can be parsed again");
    assert_eq!(frame.raw.get(view.text), Some(frame.text), "and has the same text");
    log.push(format!("! frame at {} {:02X?}", frame.at, frame.raw));
    Some(frame.id)
}

/// Accepts a frame, or refuses every other one; `next` is the byte that the peer has sent after it.
fn answer(line: &mut Line, now: Tick, frame: Option<FrameId>, refuses: bool, turn: usize, next: Option<&u8>) {
    if let Some(id) = frame {
        let refused = refuses && turn.is_multiple_of(2);
        let answered = if refused { line.refuse(now, id) } else { line.accept(now, id) };
        assert!(
            answered || next == Some(&ENQ),
            "a frame waits for its answer unless the peer has begun anew"
        );
        assert!(!line.accept(now, id), "and is answered once");
    }
}

/// LIS02: one message as records, fields, repeats, components, and the tree that they make.
pub fn records(data: &[u8]) {
    let place = |span: orugate_protocol::span::Span| {
        data.get(span.start as usize..span.end as usize).expect("a span is inside the message")
    };
    let mut walker = Walker::new();
    let mut at = 0;
    for record in Records::new(data) {
        let span = record.span();
        let between = data.get(at..span.start as usize).expect("records come in order");
        assert!(between.iter().all(|b| matches!(b, b'\r' | b'\n')), "no byte is outside of a record");
        assert_eq!(place(span), record.bytes());
        assert!(!record.bytes().is_empty(), "no record is empty");
        at = span.end as usize;
        if record.kind() == RecordType::Header {
            let _ = parse_header(record.bytes());
        }
        let mut length = 0;
        for field in record.fields() {
            assert_eq!(place(field.span()), field.bytes());
            length += field.bytes().len() + 1;
            for repeat in field.repeats() {
                for component in repeat.components() {
                    assert_eq!(place(component.span()), component.bytes());
                    let _ = component.text(Charset::Utf8).chars().count();
                }
            }
            let _ = field.time();
        }
        // A header's second field holds the delimiters themselves, and is counted differently.
        if record.kind() != RecordType::Header {
            assert_eq!(length, record.bytes().len() + 1, "fields and delimiters are the whole record");
        }
        assert_eq!(record.fields().count(), record.field_count());
        assert!(record.field(record.field_count() + 1).is_empty(), "what is not there is empty");
        let _ = (record.view(), walker.place(&record));
    }
    assert!(data[at..].iter().all(|b| matches!(b, b'\r' | b'\n')), "no byte is outside of a record");
}

/// Decoding and unescaping under every charset, and time stamps.
pub fn text(data: &[u8]) {
    for charset in [Charset::Ascii, Charset::Latin1, Charset::Utf8] {
        for escapes in [Escapes::None, Escapes::Astm(Delimiters::default())] {
            let text = Text::new(data, charset, escapes);
            let read = text.chars().count();
            assert!(read <= data.len(), "no byte is read twice");
            if let Some(bad) = text.undecodable() {
                assert!(bad.offset < data.len(), "an offset is inside the text");
            }
            let trimmed = text.trimmed();
            assert!(!trimmed.bytes().starts_with(b" ") && !trimmed.bytes().ends_with(b" "));
            assert_eq!(trimmed.trimmed(), trimmed, "trimming twice is trimming once");
        }
    }
    if let Ok(time) = DeviceTime::parse(data) {
        let written = time.to_string();
        assert!(data.starts_with(written.as_bytes()), "no digit is made up");
        assert_eq!(DeviceTime::parse(written.as_bytes()).map(|again| again.precision), Ok(time.precision));
    }
}
