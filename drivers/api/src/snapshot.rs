//! The message that a bedside device's snapshot is: raw pieces with the time each came, written by the gateway, read by
//! an interpreter.
//!
//! Promises that what [`Writer`] wrote [`read`] reads, that pieces come in the order of their slots, what counts by itself
//! before what was newest, and that no bytes make it panic or read beyond them. A message is self-contained: an
//! interpreter needs nothing that was said before. Leaves out when a snapshot is taken and what lasts, which is the
//! gateway's.
//!
//! The bytes, numbers little-endian: `OSN1`, the interval's begin and end (i64 microseconds since 1970 each), a flag byte
//! (bit 0: the device is silent), and then for each piece its slot (u16), how it lasts (u8: 0 until replaced, 1 one
//! snapshot), when it came (i64), its length (u32) and its bytes.

use crate::{Fault, Lasts, Scratch, Slot};
use orugate_protocol::text::Text;
use orugate_protocol::time::Utc;
use std::time::Duration;

const MAGIC: &[u8; 4] = b"OSN1";
/// Magic, two times, flags.
const HEAD: usize = 21;
/// Slot, how it lasts, time, length.
const PIECE: usize = 15;
const SILENT: u8 = 1;

/// Writes one snapshot.
#[derive(Debug)]
pub struct Writer<'b> {
    out: &'b mut Vec<u8>,
}

impl<'b> Writer<'b> {
    /// Begins one in this buffer, which is emptied. `silent`: nothing holds any more, and no piece follows.
    pub fn new(out: &'b mut Vec<u8>, began: Utc, ended: Utc, silent: bool) -> Self {
        out.clear();
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&began.0.to_le_bytes());
        out.extend_from_slice(&ended.0.to_le_bytes());
        out.push(if silent { SILENT } else { 0 });
        Self { out }
    }

    /// The next piece, in the order of slots. Bytes beyond 4 GiB are none.
    pub fn piece(&mut self, slot: Slot, lasts: Lasts, received: Utc, bytes: &[u8]) {
        let Ok(len) = u32::try_from(bytes.len()) else { return };
        self.out.extend_from_slice(&slot.0.to_le_bytes());
        self.out.push(match lasts {
            Lasts::UntilReplaced => 0,
            Lasts::OneSnapshot => 1,
        });
        self.out.extend_from_slice(&received.0.to_le_bytes());
        self.out.extend_from_slice(&len.to_le_bytes());
        self.out.extend_from_slice(bytes);
    }
}

/// A snapshot, checked.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'m> {
    /// When its interval began.
    pub began: Utc,
    /// When it ended: what is in it held then.
    pub ended: Utc,
    /// Nothing holds any more.
    pub silent: bool,
    raw: &'m [u8],
}

/// One thing that a session kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept<'m> {
    /// Where.
    pub slot: Slot,
    /// For how long.
    pub lasts: Lasts,
    /// When it came.
    pub received: Utc,
    /// Exactly as it came.
    pub bytes: &'m [u8],
    /// Where `bytes` begins in the message.
    pub offset: u32,
}

/// Reads the message that a snapshot is.
///
/// # Errors
/// [`Fault::Structure`] when it is none or cut.
pub fn read(raw: &[u8]) -> Result<Snapshot<'_>, Fault> {
    let cut = |offset: usize| Fault::Structure {
        offset: u32::try_from(offset).unwrap_or(u32::MAX),
        what: "this is no snapshot, or a piece of it is missing",
    };
    let (head, _) = raw.split_at_checked(HEAD).ok_or_else(|| cut(raw.len()))?;
    if head.get(..4) != Some(MAGIC) {
        return Err(cut(0));
    }
    let time = |at: usize| number(head, at).map(i64::from_le_bytes).map(Utc).ok_or_else(|| cut(at));
    let snapshot = Snapshot {
        began: time(4)?,
        ended: time(12)?,
        silent: head.last().is_some_and(|flags| flags & SILENT != 0),
        raw,
    };
    let mut at = HEAD;
    while at < raw.len() {
        at = piece(raw, at).ok_or_else(|| cut(at))?.1;
    }
    Ok(snapshot)
}

