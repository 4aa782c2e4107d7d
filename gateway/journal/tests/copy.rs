//! A journal copied, beside its writer and at rest, and taken up again elsewhere.
//!
//! Promises that a copy made while segments are given back and used again is sound and lacks nothing that is needed; that
//! whatever cuts a copy off, what is left does not open, or is all of it; and that no number comes twice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{NOW, batch, create, open, record, sealed, segments, small, texts};
use orugate_journal::model::{Crash, ModelDisk};
use orugate_journal::{
    Batch, CopyError, CreateError, Inspector, Journal, Keeper, Lane, Location, OpenError, Options, RecordRef,
    Storage, StorageFile, Survey, Unfinished, UnixMillis, Urgency, clear, copy, finish, is_unfinished,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// Needs the records that begin with "keep", always.
#[derive(Default)]
struct Keeps(Mutex<BTreeMap<u64, Location>>);

impl Keeper for Keeps {
    fn seen(&self, batch: &[RecordRef<'_>]) {
        let kept = batch.iter().filter(|record| record.payload.starts_with(b"keep"));
        self.0.lock().unwrap().extend(kept.map(|record| (record.sequence.0, record.location)));
    }

    fn checkpoint(&self) -> Vec<u8> {
        vec![1]
    }

    /// Only what a start calls damage is looked at after that.
    fn restore(&self, _: &[u8]) -> bool {
        true
    }

    fn needed_in(&self, lane: Lane, segment: u64) -> Vec<Location> {
        let all = self.0.lock().unwrap();
        all.values().filter(|at| at.lane() == lane && at.segment() == segment).copied().collect()
    }

    fn needed_bytes(&self) -> u64 {
        self.0.lock().unwrap().values().map(|at| u64::from(at.len())).sum()
    }

    fn thinned(&self, _: u64) {}
}

fn tight() -> Options {
    Options { max_size: 384 << 10, snapshots_size: 96 << 10, soon: std::time::Duration::ZERO, ..small() }
}

/// A source that goes on being written while it is read: at each so many reads something happens.
#[derive(Clone)]
struct Busy {
    disk: ModelDisk,
    each: u32,
    reads: Arc<AtomicU32>,
    happens: Arc<dyn Fn(u64) + Send + Sync>,
}

struct BusyFile(Box<dyn StorageFile>, Busy);

impl Storage for Busy {
    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        panic!("a copy takes no lock of its source")
    }

    fn create(&self, _: &str) -> io::Result<Box<dyn StorageFile>> {
        panic!("nothing is written to the source")
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        Ok(Box::new(BusyFile(self.disk.open(name)?, self.clone())))
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        panic!("nothing is removed from the source")
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        panic!("nothing is renamed in the source")
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn sync_dir(&self) -> io::Result<()> {
        panic!("nothing is synced in the source")
    }
}

impl StorageFile for BusyFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if self.1.reads.fetch_add(1, Ordering::Relaxed).is_multiple_of(self.1.each) {
            (self.1.happens)(offset);
        }
        // A page at a time, so that the writer comes in between.
        let len = buffer.len().min(4096);
        self.0.read_at(&mut buffer[..len], offset)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        panic!("nothing is written to the source")
    }

    fn sync_data(&self) -> io::Result<()> {
        panic!("nothing is synced in the source")
    }

    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn allocate(&self, _: u64) -> io::Result<()> {
        panic!("nothing is written to the source")
    }

    fn trim(&self, _: u64) -> io::Result<()> {
        panic!("nothing is cut in the source")
    }
}

fn copied(from: &dyn Storage) -> ModelDisk {
    let to = ModelDisk::new();
    copy(from, &to, None, &mut |done, total| assert!(done <= total)).unwrap();
    finish(&to).unwrap();
    to
}

/// The texts of all records that count, each once, and the damage.
fn read(disk: &ModelDisk) -> (BTreeSet<String>, Vec<String>) {
    let mut found = BTreeSet::new();
    let inspector = Inspector::new(disk, None).unwrap();
    let inspected = inspector.walk(&mut |commit| {
        let others = commit.records.iter().filter(|record| !commit.void && record.own().is_none());
        found.extend(others.map(|record| String::from_utf8(record.payload.to_vec()).unwrap()));
    });
    (found, inspected.unwrap().damaged.iter().map(|spot| spot.damage.to_string()).collect())
}

