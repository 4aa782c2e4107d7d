//! A journal that is far too small for a day's work goes on, and a start finds what was left. Nothing that is needed is lost
//! on the way: a hold that nobody looks at, a message that an engine refused, and what one version does not know.
#![allow(clippy::unwrap_used)]

use super::failed::{delivered, message, outcome, told};
use crate::records::{Delivery, DeliveryResult, HoldSettled, Settlement};
use crate::state::State;
use crate::store::{Entry, Store};
use orugate_journal::model::{Crash, ModelDisk};
use orugate_journal::{Batch, Journal, Kind, Lane, NewRecord, Options, UnixMillis, Urgency};

const LIMIT: u64 = 1 << 20;

fn store(disk: &ModelDisk) -> Store {
    let options = Options {
        segment_size: 64 << 10,
        max_commit: 48 << 10,
        max_size: LIMIT,
        soon: std::time::Duration::ZERO,
        ..Options::default()
    };
    if disk.names().is_empty() {
        drop(Journal::create(disk.clone(), UnixMillis(1_795_305_600_000), options.clone()).unwrap());
    }
    Store::open(disk.clone(), options).unwrap().0
}

/// One message, sent and delivered; what it holds is thrown away.
fn work(store: &Store) -> u64 {
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
            "{:?} {:?} {:?} {:?} {:?}",
            state.messages, state.queues.orus, state.holds, state.newest, state.recovered
        )
    };
    assert_eq!(deep(&restored), deep(&state));
    let mut other = state.checkpoint();
    other[0] ^= 0x40;
    assert!(State::restored(&other).is_none(), "another version");
}
