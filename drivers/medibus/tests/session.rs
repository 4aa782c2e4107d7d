//! The session against a script of bytes: what it says when, what it keeps, and what it forgets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod common;

use common::{EVITA, GENERIC, LEAST, Rig, frames, profile};
use orugate_driver::{Channel, Input, Peer, State};
use orugate_medibus::wire::{command, response};
use std::time::Duration;

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A session that talks with a device of this identification, and has asked for the first thing.
fn active(toml: &str, identification: &[u8]) -> Rig {
    let mut rig = Rig::live(toml);
    rig.bytes(&response(0x51, b""));
    rig.bytes(&command(0x52, b""));
    rig.take();
    rig.pass(Duration::from_millis(200));
    assert_eq!(rig.said(), ["> 52"]);
    rig.bytes(&response(0x52, identification));
    rig
}

const EVITA4: &[u8] = b"8240'Evita 4'04.20:03.00";

#[test]
fn the_start_is_repeated_every_three_seconds_while_nothing_comes() {
    let mut rig = Rig::live(GENERIC);
    assert_eq!(rig.said(), ["> 51"]);
    rig.pass(seconds(9));
    assert_eq!(rig.said(), ["> 51", "> 51", "> 51"]);
    // The realtime stream is no sign of life.
    rig.bytes(&[0xD1, 0x94, 0x81]);
    rig.pass(seconds(3));
    assert_eq!(rig.said(), ["> 51"]);
    assert!(rig.notes.is_empty());
}

#[test]
fn it_is_repeated_every_ten_seconds_while_something_comes_that_is_no_answer() {
    let mut rig = Rig::live(GENERIC);
    rig.take();
    rig.bytes(b"garbage");
    rig.pass(seconds(9));
    assert!(rig.take().is_empty());
    rig.pass(seconds(1));
    assert_eq!(rig.said(), ["> 51"]);
    rig.bytes(b"garbage");
    rig.pass(seconds(10));
    let said = rig
        .notes
        .iter()
        .filter(|note| note.contains("compare the line's rate, parity and stop bits"))
        .count();
    assert_eq!(said, 1, "{:?}", rig.notes);
}

#[test]
fn a_device_that_asks_who_is_there_is_told_and_given_time() {
    let mut rig = Rig::live(GENERIC);
    rig.take();
    // The question stands inside of the answer.
    rig.bytes(b"\x01Q\x1bR6D\r52\r");
    assert_eq!(rig.said(), ["< 52 0161'Orugate'01.00:03.00"]);
    rig.pass(Duration::from_millis(199));
    assert!(rig.take().is_empty());
    rig.pass(Duration::from_millis(1));
    assert_eq!(rig.said(), ["> 52"]);
}

#[test]
fn a_device_that_does_not_ask_is_asked_after_a_second() {
    let mut rig = Rig::live(GENERIC);
    rig.take();
    rig.bytes(&response(0x51, b""));
    rig.pass(Duration::from_millis(999));
    assert!(rig.take().is_empty());
    rig.pass(Duration::from_millis(1));
    assert_eq!(rig.said(), ["> 52"]);
}

#[test]
fn a_device_that_begins_itself_is_answered() {
    let mut rig = Rig::live(GENERIC);
    rig.take();
    rig.bytes(&command(0x51, b""));
    assert_eq!(rig.said(), ["< 51"]);
    rig.bytes(&command(0x52, b""));
    assert_eq!(rig.said(), ["< 52 0161'Orugate'01.00:03.00"]);
    rig.pass(Duration::from_millis(200));
    assert_eq!(rig.said(), ["> 52"]);
}

