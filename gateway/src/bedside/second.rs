//! The second pass: the items of a message, and of the one before it, on their way into a PCD-01 ORU.

use super::facts::{Fact, Facts, Going};
use super::{ORU_MAX, Observer, Ready, Rules, Task, interval, make_room, zones};
use crate::convert::{Numbers, Target};
use orugate_driver::{Scratch, StoredMessage};
use orugate_protocol::hl7::writer::WriteError;
use orugate_protocol::pcd::{PcdError, PcdWriter, Plan};
use orugate_protocol::report::{At, Device, Item, Marks, Measurement, Note, Reading, ReportSink};
use orugate_protocol::text::Text;
use std::fmt::Write as _;
use std::time::Duration;

impl Observer {
    /// Writes the ORU for one destination: of the message itself, or of another bed, device or patient than its own, of which
    /// nothing stands any more.
    pub(super) fn second_pass(
        &mut self,
        task: &Task<'_>,
        target: &Target<'_>,
        other: Option<u64>,
        numbers: &mut dyn Numbers,
    ) {
        let Some(route) = &target.pcd else { return };
        let Some(number) = numbers.next() else {
            self.starved = true;
            return;
        };
        self.control.clear();
        let _ = write!(self.control, "{}{number:016}", task.gateway);
        if self.out.is_empty() {
            self.out.resize(64 << 10, 0);
        }
        loop {
            let (began, ended) = interval(&task.message);
            let of = other.unwrap_or(self.facts.addressed);
            let before = || task.previous.iter().zip(&self.before);
            let about = before().find(|(_, (_, facts))| other.is_some() && facts.addressed == of);
            let about = about.map_or(&task.message, |(previous, _)| &previous.message);
            make_room(&mut self.scratch, about);
            locate(task, about, &mut self.scratch, &mut self.location);
            let plan = Plan {
                control_id: &self.control,
                filler: self.control.get(4..).unwrap_or_default(),
                instrument: task.instrument,
                device_id: task.rules.device_id,
                location: &self.location,
                created: task.now,
                began,
                ended,
            };
            let zone = zones(task);
            let grows = self.out.len() < ORU_MAX;
            let buffer = self.out.get_mut(self.used..).unwrap_or_default();
            let writer = PcdWriter::new(route, &plan, &zone, buffer);
            let mut sink = Adaptor {
                writer,
                rules: task.rules,
                facts: &self.facts,
                withdrawn: &self.withdrawn,
                before: None,
                seen: 0,
                device: true,
            };
            if other.is_none() {
                let scratch = &mut Scratch::new(&mut self.scratch);
                let _ = task.interpreter.interpret(&task.message, scratch, &mut sink);
                sink.device = false;
            }
            // Of messages before it only what is withdrawn; when there is nothing else, who it is as well.
            for (index, (previous, (scratch, facts))) in
                task.previous.iter().zip(&mut self.before).enumerate()
            {
                if facts.addressed != of || self.withdrawn.iter().all(|(of, _)| *of != index) {
                    continue;
                }
                (sink.before, sink.seen) = (Some((index, &*facts)), 0);
                let _ = task.interpreter.interpret(&previous.message, &mut Scratch::new(scratch), &mut sink);
                sink.device = false;
            }
            match sink.writer.finish() {
                Ok(written) => {
                    let bytes = self.used..self.used.saturating_add(written.len());
                    self.used = bytes.end;
                    let counts = self.facts.counts;
                    let observations =
                        if other.is_none() { counts.sent.saturating_add(counts.absent) } else { 0 };
                    self.ready.push(Ready { number, destination: target.index, observations, bytes });
                }
                Err(PcdError::Write(WriteError::Full)) if grows => {
                    let more = self.out.len().saturating_mul(2);
                    self.out.resize(more, 0);
                    continue;
                }
                Err(error) => self.notes.push(format!(
                    "nothing of a message could be written for {}: {error:?}; compare its charset with the device's texts",
                    target.name
                )),
            }
            return;
        }
    }
}

/// PV1-3 as the site says it, for what the device says of its bed.
fn locate(task: &Task<'_>, message: &StoredMessage<'_>, scratch: &mut [u8], location: &mut String) {
    location.clone_from(&task.rules.location);
    if !task.rules.beds.is_empty() {
        let mut found = Found { rules: task.rules, location };
        let _ = task.interpreter.interpret(message, &mut Scratch::new(scratch), &mut found);
    }
}

struct Found<'a> {
    rules: &'a Rules,
    location: &'a mut String,
}

impl<'m> ReportSink<'m> for Found<'_> {
    fn item(&mut self, item: Item<'m>) {
        if let Item::Device(device) = item {
            self.rules.location(&device).clone_into(self.location);
        }
    }

    fn note(&mut self, _: Note<'m>) {}
}

/// Gives the writer what is to be written, as it is to be written.
struct Adaptor<'w, 'm> {
    writer: PcdWriter<'w, 'm>,
    rules: &'w Rules,
    facts: &'w Facts,
    withdrawn: &'w [(usize, usize)],
    /// The items are those of a message before, which is this one of them, and of which these are the facts.
    before: Option<(usize, &'w Facts)>,
    seen: usize,
    /// The device is one that this message is about.
    device: bool,
}

impl<'m> Adaptor<'_, 'm> {
    fn measurement(&mut self, mut measurement: Measurement<'m>) {
        let place = self.seen;
        self.seen = self.seen.saturating_add(1);
        let fact = match self.before {
            Some((index, before)) if self.withdrawn.contains(&(index, place)) => {
                before.all.get(place).copied().map(|fact| Fact {
                    going: Going::Absent(Marks::NAV, "the device does not give it any more"),
                    ..fact
                })
            }
            Some(_) => None,
            None => self.facts.all.get(place).copied(),
        };
        let Some(fact) = fact else { return };
        match fact.going {
            Going::Sent => {}
            Going::Absent(marks, why) => {
                measurement.value = Reading::Absent;
                measurement.marks = measurement.marks.and(marks);
                if measurement.why.is_empty() {
                    measurement.why = why;
                }
                measurement.alarm = None;
            }
            Going::Left | Going::Unreadable | Going::Repeat | Going::Superseded => return,
        }
        let before = u64::try_from(measurement.received.0.saturating_sub(fact.at.0)).unwrap_or(0);
        measurement.at = if before == 0 { At::Received } else { At::Before(Duration::from_micros(before)) };
        self.writer.item(Item::Measurement(measurement));
    }
}

impl<'m> ReportSink<'m> for Adaptor<'_, 'm> {
    fn item(&mut self, item: Item<'m>) {
        match item {
            Item::Measurement(measurement) => self.measurement(measurement),
            Item::Device(device) if self.device => {
                let patient = if self.rules.send_patient { device.patient } else { Text::EMPTY };
                self.writer.item(Item::Device(Device { patient, ..device }));
            }
            Item::Device(_) => {}
            other => self.writer.item(other),
        }
    }

    fn note(&mut self, _: Note<'m>) {}
}
