//! A capture's message as an example: the same shape, with an invented patient.
//!
//! Promises: of a capture's content only what says nothing about a person passes as it is: delimiters, letters that
//! LIS02 defines, test codes, units, ranges, flags, short result words, the model's name. Ids, names, numbers, dates
//! and texts become invented ones of the same length, places keep their widths, and nothing outside the records
//! passes. Leaves out M and S records, and most of a long message.

use crate::script;
use orugate_protocol::ascii::{ENQ, EOT};
use orugate_protocol::astm::record::{Record, RecordType};
use orugate_protocol::text::Delimiters;

/// As many results as show what is to be shown.
const RESULTS: usize = 8;
/// A name with so many digits is a number.
const SERIAL: usize = 5;
/// A result word that is longer is a text.
const WORD: usize = 16;

/// How a part of a record passes.
#[derive(Clone, Copy)]
enum Pass {
    /// As it is.
    Whole,
    /// Letters as they are, digits invented: a value.
    Value,
    /// All invented: an id.
    Id,
    /// All of it replaced: a text.
    Text,
    /// A patient's name.
    Name,
    /// A day of birth.
    Birth,
    /// The sender's name; some put a serial number there.
    Model,
}

/// The example's input: the first message with results (else the first one), scrubbed; as frames when `framed`.
pub(super) fn example(records: &[Record<'_>], framed: bool) -> String {
    let chosen = choose(records);
    let mut lines: Vec<Vec<u8>> = chosen.iter().map(|record| scrub(record)).collect();
    if !framed && lines.iter().flatten().all(u8::is_ascii) {
        return lines.iter().map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect();
    }
    let mut out = script::show(&[ENQ]);
    for (number, line) in (1usize..).zip(&mut lines) {
        let shown = script::show(line);
        out.push_str(&format!("<STX>{}{shown}<CR><ETX><CS><CR><LF>\n", number & 7));
    }
    out.push_str(&script::show(&[EOT]));
    out
}

fn choose<'r, 't>(records: &'r [Record<'t>]) -> Vec<&'r Record<'t>> {
    let mut messages: Vec<Vec<&Record<'_>>> = Vec::new();
    for record in records {
        match messages.last_mut() {
            Some(message) if record.kind() != RecordType::Header => message.push(record),
            _ => messages.push(vec![record]),
        }
    }
    let has_results = |message: &Vec<&Record<'_>>| message.iter().any(|r| r.kind() == RecordType::Result);
    let index = messages.iter().position(has_results).unwrap_or(0);
    let Some(message) = messages.into_iter().nth(index) else { return Vec::new() };
    let mut left = RESULTS;
    // What follows a result that was left out belongs to it.
    let mut open = true;
    message
        .into_iter()
        .filter(|record| match record.kind() {
            RecordType::Result => {
                open = left > 0;
                left = left.saturating_sub(1);
                open
            }
            RecordType::Comment => open,
            RecordType::Manufacturer | RecordType::Scientific | RecordType::Other(_) => false,
            RecordType::Header | RecordType::Patient | RecordType::Order | RecordType::Query => {
                open = left > 0;
                open
            }
            _ => true,
        })
        .collect()
}

fn scrub(record: &Record<'_>) -> Vec<u8> {
    let delimiters = record.delimiters();
    let mut out = Vec::new();
    for (number, field) in (1usize..).zip(record.fields()) {
        if number > 1 {
            out.push(delimiters.field);
        }
        // What stands at the end and says nothing is no loss.
        match (record.kind(), number) {
            (_, 1) | (RecordType::Header, 2) => out.extend_from_slice(field.bytes()),
            _ => {
                part(field.bytes(), delimiters, |component| pass(record.kind(), number, component), &mut out)
            }
        }
    }
    for byte in &mut out {
        if *byte < b' ' || *byte == 0x7F {
            *byte = b' ';
        }
    }
    out
}

/// Delimiters pass; what stands between them as `pass` says for its component, counted from 1.
fn part(field: &[u8], delimiters: Delimiters, pass: impl Fn(usize) -> Pass, out: &mut Vec<u8>) {
    let Delimiters { repeat, component, escape, .. } = delimiters;
    let mut number = 1usize;
    let mut start = 0usize;
    let between = |from: usize, to: usize| field.get(from..to).unwrap_or_default();
    for (at, byte) in field.iter().enumerate() {
        if ![repeat, component, escape].contains(byte) {
            continue;
        }
        replace(between(start, at), pass(number), out);
        out.push(*byte);
        start = at.saturating_add(1);
        number = match *byte {
            b if b == component => number.saturating_add(1),
            b if b == repeat => 1,
            _ => number,
        };
    }
    replace(between(start, field.len()), pass(number), out);
}

