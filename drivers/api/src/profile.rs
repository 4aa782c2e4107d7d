//! Profiles: TOML data that fits a driver to one instrument model, and the traits by which the gateway finds them.
//!
//! A profile is read in two steps. [`parse_profile`] reads what all profiles have, among it the driver's name; that
//! driver then reads the whole text again into its own struct, which denies unknown fields, so a mistake is reported
//! with its line. `serde(flatten)` and `untagged` are not used: they would lose the line.

use crate::{Instrument, Interpreter, Parity, Session, SimulatedFault, StandIns, scrub_by_rule};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// A protocol family. Registered by a literal list.
pub trait Driver: Send + Sync {
    /// The name by which profiles ask for it (`astm`).
    fn name(&self) -> &'static str;

    /// Reads a profile's text.
    ///
    /// # Errors
    /// [`ProfileError`] with the place of the first mistake.
    fn profile(&self, toml: &str) -> Result<Box<dyn Profile>, ProfileError>;

    /// A first draft of a profile of this name from captures of an instrument. Each is what [`Example::input`] may
    /// hold, or bytes of the line. The draft is a profile that can be read; its examples expect nothing yet.
    ///
    /// # Errors
    /// A clause that says why these captures are not this driver's.
    fn draft(&self, name: &str, captures: &[Vec<u8>]) -> Result<Draft, String>;

    /// The JSON schema of its profiles, from the struct that reads them.
    fn schema(&self) -> schemars::Schema;
}

/// A first draft of a profile. Nothing of a patient is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The profile's text, with comments that say what was seen and what a person must find out.
    pub toml: String,
    /// What was decided and what a person must look at, in sentences.
    pub said: Vec<String>,
}

/// A driver fitted to one instrument model.
pub trait Profile: Send + Sync {
    /// What all profiles have.
    fn common(&self) -> &Common;

    /// A new session for one wire.
    fn session(&self, instrument: &Instrument) -> Box<dyn Session>;

    /// A session in the instrument's role that sends these messages, one after the other, making these faults on the
    /// way, and ends with [`Output::Done`](crate::Output::Done) when the last one is acknowledged, or with
    /// [`Output::Close`](crate::Output::Close) when it gives up. Each message is records or a capture, as
    /// [`Example::input`] may hold it.
    fn simulator(&self, messages: Vec<Vec<u8>>, faults: &[SimulatedFault]) -> Box<dyn Session>;

    /// The bytes on the line that an example's input stands for.
    fn example_bytes(&self, input: &str) -> Vec<u8>;

    /// The interpreter for this model's messages.
    fn interpreter(&self) -> Box<dyn Interpreter>;

    /// What it feeds: results, each of which counts, or values of a bedside device, which are taken again.
    fn feed(&self) -> Feed {
        Feed::Results
    }

    /// All that its sessions depend on, in words of the driver's own: two profiles with the same words have sessions
    /// that behave alike, so one may take the other's place without a new wire. `None` promises nothing.
    fn link(&self) -> Option<String> {
        None
    }

    /// Takes persons out of what one side sent on a line, from one end of a connection to the other, and keeps its length: it
    /// reads as before, and names, ids, days of birth and texts are others. Checksums that were right are right again. Gives
    /// back how many letters and digits it could only replace by rule, because they stood in nothing that it can read.
    fn scrub(&self, line: &mut [u8], _: &mut StandIns) -> usize {
        scrub_by_rule(line)
    }

    /// What its table says of units for a test of this code, in the order in which it is asked.
    fn units(&self, code: &str) -> Vec<UnitSaid<'_>> {
        let _ = code;
        Vec::new()
    }

    /// The session that reads a capture file instead of a wire: tolerant where nobody can be asked to send again.
    fn capture_session(&self) -> Box<dyn Session>;
}

/// What an instrument's messages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// Laboratory results: never dropped.
    Results,
    /// Values of a bedside device, in snapshots or in messages that it pushes: they have a share of the journal of their own,
    /// in which the oldest go, counted, before they take the results' room.
    Bedside {
        /// A value that was not renewed for so long is none any more: about three of the device's or the poll's cycles.
        stale_after: Duration,
    },
}

