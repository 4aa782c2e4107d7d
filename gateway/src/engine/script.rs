//! How a message is answered: as the standard says, or as engines have been seen to do.

use orugate_protocol::hl7::ack::{Code, ErrorCode};
use std::collections::VecDeque;
use std::time::Duration;

/// The answer to one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// A good acknowledgment: this code, and an ERR segment with this error.
    Answer(Code, Option<ErrorCode>),
    /// CA, then AA in a frame of its own.
    CommitThenAccept,
    /// None.
    Silent,
    /// AA after this time.
    Delay(Duration),
    /// None now; AA just before the answer to the next message, on whatever connection that comes.
    Late,
    /// AA for another MSH-10.
    WrongId,
    /// AA with an empty MSA-2.
    BlankId,
    /// AA, and once more.
    Twice,
    /// AA for another MSH-10 and AA for this one, in one write.
    Glued,
    /// The first half of AA, and no more.
    Half,
    /// AA byte by byte.
    Crumbs,
    /// AA behind bytes that belong to no frame.
    Noise,
    /// AA in a frame without its CR.
    NoCr,
    /// A frame with something that is not HL7.
    Garbage,
    /// The connection is reset, without an answer.
    ResetBefore,
    /// AA, and the connection is reset.
    ResetAfter,
    /// The connection is closed, without an answer.
    Close,
    /// AA, and the connection is closed.
    CloseAfter,
}

impl Behaviour {
    /// AA.
    pub const ACCEPT: Self = Self::Answer(Code::ApplicationAccept, None);
    /// AE, without an ERR segment.
    pub const ERROR: Self = Self::Answer(Code::ApplicationError, None);
    /// AR, without an ERR segment.
    pub const REJECT: Self = Self::Answer(Code::ApplicationReject, None);
}

/// What comes next.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) next: VecDeque<Behaviour>,
    pub(super) otherwise: Behaviour,
}

impl Default for Script {
    fn default() -> Self {
        Self { next: VecDeque::new(), otherwise: Behaviour::ACCEPT }
    }
}

impl Script {
    pub(super) fn take(&mut self) -> Behaviour {
        self.next.pop_front().unwrap_or_else(|| self.otherwise.clone())
    }
}
