//! The journal and the fold over it, together: what is appended is in the [`State`] before anybody hears of it.
//!
//! One order for everybody: the journal's writer thread applies a batch to the state right after its sync and before
//! it hands out the receipt. Whoever waits for work is told through watch channels that only count.

use crate::records::{Chunk, Delivery, Dropped, HoldSettled, Meta, Outcome, ParkedSettled, Verification};
use crate::state::{Change, State};
use crate::terms;
use orugate_journal::{
    AppendError, Batch, Claim, Journal, Keeper, Kind, Lane, Location, NewRecord, OpenError, ReadError,
    Receipt, Record, RecordRef, Recovery, Reserved, Storage, Term, UnixMillis, Urgency,
};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// A start waits so long for the index.
const AT_ONCE: Duration = Duration::from_millis(100);

/// The journal with its fold. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    journal: Journal,
    fold: Arc<Fold>,
}

/// A record to append.
pub struct Entry {
    kind: u16,
    version: u8,
    meta: Vec<u8>,
    payload: Vec<u8>,
    number: Option<Reserved>,
}

impl Entry {
    /// A record without a payload.
    #[must_use]
    pub fn new<M: Meta>(meta: &M) -> Self {
        Self::with_payload(meta, Vec::new())
    }

    /// A record with its payload.
    #[must_use]
    pub fn with_payload<M: Meta>(meta: &M, payload: Vec<u8>) -> Self {
        Self { kind: M::KIND, version: M::VERSION, meta: meta.encode(), payload, number: None }
    }

    /// Bytes of it.
    #[must_use]
    pub fn size(&self) -> usize {
        self.meta.len().saturating_add(self.payload.len())
    }

    /// Gives it a number that was reserved for it.
    #[must_use]
    pub fn numbered(self, number: Reserved) -> Self {
        Self { number: Some(number), ..self }
    }
}

