//! One stored message to what becomes of it: ORUs, holds, dispositions. The function that the gateway calls.
//!
//! [`Converter::convert`] walks the message once, and once more for each destination, however many orders it has. The
//! first pass collects [`Facts`]; then each observation gets its fate by rules, history and destinations; the
//! [second pass](second) writes the ORUs. It reads no clock and no file: the same
//! message, configuration and history give the same bytes. Its memory is used again for every message, so that in
//! steady state nothing is allocated between the raw message and the finished ORU.

mod check_digit;
mod facts;
mod fates;
mod hash;
mod past;
mod places;
mod reason;
mod recode;
mod rules;
mod second;
#[cfg(test)]
mod tests;
mod why;
mod zone;

pub use check_digit::CheckDigit;
pub use facts::{Candidate, Fact, Facts, Group, NoteFact};
pub use fates::{EARLIER_RUN, OtherRun};
pub use hash::Keyed;
pub use past::{Had, NoPast, Past, Sent, Which};
pub use places::Place;
pub use reason::{HoldReason, Way, commands};
pub use recode::{Lacking, recode};
pub use rules::{IdRule, Identity, Incomplete, Pattern, RerunsExcept, Rules, Times};
pub use zone::SiteZone;

use crate::maps::Table;
use crate::offset;
use crate::records::{Analyzer, DeviceClock, Stood, TimeOf, clock_number};
use facts::Collector;
use fates::{Beside, Look, Of};
use jiff::tz::TimeZone;
use orugate_driver::{Fault, Interpreter, Scratch, StoredMessage};
use orugate_protocol::hl7::Name;
use orugate_protocol::oru::{PatientField, Route, Verdict};
use orugate_protocol::pcd;
use orugate_protocol::text::Charset;
use orugate_protocol::time::{ClockQuality, Utc};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;

/// The largest ORU: what an MLLP receiver takes by default.
const ORU_MAX: usize = 16 << 20;
/// OBR-3 as the facts of the field have it: at most 20 characters.
const FILLER_MAX: usize = 20;

/// What is the same for all messages of one instrument.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// The instrument's name.
    pub instrument: &'a str,
    /// Its destinations, in the order of `send_to`, only those that accept its mode.
    pub destinations: &'a [Target<'a>],
    /// The gateway's four characters, which begin each MSH-10.
    pub gateway: &'a str,
    /// The zone of the instrument's clock.
    pub zone: &'a TimeZone,
    /// The zone of the gateway's own times.
    pub site_zone: &'a TimeZone,
    /// The journal's key for hashes.
    pub key: &'a [u8; 16],
    /// What the site knows of the instrument and its samples.
    pub rules: &'a Rules,
    /// What becomes of another run of a test on one specimen, unless `rules` say otherwise of the test.
    pub reruns: Reruns,
    /// So many microseconds after it another run is one; later it is a specimen that has got the same id.
    pub rerun_within: i64,
    /// What is proven of its profile.
    pub proof: Proof<'a>,
    /// Its maps; `None` when it has none.
    pub table: Option<&'a Table>,
}

/// What becomes of another run of a test on one specimen, when the instrument says that it is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reruns {
    /// Each is sent, and OBX-4 tells them apart.
    #[default]
    All,
    /// The last one counts, and takes the place of what was sent.
    Last,
    /// It waits for a person.
    Hold,
}

/// What lets an instrument's results go out.
#[derive(Clone, Copy, Debug)]
pub enum Proof<'a> {
    /// The profile's own evidence, or the mode.
    NotAsked,
    /// That persons compared what was sent with the screen of one of these analyzers.
    By(&'a [Analyzer]),
}

/// What is known of the clocks that times in a message are by. By default nothing, and nobody is told of anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clocks<'a> {
    /// The gateway's is wrong, and results do not wait for it any longer.
    pub doubted: bool,
    /// When the message's last byte came; a newest result may be younger than the message's beginning.
    pub until: Option<Utc>,
    /// What earlier messages said of the instrument's, oldest first.
    pub seen: &'a [DeviceClock],
    /// Further off, in microseconds, the receiver is told; `None` for never.
    pub limit: Option<i64>,
}

/// One destination, as far as conversion depends on it.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// Which, in the plan.
    pub index: usize,
    /// Its name.
    pub name: &'a str,
    /// Message constants.
    pub route: Route<'a>,
    /// A record, to which a result without a status is not final.
    pub record: bool,
    /// What a correction is sent as.
    pub corrections: Corrections,
    /// A resend of the same content is not sent again.
    pub suppress_resends: bool,
    /// Message constants for bedside devices; `None` where none is.
    pub pcd: Option<pcd::Route<'a>>,
}

