//! Status and holds as a person reads them at three in the morning: worst first, sentences, the next command.

use crate::admin::{DestinationView, HoldView, InstrumentView, Status};
use crate::status::Line;
use std::fmt::Write as _;

/// All of the status.
pub(super) fn status(status: &Status) -> String {
    let mut out = String::new();
    let trouble = trouble(status);
    if trouble.is_empty() {
        let _ = writeln!(out, "All is well.");
    }
    for line in &trouble {
        let _ = writeln!(out, "! {line}");
    }
    let _ =
        writeln!(out, "\nINSTRUMENT            LINE    LAST BYTE  LAST RESULT  SENT    HELD  QC    OTHER");
    for instrument in &status.instruments {
        let counts = &instrument.counts;
        let _ = writeln!(
            out,
            "{:<21} {:<7} {:<10} {:<12} {:<7} {:<5} {:<5} {}",
            instrument.name,
            match &instrument.port.line {
                Line::Up(_) => "up",
                Line::Down(_) => "DOWN",
                Line::Starting => "starts",
                Line::Stopped => "stopped",
            },
            ago(status.now, instrument.port.last_byte),
            ago(status.now, instrument.port.last_message),
            counts.sent,
            counts.held,
            counts.qc,
            counts.repeat + counts.superseded + counts.discarded + counts.not_reportable,
        );
        let _ = writeln!(out, "  {} ({}), {}", instrument.profile, instrument.mode, instrument.wire);
        if let Some((at, note)) = &instrument.port.last_note {
            let _ = writeln!(
                out,
                "  {} notes, the last {} ago: {note}",
                instrument.port.notes,
                ago(status.now, Some(*at))
            );
        }
    }
    let _ = writeln!(out, "\nDESTINATION           QUEUE   OLDEST     DELIVERED  PARKED  LINK");
    for destination in &status.destinations {
        let _ = writeln!(
            out,
            "{:<21} {:<7} {:<10} {:<10} {:<7} {}",
            destination.name,
            destination.waiting,
            destination.oldest.map_or("-".to_owned(), duration),
            destination.delivered,
            destination.parked.len(),
            destination.link
        );
    }
    let journal = &status.journal;
    let _ = writeln!(
        out,
        "\nJournal {}: {} of {} MiB. Clock {}. Version {}, configuration {}.",
        journal.health,
        journal.used >> 20,
        journal.limit >> 20,
        status.clock,
        status.version,
        status.config
    );
    out
}

/// What is wrong now, each with its next step.
fn trouble(status: &Status) -> Vec<String> {
    let mut lines = Vec::new();
    if status.journal.health != "good" {
        lines.push(format!(
            "The journal cannot write: {}. Instruments are refused. Look at the disk.",
            status.journal.health
        ));
    }
    for instrument in &status.instruments {
        lines.extend(instrument_trouble(instrument));
    }
    for destination in &status.destinations {
        lines.extend(destination_trouble(destination));
    }
    if status.holds > 0 {
        lines.push(format!(
            "{} holds wait for a person, the oldest for {}: orugate holds list",
            status.holds,
            duration(status.oldest_hold.unwrap_or(0))
        ));
    }
    if status.clock == "unset" {
        lines.push(
            "The clock is behind the journal: results go out with a wrong time. Set the clock.".to_owned(),
        );
    }
    lines
}

fn instrument_trouble(instrument: &InstrumentView) -> Option<String> {
    let name = &instrument.name;
    if instrument.counts.difference != 0 {
        let difference = instrument.counts.difference;
        return Some(format!("The ledger of {name} does not balance: {difference} results. Call the maker."));
    }
    match &instrument.port.line {
        Line::Down(why) => {
            Some(format!("{name}: the wire is down ({why}). Look at cable, power and address."))
        }
        _ => None,
    }
}

fn destination_trouble(destination: &DestinationView) -> Option<String> {
    let name = &destination.name;
    if !destination.parked.is_empty() {
        let (number, why) = destination.parked.first()?;
        let parked = destination.parked.len();
        return Some(format!("{name} refused {parked} messages for good, the first (…{number:016}): {why}"));
    }
    let late = destination.oldest.unwrap_or(0) > 300;
    late.then(|| {
        let waiting = destination.waiting;
        format!("{name} has not taken {waiting} messages: {}. They are safe on flash.", destination.link)
    })
}

/// Holds as a table; with `whole` everything that is known of each.
pub(super) fn holds(holds: &[HoldView], whole: bool) -> String {
    let mut out = String::new();
    if holds.is_empty() {
        return "No holds. Nothing waits for a person.\n".to_owned();
    }
    for hold in holds {
        let codes = if whole || hold.codes.len() <= 6 {
            hold.codes.join(" ")
        } else {
            format!(
                "{} and {} more",
                hold.codes.iter().take(6).cloned().collect::<Vec<_>>().join(" "),
                hold.codes.len() - 6
            )
        };
        let codes = if codes.is_empty() { "the whole message".to_owned() } else { codes };
        let _ =
            writeln!(out, "{}  {}  {}  {} old", hold.hold, hold.instrument, hold.reason, duration(hold.age));
        let _ = writeln!(out, "    {codes}");
        let _ = writeln!(out, "    {}", hold.sentence);
        if whole {
            let _ = writeln!(out, "    message {}", hold.message);
            let sample = if hold.reason == "no-sample-id" { " --sample ID" } else { "" };
            let _ = writeln!(out, "    orugate holds release {}{sample}", hold.hold);
            let _ = writeln!(out, "    orugate holds discard {} --reason \"…\"", hold.hold);
        }
    }
    out
}

fn ago(now: i64, then: Option<i64>) -> String {
    then.map_or("never".to_owned(), |then| duration((now - then).max(0) / 1_000_000))
}

fn duration(seconds: i64) -> String {
    match seconds {
        s if s < 120 => format!("{s} s"),
        s if s < 7200 => format!("{} min", s / 60),
        s if s < 172_800 => format!("{} h", s / 3600),
        s => format!("{} days", s / 86400),
    }
}
