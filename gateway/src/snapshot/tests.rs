use super::{Lost, Now, Stage};
use orugate_driver::Slot;
use orugate_driver::snapshot::read;
use orugate_protocol::time::{Tick, Utc};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const STALE: Duration = Duration::from_secs(6);
/// 20 s into a minute.
const BEGIN: i64 = 1_795_000_000_000_000 / 60_000_000 * 60_000_000 + 20_000_000;

fn at(seconds: u64) -> Now {
    let micros = seconds * 1_000_000;
    Now { tick: Tick::from_micros(micros), utc: Utc(BEGIN + micros.cast_signed()) }
}

/// What the stage gives now, as (taken?, age in seconds, text); it is stored.
fn given(stage: &mut Stage, now: Now) -> Vec<Vec<(bool, i64, String)>> {
    let mut all = Vec::new();
    stage.look(now);
    while let Some(bytes) = stage.next(now.tick) {
        let snapshot = read(bytes).unwrap();
        let units = snapshot.units().map(|unit| {
            let age = (snapshot.ended.0 - unit.received.0) / 1_000_000;
            (unit.taken, age, String::from_utf8(unit.bytes.to_vec()).unwrap())
        });
        all.push(units.collect());
        stage.answered(now.tick, true);
    }
    all
}

fn stands(age: i64, text: &str) -> (bool, i64, String) {
    (false, age, text.to_owned())
}

#[test]
fn an_interval_ends_on_the_minute_with_what_stands_then() {
    let mut stage = Stage::new(MINUTE, STALE, at(0));
    assert!(stage.current(at(1), Slot(4), b"limits"));
    for second in 2..39 {
        assert!(stage.current(at(second), Slot(1), format!("hr {second}").as_bytes()));
        assert!(given(&mut stage, at(second)).is_empty());
    }
    assert_eq!(stage.deadline(), Some(at(40).tick));
    assert_eq!(given(&mut stage, at(40)), [[stands(2, "hr 38"), stands(39, "limits")]]);
    assert!(given(&mut stage, at(99)).is_empty());
    assert_eq!(given(&mut stage, at(100)).len(), 1);
}

#[test]
fn a_clock_that_jumps_changes_no_age() {
    let mut stage = Stage::new(MINUTE, STALE, at(0));
    stage.current(at(1), Slot(1), b"hr");
    let jumped = Now { utc: Utc(at(5).utc.0 + 3_600_000_000), ..at(40) };
    assert_eq!(given(&mut stage, jumped), [[stands(39, "hr")]]);
    // The next end is on the minute of the clock as it is now.
    assert_eq!(stage.deadline(), Some(Tick::from_micros(at(40).tick.micros() + 35_000_000)));
}

#[test]
fn a_wall_clock_that_was_read_a_little_early_makes_no_second_message() {
    let mut stage = Stage::new(MINUTE, STALE, at(0));
    stage.current(at(1), Slot(1), b"hr");
    let early = Now { utc: Utc(at(40).utc.0 - 30), tick: Tick::from_micros(at(40).tick.micros() + 2) };
    stage.look(early);
    let ended = read(stage.next(early.tick).unwrap()).unwrap().ended;
    assert_eq!(ended, at(40).utc);
    stage.answered(early.tick, true);
    assert_eq!(stage.deadline(), Some(Tick::from_micros(at(100).tick.micros() + 2)));
    // A clock that was set back by more shows what it shows.
    let set_back = Now { utc: Utc(at(98).utc.0), tick: at(101).tick };
    stage.look(set_back);
    let ended = read(stage.next(set_back.tick).unwrap()).unwrap().ended;
    assert_eq!(ended, at(98).utc);
    assert_eq!(stage.lost(), Lost::default());
}

#[test]
fn what_was_taken_goes_soon_and_once() {
    let mut stage = Stage::new(Duration::from_secs(3600), STALE, at(0));
    stage.current(at(1), Slot(1), b"hr");
    stage.taken(at(2), b"cuff 1");
    stage.taken(at(4), b"cuff 2");
    assert_eq!(stage.deadline(), Some(at(7).tick));
    let both = vec![(true, 5, "cuff 1".to_owned()), (true, 3, "cuff 2".to_owned()), stands(6, "hr")];
    assert_eq!(given(&mut stage, at(7)), [both]);
    assert!(given(&mut stage, at(20)).is_empty());
}

