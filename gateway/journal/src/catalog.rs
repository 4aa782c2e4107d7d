//! The files that there are: segments of both lanes, oldest first, files that wait to be used again, and how much room
//! they take. Totals are kept where readers of [`Space`](crate::Space) see them.

use crate::format::{FREED, parse_segment_name, segment_name};
use crate::index::parse_sidecar_name;
use crate::record::{Lane, NewRecord, RecordRef};
use crate::storage::Storage;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Files that wait, in each journal: one for each lane's next segment and one in hand.
const POOL: usize = 3;

/// What is known of a segment without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    /// Bytes of the file.
    pub(crate) size: u64,
    /// A trusted time behind all that is in it: the first one that was given after it was full. 0 while there is none.
    pub(crate) closed: u64,
    /// Records in it.
    pub(crate) records: u64,
}

impl Segment {
    pub(crate) const fn new(number: u64, size: u64) -> Self {
        Self { number, size, closed: 0, records: 0 }
    }
}

/// A segment is given back: on flash before its file is touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Freed {
    lane: u8,
    pub(crate) segment: u64,
}

impl Freed {
    const VERSION: u8 = 1;

    pub(crate) const fn new(lane: Lane, segment: &Segment) -> Self {
        Self { lane: lane.code(), segment: segment.number }
    }

    pub(crate) const fn lane(&self) -> Option<Lane> {
        Lane::from_code(self.lane)
    }

    pub(crate) fn record(&self) -> Option<NewRecord> {
        NewRecord::encode(FREED, Self::VERSION, self, Vec::new()).ok()
    }

    pub(crate) fn decode(record: &RecordRef<'_>) -> Option<Self> {
        let mine = record.kind == FREED && record.meta_version == Self::VERSION;
        mine.then(|| record.decode().ok()).flatten()
    }
}

/// Totals for everybody.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) used: [AtomicU64; 2],
    /// Bytes in files that wait to be used again, or were set aside as damaged.
    pub(crate) other: AtomicU64,
    /// Of these, bytes in files of full size that wait to be used again.
    pub(crate) waiting: AtomicU64,
    /// Bytes in sidecars. The index counts them.
    pub(crate) sidecars: Arc<AtomicU64>,
    pub(crate) segments: AtomicU64,
    /// Segments of *snapshots* that were dropped.
    pub(crate) thinned: AtomicU64,
    /// When the oldest segment of *results* was full, Unix milliseconds; 0 while that is not known.
    pub(crate) oldest: AtomicU64,
    /// Files that were set aside as damaged, and bytes in them.
    pub(crate) aside: [AtomicU64; 2],
}

impl Totals {
    pub(crate) fn all(&self) -> u64 {
        let used = self.used.iter().map(|used| used.load(Ordering::Acquire)).sum::<u64>();
        used.saturating_add(self.other.load(Ordering::Acquire))
            .saturating_add(self.sidecars.load(Ordering::Acquire))
    }
}

/// The writer's list of files.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    lanes: [VecDeque<Segment>; 2],
    free: Vec<(String, u64)>,
    /// Files that were set aside as damaged, and bytes in them.
    aside: [u64; 2],
    /// Sidecars that a start has found, and their bytes. Later ones are the index's business.
    found_sidecars: Vec<(String, u64)>,
    /// Bytes in sidecars, as [`Totals::sidecars`].
    sidecars: Arc<AtomicU64>,
    /// A file has another name, which a power cut may take back: then it must not be written to.
    names_unsynced: bool,
}

impl Catalog {
    /// From the directory; what a checkpoint or a scan knows comes through [`learn`](Self::learn).
    pub(crate) fn load(storage: &dyn Storage) -> io::Result<Self> {
        let mut catalog = Self::default();
        let mut names = storage.list()?;
        names.sort_unstable();
        for name in names {
            if let Some((lane, number)) = parse_segment_name(&name) {
                let size = storage.open(&name)?.size()?;
                catalog.lane_mut(lane).push_back(Segment::new(number, size));
            } else if is_free_name(&name) {
                catalog.free.push((name.clone(), storage.open(&name)?.size()?));
                // Who renamed it may have been killed before it synced the directory.
                catalog.names_unsynced = true;
            } else if name.ends_with(ASIDE) {
                catalog.count_aside(storage.open(&name)?.size()?);
            } else if parse_sidecar_name(&name).is_some() {
                // No start fails for what can be made again.
                let size = storage.open(&name).and_then(|file| file.size()).unwrap_or(0);
                catalog.sidecars.fetch_add(size, Ordering::AcqRel);
                catalog.found_sidecars.push((name, size));
            }
        }
        Ok(catalog)
    }

