//! A gateway that delivers to somebody else's engine: the MLLP server of Python's package `hl7`.
//!
//! Promises: every ORU of a feed arrives once and passes the outside checker, and what the engine refuses is parked
//! after its retries, with the engine's reason in the status. Leaves out lost and late answers, which the built-in
//! engine plays in the forwarder's tests. Needs `ORUGATE_PYTHON`, which `tests/run` sets.
#![allow(clippy::unwrap_used, clippy::panic)]

use orugate::admin::{Request, Response, Status};
use orugate::clock::Clock;
use orugate::run::{Gateway, init_journal};
use orugate_tests::oru::{Seen, control_id, results};
use orugate_tests::python::{Receiver, check, python};
use orugate_tests::sender::{Sender, invented};
use orugate_tests::world::{PATIENCE, Plug, configuration, plan};
use std::collections::BTreeSet;
use std::path::Path;

/// Messages of the feed that is taken.
const FEED: u64 = 30;
/// Messages of the feed that is refused: each waits a second for its one retry.
const REFUSED: u64 = 3;

/// A gateway with two analyzers whose destination is this receiver.
async fn gateway(folder: &Path, receiver: &Receiver) -> Gateway {
    let instruments = [("one", "generic-astm", Plug::Tcp), ("two", "generic-astm", Plug::Tcp)];
    let text = configuration(folder, receiver.address, &instruments);
    let text = text.replace("role = \"lis\"\n", "role = \"lis\"\nretries = 1\n");
    assert!(text.contains("retries = 1"), "{text}");
    let plan = plan(folder, &text);
    std::fs::create_dir(&plan.journal.path).unwrap();
    init_journal(&plan.journal.path, Clock::system(0).utc()).unwrap();
    Gateway::start(plan, Clock::system).await.unwrap()
}

/// Message `n` of a feed; its specimen, two values that occur nowhere else, and their stamp.
fn message(n: u64) -> (Vec<String>, Vec<Seen>) {
    let (sample, values) = (format!("PY-{n:04}"), [2 * n, 2 * n + 1]);
    let seen = (1..).zip(values).map(|(t, v)| Seen::new(&sample, &format!("T{t}"), &v.to_string())).collect();
    (invented(&sample, &format!("20261122{:02}{:02}00", n / 60, n % 60), &values), seen)
}

/// Both analyzers send, at the same time, one the even and one the odd messages.
async fn feed(gateway: &Gateway, count: u64) {
    let feeds = [("one", 0), ("two", 1)].map(|(name, rest)| {
        let address = gateway.listening()[name];
        tokio::task::spawn_blocking(move || {
            let mut sender = Sender::connect(address).unwrap();
            for n in (0..count).filter(|n| n % 2 == rest) {
                sender.message(&message(n).0, &mut |_| {}).unwrap();
            }
        })
    });
    for feed in feeds {
        tokio::time::timeout(PATIENCE, feed).await.unwrap().unwrap();
    }
}

/// Waits until a count of the destination is so high.
async fn until(gateway: &Gateway, what: &str, count: impl Fn(&orugate::state::Queue) -> u64, wanted: u64) {
    let mut applied = gateway.store.applied();
    let waited = tokio::time::timeout(PATIENCE, async {
        while gateway.store.state().queue("engine").map_or(0, &count) < wanted {
            applied.changed().await.unwrap();
        }
    });
    waited.await.unwrap_or_else(|_| panic!("waited {PATIENCE:?} for {wanted} {what}"));
}

async fn status(gateway: &Gateway) -> Status {
    match gateway.admin.answer(Request::Status, "test").await {
        Response::Status(status) => *status,
        other => panic!("{other:?}"),
    }
}

/// The messages in a file of MLLP frames.
fn frames(file: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(file).unwrap();
    let frames = bytes.split(|byte| *byte == 0x0B).skip(1);
    frames.map(|frame| frame.strip_suffix(b"\x1C\r").unwrap().to_vec()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_oru_arrives_once_and_passes_the_checker() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("received.mllp");
    let receiver = Receiver::start(&python, &file, "AA").unwrap();
    let gateway = gateway(folder.path(), &receiver).await;
    feed(&gateway, FEED).await;
    until(&gateway, "deliveries", |queue| queue.delivered, FEED).await;
    let status = status(&gateway).await;
    let [destination] = status.destinations.as_slice() else { panic!("{status:?}") };
    assert_eq!((destination.waiting, destination.parked.len(), status.holds), (0, 0, 0));
    gateway.stop().await;
    assert_eq!(receiver.stop().unwrap(), format!("{FEED} messages\n"));
    let frames = frames(&file);
    let ids: BTreeSet<String> = frames.iter().map(|frame| control_id(frame)).collect();
    assert_eq!(ids.len() as u64, FEED, "each MSH-10 once");
    let mut arrived: Vec<Seen> = frames.iter().flat_map(|frame| results(frame)).collect();
    arrived.sort();
    let wanted: Vec<Seen> = (0..FEED).flat_map(|n| message(n).1).collect();
    assert_eq!(arrived, wanted);
    assert_eq!(check(&python, &file).unwrap(), (format!("{FEED} passed, 0 failed\n"), true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_parked_after_its_retries() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("refused.mllp");
    let receiver = Receiver::start(&python, &file, "AE").unwrap();
    let gateway = gateway(folder.path(), &receiver).await;
    feed(&gateway, REFUSED).await;
    until(&gateway, "parked messages", |queue| queue.parked.len() as u64, REFUSED).await;
    let status = status(&gateway).await;
    let [destination] = status.destinations.as_slice() else { panic!("{status:?}") };
    assert_eq!((destination.waiting, destination.delivered), (0, 0));
    for (number, why) in &destination.parked {
        assert_eq!(why, "AE", "{number}");
    }
    gateway.stop().await;
    assert_eq!(receiver.stop().unwrap(), format!("{} messages\n", 2 * REFUSED));
    // Each came twice, byte for byte the same, and the next only after it.
    let frames = frames(&file);
    for pair in frames.chunks(2) {
        assert_eq!(pair[0], pair[1]);
    }
    let ids: BTreeSet<String> = frames.iter().map(|frame| control_id(frame)).collect();
    let parked: BTreeSet<String> = destination.parked.iter().map(|(n, _)| format!("TEST{n:016}")).collect();
    assert_eq!(ids, parked);
}
