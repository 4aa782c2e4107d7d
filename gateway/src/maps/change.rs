//! What differs between the maps that an instrument had and those that it gets, in words.
//!
//! Promises that each row counts once: of several maps with a row for the same code, specimen and unit, the one that
//! decides. Leaves out names of files and the order of rows: what means the same is no difference.

use super::{Row, Table};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// So many rows of a kind are named.
const NAMED: usize = 5;

type Key = (String, Option<String>, Option<String>);

/// The rows that decide, by what they are found by.
fn rows(table: Option<&Table>) -> BTreeMap<Key, &Row> {
    let mut all = BTreeMap::new();
    for row in table.into_iter().flat_map(|table| &table.maps).flat_map(|map| &map.rows) {
        let specimen = row.specimen.as_ref().map(|specimen| specimen.to_ascii_lowercase());
        all.entry((row.code.clone(), specimen, row.unit.clone())).or_insert(row);
    }
    all
}

/// The difference as a clause.
#[must_use]
pub fn words(old: Option<&Table>, new: Option<&Table>) -> String {
    let (was, is) = (rows(old), rows(new));
    let added: Vec<String> = is
        .iter()
        .filter(|(key, _)| !was.contains_key(*key))
        .map(|(_, row)| format!("{} {}", found_by(row), row.loinc))
        .collect();
    let removed: Vec<String> =
        was.iter().filter(|(key, _)| !is.contains_key(*key)).map(|(_, row)| found_by(row)).collect();
    let changed: Vec<String> = is
        .iter()
        .filter_map(|(key, row)| Some((row, was.get(key)?)))
        .filter_map(|(row, before)| Some(format!("{}: {}", found_by(row), changes(before, row)?)))
        .collect();
    let mut text = String::new();
    for (list, what) in [(added, "added"), (changed, "changed"), (removed, "removed")] {
        if list.is_empty() {
            continue;
        }
        let rows = if list.len() == 1 { "row" } else { "rows" };
        let comma = if text.is_empty() { "" } else { "; " };
        let named = list.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        let more =
            if list.len() > NAMED { format!(", and {} more", list.len() - NAMED) } else { String::new() };
        let _ = write!(text, "{comma}{} {rows} {what} ({named}{more})", list.len());
    }
    if text.is_empty() { "the same rows decide".to_owned() } else { text }
}

/// `GLU (UR, mg/dL)`.
fn found_by(row: &Row) -> String {
    let more: Vec<&str> = [&row.specimen, &row.unit].into_iter().flatten().map(String::as_str).collect();
    if more.is_empty() { row.code.clone() } else { format!("{} ({})", row.code, more.join(", ")) }
}

fn changes(before: &Row, now: &Row) -> Option<String> {
    let panel =
        |row: &Row| row.panel.as_ref().map_or("none".to_owned(), |p| format!("{} {}", p.loinc, p.name));
    let all = [
        ("", before.loinc.clone(), now.loinc.clone()),
        ("name ", before.name.clone(), now.name.clone()),
        ("unit ", before.expected.words().to_owned(), now.expected.words().to_owned()),
        ("panel ", panel(before), panel(now)),
    ];
    let differing: Vec<String> = all
        .into_iter()
        .filter(|(_, was, is)| was != is)
        .map(|(what, was, is)| format!("{what}{was} → {is}"))
        .collect();
    (!differing.is_empty()).then(|| differing.join(", "))
}
