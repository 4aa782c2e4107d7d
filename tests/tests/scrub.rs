//! Recorded analyzers, scrubbed: the same structure, other people.
//!
//! Promises that what `orugate capture export` gives out of a recorded line replays to as many messages, results, holds and controls as
//! the line itself, in the same places, and that no id or name of it is left. Leaves out what a value tells.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use orugate::replay::{How, Totals, hear, replay};
use orugate_driver::{Profile, StandIns};
use orugate_protocol::ascii::{CR, ETB, ETX, LF, STX};
use orugate_protocol::time::Utc;
use orugate_tests::corpus::{lab_astm, profiles_for};
use std::collections::BTreeSet;

const NOW: Utc = Utc(1_795_000_000_000_000);

/// What stands in fields of names and patients' ids, from the bytes alone: frames off, split at bars.
fn persons(capture: &[u8]) -> BTreeSet<String> {
    let mut text = Vec::new();
    let mut rest = capture;
    while let Some(start) = rest.iter().position(|b| *b == STX) {
        rest = rest.get(start + 2..).unwrap_or_default();
        let end = rest.iter().position(|b| matches!(*b, ETX | ETB)).unwrap_or(rest.len());
        text.extend_from_slice(&rest[..end]);
        rest = &rest[end..];
    }
    let records = text.split(|b| matches!(*b, CR | LF)).filter(|r| r.starts_with(b"P|"));
    let mut found = BTreeSet::new();
    for record in records {
        let fields: Vec<&[u8]> = record.split(|b| *b == b'|').collect();
        for number in [2, 3, 4, 5, 6, 7, 12, 13] {
            let field = fields.get(number).copied().unwrap_or_default();
            for part in field.split(|b| matches!(*b, b'^' | b'\\' | b' ')) {
                // Shorter ones are in words by chance.
                if part.len() >= 4 && part.iter().any(u8::is_ascii_alphanumeric) {
                    found.insert(String::from_utf8_lossy(part).into_owned());
                }
            }
        }
    }
    found
}

/// A message's length, where its chunks end, and whether it is complete.
type Shape = (usize, Vec<u32>, bool);

fn totals(profile: &dyn Profile, capture: &[u8]) -> (Totals, Vec<Shape>, Vec<String>) {
    let heard = hear(profile, capture, &[]);
    let totals = replay(profile, &heard, &How::at(NOW), &mut String::new(), &mut |_| {});
    let shapes = heard.messages.iter().map(|m| (m.raw.len(), m.chunk_ends.clone(), m.complete)).collect();
    (totals, shapes, heard.notes)
}

#[test]
fn a_scrubbed_line_replays_to_the_same_and_names_nobody() {
    let mut named = 0;
    for file in lab_astm() {
        let capture = std::fs::read(&file).unwrap();
        for name in profiles_for(&file) {
            let profile = orugate::profiles::find(&orugate_drivers::SHIPPED, name).unwrap();
            let mut scrubbed = capture.clone();
            profile.scrub(&mut scrubbed, &mut StandIns::new());
            let at = format!("{} through {name}", file.display());
            assert_eq!(scrubbed.len(), capture.len(), "{at}");
            assert_eq!(totals(&*profile, &scrubbed), totals(&*profile, &capture), "{at}");
            let text = String::from_utf8_lossy(&scrubbed).into_owned();
            for person in persons(&capture) {
                named += 1;
                assert!(!text.contains(&person), "{at}: something of a P record is left");
            }
        }
    }
    assert!(named > 0 || lab_astm().is_empty(), "no P record says anything");
}
