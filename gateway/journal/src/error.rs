//! What can go wrong, and whose fault it is. Errors are clonable, since one failed sync fails many batches.

use crate::record::{Lane, Location};
use crate::seal::KeyId;
use std::fmt;
use std::io;
use std::sync::Arc;

/// An IO error with what was being done; cheap to clone.
#[derive(Debug, Clone)]
pub struct DiskError {
    doing: String,
    error: Arc<io::Error>,
}

impl DiskError {
    pub(crate) fn new(doing: impl Into<String>, error: io::Error) -> Self {
        Self { doing: doing.into(), error: Arc::new(error) }
    }

    /// What the operating system said.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.error.kind()
    }

    /// Whether the file system, its quota or the device is full.
    pub(crate) fn is_full(&self) -> bool {
        matches!(
            self.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        )
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.doing, self.error)
    }
}

impl std::error::Error for DiskError {}

/// Why a batch got no receipt.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum AppendError {
    /// No space: the limit is reached or the disk is full. Nothing of the batch was written.
    Full,
    /// Too much waits for the writer. Nothing of the batch was written; tell the instrument "busy".
    Busy,
    /// The batch is larger than one commit may be (bytes). Nothing of it was written.
    TooLarge {
        /// Size of the batch.
        size: usize,
        /// Size allowed.
        limit: usize,
    },
    /// The disk failed, twice. The batch may or may not be found at the next start; its sequences are used up.
    Failed(DiskError),
    /// The writer is gone. Nothing is known about the batch.
    Stopped,
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the journal is full"),
            Self::Busy => f.write_str("too many batches wait for the journal"),
            Self::TooLarge { size, limit } => write!(f, "a batch of {size} bytes; a commit holds {limit}"),
            Self::Failed(error) => write!(f, "the disk failed twice: {error}"),
            Self::Stopped => f.write_str("the journal's writer has stopped"),
        }
    }
}

impl std::error::Error for AppendError {}

/// Why no journal was made.
#[derive(Debug)]
#[non_exhaustive]
pub enum CreateError {
    /// There is one (or what is left of one) already. A journal is created once; this names what was found.
    Exists(String),
    /// The clock shows a time before 2025-01-01; sequences start from it, so it must be right first.
    ClockUnset(u64),
    /// It was written but could not be started.
    Open(OpenError),
    /// The disk failed.
    Disk(DiskError),
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists(what) => {
                write!(f, "refusing to create a journal over an existing one: {what} is here")
            }
            Self::ClockUnset(now) => {
                write!(f, "the clock is not set ({now} ms since 1970): a journal's numbers start from it")
            }
            Self::Open(error) => write!(f, "{error}"),
            Self::Disk(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for CreateError {}

/// A segment is sealed with a key that was not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoKey {
    /// The segment's file.
    pub file: String,
    /// Its key.
    pub wanted: KeyId,
    /// The keys that were given, that of new segments first.
    pub given: Vec<KeyId>,
}

impl fmt::Display for NoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is sealed with the key {}, and ", self.file, self.wanted)?;
        match self.given.split_first() {
            None => f.write_str("no key was given; give that key")?,
            Some((first, rest)) => {
                write!(f, "the keys given are {first}")?;
                rest.iter().try_for_each(|id| write!(f, ", {id}"))?;
                f.write_str("; give that key among the previous ones")?;
            }
        }
        f.write_str(". Nothing was lost; without it nothing can be read")
    }
}

impl std::error::Error for NoKey {}

/// Why a journal was not opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// No journal here. It is never made by accident: that would start an empty history.
    Missing,
    /// Another process has it open.
    Locked,
    /// Both copies of the identity page are unreadable.
    IdentityDamaged,
    /// A newer version wrote this file in a format that this version must not read.
    TooNew {
        /// The file.
        file: String,
        /// The oldest format version that a reader must know.
        needs: u16,
    },
    /// A segment's key was not given.
    NoKey(NoKey),
    /// The options contradict themselves.
    Options(&'static str),
    /// The disk failed or the rights are wrong.
    Disk(DiskError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no journal here; create one deliberately"),
            Self::Locked => f.write_str("another process has the journal open (it holds the lock on LOCK)"),
            Self::IdentityDamaged => f.write_str("both copies of the identity in journal.id are damaged"),
            Self::TooNew { file, needs } => {
                write!(f, "{file} needs a reader of format {needs}, this is {}", crate::format::FORMAT)
            }
            Self::NoKey(no_key) => write!(f, "{no_key}"),
            Self::Options(what) => f.write_str(what),
            Self::Disk(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<DiskError> for OpenError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

/// Why a record could not be read back.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// There is no such segment (any more).
    NoSegment(Lane, u64),
    /// The bytes at this place are not a record of this segment, or their checksum is wrong.
    Damaged(Location),
    /// The record's checksum is right, and yet the segment's key does not open it.
    Seal(Location),
    /// The segment's key was not given.
    NoKey(NoKey),
    /// The disk failed.
    Disk(DiskError),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSegment(lane, segment) => {
                write!(f, "no segment {}", crate::format::segment_name(*lane, *segment))
            }
            Self::Damaged(at) => {
                let file = crate::format::segment_name(at.lane, at.segment);
                write!(f, "no intact record of {} bytes in {file} at {}", at.len, at.offset)
            }
            Self::Seal(at) => {
                let file = crate::format::segment_name(at.lane, at.segment);
                write!(
                    f,
                    "the record in {file} at {} has the right checksum, and its key does not open it",
                    at.offset
                )
            }
            Self::NoKey(no_key) => write!(f, "{no_key}"),
            Self::Disk(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for ReadError {}

/// Why no sequences were reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReserveError {
    /// More than [`Journal::MAX_RESERVE`](crate::Journal::MAX_RESERVE) at once.
    TooMany,
    /// The durable ceiling is reached; the writer raises it. Only a failing disk or a flood gets here.
    Exhausted,
}

impl fmt::Display for ReserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooMany => "too many sequences at once",
            Self::Exhausted => "the durable ceiling of the sequence is reached",
        })
    }
}

impl std::error::Error for ReserveError {}
