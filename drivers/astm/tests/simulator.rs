//! The simulator against the session: what an instrument sends arrives, whatever goes wrong once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod common;

use common::{GENERIC, Rig, interpret, profile};
use orugate_astm::script;
use orugate_driver::MessageEnd::Complete;
use orugate_driver::{Answer, Input, Instrument, SimulatedFault as Fault};
use std::time::Duration;

const MESSAGE: &[u8] = b"H|\\^&\nP|1\nO|1|T-0001||^^^X\nR|1|^^^X|5.4|mmol/L||N||F||||20261122093000\nL|1|N\n";

/// Two sessions with a wire between them.
struct Pair {
    gateway: Rig,
    instrument: Rig,
}

impl Pair {
    fn new(messages: &[&[u8]], faults: &[Fault]) -> Self {
        let messages: Vec<_> = messages.iter().map(|m| m.to_vec()).collect();
        Self {
            gateway: Rig::new(profile(GENERIC).session(&Instrument::default())),
            instrument: Rig::new(profile(GENERIC).simulator(messages, faults)),
        }
    }

    /// Carries bytes until none is left; a hang-up of the instrument is one of the wire, and it calls again.
    fn carry(&mut self) {
        for _ in 0..1000 {
            let (there, back) = (self.instrument.sent(), self.gateway.sent());
            if there.is_empty() && back.is_empty() {
                if self.instrument.closed.pop().is_none() {
                    return;
                }
                self.gateway.close();
                self.gateway.open_another();
                self.instrument.open_another();
                continue;
            }
            if !there.is_empty() {
                self.gateway.bytes(&there);
            }
            if !back.is_empty() {
                self.instrument.bytes(&back);
            }
        }
        panic!("no end");
    }

    fn run(&mut self, wait: Duration) {
        self.carry();
        let step = Duration::from_millis(100);
        let mut left = wait;
        while !left.is_zero() {
            self.gateway.pass(step);
            self.instrument.pass(step);
            self.carry();
            left = left.saturating_sub(step);
        }
    }

    fn whole(&self) -> usize {
        self.gateway.messages.iter().filter(|m| m.end == Some(Complete)).count()
    }
}

#[test]
fn messages_arrive_one_after_the_other() {
    let mut pair = Pair::new(&[MESSAGE, MESSAGE], &[]);
    pair.carry();
    assert_eq!(pair.gateway.ends(), [Some(Complete), Some(Complete)]);
    let dump = interpret(&*profile(GENERIC).interpreter(), &pair.gateway.messages[1]);
    assert!(dump.text.contains("X| = [5.4] mmol/L"), "{}", dump.text);
    assert!(pair.gateway.notes.is_empty(), "{:?}", pair.gateway.notes);
}

#[test]
fn each_fault_is_got_over() {
    let faults = [
        Fault::FlipBit { frame: 2, byte: 7, bit: 0 },
        Fault::FlipBit { frame: 0, byte: 0, bit: 3 },
        Fault::FlipBit { frame: 3, byte: 1, bit: 2 },
        Fault::LoseLf { frame: 1 },
        Fault::LoseAck { frame: 3 },
        Fault::RepeatFrame { frame: 4 },
        Fault::CutAt { byte: 0 },
        Fault::CutAt { byte: 1 },
        Fault::CutAt { byte: 40 },
        Fault::Disconnect { after_frame: 3 },
    ];
    for fault in faults {
        let mut pair = Pair::new(&[MESSAGE], &[fault]);
        pair.run(Duration::from_secs(60));
        assert_eq!(pair.whole(), 1, "{fault:?}: {:?}", pair.gateway.notes);
        let message = pair.gateway.messages.last().unwrap();
        // A frame that came twice is stored once.
        assert_eq!(message.chunks.len(), 5, "{fault:?}");
        assert_eq!(interpret(&*profile(GENERIC).interpreter(), message).observations, 1, "{fault:?}");
    }
}

#[test]
fn every_cut_is_got_over() {
    for byte in 0..140 {
        let mut pair = Pair::new(&[MESSAGE], &[Fault::CutAt { byte }]);
        pair.carry();
        // After the ACK of its last frame the instrument may send it all again: it cannot know.
        assert!((1..=2).contains(&pair.whole()), "cut at {byte}");
        assert!(pair.gateway.ends().iter().all(Option::is_some), "cut at {byte}");
    }
}

#[test]
fn no_flipped_bit_loses_or_changes_a_result() {
    let result = "X| = [5.4] mmol/L () N=N Final -..20261122093000 run:20261122093000";
    for bit in 0..8 {
        for byte in 0..80 {
            let mut pair = Pair::new(&[MESSAGE], &[Fault::FlipBit { frame: 3, byte, bit }]);
            pair.run(Duration::from_secs(90));
            let interpreter = profile(GENERIC).interpreter();
            let mut found = 0;
            for message in &pair.gateway.messages {
                let dump = interpret(&*interpreter, message);
                // A bit that makes an ENQ of the frame's CR cuts the message there, and loses nothing.
                assert_eq!(dump.text.matches(result).count(), dump.observations, "byte {byte} bit {bit}");
                found += dump.observations;
            }
            assert_eq!(found, 1, "byte {byte} bit {bit}: {:?}", pair.gateway.notes);
        }
    }
}

#[test]
fn a_capture_is_replayed_byte_for_byte() {
    let frames = ["<STX>1H|\\^&<CR><ETX><CS><LF>", "<STX>2L|1|N<CR><ETX><CS><LF>"].map(script::bytes);
    let capture = [b"\x05", frames.concat().as_slice(), b"\x04"].concat();
    let mut pair = Pair::new(&[&capture], &[]);
    pair.carry();
    assert_eq!(pair.gateway.ends(), [Some(Complete)]);
    assert_eq!(pair.gateway.messages[0].chunks, frames);
}

#[test]
fn the_hosts_answer_is_taken() {
    let mut pair = Pair::new(&[b"H|\\^&\nQ|1|^T-0001||ALL||||||||O\nL|1|N\n"], &[]);
    pair.carry();
    pair.gateway.give(Input::Answer(Answer::NoOrder { specimen: "T-0001" }));
    pair.carry();
    assert!(pair.instrument.notes.iter().any(|n| n.contains("a frame came from the host")));
    assert!(pair.gateway.notes.is_empty(), "{:?}", pair.gateway.notes);
    assert_eq!(pair.gateway.deadline, None);
}

#[test]
fn both_may_ask_at_once() {
    let mut pair = Pair::new(&[MESSAGE], &[]);
    pair.gateway.give(Input::Answer(Answer::NoOrder { specimen: "T-0001" }));
    pair.run(Duration::from_secs(60));
    assert_eq!(pair.whole(), 1);
    assert!(pair.instrument.notes.iter().any(|n| n.contains("a frame came from the host")));
}

#[test]
fn a_busy_gateway_is_asked_again() {
    let mut pair = Pair::new(&[MESSAGE], &[]);
    pair.gateway.give(Input::Busy(true));
    pair.run(Duration::from_secs(9));
    assert!(pair.gateway.messages.is_empty());
    pair.gateway.give(Input::Busy(false));
    pair.run(Duration::from_secs(11));
    assert_eq!(pair.whole(), 1);
}
