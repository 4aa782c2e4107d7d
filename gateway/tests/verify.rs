//! `orugate verify`, as the person at the analyzer meets it: a described profile is held, compared, proven, live, and held again
//! when the analyzer or the profile is another.
//!
//! Promises that nothing of a described profile reaches a patient's chart unproven and nothing is dropped; that the report is
//! what was sent and said, the same from the journal as at the end of the session; that Python's csv and an HTML parser read
//! it; and that no value is printed where no terminal is. Waits only for lines, exits and records.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code)]
mod common;

use common::{Engine, Ran, Service, Site, orugate};
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PROFILE: &str = r#"extends = "sysmex-xn-l"
name = "haematology-east"
title = "An XN-550 with its ids in O.3"
evidence = "described"

[sample]
id = ["O.3"]

[[example]]
shows = "A value below the limit"
input = '''
H|\^&|||XN-550^00-24^00001^^^^TT000001||||||||E1394-97
P|1
O|1|T-0001|^^^B|^^^^WBC|||||||N||||||||||||||F
R|1|^^^^WBC^1|<0.10|10*3/uL||L||F||||20261122093407
R|2|^^^^PLT^1|<3|10*3/uL||L||F||||20261122093407
L|1|N
'''
expect = "not looked at here"
"#;

const HEAD: &str = "what,message,sample,code,value,unit,answer,words\n";

/// A result: code, value and flag.
type R<'t> = (&'t str, &'t str, &'t str);

struct Story {
    site: Site,
    service: Option<Service>,
}

impl Story {
    /// The program with its instrument in this mode; results of a test go to `test`.
    fn new(mode: &str, test: &str) -> Self {
        let site = Self::site(mode, test);
        site.run(&["journal", "init"]).is(0);
        Self::served(site)
    }

    fn served(site: Site) -> Self {
        let mut service = site.start();
        service.until("ready;");
        Self { site, service: Some(service) }
    }

