//! One message's records and today's reading of them, put together.
//!
//! Promises that of a message with several specimens only what belongs to the one that was asked for is told, and that what
//! was sent is told by the ORU's own bytes.

use super::events;
use super::gather::Records;
use super::model::{
    Answer, Became, Beside, DeviceTime, Hold, MapRow, Moment, Oru, Outcome, Piece, ReadWith, Record, Told,
};
use super::reading::{Found, Part, Reading, Row, field, obx_of, sample_of};
use crate::archive::{Archive, Way};
use crate::cli::journal::text;
use crate::convert::EARLIER_RUN;
use crate::records::{self, DeliveryResult, DeviceClock, Disposition, Fate, Settlement, Stood, TimeOf};
use crate::words::duration;
use orugate_driver::span::Span;
use std::collections::BTreeMap;

/// What of a message is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// All of it.
    Message,
    /// What is of the sample with this id.
    Sample(String),
    /// What is of the order group of this ORU.
    Oru(u64),
    /// What is of the order groups in this hold.
    Hold(u64),
}

pub(super) struct Story<'a> {
    pub(super) number: u64,
    pub(super) archive: &'a Archive,
    pub(super) records: &'a Records,
    /// `None` without a profile to read it by.
    pub(super) reading: Option<&'a Reading>,
    pub(super) scope: &'a Scope,
    pub(super) private: bool,
    pub(super) withheld: bool,
    pub(super) read_with: ReadWith,
}

fn device_time(clock: DeviceClock) -> DeviceTime {
    let (of, what) = match clock.of {
        TimeOf::Message => ("message", "it was made"),
        TimeOf::Result => ("result", "its newest result was there"),
    };
    let ahead = clock.device.saturating_sub(clock.received);
    let lies = if ahead > 0 { "after it came, so that clock was ahead" } else { "before it came" };
    let at = Moment(clock.device);
    let words = format!(
        "By the instrument's clock {what} at {at}, {} {lies}.",
        duration(ahead.saturating_abs() / 1_000_000)
    );
    DeviceTime { at, of, ahead: ahead.div_euclid(1_000_000), words }
}

