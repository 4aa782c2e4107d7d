//! What people say when they compare an instrument's screen with what was sent: one kind of record, one for each thing that
//! is said.
//!
//! Promises that no value and no sample id is in a meta: what was shown to the person and the person's words are in the
//! payload, as JSON. Leaves out what makes a proof of it; `state/verifications.rs` has that.

use super::Meta;
use serde::{Deserialize, Serialize};

/// A person compares an instrument's screen with what was sent of it. The sequence of the first record is the session's
/// number, and all others name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// The session.
    pub session: u64,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// Who did it (`uid 1000`).
    pub actor: String,
    /// The name that the person gave; empty for none.
    pub name: String,
    /// What was said.
    pub act: VerificationAct,
}

impl Meta for Verification {
    const KIND: u16 = 16;
}

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VerificationAct {
    /// A session begins.
    Began(Box<VerificationScope>),
    /// Of one result; of quality control the first observation stands for those of its order. The last answer to one
    /// counts.
    Said {
        /// The message.
        message: u64,
        /// Its place in the message.
        observation: u32,
        /// The answer.
        answer: Answer,
        /// What the result shows besides itself.
        shows: Vec<Shows>,
    },
    /// Why something of the list cannot be seen; the words are the payload.
    Excused(Shows),
    /// The session is over. What was not verified is the payload.
    Ended {
        /// The analyzer for which it proves the profile; `None` when it proves nothing.
        proof: Option<Analyzer>,
    },
}

/// Of what a session is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerificationScope {
    /// The instrument's name.
    pub instrument: String,
    /// `test` or `live`, when it began.
    pub mode: String,
    /// The profile's name.
    pub profile: String,
    /// Hash of its text.
    pub profile_hash: String,
    /// How far it is proven without this.
    pub evidence: String,
    /// Hash of the maps; empty without any.
    pub map_hash: String,
    /// Software version.
    pub software: String,
    /// Hash of the configuration.
    pub config_hash: String,
    /// The gateway's four characters.
    pub gateway: String,
    /// The site, as MSH-4 names it.
    pub site: String,
    /// The journal's id.
    pub journal: String,
    /// Quality of the clock, as in [`Chunk::clock`](super::Chunk::clock).
    pub clock: u8,
    /// What is to be seen.
    pub wanted: Vec<Shows>,
}

/// An analyzer, as its messages name it; empty where they do not.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Analyzer {
    /// The model.
    pub model: String,
    /// The serial number.
    pub serial: String,
}

/// What a person says of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// As on the analyzer's screen.
    Same,
    /// Otherwise; the words say how. Of quality control: it is a patient's.
    Differs,
    /// Not compared.
    Skipped,
    /// It was a control.
    Control,
    /// It was a blank or a background.
    Blank,
    /// It was a calibration.
    Calibration,
    /// It was no patient's, and none of these.
    OtherQc,
}

impl Answer {
    /// What is seen by it.
    #[must_use]
    pub const fn sees(self) -> Option<Shows> {
        match self {
            Self::Control => Some(Shows::Control),
            Self::Blank => Some(Shows::Blank),
            Self::Calibration => Some(Shows::Calibration),
            Self::Same | Self::Differs | Self::Skipped | Self::OtherQc => None,
        }
    }

    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Differs => "DIFFERS",
            Self::Skipped => "skipped",
            Self::Control => "a control",
            Self::Blank => "a blank",
            Self::Calibration => "a calibration",
            Self::OtherQc => "no patient's",
        }
    }
}

/// What can be seen in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shows {
    /// A control that went to no patient.
    Control,
    /// A blank or background that went to no patient.
    Blank,
    /// A calibration that went to no patient.
    Calibration,
    /// A patient's result with a flag.
    Flag,
    /// A value below a limit (`<`).
    Below,
    /// A value above a limit (`>`).
    Above,
    /// A value that is text.
    Text,
    /// A remark.
    Remark,
    /// A result that is not final yet.
    Preliminary,
}

impl Shows {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Control,
        Self::Blank,
        Self::Calibration,
        Self::Flag,
        Self::Below,
        Self::Above,
        Self::Text,
        Self::Remark,
        Self::Preliminary,
    ];

    /// The word that a person types for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Blank => "blank",
            Self::Calibration => "calibration",
            Self::Flag => "flag",
            Self::Below => "below",
            Self::Above => "above",
            Self::Text => "text",
            Self::Remark => "remark",
            Self::Preliminary => "preliminary",
        }
    }

    /// What it is.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Control => "a control that went to no patient",
            Self::Blank => "a blank or background that went to no patient",
            Self::Calibration => "a calibration that went to no patient",
            Self::Flag => "a patient's result with a flag",
            Self::Below => "a value below a limit (<)",
            Self::Above => "a value above a limit (>)",
            Self::Text => "a value that is text",
            Self::Remark => "a result with a remark",
            Self::Preliminary => "a result that is not final yet",
        }
    }
}