#[test]
fn one_command_is_open_at_a_time_and_the_next_follows_its_answer() {
    let mut rig = active(GENERIC, EVITA4);
    for code in [0x24, 0x2B, 0x29, 0x27, 0x2E, 0x25, 0x26, 0x2A, 0x28] {
        assert_eq!(rig.said(), [format!("> {code:02X}")]);
        rig.pass(Duration::from_millis(100));
        assert!(rig.take().is_empty());
        let clock = if code == 0x28 { b"11:11:1911-NOV-93".as_slice() } else { b"" };
        rig.bytes(&response(code, clock));
    }
    // All was asked for: a NOP two seconds after what was said last, until the round of five seconds is over.
    assert!(rig.take().is_empty());
    rig.pass(Duration::from_millis(1899));
    assert!(rig.take().is_empty());
    rig.pass(Duration::from_millis(1));
    assert_eq!(rig.said(), ["> 30"]);
    rig.bytes(&response(0x30, b""));
    rig.pass(Duration::from_millis(1999));
    assert!(rig.take().is_empty());
    rig.pass(Duration::from_millis(1));
    assert_eq!(rig.said(), ["> 30"]);
    rig.bytes(&response(0x30, b""));
    rig.pass(Duration::from_millis(200));
    assert_eq!(rig.said(), ["> 24"]);
    assert!(rig.notes.is_empty(), "{:?}", rig.notes);
    // One slot for each command, one for the identification, none for what has no data.
    let slots: Vec<_> = rig.kept.keys().copied().collect();
    assert_eq!(slots, [0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x2B, 0x2E, 0x52]);
}

#[test]
fn every_command_is_answered_and_a_damaged_one_refused() {
    let mut rig = active(GENERIC, EVITA4);
    rig.take();
    let codes: Vec<u8> = (0x20..0x7F).filter(|code| !matches!(code, 0x51 | 0x52 | 0x55)).collect();
    for code in codes {
        rig.bytes(&command(code, b""));
        assert_eq!(rig.said(), [format!("< {code:02X}")], "{code:02X}");
    }
    rig.bytes(&command(0x52, b""));
    assert_eq!(rig.said(), ["< 52 0161'Orugate'01.00:03.00"]);
    rig.bytes(b"\x1b04C\r");
    assert_eq!(rig.said(), ["< 15"]);
    assert!(
        rig.notes[0].contains("wrong checksum and was refused (expected 75, found 76)"),
        "{:?}",
        rig.notes
    );
}

#[test]
fn a_good_answer_is_kept_and_a_damaged_one_is_asked_again() {
    let mut rig = active(GENERIC, EVITA4);
    rig.take();
    rig.bytes(b"\x01$EB 9\xd18 E1 70 7A\r");
    assert_eq!(rig.kept_of(0x24).unwrap(), "EB 98 E1 70 ");
    assert_eq!(rig.said(), ["> 2B"]);
    for _ in 0..3 {
        rig.bytes(b"\x01+00  1200\r");
        assert_eq!(rig.said(), ["> 2B"]);
        assert!(!rig.kept.contains_key(&0x2B));
    }
    // Four times are enough; the others are asked for all the same.
    rig.bytes(b"\x01+00  1200\r");
    assert_eq!(rig.said(), ["> 29"]);
    assert_eq!(rig.notes.iter().filter(|note| note.contains("thrown away")).count(), 4);
    assert!(rig.notes.last().unwrap().contains("refuses a command, or its answers are never whole (43)"));
    assert_eq!(rig.forgotten, 0);
    assert_eq!(rig.kept_of(0x24).unwrap(), "EB 98 E1 70 ");
}

#[test]
fn damage_that_the_checksum_misses_is_found_by_the_records() {
    let mut rig = active(GENERIC, EVITA4);
    rig.take();
    for data in [b"EB 98 E1 7".as_slice(), b"EB 9x ", b"EG 98 "] {
        rig.bytes(&response(0x24, data));
        assert_eq!(rig.said(), ["> 24"]);
    }
    assert!(!rig.kept.contains_key(&0x24));
    assert_eq!(
        rig.notes.iter().filter(|note| note.contains("has damaged records and was thrown away (36)")).count(),
        3
    );
    rig.bytes(&response(0x24, b"EB 98 "));
    assert_eq!(rig.said(), ["> 2B"]);
    // A device without a clock may say so.
    rig.bytes(&response(0x28, b""));
    assert!(!rig.kept.contains_key(&0x28) && rig.take().is_empty() && rig.notes.len() == 3);
}

