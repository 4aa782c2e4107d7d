//! The second pass: the ORUs of all groups, in one walk over the message for each destination.
//!
//! Promises: an ORU for each group, destination and filler number that has something to send, in that order; when one of a group
//! cannot be written, no destination gets any of that group. Leaves out what is sent: that was decided before.

use super::facts::Facts;
use super::fates::{Beside, Known};
use super::{
    Candidate, Converter, FILLER_MAX, Going, HoldReason, Inexpressible, Numbers, ORU_MAX, Ready, Task, zones,
};
use crate::maps::{Mapped, Place, Table};
use orugate_driver::Scratch;
use orugate_protocol::hl7::writer::WriteError;
use orugate_protocol::oru::{self, GroupPlan, Groups, OruError, OruWriter, Verdict, WriteObservation};
use orugate_protocol::text::Charset;
use std::fmt::Write as _;
use std::ops::Range;

/// What is said of a result that was sent before as it is.
const AGAIN: &str = "Sent again by the instrument.";

impl Converter {
    /// Numbers and names all ORUs, by group and then by destination.
    pub(super) fn name(&mut self, task: &Task<'_>, numbers: &mut dyn Numbers) {
        self.names.clear();
        self.written.clear();
        let mut begin = 0;
        for (group, facts) in (0u16..).zip(&self.facts.groups) {
            let parts = self.parts.get(begin..).unwrap_or_default();
            let parts = parts.iter().take_while(|(of, _)| *of == group).map(|(_, filler)| *filler);
            begin += parts.clone().count();
            for (target, destination) in task.setting.destinations.iter().enumerate() {
                for (part, last) in (0u16..).zip(parts.clone()) {
                    let start = self.written.len();
                    for index in facts.observations.clone() {
                        let Some(status) = self.writes(index, target, last, task) else { continue };
                        self.written.push((u32::try_from(index).unwrap_or(u32::MAX), status));
                    }
                    let written = start..self.written.len();
                    if written.is_empty() {
                        continue;
                    }
                    let Some(number) = numbers.next() else {
                        self.starved = true;
                        return;
                    };
                    let start = self.names.len();
                    let _ = write!(self.names, "{}{number:016}", task.setting.gateway);
                    let control = start..self.names.len();
                    let sample = self.facts.word(&facts.sample);
                    let filler = write_filler(&mut self.names, sample, facts.specimen, last);
                    self.ready.push(Ready {
                        number,
                        destination: destination.index,
                        group,
                        observations: u32::try_from(written.len()).unwrap_or(u32::MAX),
                        inexpressible: None,
                        target,
                        part,
                        written,
                        control,
                        filler,
                        bytes: 0..0,
                    });
                }
            }
        }
    }

    /// Writes the ORUs of one destination: of each group the one of this part.
    pub(super) fn second_pass(&mut self, task: &Task<'_>, target: usize, part: u16) {
        let Some(destination) = task.setting.destinations.get(target) else { return };
        if self.starved || !self.ready.iter().any(|ready| (ready.target, ready.part) == (target, part)) {
            return;
        }
        self.verdicts(task, target, part);
        let zone = zones(task);
        loop {
            let room = self.out.len();
            let mut groups = Walk {
                task,
                facts: &self.facts,
                beside: &self.beside,
                was: &self.was,
                verdicts: &self.verdicts,
                names: &self.names,
                clock_remark: &self.clock_remark,
                ready: &mut self.ready,
                failed: &mut self.failed,
                target,
                part,
                at: 0,
                base: self.used,
                used: self.used,
                charset: destination.route.charset,
                full: false,
                in_utf8: false,
            };
            let buffer = self.out.get_mut(self.used..).unwrap_or_default();
            let mut writer = OruWriter::new(&destination.route, &mut groups, &self.verdicts, &zone, buffer);
            // A fault was seen in the first pass; what came before it is written here too.
            let _ =
                task.interpreter.interpret(&task.message, &mut Scratch::new(&mut self.scratch), &mut writer);
            writer.finish();
            let (used, in_utf8, full) = (groups.used, groups.in_utf8, groups.full && room < ORU_MAX);
            if !full && !in_utf8 {
                self.used = used;
                break;
            }
            // Again from the start: once for each size that there ever is, and once because UTF-8 has every character.
            self.failed.clear();
            if full {
                self.out.resize(room.saturating_mul(2).min(ORU_MAX), 0);
            }
        }
        for group in std::mem::take(&mut self.failed) {
            self.hold_group(group, HoldReason::Unwritable);
        }
    }

