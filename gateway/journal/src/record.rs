//! What goes into the journal and what comes out: sequences, lanes, kinds, records, batches and places.
//! Nothing here does IO. What a kind means and how its meta is encoded is the gateway's.

use crate::format::RECORD_HEADER;
use crate::sequence::Reserved;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Milliseconds since 1970-01-01T00:00:00Z, as the caller's clock told them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UnixMillis(pub u64);

/// The number of a record: unique in the life of a journal, and across journals that replaced one another, for
/// it starts at the Unix milliseconds of the journal's creation times 1,000.
///
/// Larger does not mean later: a reserved number is written when its record is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seq(pub u64);

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Which segments a batch goes to. Lanes share the sequence and the writer, not the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Lane {
    /// Everything that must never be dropped.
    Results,
    /// Periodic bedside values, which may be thinned when space runs out.
    Snapshots,
}

impl Lane {
    /// Both lanes, in the order of their numbers in the format.
    pub const ALL: [Self; 2] = [Self::Results, Self::Snapshots];

    /// The front of the lane's file names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Results => "results",
            Self::Snapshots => "snapshots",
        }
    }

    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Results => 0,
            Self::Snapshots => 1,
        }
    }

    pub(crate) const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Results),
            1 => Some(Self::Snapshots),
            _ => None,
        }
    }
}

/// What a record is. The journal carries every value, known to anybody or not; those from 0xFF00 on are its own, and nobody
/// is shown them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Kind(pub u16);

/// When a batch must be on flash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// In the very next commit: somebody waits for the receipt.
    Now,
    /// In the next commit of its lane that happens anyway, at most [`Options::soon`](crate::Options::soon) later; a quarter of that in
    /// *snapshots*, since no result's commit takes them along.
    Soon,
}

/// Where a record's number comes from.
#[derive(Debug)]
pub(crate) enum Number {
    /// It is drawn when the record is written.
    Drawn,
    /// It was reserved for this record.
    Reserved(Reserved),
    /// The record was written before, under this number, and its segment is given back.
    Carried(Seq),
}

/// A record to be written.
#[derive(Debug)]
pub struct NewRecord {
    pub(crate) kind: Kind,
    pub(crate) meta_version: u8,
    pub(crate) number: Number,
    pub(crate) meta: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

impl NewRecord {
    /// A record whose sequence is drawn when it is written.
    #[must_use]
    pub const fn new(kind: Kind, meta_version: u8, meta: Vec<u8>, payload: Vec<u8>) -> Self {
        Self { kind, meta_version, number: Number::Drawn, meta, payload }
    }

    /// As [`new`](Self::new), with the meta encoded as postcard.
    ///
    /// # Errors
    /// What the meta's own `Serialize` reports; there is no other reason.
    pub fn encode<M: Serialize + ?Sized>(
        kind: Kind,
        meta_version: u8,
        meta: &M,
        payload: Vec<u8>,
    ) -> Result<Self, postcard::Error> {
        Ok(Self::new(kind, meta_version, postcard::to_stdvec(meta)?, payload))
    }

    /// Gives the record a number that [`Journal::reserve`](crate::Journal::reserve) made. The number is used up.
    #[must_use]
    pub fn numbered(self, sequence: Reserved) -> Self {
        Self { number: Number::Reserved(sequence), ..self }
    }

    /// A copy of a record whose segment is given back.
    pub(crate) fn carried(record: &RecordRef<'_>) -> Self {
        Self {
            number: Number::Carried(record.sequence),
            ..Self::new(record.kind, record.meta_version, record.meta.to_vec(), record.payload.to_vec())
        }
    }

    /// The same record, to be written under its own number.
    pub(crate) fn again(record: &RecordRef<'_>) -> Self {
        let number = if record.carried { Number::Carried(record.sequence) } else { Number::Drawn };
        Self { number, ..Self::carried(record) }
    }

    /// As it will be read back.
    pub(crate) fn placed(&self, sequence: Seq, location: Location) -> RecordRef<'_> {
        RecordRef {
            sequence,
            kind: self.kind,
            meta_version: self.meta_version,
            meta: &self.meta,
            payload: &self.payload,
            location,
            carried: matches!(self.number, Number::Carried(_)),
        }
    }

    /// With a tag of so many bytes behind it.
    pub(crate) const fn encoded_len(&self, tag: usize) -> usize {
        RECORD_HEADER.saturating_add(self.meta.len()).saturating_add(self.payload.len()).saturating_add(tag)
    }
}

