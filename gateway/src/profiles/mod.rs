//! Profiles, shipped and of the site, for configurations and for the command line.
//!
//! A site's profiles are the files `profiles.d/*.toml` beside its configuration. Such a file is a whole profile, or
//! it says `extends = "NAME"` and only what differs: its keys replace the base's table by table, a list replaces a
//! list, and name, title, evidence and examples are always its own. The base extends nothing itself.
//!
//! Promises: every mistake of every file is told with file, line and key; the hash that the journal keeps with each
//! outcome covers the change and its base.

pub mod examples;
mod read;
mod tree;

use crate::config::{FoundProfile, Mistake, ProfileFault, Profiles};
use orugate_driver::{Common, Profile};
use orugate_drivers::Catalogue;
use read::{Base, Typed};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder of a site's profiles, beside its configuration.
pub const FOLDER: &str = "profiles.d";

impl Profiles for Catalogue {
    fn find(&self, name: &str) -> Result<FoundProfile, ProfileFault> {
        let text = self.text(name).ok_or(ProfileFault::Unknown)?;
        let profile = self.read(text).map_err(ProfileFault::Broken)?;
        Ok(FoundProfile::new(Arc::from(profile), [text]))
    }

    fn names(&self) -> Vec<String> {
        Self::names(self).map(str::to_owned).collect()
    }
}

/// One shipped profile, or the reason why not, with those that there are.
///
/// # Errors
/// A sentence for a person.
pub fn find(catalogue: &Catalogue, name: &str) -> Result<Box<dyn Profile>, String> {
    let Some(text) = catalogue.text(name) else {
        let names: Vec<&str> = catalogue.names().collect();
        return Err(format!("There is no profile {name}. There are: {}.", names.join(", ")));
    };
    catalogue.read(text).map_err(|error| format!("The profile {name} is broken: {error}."))
}

/// A profile as a site has it.
#[derive(Clone)]
pub struct SiteProfile {
    /// The profile.
    pub profile: Arc<dyn Profile>,
    /// The one text that its driver read: the file's own, or the base with the changes in it.
    pub effective: String,
    /// The profile that it extends.
    pub extends: Option<String>,
    found: FoundProfile,
}

impl SiteProfile {
    /// What all profiles have.
    #[must_use]
    pub fn common(&self) -> &Common {
        self.profile.common()
    }

    /// Hash of its texts, as outcomes have it.
    #[must_use]
    pub fn hash(&self) -> String {
        self.found.hash.to_string()
    }
}

/// A file of the site.
struct File {
    path: PathBuf,
    /// As far as it could be read.
    name: Option<String>,
    result: Result<SiteProfile, Vec<Mistake>>,
}

/// The shipped profiles and those of one site.
pub struct Shelf {
    catalogue: Catalogue,
    texts: Vec<(PathBuf, String)>,
    files: Vec<File>,
}

impl Shelf {
    /// From the texts of the site's files.
    #[must_use]
    pub fn new(catalogue: &Catalogue, texts: Vec<(PathBuf, String)>) -> Self {
        let typed: Vec<_> = texts.iter().map(|(path, text)| Typed::read(path, text)).collect();
        let mut files = Vec::new();
        for ((path, text), read) in texts.iter().zip(&typed) {
            let (name, result) = match read {
                Ok(own) => (own.name.clone(), one(catalogue, own, text, &typed, &texts)),
                Err(mistakes) => (None, Err(mistakes.clone())),
            };
            files.push(File { path: path.clone(), name, result });
        }
        drop(typed);
        Self { catalogue: *catalogue, texts, files }
    }

    /// All mistakes of all files.
    pub fn mistakes(&self) -> impl Iterator<Item = &Mistake> {
        self.files.iter().filter_map(|file| file.result.as_ref().err()).flatten()
    }

    /// The site's profiles that can be used, with their files.
    pub fn site(&self) -> impl Iterator<Item = (&Path, &SiteProfile)> {
        self.files.iter().filter_map(|file| Some((file.path.as_path(), file.result.as_ref().ok()?)))
    }

    /// Reads a file that need not be one of the site's, as if it were.
    ///
    /// # Errors
    /// All mistakes in it.
    pub fn read(&self, path: &Path, text: &str) -> Result<SiteProfile, Vec<Mistake>> {
        let others = self.texts.iter().filter(|(known, _)| known != path).cloned();
        let texts = others.chain([(path.to_owned(), text.to_owned())]).collect();
        let mut shelf = Self::new(&self.catalogue, texts);
        shelf.files.pop().map_or_else(|| Err(Vec::new()), |file| file.result)
    }

