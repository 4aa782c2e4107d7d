//! `orugate check --against`: what a new configuration would make of captures, beside what the old one makes of them.
//!
//! Promises that each kind of change is said for the right destination and field, that "no difference" is said when
//! there is none, and the exit codes. Leaves out what an ORU holds; other tests have that.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

// Other tests use the rest of it.
#[allow(dead_code)]
mod common;

use common::{Ran, Site, orugate, orugate_with};
use std::path::Path;

/// Two results of an invented patient and sample. The second has no flag and a range.
const CAPTURE: &str = "H|\\^&|||XN-550^00-01^11001^^^^TEST01|||||||P|E1394-97|20261123040000\n\
    P|1||||TESTPATIENT^INVENTED\nO|1|TUBE-7|^^ T-0990^M|^^^^WBC\\^^^^RBC|R||||||N||||||||||||||F\n\
    R|1|^^^^WBC^1|6.1|10*3/uL||H||F||||20261123040000\n\
    R|2|^^^^RBC^1|4.52|10*6/uL|4.00-5.50|N||F||||20261123040000\nL|1|N\n";

const PROFILE: &str = "extends = \"sysmex-xn-l\"\nname = \"haem\"\ntitle = \"A test's own\"\n\
    evidence = \"captured-bytes\"\n";

/// Another destination.
const ARCHIVE: [(&str, &str); 2] = [
    (
        "[[instrument]]",
        "[[destination]]\nname = \"archive\"\nrole = \"record\"\n\
         receiving = { application = \"A\", facility = \"B\" }\nmllp = { address = \"192.0.2.1:1\" }\n[[instrument]]",
    ),
    ("send_to = [\"engine\"]", "send_to = [\"engine\", \"archive\"]"),
];

/// A site with the old configuration, a new one in `new/`, and a capture.
struct Change {
    site: Site,
    capture: String,
}

impl Change {
    /// The new configuration is the old one with these texts replaced.
    fn new(replaced: &[(&str, &str)]) -> Self {
        let site = Site::new();
        let mut text = std::fs::read_to_string(&site.config).unwrap();
        for (from, to) in replaced {
            assert!(text.contains(from), "{from:?} is not in\n{text}");
            text = text.replacen(from, to, 1);
        }
        let new = site.folder.path().join("new");
        std::fs::create_dir(&new).unwrap();
        std::fs::write(new.join("orugate.toml"), text).unwrap();
        let capture = site.folder.path().join("run=1.astm");
        std::fs::write(&capture, CAPTURE).unwrap();
        let capture = capture.to_str().unwrap().to_owned();
        Self { site, capture }
    }

    /// With profiles of the site's, one beside the old configuration and one of the same name beside the new.
    fn of_profiles(old: &str, new: &str) -> Self {
        let change = Self::new(&[("\"sysmex-xn-l\"", "\"haem\"")]);
        let folder = change.site.folder.path();
        let text = std::fs::read_to_string(&change.site.config).unwrap();
        std::fs::write(&change.site.config, text.replace("\"sysmex-xn-l\"", "\"haem\"")).unwrap();
        for (folder, profile) in [(folder.to_owned(), old), (folder.join("new"), new)] {
            std::fs::create_dir(folder.join("profiles.d")).unwrap();
            std::fs::write(folder.join("profiles.d/haem.toml"), format!("{PROFILE}{profile}")).unwrap();
        }
        change
    }

    /// Another text in the new configuration.
    fn edit(&self, from: &str, to: &str) {
        let file = self.folder().join("new/orugate.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{from:?} is not in\n{text}");
        std::fs::write(file, text.replacen(from, to, 1)).unwrap();
    }

    fn folder(&self) -> &Path {
        self.site.folder.path()
    }

    fn check(&self, more: &[&str]) -> Ran {
        let (old, new) = (self.site.config.to_str().unwrap(), self.folder().join("new"));
        let new = new.to_str().unwrap();
        orugate(&[&["check", "--config", new, "--old", old, "--against", &self.capture], more].concat())
    }

    /// It differs, and nothing is left behind by saying so.
    fn differs(&self) -> Ran {
        let ran = self.check(&[]);
        ran.is(0);
        ran.says("1 of 1 capture would give something else.");
        self.check(&["--exit-code"]).is(1);
        for made in ["journal", "admin.sock"] {
            assert!(!self.folder().join(made).exists(), "a dry run has made {made}");
        }
        ran
    }
}

