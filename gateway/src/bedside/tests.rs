//! What becomes of measurements, message after message, with a driver that reads `name=value` from text.

use super::*;
use crate::config::{Absent, Nobodys};
use crate::convert::Corrections;
use orugate_driver::snapshot::Unit;
use orugate_driver::{Fault, Slot};
use orugate_protocol::oru::{Route, SampleIdIn};
use orugate_protocol::pcd;
use orugate_protocol::report::{At, Code, Device, End, Item, Marks, Measurement, Reading, ReportSink, Shown};
use orugate_protocol::span::Span;
use orugate_protocol::text::{Charset, Escapes, Text};
use orugate_protocol::time::{ClockQuality, DeviceTime};
use std::time::Duration;

/// 2026-11-22T09:00:00Z.
const NINE: i64 = 1_795_338_000_000_000;
const SECOND: i64 = 1_000_000;

/// Units are `bed=…`, `id=…`, `patient=…`, `clock=…`, or `name=value` with `!MARK` and `@time` behind it; a name that begins
/// with a capital letter is made now and then.
struct Words;

impl Interpreter for Words {
    fn interpret<'m>(
        &self,
        message: &StoredMessage<'m>,
        _: &mut Scratch<'m>,
        sink: &mut dyn ReportSink<'m>,
    ) -> Result<(), Fault> {
        // What is pushed has its parts between semicolons.
        let snapshot = snapshot::read(message.raw).ok();
        let pushed = message.raw.split(|byte| *byte == b';').filter(|_| snapshot.is_none());
        let pushed = pushed.map(|bytes| Unit { taken: true, received: message.received, bytes, offset: 0 });
        let pushed: Vec<Unit<'_>> = pushed.collect();
        let units = || {
            let units = snapshot.iter().flat_map(|snapshot| snapshot.units()).chain(pushed.iter().copied());
            units.filter_map(|unit| Some((unit, std::str::from_utf8(unit.bytes).ok()?.split_once('=')?)))
        };
        let find = |name: &str| units().find(|(_, (found, _))| *found == name);
        let said = |name: &str| find(name).map_or(Text::EMPTY, |(_, (_, value))| Text::plain(value));
        sink.item(Item::Device(Device {
            mds: 69965,
            location: said("bed"),
            patient: said("patient"),
            eui64: find("id").and_then(|(_, (_, id))| u64::from_str_radix(id, 16).ok()),
            clock: find("clock").map(|(unit, (_, time))| Shown {
                device: DeviceTime::parse(time.as_bytes()).unwrap(),
                received: unit.received,
            }),
            ..Device::default()
        }));
        for (unit, (name, rest)) in units() {
            if ["bed", "id", "patient", "clock"].contains(&name) {
                continue;
            }
            if name == "fault" {
                return Err(Fault::Structure { offset: 3, what: "this is a fault" });
            }
            let once = name.starts_with(char::is_uppercase);
            if once && !unit.taken {
                continue;
            }
            let (rest, time) = rest.split_once('@').unwrap_or((rest, ""));
            let (value, mark) = rest.split_once('!').unwrap_or((rest, ""));
            let value = Text::new(value.as_bytes(), Charset::Utf8, Escapes::None);
            sink.item(Item::Measurement(Measurement {
                code: Code { id: Text::plain(name), system: "99TEST", ..Code::default() },
                value: if value.is_empty() { Reading::Absent } else { Reading::Number(value) },
                marks: match mark {
                    "DEMO" => Marks::DEMO,
                    "INV" => Marks::INV,
                    "QUES" => Marks::QUES,
                    _ => Marks::NONE,
                },
                at: DeviceTime::parse(time.as_bytes()).map_or(At::Received, At::Device),
                received: unit.received,
                once,
                span: Span::new(unit.offset, unit.offset + unit.bytes.len()),
                ..Measurement::default()
            }));
        }
        sink.item(Item::End(End { complete: true }));
        Ok(())
    }
}

struct Numbered(u64);

impl Numbers for Numbered {
    fn next(&mut self) -> Option<u64> {
        self.0 += 1;
        Some(self.0)
    }
}

/// A device, message after message.
#[derive(Default)]
struct Rig {
    observer: Observer,
    rules: Rules,
    /// Messages of which something stands: number, source, when heard, bytes, when received.
    previous: Vec<(u64, u64, i64, Vec<u8>, Utc)>,
    count: u64,
    once: Vec<(u64, i64)>,
    numbers: u64,
    interpreter: Option<&'static dyn Interpreter>,
}

