//! Whether a message or a specimen is no patient's, by positive evidence.
//!
//! Promises: LIS02's own marks come first, then the profile's; each has a clause of its own, made once, that holds the
//! profile's text and nothing else of the message. A comment counts wherever it stands under the order, so a specimen is
//! known before its first result. What only looks like a control is said apart, and never taken for one.

use crate::place::{Current, Place};
use crate::plan::Plan;
use crate::profile::QcRules;
use crate::sample;
use orugate_driver::intern;
use orugate_driver::report::Qc;
use orugate_driver::text::Text;
use orugate_protocol::astm::record::{
    ActionCode, Header, Order as OrderRecord, ProcessingId, Record, RecordType, Records,
};

/// A mark of the profile, ready for use.
#[derive(Debug)]
pub(crate) struct Mark {
    at: At,
    how: How,
    text: &'static str,
    clause: &'static str,
}

/// How much of the text it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    All,
    Beginning,
    End,
}

/// Where it is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    SampleId,
    Descriptor,
    Comment,
    Place(Place),
}

impl Mark {
    fn new(at: At, how: How, text: &str) -> Self {
        let what = match at {
            At::SampleId => "the sample id",
            At::Descriptor => "O.16.1",
            At::Comment => "a comment",
            At::Place(place) => place.name(),
        };
        let verb = match how {
            How::All => "is",
            How::Beginning => "begins with",
            How::End => "ends with",
        };
        Self { at, how, text: intern(text), clause: intern(&format!("{what} {verb} {text}")) }
    }

    fn fits(&self, text: &Text<'_>) -> bool {
        match self.how {
            How::All => text.reads(self.text),
            How::Beginning => sample::begins_with(text, self.text),
            How::End => ends_with(text, self.text),
        }
    }

    const fn evidence(&self) -> Qc {
        Qc::ProfileRule(self.clause)
    }
}

/// The marks of a profile.
pub(crate) fn marks(rules: &QcRules) -> Vec<Mark> {
    let QcRules { proof: _, sample_prefixes, sample_suffixes, descriptors, comments, mark, suspects: _ } =
        rules;
    let ids = sample_prefixes.iter().map(|text| Mark::new(At::SampleId, How::Beginning, text));
    let ends = sample_suffixes.iter().map(|text| Mark::new(At::SampleId, How::End, text));
    let kinds = descriptors.iter().map(|text| Mark::new(At::Descriptor, How::All, text));
    let comments = comments.iter().map(|text| Mark::new(At::Comment, How::All, text));
    let places = mark.iter().flat_map(|mark| {
        let is = mark.is.iter().map(|text| Mark::new(At::Place(mark.place), How::All, text));
        is.chain(mark.begins.iter().map(|text| Mark::new(At::Place(mark.place), How::Beginning, text)))
    });
    ids.chain(ends).chain(kinds).chain(comments).chain(places).collect()
}

/// Evidence in the header: all of the message is no patient's.
pub(crate) fn of_message(plan: &Plan, current: &Current<'_>, header: &Header<'_>) -> Option<Qc> {
    let mut codes = header.record().field(12).repeats().filter_map(|code| match ProcessingId::of(code) {
        ProcessingId::QualityControl => Some(Qc::ProcessingId),
        ProcessingId::Training | ProcessingId::Debugging => Some(Qc::Training),
        ProcessingId::Production | ProcessingId::Unknown(_) | ProcessingId::Absent => None,
    });
    codes.next().or_else(|| in_place(plan, current, |record| record == RecordType::Header))
}

/// Evidence in the order, its patient, its sample id or the comments below it.
pub(crate) fn of_specimen<'m>(
    plan: &Plan,
    current: &Current<'m>,
    order: &OrderRecord<'m>,
    id: &Text<'m>,
    below: &Records<'m>,
) -> Option<Qc> {
    // A cobas e 411 says `X\Q`: measured, and of a control.
    if order.record().field(12).repeats().any(|code| ActionCode::of(code) == ActionCode::QualityControl) {
        return Some(Qc::ActionCode);
    }
    let kind = order.specimen_descriptor().component(1).trimmed().text();
    let of_order = plan.qc.iter().find(|mark| match mark.at {
        At::SampleId => mark.fits(id),
        At::Descriptor => mark.fits(&kind),
        At::Comment | At::Place(_) => false,
    });
    of_order
        .map(Mark::evidence)
        .or_else(|| in_place(plan, current, |record| record != RecordType::Header))
        .or_else(|| in_comments(plan, below))
}