impl Store {
    /// Opens an existing journal and folds it, from the newest checkpoint on.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open(
        storage: impl Storage,
        options: orugate_journal::Options,
    ) -> Result<(Self, Recovery), OpenError> {
        let fold = Arc::new(Fold::default());
        let (journal, recovery) = Journal::open_for(storage, options, fold.clone())?;
        fold.state().recovered();
        // A small journal is in the index at once, and then nothing ever waits for it.
        let _ = journal.wait_indexed(AT_ONCE);
        Ok((Self { inner: Arc::new(Inner { journal, fold }) }, recovery))
    }

    /// Whether all of the journal was looked through for what was sent before.
    #[must_use]
    pub fn knows_the_past(&self) -> bool {
        self.inner.journal.wait_indexed(Duration::ZERO)
    }

    /// The journal, for its health and space.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.inner.journal
    }

    /// So much of the room is needed still that instruments are told to wait: what is left ends what is open and settles
    /// what waits. Settled records do not count, for they make room when it is wanted.
    #[must_use]
    pub fn nearly_full(&self) -> bool {
        self.needed_bytes() > self.most_needed()
    }

    /// The backlog in bytes from which on instruments are told to wait.
    #[must_use]
    pub fn most_needed(&self) -> u64 {
        let space = self.inner.journal.space();
        let reserve = (space.limit / 16).max(16 << 20);
        let room = space.limit.saturating_sub(reserve).saturating_sub(space.aside);
        // As the journal reckons: copies need room themselves, so not more than three quarters can be packed close.
        room - room / 4
    }

    /// Bytes of all records that are needed still: the backlog.
    #[must_use]
    pub fn needed_bytes(&self) -> u64 {
        self.inner.fold.needed.load(Ordering::Relaxed)
    }

    /// The newest time in any record, microseconds since 1970; it grows with the journal.
    #[must_use]
    pub fn newest(&self) -> Arc<AtomicI64> {
        self.inner.fold.newest.clone()
    }

    /// The fold. Hold it for a look, not for work.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.inner.fold.state()
    }

    /// Counts up whenever a message waits for interpretation.
    #[must_use]
    pub fn pending(&self) -> watch::Receiver<u64> {
        self.inner.fold.pending.subscribe()
    }

    /// Counts up whenever an ORU waits for delivery.
    #[must_use]
    pub fn waiting(&self) -> watch::Receiver<u64> {
        self.inner.fold.waiting.subscribe()
    }

    /// Counts up with every batch that the state took in.
    #[must_use]
    pub fn applied(&self) -> watch::Receiver<u64> {
        self.inner.fold.applied.subscribe()
    }

    /// A number for a record that is rendered before it is appended; `None` when the journal cannot give one.
    #[must_use]
    pub fn reserve(&self) -> Option<Reserved> {
        self.inner.journal.reserve(1).ok()?.next()
    }

    /// Appends records as one atomic batch, where laboratory results are. `done` is called on the journal's thread after the
    /// sync and after the state has them, or with the reason why they are not on flash.
    pub fn append(
        &self,
        entries: Vec<Entry>,
        urgency: Urgency,
        at: Option<UnixMillis>,
        done: impl FnOnce(Result<Receipt, AppendError>) + Send + 'static,
    ) {
        self.append_in(Lane::Results, entries, urgency, at, done);
    }

    /// As [`append`](Self::append), in this lane. What belongs together goes into one lane, so that it goes together.
    pub fn append_in(
        &self,
        lane: Lane,
        entries: Vec<Entry>,
        urgency: Urgency,
        at: Option<UnixMillis>,
        done: impl FnOnce(Result<Receipt, AppendError>) + Send + 'static,
    ) {
        let mut batch: Option<Batch> = None;
        for entry in entries {
            let claim = claim(entry.kind);
            let mut record = NewRecord::new(Kind(entry.kind), entry.version, entry.meta, entry.payload);
            if let Some(number) = entry.number {
                record = record.numbered(number);
            }
            match &mut batch {
                Some(batch) => batch.push(record),
                None => batch = Some(Batch::new(lane, urgency, record).claim(claim)),
            }
        }
        let Some(mut batch) = batch else { return };
        if let Some(at) = at {
            batch = batch.at(at);
        }
        self.inner.journal.append(batch, done);
    }

    /// As [`append`](Self::append), and waits for it. Not for the runtime's thread.
    ///
    /// # Errors
    /// Why the records are not on flash.
    pub fn append_wait(&self, entries: Vec<Entry>, at: Option<UnixMillis>) -> Result<Receipt, AppendError> {
        self.append_wait_in(Lane::Results, entries, at)
    }

    /// As [`append_wait`](Self::append_wait), in this lane.
    ///
    /// # Errors
    /// Why the records are not on flash.
    pub fn append_wait_in(
        &self,
        lane: Lane,
        entries: Vec<Entry>,
        at: Option<UnixMillis>,
    ) -> Result<Receipt, AppendError> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        self.append_in(lane, entries, Urgency::Now, at, move |result| {
            let _ = sender.send(result);
        });
        receiver.recv().unwrap_or(Err(AppendError::Stopped))
    }

    /// What became of messages with this specimen in them, by its keyed hash: the newest, at most so many.
    #[must_use]
    pub fn outcomes(&self, specimen: u128, most: usize) -> Vec<Outcome> {
        let found = self.inner.journal.find(terms::specimen(specimen), most);
        found.records.iter().filter_map(|record| terms::outcome_of(&record.as_ref(), specimen)).collect()
    }

    /// An ORU and what kept it from its destination, the newest record first, at most so many.
    #[must_use]
    pub fn of_oru(&self, oru: u64, most: usize) -> Vec<Record> {
        self.inner.journal.find(terms::oru(oru), most).records
    }

    /// Where a person gave up all that waited for a destination: the newest, at most so many.
    #[must_use]
    pub fn dropped(&self, most: usize) -> Vec<Dropped> {
        let found = self.inner.journal.find(terms::DROPPED, most);
        let dropped =
            found.records.iter().map(Record::as_ref).filter(|record| record.kind.0 == Dropped::KIND);
        dropped.filter_map(|record| Dropped::decode(record.meta_version, record.meta)).collect()
    }

    /// Reads a record's payload. A needed record may be carried to another place meanwhile: `now` says where it is.
    ///
    /// # Errors
    /// As [`Journal::read`].
    pub fn read(&self, at: Location, now: impl Fn(&State) -> Option<Location>) -> Result<Vec<u8>, ReadError> {
        Ok(self.record(at, now)?.payload().to_vec())
    }

    /// Reads a record's meta; `None` when there is another record, or none of this version.
    ///
    /// # Errors
    /// As [`Journal::read`].
    pub fn read_meta<M: Meta>(
        &self,
        at: Location,
        now: impl Fn(&State) -> Option<Location>,
    ) -> Result<Option<M>, ReadError> {
        let record = self.record(at, now)?;
        let record = record.as_ref();
        let fits = record.kind == Kind(M::KIND);
        Ok(fits.then(|| M::decode(record.meta_version, record.meta)).flatten())
    }

    fn record(
        &self,
        mut at: Location,
        now: impl Fn(&State) -> Option<Location>,
    ) -> Result<Record, ReadError> {
        loop {
            let error = match self.inner.journal.read(at) {
                Ok(record) => return Ok(record),
                Err(error) => error,
            };
            // Each turn is another move, and a segment is given back only once.
            let place = now(&self.state());
            match place {
                Some(moved) if moved != at => at = moved,
                _ => return Err(error),
            }
        }
    }
}

