//! One named test for each way in which bytes go wrong.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests are not themselves tests to clippy"
)]

mod common;

use common::{batch, create, open, record, segments, small, texts};
use orugate_journal::model::{Crash, ModelDisk};
use orugate_journal::{
    AppendError, Batch, Claim, DamageKind, Health, Journal, Kind, Lane, NewRecord, OpenError, ReadError,
    Urgency,
};

const PAGE: usize = 4096;

/// A journal with three commits of one page each, closed, and the name of its segment.
fn three_commits() -> (ModelDisk, String) {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    for text in ["one", "two", "three"] {
        let _ = journal.append_wait(batch(&[text])).unwrap();
    }
    drop(journal);
    let name = segments(&disk, Lane::Results).remove(0);
    (disk, name)
}

#[test]
fn torn_tail_at_each_512_bytes() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let _ = journal.append_wait(batch(&["whole"])).unwrap();
    let long = "x".repeat(9000);
    let receipt = journal.append_wait(batch(&["first of the torn", &long])).unwrap();
    let start = receipt.locations()[0].offset() as usize / PAGE * PAGE;
    drop(journal);
    let name = segments(&disk, Lane::Results).remove(0);
    let last_byte = start + 64 + 24 + 4 + 17 + 24 + 4 + 9000;
    let mut whole = 0;
    for cut in (start..=start + 3 * PAGE).step_by(512) {
        let torn = disk.crash(disk.steps(), Crash::Kept);
        torn.edit(&name, |bytes| bytes[cut..].fill(0));
        let (_journal, recovery, seen) = open(&torn);
        assert_eq!(recovery.damaged, [], "cut at {cut}");
        if cut >= last_byte {
            assert_eq!(texts(&seen), ["whole", "first of the torn", &long], "cut at {cut}");
            assert_eq!(recovery.torn_bytes, 0);
            whole += 1;
        } else {
            assert_eq!(texts(&seen), ["whole"], "cut at {cut}");
            assert_eq!(recovery.torn_bytes > 0, cut > start, "cut at {cut}");
        }
    }
    assert!(whole > 0);
}

#[test]
fn a_flipped_byte_anywhere_in_a_commit_loses_that_commit_only_and_is_reported() {
    let (disk, name) = three_commits();
    // The second commit: 64 bytes of header, 24 of record header, four of meta, three of payload.
    for at in 0..64 + 24 + 4 + 3 {
        let bad = disk.crash(disk.steps(), Crash::Kept);
        bad.edit(&name, |bytes| bytes[3 * PAGE + at] ^= 0x40);
        let (_journal, recovery, seen) = open(&bad);
        // Six bytes of the header are reserved; they are checksummed like the rest.
        assert_eq!(texts(&seen), ["one", "three"], "byte {at}");
        assert_eq!(recovery.damaged.len(), 1, "byte {at}");
        let damage = &recovery.damaged[0];
        assert_eq!((damage.file.as_str(), damage.offset, damage.bytes), (name.as_str(), 3 * 4096, 4096));
        assert_eq!(damage.kind, DamageKind::Commit);
    }
}

#[test]
fn a_flipped_byte_in_one_segment_header_is_survived_and_reported() {
    let (disk, name) = three_commits();
    for copy in [0, PAGE] {
        let bad = disk.crash(disk.steps(), Crash::Kept);
        bad.edit(&name, |bytes| bytes[copy + 20] ^= 1);
        let (_journal, recovery, seen) = open(&bad);
        assert_eq!(texts(&seen), ["one", "two", "three"]);
        assert_eq!(
            (recovery.damaged[0].offset, recovery.damaged[0].kind),
            (copy as u64, DamageKind::HeaderCopy)
        );
    }
}

#[test]
fn both_segment_headers_flipped_is_reported_and_the_file_is_kept() {
    let (disk, name) = three_commits();
    disk.edit(&name, |bytes| {
        bytes[20] ^= 1;
        bytes[PAGE + 20] ^= 1;
    });
    let (journal, recovery, seen) = open(&disk);
    assert_eq!(texts(&seen), [""; 0]);
    assert_eq!(recovery.damaged[0].kind, DamageKind::Header);
    assert!(disk.bytes(&name).is_some());
    let _ = journal.append_wait(batch(&["four"])).unwrap();
    drop(journal);
    assert_eq!(texts(&open(&disk).2), ["four"]);
}

