//! Reading rings: beside their writer or in a copy, without a lock, and nothing is written.

use super::header::RingHeader;
use super::{LONGEST, PIECES, PIECES_VERSION, parse_ring_name, ring_name};
use crate::bytes::all_zero;
use crate::error::{DiskError, OpenError};
use crate::format::{PAGE_LEN, RawRecord, Seed, checked_page, page_up};
use crate::identity;
use crate::record::UnixMillis;
use crate::seal::{KeyId, KeyRing, SegmentKey, TAG, key_of_ring};
use crate::storage::{Storage, StorageFile, read_exact};
use std::io::ErrorKind;

/// A file of a ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RingFile {
    /// Its name in the journal's folder.
    pub file: String,
    /// Files of a ring in ascending order of their numbers are in the order of writing.
    pub number: u64,
    /// Whose.
    pub name: String,
    /// Bytes that it takes.
    pub bytes: u64,
    /// When it was begun; `None`: the clock was not set.
    pub begun: Option<UnixMillis>,
    /// The key that its first part is sealed with.
    pub key: Option<KeyId>,
}

/// What a walk came by, in the order of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read<'a> {
    /// A record: its meta and its payload.
    Record(&'a [u8], &'a [u8]),
    /// Bytes in this file at this place are not what was written.
    Damaged(&'a RingFile, u64),
}

/// The files of all rings, in ascending order of their numbers. What has no readable header, or another journal's, is not there.
///
/// # Errors
/// There is no journal, or the disk.
pub fn ring_files(storage: &dyn Storage) -> Result<Vec<RingFile>, OpenError> {
    let journal = identity::load(storage)?.identity.journal;
    files_of(storage, journal).map_err(OpenError::Disk)
}

