//! A running gateway gets another configuration: nothing is lost or doubled by it, and what did not change goes on.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use orugate::admin::{Request, Response};
use orugate::clock::Clock;
use orugate::conditions::Code;
use orugate::config::{Plan, Takes, WirePlan};
use orugate::engine::{Behaviour, Engine};
use orugate::run::{Gateway, init_journal};
use orugate::status::Line;
use orugate_tests::sender::{Sender, invented};
use orugate_tests::world::{self, PATIENCE};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::timeout;

/// What a test writes: instruments as (name, mode, allow, destinations), destinations as (name, engine, options).
struct Text {
    instruments: Vec<(&'static str, &'static str, &'static str, &'static str)>,
    destinations: Vec<(&'static str, SocketAddr, &'static str)>,
}

impl Text {
    fn plan(&self, folder: &Path) -> Plan {
        let folder_name = folder.display();
        let mut text = format!(
            "version = 1\n[gateway]\nid = \"TEST\"\nfacility = \"LAB\"\ntimezone = \"UTC\"\n\
             admin_socket = \"{folder_name}/admin.sock\"\n[journal]\npath = \"{folder_name}/journal\"\n"
        );
        for (name, address, options) in &self.destinations {
            let _ = write!(
                text,
                "[[destination]]\nname = \"{name}\"\nrole = \"lis\"\nreceiving = {{ application = \"E\", facility = \"H\" \
                 }}\nmllp = {{ address = \"{address}\" }}\n{options}\n"
            );
        }
        for (number, (name, mode, allow, send_to)) in (1..).zip(&self.instruments) {
            let _ = write!(
                text,
                "[[instrument]]\nname = \"{name}\"\nprofile = \"generic-astm\"\nmode = \"{mode}\"\n\
                 wire = {{ listen = \"127.0.0.1:{number}\", allow = [{allow}] }}\nsend_to = [{send_to}]\n"
            );
        }
        world::plan(folder, &text)
    }
}

const HERE: &str = "\"127.0.0.1\"";

fn analyzer(send_to: &'static str) -> (&'static str, &'static str, &'static str, &'static str) {
    ("analyzer", "live", HERE, send_to)
}

async fn start(plan: Plan) -> Gateway {
    if !plan.journal.path.exists() {
        std::fs::create_dir(&plan.journal.path).unwrap();
        init_journal(&plan.journal.path, Clock::system(0).utc()).unwrap();
    }
    Gateway::start(plan, Clock::system).await.unwrap()
}

fn folder_and_engine() -> (TempDir, Engine) {
    (tempfile::tempdir().unwrap(), Engine::start(Clock::system(0)).unwrap())
}

async fn send(address: SocketAddr, sample: String) {
    let sent = tokio::task::spawn_blocking(move || {
        let records = invented(&sample, "20261122101500", &[7]);
        Sender::connect(address).unwrap().message(&records, &mut |_| {}).unwrap();
    });
    sent.await.unwrap();
}

async fn has(engine: &Engine, messages: u64) {
    let mut counts = engine.watch();
    let so = counts.wait_for(|counts| counts.distinct >= messages);
    timeout(PATIENCE, so).await.unwrap().unwrap();
}

/// Asked again after every batch of the journal.
async fn until(gateway: &Gateway, what: &str, so: impl Fn(&Gateway) -> bool) {
    let mut applied = gateway.store.applied();
    let waited = timeout(PATIENCE, async {
        while !so(gateway) {
            applied.changed().await.unwrap();
        }
    });
    assert!(waited.await.is_ok(), "waited in vain for {what}");
}

fn balanced(gateway: &Gateway) {
    for (name, counts) in gateway.store.state().ledger() {
        assert_eq!(counts.difference(), 0, "{name}: {counts:?}");
    }
}

fn conditions(gateway: &Gateway) -> Vec<(Code, String)> {
    gateway.admin.look();
    gateway.admin.conditions.list().into_iter().map(|c| (c.code, c.to_string())).collect()
}

/// A message during which something happens: between its second and third frame it waits for a word from here.
struct InTheMiddle {
    reached: mpsc::Receiver<()>,
    go_on: mpsc::Sender<()>,
    ended: tokio::task::JoinHandle<std::io::Result<Sender>>,
}

