//! The whole life of a journal that is too small, cut at every step: items come and are settled, segments are given back
//! and used again, what is needed is carried along, snapshots are dropped, checkpoints are written; the disk fails, the
//! process stops and is killed; and behind each step of this the power fails, in several ways. After each cut:
//! - every item with a receipt that no receipt closed is open, and its bytes are intact;
//! - nothing that a receipt closed, and nothing that failed and whose caller went on, is open;
//! - batches are there whole or not at all, totals are right, no number comes twice;
//! - nothing is called damage;
//! - a start from the checkpoint and one that reads everything agree, as long as everything is there;
//! - and the same holds after more work and a second cut.
//!
//! `tests/crash` runs more of it, and repeats the seed that a failure names.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "helpers of tests are not themselves tests to clippy"
)]

#[path = "../common/mod.rs"]
mod common;
mod facts;
mod world;

use common::ledger::Ledger;
use facts::Facts;
use orugate_journal::model::{Crash, Lie, ModelDisk};
use orugate_journal::{Journal, Recovery};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use world::{Dice, Plan, World};

/// How many turns a world has.
const TURNS: usize = 45;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[derive(Debug, Clone, Copy)]
enum Cut {
    Power(Crash),
    /// Only the process dies.
    Kill,
}

impl Cut {
    fn at(self, disk: &ModelDisk, step: usize) -> ModelDisk {
        match self {
            Self::Power(how) => disk.crash(step, how),
            Self::Kill => disk.kill(step),
        }
    }
}

fn start(disk: &ModelDisk, world: &World) -> Result<(Journal, Arc<Ledger>, Recovery), String> {
    let ledger = Arc::new(Ledger::padded(world.plan.padding));
    let opened = Journal::open_for(disk.clone(), world.plan.options.clone(), ledger.clone());
    let (journal, recovery) = opened.map_err(|error| format!("it does not start: {error}"))?;
    Ok((journal, ledger, recovery))
}

/// Starts after a cut and compares.
fn try_cut(world: &World, step: usize, cut: Cut, dice: &mut Dice, deeper: bool) -> Result<u64, String> {
    let disk = cut.at(&world.disk, step);
    let (journal, ledger, recovery) = start(&disk, world)?;
    let open = ledger.open();
    let found = world.facts.check(step, &journal, &open, &recovery)?;
    let mut states = 1;
    if world.plan.roomy && dice.below(4) == 0 {
        let again = cut.at(&world.disk, step);
        let refusing = Arc::new(Ledger::refusing());
        let opened = Journal::open_for(again.clone(), world.plan.options.clone(), refusing.clone());
        let (reader, recovery) = opened.map_err(|error| error.to_string())?;
        let all = refusing.open();
        let named = facts::identify(&reader, &all)?;
        again.fail_everything(true);
        drop(reader);
        if (recovery.from_checkpoint, &named, all.seen) != (false, &found, open.seen) {
            return Err(format!("a start from the checkpoint and a whole one differ: {open:?}, {all:?}"));
        }
        states += 1;
    }
    // A known limit: without room for its last commit, a start cannot tell what a failed sync has left in the page cache only.
    if !deeper || (recovery.unconfirmed > 0 && matches!(cut, Cut::Kill)) {
        disk.fail_everything(true);
        drop(journal);
        return Ok(states);
    }
    world::wait_for_writer(&journal, 0);
    let again = matches!(cut, Cut::Power(_));
    let mut facts: Facts = world.facts.until(step, again);
    let began = if again { 0 } else { step };
    facts.settle(&found, &open, disk.steps());
    let mut next = world.resume(disk, journal, ledger, facts, Dice(dice.next()));
    let turns = 1 + dice.below(10);
    let described = |what| format!("{what}\n  after {cut:?} behind step {step} and {turns} more turns");
    next.work(turns).map_err(described)?;
    let end = next.disk.steps();
    next.stop();
    for _ in 0..6 {
        let step = began + dice.below(end + 1 - began);
        let cut = draw(dice);
        states += try_cut(&next, step, cut, dice, false)
            .map_err(|what| described(format!("{what}\n  after {cut:?} behind step {step}")))?;
    }
    Ok(states)
}

fn draw(dice: &mut Dice) -> Cut {
    match dice.below(8) {
        0 => Cut::Power(Crash::Lost),
        1 => Cut::Power(Crash::Kept),
        2 => Cut::Kill,
        _ => Cut::Power(Crash::Torn(dice.next())),
    }
}

/// One life and its cuts. The number of states, or what is wrong.
fn live(seed: u64, lie: Option<Lie>) -> Result<u64, String> {
    let mut dice = Dice(seed);
    let plan = Plan::draw(&mut dice);
    let mut world = World::new(plan, Dice(dice.next()), lie);
    let first = world.disk.steps();
    world.work(TURNS)?;
    world.look()?;
    let last = world.disk.steps();
    world.stop();
    let mut states = 0;
    for step in first..=last {
        let [lost, kept] = [Crash::Lost, Crash::Kept].map(Cut::Power);
        let plain = [lost, kept, Cut::Kill][dice.below(3)];
        for cut in [plain, draw(&mut dice)] {
            let deeper = dice.below(24) == 0;
            states += try_cut(&world, step, cut, &mut dice, deeper)
                .map_err(|what| format!("{what}\n  after {cut:?} behind step {step} of {last}"))?;
        }
    }
    Ok(states)
}

/// Lives on two threads until there were so many states.
fn try_states(wanted: u64, from: u64) {
    let (states, seeds, stop) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let failed = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, |cores| cores.get().min(8)) {
            scope.spawn(|| {
                while !stop.load(Ordering::Acquire) && states.load(Ordering::Acquire) < wanted {
                    let seed = from.wrapping_add(seeds.fetch_add(1, Ordering::AcqRel));
                    match live(seed, None) {
                        Ok(more) => drop(states.fetch_add(more, Ordering::AcqRel)),
                        Err(what) => {
                            failed.lock().unwrap().get_or_insert((seed, what));
                            stop.store(true, Ordering::Release);
                        }
                    }
                }
            });
        }
    });
    let (states, seeds) = (states.into_inner(), seeds.into_inner());
    println!("{states} crash states of {seeds} lives, seeds from {from}");
    if let Some((seed, what)) = failed.into_inner().unwrap() {
        panic!("seed {seed}: {what}\nrepeat it with: tests/crash --seed {seed}");
    }
}

#[test]
fn every_receipt_stands_after_any_cut_of_a_journal_that_gives_back_what_it_can() {
    match variable("ORUGATE_CRASH_SEED") {
        Some(seed) => match live(seed, None) {
            Ok(states) => println!("{states} crash states of seed {seed}"),
            Err(what) => panic!("seed {seed}: {what}\nrepeat it with: tests/crash --seed {seed}"),
        },
        None => {
            let fast = std::env::var_os("ORUGATE_FAST").is_some();
            let wanted = variable("ORUGATE_CRASH_STATES").unwrap_or(if fast { 10_000 } else { 100_000 });
            try_states(wanted, RandomState::new().hash_one(0) >> 16);
        }
    }
}

/// The rig itself: on a disk that lies it must find losses.
#[test]
fn a_disk_whose_syncs_do_nothing_is_found_out() {
    for lie in [Lie::Sync, Lie::SyncDir] {
        let found = (1..=20).filter(|seed| live(*seed, Some(lie)).is_err()).count();
        println!("{lie:?}: {found} of 20 lives lose something");
        assert!(found > 10, "{lie:?}: only {found} of 20");
    }
}
