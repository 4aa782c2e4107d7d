//! A capture file through a profile, without a gateway: what would be sent, held and noted. Nothing is stored or sent.
//!
//! The same code that serves instruments does the work; only the session is the profile's capture session, which is
//! tolerant where nobody can be asked to send again.

use crate::apart::{self, Apart, Scene};
use crate::bedside::{self, Observation};
use crate::capture::{Entry, What, text};
use crate::convert::{Conversion, Corrections, Going, Reruns, Rules};
use crate::interpret::{OwnedPcd, OwnedTarget};
use crate::maps::{Mapped, Table};
use crate::receipts;
use crate::records::Measured;
use crate::words;
use jiff::tz::TimeZone;
use orugate_driver::{
    Channel, Deadline, Feed, Input, MessageEnd, Output, Peer, Profile, Session, Slot, snapshot,
};
use orugate_protocol::oru::SampleIdIn;
use orugate_protocol::pcd;
use orugate_protocol::text::{Charset, Escapes, Text};
use orugate_protocol::time::{Tick, Utc};
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// Bytes given to the session at once, as a port would.
const READ: usize = 4096;
/// Deadlines in a row that pass without a byte.
const DEADLINES: usize = 100;

/// A message as a capture session gave it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Its chunks, one after the other.
    pub raw: Vec<u8>,
    /// Where each ends.
    pub chunk_ends: Vec<u32>,
    /// It ended as it should.
    pub complete: bool,
}

/// What the link said of a capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// The messages.
    pub messages: Vec<Message>,
    /// Notes of the link, in words.
    pub notes: Vec<String>,
    /// When each message began, if the capture says it; else none.
    pub times: Vec<Utc>,
    /// They are snapshots of a bedside device.
    pub snapshots: bool,
}

impl Heard {
    /// A message as it is interpreted: a snapshot of a capture without times is of now.
    #[must_use]
    pub fn timed(&self, message: &Message, now: Utc) -> Message {
        let mut message = message.clone();
        if self.snapshots && self.times.is_empty() {
            snapshot::set_interval(&mut message.raw, now, now);
        }
        message
    }
}

/// Runs the capture's bytes through the profile's capture session, cut at `cuts` (ascending offsets) and into pieces
/// of at most one read.
#[must_use]
pub fn hear(profile: &dyn Profile, capture: &[u8], cuts: &[usize]) -> Heard {
    let mut hearing = Hearing::new(profile);
    let channel = Channel(0);
    let mut now = Tick::ZERO;
    hearing.feed(now, Input::Opened(channel, Peer::Capture));
    let mut start = 0;
    for cut in cuts.iter().copied().chain([capture.len()]) {
        for piece in capture.get(start..cut).unwrap_or_default().chunks(READ) {
            now = now.after(Duration::from_millis(1));
            hearing.feed(now, Input::Bytes(channel, piece));
        }
        start = cut.max(start);
    }
    hearing.feed(now, Input::Closed(channel));
    hearing.end(now)
}

/// As [`hear`], with what was on a line and when: silence and a lost connection end a message as they did there.
#[must_use]
pub fn hear_line(profile: &dyn Profile, entries: &[Entry]) -> Heard {
    let mut hearing = Hearing::new(profile);
    let Some(first) = entries.first() else { return hearing.end(Tick::ZERO) };
    let mut channel = Channel(0);
    let mut now = Tick::ZERO;
    hearing.feed(now, Input::Opened(channel, Peer::Capture));
    for (entry, before) in entries.iter().zip(std::iter::once(first).chain(entries)) {
        // A clock that was set back makes no time go back here.
        let micros = u64::try_from(entry.at.0.saturating_sub(before.at.0)).unwrap_or(0);
        now = now.after(Duration::from_micros(micros.max(1)));
        hearing.wait_until(now);
        hearing.at = Some(entry.at);
        match entry.what {
            What::In => {
                for piece in entry.bytes.chunks(READ) {
                    hearing.feed(now, Input::Bytes(channel, piece));
                }
            }
            What::Closed | What::Fell => {
                hearing.feed(now, Input::Closed(channel));
                hearing.forget_all(now);
                channel.0 = channel.0.wrapping_add(1);
                hearing.feed(now, Input::Opened(channel, Peer::Capture));
            }
            _ => {}
        }
    }
    hearing.feed(now, Input::Closed(channel));
    hearing.end(now)
}

