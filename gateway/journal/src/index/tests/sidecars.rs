//! Sidecars: whatever becomes of one, what is found stays the same, and it is made again.

use super::rig::{NOTE, OPEN, Rig, at_hand, bytes, copy, sealed, segments, sidecars, small, tagged};
use crate::index::file;
use crate::model::{Crash, ModelDisk, Operation};
use crate::{Lane, Options, Seq, Storage};
use std::io::ErrorKind;
use std::sync::Arc;

const TAGS: [u8; 4] = [0, 1, 2, 3];

fn roomy() -> Options {
    Options { max_size: 8 << 20, ..small() }
}

/// A disk with many complete segments, each with its sidecar.
fn written(options: Options) -> ModelDisk {
    let rig = Rig::new(options);
    for number in 0..60 {
        let _ = rig.note(&[number % 4, 9], &[number], vec![number; 2_500]);
    }
    rig.index();
    assert_eq!(
        sidecars(&rig.disk).len(),
        segments(&rig.disk).len() - 1,
        "all but the one that is written to"
    );
    assert_eq!(rig.journal.space().used, bytes(&rig.disk));
    rig.disk
}

/// Starts, indexes, and compares with a walk; the third sidecar afterwards.
fn started(disk: ModelDisk, options: &Options, name: &str) -> Vec<u8> {
    let (rig, _) = Rig::open(disk, options.clone());
    rig.index();
    rig.compare(&TAGS).unwrap();
    assert_eq!(rig.journal.space().used, bytes(&rig.disk));
    rig.disk.bytes(name).unwrap()
}

#[test]
fn one_that_is_right_is_used_and_one_that_is_not_is_made_again() {
    for keys in [None, sealed(&[1]).keys] {
        let options = Options { keys, ..roomy() };
        let disk = written(options.clone());
        let name = sidecars(&disk)[2].clone();
        let right = disk.bytes(&name).unwrap();
        assert_eq!(started(copy(&disk), &options, &name), right);
        // With another salt.
        let made_again = |change: &dyn Fn(&ModelDisk)| {
            let bad = copy(&disk);
            change(&bad);
            let changed = bad.bytes(&name);
            let after = started(bad, &options, &name);
            assert_ne!(Some(&after), changed.as_ref());
            assert_ne!(after, right);
            assert_eq!(after.len(), right.len());
        };
        made_again(&|disk| disk.remove(&name).unwrap());
        let other = disk.bytes(&sidecars(&disk)[3]).unwrap();
        made_again(&|disk| disk.edit(&name, |bytes| *bytes = other.clone()));
        for cut in (0..right.len()).step_by(16) {
            made_again(&|disk| disk.edit(&name, |bytes| bytes.truncate(cut)));
        }
        made_again(&|disk| disk.edit(&name, |bytes| bytes.push(0)));
        let (rig, _) = Rig::open(copy(&disk), options.clone());
        let place = rig.journal.shared().place();
        let segment = file::parse_sidecar_name(&name).unwrap().0;
        assert!(file::load(place, segment, 1).is_some());
        for at in 0..right.len() {
            // Format and reserved bytes are under the checksum as well.
            rig.disk.edit(&name, |bytes| bytes[at] ^= 0x10);
            assert!(file::load(place, segment, 1).is_none(), "byte {at}");
            rig.disk.edit(&name, |bytes| bytes[at] ^= 0x10);
            if at % 16 == 0 {
                made_again(&|disk| disk.edit(&name, |bytes| bytes[at] ^= 0x10));
            }
        }
    }
}

