//! The session against a simulated monitor and by hand: asking, silence, damage, new channels, the end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Rig, interpret, profile};
use orugate_driver::Slot;
use orugate_driver::snapshot::Writer;
use orugate_driver::time::Utc;
use orugate_driver::{Input, Instrument, Output, Peer, SimulatedFault as Fault, State};
use std::time::Duration;

const FIRST: &str = "record 20261122141200
ecg status=11 label=512 hr=72 st1=0.40 imp_rr=16
p1 label=1 sys=120.00 dia=79.50 mean=93.00 hr=72
nibp label=11 sys=118.00 dia=80.00 mean=91.00
t1 label=1 temp=36.60
spo2 spo2=97.50 pr=72
aa label=6 et=1.80 fi=2.10 mac_sum=0.90
ecg_extra hr_ecg=72
";

/// The same monitor five seconds later; what the cuff has is older than a minute then.
fn later(second: u8, cuff: &str) -> String {
    format!("record 202611221412{second:02}\necg status=11 hr=73\nnibp {cuff}\n")
}

/// A session and a simulated monitor, joined.
struct Pair {
    gateway: Rig,
    monitor: Rig,
}

impl Pair {
    fn new(script: &str, faults: &[Fault]) -> Self {
        let profile = profile();
        let mut pair = Self {
            gateway: Rig::new(profile.session(&Instrument::default())),
            monitor: Rig::new(profile.simulator(vec![script.as_bytes().to_vec()], faults)),
        };
        pair.carry();
        pair
    }

    fn carry(&mut self) {
        loop {
            let (down, up) = (self.gateway.sent(), self.monitor.sent());
            if down.is_empty() && up.is_empty() {
                return;
            }
            if !down.is_empty() && !self.monitor.done {
                self.monitor.bytes(&down);
            }
            if !up.is_empty() {
                self.gateway.bytes(&up);
            }
        }
    }

    fn run(&mut self, seconds: u64) {
        for _ in 0..seconds {
            for rig in [&mut self.gateway, &mut self.monitor] {
                if !rig.done {
                    rig.pass(Duration::from_secs(1));
                }
            }
            self.carry();
        }
    }
}

#[test]
fn a_monitor_is_asked_and_its_values_become_measurements() {
    let mut pair = Pair::new(FIRST, &[]);
    let dump = interpret(&*profile().interpreter(), &pair.gateway.snapshot());
    assert!(pair.gateway.notes.is_empty(), "{:?}", pair.gateway.notes);
    let expected = "device 69965 GE||DRI level 10 clock 20261122141200 at 0
 nibp 3.1 70686 70687
  1 nibp.sys 150021 = 118.00 mm[Hg](266016) once
  2 nibp.dia 150022 = 80.00 mm[Hg](266016) once
  3 nibp.mean 150023 = 91.00 mm[Hg](266016) once
  4 nibp.hr 149546 = - {beat}/min(264864) once INV: there is no valid value
 ecg 1.1 69798 69799
  1 ecg.hr 147842 = 72 {beat}/min(264864) 20261122141200
  2 ecg.st1 0 = 0.40 mm(263442) [II] 20261122141200
  3 ecg.st2 0 = - mm(263442) 20261122141200 INV: there is no valid value
  4 ecg.st3 0 = - mm(263442) 20261122141200 INV: there is no valid value
  5 ecg.imp_rr 151578 = 16 {breath}/min(264928) 20261122141200
 p1 2.1 69854 69855
  1 p1.sys 150033 = 120.00 mm[Hg](266016) [ART] 20261122141200
  2 p1.dia 150034 = 79.50 mm[Hg](266016) [ART] 20261122141200
  3 p1.mean 150035 = 93.00 mm[Hg](266016) [ART] 20261122141200
  4 p1.hr 149522 = 72 {beat}/min(264864) [ART] 20261122141200
 t1 4.1 69902 69903
  1 t1.temp 150372 = 36.60 Cel(268192) [ESO] 20261122141200
 spo2 5.1 69642 69643
  1 spo2.spo2 150456 = 97.50 %(262688) 20261122141200
  2 spo2.pr 149530 = 72 {beat}/min(264864) 20261122141200
  3 spo2.ir_amp 0 = - %(262688) 20261122141200 INV: there is no valid value
  4 spo2.so2 0 = - %(262688) [SO2] 20261122141200 INV: there is no valid value
 aa 7.4 69650 69651
  1 aa.et 152096 = 1.80 %(262688) [SEV] 20261122141200
  2 aa.fi 152180 = 2.10 %(262688) [SEV] 20261122141200
  3 aa.mac_sum 152864 = 0.90 1(262656) 20261122141200
 ecg_extra 1.2 69798 69799
  1 ecg_extra.hr_ecg 0 = 72 {beat}/min(264864) 20261122141200
  2 ecg_extra.hr_max 0 = - {beat}/min(264864) 20261122141200 INV: there is no valid value
  3 ecg_extra.hr_min 0 = - {beat}/min(264864) 20261122141200 INV: there is no valid value
end complete true
";
    assert_eq!(dump.text, expected);
}

