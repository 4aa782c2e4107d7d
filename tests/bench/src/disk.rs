//! The disk's own rate: what no program on it can beat that keeps every frame before it acknowledges.

use crate::Anything;
use crate::timing::quantile;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Instant;

const PAGE: usize = 4096;

/// One kind of write, again and again.
pub struct Rate {
    /// Writes in a second.
    pub each_second: f64,
    /// Milliseconds of one.
    pub median: f64,
    pub ninety_ninth: f64,
}

/// Appends of 4 KiB to a file that is filled with zeros already, `fdatasync` after each.
pub fn rate(folder: &Path, times: usize) -> Anything<Rate> {
    let path = folder.join("disk-rate");
    let mut file = File::create(&path)?;
    file.write_all(&vec![0; PAGE * times])?;
    file.sync_all()?;
    let page = [0x55; PAGE];
    let mut took = Vec::with_capacity(times);
    let began = Instant::now();
    for n in 0..times {
        let began = Instant::now();
        file.write_all_at(&page, (n * PAGE) as u64)?;
        file.sync_data()?;
        took.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    let all = began.elapsed().as_secs_f64();
    std::fs::remove_file(&path)?;
    Ok(Rate {
        each_second: times as f64 / all,
        median: quantile(&mut took, 0.5),
        ninety_ninth: quantile(&mut took, 0.99),
    })
}
