//! Journals that are not as they should be, and those that need a key or a newer program.

use crate::story::{Delivered, KEY, PATIENT, SAMPLE};
use crate::{Copy, key_file, snapshot};
use serde_json::Value;

/// File and offset of a record's commit.
fn place(copy: &Copy, wanted: impl Fn(&Value) -> bool) -> (String, usize) {
    let record = copy.records().into_iter().find(|record| wanted(record)).unwrap();
    let offset = usize::try_from(record["offset"].as_u64().unwrap()).unwrap();
    (record["file"].as_str().unwrap().to_owned(), offset)
}

#[test]
fn a_flipped_byte_in_the_middle_is_told_with_what_it_touches() {
    let copy = Copy::new();
    let Delivered { message, second, .. } = copy.story.delivered[8];
    // Both its chunks, so that only its outcome names it.
    for number in [message, second] {
        let (file, offset) = place(&copy, |record| record["name"] == "chunk" && record["sequence"] == number);
        copy.edit(&file, |bytes| bytes[offset + 40] ^= 0x20);
    }
    let before = snapshot(copy.path());
    let verified = copy.run(&["verify"]);
    verified.is(65);
    verified.says("is DAMAGED in 1 place; besides, it holds ");
    verified.says("commits are damaged and skipped");
    verified.says(&format!("numbers from {message} to before "));
    verified.says(&format!("Messages that other records name, and whose bytes are gone: {message}."));
    verified.says("Instruments that were at work then: ");
    verified.says("chem-2");
    verified.says("Destinations that were sent to then: engine.");
    verified.says("docs/journal.md");
    verified.hides(PATIENT);
    verified.hides(SAMPLE);
    assert!(before == snapshot(copy.path()), "a file was changed");
    let list = copy.run(&["list"]);
    list.is(0);
    list.says("The journal is damaged in 1 place, so this may not be all");
    list.says("no bytes");
    let json: Value = serde_json::from_str(&copy.run(&["verify", "--json"]).out).unwrap();
    assert_eq!(json["damaged"][0]["kind"], "Commit");
    assert_eq!(json["damaged"][0]["touches"]["messages_lost"][0], message);
    copy.run(&["export", "-"]).is(65);
}

#[test]
fn a_lost_answer_and_a_lost_outcome_are_told() {
    let copy = Copy::new();
    let Delivered { oru, .. } = copy.story.delivered[8];
    let (file, offset) =
        place(&copy, |record| record["name"] == "delivery" && record["decoded"]["oru"] == oru);
    copy.edit(&file, |bytes| bytes[offset + 30] ^= 1);
    let verified = copy.run(&["verify"]);
    verified.is(65);
    verified.says(&format!(
        "ORUs whose acknowledgment may have been in it; the service sends them again: {oru} (for engine)."
    ));

    let copy = Copy::new();
    let wanted =
        |record: &Value| record["name"] == "outcome" && record["message"] == copy.story.delivered[8].message;
    let (file, offset) = place(&copy, wanted);
    copy.edit(&file, |bytes| bytes[offset + 30] ^= 1);
    let verified = copy.run(&["verify"]);
    verified.is(65);
    verified.says("ORUs that other records name, and that are gone: ");
    verified.says("Messages whose outcome may have been in it; the service interprets them again: ");
    verified.says(&format!("{} (chem-2)", copy.story.delivered[8].message));
}

#[test]
fn a_lost_segment_is_told() {
    let copy = Copy::new();
    let Delivered { message, .. } = copy.story.delivered[8];
    let (file, _) = place(&copy, |record| record["name"] == "chunk" && record["sequence"] == message);
    std::fs::remove_file(copy.file(&file)).unwrap();
    let verified = copy.run(&["verify"]);
    verified.is(65);
    verified.says("DAMAGED in 1 place");
    assert!(
        verified.out.contains("the segment is gone")
            || verified.out.contains("commits before this one are missing"),
        "{}",
        verified.out
    );
    verified.says("What was in it has numbers from ");
}

#[test]
fn a_torn_tail_is_no_damage() {
    let copy = Copy::new();
    let last = copy.records().pop().unwrap();
    let offset = usize::try_from(last["offset"].as_u64().unwrap()).unwrap();
    let waiting = copy.story.waiting;
    copy.edit(last["file"].as_str().unwrap(), |bytes| bytes[offset + 10..offset + 20].fill(0));
    let verified = copy.run(&["verify"]);
    verified.is(0);
    verified.says("is sound: ");
    verified.says("4096 bytes are of a commit that a crash cut off");
    copy.run(&["list"]).says(&waiting.to_string());
}

#[test]
fn a_sealed_journal_needs_its_key() {
    let copy = Copy::sealed();
    let keys = tempfile::tempdir().unwrap();
    let right = key_file(keys.path(), KEY);
    let wrong = key_file(keys.path(), &KEY.replace("00", "10"));
    for command in [&["verify"][..], &["list"], &["stats"], &["export", "-"], &["show", "7"]] {
        let none = copy.run(command);
        none.is(74);
        none.says("is sealed with the key 60a4dd57ce9a15ac, and no key was given");
        none.says("Give it with --key FILE");
        let other = copy.run(&[command, &["--key", &wrong]].concat());
        other.is(74);
        other.says("is sealed with the key 60a4dd57ce9a15ac, and the keys given are ");
        assert_eq!(other.out, "");
    }
    let verified = copy.run(&["verify", "--key", &wrong, "--key", &right]);
    verified.is(0);
    verified.says(", sealed.");
    copy.run(&["list", "--key", &right]).says("1 result HELD (no-sample-id)");
    let json: Value = serde_json::from_str(&copy.run(&["stats", "--json", "--key", &right]).out).unwrap();
    assert!(json["sealing"].as_u64().unwrap() > 0);
    copy.run(&["verify", "--key", "/nonexistent"]).says("is not on this machine");
}

#[test]
fn a_newer_format_is_refused_with_a_sentence() {
    let copy = Copy::new();
    let (file, _) = place(&copy, |record| record["name"] == "life");
    copy.edit(&file, |bytes| {
        for page in bytes[..8192].chunks_mut(4096) {
            page[10] = 2;
            let crc = crc32c(&page[..4092]);
            page[4092..].copy_from_slice(&crc.to_le_bytes());
        }
    });
    for command in ["verify", "list"] {
        let refused = copy.run(&[command]);
        refused.is(74);
        refused.says("was written by a newer version of Orugate");
        refused.says("needs a reader of format 2");
    }
}

#[test]
fn what_is_no_journal_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let none = crate::look(folder.path(), &["verify"]);
    none.is(74);
    none.says("There is no journal in ");
    crate::look(&folder.path().join("nowhere"), &["list"]).is(74);
    let copy = Copy::new();
    copy.edit("journal.id", |bytes| bytes[..8192].fill(0xff));
    let verified = copy.run(&["verify"]);
    verified.is(65);
    verified.says("both copies of the identity");
}

fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
