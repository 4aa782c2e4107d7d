//! A trace as a person reads it, at most 100 columns wide: first what became of each result, then how.

use super::model::{Beside, MapRow, Oru, Outcome, Piece, Told, Trace};
use super::story::Scope;
use crate::words::count;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;

const WIDTH: usize = 100;

pub(super) fn print(trace: &Trace, scope: &Scope) -> String {
    let mut page = Page(String::new());
    page.verdict(trace, scope);
    for told in &trace.messages {
        page.message(told);
    }
    if !trace.private {
        page.line(
            0,
            "What patients' data may be in is shown on a terminal only; --private shows it anywhere.",
        );
    }
    if !trace.whole {
        page.line(
            0,
            "The journal could not be read whole, so something may be missing: orugate journal verify.",
        );
    }
    page.0
}

struct Page(String);

impl Page {
    /// A line, broken at spaces where it is too long; what follows stands deeper.
    fn line(&mut self, indent: usize, text: &str) {
        let mut pad = indent;
        let mut rest = text;
        loop {
            let room = WIDTH.saturating_sub(pad).max(20);
            let mut ends = rest.char_indices().map(|(at, _)| at).skip(room);
            let Some(end) = ends.next() else {
                let _ = writeln!(self.0, "{:pad$}{}", "", rest);
                return;
            };
            let cut = rest.get(..end).and_then(|head| head.rfind(' ')).filter(|at| *at > 0).unwrap_or(end);
            let (head, tail) = rest.split_at_checked(cut).unwrap_or((rest, ""));
            let _ = writeln!(self.0, "{:pad$}{}", "", head.trim_end());
            // Only the one space at which it was broken goes.
            rest = tail.strip_prefix(' ').unwrap_or(tail);
            pad = indent.saturating_add(2);
        }
    }