fn pass(kind: RecordType, field: usize, component: usize) -> Pass {
    match (kind, field, component) {
        (RecordType::Header, 5, 1) => Pass::Model,
        (RecordType::Header, 11..=13, _) => Pass::Whole,
        (RecordType::Patient, 2 | 9, _) => Pass::Whole,
        (RecordType::Patient, 6, _) => Pass::Name,
        (RecordType::Patient, 8, _) => Pass::Birth,
        (RecordType::Order, 2 | 5 | 6 | 12 | 26, _) | (RecordType::Order, 16, 1) => Pass::Whole,
        (RecordType::Result, 2 | 3 | 5..=9, _) => Pass::Whole,
        (RecordType::Result, 4, _) => Pass::Value,
        (RecordType::Comment, 2 | 3 | 5, _) => Pass::Whole,
        (RecordType::Comment, _, _) => Pass::Text,
        (RecordType::Query, 2 | 5 | 13, _) => Pass::Whole,
        (RecordType::Terminator, _, _) => Pass::Whole,
        _ => Pass::Id,
    }
}

fn replace(text: &[u8], pass: Pass, out: &mut Vec<u8>) {
    let date = is_date(text);
    let words = text.len() <= WORD;
    let pass = match pass {
        Pass::Model if text.iter().filter(|b| b.is_ascii_digit()).count() >= SERIAL => Pass::Id,
        Pass::Model => Pass::Whole,
        other => other,
    };
    match pass {
        Pass::Whole if !date => out.extend_from_slice(text),
        Pass::Name => {
            out.extend(text.iter().zip(b"TESTPATIENT".iter().cycle()).map(|(old, new)| match old {
                b' ' => b' ',
                _ => *new,
            }))
        }
        _ if date => {
            let invented = if matches!(pass, Pass::Birth) { b"19610615093000" } else { b"20261122093000" };
            out.extend(text.iter().enumerate().map(|(at, old)| invented.get(at).copied().unwrap_or(*old)));
        }
        Pass::Value => {
            let mut first = true;
            for byte in text {
                let new = match byte {
                    // Its length is what matters; a zero that leads stays one.
                    b'0' if first => b'0',
                    b'0'..=b'9' => b'1'.saturating_add(byte.wrapping_add(4) % 9),
                    b'A'..=b'Z' | b'a'..=b'z' if !words => b'x',
                    0x80.. if !words => b'x',
                    other => *other,
                };
                first &= !byte.is_ascii_digit();
                out.push(new);
            }
        }
        Pass::Text if text.len() <= 3 && text.iter().all(u8::is_ascii_digit) => out.extend_from_slice(text),
        Pass::Text => {
            out.extend(text.iter().map(|b| if b.is_ascii_alphanumeric() || *b >= 0x80 { b'x' } else { *b }))
        }
        Pass::Id | Pass::Whole | Pass::Birth | Pass::Model => {
            let last = text.iter().rposition(u8::is_ascii_digit);
            out.extend(text.iter().enumerate().map(|(at, byte)| match byte {
                b'0'..=b'9' if Some(at) == last => b'1',
                b'0'..=b'9' => b'0',
                b'A'..=b'Z' | b'a'..=b'z' | 0x80.. => b'T',
                other => *other,
            }));
        }
    }
}

/// 8 to 14 digits that begin as a year does.
fn is_date(text: &[u8]) -> bool {
    matches!(text.len(), 8 | 10 | 12 | 14)
        && (text.starts_with(b"19") || text.starts_with(b"20"))
        && text.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use orugate_protocol::astm::record::Records;

    #[test]
    fn what_says_who_is_invented_and_what_says_what_stays() {
        let message = b"H|\\^&|||LABX^00-24^BD777||||||||E1394-97|20240627135407\rP|1||A-778|99|Doe^Jane^Q||19870626|F\r\
            O|1|778812^3^ 4||^^^GLU\\^^^NA|R|20240627|||||N||||SERUM^left\rC|1|I|Call Dr House|G\r\
            R|1|^^^GLU|105.20|mg/dL|70 to 105|H||F||JSMITH||20240627135407|SN7788\r\
            R|2|^^^NA|Positive|||A||F\rC|1|I|43|I\rM|1|secret\rL|1|N\r";
        let records: Vec<_> = Records::new(message).collect();
        assert_eq!(
            example(&records, false),
            "H|\\^&|||LABX^00-01^TT001||||||||E1394-97|20261122093000\n\
             P|1||T-001|01|TES^TEST^T||19610615|F\n\
             O|1|000001^1^ 1||^^^GLU\\^^^NA|R|20261122|||||N||||SERUM^TTTT\n\
             C|1|I|xxxx xx xxxxx|G\n\
             R|1|^^^GLU|984.18|mg/dL|70 to 105|H||F||TTTTTT||20261122093000|TT0001\n\
             R|2|^^^NA|Positive|||A||F\nC|1|I|43|I\nL|1|N\n"
        );
        assert!(example(&records, true).starts_with("<ENQ>\n<STX>1H|\\^&|||LABX"));
        assert!(example(&records, true).ends_with("<STX>0L|1|N<CR><ETX><CS><CR><LF>\n<EOT>\n"));
    }
}
