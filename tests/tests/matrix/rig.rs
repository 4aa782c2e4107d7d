//! A whole gateway with its engine on wires and a disk in memory, and a clock that moves only when nothing else can
//! happen: port, session, journal, interpretation and forwarder are the real ones.
//!
//! Promises that a play is the same each time it is run. The runtime is tokio's on one thread with its time paused, so
//! it moves time to the next timer when no task can go on. Two threads are not the runtime's, the journal's and the
//! interpretation's; so before the runtime looks at its timers it waits until both are idle, and what they woke goes
//! first. Leaves out everything that needs a kernel: sockets, terminals, files.

use crate::net::{Line, Net, Way};
use orugate::clock::Clock;
use orugate::config::{Plan, UdpPlan, WirePlan};
use orugate::engine::Engine;
use orugate::interpret::{Handle, Order, Released};
use orugate::ports::Ground;
use orugate::records::{Chunk, Life, Meta};
use orugate::run::Gateway;
use orugate::simulate::{self, Plug, Target};
use orugate::status::PortView;
use orugate::store::{Entry, Store};
use orugate::wire::Wire;
use orugate_driver::{Profile, SimulatedFault};
use orugate_drivers::SHIPPED;
use orugate_journal::model::ModelDisk;
use orugate_journal::{Journal, Options, UnixMillis};
use orugate_protocol::time::Utc;
use orugate_tests::oru::{Seen, results};
use orugate_tests::world;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long, in real time, the other threads may work before a play counts as stuck.
const STUCK: Duration = Duration::from_secs(30);
/// When plays begin: 2026-11-22T10:00:00Z, in microseconds.
pub(crate) const BEGIN: i64 = 1_795_341_600_000_000;

pub(crate) const BOX: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
pub(crate) const INSTRUMENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
pub(crate) const COLLEAGUE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 3));
pub(crate) const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 9));

/// The instrument's end of the cable, and the gateway's.
pub(crate) const NEAR: &str = "/dev/instrument";
pub(crate) const FAR: &str = "/dev/gateway";

/// How the instruments of a rig are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Tcp,
    Cable,
    /// UDP, between one port of each.
    Datagrams,
}

/// The port of data export, on either side.
const PORT: u16 = 24105;

/// Where the gateway hears datagrams.
pub(crate) fn ours() -> SocketAddr {
    (BOX, PORT).into()
}

/// Where the instrument does.
pub(crate) fn theirs() -> SocketAddr {
    (INSTRUMENT, PORT).into()
}

/// What a rig is made of.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) profile: &'static str,
    /// What is changed in the profile's text.
    pub(crate) otherwise: (&'static str, &'static str),
    pub(crate) by: By,
    /// Instruments; the first is the one that a play is about.
    pub(crate) names: &'static [&'static str],
    /// Instruments with profiles of their own, over TCP.
    pub(crate) also: &'static [(&'static str, &'static str)],
    /// Another destination of all, `second`, with these keys.
    pub(crate) second: Option<&'static str>,
    /// What is changed in the configuration's text.
    pub(crate) text: &'static [(&'static str, &'static str)],
    /// When the journal is made, in microseconds since 1970.
    pub(crate) begin: i64,
    /// Bytes that the journal may have.
    pub(crate) max_size: u64,
    /// What the box's clock shows when it begins, right or wrong.
    pub(crate) shows: i64,
    pub(crate) change: fn(&mut Plan),
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            profile: "generic-astm",
            otherwise: ("", ""),
            by: By::Tcp,
            names: &["one"],
            also: &[],
            second: None,
            text: &[],
            begin: BEGIN,
            max_size: 1 << 30,
            shows: BEGIN,
            change: |_| {},
        }
    }
}

/// A gateway and its engine.
pub(crate) struct Rig {
    pub(crate) net: Net,
    pub(crate) clock: Clock,
    pub(crate) engine: Engine,
    /// The other destination's, whether or not there is one.
    pub(crate) second: Engine,
    gateway: Option<Gateway>,
    pub(crate) disk: ModelDisk,
    pub(crate) setup: Setup,
    folder: tempfile::TempDir,
    elsewhere: Elsewhere,
}

/// What works on threads that are not the runtime's.
type Elsewhere = Arc<Mutex<Option<(Store, Handle)>>>;

