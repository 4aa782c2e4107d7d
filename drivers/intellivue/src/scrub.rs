//! Persons in what a monitor sent: the demographics have them, and nothing else does.
//!
//! Promises: the length stays, frames stay good, and every text, day of birth and number of an admission in demographics becomes
//! another. What is no unit, or only a part of one, becomes nothing that names anybody.

use crate::frame::{self, wrap};
use crate::pdu::{DEMOGRAPHICS, Pdu, Reply, parse};
use crate::units::{begins, is_framed, split};
use orugate_driver::{StandIns, scrub_by_rule};

/// Takes persons out; how many bytes were only replaced by rule.
pub(crate) fn scrub(line: &mut [u8], stand_ins: &mut StandIns) -> usize {
    let (mut at, mut count) = (0usize, 0usize);
    while let Some(rest) = line.get(at..).filter(|rest| !rest.is_empty()) {
        let len = match split(rest).filter(|_| begins(rest)) {
            Some((unit, _)) => {
                let len = unit.len();
                let place = line.get_mut(at..at.saturating_add(len)).unwrap_or_default();
                count = count.saturating_add(whole(place, stand_ins));
                len
            }
            None => {
                // To where the next one may begin.
                let len = rest
                    .iter()
                    .enumerate()
                    .skip(1)
                    .find(|(at, byte)| {
                        **byte == 0xC0
                            || rest.get(*at..).is_some_and(|rest| rest.starts_with(&[0xE1, 0, 0, 2]))
                    })
                    .map_or(rest.len(), |(at, _)| at);
                let place = line.get_mut(at..at.saturating_add(len)).unwrap_or_default();
                count = count.saturating_add(scrub_by_rule(place));
                len
            }
        };
        at = at.saturating_add(len.max(1));
    }
    count
}

/// Takes persons out of one unit.
fn whole(unit: &mut [u8], stand_ins: &mut StandIns) -> usize {
    if !is_framed(unit) {
        names(unit, stand_ins, 0);
        return 0;
    }
    let mut space = vec![0; unit.len()];
    let Ok(data) = frame::open(unit, &mut space).map(<[u8]>::to_vec) else {
        let inside = unit.get_mut(1..).unwrap_or_default();
        return scrub_by_rule(inside);
    };
    // Another checksum may need an escape more or less: then another stand-in is tried, until the length is the same.
    for variant in 0..=u8::MAX {
        let mut other = data.clone();
        if !names(&mut other, stand_ins, variant) {
            return 0;
        }
        let framed = wrap(&other);
        if framed.len() == unit.len() {
            unit.copy_from_slice(&framed);
            return 0;
        }
    }
    scrub_by_rule(unit.get_mut(1..).unwrap_or_default())
}

/// Replaces all that says who somebody is in a unit's plain bytes; false when it has nothing of the kind.
fn names(unit: &mut [u8], stand_ins: &mut StandIns, variant: u8) -> bool {
    let Some((Pdu::Result { body, .. } | Pdu::Linked { body, .. }, _)) = parse(unit) else { return false };
    if Reply::read(body).is_none_or(|reply| reply.class != DEMOGRAPHICS) {
        return false;
    }
    let base = unit.as_ptr().addr();
    let places: Vec<(u16, usize, usize)> = Reply::read(body)
        .iter()
        .flat_map(Reply::objects)
        .flat_map(|object| object.attributes)
        .map(|(id, value)| (id, value.as_ptr().addr().saturating_sub(base), value.len()))
        .collect();
    for (id, at, len) in places {
        let value = unit.get_mut(at..at.saturating_add(len)).unwrap_or_default();
        match id {
            // The handle, the kind of object, and sizes and weights in their units.
            0x0921 | 0x092F | 0x0956 | 0x0957 | 0x0961 | 0x0962 | 0x09D8 | 0x09DC | 0x09DF | 0x0A1A
            | 0x0A1E => {}
            _ => match value {
                [high, low, text @ ..] if usize::from(u16::from_be_bytes([*high, *low])) == text.len() => {
                    wide(text, stand_ins, variant);
                }
                other => other.iter_mut().for_each(|byte| *byte = escaped(*byte, variant & 0x1F)),
            },
        }
    }
    true
}

/// A stand-in needs an escape in a frame where what it stands for does.
const fn escaped(byte: u8, stand_in: u8) -> u8 {
    if matches!(byte, 0x7D | 0xC0 | 0xC1) { 0x7D } else { stand_in }
}

fn wide(text: &mut [u8], stand_ins: &mut StandIns, variant: u8) {
    let units = text.chunks_exact_mut(2);
    let mut narrow: Vec<u8> = units
        .map(|unit| if unit.first() == Some(&0) { unit.last().copied().unwrap_or(0) } else { b'x' })
        .collect();
    let used = narrow.iter().position(|byte| *byte == 0).unwrap_or(narrow.len());
    let name = narrow.get_mut(..used).unwrap_or_default();
    stand_ins.replace(name, &|_| false);
    if variant > 0
        && let Some(last) = name.last_mut()
    {
        *last = b'a'.saturating_add(variant % 26);
    }
    for (unit, byte) in text.chunks_exact_mut(2).zip(narrow) {
        if let [high, low] = unit {
            (*high, *low) = (escaped(*high, 0), escaped(*low, byte));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Settings;

    const SCRIPT: &str = "
monitor model=M8007A serial=DE00000001 bed=ICU-7 time=20260301100000
patient id=4711-08 family=Größe}Á given=Jane inside=abcdefghij
answer
8501 HR label=00024182 unit=0AA0 4182=72
";

    #[test]
    fn names_go_and_values_and_frames_stay() {
        for datagrams in [true, false] {
            let settings = Settings { datagrams, averages: false, patient: true };
            let whole = crate::script::bytes(settings, SCRIPT);
            let mut line = [&whole[5..], &whole, b"4711-08 Jane", &whole[..whole.len() - 7]].concat();
            let before = line.clone();
            let mut stand_ins = StandIns::new();
            scrub(&mut line, &mut stand_ins);
            assert_eq!(line.len(), before.len());
            let text: String = line.iter().filter(|byte| **byte != 0).map(|byte| char::from(*byte)).collect();
            for name in ["4711", "Jane", "Gr", "abcdefghij"] {
                assert!(!text.contains(name), "{name} of {datagrams}");
            }
            assert!(text.contains("ICU-7"));
            // What was whole is whole, in its place.
            let at = whole.len() - 5;
            let units = crate::units::plain(&line[at..at + whole.len()]);
            assert_eq!(units.len(), crate::units::plain(&whole).len());
            assert_eq!(units.len(), 4);
            assert_eq!(units[3], crate::units::plain(&whole)[3]);
            assert_ne!(units[2], crate::units::plain(&whole)[2]);
            assert!(parse(&units[2]).is_some());
        }
    }
}
