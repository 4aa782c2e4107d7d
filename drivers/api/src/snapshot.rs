//! The message that a bedside device's snapshot is: raw units with their ages, written by the gateway, read by an
//! interpreter.
//!
//! Promises that what [`Writer`] wrote [`read`] reads in the same order, and that no bytes make it panic or read beyond
//! them. A message is self-contained: an interpreter needs nothing that was said before. Leaves out when a snapshot is taken
//! and what lasts, which is the gateway's, and what a unit is, which its own bytes say.
//!
//! The bytes, numbers little-endian: `OSN1`, the interval's begin and end (i64 microseconds since 1970 each), and then for
//! each unit whether it was taken (u8: 1) or stands (0), its slot (u16; 65535 for what was taken), its age at the end by a
//! clock that does not jump (u64 microseconds), its length (u32) and its bytes. A device that is silent has no unit.

use crate::{Fault, Scratch, Slot};
use orugate_protocol::text::Text;
use orugate_protocol::time::Utc;
use std::time::Duration;

const MAGIC: &[u8; 4] = b"OSN1";
/// Magic and two times.
const HEAD: usize = 20;
/// Taken, slot, age, length.
const BEFORE: usize = 15;

/// Writes one snapshot.
#[derive(Debug)]
pub struct Writer<'b> {
    out: &'b mut Vec<u8>,
}

impl<'b> Writer<'b> {
    /// Begins one in this buffer, which is emptied.
    pub fn new(out: &'b mut Vec<u8>, began: Utc, ended: Utc) -> Self {
        out.clear();
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&began.0.to_le_bytes());
        out.extend_from_slice(&ended.0.to_le_bytes());
        Self { out }
    }

    /// What was taken; before all that stands, oldest first.
    pub fn taken(&mut self, age: Duration, bytes: &[u8]) {
        self.unit(1, u16::MAX, age, bytes);
    }

    /// What stands, in the order of slots.
    pub fn current(&mut self, slot: Slot, age: Duration, bytes: &[u8]) {
        self.unit(0, slot.0, age, bytes);
    }

    fn unit(&mut self, taken: u8, slot: u16, age: Duration, bytes: &[u8]) {
        // A session keeps no more than `Slot::MOST`.
        let Ok(len) = u32::try_from(bytes.len()) else { return };
        self.out.push(taken);
        self.out.extend_from_slice(&slot.to_le_bytes());
        self.out.extend_from_slice(&u64::try_from(age.as_micros()).unwrap_or(u64::MAX).to_le_bytes());
        self.out.extend_from_slice(&len.to_le_bytes());
        self.out.extend_from_slice(bytes);
    }
}

/// Moves a snapshot to another time, ages as they are: of a capture that has no times nobody knows when it was.
pub fn set_interval(raw: &mut [u8], began: Utc, ended: Utc) {
    for (at, time) in [(4usize, began), (12, ended)] {
        if let Some(place) = raw.get_mut(at..at.saturating_add(8)) {
            place.copy_from_slice(&time.0.to_le_bytes());
        }
    }
}

/// A snapshot, checked.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'m> {
    /// When its interval began.
    pub began: Utc,
    /// When it ended: what is in it held then.
    pub ended: Utc,
    raw: &'m [u8],
}

/// One thing that a session said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit<'m> {
    /// It was [`Output::Taken`](crate::Output::Taken), and stands in no other snapshot.
    pub taken: bool,
    /// When it came.
    pub received: Utc,
    /// Exactly as it came.
    pub bytes: &'m [u8],
    /// Where `bytes` begins in the message: spans of items count from the message's begin.
    pub offset: usize,
}

/// Reads the message that a snapshot is.
///
/// # Errors
/// [`Fault::Structure`] when it is none or cut.
pub fn read(raw: &[u8]) -> Result<Snapshot<'_>, Fault> {
    let cut = |offset: usize| Fault::Structure {
        offset: u32::try_from(offset).unwrap_or(u32::MAX),
        what: "this is no snapshot, or a part of it is missing",
    };
    if raw.get(..4) != Some(MAGIC) {
        return Err(cut(0));
    }
    let time = |at: usize| number(raw, at).map(i64::from_le_bytes).map(Utc).ok_or_else(|| cut(at));
    let snapshot = Snapshot { began: time(4)?, ended: time(12)?, raw };
    let mut at = HEAD;
    while at < raw.len() {
        at = unit(raw, at, snapshot.ended).ok_or_else(|| cut(at))?.1;
    }
    Ok(snapshot)
}

impl<'m> Snapshot<'m> {
    /// What was taken, oldest first, then what stands, in the order of slots.
    pub fn units(&self) -> impl Iterator<Item = Unit<'m>> + use<'m> {
        let (raw, ended, mut at) = (self.raw, self.ended, HEAD);
        std::iter::from_fn(move || {
            let (unit, next) = unit(raw, at, ended)?;
            at = next;
            Some(unit)
        })
    }

