//! Which test a result is of: its code, and the dilution beside it.
//!
//! Promises: a code is text of the message as it stands, with two exceptions that a profile declares: the character at
//! which it ends or is split, and further components behind a `/`, named or found by what differs, so that what a panel says about one analyte is not
//! taken for another. What was split off and is no plain "undiluted" is given back as the replicate. Leaves out names
//! and LOINC, which are components like any other.

use crate::plan::Plan;
use crate::profile::{CodePart, Split};
use crate::values::{Component, One};
use orugate_driver::report::Code;
use orugate_driver::text::Text;
use orugate_driver::{Fault, Scratch};
use orugate_protocol::astm::record::{Field, Record, RecordType, Records};

/// Between a code and the components that belong to it.
const JOIN: u8 = b'/';

/// So many results of an order are looked at for another of the same code.
const SIBLINGS: usize = 512;

/// Which codes several results of an order may have. It is asked before an order is looked through for each of its results,
/// of which there may be thousands; now and then it says yes of a code that is alone.
pub(crate) struct Twins {
    once: [u64; WORDS],
    twice: [u64; WORDS],
}

const WORDS: usize = 1024;

impl Twins {
    pub(crate) const fn none() -> Self {
        Self { once: [0; WORDS], twice: [0; WORDS] }
    }

    /// Those of the order whose results follow.
    pub(crate) fn fill(&mut self, plan: &'static Plan, below: &Records<'_>) {
        if !plan.profile.code.apart {
            return;
        }
        self.once.fill(0);
        self.twice.fill(0);
        for record in results_of(below) {
            let code = read(plan, record.field(3)).0.bare;
            let into = if self.once.holds(code.bytes()) { &mut self.twice } else { &mut self.once };
            into.put(code.bytes());
        }
    }
}

/// A set that may say yes of what is not in it.
trait Bits {
    fn put(&mut self, text: &[u8]);
    fn holds(&self, text: &[u8]) -> bool;
}

/// Two bits of 65,536 for a text: FNV-1a, whose last byte moves few of its bits, so they are mixed once more.
fn bits(text: &[u8]) -> [(usize, u64); 2] {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = text.iter().fold(0xcbf2_9ce4_8422_2325, mix);
    let hash = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    [hash >> 48, (hash >> 32) & 0xffff].map(|bit| ((bit >> 6) as usize, 1 << (bit & 63)))
}

impl Bits for [u64; WORDS] {
    fn put(&mut self, text: &[u8]) {
        for (word, bit) in bits(text) {
            if let Some(word) = self.get_mut(word) {
                *word |= bit;
            }
        }
    }

    fn holds(&self, text: &[u8]) -> bool {
        bits(text).iter().all(|(word, bit)| self.get(*word).is_some_and(|word| word & bit != 0))
    }
}

/// The code of a test id.
pub(crate) struct TestCode<'m> {
    pub(crate) code: Code<'m>,
    /// The code without the components that belong to it.
    pub(crate) bare: Text<'m>,
    pub(crate) replicate: Text<'m>,
    /// A component that this code needs is empty.
    pub(crate) lacking: bool,
}

/// The code of an ordered test (O.5), where only results have components that belong to it.
pub(crate) fn of_order<'m>(plan: &'static Plan, test: Field<'m>) -> TestCode<'m> {
    read(plan, test).0
}

