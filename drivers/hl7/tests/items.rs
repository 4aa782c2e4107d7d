//! Both kinds of messages as items; the recorded messages against a second, separate reading of their text.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod shown;

use orugate_driver::Feed;
use shown::{example, items, profile, result, shipped};

const PCD: &str = include_str!("../../profiles/hl7-pcd01.toml");
const MINDRAY: &str = include_str!("../../profiles/mindray-benevision.toml");
const OUL: &str = include_str!("../../profiles/hl7-oul-r22.toml");

#[test]
fn measurements_of_a_bedside_device() {
    let (profile, bytes) = example(PCD, 0);
    assert!(matches!(profile.feed(), Feed::Bedside { .. }));
    let text = items(&*profile, &bytes);
    for line in [
        "device 69965  NC_Monitor bed=10 patient= eui=None",
        "group 3.1 0 0\n0 150456 150456^MDC = 96 262688(MDC_DIM_PERCENT)",
        "151562^MDC = - ",
        "= 'COMEN_POS_SITTING'",
        "2453^99HL7DEV",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let (profile, bytes) = example(MINDRAY, 0);
    let text = items(&*profile, &bytes);
    assert!(text.contains("Mindray MINDRAY_VS900 bed=Bed 4 patient= eui=Some(A0370011223344)"), "{text}");
    assert!(text.contains("90..100"), "{text}");
    assert_eq!(text.matches(" once\n").count(), 2, "{text}");
    assert!(text.contains("offset: Some(60)"), "{text}");
    let (profile, bytes) = example(MINDRAY, 1);
    assert_eq!(items(&*profile, &bytes), "note R40: an alarm; kept, never forwarded\nend true\n");
}

#[test]
fn escapes_demonstrations_settings_and_waves() {
    let message = "MSH|^~\\&|M||||20261126||ORU^R01|1|P|2.6\rPID|1||7\\T\\8^^^H||Doe^J\rOBR|1||||||20261126093000\r\
                   OBX|1|ST|9^A\\S\\B^99X|1.1.1.70000|a\\F\\b||||||R\r\
                   OBX|2|NM|147842^MDC_ECG_HEART_RATE^MDC|1.7.1.2|80|264864^MDC_DIM_BEAT_PER_MIN^MDC||DEMO~H~PH|||R\r\
                   OBX|3|NA|131330^MDC_ECG_LEAD_II^MDC|1.7.1.3|1^2^3\r\
                   OBX|4|NM|149522^MDC_PULS_RATE^MDC|1.7.1.4|---||||||X\r";
    let text = items(&*profile(PCD), message.as_bytes());
    for line in
        ["patient=7&8", "= 'a|b'", "0 0 9^99HL7DEV", "samples of a waveform", "4 0 149522^99HL7DEV = -"]
    {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("Doe"), "{text}");
    assert!(items(&*profile(PCD), b"MSH|^~\\&|M\rnonsense\r").starts_with("fault: a line is no segment"));
}

#[test]
fn numbers_that_stand_for_nothing_do_so_where_they_can_be_no_value() {
    let row = |code: &str, unit: &str, value: &str| {
        let message = format!(
            "MSH|^~\\&|M||||||ORU^R01|1|P|2.6\rOBR|1\rOBX|1|NM|{code}^^MDC|1.1.1.1|{value}|{unit}^^MDC|||||R\r"
        );
        let text = items(&*profile(PCD), message.as_bytes());
        text.lines()
            .find(|line| line.contains(" = "))
            .unwrap()
            .split(" = ")
            .nth(1)
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
            .to_owned()
    };
    let (rate, cvp, temp, st) =
        (("147842", "264864"), ("150087", "266016"), ("150344", "268192"), ("131841", "266419"));
    for (of, value, read) in [
        (rate, "-1", "-"),
        (rate, "-999", "-"),
        (rate, "32767", "-"),
        (rate, "0", "0"),
        (cvp, "-1", "-1"),
        (cvp, "-100", "-"),
        (temp, "-1", "-1"),
        (temp, "-99.90", "-"),
        (temp, "36.60", "36.60"),
        (st, "-100", "-100"),
        // A cuff finds no pressure below zero.
        (("150021", "266016"), "-1", "-"),
        // The difference of two saturations may be one.
        (("150468", "262688"), "-1", "-1"),
    ] {
        assert_eq!(row(of.0, of.1, value), read, "{of:?} {value}");
    }
}

#[test]
fn a_cuff_pressure_is_made_now_and_then_whether_or_not_the_device_says_so() {
    let rows = |stamp: &str, method: &str| {
        let message = format!(
            "MSH|^~\\&|M||||20261126093000||ORU^R01|1|P|2.6\rOBR|1||||||20261126093000\r\
             OBX|1|NM|150301^MDC_PRESS_CUFF_SYS^MDC|1.1.9.1|120|266016^^MDC|||||R|||{stamp}|||{method}\r"
        );
        let text = items(&*profile(PCD), message.as_bytes());
        text.lines().find(|line| line.contains(" = ")).unwrap().to_owned()
    };
    for (stamp, method, timed) in [
        ("20261126091500", "", true),
        ("20261126091500", "^APERIODIC", true),
        ("20261126093000", "^APERIODIC", true),
        // The time of the message is that of no measurement.
        ("20261126093000", "", false),
        ("", "", false),
    ] {
        let line = rows(stamp, method);
        assert!(line.ends_with(" once") && line.contains("Device(") == timed, "{stamp} {method}: {line}");
    }
}

#[test]
fn alarms_waves_their_attributes_and_who_the_device_is_are_no_measurements() {
    let message = "MSH|^~\\&|VSP^080019FFFE134535^EUI-64|GE Healthcare|||20261126103000-0700||ORU^R01^ORU_R01|1|P|2.6\r\
        PV1||E|ICU^^79874\rOBR|1|||182777000^monitoring of patient^SCT|||20261126103000-0700\r\
        OBX|1||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|1.0.0.0|||||||X\r\
        OBX|2|ST|531969^MDC_ID_MODEL_NUMBER^MDC|1.0.0.1|B450||||||R\r\
        OBX|3|ST|531972^MDC_ID_PROD_SPEC_SERIAL^MDC|1.0.0.2|SN7||||||R\r\
        OBX|4||69854^MDC_DEV_METER_PRESS_BLD_VMD^MDC|1.13.0.0|||||||X\r\
        OBX|5||69855^MDC_DEV_METER_PRESS_BLD_CHAN^MDC|1.13.1.0|||||||X\r\
        OBX|6|NM|150033^MDC_PRESS_BLD_ART_SYS^MDC|1.13.1.1|112|mm[Hg]^mm[Hg]^UCUM|90-160||||R\r\
        OBX|7|NA|131330^MDC_ECG_ELEC_POTL_II^MDC|1.5.1.1|1^2^32767\r\
        OBX|8|NM|0^MDC_ATTR_SAMP_RATE^MDC|1.5.1.1.1|300|264672^^MDC\r\
        OBX|9|NM|2327^MDC_ATTR_NU_MSMT_RES^MDC|1.5.1.1.2|0.01\r\
        OBX|10|CWE|196616^MDC_EVT_ALARM^MDC|1.5.1.9.1|199728^MDC_EVT_ECG_TACHY^MDC||||||F\r\
        OBX|11|ST|68485^MDC_ATTR_ALERT_TYPE^MDC|1.5.1.9.7|SP||||||F\r\
        OBX|12||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|2.0.0.0|||||||X\r\
        OBX|13|NM|150033^MDC_PRESS_BLD_ART_SYS^MDC|2.13.1.1|98|266016^MDC_DIM_MMHG^MDC|||||R\r";
    let text = items(&*profile(PCD), message.as_bytes());
    let rows: Vec<&str> = text.lines().filter(|line| line.contains(" = ")).collect();
    assert_eq!(rows.len(), 2, "{text}");
    assert!(rows[0].contains(" 150033^MDC = 112 266016(") && rows[0].contains("90..160"), "{text}");
    // What stands beside the device keeps apart.
    assert!(text.contains("group 13.1 69854 69855\n") && text.contains("group 1013.1 "), "{text}");
    assert!(text.contains("B450 bed=79874") && text.contains("eui=Some(80019FFFE134535)"), "{text}");
    assert_eq!(text.matches("an alarm; kept").count(), 2, "{text}");
    assert_eq!(text.matches("waveform").count(), 1, "{text}");
}

#[test]
fn codes_of_makers_are_terms_where_a_source_proves_it() {
    let (philips, bytes) = (shipped("philips-hl7"), 0);
    let text = items(&*philips, &philips.example_bytes(&philips.common().examples[bytes].input));
    for line in [
        "0 151562 0002-500a^99PHILIPS = 30 264928(rpm) 8..30",
        "0 147842 0002-4182^99PHILIPS = 80 264864(bpm) 50..120",
        "0 150456 0002-4bb8^99PHILIPS = - ",
        "0 150021 0002-4a05^99PHILIPS = 121 266016(mmHg)",
        "0 0 0402-f8f5^99PHILIPS = 'MONITORING'",
        "note 5: an alarm",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let kohden = shipped("nihon-kohden-hl7");
    let text = items(&*kohden, &kohden.example_bytes(&kohden.common().examples[0].input));
    for line in
        ["0 147842 001000^99NIHON = 76 264864(/min)", "0 0 072007^99NIHON = 77 0(/min)", "bed=BED-001"]
    {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let cuff = text.lines().find(|line| line.contains(" 150021 ")).unwrap();
    assert!(cuff.contains("hour: 18, minute: 43, second: 37") && cuff.ends_with(" once"), "{cuff}");
}

#[test]
fn charsets_are_what_msh_18_says_unless_that_cannot_be() {
    let name = |msh_18: &str, bytes: &[u8]| {
        let head =
            format!("MSH|^~\\&|M||||||ORU^R01|1|P|2.6||||||{msh_18}\rOBR|1\rOBX|1|ST|1^A^99X|1.1.1.1|");
        let message = [head.as_bytes(), bytes, b"|||||R\r"].concat();
        let text = items(&*profile(PCD), &message);
        text.lines()
            .find(|line| line.contains(" = "))
            .unwrap()
            .split('\'')
            .nth(1)
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(name("UNICODE UTF-8", "\u{e4}".as_bytes()), "\u{e4}");
    assert_eq!(name("8859/1", b"\xe4"), "\u{e4}");
    assert_eq!(name("utf8", "\u{e4}".as_bytes()), "\u{e4}");
    // Nobody set it.
    for claim in ["", "ASCII"] {
        assert_eq!(name(claim, "\u{e4}".as_bytes()), "\u{e4}", "{claim}");
    }
    // The second byte is that of a bar, of a caret, of a backslash.
    assert_eq!(name("GB18030", b"\x84\x7c\x81\x5e\x81\x5c"), "\u{5255}\u{4e5b}\u{4e57}");
    assert_eq!(name("GB 18030-2000", b"\xd6\xd0"), "\u{4e2d}");
}

#[test]
fn results_of_an_analyzer() {
    let (profile, bytes) = example(OUL, 0);
    assert!(matches!(profile.feed(), Feed::Results));
    let text = items(&*profile, &bytes);
    let line = "specimen S-4711 from SPM-2 kind=SER at= qc=None\norder GLU\nGLU (Glucose) loinc=2345-7 \
        run=20261126101433+0100 rep= = 182 mg/dL~mg/dL [70-105] <H> Final 20261126101433\n";
    assert!(text.contains(line), "{text}");
    let (profile, bytes) = example(OUL, 1);
    assert!(
        items(&*profile, &bytes).contains("specimen LEVEL-1 from SPM-2 kind=SER at= qc=Some(SpecimenRole)")
    );
}

#[test]
fn values_of_every_type_are_as_sent() {
    for (kind, sent, read) in [
        ("NM", "5.40", "5.40"),
        ("ST", "<0.1", "<0.1"),
        ("ST", "NOT DETECTED^", "NOT DETECTED"),
        ("ST", "^31.1", "31.1"),
        ("ST", "POS^31.1", "POS^31.1"),
        ("ST", "A~B", "A~B"),
        ("ST", "1\\S\\2 \\T\\ x", "1^2 & x"),
        ("SN", ">^1^:^20", ">1:20"),
        ("SN", "<^0.5", "<0.5"),
        ("CE", "N^Negative^99X", "Negative"),
        ("CWE", "260385009^Negative^SCT^NEG^neg^99X^^^no growth", "Negative"),
        ("CWE", "^^^^^^^^no growth", "no growth"),
        ("CWE", "POS", "POS"),
        ("CE", "A^Alpha~B^Beta", "Alpha; Beta"),
        ("TX", "line one~line two", "line one\nline two"),
        ("FT", "a\\.br\\b", "a\nb"),
        ("", "7", "7"),
        ("NM", "", ""),
        // The gateway holds it.
        ("NM", "\"\"", "\"\""),
    ] {
        let text = result(&format!("{kind}|T^Test^99X||{sent}|g/L|||||F"));
        let value = text.split(" rep= = ").nth(1).unwrap().split(" g/L~").next().unwrap();
        assert_eq!(value, read, "{kind} {sent}");
    }
    let text = result("CWE|T^Test^99X||260385009^Negative^SCT||||||F");
    assert!(text.ends_with("comment Observation Code: 260385009 (SCT)"), "{text}");
    let text = result("ED|T^Picture^99X||^image^png^Base64^AAEC||||||F");
    assert!(text.contains(" = ") && text.ends_with("(data-that-is-no-value)"), "{text}");
}

#[test]
fn units_flags_states_and_times_are_as_sent() {
    for (sent, unit) in [
        ("mg/dL^^UCUM", "mg/dL~mg/dL"),
        ("mg/dL^milligram^UCUM^mg/dl^^99X", "mg/dL~mg/dl"),
        ("mg/dl^^99X^mg/dL^^UCUM", "mg/dL~mg/dl"),
        ("mg/dl", "mg/dl~"),
        ("10\\S\\9/L", "10^9/L~"),
        // Whoever forgot the escape meant no unit of ten.
        ("10^9/L", "10^9/L~"),
        ("10*9/L^^99X", "10*9/L~"),
    ] {
        let text = result(&format!("NM|T^^99X||1|{sent}|||||F"));
        assert!(text.contains(&format!(" = 1 {unit} [")), "{sent}: {text}");
    }
    for (sent, flags) in [
        ("H", "<H>"),
        ("H^^HL70078", "<H>"),
        ("L~A", "<L><A>"),
        ("~N", "<N>"),
        ("L^Low^HL70078~4170^neg^99ROC", "<L>'4170 neg'"),
        ("H^^99X", "'H 99X'"),
        ("*", "'*'"),
    ] {
        let text = result(&format!("NM|T^^99X||1|g|1-2|{sent}|||F"));
        assert!(text.contains(&format!("[1-2] {flags} Final")), "{sent}: {text}");
    }
    for (sent, status) in [
        ("F", "Final"),
        ("C", "Corrected"),
        ("P", "Preliminary"),
        ("R", "Preliminary"),
        ("X", "NotDone"),
        ("I", "Pending"),
        ("", "Absent"),
        // A person decides on what takes a result back.
        ("D", "Unknown(68)"),
        ("W", "Unknown(87)"),
    ] {
        let text = result(&format!("NM|T^^99X||1|g||||| {sent}").replace("| ", "|"));
        assert!(text.contains(&format!("[]  {status} ")), "{sent}: {text}");
    }
    let text = result("NM|T^^99X|2|1|g|||||F|||20261126090000||^Person^A||M1^V~SN1|20261126101433+0100");
    assert!(
        text.contains("run=20261126101433+0100 rep=2 ") && text.contains("Final 20261126101433"),
        "{text}"
    );
    // Without a time of its own it is of no time, and of the message's run.
    let text = result("NM|T^^99X||1|g|||||F|||20261126090000");
    assert!(text.contains("run=20261126101500 ") && text.ends_with("Final "), "{text}");
}

#[test]
fn each_result_is_of_the_specimen_that_the_message_puts_it_to() {
    let of = |segments: &str| {
        let message =
            format!("MSH|^~\\&|A||||20261126101500||OUL^R22|1|P|2.5.1\r{}\r", segments.replace('\n', "\r"));
        let text = items(&*profile(OUL), message.as_bytes());
        let mut specimen = String::new();
        let mut found = Vec::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("specimen ") {
                specimen = rest.split(' ').next().unwrap().to_owned();
            } else if line.contains(" loinc=") {
                let marks = if line.ends_with("doubt") {
                    "?"
                } else if line.ends_with(')') {
                    "!"
                } else {
                    ""
                };
                found.push(format!("{specimen}:{}{marks}", line.split(' ').next().unwrap()));
            } else if let Some(rest) = line.strip_prefix("comment ") {
                found.push(rest.to_owned());
            }
        }
        found.join(" ")
    };
    let (a, b) = ("OBR|1|||P\nOBX|1|NM|A||1", "OBR|2|||P\nOBX|1|NM|B||1");
    // SPM first (OUL^R22), behind its order (ORU), one for all, one of two missing.
    assert_eq!(of(&format!("SPM|1|S1\n{a}\nSPM|2|S2\n{b}")), "S1:A S2:B");
    assert_eq!(of(&format!("{a}\nSPM|1|S1\n{b}\nSPM|2|S2")), "S1:A S2:B");
    assert_eq!(of(&format!("{a}\n{b}\nSPM|1|S1")), "S1:A S1:B");
    assert_eq!(of(&format!("{a}\nSPM|1|S1\nOBR|3|||P\nOBX|1|NM|C||1\n{b}\nSPM|2|S2")), "S1:A :C S2:B");
    // A container before its orders (OUL^R21), an order before its specimen (OUL^R24).
    assert_eq!(of(&format!("SAC|||C1\n{a}\nSAC|||C2\n{b}")), "C1:A C2:B");
    assert_eq!(of("OBR|1|||P\nSPM|1|S1\nSAC|||C1\nOBX|1|NM|A||1"), "S1:A");
    // Another patient's specimen is none of the first one's.
    assert_eq!(of(&format!("PID|1||1\n{a}\nPID|2||2\n{b}\nSPM|1|S2")), ":A S2:B");
    // What is said of the specimen.
    assert_eq!(of(&format!("{a}\nSPM|1|S1\nOBX|1|NM|W||5")), "S1:A S1:W!");
    assert_eq!(of(&format!("SPM|1|S1\nOBX|1|NM|W||5\n{a}")), "S1:A");
    assert_eq!(of(&format!("{a}\nOBR|2|||Q\nPID|2\nOBX|1|NM|W||5")), ":A :W?");
    assert_eq!(of("SPM|1|S0\nOBR|1|||P\nOBX|1|NM|A||1\nSPM|2|S1\nOBX|1|NM|W||5"), "S0:A S1:W?");
    assert_eq!(
        of(&format!("SPM|1|S1\nNTE|1||haemolysed\n{a}\nNTE|1||of A\nTCD|A|^1^:^4\n{b}")),
        "Order haemolysed S1:A Observation of A Observation Dilution: 1:4 Order haemolysed S1:B"
    );
    // Roles that are no patient's.
    for (role, qc) in [("Q", true), ("C", true), ("E", true), ("P", false), ("", false)] {
        let message = format!(
            "MSH|^~\\&|A||||||OUL^R22|1|P|2.5.1\rSPM|1|S1|||||||||{role}\rOBR|1|||P\rOBX|1|NM|A||1\r"
        );
        assert_eq!(items(&*profile(OUL), message.as_bytes()).contains("qc=Some"), qc, "{role}");
    }
}

#[test]
fn analyzers_of_hl7_2_3_1_and_genexpert() {
    let bc = shipped("mindray-bc");
    let text = items(&*bc, &bc.example_bytes(&bc.common().examples[0].input));
    for line in [
        "specimen S-4711 from OBR-3 kind= at=20261126140000 qc=None",
        "6690-2 (WBC) loinc=6690-2 run=20261126143900 rep= = 2.10 10*9/L~ [4.00-10.00] <L>'A' Final 20261126143900",
        "770-8 (NEU%) loinc=770-8 run=20261126143900 rep= = **.* %~ [50.0-70.0] <N> NotDone",
        "15000 (WBC Histogram. Binary) loinc= run=20261126143900 rep= =  ~ []  Final 20261126143900 (data-that-is-no-value)",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    // Its OBX has no OBX-19, and the generic profile takes OBX-14 for it then.
    let old = "MSH|^~\\&|A||||20261126101500||ORU^R01|1|P|2.3.1\rOBR|1||S1|P\rOBX|1|NM|A||1||||||F|||20261126100000\r";
    assert!(items(&*profile(OUL), old.as_bytes()).contains("Final 20261126100000"));
    let xpert = shipped("cepheid-genexpert-hl7");
    let text = items(&*xpert, &xpert.example_bytes(&xpert.common().examples[0].input));
    for line in [
        "sender GeneXpert PC serial=GeneXpert qc=None",
        "CT (CT) loinc= run=20261126100000 rep= = NOT DETECTED ~",
        "CT/CT1 (CT1) loinc= run=20261126100000 rep= = NEG ~",
        "CT/CT1/Ct (CT1) loinc= run=20261126100000 rep= = 0.0 ~",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

/// Value, code, unit and time of each row, read with nothing but `split`.
fn rows(text: &str) -> Vec<[String; 4]> {
    let obx = text.split(['\r', '\n']).filter(|line| line.starts_with("OBX|"));
    obx.map(|line| {
        let f: Vec<&str> = line.split('|').collect();
        let first = |n: usize| f.get(n).unwrap_or(&"").split('^').next().unwrap_or("").to_owned();
        [first(3), first(5), first(6), first(14)]
    })
    .collect()
}

#[test]
fn recorded_messages_are_read_to_the_end() {
    let Some(corpus) = std::env::var_os("ORUGATE_CORPUS") else {
        println!("skipped: ORUGATE_CORPUS is not set");
        return;
    };
    let file = |name: &str| std::fs::read(std::path::Path::new(&corpus).join(name)).unwrap();
    for (toml, name, count, cuffs) in
        [(MINDRAY, "bedside/mindray-vs900-pcd01.hl7", 7, 4), (PCD, "bedside/comen-nc-pcd.hl7", 13, 3)]
    {
        let profile = profile(toml);
        let bytes = file(name);
        let text = items(&*profile, &bytes);
        let rows = rows(&String::from_utf8(bytes).unwrap());
        let read: Vec<&str> =
            text.lines().filter(|line| line.contains("^") && line.contains(" = ")).collect();
        assert_eq!((rows.len(), read.len()), (count, count), "{text}");
        assert_eq!(read.iter().filter(|line| line.ends_with(" once")).count(), cuffs, "{text}");
        for ([code, value, unit, time], line) in rows.iter().zip(&read) {
            let value = match value.as_str() {
                "" => "-",
                "2821" => "'COMEN_POS_SITTING'",
                value => value,
            };
            let unit = if unit.is_empty() { "0" } else { unit };
            assert!(
                line.contains(&format!(" {code}^")) && line.contains(&format!(" = {value} {unit}(")),
                "{line}"
            );
            let number = |at: std::ops::Range<usize>| time[at].parse::<u32>().unwrap();
            let read = format!(
                "year: {}, month: {}, day: {}, hour: {}, minute: {}, second: {}",
                number(0..4),
                number(4..6),
                number(6..8),
                number(8..10),
                number(10..12),
                number(12..14)
            );
            // Comen's cuff pressures have the time of the message, which is not theirs.
            let of_message = cuffs == 3 && line.ends_with(" once");
            assert_eq!(
                line.replace("Some(", "").replace(')', "").contains(&read),
                !of_message,
                "{read}\n{line}"
            );
        }
    }
    let alarm = file("bedside/mindray-vs900-r40-alarm.hl7");
    assert!(items(&*profile(MINDRAY), &alarm).starts_with("note R40: an alarm"));
    for (name, of, id, count) in [
        ("lab/cobas6800-oul.hl7", "roche-cobas-x800-hl7", "TBY 7363", 4),
        ("lab/genexpert-oru-r32.hl7", "cepheid-genexpert-hl7", "sidOBM", 23),
        ("lab/cobas6800-oul.hl7", "hl7-oul-r22", "TBY 7363", 4),
        ("lab/genexpert-oru-r32.hl7", "hl7-oul-r22", "sidOBM", 23),
        ("hl7/oru-r01-lab.hl7", "hl7-oul-r22", "", 5),
        ("hl7/nist-elr-1.hl7", "hl7-oul-r22", "", 1),
        ("hl7/nist-elr-3.hl7", "hl7-oul-r22", "", 1),
    ] {
        let bytes = file(name);
        let text = items(&*shipped(of), &bytes);
        assert!(text.contains(&format!("specimen {id} from ")), "{text}");
        assert_eq!(text.lines().filter(|line| line.contains(" loinc=")).count(), count, "{text}");
        assert!(text.ends_with("end true\n") && !text.contains("doubt"), "{text}");
    }
    let text = items(&*shipped("hl7-oul-r22"), &file("hl7/nist-elr-3.hl7"));
    let line = "10368-9 (Lead BldC-mCnc) loinc=10368-9 run=200808181800-0700 rep=1 = 25 ug/dl~ug/dl [<10 ug/dl] <H> Corrected 200808181800";
    assert!(text.contains(line), "{text}");
    // Each of the files that is no result or cannot be read is refused or held, and none is a panic.
    for name in
        ["adt-a01-full", "edge-custom-delimiters", "edge-non-ascii", "invalid-missing-msh", "orm-o01-order"]
    {
        let _ = items(&*shipped("hl7-oul-r22"), &file(&format!("hl7/{name}.hl7")));
    }
}

/// What another reader of HL7 says of a file: OBX-3, -5, -6, -7, -8, -11, -14, -19 of each row.
fn outside(file: &std::path::Path) -> Option<Vec<Vec<String>>> {
    let python = std::env::var_os("ORUGATE_PYTHON")?;
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/hl7_values.py");
    let said = std::process::Command::new(python).arg(script).arg(file).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let text = String::from_utf8(said.stdout).unwrap();
    Some(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}

#[test]
fn another_reader_reads_the_same() {
    let Some(corpus) = std::env::var_os("ORUGATE_CORPUS") else {
        println!("skipped: ORUGATE_CORPUS is not set");
        return;
    };
    for (name, of) in [
        ("bedside/mindray-vs900-pcd01", "mindray-benevision"),
        ("bedside/comen-nc-pcd", "hl7-pcd01"),
        ("lab/cobas6800-oul", "hl7-oul-r22"),
        ("lab/genexpert-oru-r32", "hl7-oul-r22"),
        ("hl7/oru-r01-lab", "hl7-oul-r22"),
        ("hl7/nist-elr-1", "hl7-oul-r22"),
        ("hl7/nist-elr-2", "hl7-oul-r22"),
        ("hl7/nist-elr-3", "hl7-oul-r22"),
    ] {
        let path = std::path::Path::new(&corpus).join(format!("{name}.hl7"));
        let Some(rows) = outside(&path) else {
            println!("skipped: ORUGATE_PYTHON is not set");
            return;
        };
        let text = items(&*shipped(of), &std::fs::read(&path).unwrap());
        let bedside = name.starts_with("bedside");
        let read: Vec<&str> = text.lines().filter(|line| line.contains(" = ")).collect();
        assert_eq!(rows.len(), read.len(), "{name}: {text}");
        for (row, line) in rows.iter().zip(read) {
            let [code, value, unit, range, flags, status, at, completed] = &row[..] else {
                panic!("{row:?}")
            };
            if bedside {
                let value = match value.as_str() {
                    "" => "-",
                    "2821^COMEN_POS_SITTING^99COMEN" => "'COMEN_POS_SITTING'",
                    value => value,
                };
                let unit = if unit.is_empty() { "0" } else { unit };
                assert!(
                    line.contains(&format!(" {code}^")) && line.contains(&format!(" = {value} {unit}(")),
                    "{row:?}\n{line}"
                );
                assert_eq!(
                    at.len() >= 14,
                    line.contains("Device(") || line.ends_with(" once"),
                    "{row:?}\n{line}"
                );
                continue;
            }
            let status = match status.as_str() {
                "F" => "Final",
                "C" => "Corrected",
                _ => "Absent",
            };
            let completed =
                &completed[..completed.find(|c: char| !c.is_ascii_digit()).unwrap_or(completed.len())];
            let flag = flags.trim_matches('"');
            for part in [
                &format!("{code} ("),
                &format!(" = {value} {unit}~"),
                &format!(" [{range}] "),
                flag,
                &format!(" {status} {completed}"),
            ] {
                assert!(line.contains(part), "{name}: {part}\n{row:?}\n{line}");
            }
        }
    }
}
