//! A driver that panics or gives up costs the message a hold, not the gateway its service.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use orugate::admin::{Request, Response};
use orugate::clock::Clock;
use orugate::config::Plan;
use orugate::dryrun::{compare, see};
use orugate::engine::Engine;
use orugate::replay::hear;
use orugate::run::{Gateway, init_journal};
use orugate_protocol::time::Utc;
use orugate_tests::breaking::Breaking;
use orugate_tests::oru::{field, segments};
use orugate_tests::sender::{Sender, invented};
use orugate_tests::world::{PATIENCE, Plug, configuration, plan};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

async fn start(mut plan: Plan, mended: &Arc<AtomicBool>) -> Gateway {
    plan.instruments[0].profile = Arc::new(Breaking::new(mended.clone()));
    std::fs::create_dir(&plan.journal.path).unwrap();
    init_journal(&plan.journal.path, Clock::system(0).utc()).unwrap();
    Gateway::start(plan, Clock::system).await.unwrap()
}

async fn send(gateway: &Gateway, sample: &'static str, value: u64) {
    let address = gateway.listening()["analyzer"];
    let sent = tokio::task::spawn_blocking(move || {
        let records = invented(sample, "20261122101500", &[value]);
        Sender::connect(address).unwrap().message(&records, &mut |_| {}).unwrap();
    });
    sent.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_driver_fault_is_a_hold_and_a_mended_driver_releases_it() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(Clock::system(0)).unwrap();
    let instruments = [("analyzer", "generic-astm", Plug::Tcp)];
    let plan = plan(folder.path(), &configuration(folder.path(), engine.address(), &instruments));
    let mended = Arc::new(AtomicBool::new(false));
    let gateway = start(plan, &mended).await;
    send(&gateway, "F-1", 666).await;
    send(&gateway, "F-2", 5).await;
    send(&gateway, "F-3", 777).await;
    let mut counts = engine.watch();
    tokio::time::timeout(PATIENCE, counts.wait_for(|c| c.distinct >= 2)).await.unwrap().unwrap();

    // The one message is held whole; of the other, what was read is sent, and the rest is held.
    let holds: Vec<_> = gateway.store.state().holds().map(|(n, h)| (n, h.hold.clone())).collect();
    let reasons: Vec<_> = holds.iter().map(|(_, h)| (h.reason.as_str(), h.rest_from)).collect();
    assert_eq!(reasons, [("driver-fault", Some(0)), ("driver-fault", Some(1))]);
    assert!(holds[1].1.sentence.contains("the rest cannot be read, at byte 7"), "{}", holds[1].1.sentence);
    assert!(!holds[0].1.sentence.contains("TEST"), "{}", holds[0].1.sentence);
    let release =
        |hold| gateway.admin.answer(Request::Release { hold, sample: None, anyway: false }, "uid 0");
    let still = release(holds[0].0).await;
    assert!(matches!(&still, Response::Refused(why) if why.starts_with("Still held")), "{still:?}");
    assert_eq!(gateway.store.state().holds().count(), 2);

    mended.store(true, Ordering::Relaxed);
    for (hold, _) in &holds {
        let done = release(*hold).await;
        assert!(matches!(&done, Response::Done(_)), "{done:?}");
    }
    tokio::time::timeout(PATIENCE, counts.wait_for(|c| c.distinct >= 3)).await.unwrap().unwrap();
    let ledger = gateway.store.state().ledger().map(|(_, c)| *c).next().unwrap();
    assert_eq!((ledger.observations, ledger.sent, ledger.held, ledger.difference()), (3, 3, 0, 0));
    gateway.stop().await;
    let messages = engine.messages();
    let samples: Vec<String> = messages
        .iter()
        .flat_map(|m| segments(&m.bytes))
        .filter(|s| s.starts_with("SPM"))
        .map(|s| field(&s, 2).to_owned())
        .collect();
    assert_eq!(samples, ["F-2", "F-3", "F-1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_driver_without_end_holds_up_one_message_only() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(Clock::system(0)).unwrap();
    let instruments = [("analyzer", "generic-astm", Plug::Tcp)];
    let plan = plan(folder.path(), &configuration(folder.path(), engine.address(), &instruments));
    let mended = Arc::new(AtomicBool::new(false));
    let gateway = start(plan, &mended).await;
    send(&gateway, "F-9", 999).await;
    send(&gateway, "F-5", 5).await;
    let mut counts = engine.watch();
    tokio::time::timeout(PATIENCE, counts.wait_for(|c| c.distinct >= 1)).await.unwrap().unwrap();
    let holds: Vec<_> = gateway.store.state().holds().map(|(n, h)| (n, h.hold.reason.clone())).collect();
    assert_eq!(holds.iter().map(|(_, reason)| reason.as_str()).collect::<Vec<_>>(), ["driver-fault"]);
    // The lost thread comes to its end at last; what it found is thrown away, and the ledger stays true.
    mended.store(true, Ordering::Relaxed);
    send(&gateway, "F-6", 6).await;
    tokio::time::timeout(PATIENCE, counts.wait_for(|c| c.distinct >= 2)).await.unwrap().unwrap();
    gateway.stop().await;
    let messages = engine.messages();
    assert_eq!(messages.len(), 2, "the held message was not sent");
}

#[test]
fn a_dry_run_says_what_a_broken_driver_would_hold() {
    let folder = tempfile::tempdir().unwrap();
    let instruments = [("analyzer", "generic-astm", Plug::Tcp)];
    let engine = "127.0.0.1:1".parse().unwrap();
    let sound = plan(folder.path(), &configuration(folder.path(), engine, &instruments));
    let mut breaks = sound.clone();
    breaks.instruments[0].profile = Arc::new(Breaking::new(Arc::default()));
    let capture =
        [666, 5, 777].map(|value| invented("F-1", "20261122101500", &[value]).join("\r") + "\r").concat();
    let of = |plan: &Plan| {
        let instrument = &plan.instruments[0];
        see(
            plan,
            instrument,
            &hear(&*instrument.profile, capture.as_bytes(), &[]),
            Utc(1_795_000_000_000_000),
            orugate::apart::MESSAGE,
        )
    };
    let (old, new) = (of(&sound), of(&breaks));
    assert_eq!((old.messages.len(), new.messages.len()), (3, 3));
    assert_eq!((old.observations(), new.observations()), (3, 2));
    let comparison = compare(&old, &new);
    assert!(comparison.differs);
    for told in [
        "1 observation (T1): observation removed, was sent",
        "note new: analyzer: message 1 of the capture is held whole, driver-fault: ",
        "note new: the rest of a message is held, driver-fault: ",
        "engine: 3 observations went there, 2 would",
        "1 observation removed: T1",
    ] {
        assert!(comparison.text.contains(told), "no {told:?} in\n{}", comparison.text);
    }
    assert!(!comparison.text.contains("TEST"), "{}", comparison.text);
}