#[test]
fn a_value_stands_in_the_message_where_its_span_says() {
    let mut pair = Pair::new(FIRST, &[]);
    let raw = pair.gateway.snapshot();
    let dump = interpret(&*profile().interpreter(), &raw);
    for (code, value) in [("p1.dia", 7950i16), ("t1.temp", 3660), ("spo2.pr", 72), ("nibp.mean", 9100)] {
        let (_, span) = dump.spans.iter().find(|(id, _)| id == code).unwrap();
        let bytes = &raw[span.start as usize..span.end as usize];
        assert_eq!(bytes, value.to_le_bytes(), "{code}");
    }
}

#[test]
fn a_cuff_pressure_goes_once_for_each_time_it_was_taken() {
    let new = "label=11 sys=118.00 dia=80.00 mean=91.00";
    let old = "label=267 sys=118.00 dia=80.00 mean=91.00";
    let going = "label=43 sys=118.00 dia=80.00 mean=91.00";
    // Taken twice with the same pressures; while the second one goes on there is none.
    let script: String =
        [new, new, old, old, going, new, new].iter().zip(1..).map(|(cuff, n)| later(n * 5, cuff)).collect();
    let mut pair = Pair::new(&script, &[]);
    let interpreter = profile().interpreter();
    let mut told = Vec::new();
    for _ in 0..7 {
        let dump = interpret(&*interpreter, &pair.gateway.snapshot());
        told.push(dump.values.iter().filter(|(code, value)| code == "nibp.sys" && value == "118.00").count());
        assert_eq!(dump.text.matches("nibp.").count(), told.last().unwrap() * 4, "{}", dump.text);
        assert_eq!(dump.text.matches(" once").count(), told.last().unwrap() * 4, "{}", dump.text);
        pair.run(5);
    }
    assert_eq!(told, [1, 0, 0, 0, 0, 1, 0]);
}

#[test]
fn the_time_of_a_cuff_pressure_is_the_monitors_when_it_says_so() {
    let mut pair = Pair::new(FIRST, &[]);
    let times = profile().example_bytes("times 20261122141130");
    pair.gateway.bytes(&times);
    let dump = interpret(&*profile().interpreter(), &pair.gateway.snapshot());
    assert!(
        dump.text.contains("nibp.sys 150021 = 118.00 mm[Hg](266016) once 20261122141130\n"),
        "{}",
        dump.text
    );
}

#[test]
fn what_is_no_value_says_why() {
    let script = "record 20261122141200
ecg status=523 hr=72
p1 status=7 label=1 sys=120.00
p2 status=1 label=2 mean=8.00
o2 status=11 et=16.00
co2 label=2 et=-327.63 fi=-327.64 rr=16
spo2 spo2=-327.62 pr=-32766
nmt ptc=31 count=3 current=40
svo2 label=2 svo2=70.00
";
    let mut pair = Pair::new(script, &[]);
    let dump = interpret(&*profile().interpreter(), &pair.gateway.snapshot());
    for line in [
        "ecg.hr 147842 = 72 {beat}/min(264864) 20261122141200 EARLY: the ECG is being learnt",
        "p1.sys 150033 = - mm[Hg](266016) [ART] 20261122141200 CAL: it is calibrated",
        "p2.mean 150087 = - mm[Hg](266016) [CVP] 20261122141200 NAV: the measurement is not active",
        "o2.et 152440 = - %(262688) 20261122141200 OFF: it is switched off",
        "co2.et 151708 = - %(262688) 20261122141200 OVER: above the measuring range",
        "co2.fi 151716 = - %(262688) 20261122141200 UNDER: below the measuring range",
        "co2.rr 0 = 16 {breath}/min(264928) 20261122141200",
        "spo2.spo2 150456 = - %(262688) 20261122141200 CAL: it is not calibrated",
        "spo2.pr 149530 = - {beat}/min(264864) 20261122141200 NAV: it was not renewed",
        "nmt.ptc 0 = -  20261122141200 NAV: there is none",
        "nmt.count 0 = 3  20261122141200",
        "nmt.current 0 = 40 mA 20261122141200",
        "svo2.svo2 150332 = 70.00 %(262688) [SvO2] 20261122141200",
    ] {
        assert!(dump.text.contains(&format!(" {line}\n")), "{line}\n{}", dump.text);
    }
}