/// Everything that came of a play.
#[derive(Debug)]
pub(crate) struct Came {
    /// For each message of the journal, whether it ended complete; `None` while it is open.
    pub(crate) messages: Vec<Option<bool>>,
    /// The results that the engine has, in the order of its messages.
    pub(crate) sent: Vec<Seen>,
    pub(crate) held: u64,
    pub(crate) status: PortView,
}

/// Runs a play on a rig of its own.
pub(crate) fn run<T>(setup: &Setup, play: impl AsyncFnOnce(&mut Rig) -> T) -> T {
    let elsewhere = Elsewhere::default();
    let watched = elsewhere.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .on_thread_park(move || wait_for(&watched))
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut rig = Rig::start(setup.clone(), elsewhere).await;
        let out = play(&mut rig).await;
        rig.gateway.take().unwrap().stop().await;
        rig.elsewhere.lock().unwrap().take();
        out
    })
}

/// Waits until nothing works elsewhere. What it woke is run before time moves.
fn wait_for(elsewhere: &Elsewhere) {
    let elsewhere = elsewhere.lock().unwrap();
    let Some((store, worker)) = &*elsewhere else { return };
    let since = Instant::now();
    // The interpretation first: once idle it stays so, since only the runtime's thread, which is here, gives it work;
    // and nobody else appends.
    while !worker.is_idle() || store.journal().queued() > 0 {
        assert!(since.elapsed() < STUCK, "the journal or the interpretation does not end");
        std::thread::yield_now();
    }
}

