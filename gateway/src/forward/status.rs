//! How one destination stands, for `orugate status`, metrics and conditions.
//!
//! A copy, taken when something changed; counts of what waits are the queue's. Holds no patient data.

use super::events::Note;
use orugate_protocol::time::Tick;

/// A snapshot of a [`Delivery`](super::Delivery).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The connection.
    pub link: LinkStatus,
    /// The message that waits for its acknowledgment.
    pub in_flight: Option<InFlightStatus>,
    /// Messages that were sent and whose connection ended before an acknowledgment came: sent, outcome unknown. They
    /// will be sent again, with the same bytes. A restart forgets it, not the messages.
    pub outcome_unknown: Vec<u64>,
    /// The refused message that stops the destination until a person acts (`stop_on_error`).
    pub blocked_by: Option<u64>,
    /// When the engine last answered anything that was an acknowledgment.
    pub last_answer: Option<Tick>,
    /// The last trouble; it displays as a sentence.
    pub last_error: Option<(Tick, Note)>,
    /// Connections in a row that failed without an answer.
    pub failures: u32,
}

/// The connection of a [`Status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkStatus {
    /// None, and none is needed: the next message makes one.
    Idle,
    /// None; the next try comes then.
    Waiting {
        /// When.
        until: Tick,
    },
    /// Being made.
    Connecting {
        /// Since when.
        since: Tick,
    },
    /// There.
    Connected {
        /// Since when.
        since: Tick,
    },
    /// Stopped for good.
    Stopped,
}

/// The message in flight of a [`Status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFlightStatus {
    /// Its number.
    pub number: u64,
    /// When sending it began.
    pub since: Tick,
    /// True when CA came and the application acknowledgment is awaited.
    pub committed: bool,
}
