//! The bytes: segment header, commit header, record. `FORMAT.md` says the same for whoever writes another reader.
//! Checked views only; no IO, and nothing here decides what damage means.

use crate::bytes::{Fields, put};
use crate::record::{Kind, Lane, Location, Number, RecordRef, Seq};
use crate::seal::{KeyId, Sealing, SegmentKey, TAG};
use crc32c::{crc32c, crc32c_append};

/// Everything starts on such a boundary.
pub(crate) const PAGE: u32 = 4096;
pub(crate) const PAGE_LEN: usize = 4096;
/// Two copies of the header page come before the first commit.
pub(crate) const SEGMENT_START: u32 = 2 * PAGE;
pub(crate) const COMMIT_HEADER: u32 = 64;
pub(crate) const COMMIT_HEADER_LEN: usize = 64;
pub(crate) const RECORD_HEADER: usize = 24;

/// The format that this version writes, and the newest that it reads.
pub(crate) const FORMAT: u16 = 1;
/// The oldest reader that may open what this version writes.
const OLDEST_READER: u16 = 1;

/// Byte 13 of a segment whose records are sealed with AES-256-GCM.
const SEALED: u8 = 1;

const SEGMENT_MAGIC: [u8; 8] = *b"ORUGATES";
const COMMIT_MAGIC: [u8; 4] = *b"OGCT";
/// The commit was written to an earlier segment already, whose sync failed.
const COMMIT_RETRY: u16 = 1;
/// First and last record of a batch. Written so that a later reader can salvage whole batches from a damaged
/// commit; nothing reads them yet.
const RECORD_FIRST: u8 = 1;
const RECORD_LAST: u8 = 2;
/// The record was written before, in a segment that is given back.
const RECORD_CARRIED: u8 = 4;
/// Segment header: the file held another segment before, so what is behind the last commit need not be zeros.
const SEGMENT_REUSED: u8 = 1;

/// Kinds from here on are the journal's own.
pub(crate) const FIRST_OWN_KIND: u16 = 0xff00;
/// A part of a checkpoint.
pub(crate) const CHECKPOINT: Kind = Kind(0xffff);
/// A segment is given back.
pub(crate) const FREED: Kind = Kind(0xfffe);

const PAGE_CRC: usize = PAGE_LEN - 4;

pub(crate) fn segment_name(lane: Lane, segment: u64) -> String {
    format!("{}-{segment:016x}.seg", lane.name())
}

/// The inverse of [`segment_name`], strictly: sixteen lower-case digits.
pub(crate) fn parse_segment_name(name: &str) -> Option<(Lane, u64)> {
    let stem = name.strip_suffix(".seg")?;
    let (lane, digits) = stem.rsplit_once('-')?;
    let lane = Lane::ALL.into_iter().find(|known| known.name() == lane)?;
    let segment = u64::from_str_radix(digits, 16).ok()?;
    (segment_name(lane, segment) == name).then_some((lane, segment))
}

/// The next page boundary at or after `offset`.
pub(crate) const fn page_up(offset: u64) -> u64 {
    offset.next_multiple_of(PAGE as u64)
}

/// Closes a header page: its last four bytes are the checksum of the rest.
pub(crate) fn finish_page(page: &mut [u8; PAGE_LEN]) {
    let crc = page.get(..PAGE_CRC).map_or(0, crc32c);
    put(page, PAGE_CRC, &crc.to_le_bytes());
}

/// A header page without its checksum, if that is right.
pub(crate) fn checked_page(page: &[u8]) -> Option<&[u8]> {
    let (body, crc) = page.get(..PAGE_LEN)?.split_at_checked(PAGE_CRC)?;
    (crc == crc32c(body).to_le_bytes()).then_some(body)
}

/// What every checksum in a segment starts from, so that bytes of another segment never pass for this one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed(u32);

impl Seed {
    pub(crate) fn new(salt: &[u8; 16]) -> Self {
        Self(crc32c(salt))
    }

    fn over(self, bytes: &[u8]) -> u32 {
        crc32c_append(self.0, bytes)
    }
}

/// The first two pages of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) oldest_reader: u16,
    pub(crate) lane: Lane,
    pub(crate) segment: u64,
    pub(crate) salt: [u8; 16],
    pub(crate) journal: [u8; 16],
    pub(crate) size: u32,
    /// The file held another segment before.
    pub(crate) reused: bool,
    /// The key that its records are sealed with; `None` when they are not.
    pub(crate) key: Option<KeyId>,
}

