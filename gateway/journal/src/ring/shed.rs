//! Room for results: rings go when the disk is full.

use super::read::files_of;
use crate::storage::Storage;
use std::collections::BTreeMap;

/// Takes files of rings away until so many bytes are free, each time the oldest of the ring that takes the most: one busy
/// line should not cost the others their past. Whoever writes to one of them learns it by its next sync. The bytes that came free.
///
/// Needs no lock of the writer's: a file is cut to nothing before it is removed, so that its room is free although it is open.
pub(crate) fn shed(storage: &dyn Storage, journal: [u8; 16], wanted: u64) -> u64 {
    let Ok(files) = files_of(storage, journal) else { return 0 };
    let mut rings: BTreeMap<String, Vec<(u64, String)>> = BTreeMap::new();
    for file in files.into_iter().rev() {
        rings.entry(file.name).or_default().push((file.bytes, file.file));
    }
    let mut freed = 0_u64;
    while freed < wanted {
        let size = |ring: &Vec<(u64, String)>| ring.iter().map(|(bytes, _)| *bytes).sum::<u64>();
        let Some(largest) = rings.values_mut().max_by_key(|ring| size(ring)) else { break };
        let Some((bytes, file)) = largest.pop() else { break };
        let cut = storage.open(&file).and_then(|open| open.trim(0));
        if storage.remove(&file).is_ok() || cut.is_ok() {
            freed = freed.saturating_add(bytes);
        }
        rings.retain(|_, ring| !ring.is_empty());
    }
    if freed > 0 {
        // The names go with the next sync if not with this one; the room is there either way.
        let _ = storage.sync_dir();
    }
    freed
}
