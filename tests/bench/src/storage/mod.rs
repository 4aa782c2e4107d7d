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

/// Records in a group, commits whose bytes are counted (two of our segments or more), and commits whose time is taken.
const GROUPS: [(usize, usize, usize); 3] = [(1, 2100, 500), (8, 700, 400), (64, 150, 150)];
const ENGINES: [Engine; 6] =
    [Engine::Journal, Engine::Sealed, Engine::Growing, Engine::Sqlite, Engine::Redb, Engine::Disk];
/// Single records that are more than a segment of ours.
const SEGMENT: usize = 1100;
/// Each round has stores of its own.
const ROUNDS: usize = 3;

/// One engine with one group size.
struct Cell {
    engine: Engine,
    group: usize,
    /// In a round: counted, and timed.
    commits: usize,
    timed: usize,
    /// One of each round.
    runs: Vec<Run>,
}

/// What one round of a cell wrote.
struct Run {
    payload: u64,
    written: Written,
    /// Seconds of each timed commit; commits of the same place followed one another directly.
    took: Vec<f64>,
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
    for (group, commits, timed) in GROUPS {
        let (commits, timed) = (commits / fewer, timed / fewer);
        let cell = |engine| Cell { engine, group, commits, timed, runs: Vec::new() };
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

fn round(number: usize, cells: &mut [Cell], device: &Device, pool: &[u8]) -> Anything<()> {
    let timed = cells.first().map_or(0, |cell| cell.timed);
    let mut players = Vec::new();
    for cell in cells {
        eprintln!("round {number}: {}, groups of {}", cell.engine.name(), cell.group);
        let folder = tempfile::tempdir_in(device.mount())?;
        let store = cell.engine.create(folder.path())?;
        let run = Run { payload: 0, written: Written::default(), took: Vec::new(), own: None };
        let mut player = Player { cell, store, payloads: Payloads::new(pool), run, _folder: folder };
        player.settle()?;
        players.push(player);
    }
    // Somebody else begins each time.
    let len = players.len();
    players.rotate_left(2 * number % len);
    for player in &mut players {
        player.count(device)?;
    }
    // Commit by commit, since the rate of a disk changes from one second to the next: a slow moment hits all of them alike.
    for turn in 0..timed {
        let (end, begin) = players.split_at_mut(turn % len);
        // Threads that are begun for one commit would cost more than it.
        let alike = |player: &&mut Player<'_>| player.cell.engine != Engine::Appenders;
        for player in begin.iter_mut().chain(end).filter(alike) {
            player.time()?;
        }
    }
    for Player { cell, run, .. } in players {
        cell.runs.push(run);
    }
    Ok(())
}

impl Player<'_> {
    /// Until it is as it will stay: all of the room in large groups, which is quick, and then more than a segment of single
    /// records, which fill it to the last page. When a segment has no page left for the records that give another one back,
    /// one more file is made, once; from then on there is one in hand.
    fn settle(&mut self) -> Anything<()> {
        let settled = self.cell.engine.settles_after();
        while self.payloads.given < settled {
            self.store.commit(&self.payloads.take(64))?;
        }
        if settled > 0 {
            for _ in 0..SEGMENT {
                self.store.commit(&self.payloads.take(1))?;
            }
        }
        self.store.settle()
    }

    /// Counts what its commits write.
    fn count(&mut self, device: &Device) -> Anything<()> {
        let Cell { engine, group, commits, .. } = *self.cell;
        let mut again = self.payloads.clone();
        let before = device.read()?;
        self.store.run(&mut self.payloads, commits, group)?;
        self.store.settle()?;
        self.run.written = device.read()? - before;
        self.run.payload = self.payloads.given - again.given;
        self.run.own = (0..commits).map(|_| engine.own(&again.take(group))).sum();
        Ok(())
    }

    fn time(&mut self) -> Anything<()> {
        let began = Instant::now();
        self.store.run(&mut self.payloads, 1, self.cell.group)?;
        self.run.took.push(began.elapsed().as_secs_f64());
        Ok(())
    }
}