    /// OBX-11 of an observation that a destination gets under this filler number; `None` when it does not get it so.
    fn writes(&self, index: usize, target: usize, filler: u32, task: &Task<'_>) -> Option<char> {
        let sent = self.going.get(index) == Some(&Going::Sent)
            && self.places.get(index).is_some_and(|place| place.filler == filler);
        let destination = task.setting.destinations.get(target).filter(|_| sent)?;
        let (fact, beside) = (self.facts.observations.get(index)?, self.towards(index, target, task)?);
        let repeat = beside.known == Known::Same && destination.suppress_resends;
        (!repeat).then(|| beside.status(fact, destination))
    }

    /// Fills `self.verdicts` for one destination's ORUs of this part.
    fn verdicts(&mut self, task: &Task<'_>, target: usize, part: u16) {
        let mut verdicts = std::mem::take(&mut self.verdicts);
        verdicts.clear();
        verdicts.resize(self.facts.observations.len(), Verdict::Withheld);
        let beside = |index| self.towards(index, target, task);
        let same = |index| beside(index).is_some_and(|beside| beside.known == Known::Same);
        for ready in self.ready.iter().filter(|ready| (ready.target, ready.part) == (target, part)) {
            let written = self.written.get(ready.written.clone()).unwrap_or_default();
            let all = written.iter().map(|(index, status)| (*index as usize, *status));
            let all_same = all.clone().all(|(index, _)| same(index));
            for (index, status) in all {
                let (Some(fact), Some(place), Some(slot)) =
                    (self.facts.observations.get(index), self.places.get(index), verdicts.get_mut(index))
                else {
                    continue;
                };
                // Where that is so of all, it is said once above them.
                let again = (same(index) && !all_same).then_some(AGAIN);
                let remark = again.or_else(|| beside(index)?.remark(fact));
                *slot = Verdict::Write(WriteObservation { status, sub_id: place.sub_id, remark });
            }
        }
        self.verdicts = verdicts;
    }

    /// Nothing of a group is sent when one of its messages cannot be written: no destination gets a part.
    fn hold_group(&mut self, group: u16, reason: HoldReason) {
        let range = self.facts.groups.get(usize::from(group)).map_or(0..0, |g| g.observations.clone());
        for going in self.going.get_mut(range).unwrap_or_default() {
            if *going == Going::Sent {
                *going = Going::Held(reason);
            }
        }
        self.ready.retain(|r| r.group != group);
    }
}

/// What a receiver is told when results went out although the gateway's clock is wrong.
const CLOCK_DOUBTED: &str = "The gateway's clock was not set: the time of this message is not right, those of the instrument are as it wrote them.";

/// One walk for one destination: gives the plans, and keeps what became of them.
struct Walk<'a> {
    task: &'a Task<'a>,
    facts: &'a Facts,
    beside: &'a [Beside],
    was: &'a str,
    verdicts: &'a [Verdict],
    names: &'a str,
    /// Of the instrument's clock.
    clock_remark: &'a str,
    ready: &'a mut [Ready],
    failed: &'a mut Vec<u16>,
    target: usize,
    part: u16,
    /// The first of `ready` that no order before asked for.
    at: usize,
    /// Where the writer's buffer begins, and where what is written ends.
    base: usize,
    used: usize,
    /// The destination's.
    charset: Charset,
    /// Some ORU needs more room than there is.
    full: bool,
    /// Some ORU has a character that the charset does not have.
    in_utf8: bool,
}

impl<'a> Walk<'a> {
    fn beside(&self, observation: usize) -> Option<&'a Beside> {
        let targets = self.task.setting.destinations.len();
        self.beside.get(observation.checked_mul(targets)?.checked_add(self.target)?)
    }
}

