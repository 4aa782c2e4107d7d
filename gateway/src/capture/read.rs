//! Captures as somebody sees them who only looks: beside the running service, or in a copy.

use super::entry::{Block, Entry};
use crate::archive::{Journal, LookError};
use orugate_journal::{Read, RingFile, ring_files, walk_rings};
use orugate_protocol::time::ClockQuality;
use std::collections::BTreeMap;

/// A ring as a list shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ring {
    /// Bytes on flash.
    pub bytes: u64,
    /// Bytes from and to the instrument, and other entries.
    pub counts: [u64; 3],
    /// When the first and the last entry were, microseconds since 1970, of those whose clock was set.
    pub first: Option<i64>,
    /// The last.
    pub last: Option<i64>,
    /// Places that could not be read.
    pub damaged: u64,
}

/// All rings of a journal, by instrument.
///
/// # Errors
/// The folder, or a key is not there.
pub fn list(journal: &Journal) -> Result<BTreeMap<String, Ring>, LookError> {
    let files = files(journal)?;
    let mut rings: BTreeMap<String, Ring> = BTreeMap::new();
    for file in &files {
        let ring = rings.entry(file.name.clone()).or_default();
        ring.bytes = ring.bytes.saturating_add(file.bytes);
        ring.damaged += walk(journal, std::slice::from_ref(file), &mut |entry| {
            let [came, went, rest] = &mut ring.counts;
            match entry.what {
                super::What::In => *came += entry.bytes.len() as u64,
                super::What::Out => *went += entry.bytes.len() as u64,
                _ => *rest += 1,
            }
            if entry.clock != ClockQuality::Unset {
                ring.first.get_or_insert(entry.at.0);
                ring.last = Some(entry.at.0);
            }
        })?;
    }
    Ok(rings)
}

/// The instruments that something was captured of.
///
/// # Errors
/// The folder.
pub fn names(journal: &Journal) -> Result<Vec<String>, LookError> {
    let mut names: Vec<String> = files(journal)?.into_iter().map(|file| file.name).collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// What is in the ring of one instrument, in the order in which it happened. The places that could not be read.
///
/// # Errors
/// The folder, or a key is not there.
pub fn entries(journal: &Journal, name: &str, visit: &mut dyn FnMut(Entry)) -> Result<u64, LookError> {
    let mut files = files(journal)?;
    files.retain(|file| file.name == name);
    walk(journal, &files, visit)
}

fn files(journal: &Journal) -> Result<Vec<RingFile>, LookError> {
    ring_files(journal.storage()).map_err(|error| LookError::Journal(journal.folder().to_owned(), error))
}

fn walk(journal: &Journal, files: &[RingFile], visit: &mut dyn FnMut(Entry)) -> Result<u64, LookError> {
    let mut damaged = 0;
    let keys = journal.keys();
    walk_rings(journal.storage(), keys.as_ref(), files, &mut |read| match read {
        Read::Record(meta, body) => match Block::entries(meta, body) {
            Some(entries) => entries.into_iter().for_each(&mut *visit),
            None => damaged += 1,
        },
        Read::Damaged(..) => damaged += 1,
    })
    .map_err(|error| LookError::Journal(journal.folder().to_owned(), error))?;
    Ok(damaged)
}
