//! Which slot has what, and what of a record counts by itself.
//!
//! Promises that session and interpreter mean the same by "new". Leaves out times.

use crate::frame::HEADER;
use crate::record::{Record, i16_at, u16_at, u32_at};
use crate::table::{CUFF, CUFF_MEASURING, CUFF_OLD, OUTPUT};
use orugate_driver::Slot;

/// The newest record of displayed values with these classes (1 to 15).
pub(crate) const fn displayed(classes: u8) -> Slot {
    Slot(classes as u16)
}

/// The times of intermittent measurements.
pub(crate) const TIMES: Slot = Slot(16);
/// The list of alarms.
pub(crate) const ALARMS: Slot = Slot(17);

/// Values at and below this are no data.
pub(crate) const NO_DATA: i16 = -32001;

/// The status and label of a group's header.
pub(crate) fn header(groups: &[u8], at: usize) -> Option<(u32, u16)> {
    Some((u32_at(groups, at)?, u16_at(groups, at.checked_add(4)?)?))
}

/// It exists and is active.
pub(crate) const fn active(status: u32) -> bool {
    status & 3 == 3
}

/// What is measured now and then, as far as it is not older than a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fresh {
    pub(crate) cuff: Option<[i16; 4]>,
    pub(crate) output: Option<i16>,
    pub(crate) wedge: Option<i16>,
}

impl Fresh {
    /// One of them is new: it is there, and was not so before.
    pub(crate) fn has_more_than(&self, last: &Self) -> bool {
        (self.cuff.is_some() && self.cuff != last.cuff)
            || (self.output.is_some() && self.output != last.output)
            || (self.wedge.is_some() && self.wedge != last.wedge)
    }

    /// `None` when the record does not have the class with these groups.
    pub(crate) fn of(record: &Record<'_>) -> Option<Self> {
        let basic =
            record.subrecords().flatten().find(|part| part.is_displayed() && part.class() == Some(0))?;
        let groups = basic.groups();
        let value = |group: usize, at: usize| i16_at(groups, group.checked_add(at)?).filter(|v| *v > NO_DATA);
        let new = |at: usize, old: u8| {
            header(groups, at).is_some_and(|(status, label)| active(status) && label >> old & 1 == 0)
        };
        let measuring = header(groups, CUFF.at).is_some_and(|(_, label)| label >> CUFF_MEASURING & 1 == 1);
        let cuff = [6, 8, 10, 12].map(|at| value(CUFF.at, at));
        Some(Self {
            cuff: (new(CUFF.at, CUFF_OLD) && !measuring && cuff.iter().any(Option::is_some))
                .then(|| cuff.map(|v| v.unwrap_or(NO_DATA))),
            output: value(OUTPUT.at, 6).filter(|_| new(OUTPUT.at, 0)),
            wedge: value(OUTPUT.at, 12).filter(|_| new(OUTPUT.at, 1)),
        })
    }
}

/// The bytes of one alarm in the list, and how many there are.
pub(crate) const ALARM: usize = 98;
pub(crate) const ALARM_COUNT: usize = 5;
/// Where the first one stands in its subrecord.
pub(crate) const FIRST_ALARM: usize = 10;
/// Where the text ends and the colour stands in one.
pub(crate) const ALARM_TEXT: usize = 80;
pub(crate) const ALARM_COLOUR: usize = 82;

/// The least interface level whose alarm list has the layout that is read here.
pub(crate) const ALARM_LEVEL: u8 = 10;

const _: () = assert!(HEADER == 40);