#[test]
fn what_is_measured_now_and_then_is_taken_when_it_is_another() {
    let mut rig = active(&format!("{LEAST}poll = [\"24\"]\ncycle = \"0 s\"\n"), EVITA4);
    for (data, taken) in [
        (b"96 12078 5.0".as_slice(), 1),
        (b"96 12078 8.0", 1),
        (b"96 12178 8.0", 2),
        (b"78 8.0", 2),
        (b"96 12178 8.0", 3),
        (b"96    ", 3),
    ] {
        rig.bytes(&response(0x24, data));
        assert_eq!(rig.taken.len(), taken, "{}", String::from_utf8_lossy(data));
    }
    assert_eq!(rig.taken[0].1, response(0x24, b"96 12078 5.0"));
    assert_eq!(rig.taken[1].1, [response(0x24, b"96 12078 8.0"), response(0x24, b"96 12178 8.0")].concat());
    // Who begins anew has said nothing before.
    rig.bytes(&command(0x51, b""));
    rig.pass(seconds(1));
    rig.bytes(&response(0x52, EVITA4));
    rig.bytes(&response(0x24, b"96 121"));
    assert_eq!(rig.taken.len(), 4);
    assert_eq!(rig.taken[3].1, response(0x24, b"96 121"));
}

#[test]
fn how_it_stands_is_told() {
    let mut rig = Rig::live(GENERIC);
    assert_eq!(rig.states, [State::Connecting]);
    rig.bytes(&response(0x51, b""));
    rig.pass(seconds(1));
    rig.bytes(&response(0x52, EVITA4));
    assert_eq!(rig.states, [State::Connecting]);
    rig.bytes(&response(0x24, b"EB 98 "));
    assert_eq!(rig.states, [State::Connecting, State::Talking]);
    rig.bytes(&response(0x2A, b"547Standby\x03"));
    rig.bytes(&response(0x2B, b""));
    assert_eq!(rig.states[2..], [State::Standby]);
    rig.bytes(&response(0x2A, b"014IPPV\x03"));
    assert_eq!(rig.states[3..], [State::Talking]);
    rig.pass(seconds(60));
    assert_eq!(rig.states[4..], [State::Silent]);
    rig.give(Input::Closed(Channel(0)));
    rig.channel = Channel(1);
    rig.give(Input::Opened(Channel(1), Peer::Tcp));
    assert_eq!(rig.states[5..], [State::Connecting]);
}

#[test]
fn another_device_on_the_same_line_inherits_nothing() {
    let profile = profile(EVITA);
    let mut rig = Rig::with(profile.capture_session(), Peer::Capture);
    rig.bytes(&response(0x52, EVITA4));
    rig.bytes(&response(0x24, b"EB 98 "));
    rig.bytes(&response(0x52, EVITA4));
    assert_eq!((rig.kept.len(), rig.forgotten), (2, 0));
    rig.bytes(&response(0x52, b"8250'Savina'02.00:03.00"));
    assert_eq!((rig.kept.len(), rig.forgotten), (1, 1));
}

#[test]
fn what_was_said_before_holds_while_a_damaged_answer_comes_again() {
    let mut rig = active(&format!("{LEAST}poll = [\"24\"]\ncycle = \"0 s\"\n"), EVITA4);
    rig.take();
    rig.bytes(&response(0x24, b"EB 98 "));
    assert_eq!(rig.said(), ["> 24"]);
    rig.bytes(b"\x01$EB 97 00\r");
    assert_eq!(rig.said(), ["> 24"]);
    assert_eq!(rig.kept_of(0x24).unwrap(), "EB 98 ");
    // It is over when none comes in time.
    rig.pass(seconds(10));
    assert_eq!(rig.said(), ["> 30", "> 30", "> 30", "> 30", "> 24"]);
    assert!(!rig.kept.contains_key(&0x24));
}

