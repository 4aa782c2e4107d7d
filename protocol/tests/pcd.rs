//! PCD-01, segment by segment: items and verdicts in, HL7 2.6 out.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test that cannot go on has failed.

use expect_test::{Expect, expect};
use orugate_protocol::hl7::writer::WriteError;
use orugate_protocol::oru::{Local, Zone};
use orugate_protocol::pcd::{
    ACKNOWLEDGMENT, PROFILE, PcdError, PcdWriter, Plan, Route, UnknownPatient, Verdict,
};
use orugate_protocol::report::{
    Alarm, Code, Device, End, Group, Item, Measurement, Reading, ReportSink as _, Term, Unit, Validity,
};
use orugate_protocol::text::{Charset, Escapes, Text};
use orugate_protocol::time::{DeviceTime, Utc};
use std::collections::BTreeSet;

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
        alarm_status: false,
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

fn group(vmd: u32, channel: u32) -> Item<'static> {
    let term = |code| if code == 0 { Term::None } else { Term::Mdc(code) };
    Item::Group(Group { vmd: term(vmd), channel: term(channel), ..Group::default() })
}

fn number<'m>(term: u32, value: &'m str, unit: u32) -> Measurement<'m> {
    Measurement {
        term: Term::Mdc(term),
        value: if value.is_empty() { Reading::Absent } else { Reading::Number(Text::plain(value)) },
        unit: Unit { mdc: unit, sent: Text::EMPTY },
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
    verdicts: &[Verdict],
    items: &[Item<'_>],
    buffer: &mut [u8],
) -> Result<String, PcdError> {
    let mut writer = PcdWriter::new(route, plan, verdicts, &Berlin, buffer);
    for item in items {
        writer.item(*item);
    }
    writer.item(Item::End(End { complete: true }));
    let message = writer.finish()?;
    Ok(String::from_utf8(message.to_vec()).unwrap().replace('\r', "\n"))
}

fn write(route: &Route<'_>, items: &[Item<'_>]) -> String {
    try_write(route, &plan(), &[Verdict::Send; 300], items, &mut [0; 65_536]).unwrap()
}

