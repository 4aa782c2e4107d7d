//! The live session against the driver contract: what is sent when, and what is stored when.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods
)]

mod common;

use common::{GENERIC, Rig, interpret, profile, variant};
use orugate_astm::script;
use orugate_driver::MessageEnd::{Complete, Incomplete};
use orugate_driver::{Answer, Channel, Input, Instrument, Profile, Stored, Ticket};
use std::time::Duration;

const ACK: &[u8] = b"\x06";
const NAK: &[u8] = b"\x15";

fn live(profile: &dyn Profile) -> Rig {
    Rig::manual(profile.session(&Instrument::default()))
}

/// The standard's link, without the generic profile's tolerance of frame numbers.
fn strict() -> Box<dyn Profile> {
    variant("", "")
}

fn frame(number: u8, text: &str, end: &str) -> Vec<u8> {
    script::bytes(&format!("<STX>{number}{text}<{end}><CS><CR><LF>"))
}

const H: &str = "H|\\^&<CR>";
const P: &str = "P|1<CR>";
const L: &str = "L|1|N<CR>";

#[test]
fn nothing_is_acknowledged_before_it_is_stored() {
    let mut rig = live(&*strict());
    rig.bytes(b"\x05");
    assert_eq!(rig.sent(), ACK);
    for (number, text) in [(1, H), (2, P), (3, L)] {
        rig.bytes(&frame(number, text, "ETX"));
        assert_eq!(rig.sent(), b"", "before Stored");
        rig.stored();
        assert_eq!(rig.sent(), ACK);
    }
    rig.bytes(b"\x04");
    assert_eq!(rig.ends(), [Some(Complete)]);
    // The chunks are the frames as they came; EOT after L ends nothing any more.
    assert_eq!(rig.messages[0].chunks, [frame(1, H, "ETX"), frame(2, P, "ETX"), frame(3, L, "ETX")]);
    assert_eq!((rig.notes.len(), rig.deadline), (0, None));
}

#[test]
fn a_refused_frame_gets_nak_and_may_come_again() {
    let mut rig = live(&*strict());
    rig.bytes(b"\x05");
    rig.bytes(&frame(1, H, "ETX"));
    rig.sent();
    rig.refused();
    assert_eq!(rig.sent(), NAK);
    assert!(rig.notes[0].contains("could not be stored"), "{:?}", rig.notes);
    // The first chunk did not begin a message after all.
    rig.messages.clear();
    rig.bytes(&frame(1, H, "ETX"));
    rig.stored();
    assert_eq!(rig.sent(), ACK);
    rig.bytes(&frame(2, L, "ETX"));
    rig.refused();
    assert_eq!(rig.sent(), NAK);
    rig.messages[0].chunks.pop();
    rig.messages[0].end = None;
    rig.bytes(&frame(2, L, "ETX"));
    rig.stored();
    assert_eq!((rig.sent(), rig.ends()), (ACK.to_vec(), vec![Some(Complete)]));
}

#[test]
fn a_receipt_that_comes_too_late_sends_nothing_and_the_repeat_is_acknowledged() {
    let mut rig = live(&*strict());
    rig.bytes(b"\x05");
    rig.bytes(&frame(1, H, "ETX"));
    rig.sent();
    assert_eq!(rig.deadline.unwrap().why, "the instrument's patience, while a frame is stored");
    rig.pass(Duration::from_secs(16));
    assert!(rig.notes.iter().any(|n| n.contains("too late")), "{:?}", rig.notes);
    rig.stored();
    assert_eq!(rig.sent(), b"");
    rig.bytes(&frame(1, H, "ETX"));
    assert_eq!(rig.sent(), ACK);
    assert!(rig.open.is_empty(), "what is on flash is not stored twice");
    rig.bytes(&frame(2, L, "ETX"));
    rig.stored();
    assert_eq!((rig.messages[0].chunks.len(), rig.ends()), (2, vec![Some(Complete)]));
}

