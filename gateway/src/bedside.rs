//! One message of a bedside device to what becomes of it: a PCD-01 ORU for each destination, and counts.
//!
//! [`Observer::observe`] walks the message, and the device's messages before it, once to decide, and once more for each
//! destination. It reads no clock and no file: the same messages and the same configuration give the same bytes.
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

/// A message before it of which something stands.
#[derive(Clone, Copy)]
pub struct Previous<'a> {
    /// Its number.
    pub number: u64,
    /// The message.
    pub message: StoredMessage<'a>,
}

impl Previous<'_> {
    /// Whether a message of this source, heard last at this time, is to be known for a message of that source
    /// ([`Observer::source`]): it is compared with it, or was not renewed any more and is withdrawn.
    #[must_use]
    pub fn is_compared(task: &Task<'_>, of: Option<u64>, source: u64, heard: i64) -> bool {
        let Some(of) = of else { return true };
        let wait = task.rules.interval.max(task.rules.stale_after);
        let wait = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
        source == of || heard.saturating_add(wait) < task.message.received.0
    }
}

/// One message to observe, with everything that its outcome depends on.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// Turns it into report items.
    pub interpreter: &'a dyn Interpreter,
    /// The message.
    pub message: StoredMessage<'a>,
    /// The device's messages of which something stands, as far as they can be read, oldest first.
    pub previous: &'a [Previous<'a>],
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
    pub stands: bool,
    /// Of which bed or device it is; 0 where that is not asked.
    pub source: u64,
    /// Numbers of messages before it of which nothing stands any more.
    pub settled: &'o [u64],
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
    scratch: Vec<u8>,
    facts: Facts,
    /// Of the messages before it.
    before: Vec<(Vec<u8>, Facts)>,
    /// What is withdrawn: which message before it, and the measurement's place there.
    withdrawn: Vec<(usize, usize)>,
    settled: Vec<u64>,
    /// Other beds, devices or patients than the message's, of which something is withdrawn.
    others: Vec<u64>,
    out: Vec<u8>,
    used: usize,
    ready: Vec<Ready>,
    notes: Vec<String>,
    why: String,
    clock: Option<DeviceClock>,
    starved: bool,
    stands: bool,
    control: String,
    /// PV1-3.
    location: String,
    /// A time in words, for hashes.
    time: String,
}

impl Observer {
    /// Of which bed or device a message is, where a device pushes; `None` for a snapshot, which is of all that stands.
    pub fn source(&mut self, task: &Task<'_>) -> Option<u64> {
        if snapshot::read(task.message.raw).is_ok() {
            return None;
        }
        make_room(&mut self.scratch, &task.message);
        self.facts.clear(Keyed::new(task.key));
        let mut collector = Collector::new(&mut self.facts, &mut self.time, task, &task.message);
        // One that cannot be read is of nobody.
        let read =
            task.interpreter.interpret(&task.message, &mut Scratch::new(&mut self.scratch), &mut collector);
        Some(if read.is_ok() { self.facts.source } else { 0 })
    }