/// How much of the room a batch may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// What comes in: all but the last four segments.
    Intake,
    /// What becomes of what came in: all but the last two.
    Outcome,
    /// What settles something, and so makes room: all of it.
    Settling,
}

/// Records that are found together after a crash, or not at all. Never empty, always in one lane: lanes are
/// separate files, and no sync makes two files one.
#[derive(Debug)]
pub struct Batch {
    pub(crate) lane: Lane,
    pub(crate) urgency: Urgency,
    pub(crate) claim: Claim,
    pub(crate) time: Option<UnixMillis>,
    pub(crate) records: Vec<NewRecord>,
}

impl Batch {
    /// A batch of one record; [`push`](Self::push) adds more.
    #[must_use]
    pub fn new(lane: Lane, urgency: Urgency, first: NewRecord) -> Self {
        Self { lane, urgency, claim: Claim::Intake, time: None, records: vec![first] }
    }

    /// Adds a record behind the others.
    pub fn push(&mut self, record: NewRecord) {
        self.records.push(record);
    }

    /// Says how much of the room it may use; without it, [`Claim::Intake`].
    #[must_use]
    pub const fn claim(mut self, claim: Claim) -> Self {
        self.claim = claim;
        self
    }

    /// Says when this happened. Give it only while the clock is known to be good: the newest such time comes back
    /// at the next start ([`Recovery::newest_time`](crate::Recovery::newest_time)) as a lower bound for the clock.
    #[must_use]
    pub const fn at(mut self, time: UnixMillis) -> Self {
        self.time = Some(time);
        self
    }

    /// With a tag of so many bytes behind each record.
    pub(crate) fn encoded_len(&self, tag: usize) -> usize {
        self.records.iter().fold(0, |sum: usize, record| sum.saturating_add(record.encoded_len(tag)))
    }
}

/// Where a record is. Small, to be kept in RAM for everything unsettled. Reading checks it: a place that no
/// longer holds its record gives an error, never another record's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Location {
    pub(crate) lane: Lane,
    pub(crate) segment: u64,
    pub(crate) offset: u32,
    pub(crate) len: u32,
}

impl Location {
    /// The lane.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        self.lane
    }

    /// The number in the segment's file name.
    #[must_use]
    pub const fn segment(&self) -> u64 {
        self.segment
    }

    /// Bytes from the start of the file to the record's header.
    #[must_use]
    pub const fn offset(&self) -> u32 {
        self.offset
    }

    /// Bytes of the record with its header.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Never true: a record has a header.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// A record of the journal, borrowed from the buffer it was read into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordRef<'a> {
    /// Its number.
    pub sequence: Seq,
    /// What it is.
    pub kind: Kind,
    /// Which form of that kind's meta this is.
    pub meta_version: u8,
    /// The meta, postcard by convention.
    pub meta: &'a [u8],
    /// The payload.
    pub payload: &'a [u8],
    /// Where it is, for [`Journal::read`](crate::Journal::read).
    pub location: Location,
    /// It is a copy: its first place was in a segment that has been given back.
    pub carried: bool,
}

impl<'a> RecordRef<'a> {
    /// The meta as a value.
    ///
    /// # Errors
    /// The meta is not a postcard `M`. Look at `kind` and `meta_version` first.
    pub fn decode<M: Deserialize<'a>>(&self) -> Result<M, postcard::Error> {
        postcard::from_bytes(self.meta)
    }
}

/// A record that was read back; it owns its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub(crate) bytes: Vec<u8>,
    pub(crate) location: Location,
    pub(crate) sequence: Seq,
    pub(crate) kind: Kind,
    pub(crate) meta_version: u8,
    pub(crate) meta_len: usize,
    pub(crate) carried: bool,
}

impl Record {
    /// Its number.
    #[must_use]
    pub const fn sequence(&self) -> Seq {
        self.sequence
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.as_ref().payload
    }

    /// The borrowed form, as [`Journal::open`](crate::Journal::open) gives it.
    #[must_use]
    pub fn as_ref(&self) -> RecordRef<'_> {
        let body = self.bytes.get(RECORD_HEADER..).unwrap_or_default();
        let (meta, payload) = body.split_at_checked(self.meta_len).unwrap_or((&[], &[]));
        RecordRef {
            sequence: self.sequence,
            kind: self.kind,
            meta_version: self.meta_version,
            meta,
            payload,
            location: self.location,
            carried: self.carried,
        }
    }
}
