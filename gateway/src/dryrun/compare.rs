//! How what two configurations make of one capture differs, in words for whoever answers for the results.
//!
//! Promises that each difference in an ORU is said, by destination and field, with the observations that it concerns
//! counted; of different values of one field the first few are shown. "No difference" is only said when all fields of
//! all ORUs are the same. Leaves out which of the two is right.

use super::{Observed, PARKED, Row, SENT, Seen};
use crate::words::count;
use similar::{Algorithm, capture_diff_slices};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// So many different values of a field are shown, and so many tests named.
const SHOWN: usize = 5;

/// The fields that people know by a name, what matters most first.
const FIELDS: [(&str, &str); 35] = [
    (PARKED, "waits for a person"),
    ("SPM-2", "sample id"),
    ("PID-3", "patient id"),
    ("OBX-3", "test"),
    ("OBX-5", "value"),
    ("OBX-2", "kind of value"),
    ("OBX-6", "unit"),
    ("OBX-7", "reference range"),
    ("OBX-8", "flags"),
    ("OBX-11", "status"),
    ("OBX-14", "time of the observation"),
    ("OBX-19", "time of the analysis"),
    ("OBX-18", "device"),
    ("NTE", "notes of the result"),
    ("NTE of OBR", "notes of the order"),
    ("MSH-11", "processing, P live or T test"),
    ("MSH-18", "charset"),
    ("OBR-2", "placer number"),
    ("OBR-3", "filler number"),
    ("ORC-2", "placer number of the order"),
    ("ORC-3", "filler number of the order"),
    ("OBR-4", "ordered test"),
    ("OBX-4", "sub-id"),
    ("SPM-4", "kind of specimen"),
    ("SPM-17", "time of the specimen"),
    ("PID-5", "patient's name"),
    ("PID-7", "date of birth"),
    ("PID-8", "sex"),
    ("MSH-3", "sending application"),
    ("MSH-4", "sending facility"),
    ("MSH-5", "receiving application"),
    ("MSH-6", "receiving facility"),
    ("MSH-10", "message's id"),
    ("MSH-7", "time of the message"),
    ("OBR-22", "time of the report"),
];

/// What is different.
#[derive(Debug)]
pub struct Comparison {
    /// In lines, for people.
    pub text: String,
    /// Anything is.
    pub differs: bool,
}

type Pair<'s> = (Option<&'s Observed>, Option<&'s Observed>);

/// Compares what was with what would be.
#[must_use]
pub fn compare(old: &Seen, new: &Seen) -> Comparison {
    let pairs = observations(old, new);
    let mut lines = Vec::new();
    if old.messages.len() != new.messages.len() {
        lines.push(format!("messages: {} → {}", old.messages.len(), new.messages.len()));
    }
    fates(&pairs, &mut lines);
    notes(old, new, &mut lines);
    let mut differs = !lines.is_empty();
    let gone = old.reached.iter().filter(|name| !new.reached.contains(name));
    for name in new.reached.iter().chain(gone) {
        let [before, now] = [old, new].map(|seen| seen.reached.iter().position(|reached| reached == name));
        let went = pairs.iter().filter(|(old, _)| row(*old, before).is_some()).count();
        let goes = pairs.iter().filter(|(_, new)| row(*new, now).is_some()).count();
        let observations = |n: usize| count(n as u64, "observation", "observations");
        match (before, now) {
            (Some(_), None) => {
                let went = observations(went);
                lines.push(format!("{name}: no longer reached; {went} went there"));
                differs = true;
            }
            (None, _) => {
                let go = if goes == 1 { "goes" } else { "go" };
                lines.push(format!("{name}: newly reached; {} {go} there", observations(goes)));
                differs = true;
            }
            (Some(_), Some(_)) => {
                let changes = fields(&pairs, before, now);
                if changes.is_empty() {
                    lines.push(format!("{name}: no difference in {}", observations(goes)));
                    continue;
                }
                differs = true;
                lines.push(format!("{name}: {} went there, {goes} would", observations(went)));
                lines.extend(changes.into_iter().map(|line| format!("  {line}")));
            }
        }
    }
    let mut text = String::new();
    for line in lines {
        let _ = writeln!(text, "  {line}");
    }
    Comparison { text, differs }
}

