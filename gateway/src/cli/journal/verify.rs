//! `orugate journal verify`.

use super::{DAMAGED, Stop, text};
use crate::archive::{Archive, Journal, LookError, Touched, names, touched};
use crate::words::count;
use orugate_journal::{Commit, Inspected, OpenError, Own};
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{self, BufWriter, IsTerminal as _, Write};

/// Below so many bytes nobody has time to read how far it is.
const LARGE: u64 = 64 << 20;
/// Numbers that a person is told one by one.
const TOLD: usize = 12;

/// What is counted on the way.
#[derive(Default)]
struct Seen {
    commits: u64,
    void: u64,
    records: u64,
    unknown: u64,
    sealed: u64,
    segments: BTreeSet<(orugate_journal::Lane, u64)>,
    times: Option<(u64, u64)>,
}

impl Seen {
    fn see(&mut self, commit: &Commit<'_>) {
        let first = self.segments.insert((commit.segment.lane, commit.segment.number));
        self.sealed += u64::from(first && commit.segment.key.is_some());
        if commit.void {
            self.void += 1;
            return;
        }
        self.commits += 1;
        self.records += commit.records.len() as u64;
        let unknown = |record: &&orugate_journal::RecordRef<'_>| {
            names(record).0 == "unknown" || record.own() == Some(Own::Unknown)
        };
        self.unknown += commit.records.iter().filter(unknown).count() as u64;
        if let Some(time) = commit.time {
            let (oldest, newest) = self.times.unwrap_or((time.0, time.0));
            self.times = Some((oldest.min(time.0), newest.max(time.0)));
        }
    }
}

pub(super) fn run(journal: &Journal, as_json: bool) -> Result<u8, Stop> {
    let inspector = match journal.inspector() {
        Err(why @ LookError::Journal(_, OpenError::IdentityDamaged)) => {
            eprintln!(
                "{why} No record can be read without it: put journal.id back from a backup, next to the segments."
            );
            return Err(Stop::Said(DAMAGED));
        }
        other => other?,
    };
    let total = inspector.bytes();
    let mut progress = (total >= LARGE && io::stderr().is_terminal()).then_some(0);
    let (mut seen, mut archive) = (Seen::default(), Archive::default());
    let inspected = journal.walk(&mut |commit| {
        seen.see(commit);
        archive.see(commit);
        if let Some(shown) = &mut progress
            && commit.read >= *shown + (LARGE >> 2)
        {
            *shown = commit.read;
            eprint!("\r{} of {} MiB ", commit.read >> 20, total >> 20);
        }
    });
    if progress.is_some() {
        eprint!("\r                         \r");
    }
    let inspected = inspected?;
    let touches: Vec<Touched> = inspected.damaged.iter().map(|spot| touched(&archive, spot)).collect();
    let mut out = BufWriter::new(io::stdout().lock());
    if as_json {
        print_json(&mut out, journal, &seen, &archive, &inspected, &touches, total)?;
    } else {
        print(&mut out, journal, &seen, &archive, &inspected, &touches, total)?;
    }
    out.flush()?;
    Ok(if inspected.damaged.is_empty() { 0 } else { DAMAGED })
}

fn print(
    out: &mut impl Write,
    journal: &Journal,
    seen: &Seen,
    archive: &Archive,
    inspected: &Inspected,
    touches: &[Touched],
    total: u64,
) -> io::Result<()> {
    let place = journal.folder().display();
    let content = format!(
        "{} of {} in {} ({}){}",
        count(seen.records, "record", "records"),
        count(archive.messages.len() as u64, "message", "messages"),
        count(seen.segments.len() as u64, "segment", "segments"),
        text::size(total),
        match seen.sealed {
            0 => String::new(),
            all if all == seen.segments.len() as u64 => ", sealed".to_owned(),
            some => format!(", {some} of them sealed"),
        }
    );
    match inspected.damaged.len() {
        0 => writeln!(out, "The journal in {place} is sound: {content}.")?,
        places => {
            let places = count(places as u64, "place", "places");
            writeln!(out, "The journal in {place} is DAMAGED in {places}; besides, it holds {content}.")?;
        }
    }
    if let Some((oldest, newest)) = seen.times {
        let (oldest, newest) = (text::time_of_millis(oldest), text::time_of_millis(newest));
        writeln!(out, "It was written from {oldest} to {newest}.")?;
    }
    if inspected.torn_bytes > 0 {
        let bytes = text::size(inspected.torn_bytes);
        writeln!(
            out,
            "{bytes} are of a commit that a crash cut off, or that is just being written; nothing was acknowledged on it."
        )?;
    }
    if seen.void > 0 {
        let commits = count(seen.void, "commit does not count", "commits do not count");
        writeln!(out, "{commits}: the disk failed, and the instruments were told so.")?;
    }
    if seen.unknown > 0 {
        let records = count(seen.unknown, "record is of a kind", "records are of kinds");
        writeln!(out, "{records} that this version does not know; a newer one may.")?;
    }
    if inspected.gone > 0 {
        let segments = count(inspected.gone, "segment was", "segments were");
        writeln!(out, "{segments} given back by the service meanwhile.")?;
    }
    for (spot, touched) in inspected.damaged.iter().zip(touches) {
        writeln!(out, "\n! {}", spot.damage)?;
        touch(out, touched)?;
    }
    if !inspected.damaged.is_empty() {
        writeln!(
            out,
            "\nNothing was changed. What to do: docs/journal.md, \"When the journal is damaged\"."
        )?;
    }
    Ok(())
}

