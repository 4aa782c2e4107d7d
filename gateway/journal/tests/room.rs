//! A journal that is full of settled records goes on for ever: segments are given back oldest first, what is needed is
//! carried along, files are used again, and a start reads a checkpoint and what came behind it.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not themselves tests to clippy")]

mod common;

use common::ledger::{Ledger, Open, close, item};
use common::{NOW, segments, small};
use orugate_journal::model::{Crash, ModelDisk};
use orugate_journal::{
    AppendError, Batch, Claim, DamageKind, Journal, Lane, Location, NewRecord, Options, Recovery, Seq,
    UnixMillis, Urgency,
};
use std::sync::Arc;
use std::time::Duration;

fn tight() -> Options {
    Options {
        segment_size: 64 << 10,
        max_size: 1 << 20,
        snapshots_size: 256 << 10,
        max_commit: 48 << 10,
        ..small()
    }
}

fn fresh(options: Options) -> (ModelDisk, Journal, Arc<Ledger>) {
    let disk = ModelDisk::new();
    drop(Journal::create(disk.clone(), NOW, options.clone()).unwrap());
    let (journal, ledger, _) = start(&disk, options);
    (disk, journal, ledger)
}

fn start(disk: &ModelDisk, options: Options) -> (Journal, Arc<Ledger>, Recovery) {
    let ledger = Arc::new(Ledger::default());
    let (journal, recovery) = Journal::open_for(disk.clone(), options, ledger.clone()).unwrap();
    (journal, ledger, recovery)
}

fn append(journal: &Journal, record: NewRecord) -> Result<Seq, AppendError> {
    journal.append_wait(Batch::new(Lane::Results, Urgency::Now, record)).map(|receipt| receipt.first())
}

fn settle(journal: &Journal, item: Seq) {
    let batch = Batch::new(Lane::Results, Urgency::Now, close(item)).claim(Claim::Settling);
    let _ = journal.append_wait(batch).unwrap();
}

/// What matters after a start: what is open, and its bytes.
fn contents(journal: &Journal, open: &Open) -> Vec<(Seq, Vec<u8>)> {
    open.items.iter().map(|(seq, at)| (*seq, journal.read(*at).unwrap().payload().to_vec())).collect()
}

fn segment_name(at: &Location) -> String {
    format!("{}-{:016x}.seg", at.lane().name(), at.segment())
}

#[test]
fn settled_records_make_room_for_ever() {
    let (disk, journal, ledger) = fresh(tight());
    let pinned = append(&journal, item(b"a hold that nobody looks at")).unwrap();
    for number in 0..2_000_u32 {
        let made = append(&journal, item(&number.to_le_bytes().repeat(300))).unwrap();
        settle(&journal, made);
        assert!(journal.space().used <= 1 << 20, "{number}");
    }
    let open = ledger.open();
    assert_eq!((open.items.len(), open.unknown, open.closed_twice), (1, 0, 0));
    assert_eq!(journal.read(open.items[&pinned]).unwrap().payload(), b"a hold that nobody looks at");
    drop(journal);
    let (journal, ledger, recovery) = start(&disk, tight());
    assert_eq!(recovery.damaged, vec![]);
    assert!(recovery.from_checkpoint && ledger.open().shown < 100, "{recovery:?}");
    assert_eq!(contents(&journal, &ledger.open()), [(pinned, b"a hold that nobody looks at".to_vec())]);
    assert_eq!(ledger.open().seen, 2_001, "totals come with the checkpoint");
}

/// None of these lives writes enough for a checkpoint, or ends as it should.
#[test]
fn a_box_that_loses_its_power_again_and_again_starts_no_slower_each_time() {
    let (mut disk, mut journal, mut ledger) = fresh(tight());
    let mut most = 0;
    for life in 0..60_u32 {
        for number in 0..3_u32 {
            let made = append(&journal, item(&(life * 3 + number).to_le_bytes().repeat(300))).unwrap();
            settle(&journal, made);
        }
        disk = disk.crash(disk.steps(), Crash::Kept);
        drop(journal);
        let recovery;
        (journal, ledger, recovery) = start(&disk, tight());
        assert_eq!(recovery.damaged, vec![]);
        most = most.max(ledger.open().shown);
    }
    assert_eq!(ledger.open().seen, 180);
    // 64 KiB hold 16 commits; a checkpoint is due when so much lies behind the last one, and a life has six.
    assert!(most <= 16 + 6 + 4, "a start read {most} records");
}