#[test]
fn a_flipped_byte_under_a_location_is_a_read_error() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let receipt = journal.append_wait(batch(&["sodium 140"])).unwrap();
    let at = receipt.locations()[0];
    assert_eq!(journal.read(at).unwrap().payload(), b"sodium 140");
    disk.edit(&segments(&disk, Lane::Results)[0], |bytes| bytes[at.offset() as usize + 30] ^= 1);
    assert!(matches!(journal.read(at), Err(ReadError::Damaged(place)) if place == at));
}

#[test]
fn a_page_that_the_disk_cannot_read_is_skipped_and_reported() {
    let (disk, name) = three_commits();
    disk.unreadable(&name, 3 * 4096 + 10);
    let (_journal, recovery, seen) = open(&disk);
    assert_eq!(texts(&seen), ["one", "three"]);
    assert_eq!(recovery.damaged[0].kind, DamageKind::Unreadable);
    assert_eq!(recovery.damaged[0].offset, 3 * 4096);
}

#[test]
fn an_unreadable_tail_is_damage_not_a_torn_commit() {
    let (disk, name) = three_commits();
    disk.unreadable(&name, 4 * 4096);
    let (_journal, recovery, seen) = open(&disk);
    assert_eq!(texts(&seen), ["one", "two"]);
    assert_eq!((recovery.damaged[0].kind, recovery.torn_bytes), (DamageKind::Unreadable, 0));
}

#[test]
fn a_lost_segment_is_noticed() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let long = "x".repeat(11_000);
    for number in 0..6 {
        let _ = journal.append_wait(batch(&[&format!("{number}{long}")])).unwrap();
    }
    drop(journal);
    let names = segments(&disk, Lane::Results);
    assert_eq!(names.len(), 3);
    for (lost, left) in [(0, ['2', '3', '4', '5']), (1, ['0', '1', '4', '5'])] {
        let image = disk.crash(disk.steps(), Crash::Kept);
        orugate_journal::Storage::remove(&image, &names[lost]).unwrap();
        let (_journal, recovery, seen) = open(&image);
        assert!(seen.iter().map(|(_, text)| text.chars().next().unwrap()).eq(left));
        assert_eq!(recovery.damaged.len(), 1);
        let damage = &recovery.damaged[0];
        assert_eq!((&damage.file, damage.kind), (&names[lost + 1], DamageKind::MissingBefore));
    }
}

#[test]
fn a_lost_end_of_a_segment_is_noticed_once_something_follows() {
    let (disk, name) = three_commits();
    let (journal, _, _) = open(&disk);
    let _ = journal.append_wait(batch(&["four"])).unwrap();
    drop(journal);
    // The last one of all was written again by the start behind it.
    disk.edit(&name, |bytes| bytes[3 * PAGE..].fill(0));
    let (_journal, recovery, seen) = open(&disk);
    assert_eq!(texts(&seen), ["one", "three", "four"]);
    assert_eq!(recovery.damaged[0].kind, DamageKind::MissingBefore);
}

#[test]
fn a_segment_of_another_journal_is_not_read() {
    let (disk, _) = three_commits();
    let other = ModelDisk::new();
    let journal = create(&other);
    let _ = journal.append_wait(batch(&["foreign"])).unwrap();
    drop(journal);
    let foreign = other.bytes(&segments(&other, Lane::Results)[0]).unwrap();
    let name = "results-00000000000000ff.seg";
    orugate_journal::Storage::create(&disk, name).unwrap();
    disk.edit(name, |bytes| *bytes = foreign);
    let (_journal, recovery, seen) = open(&disk);
    assert_eq!(texts(&seen), ["one", "two", "three"]);
    assert_eq!((recovery.damaged[0].file.as_str(), recovery.damaged[0].kind), (name, DamageKind::Foreign));
}