    /// The files of a box, without a journal.
    fn site(mode: &str, test: &str) -> Site {
        let site = Site::new();
        let folder = site.folder.path().join("profiles.d");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("east.toml"), PROFILE).unwrap();
        let text = std::fs::read_to_string(&site.config).unwrap();
        let text = text
            .replace("profile = \"sysmex-xn-l\"", "profile = \"haematology-east\"")
            .replace("mode = \"live\"", &format!("mode = \"{mode}\""))
            .replace("send_to = [\"engine\"]", "send_to = [\"engine\", \"engine-test\"]")
            .replace(
                "[[instrument]]",
                &format!(
                    "[[destination]]\nname = \"engine-test\"\nrole = \"lis\"\naccepts = \"T\"\n\
                     receiving = {{ application = \"ENGINE\", facility = \"HOSP\" }}\nmllp = {{ address = \"{test}\" }}\n\
                     [[instrument]]"
                ),
            );
        std::fs::write(&site.config, text).unwrap();
        site
    }

    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.site.folder.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(&self.site.config).unwrap();
        assert!(text.contains(from));
        std::fs::write(&self.site.config, text.replace(from, to)).unwrap();
        self.site.run(&["reload"]).is(0);
    }

    /// The analyzer with this serial number sends one sample.
    fn hear(&mut self, serial: &str, sample: &str, results: &[R<'_>]) {
        let mut text = format!(
            "H|\\^&|||XN-550^00-24^00001^^^^{serial}||||||||E1394-97\nP|1||||TESTPATIENT^INVENTED\n\
             O|1|{sample}|^^^B|^^^^WBC|||||||N||||||||||||||F\n"
        );
        for (n, (code, value, flag)) in (1..).zip(results) {
            text += &format!("R|{n}|^^^^{code}^1|{value}|10*3/uL||{flag}||F||||20261122093407\n");
        }
        let capture = self.site.folder.path().join("capture.txt");
        std::fs::write(&capture, text + "L|1|N\n").unwrap();
        let capture = capture.to_str().unwrap();
        orugate(&["simulate", "-p", "sysmex-xn-l", "--connect", &self.site.address, capture]).is(0);
        self.service.as_mut().unwrap().until("interpreted");
    }

    /// Waits until the list of messages says this so often.
    fn until_list(&self, what: &str, times: usize) {
        let mut list = String::new();
        for _ in 0..400 {
            list = self.site.run(&["journal", "list"]).out;
            if list.matches(what).count() >= times {
                return;
            }
        }
        panic!("not {times} times {what:?} in:\n{list}");
    }

    fn session(&self, more: &[&str]) -> Ran {
        self.site.run(&[&["verify", "session", "haem-1"], more].concat())
    }

    fn answers(&self, rows: &str, more: &[&str]) -> Ran {
        let file = self.site.folder.path().join("answers.csv");
        std::fs::write(&file, HEAD.to_owned() + rows).unwrap();
        self.session(&[&["--answers", file.to_str().unwrap()], more].concat())
    }

    /// A session that proves the profile for the analyzer with this serial number.
    fn prove(&mut self, engine: &Engine, serial: &str, sample: &str, out: &Path) {
        self.answers("", &[]).is(0);
        self.hear(serial, sample, &[("WBC", "<0.10", "L"), ("RBC", "4.55", "N")]);
        engine.next();
        self.hear(serial, "QC-0017", &[("WBC", "7.01", "N")]);
        self.hear(serial, "BACKGROUNDCHECK", &[("WBC", "0.01", "N")]);
        let rows = format!(
            "result,,{sample},WBC,<0.10,10*3/uL,y,\nresult,,{sample},RBC,,,y,\nqc,,QC-0017,,,,control,\n\
             qc,,BACKGROUNDCHECK,,,,blank,\nwhy,,,calibration,,,,\"the maker's engineer does it, nothing is sent\"\nend,,,,,,,\n"
        );
        let mut ran = self.answers(&rows, &["--out", out.to_str().unwrap()]);
        // An acknowledgment is on its way into the journal.
        for _ in 0..50 {
            if !ran.out.contains("1 not.") && !ran.out.contains("2 not.") {
                break;
            }
            ran = self.answers(&rows, &["--out", out.to_str().unwrap()]);
        }
        ran.is(0);
        ran.says(&format!("it proves profile haematology-east for XN-550, serial {serial}."));
        ran.hides("<0.10");
        ran.hides(sample);
    }

    /// How the only verification stands beside what is configured.
    fn now(&self) -> serde_json::Value {
        let listed = self.site.run(&["verify", "list", "--json"]);
        listed.is(0);
        let all: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
        assert_eq!(all.as_array().unwrap().len(), 1, "{all}");
        all[0].clone()
    }

    fn list(&self) -> String {
        let listed = self.site.run(&["verify", "list"]);
        listed.is(0);
        listed.out
    }
}

fn free() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn read(folder: &Path, extension: &str) -> (PathBuf, String) {
    let mut all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let path = all.find(|path| path.extension().is_some_and(|is| is == extension)).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    (path, text)
}

