//! A dry run over a capture gives the ORUs that the gateway delivers when the analyzer says the same.
//!
//! Promises: for destinations with different keys, both are the same but for times of this gateway and the numbers in
//! MSH-10 and OBR-3. Leaves out the past, which a dry run does not know.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use orugate::apart::MESSAGE;
use orugate::clock::Clock;
use orugate::dryrun::{compare, see};
use orugate::engine::Engine;
use orugate::replay::{How, Shows, hear, replay};
use orugate::run::{Gateway, init_journal};
use orugate_protocol::time::Utc;
use orugate_tests::breaking::Breaking;
use orugate_tests::oru::{comparable, field, segments};
use orugate_tests::sender::{Sender, invented};
use orugate_tests::world::{PATIENCE, Plug, configuration, plan};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// All but MSH-7, MSH-10 and OBR-22; `comparable` leaves more of MSH out.
fn without_now(oru: &[u8]) -> (String, [String; 5]) {
    let header = segments(oru).remove(0);
    (comparable(oru), [3, 4, 5, 6, 11].map(|n| field(&header, n).to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_gives_what_the_gateway_delivers() {
    let folder = tempfile::tempdir().unwrap();
    let engines = [Engine::start(Clock::system(0)).unwrap(), Engine::start(Clock::system(0)).unwrap()];
    let instruments = [("analyzer", "generic-astm", Plug::Tcp)];
    let other = format!(
        "[[destination]]\nname = \"other\"\nrole = \"record\"\ncharset = \"8859/1\"\nsample_id_in = \"filler\"\n\
         receiving = {{ application = \"A\", facility = \"B\" }}\nmllp = {{ address = \"{}\" }}\n[[instrument]]",
        engines[1].address()
    );
    let text = configuration(folder.path(), engines[0].address(), &instruments)
        .replace("[[instrument]]", &other)
        .replace("send_to = [\"engine\"]", "send_to = [\"engine\", \"other\"]")
        .replace("timezone = \"UTC\"", "timezone = \"Europe/Berlin\"");
    let plan = plan(folder.path(), &text);
    let messages = ["D-1", "D-2"].map(|sample| invented(sample, "20261122101500", &[5, 6, 7]));
    let capture: String = messages.iter().map(|records| records.join("\r") + "\r").collect();
    let instrument = &plan.instruments[0];
    let heard = hear(&*instrument.profile, capture.as_bytes(), &[]);
    let seen = see(&plan, instrument, &heard, Utc(1_795_000_000_000_000), MESSAGE);
    assert_eq!(seen.observations(), 6);

    std::fs::create_dir(&plan.journal.path).unwrap();
    init_journal(&plan.journal.path, Clock::system(0).utc()).unwrap();
    let gateway = Gateway::start(plan, Clock::system).await.unwrap();
    let address = gateway.listening()["analyzer"];
    let sent = tokio::task::spawn_blocking(move || {
        let mut sender = Sender::connect(address).unwrap();
        for records in &messages {
            sender.message(records, &mut |_| {}).unwrap();
        }
    });
    sent.await.unwrap();
    for (name, engine) in ["engine", "other"].into_iter().zip(&engines) {
        let mut counts = engine.watch();
        tokio::time::timeout(PATIENCE, counts.wait_for(|c| c.distinct >= 2)).await.unwrap().unwrap();
        let delivered: Vec<_> = engine.messages().iter().map(|m| without_now(&m.bytes)).collect();
        let dry: Vec<_> = seen
            .orus(name)
            .split_terminator("\n\n")
            .map(|oru| without_now((oru.replace('\n', "\r") + "\r").as_bytes()))
            .collect();
        assert_eq!(dry, delivered, "{name}");
    }
    gateway.stop().await;
}

/// A message in milliseconds, where one of the gateway has seconds: a driver that does not come back is left behind.
#[test]
fn a_driver_that_comes_to_no_end_costs_its_message_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let text = configuration(
        folder.path(),
        "127.0.0.1:1".parse().unwrap(),
        &[("analyzer", "generic-astm", Plug::Tcp)],
    );
    let mut plan = plan(folder.path(), &text);
    let mended = Arc::new(AtomicBool::new(false));
    plan.instruments[0].profile = Arc::new(Breaking::new(mended.clone()));
    let instrument = &plan.instruments[0];
    let messages = |values: &[u64]| -> String {
        let each = values.iter().map(|value| invented("D-1", "20261122101500", &[*value]).join("\r") + "\r");
        each.collect()
    };
    let now = Utc(1_795_000_000_000_000);
    let limit = Duration::from_millis(1500);
    let heard = hear(&*instrument.profile, messages(&[5, 999, 6]).as_bytes(), &[]);
    let seen = see(&plan, instrument, &heard, now, limit);
    assert_eq!(seen.observations(), 2, "the next message goes on");
    let said = seen.not_sent();
    let told =
        "analyzer: message 2 of the capture is held whole, driver-fault: The driver came to no end with this";
    assert!(said.contains(told), "{said}");

    let heard = hear(&*instrument.profile, messages(&[999, 999, 5]).as_bytes(), &[]);
    let mut text = String::new();
    let how = How { limit, ..How::at(now) };
    let totals = replay(&*instrument.profile, &heard, &how, &mut text, &mut |_| {});
    assert_eq!((totals.messages, totals.broken, totals.sent), (3, 3, 0), "{text}");
    assert!(
        text.contains("came to no end with two messages before, so this one was not given to it"),
        "{text}"
    );
    mended.store(true, Ordering::Relaxed);
}

/// A ventilator that gives two values, then one of them.
const SCENES: [&str; 2] = [
    "52 8240'Evita 4'04.20:03.00\n24 78 5.0\n24 D6 14\n25 B9 5.0\n",
    "52 8240'Evita 4'04.20:03.00\n24 78 6.0\n25 B9 5.0\n",
];

#[test]
fn a_bedside_capture_shows_what_goes_out_and_what_another_configuration_would_change() {
    let folder = tempfile::tempdir().unwrap();
    let instruments = [("vent", "draeger-evita", Plug::Tcp)];
    let text = configuration(folder.path(), "127.0.0.1:1".parse().unwrap(), &instruments)
        .replace("role = \"lis\"\n", "role = \"lis\"\npcd = {}\n");
    let with = |bedside: &str| {
        let keys = format!("profile = \"draeger-evita\"\nbedside = {{ {bedside} }}\n");
        plan(folder.path(), &text.replace("profile = \"draeger-evita\"\n", &keys))
    };
    let old = with("location = \"ICU^12\"");
    let profile = &*old.instruments[0].profile;
    let capture = SCENES.map(|scene| profile.example_bytes(scene)).concat();
    let heard = hear(profile, &capture, &[]);
    let now = Utc(1_795_000_000_000_000);
    let of = |plan: &orugate::config::Plan| see(plan, &plan.instruments[0], &heard, now, MESSAGE);
    let seen = of(&old);
    assert!(seen.observations() > 4, "{}", seen.orus("engine"));
    assert!(seen.orus("engine").contains("|ICU^12\n"), "{}", seen.orus("engine"));
    assert!(seen.not_sent().contains("24:D6 Respiratory rate: withdrawn"), "{}", seen.not_sent());
    assert!(!compare(&seen, &of(&old)).differs);
    let changed = compare(&seen, &of(&with("location = \"ICU^13\", absent = \"omit\"")));
    assert!(changed.differs);
    for told in ["ICU^12 → ICU^13", "left out"] {
        assert!(changed.text.contains(told), "no {told:?} in\n{}", changed.text);
    }

    let mut text = String::new();
    let how = How { shows: Shows::Values, ..How::at(now) };
    let totals = replay(profile, &heard, &how, &mut text, &mut |oru| assert!(oru.starts_with(b"MSH|")));
    assert!(totals.orus >= 2, "{text}");
    for row in ["24:78", "24:D6"] {
        assert!(text.lines().any(|line| line.trim().starts_with(row)), "{text}");
    }
    let line = |code: &str, words: &str| {
        text.lines()
            .any(|line| line.trim().starts_with(code) && words.split(' ').all(|word| line.contains(word)))
    };
    assert!(line("24:78", "PEEP 5.0 mbar MDC_ sent"), "{text}");
    assert!(line("24:D6", "withdrawn, for the device does not give it any more"), "{text}");
    assert!(!text.contains("OBX|"), "{text}");
}