#[test]
fn a_segment_that_needs_a_newer_reader_is_not_opened() {
    let (disk, name) = three_commits();
    disk.edit(&name, |bytes| {
        bytes[10] = 2;
        let crc = crc32c::crc32c(&bytes[..PAGE - 4]);
        bytes[PAGE - 4..PAGE].copy_from_slice(&crc.to_le_bytes());
    });
    match Journal::open(disk, small(), &mut |_| {}) {
        Err(OpenError::TooNew { file, needs: 2 }) => assert_eq!(file, name),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_identity_page_may_be_lost_and_both_copies_may_not() {
    let (disk, _) = three_commits();
    let given = open(&disk.crash(disk.steps(), Crash::Kept)).0.reserve(1).unwrap().next().unwrap().get();
    // One ceiling page may be torn by a power cut, so alone it is not called damage.
    for (pages, reported) in [(&[0][..], 1), (&[1], 1), (&[2], 0), (&[3], 0), (&[2, 3], 2)] {
        let bad = disk.crash(disk.steps(), Crash::Kept);
        bad.edit("journal.id", |bytes| pages.iter().for_each(|page| bytes[page * PAGE + 17] ^= 1));
        let (journal, recovery, seen) = open(&bad);
        assert_eq!(texts(&seen), ["one", "two", "three"]);
        assert_eq!(recovery.damaged.len(), reported);
        assert!(recovery.damaged.iter().all(|damage| damage.kind == DamageKind::Identity));
        assert!(journal.reserve(1).unwrap().next().unwrap().get() >= given, "pages {pages:?}");
    }
    disk.edit("journal.id", |bytes| {
        bytes[17] ^= 1;
        bytes[PAGE + 17] ^= 1;
    });
    assert!(matches!(Journal::open(disk, small(), &mut |_| {}), Err(OpenError::IdentityDamaged)));
}

/// The model disk forgets a name without a directory sync; a receipt from such a segment would be a lie.
#[test]
fn a_missing_directory_sync_would_be_seen() {
    let disk = ModelDisk::new();
    let file = orugate_journal::Storage::create(&disk, "x").unwrap();
    file.write_at(b"data", 0).unwrap();
    file.sync_data().unwrap();
    assert_eq!(disk.crash(disk.steps(), Crash::Lost).bytes("x"), None);
    orugate_journal::Storage::sync_dir(&disk).unwrap();
    assert_eq!(disk.crash(disk.steps(), Crash::Lost).bytes("x").unwrap(), b"data");
}

#[test]
fn a_receipt_stands_although_everything_unsynced_is_lost() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let _ = journal.append_wait(batch(&["one"])).unwrap();
    let lost = disk.crash(disk.steps(), Crash::Lost);
    assert_eq!(texts(&open(&lost).2), ["one"]);
}

#[test]
fn a_failed_sync_moves_the_commit_to_a_new_segment() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let before = journal.append_wait(batch(&["one"])).unwrap();
    disk.fail_sync(1);
    let receipt = journal.append_wait(batch(&["two", "three"])).unwrap();
    assert_ne!(receipt.locations()[0].segment(), before.locations()[0].segment());
    assert_eq!(journal.health(), Health::Good);
    // Nothing more goes to the poisoned segment.
    let after = journal.append_wait(batch(&["four"])).unwrap();
    assert_eq!(after.locations()[0].segment(), receipt.locations()[0].segment());
    for how in [Crash::Lost, Crash::Kept] {
        // Kept: the first attempt is on the disk after all, and must not be shown twice.
        let (journal, recovery, seen) = open(&disk.crash(disk.steps(), how));
        assert_eq!(texts(&seen), ["one", "two", "three", "four"], "{how:?}");
        assert_eq!(recovery.damaged, []);
        assert_eq!(journal.read(receipt.locations()[1]).unwrap().payload(), b"three");
    }
}

#[test]
fn a_disk_that_fails_twice_gives_no_receipt_and_says_so_until_it_works() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let _ = journal.append_wait(batch(&["one"])).unwrap();
    disk.fail_everything(true);
    assert!(matches!(journal.append_wait(batch(&["two"])), Err(AppendError::Failed(_))));
    assert!(matches!(journal.health(), Health::Failed(_)));
    assert!(matches!(journal.append_wait(batch(&["three"])), Err(AppendError::Failed(_))));
    disk.fail_everything(false);
    let _ = journal.append_wait(batch(&["four"])).unwrap();
    assert_eq!(journal.health(), Health::Good);
    let (_journal, recovery, seen) = open(&disk.crash(disk.steps(), Crash::Lost));
    assert_eq!(texts(&seen), ["one", "four"]);
    assert_eq!(recovery.damaged, []);
}

