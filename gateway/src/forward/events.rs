//! What goes into a delivery and what comes out, as types that display as sentences.
//!
//! Promises that no sentence holds a byte of a message or of an acknowledgment's text: those may name a patient.
//! Numbers, codes of tables and places in a message are all that is told; the acknowledgment itself goes to the
//! journal with its [`Settlement`].

use crate::tls::Trouble;
use orugate_protocol::hl7::ack::Code;
use orugate_protocol::time::Tick;
use std::fmt;
use std::io;
use std::time::Duration;

/// Something happened.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// The engine took the connection.
    Connected,
    /// It did not.
    ConnectFailed(ConnectError),
    /// Bytes came.
    Bytes(&'a [u8]),
    /// The last byte of the message in flight was given to the network.
    Sent,
    /// The message in flight could not be read from the journal: not one byte of it was sent.
    Unreadable,
    /// The connection ended, and not because this side closed it.
    Closed(Ended),
    /// A point in time of [`Output::Wait`] is reached.
    Deadline,
    /// The queue changed: new, unparked or discarded messages.
    NewWork,
    /// A [`Settlement`] of this number is in the journal, and the queue tells so.
    Settled(u64),
    /// Finish what is in flight and end.
    Stop,
}

/// What to do. Poll until [`Output::Wait`] or [`Output::Done`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Connect, and say how it went.
    Connect,
    /// Close the connection, or give up making it. Nothing is said of it any more.
    Close(CloseWhy),
    /// Send the stored bytes of this message in a frame.
    Send(u64),
    /// Journal this. Nothing waits for it here, so it may ride the next sync.
    Settle(Settlement),
    /// Something to tell people.
    Note(Note),
    /// Drained. Give [`Input::Deadline`] at this time unless something else comes first.
    Wait(Option<Deadline>),
    /// The end, after a stop.
    Done,
}

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The engine acknowledged it.
    Delivered {
        /// Its number.
        number: u64,
        /// MSA-1.
        code: Code,
        /// The acknowledgment, without its frame.
        ack: Vec<u8>,
    },
    /// The engine refuses it, or it cannot be read.
    Parked {
        /// Its number.
        number: u64,
        /// Why.
        why: Refusal,
        /// The last acknowledgment, without its frame; empty when there is none.
        ack: Vec<u8>,
    },
}

impl Settlement {
    /// The message's number.
    #[must_use]
    pub const fn number(&self) -> u64 {
        match self {
            Self::Delivered { number, .. } | Self::Parked { number, .. } => *number,
        }
    }
}

/// Why a message does not go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The engine said so.
    Engine {
        /// MSA-1.
        code: Code,
        /// ERR-3 (table 0357), when it is a number.
        error: Option<u16>,
    },
    /// Its bytes cannot be read from the journal.
    Unreadable,
}

/// Why no connection could be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// The name has no address.
    Name,
    /// Nothing listens there.
    Refused,
    /// No answer in time.
    TimedOut,
    /// TLS could not be agreed on.
    Tls(Trouble),
    /// Anything else.
    Other(io::ErrorKind),
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// In order.
    Eof,
    /// By TLS: the engine refused it after the handshake, or may no longer be talked to.
    Tls(Trouble),
    /// The engine answered with TLS, and the connection is plain.
    WantsTls,
    /// Broken, before the engine said anything: often one side speaks TLS and the other does not.
    Unheard(io::ErrorKind),
    /// Otherwise.
    Error(io::ErrorKind),
}

/// Why this side closes a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseWhy {
    /// A stop was asked for.
    Stopping,
    /// The engine cannot be followed any further.
    Failed(Failure),
}

