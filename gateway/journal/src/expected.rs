//! What the newest whole checkpoint knows of, and what of that is not there any more: segments, and the last commits of a
//! lane. Promises that nothing is called lost that a record says was given back, and that files are looked at once more
//! before they are. Leaves out what came after the checkpoint: that the newest segments are gone, the log cannot tell.

use crate::catalog::{Freed, Segment};
use crate::checkpoint::Head;
use crate::format::{SEGMENT_START, segment_name};
use crate::record::Lane;
use crate::recover::{Damage, DamageKind, Recovery};
use crate::scan::{Entered, Holds, LaneScan, Place, Walk};
use crate::sequence::LEAP;
use std::collections::BTreeSet;

/// A journal beside its newest whole checkpoint.
pub(crate) struct Expected<'a> {
    pub(crate) place: Place<'a>,
    pub(crate) head: &'a Head,
    /// Segments that were given back after it, and maybe some that were before.
    pub(crate) freed: &'a BTreeSet<Freed>,
    pub(crate) end_in_doubt: bool,
}

/// Whether there may have been commits behind the last one: numbers can have been given that no commit speaks of. Starts
/// that wrote nothing leave that as well, so it proves nothing.
pub(crate) const fn is_end_in_doubt(ceiling: u64, reached: u64) -> bool {
    ceiling > reached.saturating_add(2 * LEAP)
}

/// Whether a record explains that older segments of the lane than this one are not there.
pub(crate) fn is_given_back_before(freed: &BTreeSet<Freed>, lane: Lane, segment: u64) -> bool {
    freed.iter().any(|freed| freed.lane() == Some(lane) && freed.segment < segment)
}

/// The segment of the lane's last commit, of those that a checkpoint lists.
pub(crate) fn last_used(known: &[Segment]) -> Option<&Segment> {
    known.iter().rev().find(|segment| segment.records > 0)
}

impl Expected<'_> {
    fn known(&self, lane: Lane) -> &[Segment] {
        let [results, snapshots] = &self.head.segments;
        match lane {
            Lane::Results => results,
            Lane::Snapshots => snapshots,
        }
    }

    fn is_needed(&self, lane: Lane, segment: &Segment) -> bool {
        segment.records > 0 && !self.freed.contains(&Freed::new(lane, segment))
    }

    /// Whether there are records in this segment by the checkpoint, and nobody gave it back.
    pub(crate) fn lists(&self, lane: Lane, number: u64) -> bool {
        self.known(lane).iter().any(|segment| segment.number == number && self.is_needed(lane, segment))
    }

    /// Segments that are gone, or in which no commit is left, unless `told` has them. `oldest` is the lane's oldest segment that
    /// there is.
    pub(crate) fn lost(
        &self,
        lane: Lane,
        here: impl Fn(u64) -> bool,
        oldest: Option<u64>,
        told: &[Damage],
    ) -> Vec<Damage> {
        let mut lost = Vec::new();
        for segment in self.known(lane).iter().filter(|segment| self.is_needed(lane, segment)) {
            let file = segment_name(lane, segment.number);
            let is_told = |damage: &Damage| damage.file == file && damage.kind != DamageKind::HeaderCopy;
            let kind = if here(segment.number) {
                match Holds::of(self.place, lane, segment.number) {
                    Holds::Nothing => DamageKind::Emptied,
                    Holds::Unusable(kind) => kind,
                    // It went while somebody looked.
                    Holds::Commits | Holds::Gone => continue,
                }
            } else if self.end_in_doubt && oldest.is_none_or(|oldest| segment.number < oldest) {
                DamageKind::MaybeMissing
            } else {
                DamageKind::MissingSegment
            };
            if !told.iter().any(is_told) {
                let size = self.place.storage.open(&file).and_then(|file| file.size());
                lost.push(Damage { bytes: size.unwrap_or(segment.size), file, offset: 0, kind });
            }
        }
        lost
    }

    /// What is missing at the end of a lane that was read to its end.
    pub(crate) fn end(&self, lane: Lane, scan: &LaneScan<'_>) -> Option<Damage> {
        let [results, snapshots] = self.head.last;
        let last = match lane {
            Lane::Results => results,
            Lane::Snapshots => snapshots,
        };
        let segment = last_used(self.known(lane)).filter(|segment| self.is_needed(lane, segment))?.number;
        let torn = scan.untold.as_ref().filter(|(number, _)| *number <= last);
        if torn.is_none() && (scan.last >= last || scan.explained) {
            return None;
        }
        // Where nothing is left in it, or it is gone, that was told; and what was read may have been written since.
        if !matches!(Holds::of(self.place, lane, segment), Holds::Commits)
            || self.holds(lane, segment, last)?
        {
            return None;
        }
        if let Some((_, damage)) = torn {
            return Some(damage.clone());
        }
        let file = segment_name(lane, segment);
        let len = self.place.storage.open(&file).and_then(|file| file.size()).ok()?;
        let offset = match scan.behind {
            (of, behind) if of == segment => behind,
            _ => SEGMENT_START.into(),
        };
        Some(Damage { file, offset, bytes: len.saturating_sub(offset), kind: DamageKind::MissingBehind })
    }

    /// Whether a whole commit with this number, or a later one, is in the segment.
    fn holds(&self, lane: Lane, segment: u64, commit: u64) -> Option<bool> {
        let file = self.place.storage.open(&segment_name(lane, segment)).ok()?;
        let len = file.size().ok()?;
        let Ok(Entered::Segment(mut walk)) = Walk::enter(file, len, self.place, lane, segment) else {
            return None;
        };
        let mut body = Vec::new();
        while let Some(found) = walk.next(&mut body, &mut Recovery::default()) {
            if found.header.number >= commit && !self.place.is_beyond(&found.header) {
                return Some(true);
            }
        }
        Some(false)
    }
}
