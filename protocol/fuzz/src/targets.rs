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
use orugate_protocol::hl7::ack::{Ack, Code, Reply};
use orugate_protocol::hl7::header::Header;
use orugate_protocol::hl7::reader::{Entry, Message};
use orugate_protocol::hl7::ts::Stamp;
use orugate_protocol::hl7::value::ValueType;
use orugate_protocol::hl7::writer::{WriteError, Writer};
use orugate_protocol::mllp::{self, Decoder, Rules};
use orugate_protocol::text::{Charset, Delimiters, Escapes, Text};
use orugate_protocol::time::{DeviceTime, Tick, Utc};

/// A target's name, which is also its folder of seeds, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] =
    &[("hl7", hl7), ("link", link), ("mllp", mllp), ("records", records), ("text", text)];

/// LIS01: a line in either role. The first byte chooses the settings, the rest is what the peer says.
pub fn link(data: &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let all = bytes.len().max(1);
    let whole = transcript(choice, bytes, all, Reads::Between, None);
    for cut in [1, 3, all] {
        for reads in [Reads::Between, Reads::Always] {
            let cut = transcript(choice, bytes, cut, reads, None);
            assert_eq!(cut, whole, "reads may be cut anywhere, and made while a frame is held");
        }
    }
    // A message of our own asks for the line between two reads, so only an end is promised.
    for cut in [1, all] {
        transcript(choice, bytes, cut, Reads::Always, Some(b"H|\\^&\rP|1\rL|1|N\r"));
    }
}

