//! `orugate map`, `plan`'s words on maps and `replay --map`, as the program is typed.
//!
//! Promises that what a spreadsheet saves is taken with the lines that an editor shows, that the same row decides in `map show`,
//! in a replay and in what the engine gets, and that each wrong word is told with the right ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code)]
mod common;

use common::{Engine, Ran, Site, orugate, orugate_with};
use expect_test::expect;
use std::path::PathBuf;

/// As a spreadsheet of the western half of Europe saves it: a mark at the beginning, semicolons, CR LF, a cell of two lines.
fn livd() -> String {
    let rows = [
        "Manufacturer;Model;Vendor Analyte Code;Vendor Analyte Name;Vendor Specimen Description;Vendor Result Description;LOINC Code;LOINC Long Name;Scale;Vendor Comment",
        "Acme;C1;GLU;Glucose;Serum or Plasma;mg/dL;2345-7;Glucose [Mass/volume] in Serum or Plasma;Qn;\"first line\r\nsecond \"\"line\"\"; and more\"",
        "Acme;C1;GLU;Glucose;Serum or Plasma;mg/dL;2345-7;Glucose [Mass/volume] in Serum or Plasma;Qn;",
        "Acme;C1;GLU;Glucose;Urine;mg/dL;2350-7;Glucose [Mass/volume] in Urine;Qn;",
        "Acme;C1;CREA;Creatinine;Serum or Plasma;mg/dL;2160-1;Creatinine;Qn;",
        "Acme;C1;CREA;Creatinine;Serum or Plasma;umol/L;14682-9;Creatinine moles;Qn;",
        "",
        "Acme;C1;;Nothing;Serum or Plasma;mg/dL;2345-7;x;Qn;",
        "Acme;C1;NA;Sodium;Serum;mmol/L;;x;Qn;",
    ];
    format!("\u{FEFF}{}\r\n", rows.join("\r\n"))
}

struct Lab {
    site: Site,
    livd: String,
    map: PathBuf,
}

impl Lab {
    /// An instrument of the general profile, and no map.
    fn new() -> Self {
        let site = Site::new();
        let text = std::fs::read_to_string(&site.config).unwrap();
        std::fs::write(&site.config, text.replace("sysmex-xn-l", "generic-astm")).unwrap();
        let folder = site.folder.path().join("maps.d");
        std::fs::create_dir(&folder).unwrap();
        let livd_file = site.folder.path().join("livd.csv");
        std::fs::write(&livd_file, livd()).unwrap();
        let map = folder.join("chem.csv");
        Self { livd: livd_file.to_str().unwrap().to_owned(), map, site }
    }

    fn import(&self, more: &[&str]) -> Ran {
        self.site.run(&[&["map", "import", &self.livd, "--profile", "generic-astm"], more].concat())
    }

    /// The instrument has the map.
    fn named(&self, keys: &str) {
        let text = std::fs::read_to_string(&self.site.config).unwrap();
        std::fs::write(&self.site.config, format!("{text}{keys}\n")).unwrap();
    }

    fn capture(&self) -> String {
        let file = self.site.folder.path().join("capture.txt");
        let text = "H|\\^&|||C1^1^SN1||||||||E1394-97|20261126055000\nP|1\nO|1|S-1||^^^GLU|R\n\
                    R|1|^^^GLU|97|mg/dL||N||F||||20261126054900\nR|2|^^^CREA|0.9|mg/dL||N||F||||20261126054900\n\
                    R|3|^^^TSH|2.4|mU/L||N||F||||20261126054900\nL|1|N\n";
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    }
}