impl InTheMiddle {
    fn of_a_message(address: SocketAddr, sample: &str) -> Self {
        let records = invented(sample, "20261122101500", &[7, 8]);
        let ((tell, reached), (go_on, wait)) = (mpsc::channel(), mpsc::channel());
        let ended = tokio::task::spawn_blocking(move || {
            let mut sender = Sender::connect(address)?;
            sender.message(&records, &mut |frame| {
                if frame == 1 {
                    tell.send(()).unwrap();
                    wait.recv_timeout(PATIENCE).unwrap();
                }
            })?;
            Ok(sender)
        });
        Self { reached, go_on, ended }
    }

    async fn reached(self) -> Self {
        tokio::task::spawn_blocking(move || {
            self.reached.recv_timeout(PATIENCE).unwrap();
            self
        })
        .await
        .unwrap()
    }

    async fn goes_on(self) -> Sender {
        self.go_on.send(()).unwrap();
        timeout(PATIENCE, self.ended).await.unwrap().unwrap().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_the_wires_changes_under_an_open_message_and_the_next_has_the_same_connection() {
    let (folder, engine) = folder_and_engine();
    let test = Engine::start(Clock::system(0)).unwrap();
    let destinations = || vec![("engine", engine.address(), ""), ("test", test.address(), "accepts = \"T\"")];
    let mut text = Text { instruments: vec![analyzer("\"engine\", \"test\"")], destinations: destinations() };
    let gateway = start(text.plan(folder.path())).await;
    let middle = InTheMiddle::of_a_message(gateway.listening()["analyzer"], "R-1").reached().await;
    text.instruments[0].1 = "test";
    let applied = gateway.reload(text.plan(folder.path()), "test").await;
    assert_eq!(applied.difference.changes.len(), 1, "{applied:?}");
    assert_eq!(applied.difference.changes[0].takes, Takes::Live);
    // The message ends on the connection on which it began, and is read with the new configuration.
    let mut sender = middle.goes_on().await;
    has(&test, 1).await;
    let again = invented("R-2", "20261122101600", &[9]);
    tokio::task::spawn_blocking(move || sender.message(&again, &mut |_| {}).unwrap()).await.unwrap();
    has(&test, 2).await;
    assert_eq!(engine.counts().messages, 0, "a result of an instrument in test went to the live engine");
    balanced(&gateway);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_wire_takes_its_open_message_to_the_end_first() {
    let (folder, engine) = folder_and_engine();
    let mut text = Text {
        instruments: vec![analyzer("\"engine\"")],
        destinations: vec![("engine", engine.address(), "")],
    };
    let gateway = start(text.plan(folder.path())).await;
    let middle = InTheMiddle::of_a_message(gateway.listening()["analyzer"], "R-1").reached().await;
    text.instruments[0].2 = "\"127.0.0.1\", \"192.0.2.7\"";
    let plan = text.plan(folder.path());
    let (applied, _) = tokio::join!(gateway.reload(plan, "test"), middle.goes_on());
    assert_eq!(applied.difference.changes[0].takes, Takes::Connection);
    send(gateway.listening()["analyzer"], "R-2".to_owned()).await;
    has(&engine, 2).await;
    let counts = gateway.store.state().ledger().map(|(_, c)| *c).next().unwrap();
    assert_eq!((counts.messages, counts.observations, counts.sent), (2, 3, 3), "{counts:?}");
    gateway.stop().await;
    assert_eq!(engine.counts().messages, 2, "something was sent twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instruments_swap_their_addresses() {
    let (folder, engine) = folder_and_engine();
    let instruments = || vec![("one", "live", HERE, "\"engine\""), ("two", "live", HERE, "\"engine\"")];
    let text = Text { instruments: instruments(), destinations: vec![("engine", engine.address(), "")] };
    let gateway = start(text.plan(folder.path())).await;
    let before = gateway.listening();
    let mut plan = text.plan(folder.path());
    for (instrument, other) in plan.instruments.iter_mut().zip(["two", "one"]) {
        if let WirePlan::Listen { bind, .. } = &mut instrument.wire {
            *bind = before[other];
        }
    }
    let applied = gateway.reload(plan, "test").await;
    assert_eq!(applied.failed, Vec::<String>::new());
    let after = gateway.listening();
    assert_eq!((after["one"], after["two"]), (before["two"], before["one"]));
    send(before["one"], "S-1".to_owned()).await;
    has(&engine, 1).await;
    let messages: Vec<_> = {
        let state = gateway.store.state();
        state.ledger().map(|(name, c)| (name.to_owned(), c.messages)).collect()
    };
    assert_eq!(messages, [("two".to_owned(), 1)]);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_taken_costs_its_own_instrument_and_is_tried_again() {
    let (folder, engine) = folder_and_engine();
    let mut text = Text {
        instruments: vec![analyzer("\"engine\"")],
        destinations: vec![("engine", engine.address(), "")],
    };
    let gateway = start(text.plan(folder.path())).await;
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap();
    text.instruments.push(("late", "live", HERE, "\"engine\""));
    let mut plan = text.plan(folder.path());
    if let WirePlan::Listen { bind, .. } = &mut plan.instruments[1].wire {
        *bind = taken;
    }
    let applied = gateway.reload(plan, "test").await;
    assert_eq!(
        applied.failed,
        [format!("late: cannot listen on {taken}: another program listens there; ss -ltnp shows which")]
    );
    let told = conditions(&gateway);
    assert_eq!(told.iter().map(|(code, _)| *code).collect::<Vec<_>>(), [Code::LineDown], "{told:?}");
    send(gateway.listening()["analyzer"], "T-1".to_owned()).await;
    has(&engine, 1).await;

    let status = gateway.lineup().instrument("late").unwrap().status.clone();
    let mut changes = status.changed();
    drop(other);
    let heard = changes.wait_for(|view| !matches!(view.line, Line::Deaf(_)));
    timeout(PATIENCE, heard).await.unwrap().unwrap();
    send(taken, "T-2".to_owned()).await;
    has(&engine, 2).await;
    assert_eq!(conditions(&gateway), []);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_destination_keeps_its_messages_and_sends_them_when_it_is_back() {
    let (folder, engine) = folder_and_engine();
    let mut old = Engine::start(Clock::system(0)).unwrap();
    old.take_away().await;
    let with = Text {
        instruments: vec![analyzer("\"engine\", \"engine-old\"")],
        destinations: vec![("engine", engine.address(), ""), ("engine-old", old.address(), "")],
    };
    let without = Text {
        instruments: vec![analyzer("\"engine\"")],
        destinations: vec![("engine", engine.address(), "")],
    };
    let gateway = start(with.plan(folder.path())).await;
    send(gateway.listening()["analyzer"], "D-1".to_owned()).await;
    has(&engine, 1).await;
    until(&gateway, "the ORU for the old engine", |g| g.store.state().queue("engine-old").is_some()).await;

    gateway.reload(without.plan(folder.path()), "test").await;
    let told = conditions(&gateway);
    assert_eq!(
        told,
        [(
            Code::DestinationGone,
            "1 message waits for engine-old, which is no longer configured. Nothing is lost, and nothing goes out. Put \
             the destination engine-old back until its queue is empty; if it is gone for good, give them up: orugate \
             destination drop engine-old --reason \"…\""
                .to_owned()
        )]
    );
    // It says so after a restart too.
    gateway.stop().await;
    let gateway = start(without.plan(folder.path())).await;
    assert_eq!(conditions(&gateway), told);

    old.bring_back().unwrap();
    gateway.reload(with.plan(folder.path()), "test").await;
    has(&old, 1).await;
    until(&gateway, "the mark of the delivery", |g| {
        g.store.state().queue("engine-old").is_some_and(|q| q.waiting.is_empty())
    })
    .await;
    assert_eq!(conditions(&gateway), []);
    gateway.stop().await;
    assert_eq!((engine.counts().messages, old.counts().messages), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_in_flight_goes_to_the_new_address_as_it_was() {
    let (folder, engine) = folder_and_engine();
    let next = Engine::start(Clock::system(0)).unwrap();
    let text = |address| Text {
        instruments: vec![analyzer("\"engine\"")],
        destinations: vec![("engine", address, "")],
    };
    engine.otherwise(Behaviour::Silent);
    let gateway = start(text(engine.address()).plan(folder.path())).await;
    send(gateway.listening()["analyzer"], "F-1".to_owned()).await;
    has(&engine, 1).await;
    let applied = gateway.reload(text(next.address()).plan(folder.path()), "test").await;
    assert_eq!(applied.difference.changes[0].takes, Takes::Connection);
    has(&next, 1).await;
    let (was, is) = (engine.messages(), next.messages());
    assert_eq!((&was[0].id, &was[0].bytes), (&is[0].id, &is[0].bytes));
    gateway.stop().await;
    assert_eq!(next.counts().messages, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_removed_instrument_has_sent_is_worked_off() {
    let (folder, engine) = folder_and_engine();
    let destinations = || vec![("engine", engine.address(), "")];
    let two = || vec![analyzer("\"engine\""), ("other", "live", HERE, "\"engine\"")];
    let text = Text { instruments: two(), destinations: destinations() };
    let gateway = start(text.plan(folder.path())).await;
    let old = gateway.lineup().config.clone();
    send(gateway.listening()["other"], "X-1".to_owned()).await;
    // This one hangs up in the middle and never comes back: the reload has to end its message.
    let middle = InTheMiddle::of_a_message(gateway.listening()["other"], "X-2").reached().await;
    let one = Text { instruments: vec![analyzer("\"engine\"")], destinations: destinations() };
    let reload = gateway.reload(one.plan(folder.path()), "test");
    let applied = timeout(PATIENCE, reload).await.unwrap();
    assert_ne!(applied.config, old);
    drop(middle);
    {
        let state = gateway.store.state();
        assert_eq!((state.next_pending(), state.open_messages()), (None, Vec::new()));
        let counts = state.ledger().find(|(name, _)| *name == "other").map(|(_, c)| *c).unwrap();
        assert_eq!((counts.messages, counts.difference()), (2, 0));
    }
    has(&engine, 1).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_needs_a_restart_stays_as_it_was_and_is_a_condition_until_it_is_taken_back() {
    let (folder, engine) = folder_and_engine();
    let text = Text {
        instruments: vec![analyzer("\"engine\"")],
        destinations: vec![("engine", engine.address(), "")],
    };
    let gateway = start(text.plan(folder.path())).await;
    let first = gateway.lineup().config.clone();
    let mut plan = text.plan(folder.path());
    plan.gateway.id = "NEXT".to_owned();
    plan.gateway.facility = "WARD".to_owned();
    let applied = gateway.reload(plan, "test").await;
    assert_eq!(applied.config, format!("{first}+{first}"));
    assert_eq!(conditions(&gateway).iter().map(|(code, _)| *code).collect::<Vec<_>>(), [Code::ConfigRestart]);
    send(gateway.listening()["analyzer"], "G-1".to_owned()).await;
    has(&engine, 1).await;
    let message = String::from_utf8(engine.messages()[0].bytes.clone()).unwrap();
    assert!(message.starts_with("MSH|^~\\&|ORUGATE|WARD|E|H|"), "{message}");
    assert!(message.contains("|TEST1"), "{message}");
    let applied = gateway.reload(text.plan(folder.path()), "test").await;
    assert_eq!(applied.config, first);
    assert_eq!(conditions(&gateway), []);
    // A gateway without a file says so.
    let asked = gateway.admin.answer(Request::Reload, "uid 0").await;
    assert!(matches!(asked, Response::Refused(_)), "{asked:?}");
    gateway.stop().await;
}

/// The next number of a fixed sequence, so that a failure can be repeated.
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloads_under_load_lose_and_double_nothing() {
    const RELOADS: usize = 20;
    let (folder, engine) = folder_and_engine();
    let second = Engine::start(Clock::system(0)).unwrap();
    let (a, b) = (engine.address(), second.address());
    let base = || Text {
        instruments: vec![analyzer("\"engine\", \"second\""), ("other", "live", HERE, "\"engine\"")],
        destinations: vec![("engine", a, ""), ("second", b, "")],
    };
    let gateway = start(base().plan(folder.path())).await;
    let fixed = gateway.listening();
    let plan = |text: &Text| {
        let mut plan = text.plan(folder.path());
        for instrument in &mut plan.instruments {
            if let WirePlan::Listen { bind, .. } = &mut instrument.wire {
                *bind = fixed[&instrument.name];
            }
        }
        plan
    };
    gateway.reload(plan(&base()), "test").await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let senders: Vec<_> = fixed
        .iter()
        .map(|(name, address)| {
            let (name, address, stopped) = (name.clone(), *address, stopped.clone());
            tokio::task::spawn_blocking(move || {
                let mut acknowledged = 0u64;
                let mut sender = None;
                for number in 0u64.. {
                    if *stopped.borrow() {
                        break;
                    }
                    let records = invented(&format!("{name}-{number}"), "20261122101500", &[number + 1]);
                    let last = records.len() - 1;
                    if sender.is_none() {
                        sender = Sender::connect(address).ok();
                    }
                    let Some(open) = &mut sender else {
                        std::thread::yield_now();
                        continue;
                    };
                    let mut whole = false;
                    let sent = open.message(&records, &mut |frame| whole |= frame == last);
                    // An analyzer counts a message whose last frame was acknowledged.
                    acknowledged += u64::from(whole);
                    if sent.is_err() {
                        sender = None;
                    }
                }
                acknowledged
            })
        })
        .collect();
    let mut seed = 0x5EED;
    for _ in 0..RELOADS {
        let mut text = base();
        match next(&mut seed) % 6 {
            0 => text.instruments[0].2 = "\"127.0.0.1\", \"192.0.2.1\"",
            1 => text.destinations[1].2 = "retries = 5",
            2 => text.instruments[0].3 = "\"engine\"",
            3 => text.destinations[0].2 = "sample_id_in = \"placer\"",
            4 => {
                text.instruments[0].3 = "\"engine\"";
                text.destinations.truncate(1);
            }
            _ => {}
        }
        if next(&mut seed).is_multiple_of(3) {
            text.instruments.truncate(1);
        }
        gateway.reload(plan(&text), "test").await;
        // Some messages under each configuration.
        let seen = gateway.store.state().ledger().map(|(_, c)| c.messages).sum::<u64>();
        until(&gateway, "more messages", |g| {
            g.store.state().ledger().map(|(_, c)| c.messages).sum::<u64>() > seen + 3
        })
        .await;
    }
    gateway.reload(plan(&base()), "test").await;
    stop.send_replace(true);
    let mut acknowledged = 0;
    for sender in senders {
        acknowledged += timeout(PATIENCE, sender).await.unwrap().unwrap();
    }
    let settled = |g: &Gateway| {
        let state = g.store.state();
        state.next_pending().is_none()
            && state.open_messages().is_empty()
            && state.queues().all(|(_, q)| q.waiting.is_empty())
    };
    until(&gateway, "everything to settle", settled).await;
    balanced(&gateway);
    let (mut complete, mut orus) = (0, 0);
    {
        let state = gateway.store.state();
        for (_, counts) in state.ledger() {
            complete += counts.sent;
        }
        for (name, queue) in state.queues() {
            assert_eq!((queue.orus, queue.parked.len()), (queue.delivered, 0), "{name}");
            orus += queue.orus;
        }
    }
    // Every message has one result; one whose last ACK was lost with its connection counts at the gateway only.
    assert!(complete >= acknowledged, "acknowledged {acknowledged}, sent {complete}");
    assert!(acknowledged > RELOADS as u64);
    let (at_one, at_two) = (engine.counts(), second.counts());
    assert_eq!(at_one.distinct + at_two.distinct, orus);
    assert_eq!((at_one.conflicts, at_two.conflicts), (0, 0));
    assert_eq!((at_one.messages, at_two.messages), (at_one.distinct, at_two.distinct), "sent twice");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_reload_waits_for_the_first() {
    let (folder, engine) = folder_and_engine();
    let text = |allow| Text {
        instruments: vec![("analyzer", "live", allow, "\"engine\"")],
        destinations: vec![("engine", engine.address(), "")],
    };
    let gateway = start(text(HERE).plan(folder.path())).await;
    let middle = InTheMiddle::of_a_message(gateway.listening()["analyzer"], "W-1").reached().await;
    let mut first =
        Box::pin(gateway.reload(text("\"127.0.0.1\", \"192.0.2.7\"").plan(folder.path()), "first"));
    let second = gateway.reload(text("\"127.0.0.1\", \"192.0.2.8\"").plan(folder.path()), "second");
    // The first waits for the open message.
    assert!(timeout(Duration::from_millis(1), &mut first).await.is_err());
    let ((a, b), _) = tokio::join!(async { tokio::join!(first, second) }, middle.goes_on());
    assert_eq!((a.difference.changes.len(), b.difference.changes.len()), (1, 1));
    assert!(b.difference.changes[0].words.contains("192.0.2.7 →"), "{b:?}");
    has(&engine, 1).await;
    gateway.stop().await;
}
