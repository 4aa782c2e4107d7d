//! Frames of the MIB serial port: `C0`, header, user data, checksum, `C1`.
//!
//! Promises that user data comes out only when header, length and checksum are right, however the bytes are cut, and that
//! every byte is either in a frame or told of with its place. Leaves out what the user data says.

/// Begins a frame.
const BEGIN: u8 = 0xC0;
/// Ends a frame.
const END: u8 = 0xC1;
/// The next byte has bit 5 turned over; before [`END`] it takes the frame back.
const ESCAPE: u8 = 0x7D;
/// Protocol and message type of data export.
const HEADER: [u8; 2] = [0x11, 0x01];
/// All of a frame between its marks, escaped: twice the most that a monitor sends, with room.
const MOST: usize = 8192;
/// What the checksum comes to over a frame that is whole.
const WHOLE: u16 = 0xF0B8;

const TABLE: [u16; 256] = {
    let mut table = [0u16; 256];
    let mut byte = 0u16;
    while byte < 256 {
        let mut value = byte;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ 0x8408 } else { value >> 1 };
            bit += 1;
        }
        #[allow(clippy::indexing_slicing)] // Evaluated by the compiler.
        {
            table[byte as usize] = value;
        }
        byte += 1;
    }
    table
};

/// The checksum of X.25, not yet turned over.
fn crc(value: u16, byte: u8) -> u16 {
    let [high, low] = value.to_be_bytes();
    u16::from(high) ^ TABLE.get(usize::from(low ^ byte)).copied().unwrap_or_default()
}

/// Why a frame is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// Its sender took it back.
    Aborted,
    /// The checksum is wrong.
    Checksum,
    /// It is shorter than a frame can be, or its length is another one than it says.
    Length,
    /// It is not data export.
    Header,
    /// Another one began, or the line closed, before its end.
    Unfinished,
    /// It is longer than any frame.
    TooLong,
}

impl Broken {
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::Aborted => "the monitor took a frame back",
            Self::Checksum => "a frame's checksum is wrong",
            Self::Length => "a frame is not as long as it says",
            Self::Header => "a frame is none of data export",
            Self::Unfinished => "a frame has no end",
            Self::TooLong => "a frame is longer than any may be",
        }
    }
}

/// Takes the marks, escapes, header and checksum off one frame; the user data stands in `into` then, so long. `into` must be as
/// long as `raw`.
///
/// # Errors
/// Why it is none.
pub(crate) fn open<'a>(raw: &[u8], into: &'a mut [u8]) -> Result<&'a [u8], Broken> {
    let [BEGIN, inside @ .., END] = raw else { return Err(Broken::Unfinished) };
    let (mut value, mut at, mut escaped) = (0xFFFFu16, 0usize, false);
    for byte in inside {
        if *byte == ESCAPE && !escaped {
            escaped = true;
            continue;
        }
        let plain = if escaped { byte ^ 0x20 } else { *byte };
        escaped = false;
        value = crc(value, plain);
        *into.get_mut(at).ok_or(Broken::TooLong)? = plain;
        at = at.saturating_add(1);
    }
    if escaped {
        return Err(Broken::Aborted);
    }
    let whole = into.get(..at).unwrap_or_default();
    let [first, second, high, low, data @ .., _, _] = whole else { return Err(Broken::Length) };
    if value != WHOLE {
        return Err(Broken::Checksum);
    }
    if [*first, *second] != HEADER {
        return Err(Broken::Header);
    }
    if usize::from(u16::from_be_bytes([*high, *low])) != data.len() {
        return Err(Broken::Length);
    }
    Ok(data)
}

/// A frame around user data of at most 65,535 bytes.
pub(crate) fn wrap(data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut frame = Vec::with_capacity(data.len().saturating_add(16));
    frame.push(BEGIN);
    let mut value = 0xFFFFu16;
    let mut put = |byte: u8| {
        if matches!(byte, BEGIN | END | ESCAPE) {
            frame.extend([ESCAPE, byte ^ 0x20]);
        } else {
            frame.push(byte);
        }
    };
    for byte in HEADER.iter().chain(&len).chain(data) {
        value = crc(value, *byte);
        put(*byte);
    }
    for byte in (!value).to_le_bytes() {
        put(byte);
    }
    frame.push(END);
    frame
}

/// What [`Frames`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// A good frame.
    Frame {
        /// As it came, from mark to mark.
        raw: &'a [u8],
        data: &'a [u8],
        /// Where it began, counted from the channel's first byte.
        at: u64,
    },
    /// One that is none.
    Broken { why: Broken, at: u64 },
    /// Bytes in no frame.
    Between { count: u64, at: u64 },
}

/// Finds frames in bytes as they come.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// The frame that is open, from its mark on.
    open: Vec<u8>,
    /// Where it, or the bytes in no frame, began.
    began: u64,
    between: u64,
    seen: u64,
}

