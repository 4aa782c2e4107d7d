//! Profiles: every mistake is said with its line; codes and units are those of the table; the documented example works.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Rig, interpret, profile};
use orugate_driver::{Driver, Instrument};
use orugate_lines::LINES;
use orugate_protocol::mdc;

const LEAST: &str = r#"name = "x"
driver = "lines"
title = "X"
evidence = "manual"
feed = "bedside"
coding_system = "99X"
stale_after = "5 s"
[[line]]
pattern = "A={a} B={b:word} {_:rest}"
[[field]]
from = "a"
[[mark]]
from = "b"
is = "1"
marks = ["invalid"]
"#;

#[test]
fn mistakes_are_said_with_their_line() {
    assert!(LINES.profile(LEAST).is_ok(), "{:?}", LINES.profile(LEAST).err());
    for (from, to, said) in [
        ("99X", "LN", "line 6: `LN` is no local coding system"),
        ("stale_after = \"5 s\"\n", "", "line 5: feed = \"bedside\" needs stale_after"),
        ("5 s", "5", "line 7: `5` is no time"),
        ("title =", "titel =", "line 1: missing field `title`"),
        ("evidence", "unknown = 1\nevidence", "line 4: unknown field `unknown`"),
        ("{a}", "{a", "line 9: `{a B={b:word}`: a name has letters"),
        ("from = \"a\"", "from = \"c\"", "line 11: there is no `c` in any line"),
        ("from = \"b\"", "from = \"c\"", "line 13: there is no `c` in any line"),
        ("is = \"1\"\n", "", "line 12: a mark has one of bit, word, is and ends"),
        ("marks = [\"invalid\"]\n", "", "line 12: a mark says nothing"),
        ("invalid", "wrong", "line 15: unknown variant `wrong`"),
        (
            "[[field]]",
            "[[field]]\nfrom = \"b\"\ncode = \"a\"\n[[field]]",
            "line 12: the code `a` stands twice",
        ),
        ("is = \"1\"", "is = \"1\"\nfields = [\"q\"]", "line 12: a mark is about `q`"),
        ("[[line]]", "[frame]\nstart = \"<XX>\"\n[[line]]", "line 9: `<XX>` is no byte"),
        ("[[line]]", "[frame]\nend = \"\"\n[[line]]", "line 9: frame.end names no byte"),
        (
            "[[field]]",
            "time = { from = \"b\", format = \"%H\" }\n[[field]]",
            "line 10: `%H`: a time has a day",
        ),
        (
            "[[field]]",
            "keys = { of = \"q\", between = \" \", assign = \"=\" }\n[[field]]",
            "line 10: there is no part `q`",
        ),
        ("\"bedside\"", "\"results\"", "line 7: stale_after says nothing for results"),
        ("{_:rest}", "{c:rest}", "line 9: the part `c` is used by nothing"),
        ("lines", "astm", "line 2: driver is `astm`"),
    ] {
        let toml = LEAST.replacen(from, to, 1);
        assert_ne!(toml, LEAST, "{from}");
        let error = LINES.profile(&toml).err().unwrap_or_else(|| panic!("{to} is taken")).to_string();
        assert!(error.starts_with(said), "{to}: {error}");
    }
}

#[test]
fn every_code_is_in_the_table_of_mdc_and_takes_the_unit() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let table: toml::Table = text.parse().unwrap();
        if table.get("driver").and_then(toml::Value::as_str) != Some("lines") {
            continue;
        }
        assert!(LINES.profile(&text).is_ok(), "{path:?}: {:?}", LINES.profile(&text).err());
        seen += 1;
        if let Some(mds) =
            table.get("device").and_then(|device| device.get("mds")).and_then(toml::Value::as_integer)
        {
            assert!(mdc::term(u32::try_from(mds).unwrap()).is_some(), "{path:?}: {mds}");
        }
        for field in table.get("field").and_then(toml::Value::as_array).into_iter().flatten() {
            let number = |key: &str| {
                u32::try_from(field.get(key).and_then(toml::Value::as_integer).unwrap_or(0)).unwrap()
            };
            let text = field.get("unit").and_then(toml::Value::as_str).unwrap_or_default();
            let (code, unit) = (number("mdc"), number("unit_mdc"));
            if code != 0 {
                assert!(mdc::term(code).is_some_and(|term| term.takes(unit)), "{path:?}: {code} in {unit}");
            }
            if unit != 0 {
                let row = mdc::unit(unit).unwrap();
                assert!(
                    [&[row.ucum], row.also_ucum].concat().contains(&text),
                    "{path:?}: {text} is {}",
                    row.ucum
                );
            }
        }
    }
    assert_eq!(seen, 6);
}

/// What stands in a code block of the document behind a line that says so.
fn block<'d>(document: &'d str, kind: &str) -> &'d str {
    let (_, rest) = document.split_once(&format!("```{kind}\n")).unwrap_or_else(|| panic!("no block {kind}"));
    rest.split_once("```").unwrap().0
}

#[test]
fn the_example_of_the_document_works() {
    let document = include_str!("../../../docs/lines.md");
    let profile = profile(block(document, "toml"));
    let mut rig = Rig::new(profile.session(&Instrument::default()));
    rig.bytes(&profile.example_bytes(block(document, "text capture")));
    let dump = interpret(&*profile.interpreter(), &rig.snapshot());
    assert_eq!(dump.text, block(document, "text measurements"));
    assert_eq!(rig.sent, b"?V\r");
    assert!(rig.notes.is_empty(), "{:?}", rig.notes);
}