    /// Lines of bytes: broken where they are too long, and nothing in them goes.
    fn bytes(&mut self, indent: usize, text: &str) {
        for line in text.lines() {
            let mut rest = line;
            loop {
                let room = WIDTH.saturating_sub(indent);
                let end = rest.char_indices().map(|(at, _)| at).nth(room).unwrap_or(rest.len());
                let (head, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
                let _ = writeln!(self.0, "{:indent$}{head}", "");
                if tail.is_empty() {
                    break;
                }
                rest = tail;
            }
        }
    }

    fn verdict(&mut self, trace: &Trace, scope: &Scope) {
        let results = trace.messages.iter().flat_map(|told| &told.results);
        let mut ways: BTreeMap<&str, u64> = BTreeMap::new();
        results.clone().for_each(|result| *ways.entry(result.stands).or_default() += 1);
        let whole = trace
            .messages
            .iter()
            .flat_map(|told| &told.holds)
            .filter(|hold| hold.observations.is_empty() && hold.ended.is_none());
        let waiting = trace.messages.iter().filter(|told| told.is_unread()).count() as u64;
        let mut parts: Vec<String> = ways.iter().map(|(way, n)| format!("{n} {way}")).collect();
        parts.extend(whole.clone().map(|hold| format!("a whole message HELD ({})", hold.reason)));
        if waiting > 0 {
            parts.push(format!("{} to be interpreted", count(waiting, "message waits", "messages wait")));
        }
        let values = trace.messages.iter().flat_map(|told| &told.values);
        let gone = values.clone().filter(|told| told.goes).count();
        if values.clone().next().is_some() {
            let all = count(values.clone().count() as u64, "measurement", "measurements");
            parts.push(format!("{all} of a bedside device, {gone} of them in its ORUs"));
        }
        if parts.is_empty() {
            parts.push("no result in it".to_owned());
        }
        let what = match scope {
            Scope::Sample(sample) if trace.private => sample.chars().filter(|c| !c.is_control()).collect(),
            Scope::Sample(_) => "The sample".to_owned(),
            Scope::Message => "The message".to_owned(),
            Scope::Oru(_) => "The order of this ORU".to_owned(),
            Scope::Hold(_) => "The orders of this hold".to_owned(),
        };
        let n = results.clone().count() as u64;
        let from = count(trace.messages.len() as u64, "message", "messages");
        let all = format!("{} in {from}: ", count(n, "result", "results"));
        let all = if n == 0 && values.clone().next().is_some() { String::new() } else { all };
        self.line(0, &format!("{what}: {all}{}.", parts.join(", ")));
        for result in results {
            self.line(2, &format!("{:<12} {}{}", result.what(), result.measured(), result.words));
        }
        for told in values {
            let words = [&told.code, &told.name, &told.value, &told.unit, &told.mdc].map(|word| word.trim());
            let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
            self.line(2, &format!("{}: {}", words.join(" "), told.fate));
        }
    }

    fn message(&mut self, told: &Told) {
        let _ = writeln!(self.0);
        let instrument = if told.instrument.is_empty() { "?" } else { &told.instrument };
        let whole = match told.complete {
            _ if !told.begins => "in part",
            Some(true) => "complete",
            Some(false) => "INCOMPLETE",
            None => "still open",
        };
        let received = told.received.map_or_else(|| "?".to_owned(), |at| at.to_string());
        self.line(
            0,
            &format!(
                "Message {} from {instrument}, {received} (clock {}), {} in {}, {whole}",
                told.message,
                told.clock,
                count(told.bytes, "byte", "bytes"),
                count(told.chunks as u64, "chunk", "chunks")
            ),
        );
        told.device_time.iter().for_each(|time| self.line(2, &time.words));
        told.gaps.iter().for_each(|gap| self.line(2, gap));
        if told.in_part {
            self.line(2, "There is more in this message that is not of what was asked for; it is not shown.");
        }
        self.read_with(told);
        if !told.wire.is_empty() {
            self.line(2, "On the wire, in bytes from the message's first:");
            told.wire.iter().for_each(|piece| self.piece(piece));
        }
        let others = || told.records.iter().filter(|record| !record.what.contains(&"result"));
        if others().next().is_some() {
            self.line(2, "Records around the results:");
        }
        for record in others() {
            let places: Vec<String> =
                record.bytes.iter().map(|[start, end]| format!("{start}..{end}")).collect();
            self.line(4, &format!("{}: bytes {}", record.what.join(" and "), places.join(" ")));
            if let Some(text) = &record.text {
                self.bytes(6, text);
            }
        }
        if !told.results.is_empty() {
            self.line(2, "Results:");
            told.results.iter().for_each(|result| self.result(result, &told.wire));
        }
        told.notes.iter().for_each(|note| self.line(2, &format!("Noted at {note}")));
        if !told.orus.is_empty() {
            self.line(2, "ORUs, as they are sent:");
            told.orus.iter().for_each(|oru| self.oru(oru));
        }
        for hold in told.holds.iter().filter(|hold| hold.ended.is_none()) {
            self.line(2, &format!("Hold {}, open since {}: {}", hold.hold, hold.since, hold.reason));
            if let Some(sentence) = &hold.sentence {
                self.line(4, sentence);
            }
            self.line(4, &format!("orugate holds show {}", hold.hold));
        }
        if !told.events.is_empty() {
            self.line(2, "In time order:");
        }
        for event in &told.events {
            let by = event.actor.as_ref().map(|actor| format!(", by {actor}")).unwrap_or_default();
            let why = event.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            let safe: String = why.chars().filter(|c| !c.is_control()).collect();
            self.line(4, &format!("{}  {}{by}{safe}", event.at, event.words));
        }
    }

    fn read_with(&mut self, told: &Told) {
        let with = &told.read_with;
        let (Some(profile), Some(hash)) = (&with.profile, &with.profile_hash) else { return };
        let with = format!("version {}, profile {profile} ({hash})", with.software);
        match told.read_with.as_then {
            Some(true) => self.line(2, &format!("Read as then, with {with}.")),
            Some(false) => self.line(
                2,
                &format!(
                    "It was interpreted with another version or profile than today's {with}. The places in the bytes are \
                     today's reading; what was sent is as it was."
                ),
            ),
            None => self.line(2, &format!("Read with {with}; nothing was decided of it yet.")),
        }
    }

    fn piece(&mut self, piece: &Piece) {
        let what = match (piece.frame, piece.checksum) {
            (Some(number), Some(checksum)) => {
                let last = if piece.last == Some(true) { ", the last" } else { "" };
                let checksum = match checksum {
                    "none" => "without a checksum".to_owned(),
                    "bad" => "checksum BAD".to_owned(),
                    other => format!("checksum {other}"),
                };
                format!("frame {number}, {checksum}{last}")
            }
            _ => "no frame".to_owned(),
        };
        self.line(4, &format!("{}..{}  {what}", piece.start, piece.end));
        if let Some(bytes) = &piece.bytes {
            self.bytes(6, bytes);
        }
    }

    fn result(&mut self, result: &Outcome, wire: &[Piece]) {
        let mut places: Vec<String> =
            result.bytes.iter().map(|[start, end]| format!("{start}..{end}")).collect();
        let frames: Vec<String> = result
            .pieces
            .iter()
            .filter_map(|at| wire.get(*at)?.frame)
            .map(|number| format!("frame {number}"))
            .collect();
        if !frames.is_empty() {
            places.push(format!("in {}", frames.join(" and ")));
        }
        let at = if places.is_empty() { String::new() } else { format!(": bytes {}", places.join(" ")) };
        self.line(4, &format!("{} {}{at}", result.observation, result.what()));
        if let Some(record) = &result.record {
            self.bytes(6, record);
        }
        let mut said = Vec::new();
        for (what, text) in [
            ("value", &result.value),
            ("unit", &result.unit),
            ("range", &result.range),
            ("flags", &result.flags),
        ] {
            if let Some(text) = text.as_ref().filter(|text| !text.is_empty()) {
                said.push(format!("{what} {text}"));
            }
        }
        said.extend(result.status.map(|status| format!("status {status}")));
        match (&result.sample, result.sample_in) {
            (Some(sample), Some(place)) => said.push(format!("sample {sample} in {place}")),
            (Some(sample), None) => said.push(format!("sample {sample}, entered by a person")),
            (None, Some(place)) => said.push(format!("sample id in {place}")),
            (None, None) => {}
        }
        if !said.is_empty() {
            self.line(6, &said.join(", "));
        }
        if let Some(MapRow { map, file, line, loinc, expects, unit_agrees, as_then }) = &result.map {
            let file =
                Path::new(file).file_name().map_or(Cow::Borrowed(file.as_str()), OsStr::to_string_lossy);
            let unit = if *unit_agrees { "" } else { ", and its unit is another one" };
            self.line(6, &format!("map {map}, {file} line {line}: {loinc} in {expects}{unit}"));
            if *as_then == Some(false) {
                self.line(9, "The maps have changed since this was decided; what was sent is below.");
            }
        }
        if result.read_as_then == Some(false) {
            self.line(
                6,
                "It is read otherwise today: value, unit, flags or remarks are not those that were decided on.",
            );
        }
        for became in &result.became {
            let obx = became.obx.map_or_else(|| "an OBX".to_owned(), |n| format!("OBX {n}"));
            let to = &became.destination;
            self.line(6, &format!("-> {obx} of {} for {to}, {}", became.msh_10, became.state));
            if let Some(Beside { message, observation, stood }) = &became.beside {
                let stood = match *stood {
                    "delivered" => "which it had acknowledged",
                    "waiting" => "which waited for it then",
                    "parked" => "which it had refused then, and which waited parked",
                    _ => "of which nobody knew whether it had arrived",
                };
                let decided = "Decided beside result";
                self.line(9, &format!("{decided} {observation} of message {message}, {stood}."));
            }
            if !became.differs.is_empty() {
                let fields = became.differs.join(", ");
                self.line(9, &format!("Today {fields} would be written otherwise; what was sent is below."));
            }
        }
        self.line(6, &result.words);
    }

    fn oru(&mut self, oru: &Oru) {
        let results = count(oru.results.into(), "result", "results");
        let never = if oru.never_sent { ", no byte of it was ever sent" } else { "" };
        let detail = oru.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
        self.line(
            4,
            &format!(
                "{} for {}, order group {}, {results}, {}{never}{detail}",
                oru.msh_10, oru.destination, oru.group, oru.state
            ),
        );
        oru.segments.iter().flatten().for_each(|segment| self.bytes(6, segment));
        for answer in &oru.answers {
            let what = match (&answer.code, &answer.parked) {
                (Some(code), _) => format!("answered with {code}"),
                (None, why) => format!("parked: {}", why.as_deref().unwrap_or_default()),
            };
            self.line(6, &format!("{}  {what}", answer.at));
            answer.segments.iter().flatten().for_each(|segment| self.bytes(8, segment));
        }
    }
}

impl Told {
    fn is_unread(&self) -> bool {
        self.results.is_empty()
            && self.read_with.as_then.is_none()
            && self.orus.is_empty()
            && self.holds.is_empty()
    }
}

impl Outcome {
    fn what(&self) -> String {
        match &self.code {
            Some(code) if !code.is_empty() => code.clone(),
            _ => format!("result {}", self.observation),
        }
    }

    /// Value, unit and flags, where they may be shown.
    fn measured(&self) -> String {
        let all = [&self.value, &self.unit, &self.flags].into_iter().flatten();
        let all: Vec<&str> = all.map(String::as_str).filter(|text| !text.is_empty()).collect();
        if all.is_empty() { String::new() } else { format!("{:<20} ", all.join(" ")) }
    }
}