/// The code of a result (R.3).
pub(crate) fn of_result<'m>(
    plan: &'static Plan,
    test: Field<'m>,
    siblings: Option<(&Records<'m>, &Twins)>,
    scratch: &mut Scratch<'m>,
) -> Result<TestCode<'m>, Fault> {
    let (mut read, from) = read(plan, test);
    if !read.bare.is_empty() {
        read.code.id = with_parts(plan, read.bare, from, test, siblings, scratch)?;
        read.lacking = plan.profile.code.part.iter().any(|part| {
            part.required
                && test.component(part.component.number()).trimmed().is_empty()
                && !stands(part.without, test)
        });
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
    if let Some(Split { at: One(at), part, dilution }) = rules.split
        && let Some(code) = id.split(at).nth(part.number().saturating_sub(1))
    {
        let parts = id.split(at).enumerate().map(|(n, text)| (n.saturating_add(1), text));
        let mut others = parts.filter(|(n, _)| dilution.map_or(*n != part.number(), |d| *n == d.number()));
        let diluted = others.any(|(_, text)| !undiluted(plan, text));
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
    (TestCode { code, bare: id, replicate, lacking: false }, from)
}

/// The component that a part must be without is filled.
fn stands(without: Option<Component>, test: Field<'_>) -> bool {
    without.is_some_and(|n| !test.component(n.number()).trimmed().is_empty())
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
    siblings: Option<(&Records<'m>, &Twins)>,
    scratch: &mut Scratch<'m>,
) -> Result<Text<'m>, Fault> {
    let rules = &plan.profile.code.part;
    let apart =
        |part: &CodePart| siblings.is_some_and(|(below, _)| has_twin(plan, id, from, test, part, below));
    let told = rules.iter().find(|part| part.repeated && belongs(part, from, test).is_some() && apart(part));
    let told = told.and_then(|part| belongs(part, from, test));
    let twins = siblings.filter(|(_, twins)| plan.profile.code.apart && twins.twice.holds(id.bytes()));
    let differing = twins.map_or(0, |(below, _)| differing_components(plan, id, from, test, below));
    let parts = || parts(plan, from, test).chain(told).chain(components_of(test, differing));
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

/// The components that belong to the code wherever they are filled.
fn parts<'m>(
    plan: &'static Plan,
    from: Option<Component>,
    test: Field<'m>,
) -> impl Iterator<Item = &'m [u8]> + use<'m> {
    let rules = plan.profile.code.part.iter().filter(|part| !part.repeated);
    rules.filter_map(move |part| belongs(part, from, test))
}

/// The component's text where it belongs to the code.
fn belongs<'m>(part: &CodePart, from: Option<Component>, test: Field<'m>) -> Option<&'m [u8]> {
    let field = test.component(part.component.number()).trimmed();
    let numbered = || {
        let code = from.map(|n| test.component(n.number()).trimmed());
        code.is_some_and(|code| code.bytes().iter().all(u8::is_ascii_digit))
    };
    let excluded = stands(part.without, test)
        || part.except.iter().any(|text| field.text().reads(text))
        || (part.of_number && !numbered());
    (!field.is_empty() && from != Some(part.component) && !excluded).then(|| field.bytes())
}

/// The components, as bits from the lowest, in which another result of the order with the same code differs. One that holds
/// a number is none of them: it is a dilution, a replicate or a lot as often as anything else.
fn differing_components<'m>(
    plan: &'static Plan,
    id: Text<'m>,
    from: Option<Component>,
    test: Field<'m>,
    siblings: &Records<'m>,
) -> u32 {
    let own = from.map_or(0, |n| 1u32.checked_shl(n.number().saturating_sub(1) as u32).unwrap_or(0));
    let mut found = 0;
    for other in results_of(siblings).take(SIBLINGS).map(|record| record.field(3)) {
        if other.bytes() == test.bytes() || read(plan, other).0.bare.bytes() != id.bytes() {
            continue;
        }
        let mut theirs = other.components();
        for (n, mine) in test.components().take(u32::BITS as usize).enumerate() {
            let theirs = theirs.next().map_or(&[][..], |part| part.trimmed().bytes());
            if mine.trimmed().bytes() != theirs {
                found |= 1 << n;
            }
        }
    }
    found & !own
}

/// These components, as far as they are words.
fn components_of<'m>(test: Field<'m>, bits: u32) -> impl Iterator<Item = &'m [u8]> {
    let worded = |text: &&[u8]| text.iter().any(|b| b.is_ascii_alphabetic() || !b.is_ascii());
    let components = test.components().take(u32::BITS as usize).enumerate();
    components
        .filter(move |(n, _)| bits & (1 << n) != 0)
        .map(|(_, part)| part.trimmed().bytes())
        .filter(worded)
}

/// The result records up to the next order.
fn results_of<'m>(siblings: &Records<'m>) -> impl Iterator<Item = Record<'m>> + use<'m> {
    let below = |r: &Record<'m>| {
        matches!(r.kind(), RecordType::Result | RecordType::Comment | RecordType::Manufacturer)
    };
    siblings.clone().take_while(below).filter(|r| r.kind() == RecordType::Result)
}

/// The first result of an order that is of the same test.
pub(crate) fn first_of_test<'m>(
    plan: &'static Plan,
    test: &Text<'m>,
    siblings: &Records<'m>,
) -> Option<Record<'m>> {
    results_of(siblings)
        .take(SIBLINGS)
        .find(|other| read(plan, other.field(3)).0.bare.bytes() == test.bytes())
}

/// Another result of the order has the same code and another text in this component.
fn has_twin<'m>(
    plan: &'static Plan,
    id: Text<'m>,
    from: Option<Component>,
    test: Field<'m>,
    part: &CodePart,
    siblings: &Records<'m>,
) -> bool {
    let results = results_of(siblings);
    let text = |test: Field<'m>| test.component(part.component.number()).trimmed().bytes();
    results.take(SIBLINGS).map(|record| record.field(3)).any(|other| {
        let (read, its) = read(plan, other);
        !text(other).is_empty()
            && text(other) != text(test)
            && read.bare.bytes() == id.bytes()
            && parts(plan, its, other).eq(parts(plan, from, test))
    })
}
