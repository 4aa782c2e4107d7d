//! One named test for each way in which a disk fails under a journal with a keeper: no receipt that is not true, the journal
//! goes on, and it says what is wrong. `cuts` tries all of this by chance and at every step.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not themselves tests to clippy")]

mod common;

use common::ledger::{Ledger, close, item};
use common::{NOW, segments, small};
use orugate_journal::model::{Crash, ModelDisk, Operation};
use orugate_journal::{
    AppendError, Batch, Claim, DamageKind, Health, Journal, Lane, OpenError, Options, Recovery, Seq, Urgency,
};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;

fn tight() -> Options {
    Options { segment_size: 32 << 10, max_size: 320 << 10, ..small() }
}

fn start(disk: &ModelDisk) -> (Journal, Arc<Ledger>, Recovery) {
    let ledger = Arc::new(Ledger::default());
    let (journal, recovery) = Journal::open_for(disk.clone(), tight(), ledger.clone()).unwrap();
    (journal, ledger, recovery)
}

fn fresh() -> (ModelDisk, Journal, Arc<Ledger>) {
    let disk = ModelDisk::new();
    drop(Journal::create(disk.clone(), NOW, tight()).unwrap());
    let (journal, ledger, _) = start(&disk);
    (disk, journal, ledger)
}

fn append(journal: &Journal, bytes: &[u8]) -> Result<Seq, AppendError> {
    journal.append_wait(Batch::new(Lane::Results, Urgency::Now, item(bytes))).map(|receipt| receipt.first())
}

fn settle(journal: &Journal, item: Seq) -> Result<(), AppendError> {
    let batch = Batch::new(Lane::Results, Urgency::Now, close(item)).claim(Claim::Settling);
    journal.append_wait(batch).map(drop)
}

/// An item that stays, and so much that came and went that segments were given back, used again and carried over.
fn lived(rounds: u32) -> (ModelDisk, Journal, Arc<Ledger>, Seq) {
    let (disk, journal, ledger) = fresh();
    let pinned = append(&journal, b"pinned").unwrap();
    for number in 0..rounds {
        let made = append(&journal, &number.to_le_bytes().repeat(500)).unwrap();
        settle(&journal, made).unwrap();
    }
    (disk, journal, ledger, pinned)
}

/// The power fails; what is found is what there should be, and it goes on.
fn holds(disk: &ModelDisk, how: Crash, expected: &BTreeMap<Seq, Vec<u8>>) {
    let disk = disk.crash(disk.steps(), how);
    let (journal, ledger, recovery) = start(&disk);
    assert_eq!(recovery.damaged, []);
    let open = ledger.open();
    let read = |at| journal.read(at).unwrap().payload().to_vec();
    let found: BTreeMap<_, _> = open.items.iter().map(|(number, at)| (*number, read(*at))).collect();
    assert_eq!(&found, expected);
    assert_eq!((open.unknown, open.closed_twice), (0, 0));
    append(&journal, b"more").unwrap();
    assert_eq!(journal.health(), Health::Good);
}

#[test]
fn a_disk_that_is_full_in_the_middle_of_a_commit() {
    let (disk, journal, _, pinned) = lived(3);
    disk.fail(Operation::Write, 1, ErrorKind::StorageFull);
    // To another segment, and with a receipt that is true.
    let made = append(&journal, b"second attempt").unwrap();
    assert_eq!(journal.health(), Health::Good);
    let expected = [(pinned, b"pinned".to_vec()), (made, b"second attempt".to_vec())].into();
    holds(&disk, Crash::Lost, &expected);
    holds(&disk, Crash::Kept, &expected);
}

