//! Records as people write them, for examples and simulators.
//!
//! Promises: a script with the names of [`table`](crate::table) becomes the records that a monitor would send, and a capture
//! (it has other control characters than line breaks) stays what it is. Leaves out damage, which is the simulator's.
//!
//! A record begins with a line `record YYYYMMDDHHMMSS`, an `alarms YYYYMMDDHHMMSS` or a `wave COUNT`, and has lines behind it: `level 10`, `classes 0-3`,
//! and for each group its key, its label and its values with as many decimals as the row has: `p1 label=1 sys=120.00`. A
//! group that is named exists and is active; `status=1` says otherwise. What is not named is invalid. `alarm 2 TEXT` is
//! an alarm of that colour, `times YYYYMMDDHHMMSS` a record of times with the cuff's.

use crate::civil;
use crate::frame::{FLAG, encode};
use crate::record::{ALARM_STATUS, AUXILIARY, DISPLAYED, DISPLAYED_SIZE, GROUPS, Main, build};
use crate::slots;
use crate::table::{self, Bits, Group};

/// The framed records of a script or a capture.
pub(crate) fn records(input: &[u8]) -> Vec<Vec<u8>> {
    let text = std::str::from_utf8(input)
        .ok()
        .filter(|text| !text.contains(|c: char| c.is_control() && !c.is_whitespace()));
    let Some(text) = text else { return capture(input) };
    let mut all = Vec::new();
    let mut open: Option<Draft> = None;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match Draft::begin(line) {
            Some(next) => all.extend(open.replace(next).map(|done| done.frame())),
            None => {
                if let Some(open) = &mut open {
                    open.line(line);
                }
            }
        }
    }
    all.extend(open.map(|done| done.frame()));
    all
}

/// The pieces of a capture between flags, each with its flags.
fn capture(input: &[u8]) -> Vec<Vec<u8>> {
    let pieces = input.split(|byte| *byte == FLAG).filter(|piece| !piece.is_empty());
    pieces.map(|piece| [&[FLAG], piece, &[FLAG]].concat()).collect()
}

struct Draft {
    time: u32,
    level: u8,
    kind: Kind,
}

enum Kind {
    Displayed { classes: u8, groups: [Vec<u8>; 4] },
    Alarms { bytes: Vec<u8>, count: usize },
    Times,
    Wave { samples: usize },
}

/// Bytes of the groups of a class.
const SIZE: usize = 270;

impl Draft {
    fn begin(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ')?;
        let time = civil::seconds(rest.trim()).unwrap_or(1);
        let kind = match word {
            "record" => Kind::Displayed { classes: 4, groups: [0, 1, 2, 3].map(empty) },
            "alarms" => {
                let size =
                    slots::FIRST_ALARM.saturating_add(slots::ALARM.saturating_mul(5)).saturating_add(10);
                Kind::Alarms { bytes: vec![0; size], count: 0 }
            }
            "times" => Kind::Times,
            "wave" => Kind::Wave { samples: rest.trim().parse().unwrap_or(1) },
            _ => return None,
        };
        Some(Self { time, level: 10, kind })
    }

    fn line(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (word, &mut self.kind) {
            ("level", _) => self.level = rest.trim().parse().unwrap_or(10),
            ("classes", Kind::Displayed { classes, .. }) => *classes = rest.trim().parse().unwrap_or(4),
            ("alarm", Kind::Alarms { bytes, count }) => {
                let (colour, text) = rest.split_once(' ').unwrap_or((rest, ""));
                let at = slots::FIRST_ALARM.saturating_add(count.saturating_mul(slots::ALARM));
                put(bytes, at, text.as_bytes().get(..slots::ALARM_TEXT.min(text.len())).unwrap_or_default());
                put(bytes, at.saturating_add(slots::ALARM_COLOUR), &[colour.parse().unwrap_or(1)]);
                *count = count.saturating_add(1);
            }
            (key, Kind::Displayed { groups, .. }) => {
                let Some(group) = table::GROUPS.iter().find(|group| group.key == key) else { return };
                if let Some(bytes) = groups.get_mut(usize::from(group.class)) {
                    values(group, rest, bytes);
                }
            }
            _ => {}
        }
    }

    fn frame(self) -> Vec<u8> {
        let Self { time, level, kind } = self;
        let record = match kind {
            Kind::Displayed { classes, groups } => {
                let part = |(class, groups): (u8, &Vec<u8>)| {
                    let mut bytes = time.to_le_bytes().to_vec();
                    bytes.extend(groups);
                    bytes.extend([0, 0, level.wrapping_shl(4) | DISPLAYED, class]);
                    (DISPLAYED, bytes)
                };
                let parts: Vec<_> = (0..classes.min(4)).zip(&groups).map(part).collect();
                build(level, time, Main::Physiological, &parts)
            }
            Kind::Alarms { bytes, .. } => build(level, time, Main::Alarm, &[(ALARM_STATUS, bytes)]),
            Kind::Times => {
                let mut bytes = vec![0; DISPLAYED_SIZE];
                put(&mut bytes, 0, &time.to_le_bytes());
                build(level, time, Main::Physiological, &[(AUXILIARY, bytes)])
            }
            Kind::Wave { samples } => {
                let bytes = (0..samples.min(700)).flat_map(|n| [n.to_le_bytes()[0], 0]).collect();
                build(level, time, Main::Wave, &[(8, bytes)])
            }
        };
        encode(&record)
    }
}

/// The groups of a class in which nothing exists.
fn empty(class: u8) -> Vec<u8> {
    let mut bytes = vec![0; SIZE];
    for group in table::GROUPS.iter().filter(|group| group.class == class) {
        for field in group.fields.iter().filter(|field| field.bits == Bits::All) {
            put(&mut bytes, group.at.saturating_add(field.at), &(-32767i16).to_le_bytes());
        }
    }
    bytes
}

/// `label=1 sys=120.00` and so on, into the group's bytes.
fn values(group: &Group, words: &str, bytes: &mut [u8]) {
    if group.header == group.at {
        put(bytes, group.at, &3u32.to_le_bytes());
    }
    for (key, value) in words.split_whitespace().filter_map(|word| word.split_once('=')) {
        let number = value.replace('.', "").parse::<i64>().unwrap_or(0);
        match key {
            "status" => put(bytes, group.at, &u32::try_from(number).unwrap_or(0).to_le_bytes()),
            "label" => {
                let label = u16::try_from(number).unwrap_or(0);
                put(bytes, group.at.saturating_add(4), &label.to_le_bytes());
            }
            _ => {
                let Some(field) = group.fields.iter().find(|field| field.key == key) else { continue };
                let at = group.at.saturating_add(field.at);
                let word = match field.bits {
                    Bits::All => i16::try_from(number).unwrap_or(-32767),
                    Bits::Some { from, .. } => {
                        let before = crate::record::i16_at(bytes, at).unwrap_or(0);
                        let own = u16::try_from(number).unwrap_or(0).wrapping_shl(from.into());
                        before | i16::from_le_bytes(own.to_le_bytes())
                    }
                };
                put(bytes, at, &word.to_le_bytes());
            }
        }
    }
}

fn put(bytes: &mut [u8], at: usize, new: &[u8]) {
    if let Some(place) = at.checked_add(new.len()).and_then(|end| bytes.get_mut(at..end)) {
        place.copy_from_slice(new);
    }
}

const _: () = assert!(GROUPS == 4);
