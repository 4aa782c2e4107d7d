//! What is gathered is what a filter of the full walk leaves.

use super::rig::{NOTE, OPEN, Rig, TERMS, at_hand, copy, on_file, sealed, sidecars, small, tagged, terms};
use crate::index::{Term, Terms};
use crate::{Batch, Inspector, Lane, Options, RecordRef, Seq, Storage, Urgency};
use std::cell::Cell;
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
        // A copy without sidecars, and one whose sidecars are of other terms.
        let (_, report) = gathered(&rig, &[on_file(39)]);
        assert_eq!((report.walked, report.segments > 3), (1, true), "the one that is written to: {report:?}");
        let bare = copy(&rig.disk);
        sidecars(&bare).iter().for_each(|name| bare.remove(name).unwrap());
        for (disk, version) in [(&bare, 1), (&rig.disk, 2)] {
            let mut again = Vec::new();
            let inspector = Inspector::new(disk, rig.options.keys.as_ref()).unwrap();
            let report = inspector
                .gather(&[on_file(39)], &Terms { version, of: &terms }, &mut |commit| {
                    again.extend(commit.records.iter().map(|record| record.sequence.0));
                })
                .unwrap();
            assert!(again.iter().eq(shown.iter().map(|(_, _, _, sequence, _)| sequence)));
            assert_eq!(report.walked, report.segments);
        }
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

/// All that is asked for is needed, and the segments that it is in go while it is looked for.
#[test]
fn what_is_carried_meanwhile_is_shown_once() {
    for after in (0..160).step_by(13) {
        let rig = Rig::new(small());
        let mut kept: Vec<Seq> = Vec::new();
        for number in 0..30 {
            let record = tagged(OPEN, &[], &[7], vec![number]);
            kept.push(rig.append(Lane::Results, vec![record]).unwrap().first());
            let _ = rig.note(&[1], &[], vec![number; 3_000]);
        }
        let asked = Cell::new(0);
        let of = |record: &RecordRef<'_>, found_by: &mut dyn FnMut(Term)| {
            if asked.replace(asked.get() + 1) == after {
                for number in 0..120 {
                    let batch =
                        Batch::new(Lane::Results, Urgency::Now, tagged(NOTE, &[], &[], vec![number; 9_000]));
                    let _ = rig.journal.append_wait(batch).unwrap();
                }
            }
            terms(record, found_by);
        };
        let mut shown = Vec::new();
        let report = Inspector::new(&rig.disk, None)
            .unwrap()
            .gather(&[on_file(7)], &Terms { version: 1, of: &of }, &mut |commit| {
                shown.extend(commit.records.iter().map(|record| record.sequence));
            })
            .unwrap();
        shown.sort_unstable();
        assert_eq!((shown, report.gone, report.damaged), (kept, 0, vec![]), "after {after}");
    }
}

#[test]
fn a_record_that_its_sidecar_knows_and_that_is_damaged_is_told() {
    let rig = Rig::new(small());
    messages(&rig);
    rig.index();
    let (before, _) = gathered(&rig, &[at_hand(106)]);
    let newest = &rig.journal.find(at_hand(106), 1).records[0];
    let at = newest.location;
    let name = format!("results-{:016x}.seg", at.segment());
    rig.disk.edit(&name, |bytes| bytes[at.offset() as usize + 25] ^= 1);
    let (left, report) = gathered(&rig, &[at_hand(106)]);
    let has = |shown: &Shown| shown.iter().any(|(_, _, _, sequence, _)| *sequence == newest.sequence().0);
    assert_eq!((has(&before), has(&left), left.is_empty()), (true, false, false));
    assert_eq!((&report.damaged[0].file, report.damaged[0].offset), (&name, u64::from(at.offset())));
    assert_eq!(report.damaged.len(), 1);
}
