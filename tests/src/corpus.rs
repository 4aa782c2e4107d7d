//! Recorded instrument data that is not part of this repository.
//!
//! Promises: tests see the recorded files only through the environment variable `ORUGATE_CORPUS`; without it they skip
//! and say so, and when it is set wrongly they fail, so that a misspelt path in CI cannot pass for a green run.
//! Leaves out: reading and judging the files.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The folder of recorded data, or `None` (said on standard error) when `ORUGATE_CORPUS` is not set.
///
/// # Panics
/// When it is set and is no folder with at least one file somewhere in it.
#[must_use]
pub fn corpus() -> Option<PathBuf> {
    match locate(std::env::var_os("ORUGATE_CORPUS")) {
        Ok(Some(folder)) => Some(folder),
        Ok(None) => {
            crate::skipped("ORUGATE_CORPUS is not set");
            None
        }
        #[allow(clippy::panic)] // A wrong path must fail the test that asked.
        Err(wrong) => panic!("{wrong}"),
    }
}

/// Every LIS01 capture (`lab/*.astm`), sorted by name; empty, after the skip was said, without a corpus.
///
/// # Panics
/// As [`corpus`], and when the folder holds no such capture.
#[must_use]
pub fn lab_astm() -> Vec<PathBuf> {
    let Some(corpus) = corpus() else { return Vec::new() };
    let captures = with_extension(files_below(&corpus.join("lab")), "astm");
    assert!(!captures.is_empty(), "ORUGATE_CORPUS={} has no lab/*.astm", corpus.display());
    captures
}

/// The profiles that a capture is read with: its model's, if there is one, and the generic one.
#[must_use]
pub fn profiles_for(file: &Path) -> Vec<&'static str> {
    let name = file.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let own = [
        ("afinion", "abbott-afinion"),
        ("cobas-c", "roche-cobas-c"),
        ("erba-xl", "erba-xl"),
        ("sysmex-xn", "sysmex-xn-l"),
        ("sysmex-xp", "sysmex-xp"),
        ("vitros", "ortho-vitros"),
        ("yumizen", "horiba-yumizen"),
    ];
    let own = own.iter().find(|(start, _)| name.starts_with(start)).map(|(_, profile)| *profile);
    own.into_iter().chain(["generic-astm"]).collect()
}

fn locate(variable: Option<OsString>) -> Result<Option<PathBuf>, String> {
    let Some(value) = variable else { return Ok(None) };
    let folder = PathBuf::from(value);
    if !folder.is_dir() {
        return Err(format!("ORUGATE_CORPUS={} is no folder", folder.display()));
    }
    if files_below(&folder).is_empty() {
        return Err(format!("ORUGATE_CORPUS={} has no files", folder.display()));
    }
    Ok(Some(folder))
}

/// All files below a folder, sorted; an unreadable folder counts as empty, which the callers refuse.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn with_extension(mut files: Vec<PathBuf>, extension: &str) -> Vec<PathBuf> {
    files.retain(|file| file.extension().is_some_and(|e| e == extension));
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unset_is_a_skip_and_a_wrong_path_is_a_failure() {
        assert_eq!(locate(None), Ok(None));
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        assert!(locate(Some(missing.into())).unwrap_err().ends_with("is no folder"));
        assert!(locate(Some("".into())).unwrap_err().ends_with("is no folder"));
        assert!(locate(Some(folder.path().into())).unwrap_err().ends_with("has no files"));
        std::fs::create_dir(folder.path().join("lab")).unwrap();
        assert!(locate(Some(folder.path().into())).unwrap_err().ends_with("has no files"));
        std::fs::write(folder.path().join("lab/b.astm"), b"").unwrap();
        assert_eq!(locate(Some(folder.path().into())), Ok(Some(folder.path().to_path_buf())));
    }

    #[test]
    fn captures_are_sorted_and_other_files_left_out() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.astm", "a.astm", "c.txt"] {
            std::fs::write(folder.path().join(name), b"").unwrap();
        }
        let found = with_extension(files_below(folder.path()), "astm");
        assert_eq!(found, [folder.path().join("a.astm"), folder.path().join("b.astm")]);
    }
}
