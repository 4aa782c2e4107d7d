//! PCD-01 before an outside judge: `check_pcd.py`, which has none of Orugate's code.
//!
//! Promises: what `PcdWriter` makes of devices, groups and measurements of all kinds passes; every term of the MDC table with
//! every unit that it takes does; so does what goes out by default of each profile's examples and of the recordings; and each
//! way to break a good message fails with the words that name it. Needs `ORUGATE_PYTHON`, which `tests/run` sets.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use orugate::replay::{How, hear, replay};
use orugate_driver::{Feed, Profile};
use orugate_protocol::mdc;
use orugate_protocol::oru::{Local, Zone};
use orugate_protocol::pcd::{ACKNOWLEDGMENT, PROFILE, PcdWriter, Plan, Route, UnknownPatient};
use orugate_protocol::report::{
    Alarm, At, Code, Device, Group, Item, Kind, Marks, Measurement, Priority, Reading, ReportSink as _, Side,
    Unit,
};
use orugate_protocol::text::{Charset, Text};
use orugate_protocol::time::{DeviceTime, Utc};
use orugate_tests::corpus::corpus;
use orugate_tests::oru::control_id;
use orugate_tests::python;

struct Berlin;

impl Zone for Berlin {
    fn at(&self, _: Utc) -> i16 {
        60
    }
    fn of(&self, _: &DeviceTime) -> Local {
        Local::Offset(60)
    }
}

const ENDED: Utc = Utc(1_795_338_900_000_000);
const MARKED: UnknownPatient<'_> = UnknownPatient::Marked { id: "MON1", authority: "EDGEGW", kind: "U" };

/// One message in its frame; `number` makes its MSH-10.
fn written(number: usize, unknown_patient: UnknownPatient<'_>, items: &[Item<'_>]) -> Vec<u8> {
    let route = Route {
        sending_application: "EDGEGW",
        sending_id: Some(0x0011_2233_4455_6677),
        sending_facility: "HOSP",
        receiving_application: "CENTRAL",
        receiving_facility: "HOSP",
        processing: 'T',
        acknowledgment: ACKNOWLEDGMENT,
        profile: PROFILE,
        charset: Charset::Utf8,
        unknown_patient,
        patient: Some(("HOSP", "MR")),
        patient_class: 'U',
        device_on_rows: false,
    };
    let plan = Plan {
        control_id: &format!("GW01{number:016}"),
        filler: &format!("{number}"),
        instrument: "MON1",
        device_id: Some(0x00A0_B0C0_D0E0_F001),
        location: "ICU^12^1^HOSP",
        created: Utc(ENDED.0 + 5_000_000),
        began: Utc(ENDED.0 - 60_000_000),
        ended: ENDED,
    };
    let mut buffer = vec![0; 1 << 20];
    let mut writer = PcdWriter::new(&route, &plan, &Berlin, &mut buffer);
    for item in items {
        writer.item(*item);
    }
    [b"\x0B", writer.finish().unwrap(), b"\x1C\r"].concat()
}

fn judged(python: &std::ffi::OsStr, name: &str, frames: &[u8]) -> (String, bool) {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, frames).unwrap();
    python::check_pcd(python, &file).unwrap()
}

fn group(vmd: u32, channel: u32, vmd_place: u16, channel_place: u16) -> Item<'static> {
    Item::Group(Group { vmd, channel, vmd_place, channel_place, ..Group::default() })
}

fn value<'m>(term: u32, value: Reading<'m>, unit: u32) -> Measurement<'m> {
    Measurement {
        term,
        code: Code {
            id: Text::plain("4182"),
            name: Text::plain("a^b|c µ"),
            system: "99ACME",
            ..Code::default()
        },
        value,
        unit: Unit { mdc: unit, text: Text::plain("as|sent") },
        received: ENDED,
        ..Measurement::default()
    }
}