#[test]
fn no_space_for_a_name_while_segments_are_given_back() {
    for operation in [Operation::Rename, Operation::SyncDir, Operation::Create] {
        let (disk, journal, _, pinned) = lived(60);
        let (mut refused, mut told) = (0, 0);
        let mut expected = BTreeMap::from([(pinned, b"pinned".to_vec())]);
        for number in 0..120_u32 {
            if number % 10 == 0 {
                disk.fail(operation, 1, ErrorKind::StorageFull);
            }
            match append(&journal, &number.to_le_bytes().repeat(500)) {
                Ok(made) => {
                    if settle(&journal, made).is_err() {
                        expected.insert(made, number.to_le_bytes().repeat(500));
                    }
                }
                Err(error) => {
                    refused += 1;
                    told += u32::from(journal.health() != Health::Good || matches!(error, AppendError::Full));
                }
            }
        }
        assert!(refused < 13, "{operation:?}: {refused} refused");
        assert_eq!(refused, told, "{operation:?}");
        disk.calm();
        append(&journal, b"works").map(|made| expected.insert(made, b"works".to_vec())).unwrap();
        assert_eq!(journal.health(), Health::Good);
        for how in [Crash::Lost, Crash::Kept, Crash::Torn(7)] {
            holds(&disk, how, &expected);
        }
    }
}

#[test]
fn a_file_system_that_is_remounted_for_reading_and_back() {
    let (disk, journal, ledger, pinned) = lived(60);
    disk.read_only(true);
    for number in 0..10_u32 {
        assert!(append(&journal, &number.to_le_bytes().repeat(500)).is_err());
        assert!(matches!(journal.health(), Health::Failed(_)), "{:?}", journal.health());
    }
    assert!(settle(&journal, pinned).is_err());
    assert_eq!(journal.read(ledger.open().items[&pinned]).unwrap().payload(), b"pinned");
    // The next process says so too, rather than begin something that it cannot keep.
    let other = disk.crash(disk.steps(), Crash::Kept);
    other.read_only(true);
    let refused = Journal::open_for(other.clone(), tight(), Arc::new(Ledger::default()));
    assert!(matches!(refused, Err(OpenError::Disk(_))));
    disk.read_only(false);
    let made = append(&journal, b"again").unwrap();
    assert_eq!(journal.health(), Health::Good);
    let expected = [(pinned, b"pinned".to_vec()), (made, b"again".to_vec())].into();
    for how in [Crash::Lost, Crash::Kept, Crash::Torn(3)] {
        holds(&disk, how, &expected);
    }
}

#[test]
fn a_flipped_byte_anywhere_is_told_or_harms_nothing() {
    let (disk, journal, ledger, pinned) = lived(75);
    let other = append(&journal, b"newer").unwrap();
    assert!(ledger.open().copies > 0, "a carried copy is among what is flipped");
    drop(journal);
    let (mut told, mut flips) = (0, 0);
    for name in disk.names() {
        let len = disk.bytes(&name).unwrap().len();
        // Headers of files, commits and records, and what is in them; an odd step reaches all of it.
        for at in
            (0..len).step_by(4096).flat_map(|page| [page + 5, page + 60, page + 75, page + 93, page + 401])
        {
            let image = disk.crash(disk.steps(), Crash::Kept);
            image.edit(&name, |bytes| bytes[at] ^= 0x10);
            let (journal, ledger, recovery) = start(&image);
            flips += 1;
            told += u32::from(!recovery.damaged.is_empty());
            for (number, bytes) in [(pinned, &b"pinned"[..]), (other, b"newer")] {
                match ledger.open().items.get(&number).map(|place| journal.read(*place)) {
                    Some(Ok(record)) => assert_eq!(record.payload(), bytes, "{name} {at}"),
                    // An error, never other bytes; the start need not have read that part.
                    Some(Err(_)) => {}
                    None => assert!(!recovery.damaged.is_empty(), "{name} {at}: {number} is lost in silence"),
                }
            }
            append(&journal, b"more").unwrap();
            assert_eq!(journal.health(), Health::Good, "{name} {at}");
            image.fail_everything(true);
        }
    }
    assert!(told >= 15 && flips >= 250, "{told} of {flips} flips were told at the start");
}

#[test]
fn a_flipped_record_of_a_segment_given_back_is_told() {
    let (disk, journal, _, pinned) = lived(75);
    drop(journal);
    // The older of both checkpoints is used, and the commits behind it are read; without the newest segment's first pages.
    let newest = segments(&disk, Lane::Results).pop().unwrap();
    disk.edit(&newest, |bytes| bytes[2 * 4096 + 90] ^= 1);
    let (journal, ledger, recovery) = start(&disk);
    assert!(recovery.damaged.iter().all(|damage| damage.file == newest), "{recovery:?}");
    assert_eq!(journal.read(ledger.open().items[&pinned]).unwrap().payload(), b"pinned");
}

