//! A record: its header and its subrecords.
//!
//! Promises: subrecords are given as far as the header names them and the bytes reach; a subrecord that is cut off is told
//! as such. Leaves out the groups and values, which are in [`table`](crate::table).

use crate::frame::HEADER;

/// `r_maintype`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Main {
    /// Values.
    Physiological,
    /// Samples of curves; not used.
    Wave,
    /// What the monitor alarms of.
    Alarm,
    /// Who is on the network, with patients' names; never kept.
    Network,
    /// Anything else.
    Other(i16),
}

impl Main {
    pub(crate) const fn number(self) -> i16 {
        match self {
            Self::Physiological => 0,
            Self::Wave => 1,
            Self::Alarm => 4,
            Self::Network => 5,
            Self::Other(other) => other,
        }
    }

    const fn from(number: i16) -> Self {
        match number {
            0 => Self::Physiological,
            1 => Self::Wave,
            4 => Self::Alarm,
            5 => Self::Network,
            other => Self::Other(other),
        }
    }
}

/// Subrecord types of physiological records.
pub(crate) const DISPLAYED: u8 = 1;
pub(crate) const AUXILIARY: u8 = 4;
/// Subrecord type of the alarm list.
pub(crate) const ALARM_STATUS: u8 = 1;
/// No more subrecords.
const END: u8 = 0xFF;
/// The header has room for so many.
const DESCRIPTORS: usize = 8;
const FIRST_DESCRIPTOR: usize = 16;

/// A displayed-values subrecord: the time, 270 bytes of groups, four bytes about them.
pub(crate) const DISPLAYED_SIZE: usize = 278;
/// Where its groups begin.
pub(crate) const GROUPS: usize = 4;
const CLASS: usize = 276;

/// A record, without its checksum.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'r> {
    bytes: &'r [u8],
}

/// A part of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subrecord<'r> {
    pub(crate) kind: u8,
    /// Where it begins in the record.
    pub(crate) at: usize,
    /// To the next one or the record's end.
    pub(crate) bytes: &'r [u8],
}

impl<'r> Record<'r> {
    pub(crate) const fn new(bytes: &'r [u8]) -> Self {
        Self { bytes }
    }

    /// The interface level: 9 since 2005, 10 since 2009, 11 since 2015.
    pub(crate) fn level(&self) -> u8 {
        self.bytes.get(3).copied().unwrap_or(0)
    }

    /// When the monitor sent it, in seconds since 1970 of its own clock.
    pub(crate) fn time(&self) -> u32 {
        u32_at(self.bytes, 6).unwrap_or(0)
    }

    pub(crate) fn main(&self) -> Main {
        Main::from(i16_at(self.bytes, 14).unwrap_or(-1))
    }

    /// Its parts, in the header's order. `None`: the header names one that does not lie in the record.
    pub(crate) fn subrecords(&self) -> impl Iterator<Item = Option<Subrecord<'r>>> + use<'r> {
        let bytes = self.bytes;
        let descriptor = move |n: usize| {
            let at = FIRST_DESCRIPTOR.saturating_add(n.saturating_mul(3));
            let kind = bytes.get(at.saturating_add(2)).copied()?;
            let offset = usize::try_from(i16_at(bytes, at)?).ok();
            Some((kind, offset))
        };
        let start = |offset: Option<usize>| offset.and_then(|offset| offset.checked_add(HEADER));
        (0..DESCRIPTORS).map_while(move |n| descriptor(n).filter(|(kind, _)| *kind != END)).enumerate().map(
            move |(n, (kind, offset))| {
                let at = start(offset)?;
                let next = descriptor(n.saturating_add(1)).filter(|(kind, _)| *kind != END);
                let end = next.and_then(|(_, offset)| start(offset)).filter(|end| *end > at);
                let end = end.unwrap_or(bytes.len()).min(bytes.len());
                Some(Subrecord { kind, at, bytes: bytes.get(at..end).filter(|bytes| !bytes.is_empty())? })
            },
        )
    }

    /// Which classes of displayed values it has, a bit for each: 1 basic, 2 the first extension, and so on; 0 for none.
    pub(crate) fn displayed_classes(&self) -> u8 {
        if self.main() != Main::Physiological {
            return 0;
        }
        let displayed = self.subrecords().flatten().filter(|part| part.kind == DISPLAYED);
        displayed.filter_map(|part| part.class()).fold(0, |all, class| all | 1u8.wrapping_shl(class.into()))
    }

    /// All its parts lie in it, and those with values have at least their size. A class that a newer level has costs nothing of
    /// the others.
    pub(crate) fn is_whole(&self) -> bool {
        self.subrecords().all(|part| {
            part.is_some_and(|part| match (self.main(), part.kind) {
                (Main::Physiological, DISPLAYED) => part.bytes.len() >= DISPLAYED_SIZE,
                _ => true,
            })
        })
    }

