//! What Orugate costs: beside its peers, beside the disk, in writes to flash, and as a whole program. Writes
//! `docs/performance.md`.
//!
//! Promises: what is compared is measured in one run, turn by turn; every number on the page was measured by that run,
//! and what was not says so. Leaves out verdicts by time: no test asserts any of this.

mod allocations;
mod callgrind;
mod conversion;
mod disk;
mod machine;
mod page;
mod parsers;
mod sections;
mod start;
mod storage;
mod system;
mod timing;

use std::error::Error;
use std::path::PathBuf;

type Anything<T> = Result<T, Box<dyn Error>>;

/// What `tests/bench/run` gives along.
struct Options {
    /// The page.
    out: PathBuf,
    /// The released program.
    program: PathBuf,
    /// Where journals may be made: on the disk that is measured.
    journal: PathBuf,
    /// A Python that has python-hl7.
    python: Option<PathBuf>,
    /// What was built.
    revision: String,
    /// Fewer rounds: to see that it works, not to believe the numbers.
    quick: bool,
}

fn main() -> Anything<()> {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next().unwrap_or_default();
    if first == "repeat" {
        let what = arguments.next().unwrap_or_default();
        let times = arguments.next().unwrap_or_default().parse()?;
        return callgrind::repeat(&what, times);
    }
    if first == "storage" {
        return storage::measure(arguments);
    }
    if first == "start" {
        return start::measure(arguments);
    }
    let mut options = Options {
        out: PathBuf::from("performance.md"),
        program: PathBuf::from("orugate"),
        journal: std::env::temp_dir(),
        python: None,
        revision: "unknown".to_owned(),
        quick: false,
    };
    let mut next = Some(first).filter(|first| !first.is_empty());
    while let Some(name) = next {
        let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "--out" => options.out = value()?.into(),
            "--program" => options.program = value()?.into(),
            "--journal" => options.journal = value()?.into(),
            "--python" => options.python = Some(value()?.into()),
            "--revision" => options.revision = value()?,
            "--quick" => options.quick = true,
            _ => return Err(format!("unknown option {name}").into()),
        }
        next = arguments.next();
    }
    measure(&options)
}

fn measure(options: &Options) -> Anything<()> {
    let rounds = if options.quick { 20 } else { 400 };
    let machine = machine::describe("journal", &options.journal)?;
    eprintln!("parsers");
    let parsers = parsers::measure(rounds, options.python.as_deref())?;
    eprintln!("raw message to ORU");
    let conversion = conversion::measure(rounds)?;
    eprintln!("instructions");
    let instructions = callgrind::measure()?;
    eprintln!("whole program");
    let loads = system::measure(&options.program, &options.journal, options.quick)?;
    let size = system::size(&options.program, &options.journal)?;
    let run = page::Run { options, machine, parsers, conversion, instructions, loads, size };
    std::fs::write(&options.out, sections::keep(&options.out, page::write(&run)?))?;
    Ok(())
}
