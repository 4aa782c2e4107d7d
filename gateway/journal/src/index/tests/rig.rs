//! A keeper with terms, a journal whose index is stepped by hand, and the truth: a full walk.

use crate::index::{Found, Term, Terms};
use crate::model::{Crash, ModelDisk};
use crate::{
    AppendError, Batch, Inspector, Journal, Keeper, KeyRing, Kind, Lane, Location, NewRecord, Options,
    Receipt, RecordRef, Recovery, SealKey, Seq, UnixMillis, Urgency,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

pub(super) const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
/// A record with tags.
pub(super) const NOTE: Kind = Kind(1);
/// One that is needed until it is closed.
pub(super) const OPEN: Kind = Kind(2);
/// Closes the one whose number is its payload.
pub(super) const CLOSE: Kind = Kind(3);

/// Tags from here on have all the same fingerprint.
pub(super) const ALIKE: u8 = 200;

pub(super) fn at_hand(tag: u8) -> Term {
    Term::at_hand(hash(tag))
}

pub(super) fn on_file(tag: u8) -> Term {
    Term::on_file(hash(tag))
}

fn hash(tag: u8) -> u64 {
    if tag >= ALIKE {
        0x7777_7777_0000_0000 | u64::from(tag)
    } else {
        u64::from(tag).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// The meta: how many at-hand tags, those, then on-file tags.
pub(super) fn tagged(kind: Kind, at_hand: &[u8], on_file: &[u8], payload: Vec<u8>) -> NewRecord {
    let meta = [&[at_hand.len() as u8], at_hand, on_file].concat();
    NewRecord::new(kind, 1, meta, payload)
}

pub(super) fn terms(record: &RecordRef<'_>, found_by: &mut dyn FnMut(Term)) {
    let Some((count, tags)) = record.meta.split_first() else { return };
    let (hand, file) = tags.split_at_checked(usize::from(*count)).unwrap_or_default();
    hand.iter().for_each(|tag| found_by(at_hand(*tag)));
    file.iter().for_each(|tag| found_by(on_file(*tag)));
    found_by(Term::number(record.sequence.0));
}

pub(super) const TERMS: Terms<'static> = Terms { version: 1, of: &terms };

/// What a test wants to happen while a record's terms are asked for.
pub(super) type Hook = Box<dyn FnOnce() + Send>;

#[derive(Default)]
pub(super) struct Tags {
    open: Mutex<BTreeMap<Seq, Location>>,
    /// After so many questions.
    hook: Mutex<Option<(u32, Hook)>>,
}

impl Tags {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<Seq, Location>) -> T) -> T {
        work(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn after(&self, questions: u32, hook: impl FnOnce() + Send + 'static) {
        *self.hook.lock().unwrap_or_else(PoisonError::into_inner) = Some((questions, Box::new(hook)));
    }

    pub(super) fn hook(&self) {
        let mut waiting = self.hook.lock().unwrap_or_else(PoisonError::into_inner);
        let due = match &mut *waiting {
            Some((left @ 1.., _)) => (*left -= 1, false).1,
            Some((0, _)) => true,
            None => false,
        };
        let hook = waiting.take_if(|_| due);
        drop(waiting);
        if let Some((_, hook)) = hook {
            hook();
        }
    }

    pub(super) fn open(&self) -> Vec<Seq> {
        self.with(|open| open.keys().copied().collect())
    }
}

impl Keeper for Tags {
    fn seen(&self, batch: &[RecordRef<'_>]) {
        self.with(|open| {
            for record in batch {
                match record.kind {
                    OPEN => drop(open.insert(record.sequence, record.location)),
                    CLOSE => drop(open.remove(&Seq(u64::from_le_bytes(record.payload.try_into().unwrap())))),
                    _ => {}
                }
            }
        });
    }

    fn checkpoint(&self) -> Vec<u8> {
        self.with(|open| postcard::to_stdvec(open).unwrap())
    }

    fn restore(&self, checkpoint: &[u8]) -> bool {
        self.with(|open| *open = postcard::from_bytes(checkpoint).unwrap());
        true
    }

    fn needed_in(&self, lane: Lane, segment: u64) -> Vec<Location> {
        let here = |at: &Location| at.lane() == lane && at.segment() == segment;
        self.with(|open| open.values().copied().filter(here).collect())
    }

    fn needed_bytes(&self) -> u64 {
        self.with(|open| open.values().map(|at| u64::from(at.len())).sum())
    }

    fn thinned(&self, _: u64) {}

    fn terms_version(&self) -> u32 {
        TERMS.version
    }

    fn terms(&self, record: &RecordRef<'_>, found_by: &mut dyn FnMut(Term)) {
        self.hook();
        terms(record, found_by);
    }
}

pub(super) fn small() -> Options {
    Options { segment_size: 32 << 10, max_size: 512 << 10, max_commit: 12 << 10, ..Options::default() }
}

pub(super) fn sealed(keys: &[u8]) -> Options {
    let mut keys = keys.iter().map(|key| SealKey::new([*key; 32].into()).unwrap());
    let ring = keys.next().map(|current| KeyRing::new(current, keys.collect()));
    Options { keys: ring, ..small() }
}

/// An open journal.
pub(super) struct Rig {
    pub(super) disk: ModelDisk,
    pub(super) options: Options,
    pub(super) journal: Journal,
    pub(super) tags: Arc<Tags>,
}

impl Rig {
    pub(super) fn new(options: Options) -> Self {
        let disk = ModelDisk::new();
        drop(Journal::create(disk.clone(), NOW, options.clone()).unwrap());
        Self::open(disk, options).0
    }

    pub(super) fn open(disk: ModelDisk, options: Options) -> (Self, Recovery) {
        Self::try_open(disk, options).unwrap()
    }

    pub(super) fn try_open(disk: ModelDisk, options: Options) -> Result<(Self, Recovery), crate::OpenError> {
        let tags = Arc::new(Tags::default());
        let (journal, recovery) = Journal::open_by_hand(disk.clone(), options.clone(), tags.clone())?;
        let rig = Self { disk, options, journal, tags };
        rig.settle(0);
        Ok((rig, recovery))
    }

    /// Another process on the same disk.
    pub(super) fn again(self) -> Self {
        let Self { disk, options, journal, .. } = self;
        drop(journal);
        Self::open(disk, options).0
    }

    /// The writer has done what it had to do and waits.
    fn settle(&self, beat: u64) {
        while self.journal.heartbeat() == beat {
            std::thread::yield_now();
        }
    }

    pub(super) fn append(&self, lane: Lane, records: Vec<NewRecord>) -> Result<Receipt, AppendError> {
        let mut records = records.into_iter();
        let mut batch = Batch::new(lane, Urgency::Now, records.next().unwrap());
        records.for_each(|record| batch.push(record));
        let beat = self.journal.heartbeat();
        let result = self.journal.append_wait(batch);
        self.settle(beat);
        result
    }

    pub(super) fn note(&self, at_hand: &[u8], on_file: &[u8], payload: Vec<u8>) -> Seq {
        self.append(Lane::Results, vec![tagged(NOTE, at_hand, on_file, payload)]).unwrap().first()
    }

    pub(super) fn index(&self) {
        while self.journal.index_step() {}
    }

    /// The payloads by number, the largest first, of all records that a walk shows with this term.
    pub(super) fn truth(&self, term: Term) -> Vec<(Seq, Vec<u8>)> {
        let mut all = BTreeMap::new();
        let inspector = Inspector::new(&self.disk, self.options.keys.as_ref()).unwrap();
        let _ = inspector
            .walk(&mut |commit| {
                let counts = !commit.void && commit.segment.lane == Lane::Results;
                let mine = commit.records.iter().filter(|record| counts && record.own().is_none());
                let mine = mine.filter(|record| TERMS.has(record, term));
                all.extend(mine.map(|record| (record.sequence, record.payload.to_vec())));
            })
            .unwrap();
        all.into_iter().rev().collect()
    }

    pub(super) fn found(&self, tag: u8, most: usize) -> (Vec<(Seq, Vec<u8>)>, bool, bool) {
        let Found { records, whole, more } = self.journal.find(at_hand(tag), most);
        (records.iter().map(|record| (record.sequence(), record.payload().to_vec())).collect(), whole, more)
    }

    /// Each tag finds what a walk shows, or says what differs.
    pub(super) fn compare(&self, tags: &[u8]) -> Result<usize, String> {
        let mut all = 0;
        for &tag in tags {
            let truth = self.truth(at_hand(tag));
            all += truth.len();
            for most in [usize::MAX, truth.len(), truth.len().saturating_sub(1), 2] {
                let expected = truth.iter().take(most).cloned().collect::<Vec<_>>();
                let (found, whole, more) = self.found(tag, most);
                let numbers = |list: &[(Seq, Vec<u8>)]| list.iter().map(|(seq, _)| seq.0).collect::<Vec<_>>();
                if found != expected || !whole || more != (truth.len() > most) {
                    let (found, expected) = (numbers(&found), numbers(&expected));
                    return Err(format!("tag {tag}, {most}: {found:?} {whole} {more}, not {expected:?}"));
                }
            }
        }
        Ok(all)
    }
}

pub(super) fn segments(disk: &ModelDisk) -> Vec<String> {
    disk.names().into_iter().filter(|name| name.starts_with("results-") && name.ends_with(".seg")).collect()
}

pub(super) fn sidecars(disk: &ModelDisk) -> Vec<String> {
    disk.names().into_iter().filter(|name| name.contains(".idx")).collect()
}

/// The same disk, to be changed.
pub(super) fn copy(disk: &ModelDisk) -> ModelDisk {
    disk.crash(disk.steps(), Crash::Kept)
}

/// Bytes of all files but those that the limit leaves out.
pub(super) fn bytes(disk: &ModelDisk) -> u64 {
    let counted = |name: &String| name != "journal.id" && name != "LOCK";
    disk.names().iter().filter(|name| counted(name)).map(|name| disk.bytes(name).unwrap().len() as u64).sum()
}
