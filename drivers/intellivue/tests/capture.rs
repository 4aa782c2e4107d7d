//! Recorded sessions, and made ones, through the capture session and the interpreter.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod common;

use common::{MIB, SCRIPT, UDP, capture, interpret, profile};
use std::path::{Path, PathBuf};

fn corpus() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("ORUGATE_CORPUS") else {
        eprintln!("skipped: ORUGATE_CORPUS is not set");
        return None;
    };
    let bedside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder).join("bedside");
    assert!(bedside.is_dir(), "ORUGATE_CORPUS is set, but has no folder bedside");
    Some(bedside)
}

/// The log without the recorder's time stamps.
fn without_stamps(log: &[u8]) -> Vec<u8> {
    const SHAPE: &[u8] = b"9999/99/99T99:99:99,999";
    let mut bytes = Vec::new();
    let mut at = 0;
    while at < log.len() {
        let is_stamp = log[at..].len() >= SHAPE.len()
            && SHAPE
                .iter()
                .zip(&log[at..])
                .all(|(shape, byte)| if *shape == b'9' { byte.is_ascii_digit() } else { shape == byte });
        if is_stamp {
            at += SHAPE.len();
        } else {
            bytes.push(log[at]);
            at += 1;
        }
    }
    bytes
}

const MODULES: &str = "\
device 69965 [Philips] [M8000] [DE843A1664] [J.10.26] 0009FBFFFE70571D bed [OR1] patient [] clock 20140411144006
0002-5804 153604 [CPP] - 0 [] NAV DEMO (the monitor lists it without a value)
0002-4b28 150312 [SVR] - 0 [] NAV DEMO (the monitor lists it without a value)
0002-4bc4 150468 [dSpO2] - 0 [] NAV DEMO (the monitor lists it without a value)
0002-e018 188440 [dTemp] - 0 [] NAV DEMO (the monitor lists it without a value)
0002-f0e3 0 [PPV] - 0 [] NAV DEMO (the monitor lists it without a value)
0002-f06c 0 [Sp-vO2] - 0 [] NAV DEMO (the monitor lists it without a value)
0003-1871 0 [technical alarm] \"MMS    Unplugged\" 0 [] DEMO (the monitor is in demonstration or test mode) alarm label [0001-f276]
";

#[test]
fn a_recorded_serial_session_gives_each_of_its_answers() {
    let Some(corpus) = corpus() else { return };
    let log = without_stamps(&std::fs::read(corpus.join("mp70-serial-module-removed.log")).unwrap());
    let profile = profile(MIB);
    for cut in [log.len(), 1000, 7, 1] {
        let pieces: Vec<_> = log.chunks(cut).collect();
        let stage = capture(&*profile, &pieces);
        assert_eq!(stage.notes, Vec::<String>::new());
        assert!(stage.taken.is_empty());
        // The first answer has no labels; the 48 others are alike but for the monitor's time.
        let last = interpret(&*profile.interpreter(), stage.snapshots.last().unwrap());
        assert_eq!(last, MODULES);
        // One for each thing that another took the place of: 48 answers and their labels, and the other polls.
        assert!(stage.snapshots.len() > 90, "{}", stage.snapshots.len());
        let full = stage.snapshots.iter().map(|raw| interpret(&*profile.interpreter(), raw));
        let full = full.filter(|items| items.contains("[CPP]")).count();
        assert!(full > 80, "{full}");
    }
}

#[test]
fn a_recorded_session_with_damage_tells_where() {
    let Some(corpus) = corpus() else { return };
    let log = without_stamps(&std::fs::read(corpus.join("mp70-serial-short.log")).unwrap());
    let stage = capture(&*profile(MIB), &[&log]);
    let between = stage.notes.iter().filter(|note| note.contains("stand in no frame")).count();
    // The recorder lost the first part of twelve frames; so of the answers in parts that they were of not one is whole.
    assert_eq!(between, 12, "{:?}", stage.notes);
    assert!(stage.notes.iter().any(|note| note.contains("not all of them arrived")), "{:?}", stage.notes);
}

/// The one alarm that was on, in demonstration mode.
const ALARM: &str = "0003-0180 0 [technical alarm] \"Cannot Analyze ST\" 0 [] DEMO (the monitor is in demonstration or test mode) alarm label [ST]\n";

