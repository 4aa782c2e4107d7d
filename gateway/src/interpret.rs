//! The interpretation thread: stored messages become outcomes, one at a time, in the order they ended.
//!
//! It reads a message from the journal, converts it, and appends one atomic batch: the ORUs, the holds, and a
//! disposition for each observation. Until that batch is on flash nothing is sent. A driver that panics on a message
//! costs that message a hold, not the gateway its service; a message that was being interpreted in three unclean
//! ends is not tried again.

use crate::clock::Clock;
use crate::convert::{
    Conversion, Converter, Corrections, Going, HoldReason, Numbers, Past, Ready, Release, Setting, Target,
};
use crate::records::{
    Disposition, Fate, Hold, HoldSettled, Oru, Outcome, Provenance, Settlement, clock_quality,
};
use crate::state::{Message, Sent};
use crate::store::{Entry, Store};
use jiff::tz::TimeZone;
use orugate_driver::{Interpreter, StoredMessage};
use orugate_journal::{AppendError, Reserved, UnixMillis};
use orugate_protocol::oru::Route;
use orugate_protocol::report::NoteKind;
use orugate_protocol::time::{ClockQuality, Utc};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// After so many unclean ends during its interpretation a message is held untouched.
const UNCLEAN_ENDS: u32 = 3;
/// The longest part of a code that a hold or a note shows.
const CODE_SHOWN: usize = 40;

/// What the thread must know about one instrument; owned, so that it outlives any configuration.
pub struct Subject {
    /// Its name.
    pub name: String,
    /// Turns its messages into reports.
    pub interpreter: Box<dyn Interpreter>,
    /// Where its results go.
    pub targets: Vec<OwnedTarget>,
    /// With what it is interpreted.
    pub provenance: Provenance,
}

/// One destination of an instrument.
pub struct OwnedTarget {
    /// Its index in the plan.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// MSH-3.
    pub sending_application: String,
    /// MSH-4.
    pub sending_facility: String,
    /// MSH-5.
    pub receiving_application: String,
    /// MSH-6.
    pub receiving_facility: String,
    /// MSH-11.
    pub processing: char,
    /// MSH-15 and MSH-16.
    pub acknowledgment: (&'static str, &'static str),
    /// Where the sample id goes.
    pub sample_id_in: orugate_protocol::oru::SampleIdIn,
    /// `<5` as SN.
    pub structured_numeric: bool,
    /// Patient id field, authority, kind.
    pub patient: Option<(orugate_protocol::oru::PatientField, String, String)>,
    /// A record is stricter than a LIS.
    pub record: bool,
    /// What a correction becomes.
    pub corrections: Corrections,
    /// Resends are not sent again.
    pub suppress_resends: bool,
}

impl OwnedTarget {
    fn borrowed(&self) -> Target<'_> {
        Target {
            index: self.index,
            route: Route {
                sending_application: &self.sending_application,
                sending_facility: &self.sending_facility,
                receiving_application: &self.receiving_application,
                receiving_facility: &self.receiving_facility,
                processing: self.processing,
                acknowledgment: self.acknowledgment,
                sample_id_in: self.sample_id_in,
                structured_numeric: self.structured_numeric,
                patient: self.patient.as_ref().map(|(field, authority, kind)| {
                    orugate_protocol::oru::PatientId { field: *field, authority, kind }
                }),
            },
            record: self.record,
            corrections: self.corrections,
            suppress_resends: self.suppress_resends,
        }
    }
}

/// What all instruments share.
pub struct Common {
    /// The four characters of the gateway.
    pub gateway: String,
    /// The zone of the instruments' clocks.
    pub zone: TimeZone,
}

/// What others tell the thread.
pub enum Order {
    /// Look for pending messages.
    Look,
    /// A person releases a hold.
    Release {
        /// The hold.
        hold: u64,
        /// The sample id that the person entered.
        sample: Option<String>,
        /// Who.
        actor: String,
        /// Told when it is done: how many observations were sent and how many are still held, or why not.
        reply: Box<dyn FnOnce(Result<Released, String>) + Send>,
    },
    /// End the thread after the message at hand.
    Stop,
}

