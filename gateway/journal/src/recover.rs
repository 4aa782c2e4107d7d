//! What a start finds: every whole commit of both lanes in the order of writing, and an account of the rest.
//! Memory does not grow with the journal: one commit of each lane is held at a time.

use crate::error::{DiskError, OpenError};
use crate::format::{RawRecord, parse_segment_name};
use crate::identity::{CEILING_PAGE, IDENTITY_FILE, Loaded};
use crate::record::{Lane, Location, RecordRef, Seq, UnixMillis};
use crate::scan::{Found, LaneScan};
use crate::seal::KeyRing;
use crate::sequence::LEAP_WHEN_DAMAGED;
use crate::storage::Storage;
use std::collections::VecDeque;
use std::fmt;

/// What a start found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Segment files, those that could not be read included.
    pub segments: u64,
    /// Bytes of those files.
    pub used: u64,
    /// Whole commits.
    pub commits: u64,
    /// Records in them, each shown to the visitor once.
    pub records: u64,
    /// Bytes of commits that a crash cut off. Nobody got a receipt for them.
    pub torn_bytes: u64,
    /// What was lost or is about to be. Empty after a mere power cut.
    pub damaged: Vec<Damage>,
    /// The largest sequence of a record.
    pub newest_sequence: Option<Seq>,
    /// The newest time that a batch was given: the clock cannot be right if it shows less.
    pub newest_time: Option<UnixMillis>,
}

/// Bytes that do not hold what was written there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file's name in the journal's directory.
    pub file: String,
    /// Where it begins.
    pub offset: u64,
    /// How far it goes.
    pub bytes: u64,
    /// What it is.
    pub kind: DamageKind,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            DamageKind::Commit => "commits are damaged and skipped",
            DamageKind::Seal => {
                "the checksum is right, and yet the segment's key does not open this; the commit is skipped"
            }
            DamageKind::Unreadable => "the disk cannot read this",
            DamageKind::MissingBefore => "commits before this one are missing",
            DamageKind::OutOfOrder => "a commit that does not belong here is skipped",
            DamageKind::HeaderCopy => "one of two header pages is damaged; nothing is lost",
            DamageKind::Header => "both header pages are damaged; the segment is unreadable",
            DamageKind::Foreign => "the segment belongs to another journal or has another's name",
            DamageKind::Identity => "a page of the identity file is damaged; nothing is lost",
        };
        write!(f, "{} at {} ({} bytes): {what}", self.file, self.offset, self.bytes)
    }
}

/// The kinds of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DamageKind {
    /// At least one commit is wrong, and a valid one follows it.
    Commit,
    /// A commit has the right checksums, and yet one of its records does not open with the segment's key: somebody
    /// changed it, or wrote it with another key.
    Seal,
    /// The disk gave an error.
    Unreadable,
    /// A commit that this one was written after is nowhere: a segment is gone, or the end of one.
    MissingBefore,
    /// A commit is older than the one before it, or the same one again.
    OutOfOrder,
    /// One copy of a segment's header is wrong, the other is used.
    HeaderCopy,
    /// Both copies are wrong.
    Header,
    /// The header is of another journal, or of another segment than the file's name says.
    Foreign,
    /// A page of `journal.id` is wrong: its twin is used, or for the ceiling a large step.
    Identity,
}

/// What the writer needs to go on.
pub(crate) struct Replayed {
    pub(crate) recovery: Recovery,
    /// No number from here on was ever given.
    pub(crate) next: u64,
    /// The last commit of each lane.
    pub(crate) last: [u64; 2],
}

pub(crate) fn replay(
    storage: &dyn Storage,
    loaded: &Loaded,
    keys: Option<&KeyRing>,
    visit: &mut dyn FnMut(RecordRef<'_>),
) -> Result<Replayed, OpenError> {
    let mut recovery = Recovery::default();
    let mut next = loaded.ceiling;
    let page = |number: &u64| Damage {
        file: IDENTITY_FILE.into(),
        offset: number * u64::from(crate::format::PAGE),
        bytes: u64::from(crate::format::PAGE),
        kind: DamageKind::Identity,
    };
    // A power cut may tear the one ceiling page that was being written, so only both are damage.
    let ceilings = loaded.damaged_pages.iter().filter(|&&number| number >= CEILING_PAGE).count();
    let is_damage = |number: &&u64| **number < CEILING_PAGE || ceilings == 2;
    recovery.damaged.extend(loaded.damaged_pages.iter().filter(is_damage).map(page));

    let (results, snapshots) = segments(storage)?;
    for newest in [results.back(), snapshots.back()].into_iter().flatten() {
        next = next.max(newest.saturating_add(1));
    }
    let journal = loaded.identity.journal;
    let mut results = LaneScan::new(storage, journal, keys, Lane::Results, results);
    let mut snapshots = LaneScan::new(storage, journal, keys, Lane::Snapshots, snapshots);
    let mut result = results.next(&mut recovery)?;
    let mut snapshot = snapshots.next(&mut recovery)?;
    // Commit numbers order the two lanes as they were written.
    loop {
        let number = |found: &Option<Found>| found.map_or(u64::MAX, |found| found.header.number);
        let (scan, slot, lane) = if number(&result) < number(&snapshot) {
            (&mut results, &mut result, Lane::Results)
        } else {
            (&mut snapshots, &mut snapshot, Lane::Snapshots)
        };
        let Some(found) = *slot else { break };
        let newest = show(&found, lane, &scan.body, &mut recovery, visit);
        next = next.max(newest.saturating_add(1)).max(found.header.next_sequence);
        *slot = scan.next(&mut recovery)?;
    }
    // A damaged page may have held the newer ceiling: stay clear of whatever was given below it.
    if ceilings > 0 {
        next = next.saturating_add(LEAP_WHEN_DAMAGED);
    }
    Ok(Replayed { recovery, next, last: [results.last, snapshots.last] })
}

/// Shows the records of a commit and returns the largest number in it.
fn show(
    found: &Found,
    lane: Lane,
    body: &[u8],
    recovery: &mut Recovery,
    visit: &mut dyn FnMut(RecordRef<'_>),
) -> u64 {
    let mut newest = found.header.number;
    let mut rest = body;
    let mut offset = found.body_at;
    while let Some(record) = RawRecord::parse(rest) {
        let len = u32::try_from(record.len).unwrap_or(u32::MAX);
        visit(record.without_tag(found.tag).placed(Location { lane, segment: found.segment, offset, len }));
        recovery.records += 1;
        recovery.newest_sequence = recovery.newest_sequence.max(Some(record.sequence));
        newest = newest.max(record.sequence.0);
        offset = offset.saturating_add(len);
        rest = rest.get(record.len..).unwrap_or_default();
    }
    recovery.commits += 1;
    if found.header.newest_time > 0 {
        recovery.newest_time = recovery.newest_time.max(Some(UnixMillis(found.header.newest_time)));
    }
    newest
}

/// The segments of both lanes, oldest first. Other files are none of the journal's business.
fn segments(storage: &dyn Storage) -> Result<(VecDeque<u64>, VecDeque<u64>), OpenError> {
    let names = storage.list().map_err(|error| DiskError::new("listing the journal's directory", error))?;
    let of = |wanted: Lane| {
        let mut found: Vec<u64> = names
            .iter()
            .filter_map(|name| parse_segment_name(name))
            .filter_map(|(lane, segment)| (lane == wanted).then_some(segment))
            .collect();
        found.sort_unstable();
        VecDeque::from(found)
    };
    Ok((of(Lane::Results), of(Lane::Snapshots)))
}
