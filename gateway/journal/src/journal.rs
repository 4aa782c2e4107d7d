//! The handle: create, open, append, reserve, read. It holds no state of its own but what it shares with the
//! writer's thread, so it can be cloned and used from everywhere.

use crate::catalog::Totals;
use crate::commit::{Core, Done, Queued, Request};
use crate::counted::Counted;
use crate::error::{AppendError, CreateError, DiskError, OpenError, ReadError, ReserveError};
use crate::format::{COMMIT_HEADER_LEN, parse_segment_name};
use crate::identity::{self, IDENTITY_FILE, Identity, PART};
use crate::index::{self, Entries, Found, Index, Indexed, Term};
use crate::inspect::Inspector;
use crate::keeper::{Keeper, Nobody};
use crate::options::Options;
use crate::receipt::Receipt;
use crate::record::{Batch, Lane, Location, Record, RecordRef, UnixMillis};
use crate::recover::{Damage, Recovery, Replayed, Visit, replay};
use crate::ring::Rings;
use crate::scan::Place;
use crate::segment::Readers;
use crate::sequence::{Counter, Reservation, beyond};
use crate::storage::Storage;
use crate::writer::{self, Command};
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// 2025-01-01T00:00:00Z. A clock that shows less was never set.
pub(crate) const CLOCK_IS_SET: UnixMillis = UnixMillis(1_735_689_600_000);

/// Whether appends can be expected to work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// The last commit was synced, or there was none yet.
    Good,
    /// The last attempt failed, for this reason. The next one is tried all the same and clears this if it works.
    Failed(String),
}

/// How much of the space is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes of all segment files, what they have reserved included, and of their sidecars.
    pub used: u64,
    /// Bytes that they may take ([`Options::max_size`], or what was set since).
    pub limit: u64,
    /// Segment files.
    pub segments: u64,
    /// Bytes of the segments of *snapshots*, in `used`.
    pub snapshots: u64,
    /// Segments of *snapshots* that were dropped for want of room or for their age since the journal was opened.
    pub thinned: u64,
    /// All of *results* that was written after this time is there; `None` while that is not known, because the first segment
    /// is not full or the clock was not trusted.
    pub all_since: Option<UnixMillis>,
    /// Files that were set aside, because something in them was needed and could not be read. They are in `used`, and stay
    /// until a person takes them away.
    pub aside_files: u64,
    /// Bytes in them.
    pub aside: u64,
}

/// What the handle and the writer's thread both see.
pub(crate) struct Shared {
    pub(crate) storage: Box<dyn Storage>,
    pub(crate) options: Options,
    /// [`Options::max_size`], as it was set last.
    pub(crate) limit: AtomicU64,
    /// [`Options::snapshots_size`], as it was set last.
    pub(crate) snapshots: AtomicU64,
    /// [`Options::keep`] in milliseconds, as it was set last.
    pub(crate) keep: AtomicU64,
    pub(crate) identity: Identity,
    pub(crate) counter: Counter,
    pub(crate) totals: Totals,
    /// Bytes written to the storage.
    written: Arc<AtomicU64>,
    pub(crate) queued: AtomicU64,
    /// The writer was asked to raise the ceiling: asked with each reservation, it had no place left for appends.
    pub(crate) raise_asked: AtomicBool,
    pub(crate) heartbeat: AtomicU64,
    /// Bytes of rings that were given up so that a segment could be made.
    pub(crate) shed: AtomicU64,
    /// When the keeper has terms.
    pub(crate) index: Option<Index>,
    health: Mutex<Health>,
    readers: Readers,
}

impl Shared {
    pub(crate) fn read(&self, at: Location) -> Result<Record, ReadError> {
        self.readers.read(&*self.storage, self.options.keys.as_ref(), at)
    }

    pub(crate) fn place(&self) -> Place<'_> {
        let keys = self.options.keys.as_ref();
        let beyond = Some(beyond(self.counter.ceiling()));
        Place { storage: &*self.storage, journal: self.identity.journal, keys, beyond }
    }

    /// The record of *results* whose header is at this place.
    pub(crate) fn read_at(&self, segment: u64, offset: u32) -> Result<Record, ReadError> {
        self.readers.read_at(&*self.storage, self.options.keys.as_ref(), segment, offset)
    }

    pub(crate) fn forget_reader(&self, lane: Lane, segment: u64) {
        self.readers.forget(lane, segment);
    }

    pub(crate) fn set_health(&self, health: Health) {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = health;
    }
}

