//! Turning batches into commits: which fit together, their bytes, the write and the sync, and what happens when
//! the disk says no. This is the only place that makes receipts. It runs on the writer's thread and knows no time.

use crate::catalog::{Catalog, Segment};
use crate::error::{AppendError, DiskError};
use crate::format::{COMMIT_HEADER_LEN, CommitHeader, FIRST_OWN_KIND, PAGE_LEN, Position, RawRecord};
use crate::identity::CeilingFile;
use crate::index::{Entries, Index};
use crate::journal::{Health, Shared};
use crate::keeper::Keeper;
use crate::receipt::Receipt;
use crate::record::{Batch, Claim, Lane, Location, NewRecord, Number, Seq};
use crate::recover::Replayed;
use crate::ring;
use crate::room::Room;
use crate::seal::Sealing;
use crate::segment::Active;
use crate::storage::write_all;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Segments that captures give room for when the disk is full, so that the next one finds some too.
const SHED: u64 = 2;

type Callback = Box<dyn FnOnce(Result<Receipt, AppendError>) + Send>;

/// The caller's `done`, called exactly once: when it is dropped uncalled, the writer has died.
pub(crate) struct Done(Option<Callback>);

impl Done {
    pub(crate) fn new(done: impl FnOnce(Result<Receipt, AppendError>) + Send + 'static) -> Self {
        Self(Some(Box::new(done)))
    }

    pub(crate) fn call(mut self, result: Result<Receipt, AppendError>) {
        self.finish(result);
    }

    /// A panic in a caller's code must not take the journal down with it.
    fn finish(&mut self, result: Result<Receipt, AppendError>) {
        if let Some(done) = self.0.take() {
            let _ = catch_unwind(AssertUnwindSafe(|| done(result)));
        }
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        self.finish(Err(AppendError::Stopped));
    }
}

/// Bytes that count against the queue's limit until this is dropped.
pub(crate) struct Queued {
    pub(crate) shared: Arc<Shared>,
    pub(crate) bytes: u64,
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.shared.queued.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// A batch on its way.
pub(crate) struct Request {
    pub(crate) batch: Batch,
    pub(crate) done: Done,
    pub(crate) queued: Queued,
}

/// What a lane goes on with.
pub(crate) struct LaneState {
    active: Option<Active>,
    /// The last acknowledged commit, or at the start the last one found.
    pub(crate) previous: u64,
}

/// The writer's half of the journal. Its room and its checkpoints are looked after in `room`.
pub(crate) struct Core {
    pub(crate) shared: Arc<Shared>,
    pub(crate) keeper: Arc<dyn Keeper>,
    ceiling: CeilingFile,
    results: LaneState,
    snapshots: LaneState,
    pub(crate) catalog: Catalog,
    pub(crate) room: Room,
    pub(crate) newest_time: u64,
    /// The time that was given last. It may go back where the newest never does.
    pub(crate) given_time: u64,
    buffer: Vec<u8>,
}

/// A commit whose numbers are drawn; it is encoded anew for each segment that it is tried on.
struct Prepared {
    number: u64,
    previous: u64,
    newest_time: u64,
    batches: Vec<Numbered>,
}

struct Numbered {
    records: Vec<(Seq, NewRecord)>,
    done: Done,
    _queued: Queued,
}

impl Core {
    pub(crate) fn new(
        shared: Arc<Shared>,
        keeper: Arc<dyn Keeper>,
        ceiling: CeilingFile,
        replayed: Replayed,
    ) -> Self {
        let room = Room::new(&replayed, &shared.options);
        let ([results, snapshots], [begun, other]) = (replayed.last, replayed.active);
        let results = LaneState { active: begun, previous: results };
        let snapshots = LaneState { active: other, previous: snapshots };
        let mut core = Self {
            room,
            catalog: replayed.catalog,
            newest_time: replayed.recovery.newest_time.map_or(0, |time| time.0),
            given_time: 0,
            buffer: Vec::new(),
            shared,
            keeper,
            ceiling,
            results,
            snapshots,
        };
        core.tidy();
        core
    }

    /// Keeps the ceiling ahead of what may be reserved. A failure is kept for the health; it is tried again.
    pub(crate) fn keep_ahead(&mut self) {
        if let Err(error) = self.raise_ceiling(0) {
            self.shared.set_health(Health::Failed(error.to_string()));
        }
    }

