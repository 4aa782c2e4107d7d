//! Driver `hl7`: devices that push HL7 v2 over MLLP: patient monitors (IHE PCD-01, `ORU^R01`) and analyzers (`OUL^R22`,
//! `ORU^R32`, `ORU^R01`).
//!
//! - The session is the MLLP receiver: each message is one chunk, and is accepted only when it is on flash.
//! - The interpreter is one of two, as the profile says: measurements of a bedside device, or results.
//! - [`profile`]: the TOML data by which one model differs from another.
//! - The simulator is the device's end, for tests and demonstrations.
//!
//! Nothing is asked of a device, and its alarms are stored and acknowledged but never forwarded. No IO and no clock, as
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

mod answer;
mod bedside;
mod driver;
mod laboratory;
mod place;
mod plan;
pub mod profile;
mod read;
mod result;
mod row;
mod script;
mod scrub;
mod session;
mod simulator;

pub use driver::{HL7, Hl7};
