//! The promise itself, tried at every step: random work on the model disk, with failing writes and syncs and clean
//! restarts, and the power cut behind steps of its history in several ways. After each cut:
//! - every record whose receipt was out by then is there, intact, once, at its place;
//! - every batch is there whole or not at all;
//! - no number is there twice, and the next numbers are above all that were ever given;
//! - within a lane the order is that of the appends;
//! - nothing is called damage;
//! - and the same holds again after more work and a second cut.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests are not themselves tests to clippy"
)]

mod common;

use common::{NOW, sealed, small};
use orugate_journal::model::{Crash, ModelDisk};
use orugate_journal::{
    AppendError, Batch, Journal, Kind, Lane, Location, NewRecord, Options, Receipt, Seq, Urgency,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::channel;

#[derive(Debug, Clone)]
enum Work {
    /// One batch: lane, payload lengths, whether its first record has a reserved number.
    Append(Lane, Vec<usize>, bool),
    /// Batches that arrive while a sync is held.
    Group(Vec<(Lane, usize)>),
    Reserve(u32),
    FailSync(u32),
    FailWrite(u32),
    Restart,
    /// The process is killed behind its last write; nothing is lost, nothing more is durable.
    Kill,
}

fn lane() -> impl Strategy<Value = Lane> {
    prop_oneof![3 => Just(Lane::Results), 1 => Just(Lane::Snapshots)]
}

fn work() -> impl Strategy<Value = Work> {
    let length = prop_oneof![4 => 0_usize..200, 1 => 3500_usize..4700];
    prop_oneof![
        8 => (lane(), prop::collection::vec(length, 1..4), any::<bool>()).prop_map(|(l, r, n)| Work::Append(l, r, n)),
        2 => prop::collection::vec((lane(), 0_usize..3000), 2..6).prop_map(Work::Group),
        2 => (1_u32..5).prop_map(Work::Reserve),
        1 => (1_u32..4).prop_map(Work::FailSync),
        1 => (1_u32..4).prop_map(Work::FailWrite),
        1 => Just(Work::Restart),
        1 => Just(Work::Kill),
    ]
}

/// A record's bytes tell which batch it is of, which one in it, and of how many; the rest follows from that.
fn payload(batch: u32, index: usize, count: usize, filler: usize) -> Vec<u8> {
    let mut bytes = vec![batch.to_le_bytes()[0], batch.to_le_bytes()[1], index as u8, count as u8];
    bytes.resize(4 + filler, batch.to_le_bytes()[0]);
    bytes
}

fn is_intact(bytes: &[u8]) -> bool {
    let id = u32::from_le_bytes([bytes[0], bytes[1], 0, 0]);
    bytes == payload(id, bytes[2].into(), bytes[3].into(), bytes.len() - 4)
}

/// A receipt: the step by which it was out, and what it said.
#[derive(Clone)]
struct Promise {
    step: usize,
    records: Vec<(Seq, Location)>,
}

/// What a caller knows, with the step by which it knew.
#[derive(Default)]
struct Known {
    batches: u32,
    /// A write is going to fail, so that a sync may never be reached.
    write_fails: bool,
    /// By batch.
    receipts: BTreeMap<u32, Promise>,
    /// Numbers that somebody may have seen.
    numbers: Vec<(usize, Seq)>,
}

impl Known {
    fn new_batch(&mut self, lane: Lane, lengths: &[usize]) -> (u32, Batch) {
        let id = self.batches;
        self.batches += 1;
        let mut records = lengths.iter().enumerate().map(|(index, length)| {
            NewRecord::new(Kind(index as u16), 1, vec![9; index], payload(id, index, lengths.len(), *length))
        });
        let mut batch = Batch::new(lane, Urgency::Now, records.next().unwrap());
        records.for_each(|record| batch.push(record));
        (id, batch)
    }

    fn learn(&mut self, id: u32, step: usize, result: Result<Receipt, AppendError>) {
        if let Ok(receipt) = result {
            let records: Vec<_> =
                receipt.sequences().iter().copied().zip(receipt.locations().iter().copied()).collect();
            self.numbers.extend(records.iter().map(|(sequence, _)| (step, *sequence)));
            self.receipts.insert(id, Promise { step, records });
        }
    }
}

/// Sends batches without waiting, then collects what became of them and the step at which each was told.
fn send(journal: &Journal, disk: &ModelDisk, known: &mut Known, group: Vec<(u32, Batch)>, hold: bool) {
    let (sender, receiver) = channel();
    if hold {
        disk.hold_syncs();
    }
    let count = group.len();
    for (number, (id, batch)) in group.into_iter().enumerate() {
        let (sender, disk) = (sender.clone(), disk.clone());
        let held = disk.clone();
        journal.append(batch, move |result| sender.send((id, disk.steps(), result)).unwrap());
        if hold && number == 0 {
            held.wait_until_held();
        }
    }
    disk.release_syncs();
    for (id, step, result) in receiver.iter().take(count) {
        known.learn(id, step, result);
    }
}

fn run(disk: &mut ModelDisk, options: &Options, work: &[Work]) -> Known {
    let mut known = Known::default();
    let mut journal = Some(Journal::create(disk.clone(), NOW, options.clone()).unwrap());
    for item in work {
        let open = journal.as_ref().unwrap();
        match item {
            Work::Append(lane, lengths, reserved) => {
                let (id, batch) = known.new_batch(*lane, lengths);
                send(open, disk, &mut known, vec![(id, batch)], false);
                if *reserved {
                    let number = open.reserve(1).unwrap().next().unwrap();
                    known.numbers.push((disk.steps(), number.get()));
                    let id = known.batches;
                    known.batches += 1;
                    let record = NewRecord::new(Kind(0), 0, vec![], payload(id, 0, 1, 7)).numbered(number);
                    let batch = Batch::new(*lane, Urgency::Now, record);
                    send(open, disk, &mut known, vec![(id, batch)], false);
                }
            }
            Work::Group(members) => {
                let mut group = Vec::new();
                for (lane, length) in members {
                    let (id, batch) = known.new_batch(*lane, &[*length, 3]);
                    group.push((id, batch));
                }
                let hold = !known.write_fails;
                send(open, disk, &mut known, group, hold);
            }
            Work::Reserve(count) => {
                let step = disk.steps();
                known.numbers.extend(open.reserve(*count).unwrap().map(|number| (step, number.get())));
            }
            Work::FailSync(nth) => disk.fail_sync(*nth),
            Work::FailWrite(nth) => {
                disk.fail_write(*nth);
                known.write_fails = true;
            }
            Work::Restart | Work::Kill => {
                drop(journal.take());
                if matches!(item, Work::Kill) {
                    *disk = disk.kill(disk.steps());
                }
                // A fault that waits may hit the start, which then refuses; it strikes once.
                let mut tries = (0..8).map(|_| Journal::open(disk.clone(), options.clone(), &mut |_| {}));
                journal = Some(tries.find_map(Result::ok).unwrap().0);
            }
        }
    }
    known
}

/// Recovers and compares with what is known to have been promised by `step`. Gives back the open journal.
fn check(disk: &ModelDisk, options: &Options, known: &Known, step: usize) -> Result<Journal, TestCaseError> {
    let mut seen: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    let mut found = BTreeMap::new();
    let mut sequences = BTreeSet::new();
    let mut order: BTreeMap<Lane, Vec<u32>> = BTreeMap::new();
    let mut twice = None;
    let mut spoiled = 0;
    let opened = Journal::open(disk.clone(), options.clone(), &mut |record| {
        spoiled += usize::from(!is_intact(record.payload));
        let id = u32::from_le_bytes([record.payload[0], record.payload[1], 0, 0]);
        let parts = seen.entry(id).or_insert_with(|| vec![record.payload[3]]);
        parts.push(record.payload[2]);
        if !sequences.insert(record.sequence) {
            twice = Some(record.sequence);
        }
        found.insert(record.location, record.sequence);
        if record.payload[2] == 0 {
            order.entry(record.location.lane()).or_default().push(id);
        }
    });
    let (journal, recovery) = opened.map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(&recovery.damaged, &vec![]);
    prop_assert_eq!(spoiled, 0);
    prop_assert_eq!(twice, None);
    for (id, parts) in &seen {
        let whole: Vec<u8> = (0..parts[0]).collect();
        prop_assert_eq!(&parts[1..], &whole[..], "batch {} is not whole", id);
    }
    for (id, promise) in &known.receipts {
        if promise.step > step {
            continue;
        }
        prop_assert!(
            seen.contains_key(id),
            "batch {} had a receipt at step {} and is gone",
            id,
            promise.step
        );
        for (sequence, at) in &promise.records {
            // A first attempt that survived its failed sync is shown instead of the second; both can be read.
            prop_assert!(sequences.contains(sequence));
            let read = journal.read(*at).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(read.sequence(), *sequence);
            prop_assert!(is_intact(read.payload()));
        }
    }
    for order in order.values() {
        prop_assert!(order.is_sorted(), "out of order: {:?}", order);
    }
    let next = journal.reserve(1).unwrap().next().unwrap().get();
    let seen_before = known.numbers.iter().filter(|(given, _)| *given <= step).map(|(_, number)| *number);
    let newest = seen_before.chain(sequences.iter().copied()).max();
    prop_assert!(newest < Some(next), "{:?} was given already, now {}", newest, next);
    Ok(journal)
}

#[test]
fn every_receipt_stands_after_any_crash() {
    try_crashes(&small());
}

#[test]
fn every_receipt_of_a_sealed_journal_stands_after_any_crash() {
    try_crashes(&sealed(&[1]));
}

fn try_crashes(options: &Options) {
    let states = Cell::new(0_u32);
    let config = Config { cases: 14, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let strategy = (prop::collection::vec(work(), 1..14), any::<u64>());
    let result = runner.run(&strategy, |(work, seed)| {
        let mut disk = ModelDisk::new();
        let known = run(&mut disk, options, &work);
        // The creation itself ends with its directory sync; before that there is no journal to promise anything.
        for step in 4..=disk.steps() {
            let seed = seed.wrapping_add(step as u64);
            for how in [Crash::Lost, Crash::Kept, Crash::Torn(seed), Crash::Torn(seed.rotate_left(17))] {
                let crashed = disk.crash(step, how);
                let journal = check(&crashed, options, &known, step)?;
                states.set(states.get() + 1);
                if step % 8 == 0 {
                    let mut more = Known { batches: known.batches, ..Known::default() };
                    let (id, batch) = more.new_batch(Lane::Results, &[50, 5000]);
                    send(&journal, &crashed, &mut more, vec![(id, batch)], false);
                    drop(journal);
                    let again = crashed.crash(crashed.steps(), Crash::Torn(seed));
                    check(&again, options, &more, usize::MAX)?;
                    let old = Known { batches: 0, ..known_until(&known, step) };
                    check(&again.crash(again.steps(), Crash::Lost), options, &old, usize::MAX)?;
                    states.set(states.get() + 2);
                }
            }
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    let states = states.get();
    println!("{states} crash states");
    assert!(states > 1500, "only {states} crash states were tried");
}

fn known_until(known: &Known, step: usize) -> Known {
    let receipts = known.receipts.iter().filter(|(_, promise)| promise.step <= step);
    let receipts = receipts.map(|(id, promise)| (*id, promise.clone()));
    let numbers = known.numbers.iter().filter(|(given, _)| *given <= step).copied();
    Known {
        batches: known.batches,
        write_fails: false,
        receipts: receipts.collect(),
        numbers: numbers.collect(),
    }
}
