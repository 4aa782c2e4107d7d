//! MLLP release 1: `VT payload FS CR` around each HL7 message.
//!
//! Promises: the same events for the same bytes however they arrive; at most the buffer's length is held; every
//! byte that is not payload is accounted for with its offset. Leaves out time-outs and what to do about trouble:
//! after [`Event::TooLong`] and [`Event::BadEnd`] most callers close, after much [`Event::Noise`] too.

/// Start of a block (`<SB>`), end of a block (`<EB>`) and the carriage return behind it.
pub use crate::ascii::{CR, FS, VT};

/// Bytes that framing adds to a payload with the [`Blocks::STANDARD`] characters.
pub const OVERHEAD: usize = 3;

/// A run of noise is reported at the latest after so many bytes, so that a peer which never sends a block shows.
pub const NOISE_RUN: u32 = 1024;

/// The block characters, which most engines let a site change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    start: u8,
    end: u8,
    trailer: Option<u8>,
}

impl Blocks {
    /// `0x0B`, `0x1C` and `0x0D`.
    pub const STANDARD: Self = Self { start: VT, end: FS, trailer: Some(CR) };

    /// Other characters; `None` when two are the same. Without a trailer the block ends with its end character.
    #[must_use]
    pub fn new(start: u8, end: u8, trailer: Option<u8>) -> Option<Self> {
        let clash = start == end || trailer.is_some_and(|t| t == start || t == end);
        (!clash).then_some(Self { start, end, trailer })
    }

    /// Frames a payload into `out` and says how many bytes that took. `None` when it does not fit, or when the
    /// payload has a start or end character, which would break the framing at the receiver.
    #[must_use]
    pub fn encode(&self, payload: &[u8], out: &mut [u8]) -> Option<usize> {
        if memchr::memchr2(self.start, self.end, payload).is_some() {
            return None;
        }
        let (start, rest) = out.split_first_mut()?;
        let (body, rest) = rest.split_at_mut_checked(payload.len())?;
        let (end, rest) = rest.split_first_mut()?;
        if let Some(trailer) = self.trailer {
            *rest.first_mut()? = trailer;
        }
        *start = self.start;
        body.copy_from_slice(payload);
        *end = self.end;
        let around = if self.trailer.is_some() { 3usize } else { 2 };
        Some(payload.len().saturating_add(around))
    }
}

impl Default for Blocks {
    fn default() -> Self {
        Self::STANDARD
    }
}

/// Frames a payload with the standard characters: [`Blocks::encode`].
#[must_use]
pub fn encode(payload: &[u8], out: &mut [u8]) -> Option<usize> {
    Blocks::STANDARD.encode(payload, out)
}

/// How a [`Decoder`] reads what the specification does not allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The block characters.
    pub blocks: Blocks,
    /// An end character that neither the trailer nor, where `lenient`, a new block follows is payload instead of
    /// [`Event::BadEnd`].
    pub stray_end_is_data: bool,
    /// A block whose trailer is missing is accepted when a new block starts or when the caller, after a short wait,
    /// calls [`Decoder::flush`].
    pub lenient: bool,
}

/// What the bytes were. Offsets count bytes since the connection opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'d> {
    /// A whole payload.
    Frame {
        /// The bytes between the block characters.
        payload: &'d [u8],
        /// Of the start character.
        offset: u64,
        /// The trailer did not come and the rules are lenient.
        missing_trailer: bool,
    },
    /// Bytes outside of a block.
    Noise {
        /// Of the first of them.
        offset: u64,
        /// How many, at most [`NOISE_RUN`].
        count: u32,
        /// The first of them, which often tells: 0x16 is TLS, `M` is HL7 without framing.
        first: u8,
    },
    /// A start character inside a block: the peer began again, and what it had sent is dropped.
    Restarted {
        /// Of the new start character.
        offset: u64,
        /// Payload bytes that were dropped.
        dropped: usize,
    },
    /// The payload is longer than the buffer. It is dropped to its end or to the next start character.
    TooLong {
        /// Of the start character.
        offset: u64,
        /// The buffer's length.
        limit: usize,
    },
    /// An end character and something else than the trailer. The payload is dropped, what follows is noise.
    BadEnd {
        /// Of the end character.
        offset: u64,
        /// What followed it.
        found: u8,
    },
}