    /// Commits as many of the first as fit into one commit, and calls every `done` of them; those that find no room hear so.
    pub(crate) fn commit(&mut self, lane: Lane, waiting: &mut VecDeque<Request>) {
        while let Some(first) = waiting.front() {
            let needed = COMMIT_HEADER_LEN.saturating_add(first.batch.encoded_len(self.shared.options.tag()));
            if let Err(error) = self.make_room(lane, needed, first.batch.claim) {
                // Those behind it go with it, even if one would fit: order is kept. But what may use more of the room is
                // not refused for what may use less, or nothing could settle while somebody still sends.
                let full = matches!(error, AppendError::Full).then_some(first.batch.claim);
                let goes = |request: &Request| full.is_none_or(|claim| request.batch.claim <= claim);
                let (refused, left): (Vec<_>, Vec<_>) = waiting.drain(..).partition(goes);
                *waiting = left.into();
                refused.into_iter().for_each(|request| request.done.call(Err(error.clone())));
                continue;
            }
            let group = self.take_group(lane, waiting);
            match self.prepare(lane, group) {
                Ok(prepared) => self.write(lane, prepared),
                Err((group, error)) => {
                    self.shared.set_health(Health::Failed(error.to_string()));
                    let error = AppendError::Failed(error);
                    group.into_iter().for_each(|request| request.done.call(Err(error.clone())));
                }
            }
            return;
        }
    }

    pub(crate) const fn lane(&mut self, lane: Lane) -> &mut LaneState {
        match lane {
            Lane::Results => &mut self.results,
            Lane::Snapshots => &mut self.snapshots,
        }
    }

    /// Makes sure that the lane's segment can take `needed` bytes, before anything of them is written.
    fn make_room(&mut self, lane: Lane, needed: usize, claim: Claim) -> Result<(), AppendError> {
        let fits = |active: &Active| usize::try_from(active.room()).is_ok_and(|room| needed <= room);
        // A segment that was begun for what settles something is not there for what comes in.
        if self.lane(lane).active.as_ref().is_some_and(fits) && self.has_room_for(lane, claim, 0) {
            return Ok(());
        }
        // Giving segments back writes to a lane too, and may have begun a segment that fits.
        self.find_room(lane, claim)?;
        if !self.lane(lane).active.as_ref().is_some_and(fits) {
            let active = self.new_segment(lane, needed)?;
            self.lane(lane).active = Some(active);
        }
        Ok(())
    }

    fn new_segment(&mut self, lane: Lane, needed: usize) -> Result<Active, AppendError> {
        let size = self.room.segment_size(needed, &self.shared.options);
        let reuse = self.catalog.take_free(&*self.shared.storage, size.into());
        let shared = Arc::clone(&self.shared);
        let (journal, keys) = (shared.identity.journal, shared.options.keys.as_ref());
        let storage = &*shared.storage;
        let made = self.draw(1).and_then(|number| {
            let create =
                |reuse: Option<&str>| Active::create(storage, lane, number, journal, size, keys, reuse);
            create(reuse.as_deref()).or_else(|error| {
                // The disk is full: captures are worth less, and whoever waits for this commit need not hear of it.
                let wanted = u64::from(shared.options.segment_size).saturating_mul(SHED);
                let freed = if error.is_full() { ring::shed(storage, journal, wanted) } else { 0 };
                shared.shed.fetch_add(freed, Ordering::AcqRel);
                if freed > 0 { create(None) } else { Err(error) }
            })
        });
        match made {
            Ok(active) => {
                self.catalog.add(lane, Segment::new(active.segment, size.into()));
                self.publish();
                if let Some(index) = shared.index.as_ref().filter(|_| lane == Lane::Results) {
                    index.made(active.segment, true, Entries::default());
                }
                Ok(active)
            }
            // Within its limit, and yet no room: whoever asks how it is must hear of the disk.
            Err(error) if error.is_full() => {
                self.shared.set_health(Health::Failed(error.to_string()));
                Err(AppendError::Full)
            }
            Err(error) => {
                self.shared.set_health(Health::Failed(error.to_string()));
                Err(AppendError::Failed(error))
            }
        }
    }

    /// Appends the journal's own batch, or a copy, to *results* at once. It gives nothing back to find room: it is part of
    /// doing so, and the segments kept for what settles are there for it.
    pub(crate) fn append_here(&mut self, batch: Batch) -> Result<(), AppendError> {
        let lane = batch.lane;
        let needed = COMMIT_HEADER_LEN.saturating_add(batch.encoded_len(self.shared.options.tag()));
        let fits = |active: &Active| usize::try_from(active.room()).is_ok_and(|room| needed <= room);
        if !self.lane(lane).active.as_ref().is_some_and(fits) {
            let active = self.new_segment(lane, needed)?;
            self.lane(lane).active = Some(active);
        }
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let done = Done::new(move |result| {
            let _ = sender.send(result.map(drop));
        });
        let queued = Queued { shared: Arc::clone(&self.shared), bytes: 0 };
        match self.prepare(lane, vec![Request { batch, done, queued }]) {
            Ok(prepared) => self.write(lane, prepared),
            Err((_, error)) => return Err(AppendError::Failed(error)),
        }
        receiver.try_recv().unwrap_or(Err(AppendError::Stopped))
    }