/// What came of one message.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    counts: Measured,
    why: String,
    /// OBX-3.4 or OBX-3.1, OBX-5, OBX-8, OBX-11, OBX-14 of each measurement.
    rows: Vec<String>,
    oru: String,
    /// Of other beds.
    others: Vec<String>,
}

impl Rig {
    /// The minute that ends at nine and so many seconds; units with their ages in seconds, those with a `*` taken.
    fn at(&mut self, seconds: i64, units: &[(u64, &str)]) -> Seen {
        let ended = Utc(NINE + seconds * SECOND);
        let mut raw = Vec::new();
        let mut writer = snapshot::Writer::new(&mut raw, Utc(ended.0 - 60 * SECOND), ended);
        for (age, unit) in units {
            if let Some(taken) = unit.strip_prefix('*') {
                writer.taken(Duration::from_secs(*age), taken.as_bytes());
            }
        }
        for (slot, (age, unit)) in (0..).zip(units.iter().filter(|(_, unit)| !unit.starts_with('*'))) {
            writer.current(Slot(slot), Duration::from_secs(*age), unit.as_bytes());
        }
        self.hear(&raw, ended)
    }

    fn hear(&mut self, raw: &[u8], received: Utc) -> Seen {
        fn stored(raw: &[u8], received: Utc) -> StoredMessage<'_> {
            StoredMessage {
                raw,
                chunk_ends: &[],
                complete: true,
                received,
                clock: ClockQuality::Synchronised,
            }
        }
        let target = Target {
            index: 0,
            name: "engine",
            route: Route {
                sending_application: "ORUGATE",
                sending_facility: "WARD",
                receiving_application: "ENGINE",
                receiving_facility: "HOSP",
                processing: 'P',
                acknowledgment: ("", ""),
                sample_id_in: SampleIdIn::Specimen,
                structured_numeric: false,
                patient: None,
                charset: Charset::Ascii,
            },
            record: false,
            corrections: Corrections::Corrected,
            suppress_resends: false,
            pcd: Some(pcd::Route {
                sending_application: "ORUGATE",
                sending_id: None,
                sending_facility: "WARD",
                receiving_application: "ENGINE",
                receiving_facility: "HOSP",
                processing: 'P',
                acknowledgment: pcd::ACKNOWLEDGMENT,
                profile: pcd::PROFILE,
                charset: Charset::Ascii,
                unknown_patient: pcd::UnknownPatient::Marked { id: "mon1", authority: "ORUGATE", kind: "U" },
                patient: Some(("HOSP", "MR")),
                patient_class: 'U',
                device_on_rows: false,
            }),
        };
        let known = self.previous.clone();
        let mut task = Task {
            interpreter: self.interpreter.unwrap_or(&Words),
            message: stored(raw, received),
            previous: &[],
            instrument: "mon1",
            targets: &[target],
            gateway: "GW01",
            zone: &TimeZone::UTC,
            site_zone: &TimeZone::UTC,
            key: &[7; 16],
            rules: &self.rules,
            once: &self.once,
            now: received,
        };
        let mut numbers = Numbered(self.numbers);
        let of = self.observer.source(&task);
        let known =
            known.iter().filter(|(_, source, heard, ..)| Previous::is_compared(&task, of, *source, *heard));
        let previous: Vec<Previous<'_>> = known
            .map(|(number, _, _, raw, at)| Previous { number: *number, message: stored(raw, *at) })
            .collect();
        task.previous = &previous;
        let found = self.observer.observe(&task, &mut numbers);
        let orus = found.orus.iter().map(|oru| String::from_utf8(found.bytes(oru).to_vec()).unwrap());
        let mut orus: Vec<String> = orus.collect();
        let oru = orus.pop();
        self.numbers = numbers.0;
        let (stands, source, settled) = (found.stands, found.source, found.settled.to_vec());
        let once = found.once.to_vec();
        let seen = Seen {
            counts: found.counts,
            why: found.why.to_owned(),
            rows: oru.iter().flat_map(|oru| rows(oru)).collect(),
            oru: oru.unwrap_or_default(),
            others: orus,
        };
        self.once.retain(|(hash, _)| once.iter().all(|(new, _)| new != hash));
        self.once.extend(once);
        self.previous.retain(|(number, ..)| !settled.contains(number));
        for (_, of, heard, ..) in &mut self.previous {
            if *of == source {
                *heard = received.0;
            }
        }
        self.count += 1;
        if stands {
            self.previous.push((self.count, source, received.0, raw.to_vec(), received));
        }
        seen
    }
}

