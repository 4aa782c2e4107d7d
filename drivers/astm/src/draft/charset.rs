//! Which charset the captures are in, as far as bytes can tell.

use super::Page;
use super::seen::Seen;
use orugate_protocol::astm::record::Field;
use orugate_protocol::text::{Charset, Escapes, Text};
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
    // Many charsets agree on a few characters; what tells them apart is what is shown.
    let mut readings: Vec<(String, Vec<&str>)> = Vec::new();
    for charset in Charset::all() {
        let Some(characters) = shown(&high, charset) else { continue };
        match readings.iter_mut().find(|(same, _)| *same == characters) {
            Some((_, names)) => names.push(charset.name()),
            None => readings.push((characters, vec![charset.name()])),
        }
    }
    for (characters, names) in &readings {
        page.comment(&format!("  {characters}: {}", names.join(", ")));
    }
    let fitting: Vec<_> = readings.iter().flat_map(|(_, names)| names).copied().collect();
    page.line("charset = \"ascii\"");
    page.ask(&format!(
        "the bytes do not say their charset; possible are {}. Compare the characters above with the analyzer's \
         screen and write the right one; until then such results are held.",
        if fitting.is_empty() { "none of those known".to_owned() } else { fitting.join(", ") }
    ));
}

/// The characters that the bytes above 7F would be; `None` when they cannot be.
fn shown(high: &[(String, Field<'_>)], charset: Charset) -> Option<String> {
    let mut characters: Vec<char> = Vec::new();
    for (_, field) in high {
        for character in Text::new(field.bytes(), charset, Escapes::None).chars() {
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