/// What came of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released {
    /// Observations that are on their way now.
    pub sent: usize,
    /// Observations that are held again.
    pub held: usize,
}

/// What the thread tells the port of an instrument.
pub type Told = Arc<dyn Fn(&str, Tell<'_>) + Send + Sync>;

/// Something about an instrument's message.
pub enum Tell<'a> {
    /// It asks for orders.
    Query(&'a str),
    /// Notes of the interpreter, in words, with the number of those left out.
    Note(&'a str),
    /// What became of one message.
    Done {
        /// Observations sent.
        sent: usize,
        /// Observations held.
        held: usize,
    },
}

/// Hands orders to the thread.
#[derive(Clone)]
pub struct Handle(Sender<Order>);

impl Handle {
    /// Gives an order; false when the thread is gone.
    pub fn give(&self, order: Order) -> bool {
        self.0.send(order).is_ok()
    }
}

/// Makes the queue of orders.
#[must_use]
pub fn orders() -> (Handle, Receiver<Order>) {
    let (sender, receiver) = channel();
    (Handle(sender), receiver)
}

/// The thread's whole life. Returns when told to stop.
pub struct Worker {
    /// Journal and fold.
    pub store: Store,
    /// Clocks.
    pub clock: Clock,
    /// What all instruments share.
    pub common: Common,
    /// The instruments, by name.
    pub subjects: BTreeMap<String, Subject>,
    /// Who hears about queries and notes.
    pub told: Told,
}

struct JournalNumbers<'s> {
    store: &'s Store,
    reserved: Vec<Reserved>,
}

impl Numbers for JournalNumbers<'_> {
    fn next(&mut self) -> Option<u64> {
        let reserved = self.store.reserve()?;
        let number = reserved.get().0;
        self.reserved.push(reserved);
        Some(number)
    }
}

impl JournalNumbers<'_> {
    fn take(&mut self, number: u64) -> Option<Reserved> {
        let at = self.reserved.iter().position(|r| r.get().0 == number)?;
        Some(self.reserved.swap_remove(at))
    }
}

struct StorePast<'s>(&'s Store);

impl Past for StorePast<'_> {
    fn sent(&self, identity: u128) -> Option<Sent> {
        self.0.state().history().sent(identity)
    }
    fn filler(&self, specimen: u128) -> u32 {
        self.0.state().history().filler(specimen)
    }
}

impl Worker {
    /// Works until told to stop.
    pub fn run(self, orders: &Receiver<Order>) {
        let mut converter = Converter::default();
        loop {
            self.work_off(&mut converter);
            match orders.recv() {
                Ok(Order::Look) => {}
                Ok(Order::Release { hold, sample, actor, reply }) => {
                    reply(self.release(&mut converter, hold, sample.as_deref(), &actor));
                }
                Ok(Order::Stop) | Err(_) => return,
            }
        }
    }

    /// Interprets all that waits, oldest first. Stops at a message whose outcome could not be stored: it stays
    /// pending, and the next order tries again.
    fn work_off(&self, converter: &mut Converter) {
        while let Some((number, message)) = self.next() {
            if let Err(error) = self.interpret(converter, number, &message) {
                tracing::error!(number, %error, "the outcome of a message could not be stored; it stays in the queue");
                return;
            }
        }
    }

    fn next(&self) -> Option<(u64, Message)> {
        let state = self.store.state();
        let number = state.next_pending()?;
        Some((number, state.message(number)?.clone()))
    }

