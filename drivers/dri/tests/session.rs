//! The session against a simulated monitor and by hand: asking, silence, damage, new channels, the end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Rig, interpret, profile};
use orugate_driver::{Input, Instrument, Output, Peer, SimulatedFault as Fault};
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
    let expected = "device 69965 GE||DRI level 10 silent false clock 20261122141200 at 0
 group - [ecg]
  ecg.hr 147842 = 72 {beat}/min(264864) 20261122141200 Valid None
  ecg.st1 [ecg.st1] = 0.40 mm(263442) at [II] 20261122141200 Valid None
  ecg.st2 [ecg.st2] = - mm(263442) 20261122141200 NotAvailable(\"no valid data\") None
  ecg.st3 [ecg.st3] = - mm(263442) 20261122141200 NotAvailable(\"no valid data\") None
  ecg.imp_rr 151562 = 16 {breath}/min(264928) 20261122141200 Valid None
 group - [p1]
  p1.sys 150033 = 120.00 mm[Hg](266016) at [ART] 20261122141200 Valid None
  p1.dia 150034 = 79.50 mm[Hg](266016) at [ART] 20261122141200 Valid None
  p1.mean 150035 = 93.00 mm[Hg](266016) at [ART] 20261122141200 Valid None
  p1.hr [p1.hr] = 72 {beat}/min(264864) at [ART] 20261122141200 Valid None
 group - [t1]
  t1.temp 150372 = 36.60 Cel(268192) at [ESO] 20261122141200 Valid None
 group - [spo2]
  spo2.spo2 150456 = 97.50 %(262688) 20261122141200 Valid None
  spo2.pr 149530 = 72 {beat}/min(264864) 20261122141200 Valid None
  spo2.ir_amp [spo2.ir_amp] = -  20261122141200 NotAvailable(\"no valid data\") None
  spo2.so2 [spo2.so2] = - %(262688) at [SO2] 20261122141200 NotAvailable(\"no valid data\") None
 group - [aa]
  aa.et 152096 = 1.80 %(262688) at [SEV] 20261122141200 Valid None
  aa.fi 152180 = 2.10 %(262688) at [SEV] 20261122141200 Valid None
  aa.mac_sum [aa.mac_sum] = 0.90  20261122141200 Valid None
 group - [ecg_extra]
  ecg_extra.hr_ecg [ecg_extra.hr_ecg] = 72 {beat}/min(264864) 20261122141200 Valid None
  ecg_extra.hr_max [ecg_extra.hr_max] = - {beat}/min(264864) 20261122141200 NotAvailable(\"no valid data\") None
  ecg_extra.hr_min [ecg_extra.hr_min] = - {beat}/min(264864) 20261122141200 NotAvailable(\"no valid data\") None
 group - [nibp]
  nibp.sys 150021 = 118.00 mm[Hg](266016) once Valid None
  nibp.dia 150022 = 80.00 mm[Hg](266016) once Valid None
  nibp.mean 150023 = 91.00 mm[Hg](266016) once Valid None
  nibp.hr 149546 = - {beat}/min(264864) once NotAvailable(\"no valid data\") None
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
        let sys: Vec<_> = dump.text.lines().filter(|line| line.contains("nibp.sys")).collect();
        assert_eq!(sys.len(), 1, "{}", dump.text);
        assert!(sys[0].contains(" once "));
        told.push(sys[0].split(" = ").nth(1).unwrap().split(' ').next().unwrap().to_owned());
        assert_eq!(sys[0].contains("Ongoing"), told.len() == 5, "{}", sys[0]);
        pair.run(5);
    }
    assert_eq!(told, ["118.00", "-", "-", "-", "-", "118.00", "-"]);
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
            "  alarm.1 [alarm.1] = \"ART SYS HIGH\"  20261122141210 Valid High",
            "  alarm.2 [alarm.2] = \"CHECK ~ PROBE\"  20261122141210 Valid Low",
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
    pair.run(20);
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
        (Fault::LoseStart { frame: 2 }, 1),
        (Fault::LoseTail { frame: 2 }, 0),
        (Fault::WrongChecksum { frame: 2 }, 1),
        (Fault::Twice { frame: 2 }, -1),
    ];
    for (fault, lost) in faults {
        let mut pair = Pair::new(&script, &[fault]);
        pair.run(40);
        // A flag that opened no record is shared with the next one, so that a lost end costs nothing.
        assert_eq!(6 - i32::try_from(pair.gateway.kept).unwrap(), lost, "{fault:?}: {:?}", pair.gateway.notes);
        let told = pair.gateway.notes.iter().any(|note| note.starts_with("byte "));
        let silent = matches!(fault, Fault::LoseFrame { .. } | Fault::LoseTail { .. } | Fault::Twice { .. });
        assert!(told || silent, "{fault:?}: {:?}", pair.gateway.notes);
    }
}

#[test]
fn a_silent_monitor_is_forgotten_and_asked_for_ever() {
    let mut pair = Pair::new(FIRST, &[]);
    assert!(!pair.gateway.standing.is_empty());
    // Ten minutes: the monitor was switched off.
    pair.gateway.sent();
    pair.gateway.pass(Duration::from_secs(600));
    assert!(pair.gateway.standing.is_empty());
    assert!(pair.gateway.sent().len() / 51 > 50);
    assert_eq!(
        pair.gateway.notes.iter().filter(|note| note.contains("fell silent")).count(),
        1,
        "{:?}",
        pair.gateway.notes
    );
    let dump = interpret(&*profile().interpreter(), &pair.gateway.snapshot());
    assert_eq!(dump.text, "device 69965 GE|| silent true clock -\nend complete true\n");
    // It is on again: what it says holds, and the same cuff pressure counts anew.
    pair.gateway.bytes(&profile().example_bytes(FIRST));
    let dump = interpret(&*profile().interpreter(), &pair.gateway.snapshot());
    assert!(dump.text.contains("nibp.sys 150021 = 118.00") && dump.text.contains("silent false"));
}

#[test]
fn a_stale_value_is_none() {
    let mut pair = Pair::new(FIRST, &[]);
    pair.gateway.now = pair.gateway.now.after(Duration::from_secs(16));
    let dump = interpret(&*profile().interpreter(), &pair.gateway.snapshot());
    assert!(dump.text.contains("ecg.hr 147842 = - {beat}/min(264864) 20261122141200 NotAvailable(\"stale\")"));
    assert!(!dump.text.contains("Valid None"), "{}", dump.text);
}

#[test]
fn a_new_channel_begins_anew_and_a_cut_record_is_told() {
    let mut pair = Pair::new(FIRST, &[]);
    let half = profile().example_bytes(FIRST);
    pair.gateway.bytes(&half[..200]);
    pair.gateway.close();
    assert!(pair.gateway.notes[0].ends_with("the line ended in the middle of a record"), "{:?}", pair.gateway.notes);
    assert_eq!(pair.gateway.deadline, None);
    pair.gateway.sent();
    pair.gateway.open_another();
    assert_eq!(pair.gateway.sent().len(), 51);
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
    assert_eq!(pair.gateway.sent().len(), 51);
    // Without a channel there is nobody to tell.
    let mut rig = Rig::new(profile().session(&Instrument::default()));
    rig.close();
    rig.give(Input::Stop);
    assert!(rig.done);
    // A line on which nothing leaves does not hold the gateway back.
    let mut session = profile().session(&Instrument::default());
    session.handle(orugate_driver::time::Tick::ZERO, Input::Opened(orugate_driver::Channel(0), Peer::Tcp));
    session.handle(orugate_driver::time::Tick::ZERO, Input::Stop);
    while matches!(session.poll(), Output::Send(..)) {}
    let Output::Wait(Some(deadline)) = session.poll() else { panic!("no deadline") };
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
        let mut writer = orugate_driver::snapshot::Writer::new(
            &mut raw,
            orugate_driver::time::Utc(0),
            orugate_driver::time::Utc(1),
            false,
        );
        for slot in [1, 16, 17, 20] {
            writer.piece(
                orugate_driver::Slot(slot),
                orugate_driver::Lasts::UntilReplaced,
                orugate_driver::time::Utc(0),
                &bytes,
            );
        }
        interpret(&*interpreter, &raw);
    }
}
