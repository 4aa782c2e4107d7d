//! `orugate ledger`: what was counted is where it is said to be, or the exit code says that it is not.
//!
//! Promises that the story's journal balances, that a hole in one does not, that a day is the site's, and that no patient's
//! data is printed. The bounds of days are tried beside the command.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code)]
mod common;
#[allow(dead_code)]
#[path = "journal/story.rs"]
mod story;

use common::{Engine, Ran, Site, orugate};
use orugate::records::{Chunk, Disposition, Fate, Meta, Outcome, Provenance};
use orugate_journal::{Batch, FileStorage, Journal, Kind, Lane, NewRecord, Options, UnixMillis, Urgency};
use serde_json::Value;
use std::path::Path;

fn ledger(folder: &Path, more: &[&str]) -> Ran {
    let at = ["--path", folder.to_str().unwrap(), "--config", "/nonexistent/orugate.toml"];
    orugate(&[&["ledger"], &at[..], more].concat())
}

#[test]
fn a_journal_with_one_of_everything_balances_and_a_damaged_one_is_not_called_whole() {
    let folder = tempfile::tempdir().unwrap();
    let _ = story::write(folder.path(), None);
    let whole = ledger(folder.path(), &[]);
    whole.is(0);
    whole.says("All messages that the journal has:\nchem-2: ");
    whole.says("1 sent before");
    whole.says("  to engine: ");
    whole.says("4 acknowledged + 1 parked");
    whole.says("2 messages are not interpreted yet");
    whole.says("difference 0");
    for secret in [story::PATIENT, story::SAMPLE] {
        whole.hides(secret);
    }
    let json: Value = serde_json::from_str(&ledger(folder.path(), &["--json"]).out).unwrap();
    assert_eq!((&json["ledger"], &json["difference"]), (&1.into(), &0.into()));
    for line in json["instruments"].as_array().unwrap() {
        let fates =
            ["sent", "held", "qc", "repeat", "superseded", "discarded", "earlier_run", "not_reportable"];
        let sum: u64 = fates.iter().map(|fate| line[*fate].as_u64().unwrap()).sum();
        assert_eq!(line["results"], sum, "{line}");
        assert!(line["results"].as_u64().unwrap() > 0, "{line}");
    }
    let one = ledger(folder.path(), &["--instrument", "haem-1"]);
    one.is(0);
    one.says("1 held");
    one.hides("chem-2");
    let none = ledger(folder.path(), &["--instrument", "haem-9"]);
    none.is(64);
    none.says("No instrument is called haem-9, and no message is of one. There are: chem-2, ");
    // The story's day in the zone of nobody's configuration.
    ledger(folder.path(), &["--day", "2026-11-25"]).says("Messages that came on 2026-11-25, UTC:\nchem-2: ");
    ledger(folder.path(), &["--day", "2026-11-24"]).says("No messages.");
    ledger(folder.path(), &["--day", "monday"]).is(2);

    for file in std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()) {
        let mut bytes = std::fs::read(&file).unwrap();
        if let Some(place) = bytes.windows(8).rposition(|window| window == b"AR again") {
            bytes[place] ^= 0x20;
            std::fs::write(&file, bytes).unwrap();
        }
    }
    let damaged = ledger(folder.path(), &[]);
    damaged.is(65);
    damaged.says("so this may not be all: orugate journal verify");

    let sealed = tempfile::tempdir().unwrap();
    let _ = story::write(sealed.path(), Some(story::ring()));
    ledger(sealed.path(), &[]).is(74);
    let key = sealed.path().join("key");
    std::fs::write(&key, story::KEY).unwrap();
    ledger(sealed.path(), &["--key", key.to_str().unwrap()]).is(0);
}