    fn interpret(
        &self,
        converter: &mut Converter,
        number: u64,
        message: &Message,
    ) -> Result<(), AppendError> {
        let Some(subject) = self.subjects.get(&*message.instrument) else {
            return self.hold_whole(
                number,
                message,
                "unconfigured",
                "The configuration no longer names this instrument. Add it again, then release.",
            );
        };
        if self.store.state().unclean_ends(number) >= UNCLEAN_ENDS {
            return self.hold_whole(
                number,
                message,
                HoldReason::DriverFault.code(),
                "The gateway ended uncleanly three times with this message at hand. Send it to the maker.",
            );
        }
        self.convert(converter, subject, number, message, None).map(|_| ())
    }

    fn release(
        &self,
        converter: &mut Converter,
        hold: u64,
        sample: Option<&str>,
        actor: &str,
    ) -> Result<Released, String> {
        let (open, message) = {
            let state = self.store.state();
            let open = state.hold(hold).ok_or_else(|| format!("There is no open hold {hold}."))?.hold.clone();
            let message = state
                .message(open.message)
                .ok_or_else(|| format!("The message of hold {hold} is not in the journal any more."))?
                .clone();
            (open, message)
        };
        if open.reason == HoldReason::NoSampleId.code() && sample.is_none() {
            return Err(format!(
                "This hold needs the sample id. Find the tube by the instrument's list, then: orugate holds release {hold} --sample ID"
            ));
        }
        let subject = self.subjects.get(&*message.instrument).ok_or_else(|| {
            format!("The configuration does not name the instrument {}.", message.instrument)
        })?;
        let observations: Vec<u32> = open.observations.iter().map(|(n, _)| *n).collect();
        let act = Act { hold, sample, observations: &observations, actor };
        self.convert(converter, subject, open.message, &message, Some(&act)).map_err(|e| e.to_string())
    }

    /// Reads, converts and stores one message, or the part of it that a hold names.
    fn convert(
        &self,
        converter: &mut Converter,
        subject: &Subject,
        number: u64,
        message: &Message,
        act: Option<&Act<'_>>,
    ) -> Result<Released, AppendError> {
        let mut raw = Vec::new();
        let mut ends = Vec::with_capacity(message.chunks.len());
        for at in &message.chunks {
            match self.store.read(*at) {
                Ok(payload) => raw.extend_from_slice(&payload),
                Err(error) => {
                    tracing::error!(number, %error, "a chunk cannot be read back");
                    return self
                        .hold_whole(
                            number,
                            message,
                            "journal-damage",
                            "A stored piece of this message cannot be read back. Send the sample again from the instrument.",
                        )
                        .map(|()| Released { sent: 0, held: 0 });
                }
            }
            ends.push(u32::try_from(raw.len()).unwrap_or(u32::MAX));
        }
        let stored = StoredMessage {
            raw: &raw,
            chunk_ends: &ends,
            complete: message.complete.unwrap_or(false),
            received: Utc(message.received),
            clock: clock_quality(message.clock),
        };
        let targets: Vec<Target<'_>> = subject.targets.iter().map(OwnedTarget::borrowed).collect();
        let setting = Setting {
            instrument: &subject.name,
            destinations: &targets,
            gateway: &self.common.gateway,
            zone: &self.common.zone,
            key: self.store.journal().identity().hash_key(),
        };
        let release =
            act.map(|a| Release { sample: a.sample, observations: a.observations, corrections: true });
        let mut numbers = JournalNumbers { store: &self.store, reserved: Vec::new() };
        let now = self.clock.utc();
        let converted = catch_unwind(AssertUnwindSafe(|| {
            converter.convert(
                &*subject.interpreter,
                &stored,
                &setting,
                &StorePast(&self.store),
                &mut numbers,
                now,
                release.as_ref(),
            );
        }));
        if converted.is_err() {
            // The panic's own text may hold a name; only its place was logged by the hook.
            return self
                .hold_whole(
                    number,
                    message,
                    HoldReason::DriverFault.code(),
                    HoldReason::DriverFault.sentence(),
                )
                .map(|()| Released { sent: 0, held: 0 });
        }
        let conversion = converter.conversion();
        let outcome = Batch { worker: self, subject, number, message, conversion, now };
        outcome.store(&mut numbers, act)
    }

