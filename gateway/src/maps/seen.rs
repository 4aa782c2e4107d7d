//! Which tests an instrument was seen to send: in its profile's examples, in a journal.
//!
//! Promises that nothing of a patient is kept: codes, materials and units only. Leaves out a driver that comes to no end;
//! these are messages that were read before.

use super::{Asked, Mapped, Table};
use crate::replay::{Message, hear};
use orugate_driver::report::{Item, Note, Observation, ReportSink, Status};
use orugate_driver::time::{ClockQuality, Utc};
use orugate_driver::{Interpreter, Profile, Scratch, StoredMessage};
use orugate_protocol::text::Text;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// One kind of result, as far as a map may tell it from another.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// The code as OBX-3 has it.
    pub code: String,
    /// The material as it was sent.
    pub specimen: String,
    /// The unit as OBX-6 has it.
    pub unit: String,
    /// What the instrument wrote where the profile's table gave the unit.
    pub unit_as_sent: String,
    /// It had a value.
    pub measured: bool,
}

impl Kind {
    /// The unit as the instrument wrote it.
    #[must_use]
    pub fn sent(&self) -> &str {
        if self.unit_as_sent.is_empty() { &self.unit } else { &self.unit_as_sent }
    }

    /// What a table says of it.
    #[must_use]
    pub fn in_table(&self, table: &Table) -> Mapped {
        table.find(&Asked {
            code: &self.code,
            specimen: &self.specimen,
            unit: Text::plain(&self.unit),
            unit_as_sent: Text::plain(&self.unit_as_sent),
            measured: self.measured,
        })
    }
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// How often, with the vendor's name of the test.
    pub kinds: BTreeMap<Kind, (u64, String)>,
    specimen: String,
}

impl Seen {
    /// Adds what a profile's examples have.
    pub fn examples(&mut self, profile: &dyn Profile) {
        let interpreter = profile.interpreter();
        for example in &profile.common().examples {
            for message in &hear(profile, &profile.example_bytes(&example.input), &[]).messages {
                self.message(&*interpreter, message);
            }
        }
    }

    /// Adds what one message has. A driver that panics on it costs this message.
    pub fn message(&mut self, interpreter: &dyn Interpreter, message: &Message) {
        let stored = StoredMessage {
            raw: &message.raw,
            chunk_ends: &message.chunk_ends,
            complete: message.complete,
            received: Utc(0),
            clock: ClockQuality::Unset,
        };
        let mut space = vec![0; message.raw.len().saturating_mul(2).saturating_add(1024)];
        self.specimen.clear();
        let _ = catch_unwind(AssertUnwindSafe(|| {
            interpreter.interpret(&stored, &mut Scratch::new(&mut space), self)
        }));
    }

    fn observation(&mut self, observation: &Observation<'_>) {
        // What nobody can read for sure says nothing of the instrument's codes.
        if observation.code.id.is_empty() || observation.doubt.is_some() {
            return;
        }
        let measured = !observation.value.is_empty()
            && observation.status != Status::NotDone
            && observation.not_reportable.is_none();
        let unit = |text: Text<'_>| if measured { text.to_string() } else { String::new() };
        let kind = Kind {
            code: observation.code.id.to_string(),
            specimen: self.specimen.clone(),
            unit: unit(observation.unit),
            unit_as_sent: unit(observation.unit_as_sent),
            measured,
        };
        let entry = self.kinds.entry(kind).or_insert_with(|| (0, observation.code.name.to_string()));
        entry.0 += 1;
    }

    /// Kinds with a value; those without only where no other of their code has one.
    pub fn telling(&self) -> impl Iterator<Item = (&Kind, u64)> {
        let has_value = |code: &str| self.kinds.keys().any(|kind| kind.measured && kind.code == code);
        self.kinds
            .iter()
            .filter(move |(kind, _)| kind.measured || !has_value(&kind.code))
            .map(|(kind, (count, _))| (kind, *count))
    }
}

impl<'m> ReportSink<'m> for Seen {
    fn item(&mut self, item: Item<'m>) {
        match item {
            Item::Sender(_) | Item::Patient(_) => self.specimen.clear(),
            Item::Specimen(specimen) => self.specimen = specimen.kind.to_string(),
            Item::Observation(observation) => self.observation(&observation),
            _ => {}
        }
    }

    fn note(&mut self, _: Note<'m>) {}
}
