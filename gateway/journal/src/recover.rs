//! What a start finds: every whole commit of both lanes in the order of writing, and an account of the rest.
//! Memory does not grow with the journal: one commit of each lane is held at a time.

use crate::catalog::{Catalog, Freed, Segment};
use crate::checkpoint::{Checkpoint, Collector};
use crate::confirm::{last_commit, write_again};
use crate::error::{DiskError, OpenError};
use crate::expected::{Expected, is_end_in_doubt, is_given_back_before, last_used};
use crate::format::{COMMIT_HEADER, FIRST_OWN_KIND, RawRecord, page_up, parse_segment_name, segment_name};
use crate::identity::Loaded;
use crate::options::Options;
use crate::record::{Lane, Location, RecordRef, Seq, UnixMillis};
use crate::scan::{Entered, Found, LaneScan, Place, Walk};
use crate::seal::key_of;
use crate::segment::{Active, read_headers};
use crate::sequence::LEAP_WHEN_DAMAGED;
use crate::storage::Storage;
use std::collections::{BTreeSet, VecDeque};
use std::fmt;

/// What a start found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Segment files, those that could not be read included.
    pub segments: u64,
    /// Bytes of all files that hold or held segments, and of their sidecars.
    pub used: u64,
    /// The start began at a checkpoint; what is counted below came after it.
    pub from_checkpoint: bool,
    /// Whole commits.
    pub commits: u64,
    /// Records in them, each shown once.
    pub records: u64,
    /// Bytes of commits that a crash cut off, as far as they can be told from what a reused file held before. Nobody got a
    /// receipt for them.
    pub torn_bytes: u64,
    /// Commits that failed twice and reached the disk all the same. Their callers know that they do not count.
    pub void_commits: u64,
    /// Lanes whose last commit could not be written again at this start, for want of room or because the disk refused. If the
    /// process before was killed right after a sync that failed, a power cut may yet take that commit away.
    pub unconfirmed: u64,
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
            DamageKind::MissingSegment => "the segment is gone",
            DamageKind::MaybeMissing => {
                "the segment is gone; the record that it was given back may be among what is missing at the end"
            }
            DamageKind::Emptied => "the segment is there, and nothing is left of what was in it",
            DamageKind::MissingBehind => "commits that a checkpoint knows are missing here",
            DamageKind::OutOfOrder => "a commit that does not belong here is skipped",
            DamageKind::HeaderCopy => "one of two header pages is damaged; nothing is lost",
            DamageKind::Header => "both header pages are damaged; the segment is unreadable",
            DamageKind::Foreign => "the segment belongs to another journal or has another's name",
            DamageKind::Identity => "a page of the identity file is damaged; nothing is lost",
            DamageKind::SetAside => {
                "not all of it could be read when it was given back; it is kept for a person"
            }
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
    /// A segment that a checkpoint knew is not there.
    MissingSegment,
    /// As [`MissingSegment`](Self::MissingSegment), and the newest segments may be gone as well: then the record that says that it was
    /// given back may be in one of them.
    MaybeMissing,
    /// A segment in which there were commits has none.
    Emptied,
    /// The last commits of a lane that a checkpoint knew are not there.
    MissingBehind,
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
    /// A segment that was given back although something of it was needed and could not be read. Only
    /// [`Inspector`](crate::Inspector) tells of it.
    SetAside,
}

impl DamageKind {
    /// It can be seen in the bytes of one file, without what comes before.
    pub(crate) const fn is_of_bytes(self) -> bool {
        !matches!(
            self,
            Self::MissingBefore
                | Self::MissingSegment
                | Self::MaybeMissing
                | Self::Emptied
                | Self::MissingBehind
                | Self::OutOfOrder
        )
    }
}

/// What the writer needs to go on.
pub(crate) struct Replayed {
    pub(crate) recovery: Recovery,
    /// No number from here on was ever given.
    pub(crate) next: u64,
    /// The last commit of each lane.
    pub(crate) last: [u64; 2],
    /// Segments that this start has made.
    pub(crate) active: [Option<Active>; 2],
    pub(crate) catalog: Catalog,
    /// Where a start has begun to read, when there is a checkpoint.
    pub(crate) checkpoint: Option<[u64; 2]>,
    /// Bytes of what the keeper had to say in it.
    pub(crate) checkpoint_len: u64,
    /// Bytes of the commits that were read behind it.
    pub(crate) behind: u64,
}

