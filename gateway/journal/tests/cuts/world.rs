//! Random work on a journal that is too small for all of it, on a disk that fails now and then.

use crate::common::ledger::{ITEM, Ledger, close};
use crate::common::{NOW, sealed, small};
use crate::facts::{Entry, Facts, identify, payload};
use orugate_journal::model::{Lie, ModelDisk, Operation};
use orugate_journal::{
    AppendError, Batch, Claim, Journal, Lane, NewRecord, Options, Receipt, Seq, UnixMillis, Urgency,
};
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

/// The same numbers for the same seed (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// What differs between worlds.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) options: Options,
    /// There is room for everything, so nothing is ever given back.
    pub(crate) roomy: bool,
    pub(crate) faults: bool,
    /// More open items than this are closed rather than added to.
    pub(crate) most_open: usize,
    /// How long checkpoints are made.
    pub(crate) padding: u16,
    /// Segments of another size from a restart on.
    pub(crate) resized: bool,
}

impl Plan {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let base = if dice.one_in(3) { sealed(&[1]) } else { small() };
        let roomy = dice.one_in(4);
        let segment_size = 32 << 10;
        let max_size = if roomy { 8 << 20 } else { u64::from(segment_size) * (8 + dice.below(5) as u64) };
        let options = Options {
            segment_size,
            max_size,
            max_commit: dice.pick(&[6, 12, 24]) << 10,
            snapshots_size: max_size / dice.pick(&[2, 4]),
            keep: Duration::from_secs(if roomy { 1 << 32 } else { dice.pick(&[60, 3_600, 1 << 32]) }),
            ..base
        };
        Self {
            options,
            roomy,
            faults: !dice.one_in(3),
            most_open: dice.pick(&[6, 20]),
            padding: dice.pick(&[0, 0, 5_000, 12_000]),
            resized: dice.one_in(3),
        }
    }
}

/// The writer beats once before it waits for work, and again when what came is done.
pub(crate) fn wait_for_writer(journal: &Journal, beat: u64) {
    while journal.heartbeat() == beat {
        std::thread::yield_now();
    }
}

pub(crate) struct World {
    pub(crate) disk: ModelDisk,
    pub(crate) plan: Plan,
    pub(crate) facts: Facts,
    dice: Dice,
    journal: Option<Journal>,
    ledger: Arc<Ledger>,
    clock: u64,
    /// An item that nobody closes.
    pinned: Option<u32>,
    /// Something is going to fail, so that a sync may never be reached.
    restless: bool,
    read_only: u32,
    halted: bool,
}

impl World {
    pub(crate) fn new(plan: Plan, dice: Dice, lie: Option<Lie>) -> Self {
        let disk = ModelDisk::new();
        drop(Journal::create(disk.clone(), NOW, plan.options.clone()).unwrap());
        if let Some(lie) = lie {
            disk.lie(lie);
        }
        let ledger = Arc::new(Ledger::padded(plan.padding));
        let (journal, _) = Journal::open_for(disk.clone(), plan.options.clone(), ledger.clone()).unwrap();
        wait_for_writer(&journal, 0);
        Self {
            disk,
            plan,
            facts: Facts::default(),
            dice,
            journal: Some(journal),
            ledger,
            clock: NOW.0,
            pinned: None,
            restless: false,
            read_only: 0,
            halted: false,
        }
    }

    /// Goes on after a cut, with a journal that was just opened.
    pub(crate) fn resume(
        &self,
        disk: ModelDisk,
        journal: Journal,
        ledger: Arc<Ledger>,
        facts: Facts,
        dice: Dice,
    ) -> Self {
        Self {
            disk,
            plan: self.plan.clone(),
            facts,
            dice,
            journal: Some(journal),
            ledger,
            clock: self.clock,
            pinned: self.pinned,
            restless: false,
            read_only: 0,
            halted: false,
        }
    }

    /// The open journal; what it does next does not count.
    pub(crate) fn stop(&mut self) {
        self.journal = None;
    }

    pub(crate) fn work(&mut self, turns: usize) -> Result<(), String> {
        for _ in 0..turns {
            self.turn()?;
            if self.halted {
                return Ok(());
            }
            if self.read_only > 0 {
                self.read_only -= 1;
                if self.read_only == 0 {
                    self.disk.read_only(false);
                }
            }
            let step = self.disk.steps();
            self.facts.note_thinned(&self.ledger.open(), step);
        }
        Ok(())
    }