/// When the wire is read.
#[derive(Clone, Copy, PartialEq)]
enum Reads {
    /// Not while a frame is held.
    Between,
    Always,
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
fn transcript(
    choice: u8,
    bytes: &[u8],
    cut: usize,
    reads: Reads,
    message: Option<&'static [u8]>,
) -> Vec<String> {
    let room = if choice & 128 != 0 { 16 } else { 4096 };
    let refuses = choice & 64 != 0;
    let mut line: Line = Link::new(link_settings(choice), vec![0; room]);
    if let Some(message) = message {
        line.offer(message).expect("an idle line takes a message that LIS01 allows");
    }
    let mut log = Vec::new();
    for piece in bytes.chunks(cut) {
        drain(&mut line, Tick::ZERO, piece, bytes, reads, refuses, &mut log);
    }
    for _ in 0..100 {
        let Some(deadline) = line.deadline() else { break };
        let event = line.handle_deadline(deadline.at);
        let frame = event.and_then(|event| told(event, &mut log));
        answer(&mut line, deadline.at, frame, refuses, log.len(), bytes);
        drain(&mut line, deadline.at, &[], bytes, reads, refuses, &mut log);
    }
    assert_eq!(line.deadline(), None, "a silent line comes to rest");
    log
}

/// `bytes` is a piece of `all`.
fn drain(
    line: &mut Line,
    now: Tick,
    mut bytes: &[u8],
    all: &[u8],
    reads: Reads,
    refuses: bool,
    log: &mut Vec<String>,
) {
    for _ in 0..bytes.len().saturating_mul(8).saturating_add(64) {
        while let Some(out) = line.transmit(now) {
            log.push(format!("< {out:02X?}"));
            line.sent(now);
        }
        let waits = reads == Reads::Between && line.held().is_some();
        let (taken, event) = line.receive(now, if waits { &[] } else { bytes });
        bytes = bytes.get(taken..).expect("no more is taken than was given");
        let nothing = event.is_none();
        let frame = event.and_then(|event| told(event, log));
        answer(line, now, frame, refuses, log.len(), all);
        if nothing && taken == 0 {
            assert!(bytes.is_empty(), "a line whose frames are settled takes every byte");
            return;
        }
    }
    panic!("a line that tells without end");
}

/// A frame, and where it ends.
fn told(event: Event<'_>, log: &mut Vec<String>) -> Option<(FrameId, u64)> {
    let Event::Frame(frame) = event else {
        log.push(format!("! {event}"));
        return None;
    };
    let view = parse_raw_frame(frame.raw).expect("a frame that was given can be parsed again");
    assert_eq!(frame.raw.get(view.text), Some(frame.text), "and has the same text");
    log.push(format!("! frame at {} {:02X?}", frame.at, frame.raw));
    Some((frame.id, frame.at + frame.raw.len() as u64))
}

/// Accepts a frame, or refuses every other one; `all` is what the peer sends in all.
fn answer(line: &mut Line, now: Tick, frame: Option<(FrameId, u64)>, refuses: bool, turn: usize, all: &[u8]) {
    if let Some((id, end)) = frame {
        let next = usize::try_from(end).ok().and_then(|end| all.get(end));
        let refused = refuses && turn.is_multiple_of(2);
        let answered = if refused { line.refuse(now, id) } else { line.accept(now, id) };
        assert!(
            answered || next == Some(&ENQ),
            "a frame waits for its answer unless the peer has begun anew"
        );
        assert!(!line.accept(now, id), "and is answered once");
    }
}

/// LIS02: one message as records, fields, repeats, components, and the tree that they make, in a charset of each kind.
pub fn records(data: &[u8]) {
    records_in(data, Charset::Ascii);
    for charset in Charset::all().filter(|charset| charset.hides(b'|')) {
        records_in(data, charset);
    }
}

fn records_in(data: &[u8], charset: Charset) {
    let place = |span: orugate_protocol::span::Span| {
        data.get(span.start as usize..span.end as usize).expect("a span is inside the message")
    };
    let mut walker = Walker::new();
    let mut at = 0;
    for record in Records::new(data).in_charset(charset) {
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
                    let _ = component.text().chars().count();
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
    for charset in Charset::all() {
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

/// HL7: any bytes as a message, as an acknowledgment, as something to answer, and as text to write and read back.
pub fn hl7(data: &[u8]) {
    let mut entries = vec![Entry::default(); Message::entries_for(data)];
    match Message::index(data, &mut entries) {
        Ok(message) => {
            for segment in message.segments() {
                for n in 0..=segment.fields().saturating_add(1) {
                    for repeat in segment.field(n).repeats() {
                        for component in repeat.components() {
                            let leaf = component.subcomponent(1);
                            let span = leaf.span();
                            let there = data.get(span.start as usize..span.end as usize);
                            assert_eq!(there, Some(leaf.bytes()), "a span is where the part is");
                            assert!(leaf.unescaped().count() <= leaf.bytes().len(), "no byte is read twice");
                            assert!(leaf.chars(Charset::Utf8).count() <= leaf.bytes().len());
                        }
                    }
                }
                assert!(
                    segment.field(segment.fields().saturating_add(1)).is_empty(),
                    "what is not there is empty"
                );
            }
        }
        Err(error) => assert!(error.offset() <= data.len(), "an error is inside the message"),
    }
    if let Ok(ack) = Ack::read(data) {
        let _ = (ack.answer(), ack.control_id(), ack.text().bytes(), ack.own_control_id());
        assert!(ack.answers(ack.control_id()) || ack.control_id().is_empty());
        for error in ack.errors() {
            let _ = (error.location(), error.number());
        }
    }
    answered(data);
    for charset in Charset::all() {
        for escapes in [Escapes::None, Escapes::Astm(Delimiters::default())] {
            let text = Text::new(data, charset, escapes);
            written(text, Charset::Utf8);
            // A reader that splits before it decodes cannot read the others back.
            if !charset.hides(b'|') {
                written(text, charset);
            }
        }
    }
}

/// Whatever has a header can be answered, and the answer is one.
fn answered(data: &[u8]) {
    let header = Header::read(data).ok().or_else(|| Header::salvage(data));
    let mut buffer = vec![0; data.len().saturating_mul(8).saturating_add(512)];
    let reply = Reply {
        code: Code::ApplicationAccept,
        control_id: "GW010000000000000001",
        time: Some(Stamp::new(Utc(1_795_000_000_000_000), 60)),
        text: "noted",
        problems: &[],
    };
    let Ok(answer) = reply.write(header.as_ref(), &mut buffer) else { return };
    assert!(!answer.iter().any(|b| matches!(b, 0x0B | 0x1C)), "an answer cannot break its frame");
    let ack = Ack::read(answer).expect("what we answer can be read");
    // An id with a framing byte in it cannot be repeated; it is escaped, as any text is.
    if let Some(id) = header.map(|header| header.control_id())
        && !id.iter().any(|b| matches!(b, 0x0B | 0x1C | b'\n'))
    {
        assert_eq!(ack.control_id(), id, "MSA-2 is MSH-10, byte for byte");
    }
}

/// Text that was written reads back as the same text, and breaks nothing around it.
fn written(text: Text<'_>, charset: Charset) {
    let mut buffer = vec![0; text.bytes().len().saturating_mul(8).saturating_add(64)];
    let mut writer = Writer::new(&mut buffer).in_charset(charset);
    writer.msh().field(3).str("GW");
    writer
        .segment("OBX")
        .field(2)
        .str(ValueType::of(text, true).code())
        .field(5)
        .text(text)
        .field(11)
        .str("F");
    let written = writer.finish();
    let Ok(read) = text.chars().collect::<Result<String, _>>() else {
        assert!(written.is_err(), "undecodable text is never written");
        return;
    };
    if let Err(WriteError::Inexpressible { .. }) = written {
        assert!(charset != Charset::Utf8, "UTF-8 has every character");
        return; // Read from a part of the table that is never written.
    }
    let written = written.expect("decodable text is written when there is room");
    assert!(!written.iter().any(|b| matches!(b, 0x0B | 0x1C | b'\n')), "text cannot break its frame");
    assert_eq!(written.iter().filter(|b| **b == b'\r').count(), 2, "or its segment");
    let mut entries = vec![Entry::default(); Message::entries_for(written)];
    let message = Message::index(written, &mut entries).expect("what is written can be read");
    let obx = message.segment("OBX", 1).expect("the segment is there");
    let back: Result<String, _> = obx.field(5).chars(charset).collect();
    // ST has no line break.
    let expected = read.replace("\r\n", " ").replace(['\r', '\n'], " ");
    assert_eq!(back, Ok(expected), "text reads back as it was");
    assert_eq!(obx.field(11).bytes(), b"F", "and moves no other field");
}

/// MLLP: one connection's bytes. The first byte chooses the rules and the room.
pub fn mllp(data: &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let whole = blocks(choice, bytes, bytes.len().max(1));
    for cut in [1, 3] {
        assert_eq!(blocks(choice, bytes, cut), whole, "reads may be cut anywhere");
    }
    let mut frame = vec![0; bytes.len().saturating_add(mllp::OVERHEAD)];
    if let Some(len) = mllp::encode(bytes, &mut frame) {
        let mut decoder = Decoder::new(vec![0; bytes.len()], Rules::default());
        let sent = frame.get(..len).expect("a frame is inside its buffer");
        let expected = mllp::Event::Frame { payload: bytes, offset: 0, missing_trailer: false };
        assert_eq!(decoder.receive(sent), (len, Some(expected)), "what was framed is what comes out");
    }
}

fn blocks(choice: u8, bytes: &[u8], cut: usize) -> Vec<String> {
    let rules = Rules { stray_end_is_data: choice & 1 != 0, lenient: choice & 2 != 0, ..Rules::default() };
    let room = if choice & 4 != 0 { 8 } else { 4096 };
    let mut decoder = Decoder::new(vec![0; room], rules);
    let mut events = Vec::new();
    for mut piece in bytes.chunks(cut) {
        while !piece.is_empty() {
            let (taken, event) = decoder.receive(piece);
            assert!(taken > 0 || event.is_some(), "a decoder does not stand still");
            piece = piece.get(taken..).expect("no more is taken than was given");
            events.extend(event.map(|event| format!("{event:?}")));
            assert!(events.len() <= bytes.len().saturating_mul(2), "events without end");
        }
    }
    events.extend(decoder.flush().map(|event| format!("{event:?}")));
    events
}