#[test]
fn what_was_taken_survives_a_journal_that_refuses_it() {
    let mut stage = Stage::new(MINUTE, STALE, at(0));
    stage.taken(at(1), b"cuff");
    stage.look(at(6));
    assert!(stage.next(at(6).tick).is_some());
    stage.answered(at(7).tick, false);
    assert!(stage.next(at(8).tick).is_none(), "asked again at once");
    assert_eq!(stage.deadline(), Some(at(12).tick));
    assert_eq!(given(&mut stage, at(12)), [[(true, 5, "cuff".to_owned())]]);
    assert_eq!(stage.lost(), Lost::default());
    for n in 0..33 {
        stage.taken(at(13), format!("{n}").as_bytes());
    }
    assert_eq!(stage.lost().parts, 1);
    assert_eq!(given(&mut stage, at(18))[0].len(), 32);
}

#[test]
fn ends_that_pass_while_nobody_looks_are_counted() {
    let mut stage = Stage::new(Duration::from_secs(1), STALE, at(0));
    stage.current(at(0), Slot(1), b"hr");
    assert_eq!(given(&mut stage, at(4)).len(), 1);
    assert_eq!(stage.lost().intervals, 3);
    assert_eq!(given(&mut stage, at(5)).len(), 1);
    stage.forget(Slot(1));
    assert_eq!(given(&mut stage, at(8)), [Vec::new()], "it is silent by now");
    // While nothing stands there is nothing to miss.
    assert_eq!(stage.lost().intervals, 3);
}

#[test]
fn a_regular_one_that_is_refused_or_late_is_counted() {
    let mut stage = Stage::new(Duration::from_secs(1), STALE, at(0));
    stage.current(at(0), Slot(1), b"hr");
    stage.look(at(1));
    assert!(stage.next(at(1).tick).is_some());
    stage.look(at(2));
    stage.look(at(3));
    assert!(stage.next(at(3).tick).is_none());
    assert_eq!(stage.lost().intervals, 2);
    stage.answered(at(3).tick, false);
    assert_eq!(stage.lost().intervals, 3);
    assert!(stage.is_done());
    stage.current(at(8), Slot(1), b"hr");
    assert_eq!(given(&mut stage, at(8)), [[stands(0, "hr")]]);
}

#[test]
fn what_held_before_a_change_is_in_a_message_of_its_own() {
    let mut stage = Stage::new(MINUTE, STALE, at(0));
    stage.current(at(1), Slot(1), b"hr of A");
    stage.taken(at(2), b"cuff of A");
    stage.forget_all(at(3));
    stage.current(at(3), Slot(1), b"hr of B");
    let all = given(&mut stage, at(40));
    assert_eq!(all[0], [(true, 1, "cuff of A".to_owned()), stands(2, "hr of A")]);
    assert_eq!(all[1], [stands(37, "hr of B")]);
    // Twice is as once: nothing came between.
    stage.forget_all(at(41));
    stage.forget_all(at(42));
    assert!(given(&mut stage, at(42)).is_empty());
}

#[test]
fn silence_is_said_also_from_the_start_and_then_more_seldom() {
    let mut stage = Stage::new(Duration::from_secs(1), STALE, at(0));
    assert_eq!(stage.deadline(), Some(at(6).tick));
    assert!(given(&mut stage, at(5)).is_empty());
    assert_eq!(given(&mut stage, at(6)), [Vec::new()]);
    assert!(given(&mut stage, at(605)).is_empty());
    assert_eq!(given(&mut stage, at(606)), [Vec::new()]);
    assert_eq!(stage.deadline(), Some(at(1806).tick));
    stage.current(at(700), Slot(1), b"hr");
    assert_eq!(given(&mut stage, at(701)).len(), 1);
    stage.forget_all(at(702));
    // A device that comes back at once was not silent.
    stage.current(at(705), Slot(1), b"hr");
    assert_eq!(given(&mut stage, at(706)).len(), 1);
    stage.forget_all(at(707));
    assert_eq!(stage.deadline(), Some(at(711).tick));
    assert_eq!(given(&mut stage, at(711)), [Vec::new()]);
}

#[test]
fn what_is_too_much_is_counted_and_the_rest_stands() {
    let mut stage = Stage::new(MINUTE, STALE, at(0));
    assert!(!stage.current(at(0), Slot(Slot::COUNT), b"x"));
    assert!(!stage.current(at(0), Slot(1), &vec![0; Slot::MOST + 1]));
    for slot in 0..8 {
        assert!(stage.current(at(0), Slot(slot), &vec![b'x'; Slot::MOST]));
    }
    assert!(!stage.current(at(0), Slot(9), b"x"));
    assert!(stage.current(at(0), Slot(7), b"x"), "another in a slot takes the place of what was there");
    assert_eq!(stage.lost().parts, 3);
    assert_eq!(given(&mut stage, at(40))[0].len(), 8);
}
