//! What the gateway writes into its journal: one kind and one meta struct per fact.
//!
//! These are disk formats. A field is never added, removed or reordered: a new meta version is a new struct beside
//! the old one. Payloads are raw bytes; a meta holds no value and no name of a patient. Sample ids appear only as
//! keyed hashes, except where a hold must name the sample to a person.

use orugate_protocol::time::ClockQuality;
use serde::{Deserialize, Serialize};

mod before;
#[cfg(test)]
mod format;
mod verification;

pub use verification::{Analyzer, Answer, Shows, Verification, VerificationAct, VerificationScope};

/// A record that the gateway writes: its kind number and its place in time.
pub trait Meta: Serialize + for<'a> Deserialize<'a> {
    /// The record's kind.
    const KIND: u16;
    /// The version of this struct.
    const VERSION: u8 = 1;

    /// Whether [`decode`](Self::decode) reads metas of this version.
    #[must_use]
    fn knows(version: u8) -> bool {
        version == Self::VERSION
    }

    /// The bytes that go into the journal.
    fn encode(&self) -> Vec<u8> {
        // Postcard fails only on types that these structs do not use; an empty meta would be reported as damage.
        postcard::to_stdvec(self).unwrap_or_default()
    }

    /// Reads what [`encode`](Self::encode) wrote; `None` when it is of another version or damaged.
    fn decode(version: u8, bytes: &[u8]) -> Option<Self> {
        (version == Self::VERSION).then(|| postcard::from_bytes(bytes).ok()).flatten()
    }
}

/// A raw piece of a message; the payload is what came over the wire and one acknowledgment covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// The instrument's name.
    pub instrument: String,
    /// The sequence of the message's first chunk: the message's own number.
    pub message: u64,
    /// It is the first chunk.
    pub first: bool,
    /// How it ends the message, if it does: complete or not.
    pub end: Option<bool>,
    /// When it came, in microseconds since 1970.
    pub received: i64,
    /// 2 synchronised, 1 plausible, 0 unset.
    pub clock: u8,
}

impl Meta for Chunk {
    const KIND: u16 = 1;
}

/// A message that nothing will end any more: the process that heard it is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abandoned {
    /// The message.
    pub message: u64,
}

impl Meta for Abandoned {
    const KIND: u16 = 2;
}

/// The process started, or stopped as it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// True at a start, false at a clean stop.
    pub started: bool,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// Software version.
    pub software: String,
    /// Hash of the configuration.
    pub config: String,
}

impl Meta for Life {
    const KIND: u16 = 3;
}

/// A message that an earlier process left uninterpreted is about to be tried again: when this process dies of it,
/// the next one knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The message.
    pub message: u64,
}

impl Meta for Attempt {
    const KIND: u16 = 9;
}

/// Another configuration is in force, without a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconfigured {
    /// When, in microseconds since 1970.
    pub at: i64,
    /// Who asked (`uid 1000`, `SIGHUP`).
    pub actor: String,
    /// Hash of the configuration, as [`Provenance::config_hash`] has it from now on.
    pub config: String,
}

impl Meta for Reconfigured {
    const KIND: u16 = 10;
}

/// What became of one message: always one batch with the [`Oru`] and [`Hold`] records that it names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The message.
    pub message: u64,
    /// The instrument's name.
    pub instrument: String,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// What decided.
    pub provenance: Provenance,
    /// One for each observation, in document order. After a release only those of the released hold.
    pub dispositions: Vec<Disposition>,
    /// Filler numbers given: (keyed hash of the specimen, number).
    pub fillers: Vec<(u128, u32)>,
    /// The hold whose release led to this outcome.
    pub released: Option<u64>,
    /// Keyed hashes of the specimens of its observations, each once: what was sent before is found by them.
    pub specimens: Vec<u128>,
    /// What the message says of its instrument's clock. Not after a release: the message is the same.
    pub clock: Option<DeviceClock>,
    /// Who sent it, as the message says.
    pub analyzer: Analyzer,
    /// What was decided for each destination that gets something. Empty before version 3: then each destination got what
    /// was sent, and nobody wrote down what it was compared with.
    pub towards: Vec<Towards>,
}

impl Meta for Outcome {
    const KIND: u16 = 4;
    const VERSION: u8 = 3;

    fn decode(version: u8, bytes: &[u8]) -> Option<Self> {
        match version {
            1 => Some(postcard::from_bytes::<before::OutcomeV1>(bytes).ok()?.into()),
            2 => Some(postcard::from_bytes::<before::OutcomeV2>(bytes).ok()?.into()),
            Self::VERSION => postcard::from_bytes(bytes).ok(),
            _ => None,
        }
    }

