//! Rows in, decisions out; and mistakes with their places.

use super::*;
use std::path::Path;

fn map(name: &str, text: &str) -> Arc<Map> {
    Arc::new(read(Path::new(&format!("/etc/orugate/maps.d/{name}.csv")), text).unwrap())
}

fn wrong(text: &str) -> String {
    let mistakes = read(Path::new("m.csv"), text).unwrap_err();
    let place = |m: &crate::config::Mistake| {
        m.position.map_or_else(String::new, |at| format!("{}:{} ", at.line, at.column))
    };
    mistakes.iter().map(|m| format!("{}{}\n", place(m), m)).collect()
}

/// The LOINC code that decides; `!` before it when the unit is another one.
fn decides(table: &Table, code: &str, specimen: &str, unit: &str) -> String {
    let (unit, unit_as_sent) = (Text::plain(unit), Text::EMPTY);
    match table.find(&Asked { code, specimen, unit, unit_as_sent, measured: true }) {
        Mapped::Row(place) => table.row(place).unwrap().loinc.clone(),
        Mapped::OtherUnit(place) => format!("!{}", table.row(place).unwrap().loinc),
        Mapped::Missing => "none".to_owned(),
        Mapped::Off => "off".to_owned(),
    }
}

const CHEMISTRY: &str = "\
code,specimen,unit,loinc,name,ucum,panel,panel_name
GLU,,,2345-7,Glucose [Mass/volume] in Serum or Plasma,mg/dL,24323-8,Comprehensive panel
GLU,UR,,2350-7,Glucose [Mass/volume] in Urine,mg/dL,,
GLU,,mmol/L,14749-6,Glucose [Moles/volume] in Serum or Plasma,mmol/L,,
INR,,,6301-6,INR in Platelet poor plasma,1,,
CRP,,mg/dl,1988-5,,mg/dL,,
DD,,,48065-7,\"Fibrin D-dimer FEU, plasma\",ng/mL{FEU},,
LIP,,IU/L,3040-3,,[IU]/L,,
";

#[test]
fn the_same_code_of_another_specimen_is_another_test() {
    let table = Table::new(vec![map("chem", CHEMISTRY)], false);
    assert_eq!(decides(&table, "GLU", "SER", "mg/dL"), "2345-7");
    assert_eq!(decides(&table, "GLU", "UR", "mg/dL"), "2350-7");
    assert_eq!(decides(&table, "GLU", "ur", "mg/dL"), "2350-7");
    assert_eq!(decides(&table, "GLU", "", "mg/dL"), "2345-7");
    // The row of the specimen goes before that of the unit, and then the unit is another one.
    assert_eq!(decides(&table, "GLU", "UR", "mmol/L"), "!2350-7");
}

#[test]
fn the_same_code_in_another_unit_is_mass_or_moles() {
    let table = Table::new(vec![map("chem", CHEMISTRY)], false);
    assert_eq!(decides(&table, "GLU", "", "mmol/L"), "14749-6");
    assert_eq!(decides(&table, "GLU", "", "umol/L"), "!2345-7");
    assert_eq!(decides(&table, "GLU", "", ""), "!2345-7", "no unit is a difference");
    assert_eq!(decides(&table, "DD", "", "ng/mL{DDU}"), "!48065-7");
    assert_eq!(decides(&table, "DD", "", "ng/mL"), "!48065-7");
}

#[test]
fn a_unit_that_differs_only_in_case_differs() {
    let table = Table::new(vec![map("chem", CHEMISTRY)], false);
    assert_eq!(decides(&table, "GLU", "", "MG/DL"), "!2345-7");
    assert_eq!(decides(&table, "GLU", "", "Mg/dL"), "!2345-7");
    // In UCUM l and L are one letter.
    assert_eq!(decides(&table, "GLU", "", "mg/dl"), "2345-7");
    // A row that names its unit is found by exactly that; another unit of a known test is no unknown test.
    assert_eq!(decides(&table, "CRP", "", "mg/dl"), "1988-5");
    assert_eq!(decides(&table, "CRP", "", "mg/dL"), "!1988-5");
}

#[test]
fn a_row_says_what_a_unit_means_that_is_no_ucum_unless_the_profile_knows_better() {
    let table = Table::new(vec![map("chem", CHEMISTRY)], false);
    assert_eq!(decides(&table, "LIP", "", "IU/L"), "3040-3");
    let asked = |unit| Asked {
        code: "LIP",
        specimen: "",
        unit: Text::plain(unit),
        unit_as_sent: Text::plain("IU/L"),
        measured: true,
    };
    assert!(matches!(table.find(&asked("[IU]/L")), Mapped::Row(_)));
    assert!(matches!(table.find(&asked("U/L")), Mapped::OtherUnit(_)));
}

