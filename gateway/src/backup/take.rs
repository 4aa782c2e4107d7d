//! `orugate backup`: the journal copied into a new folder that gets its name when it is whole.
//!
//! Promises that the folder is there under its name only with all of the copy, synced and read once more, for its owner alone;
//! and that what was interrupted or failed has another name and does not open. Leaves out incremental copies.

use super::{Contents, Stop, real};
use crate::archive::{Journal, LookError};
use orugate_journal::{Copied, CopyError, FileStorage, OpenError, Storage as _, Survey, clear, copy, finish};
use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// A copy that was made.
#[derive(Debug)]
pub struct Taken {
    /// Where it is.
    pub folder: PathBuf,
    /// What was copied.
    pub copied: Copied,
    /// What its bytes say.
    pub survey: Survey,
    /// What it holds; `None` when it is sealed and the key was not given.
    pub contents: Option<Contents>,
    /// Others than the owner can read it: the medium does not keep such things.
    pub open_to_others: bool,
    /// It is on the same medium as the journal.
    pub same_medium: bool,
}

impl Taken {
    /// Places that are damaged or could not be read.
    #[must_use]
    pub fn damage(&self) -> u64 {
        let seen =
            self.contents.as_ref().map_or(self.survey.damaged, |contents| contents.damaged.len() as u64);
        seen.max(self.copied.unreadable.len() as u64)
    }
}

/// Copies a journal into the new folder `to`. `progress` is told bytes so far, and about of how many.
///
/// # Errors
/// [`Stop`]. Then there is no such folder; what was begun is taken away if that can be.
pub fn take(journal: &Journal, to: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Taken, Stop> {
    let refused = |why: String| Stop::Refused(format!("{why} Nothing was copied."));
    let failed = |what: &Path, error| Stop::Failed(format!("{} cannot be written: {error}.", what.display()));
    let to = real(to).map_err(|error| failed(to, error))?;
    if fs::symlink_metadata(&to).is_ok() {
        return Err(refused(format!("There is {} already; a copy goes into a new folder.", to.display())));
    }
    let (Some(parent), Some(name)) = (to.parent(), to.file_name()) else {
        return Err(refused(format!("{} is no folder's name.", to.display())));
    };
    let of_journal = fs::canonicalize(journal.folder()).map_err(|error| failed(journal.folder(), error))?;
    if to.starts_with(&of_journal) {
        return Err(refused(format!("{} is in the journal's own folder.", to.display())));
    }
    let mut part_name = name.to_owned();
    part_name.push(".part");
    let part = parent.join(part_name);
    match DirBuilder::new().mode(0o700).create(&part) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(&part, error)),
        _ => {}
    }
    let target = FileStorage::new(&part).map_err(|error| failed(&part, error))?;
    let lock = target.lock().map_err(|error| match error.kind() {
        ErrorKind::WouldBlock => refused(format!("Another backup is writing {}.", part.display())),
        _ => failed(&part, error),
    })?;
    // An interrupted one is begun anew.
    clear(&target).map_err(|error| match error {
        CopyError::Occupied(file) => refused(format!(
            "{} has a file {file}: a whole copy that did not get its name, or somebody else's. Look at it with orugate \
             journal verify --path {0}, and rename or remove it.",
            part.display()
        )),
        error => Stop::Failed(format!("{}: {error}.", part.display())),
    })?;
    let mut begun = || -> Result<(Copied, Survey), Stop> {
        let stopped = |error| stopped(journal, &part, error);
        let copied = copy(journal.storage(), &target, None, progress).map_err(stopped)?;
        finish(&target).map_err(stopped)?;
        let survey = Survey::of(&target).map_err(|error| {
            Stop::Failed(format!("The copy in {} cannot be read back: {error}.", part.display()))
        })?;
        Ok((copied, survey))
    };
    let (copied, survey) = begun().inspect_err(|_| abandon(&target, &part))?;
    let contents = match read_back(journal, &part) {
        Ok(contents) => Some(contents),
        Err(LookError::Journal(_, OpenError::NoKey(_))) => None,
        Err(error) => {
            abandon(&target, &part);
            return Err(Stop::Failed(format!("The copy cannot be read back. {error}")));
        }
    };
    drop(lock);
    let named = target
        .remove("LOCK")
        .and_then(|()| target.sync_dir())
        .and_then(|()| fs::rename(&part, &to))
        .and_then(|()| File::open(parent)?.sync_all());
    named.map_err(|error| failed(&to, error))?;
    let mode = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.mode());
    let device = |path: &Path| fs::metadata(path).ok().map(|metadata| metadata.dev());
    Ok(Taken {
        open_to_others: mode(&to) & 0o077 != 0 || mode(&to.join("journal.id")) & 0o077 != 0,
        same_medium: device(&to) == device(&of_journal),
        folder: to,
        copied,
        survey,
        contents,
    })
}

fn read_back(journal: &Journal, part: &Path) -> Result<Contents, LookError> {
    Contents::of(&Journal::at(part, journal.keys())?)
}

fn stopped(journal: &Journal, part: &Path, error: CopyError) -> Stop {
    Stop::Failed(match error {
        CopyError::Source(error) => LookError::Journal(journal.folder().to_owned(), error).to_string(),
        CopyError::Outrun => {
            "The journal is written faster than the copy: choose a faster medium, or stop the service first."
                .to_owned()
        }
        error => format!("The copy in {} failed: {error}. Is there room (df)?", part.display()),
    })
}

/// Takes away what is no copy. Where even that fails, it stays what it is: a folder of another name that does not open.
fn abandon(target: &FileStorage, part: &Path) {
    let _ = target.rename("journal.id", "journal.id.part");
    let _ = clear(target);
    let _ = target.remove("LOCK");
    let _ = fs::remove_dir(part);
}