#[test]
fn every_kind_of_message_passes() {
    let Some(python) = python::python() else { return };
    let number = |text| Reading::Number(Text::plain(text));
    let device = Item::Device(Device {
        mds: 69_965,
        serial: Text::plain("SN^1"),
        model: Text::plain("M|1"),
        patient: Text::plain("000-TEST-1"),
        ..Device::default()
    });
    let mut all = vec![
        device,
        Item::Measurement(value(0, number("1"), 0)),
        group(69_798, 0, 1, 1),
        group(69_854, 69_855, 13, 1),
    ];
    for bits in [
        Marks::NONE,
        Marks::INV,
        Marks::QUES,
        Marks::NAV,
        Marks::CAL,
        Marks::TEST,
        Marks::DEMO,
        Marks::VALIDATED,
        Marks::EARLY,
        Marks::BUSY,
        Marks::OFF,
        Marks::NI,
        Marks::OVER,
        Marks::UNDER,
        Marks::ALINH,
    ] {
        for side in [Side::Unknown, Side::Low, Side::High] {
            let m = value(150_033, number("-97.50"), 266_016);
            let alarm = (side != Side::Unknown).then_some(Alarm { side, priority: Priority::Medium });
            let (low, high) = (Text::plain("-5"), Text::plain("120"));
            let (marks, kind) = (bits | Marks::ALINH, Kind::Set);
            all.push(Item::Measurement(Measurement { marks, alarm, low, high, kind, ..m }));
        }
    }
    let (name, id) = (Text::plain("V^1"), Text::plain("C&1"));
    all.push(Item::Group(Group { vmd_place: 2, channel_place: 7, name, id, ..Group::default() }));
    for (term, reading) in [
        (0, number("<5")),
        (192_549, Reading::Words(Text::plain("two\r\nlines"))),
        (184_352, Reading::Coded(184_364, Text::plain("SIMV"))),
        (184_352, Reading::Coded(0, Text::plain("SIMV"))),
        (184_352, Reading::Coded(192_999, Text::plain("SIMV"))),
        (150_033, Reading::Absent),
        (150_033, Reading::Words(Text::EMPTY)),
    ] {
        let unit = if matches!(reading, Reading::Coded(..)) { 0 } else { 266_016 };
        let (site, label) = (if unit == 0 { 460_500 } else { 0 }, Text::plain("ART"));
        let at = At::Device(DeviceTime::parse(b"20261122101213").unwrap());
        let method = Text::plain("APERIODIC");
        let m = value(term, reading, unit);
        let sent = if unit == 0 { Text::EMPTY } else { m.unit.text };
        let unit = Unit { mdc: unit, text: sent };
        all.push(Item::Measurement(Measurement { site, label, at, method, unit, ..m }));
    }
    // And once more what is in no group, as vanished things come behind all others.
    all.extend([group(0, 0, 0, 0), Item::Measurement(value(0, Reading::Absent, 0))]);
    let nobody =
        [Item::Device(Device { mds: 1, ..Device::default() }), Item::Measurement(value(0, number("7"), 0))];
    let frames = [
        written(1, MARKED, &all),
        written(2, UnknownPatient::NoSegment, &nobody),
        written(3, MARKED, &nobody),
    ];
    assert_eq!(judged(&python, "pcd-kinds", &frames.concat()), ("3 passed, 0 failed\n".into(), true));
    // PID without an id is what some receivers want, and hl7apy's only complaint of it.
    let (said, _) = judged(&python, "pcd-no-id", &written(5, UnknownPatient::NoId, &nobody));
    assert_eq!(said, "message 1 hl7apy: Missing required child PID.PID_3\n0 passed, 1 failed\n");
}

