//! Random lives: whatever happens to a journal, what is found is what a walk shows.

use super::rig::{ALIKE, CLOSE, NOTE, OPEN, Rig, bytes, sealed, sidecars, small, tagged};
use crate::model::{Crash, ModelDisk, Operation};
use crate::{Lane, NewRecord, Options, Seq};
use std::io::ErrorKind;

const TAGS: [u8; 8] = [1, 2, 3, 4, 5, ALIKE, ALIKE + 1, ALIKE + 2];

struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn tag(&mut self) -> u8 {
        TAGS[self.below(TAGS.len() as u64) as usize]
    }

    fn record(&mut self) -> NewRecord {
        let kind = if self.below(6) == 0 { OPEN } else { NOTE };
        let tags: Vec<u8> = (0..self.below(3)).map(|_| self.tag()).collect();
        let len = if self.below(5) == 0 { self.below(9_000) } else { self.below(300) };
        tagged(kind, &tags, &[self.tag()], vec![self.below(256) as u8; len as usize])
    }
}

fn close(number: Seq) -> NewRecord {
    NewRecord::new(CLOSE, 1, vec![], number.0.to_le_bytes().to_vec())
}

fn turn(rig: &Rig, dice: &mut Dice) {
    match dice.below(10) {
        0..=5 => {
            let mut records = vec![dice.record()];
            while dice.below(3) == 0 && records.len() < 4 {
                records.push(tagged(NOTE, &[dice.tag()], &[], vec![1]));
            }
            let _ = rig.append(Lane::Results, records);
        }
        6 => drop(rig.append(Lane::Snapshots, vec![dice.record()])),
        7 => {
            let open = rig.tags.open();
            if open.len() > 3 {
                let _ =
                    rig.append(Lane::Results, open[..open.len() - 2].iter().copied().map(close).collect());
            }
        }
        8 if dice.below(3) == 0 => {
            rig.disk.fail_syncs_from(1 + dice.below(2) as u32);
            let _ = rig.append(Lane::Results, vec![dice.record()]);
            rig.disk.fail_syncs_from(0);
        }
        8 => {
            for _ in 0..=dice.below(2) {
                use Operation::{Create, Remove, Rename, Sync, SyncDir, Write};
                let operation = [Write, Sync, SyncDir, Create, Remove, Rename][dice.below(6) as usize];
                rig.disk.fail(operation, 1 + dice.below(2) as u32, ErrorKind::Other);
            }
        }
        _ => drop(rig.journal.index_step()),
    }
}

/// Somebody does something to a sidecar.
fn meddle(disk: &ModelDisk, dice: &mut Dice) {
    let all = sidecars(disk);
    if all.is_empty() {
        return;
    }
    let name = &all[dice.below(all.len() as u64) as usize];
    let other = disk.bytes(&all[dice.below(all.len() as u64) as usize]).unwrap();
    disk.edit(name, |bytes| match dice.below(3) {
        _ if bytes.is_empty() => {}
        0 => *bytes = other,
        1 => bytes.truncate(dice.below(bytes.len() as u64) as usize),
        _ => {
            let at = dice.below(bytes.len() as u64) as usize;
            bytes[at] ^= 1 << dice.below(8);
        }
    });
}

/// The journal's own count is right, and no sidecar is without its segment.
fn files(rig: &Rig) -> Result<(), String> {
    let (used, limit) = (rig.journal.space().used, rig.journal.space().limit);
    if used != bytes(&rig.disk) {
        return Err(format!("{used} of {limit}, and {} in {:?}", bytes(&rig.disk), rig.disk.names()));
    }
    let names = rig.disk.names();
    let alone = |name: &&String| !names.contains(&name.replace(".idx", ".seg"));
    match sidecars(&rig.disk).iter().find(alone) {
        Some(name) => Err(format!("{name} is alone in {names:?}")),
        None => Ok(()),
    }
}

