//! Protocol units out of what a wire brings, and around what it takes: datagrams, frames of the serial port, or a file.

use crate::frame::{Broken, Found, Frames, wrap};
use crate::pdu::{alone, parse};
use std::mem::take;

/// How units come.
#[derive(Debug)]
pub(crate) enum Line {
    /// One in each datagram.
    Datagrams { seen: u64 },
    /// In frames.
    Frames(Frames),
    /// Datagrams that a file has one after the other.
    File(File),
}

/// What came.
#[derive(Debug)]
pub(crate) enum Came<'a> {
    /// A unit: as it came, and its plain bytes.
    Unit { raw: &'a [u8], data: &'a [u8], at: u64 },
    /// Bytes that are none.
    Bad { what: &'static str, lost: bool, at: u64 },
}

impl Line {
    pub(crate) fn feed(&mut self, bytes: &[u8], mut came: impl FnMut(Came<'_>)) {
        match self {
            Self::Datagrams { seen } => {
                let at = *seen;
                *seen = seen.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                came(match alone(bytes) {
                    Some((_, used)) => {
                        let unit = bytes.get(..used).unwrap_or(bytes);
                        Came::Unit { raw: unit, data: unit, at }
                    }
                    None => Came::Bad { what: "a datagram is none of data export", lost: true, at },
                });
            }
            Self::Frames(frames) => frames.feed(bytes, |found| came(Came::from(found))),
            Self::File(file) => file.feed(bytes, &mut came),
        }
    }

    /// Nothing more comes.
    pub(crate) fn cut(&mut self, mut came: impl FnMut(Came<'_>)) {
        match self {
            Self::Datagrams { .. } => {}
            Self::Frames(frames) => frames.cut(&mut |found| came(Came::from(found))),
            Self::File(file) => file.cut(&mut came),
        }
    }

    /// A unit as the wire takes it.
    pub(crate) fn dress(&self, unit: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Frames(_) => wrap(&unit),
            Self::Datagrams { .. } | Self::File(_) => unit,
        }
    }

    /// Nothing overtakes anything.
    pub(crate) const fn is_ordered(&self) -> bool {
        !matches!(self, Self::Datagrams { .. })
    }
}

impl<'a> From<Found<'a>> for Came<'a> {
    fn from(found: Found<'a>) -> Self {
        match found {
            Found::Frame { raw, data, at } => Self::Unit { raw, data, at },
            Found::Broken { why, at } => Self::Bad { what: why.sentence(), lost: why != Broken::Aborted, at },
            Found::Between { at, .. } => {
                Self::Bad { what: "bytes stand in no frame: the beginning of one is missing", lost: true, at }
            }
        }
    }
}

/// Units without marks between them, as a file of datagrams has them: they have their length. What is between is passed over until
/// the next beginning.
#[derive(Debug, Default)]
pub(crate) struct File {
    held: Vec<u8>,
    at: u64,
    /// Bytes that were passed over since the last unit.
    passed: bool,
}

/// Begins a unit of data.
const MARK: [u8; 4] = [0xE1, 0x00, 0x00, 0x02];
/// No unit is longer.
const MOST: usize = 66_000;

impl File {
    fn feed(&mut self, bytes: &[u8], came: &mut impl FnMut(Came<'_>)) {
        self.held.extend_from_slice(bytes);
        let held = take(&mut self.held);
        let mut rest = &*held;
        loop {
            match parse(rest).filter(|_| !self.passed || rest.starts_with(&MARK)) {
                Some((_, used)) => {
                    let (unit, after) = rest.split_at_checked(used).unwrap_or((rest, &[]));
                    self.passed = false;
                    came(Came::Unit { raw: unit, data: unit, at: self.at });
                    self.skip(used);
                    rest = after;
                }
                // It may go on with the next bytes.
                None if MARK.starts_with(rest)
                    || (rest.starts_with(&MARK) && rest.len() < MOST) && !full(rest) =>
                {
                    break;
                }
                None if !self.passed && may_associate(rest) => break,
                None => {
                    if !self.passed {
                        self.passed = true;
                        came(Came::Bad { what: "bytes are no unit of data export", lost: true, at: self.at });
                    }
                    rest = rest.get(1..).unwrap_or_default();
                    self.skip(1);
                }
            }
        }
        self.held = rest.to_vec();
    }

    const fn skip(&mut self, count: usize) {
        self.at = self.at.saturating_add(count as u64);
    }

    fn cut(&mut self, came: &mut impl FnMut(Came<'_>)) {
        if !take(&mut self.held).is_empty() && !self.passed {
            came(Came::Bad { what: "the last unit has no end", lost: true, at: self.at });
        }
    }
}

/// All bytes are there that the unit at this mark says it has.
fn full(rest: &[u8]) -> bool {
    let len = rest.get(6..8).and_then(|len| len.first_chunk()).map(|len| u16::from_be_bytes(*len));
    len.is_some_and(|len| rest.len() >= usize::from(len).saturating_add(8))
}

/// An association message that is not all there.
fn may_associate(rest: &[u8]) -> bool {
    match rest {
        [0x0E | 0x0D, 0xFF, ..] => rest.len() < 600,
        [0x0E | 0x0D | 0x0C | 0x09 | 0x0A | 0x19, len, ..] => {
            rest.len() < usize::from(*len).saturating_add(2)
        }
        [0x0E | 0x0D | 0x0C | 0x09 | 0x0A | 0x19] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{associate, unit};

    fn units(line: &mut Line, cuts: &[&[u8]]) -> Vec<String> {
        let mut seen = Vec::new();
        let mut note = |came: Came<'_>| {
            seen.push(match came {
                Came::Unit { raw, data, at } => format!("{at}: {} {}", raw.len(), data.len()),
                Came::Bad { what, lost, at } => format!("{at}: {what} {lost}"),
            });
        };
        for cut in cuts {
            line.feed(cut, &mut note);
        }
        line.cut(&mut note);
        seen
    }

    #[test]
    fn a_file_of_datagrams_gives_its_units_however_it_is_cut() {
        let answer = unit(3, &[0, 1, 0, 2]);
        let terms = crate::request::Terms { period: 8000, receives: 1000, sends: 1000, extension: 0 };
        let file = [&*associate(terms), &answer, b"2014/04/04T15:48:03,580", &answer, &answer, &answer[..7]]
            .concat();
        let whole = units(&mut Line::File(File::default()), &[&file]);
        assert_eq!(whole.len(), 6, "{whole:?}");
        assert_eq!(whole.iter().filter(|line| line.ends_with("12 12")).count(), 3);
        assert!(whole[5].contains("has no end"), "{whole:?}");
        for cut in 0..file.len() {
            let (before, after) = file.split_at(cut);
            assert_eq!(units(&mut Line::File(File::default()), &[before, after]), whole, "{cut}");
        }
    }

    #[test]
    fn a_datagram_is_a_unit_or_none() {
        let answer = unit(3, &[0, 1, 0, 2]);
        let seen = units(&mut Line::Datagrams { seen: 0 }, &[&answer, b"", b"hello", &answer[..9]]);
        assert_eq!(seen[0], "0: 12 12");
        assert!(seen[1..].iter().all(|line| line.ends_with("is none of data export true")), "{seen:?}");
        assert!(seen[3].starts_with("17: "), "{seen:?}");
    }
}
