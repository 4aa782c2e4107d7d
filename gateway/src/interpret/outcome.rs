//! One conversion on its way into the journal: a single atomic batch of ORUs, holds and dispositions.

use super::{Act, Kept, Released, Tell, Worker};
use crate::convert::{Conversion, Fact, Going, Group, HoldReason, Numbers as _, Ready};
use crate::interpret::{JournalNumbers, Subject};
use crate::records::{
    Compared, Delivery, DeliveryResult, Disposition, Fate, Hold, HoldSettled, NeverSent, Oru, Outcome,
    Redriven, Settlement, Towards,
};
use crate::state::Message;
use crate::store::Entry;
use crate::words::count;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use orugate_journal::AppendError;
use orugate_protocol::report::NoteKind;
use orugate_protocol::time::Utc;
use std::collections::BTreeMap;

/// The longest part of a code that a hold or a note shows.
const CODE_SHOWN: usize = 40;

/// What holds have in common: one for each reason in each order group, and for each run where several wait; no order for the message
/// as a whole.
type Reason = (Option<u16>, HoldReason, u16);
/// Observations by what their hold has in common: place in the message, and the test's code.
type Held = BTreeMap<Reason, Vec<(u32, String)>>;

/// Who settles what a later message overtook.
const OVERTAKEN: &str = "orugate";

/// One conversion on its way into the journal.
pub(super) struct Batch<'a> {
    pub(super) worker: &'a Worker,
    pub(super) subject: &'a Subject,
    pub(super) number: u64,
    pub(super) message: &'a Message,
    pub(super) conversion: Conversion<'a>,
    pub(super) now: Utc,
    /// The zone of the instrument's clock.
    pub(super) zone: TimeZone,
}

