//! `orugate restore`: this box goes on where another stopped.
//!
//! Promises that nothing is written before the person was told what will happen and said what only a person knows; that the
//! folder is empty before; that numbers go on above all that the old box can have given; and that the journal gets its name last,
//! with the record of the restore in it. Leaves out whether the old box is off, which no copy tells.

use super::{Contents, Stop, real};
use crate::archive::{Journal, LookError};
use crate::config::Plan;
use crate::records::Restored;
use crate::run::COMMIT;
use crate::store::{Entry, Store};
use orugate_journal::{
    CopyError, FileStorage, Inspector, KeyRing, OpenError, Options, Storage, Survey, Unfinished, UnixMillis,
    clear, copy, finish, is_unfinished,
};
use orugate_protocol::time::Utc;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// 2025-01-01T00:00:00Z: a clock that shows less was never set.
const CLOCK_IS_SET: u64 = 1_735_689_600_000;

/// What only a person knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assurance {
    /// The box that the journal is of does not run any more and will not.
    OldBoxIsOff,
    /// There is no better copy than this damaged one.
    Damaged,
    /// This box's clock is right although it shows less than the journal: the old box's was ahead.
    ClockIsRight,
}

/// A restore that was looked at and not begun.
#[derive(Debug)]
pub struct Restoring {
    /// What is in the copy.
    pub contents: Contents,
    /// The first number that this box gives is not below this.
    pub ceiling: u64,
    /// Where the journal goes.
    pub to: PathBuf,
    survey: Survey,
    now: UnixMillis,
}

impl Restoring {
    /// Reads the copy, and looks at the folder that it is to go to.
    ///
    /// # Errors
    /// The copy is none, or cannot be read; the folder has a journal.
    pub fn look(from: &Journal, to: &Path, now: Utc) -> Result<Self, Stop> {
        let to = real(to).map_err(|error| unusable(to, &error))?;
        is_empty(&to)?;
        let unread = |error: LookError| Stop::Failed(error.to_string());
        if is_unfinished(from.storage()).unwrap_or(false) {
            return Err(Stop::Refused(format!(
                "{} is half a copy: it was interrupted, and journal.id has no name yet. Use another copy, or make it again.",
                from.folder().display()
            )));
        }
        in_use(from.folder())?;
        let survey = Survey::of(from.storage())
            .map_err(|error| unread(LookError::Journal(from.folder().to_owned(), error)))?;
        let contents = Contents::of(from).map_err(unread)?;
        let now = UnixMillis(u64::try_from(now.0 / 1_000).unwrap_or(0));
        Ok(Self { contents, ceiling: survey.ceiling_at(now), to, survey, now })
    }

