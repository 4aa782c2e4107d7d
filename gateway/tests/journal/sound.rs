//! A journal that is as it should be.

use crate::common::orugate;
use crate::story::{PATIENT, SAMPLE};
use crate::{Copy, snapshot};
use serde_json::Value;

#[test]
fn a_sound_journal_is_called_so_and_nothing_is_changed() {
    let copy = Copy::new();
    let before = snapshot(copy.path());
    let verified = copy.run(&["verify"]);
    verified.is(0);
    verified.says("is sound: ");
    verified.says("It was written from 2026-11-25T06:");
    verified.says("1 commit does not count: the disk failed");
    verified.says("that this version does not know");
    verified.hides(PATIENT);
    for command in [&["list"][..], &["stats"], &["show", &copy.story.held.to_string()], &["export", "-"]] {
        copy.run(command).is(0);
    }
    assert!(before == snapshot(copy.path()), "a file was changed");
    let json: Value = serde_json::from_str(&copy.run(&["verify", "--json"]).out).unwrap();
    assert_eq!(json["sound"], true);
    assert_eq!(json["void_commits"], 1);
}

#[test]
fn a_list_says_what_became_of_each_message() {
    let copy = Copy::new();
    let list = copy.run(&["list"]);
    list.is(0);
    let line = |number: u64| {
        let line = list.out.lines().find(|line| line.starts_with(&number.to_string()));
        line.unwrap_or_else(|| panic!("no {number} in\n{}", list.out)).to_owned()
    };
    let story = &copy.story;
    assert!(
        line(story.held).contains("haem-1") && line(story.held).contains("complete"),
        "{}",
        line(story.held)
    );
    assert!(line(story.held).ends_with("1 result HELD (no-sample-id)"), "{}", line(story.held));
    assert!(line(story.parked).ends_with("1 ORU PARKED for engine"), "{}", line(story.parked));
    assert!(line(story.waiting).ends_with("waits to be interpreted"), "{}", line(story.waiting));
    let delivered = story.delivered[9].message;
    assert!(
        line(delivered).ends_with("1 ORU acknowledged by engine (AA), 1 QC, 1 not reportable"),
        "{}",
        line(delivered)
    );
    // Released and told twice: only the second counts.
    assert!(list.out.contains("1 ORU acknowledged by engine (AA), 1 sent before\n"), "{}", list.out);
    assert!(list.out.contains("INCOMPLETE"), "{}", list.out);
    list.hides(PATIENT);
    list.hides(SAMPLE);

    let only = |arguments: &[&str]| {
        let ran = copy.run(&[&["list"], arguments].concat());
        ran.is(0);
        ran.out
    };
    let numbers = |text: &str| text.lines().map(|line| line[..16].parse().unwrap()).collect::<Vec<u64>>();
    assert_eq!(numbers(&only(&["--state", "held"])), [story.held]);
    assert_eq!(numbers(&only(&["--state", "parked"])), [story.parked]);
    assert!(numbers(&only(&["--state", "waiting"])).contains(&story.waiting));
    assert!(numbers(&only(&["--state", "delivered"])).contains(&delivered));
    assert!(only(&["--instrument", "chem-2"]).lines().all(|line| line.contains("chem-2")));
    assert!(only(&["--instrument", "nobody"]).starts_with("No such message"));
    assert_eq!(only(&["--since", "2026-11-25T06:00:00Z"]), list.out);
    assert!(only(&["--since", "2026-11-26"]).starts_with("No such message"));
    copy.run(&["list", "--since", "yesterday"]).is(2);

    let json = crate::records(&only(&["--json", "--state", "parked"]));
    assert_eq!(json[0]["message"], story.parked);
    assert_eq!(json[0]["state"], "parked");
    assert_eq!(json[0]["orus"][0]["number"], story.parked_oru);
    assert_eq!(json[0]["orus"][0]["detail"], "AR again");
}

#[test]
fn show_tells_all_about_a_message_and_keeps_patients_from_pipes() {
    let copy = Copy::new();
    let story = &copy.story;
    let shown = copy.run(&["show", &story.held.to_string()]);
    shown.is(0);
    shown.says("from haem-1: 1 result HELD (no-sample-id)");
    shown.says("a copy, its first place was given back");
    shown.says("observation 0: WBC");
    shown.says("is shown on a terminal only");
    shown.hides(PATIENT);
    shown.hides(SAMPLE);
    assert_eq!(shown.out.matches(&format!("chunk {} ", story.held)).count(), 1, "{}", shown.out);

    // By the number of its ORU, and by MSH-10.
    for asked in [story.parked_oru.to_string(), format!("TEST{:016}", story.parked_oru)] {
        let shown = copy.run(&["show", &asked]);
        shown.is(0);
        shown.says(&format!("Message {} from chem-2: 1 ORU PARKED for engine.", story.parked));
        shown.says("by version 0.1.0, profile sysmex-xn-l (0f0f), configuration c0c0");
        shown.says("observation 0: sent as final, filler number 1");
        shown.says("parked: AR, 207 application internal error");
        shown.says("to be sent again, by uid 1000");
        shown.hides(PATIENT);
    }
    copy.run(&["show", "7"]).is(1);

    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("message");
    let raw = raw.to_str().unwrap();
    copy.run(&["show", &story.held.to_string(), "--raw", raw]).is(0);
    let bytes = std::fs::read_to_string(raw).unwrap();
    assert!(bytes.starts_with("H|") && bytes.contains(SAMPLE) && bytes.ends_with("L|1|N\r"), "{bytes:?}");
    // Never over another file.
    copy.run(&["show", &story.held.to_string(), "--raw", raw]).is(74);
}

