//! Contestants of one run, timed turn by turn, so that a slow second of the machine hits all of them alike.

use crate::allocations;
use std::time::{Duration, Instant};

/// One way to do the work. It gives the bytes that it read, so that nobody can leave the work out.
pub struct Contestant<'a> {
    /// Its name on the page.
    pub name: &'a str,
    /// Does the work once.
    pub work: Box<dyn FnMut() -> u64 + 'a>,
}

impl<'a> Contestant<'a> {
    pub fn new(name: &'a str, work: impl FnMut() -> u64 + 'a) -> Self {
        Self { name, work: Box::new(work) }
    }
}

/// What one contestant took for one piece of work.
pub struct Figure {
    /// Its name on the page.
    pub name: String,
    /// Median of all turns, in nanoseconds.
    pub median: f64,
    /// Nine of ten turns were not faster.
    pub tenth: f64,
    /// Nine of ten turns were not slower.
    pub ninetieth: f64,
    /// Heap allocations, when it is warm; `None` where they cannot be counted.
    pub allocations: Option<u64>,
}

/// How long a turn should take: far above what reading the clock costs.
const TURN: Duration = Duration::from_micros(300);

/// Times each contestant `rounds` times.
pub fn compare(contestants: &mut [Contestant<'_>], rounds: usize) -> Vec<Figure> {
    let mut work: Vec<(u32, Vec<f64>)> = Vec::new();
    for contestant in contestants.iter_mut() {
        let mut times = 1u32;
        // Warms up, and finds how often a turn does the work.
        while turn(contestant, times) < TURN {
            times *= 2;
        }
        work.push((times, Vec::new()));
    }
    for _ in 0..rounds {
        for (contestant, (times, turns)) in contestants.iter_mut().zip(&mut work) {
            turns.push(turn(contestant, *times).as_nanos() as f64 / f64::from(*times));
        }
    }
    let figures = contestants.iter_mut().zip(work).map(|(contestant, (_, mut turns))| Figure {
        name: contestant.name.to_owned(),
        allocations: Some(allocations::during(|| _ = std::hint::black_box((contestant.work)()))),
        median: quantile(&mut turns, 0.5),
        tenth: quantile(&mut turns, 0.1),
        ninetieth: quantile(&mut turns, 0.9),
    });
    figures.collect()
}

fn turn(contestant: &mut Contestant<'_>, times: u32) -> Duration {
    let began = Instant::now();
    for _ in 0..times {
        std::hint::black_box((contestant.work)());
    }
    began.elapsed()
}

/// The value that this part of all values does not exceed.
pub fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = ((values.len() as f64 * part).ceil() as usize).max(1) - 1;
    values.get(at).copied().unwrap_or(f64::NAN)
}
