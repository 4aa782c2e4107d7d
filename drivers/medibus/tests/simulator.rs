//! A device and a gateway with a wire between them: what a device does wrong once is over when it is over.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod common;

use common::{EVITA, LEAST, Pair, Rig, interpret, profile};
use orugate_driver::{Instrument, SimulatedFault as Fault, State};
use std::time::Duration;

const ONE: &str = "52 8240'Evita 4'04.20:03.00\n24 78 5.0\n24 EB 98\n24 D6 14\n25 EB 90\n29 0B 5.0\n27 20 19 MV LOW\n2A 0E BIPAP\n\
                   28 11:11:1911-NOV-93\n";
const TWO: &str = "52 8240'Evita 4'04.20:03.00\n24 78 8.0\n24 EB 97\n29 0B 8.0\n";
/// Enough for every test: a scene is over after one round.
const SCENES: [&str; 40] = [ONE; 40];

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn text(pair: &Pair) -> String {
    interpret(&*profile(EVITA), &pair.gateway.snapshot()).text
}

#[test]
fn a_ventilator_is_read_round_after_round_and_left_without_an_alarm() {
    let mut pair = Pair::new(EVITA, &SCENES, &[]);
    pair.run(seconds(60));
    assert_eq!(pair.gateway.kept_of(0x24).unwrap(), "78 5.0EB  98D6  14");
    assert!(text(&pair).contains("151976 24:78|PEEP|99DRAEGER = 5.0 mbar (266098)"), "{}", text(&pair));
    // No silence of three seconds in a minute, and nobody complained.
    assert!(pair.device.notes.is_empty(), "{:?}", pair.device.notes);
    assert!(pair.gateway.notes.is_empty(), "{:?}", pair.gateway.notes);
    let polls = common::frames(&pair.asked).iter().filter(|said| *said == "> 24").count();
    assert!((11..=13).contains(&polls), "{polls}");
    pair.gateway.stop();
    pair.run(seconds(5));
    assert!(pair.gateway.done);
    assert!(pair.gateway.notes.is_empty(), "{:?}", pair.gateway.notes);
    assert!(
        pair.device.notes.len() == 1 && pair.device.notes[0].contains("the host ended the communication")
    );
    assert!(common::frames(&pair.answered).last().is_some_and(|said| said == "< 55"));
}

#[test]
fn scenes_follow_each_other_and_the_device_leaves_behind_the_last() {
    let mut pair = Pair::new(EVITA, &[ONE, TWO], &[]);
    pair.run(seconds(8));
    assert!(text(&pair).contains("= 8.0 mbar"), "{}", text(&pair));
    // In the second scene nobody breathes: a rate that is not listed is not given.
    assert!(!text(&pair).contains("24:D6"), "{}", text(&pair));
    pair.run(seconds(5));
    assert!(pair.device.done);
    assert!(pair.gateway.kept.is_empty());
    assert!(pair.gateway.notes[0].contains("the device ended the communication"));
}

#[test]
fn a_script_that_repeats_has_no_last_scene() {
    let again = format!("{TWO}repeat\n");
    let mut pair = Pair::new(EVITA, &[ONE, &again], &[]);
    pair.run(seconds(8));
    assert!(text(&pair).contains("= 8.0 mbar"), "{}", text(&pair));
    pair.run(seconds(5));
    assert!(text(&pair).contains("= 5.0 mbar"), "{}", text(&pair));
    pair.run(seconds(60));
    assert!(!pair.device.done);
    assert!(pair.gateway.notes.is_empty(), "{:?}", pair.gateway.notes);
}

#[test]
fn a_device_that_is_silent_is_forgotten_and_called() {
    let mut pair = Pair::new(EVITA, &SCENES, &[Fault::Silence { frame: 12 }]);
    pair.run(seconds(20));
    assert!(!pair.gateway.kept.is_empty());
    // What it said before is too old to be given long before it is forgotten.
    pair.run(seconds(45));
    assert!(pair.gateway.kept.is_empty());
    assert!(pair.gateway.notes.iter().any(|note| note.contains("does not answer any more")));
    assert_eq!(pair.gateway.states, [State::Connecting, State::Talking, State::Silent]);
}

#[test]
fn a_power_cut_begins_anew() {
    let toml = format!("{LEAST}[[configure]]\nof = \"24\"\ncodes = [\"EB\"]\n");
    let mut pair = Pair::new(&toml, &SCENES, &[Fault::Restart { frame: 14 }]);
    pair.run(seconds(30));
    let asked = common::frames(&pair.asked);
    assert_eq!(asked.iter().filter(|said| *said == "> 4A $EB").count(), 2, "{asked:?}");
    assert_eq!(pair.gateway.forgotten, 1);
    assert_eq!(pair.gateway.kept_of(0x24).unwrap(), "EB  98");
    assert_eq!(pair.gateway.notes.len(), 1, "{:?}", pair.gateway.notes);
}

