//! The journal as its user sees it: commits that group, numbers, lanes, the lock, a real directory.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests are not themselves tests to clippy"
)]

mod common;

use common::{NOW, batch, create, open, record, segments, small, texts};
use orugate_journal::model::{Crash, ModelDisk};
use orugate_journal::{
    AppendError, Batch, CreateError, FileStorage, Journal, Kind, Lane, NewRecord, OpenError, Options,
    ReadError, ReserveError, Seq, UnixMillis, Urgency,
};
use std::sync::mpsc::channel;
use std::time::Duration;

#[test]
fn what_arrives_during_a_sync_becomes_one_commit() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let _ = journal.append_wait(batch(&["first"])).unwrap();
    let syncs = disk.syncs();
    disk.hold_syncs();
    let (sender, receiver) = channel();
    let append = |text: &str| {
        let sender = sender.clone();
        journal.append(batch(&[text]), move |result| sender.send(result.unwrap().first()).unwrap());
    };
    append("alone");
    disk.wait_until_held();
    (0..50).for_each(|number| append(&format!("grouped {number}")));
    assert!(receiver.try_recv().is_err(), "nothing is done before its sync");
    disk.release_syncs();
    let sequences: Vec<Seq> = receiver.iter().take(51).collect();
    assert_eq!(disk.syncs() - syncs, 2);
    assert!(sequences.is_sorted());
    drop(journal);
    let (_journal, recovery, seen) = open(&disk);
    assert_eq!((recovery.commits, recovery.records, seen.len()), (3, 52, 52));
}

#[test]
fn a_patient_batch_rides_with_an_urgent_one() {
    let disk = ModelDisk::new();
    let options = Options { soon: Duration::from_secs(3600), ..small() };
    let journal = Journal::create(disk.clone(), NOW, options).unwrap();
    let (sender, receiver) = channel();
    let soon = Batch::new(Lane::Results, Urgency::Soon, record("soon"));
    journal.append(soon, move |result| sender.send(result.unwrap().last()).unwrap());
    let now = journal.append_wait(batch(&["now"])).unwrap();
    assert!(receiver.recv().unwrap() < now.first());
    drop(journal);
    let (_journal, recovery, seen) = open(&disk);
    assert_eq!((recovery.commits, texts(&seen)), (1, vec!["soon", "now"]));
}

#[test]
fn a_patient_batch_does_not_wait_for_ever() {
    for lane in Lane::ALL {
        let options = Options { soon: Duration::from_millis(10), ..small() };
        let journal = Journal::create(ModelDisk::new(), NOW, options).unwrap();
        let _ = journal.append_wait(Batch::new(lane, Urgency::Soon, record("soon"))).unwrap();
    }
}

#[test]
fn results_do_not_cause_a_commit_of_snapshots() {
    let disk = ModelDisk::new();
    let options = Options { soon: Duration::from_secs(36_000), ..small() };
    let journal = Journal::create(disk.clone(), NOW, options).unwrap();
    let snapshot = |urgency, text: &str| Batch::new(Lane::Snapshots, urgency, record(text));
    journal.append(snapshot(Urgency::Soon, "soon"), |result| assert!(result.is_ok()));
    let _ = journal.append_wait(batch(&["result"])).unwrap();
    let _ = journal.append_wait(batch(&["another"])).unwrap();
    let _ = journal.append_wait(snapshot(Urgency::Now, "now")).unwrap();
    drop(journal);
    let (_journal, recovery, seen) = open(&disk);
    assert_eq!((recovery.commits, texts(&seen)), (3, vec!["result", "another", "soon", "now"]));
}

#[test]
fn a_result_waits_for_one_commit_of_snapshots_at_most() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let (sender, receiver) = channel();
    disk.hold_syncs();
    journal.append(batch(&["held"]), |result| assert!(result.is_ok()));
    disk.wait_until_held();
    // So large that each is a commit of its own.
    let large = || {
        let payload = vec![7; usize::try_from(small().max_commit).unwrap() * 2 / 3];
        let record = NewRecord::encode(Kind(1), 1, &(), payload).unwrap();
        Batch::new(Lane::Snapshots, Urgency::Now, record)
    };
    let (first, second, result) = (sender.clone(), sender.clone(), sender);
    // A frame comes when the first of them is on flash.
    let analyzer = journal.clone();
    journal.append(large(), move |_| {
        first.send("snapshots").unwrap();
        analyzer.append(batch(&["frame"]), move |_| result.send("result").unwrap());
    });
    journal.append(large(), move |_| second.send("more snapshots").unwrap());
    disk.release_syncs();
    let order: Vec<&str> = receiver.iter().collect();
    assert_eq!(order, ["snapshots", "result", "more snapshots"]);
}

