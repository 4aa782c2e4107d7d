//! `keep_raw`: what instruments sent of settled messages is given out for so long, and the commands say so.

use crate::common::orugate;
use crate::look;
use crate::story::PATIENT;
use orugate::records::{Chunk, Meta, Outcome};
use orugate_journal::{Batch, FileStorage, Journal, Kind, Lane, NewRecord, Options, UnixMillis, Urgency};
use serde_json::Value;
use std::path::Path;

/// 2025-06-01T00:00:00Z: older than any `keep_raw` that the test writes, whenever it runs.
const THEN: u64 = 1_748_736_000_000;

/// A settled message and one that waits, from long ago; their numbers.
fn old_journal(folder: &Path) -> [u64; 2] {
    let storage = FileStorage::new(folder).unwrap();
    let journal = Journal::create(storage, UnixMillis(THEN), Options::default()).unwrap();
    let append = |records: Vec<NewRecord>| {
        let mut records = records.into_iter();
        let mut batch = Batch::new(Lane::Results, Urgency::Now, records.next().unwrap()).at(UnixMillis(THEN));
        records.for_each(|record| batch.push(record));
        let _ = journal.append_wait(batch).unwrap();
    };
    let received = i64::try_from(THEN * 1000).unwrap();
    let message = || {
        let reserved = journal.reserve(1).unwrap().next().unwrap();
        let message = reserved.get().0;
        let (instrument, first, end) = ("haem-1".to_owned(), true, Some(true));
        let chunk = Chunk { instrument, message, first, end, received, clock: 2 };
        let payload = format!("P|1||||{PATIENT}\r").into_bytes();
        append(vec![NewRecord::new(Kind(Chunk::KIND), 1, chunk.encode(), payload).numbered(reserved)]);
        message
    };
    let [settled, waits] = [message(), message()];
    let outcome =
        Outcome { message: settled, instrument: "haem-1".to_owned(), at: received, ..Outcome::default() };
    append(vec![NewRecord::new(Kind(Outcome::KIND), Outcome::VERSION, outcome.encode(), Vec::new())]);
    [settled, waits]
}

#[test]
fn raw_bytes_of_settled_messages_are_given_out_as_long_as_keep_raw_says() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal");
    std::fs::create_dir(&journal).unwrap();
    let [settled, waits] = old_journal(&journal);
    let config = folder.path().join("orugate.toml");
    let configured = |keep: &str| {
        let text = format!(
            "version = 1\n[gateway]\nid = \"GW01\"\nfacility = \"LAB\"\ntimezone = \"Europe/Berlin\"\n[journal]\npath = \"{}\"\n{keep}\n",
            journal.display()
        );
        std::fs::write(&config, text).unwrap();
    };
    let run = |arguments: &[&str]| {
        orugate(&[&["journal"], arguments, &["--config", config.to_str().unwrap()]].concat())
    };
    let to = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();

    configured("keep_raw = \"1 h\"\nkeep_delivered = \"3650 days\"");
    let refused = run(&["show", &settled.to_string(), "--raw", &to("settled")]);
    refused.is(1);
    refused.says("older than keep_raw");
    assert!(!Path::new(&to("settled")).exists());
    run(&["show", &waits.to_string(), "--raw", &to("waits")]).is(0);
    assert!(std::fs::read_to_string(to("waits")).unwrap().contains(PATIENT), "it is not settled");
    std::fs::create_dir(to("raw")).unwrap();
    let exported = run(&["export", "--raw", &to("raw")]);
    exported.is(0);
    exported.says("1 message is settled and older than keep_raw in [journal]: what instruments sent of them is left out.");
    let names: Vec<_> =
        std::fs::read_dir(to("raw")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [format!("{waits}-haem-1.raw").as_str()]);
    let all = run(&["export", &to("all")]);
    all.says("1 message is settled and older");
    let chunks: Vec<Value> = crate::records(&std::fs::read_to_string(to("all")).unwrap());
    let given: Vec<_> = chunks
        .iter()
        .filter(|r| r["kind"] == 1)
        .map(|r| (r["sequence"].as_u64(), r["payload"].is_null()))
        .collect();
    assert_eq!(given, [(Some(settled), true), (Some(waits), false)]);

    // A longer time, and the folder without its configuration: as long as the bytes are there.
    configured("keep_raw = \"3650 days\"");
    run(&["show", &settled.to_string(), "--raw", &to("longer")]).is(0);
    look(&journal, &["show", &settled.to_string(), "--raw", &to("folder")]).is(0);
    for name in ["longer", "folder"] {
        assert!(std::fs::read_to_string(to(name)).unwrap().contains(PATIENT), "{name}");
    }
}
