//! A line, with the pattern that it fits: where its values are, and what it says of them.
//!
//! Promises: a place in it is found by the plan alone, without allocation; a value is a number only when it is written as
//! one. Leaves out which values go where.

use crate::pattern::{self, Parts};
use crate::plan::{Field, Line, Plan, Source, Split, Test};
use crate::profile::KindWord;
use orugate_driver::report::{Alarm, Marks};
use orugate_driver::time::DeviceTime;
use std::ops::Range;

/// A line that fits.
pub(crate) struct Seen<'p, 'm> {
    pub(crate) plan: &'p Plan,
    pub(crate) line: &'p Line,
    pub(crate) number: usize,
    /// The unit's text.
    pub(crate) text: &'m [u8],
    parts: Parts,
}

/// Why a unit is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// No pattern fits.
    NoPattern,
    /// It says how many values it has, and has another number.
    Count { said: u32, found: u32 },
}

/// A value in its place: the digits, the flags and the unit beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) value: Range<usize>,
    pub(crate) flags: Range<usize>,
    pub(crate) unit: Range<usize>,
}

/// What a value's text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Number,
    /// Dashes, nothing, or what the profile says is none.
    Nothing,
    /// Anything else.
    Words,
}

impl<'p, 'm> Seen<'p, 'm> {
    /// The first kind of line that a unit's text fits.
    pub(crate) fn of(plan: &'p Plan, text: &'m [u8]) -> Result<Self, Unfit> {
        for (number, line) in plan.lines.iter().enumerate() {
            let Some(parts) = line.pattern.fits(text) else { continue };
            let seen = Self { plan, line, number, text, parts };
            if let Split::Columns { count: Some(count), .. } = line.split {
                let said = seen.part(count).and_then(|range| text.get(range)).and_then(unsigned).unwrap_or(0);
                let found = u32::try_from(seen.columns().count()).unwrap_or(u32::MAX);
                if said != found {
                    return Err(Unfit::Count { said, found });
                }
            }
            return Ok(seen);
        }
        Err(Unfit::NoPattern)
    }

    fn part(&self, number: usize) -> Option<Range<usize>> {
        pattern::of(self.text, self.parts.get(number).copied().flatten())
    }

    /// Where something is, without blanks around it.
    pub(crate) fn find(&self, source: &Source) -> Option<Range<usize>> {
        match source {
            Source::Part(part) => self.part(*part),
            Source::Column(n) => self.columns().nth(*n),
            Source::Key(key) => {
                let found = self.keys().find(|(own, _)| self.text.get(own.clone()) == Some(key));
                found.and_then(|(_, value)| value)
            }
            Source::Row(code) => {
                let found = self.rows().find(|row| self.text.get(row.code.clone()) == Some(code));
                found.map(|row| row.value)
            }
            Source::Words => None,
        }
    }

