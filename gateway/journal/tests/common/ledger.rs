//! A keeper as simple as one can be: items that are open until something closes them.

use orugate_journal::{Keeper, Kind, Lane, Location, NewRecord, RecordRef, Seq};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// An item; open until it is closed.
pub(crate) const ITEM: Kind = Kind(1);
/// Closes the item whose number is its payload.
pub(crate) const CLOSE: Kind = Kind(2);

pub(crate) fn item(bytes: &[u8]) -> NewRecord {
    NewRecord::new(ITEM, 1, vec![], bytes.to_vec())
}

pub(crate) fn close(item: Seq) -> NewRecord {
    NewRecord::new(CLOSE, 1, vec![], item.0.to_le_bytes().to_vec())
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Open {
    /// Open items.
    pub(crate) items: BTreeMap<Seq, Location>,
    /// Items ever seen, copies not counted.
    pub(crate) seen: u64,
    /// Copies of items that nobody knew.
    pub(crate) unknown: u64,
    /// Items that were closed, though they were not open.
    pub(crate) closed_twice: u64,
    pub(crate) thinned: Vec<u64>,
    /// Items that were open in a segment of *snapshots* when it was dropped.
    pub(crate) gone: BTreeSet<Seq>,
    /// Records that came from the log, not from a checkpoint.
    pub(crate) shown: u64,
    pub(crate) copies: u64,
}

fn padding(len: u16) -> Vec<u8> {
    (0..len).map(|at| (at ^ (at >> 7)) as u8).collect()
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    open: Mutex<Open>,
    refuses: bool,
    /// Bytes that its checkpoints are longer than they need be, so that one commit does not take them.
    padding: u16,
}

impl Ledger {
    /// One that understands no checkpoint.
    pub(crate) fn refusing() -> Self {
        Self { refuses: true, ..Self::default() }
    }

    pub(crate) fn padded(padding: u16) -> Self {
        Self { padding, ..Self::default() }
    }

    pub(crate) fn open(&self) -> Open {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn with<T>(&self, work: impl FnOnce(&mut Open) -> T) -> T {
        work(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Keeper for Ledger {
    fn seen(&self, batch: &[RecordRef<'_>]) {
        self.with(|open| {
            for record in batch {
                open.shown += 1;
                open.copies += u64::from(record.carried);
                match record.kind {
                    ITEM if record.carried => match open.items.get_mut(&record.sequence) {
                        Some(place) => *place = record.location,
                        None => open.unknown += 1,
                    },
                    ITEM => {
                        open.seen += 1;
                        open.items.insert(record.sequence, record.location);
                    }
                    CLOSE => {
                        let number = Seq(u64::from_le_bytes(record.payload.try_into().unwrap()));
                        let known = open.items.remove(&number).is_some() || open.gone.contains(&number);
                        open.closed_twice += u64::from(!known);
                    }
                    _ => {}
                }
            }
        });
    }

    fn checkpoint(&self) -> Vec<u8> {
        let padding = padding(self.padding);
        self.with(|open| postcard::to_stdvec(&(open.seen, &open.items, &open.gone, padding)).unwrap())
    }

    fn restore(&self, checkpoint: &[u8]) -> bool {
        let Ok((seen, items, gone, padded)) = postcard::from_bytes::<(_, _, _, Vec<u8>)>(checkpoint) else {
            return false;
        };
        assert_eq!(padded, padding(padded.len() as u16));
        if self.refuses {
            return false;
        }
        self.with(|open| *open = Open { seen, items, gone, ..Open::default() });
        true
    }

    fn needed_in(&self, lane: Lane, segment: u64) -> Vec<Location> {
        self.with(|open| {
            let places = open.items.values().copied();
            places.filter(|at| at.lane() == lane && at.segment() == segment).collect()
        })
    }

    fn needed_bytes(&self) -> u64 {
        self.with(|open| open.items.values().map(|at| u64::from(at.len())).sum())
    }

    fn thinned(&self, segment: u64) {
        self.with(|open| {
            let is_in = |at: &Location| at.lane() == Lane::Snapshots && at.segment() == segment;
            open.gone.extend(open.items.iter().filter(|(_, at)| is_in(at)).map(|(number, _)| *number));
            open.items.retain(|_, at| !is_in(at));
            open.thinned.push(segment);
        });
    }
}
