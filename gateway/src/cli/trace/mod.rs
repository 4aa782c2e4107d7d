//! `orugate trace`: what became of a sample's results, of a message, an ORU or a hold, from the bytes on the wire to the
//! destination's answer.
//!
//! Promises that nothing is written and no lock is taken; that patients' data is given out on a terminal only, or where
//! `--private` asks for it; that of a message with several specimens only the one is told that was asked for; and that what was
//! sent is told by the bytes that were sent, with a word where today's reading differs. Leaves out who looked: whoever can
//! read the journal can do this.

mod events;
mod gather;
pub(super) mod model;
mod page;
mod reading;
mod story;

use super::journal::{At, Stop, ended, open, remark};
use super::message_number;
use super::profile::Site;
use crate::archive::{Archive, Journal, OfSample};
use crate::config::{self, Plan, main_file};
use crate::lineup;
use gather::Records;
use jiff::tz::TimeZone;
use model::{ReadWith, Told, Trace};
use orugate_driver::Profile;
use orugate_drivers::Catalogue;
use orugate_journal::{Gathered, Term};
use reading::{Reading, With};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use story::{Scope, Story};

const REFUSED: u8 = 1;
/// The form of the JSON.
const FORM: u32 = 1;

#[derive(Debug, clap::Args)]
pub(super) struct What {
    #[command(flatten)]
    at: At,
    /// A sample id, an MSH-10, or the number of a message, an ORU or a hold
    #[arg(value_name = "SAMPLE|MSH-10|NUMBER")]
    what: String,
    /// Take it for a sample id and for nothing else
    #[arg(long)]
    sample: bool,
    /// Show patients' data where no terminal is, in a file for example
    #[arg(long)]
    private: bool,
    /// As JSON, for programs; docs/trace.md has the fields
    #[arg(long)]
    json: bool,
}

pub(super) fn run(catalogue: &Catalogue, config: &Path, what: &What) -> u8 {
    let journal = match open(catalogue, config, &what.at) {
        Ok(journal) => journal,
        Err(code) => return code,
    };
    // A copy is looked at where there may be no configuration, or another one.
    let there = main_file(config).is_file();
    let plan = there.then(|| config::load(config, catalogue).ok()).flatten().map(|loaded| loaded.plan);
    ended(tell(&journal, plan.as_ref(), &Site::of(catalogue, config), what))
}

fn tell(journal: &Journal, plan: Option<&Plan>, site: &Site, what: &What) -> Result<u8, Stop> {
    let private = what.private || io::stdout().is_terminal();
    let found = find(journal, what)?;
    let Some(Found { term, archive, messages, scope, damage }) = found else {
        // What was asked for may be a patient's, and this may be in a log.
        eprintln!(
            "Nothing in the journal {} is of this sample, and it is no number of a message, an ORU or a hold in it. A sample is \
             found by its whole id, as the instrument sent it, once its message was interpreted; a result without an id \
             waits in a hold: orugate holds list. What was settled long ago was given back.",
            journal.folder().display()
        );
        return Ok(REFUSED);
    };
    let asked = Asked { term, archive: &archive, messages: &messages, scope: &scope };
    let (told, gathered) = all(journal, plan, site, &asked, private)?;
    if let Some(other) = another_gateways(&scope, what.what.trim(), &told) {
        eprintln!(
            "No ORU in the journal {} has this MSH-10. The one with its number is {other}: the first four characters are the \
             gateway's, so look at that gateway's journal.",
            journal.folder().display()
        );
        return Ok(REFUSED);
    }
    let damaged = gathered.damaged.len().max(damage.damaged.len());
    let whole = damaged == 0 && gathered.gone == 0 && damage.gone == 0;
    let trace = Trace { trace: FORM, private, whole, messages: told };
    let mut out = io::stdout().lock();
    if what.json {
        let text = serde_json::to_string_pretty(&trace).map_err(io::Error::other)?;
        writeln!(out, "{text}")?;
    } else {
        out.write_all(page::print(&trace, &scope).as_bytes())?;
    }
    out.flush()?;
    drop(out);
    remark(damaged);
    Ok(0)
}