/// Where a decoder stands, for a caller's time-outs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Between blocks, after so many bytes of noise that no event has reported yet.
    Outside {
        /// How many.
        noise: u32,
    },
    /// In a block: the time between bytes should be bounded.
    Inside {
        /// Payload bytes so far; for a payload that is too long those that fitted.
        len: usize,
    },
    /// A block has its end character but not its trailer: with lenient rules, wait shortly, then flush.
    AwaitingTrailer,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Between blocks, `noise` bytes in.
    Outside { noise: u32, first: u8 },
    /// In the block that started at `offset`, with `len` bytes in the buffer.
    Inside { offset: u64, len: usize },
    /// Its end character has come.
    Ended { offset: u64, len: usize },
    /// The payload was handed out or dropped as too long; its trailer belongs to it.
    Trailer,
    /// In a block that was too long.
    Dropping,
}

const CLEAN: State = State::Outside { noise: 0, first: 0 };

/// Takes the bytes of one connection apart. The buffer bounds the payload.
#[derive(Debug)]
pub struct Decoder<B> {
    buffer: B,
    rules: Rules,
    state: State,
    /// Bytes consumed since the connection opened.
    consumed: u64,
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Decoder<B> {
    /// A decoder for a new connection.
    pub const fn new(buffer: B, rules: Rules) -> Self {
        Self { buffer, rules, state: CLEAN, consumed: 0 }
    }

    /// Forgets everything: the connection is a new one.
    pub const fn reset(&mut self) {
        self.state = CLEAN;
        self.consumed = 0;
    }

    /// Where it stands.
    #[must_use]
    pub const fn progress(&self) -> Progress {
        match self.state {
            State::Outside { noise, .. } => Progress::Outside { noise },
            State::Trailer => Progress::Outside { noise: 0 },
            State::Inside { len, .. } => Progress::Inside { len },
            State::Dropping => Progress::Inside { len: 0 },
            State::Ended { .. } => Progress::AwaitingTrailer,
        }
    }

    /// Takes bytes up to the first event and says how many. Call it again with the rest until that is empty. An
    /// event that the next byte brings about without belonging to it comes with zero bytes taken.
    pub fn receive(&mut self, input: &[u8]) -> (usize, Option<Event<'_>>) {
        let mut taken = 0usize;
        while let Some(rest @ [byte, ..]) = input.get(taken..) {
            let (used, happened) = self.step(*byte, rest);
            taken = taken.saturating_add(used);
            self.consumed = self.consumed.saturating_add(u64::try_from(used).unwrap_or(u64::MAX));
            if let Some(happened) = happened {
                return (taken, Some(self.event(happened)));
            }
        }
        (taken, None)
    }

    /// A short wait for the trailer is over, or the connection was closed: with lenient rules a block that lacks only
    /// its trailer is whole.
    pub fn flush(&mut self) -> Option<Event<'_>> {
        let State::Ended { offset, len } = self.state else { return None };
        if !self.rules.lenient {
            return None;
        }
        self.state = State::Trailer; // Should it come late, it is no noise.
        Some(self.event(Happened::Frame { offset, len, missing_trailer: true }))
    }

