//! What was measured: value, unit, range, flags and status of one result.
//!
//! Promises: digits are never changed. A value is one text of R.4, or the whole field where several could be it; a
//! decimal comma becomes a point and a unit becomes UCUM only where a profile says so, and then what the instrument
//! wrote goes along. Leaves out which test it is.

use crate::place::{self, Current};
use crate::plan::Plan;
use crate::profile::{NotReportable, ValueWhen};
use crate::values::{Component, FlagSeparator, Letter};
use orugate_driver::report::{Flags, Status};
use orugate_driver::text::Text;
use orugate_driver::{Fault, Scratch};
use orugate_protocol::astm::record::{Field, RecordType, ResultRecord, ResultStatus};

/// The value as the instrument wrote it, and the flags: R.7's, or for some tests those of places in R.4.
pub(crate) fn value<'m>(
    plan: &'static Plan,
    current: &Current<'m>,
    result: &ResultRecord<'m>,
    code: &Text<'_>,
) -> (Text<'m>, Flags<'m>) {
    let field = result.value();
    let flags = flags(plan, result);
    let own = plan.profile.value.when.iter().find(|when| when.codes.iter().any(|listed| code.reads(listed)));
    if let Some(when) = own
        && accounted(plan, when, result, code)
        && let Some(value) = part(&when.components, field)
    {
        let interpretation = place::first(&when.flags, current).map(|flag| flag.text());
        return (value.unwrap_or(Text::EMPTY), Flags { text: interpretation.unwrap_or(flags.text), ..flags });
    }
    let components = if own.is_some() { &[][..] } else { &plan.profile.value.components };
    let value = part(components, field).flatten();
    let whole = || without_empty_tail(field.trimmed().text(), result.record().delimiters().component);
    (value.unwrap_or_else(whole), flags)
}

/// The one of these components that is filled; nothing when several are, and nothing within when none is.
#[allow(clippy::option_option)] // Two kinds of nothing: more than one value, and none.
fn part<'m>(components: &[Component], field: Field<'m>) -> Option<Option<Text<'m>>> {
    let mut filled =
        components.iter().map(|n| field.component(n.number()).trimmed()).filter(|f| !f.is_empty());
    let first = filled.next();
    let several = filled.any(|other| first.is_some_and(|first| other.bytes() != first.bytes()));
    (!several && field.repeats().nth(1).is_none()).then_some(first.map(|first| first.text()))
}

/// True when each part of R.4 that is filled has a place in the ORU, and R.7 does not compete for one.
fn accounted(plan: &Plan, when: &ValueWhen, result: &ResultRecord<'_>, code: &Text<'_>) -> bool {
    let noted = |n: usize| {
        plan.profile.note.iter().any(|note| {
            note.place.is_component(RecordType::Result, 4, n)
                && note.is.is_none()
                && (note.codes.is_empty() || note.codes.iter().any(|listed| code.reads(listed)))
        })
    };
    let known = |n: usize| {
        when.components.iter().any(|c| c.number() == n)
            || when.flags.iter().any(|flag| flag.is_component(RecordType::Result, 4, n))
            || noted(n)
    };
    let mut parts = (1usize..).zip(result.value().components());
    parts.all(|(n, part)| part.trimmed().is_empty() || known(n))
        && (when.flags.is_empty() || flag_field(plan, result).trimmed().is_empty())
}

/// `NEGATIVE^` says no more than `NEGATIVE`: trailing empty components may be omitted as trailing fields may.
fn without_empty_tail(value: Text<'_>, component: u8) -> Text<'_> {
    value.without_tail(&[component]).trimmed()
}

/// A rule by which something is no value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    /// It is not known what it is instead: what the hold says.
    pub(crate) hold: Option<&'static str>,
}

/// The rule by which this is no value.
pub(crate) fn not_reportable(plan: &Plan, value: &Text<'_>) -> Option<Rule> {
    let applies = |(rule, _): &(&NotReportable, &Rule)| match (&rule.value, &rule.only, &rule.between) {
        (Some(exact), ..) => value.reads(exact),
        (None, Some(only), _) => {
            !value.is_empty() && value.chars().all(|c| c.is_ok_and(|c| c == ' ' || only.contains(c)))
        }
        (None, None, Some(ends)) => {
            let inside = value.bytes().get(1..value.bytes().len().saturating_sub(1));
            inside.is_some_and(|inside| !inside.is_empty())
                && [value.bytes().first(), value.bytes().last()].into_iter().flatten().eq(ends.as_bytes())
        }
        (None, None, None) => false,
    };
    plan.profile.not_reportable.iter().zip(&plan.rules).find(applies).map(|(_, rule)| *rule)
}

/// The unit, and what the instrument wrote for it when the profile's table says that it means something else.
pub(crate) fn unit<'m>(plan: &'static Plan, code: &Text<'_>, sent: Text<'m>) -> (Text<'m>, Text<'m>) {
    let table = plan.profile.unit.iter();
    let mut fits = table.filter(|unit| {
        let listed = unit.codes.is_empty() || unit.codes.iter().any(|listed| code.reads(listed));
        listed && sent.reads(&unit.sent)
    });
    match fits.next() {
        None => (sent, Text::EMPTY),
        Some(unit) if unit.ucum.0.is_empty() => (Text::EMPTY, Text::EMPTY),
        Some(unit) => (Text::plain(unit.ucum.0), sent),
    }
}