/// A capture session at work.
struct Hearing {
    session: Box<dyn Session>,
    heard: Heard,
    open: Option<Message>,
    deadline: Option<Deadline>,
    /// When what is fed now came, where that is known, and when the open message began.
    at: Option<Utc>,
    began: Option<Utc>,
    /// What stands of a bedside device, since when, and whether a snapshot has it.
    current: BTreeMap<Slot, (Tick, Vec<u8>, bool)>,
    taken: Vec<(Tick, Vec<u8>)>,
}

impl Hearing {
    fn new(profile: &dyn Profile) -> Self {
        let session = profile.capture_session();
        Self {
            session,
            heard: Heard::default(),
            open: None,
            deadline: None,
            at: None,
            began: None,
            current: BTreeMap::new(),
            taken: Vec::new(),
        }
    }

    fn feed(&mut self, now: Tick, input: Input<'_>) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.session.handle(now, input);
            loop {
                match self.session.poll() {
                    Output::Store(ticket, chunk) => {
                        if chunk.first {
                            take(&mut self.heard, &mut self.open, self.began);
                            self.began = self.at;
                        }
                        let message = self.open.get_or_insert_default();
                        message.raw.extend_from_slice(chunk.bytes);
                        message.chunk_ends.push(u32::try_from(message.raw.len()).unwrap_or(u32::MAX));
                        if let Some(end) = chunk.last {
                            message.complete = end == MessageEnd::Complete;
                            take(&mut self.heard, &mut self.open, self.began);
                        }
                        // The session's other outputs come first; then it hears that the chunk is kept.
                        inputs.push_back(Input::Stored(receipts::of_capture(ticket)));
                    }
                    Output::Current(_, slot, bytes) => {
                        let bytes = bytes.to_vec();
                        // A capture has no intervals: each thing that stood is in one snapshot.
                        if self.current.get(&slot).is_some_and(|(_, _, shown)| !shown) {
                            self.snapshot(now);
                        }
                        self.current.insert(slot, (now, bytes, false));
                    }
                    Output::Taken(_, bytes) => self.taken.push((now, bytes.to_vec())),
                    Output::Forget(_, slot) => {
                        if self.current.get(&slot).is_some_and(|(_, _, shown)| !shown) {
                            self.snapshot(now);
                        }
                        self.current.remove(&slot);
                    }
                    Output::ForgetAll(_) => self.forget_all(now),
                    Output::Note(note) => self.heard.notes.push(note.to_string()),
                    Output::Wait(deadline) => {
                        self.deadline = deadline;
                        break;
                    }
                    Output::Done => break,
                    _ => {}
                }
            }
        }
    }

    /// Lets the deadlines pass that come before this.
    fn wait_until(&mut self, now: Tick) {
        // Each hands out another one or none; a session that never tires of it is left alone.
        for _ in 0..DEADLINES {
            let Some(deadline) = self.deadline.take_if(|deadline| deadline.at < now) else { return };
            self.feed(deadline.at, Input::Deadline);
        }
    }

    /// What stands and is in no snapshot yet goes into one, with all that stands beside it.
    fn snapshot(&mut self, now: Tick) {
        if self.taken.is_empty() && self.current.values().all(|(_, _, shown)| *shown) {
            return;
        }
        let ended = self.at.unwrap_or_default();
        // Without times nobody knows an age either.
        let age = |came: Tick| if self.at.is_some() { now.since(came) } else { Duration::ZERO };
        let mut raw = Vec::new();
        let mut writer = snapshot::Writer::new(&mut raw, ended, ended);
        for (came, bytes) in self.taken.drain(..) {
            writer.taken(age(came), &bytes);
        }
        for (slot, (came, bytes, shown)) in &mut self.current {
            writer.current(*slot, age(*came), bytes);
            *shown = true;
        }
        let chunk_ends = vec![u32::try_from(raw.len()).unwrap_or(u32::MAX)];
        self.heard.messages.push(Message { raw, chunk_ends, complete: true });
        self.heard.times.extend(self.at);
        self.heard.snapshots = true;
    }

    fn forget_all(&mut self, now: Tick) {
        self.snapshot(now);
        self.current.clear();
    }

    fn end(mut self, now: Tick) -> Heard {
        self.forget_all(now);
        take(&mut self.heard, &mut self.open, self.began);
        self.heard
    }
}

/// The open message is over.
fn take(heard: &mut Heard, open: &mut Option<Message>, began: Option<Utc>) {
    if let Some(message) = open.take() {
        heard.messages.push(message);
        heard.times.extend(began);
    }
}

