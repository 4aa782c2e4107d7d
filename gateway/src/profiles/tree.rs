//! A profile's TOML as a tree that remembers where each part was typed, so that a site's change can be laid over its
//! base and every mistake still be told at its line.
//!
//! Promises: what a tree is written as ([`Tree::write`]) is TOML with the values exactly as they were typed, in the
//! order in which they were typed, and each of its lines knows its origin. Leaves out comments, and what any key
//! means.

use crate::config::Position;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// Which of the texts that make a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The file itself.
    Own,
    /// The profile that it extends.
    Base,
}

/// A table; its entries in the order in which they were typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    /// As it was typed, with its quotes when it has any.
    key: String,
    /// What it means.
    name: String,
    origin: Origin,
    at: Position,
    value: Value,
}

#[derive(Clone, Debug)]
enum Value {
    /// As it was typed.
    Leaf(String),
    Table(Tree),
    Tables(Vec<(Position, Tree)>),
}

/// A tree as text.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) text: String,
    lines: Vec<Line>,
}

/// Where a line of [`Written::text`] comes from.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) origin: Origin,
    pub(super) at: Position,
    /// The key that it belongs to: `flag[1].code`.
    pub(super) path: String,
}

impl Written {
    /// The origin of a line, counted from 1.
    pub(super) fn line(&self, number: usize) -> Option<&Line> {
        self.lines.get(number.checked_sub(1)?)
    }

    fn put(&mut self, line: &str, origin: Origin, at: Position, path: &str) {
        self.lines.push(Line { origin, at, path: path.to_owned() });
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A table's header, with an empty line before it.
    fn head(&mut self, header: &str, origin: Origin, at: Position, path: &str) {
        if !self.text.is_empty() {
            self.put("", origin, at, path);
        }
        self.put(header, origin, at, path);
    }
}

/// A text that is no TOML: each fault with its place.
pub(super) type NoToml = Vec<(Position, String)>;

impl Tree {
    /// Reads a text.
    pub(super) fn read(text: &str, origin: Origin) -> Result<Self, NoToml> {
        let (table, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            return Ok(Self::of(text, table.get_ref(), origin));
        }
        let place = |error: &toml::de::Error| position(text, error.span().unwrap_or_default().start);
        Err(errors.iter().map(|error| (place(error), error.message().to_owned())).collect())
    }

    fn of(text: &str, table: &DeTable<'_>, origin: Origin) -> Self {
        let mut entries: Vec<(Range<usize>, Entry)> = table
            .iter()
            .map(|(key, value)| {
                let name = key.get_ref().to_string();
                let typed = text.get(key.span()).unwrap_or(&name).to_owned();
                let at = position(text, key.span().start);
                let value = match value.get_ref() {
                    DeValue::Table(inner) => Value::Table(Self::of(text, inner, origin)),
                    DeValue::Array(items) if items.iter().any(|item| item.get_ref().is_table()) => {
                        Value::Tables(
                            items
                                .iter()
                                .map(|item| {
                                    let tree = item.get_ref().as_table();
                                    let tree = tree.map(|table| Self::of(text, table, origin));
                                    (position(text, item.span().start), tree.unwrap_or_default())
                                })
                                .collect(),
                        )
                    }
                    _ => Value::Leaf(text.get(value.span()).unwrap_or_default().to_owned()),
                };
                (key.span(), Entry { key: typed, name, origin, at, value })
            })
            .collect();
        entries.sort_by_key(|(span, _)| span.start);
        Self(entries.into_iter().map(|(_, entry)| entry).collect())
    }

    /// Where the key at the top is, when it is there.
    pub(super) fn place(&self, name: &str) -> Option<Position> {
        self.0.iter().find(|entry| entry.name == name).map(|entry| entry.at)
    }

    /// The text of a key at the top; `Err` when something else stands there.
    pub(super) fn text(&self, name: &str) -> Option<Result<String, Position>> {
        let entry = self.0.iter().find(|entry| entry.name == name)?;
        let Value::Leaf(typed) = &entry.value else { return Some(Err(entry.at)) };
        // A value alone is no document.
        let value = format!("x = {typed}").parse::<toml::Table>().ok();
        let text = value.and_then(|table| Some(table.get("x")?.as_str()?.to_owned()));
        Some(text.ok_or(entry.at))
    }

    /// Takes the part at this path out; false when it is not there.
    pub(super) fn remove(&mut self, path: &str) -> bool {
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        let (name, number) = match first.strip_suffix(']').and_then(|first| first.rsplit_once('[')) {
            Some((name, number)) => (name, number.parse::<usize>().ok()),
            None => (first, None),
        };
        let Some(index) = self.0.iter().position(|entry| entry.name == name) else { return false };
        let Some(entry) = self.0.get_mut(index) else { return false };
        match (&mut entry.value, number, rest) {
            (Value::Table(inner), None, Some(rest)) => inner.remove(rest),
            (Value::Tables(items), Some(number), Some(rest)) => {
                items.get_mut(number).is_some_and(|(_, tree)| tree.remove(rest))
            }
            (Value::Tables(items), Some(number), None) if number < items.len() => {
                items.remove(number);
                true
            }
            (_, None, None) => {
                self.0.remove(index);
                true
            }
            _ => false,
        }
    }

    /// This over a base: its keys replace the base's, table by table; a list replaces a list. Of the base's own keys
    /// at the top, those in `own` are left behind.
    pub(super) fn over(self, base: Self, own: &[&str]) -> Self {
        let base = base.0.into_iter().filter(|entry| !own.contains(&entry.name.as_str()));
        Self(base.collect()).under(self)
    }