    fn knows(version: u8) -> bool {
        matches!(version, 1 | 2 | Self::VERSION)
    }
}

/// A time that an instrument wrote into a message, and when it came: what is known of the instrument's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceClock {
    /// What the instrument wrote, read in its zone, in microseconds since 1970.
    pub device: i64,
    /// When it was here, in microseconds since 1970: it was written before.
    pub received: i64,
    /// Quality of that time, as in [`Chunk::clock`].
    pub quality: u8,
    /// What the time is of.
    pub of: TimeOf,
}

/// What a device time is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimeOf {
    /// The message: it was made then.
    Message,
    /// The newest result: it was there then, and the message later.
    Result,
}

/// Where an observation stands in an ORU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The ORU.
    pub oru: u64,
    /// Which of its OBX, from 0.
    pub obx: usize,
    /// OBX-11.
    pub status: u8,
}

impl Outcome {
    /// Where an observation went for a destination. `None` also before version 3, where nobody wrote that down.
    #[must_use]
    pub fn written(&self, observation: u32, destination: &str) -> Option<Written> {
        let towards = self.towards.iter().find(|towards| towards.destination == destination)?;
        towards.orus.iter().find_map(|(oru, all)| {
            let obx = all.iter().position(|(at, _)| *at == observation)?;
            Some(Written { oru: *oru, obx, status: all.get(obx)?.1 })
        })
    }
}

/// What one destination gets of a message, and what was known of it when that was decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Towards {
    /// The destination's name.
    pub destination: String,
    /// The ORUs for it, with the observations in each and their status (OBX-11, ASCII), in the order of their OBX.
    pub orus: Vec<(u64, Vec<(u32, u8)>)>,
    /// The results that were compared with one that it had before.
    pub compared: Vec<Compared>,
}

/// A result and an earlier one in the place where a destination files it: what makes it a resend, a correction, or another
/// run's successor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// The observation, in this message.
    pub observation: u32,
    /// The message of the earlier one.
    pub message: u64,
    /// The earlier one's place in its message.
    pub earlier: u32,
    /// How it stood.
    pub stood: Stood,
}

/// How a destination stands to a result that was sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stood {
    /// It acknowledged it.
    Delivered,
    /// It waits, and goes before what is made now. Whether a try was made whose answer never came is not known here.
    Waiting,
    /// It may have it: it never refused it, and a person decides or has decided what becomes of it.
    Unknown,
    /// It has not got it; a person may still send it.
    Parked,
}

/// With what a message was interpreted, so that it can be explained later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Software version.
    pub software: String,
    /// Profile name.
    pub profile: String,
    /// Hash of the profile's text.
    pub profile_hash: String,
    /// Hash of the configuration. After a reload that left something for a restart: that hash, `+`, and the hash of
    /// the text in which the rest is in force still.
    pub config_hash: String,
    /// Name and hash of each map that was asked, in that order.
    pub maps: Vec<(String, String)>,
}

impl Provenance {
    /// What a verification is of besides the profile, by its hash: the maps, each with its hash in their order, with `+` between
    /// them; empty without any.
    #[must_use]
    pub fn map_hash(&self) -> String {
        // Whoever adds a field decides here whether another one of it asks for another verification.
        let Self { software: _, profile: _, profile_hash: _, config_hash: _, maps } = self;
        map_hash(maps)
    }
}

/// One hash for maps with their names and hashes, in the order in which they are asked; empty without any.
#[must_use]
pub fn map_hash(maps: &[(String, String)]) -> String {
    maps.iter().map(|(_, hash)| hash.as_str()).collect::<Vec<_>>().join("+")
}

/// Where one observation went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disposition {
    /// Its place in the message, from 0.
    pub observation: u32,
    /// Keyed hash of its identity; `None` without a run discriminator.
    pub identity: Option<u128>,
    /// Keyed hash of its content: value, unit, flags and comments.
    pub content: u128,
    /// It was final or corrected: a later one with another content corrects it.
    pub is_final: bool,
    /// The filler number that its group was sent under; 0 for none.
    pub filler: u32,
    /// Where it went.
    pub fate: Fate,
    /// Keyed hash of instrument, specimen, test and isolate; 0 for what is no patient's, and before version 3.
    pub test: u64,
    /// Keyed hash of what another run of it would have in common with it; 0 without a run discriminator.
    pub series: u64,
    /// Which result of its test it is (OBX-4, behind the isolate); 0 for the only one.
    pub sub_id: u16,
    /// When the instrument measured it, seconds since 1970.
    pub ran: Option<i64>,
}

