//! `orugate journal show`: all records about one message, in the order of writing.

use super::export::new_file;
use super::{IO, REFUSED, Stop, remark, text};
use crate::archive::{Archive, Journal, names};
use crate::records::{
    Chunk, Delivery, DeliveryResult, Disposition, Dropped, Fate, Hold, HoldSettled, Measured, Meta, Observed,
    Oru, Outcome, ParkedSettled, Provenance, Sending, Settlement, TimeOf, clock_quality,
};
use crate::words::count;
use orugate_journal::{RecordRef, Term};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::path::Path;

pub(super) fn run(journal: &Journal, asked: u64, raw: Option<&Path>) -> Result<u8, Stop> {
    let term = Term::number(asked);
    let (archive, gathered) = journal.archive_of(term)?;
    let Some(number) = archive.message_of(asked) else {
        eprintln!(
            "No message, ORU or hold {asked} is in the journal {}: it was never given, or was given back long after it \
             was settled. orugate journal list has those that are.",
            journal.folder().display()
        );
        remark(gathered.damaged.len());
        return Ok(REFUSED);
    };
    let withheld = archive.messages.get(&number).is_some_and(|message| journal.withholds(&archive, message));
    let private = io::stdout().is_terminal();
    let mut page = Page { text: String::new(), private, left_out: false, withheld };
    page.head(&archive, number);
    let mut chunks: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    journal.gather(term, &mut |commit| {
        for record in commit.records.iter().filter(|_| !commit.void) {
            if !archive.concerns(record, number) {
                continue;
            }
            if record.kind.0 == Chunk::KIND
                && chunks.insert(record.sequence.0, record.payload.to_vec()).is_some()
            {
                continue;
            }
            page.record(&archive, record, &commit.segment.name, commit.offset);
        }
    })?;
    if withheld {
        page.line(
            "It is settled and older than keep_raw, so what the instrument sent is not given out any more.",
        );
    }
    if page.left_out {
        page.line("What patients' data may be in is shown on a terminal only; --raw FILE writes the instrument's bytes.");
    }
    let mut out = BufWriter::new(io::stdout().lock());
    out.write_all(page.text.as_bytes())?;
    let mut code = 0;
    if raw.is_some() && withheld {
        code = REFUSED;
    } else if let Some(file) = raw {
        let bytes = chunks.into_values().flatten().collect::<Vec<_>>();
        if let Err(error) = new_file(file).and_then(|mut to| to.write_all(&bytes)) {
            eprintln!("{}: {error}.", file.display());
            return Err(Stop::Said(IO));
        }
        writeln!(out, "{} of the message are in {}.", text::size(bytes.len() as u64), file.display())?;
    }
    out.flush()?;
    if code == REFUSED {
        eprintln!("No file was written: the message is settled and older than keep_raw in [journal].");
    }
    remark(gathered.damaged.len());
    Ok(code)
}

/// What is printed. `private` says whether it may show patients' data.
struct Page {
    text: String,
    private: bool,
    left_out: bool,
    /// Raw bytes are not given out any more.
    withheld: bool,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Lines that may hold patients' data.
    fn private(&mut self, lines: &str) {
        if !self.private {
            self.left_out = true;
            return;
        }
        for line in lines.lines() {
            let _ = writeln!(self.text, "      {line}");
        }
    }

    fn head(&mut self, archive: &Archive, number: u64) {
        let Some(message) = archive.messages.get(&number) else { return };
        let instrument = if message.instrument.is_empty() {
            "an instrument that no record names"
        } else {
            &message.instrument
        };
        let _ = writeln!(self.text, "Message {number} from {instrument}: {}.", archive.became(message));
        if !message.begins {
            self.line("Its beginning is not in the journal.");
        }
    }

    fn record(&mut self, archive: &Archive, record: &RecordRef<'_>, file: &str, commit: u64) {
        let number = record.sequence.0;
        let place = format!("{file} at {}, commit at {commit}", record.location.offset());
        let copied = if record.carried { ", a copy, its first place was given back" } else { "" };
        let (version, meta) = (record.meta_version, record.meta);
        let kind = names(record).0;
        let _ = writeln!(self.text, "\n{kind} {number}  [{place}{copied}]");
        match record.kind.0 {
            Chunk::KIND => {
                if let Some(chunk) = Chunk::decode(version, meta) {
                    self.chunk(&chunk, record.payload);
                }
            }
            Outcome::KIND => {
                if let Some(outcome) = Outcome::decode(version, meta) {
                    self.outcome(&outcome);
                }
            }
            Observed::KIND => {
                if let Some(observed) = Observed::decode(version, meta) {
                    self.observed(&observed);
                }
            }
            Oru::KIND => {
                if let Some(oru) = Oru::decode(version, meta) {
                    let results = count(oru.observations.into(), "result", "results");
                    let Oru { destination, group, .. } = &oru;
                    let _ = writeln!(
                        self.text,
                        "  {}  for {destination}, order group {group}, {results}",
                        text::time(oru.at)
                    );
                    if !archive.orus.contains_key(&number) {
                        self.line("  It does not count: its outcome was stored again later.");
                    }
                    self.private(&text::segments(record.payload));
                }
            }
            Delivery::KIND => {
                if let Some(Delivery { oru, at, result }) = Delivery::decode(version, meta) {
                    let what = match result {
                        DeliveryResult::Delivered(code) => format!("acknowledged with {code}"),
                        DeliveryResult::Parked(why) => format!("parked: {why}"),
                    };
                    let _ = writeln!(self.text, "  {}  ORU {oru}: {what}", text::time(at));
                    self.private(&text::segments(record.payload));
                }
            }
            Hold::KIND => {
                if let Some(hold) = Hold::decode(version, meta) {
                    self.hold(&hold);
                }
            }
            HoldSettled::KIND => {
                if let Some(HoldSettled { hold, actor, at, how }) = HoldSettled::decode(version, meta) {
                    let (what, reason) = match how {
                        Settlement::Released => ("released", None),
                        Settlement::Discarded(reason) => ("discarded", Some(reason)),
                        Settlement::Superseded => ("overtaken by a later report", None),
                    };
                    let _ = writeln!(self.text, "  {}  hold {hold}: {what}, by {actor}", text::time(at));
                    self.private(&reason.unwrap_or_default());
                }
            }
            ParkedSettled::KIND => {
                if let Some(ParkedSettled { oru, actor, at, how }) = ParkedSettled::decode(version, meta) {
                    let (what, reason) = match how {
                        Sending::Again => ("to be sent again".to_owned(), None),
                        Sending::Anew(new) => (format!("made anew as {new}"), None),
                        Sending::Superseded => ("overtaken by a later report".to_owned(), None),
                        Sending::Discarded(reason) => ("given up".to_owned(), Some(reason)),
                    };
                    let _ = writeln!(self.text, "  {}  ORU {oru}: {what}, by {actor}", text::time(at));
                    self.private(&reason.unwrap_or_default());
                }
            }
            Dropped::KIND => {
                if let Some(Dropped { destination, upto, actor, at, reason, .. }) =
                    Dropped::decode(version, meta)
                {
                    let at = text::time(at);
                    let _ = writeln!(
                        self.text,
                        "  {at}  all that waited for {destination}, up to ORU {upto}: given up, by {actor}"
                    );
                    self.private(&reason);
                }
            }
            _ => {
                if let Some(json) = names(record).1 {
                    let _ = writeln!(self.text, "  {json}");
                }
            }
        }
    }

