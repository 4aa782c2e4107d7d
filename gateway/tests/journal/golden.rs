//! Journals that were made once and are read for ever, and the second reader.
//!
//! `tests/golden/NAME` of the journal crate holds a journal, `NAME.list` and `NAME.records` what `list --json` and `export`
//! say of it. They are made by `MAKE_GOLDEN=1`, once: what is there is never made again.

use crate::story::{self, KEY};
use crate::{Copy, key_file, look, records};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

const FIELDS: [&str; 11] = [
    "file", "offset", "commit", "void", "sealed", "sequence", "kind", "version", "carried", "meta", "payload",
];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("journal/tests/golden").join(name)
}

/// Arguments with the golden key, if it is sealed.
fn with_key(name: &str, folder: &Path) -> Vec<String> {
    if name == "sealed" { vec!["--key".to_owned(), key_file(folder, KEY)] } else { Vec::new() }
}

fn said(folder: &Path, arguments: &[&str], key: &[String]) -> String {
    let key: Vec<&str> = key.iter().map(String::as_str).collect();
    let ran = look(folder, &[arguments, &key].concat());
    ran.is(0);
    ran.out
}

#[test]
fn golden_journals_are_read_as_they_were() {
    let keys = tempfile::tempdir().unwrap();
    for name in ["plain", "sealed"] {
        let folder = golden(name);
        let key = with_key(name, keys.path());
        if !folder.exists() && std::env::var_os("MAKE_GOLDEN").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            let _ = story::write(&folder, (name == "sealed").then(story::ring));
        }
        let files: [(&str, &[&str]); 2] = [("list", &["list", "--json"]), ("records", &["export", "-"])];
        for (what, command) in files {
            let file = golden(&format!("{name}.{what}"));
            let now = said(&folder, command, &key);
            if !file.exists() && std::env::var_os("MAKE_GOLDEN").is_some() {
                std::fs::write(&file, &now).unwrap();
            }
            let then = std::fs::read_to_string(&file).unwrap();
            let (then, now) = (records(&then), records(&now));
            assert_eq!(then.len(), now.len(), "{name}.{what}");
            then.iter().zip(&now).for_each(|(then, now)| says_as_much(then, now));
        }
        assert!(said(&folder, &["verify"], &key).contains("is sound: "));
    }
}

/// A later version may say more of a record, never something else.
fn says_as_much(then: &Value, now: &Value) {
    let Some(fields) = then.as_object() else {
        assert_eq!(then, now);
        return;
    };
    for (field, value) in fields {
        says_as_much(value, &now[field]);
    }
}

#[allow(clippy::print_stderr)]
/// What the reader that knows nothing but FORMAT.md lists.
fn second_reader(folder: &Path, keys: &[String]) -> Option<(Vec<Value>, Option<i32>)> {
    let Some(python) = std::env::var_os("ORUGATE_PYTHON") else {
        eprintln!("skipped: ORUGATE_PYTHON is not set: no second reader");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/python/journal_reader.py");
    let ran = Command::new(python).arg(script).arg(folder).args(keys).output().unwrap();
    let out = String::from_utf8(ran.stdout).unwrap();
    let err = String::from_utf8(ran.stderr).unwrap();
    assert!(!err.contains("Traceback"), "{err}");
    Some((records(&out), ran.status.code()))
}

fn same(ours: &[Value], theirs: &[Value]) {
    let (ours, theirs): (Vec<_>, Vec<_>) = (
        ours.iter().filter(|r| r["damage"].is_null()).collect(),
        theirs.iter().filter(|r| r["damage"].is_null()).collect(),
    );
    for (ours, theirs) in ours.iter().zip(&theirs) {
        for field in FIELDS {
            assert_eq!(ours[field], theirs[field], "{field}:\n{ours}\n{theirs}");
        }
        if ours["kind"] == 1 || ours["kind"] == 5 {
            assert_eq!(ours["message"], theirs["message"]);
            assert!(theirs["message"].is_u64());
        }
        let dropped = &theirs["dropped"];
        assert_eq!(ours["kind"] == 13, dropped.is_array(), "{theirs}");
        if ours["kind"] == 13 {
            let meta = &ours["decoded"];
            assert_eq!((&meta["destination"], &meta["upto"]), (&dropped[0], &dropped[1]), "{ours}");
        }
    }
    assert_eq!(ours.len(), theirs.len());
    assert!(ours.len() > 20);
}

fn places(records: &[Value]) -> Vec<(String, u64, u64)> {
    let mut places: Vec<_> = records
        .iter()
        .filter(|record| !record["damage"].is_null())
        .map(|d| {
            (
                d["file"].as_str().unwrap().to_owned(),
                d["offset"].as_u64().unwrap(),
                d["bytes"].as_u64().unwrap(),
            )
        })
        .collect();
    places.sort();
    places
}

#[test]
fn the_second_reader_opens_the_worked_example() {
    let Some(python) = std::env::var_os("ORUGATE_PYTHON") else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/python/journal_reader.py");
    assert!(Command::new(python).arg(script).arg("--self-test").status().unwrap().success());
}

#[test]
fn a_reader_written_from_the_format_alone_sees_the_same() {
    let keys = tempfile::tempdir().unwrap();
    let key = key_file(keys.path(), KEY);
    for name in ["plain", "sealed"] {
        let arguments = with_key(name, keys.path());
        let ours = records(&said(&golden(name), &["export", "-"], &arguments));
        let Some((theirs, code)) = second_reader(&golden(name), &arguments[arguments.len().min(1)..]) else {
            return;
        };
        same(&ours, &theirs);
        assert_eq!(code, Some(0));
    }
    let fresh = Copy::new();
    let (theirs, code) = second_reader(fresh.path(), &[]).unwrap();
    same(&fresh.records(), &theirs);
    assert_eq!(code, Some(0));
    let sealed = Copy::sealed();
    let (theirs, code) = second_reader(sealed.path(), &[key]).unwrap();
    let ours = records(&said(sealed.path(), &["export", "-"], &with_key("sealed", keys.path())));
    same(&ours, &theirs);
    assert_eq!(code, Some(0));
    assert_eq!(second_reader(sealed.path(), &[]).unwrap().1, Some(2));
}

#[test]
fn both_readers_find_the_same_damage() {
    let copy = Copy::new();
    let all = copy.records();
    // One commit in each of three segments, and one whole segment.
    let files: Vec<String> = {
        let mut files: Vec<_> = all.iter().map(|r| r["file"].as_str().unwrap().to_owned()).collect();
        files.sort();
        files.dedup();
        files.retain(|file| file.starts_with("results"));
        files
    };
    for file in &files[1..4] {
        let offset = all.iter().filter(|r| r["file"] == **file).nth(2).unwrap()["offset"].as_u64().unwrap();
        copy.edit(file, |bytes| bytes[usize::try_from(offset).unwrap()] ^= 1);
    }
    copy.edit(&files[5], |bytes| bytes[4096] ^= 1);
    let ours = copy.run(&["export", "-"]);
    ours.is(65);
    let ours = records(&ours.out);
    let Some((theirs, code)) = second_reader(copy.path(), &[]) else { return };
    same(&ours, &theirs);
    assert_eq!(places(&ours), places(&theirs));
    assert_eq!((code, places(&ours).len()), (Some(1), 4));
}
