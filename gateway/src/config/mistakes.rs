//! What is wrong with a configuration, for somebody tired: [`Mistake`] and [`Mistakes`].
//!
//! Promises one line per mistake, in the order of the files, with the place first as compilers print it, so that
//! editors can jump there. Leaves out finding them.

use super::check_seal::TypedSeal;
use super::check_tls::TypedTls;
use super::plan::Plan;
use super::source::Source;
use super::{Loaded, Texts};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// One mistake, or one warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file, as it was named to [`load`](super::load).
    pub file: PathBuf,
    /// Where in it; `None` when the file could not be read.
    pub position: Option<Position>,
    /// The key, with places in lists counted from 0 within the file: `instrument[2].wire.baud`. Empty for the file.
    pub key: String,
    /// What the key belongs to, for people: `instrument "haematology-1"`. Empty outside of such tables.
    pub subject: String,
    /// What is wrong and what is allowed.
    pub message: String,
    /// What was probably meant, or what to do.
    pub hint: Option<String>,
}

/// A place in a file. Later places are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

impl Mistake {
    /// The same with a hint.
    pub(super) fn hint(self, hint: Option<String>) -> Self {
        Self { hint, ..self }
    }

    /// The key within its subject.
    fn local_key(&self) -> &str {
        if self.subject.is_empty() {
            return &self.key;
        }
        self.key.split_once('.').map_or("", |(_, rest)| rest)
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(position) = self.position {
            write!(f, "{}:", position.line)?;
        }
        for part in [self.subject.as_str(), self.local_key()] {
            if !part.is_empty() {
                write!(f, " {part}:")?;
            }
        }
        write!(f, " {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// Every mistake of a configuration; never empty. Its `Display` is what `orugate check` prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes {
    list: Vec<Mistake>,
    warnings: Vec<Mistake>,
}

impl Mistakes {
    /// The mistakes, by file and line.
    #[must_use]
    pub fn list(&self) -> &[Mistake] {
        &self.list
    }

    /// What was noticed besides, by file and line.
    #[must_use]
    pub fn warnings(&self) -> &[Mistake] {
        &self.warnings
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for mistake in &self.list {
            writeln!(f, "{mistake}")?;
        }
        match self.list.len() {
            1 => f.write_str("1 mistake; nothing was opened"),
            n => write!(f, "{n} mistakes; nothing was opened"),
        }
    }
}

impl std::error::Error for Mistakes {}

/// Collects while files are read and checked.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) mistakes: Vec<Mistake>,
    warnings: Vec<Mistake>,
    pub(super) tls: Vec<TypedTls>,
    pub(super) seal: Option<TypedSeal>,
    /// The files in their order, to sort by.
    order: Vec<PathBuf>,
}

impl Findings {
    /// Notes that this file comes next in the order.
    pub(super) fn begin(&mut self, file: &Path) {
        self.order.push(file.to_owned());
    }

    pub(super) fn wrong(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
    }

    pub(super) fn warn(&mut self, warning: Mistake) {
        self.warnings.push(warning);
    }

    /// A file or folder that could not be read.
    pub(super) fn unreadable(&mut self, file: &Path, error: &io::Error) {
        self.begin(file);
        self.mistakes.push(Mistake {
            file: file.to_owned(),
            position: None,
            key: String::new(),
            subject: String::new(),
            message: format!("cannot be read: {error}"),
            hint: None,
        });
    }

    /// True when a mistake was already told for this key or for something in it, so that a second one about the same
    /// ("it is missing") would only confuse.
    pub(super) fn told(&self, source: &Source, key: &str) -> bool {
        self.mistakes.iter().any(|mistake| {
            mistake.file == source.file
                && mistake
                    .key
                    .strip_prefix(key)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    /// What was found so far, as the reason to refuse.
    pub(super) fn refuse(self) -> Mistakes {
        Mistakes { list: self.mistakes, warnings: self.warnings }
    }

    pub(super) fn finish(mut self, plan: Option<Plan>) -> Result<Loaded, Mistakes> {
        let order = std::mem::take(&mut self.order);
        let place = |m: &Mistake| (order.iter().position(|file| *file == m.file), m.position);
        self.mistakes.sort_by_key(place);
        self.warnings.sort_by_key(place);
        match plan {
            Some(plan) if self.mistakes.is_empty() => {
                let Self { warnings, tls, seal, .. } = self;
                Ok(Loaded { plan, warnings, tls, seal, texts: Texts::default() })
            }
            _ => Err(Mistakes { list: self.mistakes, warnings: self.warnings }),
        }
    }
}
