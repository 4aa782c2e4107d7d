//! A sealed journal: read with its key, refused without, and nothing of a record in the clear.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests are not themselves tests to clippy"
)]

mod common;

use common::{NOW, batch, record, sealed, segments, small, texts};
use orugate_journal::model::{Crash, ModelDisk};
use orugate_journal::{
    AppendError, Batch, DamageKind, Journal, Kind, Lane, NewRecord, NoKey, OpenError, Options, ReadError,
    Recovery, Seq, Urgency,
};

const PAGE: usize = 4096;
/// The second commit's record: behind the commit's header.
const RECORD: usize = 3 * PAGE + 64;

fn open(disk: &ModelDisk, options: Options) -> (Journal, Recovery, Vec<(Seq, String)>) {
    let mut seen = Vec::new();
    let opened = Journal::open(disk.clone(), options, &mut |record| {
        assert_eq!(record.meta, b"meta");
        seen.push((record.sequence, String::from_utf8_lossy(record.payload).into_owned()));
    });
    let (journal, recovery) = opened.unwrap();
    (journal, recovery, seen)
}

fn refusal(disk: &ModelDisk, options: Options) -> NoKey {
    match Journal::open(disk.clone(), options, &mut |_| {}) {
        Err(OpenError::NoKey(no_key)) => no_key,
        other => panic!("{other:?}"),
    }
}

fn ids(keys: &[u8]) -> Vec<orugate_journal::KeyId> {
    sealed(keys).keys.unwrap().ids().collect()
}

/// Three commits of one page each, sealed with key 1, and the name of their segment.
fn three_commits() -> (ModelDisk, String) {
    let disk = ModelDisk::new();
    let journal = Journal::create(disk.clone(), NOW, sealed(&[1])).unwrap();
    for text in ["one", "two", "three"] {
        let _ = journal.append_wait(batch(&[text])).unwrap();
    }
    drop(journal);
    let name = segments(&disk, Lane::Results).remove(0);
    (disk, name)
}

/// Makes the checksums of the second commit right again, as only somebody who writes to the file on purpose can.
fn forge(bytes: &mut [u8]) {
    let seed = crc32c::crc32c(&bytes[16..32]);
    let over = |parts: [&[u8]; 2]| {
        crc32c::crc32c_append(crc32c::crc32c_append(seed, parts[0]), parts[1]).to_le_bytes()
    };
    let field = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let record = RECORD..RECORD + field(bytes, RECORD);
    let crc = over([&bytes[RECORD..RECORD + 4], &bytes[RECORD + 8..record.end]]);
    bytes[RECORD + 4..RECORD + 8].copy_from_slice(&crc);
    let commit = 3 * PAGE;
    let crc = over([&[], &bytes[record]]);
    bytes[commit + 48..commit + 52].copy_from_slice(&crc);
    let crc = over([&[], &bytes[commit + 8..commit + 64]]);
    bytes[commit + 4..commit + 8].copy_from_slice(&crc);
}

#[test]
fn records_come_back_from_the_walk_and_from_their_places() {
    let disk = ModelDisk::new();
    let journal = Journal::create(disk.clone(), NOW, sealed(&[1])).unwrap();
    let long = "x".repeat(5000);
    let receipt = journal.append_wait(batch(&["one", "", &long])).unwrap();
    let read = |journal: &Journal| {
        let places = receipt.locations().iter();
        let read = places.map(|at| journal.read(*at).unwrap());
        let text = |read: orugate_journal::Record| {
            assert_eq!(read.as_ref().meta, b"meta");
            String::from_utf8(read.payload().to_vec()).unwrap()
        };
        read.map(text).collect::<Vec<_>>()
    };
    assert_eq!(read(&journal), ["one", "", &long]);
    drop(journal);
    let (journal, recovery, seen) = open(&disk.crash(disk.steps(), Crash::Lost), sealed(&[1]));
    assert_eq!((texts(&seen), recovery.damaged), (vec!["one", "", &long], vec![]));
    assert_eq!(read(&journal), ["one", "", &long]);
}

