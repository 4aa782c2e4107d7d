//! `orugate verify profile`: what a profile's examples show.

use super::{REFUSED, USAGE};
use crate::cli::profile::Site;
use crate::verify::{ExampleRun, coverage};
use crate::words::count;
use orugate_drivers::Catalogue;
use std::path::Path;

pub(super) fn run(catalogue: &Catalogue, config: &Path, name: &str) -> u8 {
    let profile = match Site::of(catalogue, config).profile(name) {
        Ok(profile) => profile,
        Err(why) => {
            eprintln!("{why}");
            return USAGE;
        }
    };
    let common = profile.common();
    println!("{} ({}), evidence: {}, hash {}", common.name, common.title, common.evidence, profile.hash());
    let coverage = coverage(&*profile.profile);
    for (number, example) in (1..).zip(&coverage.examples) {
        say(number, example);
    }
    let wrong = coverage.examples.iter().filter(|example| example.difference.is_some()).count();
    let items: Vec<&str> = coverage.wanted().iter().map(|item| item.words()).collect();
    println!("\nWith the analyzer itself is to be seen: {}.", items.join("; "));
    println!("How: orugate verify session INSTRUMENT (docs/verify.md)");
    match (coverage.examples.len(), wrong) {
        (0, _) => {
            println!("It has no example, so nothing is proven without the analyzer.");
            0
        }
        (all, 0) => {
            println!(
                "{} as it says.",
                count(all as u64, "example gives what comes", "examples each give what comes")
            );
            0
        }
        (all, wrong) => {
            println!("{wrong} of {all} examples give something else than they say (-expected, +came).");
            REFUSED
        }
    }
}

fn say(number: usize, example: &ExampleRun) {
    let verdict = if example.difference.is_some() { "DIFFERS" } else { "as it says" };
    println!("\nexample {number}, {:?}: {verdict}", example.shows);
    let totals = &example.totals;
    println!(
        "  {} in {}: {} sent, {} quality control, {} held, {} not reportable",
        count(totals.observations as u64, "result", "results"),
        count(totals.orus as u64, "ORU", "ORUs"),
        totals.sent,
        totals.qc,
        totals.held,
        totals.not_reportable
    );
    if !example.codes.is_empty() {
        println!("  tests: {}", example.codes.iter().map(String::as_str).collect::<Vec<_>>().join(" "));
    }
    if !example.seen.is_empty() {
        let seen: Vec<&str> = example.seen.iter().map(|item| item.words()).collect();
        println!("  shows: {}", seen.join("; "));
    }
    for reason in &example.reasons {
        println!("  {reason}");
    }
    if let Some(difference) = &example.difference {
        print!("{}", difference.lines);
    }
}
