//! What the whole-system tests share: where recorded data lies, and how a test says that it skipped.
//!
//! Promises: a skip is always visible, and a path that was given but leads nowhere is a failure, never a skip. Leaves
//! out: the tests themselves, which are in this crate's `tests/` folder.

pub mod bench;
pub mod breaking;
pub mod corpus;
pub mod feed;
pub mod load;
pub mod oracle;
pub mod oru;
pub mod pki;
pub mod python;
pub mod secured;
pub mod sender;
pub mod wire;
pub mod world;

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(1).map(Path::to_path_buf).unwrap_or_default()
}

/// Prints `skipped: <reason>` past the test harness, which would keep the output of a passing test to itself;
/// `tests/run` repeats these lines in its summary.
pub fn skipped(reason: &str) {
    // Nobody can be told when standard error itself is gone.
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}

/// True, and says so, when `tests/run --fast` asked to leave out the rigs that take longer than some seconds.
#[must_use]
pub fn skipped_as_slow(rig: &str) -> bool {
    let fast = std::env::var_os("ORUGATE_FAST").is_some_and(|v| v == "1");
    if fast {
        skipped(&format!("{rig} is slow and ORUGATE_FAST=1"));
    }
    fast
}

/// The program, built from this tree with the profile of this test.
///
/// # Panics
/// When it does not build.
#[must_use]
#[allow(clippy::panic, clippy::unwrap_used)] // Without the program its tests have failed.
pub fn program() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = std::process::Command::new(cargo);
    build.args(["build", "--quiet", "--locked", "-p", "orugate", "--bin", "orugate"]).current_dir(root());
    assert!(build.status().unwrap().success(), "the program does not build");
    // This test is `<target>/<profile>/deps/<name>`.
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap_or(&test).join("orugate");
    assert!(program.is_file(), "{} is not there", program.display());
    program
}