/// What a destination gets when a sent result was corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corrections {
    /// OBX-11 C.
    Corrected,
    /// OBX-11 F.
    Final,
    /// Nothing before a person decides.
    Hold,
}

/// One message to convert, with everything that its outcome depends on.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// Turns it into report items.
    pub interpreter: &'a dyn Interpreter,
    /// The message.
    pub message: StoredMessage<'a>,
    /// Its number: a later message has a higher one.
    pub number: u64,
    /// Its instrument's setting.
    pub setting: Setting<'a>,
    /// What was sent before.
    pub past: &'a dyn Past,
    /// The time that MSH-7 and OBR-22 carry.
    pub now: Utc,
    /// What is known of clocks.
    pub clocks: Clocks<'a>,
    /// What a person decided, when this is a release.
    pub release: Option<Release<'a>>,
}

impl Task<'_> {
    /// What was decided on before this time, in microseconds since 1970, is so old that another run is none of it.
    const fn rerun_since(&self) -> i64 {
        self.message.received.0.saturating_sub(self.setting.rerun_within)
    }
}

/// Gives numbers for MSH-10 that were never given before; `None` when it cannot.
pub trait Numbers {
    /// The next number.
    fn next(&mut self) -> Option<u64>;
}

/// What a person said when a hold is released or redriven.
#[derive(Clone, Copy, Debug, Default)]
pub struct Release<'a> {
    /// The sample id of its specimen.
    pub sample: Option<&'a str>,
    /// The observations of the hold; the others are left alone.
    pub observations: &'a [u32],
    /// And everything from this place on.
    pub rest_from: Option<u32>,
    /// The reason of the hold, by its code, when it holds no more: the person knows better. A redrive overrules nothing.
    pub overruled: Option<&'a str>,
}

impl Release<'_> {
    fn covers(&self, observation: u32) -> bool {
        self.rest_from.is_some_and(|from| observation >= from) || self.observations.contains(&observation)
    }

    fn overrules(&self, reason: HoldReason) -> bool {
        self.overruled == Some(reason.code())
    }
}

/// Where one observation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Going {
    /// Into the ORUs of its group.
    Sent,
    /// It waits for a person.
    Held(HoldReason),
    /// Quality control and its like; the evidence.
    Qc(&'static str),
    /// Sent before, and no destination wants it again.
    Repeat,
    /// A later message brought the same result while this one was held.
    Superseded,
    /// Not truthfully a result, by a named rule.
    NotReportable(&'static str),
    /// Not part of the release at hand.
    Untouched,
}

/// The first place of an ORU whose text its destination's charset cannot express.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inexpressible {
    /// The segment.
    pub segment: Name,
    /// The field, as the standard counts.
    pub field: u16,
    /// What the destination reads.
    pub charset: Charset,
}

/// One finished ORU.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The number in its MSH-10.
    pub number: u64,
    /// The destination's index in the plan.
    pub destination: usize,
    /// The order group.
    pub group: u16,
    /// Observations in it.
    pub observations: u32,
    /// Where it has a character that the destination's charset does not have. It is in UTF-8 then, which its MSH-18
    /// says, and must not be sent before a person has decided.
    pub inexpressible: Option<Inexpressible>,
    /// The destination's place in [`Setting::destinations`].
    target: usize,
    /// Which of the group's ORUs for it; there are several where results have places under several filler numbers.
    part: u16,
    /// What is in it, in the converter's `written`.
    written: Range<usize>,
    /// MSH-10, in the converter's names.
    control: Range<usize>,
    /// OBR-3, there too.
    filler: Range<usize>,
    bytes: Range<usize>,
}

/// Converts messages. One per thread.
#[derive(Debug)]
pub struct Converter {
    scratch: Vec<u8>,
    out: Vec<u8>,
    used: usize,
    facts: Facts,
    going: Vec<Going>,
    /// What each observation is beside all that was sent.
    looks: Vec<Look>,
    /// What each observation is to each destination: all destinations of the first, then those of the second.
    beside: Vec<Beside>,
    /// Values that are corrected.
    was: String,
    /// Where each observation is filed.
    places: Vec<Place>,
    /// The filler numbers of each group, in its order.
    parts: Vec<(u16, u32)>,
    given: Vec<(u128, u32)>,
    /// Filler numbers that groups of this message have.
    taken: Vec<(u128, u32)>,
    /// The highest sub-id of each test so far.
    numbered: HashMap<u64, u16>,
    starved: bool,
    verdicts: Vec<Verdict>,
    /// Observations of each ORU, with OBX-11.
    written: Vec<(u32, char)>,
    /// Observations by test or by series, sorted.
    tests: Vec<(u64, usize)>,
    ready: Vec<Ready>,
    /// Groups that could not be written.
    failed: Vec<u16>,
    /// What the ORUs are called.
    names: String,
    fault: Option<Fault>,
    clock: Option<DeviceClock>,
    /// What the receiver is told of the instrument's clock; empty for nothing.
    clock_remark: String,
}

