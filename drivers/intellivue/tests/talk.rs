//! A client and a simulated monitor on one wire, with what can go wrong on it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_arithmetic)]

mod common;

use common::{MIB, Rig, SCRIPT, UDP, profile};
use orugate_driver::{Input, Instrument, SimulatedFault as Fault, State};

const EXPECTED: &str = "\
device 69965 [Philips] [M8007A] [DE00000001] [J.10.26] 0009FBFFFE010203 bed [ICU-7] patient [4711] clock 20260301100000
0002-4a05 150021 [NBP-sys] 118 266016 [mmHg] at 20260301095500 once
0002-4a06 150022 [NBP-dia] 76 266016 [mmHg] at 20260301095500 once
0002-4a07 150023 [NBP-mean] 90 266016 [mmHg] at 20260301095500 once
0002-4182 147842 [HR] 72 264864 [bpm]
0002-4bb8 150456 [SpO2] 97.5 262688 [%]
0002-4a15 150037 [ABP-sys] 120 266016 [mmHg]
0002-4a16 150038 [ABP-dia] 80 266016 [mmHg]
0002-4a17 150039 [ABP-mean] 93 266016 [mmHg]
0002-480a 149514 [Pulse] 71 264864 [bpm] label [Pulse 8003-5402]
0002-f0c7 0 [T1] 36.80 268192 [C]
0002-5804 153604 [CPP] - 266016 [mmHg] NAV (the monitor lists it without a value)
0002-50b0 151708 [etCO2] - 266016 [mmHg] INV (the monitor says that it is not valid)
";

#[test]
fn an_association_brings_numerics_over_both_wires() {
    for toml in [UDP, MIB] {
        let mut rig = Rig::new(toml, SCRIPT, &[]);
        rig.run(3.0);
        assert_eq!(rig.stage.notes, Vec::<String>::new(), "{toml}");
        assert_eq!(rig.items(toml), EXPECTED, "{toml}");
        assert_eq!(rig.stage.states, [State::Connecting, State::Talking]);
        // Whatever was taken stands in one snapshot alone.
        rig.stage.taken.clear();
        rig.run(3.0);
        assert!(rig.stage.taken.is_empty());
        assert!(!rig.items(toml).contains("NBP"), "{}", rig.items(toml));
        rig.run(3600.0);
        assert_eq!((rig.stage.notes.len(), rig.stage.forgotten), (0, 0), "{:?}", rig.stage.notes);
        assert!(rig.items(toml).contains("[HR] 72"));
        rig.give(Input::Stop);
        assert!(rig.done);
    }
}

/// How often the client said something that begins so (frames aside).
fn said(rig: &Rig, begin: &[u8]) -> Vec<f64> {
    let plain = |bytes: &[u8]| if bytes[0] == 0xC0 { bytes[5..].to_vec() } else { bytes.to_vec() };
    let of = rig.said.iter().filter(|(_, bytes)| plain(bytes).starts_with(begin));
    of.map(|(at, _)| at.micros() as f64 / 1e6).collect()
}

const CONFIRM: &[u8] = &[0xE1, 0, 0, 2, 0, 2];

#[test]
fn a_refusing_monitor_is_asked_with_longer_and_longer_waits() {
    let mut rig = Rig::new(UDP, SCRIPT, &[Fault::Deny { times: 4 }]);
    rig.run(70.0);
    assert_eq!(said(&rig, &[0x0D]), [0.0, 5.0, 15.0, 35.0]);
    assert!(
        matches!(rig.stage.states[..], [State::Connecting, State::Refused(_), ..]),
        "{:?}",
        rig.stage.states
    );
    assert_eq!(rig.stage.notes.len(), 4, "{:?}", rig.stage.notes);
    rig.run(10.0);
    assert_eq!(said(&rig, &[0x0D]).len(), 5);
    assert_eq!(rig.stage.states.last(), Some(&State::Talking));
    assert!(rig.items(UDP).contains("[HR] 72"));
}

