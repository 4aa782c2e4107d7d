//! One message of a bedside device to what becomes of it: a PCD-01 ORU for each destination, and counts.
//!
//! [`Observer::observe`] walks the message, and the device's message before it, once to decide, and once more for each
//! destination. It reads no clock and no file: the same two messages and the same configuration give the same bytes.
//! Promises that a value is sent as one only while it holds: what is absent, invalid, stale or nobody's goes as absent or not at
//! all, what the message before had and this one has not is withdrawn once, and what is made now and then goes once. Where the
//! device says that it is another one, or stands elsewhere, than the site configured, nothing is sent.
//!
//! Leaves out holds: nobody can decide on a value that is taken again a minute later.

mod facts;
mod rules;
mod second;
#[cfg(test)]
mod tests;
mod told;

pub use rules::Rules;
pub use told::{Told, table};

use crate::convert::{Keyed, Numbers, SiteZone, Target};
use crate::records::{DeviceClock, Measured, TimeOf, clock_number};
use facts::{Collector, Facts};
use jiff::tz::TimeZone;
use orugate_driver::{Interpreter, Scratch, StoredMessage, snapshot};
use orugate_protocol::time::Utc;
use std::fmt::Write as _;
use std::ops::Range;

/// The largest ORU.
const ORU_MAX: usize = 16 << 20;

/// One message to observe, with everything that its outcome depends on.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// Turns it into report items.
    pub interpreter: &'a dyn Interpreter,
    /// The message.
    pub message: StoredMessage<'a>,
    /// The device's last message in which something stood, when it can be read.
    pub previous: Option<StoredMessage<'a>>,
    /// The instrument's name.
    pub instrument: &'a str,
    /// Its destinations that accept its mode.
    pub targets: &'a [Target<'a>],
    /// The gateway's four characters, which begin each MSH-10.
    pub gateway: &'a str,
    /// The zone of the device's clock.
    pub zone: &'a TimeZone,
    /// The zone of the gateway's own times.
    pub site_zone: &'a TimeZone,
    /// The journal's key for hashes.
    pub key: &'a [u8; 16],
    /// What the site says of the device.
    pub rules: &'a Rules,
    /// What is made now and then and was sent before: keyed hash, and when it was received.
    pub once: &'a [(u64, i64)],
    /// When the last message came of which something was sent, microseconds since 1970.
    pub sent: i64,
    /// The time that MSH-7 carries.
    pub now: Utc,
}

/// One finished ORU.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The number in its MSH-10.
    pub number: u64,
    /// The destination's index in the plan.
    pub destination: usize,
    /// Measurements of the message in it; what is withdrawn is none of it.
    pub observations: u32,
    bytes: Range<usize>,
}

/// What was found, borrowed from its [`Observer`].
#[derive(Clone, Copy)]
pub struct Observation<'o> {
    /// Where measurements went.
    pub counts: Measured,
    /// Why nothing of it was sent, as a clause; empty when something was, or there was nothing to send.
    pub why: &'o str,
    /// Something stands in it, so that the next one is compared with it.
    pub speaks: bool,
    /// What is made now and then and is sent with it.
    pub once: &'o [(u64, i64)],
    /// What it says of the device's clock.
    pub clock: Option<DeviceClock>,
    /// The ORUs.
    pub orus: &'o [Ready],
    /// What a technician may want to know of it, in sentences without text of the message.
    pub notes: &'o [String],
    /// No number was to be had for an ORU: nothing of this may be used.
    pub starved: bool,
    out: &'o [u8],
}

impl Observation<'_> {
    /// The bytes of one ORU.
    #[must_use]
    pub fn bytes(&self, oru: &Ready) -> &[u8] {
        self.out.get(oru.bytes.clone()).unwrap_or_default()
    }
}

/// Observes messages. One per thread.
#[derive(Debug, Default)]
pub struct Observer {
    /// For this message and for the one before it.
    scratch: [Vec<u8>; 2],
    facts: Facts,
    before: Facts,
    out: Vec<u8>,
    used: usize,
    ready: Vec<Ready>,
    notes: Vec<String>,
    why: String,
    clock: Option<DeviceClock>,
    starved: bool,
    speaks: bool,
    control: String,
    /// PV1-3.
    location: String,
    /// A time in words, for hashes.
    time: String,
}

