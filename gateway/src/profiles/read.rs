//! From a profile's text, and that of the profile it extends, to a profile or to all its mistakes.
//!
//! A driver stops at the first mistake that it finds. So it is asked again and again, and after each complaint the
//! piece that it complained about is taken out; the configuration is read in the same way. Leaves out where the texts
//! come from.

use super::tree::{Origin, Tree, Written};
use crate::config::{Mistake, Position, reword};
use orugate_driver::{Profile, ProfileError};
use orugate_drivers::Catalogue;
use std::path::Path;

/// More mistakes than this are not listed: the file is something else.
const MAX_MISTAKES: usize = 50;

/// What a file says for itself and never takes from the profile that it extends.
const OWN: [&str; 4] = ["name", "title", "evidence", "example"];

/// The key by which a file names the profile that it changes.
pub(super) const EXTENDS: &str = "extends";

/// A text that is TOML, before anybody knows what it means.
#[derive(Debug)]
pub(super) struct Typed<'t> {
    pub(super) file: &'t Path,
    text: &'t str,
    tree: Tree,
    /// The profile's name, when it has one.
    pub(super) name: Option<String>,
    /// The profile that it extends.
    pub(super) extends: Option<String>,
}

/// A base: the name and the text of a profile that extends none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Base<'t> {
    pub(super) name: &'t str,
    pub(super) text: &'t str,
}

impl<'t> Typed<'t> {
    pub(super) fn read(file: &'t Path, text: &'t str) -> Result<Self, Vec<Mistake>> {
        let told =
            |(at, message): (Position, String)| mistake(file, Some(at), "", format!("not TOML: {message}"));
        let mut tree = Tree::read(text, Origin::Own)
            .map_err(|faults| faults.into_iter().map(told).collect::<Vec<_>>())?;
        let extends = match tree.text(EXTENDS) {
            None => None,
            Some(Ok(name)) => Some(name),
            Some(Err(at)) => {
                let message = "is the name of a profile, such as \"sysmex-xn-l\", in quotes".to_owned();
                return Err(vec![mistake(file, Some(at), EXTENDS, message)]);
            }
        };
        let name = tree.text("name").and_then(Result::ok);
        // From here on the tree is what a driver may see; the place of `extends` is found again in the text.
        tree.remove(EXTENDS);
        Ok(Self { file, text, tree, name, extends })
    }

    /// A mistake at the key `extends`.
    pub(super) fn at_extends(&self, message: String) -> Mistake {
        mistake(self.file, self.place(EXTENDS), EXTENDS, message)
    }

    /// A mistake at the key `name`.
    pub(super) fn at_name(&self, message: String) -> Mistake {
        mistake(self.file, self.place("name"), "name", message)
    }

    fn place(&self, key: &str) -> Option<Position> {
        Tree::read(self.text, Origin::Own).ok().and_then(|tree| tree.place(key))
    }

    /// The profile, and the one text that the driver read.
    pub(super) fn profile(
        &self,
        catalogue: &Catalogue,
        base: Option<Base<'_>>,
    ) -> Result<(Box<dyn Profile>, String), Vec<Mistake>> {
        let tree = match base {
            None => {
                // Its own text has its comments, and lines that need no translation.
                if let Ok(profile) = catalogue.read(self.text) {
                    return Ok((profile, self.text.to_owned()));
                }
                self.tree.clone()
            }
            Some(base) => match Tree::read(base.text, Origin::Base) {
                Ok(below) => self.tree.clone().over(below, &OWN),
                Err(_) => return Err(vec![self.at_extends(format!("{} is not TOML", base.name))]),
            },
        };
        let mut seeker = Seeker { typed: self, base, mistakes: Vec::new() };
        match seeker.seek(catalogue, tree) {
            Some(found) if seeker.mistakes.is_empty() => Ok(found),
            _ => {
                seeker.mistakes.sort_by_key(|mistake| mistake.position);
                Err(seeker.mistakes)
            }
        }
    }
}

struct Seeker<'a, 't> {
    typed: &'a Typed<'t>,
    base: Option<Base<'a>>,
    mistakes: Vec<Mistake>,
}

