//! Which record belongs to which (LIS02 2.4), record by record.
//!
//! Promises: [`Walker::place`] gives every record its level and its parent and never refuses one. What it finds odd
//! (a parent missing, a sequence number that does not follow) it says in the [`Place`]: instruments that restart or
//! repeat their numbers are common, so neither is an error.
//!
//! Leaves out: keeping the records. A place points to the parent by type and span.

use super::records::{Record, RecordType};
use crate::span::Span;

/// The record that another belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Its type.
    pub kind: RecordType,
    /// Where it is in the message.
    pub span: Span,
    /// Its level.
    pub level: u8,
}

/// Where a record stands in its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// H and L 0; P, Q and S 1; O 2; R 3. C, M and unknown records: one more than what they belong to.
    pub level: u8,
    /// The record that this one belongs to: for C, M and unknown records the nearest earlier of another type than
    /// these; for the rest the nearest earlier of a lower level. `None` for H and L, and for what stands before any.
    pub parent: Option<Parent>,
    /// True when LIS02 asks for a parent of the level just above and it is not there: R without O, O without P.
    pub orphan: bool,
    /// Set when the sequence number is not the one that was due.
    pub gap: Option<SequenceGap>,
}

/// A sequence number (field 2) that is not the one that was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceGap {
    /// One more than the number of the record of this type before it under the same parent; 1 for the first.
    pub expected: u32,
    /// What is there; `None` when it is empty or no number.
    pub found: Option<u32>,
    /// The record.
    pub record: Span,
}

/// Follows the records of a message from the first to the last.
#[derive(Clone, Debug, Default)]
pub struct Walker {
    /// The latest record of each level 0 to 3 that later ones may belong to.
    open: [Option<Parent>; 4],
    /// What C and M belong to.
    latest: Option<Parent>,
    /// The last sequence number by type, under the parent that is open.
    last: Sequences,
}

#[derive(Clone, Debug, Default)]
struct Sequences {
    patient: u32,
    query: u32,
    scientific: u32,
    order: u32,
    result: u32,
    comment: u32,
    manufacturer: u32,
    terminator: u32,
}

impl Walker {
    /// A walker before the first record.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Places the next record.
    pub fn place(&mut self, record: &Record<'_>) -> Place {
        let kind = record.kind();
        let Some(level) = own_level(kind) else {
            let parent = self.latest;
            let level = parent.map_or(0, |p| p.level.saturating_add(1));
            return Place { level, parent, orphan: parent.is_none(), gap: self.count(record) };
        };
        let parent = self.open.iter().take(usize::from(level)).rev().find_map(|open| *open);
        let orphan = level > 0 && parent.is_none_or(|p| p.level.saturating_add(1) < level);
        // Nothing that follows can belong to an earlier record of this level or a higher one.
        for open in self.open.iter_mut().skip(usize::from(level)) {
            *open = None;
        }
        self.last.restart_below(level);
        let gap = self.count(record);
        let here = Parent { kind, span: record.span(), level };
        self.latest = Some(here);
        if kind != RecordType::Terminator
            && let Some(open) = self.open.get_mut(usize::from(level))
        {
            *open = Some(here);
        }
        Place { level, parent, orphan, gap }
    }

    fn count(&mut self, record: &Record<'_>) -> Option<SequenceGap> {
        let last = self.last.of(record.kind())?;
        let expected = last.saturating_add(1);
        let found = record.field(2).number();
        // From the number that came, so that one gap is told once.
        *last = found.unwrap_or(expected);
        (found != Some(expected)).then(|| SequenceGap { expected, found, record: record.span() })
    }
}

impl Sequences {
    /// The counter of a type that has sequence numbers.
    const fn of(&mut self, kind: RecordType) -> Option<&mut u32> {
        Some(match kind {
            RecordType::Patient => &mut self.patient,
            RecordType::Query => &mut self.query,
            RecordType::Scientific => &mut self.scientific,
            RecordType::Order => &mut self.order,
            RecordType::Result => &mut self.result,
            RecordType::Comment => &mut self.comment,
            RecordType::Manufacturer => &mut self.manufacturer,
            RecordType::Terminator => &mut self.terminator,
            RecordType::Header | RecordType::Other(_) => return None,
        })
    }

    /// A record of `level` was met: what can belong to it numbers from 1 again.
    fn restart_below(&mut self, level: u8) {
        *self = match level {
            0 => Self::default(),
            1 => Self {
                patient: self.patient,
                query: self.query,
                scientific: self.scientific,
                ..Self::default()
            },
            2 => Self { result: 0, comment: 0, manufacturer: 0, ..*self },
            _ => Self { comment: 0, manufacturer: 0, ..*self },
        };
    }
}

/// The level that a type has wherever it stands; `None` for a type that attaches to the record before it.
const fn own_level(kind: RecordType) -> Option<u8> {
    match kind {
        RecordType::Header | RecordType::Terminator => Some(0),
        RecordType::Patient | RecordType::Query | RecordType::Scientific => Some(1),
        RecordType::Order => Some(2),
        RecordType::Result => Some(3),
        RecordType::Comment | RecordType::Manufacturer | RecordType::Other(_) => None,
    }
}
