//! Room: which segments are given back, and when.
//!
//! Segments of a lane are given back strictly oldest first, each durably before the next. Before one of *results* goes, what
//! the keeper needs of it is copied to the end of the log, and a record says that it goes. So a record is found as long as
//! it is needed, and what settled it is never gone before it. *Snapshots* are not copied: the oldest segment is dropped when
//! the lane is at its ceiling or *results* needs the room, and the record that says so is what is left of it.
//!
//! Sidecars are room taken like any other, so that segments go for them too; they never take what is kept for settling.

use crate::catalog::{Freed, Segment};
use crate::checkpoint::{self, Head};
use crate::commit::Core;
use crate::error::{AppendError, DiskError};
use crate::format::{COMMIT_HEADER, SEGMENT_START, page_up, segment_name};
use crate::journal::Health;
use crate::options::Options;
use crate::record::{Batch, Claim, Lane, NewRecord, Urgency};
use crate::recover::Replayed;
use std::time::Duration;

/// Segments that only what settles something may take.
pub(crate) const FOR_SETTLING: u64 = 2;
/// Segments that only outcomes and what settles something may take.
const FOR_OUTCOMES: u64 = 2;
/// A start's first segment. A box that starts again and again should not fill its flash with segments that it hardly uses.
const FIRST_SEGMENT: u32 = 128 << 10;
/// Between two segments that are given back for their age alone: a clock that jumped to next year should not empty the
/// journal before somebody has seen it.
const AGE_PACE: Duration = Duration::from_secs(600);
/// A start reads at most so much behind the newest checkpoint, whatever checkpoints cost.
const MOST_BEHIND: u64 = 64 << 20;

/// What the writer remembers for its housekeeping.
pub(crate) struct Room {
    /// Segments in which the two newest checkpoints begin, of each lane; older ones are not needed for a start.
    checkpoints: [Option<[u64; 2]>; 2],
    /// Bytes written since the newest one.
    since_checkpoint: u64,
    checkpoint_len: u64,
    segments_made: u64,
    /// When a segment was last given back for its age, as the caller's clock runs.
    aged: Option<Duration>,
}

impl Room {
    /// After a start.
    pub(crate) fn new(replayed: &Replayed) -> Self {
        Self {
            checkpoints: [replayed.checkpoint, None],
            // A box that loses its power again and again writes little in each of its lives; their sum counts, or each
            // start would read more than the one before.
            since_checkpoint: replayed.behind,
            checkpoint_len: replayed.checkpoint_len,
            segments_made: replayed.active.iter().flatten().count() as u64,
            aged: None,
        }
    }

    pub(crate) fn written(&mut self, bytes: u32) {
        self.since_checkpoint = self.since_checkpoint.saturating_add(bytes.into());
    }

    /// The size of the next segment that is made.
    pub(crate) fn segment_size(&mut self, needed: usize, options: &Options) -> u32 {
        let first = self.segments_made == 0;
        self.segments_made = self.segments_made.saturating_add(1);
        if first { first_segment_size(needed, options) } else { options.segment_size }
    }

    /// Whether a start could do without this segment: it is older than what the two newest checkpoints need.
    fn is_behind(&self, lane: Lane, segment: u64) -> bool {
        let needed = |checkpoint: &Option<[u64; 2]>| {
            let [results, snapshots] = checkpoint.unwrap_or_default();
            match lane {
                Lane::Results => results,
                Lane::Snapshots => snapshots,
            }
        };
        self.checkpoints.iter().all(|checkpoint| segment < needed(checkpoint))
    }
}

/// The size of a process's first segment.
pub(crate) fn first_segment_size(needed: usize, options: &Options) -> u32 {
    let least = page_up(u64::from(SEGMENT_START).saturating_add(needed as u64));
    let fits = u32::try_from(least).is_ok_and(|least| least <= FIRST_SEGMENT);
    if fits { FIRST_SEGMENT.min(options.segment_size) } else { options.segment_size }
}

impl Core {
    /// Ends what a crash interrupted, as far as the disk obeys; the rest is tried again with the next segment.
    pub(crate) fn tidy(&mut self) {
        let size = self.shared.options.segment_size.into();
        self.catalog.drop_misfits(&*self.shared.storage, size);
        self.publish();
    }

    /// How much room is taken, for everybody.
    pub(crate) fn publish(&self) {
        self.catalog.publish(&self.shared.totals, self.shared.options.segment_size.into());
    }

    /// Bytes that both lanes may take together, and the ceiling of this one.
    fn limits(&self, lane: Lane) -> (u64, u64) {
        let limit = self.shared.limit.load(std::sync::atomic::Ordering::Acquire);
        match lane {
            Lane::Results => (limit, limit),
            Lane::Snapshots => {
                let own = self.shared.snapshots.load(std::sync::atomic::Ordering::Acquire);
                (limit, own.min(limit / 2))
            }
        }
    }

