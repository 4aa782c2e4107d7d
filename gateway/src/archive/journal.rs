//! The journal's folder as a tool opens it.

use super::{Archive, Message, Standing};
use crate::convert::Keyed;
use crate::records::{
    Abandoned, Attempt, CaptureExported, Chunk, ClockAccepted, Delivery, Dropped, Hold, HoldSettled, Life,
    Meta, NeverSent, Observed, Oru, Outcome, ParkedSettled, Reconfigured, Redriven, Restored, Verification,
};
use crate::terms;
use orugate_journal::{
    Commit, Gathered, Inspected, Inspector, KeyRing, OpenError, Own, ReadOnly, RecordRef, Term, Terms,
};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fmt, io};

/// A journal that is only looked at.
pub struct Journal {
    folder: PathBuf,
    storage: ReadOnly,
    keys: Option<KeyRing>,
    raw_from: i64,
}

/// What concerns the samples with one id.
pub struct OfSample {
    /// By which it was found.
    pub term: Term,
    /// All of it.
    pub archive: Archive,
    /// The messages whose outcomes name such a sample.
    pub messages: BTreeSet<u64>,
    /// How it was found.
    pub gathered: Gathered,
}

/// Why it cannot be looked at.
#[derive(Debug)]
pub enum LookError {
    /// The folder.
    Folder(PathBuf, io::Error),
    /// What is in it.
    Journal(PathBuf, OpenError),
}

impl fmt::Display for LookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder, error) if error.kind() == io::ErrorKind::NotFound => write!(
                f,
                "There is no folder {}, where the journal should be. Look whether its disk is mounted, and whether this is the \
                 right place: journal.path, --config, --path. A new box's journal is made by: orugate journal init",
                folder.display()
            ),
            Self::Folder(folder, error) => {
                write!(
                    f,
                    "The journal's folder {} cannot be read: {error}.{}",
                    folder.display(),
                    as_whom(error.kind())
                )
            }
            Self::Journal(folder, OpenError::Missing) => {
                write!(f, "There is no journal in {}: it has no file journal.id.", folder.display())
            }
            Self::Journal(folder, OpenError::TooNew { file, needs }) => write!(
                f,
                "The journal in {} was written by a newer version of Orugate: {file} needs a reader of format {needs}. \
                 Use that version's orugate.",
                folder.display()
            ),
            Self::Journal(folder, OpenError::NoKey(no_key)) => write!(
                f,
                "The journal in {} is sealed: {no_key}. Give it with --key FILE, or name it in the configuration.",
                folder.display()
            ),
            Self::Journal(folder, error) => {
                let whom = match error {
                    OpenError::Disk(error) => as_whom(error.kind()),
                    _ => "",
                };
                write!(f, "The journal in {} cannot be read: {error}.{whom}", folder.display())
            }
        }
    }
}

fn as_whom(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::PermissionDenied => " Ask as root, or as the user that the service runs as.",
        _ => "",
    }
}

impl Journal {
    /// The journal in this folder, with these keys if it is sealed.
    ///
    /// # Errors
    /// The folder is not there.
    pub fn at(folder: &Path, keys: Option<KeyRing>) -> Result<Self, LookError> {
        let failed = |error| LookError::Folder(folder.to_owned(), error);
        Ok(Self {
            folder: folder.to_owned(),
            storage: ReadOnly::new(folder).map_err(failed)?,
            keys,
            raw_from: i64::MIN,
        })
    }

    /// The same, whose settled messages' raw bytes are given out only when they came at this time or later, in microseconds
    /// since 1970.
    #[must_use]
    pub fn with_raw_from(self, raw_from: i64) -> Self {
        Self { raw_from, ..self }
    }

    /// The time from which on raw bytes are given out of what is settled.
    #[must_use]
    pub const fn raw_from(&self) -> i64 {
        self.raw_from
    }

    /// Whether the raw bytes of a message are not given out any more: it is settled, and came before the time that
    /// `keep_raw` leaves. Where the clock was not set, nobody knows that.
    #[must_use]
    pub fn withholds(&self, archive: &Archive, message: &Message) -> bool {
        let settled = matches!(archive.standing(message), Standing::Delivered | Standing::Settled);
        settled && message.clock > 0 && message.received < self.raw_from
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its directory, for reading.
    #[must_use]
    pub const fn storage(&self) -> &ReadOnly {
        &self.storage
    }

    /// The keys that it is read with.
    #[must_use]
    pub fn keys(&self) -> Option<KeyRing> {
        self.keys.clone()
    }

    /// Looks at its directory.
    ///
    /// # Errors
    /// As [`Inspector::new`].
    pub fn inspector(&self) -> Result<Inspector<'_>, LookError> {
        Inspector::new(&self.storage, self.keys.as_ref()).map_err(|error| self.failed(error))
    }

