//! Sealing: records that only a holder of the key can read. A key never leaves this module: each segment has a
//! subkey of its own, and a record is bound to its place, so no two records are ever sealed alike.
//!
//! It keeps what is in records from whoever takes the flash away. It is no proof against somebody who can write to
//! the files and run the gateway: commits can be taken away, segments that are not sealed
//! added, and headers are open.

use crate::error::{DiskError, NoKey, OpenError, ReadError};
use crate::format::{RECORD_HEADER, RawRecord, SegmentHeader, segment_name};
use crate::ring::RingHeader;
#[cfg(feature = "aws-lc-rs")]
use aws_lc_rs as crypto;
use crypto::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use crypto::error::Unspecified;
use crypto::hkdf::{HKDF_SHA256, KeyType, Salt};
use crypto::rand::{SecureRandom as _, SystemRandom};
#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
use ring as crypto;
use std::fmt;
use std::io;
use std::sync::Arc;
use zeroize::Zeroizing;

#[cfg(not(any(feature = "aws-lc-rs", feature = "ring")))]
compile_error!("sealing needs a crypto library: build with feature `aws-lc-rs` (the default) or `ring`");

/// What sealing adds to a record: the tag behind its payload.
pub(crate) const TAG: usize = 16;
const SEGMENT_INFO: &[u8] = b"orugate journal segment 1";
const RING_INFO: &[u8] = b"orugate journal capture 1";
const SIDECAR_INFO: &[u8] = b"orugate journal index 1";
const ID_INFO: &[u8] = b"orugate journal key id";
/// Where a record's checksum is; it is 0 when the header is authenticated.
const CRC: std::ops::Range<usize> = 4..8;

/// Which key it is; says nothing about the key itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub(crate) [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A key of 256 random bits. It is wiped from memory when it is dropped, and never shown.
pub struct SealKey {
    bytes: Zeroizing<[u8; 32]>,
    id: KeyId,
}

impl SealKey {
    /// `None` when the crypto library cannot work at all.
    #[must_use]
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Option<Self> {
        let mut id = [0; 8];
        let root = Salt::new(HKDF_SHA256, &[]).extract(&*bytes);
        root.expand(&[ID_INFO], IdLen).and_then(|id_of| id_of.fill(&mut id)).ok()?;
        Some(Self { bytes, id: KeyId(id) })
    }

    /// Bytes for a new key, from the operating system's generator once that is ready. `None` when it has none.
    #[must_use]
    pub fn random_bytes() -> Option<Zeroizing<[u8; 32]>> {
        let mut bytes = Zeroizing::new([0; 32]);
        SystemRandom::new().fill(&mut *bytes).ok()?;
        Some(bytes)
    }

    /// Which one it is.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The keys of a journal: one for new segments, any number for what was written before. Clones share them.
#[derive(Clone, Debug)]
pub struct KeyRing {
    keys: Arc<[SealKey]>,
}

impl KeyRing {
    /// New segments are sealed with `current`; those of `previous` only read.
    #[must_use]
    pub fn new(current: SealKey, previous: Vec<SealKey>) -> Self {
        Self { keys: std::iter::once(current).chain(previous).collect() }
    }

    /// Which keys it has, that of new segments first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys.iter().map(SealKey::id)
    }
}

/// The same keys in the same order.
impl PartialEq for KeyRing {
    fn eq(&self, other: &Self) -> bool {
        self.ids().eq(other.ids())
    }
}

impl Eq for KeyRing {}

/// The key of one segment, or of one writing of its sidecar.
pub(crate) struct SegmentKey(LessSafeKey);

impl SegmentKey {
    fn derive(key: &SealKey, salt: &[u8; 16], info: [&[u8]; 2]) -> Result<Self, Unspecified> {
        let root = Salt::new(HKDF_SHA256, salt).extract(&*key.bytes);
        Ok(Self(LessSafeKey::new(UnboundKey::from(root.expand(&info, &AES_256_GCM)?))))
    }

    /// The key of a sidecar by its own salt, for one message. `None`: that key is not there, or the library refuses.
    pub(crate) fn of_sidecar(
        id: KeyId,
        keys: Option<&KeyRing>,
        salt: &[u8; 16],
        journal: &[u8; 16],
    ) -> Option<Self> {
        let key = keys?.keys.iter().find(|key| key.id == id)?;
        Self::derive(key, salt, [SIDECAR_INFO, journal]).ok()
    }

    /// Seals the one message that this key is for, tag included.
    pub(crate) fn seal_whole(&self, header: &[u8], body: &mut Vec<u8>) -> Result<(), Sealing> {
        self.0.seal_in_place_append_tag(nonce(0), Aad::from(header), body).map_err(|Unspecified| Sealing)
    }

    /// The reverse: takes the tag off. `None`: the key does not fit, or a byte is not what was sealed.
    pub(crate) fn open_whole(&self, header: &[u8], body: &mut Vec<u8>) -> Option<()> {
        let len = self.0.open_in_place(nonce(0), Aad::from(header), body).ok()?.len();
        body.truncate(len);
        Some(())
    }

