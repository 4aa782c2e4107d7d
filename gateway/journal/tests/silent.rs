//! Damage that could pass for something harmless: an interrupted making, a torn tail, a commit that failed.
//!
//! Promises that a start and an [`Inspector`] tell the same of it, that a start keeps the files, and that the next start tells it
//! again. Leaves out damage that shows by itself: `corruption.rs` has that.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::settled::Settled;
use common::{NOW, batch, create, open, record, segments, small, texts};
use orugate_journal::model::ModelDisk;
use orugate_journal::{
    Batch, Damage, DamageKind, Inspector, Journal, Lane, Options, Storage, UnixMillis, Urgency,
};
use std::process::Command;
use std::sync::Arc;

const PAGE: usize = 4096;

/// Changes a file's bytes.
type Way<'a> = &'a dyn Fn(&mut Vec<u8>);
type Told = Vec<(String, u64, DamageKind)>;

/// What somebody who looks is told. The reader that was written from `FORMAT.md` must say the same.
fn looked(disk: &ModelDisk) -> Told {
    let inspected = Inspector::new(disk, None).unwrap().walk(&mut |_| {}).unwrap();
    let damaged: Vec<Damage> = inspected.damaged.into_iter().map(|spot| spot.damage).collect();
    if let Some(theirs) = second_reader(disk) {
        let mut ours: Vec<_> = damaged
            .iter()
            .map(|found| (found.file.clone(), found.offset, found.bytes, word(found.kind).to_owned()))
            .collect();
        ours.sort();
        assert_eq!(ours, theirs, "the second reader, on the right");
    }
    damaged.into_iter().map(|damage| (damage.file, damage.offset, damage.kind)).collect()
}

/// The second reader's word for it.
fn word(kind: DamageKind) -> &'static str {
    match kind {
        DamageKind::Commit => "passed over",
        DamageKind::MissingBefore => "missing before",
        DamageKind::MissingSegment => "lost",
        DamageKind::MaybeMissing => "possibly lost",
        DamageKind::Emptied => "emptied",
        DamageKind::MissingBehind => "missing behind",
        DamageKind::OutOfOrder => "out of order",
        DamageKind::HeaderCopy => "header copy",
        DamageKind::Header => "header",
        DamageKind::Foreign => "foreign",
        _ => panic!("{kind:?}"),
    }
}

