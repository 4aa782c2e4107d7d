//! What the journal asks of the one who knows what records mean.
//!
//! The keeper is a fold over the log: it is shown every batch in the order of the log, at a start and while running, and
//! is asked questions only between commits, on the writer's thread. So each answer belongs to an exact point of the log.

use crate::index::Term;
use crate::record::{Lane, Location, RecordRef};

/// The fold behind a journal.
pub trait Keeper: Send + Sync + 'static {
    /// These records are on flash, one batch of them (at a start: one commit), and this is the first that anybody hears of
    /// it. A record with [`carried`](RecordRef::carried) is a copy: the record of that sequence is now at this place, and
    /// nothing else has changed. When it is not known, both checkpoints that knew it are damaged: it is not to be acted on
    /// without a person, for nobody knows what became of it.
    fn seen(&self, batch: &[RecordRef<'_>]);

    /// The fold as bytes, so that a start need not read the whole log.
    fn checkpoint(&self) -> Vec<u8>;

    /// The reverse, before anything was [`seen`](Self::seen). `false` when these bytes are of another version: then the
    /// keeper must be as it was, and every record that there is will be shown.
    fn restore(&self, checkpoint: &[u8]) -> bool;

    /// Places in this segment whose records are needed still: what is unsettled, and kinds that the keeper does not know.
    /// They are copied before the segment is given back.
    fn needed_in(&self, lane: Lane, segment: u64) -> Vec<Location>;

    /// Bytes of all records that are needed, about.
    fn needed_bytes(&self) -> u64;

    /// A segment of the lane *snapshots* is dropped with all that was in it, needed or not.
    fn thinned(&self, segment: u64);

    /// The version of [`terms`](Self::terms); 0 when there are none, and then nothing is indexed. With another version what
    /// was indexed before is read again.
    fn terms_version(&self) -> u32 {
        0
    }

    /// What a record of *results* is found by. It depends on the record and on nothing else. Several threads ask, the writer's
    /// among them.
    fn terms(&self, _record: &RecordRef<'_>, _found_by: &mut dyn FnMut(Term)) {}
}

/// Nothing is needed, nothing is remembered: for those who only read or only append.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Nobody;

impl Keeper for Nobody {
    fn seen(&self, _: &[RecordRef<'_>]) {}

    fn checkpoint(&self) -> Vec<u8> {
        Vec::new()
    }

    fn restore(&self, _: &[u8]) -> bool {
        false
    }

    fn needed_in(&self, _: Lane, _: u64) -> Vec<Location> {
        Vec::new()
    }

    fn needed_bytes(&self) -> u64 {
        0
    }

    fn thinned(&self, _: u64) {}
}