    /// One hold for a message of which nothing more can be said.
    fn hold_whole(
        &self,
        number: u64,
        message: &Message,
        reason: &str,
        sentence: &str,
    ) -> Result<(), AppendError> {
        let at = self.clock.utc().0;
        let hold = Hold {
            message: number,
            instrument: message.instrument.to_string(),
            reason: reason.to_owned(),
            sentence: sentence.to_owned(),
            observations: Vec::new(),
            at,
        };
        let outcome = Outcome {
            message: number,
            instrument: message.instrument.to_string(),
            at,
            provenance: self
                .subjects
                .get(&*message.instrument)
                .map(|s| s.provenance.clone())
                .unwrap_or_default(),
            dispositions: Vec::new(),
            fillers: Vec::new(),
            released: None,
        };
        let _ = self.store.append_wait(vec![Entry::new(&hold), Entry::new(&outcome)], self.time())?;
        tracing::warn!(instrument = %message.instrument, number, reason, "held: {sentence}");
        Ok(())
    }

    /// The time for the journal's lower bound, while the clock can be believed.
    fn time(&self) -> Option<UnixMillis> {
        let believed = self.clock.quality() != ClockQuality::Unset;
        believed.then(|| UnixMillis(u64::try_from(self.clock.utc().0 / 1000).unwrap_or(0)))
    }
}

/// A person's release.
struct Act<'a> {
    hold: u64,
    sample: Option<&'a str>,
    observations: &'a [u32],
    actor: &'a str,
}

/// One conversion on its way into the journal.
struct Batch<'a> {
    worker: &'a Worker,
    subject: &'a Subject,
    number: u64,
    message: &'a Message,
    conversion: Conversion<'a>,
    now: Utc,
}