    /// Shows every commit.
    ///
    /// # Errors
    /// As [`Inspector::walk`].
    pub fn walk(&self, visit: &mut dyn FnMut(&Commit<'_>)) -> Result<Inspected, LookError> {
        self.inspector()?.walk(visit).map_err(|error| self.failed(error))
    }

    /// Folds all of it.
    ///
    /// # Errors
    /// As [`walk`](Self::walk).
    pub fn archive(&self) -> Result<(Archive, Inspected), LookError> {
        let mut archive = Archive::default();
        let inspected = self.walk(&mut |commit| archive.see(commit))?;
        Ok((archive, inspected))
    }

    /// Shows what is linked to this term, with what it is linked to in turn, without reading all of the journal.
    ///
    /// # Errors
    /// As [`walk`](Self::walk).
    pub fn gather(&self, term: Term, visit: &mut dyn FnMut(&Commit<'_>)) -> Result<Gathered, LookError> {
        let terms = Terms { version: terms::VERSION, of: &terms::terms };
        self.inspector()?.gather(&[term, terms::ALL], &terms, visit).map_err(|error| self.failed(error))
    }

    /// All that concerns the samples with exactly this id, as far as it was interpreted.
    ///
    /// # Errors
    /// As [`walk`](Self::walk).
    pub fn of_sample(&self, sample: &str) -> Result<OfSample, LookError> {
        let hash = Keyed::new(self.inspector()?.identity().hash_key()).str(sample).finish();
        let term = terms::specimen(hash);
        let (mut archive, mut messages) = (Archive::default(), BTreeSet::new());
        let gathered = self.gather(term, &mut |commit| {
            archive.see(commit);
            let outcomes = commit.records.iter().filter_map(|record| terms::outcome_of(record, hash));
            messages.extend(outcomes.map(|outcome| outcome.message));
        })?;
        Ok(OfSample { term, archive, messages, gathered })
    }

    /// Folds all that concerns a message, an ORU or a hold.
    ///
    /// # Errors
    /// As [`walk`](Self::walk).
    pub fn archive_of(&self, term: Term) -> Result<(Archive, Gathered), LookError> {
        let mut archive = Archive::default();
        let gathered = self.gather(term, &mut |commit| archive.see(commit))?;
        Ok((archive, gathered))
    }

    fn failed(&self, error: OpenError) -> LookError {
        LookError::Journal(self.folder.clone(), error)
    }
}

/// A record's kind in words, and its meta as JSON where this version knows it.
#[must_use]
pub fn names(record: &RecordRef<'_>) -> (&'static str, Option<String>) {
    let (version, meta) = (record.meta_version, record.meta);
    match record.own() {
        Some(Own::GivenBack { lane, segment }) => {
            return ("given-back", Some(format!("{{\"lane\":\"{}\",\"segment\":{segment}}}", lane.name())));
        }
        Some(Own::Checkpoint { part, parts }) => {
            return ("checkpoint", Some(format!("{{\"part\":{part},\"parts\":{parts}}}")));
        }
        Some(Own::Unknown) => return ("unknown", None),
        None => {}
    }
    match record.kind.0 {
        Chunk::KIND => ("chunk", json::<Chunk>(version, meta)),
        Abandoned::KIND => ("abandoned", json::<Abandoned>(version, meta)),
        Life::KIND => ("life", json::<Life>(version, meta)),
        Outcome::KIND => ("outcome", json::<Outcome>(version, meta)),
        Oru::KIND => ("oru", json::<Oru>(version, meta)),
        Delivery::KIND => ("delivery", json::<Delivery>(version, meta)),
        Hold::KIND => ("hold", json::<Hold>(version, meta)),
        HoldSettled::KIND => ("hold-settled", json::<HoldSettled>(version, meta)),
        Attempt::KIND => ("attempt", json::<Attempt>(version, meta)),
        Reconfigured::KIND => ("reconfigured", json::<Reconfigured>(version, meta)),
        Restored::KIND => ("restored", json::<Restored>(version, meta)),
        ClockAccepted::KIND => ("clock-accepted", json::<ClockAccepted>(version, meta)),
        NeverSent::KIND => ("never-sent", json::<NeverSent>(version, meta)),
        ParkedSettled::KIND => ("parked-settled", json::<ParkedSettled>(version, meta)),
        CaptureExported::KIND => ("capture-exported", json::<CaptureExported>(version, meta)),
        Dropped::KIND => ("destination-dropped", json::<Dropped>(version, meta)),
        Redriven::KIND => ("redriven", json::<Redriven>(version, meta)),
        Verification::KIND => ("verification", json::<Verification>(version, meta)),
        Observed::KIND => ("observed", json::<Observed>(version, meta)),
        _ => ("unknown", None),
    }
}

fn json<M: Meta>(version: u8, meta: &[u8]) -> Option<String> {
    serde_json::to_string(&M::decode(version, meta)?).ok()
}