#[test]
fn the_same_gives_no_difference() {
    let change = Change::new(&[("version = 1", "# The same, said otherwise.\nversion = 1")]);
    let ran = change.check(&["--exit-code"]);
    ran.is(0);
    ran.says("haem-1, ");
    ran.says("engine: no difference in 2 observations");
    ran.says("No difference in 2 observations of 1 capture.");
    let full = change.check(&["--full"]);
    full.is(0);
    assert!(!full.out.lines().any(|line| line.starts_with(['+', '-'])), "{}", full.out);
    full.says(" SPM|1|T-0990|");
}

#[test]
fn a_profile_that_takes_the_sample_id_elsewhere() {
    let change = Change::of_profiles("", "[sample]\nid = [\"O.3\"]\n");
    let ran = change.differs();
    ran.says("sample id (SPM-2) changed in 2 of 2: T-0990 → TUBE-7");
    ran.hides("OBX-5");
    let full = change.check(&["--full"]);
    assert!(full.out.lines().any(|line| line.starts_with("-SPM|1|T-0990|")), "{}", full.out);
    assert!(full.out.lines().any(|line| line.starts_with("+SPM|1|TUBE-7|")), "{}", full.out);
}

#[test]
fn a_destination_that_hears_of_tests_no_longer() {
    let ran = Change::new(&[("mode = \"live\"", "mode = \"test\"")]).differs();
    ran.says("engine: no longer reached; 2 observations went there");
    ran.says("2 observations (WBC, RBC): sent → held, no-destination: ");
}

#[test]
fn test_mode_is_msh_11() {
    // The one destination before takes P, the one after T.
    let change = Change::new(&[
        ("role = \"lis\"", "role = \"lis\"\naccepts = \"T\""),
        ("mode = \"live\"", "mode = \"test\""),
    ]);
    change.differs().says("processing, P live or T test (MSH-11) changed in 2 of 2: P → T");
}

#[test]
fn a_destination_that_comes_or_goes() {
    let change = Change::new(&ARCHIVE);
    let ran = change.differs();
    ran.says("archive: newly reached; 2 observations go there");
    ran.says("engine: no difference in 2 observations");
    let (old, new) = (change.site.config.to_str().unwrap(), change.folder().join("new"));
    let back = orugate(&[
        "check",
        "--config",
        old,
        "--old",
        new.to_str().unwrap(),
        "--against",
        &format!("haem-1={}", change.capture),
    ]);
    back.is(0);
    back.says("archive: no longer reached; 2 observations went there");
    back.says("engine: no difference in 2 observations");
}

#[test]
fn a_charset_is_msh_18() {
    let change = Change::new(&[("role = \"lis\"", "role = \"lis\"\ncharset = \"8859/1\"")]);
    change.differs().says("charset (MSH-18) changed in 2 of 2: UNICODE UTF-8 → 8859/1");
}

#[test]
fn a_value_that_the_charset_does_not_have() {
    let charset = "charset = \"utf-8\"\n";
    let change = Change::of_profiles(charset, charset);
    change.edit("role = \"lis\"", "role = \"lis\"\ncharset = \"8859/1\"");
    std::fs::write(&change.capture, CAPTURE.replace("|6.1|", "|6.1 Ω|")).unwrap();
    let ran = change.differs();
    ran.says("waits for a person changed in 2 of 2: (empty) → yes, OBX-5 has a character that ISO-8859-1");
    // It is in UTF-8 then, and says so: nothing else differs.
    ran.hides("MSH-18");
}

#[test]
fn units_and_flags_that_a_profile_says() {
    let unit = "[[unit]]\nsent = \"10*3/uL\"\nucum = \"10*3/uL\"\n";
    let change =
        Change::of_profiles("", &format!("{unit}[[flag]]\ncode = \"H\"\nhl7 = \"HH\"\nmeaning = \"x\"\n"));
    let ran = change.differs();
    ran.says("unit (OBX-6) changed in 1 of 2: 10*3/uL^^99SYSMEX → 10*3/uL^^UCUM");
    ran.says("flags (OBX-8) changed in 1 of 2: H → HH");
    ran.hides("SPM-2");
}

#[test]
fn a_result_that_is_not_reportable_any_more() {
    let rule = "[[not_reportable]]\nvalue = \"4.52\"\nrule = \"a-rule\"\n";
    let ran = Change::of_profiles("", rule).differs();
    ran.says("1 observation (RBC): sent → not reportable by the rule a-rule");
    ran.says("engine: 2 observations went there, 1 would");
    ran.says("1 observation removed: RBC");
}

