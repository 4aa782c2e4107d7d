//! A profile made ready for use: what it means, once, for the life of the process.

use crate::place::Place;
use crate::profile::{Bedside, Hl7Profile, Laboratory};
use crate::read;
use orugate_driver::report::KnownFlag;
use orugate_driver::{Common, Interned, ProfileError, UsualLine, intern};
use orugate_protocol::mdc;

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
    Laboratory(Box<Laboratory>, Rules),
}

/// What a laboratory's profile says, ready to be looked up.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) controls: Vec<Control>,
    /// Those of table 0078 and the profile's own.
    pub(crate) flags: Vec<KnownFlag<'static>>,
}

/// What marks something that is no patient's.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) mark: Mark,
    pub(crate) clause: &'static str,
}

#[derive(Debug)]
pub(crate) enum Mark {
    /// The sample id begins so.
    Prefix(&'static str),
    /// This stands there.
    At(Place, &'static str),
}

/// Table 0078 of HL7 2.5.1.
const TABLE_0078: [&str; 18] =
    ["L", "H", "LL", "HH", "<", ">", "N", "A", "AA", "U", "D", "B", "W", "S", "R", "I", "MS", "VS"];

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
            for (key, numbers) in
                [("absent ", &bedside.absent), ("absent_where_positive", &bedside.absent_where_positive)]
            {
                if let Some(text) = numbers.iter().find(|text| !read::is_number(text.as_bytes())) {
                    return wrong(key, format!("`{text}` is no number; what is none is no value anyway"));
                }
            }
            if let Some(row) = bedside.term.iter().find(|row| mdc::term(row.mdc).is_none()) {
                let message = format!(
                    "{} is no MDC code that is known here, and {} is said to be it",
                    row.mdc, row.code
                );
                return wrong("mdc", message);
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
            let prefixes = laboratory.qc_prefixes.iter().map(|prefix| Control {
                mark: Mark::Prefix(intern(prefix)),
                clause: intern(&format!("the sample id begins with {prefix}")),
            });
            let marks = laboratory.control.iter().map(|row| Control {
                mark: Mark::At(row.place, intern(&row.is)),
                clause: intern(&format!("{} is {}", row.place.name(), row.is)),
            });
            let own = laboratory.flag.iter().map(|row| KnownFlag {
                code: intern(&row.code),
                hl7: row.hl7.as_deref().map(intern),
                meaning: intern(&row.meaning),
            });
            let table = TABLE_0078.iter().map(|code| KnownFlag { code, hl7: Some(code), meaning: "" });
            let rules =
                Rules { controls: prefixes.chain(marks).collect(), flags: own.chain(table).collect() };
            Ok(Kind::Laboratory(Box::new(laboratory.clone()), rules))
        }
        (Some(_), Some(_)) => {
            wrong("[laboratory]", "a profile is either [bedside] or [laboratory], not both".into())
        }
        (None, None) => wrong("driver", "a profile needs a table [bedside] or [laboratory]".into()),
    }
}