#[test]
fn nothing_of_a_record_is_on_flash_in_the_clear() {
    let marked = |options: Options| {
        let disk = ModelDisk::new();
        let journal = Journal::create(disk.clone(), NOW, options).unwrap();
        for lane in Lane::ALL {
            let record = NewRecord::new(Kind(7), 1, b"META-MARKER".to_vec(), b"PAYLOAD-MARKER".to_vec());
            let _ = journal.append_wait(Batch::new(lane, Urgency::Now, record)).unwrap();
        }
        // The first attempt of a commit whose sync failed is on the disk too.
        disk.fail_sync(1);
        let _ = journal.append_wait(batch(&["PAYLOAD-MARKER"])).unwrap();
        drop(journal);
        let names = disk.names();
        let has = |marker: &[u8]| {
            names.iter().any(|name| disk.bytes(name).unwrap().windows(marker.len()).any(|w| w == marker))
        };
        (has(b"META-MARKER"), has(b"PAYLOAD-MARKER"))
    };
    assert_eq!(marked(small()), (true, true), "the search finds what is there");
    assert_eq!(marked(sealed(&[1])), (false, false));
}

#[test]
fn two_equal_records_are_not_sealed_alike() {
    let disk = ModelDisk::new();
    let journal = Journal::create(disk.clone(), NOW, sealed(&[1])).unwrap();
    let text = "the same text, long enough not to be there by chance";
    let receipt = journal.append_wait(batch(&[text, text])).unwrap();
    let bytes = disk.bytes(&segments(&disk, Lane::Results)[0]).unwrap();
    let stored = |index: usize| {
        let at = receipt.locations()[index];
        &bytes[at.offset() as usize + 24..(at.offset() + at.len()) as usize]
    };
    assert_eq!(stored(0).len(), 4 + text.len() + 16);
    assert!(!stored(0).windows(8).any(|part| stored(1).windows(8).any(|other| part == other)));
}

#[test]
fn no_key_and_a_wrong_key_are_refused_and_nothing_is_changed() {
    let (disk, name) = three_commits();
    let before = (disk.names(), disk.bytes(&name));
    let none = refusal(&disk, small());
    assert_eq!(none, NoKey { file: name.clone(), wanted: ids(&[1])[0], given: vec![] });
    assert_eq!(
        none.to_string(),
        format!(
            "{name} is sealed with the key {}, and no key was given; give that key. Nothing was lost; without it \
             nothing can be read",
            ids(&[1])[0]
        )
    );
    let wrong = refusal(&disk, sealed(&[2, 3]));
    assert_eq!(wrong, NoKey { file: name.clone(), wanted: ids(&[1])[0], given: ids(&[2, 3]) });
    assert_eq!(
        wrong.to_string(),
        format!(
            "{name} is sealed with the key {}, and the keys given are {}, {}; give that key among the previous ones. \
             Nothing was lost; without it nothing can be read",
            ids(&[1])[0],
            ids(&[2])[0],
            ids(&[3])[0]
        )
    );
    assert_eq!((disk.names(), disk.bytes(&name)), before);
    assert_eq!(texts(&open(&disk, sealed(&[1])).2), ["one", "two", "three"]);
}

#[test]
fn a_wrong_key_is_refused_although_nothing_was_committed_but_zeros() {
    let (disk, name) = three_commits();
    disk.edit(&name, |bytes| bytes[2 * PAGE..].fill(0));
    assert_eq!(refusal(&disk, small()).file, name);
}