impl Story<'_> {
    pub(super) fn tell(self) -> Told {
        let message = self.archive.messages.get(&self.number);
        let raw = self.records.message().raw;
        let received = message.map(|m| m.received).filter(|at| *at != 0).map(Moment);
        let orus: Vec<Oru> = self
            .records
            .orus
            .keys()
            .filter(|oru| self.has_oru(**oru))
            .filter_map(|oru| self.oru(*oru))
            .collect();
        let results: Vec<Outcome> =
            self.dispositions().into_values().filter_map(|d| self.result(d, &raw)).collect();
        let holds: Vec<Hold> = self.records.holds.keys().filter_map(|hold| self.hold(*hold)).collect();
        let reads = self.reading.is_some();
        let hidden = self.is_in_part();
        Told {
            message: self.number,
            instrument: message.map(|m| m.instrument.to_string()).unwrap_or_default(),
            received,
            clock: match message.map(|m| m.clock) {
                Some(2) => "synchronised",
                Some(1) => "plausible",
                _ => "not set",
            },
            device_time: self.records.outcomes.values().find_map(|outcome| outcome.clock).map(device_time),
            complete: message.and_then(|m| m.complete),
            begins: message.is_some_and(|m| m.begins),
            bytes: message.map_or(0, |m| m.bytes),
            chunks: message.map_or(0, |m| m.chunks.len()),
            in_part: hidden,
            withheld: self.withheld,
            events: events::of(&self, &orus, &holds),
            wire: if raw.is_empty() || (!reads && hidden) { Vec::new() } else { self.wire(&raw, hidden) },
            records: self.parts(&raw, hidden),
            notes: self.notes(hidden),
            gaps: self.gaps(message.is_some_and(|m| m.begins)),
            results,
            values: Vec::new(),
            orus,
            holds,
            read_with: self.read_with,
        }
    }

    /// The last that was decided of each observation, in document order.
    fn dispositions(&self) -> BTreeMap<u32, (u64, &Disposition)> {
        let mut all = BTreeMap::new();
        for (number, outcome) in &self.records.outcomes {
            all.extend(outcome.dispositions.iter().map(|d| (d.observation, (*number, d))));
        }
        all
    }

    fn found(&self, observation: u32) -> Option<&Found> {
        self.reading?.results.get(usize::try_from(observation).ok()?)
    }

    /// Whether what is of this order group is told. Without a reading nobody knows the groups.
    fn has_group(&self, group: Option<usize>) -> bool {
        match self.scope {
            Scope::Message => true,
            Scope::Sample(sample) => {
                let Some(reading) = self.reading else { return self.is_of_one_specimen() };
                let is = |samples: &[String]| group.and_then(|group| samples.get(group)) == Some(sample);
                is(&reading.samples) || is(&reading.sent_as)
            }
            Scope::Oru(oru) => {
                let of = self.records.orus.get(oru).map(|(oru, _)| usize::from(oru.group));
                group.is_some() && group == of
            }
            Scope::Hold(hold) => self.records.holds.get(hold).is_some_and(|hold| {
                hold.observations.is_empty()
                    || hold
                        .observations
                        .iter()
                        .any(|(at, _)| self.found(*at).is_some_and(|found| found.group == group))
            }),
        }
    }

    pub(super) fn has_observation(&self, observation: u32) -> bool {
        match (self.scope, self.found(observation)) {
            (Scope::Message, _) => true,
            (_, Some(found)) => self.has_group(found.group),
            (Scope::Hold(hold), None) => {
                let hold = self.records.holds.get(hold);
                hold.is_some_and(|hold| hold.observations.iter().any(|(at, _)| *at == observation))
            }
            (_, None) => self.is_of_one_specimen(),
        }
    }

    /// By the hashes in the outcomes.
    fn is_of_one_specimen(&self) -> bool {
        let mut all = self.records.outcomes.values().flat_map(|outcome| &outcome.specimens);
        let first = all.next();
        // A specimen without an id is in no list.
        let nameless = self.records.holds.values().any(|hold| hold.reason == "no-sample-id");
        first.is_some() && !nameless && all.all(|other| Some(other) == first)
    }

    fn has_oru(&self, oru: u64) -> bool {
        match (self.scope, self.records.orus.get(&oru)) {
            (Scope::Message, _) => true,
            // An id may stand in SPM-2 in another charset; the group says it too, where it is that of then.
            (Scope::Sample(sample), Some((oru, bytes))) => {
                let as_then = self.read_with.as_then == Some(true);
                sample_of(bytes).as_ref() == Some(sample) || as_then && self.has_group(Some(oru.group.into()))
            }
            (Scope::Oru(asked), Some((oru, _))) => {
                self.records.orus.get(asked).is_some_and(|(asked, _)| asked.group == oru.group)
            }
            (Scope::Hold(_), Some((oru, _))) => self.has_group(Some(oru.group.into())),
            (_, None) => false,
        }
    }

    /// Something of the message is not told.
    fn is_in_part(&self) -> bool {
        if *self.scope == Scope::Message {
            return false;
        }
        let Some(reading) = self.reading else { return !self.is_of_one_specimen() };
        let groups = reading.samples.len();
        // A patient without an order, or a query, is not of what was asked for either.
        let others = |part: &Part| !part.common && part.group >= groups;
        groups == 0
            || reading.parts.iter().any(others)
            || (0..groups).any(|group| !self.has_group(Some(group)))
    }

    fn result(&self, (outcome, disposition): (u64, &Disposition), raw: &[u8]) -> Option<Outcome> {
        let observation = disposition.observation;
        if !self.has_observation(observation) {
            return None;
        }
        let found = self.found(observation);
        let place =
            self.reading.zip(found).map_or_else(Vec::new, |(reading, found)| reading.places(found.span));
        let pieces = self.pieces_of(&place);
        let shows = self.private && !self.withheld;
        let shown = |text: &String| shows.then(|| safe(text));
        let code = found.map(|found| found.code.clone()).or_else(|| self.held_code(observation));
        let became =
            if disposition.fate == Fate::Sent { self.became(outcome, observation) } else { Vec::new() };
        let told = self.fate(disposition, &became);
        let content = self.reading.and_then(|reading| reading.content.get(&observation));
        Some(Outcome {
            observation,
            code: code.map(|code| safe(&code)),
            name: found.map(|found| safe(&found.name)).filter(|name| !name.is_empty()),
            status: found.map(|found| found.status),
            sample: self.sample(found).filter(|_| self.private).map(|sample| safe(&sample)),
            sample_in: found.map(|found| found.sample_in).filter(|place| !place.is_empty()),
            value: found.and_then(|found| shown(&found.value)),
            unit: found.and_then(|found| shown(&found.unit)),
            range: found.and_then(|found| shown(&found.range)),
            flags: found.and_then(|found| shown(&found.flags)),
            bytes: place.iter().map(|span| [span.start, span.end]).collect(),
            pieces,
            record: self
                .reading
                .zip(found)
                .filter(|_| shows)
                .map(|(reading, found)| text::shown(&reading.bytes(found.span, raw))),
            map: self.map_row(outcome, observation),
            fate: told.fate,
            why: told.why,
            hold: told.hold,
            read_as_then: content.map(|content| *content == disposition.content),
            became,
            words: told.words,
            stands: told.stands,
        })
    }

    fn map_row(&self, outcome: u64, observation: u32) -> Option<MapRow> {
        let reading = self.reading?;
        let Row { map, file, line, loinc, expects, other_unit } = reading.mapped.get(&observation)?.clone();
        let then = self.records.outcomes.get(&outcome).map(|outcome| &outcome.provenance.maps);
        let as_then = then.map(|then| *then == reading.maps);
        Some(MapRow { map, file, line, loinc, expects, unit_agrees: !other_unit, as_then })
    }

    fn held_code(&self, observation: u32) -> Option<String> {
        let mut held = self.records.holds.values().flat_map(|hold| &hold.observations);
        held.find(|(at, _)| *at == observation).map(|(_, code)| code.clone())
    }

    /// The sample id under which a person released a hold, where the message was read again.
    pub(super) fn entered(&self, hold: u64) -> Option<&String> {
        let reading = self.reading?;
        let held = self.records.holds.get(&hold)?;
        let mut groups = held.observations.iter().filter_map(|(at, _)| {
            let found = reading.results.get(usize::try_from(*at).ok()?)?;
            reading.sent_as.get(found.group?)
        });
        groups.find(|sample| !sample.is_empty())
    }

    fn sample(&self, found: Option<&Found>) -> Option<String> {
        let (reading, group) = (self.reading?, found?.group?);
        let entered = reading.sent_as.get(group).filter(|sample| !sample.is_empty());
        let sample = entered.or_else(|| reading.samples.get(group))?;
        (!sample.is_empty()).then(|| sample.clone())
    }

    fn pieces_of(&self, places: &[Span]) -> Vec<usize> {
        let Some(reading) = self.reading else { return Vec::new() };
        let holds = |piece: &orugate_driver::Piece| {
            places.iter().any(|place| place.start < piece.raw.end && piece.raw.start < place.end)
        };
        (0..).zip(&reading.pieces).filter(|(_, piece)| holds(piece)).map(|(at, _)| at).collect()
    }

    /// Where a result that was sent is, for each destination.
    fn became(&self, outcome: u64, observation: u32) -> Vec<Became> {
        let group = self.found(observation).and_then(|found| found.group);
        let mut all = Vec::new();
        for (number, (oru, bytes)) in &self.records.orus {
            let same = group.is_none_or(|group| group == usize::from(oru.group));
            if !same || self.records.outcome_of(*number) != Some(outcome) {
                continue;
            }
            let segments = obx_of(bytes);
            let sent = self.sent_in(outcome, group);
            let code = self.found(observation).map(|found| found.code.as_str());
            let decided = self.records.outcomes.get(&outcome).filter(|outcome| !outcome.towards.is_empty());
            let at = match decided {
                Some(decided) => decided
                    .written(observation, &oru.destination)
                    .filter(|written| written.oru == self.records.first_of(*number))
                    .map(|written| Some(written.obx)),
                // An outcome of before version 3 does not say what is in which ORU.
                None => place_in(&segments, &sent, observation, code, |at| self.found(at).map(|f| &*f.code)),
            };
            let Some(at) = at else { continue };
            let segment = at.and_then(|at| segments.get(at));
            let today = self
                .reading
                .and_then(|reading| reading.obx.get(&(outcome, oru.group, oru.destination.clone())));
            let differs = match (segment, today) {
                (Some(segment), Some(today)) => {
                    let today = today.iter().find(|(at, _)| *at == observation);
                    today.map_or_else(|| vec!["OBX".to_owned()], |(_, today)| differing(segment, today))
                }
                _ => Vec::new(),
            };
            all.push(Became {
                oru: *number,
                msh_10: control_id(bytes),
                destination: oru.destination.clone(),
                obx: segment.and_then(|segment| field(segment, 1).parse().ok()),
                state: self.state(*number).0,
                beside: decided.and_then(|decided| beside(decided, observation, &oru.destination)),
                differs,
            });
        }
        all
    }

    /// What an outcome sent of a group, in document order.
    fn sent_in(&self, outcome: u64, group: Option<usize>) -> Vec<u32> {
        let dispositions = self.records.outcomes.get(&outcome).map(|outcome| &outcome.dispositions);
        let sent = dispositions.into_iter().flatten().filter(|d| d.fate == Fate::Sent).map(|d| d.observation);
        let same = |at: &u32| group.is_none() || self.found(*at).is_none_or(|found| found.group == group);
        sent.filter(same).collect()
    }

    pub(super) fn state(&self, oru: u64) -> (&'static str, Option<String>) {
        match self.archive.orus.get(&oru).map(|oru| &oru.standing) {
            Some(Way::Waiting) => ("waiting", None),
            Some(Way::Delivered(code)) => ("delivered", Some(code.clone())),
            Some(Way::Parked(why)) => ("parked", Some(why.clone())),
            Some(Way::Anew(new)) => ("made-anew", Some(new.to_string())),
            Some(Way::Superseded) => ("superseded", None),
            Some(Way::Discarded) => ("given-up", None),
            None => ("unknown", None),
        }
    }

    fn fate(&self, disposition: &Disposition, became: &[Became]) -> FateTold {
        let settled = |hold: u64| self.records.settled.values().find(|settled| settled.hold == hold);
        let plain = |fate, stands, words: String, why| FateTold { fate, why, hold: None, words, stands };
        match &disposition.fate {
            Fate::Sent => self.sent(became),
            Fate::Held(number) => {
                let reason = self.records.holds.get(number).map(|hold| hold.reason.clone());
                let since = self
                    .records
                    .holds
                    .get(number)
                    .map_or_else(String::new, |hold| format!(" since {}", Moment(hold.at)));
                let of = reason.clone().unwrap_or_else(|| "its hold is not in the journal".to_owned());
                let (fate, stands, words) = match settled(*number).map(|settled| (&settled.how, settled)) {
                    None => ("held", "HELD", format!("HELD{since}, {of}: orugate holds show {number}")),
                    Some((Settlement::Discarded(_), by)) => {
                        let words = format!("was held, {of}; discarded by {} {}", by.actor, Moment(by.at));
                        ("discarded", "discarded by a person", words)
                    }
                    Some((Settlement::Superseded, by)) => {
                        let words = format!("was held, {of}; overtaken by a later report {}", Moment(by.at));
                        ("superseded", "overtaken", words)
                    }
                    Some((Settlement::Released, by)) => {
                        let how = if self.records.was_redriven(by) { "redriven" } else { "released" };
                        let words = format!("{how} from the hold {number} by {} {}", by.actor, Moment(by.at));
                        (how, how, words)
                    }
                };
                FateTold { fate, why: reason, hold: Some(*number), words, stands }
            }
            Fate::Qc(evidence) => {
                let words = format!("quality control, to no patient's chart: {evidence}");
                plain("qc", "QC", words, Some(evidence.clone()))
            }
            Fate::Repeat => {
                let words = "the same was sent before, and no destination wants it again".to_owned();
                plain("repeat", "sent before", words, None)
            }
            Fate::Superseded => {
                plain("superseded", "overtaken", "overtaken by a later result".to_owned(), None)
            }
            Fate::Discarded(actor, _) => {
                plain("discarded", "discarded by a person", format!("discarded by {actor}"), None)
            }
            Fate::NotReportable(rule) if rule.starts_with(EARLIER_RUN) => {
                let words = format!("not sent, since a later run of the test counts, by the rule {rule}");
                plain("not-reportable", "an earlier run", words, Some(rule.clone()))
            }
            Fate::NotReportable(rule) => {
                let words = format!("not reportable, by the rule {rule}");
                plain("not-reportable", "not reportable", words, Some(rule.clone()))
            }
        }
    }

    fn sent(&self, became: &[Became]) -> FateTold {
        let stands = |state| became.iter().any(|b| b.state == state);
        let worst = match () {
            () if became.is_empty() => "sent, and its ORU is not in the journal",
            () if stands("parked") => "PARKED",
            () if stands("waiting") => "waiting",
            () if stands("given-up") => "given up",
            () if stands("superseded") => "overtaken",
            () => "acknowledged",
        };
        let words: Vec<String> = became
            .iter()
            .filter(|b| b.state != "made-anew")
            .map(|b| {
                let to = &b.destination;
                let answer = self.records.deliveries.values().map(|(d, _)| d).rfind(|d| d.oru == b.oru);
                match (b.state, answer) {
                    ("delivered", Some(answer)) => {
                        let code = self.state(b.oru).1.unwrap_or_default();
                        format!("{to} acknowledged it with {code} {}", Moment(answer.at))
                    }
                    ("delivered", None) => format!("{to} acknowledged it"),
                    ("waiting", _) => format!("waits for {to}"),
                    ("parked", _) => format!("PARKED for {to}: orugate parked show {}", b.oru),
                    ("given-up", _) => format!("given up for {to} by a person"),
                    ("superseded", _) => format!("for {to} overtaken by a later report"),
                    _ => format!("for {to}, and nobody knows how it stands"),
                }
            })
            .collect();
        let words = if words.is_empty() { worst.to_owned() } else { words.join("; ") };
        FateTold { fate: "sent", why: None, hold: None, words, stands: worst }
    }

    fn oru(&self, number: u64) -> Option<Oru> {
        let (oru, bytes) = self.records.orus.get(&number)?;
        let (state, detail) = self.state(number);
        let answers = self.records.deliveries.values().filter(|(delivery, _)| delivery.oru == number);
        let answers = answers.map(|(delivery, bytes)| {
            let (code, parked) = match &delivery.result {
                DeliveryResult::Delivered(code) => (Some(code.clone()), None),
                DeliveryResult::Parked(why) => (None, Some(why.clone())),
            };
            Answer { at: Moment(delivery.at), code, parked, segments: self.segments(bytes) }
        });
        Some(Oru {
            oru: number,
            msh_10: control_id(bytes),
            destination: oru.destination.clone(),
            group: oru.group,
            results: oru.observations,
            made: Moment(oru.at),
            state,
            detail,
            never_sent: self.records.never_sent.contains(&number),
            segments: self.segments(bytes),
            answers: answers.collect(),
        })
    }

    fn segments(&self, bytes: &[u8]) -> Option<Vec<String>> {
        self.private.then(|| text::segments(bytes).lines().map(str::to_owned).collect())
    }

    fn hold(&self, number: u64) -> Option<Hold> {
        let hold = self.records.holds.get(&number)?;
        let whole = hold.observations.is_empty();
        if !whole && !hold.observations.iter().any(|(at, _)| self.has_observation(*at)) {
            return None;
        }
        let settled = self.records.settled.values().find(|settled| settled.hold == number);
        Some(Hold {
            hold: number,
            reason: hold.reason.clone(),
            sentence: self.private.then(|| safe(&hold.sentence)),
            since: Moment(hold.at),
            observations: hold.observations.iter().map(|(at, _)| *at).collect(),
            rest_from: hold.rest_from,
            ended: settled.map(|settled| match settled.how {
                Settlement::Released if self.records.was_redriven(settled) => "redriven",
                Settlement::Released => "released",
                Settlement::Discarded(_) => "discarded",
                Settlement::Superseded => "superseded",
            }),
        })
    }

    fn wire(&self, raw: &[u8], hidden: bool) -> Vec<Piece> {
        let all = Span::new(0, raw.len());
        let bare = vec![orugate_driver::Piece { raw: all, text: all, frame: None }];
        let pieces = self.reading.map_or(&bare, |reading| &reading.pieces);
        let shows = self.private && !self.withheld;
        let told = self.told_places();
        pieces
            .iter()
            .map(|piece| {
                let is_told = |at: u32| {
                    !hidden
                        || at < piece.text.start
                        || at >= piece.text.end
                        || told.iter().any(|span| (span.start..span.end).contains(&at))
                };
                Piece {
                    start: piece.raw.start,
                    end: piece.raw.end,
                    frame: piece.frame.map(|frame| frame.number),
                    last: piece.frame.map(|frame| frame.last),
                    checksum: piece.frame.map(|frame| match frame.checksum {
                        None => "none",
                        Some(found) if found == frame.expected => "ok",
                        Some(_) => "bad",
                    }),
                    bytes: shows.then(|| shown_in_part(raw, piece.raw, is_told)),
                }
            })
            .collect()
    }

    /// Where in the raw bytes stands what belongs to what is told.
    fn told_places(&self) -> Vec<Span> {
        let Some(reading) = self.reading else { return Vec::new() };
        let parts = reading.parts.iter().filter(|part| part.common || self.has_group(Some(part.group)));
        parts.flat_map(|part| reading.places(part.span)).collect()
    }

    fn parts(&self, raw: &[u8], hidden: bool) -> Vec<Record> {
        let Some(reading) = self.reading else { return Vec::new() };
        let told = |part: &&Part| !hidden || part.common || self.has_group(Some(part.group));
        let mut records: Vec<(Span, Record)> = Vec::new();
        for part in reading.parts.iter().filter(told) {
            // One record may say of several things, as an O does of its specimen.
            match records.last_mut() {
                Some((span, record)) if *span == part.span => record.what.push(part.what),
                _ => {
                    let bytes = reading.places(part.span).iter().map(|span| [span.start, span.end]).collect();
                    let text =
                        (self.private && !self.withheld).then(|| text::shown(&reading.bytes(part.span, raw)));
                    records.push((part.span, Record { what: vec![part.what], bytes, text }));
                }
            }
        }
        records.into_iter().map(|(_, record)| record).collect()
    }

    fn notes(&self, hidden: bool) -> Vec<String> {
        let Some(reading) = self.reading.filter(|_| !hidden) else { return Vec::new() };
        reading.notes.iter().map(|(span, note)| format!("byte {} of the text: {note}", span.start)).collect()
    }

    fn gaps(&self, begins: bool) -> Vec<String> {
        let mut gaps = Vec::new();
        let mut say = |gap: &str| gaps.push(gap.to_owned());
        if !begins {
            say("The beginning of the message is not in the journal.");
        }
        if self.withheld {
            say(
                "It is settled and older than keep_raw, so what the instrument sent is not given out any more.",
            );
        }
        if let Some(broken) = self.reading.and_then(|reading| reading.broken.as_deref()) {
            say(broken);
        }
        if self.reading.is_none() && !self.records.chunks.is_empty() {
            say("No profile of this name is here, so codes and places in the bytes are not known. Name the \
                 configuration with --config.");
        }
        if self.records.outcomes.is_empty()
            && (!self.records.orus.is_empty() || !self.records.holds.is_empty())
        {
            say("What was decided of it was given back since; its ORUs and holds are here.");
        }
        gaps
    }
}