    /// A profile by its name, shipped or the site's.
    ///
    /// # Errors
    /// Sentences for a person, one a line.
    pub fn by_name(&self, name: &str) -> Result<SiteProfile, String> {
        if let Some(file) = self.files.iter().find(|file| file.name.as_deref() == Some(name)) {
            return file.result.clone().map_err(|mistakes| said(&mistakes));
        }
        let Some(text) = self.catalogue.text(name) else {
            let names = Profiles::names(self).join(", ");
            return Err(format!("There is no profile {name}. There are: {names}."));
        };
        let found =
            self.catalogue.find(name).map_err(|_| format!("The shipped profile {name} is broken."))?;
        Ok(SiteProfile { profile: found.profile.clone(), effective: text.to_owned(), extends: None, found })
    }
}

/// Mistakes as sentences, one a line.
#[must_use]
pub fn said(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn one(
    catalogue: &Catalogue,
    own: &Typed<'_>,
    text: &str,
    all: &[Result<Typed<'_>, Vec<Mistake>>],
    texts: &[(PathBuf, String)],
) -> Result<SiteProfile, Vec<Mistake>> {
    if let Some(name) = &own.name {
        if catalogue.text(name).is_some() {
            let message = format!(
                "{name:?} is a shipped profile; give this one another name, and extends = {name:?} if it changes it"
            );
            return Err(vec![own.at_name(message)]);
        }
        let twin =
            all.iter().flatten().find(|other| other.name.as_ref() == Some(name) && other.file != own.file);
        if let Some(twin) = twin {
            let message = format!("{name:?} is also the name of {}", twin.file.display());
            return Err(vec![own.at_name(message)]);
        }
    }
    let base = match &own.extends {
        None => None,
        Some(name) => Some(base(catalogue, own, name, all, texts)?),
    };
    let (profile, effective) = own.profile(catalogue, base)?;
    let profile: Arc<dyn Profile> = Arc::from(profile);
    let found = match base {
        None => FoundProfile::new(profile.clone(), [text]),
        Some(base) => FoundProfile::new(profile.clone(), [base.text, text]),
    };
    Ok(SiteProfile { profile, effective, extends: own.extends.clone(), found })
}

fn base<'t>(
    catalogue: &Catalogue,
    own: &Typed<'_>,
    name: &'t str,
    all: &[Result<Typed<'_>, Vec<Mistake>>],
    texts: &'t [(PathBuf, String)],
) -> Result<Base<'t>, Vec<Mistake>> {
    if let Some(text) = catalogue.text(name) {
        return Ok(Base { name, text });
    }
    let found = all.iter().flatten().find(|other| other.name.as_deref() == Some(name));
    let message = match found {
        Some(other) if other.file == own.file => "a profile cannot extend itself".to_owned(),
        Some(Typed { extends: Some(further), .. }) => format!(
            "{name:?} extends {further:?} itself; one level is allowed, so that one look shows what a profile does"
        ),
        Some(other) => match texts.iter().find(|(path, _)| path == other.file) {
            Some((_, text)) => return Ok(Base { name, text }),
            None => format!("{name:?} cannot be read"),
        },
        None => {
            let names: Vec<&str> = catalogue.names().collect();
            format!(
                "there is no profile {name:?}; allowed are {} and those of the site that extend none",
                names.join(", ")
            )
        }
    };
    Err(vec![own.at_extends(message)])
}

impl Profiles for Shelf {
    fn find(&self, name: &str) -> Result<FoundProfile, ProfileFault> {
        match self.files.iter().find(|file| file.name.as_deref() == Some(name)) {
            Some(File { result: Ok(site), .. }) => Ok(site.found.clone()),
            Some(_) => Err(ProfileFault::Told),
            None => self.catalogue.find(name),
        }
    }

    fn names(&self) -> Vec<String> {
        let site = self.files.iter().filter_map(|file| file.name.clone());
        Catalogue::names(&self.catalogue).map(str::to_owned).chain(site).collect()
    }
}

/// The JSON schema of a driver's profiles, for editors, with the keys of a file that extends another.
#[must_use]
pub fn schema(catalogue: &Catalogue, driver: &str) -> Option<serde_json::Value> {
    let driver = catalogue.drivers.iter().find(|known| known.name() == driver)?;
    let mut schema = driver.schema().to_value();
    let table = schema.as_object_mut()?;
    let required = table.remove("required").unwrap_or_default();
    table.insert(
        "anyOf".into(),
        serde_json::json!([
            { "required": required },
            { "required": [read::EXTENDS, "name", "title", "evidence"] },
        ]),
    );
    if let Some(properties) = table.get_mut("properties").and_then(|p| p.as_object_mut()) {
        properties.insert(
            read::EXTENDS.into(),
            serde_json::json!({
                "type": "string",
                "description": "The profile that this one changes, by its name; only what differs is said here.",
            }),
        );
    }
    Some(schema)
}

#[cfg(test)]
mod tests;