#[test]
fn a_recorded_udp_session_has_an_identity_and_waves_that_are_passed_over() {
    let Some(corpus) = corpus() else { return };
    let log = without_stamps(&std::fs::read(corpus.join("mp70-udp-demo.log")).unwrap());
    let profile = profile(UDP);
    for cut in [log.len(), 999, 1] {
        let pieces: Vec<_> = log.chunks(cut).collect();
        let stage = capture(&*profile, &pieces);
        assert_eq!(stage.notes, Vec::<String>::new());
        let items = interpret(&*profile.interpreter(), stage.snapshots.last().unwrap());
        let (device, alarms) = items.split_once('\n').unwrap();
        assert!(device.starts_with("device 69965 [Philips] [M8000] [DE843A1664]"), "{items}");
        assert_eq!(alarms, ALARM);
        assert!(!items.contains("Blah"));
    }
    // With the recorder's stamps in it, the file reads as well; each is told.
    let log = std::fs::read(corpus.join("mp70-udp-demo.log")).unwrap();
    let stage = capture(&*profile, &[&log]);
    assert!(stage.notes.len() > 70 && stage.notes.iter().all(|note| note.contains("no unit of data export")));
    let items = interpret(&*profile.interpreter(), stage.snapshots.last().unwrap());
    assert!(items.starts_with("device 69965 [Philips]"), "{items}");
}

#[test]
fn another_patient_bed_or_mode_forgets_what_stands() {
    let profile = profile(UDP);
    let first = profile.example_bytes(SCRIPT);
    // A minute later in the same association: without the event that tells of one.
    let later = |script: &str| {
        let bytes = profile.example_bytes(&script.replace("bed=", "on=60 bed="));
        let created = 8 + usize::from(u16::from_be_bytes([bytes[6], bytes[7]]));
        bytes[created..].to_vec()
    };
    let same = capture(&*profile, &[&first, &later(SCRIPT)]);
    assert_eq!(same.forgotten, 1, "the channel's end");
    for (from, to) in [
        ("id=4711", "id=4712"),
        ("inside=a", "inside=b"),
        ("bed=ICU-7", "bed=ICU-8"),
        ("bed=", "mode=2000 bed="),
        ("serial=DE00000001", "serial=DE00000002"),
        ("4182=72", "state=0400 4182=72"),
    ] {
        let other = capture(&*profile, &[&first, &later(&SCRIPT.replace(from, to))]);
        assert_eq!(other.forgotten, 2, "{to}");
        // What stood before is in a snapshot, and in none with what is another's.
        let items = interpret(&*profile.interpreter(), other.snapshots.last().unwrap());
        assert!(items.contains("[HR] 72"), "{to} {items}");
        // A cuff pressure from before is not the next patient's.
        assert!(!items.contains("NBP"), "{to} {items}");
    }
}

#[test]
fn an_answer_that_lists_nothing_is_believed_when_it_is_not_alone() {
    let profile = profile(UDP);
    let first = profile.example_bytes(SCRIPT);
    let (identity, _) = SCRIPT.split_once("answer").unwrap();
    let empty = |times: usize| {
        let script = identity.replace("bed=", "on=60 bed=") + &"answer\n".repeat(times);
        profile.example_bytes(&script)
    };
    // It looks as the end of an answer whose parts were lost.
    for times in [1, 2] {
        let stage = capture(&*profile, &[&first, &empty(times)]);
        let items = interpret(&*profile.interpreter(), stage.snapshots.last().unwrap());
        assert!(items.contains("[HR] 72"), "{times} {items}");
        assert_eq!(stage.notes.iter().filter(|note| note.contains("lists nothing")).count(), times);
    }
    let stage = capture(&*profile, &[&first, &empty(3)]);
    let items = interpret(&*profile.interpreter(), stage.snapshots.last().unwrap());
    assert!(!items.contains("[HR]") && items.contains("M8007A"), "{items}");
}

