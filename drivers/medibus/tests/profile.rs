//! Profiles: every mistake is said with its line; the schema and the reader agree.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod common;

use common::{EVITA, GENERIC, LEAST, V500};
use orugate_driver::{Driver, Feed};
use orugate_medibus::MEDIBUS;
use orugate_medibus::profile::MedibusProfile;
use std::time::Duration;

#[test]
fn mistakes_are_said_with_their_line() {
    assert!(MEDIBUS.profile(LEAST).is_ok());
    let many: String = (0..126).map(|_| "\"EB\",").collect();
    for (more, said) in [
        ("typo = 1", "line 6: unknown field `typo`"),
        ("coding_system = \"LN\"", "line 6: `LN` is no local coding system"),
        ("dialect = \"x\"", "line 6: unknown variant `x`"),
        ("poll = [\"30\"]", "line 6: `30` asks for nothing; allowed are 23 to 2E"),
        ("poll = [\"2\"]", "line 6: `2` asks for nothing"),
        ("poll = []", "line 6: poll has 0 commands"),
        ("poll = [\"24\", \"24\"]", "line 6: poll asks for 24 twice"),
        ("cycle = \"5\"", "line 6: `5` is no time; write \"15 s\""),
        ("cycle = \"16 s\"", "line 5: stale_after is less than three times cycle"),
        ("[[configure]]\nof = \"25\"\ncodes = []", "line 7: configure.of is 25"),
        ("[[configure]]\nof = \"28\"\ncodes = []", "line 7: configure.of is 28"),
        ("[[configure]]\nof = \"24\"\ncodes = [\"E\"]", "line 8: `E` is no code"),
        (&format!("[[configure]]\nof = \"24\"\ncodes = [{many}]"), "line 8: configure.codes has 126 codes"),
    ] {
        let toml = format!("{LEAST}{more}\n");
        let error = MEDIBUS.profile(&toml).err().unwrap_or_else(|| panic!("{more} is taken")).to_string();
        assert!(error.starts_with(said), "{more}: {error}");
    }
    let other = LEAST.replace("\"medibus\"", "\"astm\"");
    let error = MEDIBUS.profile(&other).err().unwrap().to_string();
    assert_eq!(error, "line 2: driver is `astm`, but this is a profile of `medibus`");
}

#[test]
fn the_schema_knows_every_key_of_the_shipped_profiles() {
    let schema = schemars::schema_for!(MedibusProfile);
    let properties = schema.get("properties").and_then(|p| p.as_object()).unwrap();
    for text in [GENERIC, EVITA, V500] {
        let table: toml::Table = text.parse().unwrap();
        for key in table.keys() {
            assert!(properties.contains_key(key), "{key}");
        }
    }
    assert_eq!(properties["cycle"]["default"], "5000 ms");
}

#[test]
fn a_profile_is_read_once_and_feeds_snapshots() {
    let first = MEDIBUS.profile(LEAST).unwrap();
    let again = MEDIBUS.profile(LEAST).unwrap();
    assert!(std::ptr::eq(first.common(), again.common()));
    assert_eq!(first.feed(), Feed::Bedside { stale_after: Duration::from_secs(45) });
    // What only interpreters need makes no other wire.
    let other = MEDIBUS.profile(&LEAST.replace("45 s", "60 s")).unwrap();
    assert_eq!(first.link(), other.link());
    let other = MEDIBUS.profile(&format!("{LEAST}cycle = \"6 s\"\n")).unwrap();
    assert_ne!(first.link(), other.link());
    assert!(MEDIBUS.draft("x", &[]).is_err());
}

#[test]
fn the_documentation_has_every_line_that_is_known() {
    let docs = include_str!("../../../docs/medibus.md");
    for device in orugate_medibus::devices() {
        let row = docs.lines().find(|row| row.starts_with('|') && row.contains(device.id));
        assert_eq!(row.is_some(), !device.line.is_empty(), "{}", device.model);
        let line = device.line.split(';').all(|part| row.is_some_and(|row| row.contains(part.trim())));
        assert!(device.line.is_empty() || line, "{}: {:?}", device.model, row);
    }
}
