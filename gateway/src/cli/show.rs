//! Status and holds as a person reads them at three in the morning: worst first, sentences, the next command.

use crate::admin::{
    DestinationLine, DestinationView, DeviceClockView, InstrumentView, JournalView, ParkedView, Status,
};
use crate::capture::View;
use crate::config::{Difference, Weight};
use crate::reload::Applied;
use crate::status::{Device, Line};
use crate::wear::Wear;
use crate::words::{count, duration};
use std::fmt::Write as _;

/// All of the status.
pub(super) fn status(status: &Status) -> String {
    let mut out = String::new();
    if status.conditions.is_empty() {
        let _ = writeln!(out, "{}", calm(status));
    }
    for condition in &status.conditions {
        let _ = writeln!(out, "! {condition}");
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
    let _ = writeln!(out, "\n{}", journal_line(journal, status.now));
    let _ = writeln!(out, "{}", wear_line(&journal.wear));
    out.push_str(&captures(&status.captures));
    if journal.snapshots_dropped > 0 {
        let segments = count(journal.snapshots_dropped, "segment", "segments");
        let _ =
            writeln!(out, "{segments} of snapshots dropped since the start, to make room or for their age.");
    }
    let _ = writeln!(
        out,
        "Clock {}. Version {}, configuration {}.",
        status.clock_words,
        status.version,
        status.config.get(..8).unwrap_or(&status.config)
    );
    out
}

/// When nothing is wrong: whether that is all, or only all that is known.
fn calm(status: &Status) -> String {
    let names = |of: fn(&DestinationView) -> bool| {
        let names: Vec<&str> = status.destinations.iter().filter(|d| of(d)).map(|d| &*d.name).collect();
        names.join(", ")
    };
    let failing = names(|destination| destination.failing);
    if !failing.is_empty() {
        return format!("No result waits, but {failing} cannot be reached: see LINK below.");
    }
    let begun = |i: &&InstrumentView| i.port.line == Line::Starting && !i.listens;
    let starting = status.instruments.iter().filter(begun).map(|instrument| instrument.name.clone());
    let connecting = names(|destination| destination.connecting);
    let all: Vec<String> = starting.chain(Some(connecting).filter(|names| !names.is_empty())).collect();
    if all.is_empty() {
        return "All is well.".to_owned();
    }
    format!("Nothing is wrong so far; still connecting to {}.", all.join(", "))
}

/// First what still waits, since only that can fill it; what is kept makes room by itself.
fn journal_line(journal: &JournalView, now: i64) -> String {
    let left = journal.outlook.as_ref().filter(|outlook| outlook.minutes < 30 * 24 * 60).map(|outlook| {
        let left = i64::try_from(outlook.minutes.saturating_mul(60)).unwrap_or(i64::MAX);
        format!(", about {} left at today's rate", duration(left))
    });
    let since = journal
        .all_since
        .map(|since| format!(", all of the last {}", duration((now - since).max(0) / 1_000_000)));
    format!(
        "Journal {}: backlog {} of {} MiB{}. With what is kept{}: {} of {} MiB.",
        journal.health,
        journal.backlog >> 20,
        journal.most_backlog >> 20,
        left.unwrap_or_default(),
        since.unwrap_or_default(),
        journal.used >> 20,
        journal.limit >> 20,
    )
}

/// Nothing where nothing was captured.
fn captures(view: &View) -> String {
    let View { rings, lost, trouble, short } = view;
    let mut out = String::new();
    let bytes: u64 = rings.values().sum();
    if bytes > 0 {
        let lines = count(rings.len() as u64, "line", "lines");
        let gave = if *short { ", less than configured since the disk was full" } else { "" };
        let _ = writeln!(out, "Captured: {lines}, {} MiB{gave}.", bytes.div_ceil(1 << 20));
    }
    for (name, lost) in lost {
        let _ = writeln!(out, "{lost} bytes of the line of {name} were too many to be captured.");
    }
    if let Some(trouble) = trouble {
        let _ = writeln!(out, "Lines are not captured now: {trouble}.");
    }
    out
}

fn wear_line(wear: &Wear) -> String {
    let since = format!("Written since the start: {} MiB", wear.written >> 20);
    let Some(per_day) = wear.per_day else { return format!("{since}; in a day: not known yet.") };
    let lasts = wear.endurance.map(|endurance| {
        let rated = endurance / 1_000_000_000;
        match wear.days {
            Some(days @ 730..) => {
                format!(", so {rated} GB, the medium's endurance, last about {} years", days / 365)
            }
            Some(days) => {
                format!(", so {rated} GB, the medium's endurance, last about {}", count(days, "day", "days"))
            }
            None => String::new(),
        }
    });
    format!("{since}; in a day: {} MiB{}.", per_day >> 20, lasts.unwrap_or_default())
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
                Line::Down(_) | Line::Deaf(_) | Line::Dead(_) => "DOWN",
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
        let verified =
            instrument.verified.map(|session| format!("; verification {session}")).unwrap_or_default();
        let unconnected = match &instrument.port.line {
            Line::Starting if instrument.listens => ", nobody has connected yet".to_owned(),
            Line::Down(why) if instrument.listens => {
                let since = ago(status.now, Some(instrument.port.since));
                format!(", nobody is connected for {since}: {why}")
            }
            _ => String::new(),
        };
        let _ = writeln!(
            out,
            "  {} (evidence: {}{verified}), {}, {}{unconnected}",
            instrument.profile, instrument.evidence, instrument.mode, instrument.wire
        );
        if let Some(clock) = &instrument.clock {
            let _ = writeln!(out, "  {}", device_clock(clock, status));
        }
        if let Some(line) = bedside(instrument, status.now) {
            let _ = writeln!(out, "  {line}");
        }
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

/// How it stands with a bedside device, and what was missed of it.
fn bedside(instrument: &InstrumentView, now: i64) -> Option<String> {
    let (device, since) = instrument.port.device.as_ref()?;
    let what = match device {
        Device::Connecting => "the device has not answered yet",
        Device::Talking => "the device tells what it measures",
        Device::Refused(_) => "the device refuses to talk",
        Device::Silent => "the device is silent",
        Device::Standby => "the device says that it is in standby",
    };
    let missed = [
        (instrument.port.missed, "snapshot missed", "snapshots missed"),
        (instrument.port.left_out, "part left out", "parts left out"),
    ];
    let missed = missed.iter().filter(|(number, ..)| *number > 0);
    let missed: String =
        missed.map(|(number, one, many)| format!("; {}", count(*number, one, many))).collect();
    Some(format!("{what}, for {}{missed}", ago(now, Some(*since))))
}

fn device_clock(clock: &DeviceClockView, status: &Status) -> String {
    let by = if clock.by_results { "its newest results" } else { "its messages" };
    let unsure =
        if status.clock == "unset" { "; this box's own is not set, so that is as it was" } else { "" };
    format!(
        "its clock is {} this box's, by the times of {by}, the last {} ago{unsure}",
        clock.words,
        ago(status.now, Some(clock.at))
    )
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

/// All destinations that messages were made for.
pub(super) fn destination_lines(lines: &[DestinationLine]) -> String {
    if lines.is_empty() {
        return "No destination is configured, and no message was ever made for one.\n".to_owned();
    }
    let mut out =
        "DESTINATION           CONFIGURED  WAITING  PARKED  OLDEST     DELIVERED  GIVEN UP\n".to_owned();
    for line in lines {
        let _ = writeln!(
            out,
            "{:<21} {:<11} {:<8} {:<7} {:<10} {:<10} {}",
            line.name,
            if line.configured { "yes" } else { "NO" },
            line.waiting,
            line.parked,
            line.oldest.map_or("-".to_owned(), duration),
            line.delivered,
            line.given_up
        );
    }
    if let Some(gone) = lines.iter().find(|line| !line.configured && line.waiting + line.parked > 0) {
        let _ = writeln!(
            out,
            "What waits for one that is not configured goes out when it is put back. If it is gone for good: orugate \
             destination drop {} --reason \"…\"",
            gone.name
        );
    }
    out
}

/// What a reload did.
pub(super) fn applied(applied: &Applied) -> String {
    let mut out = changes(&applied.difference);
    for failed in &applied.failed {
        let _ = writeln!(out, "! {failed}. It is tried again by itself; see: orugate status");
    }
    let restart = applied.difference.for_restart().count();
    let _ = match (applied.difference.changes.len(), restart) {
        (0, _) => writeln!(out, "Nothing differs from what is in force."),
        (_, 0) => writeln!(out, "All of it is in force."),
        (all, all_wait) if all == all_wait => {
            writeln!(out, "None of it is in force before a restart: systemctl restart orugate")
        }
        _ => writeln!(out, "It is in force, but for what needs a restart: systemctl restart orugate"),
    };
    out
}

/// A difference, what concerns patients first.
pub(super) fn changes(difference: &Difference) -> String {
    let mut out = String::new();
    let mut weight = None;
    for change in &difference.changes {
        if weight.replace(change.weight) != Some(change.weight) {
            let title = match change.weight {
                Weight::Patients => "What reaches patients' charts, and how:",
                Weight::Delivery => "How results come in and go out:",
                Weight::Detail => "Besides:",
            };
            let _ = writeln!(out, "{title}");
        }
        let _ = writeln!(out, "  {change}");
        let _ = writeln!(out, "      {}", change.takes);
    }
    out
}

/// Parked messages; with `whole` what can be done with each.
pub(super) fn parked(parked: &[ParkedView], whole: bool) -> String {
    let mut out = String::new();
    if parked.is_empty() {
        return "No parked messages.\n".to_owned();
    }
    for message in parked {
        let ParkedView { number, destination, why, .. } = message;
        let from = message.instrument.as_ref().map(|name| format!(" from {name}")).unwrap_or_default();
        let results = count(message.observations.into(), "result", "results");
        let _ = writeln!(out, "{number}  {destination}  {results}{from}  {} old", duration(message.age));
        let _ = writeln!(out, "    {why}");
        if !whole {
            continue;
        }
        let what = match (&message.charset, message.never_sent) {
            (None, _) => format!(
                "put the destination {destination} back into the configuration, then orugate reload; then"
            ),
            (Some(charset), true) => {
                format!(
                    "nothing of it was sent; it would go in {charset}, as {destination} is configured now;"
                )
            }
            (Some(_), false) => format!(
                "the engine has it as MSH-10 {}; ask whoever runs {destination}. The same bytes would go again;",
                message.control_id
            ),
        };
        let _ = writeln!(out, "    {what} one of:");
        let _ = writeln!(out, "    orugate parked send {number}");
        let _ = writeln!(out, "    orugate parked discard {number} --reason \"…\"");
    }
    if !whole {
        let _ = writeln!(out, "What can be done with one: orugate parked show NUMBER");
    }
    out
}

/// A port forgets with a restart, so that nothing known is not "never".
fn ago(now: i64, then: Option<i64>) -> String {
    then.map_or("-".to_owned(), |then| duration((now - then).max(0) / 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backlog::{Level, Outlook};

    #[test]
    fn trouble_is_told_first() {
        let mut given = Status::default();
        given.journal.health = "good".to_owned();
        assert!(status(&given).starts_with("All is well."));
        let instrument = InstrumentView { name: "chem-1".to_owned(), ..Default::default() };
        given.instruments.push(instrument);
        given.destinations = ["lis", "records"]
            .map(|name| DestinationView { name: name.to_owned(), connecting: true, ..Default::default() })
            .to_vec();
        let starts = |given: &Status, with: &str| {
            assert!(status(given).starts_with(with), "{}", status(given));
        };
        starts(&given, "Nothing is wrong so far; still connecting to chem-1, lis, records.");
        given.instruments[0].listens = true;
        given.destinations[0].connecting = false;
        starts(&given, "Nothing is wrong so far; still connecting to records.");
        given.destinations[0].failing = true;
        starts(&given, "No result waits, but lis cannot be reached: see LINK below.");
        given.destinations.clear();
        starts(&given, "All is well.");
        given.journal.nearly_full = true;
        given.conditions = crate::conditions::derive::of(&given);
        assert!(status(&given).starts_with("! The journal is nearly full"));
    }

    #[test]
    fn an_instruments_clock_is_told_in_words() {
        let mut given = Status { now: 1_000_000_000, clock: "synchronised".to_owned(), ..Status::default() };
        let clock = DeviceClockView {
            words: "4 min 10 s behind".to_owned(),
            at: given.now - 30_000_000,
            ..DeviceClockView::default()
        };
        given.instruments.push(InstrumentView { clock: Some(clock), ..Default::default() });
        let told =
            "  its clock is 4 min 10 s behind this box's, by the times of its messages, the last 30 s ago\n";
        assert!(status(&given).contains(told), "{}", status(&given));
    }

    #[test]
    fn wear_is_told_in_years_when_the_medium_is_known() {
        let mut wear = Wear { written: 120 << 20, ..Wear::default() };
        assert_eq!(wear_line(&wear), "Written since the start: 120 MiB; in a day: not known yet.");
        wear.per_day = Some(480 << 20);
        assert_eq!(wear_line(&wear), "Written since the start: 120 MiB; in a day: 480 MiB.");
        (wear.endurance, wear.days) = (Some(40_000_000_000_000), Some(79_472));
        assert_eq!(
            wear_line(&wear),
            "Written since the start: 120 MiB; in a day: 480 MiB, so 40000 GB, the medium's endurance, last about 217 years."
        );
    }

    #[test]
    fn a_journal_that_only_keeps_what_is_settled_does_not_look_full() {
        let mut journal = JournalView { health: "good".to_owned(), ..JournalView::default() };
        (journal.used, journal.limit) = (4096 << 20, 4096 << 20);
        (journal.backlog, journal.most_backlog) = (12 << 20, 2880 << 20);
        assert_eq!(
            journal_line(&journal, 0),
            "Journal good: backlog 12 of 2880 MiB. With what is kept: 4096 of 4096 MiB."
        );
        journal.all_since = Some(1_000_000);
        journal.outlook = Some(Outlook { minutes: 30 * 60, level: Level::Warning, grows: Vec::new() });
        assert_eq!(
            journal_line(&journal, 1_000_000 + 12 * 86_400_000_000),
            "Journal good: backlog 12 of 2880 MiB, about 30 h left at today's rate. With what is kept, all of the last \
             12 days: 4096 of 4096 MiB."
        );
    }
}