struct FateTold {
    fate: &'static str,
    why: Option<String>,
    hold: Option<u64>,
    words: String,
    stands: &'static str,
}

/// Which of an ORU's OBX an observation is. A destination that wants no resends may have got fewer than were sent. `None`
/// when it is not in it, `Some(None)` when that cannot be told.
fn place_in<'c>(
    segments: &[String],
    sent: &[u32],
    observation: u32,
    code: Option<&str>,
    code_of: impl Fn(u32) -> Option<&'c str>,
) -> Option<Option<usize>> {
    let at = sent.iter().position(|at| *at == observation)?;
    if sent.len() == segments.len() {
        return Some(Some(at));
    }
    let Some(code) = code else { return Some(None) };
    let mut rest = segments.iter().enumerate();
    let mut place = None;
    for other in sent.iter().take(at.saturating_add(1)) {
        let code = if *other == observation { Some(code) } else { code_of(*other) };
        let mut ahead = rest.clone();
        place =
            ahead.find(|(_, obx)| code.is_some_and(|code| field(obx, 3).split('^').any(|part| part == code)));
        if place.is_some() {
            rest = ahead;
        }
    }
    place.map(|(at, _)| Some(at))
}

/// What a result was compared with when it was decided as what it goes.
fn beside(outcome: &records::Outcome, observation: u32, destination: &str) -> Option<Beside> {
    let towards = outcome.towards.iter().find(|towards| towards.destination == destination)?;
    let compared = towards.compared.iter().find(|compared| compared.observation == observation)?;
    let stood = match compared.stood {
        Stood::Delivered => "delivered",
        Stood::Waiting => "waiting",
        Stood::Unknown => "unknown",
        Stood::Parked => "parked",
    };
    Some(Beside { message: compared.message, observation: compared.earlier, stood })
}

