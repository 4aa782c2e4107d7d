//! Driver `medibus`: ventilators and anaesthesia machines that speak Dräger MEDIBUS or MEDIBUS.X.
//!
//! - [`wire`]: frames, their checksum, and the realtime stream between them.
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

pub mod wire;
