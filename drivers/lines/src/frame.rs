//! Units on the line: what stands between line ends, or between a first and a last byte.
//!
//! Promises: a unit is given whole and once, with its bytes as they came; one whose check is wrong, that is too long or that
//! another begins in is told with its place and not given. Leaves out what a unit says.

use std::ops::Range;

/// How units are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Framing {
    /// The first byte; `None`: a unit begins with whatever comes.
    pub(crate) start: Option<u8>,
    /// One of these ends it.
    pub(crate) end: Vec<u8>,
    pub(crate) check: Option<Check>,
    /// The most bytes that a unit may have.
    pub(crate) most: usize,
}

/// A checksum behind the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) kind: Kind,
    pub(crate) form: Form,
    /// The first byte counts.
    pub(crate) with_start: bool,
    /// The last byte counts.
    pub(crate) with_end: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sum,
    Xor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Byte,
    Hex,
}

impl Check {
    const fn length(self) -> usize {
        match self.form {
            Form::Byte => 1,
            Form::Hex => 2,
        }
    }

    /// The check of a unit with its ends, as its bytes have it.
    fn of(self, unit: &[u8]) -> u8 {
        let from = if self.with_start { 0 } else { 1 };
        let to = if self.with_end { unit.len() } else { unit.len().saturating_sub(1) };
        let counted = unit.get(from..to).unwrap_or_default().iter();
        match self.kind {
            Kind::Sum => counted.fold(0, |sum: u8, byte| sum.wrapping_add(*byte)),
            Kind::Xor => counted.fold(0, |sum, byte| sum ^ byte),
        }
    }

    fn written(self, bytes: &[u8]) -> Option<u8> {
        match (self.form, bytes) {
            (Form::Byte, [byte]) => Some(*byte),
            (Form::Hex, [high, low]) => {
                use orugate_protocol::ascii::hex_value;
                Some(hex_value(*high)? << 4 | hex_value(*low)?)
            }
            _ => None,
        }
    }

    /// The check's bytes for a unit with its ends: the simulator's side.
    pub(crate) fn write(self, unit: &[u8]) -> Vec<u8> {
        let sum = self.of(unit);
        match self.form {
            Form::Byte => vec![sum],
            Form::Hex => format!("{sum:02X}").into_bytes(),
        }
    }
}

/// What the line brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard<'a> {
    /// A unit, where it began.
    Unit { at: u64, raw: &'a [u8] },
    /// With what came of a unit that has no end.
    Damage { at: u64, what: Damage, raw: &'a [u8] },
}

/// Why bytes are no unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// The check that the bytes have, and the one that came.
    Check(u8, u8),
    /// The check is no number.
    NoCheck,
    /// It does not end.
    Long,
    /// Another one began before its end.
    Broken,
    /// The channel ended in it.
    Cut,
    /// Bytes between units: how many.
    Stray(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Between,
    In,
    /// After the end, so many bytes of the check are still to come.
    Tail(usize),
    /// After too many bytes, until an end.
    Skipping,
}

/// Finds units in bytes.
#[derive(Debug)]
pub(crate) struct Deframer {
    framing: Framing,
    raw: Vec<u8>,
    /// What came of the unit before, which has no end.
    broken: Vec<u8>,
    state: State,
    /// Bytes since the channel was opened.
    pub(crate) offset: u64,
    began: u64,
    stray: u32,
}

impl Deframer {
    pub(crate) fn new(framing: Framing) -> Self {
        Self {
            framing,
            raw: Vec::new(),
            broken: Vec::new(),
            state: State::Between,
            offset: 0,
            began: 0,
            stray: 0,
        }
    }

    /// There is a unit that has no end yet.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::In | State::Tail(_))
    }

    /// What is open, when it will have no end: where it began and its bytes. Then nothing is.
    pub(crate) fn take_open(&mut self) -> Option<(u64, Vec<u8>)> {
        let open = self.is_open();
        self.state = State::Between;
        let raw = std::mem::take(&mut self.raw);
        (open && !raw.is_empty()).then_some((self.began, raw))
    }

    /// Takes one byte; what it completes.
    pub(crate) fn byte(&mut self, byte: u8) -> Option<Heard<'_>> {
        let at = self.offset;
        self.offset = at.saturating_add(1);
        match self.state {
            State::Tail(left) => self.tail(byte, left),
            State::Skipping => {
                if self.framing.end.contains(&byte) {
                    self.state = State::Between;
                }
                if self.framing.start == Some(byte) {
                    self.begin(at, byte);
                }
                None
            }
            State::Between => self.between(at, byte),
            // First bytes one after the other are noise, and nothing came between them.
            State::In if self.framing.start == Some(byte) && self.raw.len() == 1 => {
                self.begin(at, byte);
                None
            }
            State::In if self.framing.start == Some(byte) => {
                let began = self.began;
                std::mem::swap(&mut self.raw, &mut self.broken);
                self.begin(at, byte);
                Some(Heard::Damage { at: began, what: Damage::Broken, raw: &self.broken })
            }
            State::In => self.inside(byte),
        }
    }

    fn begin(&mut self, at: u64, byte: u8) {
        self.raw.clear();
        self.raw.push(byte);
        self.began = at;
        self.state = State::In;
    }

    fn between(&mut self, at: u64, byte: u8) -> Option<Heard<'_>> {
        let begins = match self.framing.start {
            Some(start) => byte == start,
            // Ends of empty lines, and blanks before a line.
            None => !self.framing.end.contains(&byte) && !byte.is_ascii_whitespace(),
        };
        if begins {
            let (count, began) = (std::mem::take(&mut self.stray), self.began);
            self.begin(at, byte);
            return (count > 0).then_some(Heard::Damage { at: began, what: Damage::Stray(count), raw: &[] });
        }
        if !byte.is_ascii_whitespace() && !byte.is_ascii_control() {
            if self.stray == 0 {
                self.began = at;
            }
            self.stray = self.stray.saturating_add(1);
        }
        None
    }

    fn inside(&mut self, byte: u8) -> Option<Heard<'_>> {
        self.raw.push(byte);
        if self.framing.end.contains(&byte) {
            if let Some(check) = self.framing.check {
                self.state = State::Tail(check.length());
                return None;
            }
            self.state = State::Between;
            return Some(Heard::Unit { at: self.began, raw: &self.raw });
        }
        if self.raw.len() >= self.framing.most {
            self.state = State::Skipping;
            return Some(Heard::Damage { at: self.began, what: Damage::Long, raw: &self.raw });
        }
        None
    }

    fn tail(&mut self, byte: u8, left: usize) -> Option<Heard<'_>> {
        self.raw.push(byte);
        if left > 1 {
            self.state = State::Tail(left.saturating_sub(1));
            return None;
        }
        self.state = State::Between;
        let check = self.framing.check?;
        let (unit, written) = self.raw.split_at_checked(self.raw.len().saturating_sub(check.length()))?;
        let expected = check.of(unit);
        let at = self.began;
        Some(match check.written(written) {
            Some(found) if found == expected => Heard::Unit { at, raw: &self.raw },
            Some(found) => Heard::Damage { at, what: Damage::Check(expected, found), raw: &self.raw },
            None => Heard::Damage { at, what: Damage::NoCheck, raw: &self.raw },
        })
    }
}