/// The dispositions of the design.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// In an ORU for at least one destination.
    Sent,
    /// In a hold; its sequence.
    Held(u64),
    /// Quality control, calibration, training; the evidence.
    Qc(String),
    /// Sent before with the same content, and every destination suppresses resends.
    Repeat,
    /// Overtaken by a later result.
    Superseded,
    /// Thrown away by a person; who and why.
    Discarded(String, String),
    /// Not truthfully a result, by a named rule.
    NotReportable(String),
}

/// One ORU for one destination; the payload is the message, and the sequence is the number in its MSH-10.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Oru {
    /// The destination's name.
    pub destination: String,
    /// The message it came from.
    pub message: u64,
    /// The order group in that message.
    pub group: u16,
    /// Observations in it.
    pub observations: u32,
    /// When it was made, in microseconds since 1970.
    pub at: i64,
}

impl Meta for Oru {
    const KIND: u16 = 5;
}

/// What a destination said to one ORU; the payload is its acknowledgment, if there was one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The ORU.
    pub oru: u64,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// What.
    pub result: DeliveryResult,
}

impl Meta for Delivery {
    const KIND: u16 = 6;
}

/// How a delivery stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeliveryResult {
    /// The engine acknowledged it (MSA-1).
    Delivered(String),
    /// The engine refused it for good, or it could not be sent at all; the reason in words, without patient data.
    Parked(String),
}

/// An ORU that was parked as it was made: its destination's charset does not have a character of it. No byte of it was
/// ever sent, so that nobody knows its MSH-10.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeverSent {
    /// The ORU.
    pub oru: u64,
}

impl Meta for NeverSent {
    const KIND: u16 = 11;
}

/// A person decided on a parked ORU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedSettled {
    /// The ORU.
    pub oru: u64,
    /// Who did it (`uid 1000`).
    pub actor: String,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// How.
    pub how: Sending,
}

impl Meta for ParkedSettled {
    const KIND: u16 = 12;
}

/// What becomes of a parked ORU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sending {
    /// The same bytes wait for delivery again.
    Again,
    /// Another ORU, in the same batch, goes in its place: this one was never sent, and now it is in a charset that
    /// its destination reads.
    Anew(u64),
    /// A later report of the same results made it pointless.
    Superseded,
    /// Not sent any more, with the reason that was given.
    Discarded(String),
}

/// This box goes on from a copy of another's journal: what came to that one after the copy is not in here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// When, in microseconds since 1970.
    pub at: i64,
    /// Who did it (`uid 0`).
    pub actor: String,
    /// The newest commit of the copy.
    pub commit: u64,
    /// The newest trusted time in the copy, in microseconds since 1970.
    pub reaches: Option<i64>,
}

impl Meta for Restored {
    const KIND: u16 = 14;
}

/// A person says that the clock is right although the journal has a later time: the clock was wrong then. What comes
/// after this is not before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockAccepted {
    /// What the clock showed, in microseconds since 1970.
    pub at: i64,
    /// Who did it (`uid 1000`).
    pub actor: String,
    /// The journal's newest time until then, in microseconds since 1970.
    pub newest: i64,
}

impl Meta for ClockAccepted {
    const KIND: u16 = 18;
}

/// Somebody took out what was on an instrument's line, with persons in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureExported {
    /// When, in microseconds since 1970.
    pub at: i64,
    /// Who (`uid 1000`).
    pub actor: String,
    /// The instrument's name.
    pub instrument: String,
    /// From this time on, in microseconds since 1970; the least number for all.
    pub from: i64,
    /// Up to this time; the largest number for all.
    pub to: i64,
    /// Why.
    pub reason: String,
}

impl Meta for CaptureExported {
    const KIND: u16 = 17;
}

/// What became of one message of a bedside device: always one batch with the [`Oru`] records that came of it. There is no
/// disposition for each measurement, since one is taken again with the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// The message.
    pub message: u64,
    /// The instrument's name.
    pub instrument: String,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// What decided.
    pub provenance: Provenance,
    /// Its measurements by where they went.
    pub counts: Measured,
    /// Why nothing of it was sent, as a clause; empty when something was, or there was nothing to send.
    pub why: String,
    /// Something stands in it, so that the next one is compared with it.
    pub stands: bool,
    /// Which bed or device of the instrument's it is of, where one pushes for several: a keyed hash, 0 where that is not asked.
    pub source: u64,
    /// Messages before it of which nothing stands any more.
    pub settled: Vec<u64>,
    /// What is made now and then and was sent with it: keyed hash of what it is and of its value and time, and when it was
    /// received, in microseconds since 1970.
    pub once: Vec<(u64, i64)>,
    /// What the message says of its instrument's clock.
    pub clock: Option<DeviceClock>,
}

