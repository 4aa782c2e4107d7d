//! What a profile itself says: its words are a maker's, never a person's.

use std::collections::BTreeSet;
use toml::Value;

/// Texts that a profile names, and beginnings and ends of ids.
#[derive(Debug, Default)]
pub(crate) struct Words {
    /// Each is a whole text.
    whole: BTreeSet<String>,
    /// Marks of controls, which may stand wherever an id or a name does.
    marks: BTreeSet<String>,
    /// Beginnings of ids that are no patient's.
    beginnings: BTreeSet<String>,
    /// Ends of such ids.
    ends: BTreeSet<String>,
}

/// Keys whose texts say nothing of the line, or hold examples.
const NOT_OF_THE_LINE: [&str; 6] = ["example", "name", "title", "driver", "extends", "evidence"];
/// Keys whose texts are beginnings.
const BEGINNINGS: [&str; 3] = ["sample_prefixes", "none_prefixes", "begins"];

/// The key whose texts are ends.
const ENDS: &str = "sample_suffixes";

/// Result words that makers share.
const RESULTS: [&str; 48] = [
    "a",
    "ab",
    "abnormal",
    "amber",
    "b",
    "borderline",
    "cells",
    "clear",
    "cloudy",
    "detected",
    "e",
    "equivocal",
    "error",
    "fail",
    "few",
    "g",
    "h",
    "hazy",
    "high",
    "indeterminate",
    "invalid",
    "l",
    "large",
    "low",
    "many",
    "mg",
    "ml",
    "moderate",
    "n",
    "neg",
    "negative",
    "non",
    "nonreactive",
    "normal",
    "not",
    "o",
    "over",
    "pass",
    "pos",
    "positive",
    "reactive",
    "red",
    "rh",
    "small",
    "trace",
    "under",
    "valid",
    "yellow",
];

/// Whether a run of letters in a result is a word that makers share.
pub(super) fn is_result_word(word: &[u8]) -> bool {
    RESULTS.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(word))
}

impl Words {
    /// Of a profile's text.
    pub(crate) fn of(profile: &str) -> Self {
        let mut words = Self::default();
        let table: toml::Table = toml::from_str(profile).unwrap_or_default();
        for (key, value) in &table {
            if !NOT_OF_THE_LINE.contains(&&**key) {
                words.add(key, value, key == "qc");
            }
        }
        words
    }

    fn add(&mut self, key: &str, value: &Value, of_qc: bool) {
        match value {
            Value::String(text) if BEGINNINGS.contains(&key) => {
                self.beginnings.insert(text.clone());
            }
            Value::String(text) if key == ENDS => {
                self.ends.insert(text.clone());
            }
            Value::String(text) if of_qc => {
                self.marks.insert(text.clone());
            }
            Value::String(text) => {
                self.whole.insert(text.clone());
            }
            Value::Array(list) => list.iter().for_each(|value| self.add(key, value, of_qc)),
            Value::Table(table) => table.iter().for_each(|(key, value)| self.add(key, value, of_qc)),
            _ => {}
        }
    }

    /// A text that the profile names and that is no name or id by chance.
    pub(super) fn has(&self, text: &[u8]) -> bool {
        std::str::from_utf8(text).is_ok_and(|text| self.whole.contains(text) || self.marks.contains(text))
    }

    /// A text that marks a control.
    pub(super) fn marks(&self, text: &[u8]) -> bool {
        std::str::from_utf8(text).is_ok_and(|text| self.marks.contains(text))
    }

    /// The length of the beginning by which this text is no patient's id.
    pub(super) fn beginning(&self, text: &[u8]) -> Option<usize> {
        let fits = |word: &&String| !word.is_empty() && text.starts_with(word.as_bytes());
        self.beginnings.iter().filter(fits).map(String::len).max()
    }

    /// The length of the end by which this text is no patient's id.
    pub(super) fn end(&self, text: &[u8]) -> Option<usize> {
        let fits = |word: &&String| !word.is_empty() && text.ends_with(word.as_bytes());
        self.ends.iter().filter(fits).map(String::len).max()
    }
}
