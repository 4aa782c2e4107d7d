//! Captures as a person meets them: listed, taken out, replayed, made into examples, beside the service and in a copy.
//!
//! Promises that no person is in an export, that what was on the line comes back from it, and that who takes out more is
//! written down. Waits only for lines and exits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, dead_code)] // `common` has more than these tests need.

mod common;

use common::{Engine, Ran, Site, orugate};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const RECORDS: [&str; 6] = [
    "H|\\^&|||XN-550^00-01^11001^^^^TEST01|||||||P|E1394-97|20261123040000",
    "P|1||PAT-9917||WARBECK^QUENTIN||19540131|M",
    "O|1||^^             SAMPLE-7781^B|^^^^WBC|R||||||N||||||||||||||F",
    "R|1|^^^^WBC^1|6.1|10*3/uL||N||F||||20261123040000",
    "C|1|I|Warbeck called|G",
    "L|1|N",
];
const PERSONS: [&str; 6] = ["WARBECK", "QUENTIN", "Warbeck", "PAT-9917", "SAMPLE-7781", "19540131"];

/// Sends a message over the site's wire, each frame when the one before was acknowledged.
fn send(site: &Site) {
    let mut line = TcpStream::connect(&site.address).unwrap();
    let mut say = |bytes: &[u8], answer: bool| {
        line.write_all(bytes).unwrap();
        if answer {
            let mut byte = [0];
            line.read_exact(&mut byte).unwrap();
            assert_eq!(byte, [6]);
        }
    };
    say(b"\x05", true);
    for (number, record) in (1..).zip(RECORDS) {
        let body = format!("{}{record}\r\x03", number % 8);
        let sum = body.bytes().fold(0u8, u8::wrapping_add);
        say(format!("\x02{body}{sum:02X}\r\n").as_bytes(), true);
    }
    say(b"\x04", false);
}

/// A site whose line said something, and whose service has stopped.
fn captured() -> (Site, Engine) {
    let site = Site::new();
    site.run(&["journal", "init"]).is(0);
    let engine = Engine::start(&site.engine);
    let mut service = site.start();
    service.until("ready;");
    send(&site);
    assert!(engine.next().contains("6.1"));
    // What waits is written when it stops.
    let _ = service.stop();
    (site, engine)
}

fn export(site: &Site, more: &[&str]) -> Ran {
    site.run(&[&["capture", "export", "haem-1"], more].concat())
}