#[test]
fn dropping_the_last_handle_commits_what_waits() {
    let disk = ModelDisk::new();
    let options = Options { soon: Duration::from_secs(3600), ..small() };
    let journal = Journal::create(disk.clone(), NOW, options).unwrap();
    journal
        .append(Batch::new(Lane::Results, Urgency::Soon, record("soon")), |result| assert!(result.is_ok()));
    drop(journal.clone());
    drop(journal);
    assert_eq!(texts(&open(&disk.crash(disk.steps(), Crash::Lost)).2), ["soon"]);
}

#[test]
fn a_flood_is_told_busy() {
    let disk = ModelDisk::new();
    let journal = Journal::create(disk.clone(), NOW, Options { queue: 4, ..small() }).unwrap();
    disk.hold_syncs();
    journal.append(batch(&["held"]), |result| assert!(result.is_ok()));
    disk.wait_until_held();
    let (sender, receiver) = channel();
    for _ in 0..6 {
        let sender = sender.clone();
        journal.append(batch(&["more"]), move |result| sender.send(result.map(drop)).unwrap());
    }
    assert!(matches!(receiver.recv().unwrap(), Err(AppendError::Busy)));
    assert!(matches!(receiver.recv().unwrap(), Err(AppendError::Busy)));
    disk.release_syncs();
    assert!((0..4).all(|_| receiver.recv().unwrap().is_ok()));
    // So is one whose bytes do not fit; the queue empties as batches are done.
    let _ = journal.append_wait(batch(&["after"])).unwrap();
}

#[test]
fn a_panicking_caller_does_not_stop_the_journal() {
    let journal = create(&ModelDisk::new());
    journal.append(batch(&["one"]), |_| panic!("a bug in a caller"));
    let _ = journal.append_wait(batch(&["two"])).unwrap();
}

#[test]
fn the_last_handle_may_die_in_a_done() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let (sender, receiver) = channel();
    let held = journal.clone();
    disk.hold_syncs();
    journal.append(batch(&["one"]), move |result| {
        drop(held);
        sender.send(result.is_ok()).unwrap();
    });
    disk.wait_until_held();
    drop(journal);
    disk.release_syncs();
    assert!(receiver.recv().unwrap());
}

#[test]
fn sequences_start_at_the_creation_in_milliseconds_times_a_thousand() {
    let journal = create(&ModelDisk::new());
    assert_eq!(journal.identity().start(), Seq(1_800_000_000_000_000));
    assert_eq!(journal.identity().created(), NOW);
    assert_eq!(journal.reserve(1).unwrap().next().unwrap().get(), Seq(1_800_000_000_000_000));
}

/// The writer is in a sync, and numbers run out meanwhile: it is asked for more once, not with each of them.
#[test]
fn asking_for_numbers_takes_no_places_in_the_queue() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    disk.hold_syncs();
    let (sender, first) = channel();
    journal.append(batch(&["in the sync"]), move |result| sender.send(result).unwrap());
    disk.wait_until_held();
    let given = (0..1 << 20).take_while(|_| journal.reserve(1).is_ok()).count();
    assert!(given > small().queue * 2, "{given} numbers were given meanwhile");
    let (sender, second) = channel();
    journal.append(batch(&["behind it"]), move |result| sender.send(result).unwrap());
    disk.release_syncs();
    assert!(first.recv().unwrap().is_ok());
    assert!(second.recv().unwrap().is_ok());
    let again = (0..1000).any(|_| {
        let _ = journal.append_wait(batch(&["more"])).unwrap();
        journal.reserve(1).is_ok()
    });
    assert!(again, "and it gets more");
}

#[test]
fn reserved_numbers_are_written_and_never_given_again() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let mut numbers = journal.reserve(3).unwrap();
    let (first, lost) = (numbers.next().unwrap(), numbers.next().unwrap().get());
    let sequence = first.get();
    // Rendered with the number first, stored under it later, after another record.
    let _ = journal.append_wait(batch(&["between"])).unwrap();
    let numbered = record(&format!("MSH-10 GW01{}", sequence.0)).numbered(first);
    let receipt = journal.append_wait(Batch::new(Lane::Results, Urgency::Now, numbered)).unwrap();
    assert_eq!((receipt.first(), receipt.last()), (sequence, sequence));
    for _ in 0..3 {
        // Nothing is committed in these runs, and the power fails at their end.
        let crashed = disk.crash(disk.steps(), Crash::Lost);
        let (journal, recovery, _) = open(&crashed);
        assert_eq!(recovery.records, 2);
        let given = journal.reserve(1).unwrap().next().unwrap().get();
        let again =
            open(&crashed.crash(crashed.steps(), Crash::Lost)).0.reserve(1).unwrap().next().unwrap().get();
        assert!(lost < given && given < again);
    }
}

