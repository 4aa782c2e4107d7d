//! A bad instrument and a bad engine cannot hurt their neighbours; 32 instruments and four engines at once.
//!
//! Promises: a session that panics, loops, or asks for things without end costs its own wire and nothing that it
//! acknowledged; an interpreter that loops holds up its own instrument only; an engine that is silent keeps its own
//! queue. Whether a neighbour is held up is asked without a clock: what loops here ends only after the neighbour's
//! result has arrived. Leaves out how long anything takes; `tests/bench` measures that.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test that cannot go on has failed.

use orugate::admin::{Request, Response, Status};
use orugate::clock::Clock;
use orugate::conditions::Code;
use orugate::config::{Plan, WirePlan};
use orugate::engine::{Behaviour, Engine};
use orugate::run::{Gateway, init_journal};
use orugate::status::Line;
use orugate_tests::breaking::Breaking;
use orugate_tests::oru::results;
use orugate_tests::sender::{Sender, invented};
use orugate_tests::world::{PATIENCE, Plug, configuration, plan};
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::time::timeout;

async fn begin(plan: Plan) -> Gateway {
    std::fs::create_dir(&plan.journal.path).unwrap();
    init_journal(&plan.journal.path, Clock::system(0).utc()).unwrap();
    Gateway::start(plan, Clock::system).await.unwrap()
}

/// A gateway with an instrument whose driver breaks until it is mended, and a sound neighbour.
struct Pair {
    folder: tempfile::TempDir,
    engine: Engine,
    gateway: Gateway,
    mended: Arc<AtomicBool>,
}

impl Pair {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::start(Clock::system(0)).unwrap();
        let mended = Arc::new(AtomicBool::new(false));
        let gateway = begin(bad_and_good(folder.path(), &engine, &mended)).await;
        Self { folder, engine, gateway, mended }
    }

    /// Reloads with another wire for the bad one, which listens here; gives what failed.
    async fn listens(&self, bind: SocketAddr) -> Vec<String> {
        let mut plan = bad_and_good(self.folder.path(), &self.engine, &self.mended);
        let fixed = [bind, self.gateway.listening()["good"]];
        for (instrument, here) in plan.instruments.iter_mut().zip(fixed) {
            if let WirePlan::Listen { bind, .. } = &mut instrument.wire {
                *bind = here;
            }
        }
        timeout(PATIENCE, self.gateway.reload(plan, "test")).await.unwrap().failed
    }

    /// Takes a thread of the bad one, and waits until its port has another.
    async fn lose_a_thread(&self, bind: SocketAddr, sample: &str) {
        let status = self.gateway.lineup().instrument("bad").unwrap().status.clone();
        let (acknowledged, sent) = send(bind, breaking(sample, 5, "SESSION-LOOPS")).await;
        assert_eq!((acknowledged, sent.unwrap_err().kind()), (4, io::ErrorKind::UnexpectedEof));
        let given_up = |line: &Line| matches!(line, Line::Down(why) if why.contains("did not come back"));
        let mut changes = status.changed();
        let given_up = changes.wait_for(|view| given_up(&view.line) || view.line == Line::Starting);
        timeout(PATIENCE, given_up).await.unwrap().unwrap();
    }

    /// Sends a message; gives how many records were acknowledged.
    async fn send(&self, instrument: &str, records: Vec<String>) -> (usize, io::Result<()>) {
        send(self.gateway.listening()[instrument], records).await
    }

    async fn arrived(&self, distinct: u64) {
        let mut counts = self.engine.watch();
        timeout(PATIENCE, counts.wait_for(|c| c.distinct >= distinct)).await.unwrap().unwrap();
    }

    async fn status(&self) -> Status {
        match self.gateway.admin.answer(Request::Status, "uid 0").await {
            Response::Status(status) => *status,
            other => panic!("{other:?}"),
        }
    }

    /// Sample and value of all that arrived, sorted.
    fn came(&self) -> Vec<(String, String)> {
        let messages = self.engine.messages();
        let mut came: Vec<_> =
            messages.iter().flat_map(|m| results(&m.bytes)).map(|r| (r.sample, r.value)).collect();
        came.sort();
        came
    }
}

