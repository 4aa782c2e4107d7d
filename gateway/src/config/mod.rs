//! The configuration: what was typed ([`ConfigFile`]), what it means ([`Plan`]), and every mistake in between.
//!
//! Promises: [`load`] reads the main file and `conf.d/*.toml` beside it and either gives a [`Plan`] in which nothing
//! needs a second look, or *all* [`Mistakes`] at once, each with file, line, key, what is wrong and what is allowed.
//! It opens no port and no journal and asks no network; the same text, profiles and time zone data
//! give the same answer on any machine, so `orugate check` can run on a laptop. Leaves out: applying a plan, the exit code (78).
//! What differs between two plans is [`Difference`].
//!
//! How all mistakes are found although serde stops at the first: serde is asked again and again, and after each
//! complaint the piece it complained about is cut out of the TOML tree (`source`). So the structs in [`mod@file`] are
//! the only description of the format; the JSON schema comes from them too. What serde cannot know (names, ranges,
//! what belongs together) is checked in `check` on all that remains.

mod check;
mod check_bedside;
mod check_destination;
mod check_instrument;
mod check_line;
mod check_maps;
mod check_rules;
mod check_seal;
mod check_tls;
mod describe;
mod diff;
mod diff_words;
pub mod file;
mod mistakes;
mod nearest;
mod plan;
mod plan_tls;
mod source;
pub mod units;

#[cfg(test)]
mod tests;

pub use check_seal::TypedSeal;
pub use check_tls::TypedTls;
pub use diff::{Change, Difference, KEYS, Subject, Takes, Weight};
pub use file::{ConfigFile, json_schema, json_schema_of_part};
pub use mistakes::{Mistake, Mistakes, Position};
pub use plan::{
    Absent, Accepts, AckMode, AckWhen, AlertsPlan, Allow, BedsidePlan, CapturePlan, ConfigHash, Corrections,
    DestinationPlan, DestinationRole, Flow, GatewayPlan, InstrumentPlan, JournalPlan, Mode, Nobodys,
    PatientField, PatientId, PcdPatient, PcdPlan, Plan, Resends, SampleIdIn, SealPlan, SerialPlan, UdpPlan,
    WirePlan,
};
pub use plan_tls::{FileOrCredential, OwnPem, PeerId, TlsPlan, TlsSide, TlsVersion};

pub(crate) use check_seal::beside;
pub(crate) use source::reword;

use crate::maps;
use crate::profiles::{self, Shelf};
use check_maps::Maps;
use mistakes::Findings;
use orugate_driver::{Profile, ProfileError};
use orugate_drivers::Catalogue;
use serde::{Deserialize, Serialize};
use source::Source;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where profiles are found: the registry's list, or a test's.
pub trait Profiles {
    /// The profile of this name.
    ///
    /// # Errors
    /// [`ProfileFault`]: there is none, or its text is wrong.
    fn find(&self, name: &str) -> Result<FoundProfile, ProfileFault>;

    /// All names, to say what is allowed.
    fn names(&self) -> Vec<String>;
}

/// A profile with the hash of the texts it was read from, which the journal keeps with every outcome.
#[derive(Clone)]
pub struct FoundProfile {
    pub(crate) profile: Arc<dyn Profile>,
    pub(crate) hash: ConfigHash,
}

impl FoundProfile {
    /// A profile and the TOML texts that it was read from: its own, or its base's and its own.
    #[must_use]
    pub fn new<'t>(profile: Arc<dyn Profile>, texts: impl IntoIterator<Item = &'t str>) -> Self {
        Self { profile, hash: ConfigHash::of(texts) }
    }
}

/// Why there is no such profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileFault {
    /// No profile has this name.
    Unknown,
    /// One has, but its text is wrong.
    Broken(ProfileError),
    /// One has, and what is wrong in its file was told already.
    Told,
}

/// A configuration without mistakes.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it means.
    pub plan: Plan,
    /// What is allowed and yet probably not meant; to be shown, never a reason to stop.
    pub warnings: Vec<Mistake>,
    /// Every `tls` table of the files, to place what is wrong with the files that it names.
    pub tls: Vec<TypedTls>,
    /// The table `seal`, to place what is wrong with the keys that it names.
    pub seal: Option<TypedSeal>,
    /// What it was read from, when that was files.
    pub texts: Texts,
}

/// The texts of a configuration, so that a running service can say what it runs by. They hold no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Texts {
    /// The main file, then its parts.
    pub files: Vec<(PathBuf, String)>,
    /// The site's profiles.
    pub profiles: Vec<(PathBuf, String)>,
    /// The site's maps.
    #[serde(default)]
    pub maps: Vec<(PathBuf, String)>,
}

impl Texts {
    /// What they mean.
    ///
    /// # Errors
    /// All [`Mistakes`] of all files.
    pub fn load(self, catalogue: &Catalogue) -> Result<Loaded, Mistakes> {
        let mut out = Findings::default();
        let shelf = Shelf::new(catalogue, self.profiles);
        shelf.mistakes().for_each(|mistake| out.wrong(mistake.clone()));
        from_texts(self.files, &shelf, &self.maps, true, out)
    }
}

/// The largest file that is read; a configuration of a thousand instruments has a quarter of it.
const MAX_FILE: u64 = 1 << 20;