#[test]
fn in_steady_state_no_zeros_are_written() {
    let (disk, journal, _ledger) = fresh(tight());
    let mut created = Vec::new();
    for round in 0..6 {
        for number in 0..300_u32 {
            let made = append(&journal, item(&number.to_le_bytes().repeat(300))).unwrap();
            settle(&journal, made);
        }
        created.push((round, disk.files_created()));
    }
    let (_, before) = created[2];
    let (_, after) = created[5];
    assert_eq!(before, after, "files made: {created:?}");
}

#[test]
fn what_is_unsettled_fills_it_and_what_settles_makes_room_again() {
    let (_disk, journal, ledger) = fresh(tight());
    let mut made = Vec::new();
    let mut refused = 0;
    // While it is refused, what there is may be packed closer, so that some more fits.
    while refused < 20 {
        match append(&journal, item(&[7; 3_000])) {
            Ok(number) => (made.push(number), refused = 0).1,
            Err(error) => (assert!(matches!(error, AppendError::Full)), refused += 1).1,
        }
    }
    assert!(made.len() > 60, "only {} of 3,000 bytes in 1 MiB", made.len());
    let mut closes = made.drain(..made.len() - 20).map(close);
    let mut batch = Batch::new(Lane::Results, Urgency::Now, closes.next().unwrap()).claim(Claim::Settling);
    closes.for_each(|record| batch.push(record));
    let _ = journal.append_wait(batch).unwrap();
    for _ in 0..10 {
        made.push(append(&journal, item(&[8; 3_000])).unwrap());
    }
    let open = ledger.open();
    assert!(open.items.keys().eq(made.iter()));
    assert!(contents(&journal, &open).iter().all(|(_, bytes)| bytes.len() == 3_000));
}

#[test]
fn age_gives_back_what_is_settled_and_no_more_than_one_segment_at_a_time() {
    let options = Options { keep: Duration::from_secs(10), ..small() };
    let (disk, journal, _) = fresh(options);
    let at = |seconds: u64| UnixMillis(NOW.0 + seconds * 1_000);
    let kept = append(&journal, item(b"unsettled")).unwrap();
    let first = segments(&disk, Lane::Results);
    for second in 0..40 {
        let batch = Batch::new(Lane::Results, Urgency::Now, item(&[1; 12_000])).at(at(second));
        let made = journal.append_wait(batch).unwrap().first();
        settle(&journal, made);
    }
    // The first segment took the first records, and went; the next was full in the first seconds.
    let since = journal.space().all_since.unwrap();
    assert!((at(1)..at(10)).contains(&since), "{since:?}");
    drop(journal);
    let left = segments(&disk, Lane::Results);
    // Some twenty are older than ten seconds by now, but the clock may have jumped.
    assert!(!left.contains(&first[0]) && left.len() > 30, "{first:?}, then {left:?}");
    let (journal, ledger, _) = start(&disk, small());
    assert_eq!(journal.read(ledger.open().items[&kept]).unwrap().payload(), b"unsettled");
}

