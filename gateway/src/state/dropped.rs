//! A destination that was dropped is the same live, folded from a checkpoint and folded from the whole log, also when the
//! record was tried twice because the disk failed; and what was made later is not dropped with it.
#![allow(clippy::unwrap_used)]

use super::failed::{delivered, fails, is_found, message, outcome, store, told};
use crate::records::{Delivery, DeliveryResult, Dropped};
use crate::state::State;
use crate::store::{Entry, Store};
use orugate_journal::model::ModelDisk;

fn made(store: &Store) -> u64 {
    let message = message(store);
    let (entries, oru, _) = outcome(store, message, None);
    let _ = store.append_wait(entries, None).unwrap();
    oru
}

fn dropped(destination: &str, upto: u64) -> Vec<Entry> {
    let (actor, reason) = ("uid 0".to_owned(), "sold".to_owned());
    let destination = destination.to_owned();
    vec![Entry::new(&Dropped { destination, upto, actor, at: 2, reason, waited_from: Some(1) })]
}

#[test]
fn what_waited_and_was_parked_is_given_up_and_nothing_else() {
    let disk = ModelDisk::new();
    let store = store(&disk);
    let [gone, waits, parked] = [made(&store), made(&store), made(&store)];
    let _ = store.append_wait(delivered(gone), None).unwrap();
    let why = DeliveryResult::Parked("Refused.".to_owned());
    let _ = store.append_wait(vec![Entry::new(&Delivery { oru: parked, at: 1, result: why })], None).unwrap();
    let before = store.state().needed_bytes();
    let _ = store.append_wait(dropped("another", u64::MAX), None).unwrap();
    assert_eq!(store.state().needed_bytes(), before);
    fails(&disk, &store, dropped("engine", parked));
    assert_eq!(store.state().needed_bytes(), before, "nobody was told that it is done");
    let _ = store.append_wait(dropped("engine", parked), None).unwrap();
    let later = made(&store);
    is_found(&disk, &store);

    // An answer that was on its way changes nothing any more.
    let _ = store.append_wait(delivered(waits), None).unwrap();
    let state = store.state();
    assert!(state.made(waits).is_none() && state.made(parked).is_none());
    let queue = state.queue("engine").unwrap();
    assert_eq!((queue.waiting.keys().copied().collect::<Vec<_>>(), queue.parked.len()), (vec![later], 0));
    assert_eq!((queue.orus, queue.observations), (2, 2));
    assert_eq!((queue.delivered, queue.delivered_observations), (1, 1));
    assert_eq!((queue.given_up, queue.given_up_observations), (2, 2));
    assert_eq!(told(&State::restored(&state.checkpoint()).unwrap()), told(&state));
    drop(state);
    is_found(&disk, &store);
}

#[test]
fn room_is_there_with_the_record_itself_however_much_was_needed() {
    let disk = ModelDisk::new();
    let store = store(&disk);
    let mut last = 0;
    for _ in 0..1000 {
        last = made(&store);
    }
    let before = store.needed_bytes();
    let _ = store.append_wait(dropped("engine", last), None).unwrap();
    // The holds and raw bytes of these messages are needed still.
    assert!(store.needed_bytes() < before * 2 / 3, "{} of {before}", store.needed_bytes());
    assert_eq!(store.needed_bytes(), store.state().needed_bytes());
}