impl<'a> Groups<'a> for Walk<'a> {
    fn plan(&mut self, order: u16) -> Option<GroupPlan<'a>> {
        let place = |ready: &Ready| (ready.group, ready.target, ready.part);
        let this = (order, self.target, self.part);
        self.at += self.ready.get(self.at..)?.iter().take_while(|ready| place(ready) < this).count();
        let ready = self.ready.get(self.at).filter(|ready| place(ready) == this)?;
        let (facts, names) = (self.facts, self.names);
        let group = facts.groups.get(usize::from(order))?;
        let range = group.observations.clone();
        let mut written = range.clone().filter(|i| matches!(self.verdicts.get(*i), Some(Verdict::Write(_))));
        let resent = written.all(|index| self.beside(index).is_some_and(|b| b.known == Known::Same));
        let entered = self.task.release.is_some_and(|release| release.sample.is_some());
        let broken = !self.task.message.complete || !facts.complete;
        let remark = |when: bool, text: &'static str| if when { text } else { "" };
        Some(GroupPlan {
            control_id: names.get(ready.control.clone()).unwrap_or_default(),
            filler: names.get(ready.filler.clone()).unwrap_or_default(),
            sample: facts.word(&group.sample),
            panel: self.task.setting.table.and_then(|table| panel(table, facts, range.clone())),
            status: group_status(self.verdicts.get(range).unwrap_or_default()),
            created: self.task.now,
            remarks: [
                remark(resent, AGAIN),
                remark(entered, "The sample id was entered by a person when the result was released."),
                remark(broken, "The transmission broke off: results of this order may be missing."),
                remark(self.task.clocks.doubted, CLOCK_DOUBTED),
                self.clock_remark,
            ],
            in_utf8: ready.inexpressible.is_some(),
        })
    }

    fn test(&self, observation: usize) -> Option<oru::Mapped<'a>> {
        let table = self.task.setting.table?;
        table.test(place(self.facts, observation)?)
    }

    fn was(&self, observation: usize) -> &str {
        let was = self.beside(observation).map_or(0..0, |beside| beside.was.clone());
        self.was.get(was).unwrap_or_default()
    }

    fn written(&mut self, order: u16, oru: Result<Range<usize>, OruError>) {
        match (oru, self.ready.get_mut(self.at)) {
            (Ok(place), Some(ready)) => {
                ready.bytes = self.base.saturating_add(place.start)..self.base.saturating_add(place.end);
                self.used = ready.bytes.end;
            }
            (Err(OruError::Write(WriteError::Inexpressible { segment, field })), Some(ready))
                if ready.inexpressible.is_none() =>
            {
                ready.inexpressible = Some(Inexpressible { segment, field, charset: self.charset });
                self.in_utf8 = true;
            }
            (oru, _) => {
                self.full |= oru == Err(OruError::Write(WriteError::Full));
                self.failed.push(order);
            }
        }
    }
}

/// The row that an observation has, with the unit that the row expects. One that a person released although its unit is
/// another has none: its LOINC code would say another unit.
fn place(facts: &Facts, observation: usize) -> Option<Place> {
    match facts.observations.get(observation)?.mapped {
        Mapped::Row(place) => Some(place),
        _ => None,
    }
}

/// The panel of an order: the one that all its results agree on, be they sent now or not, so that a part of them that comes
/// again is in no other panel. What is no result has no say.
fn panel<'a>(table: &'a Table, facts: &Facts, observations: Range<usize>) -> Option<oru::Mapped<'a>> {
    let is_result = |at: &usize| {
        let fact = facts.observations.get(*at);
        fact.is_some_and(|fact| !fact.blank && !matches!(fact.candidate, Candidate::NotReportable(_)))
    };
    let mut panels = observations.filter(is_result).map(|at| table.panel(place(facts, at)?));
    let first = panels.next()??;
    panels.all(|other| other == Some(first)).then_some(first)
}

/// OBR-25 from the OBX-11 of what is written.
fn group_status(verdicts: &[Verdict]) -> char {
    let mut all = None;
    for verdict in verdicts {
        let Verdict::Write(WriteObservation { status, .. }) = verdict else { continue };
        all = match (all, *status) {
            (None, status) => Some(status),
            (Some('C'), _) | (_, 'C') => Some('C'),
            (Some(a), b) if a == b => Some(a),
            // A report in which one test could not be done is as final as the others.
            (Some('X'), b) => Some(b),
            (Some(a), 'X') => Some(a),
            _ => Some('P'),
        };
    }
    all.unwrap_or('F')
}

/// Adds `<sample>-<number>`, or a keyed stand-in of the sample id when that is too long. The number is in base 36: those
/// that come of a time have six characters.
fn write_filler(names: &mut String, sample: &str, specimen: u128, number: u32) -> Range<usize> {
    let start = names.len();
    let mut digits = [0; 7];
    let number = base_36(number, &mut digits);
    let _ = write!(names, "{sample}-{number}");
    if names.get(start..).is_some_and(|filler| filler.chars().count() > FILLER_MAX) {
        names.truncate(start);
        let short = specimen & 0xF_FFFF_FFFF_FFFF;
        let _ = write!(names, "{short:013X}-{number}");
    }
    start..names.len()
}

