//! `orugate backup` and `orugate restore`: what is asked, and what is said.
//!
//! Promises that whoever reads it knows how far the copy reaches, what of it waits for whom, and what to do next. What is said is
//! about counts, times and names of destinations, never about a patient.

use super::journal::{self, text};
use super::{runtime, service};
use crate::archive::Journal;
use crate::backup::{Assurance, Contents, Restoring, Stop, Taken, take};
use crate::clock::Clock;
use crate::config::Plan;
use crate::seal;
use crate::words::count;
use clap::Args;
use orugate_drivers::Catalogue;
use orugate_protocol::time::Utc;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const REFUSED: u8 = 1;
const DAMAGED: u8 = 65;
const IO: u8 = 74;

#[derive(Debug, Args)]
pub(super) struct From {
    /// The copy: a folder that orugate backup made, or the journal's folder on a card of the old box
    from: PathBuf,
    /// Where the journal goes [there: the path of the configuration]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// A key that the copy is sealed with, may be several, the one for new records first [there: those of the configuration]
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// The box that the copy is of is off and stays off, or its journal was taken away
    #[arg(long)]
    old_box_is_off: bool,
    /// The copy is damaged, and there is no better one
    #[arg(long)]
    damaged: bool,
    /// This box's clock is right although the copy has later times: the old box's clock was ahead
    #[arg(long)]
    clock_is_right: bool,
}

impl From {
    fn assured(&self) -> Vec<Assurance> {
        let said = [
            (self.old_box_is_off, Assurance::OldBoxIsOff),
            (self.damaged, Assurance::Damaged),
            (self.clock_is_right, Assurance::ClockIsRight),
        ];
        said.into_iter().filter_map(|(said, assurance)| said.then_some(assurance)).collect()
    }
}

/// How far it is, for somebody who looks on.
fn progress() -> impl FnMut(u64, u64) {
    let shown = io::stderr().is_terminal();
    let mut last = 0;
    move |done, total| {
        let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100);
        if shown && percent > last {
            last = percent;
            eprint!("\r{} of {}, {percent} % ", text::size(done), text::size(total));
            if percent == 100 {
                eprint!("\r                                        \r");
            }
        }
    }
}

fn stopped(stop: &Stop) -> u8 {
    eprintln!("{stop}");
    match stop {
        Stop::Refused(_) => REFUSED,
        Stop::Failed(_) => IO,
    }
}

pub(super) fn run(catalogue: &Catalogue, config: &Path, at: &journal::At, to: &Path) -> u8 {
    let taken = journal::open(catalogue, config, at)
        .and_then(|journal| take(&journal, to, &mut progress()).map_err(|stop| stopped(&stop)));
    match taken {
        Ok(taken) => tell(&taken),
        Err(code) => code,
    }
}

fn tell(taken: &Taken) -> u8 {
    let folder = taken.folder.display();
    let segments = count(taken.copied.segments, "segment", "segments");
    println!("The copy is in {folder}: {segments}, {}.", text::size(taken.survey.bytes));
    match &taken.contents {
        Some(contents) => {
            println!("{}", reaches(contents));
            waits(contents).iter().for_each(|line| println!("{line}"));
        }
        None => {
            let until = taken.survey.newest_time.map_or("?".to_owned(), |time| text::time_of_millis(time.0));
            println!(
                "It is sealed and the key is not here: its checksums are right as far as nothing else is said below, and it \
                 reaches until {until}, number {}. What waits in it, the key tells: orugate journal verify --path {folder} \
                 --key FILE",
                taken.survey.next
            );
        }
    }
    println!(
        "Its configuration and its keys are not in it: docs/backup.md says what else a spare box needs."
    );
    if taken.same_medium {
        eprintln!(
            "It is on the same medium as the journal, and will be lost with it: copy it to another one."
        );
    }
    if taken.open_to_others {
        eprintln!(
            "The medium does not keep who may read a file: whoever has it reads patients' data, if the journal is not sealed. \
             Lock it up."
        );
    }
    for (file, bytes) in &taken.copied.unreadable {
        eprintln!("{file}: {} cannot be read; zeros are in their place.", text::size(*bytes));
    }
    if taken.damage() == 0 {
        return 0;
    }
    let places = count(taken.damage(), "place", "places");
    eprintln!(
        "The journal is DAMAGED in {places}. All that can be read of it was copied. What the damage touches: orugate journal \
         verify --path {folder}"
    );
    DAMAGED
}

/// Until when, and how much.
fn reaches(contents: &Contents) -> String {
    let until =
        contents.reaches.map_or("a time that no clock told".to_owned(), |at| text::time_of_millis(at.0));
    format!(
        "It reaches until {until}, number {}, and holds {}.",
        contents.next,
        count(contents.messages, "message", "messages")
    )
}

