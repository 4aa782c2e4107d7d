//! Bytes of a MEDIBUS line: frames, their checksum, and what stands between them.
//!
//! Promises: a byte with bit 7 set is of the realtime stream and belongs to no frame, wherever it comes; a frame that stands
//! inside another one is taken out of it, and each has its own checksum; every byte that is in no frame, and every frame that
//! broke off, is told with its place. Leaves out what frames mean.
//!
//! A device embeds a command in a response (or a response in a command), and nothing else: a second response while one is open means
//! that the first one lost its end. So two frames are open at most, and memory is bounded by what the protocol allows.

use orugate_protocol::ascii::{CR, SOH, hex_digit, hex_value};
use std::fmt;

/// Begins a command.
pub const ESC: u8 = 0x1B;
/// The peer asks for silence until [`DC3`].
pub const DC1: u8 = 0x11;
/// Ends that silence.
pub const DC3: u8 = 0x13;
/// The peer asks that what is being sent be broken off.
pub const CAN: u8 = 0x18;

/// A response with all around it.
pub const RESPONSE_MAX: usize = 3845;
/// The argument of a command.
pub const ARGUMENT_MAX: usize = 251;
/// A command with all around it.
pub const COMMAND_MAX: usize = ARGUMENT_MAX + 5;

/// Command or response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `ESC code argument CC CC CR`.
    Command,
    /// `SOH echo data CC CC CR`.
    Response,
}

impl Kind {
    const fn of(byte: u8) -> Option<Self> {
        match byte {
            ESC => Some(Self::Command),
            SOH => Some(Self::Response),
            _ => None,
        }
    }

    const fn first(self) -> u8 {
        match self {
            Self::Command => ESC,
            Self::Response => SOH,
        }
    }

    const fn max(self) -> usize {
        match self {
            Self::Command => COMMAND_MAX,
            Self::Response => RESPONSE_MAX,
        }
    }
}

/// A frame whose checksum is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'f> {
    /// What it is.
    pub kind: Kind,
    /// The command's code, or the code that a response echoes.
    pub code: u8,
    /// Argument or data.
    pub data: &'f [u8],
}

/// Why bytes are no good frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadFrame {
    /// It has no ESC or SOH, no CR, or is too short for a code and a checksum.
    Shape,
    /// The checksum.
    Checksum {
        /// That its bytes have.
        expected: u8,
        /// That stands in it; `None` when those are no hexadecimal digits.
        found: Option<u8>,
    },
}

/// Sum of bytes, modulo 256.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// Reads a frame's own bytes, from ESC or SOH to CR.
///
/// # Errors
/// [`BadFrame`] when they are none.
pub fn open(bytes: &[u8]) -> Result<Frame<'_>, BadFrame> {
    let [first, code, .., high, low, CR] = bytes else { return Err(BadFrame::Shape) };
    let kind = Kind::of(*first).ok_or(BadFrame::Shape)?;
    // The pattern takes five bytes at least.
    let summed = bytes.get(..bytes.len().saturating_sub(3)).unwrap_or_default();
    let expected = checksum(summed);
    let found = match (upper_hex(*high), upper_hex(*low)) {
        (Some(high), Some(low)) => Some(high << 4 | low),
        _ => None,
    };
    if found != Some(expected) {
        return Err(BadFrame::Checksum { expected, found });
    }
    Ok(Frame { kind, code: *code, data: summed.get(2..).unwrap_or_default() })
}

/// The digits of a checksum are upper-case.
fn upper_hex(digit: u8) -> Option<u8> {
    if digit.is_ascii_lowercase() { None } else { hex_value(digit) }
}

/// A command's bytes. An argument beyond [`ARGUMENT_MAX`] is cut, which no caller lets happen.
#[must_use]
pub fn command(code: u8, argument: &[u8]) -> Vec<u8> {
    framed(Kind::Command, code, argument.get(..ARGUMENT_MAX).unwrap_or(argument))
}

/// A response's bytes.
#[must_use]
pub fn response(echo: u8, data: &[u8]) -> Vec<u8> {
    framed(Kind::Response, echo, data)
}

fn framed(kind: Kind, code: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(data.len().saturating_add(5));
    bytes.extend([kind.first(), code]);
    bytes.extend_from_slice(data);
    let sum = checksum(&bytes);
    bytes.extend([hex_digit(sum >> 4), hex_digit(sum), CR]);
    bytes
}