    /// The sidecars that there were at the start, handed over to the index.
    pub(crate) fn take_sidecars(&mut self) -> Vec<(String, u64)> {
        std::mem::take(&mut self.found_sidecars)
    }

    /// The count of their bytes, which is the index's from now on.
    pub(crate) fn sidecars(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.sidecars)
    }

    /// At a start: gives up all sidecars, as far as the disk obeys.
    pub(crate) fn drop_sidecars(&mut self, storage: &dyn Storage) {
        let gone = |(name, size): &(String, u64)| {
            let removed = storage.remove(name).is_ok();
            if removed {
                self.sidecars.fetch_sub(*size, Ordering::AcqRel);
            }
            removed
        };
        self.found_sidecars.retain(|found| !gone(found));
    }

    /// Takes over what a checkpoint knew; what came after it is counted as it is read.
    pub(crate) fn learn(&mut self, lane: Lane, known: &[Segment]) {
        for was in known {
            if let Some(segment) = self.get_mut(lane, was.number) {
                *segment = Segment { size: segment.size, ..*was };
            }
        }
    }

    /// Looks at the segments' sizes again; those that are gone are dropped.
    pub(crate) fn measure(&mut self, storage: &dyn Storage) -> io::Result<()> {
        for lane in Lane::ALL {
            for segment in std::mem::take(self.lane_mut(lane)) {
                match storage.open(&segment_name(lane, segment.number)) {
                    Ok(file) => self.add(lane, Segment { size: file.size()?, ..segment }),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    pub(crate) const fn lane(&self, lane: Lane) -> &VecDeque<Segment> {
        let [results, snapshots] = &self.lanes;
        match lane {
            Lane::Results => results,
            Lane::Snapshots => snapshots,
        }
    }

    const fn lane_mut(&mut self, lane: Lane) -> &mut VecDeque<Segment> {
        let [results, snapshots] = &mut self.lanes;
        match lane {
            Lane::Results => results,
            Lane::Snapshots => snapshots,
        }
    }

    pub(crate) fn used(&self, lane: Lane) -> u64 {
        self.lane(lane).iter().map(|segment| segment.size).sum()
    }

    /// Bytes of everything.
    pub(crate) fn total(&self) -> u64 {
        self.without_sidecars().saturating_add(self.sidecars.load(Ordering::Acquire))
    }

    /// Bytes of everything that cannot be made again.
    pub(crate) fn without_sidecars(&self) -> u64 {
        let lanes = Lane::ALL.into_iter().map(|lane| self.used(lane)).sum::<u64>();
        lanes.saturating_add(self.other())
    }

    /// Bytes of files that wait to be used again or were set aside.
    fn other(&self) -> u64 {
        let [_, aside] = self.aside;
        self.free.iter().fold(aside, |sum, (_, size)| sum.saturating_add(*size))
    }

    const fn count_aside(&mut self, size: u64) {
        let [files, bytes] = self.aside;
        self.aside = [files.saturating_add(1), bytes.saturating_add(size)];
    }

    /// Bytes in files of this size that wait to be used again.
    pub(crate) fn free_of(&self, size: u64) -> u64 {
        self.free.iter().map(|(_, free)| *free).filter(|free| *free == size).sum()
    }

    pub(crate) fn add(&mut self, lane: Lane, segment: Segment) {
        self.lane_mut(lane).push_back(segment);
    }

    /// The entry of a segment that there is.
    pub(crate) fn get_mut(&mut self, lane: Lane, number: u64) -> Option<&mut Segment> {
        self.lane_mut(lane).iter_mut().rev().find(|segment| segment.number == number)
    }

    pub(crate) fn oldest(&self, lane: Lane) -> Option<Segment> {
        self.lane(lane).front().copied()
    }

    /// Forgets a segment whose file is gone.
    pub(crate) fn drop(&mut self, lane: Lane, number: u64) {
        self.lane_mut(lane).retain(|segment| segment.number != number);
    }

    /// Gives a segment's file up: it waits to be used again, or is removed when it is of another size or enough wait. When
    /// that fails, the segment is still the oldest and its turn comes again.
    pub(crate) fn give_back(
        &mut self,
        storage: &dyn Storage,
        lane: Lane,
        segment: Segment,
        full_size: u64,
    ) -> io::Result<()> {
        let name = segment_name(lane, segment.number);
        if segment.size != full_size || self.free.len() >= POOL {
            storage.remove(&name)?;
        } else {
            let free = free_name(segment.number);
            storage.rename(&name, &free)?;
            self.free.push((free, segment.size));
        }
        self.drop(lane, segment.number);
        self.names_unsynced = true;
        self.sync_names(storage)
    }

    fn sync_names(&mut self, storage: &dyn Storage) -> io::Result<()> {
        if self.names_unsynced {
            storage.sync_dir()?;
            self.names_unsynced = false;
        }
        Ok(())
    }

    /// Keeps a segment with damage in it out of the way, as a file that nothing reads and nothing reuses.
    pub(crate) fn set_aside(
        &mut self,
        storage: &dyn Storage,
        lane: Lane,
        segment: Segment,
    ) -> io::Result<()> {
        let name = segment_name(lane, segment.number);
        storage.rename(&name, &format!("{name}{ASIDE}"))?;
        self.count_aside(segment.size);
        self.drop(lane, segment.number);
        self.names_unsynced = true;
        self.sync_names(storage)
    }

    /// A file to use again, of exactly this size. Its name is durable: otherwise a power cut could bring the old one back
    /// to a file that is a segment of something else by then.
    pub(crate) fn take_free(&mut self, storage: &dyn Storage, size: u64) -> Option<String> {
        let at = self.free.iter().position(|(_, free)| *free == size)?;
        self.sync_names(storage).ok()?;
        Some(self.free.swap_remove(at).0)
    }

    /// The reverse, for a file that was not used after all.
    pub(crate) fn put_free(&mut self, name: Option<String>, size: u64) {
        self.free.extend(name.map(|name| (name, size)));
    }

    /// Files of another size than segments have now: removed, so that they do not take room for ever.
    pub(crate) fn drop_misfits(&mut self, storage: &dyn Storage, size: u64) {
        self.free.retain(|(name, free)| *free == size || storage.remove(name).is_err());
    }

    /// The clock was trusted: it closes the full segments that wait for that. True when there were any.
    pub(crate) fn close(&mut self, time: u64) -> bool {
        let mut closed = false;
        for lane in Lane::ALL {
            let lane = self.lane_mut(lane);
            let full = lane.len().saturating_sub(1);
            for segment in lane.iter_mut().take(full).rev().take_while(|segment| segment.closed == 0) {
                segment.closed = time;
                closed = true;
            }
        }
        closed
    }

    /// Segments are of this size now.
    pub(crate) fn publish(&self, totals: &Totals, full_size: u64) {
        for (lane, used) in Lane::ALL.into_iter().zip(&totals.used) {
            used.store(self.used(lane), Ordering::Release);
        }
        totals.other.store(self.other(), Ordering::Release);
        totals.waiting.store(self.free_of(full_size), Ordering::Release);
        let segments = Lane::ALL.into_iter().map(|lane| self.lane(lane).len()).sum::<usize>();
        totals.segments.store(segments as u64, Ordering::Release);
        let oldest = self.oldest(Lane::Results).map_or(0, |segment| segment.closed);
        totals.oldest.store(oldest, Ordering::Release);
        for (total, aside) in totals.aside.iter().zip(self.aside) {
            total.store(aside, Ordering::Release);
        }
    }
}

pub(crate) const ASIDE: &str = ".bad";

fn free_name(number: u64) -> String {
    format!("free-{number:016x}.seg")
}

pub(crate) fn is_free_name(name: &str) -> bool {
    name.strip_prefix("free-")
        .and_then(|rest| rest.strip_suffix(".seg"))
        .is_some_and(|digits| digits.len() == 16)
}