#[test]
fn the_alarm_list_goes_along_as_words() {
    let script = format!("{FIRST}alarms 20261122141210\nalarm 3 ART SYS HIGH\nalarm 1 CHECK ~ PROBE\n");
    let mut pair = Pair::new(&script, &[]);
    let dump = interpret(&*profile().interpreter(), &pair.gateway.snapshot());
    let alarms: Vec<_> = dump.text.lines().filter(|line| line.contains("alarm.")).collect();
    assert_eq!(
        alarms,
        [
            "  1 alarm.1 0 = \"ART SYS HIGH\"  20261122141210 High",
            "  2 alarm.2 0 = \"CHECK ~ PROBE\"  20261122141210 Low",
        ]
    );
    // A monitor that does not answer any more has none.
    pair.run(4);
    for _ in 0..6 {
        pair.gateway.pass(Duration::from_secs(5));
        let values = profile().example_bytes(&later(30, ""));
        pair.gateway.bytes(&values);
    }
    let dump = interpret(&*profile().interpreter(), &pair.gateway.snapshot());
    assert!(!dump.text.contains("alarm."), "{}", dump.text);
}

#[test]
fn an_old_monitor_is_not_asked_for_alarms() {
    let mut pair = Pair::new(&FIRST.replace("ecg status", "level 9\necg status"), &[]);
    pair.run(4);
    assert_eq!(pair.monitor.notes, Vec::<String>::new());
    let dump = interpret(&*profile().interpreter(), &pair.gateway.snapshot());
    assert!(dump.text.starts_with("device 69965 GE||DRI level 9 "), "{}", dump.text);
}

#[test]
fn each_damage_costs_at_most_the_records_that_it_hit() {
    let script: String = (0..6).map(|n| later(n * 5, "")).collect();
    let faults = [
        (Fault::FlipBit { frame: 2, byte: 100, bit: 3 }, 1),
        (Fault::FlipBit { frame: 2, byte: 0, bit: 3 }, 1),
        (Fault::LoseByte { frame: 2, byte: 50 }, 1),
        (Fault::DoubleByte { frame: 2, byte: 50 }, 1),
        (Fault::InsertByte { frame: 2, byte: 60, code: 0x7E }, 1),
        (Fault::InsertByte { frame: 2, byte: 60, code: 0x7D }, 1),
        (Fault::LoseFrame { frame: 2 }, 1),
        (Fault::LoseStart { frame: 2 }, 0),
        (Fault::LoseTail { frame: 2 }, 0),
        (Fault::WrongChecksum { frame: 2 }, 1),
        (Fault::Twice { frame: 2 }, 0),
    ];
    for (fault, lost) in faults {
        let mut pair = Pair::new(&script, &[fault]);
        pair.run(40);
        // The flag of one record may be the next one's as well, so that a lost one of two costs nothing.
        assert_eq!(
            6 - i32::try_from(pair.gateway.kept).unwrap(),
            lost,
            "{fault:?}: {:?}",
            pair.gateway.notes
        );
        let told = pair.gateway.notes.iter().any(|note| note.starts_with("byte "));
        let silent = lost == 0 || matches!(fault, Fault::LoseFrame { .. });
        assert!(told || silent, "{fault:?}: {:?}", pair.gateway.notes);
    }
}