impl Rig {
    async fn start(setup: Setup, elsewhere: Elsewhere) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let net = Net::new(BOX);
        net.cable(NEAR, FAR);
        let clock = Clock::starting_at(Utc(setup.shows));
        let engine = || Engine::start_on(Arc::new(net.clone()), (BOX, 0).into(), clock.clone()).unwrap();
        let (engine, second) = (engine(), engine());
        let disk = ModelDisk::new();
        let now = UnixMillis(u64::try_from(setup.begin / 1000).unwrap());
        drop(Journal::create(disk.clone(), now, options(&setup)).unwrap());
        if setup.shows < setup.begin {
            lived(&disk, &setup);
        }
        let plan = setup.plan(&folder, &engine, &second);
        let gateway = start(plan, &setup, &disk, &clock, &net, &elsewhere).await;
        Self { net, clock, engine, second, gateway: Some(gateway), disk, setup, folder, elsewhere }
    }

    /// The plan of the next start.
    pub(crate) const fn change(&mut self, change: fn(&mut Plan)) {
        self.setup.change = change;
    }

    /// Stops the gateway and starts it on the same disk, with another limit for the journal.
    pub(crate) async fn restart(&mut self, max_size: u64) {
        self.setup.max_size = max_size;
        self.gateway.take().unwrap().stop().await;
        self.elsewhere.lock().unwrap().take();
        self.begin().await;
    }

    /// The power goes, and comes back: what was not synced is lost. The engines are away from then on.
    #[allow(dead_code)] // Not in every test that has this rig.
    pub(crate) async fn cut(&mut self) {
        // Or they would get what this process still sends without power.
        self.engine.take_away().await;
        self.second.take_away().await;
        self.disk = self.disk.crash(self.disk.steps(), orugate_journal::model::Crash::Lost);
        // What this process still does goes to a disk that nobody sees again.
        self.gateway.take().unwrap().stop().await;
        self.elsewhere.lock().unwrap().take();
        self.begin().await;
    }

    async fn begin(&mut self) {
        let plan = self.plan();
        let gateway = start(plan, &self.setup, &self.disk, &self.clock, &self.net, &self.elsewhere).await;
        self.gateway = Some(gateway);
    }

    /// The plan that a start would have now.
    pub(crate) fn plan(&self) -> Plan {
        self.setup.plan(&self.folder, &self.engine, &self.second)
    }

    /// The instrument's end of the cable.
    pub(crate) fn near(&self) -> Box<dyn Wire> {
        self.net.end(NEAR)
    }

    pub(crate) fn gateway(&self) -> &Gateway {
        self.gateway.as_ref().unwrap()
    }

    /// Where the gateway waits for an instrument.
    pub(crate) fn place(&self, name: &str) -> String {
        match self.setup.by {
            _ if self.setup.also.iter().any(|(also, _)| *also == name) => {
                self.gateway().listening()[name].to_string()
            }
            By::Tcp => self.gateway().listening()[name].to_string(),
            By::Cable => FAR.to_owned(),
            By::Datagrams => ours().to_string(),
        }
    }

    /// Plays an instrument until it has sent its message; `pace` in bits per second.
    pub(crate) async fn instrument(
        &self,
        name: &str,
        message: &[u8],
        faults: &[SimulatedFault],
        pace: Option<u32>,
    ) -> std::io::Result<()> {
        self.device(name, vec![message.to_vec()], faults, pace).await
    }

    /// As [`instrument`](Self::instrument), one message after the other.
    pub(crate) async fn device(
        &self,
        name: &str,
        messages: Vec<Vec<u8>>,
        faults: &[SimulatedFault],
        pace: Option<u32>,
    ) -> std::io::Result<()> {
        let profile = self.setup.profile();
        let session = profile.simulator(messages, faults);
        let target = match self.setup.by {
            By::Tcp => Target::Connect(self.place(name)),
            By::Cable => Target::Serial(NEAR.into(), 115_200),
            By::Datagrams => Target::Datagrams(UdpPlan { address: ours(), local_port: Some(PORT) }),
        };
        let mut plug = Plug::through(Arc::new(self.net.host(INSTRUMENT)), target);
        simulate::play(session, &mut plug, pace, None, &self.clock, &mut |_| {}).await
    }

    /// A person releases a hold with a sample id.
    pub(crate) async fn release(&self, hold: u64, sample: &str) -> Result<Released, String> {
        let (told, answer) = tokio::sync::oneshot::channel();
        let reply = Box::new(move |answer| drop(told.send(answer)));
        let (sample, actor) = (Some(sample.to_owned()), "uid 0".to_owned());
        assert!(self.gateway().admin.worker.give(Order::Release {
            hold,
            sample,
            anyway: false,
            actor,
            reply
        }));
        answer.await.unwrap()
    }

    /// Lets so much time pass.
    pub(crate) async fn pass(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    pub(crate) fn status(&self, name: &str) -> PortView {
        self.gateway().lineup().instrument(name).unwrap().status.view()
    }

    /// What came of a play; checks what must hold in each.
    pub(crate) fn came(&self, name: &str) -> Came {
        let messages = self.messages();
        let received = self.engine.messages();
        let counts = self.engine.counts();
        assert_eq!(counts.conflicts, 0, "an MSH-10 came with two bodies");
        let state = self.gateway().store.state();
        let ledger =
            state.ledger().find(|(of, _)| *of == name).map(|(_, counts)| *counts).unwrap_or_default();
        assert_eq!(ledger.difference(), 0, "the ledger does not balance");
        assert_eq!(state.next_pending(), None, "a message waits for interpretation");
        Came {
            messages: messages.into_values().collect(),
            sent: received.iter().flat_map(|message| results(&message.bytes)).collect(),
            held: ledger.held,
            status: self.status(name),
        }
    }

    /// Every queue is empty and nothing is parked.
    pub(crate) fn is_drained(&self) -> bool {
        let state = self.gateway().store.state();
        state.queues().all(|(_, queue)| queue.waiting.is_empty() && queue.parked.is_empty())
    }

    /// All records of a kind in the journal, with their numbers.
    #[allow(dead_code)] // Not in every test that has this rig.
    pub(crate) fn records<M: Meta>(&self) -> Vec<(u64, M)> {
        let mut records = Vec::new();
        let copy = self.disk.crash(self.disk.steps(), orugate_journal::model::Crash::Kept);
        let mut visit = |record: orugate_journal::RecordRef<'_>| {
            if record.kind.0 == M::KIND {
                records.extend(
                    M::decode(record.meta_version, record.meta).map(|meta| (record.sequence.0, meta)),
                );
            }
        };
        drop(Journal::open(copy, options(&self.setup), &mut visit).unwrap());
        records
    }

    /// How each message of the journal ended.
    fn messages(&self) -> BTreeMap<u64, Option<bool>> {
        let mut messages = BTreeMap::new();
        let copy = self.disk.crash(self.disk.steps(), orugate_journal::model::Crash::Kept);
        let mut visit = |record: orugate_journal::RecordRef<'_>| {
            if record.kind.0 == Chunk::KIND
                && let Some(chunk) = Chunk::decode(record.meta_version, record.meta)
            {
                let end: &mut Option<bool> = messages.entry(chunk.message).or_default();
                *end = end.or(chunk.end);
            }
        };
        drop(Journal::open(copy, options(&self.setup), &mut visit).unwrap());
        messages
    }

    /// The instrument's lines, oldest first.
    pub(crate) fn lines(&self, name: &str) -> Vec<Arc<Line>> {
        self.net.host(INSTRUMENT).lines(&self.place(name))
    }

    /// What the instrument got on all its connections: A for ACK, N for NAK, E for EOT, Q for ENQ, . for anything else.
    pub(crate) fn heard(&self, name: &str) -> String {
        let lines = self.lines(name);
        let letter = |byte| match byte {
            0x04 => 'E',
            0x05 => 'Q',
            0x06 => 'A',
            0x15 => 'N',
            _ => '.',
        };
        lines.iter().flat_map(|line| line.log(Way::Back)).map(letter).collect()
    }
}