impl Seeker<'_, '_> {
    fn seek(&mut self, catalogue: &Catalogue, mut tree: Tree) -> Option<(Box<dyn Profile>, String)> {
        let named = tree.text("driver").and_then(Result::ok);
        let driver = catalogue.drivers.iter().find(|known| Some(known.name()) == named.as_deref());
        let schema = driver.map_or(serde_json::Value::Null, |driver| driver.schema().to_value());
        self.missing(&tree, &schema);
        // Without a driver nobody knows the rest of the keys.
        let Some(driver) = driver else {
            if let Some(named) = named {
                let known: Vec<_> = catalogue.drivers.iter().map(|driver| driver.name()).collect();
                let message = format!("there is no driver {named:?}; allowed are {}", known.join(", "));
                self.mistakes.push(mistake(self.typed.file, tree.place("driver"), "driver", message));
            }
            return None;
        };
        for _ in 0..MAX_MISTAKES {
            let written = tree.write();
            let error = match driver.profile(&written.text) {
                Ok(profile) => return Some((profile, written.text)),
                Err(error) => error,
            };
            let path = self.tell(&written, error, &schema)?;
            if !tree.remove(&path) {
                return None;
            }
        }
        None
    }

    /// Keys that are not there: serde would tell the first one only.
    fn missing(&mut self, tree: &Tree, schema: &serde_json::Value) {
        let common = ["name", "driver", "title", "evidence"].map(str::to_owned);
        let listed = schema.get("required").and_then(|list| list.as_array()).into_iter().flatten();
        let listed = listed.filter_map(|key| key.as_str().map(str::to_owned));
        let mut keys: Vec<String> = common.into_iter().chain(listed).collect();
        keys.dedup();
        for key in keys {
            if tree.place(&key).is_some() || self.told(&key) {
                continue;
            }
            let means =
                schema.pointer(&format!("/properties/{key}/description")).and_then(|text| text.as_str());
            let means = means.map(|text| format!(": {}", text.trim_end_matches('.'))).unwrap_or_default();
            let own = if self.base.is_some() && OWN.contains(&key.as_str()) {
                "; a change is proven for itself, so a file with extends says its own name, title and evidence"
            } else {
                ""
            };
            let at = Some(Position { line: 1, column: 1 });
            self.mistakes.push(mistake(self.typed.file, at, &key, format!("is missing{means}{own}")));
        }
    }

    fn told(&self, key: &str) -> bool {
        self.mistakes.iter().any(|mistake| mistake.key == key)
    }

    /// Tells one complaint; gives the path to take out before the next one.
    fn tell(&mut self, written: &Written, error: ProfileError, schema: &serde_json::Value) -> Option<String> {
        let line = error.line.and_then(|line| written.line(line));
        let absent = error.message.strip_prefix("missing field `").and_then(|rest| rest.split_once('`'));
        if let Some((field, _)) = absent {
            // What was taken out, or told by the schema, is missed only for that.
            let again = self.mistakes.iter().any(|told| told.key.rsplit('.').next() == Some(field));
            if !again {
                let (at, path) = match line {
                    Some(line) if line.path.contains('[') || !line.path.is_empty() => {
                        (Some(line.at), line.path.clone())
                    }
                    _ => (None, String::new()),
                };
                let message = format!("{field} is missing here");
                self.mistakes.push(mistake(self.typed.file, at, &path, message));
                // The table that lacks it can be left out, so that the rest is read.
                return (!path.is_empty()).then_some(path);
            }
            return None;
        }
        let Some(line) = line else {
            self.mistakes.push(mistake(self.typed.file, None, "", error.message));
            return None;
        };
        let path = line.path.clone();
        let (message, hint) = reword(&error.message, &path, "", schema);
        let told = match (line.origin, self.base) {
            (Origin::Base, Some(base)) => {
                let message = format!(
                    "with these changes {} is wrong at its line {} ({path}): {message}",
                    base.name, line.at.line
                );
                self.typed.at_extends(message)
            }
            _ => mistake(self.typed.file, Some(line.at), &path, message),
        };
        self.mistakes.push(Mistake { hint, ..told });
        Some(path)
    }
}

pub(super) fn mistake(file: &Path, position: Option<Position>, key: &str, message: String) -> Mistake {
    Mistake {
        file: file.to_owned(),
        position,
        key: key.to_owned(),
        subject: String::new(),
        message,
        hint: None,
    }
}