#[test]
fn an_absent_monitor_is_asked_for_ever_and_found_again() {
    let mut rig = Rig::new(UDP, SCRIPT, &[]);
    rig.run(3.0);
    let monitor = rig.monitor.take();
    rig.run(9.0);
    assert_eq!(rig.stage.states.last(), Some(&State::Talking));
    rig.run(600.0);
    assert_eq!(rig.stage.states.last(), Some(&State::Silent));
    assert!(rig.stage.current.is_empty() && rig.stage.forgotten == 1);
    let asked = said(&rig, &[0x0D]);
    assert!((60..=70).contains(&asked.len()), "{}", asked.len());
    // The monitor is switched on again: another one, in which nobody is associated.
    rig.monitor = Some(profile(UDP).simulator(vec![SCRIPT.into()], &[]));
    rig.open_monitor();
    rig.run(12.0);
    assert_eq!(rig.stage.states.last(), Some(&State::Talking));
    assert!(rig.items(UDP).contains("[HR] 72"));
    drop(monitor);
}

/// Many numerics, so that an answer has several parts.
fn many() -> String {
    let mut script = SCRIPT.replace("repeat", "");
    for n in 0..40 {
        script.push_str(&format!("86{n:02X} P{n} label=0002F0A5 unit=0F20 access=4228 F0A5={n}\n"));
    }
    script + "repeat"
}

#[test]
fn loss_doubling_and_reordering_never_give_half_an_answer() {
    let rows = 7 + 1 + 1 + 40;
    for toml in [UDP, MIB] {
        let mut faults = Vec::new();
        for n in 0..60 {
            let frame = 20 + n * 7;
            faults.push(match n % 4 {
                0 => Fault::LoseFrame { frame },
                1 => Fault::Twice { frame },
                2 if toml == UDP => Fault::Overtake { frame },
                2 => Fault::FlipBit { frame, byte: 30, bit: 2 },
                _ => Fault::RepeatFrame { frame },
            });
        }
        let mut rig = Rig::new(toml, &many(), &faults);
        rig.run(3.0);
        assert_eq!(
            rig.items(toml).lines().filter(|line| line.starts_with("0002")).count(),
            rows + 3,
            "{}",
            rig.items(toml)
        );
        rig.stage.taken.clear();
        for _ in 0..120 {
            rig.run(1.0);
            let items = rig.items(toml);
            let found = items.lines().filter(|line| line.starts_with("0002")).count();
            assert_eq!(found, rows, "{:?}\n{items}", rig.now);
            assert!(rig.stage.taken.is_empty());
        }
        let broken = rig.stage.notes.iter().filter(|note| note.contains("not all of them arrived")).count();
        assert!((10..=32).contains(&broken), "{broken} {:?}", rig.stage.notes);
        assert!(rig.stage.lost >= broken && rig.stage.forgotten == 0, "{:?}", rig.stage.notes);
        assert_eq!(rig.stage.states.len(), 2);
    }
}

#[test]
fn a_confirmation_that_is_lost_is_given_again() {
    let mut rig = Rig::new(UDP, SCRIPT, &[]);
    let mut again = Rig::new(UDP, SCRIPT, &[]);
    rig.run(20.0);
    assert_eq!(said(&rig, CONFIRM).len(), 1);
    again.lose(&[1]);
    again.run(20.0);
    assert_eq!(said(&again, CONFIRM).len(), 2);
    assert_eq!(again.stage.forgotten, 0);
    assert!(again.items(UDP).contains("[HR] 72"));
}

#[test]
fn what_the_client_says_may_be_lost_now_and_then() {
    let mut rig = Rig::new(UDP, SCRIPT, &[]);
    rig.deaf = Box::new(|n| n % 3 == 2);
    rig.run(3600.0);
    assert_eq!((rig.stage.forgotten, rig.stage.states.len()), (0, 2), "{:?}", rig.stage.notes);
    assert!(rig.items(UDP).contains("[HR] 72"));
}

#[test]
fn a_power_cycle_is_a_new_association_by_itself() {
    for toml in [UDP, MIB] {
        let mut rig = Rig::new(toml, SCRIPT, &[Fault::Restart { frame: 30 }]);
        rig.run(100.0);
        assert!(rig.stage.states.contains(&State::Silent), "{:?} {:?}", rig.stage.states, rig.stage.notes);
        assert_eq!(rig.stage.states.last(), Some(&State::Talking), "{:?}", rig.stage.notes);
        assert!(rig.items(toml).contains("[HR] 72"));
        assert!(rig.stage.forgotten >= 1);
    }
}

