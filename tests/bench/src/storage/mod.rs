//! How sparing the journal is with flash, and how fast, beside SQLite and redb: on an ext4 of its own, by what the device below
//! it was asked to write. Writes the section *Flash* of the page.
//!
//! Promises: every engine gets the same records, in the same groups, durable before the next group; each is measured when it
//! is as it will stay, several times in alternating order; what was put off is counted. Leaves out what flash does below the
//! block device.

mod device;
mod engines;
mod payloads;
mod report;

use crate::{Anything, sections};
use device::{Device, Written};
use engines::{Engine, Own, Store};
use payloads::Payloads;
use std::path::PathBuf;
use std::time::Instant;

/// What `tests/bench/run storage` gives along.
#[derive(Default)]
struct Options {
    out: PathBuf,
    /// A mounted ext4 that nobody else uses.
    mount: PathBuf,
    /// Where the device's own file is.
    journal: PathBuf,
    /// The device below it, as the kernel calls it.
    device: String,
    /// How it was made, for people.
    made: String,
    revision: String,
    quick: bool,
}

/// Records in a group, and commits in a turn: one or two of our segments.
const GROUPS: [(usize, usize); 3] = [(1, 1000), (8, 500), (64, 100)];
const ENGINES: [Engine; 6] =
    [Engine::Journal, Engine::Sealed, Engine::Growing, Engine::Sqlite, Engine::Redb, Engine::Disk];
/// Each round has stores of its own.
const ROUNDS: usize = 3;
/// In each round, everybody's.
const TURNS: usize = 5;

/// One engine with one group size.
struct Cell {
    engine: Engine,
    group: usize,
    /// In a turn.
    commits: usize,
    /// One of each round.
    runs: Vec<Run>,
}

/// What one round of a cell wrote.
struct Run {
    payload: u64,
    written: Written,
    /// Records a second, of each turn.
    rates: Vec<f64>,
    /// Where our own commits can be told.
    own: Option<Own>,
}

pub fn measure(mut arguments: impl Iterator<Item = String>) -> Anything<()> {
    let mut options = Options::default();
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "--out" => options.out = value()?.into(),
            "--mount" => options.mount = value()?.into(),
            "--journal" => options.journal = value()?.into(),
            "--device" => options.device = value()?,
            "--made" => options.made = value()?,
            "--revision" => options.revision = value()?,
            "--quick" => options.quick = true,
            _ => return Err(format!("unknown option {name}").into()),
        }
    }
    let device = Device::new(&options.device, &options.mount);
    let machine = crate::machine::describe("the device's file", &options.journal)?;
    let fewer = if options.quick { 10 } else { 1 };
    let mut cells = Vec::new();
    for (group, commits) in GROUPS {
        let cell = |engine| Cell { engine, group, commits: commits / fewer, runs: Vec::new() };
        cells.extend(ENGINES.map(cell));
        if group == 8 {
            cells.push(cell(Engine::Appenders));
        }
    }
    let pool = payloads::pool();
    for round in 1..=ROUNDS {
        for cells in cells.chunk_by_mut(|a, b| a.group == b.group) {
            self::round(round, cells, &device, &pool)?;
        }
    }
    let section = report::write(&options, &machine, &cells)?;
    sections::put(&options.out, "Flash", &section)
}

/// One that is being measured.
struct Player<'a> {
    cell: &'a mut Cell,
    store: Box<dyn Store>,
    payloads: Payloads<'a>,
    run: Run,
    /// Its files; they are gone when this is dropped, and the store before them.
    _folder: tempfile::TempDir,
}

/// Turn by turn, so that a slow second of the machine hits all of them alike.
fn round(number: usize, cells: &mut [Cell], device: &Device, pool: &[u8]) -> Anything<()> {
    let mut players = Vec::new();
    for cell in cells {
        eprintln!("round {number}: {}, groups of {}", cell.engine.name(), cell.group);
        let folder = tempfile::tempdir_in(device.mount())?;
        let mut store = cell.engine.create(folder.path())?;
        let mut payloads = Payloads::new(pool);
        // In large groups, or it would take longer than what is measured.
        while payloads.given < cell.engine.settles_after() {
            store.commit(&payloads.take(64))?;
        }
        store.settle()?;
        let own = cell.engine.own(&[]).map(|_| Own::default());
        let run = Run { payload: 0, written: Written::default(), rates: Vec::new(), own };
        players.push(Player { cell, store, payloads, run, _folder: folder });
    }
    for turn in 0..TURNS {
        // Everybody has another place each time, and another one before it.
        let mut order: Vec<&mut Player<'_>> = players.iter_mut().collect();
        let len = order.len();
        order.rotate_left(2 * turn % len);
        if turn % 2 == 1 {
            order.reverse();
        }
        for player in order {
            player.turn(device, turn + 1 == TURNS)?;
        }
    }
    for Player { cell, run, .. } in players {
        cell.runs.push(run);
    }
    Ok(())
}

impl Player<'_> {
    fn turn(&mut self, device: &Device, last: bool) -> Anything<()> {
        let Cell { engine, group, commits, .. } = *self.cell;
        let mut again = self.payloads.clone();
        let before = device.read()?;
        let began = Instant::now();
        self.store.run(&mut self.payloads, commits, group)?;
        self.run.rates.push((commits * group) as f64 / began.elapsed().as_secs_f64());
        if last {
            self.store.settle()?;
        }
        self.run.written += device.read()? - before;
        self.run.payload += self.payloads.given - again.given;
        if let Some(own) = &mut self.run.own {
            (0..commits).filter_map(|_| engine.own(&again.take(group))).for_each(|more| *own += more);
        }
        Ok(())
    }
}