#[test]
fn what_is_only_described_is_held_in_live_mode_and_goes_out_after_it_is_proven() {
    let test = free();
    let mut story = Story::new("live", &test);
    let checked = story.site.run(&["check"]);
    checked.is(0);
    checked
        .says("is only described: results are held until a verification of this profile with this analyzer");
    story.hear("TT000001", "S-0001", &[("WBC", "8.13", "N")]);
    story.until_list("1 result HELD (unproven)", 1);
    let status = story.site.run(&["status"]);
    status.says(
        "haem-1: no verification of it is in the journal, and its profile haematology-east is only described",
    );
    status.says("orugate verify session haem-1");
    // Unproven as it is, nobody sends it.
    let list = |story: &Story| -> serde_json::Value {
        serde_json::from_str(&story.site.run(&["holds", "list", "--json"]).out).unwrap()
    };
    let hold = list(&story)[0]["hold"].to_string();
    story
        .site
        .run(&["holds", "redrive", &hold])
        .says("waits as before. It came from XN-550, serial TT000001. The profile is only described");
    story.site.run(&["holds", "release", &hold]);
    let hold = list(&story)[0]["hold"].to_string();
    assert_eq!(list(&story)[0]["reason"], "unproven");

    let (live, tests) = (Engine::start(&story.site.engine), Engine::start(&test));
    story.edit("mode = \"live\"", "mode = \"test\"");
    for act in ["release", "redrive"] {
        let refused = story.site.run(&["holds", act, &hold]);
        refused.says("is in test mode, so these results would go out as a test's");
    }
    let out = story.folder("first");
    story.prove(&tests, "TT000001", "S-0002", &out);
    story.edit("mode = \"test\"", "mode = \"live\"");
    let status = story.site.run(&["status"]);
    status.hides("is only described");
    status.says("(evidence: described; verification ");
    let redriven = story.site.run(&["holds", "redrive", &hold]);
    redriven.is(0);
    assert!(live.next().contains("|S-0001"), "the held result goes out as a patient's");
    story.hear("TT000001", "S-0003", &[("WBC", "6.10", "N")]);
    let oru = live.next();
    assert!(oru.contains("|S-0003") && oru.contains("|P|2.5.1"), "{oru}");

    // Another analyzer on this cable, or one that says nothing of itself.
    story.hear("TT000002", "S-0004", &[("WBC", "6.20", "N")]);
    story.until_list("1 result HELD (unproven)", 1);
    story.site.run(&["holds", "list", "--json"]).says("It came from XN-550, serial TT000002.");
    story.hear("", "S-0005", &[("WBC", "6.30", "N")]);
    story.until_list("1 result HELD (unproven)", 2);
    // The power goes, and the proof is where it was.
    story.service.as_mut().unwrap().kill();
    let mut service = story.site.start();
    service.until("ready;");
    story.service = Some(service);
    story.hear("TT000001", "S-0006", &[("WBC", "6.40", "N")]);
    assert!(live.next().contains("|S-0006"));
    // Another profile of the same name.
    let east = story.site.folder.path().join("profiles.d/east.toml");
    std::fs::write(&east, PROFILE.replace("An XN-550", "The XN-550")).unwrap();
    story.site.run(&["reload"]).is(0);
    story.site.run(&["status"]).says("its profile or its map is another than that of verification ");
    assert!(story.list().contains("of ANOTHER profile than is configured now"));
    story.hear("TT000001", "S-0007", &[("WBC", "6.50", "N")]);
    story.until_list("1 result HELD (unproven)", 3);
    // And back: it was proven.
    std::fs::write(&east, PROFILE).unwrap();
    story.site.run(&["reload"]).is(0);
    story.hear("TT000001", "S-0008", &[("WBC", "6.60", "N")]);
    assert!(live.next().contains("|S-0008"));
    let ledger = story.site.run(&["ledger"]);
    ledger.is(0);
    ledger.says("difference 0");
}

