//! The shipped profiles, line by line, and recorded lines against another decoder.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Dump, Rig, corpus, interpret, profile};
use orugate_driver::{Input, Instrument, SimulatedFault as Fault, State};
use std::time::Duration;

const MASIMO: &str = include_str!("../../profiles/masimo-ascii1.toml");
const NONIN: &str = include_str!("../../profiles/nonin-ascii.toml");
const NELLCOR: &str = include_str!("../../profiles/nellcor-n395.toml");
const PB840: &str = include_str!("../../profiles/puritan-bennett-840.toml");
const SPOTCHEM: &str = include_str!("../../profiles/arkray-spotchem-el.toml");
const MICROS: &str = include_str!("../../profiles/horiba-abx-micros.toml");

/// What one connection's bytes give.
fn shown(toml: &str, bytes: &[u8]) -> (Dump, Rig) {
    let profile = profile(toml);
    let mut rig = Rig::new(profile.session(&Instrument::default()));
    rig.bytes(bytes);
    let raw = match rig.stored.last() {
        Some((raw, _)) => raw.clone(),
        None => rig.snapshot(),
    };
    (interpret(&*profile.interpreter(), &raw), rig)
}

#[test]
fn every_recorded_masimo_line_is_kept_and_every_value_is_another_decoders() {
    let Some(folder) = corpus() else { return };
    let bytes = std::fs::read(folder.join("bedside/masimo-rad8-ascii1.txt")).unwrap();
    let profile = profile(MASIMO);
    let interpreter = profile.interpreter();
    let mut rig = Rig::new(profile.capture_session());
    let (mut seen, mut compared) = (0, 0);
    let lines: Vec<&str> = std::str::from_utf8(&bytes).unwrap().lines().collect();
    for byte in &bytes {
        rig.bytes(&[*byte]);
        if rig.kept == seen {
            continue;
        }
        let line = lines[seen];
        seen = rig.kept;
        let dump = interpret(&*interpreter, &rig.snapshot());
        // The bits that take a value away: no sensor, defective, pulse search, sensor off, unknown sensor.
        let exceptions = u32::from_str_radix(line.split("EXC=").nth(1).unwrap().trim(), 16).unwrap();
        for (key, text) in line.split_whitespace().filter_map(|word| word.split_once('=')) {
            let digits = text.trim_end_matches('%');
            let none = digits.contains('-') || exceptions & 0x0AB != 0;
            let expected = match key {
                "SN" | "EXC" => None,
                "ALARM" => (text != "0000").then(|| format!("\"{text}\"")),
                _ => Some(if none { "-".to_owned() } else { digits.to_owned() }),
            };
            let found = dump.values.iter().find(|(code, _)| code == key).map(|(_, value)| value.clone());
            assert_eq!(found, expected, "{line}: {key}");
            compared += 1;
        }
        assert!(dump.text.contains(&line.split("SN=").nth(1).unwrap()[..10]), "{}", dump.text);
    }
    assert_eq!(seen, lines.len());
    assert!(rig.notes.is_empty() && compared > 60, "{:?}", rig.notes);
}

#[test]
fn a_masimo_line() {
    let line = b"02/22/16 22:47:45 SN=0000056661 SPO2=098% BPM=097 PI=03.60% SPCO=--.-% SPHB=12.5 ALARM=0000 EXC=000804\r\n";
    let (dump, _) = shown(MASIMO, line);
    assert_eq!(
        dump.text,
        "device 69641 Masimo||0000056661 clock 20160222224745 at 0
  1 SPO2 150456 = 098 %(262688) 20160222224745 QUES: the perfusion is low
  2 BPM 149530 = 097 {beat}/min(264864) 20160222224745 QUES: the perfusion is low
  3 PI 150488 = 03.60 %(262688) 20160222224745 QUES: the perfusion is low
  4 SPCO 160284 = - %(262688) 20160222224745 QUES+NAV: the perfusion is low
  0 SPHB 0 = 12.5  20160222224745
end complete true
"
    );
}