/// A number with the digits 0 to 9 and A to Z; seven are enough for 32 bits.
fn base_36(mut number: u32, digits: &mut [u8; 7]) -> &str {
    let mut first = digits.len();
    for (place, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ".get((number % 36) as usize).copied().unwrap_or(b'0');
        first = place;
        number /= 36;
        if number == 0 {
            break;
        }
    }
    digits.get(first..).and_then(|digits| str::from_utf8(digits).ok()).unwrap_or("0")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::{Clocks, Corrections, NoPast, Proof, Reruns, Setting, Target};
    use orugate_driver::{Fault, Interpreter, StoredMessage};
    use orugate_protocol::oru::{Route, SampleIdIn};
    use orugate_protocol::report::{Item, Note, ReportSink};
    use orugate_protocol::time::{ClockQuality, Utc};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Counts the items that an interpreter gives.
    struct Counted {
        interpreter: Box<dyn Interpreter>,
        items: AtomicUsize,
    }

    struct Counter<'c, 'm> {
        sink: &'c mut dyn ReportSink<'m>,
        items: &'c AtomicUsize,
    }

    impl<'m> ReportSink<'m> for Counter<'_, 'm> {
        fn item(&mut self, item: Item<'m>) {
            self.items.fetch_add(1, Ordering::Relaxed);
            self.sink.item(item);
        }
        fn note(&mut self, note: Note<'m>) {
            self.sink.note(note);
        }
    }

    impl Interpreter for Counted {
        fn interpret<'m>(
            &self,
            message: &StoredMessage<'m>,
            scratch: &mut Scratch<'m>,
            sink: &mut dyn ReportSink<'m>,
        ) -> Result<(), Fault> {
            self.interpreter.interpret(message, scratch, &mut Counter { sink, items: &self.items })
        }
    }

    struct Numbered(u64);

    impl Numbers for Numbered {
        fn next(&mut self) -> Option<u64> {
            self.0 += 1;
            Some(self.0)
        }
    }

    /// Converts a message with so many orders for two destinations, twice, with the same converter. Gives the items
    /// of the second time, and the groups of the ORUs.
    fn convert(orders: usize) -> (usize, Vec<(u16, usize, String)>) {
        let mut text = String::from("H|\\^&|||RIG^1|||||||P|1|20261122093407\rP|1\r");
        for order in 1..=orders {
            let _ = write!(text, "O|{order}|S-{order}||^^^ALL|R||||||N||||||||||||||F\r");
            let _ = write!(text, "R|1|^^^A|{order}|g/L||N||F\rR|2|^^^B|7|g/L||N||F\r");
        }
        text.push_str("L|1|N\r");
        let profile = crate::profiles::find(&orugate_drivers::SHIPPED, "generic-astm").unwrap();
        let counted = Counted { interpreter: profile.interpreter(), items: AtomicUsize::new(0) };
        let target = |index| Target {
            index,
            name: "engine",
            route: Route {
                sending_application: "ORUGATE",
                sending_facility: "LAB",
                receiving_application: "ENGINE",
                receiving_facility: "HOSP",
                processing: 'P',
                acknowledgment: ("", ""),
                sample_id_in: SampleIdIn::Specimen,
                structured_numeric: false,
                patient: None,
                charset: Charset::Utf8,
            },
            record: false,
            corrections: Corrections::Corrected,
            suppress_resends: false,
            pcd: None,
        };
        // As `send_to` may name them: not in the order of the plan.
        let destinations = [target(5), target(2)];
        let task = Task {
            interpreter: &counted,
            message: StoredMessage {
                raw: text.as_bytes(),
                chunk_ends: &[text.len() as u32],
                complete: true,
                received: Utc(1_795_000_000_000_000),
                clock: ClockQuality::Plausible,
            },
            number: 0,
            setting: Setting {
                instrument: "watched",
                destinations: &destinations,
                gateway: "GW01",
                zone: &jiff::tz::TimeZone::UTC,
                site_zone: &jiff::tz::TimeZone::UTC,
                key: &[7; 16],
                reruns: Reruns::All,
                rerun_within: 0,
                rules: &crate::convert::Rules::default(),
                proof: Proof::NotAsked,
                table: None,
            },
            past: &NoPast,
            now: Utc(1_795_000_000_000_000),
            clocks: Clocks::default(),
            release: None,
        };
        let mut converter = Converter::default();
        converter.convert(&task, &mut Numbered(0));
        counted.items.store(0, Ordering::Relaxed);
        let conversion = converter.convert(&task, &mut Numbered(0));
        let orus = conversion.orus.iter().map(|oru| {
            let text = String::from_utf8(conversion.bytes(oru).to_vec()).unwrap();
            assert!(text.contains(&format!("|GW01{:016}|", oru.number)), "{text}");
            let spm = text.split('\r').find(|s| s.starts_with("SPM")).unwrap_or_default();
            (oru.group, oru.destination, spm.split('|').nth(2).unwrap_or_default().to_owned())
        });
        let orus = orus.collect();
        (counted.items.load(Ordering::Relaxed), orus)
    }

    #[test]
    fn what_a_message_costs_grows_with_its_length_and_no_faster() {
        let (one, two) = (convert(1).0, convert(2).0);
        for orders in [10, 300] {
            assert_eq!(convert(orders).0, one + (orders - 1) * (two - one), "{orders} orders");
        }
    }

    #[test]
    fn orus_come_by_group_and_then_by_destination() {
        // More than fits into the first buffer.
        let orders: u16 = 300;
        let (_, orus) = convert(orders.into());
        let expected =
            (0..orders).flat_map(|n| [(n, 5, format!("S-{}", n + 1)), (n, 2, format!("S-{}", n + 1))]);
        assert!(orus.into_iter().eq(expected));
    }
}