fn rows(oru: &str) -> Vec<String> {
    let fields = |row: &str| row.split('|').map(str::to_owned).collect::<Vec<_>>();
    let field = |row: &[String], at: usize| row.get(at).cloned().unwrap_or_default();
    oru.split('\r')
        .filter(|row| row.starts_with("OBX"))
        .map(fields)
        .filter(|row| !field(row, 4).ends_with(".0"))
        .map(|row| {
            let [code, value, flags, status, at] = [3, 5, 8, 11, 14].map(|at| field(&row, at));
            let code = code.split('^').next().unwrap_or_default().to_owned();
            let at = at.get(8..14).unwrap_or_default().to_owned();
            [code, value, flags, status, at].join("|")
        })
        .collect()
}

const fn counts(sent: u32, absent: u32, left: u32, repeat: u32, withdrawn: u32) -> Measured {
    Measured { sent, absent, left, repeat, superseded: 0, withdrawn }
}

#[test]
fn each_value_goes_with_its_own_time_and_what_is_none_goes_as_none() {
    let mut rig = Rig::default();
    let seen =
        rig.at(0, &[(1, "hr=80"), (2, "spo2="), (3, "rr=12!INV"), (0, "t=37.10!QUES"), (11, "art=90")]);
    assert_eq!(
        seen.rows,
        [
            "hr|80||R|085959",
            "spo2||NI|X|085958",
            "rr||INV|X|085957",
            "t|37.10|QUES|R|090000",
            "art||NAV|X|085949"
        ]
    );
    assert_eq!(seen.counts, counts(2, 3, 0, 0, 0));
    assert!(seen.oru.contains("|GW010000000000000001|P|2.6|"), "{}", seen.oru);
    rig.rules.absent = Absent::Omit;
    // What had a value is withdrawn once whatever the site thinks of what is absent, listed or not.
    let seen = rig.at(60, &[(1, "hr="), (2, "spo2="), (11, "art=90")]);
    assert_eq!(seen.rows[0], "hr||NAV|X|090059");
    assert!(seen.rows[1].starts_with("t||") && seen.rows[1].contains("NAV|X|"), "{:?}", seen.rows);
    assert_eq!(seen.counts, counts(0, 1, 2, 0, 1));
    let seen = rig.at(120, &[(1, "hr="), (2, "spo2="), (11, "art=90")]);
    assert_eq!((seen.oru.as_str(), seen.counts), ("", counts(0, 0, 3, 0, 0)));
}

#[test]
fn what_the_device_does_not_list_any_more_is_withdrawn_once() {
    let mut rig = Rig::default();
    rig.at(0, &[(0, "hr=80"), (0, "spo2=97")]);
    let seen = rig.at(60, &[(0, "hr=81")]);
    assert_eq!(seen.rows[0], "hr|81||R|090100");
    assert!(seen.rows[1].starts_with("spo2||NAV|X|"), "{:?}", seen.rows);
    assert_eq!(rig.at(120, &[(0, "hr=82")]).rows, ["hr|82||R|090200"]);
    // What is silent withdraws all, also the second time that it is said.
    for seconds in [180, 780] {
        let seen = rig.at(seconds, &[]);
        assert_eq!(seen.counts, counts(0, 0, 0, 0, 1));
        assert!(seen.rows[0].starts_with("hr||NAV|X|"), "{:?}", seen.rows);
    }
    assert_eq!(Rig::default().at(0, &[]).oru, "", "nothing is known of a device that never spoke");
}

#[test]
fn a_demonstration_is_nobodys() {
    for (nobodys, rows) in [
        (Nobodys::X, vec!["hr||DEMO|X|090000"]),
        (Nobodys::Flag, vec!["hr|80|DEMO|R|090000"]),
        (Nobodys::Omit, vec![]),
    ] {
        let mut rig = Rig { rules: Rules { nobodys, ..Rules::default() }, ..Rig::default() };
        assert_eq!(rig.at(0, &[(0, "hr=80!DEMO")]).rows, rows);
    }
}