#[test]
fn other_masimos_and_what_is_no_value() {
    // A Radical-5 says no serial number; a zero is none, whatever the exceptions say; stored values are not current.
    let (dump, rig) = shown(MASIMO, b"09/15/10 15:10:29 SPO2=097% BPM=000 PI=11.82% ALARM=20 EXC=800\r\n");
    assert!(rig.notes.is_empty(), "{:?}", rig.notes);
    assert_eq!(
        dump.text,
        "device 69641 Masimo|| clock 20100915151029 at 0
  1 SPO2 150456 = 097 %(262688) 20100915151029
  2 BPM 149530 = - {beat}/min(264864) 20100915151029 NAV: the device shows no value
  3 PI 150488 = 11.82 %(262688) 20100915151029
  9 ALARM 0 = \"20\"  20100915151029
end complete true
"
    );
    let (dump, rig) = shown(MASIMO, b"09/21/08 09:56:12 SpO2=097 PR=069 PI=04.69 EXC=800:SET\r\n");
    assert!(rig.notes.is_empty() && dump.values.is_empty(), "{:?} {}", rig.notes, dump.text);
}

#[test]
fn a_masimo_with_dashes_for_its_serial_number_and_six_digits_of_alarms() {
    // A Radical-7 as published.
    let line = "03/17/16 19:19:36 SN=---------- SPO2=098% BPM=123 PI=00.55 SPCO=--% SPMET=--.-% SPHB=--.- SPOC=-- RESVD=--- \
        DESAT=-- PIDELTA=+-- PVI=--- ALARM=000000 EXC=0000C00 EXC1=00000000\r\n";
    let (dump, rig) = shown(MASIMO, line.as_bytes());
    assert!(rig.notes.is_empty(), "{:?}", rig.notes);
    assert!(dump.text.starts_with("device 69641 Masimo|| clock 20160317191936 at 0\n"), "{}", dump.text);
    assert!(
        dump.text.contains("  2 BPM 149530 = 123 {beat}/min(264864) 20160317191936 QUES"),
        "{}",
        dump.text
    );
    for none in ["ALARM", "EXC1", "RESVD"] {
        assert!(!dump.values.iter().any(|(code, _)| code == none), "{}", dump.text);
    }
    let (dump, _) = shown(MASIMO, b"09/15/10 15:10:29 SPO2=097% BPM=064 PI=11.82% ALARM=00 EXC=800\r\n");
    assert_eq!(dump.values.len(), 3, "{}", dump.text);
    // One that says its number again is no other one.
    let profile = profile(MASIMO);
    let mut rig = Rig::new(profile.session(&Instrument::default()));
    for serial in ["0000000001", "----------", "0000000001"] {
        rig.bytes(format!("02/22/16 22:47:45 SN={serial} SPO2=098% EXC=000800\r\n").as_bytes());
    }
    assert_eq!(rig.forgotten, 0);
}

#[test]
fn what_a_masimo_says_in_bits() {
    let line = |alarm: &str, exceptions: &str| {
        let line = format!(
            "02/22/16 22:47:45 SN=0000000001 SPO2=088% BPM=057 SPCO=12.0% SPMET=01.0% ALARM={alarm} EXC={exceptions}\r\n"
        );
        shown(MASIMO, line.as_bytes()).0
    };
    for (alarm, about) in [
        ("0011", "SPO2 High"),
        ("0012", "SPO2 Low"),
        ("0014", "BPM High"),
        ("0038", "BPM Low"),
        ("0110", "SPCO High"),
        ("0210", "SPCO Low"),
        ("000410", "SPMET High"),
        ("000810", "SPMET Low"),
    ] {
        let dump = line(alarm, "000800");
        let (code, side) = about.split_once(' ').unwrap();
        let alarms: Vec<_> = dump.text.lines().filter(|line| line.contains(" alarm ")).collect();
        assert!(alarms.len() == 1 && alarms[0].contains(&format!(" {code} ")), "{alarm}: {}", dump.text);
        assert!(alarms[0].ends_with(&format!(" alarm {side} Unknown")), "{alarm}: {}", dump.text);
        assert!(dump.text.contains(&format!(" ALARM 0 = \"{alarm}\"")), "{alarm}: {}", dump.text);
    }
    for exceptions in ["000900", "001800", "004800", "008800", "010800"] {
        let dump = line("0000", exceptions);
        assert!(dump.values.iter().all(|(_, value)| value == "-"), "{exceptions}: {}", dump.text);
    }
    // That the sensor is off, a Rad-8 alarms as two low values, which are none.
    let dump = line("001A", "000820");
    assert!(!dump.text.contains(" alarm ") && dump.text.contains("ALARM 0 = \"001A\""), "{}", dump.text);
    let dump = line("0000", "200800");
    assert_eq!(dump.text.matches("QUES").count(), 1, "{}", dump.text);
    assert!(dump.text.contains(" SPCO 160284 = 12.0 %(262688) 20160222224745 QUES"), "{}", dump.text);
}

