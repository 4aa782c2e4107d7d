//! Several destinations, each with its own progress; resends, corrections and restarts as a destination sees them.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use orugate::admin::{Request, Response};
use orugate::clock::Clock;
use orugate::config::Plan;
use orugate::engine::Engine;
use orugate::run::{Gateway, init_journal};
use orugate::state::State;
use orugate_tests::oru::{control_id, field, segments};
use orugate_tests::sender::{Sender, invented};
use orugate_tests::world::{PATIENCE, Plug, configuration, plan};
use std::path::Path;

/// One listening instrument, the engine `engine` and a second destination of this text.
fn two(folder: &Path, engine: &Engine, second: &Engine, options: &str) -> Plan {
    let mut text = configuration(folder, engine.address(), &[("analyzer", "generic-astm", Plug::Tcp)]);
    text = text.replace("send_to = [\"engine\"]", "send_to = [\"engine\", \"second\"]");
    let address = second.address();
    text.push_str(&format!(
        "[[destination]]\nname = \"second\"\nrole = \"lis\"\nreceiving = {{ application = \"SECOND\", facility = \"HOSP\" }}\n\
         mllp = {{ address = \"{address}\" }}\n{options}\n"
    ));
    plan(folder, &text)
}

async fn start(plan: Plan) -> Gateway {
    if !plan.journal.path.exists() {
        std::fs::create_dir(&plan.journal.path).unwrap();
        init_journal(&plan.journal.path, Clock::system(0).utc()).unwrap();
    }
    Gateway::start(plan, Clock::system).await.unwrap()
}

async fn send(gateway: &Gateway, records: Vec<String>) {
    let address = gateway.listening()["analyzer"];
    let sent = tokio::task::spawn_blocking(move || {
        let mut sender = Sender::connect(address).unwrap();
        sender.message(&records, &mut |_| {}).unwrap();
    });
    sent.await.unwrap();
}

async fn holds(engine: &Engine, messages: u64) {
    let mut counts = engine.watch();
    let so = counts.wait_for(|counts| counts.distinct >= messages);
    tokio::time::timeout(PATIENCE, so).await.unwrap().unwrap();
}

fn bodies(engine: &Engine) -> Vec<Vec<u8>> {
    engine.messages().into_iter().map(|m| m.bytes).collect()
}