/// The MSH-10 of the ORU that was found, when a whole other one was asked for.
fn another_gateways(scope: &Scope, asked: &str, told: &[Told]) -> Option<String> {
    let Scope::Oru(number) = scope else { return None };
    let mut orus = told.iter().flat_map(|told| &told.orus).filter(|oru| oru.oru == *number);
    let found = orus.next().map(|oru| &oru.msh_10)?;
    (asked.len() == found.len() && asked != found).then(|| found.clone())
}

/// What is in a hold, with sample ids and values: a line for each result.
///
/// # Errors
/// Why it cannot be shown, in a sentence.
pub(super) fn of_hold(
    catalogue: &Catalogue,
    config: &Path,
    message: u64,
    hold: u64,
) -> Result<Vec<String>, String> {
    let unreadable = || {
        "Sample id and values: the journal cannot be read from here. As its owner: orugate trace".to_owned()
    };
    let journal = open(catalogue, config, &At::default()).map_err(|_| format!("{} {hold}", unreadable()))?;
    let plan = config::load(config, catalogue).ok().map(|loaded| loaded.plan);
    let term = Term::number(hold);
    let told = journal.archive_of(term).map_err(Stop::from).and_then(|(archive, _)| {
        let (messages, scope) = ([message], Scope::Hold(hold));
        let asked = Asked { term: Some(term), archive: &archive, messages: &messages, scope: &scope };
        all(&journal, plan.as_ref(), &Site::of(catalogue, config), &asked, true)
    });
    let (told, _) = told.map_err(|_| format!("{} {hold}", unreadable()))?;
    let results = told.iter().flat_map(|told| &told.results).filter(|result| result.hold == Some(hold));
    let line = |result: &model::Outcome| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let sample = match text(&result.sample) {
            sample if sample.is_empty() => "no sample id".to_owned(),
            sample => format!("sample {sample}"),
        };
        let words = [text(&result.code), text(&result.value), text(&result.unit), text(&result.flags)];
        let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
        format!("{sample}: {}", words.join(" "))
    };
    let mut lines: Vec<String> = results.map(line).collect();
    // Which clock is wrong is seen by both, and the day by whoever looks for the tube.
    for told in told.iter().filter(|_| !lines.is_empty()).collect::<Vec<_>>() {
        if let Some(at) = told.received {
            lines.push(format!("Its message came at {at} by this box's clock ({}).", told.clock));
        }
        lines.extend(told.device_time.iter().map(|time| time.words.clone()));
    }
    if lines.is_empty() { Err(format!("What is in it: orugate trace {hold}")) } else { Ok(lines) }
}

/// What is to be told of which messages.
struct Asked<'a> {
    term: Option<Term>,
    archive: &'a Archive,
    messages: &'a [u64],
    scope: &'a Scope,
}

/// All of the messages, the oldest first.
fn all(
    journal: &Journal,
    plan: Option<&Plan>,
    site: &Site,
    asked: &Asked<'_>,
    private: bool,
) -> Result<(Vec<Told>, Gathered), Stop> {
    let Asked { term, archive, messages, scope } = *asked;
    let (records, gathered) = Records::of(journal, term, archive, messages)?;
    let key = *journal.inspector()?.identity().hash_key();
    let mut told: Vec<Told> = Vec::new();
    for (number, records) in &records {
        let message = archive.messages.get(number);
        let (profile, read_with) = profile_of(plan, site, records, message.map(|m| &*m.instrument));
        let withheld = message.is_some_and(|message| journal.withholds(archive, message));
        let came = message.map_or(0, |message| message.received);
        let instrument = message.map_or("", |message| &message.instrument);
        let of = plan.and_then(|plan| plan.instruments.iter().find(|i| i.name == instrument));
        let whole = !records.chunks.is_empty() && !withheld;
        let values = profile
            .as_deref()
            .zip(plan.zip(of))
            .filter(|_| whole)
            .map_or_else(Vec::new, |(profile, (plan, of))| {
                reading::values(records, came, profile, plan, of, key)
            });
        let reading = profile.filter(|_| !records.chunks.is_empty()).map(|profile| {
            let with = With {
                profile: &*profile,
                targets: plan.zip(of).map(|(plan, of)| lineup::targets(plan, of)).unwrap_or_default(),
                gateway: plan.map_or_else(|| "????".to_owned(), |plan| plan.gateway.id.clone()),
                zone: plan.map_or(TimeZone::UTC, |plan| {
                    of.map_or(&plan.gateway.timezone, |of| of.zone(&plan.gateway)).clone()
                }),
                key,
                table: of.and_then(|of| of.table.clone()),
            };
            Reading::of(records, instrument, came, with)
        });
        let story = Story {
            number: *number,
            archive,
            records,
            reading: reading.as_ref(),
            scope,
            private,
            withheld,
            read_with,
        };
        let mut one = story.tell();
        if !values.is_empty() {
            one.results.clear();
            one.values = values;
            one.in_part = false;
            if !private {
                one.values.iter_mut().for_each(|told| told.value.clear());
            }
        }
        told.push(one);
    }
    told.sort_by_key(|told| (told.received, told.message));
    Ok((told, gathered))
}