/// Counts of what a replay found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Totals {
    pub messages: usize,
    pub observations: usize,
    pub sent: usize,
    pub held: usize,
    pub qc: usize,
    pub not_reportable: usize,
    pub orus: usize,
    /// Of these, would not be sent: the charset does not have a character.
    pub parked: usize,
    /// Messages that the driver could not be had back from.
    pub broken: usize,
}

/// How a capture is replayed.
#[derive(Clone, Debug)]
pub struct How {
    /// What the destination reads.
    pub charset: Charset,
    /// The time that MSH-7 and OBR-22 carry.
    pub now: Utc,
    /// How long a message may take.
    pub limit: Duration,
    /// The maps that an instrument would have.
    pub table: Option<Arc<Table>>,
    /// What is printed of a bedside device.
    pub shows: Shows,
}

/// What is printed of a bedside device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// The ORUs.
    Orus,
    /// A table of the measurements: what the device gives, and what goes out of it.
    Values,
}

impl How {
    /// In UTF-8, without a map, and a message may take as long as in the gateway.
    #[must_use]
    pub const fn at(now: Utc) -> Self {
        Self { charset: Charset::Utf8, now, limit: apart::MESSAGE, table: None, shows: Shows::Orus }
    }
}

/// Replays a capture into text for people, in UTF-8, and gives each ORU to `oru` as it would go out in `charset`. The
/// zone is UTC and the ids count from 1, so the output depends on the capture, the profile, the charset and `now`
/// alone. A message with which the driver panics, or needs longer than `limit`, is a line that says so.
pub fn replay(
    profile: &dyn Profile,
    heard: &Heard,
    how: &How,
    out: &mut String,
    oru: &mut dyn FnMut(&[u8]),
) -> Totals {
    let target = OwnedTarget {
        index: 0,
        name: "replay".to_owned(),
        sending_application: "ORUGATE".to_owned(),
        sending_facility: "REPLAY".to_owned(),
        receiving_application: "ENGINE".to_owned(),
        receiving_facility: "REPLAY".to_owned(),
        processing: 'T',
        acknowledgment: ("", ""),
        charset: how.charset,
        sample_id_in: SampleIdIn::Specimen,
        structured_numeric: false,
        patient: None,
        record: false,
        corrections: Corrections::Corrected,
        suppress_resends: false,
        pcd: Some(OwnedPcd {
            profile: pcd::PROFILE.to_owned(),
            acknowledgment: pcd::ACKNOWLEDGMENT,
            ..OwnedPcd::default()
        }),
    };
    let scene = Scene {
        instrument: "replay".to_owned(),
        targets: vec![target],
        gateway: "RPLY".to_owned(),
        zone: TimeZone::UTC,
        site_zone: TimeZone::UTC,
        now: how.now,
        numbered: true,
        key: [0; 16],
        reruns: Reruns::All,
        rules: Rules::default(),
        table: how.table.clone(),
        bedside: match profile.feed() {
            Feed::Bedside { stale_after } => {
                Some(bedside::Rules { stale_after, ..bedside::Rules::default() })
            }
            Feed::Results => None,
        },
    };
    let mut apart = Apart::new(scene, profile.interpreter(), how.limit);
    let mut totals = Totals::default();
    for note in &heard.notes {
        let _ = writeln!(out, "note link, {note}");
    }
    for (n, message) in heard.messages.iter().enumerate() {
        let _ = writeln!(
            out,
            "message {}{}: {} bytes in {} chunks, {}",
            n + 1,
            heard.times.get(n).map(|at| format!(" of {}", text::moment(*at))).unwrap_or_default(),
            message.raw.len(),
            message.chunk_ends.len(),
            if message.complete { "complete" } else { "incomplete" }
        );
        let shown = if apart.scene().bedside.is_some() {
            let message = heard.timed(message, how.now);
            let observed = apart.observe(&message).map(|observation| {
                print_observed(&observation, how, out, oru, &mut totals);
            });
            if observed.is_ok() && how.shows == Shows::Values {
                out.push_str(&bedside::table(apart.told()));
            }
            observed
        } else {
            apart.convert(message).map(|conversion| {
                print(&conversion, how, out, oru, &mut totals);
            })
        };
        match shown {
            Ok(()) => {}
            Err(broken) => {
                let _ = writeln!(out, "hold (the whole message) driver-fault: {}", broken.sentence());
                totals.broken += 1;
            }
        }
        totals.messages += 1;
    }
    totals
}

