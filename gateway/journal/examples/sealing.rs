//! What sealing costs: records a second with and without, turn by turn in one run, in the folder that is given (on a
//! disk, the sync counts; in memory, what is left is the processor's work). Nothing is asserted.
//!
//! `cargo run --release -p orugate-journal --example sealing -- FOLDER [ROUNDS]`
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "to read the clock and to print is what this is for"
)]

use orugate_journal::{
    Batch, FileStorage, Journal, KeyRing, Kind, Lane, NewRecord, Options, SealKey, UnixMillis, Urgency,
};
use std::error::Error;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Instant;

const PAYLOAD: usize = 1200;
const RECORDS: usize = 2048;

/// Records a second: written one by one, written 64 at a time, and read by a start.
fn round(folder: &Path, keys: Option<KeyRing>) -> Result<[f64; 3], Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    let options = Options { keys, ..Options::default() };
    let storage = FileStorage::new(folder)?;
    let journal = Journal::create(storage.clone(), UnixMillis(1_800_000_000_000), options.clone())?;
    let batch = || {
        let record = NewRecord::new(Kind(1), 1, vec![0x5a; 24], vec![0xa5; PAYLOAD]);
        Batch::new(Lane::Results, Urgency::Now, record)
    };
    let rate = |began: Instant, count: usize| count as f64 / began.elapsed().as_secs_f64();
    // The first segment is made before the clock runs.
    let _ = journal.append_wait(batch())?;
    let began = Instant::now();
    for _ in 0..RECORDS / 4 {
        let _ = journal.append_wait(batch())?;
    }
    let alone = rate(began, RECORDS / 4);
    let began = Instant::now();
    for _ in 0..RECORDS / 64 {
        let (sender, receiver) = channel();
        for _ in 0..64 {
            let sender = sender.clone();
            journal.append(batch(), move |result| {
                let _ = sender.send(result.is_ok());
            });
        }
        if !receiver.iter().take(64).all(|stored| stored) {
            return Err("a batch was not stored".into());
        }
    }
    let grouped = rate(began, RECORDS);
    drop(journal);
    let mut seen = 0;
    let began = Instant::now();
    let opened = Journal::open(storage, options, &mut |record| seen += record.payload.len() / PAYLOAD)?;
    let read = rate(began, seen);
    drop(opened);
    std::fs::remove_dir_all(folder)?;
    Ok([alone, grouped, read])
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: sealing FOLDER [ROUNDS]")?;
    let rounds = arguments.next().map_or(Ok(15), |rounds| rounds.parse())?;
    let folder = Path::new(&folder).join("sealing-cost");
    let key = SealKey::random_bytes().and_then(SealKey::new).ok_or("no key")?;
    let ring = KeyRing::new(key, Vec::new());
    let mut rates: [[Vec<f64>; 3]; 2] = Default::default();
    for _ in 0..rounds {
        for (keys, all) in [None, Some(ring.clone())].into_iter().zip(&mut rates) {
            all.iter_mut().zip(round(&folder, keys)?).for_each(|(list, rate)| list.push(rate));
        }
    }
    let median = |list: &mut Vec<f64>| {
        list.sort_by(f64::total_cmp);
        list.get(list.len() / 2).copied().unwrap_or_default()
    };
    let [open, sealed] = &mut rates;
    println!("records/s of {PAYLOAD} bytes, median of {rounds} rounds: not sealed, sealed, ratio");
    for ((what, open), sealed) in
        ["written one by one", "written by 64", "read by a start"].iter().zip(open).zip(sealed)
    {
        let (open, sealed) = (median(open), median(sealed));
        println!("{what:>18}: {open:>9.0} {sealed:>9.0} {:>6.3}", sealed / open);
    }
    Ok(())
}