#[test]
fn one_that_a_power_cut_tore_at_any_512_bytes_is_made_again() {
    let rig = Rig::new(Options { segment_size: 128 << 10, max_size: 2 << 20, ..small() });
    for number in 0..600_u32 {
        let records =
            (0..8).map(|tag| tagged(NOTE, &[tag, tag + 10, tag + 20], &[tag], vec![number as u8; 9]));
        let _ = rig.append(Lane::Results, records.collect()).unwrap();
    }
    rig.index();
    let Rig { disk, options, journal, .. } = rig;
    drop(journal);
    let name = sidecars(&disk)[0].clone();
    let right = disk.bytes(&name).unwrap();
    assert!(right.len() > 4_096, "{}", right.len());
    for cut in (0..right.len()).step_by(512) {
        for zeros in [false, true] {
            let torn = copy(&disk);
            torn.edit(&name, |bytes| {
                bytes.truncate(cut);
                bytes.resize(if zeros { right.len() } else { cut }, 0);
            });
            let (rig, _) = Rig::open(torn, options.clone());
            rig.index();
            rig.compare(&[3]).unwrap();
            assert_eq!(rig.disk.bytes(&name).unwrap().len(), right.len(), "cut at {cut}");
        }
    }
}

/// Otherwise a box whose power goes every few seconds would read all segments at each start, and never come to an end.
#[test]
fn those_that_are_made_outlive_a_power_cut() {
    let disk = written(roomy());
    let made = sidecars(&disk);
    assert!(made.len() > 3);
    let cut = disk.crash(disk.steps(), Crash::Lost);
    assert_eq!(sidecars(&cut), made);
    for name in &made {
        assert_eq!(cut.bytes(name), disk.bytes(name));
    }
}

#[test]
fn terms_of_another_version_are_told_again() {
    let disk = written(roomy());
    let name = sidecars(&disk)[2].clone();
    let segment = file::parse_sidecar_name(&name).unwrap().0;
    let (rig, _) = Rig::open(disk, roomy());
    let place = rig.journal.shared().place();
    assert!(file::load(place, segment, 1).is_some());
    assert!(file::load(place, segment, 2).is_none());
}

#[test]
fn an_unfinished_one_and_one_without_its_segment_are_removed_at_the_start() {
    let disk = written(roomy());
    let stray = ["results-0000000000000001.idx", "results-0000000000000001.idx.new"];
    for name in stray {
        drop(disk.create(name).unwrap());
        disk.edit(name, |bytes| bytes.resize(5_000, 1));
    }
    let (rig, recovery) = Rig::open(disk, roomy());
    assert_eq!((rig.journal.space().used, recovery.used), (bytes(&rig.disk), bytes(&rig.disk)));
    rig.index();
    assert!(stray.iter().all(|name| !rig.disk.names().contains(&(*name).into())), "{:?}", rig.disk.names());
    assert_eq!(rig.journal.space().used, bytes(&rig.disk));
}

#[test]
fn a_disk_that_fails_costs_the_file_until_the_next_start_and_nothing_else() {
    for operation in [Operation::Create, Operation::Write, Operation::Rename] {
        let disk = written(roomy());
        let name = sidecars(&disk)[2].clone();
        disk.remove(&name).unwrap();
        let (rig, _) = Rig::open(disk, roomy());
        // This one's, and that of the segment which the process before wrote to.
        (1..=2).for_each(|nth| rig.disk.fail(operation, nth, ErrorKind::Other));
        rig.index();
        rig.compare(&TAGS).unwrap();
        assert!(!rig.disk.names().contains(&name));
        assert_eq!(rig.journal.space().used, bytes(&rig.disk));
        let rig = rig.again();
        rig.index();
        assert!(rig.disk.names().contains(&name));
    }
}

#[test]
fn they_go_with_their_segments_and_all_stays_within_the_limit() {
    for options in [small(), sealed(&[1])] {
        let rig = Rig::new(Options { max_size: 512 << 10, ..options });
        let kept = rig.append(Lane::Results, vec![tagged(OPEN, &[7], &[], vec![1])]).unwrap().first();
        for number in 0..1_000_u32 {
            let _ = rig.note(&[(number % 4) as u8], &[9], vec![number as u8; 2_500]);
            while rig.journal.index_step() {}
            let space = rig.journal.space();
            assert!(space.used <= space.limit, "{number}: {space:?}");
        }
        assert_eq!(rig.journal.space().used, bytes(&rig.disk));
        // None is without its segment, and hardly a segment is without one.
        let (segments, sidecars) = (segments(&rig.disk), sidecars(&rig.disk));
        assert!(sidecars.iter().all(|name| segments.contains(&name.replace(".idx", ".seg"))), "{sidecars:?}");
        assert!(sidecars.len() + 2 >= segments.len(), "{sidecars:?} of {segments:?}");
        rig.compare(&TAGS).unwrap();
        assert_eq!(rig.found(7, 5), (vec![(kept, vec![1])], true, false));
    }
}

