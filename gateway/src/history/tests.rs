//! What is known of a specimen, and what of one that nobody knows.
#![allow(clippy::unwrap_used)]

use super::{FIRST, History, MOST};
use crate::convert::{Past as _, Which};
use crate::records::{Disposition, Fate, Outcome, Provenance, Stood};
use crate::store::{Entry, Store};
use orugate_journal::model::ModelDisk;
use orugate_journal::{Journal, Options, UnixMillis};
use orugate_protocol::time::Utc;

const NOW: Utc = Utc((FIRST + 60_000_000) * 1_000_000);
/// A number beyond those that come of the time.
const LATER: u32 = 70_000_000;
const HOUR: i64 = 3_600_000_000;
const SPECIMEN: u128 = 0x1111_0000_0000_0000_0000_0000_0000_0007;
/// The same term, another specimen.
const TWIN: u128 = 0x2222_0000_0000_0000_0000_0000_0000_0007;

fn store(disk: &ModelDisk) -> Store {
    let options = Options {
        segment_size: 16 << 10,
        max_commit: 8 << 10,
        soon: std::time::Duration::ZERO,
        ..Options::default()
    };
    if disk.names().is_empty() {
        drop(Journal::create(disk.clone(), UnixMillis(1_795_305_600_000), options.clone()).unwrap());
    }
    let store = Store::open(disk.clone(), options).unwrap().0;
    assert!(store.journal().wait_indexed(std::time::Duration::from_secs(60)));
    store
}

/// One result of a specimen, sent as it is.
fn sends(message: u64, specimen: u128, identity: u128, content: u128, filler: u32, at: i64) -> Outcome {
    let disposition = |fate, identity| Disposition {
        observation: 0,
        identity,
        content,
        is_final: true,
        filler,
        fate,
        test: 1,
        series: 2,
        sub_id: 0,
        ran: None,
    };
    Outcome {
        message,
        instrument: "one".to_owned(),
        at,
        provenance: Provenance::default(),
        // What has no run is nobody's repeat, and what is held was not sent.
        dispositions: vec![
            disposition(Fate::Sent, Some(identity)),
            disposition(Fate::Sent, None),
            disposition(Fate::Held(1), Some(identity + 1)),
        ],
        fillers: vec![(specimen, filler)],
        specimens: vec![specimen],
        ..Outcome::default()
    }
}

fn append(store: &Store, outcome: &Outcome) {
    let _ = store.append_wait(vec![Entry::new(outcome)], None).unwrap();
}

#[test]
fn what_was_sent_is_known_before_and_after_a_start() {
    let disk = ModelDisk::new();
    let mut running = store(&disk);
    append(&running, &sends(1, SPECIMEN, 100, 5, 3, NOW.0 - HOUR));
    append(&running, &sends(2, SPECIMEN, 100, 6, 3, NOW.0 - HOUR));
    append(&running, &sends(3, TWIN, 100, 7, LATER, NOW.0 - HOUR));
    for n in 0..100 {
        append(&running, &sends(10 + n, 0x5000 + u128::from(n), 200, 1, 1, NOW.0));
    }
    for _ in 0..2 {
        let history = History::new(&running, NOW, i64::MIN);
        let newest = history.sent(SPECIMEN, Which::Run(100)).unwrap();
        assert_eq!((newest.content, newest.is_final, newest.filler, newest.message), (6, true, 3, 2));
        assert_eq!(history.sent(SPECIMEN, Which::Series(2, NOW.0 - HOUR)), Some(newest));
        assert_eq!(history.sent(SPECIMEN, Which::Series(2, NOW.0 - HOUR + 1)), None, "too long ago");
        let twin = history.sent(TWIN, Which::Run(100)).unwrap();
        assert_eq!(twin.content, 7, "half a hash is not a specimen");
        assert_eq!(history.sent(SPECIMEN, Which::Run(101)), None, "held");
        assert!(history.came(SPECIMEN, 101) && !history.came(SPECIMEN, 102));
        assert_eq!(history.sent(0x5001, Which::Run(100)), None, "another specimen's identity");
        let had = history.at(SPECIMEN, Which::Run(100), "engine").unwrap();
        assert_eq!((had.sent, had.stood), (newest, Stood::Delivered), "nobody wrote down to whom it went");
        // What the box before gave it since the copy that this one began with, nobody knows; it was before now.
        assert_eq!((history.next_filler(SPECIMEN), history.next_filler(TWIN)), (60_000_001, LATER + 1));
        drop(history);
        drop(running);
        running = store(&disk);
    }
    assert!(running.journal().space().segments > 3, "it went over several segments");
}

#[test]
fn beyond_the_horizon_a_result_is_new_and_its_number_was_never_given() {
    let disk = ModelDisk::new();
    let running = store(&disk);
    append(&running, &sends(1, SPECIMEN, 100, 5, 1, NOW.0 - 3 * HOUR));
    append(&running, &sends(2, SPECIMEN, 300, 5, LATER, NOW.0 - HOUR));
    let known = |keep: i64| History::new(&running, NOW, NOW.0 - keep);
    assert!(known(4 * HOUR).sent(SPECIMEN, Which::Run(100)).is_some());
    assert_eq!(known(2 * HOUR).sent(SPECIMEN, Which::Run(100)), None);
    assert!(known(2 * HOUR).sent(SPECIMEN, Which::Run(300)).is_some());
    assert_eq!(known(4 * HOUR).next_filler(SPECIMEN), LATER + 1);
    assert_eq!(known(2 * HOUR).next_filler(SPECIMEN), LATER + 1);
    let fresh = known(HOUR / 2).next_filler(SPECIMEN);
    assert_eq!(fresh, 60_000_001);
    assert_eq!(known(HOUR).next_filler(0x77), fresh, "as of one that was never seen");
}

#[test]
fn a_clock_that_is_not_set_gives_no_number_twice() {
    let running = store(&ModelDisk::new());
    append(&running, &sends(1, SPECIMEN, 100, 5, 1, NOW.0));
    let in_1970 = History::new(&running, Utc(5_000_000), i64::MIN);
    assert_eq!(in_1970.next_filler(0x77), 60_000_001);
}

#[test]
fn an_id_that_comes_without_end_costs_no_more_than_its_newest() {
    let disk = ModelDisk::new();
    let running = store(&disk);
    for n in 0..200 {
        append(
            &running,
            &sends(n, SPECIMEN, 1000 + 2 * u128::from(n), 5, LATER + u32::try_from(n).unwrap(), NOW.0),
        );
    }
    let history = History::new(&running, NOW, i64::MIN);
    assert_eq!(running.outcomes(SPECIMEN, MOST).len(), MOST);
    assert_eq!(history.next_filler(SPECIMEN), LATER + 200);
    assert!(history.sent(SPECIMEN, Which::Run(1000 + 2 * 199)).is_some());
    assert_eq!(history.sent(SPECIMEN, Which::Run(1000)), None, "too old to be looked at: new");
}