/// Measurements of one message by where they went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// With a value, to at least one destination.
    pub sent: u32,
    /// As absent, to at least one destination.
    pub absent: u32,
    /// Nowhere, by the site's policy or because nobody gets anything of the message.
    pub left: u32,
    /// Nowhere, for it was sent before.
    pub repeat: u32,
    /// Nowhere, for another message of the same interval was sent.
    pub superseded: u32,
    /// Not in the message, but in the one before: sent as absent.
    pub withdrawn: u32,
}

impl Meta for Observed {
    const KIND: u16 = 19;
    const VERSION: u8 = 2;
}

/// With one disposition for each measurement, for whoever counts.
impl From<Observed> for Outcome {
    fn from(observed: Observed) -> Self {
        let Measured { sent, absent, left, repeat, superseded, withdrawn: _ } = observed.counts;
        let left_out = || Fate::NotReportable("left out".to_owned());
        let fates = [
            (sent.saturating_add(absent), Fate::Sent),
            (left, left_out()),
            (repeat, Fate::Repeat),
            (superseded, Fate::Superseded),
        ];
        let fates = fates.into_iter().flat_map(|(count, fate)| (0..count).map(move |_| fate.clone()));
        let disposition = |(observation, fate)| Disposition {
            observation,
            identity: None,
            content: 0,
            is_final: false,
            filler: 0,
            fate,
            test: 0,
            series: 0,
            sub_id: 0,
            ran: None,
        };
        Self {
            message: observed.message,
            instrument: observed.instrument,
            at: observed.at,
            provenance: observed.provenance,
            dispositions: (0..).zip(fates).map(disposition).collect(),
            clock: observed.clock,
            ..Self::default()
        }
    }
}

/// A person gave everything up that waited for a destination which is gone for good: each ORU for it, waiting or parked,
/// up to a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// The destination's name.
    pub destination: String,
    /// The newest ORU that is given up. What is made for a destination of this name later goes out.
    pub upto: u64,
    /// Who did it (`uid 1000`).
    pub actor: String,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// The reason that was given.
    pub reason: String,
    /// The oldest ORU that waited; `None` when all were parked, and before version 2. One from here on that was neither
    /// parked nor delivered before is given up.
    pub waited_from: Option<u64>,
}

impl Meta for Dropped {
    const KIND: u16 = 13;
    const VERSION: u8 = 2;

    fn decode(version: u8, bytes: &[u8]) -> Option<Self> {
        match version {
            1 => Some(postcard::from_bytes::<before::DroppedV1>(bytes).ok()?.into()),
            Self::VERSION => postcard::from_bytes(bytes).ok(),
            _ => None,
        }
    }

    fn knows(version: u8) -> bool {
        matches!(version, 1 | Self::VERSION)
    }
}

/// Observations that wait for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The message.
    pub message: u64,
    /// The instrument's name.
    pub instrument: String,
    /// The machine's reason.
    pub reason: String,
    /// What happened and what to do, for people.
    pub sentence: String,
    /// The observations: place in the message, and the test's code.
    pub observations: Vec<(u32, String)>,
    /// Everything from this place on as well: what could not even be counted. 0 is the whole message.
    pub rest_from: Option<u32>,
    /// When, in microseconds since 1970.
    pub at: i64,
}

impl Meta for Hold {
    const KIND: u16 = 7;
}

/// A hold is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldSettled {
    /// The hold.
    pub hold: u64,
    /// Who did it (`uid 1000`).
    pub actor: String,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// How.
    pub how: Settlement,
}

impl Meta for HoldSettled {
    const KIND: u16 = 8;
}

/// How a hold ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Settlement {
    /// Interpreted again; the outcome is in the same batch.
    Released,
    /// Thrown away, with the reason that was given.
    Discarded(String),
    /// A later report of the same results made it pointless.
    Superseded,
}

/// A person had a hold interpreted again with the configuration of then. When something of it was to be held no more, the
/// outcome and the hold's end are in the same batch; otherwise it waits as before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redriven {
    /// The hold.
    pub hold: u64,
    /// Who did it (`uid 1000`).
    pub actor: String,
    /// When, in microseconds since 1970.
    pub at: i64,
}

impl Meta for Redriven {
    const KIND: u16 = 15;
}

/// The number that [`Chunk::clock`] keeps.
#[must_use]
pub const fn clock_number(quality: ClockQuality) -> u8 {
    match quality {
        ClockQuality::Synchronised => 2,
        ClockQuality::Plausible => 1,
        ClockQuality::Unset => 0,
    }
}

/// The reverse of [`clock_number`].
#[must_use]
pub const fn clock_quality(number: u8) -> ClockQuality {
    match number {
        2 => ClockQuality::Synchronised,
        1 => ClockQuality::Plausible,
        _ => ClockQuality::Unset,
    }
}
