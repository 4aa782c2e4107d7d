//! Which text of an order is the sample id.
//!
//! Promises: an id is taken from one place as it stands, spaces around it aside. Where a profile names a whole field
//! and several of its components could be the id, none is: a result without an id is held for a person, a result
//! under a rack number is filed under a stranger.

use crate::place::{Current, Place};
use crate::plan::Plan;
use orugate_driver::report::{Note, NoteKind, ReportSink};
use orugate_driver::text::Text;
use orugate_protocol::astm::record::{Field, RecordType};

/// Fewer characters than this are a number of the instrument's own (sequence, rack, run) as often as an id.
const LIKELY: usize = 6;
/// Beside the standard's place for the id, so many characters cannot be passed over as a rack or a suffix.
const DOUBTFUL: usize = 4;
/// Spaces behind an id mean a fixed width only from here on.
const WIDE: usize = 8;

/// What a place holds.
pub(crate) enum Held<'m> {
    Nothing,
    Id(Field<'m>),
    /// More than one text could be the id.
    Several(Field<'m>),
}

/// The sample id of the current order and the place where it was found; both empty when there is none.
pub(crate) fn find<'m>(
    plan: &Plan,
    current: &Current<'m>,
    sink: &mut dyn ReportSink<'m>,
) -> (Text<'m>, &'static str) {
    let sample = &plan.profile.sample;
    let places = sample
        .when
        .iter()
        .find(|when| when.place.read(current).is_some_and(|f| f.text().reads(&when.is)))
        .map_or(&sample.id, |when| &when.id);
    // What an instrument writes when it could read no barcode would file its results under a stranger.
    let made_up = |id: &Field<'m>| sample.none_prefixes.iter().any(|prefix| begins_with(&id.text(), prefix));
    let mut found = places.iter().map(|place| match at(place, current) {
        Held::Id(id) if made_up(&id) => (place, Held::Nothing),
        held => (place, held),
    });
    let mut note = |kind, subject, field: Field<'m>| {
        sink.note(Note { kind, span: field.span(), subject: Text::plain(subject) });
    };
    let (place, id) = loop {
        match found.next() {
            None => return (Text::EMPTY, ""),
            Some((_, Held::Nothing)) => {}
            Some((place, Held::Id(id))) => break (place, id),
            Some((place, Held::Several(field))) => {
                note(NoteKind::SampleIdUnclear, place.name(), field);
                return (Text::EMPTY, "");
            }
        }
    };
    if sample.search {
        let of_patient = place.record() != RecordType::Order;
        for (other, held) in found {
            let Held::Id(field) = held else { continue };
            if field.bytes() == id.bytes() {
                continue;
            }
            if of_patient {
                // Two ids of a patient, and nothing says which of them was typed for the sample.
                note(NoteKind::SampleIdUnclear, other.name(), field);
                return (Text::EMPTY, "");
            }
            // A patient's id beside a sample's is no contradiction; another id in the order is worth a look. `114^1^18`
            // is sequence, rack and position with some (Mindray), and the id is the other one.
            if other.record() == RecordType::Order {
                if place.read_field(current).is_some_and(is_position) {
                    note(NoteKind::SampleIdUnclear, other.name(), field);
                    return (Text::EMPTY, "");
                }
                let differs = plan.differs.iter().find(|(name, _)| *name == other.name());
                note(NoteKind::SampleIdFound, differs.map_or(other.name(), |(_, differs)| differs), field);
            }
        }
        note(NoteKind::SampleIdFound, place.name(), id);
    }
    (id.text(), place.name())
}

/// Several short numbers and nothing else.
fn is_position(field: Field<'_>) -> bool {
    let mut filled = field.components().map(|c| c.trimmed()).filter(|c| !c.is_empty());
    let short = |c: Field<'_>| c.bytes().len() < LIKELY && c.bytes().iter().all(u8::is_ascii_digit);
    filled.clone().nth(1).is_some() && filled.all(short)
}

pub(crate) fn begins_with(text: &Text<'_>, prefix: &str) -> bool {
    let mut chars = text.chars();
    prefix.chars().all(|c| chars.next() == Some(Ok(c)))
}

pub(crate) fn at<'m>(place: &Place, current: &Current<'m>) -> Held<'m> {
    let Some(field) = place.read_field(current) else { return Held::Nothing };
    if !place.is_field() {
        // One id for each of several specimens is nobody's in particular.
        let mut ids = field.repeats().filter_map(|repeat| place.read_repeat(repeat));
        return match ids.next() {
            None => Held::Nothing,
            Some(first) if ids.any(|other| other.bytes() != first.bytes()) => Held::Several(field),
            Some(first) => Held::Id(first),
        };
    }
    let mut repeats = field.repeats().filter(|r| r.components().any(|c| !c.trimmed().is_empty()));
    if let (Some(first), Some(second)) = (repeats.next(), repeats.next())
        && first.bytes() != second.bytes()
    {
        return Held::Several(field);
    }
    likely(field, place.is_standard_sample_id())
}

/// The component of a whole field that is the id. In order:
/// - the only one with spaces to a fixed width around it: instruments pad an id and nothing else in O.3 and O.4
///   (Sysmex `^^            27^M`, cobas c311 `11625^CL-PL-24-0001         ^1^^004`);
/// - in the standard's own place, O.3, the first component, when nothing beside it is long enough to be another id
///   (Vitros `44444411^2^10`);
/// - the only one that is long enough to be an id (cobas c111 `T20 10134GA D28^^6`). A sequence number with a rack or
///   a reagent lot (`0^50005^005^^S1^SC`, DCA Vantage `660^0090`) is none, nor is a run number alone (Afinion `5`).
fn likely(field: Field<'_>, standard: bool) -> Held<'_> {
    let filled = || field.components().filter(|c| !c.trimmed().is_empty());
    let padded = |c: &Field<'_>| {
        let bytes = c.bytes();
        bytes.starts_with(b" ") || (bytes.ends_with(b" ") && bytes.len() >= WIDE)
    };
    let long = |c: &Field<'_>, length: usize| {
        let bytes = c.trimmed().bytes();
        bytes.len() >= length && bytes.iter().any(u8::is_ascii_digit)
    };
    let mut wide = filled().filter(padded);
    match (wide.next(), wide.next()) {
        (Some(only), None) => return Held::Id(only.trimmed()),
        (Some(_), Some(_)) => return Held::Several(field),
        _ => {}
    }
    if standard {
        let first = field.component(1).trimmed();
        let mut beside = field.components().skip(1).filter(|c| long(c, DOUBTFUL));
        return match (first.is_empty(), beside.next(), beside.next()) {
            (false, None, _) => Held::Id(first),
            (true, Some(only), None) => Held::Id(only.trimmed()),
            (true, None, _) => Held::Nothing,
            _ => Held::Several(field),
        };
    }
    let mut ids = filled().filter(|c| long(c, LIKELY));
    match (ids.next(), ids.next()) {
        (Some(only), None) => Held::Id(only.trimmed()),
        (Some(_), Some(_)) => Held::Several(field),
        _ => Held::Nothing,
    }
}