/// The journal, open. Clones share it; when the last is dropped, what was appended is committed and the lock is
/// given back.
#[derive(Clone)]
pub struct Journal {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    commands: Option<SyncSender<Command>>,
    writer: Option<JoinHandle<()>>,
    indexer: Option<JoinHandle<()>>,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("space", &self.space())
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}

impl Journal {
    /// The most that one call of [`reserve`](Self::reserve) gives.
    pub const MAX_RESERVE: u32 = 4096;

    /// Makes a new journal and opens it. This is a deliberate act, once in the life of a box: its sequence starts
    /// at `now` in milliseconds times 1,000, so that it never repeats a number of the journal it replaces.
    ///
    /// # Errors
    /// There is a journal or a segment of one already; the clock shows a time before 2025; the disk.
    pub fn create(storage: impl Storage, now: UnixMillis, options: Options) -> Result<Self, CreateError> {
        if now < CLOCK_IS_SET {
            return Err(CreateError::ClockUnset(now.0));
        }
        options.check().map_err(|what| CreateError::Open(OpenError::Options(what)))?;
        let lock = lock(&storage).map_err(CreateError::Open)?;
        let disk = |error| CreateError::Disk(DiskError::new("creating the journal", error));
        let names = storage.list().map_err(disk)?;
        if let Some(segment) = names.iter().find(|name| parse_segment_name(name).is_some()) {
            return Err(CreateError::Exists(segment.clone()));
        }
        if names.iter().any(|name| name == PART) {
            return Err(CreateError::Exists(PART.into()));
        }
        if names.iter().any(|name| name == IDENTITY_FILE) {
            match identity::load(&storage) {
                // A creation that a power cut interrupted: nothing was ever written under it.
                Err(OpenError::IdentityDamaged) => storage.remove(IDENTITY_FILE).map_err(disk)?,
                _ => return Err(CreateError::Exists(IDENTITY_FILE.into())),
            }
        }
        let identity = Identity::new(now).map_err(disk)?;
        identity::create(&storage, &identity).map_err(disk)?;
        let keeper = Arc::new(Nobody);
        let opened = Inner::start(Box::new(storage), options, lock, &mut Kept(&Nobody), keeper);
        opened.map(|(inner, _)| Self { inner: Arc::new(inner) }).map_err(CreateError::Open)
    }

    /// Opens a journal and shows every whole record to `visit`, in the order of writing: within a lane that is the
    /// order of the appends. Memory does not grow with the journal.
    ///
    /// # Errors
    /// There is none ([`create`](Self::create) is deliberate); another process has it; a newer version wrote it;
    /// a segment is sealed with a key that [`Options::keys`] does not have; the disk. Damaged content is no error: it is skipped and reported in the [`Recovery`].
    pub fn open(
        storage: impl Storage,
        options: Options,
        visit: &mut dyn FnMut(RecordRef<'_>),
    ) -> Result<(Self, Recovery), OpenError> {
        options.check().map_err(OpenError::Options)?;
        let lock = lock(&storage)?;
        let keeper = Arc::new(Nobody);
        let (inner, recovery) = Inner::start(Box::new(storage), options, lock, &mut Shown(visit), keeper)?;
        Ok((Self { inner: Arc::new(inner) }, recovery))
    }

    /// Opens a journal for a keeper: it gets the newest checkpoint that it understands and every record behind it, and is
    /// asked what can go when room is needed. Without a keeper nothing ever goes.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_for(
        storage: impl Storage,
        options: Options,
        keeper: Arc<dyn Keeper>,
    ) -> Result<(Self, Recovery), OpenError> {
        let (mut inner, recovery) = Inner::open(storage, options, keeper)?;
        inner.begin_indexing()?;
        Ok((Self { inner: Arc::new(inner) }, recovery))
    }

