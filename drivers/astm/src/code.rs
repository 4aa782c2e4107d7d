//! Which test a result is of: its code, and the dilution beside it.
//!
//! Promises: a code is text of the message as it stands, with two exceptions that a profile declares: the character at
//! which it ends or is split, and further components behind a `/`, so that what a panel says about one analyte is not
//! taken for another. What was split off and is no plain "undiluted" is given back as the replicate. Leaves out names
//! and LOINC, which are components like any other.

use crate::plan::Plan;
use crate::profile::Split;
use crate::values::{Component, One};
use orugate_driver::report::Code;
use orugate_driver::text::Text;
use orugate_driver::{Fault, Scratch};
use orugate_protocol::astm::record::Field;

/// Between a code and the components that belong to it.
const JOIN: u8 = b'/';

/// The code of a test id.
pub(crate) struct TestCode<'m> {
    pub(crate) code: Code<'m>,
    /// The code without the components that belong to it.
    pub(crate) bare: Text<'m>,
    pub(crate) replicate: Text<'m>,
}

/// The code of an ordered test (O.5), where only results have components that belong to it.
pub(crate) fn of_order<'m>(plan: &'static Plan, test: Field<'m>) -> TestCode<'m> {
    read(plan, test).0
}

/// The code of a result (R.3).
pub(crate) fn of_result<'m>(
    plan: &'static Plan,
    test: Field<'m>,
    scratch: &mut Scratch<'m>,
) -> Result<TestCode<'m>, Fault> {
    let (mut read, from) = read(plan, test);
    if !read.bare.is_empty() {
        read.code.id = with_parts(plan, read.bare, from, test, scratch)?;
    }
    Ok(read)
}

/// The code, and the component that it came from.
fn read<'m>(plan: &'static Plan, test: Field<'m>) -> (TestCode<'m>, Option<Component>) {
    let rules = &plan.profile.code;
    let at = |n: Component| test.component(n.number()).trimmed().text();
    let optional = |n: Option<Component>| n.map_or(Text::EMPTY, at);
    let mut places = std::iter::once(rules.id).chain(rules.or.iter().copied());
    let from = places.find(|n| !at(*n).is_empty());
    let mut id = optional(from);
    if id.is_empty() && rules.or_first {
        let texts = test.components().map(|part| part.trimmed().text());
        id = texts.into_iter().find(|part| !part.is_empty()).unwrap_or_default();
    }
    let mut replicate = optional(rules.replicate);
    if let Some(One(end)) = rules.ends_at
        && let Some((before, after)) = id.split_once(end)
    {
        replicate = if after.is_empty() { replicate } else { after.trimmed() };
        id = before.trimmed();
    }
    if let Some(Split { at: One(at), part }) = rules.split
        && let Some(code) = id.split(at).nth(part.number().saturating_sub(1))
    {
        let others = id.split(at).enumerate().filter(|(n, _)| n.saturating_add(1) != part.number());
        let diluted = others.map(|(_, text)| text).any(|text| !undiluted(plan, text));
        replicate = if diluted { id } else { replicate };
        id = code.trimmed();
    }
    if undiluted(plan, replicate) {
        replicate = Text::EMPTY;
    }
    let code = Code {
        id,
        name: optional(rules.name),
        system: plan.profile.coding_system.0,
        loinc: optional(rules.loinc),
    };
    (TestCode { code, bare: id, replicate }, from)
}

fn undiluted(plan: &Plan, text: Text<'_>) -> bool {
    text.is_empty() || plan.profile.code.undiluted.iter().any(|word| text.reads(word))
}

/// The code with the components that belong to it, in scratch space when there are any.
fn with_parts<'m>(
    plan: &'static Plan,
    id: Text<'m>,
    from: Option<Component>,
    test: Field<'m>,
    scratch: &mut Scratch<'m>,
) -> Result<Text<'m>, Fault> {
    let parts = || {
        plan.profile.code.part.iter().filter_map(|part| {
            let field = test.component(part.component.number()).trimmed();
            let excluded = part.without.is_some_and(|n| !test.component(n.number()).trimmed().is_empty())
                || part.except.iter().any(|text| field.text().reads(text));
            (!field.is_empty() && from != Some(part.component) && !excluded).then(|| field.bytes())
        })
    };
    let length = parts().map(|part| part.len().saturating_add(1)).fold(0, usize::saturating_add);
    if length == 0 {
        return Ok(id);
    }
    let space = scratch.take(id.bytes().len().saturating_add(length)).ok_or(Fault::Space)?;
    let joined = parts().flat_map(|part| std::iter::once(&JOIN).chain(part));
    for (slot, byte) in space.iter_mut().zip(id.bytes().iter().chain(joined)) {
        *slot = *byte;
    }
    Ok(id.with_bytes(space))
}