#[test]
fn a_failed_write_is_treated_as_a_failed_sync() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let _ = journal.append_wait(batch(&["one"])).unwrap();
    disk.fail_write(1);
    let _ = journal.append_wait(batch(&["two"])).unwrap();
    assert_eq!(segments(&disk, Lane::Results).len(), 2);
    let (_journal, recovery, seen) = open(&disk.crash(disk.steps(), Crash::Kept));
    assert_eq!(texts(&seen), ["one", "two"]);
    assert_eq!(recovery.damaged, []);
}

#[test]
fn short_writes_are_continued() {
    let disk = ModelDisk::new();
    disk.short_writes();
    let journal = create(&disk);
    let long = "y".repeat(10_000);
    let _ = journal.append_wait(batch(&[&long])).unwrap();
    assert_eq!(texts(&open(&disk.crash(disk.steps(), Crash::Lost)).2), [&long]);
}

#[test]
fn the_limit_is_full_before_anything_is_written() {
    let disk = ModelDisk::new();
    let options = orugate_journal::Options { max_size: 256 << 10, ..small() };
    let journal = Journal::create(disk.clone(), common::NOW, options).unwrap();
    let long = "z".repeat(15_000);
    let mut stored = 0;
    while journal.append_wait(batch(&[&long])).map(|receipt| assert_eq!(receipt.locations().len(), 1)).is_ok()
    {
        stored += 1;
    }
    // Four segments of 32 KiB, each with room for one commit of 16 KiB behind its headers; four are kept for what settles.
    assert_eq!(stored, 4);
    let space = journal.space();
    assert_eq!((space.used, space.limit, space.segments), (128 << 10, 256 << 10, 4));
    let steps = disk.steps();
    assert!(matches!(journal.append_wait(batch(&[&long])), Err(AppendError::Full)));
    assert_eq!(disk.steps(), steps, "nothing was written");
    // What still fits is still taken, and what settles something has room of its own.
    let _ = journal.append_wait(batch(&["small"])).unwrap();
    for (claim, more) in [(Claim::Outcome, 2), (Claim::Settling, 2)] {
        for _ in 0..more {
            let _ = journal.append_wait(batch(&[&long]).claim(claim)).unwrap();
        }
        assert!(matches!(journal.append_wait(batch(&[&long]).claim(claim)), Err(AppendError::Full)));
    }
    assert_eq!(journal.space().used, 256 << 10);
}

#[test]
fn a_full_disk_is_full_and_leaves_no_half_segment() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let _ = journal.append_wait(batch(&["one"])).unwrap();
    disk.limit_capacity(60 << 10);
    let snapshot = Batch::new(Lane::Snapshots, Urgency::Now, record("snapshot"));
    assert!(matches!(journal.append_wait(snapshot), Err(AppendError::Full)));
    assert_eq!(segments(&disk, Lane::Snapshots), [""; 0]);
    // The journal is far from its own limit, so only its health can say why.
    assert!(matches!(journal.health(), Health::Failed(_)));
    // The space of the results' segment was taken beforehand.
    let _ = journal.append_wait(batch(&["two"])).unwrap();
    assert_eq!(journal.health(), Health::Good);
}

#[test]
fn a_batch_larger_than_a_commit_is_refused() {
    let journal = create(&ModelDisk::new());
    let record = NewRecord::new(Kind(1), 0, vec![], vec![0; 16 << 10]);
    let result = journal.append_wait(Batch::new(Lane::Results, Urgency::Now, record));
    assert!(matches!(result, Err(AppendError::TooLarge { size: 16_472, limit: 16_384 })), "{result:?}");
}

/// A killed process leaves a commit in the page cache. The next one shows it to the gateway, which acts on it, so
/// a power cut after that must not take it away.
#[test]
fn what_a_killed_process_wrote_is_synced_before_it_is_shown() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let _ = journal.append_wait(batch(&["one"])).unwrap();
    let before = disk.steps();
    let _ = journal.append_wait(batch(&["two"])).unwrap();
    // A write, then its sync: killed in between.
    let killed = disk.kill(before + 1);
    let (_next, _, seen) = open(&killed);
    assert_eq!(texts(&seen), ["one", "two"]);
    assert_eq!(texts(&open(&killed.crash(killed.steps(), Crash::Lost)).2), ["one", "two"]);
}
