//! Driver `astm`: instruments that speak LIS01-A2 and LIS02-A2 (ASTM E1381 and E1394).
//!
//! - [`profile`]: the TOML data by which one model differs from the standard.
//! - The interpreter takes a stored message's frames apart and gives its records as report items, without allocation.
//! - The session is the computer's end of the link; it acknowledges nothing that is not on flash.
//! - The simulator is the instrument's end, for tests and demonstrations; [`script`] writes bytes for people.
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

mod bare;
mod code;
mod draft;
mod driver;
mod fault;
mod frames;
mod interpreter;
mod items;
mod link_options;
mod measure;
mod place;
mod plan;
pub mod profile;
mod qc;
mod qc_options;
mod result_options;
mod said;
mod sample;
pub mod script;
mod scrub;
mod session;
mod simulator;
mod tracker;
mod unframe;
mod values;

pub use driver::{ASTM, Astm};
pub use place::Place;
pub use values::{
    Ack, Charset, CodingSystem, Component, FlagSeparator, Framing, Letter, One, RuleName, StatusWord, Ucum,
    Wait,
};
