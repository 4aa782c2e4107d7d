//! What a link tells its caller: events, troubles with their place, deadlines with their reason.
//!
//! All of it displays as a short phrase for a log; none of it says what a message means.

use core::fmt;
use core::time::Duration;

use crate::ascii;
use crate::time::Tick;

/// Something happened on the link.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The peer opened a transfer.
    Established(Opening),
    /// The peer asked for the line and was answered NAK, because the caller had said that it is busy.
    TurnedAway,
    /// A whole, right frame. Nothing more is read until the caller accepts or refuses it.
    Frame(Frame<'a>),
    /// A frame was no good and is answered NAK. What was wrong with it was told as trouble before.
    Rejected {
        /// What the link kept of it, from its STX on; empty when that was lost. On a one-way line it will not come
        /// again, so this is all there is.
        raw: &'a [u8],
    },
    /// The last accepted frame came again, byte for byte: its ACK was lost. It was acknowledged and dropped.
    Repeated {
        /// The frame's number.
        number: u8,
    },
    /// The peer's transfer is over.
    Ended(EndReason),
    /// Something was not as it should be; the link went on.
    Trouble(Trouble),
    /// The peer acknowledged a frame of ours.
    FrameSent {
        /// The frame's number.
        number: u8,
    },
    /// The peer acknowledged the last frame of the offered message.
    Delivered,
    /// The offered message was given up. It can be taken back, or offered again.
    Failed(Failure),
    /// The peer asked for the line in the middle of our message and got it. The message will be sent again, whole.
    Interrupted,
    /// Both asked for the line. The message stays offered.
    Contention,
    /// The peer answered our ENQ with NAK. The message stays offered.
    PeerBusy,
}

/// Which frame an acceptance is for; never used twice by one [`Link`](super::Link).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameId(pub(super) u64);

/// A frame that waits for its reply.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What accepts or refuses it.
    pub id: FrameId,
    /// From STX to whatever of the tail has come: CR, LF or both may be missing.
    pub raw: &'a [u8],
    /// The text alone.
    pub text: &'a [u8],
    /// The frame number, 0 to 9 (the standard has 0 to 7).
    pub number: u8,
    /// True when it ends with ETX.
    pub last: bool,
    /// Place of its STX, in bytes from the connection's start.
    pub at: u64,
}

/// How a transfer began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// With ENQ.
    Enq,
    /// With a frame, without ENQ.
    Frame,
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// Every frame was accepted and the last one ended with ETX.
    Complete,
    /// No frame came between ENQ and EOT; some instruments do so to see whether the line is alive.
    Empty,
    /// Something is missing. What was accepted is good.
    Incomplete(Cut),
}

/// Why a transfer is incomplete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// EOT came although the last frame ended with ETB.
    AfterEtb,
    /// EOT came although the last frame was not acknowledged.
    FrameNotAccepted,
    /// Nothing came for the receive time.
    Silence,
    /// ENQ came in the middle: the peer started anew.
    NewEnq,
    /// The connection ended.
    Disconnected,
}

/// Why an offered message was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No reply to ENQ.
    NoReplyToEnq,
    /// No reply to a frame.
    NoReplyToFrame {
        /// The frame's number.
        number: u8,
    },
    /// A frame was refused as often as it may be sent.
    Refused {
        /// The frame's number.
        number: u8,
        /// How often it was sent.
        sends: u8,
    },
    /// The connection ended.
    Disconnected,
    /// The message is not any more what was offered: its `AsRef` gave other bytes.
    Changed,
}

/// Something was not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Place of its first byte, from the connection's start.
    pub at: u64,
    /// What it was.
    pub kind: TroubleKind,
}

/// Kinds of trouble. Those in a frame make the link answer NAK, unless their description says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TroubleKind {
    /// Bytes that belong to nothing. Ignored.
    Noise {
        /// How many.
        count: u64,
        /// The first one.
        first: u8,
    },
    /// A control character where it means nothing. Ignored.
    Unexpected(u8),
    /// The checksum does not fit the frame.
    BadChecksum {
        /// What the bytes add up to.
        expected: u8,
        /// What the frame says.
        found: u8,
    },
    /// The frame has a number out of order. With [`FrameNumbers::Any`](super::FrameNumbers::Any), and for 0 in the
    /// first frame, it is taken.
    FrameNumber {
        /// The next number.
        expected: u8,
        /// The frame's number.
        found: u8,
    },
    /// The frame has the number of the last accepted one but other bytes. With
    /// [`FrameNumbers::Any`](super::FrameNumbers::Any) it is taken as a new one.
    SameNumber(u8),
    /// No end within the room that the link has.
    OverLong {
        /// The room, in bytes.
        limit: usize,
    },
    /// A byte that cannot stand where it does.
    Malformed {
        /// Where in the frame.
        part: Part,
        /// The byte.
        found: u8,
    },
    /// STX, ENQ or EOT inside a frame: the rest of the frame was lost, or the character is line noise.
    ControlInFrame(u8),
    /// A frame's end without its beginning.
    NoStart,
    /// Characters in a frame's text that the standard keeps out. The frame is taken as it is.
    Restricted {
        /// The first one.
        first: u8,
        /// How many.
        count: u32,
    },
    /// The caller had not accepted the frame when the peer's wait was over. No reply is sent any more.
    ReplyTooLate {
        /// The frame's number.
        number: u8,
    },
}

/// A part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The frame number.
    Number,
    /// The two characters of the checksum.
    Checksum,
    /// CR LF.
    Tail,
}