impl SegmentHeader {
    pub(crate) const fn new(lane: Lane, segment: u64, salt: [u8; 16], journal: [u8; 16], size: u32) -> Self {
        Self { oldest_reader: OLDEST_READER, lane, segment, salt, journal, size, reused: false, key: None }
    }

    pub(crate) fn encode(&self) -> [u8; PAGE_LEN] {
        let mut page = [0; PAGE_LEN];
        put(&mut page, 0, &SEGMENT_MAGIC);
        put(&mut page, 8, &FORMAT.to_le_bytes());
        put(&mut page, 10, &self.oldest_reader.to_le_bytes());
        put(&mut page, 12, &[self.lane.code()]);
        put(&mut page, 16, &self.salt);
        put(&mut page, 32, &self.segment.to_le_bytes());
        put(&mut page, 40, &self.size.to_le_bytes());
        put(&mut page, 44, &[if self.reused { SEGMENT_REUSED } else { 0 }]);
        put(&mut page, 48, &self.journal);
        if let Some(key) = self.key {
            put(&mut page, 13, &[SEALED]);
            put(&mut page, 64, &key.0);
        }
        finish_page(&mut page);
        page
    }

    /// `None`: not a header page, or a damaged one. A page of a newer format parses; look at `oldest_reader`.
    pub(crate) fn parse(page: &[u8]) -> Option<Self> {
        let mut fields = Fields(checked_page(page)?);
        if fields.array()? != SEGMENT_MAGIC {
            return None;
        }
        let _format = fields.u16()?;
        let oldest_reader = fields.u16()?;
        let lane = Lane::from_code(fields.u8()?)?;
        let sealed = fields.u8()?;
        fields.bytes(2)?;
        let salt = fields.array()?;
        let segment = fields.u64()?;
        let size = fields.u32()?;
        let reused = fields.u8()? & SEGMENT_REUSED != 0;
        fields.bytes(3)?;
        let journal = fields.array()?;
        let key = match sealed {
            0 => None,
            SEALED => Some(KeyId(fields.array()?)),
            // Only a format that this one must not read says so; who opens the segment looks at `oldest_reader` first.
            _ if oldest_reader > FORMAT => None,
            _ => return None,
        };
        Some(Self { oldest_reader, lane, segment, salt, journal, size, reused, key })
    }
}

/// The first 64 bytes of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CommitHeader {
    /// Drawn from the sequence: orders commits across lanes, survives a retry unchanged.
    pub(crate) number: u64,
    /// The last acknowledged commit of this lane before this one; 0 when there was none.
    pub(crate) previous: u64,
    /// Every sequence below this has been given away.
    pub(crate) next_sequence: u64,
    /// The newest trusted time given so far in milliseconds, 0 for none.
    pub(crate) newest_time: u64,
    pub(crate) body_len: u32,
    pub(crate) records: u32,
    pub(crate) body_crc: u32,
    pub(crate) retry: bool,
}

impl CommitHeader {
    /// `buffer` starts with 64 free bytes and holds the records behind them; `page` is the commit's own place.
    pub(crate) fn write(mut self, buffer: &mut [u8], seed: Seed, page: u32) {
        self.body_crc = buffer.get(COMMIT_HEADER_LEN..).map_or(0, |body| seed.over(body));
        put(buffer, 0, &COMMIT_MAGIC);
        put(buffer, 8, &self.number.to_le_bytes());
        put(buffer, 16, &self.previous.to_le_bytes());
        put(buffer, 24, &self.next_sequence.to_le_bytes());
        put(buffer, 32, &self.newest_time.to_le_bytes());
        put(buffer, 40, &self.body_len.to_le_bytes());
        put(buffer, 44, &self.records.to_le_bytes());
        put(buffer, 48, &self.body_crc.to_le_bytes());
        put(buffer, 52, &page.to_le_bytes());
        put(buffer, 56, &(if self.retry { COMMIT_RETRY } else { 0 }).to_le_bytes());
        let crc = buffer.get(8..COMMIT_HEADER_LEN).map_or(0, |fields| seed.over(fields));
        put(buffer, 4, &crc.to_le_bytes());
    }