#[test]
fn more_numbers_than_one_ceiling_holds() {
    let journal = create(&ModelDisk::new());
    assert_eq!(journal.reserve(Journal::MAX_RESERVE + 1).unwrap_err(), ReserveError::TooMany);
    let mut last = Seq(0);
    for round in 0..64 {
        let reserved = journal.reserve(Journal::MAX_RESERVE).unwrap();
        for number in reserved {
            assert!(number.get() > last);
            last = number.get();
        }
        // A commit is a moment at which the writer has certainly looked.
        let receipt = journal.append_wait(batch(&[&round.to_string()])).unwrap();
        assert!(receipt.first() > last);
        last = receipt.first();
    }
}

#[test]
fn lanes_have_their_own_segments_and_are_replayed_in_the_order_of_writing() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    for number in 0..6 {
        let lane = Lane::ALL[number % 2];
        let _ = journal.append_wait(Batch::new(lane, Urgency::Now, record(&number.to_string()))).unwrap();
    }
    drop(journal);
    assert_eq!((segments(&disk, Lane::Results).len(), segments(&disk, Lane::Snapshots).len()), (1, 1));
    assert_eq!(texts(&open(&disk).2), ["0", "1", "2", "3", "4", "5"]);
}

#[test]
fn unknown_kinds_and_typed_metas_survive() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let meta = (7_u32, "haematology-1".to_string());
    let record = NewRecord::encode(Kind(0xfeff), 200, &meta, b"\xff\x00raw".to_vec()).unwrap();
    let receipt = journal.append_wait(Batch::new(Lane::Results, Urgency::Now, record)).unwrap();
    let read = journal.read(receipt.locations()[0]).unwrap();
    assert_eq!(
        (read.kind(), read.sequence(), read.payload()),
        (Kind(0xfeff), receipt.first(), &b"\xff\x00raw"[..])
    );
    drop(journal);
    let mut seen = 0;
    let opened = Journal::open(disk, small(), &mut |record| {
        seen += 1;
        assert_eq!((record.kind, record.meta_version, record.sequence), (Kind(0xfeff), 200, receipt.first()));
        assert_eq!(record.decode::<(u32, String)>().unwrap(), meta);
        assert_eq!(record.payload, b"\xff\x00raw");
    });
    opened.unwrap();
    assert_eq!(seen, 1);
}

#[test]
fn the_newest_trusted_time_comes_back() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let _ = journal.append_wait(batch(&["one"]).at(UnixMillis(1_800_000_005_000))).unwrap();
    let _ = journal.append_wait(batch(&["two"]).at(UnixMillis(1_800_000_004_000))).unwrap();
    let _ = journal.append_wait(batch(&["three"])).unwrap();
    drop(journal);
    assert_eq!(open(&disk).1.newest_time, Some(UnixMillis(1_800_000_005_000)));
}

#[test]
fn every_start_writes_to_a_segment_of_its_own() {
    let disk = ModelDisk::new();
    drop(create(&disk));
    for text in ["one", "two"] {
        let (journal, _, _) = open(&disk);
        assert_eq!(
            segments(&disk, Lane::Results).len(),
            if text == "one" { 0 } else { 2 },
            "at the first append, or for the last commit, which a start writes again"
        );
        let _ = journal.append_wait(batch(&[text])).unwrap();
    }
    let (journal, recovery, seen) = open(&disk);
    assert_eq!((texts(&seen), recovery.segments), (vec!["one", "two"], 3));
    assert_eq!((recovery.used, journal.space().used), (96 << 10, 96 << 10));
}

#[test]
fn creation_is_deliberate_and_happens_once() {
    let disk = ModelDisk::new();
    assert!(matches!(Journal::open(disk.clone(), small(), &mut |_| {}), Err(OpenError::Missing)));
    let unset = UnixMillis(1_735_689_599_999);
    assert!(matches!(Journal::create(disk.clone(), unset, small()), Err(CreateError::ClockUnset(_))));
    drop(create(&disk));
    let again = Journal::create(disk.clone(), NOW, small());
    assert!(matches!(again, Err(CreateError::Exists(what)) if what == "journal.id"));
    // A lost identity beside data is not an empty directory.
    let _ = open(&disk).0.append_wait(batch(&["one"])).unwrap();
    orugate_journal::Storage::remove(&disk, "journal.id").unwrap();
    assert!(
        matches!(Journal::create(disk, NOW, small()), Err(CreateError::Exists(what)) if what.ends_with(".seg"))
    );
}

