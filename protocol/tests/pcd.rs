//! PCD-01, segment by segment: items in, HL7 2.6 out.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test that cannot go on has failed.

use expect_test::{Expect, expect};
use orugate_protocol::hl7::writer::WriteError;
use orugate_protocol::oru::{Local, Zone};
use orugate_protocol::pcd::{ACKNOWLEDGMENT, PROFILE, PcdError, PcdWriter, Plan, Route, UnknownPatient};
use orugate_protocol::report::{
    Alarm, At, Code, Device, End, Group, Item, Kind, Marks, Measurement, Priority, Reading, ReportSink as _,
    Side, Unit,
};
use orugate_protocol::text::{Charset, Escapes, Text};
use orugate_protocol::time::{DeviceTime, Utc};
use std::collections::BTreeSet;
use std::time::Duration;

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

fn route() -> Route<'static> {
    Route {
        sending_application: "EDGEGW",
        sending_id: Some(0x0011_2233_4455_6677),
        sending_facility: "HOSP",
        receiving_application: "CENTRAL",
        receiving_facility: "HOSP",
        processing: 'P',
        acknowledgment: ACKNOWLEDGMENT,
        profile: PROFILE,
        charset: Charset::Ascii,
        unknown_patient: UnknownPatient::NoId,
        patient: None,
        patient_class: 'U',
        device_on_rows: false,
    }
}

fn plan() -> Plan<'static> {
    Plan {
        control_id: "GW010000000000099001",
        filler: "20261122101500-1",
        instrument: "MON1",
        device_id: None,
        location: "ICU^12^1^HOSP",
        created: Utc(1_795_338_905_123_000),
        began: Utc(ENDED.0 - 60_000_000),
        ended: ENDED,
    }
}

fn monitor() -> Device<'static> {
    Device { mds: 69_965, eui64: Some(0x00A0_B0C0_D0E0_F001), ..Device::default() }
}

fn group(vmd: u32, channel: u32, vmd_place: u16, channel_place: u16) -> Item<'static> {
    Item::Group(Group { vmd, channel, vmd_place, channel_place, ..Group::default() })
}

fn number<'m>(place: u16, term: u32, value: &'m str, unit: u32) -> Measurement<'m> {
    Measurement {
        place,
        term,
        value: if value.is_empty() { Reading::Absent } else { Reading::Number(Text::plain(value)) },
        unit: Unit { mdc: unit, text: Text::EMPTY },
        received: ENDED,
        ..Measurement::default()
    }
}

fn vendor<'m>(id: &'m str, name: &'m str) -> Code<'m> {
    Code { id: Text::plain(id), name: Text::plain(name), system: "99ACME", ..Code::default() }
}

fn try_write(
    route: &Route<'_>,
    plan: &Plan<'_>,
    items: &[Item<'_>],
    buffer: &mut [u8],
) -> Result<String, PcdError> {
    let mut writer = PcdWriter::new(route, plan, &Berlin, buffer);
    for item in items {
        writer.item(*item);
    }
    writer.item(Item::End(End { complete: true }));
    let message = writer.finish()?;
    Ok(String::from_utf8(message.to_vec()).unwrap().replace('\r', "\n"))
}

fn write(route: &Route<'_>, items: &[Item<'_>]) -> String {
    try_write(route, &plan(), items, &mut [0; 65_536]).unwrap()
}