#[test]
fn what_is_made_now_and_then_goes_once_for_each_time() {
    let mut rig = Rig::default();
    let cuff = "Nibp=120@20261122085830";
    let seen = rig.at(0, &[(20, &format!("*{cuff}")), (0, cuff), (0, "hr=80")]);
    assert_eq!(seen.rows, ["Nibp|120||R|085830", "hr|80||R|090000"]);
    // After a restart the session says it again.
    let seen = rig.at(60, &[(3, &format!("*{cuff}")), (0, "hr=80")]);
    assert_eq!((seen.rows.len(), seen.counts), (1, counts(1, 0, 0, 1, 0)));
    let seen = rig.at(120, &[(3, "*Nibp=120@20261122090155"), (2, "*Nibp=121@20261122090156"), (0, "hr=80")]);
    assert_eq!(seen.rows[..2], ["Nibp|120||R|090155", "Nibp|121||R|090156"]);
    // Without a time of the device the same value some seconds later is the same one, and minutes later another.
    assert_eq!(rig.at(180, &[(3, "*Co=5.1")]).rows.len(), 2, "and hr is withdrawn");
    assert_eq!(rig.at(240, &[(3, "*Co=5.1")]).counts.repeat, 1);
    assert_eq!(rig.at(420, &[(3, "*Co=5.1")]).counts.sent, 1);
}

#[test]
fn a_device_time_counts_from_what_its_clock_showed() {
    let mut rig = Rig::default();
    // Its clock is 90 minutes ahead.
    let seen = rig.at(0, &[(0, "clock=20261122103000"), (5, "*Nibp=120@20261122102930"), (0, "hr=80")]);
    assert_eq!(seen.rows, ["Nibp|120||R|085930", "hr|80||R|090000"]);
    // One that cannot be right is when it came.
    let seen = rig.at(60, &[(5, "*Nibp=125@20071231102930"), (0, "hr=80")]);
    assert_eq!(seen.rows[0], "Nibp|125||R|090055");
}

#[test]
fn another_device_or_bed_than_configured_sends_nothing() {
    let rules = Rules {
        beds: vec![("BED12".to_owned(), "ICU^12^1^HOSP".to_owned())],
        device_id: Some(0x0009_FBFF_FE01_0203),
        ..Rules::default()
    };
    let mut rig = Rig { rules, ..Rig::default() };
    let seen = rig.at(0, &[(0, "bed=BED12"), (0, "id=0009FBFFFE010203"), (0, "hr=80")]);
    assert!(seen.oru.contains("ICU^12^1^HOSP"), "{}", seen.oru);
    let seen = rig.at(60, &[(0, "bed=BED14"), (0, "hr=80")]);
    assert_eq!(seen.why, "the device says a bed that is not in `beds`");
    // What was said of the bed where it stood is withdrawn there, once.
    assert_eq!((seen.counts, seen.rows), (counts(0, 0, 1, 0, 1), vec!["hr||NAV|X|090000".to_owned()]));
    assert!(seen.oru.contains("ICU^12^1^HOSP"), "{}", seen.oru);
    let seen = rig.at(120, &[(0, "bed=BED12"), (0, "id=0009FBFFFE010204"), (0, "hr=80")]);
    assert!(seen.why.contains("0009FBFFFE010204"), "{}", seen.why);
    assert_eq!((seen.counts, seen.oru.as_str()), (counts(0, 0, 1, 0, 0), ""));
    assert_eq!(rig.at(180, &[(0, "bed=BED12"), (0, "t=37")]).rows, ["t|37||R|090300"]);
}

#[test]
fn what_was_said_at_another_bed_is_withdrawn_there_before_it_goes_to_the_new_one() {
    let mut rig = Rig::default();
    rig.at(0, &[(0, "bed=ICU-7"), (0, "hr=80"), (0, "spo2=97"), (0, "*Nibp=125")]);
    let seen = rig.at(60, &[(0, "bed=ICU-8"), (0, "hr=81"), (0, "*Nibp=125")]);
    let [left] = &seen.others[..] else { panic!("{:?}", seen.others) };
    assert!(left.contains("|^^ICU-7\r") && !left.contains("ICU-8"), "{left}");
    // A cuff pressure is of the time when it was taken, and that does not change.
    assert_eq!(rows(left), ["hr||NAV|X|090000", "spo2||NAV|X|090000"]);
    assert!(seen.oru.contains("|^^ICU-8\r"), "{}", seen.oru);
    assert_eq!((seen.counts, seen.rows), (counts(1, 0, 0, 1, 2), vec!["hr|81||R|090100".to_owned()]));
    let seen = rig.at(120, &[(0, "bed=ICU-8"), (0, "hr=82")]);
    assert_eq!((seen.counts, seen.others), (counts(1, 0, 0, 0, 0), Vec::<String>::new()));
    // From one listed bed to another, it is the same.
    rig.rules.beds = vec![("ICU-8".into(), "ICU^8^1".into()), ("ICU-9".into(), "ICU^9^1".into())];
    let seen = rig.at(180, &[(0, "bed=ICU-9"), (0, "hr=83")]);
    assert!(seen.others[0].contains("|ICU^8^1\r") && seen.oru.contains("|ICU^9^1\r"), "{seen:?}");
    // Where the site says that it stands always at one place, its own words move nothing.
    rig.rules = Rules { location: "ICU^1".into(), ..Rules::default() };
    rig.at(240, &[(0, "bed=ICU-9"), (0, "hr=84")]);
    let seen = rig.at(300, &[(0, "bed=ICU-7"), (0, "hr=85")]);
    assert_eq!((seen.counts, seen.others), (counts(1, 0, 0, 0, 0), Vec::<String>::new()));
}

