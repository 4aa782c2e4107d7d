//! Holds by the site's rules, and what people do with them: release, redrive, discard; and what a later message settles.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use orugate::admin::{HoldView, Request, Response};
use orugate::clock::Clock;
use orugate::convert::HoldReason;
use orugate::engine::Engine;
use orugate::run::{Gateway, init_journal};
use orugate_tests::oru::{field, segments};
use orugate_tests::sender::{Sender, invented};
use orugate_tests::world::{PATIENCE, Plug, configuration, plan};
use std::net::SocketAddr;
use tempfile::TempDir;

/// A gateway with one instrument of these rules, and its engine.
struct Lab {
    folder: TempDir,
    engine: Engine,
    gateway: Gateway,
}

const STAMP: &str = "20261122101500";

fn text(folder: &TempDir, engine: &Engine, rules: &str, more: &str) -> String {
    let text = configuration(folder.path(), engine.address(), &[("analyzer", "generic-astm", Plug::Tcp)]);
    let text = text.replace("role = \"lis\"", &format!("role = \"lis\"\n{more}"));
    format!("{text}{rules}\n")
}

impl Lab {
    async fn with(rules: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::start(Clock::system(0)).unwrap();
        let plan = plan(folder.path(), &text(&folder, &engine, rules, more));
        std::fs::create_dir(&plan.journal.path).unwrap();
        init_journal(&plan.journal.path, Clock::system(0).utc()).unwrap();
        let gateway = Gateway::start(plan, Clock::system).await.unwrap();
        Self { folder, engine, gateway }
    }

    async fn new(rules: &str) -> Self {
        Self::with(rules, "").await
    }

    /// Other rules take the place of those in force.
    async fn correct(&self, rules: &str) {
        let mut plan = plan(self.folder.path(), &text(&self.folder, &self.engine, rules, ""));
        let running = self.gateway.lineup();
        plan.instruments[0].wire = running.instruments[0].plan.wire.clone();
        self.gateway.reload(plan, "uid 0").await;
    }

    fn address(&self) -> SocketAddr {
        self.gateway.listening()["analyzer"]
    }

    /// Sends a message and waits until it is interpreted.
    async fn send(&self, records: Vec<String>) {
        let (address, before) = (self.address(), self.messages());
        let sent = tokio::task::spawn_blocking(move || {
            Sender::connect(address).unwrap().message(&records, &mut |_| {}).unwrap();
        });
        sent.await.unwrap();
        self.until(|lab| lab.messages() > before).await;
    }

    /// The same, but the cable is pulled after the last but one record.
    async fn send_a_part(&self, records: Vec<String>) {
        let (address, before) = (self.address(), self.messages());
        let sent = tokio::task::spawn_blocking(move || {
            let whole = records.len() - 1;
            let mut sender = Sender::connect(address).unwrap();
            let texts = records
                .into_iter()
                .take(whole)
                .map(|record| (format!("{record}\r"), orugate_protocol::astm::link::FrameEnd::Etx));
            // The end never comes: the connection breaks instead.
            sender.begin(texts, &mut |_| {}).unwrap();
        });
        sent.await.unwrap();
        self.until(|lab| lab.messages() > before).await;
    }

    fn messages(&self) -> u64 {
        self.gateway.store.state().ledger().map(|(_, counts)| counts.messages).sum()
    }

