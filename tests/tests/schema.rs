//! The JSON schema that editors get, judged by a validator that is not ours.
//!
//! Promises: it is a schema of the draft that it names; the commented example (as it is, and with everything in it that is
//! commented) and the README's configuration are valid by it; what is structurally wrong is not, at the key that
//! `orugate check` names too; a file in `conf.d` has a schema of its own. Leaves out what needs more than one key to be judged. Needs
//! `ORUGATE_PYTHON`, which `tests/run` sets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use orugate::config::{json_schema, json_schema_of_part, load_texts};
use orugate_drivers::SHIPPED;
use orugate_tests::{python, root};
use std::ffi::OsStr;
use std::path::PathBuf;

fn repository(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

/// The example with every default and every example of a key in force.
fn everything() -> String {
    let text = repository("deploy/orugate.example.toml");
    let lines = text.lines().map(|line| {
        let default =
            line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
        line.strip_prefix("#+").or(default).unwrap_or(line)
    });
    lines.map(|line| format!("{line}\n")).collect()
}

/// The configuration that the README begins with.
fn readme() -> String {
    let text = repository("README.md");
    let block = text.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    block.lines().map(|line| format!("{}\n", line.trim_start())).collect()
}

struct Judge {
    folder: tempfile::TempDir,
    python: std::ffi::OsString,
}

impl Judge {
    fn new() -> Option<Self> {
        let python = python::python()?;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("schema.json"), json_schema().to_value().to_string()).unwrap();
        Some(Self { folder, python })
    }

    /// What the validator says of these texts, without the folder's name.
    fn says(&self, texts: &[String]) -> (String, bool) {
        let mut files: Vec<PathBuf> = vec![self.folder.path().join("schema.json")];
        for (number, text) in texts.iter().enumerate() {
            let file = self.folder.path().join(format!("{number}.toml"));
            std::fs::write(&file, text).unwrap();
            files.push(file);
        }
        let arguments: Vec<&OsStr> = files.iter().map(|file| file.as_os_str()).collect();
        let (said, valid) = python::schema(&self.python, &arguments).unwrap();
        (said.replace(&format!("{}/", self.folder.path().display()), ""), valid)
    }
}

#[test]
fn what_is_right_is_valid() {
    let Some(judge) = Judge::new() else { return };
    let texts = [repository("deploy/orugate.example.toml"), everything(), readme()];
    for text in ["allow_clients = ", "charset = ", "min_version = ", "[destination.patient]"] {
        let shown = texts[1].lines().any(|line| line.starts_with(text));
        assert!(shown, "{text:?} is commented still:\n{}", texts[1]);
    }
    assert_eq!(judge.says(&texts), ("3 valid, 0 invalid\n".to_owned(), true));
}

/// What is replaced in [`everything`], by what, and the key at which it is wrong.
const WRONG: [(&str, &str, &str); 14] = [
    ("version = 1\n", "", "(the file)"),
    ("facility = \"CORE-LAB\"\n", "", "gateway"),
    ("facility = \"CORE-LAB\"\n", "facility = \"CORE-LAB\"\nfacilty = \"CORE-LAB\"\n", "gateway"),
    ("facility = \"CORE-LAB\"\n", "facility = 7\n", "gateway.facility"),
    ("role = \"lis\"", "role = \"liss\"", "destination[0].role"),
    ("accepts = \"P\"", "accepts = \"D\"", "destination[0].accepts"),
    ("retries = 3", "retries = \"3\"", "destination[0].retries"),
    ("stop_on_error = false", "stop_on_error = 0", "destination[0].stop_on_error"),
    ("pin = [\"sha256:", "pin = [1, \"sha256:", "destination[0].mllp.tls.pin[0]"),
    ("min_version = \"1.3\"", "min_version = \"1.1\"", "destination[0].mllp.tls.min_version"),
    ("field = \"P3\"", "field = \"P6\"", "destination[0].patient.field"),
    ("baud = 9600", "baud = \"9600\"", "instrument[0].wire.baud"),
    ("mode = \"live\"", "mode = \"lvie\"", "instrument[0].mode"),
    ("send_to = [\"engine\"]", "send_to = \"engine\"", "instrument[0].send_to"),
];

#[test]
fn what_is_structurally_wrong_is_invalid_where_check_says_so_too() {
    let Some(judge) = Judge::new() else { return };
    let right = everything();
    let wrong: Vec<String> = WRONG
        .iter()
        .map(|(from, to, _)| {
            assert!(right.contains(from), "{from:?} is not in the example");
            right.replacen(from, to, 1)
        })
        .collect();
    let (said, valid) = judge.says(&wrong);
    assert!(!valid);
    let mut lines = said.lines();
    for (number, ((from, to, key), text)) in WRONG.iter().zip(&wrong).enumerate() {
        let line = lines.next().unwrap_or_default();
        assert!(line.starts_with(&format!("{number}.toml: {key}: ")), "{from:?} to {to:?}: {line}\n{said}");
        let mistakes = load_texts(vec![(PathBuf::from("x.toml"), text.clone())], &SHIPPED).unwrap_err();
        let key = if *key == "(the file)" { "version" } else { key };
        let key = key.split_once("].").map_or(key, |(_, inside)| inside);
        let told = mistakes.to_string();
        assert!(told.contains(key), "check does not name {key}:\n{told}");
    }
    assert_eq!(lines.collect::<Vec<_>>(), [format!("0 valid, {} invalid", WRONG.len())]);
}

#[test]
fn a_part_has_a_schema_of_its_own() {
    let Some(judge) = Judge::new() else { return };
    let schema = json_schema_of_part().to_value().to_string();
    std::fs::write(judge.folder.path().join("schema.json"), schema).unwrap();
    let whole = everything();
    let lists =
        whole.split_once("\n[[destination]]\n").map(|(_, rest)| format!("[[destination]]\n{rest}")).unwrap();
    assert_eq!(judge.says(std::slice::from_ref(&lists)), ("1 valid, 0 invalid\n".to_owned(), true));
    let misspelt = lists.replacen("send_to", "sendto", 1);
    let (said, valid) = judge.says(&[whole, misspelt]);
    let wrong: Vec<&str> = said.lines().map(|line| line.split(": ").nth(1).unwrap_or(line)).collect();
    assert!(!valid, "{said}");
    assert_eq!(wrong[0], "(the file)", "{said}");
    assert!(wrong.contains(&"instrument[0]"), "{said}");
    assert!(said.ends_with("0 valid, 2 invalid\n"), "{said}");
}

#[test]
fn what_is_no_schema_is_found() {
    let Some(judge) = Judge::new() else { return };
    let file = judge.folder.path().join("schema.json");
    let broken = json_schema().to_value().to_string().replace("\"type\":\"object\"", "\"type\":\"objekt\"");
    for (schema, says) in [("{}", "does not say of which draft"), (&*broken, "not a schema")] {
        std::fs::write(&file, schema).unwrap();
        let (said, valid) = judge.says(&[readme()]);
        assert!(said.contains(says) && !valid, "{said}");
    }
}