#[test]
fn what_comes_while_a_frame_is_stored_waits() {
    let mut rig = live(&*strict());
    rig.bytes(b"\x05");
    // An instrument that does not wait for its ACK.
    let all = [frame(1, H, "ETX"), frame(2, P, "ETX"), frame(3, L, "ETX"), b"\x04".to_vec()].concat();
    rig.bytes(&all);
    rig.sent();
    for _ in 0..3 {
        rig.stored();
        assert_eq!(rig.sent(), ACK);
    }
    assert_eq!((rig.ends(), rig.messages[0].chunks.len()), (vec![Some(Complete)], 3));
}

#[test]
fn the_same_bytes_in_any_pieces_give_the_same_chunks_and_replies() {
    let all = [
        b"\x05".to_vec(),
        frame(1, H, "ETB"),
        frame(2, P, "ETX"),
        frame(3, L, "ETX"),
        b"\x04\x05\x04".to_vec(),
    ]
    .concat();
    let run = |cut: usize| {
        let mut rig = Rig::new(strict().session(&Instrument::default()));
        rig.bytes(&all[..cut]);
        rig.bytes(&all[cut..]);
        (rig.messages, rig.sent, rig.notes)
    };
    let whole = run(0);
    assert_eq!(whole.1, b"\x06\x06\x06\x06\x06");
    for cut in 1..=all.len() {
        assert_eq!(run(cut), whole, "cut at {cut}");
    }
}

#[test]
fn busy_turns_away_who_asks_but_not_who_sends() {
    let mut rig = live(&*strict());
    rig.bytes(b"\x05");
    rig.give(Input::Busy(true));
    rig.bytes(&frame(1, H, "ETX"));
    rig.stored();
    rig.bytes(&frame(2, L, "ETX"));
    rig.stored();
    rig.bytes(b"\x04");
    assert_eq!(rig.sent(), b"\x06\x06\x06");
    rig.bytes(b"\x05");
    assert_eq!(rig.sent(), NAK);
    rig.give(Input::Busy(false));
    rig.bytes(b"\x05");
    assert_eq!(rig.sent(), ACK);
}

/// An ENQ in a transfer counts when silence follows it.
fn ask_again(rig: &mut Rig) {
    rig.bytes(b"\x05");
    rig.pass(Duration::from_millis(300));
}

/// A message that no frame ends: what happens, its last chunk, its end.
#[test]
fn an_end_marker_tells_what_no_frame_told() {
    type Then = fn(&mut Rig);
    let cases: [(&str, &str, Then, &[u8], orugate_driver::MessageEnd); 6] = [
        ("EOT after ETX", "ETX", |rig| rig.bytes(b"\x04"), b"\x04", Complete),
        ("EOT after ETB", "ETB", |rig| rig.bytes(b"\x04"), b"\x04", Incomplete),
        ("a new ENQ", "ETX", ask_again, b"", Incomplete),
        ("silence", "ETX", |rig| rig.pass(Duration::from_secs(31)), b"", Incomplete),
        ("the line is gone", "ETX", Rig::close, b"", Incomplete),
        ("another connection", "ETX", Rig::open_another, b"", Incomplete),
    ];
    for (what, end, then, marker, expected) in cases {
        let mut rig = live(&*strict());
        rig.bytes(b"\x05");
        rig.bytes(&frame(1, H, end));
        rig.stored();
        rig.sent();
        then(&mut rig);
        assert_eq!(rig.open.len(), 1, "{what}");
        rig.stored();
        assert_eq!(rig.ends(), [Some(expected)], "{what}");
        assert_eq!(rig.messages[0].chunks.last().unwrap(), marker, "{what}");
        assert_eq!(rig.notes.is_empty(), expected == Complete, "{what}: {:?}", rig.notes);
    }
}

#[test]
fn the_line_may_break_while_a_frame_is_stored() {
    let mut rig = live(&*strict());
    rig.bytes(b"\x05");
    rig.bytes(&frame(1, H, "ETX"));
    rig.sent();
    rig.open_another();
    assert_eq!(rig.closed, [Channel(0)]);
    // The new connection's bytes wait for the old one's ticket, and its end comes first.
    rig.bytes(b"\x05");
    rig.bytes(&frame(1, H, "ETX"));
    rig.stored();
    rig.stored();
    assert_eq!(rig.ends(), [Some(Incomplete), None]);
    assert_eq!(rig.sent(), ACK, "for the ENQ, not for the lost frame");
    rig.stored();
    assert_eq!(rig.sent(), ACK);
}