/// Each term and unit of the arrays, before a reader of the files.
#[test]
fn every_term_passes_with_each_of_its_units() {
    let Some(python) = python::python() else { return };
    let measured = |code: u32| matches!(code >> 16, 2 | 258);
    let mut items = vec![Item::Device(Device { mds: 69_965, ..Device::default() })];
    let (mut count, mut groups) = (0, 0);
    for term in mdc::terms() {
        let number = Reading::Number(Text::plain("1"));
        if measured(term.code) {
            let units = [term.units, term.device_units].concat();
            count += units.len();
            let units = if units.is_empty() { vec![0] } else { units };
            for unit in units {
                items.push(Item::Measurement(value(term.code, number, unit)));
            }
        } else if term.code >> 16 == 7 {
            let m = value(150_033, number, 0);
            items.push(Item::Measurement(Measurement { site: term.code, ..m }));
        } else if term.refid.ends_with("_VMD") {
            groups += 1;
            items.push(group(term.code, term.code + 1, groups, 1));
            items.push(Item::Measurement(value(0, number, 0)));
        }
    }
    assert!(count > 1000, "{count}");
    let mut frames = Vec::new();
    for (n, part) in items.chunks(400).enumerate() {
        frames.extend(written(n, MARKED, &[&items[..1], part].concat()));
    }
    let (said, passed) = judged(&python, "pcd-table", &frames);
    assert!(passed, "{said}");
}

/// What is replaced in a good message, by what, and a line that the checker must then print.
const BROKEN: &[(&str, &str, &str)] = &[
    ("|T|2.6|", "|T|2.5.1|", "MSH[1]-12: version is '2.5.1'"),
    ("|AL|NE|", "|XX|NE|", "MSH[1]-15: acknowledgment is 'XX'"),
    ("IHE_PCD_001^IHE PCD^1.3", "IHE_PCD_001^IHE PCD^a.3", "MSH[1]-21: profile is"),
    ("PV1||U|", "PV1||||", "PV1[1]-2: patient class is empty"),
    ("PID|||MON1^", "PID|||^", "PID[1]-3: patient id has an authority and no id"),
    ("PID|||MON1^^^EDGEGW^U", "PID|||", "hl7apy: Missing required child PID.PID_3"),
    ("OBX|1||69965^", "OBX|2||69965^", "OBX[1]-1: set id is '2', not 1"),
    (
        "69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS",
        "69966^MDC_DEV_MON_PHYSIO_MULTI_PARAM_VMD",
        "OBX[1]-3: 69966 is no device term of level 1",
    ),
    ("|1.1.0.0|||||||X", "|1.1.0.0|||||||R", "OBX[2]-11: a row of the tree has status 'R'"),
    ("|1.1.0.0||", "|1.1.0.0|1|", "OBX[2]-5: a row of the tree has a value"),
    ("|1.1.0.0|", "|1.2.0.0|", "OBX[3]-4: 1.1.1.0 stands before 1.1.0.0"),
    ("|1.1.1.2|", "|1.1.1.1|", "OBX[5]-4: same place as OBX[4]"),
    ("|1.1.1.2|", "|1.1.2|", "OBX[5]-4: '1.1.2' is no place in the tree"),
    ("|1.1.1.2|97", "|1.1.1.2|9,7", "OBX[5]-5: NM is not a number: '9,7'"),
    ("OBX|5|NM|", "OBX|5||", "OBX[5]-2: value without a type: '97'"),
    ("|QUES|||R", "|QUES|||X", "OBX[5]-11: status is 'X' with value '97'"),
    ("|QUES|||R", "|INV|||R", "OBX[5]-8: INV beside a value"),
    ("|QUES|||R", "|ODD|||R", "OBX[5]-8: 'ODD' is no measurement status"),
    ("|1.1.1.2|97", "|1.1.1.2|", "OBX[5]-11: status is 'R' with value ''"),
    (
        "150456^MDC_PULS_OXIM_SAT_O2",
        "150457^MDC_PULS_OXIM_SAT_O2",
        "OBX[5]-3: code: code 150457 is not in the table",
    ),
    (
        "150456^MDC_PULS_OXIM_SAT_O2",
        "150456^MDC_PULS_OXIM_SAT",
        "OBX[5]-3: code: 150456 is MDC_PULS_OXIM_SAT_O2",
    ),
    ("150456^MDC_PULS_OXIM_SAT_O2", "192549^MDC_ELASTANCE", "OBX[5]-3: code: code 192549 is private"),
    (
        "150456^MDC_PULS_OXIM_SAT_O2",
        "69642^MDC_DEV_ANALY_SAT_O2_VMD",
        "OBX[5]-3: MDC_DEV_ANALY_SAT_O2_VMD is nothing that is measured",
    ),
    (
        "262688^MDC_DIM_PERCENT^MDC^%^%",
        "266016^MDC_DIM_MMHG^MDC^mm[Hg]^mm[Hg]",
        "OBX[5]-6: MDC_DIM_MMHG is no unit of MDC_PULS_OXIM_SAT_O2",
    ),
    (
        "262688^MDC_DIM_PERCENT^MDC^%^%",
        "262688^MDC_DIM_PERCENT^MDC^{beat}/min^%",
        "OBX[5]-6: MDC_DIM_PERCENT is % in UCUM",
    ),
    ("262688^MDC_DIM_PERCENT", "262689^MDC_DIM_PERCENT", "OBX[5]-6: unit: code 262689 is not in the table"),
    (
        "R|||20261122101213+0100",
        "R|||20261122101213",
        "OBX[5]-14: '20261122101213' is no time with an offset",
    ),
    ("460500^MDC_UPEXT_FINGER", "460500^MDC_UPEXT_TOE", "OBX[5]-20: site: 460500 is MDC_UPEXT_FINGER"),
    ("MDC_UPEXT_FINGER^MDC", "MDC_UPEXT_FINGER", "OBX[5]-20: code '460500' of system ''"),
    ("PULS_RATE^MDC^4182^", "PULS_RATE^MDC^^", "OBX[4]-3: code '' of system '99ACME'"),
    ("|20261122101400+0100|", "|20261122101400|", "OBR[1]-7: '20261122101400' is no time with an offset"),
    (
        "X|||||||MON1^^00A0B0C0D0E0F001",
        "X|||||||MON1^^00a0",
        "OBX[1]-18: '00a0' of type 'EUI-64' is no EUI-64",
    ),
    ("20261122101400+0100|", "20261122101600+0100|", "OBR[1]-7: interval is"),
    ("182777000^monitoring", "182777001^monitoring", "OBR[1]-4: order is"),
    ("PID|||", "NTE|||", "NTE[1]: segment order: NTE after MSH"),
    ("GW01", "\u{0B}GW01", "frame: byte 0x0B at offset"),
];

