//! What senders in the field write otherwise than the examples of the profiles, as items: beds and their units, devices behind a
//! gateway, zones, spellings of units, and what analyzers write beside a result.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod shown;

use shown::{items, profile, result, shipped};

const PCD: &str = include_str!("../../profiles/hl7-pcd01.toml");
const OUL: &str = include_str!("../../profiles/hl7-oul-r22.toml");

/// The rows of a message of a bedside device.
fn told(segments: &str) -> Vec<String> {
    let text = items(&*profile(PCD), segments.replace('\n', "\r").as_bytes());
    text.lines().filter(|line| line.contains(" = ")).map(str::to_owned).collect()
}

#[test]
fn a_bed_is_told_with_its_unit_and_a_device_by_what_it_says_itself() {
    let of = |pv1_3: &str, obx_18: &str| {
        let message = format!(
            "MSH|^~\\&|GATEWAY^00A03700273EDE18^EUI-64||||20261126||ORU^R01|1|P|2.6\rPV1||I|{pv1_3}\rOBR|1\r\
             OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC|1.7.4.1|80|264864^^MDC|||||R|||||||{obx_18}\r"
        );
        let text = items(&*profile(PCD), message.as_bytes());
        text.lines()
            .find(|line| line.starts_with("device "))
            .unwrap()
            .split(" bed=")
            .nth(1)
            .unwrap()
            .to_owned()
    };
    for (pv1_3, read) in [
        ("ICU^^5^H", "5 patient= eui=Some(A03700273EDE18) of=ICU/"),
        ("CCU^2^5^H", "5 patient= eui=Some(A03700273EDE18) of=CCU/2"),
        ("ICU^^Bed7&0&0", "Bed7 patient= eui=Some(A03700273EDE18) of=ICU/"),
        ("^^&10", "10 patient= eui=Some(A03700273EDE18)"),
        ("ICU", "ICU patient= eui=Some(A03700273EDE18)"),
        ("^^", " patient= eui=Some(A03700273EDE18)"),
    ] {
        assert_eq!(of(pv1_3, ""), read, "{pv1_3}");
    }
    let own = of("ICU^^5", "000F14049B507238^M^000F14049B507238^EUI-64");
    assert_eq!(own, "5 patient= eui=Some(F14049B507238) of=ICU/");
    // Another patient's or bed's values are not the first one's.
    for again in ["PID|||2", "PV1||I|ICU^^6"] {
        let message =
            format!("MSH|^~\\&|M||||||ORU^R01|1|P|2.6\rPID|||1\rPV1||I|ICU^^5\rOBR|1\r{again}\rOBR|2\r");
        let text = items(&*profile(PCD), message.as_bytes());
        assert!(text.starts_with("fault: values of two patients or beds stand in one message"), "{text}");
    }
    let same =
        "MSH|^~\\&|M||||||ORU^R01|1|P|2.6\rPID|||1\rPV1||I|ICU^^5\rOBR|1\rPID|||1\rPV1||I|ICU^^5\rOBR|2\r";
    assert!(items(&*profile(PCD), same.as_bytes()).starts_with("device "));
    let model = items(&*profile(PCD), b"MSH|^~\\&|^EfficiaCM||||||ORU^R01|1|P|2.4\rOBR|1\r");
    assert!(model.starts_with("device 69965  EfficiaCM bed="), "{model}");
}

#[test]
fn a_channel_is_that_of_its_own_module_and_a_row_without_value_may_be_one() {
    let text = items(
        &*profile(PCD),
        b"MSH|^~\\&|M||||||ORU^R01|1|P|2.6\rOBR|1\rOBX|1||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|1.0.0.0|||||||X\r\
          OBX|2||69854^MDC_DEV_METER_PRESS_BLD_VMD^MDC|1.13.0.0|||||||X\r\
          OBX|3||69855^MDC_DEV_METER_PRESS_BLD_CHAN^MDC|1.13.1.0|||||||X\r\
          OBX|4|NM|150033^MDC_PRESS_BLD_ART_SYS^MDC|1.13.1.1|112\r\
          OBX|5||69798^MDC_DEV_ECG_VMD^MDC|1.5.0.0|||||||X\r\
          OBX|6|NM|147842^MDC_ECG_HEART_RATE^MDC|1.5.1.1|80\r\
          OBX|7||70067^MDC_DEV_PUMP_DELIVERY_INFO^MDC|1.6.1.0|||||||X\r\
          OBX|8|NM|158014^MDC_FLOW_FLUID_PUMP_CURRENT^MDC|1.6.1.2|5.5\r",
    );
    for line in ["group 13.1 69854 69855\n", "group 5.1 69798 0\n", "group 6.1 0 70067\n"] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert_eq!(text.matches(" = ").count(), 3, "{text}");
}

