//! What the command line asks over the admin socket and what it is told: one JSON value a line. A field is only ever added,
//! with a default, so that a command of one version can ask a service of another.

use super::{DestinationLine, ParkedView, VerificationView, VerifyRequest};
use crate::backlog::Outlook;
use crate::capture;
use crate::conditions::{Condition, Overdue};
use crate::config::{Difference, Texts};
use crate::reload::Applied;
use crate::state::Counts;
use crate::status::PortView;
use crate::wear::Wear;
use serde::{Deserialize, Serialize};

/// What the command line asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum Request {
    /// Everything at a glance.
    Status,
    /// Open holds.
    Holds,
    /// One hold.
    Hold {
        /// Its number.
        hold: u64,
    },
    /// Interpret a hold's observations again and send them.
    Release {
        /// Its number.
        hold: u64,
        /// The sample id that a person found.
        sample: Option<String>,
        /// Also when the site's rule for sample ids refuses it.
        #[serde(default)]
        anyway: bool,
    },
    /// Interpret a hold's observations again with today's configuration; what is to be held no more is sent.
    Redrive {
        /// Its number.
        hold: u64,
    },
    /// Read the configuration again and apply what a reload can apply.
    Reload,
    /// What a reload would change.
    Plan,
    /// Write down that somebody takes out a capture with persons in it.
    CaptureExported {
        /// Of which instrument.
        instrument: String,
        /// From when on, microseconds since 1970.
        from: i64,
        /// Up to when.
        to: i64,
        /// Why.
        reason: String,
    },
    /// Throw a hold away.
    Discard {
        /// Its number.
        hold: u64,
        /// Why.
        reason: String,
    },
    /// What the service runs by.
    Running,
    /// Parked messages.
    Parked {
        /// Only this one.
        number: Option<u64>,
    },
    /// Send a parked message again.
    SendParked {
        /// Its number.
        number: u64,
    },
    /// All destinations that messages were ever made for, and those that are configured.
    Destinations,
    /// Give up all that waits for a destination that is gone.
    DropDestination {
        /// Its name.
        destination: String,
        /// Why.
        reason: String,
    },
    /// About verifications.
    Verify(VerifyRequest),
    /// The clock is right, although the journal has a later time.
    AcceptClock,
    /// Give a parked message up.
    DiscardParked {
        /// Its number.
        number: u64,
        /// Why.
        reason: String,
    },
}

/// What the service answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// To [`Request::Status`].
    Status(Box<Status>),
    /// To [`Request::Holds`] and [`Request::Hold`].
    Holds(Vec<HoldView>),
    /// To [`Request::Running`]: the texts, and the gateway's id, which a reload does not change.
    Running {
        /// `gateway.id` in force.
        id: String,
        /// The files as they were read.
        texts: Texts,
    },
    /// To [`Request::Parked`].
    Parked(Vec<ParkedView>),
    /// To [`Request::Destinations`].
    Destinations(Vec<DestinationLine>),
    /// To [`Request::Verify`].
    Verifications(Vec<VerificationView>),
    /// To [`Request::Reload`].
    Reloaded(Applied),
    /// To [`Request::Plan`].
    Planned(Difference),
    /// To [`Request::Reload`] and [`Request::Plan`]: all that is wrong with the new configuration; the old one stays.
    Mistakes(String),
    /// It is done; a sentence.
    Done(String),
    /// It was done, and something waits all the same; sentences.
    Waits(String),
    /// It is not done; why.
    Refused(String),
}

/// Everything at a glance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Software version.
    pub version: String,
    /// When this was made, microseconds since 1970.
    pub now: i64,
    /// How far the clock can be trusted: `synchronised`, `plausible`, `unset`.
    pub clock: String,
    /// How that is known.
    #[serde(default)]
    pub clock_words: String,
    /// What it shows, right or wrong, microseconds since 1970. `now` is what ages are reckoned by.
    #[serde(default)]
    pub clock_shows: i64,
    /// While results wait for the clock: for so many seconds more, at most.
    #[serde(default)]
    pub clock_waits: Option<i64>,
    /// Hash of the configuration.
    pub config: String,
    /// What is wrong now, worst first.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// Instruments in the order of the configuration.
    pub instruments: Vec<InstrumentView>,
    /// Destinations in the order of the configuration.
    pub destinations: Vec<DestinationView>,
    /// Destinations that the configuration does not name any more, with the messages that wait for them.
    #[serde(default)]
    pub unconfigured: Vec<(String, usize)>,
    /// What is kept of the lines.
    #[serde(default)]
    pub captures: capture::View,
    /// Open holds.
    pub holds: usize,
    /// Age of the oldest open hold, in seconds.
    pub oldest_hold: Option<i64>,
    /// Holds that wait for longer than the site wants.
    #[serde(default)]
    pub overdue: Option<Overdue>,
    /// Messages that wait for interpretation.
    pub pending: usize,
    /// Age of the oldest of them, in seconds.
    #[serde(default)]
    pub oldest_pending: Option<i64>,
    /// The journal.
    pub journal: JournalView,
}

