//! A journal that goes to another place: a copy for the cupboard, and a spare box that goes on from it.
//!
//! Promises that a copy is whole or does not look like one; that a box takes up another's journal only into an empty
//! folder, after what was said about it was agreed to, and gives no number that the old box gave; and that a power cut leaves
//! nothing that opens, or all of it. Leaves out the copying of bytes, which is the journal crate's, and keys and
//! configuration, which are in no copy.

mod contents;
mod restore;
mod take;

pub use contents::Contents;
pub use restore::{Assurance, Restoring};
pub use take::{Taken, take};

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why nothing was done, in whole sentences that say what to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// It must not be done as it is.
    Refused(String),
    /// A disk failed, or a file cannot be read.
    Failed(String),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Refused(sentence) | Self::Failed(sentence)) = self;
        f.write_str(sentence)
    }
}

/// The place of a path that need not be there yet, without links.
fn real(path: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    let there = absolute.ancestors().find_map(|folder| Some((folder, std::fs::canonicalize(folder).ok()?)));
    let Some((folder, real)) = there else { return Ok(absolute) };
    Ok(absolute.strip_prefix(folder).map_or_else(|_| real.clone(), |rest| real.join(rest)))
}
