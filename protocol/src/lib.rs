//! What instruments and hospitals say to each other, as pure functions over bytes.
//!
//! This crate promises: no input or output, no clock, no allocation, no `unsafe`, no panic on any input.
//! Bytes and time come in as arguments; views, events and finished bytes go out into buffers that the caller owns.
//!
//! - [`astm::link`]: LIS01-A2 (ASTM E1381), both roles, frame by frame, with the reply held until the caller gives it.
//! - [`astm::record`]: LIS02-A2 (ASTM E1394) records as checked views with byte spans.
//! - [`report`]: what any instrument's message means, as borrowed items in document order.
//! - [`oru`]: report items plus verdicts to HL7 2.5.1 `ORU^R01` bytes.
//! - [`pcd`]: items of bedside devices plus verdicts to HL7 2.6 `ORU^R01` by IHE PCD-01.
//! - [`hl7`]: a writer that cannot emit a framing byte, a reader that indexes any message, acknowledgments.
//! - [`mdc`]: codes and units of bedside measurements.
//! - [`mllp`]: framing with a hard size bound.
//! - [`text`] and [`time`]: decoded, unescaped text without a copy; three kinds of time that cannot be mixed up.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

#[cfg(test)]
extern crate std;

pub mod ascii;
pub mod astm;
mod charset;
pub mod hl7;
pub mod mdc;
pub mod mllp;
pub mod oru;
pub mod pcd;
pub mod report;
pub mod span;
pub mod text;
pub mod time;