#[test]
fn a_new_key_seals_what_is_new_and_the_previous_reads_what_was() {
    let (disk, _) = three_commits();
    let (journal, _, seen) = open(&disk, sealed(&[2, 1]));
    assert_eq!(texts(&seen), ["one", "two", "three"]);
    let receipt = journal.append_wait(batch(&["four"])).unwrap();
    drop(journal);
    assert_eq!(texts(&open(&disk, sealed(&[2, 1])).2), ["one", "two", "three", "four"]);
    // The order says only which one is for new segments.
    let (journal, _, seen) = open(&disk, sealed(&[1, 2]));
    assert_eq!(texts(&seen), ["one", "two", "three", "four"]);
    assert_eq!(journal.read(receipt.locations()[0]).unwrap().payload(), b"four");
    drop(journal);
    // Each start has written its last commit again with the key that was for new segments then.
    for (wanted, given) in [(1, 2), (2, 1)] {
        let refused = refusal(&disk, sealed(&[given]));
        assert_eq!((refused.wanted, refused.given), (ids(&[wanted])[0], ids(&[given])));
        assert!(segments(&disk, Lane::Results).contains(&refused.file));
    }
}

#[test]
fn sealing_may_begin_later_and_what_was_open_stays_readable() {
    let disk = ModelDisk::new();
    let journal = Journal::create(disk.clone(), NOW, small()).unwrap();
    let _ = journal.append_wait(batch(&["open"])).unwrap();
    drop(journal);
    let (journal, _, _) = open(&disk, sealed(&[1]));
    let _ = journal.append_wait(batch(&["sealed"])).unwrap();
    drop(journal);
    assert_eq!(texts(&open(&disk, sealed(&[1])).2), ["open", "sealed"]);
    assert_eq!(refusal(&disk, small()).wanted, ids(&[1])[0]);
}

#[test]
fn a_flipped_byte_in_header_ciphertext_or_tag_loses_that_commit_only_and_is_reported() {
    let (disk, name) = three_commits();
    // 24 bytes of header, four of meta, three of payload, 16 of tag.
    for at in 0..24 + 4 + 3 + 16 {
        let bad = disk.crash(disk.steps(), Crash::Kept);
        bad.edit(&name, |bytes| bytes[RECORD + at] ^= 0x40);
        let (_journal, recovery, seen) = open(&bad, sealed(&[1]));
        assert_eq!(texts(&seen), ["one", "three"], "byte {at}");
        assert_eq!(recovery.damaged.len(), 1, "byte {at}");
        assert_eq!((recovery.damaged[0].offset, recovery.damaged[0].kind), (3 * 4096, DamageKind::Commit));
    }
}

/// The same, with the checksums made right: it is told apart from a flipped byte, and never shown.
#[test]
fn a_record_that_its_key_does_not_open_is_damage_of_its_own_kind_even_at_the_end() {
    let (disk, name) = three_commits();
    // Kind, meta version, flags, sequence; then ciphertext and tag. The lengths are looked at before.
    for (at, last) in (8..20).chain(24..24 + 4 + 3 + 16).flat_map(|at| [(at, false), (at, true)]) {
        let bad = disk.crash(disk.steps(), Crash::Kept);
        bad.edit(&name, |bytes| {
            bytes[RECORD + at] ^= 0x40;
            forge(bytes);
            if last {
                bytes[4 * PAGE..].fill(0);
            }
        });
        let mut places = Vec::new();
        let opened = Journal::open(bad.clone(), sealed(&[1]), &mut |record| {
            places.push(record.location);
            assert_ne!(record.payload, b"two", "byte {at}");
        });
        let (journal, recovery) = opened.unwrap();
        assert_eq!(places.len(), if last { 1 } else { 2 }, "byte {at}");
        let [damage] = &recovery.damaged[..] else { panic!("byte {at}: {:?}", recovery.damaged) };
        assert_eq!((damage.file.as_str(), damage.offset, damage.bytes), (name.as_str(), 3 * 4096, 4096));
        assert_eq!((damage.kind, recovery.torn_bytes), (DamageKind::Seal, 0), "byte {at}");
        drop(journal);
        assert!(bad.bytes(&name).unwrap().len() >= 4 * PAGE, "the file is kept");
    }
}

