//! One file: from its text to a [`ConfigFile`] and everything that does not fit the format.
//!
//! Promises that every syntax error, unknown key, wrong type and unknown word of a file is told once, at its place,
//! and that the rest still comes out as a [`ConfigFile`] to be checked further. Leaves out missing keys and meaning.

use super::file::{ConfigFile, json_schema};
use super::mistakes::{Findings, Mistake, Position};
use super::nearest::did_you_mean;
use serde::Deserialize as _;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::PathBuf;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

/// More mistakes than this against the format are not listed: the file is something else.
const MAX_MISTAKES: usize = 100;

/// A file's text, to tell places in it.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) file: PathBuf,
    text: String,
    instruments: Vec<Option<String>>,
    destinations: Vec<Option<String>>,
}

/// Reads a text; `None` when no more can be said about the file.
pub(super) fn read(file: PathBuf, text: String, out: &mut Findings) -> Option<(Source, ConfigFile)> {
    out.begin(&file);
    let mut source = Source { file, text, instruments: Vec::new(), destinations: Vec::new() };
    let text = source.text.clone();
    let (mut tree, errors) = DeTable::parse_recoverable(&text);
    if !errors.is_empty() {
        for error in errors {
            let offset = error.span().map_or(0, |span| span.start);
            out.wrong(source.mistake(
                String::new(),
                offset,
                format!("not TOML: {}", one_line(error.message())),
            ));
        }
        return None;
    }
    source.instruments = names(tree.get_ref(), "instrument");
    source.destinations = names(tree.get_ref(), "destination");
    for _ in 0..MAX_MISTAKES {
        let error = match ConfigFile::deserialize(Deserializer::from(tree.clone())) {
            Ok(typed) => return Some((source, typed)),
            Err(error) => error,
        };
        let span = error.span().unwrap_or_default();
        // An error that points at nothing in the tree cannot be cut out; it is the last one that is told.
        let Some(key) = cut_out(tree.get_mut(), &span) else {
            out.wrong(source.mistake(String::new(), span.start, one_line(error.message())));
            return None;
        };
        let (message, hint) = reword(error.message(), &key);
        out.wrong(source.mistake(key, span.start, message).hint(hint));
    }
    let end = source.text.len();
    out.wrong(source.mistake(
        String::new(),
        end,
        format!("has more than the {MAX_MISTAKES} mistakes listed"),
    ));
    None
}

impl Source {
    /// A mistake in this file at a byte offset.
    pub(super) fn mistake(&self, key: String, offset: usize, message: String) -> Mistake {
        Mistake {
            file: self.file.clone(),
            position: Some(self.position(offset)),
            subject: self.subject(&key),
            key,
            message,
            hint: None,
        }
    }

    /// The place of a byte offset.
    pub(super) fn position(&self, offset: usize) -> Position {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Position {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        }
    }

    fn subject(&self, key: &str) -> String {
        for (kind, names) in [("instrument", &self.instruments), ("destination", &self.destinations)] {
            let rest = key.strip_prefix(kind).and_then(|rest| rest.strip_prefix('['));
            let Some((number, _)) = rest.and_then(|rest| rest.split_once(']')) else { continue };
            let Ok(number) = number.parse::<usize>() else { continue };
            return match names.get(number) {
                Some(Some(name)) => format!("{kind} {name:?}"),
                _ => format!("{kind} number {}", number + 1),
            };
        }
        String::new()
    }
}

fn names(tree: &DeTable<'_>, list: &str) -> Vec<Option<String>> {
    let Some(entries) = tree.get(list).and_then(|list| list.get_ref().as_array()) else { return Vec::new() };
    let name = |entry: &DeValue<'_>| Some(entry.as_table()?.get("name")?.get_ref().as_str()?.to_owned());
    entries.iter().map(|entry| name(entry.get_ref())).collect()
}

