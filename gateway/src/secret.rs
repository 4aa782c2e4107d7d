//! Reading what the configuration names as a file or as a systemd credential.
//!
//! Promises a sentence for each reason why it cannot be read, and that what was read is wiped from memory when it is
//! dropped. Leaves out what it means.

use crate::config::FileOrCredential;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Why there is nothing.
pub(crate) enum Unread {
    /// It is not on this machine, or not for this user.
    Absent(String),
    /// It is there and cannot be used.
    Wrong(String),
}

/// The bytes, at least one and at most `limit`, which `limit_words` says in words.
pub(crate) fn read(
    from: &FileOrCredential,
    limit: u64,
    limit_words: &str,
) -> Result<Zeroizing<Vec<u8>>, Unread> {
    // Room for a key from the beginning, so that growing leaves no copy of it behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    let read = fs::File::open(path_of(from)).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 > limit => {
            Err(Unread::Wrong(format!("{from} is larger than {limit_words}")))
        }
        Ok(_) if bytes.is_empty() => Err(Unread::Wrong(format!("{from} is empty"))),
        Ok(_) => Ok(bytes),
        Err(error) => Err(Unread::Absent(match (error.kind(), from) {
            (_, FileOrCredential::Credential(_)) if credentials().is_none() => {
                format!("{from} is only there when systemd starts the service")
            }
            (io::ErrorKind::NotFound, FileOrCredential::Credential(name)) => {
                format!("{from} is not there; the unit needs LoadCredential={name}:FILE")
            }
            (io::ErrorKind::NotFound, _) => format!("{from} is not on this machine"),
            (io::ErrorKind::PermissionDenied, _) => format!("{from} may not be read by this user"),
            _ => format!("{from} cannot be read: {error}"),
        })),
    }
}

/// A remark about a secret in a file that everybody can read.
pub(crate) fn open_to_all(from: &FileOrCredential) -> Option<String> {
    let FileOrCredential::File(path) = from else { return None };
    let open = fs::metadata(path).is_ok_and(|m| m.mode() & 0o004 != 0);
    open.then(|| format!("{from} can be read by every user of this machine: chmod o-r {}", path.display()))
}

pub(crate) fn path_of(from: &FileOrCredential) -> PathBuf {
    match from {
        FileOrCredential::File(path) => path.clone(),
        // Without systemd there is no folder, and then no such file.
        FileOrCredential::Credential(name) => {
            credentials().map_or_else(|| name.into(), |folder| Path::new(&folder).join(name))
        }
    }
}

fn credentials() -> Option<OsString> {
    std::env::var_os("CREDENTIALS_DIRECTORY")
}
