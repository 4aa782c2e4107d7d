//! What is folded again after a start, when the disk kept commits whose two attempts both failed.
//!
//! Whoever asked for such a commit was told that it failed, and tried again with other numbers. Tests that the fold does
//! not see it, because the journal does not give it (FORMAT.md, "Reading", 5): what a start finds is what the process
//! before it had, so no result is there twice and nothing is delivered twice. Leaves out a crash before the lane's next
//! commit: then nobody has tried again, and the commit counts.
#![allow(clippy::unwrap_used)]

use crate::records::{
    Chunk, Delivery, DeliveryResult, DeviceClock, Disposition, Fate, Hold, HoldSettled, Oru, Outcome,
    ParkedSettled, Provenance, Sending, Settlement, TimeOf,
};
use crate::state::State;
use crate::store::{Entry, Store};
use orugate_journal::model::{Crash, ModelDisk};
use orugate_journal::{AppendError, Journal, Options, Reserved, UnixMillis};
use std::fmt::Write as _;

/// What of a state decides what is done next.
pub(super) fn told(state: &State) -> String {
    let mut text = String::new();
    for (name, queue) in state.queues() {
        let (waiting, parked): (Vec<_>, Vec<_>) =
            (queue.waiting.keys().collect(), queue.parked.keys().collect());
        let counts = (queue.orus, queue.delivered, queue.observations, queue.delivered_observations);
        let given_up = (queue.given_up, queue.given_up_observations);
        let _ = writeln!(text, "{name} {waiting:?} {parked:?} {counts:?} {given_up:?}");
    }
    let holds: Vec<u64> = state.holds().map(|(number, _)| number).collect();
    let messages: Vec<_> = state.messages.iter().map(|(n, m)| (n, m.holds, m.chunks.len())).collect();
    let counts: Vec<_> = state.ledger().collect();
    let _ = writeln!(text, "{holds:?} {messages:?} {:?} {counts:?}", state.pending().collect::<Vec<_>>());
    text
}

pub(super) fn message(store: &Store) -> u64 {
    let number = store.reserve().unwrap();
    let message = number.get().0;
    let chunk =
        Chunk { message, instrument: "one".to_owned(), received: 1, clock: 0, first: true, end: Some(true) };
    let _ = store.append_wait(vec![Entry::new(&chunk).numbered(number)], None).unwrap();
    message
}

/// A result that went so.
pub(super) const fn disposition(observation: u32, fate: Fate) -> Disposition {
    Disposition {
        observation,
        identity: None,
        content: 0,
        is_final: true,
        filler: 1,
        fate,
        test: 0,
        series: 0,
        sub_id: 0,
        ran: None,
    }
}

/// A batch with one result that is sent, and one more that is held unless a hold is released.
pub(super) fn outcome(store: &Store, message: u64, released: Option<u64>) -> (Vec<Entry>, u64, u64) {
    let number = |reserved: &Reserved| reserved.get().0;
    let (oru, hold) = (store.reserve().unwrap(), store.reserve().unwrap());
    let (oru_number, hold_number) = (number(&oru), number(&hold));
    let fates = [Fate::Sent, Fate::Held(hold_number)];
    let fates = if released.is_some() { &fates[..1] } else { &fates[..] };
    let dispositions = (0u32..).zip(fates).map(|(observation, fate)| disposition(observation, fate.clone()));
    let outcome = Outcome {
        message,
        instrument: "one".to_owned(),
        at: 1,
        provenance: Provenance::default(),
        dispositions: dispositions.collect(),
        released,
        clock: released.is_none().then_some(DeviceClock {
            device: 4,
            received: 5,
            quality: 1,
            of: TimeOf::Message,
        }),
        ..Outcome::default()
    };
    let meta = Oru { destination: "engine".to_owned(), message, group: 0, observations: 1, at: 1 };
    let mut entries = vec![Entry::with_payload(&meta, b"MSH".to_vec()).numbered(oru)];
    match released {
        None => {
            let meta = Hold {
                message,
                instrument: "one".to_owned(),
                reason: "no-sample".to_owned(),
                sentence: "No sample.".to_owned(),
                observations: vec![(1, "GLU".to_owned())],
                rest_from: None,
                at: 1,
            };
            entries.extend([Entry::new(&meta).numbered(hold), Entry::new(&outcome)]);
        }
        Some(hold) => {
            let how = Settlement::Released;
            let settled = HoldSettled { hold, actor: "uid 0".to_owned(), at: 1, how };
            entries.extend([Entry::new(&outcome), Entry::new(&settled)]);
        }
    }
    (entries, oru_number, hold_number)
}