fn one<'s>(all: &'s [String], name: &str) -> &'s str {
    all.iter().find(|s| s.starts_with(name)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_that_is_away_holds_up_nobody_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, mut second) =
        (Engine::start(Clock::system(0)).unwrap(), Engine::start(Clock::system(0)).unwrap());
    second.take_away().await;
    let gateway = start(two(folder.path(), &engine, &second, "")).await;
    for n in 0..3 {
        send(&gateway, invented(&format!("D-{n}"), "20261122101500", &[100 + n])).await;
    }
    holds(&engine, 3).await;
    let waiting = |gateway: &Gateway| gateway.store.state().queue("second").map_or(0, |q| q.waiting.len());
    assert_eq!(waiting(&gateway), 3);
    gateway.stop().await;

    // What waited is on flash, and the same bytes go out after the restart; the other destination gets nothing again.
    second.bring_back().unwrap();
    let gateway = start(two(folder.path(), &engine, &second, "")).await;
    holds(&second, 3).await;
    gateway.stop().await;
    assert_eq!(engine.counts().messages, 3);
    assert_eq!(second.counts().messages, 3);
    for (a, b) in bodies(&engine).iter().zip(bodies(&second)) {
        let (a, b) = (segments(a), segments(&b));
        assert_eq!(a[1..], b[1..], "both destinations get the same report, filler number included");
        assert_eq!((field(&a[0], 5), field(&b[0], 5)), ("ENGINE", "SECOND"));
        assert_ne!(field(&a[0], 10), field(&b[0], 10), "each delivery has its own MSH-10");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resend_a_correction_and_a_rerun_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, second) =
        (Engine::start(Clock::system(0)).unwrap(), Engine::start(Clock::system(0)).unwrap());
    let options = "corrections = \"F\"\nresends = \"suppress\"";
    let gateway = start(two(folder.path(), &engine, &second, options)).await;
    send(&gateway, invented("R-1", "20261122101500", &[140, 5])).await;
    holds(&engine, 1).await;
    // The same again: somebody pressed "transmit".
    send(&gateway, invented("R-1", "20261122101500", &[140, 5])).await;
    holds(&engine, 2).await;
    // The same run, another value: a correction.
    send(&gateway, invented("R-1", "20261122101500", &[140, 6])).await;
    holds(&engine, 3).await;
    // Another run: new.
    send(&gateway, invented("R-1", "20261122113000", &[140, 6])).await;
    holds(&engine, 4).await;
    holds(&second, 3).await;
    gateway.stop().await;

    let all: Vec<Vec<String>> = bodies(&engine).iter().map(|m| segments(m)).collect();
    let fillers: Vec<&str> = all.iter().map(|m| field(one(m, "OBR"), 3)).collect();
    assert!(fillers[..3].iter().all(|filler| *filler == fillers[0]), "{fillers:?}");
    assert_ne!(fillers[3], fillers[0], "another run is another report");
    let status = |m: &Vec<String>| -> String {
        m.iter()
            .filter(|s| s.starts_with("OBX"))
            .map(|s| field(s, 11))
            .chain([field(one(m, "OBR"), 25)])
            .collect()
    };
    let statuses: Vec<String> = all.iter().map(status).collect();
    assert_eq!(statuses, ["FFF", "FFF", "FCC", "FFF"]);
    assert!(all[1].iter().any(|s| s.contains("Sent again by the instrument")), "{:?}", all[1]);
    assert!(all[2].iter().any(|s| s.contains("Corrected")), "{:?}", all[2]);

    // The second destination wants no resend, and corrections as F: of the third message only what changed.
    let all: Vec<Vec<String>> = bodies(&second).iter().map(|m| segments(m)).collect();
    let statuses: Vec<String> = all.iter().map(status).collect();
    assert_eq!(statuses, ["FFF", "FF", "FFF"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nameless_result_is_held_released_by_a_person_and_discarded() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, second) =
        (Engine::start(Clock::system(0)).unwrap(), Engine::start(Clock::system(0)).unwrap());
    let gateway = start(two(folder.path(), &engine, &second, "")).await;
    for value in [41, 42] {
        send(&gateway, invented("", "20261122101500", &[value])).await;
    }
    let mut applied = gateway.store.applied();
    let so = async {
        while gateway.store.state().holds().count() < 2 {
            applied.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, so).await.unwrap();
    let numbers: Vec<u64> = gateway.store.state().holds().map(|(n, _)| n).collect();
    let ask = |request| gateway.admin.answer(request, "uid 1000");

    let bare = ask(Request::Release { hold: numbers[0], sample: None, anyway: false }).await;
    assert!(matches!(&bare, Response::Refused(why) if why.contains("--sample")), "{bare:?}");
    let done =
        ask(Request::Release { hold: numbers[0], sample: Some("H-7".to_owned()), anyway: false }).await;
    assert!(matches!(&done, Response::Done(_)), "{done:?}");
    let again =
        ask(Request::Release { hold: numbers[0], sample: Some("H-7".to_owned()), anyway: false }).await;
    assert!(matches!(&again, Response::Refused(_)), "a hold is released once: {again:?}");
    let empty = ask(Request::Discard { hold: numbers[1], reason: " ".to_owned() }).await;
    assert!(matches!(&empty, Response::Refused(_)), "{empty:?}");
    let done = ask(Request::Discard { hold: numbers[1], reason: "test tube".to_owned() }).await;
    assert!(matches!(&done, Response::Done(_)), "{done:?}");
    holds(&engine, 1).await;
    holds(&second, 1).await;

    let counts = gateway.store.state().ledger().map(|(_, c)| *c).next().unwrap();
    assert_eq!((counts.observations, counts.sent, counts.held, counts.discarded), (2, 1, 0, 1));
    assert_eq!(counts.difference(), 0);
    gateway.stop().await;
    let oru = segments(&bodies(&engine)[0]);
    assert_eq!(field(one(&oru, "SPM"), 2), "H-7");
    assert_eq!(field(one(&oru, "OBX"), 5), "41");
    assert!(oru.iter().any(|s| s.contains("entered by a person")), "{oru:?}");
    assert!(!control_id(&bodies(&engine)[0]).is_empty());
}

/// Records of one order: (code, value, status, time) each.
fn order(sample: &str, results: &[(&str, &str, &str, &str)]) -> Vec<String> {
    let mut records = vec![
        "H|\\^&|||RIG^1|||||||P|1|20261122101500".to_owned(),
        "P|1".to_owned(),
        format!("O|1|{sample}||^^^ALL|R||||||N"),
    ];
    for (n, (code, value, status, time)) in (1..).zip(results) {
        records.push(format!("R|{n}|^^^{code}|{value}|mmol/L||N||{status}||||{time}"));
    }
    records.push("L|1|N".to_owned());
    records
}

/// OBX-11 and the remark of each OBX of a message, by place.
fn told(oru: &[u8]) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for segment in segments(oru) {
        if segment.starts_with("OBX") {
            all.push((field(&segment, 11).to_owned(), String::new()));
        } else if let (true, Some(last)) = (segment.starts_with("NTE"), all.last_mut()) {
            last.1.push_str(field(&segment, 3));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_final_result_can_be_corrected_and_repeats_in_one_message_are_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, second) =
        (Engine::start(Clock::system(0)).unwrap(), Engine::start(Clock::system(0)).unwrap());
    let gateway = start(two(folder.path(), &engine, &second, "")).await;
    let (first, later) = ("20261122101000", "20261122111000");
    // Preliminary, then final with the same value: no correction. Then another value: one.
    for (n, result) in [("5", "P"), ("5", "F"), ("6", "F")].into_iter().enumerate() {
        send(&gateway, order("C-1", &[("GLU", result.0, result.1, first)])).await;
        holds(&engine, n as u64 + 1).await;
    }
    // What the instrument itself calls a correction of something that was never seen here.
    send(&gateway, order("C-2", &[("GLU", "7", "C", later)])).await;
    holds(&engine, 4).await;
    // A number and its interpretation under one code and time, sent twice: the second is a resend of both.
    for n in 5..=6 {
        send(&gateway, order("C-3", &[("HCG", "12", "F", first), ("HCG", "POS", "F", first)])).await;
        holds(&engine, n).await;
    }
    gateway.stop().await;
    let all: Vec<_> = bodies(&engine).iter().map(|m| told(m)).collect();
    let plain = |status: &str| (status.to_owned(), String::new());
    assert_eq!(all[0], [plain("P")]);
    assert_eq!(all[1], [plain("F")]);
    assert_eq!(all[2], [("C".to_owned(), "Corrected: another result was sent before: 5 mmol/L".to_owned())]);
    assert_eq!(all[3][0].0, "C");
    assert!(all[3][0].1.contains("not known here"), "{:?}", all[3]);
    assert_eq!(all[4], [plain("F"), plain("F")]);
    assert_eq!(all[5], [plain("F"), plain("F")]);
    assert!(segments(&bodies(&engine)[5]).iter().any(|s| s.contains("Sent again by the instrument")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_that_was_overtaken_cannot_overwrite_what_came_later() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, second) =
        (Engine::start(Clock::system(0)).unwrap(), Engine::start(Clock::system(0)).unwrap());
    let gateway = start(two(folder.path(), &engine, &second, "corrections = \"hold\"")).await;
    for value in ["5", "6", "7"] {
        send(&gateway, order("O-1", &[("GLU", value, "F", "20261122101000")])).await;
    }
    let mut applied = gateway.store.applied();
    let so = async {
        while gateway.store.state().holds().count() < 2 {
            applied.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, so).await.unwrap();
    let numbers: Vec<u64> = gateway.store.state().holds().map(|(n, _)| n).collect();
    let release =
        |hold| gateway.admin.answer(Request::Release { hold, sample: None, anyway: false }, "uid 1000");
    assert!(matches!(release(numbers[1]).await, Response::Done(_)));
    // What it overtook is settled in the same step, so that nobody can release it any more.
    let overtaken = release(numbers[0]).await;
    assert!(matches!(&overtaken, Response::Refused(why) if why.contains("overtook")), "{overtaken:?}");
    holds(&engine, 2).await;
    let counts = gateway.store.state().ledger().map(|(_, c)| *c).next().unwrap();
    assert_eq!((counts.observations, counts.sent, counts.superseded, counts.held), (3, 2, 1, 0));
    assert_eq!(counts.difference(), 0);
    gateway.stop().await;
    let values: Vec<String> =
        bodies(&engine).iter().map(|m| field(one(&segments(m), "OBX"), 5).to_owned()).collect();
    assert_eq!(values, ["5", "7"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_that_cannot_read_a_character_keeps_it_parked_and_the_other_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, second) =
        (Engine::start(Clock::system(0)).unwrap(), Engine::start(Clock::system(0)).unwrap());
    let text = configuration(folder.path(), engine.address(), &[("analyzer", "roche-cobas-c", Plug::Tcp)]);
    let text = text.replace("send_to = [\"engine\"]", "send_to = [\"engine\", \"second\"]")
        + &format!(
            "[[destination]]\nname = \"second\"\nrole = \"lis\"\ncharset = \"ASCII\"\n\
             receiving = {{ application = \"SECOND\", facility = \"HOSP\" }}\nmllp = {{ address = \"{}\" }}\n",
            second.address()
        );
    let gateway = start(plan(folder.path(), &text)).await;
    // The sender writes UTF-8, which is Latin-1 of other characters; that they are not ASCII is what counts.
    for (sample, unit) in [("C-1", "mmol/L"), ("C-2", "\u{B5}mol/L"), ("C-3", "mmol/L")] {
        let mut records = invented(sample, "20261122101500", &[7]);
        records[2] = format!("O|1|{sample}||^^^T1|R");
        records[3] = records[3].replace("mmol/L", unit);
        send(&gateway, records).await;
    }
    holds(&engine, 3).await;
    holds(&second, 2).await;
    // The marks of what was delivered may still be on their way into the journal.
    let mut applied = gateway.store.applied();
    let marked = async {
        while gateway.store.state().queue("second").is_none_or(|queue| !queue.waiting.is_empty()) {
            applied.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, marked).await.unwrap();
    is_parked(&gateway.store.state());
    gateway.stop().await;
    let samples = |engine: &Engine| -> Vec<String> {
        let all = bodies(engine).into_iter().map(|b| field(one(&segments(&b), "SPM"), 2).to_owned());
        all.collect()
    };
    assert_eq!(samples(&engine), ["C-1", "C-2", "C-3"]);
    assert_eq!(samples(&second), ["C-1", "C-3"]);
    assert_eq!(field(one(&segments(&bodies(&second)[0]), "MSH"), 18), "ASCII");
}

/// One message is parked for `second` alone, and says why.
fn is_parked(state: &State) {
    let queue = state.queue("second").unwrap();
    assert_eq!(queue.parked.len(), 1);
    let (_, why) = queue.parked.values().next().unwrap();
    assert!(
        why.starts_with("OBX-6 has a character that second's charset, ASCII, does not have, so it was"),
        "{why}"
    );
    assert!(state.queue("engine").unwrap().parked.is_empty());
    let counts = state.ledger().map(|(_, counts)| (counts.observations, counts.sent, counts.held));
    assert_eq!(counts.collect::<Vec<_>>(), [(3, 3, 0)]);
}
