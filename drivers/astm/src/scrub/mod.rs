//! What one side sent on a line, without persons: the same link, the same records, other people.
//!
//! Promises that each byte stays where it is, so that pieces and times still fit; that control characters, delimiters,
//! codes, units, flags, ranges, values and times pass, and that a checksum is right if and only if it was. What is not known to
//! say nothing of a person does not pass: ids and names become stand-ins, texts and what is no record of a known message is replaced
//! by rule (letters x, digits 9). That goes for a frame whose checksum is wrong too, since its fields may have
//! shifted, and for what follows a frame that is missing. Leaves out what a value tells of somebody.

mod fields;
pub(crate) mod words;

use crate::link_options::{ChecksumOption, FrameNumbersOption};
use crate::plan::Plan;
use crate::values::Framing;
use orugate_driver::{StandIns, scrub_by_rule};
use orugate_protocol::ascii::{CR, ENQ, EOT, LF, STX, hex_digit};
use orugate_protocol::astm::link::{FrameView, checksum, next_number, parse_raw_frame};
use std::ops::Range;

/// Scrubs what one side sent from one end of a connection to the other. Letters and digits that were replaced by rule.
pub(crate) fn scrub(plan: &Plan, line: &mut [u8], stand_ins: &mut StandIns) -> usize {
    let original = line.to_vec();
    let mut scrubbing =
        Scrubbing { plan, original: &original, line, stand_ins, message: Message::default(), by_rule: 0 };
    if plan.profile.framing == Framing::Records || !original.contains(&STX) {
        scrubbing.bare();
    } else {
        scrubbing.frames();
    }
    scrubbing.by_rule
}

struct Scrubbing<'a> {
    plan: &'a Plan,
    original: &'a [u8],
    line: &'a mut [u8],
    stand_ins: &'a mut StandIns,
    message: Message,
    by_rule: usize,
}

/// The text of a message as far as it was gathered.
#[derive(Default)]
struct Message {
    text: Vec<u8>,
    /// Where each byte of it is on the line.
    places: Vec<usize>,
    /// A piece is missing: what comes until the next header cannot be told.
    blind: bool,
}

impl Scrubbing<'_> {
    /// All but the characters of a link is text.
    fn bare(&mut self) {
        for (place, byte) in self.original.iter().enumerate() {
            if *byte >= b' ' || matches!(*byte, CR | LF) {
                self.message.text.push(*byte);
                self.message.places.push(place);
            }
        }
        self.flush();
    }

    fn frames(&mut self) {
        let mut checksums: Vec<(Range<usize>, bool)> = Vec::new();
        let mut repeats: Vec<(Range<usize>, usize)> = Vec::new();
        // The last good frame, from its number to its end, and the number behind it; where nothing is known of it, none.
        let mut good: Option<Range<usize>> = None;
        let mut expected: Option<u8> = None;
        let mut at = 0usize;
        while let Some(byte) = self.original.get(at) {
            let rest = self.original.get(at..).unwrap_or_default();
            let Some(view) = parse_raw_frame(rest).filter(|view| is_whole(rest, view)) else {
                match *byte {
                    ENQ => {
                        self.flush();
                        (good, expected) = (None, Some(1));
                        self.message.blind = false;
                    }
                    EOT => {
                        self.flush();
                        (good, expected) = (None, None);
                    }
                    _ => self.rule(at..at.saturating_add(1)),
                }
                at = at.saturating_add(1);
                continue;
            };
            let of = |offset: usize| at.saturating_add(offset);
            let (text, end) = (of(view.text.start)..of(view.text.end), of(view.text.end).saturating_add(1));
            let body = of(1)..end;
            let bytes = self.original.get(body.clone()).unwrap_or_default();
            let stated = view.checksum.filter(|_| self.plan.profile.link.checksum != ChecksumOption::Absent);
            let right = stated.map(|stated| stated == checksum(bytes));
            let is_again = good.clone().filter(|good| self.original.get(good.clone()) == Some(bytes));
            if right == Some(false) && self.plan.profile.link.checksum == ChecksumOption::Verified {
                self.rule(text);
            } else if let Some(before) = is_again {
                repeats.push((before, body.start));
            } else {
                let strict = self.plan.profile.link.frame_numbers == FrameNumbersOption::Strict;
                if strict && expected.is_some_and(|number| number != view.number) {
                    self.flush();
                    self.message.blind = true;
                }
                self.take(text);
                expected = Some(next_number(view.number));
                good = Some(body.clone());
            }
            if let Some(right) = right {
                checksums.push((body, right));
            }
            at = if stated.is_some() { end.saturating_add(2) } else { end };
        }
        self.flush();
        for (from, to) in repeats {
            self.line.copy_within(from, to);
        }
        for (body, right) in checksums {
            let sum = checksum(self.line.get(body.clone()).unwrap_or_default());
            let sum = if right { sum } else { wrong(sum, self.original, &body) };
            for (place, digit) in (body.end..).zip([hex_digit(sum >> 4), hex_digit(sum)]) {
                if let Some(byte) = self.line.get_mut(place) {
                    *byte = if byte.is_ascii_lowercase() { digit.to_ascii_lowercase() } else { digit };
                }
            }
        }
    }

    /// Adds a frame's text to the message.
    fn take(&mut self, text: Range<usize>) {
        let bytes = self.original.get(text.clone()).unwrap_or_default();
        if self.message.blind && fields::is_header(bytes) {
            self.flush();
            self.message.blind = false;
        }
        self.message.text.extend_from_slice(bytes);
        self.message.places.extend(text);
    }

    /// The message is over: its text is scrubbed and put back where it stood.
    fn flush(&mut self) {
        let Message { text, places, blind } = std::mem::take(&mut self.message);
        let mut scrubbed = text.clone();
        self.by_rule = self.by_rule.saturating_add(if blind {
            scrub_by_rule(&mut scrubbed)
        } else {
            fields::scrub(self.plan, &text, &mut scrubbed, self.stand_ins)
        });
        for (place, byte) in places.into_iter().zip(scrubbed) {
            if let Some(on_line) = self.line.get_mut(place) {
                *on_line = byte;
            }
        }
    }

    fn rule(&mut self, range: Range<usize>) {
        let count = self.line.get_mut(range).map_or(0, scrub_by_rule);
        self.by_rule = self.by_rule.saturating_add(count);
    }
}

/// A frame in which no other begins.
fn is_whole(raw: &[u8], view: &FrameView) -> bool {
    raw.get(view.text.clone()).is_some_and(|text| !text.contains(&STX))
}

/// A sum that is wrong by as much as the one that was there.
fn wrong(sum: u8, original: &[u8], body: &Range<usize>) -> u8 {
    let was = checksum(original.get(body.clone()).unwrap_or_default());
    let stated = original.get(body.end..).and_then(|tail| match tail {
        [high, low, ..] => {
            let value = |digit| orugate_protocol::ascii::hex_value(digit);
            Some(value(*high)? << 4 | value(*low)?)
        }
        _ => None,
    });
    sum.wrapping_add(stated.unwrap_or(1).wrapping_sub(was))
}

#[cfg(test)]
mod tests;