/// What a profile says of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitSaid<'p> {
    /// As the instrument writes it.
    pub sent: &'p str,
    /// What it means, in UCUM; empty when it is no unit.
    pub ucum: &'p str,
    /// It is said of this test by its code, not of all tests.
    pub of_code: bool,
}

/// What all profiles have.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
pub struct Common {
    /// The profile's name, as `profile = "…"` in a configuration.
    pub name: String,
    /// The driver that reads it.
    pub driver: String,
    /// What it is for, one line.
    pub title: String,
    /// How far it is proven.
    pub evidence: Evidence,
    /// Quality control.
    #[serde(default)]
    pub qc: CommonQc,
    /// How a serial line to such a device is usually set; nothing when nobody knows, or when each site sets it.
    #[serde(default)]
    pub serial: UsualLine,
    /// Inputs and what must come of them.
    #[serde(default, rename = "example")]
    pub examples: Vec<Example>,
}

/// How a serial line to such a device is usually set: for each part what the device can have, the maker's setting first. What
/// is not said may be anything. A configuration that has it otherwise is told so, and taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UsualLine {
    /// Bits per second.
    pub baud: Vec<u32>,
    /// 5 to 8.
    pub data_bits: Vec<u8>,
    /// `none`, `even` or `odd`.
    pub parity: Vec<Parity>,
    /// 1 or 2.
    pub stop_bits: Vec<u8>,
    /// RTS and CTS.
    pub flow: Option<UsualFlow>,
}

/// Whether a device looks at RTS and CTS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UsualFlow {
    /// It does not.
    None,
    /// It says nothing unless it may.
    Hardware,
}

/// How far a profile is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// Bytes captured from such an instrument are replayed.
    CapturedBytes,
    /// The manufacturer's manual.
    Manual,
    /// Somebody described it.
    Described,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CapturedBytes => "captured bytes",
            Self::Manual => "manual",
            Self::Described => "described",
        })
    }
}

/// What all profiles say about quality control; a driver's own keys of the same table are beside it.
#[derive(Clone, Copy, Debug, Default, Deserialize, schemars::JsonSchema)]
pub struct CommonQc {
    /// How it is proven that controls are marked so.
    #[serde(default)]
    pub proof: QcProof,
}

/// How it is proven that an instrument marks its controls in the way that the profile looks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum QcProof {
    /// A control of such an instrument was replayed.
    CapturedBytes,
    /// The manufacturer's manual.
    Manual,
    /// Somebody described it.
    Described,
    /// Nothing: a control may look like a patient's sample.
    #[default]
    Unproven,
}

impl fmt::Display for QcProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CapturedBytes => "captured bytes",
            Self::Manual => "manual",
            Self::Described => "described",
            Self::Unproven => "unproven",
        })
    }
}

/// An input in the instrument's shape, with an invented patient, and what must come of it.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// What it shows.
    pub shows: String,
    /// Records, a line each; or a link-level script with control characters in angle brackets (`<ENQ>`).
    pub input: String,
    /// What `orugate replay` prints for it, but for times and ids, which are printed as fixed text.
    pub expect: String,
}

/// A mistake in a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileError {
    /// Line, from 1, when it has one.
    pub line: Option<usize>,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for ProfileError {}

impl ProfileError {
    /// From the TOML reader's error, with the line counted in `text`.
    #[must_use]
    pub fn from_toml(text: &str, error: &toml::de::Error) -> Self {
        let line = error.span().map(|span| {
            text.as_bytes().iter().take(span.start).filter(|b| **b == b'\n').count().saturating_add(1)
        });
        Self { line, message: error.message().to_owned() }
    }
}

/// The first step: what all profiles have. Fields of the driver are ignored here.
///
/// # Errors
/// [`ProfileError`] when a common field is missing or wrong.
pub fn parse_profile(text: &str) -> Result<Common, ProfileError> {
    toml::from_str(text).map_err(|e| ProfileError::from_toml(text, &e))
}