impl Setup {
    fn profile(&self) -> Box<dyn Profile> {
        let text = SHIPPED.text(self.profile).unwrap();
        let (what, by) = self.otherwise;
        SHIPPED.read(&if what.is_empty() { text.to_owned() } else { text.replacen(what, by, 1) }).unwrap()
    }

    fn plan(&self, folder: &tempfile::TempDir, engine: &Engine, second: &Engine) -> Plan {
        let plug = match self.by {
            // Datagrams take its place below.
            By::Tcp | By::Datagrams => world::Plug::Tcp,
            By::Cable => world::Plug::Serial(FAR.into()),
        };
        let mut instruments: Vec<_> =
            self.names.iter().map(|name| (*name, self.profile, plug.clone())).collect();
        instruments.extend(self.also.iter().map(|(name, profile)| (*name, *profile, world::Plug::Tcp)));
        let mut text = world::configuration(folder.path(), engine.address(), &instruments);
        if let Some(keys) = self.second {
            text = text.replace("send_to = [\"engine\"]", "send_to = [\"engine\", \"second\"]");
            text += &format!(
                "[[destination]]\nname = \"second\"\nrole = \"lis\"\n{keys}\nreceiving = {{ application = \"SECOND\", \
                 facility = \"HOSP\" }}\nmllp = {{ address = \"{}\" }}\n",
                second.address()
            );
        }
        for (what, by) in self.text {
            assert!(text.contains(what), "{what}");
            text = text.replace(what, by);
        }
        // A peer that may connect, and another one that may too but is not this instrument.
        let text = text.replace("allow = [\"127.0.0.1\"]", "allow = [\"10.0.0.0/8\"]");
        let mut plan = world::plan(folder.path(), &text);
        for instrument in plan.instruments.iter_mut().take(self.names.len()) {
            instrument.profile = Arc::from(self.profile());
            if self.by == By::Datagrams {
                instrument.wire = WirePlan::Udp(UdpPlan { address: theirs(), local_port: Some(PORT) });
            }
        }
        (self.change)(&mut plan);
        plan
    }
}

/// An earlier process wrote into the journal, when the clock was right.
fn lived(disk: &ModelDisk, setup: &Setup) {
    let (store, _) = Store::open(disk.clone(), options(setup)).unwrap();
    let life = Life { started: true, at: setup.begin, software: "before".to_owned(), config: String::new() };
    let _ = store.append_wait(vec![Entry::new(&life)], None).unwrap();
}

fn options(setup: &Setup) -> Options {
    Options {
        segment_size: 256 << 10,
        max_commit: 192 << 10,
        max_size: setup.max_size,
        // This second is the real one's.
        soon: Duration::ZERO,
        ..Options::default()
    }
}

async fn start(
    plan: Plan,
    setup: &Setup,
    disk: &ModelDisk,
    clock: &Clock,
    net: &Net,
    elsewhere: &Elsewhere,
) -> Gateway {
    let (store, _) = Store::open(disk.clone(), options(setup)).unwrap();
    let wires = Arc::new(net.clone());
    let gateway = Gateway::start_on(plan, store, clock.clone(), wires, Ground::Here).await.unwrap();
    *elsewhere.lock().unwrap() = Some((gateway.store.clone(), gateway.admin.worker.clone()));
    gateway
}
