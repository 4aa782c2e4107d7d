//! The journal and the fold over it, together: what is appended is in the [`State`] before anybody hears of it.
//!
//! One order for everybody: the journal's writer thread applies a batch to the state right after its sync and before
//! it hands out the receipt. Whoever waits for work is told through watch channels that only count.

use crate::records::Meta;
use crate::state::{Change, State};
use orugate_journal::{
    AppendError, Batch, Journal, Kind, Lane, Location, NewRecord, OpenError, ReadError, Receipt, Recovery,
    Reserved, Storage, UnixMillis, Urgency,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The journal with its fold. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    journal: Journal,
    state: Mutex<State>,
    pending: watch::Sender<u64>,
    waiting: watch::Sender<u64>,
    applied: watch::Sender<u64>,
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

    /// Gives it a number that was reserved for it.
    #[must_use]
    pub fn numbered(self, number: Reserved) -> Self {
        Self { number: Some(number), ..self }
    }
}

impl Store {
    /// Opens an existing journal and folds all of it.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open(
        storage: impl Storage,
        options: orugate_journal::Options,
    ) -> Result<(Self, Recovery), OpenError> {
        let mut state = State::default();
        let (journal, recovery) = Journal::open(storage, options, &mut |record| {
            state.apply(record.kind.0, record.meta_version, record.meta, record.sequence.0, record.location);
        })?;
        state.recovered();
        Ok((Self::with(journal, state), recovery))
    }

    /// A store over a journal that was just created.
    #[must_use]
    pub fn fresh(journal: Journal) -> Self {
        Self::with(journal, State::default())
    }

    fn with(journal: Journal, state: State) -> Self {
        let (pending, _) = watch::channel(0);
        let (waiting, _) = watch::channel(0);
        let (applied, _) = watch::channel(0);
        Self { inner: Arc::new(Inner { journal, state: Mutex::new(state), pending, waiting, applied }) }
    }

    /// The journal, for its health and space.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.inner.journal
    }

    /// So little room is left that instruments are told to wait: what there is ends what is open and settles what
    /// waits.
    #[must_use]
    pub fn nearly_full(&self) -> bool {
        let space = self.inner.journal.space();
        let reserve = (space.limit / 16).max(16 << 20);
        space.used.saturating_add(reserve) > space.limit
    }

    /// The fold. Hold it for a look, not for work.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts up whenever a message waits for interpretation.
    #[must_use]
    pub fn pending(&self) -> watch::Receiver<u64> {
        self.inner.pending.subscribe()
    }

    /// Counts up whenever an ORU waits for delivery.
    #[must_use]
    pub fn waiting(&self) -> watch::Receiver<u64> {
        self.inner.waiting.subscribe()
    }

    /// Counts up with every batch that the state took in.
    #[must_use]
    pub fn applied(&self) -> watch::Receiver<u64> {
        self.inner.applied.subscribe()
    }

    /// A number for a record that is rendered before it is appended; `None` when the journal cannot give one.
    #[must_use]
    pub fn reserve(&self) -> Option<Reserved> {
        self.inner.journal.reserve(1).ok()?.next()
    }

    /// Appends records as one atomic batch. `done` is called on the journal's thread after the sync and after the
    /// state has them, or with the reason why they are not on flash.
    pub fn append(
        &self,
        entries: Vec<Entry>,
        urgency: Urgency,
        at: Option<UnixMillis>,
        done: impl FnOnce(Result<Receipt, AppendError>) + Send + 'static,
    ) {
        let mut metas = Vec::with_capacity(entries.len());
        let mut batch: Option<Batch> = None;
        for entry in entries {
            metas.push((entry.kind, entry.version, entry.meta.clone()));
            let mut record = NewRecord::new(Kind(entry.kind), entry.version, entry.meta, entry.payload);
            if let Some(number) = entry.number {
                record = record.numbered(number);
            }
            match &mut batch {
                Some(batch) => batch.push(record),
                None => batch = Some(Batch::new(Lane::Results, urgency, record)),
            }
        }
        let Some(mut batch) = batch else { return };
        if let Some(at) = at {
            batch = batch.at(at);
        }
        // The journal keeps the callback, so the callback must not keep the journal.
        let inner = Arc::downgrade(&self.inner);
        self.inner.journal.append(batch, move |result| {
            if let (Ok(receipt), Some(inner)) = (&result, inner.upgrade()) {
                inner.apply(&metas, receipt);
            }
            done(result);
        });
    }

    /// As [`append`](Self::append), and waits for it. Not for the runtime's thread.
    ///
    /// # Errors
    /// Why the records are not on flash.
    pub fn append_wait(&self, entries: Vec<Entry>, at: Option<UnixMillis>) -> Result<Receipt, AppendError> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        self.append(entries, Urgency::Now, at, move |result| {
            let _ = sender.send(result);
        });
        receiver.recv().unwrap_or(Err(AppendError::Stopped))
    }

    /// Reads a record's payload.
    ///
    /// # Errors
    /// As [`Journal::read`].
    pub fn read(&self, at: Location) -> Result<Vec<u8>, ReadError> {
        Ok(self.inner.journal.read(at)?.payload().to_vec())
    }

    /// Reads a record's meta; `None` when there is another record, or none of this version.
    ///
    /// # Errors
    /// As [`Journal::read`].
    pub fn read_meta<M: Meta>(&self, at: Location) -> Result<Option<M>, ReadError> {
        let record = self.inner.journal.read(at)?;
        let record = record.as_ref();
        let fits = record.kind == Kind(M::KIND);
        Ok(fits.then(|| M::decode(record.meta_version, record.meta)).flatten())
    }
}

impl Inner {
    fn apply(&self, metas: &[(u16, u8, Vec<u8>)], receipt: &Receipt) {
        let mut all = Change::default();
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            for (((kind, version, meta), number), at) in
                metas.iter().zip(receipt.sequences()).zip(receipt.locations())
            {
                let change = state.apply(*kind, *version, meta, number.0, *at);
                all.pending |= change.pending;
                all.waiting |= change.waiting;
            }
        }
        if all.pending {
            self.pending.send_modify(|n| *n = n.wrapping_add(1));
        }
        if all.waiting {
            self.waiting.send_modify(|n| *n = n.wrapping_add(1));
        }
        self.applied.send_modify(|n| *n = n.wrapping_add(1));
    }
}