    pub(crate) fn is_active(&mut self, lane: Lane, segment: u64) -> bool {
        self.lane(lane).active.as_ref().is_some_and(|active| active.segment == segment)
    }

    /// As many batches from the front as one commit and the segment's room take; the first one fits.
    fn take_group(&mut self, lane: Lane, waiting: &mut VecDeque<Request>) -> Vec<Request> {
        let room =
            self.lane(lane).active.as_ref().map_or(0, Active::room).min(self.shared.options.max_commit);
        let mut left = usize::try_from(room).unwrap_or(usize::MAX).saturating_sub(COMMIT_HEADER_LEN);
        let mut group = Vec::new();
        let tag = self.shared.options.tag();
        while let Some(request) = waiting.pop_front() {
            let size = request.batch.encoded_len(tag);
            // The first one's claim was looked at; one that may use less of the room must not slip in behind it.
            let fits = size <= left && self.has_room_for(lane, request.batch.claim, 0);
            if !group.is_empty() && !fits {
                waiting.push_front(request);
                break;
            }
            left = left.saturating_sub(size);
            group.push(request);
        }
        group
    }

    fn prepare(&mut self, lane: Lane, group: Vec<Request>) -> Result<Prepared, (Vec<Request>, DiskError)> {
        let is_drawn = |record: &&NewRecord| matches!(record.number, Number::Drawn);
        let unnumbered = |request: &Request| request.batch.records.iter().filter(is_drawn).count() as u64;
        let wanted: u64 = group.iter().map(unnumbered).sum();
        let number = match self.draw(wanted.saturating_add(1)) {
            Ok(number) => number,
            Err(error) => return Err((group, error)),
        };
        let mut next = number;
        let mut batches = Vec::with_capacity(group.len());
        for Request { batch, done, queued } in group {
            if let Some(time) = batch.time {
                self.given_time = time.0;
                self.newest_time = self.newest_time.max(time.0);
            }
            let number = |record: NewRecord| {
                let sequence = match &record.number {
                    Number::Drawn => {
                        next = next.saturating_add(1);
                        Seq(next)
                    }
                    Number::Reserved(reserved) => reserved.get(),
                    Number::Carried(sequence) => *sequence,
                };
                (sequence, record)
            };
            let records = batch.records.into_iter().map(number).collect();
            batches.push(Numbered { records, done, _queued: queued });
        }
        let previous = self.lane(lane).previous;
        Ok(Prepared { number, previous, newest_time: self.newest_time, batches })
    }

    /// Writes and syncs a commit; a second time to a new segment if the disk refuses, then gives up.
    fn write(&mut self, lane: Lane, prepared: Prepared) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut active = self.lane(lane).active.take();
        let mut failure = None;
        for retry in [false, true] {
            let target = match active.take() {
                Some(target) => Ok(target),
                None => self.new_segment(lane, prepared.len(self.shared.options.tag())),
            };
            let Ok(mut target) = target else { break };
            let next_sequence = self.shared.counter.next();
            let encoded = prepared.encode(&mut buffer, &target, next_sequence, retry);
            let written = encoded.map_err(io::Error::from).and_then(|locations| {
                write_all(&*target.file, &buffer, target.offset.into())?;
                target.file.sync_data()?;
                Ok(locations)
            });
            // The buffer is whole pages and fits: `make_room` and `take_group` saw to it.
            let buffer_len = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
            let end = target.offset.saturating_add(buffer_len);
            let target_segment = target.segment;
            match written {
                Ok(locations) => {
                    target.offset = end;
                    let state = self.lane(lane);
                    state.previous = prepared.number;
                    state.active = Some(target);
                    self.buffer = buffer;
                    self.shared.set_health(Health::Good);
                    self.room.written(buffer_len);
                    if let Some(segment) = self.catalog.get_mut(lane, target_segment) {
                        segment.records = segment.records.saturating_add(prepared.records());
                    }
                    if self.given_time > 0 && self.catalog.close(self.given_time) {
                        self.publish();
                    }
                    let index = self.shared.index.as_ref();
                    if let Some(index) = index.filter(|_| lane == Lane::Results) {
                        index.acknowledged(target_segment);
                    }
                    prepared.acknowledge(&*self.keeper, index, locations);
                    return;
                }
                Err(error) => {
                    failure.get_or_insert(DiskError::new("writing a commit", error));
                    self.abandon(&target, end);
                }
            }
        }
        self.buffer = buffer;
        let error =
            failure.unwrap_or_else(|| DiskError::new("making a segment", io::ErrorKind::Other.into()));
        self.shared.set_health(Health::Failed(error.to_string()));
        for batch in prepared.batches {
            batch.done.call(Err(AppendError::Failed(error.clone())));
        }
    }