/// Reads the main file ([`main_file`]) and, beside it, the `*.toml` files of the folders `conf.d` (parts of the
/// configuration) and `profiles.d` (profiles of the site), and the `*.csv` files of `maps.d`, in the order of their names.
///
/// # Errors
/// All [`Mistakes`] of all files.
pub fn load(path: &Path, catalogue: &Catalogue) -> Result<Loaded, Mistakes> {
    let path = &*main_file(path);
    let mut out = Findings::default();
    let mut texts = read_all(std::iter::once(path.to_owned()), &mut out);
    let parts = files_beside(path, "conf.d", "toml", &mut out);
    texts.extend(read_all(parts.into_iter(), &mut out));
    let maps = files_beside(path, maps::FOLDER, "csv", &mut out);
    let maps = read_all(maps.into_iter(), &mut out);
    let readable = out.mistakes.is_empty();
    let own = files_beside(path, profiles::FOLDER, "toml", &mut out);
    let own = read_all(own.into_iter(), &mut out);
    let kept = Texts { files: texts.clone(), profiles: own.clone(), maps: maps.clone() };
    let shelf = Shelf::new(catalogue, own);
    shelf.mistakes().for_each(|mistake| out.wrong(mistake.clone()));
    from_texts(texts, &shelf, &maps, readable, out).map(|loaded| Loaded { texts: kept, ..loaded })
}

/// The profiles of a configuration at `path`, shipped and its own, and what cannot be read of them. The configuration
/// itself is not read and need not be there.
#[must_use]
pub fn shelf(path: &Path, catalogue: &Catalogue) -> (Shelf, Vec<Mistake>) {
    let mut out = Findings::default();
    let shelf = shelf_beside(&main_file(path), catalogue, &mut out);
    (shelf, out.mistakes)
}

fn shelf_beside(path: &Path, catalogue: &Catalogue, out: &mut Findings) -> Shelf {
    let files = files_beside(path, profiles::FOLDER, "toml", out);
    let shelf = Shelf::new(catalogue, read_all(files.into_iter(), out));
    shelf.mistakes().for_each(|mistake| out.wrong(mistake.clone()));
    shelf
}

fn read_all(files: impl Iterator<Item = PathBuf>, out: &mut Findings) -> Vec<(PathBuf, String)> {
    let mut texts = Vec::new();
    for file in files {
        match read_text(&file) {
            Ok(text) => texts.push((file, text)),
            Err(error) => out.unreadable(&file, &error),
        }
    }
    texts
}

/// [`load`] for texts that are already in memory: the main file first, then the parts in their order.
///
/// # Errors
/// All [`Mistakes`] of all files.
pub fn load_texts(files: Vec<(PathBuf, String)>, profiles: &dyn Profiles) -> Result<Loaded, Mistakes> {
    from_texts(files, profiles, &[], true, Findings::default())
}

/// `readable`: these are all files of the configuration.
fn from_texts(
    files: Vec<(PathBuf, String)>,
    profiles: &dyn Profiles,
    maps: &[(PathBuf, String)],
    readable: bool,
    mut out: Findings,
) -> Result<Loaded, Mistakes> {
    // A map's name is part of what it does; without maps the hash is that of the files alone.
    let names: Vec<String> = maps
        .iter()
        .map(|(file, _)| file.file_stem().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    let of_maps = names.iter().zip(maps).flat_map(|(name, (_, text))| [name.as_str(), text.as_str()]);
    let hash = ConfigHash::of(files.iter().map(|(_, text)| text.as_str()).chain(of_maps));
    let count = files.len();
    let typed: Vec<(Source, ConfigFile)> =
        files.into_iter().filter_map(|(file, text)| source::read(file, text, &mut out)).collect();
    let maps = Maps::read(maps, &mut out);
    // A file that could not be read to its end may hold the very name that another file refers to, so what is said
    // across files would be noise.
    let plan = if readable && typed.len() == count {
        check::plan(&typed, hash, profiles, &maps, &mut out)
    } else {
        None
    };
    out.finish(plan)
}

/// Where the service that runs by the configuration at `path` is asked, even if the file has mistakes.
///
/// # Errors
/// It cannot be read.
pub fn admin_socket(path: &Path) -> Result<PathBuf, Mistakes> {
    let path = main_file(path);
    match read_text(&path) {
        Ok(text) => Ok(source::admin_socket(&text).unwrap_or_else(|| PathBuf::from(check::ADMIN_SOCKET))),
        Err(error) => {
            let mut out = Findings::default();
            out.unreadable(&path, &error);
            Err(out.refuse())
        }
    }
}

/// The main file: the one that is named, or `orugate.toml` in the folder that is named.
#[must_use]
pub fn main_file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("orugate.toml") } else { path.to_owned() }
}

/// The files of a folder beside the main file that end so, by name; a folder that is not there has none.
fn files_beside(main: &Path, folder: &str, ending: &str, out: &mut Findings) -> Vec<PathBuf> {
    let folder = main.parent().unwrap_or(Path::new("")).join(folder);
    let list = || -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if !hidden && path.extension().is_some_and(|extension| extension == ending) {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    };
    match list() {
        Ok(files) => files,
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                out.unreadable(&folder, &error);
            }
            Vec::new()
        }
    }
}

/// A file's text, at most 1 MiB of it, in UTF-8.
pub(crate) fn read_text(file: &Path) -> io::Result<String> {
    use io::Read as _;
    let mut bytes = Vec::new();
    fs::File::open(file)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(good).filter(|byte| **byte == b'\n').count() + 1;
        io::Error::new(io::ErrorKind::InvalidData, format!("line {line} holds a byte that is not UTF-8"))
    })
}