#[test]
fn a_damaged_answer_comes_again_and_nothing_of_it_is_kept() {
    for fault in [
        Fault::FlipBit { frame: 1, byte: 6, bit: 0 },
        Fault::WrongChecksum { frame: 1 },
        Fault::LoseByte { frame: 1, byte: 5 },
        Fault::DoubleByte { frame: 1, byte: 5 },
        Fault::InsertByte { frame: 1, byte: 5, code: b'7' },
        Fault::InsertByte { frame: 1, byte: 5, code: 0x1B },
        Fault::InsertByte { frame: 1, byte: 5, code: 0x0D },
        Fault::LoseStart { frame: 1 },
        Fault::LoseTail { frame: 1 },
        Fault::LoseFrame { frame: 1 },
        Fault::Twice { frame: 1 },
    ] {
        let mut pair = Pair::new(EVITA, &SCENES, &[fault]);
        pair.run(seconds(30));
        assert_eq!(pair.gateway.kept_of(0x24).unwrap(), "78 5.0EB  98D6  14", "{fault:?}");
        assert_eq!(pair.gateway.forgotten, 0, "{fault:?}: {:?}", pair.gateway.notes);
        let quiet = matches!(fault, Fault::Twice { .. } | Fault::LoseFrame { .. });
        let lost = pair.gateway.notes.iter().any(|note| note.starts_with("byte "));
        assert_eq!(lost, !quiet, "{fault:?}: {:?}", pair.gateway.notes);
    }
}

#[test]
fn the_realtime_stream_between_the_bytes_of_an_answer_changes_nothing() {
    let mut pair = Pair::new(EVITA, &SCENES, &[Fault::Stream { frame: 1 }, Fault::Stream { frame: 2 }]);
    pair.run(seconds(4));
    assert_eq!(pair.gateway.kept_of(0x24).unwrap(), "78 5.0EB  98D6  14");
    assert!(pair.gateway.notes.is_empty(), "{:?}", pair.gateway.notes);
    assert!(pair.answered.iter().filter(|byte| **byte >= 0x80).count() > 50);
}

#[test]
fn a_slow_answer_is_waited_for_and_a_slower_one_asked_for_again() {
    let mut pair = Pair::new(EVITA, &SCENES, &[Fault::Stall { frame: 1, seconds: 9 }]);
    pair.run(seconds(30));
    let asked = common::frames(&pair.asked);
    assert_eq!(asked.iter().take_while(|said| *said != "> 2B").filter(|said| *said == "> 24").count(), 1);
    assert_eq!(pair.gateway.forgotten, 0);
    let mut pair = Pair::new(EVITA, &SCENES, &[Fault::Stall { frame: 1, seconds: 12 }]);
    pair.run(seconds(30));
    let asked = common::frames(&pair.asked);
    assert_eq!(asked.iter().take_while(|said| *said != "> 2B").filter(|said| *said == "> 24").count(), 2);
    assert_eq!(pair.gateway.kept_of(0x24).unwrap(), "78 5.0EB  98D6  14");
    assert_eq!(pair.gateway.forgotten, 0, "{:?}", pair.gateway.notes);
}

#[test]
fn a_device_that_refuses_its_configuration_is_read_as_it_is() {
    let toml = format!("{LEAST}[[configure]]\nof = \"24\"\ncodes = [\"EB\"]\n");
    let mut pair = Pair::new(&toml, &SCENES, &[Fault::Refuse { command: 0x4A }]);
    pair.run(seconds(10));
    assert_eq!(pair.gateway.kept_of(0x24).unwrap(), "78 5.0EB  98D6  14");
    assert!(pair.gateway.notes.iter().any(|note| note.contains("refuses its configuration")));
    // One that takes it answers what was asked for, and its limits.
    let mut pair = Pair::new(&toml, &SCENES, &[]);
    pair.run(seconds(10));
    assert_eq!(pair.gateway.kept_of(0x24).unwrap(), "EB  98");
    assert_eq!(pair.gateway.kept_of(0x25).unwrap(), "EB  90");
}

#[test]
fn a_host_that_falls_silent_is_missed() {
    let mut pair = Pair::new(EVITA, &SCENES, &[]);
    pair.run(seconds(4));
    pair.gateway = Rig::new(profile(EVITA).session(&Instrument::default()));
    pair.gateway.take();
    pair.device.pass(seconds(4));
    assert!(pair.device.notes[0].contains("the host said nothing for 3 s"), "{:?}", pair.device.notes);
}