#[test]
fn a_copy_at_rest_is_the_journal() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let long = "x".repeat(9_000);
    for text in ["one", "two", &long, &long, &long, &long, "three"] {
        let _ = journal.append_wait(batch(&[text])).unwrap();
    }
    drop(journal);
    assert!(segments(&disk, Lane::Results).len() > 1);
    let to = copied(&disk);
    let (_, recovery, seen) = open(&to);
    assert_eq!(recovery.damaged, []);
    assert_eq!(texts(&seen), ["one", "two", &long, &long, &long, &long, "three"]);
    // The last segment's zeros are not copied.
    let last = segments(&disk, Lane::Results).pop().unwrap();
    assert!(copied(&disk).bytes(&last).unwrap().len() < disk.bytes(&last).unwrap().len());
}

#[test]
fn beside_a_writer_that_gives_back_and_reuses_a_copy_is_sound_and_lacks_nothing() {
    let mut gone = 0;
    for each in [1_u32, 2, 5, 13, 33] {
        let disk = ModelDisk::new();
        drop(Journal::create(disk.clone(), NOW, tight()).unwrap());
        let (journal, _) = Journal::open_for(disk.clone(), tight(), Arc::new(Keeps::default())).unwrap();
        let number = AtomicU32::new(0);
        let write = move || {
            let number = number.fetch_add(1, Ordering::Relaxed);
            let lane = if number.is_multiple_of(7) { Lane::Snapshots } else { Lane::Results };
            // Few enough are needed that the journal never is full.
            let word = if number.is_multiple_of(40) && number < 600 { "keep" } else { "settled" };
            let text = format!("{word} {number} {}", "x".repeat((number % 5) as usize * 1_500));
            let batch = Batch::new(lane, Urgency::Now, record(&text)).at(UnixMillis(NOW.0 + 1));
            let _ = journal.append_wait(batch).unwrap();
        };
        (0..400).for_each(|_| write());
        let needed = |found: &BTreeSet<String>| -> BTreeSet<String> {
            found.iter().filter(|text| text.starts_with("keep")).cloned().collect()
        };
        let (before, damaged) = read(&disk);
        assert_eq!(damaged, Vec::<String>::new());
        let to = ModelDisk::new();
        let writes = Arc::new(AtomicU32::new(0));
        // The writer ends in time, for one that fills segments while one is read is not to be caught up with.
        let happens = move |_| {
            if writes.fetch_add(1, Ordering::Relaxed) < 2_000 {
                // Several at once: one page is read empty, and the next has what was written behind what is there by then.
                (0..each.div_ceil(8)).for_each(|_| write());
            }
        };
        let busy = Busy { disk, each, reads: Arc::default(), happens: Arc::new(happens) };
        let copied = copy(&busy, &to, None, &mut |_, _| {}).unwrap();
        gone += copied.given_back;
        finish(&to).unwrap();
        let (after, damaged) = read(&to);
        assert_eq!(damaged, Vec::<String>::new(), "a write at each {each} reads");
        let missing: Vec<_> = needed(&before).difference(&needed(&after)).cloned().collect();
        assert_eq!(missing, Vec::<String>::new(), "a write at each {each} reads");
        let survey = Survey::of(&to).unwrap();
        assert_eq!(survey.damaged, 0);
        // It opens, and a start calls nothing lost either.
        let (_, recovery) = Journal::open_for(to, tight(), Arc::new(Keeps::default())).unwrap();
        assert_eq!(recovery.damaged, []);
    }
    assert!(gone > 10, "only {gone} segments went while they were copied");
}

#[test]
fn a_segment_that_came_to_nothing_takes_no_older_one_along() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let _ = journal.append_wait(batch(&["one"])).unwrap();
    let unborn = "results-7fffffffffffffff.seg";
    disk.create(unborn).unwrap();
    let (other, once) = (disk.clone(), AtomicU32::new(0));
    // It goes after the directory was listed, and the one before it is written on.
    let happens = move |_| {
        if once.fetch_add(1, Ordering::Relaxed) == 10 {
            let _ = other.remove(unborn);
            let _ = journal.append_wait(batch(&["two"])).unwrap();
        }
    };
    let to = copied(&Busy { disk, each: 1, reads: Arc::default(), happens: Arc::new(happens) });
    assert_eq!(texts(&open(&to).2), ["one", "two"]);
}

