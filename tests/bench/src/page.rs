//! The results page.

use crate::callgrind::Count;
use crate::conversion::Measured;
use crate::timing::Figure;
use crate::{Anything, Options};
use std::fmt::Write as _;

/// Everything that one run measured.
pub struct Run<'a> {
    pub options: &'a Options,
    pub parsers: Vec<Figure>,
    pub conversion: Measured,
    pub instructions: Result<Vec<Count>, String>,
}

pub fn write(run: &Run<'_>) -> Anything<String> {
    let mut page = String::new();
    let ours = run.parsers.first().ok_or("no parser was timed")?;
    for figure in &run.parsers {
        let allocations = figure.allocations.map_or("not measured".to_owned(), |n| n.to_string());
        writeln!(page, "| {} | {:.1} | {:.2} µs | {allocations} |", figure.name, figure.median / ours.median, figure.median / 1000.0)?;
    }
    let c = &run.conversion;
    writeln!(page, "{} bytes to {} with {} results: {:.1} µs, {:?} allocations", c.raw, c.oru, c.results, c.figure.median / 1000.0, c.figure.allocations)?;
    for count in run.instructions.as_ref().map_err(String::as_str)? {
        writeln!(page, "{}: {:.0} instructions, {:.1} per byte", count.name, count.instructions, count.instructions / count.bytes as f64)?;
    }
    Ok(page)
}