    fn turn(&mut self) -> Result<(), String> {
        let open = self.ledger.open();
        if open.unknown + open.closed_twice > 0 {
            return Err(format!(
                "while running: {} unknown, {} closed twice",
                open.unknown, open.closed_twice
            ));
        }
        let crowded = open.items.len() > self.plan.most_open;
        match self.dice.below(40) {
            0..=9 if crowded => self.settle_some(usize::MAX),
            0..=12 => self.append(),
            13..=16 => self.group(),
            17..=24 => {
                let most = 1 + self.dice.below(6);
                self.settle_some(most);
            }
            25..=27 => self.fill(),
            28 => self.reserve(),
            29 => {
                let step = self.dice.pick(&[1, 1, 1_000, 70_000, 4_000_000, 90 * 86_400_000]);
                self.clock = if self.dice.one_in(8) { self.clock - step } else { self.clock + step };
            }
            30..=34 if self.plan.faults => self.fault(),
            35 if self.plan.faults && self.dice.one_in(3) => {
                self.read_only = 1 + self.dice.below(4) as u32;
                self.disk.read_only(true);
            }
            36 => return self.restart(false),
            37 => return self.restart(true),
            _ => self.append(),
        }
        Ok(())
    }

    fn fault(&mut self) {
        let operation = self.dice.pick(&[
            Operation::Write,
            Operation::Write,
            Operation::Sync,
            Operation::Sync,
            Operation::Sync,
            Operation::SyncDir,
            Operation::Rename,
            Operation::Remove,
            Operation::Create,
        ]);
        let kind = self.dice.pick(&[ErrorKind::Other, ErrorKind::Other, ErrorKind::StorageFull]);
        let nth = 1 + self.dice.below(4) as u32;
        self.disk.fail(operation, nth, kind);
        if self.dice.one_in(3) {
            self.disk.fail(operation, nth + 1, kind);
        }
        self.restless = true;
    }

    fn restart(&mut self, kill: bool) -> Result<(), String> {
        if kill {
            self.disk = self.disk.kill(self.disk.steps());
        }
        self.disk.read_only(false);
        self.journal = None;
        self.restless = !kill && self.restless;
        if self.plan.resized {
            let size = self.dice.pick(&[32_u32, 40, 48]) << 10;
            self.plan.options.segment_size = size;
            self.plan.options.max_size = self.plan.options.max_size.max(u64::from(size) * 8);
        }
        // A fault that waits may hit the start, which then refuses; it strikes once.
        for _ in 0..12 {
            let ledger = Arc::new(Ledger::padded(self.plan.padding));
            let opened = Journal::open_for(self.disk.clone(), self.plan.options.clone(), ledger.clone());
            let Ok((journal, recovery)) = opened else { continue };
            wait_for_writer(&journal, 0);
            let step = self.disk.steps();
            let open = ledger.open();
            let found = self
                .facts
                .check(step, &journal, &open, &recovery)
                .map_err(|what| format!("at a {} start: {what}", if kill { "killed" } else { "clean" }))?;
            // A known limit: without room to write it again, a start cannot tell what a failed sync has left in the page
            // cache only, an item's commit or one of the journal's own; when the power takes it away, a later start
            // rightly says that something is missing. Nothing more is asked of this life.
            self.halted = recovery.unconfirmed > 0;
            if self.halted {
                self.disk.fail_everything(true);
                return Ok(());
            }
            self.facts.settle(&found, &open, step);
            (self.journal, self.ledger) = (Some(journal), ledger);
            return Ok(());
        }
        Err("it does not start again".into())
    }

    fn length(&mut self) -> usize {
        let most = self.plan.options.max_commit as usize / 3;
        match self.dice.below(6) {
            0 => most / 2 + self.dice.below(most / 2),
            1 => 3_900 + self.dice.below(100),
            _ => self.dice.below(300),
        }
        .min(most)
    }

    fn lane(&mut self) -> Lane {
        if self.dice.one_in(4) { Lane::Snapshots } else { Lane::Results }
    }

    fn append(&mut self) {
        let lane = self.lane();
        let lengths: Vec<_> = (0..1 + self.dice.below(2)).map(|_| self.length()).collect();
        let batch = self.batch(lane, &lengths, &[], Claim::Intake);
        self.send(vec![batch], false);
    }

    fn group(&mut self) {
        let count = 2 + self.dice.below(4);
        let mut group = Vec::new();
        for _ in 0..count {
            let (lane, length) = (self.lane(), self.length());
            group.push(self.batch(lane, &[length, 3], &[], Claim::Intake));
        }
        if self.restless || self.read_only > 0 {
            // A sync may never be reached, so none can be held; one by one, the same seed does the same.
            group.into_iter().for_each(|batch| self.send(vec![batch], false));
        } else {
            self.send(group, true);
        }
    }

    /// Large items that are settled at once: they fill segments.
    fn fill(&mut self) {
        let most = self.plan.options.max_commit as usize * 2 / 3;
        for _ in 0..1 + self.dice.below(4) {
            let lane = self.lane();
            let batch = self.batch(lane, &[most], &[], Claim::Outcome);
            self.send(vec![batch], false);
        }
        self.settle_some(usize::MAX);
    }

    fn settle_some(&mut self, most: usize) {
        let mut open = self.facts.closable(&self.ledger.open());
        open.retain(|(item, _)| Some(*item) != self.pinned);
        if self.pinned.is_none() {
            self.pinned = open.pop().map(|(item, _)| item);
        }
        let mut closes = Vec::new();
        while closes.len() < most.min(40) && !open.is_empty() {
            let at = self.dice.below(open.len());
            closes.push(open.swap_remove(at));
        }
        if closes.is_empty() {
            return;
        }
        let lengths = if self.dice.one_in(4) { vec![self.length() / 4] } else { vec![] };
        let batch = self.batch(Lane::Results, &lengths, &closes, Claim::Settling);
        self.send(vec![batch], false);
    }