fn bad_and_good(folder: &Path, engine: &Engine, mended: &Arc<AtomicBool>) -> Plan {
    let instruments = [("bad", "generic-astm", Plug::Tcp), ("good", "generic-astm", Plug::Tcp)];
    let mut plan = plan(folder, &configuration(folder, engine.address(), &instruments));
    plan.instruments[0].profile = Arc::new(Breaking::new(mended.clone()));
    plan
}

async fn send(address: SocketAddr, records: Vec<String>) -> (usize, io::Result<()>) {
    let sending = tokio::task::spawn_blocking(move || {
        let mut acknowledged = 0;
        let sent =
            Sender::connect(address).and_then(|mut s| s.message(&records, &mut |n| acknowledged = n + 1));
        (acknowledged, sent)
    });
    sending.await.unwrap()
}

fn message(sample: &str, value: u64) -> Vec<String> {
    invented(sample, "20261122101500", &[value])
}

/// A message with a comment behind its result that breaks the session, after four records were acknowledged.
fn breaking(sample: &str, value: u64, how: &str) -> Vec<String> {
    let mut records = message(sample, value);
    records.insert(4, format!("C|1|I|{how}"));
    records
}

fn pair(sample: &str, value: &str) -> (String, String) {
    (sample.to_owned(), value.to_owned())
}

/// A session that panics or asks on: what was acknowledged of its message arrives, and the next connection works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_fails_loses_its_wire_and_nothing_else() {
    for how in ["SESSION-PANICS", "SESSION-ASKS-ON"] {
        let pair_of = Pair::start().await;
        // The neighbour is in the middle of a message when it happens, and ends it on the same connection.
        let mut neighbour = message("GOOD-1", 7);
        let (begun, rest) = (pair_of.gateway.listening()["good"], neighbour.split_off(3));
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let going = tokio::task::spawn_blocking(move || {
            neighbour.extend(rest);
            Sender::connect(begun).unwrap().message(&neighbour, &mut |n| {
                if n == 2 {
                    gone.recv().unwrap();
                }
            })
        });
        let (acknowledged, sent) = pair_of.send("bad", breaking("BAD-1", 5, how)).await;
        // Its wire is closed; what the session asked for after it went wrong is not sent.
        let hung_up = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset];
        let sent = sent.unwrap_err();
        assert!(acknowledged == 4 && hung_up.contains(&sent.kind()), "{how}: {acknowledged}, {sent}");
        go.send(()).unwrap();
        going.await.unwrap().unwrap();
        let (_, again) = pair_of.send("bad", message("BAD-2", 6)).await;
        again.unwrap();
        pair_of.arrived(3).await;
        assert_eq!(pair_of.came(), [pair("BAD-1", "5"), pair("BAD-2", "6"), pair("GOOD-1", "7")], "{how}");
        let status = pair_of.status().await;
        let told: Vec<_> =
            status.conditions.iter().filter(|c| c.code == Code::DriverFailed).map(|c| &c.subject).collect();
        assert_eq!(told, ["bad"], "{how}");
        assert!(!status.conditions.iter().any(|c| c.to_string().contains("TEST")), "{:?}", status.conditions);
        pair_of.gateway.stop().await;
    }
}

/// A session that comes to no end is left behind; its instrument gets another one, and the neighbour notices nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_loops_is_left_behind() {
    let pair_of = Pair::start().await;
    let bad = tokio::spawn(send(pair_of.gateway.listening()["bad"], breaking("BAD-1", 5, "SESSION-LOOPS")));
    // These arrive while the other one loops: it does so until it is mended, below.
    for n in 0..10 {
        let (_, sent) = pair_of.send("good", message(&format!("GOOD-{n}"), n)).await;
        sent.unwrap();
    }
    pair_of.arrived(10).await;
    // The gateway gives the thread up, and what was acknowledged of its message arrives.
    pair_of.arrived(11).await;
    let (_, sent) = pair_of.send("bad", message("BAD-2", 6)).await;
    sent.unwrap();
    pair_of.arrived(12).await;
    let status = pair_of.status().await;
    let condition = status.conditions.iter().find(|c| c.code == Code::DriverFailed).unwrap();
    assert!(condition.text.contains("did not come back"), "{condition}");
    // The connection that the lost thread held was shut down for it: an instrument that keeps one would wait for ever.
    let (acknowledged, sent) = bad.await.unwrap();
    assert_eq!((acknowledged, sent.unwrap_err().kind()), (4, io::ErrorKind::UnexpectedEof));
    // It comes back at last, and does nothing more: its record is not stored, its message stays as it was.
    pair_of.mended.store(true, Ordering::Relaxed);
    let (_, sent) = pair_of.send("bad", message("BAD-3", 8)).await;
    sent.unwrap();
    pair_of.arrived(13).await;
    let came = pair_of.came();
    assert_eq!(came[..3], [pair("BAD-1", "5"), pair("BAD-2", "6"), pair("BAD-3", "8")]);
    assert_eq!(came.len(), 13);
    pair_of.gateway.stop().await;
}

