//! A site's profiles as a person meets them: found beside the configuration, shown, checked, kept from going live
//! before anybody has compared anything.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

// Other tests use the rest of it.
#[allow(dead_code)]
mod common;

use common::{Site, orugate};
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
fn a_profile_that_is_only_described_does_not_go_live() {
    let site = Site::new();
    east(&site, "live");
    for command in ["check", "run"] {
        let refused = site.run(&[command]);
        refused.is(78);
        refused.says(
            "instrument \"haem-1\": mode: \"live\", and profile \"haematology-east\" is only described",
        );
        refused.says("Write mode = \"test\"");
    }
    let (file, text) =
        (site.folder.path().join("profiles.d/east.toml"), CHANGE.replace("described", "manual"));
    std::fs::write(file, text).unwrap();
    site.run(&["check"]).is(0);
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