#[test]
fn a_device_that_falls_silent_is_asked_four_times_and_then_all_is_forgotten() {
    let mut rig = active(GENERIC, EVITA4);
    rig.take();
    rig.bytes(&response(0x24, b"EB 98 "));
    rig.take();
    // Meanwhile it hears of us, lest it is we who are missed.
    rig.pass(Duration::from_millis(9999));
    assert_eq!(rig.said(), ["> 30", "> 30", "> 30", "> 30"]);
    rig.pass(Duration::from_millis(29_000));
    let said = rig.said();
    assert_eq!(said.iter().filter(|one| *one == "> 2B").count(), 3, "{said:?}");
    assert_eq!(said.iter().filter(|one| *one == "> 30").count(), 12, "{said:?}");
    assert_eq!(rig.kept_of(0x24).unwrap(), "EB 98 ");
    rig.pass(Duration::from_millis(1001));
    assert_eq!(rig.said(), ["> 51"]);
    assert!(rig.kept.is_empty() && rig.forgotten == 1);
    assert!(rig.notes.last().unwrap().contains("does not answer any more"));
    // And it is tried for ever.
    rig.pass(seconds(3600));
    assert_eq!(rig.said().len(), 1200);
}

#[test]
fn a_late_answer_is_kept_and_moves_nothing() {
    let mut rig = active(GENERIC, EVITA4);
    rig.pass(seconds(10));
    assert_eq!(rig.said(), ["> 24", "> 30", "> 30", "> 30", "> 30", "> 24"]);
    rig.bytes(&response(0x24, b"EB 98 "));
    assert_eq!(rig.said(), ["> 2B"]);
    rig.bytes(&response(0x24, b"EB 99 "));
    assert!(rig.take().is_empty());
    assert_eq!(rig.kept_of(0x24).unwrap(), "EB 99 ");
}

#[test]
fn a_device_that_begins_anew_is_answered_and_configured_again() {
    let toml = format!("{LEAST}[[configure]]\nof = \"24\"\ncodes = [\"EB\", \"E1\"]\n");
    let mut rig = active(&toml, EVITA4);
    assert_eq!(rig.said(), ["> 4A $EBE1"]);
    rig.bytes(&response(0x4A, b""));
    assert_eq!(rig.said(), ["> 24"]);
    rig.bytes(&response(0x24, b"EB 98 "));
    rig.take();
    rig.bytes(&command(0x51, b""));
    assert_eq!(rig.said(), ["< 51"]);
    assert!(rig.kept.is_empty() && rig.forgotten == 1);
    rig.bytes(&command(0x52, b""));
    rig.take();
    rig.pass(Duration::from_millis(200));
    assert_eq!(rig.said(), ["> 52"]);
    rig.bytes(&response(0x52, EVITA4));
    assert_eq!(rig.said(), ["> 4A $EBE1"]);
}

#[test]
fn an_old_device_gets_no_arguments_and_one_that_refuses_them_is_asked_all_the_same() {
    let toml = format!("{LEAST}[[configure]]\nof = \"24\"\ncodes = [\"EB\"]\n");
    let mut old = active(&toml, b"8200'Evita 2'02.00:02.00");
    assert_eq!(old.said(), ["> 24"]);
    assert!(old.notes[0].contains("older than 3.00"), "{:?}", old.notes);
    // One that says nothing of its version, too.
    assert_eq!(active(&toml, b"").said(), ["> 24"]);
    let mut rig = active(&toml, EVITA4);
    for _ in 0..4 {
        assert_eq!(rig.said(), ["> 4A $EB"]);
        rig.bytes(&response(0x15, b""));
    }
    assert_eq!(rig.said(), ["> 24"]);
    assert!(rig.notes.last().unwrap().contains("refuses its configuration"), "{:?}", rig.notes);
}