    fn under(mut self, upper: Self) -> Self {
        let mut added = Vec::new();
        for entry in upper.0 {
            let Some(below) = self.0.iter_mut().find(|below| below.name == entry.name) else {
                added.push(entry);
                continue;
            };
            below.origin = entry.origin;
            below.at = entry.at;
            below.value = match (std::mem::replace(&mut below.value, Value::Leaf(String::new())), entry.value)
            {
                (Value::Table(below), Value::Table(above)) => Value::Table(below.under(above)),
                (_, above) => above,
            };
        }
        // What the file itself says first is what a reader looks for first.
        added.append(&mut self.0);
        Self(added)
    }

    /// As TOML.
    pub(super) fn write(&self) -> Written {
        let mut out = Written::default();
        self.write_into(&mut out, "", "");
        out
    }

    fn write_into(&self, out: &mut Written, header: &str, path: &str) {
        let join = |outer: &str, inner: &str| {
            if outer.is_empty() { inner.to_owned() } else { format!("{outer}.{inner}") }
        };
        for entry in &self.0 {
            if let Value::Leaf(typed) = &entry.value {
                let path = join(path, &entry.name);
                for (number, line) in format!("{} = {typed}", entry.key).split('\n').enumerate() {
                    let column = if number == 0 { entry.at.column } else { 1 };
                    out.put(line, entry.origin, Position { line: entry.at.line + number, column }, &path);
                }
            }
        }
        for entry in &self.0 {
            let (header, path) = (join(header, &entry.key), join(path, &entry.name));
            match &entry.value {
                Value::Leaf(_) => {}
                Value::Table(inner) => {
                    out.head(&format!("[{header}]"), entry.origin, entry.at, &path);
                    inner.write_into(out, &header, &path);
                }
                Value::Tables(items) => {
                    for (number, (at, item)) in items.iter().enumerate() {
                        let path = format!("{path}[{number}]");
                        out.head(&format!("[[{header}]]"), entry.origin, *at, &path);
                        item.write_into(out, &header, &path);
                    }
                }
            }
        }
    }
}

/// The place of a byte offset.
pub(super) fn position(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    Position {
        line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
        column: before.get(start..).unwrap_or_default().chars().count() + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "name = \"base\"\ncharset = \"ascii\" # a comment\n[code]\nid = 5\nreplicate = 6\n\
        [[flag]]\ncode = \"W\"\n[[flag]]\ncode = \"A\"\nmeaning = '''\ntwo\nlines'''\n";

    #[test]
    fn a_tree_is_written_as_it_was_typed_and_knows_its_lines() {
        let tree = Tree::read(BASE, Origin::Own).unwrap();
        let written = tree.write();
        assert_eq!(
            written.text,
            "name = \"base\"\ncharset = \"ascii\"\n\n[code]\nid = 5\nreplicate = 6\n\n[[flag]]\ncode = \"W\"\n\n\
             [[flag]]\ncode = \"A\"\nmeaning = '''\ntwo\nlines'''\n"
        );
        let places: Vec<_> = (1..=15).map(|n| written.line(n).unwrap().at.line).collect();
        assert_eq!(places, [1, 2, 3, 3, 4, 5, 6, 6, 7, 8, 8, 9, 10, 11, 12]);
        assert_eq!(written.line(12).unwrap().path, "flag[1].code");
        assert!(written.line(16).is_none() && written.line(0).is_none());
        // What was written reads the same.
        let (first, again) = (BASE.parse::<toml::Table>().unwrap(), written.text.parse().unwrap());
        assert_eq!(first, again);
    }

    #[test]
    fn keys_replace_keys_table_by_table_and_lists_replace_lists() {
        let base = Tree::read(BASE, Origin::Base).unwrap();
        let change = "name = \"ours\"\n[[flag]]\ncode = \"X\"\n[code]\nid = 3\n[time]\nstarted = \"R.12\"\n";
        let written = Tree::read(change, Origin::Own).unwrap().over(base, &["name"]).write();
        let effective: toml::Table = written.text.parse().unwrap();
        let expected: toml::Table = "name = \"ours\"\ncharset = \"ascii\"\nflag = [{ code = \"X\" }]\n\
            code = { id = 3, replicate = 6 }\ntime = { started = \"R.12\" }"
            .parse()
            .unwrap();
        assert_eq!(effective, expected, "{}", written.text);
        let line = written.text.lines().position(|line| line == "replicate = 6").unwrap() + 1;
        assert_eq!(written.line(line).unwrap().origin, Origin::Base);
        assert_eq!(written.line(line).unwrap().at.line, 5);
    }

    #[test]
    fn parts_are_taken_out_by_their_path() {
        let mut tree = Tree::read(BASE, Origin::Own).unwrap();
        for path in ["code.id", "flag[1].meaning", "flag[0]", "charset"] {
            assert!(tree.remove(path), "{path}");
        }
        for path in ["code.id", "flag[7]", "flag[0].none", "name.x", "none"] {
            assert!(!tree.remove(path), "{path}");
        }
        assert_eq!(tree.write().text, "name = \"base\"\n\n[code]\nreplicate = 6\n\n[[flag]]\ncode = \"A\"\n");
    }

    #[test]
    fn what_is_no_toml_is_said_with_its_place() {
        let faults = Tree::read("a = 1\nb = \n", Origin::Own).unwrap_err();
        assert_eq!(faults.first().unwrap().0.line, 2);
    }
}