#[test]
fn a_creation_that_was_cut_off_can_be_repeated() {
    let disk = ModelDisk::new();
    drop(create(&disk));
    for step in 0..disk.steps() {
        for how in [Crash::Lost, Crash::Kept, Crash::Torn(1), Crash::Torn(2), Crash::Torn(3)] {
            let cut = disk.crash(step, how);
            match Journal::open(cut.clone(), small(), &mut |_| {}) {
                Ok(_) => {}
                Err(OpenError::Missing | OpenError::IdentityDamaged) => drop(create(&cut)),
                Err(other) => panic!("{other} at step {step}, {how:?}"),
            }
        }
    }
}

#[test]
fn the_handle_goes_everywhere() {
    fn goes<T: Clone + Send + Sync + 'static>() {}
    goes::<Journal>();
}

/// A location is data that serde reads; it must not make the journal allocate what it likes.
#[test]
fn a_location_that_was_made_up_is_an_error() {
    let journal = create(&ModelDisk::new());
    let receipt = journal.append_wait(batch(&["one"])).unwrap();
    let at = receipt.locations()[0];
    let segment = at.segment();
    // lane, segment, offset, len: as postcard encodes it
    let made_up = postcard::to_stdvec(&(0_u8, segment, at.offset(), u32::MAX)).unwrap();
    let made_up: orugate_journal::Location = postcard::from_bytes(&made_up).unwrap();
    assert_eq!((made_up.segment(), made_up.len()), (segment, u32::MAX));
    assert!(matches!(journal.read(made_up), Err(ReadError::Damaged(_))));
    let elsewhere = postcard::to_stdvec(&(1_u8, segment, at.offset(), at.len())).unwrap();
    let elsewhere = postcard::from_bytes(&elsewhere).unwrap();
    assert!(
        matches!(journal.read(elsewhere), Err(ReadError::NoSegment(Lane::Snapshots, number)) if number == segment)
    );
}

#[test]
fn only_one_process_has_it() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    assert!(matches!(Journal::open(disk.clone(), small(), &mut |_| {}), Err(OpenError::Locked)));
    drop(journal);
    drop(open(&disk));
}

#[test]
fn options_that_contradict_themselves_are_refused() {
    for wrong in [
        Options { segment_size: 5000, ..small() },
        Options { max_commit: 30 << 10, ..small() },
        Options { max_size: 40 << 10, ..small() },
        Options { queue: 0, ..small() },
        Options { queue_bytes: 1, ..small() },
    ] {
        let result = Journal::create(ModelDisk::new(), NOW, wrong.clone());
        assert!(matches!(result, Err(CreateError::Open(OpenError::Options(_)))), "{wrong:?}");
    }
    assert!(Journal::create(ModelDisk::new(), NOW, Options::default()).is_ok());
}

#[test]
fn a_real_directory() {
    let directory = tempfile::tempdir().unwrap();
    let storage = FileStorage::new(directory.path()).unwrap();
    let journal = Journal::create(storage.clone(), NOW, small()).unwrap();
    assert!(matches!(Journal::open(storage.clone(), small(), &mut |_| {}), Err(OpenError::Locked)));
    let long = "x".repeat(9000);
    let receipts: Vec<_> = (0..8).map(|_| journal.append_wait(batch(&["short", &long])).unwrap()).collect();
    assert_eq!(journal.read(receipts[7].locations()[1]).unwrap().payload(), long.as_bytes());
    assert_eq!(journal.space().segments, 4);
    drop(journal);

    let mut seen = 0;
    let (journal, recovery) = Journal::open(storage, small(), &mut |_| seen += 1).unwrap();
    assert_eq!((seen, recovery.segments, recovery.torn_bytes, recovery.damaged.len()), (16, 5, 0, 0));
    for at in receipts.iter().flat_map(|receipt| receipt.locations()) {
        assert!(journal.read(*at).is_ok());
    }
    let missing = FileStorage::new(directory.path().join("missing"));
    assert_eq!(missing.unwrap_err().kind(), std::io::ErrorKind::NotFound);
}