    /// As [`open_for`](Self::open_for), with nobody in the background: [`index_step`](Self::index_step) takes the steps.
    #[cfg(test)]
    pub(crate) fn open_by_hand(
        storage: impl Storage,
        options: Options,
        keeper: Arc<dyn Keeper>,
    ) -> Result<(Self, Recovery), OpenError> {
        let (inner, recovery) = Inner::open(storage, options, keeper)?;
        Ok((Self { inner: Arc::new(inner) }, recovery))
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    /// Does what the index's thread would do next. `false`: there was nothing to do.
    #[cfg(test)]
    pub(crate) fn index_step(&self) -> bool {
        let shared = &self.inner.shared;
        shared.index.as_ref().is_some_and(|index| index.step(shared))
    }

    /// Bytes that one commit, and so one batch, may have.
    #[must_use]
    pub fn max_commit(&self) -> usize {
        usize::try_from(self.inner.shared.options.max_commit).unwrap_or(usize::MAX)
    }

    /// Hands a batch to the writer and returns at once. `done` is called exactly once: with a receipt after the
    /// sync, or with the reason why there is none. It runs on the writer's thread (or, for `Busy`, `TooLarge` and
    /// `Stopped`, on this one), so it should only pass the news on; the journal waits for it.
    pub fn append(&self, batch: Batch, done: impl FnOnce(Result<Receipt, AppendError>) + Send + 'static) {
        let done = Done::new(done);
        let shared = &self.inner.shared;
        let size = COMMIT_HEADER_LEN.saturating_add(batch.encoded_len(shared.options.tag()));
        let limit = self.max_commit();
        if size > limit {
            return done.call(Err(AppendError::TooLarge { size, limit }));
        }
        let bytes = size as u64;
        let before = shared.queued.fetch_add(bytes, Ordering::AcqRel);
        let queued = Queued { shared: Arc::clone(shared), bytes };
        if before.saturating_add(bytes) > shared.options.queue_bytes {
            return done.call(Err(AppendError::Busy));
        }
        let Some(commands) = &self.inner.commands else { return };
        match commands.try_send(Command::Append(Request { batch, done, queued })) {
            // Dropping the request tells its `done` that the writer has stopped.
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(Command::Append(request))) => request.done.call(Err(AppendError::Busy)),
            Err(TrySendError::Full(Command::RaiseCeiling)) => {}
        }
    }

    /// Appends and waits for the sync. Not for a thread that must not wait, and not for a `done`.
    ///
    /// # Errors
    /// As for [`append`](Self::append).
    pub fn append_wait(&self, batch: Batch) -> Result<Receipt, AppendError> {
        let (sender, receiver) = sync_channel(1);
        self.append(batch, move |result| {
            let _ = sender.send(result);
        });
        receiver.recv().unwrap_or(Err(AppendError::Stopped))
    }

    /// Consecutive numbers for records still to be written, without IO. They are never given again, neither by
    /// this process nor after a crash, used or not: a number may have been seen before its record was stored (in
    /// a rendered MSH-10, in a log). Numbers are given only below a ceiling that is on flash already, and a start
    /// begins at that ceiling.
    ///
    /// # Errors
    /// More than [`MAX_RESERVE`](Self::MAX_RESERVE) at once, or more in a row than the writer could raise the
    /// ceiling for: then try again.
    pub fn reserve(&self, count: u32) -> Result<Reservation, ReserveError> {
        if count > Self::MAX_RESERVE {
            return Err(ReserveError::TooMany);
        }
        let counter = &self.inner.shared.counter;
        let reservation = counter.reserve(count.into());
        if counter.wanted_ceiling(0).is_some()
            && let Some(commands) = &self.inner.commands
            && !self.inner.shared.raise_asked.swap(true, Ordering::AcqRel)
            && commands.try_send(Command::RaiseCeiling).is_err()
        {
            // A full queue wakes the writer just as well.
            self.inner.shared.raise_asked.store(false, Ordering::Release);
        }
        reservation.ok_or(ReserveError::Exhausted)
    }

    /// Reads one record and checks it.
    ///
    /// # Errors
    /// The segment is gone, its key was not given, the bytes are not that record any more, or the disk.
    pub fn read(&self, at: Location) -> Result<Record, ReadError> {
        self.inner.shared.read(at)
    }

