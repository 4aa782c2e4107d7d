//! Monitors that push HL7 and wait for their acknowledgment: what the engine gets of it, whatever becomes of the line.

use crate::bedside::messages;
use crate::peer::Peer;
use crate::rig::{By, Rig, Setup, run};
use orugate::status::Device;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

fn setup() -> Setup {
    Setup {
        profile: "hl7-pcd01",
        by: By::Tcp,
        text: &[
            ("role = \"lis\"\n", "role = \"lis\"\npcd = {}\n"),
            (
                "profile = \"hl7-pcd01\"\n",
                "profile = \"hl7-pcd01\"\nbedside = { interval = \"60 s\", location = \"ICU^12^1^HOSP\" }\n",
            ),
        ],
        ..Setup::default()
    }
}

/// One second's message; `rows` are its OBX but for the first two fields.
fn message(id: u32, rows: &[&str]) -> Vec<u8> {
    let mut text = format!(
        "MSH|^~\\&|MON||||||ORU^R01^ORU_R01|{id}|P|2.6|||AL|NE\rOBR|1|||182777000^monitoring of patient^SCT\r"
    );
    for row in rows {
        text += &format!("OBX|1|NM|{row}\r");
    }
    framed(&text)
}

fn framed(text: &str) -> Vec<u8> {
    [b"\x0b", text.as_bytes(), b"\x1c\r"].concat()
}

const HR: &str = "147842^MDC_ECG_HEART_RATE^MDC|1.7.1.1|80|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R";
const SPO2: &str = "150456^MDC_PULS_OXIM_SAT_O2^MDC|1.3.1.1|97|262688^MDC_DIM_PERCENT^MDC|||||R";
const NIBP: &str = "150021^MDC_PRESS_BLD_NONINV_SYS^MDC|1.1.9.1|120|266016^MDC_DIM_MMHG^MDC|||||R";
const ALARM: &str = "MSH|^~\\&|MON||||||ORU^R40^ORU_R40|A1|P|2.6|||AL|NE\rOBR|1|||196616^MDC_EVT_ALARM^MDC\r\
    OBX|1|CWE|196616^MDC_EVT_ALARM^MDC|1.3.1.2.1|202834^MDC_EVT_STAT_OFF^MDC||||||F\r";

/// MSA-1 and MSA-2 of the next answer; `None` when none comes.
async fn answer(peer: &mut Peer) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\x1c\r") {
        bytes.push(peer.byte().await?);
    }
    let text = String::from_utf8(bytes).unwrap();
    let msa = text.split('\r').find_map(|line| line.strip_prefix("MSA|")).unwrap();
    Some(msa.split('|').take(2).collect::<Vec<_>>().join(" "))
}

/// Pushes once in each second, and wants each taken.
async fn push(rig: &Rig, peer: &mut Peer, ids: std::ops::Range<u32>, rows: &[&str]) {
    for id in ids {
        peer.send(&message(id, rows)).await;
        assert_eq!(answer(peer).await, Some(format!("CA {id}")));
        rig.pass(1).await;
    }
}