#[test]
fn times_without_a_zone_are_in_that_of_the_message() {
    // GE: MSH-7 has a zone and OBR-7 has none; the cuff pressure is of no time all the same.
    let rows = told(
        "MSH|^~\\&|M||||20211129084800+0100||ORU^R01|1|P|2.6\nOBR|1||||||20211129084800\n\
         OBX|1|NM|150021^MDC_PRESS_BLD_NONINV_SYS^MDC|1.1.1.1|112|266016^^MDC|||||R\n\
         OBX|2|NM|147842^MDC_ECG_HEART_RATE^MDC|1.1.1.2|80|264864^^MDC|||||R|||20211129084759\n",
    );
    assert!(rows[0].ends_with(" Received once"), "{rows:?}");
    assert!(rows[1].contains("second: 59") && rows[1].contains("offset: Some(60)"), "{rows:?}");
    let rows = told(
        "MSH|^~\\&|M||||20211129084800||ORU^R01|1|P|2.6\nOBR|1\n\
         OBX|1|NM|150021^MDC_PRESS_BLD_NONINV_SYS^MDC|1.1.1.1|112|266016^^MDC|||||R|||20211129084800+0100\n",
    );
    assert!(rows[0].ends_with(" Received once"), "{rows:?}");
    // The number is another one's, the name a cuff's.
    let rows = told(
        "MSH|^~\\&|M||||20250612090838||ORU^R01|1|P|2.6\nOBR|1||||||20250612090838\n\
         OBX|1|NM|150031^MDC_PRESS_CUFF_SYS^MDC|1.1.9.1|142|266016^^MDC|||||F|||20250612090838\n\
         OBX|2|NM|150031^MDC_PRESS_CUFF_SYS^MDC|1.1.9.2|-1|266016^^MDC|||||F|||20250612093319\n",
    );
    assert!(rows[0].ends_with(" Received once") && rows[0].contains(" 0 150031^99HL7DEV = 142 "), "{rows:?}");
    assert!(rows[1].contains(" = - ") && rows[1].ends_with(" once"), "{rows:?}");
}

#[test]
fn units_and_limits_as_monitors_write_them() {
    for (code, sent, mdc) in [
        ("147842^MDC_ECG_HEART_RATE", "^MDC_DIM_BEAT_PER_MIN", 264_864),
        ("150344^MDC_TEMP", "^MDC_DIM_DEGC", 268_192),
        ("150344^MDC_TEMP", "Cel", 268_192),
        ("150033^MDC_PRESS_BLD_ART_SYS", "mm[Hg]", 266_016),
        ("150456^MDC_PULS_OXIM_SAT_O2", "%", 262_688),
        ("149530^MDC_PULS_OXIM_PULS_RATE", "{beats}/min^beats per minute^UCUM", 264_864),
        ("151562^MDC_RESP_RATE", "{breaths}/min^^UCUM", 264_928),
        ("147842^MDC_ECG_HEART_RATE", "/min^^UCUM", 264_864),
        ("150344^MDC_TEMP", "mm[Hg]", 0),
        ("150344^MDC_TEMP", "^MDC_DIM_NONE_SUCH", 0),
    ] {
        let row = &told(&format!(
            "MSH|^~\\&|M||||||ORU^R01|1|P|2.6\nOBR|1\nOBX|1|NM|{code}^MDC|1.1.1.1|7|{sent}\n"
        ))[0];
        assert!(row.contains(&format!(" = 7 {mdc}(")), "{sent}: {row}");
    }
    let row = &told(
        "MSH|^~\\&|M||||||ORU^R01|1|P|2.6\nOBR|1\nOBX|1|NM|150344^MDC_TEMP^MDC|1.1.1.1|36.9|268192^^MDC|36.0^39.0\n",
    )[0];
    assert!(row.contains(" 36.0..39.0 "), "{row}");
    for value in ["-10000", "-1000", "8388607"] {
        let row = &told(&format!(
            "MSH|^~\\&|M||||||ORU^R01|1|P|2.6\nOBR|1\nOBX|1|NM|150033^MDC_PRESS_BLD_ART_SYS^MDC|1.1.1.1|{value}|266016^^MDC\n"
        ))[0];
        assert!(row.contains(" = - "), "{row}");
    }
    // A number is one in a text too, where it has a unit.
    for (value, unit, read) in [("80", "264864^^MDC", "80"), ("-999", "264864^^MDC", "-"), ("80", "", "'80'")]
    {
        let row = &told(&format!(
            "MSH|^~\\&|M||||||ORU^R01|1|P|2.6\nOBR|1\nOBX|1|ST|147842^MDC_ECG_HEART_RATE^MDC|1.1.1.1|{value}|{unit}\n"
        ))[0];
        assert!(row.contains(&format!(" = {read} ")), "{row}");
    }
    for (kind, value, read) in [
        ("SN", "103.4", "103.4"),
        ("SN", "<^0.3", "0.3"),
        ("SN", "^7", "7"),
        ("NM", ">300", "300"),
        ("NM", "<= 0.3", "0.3"),
        ("NM", ">", "-"),
    ] {
        let row = &told(&format!(
            "MSH|^~\\&|M||||||ORU^R01|1|P|2.6\nOBR|1\nOBX|1|{kind}|150488^MDC_BLD_PERF_INDEX^MDC|1.1.1.1|{value}|262688^^MDC\n"
        ))[0];
        assert!(row.contains(&format!(" = {read} ")), "{row}");
    }
    let efficia = shipped("philips-hl7");
    let text = items(
        &*efficia,
        b"MSH|^~\\&|^EfficiaCM||||||ORU^R01|1|P|2.4\rOBR|1\rOBX||NM|0002-5000^Resp^MDIL||20|0004-0ae0^rpm^MDIL|||||F\r",
    );
    assert!(text.contains("0 151562 0002-5000^99PHILIPS = 20 264928(rpm)"), "{text}");
}

