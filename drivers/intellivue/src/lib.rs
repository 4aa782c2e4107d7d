//! Driver `intellivue`: Philips IntelliVue monitors, over UDP or the MIB serial port.
//!
//! No IO and no clock, as [`orugate_driver`] asks. Read-only: it asks for an association, for polls, and for the association's end.
#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic
    )
)]

mod announce;
mod frame;
mod gather;
mod held;
mod line;
mod outbox;
mod pdu;
mod read;
mod request;
mod session;
mod slots;
mod talk;
mod units;
mod value;

pub use announce::{ANNOUNCE_PORT, Announcement, EXPORT_PORT, announced};
