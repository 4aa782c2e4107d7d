//! What belongs to a sample or a message: the sample id, sender, times, runs, quality control, queries, comments.

use super::Page;
use super::seen::{Seen, Tally, plain, shape};
use crate::place::Place;
use crate::sample::{self, Held};
use orugate_protocol::astm::record::{Record, RecordType};
use std::collections::BTreeMap;

/// Places of a sample id, the likeliest first.
const ID_FIELDS: [&str; 5] = ["O.3", "O.4", "P.4", "P.3", "P.5"];
/// A shorter id is as often a number of the instrument's own.
const SHORT: usize = 5;

/// What one field has to offer as a sample id.
#[derive(Default)]
struct Candidate {
    field: &'static str,
    /// By component, where it was taken for an id; 0 is the whole field, when no component was ever seen in it.
    ids: BTreeMap<usize, usize>,
    found: usize,
    unclear: usize,
    shape: String,
    short: bool,
    /// Ids that begin as those of controls often do.
    controls: usize,
}

impl Candidate {
    fn places(&self) -> Vec<String> {
        let mut ids: Vec<_> = self.ids.iter().collect();
        ids.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let name = |component: usize| match component {
            0 => self.field.to_owned(),
            n => format!("{}.{n}", self.field),
        };
        ids.into_iter().map(|(component, _)| name(*component)).collect()
    }
}

pub(super) fn sample(page: &mut Page, seen: &Seen<'_>) {
    page.table("sample");
    let mut candidates: Vec<_> = ID_FIELDS.iter().filter_map(|field| candidate(seen, field)).collect();
    candidates.retain(|candidate| candidate.found > 0 || candidate.unclear > 0);
    let of = seen.orders.len();
    let best = candidates.iter().map(|candidate| candidate.found).max().unwrap_or(0);
    let Some(index) = candidates.iter().position(|candidate| candidate.found == best && best > 0) else {
        page.line("id = [\"O.3\"]");
        if of == 0 {
            page.ask(
                "no order (O) record was captured, so nothing says where the sample id is. Capture a result.",
            );
            return;
        }
        page.ask(&format!(
            "no sample id was found in {of} orders (looked at {}), so every result is held. Scan or type an id at \
             the analyzer and capture again.",
            ID_FIELDS.join(", ")
        ));
        return;
    };
    let chosen = candidates.remove(index);
    let places = chosen.places();
    page.comment(&format!("Seen in {} of {of} orders; looks like: {}.", chosen.found, chosen.shape));
    for other in &candidates {
        let places = if other.found > 0 { other.places().join(", ") } else { other.field.to_owned() };
        page.comment(&format!(
            "Alternative {places}: in {} of {of}; looks like: {}.{}",
            other.found,
            other.shape,
            if other.unclear > 0 { " Several of its parts could be an id." } else { "" }
        ));
    }
    let listed: Vec<_> = places.iter().map(|place| format!("\"{place}\"")).collect();
    page.line(&format!("id = [{}]", listed.join(", ")));
    page.ask(&format!(
        "is {} the id on the tube's label? Compare two samples with the analyzer's screen. A wrong place files \
         results under a stranger.",
        places.join(" or ")
    ));
    if chosen.controls > 0 {
        page.ask(&format!(
            "{} of {of} ids begin with QC, CTRL or CONTROL. If these are controls, say how they begin under [qc]: \
             sample_prefixes = [\"QC\"]. Without it they go out as patients' results.",
            chosen.controls
        ));
    }
    if chosen.short {
        page.ask("the ids are short, as a sequence or rack number would be. Is there a barcode reader, and was it used?");
    }
    if chosen.field.starts_with('P') {
        page.ask(&format!(
            "{} is a field of the patient. Does the operator type the sample id there, or a patient's number?",
            chosen.field
        ));
    }
    if chosen.found < of {
        page.ask(&format!(
            "{} of {of} orders have no id there; their results are held. Was the id missing, or is it elsewhere?",
            of.saturating_sub(chosen.found)
        ));
    }
    page.say(format!("The sample id is taken from {}; it looks like: {}.", places.join(", "), chosen.shape));
}

