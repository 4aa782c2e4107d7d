//! A ward on the real program, for minutes or hours: see the script tests/load, which builds what this runs.

// A rig that says on its standard output what it found.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use orugate_tests::load::{Options, run};
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some([program, folder, numbers @ ..]) = arguments.first_chunk::<6>() else {
        eprintln!(
            "usage: load PROGRAM FOLDER MONITORS VENTILATORS QUIET-SECONDS SECONDS; tests/load knows them"
        );
        return ExitCode::from(64);
    };
    let Ok(numbers) = numbers.iter().map(|number| number.parse()).collect::<Result<Vec<u32>, _>>() else {
        eprintln!("load: the last four are numbers");
        return ExitCode::from(64);
    };
    let [monitors, ventilators, quiet, window] = numbers[..] else { return ExitCode::from(64) };
    let options = Options {
        program: program.into(),
        folder: folder.into(),
        monitors: monitors as usize,
        ventilators: ventilators as usize,
        quiet: Duration::from_secs(quiet.into()),
        window: Duration::from_secs(window.into()),
    };
    let report = match run(&options, &mut |said| println!("{said}")) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("load: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("\n{report}");
    let wrong = report.wrong();
    for wrong in &wrong {
        eprintln!("load: {wrong}");
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