#[test]
fn a_session_says_what_it_lacks_and_proves_nothing_with_a_difference() {
    let test = free();
    let mut story = Story::new("test", &test);
    let engine = Engine::start(&test);
    let begun = story.answers("end,,,,,,,\n", &["--out", "/nonexistent"]);
    begun.is(74);
    begun.says("It proves nothing: no result was confirmed; a control that went to no patient was not seen");
    story.answers("", &[]).says("calibration  a calibration that went to no patient: OPEN");
    story.hear("TT000001", "S-0001", &[("WBC", "<0.10", "L"), ("RBC", "4.55", "N"), ("PLT", "231", "H")]);
    let oru = engine.next();
    assert!(oru.contains("|T|2.5.1"), "{oru}");
    story.until_list("acknowledged by engine-test (AA)", 1);
    story.hear("TT000009", "QC-0017", &[("WBC", "7.01", "N")]);
    let said = story.answers(
        "result,,S-0001,WBC,0.10,,y,\nresult,,S-9999,WBC,,,y,\nresult,,S-0001,RBC,,,n,\nresult,,S-0001,PLT,,,perhaps,\n\
         qc,,S-0001,,,,control,\nwhy,,,weather,,,,rain\n",
        &[],
    );
    said.is(1);
    for why in [
        ":2: not noted: the value in the file is not the one that was sent",
        ":3: not noted: nothing of this sample and code came since the session began",
        ":4: not noted: say in words what differs",
        ":5: not noted: answer is \"perhaps\"; allowed are y, n and s",
        ":6: not noted: nothing of this sample and code came",
        ":7: not noted: \"weather\" is nothing that can be seen; allowed are control, blank",
        "0 answers noted, 6 not.",
    ] {
        said.says(why);
    }
    story.answers("result,,S-0001,WBC,,,y,\nresult,,S-0001,RBC,,,n,the screen shows 4.56\n", &[]).is(0);
    story
        .answers("qc,,QC-0017,,,,control,\n", &[])
        .says("This came from another analyzer (XN-550, serial TT000009) than");
    let out = story.folder("differs");
    let ended = story.answers(
        "result,,S-0001,PLT,,,s,\nwhy,,,blank,,,,none\nwhy,,,control,,,,none\nwhy,,,calibration,,,,none\nend,,,,,,,\n",
        &["--out", out.to_str().unwrap()],
    );
    ended.is(1);
    ended.says("It proves nothing: 1 result differs.");
    let (_, html) = read(&out, "html");
    assert!(
        html.contains("the screen shows 4.56")
            && html.contains("NOT PROVEN: 1 result is the same, 1 differs")
    );
    assert!(html.contains("Skipped: PLT of sample S-0001"), "{html}");
    assert!(story.list().contains("1 the same, 1 differ, 1 skipped"));
    story.site.run(&["verify", "session", "haem-2", "--answers", "-"]).is(64);
    // Without a terminal nothing is asked.
    story.session(&[]).says("--answers FILE");
}