#[test]
fn a_changed_clock_is_asked_for_again() {
    let mut rig = active(GENERIC, EVITA4);
    rig.take();
    rig.bytes(&response(0x28, b"11:11:1911-NOV-93"));
    assert!(rig.kept.contains_key(&0x28));
    rig.bytes(&command(0x49, b""));
    assert_eq!(rig.said(), ["< 49"]);
    assert!(!rig.kept.contains_key(&0x28));
    rig.bytes(&response(0x24, b""));
    assert_eq!(rig.said(), ["> 28"]);
    rig.bytes(&response(0x28, b"11:12:0011-NOV-93"));
    assert_eq!(rig.said(), ["> 2B"]);
}

#[test]
fn silence_that_the_device_asks_for_is_kept_for_three_seconds_at_most() {
    let mut rig = active(GENERIC, EVITA4);
    rig.take();
    rig.bytes(b"\x11");
    rig.bytes(&response(0x24, b""));
    rig.bytes(&command(0x30, b""));
    assert!(rig.take().is_empty());
    rig.bytes(b"\x13");
    assert_eq!(rig.said(), ["> 2B", "< 30"]);
    assert!(rig.notes.is_empty());
    rig.bytes(b"\x11");
    rig.bytes(&response(0x2B, b""));
    rig.pass(seconds(3));
    assert_eq!(rig.said(), ["> 29"]);
    assert!(rig.notes[0].contains("asked for silence and did not end it"));
    // What waits is given up when the device breaks it off, and asked again when no answer comes.
    rig.bytes(b"\x11");
    rig.bytes(&response(0x29, b""));
    rig.bytes(b"\x18\x13");
    assert!(rig.take().is_empty());
    rig.pass(seconds(10));
    assert_eq!(rig.said().last().unwrap(), "> 27");
}

#[test]
fn a_stop_waits_for_the_last_answer_tells_the_device_and_waits_for_its_echo() {
    let mut rig = active(GENERIC, EVITA4);
    rig.take();
    rig.stop();
    assert!(rig.take().is_empty());
    rig.bytes(&response(0x24, b""));
    assert_eq!(rig.said(), ["> 55"]);
    assert!(!rig.done);
    // Its commands are answered until then.
    rig.bytes(&command(0x30, b""));
    assert_eq!(rig.said(), ["< 30"]);
    rig.bytes(&response(0x55, b""));
    assert!(rig.done);
    assert!(rig.notes.is_empty());
}

#[test]
fn a_stop_is_over_in_ten_seconds_whatever_the_device_does() {
    let mut rig = active(GENERIC, EVITA4);
    rig.take();
    rig.stop();
    rig.pass(Duration::from_millis(7999));
    assert_eq!(rig.said(), ["> 55", "> 55"]);
    assert!(!rig.done);
    rig.pass(Duration::from_millis(1));
    assert!(rig.done);
    assert!(rig.notes.last().unwrap().contains("it may show an alarm"));
    // During a pause that the device asked for, too.
    let mut rig = active(GENERIC, EVITA4);
    rig.take();
    rig.bytes(b"\x11");
    rig.bytes(&response(0x24, b""));
    rig.stop();
    assert_eq!(rig.said(), ["> 2B"]);
    // A device that is not there is not told.
    let mut rig = Rig::live(GENERIC);
    rig.take();
    rig.stop();
    assert!(rig.done && rig.take().is_empty());
    // Nor is one whose line is gone.
    let mut rig = active(GENERIC, EVITA4);
    rig.give(Input::Closed(Channel(0)));
    rig.stop();
    assert!(rig.done);
}

