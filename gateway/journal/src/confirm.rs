//! The last commit of a lane, at a start. Its sync may have failed twice and its process been killed: then only the page
//! cache has it, a sync now succeeds and proves nothing, and yet whoever is shown it acts on it. So it is written once more,
//! to a segment of this process, before anybody is shown it. A commit that a later one of its lane, or a checkpoint, names as
//! synced needs no such care.

use crate::catalog::{Catalog, Segment};
use crate::error::{DiskError, OpenError};
use crate::format::{COMMIT_HEADER_LEN, CommitHeader, PAGE, PAGE_LEN, Position, RawRecord, segment_name};
use crate::options::Options;
use crate::record::{Lane, NewRecord};
use crate::recover::{Recovery, records};
use crate::ring;
use crate::room::first_segment_size;
use crate::scan::{Entered, Found, Place, Step, Walk};
use crate::segment::Active;
use crate::storage::{Storage, write_all};
use std::collections::VecDeque;
use std::io;

/// Segments that a start leaves alone, so that what settles something has a place.
const LEFT_ALONE: u64 = 1;

/// The last whole commit in these segments, with its records, unless what is left of a later one says that it does not count.
pub(crate) fn last_commit(
    place: Place<'_>,
    lane: Lane,
    segments: &VecDeque<u64>,
) -> Result<Option<(Found, Vec<u8>)>, OpenError> {
    // Headers of commits that have lost their records.
    let mut behind: Vec<CommitHeader> = Vec::new();
    for &number in segments.iter().rev() {
        let name = segment_name(lane, number);
        let failed = |error| DiskError::new(format!("opening {name}"), error);
        let file = place.storage.open(&name).map_err(failed)?;
        let len = file.size().map_err(failed)?;
        let Entered::Segment(mut walk) = Walk::enter(file, len, place, lane, number)? else {
            continue;
        };
        let (mut last, mut body) = (None, Vec::new());
        // What is damaged here is reported when it is read in earnest.
        while let Some(step) = walk.step(&mut body, &mut Recovery::default()) {
            match step {
                step if place.is_beyond(step.header()) => {}
                Step::Whole(found) => last = Some((found, std::mem::take(&mut body))),
                Step::Hollow(_) => behind.push(*step.header()),
            }
        }
        if let Some((found, body)) = last {
            let later = behind.iter().filter(|header| header.number > found.header.number);
            let next = later.min_by_key(|header| header.number);
            let void = next.is_some_and(|next| next.previous < found.header.number);
            return Ok((!void).then_some((found, body)));
        }
    }
    Ok(None)
}

/// Writes a commit again, under its number, as the first one of a new segment. Without room or a disk that obeys it stays
/// where it is: a start must not fail for what may be where it should be.
pub(crate) fn write_again(
    storage: &dyn Storage,
    options: &Options,
    catalog: &mut Catalog,
    journal: [u8; 16],
    lane: Lane,
    segment: u64,
    (found, body): (&Found, &[u8]),
) -> Option<Active> {
    let records: Vec<_> = records(found, lane, body)
        .iter()
        .map(|record| {
            let flags = record
                .location
                .offset
                .checked_sub(found.body_at)
                .and_then(|at| RawRecord::position(body.get(usize::try_from(at).ok()?..)?));
            (record.sequence, NewRecord::again(record), flags.unwrap_or(Position { first: true, last: true }))
        })
        .collect();
    let tag = options.tag();
    let needed = records
        .iter()
        .fold(COMMIT_HEADER_LEN, |sum, (_, record, _)| sum.saturating_add(record.encoded_len(tag)));
    let size = first_segment_size(needed, options);
    let left = u64::from(options.segment_size).saturating_mul(LEFT_ALONE);
    let reuse = catalog.take_free(storage, size.into());
    let more = if reuse.is_some() { 0 } else { u64::from(size) };
    let has_room = |taken: u64| taken.saturating_add(more).saturating_add(left) <= options.max_size;
    // Sidecars are no reason to leave it: they can be made again.
    if !has_room(catalog.total()) && has_room(catalog.without_sidecars()) {
        catalog.drop_sidecars(storage);
    }
    if !has_room(catalog.total()) {
        catalog.put_free(reuse, size.into());
        return None;
    }
    let keys = options.keys.as_ref();
    let create = |reuse: Option<&str>| Active::create(storage, lane, segment, journal, size, keys, reuse);
    let mut active = create(reuse.as_deref())
        .or_else(|error| {
            // As with every other segment: captures are worth less.
            let freed = if error.is_full() { ring::shed(storage, journal, size.into()) } else { 0 };
            if freed > 0 { create(None) } else { Err(error) }
        })
        .ok()?;
    let mut buffer = vec![0; COMMIT_HEADER_LEN];
    let mut written = Ok(());
    for (sequence, record, position) in &records {
        let at = active.offset.saturating_add(u32::try_from(buffer.len()).unwrap_or(u32::MAX));
        let seal = active.key.as_ref().map(|key| (key, at));
        written = written.and_then(|()| {
            RawRecord::write(&mut buffer, active.seed, *sequence, record, *position, seal)
                .map_err(io::Error::from)
        });
    }
    let body_len = u32::try_from(buffer.len().saturating_sub(COMMIT_HEADER_LEN)).unwrap_or(u32::MAX);
    let header = CommitHeader { body_len, retry: true, ..found.header };
    header.write(&mut buffer, active.seed, active.offset / PAGE);
    buffer.resize(buffer.len().next_multiple_of(PAGE_LEN), 0);
    let written = written
        .and_then(|()| write_all(&*active.file, &buffer, active.offset.into()))
        .and_then(|()| active.file.sync_data());
    if written.is_err() {
        let _ = storage.remove(&segment_name(lane, segment));
        return None;
    }
    active.offset = active.offset.saturating_add(u32::try_from(buffer.len()).unwrap_or(u32::MAX));
    catalog.add(lane, Segment::new(segment, size.into()));
    Some(active)
}
