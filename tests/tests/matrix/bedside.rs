//! Bedside devices: a ventilator that is asked, at the other end of a line that breaks, and what the engine gets of it; and each
//! other simulated device before the outside judge of PCD-01.

use crate::rig::{By, Rig, Setup, run};
use orugate::config::Plan;
use orugate::status::Device;
use orugate_driver::{Feed, SimulatedFault};
use orugate_drivers::SHIPPED;
use orugate_tests::oru::control_id;
use orugate_tests::python;
use std::collections::BTreeSet;
use std::time::Duration;

/// What the ventilator answers.
pub(crate) const SCENE: &str = "52 8240'Evita 4'04.20:03.00\n24 78 5.0\n24 73 9\n24 D6 14\n";
/// It gives one value less.
pub(crate) const LESS: &str = "52 8240'Evita 4'04.20:03.00\n24 78 5.0\n24 73 9\n";

pub(crate) fn setup() -> Setup {
    Setup {
        profile: "draeger-evita",
        by: By::Tcp,
        text: &[
            ("role = \"lis\"\n", "role = \"lis\"\npcd = {}\n"),
            (
                "profile = \"draeger-evita\"\n",
                "profile = \"draeger-evita\"\nbedside = { interval = \"10 s\", location = \"ICU^12^1^HOSP\" }\n",
            ),
        ],
        ..Setup::default()
    }
}

/// Rows of all messages that the engine has: the vendor's code, OBX-5, OBX-8 and OBX-11 of each measurement.
pub(crate) fn messages(rig: &Rig) -> Vec<Vec<String>> {
    let received = rig.engine.messages();
    let text = received.iter().map(|message| String::from_utf8(message.bytes.clone()).unwrap());
    text.map(|text| {
        text.split('\r')
            .filter(|row| row.starts_with("OBX"))
            .map(|row| row.split('|').map(str::to_owned).collect::<Vec<_>>())
            .filter(|row| !row[4].ends_with(".0"))
            .map(|row| {
                let code = row[3].split('^').nth(3).filter(|code| !code.is_empty());
                let code = code.unwrap_or_else(|| row[3].split('^').next().unwrap()).to_owned();
                [code, row[5].clone(), row.get(8).cloned().unwrap_or_default(), row[11].clone()].join("|")
            })
            .collect()
    })
    .collect()
}

/// Lets the ventilator answer for so long, then its line breaks.
pub(crate) async fn ventilator(rig: &Rig, scene: &str, faults: &[SimulatedFault], seconds: u64) {
    // More than it is asked for.
    let scenes = vec![scene.as_bytes().to_vec(); 500];
    let played = rig.device("one", scenes, faults, Some(19_200));
    let _ = tokio::time::timeout(Duration::from_secs(seconds), played).await;
}

#[test]
fn a_ventilator_is_told_each_interval_and_withdrawn_when_its_line_breaks() {
    run(&setup(), async |rig| {
        ventilator(rig, SCENE, &[], 15).await;
        rig.pass(60).await;
        let all = messages(rig);
        assert_eq!(all[0], ["24:78|5.0||R", "24:73|9||R", "24:D6|14||R"], "{all:#?}");
        assert_eq!(all.last().unwrap(), &["24:78||NAV|X", "24:73||NAV|X", "24:D6||NAV|X"], "{all:#?}");
        let silent = all.iter().filter(|rows| rows.iter().all(|row| row.contains("|NAV|X"))).count();
        assert_eq!(silent, 1, "it is said once: {all:#?}");
        assert!(rig.is_drained());
        let text = String::from_utf8(rig.engine.messages()[0].bytes.clone()).unwrap();
        assert!(text.contains("ICU^12^1^HOSP") && text.contains("|2.6|"), "{text}");
        rig.came("one");
    });
}

#[test]
fn what_it_does_not_give_any_more_is_withdrawn_also_across_a_restart() {
    run(&setup(), async |rig| {
        ventilator(rig, SCENE, &[], 12).await;
        rig.restart(1 << 30).await;
        ventilator(rig, LESS, &[], 12).await;
        rig.pass(5).await;
        let all = messages(rig);
        let withdrawn: Vec<_> = all.iter().flatten().filter(|row| row.starts_with("24:D6||NAV")).collect();
        assert_eq!(withdrawn.len(), 1, "{all:#?}");
        assert!(all.iter().flatten().any(|row| row == "24:D6|14||R"), "{all:#?}");
        rig.came("one");
    });
}

#[test]
fn a_device_that_stands_elsewhere_sends_nothing() {
    let setup = Setup {
        change: |plan: &mut Plan| plan.instruments[0].rules.identity.model = Some("Evita XL".to_owned()),
        ..setup()
    };
    run(&setup, async |rig| {
        ventilator(rig, SCENE, &[], 15).await;
        assert_eq!(messages(rig), Vec::<Vec<String>>::new());
        let state = rig.gateway().store.state();
        let unsent = state.bedside("one").unwrap().unsent.clone().unwrap();
        assert!(unsent.why.contains("another model than Evita XL"), "{unsent:?}");
    });
}

#[test]
fn a_damaged_answer_is_no_value_and_the_next_one_is() {
    run(&setup(), async |rig| {
        let fault = SimulatedFault::FlipBit { frame: 2, byte: 4, bit: 1 };
        ventilator(rig, SCENE, &[fault], 25).await;
        let all = messages(rig);
        for row in all.iter().flatten() {
            assert!(
                ["24:78|5.0||R", "24:73|9||R", "24:D6|14||R"].contains(&row.as_str()) || row.ends_with("|X"),
                "{all:#?}"
            );
        }
        assert!(all.iter().flatten().any(|row| row == "24:D6|14||R"), "{all:#?}");
        assert!(matches!(
            rig.status("one").device,
            Some((Device::Talking | Device::Connecting | Device::Silent, _))
        ));
    });
}