/// The OBX segments of what is sent of these, behind the device's own row.
fn rows(items: &[Item<'_>]) -> Vec<String> {
    let items = [&[Item::Device(monitor())], items].concat();
    write(&route(), &items).lines().filter(|s| s.starts_with("OBX")).skip(1).map(str::to_owned).collect()
}

fn check(expected: &Expect, message: &str) {
    expected.assert_eq(message);
}

#[test]
fn the_example_of_a_monitor() {
    let route = Route { patient: Some(("HOSP", "MR")), patient_class: 'I', ..route() };
    let items = [
        Item::Device(Device { patient: Text::plain("123456"), ..monitor() }),
        group(69_798, 0),
        Item::Measurement(Measurement {
            low: Text::plain("50"),
            high: Text::plain("120"),
            ..number(147_842, "80", 264_864)
        }),
        group(69_642, 0),
        Item::Measurement(Measurement {
            low: Text::plain("90"),
            high: Text::plain("100"),
            ..number(150_456, "97", 262_688)
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
    let pressure = |code, value| number(code, value, 266_016);
    let items = [
        Item::Device(monitor()),
        group(69_854, 69_855),
        Item::Measurement(Measurement {
            low: Text::plain("90"),
            high: Text::plain("160"),
            ..pressure(150_033, "112")
        }),
        Item::Measurement(pressure(150_034, "76")),
        Item::Measurement(pressure(150_035, "")),
    ];
    let plan = Plan { control_id: "GW010000000000099002", filler: "20261122101500-2", ..plan() };
    // As in the facts, but for the VMD's number, 13 there: it is a place in the message and nothing else.
    check(
        &expect![[r"
            MSH|^~\&|EDGEGW^0011223344556677^EUI-64|HOSP|||20261122101505+0100||ORU^R01^ORU_R01|GW010000000000099002|P|2.6|||AL|NE||UNICODE UTF-8|||IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO
            PID|||Unknown^^^^U||^^^^^^U
            PV1||U|ICU^12^1^HOSP
            OBR|1||20261122101500-2^MON1^00A0B0C0D0E0F001^EUI-64|182777000^monitoring of patient^SCT|||20261122101400+0100|20261122101500+0100
            OBX|1||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|1.0.0.0|||||||X|||||||MON1^^00A0B0C0D0E0F001^EUI-64
            OBX|2||69854^MDC_DEV_METER_PRESS_BLD_VMD^MDC|1.1.0.0|||||||X
            OBX|3||69855^MDC_DEV_METER_PRESS_BLD_CHAN^MDC|1.1.1.0|||||||X
            OBX|4|NM|150033^MDC_PRESS_BLD_ART_SYS^MDC|1.1.1.1|112|266016^MDC_DIM_MMHG^MDC^mm[Hg]^mm[Hg]^UCUM|90-160||||R|||20261122101500+0100
            OBX|5|NM|150034^MDC_PRESS_BLD_ART_DIA^MDC|1.1.1.2|76|266016^MDC_DIM_MMHG^MDC^mm[Hg]^mm[Hg]^UCUM|||||R|||20261122101500+0100
            OBX|6|NM|150035^MDC_PRESS_BLD_ART_MEAN^MDC|1.1.1.3||266016^MDC_DIM_MMHG^MDC^mm[Hg]^mm[Hg]^UCUM|||||X|||20261122101500+0100
        "]],
        &try_write(&route, &plan, &[Verdict::Send; 3], &items, &mut [0; 4096]).unwrap(),
    );
}

#[test]
fn the_patient_is_who_the_site_says_it_is() {
    let pid = |route: Route<'_>, patient: &str| {
        let device = Item::Device(Device { patient: Text::plain(patient), silent: true, ..monitor() });
        let message = write(&route, &[device]);
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
        let device = Device { location: Text::plain(bed), silent: true, ..monitor() };
        let message = try_write(&route(), &plan, &[], &[Item::Device(device)], &mut [0; 4096]).unwrap();
        message.lines().find(|s| s.starts_with("PV1")).map(str::to_owned)
    };
    assert_eq!(pv1("ICU^12^1^HOSP&1.2&ISO", "B7").as_deref(), Some("PV1||U|ICU^12^1^HOSP&1.2&ISO"));
    assert_eq!(pv1("", "B^7").as_deref(), Some(r"PV1||U|^^B\S\7"));
    assert_eq!(pv1("", " "), None);
}

#[test]
fn the_tree_has_each_place_once() {
    let m = || Item::Measurement(number(147_842, "80", 264_864));
    let places = |items: &[Item<'_>]| -> Vec<String> {
        rows(items).iter().map(|row| row.split('|').nth(4).unwrap().to_owned()).collect()
    };
    // Before any group, and in groups that are none: below the device itself.
    assert_eq!(places(&[m(), group(0, 0), m()]), ["1.0.0.1", "1.0.0.2"]);
    // The same VMD again is another channel of it; without a channel there is one all the same.
    assert_eq!(
        places(&[
            group(69_854, 69_855),
            m(),
            m(),
            group(69_854, 70_687),
            m(),
            group(69_854, 0),
            m(),
            group(69_798, 0),
            m(),
        ]),
        ["1.1.0.0", "1.1.1.0", "1.1.1.1", "1.1.1.2", "1.1.2.0", "1.1.2.1", "1.1.3.1", "1.2.0.0", "1.2.1.1"]
    );
    // A VMD that comes back is another one; what belongs to none counts on.
    assert_eq!(
        places(&[
            group(0, 69_855),
            m(),
            group(69_798, 0),
            m(),
            group(0, 69_855),
            m(),
            group(0, 0),
            m(),
            group(69_798, 0),
            m(),
            group(0, 0),
            m(),
        ]),
        [
            "1.0.1.0", "1.0.1.1", "1.1.0.0", "1.1.1.1", "1.0.2.0", "1.0.2.1", "1.0.0.1", "1.2.0.0",
            "1.2.1.1", "1.0.0.2",
        ]
    );
    // Groups of which nothing goes have no rows.
    assert_eq!(places(&[group(69_854, 69_855), group(69_798, 0), m()]), ["1.1.0.0", "1.1.1.1"]);
    // A second device is another tree of the same order.
    let other = Item::Device(Device { mds: 70_001, ..Device::default() });
    assert_eq!(
        places(&[group(69_798, 0), m(), other, group(70_002, 0), m()]),
        ["1.1.0.0", "1.1.1.1", "2.0.0.0", "2.1.0.0", "2.1.1.1"]
    );
}

#[test]
fn what_is_left_is_not_there_and_what_is_absent_has_no_value() {
    use Verdict::{Leave, Send, SendAbsent};
    let items = [
        Item::Device(monitor()),
        group(69_798, 0),
        Item::Measurement(number(147_842, "80", 264_864)),
        group(69_642, 0),
        Item::Measurement(number(150_456, "97", 262_688)),
        Item::Measurement(number(149_530, "81", 264_864)),
    ];
    let say = |verdicts: &[Verdict]| {
        let message = try_write(&route(), &plan(), verdicts, &items, &mut [0; 4096])?;
        let fields = |row: &str| {
            let f: Vec<&str> = row.split('|').collect();
            format!("{} {} {}={}", f[1], f[4], f[5], f[11])
        };
        Ok(message
            .lines()
            .filter(|s| s.starts_with("OBX"))
            .skip(1)
            .map(fields)
            .collect::<Vec<_>>()
            .join(", "))
    };
    assert_eq!(say(&[Leave, Send, SendAbsent]), Ok("2 1.1.0.0 =X, 3 1.1.1.1 97=R, 4 1.1.1.2 =X".to_owned()));
    // A measurement that nobody decided about is none to send.
    assert_eq!(say(&[SendAbsent]), Ok("2 1.1.0.0 =X, 3 1.1.1.1 =X".to_owned()));
    for verdicts in [&[Leave; 3][..], &[]] {
        assert_eq!(say(verdicts), Err(PcdError::Empty));
    }
}

#[test]
fn validity_is_said_and_forbids_values() {
    let said = |validity, verdict| {
        let m = Measurement { validity, ..number(150_456, "97", 262_688) };
        let items = [Item::Device(monitor()), Item::Measurement(m)];
        let message = try_write(&route(), &plan(), &[verdict], &items, &mut [0; 4096]).unwrap();
        let fields: Vec<&str> = message.lines().last().unwrap().split('|').collect();
        assert_eq!(fields[2], "NM");
        format!("{} {} {}", fields[5], fields[8], fields[11])
    };
    for (validity, sent, absent) in [
        (Validity::Valid, "97  R", "  X"),
        (Validity::Questionable, "97 QUES R", " QUES X"),
        (Validity::Invalid("the sensor is off"), " INV X", " INV X"),
        (Validity::NotAvailable("it is old"), " NAV X", " NAV X"),
        (Validity::Calibrating, "97 CAL R", " CAL X"),
        (Validity::Test, "97 TEST R", " TEST X"),
        (Validity::Demo, "97 DEMO R", " DEMO X"),
        (Validity::Early, "97 EARLY R", " EARLY X"),
        (Validity::Ongoing, " BUSY X", " BUSY X"),
    ] {
        assert_eq!(said(validity, Verdict::Send), sent);
        assert_eq!(said(validity, Verdict::SendAbsent), absent);
    }
}

#[test]
fn an_alarm_is_a_flag_where_the_site_wants_it() {
    let said = |alarm, validity, alarm_status| {
        let m = Measurement { alarm, validity, ..number(150_456, "97", 262_688) };
        let route = Route { alarm_status, ..route() };
        let message = write(&route, &[Item::Device(monitor()), Item::Measurement(m)]);
        message.lines().last().unwrap().split('|').nth(8).unwrap().to_owned()
    };
    assert_eq!(said(Alarm::High, Validity::Valid, false), "");
    assert_eq!(said(Alarm::Active, Validity::Valid, true), "ALACT");
    assert_eq!(said(Alarm::Low, Validity::Questionable, true), "QUES~ALACT");
    assert_eq!(said(Alarm::Off, Validity::Demo, true), "DEMO~ALINH");
    assert_eq!(said(Alarm::None, Validity::Demo, true), "DEMO");
}

#[test]
fn codes_are_mdc_only_where_the_table_says_so() {
    let m = |term, code| Item::Measurement(Measurement { term, code, ..number(0, "1.50", 0) });
    let tests: Vec<String> = rows(&[
        m(Term::Mdc(151_976), vendor("78", "PEEP")),
        m(Term::Private(Text::plain("2:06")), vendor("06", "Elastance")),
        // A term that is private to each vendor, one that nobody knows, and none.
        m(Term::Mdc(192_549), vendor("06", "Elastance")),
        m(Term::Mdc(159_999), vendor("99", "")),
        m(Term::None, vendor("9A", "")),
        m(Term::Private(Text::plain("x^y")), Code { system: "99ACME", ..Code::default() }),
    ])
    .iter()
    .map(|row| row.split('|').nth(3).unwrap().to_owned())
    .collect();
    assert_eq!(
        tests,
        [
            "151976^MDC_VENT_PRESS_AWAY_END_EXP_POS^MDC^78^PEEP^99ACME",
            "06^Elastance^99ACME",
            "06^Elastance^99ACME",
            "99^^99ACME",
            "9A^^99ACME",
            r"x\S\y^^99ACME",
        ]
    );
}

#[test]
fn a_device_of_which_nothing_is_known_has_only_its_own_codes() {
    let private = |id| Term::Private(Text::plain(id));
    let m = |id, unit| {
        Item::Measurement(Measurement {
            term: private(id),
            code: vendor(id, ""),
            unit: Unit { mdc: 0, sent: Text::plain(unit) },
            ..number(0, "7", 0)
        })
    };
    let plan = Plan { device_id: Some(0xFE), location: "", ..plan() };
    let items = [
        Item::Device(Device {
            model: Text::plain("M-1"),
            serial: Text::plain(" SN 5 "),
            ..Device::default()
        }),
        Item::Group(Group { vmd: private("V"), channel: private("C&1"), ..Group::default() }),
        m("P01", "x/min"),
        m("P02", ""),
        // A driver's slip: a VMD and a channel by codes that no table has.
        group(77_777, 77_778),
        m("P03", "L"),
    ];
    check(
        &expect![[r"
            MSH|^~\&|EDGEGW^0011223344556677^EUI-64|HOSP|CENTRAL|HOSP|20261122101505+0100||ORU^R01^ORU_R01|GW010000000000099001|P|2.6|||AL|NE|||||IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO
            PID|||||^^^^^^U
            OBR|1||20261122101500-1^MON1^00000000000000FE^EUI-64|182777000^monitoring of patient^SCT|||20261122101400+0100|20261122101500+0100
            OBX|1||69633^MDC_DEV_MDS^MDC|1.0.0.0|||||||X|||||||MON1^^00000000000000FE^EUI-64~SN 5^M-1
            OBX|2||V^^99ACME|1.1.0.0|||||||X
            OBX|3||C\T\1^^99ACME|1.1.1.0|||||||X
            OBX|4|NM|P01^^99ACME|1.1.1.1|7|x/min^^99ACME|||||R|||20261122101500+0100
            OBX|5|NM|P02^^99ACME|1.1.1.2|7||||||R|||20261122101500+0100
            OBX|6||69634^MDC_DEV_VMD^MDC|1.2.0.0|||||||X
            OBX|7||69635^MDC_DEV_CHAN^MDC|1.2.1.0|||||||X
            OBX|8|NM|P03^^99ACME|1.2.1.1|7|L^^99ACME|||||R|||20261122101500+0100
        "]],
        &try_write(&route(), &plan, &[Verdict::Send; 3], &items, &mut [0; 4096]).unwrap(),
    );
}

#[test]
fn values_keep_their_form() {
    let values = |value: Reading<'static>| {
        let m = Measurement { value, code: vendor("4A", ""), ..number(184_352, "", 0) };
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
    assert_eq!(values(Reading::Words(Text::EMPTY)), "ST||X");
    assert_eq!(values(Reading::Number(Text::EMPTY)), "ST||X");
    assert_eq!(
        values(Reading::Coded(Term::Mdc(184_364), text("SIMV"))),
        "CWE|184364^MDC_VENT_MODE_SYNCH_MAND_INTERMIT^MDC^^SIMV|R"
    );
    assert_eq!(values(Reading::Coded(Term::Mdc(192_999), text("SIMV"))), "CWE|^SIMV|R");
    assert_eq!(values(Reading::Coded(Term::Private(text("06")), text("SIMV"))), "CWE|06^SIMV^99ACME|R");
    assert_eq!(values(Reading::Coded(Term::None, text("SIMV"))), "ST|SIMV|R");
    // Nothing tells what it would be.
    assert_eq!(values(Reading::Absent), "||X");
}

#[test]
fn limits_sites_and_times() {
    let m = Measurement {
        low: Text::plain("-5"),
        high: Text::plain("10"),
        at: DeviceTime::parse(b"20261122101213").ok(),
        site: Term::Private(Text::plain("ART|1")),
        ..number(150_087, "7", 266_016)
    };
    let tail = |m: Measurement<'_>| {
        let row = rows(&[Item::Measurement(m)]).pop().unwrap();
        row.split_once("UCUM|").unwrap().1.to_owned()
    };
    assert_eq!(tail(m), r"-5 - 10||||R|||20261122101213+0100||||||^ART\F\1");
    let finger = Term::Mdc(460_500);
    let later = DeviceTime::parse(b"20261122101213-0500").ok();
    assert_eq!(
        tail(Measurement { low: Text::EMPTY, site: finger, at: later, ..m }),
        "<10||||R|||20261122101213-0500||||||460500^MDC_UPEXT_FINGER^MDC"
    );
    // A date has no offset; a place that nobody knows is none.
    let date = DeviceTime::parse(b"20261122").ok();
    assert_eq!(
        tail(Measurement { high: Text::EMPTY, low: Text::plain("3"), site: Term::Mdc(1), at: date, ..m }),
        ">3||||R|||20261122"
    );
}

#[test]
fn a_silent_device_says_so() {
    let items = [Item::Device(Device { silent: true, ..monitor() })];
    let message = write(&route(), &items);
    assert!(message.ends_with(
        "OBX|1||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|1.0.0.0||||NAV|||X|||||||MON1^^00A0B0C0D0E0F001^EUI-64\n"
    ));
    let nothing = try_write(&route(), &plan(), &[], &[Item::Device(monitor())], &mut [0; 4096]);
    assert_eq!(nothing, Err(PcdError::Empty));
    assert_eq!(try_write(&route(), &plan(), &[], &[], &mut [0; 4096]), Err(PcdError::Empty));
}

#[test]
fn two_hundred_measurements_and_every_one_absent() {
    let mut items = vec![Item::Device(monitor())];
    for n in 0..200 {
        if n % 10 == 0 {
            items
                .push(group(if n % 20 == 0 { 69_798 } else { 69_642 }, if n % 30 == 0 { 0 } else { 69_855 }));
        }
        items.push(Item::Measurement(number(150_456, "97", 262_688)));
    }
    for (verdict, status) in [(Verdict::Send, "|97|"), (Verdict::SendAbsent, "||262688")] {
        let mut buffer = vec![0; 65_536];
        let message = try_write(&route(), &plan(), &[verdict; 200], &items, &mut buffer).unwrap();
        let obx: Vec<&str> = message.lines().filter(|s| s.starts_with("OBX|")).collect();
        let places: BTreeSet<&str> = obx.iter().map(|row| row.split('|').nth(4).unwrap()).collect();
        assert_eq!(places.len(), obx.len());
        assert!(obx.iter().enumerate().all(|(n, row)| row.starts_with(&format!("OBX|{}|", n + 1))));
        assert_eq!(obx.iter().filter(|row| row.contains(status)).count(), 200);
        // Nothing less than the whole message is one.
        let length = message.len();
        for size in [0, 1, 100, length / 2, length - 1] {
            let full = try_write(&route(), &plan(), &[verdict; 200], &items, &mut vec![0; size]);
            assert_eq!(full, Err(PcdError::Write(WriteError::Full)), "{size}");
        }
        assert!(try_write(&route(), &plan(), &[verdict; 200], &items, &mut vec![0; length]).is_ok());
    }
}

#[test]
fn what_cannot_be_read_or_written_fails_the_whole_message() {
    let words = |bytes: &'static [u8], charset| {
        let text = Text::new(bytes, charset, Escapes::None);
        let m = Measurement { value: Reading::Words(text), ..number(150_456, "", 0) };
        try_write(
            &route(),
            &plan(),
            &[Verdict::Send],
            &[Item::Device(monitor()), Item::Measurement(m)],
            &mut [0; 4096],
        )
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
    fn no_text_breaks_a_segment_or_a_place(text: String, counts in proptest::collection::vec(0u32..4, 1..12)) {
        let any = Text::plain(&text);
        let mut items = vec![Item::Device(Device {
            model: any, serial: any, location: any, patient: any, ..monitor()
        })];
        for (n, count) in counts.iter().enumerate() {
            let term = match (n + count_of(&text)) % 3 { 0 => Term::None, 1 => Term::Private(any), _ => Term::Mdc(69_798) };
            items.push(Item::Group(Group { vmd: term, channel: if n % 2 == 0 { term } else { Term::None }, ..Group::default() }));
            for _ in 0..*count {
                items.push(Item::Measurement(Measurement {
                    code: Code { id: any, name: any, system: "99ACME", ..Code::default() },
                    value: Reading::Words(any), low: any, high: any, site: Term::Private(any),
                    unit: Unit { mdc: 0, sent: any }, ..number(0, "", 0)
                }));
            }
        }
        let route = Route { charset: Charset::Utf8, patient: Some(("A", "B")), ..route() };
        let mut buffer = vec![0; 1 << 20];
        let plan = Plan { location: "", instrument: &text, ..plan() };
        let measured = counts.iter().sum::<u32>() > 0;
        let message = try_write(&route, &plan, &[Verdict::Send; 99], &items, &mut buffer);
        proptest::prop_assert_eq!(message.is_ok(), measured);
        let Ok(message) = message else { return Ok(()) };
        let mut places = BTreeSet::new();
        for segment in message.lines() {
            proptest::prop_assert!(["MSH", "PID", "PV1", "OBR", "OBX"].contains(&&segment[..3]), "{}", segment);
            proptest::prop_assert!(!segment.starts_with("OBX") || places.insert(segment.split('|').nth(4)), "{}", segment);
        }
    }
}

fn count_of(text: &str) -> usize {
    text.chars().count()
}