impl Batch<'_> {
    fn store(self, numbers: &mut JournalNumbers<'_>, act: Option<&Act<'_>>) -> Result<Released, AppendError> {
        let mut entries = Vec::new();
        for oru in self.conversion.orus {
            if let Some(entry) = self.oru(oru, numbers) {
                entries.push(entry);
            }
        }
        let holds = self.holds(numbers, &mut entries, act);
        let dispositions = self.dispositions(&holds);
        let released = Released {
            sent: dispositions.iter().filter(|d| d.fate == Fate::Sent).count(),
            held: dispositions.iter().filter(|d| matches!(d.fate, Fate::Held(_))).count(),
        };
        entries.push(Entry::new(&Outcome {
            message: self.number,
            instrument: self.subject.name.clone(),
            at: self.now.0,
            provenance: self.subject.provenance.clone(),
            dispositions,
            fillers: self.conversion.given.to_vec(),
            released: act.map(|a| a.hold),
        }));
        if let Some(act) = act {
            entries.push(Entry::new(&HoldSettled {
                hold: act.hold,
                actor: act.actor.to_owned(),
                at: self.now.0,
                how: Settlement::Released,
            }));
        }
        let _ = self.worker.store.append_wait(entries, self.worker.time())?;
        for oru in self.conversion.orus {
            tracing::debug!(target: "orugate::way", instrument = %self.subject.name, number = self.number,
                oru = oru.number, observations = oru.observations, "ready");
        }
        self.tell(released, act.is_none());
        Ok(released)
    }

    fn oru(&self, oru: &Ready, numbers: &mut JournalNumbers<'_>) -> Option<Entry> {
        let number = numbers.take(oru.number)?;
        let target = self.subject.targets.iter().find(|t| t.index == oru.destination)?;
        let meta = Oru {
            destination: target.name.clone(),
            message: self.number,
            group: oru.group,
            observations: oru.observations,
            at: self.now.0,
        };
        Some(Entry::with_payload(&meta, self.conversion.bytes(oru).to_vec()).numbered(number))
    }

    /// One hold for each reason in each order group, and one for a message that could not be read to its end.
    fn holds(
        &self,
        numbers: &mut JournalNumbers<'_>,
        entries: &mut Vec<Entry>,
        act: Option<&Act<'_>>,
    ) -> BTreeMap<(Option<u16>, HoldReason), u64> {
        let mut grouped: BTreeMap<(Option<u16>, HoldReason), Vec<(u32, String)>> = BTreeMap::new();
        let facts = self.conversion.facts;
        for ((index, fact), going) in (0u32..).zip(&facts.observations).zip(self.conversion.going) {
            if let Going::Held(reason) = going {
                let code: String = facts.word(&fact.code).chars().take(CODE_SHOWN).collect();
                grouped.entry((fact.order, *reason)).or_default().push((index, code));
            }
        }
        if let (Some(_), None) = (self.conversion.fault, act) {
            grouped.entry((None, HoldReason::DriverFault)).or_default();
        }
        if facts.too_large {
            grouped.entry((None, HoldReason::TooLarge)).or_default();
        }
        let mut given = BTreeMap::new();
        for ((order, reason), observations) in grouped {
            // Without a number of its own the hold would get one that its dispositions cannot name.
            let Some(number) = numbers.next().and_then(|n| numbers.take(n)) else { continue };
            given.insert((order, reason), number.get().0);
            let sentence = match (reason, self.conversion.fault) {
                (HoldReason::DriverFault, Some(fault)) => format!("{fault}. {}", reason.sentence()),
                _ => reason.sentence().to_owned(),
            };
            tracing::warn!(instrument = %self.subject.name, number = self.number, hold = number.get().0,
                reason = reason.code(), observations = observations.len(), "held: {sentence}");
            let hold = Hold {
                message: self.number,
                instrument: self.subject.name.clone(),
                reason: reason.code().to_owned(),
                sentence,
                observations,
                at: self.now.0,
            };
            entries.push(Entry::new(&hold).numbered(number));
        }
        given
    }

    fn dispositions(&self, holds: &BTreeMap<(Option<u16>, HoldReason), u64>) -> Vec<Disposition> {
        let facts = self.conversion.facts;
        let all = (0u32..).zip(&facts.observations).zip(self.conversion.going);
        all.filter_map(|((observation, fact), going)| {
            let fate = match going {
                Going::Sent => Fate::Sent,
                Going::Held(reason) => Fate::Held(holds.get(&(fact.order, *reason)).copied().unwrap_or(0)),
                Going::Qc(evidence) => Fate::Qc((*evidence).to_owned()),
                Going::Repeat => Fate::Repeat,
                Going::NotReportable(rule) => Fate::NotReportable((*rule).to_owned()),
                Going::Untouched => return None,
            };
            Some(Disposition {
                observation,
                identity: fact.identity,
                content: fact.content(),
                filler: self.conversion.filler(fact),
                fate,
            })
        })
        .collect()
    }

    fn tell(&self, released: Released, first: bool) {
        let (worker, name) = (self.worker, self.subject.name.as_str());
        let facts = self.conversion.facts;
        tracing::info!(instrument = %name, number = self.number, complete = self.message.complete,
            observations = facts.observations.len(), sent = released.sent, held = released.held, "interpreted");
        for note in &facts.notes {
            // Logs and status show it, so it holds no text of the message; but these two subjects are our own words.
            let place = match note.kind {
                NoteKind::SampleIdFound | NoteKind::BadTime => facts.word(&note.subject),
                _ => "",
            };
            let colon = if place.is_empty() { "" } else { ": " };
            let sentence = format!("byte {}: {}{colon}{place}", note.span.start, note.kind);
            (worker.told)(name, Tell::Note(&sentence));
        }
        if first {
            for query in &facts.queries {
                (worker.told)(name, Tell::Query(facts.word(query)));
            }
        }
        (worker.told)(name, Tell::Done { sent: released.sent, held: released.held });
    }
}
