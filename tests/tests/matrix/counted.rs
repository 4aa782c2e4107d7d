//! What becomes of each snapshot of a ventilator whose driver fails, whose journal takes nothing, or who is one of many: each is
//! observed once, and each value of it is in one place.

use crate::bedside::{LESS, SCENE, messages, setup, ventilator};
use crate::rig::{Rig, Setup, run};
use orugate::config::Plan;
use orugate::records::{Chunk, Delivery, Measured, Observed, Oru};
use orugate_tests::breaking::Breaking;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Its driver panics on this one.
const PANICS: &str = "52 8240'Evita 4'04.20:03.00\n24 78 666\n24 73 9\n24 D6 14\n";
/// And gives up in the middle of this one.
const GIVES_UP: &str = "52 8240'Evita 4'04.20:03.00\n24 78 777\n24 73 9\n24 D6 14\n";

#[test]
fn a_driver_that_fails_withdraws_what_it_said_before_and_costs_nobody_else_anything() {
    for (scene, why) in [
        (PANICS, "its driver failed on it"),
        (GIVES_UP, "its driver cannot read it: the rest cannot be read, at byte 7"),
    ] {
        let setup = Setup {
            names: &["one", "two"],
            change: |plan: &mut Plan| {
                plan.instruments[0].profile = Arc::new(Breaking::ventilator(Arc::default()))
            },
            ..setup()
        };
        run(&setup, async |rig| {
            ventilator(rig, SCENE, &[], 15).await;
            // Several snapshots on which it fails, and those of the other one beside them.
            tokio::join!(ventilator(rig, scene, &[], 45), beside(rig, 45));
            let (unsent, notes) = {
                let state = rig.gateway().store.state();
                (state.bedside("one").unwrap().unsent.clone(), rig.status("one").notes)
            };
            assert_eq!(unsent.unwrap().why, why);
            assert!(notes > 3, "each is told: {notes}");
            let failed = of(rig, "one");
            let withdrawn = ["24:78||NAV|X", "24:73||NAV|X", "24:D6||NAV|X"];
            assert_eq!(failed.last().unwrap(), &withdrawn, "{failed:#?}");
            let times = failed.iter().filter(|rows| **rows == withdrawn).count();
            assert_eq!(times, 1, "what stood before is withdrawn once: {failed:#?}");
            assert!(of(rig, "two").len() >= 4, "the other one goes on: {:#?}", of(rig, "two"));
            ventilator(rig, SCENE, &[], 15).await;
            let mended = of(rig, "one");
            assert_eq!(mended.last().unwrap(), &["24:78|5.0||R", "24:73|9||R", "24:D6|14||R"], "{mended:#?}");
            assert_eq!(rig.gateway().store.state().bedside("one").unwrap().unsent, None);
            rig.came("one");
        });
    }
}

/// The second ventilator, for so long.
async fn beside(rig: &Rig, seconds: u64) {
    let scenes = vec![SCENE.as_bytes().to_vec(); 500];
    let _ = tokio::time::timeout(Duration::from_secs(seconds), rig.device("two", scenes, &[], Some(19_200)))
        .await;
}

/// As [`messages`], of one instrument.
fn of(rig: &Rig, name: &str) -> Vec<Vec<String>> {
    let named = format!("^{name}|");
    let is_of = |message: &orugate::engine::Received| {
        let text = String::from_utf8_lossy(&message.bytes).into_owned();
        text.split('\r').any(|row| row.starts_with("OBR") && row.contains(&named))
    };
    let which: Vec<bool> = rig.engine.messages().iter().map(is_of).collect();
    messages(rig).into_iter().zip(which).filter_map(|(rows, is)| is.then_some(rows)).collect()
}

#[test]
fn what_the_journal_does_not_take_of_a_snapshot_waits_and_goes_once() {
    run(&setup(), async |rig| {
        ventilator(rig, SCENE, &[], 15).await;
        rig.pass(5).await;
        // The disk takes a snapshot, and nothing from then on; after how many syncs that is, the journal knows.
        let mut before = 0;
        let kept = async |rig: &Rig, nth| {
            rig.disk.fail_syncs_from(nth);
            ventilator(rig, SCENE, &[], 25).await;
            rig.gateway().store.state().pending().count()
        };
        for nth in 1..8 {
            before = messages(rig).len();
            if kept(rig, nth).await == 1 {
                break;
            }
            rig.disk.fail_syncs_from(0);
            rig.pass(30).await;
        }
        let pending = rig.gateway().store.state().pending().count();
        assert_eq!((pending, messages(rig).len()), (1, before), "one is kept, and nothing comes of it");
        rig.disk.fail_syncs_from(0);
        rig.pass(30).await;
        assert_eq!(rig.gateway().store.state().pending().count(), 0);
        let all = messages(rig);
        assert_eq!(all.get(before), all.first(), "{all:#?}");
        assert!(all.len() > before + 1, "what stood at the end is kept until the disk takes it: {all:#?}");
        assert!(rig.is_drained());
        rig.came("one");
    });
}

