//! What the block device below the file system was asked to write.
//!
//! Promises: everything that the file system had put off is on the device when a reading is taken, so that metadata counts
//! for whoever caused it. `/proc/self/io` does not tell this: it counts what was written to the page cache.

use crate::Anything;
use std::ops::Sub;
use std::path::{Path, PathBuf};
use std::process::Command;

const SECTOR: u64 = 512;

/// A mounted file system on a device of its own.
pub struct Device {
    stat: PathBuf,
    mount: PathBuf,
}

/// Counts since the device came up, or between two such counts.
#[derive(Clone, Copy, Default)]
pub struct Written {
    pub bytes: u64,
    /// Write requests, after neighbours were merged; each flush that carries nothing counts as one.
    pub writes: u64,
    /// Flushes of the device's cache; `None` where the kernel does not count them.
    pub flushes: Option<u64>,
}

impl Device {
    /// `name` as the kernel calls it (`loop3`).
    pub fn new(name: &str, mount: &Path) -> Self {
        Self { stat: Path::new("/sys/block").join(name).join("stat"), mount: mount.to_owned() }
    }

    /// Where its files are.
    pub fn mount(&self) -> &Path {
        &self.mount
    }

    /// Syncs the whole file system first, so that the count is complete.
    pub fn read(&self) -> Anything<Written> {
        let synced = Command::new("sync").arg("--file-system").arg(&self.mount).status()?;
        if !synced.success() {
            return Err("the file system could not be synced".into());
        }
        let text = std::fs::read_to_string(&self.stat)?;
        let fields: Vec<u64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let field = |at: usize| fields.get(at).copied().ok_or("the device's stat is too short");
        Ok(Written { bytes: field(6)? * SECTOR, writes: field(4)?, flushes: fields.get(15).copied() })
    }
}

impl Sub for Written {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            bytes: self.bytes - before.bytes,
            writes: self.writes - before.writes,
            flushes: self.flushes.zip(before.flushes).map(|(after, before)| after - before),
        }
    }
}