#[test]
fn a_test_without_a_unit_has_none() {
    let table = Table::new(vec![map("chem", CHEMISTRY)], false);
    for unit in ["", "1", "{INR}"] {
        assert_eq!(decides(&table, "INR", "", unit), "6301-6", "{unit}");
    }
    assert_eq!(decides(&table, "INR", "", "%"), "!6301-6");
    assert_eq!(decides(&table, "TSH", "", "mU/L"), "none");
    assert_eq!(decides(&table, "glu", "", "mg/dL"), "none", "codes are what they are");
}

#[test]
fn what_has_no_value_needs_no_unit() {
    let table = Table::new(vec![map("chem", CHEMISTRY)], false);
    let asked =
        Asked { code: "CRP", specimen: "", unit: Text::EMPTY, unit_as_sent: Text::EMPTY, measured: false };
    assert!(matches!(table.find(&asked), Mapped::Row(_)));
}

#[test]
fn the_sites_row_goes_before_a_more_general_one_however_exact_that_is() {
    let site = map("site", "code,loinc,ucum\nGLU,15074-8,mmol/L\n");
    let table = Table::new(vec![site, map("chem", CHEMISTRY)], false);
    assert_eq!(decides(&table, "GLU", "UR", "mmol/L"), "15074-8");
    assert_eq!(decides(&table, "INR", "", ""), "6301-6");
    assert_eq!(table.provenance().len(), 2);
    // But a row of the site's that does not fit leaves it to the others.
    let site = map("site", "code,specimen,loinc,ucum\nGLU,CSF,2342-4,mg/dL\n");
    let table = Table::new(vec![site, map("chem", CHEMISTRY)], false);
    assert_eq!(decides(&table, "GLU", "UR", "mg/dL"), "2350-7");
    assert_eq!(decides(&table, "GLU", "CSF", "mg/dL"), "2342-4");
}

