//! A profile made ready for use: what it means, once, for the life of the process.

use crate::link_options::FrameNumbersOption;
use crate::measure::Rule;
use crate::profile::{AstmProfile, NotReportable, PlaceNote, QcMark, QcRules};
use crate::qc::{self, Mark};
use crate::scrub::words::Words;
use crate::values::{Ack, Framing, One};
use orugate_driver::report::KnownFlag;
use orugate_driver::text::{Charset, Escapes, Text};
use orugate_driver::{Common, CommonQc, Interned, ProfileError, UsualLine, intern};
use orugate_protocol::ascii::{CR, LF};
use orugate_protocol::astm::record::RecordType;
use toml::de::DeTable;

/// Flags that mean the same in LIS02 R.7 and in HL7 table 0078. The other letters of LIS02 (A, U, D, B, W) are used
/// by vendors for things of their own and pass only when a profile says so.
const SAME_IN_HL7: [&str; 7] = ["L", "H", "LL", "HH", "<", ">", "N"];

/// True for a flag that passes to HL7 without a word in the profile.
pub(crate) fn is_same_in_hl7(flag: &[u8]) -> bool {
    SAME_IN_HL7.iter().any(|code| code.as_bytes() == flag)
}

/// By the profile's text.
static PLANS: Interned<Plan> = Interned::new();

/// A profile ready for use.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) common: Common,
    pub(crate) profile: AstmProfile,
    charset: Charset,
    /// Beside the profile's `not_reportable`, rule by rule.
    pub(crate) rules: Vec<Rule>,
    /// What marks quality control, beside LIS02's own marks.
    pub(crate) qc: Vec<Mark>,
    /// The profile's flags, then those of LIS02 that it does not redefine.
    pub(crate) flags: Vec<KnownFlag<'static>>,
    /// The highest field of a record that the profile names, by the record's letter.
    last_fields: Vec<(u8, usize)>,
    /// Other sample id than the one that was taken: the note's subject, place by place.
    pub(crate) differs: Vec<(&'static str, &'static str)>,
    /// What the profile's own text names.
    pub(crate) words: Words,
}

impl Plan {
    /// Reads a profile.
    pub(crate) fn read(text: &str) -> Result<&'static Self, ProfileError> {
        PLANS.of(text, || {
            let profile: AstmProfile = toml::from_str(text).map_err(|e| ProfileError::from_toml(text, &e))?;
            check(text, &profile)?;
            Ok(Self::new(profile, Words::of(text)))
        })
    }

    fn new(profile: AstmProfile, words: Words) -> Self {
        let common = Common {
            name: profile.name.clone(),
            driver: profile.driver.clone(),
            title: profile.title.clone(),
            evidence: profile.evidence,
            qc: CommonQc { proof: profile.qc.proof },
            serial: UsualLine::default(),
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
        let last_fields = last_fields(&profile);
        let rules = profile.not_reportable.iter().map(rule).collect();
        let qc = qc::marks(&profile.qc);
        Self { common, charset: profile.charset.0, rules, qc, flags, last_fields, differs, words, profile }
    }

    /// The charset of a message. Its whole records decide: one that is cut may be cut inside a character.
    pub(crate) fn charset(&self, message: &[u8]) -> Charset {
        let Some(fallback) = &self.profile.charset_fallback else { return self.charset };
        let whole = message.iter().rposition(|b| matches!(*b, CR | LF)).unwrap_or(message.len());
        let text = Text::new(message.get(..whole).unwrap_or_default(), self.charset, Escapes::None);
        if text.undecodable().is_some() { fallback.0 } else { self.charset }
    }

    /// The highest field of such a record that the profile names; 0 when it names none.
    pub(crate) fn last_field(&self, kind: RecordType) -> usize {
        let fields = self.last_fields.iter().filter(|(letter, _)| *letter == kind.letter());
        fields.map(|(_, field)| *field).max().unwrap_or(0)
    }
}

/// A rule with what its hold says.
fn rule(rule: &NotReportable) -> Rule {
    let name = rule.rule.0;
    let sentence = || {
        intern(&format!(
            "By the rule {name} of the profile nobody knows what such a value means. Compare with the instrument's \
             screen; correct `not_reportable` in the profile, then release, or discard."
        ))
    };
    Rule { name, hold: rule.hold.then(sentence) }
}