#[test]
fn snapshots_that_nobody_takes_go_oldest_first_and_leave_the_results_their_room() {
    let setup = Setup {
        max_size: 8 << 20,
        also: &[("two", "generic-astm")],
        text: &[
            ("role = \"lis\"\n", "role = \"lis\"\npcd = {}\n"),
            (
                "profile = \"draeger-evita\"\n",
                "profile = \"draeger-evita\"\nbedside = { interval = \"1 s\", location = \"ICU^12^1^HOSP\" }\n",
            ),
        ],
        ..setup()
    };
    run(&setup, async |rig| {
        rig.engine.take_away().await;
        ventilator(rig, SCENE, &[], 1500).await;
        // What stood when its line was let go is in a last snapshot.
        rig.pass(5).await;
        let thinned = rig.gateway().store.state().dropped_snapshots();
        assert!(thinned.orus > 100, "{thinned:?}");
        let space = rig.gateway().store.journal().space();
        assert!(space.snapshots <= 4 << 20 && !rig.gateway().store.nearly_full(), "{space:?}");
        let waiting = rig.gateway().store.state().queue("engine").unwrap().waiting.len();
        rig.cut().await;
        let (still, still_thinned, difference) = {
            let state = rig.gateway().store.state();
            let difference: i64 = state.ledger().map(|(_, counts)| counts.difference()).sum();
            (state.queue("engine").unwrap().waiting.len(), state.dropped_snapshots(), difference)
        };
        assert_eq!((still, still_thinned), (waiting, thinned), "the same is known after a start");
        assert_eq!(difference, 0);
        rig.engine.bring_back().unwrap();
        rig.pass(600).await;
        assert!(rig.is_drained());
        assert_eq!(rig.engine.counts().conflicts, 0);
        // Each snapshot had an ORU, which was delivered or dropped for want of room, and counted in either case; in both, when the
        // acknowledgment of one was not on flash yet as it was dropped.
        let state = rig.gateway().store.state();
        let made = state.ledger().find(|(name, _)| *name == "one").map_or(0, |(_, counts)| counts.messages);
        let dropped = state.dropped_snapshots();
        let counted = rig.engine.counts().distinct + dropped.orus;
        assert!(
            (made..made + 10).contains(&counted) && dropped.messages == 0,
            "{made} {counted} {dropped:?}"
        );
        assert!(made > 1400, "{made}");
    });
}

/// One of its examples, over and over, until it is unplugged: of what a destination gets the first message, one between and the
/// last, which withdraws all. hl7apy takes a tenth of a second for each.
fn of_a_device(name: &'static str, example: &str) -> Vec<Vec<u8>> {
    let scenes = vec![example.as_bytes().to_vec(); 200];
    let line: &'static str = format!("profile = \"{name}\"\n").leak();
    let bedside: &'static str =
        format!("{line}bedside = {{ interval = \"10 s\", location = \"ICU^12^1^HOSP\" }}\n").leak();
    let text = vec![("role = \"lis\"\n", "role = \"lis\"\npcd = {}\n"), (line, bedside)].leak();
    run(&Setup { profile: name, by: By::Tcp, text, ..Setup::default() }, async |rig| {
        let played = rig.device("one", scenes, &[], Some(19_200));
        let _ = tokio::time::timeout(Duration::from_secs(45), played).await;
        rig.pass(120).await;
        assert!(rig.is_drained(), "{name}");
        let all = rig.engine.messages();
        let chosen = BTreeSet::from([0, all.len() / 2, all.len().saturating_sub(1)]);
        let chosen = chosen.into_iter().filter_map(|n| all.get(n));
        chosen.map(|message| message.bytes.clone()).collect()
    })
}

#[test]
fn each_simulated_device_is_pcd_01_to_an_outside_judge() {
    let Some(python) = python::python() else { return };
    let (mut frames, mut number, mut profiles) = (Vec::new(), 0, 0);
    for name in SHIPPED.names() {
        let profile = orugate::profiles::find(&SHIPPED, name).unwrap();
        // The monitor that is asked by datagrams says the same over its serial port.
        if profile.feed() == Feed::Results || name == "philips-intellivue" {
            continue;
        }
        profiles += 1;
        let examples = profile.common().examples.iter();
        let messages: Vec<_> = examples.flat_map(|example| of_a_device(name, &example.input)).collect();
        let valued = |message: &Vec<u8>| message.windows(3).any(|part| part == b"|R|");
        assert!(messages.iter().any(valued), "{name} gives no value: {} messages", messages.len());
        for message in &messages {
            number += 1;
            // Each gateway counts from 1; a file of many needs ids of its own.
            let text = String::from_utf8(message.clone()).unwrap();
            let text = text.replacen(&control_id(message), &format!("PLAY{number:016}"), 1);
            frames.extend([b"\x0B", text.as_bytes(), b"\x1C\r"].concat());
        }
    }
    assert!(profiles > 10, "{profiles}");
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("pcd-simulated");
    std::fs::write(&file, frames).unwrap();
    let (said, passed) = python::check_pcd(&python, &file).unwrap();
    assert!(passed, "{said}");
    assert!(number > 40, "{number} messages");
}
