//! Looking at a lane without owning it: the journal may be in use, or on a medium that cannot be written to.
//!
//! Promises that a segment which was given back, or a commit which was written, while somebody looked at it is not called
//! damage: what looks like damage is looked at again first.

use super::{Entered, Found, LaneScan, Walk};
use crate::error::{DiskError, OpenError};
use crate::format::{CommitHeader, segment_name};
use crate::recover::{Damage, Recovery};
use std::io::ErrorKind;

/// A commit beside damage: what is known of the lane at that point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) commit: u64,
    pub(crate) next_sequence: u64,
    pub(crate) time: u64,
}

impl Mark {
    pub(crate) const fn of(header: &CommitHeader) -> Self {
        Self { commit: header.number, next_sequence: header.next_sequence, time: header.newest_time }
    }
}

/// What the one who looks keeps of a lane.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Segments that went while it was looked at them.
    pub(crate) gone: Vec<u64>,
    /// The commits before and behind each damage, in the order of the damages.
    pub(crate) around: Vec<[Option<Mark>; 2]>,
    last: Option<Mark>,
    /// Damages that were known when the segment began.
    before: usize,
}

impl LaneScan<'_> {
    /// From now on somebody only looks.
    pub(crate) fn watching(mut self) -> Self {
        self.watch = Some(Watch::default());
        self
    }

    pub(super) fn begin(&mut self, recovery: &Recovery) {
        if let Some(watch) = &mut self.watch {
            watch.before = recovery.damaged.len();
        }
    }

    /// A segment is not there any more.
    pub(super) fn went(&mut self, segment: u64) {
        if let Some(watch) = &mut self.watch {
            watch.gone.push(segment);
        }
        self.explained = true;
    }

    /// Notes a commit as the neighbour of the damages before it.
    pub(super) fn note(&mut self, found: &Found, accepted: bool, recovery: &Recovery) {
        let Some(watch) = &mut self.watch else { return };
        let here = Mark::of(&found.header);
        watch.around.resize(recovery.damaged.len(), [watch.last, Some(here)]);
        if accepted {
            watch.last = Some(here);
        }
    }

    /// At the end of a segment: what seemed damaged in it is looked at once more.
    pub(super) fn confirm(&mut self, walk: &Walk, recovery: &mut Recovery) -> Result<(), OpenError> {
        let Some(before) = self.watch.as_ref().map(|watch| watch.before) else { return Ok(()) };
        let seemed = |damage: &Damage| damage.file == walk.name;
        if !recovery.damaged.iter().skip(before).any(seemed) {
            return Ok(());
        }
        let again = match self.again(walk)? {
            Some(again) => again,
            None => {
                self.went(walk.segment);
                Vec::new()
            }
        };
        let (mut at, gone) = (0, self.watch.as_ref().is_some_and(|watch| watch.gone.contains(&walk.segment)));
        let mut stays = recovery.damaged.iter().map(|damage| {
            let in_chain = !damage.kind.is_of_bytes() && !gone;
            let same = |found: &Damage| found.offset == damage.offset && found.kind == damage.kind;
            at += 1;
            at <= before || in_chain || !seemed(damage) || again.iter().any(same)
        });
        let stays: Vec<bool> = stays.by_ref().collect();
        let mut each = stays.iter();
        recovery.damaged.retain(|_| each.next() == Some(&true));
        if let Some(watch) = &mut self.watch {
            let mut each = stays.iter();
            watch.around.retain(|_| each.next() == Some(&true));
        }
        Ok(())
    }

    /// Damage of a segment's bytes as it is now; `None` when the file is not that segment any more.
    fn again(&self, walk: &Walk) -> Result<Option<Vec<Damage>>, OpenError> {
        let name = segment_name(self.lane, walk.segment);
        let failed = |error| DiskError::new(format!("opening {name}"), error);
        let file = match self.place.storage.open(&name) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error).into()),
        };
        let len = file.size().map_err(failed)?;
        let entered = Walk::enter(file, len, self.place, self.lane, walk.segment)?;
        let Entered::Segment(mut second) = entered else { return Ok(None) };
        if second.seed != walk.seed {
            return Ok(None);
        }
        let mut found = Recovery::default();
        let mut body = Vec::new();
        while second.next(&mut body, &mut found).is_some() {}
        second.end(&mut found);
        Ok(Some(found.damaged))
    }
}