#[test]
fn a_lost_segment_is_told_and_the_rest_goes_on() {
    let (disk, journal, ledger, pinned) = lived(75);
    let place = ledger.open().items[&pinned];
    drop(journal);
    let name = format!("results-{:016x}.seg", place.segment());
    orugate_journal::Storage::remove(&disk, &name).unwrap();
    let (journal, ledger, recovery) = start(&disk);
    assert!(
        recovery
            .damaged
            .iter()
            .any(|damage| damage.file == name && damage.kind == DamageKind::MissingSegment)
    );
    assert!(journal.read(ledger.open().items[&pinned]).is_err());
    append(&journal, b"more").unwrap();
    assert_eq!(journal.health(), Health::Good);
}

#[test]
fn a_second_attempt_counts_where_the_first_was_only_in_the_page_cache() {
    let (disk, journal, _, pinned) = lived(3);
    disk.fail_sync(1);
    let made = append(&journal, b"twice").unwrap();
    let killed = disk.kill(disk.steps());
    let (_journal, _, _) = start(&killed);
    let expected = [(pinned, b"pinned".to_vec()), (made, b"twice".to_vec())].into();
    holds(&killed, Crash::Lost, &expected);
}

#[test]
fn what_only_the_page_cache_has_is_written_again_before_it_is_shown() {
    let (disk, journal, _, pinned) = lived(3);
    disk.fail_syncs_from(1);
    assert!(matches!(append(&journal, b"no receipt"), Err(AppendError::Failed(_))));
    let killed = disk.kill(disk.steps());
    let (_journal, ledger, recovery) = start(&killed);
    assert_eq!(recovery.unconfirmed, 0);
    let (made, _) = ledger.open().items.pop_last().unwrap();
    let expected = [(pinned, b"pinned".to_vec()), (made, b"no receipt".to_vec())].into();
    holds(&killed, Crash::Lost, &expected);
}

#[test]
fn a_file_is_not_written_over_before_its_new_name_is_durable() {
    let (disk, journal, _, pinned) = lived(60);
    drop(journal);
    let last = disk.steps();
    for step in last - 60..last {
        let killed = disk.kill(step);
        let (journal, ledger, _) = start(&killed);
        let open = ledger.open().items;
        for number in 0..3_u32 {
            if let Ok(made) = append(&journal, &number.to_le_bytes().repeat(3000)) {
                settle(&journal, made).unwrap();
            }
        }
        drop(journal);
        for cut in step..=killed.steps() {
            let crashed = killed.crash(cut, Crash::Lost);
            // From a checkpoint a start would not even look at what was given back.
            let all = Arc::new(Ledger::refusing());
            let (_journal, recovery) = Journal::open_for(crashed.clone(), tight(), all.clone()).unwrap();
            assert_eq!(recovery.damaged, [], "killed behind step {step}, cut behind step {cut}");
            assert!(open.contains_key(&pinned) && !recovery.from_checkpoint);
            crashed.fail_everything(true);
        }
    }
}

#[test]
fn a_segment_that_cannot_be_given_back_stays_the_oldest() {
    let (disk, journal, ledger, pinned) = lived(60);
    let oldest = |disk: &ModelDisk| segments(disk, Lane::Results).remove(0);
    let first = oldest(&disk);
    let mut refused = 0;
    for number in 0..40_u32 {
        if oldest(&disk) == first {
            disk.calm();
            disk.fail(Operation::Rename, 1, ErrorKind::PermissionDenied);
            disk.fail(Operation::Remove, 1, ErrorKind::PermissionDenied);
        }
        match append(&journal, &number.to_le_bytes().repeat(500)) {
            Ok(made) => drop(settle(&journal, made)),
            Err(_) => refused += 1,
        }
        assert!(journal.space().used <= 320 << 10);
        if refused > 3 {
            break;
        }
    }
    assert!(refused > 3, "its turn comes again and again");
    assert_eq!(oldest(&disk), first);
    disk.calm();
    append(&journal, b"works").unwrap();
    assert_ne!(oldest(&disk), first);
    assert_eq!(journal.read(ledger.open().items[&pinned]).unwrap().payload(), b"pinned");
}
