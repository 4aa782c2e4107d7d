//! What cannot be read is not found, and is said.

use super::rig::{Rig, sealed, segments, small};
use crate::{Indexed, Seq};

/// Forty notes in many segments, and a start behind them.
fn written(options: crate::Options) -> (Rig, Vec<Seq>) {
    let rig = Rig::new(crate::Options { max_size: 8 << 20, ..options });
    let numbers = (0..40).map(|number| rig.note(&[number % 4], &[], vec![number; 5_000])).collect();
    (rig.again(), numbers)
}

#[test]
fn a_damaged_commit_is_not_found_and_the_rest_is() {
    for options in [small(), sealed(&[1])] {
        let (rig, numbers) = written(options);
        let name = segments(&rig.disk)[2].clone();
        rig.disk.edit(&name, |bytes| bytes[2 * 4096 + 100] ^= 1);
        rig.index();
        let Indexed { segments: all, indexed, unreadable } = rig.journal.indexed();
        assert_eq!((all - indexed, unreadable), (1, 1));
        let found: Vec<_> = (0..4).flat_map(|tag| rig.found(tag, 100).0).collect();
        assert_eq!(found.len(), numbers.len() - 1);
        assert!(
            (0..4).all(|tag| !rig.found(tag, 100).1),
            "not whole for any tag: nobody knows what was lost"
        );
    }
}

#[test]
fn damage_that_comes_later_is_noticed_by_whom_it_hides_something_from() {
    let (rig, _) = written(small());
    rig.index();
    rig.compare(&[0, 1, 2, 3]).unwrap();
    let name = segments(&rig.disk)[2].clone();
    rig.disk.edit(&name, |bytes| bytes[2 * 4096 + 100] ^= 1);
    let whole: Vec<_> = (0..4).map(|tag| rig.found(tag, 100).1).collect();
    assert_eq!(whole.iter().filter(|whole| !**whole).count(), 1, "{whole:?}");
}

#[test]
fn a_lost_end_lost_headers_and_a_disk_that_fails_make_a_segment_not_whole() {
    let cut = |bytes: &mut Vec<u8>| bytes[4 * 4096..].fill(0);
    let heads = |bytes: &mut Vec<u8>| (bytes[100] ^= 1, bytes[4196] ^= 1).0;
    type Change<'a> = &'a dyn Fn(&mut Vec<u8>);
    let changes: [Change<'_>; 3] = [&cut, &heads, &|_| {}];
    for (case, change) in changes.into_iter().enumerate() {
        let (rig, _) = written(small());
        let name = segments(&rig.disk)[2].clone();
        rig.disk.edit(&name, change);
        if case == 2 {
            rig.disk.unreadable(&name, 9_000);
        }
        rig.index();
        assert_eq!(rig.journal.indexed().unreadable, 1, "case {case}");
        assert!(!rig.found(1, 100).1);
    }
}