fn print_observed(
    observation: &Observation<'_>,
    how: &How,
    out: &mut String,
    oru: &mut dyn FnMut(&[u8]),
    totals: &mut Totals,
) {
    for ready in observation.orus {
        let bytes = observation.bytes(ready);
        if how.shows == Shows::Orus {
            let text = Text::new(bytes, how.charset, Escapes::None).to_string();
            for segment in text.split('\r').filter(|s| !s.is_empty()) {
                let _ = writeln!(out, "{segment}");
            }
            out.push('\n');
        }
        totals.orus += 1;
        oru(bytes);
    }
    let Measured { sent, absent, left, repeat, superseded, withdrawn: _ } = observation.counts;
    let number = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    totals.observations += number(sent) + number(absent) + number(left) + number(repeat) + number(superseded);
    totals.sent += number(sent) + number(absent);
    totals.not_reportable += number(left);
    for (count, what) in [(left, "left out"), (repeat, "sent before")] {
        if count > 0 {
            let _ =
                writeln!(out, "note {}: {what}", words::count(count.into(), "measurement", "measurements"));
        }
    }
    if !observation.why.is_empty() {
        let _ = writeln!(out, "note nothing of it would be sent: {}", observation.why);
    }
    for note in observation.notes {
        let _ = writeln!(out, "note {note}");
    }
}

/// Which row decided for a result that goes out.
fn mapped(table: &Table, mapped: Mapped) -> Option<String> {
    match mapped {
        Mapped::Off | Mapped::OtherUnit(_) => None,
        Mapped::Missing => Some("no row; it goes out with its own code".to_owned()),
        Mapped::Row(place) => {
            let row = table.row(place)?;
            Some(format!("{}, {} in {}", table.place_words(place), row.loinc, row.expected.words()))
        }
    }
}

fn print(
    conversion: &Conversion<'_>,
    how: &How,
    out: &mut String,
    oru: &mut dyn FnMut(&[u8]),
    totals: &mut Totals,
) {
    for ready in conversion.orus {
        let bytes = conversion.bytes(ready);
        let charset = if ready.inexpressible.is_some() { Charset::Utf8 } else { how.charset };
        let text = Text::new(bytes, charset, Escapes::None).to_string();
        for segment in text.split('\r').filter(|s| !s.is_empty()) {
            let _ = writeln!(out, "{segment}");
        }
        out.push('\n');
        totals.orus += 1;
        match ready.inexpressible {
            None => oru(bytes),
            Some(place) => {
                totals.parked += 1;
                let _ = writeln!(
                    out,
                    "note this ORU would not be sent but parked: {}-{} has a character that {} does not have. It is \
                     shown in UTF-8. Give the destination a charset that has it.\n",
                    place.segment,
                    place.field,
                    place.charset.msh_18()
                );
            }
        }
    }
    let facts = conversion.facts;
    for (index, (fact, going)) in facts.observations.iter().zip(conversion.going).enumerate() {
        let code = facts.word(&fact.code);
        let code = if code.is_empty() { "(no code)" } else { code };
        totals.observations += 1;
        match going {
            Going::Sent => {
                totals.sent += 1;
                if let Some(line) = how.table.as_deref().and_then(|table| mapped(table, fact.mapped)) {
                    let _ = writeln!(out, "map {code}: {line}");
                }
            }
            Going::Held(reason) => {
                totals.held += 1;
                let sentence = conversion.sentence(*reason, how.table.as_deref(), &[index]);
                let _ = writeln!(out, "hold {code} {}: {sentence}", reason.code());
            }
            Going::Qc(evidence) => {
                totals.qc += 1;
                let _ = writeln!(out, "qc {code}: not a patient's result, because {evidence}");
            }
            Going::NotReportable(rule) => {
                totals.not_reportable += 1;
                let rule = conversion.by_the_rule(index, rule);
                let _ = writeln!(out, "note {code}: not reportable by the rule {rule}");
            }
            Going::Repeat | Going::Superseded | Going::Untouched => {}
        }
    }
    for note in &facts.notes {
        let subject = facts.word(&note.subject);
        let _ = writeln!(
            out,
            "note byte {}: {}{}{subject}",
            note.span.start,
            note.kind,
            if subject.is_empty() { "" } else { ": " }
        );
    }
    if facts.more_notes > 0 {
        let _ = writeln!(out, "note and {} more notes", facts.more_notes);
    }
    if let Some(fault) = conversion.fault {
        let _ = writeln!(out, "hold (rest of the message) driver-fault: {fault}");
    }
    for query in &facts.queries {
        let _ = writeln!(out, "note the instrument asks for orders of the specimen {}", facts.word(query));
    }
}