/// What made a connection useless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It could not be made.
    Connect(ConnectError),
    /// It ended, from the other side.
    Ended(Ended),
    /// The engine did not take all bytes of the message in time.
    Writing(Duration),
    /// No acknowledgment came in time.
    NoAnswer(Duration),
    /// CA came, and then no application acknowledgment in time.
    NoApplicationAnswer(Duration),
    /// A frame began and did not end.
    FrameStalled(Duration),
    /// A frame's end is not FS CR; the byte after FS.
    FrameEnd(u8),
    /// A frame is longer than allowed.
    TooLong {
        /// How many bytes are allowed.
        limit: usize,
    },
    /// Bytes outside frames, and no end of them.
    Noise,
    /// A frame holds no HL7 message.
    NotHl7,
    /// A message holds no MSA.
    NotAnAck,
    /// MSA-1 is not in table 0008.
    UnknownCode,
    /// The message was answered before all of it was sent.
    EarlyAnswer(Code),
}

/// A point in time, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// When.
    pub at: Tick,
    /// Why.
    pub why: Waiting,
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The engine takes the bytes of this message.
    Writing(u64),
    /// The acknowledgment of this message.
    Answer(u64),
    /// The application acknowledgment of this message.
    ApplicationAnswer(u64),
    /// The end of a frame that has begun.
    Frame,
    /// The CR of a frame that may end without it.
    MissingCr,
    /// The next try to connect.
    Reconnect,
    /// The next try of a refused message.
    Retry(u64),
    /// The end of a stop that waits for an acknowledgment.
    Stop(u64),
}

/// Something to tell people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Connected.
    Connected,
    /// The engine closed an idle connection; the next message makes a new one.
    Disconnected(Ended),
    /// A connection failed; the next try comes after this wait.
    Failed(Failure, Duration),
    /// The message was sent, at least in part, and no acknowledgment came. The same bytes will be sent again.
    OutcomeUnknown(u64),
    /// A message was refused; it is sent again after this wait.
    Refused {
        /// Its number.
        number: u64,
        /// Why.
        why: Refusal,
        /// How often by now.
        times: u32,
        /// When it is sent again.
        wait: Duration,
    },
    /// A refused message stops the destination, as configured.
    Blocked {
        /// Its number.
        number: u64,
        /// Why.
        why: Refusal,
    },
    /// A message was parked.
    Parked {
        /// Its number.
        number: u64,
        /// Why.
        why: Refusal,
    },
    /// An acknowledgment is for no message of ours: discarded.
    ForeignId,
    /// An acknowledgment has an empty MSA-2: discarded.
    BlankId,
    /// An acknowledgment is for a message that was not sent yet: discarded.
    NeverSent(u64),
    /// An acknowledgment of a message that is settled: ignored.
    Duplicate(u64, Code),
    /// A late acknowledgment delivered a message that was going to be sent again, or was parked.
    LateDelivery(u64, Code),
    /// A late refusal of a message that is not in flight: ignored, it will be asked again.
    LateRefusal(u64, Code),
    /// So many bytes came outside frames and were dropped.
    Noise(u32),
    /// A frame began inside a frame; so many bytes of the first were dropped.
    Restarted(usize),
    /// A frame was taken without its CR.
    MissingCr,
}

