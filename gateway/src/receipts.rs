//! The one place where leave to acknowledge is made, from a journal receipt. Promise 1 rests on these lines: whoever wants
//! to know whether an ACK can leave without a sync reads this file and `orugate_journal::Receipt`.

use orugate_driver::{Stored, Ticket};
use orugate_journal::Receipt;

/// Uses up the receipt of a chunk's batch: the chunk is on flash, and its session may acknowledge it once.
#[must_use]
#[allow(clippy::disallowed_methods)] // The one call that the ban is made for.
pub fn stored(receipt: Receipt, ticket: Ticket) -> Stored {
    drop(receipt);
    Stored::after_sync(ticket)
}

/// For bytes that come from a capture file: there is no instrument that could take an ACK for a promise.
#[must_use]
#[allow(clippy::disallowed_methods)] // Nothing is acknowledged: a capture session's replies go nowhere.
pub fn of_capture(ticket: Ticket) -> Stored {
    Stored::after_sync(ticket)
}
