//! Checkpoints: what a keeper had folded up to a commit, kept in the log itself so that a start reads the newest one and
//! what came after it. A checkpoint is only a short way: without one, reading the whole log leads to the same unsettled
//! state. It may be larger than a commit; its parts are the records of consecutive commits of the lane *results*.

use crate::catalog::Segment;
use crate::format::CHECKPOINT;
use crate::record::{Lane, NewRecord, RecordRef};
use serde::{Deserialize, Serialize};

const VERSION: u8 = 1;

/// Which part of which checkpoint a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// The last commit that the checkpoint knows; no two checkpoints have the same.
    of: u64,
    pub(crate) part: u32,
    pub(crate) parts: u32,
}

impl Part {
    pub(crate) fn decode(record: &RecordRef<'_>) -> Option<Self> {
        let mine = record.kind == CHECKPOINT && record.meta_version == VERSION;
        mine.then(|| record.decode().ok()).flatten()
    }
}

/// What the journal itself remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// The last commit of each lane.
    pub(crate) last: [u64; 2],
    pub(crate) newest_time: u64,
    /// The segments of each lane, oldest first.
    pub(crate) segments: [Vec<Segment>; 2],
}

/// A whole checkpoint, read back.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    pub(crate) head: Head,
    pub(crate) keeper: Vec<u8>,
    /// The segment of the first part.
    pub(crate) first_segment: u64,
    /// Segment and offset from which the lane *results* goes on behind the last part.
    pub(crate) behind: (u64, u64),
    /// The commit of the last part.
    pub(crate) commit: u64,
}

/// The records of a checkpoint, each to be a commit of its own, none with a payload beyond `part_len`.
pub(crate) fn records(head: &Head, keeper: &[u8], part_len: usize) -> Vec<NewRecord> {
    // Postcard fails only on types that this struct does not use; then there is no checkpoint.
    let Ok(front) = postcard::to_stdvec(head) else { return Vec::new() };
    let len = u32::try_from(front.len()).unwrap_or(u32::MAX);
    let whole = [&len.to_le_bytes()[..], &front, keeper].concat();
    let [results, snapshots] = head.last;
    let parts = u32::try_from(whole.len().div_ceil(part_len.max(1))).unwrap_or(u32::MAX);
    let meta = |part| Part { of: results.max(snapshots), part, parts };
    let encode = |(part, payload): (u32, &[u8])| {
        NewRecord::encode(CHECKPOINT, VERSION, &meta(part), payload.to_vec()).ok()
    };
    (0..).zip(whole.chunks(part_len.max(1))).filter_map(encode).collect()
}

/// Puts the parts together as a scan comes by them.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    part: Option<Part>,
    /// The commit of that part.
    commit: u64,
    bytes: Vec<u8>,
    first_segment: u64,
    /// A part came whose first part is in an earlier segment.
    headless: bool,
    pub(crate) newest: Option<Checkpoint>,
}

impl Collector {
    /// Looks at a record of the lane *results*; `behind` is where its commit ends.
    pub(crate) fn look(&mut self, record: &RecordRef<'_>, commit: u64, behind: (u64, u64)) {
        let Some(part) = Part::decode(record).filter(|_| record.location.lane() == Lane::Results) else {
            return;
        };
        if self.part == Some(part) && self.commit == commit {
            // The second attempt of a commit whose first one reached the disk all the same.
            return;
        }
        let follows =
            self.part.is_some_and(|last| Part { part: last.part.saturating_add(1), ..last } == part);
        if part.part == 0 {
            self.bytes.clear();
            self.first_segment = record.location.segment();
        } else if !follows {
            self.headless |= self.newest.is_none();
            self.part = None;
            return;
        }
        self.bytes.extend_from_slice(record.payload);
        self.part = Some(part);
        self.commit = commit;
        if part.part.saturating_add(1) == part.parts
            && let Some((head, keeper)) = split(&self.bytes)
        {
            self.part = None;
            self.newest = Some(Checkpoint {
                head,
                keeper: keeper.to_vec(),
                first_segment: self.first_segment,
                behind,
                commit,
            });
        }
    }
}

impl Collector {
    /// Whether the segments before these may complete a checkpoint.
    pub(crate) const fn is_headless(&self) -> bool {
        self.headless
    }
}

fn split(bytes: &[u8]) -> Option<(Head, &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    let (front, keeper) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*len)).ok()?)?;
    Some((postcard::from_bytes(front).ok()?, keeper))
}