pub(super) fn store(disk: &ModelDisk) -> Store {
    let options = Options {
        segment_size: 256 << 10,
        max_commit: 192 << 10,
        soon: std::time::Duration::ZERO,
        ..Options::default()
    };
    if disk.names().is_empty() {
        drop(Journal::create(disk.clone(), UnixMillis(1_795_305_600_000), options.clone()).unwrap());
    }
    Store::open(disk.clone(), options).unwrap().0
}

pub(super) fn delivered(oru: u64) -> Vec<Entry> {
    vec![Entry::new(&Delivery { oru, at: 1, result: DeliveryResult::Delivered("AA".to_owned()) })]
}

/// Both attempts at these fail, and the disk keeps them.
pub(super) fn fails(disk: &ModelDisk, store: &Store, entries: Vec<Entry>) {
    disk.fail_syncs_from(1);
    let failed = store.append_wait(entries, None);
    assert!(matches!(failed, Err(AppendError::Failed(_))), "{failed:?}");
    disk.fail_syncs_from(0);
}

/// A start would find what runs.
#[track_caller]
pub(super) fn is_found(disk: &ModelDisk, running: &Store) {
    let found = store(&disk.crash(disk.steps(), Crash::Kept));
    assert_eq!(told(&running.state()), told(&found.state()));
}

/// Each time the sync failed twice, the bytes reached the disk, and the outcome is stored again later.
fn plays(released: bool) {
    let disk = ModelDisk::new();
    let store = store(&disk);
    let message = message(&store);
    let mut release = None;
    if released {
        let (entries, oru, hold) = outcome(&store, message, None);
        let _ = store.append_wait(entries, None).unwrap();
        let _ = store.append_wait(delivered(oru), None).unwrap();
        release = Some(hold);
    }
    for _ in 0..2 {
        fails(&disk, &store, outcome(&store, message, release).0);
    }
    let (entries, oru, _) = outcome(&store, message, release);
    let _ = store.append_wait(entries, None).unwrap();
    is_found(&disk, &store);
    let _ = store.append_wait(delivered(oru), None).unwrap();
    is_found(&disk, &store);
    assert!(store.state().queues().all(|(_, queue)| queue.waiting.is_empty()));
}

#[test]
fn an_outcome_that_was_found_and_stored_again_counts_once() {
    plays(false);
}

#[test]
fn a_release_that_was_found_and_stored_again_counts_once() {
    plays(true);
}

#[test]
fn a_parked_oru_that_was_made_anew_and_stored_again_is_there_once() {
    let disk = ModelDisk::new();
    let store = store(&disk);
    let message = message(&store);
    let (entries, parked, _) = outcome(&store, message, None);
    let _ = store.append_wait(entries, None).unwrap();
    let why = DeliveryResult::Parked("A character is missing.".to_owned());
    let _ = store.append_wait(vec![Entry::new(&Delivery { oru: parked, at: 1, result: why })], None).unwrap();
    let anew = || {
        let oru = store.reserve().unwrap();
        let number = oru.get().0;
        let meta = Oru { destination: "engine".to_owned(), message, group: 0, observations: 1, at: 1 };
        let how = Sending::Anew(number);
        let settled = ParkedSettled { oru: parked, actor: "uid 0".to_owned(), at: 1, how };
        let made = Entry::with_payload(&meta, b"MSH".to_vec()).numbered(oru);
        (vec![made, Entry::new(&settled)], number)
    };
    fails(&disk, &store, anew().0);
    let (entries, number) = anew();
    let _ = store.append_wait(entries, None).unwrap();
    let waiting = store.state().queue("engine").unwrap().waiting.keys().copied().collect::<Vec<_>>();
    assert_eq!(waiting, [number]);
    is_found(&disk, &store);
    let _ = store.append_wait(delivered(number), None).unwrap();
    is_found(&disk, &store);
}

#[test]
fn a_chunk_that_was_refused_and_sent_again_is_there_once() {
    let disk = ModelDisk::new();
    let store = store(&disk);
    let first = store.reserve().unwrap();
    let message = first.get().0;
    let chunk = |first, end| {
        let instrument = "one".to_owned();
        Entry::new(&Chunk { message, instrument, received: 1, clock: 0, first, end })
    };
    let _ = store.append_wait(vec![chunk(true, None).numbered(first)], None).unwrap();
    for (end, chunks) in [(None, 2), (Some(true), 3)] {
        fails(&disk, &store, vec![chunk(false, end)]);
        let _ = store.append_wait(vec![chunk(false, end)], None).unwrap();
        assert_eq!(store.state().message(message).unwrap().chunks.len(), chunks);
        is_found(&disk, &store);
    }
}