/// Fills segments until the oldest ones go.
fn crowd(journal: &crate::Journal) -> impl FnOnce() + Send + 'static {
    let journal = journal.clone();
    move || {
        for number in 0..120 {
            let record = tagged(NOTE, &[3], &[], vec![number; 9_000]);
            let batch = crate::Batch::new(Lane::Results, crate::Urgency::Now, record);
            let _ = journal.append_wait(batch).unwrap();
        }
    }
}

#[test]
fn a_segment_that_is_given_back_while_it_is_read_leaves_nothing() {
    let rig = Rig::new(small());
    for number in 0..40 {
        let _ = rig.note(&[number % 4], &[], vec![number; 5_000]);
    }
    let rig = rig.again();
    let before = segments(&rig.disk);
    rig.tags.after(5, crowd(&rig.journal));
    rig.index();
    let after = segments(&rig.disk);
    assert!(before.iter().all(|name| !after.contains(name)), "all of them went");
    assert!(sidecars(&rig.disk).iter().all(|name| after.contains(&name.replace(".idx", ".seg"))));
    let indexed = rig.journal.indexed();
    assert_eq!((indexed.segments, indexed.indexed), (after.len() as u64, after.len() as u64));
    rig.compare(&TAGS).unwrap();
    assert_eq!(rig.journal.space().used, bytes(&rig.disk));
}

#[test]
fn a_search_beside_that_finds_what_was_carried_meanwhile() {
    let rig = Rig::new(small());
    let mut kept = Vec::new();
    for number in 0..30 {
        let record = tagged(OPEN, &[7], &[], vec![number]);
        kept.push(rig.append(Lane::Results, vec![record]).unwrap().first());
        let _ = rig.note(&[1], &[], vec![number; 5_000]);
    }
    rig.tags.after(8, crowd(&rig.journal));
    let (found, whole, _) = rig.found(7, 100);
    let numbers: Vec<Seq> = found.into_iter().map(|(number, _)| number).rev().collect();
    assert_eq!((numbers, whole), (kept, true));
}

#[test]
fn one_that_is_written_while_its_segment_goes_goes_too() {
    let disk = written(roomy());
    let (rig, _) = Rig::open(disk, roomy());
    let name = sidecars(&rig.disk)[0].clone();
    let segment = file::parse_sidecar_name(&name).unwrap().0;
    let shared = Arc::clone(rig.journal.shared());
    let index = shared.index.as_ref().unwrap();
    rig.index();
    drop(index.take(segment));
    let entries = file::load(shared.place(), segment, 1).unwrap();
    index.store(segment, &entries, &shared).unwrap();
    assert!(rig.disk.names().contains(&name));
    index.gone(segment);
    rig.index();
    assert!(!rig.disk.names().contains(&name));
    assert_eq!(rig.journal.space().used, bytes(&rig.disk));
    assert!(rig.journal.find(at_hand(1), 1).whole);
}

#[test]
fn one_that_cannot_be_removed_is_removed_later() {
    let rig = Rig::new(small());
    for number in 0..20 {
        let _ = rig.note(&[1], &[], vec![number; 5_000]);
    }
    rig.index();
    let before = sidecars(&rig.disk);
    crowd(&rig.journal)();
    rig.disk.fail(Operation::Remove, 1, ErrorKind::Other);
    rig.index();
    assert_eq!(sidecars(&rig.disk).iter().filter(|name| before.contains(name)).count(), 1);
    assert_eq!(rig.journal.space().used, bytes(&rig.disk));
    crowd(&rig.journal)();
    rig.index();
    assert!(sidecars(&rig.disk).iter().all(|name| !before.contains(name)));
    assert_eq!(rig.journal.space().used, bytes(&rig.disk));
}