/// Which observation of the one is which of the other.
fn observations<'s>(old: &'s Seen, new: &'s Seen) -> Vec<Pair<'s>> {
    let raw = |seen: &'s Seen| -> Vec<&'s [u8]> { seen.messages.iter().map(|m| &*m.raw).collect() };
    let mut all = Vec::new();
    for (before, now) in paired(&raw(old), &raw(new)) {
        let of = |seen: &'s Seen, at: Option<usize>| -> &'s [Observed] {
            at.and_then(|at| seen.messages.get(at)).map_or(&[], |message| &message.observations)
        };
        let (before, now) = (of(old, before), of(new, now));
        let codes = |list: &'s [Observed]| -> Vec<&'s str> { list.iter().map(|o| &*o.code).collect() };
        all.extend(
            paired(&codes(before), &codes(now))
                .into_iter()
                .map(|(b, n)| (b.and_then(|at| before.get(at)), n.and_then(|at| now.get(at)))),
        );
    }
    all
}

/// Equally many are the same ones, in their order: a profile may only call them something else. Otherwise those that
/// are called the same are.
fn paired<K: std::hash::Hash + Eq + Ord>(old: &[K], new: &[K]) -> Vec<(Option<usize>, Option<usize>)> {
    if old.len() == new.len() {
        return (0..old.len()).map(|at| (Some(at), Some(at))).collect();
    }
    let mut pairs = Vec::new();
    for operation in capture_diff_slices(Algorithm::Myers, old, new) {
        let (_, before, now) = operation.as_tag_tuple();
        if before.len() == now.len() {
            pairs.extend(before.zip(now).map(|(before, now)| (Some(before), Some(now))));
        } else {
            pairs.extend(before.map(|at| (Some(at), None)));
            pairs.extend(now.map(|at| (None, Some(at))));
        }
    }
    pairs
}

/// What is sent, held, qc or not reportable now and was not.
fn fates(pairs: &[Pair<'_>], lines: &mut Vec<String>) {
    let mut changed: BTreeMap<(Option<&str>, Option<&str>), Vec<&str>> = BTreeMap::new();
    for (old, new) in pairs {
        let fates = (old.map(|o| &*o.fate), new.map(|n| &*n.fate));
        if fates.0 != fates.1 {
            let code = new.or(*old).map_or("", |observed| &*observed.code);
            changed.entry(fates).or_default().push(code);
        }
    }
    for ((before, now), codes) in changed {
        let what = match (before, now) {
            (Some(before), Some(now)) => format!("{before} → {now}"),
            (None, Some(now)) => format!("observation added, {now}"),
            (before, None) => format!("observation removed, was {}", before.unwrap_or(SENT)),
        };
        let number = count(codes.len() as u64, "observation", "observations");
        lines.push(format!("{number} ({}): {what}", listed(&codes)));
    }
}

/// Notes of the link and of the profile that are new, and those that are gone.
fn notes(old: &Seen, new: &Seen, lines: &mut Vec<String>) {
    let mut balance: BTreeMap<&str, i64> = BTreeMap::new();
    old.all_notes().for_each(|note| *balance.entry(note).or_default() -= 1);
    new.all_notes().for_each(|note| *balance.entry(note).or_default() += 1);
    for (note, more) in balance.into_iter().filter(|(_, more)| *more != 0) {
        let word = if more > 0 { "new" } else { "gone" };
        let times = if more.abs() == 1 { String::new() } else { format!(" ({} times)", more.abs()) };
        lines.push(format!("note {word}{times}: {note}"));
    }
}

fn row(observed: Option<&Observed>, at: Option<usize>) -> Option<&Row> {
    observed?.rows.get(at?)?.as_ref()
}

/// A field of an observation that is not what it was.
struct Changed<'s> {
    label: &'s str,
    code: &'s str,
    was: &'s str,
    is: &'s str,
}