/// What came; offsets count from the channel's first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'e> {
    /// A frame is complete. Its own bytes, without those that stood inside it; [`open`] says whether it is good.
    Frame {
        /// From ESC or SOH to CR.
        bytes: &'e [u8],
        /// Of its first byte.
        offset: u64,
    },
    /// A frame has no end.
    Broken {
        /// What it was.
        kind: Kind,
        /// Why.
        why: Break,
        /// Of its first byte.
        offset: u64,
    },
    /// Bytes that were in no frame; told when the next one begins.
    Stray {
        /// How many.
        count: u32,
        /// Of the first.
        offset: u64,
    },
    /// DC1.
    Pause,
    /// DC3.
    Resume,
    /// CAN.
    Abort,
}

/// Why a frame has no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// Another one of its kind began.
    Another,
    /// It is longer than any.
    TooLong,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Another => "another one began inside it",
            Self::TooLong => "it is longer than the protocol allows",
        })
    }
}

/// Takes a line apart, byte by byte.
#[derive(Debug, Default)]
pub struct Splitter {
    /// Those that are open, the inner one last: at most one of each kind.
    open: Vec<Open>,
    /// The one that was complete last; its bytes are lent.
    done: Vec<u8>,
    /// Bytes so far.
    at: u64,
    stray: u32,
    stray_at: u64,
    /// Bytes of the realtime stream so far.
    realtime: u64,
}

#[derive(Debug)]
struct Open {
    kind: Kind,
    bytes: Vec<u8>,
    offset: u64,
}

impl Splitter {
    /// Bytes of the realtime stream so far.
    #[must_use]
    pub const fn realtime(&self) -> u64 {
        self.realtime
    }

