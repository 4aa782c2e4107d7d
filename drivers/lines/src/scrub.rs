//! Persons in what a device printed: a sample id may be a name, and what no pattern fits may be anything.
//!
//! Promises: the length stays; what a pattern of the profile reads stays as it is, but for the sample id and the operator,
//! which become stand-ins; what fits none is replaced by rule; checksums are right again. Leaves out nothing of a line.

use crate::frame::{Deframer, Heard};
use crate::plan::Plan;
use crate::seen::Seen;
use orugate_driver::{StandIns, scrub_by_rule};

/// Takes persons out; how many bytes were only replaced by rule.
pub(crate) fn scrub(plan: &'static Plan, line: &mut [u8], stand_ins: &mut StandIns) -> usize {
    let mut units = Vec::new();
    let mut deframer = Deframer::new(plan.framing.clone());
    for byte in &*line {
        if let Some(Heard::Unit { at, raw }) = deframer.byte(*byte)
            && let Ok(at) = usize::try_from(at)
        {
            units.push(at..at.saturating_add(raw.len()));
        }
    }
    let mut count = 0usize;
    let mut done = 0usize;
    for unit in units {
        count = count.saturating_add(line.get_mut(done..unit.start).map_or(0, scrub_by_rule));
        if let Some(unit) = line.get_mut(unit.clone()) {
            count = count.saturating_add(one(plan, unit, stand_ins));
        }
        done = unit.end;
    }
    count.saturating_add(line.get_mut(done..).map_or(0, scrub_by_rule))
}

fn one(plan: &'static Plan, unit: &mut [u8], stand_ins: &mut StandIns) -> usize {
    let text = plan.framing.text(unit);
    let places: Option<Vec<_>> =
        Seen::of(plan, unit.get(text.clone()).unwrap_or_default()).ok().map(|seen| {
            let line = seen.line;
            let persons = [&line.id, &line.operator].into_iter().flatten();
            persons.filter_map(|source| seen.find(source)).collect()
        });
    let Some(places) = places else { return unit.get_mut(text).map_or(0, scrub_by_rule) };
    let controls: Vec<&[u8]> = plan.control_prefixes.iter().map(|(prefix, _)| prefix.as_slice()).collect();
    let control = |id: &[u8]| controls.iter().any(|prefix| id.starts_with(prefix));
    for place in places {
        let range = text.start.saturating_add(place.start)..text.start.saturating_add(place.end);
        if let Some(id) = unit.get_mut(range).filter(|id| !control(id)) {
            stand_ins.replace(id, &control);
        }
    }
    if let Some(check) = plan.framing.check {
        let end = text.end.saturating_add(1);
        let written = unit.get(..end).map(|whole| check.write(whole)).unwrap_or_default();
        if let Some(place) = unit.get_mut(end..).filter(|place| place.len() == written.len()) {
            place.copy_from_slice(&written);
        }
    }
    0
}