fn candidate(seen: &Seen<'_>, name: &'static str) -> Option<Candidate> {
    let place = Place::try_from(name.to_owned()).ok()?;
    let mut candidate = Candidate { field: name, short: true, ..Candidate::default() };
    let fields = || seen.orders.iter().filter_map(|current| place.read(current));
    let parts = fields().any(|field| field.components().count() > 1);
    for current in &seen.orders {
        let field = place.read(current);
        match (sample::at(&place, current), field) {
            (Held::Id(id), Some(field)) => {
                let inside = |part: &orugate_protocol::astm::record::Field<'_>| {
                    part.span().start <= id.span().start && id.span().end <= part.span().end
                };
                let component = (1usize..).zip(field.components()).find(|(_, part)| inside(part));
                let component = component.map_or(0, |(n, _)| if parts { n } else { 0 });
                let count = candidate.ids.entry(component).or_default();
                *count = count.saturating_add(1);
                if candidate.found == 0 {
                    candidate.shape = shape(id.bytes());
                }
                candidate.found = candidate.found.saturating_add(1);
                let upper = id.bytes().to_ascii_uppercase();
                let control = ["QC", "CTRL", "CONTROL"].iter().any(|word| upper.starts_with(word.as_bytes()));
                candidate.controls = candidate.controls.saturating_add(usize::from(control));
                candidate.short &= id.bytes().len() < SHORT;
            }
            (Held::Several(field), _) => {
                if candidate.shape.is_empty() {
                    candidate.shape = shape(field.bytes());
                }
                candidate.unclear = candidate.unclear.saturating_add(1);
            }
            _ => {}
        }
    }
    Some(candidate)
}

pub(super) fn sender(page: &mut Page, seen: &Seen<'_>) {
    page.table("sender");
    let headers: Vec<_> = seen.of_kind(RecordType::Header).map(|header| header.field(5)).collect();
    let parts = headers.iter().map(|field| field.components().count()).max().unwrap_or(0);
    let (mut serials, mut versions) = (Vec::new(), Vec::new());
    for number in 1..=parts {
        let tally = Tally::of(headers.iter().map(|field| Some(field.component(number).trimmed())));
        if tally.is_nowhere() {
            continue;
        }
        let all = |test: fn(&[u8]) -> bool| tally.values.keys().all(|value| test(value));
        let what = match number {
            1 => "the name".to_owned(),
            _ if all(is_version) => {
                versions.push(number);
                "perhaps the software's version".to_owned()
            }
            _ if all(is_serial) => {
                serials.push(number);
                "perhaps the serial number".to_owned()
            }
            _ => "not used".to_owned(),
        };
        page.comment(&format!("H.5.{number}: {}, in {}: {what}.", tally.shape(), tally.ratio()));
    }
    if parts == 0 || headers.iter().all(|field| field.trimmed().is_empty()) {
        page.comment("The header does not name the sender.");
    }
    page.line("name = \"H.5.1\"");
    if let [only] = versions[..] {
        page.line(&format!("version = \"H.5.{only}\""));
    }
    match serials[..] {
        [] => {}
        [only] => {
            page.line(&format!("serial = \"H.5.{only}\""));
            page.ask(&format!("is H.5.{only} the serial number on the analyzer's plate? Results of two analyzers are told apart by it."));
        }
        _ => {
            let all: Vec<_> = serials.iter().map(|n| format!("H.5.{n}")).collect();
            page.ask(&format!(
                "which of {} is the serial number on the analyzer's plate? Write serial = \"…\".",
                all.join(", ")
            ));
        }
    }
}

/// `00-24`, `2.2.0.5`, `v1.2.3`: short, digits, and a point or hyphen.
fn is_version(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"v").or_else(|| text.strip_prefix(b"V")).unwrap_or(text);
    text.len() <= 12
        && text.first().is_some_and(u8::is_ascii_digit)
        && text.iter().any(|b| matches!(b, b'.' | b'-'))
        && text.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
}

fn is_serial(text: &[u8]) -> bool {
    text.len() >= SHORT && text.iter().filter(|b| b.is_ascii_digit()).count() >= 4
}

pub(super) fn times(page: &mut Page, seen: &Seen<'_>) {
    let (started, completed) = (seen.results_at("R.12"), seen.results_at("R.13"));
    page.table("time");
    page.comment(&format!(
        "R.12 (test started): in {}; R.13 (test completed): in {}.",
        started.ratio(),
        completed.ratio()
    ));
    let good = |tally: &Tally<'_>| tally.fields.iter().all(|field| matches!(field.time(), Some(Ok(_))));
    let mut wrong = Vec::new();
    for (place, tally) in [
        ("R.12", &started),
        ("R.13", &completed),
        ("O.8", &seen.orders_at("O.8")),
        ("O.15", &seen.orders_at("O.15")),
    ] {
        if !good(tally) {
            wrong.push(place);
        }
    }
    let mut discriminators = Vec::new();
    if completed.filled > 0 && good(&completed) {
        discriminators.push("R.13");
    }
    if started.filled > 0 && good(&started) {
        discriminators.push("R.12");
        if completed.is_nowhere() {
            page.comment("R.13 is never there, so the one time that there is stands for the result.");
            page.line("completed = \"R.12\"");
        }
    }
    if !wrong.is_empty() {
        page.ask(&format!(
            "{} hold something that is no time; it is noted with each result and no time is taken from there.",
            wrong.join(", ")
        ));
    }
    page.table("run");
    if discriminators.is_empty() {
        page.comment(
            "No result has a time, so nothing tells a repeated run from one that is sent again: each is taken for new.",
        );
        page.line("discriminator = []");
        page.ask(
            "does anything in a result count up with each run (a sequence number in O.4, a message id in H.3)? Then \
             name its place.",
        );
    } else {
        page.comment("What is the same when a result is sent again, and another in a new run.");
        let listed: Vec<_> = discriminators.iter().map(|place| format!("\"{place}\"")).collect();
        page.line(&format!("discriminator = [{}]", listed.join(", ")));
        page.ask("send one result twice from the analyzer: is its time the same both times? It must be.");
    }
}