/// The fields of all places that are no more than places; the sample id's are within the standard's.
fn last_fields(profile: &AstmProfile) -> Vec<(u8, usize)> {
    let AstmProfile { operator, verifier, device, isolate, note, time, comment, result, .. } = profile;
    let one = [*operator, *verifier, *device, isolate.number, time.started, time.completed];
    let fields = [result.range, result.flags, result.nature, result.status];
    let places = one.into_iter().flatten().chain(note.iter().map(|note| note.place)).chain(fields);
    let comments = comment.fields.iter().map(|n| (b'C', n.number()));
    places.map(|place| (place.record().letter(), place.field())).chain(comments).collect()
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
    for (n, rule) in profile.not_reportable.iter().enumerate() {
        let ways = [&rule.value, &rule.only, &rule.between].into_iter().flatten().count();
        let bad = rule.between.as_ref().is_some_and(|ends| ends.len() != 2 || !ends.is_ascii());
        if ways != 1 || bad {
            return wrong(
                &format!("not_reportable.{n}.rule"),
                "a not_reportable has neither `value`, `only` nor `between` (two ASCII characters), or several of them; \
                 say which text is no value by one"
                    .into(),
            );
        }
    }
    for (n, QcMark { place, is, begins }) in profile.qc.mark.iter().enumerate() {
        let elsewhere = matches!(place.record(), RecordType::Result | RecordType::Query);
        let empty = is.iter().chain(begins).any(String::is_empty) || (is.is_empty() && begins.is_empty());
        if elsewhere || empty {
            return wrong(
                &format!("qc.mark.{n}.place"),
                format!(
                    "a mark of quality control in `{}`; it is a place in H, P or O, with texts under `is` or `begins` \
                     that are not empty",
                    place.name()
                ),
            );
        }
    }
    let QcRules { sample_prefixes, sample_suffixes, descriptors, comments, .. } = &profile.qc;
    let marks = [sample_prefixes, sample_suffixes, descriptors, comments];
    let suspects = profile.qc.suspects.iter();
    if marks.into_iter().chain(suspects).flatten().any(String::is_empty) {
        return wrong("qc", "an empty text under qc would make a control of every sample".into());
    }
    let fields = &profile.result;
    for (key, place) in [
        ("range", &fields.range),
        ("flags", &fields.flags),
        ("nature", &fields.nature),
        ("status", &fields.status),
    ] {
        let beside_value = key == "flags" && (1..100).any(|n| place.is_component(RecordType::Result, 4, n));
        if !place.is_field_of(RecordType::Result) && !beside_value {
            return wrong(
                &format!("result.{key}"),
                format!(
                    "result.{key} is `{}`, but it is a whole field of R, such as \"R.8\"; flags may be a component of R.4",
                    place.name()
                ),
            );
        }
    }
    if let Some(n) = profile.unit.iter().position(|unit| unit.sent.is_empty()) {
        return wrong(
            &format!("unit.{n}.sent"),
            "unit.sent is empty; a unit that was not sent cannot be translated".into(),
        );
    }
    for (n, PlaceNote { place, codes, .. }) in profile.note.iter().enumerate() {
        if !matches!(place.record(), RecordType::Order | RecordType::Result) {
            let message =
                format!("note.place is `{}`, but a remark is made of a field of O or R", place.name());
            return wrong(&format!("note.{n}.place"), message);
        }
        if place.record() == RecordType::Order && !codes.is_empty() {
            let message =
                format!("note.codes is said for `{}`, but an order has tests and not one", place.name());
            return wrong(&format!("note.{n}.codes"), message);
        }
    }
    let split = profile.code.split.as_ref().map(|split| split.at);
    for (key, at) in [("code.ends_at", profile.code.ends_at), ("code.split.at", split)] {
        if let Some(One(delimiter @ (b'|' | b'\\' | b'^' | b'&'))) = at {
            let delimiter = char::from(delimiter);
            return wrong(key, format!("{key} is `{delimiter}`, which delimits parts of the record already"));
        }
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

/// The line, from 1, that gives a key such as `sample.id` or `note.0.place` its value.
fn line_of(text: &str, path: &str) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let mut names = path.split('.');
    let (key, mut value) = table.get_ref().get_key_value(names.next()?)?;
    let mut span = key.span();
    for name in names {
        if let Some(array) = value.get_ref().as_array() {
            value = array.get(name.parse::<usize>().ok()?)?;
            span = value.span();
        } else if let Some(inner) = value.get_ref().as_table() {
            let (key, below) = inner.get_key_value(name)?;
            (span, value) = (key.span(), below);
        }
    }
    let before = text.as_bytes().get(..span.start)?;
    Some(before.iter().filter(|b| **b == b'\n').count().saturating_add(1))
}