impl Observer {
    /// Observes one message; `numbers` are those of its ORUs.
    pub fn observe(&mut self, task: &Task<'_>, numbers: &mut dyn Numbers) -> Observation<'_> {
        self.ready.clear();
        self.notes.clear();
        self.why.clear();
        self.used = 0;
        self.starved = false;
        self.clock = None;
        self.before.clear(Keyed::new(task.key));
        let silent = is_silent(&task.message);
        for (scratch, message) in self.scratch.iter_mut().zip([Some(&task.message), task.previous.as_ref()]) {
            // Numbers and framing are written there.
            let room = message.map_or(0, |message| message.raw.len()).saturating_mul(4).saturating_add(4096);
            if scratch.len() < room {
                scratch.resize(room, 0);
            }
        }
        let [here, there] = &mut self.scratch;
        if let Some(previous) = &task.previous {
            let mut collector = Collector::new(&mut self.before, &mut self.time, task, previous);
            let read = task.interpreter.interpret(previous, &mut Scratch::new(there), &mut collector);
            if read.is_err() || self.before.elsewhere.is_some() {
                // Nothing of it was sent.
                self.before.all.clear();
            }
        }
        self.facts.clear(Keyed::new(task.key));
        if !silent {
            let mut collector = Collector::new(&mut self.facts, &mut self.time, task, &task.message);
            let read = task.interpreter.interpret(&task.message, &mut Scratch::new(here), &mut collector);
            if let Err(fault) = read {
                // What was read of it is not used: who knows what the rest would have said of it.
                let _ = write!(self.why, "its driver cannot read it: {fault}");
            }
        }
        if self.why.is_empty() {
            self.why.push_str(self.facts.elsewhere.as_deref().unwrap_or_default());
        }
        self.look_at_clock(task);
        if !self.why.is_empty() {
            self.facts.leave_all();
        }
        self.facts.withdraw(&self.before);
        self.speaks = !silent;
        // A message of which nothing can be sent says all the same that what was before does not hold any more.
        let of_before = silent || !self.why.is_empty();
        if self.facts.writes() {
            for target in task.targets {
                self.second_pass(task, target, of_before, numbers);
            }
            if self.ready.is_empty() && !self.starved {
                self.facts.leave_all();
                if self.why.is_empty() {
                    self.why.push_str("no destination could be written to");
                }
            }
        }
        self.observation()
    }

    /// What the last [`observe`](Self::observe) found.
    #[must_use]
    pub fn observation(&self) -> Observation<'_> {
        Observation {
            counts: self.facts.counts,
            why: &self.why,
            speaks: self.speaks,
            once: &self.facts.once,
            clock: self.clock,
            orus: &self.ready,
            notes: &self.notes,
            starved: self.starved,
            out: &self.out,
        }
    }

    fn look_at_clock(&mut self, task: &Task<'_>) {
        let Some(shown) = self.facts.clock else { return };
        let zone = zones(task);
        self.clock = zone.instant(&shown.device).map(|device| DeviceClock {
            device: device.0,
            received: shown.received.0,
            quality: clock_number(task.message.clock),
            of: TimeOf::Message,
        });
    }
}

/// Whether a message is a snapshot in which nothing stands.
fn is_silent(message: &StoredMessage<'_>) -> bool {
    snapshot::read(message.raw).is_ok_and(|snapshot| snapshot.is_silent())
}

/// The interval of a message; one that is pushed has none.
fn interval(message: &StoredMessage<'_>) -> (Utc, Utc) {
    snapshot::read(message.raw)
        .map_or((message.received, message.received), |snapshot| (snapshot.began, snapshot.ended))
}

/// The zones in which a message's times are read.
const fn zones<'a>(task: &Task<'a>) -> SiteZone<'a> {
    SiteZone { instrument: task.zone, site: task.site_zone, received: task.message.received }
}