    /// Shows every record that counts, those that a start from a checkpoint leaves out as well, and gives back what is damaged
    /// on the way. What is written meanwhile may be shown or not.
    ///
    /// # Errors
    /// The disk, or a segment's key.
    pub fn walk(&self, visit: &mut dyn FnMut(RecordRef<'_>)) -> Result<Vec<Damage>, OpenError> {
        let shared = &self.inner.shared;
        let inspected =
            Inspector::new(&*shared.storage, shared.options.keys.as_ref())?.walk(&mut |commit| {
                if !commit.void {
                    commit.records.iter().for_each(|record| visit(*record));
                }
            })?;
        Ok(inspected.damaged.into_iter().map(|spot| spot.damage).collect())
    }

    /// Records of *results* that have this at-hand term, the largest sequence first, at most `most`. Numbers that the journal
    /// drew itself ascend in the order of the log, so for those it is the newest first, wherever copies of them are by now.
    /// It reads each of them from the disk.
    #[must_use]
    pub fn find(&self, term: Term, most: usize) -> Found {
        let shared = &self.inner.shared;
        shared.index.as_ref().map_or_else(Found::default, |index| index.find(shared, term, most))
    }

    /// How far the index is. It is filled in the background after a start; without terms there is none.
    #[must_use]
    pub fn indexed(&self) -> Indexed {
        self.inner.shared.index.as_ref().map_or_else(Indexed::default, Index::indexed)
    }

    /// Waits until every segment is in the index or was found unreadable. `false`: it took longer than that, or there is no
    /// index.
    #[must_use]
    pub fn wait_indexed(&self, at_most: Duration) -> bool {
        self.inner.shared.index.as_ref().is_some_and(|index| index.wait(at_most))
    }

    /// What the journal was born with.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.inner.shared.identity
    }

    /// How much space is taken.
    #[must_use]
    pub fn space(&self) -> Space {
        let shared = &self.inner.shared;
        let [aside_files, aside] = shared.totals.aside.each_ref().map(|total| total.load(Ordering::Acquire));
        let [_, snapshots] = shared.totals.used.each_ref().map(|used| used.load(Ordering::Acquire));
        Space {
            used: shared.totals.all(),
            limit: shared.limit.load(Ordering::Acquire),
            segments: shared.totals.segments.load(Ordering::Acquire),
            snapshots,
            thinned: shared.totals.thinned.load(Ordering::Acquire),
            all_since: Some(UnixMillis(shared.totals.oldest.load(Ordering::Acquire))).filter(|at| at.0 > 0),
            aside_files,
            aside,
        }
    }

    /// Bytes that were written to the storage since the journal was opened: commits, headers, the zeros of new segments, the
    /// ceiling. What the file system writes for itself is not in it.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.inner.shared.written.load(Ordering::Relaxed)
    }

    /// Its rings, for the one who writes them; nobody else may have them at the same time.
    #[must_use]
    pub fn rings(&self) -> Rings {
        Rings::new(Arc::clone(&self.inner.shared))
    }

    /// Bytes of rings that were given up since the journal was opened, because the disk was full and a segment was needed.
    #[must_use]
    pub fn shed(&self) -> u64 {
        self.inner.shared.shed.load(Ordering::Acquire)
    }

    /// Changes [`Options::max_size`] from the next segment on. Less than two segments, or than there is already, only
    /// means that no segment is added.
    pub fn set_max_size(&self, bytes: u64) {
        self.inner.shared.limit.store(bytes, Ordering::Release);
    }

    /// Changes [`Options::snapshots_size`] from the next segment on.
    pub fn set_snapshots_size(&self, bytes: u64) {
        self.inner.shared.snapshots.store(bytes, Ordering::Release);
    }

    /// Changes [`Options::keep`].
    pub fn set_keep(&self, keep: Duration) {
        self.inner.shared.keep.store(millis(keep), Ordering::Release);
    }

    /// Bytes of records that wait for the writer. 0 when nothing does, and then each `done` has been called.
    #[must_use]
    pub fn queued(&self) -> u64 {
        self.inner.shared.queued.load(Ordering::Acquire)
    }

    /// Whether the last commit worked.
    #[must_use]
    pub fn health(&self) -> Health {
        self.inner.shared.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A count that grows at least twice a second while the writer is alive and the disk answers it. A watchdog
    /// that sees it stand still knows that the thread hangs, in a sync most likely.
    #[must_use]
    pub fn heartbeat(&self) -> u64 {
        self.inner.shared.heartbeat.load(Ordering::Relaxed)
    }
}

/// A visitor that wants every record.
struct Shown<'a>(&'a mut dyn FnMut(RecordRef<'_>));

impl Visit for Shown<'_> {
    fn restore(&mut self, _: &[u8]) -> bool {
        false
    }

    fn seen(&mut self, records: &[RecordRef<'_>]) {
        records.iter().for_each(|record| (self.0)(*record));
    }

    fn thinned(&mut self, _: u64) {}
}

struct Kept<'a>(&'a dyn Keeper);