    async fn until(&self, so: impl Fn(&Self) -> bool) {
        let mut applied = self.gateway.store.applied();
        let wait = async {
            while !so(self) {
                applied.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap();
    }

    async fn ask(&self, request: Request) -> Response {
        self.gateway.admin.answer(request, "uid 1000").await
    }

    async fn holds(&self) -> Vec<HoldView> {
        match self.ask(Request::Holds).await {
            Response::Holds(holds) => holds,
            other => panic!("{other:?}"),
        }
    }

    /// Code and number of results of each.
    async fn held(&self) -> Vec<(String, usize)> {
        self.holds().await.into_iter().map(|hold| (hold.reason, hold.results)).collect()
    }

    async fn release(&self, hold: u64, sample: Option<&str>, anyway: bool) -> Response {
        self.ask(Request::Release { hold, sample: sample.map(str::to_owned), anyway }).await
    }

    /// What the engine has once it has so many: sample id and values of each.
    async fn sent(&self, orus: usize) -> Vec<(String, String)> {
        let mut counts = self.engine.watch();
        let so = counts.wait_for(|counts| counts.distinct >= orus as u64);
        tokio::time::timeout(PATIENCE, so).await.unwrap().unwrap();
        let bodies = self.engine.messages();
        let told = bodies.iter().map(|message| {
            let segments = segments(&message.bytes);
            let of = |name: &str, at| {
                let all = segments.iter().filter(|s| s.starts_with(name)).map(|s| field(s, at).to_owned());
                all.collect::<Vec<_>>().join(" ")
            };
            (of("SPM", 2), of("OBX", 5))
        });
        told.collect()
    }

    /// Nothing is lost or doubled, by the journal's own count.
    fn balances(&self) {
        let state = self.gateway.store.state();
        for (name, counts) in state.ledger() {
            assert_eq!(counts.difference(), 0, "{name}: {counts:?}");
        }
    }
}

fn codes(expected: &[(HoldReason, usize)]) -> Vec<(String, usize)> {
    expected.iter().map(|(reason, n)| (reason.code().to_owned(), *n)).collect()
}

fn pair(sample: &str, values: &str) -> (String, String) {
    (sample.to_owned(), values.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_id_that_is_none_of_the_site_waits_and_a_person_knows_better() {
    let lab = Lab::new(r#"sample_id = { pattern = '\d{2}-\d{6}', check = "mod10" }"#).await;
    // 24-118835 has its check digit; 24-118836 has another's, and T-1 another form.
    assert!(orugate::convert::CheckDigit::Mod10.fits("24-118835"), "the check digit of this test");
    lab.send(invented("24-118835", STAMP, &[1])).await;
    lab.send(invented("24-118836", STAMP, &[2])).await;
    lab.send(invented("T-1", STAMP, &[3])).await;
    // Another run: one of the same time under an id that a person enters would overtake what waits under it.
    lab.send(invented("", "20261122101600", &[4])).await;
    let rule = HoldReason::SampleIdRule;
    assert_eq!(lab.held().await, codes(&[(rule, 1), (rule, 1), (HoldReason::NoSampleId, 1)]));
    let holds: Vec<u64> = lab.holds().await.iter().map(|hold| hold.hold).collect();

    // Typed ids are tried by the same rule.
    let refused = lab.release(holds[2], Some("24-118836"), false).await;
    assert!(
        matches!(&refused, Response::Refused(why) if why.contains("--anyway") && why.contains("check digit")),
        "{refused:?}"
    );
    assert!(matches!(lab.release(holds[2], Some("24-118836"), true).await, Response::Done(_)));
    // The tube says something else than the instrument; and the label really is so.
    assert!(matches!(lab.release(holds[0], Some("24-118835"), false).await, Response::Done(_)));
    assert!(matches!(lab.release(holds[1], None, false).await, Response::Done(_)));
    let sent = lab.sent(4).await;
    let expected = [("24-118835", "1"), ("24-118836", "4"), ("24-118835", "2"), ("T-1", "3")];
    assert_eq!(sent, expected.map(|(sample, value)| pair(sample, value)));
    assert_eq!(lab.held().await, []);
    lab.balances();
    lab.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_overruled_is_one_rule_and_not_the_next() {
    let rules = "sample_id = { pattern = 'T.*' }\nimpossible_time = { ahead = \"24 h\" }";
    let lab = Lab::new(rules).await;
    // A form that is wrong, and a time that cannot be.
    lab.send(invented("X-1", "19980401120000", &[7])).await;
    assert_eq!(lab.held().await, codes(&[(HoldReason::SampleIdRule, 1)]));
    let first = lab.holds().await.remove(0);
    let again = lab.release(first.hold, None, false).await;
    assert!(matches!(&again, Response::Done(text) if text.contains("held anew")), "{again:?}");
    assert_eq!(lab.held().await, codes(&[(HoldReason::ImpossibleTime, 1)]));
    let second = lab.holds().await.remove(0);
    assert_eq!(second.since, first.since, "it waits as long as before");
    // The form is still wrong, and nobody overrules it now: it is the first rule's again.
    lab.release(second.hold, None, false).await;
    assert_eq!(lab.held().await, codes(&[(HoldReason::SampleIdRule, 1)]));
    // With another sample id and the time as it is, it goes.
    let third = lab.holds().await.remove(0).hold;
    lab.release(third, Some("T-1"), false).await;
    lab.correct("impossible_time = { ahead = \"24 h\" }").await;
    let fourth = lab.holds().await.remove(0).hold;
    assert!(matches!(lab.release(fourth, None, false).await, Response::Done(_)));
    assert_eq!(lab.sent(1).await, [pair("X-1", "7")]);
    lab.balances();
    lab.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_another_instrument_is_one_hold_however_many_orders_it_has() {
    let lab = Lab::new("identity = { model = \"RIG\" }").await;
    let records = |model: &str| -> Vec<String> {
        let mut records = invented("A", STAMP, &[1, 2]);
        records[0] = format!("H|\\^&|||{model}|||||||P|1|{STAMP}");
        let second = invented("B", STAMP, &[3]);
        records.pop();
        records.extend(second.into_iter().skip(2));
        records
    };
    lab.send(records("RIG^1")).await;
    lab.send(records("OTHER^1")).await;
    lab.send(records("")).await;
    let other = HoldReason::OtherInstrument;
    assert_eq!(lab.held().await, codes(&[(other, 3), (other, 3)]));
    // A redrive changes nothing as long as the pin is what it is.
    let hold = lab.holds().await[0].hold;
    let waits = lab.ask(Request::Redrive { hold }).await;
    assert!(matches!(&waits, Response::Waits(_)), "{waits:?}");
    assert_eq!(lab.holds().await[0].hold, hold, "it is the same hold");
    assert!(matches!(lab.release(hold, None, false).await, Response::Done(_)));
    let mut sent = lab.sent(4).await;
    sent.sort();
    assert_eq!(sent, [pair("A", "1 2"), pair("A", "1 2"), pair("B", "3"), pair("B", "3")]);
    lab.balances();
    lab.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redrive_sends_what_is_to_be_held_no_more_once_and_leaves_the_rest() {
    let lab = Lab::new("sample_id = { pattern = 'A.*' }").await;
    for (sample, value) in [("B-1", 1), ("B-2", 2), ("C-3", 3), ("", 4)] {
        lab.send(invented(sample, STAMP, &[value])).await;
    }
    let before = lab.holds().await;
    lab.correct("sample_id = { pattern = 'B.*' }").await;
    // Two people at once, and each twice: every result goes once.
    let holds: Vec<u64> = before.iter().map(|hold| hold.hold).collect();
    let redrive = async |hold: u64| lab.ask(Request::Redrive { hold }).await;
    for hold in &holds {
        tokio::join!(redrive(*hold), redrive(*hold));
    }
    let left = lab.holds().await;
    let same: Vec<(u64, i64)> = left.iter().map(|hold| (hold.hold, hold.since)).collect();
    let expected: Vec<(u64, i64)> = before[2..].iter().map(|hold| (hold.hold, hold.since)).collect();
    assert_eq!(same, expected, "what waits keeps its number and its age");
    assert_eq!(lab.sent(2).await, [pair("B-1", "1"), pair("B-2", "2")]);
    lab.balances();
    // After a restart it is the same: nothing was only in memory.
    let Lab { folder, engine, gateway } = lab;
    gateway.stop().await;
    let plan = plan(folder.path(), &text(&folder, &engine, "", ""));
    let gateway = Gateway::start(plan, Clock::system).await.unwrap();
    let lab = Lab { folder, engine, gateway };
    assert_eq!(lab.held().await, codes(&[(HoldReason::SampleIdRule, 1), (HoldReason::NoSampleId, 1)]));
    for hold in &expected {
        lab.ask(Request::Redrive { hold: hold.0 }).await;
    }
    assert_eq!(lab.held().await, codes(&[(HoldReason::NoSampleId, 1)]));
    assert_eq!(lab.sent(3).await[2], pair("C-3", "3"));
    let gone = lab.ask(Request::Redrive { hold: holds[0] }).await;
    assert!(matches!(&gone, Response::Refused(why) if why.contains("orugate trace")), "{gone:?}");
    lab.balances();
    lab.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_copy_settles_what_broke_off() {
    let lab = Lab::new("incomplete = \"hold\"").await;
    lab.send_a_part(invented("S-1", STAMP, &[1, 2])).await;
    assert_eq!(lab.held().await, codes(&[(HoldReason::Incomplete, 2)]));
    // Of another sample's message nothing is settled.
    lab.send(invented("S-2", STAMP, &[5, 6])).await;
    assert_eq!(lab.held().await.len(), 1);
    lab.send(invented("S-1", STAMP, &[1, 2])).await;
    assert_eq!(lab.held().await, []);
    assert_eq!(lab.sent(2).await, [pair("S-2", "5 6"), pair("S-1", "1 2")]);
    let counts = lab.gateway.store.state().ledger().map(|(_, counts)| *counts).next().unwrap();
    assert_eq!((counts.observations, counts.sent, counts.superseded, counts.held), (6, 4, 2, 0));
    lab.balances();
    // Without the rule what came goes out, with a remark.
    lab.correct("").await;
    lab.send_a_part(invented("S-3", STAMP, &[9])).await;
    assert_eq!(lab.sent(3).await[2], pair("S-3", "9"));
    lab.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_may_send_what_broke_off() {
    let lab = Lab::new("incomplete = \"hold\"").await;
    lab.send_a_part(invented("S-1", STAMP, &[1])).await;
    let hold = lab.holds().await.remove(0);
    assert_eq!(hold.commands[0], format!("orugate holds release {}", hold.hold));
    assert!(matches!(lab.release(hold.hold, None, false).await, Response::Done(_)));
    assert_eq!(lab.sent(1).await, [pair("S-1", "1")]);
    lab.balances();
    lab.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_again_in_part_is_left_out_and_the_rest_can_be_released() {
    let lab = Lab::new("incomplete = \"hold\"").await;
    lab.send_a_part(invented("S-1", STAMP, &[1, 2, 3])).await;
    // The second and third, with other values and the same run.
    let mut records = invented("S-1", STAMP, &[0, 20, 30]);
    records.remove(3);
    lab.send(records).await;
    let hold = lab.holds().await.remove(0);
    assert_eq!((hold.results, hold.overtaken), (3, 2));
    assert!(matches!(lab.release(hold.hold, None, false).await, Response::Done(_)));
    assert_eq!(lab.sent(2).await, [pair("S-1", "20 30"), pair("S-1", "1")]);
    let counts = lab.gateway.store.state().ledger().map(|(_, counts)| *counts).next().unwrap();
    assert_eq!((counts.sent, counts.superseded, counts.held), (3, 2, 0));
    lab.balances();
    lab.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_control_is_no_rules_question() {
    let rules = "sample_id = { pattern = 'T.*' }\nidentity = { model = \"OTHER\" }\nimpossible_time = { ahead = \"1 h\" }";
    let lab = Lab::new(rules).await;
    let mut records = invented("LEVEL-1", "19990101120000", &[1]);
    records[0] = format!("H|\\^&|||RIG^1|||||||Q|1|{STAMP}");
    lab.send(records).await;
    assert_eq!(lab.held().await, []);
    let counts = lab.gateway.store.state().ledger().map(|(_, counts)| *counts).next().unwrap();
    assert_eq!((counts.observations, counts.qc), (1, 1));
    lab.gateway.stop().await;
}
