//! One frame (LIS01-A2 6.3): `STX FN text (ETB|ETX) C1 C2 CR LF`.
//!
//! Promises that what [`encode_frame`] writes, [`parse_raw_frame`] and the link read back byte for byte. Leaves out
//! whether a frame is the next one and whether its checksum is right: the link has judged that when it was received.

use core::ops::Range;

use crate::ascii::{ACK, CR, DLE, ENQ, EOT, ETB, ETX, LF, NAK, SOH, STX, SYN, hex_digit, hex_value};

/// Bytes of a frame besides its text.
pub const OVERHEAD: usize = 7;

/// How a frame ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameEnd {
    /// More of the same message part follows.
    Etb,
    /// The last frame of a message part.
    Etx,
}

impl FrameEnd {
    /// Its character.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Etb => ETB,
            Self::Etx => ETX,
        }
    }
}

/// The parts of a raw frame; ranges count from its STX.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameView {
    /// The frame number, 0 to 9 (the standard has 0 to 7).
    pub number: u8,
    /// Where the text is.
    pub text: Range<usize>,
    /// True when it ends with ETX.
    pub last: bool,
    /// The checksum that the frame states, if two hexadecimal digits follow its end.
    pub checksum: Option<u8>,
}

/// Sum of the bytes modulo 256. Over FN through ETB or ETX it is the frame's checksum.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum: u8, b| sum.wrapping_add(*b))
}

/// The number after this one: 1 .. 7, 0, 1.
#[must_use]
pub const fn next_number(number: u8) -> u8 {
    number.wrapping_add(1) & 7
}

/// True for the characters that LIS01-A2 keeps out of a frame's text. LF is one of them, though instruments send it.
#[must_use]
pub const fn is_restricted(byte: u8) -> bool {
    matches!(byte, SOH | STX | ETX | EOT | ENQ | ACK | DLE | NAK | SYN | ETB | LF | 0x11..=0x14)
}

/// Writes one frame into `out` and returns its length.
///
/// `None` when `out` is shorter than text and [`OVERHEAD`], `number` is not a digit, or the text has a restricted
/// character other than LF, with which a receiver could not find the frame's end.
#[must_use]
pub fn encode_frame(number: u8, text: &[u8], end: FrameEnd, out: &mut [u8]) -> Option<usize> {
    write_frame(number, text, end, true, out)
}

/// [`encode_frame`], with or without the checksum.
pub(super) fn write_frame(
    number: u8,
    text: &[u8],
    end: FrameEnd,
    with_checksum: bool,
    out: &mut [u8],
) -> Option<usize> {
    if number > 9 || first_unframeable(text).is_some() {
        return None;
    }
    let mut frame = Writer { out, len: 0 };
    frame.put(&[STX, b'0'.wrapping_add(number)])?;
    frame.put(text)?;
    frame.put(&[end.byte()])?;
    if with_checksum {
        let sum = checksum(frame.out.get(1..frame.len)?);
        frame.put(&[hex_digit(sum >> 4), hex_digit(sum)])?;
    }
    frame.put(&[CR, LF])?;
    Some(frame.len)
}

/// Where the first character is that cannot be sent in a frame's text.
pub(super) fn first_unframeable(text: &[u8]) -> Option<usize> {
    text.iter().position(|b| is_restricted(*b) && *b != LF)
}

/// Finds the parts of a raw frame as the link gives it: from STX to whatever of the tail has come.
///
/// `None` when it does not begin with STX and a digit or has no ETB or ETX. The checksum is read, not verified.
#[must_use]
pub fn parse_raw_frame(raw: &[u8]) -> Option<FrameView> {
    let [STX, number @ b'0'..=b'9', rest @ ..] = raw else { return None };
    let length = memchr::memchr2(ETB, ETX, rest)?;
    let [end, tail @ ..] = rest.get(length..)? else { return None };
    let stated = match tail {
        [high, low, ..] => hex_value(*high).zip(hex_value(*low)).map(|(high, low)| high << 4 | low),
        _ => None,
    };
    Some(FrameView {
        number: number.wrapping_sub(b'0'),
        text: 2..length.saturating_add(2),
        last: *end == ETX,
        checksum: stated,
    })
}

/// FNV-1a, 64 bits: enough to tell a repeated frame from another one, not a defence against forgery.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xCBF2_9CE4_8422_2325, |hash: u64, b| (hash ^ u64::from(*b)).wrapping_mul(0x0100_0000_01B3))
}

struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.len.checked_add(bytes.len())?;
        self.out.get_mut(self.len..end)?.copy_from_slice(bytes);
        self.len = end;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn a_frame_is_written_and_read_back() {
        let mut out = [0; 32];
        let n = encode_frame(3, b"L|1|N\r", FrameEnd::Etx, &mut out).unwrap();
        // 3 + L|1|N CR + ETX = 0x33+0x4C+0x7C+0x31+0x7C+0x4E+0x0D+0x03 = 0x206
        assert_eq!(&out[..n], b"\x023L|1|N\r\x0306\r\n");
        let view = parse_raw_frame(&out[..n]).unwrap();
        assert_eq!(view, FrameView { number: 3, text: 2..8, last: true, checksum: Some(6) });
        assert_eq!(&out[view.text], b"L|1|N\r");
    }

    #[test]
    fn a_frame_needs_its_whole_room() {
        for room in 0..13 {
            assert_eq!(encode_frame(1, b"H|\\^&\r", FrameEnd::Etb, &mut vec![0; room]), None, "{room}");
        }
        assert_eq!(encode_frame(1, b"H|\\^&\r", FrameEnd::Etb, &mut [0; 13]), Some(13));
    }

    #[test]
    fn framing_characters_cannot_be_sent() {
        for byte in 0..=255 {
            let fits = encode_frame(1, &[b'x', byte], FrameEnd::Etx, &mut [0; 16]).is_some();
            assert_eq!(fits, !is_restricted(byte) || byte == LF, "{byte:02X}");
        }
        assert_eq!(encode_frame(10, b"x", FrameEnd::Etx, &mut [0; 16]), None);
    }

    #[test]
    fn a_raw_frame_may_lack_its_tail() {
        let view = |raw: &[u8]| parse_raw_frame(raw).map(|v| (v.number, v.text, v.last, v.checksum));
        assert_eq!(view(b"\x021abc\x17"), Some((1, 2..5, false, None)));
        assert_eq!(view(b"\x021abc\x177f"), Some((1, 2..5, false, Some(0x7F))));
        assert_eq!(view(b"\x028\x03\r\n"), Some((8, 2..2, true, None)));
        assert_eq!(view(b"\x021abc"), None);
        assert_eq!(view(b"\x02xabc\x03"), None);
        assert_eq!(view(b"1abc\x03"), None);
        assert_eq!(view(b""), None);
    }
}