#[test]
fn an_old_channel_is_heard_no_more() {
    let mut rig = live(&*strict());
    rig.open_another();
    rig.give(Input::Bytes(Channel(0), b"\x05"));
    rig.give(Input::Closed(Channel(0)));
    assert_eq!(rig.sent(), b"");
    rig.bytes(b"\x05");
    assert_eq!(rig.sent(), ACK);
    // A receipt for nothing.
    rig.give(Input::Stored(Stored::after_sync(Ticket(77))));
    rig.give(Input::Refused(Ticket(78)));
    assert_eq!(rig.sent(), b"");
}

#[test]
fn one_ack_per_message_covers_all_its_frames() {
    let profile = variant("ack = \"message\"", "");
    let mut rig = live(&*profile);
    rig.bytes(b"\x05");
    rig.sent();
    rig.bytes(&frame(1, H, "ETB"));
    rig.stored();
    assert_eq!(rig.sent(), b"", "the instrument does not wait for a reply to ETB");
    rig.bytes(&frame(2, L, "ETX"));
    assert_eq!(rig.sent(), b"");
    rig.stored();
    assert_eq!((rig.sent(), rig.ends()), (ACK.to_vec(), vec![Some(Complete)]));
}

#[test]
fn bad_frames_are_refused_and_said_with_their_place() {
    let mut rig = live(&*strict());
    rig.bytes(b"\x05");
    let mut bad = frame(1, H, "ETX");
    bad[3] ^= 1;
    rig.bytes(&bad);
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.sent(), b"\x06\x15");
    assert!(rig.notes[0].starts_with("byte 1: a frame's checksum is wrong"), "{:?}", rig.notes);
    rig.bytes(&frame(3, H, "ETX"));
    assert_eq!(rig.sent(), NAK);
    assert!(rig.notes[1].contains("out of order (expected 1, found 3)"), "{:?}", rig.notes);
    assert!(rig.messages.is_empty());
}

#[test]
fn a_query_is_answered_on_the_same_line() {
    let mut rig = Rig::new(strict().session(&Instrument::default()));
    rig.bytes(b"\x05");
    rig.bytes(&frame(1, "H|\\^&<CR>Q|1|^T-0001||ALL||||||||O<CR>L|1|N<CR>", "ETX"));
    let dump = interpret(&*strict().interpreter(), &rig.messages[0]);
    assert!(dump.text.contains("query [T-0001]"), "{}", dump.text);
    // The answer comes before the instrument's EOT: it must wait for the line.
    rig.sent();
    rig.give(Input::Answer(no_order()));
    assert_eq!(rig.sent(), b"");
    rig.bytes(b"\x04");
    assert_eq!(rig.sent(), b"\x05");
    rig.bytes(ACK);
    assert_eq!(rig.sent(), frame(1, "H|\\^&<CR>L|1|I<CR>", "ETX"));
    rig.bytes(ACK);
    assert_eq!(rig.sent(), b"\x04");
    assert_eq!((rig.notes.len(), rig.deadline), (0, None));
}

fn no_order() -> Answer<'static> {
    Answer::NoOrder { specimen: "T-0001" }
}

#[test]
fn stop_lets_the_open_message_finish_and_takes_no_other() {
    let mut rig = live(&*strict());
    rig.bytes(b"\x05");
    rig.bytes(&frame(1, H, "ETX"));
    rig.give(Input::Stop);
    assert!(!rig.done);
    rig.stored();
    rig.bytes(&frame(2, L, "ETX"));
    rig.stored();
    rig.sent();
    assert!(!rig.done, "the instrument still holds the line");
    rig.bytes(b"\x04");
    assert!(rig.done);
    rig.bytes(b"\x05");
    assert_eq!(rig.sent(), NAK);

    let mut idle = live(&*strict());
    idle.give(Input::Stop);
    assert!(idle.done);
}

