//! A dry run over a capture gives the ORUs that the gateway delivers when the analyzer says the same.
//!
//! Promises: for destinations with different keys, both are the same but for times of this gateway and the number in
//! MSH-10. Leaves out the past, which a dry run does not know.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use orugate::clock::Clock;
use orugate::dryrun::see;
use orugate::engine::Engine;
use orugate::replay::hear;
use orugate::run::{Gateway, init_journal};
use orugate_protocol::time::Utc;
use orugate_tests::oru::{comparable, field, segments};
use orugate_tests::sender::{Sender, invented};
use orugate_tests::world::{PATIENCE, Plug, configuration, plan};

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
    let seen = see(&plan, instrument, &heard, Utc(1_795_000_000_000_000));
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