/// The reference range. One range has its name beside it (`3.50 - 10.00^REFERENCE_RANGE`, `^DEFAULT`). Several ranges,
/// or one whose parts are all numbers, only make sense together; `low^high` is written `low-high` where the profile
/// says that these are its ends.
pub(crate) fn range<'m>(
    plan: &Plan,
    result: &ResultRecord<'m>,
    scratch: &mut Scratch<'m>,
) -> Result<Text<'m>, Fault> {
    let rules = &plan.profile.result;
    let ranges = result.record().field(rules.range.field());
    let text = |field: Field<'m>| field.trimmed().text();
    let single = ranges.repeats().nth(1).is_none();
    let (low, high) = (text(ranges.component(1)), text(ranges.component(2)));
    if rules.low_high && single && !low.is_empty() && !high.is_empty() {
        let more = ranges.components().skip(2).any(|c| !c.trimmed().is_empty());
        return if more { Ok(text(ranges)) } else { joined(low, high, scratch) };
    }
    let digits = |field: Field<'m>| field.text().chars().any(|c| matches!(c, Ok('0'..='9')));
    let named = !ranges.components().skip(1).any(digits);
    Ok(text(if single && named { ranges.component(1) } else { ranges }))
}

/// Both ends of a range, as HL7 writes them.
fn joined<'m>(low: Text<'m>, high: Text<'m>, scratch: &mut Scratch<'m>) -> Result<Text<'m>, Fault> {
    let length = low.bytes().len().saturating_add(high.bytes().len()).saturating_add(1);
    let space = scratch.take(length).ok_or(Fault::Space)?;
    for (slot, byte) in space.iter_mut().zip(low.bytes().iter().chain(b"-").chain(high.bytes())) {
        *slot = *byte;
    }
    Ok(low.with_bytes(space))
}

/// Where the flags are.
pub(crate) fn flag_field<'m>(plan: &Plan, result: &ResultRecord<'m>) -> Field<'m> {
    plan.profile.result.flags.in_record(result.record())
}

fn flags<'m>(plan: &'static Plan, result: &ResultRecord<'m>) -> Flags<'m> {
    let delimiters = result.record().delimiters();
    Flags {
        text: flag_field(plan, result).trimmed().text(),
        separator: match plan.profile.flag_separator {
            FlagSeparator::Repeat => delimiters.repeat,
            FlagSeparator::Component => delimiters.component,
            FlagSeparator::Comma => b',',
        },
        known: &plan.flags,
    }
}

/// hl7.md A.2, unless the profile says otherwise. Of several codes (`F@C`), a correction is the one to act on.
pub(crate) fn status(plan: &Plan, result: &ResultRecord<'_>) -> Status {
    let field = result.record().field(plan.profile.result.status.field());
    let mut each = field.repeats().map(|repeat| one_status(plan, repeat.trimmed()));
    let first = each.next().unwrap_or(Status::Absent);
    each.find(|status| *status == Status::Corrected).unwrap_or(first)
}

fn one_status(plan: &Plan, code: Field<'_>) -> Status {
    if let Some(word) = Letter::from_field(code.bytes()).and_then(|letter| plan.profile.status.get(&letter)) {
        return (*word).into();
    }
    match ResultStatus::of(code) {
        ResultStatus::Final
        | ResultStatus::Verified
        | ResultStatus::MicLevel
        | ResultStatus::QueryResponse
        | ResultStatus::PreviouslyTransmitted => Status::Final,
        ResultStatus::Preliminary | ResultStatus::Partial => Status::Preliminary,
        ResultStatus::Correction => Status::Corrected,
        ResultStatus::CannotBeDone => Status::NotDone,
        ResultStatus::Pending => Status::Pending,
        ResultStatus::Questionable => Status::Questionable,
        ResultStatus::NewOrderInformation => Status::RerunInformation,
        ResultStatus::Absent => Status::Absent,
        ResultStatus::Unknown(code) => Status::Unknown(code.first().copied().unwrap_or_default()),
    }
}

/// Each comma between the digits of a number as a point, in scratch space; any other text as it is. A number with
/// more commas, or with a point as well, has thousands in it and stays.
pub(crate) fn with_point<'m>(text: Text<'m>, scratch: &mut Scratch<'m>) -> Result<Text<'m>, Fault> {
    let bytes = text.bytes();
    // In GB18030 what looks like a digit may end a character.
    let plain = bytes.is_ascii() || !text.charset().hides(b'0');
    if !plain || !(0..bytes.len()).any(|at| is_decimal_comma(bytes, at)) {
        return Ok(text);
    }
    let copy = scratch.take(bytes.len()).ok_or(Fault::Space)?;
    for (at, (slot, byte)) in copy.iter_mut().zip(bytes).enumerate() {
        *slot = if is_decimal_comma(bytes, at) { b'.' } else { *byte };
    }
    Ok(text.with_bytes(copy))
}

fn is_decimal_comma(bytes: &[u8], at: usize) -> bool {
    let (Some((before, [b',', after @ ..])), true) = (bytes.split_at_checked(at), at > 0) else {
        return false;
    };
    let of_number = |b: &&u8| matches!(**b, b'0'..=b'9' | b',' | b'.');
    let mut rest = before.iter().rev().take_while(of_number).chain(after.iter().take_while(of_number));
    before.last().is_some_and(u8::is_ascii_digit)
        && after.first().is_some_and(u8::is_ascii_digit)
        && rest.all(u8::is_ascii_digit)
}