#[test]
fn another_masimo_on_the_line_begins_anew() {
    let profile = profile(MASIMO);
    let mut rig = Rig::new(profile.session(&Instrument::default()));
    let line = |serial: &str| format!("02/22/16 22:47:45 SN={serial} SPO2=098% BPM=097 EXC=000800\r\n");
    rig.bytes(line("1").as_bytes());
    rig.bytes(line("1").as_bytes());
    assert_eq!((rig.states.as_slice(), rig.forgotten), ([State::Connecting, State::Talking].as_slice(), 0));
    rig.bytes(line("2").as_bytes());
    assert_eq!(rig.forgotten, 1);
    // Ten minutes of silence, and it is back.
    rig.pass(Duration::from_secs(600));
    assert!(rig.standing.is_empty());
    assert_eq!(rig.notes.len(), 1, "{:?}", rig.notes);
    rig.bytes(line("2").as_bytes());
    assert_eq!(rig.states[2..], [State::Silent, State::Talking]);
    assert_eq!(rig.standing.len(), 1);
}

#[test]
fn damage_costs_the_lines_that_it_hit() {
    let line = "02/22/16 22:47:45 SN=1 SPO2=098% BPM=097 EXC=000800<CR><LF>\n";
    let script = line.repeat(5);
    let faults = [
        (Fault::FlipBit { frame: 2, byte: 3, bit: 7 }, 1),
        (Fault::InsertByte { frame: 2, byte: 5, code: b'\n' }, 1),
        (Fault::LoseFrame { frame: 2 }, 1),
        (Fault::LoseLf { frame: 2 }, 0),
        (Fault::Twice { frame: 2 }, -1),
    ];
    for (fault, lost) in faults {
        let profile = profile(MASIMO);
        let mut gateway = Rig::new(profile.session(&Instrument::default()));
        let mut device = Rig::new(profile.simulator(vec![script.clone().into_bytes()], &[fault]));
        for _ in 0..10 {
            let bytes = device.sent();
            gateway.bytes(&bytes);
            device.pass(Duration::from_secs(1));
        }
        assert!(device.done);
        assert_eq!(5 - i32::try_from(gateway.kept).unwrap(), lost, "{fault:?}: {:?}", gateway.notes);
    }
}

#[test]
fn nonin_lines() {
    let (dump, rig) = shown(NONIN, b"Nonin 7500\r\nSPO2=098 HR=072\r\nSPO2=--- HR=--- *\r\n");
    assert_eq!(rig.notes, ["byte 0: a line fits no pattern of the profile; it was thrown away"]);
    assert_eq!(
        dump.text,
        "device 69641 Nonin|| clock -
  1 SPO2 150456 = - %(262688) NAV: the device shows no value
  2 HR 149530 = - {beat}/min(264864) NAV: the device shows no value
end complete true
"
    );
    // The marker of an event stands right behind the rate; some models write the time of day, and a breath.
    for line in
        ["SPO2=098 HR=172*", "SPO2=098 HR=172 F", "14:05:06 SPO2=098 HR=172 B", "00:00:00 SPO2=098 HR=172"]
    {
        let (dump, rig) = shown(NONIN, format!("{line}\r\n").as_bytes());
        assert!(rig.notes.is_empty(), "{line}: {:?}", rig.notes);
        let values: Vec<_> = dump.values.iter().map(|(code, value)| format!("{code} {value}")).collect();
        assert_eq!(values, ["SPO2 098", "HR 172"], "{line}");
    }
}