/// File, offset, bytes and kind of what it finds; `None` where there is no Python.
fn second_reader(disk: &ModelDisk) -> Option<Vec<(String, u64, u64, String)>> {
    let python = std::env::var_os("ORUGATE_PYTHON")?;
    let folder = tempfile::tempdir().unwrap();
    for name in disk.names() {
        std::fs::write(folder.path().join(&name), disk.bytes(&name).unwrap()).unwrap();
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/python/journal_reader.py");
    let ran = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    assert_eq!(String::from_utf8(ran.stderr).unwrap(), "");
    let out = String::from_utf8(ran.stdout).unwrap();
    let mut found: Vec<_> = out
        .lines()
        .filter(|line| line.starts_with("{\"damage\""))
        .map(|line| {
            let field = |name: &str| {
                let (_, rest) = line.split_once(&format!("\"{name}\": ")).unwrap();
                rest.split([',', '}']).next().unwrap().trim_matches('"').to_owned()
            };
            let number = |name| field(name).parse().unwrap();
            (field("file"), number("offset"), number("bytes"), field("damage"))
        })
        .collect();
    found.sort();
    Some(found)
}

/// What a start tells, from a checkpoint if there is one.
fn started(disk: &ModelDisk) -> Told {
    let (_journal, recovery) = Journal::open_for(disk.clone(), small(), Arc::new(Settled)).unwrap();
    recovery.damaged.into_iter().map(|damage| (damage.file, damage.offset, damage.kind)).collect()
}

fn write(journal: &Journal, lane: Lane, text: &str) {
    let batch = Batch::new(lane, Urgency::Now, record(text)).at(UnixMillis(NOW.0 + 1));
    let _ = journal.append_wait(batch).unwrap();
}

/// Three segments of *results* with commits, and no checkpoint.
fn three_segments() -> (ModelDisk, Vec<String>) {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let long = "x".repeat(11_000);
    for number in 0..6 {
        let _ = journal.append_wait(batch(&[&format!("{number}{long}")])).unwrap();
    }
    drop(journal);
    let names = segments(&disk, Lane::Results);
    assert_eq!(names.len(), 3);
    (disk, names)
}

/// Both lanes, with a checkpoint at the end that knows two segments of *snapshots*.
fn with_checkpoint() -> (ModelDisk, Vec<String>, Vec<String>) {
    let disk = ModelDisk::new();
    drop(create(&disk));
    let journal = Journal::open_for(disk.clone(), small(), Arc::new(Settled)).unwrap().0;
    let long = "x".repeat(11_000);
    for number in 0..3 {
        write(&journal, Lane::Snapshots, &format!("snapshot {number}{long}"));
    }
    for number in 0..4 {
        write(&journal, Lane::Results, &format!("{number}{long}"));
    }
    drop(journal);
    let (results, snapshots) = (segments(&disk, Lane::Results), segments(&disk, Lane::Snapshots));
    assert_eq!(snapshots.len(), 2);
    assert_eq!((looked(&disk), started(&disk)), (vec![], vec![]));
    (disk, results, snapshots)
}

fn whole(disk: &ModelDisk) -> ModelDisk {
    disk.kill(disk.steps())
}

#[test]
fn a_segment_that_lost_all_its_bytes_is_told_and_kept() {
    let (disk, names) = three_segments();
    let ways: [Way<'_>; 3] =
        [&|bytes| bytes.fill(0), &|bytes| bytes.truncate(2 * PAGE), &|bytes| bytes[2 * PAGE..].fill(0)];
    for lost in &names[..2] {
        for way in ways {
            let disk = whole(&disk);
            disk.edit(lost, way);
            let told = vec![(lost.clone(), 0, DamageKind::Emptied)];
            assert_eq!(looked(&disk), told);
            assert_eq!(started(&disk), told);
            assert!(disk.bytes(lost).is_some());
            assert_eq!(looked(&disk), told);
        }
    }
    // The newest one is as a crash leaves it that came while it was made.
    disk.edit(&names[2], |bytes| bytes.fill(0));
    assert_eq!(looked(&disk), []);
    assert_eq!(started(&disk), []);
    assert!(disk.bytes(&names[2]).is_none());
}

#[test]
fn a_segment_that_the_checkpoint_lists_and_that_is_empty_is_told_and_kept() {
    let (disk, results, snapshots) = with_checkpoint();
    for lost in snapshots.iter().chain(&results[..1]) {
        for from in [0, 2 * PAGE] {
            let disk = whole(&disk);
            disk.edit(lost, |bytes| bytes[from..].fill(0));
            let told = vec![(lost.clone(), 0, DamageKind::Emptied)];
            assert_eq!(looked(&disk), told, "{lost} from {from}");
            for _ in 0..2 {
                assert_eq!(started(&disk), told, "{lost} from {from}");
            }
            assert!(disk.bytes(lost).is_some());
        }
    }
}

#[test]
fn a_last_commit_that_the_checkpoint_knows_was_not_torn() {
    let (disk, _, snapshots) = with_checkpoint();
    let last = &snapshots[1];
    // Its records, its header, and all of it.
    let ways: [(Way<'_>, DamageKind); 3] = [
        (&|bytes| bytes[2 * PAGE + 90] ^= 1, DamageKind::Commit),
        (&|bytes| bytes[2 * PAGE + 20] ^= 1, DamageKind::Emptied),
        (&|bytes| bytes[2 * PAGE..].fill(0), DamageKind::Emptied),
    ];
    for (way, kind) in ways {
        let disk = whole(&disk);
        disk.edit(last, way);
        let offset = if kind == DamageKind::Commit { 2 * PAGE as u64 } else { 0 };
        let told = vec![(last.clone(), offset, kind)];
        assert_eq!((looked(&disk), started(&disk)), (told.clone(), told));
    }
    // With one before it in the same segment.
    let journal = Journal::open_for(disk.clone(), small(), Arc::new(Settled)).unwrap().0;
    write(&journal, Lane::Snapshots, "one");
    write(&journal, Lane::Snapshots, "two");
    for _ in 0..4 {
        write(&journal, Lane::Results, &"x".repeat(11_000));
    }
    drop(journal);
    let last = segments(&disk, Lane::Snapshots).pop().unwrap();
    let page = |text: &[u8]| {
        let bytes = disk.bytes(&last).unwrap();
        bytes.windows(text.len()).rposition(|window| window == text).unwrap() / PAGE * PAGE
    };
    let two = page(b"two");
    for (at, kind) in [(90, DamageKind::Commit), (20, DamageKind::MissingBehind)] {
        let disk = whole(&disk);
        disk.edit(&last, |bytes| bytes[two + at] ^= 1);
        let told = vec![(last.clone(), two as u64, kind)];
        assert_eq!((looked(&disk), started(&disk)), (told.clone(), told));
        // What is written behind it says so too, for whoever reads it all.
        let journal = Journal::open_for(disk.clone(), small(), Arc::new(Settled)).unwrap().0;
        write(&journal, Lane::Snapshots, "three");
        drop(journal);
        assert_eq!(looked(&disk).len(), 1);
    }
}

/// "one", "void" that failed twice and is on the disk all the same, "two", "three", all in one segment but for the void one.
fn with_void() -> (ModelDisk, String) {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let _ = journal.append_wait(batch(&["one"])).unwrap();
    disk.fail_syncs_from(1);
    assert!(journal.append_wait(batch(&["void"])).is_err());
    disk.fail_syncs_from(0);
    for text in ["two", "three"] {
        let _ = journal.append_wait(batch(&[text])).unwrap();
    }
    drop(journal);
    let name = segments(&disk, Lane::Results).pop().unwrap();
    assert_eq!(texts(&open(&whole(&disk)).2), ["one", "two", "three"]);
    (disk, name)
}

#[test]
fn a_void_commit_stays_void_when_the_one_behind_it_loses_its_records() {
    let (disk, name) = with_void();
    disk.edit(&name, |bytes| bytes[2 * PAGE + 90] ^= 1);
    assert_eq!(looked(&disk), [(name.clone(), 2 * PAGE as u64, DamageKind::Commit)]);
    let (_journal, recovery, seen) = open(&disk);
    assert_eq!(texts(&seen), ["one", "three"]);
    assert_eq!((recovery.damaged.len(), recovery.void_commits), (1, 1));
}

#[test]
fn where_its_header_is_gone_too_the_next_header_decides() {
    let (disk, name) = with_void();
    disk.edit(&name, |bytes| bytes[2 * PAGE + 20] ^= 1);
    assert_eq!(looked(&disk), [(name.clone(), 2 * PAGE as u64, DamageKind::Commit)]);
    // "three" says that what came before it was synced, and what that was nobody knows.
    assert_eq!(texts(&open(&disk).2), ["one", "void", "three"]);
}

#[test]
fn what_a_torn_commit_says_of_the_one_before_it_stands_after_a_start() {
    let (disk, name) = with_void();
    disk.edit(&name, |bytes| {
        bytes[2 * PAGE + 90] ^= 1;
        bytes[3 * PAGE..].fill(0);
    });
    // As a crash in the middle of "two" leaves it.
    for _ in 0..2 {
        assert_eq!(looked(&disk), []);
        let (_journal, recovery, seen) = open(&disk);
        assert_eq!((texts(&seen), recovery.damaged), (vec!["one"], vec![]));
    }
    let journal = open(&disk).0;
    let _ = journal.append_wait(batch(&["four"])).unwrap();
    drop(journal);
    assert_eq!(looked(&disk), []);
    assert_eq!(texts(&open(&disk).2), ["one", "four"]);
}

#[test]
fn a_commit_at_the_end_of_its_segment_was_synced_if_the_next_one_says_so() {
    let (disk, names) = three_segments();
    let second = 2 * PAGE + 3 * PAGE;
    disk.edit(&names[0], |bytes| bytes[second + 90] ^= 1);
    let told = vec![(names[0].clone(), second as u64, DamageKind::Commit)];
    assert_eq!((looked(&disk), started(&disk)), (told.clone(), told));
}

#[test]
fn a_stray_file_or_a_damaged_header_copy_explains_no_gap() {
    let (intact, names) = three_segments();
    let other = three_segments();
    let stray = other.0.bytes(&other.1[1]).unwrap();
    let disk = whole(&intact);
    disk.edit(&names[1], |bytes| *bytes = stray);
    let missing = (names[2].clone(), 2 * PAGE as u64, DamageKind::MissingBefore);
    let told = vec![(names[1].clone(), 0, DamageKind::Foreign), missing.clone()];
    assert_eq!((looked(&disk), started(&disk)), (told.clone(), told));
    let disk = whole(&intact);
    disk.remove(&names[1]).unwrap();
    disk.edit(&names[0], |bytes| bytes[20] ^= 1);
    let told = vec![(names[0].clone(), 0, DamageKind::HeaderCopy), missing];
    assert_eq!((looked(&disk), started(&disk)), (told.clone(), told));
}

#[test]
fn a_number_that_cannot_be_spoils_no_other_commit() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    for text in ["one", "two", "three"] {
        let _ = journal.append_wait(batch(&[text])).unwrap();
    }
    drop(journal);
    let name = segments(&disk, Lane::Results).remove(0);
    disk.edit(&name, |bytes| {
        let seed = crc32c::crc32c(&bytes[16..32]);
        let header = &mut bytes[3 * PAGE..3 * PAGE + 64];
        header[8..16].copy_from_slice(&(1_u64 << 62).to_le_bytes());
        let crc = crc32c::crc32c_append(seed, &header[8..]);
        header[4..8].copy_from_slice(&crc.to_le_bytes());
    });
    let looked = looked(&disk);
    assert_eq!(looked[0], (name.clone(), 3 * PAGE as u64, DamageKind::OutOfOrder));
    assert_eq!(looked[1], (name.clone(), 4 * PAGE as u64, DamageKind::MissingBefore));
    let (journal, recovery, seen) = open(&disk);
    assert_eq!((texts(&seen), recovery.damaged.len()), (vec!["one", "three"], 2));
    let next = journal.reserve(1).unwrap().next().unwrap().get().0;
    assert!(next < 1 << 61);
}

#[test]
fn what_is_lost_at_the_front_may_have_been_given_back_if_the_end_is_gone() {
    let disk = ModelDisk::new();
    let tight =
        Options { max_size: 256 << 10, snapshots_size: 64 << 10, soon: std::time::Duration::ZERO, ..small() };
    drop(Journal::create(disk.clone(), NOW, tight.clone()).unwrap());
    let again = || Journal::open_for(disk.clone(), tight.clone(), Arc::new(Settled)).unwrap().0;
    let journal = again();
    let long = "x".repeat(11_000);
    for _ in 0..60 {
        write(&journal, Lane::Results, &long);
    }
    drop(journal);
    // What was there is given back, and the record that says so is in one of the newest, which go.
    let first = segments(&disk, Lane::Results)[0].clone();
    let kept = whole(&disk);
    let journal = again();
    while disk.bytes(&first).is_some() {
        write(&journal, Lane::Results, &long);
    }
    drop(journal);
    kept.remove(&first).unwrap();
    let told_with_ceiling = || {
        let id = disk.bytes("journal.id").unwrap();
        kept.edit("journal.id", |bytes| *bytes = id);
        looked(&kept)
    };
    let told = told_with_ceiling();
    assert!(told.contains(&(first.clone(), 0, DamageKind::MissingSegment)), "{told:?}");
    for _ in 0..3 {
        drop(again());
    }
    let told = told_with_ceiling();
    assert!(told.contains(&(first.clone(), 0, DamageKind::MaybeMissing)), "{told:?}");
}