#[test]
fn a_silent_monitor_is_forgotten_and_asked_for_ever() {
    let mut pair = Pair::new(FIRST, &[]);
    assert!(!pair.gateway.standing.is_empty());
    // Ten minutes: the monitor was switched off.
    pair.gateway.sent();
    pair.gateway.snapshot();
    pair.gateway.pass(Duration::from_secs(600));
    assert!(pair.gateway.standing.is_empty());
    assert!(pair.gateway.sent().len() / 52 > 25);
    assert_eq!(
        pair.gateway.notes.iter().filter(|note| note.contains("fell silent")).count(),
        1,
        "{:?}",
        pair.gateway.notes
    );
    let dump = interpret(&*profile().interpreter(), &pair.gateway.snapshot());
    assert_eq!(dump.text, "device 69965 GE|| clock -\nend complete true\n");
    assert_eq!(pair.gateway.states, [State::Connecting, State::Talking, State::Silent]);
    // It is on again: what it says holds, and the same cuff pressure counts anew.
    pair.gateway.bytes(&profile().example_bytes(FIRST));
    let dump = interpret(&*profile().interpreter(), &pair.gateway.snapshot());
    assert!(dump.text.contains("nibp.sys 150021 = 118.00"));
    assert_eq!(pair.gateway.states.last(), Some(&State::Talking));
}

#[test]
fn a_monitor_that_does_not_answer_and_one_that_nobody_understands_are_told_apart() {
    let mut rig = Rig::new(profile().session(&Instrument::default()));
    rig.pass(Duration::from_secs(60));
    assert!(rig.notes.len() == 1 && rig.notes[0].contains("RTS and CTS"), "{:?}", rig.notes);
    let mut rig = Rig::new(profile().session(&Instrument::default()));
    rig.bytes(&[0xF8, 0x00, 0xC7, 0x3E]);
    rig.pass(Duration::from_secs(60));
    assert!(rig.notes.concat().contains("Compare rate and parity with the monitor's"), "{:?}", rig.notes);
    assert_eq!(rig.states, [State::Connecting]);
}

#[test]
fn extensions_have_the_scales_that_public_programs_give() {
    let script = "record 20261122141200
spo2 ir_amp=3.45
bis bis=47 sqi=95
aa2 mac_age_sum=1.05
delp spv=7.25 ppv=12.00
cpp value=71.50
picco cco=5200 sv=75.5 cfi=4.75 gef=25.5 ppv=11.5 pvpi=1.75 svi=41.0 svv=9.5 svr=1250
";
    let mut pair = Pair::new(script, &[]);
    let raw: Vec<u8> = pair.gateway.standing.values().next().unwrap().1.clone();
    // The integers on the line, whatever the script's own scale is.
    for integer in [345i16, 47, 105, 725, 1200, 7150, 5200, 755, 475, 255, 115, 175, 410, 95, 1250] {
        assert!(raw.windows(2).any(|two| two == integer.to_le_bytes()), "{integer}");
    }
    let dump = interpret(&*profile().interpreter(), &pair.gateway.snapshot());
    for line in [
        "spo2.ir_amp 0 = 3.45 %(262688)",
        "bis.bis 153644 = 47 1(262656)",
        "bis.sqi 0 = 95 ",
        "aa2.mac_age_sum 0 = 1.05 1(262656)",
        "delp.spv 0 = 7.25 mm[Hg](266016)",
        "delp.ppv 0 = 12.00 %(262688)",
        "cpp.value 153604 = 71.50 mm[Hg](266016)",
        "picco.cco 0 = 5200 ",
        "picco.sv 0 = 75.5 mL(263762)",
        "picco.svi 0 = 41.0 mL/m2(263570)",
        "picco.cfi 0 = 4.75 /min(264672)",
        "picco.pvpi 0 = 1.75 1(262656)",
        "picco.svr 0 = 1250 ",
    ] {
        assert!(dump.text.contains(line), "{line}\n{}", dump.text);
    }
}

