//! `orugate ledger`: results by where they went, for a day or for all that the journal has.
//!
//! Promises that it ends with an exit code that is not 0 when a result is not in exactly one place, or when the journal could
//! not be read whole; no patient data. A day is the site's, and a message belongs to the one on which it came.

use super::journal::{At, Stop, ended, open, remark, text};
use crate::archive::{Got, Journal, Ledger, Message, Sums};
use crate::config::{self, main_file};
use crate::words::count;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use orugate_drivers::Catalogue;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};
use std::path::Path;

const DIFFERS: u8 = 1;
const USAGE: u8 = 64;
const DAMAGED: u8 = 65;
const IO: u8 = 74;
/// The form of the JSON.
const FORM: u32 = 1;

#[derive(Debug, clap::Args)]
pub(super) struct Asked {
    #[command(flatten)]
    at: At,
    /// Of the messages that came on this day, in the site's zone: today, yesterday, or 2026-11-25 [there: all]
    #[arg(long, value_name = "DAY", value_parser = day)]
    day: Option<Day>,
    /// Of this instrument
    #[arg(long, value_name = "NAME")]
    instrument: Option<String>,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug)]
enum Day {
    Today,
    Yesterday,
    On(Date),
}

fn day(typed: &str) -> Result<Day, String> {
    match typed {
        "today" => Ok(Day::Today),
        "yesterday" => Ok(Day::Yesterday),
        _ => {
            typed.parse().map(Day::On).map_err(|_| "not today, yesterday or a day like 2026-11-25".to_owned())
        }
    }
}

impl Day {
    /// The day, with its first moment and that of the next, in microseconds since 1970. A day of a change of the clocks has
    /// 23 or 25 hours.
    fn bounds(self, zone: &TimeZone) -> Option<(Date, i64, i64)> {
        let today = || {
            let now = Timestamp::from_microsecond(text::now()?).ok()?;
            Some(now.to_zoned(zone.clone()).date())
        };
        let date = match self {
            Self::Today => today()?,
            Self::Yesterday => today()?.yesterday().ok()?,
            Self::On(date) => date,
        };
        let start = |date: Date| Some(date.to_zoned(zone.clone()).ok()?.timestamp().as_microsecond());
        Some((date, start(date)?, start(date.checked_add(1.day()).ok()?)?))
    }
}

pub(super) fn run(catalogue: &Catalogue, config: &Path, asked: &Asked) -> u8 {
    let journal = match open(catalogue, config, &asked.at) {
        Ok(journal) => journal,
        Err(code) => return code,
    };
    let there = main_file(config).is_file();
    let plan = there.then(|| config::load(config, catalogue).ok()).flatten().map(|loaded| loaded.plan);
    let names = plan.iter().flat_map(|plan| plan.instruments.iter().map(|it| it.name.clone())).collect();
    let site = plan.map_or(
        Site { zone: TimeZone::UTC, zone_name: "UTC".to_owned(), instruments: BTreeSet::new() },
        |plan| Site {
            zone: plan.gateway.timezone,
            zone_name: plan.gateway.timezone_name,
            instruments: names,
        },
    );
    ended(tell(&journal, site, asked))
}

/// What the configuration says, where there is one.
struct Site {
    zone: TimeZone,
    zone_name: String,
    instruments: BTreeSet<String>,
}

fn tell(journal: &Journal, site: Site, asked: &Asked) -> Result<u8, Stop> {
    let Site { zone, zone_name, mut instruments } = site;
    let bounds = match asked.day {
        None => None,
        Some(day) => {
            let Some(bounds) = day.bounds(&zone) else {
                eprintln!("This day has no beginning in {zone_name}, or the clock cannot be read.");
                return Err(Stop::Said(IO));
            };
            Some(bounds)
        }
    };
    let (archive, inspected) = journal.archive()?;
    if let Some(name) = &asked.instrument {
        instruments.extend(archive.messages.values().map(|message| message.instrument.to_string()));
        if !instruments.contains(name) {
            let all = instruments.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().join(", ");
            eprintln!("No instrument is called {name}, and no message is of one. There are: {all}.");
            return Err(Stop::Said(USAGE));
        }
    }
    let of = |message: &Message| asked.instrument.as_ref().is_none_or(|name| **name == *message.instrument);
    // Of such a message nobody knows its day.
    let timeless = |message: &Message| message.clock == 0 || message.received == 0;
    let takes = |message: &Message| {
        of(message)
            && bounds.is_none_or(|(_, from, to)| !timeless(message) && (from..to).contains(&message.received))
    };
    let lines = archive.ledger(takes);
    let without_day = archive.messages.values().filter(|message| of(message) && timeless(message)).count();
    let without_day = if bounds.is_some() { without_day } else { 0 };
    let difference: i64 = lines.values().map(|line| line.difference).sum();
    let damaged = inspected.damaged.len();
    let mut out = BufWriter::new(io::stdout().lock());
    if asked.json {
        let all: Vec<_> = lines
            .iter()
            .map(|(instrument, line)| {
                let mut value = json!(line);
                value["instrument"] = json!(&**instrument);
                value
            })
            .collect();
        let value = json!({ "ledger": FORM, "day": bounds.map(|(date, ..)| date.to_string()), "timezone": zone_name,
            "damaged": damaged, "without_day": without_day, "difference": difference, "instruments": all });
        let text = serde_json::to_string_pretty(&value).map_err(io::Error::other)?;
        writeln!(out, "{text}")?;
    } else {
        let day = bounds.map(|(date, ..)| date);
        print(&mut out, &lines, day, &zone_name, without_day)?;
    }
    out.flush()?;
    drop(out);
    remark(damaged);
    Ok(match () {
        () if difference != 0 => DIFFERS,
        () if damaged > 0 => DAMAGED,
        () => 0,
    })
}