#[test]
fn a_nellcor_line_with_its_headings() {
    let print = b"N-395 VERSION 2.0.0.0 CRC: XXXX SpO2 Limit: 70-100% PR Limit: 60-160BPM\r\n\
        ADULT 0SAT-S SPO2 RESP MODE: NORMAL\r\nTIME %SPO2 BPM PA Status\r\n1) Dump Instrument Info\r\n\
        12-NOV-98 14:00:05  100   190*   50    PH AO\r\n";
    let (dump, rig) = shown(NELLCOR, print);
    assert!(rig.notes.is_empty(), "{:?}", rig.notes);
    assert_eq!(
        dump.text,
        "device 69641 Nellcor|| clock 19981112140005 at 0
  1 SPO2 150456 = 100 %(262688) 19981112140005 ALINH: alarms are off
  2 BPM 149530 = 190 {beat}/min(264864) 19981112140005 ALINH: alarms are off alarm High Unknown
  3 PA 0 = 50  19981112140005 ALINH: alarms are off
end complete true
"
    );
    // The older ones call themselves otherwise.
    let print = b"NPB-295 VERSION 2.0.0.0 CRC: XXXX SpO2 Limit: 70-100% PR Limit: 60-160BPM\r\nTIME %SpO2 BPM PA Status\r\n\
        NPB-290 VERSION 1.0.0.1 TREND SpO2 Limit: 30-100% PR Limit: 100-180BPM\r\nOutput Complete\r\n";
    let (_, rig) = shown(NELLCOR, print);
    assert!(rig.notes.is_empty(), "{:?}", rig.notes);
    let (dump, _) = shown(NELLCOR, b"12-NOV-98 14:00:07  ---   ---   ---    SD\r\n");
    assert!(
        dump.text.contains("  1 SPO2 150456 = - %(262688) 19981112140007 NAV: the sensor is disconnected\n"),
        "{}",
        dump.text
    );
}

/// A report whose columns are blank but for these, as wide as in captured ones, with the count as those write it.
fn sndf(values: &[(usize, &str)], said: usize) -> String {
    let column = |n: usize| {
        let width = match n {
            6 | 53 => 18,
            7 => 12,
            8 | 52 | 55 | 66 => 9,
            _ => 6,
        };
        let value = values.iter().find(|(own, _)| *own == n).map_or("", |(_, value)| value);
        format!("{value:width$}")
    };
    let data = (5..174).map(column).collect::<Vec<_>>().join(",");
    format!("MISCF,{},{said} ,\u{2}{data},\u{3}\r", data.len() + 1)
}

