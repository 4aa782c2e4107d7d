//! The states of a link, and the short queue of what happened in them.
//!
//! Named after LIS01-A2's phases: neutral, establishment, transfer. Everything that only one state knows is in it.

use core::time::Duration;

use super::event::{Cut, EndReason, Failure, Opening, Trouble, Why};
use super::frame::next_number;
use super::scan::Notes;
use crate::ascii::{ACK, ENQ, EOT, NAK};
use crate::time::Tick;

/// A control character to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    Enq,
    Ack,
    Nak,
    Eot,
}

impl Control {
    pub(super) const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Enq => &[ENQ],
            Self::Ack => &[ACK],
            Self::Nak => &[NAK],
            Self::Eot => &[EOT],
        }
    }
}

/// A control character that waits to be put on the wire; `after` when it is delayed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Out {
    pub(super) control: Control,
    pub(super) after: Option<Tick>,
}

/// The line's phase, as this end sees it.
#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    Neutral,
    Establishing(Awaited),
    Sending(Sending),
    Receiving(Receiving),
}

/// How far something is that the peer has to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// Not given to the wire.
    Queued,
    /// Given to the wire, not drained: no reply timer runs yet.
    Draining,
    /// The reply must come until then.
    Reply(Tick),
}

/// A frame of ours on its way: `from..to` of the message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sending {
    pub(super) from: usize,
    /// Set when the frame is written.
    pub(super) to: usize,
    pub(super) number: u8,
    /// How often the frame was given to the wire.
    pub(super) sends: u8,
    pub(super) awaited: Awaited,
}

/// The peer's transfer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receiving {
    pub(super) opening: Opening,
    /// Receive time-out.
    pub(super) until: Tick,
    pub(super) hold: Hold,
    /// The last frame that was accepted.
    pub(super) accepted: Option<Accepted>,
    pub(super) doubt: Doubt,
}

/// Whether the last thing that the peer sent is safe, as far as the peer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    None,
    /// A frame was refused or lost.
    Refused,
    /// A good frame got no reply in time.
    Unanswered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    pub(super) number: u8,
    pub(super) last: bool,
    pub(super) hash: u64,
}

/// A frame that the caller has to judge.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hold {
    Nothing,
    /// The peer waits for the reply. `renewed` when an ENQ of the peer was seen meanwhile.
    Held {
        id: u64,
        frame: Accepted,
        since: Tick,
        renewed: bool,
    },
    /// The peer does not wait any more.
    Late {
        id: u64,
        frame: Accepted,
    },
}

impl Receiving {
    pub(super) fn expected(&self) -> u8 {
        self.accepted.map_or(1, |frame| next_number(frame.number))
    }

    /// Which end an EOT makes here.
    pub(super) fn end(&self, any_terminator: bool) -> EndReason {
        match (self.doubt, self.accepted) {
            (Doubt::None, None) => EndReason::Empty,
            (Doubt::None, Some(frame)) if frame.last || any_terminator => EndReason::Complete,
            (Doubt::None, Some(_)) => EndReason::Incomplete(Cut::AfterEtb),
            (Doubt::Refused | Doubt::Unanswered, _) => EndReason::Incomplete(Cut::FrameNotAccepted),
        }
    }
}

/// No ENQ before this.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pause {
    pub(super) until: Tick,
    pub(super) wait: Duration,
    pub(super) why: Why,
}

/// The message to send.
#[derive(Clone, Debug)]
pub(super) enum Outbox<M> {
    Empty,
    Offered(M),
    /// Delivered or failed: only there to be taken back.
    Settled(M),
}

impl<M> Outbox<M> {
    pub(super) const fn offered(&self) -> Option<&M> {
        match self {
            Self::Offered(message) => Some(message),
            Self::Empty | Self::Settled(_) => None,
        }
    }

    pub(super) fn settle(&mut self) {
        *self = match core::mem::replace(self, Self::Empty) {
            Self::Offered(message) | Self::Settled(message) => Self::Settled(message),
            Self::Empty => Self::Empty,
        };
    }

    pub(super) fn take(&mut self) -> Option<M> {
        match core::mem::replace(self, Self::Empty) {
            Self::Offered(message) | Self::Settled(message) => Some(message),
            Self::Empty => None,
        }
    }
}

/// An event without what it borrows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happened {
    Established(Opening),
    TurnedAway,
    Frame,
    Rejected,
    Repeated(u8),
    Ended(EndReason),
    Trouble(Trouble),
    FrameSent(u8),
    Delivered,
    Failed(Failure),
    Interrupted,
    Contention,
    PeerBusy,
}

/// What happened and was not told yet. One byte or deadline makes four events at the most (stray bytes, a control in
/// a frame, the end of one transfer, the beginning of the next), and none is taken before all are told.
#[derive(Clone, Debug)]
pub(super) struct Queue(heapless::Deque<Happened, 8>);

impl Queue {
    pub(super) const fn new() -> Self {
        Self(heapless::Deque::new())
    }

    pub(super) fn push(&mut self, happened: Happened) {
        let full = self.0.push_back(happened).is_err();
        debug_assert!(!full, "more events than a byte can make");
    }

    pub(super) fn pop(&mut self) -> Option<Happened> {
        self.0.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Notes for Queue {
    fn trouble(&mut self, trouble: Trouble) {
        self.push(Happened::Trouble(trouble));
    }
}