#[test]
fn what_was_said_of_another_patient_is_withdrawn_where_patients_go_along() {
    let mut rig = Rig { rules: Rules { send_patient: true, ..Rules::default() }, ..Rig::default() };
    rig.at(0, &[(0, "patient=INVENTED-1"), (0, "hr=80")]);
    let seen = rig.at(60, &[(0, "patient=INVENTED-2"), (0, "hr=81")]);
    assert!(seen.others[0].contains("|INVENTED-1^^^HOSP^MR|") && !seen.others[0].contains("INVENTED-2"));
    assert!(seen.oru.contains("|INVENTED-2^^^HOSP^MR|") && !seen.oru.contains("INVENTED-1"));
    rig.rules.send_patient = false;
    assert_eq!(rig.at(120, &[(0, "patient=INVENTED-1"), (0, "hr=82")]).others, Vec::<String>::new());
}

#[test]
fn the_devices_patient_goes_along_only_when_the_site_says_so() {
    let mut rig = Rig::default();
    let units = [(0, "patient=INVENTED-1"), (0, "hr=80")];
    assert!(!rig.at(0, &units).oru.contains("INVENTED-1"));
    rig.rules.send_patient = true;
    assert!(rig.at(60, &units).oru.contains("|INVENTED-1^^^HOSP^MR|"));
}

#[test]
fn what_a_driver_cannot_read_is_not_half_sent() {
    let mut rig = Rig::default();
    rig.at(0, &[(0, "hr=80"), (0, "spo2=97")]);
    let seen = rig.at(60, &[(0, "hr=80"), (0, "fault=1"), (0, "spo2=97")]);
    assert_eq!(seen.counts, counts(0, 0, 1, 0, 2), "what holds no more is not known either");
    assert_eq!(seen.why, "its driver cannot read it: this is a fault, at byte 3");
    assert_eq!(rig.at(120, &[(0, "hr=80"), (0, "spo2=97")]).rows.len(), 2);
}

#[test]
fn the_same_two_messages_give_the_same_bytes() {
    let both = || {
        let mut rig = Rig::default();
        rig.at(0, &[(0, "hr=80"), (0, "spo2=97")]);
        rig.at(60, &[(0, "hr=81")]).oru
    };
    assert_eq!(both(), both());
}

/// What is pushed has no snapshot around it: parts with a bar between them.
struct Pushed;

impl Interpreter for Pushed {
    fn interpret<'m>(
        &self,
        message: &StoredMessage<'m>,
        _: &mut Scratch<'m>,
        sink: &mut dyn ReportSink<'m>,
    ) -> Result<(), Fault> {
        if snapshot::read(message.raw).is_ok() {
            return Ok(());
        }
        let parts =
            || std::str::from_utf8(message.raw).unwrap().split('|').filter_map(|part| part.split_once('='));
        let bed = parts().find(|(name, _)| *name == "bed").map_or("", |(_, bed)| bed);
        sink.item(Item::Device(Device { mds: 69965, location: Text::plain(bed), ..Device::default() }));
        for (name, value) in parts().filter(|(name, _)| *name != "bed") {
            sink.item(Item::Measurement(Measurement {
                code: Code { id: Text::plain(name), system: "99TEST", ..Code::default() },
                value: Reading::Number(Text::plain(value)),
                received: message.received,
                once: name.starts_with(char::is_uppercase),
                ..Measurement::default()
            }));
        }
        sink.item(Item::End(End { complete: true }));
        Ok(())
    }
}

