//! What belongs to a result: its code, value, unit, flags and status, and who made it.

use super::Page;
use super::seen::{Seen, Tally, plain};
use orugate_protocol::astm::record::{Field, RecordType, ResultStatus, View};
use std::collections::BTreeSet;

/// LIS02's component for the maker's code.
const STANDARD: usize = 4;
/// HL7 table 0078, as far as instruments use it.
const HL7_0078: &str =
    "HL7 table 0078 has L, H, LL, HH, <, >, N, A, AA, U, D, B, W; the vendor may mean something else by them";

pub(super) fn people(page: &mut Page, seen: &Seen<'_>) {
    for (place, what) in [("R.11", "who operated and verified"), ("R.14", "the device that measured")] {
        let tally = seen.results_at(place);
        if !tally.is_nowhere() {
            page.comment(&format!("{place} ({what}): in {}, looks like: {}.", tally.ratio(), tally.shape()));
        }
    }
}

/// What component `n` of R.3 holds.
fn test_id<'t>(seen: &Seen<'t>, n: usize) -> Tally<'t> {
    Tally::of(seen.results.iter().map(|c| c.result.map(|result| result.field(3).component(n).trimmed())))
}

pub(super) fn code(page: &mut Page, seen: &Seen<'_>) {
    if seen.results.is_empty() {
        return;
    }
    page.table("code");
    let count = |field: Field<'_>| field.components().count();
    let parts = seen.results.iter().filter_map(|c| Some(count(c.result?.field(3)))).max().unwrap_or(0);
    let tallies: Vec<(usize, Tally<'_>)> = (1..=parts).map(|n| (n, test_id(seen, n))).collect();
    for (n, tally) in tallies.iter().filter(|(_, tally)| !tally.is_nowhere()) {
        page.comment(&format!("R.3.{n}: in {}; {}.", tally.ratio(), tally.list()));
    }
    let everywhere = || tallies.iter().filter(|(_, tally)| tally.is_everywhere());
    let best = everywhere()
        .find(|(n, _)| *n == STANDARD)
        .or_else(|| everywhere().find(|(_, tally)| !is_loinc(tally)))
        .or_else(|| tallies.iter().max_by_key(|(n, tally)| (tally.filled, std::cmp::Reverse(*n))));
    let Some((id, codes)) = best.filter(|(_, tally)| !tally.is_nowhere()) else {
        page.ask("no test code was found in R.3, so every result is held. Where does the analyzer say which test it is?");
        return;
    };
    page.line(&format!("id = {id}"));
    if !codes.is_everywhere() {
        page.line("or_first = true");
        page.comment("Where that component is empty, the first one that is not.");
    }
    let mut named = false;
    for (n, tally) in tallies.iter().filter(|(n, tally)| n != id && !tally.is_nowhere()) {
        if is_loinc(tally) {
            page.line(&format!("loinc = {n}"));
        } else if n > id && tally.values.keys().all(|value| value.iter().all(u8::is_ascii_digit)) {
            page.line(&format!("replicate = {n}"));
            page.ask(&format!("R.3.{n} is taken for dilution or replicate. Is it?"));
        } else if !named && tally.is_everywhere() && is_one_to_one(seen, *id, *n) {
            page.line(&format!("name = {n}"));
            named = true;
        }
    }
    if codes.values.keys().all(|value| value.contains(&b'/')) {
        page.line("ends_at = \"/\"");
        page.comment("Each code has a slash; what follows it is taken for the dilution.");
    } else if codes.values.keys().all(|value| value.contains(&b'+')) {
        page.ask(
            "each code has several parts with + between them. It is sent as a whole; if one part changes with \
             dilution or lot, say which part is the code: split = { at = \"+\", part = 2 }.",
        );
    }
    twins(page, seen, *id);
    page.say(format!(
        "The test code is component {id} of R.3; {} different codes were seen.",
        codes.values.len()
    ));
}

/// Several results of one order with the same code.
fn twins(page: &mut Page, seen: &Seen<'_>, id: usize) {
    let mut pairs = BTreeSet::new();
    let mut again = BTreeSet::new();
    for current in &seen.results {
        let (Some(order), Some(result)) = (current.order, current.result) else { continue };
        let code = result.field(3).component(id).trimmed().bytes();
        let key = (order.bytes().as_ptr() as usize, code);
        if !pairs.insert(key) {
            again.insert(code);
        }
    }
    if !again.is_empty() {
        let codes: Vec<_> = again.iter().take(6).map(|code| plain(code)).collect();
        page.ask(&format!(
            "one order has several results with the same code ({}): a measured value and its interpretation, or a \
             replicate? Find what tells them apart, or the engine takes the second for a correction of the first.",
            codes.join(", ")
        ));
    }
}

fn is_loinc(tally: &Tally<'_>) -> bool {
    let loinc = |value: &&[u8]| match value {
        [digits @ .., b'-', check] => {
            (1..=7).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) && check.is_ascii_digit()
        }
        _ => false,
    };
    !tally.is_nowhere() && tally.values.keys().all(loinc)
}

