//! Profiles: every mistake is said with its line; the schema and the reader agree.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod common;

use common::{COBAS, GENERIC, XN, YUMIZEN};
use orugate_astm::ASTM;
use orugate_astm::profile::AstmProfile;
use orugate_driver::Driver;

const LEAST: &str = r#"name = "x"
driver = "astm"
title = "X"
evidence = "manual"
charset = "ascii"
coding_system = "99X"
[sample]
id = ["O.3"]
"#;

#[test]
fn mistakes_are_said_with_their_line() {
    assert!(ASTM.profile(LEAST).is_ok());
    for (from, to, said) in [
        ("99X", "LN", "line 6: `LN` is no local coding system"),
        ("99X", "99TOOLONGNAME", "line 6: `99TOOLONGNAME` is no local"),
        (
            "\"ascii\"",
            "\"ebcdic\"",
            "line 5: `ebcdic` is no charset that is known here; write one of US-ASCII, ISO-8859-1, UTF-8, ISO-8859-2,",
        ),
        ("O.3", "O.3.x", "line 8: `O.3.x` is no place"),
        ("O.3", "X.3", "line 8: `X.3` is no place"),
        ("[sample]", "typo = 1\n[sample]", "line 7: unknown field `typo`"),
        ("[sample]", "[code]\nid = 0\n[sample]", "line 8: 0 is no component"),
        ("[sample]", "[code]\nends_at = \"//\"\n[sample]", "line 8: `//` is not one character"),
        ("[sample]", "[link]\nreceive = \"30\"\n[sample]", "line 8: `30` is no time; write \"15 s\""),
        ("[sample]", "[link]\nreceive = \"2 h\"\n[sample]", "line 8: `2 h` is no time"),
        ("[sample]", "[link]\nsend_text_max = 64000\n[sample]", "line 8: 64000 bytes do not fit a frame"),
        ("[sample]", "[link]\nchecksum = \"none\"\n[sample]", "line 8: unknown variant `none`"),
        ("[sample]", "[status]\nFF = \"final\"\n[sample]", "line 8: `FF` is no code"),
        ("[sample]", "[status]\nZ = \"good\"\n[sample]", "line 8: unknown variant `good`"),
        (
            "[sample]",
            "[[not_reportable]]\nvalue = \"-\"\nrule = \"Not ok\"\n[sample]",
            "line 9: `Not ok` is no rule name",
        ),
        ("id = [\"O.3\"]", "id = []", "line 8: sample.id names no place"),
        (
            "[sample]",
            "[result]\nflags = \"R.8.1\"\n[sample]",
            "line 8: result.flags is `R.8.1`, but it is a whole field",
        ),
        (
            "[sample]",
            "[result]\nstatus = \"O.26\"\n[sample]",
            "line 8: result.status is `O.26`, but it is a whole",
        ),
        ("[sample]", "[qc]\nproof = \"hope\"\n[sample]", "line 8: unknown variant `hope`"),
        ("[sample]", "[qc]\ncomments = [\"\"]\n[sample]", "line 7: an empty text under qc would make"),
        ("[sample]", "[qc]\nsuspects = [\"\"]\n[sample]", "line 7: an empty text under qc would make"),
        ("[sample]", "[result]\nflags = \"R.5.2\"\n[sample]", "line 8: result.flags is `R.5.2`"),
        (
            "[sample]",
            "[[qc.mark]]\nplace = \"R.9\"\nis = [\"Q\"]\n[sample]",
            "line 8: a mark of quality control in `R.9`",
        ),
        ("[sample]", "[[qc.mark]]\nplace = \"O.9\"\n[sample]", "line 8: a mark of quality control in `O.9`"),
        (
            "[sample]",
            "[[known]]\nplace = \"OO\"\nwhy = \"\"\n[sample]",
            "line 8: `OO` is no place in a record",
        ),
        ("astm", "hl7", "line 2: driver is `hl7`"),
        (
            "[sample]",
            "ack = \"message\"\n[link]\nframe_numbers = \"any\"\n[sample]",
            "line 9: ack = \"message\" needs link.frame_numbers = \"strict\"",
        ),
        ("[sample]", "[code]\nends_at = \"^\"\n[sample]", "line 8: code.ends_at is `^`"),
        ("[sample]", "[code]\nsplit = { at = \"^\", part = 2 }\n[sample]", "line 8: code.split.at is `^`"),
        (
            "[sample]",
            "[[not_reportable]]\nvalue = \"-\"\nonly = \"-\"\nrule = \"no-value\"\n[sample]",
            "line 10: a not_reportable has neither",
        ),
        (
            "[sample]",
            "[[not_reportable]]\nvalue = \"-\"\nrule = \"a\"\n[[not_reportable]]\nrule = \"b\"\n[sample]",
            "line 11: a not_reportable has neither",
        ),
        (
            "[sample]",
            "[[not_reportable]]\nbetween = \"(\"\nrule = \"a\"\n[sample]",
            "line 9: a not_reportable has neither",
        ),
        (
            "[sample]",
            "[[note]]\nplace = \"O.14\"\nlabel = \"X: \"\ncodes = [\"A\"]\n[sample]",
            "line 10: note.codes is said for `O.14`",
        ),
        ("O.3", "O.3[0]", "line 8: `O.3[0]` is no place"),
        ("[sample]", "[[unit]]\nsent = \"\"\nucum = \"g/L\"\n[sample]", "line 8: unit.sent is empty"),
        (
            "[sample]",
            "[[note]]\nplace = \"H.5\"\nlabel = \"Model: \"\n[sample]",
            "line 8: note.place is `H.5`",
        ),
        (
            "[sample]",
            "framing = \"records\"\n[link]\none_way = true\n[sample]",
            "line 9: link.one_way says nothing",
        ),
    ] {
        let toml = LEAST.replacen(from, to, 1);
        assert_ne!(toml, LEAST, "{from}");
        let error = ASTM.profile(&toml).err().unwrap_or_else(|| panic!("{to} is taken")).to_string();
        assert!(error.starts_with(said), "{to}: {error}");
    }
}

#[test]
fn the_schema_knows_every_key_of_the_shipped_profiles() {
    let schema = schemars::schema_for!(AstmProfile);
    let properties = schema.get("properties").and_then(|p| p.as_object()).unwrap();
    for text in [GENERIC, XN, YUMIZEN, COBAS] {
        let table: toml::Table = text.parse().unwrap();
        for key in table.keys() {
            assert!(properties.contains_key(key), "{key}");
        }
    }
}

#[test]
fn a_profile_is_read_once() {
    // The same text is the same plan, so that reading it again for years costs nothing.
    let first = ASTM.profile(LEAST).unwrap();
    let again = ASTM.profile(LEAST).unwrap();
    assert!(std::ptr::eq(first.common(), again.common()));
}