    /// Why it must not be done, if so: with this configuration, and these assurances.
    #[must_use]
    pub fn refusal(&self, plan: &Plan, assured: &[Assurance]) -> Option<String> {
        let time = |millis: UnixMillis| {
            jiff::Timestamp::from_millisecond(i64::try_from(millis.0).unwrap_or(i64::MAX))
                .map_or_else(|_| "?".to_owned(), |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        };
        let lacks = |assurance| !assured.contains(&assurance);
        if self.now.0 < CLOCK_IS_SET {
            return Some(format!(
                "This box's clock is not set: it shows {}. Numbers of messages go on from the time, so set it first (date, \
                 timedatectl).",
                time(self.now)
            ));
        }
        if let Some(newest) = self.survey.newest_time.filter(|newest| *newest > self.now)
            && lacks(Assurance::ClockIsRight)
        {
            return Some(format!(
                "This box's clock shows {}, and the copy has things of {}. Set the clock first (date, timedatectl). If it is \
                 right, and the old box's clock was ahead, say so: --clock-is-right.",
                time(self.now),
                time(newest)
            ));
        }
        if let Some(id) = self.contents.gateway.as_ref().filter(|id| **id != plan.gateway.id) {
            return Some(format!(
                "The copy is of the gateway {id}, and this box is configured to be {}: another box's results would go out from \
                 here. If the copy is the right one, bring that box's configuration here first (id = \"{id}\" in [gateway]).",
                plan.gateway.id
            ));
        }
        if !self.contents.damaged.is_empty() && lacks(Assurance::Damaged) {
            return Some(
                "The copy is damaged: orugate journal verify --path says where, and what that touches. If there is another \
                 copy, use it. If this is the best there is, say so: --damaged."
                    .to_owned(),
            );
        }
        lacks(Assurance::OldBoxIsOff).then(|| {
            "A journal must go on on one box only: two would both send what waits, and engines would get the same MSH-10 from \
             both. If the old box is off and stays off (or its journal is taken away), say so: --old-box-is-off."
                .to_owned()
        })
    }

    /// Does it. `actor` is who did (`uid 1000`).
    ///
    /// # Errors
    /// What failed. Then nothing is there that opens.
    pub fn restore(
        &self,
        from: &Journal,
        actor: String,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), Stop> {
        let to = &self.to;
        make_folder(to).map_err(|error| unusable(to, &error))?;
        let target = FileStorage::new(to).map_err(|error| unusable(to, &error))?;
        let _lock = target.lock().map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => Stop::Refused(format!(
                "Somebody has {} in use: the service, or another restore. Stop it first. Nothing was changed.",
                to.display()
            )),
            _ => unusable(to, &error),
        })?;
        clear(&target).map_err(|error| self.failed(error))?;
        let done = self.fill(from, &target, actor, progress);
        if done.is_err() {
            // Where this fails too, the next restore takes it away; until then it does not open.
            let _ = clear(&target);
        }
        done
    }

    fn fill(
        &self,
        from: &Journal,
        target: &FileStorage,
        actor: String,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), Stop> {
        copy(from.storage(), target, Some(self.ceiling), progress).map_err(|error| self.failed(error))?;
        self.record(target, actor, from.keys())?;
        self.read_back(target, from.keys().as_ref())?;
        give_to_owner(&self.to).map_err(|error| unusable(&self.to, &error))?;
        finish(target).map_err(|error| self.failed(error))
    }

    /// Opens the journal as the service will, though it has no name yet, and writes what became of it.
    fn record(&self, target: &FileStorage, actor: String, keys: Option<KeyRing>) -> Result<(), Stop> {
        // Nothing is given back here: how much there may be, and for how long, is the service's to say.
        let options = Options {
            max_size: u64::MAX >> 1,
            keep: Duration::from_millis(u64::MAX >> 1),
            max_commit: COMMIT,
            keys,
            ..Options::default()
        };
        let unread = |error: OpenError| Stop::Failed(LookError::Journal(self.to.clone(), error).to_string());
        let (store, _) = Store::open(Unfinished(target.clone()), options).map_err(unread)?;
        let micros = |time: UnixMillis| i64::try_from(time.0).unwrap_or(i64::MAX).saturating_mul(1_000);
        let restored = Restored {
            at: micros(self.now),
            actor,
            commit: self.contents.commit,
            reaches: self.contents.reaches.map(micros),
        };
        let written = store.append_wait(vec![Entry::new(&restored)], Some(self.now));
        written.map(drop).map_err(|error| {
            Stop::Failed(format!("{}: the restore cannot be journalled: {error}.", self.to.display()))
        })
    }

    /// Reads all of it once more: a medium that does not give back what was written to it is none to start on.
    fn read_back(&self, target: &FileStorage, keys: Option<&KeyRing>) -> Result<(), Stop> {
        let unread = |error: OpenError| Stop::Failed(LookError::Journal(self.to.clone(), error).to_string());
        let written = Unfinished(target.clone());
        let inspector = Inspector::new(&written, keys).map_err(unread)?;
        let damaged = inspector.walk(&mut |_| ()).map_err(unread)?.damaged;
        match damaged.first().filter(|_| damaged.len() > self.contents.damaged.len()) {
            None => Ok(()),
            Some(spot) => Err(Stop::Failed(format!(
                "{} does not give back what was written to it: {}. Use another medium.",
                self.to.display(),
                spot.damage
            ))),
        }
    }

    fn failed(&self, error: CopyError) -> Stop {
        match error {
            CopyError::Occupied(file) => occupied(&self.to, &file),
            error => Stop::Failed(format!(
                "The journal cannot be brought to {}: {error}. Is there room (df)? Nothing is there that the service would \
                 open; give the command again.",
                self.to.display()
            )),
        }
    }
}

fn unusable(folder: &Path, error: &io::Error) -> Stop {
    Stop::Failed(format!("The folder {} cannot be used: {error}.", folder.display()))
}

fn occupied(to: &Path, file: &str) -> Stop {
    Stop::Refused(format!(
        "There is a journal in {}, or what is left of one: {file}. A journal goes into an empty folder only. If it is of this \
         box and still wanted, leave it. If not, stop the service, move the folder away (mv), and keep it until all that \
         waited in it is where it belongs. Nothing was changed.",
        to.display()
    ))
}

/// Before anything is read: a folder with a journal is none to restore into.
fn is_empty(to: &Path) -> Result<(), Stop> {
    let storage = match FileStorage::new(to) {
        Ok(storage) => storage,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unusable(to, &error)),
    };
    let names = storage.list().map_err(|error| unusable(to, &error))?;
    let interrupted = is_unfinished(&storage).map_err(|error| unusable(to, &error))?;
    let of_journal = |name: &&String| {
        *name == "journal.id"
            || !interrupted && (name.starts_with("results-") || name.starts_with("snapshots-"))
    };
    names.iter().find(of_journal).map_or(Ok(()), |name| Err(occupied(to, name)))
}

/// A journal that a process of this machine has open is not that of a box that is off.
fn in_use(from: &Path) -> Result<(), Stop> {
    // A copy has no such file, and who may not open it is told by what comes next.
    let Ok(file) = File::open(from.join("LOCK")) else { return Ok(()) };
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Err(Stop::Refused(format!(
            "{} is in use: a service runs on it. Stop it for good before its journal goes on elsewhere.",
            from.display()
        ))),
        _ => Ok(()),
    }
}

/// Makes the folder, for the owner of the one that it is in.
fn make_folder(to: &Path) -> io::Result<()> {
    if to.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(to)?;
    if let Some(parent) = to.parent() {
        let (made, around) = (fs::metadata(to)?, fs::metadata(parent)?);
        if made.uid() != around.uid() {
            chown(to, Some(around.uid()), Some(around.gid()))?;
        }
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

/// Root restores, and the service's user must be able to open it.
fn give_to_owner(folder: &Path) -> io::Result<()> {
    let owner = fs::metadata(folder)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_file() && metadata.uid() != owner.uid() {
            chown(entry.path(), Some(owner.uid()), Some(owner.gid()))?;
        }
    }
    Ok(())
}