#[test]
fn snapshots_are_dropped_oldest_first_and_never_use_the_laboratorys_share() {
    let (disk, journal, ledger) = fresh(tight());
    let snapshot = || Batch::new(Lane::Snapshots, Urgency::Now, item(&[5; 12_000]));
    let lab = append(&journal, item(b"a result")).unwrap();
    for _ in 0..100 {
        let _ = journal.append_wait(snapshot()).unwrap();
    }
    assert!(segments(&disk, Lane::Snapshots).len() <= 4, "a quarter of sixteen segments");
    assert!(ledger.open().thinned.len() > 20);
    let space = journal.space();
    assert_eq!(space.thinned, ledger.open().thinned.len() as u64, "none goes uncounted");
    assert!((128 << 10..=256 << 10).contains(&space.snapshots), "{space:?}");
    assert!(ledger.open().thinned.is_sorted());
    assert!(ledger.open().items.contains_key(&lab));
    // The laboratory needs it all.
    let mut stored = 0;
    while append(&journal, item(&[6; 12_000])).is_ok() {
        stored += 1;
    }
    assert!(stored >= 10, "only {stored}");
    assert_eq!(segments(&disk, Lane::Snapshots).len(), 1);
    let before = ledger.open();
    drop(journal);
    let (_journal, ledger, recovery) = start(&disk, tight());
    assert_eq!(recovery.damaged, vec![]);
    assert_eq!(ledger.open().items, before.items);
}

#[test]
fn a_flood_of_snapshots_takes_no_room_of_results_whatever_it_may_take() {
    // How many results there is room for, with a flood of snapshots before each.
    let results = |snapshots_size: u64, flood: usize| {
        let (_disk, journal, ledger) = fresh(Options { snapshots_size, ..tight() });
        let mut made = Vec::new();
        loop {
            for _ in 0..flood {
                let batch = Batch::new(Lane::Snapshots, Urgency::Now, item(&[5; 12_000]));
                let stored = journal.append_wait(batch);
                assert!(matches!(stored, Ok(_) | Err(AppendError::Full)), "{stored:?}");
                let most = snapshots_size.min(512 << 10);
                assert!(journal.space().snapshots <= most, "{:?}", journal.space());
            }
            match append(&journal, item(&[6; 12_000])) {
                Ok(number) => made.push(number),
                Err(error) => {
                    assert!(matches!(error, AppendError::Full));
                    let open = ledger.open();
                    assert!(made.iter().all(|number| open.items.contains_key(number)));
                    return made.len();
                }
            }
        }
    };
    let alone = results(0, 0);
    for snapshots_size in [128 << 10, u64::MAX] {
        // Three quarters can be packed close, beside what tells of dropped snapshots; and a segment of them that is being
        // filled is no room to give, into which four results fit.
        let beside = results(snapshots_size, 20);
        assert!(beside + 4 >= alone * 3 / 4, "{beside}, and {alone} without snapshots");
    }
    // What it may take is changed while it runs.
    let (_disk, journal, _) = fresh(tight());
    let snapshot =
        || journal.append_wait(Batch::new(Lane::Snapshots, Urgency::Now, item(&[5; 12_000]))).map(drop);
    while journal.space().snapshots < 256 << 10 {
        snapshot().unwrap();
    }
    journal.set_snapshots_size(128 << 10);
    for _ in 0..10 {
        snapshot().unwrap();
    }
    assert!(journal.space().snapshots <= 128 << 10, "{:?}", journal.space());
}

#[test]
fn a_refused_or_damaged_checkpoint_leads_to_an_older_one_or_to_the_whole_log() {
    let (disk, journal, ledger) = fresh(small());
    for number in 0..200_u32 {
        let made = append(&journal, item(&number.to_le_bytes().repeat(300))).unwrap();
        if number % 7 != 0 {
            settle(&journal, made);
        }
    }
    let open = ledger.open();
    drop(journal);
    let refusing = Arc::new(Ledger::refusing());
    let image = disk.crash(disk.steps(), Crash::Kept);
    let (journal, recovery) = Journal::open_for(image, small(), refusing.clone()).unwrap();
    assert!(!recovery.from_checkpoint && refusing.open().shown > 300);
    assert_eq!((refusing.open().items, refusing.open().seen), (open.items.clone(), open.seen));
    drop(journal);
    // The newest checkpoint is in the last segments; flip a byte in each page that names one.
    let image = disk.crash(disk.steps(), Crash::Kept);
    let newest = segments(&image, Lane::Results).pop().unwrap();
    image.edit(&newest, |bytes| bytes[8192..].iter_mut().step_by(4096).for_each(|byte| *byte ^= 0x40));
    let (_journal, ledger, recovery) = start(&image, small());
    assert!(recovery.from_checkpoint);
    // What the damaged segment settled is open again; what was open before it still is.
    let before = open.items.iter().filter(|(_, at)| segment_name(at) != newest);
    let known = ledger.open().items;
    assert!(before.clone().count() > 10);
    before.for_each(|(number, at)| assert_eq!(known.get(number), Some(at)));
}