/// Each code goes with one text of component `n`, and each text with one code.
fn is_one_to_one(seen: &Seen<'_>, id: usize, n: usize) -> bool {
    let part = |n: usize| {
        seen.results.iter().filter_map(move |c| Some(c.result?.field(3).component(n).trimmed().bytes()))
    };
    let pairs: BTreeSet<_> = part(id).zip(part(n)).collect();
    let (codes, names): (BTreeSet<_>, BTreeSet<_>) = pairs.iter().copied().unzip();
    pairs.len() == codes.len() && pairs.len() == names.len()
}

pub(super) fn value(page: &mut Page, seen: &Seen<'_>) {
    if seen.results.is_empty() {
        return;
    }
    page.table("value");
    let values = seen.results_at("R.4");
    page.comment(&format!("R.4 is filled in {}.", values.ratio()));
    let parts = values.fields.iter().map(|field| field.components().count()).max().unwrap_or(0);
    let filled: Vec<(usize, usize)> = (1..=parts)
        .map(|n| (n, values.fields.iter().filter(|f| !f.component(n).trimmed().is_empty()).count()))
        .filter(|(_, count)| *count > 0)
        .collect();
    match filled[..] {
        [] | [(1, _)] => {}
        [(only, count)] => {
            page.comment(&format!("The value is always component {only} ({count})."));
            page.line(&format!("components = [{only}]"));
        }
        _ if values
            .fields
            .iter()
            .all(|f| f.components().filter(|c| !c.trimmed().is_empty()).count() == 1) =>
        {
            let listed: Vec<_> = filled.iter().map(|(n, count)| format!("R.4.{n} ({count})")).collect();
            page.comment(&format!("Each value is in one of several components: {}.", listed.join(", ")));
            let numbers: Vec<_> = filled.iter().map(|(n, _)| n.to_string()).collect();
            page.line(&format!("components = [{}]", numbers.join(", ")));
        }
        _ => {
            let listed: Vec<_> = filled.iter().map(|(n, count)| format!("R.4.{n} ({count})")).collect();
            page.comment(&format!("Several components are filled: {}.", listed.join(", ")));
            page.ask(
                "which component of R.4 is the value on the screen? Write components = [N]; without it all of them go \
                 out as one text. A reaction strength, an index or an instrument's own number may stand beside it: give \
                 each such component a [[note]] (place = \"R.4.2\", label = \"…: \"), or it is not sent.",
            );
        }
    }
    let written = |mark: u8| {
        let number = |value: &&[u8]| {
            let mut parts = value.split(|b| *b == mark);
            let digits = |part: Option<&[u8]>| {
                part.is_some_and(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit))
            };
            digits(parts.next()) && digits(parts.next()) && parts.next().is_none()
        };
        values.values.keys().filter(|value| number(value)).count()
    };
    match (written(b','), written(b'.')) {
        (0, _) => {}
        (commas, 0) => {
            page.line("decimal_comma = true");
            page.ask(&format!("{commas} values are written with a comma (5,4) and none with a point. Is it the decimal comma, not one of thousands?"));
        }
        (commas, points) => page.ask(&format!(
            "{commas} values have a comma and {points} a point between digits. If the comma is a decimal comma: \
             decimal_comma = true."
        )),
    }
    let units = seen.results_at("R.5");
    page.comment(&format!(
        "Units (R.5) in {}: {}.",
        units.ratio(),
        if units.is_nowhere() { "none".to_owned() } else { units.list() }
    ));
    let ranges = seen.results_at("R.6");
    page.comment(&format!("Reference ranges (R.6) in {}.", ranges.ratio()));
}

pub(super) fn not_reportable(page: &mut Page, seen: &Seen<'_>) {
    let values = seen.results_at("R.4");
    let glyphs =
        |value: &&[u8]| value.iter().all(|b| matches!(b, b'-' | b'*' | b'.' | b'#' | b'/' | b' ' | b'?'));
    let found: Vec<_> = values.values.iter().filter(|(value, _)| glyphs(value)).collect();
    for (value, count) in found {
        page.line("");
        page.ask(&format!(
            "{} stands {count} times in place of a value. If it means \"not measured\", take the # away from the next \
             three lines; then such a result is counted and not sent. In a urine strip - can mean negative.",
            plain(value)
        ));
        page.line("# [[not_reportable]]");
        page.line(&format!("# value = {}", super::quoted(&String::from_utf8_lossy(value))));
        page.line("# rule = \"not-measured\"");
    }
}