    pub(crate) fn has(&self, main: Main, kind: u8) -> bool {
        self.main() == main && self.subrecords().flatten().any(|part| part.kind == kind)
    }
}

impl<'r> Subrecord<'r> {
    /// The class of displayed values; `None` when it is cut or of a class that is not known.
    pub(crate) fn class(&self) -> Option<u8> {
        let class = u16_at(self.bytes, CLASS)?.to_le_bytes();
        let [_, high] = class;
        Some(high & 0x0F).filter(|class| *class < 4)
    }

    pub(crate) const fn is_displayed(&self) -> bool {
        self.kind == DISPLAYED
    }

    /// When the values were displayed, by the monitor's clock.
    pub(crate) fn time(&self) -> Option<u32> {
        u32_at(self.bytes, 0)
    }

    /// The groups of displayed values.
    pub(crate) fn groups(&self) -> &'r [u8] {
        self.bytes.get(GROUPS..CLASS.saturating_sub(2)).unwrap_or_default()
    }
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at.checked_add(2)?)?;
    pair.try_into().ok().map(u16::from_le_bytes)
}

pub(crate) fn i16_at(bytes: &[u8], at: usize) -> Option<i16> {
    let pair = bytes.get(at..at.checked_add(2)?)?;
    pair.try_into().ok().map(i16::from_le_bytes)
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    four.try_into().ok().map(u32::from_le_bytes)
}

/// A record of one or several parts.
pub(crate) fn build(level: u8, time: u32, main: Main, parts: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut record = vec![0; HEADER];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(place) = at.checked_add(bytes.len()).and_then(|end| record.get_mut(at..end)) {
            place.copy_from_slice(bytes);
        }
    };
    let mut offset = 0usize;
    for (n, (kind, bytes)) in parts.iter().take(DESCRIPTORS).enumerate() {
        let at = FIRST_DESCRIPTOR.saturating_add(n.saturating_mul(3));
        put(at, &i16::try_from(offset).unwrap_or(i16::MAX).to_le_bytes());
        put(at.saturating_add(2), &[*kind]);
        offset = offset.saturating_add(bytes.len());
    }
    if parts.len() < DESCRIPTORS {
        let at = FIRST_DESCRIPTOR.saturating_add(parts.len().saturating_mul(3));
        put(at.saturating_add(2), &[END]);
    }
    let length = u16::try_from(HEADER.saturating_add(offset)).unwrap_or(u16::MAX);
    put(0, &length.to_le_bytes());
    put(3, &[level]);
    put(6, &time.to_le_bytes());
    put(14, &main.number().to_le_bytes());
    for (_, bytes) in parts {
        record.extend_from_slice(bytes);
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_where_the_header_says() {
        let record = build(10, 7, Main::Physiological, &[(1, vec![5; 4]), (9, vec![6; 3])]);
        let record = Record::new(&record);
        let parts: Vec<_> =
            record.subrecords().map(|part| part.map(|p| (p.kind, p.at, p.bytes.len()))).collect();
        assert_eq!(parts, [Some((1, 40, 4)), Some((9, 44, 3))]);
        assert_eq!((record.level(), record.time(), record.main()), (10, 7, Main::Physiological));
        assert_eq!(record.displayed_classes(), 0);
    }

    #[test]
    fn a_newer_class_and_a_longer_part_cost_nothing() {
        let part = |class: u8, more: usize| {
            let mut bytes = vec![0; DISPLAYED_SIZE + more];
            bytes[CLASS + 1] = class;
            (DISPLAYED, bytes)
        };
        let record = |parts: &[(u8, Vec<u8>)]| build(11, 7, Main::Physiological, parts);
        let newer = record(&[part(0, 0), part(5, 0), part(1, 2)]);
        assert!(Record::new(&newer).is_whole());
        assert_eq!(Record::new(&newer).displayed_classes(), 0b11);
        let mut cut = record(&[part(0, 0)]);
        cut.truncate(300);
        assert!(!Record::new(&cut).is_whole());
    }

    #[test]
    fn a_part_outside_the_record_is_told() {
        let mut record = build(10, 7, Main::Physiological, &[(1, vec![5; 4])]);
        record[16] = 200;
        assert!(Record::new(&record).subrecords().next().unwrap().is_none());
        record[17] = 0xFF;
        assert!(Record::new(&record).subrecords().next().unwrap().is_none());
        assert_eq!(Record::new(&[0; 3]).subrecords().count(), 0);
    }
}