#[test]
fn bare_records_are_stored_and_never_answered() {
    let profile = variant("framing = \"records\"", "");
    let mut rig = Rig::new(profile.session(&Instrument::default()));
    rig.bytes(b"\r\nH|\\^&\rP|1\rO|1|T-0001||^^^X\rR|1|^^^X|1\r");
    assert!(rig.messages.is_empty());
    rig.bytes(b"L|1|N\r\nH|\\^&\rP|1\r");
    assert_eq!(rig.ends(), [Some(Complete)]);
    assert_eq!(interpret(&*profile.interpreter(), &rig.messages[0]).observations, 1);
    rig.pass(Duration::from_secs(31));
    assert_eq!(rig.ends(), [Some(Complete), Some(Incomplete)]);
    assert!(rig.notes[0].contains("silence"), "{:?}", rig.notes);
    rig.bytes(b"H|\\^&\rP|1\r\x04");
    assert_eq!(rig.ends()[2], Some(Complete));
    assert_eq!(rig.sent(), b"");
}

#[test]
fn bare_records_that_cannot_be_stored_are_said_to_be_lost() {
    let profile = variant("framing = \"records\"", "");
    let mut rig = live(&*profile);
    // Longer than a chunk.
    let long = [b"H|\\^&\rP|1\rC|1|I|".as_slice(), &[b'x'; 40_000]].concat();
    rig.bytes(&long);
    rig.refused();
    rig.messages.clear();
    rig.bytes(b"\rL|1|N\rH|\\^&\rL|1\r");
    assert_eq!(rig.open.len(), 1, "the rest of the lost message is skipped, the next one is not");
    rig.stored();
    assert_eq!((rig.ends(), rig.messages[0].raw()), (vec![Some(Complete)], b"H|\\^&\rL|1\r".to_vec()));
    assert!(rig.notes[0].contains("could not be stored"));
}

#[test]
fn another_connection_ends_a_message_of_bare_records() {
    let profile = variant("framing = \"records\"", "");
    let mut rig = live(&*profile);
    let long = [b"H|\\^&\rP|1\rC|1|I|".as_slice(), &[b'x'; 40_000]].concat();
    rig.bytes(&long);
    rig.open_another();
    // These bytes wait for the old connection's ticket, and are none of its message.
    rig.bytes(b"H|\\^&\rL|1\r");
    for _ in 0..3 {
        rig.stored();
    }
    assert_eq!(rig.ends(), [Some(Incomplete), Some(Complete)]);
    assert_eq!(rig.messages[0].raw(), long);
    assert_eq!(rig.messages[1].raw(), b"H|\\^&\rL|1\r");
}

#[test]
fn on_a_one_way_line_nothing_is_read_across_a_lost_frame() {
    let profile = variant("", "one_way = true");
    let mut rig = Rig::new(profile.session(&Instrument::default()));
    let mut bad = frame(2, "4|mmol/L||N||F<CR>R|2|^^^Y|1", "ETB");
    bad[4] ^= 1;
    let first = frame(1, "H|\\^&<CR>P|1<CR>O|1|T-0001||^^^X<CR>R|1|^^^X|5.", "ETB");
    let last = frame(3, "2.0|g/L||N||F<CR>R|3|^^^Z|7||||F<CR>L|1|N<CR>", "ETX");
    rig.bytes(&[b"\x05".as_slice(), &first, &bad, &last, b"\x04"].concat());
    assert_eq!((rig.sent.as_slice(), rig.ends()), (&b""[..], vec![Some(Incomplete), Some(Complete)]));
    let interpreter = profile.interpreter();
    let dumps: Vec<_> = rig.messages.iter().map(|m| interpret(&*interpreter, m)).collect();
    // A cut value, and a result that nothing says the order of: both are kept for a person.
    assert_eq!(dumps.iter().map(|d| (d.observations, d.doubts)).collect::<Vec<_>>(), [(1, 1), (1, 1)]);
    assert!(rig.notes.iter().any(|n| n.contains("checksum is wrong")), "{:?}", rig.notes);
}

