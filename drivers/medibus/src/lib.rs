//! Driver `medibus`: ventilators and anaesthesia machines that speak Dräger MEDIBUS or MEDIBUS.X, on a serial line or one that is
//! carried over TCP.
//!
//! - [`wire`]: frames, their checksum, and the realtime stream between them, which is recognised and skipped.
//! - The session begins the communication, asks for what the profile names, and ends it so that no alarm comes of it.
//! - The interpreter makes measurements of one snapshot's responses, with the tables of `data/`.
//! - [`profile`]: the TOML data by which one model differs from another.
//! - The simulator is the device's end, for tests and demonstrations.
//!
//! It only reads: there is no command here that sets anything at the device but which values it answers. No IO and no clock, as
//! [`orugate_driver`] asks.
#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod data;
mod driver;
mod fault;
mod interpreter;
mod plan;
pub mod profile;
mod script;
mod scrub;
mod session;
mod simulator;
mod tables;
pub mod wire;

pub use driver::{MEDIBUS, Medibus};
pub use tables::{Device, Dialect, devices};
