//! Rings: what came and went on each instrument's wire, kept beside the lanes as far as there is room.
//!
//! Promises: each name has a ring of its own, a row of files of bounded size together, whose oldest goes when the next is
//! made; what is in them is sealed as segments are; nothing here passes the journal's thread or costs a lane a sync; and
//! where the disk is full, rings go before a segment cannot be made ([`shed`]). A crash costs what was not synced, never
//! what was, and a start goes on in the newest file. Leaves out what a record means, when to write and when to sync, which are
//! the gateway's. Not in a copy that [`copy`](crate::copy) makes.

mod header;
mod read;
mod shed;
mod write;

pub(crate) use header::RingHeader;
pub use read::{Read, RingFile, ring_files, walk_rings};
pub(crate) use shed::shed;
pub use write::{Now, Rings};

use crate::record::Kind;

/// The one kind of record in a ring.
pub(crate) const PIECES: Kind = Kind(1);
/// The form of its meta.
pub(crate) const PIECES_VERSION: u8 = 1;
/// The longest record, header and tag included; the writer keeps well below it.
pub(crate) const LONGEST: usize = 64 << 10;
/// The longest name of a ring, in bytes.
pub(crate) const NAME: usize = 40;

pub(crate) fn ring_name(number: u64) -> String {
    format!("capture-{number:016x}.ring")
}

/// The inverse of [`ring_name`], strictly.
pub(crate) fn parse_ring_name(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("capture-")?.strip_suffix(".ring")?;
    let number = u64::from_str_radix(digits, 16).ok()?;
    (ring_name(number) == name).then_some(number)
}

#[cfg(test)]
mod tests;