    pub(crate) fn bytes(&self, source: &Source) -> Option<&'m [u8]> {
        self.text.get(self.find(source)?)
    }

    /// Where the serial number is. One that was never set shows dashes, and is none.
    pub(crate) fn serial(&self) -> Option<Range<usize>> {
        let place = self.find(self.line.serial.as_ref()?)?;
        self.text.get(place.clone())?.iter().any(u8::is_ascii_alphanumeric).then_some(place)
    }

    fn columns(&self) -> impl Iterator<Item = Range<usize>> {
        let (part, between) = match self.line.split {
            Split::Columns { of, between, .. } => (self.part(of), between),
            _ => (None, 0),
        };
        let text = self.text;
        let mut next = part;
        std::iter::from_fn(move || {
            let range = next.take()?;
            let bytes = text.get(range.clone())?;
            let length = bytes.iter().position(|byte| *byte == between);
            let end = range.start.saturating_add(length.unwrap_or(bytes.len()));
            next = length.map(|_| end.saturating_add(1)..range.end);
            Some(pattern::trimmed(text, range.start..end))
        })
    }

    /// Each key with its value; a word without a value has none.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (Range<usize>, Option<Range<usize>>)> {
        let (part, between, assign) = match self.line.split {
            Split::Keys { of, between, assign } => (self.part(of), between, assign),
            _ => (None, 0, 0),
        };
        let text = self.text;
        let mut rest = part;
        std::iter::from_fn(move || {
            loop {
                let range = rest.take()?;
                let bytes = text.get(range.clone())?;
                if bytes.is_empty() {
                    return None;
                }
                let length = bytes.iter().position(|byte| *byte == between).unwrap_or(bytes.len());
                let end = range.start.saturating_add(length);
                rest = Some(end.saturating_add(1).min(range.end)..range.end);
                let pair = text.get(range.start..end)?;
                if pair.is_empty() {
                    continue;
                }
                return Some(match pair.iter().position(|byte| *byte == assign) {
                    Some(at) => {
                        let at = range.start.saturating_add(at);
                        (
                            pattern::trimmed(text, range.start..at),
                            Some(pattern::trimmed(text, at.saturating_add(1)..end)),
                        )
                    }
                    None => (pattern::trimmed(text, range.start..end), None),
                });
            }
        })
    }

    /// Each of what is repeated.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row> {
        let line = self.line;
        let text = self.text;
        // The last one's columns may end in blanks.
        let mut rest = match &line.split {
            Split::Repeat { of, .. } => {
                let part = self.parts.get(*of).copied().flatten();
                part.map(|(start, end)| pattern::begun(text, start..end))
            }
            _ => None,
        };
        std::iter::from_fn(move || {
            let Split::Repeat { pattern: each, code, value, unit, .. } = &line.split else { return None };
            let range = rest.take()?;
            let bytes = text.get(range.clone()).filter(|bytes| !bytes.is_empty())?;
            let (parts, length) = each.begins(bytes)?;
            let shifted = |part: usize| {
                let found = pattern::of(bytes, parts.get(part).copied().flatten())?;
                Some(found.start.saturating_add(range.start)..found.end.saturating_add(range.start))
            };
            let end = range.start.saturating_add(length.max(1));
            rest = Some(pattern::begun(text, end..range.end));
            Some(Row { code: shifted(*code)?, value: shifted(*value)?, unit: unit.and_then(shifted) })
        })
    }

    /// How much of what is repeated no pattern fits.
    pub(crate) fn left_over(&self) -> usize {
        let Split::Repeat { of, .. } = &self.line.split else { return 0 };
        let end = self.part(*of).map_or(0, |range| range.end);
        let last = self.rows().last().map(|row| row.unit.unwrap_or(row.value).end);
        let start = last.unwrap_or_else(|| self.part(*of).map_or(end, |range| range.start));
        pattern::trimmed(self.text, start..end).len()
    }

    /// A value without what stands beside it.
    pub(crate) fn cut(&self, place: Range<usize>, trim: &[u8]) -> Cut {
        let mut cut = Cut { value: place.clone(), flags: place.end..place.end, unit: place.end..place.end };
        if let Some(value) = &self.plan.value
            && let Some(bytes) = self.text.get(place.clone())
            && let Some(parts) = value.pattern.fits(bytes)
        {
            let shifted = |part: usize| {
                let found = pattern::of(bytes, parts.get(part).copied().flatten())?;
                Some(found.start.saturating_add(place.start)..found.end.saturating_add(place.start))
            };
            cut.value = shifted(value.value).unwrap_or(cut.value);
            cut.flags = value.flags.and_then(shifted).unwrap_or(cut.flags);
            cut.unit = value.unit.and_then(shifted).unwrap_or(cut.unit);
        }
        while let Some(last) = cut.value.end.checked_sub(1).filter(|last| *last >= cut.value.start)
            && self.text.get(last).is_some_and(|byte| trim.contains(byte))
        {
            cut.value.end = last;
        }
        cut.value = pattern::trimmed(self.text, cut.value);
        cut
    }

    pub(crate) fn written(&self, value: Range<usize>) -> Written {
        let bytes = self.text.get(value).unwrap_or_default();
        if is_number(bytes) {
            return if self.plan.absent.iter().any(|none| none == bytes) {
                Written::Nothing
            } else {
                Written::Number
            };
        }
        let dashes = bytes.contains(&b'-') && bytes.iter().all(|byte| b"-+.%: ".contains(byte));
        if bytes.is_empty() || dashes || self.plan.absent.iter().any(|none| none == bytes) {
            Written::Nothing
        } else {
            Written::Words
        }
    }

    /// What the line says of the validity of a field, and of alarms on it.
    pub(crate) fn marks(&self, field: usize) -> (Marks, &'static str, Option<Alarm>) {
        let (mut marks, mut why, mut alarm) = (Marks::NONE, "", None);
        for (n, source) in &self.line.marks {
            let Some(mark) = self.plan.marks.get(*n) else { continue };
            let about = mark.fields.is_empty() || mark.fields.contains(&field);
            if !about || !self.says(source, &mark.test) {
                continue;
            }
            // The reason is that of the first that takes the value away, else the first.
            if why.is_empty() || (mark.marks.without_value() && !marks.without_value()) {
                why = mark.why;
            }
            marks = marks | mark.marks;
            alarm = alarm.or(mark.alarm);
        }
        // It is a value that passes a limit: an oximeter says so of a sensor that is off the patient as well.
        (marks, why, alarm.filter(|_| !marks.without_value()))
    }

    fn says(&self, source: &Source, test: &Test) -> bool {
        if *source == Source::Words {
            let mut words =
                self.keys().filter(|(_, value)| value.is_none()).filter_map(|(own, _)| self.text.get(own));
            return match test {
                Test::Word(word) | Test::Is(word) => words.any(|own| own == word),
                Test::Ends(end) => words.any(|own| own.ends_with(end)),
                Test::Bit(_) => false,
            };
        }
        let Some(text) = self.bytes(source) else { return false };
        match test {
            Test::Bit(bit) => hexadecimal(text).is_some_and(|number| number & bit != 0),
            Test::Word(word) => text.split(|byte| matches!(byte, b' ' | b'\t' | b',')).any(|own| own == word),
            Test::Is(is) => text == is,
            Test::Ends(end) => text.ends_with(end),
        }
    }

    pub(crate) fn time(&self) -> Option<DeviceTime> {
        let (source, format) = self.line.time.as_ref()?;
        format.time(self.bytes(source)?)
    }

    /// Digits stand where a time should, and are none: what is left of a line of which something was lost. A clock that
    /// was never set shows dashes.
    pub(crate) fn time_is_damaged(&self) -> bool {
        let text = self.line.time.as_ref().and_then(|(source, _)| self.bytes(source));
        text.is_some_and(|text| text.iter().any(u8::is_ascii_digit)) && self.time().is_none()
    }

    /// The fields of this line, in the profile's order.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (usize, &'p Field, Range<usize>)> {
        self.line.fields.iter().filter_map(|(n, source)| {
            let field = self.plan.fields.get(*n)?;
            Some((*n, field, self.find(source)?))
        })
    }

    /// What tells one taking of the values that go once from the next: their text, and how old they are.
    pub(crate) fn taken(&self) -> Option<(Vec<u8>, Option<u32>)> {
        let (mut all, mut any, mut age) = (Vec::new(), false, None);
        for (n, field, place) in self.fields() {
            let cut = self.cut(place, &field.trim);
            let bytes = self.text.get(cut.value.clone()).unwrap_or_default();
            if field.kind == KindWord::Age {
                age = digits(bytes);
            } else if field.once {
                all.extend_from_slice(bytes);
                all.push(0);
                any |= self.written(cut.value) == Written::Number && !self.marks(n).0.without_value();
            }
        }
        any.then_some((all, age))
    }
}

/// One of what is repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) code: Range<usize>,
    pub(crate) value: Range<usize>,
    pub(crate) unit: Option<Range<usize>>,
}

/// Digits with an optional sign and point.
pub(crate) fn is_number(bytes: &[u8]) -> bool {
    let digits = bytes.strip_prefix(b"-").or_else(|| bytes.strip_prefix(b"+")).unwrap_or(bytes);
    let points = digits.iter().filter(|byte| **byte == b'.').count();
    let count = digits.iter().filter(|byte| byte.is_ascii_digit()).count();
    count > 0 && points <= 1 && count.saturating_add(points) == digits.len()
}

fn unsigned(bytes: &[u8]) -> Option<u32> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

fn hexadecimal(bytes: &[u8]) -> Option<u32> {
    std::str::from_utf8(bytes).ok().and_then(|text| u32::from_str_radix(text, 16).ok())
}

/// The digits of a duration, one after the other: `1:05` is less than `1:06`, and `0:10` less than both.
fn digits(bytes: &[u8]) -> Option<u32> {
    let mut digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).peekable();
    digits.peek()?;
    digits.try_fold(0u32, |n, byte| n.checked_mul(10)?.checked_add(u32::from(byte.wrapping_sub(b'0'))))
}
