//! Driver `intellivue`: Philips IntelliVue monitors, over UDP or the MIB serial port.
//!
//! - [`profile`]: the TOML data by which one monitor differs from another.
//! - The session is a client's end of the association: it asks for polls and gives on whole answers.
//! - The interpreter turns a snapshot of such answers into measurements, without allocation.
//! - The simulator is a monitor, for tests and demonstrations.
//! - [`announced`] reads the broadcast by which a monitor says that it is there.
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

mod alerts;
mod announce;
mod civil;
#[cfg(test)]
mod corpus;
mod driver;
mod frame;
mod gather;
mod held;
mod interpreter;
mod line;
mod pdu;
pub mod profile;
mod read;
mod request;
mod script;
mod scrub;
mod session;
mod simulator;
mod slots;
mod table;
mod talk;
mod units;
mod value;
mod whose;

pub use announce::{ANNOUNCE_PORT, Announcement, EXPORT_PORT, announced};
pub use driver::{INTELLIVUE, Intellivue};