    fn chunk(&mut self, chunk: &Chunk, payload: &[u8]) {
        let end = match chunk.end {
            None => "",
            Some(true) => ", ends the message",
            Some(false) => ", ends the message too early",
        };
        let first = if chunk.first { ", the first" } else { "" };
        let bytes = count(payload.len() as u64, "byte", "bytes");
        let clock = clock_quality(chunk.clock);
        let _ = writeln!(
            self.text,
            "  {}  {bytes}{first}{end}; clock {}",
            text::time(chunk.received),
            format!("{clock:?}").to_lowercase()
        );
        if !self.withheld {
            self.private(&text::shown(payload));
        }
    }

    fn observed(&mut self, observed: &Observed) {
        let _ = writeln!(self.text, "  {}", text::time(observed.at));
        self.provenance(&observed.provenance);
        let Measured { sent, absent, left, repeat, superseded, withdrawn } = observed.counts;
        for (number, what) in [
            (sent, "sent"),
            (absent, "sent as absent"),
            (left, "left out"),
            (repeat, "sent before"),
            (superseded, "passed over for another one of the interval"),
            (withdrawn, "of the message before withdrawn"),
        ] {
            if number > 0 {
                let _ =
                    writeln!(self.text, "  {} {what}", count(number.into(), "measurement", "measurements"));
            }
        }
        if !observed.why.is_empty() {
            let _ = writeln!(self.text, "  nothing was sent: {}", observed.why);
        }
    }

    fn provenance(&mut self, provenance: &Provenance) {
        let _ = writeln!(
            self.text,
            "  by version {}, profile {} ({}), configuration {}",
            provenance.software, provenance.profile, provenance.profile_hash, provenance.config_hash
        );
    }

    fn outcome(&mut self, outcome: &Outcome) {
        let provenance = &outcome.provenance;
        let after =
            outcome.released.map(|hold| format!(", after the release of hold {hold}")).unwrap_or_default();
        let _ = writeln!(self.text, "  {}{after}", text::time(outcome.at));
        self.provenance(provenance);
        if let Some(clock) = &outcome.clock {
            let of = match clock.of {
                TimeOf::Message => "the message",
                TimeOf::Result => "the newest result",
            };
            let (device, here) = (text::time(clock.device), text::time(clock.received));
            let _ = writeln!(self.text, "  by the instrument's clock {of} is of {device}; it came {here}");
        }
        for (name, hash) in &provenance.maps {
            let _ = writeln!(self.text, "  by map {name} ({hash})");
        }
        for disposition in &outcome.dispositions {
            let Disposition { observation, fate, is_final, filler, .. } = disposition;
            let what = match fate {
                Fate::Sent if *is_final => format!("sent as final, filler number {filler}"),
                Fate::Sent => format!("sent, filler number {filler}"),
                Fate::Held(hold) => format!("held in {hold}"),
                Fate::Qc(evidence) => format!("quality control, because {evidence}"),
                Fate::Repeat => "sent before".to_owned(),
                Fate::Superseded => "overtaken by a later result".to_owned(),
                Fate::Discarded(actor, _) => format!("discarded by {actor}"),
                Fate::NotReportable(rule) => format!("not reportable by the rule {rule}"),
            };
            let _ = writeln!(self.text, "    observation {observation}: {what}");
            if let Fate::Discarded(_, reason) = fate {
                self.private(reason);
            }
        }
    }

    fn hold(&mut self, hold: &Hold) {
        let _ = writeln!(self.text, "  {}  {}", text::time(hold.at), hold.reason);
        for (observation, code) in &hold.observations {
            let _ = writeln!(self.text, "    observation {observation}: {code}");
        }
        match hold.rest_from {
            Some(0) => self.line("    the whole message"),
            Some(from) => self.line(&format!("    everything from observation {from} on")),
            None => {}
        }
        // A hold may name the sample to a person.
        self.private(&hold.sentence);
    }
}
