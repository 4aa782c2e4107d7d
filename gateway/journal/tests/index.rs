//! The index as the gateway uses it: filled by its thread, in a folder.
//!
//! Promises that waiting for it ends when it is filled, and that a journal without terms has none. What is found is
//! compared with a walk in `src/index/tests`.
#![allow(clippy::unwrap_used)]

mod common;

use common::{NOW, batch, record, segments, small};
use orugate_journal::model::ModelDisk;
use orugate_journal::{
    Batch, FileStorage, Indexed, Journal, Keeper, Lane, Location, Options, RecordRef, Storage, Term, Urgency,
};
use std::sync::Arc;
use std::time::Duration;

/// Finds by the first byte, and needs nothing.
struct ByFirst;

impl Keeper for ByFirst {
    fn seen(&self, _: &[RecordRef<'_>]) {}

    fn checkpoint(&self) -> Vec<u8> {
        vec![1]
    }

    fn restore(&self, _: &[u8]) -> bool {
        true
    }

    fn needed_in(&self, _: Lane, _: u64) -> Vec<Location> {
        Vec::new()
    }

    fn needed_bytes(&self) -> u64 {
        0
    }

    fn thinned(&self, _: u64) {}

    fn terms_version(&self) -> u32 {
        1
    }

    fn terms(&self, record: &RecordRef<'_>, found_by: &mut dyn FnMut(Term)) {
        record.payload.first().into_iter().for_each(|first| found_by(term(*first)));
    }
}

const fn term(first: u8) -> Term {
    Term::at_hand((first as u64) << 40)
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn the_thread_fills_it_after_a_start_and_it_ends_with_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let storage = || FileStorage::new(folder.path()).unwrap();
    drop(Journal::create(storage(), NOW, small()).unwrap());
    for start in 1..=3_u64 {
        let (journal, _) = Journal::open_for(storage(), small(), Arc::new(ByFirst)).unwrap();
        for number in 0..30 {
            let text = format!("{}{number}{}", ["a", "b"][number % 2], "-".repeat(5_000));
            let batch = Batch::new(Lane::Results, Urgency::Now, record(&text));
            let _ = journal.append_wait(batch).unwrap();
        }
        assert!(journal.wait_indexed(LONG));
        let Indexed { segments, indexed, unreadable } = journal.indexed();
        assert!(segments > start && indexed == segments && unreadable == 0, "{segments} {indexed}");
        let found = journal.find(term(b'b'), 1_000);
        assert_eq!((found.records.len() as u64, found.whole, found.more), (start * 15, true, false));
        assert!(found.records[0].payload().starts_with(b"b29"), "the newest first");
        assert!(found.records.is_sorted_by(|one, next| one.sequence() > next.sequence()));
    }
}

#[test]
fn it_is_right_while_segments_come_and_go_and_somebody_searches() {
    let folder = tempfile::tempdir().unwrap();
    let storage = || FileStorage::new(folder.path()).unwrap();
    let tight = Options { max_size: 512 << 10, ..small() };
    drop(Journal::create(storage(), NOW, tight.clone()).unwrap());
    for _ in 0..3 {
        let (journal, _) = Journal::open_for(storage(), tight.clone(), Arc::new(ByFirst)).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..500 {
                    let found = journal.find(term(b'b'), 7).records;
                    assert!(found.iter().all(|record| record.payload().starts_with(b"b")));
                    assert!(found.is_sorted_by(|one, next| one.sequence() > next.sequence()));
                }
            });
            for number in 0..300 {
                let text = format!("{}{number}{}", ["a", "b"][number % 2], "-".repeat(2_500));
                let receipt =
                    journal.append_wait(Batch::new(Lane::Results, Urgency::Now, record(&text))).unwrap();
                // Whoever has the receipt finds it.
                let newest = journal.find(term(text.as_bytes()[0]), 1).records;
                assert_eq!(newest[0].sequence(), receipt.first());
            }
        });
        assert!(journal.wait_indexed(LONG));
        let mut shown = Vec::new();
        let damaged = journal.walk(&mut |record| {
            if record.own().is_none() && record.payload.starts_with(b"a") {
                shown.push(record.sequence);
            }
        });
        assert_eq!(damaged.unwrap(), []);
        let found = journal.find(term(b'a'), 1_000);
        assert!(found.whole && found.records.iter().rev().map(|record| record.sequence()).eq(shown));
    }
}

#[test]
fn a_journal_without_terms_has_no_index() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::create(FileStorage::new(folder.path()).unwrap(), NOW, small()).unwrap();
    assert!(!journal.wait_indexed(LONG));
    assert_eq!(journal.indexed(), Indexed::default());
    assert!(journal.find(term(b'a'), 1).records.is_empty());
}

#[test]
fn a_void_commit_is_not_found_although_the_one_behind_it_has_lost_its_records() {
    let disk = ModelDisk::new();
    drop(Journal::create(disk.clone(), NOW, small()).unwrap());
    let start = || Journal::open_for(disk.clone(), small(), Arc::new(ByFirst)).unwrap().0;
    let journal = start();
    let _ = journal.append_wait(batch(&["one"])).unwrap();
    disk.fail_syncs_from(1);
    assert!(journal.append_wait(batch(&["void"])).is_err());
    disk.fail_syncs_from(0);
    for text in ["two", "three"] {
        let _ = journal.append_wait(batch(&[text])).unwrap();
    }
    drop(journal);
    let last = segments(&disk, Lane::Results).pop().unwrap();
    disk.edit(&last, |bytes| bytes[2 * 4096 + 90] ^= 1);
    for name in disk.names().iter().filter(|name| name.ends_with(".idx")) {
        disk.remove(name).unwrap();
    }
    let journal = start();
    assert!(journal.wait_indexed(LONG));
    let found = |first| journal.find(term(first), 10).records.len();
    // "two" and "three" begin alike.
    assert_eq!([found(b'o'), found(b'v'), found(b't')], [1, 0, 1]);
    assert_eq!(journal.indexed().unreadable, 1);
}
