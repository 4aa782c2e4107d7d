//! A MEDIBUS profile as people write it, field by field.
//!
//! Promises: what is read is valid, and every mistake names its line. The defaults are right for any device, so a profile says
//! only what a model needs otherwise. Nothing in it can change a device's settings or silence an alarm: there are no such
//! commands here. Leaves out the serial line's parameters, which the instrument's own `wire` has: they are never tried out on a
//! ventilator.

use crate::tables::Dialect;
use orugate_driver::{Evidence, Example, UsualLine, intern};
use orugate_protocol::ascii::hex_value;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The whole file.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MedibusProfile {
    /// The profile's name, as `profile = "…"` in a configuration.
    pub name: String,
    /// `medibus`.
    pub driver: String,
    /// What it is for, one line.
    pub title: String,
    /// How far it is proven.
    pub evidence: Evidence,
    /// Inputs and what must come of them.
    #[serde(default)]
    pub example: Vec<Example>,
    /// How a serial line to such a device is usually set; a configuration that has it otherwise is told so.
    #[serde(default)]
    pub serial: Option<UsualLine>,

    /// The coding system of the device's own codes in HL7, `99` and up to ten letters or digits.
    #[serde(default)]
    pub coding_system: CodingSystem,
    /// Which code tables hold for a device that does not say who it is, or whose number is in no table. Without it, codes
    /// whose meaning differs between the two go along as the device's own.
    #[serde(default)]
    pub dialect: Option<Dialect>,
    /// What is asked for, in this order, again and again: `24` and `2B` measured values of the code pages 1 and 2, `29`
    /// settings, `27`, `2E` and `23` alarms of the pages 1, 2 and 3, `25`, `2C` lower and `26`, `2D` upper alarm limits, `2A`
    /// texts, `28` the device's clock.
    #[serde(default = "poll")]
    pub poll: Vec<Request>,
    /// How often all of it is asked for, when the device is fast enough.
    #[serde(default = "cycle")]
    pub cycle: Wait,
    /// A value that was not renewed for so long is none any more: three cycles at least.
    pub stale_after: Wait,
    /// What the device shall answer, where it shall not be all that it has by itself.
    #[serde(default)]
    pub configure: Vec<Configure>,
}

/// Limits the answers of one kind to some codes.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Configure {
    /// `24` or `2B` for values and their alarm limits, `29` for settings, `27` or `2E` for alarms, `2A` for texts.
    pub of: Request,
    /// The codes, two hexadecimal digits each, at most 125.
    pub codes: Vec<Code>,
}

fn poll() -> Vec<Request> {
    [0x24, 0x2B, 0x29, 0x27, 0x2E, 0x25, 0x26, 0x2A, 0x28].map(Request).to_vec()
}

const fn cycle() -> Wait {
    Wait(Duration::from_secs(5))
}

/// A command that asks for data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request(pub(crate) u8);

/// A code of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(pub(crate) u8);

/// A time to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub(crate) Duration);

/// The name of a local coding system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodingSystem(pub(crate) &'static str);

impl Default for CodingSystem {
    fn default() -> Self {
        Self("99DRAEGER")
    }
}

fn two_digits(text: &str) -> Option<u8> {
    match text.as_bytes() {
        [high, low] => Some(hex_value(*high)? << 4 | hex_value(*low)?),
        _ => None,
    }
}

impl TryFrom<String> for Request {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let known = two_digits(&text).filter(|code| matches!(code, 0x23..=0x2E));
        known.map(Self).ok_or_else(|| {
            format!("`{text}` asks for nothing; allowed are 23 to 2E, the commands that ask for data")
        })
    }
}

impl TryFrom<String> for Code {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        two_digits(&text)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no code; it is two hexadecimal digits"))
    }
}

impl TryFrom<String> for Wait {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wait = text.split_once(' ').and_then(|(number, unit)| {
            let number = number.parse::<u64>().ok().filter(|_| !number.starts_with('+'))?;
            match unit {
                "ms" => Some(Duration::from_millis(number)),
                "s" => Some(Duration::from_secs(number)),
                _ => None,
            }
        });
        wait.filter(|wait| *wait <= Duration::from_secs(3600))
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no time; write \"15 s\" or \"200 ms\", at most an hour"))
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
    Request { "^2[3-9A-Ea-e]$" } |it| format!("{:02X}", it.0)
    Code { "^[0-9A-Fa-f]{2}$" } |it| format!("{:02X}", it.0)
    Wait { "^[0-9]+ (ms|s)$" } |it| format!("{} ms", it.0.as_millis())
    CodingSystem { "^99[0-9A-Za-z]{1,10}$" } |it| it.0.to_owned()
}
