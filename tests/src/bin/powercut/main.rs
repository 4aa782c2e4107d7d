//! The power cut, for real: see the script tests/powercut, which prepares what this runs.
//!
//! The release program serves three simulated instruments in a virtual machine, and an engine outside takes what it
//! delivers. The emulator is killed at random moments, the same disk is booted again, and at the end all that was
//! acknowledged must be at the engine or held. Promises to know nothing of the program but its command line and its
//! protocols. With `--without-sync` the same must lose data, or the rig could not notice a loss.
//!
//! What it cannot show: the image is a file of the host, so that writes which the guest made without a flush survive
//! the emulator. A disk that loses or tears its own cache is the model disk's matter (gateway/journal/tests).

// A rig that drives real machines in real time and says on its standard output how far it is.
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]

mod ledger;
mod load;
mod machine;
mod plan;

use ledger::{Balance, Ledger};
use load::{Instrument, Model, lock};
use machine::{Machine, PATIENCE, Parts, Task};
use orugate::clock::Clock;
use orugate::engine::{Behaviour, Engine};
use plan::{Cut, Cycle, Outage, Random};
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// How many instruments vm/orugate.template has.
const INSTRUMENTS: u16 = Model::ALL.len() as u16;

/// How long nothing may move while something is still missing.
const STILL: Duration = Duration::from_secs(30);
/// The same in the control, where what is missing will not come.
const STILL_WITHOUT_SYNC: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let without_sync = arguments.get(5).is_some_and(|word| word == "--without-sync");
    let Some([folder, kernel, cycles, seed, minutes]) = arguments.first_chunk() else {
        eprintln!(
            "usage: powercut FOLDER KERNEL CYCLES SEED MINUTES [--without-sync]; tests/powercut makes the folder"
        );
        return ExitCode::from(64);
    };
    let (Ok(cycles), Ok(seed), Ok(minutes)) = (cycles.parse(), seed.parse(), minutes.parse::<u64>()) else {
        eprintln!("powercut: the number of cycles, the seed and the minutes are numbers");
        return ExitCode::from(64);
    };
    let limit = Duration::from_secs(minutes.saturating_mul(60));
    let outcome = Rig::new(folder.into(), kernel.into(), seed, without_sync).and_then(|mut rig| {
        if without_sync { rig.control(cycles, limit) } else { rig.cycles(cycles, limit) }
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("powercut: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Everything outside the machine.
struct Rig {
    runtime: Runtime,
    engine: Engine,
    parts: Parts,
    seed: u64,
    random: Random,
    /// Draws the cycles in which the box has lost its clock.
    clocks: Random,
    ledger: Arc<Mutex<Ledger>>,
    instruments: Vec<Instrument>,
    began: Instant,
}

impl Rig {
    fn new(folder: PathBuf, kernel: PathBuf, seed: u64, without_sync: bool) -> io::Result<Self> {
        let runtime = Runtime::new()?;
        let engine = runtime.block_on(async { Engine::start(Clock::system(0)) })?;
        let parts = Parts {
            kernel,
            initramfs: folder.join("initramfs"),
            disk: folder.join("disk.img"),
            console: folder.join("console.log"),
            engine: engine.address().port(),
            without_sync,
        };
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let instruments = Model::ALL.map(|model| Instrument::new(model, seed, ledger.clone())).into();
        let (random, clocks) = (Random::new(seed, 1), Random::new(seed, 2));
        let rig =
            Self { runtime, engine, parts, seed, random, clocks, ledger, instruments, began: Instant::now() };
        // The new journal has to survive its first cut as well, at the moment at which the command says that it is made.
        Machine::boot(&rig.parts, Task::Init, INSTRUMENTS)?.cut()?;
        println!("seed {}; the journal is made, and the power cut, after {:.1} s", rig.seed, rig.seconds());
        Ok(rig)
    }

    fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// The rig as it is meant.
    fn cycles(&mut self, wanted: u64, limit: Duration) -> io::Result<bool> {
        let mut cycles = 0;
        while cycles < wanted && self.began.elapsed() < limit {
            // The first is under load whatever is drawn, so that even one cycle has something to lose.
            let random = &mut self.random;
            let mut drawn = if cycles == 0 { Cycle::draw_loaded(random) } else { Cycle::draw(random) };
            drawn.in_1970 = cycles > 0 && self.clocks.below(5) == 0;
            let what = self.cycle(drawn)?;
            cycles += 1;
            println!("{cycles:>3} of {wanted}: {what}; {}", self.so_far());
        }
        let (balance, machine) = self.drain(STILL)?;
        let status = machine.ask("status")?;
        machine.cut()?;
        let ledger = lock(&self.ledger);
        let counts = self.engine.counts();
        println!(
            "{cycles} power cuts: {} frames and {} results acknowledged; {} results arrived, {} are held, {} are lost",
            ledger.frames,
            balance.acknowledged,
            balance.arrived,
            balance.held,
            balance.lost.len()
        );
        println!(
            "{} messages at the engine, {} came again byte for byte, {} MSH-10 with two bodies, {} results too often, {} \
             not as sent; instruments broke off {} times and sent {} messages again, {} results of which came twice; \
             {:.0} s, seed {}",
            counts.distinct,
            balance.resent,
            balance.conflicts.len(),
            balance.double.len(),
            balance.wrong.len(),
            ledger.broken,
            ledger.again,
            balance.repeated,
            self.seconds(),
            self.seed
        );
        if cycles < wanted {
            println!("{} of {wanted} cycles were not run: the time was over", wanted - cycles);
        }
        let loaded = balance.acknowledged > 0;
        if !balance.is_good() || !loaded {
            eprintln!("powercut: {}", if loaded { "this does not balance" } else { "there was no load" });
            for (what, which) in [
                ("acknowledged and lost", &balance.lost),
                ("not as it was sent", &balance.wrong),
                ("more often than sent", &balance.double),
                ("MSH-10 with two bodies", &balance.conflicts),
            ] {
                if !which.is_empty() {
                    eprintln!(
                        "{what}: {} and so on, {} in all",
                        which[..which.len().min(10)].join(", "),
                        which.len()
                    );
                }
            }
            eprintln!("what the program says:\n{status}");
        }
        Ok(balance.is_good() && loaded)
    }

    /// The same with a program that syncs nothing: good when it loses data.
    fn control(&mut self, wanted: u64, limit: Duration) -> io::Result<bool> {
        let (mut cycles, mut lost, mut losing) = (0, 0, 0);
        while cycles < wanted && self.began.elapsed() < limit {
            cycles += 1;
            let mut what = String::new();
            let drawn = Cycle::draw_loaded(&mut self.random);
            let drained = self.cycle(drawn).and_then(|did| {
                what = did;
                self.drain(STILL_WITHOUT_SYNC)
            });
            let balance = match drained {
                Ok((balance, machine)) => {
                    machine.cut()?;
                    balance
                }
                Err(error) => {
                    // Harm of another kind, after which there is no journal to go on with.
                    println!("{cycles:>3} of {wanted}: {what}; {error}");
                    losing += 1;
                    break;
                }
            };
            let more = balance.lost.len().saturating_sub(lost);
            lost += more;
            losing += u64::from(more > 0);
            println!(
                "{cycles:>3} of {wanted}: {what}; {} results acknowledged, {more} of them lost by this cut, {} MSH-10 \
                 with two bodies",
                balance.acknowledged,
                balance.conflicts.len()
            );
        }
        println!(
            "control without sync: {losing} of {cycles} cuts did harm, {lost} results were acknowledged and lost; \
             {:.0} s",
            self.seconds()
        );
        if losing == 0 {
            eprintln!("powercut: nothing was lost although nothing was synced, so the rig proves nothing");
        }
        Ok(losing > 0)
    }

    fn so_far(&self) -> String {
        let counts = self.engine.counts();
        format!(
            "{} results acknowledged, {} arrived in {} messages, {:.0} s",
            lock(&self.ledger).acknowledged(),
            counts.observations,
            counts.distinct,
            self.seconds()
        )
    }

    /// Boots, serves, cuts.
    fn cycle(&mut self, cycle: Cycle) -> io::Result<String> {
        self.engine_is(!matches!(cycle.outage, Outage::Until(_)))?;
        self.engine.otherwise(cycle.slow.map_or(Behaviour::ACCEPT, Behaviour::Delay));
        self.engine.script((0..cycle.resets).map(|_| Behaviour::ResetAfter));

        let mut machine = Machine::boot(&self.parts, cycle.task(), INSTRUMENTS)?;
        let started = Instant::now();
        let stop = AtomicBool::new(false);
        let (tell, first) = channel();
        let mut instruments = std::mem::take(&mut self.instruments);
        let addresses: Vec<_> = (0..instruments.len()).map(|number| machine.instrument(number)).collect();
        let outcome = std::thread::scope(|scope| {
            for (instrument, address) in instruments.iter_mut().zip(addresses) {
                let (stop, tell) = (&stop, tell.clone());
                scope.spawn(move || instrument.send(address, stop, &tell));
            }
            let outcome = self.serve(&mut machine, cycle, started, &|| first.try_recv().is_ok());
            // First the power, then the instruments: they are to be cut off in the middle of a message.
            let cut = machine.cut();
            stop.store(true, Ordering::Relaxed);
            outcome.and(cut)
        });
        self.instruments = instruments;
        outcome.map(|()| cycle.to_string())
    }

    /// What happens between the start and the cut.
    fn serve(
        &mut self,
        machine: &mut Machine,
        cycle: Cycle,
        started: Instant,
        first: &dyn Fn() -> bool,
    ) -> io::Result<()> {
        let after = match cycle.cut {
            Cut::Starting(after) => return machine.run_until(started + after),
            Cut::Serving(after) => after,
        };
        while !first() {
            if started.elapsed() > PATIENCE {
                return Err(io::Error::other("no instrument got an ACK"));
            }
            machine.run_until(Instant::now() + Duration::from_millis(5))?;
        }
        let served = Instant::now();
        match cycle.outage {
            Outage::Until(back) if back < after => {
                machine.run_until(served + back)?;
                self.engine_is(true)?;
            }
            Outage::From(gone) if gone < after => {
                machine.run_until(served + gone)?;
                self.engine_is(false)?;
            }
            _ => {}
        }
        machine.run_until(served + after)
    }

    fn engine_is(&mut self, there: bool) -> io::Result<()> {
        let Self { runtime, engine, .. } = self;
        if !there {
            runtime.block_on(engine.take_away());
            return Ok(());
        }
        let _inside = runtime.enter();
        let mut tries = 0;
        // A connection of somebody else's may have got its port for a moment.
        while let Err(error) = engine.bring_back() {
            tries += 1;
            if tries == 100 {
                return Err(error);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Boots once more without instruments, and waits until nothing is left to do, or nothing moves for so long.
    fn drain(&mut self, still: Duration) -> io::Result<(Balance, Machine)> {
        self.engine_is(true)?;
        self.engine.otherwise(Behaviour::ACCEPT);
        let mut machine = Machine::boot(&self.parts, Task::Run, INSTRUMENTS)?;
        let mut before = String::new();
        let mut moved = Instant::now();
        let mut answered = false;
        loop {
            machine.run_until(Instant::now() + Duration::from_millis(250))?;
            // Before it is ready nobody answers.
            let answers = machine.ask("status --json").and_then(|s| Ok((s, machine.ask("holds list")?)));
            let (status, holds) = match answers {
                Ok(answers) => answers,
                Err(error) if moved.elapsed() > PATIENCE => return Err(error),
                Err(_) => continue,
            };
            if !answered {
                (answered, moved) = (true, Instant::now());
            }
            let status: serde_json::Value = serde_json::from_str(&status).map_err(io::Error::other)?;
            let left = left(&status);
            let balance = lock(&self.ledger).balance(&self.engine.messages(), &holds);
            let now = format!("{left} {} {}", balance.arrived, balance.held);
            if now != before {
                (before, moved) = (now, Instant::now());
            }
            // Quiet for two answers in a row, so that a message which is only now being cut off is not missed.
            let quiet = left == 0 && moved.elapsed() > Duration::from_millis(400);
            if quiet && balance.lost.is_empty() || moved.elapsed() > still {
                return Ok((balance, machine));
            }
        }
    }
}

/// What the program still has to do, in its own words: messages to interpret and to deliver.
fn left(status: &serde_json::Value) -> u64 {
    let waiting = status["destinations"].as_array().into_iter().flatten().map(|d| &d["waiting"]);
    waiting.chain([&status["pending"]]).filter_map(serde_json::Value::as_u64).sum()
}
