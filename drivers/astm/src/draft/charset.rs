//! Which charset the captures are in, as far as bytes can tell.

use super::Page;
use super::seen::Seen;
use crate::values::Charset;
use orugate_protocol::astm::record::Field;
use orugate_protocol::text;
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use std::collections::BTreeMap;

/// A byte above 7F in this many fields is shown at most.
const SHOWN: usize = 6;

pub(super) fn charset(page: &mut Page, seen: &Seen<'_>) {
    let mut high: Vec<(String, Field<'_>)> = Vec::new();
    for record in &seen.records {
        let letter = record.bytes().first().copied().map_or('?', char::from);
        for (number, field) in (1usize..).zip(record.fields()) {
            if !field.bytes().is_ascii() {
                high.push((format!("{letter}.{number}"), field));
            }
        }
    }
    if high.is_empty() {
        page.comment(
            "No byte above 7F was seen, which proves little: ask for a sample whose unit or comment has a character \
             such as the micro sign. A byte above 7F holds its result until a charset is named.",
        );
        page.line("charset = \"ascii\"");
        return;
    }
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, _) in &high {
        let count = places.entry(place).or_default();
        *count = count.saturating_add(1);
    }
    let places: Vec<_> = places.iter().map(|(place, count)| format!("{place} ({count})")).collect();
    if high.iter().all(|(_, field)| std::str::from_utf8(field.bytes()).is_ok()) {
        page.comment(&format!("Bytes above 7F were seen in {}, and all are UTF-8.", places.join(", ")));
        page.line("charset = \"utf-8\"");
        return;
    }
    page.comment(&format!(
        "Bytes above 7F were seen in {}, and they are not UTF-8. By charset:",
        places.join(", ")
    ));
    let mut fitting = Vec::new();
    for (name, charset) in known() {
        match shown(&high, charset.into()) {
            Some(characters) => {
                page.comment(&format!("  {name}: {characters}"));
                fitting.push(name);
            }
            None => page.comment(&format!("  {name}: not possible")),
        }
    }
    page.line("charset = \"ascii\"");
    page.ask(&format!(
        "the bytes do not say their charset; possible are {}. Compare the characters above with the analyzer's \
         screen and write the right one; until then such results are held.",
        if fitting.is_empty() { "none of those known".to_owned() } else { fitting.join(", ") }
    ));
}

/// All charsets that a profile may name, from the schema, so that none is forgotten.
fn known() -> Vec<(String, Charset)> {
    let schema = schemars::schema_for!(Charset).to_value();
    let each = schema.get("oneOf").and_then(|list| list.as_array()).into_iter().flatten();
    let plain = schema.get("enum").and_then(|list| list.as_array()).into_iter().flatten();
    let names = each.filter_map(|one| one.get("const")).chain(plain);
    let names: Vec<String> = names.filter_map(|name| name.as_str().map(str::to_owned)).collect();
    let read = |name: &str| {
        let text: serde::de::value::StrDeserializer<'_, serde::de::value::Error> = name.into_deserializer();
        Charset::deserialize(text).ok()
    };
    names.into_iter().filter_map(|name| Some((name.clone(), read(&name)?))).collect()
}

/// The characters that the bytes above 7F would be; `None` when they cannot be.
fn shown(high: &[(String, Field<'_>)], charset: text::Charset) -> Option<String> {
    let mut characters: Vec<char> = Vec::new();
    for (_, field) in high {
        for character in field.text(charset).chars() {
            let character = character.ok()?;
            if !character.is_ascii() && !characters.contains(&character) {
                characters.push(character);
            }
        }
    }
    if characters.iter().any(|c| c.is_control()) {
        return None;
    }
    // A few characters are a question about a unit; all of them could be a name.
    let few: Vec<String> = characters.iter().take(SHOWN).map(|c| format!("`{c}`")).collect();
    Some(format!("{}{}", few.join(" "), if characters.len() > SHOWN { " and more" } else { "" }))
}
