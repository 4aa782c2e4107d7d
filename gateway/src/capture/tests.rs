//! Taps and the one who writes, on a disk in memory and a clock of the test's own.
#![allow(clippy::disallowed_methods)] // A test lets time pass.

use super::*;
use crate::clock::Clock;
use crate::store::Store;
use orugate_journal::model::{Crash, ModelDisk};
use orugate_journal::{Journal, Options, Read, Storage, UnixMillis, ring_files, walk_rings};
use orugate_protocol::time::Utc;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

const BEGIN: i64 = 1_795_305_600_000_000;
const RING: u64 = 16 << 20;

/// Runs a play with a recorder, whose files are on this disk.
fn play(play: impl AsyncFnOnce(&Recorder, &ModelDisk)) -> ModelDisk {
    let disk = ModelDisk::new();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let now = UnixMillis(u64::try_from(BEGIN / 1000).unwrap());
        drop(Journal::create(disk.clone(), now, Options::default()).unwrap());
        let (store, _) = Store::open(disk.clone(), Options::default()).unwrap();
        let clock = Clock::starting_at(Utc(BEGIN));
        let recorder = Recorder::new(&store, clock, Duration::from_secs(30 * 86_400));
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(recorder.clone().run(stopped));
        play(&recorder, &disk).await;
        stop.send_replace(true);
        task.await.unwrap();
    });
    disk
}

fn entries(disk: &dyn Storage, name: &str) -> Vec<Entry> {
    let mut files = ring_files(disk).unwrap();
    files.retain(|file| file.name == name);
    let mut found = Vec::new();
    walk_rings(disk, None, &files, &mut |read| match read {
        Read::Record(meta, body) => found.extend(Block::entries(meta, body).unwrap()),
        Read::Damaged(file, at) => panic!("{} is damaged at {at}", file.file),
    })
    .unwrap();
    found
}

#[test]
fn what_a_line_said_is_found_with_its_times_and_in_its_pieces() {
    let begin = BEGIN;
    let disk = play(async |recorder, _| {
        let tap = recorder.tap("chem", RING);
        tap.says(What::Opened, "192.0.2.7");
        for _ in 0..3 {
            tap.bytes(What::In, b"\x05");
            sleep(Duration::from_millis(2)).await;
            tap.bytes(What::Out, b"\x06");
            sleep(Duration::from_secs(15)).await;
        }
        tap.bytes(What::In, &[7; 10_000]);
        tap.says(What::Closed, "the other side hung up");
    });
    let found = entries(&disk, "chem");
    let times: Vec<i64> = found.iter().map(|entry| (entry.at.0 - begin) / 1000).collect();
    assert_eq!(times, [0, 0, 2, 15_002, 15_004, 30_004, 30_006, 45_006, 45_006, 45_006, 45_006]);
    let words: Vec<&str> = found.iter().map(|entry| entry.what.word()).collect();
    assert_eq!(words, ["opened", "in", "out", "in", "out", "in", "out", "in", "in", "in", "closed"]);
    let came: Vec<u8> = found.iter().filter(|e| e.what == What::In).flat_map(|e| e.bytes.clone()).collect();
    assert_eq!(came, [&[5, 5, 5][..], &[7; 10_000]].concat());
}

/// A page for each five seconds in which something was said, a sync for each, and nothing for a silent line.
#[test]
fn a_power_cut_costs_the_last_seconds_and_silence_costs_nothing() {
    let disk = play(async |recorder, disk| {
        let tap = recorder.tap("chem", RING);
        let silent = recorder.tap("silent", RING);
        for second in 0..60u64 {
            tap.bytes(What::In, format!("second {second}").as_bytes());
            sleep(Duration::from_secs(1)).await;
        }
        let after = disk.crash(disk.steps(), Crash::Lost);
        let found = entries(&after, "chem");
        assert!(found.len() >= 54, "{} of 60 seconds", found.len());
        tap.bytes(What::In, b"the last word");
        let (steps, syncs) = (disk.steps(), disk.syncs());
        sleep(Duration::from_secs(20)).await;
        let (gathered, synced) = (disk.steps(), disk.syncs());
        assert!(gathered > steps && synced > syncs, "what was left is written");
        sleep(Duration::from_secs(3000)).await;
        assert_eq!((disk.steps(), disk.syncs()), (gathered, synced), "silence");
        // Making the file, its directory, and one sync for each five seconds.
        assert!(synced <= 18, "{synced} syncs");
        drop(silent);
    });
    assert_eq!(entries(&disk, "chem").len(), 61);
    assert_eq!(ring_files(&disk).unwrap().len(), 1);
}

