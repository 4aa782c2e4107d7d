//! Any bytes, cut anywhere.

use super::*;
use crate::ascii::{ACK, CR, EOT, ETB, ETX, LF, NAK, STX};
use proptest::prelude::*;
use std::println;

/// Everything that a link says to these chunks, when each frame is accepted at once and then the line falls silent.
fn transcript<'a>(
    settings: Settings,
    room: usize,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<String> {
    let mut link: Bench = Link::new(settings, vec![0; room]);
    let mut log = Vec::new();
    for chunk in chunks {
        feed(&mut link, Tick::ZERO, chunk, &mut log);
    }
    for _ in 0..10 {
        let Some(deadline) = link.deadline() else { break };
        let event = link.handle_deadline(deadline.at);
        if let Some(id) = event.and_then(|event| told(event, &mut log)) {
            // False where an ENQ was taken with the frame: the ACK is then the ENQ's.
            link.accept(deadline.at, id);
        }
        feed(&mut link, deadline.at, &[], &mut log);
    }
    assert_eq!(link.deadline(), None, "it comes to rest");
    log
}

fn feed(link: &mut Bench, now: Tick, mut bytes: &[u8], log: &mut Vec<String>) {
    // Two events a byte are more than any input makes on average; a link that stands still would run into this.
    for _ in 0..bytes.len().saturating_mul(4).saturating_add(16) {
        while let Some(out) = link.transmit(now) {
            log.push(format!("< {}", shown(out)));
            link.sent(now);
        }
        let (taken, event) = link.receive(now, bytes);
        bytes = &bytes[taken..];
        match event {
            Some(event) => {
                if let Some(id) = told(event, log) {
                    link.accept(now, id);
                }
            }
            None if taken == 0 => {
                assert!(bytes.is_empty(), "it stands still before {}", shown(bytes));
                return;
            }
            None => {}
        }
    }
    panic!("events without end");
}

/// Logs an event; a frame's id, when it is one.
fn told(event: Event<'_>, log: &mut Vec<String>) -> Option<FrameId> {
    let Event::Frame(frame) = event else {
        log.push(format!("! {event}"));
        return None;
    };
    let view = parse_raw_frame(frame.raw).expect("a frame that was given can be parsed");
    assert_eq!(&frame.raw[view.text.clone()], frame.text);
    assert_eq!((view.number, view.last), (frame.number, frame.last));
    log.push(format!("! frame at {} {}", frame.at, shown(frame.raw)));
    Some(frame.id)
}

/// Whole, in two at each of `offsets`, and byte by byte: the same.
fn same_at_every_split(
    settings: Settings,
    room: usize,
    bytes: &[u8],
    offsets: impl Iterator<Item = usize>,
) -> Vec<String> {
    let whole = transcript(settings, room, [bytes]);
    assert_eq!(transcript(settings, room, bytes.chunks(1)), whole, "byte by byte");
    for at in offsets {
        let (left, right) = bytes.split_at(at);
        assert_eq!(transcript(settings, room, [left, right]), whole, "split at {at}");
    }
    whole
}

fn tolerant() -> Settings {
    Settings {
        establishment: Establishment::Optional,
        frame_numbers: FrameNumbers::Any,
        terminator: Terminator::Any,
        ..Settings::default()
    }
}

#[test]
fn a_session_cut_anywhere_is_the_same() {
    let session = bytes(concat!(
        r"<ENQ>{1:H|\^&|||ZZTEST<CR>:ETB}{2:P|1||0042<CR>:ETX}{2:P|1||0042<CR>:ETX}",
        "<STX>3R|1|^^^GLU|5.9<CR><ETX>b6<CR><STX>3R|1<CR><LF><ETX>",
        "C1<CR><LF><STX>xxx<ETX>00<CR><LF>{4:L|1|N<CR>:ETX}<EOT><EOT><NUL>noise<ENQ><ENQ>{1:a:ETX}",
        "{5:z:ETX}<STX>2cut<ENQ><EOT><ACK><ENQ>{1:a:ETB}<STX>2no end<EOT>"
    ));
    for settings in [Settings::default(), tolerant(), Settings { replies: Replies::Never, ..tolerant() }] {
        let log = same_at_every_split(settings, 64, &session, 0..session.len());
        assert!(log.len() > 25, "{log:#?}");
    }
}

