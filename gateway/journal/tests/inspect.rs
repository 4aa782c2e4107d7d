//! Looking at a journal without owning it.
//!
//! Promises that a walk beside the running writer sees whole commits and no damage, whatever is written and given back
//! meanwhile, and that nothing is changed; that what is damaged is told with the commits beside it. Leaves out what a
//! start finds: `corruption.rs` has that.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::settled::Settled;
use common::{NOW, batch, create, record, sealed, segments, small};
use orugate_journal::model::ModelDisk;
use orugate_journal::{
    Batch, Damage, DamageKind, Inspector, Journal, Kind, Lane, NewRecord, OpenError, Options, Own, ReadOnly,
    RecordRef, Storage, StorageFile, UnixMillis, Urgency,
};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

fn tight() -> Options {
    Options { snapshots_size: 64 << 10, soon: std::time::Duration::ZERO, ..small() }
}

/// A journal that gives back what is old.
fn recycling(disk: &ModelDisk, max_size: u64) -> Journal {
    let options = || Options { max_size, ..tight() };
    drop(Journal::create(disk.clone(), NOW, options()).unwrap());
    Journal::open_for(disk.clone(), options(), Arc::new(Settled)).unwrap().0
}

fn write(journal: &Journal, lane: Lane, text: &str) {
    let batch = Batch::new(lane, Urgency::Now, record(text)).at(UnixMillis(NOW.0 + 1));
    let _ = journal.append_wait(batch).unwrap();
}

/// The texts of all records but the journal's own and those of void commits, and the damage.
fn walked(disk: &ModelDisk, during: &mut dyn FnMut()) -> (Vec<String>, Vec<Damage>, u64) {
    let inspector = Inspector::new(disk, None).unwrap();
    let mut texts = Vec::new();
    let inspected = inspector
        .walk(&mut |commit| {
            let others = commit.records.iter().filter(|record| !commit.void && record.own().is_none());
            texts.extend(others.map(|record| String::from_utf8(record.payload.to_vec()).unwrap()));
            during();
        })
        .unwrap();
    (texts, inspected.damaged.into_iter().map(|spot| spot.damage).collect(), inspected.gone)
}

#[test]
fn nothing_is_changed_and_all_is_shown() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    for text in ["one", "two", "three"] {
        let _ = journal.append_wait(batch(&[text])).unwrap();
    }
    write(&journal, Lane::Snapshots, "snapshot");
    let steps = disk.steps();
    // The journal is open: its lock is not wanted.
    let (texts, damaged, _) = walked(&disk, &mut || {});
    assert_eq!(texts, ["one", "two", "three", "snapshot"]);
    assert_eq!(damaged, []);
    assert_eq!(disk.steps(), steps);
}

#[test]
fn what_a_disk_kept_of_a_failed_commit_is_shown_as_void() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let _ = journal.append_wait(batch(&["one"])).unwrap();
    disk.fail_syncs_from(1);
    assert!(journal.append_wait(batch(&["void"])).is_err());
    disk.fail_syncs_from(0);
    let _ = journal.append_wait(batch(&["two"])).unwrap();
    let mut seen = Vec::new();
    let inspected = Inspector::new(&disk, None).unwrap().walk(&mut |commit| {
        seen.push((commit.void, commit.records[0].payload.to_vec()));
    });
    assert_eq!(inspected.unwrap().damaged, []);
    assert_eq!(seen, [(false, b"one".to_vec()), (true, b"void".to_vec()), (false, b"two".to_vec())]);
}

#[test]
fn what_is_written_and_given_back_meanwhile_is_no_damage() {
    // At each commit that is shown, so much more is written that segments are given back, used again and filled.
    for more in [1, 3, 7, 20] {
        let disk = ModelDisk::new();
        let journal = recycling(&disk, 256 << 10);
        let mut number = 0;
        let mut some = |count: u32| {
            for _ in 0..count {
                number += 1;
                let lane = if number % 5 == 0 { Lane::Snapshots } else { Lane::Results };
                write(&journal, lane, &format!("record {number}"));
            }
        };
        some(60);
        let mut walks = 0;
        let (texts, damaged, gone) = walked(&disk, &mut || {
            if walks < 40 {
                walks += 1;
                some(more);
            }
        });
        assert_eq!(damaged, [], "{more} at a time");
        assert!(!texts.is_empty());
        assert!(more < 20 || gone > 0, "no segment went while it was looked at");
        let order = |wanted: &dyn Fn(u32) -> bool| {
            let numbers = texts.iter().map(|text| text.rsplit(' ').next().unwrap().parse::<u32>().unwrap());
            numbers.filter(|number| wanted(*number)).collect::<Vec<_>>()
        };
        for lane in [order(&|number| number % 5 == 0), order(&|number| number % 5 != 0)] {
            assert!(lane.is_sorted_by(|a, b| a < b), "{lane:?}");
        }
    }
}

