//! The shell against the built-in engine, over real sockets and tokio's paused clock: a wait of 30 s takes no time.

use super::*;
use crate::engine::{Behaviour, Counts, Engine};
use crate::forward::settings::{ControlIds, OnRefusal};
use crate::forward::status::LinkStatus;
use crate::wire::System;
use orugate_protocol::hl7::ack::{Code, ErrorCode};
use orugate_protocol::time::{Tick, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use tokio::task::JoinHandle;

/// Longer than any chain of time-outs here; reached only when something is stuck.
const STUCK: Duration = Duration::from_secs(24 * 3600);

#[derive(Clone)]
struct Memory(Arc<Inner>);

struct Inner {
    messages: BTreeMap<u64, Vec<u8>>,
    waiting: Mutex<BTreeSet<u64>>,
    parked: Mutex<BTreeSet<u64>>,
    settled: watch::Sender<Vec<Settlement>>,
    /// False: the journal takes nothing.
    journalling: watch::Sender<bool>,
}

impl Memory {
    fn with(messages: BTreeMap<u64, Vec<u8>>) -> Self {
        Self(Arc::new(Inner {
            waiting: Mutex::new(messages.keys().copied().collect()),
            parked: Mutex::default(),
            messages,
            settled: watch::Sender::new(Vec::new()),
            journalling: watch::Sender::new(true),
        }))
    }

    fn of(count: u64) -> Self {
        Self::with((1..=count).map(|number| (number, message(number))).collect())
    }
}

fn message(number: u64) -> Vec<u8> {
    let id = ControlIds::new("GW01").id(number);
    format!("MSH|^~\\&|EDGEGW|LAB|CENTRAL|HOSP|20261122||ORU^R01^ORU_R01|{id}|P|2.5.1\rOBR|1\rOBX|1|NM|GLU||{number}\r")
        .into_bytes()
}

impl Queue for Memory {
    fn waiting_from(&self, number: u64) -> Option<u64> {
        self.0.waiting.lock().unwrap().range(number..).next().copied()
    }
    fn is_waiting(&self, number: u64) -> bool {
        self.0.waiting.lock().unwrap().contains(&number)
    }
    fn is_parked(&self, number: u64) -> bool {
        self.0.parked.lock().unwrap().contains(&number)
    }
}

impl Outbox for Memory {
    async fn load(&self, number: u64) -> Option<Vec<u8>> {
        self.0.messages.get(&number).cloned()
    }

    async fn settle(&self, settlement: Settlement) {
        let number = settlement.number();
        let parked = matches!(settlement, Settlement::Parked { .. });
        self.0.settled.send_modify(|settled| settled.push(settlement));
        let _ = self.0.journalling.subscribe().wait_for(|takes| *takes).await;
        self.0.waiting.lock().unwrap().remove(&number);
        if parked {
            self.0.parked.lock().unwrap().insert(number);
        }
    }
}

struct Rig {
    memory: Memory,
    status: watch::Receiver<Option<Status>>,
    work: watch::Sender<u64>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Rig {
    fn start(address: String, settings: Settings, memory: Memory) -> Self {
        let (sender, status) = watch::channel(None);
        let (work, more) = watch::channel(0);
        let (stop, stopped) = watch::channel(false);
        let clock = Clock::starting_at(Utc(0));
        let shell = Shell {
            name: "engine".into(),
            address,
            wires: Arc::new(System),
            settings,
            outbox: memory.clone(),
            clock,
            status: sender,
        };
        let task = tokio::spawn(shell.run(more, stopped));
        Self { memory, status, work, stop, task }
    }

    async fn settled(&self, count: usize) -> Vec<Settlement> {
        let mut settled = self.memory.0.settled.subscribe();
        let all = timeout(STUCK, settled.wait_for(|settled| settled.len() >= count)).await;
        all.expect("stuck").expect("the shell has ended").clone()
    }

    async fn until(&mut self, what: impl Fn(&Status) -> bool) -> Status {
        let status = timeout(STUCK, self.status.wait_for(|status| status.as_ref().is_some_and(&what))).await;
        status.expect("stuck").expect("the shell has ended").clone().unwrap()
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        timeout(STUCK, self.task).await.expect("does not stop").expect("panicked");
    }
}

fn engine() -> Engine {
    Engine::start(Clock::starting_at(Utc(0))).unwrap()
}

fn settings() -> Settings {
    Settings::new(ControlIds::new("GW01"))
}

fn plain(_: &mut Settings) {}

type Row = (&'static str, fn(&mut Settings), Vec<Behaviour>, [u32; 3], &'static str);

/// Three messages, the engine's behaviours for what comes first, how often each message comes, and what is settled.
#[tokio::test(start_paused = true)]
async fn whatever_the_engine_does_each_message_is_settled_once_and_resent_with_the_same_bytes() {
    const ALL: &str = "1 AA 2 AA 3 AA";
    let unsupported = Behaviour::Answer(Code::ApplicationReject, Some(ErrorCode::UNSUPPORTED_VERSION_ID));
    let internal = Behaviour::Answer(Code::ApplicationReject, Some(ErrorCode::APPLICATION_INTERNAL));
    let commit = Behaviour::Answer(Code::CommitAccept, None);
    let application: fn(&mut Settings) = |settings| settings.require_application_ack = true;
    let error = Behaviour::ERROR;
    let rows: Vec<Row> = vec![
        ("good", plain, vec![], [1, 1, 1], ALL),
        ("silent", plain, vec![Behaviour::Silent], [2, 1, 1], ALL),
        ("silent twice", plain, vec![Behaviour::Silent, Behaviour::Silent], [3, 1, 1], ALL),
        ("slow", plain, vec![Behaviour::Delay(Duration::from_secs(29))], [1, 1, 1], ALL),
        ("too slow", plain, vec![Behaviour::Delay(Duration::from_secs(31))], [2, 1, 1], ALL),
        ("late", plain, vec![Behaviour::Late], [2, 1, 1], ALL),
        ("AE", plain, vec![error.clone()], [2, 1, 1], ALL),
        ("AE for ever", plain, vec![error.clone(); 4], [4, 1, 1], "1 parked 2 AA 3 AA"),
        (
            "AE until somebody helps",
            |settings| settings.on_refusal = OnRefusal::Stop,
            vec![error; 9],
            [10, 1, 1],
            ALL,
        ),
        ("AR", plain, vec![Behaviour::REJECT], [2, 1, 1], ALL),
        ("AR 207", plain, vec![internal], [2, 1, 1], ALL),
        ("AR 203", plain, vec![unsupported], [1, 1, 1], "1 parked 2 AA 3 AA"),
        ("CE", plain, vec![Behaviour::Answer(Code::CommitError, None)], [2, 1, 1], ALL),
        ("CR", plain, vec![Behaviour::Answer(Code::CommitReject, None)], [2, 1, 1], ALL),
        ("CA", plain, vec![commit.clone()], [1, 1, 1], "1 CA 2 AA 3 AA"),
        ("CA and AA", plain, vec![Behaviour::CommitThenAccept], [1, 1, 1], "1 CA 2 AA 3 AA"),
        ("CA and AA, both wanted", application, vec![Behaviour::CommitThenAccept], [1, 1, 1], ALL),
        ("CA where AA is wanted", application, vec![commit], [2, 1, 1], ALL),
        ("wrong MSA-2", plain, vec![Behaviour::WrongId], [2, 1, 1], ALL),
        ("blank MSA-2", plain, vec![Behaviour::BlankId], [2, 1, 1], ALL),
        ("blank MSA-2, allowed", |s| s.accept_blank_msa2 = true, vec![Behaviour::BlankId], [1, 1, 1], ALL),
        ("twice", plain, vec![Behaviour::Twice; 3], [1, 1, 1], ALL),
        ("glued", plain, vec![Behaviour::Glued; 3], [1, 1, 1], ALL),
        ("half", plain, vec![Behaviour::Half], [2, 1, 1], ALL),
        ("crumbs", plain, vec![Behaviour::Crumbs; 3], [1, 1, 1], ALL),
        ("noise", plain, vec![Behaviour::Noise; 3], [1, 1, 1], ALL),
        ("no CR", plain, vec![Behaviour::NoCr], [2, 1, 1], ALL),
        (
            "no CR, allowed",
            |settings| settings.missing_cr = Some(Duration::from_millis(200)),
            vec![Behaviour::NoCr; 3],
            [1, 1, 1],
            ALL,
        ),
        ("garbage", plain, vec![Behaviour::Garbage], [2, 1, 1], ALL),
        ("reset before", plain, vec![Behaviour::ResetBefore; 2], [3, 1, 1], ALL),
        ("reset after", plain, vec![Behaviour::ResetAfter; 3], [1, 1, 1], ALL),
        ("close", plain, vec![Behaviour::Close], [2, 1, 1], ALL),
        ("close after", plain, vec![Behaviour::CloseAfter; 3], [1, 1, 1], ALL),
    ];
    for (title, change, script, times, settled) in rows {
        let engine = engine();
        println!("{title}");
        engine.script(script);
        let mut settings = settings();
        change(&mut settings);
        let rig = Rig::start(engine.address().to_string(), settings, Memory::of(3));
        let words: Vec<String> = rig
            .settled(3)
            .await
            .iter()
            .map(|settlement| match settlement {
                Settlement::Delivered { number, code, .. } => format!("{number} {}", code.as_str()),
                Settlement::Parked { number, .. } => format!("{number} parked"),
            })
            .collect();
        rig.stop().await;
        assert_eq!(words.join(" "), settled, "{title}");
        let came = engine.messages();
        assert_eq!(came.iter().map(|message| message.times).collect::<Vec<_>>(), times, "{title}");
        for (number, received) in (1..).zip(&came) {
            assert_eq!(received.bytes, message(number), "{title}");
        }
        let Counts { messages, distinct, observations, conflicts, .. } = engine.counts();
        let all = u64::from(times.iter().sum::<u32>());
        assert_eq!((messages, distinct, observations, conflicts), (all, 3, 3, 0), "{title}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_away_gets_everything_when_it_is_back() {
    let mut engine = engine();
    engine.take_away().await;
    let mut rig = Rig::start(engine.address().to_string(), settings(), Memory::of(50));
    let status = rig.until(|status| status.failures == 9).await;
    assert!(matches!(status.link, LinkStatus::Waiting { .. }), "{status:?}");
    assert!(status.outcome_unknown.is_empty());
    engine.bring_back().unwrap();
    rig.settled(50).await;
    rig.stop().await;
    assert!(engine.messages().iter().all(|message| message.times == 1));
    assert_eq!(engine.counts().distinct, 50);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_goes_away_leaves_an_outcome_that_is_visibly_unknown() {
    let mut engine = engine();
    engine.script([Behaviour::ACCEPT, Behaviour::Silent]);
    let mut rig = Rig::start(engine.address().to_string(), settings(), Memory::of(3));
    let mut counts = engine.watch();
    timeout(STUCK, counts.wait_for(|counts| counts.messages == 2)).await.unwrap().unwrap();
    engine.take_away().await;
    let status = rig.until(|status| !status.outcome_unknown.is_empty()).await;
    assert_eq!(status.outcome_unknown, [2]);
    assert!(status.words(Tick::ZERO).contains("message 2 was sent, outcome unknown"), "{status:?}");
    engine.bring_back().unwrap();
    let status = rig.until(|status| status.outcome_unknown.is_empty()).await;
    assert_eq!(status.failures, 0);
    rig.settled(3).await;
    rig.stop().await;
    assert_eq!(engine.messages().iter().map(|message| message.times).collect::<Vec<_>>(), [1, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn new_work_goes_at_once_over_the_open_connection() {
    let engine = engine();
    let memory = Memory::of(2);
    memory.0.waiting.lock().unwrap().clear();
    let mut rig = Rig::start(engine.address().to_string(), settings(), memory.clone());
    rig.until(|status| matches!(status.link, LinkStatus::Connected { .. })).await;
    for number in [1, 2] {
        memory.0.waiting.lock().unwrap().insert(number);
        rig.work.send_modify(|n| *n += 1);
        rig.settled(usize::try_from(number).unwrap()).await;
    }
    rig.stop().await;
    assert_eq!(engine.counts().connections, 1);
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_takes_nothing_holds_the_destination_and_loses_nothing() {
    let engine = engine();
    let memory = Memory::of(10);
    memory.0.journalling.send_replace(false);
    let mut settings = settings();
    settings.unsettled = 4;
    let mut rig = Rig::start(engine.address().to_string(), settings, memory.clone());
    rig.settled(4).await;
    rig.until(|status| status.in_flight.is_none()).await;
    assert_eq!(engine.counts().messages, 4);
    memory.0.journalling.send_replace(true);
    rig.settled(10).await;
    rig.stop().await;
    assert!(engine.messages().iter().all(|message| message.times == 1));
}

#[tokio::test(start_paused = true)]
async fn a_message_of_megabytes_goes_through_and_one_that_breaks_framing_never_leaves() {
    let engine = engine();
    let mut messages: BTreeMap<u64, Vec<u8>> = [(2, message(2)), (3, message(3))].into();
    messages.get_mut(&2).unwrap().extend(vec![b'x'; 3_000_000]);
    messages.insert(1, b"MSH|\x0b".to_vec());
    let rig = Rig::start(engine.address().to_string(), settings(), Memory::with(messages.clone()));
    let settled = rig.settled(3).await;
    rig.stop().await;
    assert!(matches!(settled[0], Settlement::Parked { number: 1, .. }), "{settled:?}");
    assert_eq!(
        engine.messages().iter().map(|m| m.bytes.len()).collect::<Vec<_>>(),
        [messages[&2].len(), messages[&3].len()]
    );
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_does_not_read_is_left_and_tried_again() {
    // Accepts connections in the kernel, and nobody ever reads from them.
    let deaf = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut messages: BTreeMap<u64, Vec<u8>> = [(1, message(1))].into();
    messages.get_mut(&1).unwrap().extend(vec![b'x'; 64_000_000]);
    let address = deaf.local_addr().unwrap().to_string();
    let mut rig = Rig::start(address, settings(), Memory::with(messages));
    let status = rig.until(|status| status.failures == 2).await;
    assert_eq!(status.outcome_unknown, [1]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_heard_in_every_state() {
    // Between tries.
    let mut engine = engine();
    engine.take_away().await;
    let mut rig = Rig::start(engine.address().to_string(), settings(), Memory::of(1));
    rig.until(|status| status.failures == 1).await;
    rig.stop().await;
    // With a message in flight.
    engine.bring_back().unwrap();
    engine.otherwise(Behaviour::Silent);
    let mut rig = Rig::start(engine.address().to_string(), settings(), Memory::of(1));
    rig.until(|status| status.in_flight.is_some()).await;
    rig.stop().await;
    // While the journal takes nothing.
    engine.otherwise(Behaviour::ACCEPT);
    let memory = Memory::of(1);
    memory.0.journalling.send_replace(false);
    let rig = Rig::start(engine.address().to_string(), settings(), memory);
    rig.settled(1).await;
    rig.stop().await;
    // Before it has begun, and when whoever could stop it is gone.
    let rig = Rig::start(engine.address().to_string(), settings(), Memory::of(1));
    rig.stop().await;
    let Rig { task, stop, .. } = Rig::start(engine.address().to_string(), settings(), Memory::of(1));
    drop(stop);
    timeout(STUCK, task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_name_without_an_address_is_told_as_such() {
    // ".invalid" never resolves (RFC 2606), with or without a name server.
    assert_eq!(connect(&System, "engine.invalid:2575").await.err(), Some(ConnectError::Name));
    assert_eq!(connect(&System, "no port").await.err(), Some(ConnectError::Name));
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_answers_with_a_tls_alert_is_named() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut rig = Rig::start(address, settings(), Memory::of(1));
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut frame = vec![0; message(1).len() + mllp::OVERHEAD];
    stream.read_exact(&mut frame).await.unwrap();
    // protocol_version, as OpenSSL answers to bytes that are no TLS.
    stream.write_all(&[0x15, 3, 3, 0, 2, 2, 0x46]).await.unwrap();
    let status = rig.until(|status| status.last_error.is_some()).await;
    let (_, note) = status.last_error.unwrap();
    assert!(
        matches!(&note, Note::Failed(f, _) if f.to_string().contains("wants TLS at this port")),
        "{note}"
    );
    rig.stop().await;
}
