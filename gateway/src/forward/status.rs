//! How one destination stands, for `orugate status`, metrics and conditions.
//!
//! A copy, taken when something changed; counts of what waits are the queue's. Holds no patient data.

use super::events::Note;
use orugate_protocol::time::Tick;
use std::fmt::Write as _;

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
    /// Messages that the engine refused (AE, CE, AR) and that are tried again.
    pub refused: usize,
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

impl Status {
    /// True when nothing is delivered now, and not for want of messages.
    #[must_use]
    pub const fn fails(&self) -> bool {
        self.failures > 0 || self.blocked_by.is_some() || self.refused > 0
    }

    /// True while a connection is being made and none before it came to nothing.
    #[must_use]
    pub const fn is_connecting(&self) -> bool {
        matches!(self.link, LinkStatus::Connecting { .. }) && !self.fails()
    }

    /// A line for people.
    #[must_use]
    pub fn words(&self, now: Tick) -> String {
        let seconds = |since: Tick| now.since(since).as_secs();
        let mut words = match (&self.link, &self.last_error) {
            (LinkStatus::Idle, _) => "not connected; nothing to send".to_owned(),
            (LinkStatus::Waiting { until }, Some((_, note))) => {
                let next = until.since(now).as_secs();
                match note {
                    // Its own wait was when it failed, and is told already.
                    Note::Failed(failure, _) => format!("{failure}; next try in {next} s"),
                    note => format!("not connected, next try in {next} s: {note}"),
                }
            }
            (LinkStatus::Waiting { until }, None) => {
                format!("not connected, next try in {} s", until.since(now).as_secs())
            }
            (LinkStatus::Connecting { since }, _) => format!("connecting for {} s", seconds(*since)),
            (LinkStatus::Connected { since }, _) => format!("connected for {} s", seconds(*since)),
            (LinkStatus::Stopped, _) => "stopped".to_owned(),
        };
        // Writing to a String cannot fail.
        if let Some(flight) = &self.in_flight {
            let what = if flight.committed { "the application acknowledgment" } else { "the acknowledgment" };
            let _ = write!(words, "; waiting {} s for {what} of {}", seconds(flight.since), flight.number);
        }
        if let [first, rest @ ..] = self.outcome_unknown.as_slice() {
            let _ = write!(words, "; message {first} was sent, outcome unknown");
            if !rest.is_empty() {
                let _ = write!(words, " (and {} more)", rest.len());
            }
        }
        if let Some(number) = self.blocked_by {
            let _ = write!(words, "; stopped at message {number}, which the engine refuses");
        }
        if self.refused > 0 && self.blocked_by.is_none() {
            let _ = write!(words, "; the engine refuses a message, which is tried again");
        }
        words
    }
}
