//! What a destination got, one line for each OBX, in a form that a person can write down beforehand.
//!
//! Promises that lines of one sample are in the order in which they came, and that OBR-3 is shown as the how many-th of its
//! sample it is, since the number in it comes of the time. Leaves out patients, times and devices.

use crate::oru::{field, segments};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The lines of each sample: sample, code, value, unit, OBX-11, OBR-3, OBX-4, which message of the sample, remarks. What is
/// empty is `-`, blanks are `_`. Remarks are those of the gateway, in brackets, those on the whole order first.
///
/// # Panics
/// When an OBR-3 is of two samples, or a message has more than one order.
#[must_use]
pub fn lines<'m>(messages: impl IntoIterator<Item = &'m [u8]>) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut fillers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for message in messages {
        let segments = segments(message);
        let of = |name: &str| segments.iter().find(|s| s.starts_with(name)).map_or("", String::as_str);
        assert_eq!(segments.iter().filter(|s| s.starts_with("OBR|")).count(), 1);
        let (sample, filler) = (field(of("SPM|"), 2).to_owned(), field(of("OBR|"), 3).to_owned());
        let others = fillers.iter().filter(|(other, _)| **other != sample).flat_map(|(_, all)| all);
        assert!(others.into_iter().all(|other| *other != filler), "{filler} is of two samples");
        let known = fillers.entry(sample.clone()).or_default();
        let number = known.iter().position(|other| *other == filler).unwrap_or_else(|| {
            known.push(filler);
            known.len() - 1
        });
        let count = counts.entry(sample.clone()).or_default();
        *count += 1;
        let lines = all.entry(sample.clone()).or_default();
        let begin = lines.len();
        let mut above = String::new();
        for segment in &segments {
            let shown = |n: usize| shown(field(segment, n));
            if segment.starts_with("OBX|") {
                let first = |n: usize| shown(n).split('^').next().unwrap_or("-").to_owned();
                lines.push(format!(
                    "{sample} {} {} {} {} #{} {} {count}{above}",
                    first(3),
                    shown(5),
                    if first(6).is_empty() { "-".to_owned() } else { first(6) },
                    shown(11),
                    number + 1,
                    shown(4),
                ));
            } else if segment.starts_with("NTE|") {
                let place = lines.get_mut(begin..).and_then(|lines| lines.last_mut()).unwrap_or(&mut above);
                let _ = write!(place, " [{}]", field(segment, 3));
            }
        }
    }
    all
}

fn shown(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.replace(' ', "_") }
}