impl Frames {
    pub(crate) fn feed(&mut self, bytes: &[u8], mut found: impl FnMut(Found<'_>)) {
        for byte in bytes {
            let here = self.seen;
            self.seen = here.saturating_add(1);
            if *byte == BEGIN {
                self.cut(&mut found);
                self.began = here;
                self.open.push(BEGIN);
            } else if self.open.is_empty() {
                if self.between == 0 {
                    self.began = here;
                }
                self.between = self.between.saturating_add(1);
            } else {
                self.open.push(*byte);
                if *byte == END {
                    self.close(&mut found);
                } else if self.open.len() > MOST {
                    self.open.clear();
                    found(Found::Broken { why: Broken::TooLong, at: self.began });
                }
            }
        }
    }

    fn close(&mut self, found: &mut impl FnMut(Found<'_>)) {
        let raw = std::mem::take(&mut self.open);
        let mut space = vec![0; raw.len()];
        match open(&raw, &mut space) {
            Ok(data) => found(Found::Frame { raw: &raw, data, at: self.began }),
            Err(why) => found(Found::Broken { why, at: self.began }),
        }
    }

    /// What is open will not be ended: another frame begins, or nothing more comes.
    pub(crate) fn cut(&mut self, found: &mut impl FnMut(Found<'_>)) {
        if self.between > 0 {
            found(Found::Between { count: std::mem::take(&mut self.between), at: self.began });
        }
        if self.open.len() > 1 {
            found(Found::Broken { why: Broken::Unfinished, at: self.began });
        }
        self.open.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(cuts: &[&[u8]]) -> Vec<String> {
        let mut frames = Frames::default();
        let mut seen = Vec::new();
        let mut found = |found: Found<'_>| {
            seen.push(match found {
                Found::Frame { raw, data, at } => format!("{at}: {} of {}", data.len(), raw.len()),
                Found::Broken { why, at } => format!("{at}: {why:?}"),
                Found::Between { count, at } => format!("{at}: {count} between"),
            });
        };
        for cut in cuts {
            frames.feed(cut, &mut found);
        }
        frames.cut(&mut found);
        seen
    }

    #[test]
    fn the_published_checksums() {
        // Two bytes alone, as the interface's description has them: the checksum needs an escape in the second.
        for (bytes, sum) in [([0x3A, 0x71], [0x9B, 0x26]), ([0x3A, 0x91], [0x95, 0xE1 ^ 0x20])] {
            let value = bytes.iter().fold(0xFFFF, |value, byte| crc(value, *byte));
            assert_eq!((!value).to_le_bytes(), sum);
        }
    }

    #[test]
    fn what_is_wrapped_opens_again_however_it_is_cut() {
        let data: Vec<u8> = (0..=255).collect();
        let frame = wrap(&data);
        assert!(frame[1..frame.len() - 1].iter().all(|byte| !matches!(byte, 0xC0 | 0xC1)));
        let mut space = vec![0; frame.len()];
        assert_eq!(open(&frame, &mut space), Ok(&*data));
        let twice = [&*frame, &*frame].concat();
        let whole = frames(&[&twice]);
        assert_eq!(whole.len(), 2);
        for cut in 0..twice.len() {
            assert_eq!(frames(&[&twice[..cut], &twice[cut..]]), whole, "{cut}");
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let frame = wrap(b"data of a monitor");
        let mut space = vec![0; frame.len()];
        for byte in 0..frame.len() {
            for bit in 0..8 {
                let mut bad = frame.clone();
                bad[byte] ^= 1 << bit;
                assert!(open(&bad, &mut space).is_err(), "byte {byte}, bit {bit}");
            }
        }
    }

    #[test]
    fn what_is_no_frame_is_told_with_its_place() {
        let good = wrap(b"good");
        let n = good.len();
        let seen = frames(&[b"xx", &good, &[0xC0, 0x11, 0x7D, 0xC1], &good[..5], &good, b"y", &good[..3]]);
        assert_eq!(
            seen,
            [
                "0: 2 between".to_owned(),
                format!("2: 4 of {n}"),
                format!("{}: Aborted", 2 + n),
                format!("{}: Unfinished", 6 + n),
                format!("{}: 4 of {n}", 11 + n),
                format!("{}: 1 between", 11 + 2 * n),
                format!("{}: Unfinished", 12 + 2 * n),
            ]
        );
        let mut other = wrap(b"other");
        other[1] = 0x12;
        assert_eq!(frames(&[&other]), ["0: Checksum"]);
        assert_eq!(frames(&[&[0xC0, 0xC0, 0xC1]]), ["1: Length"]);
        let long = [&[0xC0][..], &vec![0x55; 2 * MOST]].concat();
        assert_eq!(frames(&[&long])[0], "0: TooLong");
    }
}