/// A disk on which, right after an empty page was read, the writer fills that page and the one behind it.
struct Busy {
    disk: ModelDisk,
    journal: Arc<Journal>,
    left: Arc<AtomicU32>,
}

struct BusyFile(Box<dyn StorageFile>, Arc<Journal>, Arc<AtomicU32>);

impl StorageFile for BusyFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = self.0.read_at(buffer, offset)?;
        if buffer.iter().all(|byte| *byte == 0) && self.2.load(Ordering::Relaxed) > 0 {
            self.2.fetch_sub(1, Ordering::Relaxed);
            write(&self.1, Lane::Results, "meanwhile");
            write(&self.1, Lane::Results, "and after it");
        }
        Ok(read)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        panic!("written to")
    }

    fn sync_data(&self) -> io::Result<()> {
        panic!("synced")
    }

    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn allocate(&self, _: u64) -> io::Result<()> {
        panic!("written to")
    }

    fn trim(&self, _: u64) -> io::Result<()> {
        panic!("written to")
    }
}

impl Storage for Busy {
    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        panic!("locked")
    }

    fn create(&self, _: &str) -> io::Result<Box<dyn StorageFile>> {
        panic!("created")
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        Ok(Box::new(BusyFile(self.disk.open(name)?, self.journal.clone(), self.left.clone())))
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        panic!("removed")
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        panic!("renamed")
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn sync_dir(&self) -> io::Result<()> {
        panic!("synced")
    }
}

#[test]
fn a_page_that_is_filled_after_it_was_read_is_read_again() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let _ = journal.append_wait(batch(&["before"])).unwrap();
    let busy = Busy { disk, journal: Arc::new(journal), left: Arc::new(AtomicU32::new(2)) };
    let mut texts = Vec::new();
    let inspected = Inspector::new(&busy, None).unwrap().walk(&mut |commit| {
        texts.extend(commit.records.iter().map(|record| String::from_utf8(record.payload.to_vec()).unwrap()));
    });
    assert_eq!(inspected.unwrap().damaged, []);
    assert_eq!(texts, ["before", "meanwhile", "and after it", "meanwhile", "and after it"]);
}

#[test]
fn what_was_given_back_before_is_no_damage_and_what_is_lost_is() {
    let disk = ModelDisk::new();
    let journal = recycling(&disk, 512 << 10);
    // Of the newest segment the log cannot tell that it is gone, so there are more than the two that are tried.
    for number in 0..200 {
        write(&journal, if number % 3 == 0 { Lane::Snapshots } else { Lane::Results }, "text");
    }
    drop(journal);
    let (_, damaged, _) = walked(&disk, &mut || {});
    assert_eq!(damaged, []);
    let mut freed = 0;
    let inspector = Inspector::new(&disk, None).unwrap();
    let count = |record: &&RecordRef<'_>| matches!(record.own(), Some(Own::GivenBack { .. }));
    let _ = inspector.walk(&mut |commit| freed += commit.records.iter().filter(count).count()).unwrap();
    assert!(freed > 0);

    // The first, one in the middle: each is missed.
    let all = segments(&disk, Lane::Results);
    assert!(all.len() > 2, "{all:?}");
    for lost in [&all[0], &all[1]] {
        let disk = disk.kill(disk.steps());
        disk.remove(lost).unwrap();
        let found = Inspector::new(&disk, None).unwrap().walk(&mut |_| {}).unwrap().damaged;
        assert_eq!(found.len(), 1, "{lost}: {found:?}");
        assert_eq!((&found[0].damage.file, found[0].damage.kind), (lost, DamageKind::MissingSegment));
        assert!(*lost == all[0] || found[0].before.is_some() && found[0].after.is_some());
    }
}