#[test]
fn a_puritan_bennett_is_asked_and_its_columns_counted() {
    let values = [
        (5, "12:01"),
        (6, "840 0000000001"),
        (7, "NOV 22 2026"),
        (8, "INVASIVE"),
        (9, "SIMV"),
        (10, "VC"),
        (13, "12.0"),
        (14, "0.500"),
        (15, "60.0"),
        (16, "40"),
        (18, "5.0"),
        (33, "OFF"),
        (47, "OFF"),
        (69, "18.0"),
        (70, "14.0"),
        (71, "0.480"),
        (72, "6.720"),
        (73, "21.0"),
        (74, "9.1"),
        (75, "2.00"),
        (76, "1:2.00"),
        (87, "5.1"),
        // What no manoeuvre gave yet.
        (92, "0.0"),
        (94, "0.0"),
        (95, "ALERT"),
        (96, "42.0"),
        (105, "OFF"),
        (106, "NORMAL"),
        (110, "HIGH"),
        (122, "LOW"),
        (127, "RESET"),
    ];
    let (dump, rig) = shown(PB840, sndf(&values, 169).as_bytes());
    assert!(rig.notes.is_empty(), "{:?}", rig.notes);
    assert_eq!(rig.sent, b"SNDF\r");
    let given: String =
        dump.text.lines().filter(|line| !line.contains(" = - ")).map(|line| format!("{line}\n")).collect();
    assert_eq!(
        given,
        "device 70001 Puritan Bennett||840 0000000001 clock -
  1 8 0 = \"INVASIVE\" 
  2 9 0 = \"SIMV\" 
  3 13 16928802 = 12.0 {breath}/min(264928)
  4 14 16929196 = 0.500 L(263744)
  5 16 16930360 = 40 %(262688)
  6 18 16929192 = 5.0 cm[H2O](266048)
  7 69 152712 = 18.0 cm[H2O](266048)
  8 70 151586 = 14.0 {breath}/min(264928)
  9 71 152664 = 0.480 L(263744)
  10 72 151884 = 6.720 L/min(265216)
  11 73 151817 = 21.0 cm[H2O](266048)
  12 74 151795 = 9.1 cm[H2O](266048)
  13 75 0 = 2.00 
  14 10 0 = \"VC\" 
  17 15 0 = 60.0 L/min(265216)
  35 87 151976 = 5.1 cm[H2O](266048)
  38 96 151692 = 42.0 mL/cm[H2O](268050)
  49 110 0 = \"HIGH\"  alarm Unknown High
  61 122 0 = \"LOW\"  alarm Unknown Low
  94 95 0 = \"ALERT\" 
end complete true
"
    );
    // A column was lost on the line: every value behind it would be another's.
    let lost = sndf(&values, 169).replacen("SIMV  ,", "", 1);
    let (dump, rig) = shown(PB840, lost.as_bytes());
    assert_eq!(rig.notes.len(), 1);
    assert!(
        rig.notes[0]
            .ends_with("another number of values than it says; it was thrown away (expected 169, found 168)")
    );
    assert!(dump.values.is_empty() && rig.lost == 1);
}

#[test]
fn a_silent_device_is_asked_for_ever() {
    let profile = profile(PB840);
    let mut rig = Rig::new(profile.session(&Instrument::default()));
    rig.pass(Duration::from_secs(60));
    assert_eq!(rig.sent.len() / 5, 31);
    // With an answer it is asked at its pace.
    rig.sent();
    rig.bytes(sndf(&[], 169).as_bytes());
    rig.pass(Duration::from_secs(5));
    assert_eq!(rig.sent(), b"SNDF\r");
    rig.give(Input::Stop);
    assert!(rig.done);
}

/// A monitor that is asked, and says how long ago its cuff measured.
const CUFF: &str = r#"
name = "cuff"
driver = "lines"
title = "Cuff"
evidence = "described"
feed = "bedside"
coding_system = "99CUFF"
stale_after = "20 s"
poll = { send = "P", every = "5 s" }
line = [{ pattern = "P:{sat},{pr},{sys},{mean},{dia},{elapsed}" }]
field = [
    { from = "sat", mdc = 150456, unit = "%", unit_mdc = 262688 },
    { from = "pr" },
    { from = "sys", once = true },
    { from = "mean", once = true },
    { from = "dia", once = true },
    { from = "elapsed", kind = "age" },
]
"#;

#[test]
fn a_cuff_pressure_goes_once_for_each_time_it_was_taken() {
    let profile = profile(CUFF);
    let interpreter = profile.interpreter();
    let answers = [
        "P:98,72,120,93,80,0:05",
        "P:98,73,120,93,80,0:10",
        "P:97,73,--,--,--,--",
        "P:98,72,120,93,80,0:03",
        "P:98,72,120,93,80,0:02",
        "P:98,72,121,93,80,0:07",
        "P:98,72,121,93,80,0:12",
    ];
    let script = answers.map(|line| format!("{line}<CR><LF>\n")).concat();
    let mut gateway = Rig::new(profile.session(&Instrument::default()));
    let mut device = Rig::new(profile.simulator(vec![script.into_bytes()], &[]));
    let mut told = Vec::new();
    for _ in answers {
        let question = gateway.sent();
        device.bytes(&question);
        let answer = device.sent();
        gateway.bytes(&answer);
        let dump = interpret(&*interpreter, &gateway.snapshot());
        told.push(
            dump.values.iter().filter(|(code, _)| ["sys", "mean", "dia"].contains(&code.as_str())).count(),
        );
        assert!(dump.text.contains("sat 150456") && !dump.text.contains("elapsed"), "{}", dump.text);
        gateway.pass(Duration::from_secs(5));
    }
    // While the cuff works there is nothing; younger than before is new.
    assert_eq!(told, [3, 0, 0, 3, 3, 3, 0]);
}

