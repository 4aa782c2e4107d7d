//! A profile of the driver `dri` as people write it.
//!
//! Promises: what is read is valid, and every mistake names its line. Leaves out the layout of records, which is the same
//! for all monitors of this interface.

use orugate_driver::{Common, Evidence, Example, ProfileError, UsualLine, parse_profile};
use serde::Deserialize;
use std::borrow::Cow;
use std::time::Duration;

/// The whole file.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DriProfile {
    /// The profile's name, as `profile = "…"` in a configuration.
    pub name: String,
    /// `dri`.
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

    /// Who makes the monitor, for OBX-18 and the like. Records do not say.
    pub manufacturer: String,
    /// The model; records do not say.
    #[serde(default)]
    pub model: String,
    /// The coding system of the monitor's own names of values, `99` and up to ten letters or digits.
    pub coding_system: CodingSystem,
    /// How often the monitor sends its values, in seconds: 1 to 60. Some monitors take no less than 5.
    #[serde(default = "seconds")]
    pub seconds: Seconds,
    /// Ask for the list of alarms as often, from a monitor of interface level 10 or later. They go along as information
    /// and are never alarms.
    #[serde(default)]
    pub alarms: bool,
    /// Ask for the times of cuff pressures, cardiac outputs and wedge pressures as well. No recorded line shows a monitor
    /// that answers both requests.
    #[serde(default)]
    pub times: bool,
    /// A value that was not renewed for so long is none any more, and a monitor that sends none for so long is asked anew:
    /// about three intervals, such as `"15 s"`.
    pub stale_after: Wait,
}

/// What a session and an interpreter need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) seconds: u16,
    pub(crate) alarms: bool,
    pub(crate) times: bool,
    pub(crate) silence: Duration,
}

/// A monitor that was asked for values gets at least so long.
const LEAST_PATIENCE: Duration = Duration::from_secs(10);

impl Settings {
    pub(crate) const fn interval(&self) -> Duration {
        Duration::from_secs(self.seconds as u64)
    }

    /// Until a request that nothing followed is repeated.
    pub(crate) fn patience(&self) -> Duration {
        self.interval().saturating_mul(2).max(LEAST_PATIENCE)
    }
}

/// A profile, read.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) common: Common,
    pub(crate) profile: DriProfile,
}

impl Plan {
    pub(crate) fn read(text: &str) -> Result<Self, ProfileError> {
        let common = parse_profile(text)?;
        let profile: DriProfile = toml::from_str(text).map_err(|e| ProfileError::from_toml(text, &e))?;
        if profile.driver != "dri" {
            let line = text.lines().position(|line| line.trim_start().starts_with("driver"));
            return Err(ProfileError {
                line: line.map(|line| line.saturating_add(1)),
                message: format!("driver is `{}`, but this is the driver `dri`", profile.driver),
            });
        }
        if profile.stale_after.0 < Duration::from_secs(profile.seconds.0.into()).saturating_mul(2) {
            let line = text.lines().position(|line| line.trim_start().starts_with("stale_after"));
            return Err(ProfileError {
                line: line.map(|line| line.saturating_add(1)),
                message:
                    "stale_after is less than two intervals, so that one lost record would make values stale"
                        .into(),
            });
        }
        Ok(Self { common, profile })
    }

    pub(crate) fn settings(&self) -> Settings {
        let DriProfile { seconds, alarms, times, stale_after, .. } = &self.profile;
        Settings { seconds: seconds.0, alarms: *alarms, times: *times, silence: stale_after.0 }
    }
}

fn seconds() -> Seconds {
    Seconds(5)
}

/// HL7 table 0396 name of a local coding system: `99` and one to ten letters or digits.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct CodingSystem(pub(crate) String);

impl TryFrom<String> for CodingSystem {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let name = text.strip_prefix("99").unwrap_or_default();
        if (1..=10).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric()) {
            Ok(Self(text))
        } else {
            Err(format!("`{text}` is no local coding system; it is 99 and one to ten letters or digits"))
        }
    }
}

/// A number of seconds, 1 to 60.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "i64")]
pub struct Seconds(u16);

impl TryFrom<i64> for Seconds {
    type Error = String;

    fn try_from(n: i64) -> Result<Self, String> {
        match u16::try_from(n) {
            Ok(n @ 1..=60) => Ok(Self(n)),
            _ => Err(format!("{n} is no interval of values; it is 1 to 60 seconds")),
        }
    }
}

/// A time such as `"15 s"`, 2 seconds to an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Wait(pub(crate) Duration);

impl TryFrom<String> for Wait {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let seconds = text.strip_suffix(" s").filter(|n| n.bytes().all(|b| b.is_ascii_digit()));
        match seconds.and_then(|n| n.parse::<u64>().ok()) {
            Some(n @ 2..=3600) => Ok(Self(Duration::from_secs(n))),
            _ => Err(format!("`{text}` is no time; write \"15 s\", at least 2 s and at most an hour")),
        }
    }
}

/// Schemas of the types that are strings or numbers with a rule.
macro_rules! schema {
    ($($name:ident { $($schema:tt)* })*) => {$(
        impl schemars::JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ $($schema)* })
            }
        }
    )*};
}
schema! {
    CodingSystem { "type": "string", "pattern": "^99[A-Za-z0-9]{1,10}$" }
    Seconds { "type": "integer", "minimum": 1, "maximum": 60 }
    Wait { "type": "string", "pattern": "^[0-9]+ s$" }
}