    /// A poisoned segment keeps what it has; its unused rest is given back, as far as the disk still obeys.
    fn abandon(&mut self, target: &Active, end: u32) {
        if target.file.trim(end.into()).is_ok() {
            if let Some(segment) = self.catalog.get_mut(target.lane, target.segment) {
                segment.size = end.into();
            }
            self.publish();
        }
    }

    /// Numbers for the writer itself, the ceiling raised first if need be.
    fn draw(&mut self, count: u64) -> Result<u64, DiskError> {
        loop {
            self.raise_ceiling(count)?;
            // Somebody may have reserved in between; the ceiling is then raised again.
            if let Some(first) = self.shared.counter.draw(count) {
                return Ok(first);
            }
        }
    }

    fn raise_ceiling(&mut self, count: u64) -> Result<(), DiskError> {
        if let Some(ceiling) = self.shared.counter.wanted_ceiling(count) {
            self.ceiling.raise(ceiling)?;
            self.shared.counter.raise(ceiling);
        }
        Ok(())
    }
}

impl Prepared {
    /// The bytes for `target`, padded to whole pages, and where each record will be.
    fn encode(
        &self,
        buffer: &mut Vec<u8>,
        target: &Active,
        next_sequence: u64,
        retry: bool,
    ) -> Result<Vec<Vec<Location>>, Sealing> {
        let place = |at: usize| target.offset.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
        buffer.clear();
        buffer.resize(COMMIT_HEADER_LEN, 0);
        let mut records = 0_u32;
        let mut locations = Vec::with_capacity(self.batches.len());
        for batch in &self.batches {
            let mut places = Vec::with_capacity(batch.records.len());
            let last = batch.records.len().saturating_sub(1);
            for (index, (sequence, record)) in batch.records.iter().enumerate() {
                let start = buffer.len();
                let position = Position { first: index == 0, last: index == last };
                let offset = place(start);
                let seal = target.key.as_ref().map(|key| (key, offset));
                RawRecord::write(buffer, target.seed, *sequence, record, position, seal)?;
                let len = place(buffer.len()).saturating_sub(offset);
                places.push(Location { lane: target.lane, segment: target.segment, offset, len });
                records = records.saturating_add(1);
            }
            locations.push(places);
        }
        let body_len = u32::try_from(buffer.len().saturating_sub(COMMIT_HEADER_LEN)).unwrap_or(u32::MAX);
        let header = CommitHeader {
            number: self.number,
            previous: self.previous,
            next_sequence,
            newest_time: self.newest_time,
            body_len,
            records,
            body_crc: 0,
            retry,
        };
        header.write(buffer, target.seed, target.offset / crate::format::PAGE);
        buffer.resize(buffer.len().next_multiple_of(PAGE_LEN), 0);
        Ok(locations)
    }

    /// Bytes in a commit of its own.
    fn len(&self, tag: usize) -> usize {
        let records = self.batches.iter().flat_map(|batch| &batch.records);
        records.fold(COMMIT_HEADER_LEN, |sum, (_, record)| sum.saturating_add(record.encoded_len(tag)))
    }

    fn records(&self) -> u64 {
        self.batches.iter().map(|batch| batch.records.len() as u64).sum()
    }

    /// Only behind a successful sync. The keeper hears of a batch before its caller does.
    fn acknowledge(self, keeper: &dyn Keeper, index: Option<&Index>, locations: Vec<Vec<Location>>) {
        for (batch, places) in self.batches.into_iter().zip(locations) {
            let placed = batch.records.iter().zip(&places);
            let others = placed.filter(|((_, record), _)| record.kind.0 < FIRST_OWN_KIND);
            let records: Vec<_> = others.map(|((number, record), at)| record.placed(*number, *at)).collect();
            if !records.is_empty() {
                // As for callers: whatever its code does, the journal goes on.
                let _ = catch_unwind(AssertUnwindSafe(|| keeper.seen(&records)));
                if let Some(index) = index {
                    index.seen(&records);
                }
            }
            let sequences = batch.records.iter().map(|(sequence, _)| *sequence).collect();
            batch.done.call(Ok(Receipt::after_sync(sequences, places)));
        }
    }
}