#[test]
fn what_comes_of_many_devices_at_once_need_not_fit_into_one_commit() {
    // A page of all codes, for two destinations: some 60 KiB for each of five, and a commit of the rig takes 192.
    let setup = Setup { names: &["one", "two", "three", "four", "five"], second: Some(""), ..setup() };
    run(&setup, async |rig| {
        let mut scene = "52 8240'Evita 4'04.20:03.00\n".to_owned();
        for code in 0..=255 {
            scene += &format!("24 {code:02X} 5.0\n2B {code:02X} 7.0\n");
        }
        rig.engine.take_away().await;
        let play = async |name: &str| {
            let scenes = vec![scene.clone().into_bytes(); 100];
            let _ = tokio::time::timeout(Duration::from_secs(35), rig.device(name, scenes, &[], None)).await;
        };
        tokio::join!(play("one"), play("two"), play("three"), play("four"), play("five"));
        rig.pass(5).await;
        let state = rig.gateway().store.state();
        assert_eq!(state.pending().count(), 0, "what waits for one batch waits for ever");
        for name in setup.names {
            let counts = state.ledger().find(|(of, _)| of == name).map(|(_, counts)| *counts).unwrap();
            assert!(counts.sent > 1000 && counts.difference() == 0, "{name}: {counts:?}");
        }
    });
}

#[test]
fn each_snapshot_and_each_value_is_counted_once() {
    let setup = Setup {
        second: Some(""),
        change: |plan: &mut Plan| {
            plan.instruments[0].profile = Arc::new(Breaking::ventilator(Arc::default()))
        },
        ..setup()
    };
    run(&setup, async |rig| {
        for scene in [SCENE, LESS, PANICS, GIVES_UP, SCENE] {
            ventilator(rig, scene, &[], 25).await;
        }
        rig.pass(100).await;
        rig.restart(1 << 30).await;
        ventilator(rig, LESS, &[], 25).await;
        rig.pass(5).await;
        assert!(rig.is_drained());
        let observed: BTreeMap<u64, Observed> =
            rig.records::<Observed>().into_iter().map(|(_, observed)| (observed.message, observed)).collect();
        assert_eq!(rig.records::<Observed>().len(), observed.len(), "a message was observed twice");
        let mut messages: Vec<u64> =
            rig.records::<Chunk>().into_iter().map(|(_, chunk)| chunk.message).collect();
        messages.dedup();
        assert_eq!(messages, observed.keys().copied().collect::<Vec<_>>(), "each message is observed");
        let (orus, deliveries) = (rig.records::<Oru>(), rig.records::<Delivery>());
        let mut written = BTreeMap::<u64, u32>::new();
        for (number, oru) in &orus {
            let Measured { sent, absent, withdrawn, .. } = observed[&oru.message].counts;
            assert_eq!(oru.observations, sent + absent);
            *written.entry(oru.message).or_default() += 1;
            let delivered = deliveries.iter().filter(|(_, delivery)| delivery.oru == *number).count();
            assert_eq!(delivered, 1, "{oru:?}");
            let engine = if oru.destination == "engine" { &rig.engine } else { &rig.second };
            let received = engine.messages();
            let received =
                received.iter().find(|received| received.id.ends_with(format!("{number:016}").as_bytes()));
            let text = String::from_utf8(received.unwrap().bytes.clone()).unwrap();
            let rows = text.split('\r').filter(|row| row.starts_with("OBX"));
            let rows = rows.filter(|row| !row.split('|').nth(4).unwrap().ends_with(".0")).count();
            assert_eq!(u32::try_from(rows).unwrap(), sent + absent + withdrawn, "{text}");
        }
        let mut sums = Measured::default();
        for (message, Observed { counts, .. }) in &observed {
            let says = counts.sent + counts.absent + counts.withdrawn > 0;
            assert_eq!(
                written.get(message).copied(),
                says.then_some(2),
                "one for each destination: {counts:?}"
            );
            sums.sent += counts.sent + counts.absent;
            sums.left += counts.left;
            sums.withdrawn += counts.withdrawn;
        }
        assert!(sums.withdrawn > 6 && sums.left > 0, "{sums:?}");
        let came = [rig.engine.counts().distinct, rig.second.counts().distinct];
        assert_eq!(came, [written.len() as u64; 2], "no other message went anywhere");
        let state = rig.gateway().store.state();
        let counts = state.ledger().find(|(name, _)| *name == "one").map(|(_, counts)| *counts).unwrap();
        assert_eq!((counts.messages, counts.sent), (observed.len() as u64, u64::from(sums.sent)));
        assert_eq!((counts.not_reportable, counts.difference()), (u64::from(sums.left), 0));
    });
}