    /// A frame has begun and not ended.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Bytes so far.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.at
    }

    /// Lets go of what is open: its end will not come any more.
    pub fn clear(&mut self) {
        self.open.clear();
        self.stray = 0;
    }

    /// Takes one byte.
    pub fn byte(&mut self, byte: u8) -> Option<Event<'_>> {
        let offset = self.at;
        self.at = offset.saturating_add(1);
        match byte {
            0x80.. => {
                self.realtime = self.realtime.saturating_add(1);
                None
            }
            DC1 => Some(Event::Pause),
            DC3 => Some(Event::Resume),
            CAN => Some(Event::Abort),
            ESC | SOH => self.begin(byte, offset),
            CR => self.end(offset),
            _ => self.more(byte, offset),
        }
    }

    fn begin(&mut self, first: u8, offset: u64) -> Option<Event<'_>> {
        let kind = Kind::of(first)?;
        let broken = self.open.iter().position(|open| open.kind == kind);
        let broken = broken.and_then(|at| {
            let first = self.open.get(at).map(|open| open.offset);
            // What stands inside of a frame without an end has none either.
            self.open.truncate(at);
            first
        });
        self.open.push(Open { kind, bytes: vec![first], offset });
        let stray = std::mem::take(&mut self.stray);
        match broken {
            Some(offset) => Some(Event::Broken { kind, why: Break::Another, offset }),
            None if stray > 0 => Some(Event::Stray { count: stray, offset: self.stray_at }),
            None => None,
        }
    }

    fn end(&mut self, offset: u64) -> Option<Event<'_>> {
        let Some(mut open) = self.open.pop() else {
            self.count_stray(offset);
            return None;
        };
        open.bytes.push(CR);
        self.done = open.bytes;
        Some(Event::Frame { bytes: &self.done, offset: open.offset })
    }

    fn more(&mut self, byte: u8, offset: u64) -> Option<Event<'_>> {
        let Some(open) = self.open.last_mut() else {
            self.count_stray(offset);
            return None;
        };
        // One byte is left for the CR.
        if open.bytes.len().saturating_add(1) < open.kind.max() {
            open.bytes.push(byte);
            return None;
        }
        let (kind, began) = (open.kind, open.offset);
        self.open.pop();
        Some(Event::Broken { kind, why: Break::TooLong, offset: began })
    }

    fn count_stray(&mut self, offset: u64) {
        if self.stray == 0 {
            self.stray_at = offset;
        }
        self.stray = self.stray.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a line says, as text; `|` stands between events.
    fn heard(line: &[u8]) -> String {
        let mut splitter = Splitter::default();
        let mut said = Vec::new();
        for byte in line {
            match splitter.byte(*byte) {
                None => {}
                Some(Event::Frame { bytes, offset }) => said.push(match open(bytes) {
                    Ok(Frame { kind, code, data }) => {
                        format!("{offset} {kind:?} {code:02X} {}", String::from_utf8_lossy(data))
                    }
                    Err(bad) => format!("{offset} {bad:?}"),
                }),
                Some(other) => said.push(format!("{other:?}")),
            }
        }
        said.join("|")
    }

    #[test]
    fn the_printed_examples_are_what_is_made() {
        assert_eq!(command(0x51, b""), b"\x1bQ6C\r");
        assert_eq!(response(0x51, b""), b"\x01Q52\r");
        assert_eq!(command(0x30, b""), b"\x1b04B\r");
        assert_eq!(response(0x24, b"EB 98 E1 70 "), b"\x01$EB 98 E1 70 7A\r");
        assert_eq!(command(0x4A, b"$EB"), b"\x1bJ$EB10\r");
        assert_eq!(response(0x15, b""), b"\x01\x1516\r");
    }

    #[test]
    fn a_command_inside_a_response_is_taken_out_of_it() {
        let whole = heard(b"\x01Q52\r\x1bR6D\r");
        assert_eq!(whole, "0 Response 51 |5 Command 52 ");
        assert_eq!(heard(b"\x01Q\x1bR6D\r52\r"), "2 Command 52 |0 Response 51 ");
        assert_eq!(
            heard(b"\x01$EB 9\x1bR6\xd3D\r\x918 E1 70\x81 7A\r"),
            "6 Command 52 |0 Response 24 EB 98 E1 70 "
        );
        // At any place, between the digits of the checksum too.
        let outer = response(0x24, b"EB 98 E1 70 ");
        for at in 1..outer.len() {
            let mut line = outer.clone();
            line.splice(at..at, command(0x30, b""));
            let said = heard(&line);
            assert!(said.contains("Command 30 |0 Response 24 EB 98 E1 70 "), "{at}: {said}");
        }
    }

    #[test]
    fn bytes_of_the_realtime_stream_and_the_three_controls_belong_to_no_frame() {
        assert_eq!(heard(b"\x80\x01\xff$\x1125\x13\xd0\x18\r\xc0"), "Pause|Resume|Abort|1 Response 24 ");
    }

    #[test]
    fn what_broke_off_and_what_is_in_no_frame_is_told_with_its_place() {
        assert_eq!(
            heard(b"xy\r\x01$EB 98\x01$25\r"),
            "Stray { count: 3, offset: 0 }|Broken { kind: Response, why: Another, offset: 3 }|10 Response 24 "
        );
        assert_eq!(heard(b"\x01$26\r"), "0 Checksum { expected: 37, found: Some(38) }");
        assert_eq!(heard(b"\x01$2g\r\x01\r"), "0 Checksum { expected: 37, found: None }|5 Shape");
        // Lower-case digits are no checksum.
        assert_eq!(heard(b"\x1bR6d\r"), "0 Checksum { expected: 109, found: None }");
        // The broken response takes the command inside it along; what comes then is whole.
        assert_eq!(
            heard(b"\x01$E\x1bR6\x01$25\r"),
            "Broken { kind: Response, why: Another, offset: 0 }|6 Response 24 "
        );
    }

    #[test]
    fn the_longest_frames_are_taken_and_longer_ones_are_not() {
        let data = [b'x'; RESPONSE_MAX];
        let longest = response(0x24, &data[..RESPONSE_MAX - 5]);
        assert_eq!(longest.len(), RESPONSE_MAX);
        assert!(heard(&longest).starts_with("0 Response 24 xxx"));
        let longer = response(0x24, &data[..RESPONSE_MAX - 4]);
        assert_eq!(heard(&longer), "Broken { kind: Response, why: TooLong, offset: 0 }");
        assert!(heard(&command(0x4A, &data[..ARGUMENT_MAX])).starts_with("0 Command 4A xxx"));
        let long = framed(Kind::Command, 0x4A, &data[..ARGUMENT_MAX + 1]);
        assert_eq!(heard(&long), "Broken { kind: Command, why: TooLong, offset: 0 }");
        let mut splitter = Splitter::default();
        for _ in 0..100_000 {
            let _ = splitter.byte(ESC);
            let _ = splitter.byte(SOH);
            assert!(splitter.open.len() <= 2);
        }
    }
}