    /// Seals the record that `record` ends with, whose checksum is still 0: encrypts what is behind its header and
    /// appends the tag. `offset` is where the record will be in its segment, and nothing else ever was or will be.
    pub(crate) fn seal(&self, offset: u32, buffer: &mut Vec<u8>, start: usize) -> Result<(), Sealing> {
        let record = buffer.get_mut(start..).unwrap_or_default();
        let (header, body) = record.split_at_mut_checked(RECORD_HEADER).ok_or(Sealing)?;
        let tag = self.0.seal_in_place_separate_tag(nonce(offset), Aad::from(&*header), body);
        buffer.extend_from_slice(tag.map_err(|Unspecified| Sealing)?.as_ref());
        Ok(())
    }

    /// Decrypts a stored record in place; then its tag is still behind its payload. False: the key does not fit, or
    /// a byte is not what was sealed.
    pub(crate) fn open(&self, offset: u32, record: &mut [u8]) -> bool {
        let Some((header, body)) = record.split_first_chunk_mut::<RECORD_HEADER>() else { return false };
        let mut authenticated = *header;
        crate::bytes::put(&mut authenticated, CRC.start, &[0; CRC.end - CRC.start]);
        self.0.open_in_place(nonce(offset), Aad::from(&authenticated), body).is_ok()
    }

    /// [`open`](Self::open) for all records of a commit, the first of which is at `offset`.
    pub(crate) fn open_all(&self, mut offset: u32, mut records: &mut [u8]) -> bool {
        while let Some(len) = RawRecord::parse(records).map(|record| record.len) {
            let Some((record, rest)) = records.split_at_mut_checked(len) else { return false };
            if !self.open(offset, record) {
                return false;
            }
            offset = offset.saturating_add(u32::try_from(len).unwrap_or(u32::MAX));
            records = rest;
        }
        records.is_empty()
    }
}

/// The crypto library refused. It does so for inputs of many gigabytes only.
#[derive(Debug)]
pub(crate) struct Sealing;

impl From<Sealing> for io::Error {
    fn from(_: Sealing) -> Self {
        Self::other("the crypto library refused to seal a record")
    }
}

/// Why a segment's key is not to be had.
pub(crate) enum KeyError {
    NoKey(NoKey),
    Library(DiskError),
}

impl From<KeyError> for OpenError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::NoKey(no_key) => Self::NoKey(no_key),
            KeyError::Library(error) => Self::Disk(error),
        }
    }
}

impl From<KeyError> for ReadError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::NoKey(no_key) => Self::NoKey(no_key),
            KeyError::Library(error) => Self::Disk(error),
        }
    }
}

/// The key of a segment by its header; `None` for one that is not sealed.
pub(crate) fn key_of(header: &SegmentHeader, keys: Option<&KeyRing>) -> Result<Option<SegmentKey>, KeyError> {
    let Some(wanted) = header.key else { return Ok(None) };
    let key = held(keys, wanted, || segment_name(header.lane, header.segment))?;
    derive(key, header).map(Some).map_err(KeyError::Library)
}

/// The key of this id, which this file needs.
fn held(keys: Option<&KeyRing>, wanted: KeyId, file: impl FnOnce() -> String) -> Result<&SealKey, KeyError> {
    let all = keys.map_or(&[][..], |ring| &*ring.keys);
    all.iter().find(|key| key.id == wanted).ok_or_else(|| {
        let given = all.iter().map(SealKey::id).collect();
        KeyError::NoKey(NoKey { file: file(), wanted, given })
    })
}

/// The key of a part of a ring's file by its header; `None` for one that is not sealed.
pub(crate) fn key_of_ring(
    file: &str,
    header: &RingHeader,
    keys: Option<&KeyRing>,
) -> Result<Option<SegmentKey>, KeyError> {
    let Some(wanted) = header.key else { return Ok(None) };
    let key = held(keys, wanted, || file.to_owned())?;
    derive_ring(key, header).map(Some).map_err(KeyError::Library)
}

/// Marks the header of a new part of a ring as sealed with the ring's current key, and gives the part's key.
pub(crate) fn seal_new_ring(
    header: &mut RingHeader,
    keys: Option<&KeyRing>,
) -> Result<Option<SegmentKey>, DiskError> {
    let Some(key) = keys.and_then(|ring| ring.keys.first()) else { return Ok(None) };
    header.key = Some(key.id);
    derive_ring(key, header).map(Some)
}

fn derive_ring(key: &SealKey, header: &RingHeader) -> Result<SegmentKey, DiskError> {
    SegmentKey::derive(key, &header.salt, [RING_INFO, &header.journal]).map_err(|Unspecified| {
        DiskError::new("deriving the key of a capture", io::Error::other("the crypto library refused"))
    })
}

/// Marks a new segment's header as sealed with the ring's current key, and gives the segment's key.
pub(crate) fn seal_new(
    header: &mut SegmentHeader,
    keys: Option<&KeyRing>,
) -> Result<Option<SegmentKey>, DiskError> {
    let Some(key) = keys.and_then(|ring| ring.keys.first()) else { return Ok(None) };
    header.key = Some(key.id);
    derive(key, header).map(Some)
}

