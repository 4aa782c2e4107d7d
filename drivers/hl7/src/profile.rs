//! A profile of an HL7 device as people write it, field by field.
//!
//! Promises: what is read is valid, and every mistake names its line. A profile has either a table `[bedside]` or a table
//! `[laboratory]`, which says how its messages are read.

use orugate_driver::{CommonQc, Evidence, Example, intern, text};
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The whole file.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hl7Profile {
    /// The profile's name, as `profile = "…"` in a configuration.
    pub name: String,
    /// `hl7`.
    pub driver: String,
    /// What it is for, one line.
    pub title: String,
    /// How far it is proven.
    pub evidence: Evidence,
    /// Inputs and what must come of them.
    #[serde(default)]
    pub example: Vec<Example>,
    /// How it is proven that controls are marked so.
    #[serde(default)]
    #[schemars(skip)]
    pub qc: CommonQc,

    /// How bytes become characters where MSH-18 does not say it.
    #[serde(default)]
    pub charset: Charset,
    /// The coding system of the device's own codes in HL7, `99` and up to ten letters or digits.
    pub coding_system: CodingSystem,
    /// The longest message in bytes, 1,024 to 16,777,216.
    #[serde(default = "message_max")]
    pub message_max: usize,
    /// A patient monitor, ventilator or pump.
    #[serde(default)]
    pub bedside: Option<Bedside>,
    /// An analyzer.
    #[serde(default)]
    pub laboratory: Option<Laboratory>,
}

const fn message_max() -> usize {
    1 << 20
}

/// How a bedside device's messages are read.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bedside {
    /// A value that was not renewed for so long is none any more: three of the device's cycles at least.
    pub stale_after: Wait,
    /// What the device writes in OBX-5 when there is no value, digit for digit: `"-999"`.
    #[serde(default)]
    pub absent: Vec<String>,
    /// MDC code of the device's kind where no message says it: 69965 is `MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS`.
    #[serde(default)]
    pub mds: u32,
    /// Who made the device.
    #[serde(default)]
    pub manufacturer: String,
}

/// How an analyzer's messages are read.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Laboratory {
    /// Where the sample id is: the first place that is not empty counts.
    #[serde(default = "sample")]
    pub sample: Vec<Place>,
    /// A sample whose id begins so is a control.
    #[serde(default)]
    pub qc_prefixes: Vec<String>,
}

fn sample() -> Vec<Place> {
    vec![Place::Spm2]
}

/// A field with the sample id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, schemars::JsonSchema)]
pub enum Place {
    /// The placer's or else the filler's id of the specimen.
    #[serde(rename = "SPM-2")]
    Spm2,
    /// The container's id.
    #[serde(rename = "SAC-3")]
    Sac3,
    /// The placer's order number.
    #[serde(rename = "OBR-2")]
    Obr2,
    /// The filler's order number.
    #[serde(rename = "OBR-3")]
    Obr3,
}

impl Place {
    /// The standard's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Spm2 => "SPM-2",
            Self::Sac3 => "SAC-3",
            Self::Obr2 => "OBR-2",
            Self::Obr3 => "OBR-3",
        }
    }
}

/// How bytes become characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charset(pub text::Charset);

impl Default for Charset {
    fn default() -> Self {
        Self(text::Charset::Utf8)
    }
}

/// A time to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub(crate) Duration);

/// The name of a local coding system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodingSystem(pub(crate) &'static str);

impl TryFrom<String> for Charset {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let all = || text::Charset::all().map(text::Charset::name).collect::<Vec<_>>().join(", ");
        text::Charset::named(&name)
            .map(Self)
            .ok_or_else(|| format!("`{name}` is no charset that is known here; write one of {}", all()))
    }
}

impl TryFrom<String> for Wait {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let seconds = text.strip_suffix(" s").filter(|number| number.bytes().all(|b| b.is_ascii_digit()));
        let wait = seconds.and_then(|number| number.parse().ok()).map(Duration::from_secs);
        wait.filter(|wait| (1..=3600).contains(&wait.as_secs()))
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no time; write \"15 s\", at least 1 s and at most an hour"))
    }
}

impl TryFrom<String> for CodingSystem {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let name = text.strip_prefix("99").unwrap_or_default();
        if (1..=10).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric()) {
            Ok(Self(intern(&text)))
        } else {
            Err(format!("`{text}` is no local coding system; it is 99 and one to ten letters or digits"))
        }
    }
}

/// Types that are strings with a rule.
macro_rules! from_string {
    ($($name:ident { $pattern:literal } $write:expr)*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Self::try_from(String::deserialize(from)?).map_err(D::Error::custom)
            }
        }

        /// For the schema's defaults.
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                let write: fn(&Self) -> String = $write;
                to.serialize_str(&write(self))
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    )*};
}
from_string! {
    Charset { "^.+$" } |it| it.0.name().to_owned()
    Wait { "^[0-9]+ s$" } |it| format!("{} s", it.0.as_secs())
    CodingSystem { "^99[0-9A-Za-z]{1,10}$" } |it| it.0.to_owned()
}