#[test]
fn a_table_as_a_spreadsheet_saves_it_becomes_a_map_with_a_report_of_what_was_not_taken() {
    let lab = Lab::new();
    let asked = lab.import(&[]);
    asked.is(0);
    for line in [
        "Read: 7 rows of Acme C1.",
        "Taken: 1 row.",
        "Not taken, line 6: CREA has a LOINC code whose form or check digit is wrong: \"2160-1\".",
        "Not taken, line 9: no vendor code",
        "Not taken, line 10: NA has no LOINC code.",
        "Ambiguous, none taken, GLU: 2345-7 (Serum or Plasma, mg/dL) in line 2, 2345-7 (Serum or Plasma, mg/dL) in line 4, \
         2350-7 (Urine, mg/dL) in line 5. The instrument writes SERUM; say for which: --specimen \"Serum or Plasma=WHAT IT WRITES\"",
        "Missing, seen of this instrument and without a row: 321,",
    ] {
        asked.says(line);
    }
    let out = lab.map.to_str().unwrap();
    let said = ["--specimen", "Urine=UR", "--specimen", "serum or plasma=", "--out", out];
    let taken = lab.import(&said);
    taken.is(0);
    taken.says("map = \"chem\"");
    expect![[r#"
        code,specimen,unit,loinc,name,ucum,panel,panel_name,specimen_text,note
        CREA,,,14682-9,Creatinine moles,umol/L,,,Serum or Plasma,Creatinine; umol/L
        GLU,,,2345-7,Glucose [Mass/volume] in Serum or Plasma,mg/dL,,,Serum or Plasma,"Glucose; mg/dL; first line second ""line""; and more"
        GLU,UR,,2350-7,Glucose [Mass/volume] in Urine,mg/dL,,,Urine,Glucose; mg/dL
    "#]]
    .assert_eq(&std::fs::read_to_string(&lab.map).unwrap());
    let again = lab.import(&said);
    again.is(1);
    again.says("is there already, perhaps with somebody's work in it");
    lab.import(&[&said[..], &["--force"]].concat()).is(0);
}

#[test]
fn each_wrong_word_is_told_with_the_right_ones() {
    let lab = Lab::new();
    let folder = lab.site.folder.path();
    for name in ["My Map.csv", "chem.CSV", "chem", "über.csv"] {
        let out = folder.join("maps.d").join(name);
        let refused = lab.import(&["--out", out.to_str().unwrap()]);
        refused.is(64);
        refused.says("would be read by nobody");
        assert!(!out.exists());
    }
    lab.import(&["--specimen", "Urine"]).is(2);
    let other = lab.import(&["--model", "C2"]);
    other.is(65);
    other.says("The file has no row of that model. It has: C1.");
    let import = |text: &str| {
        let config = lab.site.config.to_str().unwrap();
        orugate_with(&["map", "import", "-", "--profile", "generic-astm", "--config", config], text)
    };
    for (text, code, said) in [
        ("", 65, "The file is empty"),
        ("a,b\n1,2\n", 65, "no column \"Vendor Analyte Code\". It has: a, b."),
        ("PK\u{3}\u{4}", 74, "Standard input: this is a spreadsheet itself; save it as CSV in UTF-8"),
        ("Vendor Analyte Code,LOINC Code\nNA,2951-3\n", 1, "Nothing was taken, so nothing was written."),
    ] {
        let ran = import(text);
        ran.is(code);
        ran.says(said);
    }
    let gone = lab.site.run(&["map", "import", "nowhere.csv", "--profile", "generic-astm"]);
    gone.is(74);
    gone.says("nowhere.csv: No such file");
    lab.site.run(&["map", "import", &lab.livd, "--profile", "nope"]).is(64);
    let none = lab.site.run(&["map", "show", "chem-9"]);
    none.is(64);
    none.says("There is no instrument chem-9. There are: haem-1.");
    lab.site
        .run(&["map", "show", "haem-1"])
        .says("haem-1 has no map: its results go out with its own codes.");
    let none = lab.site.run(&["map", "show", "haem-1", "--journal"]);
    none.is(74);
    none.says("where the journal should be. Look whether its disk is mounted");
}

#[test]
fn the_row_that_is_shown_decides_in_a_replay_in_a_plan_and_for_the_engine() {
    let lab = Lab::new();
    let site = &lab.site;
    lab.import(&[
        "--specimen",
        "Urine=UR",
        "--specimen",
        "Serum or Plasma=",
        "--out",
        lab.map.to_str().unwrap(),
    ])
    .is(0);
    // Before it is configured: by its name, by its file, and with what require_map would hold.
    let capture = lab.capture();
    let replay = |more: &[&str]| site.run(&[&["replay", "-p", "generic-astm", &capture], more].concat());
    let plain = replay(&[]);
    plain.is(0);
    plain.says("OBX|1|NM|GLU^^99ASTM||97|");
    plain.hides("map GLU");
    for map in ["chem", lab.map.to_str().unwrap()] {
        let mapped = replay(&["--map", map]);
        mapped.is(0);
        mapped.says("OBX|1|NM|2345-7^Glucose [Mass/volume] in Serum or Plasma^LN^GLU^^99ASTM||97|mg/dL");
        mapped.says("map GLU: chem.csv line 3, 2345-7 in mg/dL");
        mapped.says("map TSH: no row; it goes out with its own code");
        mapped.says(
            "hold CREA unit-differs: CREA came in mg/dL, and chem.csv line 2 expects umol/L. The unit is another one",
        );
        mapped.says("3 observations: 2 in 1 ORU, 1 held");
    }
    let required = replay(&["--map", "chem", "--require-map"]);
    required.says("hold TSH unmapped-code:");
    required.says("3 observations: 1 in 1 ORU, 2 held");
    replay(&["--require-map"]).is(2);
    let none = replay(&["--map", "nope"]);
    none.is(64);
    none.says("There is no map nope:");
    let bad = site.folder.path().join("bad.csv");
    std::fs::write(&bad, "code,loinc,ucum\r\nGLU,2345-8,mg/dL\r\n").unwrap();
    let bad = replay(&["--map", bad.to_str().unwrap()]);
    bad.is(78);
    bad.says("bad.csv:2:");
    bad.says("its check digit is wrong");

    site.run(&["journal", "init"]).is(0);
    let mut service = site.start();
    service.until("ready");
    lab.named("map = \"chem\"");
    let checked = site.run(&["check"]);
    checked.is(0);
    checked.says("map chem (3 rows; a test without one goes out with its own code)");
    let plan = site.run(&["plan"]);
    plan.says("haem-1: map none → chem: 3 rows added (CREA 14682-9, GLU 2345-7, GLU (UR) 2350-7)");
    plan.says("a reload applies it with the next message");
    site.run(&["reload"]).is(0);
    let engine = Engine::start(&site.engine);
    orugate(&["simulate", "-p", "generic-astm", "--connect", &site.address, &capture]).is(0);
    service.until("interpreted");
    let oru = engine.next();
    assert!(
        oru.contains("|2345-7^Glucose [Mass/volume] in Serum or Plasma^LN^GLU^^99ASTM||97|mg/dL"),
        "{oru}"
    );
    let shown = site.run(&["map", "show", "haem-1", "--journal"]);
    shown.is(0);
    shown.says("asked first: map chem, 3 rows,");
    for row in [
        "GLU -- mg/dL chem.csv line 3 2345-7 Glucose",
        "CREA -- mg/dL chem.csv line 2 HELD unit-differs: umol/L is expected",
        "TSH -- mU/L no row its own code",
        "GLU UR any chem line 4 2350-7",
    ] {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let wanted = row.replace("--", "-");
        assert!(
            shown.out.lines().any(|line| words(line).contains(&wanted)),
            "no {wanted:?} in\n{}",
            shown.out
        );
    }
    // A corrected row and one that goes, in words.
    let text = std::fs::read_to_string(&lab.map).unwrap();
    let text = text.replace("2350-7,Glucose [Mass/volume] in Urine,mg/dL", "2349-9,Glucose in Urine,mg/dL");
    let text: String =
        text.lines().filter(|line| !line.starts_with("CREA")).map(|line| format!("{line}\n")).collect();
    std::fs::write(&lab.map, text).unwrap();
    let plan = site.run(&["plan"]);
    plan.says("haem-1: map chem: 1 row changed (GLU (UR): 2350-7 → 2349-9, name Glucose [Mass/volume] in Urine → Glucose in Urine)");
    plan.says("; 1 row removed (CREA)");
    site.run(&["reload"]).is(0);
    let hold = site.run(&["holds", "list", "--json"]);
    let holds: serde_json::Value = serde_json::from_str(&hold.out).unwrap();
    assert_eq!(holds[0]["reason"], "unit-differs");
    site.run(&["holds", "redrive", &holds[0]["hold"].to_string()]).is(0);
    assert!(engine.next().contains("|CREA^^99ASTM||0.9|mg/dL"), "the row is gone, so nothing holds it");
    // Who asks later is told by which map of then, and what came of the hold.
    let traced = site.run(&["trace", "S-1"]);
    let words = traced.out.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in [
        "redriven: interpreted again with the configuration of then, by uid ",
        "map chem, chem.csv line 2: 2345-7 in mg/dL",
    ] {
        assert!(words.contains(told), "no {told:?} in {}", traced.out);
    }
}