impl<'m> Snapshot<'m> {
    /// What was kept, in the order of slots; of one slot first what counts by itself, oldest first, then the newest.
    pub fn pieces(&self) -> impl Iterator<Item = Kept<'m>> + use<'m> {
        let (raw, mut at) = (self.raw, HEAD);
        std::iter::from_fn(move || {
            let (kept, next) = piece(raw, at)?;
            at = next;
            Some(kept)
        })
    }

    /// The newest of a slot.
    #[must_use]
    pub fn newest(&self, slot: Slot) -> Option<Kept<'m>> {
        self.pieces().find(|kept| kept.slot == slot && kept.lasts == Lasts::UntilReplaced)
    }

    /// Whether a piece is older than what may hold for so long, at the snapshot's end.
    #[must_use]
    pub fn is_stale(&self, kept: &Kept<'_>, after: Duration) -> bool {
        let age = self.ended.0.saturating_sub(kept.received.0);
        i128::from(age) > i128::try_from(after.as_micros()).unwrap_or(i128::MAX)
    }
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn piece(raw: &[u8], at: usize) -> Option<(Kept<'_>, usize)> {
    let slot = Slot(u16::from_le_bytes(number(raw, at)?));
    let lasts = match raw.get(at.checked_add(2)?)? {
        0 => Lasts::UntilReplaced,
        _ => Lasts::OneSnapshot,
    };
    let received = Utc(i64::from_le_bytes(number(raw, at.checked_add(3)?)?));
    let len = u32::from_le_bytes(number(raw, at.checked_add(11)?)?);
    let start = at.checked_add(PIECE)?;
    let end = start.checked_add(usize::try_from(len).ok()?)?;
    let bytes = raw.get(start..end)?;
    Some((Kept { slot, lasts, received, bytes, offset: u32::try_from(start).ok()? }, end))
}

/// Writes `mantissa` times ten to the `exponent` as decimal text, with as many digits behind the point as the device has:
/// 9750 at -2 is `97.50`, 3 at 2 is `300`. `None` when the scratch space is too small, or for an exponent beyond ±18.
#[must_use]
pub fn decimal<'m>(scratch: &mut Scratch<'m>, mantissa: i64, exponent: i8) -> Option<Text<'m>> {
    let places = usize::from(exponent.unsigned_abs());
    if places > 18 {
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

    fn all(raw: &[u8]) -> Vec<Kept<'_>> {
        read(raw).unwrap().pieces().collect()
    }

    #[test]
    fn what_was_written_is_read() {
        let mut raw = vec![9; 3];
        let mut writer = Writer::new(&mut raw, Utc(-5), Utc(60_000_000), false);
        writer.piece(Slot(3), Lasts::OneSnapshot, Utc(7), b"cuff");
        writer.piece(Slot(3), Lasts::UntilReplaced, Utc(8), b"");
        writer.piece(Slot(700), Lasts::UntilReplaced, Utc(9), &[0xFF; 300]);
        let snapshot = read(&raw).unwrap();
        assert_eq!((snapshot.began, snapshot.ended, snapshot.silent), (Utc(-5), Utc(60_000_000), false));
        let pieces = all(&raw);
        assert_eq!(
            pieces.iter().map(|p| (p.slot.0, p.received.0)).collect::<Vec<_>>(),
            [(3, 7), (3, 8), (700, 9)]
        );
        assert_eq!(&raw[pieces[0].offset as usize..][..4], b"cuff");
        assert_eq!(snapshot.newest(Slot(3)).unwrap().bytes, b"");
        assert!(snapshot.newest(Slot(4)).is_none());
        assert!(snapshot.is_stale(&pieces[2], Duration::from_secs(59)));
        assert!(!snapshot.is_stale(&pieces[2], Duration::from_secs(60)));
    }

    #[test]
    fn what_is_cut_anywhere_is_a_fault_and_no_panic() {
        let mut raw = Vec::new();
        let mut writer = Writer::new(&mut raw, Utc(0), Utc(1), true);
        writer.piece(Slot(1), Lasts::UntilReplaced, Utc(0), b"abc");
        for end in (0..raw.len()).filter(|end| *end != HEAD) {
            assert!(matches!(read(&raw[..end]), Err(Fault::Structure { .. })), "{end}");
        }
        assert!(read(&raw[..HEAD]).unwrap().silent);
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
        assert!(decimal(&mut scratch, 1, -19).is_none());
        assert!(decimal(&mut Scratch::new(&mut [0; 2]), 123, 0).is_none());
    }
}
