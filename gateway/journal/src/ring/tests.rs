use super::*;
use crate::model::{Crash, ModelDisk, Operation};
use crate::{Batch, Journal, KeyRing, Lane, NewRecord, OpenError, Options, SealKey, UnixMillis, Urgency};
use std::io::ErrorKind;
use std::time::Duration;
use zeroize::Zeroizing;

const BORN: UnixMillis = UnixMillis(1_795_305_600_000);
const SIZE: u64 = 1 << 20;

fn at(seconds: u64) -> Now {
    Now { uptime: Duration::from_secs(seconds), utc: Some(UnixMillis(BORN.0 + seconds * 1000)) }
}

fn key(byte: u8) -> SealKey {
    SealKey::new(Zeroizing::new([byte; 32])).unwrap()
}

fn sealed(byte: u8) -> Options {
    Options { keys: Some(KeyRing::new(key(byte), vec![])), ..small() }
}

fn small() -> Options {
    Options { segment_size: 64 << 10, max_commit: 32 << 10, max_size: 4 << 20, ..Options::default() }
}

fn open(disk: &ModelDisk, options: &Options) -> Journal {
    if disk.names().iter().any(|name| name == "journal.id") {
        Journal::open(disk.clone(), options.clone(), &mut |_| {}).unwrap().0
    } else {
        Journal::create(disk.clone(), BORN, options.clone()).unwrap()
    }
}

/// All payloads of one ring, and how much is damaged.
fn read(disk: &ModelDisk, options: &Options, name: &str) -> (Vec<Vec<u8>>, usize) {
    let mut files = ring_files(disk).unwrap();
    files.retain(|file| file.name == name);
    let (mut found, mut damaged) = (Vec::new(), 0);
    walk_rings(disk, options.keys.as_ref(), &files, &mut |read| match read {
        Read::Record(meta, payload) => {
            assert_eq!(meta, b"meta");
            found.push(payload.to_vec());
        }
        Read::Damaged(..) => damaged += 1,
    })
    .unwrap();
    (found, damaged)
}

fn put(rings: &mut Rings, name: &str, seconds: u64, payload: &[u8]) {
    rings.append(name, SIZE, at(seconds), b"meta".to_vec(), payload.to_vec()).unwrap();
}

#[test]
fn what_was_put_in_comes_out_in_order_sealed_or_not_and_is_nowhere_in_the_clear() {
    for options in [small(), sealed(1)] {
        let disk = ModelDisk::new();
        let journal = open(&disk, &options);
        let mut rings = journal.rings();
        let pieces: Vec<Vec<u8>> =
            (0..200u32).map(|n| format!("Unmistakable{n}").repeat(n as usize % 90).into_bytes()).collect();
        for (second, piece) in (0..).zip(&pieces) {
            put(&mut rings, "chem", second, piece);
            put(&mut rings, "haem", second, b"other");
        }
        rings.sync().unwrap();
        assert_eq!(read(&disk, &options, "chem"), (pieces, 0));
        assert_eq!(read(&disk, &options, "haem"), (vec![b"other".to_vec(); 200], 0));
        let clear = disk
            .names()
            .iter()
            .any(|name| disk.bytes(name).unwrap().windows(12).any(|bytes| bytes == b"Unmistakable"));
        assert_eq!(clear, options.keys.is_none());
    }
}

#[test]
fn without_the_key_it_is_refused_and_with_another_journal_it_is_not_there() {
    let disk = ModelDisk::new();
    let journal = open(&disk, &sealed(1));
    let mut rings = journal.rings();
    put(&mut rings, "chem", 0, b"x");
    rings.sync().unwrap();
    let files = ring_files(&disk).unwrap();
    for keys in [None, sealed(2).keys] {
        let refused = walk_rings(&disk, keys.as_ref(), &files, &mut |_| panic!("nothing is shown"));
        assert!(matches!(refused, Err(OpenError::NoKey(_))));
    }
    let other = ModelDisk::new();
    let _other = open(&other, &small());
    let name = &files[0].file;
    crate::storage::write_all(&*crate::Storage::create(&other, name).unwrap(), &disk.bytes(name).unwrap(), 0)
        .unwrap();
    assert_eq!(ring_files(&other).unwrap(), []);
}

