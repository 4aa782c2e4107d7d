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
            let span = error.span().unwrap_or_default();
            let twice = error.message() == "duplicate key";
            let list =
                text.get(span.clone()).filter(|key| twice && ["destination", "instrument"].contains(key));
            let hint = list.map(|list| format!("write each header as [[{list}]]"));
            let message = format!("not TOML: {}", one_line(error.message()));
            out.wrong(source.mistake(String::new(), span.start, message).hint(hint));
        }
        return None;
    }
    source.instruments = names(tree.get_ref(), "instrument");
    source.destinations = names(tree.get_ref(), "destination");
    let whole = tree.clone();
    for _ in 0..MAX_MISTAKES {
        let error = match ConfigFile::deserialize(Deserializer::from(tree.clone())) {
            Ok(typed) => return Some((source, typed)),
            Err(error) => error,
        };
        let span = error.span().unwrap_or_default();
        // An error that points at nothing in the tree cannot be cut out; it is the last one that is told.
        let told = cut_out(tree.get_mut(), &span);
        // Its path is that in the whole file: in what is left, the places in lists have moved.
        let Some(cut) = told.and_then(|_| cut_out(whole.clone().get_mut(), &span)) else {
            out.wrong(source.mistake(String::new(), span.start, one_line(error.message())));
            return None;
        };
        let (message, hint) = reword(error.message(), &cut.path, cut.kind, &json_schema().to_value());
        out.wrong(source.mistake(cut.path, span.start, message).hint(hint));
    }
    let end = source.text.len();
    out.wrong(source.mistake(
        String::new(),
        end,
        format!("has more than the {MAX_MISTAKES} mistakes listed"),
    ));
    None
}

/// `gateway.admin_socket` of a text that may have any mistakes.
pub(super) fn admin_socket(text: &str) -> Option<PathBuf> {
    let (tree, _) = DeTable::parse_recoverable(text);
    let gateway = tree.get_ref().get("gateway")?.get_ref().as_table()?;
    Some(PathBuf::from(gateway.get("admin_socket")?.get_ref().as_str()?))
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

/// What was taken out of the tree.
struct Cut {
    /// Its key, such as `instrument[2].wire.baud`.
    path: String,
    /// The TOML type of the value: `table`, `datetime`, …
    kind: &'static str,
}

impl Cut {
    /// The same, seen from one table or list further out.
    fn below(self, outer: &str) -> Self {
        let dot = if self.path.starts_with('[') { "" } else { "." };
        Self { path: format!("{outer}{dot}{}", self.path), kind: self.kind }
    }
}

/// Takes the key or value that an error points at out of the tree. What is further out comes first: a list of tables
/// has the span of its first header, and it is the list that is complained about.
fn cut_out(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<Cut> {
    let hit = table.iter().find(|(key, value)| key.span() == *span || value.span() == *span);
    if let Some(path) = hit.map(|(key, _)| key.get_ref().to_string()) {
        let kind = table.remove(path.as_str())?.get_ref().type_str();
        return Some(Cut { path, kind });
    }
    table.iter_mut().find_map(|(key, value)| Some(cut_inside(value.get_mut(), span)?.below(key.get_ref())))
}

fn cut_inside(value: &mut DeValue<'_>, span: &Range<usize>) -> Option<Cut> {
    let list = match value {
        DeValue::Table(table) => return cut_out(table, span),
        DeValue::Array(list) => list,
        _ => return None,
    };
    for (number, item) in list.iter_mut().enumerate() {
        if let Some(cut) = cut_inside(item.get_mut(), span) {
            return Some(cut.below(&format!("[{number}]")));
        }
    }
    let (number, item) = list.iter().enumerate().find(|(_, item)| item.span() == *span)?;
    let cut = Cut { path: format!("[{number}]"), kind: item.get_ref().type_str() };
    let items = std::mem::replace(list, DeArray::new()).into_iter().enumerate();
    *list = items.filter(|(at, _)| *at != number).map(|(_, item)| item).collect();
    Some(cut)
}

/// serde's words in ours. Whatever has another form is passed on as it is. `path` is the key that is complained about,
/// `kind` the TOML type of what stands there, `schema` that of the whole file.
pub(crate) fn reword(
    message: &str,
    path: &str,
    kind: &str,
    schema: &serde_json::Value,
) -> (String, Option<String>) {
    let key = path.rsplit('.').next().unwrap_or(path);
    if let Some(rest) =
        message.strip_prefix("unknown field `").and_then(|rest| rest.split_once("`, expected "))
    {
        let allowed: Vec<&str> = quoted(rest.1).collect();
        let hint = did_you_mean(rest.0, allowed.iter().copied()).or_else(|| belongs_elsewhere(key, schema));
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
        // Headers are told for the top of a file only; further in, one seldom means a header.
        let top = !path.contains(['.', '[']);
        let hint = match (found, expected) {
            ("map", "a sequence") if top && kind == "table" => {
                Some(format!("write the header as [[{path}]]"))
            }
            ("sequence", "a table") if top => Some(format!("there is one only, so its header is [{path}]")),
            _ => None,
        };
        let expected = match expected {
            "i64" => "a whole number without quotes",
            "a string" => "text in quotes",
            "a boolean" => "true or false without quotes",
            "a sequence" => "a list in brackets [ ]",
            "a table" => "a table { }",
            other => other,
        };
        let found = match found {
            "sequence" => "a list".to_owned(),
            "map" if kind == "table" => "a table".to_owned(),
            "map" => "a date or time".to_owned(),
            // A text is quoted as it was typed; numbers and the like are in backticks.
            text if text.starts_with("string ") => shortened(text),
            other => other.replace('`', ""),
        };
        return (format!("{found} stands here; allowed is {expected}"), hint);
    }
    (one_line(message), None)
}

/// The pieces between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// So much that it can be recognised; a line shall stay one.
fn shortened(text: &str) -> String {
    const ENOUGH: usize = 60;
    let mut short: String = text.chars().take(ENOUGH).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn one_line(message: &str) -> String {
    let mut line = String::new();
    for part in message.lines() {
        let _ = write!(line, "{}{part}", if line.is_empty() { "" } else { ", " });
    }
    line
}

/// For a key that is right but stands in the wrong table: where it belongs, from the schema.
fn belongs_elsewhere(key: &str, schema: &serde_json::Value) -> Option<String> {
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
            // A table stands here or behind a reference; it may be a list's or one of several forms.
            let items = property.get("items");
            let forms = property.get("anyOf").and_then(|forms| forms.as_array()).into_iter().flatten();
            for form in std::iter::once(property).chain(items).chain(forms) {
                let reference = form.get("$ref").and_then(|r| r.as_str()).and_then(|r| r.strip_prefix('#'));
                let target = reference.map_or(Some(form), |pointer| root.pointer(pointer));
                target.into_iter().for_each(|target| search(target, root, key, &here, found));
            }
        }
    }
    let mut found = Vec::new();
    search(schema, schema, key, "", &mut found);
    (!found.is_empty()).then(|| format!("{key:?} belongs to {}", found.join(" or ")))
}
