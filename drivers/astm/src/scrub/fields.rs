//! The fields of a message's records: which pass, and what stands in for the others.

use super::words::is_result_word;
use crate::plan::Plan;
use orugate_driver::StandIns;
use orugate_driver::span::Span;
use orugate_protocol::astm::record::{DelimiterSource, Field, Record, RecordType, Records};
use orugate_protocol::text::Delimiters;
use std::ops::Range;

/// A number of a record and a sex are shorter.
const SHORT: usize = 4;
/// Longer texts are no codes.
const CODE: usize = 60;
/// A shorter text that is an id somewhere is a code or a number elsewhere.
const AN_ID: usize = 6;
/// A name with so many digits is a serial number.
const SERIAL: usize = 5;
/// Days of birth become this one.
const BIRTH: &[u8] = b"19610615093000";

/// How a component passes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// As it is: a code, a unit, a flag, a number of the message's own.
    Code,
    /// As it is if it is a few characters, else an id: a field too many before it must not tell a day of birth.
    Short,
    /// A result.
    Value,
    /// As it is if it is a time, else an id.
    Time,
    /// A stand-in.
    Id,
    /// The same, but one letter or digit alone is an attribute or a place in a rack.
    IdOrLetter,
    /// A stand-in that no word of the profile saves.
    Name,
    /// A day of birth.
    Birth,
    /// The sender's name.
    Model,
    /// Replaced by rule.
    Text,
}

/// Whether this begins a message.
pub(super) fn is_header(text: &[u8]) -> bool {
    let first = Records::new(text).next();
    first.is_some_and(|record| record.delimiter_source() == DelimiterSource::Declared)
}

/// Scrubs `text` into `out`, which is a copy of it. Letters and digits of what is no record of a known message.
pub(super) fn scrub(plan: &Plan, text: &[u8], out: &mut [u8], stand_ins: &mut StandIns) -> usize {
    let records = Records::new(text).in_charset(plan.charset(text));
    let mut by_rule = 0usize;
    for record in records {
        let known = record.delimiter_source() == DelimiterSource::Declared
            && !matches!(record.kind(), RecordType::Other(_));
        if known {
            one(plan, &record, out, stand_ins);
        } else if let Some(bytes) = out.get_mut(places(record.span())) {
            by_rule = by_rule.saturating_add(orugate_driver::scrub_by_rule(bytes));
        }
    }
    by_rule
}

fn places(span: Span) -> Range<usize> {
    let place = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
    place(span.start)..place(span.end)
}

fn one(plan: &Plan, record: &Record<'_>, out: &mut [u8], stand_ins: &mut StandIns) {
    let delimiters = record.delimiters();
    for (number, field) in (1usize..).zip(record.fields()) {
        if number == 1 || (record.kind() == RecordType::Header && number == 2) {
            continue;
        }
        for repeat in field.repeats() {
            for (component, part) in (1usize..).zip(repeat.components()) {
                let pass = pass(record.kind(), number, component);
                replace(plan, part, pass, out, stand_ins, delimiters);
            }
        }
    }
}

fn pass(kind: RecordType, field: usize, component: usize) -> Pass {
    match (kind, field, component) {
        (RecordType::Header, 5, 1) => Pass::Model,
        (RecordType::Header, 12 | 13, _) => Pass::Code,
        (RecordType::Header, 11, _) => Pass::Text,
        (RecordType::Header, 14, _) => Pass::Time,
        (RecordType::Patient, 2 | 9, _) => Pass::Short,
        (RecordType::Patient, 6 | 7, _) => Pass::Name,
        (RecordType::Patient, 8, _) => Pass::Birth,
        (RecordType::Order, 2 | 5 | 6 | 12 | 26, _) | (RecordType::Order, 16, 1) => Pass::Code,
        (RecordType::Order, 7 | 8 | 9 | 15 | 23, _) => Pass::Time,
        (RecordType::Order, 14, _) => Pass::Text,
        (RecordType::Result, 2 | 3 | 5..=9, _) => Pass::Code,
        (RecordType::Result, 4, _) => Pass::Value,
        (RecordType::Result, 10 | 12 | 13, _) => Pass::Time,
        (RecordType::Comment, 2 | 3 | 5, _) => Pass::Code,
        (RecordType::Comment, _, _) => Pass::Text,
        (RecordType::Query, 2 | 5 | 13, _) => Pass::Code,
        (RecordType::Query, 7 | 8, _) => Pass::Time,
        (RecordType::Terminator, 2 | 3, _) => Pass::Code,
        (RecordType::Manufacturer | RecordType::Scientific, 2, _) => Pass::Code,
        (RecordType::Manufacturer | RecordType::Scientific, _, _) => Pass::Text,
        (RecordType::Patient, _, _) => Pass::Id,
        _ => Pass::IdOrLetter,
    }
}