impl Default for Converter {
    fn default() -> Self {
        Self {
            scratch: Vec::new(),
            out: vec![0; 64 << 10],
            used: 0,
            facts: Facts::default(),
            going: Vec::new(),
            looks: Vec::new(),
            beside: Vec::new(),
            was: String::new(),
            places: Vec::new(),
            parts: Vec::new(),
            given: Vec::new(),
            taken: Vec::new(),
            numbered: HashMap::new(),
            starved: false,
            verdicts: Vec::new(),
            written: Vec::new(),
            tests: Vec::new(),
            ready: Vec::new(),
            failed: Vec::new(),
            names: String::new(),
            fault: None,
            clock: None,
            clock_remark: String::new(),
        }
    }
}

/// A conversion's result, borrowed from its [`Converter`].
#[derive(Clone, Copy)]
pub struct Conversion<'c> {
    /// What the message says.
    pub facts: &'c Facts,
    /// Where each observation goes, as in `facts.observations`.
    pub going: &'c [Going],
    /// The ORUs, by group and then by destination.
    pub orus: &'c [Ready],
    /// Filler numbers given by this message: (specimen, number).
    pub given: &'c [(u128, u32)],
    /// Why the interpreter stopped before the message's end, if it did.
    pub fault: Option<Fault>,
    /// No number was to be had for an ORU: nothing of this conversion may be used.
    pub starved: bool,
    /// What the message says of its instrument's clock.
    pub clock: Option<DeviceClock>,
    places: &'c [Place],
    looks: &'c [Look],
    beside: &'c [Beside],
    written: &'c [(u32, char)],
    out: &'c [u8],
}

impl Conversion<'_> {
    /// The sentences of a hold of these observations: what is wrong with each, then what to do.
    #[must_use]
    pub fn sentence(&self, reason: HoldReason, table: Option<&Table>, observations: &[usize]) -> String {
        why::sentence(self.facts, reason, table, observations)
    }

    /// The bytes of one ORU.
    #[must_use]
    pub fn bytes(&self, oru: &Ready) -> &[u8] {
        self.out.get(oru.bytes.clone()).unwrap_or_default()
    }

    /// Where an observation is filed.
    #[must_use]
    pub fn place(&self, index: usize) -> Place {
        self.places.get(index).copied().unwrap_or_default()
    }

    /// When the instrument measured an observation, seconds since 1970.
    #[must_use]
    pub fn ran(&self, index: usize) -> Option<i64> {
        self.looks.get(index).and_then(|look| look.ran)
    }

    /// Which run of its message an observation is that waits because there is another one; 0 for others.
    #[must_use]
    pub fn run(&self, index: usize) -> u16 {
        match self.looks.get(index).map(|look| look.of) {
            Some(Of::Waits(run, _)) => run,
            _ => 0,
        }
    }

    /// The run beside an observation that waits because there is another one.
    #[must_use]
    pub fn other_run(&self, index: usize) -> Option<OtherRun> {
        match self.looks.get(index)?.of {
            Of::Waits(_, other) => Some(other),
            _ => None,
        }
    }

    /// The observations in one ORU with their OBX-11, in the order of its OBX.
    #[must_use]
    pub fn written(&self, oru: &Ready) -> &[(u32, char)] {
        self.written.get(oru.written.clone()).unwrap_or_default()
    }

    /// What observations were compared with for a destination, by its place among the instrument's: the observation, the
    /// message and the observation of the earlier one, and how that stands.
    pub fn compared(&self, target: usize) -> impl Iterator<Item = (u32, u64, u32, Stood)> {
        let targets = self.beside.len().checked_div(self.looks.len()).unwrap_or(0).max(1);
        let all = self.beside.iter().skip(target).step_by(targets);
        (0u32..).zip(all).filter_map(|(observation, beside)| {
            let (message, earlier, stood) = beside.compared?;
            Some((observation, message, earlier, stood))
        })
    }

    /// Remarks that no ORU carries because this observation is not reportable: its own, and with the first of an order
    /// of which nothing is reportable the order's.
    #[must_use]
    pub fn unsent_remarks(&self, index: usize) -> u32 {
        let not_reportable = |i: usize| matches!(self.going.get(i), Some(Going::NotReportable(_)));
        let Some(fact) = self.facts.observations.get(index).filter(|_| not_reportable(index)) else {
            return 0;
        };
        let group = fact.order.and_then(|o| self.facts.groups.get(usize::from(o)));
        let of_order =
            group.filter(|g| g.observations.start == index && g.observations.clone().all(not_reportable));
        fact.remarks.saturating_add(of_order.map_or(0, |group| group.remarks))
    }

    /// The rule by which an observation is not reportable, and what is lost to the receiver by it.
    #[must_use]
    pub fn by_the_rule(&self, index: usize, rule: &str) -> String {
        match self.unsent_remarks(index) {
            0 => rule.to_owned(),
            1 => format!("{rule}; its remark is in no ORU"),
            n => format!("{rule}; its {n} remarks are in no ORU"),
        }
    }
}

