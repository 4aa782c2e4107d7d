//! A profile made ready for use: what it means, once, for the life of the process.

use crate::profile::{Bedside, Hl7Profile, Laboratory};
use orugate_driver::{Common, Interned, ProfileError, UsualLine, intern};

/// By the profile's text.
static PLANS: Interned<Plan> = Interned::new();

/// A profile ready for use.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) common: Common,
    pub(crate) profile: Hl7Profile,
    pub(crate) kind: Kind,
}

/// How messages are read.
#[derive(Debug)]
pub(crate) enum Kind {
    Bedside(Bedside),
    Laboratory(Laboratory, Vec<Control>),
}

/// Samples whose id begins so are controls.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) prefix: &'static str,
    pub(crate) clause: &'static str,
}

impl Plan {
    /// Reads a profile.
    pub(crate) fn read(text: &str) -> Result<&'static Self, ProfileError> {
        PLANS.of(text, || {
            let profile: Hl7Profile = toml::from_str(text).map_err(|e| ProfileError::from_toml(text, &e))?;
            let kind = check(text, &profile)?;
            let common = Common {
                name: profile.name.clone(),
                driver: profile.driver.clone(),
                title: profile.title.clone(),
                evidence: profile.evidence,
                qc: profile.qc,
                serial: UsualLine::default(),
                examples: profile.example.clone(),
            };
            Ok(Self { common, profile, kind })
        })
    }
}

/// What needs two fields at once.
fn check(text: &str, profile: &Hl7Profile) -> Result<Kind, ProfileError> {
    let wrong = |key: &str, message: String| {
        let line = text.lines().position(|line| line.trim_start().starts_with(key));
        Err(ProfileError { line: line.map(|line| line.saturating_add(1)), message })
    };
    if profile.driver != "hl7" {
        return wrong("driver", format!("driver is `{}`, but this is a profile of `hl7`", profile.driver));
    }
    if !(1024..=16 << 20).contains(&profile.message_max) {
        let most = profile.message_max;
        return wrong("message_max", format!("message_max is {most}; 1024 to 16777216 bytes are possible"));
    }
    match (&profile.bedside, &profile.laboratory) {
        (Some(bedside), None) => {
            if bedside.absent.iter().any(String::is_empty) {
                return wrong("absent", "absent has an empty text; an empty OBX-5 is no value anyway".into());
            }
            Ok(Kind::Bedside(bedside.clone()))
        }
        (None, Some(laboratory)) => {
            if laboratory.sample.is_empty() {
                return wrong(
                    "sample",
                    "sample names no place; without one every result would be held".into(),
                );
            }
            if laboratory.qc_prefixes.iter().any(String::is_empty) {
                return wrong("qc_prefixes", "qc_prefixes has an empty text; every sample begins so".into());
            }
            let controls = laboratory.qc_prefixes.iter().map(|prefix| Control {
                prefix: intern(prefix),
                clause: intern(&format!("the sample id begins with {prefix}")),
            });
            Ok(Kind::Laboratory(laboratory.clone(), controls.collect()))
        }
        (Some(_), Some(_)) => {
            wrong("[laboratory]", "a profile is either [bedside] or [laboratory], not both".into())
        }
        (None, None) => wrong("driver", "a profile needs a table [bedside] or [laboratory]".into()),
    }
}