/// What stands between flags, when it is not the repeat delimiter.
fn flag_separator(seen: &Seen<'_>) -> Option<&'static str> {
    let fields = seen.results_at("R.7");
    if fields.fields.iter().any(|field| field.components().count() > 1) {
        Some("component")
    } else if fields.values.keys().any(|value| value.contains(&b',')) {
        Some("comma")
    } else {
        None
    }
}

/// `flag_separator` stands before all tables.
pub(super) fn separator(page: &mut Page, seen: &Seen<'_>) {
    if let Some(separator) = flag_separator(seen) {
        page.line(&format!("flag_separator = \"{separator}\""));
        page.ask(&format!(
            "flags (R.7) seem to have a {separator} between them ({}). Is each part a flag of its own?",
            seen.results_at("R.7").list()
        ));
    }
}

pub(super) fn flags(page: &mut Page, seen: &Seen<'_>) {
    let fields = seen.results_at("R.7");
    if fields.is_nowhere() {
        return;
    }
    let separator = flag_separator(seen);
    let split = fields.fields.iter().flat_map(|field| field.repeats()).flat_map(|repeat| match separator {
        Some("component") => repeat.components().collect::<Vec<_>>(),
        _ => vec![repeat],
    });
    let flags = Tally::of(split.map(|flag| Some(flag.trimmed())));
    page.line("");
    page.comment(&format!("Flags (R.7) in {} results: {}. {HL7_0078}.", fields.ratio(), flags.list()));
    for flag in flags.values.keys().filter(|flag| !crate::plan::is_same_in_hl7(flag) && !flag.contains(&b','))
    {
        page.ask(&format!(
            "what does the flag {} mean? It goes out as a comment. If it means what HL7 means by it, say hl7 too.",
            plain(flag)
        ));
        page.line("# [[flag]]");
        page.line(&format!("# code = {}", super::quoted(&String::from_utf8_lossy(flag))));
        page.line("# meaning = \"…\"");
    }
}

pub(super) fn status(page: &mut Page, seen: &Seen<'_>) {
    if seen.results.is_empty() {
        return;
    }
    let letters = seen.results_at("R.9");
    page.line("");
    page.comment(&format!(
        "Result status (R.9) in {}{}. An empty one goes out as final.",
        letters.ratio(),
        if letters.is_nowhere() { String::new() } else { format!(": {}", letters.list()) }
    ));
    let mut asked = BTreeSet::new();
    for record in seen.of_kind(RecordType::Result) {
        let View::Result(result) = record.view() else { continue };
        let letter = record.field(9).trimmed().bytes();
        if let Some(means) = unfinished(result.status())
            && asked.insert(letter)
        {
            page.ask(&format!(
                "R.9 has {}: LIS02 says {means}, and so it goes out. Does the analyzer mean it? If its results are \
                 final, take the # away.",
                plain(letter)
            ));
            page.line("# [status]");
            page.line(&format!("# {} = \"final\"", super::quoted(&String::from_utf8_lossy(letter))));
        }
    }
    let unknown: BTreeSet<&[u8]> = seen
        .of_kind(RecordType::Result)
        .filter_map(|record| match record.view() {
            View::Result(result) => match result.status() {
                ResultStatus::Unknown(code) => Some(code),
                _ => None,
            },
            _ => None,
        })
        .collect();
    for letter in unknown {
        page.ask(&format!(
            "R.9 has {}, which LIS02 does not know; the result is held. What does it mean? Take the # away and \
             choose final, preliminary, corrected, not-done, pending, questionable.",
            plain(letter)
        ));
        page.line("# [status]");
        page.line(&format!("# {} = \"final\"", super::quoted(&String::from_utf8_lossy(letter))));
    }
}

/// What LIS02 means by a status that is not final, in the words of a profile; several instruments use such letters
/// for results that are.
fn unfinished(status: ResultStatus<'_>) -> Option<&'static str> {
    match status {
        ResultStatus::Preliminary | ResultStatus::Partial => Some("preliminary"),
        ResultStatus::Correction => Some("corrected"),
        ResultStatus::CannotBeDone => Some("not-done"),
        ResultStatus::Pending => Some("pending"),
        ResultStatus::Questionable => Some("questionable"),
        ResultStatus::NewOrderInformation => Some("rerun-information"),
        _ => None,
    }
}
