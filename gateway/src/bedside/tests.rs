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
    previous: Option<Vec<u8>>,
    once: Vec<(u64, i64)>,
    numbers: u64,
    /// When the last message came of which something was sent.
    sent: Option<i64>,
}

/// What came of one message.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    counts: Measured,
    why: String,
    /// OBX-3.4 or OBX-3.1, OBX-5, OBX-8, OBX-11, OBX-14 of each measurement.
    rows: Vec<String>,
    oru: String,
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
        let previous = self.previous.clone();
        let task = Task {
            interpreter: &Words,
            message: stored(raw, received),
            previous: previous.as_deref().map(|raw| stored(raw, received)),
            instrument: "mon1",
            targets: &[target],
            gateway: "GW01",
            zone: &TimeZone::UTC,
            site_zone: &TimeZone::UTC,
            key: &[7; 16],
            rules: &self.rules,
            once: &self.once,
            sent: self.sent.unwrap_or(i64::MIN),
            now: received,
        };
        let mut numbers = Numbered(self.numbers);
        let found = self.observer.observe(&task, &mut numbers);
        let oru = found.orus.first().map(|oru| String::from_utf8(found.bytes(oru).to_vec()).unwrap());
        self.numbers = numbers.0;
        let (speaks, once) = (found.speaks, found.once.to_vec());
        let seen = Seen {
            counts: found.counts,
            why: found.why.to_owned(),
            rows: oru.iter().flat_map(|oru| rows(oru)).collect(),
            oru: oru.unwrap_or_default(),
        };
        self.once.extend(once);
        if seen.counts.sent + seen.counts.absent + seen.counts.withdrawn > 0 {
            self.sent = Some(received.0);
        }
        if speaks {
            self.previous = Some(raw.to_vec());
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

#[test]
fn of_what_is_pushed_the_first_in_each_interval_goes_and_what_was_taken_always() {
    let mut rig = Rig::default();
    let mut push = |seconds: i64, text: &str| rig.hear(text.as_bytes(), Utc(NINE + seconds * SECOND));
    let seen = push(1, "hr=80;spo2=97");
    assert_eq!((seen.rows.len(), seen.counts), (2, counts(2, 0, 0, 0, 0)));
    let seen = push(21, "hr=81;spo2=98");
    assert_eq!((seen.oru.as_str(), seen.counts), ("", Measured { superseded: 2, ..Measured::default() }));
    let seen = push(41, "hr=82;Nibp=120@20261122090030");
    assert_eq!(seen.rows, ["Nibp|120||R|090030"]);
    assert_eq!(seen.counts, Measured { sent: 1, superseded: 1, ..Measured::default() });
    // The next one has a part of what it says, and nothing of the rest is withdrawn for that.
    let seen = push(61, "hr=83;Nibp=120@20261122090030");
    assert_eq!((seen.rows, seen.counts), (vec!["hr|83||R|090101".to_owned()], counts(1, 0, 0, 1, 0)));
}