#[test]
fn the_report_is_the_same_from_the_journal_and_others_can_read_it() {
    let test = free();
    let mut story = Story::new("test", &test);
    let engine = Engine::start(&test);
    let (first, again, scrubbed) = (story.folder("first"), story.folder("again"), story.folder("scrubbed"));
    // A sample id that would be markup, if somebody let it.
    story.prove(&engine, "TT000001", "S-<b>&amp;\"1", &first);
    let number = story.list().split_whitespace().next().unwrap().to_owned();
    let to = |folder: &Path| folder.to_str().unwrap().to_owned();
    story.site.run(&["verify", "report", &number, "--out", &to(&again)]).is(0);
    for extension in ["html", "csv", "sha256"] {
        let (path, text) = read(&first, extension);
        assert_eq!(read(&again, extension).1, text, "{extension}");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let refused = story.site.run(&["verify", "report", &number, "--out", &to(&again)]);
    refused.is(74);
    refused.says("A file that is there is left alone");
    story.site.run(&["verify", "report", "7", "--out", &to(&again)]).is(1);
    let sums = Command::new("sha256sum")
        .arg("-c")
        .arg(read(&first, "sha256").0)
        .current_dir(&first)
        .output()
        .unwrap();
    assert!(sums.status.success(), "{sums:?}");
    let (html_path, html) = read(&first, "html");
    let (csv_path, csv) = read(&first, "csv");
    for text in [
        "S-&lt;b&gt;&amp;amp;&quot;1",
        "PROVEN: 2 results are the same as on the screen",
        "TT000001",
        "&lt;0.10",
        "R|1|^^^^WBC^1|",
        "uid ",
    ] {
        assert!(html.contains(text), "no {text:?} in {html}");
    }
    assert!(
        csv.contains("\"result\",") && csv.contains("\"AA\"") && csv.contains("\"quality control\","),
        "{csv}"
    );
    let scrub = ["verify", "report", &number, "--scrub", "--out", &to(&scrubbed)];
    story.site.run(&scrub).is(0);
    for extension in ["html", "csv"] {
        let text = read(&scrubbed, extension).1;
        assert!(html.contains("engineer") && html.contains("S-&lt;b"), "it would prove nothing");
        for private in ["TESTPATIENT", "S-<b>", "S-&lt;b", "engineer"] {
            assert!(!text.contains(private), "{private:?} in {text}");
        }
        assert!(
            text.contains("specimen 1") && (text.contains("<0.10") || text.contains("&lt;0.10")),
            "{text}"
        );
    }
    // The trace of a message says who compared it.
    let traced = story.site.run(&["trace", "S-<b>&amp;\"1", "--sample"]);
    traced.says("compared with the analyzer's screen: same (result 0, verification");
    let Some(python) = std::env::var_os("ORUGATE_PYTHON") else {
        eprintln!("skipped: ORUGATE_PYTHON is not set: no outside reader");
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/python/report.py");
    let output = Command::new(python).arg(script).args([&html_path, &csv_path]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// All that a person sees who plays this.
fn at_a_terminal(python: &std::ffi::OsStr, arguments: &[&str], play: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/python/terminal.py");
    let mut child = Command::new(python)
        .arg(script)
        .arg(env!("CARGO_BIN_EXE_orugate"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(play.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn a_person_at_a_terminal_is_asked_sample_by_sample() {
    let Some(python) = std::env::var_os("ORUGATE_PYTHON") else {
        eprintln!("skipped: ORUGATE_PYTHON is not set: nobody to sit at a terminal");
        return;
    };
    let test = free();
    let mut story = Story::new("test", &test);
    let engine = Engine::start(&test);
    let config = story.site.config.to_str().unwrap().to_owned();
    let out = story.folder("out").to_str().unwrap().to_owned();
    let sit = |play: &str| {
        let session =
            ["verify", "session", "haem-1", "--config", &config, "--name", "B. Invented", "--out", &out];
        at_a_terminal(&python, &session, play)
    };
    let said = sit("expect Waiting for results\ntype q\nexpect Broken off\n");
    assert!(said.contains("To be seen: a control that went to no patient; a blank"), "{said}");
    story.hear("TT000001", "S-0001", &[("WBC", "<0.10", "L"), ("RBC", "4.55", "N"), ("PLT", "231", "H")]);
    engine.next();
    story.hear("TT000001", "QC-0017", &[("WBC", "7.01", "N")]);
    let said = sit(
        "expect The same on the screen?\ntype ?\nexpect WORDS\nexpect The same on the screen?\ntype n 3 the screen shows 232\n\
         expect Noted.\nexpect The same on the screen?\ntype y 9\nexpect no open result 9\ntype y\nexpect Noted.\n\
         expect What was it?\ntype c\nexpect Noted.\nexpect Waiting\ntype list\nexpect 2 the same, 1 differ\n\
         type why blank no blank is run on it\nexpect Noted.\ntype why calibration the maker does it\nexpect Noted.\n\
         type end\nexpect Not ended: 1 result differs\ntype end anyway\nexpect It proves nothing\nexpect The report is in\n",
    );
    assert!(said.contains("<0.10 10*3/uL"), "{said}");
    let (_, html) = read(Path::new(&out), "html");
    assert!(html.contains("who says to be B. Invented"), "{html}");
}

#[test]
fn a_profile_says_what_its_examples_show() {
    let site = Site::new();
    let shown = site.run(&["verify", "profile", "sysmex-xn-l"]);
    shown.is(0);
    shown.says("as it says");
    shown.says("qc WBC: not a patient's result, because the sample id begins with BACKGROUNDCHECK");
    shown.says("With the analyzer itself is to be seen: a control that went to no patient; a blank");
    let file = site.folder.path().join("east.toml");
    std::fs::write(&file, PROFILE).unwrap();
    let differs = site.run(&["verify", "profile", file.to_str().unwrap()]);
    differs.is(1);
    differs.says("example 1, \"A value below the limit\": DIFFERS");
    differs.says("shows: a patient's result with a flag; a value below a limit (<)");
    differs.says("-not looked at here");
    site.run(&["verify", "profile", "none"]).is(64);
}

const MAP: &str = "code,loinc,ucum\nWBC,6690-2,10*3/uL\nRBC,789-8,10*3/uL\n";

#[test]
fn a_changed_map_makes_a_proof_fall_back_and_the_map_of_then_brings_it_back() {
    let test = free();
    let mut story = Story::new("test", &test);
    let (live, tests) = (Engine::start(&story.site.engine), Engine::start(&test));
    let map = story.folder("maps.d").join("haem.csv");
    std::fs::write(&map, MAP).unwrap();
    story.edit("mode = \"test\"", "mode = \"test\"\nmap = \"haem\"");
    let out = story.folder("first");
    story.prove(&tests, "TT000001", "S-0001", &out);
    let now = story.now();
    assert_eq!(
        (&now["state"], &now["now"], &now["same"]),
        (&"proven".into(), &"same".into(), &2.into()),
        "{now}"
    );
    assert_eq!(now["analyzer"]["serial"], "TT000001");
    assert!(now["ended"]["actor"].as_str().unwrap().starts_with("uid "), "{now}");
    assert!(!now.to_string().contains("S-0001") && !now.to_string().contains("<0.10"), "{now}");
    story.edit("mode = \"test\"", "mode = \"live\"");
    story.hear("TT000001", "S-0002", &[("WBC", "6.10", "N")]);
    assert!(live.next().contains("|6690-2^"));

    std::fs::write(&map, MAP.replace("6690-2", "804-5")).unwrap();
    story.site.run(&["reload"]).is(0);
    assert_eq!(story.now()["now"], "another-map");
    assert!(story.list().contains("with ANOTHER map than is configured now"), "{}", story.list());
    story.site.run(&["status"]).says("its profile or its map is another than that of verification ");
    story.hear("TT000001", "S-0003", &[("WBC", "6.20", "N")]);
    story.until_list("1 result HELD (unproven)", 1);

    std::fs::write(&map, MAP).unwrap();
    story.site.run(&["reload"]).is(0);
    assert_eq!(story.now()["now"], "same");
    story.site.run(&["status"]).hides("is only described");
    story.site.run(&["holds", "redrive", "--reason", "unproven"]).is(0);
    let oru = live.next();
    assert!(oru.contains("|S-0003") && oru.contains("|6690-2^"), "{oru}");
    // Nothing else is said where the instrument is gone, or nobody knows the configuration.
    story.site.run(&["verify", "list", "--json", "--path", "/nonexistent"]).is(74);
}

#[test]
fn a_proof_goes_along_to_a_spare_box_for_its_analyzer_and_no_other() {
    let test = free();
    let mut story = Story::new("test", &test);
    let tests = Engine::start(&test);
    let out = story.folder("first");
    story.prove(&tests, "TT000001", "S-0001", &out);
    let copy = story.site.folder.path().join("copy");
    let copy = copy.to_str().unwrap();
    story.site.run(&["backup", copy]).is(0);
    story.service.as_mut().unwrap().kill();

    let site = Story::site("live", &free());
    site.run(&["restore", copy, "--old-box-is-off"]).is(0);
    let mut spare = Story::served(site);
    let live = Engine::start(&spare.site.engine);
    let now = spare.now();
    assert_eq!((&now["state"], &now["now"]), (&"proven".into(), &"same".into()), "{now}");
    spare.site.run(&["status"]).hides("is only described");
    spare.hear("TT000001", "S-0002", &[("WBC", "6.10", "N")]);
    let oru = live.next();
    assert!(oru.contains("|S-0002") && oru.contains("|P|2.5.1"), "{oru}");
    spare.hear("TT000002", "S-0003", &[("WBC", "6.20", "N")]);
    spare.until_list("1 result HELD (unproven)", 1);
    // What was shown and said is there as well.
    let number = now["verification"].to_string();
    let again = spare.folder("again");
    spare.site.run(&["verify", "report", &number, "--out", again.to_str().unwrap()]).is(0);
    assert_eq!(read(&again, "html").1, read(&out, "html").1);
}

/// Numbers, times, folders and hashes of one run, as they stand in the manual: the same ones for the same ones.
fn as_in_the_manual(said: &str, out: &str) -> String {
    let said = said.replace(out, ".");
    let mut text = String::new();
    let pattern = r"[0-9a-f]{64}|[0-9]{4}-[0-9T:.-]+Z|[0-9]{16}|by uid [0-9]+( \([^)]*\))?";
    let pattern = regex::Regex::new(pattern).unwrap();
    let (mut known, mut from): (Vec<String>, usize) = (Vec::new(), 0);
    for found in pattern.find_iter(&said) {
        let what = found.as_str();
        let nth = known.iter().position(|it| it == what).unwrap_or_else(|| {
            known.push(what.to_owned());
            known.len() - 1
        });
        text += &said[from..found.start()];
        text += &match what {
            _ if what.starts_with("by uid") => "by uid 1000 (b.tech)".to_owned(),
            _ if what.ends_with('Z') => format!("2026-11-26T03:1{nth}:02.117Z"),
            _ if what.len() == 64 => "5f0c…".to_owned(),
            _ => format!("17956800000047{:02}", nth + 11),
        };
        from = found.end();
    }
    text + &said[from..]
}

#[test]
fn the_session_in_the_manual_is_one_that_was_played() {
    let Some(python) = std::env::var_os("ORUGATE_PYTHON") else {
        eprintln!("skipped: ORUGATE_PYTHON is not set: nobody to sit at a terminal");
        return;
    };
    let test = free();
    let mut story = Story::new("test", &test);
    let engine = Engine::start(&test);
    let config = story.site.config.to_str().unwrap().to_owned();
    let out = story.folder("out").to_str().unwrap().to_owned();
    let session = ["verify", "session", "haem-1", "--config", &config, "--name", "B. Tech", "--out", &out];
    at_a_terminal(&python, &session, "expect Waiting for results\ntype q\nexpect Broken off\n");
    story.hear("TT000001", "S-0001", &[("WBC", "<0.10", "L"), ("RBC", "4.55", "N"), ("PLT", "231", "H")]);
    engine.next();
    story.hear("TT000001", "QC-0017", &[("WBC", "7.01", "N")]);
    story.until_list("acknowledged by engine-test (AA)", 1);
    let said = at_a_terminal(
        &python,
        &session,
        "expect The same on the screen? y n s > \ntype n 3 the screen shows 232\nexpect Noted.\n\
         expect The same on the screen? y n s > \ntype y 1 2\nexpect Noted.\n\
         expect What was it? c b k o n s > \ntype c\nexpect Noted.\nexpect > \n\
         type why calibration the maker's engineer does it, nothing is sent\nexpect Noted.\nexpect > \n\
         type why blank none is run on it\nexpect Noted.\nexpect > \ntype end\nexpect Not ended: 1 result differs\n\
         expect > \ntype q\nexpect Broken off\n",
    );
    let said = as_in_the_manual(said.trim_end(), &out);
    let block = format!("```text\n$ orugate verify session haem-1 --name \"B. Tech\"\n{said}\n```\n");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/verify.md");
    let page = std::fs::read_to_string(&file).unwrap();
    let (begin, end) = ("<!-- session: made from one that was played -->\n", "<!-- end of the session -->");
    let (before, rest) = page.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    let made = format!("{before}{begin}{block}{end}{after}");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&file, made).unwrap();
        return;
    }
    assert_eq!(
        page, made,
        "docs/verify.md shows another session: UPDATE_EXPECT=1 cargo test -p orugate --test verify the_session_in"
    );
}
