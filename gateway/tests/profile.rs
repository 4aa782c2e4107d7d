//! A site's profiles as a person meets them: found beside the configuration, shown, checked, kept from going live
//! before anybody has compared anything.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

// Other tests use the rest of it.
#[allow(dead_code)]
mod common;

use common::{Site, orugate, orugate_with};
use std::path::PathBuf;

const CHANGE: &str = r#"extends = "sysmex-xn-l"
name = "haematology-east"
title = "An XN-550 with its ids in O.3"
evidence = "described"

[sample]
id = ["O.3"]

[[example]]
shows = "An id in O.3"
input = '''
H|\^&|||    XN-550^00-24^00001^^^^TT000001||||||||E1394-97
P|1
O|1|T-0001|^^^B|^^^^WBC|||||||N||||||||||||||F
R|1|^^^^WBC^1|8.13|10*3/uL||N||F||||20261122093407
L|1|N
'''
expect = ""
"#;

/// The site's profile file, and the configuration's instrument set to it.
fn east(site: &Site, mode: &str) -> PathBuf {
    let folder = site.folder.path().join("profiles.d");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("east.toml");
    std::fs::write(&file, CHANGE).unwrap();
    let text = std::fs::read_to_string(&site.config).unwrap();
    let text = text
        .replace("profile = \"sysmex-xn-l\"", "profile = \"haematology-east\"")
        .replace("mode = \"live\"", &format!("mode = \"{mode}\""));
    std::fs::write(&site.config, text).unwrap();
    file
}

#[test]
fn a_profile_beside_the_configuration_is_used() {
    let site = Site::new();
    let file = east(&site, "test");
    let checked = site.run(&["check"]);
    checked.is(0);
    checked.says("profile haematology-east (evidence: described)");
    let listed = site.run(&["profiles"]);
    listed.is(0);
    listed.says("haematology-east   An XN-550 with its ids in O.3 (driver astm, evidence: described, extends sysmex-xn-l, ");
    listed.says("generic-astm       Any analyzer that speaks");
    // The folder of the configuration names it too.
    let folder = site.folder.path().to_str().unwrap();
    orugate(&["profiles", "--config", folder]).says("haematology-east");
    let shown = site.run(&["profile", "show", "haematology-east"]);
    shown.is(0);
    let effective: toml::Table = shown.out.parse().unwrap();
    assert_eq!(effective["code"]["id"].as_integer(), Some(5));
    assert_eq!(effective["sample"]["id"][0].as_str(), Some("O.3"));

    // The file is read as a profile anywhere, by replay too.
    let capture = site.folder.path().join("capture.txt");
    std::fs::write(&capture, "H|\\^&\nP|1\nO|1|T-0009|^^^B\nR|1|^^^^WBC^1|8.13|10*3/uL||N||F\nL|1|N\n")
        .unwrap();
    for name in ["haematology-east", file.to_str().unwrap()] {
        let replayed = site.run(&["replay", "--profile", name, capture.to_str().unwrap()]);
        replayed.is(0);
        replayed.says("SPM|1|T-0009");
    }
    site.run(&["replay", "--profile", "none", capture.to_str().unwrap()]).is(64);
    site.run(&["replay", "--profile", "none.toml", capture.to_str().unwrap()]).is(64);
}

#[test]
fn a_profile_that_is_only_described_is_said_to_be_held_in_live_mode() {
    let site = Site::new();
    east(&site, "live");
    let warned = site.run(&["check"]);
    warned.is(0);
    warned.says("instrument \"haem-1\": mode: \"live\", and profile \"haematology-east\" is only described");
    warned.says("Write mode = \"test\", then: orugate verify session");
    let (file, text) =
        (site.folder.path().join("profiles.d/east.toml"), CHANGE.replace("described", "manual"));
    std::fs::write(file, text).unwrap();
    let proven = site.run(&["check"]);
    proven.is(0);
    proven.hides("only described");
}

#[test]
fn a_wrong_profile_is_told_at_its_line_even_when_nobody_uses_it() {
    let site = Site::new();
    let file = east(&site, "test");
    std::fs::write(
        &file,
        CHANGE.replace("id = [", "idd = [").replace("[sample]", "framing = \"none\"\n[sample]"),
    )
    .unwrap();
    for command in [&["check"][..], &["run"]] {
        let checked = site.run(command);
        checked.is(78);
        checked.says("profiles.d/east.toml:6: framing: \"none\" is not known; allowed are");
        checked.says("profiles.d/east.toml:8: sample.idd: unknown key; allowed are");
        checked.says("2 mistakes; nothing was opened");
    }
    let checked = orugate(&["profile", "check", file.to_str().unwrap()]);
    checked.is(78);
    checked.says("east.toml:8: sample.idd");
    // Another profile's capture is read all the same.
    let capture = site.folder.path().join("capture.txt");
    std::fs::write(&capture, "H|\\^&\nP|1\nO|1|T-0009\nR|1|^^^GLU|5.4\nL|1\n").unwrap();
    site.run(&["replay", "--profile", "generic-astm", capture.to_str().unwrap()]).is(0);
}