/// The numbers of all files that are named as a ring's are, in ascending order.
pub(super) fn numbers(storage: &dyn Storage) -> Result<Vec<u64>, DiskError> {
    let names = storage.list().map_err(|error| DiskError::new("listing the journal's directory", error))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| parse_ring_name(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Whether a file is of nobody: its header page is neither whole nor a later format's. A crash while it was made leaves such a one.
pub(super) fn is_nobodys(storage: &dyn Storage, number: u64) -> bool {
    let mut page = [0; PAGE_LEN];
    let read = storage.open(&ring_name(number)).and_then(|file| read_exact(&*file, &mut page, 0));
    match read {
        Ok(()) => checked_page(&page).is_none(),
        Err(error) => error.kind() == ErrorKind::UnexpectedEof,
    }
}

pub(super) fn files_of(storage: &dyn Storage, journal: [u8; 16]) -> Result<Vec<RingFile>, DiskError> {
    let numbers = numbers(storage)?;
    let mut files = Vec::with_capacity(numbers.len());
    for number in numbers {
        let file = ring_name(number);
        let Ok(open) = storage.open(&file) else { continue };
        let mut page = [0; PAGE_LEN];
        let (Ok(bytes), Ok(())) = (open.size(), read_exact(&*open, &mut page, 0)) else { continue };
        let Some(header) = RingHeader::parse(&page) else { continue };
        if header.number != number || header.journal != journal {
            continue;
        }
        let begun = Some(UnixMillis(header.begun)).filter(|at| at.0 > 0);
        files.push(RingFile { file, number, name: header.name, bytes, begun, key: header.key });
    }
    Ok(files)
}

/// Shows what is in some rings' files, as [`ring_files`] gave them. One that went meanwhile is passed over.
///
/// # Errors
/// The key of a part is not there; the disk.
pub fn walk_rings(
    storage: &dyn Storage,
    keys: Option<&KeyRing>,
    files: &[RingFile],
    visit: &mut dyn FnMut(Read<'_>),
) -> Result<(), OpenError> {
    let journal = identity::load(storage)?.identity.journal;
    for file in files {
        let Some(mut bytes) = whole(storage, &file.file)? else { continue };
        for part in parts(&bytes, file.number, journal) {
            let key = key_of_ring(&file.file, &part.header, keys)?;
            for spot in part.spots {
                match spot {
                    Spot::Damaged(at) => visit(Read::Damaged(file, at as u64)),
                    Spot::Record(at, len) => {
                        let end = at.saturating_add(len);
                        let Some(record) = bytes.get_mut(at..end) else { continue };
                        show(record, at, key.as_ref(), file, visit);
                    }
                }
            }
        }
    }
    Ok(())
}

fn show(
    record: &mut [u8],
    at: usize,
    key: Option<&SegmentKey>,
    file: &RingFile,
    visit: &mut dyn FnMut(Read<'_>),
) {
    let offset = u32::try_from(at).unwrap_or(u32::MAX);
    let opened = key.is_none_or(|key| key.open(offset, record));
    let tag = if key.is_some() { TAG } else { 0 };
    match RawRecord::parse(record).filter(|_| opened).map(|record| record.without_tag(tag)) {
        Some(record) if record.kind == PIECES && record.meta_version == PIECES_VERSION => {
            visit(Read::Record(record.meta, record.payload));
        }
        // Of a later version.
        Some(_) => {}
        None => visit(Read::Damaged(file, at as u64)),
    }
}

/// All of a file; `None`: it is not there any more.
pub(super) fn whole(storage: &dyn Storage, file: &str) -> Result<Option<Vec<u8>>, DiskError> {
    let reading = |error| DiskError::new(format!("reading {file}"), error);
    let open = match storage.open(file) {
        Ok(open) => open,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(reading(error)),
    };
    read_all(&*open).map(Some).map_err(reading)
}

/// As far as it reads: it may be cut meanwhile.
fn read_all(file: &dyn StorageFile) -> std::io::Result<Vec<u8>> {
    let size = usize::try_from(file.size()?).unwrap_or(usize::MAX);
    let mut bytes = vec![0; size];
    let mut at = 0_usize;
    while let Some(rest) = bytes.get_mut(at..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at as u64) {
            Ok(0) => break,
            Ok(count) => at = at.saturating_add(count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(at);
    Ok(bytes)
}

/// A part of a file: a header page and what one process wrote behind it.
pub(super) struct PartOf {
    pub(super) header: RingHeader,
    pub(super) spots: Vec<Spot>,
    /// Behind its last intact record, or its header page.
    pub(super) end: usize,
}

pub(super) enum Spot {
    /// Where, and how long.
    Record(usize, usize),
    Damaged(usize),
}

/// The parts of a file, by checksums alone. What no record follows is no damage: it was never written, or a crash cut it off.
pub(super) fn parts(bytes: &[u8], number: u64, journal: [u8; 16]) -> Vec<PartOf> {
    let mut parts = Vec::new();
    let mut at = next_header(bytes, 0, number, journal);
    while let Some((start, header)) = at {
        at = next_header(bytes, start.saturating_add(PAGE_LEN), number, journal);
        let limit = at.as_ref().map_or(bytes.len(), |(next, _)| *next);
        parts.push(part(bytes.get(..limit).unwrap_or(bytes), start, header));
    }
    parts
}

fn part(bytes: &[u8], start: usize, header: RingHeader) -> PartOf {
    let seed = Seed::new(&header.salt);
    let mut spots = Vec::new();
    let mut end = start.saturating_add(PAGE_LEN);
    loop {
        if let Some(len) = record_at(bytes, end, seed) {
            spots.push(Spot::Record(end, len));
            end = end.saturating_add(len);
            continue;
        }
        // The next intact one, if any: what is between is not what was written.
        let rest = bytes.get(end..).unwrap_or_default();
        if all_zero(rest) {
            break;
        }
        let next = (end.saturating_add(1)..bytes.len()).find(|at| record_at(bytes, *at, seed).is_some());
        let Some(next) = next else { break };
        spots.push(Spot::Damaged(end));
        end = next;
    }
    PartOf { header, spots, end }
}

/// The length of the intact record at this place.
fn record_at(bytes: &[u8], at: usize, seed: Seed) -> Option<usize> {
    let rest = bytes.get(at..)?;
    // Cheap before dear: this is asked at every byte behind a damage.
    let [low, high] = PIECES.0.to_le_bytes();
    if rest.get(8..11)? != [low, high, PIECES_VERSION] {
        return None;
    }
    let record = RawRecord::parse(rest).filter(|record| record.len <= LONGEST)?;
    RawRecord::is_intact(rest.get(..record.len)?, seed).then_some(record.len)
}

fn next_header(bytes: &[u8], from: usize, number: u64, journal: [u8; 16]) -> Option<(usize, RingHeader)> {
    let from = usize::try_from(page_up(from as u64)).unwrap_or(usize::MAX);
    (from..bytes.len()).step_by(PAGE_LEN).find_map(|at| {
        let header = RingHeader::parse(bytes.get(at..at.saturating_add(PAGE_LEN))?)?;
        (header.number == number && header.journal == journal).then_some((at, header))
    })
}
