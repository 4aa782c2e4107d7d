//! From one stored message to report items: [`Interpreter`], with what it is given and how it may fail.

use orugate_protocol::report::ReportSink;
use orugate_protocol::span::Span;
use orugate_protocol::time::{ClockQuality, Utc};
use std::fmt;

/// Turns a stored message into report items. Deterministic: the same message and profile give the same items, now
/// and years later. Runs on a thread of its own; a panic or an endless loop in it is a hold, not an outage.
pub trait Interpreter: Send + Sync {
    /// Gives the items of `message` to `sink`, in document order.
    ///
    /// # Errors
    /// [`Fault`] when nothing more can be told from the message; what was given before stands.
    fn interpret<'m>(
        &self,
        message: &StoredMessage<'m>,
        scratch: &mut Scratch<'m>,
        sink: &mut dyn ReportSink<'m>,
    ) -> Result<(), Fault>;

    /// Where the message's text stands in its raw bytes: these pieces, one after the other, are what the spans of report
    /// items count in. For people who look from a result back to the wire; none means that raw bytes and text are one.
    fn pieces(&self, message: &StoredMessage<'_>) -> Vec<Piece> {
        let _ = message;
        Vec::new()
    }
}

/// A piece of a message's raw bytes that the link counts as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// All of it, in the raw bytes.
    pub raw: Span,
    /// What of it is text, in the raw bytes too.
    pub text: Span,
    /// What the link wrote around the text, if it is a frame.
    pub frame: Option<FrameSeen>,
}

/// A frame as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameSeen {
    /// Its number.
    pub number: u8,
    /// It says that it is the last of its part.
    pub last: bool,
    /// The checksum in it; `None` when it has none.
    pub checksum: Option<u8>,
    /// The checksum that its bytes have.
    pub expected: u8,
}

/// One message as the journal holds it.
#[derive(Clone, Copy, Debug)]
pub struct StoredMessage<'m> {
    /// All its chunks, one after the other, raw.
    pub raw: &'m [u8],
    /// Where each chunk ends in `raw`, ascending; the last is `raw.len()`.
    pub chunk_ends: &'m [u32],
    /// False when the link broke before its end.
    pub complete: bool,
    /// When its first chunk came.
    pub received: Utc,
    /// How far that time can be trusted.
    pub clock: ClockQuality,
}

impl<'m> StoredMessage<'m> {
    /// The chunks, raw.
    pub fn chunks(&self) -> impl Iterator<Item = &'m [u8]> + use<'m> {
        let (raw, ends) = (self.raw, self.chunk_ends);
        let mut start = 0usize;
        ends.iter().map(move |end| {
            let end = *end as usize;
            let chunk = raw.get(start..end).unwrap_or_default();
            start = end;
            chunk
        })
    }
}

/// What an instrument's configuration says that a session or an interpreter may need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instrument {
    /// Its name in the configuration.
    pub name: String,
}

/// Space that the caller lends for the time of one interpretation, handed out piece by piece.
#[derive(Debug)]
pub struct Scratch<'m> {
    free: &'m mut [u8],
}

impl<'m> Scratch<'m> {
    /// All of `space` is free.
    #[must_use]
    pub const fn new(space: &'m mut [u8]) -> Self {
        Self { free: space }
    }

    /// Takes `len` bytes (their content is anything); `None` when so much is not left.
    pub fn take(&mut self, len: usize) -> Option<&'m mut [u8]> {
        let free = std::mem::take(&mut self.free);
        let (taken, rest) = if len <= free.len() {
            let (taken, rest) = free.split_at_mut(len);
            (Some(taken), rest)
        } else {
            (None, free)
        };
        self.free = rest;
        taken
    }
}

/// Why an interpreter gave up on a message. The message is held with this reason; its raw bytes are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The record structure cannot be told; where.
    Structure {
        /// Byte offset in the message's text.
        offset: u32,
        /// What is wrong.
        what: &'static str,
    },
    /// The scratch space was too small.
    Space,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Structure { offset, what } => write!(f, "{what}, at byte {offset}"),
            Self::Space => f.write_str("the message is larger than this gateway takes"),
        }
    }
}
