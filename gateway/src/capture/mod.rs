//! Capture: what came and went on each instrument's wire, with times and what became of the line, kept in a ring for each
//! instrument beside the journal's lanes.
//!
//! Promises that a port never waits for it: a piece is copied into a bounded buffer ([`Tap`]), and what does not fit is
//! counted and told in its place. A task of its own writes it into the rings ([`keep`]), gathered over [`GATHER`], so that a
//! power cut costs the last seconds and no line costs more than a page each time; a flood costs a quarter of the ring in an
//! hour ([`bucket`]). Reading needs no service ([`read`]). [`text`] is how a person reads it, and `orugate replay`. Leaves out
//! where it is on flash, which is the journal crate's, and whose names are in it, which is the driver's.

mod bucket;
mod entry;
mod keep;
pub mod read;
pub mod scrub;
mod tap;
pub mod text;

pub use entry::{Block, Entry, What};
pub use keep::{Recorder, View};
pub use tap::Tap;

use std::time::Duration;

/// A piece waits at most so long until it is written and synced.
pub const GATHER: Duration = Duration::from_secs(5);
/// A block of this size is written at once.
const BLOCK: usize = 32 << 10;
/// The most that waits of one instrument.
const WAITING: usize = 128 << 10;
/// The longest piece of one entry.
const PIECE: usize = 4096;

#[cfg(test)]
mod tests;
