//! The second pass, segment by segment: items and verdicts in, HL7 2.5.1 out.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use expect_test::{Expect, expect};
use orugate_protocol::hl7::writer::WriteError;
use orugate_protocol::oru::{
    GroupPlan, Groups, Local, OruError, OruWriter, PatientField, PatientId, Route, SampleIdIn, Verdict,
    WriteObservation, Zone,
};
use orugate_protocol::report::{
    Code, Comment, End, Flags, Item, KnownFlag, Level, Observation, Order, Patient, ReportSink as _, Sender,
    Specimen, Status,
};
use orugate_protocol::span::Span;
use orugate_protocol::text::Text;
use orugate_protocol::time::{DeviceTime, Utc};
use std::ops::Range;

struct Berlin;

impl Zone for Berlin {
    fn at(&self, _: Utc) -> i16 {
        60
    }
    fn of(&self, civil: &DeviceTime) -> Local {
        match (civil.month, civil.day, civil.hour) {
            _ if !civil.has_time_of_day() => Local::Date,
            (3, 29, 2) => Local::Skipped,
            _ => Local::Offset(60),
        }
    }
}

const FLAGS: &[KnownFlag<'_>] = &[
    KnownFlag { code: "H", hl7: Some("H"), meaning: "" },
    KnownFlag { code: "L", hl7: Some("L"), meaning: "" },
    KnownFlag { code: "*", hl7: None, meaning: "outside the linearity" },
];

fn route() -> Route<'static> {
    Route {
        sending_application: "ORUGATE",
        sending_facility: "CORE-LAB",
        receiving_application: "CENTRAL",
        receiving_facility: "HOSP",
        processing: 'P',
        acknowledgment: ("", ""),
        charset: orugate_protocol::text::Charset::Utf8,
        sample_id_in: SampleIdIn::Specimen,
        structured_numeric: false,
        patient: None,
    }
}

fn result<'m>(code: &'m str, value: &'m str) -> Observation<'m> {
    Observation {
        code: Code { id: Text::plain(code), system: "99ACME", ..Code::default() },
        value: Text::plain(value),
        unit: Text::plain("10^3/uL"),
        unit_as_sent: Text::EMPTY,
        range: Text::plain("3.5-5.5"),
        flags: Flags { text: Text::EMPTY, separator: b'\\', known: FLAGS },
        nature: Text::EMPTY,
        status: Status::Final,
        started: None,
        completed: DeviceTime::parse(b"20261122101433").ok(),
        operator: Text::plain("OP1"),
        verifier: Text::EMPTY,
        device: Text::EMPTY,
        run: Text::EMPTY,
        replicate: Text::EMPTY,
        group: 0,
        not_reportable: None,
        doubt: None,
        suspect: false,
        span: Span::default(),
    }
}

fn group() -> GroupPlan<'static> {
    GroupPlan {
        panel: None,
        control_id: "GW010000000000012345",
        filler: "S-4711-1",
        sample: "S-4711",
        status: 'F',
        created: Utc(1_795_338_905_123_000),
        remarks: [""; 5],
        in_utf8: false,
    }
}

fn head() -> Vec<Item<'static>> {
    vec![
        Item::Sender(Sender {
            name: Text::plain("ACME-CHEM"),
            serial: Text::plain("SN1"),
            ..Sender::default()
        }),
        Item::Patient(Patient {
            practice_id: Text::plain("123456"),
            family: Text::plain("Test|er"),
            given: Text::plain("Anna"),
            birth: DeviceTime::parse(b"19610615").ok(),
            sex: Text::plain("f"),
            ..Patient::default()
        }),
        Item::Specimen(Specimen {
            id: Text::plain("S-4711"),
            kind: Text::plain("SERUM"),
            collected: DeviceTime::parse(b"20261122095000").ok(),
            received: DeviceTime::parse(b"20261122").ok(),
            ..Specimen::default()
        }),
        Item::Order(Order {
            code: Code { id: Text::plain("CHEM"), system: "99ACME", ..Code::default() },
            ..Order::default()
        }),
    ]
}

fn comment(level: Level, text: &'static str) -> Item<'static> {
    Item::Comment(Comment { level, label: "", text: Text::plain(text), span: Span::default() })
}

fn written(status: char) -> Verdict {
    Verdict::Write(WriteObservation { status, sub_id: 0, remark: None })
}

/// Plans for the first orders, and what became of each.
struct Planned<'p> {
    plans: Vec<Option<GroupPlan<'p>>>,
    orus: Vec<(u16, Result<Range<usize>, OruError>)>,
}

