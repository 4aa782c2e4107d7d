//! What was on a line, without persons.
//!
//! MEDIBUS has no place for an id, and for a name only two texts of MEDIBUS.X: their letters go, and the frame gets another
//! checksum. All else of a frame whose checksum is right stays as it is, and so does the realtime stream. Whatever else was on
//! the line may be another device's, of which nothing is known: it is scrubbed by rule.

use crate::data::{Record, Records, Shape, is_name};
use crate::wire::{CAN, DC1, DC3, ESC, Frame, Kind, checksum, open};
use orugate_driver::scrub_by_rule;
use orugate_protocol::ascii::{CR, SOH, hex_digit};

/// Gives back how many letters and digits were replaced.
pub(crate) fn scrub(line: &mut [u8]) -> usize {
    let mut good = vec![false; line.len()];
    // Where the bytes of each open frame stand.
    let mut frames: Vec<Vec<usize>> = Vec::new();
    let mut replaced = 0usize;
    for at in 0..line.len() {
        match line.get(at).copied().unwrap_or(CR) {
            0x80.. | DC1 | DC3 | CAN => mark(&mut good, &[at]),
            ESC | SOH => frames.push(vec![at]),
            CR => {
                let Some(mut places) = frames.pop() else { continue };
                places.push(at);
                let mut bytes: Vec<u8> = places.iter().filter_map(|at| line.get(*at).copied()).collect();
                if open(&bytes).is_ok() {
                    mark(&mut good, &places);
                    replaced = replaced.saturating_add(nameless(&mut bytes));
                    for (place, byte) in places.iter().zip(bytes) {
                        if let Some(old) = line.get_mut(*place) {
                            *old = byte;
                        }
                    }
                }
            }
            _ => {
                if let Some(places) = frames.last_mut() {
                    places.push(at);
                }
            }
        }
    }
    let runs = good.chunk_by(|one, next| one == next).map(|run| (run.len(), run.first() == Some(&true)));
    let mut rest = line;
    for (len, good) in runs {
        let (run, behind) = std::mem::take(&mut rest).split_at_mut(len);
        rest = behind;
        if !good {
            replaced = replaced.saturating_add(scrub_by_rule(run));
        }
    }
    replaced
}

/// A good frame without the names of persons, and with the checksum that it has then.
fn nameless(bytes: &mut [u8]) -> usize {
    let Ok(Frame { kind: Kind::Response, code, data }) = open(bytes) else { return 0 };
    let Some(shape) = Shape::of(code) else { return 0 };
    let names = Records::new(shape, data).filter(|record| is_name(code, record.code));
    // The text stands behind its code and its length; the data behind SOH and the echo.
    let place = |record: Record<'_>| {
        let start = record.at.saturating_add(5);
        start..start.saturating_add(record.field.len())
    };
    let places: Vec<_> = names.map(place).collect();
    let mut replaced = 0usize;
    for byte in places.into_iter().flatten() {
        if let Some(byte) = bytes.get_mut(byte).filter(|byte| byte.is_ascii_alphanumeric()) {
            *byte = b'X';
            replaced = replaced.saturating_add(1);
        }
    }
    let end = bytes.len().saturating_sub(3);
    let sum = checksum(bytes.get(..end).unwrap_or_default());
    if let Some([high, low, _]) = bytes.get_mut(end..) {
        *high = hex_digit(sum >> 4);
        *low = hex_digit(sum);
    }
    replaced
}

fn mark(good: &mut [bool], places: &[usize]) {
    for place in places {
        if let Some(place) = good.get_mut(*place) {
            *place = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::response;

    #[test]
    fn names_go_and_their_frame_stays_good() {
        let named = response(0x2A, b"475PC-AC\x0360:Anna Maria\x03615Smith\x03541A\x03");
        let mut line = [named.clone(), response(0x24, b"60 9861 70")].concat();
        let values = line[named.len()..].to_vec();
        let replaced = scrub(&mut line);
        assert_eq!(replaced, 14);
        let (texts, rest) = line.split_at(named.len());
        assert_eq!(rest, values);
        let frame = open(texts).unwrap();
        assert_eq!(frame.data, b"475PC-AC\x0360:XXXX XXXXX\x03615XXXXX\x03541A\x03");
    }

    #[test]
    fn frames_stay_and_what_is_none_goes() {
        let mut line = b"\x01$\x1b04B\rEB \xd198 E1 70 7A\rSmith^Anna\x01$26\r".to_vec();
        let replaced = scrub(&mut line);
        assert!(line.starts_with(b"\x01$\x1b04B\rEB \xd198 E1 70 7A\r"));
        let text = String::from_utf8_lossy(&line).into_owned();
        assert!(!text.contains("Smith") && !text.contains("Anna"), "{text:?}");
        assert_eq!(line.len(), 38);
        assert!(replaced >= 9, "{replaced}");
    }
}