impl Visit for Kept<'_> {
    fn restore(&mut self, checkpoint: &[u8]) -> bool {
        self.0.restore(checkpoint)
    }

    fn seen(&mut self, records: &[RecordRef<'_>]) {
        self.0.seen(records);
    }

    fn thinned(&mut self, segment: u64) {
        self.0.thinned(segment);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Inner {
    fn open(
        storage: impl Storage,
        options: Options,
        keeper: Arc<dyn Keeper>,
    ) -> Result<(Self, Recovery), OpenError> {
        options.check().map_err(OpenError::Options)?;
        let lock = lock(&storage)?;
        Self::start(Box::new(storage), options, lock, &mut Kept(&*keeper), Arc::clone(&keeper))
    }

    fn start(
        storage: Box<dyn Storage>,
        options: Options,
        lock: Box<dyn Send + Sync>,
        visit: &mut dyn Visit,
        keeper: Arc<dyn Keeper>,
    ) -> Result<(Self, Recovery), OpenError> {
        let (storage, written) = Counted::over(storage);
        let mut loaded = identity::load(&*storage)?;
        let mut replayed = replay(&*storage, &mut loaded, &options, visit)?;
        // Durable before the first number is given: the next start begins above all that this one gives.
        loaded.raise_for(replayed.next)?;
        let (commands, receiver) = sync_channel(options.queue);
        let keys = options.keys.as_ref();
        let beyond = loaded.beyond();
        let place = Place { storage: &*storage, journal: loaded.identity.journal, keys, beyond };
        let index = begin_index(place, &mut replayed, &keeper);
        let shared = Arc::new(Shared {
            storage,
            limit: AtomicU64::new(options.max_size),
            snapshots: AtomicU64::new(options.snapshots_size),
            keep: AtomicU64::new(millis(options.keep)),
            options,
            identity: loaded.identity,
            counter: Counter::new(replayed.next, loaded.ceiling),
            totals: Totals { sidecars: replayed.catalog.sidecars(), ..Totals::default() },
            written,
            queued: AtomicU64::new(0),
            raise_asked: AtomicBool::new(false),
            heartbeat: AtomicU64::new(0),
            shed: AtomicU64::new(0),
            index,
            health: Mutex::new(Health::Good),
            readers: Readers::default(),
        });
        let recovery = replayed.recovery.clone();
        let core = Core::new(Arc::clone(&shared), keeper, loaded.file, replayed);
        let writer = writer::start(core, receiver, Arc::clone(&shared), lock)
            .map_err(|error| DiskError::new("starting the journal's thread", error))?;
        Ok((Self { shared, commands: Some(commands), writer: Some(writer), indexer: None }, recovery))
    }

    fn begin_indexing(&mut self) -> Result<(), OpenError> {
        self.indexer = index::start(Arc::clone(&self.shared))
            .map_err(|error| DiskError::new("starting the index's thread", error))?;
        Ok(())
    }
}

/// The index of a journal that was just replayed: all is to be read yet, but for the segment that the start itself has made.
fn begin_index(place: Place<'_>, replayed: &mut Replayed, keeper: &Arc<dyn Keeper>) -> Option<Index> {
    let sidecars = replayed.catalog.take_sidecars();
    let segments = replayed.catalog.lane(Lane::Results).iter().map(|segment| segment.number);
    let index = Index::new(Arc::clone(keeper), segments, sidecars, replayed.catalog.sidecars())?;
    let [active, _] = &replayed.active;
    if let Some(active) = active {
        let built = index.with_terms(|terms| index::build(place, [active.segment].into(), terms));
        let whole = |built: &index::Built| built.damaged.is_empty() && built.told;
        match built {
            Ok(Some(built)) => index.made(active.segment, whole(&built), built.entries),
            Ok(None) | Err(_) => index.made(active.segment, false, Entries::default()),
        }
        // It begins with the lane's last commit, which is on flash with it.
        index.acknowledged(active.segment);
    }
    Some(index)
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.commands = None;
        // The index's thread first: the writer's has the lock, and nothing may be written without it.
        if let Some(index) = &self.shared.index {
            index.stop();
        }
        // The last handle may die in a `done`, on the very thread that would be waited for.
        let others = |thread: &JoinHandle<()>| thread.thread().id() != thread::current().id();
        for thread in [self.indexer.take(), self.writer.take()].into_iter().flatten().filter(others) {
            let _ = thread.join();
        }
    }
}

fn lock(storage: &impl Storage) -> Result<Box<dyn Send + Sync>, OpenError> {
    storage.lock().map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => OpenError::Locked,
        _ => OpenError::Disk(DiskError::new("locking LOCK", error)),
    })
}
