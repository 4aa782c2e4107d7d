//! The sidecars of a sealed journal.

use super::rig::{Rig, sealed, segments, sidecars, small};
use crate::index::file;
use crate::model::ModelDisk;
use crate::segment::read_headers;
use crate::{Options, Storage};

fn written(rig: &Rig) {
    for number in 0..40 {
        let _ = rig.note(&[number % 4], &[number], vec![number; 5_000]);
    }
    rig.index();
}

/// Entries of these segments whose bytes are somewhere on the disk.
fn in_the_clear(disk: &ModelDisk, options: &Options, of: &[String]) -> usize {
    let (rig, _) = Rig::open(super::rig::copy(disk), options.clone());
    let place = rig.journal.shared().place();
    let mut seen = 0;
    for name in of {
        let segment = file::parse_sidecar_name(name).unwrap().0;
        let entries = file::load(place, segment, 1).unwrap();
        for (fingerprint, offset) in entries.at_hand.iter().chain(&entries.on_file) {
            // A term of zeros is everywhere.
            assert!(*fingerprint > 0);
            let bytes = [fingerprint.to_le_bytes(), offset.to_le_bytes()].concat();
            let has = |name: &String| disk.bytes(name).unwrap().windows(8).any(|part| part == bytes);
            seen += usize::from(disk.names().iter().any(has));
        }
    }
    seen
}

#[test]
fn no_entry_and_no_fingerprint_is_on_flash_in_the_clear() {
    for (options, clear) in [(small(), true), (sealed(&[1]), false)] {
        let options = Options { max_size: 8 << 20, ..options };
        let rig = Rig::new(options.clone());
        for number in 1..30 {
            let _ = rig.note(&[number], &[number], vec![number; 5_000]);
        }
        rig.index();
        let all = sidecars(&rig.disk);
        assert!(all.len() > 4);
        assert_eq!(in_the_clear(&rig.disk, &options, &all) > 20, clear);
    }
}

#[test]
fn a_new_key_seals_new_sidecars_and_the_previous_reads_the_old() {
    let rig = Rig::new(Options { max_size: 8 << 20, ..sealed(&[1]) });
    written(&rig);
    let old = sidecars(&rig.disk);
    let bytes: Vec<_> = old.iter().map(|name| rig.disk.bytes(name)).collect();
    let Rig { disk, options, journal, .. } = rig;
    drop(journal);
    let (rig, _) = Rig::open(disk, Options { keys: sealed(&[2, 1]).keys, ..options });
    written(&rig);
    rig.compare(&[0, 1, 2, 3]).unwrap();
    assert_eq!(
        old.iter().map(|name| rig.disk.bytes(name)).collect::<Vec<_>>(),
        bytes,
        "used, not made again"
    );
    let id = |name: &String| rig.disk.bytes(name).unwrap()[56..64].to_vec();
    let ids: std::collections::BTreeSet<_> = sidecars(&rig.disk).iter().map(id).collect();
    assert_eq!(ids.len(), 2);
}

#[test]
fn one_in_the_clear_or_under_another_key_beside_a_sealed_segment_is_not_believed() {
    let rig = Rig::new(Options { max_size: 8 << 20, ..sealed(&[1]) });
    written(&rig);
    let name = sidecars(&rig.disk)[1].clone();
    let segment = file::parse_sidecar_name(&name).unwrap().0;
    let entries = file::load(rig.journal.shared().place(), segment, 1).unwrap();
    let of = rig.disk.open(&segments(&rig.disk)[1]).unwrap();
    let header = read_headers(&*of).into_iter().flatten().next().unwrap();
    let keys = sealed(&[2, 1]).keys;
    let other = keys.as_ref().unwrap().ids().next();
    let right = file::encode(&entries, &header, 1, [7; 16], keys.as_ref()).unwrap();
    assert!(file::decode(right, &header, 1, keys.as_ref()).is_some());
    for key in [None, other] {
        let wrong = crate::format::SegmentHeader { key, ..header.clone() };
        let bytes = file::encode(&entries, &wrong, 1, [7; 16], keys.as_ref()).unwrap();
        assert!(file::decode(bytes.clone(), &wrong, 1, keys.as_ref()).is_some());
        assert!(file::decode(bytes, &header, 1, keys.as_ref()).is_none());
    }
    // Of another salt, number or journal, and without the key.
    let changes: [&dyn Fn(&mut crate::format::SegmentHeader); 3] =
        [&|header| header.salt[0] ^= 1, &|header| header.segment += 1, &|header| header.journal[0] ^= 1];
    for change in changes {
        let mut wrong = header.clone();
        change(&mut wrong);
        let bytes = file::encode(&entries, &header, 1, [7; 16], keys.as_ref()).unwrap();
        assert!(file::decode(bytes, &wrong, 1, keys.as_ref()).is_none());
    }
    let bytes = file::encode(&entries, &header, 1, [7; 16], keys.as_ref()).unwrap();
    assert!(file::decode(bytes, &header, 1, None).is_none());
}