/// A lost thread does not keep the address of its instrument: its wire can be changed by a reload.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thread_left_behind_keeps_no_address_from_a_reload() {
    let pair_of = Pair::start().await;
    let bind = pair_of.gateway.listening()["bad"];
    pair_of.lose_a_thread(bind, "BAD-1").await;
    assert_eq!(pair_of.listens(bind).await, Vec::<String>::new());
    send(bind, message("BAD-2", 6)).await.1.unwrap();
    pair_of.arrived(2).await;
    assert_eq!(pair_of.came(), [pair("BAD-1", "5"), pair("BAD-2", "6")]);
    pair_of.mended.store(true, Ordering::Relaxed);
    pair_of.gateway.stop().await;
}

/// Nor one that the lost thread had come to by itself, because it was taken at first: the next thread takes it, and so
/// does a reload.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thread_left_behind_keeps_no_address_that_it_took_itself() {
    let pair_of = Pair::start().await;
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let bind = other.local_addr().unwrap();
    assert_eq!(pair_of.listens(bind).await.len(), 1);
    let status = pair_of.gateway.lineup().instrument("bad").unwrap().status.clone();
    let mut changes = status.changed();
    drop(other);
    let heard = changes.wait_for(|view| view.line == Line::Starting);
    timeout(PATIENCE, heard).await.unwrap().unwrap();
    pair_of.lose_a_thread(bind, "BAD-1").await;
    let heard = changes.wait_for(|view| view.line == Line::Starting);
    timeout(PATIENCE, heard).await.unwrap().unwrap();
    pair_of.lose_a_thread(bind, "BAD-2").await;
    assert_eq!(pair_of.listens(bind).await, Vec::<String>::new());
    send(bind, message("BAD-3", 6)).await.1.unwrap();
    pair_of.arrived(3).await;
    assert_eq!(pair_of.came(), [pair("BAD-1", "5"), pair("BAD-2", "5"), pair("BAD-3", "6")]);
    pair_of.mended.store(true, Ordering::Relaxed);
    pair_of.gateway.stop().await;
}

/// An interpreter that comes to no end with messages of one instrument holds up no message of another; after two such
/// messages the rest of its instrument is held unread, so that it costs no further core.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interpreter_that_loops_holds_up_its_own_instrument_only() {
    let pair_of = Pair::start().await;
    for sample in ["BAD-1", "BAD-2", "BAD-3"] {
        let (_, sent) = pair_of.send("bad", message(sample, 999)).await;
        sent.unwrap();
    }
    // While the first is at hand: nothing of the bad instrument can be settled before these arrive, or it would be
    // held by now.
    for n in 0..5 {
        let (_, sent) = pair_of.send("good", message(&format!("GOOD-{n}"), n)).await;
        sent.unwrap();
    }
    pair_of.arrived(5).await;
    let store = pair_of.gateway.store.clone();
    let mut applied = store.applied();
    let all_held = async {
        while store.state().holds().count() < 3 {
            applied.changed().await.unwrap();
        }
    };
    timeout(PATIENCE, all_held).await.unwrap();
    let sentences: Vec<_> = store.state().holds().map(|(_, h)| h.hold.sentence.clone()).collect();
    assert!(sentences[0].contains("no end with this message"), "{sentences:?}");
    assert!(sentences[1].contains("no end with this message"), "{sentences:?}");
    assert!(sentences[2].contains("was not given to it"), "{sentences:?}");
    pair_of.mended.store(true, Ordering::Relaxed);
    pair_of.gateway.stop().await;
    assert_eq!(pair_of.engine.messages().len(), 5);
}

