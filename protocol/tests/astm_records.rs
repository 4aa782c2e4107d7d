//! LIS02 records as instruments send them, odd ones included: one table per behaviour, then arbitrary bytes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use expect_test::{Expect, expect};
use orugate_protocol::astm::record::{
    ActionCode, CommentSource, CommentType, DelimiterSource, Field, Header, HeaderError, HeaderProblem,
    Order, ProcessingId, QueryStatus, RecordType, Records, ReportType, ResultRecord, ResultStatus, Role,
    TerminationCode, View, Walker,
};
use orugate_protocol::span::Span;
use orugate_protocol::text::{Charset, Delimiters};
use orugate_protocol::time::{DeviceTime, Precision, TimeError};
use proptest::prelude::*;
use std::fmt::Write as _;

fn sliced(message: &[u8], span: Span) -> &[u8] {
    &message[span.start as usize..span.end as usize]
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// Each record with its span, then each field that is not empty by the standard's name.
fn check_fields(message: &[u8], expected: Expect) {
    let mut out = String::new();
    for record in Records::new(message) {
        let end = if record.terminated() { "" } else { " cut" };
        writeln!(out, "{:?} {}{end}", record.kind(), record.span()).unwrap();
        let names = record.kind().field_names();
        for (n, field) in (1..).zip(record.fields()) {
            assert_eq!(field, record.field(n));
            let name = names.iter().find(|(number, _)| *number == n).map_or("?", |(_, name)| name);
            if n > 1 && !field.is_empty() {
                writeln!(out, "  {n} {name}: {}", shown(field.bytes())).unwrap();
            }
        }
    }
    expected.assert_eq(&out);
}

/// Records only: type, text, whether terminated.
fn check_records(message: &[u8], expected: Expect) {
    let mut out = String::new();
    for record in Records::new(message) {
        let end = if record.terminated() { "" } else { " cut" };
        writeln!(out, "{} {:?} {}{end}", record.span(), record.kind(), shown(record.bytes())).unwrap();
    }
    expected.assert_eq(&out);
}

#[test]
fn header_patient_terminator() {
    check_fields(
        b"H|\\^&|M-7|pw|Chem 1^4.2^SN77|Street 1||555|8N1|LIS|remark|P|LIS2-A2|20261123093159\r\
          P|1|PR1|LA1|ID3|TESTPERSON^ALPHA||19000101|F||1 Nowhere^Town||555|^DR.TEST|||170^cm|70^kg|||||||A|W1|||||\
          |en|MED|INST|CHILD\rL|1|N\r",
        expect![[r#"
            Header 0..82
              2 delimiter_definition: \\^&
              3 message_control_id: M-7
              4 access_password: pw
              5 sender: Chem 1^4.2^SN77
              6 sender_address: Street 1
              8 sender_telephone: 555
              9 sender_characteristics: 8N1
              10 receiver_id: LIS
              11 comment: remark
              12 processing_id: P
              13 version: LIS2-A2
              14 message_time: 20261123093159
            Patient 83..206
              2 sequence: 1
              3 practice_patient_id: PR1
              4 laboratory_patient_id: LA1
              5 patient_id_3: ID3
              6 name: TESTPERSON^ALPHA
              8 birth_date: 19000101
              9 sex: F
              11 address: 1 Nowhere^Town
              13 telephone: 555
              14 attending_physician_id: ^DR.TEST
              17 height: 170^cm
              18 weight: 70^kg
              25 admission_status: A
              26 location: W1
              32 language: en
              33 hospital_service: MED
              34 hospital_institution: INST
              35 dosage_category: CHILD
            Terminator 207..212
              2 sequence: 1
              3 termination_code: N
        "#]],
    );
}

#[test]
fn order_result_comment_manufacturer() {
    check_fields(
        b"H|\\^&\r\
          O|1|S-1^1^4|I-1|^^^GLU\\^^^UREA|R|20261123|202611230800|202611230801|5^mL|NURSE|A|none|fasting|\
          202611230830|SERUM^V|DR|555|u1|u2|l1|l2|202611230900|3|SEC|F||WARD|N|SERV|INST\r\
          R|1|^^^GLU|5.1^ok|mmol/L|3.9 to 6.1^REF|N|A|F|20200101|OP1^OP2|202611230855|202611230856|DEV\r\
          C|1|I|Short sample^x|I\rM|1|RR|1\\2|x\r",
        expect![[r#"
            Header 0..5
              2 delimiter_definition: \\^&
            Order 6..178
              2 sequence: 1
              3 specimen_id: S-1^1^4
              4 instrument_specimen_id: I-1
              5 universal_test_id: ^^^GLU\\^^^UREA
              6 priority: R
              7 requested_time: 20261123
              8 collection_time: 202611230800
              9 collection_end_time: 202611230801
              10 collection_volume: 5^mL
              11 collector_id: NURSE
              12 action_code: A
              13 danger_code: none
              14 clinical_information: fasting
              15 received_time: 202611230830
              16 specimen_descriptor: SERUM^V
              17 ordering_physician: DR
              18 physician_telephone: 555
              19 user_1: u1
              20 user_2: u2
              21 laboratory_1: l1
              22 laboratory_2: l2
              23 reported_time: 202611230900
              24 instrument_charge: 3
              25 instrument_section_id: SEC
              26 report_type: F
              28 collection_location: WARD
              29 nosocomial_infection: N
              30 specimen_service: SERV
              31 specimen_institution: INST
            Result 179..271
              2 sequence: 1
              3 universal_test_id: ^^^GLU
              4 value: 5.1^ok
              5 units: mmol/L
              6 reference_ranges: 3.9 to 6.1^REF
              7 abnormal_flags: N
              8 abnormality_nature: A
              9 status: F
              10 normative_change_date: 20200101
              11 operator: OP1^OP2
              12 started_time: 202611230855
              13 completed_time: 202611230856
              14 instrument_id: DEV
            Comment 272..294
              2 sequence: 1
              3 source: I
              4 text: Short sample^x
              5 comment_type: I
            Manufacturer 295..307
              2 sequence: 1
              3 ?: RR
              4 ?: 1\\2
              5 ?: x
        "#]],
    );
}

#[test]
fn query_scientific_and_unknown() {
    check_fields(
        b"H|\\^&\rQ|1|PAT^S-1\\PAT^S-2|END|ALL|R|20261101|20261123|DR|555|u1|u2|O\r\
          S|1|METHOD|INSTR|REAG|mg|QC|SER||TUBE|S-1|GLU|5|mmol/L|20261101|20261102|STEPS|DX|19000101|F|R\rZ|1|x\r",
        expect![[r#"
            Header 0..5
              2 delimiter_definition: \\^&
            Query 6..68
              2 sequence: 1
              3 starting_range_id: PAT^S-1\\PAT^S-2
              4 ending_range_id: END
              5 universal_test_id: ALL
              6 time_limits_nature: R
              7 begin_time: 20261101
              8 end_time: 20261123
              9 physician_name: DR
              10 physician_telephone: 555
              11 user_1: u1
              12 user_2: u2
              13 status: O
            Scientific 69..163
              2 sequence: 1
              3 analytical_method: METHOD
              4 instrumentation: INSTR
              5 reagents: REAG
              6 units_of_measure: mg
              7 quality_control: QC
              8 specimen_descriptor: SER
              10 container: TUBE
              11 specimen_id: S-1
              12 analyte: GLU
              13 result: 5
              14 result_units: mmol/L
              15 collection_time: 20261101
              16 result_time: 20261102
              17 preprocessing_steps: STEPS
              18 diagnosis: DX
              19 birth_date: 19000101
              20 sex: F
              21 race: R
            Other(90) 164..169
              2 ?: 1
              3 ?: x
        "#]],
    );
}

#[test]
fn typed_views_know_their_record() {
    let message = b"h|\\^&|||ABX||||||| Q |1\rp|1\ro|2|S-1|||||||||C||||||||||||||X\rr|1|^^^WBC|5|||||W\r\
        q|1|^S-1||||||||||A\rc|1|I|x|N\rl|1\rl|1|F\rl|1|f\rl|1|NN\r";
    let mut seen = Vec::new();
    for record in Records::new(message) {
        seen.push(record.kind());
        assert_eq!(Header::of(record).is_some(), record.kind() == RecordType::Header);
        match record.view() {
            View::Header(h) => {
                assert_eq!(h.sender().bytes(), b"ABX");
                assert_eq!(h.processing_id(), ProcessingId::QualityControl);
                assert_eq!(h.record().field(12).bytes(), b" Q ");
                assert_eq!(h.delimiter_definition().bytes(), br"\^&");
            }
            View::Order(o) => {
                assert_eq!(Order::of(record), Some(o));
                assert_eq!(o.specimen_id().bytes(), b"S-1");
                assert!(o.instrument_specimen_id().is_empty());
                assert_eq!((o.action_code(), o.report_type()), (ActionCode::Cancel, ReportType::Cancelled));
            }
            View::Result(r) => {
                assert_eq!(ResultRecord::of(record), Some(r));
                assert_eq!(r.universal_test_id().component(4).bytes(), b"WBC");
                assert_eq!((r.value().bytes(), r.status()), (&b"5"[..], ResultStatus::Questionable));
            }
            View::Comment(c) => {
                assert_eq!(c.source(), CommentSource::Instrument);
                assert_eq!(c.comment_type(), CommentType::Negative);
            }
            View::Query(q) => {
                assert_eq!(q.starting_range_id().component(2).bytes(), b"S-1");
                assert_eq!(q.status(), QueryStatus::Abort);
            }
            View::Patient(p) => assert_eq!(p.name().span(), Span::new(27, 27)),
            View::Terminator(l) => match l.record().field(3).bytes() {
                b"" => {
                    assert_eq!(l.termination_code(), TerminationCode::Absent);
                    assert!(l.termination_code().is_normal());
                }
                b"F" => assert_eq!(l.termination_code(), TerminationCode::QueryDone),
                other => assert_eq!(l.termination_code(), TerminationCode::Unknown(other)),
            },
            other => panic!("{other:?}"),
        }
    }
    use RecordType::{
        Comment as C, Header as H, Order as O, Patient as P, Query as Q, Result as R, Terminator as L,
    };
    assert_eq!(seen, [H, P, O, R, Q, C, L, L, L, L]);
}

/// Bytes of every repeat of a field, then of every component of each.
fn parts(field: Field<'_>) -> Vec<Vec<String>> {
    field.repeats().map(|r| r.components().map(|c| shown(c.bytes())).collect()).collect()
}

#[test]
fn repeats_with_and_without_their_leading_components() {
    let order =
        |message: &'static [u8]| Records::new(message).find_map(Order::of).unwrap().universal_test_id();
    let full = order(b"H|\\^&\rO|1|S-1||^^^GLU\\^^^UREA\r");
    assert_eq!(parts(full), [["", "", "", "GLU"], ["", "", "", "UREA"]]);
    // Vitros: only the first repeat has the empty components.
    let vitros = order(b"H|\\^&\rO|1|S-1||^^^1.0+950+1.0\\951+1.0\r");
    assert_eq!(parts(vitros), [vec!["", "", "", "1.0+950+1.0"], vec!["951+1.0"]]);
    assert_eq!(vitros.component(4).bytes(), b"1.0+950+1.0");
    assert_eq!(vitros.repeat(2).component(1).bytes(), b"951+1.0");
    // Erba: a backtick; the backslash is text.
    let erba = order(b"H|`^&\rO|1|S-1||^^^A\\1`^^^B\r");
    assert_eq!(parts(erba), [["", "", "", "A\\\\1"], ["", "", "", "B"]]);
    // GeneXpert: @ repeats, backslash escapes.
    let genexpert = order(b"H|@^\\|URM-1\rO|1|S-1||^^^MTB\\S\\RIF@^^^HIV\r");
    assert_eq!(parts(genexpert), [["", "", "", "MTB\\\\S\\\\RIF"], ["", "", "", "HIV"]]);
    assert!(genexpert.component(4).text().reads("MTB^RIF"));
}

#[test]
fn a_part_does_not_split_again_and_an_absent_one_is_empty_at_the_end() {
    let message = b"H|\\^&\rR|1|a^b\\c^d|x\r";
    let record = Records::new(message).nth(1).unwrap();
    let field = record.field(3);
    assert_eq!((field.repeats().count(), field.repeat(2).repeats().count()), (2, 1));
    assert_eq!(field.repeat(2).component(2).components().count(), 1);
    assert_eq!(field.repeat(2).component(2).span(), Span::new(16, 17));
    for absent in
        [field.repeat(3), field.repeat(0), record.field(5), record.field(0), record.field(usize::MAX)]
    {
        assert!(absent.is_empty());
        assert_eq!((absent.repeats().count(), absent.components().count()), (1, 1));
        assert!(absent.component(1).is_empty() && absent.component(7).is_empty());
    }
    assert_eq!(field.repeat(3).span(), Span::new(17, 17));
    assert_eq!(field.component(3).span(), Span::new(13, 13), "the end of the first repeat");
    assert_eq!(record.field(5).span(), Span::new(19, 19));
    assert_eq!(record.field_count(), 4);
}

#[test]
fn the_delimiter_definition_stays_whole() {
    for message in
        [&b"H|\\^&|||X\r"[..], b"H|\\\\^&|||X\r", b"H|^~\\&|||X\r", b"H|@^\\|||X\r", b"H|&F&|||X\r"]
    {
        let header = Records::new(message).find_map(Header::of).unwrap();
        let definition = header.delimiter_definition();
        let end = message.len() - "|||X\r".len();
        assert_eq!(definition.bytes(), &message[2..end]);
        assert_eq!(definition.component(1).bytes(), &message[2..end]);
        assert_eq!(definition.repeats().count(), 1);
        assert_eq!(definition.text().chars().count(), end - 2);
        assert_eq!(header.record().fields().nth(1), Some(definition));
        assert_eq!(header.sender().bytes(), b"X");
    }
}

#[test]
fn escapes_are_read_with_the_declared_delimiters() {
    for (raw, read) in [
        ("a&F&b&S&c&R&d&E&e", "a|b^c\\d&e"),
        ("A&E", "A&E"),
        ("&E&S&E&", "&S&"),
        ("&Q&F&", "&Q|"),
        ("&X41&&F", "A&F"),
        ("&Z9&", "&Z9&"),
    ] {
        let message = format!("H|\\^&\rC|1|I|{raw}|G\r");
        let record = Records::new(message.as_bytes()).nth(1).unwrap();
        assert_eq!(record.field(4).text().to_string(), read);
        assert_eq!(record.field(5).bytes(), b"G");
    }
    // A raw delimiter always splits: LIS02 has letters for those that do not.
    let record = Records::new(b"H|\\^&\rC|1|I|a&|b|G\r").nth(1).unwrap();
    assert_eq!((record.field(4).bytes(), record.field(5).bytes()), (&b"a&"[..], &b"b"[..]));
}

#[test]
fn trims_spaces_and_moves_the_span() {
    let message = b"H|\\^&\rO|1||^^    113 ^A|\"\"|   \r";
    let record = Records::new(message).nth(1).unwrap();
    let id = record.field(4).component(3);
    assert_eq!((id.bytes(), id.trimmed().bytes()), (&b"    113 "[..], &b"113"[..]));
    assert_eq!(sliced(message, id.trimmed().span()), b"113");
    assert!(record.field(5).is_delete() && !record.field(6).is_delete());
    let blank = record.field(6);
    assert!(!blank.is_empty() && blank.trimmed().is_empty());
    assert!(blank.trimmed().span().is_empty());
    assert!(blank.trimmed().span().end <= record.span().end);
}

#[test]
fn time_stamps() {
    let message = b"H|\\^&\rR|1||||||||||  20261123093159|2026112|     |202611230931+0100\r";
    let record = Records::new(message).nth(1).unwrap();
    let result = ResultRecord::of(record).unwrap();
    let started = result.started_time().time().unwrap().unwrap();
    assert_eq!((started.to_string().as_str(), started.precision), ("20261123093159", Precision::Second));
    assert_eq!(result.completed_time().time(), Some(Err(TimeError::Syntax(7))));
    assert_eq!(result.instrument_id().time(), None);
    assert_eq!(result.value().time(), None);
    let offset = record.field(15).time().map(|t| t.map(|t: DeviceTime| t.offset));
    assert_eq!(offset, Some(Ok(Some(60))));
}

#[test]
fn any_line_end_ends_a_record() {
    check_records(
        b"H|\\^&\nP|1\n\n\nO|1\nL|1|N",
        expect![[r#"
        0..5 Header H|\\^&
        6..9 Patient P|1
        12..15 Order O|1
        16..21 Terminator L|1|N cut
    "#]],
    );
    check_records(
        b"\r\nH|\\^&\r\n\r\nP|1\r\nL|1|N\r\n\r\n",
        expect![[r#"
        2..7 Header H|\\^&
        11..14 Patient P|1
        16..21 Terminator L|1|N
    "#]],
    );
    check_records(
        b"H|\\^&\n2P|1\nnotes\nL|1|N\n",
        expect![[r#"
        0..5 Header H|\\^&
        6..10 Other(50) 2P|1
        11..16 Other(110) notes
        17..22 Terminator L|1|N
    "#]],
    );
    check_records(b"", expect![[""]]);
    check_records(b"\r\n\r", expect![[""]]);
}

#[test]
fn a_line_feed_inside_a_field_does_not_halve_it() {
    check_records(
        b"H|\\^&\rR|1|^^^HIV|POS\nITIVE|x\rC|1|I|two\nlines\nR|2|^^^HCV|NEG\n\rL|1|N\nH@`^&\rP@1\n",
        expect![[r#"
            0..5 Header H|\\^&
            6..28 Result R|1|^^^HIV|POS\nITIVE|x
            29..44 Comment C|1|I|two\nlines
            45..59 Result R|2|^^^HCV|NEG
            61..66 Terminator L|1|N
            67..72 Header H@`^&
            73..76 Patient P@1
        "#]],
    );
}

#[test]
fn lower_case_longer_and_unknown_types() {
    check_records(
        b"h|\\^&\rr|1\rz|1\rOBR|1\r1H|\\^&\rR\rRX\rHELLO\r|1\r\x02R|1\r",
        expect![[r#"
        0..5 Header h|\\^&
        6..9 Result r|1
        10..13 Other(122) z|1
        14..19 Other(79) OBR|1
        20..26 Other(49) 1H|\\^&
        27..28 Result R
        29..31 Other(82) RX
        32..37 Other(72) HELLO
        38..40 Other(124) |1
        41..45 Other(2) \x02R|1
    "#]],
    );
}

/// For each record its type, what it is read by, and field 3.
fn check_delimiters(message: &[u8], fallback: Delimiters, expected: Expect) {
    let mut out = String::new();
    for record in Records::with_fallback(message, fallback) {
        let from = match record.delimiter_source() {
            DelimiterSource::BadHeader(error) => format!("bad: {error}"),
            other => format!("{other:?}"),
        };
        let Delimiters { field, repeat, component, escape } = record.delimiters();
        let set = shown(&[field, repeat, component, escape]);
        writeln!(out, "{:?} {set} {from}: {}", record.kind(), shown(record.field(3).bytes())).unwrap();
    }
    expected.assert_eq(&out);
}

#[test]
fn delimiters_follow_the_latest_header_or_a_fallback() {
    let usual = Delimiters::default();
    check_delimiters(
        b"R|1|a\rH!@^&\rR!1!b!\rH|\\^&\rR|1|c\r",
        usual,
        expect![[r#"
        Result |\\^& NoHeader: a
        Header !@^& Declared: 
        Result !@^& Declared: b
        Header |\\^& Declared: 
        Result |\\^& Declared: c
    "#]],
    );
    check_delimiters(
        b"H|\\\\^&|||X\nR|1|a\n",
        usual,
        expect![[r#"
        Header |\\^& bad: byte 3: repeat and component delimiter are both '\': 
        Result |\\^& bad: byte 3: repeat and component delimiter are both '\': a
    "#]],
    );
    check_delimiters(
        b"H|^~\\&|||X\rP|1|a\rH\rR|1|b\rH^~~&^\rR|1|c\r",
        usual,
        expect![[r#"
            Header |\\^& bad: byte 5: '&' after the escape delimiter, where H.2 must end: 
            Patient |\\^& bad: byte 5: '&' after the escape delimiter, where H.2 must end: a
            Header |\\^& bad: byte 18: the header ends before its field delimiter: 
            Result |\\^& bad: byte 18: the header ends before its field delimiter: b
            Header |\\^& bad: byte 28: repeat and component delimiter are both '~': 
            Result |\\^& bad: byte 28: repeat and component delimiter are both '~': c
        "#]],
    );
    check_delimiters(
        b"H!\\\\^&\rR!1!a\r",
        usual,
        expect![[r#"
        Header !\\^& bad: byte 3: repeat and component delimiter are both '\': 
        Result !\\^& bad: byte 3: repeat and component delimiter are both '\': a
    "#]],
    );
    let genexpert = Delimiters { field: b'|', repeat: b'@', component: b'^', escape: b'\\' };
    check_delimiters(
        b"R|1|a\rH|@@\\\rR|1|b",
        genexpert,
        expect![[r#"
        Result |@^\\ NoHeader: a
        Header |@^\\ bad: byte 9: repeat and component delimiter are both '@': 
        Result |@^\\ bad: byte 9: repeat and component delimiter are both '@': b
    "#]],
    );
}

#[test]
fn a_bad_header_says_where_in_the_message_and_still_names_the_sender() {
    let message = b"H|\\^&\rL|1\rH|\\\\^&|||H550^SN\r";
    let record = Records::new(message).nth(2).unwrap();
    let problem = HeaderProblem::Equal { first: Role::Repeat, second: Role::Component, byte: b'\\' };
    assert_eq!(record.delimiter_source(), DelimiterSource::BadHeader(HeaderError { offset: 13, problem }));
    assert_eq!(message[13], b'\\');
    assert_eq!(Header::of(record).unwrap().sender().component(1).bytes(), b"H550");
}

/// Level, parent and oddities of each record.
fn check_places(message: &[u8], expected: Expect) {
    let mut walker = Walker::new();
    let mut out = String::new();
    for record in Records::new(message) {
        let place = walker.place(&record);
        write!(out, "{} {}", place.level, shown(record.bytes())).unwrap();
        match place.parent {
            Some(parent) => write!(out, " < {}", shown(sliced(message, parent.span))).unwrap(),
            None => out.push_str(" < nothing"),
        }
        if place.orphan {
            out.push_str(", orphan");
        }
        if let Some(gap) = place.gap {
            assert_eq!(gap.record, record.span());
            write!(out, ", {:?} instead of {}", gap.found, gap.expected).unwrap();
        }
        out.push('\n');
    }
    expected.assert_eq(&out);
}

#[test]
fn every_record_has_its_place() {
    check_places(
        b"H|\\^&\rC|1\rP|1\rC|1\rC|2\rO|1\rC|1\rM|1\rM|2\rR|1\rC|1\rM|1\rR|2\rC|1\rO|2\rR|1\rP|2\rO|1\rR|1\rX|9\rL|1\rC|1\r",
        expect![[r#"
            0 H|\\^& < nothing
            1 C|1 < H|\\^&
            1 P|1 < H|\\^&
            2 C|1 < P|1
            2 C|2 < P|1
            2 O|1 < P|1
            3 C|1 < O|1
            3 M|1 < O|1
            3 M|2 < O|1
            3 R|1 < O|1
            4 C|1 < R|1
            4 M|1 < R|1
            3 R|2 < O|1
            4 C|1 < R|2
            2 O|2 < P|1
            3 R|1 < O|2
            1 P|2 < H|\\^&
            2 O|1 < P|2
            3 R|1 < O|1
            4 X|9 < R|1
            0 L|1 < nothing
            1 C|1 < L|1
        "#]],
    );
}

#[test]
fn missing_parents_and_odd_numbers_are_only_noted() {
    check_places(
        b"R|1\rH|\\^&\rR|1\rP|1\rR|3\rR|4\rO|1\rR|1\rR|1\rR\rR|x\rR|5\rR| 6 \rR|99999999999\rQ|1\rO|1\rL|1\rP|1\r",
        expect![[r#"
            3 R|1 < nothing, orphan
            0 H|\\^& < nothing
            3 R|1 < H|\\^&, orphan
            1 P|1 < H|\\^&
            3 R|3 < P|1, orphan, Some(3) instead of 1
            3 R|4 < P|1, orphan
            2 O|1 < P|1
            3 R|1 < O|1
            3 R|1 < O|1, Some(1) instead of 2
            3 R < O|1, None instead of 2
            3 R|x < O|1, None instead of 3
            3 R|5 < O|1, Some(5) instead of 4
            3 R| 6  < O|1
            3 R|99999999999 < O|1, None instead of 7
            1 Q|1 < H|\\^&
            2 O|1 < Q|1
            0 L|1 < nothing
            1 P|1 < nothing, orphan
        "#]],
    );
}

#[test]
fn a_message_without_terminator_or_with_a_cut_record() {
    check_records(
        b"H|\\^&\rP|1\rO|1\rR|1|^^^GLU|5.1\r",
        expect![[r#"
        0..5 Header H|\\^&
        6..9 Patient P|1
        10..13 Order O|1
        14..28 Result R|1|^^^GLU|5.1
    "#]],
    );
    check_records(
        b"H|\\^&\rP|1\rO|1\rR|1|^^^GLU|5.",
        expect![[r#"
        0..5 Header H|\\^&
        6..9 Patient P|1
        10..13 Order O|1
        14..27 Result R|1|^^^GLU|5. cut
    "#]],
    );
}

#[test]
fn binary_bytes_are_data() {
    let message = b"H|\\^&\rM|1|\x00\x02\x03\xFF\x1C\x0B|\xB5\r";
    let record = Records::new(message).nth(1).unwrap();
    assert_eq!(record.field(3).bytes(), b"\x00\x02\x03\xFF\x1C\x0B");
    assert_eq!(record.field(4).bytes(), b"\xB5");
}

#[test]
fn sixty_four_thousand_fields() {
    let mut message = b"H|\\^&\rM|1".to_vec();
    message.extend(std::iter::repeat_n(b'|', 65_534));
    message.extend(b"\\^\r");
    let record = Records::new(&message).nth(1).unwrap();
    assert_eq!((record.field_count(), record.fields().count()), (65_536, 65_536));
    assert_eq!(record.field(65_536).bytes(), b"\\^");
    assert!(record.field(65_537).is_empty());
    assert_eq!(record.field(65_536).repeat(2).component(2).span().end as usize, message.len() - 1);
}

/// A second byte that looks like a delimiter; the same bytes where it is one; and a lead byte that nothing follows,
/// which takes no record's end with it.
#[test]
fn delimiters_inside_of_characters_do_not_split() {
    for (charset, name, read) in [
        ("GB18030", &b"\x81\x7C\x81\x5C\x81\x5E\x81\x7E"[..], "\u{4E85}\u{4E57}\u{4E5B}\u{4E8A}"),
        ("Big5", b"\xA5\x7C\xB3\x5C\xA5\x5E", "\u{56DB}\u{8A31}\u{5306}"),
        ("Shift_JIS", b"\x95\x5C\x83\x7C\x83\x5E", "\u{8868}\u{30DD}\u{30BF}"),
    ] {
        let Some(charset) = Charset::named(charset) else { continue };
        let message = [b"H|\\^&\rP|1||||", name, b"^X|\rR|1|^^^A|5\xE0\rL|1\r"].concat();
        let records: Vec<_> = Records::new(&message).in_charset(charset).collect();
        let patient = records[1].field(6);
        assert!(
            patient.component(1).text().reads(read),
            "{}: {}",
            charset.name(),
            patient.component(1).text()
        );
        assert_eq!(patient.component(2).bytes(), b"X");
        assert_eq!(records[2].field(4).text().undecodable().map(|bad| bad.offset), Some(1));
        assert_eq!(records[3].bytes(), b"L|1");
        assert!(Records::new(&message).nth(1).unwrap().field(6).component(1).bytes() != name);
    }
}

/// Bytes that make records, delimiters and line ends likely.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        6 => prop::sample::select(&b"HPORCQLMSh|\\^&@`\r\n 1"[..]),
        1 => any::<u8>(),
    ];
    let line = prop_oneof![
        Just(b"H|\\^&|||X\r".to_vec()),
        Just(b"\nH!@^\\\n".to_vec()),
        Just(b"R|1|a^b\\c&F&".to_vec()),
        prop::collection::vec(byte, 0..24),
    ];
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.concat())
}

fn check_field(message: &[u8], within: Span, field: Field<'_>) {
    let span = field.span();
    assert!(within.start <= span.start && span.end <= within.end, "{span} in {within}");
    assert_eq!(sliced(message, span), field.bytes());
}

/// What must hold for every message, in every charset that splits otherwise.
fn check_message(message: &[u8]) {
    check_message_in(message, Charset::Utf8);
    Charset::all()
        .filter(|charset| charset.hides(b'|'))
        .for_each(|charset| check_message_in(message, charset));
}

fn check_message_in(message: &[u8], charset: Charset) {
    let mut walker = Walker::new();
    let mut at = 0;
    for record in Records::new(message).in_charset(charset) {
        let span = record.span();
        assert!(!record.bytes().is_empty());
        assert_eq!(sliced(message, span), record.bytes());
        // Between records are line ends only, and at least one.
        let between = &message[at..span.start as usize];
        assert!(between.iter().all(|b| matches!(b, b'\r' | b'\n')), "{span}");
        assert!(at == 0 || !between.is_empty(), "{span}");
        assert!(!record.bytes().contains(&b'\r'));
        at = span.end as usize;
        assert_eq!(record.terminated(), at < message.len());

        let fields: Vec<_> = record.fields().collect();
        assert_eq!(fields.len(), record.field_count());
        let delimiter = [record.delimiters().field];
        let joined = fields.iter().map(Field::bytes).collect::<Vec<_>>().join(&delimiter[..]);
        assert_eq!(joined, record.bytes());
        for field in fields.into_iter().chain([record.field(0), record.field(9), record.field(9999)]) {
            check_field(message, span, field);
            check_field(message, field.span(), field.trimmed());
            check_field(message, field.span(), field.component(2));
            check_field(message, field.span(), field.repeat(3));
            for repeat in field.repeats() {
                check_field(message, field.span(), repeat);
                repeat.components().for_each(|c| check_field(message, repeat.span(), c));
            }
            let _ = (field.time(), field.text().to_string());
        }
        let place = walker.place(&record);
        assert!(place.parent.is_none_or(|p| p.span.end <= span.start && p.level < place.level));
    }
    assert!(message[at..].iter().all(|b| matches!(b, b'\r' | b'\n')));
}

proptest! {
    #[test]
    fn likely_messages_keep_every_byte(message in message()) {
        check_message(&message);
    }

    #[test]
    fn arbitrary_bytes_keep_every_byte(message: Vec<u8>) {
        check_message(&message);
    }

    #[test]
    fn text_of_any_charset_comes_back_whole(
        text in prop::collection::vec(prop_oneof![
            4 => prop::char::range('\u{4E00}', '\u{9FA5}'),
            2 => prop::char::range('\u{3041}', '\u{30FA}'),
            1 => prop::char::range('\u{A1}', '\u{2BC}'),
            1 => prop::char::range('A', 'Z'),
        ], 0..24),
    ) {
        for charset in Charset::all() {
            let mut bytes = Vec::new();
            let mut read = String::new();
            for c in &text {
                let mut encoded = [0; 4];
                if let Some(len) = charset.encode(*c, &mut encoded) {
                    bytes.extend_from_slice(&encoded[..len]);
                    read.push(*c);
                }
            }
            let message = [&b"H|\\^&\rR|1|^^^A^"[..], &bytes, b"^B|", &bytes, b"\\", &bytes, b"|", &bytes, b"\rL|1\r"];
            let message = message.concat();
            check_message_in(&message, charset);
            let records: Vec<_> = Records::new(&message).in_charset(charset).collect();
            prop_assert_eq!(records.len(), 3);
            let result = records[1];
            prop_assert_eq!(result.field_count(), 5);
            for part in [result.field(3).component(5), result.field(4).repeat(2), result.field(5)] {
                prop_assert_eq!(part.bytes(), &bytes[..]);
                prop_assert!(part.text().reads(&read), "{}", charset.name());
            }
            prop_assert_eq!(result.field(3).component(6).bytes(), b"B");
        }
    }

    #[test]
    fn any_fallback_will_do(message in message(), set: [u8; 4]) {
        let [field, repeat, component, escape] = set;
        for record in Records::with_fallback(&message, Delimiters { field, repeat, component, escape }) {
            assert_eq!(sliced(&message, record.span()), record.bytes());
            record.fields().for_each(|f| check_field(&message, record.span(), f));
        }
    }
}