#[test]
fn a_flood_costs_a_quarter_of_the_ring_an_hour_and_the_neighbour_nothing() {
    let disk = play(async |recorder, disk| {
        let (noisy, quiet) = (recorder.tap("noisy", RING), recorder.tap("quiet", RING));
        let before = disk.bytes("journal.id").unwrap().len();
        assert!(before > 0);
        let begun = Instant::now();
        for turn in 0..7200u32 {
            // 10 MB/s, in bursts.
            for _ in 0..1220 {
                noisy.bytes(What::In, &[0x55; 4096]);
            }
            if turn % 100 == 0 {
                quiet.bytes(What::In, b"a word");
            }
            sleep(Duration::from_millis(500)).await;
        }
        assert_eq!(begun.elapsed(), Duration::from_secs(3600));
        assert!(recorder.view().lost["noisy"] > 30 << 30);
        assert_eq!(recorder.view().lost.get("quiet"), None);
        let ring = recorder.view().rings["noisy"];
        assert!(ring <= RING / 2 + (1 << 20), "{ring} bytes in an hour");
    });
    let kept: usize = entries(&disk, "noisy").iter().map(|entry| entry.bytes.len()).sum();
    assert!(kept as u64 <= RING / 2, "{kept}");
    assert!(kept > 4 << 20, "{kept}");
    assert!(entries(&disk, "noisy").iter().any(|entry| entry.what == What::Lost));
    assert_eq!(entries(&disk, "quiet").len(), 72);
}

#[test]
fn what_is_switched_off_keeps_nothing_more_and_a_full_buffer_waits_for_nobody() {
    let disk = play(async |recorder, _| {
        let tap = recorder.tap("chem", RING);
        tap.bytes(What::In, b"before");
        sleep(Duration::from_secs(10)).await;
        let _ = recorder.tap("chem", 0);
        tap.bytes(What::In, b"meanwhile");
        sleep(Duration::from_secs(10)).await;
        let _ = recorder.tap("chem", RING);
        // No task runs in between: this is the buffer alone.
        for _ in 0..100 {
            tap.bytes(What::In, &[1; 4096]);
        }
        assert!(recorder.view().lost["chem"] >= 100 * 4096 - 128 * 1024);
    });
    let found = entries(&disk, "chem");
    assert_eq!(found[0].bytes, b"before");
    assert!(found.iter().all(|entry| entry.bytes != b"meanwhile"));
    assert!(found.iter().map(|entry| entry.bytes.len()).sum::<usize>() <= 128 * 1024 + 6);
}

#[test]
fn a_stretch_is_scrubbed_as_one_whatever_reads_it_came_in() {
    let profile = crate::profiles::find(&orugate_drivers::SHIPPED, "generic-astm").unwrap();
    let line = orugate_protocol::ascii::ENQ;
    let whole: Vec<u8> = [&[line][..], b"\x021H|\\^&\r\x0398\r\n\x022P|1||A-778||Doe^Jane\r\x03"].concat();
    let sums = profile.example_bytes(
        "<ENQ>\n<STX>1H|\\^&<CR><ETX><CS><CR><LF>\n<STX>2P|1||A-778||Doe^Jane<CR><ETX><CS><CR><LF>\n<EOT>\n",
    );
    assert!(sums.starts_with(&whole[..6]));
    let scrubbed = |cuts: &[usize]| {
        let mut out = Vec::new();
        let mut scrubber = scrub::Scrubber::new(Some(&*profile));
        let mut start = 0;
        for cut in cuts.iter().copied().chain([sums.len()]) {
            let entry = Entry {
                at: Utc(BEGIN),
                clock: orugate_protocol::time::ClockQuality::Plausible,
                what: What::In,
                bytes: sums[start..cut].to_vec(),
            };
            start = cut;
            scrubber
                .take(entry, &mut |entry| {
                    out.push(entry.bytes.clone());
                    Ok(())
                })
                .unwrap();
        }
        let by_rule = scrubber.end(&mut |entry| {
            out.push(entry.bytes.clone());
            Ok(())
        });
        assert_eq!(by_rule.unwrap(), 0);
        assert_eq!(out.len(), cuts.len() + 1, "in the same pieces");
        out.concat()
    };
    let at_once = scrubbed(&[]);
    let text = String::from_utf8_lossy(&at_once).into_owned();
    assert!(text.contains("P|1||A-000||Aaa^Aaaa"), "{text}");
    for cut in 0..=sums.len() {
        assert_eq!(scrubbed(&[cut]), at_once, "cut at {cut}");
    }
    let all: Vec<usize> = (0..sums.len()).collect();
    assert_eq!(scrubbed(&all), at_once);
}