#[test]
fn a_noisy_ring_stays_within_its_size_and_costs_its_neighbour_nothing() {
    let disk = ModelDisk::new();
    let journal = open(&disk, &small());
    let mut rings = journal.rings();
    put(&mut rings, "quiet", 0, b"the only words");
    for second in 1..400 {
        put(&mut rings, "noisy", second, &[second as u8; 20_000]);
    }
    rings.sync().unwrap();
    let sizes: std::collections::BTreeMap<_, _> = rings.sizes().collect();
    assert!(sizes["noisy"] <= SIZE && sizes["noisy"] > SIZE / 2, "{sizes:?}");
    assert_eq!(read(&disk, &small(), "quiet").0, [b"the only words"]);
    let (found, damaged) = read(&disk, &small(), "noisy");
    let seconds: Vec<u64> = (400 - found.len() as u64..400).collect();
    assert_eq!(damaged, 0);
    assert!(found.len() > 30);
    assert!(
        found.iter().zip(seconds).all(|(bytes, second)| bytes[0] == second as u8),
        "the newest, in order"
    );
    let on_disk: u64 = disk
        .names()
        .iter()
        .filter(|n| n.ends_with(".ring"))
        .map(|n| disk.bytes(n).unwrap().len() as u64)
        .sum();
    assert!(on_disk <= SIZE + (128 << 10));
}

#[test]
fn a_start_goes_on_in_the_newest_file_and_costs_a_page() {
    for options in [small(), sealed(1)] {
        let disk = ModelDisk::new();
        for life in 0..20u64 {
            let journal = open(&disk, &options);
            let mut rings = journal.rings();
            put(&mut rings, "chem", life * 5, format!("life {life}").as_bytes());
            put(&mut rings, "chem", life * 5, b"and more");
            rings.sync().unwrap();
        }
        let (found, damaged) = read(&disk, &options, "chem");
        assert_eq!((found.len(), damaged), (40, 0));
        assert_eq!(found[38], b"life 19");
        assert_eq!(ring_files(&disk).unwrap().len(), 2, "twenty lives of two pages in files of 128 KiB");
    }
}

#[test]
fn a_power_cut_costs_nothing_that_was_synced() {
    for options in [small(), sealed(1)] {
        let disk = ModelDisk::new();
        let journal = open(&disk, &options);
        let mut rings = journal.rings();
        // How many pieces were durable behind which step.
        let mut durable = vec![(disk.steps(), 0)];
        for n in 0..60u64 {
            put(&mut rings, "chem", n, format!("piece {n} ").repeat(1 + n as usize * 20).as_bytes());
            if n % 3 == 2 {
                rings.sync().unwrap();
                durable.push((disk.steps(), n + 1));
            }
        }
        let all = read(&disk, &options, "chem").0;
        assert_eq!(all.len(), 60);
        for step in durable[0].0..disk.steps() {
            let least = durable.iter().rev().find(|(at, _)| *at <= step).unwrap().1 as usize;
            for how in [Crash::Lost, Crash::Kept, Crash::Torn(step as u64), Crash::Torn(step as u64 + 7000)] {
                let after = disk.crash(step, how);
                let (found, _) = read(&after, &options, "chem");
                assert!(found.len() >= least, "step {step} {how:?}: {} of {least}", found.len());
                assert_eq!(found[..least], all[..least], "step {step} {how:?}");
                assert!(found.iter().all(|piece| all.contains(piece)), "nothing that was never written");
                // The next life goes on behind it, and loses nothing of it either.
                if step % 5 == 0 {
                    let journal = open(&after, &options);
                    let mut rings = journal.rings();
                    put(&mut rings, "chem", 500, b"next life");
                    rings.sync().unwrap();
                    let mut expected = found.clone();
                    expected.push(b"next life".to_vec());
                    assert_eq!(read(&after, &options, "chem").0, expected, "step {step} {how:?}");
                }
            }
        }
    }
}

#[test]
fn damage_costs_the_records_that_it_is_in_and_is_told() {
    let disk = ModelDisk::new();
    let journal = open(&disk, &sealed(1));
    let mut rings = journal.rings();
    for n in 0..10u64 {
        put(&mut rings, "chem", n, format!("piece {n}").as_bytes());
    }
    rings.sync().unwrap();
    let name = ring_files(&disk).unwrap()[0].file.clone();
    // In the third record: 24 of header, 4 of meta, 7 of payload, 16 of tag each.
    disk.edit(&name, |bytes| bytes[4096 + 2 * 51 + 30] ^= 4);
    let (found, damaged) = read(&disk, &sealed(1), "chem");
    assert_eq!((found.len(), damaged), (9, 1));
    assert!(!found.contains(&b"piece 2".to_vec()));
}