fn touch(out: &mut impl Write, touched: &Touched) -> io::Result<()> {
    if touched.nothing {
        return writeln!(out, "    It touches no message.");
    }
    let numbers = match (touched.from, touched.to) {
        (0, None) => None,
        (from, None) => Some(format!("numbers from {from} on")),
        (0, Some(to)) => Some(format!("numbers before {to}")),
        (from, Some(to)) => Some(format!("numbers from {from} to before {to}")),
    };
    if let Some(numbers) = numbers {
        writeln!(out, "    What was in it has {numbers}, most of it.")?;
    }
    match (touched.after, touched.before) {
        (Some(after), Some(before)) => {
            let (after, before) = (text::time_of_millis(after), text::time_of_millis(before));
            writeln!(out, "    It was written between {after} and {before}.")?;
        }
        (Some(after), None) => writeln!(out, "    It was written after {}.", text::time_of_millis(after))?,
        (None, Some(before)) => writeln!(out, "    It was written before {}.", text::time_of_millis(before))?,
        (None, None) => {}
    }
    let plain = |numbers: &[u64]| numbers.iter().map(u64::to_string).collect::<Vec<_>>();
    let with = |pairs: &[(u64, String)], word: &str| {
        pairs.iter().map(|(number, name)| format!("{number} ({word}{name})")).collect::<Vec<_>>()
    };
    let lists = [
        ("Messages that other records name, and whose bytes are gone", plain(&touched.messages_lost)),
        ("Messages of which a part is gone", with(&touched.messages_in_part, "")),
        (
            "Messages whose outcome may have been in it; the service interprets them again",
            with(&touched.without_outcome, ""),
        ),
        ("ORUs that other records name, and that are gone", plain(&touched.orus_lost)),
        (
            "ORUs whose acknowledgment may have been in it; the service sends them again",
            with(&touched.without_answer, "for "),
        ),
        ("Holds that other records name, and that are gone", plain(&touched.holds_lost)),
    ];
    let mut told = false;
    for (what, numbers) in lists {
        if numbers.is_empty() {
            continue;
        }
        told = true;
        let more = numbers.len().saturating_sub(TOLD);
        let first = numbers.iter().take(TOLD).cloned().collect::<Vec<_>>().join(", ");
        let more = if more > 0 { format!(" and {more} more (--json has all)") } else { String::new() };
        writeln!(out, "    {what}: {first}{more}.")?;
    }
    if !told {
        writeln!(out, "    No other record names anything that was in it.")?;
    }
    let names = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
    if !touched.instruments.is_empty() {
        writeln!(out, "    Instruments that were at work then: {}.", names(&touched.instruments))?;
    }
    if !touched.destinations.is_empty() {
        writeln!(out, "    Destinations that were sent to then: {}.", names(&touched.destinations))?;
    }
    Ok(())
}

fn print_json(
    out: &mut impl Write,
    journal: &Journal,
    seen: &Seen,
    archive: &Archive,
    inspected: &Inspected,
    touches: &[Touched],
    total: u64,
) -> io::Result<()> {
    let damaged = inspected.damaged.iter().zip(touches).map(|(spot, touched)| {
        let damage = &spot.damage;
        json!({ "file": damage.file, "offset": damage.offset, "bytes": damage.bytes,
            "kind": format!("{:?}", damage.kind), "sentence": damage.to_string(), "touches": touched })
    });
    let value = json!({
        "journal": journal.folder().display().to_string(),
        "sound": inspected.damaged.is_empty(),
        "bytes": total,
        "segments": seen.segments.len(),
        "sealed_segments": seen.sealed,
        "commits": seen.commits,
        "void_commits": seen.void,
        "records": seen.records,
        "unknown_records": seen.unknown,
        "messages": archive.messages.len(),
        "torn_bytes": inspected.torn_bytes,
        "given_back_meanwhile": inspected.gone,
        "damaged": damaged.collect::<Vec<_>>(),
    });
    writeln!(out, "{value:#}")
}
