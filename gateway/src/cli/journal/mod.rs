//! `orugate journal verify, list, show, export, stats`: looking into a journal, that of the running service or a copy.
//!
//! Promises that nothing is written to it and no lock is taken, and that only `show` and `export` give out what patients'
//! messages hold. Leaves out mending: what is damaged stays as it is for whoever can read more of it.

pub(super) mod export;
mod list;
mod show;
mod stats;
pub(super) mod text;
mod verify;

use super::message_number;
use super::service;
use crate::archive::{Archive, Journal, Message, Wanted};
use crate::config::{self, main_file};
use crate::seal;
use clap::{Args, Subcommand};
use orugate_drivers::Catalogue;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

const REFUSED: u8 = 1;
const USAGE: u8 = 64;
const DAMAGED: u8 = 65;
const IO: u8 = 74;

#[derive(Debug, Subcommand)]
pub(super) enum Look {
    /// Read all of a journal and say what is damaged, and which results that touches
    ///
    /// The service may run. Nothing is written. Exits with 0 when it is sound and with 65 when it is damaged.
    Verify {
        #[command(flatten)]
        at: At,
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// List the messages in a journal and what became of each; shows no patient data
    List {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        filter: Filter,
        /// With results of the sample with exactly this id; of messages that were interpreted
        #[arg(long, value_name = "ID")]
        sample: Option<String>,
        /// As JSON, one message a line, for programs
        #[arg(long)]
        json: bool,
    },
    /// Show everything about one message. This shows patient data
    ///
    /// Raw bytes, ORUs, acknowledgments and what people wrote are shown on a terminal only; --raw writes the
    /// instrument's bytes into a file. Whoever can read the journal can do this, and nobody is told.
    Show {
        #[command(flatten)]
        at: At,
        /// The number of a message, an ORU or a hold, or an MSH-10
        #[arg(value_parser = message_number)]
        number: u64,
        /// Write the message's bytes into this new file, for orugate replay
        #[arg(long, value_name = "FILE")]
        raw: Option<PathBuf>,
    },
    /// Write messages, ORUs or all records into files. They hold patient data
    ///
    /// Without --raw or --oru: all records as JSON, one a line. New files only, for their owner only.
    Export {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        filter: Filter,
        /// What the instruments sent: in a folder a file for each message, which orugate replay reads
        #[arg(long, conflicts_with = "oru")]
        raw: bool,
        /// The ORUs: in a folder a file for each, in a file one after the other, MLLP-framed
        #[arg(long)]
        oru: bool,
        /// A folder that is there, or a new file; - is standard output
        to: PathBuf,
    },
    /// Count a journal's bytes and records by kind, lane, segment and day
    Stats {
        #[command(flatten)]
        at: At,
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
}

/// Which journal.
#[derive(Debug, Default, Args)]
pub(super) struct At {
    /// The journal's folder, a copy for example [there: that of the configuration]
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// A key that it is sealed with, may be several [there: those of the configuration]
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
}

/// Which messages.
#[derive(Debug, Args)]
pub(super) struct Filter {
    /// Of this instrument
    #[arg(long, value_name = "NAME")]
    instrument: Option<String>,
    /// That came at this time or later: 2026-11-25, 2026-11-25T06:30:00Z, or 36h or 7d ago
    #[arg(long, value_name = "TIME", value_parser = text::since)]
    since: Option<text::Since>,
    /// That stand so
    #[arg(long)]
    state: Option<Wanted>,
}

impl At {
    /// It is that of the configuration.
    pub(super) const fn is_configured(&self) -> bool {
        self.path.is_none()
    }
}

impl Filter {
    fn is_all(&self) -> bool {
        self.instrument.is_none() && self.since.is_none() && self.state.is_none()
    }

    /// The same with a time in place of an age.
    fn from(&self) -> i64 {
        self.since.map_or(i64::MIN, text::Since::micros)
    }

    fn takes(&self, archive: &Archive, message: &Message, from: i64) -> bool {
        self.instrument.as_ref().is_none_or(|name| **name == *message.instrument)
            && message.received >= from
            && self.state.is_none_or(|wanted| archive.is_wanted(message, wanted))
    }
}

pub(super) fn run(catalogue: &Catalogue, config: &Path, look: &Look) -> u8 {
    let at = match look {
        Look::Verify { at, .. }
        | Look::List { at, .. }
        | Look::Show { at, .. }
        | Look::Export { at, .. }
        | Look::Stats { at, .. } => at,
    };
    let journal = match open(catalogue, config, at) {
        Ok(journal) => journal,
        Err(code) => return code,
    };
    let done = match look {
        Look::Verify { json, .. } => verify::run(&journal, *json),
        Look::List { filter, sample, json, .. } => list::run(&journal, filter, sample.as_deref(), *json),
        Look::Show { number, raw, .. } => show::run(&journal, *number, raw.as_deref()),
        Look::Export { filter, raw, oru, to, .. } => {
            let what = match (raw, oru) {
                (true, _) => export::What::Raw,
                (_, true) => export::What::Oru,
                _ => export::What::All,
            };
            export::run(&journal, filter, what, to)
        }
        Look::Stats { json, .. } => stats::run(&journal, *json),
    };
    ended(done)
}

/// What a command's end is to the shell.
pub(super) fn ended(done: Result<u8, Stop>) -> u8 {
    match done {
        Ok(code) | Err(Stop::Said(code)) => code,
        Err(Stop::Look(why)) => {
            eprintln!("{why}");
            IO
        }
        // Whoever reads has seen enough.
        Err(Stop::Print(error)) if error.kind() == ErrorKind::BrokenPipe => 0,
        Err(Stop::Print(error)) => {
            eprintln!("Standard output: {error}.");
            IO
        }
    }
}

/// Why a command ends early.
pub(super) enum Stop {
    Look(crate::archive::LookError),
    Print(io::Error),
    /// It was said already.
    Said(u8),
}

impl From<crate::archive::LookError> for Stop {
    fn from(error: crate::archive::LookError) -> Self {
        Self::Look(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Print(error)
    }
}

pub(super) fn open(catalogue: &Catalogue, config: &Path, at: &At) -> Result<Journal, u8> {
    let given = seal::from_files(&at.keys).map_err(|why| {
        eprintln!("{why}.");
        IO
    })?;
    let mut raw_from = i64::MIN;
    let (folder, keys) = match &at.path {
        None => {
            let plan = service::load_configured(catalogue, config)?.plan.journal;
            let keep = i64::try_from(plan.keep_raw.as_secs()).unwrap_or(i64::MAX);
            raw_from = text::Since::Ago(keep).micros();
            (plan.path.clone(), given.or_else(|| configured_keys(&plan)))
        }
        Some(folder) => {
            // A copy may be looked at where there is no configuration, or another one.
            let plan = || {
                let there = main_file(config).is_file();
                there
                    .then(|| config::load(config, catalogue).ok())
                    .flatten()
                    .map(|loaded| loaded.plan.journal)
            };
            (folder.clone(), given.or_else(|| configured_keys(&plan()?)))
        }
    };
    let journal = Journal::at(&folder, keys).map_err(|why| {
        eprintln!("{why}");
        IO
    })?;
    Ok(journal.with_raw_from(raw_from))
}

/// Keys of the configuration. Without them whatever is not sealed can be read still, so it is only said.
fn configured_keys(plan: &config::JournalPlan) -> Option<orugate_journal::KeyRing> {
    match seal::keys(plan) {
        Ok((ring, _)) => ring,
        Err(why) => {
            eprintln!("{why}.");
            None
        }
    }
}

/// Damage that another command than `verify` came by.
pub(super) fn remark(damaged: usize) {
    if damaged > 0 {
        let places = crate::words::count(damaged as u64, "place", "places");
        eprintln!("The journal is damaged in {places}, so this may not be all: orugate journal verify");
    }
}