#[test]
fn a_segment_that_is_lost_before_the_checkpoint_is_noticed() {
    let (disk, journal, _) = fresh(small());
    for number in 0..60_u32 {
        let _ = append(&journal, item(&number.to_le_bytes().repeat(2_000))).unwrap();
    }
    drop(journal);
    let names = segments(&disk, Lane::Results);
    for lost in [0, 3] {
        let image = disk.crash(disk.steps(), Crash::Kept);
        orugate_journal::Storage::remove(&image, &names[lost]).unwrap();
        let (_journal, _, recovery) = start(&image, small());
        let damage = &recovery.damaged[0];
        assert_eq!((&damage.file, damage.kind), (&names[lost], DamageKind::MissingSegment));
    }
}

#[test]
fn a_needed_record_that_cannot_be_read_keeps_its_file() {
    let (disk, journal, ledger) = fresh(tight());
    let pinned = append(&journal, item(b"needed")).unwrap();
    let first = segments(&disk, Lane::Results)[0].clone();
    disk.edit(&first, |bytes| {
        let at = ledger.open().items[&pinned].offset() as usize;
        bytes[at + 26] ^= 1;
    });
    for number in 0..400_u32 {
        let made = append(&journal, item(&number.to_le_bytes().repeat(300))).unwrap();
        settle(&journal, made);
    }
    let bad = format!("{first}.bad");
    assert!(disk.names().contains(&bad), "{:?}", disk.names());
    let aside = (1, disk.bytes(&bad).unwrap().len() as u64);
    let space = journal.space();
    assert_eq!((space.aside_files, space.aside), aside);
    assert!(ledger.open().items.contains_key(&pinned), "nobody may forget it");
    drop(journal);
    let (journal, _, _) = start(&disk, tight());
    let space = journal.space();
    assert_eq!((space.aside_files, space.aside), aside, "until a person takes it away");
}

#[test]
fn kinds_of_the_journal_are_not_the_keepers() {
    let (_disk, journal, ledger) = fresh(tight());
    for number in 0..400_u32 {
        let made = append(&journal, item(&number.to_le_bytes().repeat(300))).unwrap();
        settle(&journal, made);
    }
    assert_eq!(ledger.open().shown, 800 + ledger.open().copies);
}

#[test]
fn what_settles_is_not_refused_for_what_comes_in_and_does_not_let_it_slip_in() {
    for intake_first in [true, false] {
        let (disk, journal, _) = fresh(tight());
        let mut made = Vec::new();
        let mut refused = 0;
        while refused < 20 {
            match append(&journal, item(&[7; 3_000])) {
                Ok(number) => (made.push(number), refused = 0).1,
                Err(_) => refused += 1,
            }
        }
        // Both wait while a third is being synced, so that they come to the writer together.
        disk.hold_syncs();
        let (told, heard) = std::sync::mpsc::channel();
        let send = |name: &'static str, record, claim| {
            let told = told.clone();
            let batch = Batch::new(Lane::Results, Urgency::Now, record).claim(claim);
            journal.append(batch, move |result| told.send((name, result.map(drop))).unwrap());
        };
        send("first", close(made[0]), Claim::Settling);
        disk.wait_until_held();
        let intake = || send("intake", item(&[7; 3_000]), Claim::Intake);
        let settling = || send("settling", close(made[1]), Claim::Settling);
        if intake_first {
            (intake(), settling())
        } else {
            (settling(), intake())
        };
        disk.release_syncs();
        let mut results: Vec<_> = heard.iter().take(3).collect();
        results.sort_by_key(|(name, _)| *name);
        assert!(
            matches!(
                &results[..],
                [("first", Ok(())), ("intake", Err(AppendError::Full)), ("settling", Ok(()))]
            ),
            "{results:?}"
        );
    }
}