    /// The input's first byte, or the run of payload that it starts: how many bytes were used, and what happened.
    fn step(&mut self, byte: u8, input: &[u8]) -> (usize, Option<Happened>) {
        let Blocks { start, end, trailer } = self.rules.blocks;
        let here = self.consumed;
        match self.state {
            State::Outside { noise: 0, .. } | State::Trailer if byte == start => {
                self.state = State::Inside { offset: here, len: 0 };
                (1, None)
            }
            State::Trailer if Some(byte) == trailer => {
                self.state = CLEAN;
                (1, None)
            }
            State::Trailer => {
                self.state = CLEAN;
                (0, None)
            }
            // Noise is reported before the start character is taken.
            State::Outside { noise, first } if byte == start || noise >= NOISE_RUN => {
                self.state = CLEAN;
                let offset = here.saturating_sub(u64::from(noise));
                (0, Some(Happened::Other(Event::Noise { offset, count: noise, first })))
            }
            State::Outside { noise, first } => {
                let first = if noise == 0 { byte } else { first };
                self.state = State::Outside { noise: noise.saturating_add(1), first };
                (1, None)
            }
            State::Inside { len, .. } if byte == start => {
                self.state = State::Inside { offset: here, len: 0 };
                (1, Some(Happened::Other(Event::Restarted { offset: here, dropped: len })))
            }
            State::Inside { offset, len } if byte == end => {
                if trailer.is_some() {
                    self.state = State::Ended { offset, len };
                    return (1, None);
                }
                self.state = CLEAN;
                (1, Some(Happened::Frame { offset, len, missing_trailer: false }))
            }
            State::Inside { offset, len } => {
                let count = memchr::memchr2(start, end, input).unwrap_or(input.len());
                let room = self.buffer.as_mut().get_mut(len..).unwrap_or_default();
                let fits = count.min(room.len());
                if let (Some(place), Some(run)) = (room.get_mut(..fits), input.get(..fits)) {
                    place.copy_from_slice(run);
                }
                if fits < count {
                    self.state = State::Dropping;
                    let limit = self.buffer.as_ref().len();
                    return (fits.saturating_add(1), Some(Happened::Other(Event::TooLong { offset, limit })));
                }
                self.state = State::Inside { offset, len: len.saturating_add(count) };
                (count, None)
            }
            State::Ended { offset, len } if Some(byte) == trailer => {
                self.state = CLEAN;
                (1, Some(Happened::Frame { offset, len, missing_trailer: false }))
            }
            State::Ended { offset, len } if byte == start && self.rules.lenient => {
                self.state = CLEAN;
                (0, Some(Happened::Frame { offset, len, missing_trailer: true }))
            }
            State::Ended { offset, len } if self.rules.stray_end_is_data => self.stray_end(offset, len, end),
            State::Ended { .. } => {
                self.state = CLEAN;
                let offset = here.saturating_sub(1);
                (0, Some(Happened::Other(Event::BadEnd { offset, found: byte })))
            }
            State::Dropping if byte == start => {
                self.state = State::Inside { offset: here, len: 0 };
                (1, None)
            }
            State::Dropping if byte == end => {
                self.state = State::Trailer;
                (1, None)
            }
            State::Dropping => (memchr::memchr2(start, end, input).unwrap_or(input.len()), None),
        }
    }

    /// Puts the end character that was none into the payload; the byte behind it is looked at again.
    fn stray_end(&mut self, offset: u64, len: usize, end: u8) -> (usize, Option<Happened>) {
        if let Some(place) = self.buffer.as_mut().get_mut(len) {
            *place = end;
            self.state = State::Inside { offset, len: len.saturating_add(1) };
            return (0, None);
        }
        self.state = State::Dropping;
        let limit = self.buffer.as_ref().len();
        (0, Some(Happened::Other(Event::TooLong { offset, limit })))
    }

    fn event(&self, happened: Happened) -> Event<'_> {
        match happened {
            Happened::Frame { offset, len, missing_trailer } => {
                let payload = self.buffer.as_ref().get(..len).unwrap_or_default();
                Event::Frame { payload, offset, missing_trailer }
            }
            Happened::Other(event) => event,
        }
    }
}

