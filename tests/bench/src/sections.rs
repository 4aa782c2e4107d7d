//! Sections of the page that come from runs of their own: each is written anew by its own run (Ward: by hand, of what `tests/load`
//! prints) and kept by the others.

use crate::Anything;
use std::path::Path;

/// Those sections, in their order on the page.
const OWN: [&str; 3] = ["Flash", "Start", "Ward"];

/// Puts a section in its place, in the room of what was there. `text` begins with its heading.
pub fn put(page: &Path, name: &str, text: &str) -> Anything<()> {
    let old = std::fs::read_to_string(page).unwrap_or_default();
    let mut new = without(&old);
    for own in OWN {
        let section = if own == name { Some(text) } else { find(&old, own) };
        append(&mut new, section);
    }
    Ok(std::fs::write(page, new)?)
}

/// The page as another run wrote it, with those sections of the old one.
pub fn keep(page: &Path, mut new: String) -> String {
    let old = std::fs::read_to_string(page).unwrap_or_default();
    OWN.iter().for_each(|own| append(&mut new, find(&old, own)));
    new
}

fn append(page: &mut String, section: Option<&str>) {
    if let Some(section) = section {
        let kept = page.trim_end().len();
        page.truncate(kept);
        page.push_str("\n\n");
        page.push_str(section.trim());
        page.push('\n');
    }
}

fn find<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    let heading = format!("\n## {name}\n");
    let start = page.find(&heading)? + 1;
    let rest = page.get(start..)?;
    let len = rest.get(3..)?.find("\n## ").map_or(rest.len(), |at| at + 4);
    rest.get(..len)
}

fn without(page: &str) -> String {
    OWN.iter().fold(page.to_owned(), |page, own| match find(&page, own) {
        Some(section) => page.replace(section, ""),
        None => page,
    })
}
