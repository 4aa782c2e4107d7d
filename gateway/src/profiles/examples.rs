//! A profile's examples, run: what each gives, how that differs from what it says, and a file with what came.
//!
//! Promises: the output of an example depends on the profile and the example alone; what changes with the clock is
//! printed as `(now)`. Leaves out whether what came is right: a person compares it with the analyzer.

use crate::replay::{How, hear, replay};
use orugate_driver::Profile;
use orugate_protocol::time::Utc;
use similar::{ChangeTag, TextDiff};
use std::fmt::Write as _;
use std::ops::Range;
use toml::de::DeTable;

/// When examples are replayed, and as MSH, ORC and OBR write it.
const NOW: (Utc, &str) = (Utc(1_795_000_000_000_000), "20261118110640.000+0000");

/// What `orugate replay` prints for an example's input, with fixed times.
#[must_use]
pub fn output(profile: &dyn Profile, input: &str) -> String {
    let heard = hear(profile, &profile.example_bytes(input), &[]);
    let mut text = String::new();
    replay(profile, &heard, &How::at(NOW.0), &mut text, &mut |_| {});
    let mut stable = String::new();
    for line in text.lines() {
        let _ = writeln!(stable, "{}", line.replace(NOW.1, "(now)").trim_end());
    }
    stable.trim().to_owned()
}

/// An example that gives something else than it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The example's number, from 0.
    pub number: usize,
    /// What it shows.
    pub shows: String,
    /// What came.
    pub got: String,
    /// Both, line by line: `-` was expected and did not come, `+` came and was not expected.
    pub lines: String,
}

/// Two texts, line by line: `-` is only in the first, `+` only in the second.
pub(crate) fn line_by_line(first: &str, second: &str) -> String {
    let mut lines = String::new();
    for change in TextDiff::from_lines(first, second).iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => ' ',
        };
        let _ = writeln!(lines, "{sign}{}", change.value().trim_end_matches('\n'));
    }
    lines
}

/// All examples that do not give what they say.
#[must_use]
pub fn differences(profile: &dyn Profile) -> Vec<Difference> {
    let mut found = Vec::new();
    for (number, example) in profile.common().examples.iter().enumerate() {
        let got = output(profile, &example.input);
        let expected = example.expect.trim();
        if got != expected {
            let lines = line_by_line(expected, &got);
            found.push(Difference { number, shows: example.shows.clone(), got, lines });
        }
    }
    found
}

/// The profile's text with what came in the place of what was expected. `None` when the text has no such examples.
#[must_use]
pub fn blessed(text: &str, differences: &[Difference]) -> Option<String> {
    let mut new = text.to_owned();
    // From the end, so that the places before stay right.
    for difference in differences.iter().rev() {
        new.replace_range(expect_span(text, difference.number)?, &written(&difference.got));
    }
    Some(new)
}

fn expect_span(text: &str, number: usize) -> Option<Range<usize>> {
    let table = DeTable::parse(text).ok()?;
    let examples = table.get_ref().get("example")?.get_ref().as_array()?;
    let example = examples.get(number)?;
    Some(example.get_ref().as_table()?.get("expect")?.span())
}

fn written(got: &str) -> String {
    if got.is_empty() {
        return "\"\"".to_owned();
    }
    if got.contains("'''") || got.chars().any(|c| c.is_control() && c != '\n') {
        return toml::Value::from(got).to_string();
    }
    format!("'''\n{got}\n'''")
}
