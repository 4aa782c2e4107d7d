//! The entries of a segment to which nobody appends any more, from its records.
//!
//! Whether the last commit of a segment counts is said by the lane's next commit, wherever that is; so the scan goes on into
//! the segments behind until it has come to one. It is the scan of a start, and what that passes over is not in the index.

use super::entries::Entries;
use super::term::Terms;
use crate::error::OpenError;
use crate::format::segment_name;
use crate::record::Lane;
use crate::recover::{Damage, DamageKind, Recovery, records};
use crate::scan::{LaneScan, Place};
use std::collections::VecDeque;

/// What was found in a segment.
pub(crate) struct Built {
    /// Sorted.
    pub(crate) entries: Entries,
    /// Damage that may hide records of it.
    pub(crate) damaged: Vec<Damage>,
    /// The terms of each record could be told.
    pub(crate) told: bool,
}

/// Reads the first of these segments of *results*; the others are all that are behind it. `None`: it is not there any more.
pub(crate) fn build(
    place: Place<'_>,
    segments: VecDeque<u64>,
    terms: &Terms<'_>,
) -> Result<Option<Built>, OpenError> {
    let Some(&segment) = segments.front() else { return Ok(None) };
    let mut scan = LaneScan::new(place, Lane::Results, segments).watching();
    let mut recovery = Recovery::default();
    let (mut entries, mut told, mut to_next) = (Entries::default(), true, 0);
    while let Some((found, void)) = scan.next_or_void(&mut recovery)? {
        if found.segment != segment {
            break;
        }
        // Told when the commit behind this one was looked at, and no later.
        to_next = recovery.damaged.len();
        if !void {
            told &= entries.add(&records(&found, Lane::Results, &scan.body), terms);
        }
    }
    if scan.watch.is_some_and(|watch| watch.gone.contains(&segment)) {
        return Ok(None);
    }
    entries.sort();
    let name = segment_name(Lane::Results, segment);
    let hides = |(at, damage): (usize, Damage)| match damage.kind {
        DamageKind::HeaderCopy => None,
        // The first commit behind the segment says that its end is missing.
        DamageKind::MissingBefore | DamageKind::Emptied if at < to_next => Some(damage),
        _ => (damage.file == name).then_some(damage),
    };
    let damaged = recovery.damaged.into_iter().enumerate().filter_map(hides).collect();
    Ok(Some(Built { entries, damaged, told }))
}
