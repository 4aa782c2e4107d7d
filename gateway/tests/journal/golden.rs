//! Journals that were made once and are read for ever, and the second reader.
//!
//! `tests/golden/NAME` of the journal crate holds a journal, `NAME.list` and `NAME.records` what `list --json` and `export`
//! say of it. They are made by `MAKE_GOLDEN=1`, once: what is there is never made again.

use crate::story::{self, KEY, OLD_KEY};
use crate::{Copy, key_file, look, records};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const FIELDS: [&str; 11] = [
    "file", "offset", "commit", "void", "sealed", "sequence", "kind", "version", "carried", "meta", "payload",
];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("journal/tests/golden").join(name)
}

/// The golden journals. The last two are damaged in one place.
const ALL: [&str; 4] = ["plain", "sealed", "rough", "mixed"];

/// The files of the keys of a golden journal.
fn keys_of(name: &str, folder: &Path) -> Vec<String> {
    let keys: &[&str] = match name {
        "sealed" => &[KEY],
        "mixed" => &[KEY, OLD_KEY],
        _ => &[],
    };
    keys.iter().map(|key| key_file(folder, key)).collect()
}

/// What a command says of a golden journal. Where one is damaged, all but `list` say so with their exit code.
fn said(name: &str, folder: &Path, arguments: &[&str], keys: &[String]) -> String {
    let keys = keys.iter().flat_map(|key| ["--key", key]);
    let ran = look(folder, &arguments.iter().copied().chain(keys).collect::<Vec<_>>());
    let damaged = matches!(name, "rough" | "mixed") && arguments.first() != Some(&"list");
    ran.is(if damaged { 65 } else { 0 });
    ran.out
}

#[test]
fn golden_journals_are_read_as_they_were() {
    let folder_of_keys = tempfile::tempdir().unwrap();
    for name in ALL {
        let folder = golden(name);
        let keys = keys_of(name, folder_of_keys.path());
        if !folder.exists() && std::env::var_os("MAKE_GOLDEN").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            match name {
                "plain" => drop(story::write(&folder, None)),
                "sealed" => drop(story::write(&folder, Some(story::ring()))),
                _ => story::write_rough(&folder, name == "mixed"),
            }
        }
        let files: [(&str, &[&str]); 2] = [("list", &["list", "--json"]), ("records", &["export", "-"])];
        for (what, command) in files {
            let file = golden(&format!("{name}.{what}"));
            let now = said(name, &folder, command, &keys);
            if !file.exists() && std::env::var_os("MAKE_GOLDEN").is_some() {
                std::fs::write(&file, &now).unwrap();
            }
            let then = std::fs::read_to_string(&file).unwrap();
            let (then, now) = (records(&then), records(&now));
            assert_eq!(then.len(), now.len(), "{name}.{what}");
            then.iter().zip(&now).for_each(|(then, now)| says_as_much(then, now));
        }
        let verified = said(name, &folder, &["verify"], &keys);
        match name {
            "rough" | "mixed" => assert!(verified.contains("one of two header pages is damaged")),
            _ => assert!(verified.contains("is sound: ")),
        }
    }
}

/// The file that a record 0xFFFE names.
fn given_back(meta: &str) -> String {
    let bytes = meta
        .as_bytes()
        .chunks(2)
        .map(|two| u64::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap());
    let bytes: Vec<u64> = bytes.collect();
    let number = bytes[1..].iter().rev().fold(0, |number, byte| number << 7 | byte & 0x7f);
    format!("{}-{number:016x}.seg", ["results", "snapshots"][usize::try_from(bytes[0]).unwrap()])
}

/// What makes the rough ones worth reading: each of these is a rule of the format that the others do not need.
#[test]
fn the_rough_golden_journals_have_what_they_are_for() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["rough", "mixed"] {
        let all = records(&said(name, &golden(name), &["export", "-"], &keys_of(name, folder.path())));
        let records: Vec<_> = all.iter().filter(|record| record["damage"].is_null()).collect();
        let has = |wanted: &dyn Fn(&Value) -> bool| records.iter().any(|record| wanted(record));
        let files: BTreeSet<_> = records.iter().map(|record| record["file"].as_str().unwrap()).collect();
        for kind in [1, 4, 5, 6, 13, 14, 900, 0xfffe, 0xffff] {
            assert!(has(&|record| record["kind"] == kind), "{name}: kind {kind}");
        }
        assert!(has(&|record| record["kind"] == 4 && record["version"] == 2));
        assert!(has(&|record| record["kind"] == 1 && record["decoded"]["end"] == false));
        assert!(has(&|record| record["payload"].as_str().is_some_and(|payload| payload.len() > 4 * 4096)));
        // Given back, of the lane *snapshots*; and of *results* one that is there all the same.
        let freed =
            |record: &Value| (record["kind"] == 0xfffe).then(|| given_back(record["meta"].as_str().unwrap()));
        let freed: Vec<_> = records.iter().filter_map(|record| freed(record)).collect();
        assert!(freed.iter().any(|file| file.starts_with("snapshots")), "{freed:?}");
        assert!(freed.iter().any(|file| golden(name).join(file).exists()), "{freed:?}");
        let parts = |record: &Value| {
            record["kind"] == 0xffff && record["meta"].as_str().is_some_and(|m| m.ends_with("0102"))
        };
        assert!(has(&parts), "{name}: a checkpoint of two parts");
        let retries = files.iter().filter(|file| {
            let bytes = std::fs::read(golden(name).join(file)).unwrap();
            bytes.chunks_exact(4096).any(|page| page.starts_with(b"OGCT") && page[56] == 1)
        });
        // One at each start, and where the disk failed.
        assert!(retries.count() > 2, "{name}");
        let sealed: BTreeSet<_> = records.iter().map(|record| record["sealed"].as_bool()).collect();
        assert_eq!(sealed.len(), if name == "mixed" { 2 } else { 1 });
        let sidecars = std::fs::read_dir(golden(name)).unwrap();
        let sidecars =
            sidecars.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|of| of == "idx"));
        assert!(sidecars.count() > 2 && files.len() > 5, "{name}");
    }
}

/// A later version may say more of a record, never something else.
fn says_as_much(then: &Value, now: &Value) {
    if let (Some(then), Some(now)) = (then.as_array(), now.as_array()) {
        assert_eq!(then.len(), now.len());
        return then.iter().zip(now).for_each(|(then, now)| says_as_much(then, now));
    }
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
    for name in ALL {
        let files = keys_of(name, keys.path());
        let ours = records(&said(name, &golden(name), &["export", "-"], &files));
        let Some((theirs, code)) = second_reader(&golden(name), &files) else { return };
        same(&ours, &theirs);
        assert_eq!(places(&ours), places(&theirs));
        assert!(places(&ours).len() <= 1, "{:?}", places(&ours));
        assert_eq!(code, Some(i32::from(!places(&ours).is_empty())), "{name}");
    }
    let fresh = Copy::new();
    let (theirs, code) = second_reader(fresh.path(), &[]).unwrap();
    same(&fresh.records(), &theirs);
    assert_eq!(code, Some(0));
    let sealed = Copy::sealed();
    let files = keys_of("sealed", keys.path());
    let (theirs, code) = second_reader(sealed.path(), &files).unwrap();
    let ours = records(&said("sealed", sealed.path(), &["export", "-"], &files));
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