/// Values of what the engine has, one line for each of its messages: code, value, OBX-8.
fn told(rig: &Rig) -> Vec<String> {
    let row = |row: &String| {
        row.rsplit_once('|').map_or(String::new(), |(row, _)| row.trim_end_matches('|').to_owned())
    };
    messages(rig).iter().map(|rows| rows.iter().map(row).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn a_monitor_that_pushes_each_second_is_told_once_an_interval_and_withdrawn_when_it_is_gone() {
    run(&setup(), async |rig| {
        let mut peer = Peer::connect(rig, "one").await;
        push(rig, &mut peer, 0..300, &[HR, SPO2, NIBP]).await;
        peer.send(&framed(ALARM)).await;
        assert_eq!(answer(&mut peer).await.as_deref(), Some("CA A1"));
        rig.pass(1).await;
        let all = told(rig);
        assert!((5..=6).contains(&all.len()), "{all:#?}");
        assert_eq!(all[0], "147842|80 150456|97 150021|120");
        assert!(all[1..].iter().all(|rows| rows == "147842|80 150456|97"), "{all:#?}");
        let counts = *rig.gateway().store.state().ledger().next().unwrap().1;
        assert!(counts.superseded >= 2 * 294, "{counts:?}");
        assert_eq!(counts.not_reportable, 1, "the alarm: {counts:?}");
        assert!(matches!(rig.status("one").device, Some((Device::Talking, _))));
        // It hangs up and comes again: nothing is withdrawn for that.
        drop(peer);
        rig.pass(30).await;
        let mut peer = Peer::connect(rig, "one").await;
        push(rig, &mut peer, 300..400, &[HR]).await;
        let all = told(rig);
        let withdrawn = all.iter().filter(|rows| rows.contains("|NAV")).count();
        assert_eq!(withdrawn, 1, "the oximeter, once: {all:#?}");
        assert!(all.contains(&"147842|80 150456||NAV".to_owned()), "{all:#?}");
        // Now it is gone for good.
        let before = all.len();
        rig.pass(200).await;
        let all = told(rig);
        assert_eq!(all[before..], ["147842||NAV".to_owned()], "{all:#?}");
        assert!(matches!(rig.status("one").device, Some((Device::Silent, _))), "{:?}", rig.status("one"));
        let mut peer = Peer::connect(rig, "one").await;
        push(rig, &mut peer, 400..402, &[HR]).await;
        assert_eq!(told(rig).last().unwrap(), "147842|80");
        drop(peer);
        rig.came("one");
    });
}

#[test]
fn a_second_connection_takes_the_place_of_the_first_and_no_message_is_lost() {
    run(&setup(), async |rig| {
        let mut first = Peer::connect(rig, "one").await;
        push(rig, &mut first, 0..1, &[HR]).await;
        let mut second = Peer::connect(rig, "one").await;
        second.send(&message(1, &[SPO2])).await;
        assert_eq!(answer(&mut second).await.as_deref(), Some("CA 1"));
        assert!(first.wire.write_all(&message(2, &[HR])).await.is_err(), "its sender will send it again");
        let mut first = Peer::connect(rig, "one").await;
        first.send(&message(2, &[HR])).await;
        assert_eq!(answer(&mut first).await.as_deref(), Some("CA 2"));
        rig.pass(5).await;
        assert_eq!(told(rig), ["147842|80", "150456|97"]);
        drop(first);
        rig.came("one");
    });
}

#[test]
fn who_never_reads_its_acknowledgments_is_let_go_and_what_it_was_told_is_stored() {
    run(&setup(), async |rig| {
        let mut deaf = Peer::connect(rig, "one").await;
        // Acknowledgments are long, so that fewer fill the line to it.
        let long = |id: u32| {
            let text = String::from_utf8(message(id, &[HR])).unwrap();
            text.replace(&format!("|{id}|P"), &format!("|{id:0>190}|P")).into_bytes()
        };
        let mut sent = 0;
        while sent < 4_000 {
            let bytes = long(sent);
            let written = timeout(Duration::from_secs(60), deaf.wire.write_all(&bytes)).await;
            if !matches!(written, Ok(Ok(()))) {
                break;
            }
            sent += 1;
        }
        assert!((500..4_000).contains(&sent), "{sent} messages, and nobody minded");
        let mut acknowledged = 0;
        while let Some(answer) = answer(&mut deaf).await {
            assert_eq!(answer, format!("CA {acknowledged:0>190}"));
            acknowledged += 1;
        }
        let stored = rig.gateway().store.state().ledger().next().unwrap().1.messages;
        assert!(acknowledged > 0 && stored >= acknowledged, "{acknowledged} of {stored}");
        drop(deaf);
        let mut peer = Peer::connect(rig, "one").await;
        push(rig, &mut peer, 5_000..5_002, &[HR]).await;
        drop(peer);
        rig.came("one");
    });
}

#[test]
fn beds_and_parts_go_on_over_a_restart_and_silence_then_withdraws_them() {
    let setup = Setup {
        text: &[
            ("role = \"lis\"\n", "role = \"lis\"\npcd = {}\n"),
            ("profile = \"hl7-pcd01\"\n", "profile = \"hl7-pcd01\"\nbedside = { interval = \"10 s\" }\n"),
        ],
        ..setup()
    };
    run(&setup, async |rig| {
        let of = |bed: &str, id: u32| {
            let text = String::from_utf8(message(id, &[HR, SPO2])).unwrap();
            text.replace("OBR|1", &format!("PV1||I|ICU^^{bed}\rOBR|1")).into_bytes()
        };
        let mut peer = Peer::connect(rig, "one").await;
        for (id, bed) in (0..).zip(["B1", "B2"]) {
            peer.send(&of(bed, id)).await;
            assert_eq!(answer(&mut peer).await, Some(format!("CA {id}")));
        }
        rig.pass(2).await;
        drop(peer);
        rig.restart(1 << 30).await;
        rig.pass(200).await;
        let all = told(rig);
        let (there, gone) = ("147842|80 150456|97", "147842||NAV 150456||NAV");
        assert_eq!(all, [there, there, gone, gone]);
        let received = rig.engine.messages();
        let beds = received.iter().map(|message| {
            let text = String::from_utf8(message.bytes.clone()).unwrap();
            if text.contains("^^B1") {
                "B1"
            } else if text.contains("^^B2") {
                "B2"
            } else {
                "none"
            }
        });
        assert_eq!(beds.collect::<Vec<_>>(), ["B1", "B2", "B1", "B2"]);
        rig.came("one");
    });
}

#[test]
fn a_bed_that_is_not_listed_stays_told_while_the_others_are_sent() {
    let listed = "bedside = { interval = \"10 s\", beds = { B1 = \"ICU^1^1\" } }";
    let line = format!("profile = \"hl7-pcd01\"\n{listed}\n").leak();
    let text: &[_] =
        vec![("role = \"lis\"\n", "role = \"lis\"\npcd = {}\n"), ("profile = \"hl7-pcd01\"\n", line)].leak();
    run(&Setup { text, ..setup() }, async |rig| {
        let mut peer = Peer::connect(rig, "one").await;
        let mut id = 0;
        let mut unsent = async |bed: &str| {
            let text = String::from_utf8(message(id, &[HR])).unwrap();
            let text = text.replace("OBR|1", &format!("PV1||I|ICU^^{bed}\rOBR|1"));
            peer.send(text.as_bytes()).await;
            assert_eq!(answer(&mut peer).await, Some(format!("CA {id}")));
            id += 1;
            rig.pass(11).await;
            rig.gateway()
                .store
                .state()
                .bedside("one")
                .unwrap()
                .unsent
                .as_ref()
                .map(|unsent| unsent.why.clone())
        };
        assert_eq!(unsent("B1").await, None);
        for bed in ["B9", "B1", "B9", "B1"] {
            assert_eq!(unsent(bed).await.as_deref(), Some("the device says a bed that is not in `beds`"));
        }
        // It is taken away, and ten minutes later that is over.
        let mut told = 0;
        while unsent("B1").await.is_some() {
            told += 1;
        }
        assert!((50..60).contains(&told), "{told}");
        drop(peer);
        rig.came("one");
    });
}

#[test]
fn what_cannot_be_stored_is_refused_and_taken_when_there_is_room_again() {
    run(&setup(), async |rig| {
        let mut peer = Peer::connect(rig, "one").await;
        push(rig, &mut peer, 0..1, &[HR]).await;
        let taken: u64 = rig.disk.names().iter().map(|name| rig.disk.bytes(name).unwrap().len() as u64).sum();
        rig.disk.limit_capacity(taken);
        let long = format!("{HR}\rNTE|1||{}", "x".repeat(60 << 10));
        let mut id = 1;
        let refused = loop {
            peer.send(&message(id, &[&long])).await;
            match answer(&mut peer).await {
                Some(answer) if answer == format!("CA {id}") => id += 1,
                other => break other,
            }
            assert!(id < 1000, "the journal is never full");
        };
        assert_eq!(refused, Some(format!("CE {id}")), "it may come again");
        rig.disk.limit_capacity(u64::MAX);
        rig.pass(90).await;
        push(rig, &mut peer, id..id + 1, &[HR]).await;
        drop(peer);
    });
}