/// A journal whose only outcome has these fates, and nothing that they name. Its message came by a clock of this quality.
fn with_a_hole(folder: &Path, fates: &[Fate], clock: u8) {
    let at = UnixMillis(story::NOW);
    let journal = Journal::create(FileStorage::new(folder).unwrap(), at, Options::default()).unwrap();
    let now = i64::try_from(story::NOW * 1000).unwrap();
    let received = if clock == 0 { 7_000_000 } else { now };
    let reserved = journal.reserve(1).unwrap().next().unwrap();
    let message = reserved.get().0;
    let chunk =
        Chunk { instrument: "haem-1".to_owned(), message, first: true, end: Some(true), received, clock };
    let disposition = |(observation, fate): (u32, &Fate)| Disposition {
        observation,
        identity: None,
        content: 1,
        is_final: true,
        filler: 0,
        fate: fate.clone(),
        test: 0,
        series: 0,
        sub_id: 0,
        ran: None,
    };
    let outcome = Outcome {
        message,
        instrument: "haem-1".to_owned(),
        at: now,
        provenance: Provenance::default(),
        dispositions: (0..).zip(fates).map(disposition).collect(),
        ..Outcome::default()
    };
    let chunk = NewRecord::new(Kind(Chunk::KIND), 1, chunk.encode(), b"H|".to_vec()).numbered(reserved);
    let outcome = NewRecord::new(Kind(Outcome::KIND), Outcome::VERSION, outcome.encode(), Vec::new());
    for record in [chunk, outcome] {
        let _ = journal.append_wait(Batch::new(Lane::Results, Urgency::Now, record).at(at)).unwrap();
    }
}

#[test]
fn a_result_that_is_nowhere_is_a_difference() {
    for (fates, difference) in [
        (vec![Fate::Repeat], 0),
        (vec![Fate::Sent, Fate::Repeat], 1),
        (vec![Fate::Held(4711), Fate::Repeat], 1),
        (vec![Fate::Sent, Fate::Held(4711)], 2),
    ] {
        let folder = tempfile::tempdir().unwrap();
        with_a_hole(folder.path(), &fates, 2);
        let told = ledger(folder.path(), &[]);
        told.is(i32::from(difference > 0));
        told.says(&if difference == 0 {
            "difference 0".to_owned()
        } else {
            format!("DIFFERENCE {difference}: ")
        });
    }
}

#[test]
fn a_message_of_1970_has_no_day_and_is_in_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    with_a_hole(folder.path(), &[Fate::Repeat], 0);
    let one = "1 message has no day: the clock was not set";
    let day = ledger(folder.path(), &["--day", "1970-01-01"]);
    day.says("No messages.");
    day.says(one);
    ledger(folder.path(), &[]).says("1 message");
}

#[test]
fn a_sites_day_is_told_by_destination() {
    let site = Site::new();
    site.run(&["journal", "init"]).is(0);
    let mut service = site.start();
    service.until("ready;");
    // The profile's own examples: results, controls, one that is not reportable; and no engine yet.
    orugate(&["simulate", "-p", "sysmex-xn-l", "--connect", &site.address]).is(0);
    let json = |day: &str| -> Value {
        serde_json::from_str(&site.run(&["ledger", "--json", "--day", day]).out).unwrap()
    };
    let got = |so: &dyn Fn(&Value) -> bool| {
        let seen = (0..400).map(|_| json("today")).find(|all| so(&all["instruments"][0]));
        seen.expect("the ledger never said so")
    };
    let all = orugate_drivers::SHIPPED.read(orugate_drivers::SHIPPED.text("sysmex-xn-l").unwrap()).unwrap();
    let messages = all.common().examples.len();
    let waits = got(&|line| line["messages"] == messages && line["unread"] == 0);
    let line = &waits["instruments"][0];
    assert_eq!((&line["difference"], &line["instrument"]), (&0.into(), &"haem-1".into()));
    assert_eq!(line["destinations"]["engine"]["waiting"], line["sent"]);
    assert!(line["qc"].as_u64().unwrap() > 0 && line["not_reportable"].as_u64().unwrap() > 0, "{line}");
    let _engine = Engine::start(&site.engine);
    let _ = got(&|line| line["destinations"]["engine"]["delivered"] == line["sent"]);
    let said = site.run(&["ledger", "--day", "today"]);
    said.is(0);
    said.says("acknowledged\n  difference 0");
    site.run(&["ledger", "--day", "yesterday"]).says("No messages.");
    service.stop();
}