#[test]
fn a_device_that_stops_is_answered_and_forgotten() {
    let mut rig = active(GENERIC, EVITA4);
    rig.take();
    rig.bytes(&response(0x24, b"EB 98 "));
    rig.take();
    rig.bytes(&command(0x55, b""));
    assert_eq!(rig.said(), ["< 55"]);
    assert!(rig.kept.is_empty());
    rig.pass(seconds(3));
    assert_eq!(rig.said(), ["> 51"]);
}

#[test]
fn a_line_that_comes_back_begins_from_the_start() {
    let mut rig = active(GENERIC, EVITA4);
    rig.take();
    rig.give(Input::Closed(Channel(0)));
    rig.pass(seconds(60));
    assert!(rig.take().is_empty());
    rig.channel = Channel(1);
    rig.give(Input::Opened(Channel(1), Peer::Tcp));
    assert_eq!(rig.said(), ["> 51"]);
}

#[test]
fn a_capture_is_read_whoever_asked() {
    let profile = profile(EVITA);
    let mut rig = Rig::with(profile.capture_session(), Peer::Capture);
    rig.take();
    rig.bytes(&response(0x24, b"EB 98 "));
    rig.bytes(&response(0x52, EVITA4));
    rig.bytes(b"\x01$EB 97 00\r");
    assert_eq!(rig.deadline, None);
    assert_eq!(rig.kept.len(), 2);
    assert_eq!(rig.kept_of(0x24).unwrap(), "EB 98 ");
    assert_eq!(rig.notes.len(), 1);
    // A device that begins anew has said nothing yet.
    rig.bytes(&command(0x51, b""));
    assert!(rig.kept.is_empty());
    rig.stop();
    assert!(rig.done);
}

/// A small generator of numbers; the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

#[test]
fn whatever_comes_what_is_sent_is_whole_and_memory_is_bounded() {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let pieces: Vec<Vec<u8>> = [0x24, 0x30, 0x49, 0x4A, 0x51, 0x52, 0x55, 0x99u8]
        .iter()
        .flat_map(|code| [command(*code & 0x7F, b""), response(*code & 0x7F, b"EB 98 ")])
        .chain([
            vec![0x11],
            vec![0x13],
            vec![0x18],
            b"\x1b".to_vec(),
            b"\x01".to_vec(),
            b"\r".to_vec(),
            vec![0xD1, 0x94],
        ])
        .collect();
    let toml = format!("{LEAST}[[configure]]\nof = \"24\"\ncodes = [\"EB\"]\n");
    let mut kept = 0;
    for round in 0..400 {
        let mut rig = Rig::live(&toml);
        frames(&rig.take());
        for _ in 0..200 {
            let mut bytes = Vec::new();
            match dice.roll(3) {
                // Noise of any kind.
                0 => bytes.extend((0..dice.roll(40)).map(|_| u8::try_from(dice.roll(256)).unwrap())),
                // Frames, whole.
                1 => {
                    bytes.extend_from_slice(&pieces[usize::try_from(dice.roll(pieces.len() as u64)).unwrap()])
                }
                // Frames with a byte wrong.
                _ => {
                    bytes
                        .extend_from_slice(&pieces[usize::try_from(dice.roll(pieces.len() as u64)).unwrap()]);
                    let at = usize::try_from(dice.roll(bytes.len() as u64)).unwrap();
                    bytes[at] ^= 1 << dice.roll(8);
                }
            }
            if round % 2 == 0 {
                rig.bytes(&bytes);
            } else {
                bytes.iter().for_each(|byte| rig.bytes(&[*byte]));
            }
            // All frames must be whole, with their checksums right.
            frames(&rig.take());
            assert!(rig.kept.keys().all(|slot| *slot < 0x80));
            kept += rig.kept.len();
            rig.pass(Duration::from_millis(dice.roll(4000)));
            frames(&rig.take());
        }
        rig.stop();
        frames(&rig.take());
        rig.pass(seconds(10));
        frames(&rig.take());
        assert!(rig.done);
    }
    assert!(kept > 1000, "{kept}");
}