#[test]
fn the_recorded_spotchem_result() {
    let Some(folder) = corpus() else { return };
    let (dump, rig) = shown(SPOTCHEM, &std::fs::read(folder.join("lab/spotchem-el.txt")).unwrap());
    assert!(rig.notes.is_empty() && rig.stored.len() == 1 && rig.stored[0].1, "{:?}", rig.notes);
    assert_eq!(
        dump.text,
        "sender SE-1520||
specimen [1DC042FP] B. Plasma None
 order ELECTROLYTES|Electrolytes
  Na = [131] mmol/L 202410291308
  K = [9.7] mmol/L 202410291308
  Cl = [96] mmol/L 202410291308
end complete true
"
    );
}

#[test]
fn the_examples_of_results() {
    for (toml, expected) in [
        (
            SPOTCHEM,
            "sender SE-1520||
specimen [] B. Plasma None
 order ELECTROLYTES|Electrolytes
  Na = [139] mmol/L 202611221415
  K = [----] mmol/L (no-value) 202611221415
  Cl = [101] mmol/L 202611221415
end complete true
",
        ),
        (
            MICROS,
            "sender Micros 60||V2.8
specimen [T-0002]  None
 order CBC|Blood count
  WBC = [007.2]  run:26/11/22 14h20mn00s
  PLT = [-----]  (no-value) run:26/11/22 14h20mn00s
end complete true
",
        ),
    ] {
        let profile = profile(toml);
        let example = profile.common().examples.last().unwrap();
        let (dump, rig) = shown(toml, &profile.example_bytes(&example.input));
        assert!(rig.notes.is_empty(), "{:?}", rig.notes);
        assert_eq!(dump.text, expected);
    }
}

