//! What was measured: value, unit, range, flags and status of one result.
//!
//! Promises: digits are never changed. A value is one text of R.4, or the whole field where several could be it; a
//! decimal comma becomes a point and a unit becomes UCUM only where a profile says so, and then what the instrument
//! wrote goes along. Leaves out which test it is.

use crate::plan::Plan;
use crate::profile::NotReportable;
use crate::values::{FlagSeparator, Letter};
use orugate_driver::report::{Flags, Status};
use orugate_driver::text::Text;
use orugate_driver::{Fault, Scratch};
use orugate_protocol::astm::record::{Field, ResultRecord, ResultStatus};

/// The value as the instrument wrote it.
pub(crate) fn value<'m>(plan: &Plan, result: &ResultRecord<'m>) -> Text<'m> {
    let field = result.value();
    let text = |field: Field<'m>| field.trimmed().text();
    let places = plan.profile.value.components.iter();
    let mut filled = places.map(|n| field.component(n.number())).filter(|part| !part.trimmed().is_empty());
    match (filled.next(), filled.next(), field.repeats().nth(1)) {
        (Some(only), None, None) => text(only),
        _ => without_empty_tail(text(field), result.record().delimiters().component),
    }
}

/// `NEGATIVE^` says no more than `NEGATIVE`: trailing empty components may be omitted as trailing fields may.
fn without_empty_tail(value: Text<'_>, component: u8) -> Text<'_> {
    value.without_tail(&[component]).trimmed()
}

/// The rule by which this is no value.
pub(crate) fn not_reportable(plan: &Plan, value: &Text<'_>) -> Option<&'static str> {
    let applies = |rule: &&NotReportable| match (&rule.value, &rule.only) {
        (Some(exact), _) => value.reads(exact),
        (None, Some(only)) => {
            !value.is_empty() && value.chars().all(|c| c.is_ok_and(|c| c == ' ' || only.contains(c)))
        }
        (None, None) => false,
    };
    plan.profile.not_reportable.iter().find(applies).map(|rule| rule.rule.0)
}

/// The unit, and what the instrument wrote for it when the profile's table says that it means something else.
pub(crate) fn unit<'m>(plan: &'static Plan, code: &Text<'_>, sent: Text<'m>) -> (Text<'m>, Text<'m>) {
    let table = plan.profile.unit.iter();
    let mut fits = table.filter(|unit| {
        let listed = unit.codes.is_empty() || unit.codes.iter().any(|listed| code.reads(listed));
        listed && sent.reads(&unit.sent)
    });
    fits.next().map_or((sent, Text::EMPTY), |unit| (Text::plain(unit.ucum.0), sent))
}

/// One range has its name beside it (`3.50 - 10.00^REFERENCE_RANGE`, `^DEFAULT`). Several ranges, or one whose parts
/// are all numbers, only make sense together.
pub(crate) fn range(ranges: Field<'_>) -> Field<'_> {
    let named = !ranges.components().skip(1).any(|c| c.text().chars().any(|c| matches!(c, Ok('0'..='9'))));
    if ranges.repeats().nth(1).is_none() && named { ranges.component(1) } else { ranges }
}

pub(crate) fn flags<'m>(plan: &'static Plan, result: &ResultRecord<'m>) -> Flags<'m> {
    let delimiters = result.record().delimiters();
    Flags {
        text: result.abnormal_flags().trimmed().text(),
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
    let field = result.record().field(9);
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
