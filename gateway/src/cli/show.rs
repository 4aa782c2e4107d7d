//! Status and holds as a person reads them at three in the morning: worst first, sentences, the next command.

use crate::admin::{DestinationView, HoldView, InstrumentView, Status};
use crate::status::Line;
use std::fmt::Write as _;

/// Age in seconds at which a queue is trouble, although the engine answers.
const LATE: i64 = 300;

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
    instruments(&mut out, status);
    destinations(&mut out, status);
    let journal = &status.journal;
    if status.pending > 0 {
        let _ = writeln!(
            out,
            "\n{} to be interpreted.",
            count(status.pending as u64, "message waits", "messages wait")
        );
    }
    let _ = writeln!(
        out,
        "\nJournal {}: {} of {} MiB. Clock {}. Version {}, configuration {}.",
        journal.health,
        journal.used >> 20,
        journal.limit >> 20,
        status.clock,
        status.version,
        status.config.get(..8).unwrap_or(&status.config)
    );
    out
}

fn instruments(out: &mut String, status: &Status) {
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
                Line::Down(_) | Line::Starting if instrument.listens => "waits",
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
        let unconnected = match &instrument.port.line {
            Line::Starting if instrument.listens => ", nobody has connected yet".to_owned(),
            Line::Down(why) if instrument.listens => {
                let since = ago(status.now, Some(instrument.port.since));
                format!(", nobody is connected for {since}: {why}")
            }
            _ => String::new(),
        };
        let _ =
            writeln!(out, "  {} ({}), {}{unconnected}", instrument.profile, instrument.mode, instrument.wire);
        if let Some((at, note)) = &instrument.port.last_note {
            let _ = writeln!(
                out,
                "  {}, the last {} ago: {note}",
                count(instrument.port.notes, "note", "notes"),
                ago(status.now, Some(*at))
            );
        }
    }
}

fn destinations(out: &mut String, status: &Status) {
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
}

/// What is wrong now, worst first, each with its next step.
fn trouble(status: &Status) -> Vec<String> {
    let mut lines = Vec::new();
    if status.journal.health != "good" {
        lines.push(format!(
            "The journal cannot write: {}. Instruments are refused. Look at the disk: df, dmesg.",
            status.journal.health
        ));
    }
    if status.journal.nearly_full {
        lines.push(format!(
            "The journal is nearly full, {} of {} MiB: instruments are told to wait, and no result comes in. What is \
             stored is safe. Raise journal.max_size by some hundred MiB and restart.",
            status.journal.used >> 20,
            status.journal.limit >> 20
        ));
    }
    lines.extend(status.instruments.iter().filter_map(unbalanced));
    lines.extend(status.destinations.iter().filter_map(parked));
    lines.extend(status.destinations.iter().filter_map(late));
    lines.extend(status.instruments.iter().filter_map(down));
    if status.holds > 0 {
        lines.push(format!(
            "{} for a person, the oldest for {}: orugate holds list",
            count(status.holds as u64, "hold waits", "holds wait"),
            duration(status.oldest_hold.unwrap_or(0))
        ));
    }
    if status.clock == "unset" {
        lines.push(
            "The clock is behind the journal: results go out with a wrong time. Set the clock: timedatectl."
                .to_owned(),
        );
    }
    lines
}

fn unbalanced(instrument: &InstrumentView) -> Option<String> {
    let (name, difference) = (&instrument.name, instrument.counts.difference);
    (difference != 0).then(|| {
        let results = count(difference.unsigned_abs(), "result", "results");
        format!("The ledger of {name} does not balance by {results}. Keep the journal and call the maker.")
    })
}

fn down(instrument: &InstrumentView) -> Option<String> {
    let Line::Down(why) = &instrument.port.line else { return None };
    (!instrument.listens).then(|| {
        let (name, wire) = (&instrument.name, &instrument.wire);
        format!("{name}: the wire is down ({wire}: {why}). Look at cable, power and address; it is tried again by itself.")
    })
}

fn parked(destination: &DestinationView) -> Option<String> {
    let name = &destination.name;
    let (number, why) = destination.parked.first()?;
    let messages = count(destination.parked.len() as u64, "message", "messages");
    Some(format!(
        "{name} refused {messages} for good, first …{number:016}: {why}. Ask whoever runs the engine; nothing is lost."
    ))
}

fn late(destination: &DestinationView) -> Option<String> {
    let late = destination.failing || destination.oldest.unwrap_or(0) > LATE;
    (late && destination.waiting > 0).then(|| {
        format!(
            "{} has not taken {}, the oldest for {}. They are safe on flash and go out by themselves. Ask whoever \
             runs the engine at {}: is it up?",
            destination.name,
            count(destination.waiting as u64, "message", "messages"),
            duration(destination.oldest.unwrap_or(0)),
            destination.address
        )
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
            let _ = writeln!(out, "    its message is number {} in the journal; then one of:", hold.message);
            let sample = if hold.reason == "no-sample-id" { " --sample ID" } else { "" };
            let _ = writeln!(out, "    orugate holds release {}{sample}", hold.hold);
            let _ = writeln!(out, "    orugate holds discard {} --reason \"…\"", hold.hold);
        }
    }
    if !whole {
        let _ = writeln!(out, "What can be done with one: orugate holds show NUMBER");
    }
    out
}

fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A port forgets with a restart, so that nothing known is not "never".
fn ago(now: i64, then: Option<i64>) -> String {
    then.map_or("-".to_owned(), |then| duration((now - then).max(0) / 1_000_000))
}

fn duration(seconds: i64) -> String {
    match seconds {
        s if s < 120 => format!("{s} s"),
        s if s < 7200 => format!("{} min", s / 60),
        s if s < 172_800 => format!("{} h", s / 3600),
        s => format!("{} days", s / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_takes_nothing_more_is_told_first() {
        let mut given = Status::default();
        given.journal.health = "good".to_owned();
        assert!(status(&given).starts_with("All is well."));
        given.journal.nearly_full = true;
        assert!(status(&given).starts_with("! The journal is nearly full"));
    }
}