impl Converter {
    /// Converts one message; `numbers` are those of its ORUs.
    pub fn convert(&mut self, task: &Task<'_>, numbers: &mut dyn Numbers) -> Conversion<'_> {
        self.ready.clear();
        self.used = 0;
        self.starved = false;
        // Framing is taken off into the scratch space, and a profile may rewrite values there.
        let room = task.message.raw.len().saturating_mul(2).saturating_add(1024);
        if self.scratch.len() < room {
            self.scratch.resize(room, 0);
        }
        self.first_pass(task);
        self.look_at_clock(task);
        self.decide(task);
        self.name(task, numbers);
        for target in 0..task.setting.destinations.len() {
            let parts =
                self.ready.iter().filter(|ready| ready.target == target).map(|ready| ready.part).max();
            for part in 0..=parts.unwrap_or(0) {
                self.second_pass(task, target, part);
            }
        }
        self.conversion()
    }

    /// What the last [`convert`](Self::convert) found.
    #[must_use]
    pub fn conversion(&self) -> Conversion<'_> {
        Conversion {
            facts: &self.facts,
            going: &self.going,
            orus: &self.ready,
            given: &self.given,
            fault: self.fault,
            starved: self.starved,
            clock: self.clock,
            places: &self.places,
            looks: &self.looks,
            beside: &self.beside,
            written: &self.written,
            out: &self.out,
        }
    }

    fn first_pass(&mut self, task: &Task<'_>) {
        let setting = &task.setting;
        let patient: Option<PatientField> =
            setting.destinations.iter().find_map(|t| t.route.patient.map(|p| p.field));
        let mut collector = Collector::new(&mut self.facts, task, patient, zones(task));
        let mut scratch = Scratch::new(&mut self.scratch);
        self.fault = task.interpreter.interpret(&task.message, &mut scratch, &mut collector).err();
    }

    /// What the message's own time says of its instrument's clock, and whether that is worth a remark to the receiver: only
    /// what a synchronised clock of ours proves.
    fn look_at_clock(&mut self, task: &Task<'_>) {
        self.clock_remark.clear();
        let Clocks { until, seen, limit, .. } = task.clocks;
        let received = task.message.received;
        let of_message = self.facts.made.map(|made| (TimeOf::Message, made, received));
        let of_result =
            || self.facts.newest.map(|newest| (TimeOf::Result, newest, until.unwrap_or(received)));
        let found = of_message.or_else(of_result).and_then(|(of, time, here)| {
            let device = zones(task).instant(&time)?.0;
            let quality = clock_number(task.message.clock);
            Some(DeviceClock { device, received: here.0, quality, of })
        });
        self.clock = found;
        let (Some(clock), Some(limit)) = (found, limit) else { return };
        if task.message.clock != ClockQuality::Synchronised {
            return;
        }
        let offset = offset::judge_with(seen, &clock);
        if let Some(offset) = offset.filter(|offset| offset.is_beyond(limit)) {
            // Writing into a String cannot fail.
            let _ = write!(
                self.clock_remark,
                "The instrument's clock was {offset} the gateway's when it sent this; times are as the instrument wrote them."
            );
        }
    }
}

/// The zones in which a message's times are read.
const fn zones<'a>(task: &Task<'a>) -> SiteZone<'a> {
    SiteZone { instrument: task.setting.zone, site: task.setting.site_zone, received: task.message.received }
}