/// How much of the room a batch may use that begins with a record of this kind. What ends a message or comes of one must
/// find room after what comes in does not, and what settles something after that.
const fn claim(kind: u16) -> Claim {
    match kind {
        // What a person says again can wait for room longer than any result.
        Chunk::KIND | Verification::KIND => Claim::Intake,
        Delivery::KIND | HoldSettled::KIND | ParkedSettled::KIND | Dropped::KIND => Claim::Settling,
        _ => Claim::Outcome,
    }
}

/// The state, kept up by the journal itself, and who is told of a change.
struct Fold {
    state: Mutex<State>,
    pending: watch::Sender<u64>,
    waiting: watch::Sender<u64>,
    applied: watch::Sender<u64>,
    /// As [`State::newest`] has it, for clocks.
    newest: Arc<AtomicI64>,
    /// Bytes that are needed still, as [`State::needed_bytes`] reckons them. Kept here because it is asked for with every
    /// message, also by those that hold the state.
    needed: AtomicU64,
    /// How many records were needed then.
    counted: AtomicU64,
    /// The count of batches from which on they are reckoned again.
    again_at: AtomicU64,
}

impl Default for Fold {
    fn default() -> Self {
        let counter = || watch::channel(0).0;
        Self {
            state: Mutex::default(),
            pending: counter(),
            waiting: counter(),
            applied: counter(),
            newest: Arc::default(),
            needed: AtomicU64::default(),
            counted: AtomicU64::default(),
            again_at: AtomicU64::default(),
        }
    }
}

impl Fold {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Some hundred records are looked at for each batch, however many are needed. Where one batch settles many, it is
    /// seen at once: a full journal may get no other batch for long.
    fn reckon(&self, state: &State) {
        let batches = *self.applied.borrow();
        let count = state.needed_count() as u64;
        let before = self.counted.load(Ordering::Relaxed);
        if batches >= self.again_at.load(Ordering::Relaxed) || count < before - before / 8 {
            self.needed.store(state.needed_bytes(), Ordering::Relaxed);
            self.counted.store(count, Ordering::Relaxed);
            let later = count / 256;
            self.again_at.store(batches.saturating_add(1).saturating_add(later), Ordering::Relaxed);
        }
    }
}

impl Keeper for Fold {
    fn terms_version(&self) -> u32 {
        terms::VERSION
    }

    fn terms(&self, record: &RecordRef<'_>, found_by: &mut dyn FnMut(Term)) {
        terms::terms(record, found_by);
    }

    fn seen(&self, batch: &[RecordRef<'_>]) {
        let mut all = Change::default();
        {
            // One lock for the batch: nobody sees half of it.
            let mut state = self.state();
            for record in batch {
                let change = state.apply(record);
                all.pending |= change.pending;
                all.waiting |= change.waiting;
            }
            self.newest.store(state.newest(), Ordering::Release);
            self.reckon(&state);
        }
        if all.pending {
            self.pending.send_modify(|n| *n = n.wrapping_add(1));
        }
        if all.waiting {
            self.waiting.send_modify(|n| *n = n.wrapping_add(1));
        }
        self.applied.send_modify(|n| *n = n.wrapping_add(1));
    }

    fn checkpoint(&self) -> Vec<u8> {
        self.state().checkpoint()
    }

    fn restore(&self, checkpoint: &[u8]) -> bool {
        State::restored(checkpoint).is_some_and(|state| {
            self.newest.store(state.newest(), Ordering::Release);
            self.reckon(&state);
            *self.state() = state;
            true
        })
    }

    fn needed_in(&self, lane: Lane, segment: u64) -> Vec<Location> {
        self.state().needed_in(lane, segment)
    }

    fn needed_bytes(&self) -> u64 {
        self.needed.load(Ordering::Relaxed)
    }

    fn thinned(&self, segment: u64) {
        let thinned = {
            let mut state = self.state();
            let thinned = state.thinned(segment);
            self.reckon(&state);
            thinned
        };
        tracing::warn!(
            segment,
            messages = thinned.messages,
            orus = thinned.orus,
            "snapshots were dropped to make room; so many of them had not been interpreted or delivered"
        );
    }
}
