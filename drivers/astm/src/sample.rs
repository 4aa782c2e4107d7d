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
        .find(|when| when.place.read(current).is_some_and(|f| f.text(plan.charset).reads(&when.is)))
        .map_or(&sample.id, |when| &when.id);
    let mut found = places.iter().filter_map(|place| Some((place, at(place, current)?)));
    let Some((place, id)) = found.next() else { return (Text::EMPTY, "") };
    if sample.search {
        let mut note = |subject, field: Field<'m>| {
            sink.note(Note {
                kind: NoteKind::SampleIdFound,
                span: field.span(),
                subject: Text::plain(subject),
            });
        };
        note(place.name(), id);
        // A patient's id beside a sample's is no contradiction; another id in the order is.
        for (other, field) in found.filter(|(other, _)| other.record() == RecordType::Order) {
            if field.bytes() != id.bytes() {
                let differs = plan.differs.iter().find(|(name, _)| *name == other.name());
                note(differs.map_or(other.name(), |(_, differs)| differs), field);
            }
        }
    }
    (id.text(plan.charset), place.name())
}

fn at<'m>(place: &Place, current: &Current<'m>) -> Option<Field<'m>> {
    let field = place.read(current)?;
    if place.is_field() { likely(field) } else { Some(field) }
}

/// The component of a field that looks like an id. In order:
/// - the only one that there is;
/// - the first with spaces before it: instruments pad an id to a fixed width, and nothing else in O.3 and O.4
///   (Sysmex `^^            27^M`, `000123^02^     6550049260^B`);
/// - the only one of two or more characters with a digit among them, since rack positions and attributes of one
///   character are common beside it (cobas c111 `T20 10134GA D28^^6`). Sequence, rack and position beside each other
///   (`0^50005^005^^S1^SC`) are no id at all.
fn likely(field: Field<'_>) -> Option<Field<'_>> {
    let filled = || field.components().filter(|c| !c.trimmed().is_empty());
    let only = |of: &mut dyn Iterator<Item = Field<'_>>| {
        let first = of.next();
        first.is_some() && of.next().is_none()
    };
    if only(&mut filled()) {
        return filled().next().map(Field::trimmed);
    }
    if let Some(padded) = filled().find(|c| c.bytes().starts_with(b" ")) {
        return Some(padded.trimmed());
    }
    let like = || {
        filled()
            .map(Field::trimmed)
            .filter(|c| c.bytes().len() >= 2 && c.bytes().iter().any(u8::is_ascii_digit))
    };
    if only(&mut like()) { like().next() } else { None }
}
