//! A journal that is far too small for a day's work goes on, and a start finds what was left. Nothing that is needed is lost
//! on the way: a hold that nobody looks at, a message that an engine refused, and what one version does not know.
#![allow(clippy::unwrap_used)]

use super::failed::{delivered, message, outcome, told};
use crate::records::{Delivery, DeliveryResult, HoldSettled, Settlement};
use crate::state::State;
use crate::store::{Entry, Store};
use orugate_journal::model::{Crash, ModelDisk};
use orugate_journal::{
    Batch, Journal, KeyRing, Kind, Lane, NewRecord, OpenError, Options, Recovery, SealKey, UnixMillis,
    Urgency,
};

const LIMIT: u64 = 1 << 20;

pub(super) fn store(disk: &ModelDisk) -> Store {
    opened(disk, None).unwrap().0
}

fn opened(disk: &ModelDisk, keys: Option<KeyRing>) -> Result<(Store, Recovery), OpenError> {
    let options = Options {
        keys,
        segment_size: 64 << 10,
        max_commit: 48 << 10,
        max_size: LIMIT,
        soon: std::time::Duration::ZERO,
        ..Options::default()
    };
    if disk.names().is_empty() {
        drop(Journal::create(disk.clone(), UnixMillis(1_795_305_600_000), options.clone()).unwrap());
    }
    Store::open(disk.clone(), options)
}

/// One message, sent and delivered; what it holds is thrown away.
pub(super) fn work(store: &Store) -> u64 {
    let message = message(store);
    let (entries, oru, hold) = outcome(store, message, None);
    let _ = store.append_wait(entries, None).unwrap();
    let _ = store.append_wait(delivered(oru), None).unwrap();
    let how = Settlement::Discarded("invented".to_owned());
    let settled = HoldSettled { hold, actor: "uid 0".to_owned(), at: 1, how };
    let _ = store.append_wait(vec![Entry::new(&settled)], None).unwrap();
    message
}

#[test]
fn a_small_journal_goes_on_and_loses_nothing_that_is_needed() {
    let disk = ModelDisk::new();
    let mut running = store(&disk);
    let held = message(&running);
    let (entries, refused, hold) = outcome(&running, held, None);
    let _ = running.append_wait(entries, None).unwrap();
    let why = DeliveryResult::Parked("Refused.".to_owned());
    let _ =
        running.append_wait(vec![Entry::new(&Delivery { oru: refused, at: 1, result: why })], None).unwrap();
    let unknown = NewRecord::new(Kind(0x7777), 9, Vec::new(), b"of another version".to_vec());
    let receipt = running.journal().append_wait(Batch::new(Lane::Results, Urgency::Now, unknown)).unwrap();
    let first = receipt.locations()[0].segment();
    for round in 0..4 {
        for _ in 0..100 {
            work(&running);
        }
        assert!(running.journal().space().used <= LIMIT, "round {round}");
        assert!(running.state().needed_bytes() < LIMIT / 100, "settled records are no reason to be busy");
        let before = told(&running.state());
        drop(running);
        running = store(&disk.crash(disk.steps(), Crash::Kept));
        assert_eq!(told(&running.state()), before, "round {round}");
        drop(running);
        running = store(&disk);
        assert_eq!(told(&running.state()), before, "round {round}");
    }
    let state = running.state();
    let piece = state.message(held).unwrap().chunks[0].1;
    let oru = state.oru_at(refused).unwrap();
    let (hold_at, outcome_at) = (state.hold(hold).unwrap().at, state.outcome_at(refused).unwrap());
    let kept = state.unknown.values().next().copied().unwrap();
    drop(state);
    for at in [piece, oru, hold_at, outcome_at, kept] {
        assert_ne!(at.segment(), first, "all were carried");
        let _ = running.journal().read(at).unwrap();
    }
    assert_eq!(running.read(oru, |_| None).unwrap(), b"MSH");
    assert_eq!(running.journal().read(kept).unwrap().payload(), b"of another version");
}

#[test]
fn a_checkpoint_is_the_whole_state() {
    let disk = ModelDisk::new();
    let running = store(&disk);
    for _ in 0..3 {
        work(&running);
    }
    let message = message(&running);
    let (entries, ..) = outcome(&running, message, None);
    let _ = running.append_wait(entries, None).unwrap();
    let state = running.state();
    let restored = State::restored(&state.checkpoint()).unwrap();
    assert_eq!(told(&restored), told(&state));
    let deep = |state: &State| {
        format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            state.messages,
            state.queues.orus,
            state.holds,
            state.clocks,
            state.newest,
            state.recovered,
            state.verifications
        )
    };
    assert_eq!(deep(&restored), deep(&state));
    let mut other = state.checkpoint();
    other[0] ^= 0x40;
    assert!(State::restored(&other).is_none(), "another version");
}

#[test]
fn a_start_that_reads_little_asks_for_the_keys_of_all() {
    let key = |byte: u8| SealKey::new([byte; 32].into()).unwrap();
    let both = || Some(KeyRing::new(key(2), vec![key(1)]));
    let disk = ModelDisk::new();
    let running = opened(&disk, Some(KeyRing::new(key(1), vec![]))).unwrap().0;
    let held = message(&running);
    drop(running);
    // The newest checkpoint is under the second key.
    let running = opened(&disk, both()).unwrap().0;
    for _ in 0..12 {
        work(&running);
    }
    drop(running);
    let (running, recovery) = opened(&disk, both()).unwrap();
    assert!(recovery.from_checkpoint && running.state().message(held).is_some());
    drop(running);
    match opened(&disk, Some(KeyRing::new(key(2), vec![]))) {
        Err(OpenError::NoKey(no_key)) => assert_eq!(no_key.wanted, key(1).id()),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was opened, and what waits would be taken for damaged"),
    }
}
