//! A profile of an HL7 device as people write it, field by field.
//!
//! Promises: what is read is valid, and every mistake names its line. A profile has either a table `[bedside]` or a table
//! `[laboratory]`, which says how its messages are read.

pub use crate::place::Place;
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
    /// Numbers that the device writes in OBX-5 when there is no value: `"-999"`. They are none in a potential in volts, of which
    /// any may be one.
    #[serde(default)]
    pub absent: Vec<String>,
    /// Numbers that mean so only where what is measured is never below zero: `"-1"` is no rate, and may be a temperature.
    #[serde(default)]
    pub absent_where_positive: Vec<String>,
    /// The device's own codes that are proven to be MDC terms.
    #[serde(default)]
    pub term: Vec<TermRow>,
    /// MDC code of the device's kind where no message says it: 69965 is `MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS`.
    #[serde(default)]
    pub mds: u32,
    /// Who made the device.
    #[serde(default)]
    pub manufacturer: String,
}

/// One of the device's own codes.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TermRow {
    /// OBX-3.1 as the device writes it.
    pub code: String,
    /// The MDC code: 147842 is `MDC_ECG_HEART_RATE`.
    pub mdc: u32,
    /// The MDC code of its unit, whatever OBX-6 calls it; without it OBX-6 is read as MDC or UCUM.
    #[serde(default)]
    pub unit: u32,
}

/// How an analyzer's messages are read.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Laboratory {
    /// Where the sample id is: the first place that is not empty counts. `SPM-2` is the placer's id or else the filler's.
    pub sample: Vec<Place>,
    /// A sample whose id begins so is a control.
    pub qc_prefixes: Vec<String>,
    /// Other marks of what is no patient's.
    pub control: Vec<ControlRow>,
    /// Where the test's code, its name and parts of the code are.
    pub code: CodeRule,
    /// Codes of rows that are no results: settings, the patient's age, and the like.
    pub not_results: Vec<String>,
    /// Words in OBX-5 that say that there is no value: the test could not be done.
    pub absent: Vec<String>,
    /// What tells a run from another one of the same test on the same specimen.
    pub run: Vec<Place>,
    /// When the result was there. HL7 before 2.4 has no OBX-19; then it is OBX-14.
    pub completed: Vec<Place>,
    /// When the specimen was taken.
    pub collected: Vec<Place>,
    /// When the laboratory got it.
    pub received: Vec<Place>,
    /// Where the analyzer says its serial number.
    pub serial: Option<Place>,
    /// Where it says its software's version.
    pub version: Option<Place>,
    /// Flags of OBX-8 besides those of table 0078.
    pub flag: Vec<FlagRow>,
}

impl Default for Laboratory {
    fn default() -> Self {
        let places = |names: &[&'static str]| names.iter().filter_map(|name| Place::named(name)).collect();
        Self {
            sample: places(&["SPM-2"]),
            qc_prefixes: Vec::new(),
            control: Vec::new(),
            code: CodeRule::default(),
            not_results: Vec::new(),
            absent: Vec::new(),
            run: places(&["OBX-19", "MSH-7"]),
            completed: places(&["OBX-19"]),
            collected: places(&["SPM-17", "OBR-7"]),
            received: places(&["SPM-18", "OBR-14"]),
            serial: None,
            version: None,
            flag: Vec::new(),
        }
    }
}

/// A mark of what is no patient's.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ControlRow {
    /// Where it stands.
    pub place: Place,
    /// What stands there.
    pub is: String,
}

/// Where a test's code is. By default OBX-3 as the standard has it: the analyzer's code and a LOINC code beside it.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CodeRule {
    /// The first place that is not empty is the code.
    pub id: Vec<Place>,
    /// The first place that is not empty is the name.
    pub name: Vec<Place>,
    /// Further parts of the code, each behind a `/`.
    pub part: Vec<PartRow>,
}

/// A further part of a code.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartRow {
    /// Where it stands.
    pub place: Place,
    /// It belongs to the code only where nothing stands here.
    #[serde(default)]
    pub without: Option<Place>,
}

/// A flag that the analyzer writes in OBX-8.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlagRow {
    /// As it writes it.
    pub code: String,
    /// The same in table 0078; empty when there is nothing to flag.
    #[serde(default)]
    pub hl7: Option<String>,
    /// What it means, for people.
    #[serde(default)]
    pub meaning: String,
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
    Place { "^[A-Z][A-Z0-9]{2}-[0-9]+(\\.[0-9]+){0,2}$" } |it| it.name().to_owned()
    Charset { "^.+$" } |it| it.0.name().to_owned()
    Wait { "^[0-9]+ s$" } |it| format!("{} s", it.0.as_secs())
    CodingSystem { "^99[0-9A-Za-z]{1,10}$" } |it| it.0.to_owned()
}