    /// `None`: no commit of this segment starts at this page.
    pub(crate) fn parse(bytes: &[u8], seed: Seed, page: u32) -> Option<Self> {
        let mut fields = Fields(bytes.get(..COMMIT_HEADER_LEN)?);
        if fields.array()? != COMMIT_MAGIC || fields.u32()? != seed.over(fields.0) {
            return None;
        }
        let number = fields.u64()?;
        let previous = fields.u64()?;
        let next_sequence = fields.u64()?;
        let newest_time = fields.u64()?;
        let body_len = fields.u32()?;
        let records = fields.u32()?;
        let body_crc = fields.u32()?;
        let own_page = fields.u32()?;
        let retry = fields.u16()? & COMMIT_RETRY != 0;
        (own_page == page).then_some(Self {
            number,
            previous,
            next_sequence,
            newest_time,
            body_len,
            records,
            body_crc,
            retry,
        })
    }

    /// Whether `body` is what was committed: its bytes, and as many whole records as were counted.
    pub(crate) fn matches(&self, body: &[u8], seed: Seed) -> bool {
        if seed.over(body) != self.body_crc {
            return false;
        }
        let mut rest = body;
        for _ in 0..self.records {
            let Some(tail) = RawRecord::parse(rest).and_then(|record| rest.get(record.len..)) else {
                return false;
            };
            rest = tail;
        }
        rest.is_empty()
    }
}

/// A record's place within its batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    pub(crate) first: bool,
    pub(crate) last: bool,
}

/// A record as it lies in a commit, lengths checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawRecord<'a> {
    pub(crate) len: usize,
    pub(crate) kind: Kind,
    pub(crate) meta_version: u8,
    pub(crate) sequence: Seq,
    pub(crate) meta: &'a [u8],
    pub(crate) payload: &'a [u8],
    pub(crate) carried: bool,
}

impl<'a> RawRecord<'a> {
    pub(crate) fn write(
        buffer: &mut Vec<u8>,
        seed: Seed,
        sequence: Seq,
        record: &crate::record::NewRecord,
        position: Position,
        // With the place that the record will have in the segment.
        seal: Option<(&SegmentKey, u32)>,
    ) -> Result<(), Sealing> {
        let start = buffer.len();
        let tag = if seal.is_some() { TAG } else { 0 };
        // Both fit: the batch was checked against `max_commit`, a u32.
        let len = u32::try_from(record.encoded_len(tag)).unwrap_or(u32::MAX);
        let meta_len = u32::try_from(record.meta.len()).unwrap_or(u32::MAX);
        let flag = |set, flag| if set { flag } else { 0 };
        let flags = flag(position.first, RECORD_FIRST)
            | flag(position.last, RECORD_LAST)
            | flag(matches!(record.number, Number::Carried(_)), RECORD_CARRIED);
        buffer.extend_from_slice(&len.to_le_bytes());
        buffer.extend_from_slice(&[0; 4]);
        buffer.extend_from_slice(&record.kind.0.to_le_bytes());
        buffer.extend_from_slice(&[record.meta_version, flags]);
        buffer.extend_from_slice(&sequence.0.to_le_bytes());
        buffer.extend_from_slice(&meta_len.to_le_bytes());
        buffer.extend_from_slice(&record.meta);
        buffer.extend_from_slice(&record.payload);
        if let Some((key, offset)) = seal {
            key.seal(offset, buffer, start)?;
        }
        let crc = buffer.get(start..).and_then(|bytes| record_crc(bytes, seed)).unwrap_or(0);
        put(buffer, start.saturating_add(4), &crc.to_le_bytes());
        Ok(())
    }