#[test]
fn show_tells_patients_data_on_a_terminal() {
    let Some(python) = std::env::var_os("ORUGATE_PYTHON") else { return };
    let copy = Copy::new();
    let spawn = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let ran = std::process::Command::new(python)
        .args(["-c", spawn, env!("CARGO_BIN_EXE_orugate"), "journal", "show"])
        .args([&copy.story.held.to_string(), "--path", copy.path().to_str().unwrap()])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let out = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{out}");
    assert!(out.contains(PATIENT) && out.contains(SAMPLE) && out.contains("L|1|N<CR>"), "{out}");
    assert!(!out.contains("on a terminal only"), "{out}");
}

#[test]
fn what_is_exported_can_be_replayed() {
    let copy = Copy::new();
    let folder = tempfile::tempdir().unwrap();
    let to = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::create_dir(to("raw")).unwrap();
    copy.run(&["export", "--raw", &to("raw"), "--state", "held"]).is(0);
    let file = format!("{}/{}-haem-1.raw", to("raw"), copy.story.held);
    let replayed = orugate(&["replay", "--profile", "sysmex-xn-l", &file]);
    replayed.is(0);
    replayed.says("1 message");
    replayed.says(SAMPLE);
    assert_eq!(std::fs::read_dir(to("raw")).unwrap().count(), 1);

    let all = copy.run(&["export", "--raw", &to("all")]);
    all.is(0);
    all.says("They hold patients' data.");
    let list = crate::records(&copy.run(&["list", "--json"]).out);
    let with_bytes = list.iter().filter(|message| message["chunks"] != 0).count();
    all.says(&format!("{with_bytes} messages in "));
    assert_eq!(std::fs::read_to_string(to("all")).unwrap().matches("L|1|N").count(), with_bytes);

    std::fs::create_dir(to("orus")).unwrap();
    copy.run(&["export", "--oru", &to("orus"), "--state", "parked"]).is(0);
    let oru =
        std::fs::read_to_string(format!("{}/{}-engine.hl7", to("orus"), copy.story.parked_oru)).unwrap();
    assert!(oru.starts_with("MSH|") && oru.contains(PATIENT), "{oru}");
    copy.run(&["export", "--oru", &to("framed")]).is(0);
    assert!(std::fs::read(to("framed")).unwrap().starts_with(b"\x0BMSH|"));
    copy.run(&["export", "--oru", &to("framed")]).is(64);
    copy.run(&["export", "--oru", "--raw", &to("both")]).is(2);

    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(to("framed")).unwrap().permissions().mode() & 0o777, 0o600);
    let records = copy.records();
    assert!(records.iter().any(|record| record["name"] == "given-back"), "no segment was given back");
    assert!(records.iter().any(|record| record["name"] == "checkpoint"));
    assert!(records.iter().any(|record| record["void"] == true));
    assert!(
        records
            .iter()
            .any(|record| record["kind"] == 4242 && record["payload"] == hex(b"of a newer version"))
    );
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn stats_add_up() {
    let copy = Copy::new();
    let text = copy.run(&["stats"]);
    text.is(0);
    for what in ["chunk", "unknown (4242)", "checkpoint", "given-back", "results", "snapshots", "2026-11-25"]
    {
        text.says(what);
    }
    let json: Value = serde_json::from_str(&copy.run(&["stats", "--json"]).out).unwrap();
    let sum = |value: &Value, field: &str| -> u64 {
        let values = value
            .as_array()
            .map_or_else(|| value.as_object().unwrap().values().collect(), |a| a.iter().collect::<Vec<_>>());
        values.iter().map(|part| part[field].as_u64().unwrap()).sum()
    };
    let number = |field: &str| json[field].as_u64().unwrap();
    let written = sum(&json["lanes"], "written");
    assert_eq!(
        written,
        number("content") + number("headers") + number("sealing") + number("filling") + number("void")
    );
    assert_eq!(number("content"), sum(&json["kinds"], "meta") + sum(&json["kinds"], "payload"));
    let days = json["bytes_per_day"].as_object().unwrap();
    assert_eq!(days.values().map(|bytes| bytes.as_u64().unwrap()).sum::<u64>(), written);
    assert_eq!(number("sealing"), 0);
    assert!(written > 0 && json["segments"].as_array().unwrap().len() > 3);
}
