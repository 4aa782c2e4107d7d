//! What was on a line, without persons.
//!
//! MEDIBUS has no place for a name or an id, so a frame whose checksum is right stays as it is, and so does the realtime
//! stream. Whatever else was on the line may be another device's, of which nothing is known: it is scrubbed by rule.

use crate::wire::{CAN, DC1, DC3, ESC, open};
use orugate_driver::scrub_by_rule;
use orugate_protocol::ascii::{CR, SOH};

/// Gives back how many letters and digits were replaced by rule.
pub(crate) fn scrub(line: &mut [u8]) -> usize {
    let mut good = vec![false; line.len()];
    // Where the bytes of each open frame stand.
    let mut frames: Vec<Vec<usize>> = Vec::new();
    for (at, byte) in line.iter().enumerate() {
        match *byte {
            0x80.. | DC1 | DC3 | CAN => mark(&mut good, &[at]),
            ESC | SOH => frames.push(vec![at]),
            CR => {
                let Some(mut places) = frames.pop() else { continue };
                places.push(at);
                let bytes: Vec<u8> = places.iter().filter_map(|at| line.get(*at).copied()).collect();
                if open(&bytes).is_ok() {
                    mark(&mut good, &places);
                }
            }
            _ => {
                if let Some(places) = frames.last_mut() {
                    places.push(at);
                }
            }
        }
    }
    let mut replaced = 0usize;
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
