//! A profile made ready for use: what it means, once, for the life of the process.

use crate::intern::{intern, intern_plan};
use crate::link_options::FrameNumbersOption;
use crate::profile::AstmProfile;
use crate::values::{Ack, Framing, One};
use orugate_driver::report::KnownFlag;
use orugate_driver::text::Charset;
use orugate_driver::{Common, ProfileError};
use toml::de::DeTable;

/// Flags that mean the same in LIS02 R.7 and in HL7 table 0078. The other letters of LIS02 (A, U, D, B, W) are used
/// by vendors for things of their own and pass only when a profile says so.
const SAME_IN_HL7: [&str; 7] = ["L", "H", "LL", "HH", "<", ">", "N"];

/// A profile ready for use.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) common: Common,
    pub(crate) profile: AstmProfile,
    pub(crate) charset: Charset,
    /// The profile's flags, then those of LIS02 that it does not redefine.
    pub(crate) flags: Vec<KnownFlag<'static>>,
    /// Other sample id than the one that was taken: the note's subject, place by place.
    pub(crate) differs: Vec<(&'static str, &'static str)>,
}

impl Plan {
    /// Reads a profile.
    pub(crate) fn read(text: &str) -> Result<&'static Self, ProfileError> {
        intern_plan(text, || {
            let profile: AstmProfile = toml::from_str(text).map_err(|e| ProfileError::from_toml(text, &e))?;
            check(text, &profile)?;
            Ok(Self::new(profile))
        })
    }

    fn new(profile: AstmProfile) -> Self {
        let common = Common {
            name: profile.name.clone(),
            driver: profile.driver.clone(),
            title: profile.title.clone(),
            evidence: profile.evidence,
            examples: profile.example.clone(),
        };
        let mut flags: Vec<_> = profile
            .flag
            .iter()
            .map(|flag| KnownFlag {
                code: intern(&flag.code),
                hl7: flag.hl7.as_deref().map(intern),
                meaning: intern(&flag.meaning),
            })
            .collect();
        for code in SAME_IN_HL7 {
            if !flags.iter().any(|flag| flag.code == code) {
                flags.push(KnownFlag { code, hl7: Some(code), meaning: "" });
            }
        }
        let all = profile.sample.when.iter().flat_map(|when| &when.id).chain(&profile.sample.id);
        let differs = all.map(|place| (place.name(), intern(&format!("{} differs", place.name())))).collect();
        Self { common, charset: profile.charset.0, flags, differs, profile }
    }
}

/// What needs more than one field to be judged.
fn check(text: &str, profile: &AstmProfile) -> Result<(), ProfileError> {
    let wrong = |key: &str, message: String| Err(ProfileError { line: line_of(text, key), message });
    if profile.driver != "astm" {
        return wrong("driver", format!("driver is `{}`, but this is a profile of `astm`", profile.driver));
    }
    if profile.sample.id.is_empty() {
        return wrong("sample.id", "sample.id names no place; without one every result would be held".into());
    }
    if let Some(One(delimiter @ (b'|' | b'\\' | b'^' | b'&'))) = profile.code.ends_at {
        let delimiter = char::from(delimiter);
        return wrong(
            "code.ends_at",
            format!("code.ends_at is `{delimiter}`, which delimits parts of the record already"),
        );
    }
    if profile.framing == Framing::Records && profile.link.one_way {
        return wrong(
            "link.one_way",
            "link.one_way says nothing with framing = \"records\", which is never answered".into(),
        );
    }
    if profile.ack == Ack::Message && profile.link.frame_numbers == FrameNumbersOption::Any {
        return wrong(
            "link.frame_numbers",
            "ack = \"message\" needs link.frame_numbers = \"strict\": a damaged frame gets no NAK there, and only the \
             numbers show that it is missing"
                .into(),
        );
    }
    Ok(())
}

/// The line, from 1, that gives a key such as `sample.id` its value.
fn line_of(text: &str, path: &str) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let mut table = table.get_ref();
    let mut span = None;
    for name in path.split('.') {
        let (key, value) = table.get_key_value(name)?;
        span = Some(key.span());
        table = match value.get_ref().as_table() {
            Some(inner) => inner,
            None => break,
        };
    }
    let before = text.as_bytes().get(..span?.start)?;
    Some(before.iter().filter(|b| **b == b'\n').count().saturating_add(1))
}