#[test]
fn what_cobas_atellica_and_mindray_write_beside_a_result_is_none() {
    let text = items(
        &*profile(OUL),
        b"MSH|^~\\&|cobas pure||Host||20221104154049+0900||OUL^R22^OUL_R22|1|P|2.5.1\rSPM|1|S1&BARCODE||SERPLAS^^99ROC\r\
          OBR|1|\"\"||20130^^99ROC\r\
          OBX|1|NM|20130^20130^99ROC^^^IHELAW|1|18.0|U/L^^99ROC||N^^HL70078|||F||||||||20221005135146\r\
          OBX|2|CE|20130^20130^99ROC^^^IHELAW|1|^^99ROC|||N^^HL70078|||F||||||||20221005135146\r\
          OBX|3|DTM|PT^Pipetting_Time^99ROC^S_OTHER^Other^IHELAW|1|20221005134127||||||F\r\
          OBX|4|EI|CalibrationID^CalibrationID^99ROC^S_OTHER^Other^IHELAW|1|23||||||F\r\
          OBX|5|ST|TR_TECHNICALLIMIT^TR_TECHNICALLIMIT^99ROC^S_OTHER^Other^IHELAW|1|5.00 - 700||||||F\r\
          OBR|2|\"\"||10500^^99ROC\r\
          OBX|1|CE|10500^10500^99ROC^^^IHELAW|1|^^99ROC||||||F\r\
          OBX|2|NM|CT^Cycle^99ROC^S_OTHER^Other^IHELAW|1|25.6||||||F\r",
    );
    let rows: Vec<&str> = text.lines().filter(|line| line.contains(" loinc=")).collect();
    for (row, end) in rows.iter().zip([
        "<N> Final 20221005135146",
        "(no-words-beside-the-number)",
        "(data-about-the-measurement)",
        "(data-about-the-measurement)",
        "(a-row-that-is-no-result)",
        "Final ",
        "Final ",
    ]) {
        assert!(row.ends_with(end), "{end}: {row}");
    }
    assert_eq!(rows.len(), 7, "{text}");
    for (sent, flags) in [
        ("\"\"^\"\"^HL70078", ""),
        ("H~N", "<H>"),
        ("L~N", "<L>"),
        ("N~A", "<N><A>"),
        ("N", "<N>"),
        ("H^^HL70078~N^^99X", "<H>'N 99X'"),
    ] {
        let text = result(&format!("NM|T^^99X||1|g|1-2|{sent}|||F"));
        assert!(text.contains(&format!("[1-2] {flags} Final")), "{sent}: {text}");
    }
    for (sent, code) in
        [("^^^GLU^Glucose", "GLU (Glucose)"), ("^Glucose^99X^GLU", "Glucose (Glucose)"), ("GLU", "GLU ()")]
    {
        assert!(result(&format!("NM|{sent}||1|g|||||F")).starts_with(&format!("{code} loinc= ")), "{sent}");
    }
    let bc = shipped("mindray-bc");
    let text = items(
        &*bc,
        "MSH|^~\\&|ACON|HA-360|||20250723203219||ORU^R01|1|P|2.3.1||||||UNICODE\rOBR|1||S1|00001^Automated Count^99MRC|||2022-06-15 15:52:41\r\
         OBX|1|NM|777-3^PLT^LN||464|10*9/L|100-300|\u{2191}|||F\rOBX|2|NM|15010^WBC Lym left line.^99MRC||14||||||F\r"
            .as_bytes(),
    );
    assert!(text.contains("[100-300] <H> Final 20220615155241\n"), "{text}");
    assert!(text.contains("(a-row-that-is-no-result)"), "{text}");
    let bs = shipped("mindray-bs-hl7");
    let text = items(&*bs, &bs.example_bytes(&bs.common().examples[0].input));
    for line in [
        "specimen S-4711 from OBR-2 ",
        "2 (ALT) loinc= run=20261126145200 rep= = 98.2 U/L~ [0-41] <H> Final 20261126145200",
        "GLUCOSE (GLUCOSE) loinc= run=20261126145210 rep= = 79.755752 mg/dL~",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}