    /// Observes one message; `numbers` are those of its ORUs.
    pub fn observe(&mut self, task: &Task<'_>, numbers: &mut dyn Numbers) -> Observation<'_> {
        self.ready.clear();
        self.notes.clear();
        self.why.clear();
        self.withdrawn.clear();
        self.settled.clear();
        self.used = 0;
        self.starved = false;
        self.clock = None;
        self.look_back(task);
        let silent = is_silent(&task.message);
        make_room(&mut self.scratch, &task.message);
        self.facts.clear(Keyed::new(task.key));
        if !silent {
            let mut collector = Collector::new(&mut self.facts, &mut self.time, task, &task.message);
            let read = task.interpreter.interpret(
                &task.message,
                &mut Scratch::new(&mut self.scratch),
                &mut collector,
            );
            if let Err(fault) = read {
                // What was read of it is not used: who knows what the rest would have said of it, and of whom.
                self.facts.source = 0;
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
        self.compare(task, silent);
        self.write(task, numbers);
        self.observation()
    }

    /// What the messages before it say.
    fn look_back(&mut self, task: &Task<'_>) {
        if self.before.len() < task.previous.len() {
            self.before.resize_with(task.previous.len(), Default::default);
        }
        for ((scratch, facts), previous) in self.before.iter_mut().zip(task.previous) {
            make_room(scratch, &previous.message);
            facts.clear(Keyed::new(task.key));
            let mut collector = Collector::new(facts, &mut self.time, task, &previous.message);
            let read =
                task.interpreter.interpret(&previous.message, &mut Scratch::new(scratch), &mut collector);
            if read.is_err() || facts.elsewhere.is_some() {
                // Nothing of it was sent.
                facts.all.clear();
            }
        }
    }

    /// What the message is beside those before it. A snapshot takes the place of all; what is pushed takes that of those which
    /// list something that it lists too, once in each interval.
    fn compare(&mut self, task: &Task<'_>, silent: bool) {
        let (pushed, addressed) = (self.facts.is_pushed, self.facts.addressed);
        let readable = !silent && self.why.is_empty();
        let before = || task.previous.iter().zip(self.before.iter().map(|(_, facts)| facts));
        let own = |facts: &Facts| readable && facts.addressed == addressed;
        let step = i64::try_from(task.rules.interval.as_micros()).unwrap_or(i64::MAX).max(1);
        let cell = |message: &StoredMessage<'_>| message.received.0.div_euclid(step);
        let superseded = pushed
            && before().any(|(previous, facts)| {
                let same = cell(&previous.message) == cell(&task.message);
                own(facts) && same && self.facts.shares(facts)
            });
        if superseded {
            self.facts.supersede();
        }
        for (index, (previous, (_, facts))) in task.previous.iter().zip(&self.before).enumerate() {
            let own = own(facts);
            if own && pushed && (superseded || !self.facts.shares(facts)) {
                continue;
            }
            if own {
                self.facts.take_back(facts);
            }
            let gone = facts.had(own.then_some(&self.facts));
            self.withdrawn.extend(gone.map(|place| (index, place)));
            if !silent {
                self.settled.push(previous.number);
            }
        }
        self.facts.counts.withdrawn = u32::try_from(self.withdrawn.len()).unwrap_or(u32::MAX);
        self.stands = readable && (!pushed || self.facts.stands());
    }

    /// An ORU for each destination, and before it, where another bed, device or patient than the message's is withdrawn, one for
    /// that as well: who keeps values by device alone must hear the newest last.
    fn write(&mut self, task: &Task<'_>, numbers: &mut dyn Numbers) {
        let counts = self.facts.counts;
        let speaks = self.why.is_empty() && !is_silent(&task.message);
        let of = |index: usize| self.before.get(index).map_or(0, |(_, facts)| facts.addressed);
        let is_own = |index: usize| speaks && of(index) == self.facts.addressed;
        let mut others = std::mem::take(&mut self.others);
        others.clear();
        others.extend(self.withdrawn.iter().map(|(at, _)| *at).filter(|at| !is_own(*at)).map(of));
        others.dedup();
        let own =
            counts.sent > 0 || counts.absent > 0 || self.withdrawn.iter().any(|(index, _)| is_own(*index));
        if !own && others.is_empty() {
            self.others = others;
            return;
        }
        for target in task.targets {
            for other in &others {
                self.second_pass(task, target, Some(*other), numbers);
            }
            if own {
                self.second_pass(task, target, None, numbers);
            }
        }
        self.others = others;
        if self.ready.is_empty() && !self.starved {
            self.facts.counts.withdrawn = 0;
            self.facts.leave_all();
            if self.why.is_empty() {
                self.why.push_str("no destination could be written to");
            }
        }
    }

    /// What the last [`observe`](Self::observe) found.
    #[must_use]
    pub fn observation(&self) -> Observation<'_> {
        Observation {
            counts: self.facts.counts,
            why: &self.why,
            stands: self.stands,
            source: self.facts.source,
            settled: &self.settled,
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

/// Numbers and framing are written there.
fn make_room(scratch: &mut Vec<u8>, message: &StoredMessage<'_>) {
    let room = message.raw.len().saturating_mul(4).saturating_add(4096);
    if scratch.len() < room {
        scratch.resize(room, 0);
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
