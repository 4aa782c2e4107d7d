//! A profile made ready for use: what it means, once, for the life of the process.

use crate::profile::MedibusProfile;
use crate::wire::{ARGUMENT_MAX, command};
use crate::{data, tables};
use orugate_driver::{Common, CommonQc, Interned, ProfileError};

/// Codes that one 4A command takes.
const CODES_MAX: usize = (ARGUMENT_MAX - 1) / 2;

/// By the profile's text.
static PLANS: Interned<Plan> = Interned::new();

/// A profile ready for use.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) common: Common,
    pub(crate) profile: MedibusProfile,
    /// The 4A commands, whole.
    pub(crate) configure: Vec<Vec<u8>>,
}

impl Plan {
    /// Reads a profile.
    pub(crate) fn read(text: &str) -> Result<&'static Self, ProfileError> {
        tables::load();
        PLANS.of(text, || {
            let profile: MedibusProfile =
                toml::from_str(text).map_err(|e| ProfileError::from_toml(text, &e))?;
            check(text, &profile)?;
            Ok(Self::new(profile))
        })
    }

    fn new(profile: MedibusProfile) -> Self {
        let common = Common {
            name: profile.name.clone(),
            driver: profile.driver.clone(),
            title: profile.title.clone(),
            evidence: profile.evidence,
            qc: CommonQc::default(),
            serial: profile.serial.clone().unwrap_or_default(),
            examples: profile.example.clone(),
        };
        let configure = profile.configure.iter().map(|configure| {
            let mut argument = vec![configure.of.0];
            argument.extend(configure.codes.iter().flat_map(|code| format!("{:02X}", code.0).into_bytes()));
            command(0x4A, &argument)
        });
        let configure = configure.collect();
        Self { common, profile, configure }
    }
}

/// What needs two fields at once.
fn check(text: &str, profile: &MedibusProfile) -> Result<(), ProfileError> {
    let wrong = |key: &str, message: String| {
        let line = text.lines().position(|line| line.trim_start().starts_with(key));
        Err(ProfileError { line: line.map(|line| line.saturating_add(1)), message })
    };
    if profile.driver != "medibus" {
        return wrong(
            "driver",
            format!("driver is `{}`, but this is a profile of `medibus`", profile.driver),
        );
    }
    if profile.poll.is_empty() || profile.poll.len() > 16 {
        return wrong("poll", format!("poll has {} commands; 1 to 16 are possible", profile.poll.len()));
    }
    for (at, request) in profile.poll.iter().enumerate() {
        if profile.poll.iter().take(at).any(|before| before == request) {
            return wrong("poll", format!("poll asks for {:02X} twice", request.0));
        }
    }
    if profile.stale_after.0 < profile.cycle.0.saturating_mul(3) {
        return wrong(
            "stale_after",
            "stale_after is less than three times cycle, so values would go that are only late".into(),
        );
    }
    for configure in &profile.configure {
        if !matches!(configure.of.0, 0x24 | 0x27 | 0x29 | 0x2A | 0x2B | 0x2E)
            || data::Shape::of(configure.of.0).is_none()
        {
            let of = configure.of.0;
            return wrong("of", format!("configure.of is {of:02X}; allowed are 24, 27, 29, 2A, 2B and 2E"));
        }
        let codes = configure.codes.len();
        if codes > CODES_MAX {
            return wrong("codes", format!("configure.codes has {codes} codes; a command takes {CODES_MAX}"));
        }
    }
    Ok(())
}