#[test]
fn check_shows_what_came_and_bless_writes_it() {
    let site = Site::new();
    let file = east(&site, "test");
    let file = file.to_str().unwrap();
    let first = orugate(&["profile", "check", file]);
    first.is(1);
    first.says("example 1, \"An id in O.3\":");
    first.says("+OBX|1|NM|WBC^^99SYSMEX||8.13|10*3/uL^^99SYSMEX||N|||F");
    first.says("orugate profile check --bless");
    orugate(&["profile", "check", "--bless", file]).is(0);
    let again = orugate(&["profile", "check", file]);
    again.is(0);
    again.says("All of its examples (1) give what they say.");
    orugate(&["profile", "check", "/nonexistent.toml"]).is(74);
}

#[test]
fn the_schema_is_json() {
    let schema = orugate(&["profile", "schema"]);
    schema.is(0);
    let schema: serde_json::Value = serde_json::from_str(&schema.out).unwrap();
    assert!(schema["properties"]["sample"].is_object());
    let unknown = orugate(&["profile", "schema", "--driver", "telex"]);
    unknown.is(64);
    unknown.says("There are: astm");
}

/// An invented analyzer's invented patient.
const CAPTURE: &str = "H|\\^&|||NOVUS 9^^NV-004711||||||||LIS2-A2|20261122093000\nP|1||||INVENTED^PERSON||19700101|F\n\
    O|1|0045^ 7781234      ||^^^CRP|R\nR|1|^^^CRP|5,4|mg/L|0 to 5|H||F||NURSE7||20261122092913\nL|1|N\n";

#[test]
fn a_new_profile_is_drafted_checked_and_used() {
    let site = Site::new();
    let capture = site.folder.path().join("capture.txt");
    std::fs::write(&capture, CAPTURE).unwrap();
    let folder = site.folder.path().join("profiles.d");
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("novus-9.toml");
    let (from, out) = (capture.to_str().unwrap(), file.to_str().unwrap());
    let made = site.run(&["profile", "new", "--from", from, "--out", out]);
    made.is(0);
    made.says("The sample id is taken from O.3.2");
    made.says("Is it the decimal comma");
    made.says("orugate profile check");
    let text = std::fs::read_to_string(&file).unwrap();
    for secret in ["INVENTED", "PERSON", "19700101", "7781234", "NURSE7", "004711"] {
        made.hides(secret);
        assert!(!text.contains(secret), "{secret}");
    }
    for line in ["name = \"novus-9\"", "evidence = \"described\"", "id = [\"O.3.2\"]", "decimal_comma = true"]
    {
        assert!(text.lines().any(|l| l == line), "{line}:\n{text}");
    }
    let checked = site.run(&["profile", "check", out]);
    checked.is(0);
    checked.says("All of its examples (1) give what they say.");
    checked.says("questions are still in it: look for TODO(you)");
    let replayed = site.run(&["replay", "--profile", "novus-9", from]);
    replayed.is(0);
    replayed.says("SPM|1|7781234");
    replayed.says("OBX|1|NM|CRP^^99NOVUS9||5.4|mg/L^^99NOVUS9");
    // What a person wrote is never overwritten, and a shipped name is never shadowed.
    site.run(&["profile", "new", "--from", from, "--out", out, "--name", "novus-x"]).is(74);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    site.run(&["profile", "new", "--from", from, "--name", "generic-astm"]).is(1);
    site.run(&["profile", "new", "--from", from, "--name", "Not Good"]).is(64);
    // Without a file it is standard output, from several captures, one of them standard input.
    let printed = orugate_with(&["profile", "new", "--from", "-", from, "--name", "other"], CAPTURE);
    printed.is(0);
    printed.says("2 captures were read: 2 messages");
    assert!(printed.out.parse::<toml::Table>().is_ok());
}

#[test]
fn what_no_driver_reads_is_told_by_its_looks() {
    for (input, says) in [
        ("MSH|^~\\&|LAB|X\r", "It looks like HL7 v2"),
        ("<?xml version=\"1.0\"?><HEL.R01/>", "It looks like POCT1-A"),
        ("GLUCOSE 5.4\n", "It looks like plain text"),
        ("", "The input is empty"),
    ] {
        let tried = orugate_with(&["profile", "new", "--from", "-"], input);
        tried.is(65);
        tried.says("The driver astm cannot read this: no LIS02 header record");
        tried.says(says);
    }
}