impl<'p> Groups<'p> for Planned<'p> {
    fn plan(&mut self, order: u16) -> Option<GroupPlan<'p>> {
        self.plans.get(usize::from(order)).copied().flatten()
    }
    fn written(&mut self, order: u16, oru: Result<Range<usize>, OruError>) {
        self.orus.push((order, oru));
    }
}

/// Walks the items once; gives what became of each planned order.
fn walk(
    route: &Route<'_>,
    plans: &[Option<GroupPlan<'_>>],
    items: &[Item<'_>],
    verdicts: &[Verdict],
    room: usize,
) -> Vec<(u16, Result<String, OruError>)> {
    let mut buffer = vec![0; room];
    let mut planned = Planned { plans: plans.to_vec(), orus: Vec::new() };
    let mut writer = OruWriter::new(route, &mut planned, verdicts, &Berlin, &mut buffer);
    items.iter().for_each(|item| writer.item(*item));
    writer.finish();
    let text = |place: Range<usize>| String::from_utf8(buffer[place].to_vec()).unwrap().replace('\r', "\n");
    planned.orus.into_iter().map(|(order, oru)| (order, oru.map(text))).collect()
}

fn write(
    route: &Route<'_>,
    group: &GroupPlan<'_>,
    items: &[Item<'_>],
    verdicts: &[Verdict],
) -> Result<String, OruError> {
    walk(route, &[Some(*group)], items, verdicts, 4096).pop().unwrap().1
}

fn check(
    route: &Route<'_>,
    group: &GroupPlan<'_>,
    items: &[Item<'_>],
    verdicts: &[Verdict],
    expected: &Expect,
) {
    expected.assert_eq(&write(route, group, items, verdicts).unwrap());
}

#[test]
fn a_plain_result_asserts_no_patient() {
    let mut items = head();
    items.push(Item::Observation(result("GLU", "182")));
    items.push(Item::End(End { complete: true }));
    check(
        &route(),
        &group(),
        &items,
        &[written('F')],
        &expect![[r#"
        MSH|^~\&|ORUGATE|CORE-LAB|CENTRAL|HOSP|20261122101505.123+0100||ORU^R01^ORU_R01|GW010000000000012345|P|2.5.1||||||UNICODE UTF-8
        ORC|RE||S-4711-1||CM
        OBR|1||S-4711-1|CHEM^^99ACME|||20261122095000+0100|||||||||||||||20261122101505.123+0100|||F
        OBX|1|NM|GLU^^99ACME||182|10\S\3/uL^^99ACME|3.5-5.5||||F|||20261122095000+0100||OP1||ACME-CHEM~SN1|20261122101433+0100
        SPM|1|S-4711||SER^Serum^HL70487|||||||P^Patient^HL70369||||||20261122095000+0100|20261122
    "#]],
    );
}

#[test]
fn a_time_that_no_clock_showed_has_no_offset_and_a_note() {
    let mut items = head();
    let Item::Specimen(specimen) = &mut items[2] else { panic!() };
    specimen.collected = DeviceTime::parse(b"20260329021500").ok();
    let at =
        |stamp: &str| Observation { completed: DeviceTime::parse(stamp.as_bytes()).ok(), ..result("K", "4") };
    items.extend(["20260329023000", "20260329023000+0100", "20260329033000"].map(at).map(Item::Observation));
    check(
        &route(),
        &group(),
        &items,
        &[written('F'); 3],
        &expect![[r#"
        MSH|^~\&|ORUGATE|CORE-LAB|CENTRAL|HOSP|20261122101505.123+0100||ORU^R01^ORU_R01|GW010000000000012345|P|2.5.1||||||UNICODE UTF-8
        ORC|RE||S-4711-1||CM
        OBR|1||S-4711-1|CHEM^^99ACME|||20260329021500|||||||||||||||20261122101505.123+0100|||F
        NTE|1|A|The time of collection is in the hour that daylight saving skips; it has no offset.
        OBX|1|NM|K^^99ACME||4|10\S\3/uL^^99ACME|3.5-5.5||||F|||20260329021500||OP1||ACME-CHEM~SN1|20260329023000
        NTE|1|A|The time of this result is in the hour that daylight saving skips; it has no offset.
        OBX|2|NM|K^^99ACME||4|10\S\3/uL^^99ACME|3.5-5.5||||F|||20260329021500||OP1||ACME-CHEM~SN1|20260329023000+0100
        OBX|3|NM|K^^99ACME||4|10\S\3/uL^^99ACME|3.5-5.5||||F|||20260329021500||OP1||ACME-CHEM~SN1|20260329033000+0100
        SPM|1|S-4711||SER^Serum^HL70487|||||||P^Patient^HL70369||||||20260329021500|20261122
    "#]],
    );
}

#[test]
fn everything_that_a_site_can_ask_for() {
    let route = Route {
        acknowledgment: ("AL", "NE"),
        charset: orugate_protocol::text::Charset::Utf8,
        sample_id_in: SampleIdIn::Placer,
        structured_numeric: true,
        patient: Some(PatientId { field: PatientField::P3, authority: "HOSP", kind: "MR" }),
        ..route()
    };
    let group =
        GroupPlan { remarks: ["Sent again by the instrument.", "", "", "", ""], status: 'P', ..group() };
    let mut items = head();
    items.insert(2, comment(Level::Patient, "fasting"));
    items.push(comment(Level::Order, "haemolysed & lipemic\r\nsecond line"));
    let mut low = result("CREA", "<0.1");
    low.flags.text = Text::plain("L\\*\\Z9");
    low.verifier = Text::plain("OP2");
    low.code.loinc = Text::plain("2160-0");
    low.code.name = Text::plain("Creatinine");
    low.replicate = Text::plain("2");
    items.push(Item::Observation(low));
    items.push(comment(Level::Observation, "ratio 1^2"));
    items.push(Item::Observation(Observation { status: Status::Questionable, ..result("K", "5.6") }));
    items.push(Item::Observation(Observation { status: Status::NotDone, ..result("NA", "-----") }));
    let long = "1 to 2 for children, 3 to 4 for women, 5 to 6 for men, 7 to 8 for others";
    items.push(Item::Observation(Observation { range: Text::plain(long), ..result("PREG", "Negative") }));
    let sub = Verdict::Write(WriteObservation { status: 'C', sub_id: 2, remark: Some("Corrected.") });
    check(
        &route,
        &group,
        &items,
        &[written('F'), written('P'), written('X'), sub],
        &expect![[r#"
        MSH|^~\&|ORUGATE|CORE-LAB|CENTRAL|HOSP|20261122101505.123+0100||ORU^R01^ORU_R01|GW010000000000012345|P|2.5.1|||AL|NE||UNICODE UTF-8
        PID|1||123456^^^HOSP^MR||Test\F\er^Anna^^^^^L||19610615|F
        ORC|RE|S-4711|S-4711-1||IP
        OBR|1|S-4711|S-4711-1|CHEM^^99ACME|||20261122095000+0100|||||||||||||||20261122101505.123+0100|||P
        NTE|1|A|Sent again by the instrument.
        NTE|2|A|fasting
        NTE|3|A|haemolysed \T\ lipemic\.br\second line
        OBX|1|SN|2160-0^Creatinine^LN^CREA^Creatinine^99ACME||<^0.1|10\S\3/uL^^99ACME|3.5-5.5|L|||F|||20261122095000+0100||OP1~OP2||ACME-CHEM~SN1|20261122101433+0100
        NTE|1|A|outside the linearity
        NTE|2|A|Instrument flag: Z9
        NTE|3|A|Dilution or replicate: 2
        NTE|4|A|ratio 1\S\2
        OBX|2|NM|K^^99ACME||5.6|10\S\3/uL^^99ACME|3.5-5.5||||P|||20261122095000+0100||OP1||ACME-CHEM~SN1|20261122101433+0100
        NTE|1|A|The instrument questions the validity of this result.
        OBX|3|ST|NA^^99ACME|||10\S\3/uL^^99ACME|3.5-5.5||||X|||20261122095000+0100||OP1||ACME-CHEM~SN1|20261122101433+0100
        NTE|1|A|Not done; the instrument wrote: -----
        OBX|4|ST|PREG^^99ACME|2|Negative|10\S\3/uL^^99ACME|||||C|||20261122095000+0100||OP1||ACME-CHEM~SN1|20261122101433+0100
        NTE|1|A|Corrected.
        NTE|2|A|Reference range: 1 to 2 for children, 3 to 4 for women, 5 to 6 for men, 7 to 8 for others
        SPM|1|S-4711||SER^Serum^HL70487|||||||P^Patient^HL70369||||||20261122095000+0100|20261122
    "#]],
    );
}

#[test]
fn withheld_results_take_their_comments_along_and_other_groups_stay_out() {
    let mut items = head();
    items.push(Item::Observation(result("A", "1")));
    items.push(comment(Level::Observation, "of A"));
    items.push(Item::Observation(result("B", "2")));
    items.push(comment(Level::Observation, "of B"));
    items.push(Item::Specimen(Specimen { id: Text::plain("S-2"), ..Specimen::default() }));
    items.push(Item::Order(Order {
        code: Code { id: Text::plain("C2"), system: "99ACME", ..Code::default() },
        ..Order::default()
    }));
    items.push(comment(Level::Order, "of the second order"));
    items.push(Item::Observation(result("C", "3")));
    let verdicts = [Verdict::Withheld, written('F'), written('F')];
    check(
        &route(),
        &group(),
        &items,
        &verdicts,
        &expect![[r#"
        MSH|^~\&|ORUGATE|CORE-LAB|CENTRAL|HOSP|20261122101505.123+0100||ORU^R01^ORU_R01|GW010000000000012345|P|2.5.1||||||UNICODE UTF-8
        ORC|RE||S-4711-1||CM
        OBR|1||S-4711-1|CHEM^^99ACME|||20261122095000+0100|||||||||||||||20261122101505.123+0100|||F
        OBX|1|NM|B^^99ACME||2|10\S\3/uL^^99ACME|3.5-5.5||||F|||20261122095000+0100||OP1||ACME-CHEM~SN1|20261122101433+0100
        NTE|1|A|of B
        SPM|1|S-4711||SER^Serum^HL70487|||||||P^Patient^HL70369||||||20261122095000+0100|20261122
    "#]],
    );
    let second = GroupPlan { sample: "S-2", filler: "S-2-1", ..group() };
    let alone = walk(&route(), &[None, Some(second)], &items, &verdicts, 4096);
    // Beside others it is the same, also behind one that could not be written.
    let both = walk(&route(), &[Some(group()), Some(second), Some(second)], &items, &verdicts, 4096);
    assert_eq!(both.iter().map(|(order, _)| *order).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(both[1], alone[0]);
    // The first is the longer one.
    let room = alone[0].1.as_ref().unwrap().len();
    let cramped = walk(&route(), &[Some(group()), Some(second)], &items, &verdicts, room);
    assert!(matches!(cramped[0].1, Err(OruError::Write(WriteError::Full))), "{cramped:?}");
    assert_eq!(cramped[1], alone[0]);
    expect![[r#"
        MSH|^~\&|ORUGATE|CORE-LAB|CENTRAL|HOSP|20261122101505.123+0100||ORU^R01^ORU_R01|GW010000000000012345|P|2.5.1||||||UNICODE UTF-8
        ORC|RE||S-2-1||CM
        OBR|1||S-2-1|C2^^99ACME||||||||||||||||||20261122101505.123+0100|||F
        NTE|1|A|of the second order
        OBX|1|NM|C^^99ACME||3|10\S\3/uL^^99ACME|3.5-5.5||||F|||||OP1||ACME-CHEM~SN1|20261122101433+0100
        SPM|1|S-2||^Not stated by the instrument|||||||P^Patient^HL70369
    "#]].assert_eq(alone[0].1.as_ref().unwrap());
}

#[test]
fn what_cannot_be_written_whole_is_not_written() {
    let mut items = head();
    items.push(Item::Observation(result("A", "1")));
    assert_eq!(write(&route(), &group(), &items, &[Verdict::Withheld]), Err(OruError::Empty));
    let (route, group) = (route(), group());
    assert!(walk(&route, &[None, Some(group)], &items, &[written('F')], 4096).is_empty(), "no such order");
    let small = walk(&route, &[Some(group)], &items, &[written('F')], 100);
    assert!(matches!(small[..], [(0, Err(OruError::Write(_)))]));
    for _ in 0..65 {
        items.insert(2, comment(Level::Patient, "one more"));
    }
    assert!(matches!(write(&route, &group, &items, &[written('F')]), Err(OruError::TooMany(_))));
}