impl Rig {
    /// With an interval of ten seconds.
    fn pushing() -> Self {
        let rules = Rules {
            interval: Duration::from_secs(10),
            stale_after: Duration::from_secs(30),
            ..Rules::default()
        };
        Self { rules, interpreter: Some(&Pushed), ..Self::default() }
    }

    fn push(&mut self, seconds: i64, message: &str) -> Seen {
        self.hear(message.as_bytes(), Utc(NINE + seconds * SECOND))
    }
}

fn values(oru: &str) -> Vec<String> {
    let of = |row: &String| row.split('|').take(2).collect::<Vec<_>>().join("=");
    rows(oru).iter().map(of).collect()
}

#[test]
fn of_what_is_pushed_one_of_each_interval_goes_and_what_it_lacks_is_withdrawn() {
    let mut rig = Rig::pushing();
    assert_eq!(values(&rig.push(0, "hr=80|spo2=97").oru), ["hr=80", "spo2=97"]);
    for second in 1..10 {
        let seen = rig.push(second, "hr=81|spo2=98");
        assert_eq!((seen.oru.as_str(), seen.counts.superseded), ("", 2));
    }
    // The oximeter was pulled off.
    let seen = rig.push(10, "hr=82");
    assert_eq!((values(&seen.oru), seen.counts.withdrawn), (vec!["hr=82".to_owned(), "spo2=".to_owned()], 1));
    let seen = rig.push(20, "hr=83");
    assert_eq!((values(&seen.oru), seen.counts.withdrawn), (vec!["hr=83".to_owned()], 0));
}

#[test]
fn what_a_device_pushes_in_parts_is_no_withdrawal_of_the_others() {
    let mut rig = Rig::pushing();
    for at in [0, 10, 20] {
        assert_eq!(values(&rig.push(at, "hr=80|rr=12").oru), ["hr=80", "rr=12"]);
        assert_eq!(values(&rig.push(at + 1, "spo2=97").oru), ["spo2=97"], "not superseded by the other part");
        assert_eq!(rig.push(at + 2, "spo2=96").counts.superseded, 1);
        // Nothing stands in it.
        assert_eq!(rig.push(at + 3, "").oru, "");
    }
    // Silence withdraws both parts.
    let mut raw = Vec::new();
    let _ = snapshot::Writer::new(&mut raw, Utc(NINE), Utc(NINE + 60 * SECOND));
    let seen = rig.hear(&raw, Utc(NINE + 60 * SECOND));
    assert_eq!(
        (values(&seen.oru), seen.counts.withdrawn),
        (["hr=", "rr=", "spo2="].map(str::to_owned).to_vec(), 3)
    );
}

#[test]
fn beds_of_one_connection_are_kept_apart() {
    let mut rig = Rig::pushing();
    let mut beds = |at: i64, which: &[&str]| -> Vec<Seen> {
        which.iter().map(|bed| rig.push(at, &format!("bed={bed}|hr=80|spo2=97"))).collect()
    };
    for at in [0, 10] {
        for seen in beds(at, &["B1", "B2"]) {
            assert_eq!((seen.counts.sent, seen.counts.withdrawn), (2, 0));
        }
    }
    // B2 is not heard any more; B1 goes on.
    assert!(beds(20, &["B1"])[0].others.is_empty());
    let seen = beds(50, &["B1"]).remove(0);
    assert!(seen.oru.contains("^^B1") && seen.counts == counts(2, 0, 0, 0, 2), "{seen:?}");
    assert!(seen.others.len() == 1 && seen.others[0].contains("^^B2"), "{seen:?}");
    assert_eq!(values(&seen.others[0]), ["hr=", "spo2="]);
    assert!(beds(60, &["B1"])[0].others.is_empty(), "said once");
}

#[test]
fn a_cuff_pressure_that_is_shown_on_and_on_goes_once() {
    let mut rig = Rig::pushing();
    assert_eq!(values(&rig.push(0, "hr=80|Nibp=120").oru), ["hr=80", "Nibp=120"]);
    for at in (1..900).step_by(10) {
        assert_eq!(rig.push(at, "hr=80|Nibp=120").counts.repeat, 1, "{at}");
    }
    assert!(values(&rig.push(905, "hr=80|Nibp=121").oru).contains(&"Nibp=121".to_owned()));
}