fn file(site: &Site, name: &str) -> PathBuf {
    site.folder.path().join(name)
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn no_person_is_in_an_export_and_it_replays_as_the_line_did() {
    let (site, _engine) = captured();
    let listed = site.run(&["capture", "list"]);
    listed.is(0);
    listed.says("haem-1");
    PERSONS.iter().for_each(|person| listed.hides(person));

    let exported = export(&site, &[]);
    exported.is(0);
    PERSONS.iter().for_each(|person| exported.hides(person));
    for line in [
        "# orugate capture 1\n",
        " opened 127.0.0.1\n",
        " in <ENQ>\n",
        " out <ACK>\n",
        "|6.1|10*3/uL||N|",
        " in <EOT>\n",
        " closed ",
        "SERIAL",
    ] {
        if line == "SERIAL" {
            exported.hides("TEST01");
        } else {
            exported.says(line);
        }
    }
    let path = file(&site, "scrubbed.capture");
    export(&site, &["--out", path.to_str().unwrap()]).is(0);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let replayed = orugate(&["replay", "-p", "sysmex-xn-l", path.to_str().unwrap()]);
    replayed.is(0);
    replayed.says("message 1 of 20");
    replayed.says("1 message, 1 observation: 1 in 1 ORU, 0 held, 0 qc, 0 not reportable");
    PERSONS.iter().for_each(|person| replayed.hides(person));

    // A file that is there is left alone, and a time in which nothing was is said.
    export(&site, &["--out", path.to_str().unwrap()]).is(64);
    let nothing = export(&site, &["--to", "2026-01-01"]);
    nothing.is(65);
    nothing.says("capture list");
    let unknown = site.run(&["capture", "export", "haem-9"]);
    unknown.is(65);
    unknown.says("haem-1");
    let drafted = orugate(&["profile", "new", "--from", path.to_str().unwrap()]);
    drafted.is(0);
    drafted.says("[sample]");
}

#[test]
fn with_persons_in_it_it_goes_to_its_owner_only_and_is_written_down() {
    let (site, _engine) = captured();
    let path = file(&site, "private.capture");
    let to = path.to_str().unwrap();
    export(&site, &["--private", "--out", to]).is(2);
    let on_a_pipe = export(&site, &["--private", "--reason", "fault 17"]);
    on_a_pipe.is(64);
    on_a_pipe.hides("WARBECK");
    assert!(!path.exists());
    export(&site, &["--private", "--reason", " ", "--out", to]).is(64);

    // Where no service runs, the command writes it down itself.
    export(&site, &["--private", "--reason", "fault 17", "--out", to]).is(0);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let private = text(&path);
    assert!(PERSONS.iter().all(|person| private.contains(person)), "{private}");
    let replayed = orugate(&["replay", "-p", "sysmex-xn-l", to]);
    replayed.says("1 message, 1 observation: 1 in 1 ORU");
    replayed.says("SAMPLE-7781");

    // With a service, that does.
    let mut service = site.start();
    service.until("ready;");
    let second = file(&site, "second.capture");
    export(&site, &["--private", "--reason", "fault 18", "--out", second.to_str().unwrap()]).is(0);
    let _ = service.stop();
    let records = site.run(&["journal", "export", "-"]);
    for reason in ["fault 17", "fault 18"] {
        let line = records.out.lines().find(|line| line.contains(reason)).expect(reason);
        assert!(line.contains("capture-exported") && line.contains("uid "), "{line}");
    }
    site.run(&["journal", "verify"]).is(0);
}

#[test]
fn an_export_becomes_an_example_that_a_profile_keeps() {
    let (site, _engine) = captured();
    let private = file(&site, "private.capture");
    export(&site, &["--private", "--reason", "an example", "--out", private.to_str().unwrap()]).is(0);
    let profile = file(&site, "our-xn.toml");
    std::fs::write(
        &profile,
        "name = \"our-xn\"\nextends = \"sysmex-xn-l\"\ntitle = \"Ours\"\nevidence = \"captured-bytes\"\n",
    )
    .unwrap();
    let name = profile.to_str().unwrap();
    let whole = orugate(&["capture", "to-example", private.to_str().unwrap(), "-p", name]);
    whole.is(0);
    whole.says("scrubbed");
    PERSONS.iter().for_each(|person| whole.hides(person));
    let one = orugate(&["capture", "to-example", private.to_str().unwrap(), "-p", name, "--message", "1"]);
    one.is(0);
    one.hides("<ENQ>");
    orugate(&["capture", "to-example", private.to_str().unwrap(), "-p", name, "--message", "2"]).is(65);
    let with_examples = format!("{}{}{}", text(&profile), whole.out, one.out);
    std::fs::write(&profile, with_examples).unwrap();
    let checked = orugate(&["profile", "check", name]);
    checked.is(0);
    checked.says("All of its examples (2) give what they say.");
    let no_export = file(&site, "records.txt");
    std::fs::write(&no_export, RECORDS.join("\n")).unwrap();
    orugate(&["capture", "to-example", no_export.to_str().unwrap(), "-p", name]).is(65);
}

#[test]
fn it_is_seen_beside_the_service_in_a_copy_and_by_no_other_reader() {
    let (site, _engine) = captured();
    let mut service = site.start();
    service.until("ready;");
    let beside = export(&site, &[]);
    beside.is(0);
    beside.says(" in <ENQ>");
    // A line is said while it runs, and written at the stop.
    send(&site);
    let status = site.run(&["status"]);
    status.says("Captured: 1 line");
    let _ = service.stop();
    let after = export(&site, &[]);
    assert_eq!(after.out.matches(" in <ENQ>").count(), 2, "{}", after.out);
    assert_eq!(after.out.matches(" port begins").count(), 2);

    let journal = site.folder.path().join("journal");
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(&journal).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let at = copy.path().to_str().unwrap();
    let copied = orugate(&["capture", "export", "haem-1", "--path", at, "--profile", "sysmex-xn-l"]);
    copied.is(0);
    let lines =
        |ran: &Ran| ran.out.lines().filter(|l| !l.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&copied), lines(&after));
    // Without a profile nothing of it can be told, so nothing of it is given out.
    let unknown = orugate(&["capture", "export", "haem-1", "--path", at, "--config", "/nowhere.toml"]);
    unknown.is(0);
    unknown.says("replaced by rule");
    unknown.says("xxxxxxx^xxxxxxx");
    PERSONS.iter().for_each(|person| unknown.hides(person));

    orugate(&["journal", "verify", "--path", at]).is(0);
    if let Some(python) = std::env::var_os("ORUGATE_PYTHON") {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/python/journal_reader.py");
        let ran = Command::new(python).arg(script).arg(copy.path()).output().unwrap();
        assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    }
}

#[test]
fn a_sealed_journal_seals_its_captures() {
    let site = Site::new();
    let key = file(&site, "key");
    orugate(&["journal", "new-key", key.to_str().unwrap()]).is(0);
    let config = text(&site.config)
        .replace("/journal\"\n", &format!("/journal\"\nseal = {{ key = {:?} }}\n", key.to_str().unwrap()));
    std::fs::write(&site.config, config).unwrap();
    site.run(&["journal", "init"]).is(0);
    let engine = Engine::start(&site.engine);
    let mut service = site.start();
    service.until("ready;");
    send(&site);
    let _ = engine.next();
    let _ = service.stop();
    let journal = site.folder.path().join("journal");
    let mut rings = 0;
    for entry in std::fs::read_dir(&journal).unwrap() {
        let path = entry.unwrap().path();
        rings += usize::from(path.extension().is_some_and(|extension| extension == "ring"));
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"WARBECK"), "{}", path.display());
    }
    assert_eq!(rings, 1);
    export(&site, &[]).says(" in <ENQ>");
    let at = journal.to_str().unwrap();
    let refused = orugate(&["capture", "export", "haem-1", "--path", at, "--config", "/nowhere.toml"]);
    refused.is(74);
    refused.says("sealed");
    orugate(&["capture", "list", "--path", at, "--key", key.to_str().unwrap(), "--config", "/nowhere.toml"])
        .is(0);
}

#[test]
fn a_line_that_is_not_captured_is_not() {
    let site = Site::new();
    let config =
        text(&site.config).replace("send_to = [\"engine\"]\n", "send_to = [\"engine\"]\ncapture = false\n");
    std::fs::write(&site.config, config).unwrap();
    site.run(&["check"]).says("its line is not captured");
    site.run(&["journal", "init"]).is(0);
    let engine = Engine::start(&site.engine);
    let mut service = site.start();
    service.until("ready;");
    send(&site);
    let _ = engine.next();
    let _ = service.stop();
    let listed = site.run(&["capture", "list"]);
    listed.is(0);
    listed.says("Nothing is captured");
}