/// What a sample id begins with that may as well be a control's: people run one in a patient's place, whatever the model
/// marks, and name it after itself. A patient's id that begins so waits for a person, which costs a look.
const SUSPECTS: [&str; 15] = [
    "QC",
    "CTRL",
    "CNTL",
    "CONTROL",
    "KONTROLL",
    "CALIB",
    "KALIB",
    "CAL-",
    "BLANK",
    "LEVEL",
    "LYPHOCHEK",
    "LIQUICHEK",
    "MULTIQUAL",
    "PRECINORM",
    "PRECIPATH",
];
/// The last word of such an id: molecular analyzers call the controls of an assay HIV_NEG and HIV_LOPOS, and nothing else of their
/// messages tells them from a patient's sample.
const SUSPECT_ENDS: [&str; 10] =
    ["NEG", "NEGATIVE", "POS", "POSITIVE", "LOPOS", "HIPOS", "QC", "CTRL", "CNTL", "CONTROL"];
/// What a patient is called who is none, or a material that nobody took from a patient; whole words, for people are called Blank and
/// Calloway.
const NO_NAMES: [&str; 7] = ["QC", "CTRL", "CNTL", "CONTROL", "KONTROLLE", "CALIBRATOR", "KALIBRATOR"];

/// No evidence, but reason enough to ask somebody: the sample's id or its material, the patient's ids or name.
pub(crate) fn is_suspect(plan: &Plan, id: &Text<'_>, kind: &Text<'_>, patient: Option<Record<'_>>) -> bool {
    let own = plan.profile.qc.suspects.as_deref();
    let looks_like_one = |text: &Text<'_>| match own {
        Some(own) => own.iter().any(|word| begins_in_any_case(text, word)),
        None => {
            SUSPECTS.iter().any(|word| begins_in_any_case(text, word))
                || SUSPECT_ENDS.iter().any(|word| is_last_word(text, word))
        }
    };
    let is_none = |text: &Text<'_>| {
        NO_NAMES.iter().any(|word| begins_in_any_case(text, word) && ends_there(text, word))
    };
    let of_patient = |patient: Record<'_>| {
        [3, 4].into_iter().any(|field| looks_like_one(&patient.field(field).trimmed().text()))
            || (own != Some(&[])
                && patient.field(6).components().take(2).any(|name| is_none(&name.trimmed().text())))
    };
    looks_like_one(id) || (own != Some(&[]) && is_none(kind)) || patient.is_some_and(of_patient)
}

/// The text ends with this one, as its bytes stand there.
fn ends_with(text: &Text<'_>, end: &str) -> bool {
    text.bytes().ends_with(end.as_bytes())
}

/// The text ends with this word, in any case, and no letter or digit stands before it. A byte above 0x7F may be a letter's.
fn is_last_word(text: &Text<'_>, word: &str) -> bool {
    let bytes = text.bytes();
    let Some((before, last)) = bytes.len().checked_sub(word.len()).and_then(|at| bytes.split_at_checked(at))
    else {
        return false;
    };
    let inside = |b: &u8| b.is_ascii_alphanumeric() || !b.is_ascii();
    last.eq_ignore_ascii_case(word.as_bytes()) && !before.last().is_some_and(inside)
}

fn begins_in_any_case(text: &Text<'_>, word: &str) -> bool {
    let mut chars = text.chars();
    word.chars().all(|c| matches!(chars.next(), Some(Ok(d)) if d.eq_ignore_ascii_case(&c)))
}

/// No letter follows the word that the text begins with.
fn ends_there(text: &Text<'_>, word: &str) -> bool {
    !matches!(text.chars().nth(word.len()), Some(Ok(c)) if c.is_alphabetic())
}

fn in_place(plan: &Plan, current: &Current<'_>, of: impl Fn(RecordType) -> bool) -> Option<Qc> {
    let found = plan.qc.iter().find(|mark| match mark.at {
        At::Place(place) if of(place.record()) => {
            place.read(current).is_some_and(|field| mark.fits(&field.text()))
        }
        _ => false,
    });
    found.map(Mark::evidence)
}

/// The comments up to the next order, patient or message.
fn in_comments(plan: &Plan, below: &Records<'_>) -> Option<Qc> {
    let marks = || plan.qc.iter().filter(|mark| mark.at == At::Comment);
    marks().next()?;
    let over = |kind| {
        matches!(
            kind,
            RecordType::Header
                | RecordType::Patient
                | RecordType::Order
                | RecordType::Query
                | RecordType::Terminator
        )
    };
    let comments = below.clone().take_while(|record| !over(record.kind()));
    comments.filter(|record| record.kind() == RecordType::Comment).find_map(|record| {
        let mut texts = plan.profile.comment.fields.iter().map(|n| record.field(n.number()).trimmed().text());
        texts.find_map(|text| marks().find(|mark| mark.fits(&text))).map(Mark::evidence)
    })
}