    fn reserve(&mut self) {
        let Some(journal) = &self.journal else { return };
        let count = 1 + self.dice.below(5) as u32;
        let Ok(numbers) = journal.reserve(count) else { return };
        let step = self.disk.steps();
        let mut numbers: Vec<_> = numbers.collect();
        self.facts.given.extend(numbers.iter().map(|number| (step, number.get())));
        let Some(number) = numbers.pop() else { return };
        let item = self.facts.items;
        self.facts.items += 1;
        let record = NewRecord::new(ITEM, 1, vec![], payload(item, 40)).numbered(number);
        let entry = self.entry(Lane::Results, vec![item], vec![], 0);
        self.send(vec![(entry, Batch::new(Lane::Results, Urgency::Now, record))], false);
    }

    fn entry(&mut self, lane: Lane, items: Vec<u32>, closes: Vec<u32>, time: u64) -> usize {
        let begun = Some(self.disk.steps());
        self.facts.entries.push(Entry { lane, items, closes, time, begun, sure: None, void: None });
        self.facts.entries.len() - 1
    }

    fn batch(
        &mut self,
        lane: Lane,
        lengths: &[usize],
        closes: &[(u32, Seq)],
        claim: Claim,
    ) -> (usize, Batch) {
        let first = self.facts.items;
        self.facts.items += lengths.len() as u32;
        let items: Vec<u32> = (first..self.facts.items).collect();
        let made = items.iter().zip(lengths);
        let made = made.map(|(item, length)| NewRecord::new(ITEM, 1, vec![], payload(*item, *length)));
        let mut records = closes.iter().map(|(_, number)| close(*number)).chain(made);
        let mut batch = Batch::new(lane, Urgency::Now, records.next().unwrap()).claim(claim);
        records.for_each(|record| batch.push(record));
        let mut time = 0;
        if self.dice.one_in(2) {
            self.clock += 1 + self.dice.below(30_000) as u64;
            time = self.clock;
            batch = batch.at(UnixMillis(time));
        }
        let closes = closes.iter().map(|(item, _)| *item).collect();
        (self.entry(lane, items, closes, time), batch)
    }

    /// Sends batches without waiting, then collects what became of each and by which step.
    fn send(&mut self, group: Vec<(usize, Batch)>, hold: bool) {
        let Some(journal) = &self.journal else { return };
        let (sender, receiver) = channel();
        let count = group.len();
        if hold {
            self.disk.hold_syncs();
        }
        let beat = journal.heartbeat();
        for (number, (entry, batch)) in group.into_iter().enumerate() {
            let (sender, disk) = (sender.clone(), self.disk.clone());
            journal.append(batch, move |result| sender.send((entry, disk.steps(), result)).unwrap());
            // A batch that is refused never reaches a sync; then there is nothing to hold.
            while hold && number == 0 && journal.queued() > 0 && !self.disk.is_held() {
                std::thread::yield_now();
            }
        }
        self.disk.release_syncs();
        let mut results: Vec<_> = Vec::new();
        while results.len() < count {
            results.push(receiver.recv_timeout(Duration::from_secs(20)).unwrap());
        }
        // The writer looks after its house behind a commit; the disk should be quiet before anything else is done.
        wait_for_writer(journal, beat);
        for (entry, step, result) in results {
            self.learn(entry, step, result);
        }
    }

    fn learn(&mut self, at: usize, step: usize, result: Result<Receipt, AppendError>) {
        let facts = &mut self.facts;
        let lane = facts.entries[at].lane;
        match result {
            Ok(receipt) => {
                facts.given.extend(receipt.sequences().iter().map(|number| (step, *number)));
                let closes = facts.entries[at].closes.len();
                let numbers = receipt.sequences().iter().skip(closes);
                facts.numbers.extend(facts.entries[at].items.iter().copied().zip(numbers.copied()));
                facts.entries[at].sure = Some(step);
                let begun = facts.entries[at].begun;
                // Whoever got no receipt and went on.
                let before = facts.entries.iter_mut().take(at).filter(|entry| entry.lane == lane);
                let failed = before.filter(|entry| entry.sure.is_none() && entry.begun < begun);
                failed.for_each(|entry| {
                    entry.void.get_or_insert(step);
                });
            }
            Err(AppendError::Failed(_)) => {}
            Err(_) => facts.entries[at].void = Some(0),
        }
    }

    /// Every open item can be read while it runs.
    pub(crate) fn look(&self) -> Result<(), String> {
        let Some(journal) = &self.journal else { return Ok(()) };
        identify(journal, &self.ledger.open()).map(drop).map_err(|what| format!("while running: {what}"))
    }
}