#[test]
fn each_broken_message_fails_with_its_reason() {
    let Some(python) = python::python() else { return };
    let number = |text| Reading::Number(Text::plain(text));
    let items = [
        Item::Device(Device { mds: 69_965, ..Device::default() }),
        group(69_642, 69_643, 1, 1),
        Item::Measurement(Measurement { place: 1, ..value(149_530, number("80"), 264_864) }),
        Item::Measurement(Measurement {
            place: 2,
            marks: Marks::QUES,
            site: 460_500,
            at: At::Device(DeviceTime::parse(b"20261122101213").unwrap()),
            ..value(150_456, number("97"), 262_688)
        }),
    ];
    let good = String::from_utf8(written(999, MARKED, &items)).unwrap();
    assert_eq!(judged(&python, "pcd-good", good.as_bytes()), ("1 passed, 0 failed\n".into(), true));
    let mut frames = Vec::new();
    for (n, (what, by, _)) in BROKEN.iter().enumerate() {
        assert_eq!(good.matches(what).count(), 1, "case {n} must replace one place: {what}");
        frames.extend(good.replace(what, by).replace("000999|", &format!("{n:06}|")).into_bytes());
    }
    let (said, passed) = judged(&python, "pcd-broken", &frames);
    assert!(!passed);
    for (n, (what, by, reason)) in BROKEN.iter().enumerate() {
        let own = format!("message {} ", n + 1);
        let lines: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix(&own)).collect();
        let found = lines.iter().any(|line| line.contains(reason));
        assert!(found, "{what} -> {by}: {reason:?} is not among {lines:#?}");
    }
    assert!(said.ends_with(&format!("\n0 passed, {} failed\n", BROKEN.len())), "{said}");
}

