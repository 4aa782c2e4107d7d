//! Driver `dri`: GE and Datex-Ohmeda monitors that speak the S/5 computer interface (Datex record interface).
//!
//! - The session asks for displayed values and keeps each good record; it asks for data only and changes nothing.
//! - The interpreter makes measurements of a snapshot's records by a table of places, scales, units and MDC codes.
//! - The simulator is the monitor's end.
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

mod civil;
mod driver;
mod frame;
mod interpreter;
mod labels;
pub mod profile;
mod record;
mod request;
mod script;
mod scrub;
mod session;
mod simulator;
mod slots;
mod table;

pub use driver::{DRI, Dri};