/// Takes the key or value that an error points at out of the tree, and tells its path. Children come first: the span
/// of a table that is only implied by a dotted key is that of its first piece.
fn cut_out(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<String> {
    for (key, value) in table.iter_mut() {
        if let Some(rest) = cut_inside(value.get_mut(), span) {
            return Some(format!("{}{}{rest}", key.get_ref(), if rest.starts_with('[') { "" } else { "." }));
        }
    }
    let hit = table.iter().find(|(key, value)| key.span() == *span || value.span() == *span);
    let key = hit.map(|(key, _)| key.get_ref().to_string())?;
    table.remove(key.as_str());
    Some(key)
}

fn cut_inside(value: &mut DeValue<'_>, span: &Range<usize>) -> Option<String> {
    let list = match value {
        DeValue::Table(table) => return cut_out(table, span),
        DeValue::Array(list) => list,
        _ => return None,
    };
    for (number, item) in list.iter_mut().enumerate() {
        if let Some(rest) = cut_inside(item.get_mut(), span) {
            return Some(format!("[{number}]{}{rest}", if rest.starts_with('[') { "" } else { "." }));
        }
    }
    let number = list.iter().position(|item| item.span() == *span)?;
    let items = std::mem::replace(list, DeArray::new()).into_iter().enumerate();
    *list = items.filter(|(at, _)| *at != number).map(|(_, item)| item).collect();
    Some(format!("[{number}]"))
}

/// serde's words in ours. Whatever has another form is passed on as it is.
fn reword(message: &str, path: &str) -> (String, Option<String>) {
    let key = path.rsplit('.').next().unwrap_or(path);
    if let Some(rest) =
        message.strip_prefix("unknown field `").and_then(|rest| rest.split_once("`, expected "))
    {
        let allowed: Vec<&str> = quoted(rest.1).collect();
        let hint = did_you_mean(rest.0, allowed.iter().copied()).or_else(|| belongs_elsewhere(key));
        return (format!("unknown key; allowed are {}", allowed.join(", ")), hint);
    }
    if let Some(rest) =
        message.strip_prefix("unknown variant `").and_then(|rest| rest.split_once("`, expected "))
    {
        let allowed: Vec<&str> = quoted(rest.1).collect();
        let list: Vec<String> = allowed.iter().map(|word| format!("{word:?}")).collect();
        let hint = did_you_mean(rest.0, allowed.iter().copied());
        return (format!("{:?} is not known; allowed are {}", rest.0, list.join(", ")), hint);
    }
    if let Some((found, expected)) =
        message.strip_prefix("invalid type: ").and_then(|rest| rest.rsplit_once(", expected "))
    {
        let expected = match expected {
            "i64" => "a whole number without quotes",
            "a string" => "text in quotes",
            "a boolean" => "true or false without quotes",
            "a sequence" => "a list in brackets [ ]",
            "a table" => "a table { }",
            other => other,
        };
        let found = found.replace('`', "").replace("sequence", "a list").replace("map", "a table");
        return (format!("{found} stands here; allowed is {expected}"), None);
    }
    (one_line(message), None)
}

/// The pieces between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn one_line(message: &str) -> String {
    let mut line = String::new();
    for part in message.lines() {
        let _ = write!(line, "{}{part}", if line.is_empty() { "" } else { ", " });
    }
    line
}

/// For a key that is right but stands in the wrong table: where it belongs, from the schema.
fn belongs_elsewhere(key: &str) -> Option<String> {
    fn search(
        schema: &serde_json::Value,
        root: &serde_json::Value,
        key: &str,
        path: &str,
        found: &mut Vec<String>,
    ) {
        let Some(properties) = schema.get("properties").and_then(|p| p.as_object()) else { return };
        for (name, property) in properties {
            let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            if name == key {
                found.push(if path.is_empty() { "the top of the file".to_owned() } else { path.to_owned() });
            }
            // A table stands behind a reference: at once, in a list, or as one of several forms.
            let items = property.get("items");
            let forms = property.get("anyOf").and_then(|forms| forms.as_array()).into_iter().flatten();
            for form in std::iter::once(property).chain(items).chain(forms) {
                let reference = form.get("$ref").and_then(|r| r.as_str()).and_then(|r| r.strip_prefix('#'));
                if let Some(target) = reference.and_then(|pointer| root.pointer(pointer)) {
                    search(target, root, key, &here, found);
                }
            }
        }
    }
    let schema = json_schema().to_value();
    let mut found = Vec::new();
    search(&schema, &schema, key, "", &mut found);
    (!found.is_empty()).then(|| format!("{key:?} belongs to {}", found.join(" or ")))
}
