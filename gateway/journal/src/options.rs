//! How large things may get. Checked once, when the journal starts.

use crate::format::{COMMIT_HEADER, PAGE, SEGMENT_START};
use crate::seal::{KeyRing, TAG};
use std::time::Duration;

/// Sizes and limits of a journal. They may change from one start to the next; segments keep the size that they
/// were written with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Bytes of a segment file: a multiple of 4,096, from 16 KiB to 1 GiB. A segment is filled with zeros when it
    /// is made, so that a commit changes no metadata.
    pub segment_size: u32,
    /// Bytes that all segments together may take. The identity file and `LOCK` come on top (16 KiB).
    pub max_size: u64,
    /// Bytes that the lane *snapshots* may take of [`max_size`](Self::max_size); never more than half of it, and it gives way to
    /// *results*.
    pub snapshots_size: u64,
    /// How old records may become; settled ones of a segment that is older than this go. Room is a stronger reason: without
    /// it they go earlier, oldest first.
    pub keep: Duration,
    /// Bytes of one commit, headers included, hence of the largest batch. At most a segment without its headers.
    pub max_commit: u32,
    /// Batches that may wait for the writer.
    pub queue: usize,
    /// Bytes of records that may wait for the writer.
    pub queue_bytes: u64,
    /// How long a [`Urgency::Soon`](crate::Urgency::Soon) batch may wait for another's commit; in *snapshots* a quarter of it.
    pub soon: Duration,
    /// With it, new segments are sealed. A journal that has sealed segments is not opened without their keys.
    pub keys: Option<KeyRing>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_size: 4 << 20,
            max_size: 4 << 30,
            snapshots_size: 1 << 30,
            keep: Duration::from_secs(30 * 86_400),
            max_commit: 1 << 20,
            queue: 1024,
            queue_bytes: 8 << 20,
            soon: Duration::from_secs(1),
            keys: None,
        }
    }
}

impl Options {
    /// Bytes that sealing adds to each record.
    pub(crate) const fn tag(&self) -> usize {
        if self.keys.is_some() { TAG } else { 0 }
    }

    /// Says what is wrong with the numbers, in words for an operator.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let room = self.segment_size.saturating_sub(SEGMENT_START);
        if !self.segment_size.is_multiple_of(PAGE) || !(16 << 10..=1 << 30).contains(&self.segment_size) {
            Err("segment_size must be a multiple of 4 KiB from 16 KiB to 1 GiB")
        } else if self.max_commit > room || self.max_commit <= COMMIT_HEADER {
            Err("max_commit must fit into a segment without its two header pages")
        } else if self.max_size < u64::from(self.segment_size).saturating_mul(8) {
            Err("max_size must have room for eight segments")
        } else if self.queue == 0 || self.queue_bytes < u64::from(self.max_commit) {
            Err("queue must not be 0, and queue_bytes not less than max_commit")
        } else {
            Ok(())
        }
    }
}