#[test]
fn a_record_in_another_place_or_under_another_number_does_not_open() {
    let disk = ModelDisk::new();
    let journal = Journal::create(disk.clone(), NOW, sealed(&[1])).unwrap();
    let one = journal.append_wait(batch(&["one"])).unwrap().locations()[0];
    let two = journal.append_wait(batch(&["two"])).unwrap().locations()[0];
    let name = segments(&disk, Lane::Results).remove(0);
    assert_eq!(two.offset() as usize, RECORD);
    disk.edit(&name, |bytes| {
        let (from, len) = (one.offset() as usize, one.len() as usize);
        bytes.copy_within(from..from + len, RECORD);
    });
    // Its checksum says nothing of its place.
    assert!(matches!(journal.read(two), Err(ReadError::Seal(at)) if at == two));
    drop(journal);
    disk.edit(&name, |bytes| forge(bytes));
    let (_journal, recovery, seen) = open(&disk, sealed(&[1]));
    assert_eq!((texts(&seen), recovery.damaged[0].kind), (vec!["one"], DamageKind::Seal));
}

#[test]
fn a_flipped_byte_under_a_location_is_a_read_error_and_a_forged_one_another() {
    let (disk, name) = three_commits();
    let mut places = Vec::new();
    let opened = Journal::open(disk.clone(), sealed(&[1]), &mut |record| places.push(record.location));
    let journal = opened.unwrap().0;
    disk.edit(&name, |bytes| bytes[RECORD + 30] ^= 1);
    assert!(matches!(journal.read(places[1]), Err(ReadError::Damaged(at)) if at == places[1]));
    disk.edit(&name, |bytes| forge(bytes));
    assert!(matches!(journal.read(places[1]), Err(ReadError::Seal(at)) if at == places[1]));
    assert_eq!(journal.read(places[2]).unwrap().payload(), b"three");
}

#[test]
fn a_header_that_names_another_key_is_no_empty_segment() {
    let (disk, name) = three_commits();
    // Both copies, with a right checksum.
    disk.edit(&name, |bytes| {
        for copy in [0, PAGE] {
            bytes[copy + 64] ^= 1;
            let crc = crc32c::crc32c(&bytes[copy..copy + PAGE - 4]);
            bytes[copy + PAGE - 4..copy + PAGE].copy_from_slice(&crc.to_le_bytes());
        }
    });
    assert_eq!(refusal(&disk, sealed(&[1])).file, name);
}

#[test]
fn the_tags_count_against_the_largest_commit() {
    let full = || NewRecord::new(Kind(1), 0, vec![], vec![0; (16 << 10) - 64 - 24]);
    let largest = |options| {
        let journal = Journal::create(ModelDisk::new(), NOW, options).unwrap();
        journal.append_wait(Batch::new(Lane::Results, Urgency::Now, full())).map(drop)
    };
    assert!(largest(small()).is_ok());
    let too_large = largest(sealed(&[1]));
    assert!(matches!(too_large, Err(AppendError::TooLarge { size: 16_400, limit: 16_384 })), "{too_large:?}");
    // As many as fit into one commit, to the byte.
    let disk = ModelDisk::new();
    let journal = Journal::create(disk.clone(), NOW, sealed(&[1])).unwrap();
    let one = NewRecord::new(Kind(1), 0, vec![], vec![0; (16 << 10) - 64 - 24 - 16]);
    let _ = journal.append_wait(Batch::new(Lane::Results, Urgency::Now, one)).unwrap();
    let _ = journal.append_wait(Batch::new(Lane::Results, Urgency::Now, record("two"))).unwrap();
    drop(journal);
    let (_, recovery) = Journal::open(disk, sealed(&[1]), &mut |_| {}).unwrap();
    assert_eq!((recovery.records, recovery.damaged), (2, vec![]));
}

#[test]
fn debug_output_shows_ids_and_no_key() {
    let options = format!("{:?}", sealed(&[0xab, 0xcd]));
    assert!(options.contains(&ids(&[0xab])[0].to_string()), "{options}");
    for key in ["abab", "171, 171", "cdcd", "205, 205"] {
        assert!(!options.contains(key), "{options}");
    }
}