/// When [`Link::handle_deadline`](super::Link::handle_deadline) wants to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The point in time.
    pub at: Tick,
    /// The whole wait.
    pub wait: Duration,
    /// What for.
    pub why: Why,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The reply to our ENQ.
    EnqReply,
    /// The reply to a frame of ours.
    FrameReply(u8),
    /// The next frame or EOT of an open transfer.
    Receive,
    /// A frame's CR LF.
    Tail,
    /// The end of a run of garbage.
    Quiet,
    /// The caller's word that a frame is stored.
    Stored(u8),
    /// A reply that the instrument wants late.
    ReplyDelay,
    /// The next ENQ after the peer was busy.
    PeerBusy,
    /// The next ENQ after two met.
    Contention,
    /// The next ENQ after an interrupt was granted.
    Interrupt,
}

/// As it displays, without any text: that may hold a patient's name.
impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({self})")
    }
}

/// Without the text.
impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("id", &self.id)
            .field("number", &self.number)
            .field("last", &self.last)
            .field("bytes", &self.raw.len())
            .field("at", &self.at)
            .finish()
    }
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Established(Opening::Enq) => f.write_str("established"),
            Self::Established(Opening::Frame) => f.write_str("established by a frame without ENQ"),
            Self::TurnedAway => f.write_str("peer turned away: busy"),
            Self::Frame(frame) => {
                let end = if frame.last { "ETX" } else { "ETB" };
                write!(f, "frame {} of {} bytes, {end}", frame.number, frame.raw.len())
            }
            Self::Rejected { raw } => write!(f, "frame of {} bytes rejected", raw.len()),
            Self::Repeated { number } => write!(f, "frame {number} repeated"),
            Self::Ended(reason) => write!(f, "ended: {reason}"),
            Self::Trouble(trouble) => write!(f, "trouble {trouble}"),
            Self::FrameSent { number } => write!(f, "frame {number} sent"),
            Self::Delivered => f.write_str("delivered"),
            Self::Failed(failure) => write!(f, "failed: {failure}"),
            Self::Interrupted => f.write_str("interrupted"),
            Self::Contention => f.write_str("contention"),
            Self::PeerBusy => f.write_str("peer is busy"),
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Complete => "complete",
            Self::Empty => "empty",
            Self::Incomplete(Cut::AfterEtb) => "incomplete, EOT after ETB",
            Self::Incomplete(Cut::FrameNotAccepted) => {
                "incomplete, EOT after a frame that was not acknowledged"
            }
            Self::Incomplete(Cut::Silence) => "incomplete, silence",
            Self::Incomplete(Cut::NewEnq) => "incomplete, a new ENQ",
            Self::Incomplete(Cut::Disconnected) => "incomplete, disconnected",
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoReplyToEnq => f.write_str("no reply to ENQ"),
            Self::NoReplyToFrame { number } => write!(f, "no reply to frame {number}"),
            Self::Refused { number, sends } => write!(f, "frame {number} refused {sends} times"),
            Self::Disconnected => f.write_str("disconnected"),
            Self::Changed => f.write_str("the message changed while it was sent"),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}: {}", self.at, self.kind)
    }
}

impl fmt::Display for TroubleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Noise { count: 1, first } => write!(f, "stray byte {}", Byte(first)),
            Self::Noise { count, first } => write!(f, "{count} stray bytes, first {}", Byte(first)),
            Self::Unexpected(byte) => write!(f, "unexpected {}", Byte(byte)),
            Self::BadChecksum { expected, found } => {
                write!(f, "checksum {found:02X}, the bytes add up to {expected:02X}")
            }
            Self::FrameNumber { expected, found } => write!(f, "frame number {found} in place of {expected}"),
            Self::SameNumber(number) => write!(f, "frame number {number} again, with other text"),
            Self::OverLong { limit } => write!(f, "no frame end within {limit} bytes"),
            Self::Malformed { part, found } => {
                let part = match part {
                    Part::Number => "a frame number",
                    Part::Checksum => "a checksum",
                    Part::Tail => "CR LF",
                };
                write!(f, "{} in place of {part}", Byte(found))
            }
            Self::ControlInFrame(byte) => write!(f, "{} inside a frame", Byte(byte)),
            Self::NoStart => f.write_str("a frame's end without its STX"),
            Self::Restricted { first, count: 1 } => {
                write!(f, "restricted character {} in the text", Byte(first))
            }
            Self::Restricted { first, count } => {
                write!(f, "{count} restricted characters in the text, first {}", Byte(first))
            }
            Self::ReplyTooLate { number } => write!(f, "frame {number} was stored too late for a reply"),
        }
    }
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.wait.subsec_millis() {
            0 => write!(f, "{} s for {}", self.wait.as_secs(), self.why),
            _ => write!(f, "{} ms for {}", self.wait.as_millis(), self.why),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EnqReply => f.write_str("the reply to ENQ"),
            Self::FrameReply(number) => write!(f, "the reply to frame {number}"),
            Self::Receive => f.write_str("the next frame or EOT"),
            Self::Tail => f.write_str("the frame's CR LF"),
            Self::Quiet => f.write_str("the end of stray bytes"),
            Self::Stored(number) => write!(f, "frame {number} to be stored"),
            Self::ReplyDelay => f.write_str("the reply's delay"),
            Self::PeerBusy => f.write_str("the peer, which is busy"),
            Self::Contention => f.write_str("the line, after both asked for it"),
            Self::Interrupt => f.write_str("the peer, which asked for the line"),
        }
    }
}

/// A control character by its name, any other byte in hexadecimal.
struct Byte(u8);

impl fmt::Display for Byte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match ascii::name(self.0) {
            Some(name) => f.write_str(name),
            None => write!(f, "{:02X}", self.0),
        }
    }
}