/// A number that is the same whenever the same was found on the way.
fn live(seed: u64, options: Options) -> Result<u64, String> {
    let mut dice = Dice(seed);
    let mut rig = Rig::new(options);
    let mut begun = rig.disk.steps();
    let mut all = 0_u64;
    for round in 0..12 {
        for _ in 0..25 {
            turn(&rig, &mut dice);
        }
        rig.disk.calm();
        // What failed twice is void only once something follows it.
        let followed = rig.append(Lane::Results, vec![tagged(NOTE, &[1], &[], vec![9])]).is_ok();
        if followed {
            rig.index();
            all = all.wrapping_mul(31).wrapping_add(
                rig.compare(&TAGS).map_err(|what| format!("round {round}, running: {what}"))? as u64,
            );
        }
        let Rig { disk, options, journal, .. } = rig;
        // Now, or at any step that it has come by since the last start.
        let step = match dice.below(3) {
            0 => disk.steps(),
            _ => begun + dice.below((disk.steps() - begun) as u64 + 1) as usize,
        };
        let how = dice.below(5);
        let disk = match how {
            0 => disk.kill(step),
            1 => disk.crash(step, Crash::Lost),
            2 => disk.crash(step, Crash::Kept),
            3 => disk.crash(step, Crash::Torn(dice.below(1 << 30))),
            _ => (drop(journal), disk).1,
        };
        if dice.below(2) == 0 {
            meddle(&disk, &mut dice);
        }
        begun = disk.steps();
        let recovery;
        (rig, recovery) = Rig::open(disk, options);
        let (_, whole, _) = rig.found(1, 1);
        let waiting = rig.journal.indexed();
        if whole && waiting.indexed < waiting.segments {
            return Err(format!("round {round}: whole before it was indexed"));
        }
        rig.index();
        let found = rig.compare(&TAGS).map_err(|what| format!("round {round}, after start {how}: {what}"))?;
        files(&rig).map_err(|what| format!("round {round}, after start {how}: {what} {recovery:?}"))?;
        all = all.wrapping_mul(31).wrapping_add(found as u64);
    }
    Ok(all)
}

#[test]
fn what_is_found_is_what_a_walk_shows_through_any_life() {
    let seeds = std::env::var("ORUGATE_INDEX_LIVES").map_or(24, |lives| lives.parse().unwrap());
    for seed in 0..seeds {
        let options = if seed % 3 == 0 { sealed(&[1]) } else { small() };
        let options = Options { max_size: (8 + seed % 4) * (32 << 10), ..options };
        if let Err(what) = live(seed, options) {
            panic!("seed {seed}: {what}");
        }
    }
}

#[test]
fn the_same_seed_finds_the_same() {
    assert_eq!(live(7, small()), live(7, small()));
    assert_ne!(live(7, small()), live(8, small()));
}

#[test]
fn segments_are_given_back_in_these_lives() {
    let rig = Rig::new(Options { max_size: 256 << 10, ..small() });
    let first = rig.note(&[1], &[], vec![0; 9_000]);
    let kept = rig.append(Lane::Results, vec![tagged(OPEN, &[1, ALIKE], &[], vec![7])]).unwrap().first();
    for number in 0..60 {
        let _ = rig.note(&[2], &[], vec![number; 9_000]);
    }
    let (found, whole, _) = rig.found(1, 10);
    assert_eq!((found, whole), (vec![(kept, vec![7])], true), "{first}");
    // Its copy stands at the end of the log, and yet what was written since is newer.
    let newer = rig.note(&[ALIKE], &[], vec![8]);
    let (found, _, more) = rig.found(ALIKE, 1);
    assert_eq!((found, more), (vec![(newer, vec![8])], true));
    rig.compare(&[1, 2, ALIKE]).unwrap();
}

#[test]
fn an_on_file_term_is_not_found_at_hand() {
    let rig = Rig::new(small());
    let _ = rig.note(&[], &[5], vec![1]);
    let found = rig.journal.find(super::rig::on_file(5), 10);
    assert_eq!((found.records.len(), found.whole), (0, false));
    assert_eq!(rig.found(5, 10), (vec![], true, false));
}
