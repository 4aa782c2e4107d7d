//! The proof that a batch is on flash. This file is small on purpose: whoever reviews promise 1 reads it whole.

use crate::record::{Location, Seq};

/// Proof that a batch is on flash: the journal makes one after `fdatasync` returned without an error, and nobody
/// else can make one.
///
/// It has no public constructor:
/// ```compile_fail,E0451
/// let forged = orugate_journal::Receipt { sequences: vec![], locations: vec![] };
/// ```
/// It cannot be copied, so one synced batch is one acknowledgment:
/// ```compile_fail,E0277
/// fn twice<T: Clone>(_: T) {}
/// fn forge(receipt: orugate_journal::Receipt) { twice(receipt) }
/// ```
/// Nor is there a default to start from:
/// ```compile_fail,E0277
/// fn empty<T: Default>() -> T { T::default() }
/// let forged: orugate_journal::Receipt = empty();
/// ```
#[derive(Debug)]
#[must_use = "a receipt is what an acknowledgment is made from"]
pub struct Receipt {
    sequences: Vec<Seq>,
    locations: Vec<Location>,
}

impl Receipt {
    /// Called from one place, the commit, behind a successful sync. Both lists are as long as the batch.
    pub(crate) const fn after_sync(sequences: Vec<Seq>, locations: Vec<Location>) -> Self {
        Self { sequences, locations }
    }

    /// The number of the first record of the batch.
    #[must_use]
    pub fn first(&self) -> Seq {
        self.sequences.first().copied().unwrap_or(Seq(0))
    }

    /// The number of the last record of the batch.
    #[must_use]
    pub fn last(&self) -> Seq {
        self.sequences.last().copied().unwrap_or(Seq(0))
    }

    /// The numbers of the records, in the order of the batch. They need not be contiguous.
    #[must_use]
    pub fn sequences(&self) -> &[Seq] {
        &self.sequences
    }

    /// The places of the records, in the order of the batch.
    #[must_use]
    pub fn locations(&self) -> &[Location] {
        &self.locations
    }
}