/// One instrument.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InstrumentView {
    /// Its name.
    pub name: String,
    /// Its profile.
    pub profile: String,
    /// How far that is proven: `captured bytes`, `manual`, `described`.
    pub evidence: String,
    /// The newest verification of that profile with this instrument.
    #[serde(default)]
    pub verified: Option<u64>,
    /// Why its results are held: nothing proves its profile; a clause.
    #[serde(default)]
    pub unproven: Option<String>,
    /// `test` or `live`.
    pub mode: String,
    /// How it is connected.
    pub wire: String,
    /// It is the instrument that connects: no connection is no trouble by itself, since many do for each message.
    pub listens: bool,
    /// Its port.
    pub port: PortView,
    /// Its observations by where they went.
    pub counts: CountsView,
    /// What is known of its clock.
    #[serde(default)]
    pub clock: Option<DeviceClockView>,
    /// It is a bedside device, and what it says, or what one of the beds behind it says, is not sent; why, a clause.
    #[serde(default)]
    pub unsent: Option<String>,
}

/// An instrument's clock against this box's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceClockView {
    /// Microseconds; ahead of this box's is positive.
    pub offset: i64,
    /// That is what it is. Otherwise it is the least: when negative, the clock is at most so far behind.
    pub known: bool,
    /// The same in words: `4 min 10 s behind`.
    pub words: String,
    /// It is off by more than `clock_limit`.
    pub beyond: bool,
    /// It is a whole number of half hours, nearly: daylight saving or a zone, no bad clock.
    pub is_a_zone: bool,
    /// It is by the times of results, since the messages have none.
    pub by_results: bool,
    /// When the newest of these times came, microseconds since 1970.
    pub at: i64,
    /// `clock_limit` in seconds.
    pub limit: u64,
}

/// [`Counts`] for the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CountsView {
    pub messages: u64,
    pub observations: u64,
    pub sent: u64,
    pub held: u64,
    pub qc: u64,
    pub repeat: u64,
    pub superseded: u64,
    pub discarded: u64,
    pub not_reportable: u64,
    pub difference: i64,
}

impl From<Counts> for CountsView {
    fn from(c: Counts) -> Self {
        Self {
            messages: c.messages,
            observations: c.observations,
            sent: c.sent,
            held: c.held,
            qc: c.qc,
            repeat: c.repeat,
            superseded: c.superseded,
            discarded: c.discarded,
            not_reportable: c.not_reportable,
            difference: c.difference(),
        }
    }
}

/// One destination.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DestinationView {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub address: String,
    /// How the connection stands, in words.
    pub link: String,
    /// It does not work now: no connection can be made, no answer comes, or a refused message blocks it.
    pub failing: bool,
    /// A connection is being made, and nothing is known against it yet.
    #[serde(default)]
    pub connecting: bool,
    /// ORUs that wait.
    pub waiting: usize,
    /// Age of the oldest, in seconds.
    pub oldest: Option<i64>,
    /// ORUs that the engine refused for good: MSH-10 number and why.
    pub parked: Vec<(u64, String)>,
    /// ORUs delivered.
    pub delivered: u64,
    /// ORUs that persons gave up; they and their observations are in no other count.
    #[serde(default)]
    pub given_up: u64,
    /// Observations in them.
    #[serde(default)]
    pub given_up_observations: u64,
    /// Observations in all ORUs for it.
    pub observations: u64,
    /// Observations in those delivered.
    pub delivered_observations: u64,
}

/// The journal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JournalView {
    /// `good`, or what is wrong.
    pub health: String,
    /// Bytes taken, settled results that are kept included.
    pub used: u64,
    /// Bytes allowed.
    pub limit: u64,
    /// Bytes of what is not settled: the backlog.
    #[serde(default)]
    pub backlog: u64,
    /// The backlog from which on instruments are told to wait.
    #[serde(default)]
    pub most_backlog: u64,
    /// What comes if the backlog goes on growing like this; `None` while it does not grow.
    #[serde(default)]
    pub outlook: Option<Outlook>,
    /// All that was written after this time is there, microseconds since 1970; `None` while that is not known.
    #[serde(default)]
    pub all_since: Option<i64>,
    /// What it costs its medium.
    #[serde(default)]
    pub wear: Wear,
    /// Segments of snapshots that were dropped since the start, for want of room or for their age.
    #[serde(default)]
    pub snapshots_dropped: u64,
    /// Files that were set aside, because something in them was needed and could not be read.
    #[serde(default)]
    pub aside_files: u64,
    /// Bytes in them.
    #[serde(default)]
    pub aside: u64,
    /// Instruments are told to wait, because it is nearly full.
    #[serde(default)]
    pub nearly_full: bool,
    /// Segments in which nobody has looked yet for what was sent before. Results wait for them.
    #[serde(default)]
    pub unread: u64,
    /// Segments of which not all can be read, so that what was sent before is not known whole.
    #[serde(default)]
    pub unreadable: u64,
}

/// One hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HoldView {
    /// Its number.
    pub hold: u64,
    /// The instrument.
    pub instrument: String,
    /// The machine's reason.
    pub reason: String,
    /// What happened and what to do.
    pub sentence: String,
    /// Test codes.
    pub codes: Vec<String>,
    /// Age in seconds.
    pub age: i64,
    /// The message.
    pub message: u64,
    /// Since when, microseconds since 1970.
    #[serde(default)]
    pub since: i64,
    /// Results in it.
    #[serde(default)]
    pub results: usize,
    /// And what of its message nobody could count.
    #[serde(default)]
    pub rest: bool,
    /// Results in it that later messages have brought.
    #[serde(default)]
    pub overtaken: usize,
    /// What to do; `None` for a reason of another version.
    #[serde(default)]
    pub fix: Option<String>,
    /// What to type, the likeliest first.
    #[serde(default)]
    pub commands: Vec<String>,
}