/// The OBX segments of these, behind the device's own row.
fn rows(items: &[Item<'_>]) -> Vec<String> {
    let items = [&[Item::Device(monitor())], items].concat();
    write(&route(), &items).lines().filter(|s| s.starts_with("OBX")).skip(1).map(str::to_owned).collect()
}

/// One field of the only measurement.
fn field(number: usize, measurement: Measurement<'_>) -> String {
    rows(&[Item::Measurement(measurement)])
        .pop()
        .unwrap()
        .split('|')
        .nth(number)
        .unwrap_or_default()
        .to_owned()
}

fn check(expected: &Expect, message: &str) {
    expected.assert_eq(message);
}

#[test]
fn the_example_of_a_monitor() {
    let route = Route { patient: Some(("HOSP", "MR")), patient_class: 'I', ..route() };
    let items = [
        Item::Device(Device { patient: Text::plain("123456"), ..monitor() }),
        group(69_798, 0, 1, 1),
        Item::Measurement(Measurement {
            low: Text::plain("50"),
            high: Text::plain("120"),
            ..number(1, 147_842, "80", 264_864)
        }),
        group(69_642, 0, 2, 1),
        Item::Measurement(Measurement {
            low: Text::plain("90"),
            high: Text::plain("100"),
            ..number(1, 150_456, "97", 262_688)
        }),
    ];
    // As in the facts, but for the patient's name, which no driver gives.
    check(
        &expect![[r"
            MSH|^~\&|EDGEGW^0011223344556677^EUI-64|HOSP|CENTRAL|HOSP|20261122101505+0100||ORU^R01^ORU_R01|GW010000000000099001|P|2.6|||AL|NE|||||IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO
            PID|||123456^^^HOSP^MR||^^^^^^U
            PV1||I|ICU^12^1^HOSP
            OBR|1||20261122101500-1^MON1^00A0B0C0D0E0F001^EUI-64|182777000^monitoring of patient^SCT|||20261122101400+0100|20261122101500+0100
            OBX|1||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|1.0.0.0|||||||X|||||||MON1^^00A0B0C0D0E0F001^EUI-64
            OBX|2||69798^MDC_DEV_ECG_VMD^MDC|1.1.0.0|||||||X
            OBX|3|NM|147842^MDC_ECG_HEART_RATE^MDC|1.1.1.1|80|264864^MDC_DIM_BEAT_PER_MIN^MDC^{beat}/min^{beat}/min^UCUM|50-120||||R|||20261122101500+0100
            OBX|4||69642^MDC_DEV_ANALY_SAT_O2_VMD^MDC|1.2.0.0|||||||X
            OBX|5|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.2.1.1|97|262688^MDC_DIM_PERCENT^MDC^%^%^UCUM|90-100||||R|||20261122101500+0100
        "]],
        &write(&route, &items),
    );
}

#[test]
fn the_example_without_a_patient() {
    let route = Route {
        receiving_application: "",
        receiving_facility: "",
        charset: Charset::Utf8,
        unknown_patient: UnknownPatient::Marked { id: "Unknown", authority: "", kind: "U" },
        ..route()
    };
    let pressure = |place, code, value| number(place, code, value, 266_016);
    let items = [
        Item::Device(monitor()),
        group(69_854, 69_855, 13, 1),
        Item::Measurement(Measurement {
            low: Text::plain("90"),
            high: Text::plain("160"),
            ..pressure(1, 150_033, "112")
        }),
        Item::Measurement(pressure(2, 150_034, "76")),
        Item::Measurement(pressure(3, 150_035, "")),
    ];
    let plan = Plan { control_id: "GW010000000000099002", filler: "20261122101500-2", ..plan() };
    check(
        &expect![[r"
            MSH|^~\&|EDGEGW^0011223344556677^EUI-64|HOSP|||20261122101505+0100||ORU^R01^ORU_R01|GW010000000000099002|P|2.6|||AL|NE||UNICODE UTF-8|||IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO
            PID|||Unknown^^^^U||^^^^^^U
            PV1||U|ICU^12^1^HOSP
            OBR|1||20261122101500-2^MON1^00A0B0C0D0E0F001^EUI-64|182777000^monitoring of patient^SCT|||20261122101400+0100|20261122101500+0100
            OBX|1||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|1.0.0.0|||||||X|||||||MON1^^00A0B0C0D0E0F001^EUI-64
            OBX|2||69854^MDC_DEV_METER_PRESS_BLD_VMD^MDC|1.13.0.0|||||||X
            OBX|3||69855^MDC_DEV_METER_PRESS_BLD_CHAN^MDC|1.13.1.0|||||||X
            OBX|4|NM|150033^MDC_PRESS_BLD_ART_SYS^MDC|1.13.1.1|112|266016^MDC_DIM_MMHG^MDC^mm[Hg]^mm[Hg]^UCUM|90-160||||R|||20261122101500+0100
            OBX|5|NM|150034^MDC_PRESS_BLD_ART_DIA^MDC|1.13.1.2|76|266016^MDC_DIM_MMHG^MDC^mm[Hg]^mm[Hg]^UCUM|||||R|||20261122101500+0100
            OBX|6|NM|150035^MDC_PRESS_BLD_ART_MEAN^MDC|1.13.1.3||266016^MDC_DIM_MMHG^MDC^mm[Hg]^mm[Hg]^UCUM|||||X|||20261122101500+0100
        "]],
        &try_write(&route, &plan, &items, &mut [0; 4096]).unwrap(),
    );
}

fn some() -> Item<'static> {
    Item::Measurement(number(1, 147_842, "80", 264_864))
}

#[test]
fn the_patient_is_who_the_site_says_it_is() {
    let pid = |route: Route<'_>, patient: &str| {
        let device = Item::Device(Device { patient: Text::plain(patient), ..monitor() });
        let message = write(&route, &[device, some()]);
        let segments: Vec<String> =
            message.lines().filter(|s| s.starts_with('P')).map(str::to_owned).collect();
        segments.join(" ")
    };
    let marked = UnknownPatient::Marked { id: "BED-12", authority: "EDGEGW", kind: "U" };
    let sent = Some(("HOSP", "MR"));
    let place = "PV1||U|ICU^12^1^HOSP";
    // Nothing that the device says of a patient goes along unless the site says so.
    assert_eq!(pid(route(), "4711"), format!("PID|||||^^^^^^U {place}"));
    assert_eq!(
        pid(Route { unknown_patient: marked, ..route() }, "4711"),
        format!("PID|||BED-12^^^EDGEGW^U||^^^^^^U {place}")
    );
    // HL7 has no place for a visit without a patient.
    assert_eq!(pid(Route { unknown_patient: UnknownPatient::NoSegment, ..route() }, "4711"), "");
    for unknown_patient in [UnknownPatient::NoSegment, UnknownPatient::NoId, marked] {
        let route = Route { unknown_patient, patient: sent, ..route() };
        assert_eq!(pid(route, " 4711 "), format!("PID|||4711^^^HOSP^MR||^^^^^^U {place}"));
    }
    // And a device that has none makes none up.
    assert_eq!(pid(Route { patient: sent, ..route() }, "  "), format!("PID|||||^^^^^^U {place}"));
}

#[test]
fn a_place_is_the_sites_or_else_the_devices() {
    let pv1 = |location, bed| {
        let plan = Plan { location, ..plan() };
        let device = Item::Device(Device { location: Text::plain(bed), ..monitor() });
        let message = try_write(&route(), &plan, &[device, some()], &mut [0; 4096]).unwrap();
        message.lines().find(|s| s.starts_with("PV1")).map(str::to_owned)
    };
    assert_eq!(pv1("ICU^12^1^HOSP&1.2&ISO", "B7").as_deref(), Some("PV1||U|ICU^12^1^HOSP&1.2&ISO"));
    assert_eq!(pv1("", "B^7").as_deref(), Some(r"PV1||U|^^B\S\7"));
    assert_eq!(pv1("", " "), None);
    let (unit, room, location) = (Text::plain("ICU"), Text::plain("2"), Text::plain("7"));
    let device = Item::Device(Device { unit, room, location, ..monitor() });
    let plan = Plan { location: "", ..plan() };
    let message = try_write(&route(), &plan, &[device, some()], &mut [0; 4096]).unwrap();
    assert!(message.lines().any(|line| line == "PV1||U|ICU^2^7"), "{message}");
}

#[test]
fn a_thing_has_its_place_and_no_place_is_given_twice() {
    let m = |place| Item::Measurement(number(place, 147_842, "80", 264_864));
    let places = |items: &[Item<'_>]| -> Vec<String> {
        rows(items).iter().map(|row| row.split('|').nth(4).unwrap().to_owned()).collect()
    };
    let (ecg, art, pa) = (group(69_798, 0, 3, 1), group(69_854, 69_855, 13, 1), group(69_854, 69_855, 13, 2));
    // Before any group, and in groups without levels: below the device itself.
    assert_eq!(places(&[m(1), group(0, 0, 0, 0), m(7)]), ["1.0.0.1", "1.0.0.7"]);
    // By the driver's table, in whatever order. A channel of which nothing is known is a place without a row.
    assert_eq!(
        places(&[pa, m(2), m(1), ecg, m(4), art, m(1)]),
        ["1.13.0.0", "1.13.2.0", "1.13.2.2", "1.13.2.1", "1.3.0.0", "1.3.1.4", "1.13.1.0", "1.13.1.1"]
    );
    // A module that is not there moves nothing.
    assert_eq!(places(&[pa, ecg, m(4)]), ["1.3.0.0", "1.3.1.4"]);
    // A group that comes back has no second row, and what has no place or one that is given comes behind all that have.
    assert_eq!(
        places(&[ecg, m(0), m(1), art, m(1), ecg, m(1), m(0), m(2), m(512), m(600), m(0), m(513)]),
        [
            "1.3.0.0",
            "1.3.1.513",
            "1.3.1.1",
            "1.13.0.0",
            "1.13.1.0",
            "1.13.1.1",
            "1.3.1.514",
            "1.3.1.515",
            "1.3.1.2",
            "1.3.1.512",
            "1.3.1.600",
            "1.3.1.601",
            "1.3.1.602",
        ]
    );
    // A VMD without channels, and a channel without a VMD.
    assert_eq!(
        places(&[group(69_798, 0, 3, 0), m(1), group(0, 69_855, 0, 2), m(1)]),
        ["1.3.0.0", "1.3.0.1", "1.0.2.0", "1.0.2.1"]
    );
    // A message is about one device.
    let other = Item::Device(Device { mds: 70_001, ..Device::default() });
    assert_eq!(places(&[ecg, m(1), other, m(2)]), ["1.3.0.0", "1.3.1.1", "1.3.1.2"]);
}

#[test]
fn a_group_is_named() {
    let named = |vmd, channel, channel_place| {
        let (name, id) = (Text::plain("MMS^1"), Text::plain("SN 7"));
        let group = Group { vmd, channel, vmd_place: 1, channel_place, name, id, ..Group::default() };
        let mut rows = rows(&[Item::Group(group), some()]);
        rows.pop();
        rows.iter().map(|row| row.split_once("||").unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    // What has the name is the lowest level; a kind that no table has is some VMD, some channel.
    assert_eq!(named(69_798, 0, 0), [r"69798^MDC_DEV_ECG_VMD^MDC^^MMS\S\1|1.1.0.0|||||||X|||||||SN 7"]);
    assert_eq!(
        named(77_777, 0, 1),
        [
            "69634^MDC_DEV_VMD^MDC|1.1.0.0|||||||X",
            r"69635^MDC_DEV_CHAN^MDC^^MMS\S\1|1.1.1.0|||||||X|||||||SN 7",
        ]
    );
}

#[test]
fn marks_are_said_and_forbid_values() {
    let said = |marks: Marks| {
        let row = rows(&[Item::Measurement(Measurement { marks, ..number(1, 150_456, "97", 262_688) })]);
        let fields: Vec<&str> = row[0].split('|').collect();
        assert_eq!(fields[2], "NM");
        format!("{} {} {}", fields[5], fields[8], fields[11])
    };
    for (marks, expected) in [
        (Marks::NONE, "97  R"),
        (Marks::QUES, "97 QUES R"),
        (Marks::INV, " INV X"),
        (Marks::NAV, " NAV X"),
        (Marks::CAL, "97 CAL R"),
        (Marks::TEST, "97 TEST R"),
        (Marks::DEMO, "97 DEMO R"),
        (Marks::VALIDATED, "97  F"),
        (Marks::EARLY, "97 EARLY R"),
        (Marks::BUSY, " BUSY X"),
        (Marks::OFF, " OFF X"),
        (Marks::NI, " NI X"),
        (Marks::OVER, "97 > R"),
        (Marks::UNDER, "97 < R"),
        (Marks::ALINH, "97 ALINH R"),
        (Marks::VALIDATED | Marks::NAV, " NAV X"),
        (Marks::DEMO | Marks::QUES | Marks::ALINH, "97 QUES~DEMO~ALINH R"),
        (Marks::DEMO | Marks::INV, " INV~DEMO X"),
    ] {
        assert_eq!(said(marks), expected);
    }
}

#[test]
fn an_alarm_is_a_flag() {
    let said = |side, priority, marks| {
        let alarm = Some(Alarm { side, priority });
        field(8, Measurement { alarm, marks, ..number(1, 150_456, "97", 262_688) })
    };
    assert_eq!(said(Side::High, Priority::High, Marks::NONE), "H~PH~ALACT");
    assert_eq!(said(Side::Low, Priority::Medium, Marks::QUES), "L~PM~ALACT~QUES");
    assert_eq!(said(Side::Unknown, Priority::Unknown, Marks::DEMO), "A~ALACT~DEMO");
    assert_eq!(said(Side::Unknown, Priority::Low, Marks::NONE), "A~PL~ALACT");
}

#[test]
fn codes_are_mdc_only_where_the_table_says_so() {
    let test = |term, code| field(3, Measurement { code, ..number(1, term, "1.50", 0) });
    assert_eq!(
        test(151_976, vendor("24:78", "PEEP")),
        "151976^MDC_VENT_PRESS_AWAY_END_EXP_POS^MDC^24:78^PEEP^99ACME"
    );
    // None, one that is private to each vendor, and one that nobody knows.
    for term in [0, 192_549, 159_999] {
        assert_eq!(test(term, vendor("2B:06", "Elastance")), "2B:06^Elastance^99ACME");
    }
    assert_eq!(test(0, vendor("x^y", "")), r"x\S\y^^99ACME");
}

#[test]
fn a_device_of_which_nothing_is_known_has_only_its_own_codes() {
    let m = |place, id, unit| {
        Item::Measurement(Measurement {
            code: vendor(id, ""),
            unit: Unit { mdc: 0, text: Text::plain(unit) },
            ..number(place, 0, "7", 0)
        })
    };
    let plan = Plan { device_id: Some(0xFE), location: "", ..plan() };
    let device = Device { model: Text::plain("M-1"), serial: Text::plain(" SN 5 "), ..Device::default() };
    let items =
        [Item::Device(device), m(1, "P01", "x/min"), m(2, "P02", ""), group(0, 0, 1, 0), m(1, "P03", "L")];
    check(
        &expect![[r#"
            MSH|^~\&|EDGEGW^0011223344556677^EUI-64|HOSP|CENTRAL|HOSP|20261122101505+0100||ORU^R01^ORU_R01|GW010000000000099001|P|2.6|||AL|NE|||||IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO
            PID|||||^^^^^^U
            OBR|1||20261122101500-1^MON1^00000000000000FE^EUI-64|182777000^monitoring of patient^SCT|||20261122101400+0100|20261122101500+0100
            OBX|1||69633^MDC_DEV_MDS^MDC^^M-1|1.0.0.0|||||||X|||||||MON1^^00000000000000FE^EUI-64~SN 5^M-1
            OBX|2|NM|P01^^99ACME|1.0.0.1|7|x/min^^99ACME|||||R|||20261122101500+0100
            OBX|3|NM|P02^^99ACME|1.0.0.2|7||||||R|||20261122101500+0100
            OBX|4||69634^MDC_DEV_VMD^MDC|1.1.0.0|||||||X
            OBX|5|NM|P03^^99ACME|1.1.0.1|7|L^^99ACME|||||R|||20261122101500+0100
        "#]],
        &try_write(&route(), &plan, &items, &mut [0; 4096]).unwrap(),
    );
}

#[test]
fn values_keep_their_form() {
    let values = |value: Reading<'static>| {
        let m = Measurement { value, code: vendor("4A", ""), ..number(1, 184_352, "", 0) };
        let row = rows(&[Item::Measurement(m)]).pop().unwrap();
        let fields: Vec<&str> = row.split('|').collect();
        format!("{}|{}|{}", fields[2], fields[5], fields[11])
    };
    let text = Text::plain;
    assert_eq!(values(Reading::Number(text("97.50"))), "NM|97.50|R");
    assert_eq!(values(Reading::Number(text("-0.5"))), "NM|-0.5|R");
    // No number to HL7: as it came.
    assert_eq!(values(Reading::Number(text("1:2"))), "ST|1:2|R");
    assert_eq!(values(Reading::Words(text("12"))), "ST|12|R");
    assert_eq!(values(Reading::Words(text("a|b\r\nc"))), r"TX|a\F\b\.br\c|R");
    // No character is no value.
    assert_eq!(values(Reading::Words(Text::EMPTY)), "ST||X");
    assert_eq!(values(Reading::Number(Text::EMPTY)), "ST||X");
    assert_eq!(values(Reading::Coded(0, Text::EMPTY)), "CWE||X");
    assert_eq!(
        values(Reading::Coded(184_364, text("SIMV"))),
        "CWE|184364^MDC_VENT_MODE_SYNCH_MAND_INTERMIT^MDC^SIMV^^99ACME|R"
    );
    assert_eq!(values(Reading::Coded(184_352, Text::EMPTY)), "CWE|184352^MDC_VENT_MODE^MDC|R");
    for none in [0, 192_999] {
        assert_eq!(values(Reading::Coded(none, text("SIMV"))), "CWE|SIMV^^99ACME|R");
    }
    // Nothing tells what it would be; with a unit it is a number.
    assert_eq!(values(Reading::Absent), "||X");
    assert_eq!(field(2, number(1, 150_456, "", 262_688)), "NM");
}

#[test]
fn limits_places_methods_and_times() {
    let m = Measurement {
        low: Text::plain("-5"),
        high: Text::plain("10"),
        at: At::Device(DeviceTime::parse(b"20261122101213").unwrap()),
        label: Text::plain("ART|1"),
        ..number(1, 150_087, "7", 266_016)
    };
    let tail = |m: Measurement<'_>| {
        let row = rows(&[Item::Measurement(m)]).pop().unwrap();
        row.split_once("UCUM|").unwrap().1.to_owned()
    };
    assert_eq!(tail(m), r"-5 - 10||||R|||20261122101213+0100||||||^ART\F\1");
    let later = At::Device(DeviceTime::parse(b"20261122101213-0500").unwrap());
    assert_eq!(
        tail(Measurement { low: Text::EMPTY, site: 460_500, at: later, ..m }),
        r"<10||||R|||20261122101213-0500||||||460500^MDC_UPEXT_FINGER^MDC^^ART\F\1"
    );
    // A place that nobody knows is none.
    let before = At::Before(Duration::from_millis(61_500));
    let bare = Measurement { high: Text::EMPTY, low: Text::plain("3"), label: Text::EMPTY, site: 1, ..m };
    assert_eq!(tail(Measurement { at: before, ..bare }), ">3||||R|||20261122101358+0100");
    // What a person set says so, also where its code is the vendor's own.
    let method = Text::plain("APERIODIC");
    assert_eq!(field(17, Measurement { method, ..bare }), "^APERIODIC");
    assert_eq!(field(17, Measurement { kind: Kind::Set, ..bare }), "MSET^manual-setting^MDC");
    assert_eq!(
        field(17, Measurement { kind: Kind::Set, method, ..bare }),
        "MSET^manual-setting^MDC^^APERIODIC"
    );
    // By a clock that is absurd, no panic.
    let m = Measurement { at: At::Before(Duration::MAX), received: Utc(i64::MIN), ..bare };
    assert!(tail(m).contains("|00000101010000+0100") || tail(m).contains("|00000101000000+0100"));
}

#[test]
fn without_a_measurement_there_is_no_message() {
    let nothing = Err(PcdError::Empty);
    assert_eq!(try_write(&route(), &plan(), &[], &mut [0; 4096]), nothing);
    let items = [Item::Device(monitor()), group(69_798, 0, 1, 1)];
    assert_eq!(try_write(&route(), &plan(), &items, &mut [0; 4096]), nothing);
    // One without a device is still one.
    assert!(write(&route(), &[some()]).contains("OBX|2|NM|147842^"));
}

#[test]
fn two_hundred_measurements_and_every_one_absent() {
    for (value, status) in [("97", "|97|"), ("", "||262688")] {
        let mut items = vec![Item::Device(monitor())];
        for n in 0..200 {
            if n % 10 == 0 {
                items.push(group(69_798, if n % 30 == 0 { 0 } else { 69_855 }, 1 + n % 20 / 10, 1 + n / 20));
            }
            items.push(Item::Measurement(number(n % 7, 150_456, value, 262_688)));
        }
        let mut buffer = vec![0; 65_536];
        let message = try_write(&route(), &plan(), &items, &mut buffer).unwrap();
        let obx: Vec<&str> = message.lines().filter(|s| s.starts_with("OBX|")).collect();
        let places: BTreeSet<&str> = obx.iter().map(|row| row.split('|').nth(4).unwrap()).collect();
        assert_eq!(places.len(), obx.len());
        assert!(obx.iter().enumerate().all(|(n, row)| row.starts_with(&format!("OBX|{}|", n + 1))));
        assert_eq!(obx.iter().filter(|row| row.contains(status)).count(), 200);
        // Nothing less than the whole message is one.
        let length = message.len();
        for size in [0, 1, 100, length / 2, length - 1] {
            let full = try_write(&route(), &plan(), &items, &mut vec![0; size]);
            assert_eq!(full, Err(PcdError::Write(WriteError::Full)), "{size}");
        }
        assert!(try_write(&route(), &plan(), &items, &mut vec![0; length]).is_ok());
    }
    let many = |groups| {
        let group = |n| [group(69_798, 0, n, 0), some()];
        try_write(&route(), &plan(), &(1..=groups).flat_map(group).collect::<Vec<_>>(), &mut [0; 65_536])
    };
    assert!(many(128).is_ok());
    assert_eq!(many(129), Err(PcdError::TooMany));
}

#[test]
fn what_cannot_be_read_or_written_fails_the_whole_message() {
    let words = |bytes: &'static [u8], charset| {
        let text = Text::new(bytes, charset, Escapes::None);
        let m = Measurement { value: Reading::Words(text), ..number(1, 150_456, "", 0) };
        try_write(&route(), &plan(), &[Item::Device(monitor()), Item::Measurement(m)], &mut [0; 4096])
    };
    assert!(matches!(
        words(b"ok\xFF", Charset::Ascii),
        Err(PcdError::Write(WriteError::Undecodable { field: 5, offset: 2, .. }))
    ));
    // The route is in ASCII.
    assert!(matches!(
        words(b"\xB5", Charset::Latin1),
        Err(PcdError::Write(WriteError::Inexpressible { field: 5, .. }))
    ));
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_a_segment_or_a_place(
        text: String,
        groups in proptest::collection::vec((0u16..3, 0u16..3, proptest::collection::vec(proptest::num::u16::ANY, 0..9)), 1..12),
        marks in 0u8..3,
    ) {
        let any = Text::plain(&text);
        let mut items = vec![Item::Device(Device {
            model: any, serial: any, location: any, patient: any, ..monitor()
        })];
        let marks = [Marks::NONE, Marks::NAV, Marks::QUES | Marks::ALINH][usize::from(marks)];
        for (vmd_place, channel_place, places) in &groups {
            items.push(Item::Group(Group {
                vmd_place: *vmd_place, channel_place: *channel_place, name: any, id: any, ..Group::default()
            }));
            for place in places {
                items.push(Item::Measurement(Measurement {
                    code: Code { id: any, name: any, system: "99ACME", ..Code::default() },
                    value: Reading::Words(any), low: any, high: any, label: any, method: any, marks,
                    unit: Unit { mdc: 0, text: any }, ..number(*place % 600, 0, "", 0)
                }));
            }
        }
        let route = Route { charset: Charset::Utf8, patient: Some(("A", "B")), ..route() };
        let mut buffer = vec![0; 1 << 20];
        let plan = Plan { location: "", instrument: &text, ..plan() };
        let count: usize = groups.iter().map(|(_, _, places)| places.len()).sum();
        let message = try_write(&route, &plan, &items, &mut buffer);
        proptest::prop_assert_eq!(message.is_ok(), count > 0);
        let Ok(message) = message else { return Ok(()) };
        let mut places = BTreeSet::new();
        for segment in message.lines() {
            proptest::prop_assert!(["MSH", "PID", "PV1", "OBR", "OBX"].contains(&&segment[..3]), "{}", segment);
            let place = segment.split('|').nth(4).unwrap_or_default();
            proptest::prop_assert!(!segment.starts_with("OBX") || places.insert(place.to_owned()), "{}", segment);
        }
        let measured = places.iter().filter(|place| !place.ends_with(".0")).count();
        proptest::prop_assert_eq!(measured, count);
    }
}
