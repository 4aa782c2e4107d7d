//! Towards the engines: one task for each destination, one message in flight on each.
//!
//! [`delivery`] decides everything and does no IO; [`shell`] owns the socket and the clock and decides nothing. Both
//! promise what the design promises: a message leaves the queue only on an acknowledgment that names it.

mod answer;
pub mod backoff;
pub mod delivery;
pub mod events;
mod frames;
pub mod outbox;
pub mod settings;
pub mod shell;
pub mod status;

pub use delivery::{Delivery, Queue};
pub use events::{Input, Output, Settlement};
pub use outbox::{Handle, spawn};
pub use settings::{ControlIds, OnRefusal, Settings};
pub use status::Status;