pub(super) fn qc(page: &mut Page, seen: &Seen<'_>) {
    let (processing, action) = (seen.headers_at(12), seen.orders_at("O.12"));
    let descriptors = seen.orders_at("O.16.1");
    page.table("qc");
    page.comment(&format!(
        "H.12 (processing id; Q is quality control): {}. O.12 (action code; Q is quality control): {}. O.16 \
         (specimen): {}.",
        or_empty(&processing),
        or_empty(&action),
        or_empty(&descriptors)
    ));
    let is_control = |value: &&[u8]| {
        let upper = value.to_ascii_uppercase();
        [&b"CTRL"[..], b"CONTROL", b"QC"].iter().any(|word| upper.windows(word.len()).any(|w| w == *word))
    };
    let controls: Vec<String> = descriptors
        .values
        .keys()
        .filter(|value| is_control(value))
        .filter_map(|value| std::str::from_utf8(value).ok())
        .map(super::quoted)
        .collect();
    if !controls.is_empty() {
        page.line(&format!("descriptors = [{}]", controls.join(", ")));
    }
    let by_letter = |tally: &Tally<'_>| tally.values.keys().any(|value| value.eq_ignore_ascii_case(b"Q"));
    if !by_letter(&processing) && !by_letter(&action) && controls.is_empty() {
        page.ask(
            "no quality control was seen. Run a control, capture it, and see what marks it: H.12 or O.12 = Q needs \
             nothing here; a beginning of the sample id is sample_prefixes = [\"QC\"].",
        );
    }
}

fn or_empty(tally: &Tally<'_>) -> String {
    if tally.is_nowhere() { "empty".to_owned() } else { tally.list() }
}

pub(super) fn query(page: &mut Page, seen: &Seen<'_>) {
    let queries: Vec<_> = seen.of_kind(RecordType::Query).map(|query| query.field(3)).collect();
    if queries.is_empty() {
        return;
    }
    page.table("query");
    let mut found: BTreeMap<usize, usize> = BTreeMap::new();
    for field in &queries {
        for (number, part) in (1usize..).zip(field.components()) {
            if !part.trimmed().is_empty() {
                let count = found.entry(number).or_default();
                *count = count.saturating_add(1);
            }
        }
    }
    let listed: Vec<_> = found.iter().map(|(n, count)| format!("Q.3.{n} ({count})")).collect();
    page.comment(&format!("Queries: {}; filled are {}.", queries.len(), listed.join(", ")));
    let longest = |field: &orugate_protocol::astm::record::Field<'_>| {
        let parts = (1usize..).zip(field.components()).map(|(n, part)| (part.trimmed().bytes().len(), n));
        parts.max_by_key(|(length, n)| (*length, std::cmp::Reverse(*n))).map(|(_, n)| n)
    };
    if let Some(component) = queries.iter().find_map(longest) {
        page.line(&format!("specimen = [\"Q.3.{component}\"]"));
        page.ask(&format!("is Q.3.{component} the sample that the analyzer asks about?"));
    }
}

pub(super) fn comments(page: &mut Page, seen: &Seen<'_>) {
    let records: Vec<&Record<'_>> = seen.of_kind(RecordType::Comment).collect();
    if records.is_empty() {
        return;
    }
    let tally = Tally::of(records.iter().map(|record| Some(record.field(4).trimmed())));
    page.table("comment");
    page.comment(&format!("Comment records with a text: {}.", tally.ratio()));
    let number = |value: &&[u8]| value.len() <= 3 && value.iter().all(u8::is_ascii_digit);
    let numbers: Vec<String> =
        tally.values.iter().filter(|(v, _)| number(v)).map(|(v, n)| format!("{} ({n})", plain(v))).collect();
    if !numbers.is_empty() {
        page.comment(&format!("Numbers as texts: {}.", numbers.join(", ")));
        page.ask(
            "numbers in comments are often alarm codes, and one of them says \"no alarm\". Look it up in the manual, \
             and write it as ignore = [\"0\"] so that it is not sent with each result.",
        );
    }
}
