//! Instructions for one piece of work, counted by callgrind in this same program. Unlike times they do not depend on
//! what else the machine does.

use crate::conversion::Bench;
use crate::{Anything, parsers};
use std::process::Command;

/// The work by its name, so many times. Runs under callgrind; the difference of two counts is the work alone.
pub fn repeat(what: &str, times: u32) -> Anything<()> {
    if let Some(orders) = what.strip_prefix("convert-") {
        let mut bench = Bench::new(orders.parse()?)?;
        (0..times).for_each(|_| _ = std::hint::black_box(bench.work()));
        return Ok(());
    }
    let (text, _) = parsers::message();
    let mut index = parsers::room(&text);
    let (_, read) = parsers::ALL.iter().find(|(name, _)| *name == what).ok_or("no such work")?;
    for _ in 0..times {
        let mut bytes = 0;
        let _ = read(std::hint::black_box(&text), &mut index, &mut |value| bytes += value.len());
        std::hint::black_box(bytes);
    }
    Ok(())
}

/// Instructions for one piece of work, and the bytes that went in.
pub struct Count {
    pub name: String,
    pub instructions: f64,
    pub bytes: usize,
}

/// Orders in one message, for what a message costs as it grows.
pub const ORDERS: [usize; 3] = [1, 10, 100];

/// Nothing, and why, when there is no valgrind.
pub fn measure() -> Anything<Result<Vec<Count>, String>> {
    if let Err(error) = Command::new("valgrind").arg("--version").output() {
        return Ok(Err(format!("valgrind did not start: {error}")));
    }
    let mut counts = Vec::new();
    let length = parsers::message().0.len();
    for (name, _) in parsers::ALL {
        counts.push(Count { name: name.to_owned(), instructions: each(name, 50)?, bytes: length });
    }
    for orders in ORDERS {
        let name = format!("convert-{orders}");
        let instructions = each(&name, if orders > 10 { 2 } else { 20 })?;
        counts.push(Count { name, instructions, bytes: Bench::new(orders)?.len() });
    }
    Ok(Ok(counts))
}

fn each(what: &str, times: u32) -> Anything<f64> {
    let (few, many) = (collected(what, times)?, collected(what, times * 2)?);
    Ok((many - few) / f64::from(times))
}

fn collected(what: &str, times: u32) -> Anything<f64> {
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["repeat", what, &times.to_string()])
        .output()?;
    let said = String::from_utf8_lossy(&run.stderr);
    let count = said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    count.filter(|_| run.status.success()).ok_or_else(|| format!("callgrind of {what}: {said}").into())
}