#[test]
fn ambiguous_rows_are_mistakes_that_name_both_lines() {
    let text = "code,specimen,loinc,ucum\nGLU,SER,2345-7,mg/dL\nGLU,Ser,2350-7,mg/dL\nGLU,SER,2345-7,mg/dL\n";
    expect_test::expect![[r#"
        3:1 m.csv:3: code: "GLU" with this specimen and unit has another LOINC code in line 2, so nothing would say which; tell them apart by the columns specimen or unit, or take one out
        4:1 m.csv:4: code: "GLU" with this specimen and unit is in line 2 already; each stands once
    "#]]
    .assert_eq(&wrong(text));
}

#[test]
fn every_mistake_has_its_place_and_what_is_allowed() {
    let text = "\
code;loinc;ucum;unit;panel;panel_name
;2345-7;mg/dL;;;
A;2345-8;mg/dL;;;
B;2. Mai;mg/dL;;;
C;2345-7;;;;
D;2345-7;IU/L;;;
\"E;e\";2345-7;mg/dL;mmol/L;;
F;2345-7;10*3/uL;K/uL;;
G;2345-7;1;;;Lipids
H;2345-7;1;;24331-1;Lipids
I;2093-3;1;;24331-1;Lipid panel
J;2345-7;1;a;b;c;d
K;;1;;;
";
    expect_test::expect![[r#"
        2:1 m.csv:2: code: is empty; write the instrument's code as OBX-3 has it
        3:3 m.csv:3: loinc: "2345-8" is no LOINC code: its check digit is wrong (2345-7 would be one). Look it up again; a digit may be wrong elsewhere
        4:3 m.csv:4: loinc: "2. Mai" is no LOINC code; allowed are one to seven digits, a hyphen and the check digit, such as 2345-7. A spreadsheet may have made a date of it
        5:10 m.csv:5: ucum: is empty; write the UCUM unit that results of this row must have (mmol/L), 1 for a test without a unit, or * to compare nothing
        6:10 m.csv:6: ucum: "IU/L" is no UCUM unit: nothing is called "IU" in UCUM; did you mean [IU]/L?
        7:14 m.csv:7: ucum: mg/dL is another unit than mmol/L, which stands in the column unit, so every result would be held. No value is ever converted: write a row for the unit that comes, with the LOINC code of that unit
        8:10 m.csv:8: ucum: 10*3/uL is another unit than K/uL, which stands in the column unit, so every result would be held. If the instrument means 10*3/uL by it, a profile of the site says so: [[unit]] sent = "K/uL", ucum = "10*3/uL"
        9:13 m.csv:9: panel: is empty, and panel_name is not; write the panel's LOINC code
        11:21 m.csv:11: panel_name: the panel 24331-1 has another name in line 10; write one
        12:1 m.csv:12: 7 cells stand here and the first line names 6 columns; a cell with the delimiter in it needs quotation marks around it
        13:3 m.csv:13: loinc: is empty; write a LOINC code such as 2345-7, or take the row out
    "#]]
    .assert_eq(&wrong(text));
}

#[test]
fn the_first_line_names_the_columns() {
    for (text, said) in [
        ("", "is empty; the first line names the columns"),
        ("\n\n", "is empty; the first line names the columns"),
        (
            "code,loinc\nA,2345-7\n",
            "ucum: the column is missing; the first line names code, loinc, ucum at least",
        ),
        ("code,code,loinc,ucum\n", "code: is there twice"),
        (
            "code,loinc,ucum,unti\n",
            "\"unti\" is no column of a map; allowed are code, specimen, unit, loinc,",
        ),
        ("Vendor Analyte Code,LOINC Code\n", "a LIVD file is read by: orugate map import"),
        ("code,loinc,ucum\n", "has no row"),
        ("code,loinc,ucum\n,,\n\n", "has no row"),
    ] {
        assert!(wrong(text).contains(said), "{text:?}: {}", wrong(text));
    }
}

#[test]
fn what_a_spreadsheet_makes_of_it_is_read() {
    let plain = map("m", "code,loinc,ucum,name\nGLU,2345-7,mg/dL,\"Glucose, serum\"\n");
    for text in [
        "\u{FEFF}CODE;LOINC;UCUM;Name\r\nGLU;2345-7;mg/dL;Glucose, serum\r\n;;;\r\n",
        "code\tloinc\tucum\tname\nGLU \t 2345-7\tmg/dL\tGlucose, serum\n",
        "code,loinc,ucum,name\n\nGLU,2345-7,mg/dL,\"Glucose, serum\"\n,,,\n",
    ] {
        let other = map("m", text);
        let rows = |map: &Map| map.rows.iter().map(|row| Row { line: 0, ..row.clone() }).collect::<Vec<_>>();
        assert_eq!(rows(&plain), rows(&other), "{text:?}");
    }
}

#[test]
fn sizes_are_bounded() {
    let long = "x".repeat(251);
    assert!(
        wrong(&format!("code,loinc,ucum\n{long},2345-7,1\n")).contains("code: is longer than 250 characters")
    );
    assert!(wrong("code,loinc,ucum\n\"a\nb\",2345-7,1\n").contains("code: holds '\\n'"));
    let mut many = String::from("code,loinc,ucum\n");
    for n in 0..=MAX_ROWS {
        many.push_str(&format!("{n},2345-7,1\n"));
    }
    assert!(wrong(&many).contains("more than the 20000 rows"));
    let mut wrongs = String::from("code,loinc,ucum\n");
    for n in 0..200 {
        wrongs.push_str(&format!("{n},2345-8,1\n"));
    }
    assert!(wrong(&wrongs).contains("more than the 100 mistakes listed"));
}

#[test]
fn what_changes_is_said_by_row() {
    let old = Table::new(vec![map("chem", CHEMISTRY)], false);
    let text = CHEMISTRY
        .replace("INR,,,6301-6,INR in Platelet poor plasma,1,,\n", "TSH,,,11580-8,,m[IU]/L,,\n")
        .replace("2350-7,Glucose [Mass/volume] in Urine", "5792-7,Glucose by strip");
    let new = Table::new(vec![map("chem", &text)], false);
    assert_eq!(
        change::words(Some(&old), Some(&new)),
        "1 row added (TSH 11580-8); 1 row changed (GLU (UR): 2350-7 → 5792-7, name Glucose [Mass/volume] in Urine → \
         Glucose by strip); 1 row removed (INR)"
    );
    assert!(change::words(None, Some(&old)).starts_with("7 rows added ("));
    assert_eq!(
        change::words(Some(&old), Some(&Table::new(vec![map("other", CHEMISTRY)], false))),
        "the same rows decide"
    );
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "[ -~\n\"é;,\t]{0,200}") {
        let _ = read(Path::new("m.csv"), &text);
        let _ = read(Path::new("m.csv"), &format!("code,loinc,ucum,unit\n{text}"));
    }
}

#[test]
fn a_line_has_the_number_that_an_editor_shows_whatever_spreadsheet_wrote_it() {
    let rows = "code,loinc,ucum,note\nA,2345-7,mg/dL,\"two\nlines\"\n\nB,2345-8,mg/dL,\n,,,\nC,2345-7,,\n";
    for (what, end) in [("unix", "\n"), ("windows", "\r\n"), ("old", "\r")] {
        for mark in ["", "\u{FEFF}"] {
            let text = mark.to_owned() + &rows.replace('\n', end);
            let mistakes = read(Path::new("m.csv"), &text).unwrap_err();
            let lines: Vec<_> = mistakes.iter().map(|m| (m.position.unwrap().line, m.key.as_str())).collect();
            assert_eq!(lines, [(2, "note"), (5, "loinc"), (7, "ucum")], "{what}");
        }
    }
    let crlf = CHEMISTRY.replace('\n', "\r\n");
    assert_eq!(map("chem", &crlf).rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 3, 4, 5, 6, 7, 8]);
}