#[test]
fn without_an_old_one_the_orus_are_shown() {
    if Path::new("/etc/orugate/orugate.toml").exists() {
        eprintln!("skipped: this machine has a configuration installed, so there is an old one");
        return;
    }
    let change = Change::new(&[]);
    let ran = change.site.run(&["check", "--against", &change.capture]);
    ran.is(0);
    ran.says("There is nothing to compare with");
    ran.says("ORUs to engine:");
    ran.says("SPM|1|T-0990|");
    ran.says("2 observations of 1 capture, compared with nothing.");
}

#[test]
fn without_an_old_one_the_service_is_asked_what_it_runs_by() {
    if Path::new("/etc/orugate/orugate.toml").exists() {
        eprintln!("skipped: this machine has a configuration installed, whose service would be asked");
        return;
    }
    let change = Change::of_profiles("", "");
    change.site.run(&["journal", "init"]).is(0);
    let mut service = change.site.start();
    service.until("ready;");
    // Neither file is what the service has read.
    let profile = change.folder().join("profiles.d/haem.toml");
    std::fs::write(profile, format!("{PROFILE}[sample]\nid = [\"O.3\"]\n")).unwrap();
    let check = |change: &Change| change.site.run(&["check", "--against", &change.capture]);
    let ran = check(&change);
    ran.is(0);
    ran.says("Compared with what the service at ");
    ran.says("sample id (SPM-2) changed in 2 of 2: T-0990 → TUBE-7");
    change.site.run(&["reload"]).is(0);
    check(&change).says("No difference in 2 observations of 1 capture.");
    drop(service);
    check(&change).says("There is nothing to compare with: no service answers at ");
}

#[test]
fn an_instrument_of_one_of_the_two() {
    let change = Change::new(&[("name = \"haem-1\"", "name = \"haem-2\"")]);
    let capture = |name: &str| format!("{name}={}", change.capture);
    let ran = change.check(&[&capture("haem-2"), "--instrument", "haem-1"]);
    ran.is(0);
    ran.says("the new configuration does not have haem-1");
    ran.says("2 observations (WBC, RBC): observation removed, was sent");
    ran.says("engine: no longer reached; 2 observations went there");
    ran.says("the old configuration does not have haem-2");
    ran.says("2 observations (WBC, RBC): observation added, sent");
    ran.says("engine: newly reached; 2 observations go there");
    ran.says("2 of 2 captures would give something else.");
    // Nobody can tell of which instrument it is.
    let unsaid = change.check(&[]);
    unsaid.is(64);
    unsaid.says("There are: haem-2, haem-1.");
}

#[test]
fn the_manual_shows_what_is_printed() {
    let manual = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
    let manual = std::fs::read_to_string(manual).unwrap();
    let (_, section) = manual.split_once("## A dry run over captures").unwrap();
    let shown = section.split("```").nth(1).unwrap().trim();
    let new = "[[unit]]\nsent = \"10*3/uL\"\nucum = \"10*3/uL\"\n[sample]\nid = [\"O.3\"]\n";
    let change = Change::of_profiles("", new);
    ARCHIVE.iter().for_each(|(from, to)| change.edit(from, to));
    let printed = change.differs().out.replace(&change.capture, "morning.astm");
    assert!(printed.contains(shown), "the manual shows\n{shown}\nand it is\n{printed}");
}

#[test]
fn what_cannot_be_done_says_why() {
    let change = Change::new(&[]);
    let unknown = change.check(&["--instrument", "haem-9"]);
    unknown.is(64);
    unknown.says("There is no instrument haem-9. There are: haem-1.");
    let unknown = change.check(&["haem-9=/nonexistent"]);
    unknown.is(64);
    change.check(&["/nonexistent"]).is(74);
    let no_old = orugate(&[
        "check",
        "-c",
        change.site.config.to_str().unwrap(),
        "--old",
        "/nonexistent",
        "--against",
        "-",
    ]);
    no_old.is(78);
    no_old.hides("--config FILE");
    let nothing = change.folder().join("nothing");
    std::fs::write(&nothing, "").unwrap();
    let empty = change.check(&[nothing.to_str().unwrap()]);
    empty.is(65);
    empty.says("No message was found");
    empty.says("engine: no difference in 2 observations");
    std::fs::write(change.folder().join("new/orugate.toml"), "version = 2\n").unwrap();
    change.check(&[]).is(78);
    change.site.run(&["check", "--full"]).is(2);
    let config = change.site.config.to_str().unwrap();
    orugate_with(&["check", "-c", config, "--old", config, "--against", "-"], CAPTURE).is(0);
}