#[test]
fn a_write_that_failed_is_gone_on_elsewhere() {
    let disk = ModelDisk::new();
    let journal = open(&disk, &sealed(1));
    let mut rings = journal.rings();
    put(&mut rings, "chem", 0, b"before");
    rings.sync().unwrap();
    disk.fail(Operation::Write, 1, ErrorKind::Other);
    assert!(rings.append("chem", SIZE, at(1), b"meta".to_vec(), vec![1; 9000]).is_err());
    put(&mut rings, "chem", 2, b"behind");
    rings.sync().unwrap();
    assert_eq!(read(&disk, &sealed(1), "chem").0, [&b"before"[..], b"behind"]);
}

#[test]
fn old_files_go_with_their_age_and_a_clock_that_is_not_set_takes_nothing() {
    let disk = ModelDisk::new();
    let journal = open(&disk, &small());
    let mut rings = journal.rings();
    put(&mut rings, "old", 0, b"x");
    put(&mut rings, "new", 9_000, b"x");
    let before = UnixMillis(BORN.0 + 5_000_000);
    let unset = Now { uptime: Duration::from_secs(9), utc: None };
    rings.append("unset", SIZE, unset, b"meta".to_vec(), vec![]).unwrap();
    rings.age(before, at(10_000)).unwrap();
    rings.sync().unwrap();
    let names: Vec<String> = ring_files(&disk).unwrap().into_iter().map(|file| file.name).collect();
    assert_eq!(names, ["new", "unset"]);
    put(&mut rings, "old", 10_001, b"again");
    assert_eq!(read(&disk, &small(), "old").0, [b"again"]);
}

/// The promise of the whole: a result does not feel that the disk is full while there is a capture.
#[test]
fn on_a_full_disk_captures_go_before_a_result_is_refused() {
    let disk = ModelDisk::new();
    let journal = open(&disk, &small());
    let mut rings = journal.rings();
    for second in 0..60 {
        put(&mut rings, "noisy", second, &[7; 20_000]);
    }
    put(&mut rings, "quiet", 60, b"the only words");
    rings.sync().unwrap();
    let taken: u64 = disk.names().iter().map(|name| disk.bytes(name).unwrap().len() as u64).sum();
    disk.limit_capacity(taken + (32 << 10));
    for n in 0..40 {
        let record = NewRecord::new(Kind(1), 1, vec![], vec![n; 8000]);
        let stored = journal.append_wait(Batch::new(Lane::Results, Urgency::Now, record));
        assert!(stored.is_ok(), "record {n}");
    }
    assert!(journal.shed() > 0);
    assert_eq!(read(&disk, &small(), "quiet").0, [b"the only words"], "the largest ring gives first");
    // It goes on with what there is, and never takes that room back.
    let mut refused = 0;
    for second in 100..200 {
        let put = rings.append("noisy", SIZE, at(second), b"meta".to_vec(), vec![8; 20_000]);
        refused += u32::from(put.is_err());
        let record = NewRecord::new(Kind(1), 1, vec![], vec![1; 2000]);
        assert!(journal.append_wait(Batch::new(Lane::Results, Urgency::Now, record)).is_ok());
    }
    assert!(rings.is_short());
    assert!(!read(&disk, &small(), "noisy").0.is_empty(), "{refused} were refused");
}

#[test]
fn names_and_lengths_that_do_not_fit_are_refused() {
    let journal = open(&ModelDisk::new(), &small());
    let mut rings = journal.rings();
    assert!(rings.append(&"n".repeat(41), SIZE, at(0), vec![], vec![]).is_err());
    assert!(rings.append("chem", SIZE, at(0), vec![], vec![0; LONGEST]).is_err());
    assert_eq!(parse_ring_name("capture-000000000000000a.ring"), Some(10));
    assert_eq!(parse_ring_name("capture-a.ring"), None);
    let header = RingHeader::new("n".repeat(40), 7, [1; 16], [2; 16], 9);
    assert_eq!(RingHeader::parse(&header.encode()), Some(header));
}