fn derive(key: &SealKey, header: &SegmentHeader) -> Result<SegmentKey, DiskError> {
    SegmentKey::derive(key, &header.salt, [SEGMENT_INFO, &header.journal]).map_err(|Unspecified| {
        let doing = format!("deriving the key of {}", segment_name(header.lane, header.segment));
        DiskError::new(doing, io::Error::other("the crypto library refused"))
    })
}

fn nonce(offset: u32) -> Nonce {
    let mut nonce = [0; 12];
    crate::bytes::put(&mut nonce, 4, &u64::from(offset).to_le_bytes());
    Nonce::assume_unique_for_key(nonce)
}

struct IdLen;

impl KeyType for IdLen {
    fn len(&self) -> usize {
        8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Position, Seed};
    use crate::record::{Kind, Lane, NewRecord, Seq};

    const OFFSET: u32 = 8256;

    fn counting<const N: usize>(from: u8) -> [u8; N] {
        std::array::from_fn(|index| from + index as u8)
    }

    fn key() -> SealKey {
        SealKey::new(Zeroizing::new(counting(0))).unwrap()
    }

    fn segment() -> SegmentHeader {
        SegmentHeader::new(Lane::Results, 1, counting(0xa0), counting(0xc0), 1 << 20)
    }

    fn vector() -> Vec<u8> {
        let ring = KeyRing::new(key(), vec![]);
        let mut header = segment();
        let key = seal_new(&mut header, Some(&ring)).unwrap().unwrap();
        let record = NewRecord::new(Kind(7), 1, vec![1, 2, 3], b"sodium 140".to_vec());
        let mut bytes = Vec::new();
        let position = Position { first: true, last: true };
        let seed = Seed::new(&header.salt);
        RawRecord::write(&mut bytes, seed, Seq(42), &record, position, Some((&key, OFFSET))).unwrap();
        assert!(RawRecord::is_intact(&bytes, seed));
        bytes
    }

    /// The numbers came from another program, written from FORMAT.md with its own AES.
    #[test]
    fn the_worked_example_in_the_format_is_right() {
        let format = include_str!("../FORMAT.md");
        let example = format.split("### A worked example").nth(1).unwrap();
        let row = |name: &str| {
            let row = example.lines().find(|line| line.starts_with(&format!("| {name} |"))).unwrap();
            row.split('`').nth(1).unwrap().replace(' ', "")
        };
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let bytes = vector();
        assert_eq!(hex(&counting::<32>(0)), row("key"));
        assert_eq!(hex(&segment().salt), row("salt"));
        assert_eq!(hex(&segment().journal), row("journal"));
        assert_eq!(key().id().to_string(), row("key id"));
        assert_eq!(OFFSET.to_string(), row("offset"));
        assert_eq!(hex(&bytes), row("record"));
    }

    #[test]
    fn a_sealed_record_opens_in_its_place_only_and_every_flipped_byte_shows() {
        let segment_key =
            SegmentKey::derive(&key(), &segment().salt, [SEGMENT_INFO, &segment().journal]).unwrap();
        let opened = |change: &dyn Fn(&mut Vec<u8>), offset: u32| {
            let mut bytes = vector();
            change(&mut bytes);
            segment_key.open(offset, &mut bytes).then_some(bytes)
        };
        let bytes = opened(&|_| {}, OFFSET).unwrap();
        let record = RawRecord::parse(&bytes).unwrap().without_tag(TAG);
        assert_eq!((record.meta, record.payload), (&[1, 2, 3][..], &b"sodium 140"[..]));
        assert_eq!(opened(&|_| {}, OFFSET + 8), None);
        for at in (0..vector().len()).filter(|at| !CRC.contains(at)) {
            assert_eq!(opened(&|bytes| bytes[at] ^= 1, OFFSET), None, "byte {at}");
        }
        for cut in 0..vector().len() {
            assert_eq!(opened(&|bytes| bytes.truncate(cut), OFFSET), None, "cut at {cut}");
        }
    }

    #[test]
    fn each_of_key_salt_and_journal_makes_another_subkey() {
        let (salt, journal) = (segment().salt, segment().journal);
        let other = SealKey::new(Zeroizing::new(counting(1))).unwrap();
        let opens = |key: &SealKey, salt, journal| {
            SegmentKey::derive(key, salt, [SEGMENT_INFO, journal]).unwrap().open(OFFSET, &mut vector())
        };
        assert!(opens(&key(), &salt, &journal));
        assert!(!opens(&other, &salt, &journal));
        assert!(!opens(&key(), &journal, &journal));
        assert!(!opens(&key(), &salt, &salt));
        assert_ne!(key().id(), other.id());
    }

    #[test]
    fn a_segment_without_sealing_has_nothing_of_it() {
        let mut header = segment();
        assert!(seal_new(&mut header, None).unwrap().is_none());
        let page = header.encode();
        assert!(page[13..16].iter().chain(&page[64..4092]).all(|byte| *byte == 0));
    }
}