fn replace(
    plan: &Plan,
    part: Field<'_>,
    pass: Pass,
    out: &mut [u8],
    stand_ins: &mut StandIns,
    delimiters: Delimiters,
) {
    let trimmed = part.trimmed();
    let text = trimmed.bytes();
    let Some(to) = out.get_mut(places(trimmed.span())) else { return };
    if text.is_empty() {
        return;
    }
    let words = &plan.words;
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    let known_word = if pass == Pass::Name { words.marks(text) } else { words.has(text) };
    match pass {
        _ if known_word => return,
        // An id that stands in a place for something else is an id still.
        Pass::Code | Pass::Value | Pass::Model if text.len() >= AN_ID && stand_ins.knows(text) => {
            stand_in(plan, to, stand_ins, delimiters);
        }
        Pass::Code if text.len() <= CODE => return,
        Pass::Model if digits < SERIAL => return,
        Pass::Time if is_time(text) => return,
        Pass::IdOrLetter if text.len() == 1 => return,
        Pass::Short if text.len() < SHORT => return,
        Pass::Birth if is_time(text) => {
            to.iter_mut().zip(BIRTH).for_each(|(to, birth)| *to = *birth);
        }
        Pass::Value => value(plan, to),
        Pass::Code | Pass::Text => rule(to),
        Pass::Time | Pass::Birth | Pass::Id | Pass::IdOrLetter | Pass::Short | Pass::Name | Pass::Model => {
            stand_in(plan, to, stand_ins, delimiters);
        }
    }
    // The second byte of a character that is gone may look like a delimiter.
    for byte in to {
        if [delimiters.field, delimiters.repeat, delimiters.component].contains(byte) {
            *byte = b'x';
        }
    }
}

/// A stand-in behind the beginning, or before the end, by which an id is no patient's. What stands between two escape characters and is one
/// letter is no part of an id.
fn stand_in(plan: &Plan, text: &mut [u8], stand_ins: &mut StandIns, delimiters: Delimiters) {
    let kept = plan.words.beginning(text).unwrap_or(0);
    let until = text.len().saturating_sub(plan.words.end(text).unwrap_or(0)).max(kept);
    let avoid = |made: &[u8]| {
        plan.words.has(made) || plan.words.beginning(made).is_some() || plan.words.end(made).is_some()
    };
    let Some(text) = text.get_mut(kept..until) else { return };
    for (number, piece) in text.split_mut(|byte| *byte == delimiters.escape).enumerate() {
        if number % 2 == 0 || piece.len() != 1 {
            stand_ins.replace(piece, &avoid);
        }
    }
}

/// Letters and what is outside ASCII become x, digits 9.
fn rule(text: &mut [u8]) {
    for byte in text {
        *byte = match *byte {
            b'0'..=b'9' => b'9',
            b'A'..=b'Z' | b'a'..=b'z' | 0x80.. => b'x',
            other => other,
        };
    }
}

/// Numbers and signs pass, and words that makers share.
fn value(plan: &Plan, text: &mut [u8]) {
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte >= 0x80;
    for word in text.chunk_by_mut(|left, right| is_letter(left) == is_letter(right)) {
        if word.first().is_some_and(is_letter) && !is_result_word(word) && !plan.words.has(word) {
            rule(word);
        }
    }
}

/// 8 to 14 digits that begin as a year does.
fn is_time(text: &[u8]) -> bool {
    matches!(text.len(), 8 | 10 | 12 | 14)
        && (text.starts_with(b"19") || text.starts_with(b"20"))
        && text.iter().all(u8::is_ascii_digit)
}