/// Who is shown what a start finds.
pub(crate) trait Visit {
    /// Takes a checkpoint in place of all that is before it, or refuses.
    fn restore(&mut self, checkpoint: &[u8]) -> bool;
    /// One commit's records.
    fn seen(&mut self, records: &[RecordRef<'_>]);
    /// All that was in this segment of the lane *snapshots* is gone.
    fn thinned(&mut self, segment: u64);
}

pub(crate) fn replay(
    storage: &dyn Storage,
    loaded: &mut Loaded,
    options: &Options,
    visit: &mut dyn Visit,
) -> Result<Replayed, OpenError> {
    let keys = options.keys.as_ref();
    let mut recovery = Recovery::default();
    let mut next = loaded.ceiling;
    let ceilings = loaded.damaged_ceilings();
    recovery.damaged.extend(loaded.damage());

    let place = Place { storage, journal: loaded.identity.journal, keys, beyond: loaded.beyond() };
    let ceiling = loaded.ceiling;
    let listing = |error| DiskError::new("listing the journal's directory", error);
    let mut catalog = Catalog::load(storage).map_err(listing)?;
    let numbers = |lane| catalog.lane(lane).iter().map(|segment| segment.number).collect::<VecDeque<_>>();
    let [results, snapshots] = Lane::ALL.map(numbers);
    for newest in [results.back(), snapshots.back()].into_iter().flatten() {
        next = next.max(newest.saturating_add(1));
    }
    for (lane, segments) in Lane::ALL.into_iter().zip([&results, &snapshots]) {
        for &segment in segments {
            look_for_key(place, lane, segment)?;
        }
    }
    let newest = newest_checkpoint(place, &results)?;
    let checkpoint = newest.as_ref().filter(|found| visit.restore(&found.keeper));
    let confirmed = checkpoint.map_or([0, 0], |found| {
        let [_, snapshots] = found.head.last;
        [found.commit.saturating_sub(1), snapshots]
    });
    let mut active = [None, None];
    let mut waiting = [results, snapshots];
    let of_lanes = Lane::ALL.into_iter().zip(confirmed).zip(waiting.iter_mut().zip(&mut active));
    for ((lane, confirmed), (segments, active)) in of_lanes {
        let Some((found, body)) = last_commit(place, lane, segments)? else { continue };
        if found.header.number <= confirmed {
            continue;
        }
        let leap = if ceilings > 0 { LEAP_WHEN_DAMAGED } else { 0 };
        let unused = next.max(found.header.number.saturating_add(1)).max(found.header.next_sequence);
        let segment = unused.saturating_add(leap);
        loaded.raise_for(segment)?;
        let commit = (&found, &body[..]);
        *active = write_again(storage, options, &mut catalog, place.journal, lane, segment, commit);
        if active.is_some() {
            segments.push_back(segment);
            next = segment.saturating_add(1);
        } else {
            recovery.unconfirmed += 1;
        }
    }
    let [results, snapshots] = waiting;
    let mut results = LaneScan::new(place, Lane::Results, results);
    let mut snapshots = LaneScan::new(place, Lane::Snapshots, snapshots);
    // Above every number that a commit speaks of.
    let mut reached = 0;
    if let Some(found) = checkpoint {
        recovery.from_checkpoint = true;
        for (lane, known) in Lane::ALL.into_iter().zip(&found.head.segments) {
            catalog.learn(lane, known);
        }
        let [_, last] = found.head.last;
        results.resume_behind(found.behind, found.commit, &mut recovery)?;
        let [_, known] = &found.head.segments;
        snapshots.skip_to(last_used(known).map_or(0, |segment| segment.number), last);
        recovery.newest_time = (found.head.newest_time > 0).then_some(UnixMillis(found.head.newest_time));
        reached = found.commit.saturating_add(1);
    }
    let mut freed = BTreeSet::new();
    let mut behind = 0_u64;
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
        behind =
            behind.saturating_add(page_up(u64::from(COMMIT_HEADER).saturating_add(scan.body.len() as u64)));
        let newest = show(&found, lane, &scan.body, &mut recovery, &mut freed, visit);
        reached = reached.max(newest.saturating_add(1)).max(found.header.next_sequence);
        if let Some(segment) = catalog.get_mut(lane, found.segment) {
            segment.records = segment.records.saturating_add(found.header.records.into());
        }
        *slot = scan.next(&mut recovery)?;
    }
    next = next.max(reached);
    let expected = newest.as_ref().map(|found| Expected {
        place,
        head: &found.head,
        freed: &freed,
        end_in_doubt: is_end_in_doubt(ceiling, reached),
    });
    for (lane, scan) in Lane::ALL.into_iter().zip([&mut results, &mut snapshots]) {
        let segments: BTreeSet<u64> = catalog.lane(lane).iter().map(|segment| segment.number).collect();
        if let Some(expected) = &expected {
            let (here, oldest) = (|number| segments.contains(&number), segments.first().copied());
            let lost = expected.lost(lane, here, oldest, &recovery.damaged);
            recovery.damaged.extend(lost);
            recovery.damaged.extend(expected.end(lane, scan));
        } else if let Some(front) = scan.front.take() {
            let given_back = is_given_back_before(&freed, lane, front.segment);
            recovery.damaged.extend(front.damaged.into_iter().filter(|_| !given_back));
        }
        let listed = |number| expected.as_ref().is_some_and(|expected| expected.lists(lane, number));
        for segment in recovery.damaged.iter().filter(|damage| damage.kind == DamageKind::Emptied) {
            let emptied = parse_segment_name(&segment.file).filter(|(of, _)| *of == lane);
            if let Some(was) = emptied.and_then(|(_, number)| catalog.get_mut(lane, number)) {
                // The next checkpoint lists it as one that lost its records; otherwise nobody would hear of it again.
                was.records = was.records.max(1);
            }
        }
        for segment in scan.unused_but(listed) {
            // It only takes room. If it stays, the next start comes by again.
            let _ = storage.remove(&segment_name(lane, segment));
        }
    }
    // A damaged page may have held the newer ceiling: stay clear of whatever was given below it.
    if ceilings > 0 {
        next = next.saturating_add(LEAP_WHEN_DAMAGED);
    }
    let last = [results.counted, snapshots.counted];
    let newest = |known: &Vec<Segment>| known.last().map_or(0, |segment| segment.number);
    let checkpoint_len = checkpoint.map_or(0, |found| found.keeper.len() as u64);
    let checkpoint = checkpoint.map(|found| {
        let [_, snapshots] = found.head.segments.each_ref().map(newest);
        [found.first_segment, snapshots]
    });
    // Some were removed just now.
    catalog.measure(storage).map_err(listing)?;
    recovery.segments = Lane::ALL.into_iter().map(|lane| catalog.lane(lane).len() as u64).sum();
    recovery.used = catalog.total();
    Ok(Replayed { recovery, next, last, active, catalog, checkpoint, checkpoint_len, behind })
}

/// A start reads little. Without this look, the key of an old segment would be missed only by whoever wants something of it,
/// and be taken for damage.
pub(crate) fn look_for_key(place: Place<'_>, lane: Lane, segment: u64) -> Result<(), OpenError> {
    // What cannot be read is told by whoever reads it.
    let Ok(file) = place.storage.open(&segment_name(lane, segment)) else { return Ok(()) };
    let header = read_headers(&*file).into_iter().flatten().next();
    match header.filter(|header| header.journal == place.journal) {
        Some(header) => Ok(key_of(&header, place.keys).map(drop)?),
        None => Ok(()),
    }
}

/// The newest whole checkpoint, looked for from the newest segment backwards.
fn newest_checkpoint(place: Place<'_>, segments: &VecDeque<u64>) -> Result<Option<Checkpoint>, OpenError> {
    let mut end = segments.len();
    for begin in (0..segments.len()).rev() {
        let mut collector = Collector::default();
        for &number in segments.range(begin..end) {
            let name = segment_name(Lane::Results, number);
            let failed = |error| DiskError::new(format!("opening {name}"), error);
            let file = place.storage.open(&name).map_err(failed)?;
            let len = file.size().map_err(failed)?;
            let Entered::Segment(mut walk) = Walk::enter(file, len, place, Lane::Results, number)? else {
                continue;
            };
            let mut body = Vec::new();
            // What is damaged here is reported when it is read in earnest.
            while let Some(found) = walk.next(&mut body, &mut Recovery::default()) {
                if place.is_beyond(&found.header) {
                    continue;
                }
                for record in records(&found, Lane::Results, &body) {
                    collector.look(&record, found.header.number, (number, walk.offset));
                }
            }
        }
        if collector.newest.is_some() {
            return Ok(collector.newest);
        }
        if !collector.is_headless() {
            end = begin;
        }
    }
    Ok(None)
}

/// Shows the records of a commit and returns the largest number in it.
fn show(
    found: &Found,
    lane: Lane,
    body: &[u8],
    recovery: &mut Recovery,
    freed: &mut BTreeSet<Freed>,
    visit: &mut dyn Visit,
) -> u64 {
    let records = records(found, lane, body);
    // The journal's own records are nobody else's business.
    let (own, others): (Vec<_>, Vec<_>) = records.iter().partition(|record| record.kind.0 >= FIRST_OWN_KIND);
    for freeing in own.iter().filter_map(Freed::decode) {
        if freeing.lane() == Some(Lane::Snapshots) {
            visit.thinned(freeing.segment);
        }
        freed.insert(freeing);
    }
    if !others.is_empty() {
        visit.seen(&others);
    }
    let newest = records.iter().map(|record| record.sequence).max();
    recovery.records += records.len() as u64;
    recovery.newest_sequence = recovery.newest_sequence.max(newest);
    recovery.commits += 1;
    if found.header.newest_time > 0 {
        recovery.newest_time = recovery.newest_time.max(Some(UnixMillis(found.header.newest_time)));
    }
    newest.map_or(0, |newest| newest.0).max(found.header.number)
}

/// The records of a whole commit.
pub(crate) fn records<'a>(found: &Found, lane: Lane, body: &'a [u8]) -> Vec<RecordRef<'a>> {
    let mut records = Vec::new();
    let mut rest = body;
    let mut offset = found.body_at;
    while let Some(record) = RawRecord::parse(rest) {
        let len = u32::try_from(record.len).unwrap_or(u32::MAX);
        records.push(record.without_tag(found.tag).placed(Location {
            lane,
            segment: found.segment,
            offset,
            len,
        }));
        offset = offset.saturating_add(len);
        rest = rest.get(record.len..).unwrap_or_default();
    }
    records
}
