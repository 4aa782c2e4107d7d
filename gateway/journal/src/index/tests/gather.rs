//! What is gathered is what a filter of the full walk leaves.

use super::rig::{NOTE, Rig, TERMS, at_hand, on_file, sealed, small, tagged};
use crate::index::Term;
use crate::{Inspector, Lane, Options};
use std::collections::BTreeSet;

type Shown = Vec<(u64, u64, Option<u64>, u64, Vec<u8>)>;

fn gathered(rig: &Rig, from: &[Term]) -> (Shown, crate::Gathered) {
    let inspector = Inspector::new(&rig.disk, rig.options.keys.as_ref()).unwrap();
    let mut shown = Vec::new();
    let report = inspector
        .gather(from, &TERMS, &mut |commit| {
            let time = commit.time.map(|time| time.0);
            shown.extend(commit.records.iter().map(|record| {
                (commit.number, commit.offset, time, record.sequence.0, record.payload.to_vec())
            }));
        })
        .unwrap();
    (shown, report)
}

/// The same from walks: one for each step of the way.
fn filtered(rig: &Rig, from: &[Term]) -> Shown {
    let mut wanted: BTreeSet<Term> = from.iter().copied().collect();
    loop {
        let before = wanted.clone();
        let inspector = Inspector::new(&rig.disk, rig.options.keys.as_ref()).unwrap();
        let mut shown = Shown::new();
        let _ = inspector
            .walk(&mut |commit| {
                for record in commit.records {
                    let mut terms = Vec::new();
                    TERMS.collect(record, &mut terms);
                    let counts = !commit.void && commit.segment.lane == Lane::Results;
                    if !counts || record.own().is_some() || !terms.iter().any(|term| before.contains(term)) {
                        continue;
                    }
                    wanted.extend(terms.into_iter().filter(|term| !term.is_at_hand()));
                    let time = commit.time.map(|time| time.0);
                    shown.retain(|(_, _, _, sequence, _)| *sequence != record.sequence.0);
                    shown.push((
                        commit.number,
                        commit.offset,
                        time,
                        record.sequence.0,
                        record.payload.to_vec(),
                    ));
                }
            })
            .unwrap();
        if wanted == before {
            return shown;
        }
    }
}

/// A message (on-file tag) of two specimens (at-hand tags), its pieces and what came of it, over many segments.
fn messages(rig: &Rig) {
    for message in 0..40_u8 {
        for piece in 0..3 {
            let _ = rig.note(&[], &[message], vec![piece; 700]);
        }
        let specimens = [100 + message % 10, 100 + (message + 1) % 10];
        let outcome = tagged(NOTE, &specimens, &[message], vec![message; 20]);
        let oru = tagged(NOTE, &[], &[message, 50 + message], vec![message; 400]);
        let _ = rig.append(Lane::Results, vec![oru, outcome]).unwrap();
        let _ = rig.note(&[], &[50 + message], vec![message; 30]);
    }
}

#[test]
fn what_is_linked_is_gathered_and_strangers_of_the_same_specimen_are_not() {
    for options in [small(), sealed(&[1]), Options { max_size: 256 << 10, ..small() }] {
        let rig = Rig::new(options);
        messages(&rig);
        rig.index();
        for from in
            [vec![at_hand(109)], vec![on_file(39)], vec![on_file(50 + 38)], vec![at_hand(100), on_file(38)]]
        {
            let (shown, report) = gathered(&rig, &from);
            assert_eq!(shown, filtered(&rig, &from), "{from:?}");
            assert!(!shown.is_empty() && report.damaged.is_empty() && report.gone == 0, "{report:?}");
        }
        let (shown, _) = gathered(&rig, &[on_file(39)]);
        assert_eq!(
            shown.len(),
            6,
            "three pieces, an outcome, an ORU, a delivery; no other message of its specimens"
        );
        let number = shown[3].3;
        let (by_number, _) = gathered(&rig, &[Term::number(number)]);
        assert_eq!(by_number, shown);
    }
}

#[test]
fn nothing_is_written_by_a_gathering() {
    let rig = Rig::new(small());
    messages(&rig);
    let steps = rig.disk.steps();
    let _ = gathered(&rig, &[at_hand(109)]);
    assert_eq!(rig.disk.steps(), steps);
}