#[test]
fn a_mark_beside_a_spotchem_value_moves_no_column() {
    let message = |rows: &str| {
        let (dump, rig) = shown(
            SPOTCHEM,
            format!("\u{2}26/11/22 14:12 ID# T-0001     [B. Plasma] {rows}\u{3}\n").as_bytes(),
        );
        assert!(rig.notes.is_empty(), "{:?}", rig.notes);
        dump.text
    };
    let results = |rows: &str| {
        let text = message(rows);
        let lines = text.lines().filter(|line| line.contains(" = "));
        lines.map(|line| line.trim().trim_end_matches(" 202611221412").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        results("Na   E   140  mmol/L K        4.1* mmol/L Cl            mmol/L              "),
        ["Na = [E   140] mmol/L", "K = [4.1*] mmol/L", "Cl = [] mmol/L (no-value)"]
    );
    assert_eq!(
        results("Na                   K        4.1  mEq/L  Cl       102  mEq/L               "),
        ["Na = []  (no-value)", "K = [4.1] mEq/L", "Cl = [102] mEq/L"]
    );
    // What fits nothing may be results.
    let text = message("Na       140  mmol/L K 4.1");
    assert!(text.contains("  Na = [140] mmol/L"), "{text}");
    assert!(text.contains("? = []  (a part of the message fits no pattern of the profile)"), "{text}");
}

#[test]
fn an_abx_count_that_was_repeated() {
    let profile = profile(MICROS);
    let example = profile.common().examples.first().unwrap();
    let (first, _) = shown(MICROS, &profile.example_bytes(&example.input));
    let again = example.input.replace(" RESULT ", " RES-RR ");
    assert_ne!(again, example.input);
    let (second, rig) = shown(MICROS, &profile.example_bytes(&again));
    assert!(rig.notes.is_empty(), "{:?}", rig.notes);
    assert_eq!(second.text, first.text);
    // A control's are nobody's results.
    let (control, _) = shown(MICROS, &profile.example_bytes(&example.input.replace(" RESULT ", " QC-RES ")));
    assert!(control.text.contains("fits no pattern"), "{}", control.text);
}

#[test]
fn an_abx_count() {
    let profile = profile(MICROS);
    let example = profile.common().examples.first().unwrap();
    let (dump, _) = shown(MICROS, &profile.example_bytes(&example.input));
    for line in [
        "specimen [T-0001]  None",
        "   Order: Alarms of the leukocyte curve: L1",
        "  WBC = [006.1]  run:26/11/22 14h12mn00s",
        "  HGB = [00108]  l=L run:26/11/22 14h12mn00s",
        "  HCT = [.312]  l=L run:26/11/22 14h12mn00s",
        "  LYM = [001.7]  run:26/11/22 14h12mn00s",
        "  GRA% = [068.9]  run:26/11/22 14h12mn00s",
    ] {
        assert!(dump.text.lines().any(|own| own == line), "{line}\n{}", dump.text);
    }
    // Curves, thresholds and numbers of the analyzer are no results.
    assert_eq!(dump.values.len(), 16, "{}", dump.text);
}

#[test]
fn a_message_without_an_end_ends_with_silence() {
    let profile = profile(MICROS);
    let bytes = profile.example_bytes(&profile.common().examples.last().unwrap().input);
    let mut rig = Rig::new(profile.session(&Instrument::default()));
    rig.bytes(&bytes[..bytes.len() - 1]);
    rig.pass(Duration::from_secs(9));
    assert!(rig.stored.is_empty());
    rig.pass(Duration::from_secs(2));
    assert_eq!(rig.stored.len(), 1);
    assert!(!rig.stored[0].1 && rig.notes[0].contains("has no end"), "{:?}", rig.notes);
    let dump = interpret(&*profile.interpreter(), &rig.stored[0].0);
    assert!(dump.text.contains("WBC = [007.2]"), "{}", dump.text);
}

#[test]
fn a_message_that_the_next_one_breaks_off_is_kept() {
    let profile = profile(MICROS);
    let bytes = profile.example_bytes(&profile.common().examples.last().unwrap().input);
    let mut rig = Rig::new(profile.session(&Instrument::default()));
    rig.bytes(&[&bytes[..bytes.len() - 1], &bytes].concat());
    assert_eq!(rig.stored.iter().map(|(_, whole)| *whole).collect::<Vec<_>>(), [false, true]);
    assert!(rig.notes.len() == 1 && rig.notes[0].contains("broken off by the next one"), "{:?}", rig.notes);
    let begin = interpret(&*profile.interpreter(), &rig.stored[0].0);
    assert!(begin.text.contains("WBC = [007.2]"), "{}", begin.text);
}

#[test]
fn a_result_that_fits_nothing_is_kept_for_a_person() {
    let (dump, rig) = shown(SPOTCHEM, b"\x02CALIBRATION OK\x03\n");
    assert_eq!(rig.stored.len(), 1);
    assert!(dump.text.contains("? = []  (the message fits no pattern of the profile)"), "{}", dump.text);
}

#[test]
fn results_come_one_at_a_time() {
    let profile = profile(SPOTCHEM);
    let bytes = profile.example_bytes(&profile.common().examples.first().unwrap().input);
    let mut rig = Rig::new(profile.session(&Instrument::default()));
    rig.prompt = false;
    rig.bytes(&[bytes.clone(), bytes].concat());
    assert_eq!(rig.stored.len(), 1);
    let ticket = rig.ticket.take().unwrap();
    rig.give(Input::Refused(ticket));
    assert!(rig.notes.iter().any(|note| note.contains("could not be stored")), "{:?}", rig.notes);
    assert_eq!(rig.stored.len(), 2);
}

#[test]
fn persons_are_taken_out_and_values_stay() {
    let profile = profile(SPOTCHEM);
    let mut bytes = profile.example_bytes(&profile.common().examples.first().unwrap().input);
    bytes.extend(b"Smith");
    let before = bytes.clone();
    let count = profile.scrub(&mut bytes, &mut orugate_driver::StandIns::new());
    assert_eq!((bytes.len(), count), (before.len(), 5));
    let text = String::from_utf8(bytes).unwrap();
    assert!(
        !text.contains("T-0001") && !text.contains("Smith") && text.contains("Na       140  mmol/L"),
        "{text}"
    );
}

/// An analyzer with a checksum that waits for an answer.
const ANSWERED: &str = r#"
name = "answered"
driver = "lines"
title = "Answered"
evidence = "described"
feed = "results"
coding_system = "99ANSWERED"
frame = { start = "<STX>", end = "<ETX>", check = { kind = "sum", form = "hex", with_end = true } }
reply = { stored = "<ACK>", refused = "<NAK>" }
line = [{ pattern = "{id:word} {rows:rest}", repeat = { of = "rows", pattern = "{code:word} {value:word} " } }]
sample = { id = "id", panel = "P" }
"#;

#[test]
fn a_wrong_checksum_is_refused_and_without_an_answer_kept_for_a_person() {
    let refusing = profile(ANSWERED);
    let mut rig = Rig::new(refusing.session(&Instrument::default()));
    // 02 does not count: A, blank, K, blank, 4, ETX are 41 20 4B 20 34 03.
    rig.bytes(b"\x02A K 4\x0303");
    assert_eq!((rig.sent(), rig.stored.len()), (b"\x06".to_vec(), 1));
    rig.bytes(b"\x02A K 9\x0303");
    assert_eq!((rig.sent(), rig.stored.len(), rig.lost), (b"\x15".to_vec(), 1, 1));
    rig.bytes(b"\x02A K 4\x0303");
    assert_eq!((rig.sent(), rig.stored.len()), (b"\x06".to_vec(), 2));
    let alone = ANSWERED.replace("reply = { stored = \"<ACK>\", refused = \"<NAK>\" }\n", "");
    let (dump, rig) = shown(&alone, b"\x02A K 9\x0303");
    assert!(!rig.stored[0].1 && rig.lost == 0, "{:?}", rig.notes);
    assert!(
        dump.text.contains("K = [9]  (the checksum of its message is wrong or missing)"),
        "{}",
        dump.text
    );
}

#[test]
fn noise_without_end_is_bounded_and_the_next_line_is_heard() {
    let masimo = b"\r\n02/22/16 22:47:45 SN=0000056661 SPO2=098% BPM=097 EXC=000800\r\n".to_vec();
    let micros = profile(MICROS);
    let micros = [b"\x03".to_vec(), micros.example_bytes(&micros.common().examples[1].input)].concat();
    let ventilator = [b"\r".as_slice(), sndf(&[(9, "SIMV")], 169).as_bytes()].concat();
    let mut noise = 7u32;
    let mut random = || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise.to_le_bytes()[3]
    };
    let random: Vec<u8> = (0..1 << 18).map(|_| random()).collect();
    for (toml, good) in [(MASIMO, masimo), (MICROS, micros), (PB840, ventilator)] {
        for noise in
            [vec![0xFF; 1 << 20], vec![b','; 1 << 20], vec![2; 1 << 20], vec![b' '; 1 << 20], random.clone()]
        {
            let profile = profile(toml);
            let mut rig = Rig::new(profile.session(&Instrument::default()));
            for piece in noise.chunks(4096) {
                rig.bytes(piece);
            }
            let told = rig.notes.len();
            assert!(told < 10 || noise == random, "{told} notes");
            let (kept, stored) = (rig.kept, rig.stored.len());
            rig.bytes(&good);
            assert!(rig.kept > kept || rig.stored.len() > stored, "{:?}", rig.notes.last());
        }
    }
}

#[test]
fn a_line_with_the_wrong_parity_says_where_to_look() {
    // Seven bits with even parity, read as eight without: the eighth bit is the parity's.
    let line = b"02/22/16 22:47:45 SN=0000056661 SPO2=098% BPM=097 EXC=000800\r\n";
    let spoilt: Vec<u8> =
        line.iter().map(|byte| if byte.count_ones() % 2 == 1 { byte | 0x80 } else { *byte }).collect();
    let (_, rig) = shown(MASIMO, &spoilt);
    let notes = rig.notes.concat();
    assert!(
        rig.kept == 0 && notes.contains("compare rate, parity and data bits with the device's own settings"),
        "{notes}"
    );
}
