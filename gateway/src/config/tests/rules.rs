//! What a site knows of an instrument and its samples, and how it is told what is wrong.

use super::*;
use crate::convert::{CheckDigit, Incomplete, Reruns, Times};
use std::time::Duration;

fn with(rules: &str) -> String {
    format!("{}{rules}\n", instrument(r#"{ serial = "/dev/ttyS0", baud = 9600 }"#))
}

#[test]
fn good_rules_are_told_and_compiled() {
    let text = with(
        "sample_id = { pattern = '\\d{8}', check = \"mod37-2\" }\nidentity = { model = \"XN-550\", serial = \"14230\" }\n\
         incomplete = \"hold\"\nimpossible_time = { ahead = \"2 h\", older_than = \"90 days\" }",
    );
    let told = said(&[&text]);
    let last = told.lines().last().unwrap();
    assert!(
        last.ends_with(
            "; sample ids: pattern \\d{8}, check digit mod37-2; only model XN-550, serial number 14230; what broke off is held"
        ),
        "{last}"
    );
    let rules = load_texts(files(&[&text]), &Shelf).unwrap().plan.instruments.remove(0).rules;
    assert_eq!(rules.sample_id.check, Some(CheckDigit::Mod37Two));
    assert_eq!(rules.incomplete, Incomplete::Hold);
    let hours = |n: u64| Duration::from_secs(3_600 * n);
    assert_eq!(rules.times, Some(Times { ahead: hours(2), older_than: Some(hours(24 * 90)) }));
    let plain = load_texts(files(&[&with("")]), &Shelf).unwrap().plan.instruments.remove(0).rules;
    assert_eq!(plain.times, Some(Times { ahead: hours(24), older_than: None }));
}

#[test]
fn rules_that_say_nothing_or_cannot_be_are_told() {
    let text = with(
        "sample_id = { pattern = '(\\d' }\nidentity = { model = \" XN\" }\nincomplete = \"keep\"\n\
         impossible_time = { ahead = \"5 min\" }",
    );
    check(
        &[&text],
        expect![[r#"
        orugate.toml:19: instrument "a": sample_id.pattern: "(\\d" is no regular expression: unclosed group
        orugate.toml:20: instrument "a": identity.model: " XN" does not fit; allowed is the text as the message has it, without blanks around it
        orugate.toml:21: instrument "a": incomplete: "keep" is not known; allowed are "send", "hold"
        orugate.toml:22: instrument "a": impossible_time.ahead: 5 min is out of range; allowed are 1 h to 365 days
        4 mistakes; nothing was opened"#]],
    );
    check(
        &[&with("sample_id = {}\nidentity = {}")],
        expect![[r#"
        orugate.toml:19: instrument "a": sample_id: says nothing; write pattern, check or both
        orugate.toml:20: instrument "a": identity: says nothing; write model, serial or both
        2 mistakes; nothing was opened"#]],
    );
    check(
        &[&with("sample_id = { pattern = '.*' }")],
        expect![[r#"
        orugate.toml:19: instrument "a": sample_id.pattern: ".*" matches an empty text too, and a sample id has a character
        1 mistake; nothing was opened"#]],
    );
}

#[test]
fn a_pin_that_no_example_of_the_profile_carries_is_warned_of() {
    let text = with("identity = { model = \"ANY\", serial = \"1\" }").replace("sysmex-xn-l", "roche-cobas-c");
    let loaded = load_texts(files(&[&text]), &profiles::Shelf::new(&SHIPPED, Vec::new())).unwrap();
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    let warned = |key: &str| warnings.iter().any(|warning| warning.contains(&format!("carries a {key}")));
    assert_eq!((warned("model"), warned("serial")), (false, true), "{warnings:?}");
}

#[test]
fn alerts() {
    let with =
        |alerts: &str| with("").replace("[[destination]]", &format!("[alerts]\n{alerts}\n[[destination]]"));
    let text =
        with("hold_older_than = \"10 min\"\nhold_repeat = \"1 h\"\non_condition = [\"/bin/true\", \"x y\"]");
    let plan = load_texts(files(&[&text]), &Shelf).unwrap().plan;
    assert_eq!(plan.alerts.hold_older_than, Duration::from_secs(600));
    assert_eq!(plan.alerts.on_condition, ["/bin/true", "x y"]);
    check(
        &[&with("hold_older_than = \"10 s\"\non_condition = [\"mail\", \"a\\u0000b\"]")],
        expect![[r#"
        orugate.toml:9: alerts.hold_older_than: 10 s is out of range; allowed are 1 min to 7 days
        orugate.toml:10: alerts.on_condition: "mail" is not absolute; allowed is the path of a program that begins with /, then its arguments. No shell is asked: for a line of shell, write ["/bin/sh", "-c", "…"]
        orugate.toml:10: alerts.on_condition: holds a zero byte, which no argument can
        3 mistakes; nothing was opened"#]],
    );
    check(
        &[&with(""), "[alerts]\nhold_repeat = \"1 h\"\n"],
        expect![[r#"
        conf.d/1.toml:1: alerts: belongs to the main file; files in conf.d may hold [[destination]] and [[instrument]]
        1 mistake; nothing was opened"#]],
    );
}

#[test]
fn tests_that_are_rerun_otherwise_are_told_checked_and_compared() {
    let text = with("reruns = \"last\"\nreruns_except = { hold = [\"K\", \"NA\"], all = [\"HBA1C\"] }");
    let told = said(&[&text]);
    let last = told.lines().last().unwrap();
    assert!(last.ends_with("; reruns: last, but all of HBA1C, hold of K, NA"), "{last}");
    let new = load_texts(files(&[&text]), &Shelf).unwrap().plan;
    let except = &new.instruments[0].rules.reruns_except;
    assert_eq!([except.of("K"), except.of("HBA1C")], [Some(Reruns::Hold), Some(Reruns::All)]);
    assert_eq!([except.of("k"), except.of("GLU"), except.of("")], [None; 3]);
    let old = load_texts(files(&[&with("reruns = \"last\"")]), &Shelf).unwrap().plan;
    let difference = Difference::between(&old, &new);
    let told: Vec<String> = difference.changes.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["a: reruns_except: no test → all of HBA1C, hold of K, NA; all other tests by reruns"],
        "{:?}",
        difference.changes
    );
    assert!(difference.changes.iter().all(|c| c.takes == Takes::Live && c.weight == Weight::Patients));
    check(
        &[&with("reruns_except = { hold = [\"K\", \" NA\", \"\"], last = [\"K\"], all = [], never = [] }")],
        expect![[r#"
            orugate.toml:19: instrument "a": reruns_except.hold: "K" is named twice
            orugate.toml:19: instrument "a": reruns_except.hold: " NA" is no code; allowed is the test's code as it stands in OBX-3, without blanks around it
            orugate.toml:19: instrument "a": reruns_except.hold: "" is no code; allowed is the test's code as it stands in OBX-3, without blanks around it
            orugate.toml:19: instrument "a": reruns_except.all: is empty; write the codes of tests, or no key at all
            orugate.toml:19: instrument "a": reruns_except.never: unknown key; allowed are all, last, hold
            5 mistakes; nothing was opened"#]],
    );
    check(
        &[&with("reruns_except = {}")],
        expect![[r#"
        orugate.toml:19: instrument "a": reruns_except: says nothing; write all, last or hold with a list of tests
        1 mistake; nothing was opened"#]],
    );
}

#[test]
fn what_changes_is_told_as_what_it_means() {
    let old = load_texts(files(&[&with("")]), &Shelf).unwrap().plan;
    let text = with(
        "sample_id = { pattern = 'T.*' }\nidentity = { serial = \"7\" }\nincomplete = \"hold\"\nimpossible_time = { older_than = \"9 days\" }",
    );
    let text = text.replace(
        "[[destination]]",
        "[alerts]\nhold_repeat = \"1 h\"\non_condition = [\"/bin/true\"]\n[[destination]]",
    );
    let new = load_texts(files(&[&text]), &Shelf).unwrap().plan;
    let difference = Difference::between(&old, &new);
    assert!(difference.changes.iter().all(|change| change.takes == Takes::Live));
    let told: String = difference.changes.iter().map(|change| format!("{change}\n")).collect();
    expect![[r#"
        a: sample_id: any → pattern T.*; another sample id is held
        a: identity: any → serial number 7; a message of another instrument is held
        a: incomplete send → hold: a message that broke off waits for a whole copy or a person
        a: impossible_time: more than 1 day after receipt → more than 1 day after receipt, or more than 9 days before it
        alerts: hold_repeat: 30 min → 1 h
        alerts: on_condition: nobody → /bin/true
    "#]].assert_eq(&told);
}