    /// Whether one more segment may be made for this lane under this claim.
    pub(crate) fn has_room(&self, lane: Lane, claim: Claim) -> bool {
        self.has_room_for(lane, claim, self.shared.options.segment_size.into())
    }

    /// Whether the room that is kept for more important claims is there, besides `more` bytes.
    pub(crate) fn has_room_for(&self, lane: Lane, claim: Claim, more: u64) -> bool {
        let size = u64::from(self.shared.options.segment_size);
        let kept = match claim {
            Claim::Intake => FOR_SETTLING + FOR_OUTCOMES,
            Claim::Outcome => FOR_SETTLING,
            Claim::Settling => 0,
        };
        let kept = size.saturating_mul(kept);
        let (all, own) = self.limits(lane);
        let used = self.catalog.total().saturating_sub(self.catalog.free_of(size));
        used.saturating_add(more).saturating_add(kept) <= all
            && (lane == Lane::Results || self.catalog.used(lane).saturating_add(more) <= own)
    }

    /// Gives segments back until one more may be made.
    pub(crate) fn find_room(&mut self, lane: Lane, claim: Claim) -> Result<(), AppendError> {
        // Each turn frees one segment or ends; a segment that is needed whole comes back at the end of the lane.
        let turns =
            self.catalog.lane(Lane::Results).len().saturating_add(self.catalog.lane(Lane::Snapshots).len());
        for _ in 0..turns {
            if self.has_room(lane, claim) {
                return Ok(());
            }
            let (_, ceiling) = self.limits(Lane::Snapshots);
            let size = u64::from(self.shared.options.segment_size);
            let at_ceiling =
                lane == Lane::Snapshots && self.catalog.used(lane).saturating_add(size) > ceiling;
            let victim = if !at_ceiling && self.gains() { Lane::Results } else { Lane::Snapshots };
            // The segment that is being filled is no room to give.
            if victim == Lane::Snapshots && self.catalog.lane(victim).len() < 2 {
                return Err(AppendError::Full);
            }
            self.free_oldest(victim)?;
        }
        if self.has_room(lane, claim) { Ok(()) } else { Err(AppendError::Full) }
    }

    /// Whether giving the oldest *results* segment back brings room, at once or with those behind it. Copies need room
    /// themselves, so where little is left only a segment goes of which hardly anything is needed.
    fn gains(&self) -> bool {
        let size = u64::from(self.shared.options.segment_size);
        let (all, _) = self.limits(Lane::Results);
        let Some(oldest) = self.catalog.oldest(Lane::Results) else { return false };
        let needed = self.keeper.needed_in(Lane::Results, oldest.number);
        if needed.iter().map(|at| u64::from(at.len())).sum::<u64>() < oldest.size / 4 {
            return true;
        }
        let needed = self.keeper.needed_bytes();
        let used = self.catalog.used(Lane::Results);
        self.catalog.total().saturating_add(size.saturating_mul(FOR_SETTLING)) <= all
            && needed.saturating_add(needed / 3).saturating_add(size.saturating_mul(3)) < used
    }

    /// Between commits: a checkpoint that is due, and segments that are old. `uptime` runs steadily.
    pub(crate) fn keep_house(&mut self, uptime: Duration) {
        if self.checkpoint_is_due() {
            self.write_checkpoint();
        }
        let paced = self.room.aged.is_none_or(|aged| uptime.saturating_sub(aged) >= AGE_PACE);
        let keep = self.shared.keep.load(std::sync::atomic::Ordering::Acquire);
        for lane in Lane::ALL {
            let old = |segment: &Segment| {
                segment.closed > 0 && segment.closed.saturating_add(keep) < self.given_time
            };
            let oldest = self.catalog.oldest(lane).filter(old);
            if paced && oldest.is_some() {
                self.room.aged = Some(uptime);
                // What does not work is tried again, and the health tells of it.
                let _ = self.free_oldest(lane);
            }
        }
    }

