//! The fuzz targets, on stable and on their seeds: what a fuzzer once found stays found.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(unreachable_pub)]
#[path = "../fuzz/src/targets.rs"]
mod targets;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn fuzz(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder)
}

fn names(folder: &Path) -> BTreeSet<String> {
    std::fs::read_dir(folder)
        .unwrap_or_else(|error| unreachable!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn every_target_survives_its_seeds() {
    for (name, target) in targets::TARGETS {
        let folder = fuzz("seeds").join(name);
        let seeds = names(&folder);
        assert!(!seeds.is_empty(), "{} is empty", folder.display());
        for seed in seeds {
            let bytes = std::fs::read(folder.join(&seed)).unwrap();
            // Said only when the target fails: the panic alone does not name the input.
            println!("{name}: {seed}");
            target(&bytes);
            // A message cut off at any byte is the commonest damage of all.
            for end in 0..bytes.len() {
                println!("{name}: the first {end} bytes of {seed}");
                target(&bytes[..end]);
            }
        }
    }
}

/// A target that is in one place and not in the others would be seeded and never fuzzed, or fuzzed and never replayed.
#[test]
fn targets_seeds_and_fuzzers_are_the_same_set() {
    let targets: BTreeSet<String> = targets::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&fuzz("seeds")), targets);
    let fuzzers: BTreeSet<String> = targets.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names(&fuzz("fuzz_targets")), fuzzers);
    let manifest = std::fs::read_to_string(fuzz("Cargo.toml")).unwrap();
    for name in targets {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "no [[bin]] for {name}");
    }
}
