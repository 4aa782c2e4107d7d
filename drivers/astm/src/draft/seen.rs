//! What the records of a capture hold, counted place by place.
//!
//! Promises: nothing of a capture's content leaves here in words but codes, units, flags and letters, which a caller
//! asks for one by one; ids and texts are told by their shape. Leaves out what to make of it.

use crate::place::{Current, Place};
use orugate_protocol::astm::record::{Field, Record, RecordType, Records};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The records of all captures.
#[derive(Debug, Default)]
pub(super) struct Seen<'t> {
    pub(super) records: Vec<Record<'t>>,
    /// For each R record: itself and the records above it.
    pub(super) results: Vec<Current<'t>>,
    /// For each O record that has results (all O records when none has): itself and the records above it.
    pub(super) orders: Vec<Current<'t>>,
}

impl<'t> Seen<'t> {
    pub(super) fn of(texts: &'t [Vec<u8>]) -> Self {
        let mut seen = Self::default();
        let mut all_orders = Vec::new();
        for text in texts {
            let mut current = Current::default();
            let mut counted = false;
            for record in Records::new(text) {
                match record.kind() {
                    RecordType::Header => current = Current { header: Some(record), ..Current::default() },
                    RecordType::Patient => {
                        current =
                            Current { header: current.header, patient: Some(record), ..Current::default() };
                    }
                    RecordType::Order => {
                        current = Current { order: Some(record), result: None, ..current };
                        all_orders.push(current);
                        counted = false;
                    }
                    RecordType::Query => current = Current { query: Some(record), ..current },
                    RecordType::Result => {
                        current = Current { result: Some(record), ..current };
                        seen.results.push(current);
                        if current.order.is_some() && !counted {
                            seen.orders.push(current);
                            counted = true;
                        }
                    }
                    _ => {}
                }
                seen.records.push(record);
            }
        }
        if seen.orders.is_empty() {
            seen.orders = all_orders;
        }
        seen
    }

    /// The records of one kind.
    pub(super) fn of_kind(&self, kind: RecordType) -> impl Iterator<Item = &Record<'t>> {
        self.records.iter().filter(move |record| record.kind() == kind)
    }

    pub(super) fn count(&self, kind: RecordType) -> usize {
        self.of_kind(kind).count()
    }

    /// What a place holds, result by result.
    pub(super) fn results_at(&self, place: &str) -> Tally<'t> {
        Self::at(&self.results, place)
    }

    /// What a place holds, order by order.
    pub(super) fn orders_at(&self, place: &str) -> Tally<'t> {
        Self::at(&self.orders, place)
    }

    fn at(contexts: &[Current<'t>], place: &str) -> Tally<'t> {
        let place = Place::try_from(place.to_owned()).ok();
        Tally::of(contexts.iter().map(|current| place.and_then(|place| place.read(current))))
    }

    /// What a field holds, header by header.
    pub(super) fn headers_at(&self, field: usize) -> Tally<'t> {
        Tally::of(self.of_kind(RecordType::Header).map(|header| Some(header.field(field).trimmed())))
    }
}

/// How often something is there, and what.
#[derive(Debug, Default)]
pub(super) struct Tally<'t> {
    pub(super) of: usize,
    pub(super) filled: usize,
    pub(super) values: BTreeMap<&'t [u8], usize>,
    pub(super) fields: Vec<Field<'t>>,
}

impl<'t> Tally<'t> {
    pub(super) fn of(fields: impl Iterator<Item = Option<Field<'t>>>) -> Self {
        let mut tally = Self::default();
        for field in fields {
            tally.of = tally.of.saturating_add(1);
            if let Some(field) = field.filter(|field| !field.is_empty()) {
                tally.filled = tally.filled.saturating_add(1);
                let count = tally.values.entry(field.bytes()).or_default();
                *count = count.saturating_add(1);
                tally.fields.push(field);
            }
        }
        tally
    }

    pub(super) fn is_everywhere(&self) -> bool {
        self.of > 0 && self.filled == self.of
    }

    pub(super) fn is_nowhere(&self) -> bool {
        self.filled == 0
    }

    /// `24 of 24`.
    pub(super) fn ratio(&self) -> String {
        format!("{} of {}", self.filled, self.of)
    }

    /// The different values, as far as a line has room; for codes, units, flags, letters.
    pub(super) fn list(&self) -> String {
        const ROOM: usize = 12;
        let mut out = String::new();
        for (value, count) in self.values.iter().take(ROOM) {
            let _ = write!(out, "{}{} ({count})", if out.is_empty() { "" } else { ", " }, plain(value));
        }
        if self.values.len() > ROOM {
            let _ = write!(out, " and {} more", self.values.len().saturating_sub(ROOM));
        }
        out
    }

    /// The shape of the first value, for ids and texts.
    pub(super) fn shape(&self) -> String {
        self.fields.first().map_or_else(|| "nothing".to_owned(), |field| shape(field.bytes()))
    }
}

/// A value that names nobody, in visible ASCII.
pub(super) fn plain(value: &[u8]) -> String {
    let mut out = String::from("`");
    for byte in value {
        if (b' '..0x7F).contains(byte) {
            out.push(char::from(*byte));
        } else {
            let _ = write!(out, "<x{byte:02X}>");
        }
    }
    out.push('`');
    out
}

/// What a text looks like, without what it says: `10 digits`, `2 letters, 1 hyphen, 4 digits`.
pub(super) fn shape(text: &[u8]) -> String {
    let kind = |byte: u8| match byte {
        b'0'..=b'9' => "digit",
        b'A'..=b'Z' | b'a'..=b'z' => "letter",
        b' ' => "space",
        b'-' => "hyphen",
        0x80.. => "byte above 7F",
        _ => "sign",
    };
    let mut runs: Vec<(&str, usize)> = Vec::new();
    for byte in text {
        match runs.last_mut() {
            Some((last, count)) if *last == kind(*byte) => *count = count.saturating_add(1),
            _ => runs.push((kind(*byte), 1)),
        }
    }
    let mut out = String::new();
    for (number, (kind, count)) in runs.iter().enumerate() {
        if number == 8 {
            out.push_str(", …");
            break;
        }
        let plural = if *count == 1 { "" } else { "s" };
        let _ = write!(out, "{}{count} {kind}{plural}", if number == 0 { "" } else { ", " });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_says_nothing_of_the_content() {
        assert_eq!(shape(b"1044041"), "7 digits");
        assert_eq!(shape(b"TT-24-0370"), "2 letters, 1 hyphen, 2 digits, 1 hyphen, 4 digits");
        assert_eq!(shape(b""), "");
        assert_eq!(plain(b"\xB5g|l"), "`<xB5>g|l`");
    }
}
