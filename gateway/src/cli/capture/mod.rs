//! `orugate capture list, export, to-example`: what came and went on the instruments' lines.
//!
//! Promises that nothing is written to the journal but who took out a capture with persons in it, and no lock is taken
//! otherwise; that no person is in an export unless `--private` asks for it, and then only in a file of its owner or
//! on a terminal.

mod example;
mod export;

use super::journal::text::{self as words, size};
use super::journal::{At, Stop, ended, open};
use super::profile::Site;
use crate::archive::Journal;
use crate::capture::read;
use clap::Subcommand;
use orugate_drivers::Catalogue;
use std::io::Write as _;
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// List the instruments whose lines are captured, with how far back it goes; shows no patient data
    List {
        #[command(flatten)]
        at: At,
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Write what came and went on an instrument's line, with times, as text that orugate replay reads
    ///
    /// The service may run. Names, ids, days of birth and texts are replaced by stand-ins of the same length, the same by the
    /// same; checksums are made right again. docs/capture.md has the format and what passes.
    Export(#[command(flatten)] export::Asked),
    /// Make an example for a profile from an export: what came, and what comes of it
    ///
    /// An export with persons in it is scrubbed. Compare what is expected with the analyzer before you keep it.
    ToExample(#[command(flatten)] example::Asked),
}

pub(super) fn run(catalogue: &Catalogue, config: &Path, action: &Action) -> u8 {
    match action {
        Action::List { at, json } => match open(catalogue, config, at) {
            Ok(journal) => ended(list(&journal, *json)),
            Err(code) => code,
        },
        Action::Export(asked) => export::run(catalogue, config, asked),
        Action::ToExample(asked) => example::run(&Site::of(catalogue, config), asked),
    }
}

fn list(journal: &Journal, json: bool) -> Result<u8, Stop> {
    let rings = read::list(journal)?;
    let mut out = std::io::stdout().lock();
    if json {
        let rings: Vec<_> = rings
            .iter()
            .map(|(name, ring)| {
                let [came, went, events] = ring.counts;
                serde_json::json!({ "instrument": name, "bytes": ring.bytes, "in": came, "out": went,
                    "events": events, "first": ring.first, "last": ring.last, "damaged": ring.damaged })
            })
            .collect();
        writeln!(out, "{}", serde_json::json!({ "captures": rings }))?;
        return Ok(0);
    }
    if rings.is_empty() {
        writeln!(out, "Nothing is captured in {}.", journal.folder().display())?;
        return Ok(0);
    }
    writeln!(
        out,
        "INSTRUMENT            FROM                  TO                    IN        OUT       EVENTS  FLASH"
    )?;
    for (name, ring) in &rings {
        let [came, went, events] = ring.counts;
        let time = |at: Option<i64>| at.map_or("-".to_owned(), words::time);
        writeln!(
            out,
            "{name:<21} {:<21} {:<21} {:<9} {:<9} {events:<7} {}",
            time(ring.first),
            time(ring.last),
            short(came),
            short(went),
            size(ring.bytes),
        )?;
        if ring.damaged > 0 {
            writeln!(out, "  {} of it cannot be read", crate::words::count(ring.damaged, "place", "places"))?;
        }
    }
    Ok(0)
}

fn short(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_240_000 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

/// A new file for its owner only, or standard output.
fn output(to: Option<&Path>) -> Result<Box<dyn std::io::Write>, u8> {
    let Some(path) = to.filter(|path| *path != Path::new("-")) else {
        return Ok(Box::new(std::io::stdout()));
    };
    match super::journal::export::new_file(path) {
        Ok(file) => Ok(Box::new(std::io::BufWriter::new(file))),
        Err(error) => {
            eprintln!("{}: {error}. Give a file that is not there yet.", path.display());
            Err(if error.kind() == std::io::ErrorKind::AlreadyExists { 64 } else { 74 })
        }
    }
}

/// Where a command's output goes, in words.
fn place(to: Option<&PathBuf>) -> String {
    to.map_or("standard output".to_owned(), |path| path.display().to_string())
}