impl Framing {
    /// Whether a unit has the check that its bytes have; one without a check always does.
    pub(crate) fn holds(&self, raw: &[u8]) -> bool {
        let Some(check) = self.check else { return true };
        raw.split_at_checked(raw.len().saturating_sub(check.length()))
            .is_some_and(|(unit, written)| check.written(written) == Some(check.of(unit)))
    }

    /// Where the text stands in a unit: without its first byte, its end and its check.
    pub(crate) fn text(&self, raw: &[u8]) -> Range<usize> {
        let start = usize::from(self.start.is_some() && raw.first().copied() == self.start);
        let mut end = raw.len();
        if let Some(check) = self.check {
            end = end.saturating_sub(check.length());
        }
        let ends =
            end.checked_sub(1).and_then(|last| raw.get(last)).is_some_and(|last| self.end.contains(last));
        start..if ends { end.saturating_sub(1).max(start) } else { end.max(start) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Framing {
        Framing { start: None, end: b"\r\n".to_vec(), check: None, most: 20 }
    }

    fn framed(check: Option<Check>) -> Framing {
        Framing { start: Some(2), end: vec![3], check, most: 20 }
    }

    /// Units' texts and damages.
    fn hear(framing: &Framing, bytes: &[u8]) -> (Vec<String>, Vec<(u64, Damage)>) {
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        let mut deframer = Deframer::new(framing.clone());
        for byte in bytes {
            match deframer.byte(*byte) {
                Some(Heard::Unit { raw, .. }) => {
                    good.push(String::from_utf8_lossy(&raw[framing.text(raw)]).into_owned());
                }
                Some(Heard::Damage { at, what, .. }) => bad.push((at, what)),
                None => {}
            }
        }
        if let Some((at, _)) = deframer.take_open() {
            bad.push((at, Damage::Cut));
        }
        (good, bad)
    }

    #[test]
    fn lines_end_as_they_end_and_empty_ones_are_none() {
        let (good, bad) = hear(&lines(), b"\r\n A=1\r\n\r\nB=2\nC=3 \r\rD");
        assert_eq!(good, ["A=1", "B=2", "C=3 "]);
        assert_eq!(bad, [(20, Damage::Cut)]);
        let (good, bad) = hear(&lines(), b"0123456789012345678901234\r\nB=2\r\n");
        assert_eq!((good, bad), (vec!["B=2".to_owned()], vec![(0, Damage::Long)]));
    }

    #[test]
    fn frames_begin_and_end_where_their_bytes_say() {
        let (good, bad) = hear(&framed(None), b"xy\x02A\x03\n\x02B\x02C\x03");
        assert_eq!(good, ["A", "C"]);
        assert_eq!(bad, [(0, Damage::Stray(2)), (6, Damage::Broken)]);
    }

    #[test]
    fn first_bytes_without_anything_between_are_no_units() {
        let (good, bad) = hear(&framed(None), b"\x02\x02\x02A\x03");
        assert_eq!((good, bad), (vec!["A".to_owned()], vec![]));
    }

    #[test]
    fn a_wrong_check_is_told() {
        let sum = Check { kind: Kind::Sum, form: Form::Hex, with_start: false, with_end: true };
        let xor = Check { kind: Kind::Xor, form: Form::Byte, with_start: true, with_end: false };
        for check in [sum, xor] {
            let framing = framed(Some(check));
            let unit = [b"\x02AB\x03".as_slice(), &check.write(b"\x02AB\x03")].concat();
            assert_eq!(hear(&framing, &unit), (vec!["AB".to_owned()], vec![]));
            for at in 1..unit.len() {
                let mut spoilt = unit.clone();
                spoilt[at] ^= 1;
                assert!(hear(&framing, &spoilt).0.is_empty(), "{at}");
            }
        }
        assert_eq!(sum.write(b"\x02AB\x03"), b"86");
    }
}