/// An ENQ in place of a frame's CR, and then silence: the frame is stored, and the one ACK is for the ENQ behind it.
/// `accept` says that the frame itself is not answered, and the rest does not depend on the cuts.
#[test]
fn an_enq_in_place_of_a_tail_is_settled_by_silence_the_same_way() {
    let settings = Settings { checksum: Checksum::Absent, ..Settings::default() };
    let log = same_at_every_split(settings, 3, b"\x05\x021\x17\x05", 0..=5);
    let wanted = [
        "! established",
        "< <ACK>",
        "! frame at 1 <STX>1<ETB>",
        "! ended: incomplete, a new ENQ",
        "< <ACK>",
        "! established",
        "! ended: incomplete, silence",
    ];
    assert_eq!(log, wanted);
}

#[test]
fn recorded_sessions_cut_anywhere_are_the_same() {
    let Some(corpus) = std::env::var_os("ORUGATE_CORPUS") else {
        println!("skipped: ORUGATE_CORPUS is not set");
        return;
    };
    let folder = std::path::Path::new(&corpus).join("lab");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| {
            panic!("ORUGATE_CORPUS is set but {} is not there: {error}", folder.display())
        })
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "astm"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no lab/*.astm");
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        // All offsets of the small ones; of the large ones those near a control character, and byte by byte.
        let near = |at: &usize| {
            bytes.len() < 3000
                || at.is_multiple_of(997)
                || bytes[at.saturating_sub(5)..*at].iter().any(|b| matches!(*b, ENQ | EOT))
                || (at.is_multiple_of(17)
                    && bytes[at.saturating_sub(5)..*at].iter().any(|b| matches!(*b, ETX | ETB)))
        };
        let log = same_at_every_split(tolerant(), 64_007, &bytes, (0..bytes.len()).filter(near));
        let frames = log.iter().filter(|line| line.starts_with("! frame")).count();
        let refused = log.iter().filter(|line| *line == "< <NAK>").count();
        let name = file.file_name().unwrap().to_string_lossy();
        println!("{name}: {frames} frames, {:?}", log.iter().rfind(|line| line.starts_with("! ended")));
        assert_eq!(frames, bytes.iter().filter(|b| **b == STX).count(), "{name}");
        assert_eq!(refused, 0, "{name}: every checksum in the corpus is good");
        assert!(log.iter().any(|line| line == "! ended: complete"), "{name}: {:?}", log.last());
    }
}

#[test]
fn ten_megabytes_without_a_frame_end_are_bounded_and_noted() {
    for start in [&b"\x05\x021"[..], b"\x05", b""] {
        let mut link: Bench = Link::new(Settings::default(), vec![0; 64_007]);
        let mut log = Vec::new();
        feed(&mut link, Tick::ZERO, start, &mut log);
        log.clear();
        let block = vec![b'x'; 65_536];
        for _ in 0..160 {
            feed(&mut link, Tick::ZERO, &block, &mut log);
        }
        assert_eq!(link.buffer.len(), 64_007);
        let noted = log.iter().filter(|line| line.contains("65536 stray bytes")).count();
        assert!((159..=160).contains(&noted), "{noted}");
        assert_eq!(log.len(), noted + usize::from(start.len() > 1), "{log:#?}");
        if start.len() > 1 {
            assert_eq!(log[0], "! trouble at 1: no frame end within 64007 bytes");
        }
        // And the line is usable again, once the noise is over.
        feed(&mut link, Tick::ZERO, &[ENQ], &mut log);
        let end = link.deadline().unwrap();
        assert_eq!(end.why, Why::Quiet);
        log.clear();
        let event = link.handle_deadline(end.at).map(|event| format!("! {event}"));
        log.extend(event);
        feed(&mut link, end.at, &[], &mut log);
        assert!(log.iter().any(|line| line == "! established"), "{log:?}");
    }
}

fn any_settings() -> impl Strategy<Value = Settings> {
    (0..3u8, 0..2u8, 0..2u8, 0..3u8, 0..2u8, 0..2u8).prop_map(
        |(checksum, numbers, enq, replies, nak, role)| Settings {
            checksum: [Checksum::Verified, Checksum::Unchecked, Checksum::Absent][usize::from(checksum)],
            frame_numbers: [FrameNumbers::Strict, FrameNumbers::Any][usize::from(numbers)],
            establishment: [Establishment::Enq, Establishment::Optional][usize::from(enq)],
            replies: [Replies::Each, Replies::LastFrame, Replies::Never][usize::from(replies)],
            strange_reply: [StrangeReply::Ignore, StrangeReply::Nak][usize::from(nak)],
            role: [Role::Instrument, Role::Computer][usize::from(role)],
            send_text_max: 3,
            ..Settings::default()
        },
    )
}

/// Bytes that look like the protocol often enough to reach every state.
fn lively_bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        2 => Just(vec![ENQ]),
        1 => Just(vec![EOT]),
        2 => Just(vec![ACK]),
        1 => Just(vec![NAK]),
        1 => Just(vec![STX]),
        1 => Just(vec![CR, LF]),
        2 => any::<u8>().prop_map(|b| vec![b]),
        4 => (0..9u8, "[A-Z|]{0,12}", any::<bool>(), 0..12usize).prop_map(|(number, text, last, cut)| {
            let mut frame = vec![0; 32];
            let end = if last { FrameEnd::Etx } else { FrameEnd::Etb };
            let len = encode_frame(number, text.as_bytes(), end, &mut frame).unwrap();
            // Mostly whole, sometimes without its tail or more.
            frame.truncate(if cut < 8 { len } else { len - (cut - 7) });
            frame
        }),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// A few cases each time; as many as `PROPTEST_CASES` says when somebody looks for a rare one.
fn config() -> ProptestConfig {
    let given = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { given.cases } else { 128 };
    ProptestConfig { failure_persistence: None, cases, ..given }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn cut_anywhere_is_the_same(
        settings in any_settings(),
        bytes in lively_bytes(),
        room in 0..40usize,
        at in any::<proptest::sample::Index>(),
    ) {
        let whole = transcript(settings, room, [&bytes[..]]);
        prop_assert_eq!(&transcript(settings, room, bytes.chunks(1)), &whole);
        let (left, right) = bytes.split_at(at.index(bytes.len() + 1));
        prop_assert_eq!(&transcript(settings, room, [left, right]), &whole);
    }

    /// Any calls in any order: no panic, no endless work, and an ACK only for ENQ, an accepted frame or a repeat.
    #[test]
    fn any_order_of_calls(
        settings in any_settings(),
        room in 0..40usize,
        steps in proptest::collection::vec((0..10u8, lively_bytes(), 0..20_000u64), 0..40),
    ) {
        let mut link: Bench = Link::new(settings, vec![0; room]);
        let mut now = Tick::ZERO;
        let mut unread = Vec::new();
        let (mut held, mut may_ack, mut acks) = (None, 0usize, 0usize);
        for (step, bytes, wait) in steps {
            match step {
                0..=3 => unread.extend(bytes),
                4 => now = now.after(Duration::from_millis(wait)),
                5 => { let _ = link.offer(bytes.iter().map(|b| b | 0x40).collect()); }
                6 => { link.withdraw(); }
                7 => { let _ = link.disconnect(); unread.clear(); }
                8 => link.set_busy(wait % 2 == 0),
                _ => if let Some(id) = held {
                    match wait % 3 {
                        0 => may_ack += usize::from(link.accept(now, id)),
                        1 => { link.accept_and_interrupt(now, id); }
                        _ => { link.refuse(now, id); }
                    }
                },
            }
            let bound = 4 * unread.len() + 100;
            for round in 0.. {
                prop_assert!(round < bound, "events without end");
                while let Some(out) = link.transmit(now) {
                    acks += usize::from(out == [ACK]);
                    if wait % 5 != 0 { link.sent(now); }
                }
                let due = link.deadline().is_some_and(|d| d.at <= now);
                let (taken, event) = if due { (0, link.handle_deadline(now)) } else { link.receive(now, &unread) };
                let told = event.is_some();
                match event {
                    Some(Event::Frame(frame)) => { prop_assert!(frame.raw.len() <= room); held = Some(frame.id); }
                    Some(Event::Established(_) | Event::Repeated { .. }) => may_ack += 1,
                    _ => {}
                }
                unread.drain(..taken);
                if !told && taken == 0 && !due {
                    break;
                }
            }
            prop_assert!(unread.is_empty() || link.held().is_some() || link.out.is_some(), "it stands still");
            prop_assert!(acks <= may_ack, "an ACK for nothing");
        }
    }
}