#[test]
fn damage_is_told_with_the_commits_beside_it() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let mut sequences = Vec::new();
    for text in ["one", "two", "three"] {
        let receipt = journal.append_wait(batch(&[text]).at(UnixMillis(NOW.0 + 7))).unwrap();
        sequences.push(receipt.sequences()[0].0);
    }
    drop(journal);
    let name = segments(&disk, Lane::Results).remove(0);
    disk.edit(&name, |bytes| bytes[3 * 4096 + 80] ^= 1);
    let found = Inspector::new(&disk, None).unwrap().walk(&mut |_| {}).unwrap().damaged;
    let [spot] = &found[..] else { panic!("{found:?}") };
    assert_eq!(spot.damage, Damage { file: name, offset: 3 * 4096, bytes: 4096, kind: DamageKind::Commit });
    let (before, after) = (spot.before.unwrap(), spot.after.unwrap());
    assert!((before.next_sequence..after.commit).contains(&sequences[1]), "{spot:?} {sequences:?}");
    assert_eq!(before.time, Some(UnixMillis(NOW.0 + 7)));
    assert_eq!(after.commit + 1, sequences[2]);
}

#[test]
fn a_key_is_needed_and_a_folder_is_only_read() {
    let disk = ModelDisk::new();
    let journal = Journal::create(disk.clone(), NOW, sealed(&[1])).unwrap();
    let _ = journal.append_wait(batch(&["secret"])).unwrap();
    let none = Inspector::new(&disk, None).unwrap().walk(&mut |_| panic!("shown"));
    assert!(matches!(none, Err(OpenError::NoKey(_))), "{none:?}");
    let keys = sealed(&[2, 1]).keys;
    let mut seen = 0;
    Inspector::new(&disk, keys.as_ref())
        .unwrap()
        .walk(&mut |commit| {
            assert!(commit.segment.key.is_some() && commit.tag == 16);
            seen += commit.records.len();
        })
        .unwrap();
    assert_eq!(seen, 1);

    let folder = tempfile::tempdir().unwrap();
    let storage = ReadOnly::new(folder.path()).unwrap();
    assert!(matches!(Inspector::new(&storage, None).err(), Some(OpenError::Missing)));
    for name in disk.names() {
        std::fs::write(folder.path().join(&name), disk.bytes(&name).unwrap()).unwrap();
    }
    let before = std::fs::read_dir(folder.path()).unwrap().count();
    let mut seen = 0;
    Inspector::new(&storage, keys.as_ref()).unwrap().walk(&mut |_| seen += 1).unwrap();
    assert_eq!((seen, std::fs::read_dir(folder.path()).unwrap().count()), (1, before));
    for refused in
        [storage.remove("journal.id"), storage.rename("journal.id", "other"), storage.create("new").map(drop)]
    {
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ReadOnlyFilesystem);
    }
    let file = storage.open("journal.id").unwrap();
    assert!(file.write_at(b"x", 0).is_err() && file.trim(0).is_err());
}

#[test]
fn a_kind_that_nobody_knows_is_shown() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let record = NewRecord::new(Kind(60_000), 200, vec![1], vec![2]);
    let _ = journal.append_wait(Batch::new(Lane::Results, Urgency::Now, record)).unwrap();
    let mut seen = Vec::new();
    let _ = Inspector::new(&disk, None).unwrap().walk(&mut |commit| {
        seen.extend(
            commit.records.iter().map(|r| (r.kind, r.meta_version, r.meta.to_vec(), r.payload.to_vec())),
        );
    });
    assert_eq!(seen, [(Kind(60_000), 200, vec![1], vec![2])]);
}

#[test]
fn without_the_key_of_one_segment_nothing_is_shown() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let _ = journal.append_wait(batch(&["one"])).unwrap();
    drop(journal);
    let (journal, _) = Journal::open(disk.clone(), sealed(&[1]), &mut |_| {}).unwrap();
    let _ = journal.append_wait(batch(&["two"])).unwrap();
    drop(journal);
    let none = Inspector::new(&disk, None).unwrap().walk(&mut |_| panic!("shown"));
    assert!(matches!(none, Err(OpenError::NoKey(_))), "{none:?}");
}
