//! What a hold says to a person, where that depends on the results in it.
//!
//! Promises whole sentences that name each test, and at most so much of a message's own text that a field full of noise, or of
//! something that belongs to a patient, is not repeated: a unit's first twenty visible characters.

use super::{Facts, HoldReason};
use crate::maps::{Mapped, Table};
use std::fmt::Write as _;

/// So many results are named.
const NAMED: usize = 4;
/// So much of a unit is shown.
const UNIT_SHOWN: usize = 20;
/// And of a code.
const CODE_SHOWN: usize = 40;

/// What is wrong with each, then what to do.
pub(super) fn sentence(
    facts: &Facts,
    reason: HoldReason,
    table: Option<&Table>,
    observations: &[usize],
) -> String {
    let mut text = String::new();
    let Some(table) = table.filter(|_| reason == HoldReason::UnitDiffers) else {
        return reason.sentence().to_owned();
    };
    for (nth, at) in observations.iter().enumerate() {
        let Some(fact) = facts.observations.get(*at) else { continue };
        let Mapped::OtherUnit(place) = fact.mapped else { continue };
        let Some(row) = table.row(place) else { continue };
        if nth == NAMED {
            let _ = write!(text, "And {} more. ", observations.len() - NAMED);
            break;
        }
        let (code, unit) =
            (shown(facts.word(&fact.code), CODE_SHOWN), shown(facts.word(&fact.unit), UNIT_SHOWN));
        let came = if unit.is_empty() { "without a unit".to_owned() } else { format!("in {unit}") };
        let wanted = match (&row.unit, row.declares_unit()) {
            (Some(sent), true) => format!("{} (sent as {sent})", row.expected.words()),
            _ => row.expected.words().to_owned(),
        };
        let _ = write!(text, "{code} came {came}, and {} expects {wanted}. ", table.place_words(place));
    }
    text.push_str(reason.sentence());
    text
}

fn shown(text: &str, most: usize) -> String {
    let visible = |c: char| if c.is_control() { '?' } else { c };
    let mut short: String = text.chars().take(most).map(visible).collect();
    if text.chars().nth(most).is_some() {
        short.push('…');
    }
    short
}