#[test]
fn on_a_one_way_line_a_missing_number_is_a_missing_frame() {
    let profile = variant("", "one_way = true");
    let mut rig = live(&*profile);
    let first = frame(1, "H|\\^&<CR>P|1<CR>O|1|T-0001||^^^X<CR>R|1|^^^X|5.", "ETB");
    rig.bytes(&[b"\x05".as_slice(), &first, &frame(3, "4|g/L<CR>L|1|N<CR>", "ETX"), b"\x04"].concat());
    // The frame, the end marker before the gap, the frame after it: never two tickets.
    for _ in 0..3 {
        rig.stored();
    }
    assert!(rig.open.is_empty());
    assert_eq!(rig.ends(), [Some(Incomplete), Some(Complete)]);
    assert!(rig.notes[0].contains("out of order (expected 2, found 3)"), "{:?}", rig.notes);
    assert_eq!(interpret(&*profile.interpreter(), &rig.messages[0]).doubts, 1);
}

#[test]
fn random_bytes_never_break_the_contract() {
    babble(&*profile(GENERIC), b"\x06\x06\x06");
    babble(&*strict(), b"\x06\x06\x06");
    babble(&*variant("ack = \"message\"", ""), b"\x06\x06\x06");
    babble(&*variant("", "one_way = true"), b"");
    babble(&*variant("framing = \"records\"", ""), b"");
}

/// A long time of anything; then a good message must still arrive. The rig checks the contract all the while.
fn babble(profile: &dyn Profile, replies: &[u8]) {
    // A small xorshift: the same bytes in each run.
    let mut seed = 0x2545_F491_4F6C_DD1Du64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let good = [b"\x05".to_vec(), frame(1, H, "ETX"), frame(2, L, "ETX"), b"\x04".to_vec()].concat();
    let alphabet = b"\x05\x04\x02\x03\x17\x06\x15\r\n1237H|L0A";
    let mut rig = live(profile);
    for _ in 0..20_000 {
        match next() % 12 {
            0..=4 => {
                let bytes: Vec<_> = (0..next() % 9)
                    .map(|_| alphabet[usize::try_from(next()).unwrap() % alphabet.len()])
                    .collect();
                rig.bytes(&bytes);
            }
            5 => rig.bytes(&good),
            6 if !rig.open.is_empty() => rig.stored(),
            7 if !rig.open.is_empty() => {
                // What is refused is no part of the message.
                let last = rig.messages.last_mut().unwrap();
                last.chunks.pop();
                last.end = None;
                if last.chunks.is_empty() {
                    rig.messages.pop();
                }
                rig.refused();
            }
            8 => rig.pass(Duration::from_millis(next() % 20_000)),
            9 => rig.give(Input::Answer(no_order())),
            10 if next() % 8 == 0 => rig.open_another(),
            11 => rig.give(Input::Busy(next() % 2 == 0)),
            _ => {}
        }
    }
    // It still works.
    rig.prompt = true;
    rig.give(Input::Busy(false));
    while !rig.open.is_empty() {
        rig.stored();
    }
    rig.open_another();
    rig.sent();
    rig.bytes(&good);
    assert!(rig.sent().starts_with(replies));
    assert_eq!(rig.messages.last().unwrap().end, Some(Complete));
}

/// EOT amid a record: what is there of it is no whole record, so half a value is not taken for one.
#[test]
fn an_eot_amid_a_bare_record_ends_an_incomplete_message() {
    let profile = variant("framing = \"records\"", "");
    let mut rig = Rig::new(profile.session(&Instrument::default()));
    rig.bytes(b"H|\\^&\rP|1\rO|1|T-0001||^^^X\rR|1|^^^X|1\x0441||||F\rL|1\r");
    rig.bytes(b"H|\\^&\rL|1|N\x04");
    assert_eq!(rig.ends(), [Some(Incomplete), Some(Complete), Some(Complete)]);
    let seen = interpret(&*profile.interpreter(), &rig.messages[0]);
    assert!(seen.text.contains("DOUBT The transmission broke"), "{}", seen.text);
}
