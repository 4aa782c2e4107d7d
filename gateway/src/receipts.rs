//! The one place where a journal receipt becomes leave to acknowledge. Promise 1 rests on these lines: whoever wants
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
