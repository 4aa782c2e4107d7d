//! `docs/profile.md` is true: its commands run in their order and print what it says, its files are good, and its
//! reference has every key of the schema.
//!
//! `UPDATE_EXPECT=1 cargo test -p orugate --test profile_doc` writes the reference.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

use serde_json::Value;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/profile.md")
}

/// A fenced block: the comment line before it, its language, its text.
struct Block {
    before: String,
    language: String,
    text: String,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    let mut before = String::new();
    while let Some(line) = lines.next() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            let body: Vec<&str> = lines.by_ref().take_while(|line| line.trim_start() != "```").collect();
            let text = format!("{}\n", body.join("\n"));
            found.push(Block { before: before.clone(), language: language.to_owned(), text });
        }
        before = line.to_owned();
    }
    found
}

#[test]
fn its_commands_print_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let (mut ran, mut tables) = (0, 0);
    for block in blocks(&std::fs::read_to_string(page()).unwrap()) {
        let file = block.before.strip_prefix("<!-- file: ").and_then(|rest| rest.strip_suffix(" -->"));
        if let Some(file) = file {
            std::fs::write(folder.path().join(file), &block.text).unwrap();
        } else if block.before == "<!-- tables -->" {
            let least = "name = \"x\"\ndriver = \"astm\"\ntitle = \"X\"\nevidence = \"described\"\ncharset = \"ascii\"\n\
                         coding_system = \"99X\"\n[sample]\nid = [\"O.3\"]\n";
            let read = orugate_drivers::SHIPPED.read(&format!("{least}{}", block.text));
            assert!(read.is_ok(), "{:?}\n{}", read.err().map(|e| e.to_string()), block.text);
            tables += 1;
        } else if block.language == "console" {
            ran += console(folder.path(), &block.text);
        } else if block.language == "sh" {
            // Needs an analyzer; that the command exists is what can be checked.
            for command in block.text.lines().filter_map(|line| line.trim().strip_prefix("orugate ")) {
                let help = [command.split(' ').next().unwrap(), "--help"];
                assert!(orugate(folder.path(), &help).0 == Some(0), "{command}");
            }
        }
    }
    assert!(ran >= 10, "{ran} commands");
    assert_eq!(tables, 1, "tables that a reader copies");
}

fn console(folder: &Path, text: &str) -> usize {
    let mut ran = 0;
    let mut printed = String::new();
    for line in text.lines() {
        let Some(command) = line.strip_prefix("$ ") else {
            assert!(printed.contains(line), "no {line:?} in:\n{printed}");
            continue;
        };
        let (command, exit) = command.split_once("# exits with ").unwrap_or((command, "0"));
        let words: Vec<&str> = command.split_whitespace().collect();
        let (code, out) = match words[..] {
            ["orugate", ref arguments @ ..] => orugate(folder, arguments),
            ["mkdir", name] => (std::fs::create_dir(folder.join(name)).is_ok().then_some(0), String::new()),
            ["cp", from, to] => {
                let copied = std::fs::copy(folder.join(from), folder.join(to).join(from));
                (copied.is_ok().then_some(0), String::new())
            }
            _ => panic!("what is {command}?"),
        };
        assert_eq!(code, exit.parse().ok(), "{command}:\n{out}");
        printed = out;
        ran += 1;
    }
    ran
}

fn orugate(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let ran =
        Command::new(env!("CARGO_BIN_EXE_orugate")).args(arguments).current_dir(folder).output().unwrap();
    let text = [ran.stdout, ran.stderr].concat();
    (ran.status.code(), String::from_utf8(text).unwrap())
}