/// One line for each field that differs for a destination, and for what goes there no longer or newly.
fn fields(pairs: &[Pair<'_>], before: Option<usize>, now: Option<usize>) -> Vec<String> {
    let (mut lost, mut gained, mut changed) = (Vec::new(), Vec::new(), Vec::new());
    let mut both = 0;
    for (old, new) in pairs {
        let code = new.or(*old).map_or("", |observed| &*observed.code);
        match (row(*old, before), row(*new, now)) {
            (Some(old), Some(new)) => {
                both += 1;
                changed.extend(changes(code, old, new));
            }
            (Some(_), None) => lost.push(code),
            (None, Some(_)) => gained.push(code),
            (None, None) => {}
        }
    }
    let mut lines = Vec::new();
    for (codes, what) in [(&lost, "removed"), (&gained, "added")] {
        if !codes.is_empty() {
            let number = count(codes.len() as u64, "observation", "observations");
            lines.push(format!("{number} {what}: {}", listed(codes)));
        }
    }
    let known = |label: &str| FIELDS.iter().position(|(field, _)| *field == label);
    let order = |change: &Changed<'_>| (known(change.label).unwrap_or(FIELDS.len()), change.label.to_owned());
    changed.sort_by_key(order);
    for values in changed.chunk_by(|a, b| a.label == b.label) {
        let label = values.first().map_or("", |change| change.label);
        let name = match known(label).and_then(|at| FIELDS.get(at)) {
            Some((field, name)) if field == name => (*name).to_owned(),
            Some((field, name)) => format!("{name} ({field})"),
            None => label.to_owned(),
        };
        lines.push(format!("{name} changed in {} of {both}: {}", values.len(), shown(values)));
    }
    lines
}

/// What differs between two rows, in the order of the message.
fn changes<'s>(code: &'s str, old: &'s Row, new: &'s Row) -> impl Iterator<Item = Changed<'s>> {
    let value = |row: &'s Row, label: &str| row.iter().find(|(known, _)| known == label).map(|(_, v)| &**v);
    let only_old = old.iter().filter(move |(label, _)| value(new, label).is_none());
    new.iter().chain(only_old).filter_map(move |(label, _)| {
        let [was, is] = [old, new].map(|row| value(row, label).unwrap_or_default());
        (was != is).then_some(Changed { label, code, was, is })
    })
}

/// The different changes, each with the first observation that has it.
fn shown(values: &[Changed<'_>]) -> String {
    let mut distinct: Vec<&Changed<'_>> = Vec::new();
    for value in values {
        if !distinct.iter().any(|known| (known.was, known.is) == (value.was, value.is)) {
            distinct.push(value);
        }
    }
    let shown = |text: &str| if text.is_empty() { "(empty)".to_owned() } else { text.to_owned() };
    let alone = distinct.len() == 1;
    let mut parts: Vec<String> = distinct
        .iter()
        .take(SHOWN)
        .map(|value| {
            let code = if alone { String::new() } else { format!("{} ", value.code) };
            format!("{code}{} → {}", shown(value.was), shown(value.is))
        })
        .collect();
    if distinct.len() > SHOWN {
        parts.push(format!("and {} more", distinct.len() - SHOWN));
    }
    parts.join("; ")
}

/// Tests by their codes, each once.
fn listed(codes: &[&str]) -> String {
    let mut distinct: Vec<&str> = Vec::new();
    for code in codes {
        if !distinct.contains(code) {
            distinct.push(code);
        }
    }
    let more = distinct.len().saturating_sub(SHOWN);
    distinct.truncate(SHOWN);
    let names = distinct.join(", ");
    if more == 0 { names } else { format!("{names} and {more} more") }
}

#[cfg(test)]
mod tests {
    use super::paired;

    #[test]
    fn equally_many_are_the_same_and_otherwise_names_count() {
        assert_eq!(paired(&["a", "b"], &["x", "y"]), [(Some(0), Some(0)), (Some(1), Some(1))]);
        assert_eq!(
            paired(&["a", "b", "c"], &["a", "c"]),
            [(Some(0), Some(0)), (Some(1), None), (Some(2), Some(1))]
        );
        assert_eq!(paired(&["a"], &["n", "a", "m"]), [(None, Some(0)), (Some(0), Some(1)), (None, Some(2))]);
        assert_eq!(paired::<&str>(&[], &["n"]), [(None, Some(0))]);
    }
}
