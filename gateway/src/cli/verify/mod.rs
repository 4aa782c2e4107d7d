//! `orugate verify`: the evidence that results arrive as they were sent (CLIA 493.1291(a)).
//!
//! Promises that what is asked is what a destination acknowledged, read from the journal beside the service; that each answer is on
//! flash before it is confirmed; and that values are shown on a terminal, or written into files of their owner, and nowhere
//! else. Decides nothing: the service does.

mod answers;
mod desk;
mod list;
mod profile;
mod report;
mod session;
mod sheet;

use super::journal::{At, ended};
use orugate_drivers::Catalogue;
use std::path::{Path, PathBuf};

const REFUSED: u8 = 1;
const USAGE: u8 = 64;
const IO: u8 = 74;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// Run a profile's examples through driver and conversion, and say what each shows
    ///
    /// Exits with 1 when one gives something else than it says. Nothing is stored or sent.
    Profile {
        /// The profile's name, or its file
        name: String,
    },
    /// Compare an analyzer's screen with what was sent, result by result
    ///
    /// The service runs, the instrument is in test mode, and somebody stands at the analyzer. Each result is asked for once a
    /// destination has acknowledged it. It can be broken off with q and taken up again by the same command.
    Session {
        /// The instrument's name
        instrument: String,
        /// The name of the person who compares, for the report
        #[arg(long, value_name = "NAME", default_value = "")]
        name: String,
        /// End the open session first, whatever it lacks, and begin another
        #[arg(long)]
        anew: bool,
        /// Take the answers from this CSV file, once, without asking; - is standard input (docs/verify.md has the columns)
        #[arg(long, value_name = "FILE")]
        answers: Option<PathBuf>,
        /// Write all that is to be answered into this new CSV file, to be filled in and given with --answers
        #[arg(long, value_name = "FILE", conflicts_with = "answers")]
        questions: Option<PathBuf>,
        /// Where the report goes when the session ends
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
    },
    /// List the verifications in a journal, and whether each proves the profile that is configured now
    List {
        #[command(flatten)]
        at: At,
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Write a verification's report again from the journal: HTML, CSV and a file with their hashes
    ///
    /// New files, for their owner only: values are in them.
    Report {
        #[command(flatten)]
        at: At,
        /// Its number, from orugate verify list
        number: u64,
        /// Into this folder
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
        /// Leave out what may be a patient's: sample ids, remarks, patient segments, input bytes, typed words
        #[arg(long)]
        scrub: bool,
    },
}

pub(super) fn run(catalogue: &Catalogue, config: &Path, action: Action) -> u8 {
    match action {
        Action::Profile { name } => profile::run(catalogue, config, &name),
        Action::Session { instrument, name, anew, answers, questions, out } => {
            let how = match (answers, questions) {
                (Some(file), _) => session::How::Answers(file),
                (None, Some(file)) => session::How::Questions(file),
                (None, None) => session::How::Asking,
            };
            session::run(catalogue, config, &instrument, name, anew, how, &out)
        }
        Action::List { at, json } => ended(list::run(catalogue, config, &at, json)),
        Action::Report { at, number, out, scrub } => {
            ended(report::run(catalogue, config, &at, number, &out, scrub))
        }
    }
}