/// Recordings and who reads them. A time stands before each piece of what begins with `mp70`.
const RECORDED: [(&str, &str); 6] = [
    ("dri-session.raw", "ge-dri"),
    ("masimo-rad8-ascii1.txt", "masimo-ascii1"),
    ("comen-nc-pcd.hl7", "hl7-pcd01"),
    ("mindray-vs900-pcd01.hl7", "mindray-benevision"),
    ("mp70-serial-module-removed.log", "philips-intellivue-mib"),
    ("medibus/measured_cp1_spo2_98_pulse_70.bin", "draeger-medibus"),
];
/// hl7apy takes a tenth of a second for a message: of a long recording so many are looked at, from its whole length.
const MOST: usize = 12;

/// The messages of a capture as a destination with `pcd = {}` gets them, numbered on from `number`.
fn by_default(profile: &dyn Profile, capture: &[u8], number: &mut usize) -> Vec<Vec<u8>> {
    let heard = hear(profile, capture, &[]);
    let mut orus = Vec::new();
    replay(profile, &heard, &How::at(ENDED), &mut String::new(), &mut |oru| orus.push(oru.to_vec()));
    let step = orus.len().div_ceil(MOST).max(1);
    let framed = |oru: Vec<u8>| {
        *number += 1;
        // Each replay counts from 1; a file of many needs ids of its own.
        let text = String::from_utf8(oru.clone()).unwrap();
        let text = text.replacen(&control_id(&oru), &format!("RPLY{number:016}"), 1);
        [b"\x0B", text.as_bytes(), b"\x1C\r"].concat()
    };
    orus.into_iter().step_by(step).map(framed).collect()
}

/// Without the times.
fn without_times(log: &[u8]) -> Vec<u8> {
    const FORM: &[u8] = b"0000/00/00T00:00:00,000";
    let like = |(form, byte): (&u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { form == byte };
    let (mut rest, mut bytes) = (log, Vec::new());
    while let [first, after @ ..] = rest {
        if rest.len() >= FORM.len() && FORM.iter().zip(rest).all(like) {
            rest = &rest[FORM.len()..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    bytes
}

#[test]
fn what_goes_out_by_default_passes() {
    let Some(python) = python::python() else { return };
    let shipped = orugate_drivers::SHIPPED;
    let (mut frames, mut number) = (Vec::new(), 0);
    for name in shipped.names() {
        let profile = orugate::profiles::find(&shipped, name).unwrap();
        if profile.feed() == Feed::Results {
            continue;
        }
        for example in &profile.common().examples {
            let capture = profile.example_bytes(&example.input);
            frames.extend(by_default(&*profile, &capture, &mut number).concat());
        }
    }
    assert!(number > 15, "{number} messages of examples");
    if let Some(corpus) = corpus() {
        for (file, name) in RECORDED {
            let capture = std::fs::read(corpus.join("bedside").join(file)).unwrap();
            let capture = if file.starts_with("mp70") { without_times(&capture) } else { capture };
            let before = number;
            let profile = orugate::profiles::find(&shipped, name).unwrap();
            frames.extend(by_default(&*profile, &capture, &mut number).concat());
            assert!(number > before, "nothing of {file} goes out");
        }
    }
    let (said, passed) = judged(&python, "pcd-default", &frames);
    assert!(passed, "{said}");
    assert_eq!(said, format!("{number} passed, 0 failed\n"));
}