/// All of one message, with what may be a patient's; `None` when it is not in the journal.
pub(super) fn of_message(
    journal: &Journal,
    plan: &Plan,
    site: &Site,
    message: u64,
) -> Result<Option<Told>, Stop> {
    let term = Term::number(message);
    let (archive, _) = journal.archive_of(term)?;
    if archive.message_of(message) != Some(message) {
        return Ok(None);
    }
    let asked = Asked { term: Some(term), archive: &archive, messages: &[message], scope: &Scope::Message };
    let (mut told, _) = all(journal, Some(plan), site, &asked, true)?;
    Ok(told.pop())
}

/// What was asked for, found.
struct Found {
    term: Option<Term>,
    archive: Archive,
    messages: Vec<u64>,
    scope: Scope,
    damage: Gathered,
}

/// A sample is looked for first: a short id may be the number of something else as well.
fn find(journal: &Journal, what: &What) -> Result<Option<Found>, Stop> {
    let sample = what.what.trim();
    let OfSample { term, archive, messages, gathered } = journal.of_sample(sample)?;
    let number = message_number(sample).ok().filter(|_| !what.sample);
    if !messages.is_empty() {
        let scope = Scope::Sample(sample.to_owned());
        let messages = messages.into_iter().collect();
        return Ok(Some(Found { term: Some(term), archive, messages, scope, damage: gathered }));
    }
    let Some(number) = number else { return Ok(None) };
    let term = Term::number(number);
    let (mut term, (mut archive, damage)) = (Some(term), journal.archive_of(term)?);
    if archive.message_of(number).is_none() {
        // No index has what is in the lane of bedside devices' snapshots.
        (term, archive) = (None, journal.archive()?.0);
    }
    let Some(message) = archive.message_of(number) else { return Ok(None) };
    let scope = match number {
        _ if archive.orus.contains_key(&number) => Scope::Oru(number),
        _ if archive.holds.contains_key(&number) => Scope::Hold(number),
        _ => Scope::Message,
    };
    Ok(Some(Found { term, archive, messages: vec![message], scope, damage }))
}

/// The profile by which a message is read today: that of its instrument, or one of the name that it was read by.
fn profile_of(
    plan: Option<&Plan>,
    site: &Site,
    records: &Records,
    instrument: Option<&str>,
) -> (Option<Arc<dyn Profile>>, ReadWith) {
    let then = records.outcomes.values().next_back().map(|outcome| &outcome.provenance);
    let configured = plan.and_then(|plan| plan.instruments.iter().find(|i| Some(&*i.name) == instrument));
    let same = |name: &str| then.is_none_or(|then| then.profile == name);
    let (profile, name, hash) = match configured.filter(|of| same(&of.profile_name)) {
        Some(of) => {
            (Some(of.profile.clone()), Some(of.profile_name.clone()), Some(of.profile_hash.to_string()))
        }
        None => match then.and_then(|then| site.profile(&then.profile).ok()) {
            Some(found) => {
                let name = found.common().name.clone();
                (Some(found.profile.clone()), Some(name), Some(found.hash()))
            }
            None => (None, None, None),
        },
    };
    let software = env!("CARGO_PKG_VERSION");
    let as_then = then
        .filter(|_| profile.is_some())
        .map(|then| then.software == software && Some(&then.profile_hash) == hash.as_ref());
    (profile, ReadWith { software, profile: name, profile_hash: hash, as_then })
}
