//! The alarms that are on, of the lists of a monitor's alert monitor.
//!
//! Promises each entry whose lengths are right, with the words that the monitor shows. Leaves out what becomes of it: an alarm of a
//! patient's is information here, and none at the receiver.

use crate::pdu::Attributes;
use crate::read::Reader;
use orugate_driver::report::{Alarm, Marks, Priority, Side};

/// Attributes of the alert monitor.
pub(crate) mod id {
    /// Alarms for what is measured of the patient.
    pub(crate) const PATIENT: u16 = 0x0902;
    /// Alarms for the equipment.
    pub(crate) const TECHNICAL: u16 = 0x0904;
    /// How it stands with all of them.
    pub(crate) const CONDITION: u16 = 0x0916;
}

/// Bits of [`Entry::state`] and of the alert monitor's own.
mod state {
    pub(super) const OFF: u16 = 0x8000 | 0x4000;
    pub(super) const TEST: u16 = 0x0400;
    pub(super) const DEMO: u16 = 0x0100;
}

/// An entry whose text follows.
const WITH_TEXT: u16 = 0x0204;

/// One alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// It is one of the patient's; else the equipment's.
    pub(crate) patient: bool,
    /// What it is about.
    pub(crate) source: u16,
    pub(crate) code: u16,
    kind: u16,
    state: u16,
    /// A counted text in UTF-16; empty when there is none.
    pub(crate) words: &'a [u8],
}

impl Entry<'_> {
    /// Partition and number of what it is about: an odd code is about an object, an even one about a measurement.
    pub(crate) const fn about(&self) -> (u16, u16) {
        (if self.code & 1 == 1 { 1 } else { 2 }, self.source)
    }

    /// Bits of the patient's alarms stand above those of the equipment's.
    pub(crate) const fn alarm(&self) -> Alarm {
        let [patient, technical] = self.kind.to_be_bytes();
        let priority = match patient | technical {
            bits if bits & 4 != 0 => Priority::High,
            bits if bits & 2 != 0 => Priority::Medium,
            bits if bits & 1 != 0 => Priority::Low,
            _ => Priority::Unknown,
        };
        Alarm { side: Side::Unknown, priority }
    }

    pub(crate) fn marks(&self) -> Marks {
        marks(self.state)
    }
}

fn marks(bits: u16) -> Marks {
    [(state::OFF, Marks::ALINH), (state::TEST, Marks::TEST), (state::DEMO, Marks::DEMO)]
        .into_iter()
        .filter(|(mask, _)| bits & mask != 0)
        .fold(Marks::NONE, |all, (_, mark)| all | mark)
}

/// What holds for all alarms of the alert monitor.
pub(crate) fn of_all(attributes: Attributes<'_>) -> Marks {
    attributes.find(id::CONDITION).and_then(|value| Reader::new(value).u16()).map_or(Marks::NONE, marks)
}

/// The alarms in these attributes, the patient's first.
pub(crate) fn entries<'a>(attributes: Attributes<'a>) -> impl Iterator<Item = Entry<'a>> {
    [(id::PATIENT, true), (id::TECHNICAL, false)].into_iter().flat_map(move |(id, patient)| {
        let mut reader = Reader::new(attributes.find(id).unwrap_or_default());
        reader.u16();
        let mut list = Reader::new(reader.counted().unwrap_or_default());
        std::iter::from_fn(move || entry(&mut list, patient))
    })
}

fn entry<'a>(list: &mut Reader<'a>, patient: bool) -> Option<Entry<'a>> {
    let (source, code, kind, state) = (list.u16()?, list.u16()?, list.u16()?, list.u16()?);
    // The object that has it.
    list.take(6)?;
    let form = list.u16()?;
    let info = list.counted()?;
    // Instance, text by number, priority within its kind, flags.
    let words = if form == WITH_TEXT { info.get(10..).unwrap_or_default() } else { &[] };
    Some(Entry { patient, source, code, kind, state, words })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::hex;
    use crate::value::wide;

    #[test]
    fn entries_of_both_lists_with_and_without_words() {
        let list = hex("0003 0054 0916 000a 0504 0001 0400 0000 0000 \
            0902 001a 0001 0016 4182 0402 0400 0008 0006 0000 8501 0000 0004 DEADBEEF \
            0904 0024 0001 0020 0300 0181 0002 1000 0006 0001 82ea 0204 000E 0000 00030180 0000 7800 0002 0041");
        let attributes = Attributes::read(&mut Reader::new(&list)).unwrap();
        assert_eq!(of_all(attributes), Marks::TEST | Marks::DEMO);
        let all: Vec<_> = entries(attributes).collect();
        assert_eq!(all.len(), 2, "{all:?}");
        assert_eq!(
            (all[0].patient, all[0].about(), all[0].code, all[0].words),
            (true, (2, 0x4182), 0x0402, &[][..])
        );
        assert_eq!((all[0].alarm().priority, all[0].marks()), (Priority::High, Marks::NONE));
        assert_eq!((all[1].patient, all[1].about()), (false, (1, 0x0300)));
        assert_eq!(all[1].alarm().priority, Priority::Medium);
        assert_eq!(wide(all[1].words).collect::<String>(), "A");
        for end in 0..list.len() {
            if let Some(cut) = Attributes::read(&mut Reader::new(&list[..end])) {
                assert!(entries(cut).count() <= 2);
            }
        }
    }
}