/// What is not where it belongs yet.
fn waits(contents: &Contents) -> Vec<String> {
    let of = |queues: &BTreeMap<Arc<str>, u64>, wait: &str| -> Vec<String> {
        queues.iter().map(|(name, orus)| format!("{} {wait} {name}.", count(*orus, "ORU", "ORUs"))).collect()
    };
    let mut lines = of(&contents.waiting, "to be sent to");
    lines.extend(of(&contents.parked, "parked for"));
    let others = [
        (contents.holds, "hold that waits for a person.", "holds that wait for a person."),
        (contents.unread, "message to be interpreted.", "messages to be interpreted."),
        (contents.open, "message that was not ended.", "messages that were not ended."),
    ];
    lines.extend(others.into_iter().filter(|(n, ..)| *n > 0).map(|(n, one, many)| count(n, one, many)));
    if lines.is_empty() {
        lines.push("Nothing waits in it.".to_owned());
    }
    lines
}

pub(super) fn restore(catalogue: &Catalogue, config: &Path, asked: &From) -> u8 {
    let plan = match service::load_configured(catalogue, config) {
        Ok(loaded) => loaded.plan,
        Err(code) => return code,
    };
    let keys = match seal::from_files(&asked.keys) {
        Ok(None) => seal::keys(&plan.journal).map(|(ring, _)| ring),
        given => given,
    };
    let journal = keys.and_then(|keys| {
        Journal::at(&asked.from, keys).map_err(|why| why.to_string().trim_end_matches('.').to_owned())
    });
    let journal = match journal {
        Ok(journal) => journal,
        Err(why) => {
            eprintln!("{why}. Nothing was changed.");
            return IO;
        }
    };
    // Tokio keeps the clocks.
    let Ok(runtime) = runtime() else { return IO };
    let now = runtime.block_on(async { Clock::system(0).utc() });
    let to = asked.to.as_deref().unwrap_or(&plan.journal.path);
    let restoring = match Restoring::look(&journal, to, now) {
        Ok(restoring) => restoring,
        Err(stop) => return stopped(&stop),
    };
    forecast(&restoring, &plan, &asked.from, now);
    if let Some(why) = restoring.refusal(&plan, &asked.assured()) {
        eprintln!("{why} Nothing was changed.");
        return REFUSED;
    }
    if let Err(stop) = restoring.restore(&journal, actor(), &mut progress()) {
        return stopped(&stop);
    }
    println!("The journal is in {}. Numbers go on from {}.", restoring.to.display(), restoring.ceiling);
    println!(
        "Next: systemctl start orugate, then orugate status. Keep the copy until all that waited is where it belongs."
    );
    0
}

/// What will happen, before it does.
fn forecast(restoring: &Restoring, plan: &Plan, from: &Path, now: Utc) {
    let contents = &restoring.contents;
    println!("The copy in {}: {}.", from.display(), text::size(contents.bytes));
    println!("{}", reaches(contents));
    waits(contents).iter().for_each(|line| println!("{line}"));
    if contents.waiting.values().sum::<u64>() > 0 {
        println!(
            "What is to be sent goes out when the service starts, byte by byte and with the MSH-10 that it has. What the old \
             box delivered after the copy comes a second time."
        );
    }
    let missing =
        |name: &&Arc<str>| !plan.destinations.iter().any(|destination| *destination.name == ***name);
    for name in contents.waiting.keys().chain(contents.parked.keys()).filter(missing) {
        println!("This box's configuration has no destination {name}: what is for it stays until it has.");
    }
    if contents.bytes > plan.journal.max_size {
        println!("It is larger than max_size in [journal]: room is given back as what is in it settles.");
    }
    match contents.reaches {
        _ if contents.stopped => println!(
            "It ends with the service stopped as it should: nothing is missing, unless the old box was started again after that."
        ),
        Some(at) => {
            let age = now.0 / 1_000_000 - i64::try_from(at.0 / 1_000).unwrap_or(i64::MAX);
            let until = text::time_of_millis(at.0);
            println!(
                "NOT in it is what the old box acknowledged to instruments after {until} ({} ago): those do not send that again \
                 by themselves. Have the samples since then sent again from each instrument.",
                crate::words::duration(age.max(0))
            );
        }
        None => println!(
            "Its box had no trusted time. NOT in it is what the old box acknowledged after the copy: have the samples since \
             then sent again from each instrument."
        ),
    }
}

/// Who is at the keyboard, as the kernel says.
fn actor() -> String {
    std::fs::metadata("/proc/self").map_or_else(|_| "unknown".to_owned(), |own| crate::who::actor(own.uid()))
}