/// An event before its payload is borrowed from the buffer.
enum Happened {
    Frame { offset: u64, len: usize, missing_trailer: bool },
    Other(Event<'static>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec::Vec;
    use std::{format, vec};

    /// Everything that happens to bytes that come in pieces of the given lengths, as text.
    fn events(
        rules: Rules,
        limit: usize,
        bytes: &[u8],
        mut pieces: impl Iterator<Item = usize>,
    ) -> Vec<String> {
        let mut decoder = Decoder::new(vec![0; limit], rules);
        let mut shown = vec![];
        let mut rest = bytes;
        while !rest.is_empty() {
            let size = pieces.next().unwrap_or(rest.len()).clamp(1, rest.len());
            let (mut piece, tail) = rest.split_at(size);
            rest = tail;
            while !piece.is_empty() {
                let (taken, event) = decoder.receive(piece);
                assert!(taken > 0 || event.is_some(), "no progress");
                if let Some(event) = event {
                    shown.push(show(event));
                }
                piece = &piece[taken..];
            }
        }
        if let Some(event) = decoder.flush() {
            shown.push(show(event));
        }
        shown
    }

    fn show(event: Event<'_>) -> String {
        match event {
            Event::Frame { payload, offset, missing_trailer } => {
                format!("{offset} {}{}", payload.escape_ascii(), if missing_trailer { " no CR" } else { "" })
            }
            Event::Noise { offset, count, first } => {
                format!("{offset} noise {count} {}", first.escape_ascii())
            }
            Event::Restarted { offset, dropped } => format!("{offset} restarted {dropped}"),
            Event::TooLong { offset, limit } => format!("{offset} too long {limit}"),
            Event::BadEnd { offset, found } => format!("{offset} bad end {}", found.escape_ascii()),
        }
    }

    const STRICT: Rules = Rules { blocks: Blocks::STANDARD, stray_end_is_data: false, lenient: false };
    const LENIENT: Rules = Rules { lenient: true, ..STRICT };
    const DATA: Rules = Rules { stray_end_is_data: true, ..STRICT };

    #[test]
    fn one_table_for_every_event() {
        for (rules, bytes, expected) in [
            (STRICT, &b"\x0bMSH\x1c\r"[..], &["0 MSH"][..]),
            (STRICT, b"\x0b\x1c\r\x0bA\x1c\r", &["0 ", "3 A"]),
            (STRICT, b"xyz\x0bA\x1c\r\n\x0bB\x1c\r", &["0 noise 3 x", "3 A", "7 noise 1 \\n", "8 B"]),
            (STRICT, b"\x0bAB\x0bC\x1c\r", &["3 restarted 2", "3 C"]),
            (STRICT, b"\x0b\x0bC\x1c\r", &["1 restarted 0", "1 C"]),
            (STRICT, b"\x0b12345678\x1c\r", &["0 12345678"]),
            (STRICT, b"\x0b123456789\x1c\r\x0bA\x1c\r", &["0 too long 8", "12 A"]),
            (STRICT, b"\x0b123456789abc\x0bA\x1c\r", &["0 too long 8", "13 A"]),
            (STRICT, b"\x0bA\x1cB\x1c\r\x0bC\x1c\r", &["2 bad end B", "3 noise 3 B", "6 C"]),
            (STRICT, b"\x0bA\x1c\x0bB\x1c\r", &["2 bad end \\x0b", "3 B"]),
            (STRICT, b"\x0bA\x1c", &[]),
            (LENIENT, b"\x0bA\x1c", &["0 A no CR"]),
            (LENIENT, b"\x0bA\x1c\x0bB\x1c\r", &["0 A no CR", "3 B"]),
            (LENIENT, b"\x0bA\x1cB", &["2 bad end B"]),
            (DATA, b"\x0bA\x1cB\x1c\x1c\r", &["0 A\\x1cB\\x1c"]),
            (DATA, b"\x0bA\x1c\x0bB\x1c\r", &["3 restarted 2", "3 B"]),
            (DATA, b"\x0b1234567\x1c\x1c\r\x0bA\x1c\r", &["0 1234567\\x1c", "11 A"]),
            (DATA, b"\x0b12345678\x1cx\x1c\r\x0bA\x1c\r", &["0 too long 8", "13 A"]),
        ] {
            let whole = events(rules, 8, bytes, core::iter::empty());
            assert_eq!(whole, expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn endless_noise_shows() {
        let shown = events(STRICT, 8, &[b'x'; 2500], core::iter::empty());
        assert_eq!(shown, ["0 noise 1024 x", "1024 noise 1024 x"]);
    }

    #[test]
    fn a_late_trailer_after_a_flush_is_no_noise() {
        let mut decoder = Decoder::new([0; 8], LENIENT);
        assert_eq!(decoder.receive(b"\x0bA\x1c"), (3, None));
        assert_eq!(decoder.progress(), Progress::AwaitingTrailer);
        assert!(matches!(decoder.flush(), Some(Event::Frame { payload: b"A", missing_trailer: true, .. })));
        assert_eq!(decoder.flush(), None);
        assert_eq!(decoder.receive(b"\r"), (1, None));
        assert_eq!(decoder.progress(), Progress::Outside { noise: 0 });
        assert_eq!(decoder.receive(b"\x0bBC"), (3, None));
        assert_eq!(decoder.progress(), Progress::Inside { len: 2 });
        decoder.reset();
        assert_eq!(decoder.receive(b"\x0bD\x1c\r").1.map(show).as_deref(), Some("0 D"));
    }

    #[test]
    fn other_block_characters() {
        assert_eq!(Blocks::new(2, 2, None), None);
        assert_eq!(Blocks::new(2, 3, Some(3)), None);
        let rules = Rules { blocks: Blocks::new(2, 3, None).unwrap(), ..STRICT };
        let shown = events(rules, 8, b"\x02A\x1c\x03\x02B\x03", core::iter::empty());
        assert_eq!(shown, ["0 A\\x1c", "4 B"]);
        let mut out = [0; 4];
        assert_eq!(rules.blocks.encode(b"A\x1c", &mut out), Some(4));
        assert_eq!(&out, b"\x02A\x1c\x03");
    }

    #[test]
    fn encode_refuses_what_would_break_framing() {
        let mut out = [0; 8];
        assert_eq!(encode(b"MSH", &mut out), Some(3 + OVERHEAD));
        assert_eq!(&out[..6], b"\x0bMSH\x1c\r");
        assert_eq!(encode(b"M\x0bH", &mut out), None);
        assert_eq!(encode(b"M\x1c", &mut out), None);
        for size in 0..6 {
            assert_eq!(encode(b"MSH", &mut out[..size]), None);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_split_gives_the_same_events(
            bytes in proptest::collection::vec(
                proptest::prop_oneof![proptest::strategy::Just(VT), proptest::strategy::Just(FS),
                    proptest::strategy::Just(CR), 0x41u8..0x44], 0..60),
            pieces in proptest::collection::vec(1usize..9, 0..60),
            stray_end_is_data: bool,
            lenient: bool,
            limit in 0usize..7,
        ) {
            let rules = Rules { blocks: Blocks::STANDARD, stray_end_is_data, lenient };
            let whole = events(rules, limit, &bytes, core::iter::empty());
            proptest::prop_assert_eq!(&whole, &events(rules, limit, &bytes, pieces.into_iter()));
            proptest::prop_assert_eq!(&whole, &events(rules, limit, &bytes, core::iter::repeat(1)));
        }

        #[test]
        fn what_was_encoded_is_decoded(payloads in proptest::collection::vec("[^\x0b\x1c]{0,20}", 0..5)) {
            let mut stream = vec![];
            let mut expected = vec![];
            for payload in &payloads {
                let mut out = [0; 100];
                let len = encode(payload.as_bytes(), &mut out).unwrap();
                expected.push(format!("{} {}", stream.len(), payload.as_bytes().escape_ascii()));
                stream.extend_from_slice(&out[..len]);
            }
            proptest::prop_assert_eq!(events(STRICT, 100, &stream, core::iter::empty()), expected);
        }
    }
}
