//! `orugate journal verify, list, show, export, stats`, as a person and as a program meet them.
//!
//! Promises that a sound journal is called sound and a damaged one damaged, with what that touches; that only `show` and
//! `export` give out patients' data; that nothing is written; that the golden journals are read as they were when they
//! were made; and that a reader written from `FORMAT.md` alone sees the same records. Leaves out which bytes are damage:
//! the journal crate's own tests have that.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code)]
#[path = "../common/mod.rs"]
mod common;
mod damaged;
mod golden;
mod live;
mod sound;
mod story;
mod withheld;

use common::{Ran, orugate};
use serde_json::Value;
use std::path::{Path, PathBuf};
use story::Story;

/// A journal in a folder.
struct Copy {
    folder: tempfile::TempDir,
    story: Story,
}

impl Copy {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let story = story::write(folder.path(), None);
        Self { folder, story }
    }

    fn sealed() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let story = story::write(folder.path(), Some(story::ring()));
        Self { folder, story }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `orugate journal COMMAND… --path` this.
    fn run(&self, arguments: &[&str]) -> Ran {
        look(self.path(), arguments)
    }

    /// Every record that there is.
    fn records(&self) -> Vec<Value> {
        records(&self.run(&["export", "-"]).out)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn edit(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = std::fs::read(self.file(name)).unwrap();
        change(&mut bytes);
        std::fs::write(self.file(name), bytes).unwrap();
    }
}

fn look(folder: &Path, arguments: &[&str]) -> Ran {
    // No configuration of this machine.
    let none = "/nonexistent/orugate.toml";
    let at = ["--path", folder.to_str().unwrap(), "--config", none];
    orugate(&[&["journal"], arguments, &at[..]].concat())
}

fn records(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// All files with their content.
fn snapshot(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    files.sort();
    files
}

/// A key file.
fn key_file(folder: &Path, digits: &str) -> String {
    let file = folder.join(format!("key-{}", &digits[..4]));
    std::fs::write(&file, digits).unwrap();
    file.to_str().unwrap().to_owned()
}