/// The reference as the schema gives it: a table for each table of a profile.
fn reference() -> String {
    let schema = orugate::profiles::schema(&orugate_drivers::SHIPPED, "astm").unwrap();
    let mut out = String::new();
    let mut long: Vec<(String, String)> = Vec::new();
    let mut later = vec![(String::new(), schema.clone())];
    while !later.is_empty() {
        let (path, table) = later.remove(0);
        let heading = if path.is_empty() { "At the top".to_owned() } else { format!("`{path}`") };
        let _ = writeln!(
            out,
            "\n### {heading}\n\n| key | what stands there | default | meaning |\n|---|---|---|---|"
        );
        let required: Vec<&str> = table["required"]
            .as_array()
            .or_else(|| table["anyOf"][0]["required"].as_array())
            .map(|list| list.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        for (key, property) in table["properties"].as_object().unwrap() {
            let target = resolve(&schema, property);
            let items = resolve(&schema, &target["items"]);
            let nested = if path.is_empty() {
                key.clone()
            } else {
                format!("{}.{key}", path.trim_matches(['[', ']']))
            };
            let what = if target["properties"].is_object() {
                later.push((format!("[{nested}]"), target.clone()));
                "a table".to_owned()
            } else if items["properties"].is_object() {
                later.push((format!("[[{nested}]]"), items.clone()));
                "a list of tables".to_owned()
            } else if target["additionalProperties"].is_object() {
                format!("a table of names, each {}", kind(resolve(&schema, &target["additionalProperties"])))
            } else if items.is_object() {
                format!("a list of {}", kind(items))
            } else {
                kind(target)
            };
            // A long list is read once.
            let what = match long.iter().find(|(_, list)| *list == what) {
                Some((first, _)) => format!("as for `{first}`"),
                None => {
                    if what.len() > 200 {
                        long.push((key.clone(), what.clone()));
                    }
                    what
                }
            };
            let default = match &property["default"] {
                Value::Null if required.contains(&key.as_str()) => "required".to_owned(),
                Value::Null | Value::Object(_) => String::new(),
                value => format!("`{}`", value.to_string().replace('|', "\\|")),
            };
            let meaning =
                property["description"].as_str().or(target["description"].as_str()).unwrap_or_default();
            let meaning = meaning.replace('\n', " ").replace('|', "\\|");
            let _ = writeln!(out, "| `{key}` | {what} | {default} | {meaning} |");
        }
    }
    out
}

/// What a reference, or the one thing beside null, stands for.
fn resolve<'s>(schema: &'s Value, part: &'s Value) -> &'s Value {
    let one = part["anyOf"].as_array().and_then(|forms| forms.iter().find(|form| form["type"] != "null"));
    let part = one.unwrap_or(part);
    let target = part["$ref"].as_str().and_then(|r| r.strip_prefix('#')).and_then(|r| schema.pointer(r));
    target.unwrap_or(part)
}

fn kind(part: &Value) -> String {
    let constants = part["oneOf"].as_array().into_iter().flatten().filter_map(|one| one["const"].as_str());
    let plain = part["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let words: Vec<String> = constants.chain(plain).map(|word| format!("`\"{word}\"`")).collect();
    if !words.is_empty() {
        return words.join(", ");
    }
    let pattern = part["pattern"].as_str().unwrap_or_default();
    let first = part["type"].as_str().or_else(|| part["type"][0].as_str());
    match first.unwrap_or_default() {
        "string" if pattern.starts_with("^[HPORQ]") => "a place".to_owned(),
        "string" if pattern.contains("ms|s") => "a time, `\"15 s\"`".to_owned(),
        "string" if part["maxLength"] == 1 => "one character".to_owned(),
        "string" => "text".to_owned(),
        "integer" => match (part["minimum"].as_i64(), part["maximum"].as_i64()) {
            (Some(least), Some(most)) => format!("a number, {least} to {most}"),
            _ => "a number".to_owned(),
        },
        "boolean" => "true or false".to_owned(),
        "object" => "a table of names".to_owned(),
        other => other.to_owned(),
    }
}

#[test]
fn its_reference_has_every_key() {
    const BEGIN: &str = "<!-- reference: begin -->\n";
    const END: &str = "\n<!-- reference: end -->";
    let text = std::fs::read_to_string(page()).unwrap();
    let start = text.find(BEGIN).unwrap() + BEGIN.len();
    let end = start + text[start..].find(END.trim_start()).unwrap();
    let written = format!("{}\n", reference().trim());
    if text[start..end] == written {
        return;
    }
    assert!(
        std::env::var_os("UPDATE_EXPECT").is_some(),
        "docs/profile.md has not the keys of the schema: UPDATE_EXPECT=1 cargo test -p orugate --test profile_doc"
    );
    std::fs::write(page(), format!("{}{written}{}", &text[..start], &text[end..])).unwrap();
}