#[test]
fn of_a_segment_that_is_written_nothing_is_copied_behind_its_last_whole_commit() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let _ = journal.append_wait(batch(&["one"])).unwrap();
    let reads = AtomicU32::new(0);
    // Page 5 was read empty by then. Whoever copies all pages has those from 6 on and not that one.
    let happens = move |offset| {
        if offset == 6 * 4096 && reads.fetch_add(1, Ordering::Relaxed) == 1 {
            for text in ["two", "three", "four", "five"] {
                let _ = journal.append_wait(batch(&[text])).unwrap();
            }
        }
    };
    let to = copied(&Busy { disk, each: 1, reads: Arc::default(), happens: Arc::new(happens) });
    assert_eq!(read(&to).1, Vec::<String>::new());
    assert_eq!(texts(&open(&to).2)[0], "one");
}

#[test]
fn what_is_damaged_goes_along_and_what_cannot_be_read_is_told() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    for text in ["one", "two", "three", "four"] {
        let _ = journal.append_wait(batch(&[text])).unwrap();
    }
    drop(journal);
    let name = segments(&disk, Lane::Results).pop().unwrap();
    disk.edit(&name, |bytes| bytes[3 * 4096 + 70] ^= 1);
    let to = copied(&disk);
    let len = to.bytes(&name).unwrap().len();
    assert_eq!(to.bytes(&name).unwrap(), disk.bytes(&name).unwrap()[..len]);
    assert_eq!(Survey::of(&to).unwrap().damaged, 1);
    disk.unreadable(&name, 4 * 4096 + 5);
    let to = ModelDisk::new();
    let copied = copy(&disk, &to, None, &mut |_, _| {}).unwrap();
    assert_eq!(copied.unreadable, BTreeMap::from([(name, 4096)]));
    finish(&to).unwrap();
    assert_eq!(texts(&open(&to).2), ["one", "four"]);
}

#[test]
fn a_sealed_journal_is_copied_without_its_key() {
    let disk = ModelDisk::new();
    let journal = Journal::create(disk.clone(), NOW, sealed(&[1])).unwrap();
    let _ = journal.append_wait(batch(&["secret"])).unwrap();
    drop(journal);
    let to = copied(&disk);
    let survey = Survey::of(&to).unwrap();
    assert_eq!((survey.sealed, survey.damaged), (survey.sealed.max(1), 0));
    assert!(matches!(Journal::open(to.clone(), small(), &mut |_| {}), Err(OpenError::NoKey(_))));
    let mut seen = Vec::new();
    Journal::open(to, sealed(&[1]), &mut |record| seen.push(record.payload.to_vec())).unwrap();
    assert_eq!(seen, [b"secret"]);
}

/// All of a restore. The number is the one that the new journal gave first.
fn restore(from: &ModelDisk, to: &ModelDisk) -> Result<u64, CopyError> {
    let _lock = to.lock().unwrap();
    clear(to)?;
    let ceiling = Survey::of(from).unwrap().ceiling_at(UnixMillis(NOW.0 + 5_000));
    copy(from, to, Some(ceiling), &mut |_, _| {})?;
    let (journal, recovery) = Journal::open(Unfinished(to.clone()), small(), &mut |_| {}).unwrap();
    assert_eq!(recovery.damaged, []);
    let number = journal.append_wait(batch(&["restored"])).unwrap().sequences()[0];
    drop(journal);
    assert!(number.0 >= ceiling);
    finish(to)?;
    Ok(number.0)
}

