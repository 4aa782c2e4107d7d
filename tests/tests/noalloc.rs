//! `orugate-protocol` cannot allocate: `tests/noalloc` links it into a program without an allocator.
//!
//! Promises: the program builds, runs through every piece and has no C allocator among its symbols either; the same
//! program with one allocation fails to build, and for that reason only. Leaves out: how often the gateway allocates
//! around the protocol crate, which its own counting allocator sees.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;
use std::process::{Command, Output};

/// Where the program is built: apart from the workspace, whose target folder the running cargo may have locked.
fn target() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("noalloc")
}

fn build(features: &[&str]) -> Output {
    Command::new(env!("CARGO"))
        .args(["build", "--locked", "--quiet", "--color", "never", "--manifest-path"])
        .arg(orugate_tests::root().join("tests/noalloc/Cargo.toml"))
        .arg("--target-dir")
        .arg(target())
        .args(features)
        // Flags meant for the workspace (coverage, sanitizers) bring a runtime that needs std.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .expect("cargo runs")
}

// One test, not two: both build into the same folder and the second takes what the first compiled.
#[test]
fn protocol_links_without_an_allocator_and_an_allocation_would_be_seen() {
    let good = build(&[]);
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    let program = target().join("debug/orugate-noalloc");
    let run = Command::new(&program).output().expect("the program starts");
    assert!(run.status.success(), "the pieces ended with {}", run.status);
    let bytes = std::fs::read(&program).unwrap();
    for symbol in ["__rust_alloc", "malloc", "realloc"] {
        let found = bytes.windows(symbol.len()).any(|window| window == symbol.as_bytes());
        assert!(!found, "{} names {symbol}", program.display());
    }
    // The search does find symbols: this one ends the program in the panic handler.
    assert!(bytes.windows(5).any(|window| window == b"abort"));

    let bad = build(&["--features", "allocates"]);
    let said = String::from_utf8_lossy(&bad.stderr);
    assert!(!bad.status.success(), "a program that allocates was built without an allocator");
    let reason = ["no global memory allocator found", "__rust_alloc"];
    assert!(reason.iter().any(|reason| said.contains(reason)), "failed for another reason:\n{said}");
    // The reason, and that the crate could therefore not be compiled.
    let errors = said.lines().filter(|line| line.starts_with("error")).count();
    assert!(errors <= 2, "more than the missing allocator is wrong:\n{said}");
}