impl Batch<'_> {
    pub(super) fn store(
        self,
        numbers: &mut JournalNumbers<'_>,
        act: Option<&Act<'_>>,
    ) -> Result<Kept, AppendError> {
        let redriven = act
            .filter(|act| !act.release)
            .map(|act| Entry::new(&Redriven { hold: act.hold, actor: act.actor.to_owned(), at: self.now.0 }));
        let (held, rest) = self.held(act);
        if let Some(act) = act.filter(|act| !act.release && self.is_as_before(act, &held, rest)) {
            let _ = self.worker.store.append_wait(redriven.into_iter().collect(), self.worker.time())?;
            let released = Released { sent: 0, held: act.observations.len(), superseded: 0 };
            return Ok(Kept { released, unchanged: true });
        }
        let mut entries = Vec::new();
        for oru in self.conversion.orus {
            entries.push(self.oru(oru, numbers).ok_or(AppendError::Busy)?);
            entries.extend(self.parked(oru).into_iter().flatten());
        }
        // Without a number for each record nothing is stored, and the message is tried again.
        let holds = self.holds(held, rest, numbers, &mut entries, act).ok_or(AppendError::Busy)?;
        let dispositions = self.dispositions(&holds);
        let released = Released {
            sent: dispositions.iter().filter(|d| d.fate == Fate::Sent).count(),
            held: dispositions.iter().filter(|d| matches!(d.fate, Fate::Held(_))).count(),
            superseded: dispositions.iter().filter(|d| d.fate == Fate::Superseded).count(),
        };
        let outcome = Outcome {
            message: self.number,
            instrument: self.subject.name.clone(),
            at: self.now.0,
            provenance: self.subject.provenance.clone(),
            dispositions,
            fillers: self.conversion.given.to_vec(),
            released: act.map(|a| a.hold),
            specimens: self.specimens(),
            clock: self.conversion.clock.filter(|_| act.is_none()),
            analyzer: self.conversion.facts.analyzer(),
            towards: self.towards(),
        };
        let overtaken = self.worker.store.state().overtaken(&outcome);
        entries.push(Entry::new(&outcome));
        entries.extend(redriven);
        if let Some(act) = act {
            entries.push(self.settled(act.hold, act.actor, Settlement::Released));
        }
        for hold in overtaken {
            tracing::info!(instrument = %self.subject.name, number = self.number, hold,
                "a hold is settled as superseded: this message brought its results");
            entries.push(self.settled(hold, OVERTAKEN, Settlement::Superseded));
        }
        let _ = self.worker.store.append_wait(entries, self.worker.time())?;
        for oru in self.conversion.orus {
            tracing::debug!(target: "orugate::way", instrument = %self.subject.name, number = self.number,
                oru = oru.number, observations = oru.observations, "ready");
        }
        self.tell(released, act.is_none());
        Ok(Kept { released, unchanged: false })
    }

    /// Each run waits on its own, so that a person can take one and leave the other.
    fn in_common(&self, index: usize, fact: &Fact, reason: HoldReason) -> Reason {
        let run = if reason == HoldReason::Rerun { self.conversion.run(index) } else { 0 };
        (fact.order.filter(|_| !reason.is_of_message()), reason, run)
    }

    fn settled(&self, hold: u64, actor: &str, how: Settlement) -> Entry {
        Entry::new(&HoldSettled { hold, actor: actor.to_owned(), at: self.now.0, how })
    }

    /// A redrive found what the hold says already, in the same words.
    fn is_as_before(&self, act: &Act<'_>, held: &Held, rest: Option<HoldReason>) -> bool {
        let mut all = held.iter();
        let (Some(((_, reason, _), observations)), None) = (all.next(), all.next()) else { return false };
        let touched = self.conversion.going.iter().filter(|going| **going != Going::Untouched).count();
        let same = observations.iter().map(|(number, _)| number).eq(&act.observations);
        same && touched == observations.len()
            && self.sentence(*reason, observations) == act.open.sentence
            && reason.code() == act.open.reason
            && rest.is_some() == act.open.rest_from.is_some()
    }

    /// What each destination gets, and what that was decided by.
    fn towards(&self) -> Vec<Towards> {
        let mut all = Vec::new();
        for (place, target) in self.subject.targets.iter().enumerate() {
            let orus = self.conversion.orus.iter().filter(|oru| oru.destination == target.index);
            let written = |oru| self.conversion.written(oru).iter().map(|(index, s)| (*index, ascii(*s)));
            let orus: Vec<_> = orus.map(|oru| (oru.number, written(oru).collect())).collect();
            let decided = |observation: u32| {
                let going = self.conversion.going.get(observation as usize);
                going.is_some_and(|going| *going != Going::Untouched)
            };
            let compared: Vec<_> = self
                .conversion
                .compared(place)
                .filter(|(observation, ..)| decided(*observation))
                .map(|(observation, message, earlier, stood)| Compared {
                    observation,
                    message,
                    earlier,
                    stood,
                })
                .collect();
            if !orus.is_empty() || !compared.is_empty() {
                all.push(Towards { destination: target.name.clone(), orus, compared });
            }
        }
        all
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

    /// An ORU that its destination could not read waits for a person; the other destinations are served.
    fn parked(&self, oru: &Ready) -> Option<[Entry; 2]> {
        let at = oru.inexpressible?;
        let target = self.subject.targets.iter().find(|t| t.index == oru.destination)?;
        let why = super::parked::lacking(&target.name, at.segment.as_str(), at.field.into(), at.charset);
        tracing::error!(instrument = %self.subject.name, destination = %target.name, number = self.number,
            oru = oru.number, "parked: {why}");
        let parked = Delivery { oru: oru.number, at: self.now.0, result: DeliveryResult::Parked(why) };
        Some([Entry::new(&parked), Entry::new(&NeverSent { oru: oru.number })])
    }

    /// What is held, by what holds have in common; and why also what nobody has counted, when that is so.
    fn held(&self, act: Option<&Act<'_>>) -> (Held, Option<HoldReason>) {
        let mut held = Held::new();
        let facts = self.conversion.facts;
        for ((index, fact), going) in (0u32..).zip(&facts.observations).zip(self.conversion.going) {
            if let Going::Held(reason) = going {
                let code: String = facts.word(&fact.code).chars().take(CODE_SHOWN).collect();
                let common = self.in_common(index as usize, fact, *reason);
                held.entry(common).or_default().push((index, code));
            }
        }
        // What the interpreter did not come to, or what did not fit, is held too, though nobody has counted it.
        let whole = if facts.too_large {
            Some(HoldReason::TooLarge)
        } else {
            self.conversion.fault.map(|_| HoldReason::DriverFault)
        };
        let rest = whole.filter(|_| act.is_none_or(|act| act.open.rest_from.is_some()));
        if let Some(reason) = rest {
            held.entry((None, reason, 0)).or_default();
        }
        (held, rest)
    }

    fn sentence(&self, reason: HoldReason, observations: &[(u32, String)]) -> String {
        match (reason, self.conversion.fault) {
            (HoldReason::DriverFault, Some(fault)) => format!("{fault}. {}", reason.sentence()),
            (HoldReason::Unproven, _) => {
                format!("It came from {}. {}", self.conversion.facts.analyzer().named(), reason.sentence())
            }
            (HoldReason::Rerun, _) => self.rerun(observations),
            _ => {
                let held: Vec<usize> = observations.iter().map(|(at, _)| *at as usize).collect();
                self.conversion.sentence(reason, self.subject.table.as_deref(), &held)
            }
        }
    }

    /// A record for each hold. One that takes the place of another waits since the other does.
    fn holds(
        &self,
        held: Held,
        rest: Option<HoldReason>,
        numbers: &mut JournalNumbers<'_>,
        entries: &mut Vec<Entry>,
        act: Option<&Act<'_>>,
    ) -> Option<BTreeMap<Reason, u64>> {
        let counted = u32::try_from(self.conversion.facts.observations.len()).unwrap_or(u32::MAX);
        let mut given = BTreeMap::new();
        for ((order, reason, run), observations) in held {
            let number = numbers.next().and_then(|n| numbers.take(n))?;
            given.insert((order, reason, run), number.get().0);
            let sentence = self.sentence(reason, &observations);
            // What a message said of a unit belongs to the hold; the log has the rule only.
            let logged = if reason == HoldReason::UnitDiffers { reason.sentence() } else { &sentence };
            tracing::warn!(instrument = %self.subject.name, number = self.number, hold = number.get().0,
                reason = reason.code(), observations = observations.len(), "held: {logged}");
            let hold = Hold {
                message: self.number,
                instrument: self.subject.name.clone(),
                reason: reason.code().to_owned(),
                sentence,
                observations,
                rest_from: (order.is_none() && rest == Some(reason)).then_some(counted),
                at: act.map_or(self.now.0, |act| act.open.at),
            };
            entries.push(Entry::new(&hold).numbered(number));
        }
        Some(given)
    }

    /// Both runs by their times; the codes are in the hold.
    fn rerun(&self, observations: &[(u32, String)]) -> String {
        let first = observations.first().map_or(0, |(index, _)| *index as usize);
        let zone = &self.zone;
        let at = |seconds: Option<i64>| {
            let time = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
            time.map_or_else(
                || "at a time that the instrument did not send".to_owned(),
                |time| format!("at {}", time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S")),
            )
        };
        let other = self.conversion.other_run(first);
        let sent = match other.and_then(|other| other.sent_in) {
            Some(message) => format!("was sent, with message {message}"),
            None => "is in the same message".to_owned(),
        };
        format!(
            "This specimen was run more than once. This run was {}; another one, {}, {sent}. Compare with the screen of {}; \
             release the run that counts as well, discard the other.",
            at(self.conversion.ran(first)),
            at(other.and_then(|other| other.ran)),
            self.subject.name,
        )
    }

    /// Of what has a disposition; specimens without an id are not among them.
    fn specimens(&self) -> Vec<u128> {
        let Conversion { facts, going, .. } = self.conversion;
        let told = |group: &&Group| {
            let mut going = going.get(group.observations.clone()).into_iter().flatten();
            !group.sample.is_empty() && going.any(|going| *going != Going::Untouched)
        };
        let mut specimens: Vec<u128> = facts.groups.iter().filter(told).map(|group| group.specimen).collect();
        specimens.sort_unstable();
        specimens.dedup();
        specimens
    }

    fn dispositions(&self, holds: &BTreeMap<Reason, u64>) -> Vec<Disposition> {
        let facts = self.conversion.facts;
        let all = (0u32..).zip(&facts.observations).zip(self.conversion.going).enumerate();
        all.filter_map(|(index, ((observation, fact), going))| {
            let fate = match going {
                Going::Sent => Fate::Sent,
                Going::Held(reason) => {
                    let common = self.in_common(index, fact, *reason);
                    Fate::Held(holds.get(&common).copied().unwrap_or(0))
                }
                Going::Qc(evidence) => Fate::Qc((*evidence).to_owned()),
                Going::Repeat => Fate::Repeat,
                Going::Superseded => Fate::Superseded,
                Going::NotReportable(rule) => Fate::NotReportable(self.conversion.by_the_rule(index, rule)),
                Going::Untouched => return None,
            };
            let is_qc = matches!(going, Going::Qc(_));
            Some(Disposition {
                observation,
                identity: fact.identity,
                content: fact.content(),
                is_final: fact.is_final(),
                filler: self.conversion.place(index).filler,
                fate,
                test: if is_qc { 0 } else { fact.test },
                series: if is_qc { 0 } else { fact.series },
                sub_id: self.conversion.place(index).sub_id,
                ran: self.conversion.ran(index).filter(|_| !is_qc),
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
            (worker.told)(name, Tell::Note { kind: &note.kind.to_string(), sentence: &sentence });
        }
        for (results, hour) in [
            (
                facts.in_repeated_hour,
                "repeats; of the two readings the one nearest before the receipt was taken",
            ),
            (facts.in_skipped_hour, "skips; they are sent without an offset"),
        ] {
            if results > 0 {
                let results = count(results.into(), "result has", "results have");
                let sentence = format!("{results} a time of the hour that daylight saving {hour}");
                (worker.told)(name, Tell::Note { kind: hour, sentence: &sentence });
            }
        }
        let unsent = (0..facts.observations.len()).map(|i| self.conversion.unsent_remarks(i)).sum::<u32>();
        if unsent > 0 {
            let sentence = format!(
                "{unsent} of the instrument's remarks are in no ORU, for what they are about is not reportable"
            );
            (worker.told)(name, Tell::Note { kind: "unsent remarks", sentence: &sentence });
        }
        if first {
            for query in &facts.queries {
                (worker.told)(name, Tell::Query(facts.word(query)));
            }
        }
        (worker.told)(name, Tell::Done { sent: released.sent, held: released.held });
    }
}

/// OBX-11 is one letter of ours.
fn ascii(status: char) -> u8 {
    u8::try_from(status).unwrap_or(b'?')
}