    /// There is nothing in it: the device is silent.
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        self.raw.len() <= HEAD
    }
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn unit(raw: &[u8], at: usize, ended: Utc) -> Option<(Unit<'_>, usize)> {
    let taken = *raw.get(at)? != 0;
    let age = u64::from_le_bytes(number(raw, at.checked_add(3)?)?);
    let len = u32::from_le_bytes(number(raw, at.checked_add(11)?)?);
    let offset = at.checked_add(BEFORE)?;
    let end = offset.checked_add(usize::try_from(len).ok()?)?;
    let bytes = raw.get(offset..end)?;
    let received = Utc(ended.0.saturating_sub(i64::try_from(age).unwrap_or(i64::MAX)));
    Some((Unit { taken, received, bytes, offset }, end))
}

/// Writes `mantissa` times ten to the `exponent` as decimal text, with as many digits behind the point as the device has:
/// 9750 at -2 is `97.50`, 3 at 2 is `300`. `None` when the scratch space is too small, or for an exponent beyond ±12.
#[must_use]
pub fn decimal<'m>(scratch: &mut Scratch<'m>, mantissa: i64, exponent: i8) -> Option<Text<'m>> {
    let places = usize::from(exponent.unsigned_abs());
    if places > 12 {
        return None;
    }
    let mut digits = [0u8; 40];
    let mut at = digits.len();
    let mut push = |byte: u8| -> Option<()> {
        at = at.checked_sub(1)?;
        *digits.get_mut(at)? = byte;
        Some(())
    };
    let mut rest = mantissa.unsigned_abs();
    if exponent > 0 && rest > 0 {
        (0..places).try_for_each(|_| push(b'0'))?;
    }
    let mut written = 0usize;
    while rest > 0 || written == 0 || (exponent < 0 && written <= places) {
        if exponent < 0 && written == places {
            push(b'.')?;
        }
        push(b'0'.saturating_add(u8::try_from(rest % 10).ok()?))?;
        rest /= 10;
        written = written.saturating_add(1);
    }
    if mantissa < 0 {
        push(b'-')?;
    }
    let text = digits.get(at..)?;
    let place = scratch.take(text.len())?;
    place.copy_from_slice(text);
    Some(Text::plain(std::str::from_utf8(place).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let mut raw = vec![9; 3];
        let mut writer = Writer::new(&mut raw, Utc(-5), Utc(60_000_000));
        writer.taken(Duration::from_secs(7), b"cuff");
        writer.current(Slot(3), Duration::ZERO, b"");
        writer.current(Slot(700), Duration::from_micros(1), &[0xFF; 300]);
        let snapshot = read(&raw).unwrap();
        assert_eq!((snapshot.began, snapshot.ended, snapshot.is_silent()), (Utc(-5), Utc(60_000_000), false));
        let units: Vec<_> = snapshot.units().collect();
        let seen: Vec<_> = units.iter().map(|unit| (unit.taken, unit.received.0, unit.bytes.len())).collect();
        assert_eq!(seen, [(true, 53_000_000, 4), (false, 60_000_000, 0), (false, 59_999_999, 300)]);
        assert_eq!(&raw[units[0].offset..][..4], b"cuff");
        set_interval(&mut raw, Utc(0), Utc(1));
        let moved = read(&raw).unwrap();
        assert_eq!((moved.began, moved.ended, moved.units().count()), (Utc(0), Utc(1), 3));
    }

    #[test]
    fn what_is_cut_anywhere_is_a_fault_and_no_panic() {
        let mut raw = Vec::new();
        Writer::new(&mut raw, Utc(0), Utc(1)).current(Slot(1), Duration::MAX, b"abc");
        for end in (0..raw.len()).filter(|end| *end != HEAD) {
            assert!(matches!(read(&raw[..end]), Err(Fault::Structure { .. })), "{end}");
        }
        assert!(read(&raw[..HEAD]).unwrap().is_silent());
        let mut long = raw.clone();
        long[HEAD + 11..HEAD + 15].fill(0xFF);
        assert!(read(&long).is_err());
        assert!(read(b"H|\\^&|||analyzer text").is_err());
    }

    #[test]
    fn decimals_keep_the_digits_that_the_device_has() {
        let mut space = [0u8; 1000];
        let mut scratch = Scratch::new(&mut space);
        for (mantissa, exponent, text) in [
            (9750, -2, "97.50"),
            (98, 0, "98"),
            (0, 0, "0"),
            (0, -2, "0.00"),
            (0, 3, "0"),
            (5, -1, "0.5"),
            (-5, -3, "-0.005"),
            (3, 2, "300"),
            (-12, 1, "-120"),
            (8_388_604, -3, "8388.604"),
            (i64::MIN, 0, "-9223372036854775808"),
        ] {
            let written = decimal(&mut scratch, mantissa, exponent).unwrap();
            assert_eq!(written.bytes(), text.as_bytes(), "{mantissa}e{exponent}");
        }
        assert!(decimal(&mut scratch, 1, -13).is_none());
        assert!(decimal(&mut Scratch::new(&mut [0; 2]), 123, 0).is_none());
    }
}
