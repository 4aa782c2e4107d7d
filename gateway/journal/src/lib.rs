//! The log that an acknowledgment stands on.
//!
//! What this crate promises:
//! - A [`Receipt`] exists only for records that a successful `fdatasync` put on flash. It cannot be built or
//!   copied elsewhere, so an ACK made from one is true.
//! - A [`Batch`] is found whole after a crash, or not at all.
//! - A sequence is given once in the life of a journal, crashes included ([`Journal::reserve`] says how).
//! - Nothing that was synced is written again as long as anybody needs it, and nothing is dropped silently: what cannot be
//!   read is in [`Recovery::damaged`] with its file and offset.
//! - A full journal goes on: segments are given back oldest first, never before what a [`Keeper`] needs of them is copied, and
//!   their files are used again. Two checkpoints are kept, so that a start reads little and may lose one.
//! - With [`Options::keys`], nothing that a record holds is on flash in the clear; without the right key a journal is not
//!   opened, rather than opened without what it holds.
//! - [`copy`] makes a copy beside the running writer, and an [`Unfinished`] one never opens. Its numbers can be put above those
//!   that its journal gave later ([`Survey::ceiling_at`]).
//! - What a [`Keeper`] wants to find again by a [`Term`] is found without reading the log, once the index is filled. Sidecars
//!   keep that short; they are derived, and nothing is ever believed of them that a record does not say itself.
//! - An [`Inspector`] sees all of that without the lock and without writing, beside the running writer or in a copy.
//! - [`Rings`] beside the lanes keep what is worth less than results, sealed like them, and go first where the disk is full.
//!
//! What it leaves out: what a record means. Kinds and metas are the gateway's; a kind that nobody knows is a
//! record like any other. There is no clock here either: times come as arguments.
//!
//! ```
//! use orugate_journal::{Batch, Journal, Kind, Lane, NewRecord, Options, Urgency, UnixMillis, model::ModelDisk};
//!
//! let journal = Journal::create(ModelDisk::new(), UnixMillis(1_760_000_000_000), Options::default())?;
//! let record = NewRecord::new(Kind(1), 0, vec![], b"H|\\^&|||...".to_vec());
//! let receipt = journal.append_wait(Batch::new(Lane::Results, Urgency::Now, record))?;
//! assert_eq!(journal.read(receipt.locations()[0])?.payload(), b"H|\\^&|||...");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

mod bytes;
mod catalog;
mod checkpoint;
mod commit;
mod confirm;
mod copy;
mod counted;
mod error;
mod expected;
mod format;
mod identity;
mod index;
mod inspect;
mod journal;
mod keeper;
pub mod model;
mod options;
mod readonly;
mod receipt;
mod record;
mod recover;
mod ring;
mod room;
mod scan;
mod seal;
mod segment;
mod sequence;
pub mod storage;
mod survey;
mod unfinished;
mod writer;

pub use copy::{Copied, CopyError, copy};
pub use error::{AppendError, CreateError, DiskError, NoKey, OpenError, ReadError, ReserveError};
pub use identity::Identity;
pub use index::{Found, Indexed, Term, Terms, TermsOf};
pub use inspect::{Around, Commit, Gathered, Inspected, Inspector, Own, SegmentFile, Spot};
pub use journal::{Health, Journal, Space};
pub use keeper::Keeper;
pub use options::Options;
pub use readonly::ReadOnly;
pub use receipt::Receipt;
pub use record::{
    Batch, Claim, Kind, Lane, Location, NewRecord, Record, RecordRef, Seq, UnixMillis, Urgency,
};
pub use recover::{Damage, DamageKind, Recovery};
pub use ring::{Now, Read, RingFile, Rings, ring_files, walk_rings};
pub use seal::{KeyId, KeyRing, SealKey};
pub use sequence::{Reservation, Reserved};
pub use storage::{FileStorage, Storage, StorageFile};
pub use survey::Survey;
pub use unfinished::{Unfinished, clear, finish, is_unfinished};