    /// The record at the front of `bytes`. Its checksum is not looked at. Of a sealed segment, what follows the meta
    /// is the payload and its tag: see [`without_tag`](Self::without_tag).
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let len = usize::try_from(fields.u32()?).ok()?;
        let mut fields = Fields(bytes.get(8..len)?);
        let kind = Kind(fields.u16()?);
        let meta_version = fields.u8()?;
        let carried = fields.u8()? & RECORD_CARRIED != 0;
        let sequence = Seq(fields.u64()?);
        let meta_len = usize::try_from(fields.u32()?).ok()?;
        let meta = fields.bytes(meta_len)?;
        Some(Self { len, kind, meta_version, sequence, meta, payload: fields.0, carried })
    }

    /// Where the record at the front of `bytes` is in its batch.
    pub(crate) fn position(bytes: &[u8]) -> Option<Position> {
        let flags = *bytes.get(11)?;
        Some(Position { first: flags & RECORD_FIRST != 0, last: flags & RECORD_LAST != 0 })
    }

    /// The record with a tag of `tag` bytes taken off its payload, which [`SegmentKey::open`] has found right.
    pub(crate) fn without_tag(self, tag: usize) -> Self {
        let end = self.payload.len().saturating_sub(tag);
        Self { payload: self.payload.get(..end).unwrap_or_default(), ..self }
    }

    /// Whether the record that fills `bytes` is intact.
    pub(crate) fn is_intact(bytes: &[u8], seed: Seed) -> bool {
        let stored = bytes.get(4..8);
        stored.is_some()
            && stored == record_crc(bytes, seed).map(u32::to_le_bytes).as_ref().map(|crc| &crc[..])
    }

    pub(crate) const fn placed(self, location: Location) -> RecordRef<'a> {
        RecordRef {
            sequence: self.sequence,
            kind: self.kind,
            meta_version: self.meta_version,
            meta: self.meta,
            payload: self.payload,
            location,
            carried: self.carried,
        }
    }
}

/// Over everything but the checksum itself, the length included.
fn record_crc(bytes: &[u8], seed: Seed) -> Option<u32> {
    let len = bytes.get(..4)?;
    let rest = bytes.get(8..)?;
    Some(crc32c_append(seed.over(len), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::NewRecord;

    #[test]
    fn segment_names_are_strict() {
        let name = segment_name(Lane::Snapshots, 0x1f);
        assert_eq!(name, "snapshots-000000000000001f.seg");
        assert_eq!(parse_segment_name(&name), Some((Lane::Snapshots, 0x1f)));
        for wrong in
            ["results-1f.seg", "results-000000000000001F.seg", "results-000000000000001f", "LOCK", "x-0.seg"]
        {
            assert_eq!(parse_segment_name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_segment_header_reads_back_and_every_flipped_byte_shows() {
        let mut header = SegmentHeader::new(Lane::Snapshots, 77, [3; 16], [4; 16], 1 << 20);
        assert_eq!(SegmentHeader::parse(&header.encode()).as_ref(), Some(&header));
        header.key = Some(KeyId([5; 8]));
        let page = header.encode();
        assert_eq!(SegmentHeader::parse(&page), Some(header));
        for at in 0..PAGE_LEN {
            let mut bad = page;
            bad[at] ^= 0x10;
            assert_eq!(SegmentHeader::parse(&bad), None, "byte {at}");
        }
    }

    #[test]
    fn a_commit_header_belongs_to_one_salt_and_one_page() {
        let header = CommitHeader {
            number: 9,
            previous: 8,
            next_sequence: 10,
            newest_time: 0,
            body_len: 0,
            records: 0,
            body_crc: 0,
            retry: true,
        };
        let seed = Seed::new(&[1; 16]);
        let mut bytes = [0; 64];
        header.write(&mut bytes, seed, 2);
        let read = CommitHeader::parse(&bytes, seed, 2).unwrap();
        assert!(read.retry && read.number == 9 && read.matches(&[], seed));
        assert!(CommitHeader::parse(&bytes, seed, 3).is_none());
        assert!(CommitHeader::parse(&bytes, Seed::new(&[2; 16]), 2).is_none());
    }

    #[test]
    fn a_record_reads_back_and_every_flipped_byte_shows() {
        let seed = Seed::new(&[1; 16]);
        let record = NewRecord::new(Kind(0xfffe), 7, vec![1, 2, 3], b"payload".to_vec());
        let mut bytes = Vec::new();
        let position = Position { first: true, last: true };
        RawRecord::write(&mut bytes, seed, Seq(42), &record, position, None).unwrap();
        let read = RawRecord::parse(&bytes).unwrap();
        assert_eq!((read.kind, read.meta_version, read.sequence), (Kind(0xfffe), 7, Seq(42)));
        assert_eq!((read.meta, read.payload, read.len), (&[1, 2, 3][..], &b"payload"[..], 34));
        assert!(RawRecord::is_intact(&bytes, seed));
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert!(!RawRecord::is_intact(&bad, seed), "byte {at}");
        }
        for cut in 0..bytes.len() {
            assert!(RawRecord::parse(&bytes[..cut]).is_none(), "cut at {cut}");
        }
    }
}