impl Refusal {
    /// True when another try cannot help: the engine does not support such messages (errors 200 to 203).
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Engine { code, error: Some(200..=203) } if code.is_reject())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine { code, error: Some(error) } => write!(f, "{} with error {error}", code.as_str()),
            Self::Engine { code, error: None } => f.write_str(code.as_str()),
            Self::Unreadable => f.write_str("it cannot be read from the journal"),
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("the engine's name has no address"),
            Self::Refused => f.write_str("nothing listens at the engine's address"),
            Self::TimedOut => f.write_str("the engine's host does not answer"),
            Self::Tls(trouble) => trouble.fmt(f),
            Self::Other(kind) => write!(f, "cannot connect: {kind}"),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Eof => f.write_str("the engine closed the connection"),
            Self::Tls(trouble) => trouble.fmt(f),
            Self::WantsTls => {
                f.write_str("the engine wants TLS at this port (write mllp.tls, or use its plain port)")
            }
            Self::Unheard(kind) => {
                write!(
                    f,
                    "the connection broke before the engine said anything: {kind} (does it want TLS, or none?)"
                )
            }
            Self::Error(kind) => write!(f, "the connection broke: {kind}"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => error.fmt(f),
            Self::Ended(ended) => ended.fmt(f),
            Self::Writing(wait) => write!(f, "the engine did not take the message in {wait:?}"),
            Self::NoAnswer(wait) => write!(f, "no acknowledgment in {wait:?}"),
            Self::NoApplicationAnswer(wait) => write!(f, "CA, but no application acknowledgment in {wait:?}"),
            Self::FrameStalled(wait) => write!(f, "an acknowledgment began and did not go on for {wait:?}"),
            Self::FrameEnd(byte) => {
                write!(f, "an acknowledgment's frame has {byte:#04x} instead of CR after FS")
            }
            Self::TooLong { limit } => write!(f, "an acknowledgment is longer than {limit} bytes"),
            Self::Noise => f.write_str("the engine sends bytes outside MLLP frames without end"),
            Self::NotHl7 => f.write_str("the engine answered with something that is not HL7"),
            Self::NotAnAck => f.write_str("the engine answered with a message without MSA"),
            Self::UnknownCode => {
                f.write_str("the engine answered with an MSA-1 that table 0008 does not have")
            }
            Self::EarlyAnswer(code) => {
                write!(f, "the engine answered {} before the message was complete", code.as_str())
            }
        }
    }
}

impl fmt::Display for CloseWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopping => f.write_str("stopping"),
            Self::Failed(failure) => failure.fmt(f),
        }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Writing(number) => write!(f, "message {number} is being written"),
            Self::Answer(number) => write!(f, "the acknowledgment of message {number}"),
            Self::ApplicationAnswer(number) => {
                write!(f, "the application acknowledgment of message {number}")
            }
            Self::Frame => f.write_str("the rest of an acknowledgment"),
            Self::MissingCr => f.write_str("the CR of an acknowledgment"),
            Self::Reconnect => f.write_str("the next try to connect"),
            Self::Retry(number) => write!(f, "the next try of message {number}"),
            Self::Stop(number) => write!(f, "a last wait for the acknowledgment of message {number}"),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected => f.write_str("connected"),
            Self::Disconnected(ended) => write!(f, "{ended}; the next message makes a new one"),
            Self::Failed(failure, wait) => write!(f, "{failure}; next try in {:.1} s", wait.as_secs_f32()),
            Self::OutcomeUnknown(number) => {
                write!(f, "message {number} was sent, outcome unknown; the same bytes will be sent again")
            }
            Self::Refused { number, why, times, wait } => write!(
                f,
                "message {number} was refused {times} times ({why}); next try in {} ms",
                wait.as_millis()
            ),
            Self::Blocked { number, why } => {
                write!(f, "message {number} stops this destination ({why}); a person must act")
            }
            Self::Parked { number, why } => write!(f, "message {number} is parked: {why}"),
            Self::ForeignId => f.write_str("an acknowledgment for another sender's message was discarded"),
            Self::BlankId => f.write_str("an acknowledgment with an empty MSA-2 was discarded"),
            Self::NeverSent(number) => {
                write!(f, "an acknowledgment of message {number}, which was not sent yet, was discarded")
            }
            Self::Duplicate(number, code) => {
                write!(f, "another {} of message {number}, which is settled, was ignored", code.as_str())
            }
            Self::LateDelivery(number, code) => {
                write!(f, "a late {} delivered message {number}; it is not sent again", code.as_str())
            }
            Self::LateRefusal(number, code) => {
                write!(f, "a late {} of message {number} was ignored", code.as_str())
            }
            Self::Noise(bytes) => write!(f, "{bytes} bytes outside MLLP frames were dropped"),
            Self::Restarted(bytes) => write!(f, "a frame began inside a frame; {bytes} bytes were dropped"),
            Self::MissingCr => f.write_str("an acknowledgment was taken although its last CR did not come"),
        }
    }
}