#[test]
fn a_power_cut_in_a_restore_leaves_nothing_that_opens_or_all_of_it() {
    let from = ModelDisk::new();
    let journal = create(&from);
    let long = "x".repeat(9_000);
    let all = ["one", &long, &long, &long, &long, "two"];
    for text in all {
        let _ = journal.append_wait(batch(&[text])).unwrap();
    }
    drop(journal);
    // What the old box gives later is not in the copy.
    let later = from.crash(from.steps(), Crash::Kept);
    let (journal, ..) = open(&later);
    let later: Vec<u64> = (0..100).map(|_| journal.reserve(1).unwrap().next().unwrap().get().0).collect();

    let to = ModelDisk::new();
    restore(&from, &to).unwrap();
    let (mut whole, mut nothing) = (0, 0);
    for step in 0..=to.steps() {
        for how in [Crash::Lost, Crash::Kept, Crash::Torn(1), Crash::Torn(2), Crash::Torn(3)] {
            let cut = to.crash(step, how);
            match Journal::open(cut.clone(), small(), &mut |_| {}) {
                Ok((journal, _)) => {
                    whole += 1;
                    let number = journal.reserve(1).unwrap().next().unwrap().get().0;
                    assert!(later.iter().all(|given| *given < number), "{step} {how:?}");
                    drop(journal);
                    let (_, recovery, seen) = open(&cut);
                    assert_eq!(recovery.damaged, []);
                    assert_eq!(texts(&seen)[..6], all);
                    assert_eq!(texts(&seen)[6..], ["restored"]);
                }
                Err(OpenError::Missing) => {
                    nothing += 1;
                    let begun = is_unfinished(&cut).unwrap() || !segments(&cut, Lane::Results).is_empty();
                    let made = Journal::create(cut.crash(0, Crash::Kept), NOW, small());
                    assert_eq!(matches!(made, Err(CreateError::Exists(_))), begun, "{step} {how:?}");
                    restore(&from, &cut).unwrap();
                    assert_eq!(open(&cut).2.len(), 7);
                }
                Err(error) => panic!("{step} {how:?}: {error}"),
            }
        }
    }
    assert!(whole > 0 && nothing > 50, "{whole} {nothing}");
}

#[test]
fn a_full_target_leaves_nothing_that_opens() {
    let from = ModelDisk::new();
    let journal = create(&from);
    for _ in 0..20 {
        let _ = journal.append_wait(batch(&[&"x".repeat(9_000)])).unwrap();
    }
    drop(journal);
    let to = ModelDisk::new();
    to.limit_capacity(64 << 10);
    assert!(matches!(copy(&from, &to, None, &mut |_, _| {}), Err(CopyError::Target(_))));
    assert!(matches!(Journal::open(to.clone(), small(), &mut |_| {}), Err(OpenError::Missing)));
    to.limit_capacity(u64::MAX);
    to.create("results-0000000000000001.idx").unwrap();
    clear(&to).unwrap();
    assert_eq!(to.names(), Vec::<String>::new());
}

#[test]
fn nothing_is_copied_over_a_journal_or_what_is_left_of_one() {
    let disk = ModelDisk::new();
    let journal = create(&disk);
    let _ = journal.append_wait(batch(&["one"])).unwrap();
    drop(journal);
    let names = disk.names();
    assert!(matches!(clear(&disk), Err(CopyError::Occupied(name)) if name == "journal.id"));
    disk.remove("journal.id").unwrap();
    assert!(matches!(clear(&disk), Err(CopyError::Occupied(name)) if name.starts_with("results-")));
    assert_eq!(disk.names().len() + 1, names.len());
}

#[test]
fn numbers_go_on_above_those_that_the_old_box_gave_after_the_copy() {
    // The box was born with a clock that is a year ahead, and goes on for an hour after the copy.
    const YEAR: u64 = 365 * 86_400_000;
    for ahead in [0, YEAR] {
        let disk = ModelDisk::new();
        let journal = Journal::create(disk.clone(), UnixMillis(NOW.0 + ahead), small()).unwrap();
        let _ = journal.append_wait(batch(&["one"]).at(NOW)).unwrap();
        let survey = Survey::of(&disk).unwrap();
        let mut given = 0;
        for _ in 0..200 {
            // As many as the writer raises the ceiling for.
            given = journal.reserve(1_000).map_or(given, |all| all.last().unwrap().get().0);
            let _ = journal.append_wait(batch(&["more"])).unwrap();
        }
        assert!(given > survey.next, "no test without numbers above the copy's ceiling");
        let now = UnixMillis(NOW.0 + 3_600_000);
        assert!(survey.ceiling_at(now) > given, "{ahead}");
        assert!(survey.ceiling_at(now) >= now.0 * 1_000);
        // A second one from the same copy begins above the first.
        assert!(survey.ceiling_at(UnixMillis(now.0 + 60_000)) > survey.ceiling_at(now) + 1_000_000);
    }
}