#[test]
fn a_clock_that_is_set_is_told_and_nothing_is_lost() {
    let mut rig = Rig::new(UDP, SCRIPT, &[Fault::SetClock { frame: 30, seconds: -86_400 }]);
    rig.run(100.0);
    let told: Vec<_> = rig.stage.notes.iter().filter(|note| note.contains("clock")).collect();
    assert_eq!(told.len(), 1, "{:?}", rig.stage.notes);
    assert!(rig.items(UDP).contains("clock 20260228"), "{}", rig.items(UDP));
    assert_eq!(rig.stage.forgotten, 0);
}

#[test]
fn a_module_that_is_pulled_takes_its_values_with_it() {
    let without: String =
        SCRIPT.lines().filter(|line| !line.starts_with("8502")).collect::<Vec<_>>().join("\n");
    let second = without.split_once("answer").unwrap().1.replace("repeat", "");
    let script = SCRIPT.replace("repeat", &format!("answer{second}"));
    let mut rig = Rig::new(MIB, &script, &[]);
    rig.run(0.5);
    assert!(rig.items(MIB).contains("[SpO2] 97.5"));
    rig.run(1.0);
    let items = rig.items(MIB);
    assert!(!items.contains("SpO2") && items.contains("[HR] 72"), "{items}");
    // Nothing comes any more, but the monitor is there.
    rig.run(20.0);
    assert!(rig.stage.notes.iter().any(|note| note.contains("no numerics")), "{:?}", rig.stage.notes);
    let items = rig.items(MIB);
    assert!(!items.contains("0002-4182") && items.contains("M8007A"), "{items}");
}

#[test]
fn a_monitor_without_extended_polls_is_polled_each_second() {
    for (word, told) in [("no", 0), ("refused", 1), ("ignored", 1)] {
        let script = SCRIPT.replace("bed=", &format!("extended={word} bed="));
        let mut rig = Rig::new(UDP, &script, &[]);
        rig.run(40.0);
        let notes = rig.stage.notes.iter().filter(|note| note.contains("each answer is asked for")).count();
        assert_eq!(notes, told, "{word}: {:?}", rig.stage.notes);
        assert!(rig.items(UDP).contains("[HR] 72"), "{word}");
        let before = rig.said.len();
        rig.run(60.0);
        let polls = rig.said[before..].iter().filter(|(_, bytes)| bytes.ends_with(&[0, 6, 0, 0])).count();
        assert!((55..=61).contains(&polls), "{word}: {polls}");
    }
}

#[test]
fn a_stop_releases_the_association_and_waits_no_longer_than_it_must() {
    let mut rig = Rig::new(UDP, SCRIPT, &[]);
    rig.run(3.0);
    rig.give(Input::Stop);
    assert!(rig.done && said(&rig, &[0x09]).len() == 1);
    let mut rig = Rig::new(UDP, SCRIPT, &[]);
    rig.run(3.0);
    rig.monitor = None;
    rig.give(Input::Stop);
    assert!(!rig.done);
    rig.run(3.0);
    assert!(rig.done && said(&rig, &[0x09]).len() == 3);
    let mut rig = Rig::new(UDP, SCRIPT, &[Fault::Deny { times: 9 }]);
    rig.give(Input::Stop);
    assert!(rig.done && said(&rig, &[0x09]).is_empty());
}

#[test]
fn an_association_that_is_left_over_is_released_first() {
    let mut rig = Rig::new(UDP, SCRIPT, &[]);
    rig.run(5.0);
    // The gateway fell and is there again, at the same port.
    rig.client = profile(UDP).session(&Instrument::default());
    rig.stage = common::Stage::default();
    rig.open_client();
    rig.run(15.0);
    assert_eq!(rig.stage.states.last(), Some(&State::Talking), "{:?}", rig.stage.notes);
    assert!(rig.items(UDP).contains("[HR] 72"));
}

#[test]
fn a_line_that_is_cut_begins_anew() {
    for fault in [Fault::CutAt { byte: 5000 }, Fault::Disconnect { after_frame: 9 }] {
        let mut rig = Rig::new(MIB, SCRIPT, &[fault]);
        rig.run(30.0);
        assert!(rig.stage.forgotten > 0, "{fault:?}");
        rig.open();
        rig.run(5.0);
        assert!(rig.items(MIB).contains("[HR] 72"), "{fault:?}");
    }
}