#[test]
fn a_new_channel_begins_anew_and_a_cut_record_is_told() {
    let mut pair = Pair::new(FIRST, &[]);
    let half = profile().example_bytes(FIRST);
    pair.gateway.bytes(&half[..200]);
    pair.gateway.close();
    assert!(
        pair.gateway.notes[0].ends_with("the line ended in the middle of a record"),
        "{:?}",
        pair.gateway.notes
    );
    assert_eq!(pair.gateway.deadline, None);
    pair.gateway.sent();
    pair.gateway.open_another();
    assert_eq!(pair.gateway.sent().len(), 52);
    pair.gateway.bytes(&half);
    assert_eq!(pair.gateway.standing.len(), 1);
}

#[test]
fn classes_that_come_in_another_company_do_not_stand_twice() {
    let profile = profile();
    let mut rig = Rig::new(profile.session(&Instrument::default()));
    rig.bytes(&profile.example_bytes(&FIRST.replace("ecg status", "classes 1\necg status")));
    assert_eq!(rig.standing.keys().map(|slot| slot.0).collect::<Vec<_>>(), [1]);
    rig.bytes(&profile.example_bytes(FIRST));
    assert_eq!(rig.standing.keys().map(|slot| slot.0).collect::<Vec<_>>(), [15]);
    // Curves, and records that name patients, are not kept.
    rig.bytes(&profile.example_bytes("wave 300"));
    assert_eq!(rig.standing.len(), 1);
}

#[test]
fn a_monitor_is_told_to_stop() {
    let mut pair = Pair::new(&format!("{FIRST}{}", later(5, "")), &[]);
    pair.gateway.sent();
    pair.gateway.give(Input::Stop);
    assert!(pair.gateway.done);
    assert_eq!(pair.gateway.sent().len(), 52);
    // Without a channel there is nobody to tell.
    let mut rig = Rig::new(profile().session(&Instrument::default()));
    rig.close();
    rig.give(Input::Stop);
    assert!(rig.done);
    // A line on which nothing leaves does not hold the gateway back.
    let mut session = profile().session(&Instrument::default());
    session.handle(orugate_driver::time::Tick::ZERO, Input::Opened(orugate_driver::Channel(0), Peer::Tcp));
    session.handle(orugate_driver::time::Tick::ZERO, Input::Stop);
    let deadline = loop {
        match session.poll() {
            Output::Wait(deadline) => break deadline.unwrap(),
            Output::Done => panic!("gone before the request left"),
            _ => {}
        }
    };
    session.handle(deadline.at, Input::Deadline);
    assert!(matches!(session.poll(), Output::Done));
}

#[test]
fn any_bytes_are_taken_without_a_panic() {
    let profile = profile();
    let interpreter = profile.interpreter();
    let sound = profile.example_bytes(FIRST);
    for at in 0..sound.len() {
        // Damaged behind the checksum's back, as a monitor of another layout would send it.
        let mut bytes = sound.clone();
        bytes[at] = bytes[at].wrapping_add(0x55);
        let mut raw = Vec::new();
        let mut writer = Writer::new(&mut raw, Utc(0), Utc(1));
        writer.taken(Duration::ZERO, &bytes);
        writer.current(Slot(1), Duration::ZERO, &bytes);
        interpret(&*interpreter, &raw);
        // With a checksum that is right.
        let Some(record) = (at > 0 && at < sound.len() - 2).then(|| resummed(&bytes)) else { continue };
        let mut raw = Vec::new();
        let mut writer = Writer::new(&mut raw, Utc(0), Utc(1));
        writer.taken(Duration::ZERO, &record);
        writer.current(Slot(1), Duration::ZERO, &record);
        interpret(&*interpreter, &raw);
        let mut rig = Rig::new(profile.session(&Instrument::default()));
        rig.bytes(&record);
    }
}

/// The same frame with the checksum that its bytes have.
fn resummed(frame: &[u8]) -> Vec<u8> {
    let (mut record, mut escaped) = (Vec::new(), false);
    for byte in &frame[1..frame.len() - 1] {
        match (escaped, *byte) {
            (false, 0x7D) => escaped = true,
            (_, byte) => record.push(if std::mem::take(&mut escaped) { byte | 0x20 } else { byte }),
        }
    }
    record.pop();
    record.push(record.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)));
    let mut out = vec![0x7E];
    for byte in record {
        if matches!(byte, 0x7D | 0x7E) { out.extend([0x7D, byte & !0x20]) } else { out.push(byte) }
    }
    out.push(0x7E);
    out
}