    /// Gives the oldest segment of a lane back.
    fn free_oldest(&mut self, lane: Lane) -> Result<(), AppendError> {
        let Some(oldest) = self.catalog.oldest(lane) else { return Err(AppendError::Full) };
        if self.is_active(lane, oldest.number) {
            return Err(AppendError::Full);
        }
        // Two checkpoints behind it, so that one may be damaged.
        for _ in 0..=self.room.checkpoints.len() {
            if !self.room.is_behind(lane, oldest.number) && !self.write_checkpoint() {
                return Err(AppendError::Full);
            }
        }
        if !self.room.is_behind(lane, oldest.number) {
            return Err(AppendError::Full);
        }
        let readable = match lane {
            Lane::Results => self.carry(oldest.number)?,
            Lane::Snapshots => true,
        };
        let freed = Freed::new(lane, &oldest).record().ok_or(AppendError::Full)?;
        self.append_own(freed)?;
        if lane == Lane::Snapshots {
            self.shared.totals.thinned.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
            self.keeper.thinned(oldest.number);
        }
        self.shared.forget_reader(lane, oldest.number);
        let index = self.shared.index.as_ref().filter(|_| lane == Lane::Results);
        let part = index.and_then(|index| index.take(oldest.number));
        let full_size = self.shared.options.segment_size.into();
        let storage = &*self.shared.storage;
        let done = if readable {
            self.catalog.give_back(storage, lane, oldest, full_size)
        } else {
            self.catalog.set_aside(storage, lane, oldest)
        };
        self.publish();
        if let Some(index) = index {
            match part {
                Some(part)
                    if self.catalog.oldest(lane).is_some_and(|still| still.number == oldest.number) =>
                {
                    index.put_back(oldest.number, part);
                }
                _ => index.gone(oldest.number),
            }
        }
        done.map_err(|error| {
            let error = DiskError::new(format!("giving back {}", segment_name(lane, oldest.number)), error);
            self.shared.set_health(Health::Failed(error.to_string()));
            AppendError::Failed(error)
        })
    }

    /// Copies what is needed of a segment to the end of the lane. `false`: something of it cannot be read, so the file has to
    /// be kept for whoever can.
    fn carry(&mut self, segment: u64) -> Result<bool, AppendError> {
        let mut needed = self.keeper.needed_in(Lane::Results, segment);
        needed.sort_unstable();
        // Large commits pack well.
        let most = usize::try_from(self.shared.options.max_commit.saturating_sub(COMMIT_HEADER))
            .unwrap_or(usize::MAX);
        let tag = self.shared.options.tag();
        let mut readable = true;
        let mut batch: Option<Batch> = None;
        for at in needed {
            let Ok(record) = self.shared.read(at) else {
                readable = false;
                continue;
            };
            let copy = NewRecord::carried(&record.as_ref());
            match &mut batch {
                Some(batch) if batch.encoded_len(tag).saturating_add(copy.encoded_len(tag)) < most => {
                    batch.push(copy)
                }
                batch => {
                    let begun = Batch::new(Lane::Results, Urgency::Now, copy).claim(Claim::Settling);
                    if let Some(full) = batch.replace(begun) {
                        self.append_here(full)?;
                    }
                }
            }
        }
        batch.map_or(Ok(()), |last| self.append_here(last))?;
        let left = self.keeper.needed_in(Lane::Results, segment);
        // Whatever is still there and can be read was not carried, which must not happen; then the file stays.
        Ok(readable && left.is_empty())
    }

    /// At a clean stop: the next start should have little to read.
    pub(crate) fn stop(&mut self) {
        if self.room.since_checkpoint > u64::from(self.shared.options.segment_size) / 8 {
            self.write_checkpoint();
        }
    }

    fn append_own(&mut self, record: NewRecord) -> Result<(), AppendError> {
        self.append_here(Batch::new(Lane::Results, Urgency::Now, record).claim(Claim::Settling))
    }

    fn checkpoint_is_due(&self) -> bool {
        let since = self.room.since_checkpoint;
        let worth = self.room.checkpoint_len.saturating_mul(8).min(MOST_BEHIND);
        since > u64::from(self.shared.options.segment_size).max(worth)
    }

    /// Writes a checkpoint. `false`: there is none, because the keeper has nothing to say or the disk fails.
    pub(crate) fn write_checkpoint(&mut self) -> bool {
        let keeper = self.keeper.checkpoint();
        if keeper.is_empty() {
            self.room.since_checkpoint = 0;
            return false;
        }
        let [results, snapshots] = Lane::ALL.map(|lane| self.lane(lane).previous);
        let segments = Lane::ALL.map(|lane| self.catalog.lane(lane).iter().copied().collect());
        let head = Head { last: [results, snapshots], newest_time: self.newest_time, segments };
        let part = self.shared.options.max_commit.saturating_sub(COMMIT_HEADER.saturating_mul(4)) / 2;
        let records = checkpoint::records(&head, &keeper, usize::try_from(part).unwrap_or(usize::MAX));
        // Tried again only after as much as if it had worked: a full disk should not be asked with every commit.
        self.room.since_checkpoint = 0;
        self.room.checkpoint_len = keeper.len() as u64;
        let newest =
            |core: &Self, lane| core.catalog.lane(lane).back().map_or(0, |segment: &Segment| segment.number);
        let mut first = None;
        for record in records {
            if self.append_own(record).is_err() {
                return false;
            }
            first.get_or_insert_with(|| newest(self, Lane::Results));
        }
        let Some(first) = first else { return false };
        let [newer, _] = self.room.checkpoints;
        self.room.checkpoints = [Some([first, newest(self, Lane::Snapshots)]), newer];
        true
    }
}