/// A driver that is only slow: its message is put behind the others', and then it arrives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_interpretation_is_taken_up_again() {
    let pair_of = Pair::start().await;
    let (_, sent) = pair_of.send("bad", message("BAD-1", 999)).await;
    sent.unwrap();
    let (_, sent) = pair_of.send("bad", message("BAD-2", 6)).await;
    sent.unwrap();
    let (_, sent) = pair_of.send("good", message("GOOD-1", 7)).await;
    sent.unwrap();
    pair_of.arrived(1).await;
    pair_of.mended.store(true, Ordering::Relaxed);
    pair_of.arrived(3).await;
    let samples: Vec<_> =
        pair_of.engine.messages().iter().map(|m| results(&m.bytes)[0].sample.clone()).collect();
    assert_eq!(samples, ["GOOD-1", "BAD-1", "BAD-2"], "an instrument's own order is kept");
    assert_eq!(pair_of.gateway.store.state().holds().count(), 0);
    pair_of.gateway.stop().await;
}

const INSTRUMENTS: usize = 32;
const MESSAGES: usize = 6;

/// 32 instruments send at once to four engines; one of these answers nothing, and one driver loops meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_two_instruments_and_four_destinations_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let engines: Vec<Engine> = (0..4).map(|_| Engine::start(Clock::system(0)).unwrap()).collect();
    engines[3].otherwise(Behaviour::Silent);
    let instruments: Vec<(String, &str, Plug)> =
        (0..INSTRUMENTS).map(|n| (format!("analyzer-{n}"), "generic-astm", Plug::Tcp)).collect();
    let instruments: Vec<_> = instruments.iter().map(|(n, p, w)| (n.as_str(), *p, w.clone())).collect();
    let mut text = configuration(folder.path(), engines[0].address(), &instruments);
    for (n, engine) in engines.iter().enumerate().skip(1) {
        let _ = write!(
            text,
            "[[destination]]\nname = \"engine-{n}\"\nrole = \"lis\"\n\
             receiving = {{ application = \"ENGINE{n}\", facility = \"HOSP\" }}\nmllp = {{ address = \"{}\" }}\n",
            engine.address()
        );
    }
    let text = text.replace(
        "send_to = [\"engine\"]",
        "send_to = [\"engine\", \"engine-1\", \"engine-2\", \"engine-3\"]",
    );
    let mut plan = plan(folder.path(), &text);
    let mended = Arc::new(AtomicBool::new(false));
    plan.instruments[0].profile = Arc::new(Breaking::new(mended.clone()));
    let gateway = begin(plan).await;

    let stuck = tokio::spawn(send(gateway.listening()["analyzer-0"], breaking("STUCK", 1, "SESSION-LOOPS")));
    let mut senders = Vec::new();
    for n in 1..INSTRUMENTS {
        let address = gateway.listening()[format!("analyzer-{n}").as_str()];
        senders.push(tokio::task::spawn_blocking(move || {
            let mut sender = Sender::connect(address).unwrap();
            for m in 0..MESSAGES {
                let value = u64::try_from(n * 100 + m).unwrap();
                let sample = format!("S-{n}-{m}");
                sender.message(&message(&sample, value), &mut |_| {}).unwrap();
            }
        }));
    }
    for sender in senders {
        sender.await.unwrap();
    }
    let expected = (INSTRUMENTS - 1) * MESSAGES;
    for engine in &engines[..3] {
        let mut counts = engine.watch();
        let all = counts.wait_for(|c| c.distinct >= expected as u64);
        timeout(PATIENCE, all).await.unwrap().unwrap();
        let mut came: Vec<_> = engine.messages().iter().flat_map(|m| results(&m.bytes)).collect();
        came.retain(|r| r.sample != "STUCK");
        came.sort();
        came.dedup();
        assert_eq!(came.len(), expected);
        for r in came {
            let (n, m) = r.sample[2..].split_once('-').unwrap();
            let (n, m): (usize, usize) = (n.parse().unwrap(), m.parse().unwrap());
            assert_eq!(r.value, (n * 100 + m).to_string(), "{}", r.sample);
        }
    }
    // The silent one got the first message and no other, and keeps its own queue.
    assert_eq!(engines[3].counts().distinct, 1);
    assert!(gateway.store.state().queue("engine-3").unwrap().waiting.len() >= expected);
    let difference: i64 = gateway.store.state().ledger().map(|(_, c)| c.difference()).sum();
    assert_eq!(difference, 0);
    mended.store(true, Ordering::Relaxed);
    let _ = stuck.await.unwrap();
    gateway.stop().await;
}