#[test]
fn damage_on_the_line_is_told_with_its_place_and_nothing_false_comes() {
    let faults: Vec<_> = (0..40)
        .map(|n| match n % 4 {
            0 => Fault::FlipBit { frame: 5 + n, byte: n * 3, bit: 5 },
            1 => Fault::LoseByte { frame: 5 + n, byte: n * 3 },
            2 => Fault::DoubleByte { frame: 5 + n, byte: n * 3 },
            _ => Fault::InsertByte { frame: 5 + n, byte: n * 3, code: 0xC1 },
        })
        .collect();
    let mut rig = Rig::new(MIB, SCRIPT, &faults);
    for _ in 0..60 {
        rig.run(1.0);
        let items = rig.items(MIB);
        assert!(!items.contains("[HR]") || items.contains("[HR] 72 264864"), "{items}");
    }
    assert!(rig.stage.lost >= 20, "{:?}", rig.stage.notes);
    assert!(rig.items(MIB).contains("[HR] 72"));
}

#[test]
fn a_new_cuff_pressure_is_taken_once() {
    let later =
        SCRIPT.split_once("answer").unwrap().1.replace("20260301095500 4A05=118", "20260301100001 4A05=131");
    let script = SCRIPT.replace("repeat", &format!("answer{}", later.replace("repeat", "")));
    let mut rig = Rig::new(UDP, &script, &[]);
    rig.run(1.5);
    assert_eq!(rig.stage.taken.len(), 2);
    let items = rig.items(UDP);
    let cuffs: Vec<_> = items.lines().filter(|line| line.contains("NBP-sys")).collect();
    assert_eq!(cuffs.len(), 2, "{items}");
    assert!(
        cuffs[0].contains("118") && cuffs[1].contains("131 266016 [mmHg] at 20260301100001 once"),
        "{items}"
    );
}

#[test]
fn the_first_answer_to_a_poll_has_the_labels_and_later_ones_need_none() {
    // A real monitor says labels once for each poll: a module that is plugged in is asked about.
    let bare = |script: &str| {
        let words =
            script.split(' ').filter(|word| !word.starts_with("label=") && !word.starts_with("access="));
        words.collect::<Vec<_>>().join(" ")
    };
    let answer = SCRIPT.split_once("answer").unwrap().1.replace("repeat", "");
    let mut script = SCRIPT.replace("repeat", "");
    for _ in 0..5 {
        script.push_str("answer");
        script.push_str(&bare(&answer));
    }
    let mut rig = Rig::new(UDP, &script, &[]);
    rig.run(4.5);
    let items = rig.items(UDP);
    assert!(items.contains("0002-480a 149514 [Pulse] 71 264864 [bpm] label [Pulse 8003-5402]"), "{items}");
    assert!(items.contains("0002-f0c7 0 [T1] 36.80"), "{items}");
    // Nothing was missing, so nothing was asked for again.
    let polls = rig.said.iter().filter(|(_, bytes)| bytes.len() == 48).count();
    assert_eq!(polls, 1);
    // Without the first one, they are.
    let mut rig = Rig::new(UDP, &script, &[Fault::LoseFrame { frame: 0 }]);
    rig.run(4.5);
    let polls = rig.said.iter().filter(|(_, bytes)| bytes.len() == 48).count();
    assert!((2..=3).contains(&polls), "{polls}");
}

#[test]
fn alarms_that_are_on_come_with_their_words_until_they_are_over() {
    let script = SCRIPT.replace(
        "answer",
        "alarm patient 4BB8 0402 4 **SpO2_LOW\nalarm technical 0300 0181 1 CANNOT_ANALYZE_ST\nanswer",
    );
    for toml in [UDP, MIB] {
        let mut rig = Rig::new(toml, &script, &[]);
        rig.run(3.0);
        let items = rig.items(toml);
        let alarms: Vec<_> = items.lines().filter(|line| line.starts_with("0003")).collect();
        assert_eq!(
            alarms,
            [
                "0003-0402 0 [alarm] \"**SpO2 LOW\" 0 [] alarm label [SpO2]",
                "0003-0181 0 [technical alarm] \"CANNOT ANALYZE ST\" 0 [] alarm label [0001-0300]",
            ],
            "{toml}"
        );
        // They are over: the monitor lists none.
        rig.monitor = Some(profile(toml).simulator(vec![SCRIPT.into()], &[]));
        rig.open_monitor();
        rig.run(40.0);
        let items = rig.items(toml);
        assert!(items.contains("[HR] 72") && !items.contains("0003-"), "{items}");
    }
}