/// Fields of an OBX that today's reading would write otherwise. Number, repeat and status come of what was sent before.
fn differing(sent: &str, today: &str) -> Vec<String> {
    let fields = sent.split('|').count().max(today.split('|').count());
    let of_the_past = [1, 4, 11];
    let differ = (1..fields).filter(|n| !of_the_past.contains(n) && field(sent, *n) != field(today, *n));
    differ.map(|n| format!("OBX-{n}")).collect()
}

/// MSH-10.
fn control_id(oru: &[u8]) -> String {
    let text = String::from_utf8_lossy(oru);
    // MSH-1 is the separator itself.
    safe(field(text.split('\r').next().unwrap_or_default(), 9))
}

/// Nothing in it moves a terminal.
fn safe(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Bytes with control characters by name; runs that are not to be told are counted.
fn shown_in_part(raw: &[u8], span: Span, is_told: impl Fn(u32) -> bool) -> String {
    let mut out = String::new();
    let mut at = span.start;
    while at < span.end {
        let told = is_told(at);
        let end = (at..span.end).find(|other| is_told(*other) != told).unwrap_or(span.end);
        if told {
            out.push_str(&text::shown(raw.get(at as usize..end as usize).unwrap_or_default()));
        } else {
            out.push_str(&format!("<{} bytes of something else>", end.saturating_sub(at)));
        }
        at = end;
    }
    out
}
