//! Driver `lines`: devices that print lines or simply framed text, each by a profile and none by code of its own.
//!
//! A profile says how units are told apart, what a line looks like (module `pattern`), where its values are and what the device
//! says of their validity. `docs/lines.md` teaches it.
//!
//! No IO and no clock, as [`orugate_driver`] asks.
#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod clock;
mod driver;
mod frame;
mod interpreter;
mod pattern;
mod plan;
pub mod profile;
mod script;
mod scrub;
mod seen;
mod session;
mod simulator;

pub use driver::{LINES, Lines};
