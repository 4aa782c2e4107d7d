//! A profile of the driver `intellivue` as people write it.
//!
//! Promises: what is read is valid, and every mistake names its line. Leaves out the nomenclature, which is the same for all
//! monitors of this interface.

use crate::session::Settings;
use orugate_driver::{Common, Evidence, Example, ProfileError, UsualLine, parse_profile};
use serde::Deserialize;
use std::time::Duration;

/// The whole file.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IntellivueProfile {
    /// The profile's name, as `profile = "…"` in a configuration.
    pub name: String,
    /// `intellivue`.
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

    /// What carries the protocol.
    pub transport: Transport,
    /// Which numerics the monitor is asked for.
    #[serde(default)]
    pub numerics: Numerics,
    /// Ask for the patient's demographics, so that another patient is noticed at once and the id can go along where the site
    /// wants it. Names never go on.
    #[serde(default = "yes")]
    pub demographics: bool,
    /// After so long without a newer answer a value is none any more: `5 s` to `600 s`.
    pub stale_after: StaleAfter,
}

/// What carries the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// UDP, to the monitor's port 24105.
    Udp,
    /// The MIB serial port, at 115,200 or 19,200 bits per second without parity; direct or over a serial server.
    Mib,
}

/// Which numerics the monitor is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Numerics {
    /// Those of each second.
    #[default]
    EachSecond,
    /// Averages of 12 seconds.
    #[serde(rename = "each-12-seconds")]
    Each12Seconds,
}

/// Seconds as people write them (`15 s`), 5 to 600.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct StaleAfter(u16);

impl TryFrom<String> for StaleAfter {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let seconds = text.strip_suffix('s').and_then(|number| number.trim_end().parse().ok());
        match seconds.filter(|seconds| (5..=600).contains(seconds)) {
            Some(seconds) => Ok(Self(seconds)),
            None => Err(format!("`{text}` is none of the times from `5 s` to `600 s`")),
        }
    }
}

impl schemars::JsonSchema for StaleAfter {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StaleAfter".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]+ ?s$" })
    }
}

const fn yes() -> bool {
    true
}

/// A profile, read.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) common: Common,
    pub(crate) settings: Settings,
    pub(crate) stale_after: Duration,
}

impl Plan {
    pub(crate) fn read(text: &str) -> Result<Self, ProfileError> {
        let common = parse_profile(text)?;
        let profile: IntellivueProfile =
            toml::from_str(text).map_err(|e| ProfileError::from_toml(text, &e))?;
        if profile.driver != "intellivue" {
            let line = text.lines().position(|line| line.trim_start().starts_with("driver"));
            return Err(ProfileError {
                line: line.map(|line| line.saturating_add(1)),
                message: format!("driver is `{}`, but this is the driver `intellivue`", profile.driver),
            });
        }
        let settings = Settings {
            datagrams: profile.transport == Transport::Udp,
            averages: profile.numerics == Numerics::Each12Seconds,
            patient: profile.demographics,
        };
        Ok(Self { common, settings, stale_after: Duration::from_secs(profile.stale_after.0.into()) })
    }
}