const STATES: &str = "
monitor serial=DE00000002 time=20260301100000
answer
8501 A label=00024182 unit=0AA0 state=2000 4182=nan
8502 B label=00024BB8 unit=0220 state=4000 4BB8=97
8503 C label=00024A15 unit=0F20 state=1000 4A15=120
8504 D label=00024A16 unit=0F20 state=0800 4A16=80
8505 E label=00024A17 unit=0F20 state=0480 4A17=93
8506 F label=00024B48 unit=17A0 state=0060 4B48=-0.5
8507 G label=0002500A unit=0AE0 state=0003 500A=12
8508 H label=000250B0 unit=0F20 50B0=+inf
8509 I label=00024B60 unit=17A0 4B60=nres
850A J label=00024B74 unit=17A0 4B74=-inf
850B K label=00024B78 unit=FFF0 4B78=36.600
850C L label=0002500A unit=0AE0 category=4 5012=15
850D Mix label=0002F125 unit=0220 F125=3
850E M label=00024C25 unit=F009 4C25=1200
850F N label=0002F0E3 unit=F152
";

const MEANT: &str = "\
device 69965 [Philips] [M8000] [DE00000002] [] 0009FBFFFE000000 bed [] patient [] clock 20260301100000
0002-4182 147842 [HR] - 264864 [bpm] NAV (the monitor has no value)
0002-4bb8 150456 [SpO2] 97 262688 [%] QUES (the monitor doubts it)
0002-4a15 150037 [ABP-sys] 120 266016 [mmHg] CAL (the sensor is being calibrated)
0002-4a16 150038 [ABP-dia] 80 266016 [mmHg] TEST (the monitor shows a test signal)
0002-4a17 150039 [ABP-mean] 93 266016 [mmHg] DEMO VALIDATED (the monitor is in demonstration mode)
0002-4b48 150344 [Temp] - 268192 [C] EARLY BUSY (the measurement goes on)
0002-500a 151562 [RR] 12 264928 [rpm] ALINH (its alarms are off) alarm
0002-50b0 151708 [etCO2] - 266016 [mmHg] OVER (it is above what can be measured)
0002-4b60 150368 [Tcore] - 268192 [C] NAV (it cannot be told at this resolution)
0002-4b74 150388 [Tskin] - 268192 [C] UNDER (it is below what can be measured)
0002-4b78 150392 [Ttymp] 36.600 0 [0004-fff0]
0002-5012 0 [awRR] 15 264928 [rpm] label [L]
0002-f125 0 [Mix] 3 262688 [%]
0002-4c25 150565 [dPmax] 1200 0 [mmHg/s]
0002-f0e3 0 [PPV] - 0 [ml/mbar] NAV (the monitor lists it without a value)
";

#[test]
fn states_and_special_values_are_marks_and_never_zero() {
    for toml in [UDP, MIB] {
        let profile = profile(toml);
        let stage = capture(&*profile, &[&profile.example_bytes(STATES)]);
        assert_eq!(stage.notes, Vec::<String>::new());
        assert_eq!(interpret(&*profile.interpreter(), stage.snapshots.last().unwrap()), MEANT, "{toml}");
    }
}

#[test]
fn no_bytes_make_session_or_interpreter_fall() {
    for toml in [UDP, MIB] {
        let profile = profile(toml);
        let bytes = profile.example_bytes(SCRIPT);
        let stage = capture(&*profile, &[&bytes]);
        let raw = stage.snapshots.last().unwrap().clone();
        for place in (0..bytes.len()).step_by(3) {
            for other in [0xFF, 0xC0] {
                let mut spoilt = bytes.clone();
                spoilt[place] = other;
                let stage = capture(&*profile, &[&spoilt]);
                if other == 0xFF {
                    let _ = interpret(&*profile.interpreter(), stage.snapshots.last().unwrap());
                }
            }
        }
        // Behind the snapshot's own head and the head of its first piece.
        for place in (36..raw.len()).step_by(3) {
            let mut spoilt = raw.clone();
            spoilt[place] ^= 0x55;
            if orugate_driver::snapshot::read(&spoilt).is_ok() {
                let _ = interpret(&*profile.interpreter(), &spoilt);
            }
        }
    }
}

#[test]
fn a_profile_tells_its_mistakes_with_their_lines() {
    use orugate_driver::Driver as _;
    let wrong =
        |from: &str, to: &str| orugate_intellivue::INTELLIVUE.profile(&UDP.replace(from, to)).err().unwrap();
    assert!(wrong("\"15 s\"", "\"4 s\"").to_string().contains("`4 s` is none of the times"));
    assert!(wrong("\"udp\"", "\"tcp\"").line.is_some());
    assert!(wrong("driver = \"intellivue\"", "driver = \"dri\"").to_string().contains("this is the driver"));
    assert!(wrong("transport", "transports").line.is_some());
}