fn print(
    out: &mut impl Write,
    lines: &Ledger,
    day: Option<Date>,
    zone: &str,
    without_day: usize,
) -> io::Result<()> {
    match day {
        Some(day) => writeln!(out, "Messages that came on {day}, {zone}:")?,
        None => writeln!(out, "All messages that the journal has:")?,
    }
    if lines.is_empty() {
        writeln!(out, "No messages.")?;
    }
    for (instrument, line) in lines {
        let instrument = if instrument.is_empty() { "(no record names the instrument)" } else { instrument };
        let Sums { sent, qc, repeat, superseded, discarded, earlier_run, not_reportable } = line.fates;
        let parts = [
            (sent, "sent"),
            (line.held, "held"),
            (qc, "QC"),
            (repeat, "sent before"),
            (superseded, "overtaken"),
            (discarded, "discarded"),
            (earlier_run, "run again later"),
            (not_reportable, "not reportable"),
        ];
        let messages = count(line.messages, "message", "messages");
        writeln!(out, "{instrument}: {messages}, {}", equation(line.results, &parts))?;
        for (destination, got) in &line.destinations {
            let Got { delivered, waiting, parked, superseded, given_up } = *got;
            let parts = [
                (delivered, "acknowledged"),
                (waiting, "waiting"),
                (parked, "parked"),
                (superseded, "overtaken"),
                (given_up, "given up"),
            ];
            writeln!(out, "  to {destination}: {}", equation(got.sum(), &parts))?;
        }
        if line.held_whole > 0 {
            let messages = count(line.held_whole, "message waits", "messages wait");
            writeln!(out, "  {messages} whole for a person, uncounted: orugate holds list")?;
        }
        if line.unread > 0 {
            let messages = count(line.unread, "message is", "messages are");
            writeln!(out, "  {messages} not interpreted yet")?;
        }
        if line.difference == 0 {
            writeln!(out, "  difference 0")?;
        } else {
            writeln!(
                out,
                "  DIFFERENCE {}: that many results are not in exactly one place, {} of them in no ORU.",
                line.difference, line.in_no_oru
            )?;
            writeln!(
                out,
                "  Keep a copy of the journal (orugate backup), run orugate journal verify, call the maker."
            )?;
        }
    }
    if without_day > 0 {
        let messages = count(without_day as u64, "message has", "messages have");
        writeln!(out, "{messages} no day: the clock was not set, or the beginning was given back.")?;
    }
    Ok(())
}

/// `84 results = 70 sent + 14 QC`.
fn equation(all: u64, parts: &[(u64, &str)]) -> String {
    let all = count(all, "result", "results");
    let there: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    if there.is_empty() { all } else { format!("{all} = {}", there.join(" + ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_the_sites_and_has_23_or_25_hours_when_the_clocks_change() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let hours = |typed: &str| {
            let (_, from, to) = day(typed).unwrap().bounds(&zone).unwrap();
            (Timestamp::from_microsecond(from).unwrap().to_string(), (to - from) / 3_600_000_000)
        };
        assert_eq!(hours("2026-11-25"), ("2026-11-24T23:00:00Z".to_owned(), 24));
        assert_eq!(hours("2026-10-25"), ("2026-10-24T22:00:00Z".to_owned(), 25));
        assert_eq!(hours("2026-03-29"), ("2026-03-28T23:00:00Z".to_owned(), 23));
        for wrong in ["", "tomorrow", "25.11.2026", "2026-13-01"] {
            assert!(day(wrong).is_err(), "{wrong}");
        }
        assert_eq!(equation(3, &[(2, "sent"), (0, "held"), (1, "QC")]), "3 results = 2 sent + 1 QC");
    }
}
