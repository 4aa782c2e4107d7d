//! `orugate demo`: the whole road on simulated instruments, with nothing to configure and nothing else to install.
//!
//! A real gateway with a journal in a temporary folder stands between two simulated analyzers (one on a pseudo
//! terminal, one on TCP that flips bits and repeats frames), a bedside monitor, a ventilator, and the built-in engine. The engine
//! goes away for a few seconds and comes back. At the end independent counts must agree: result records that the simulators
//! sent, dispositions in the journal, and results that the engine holds; of the bedside devices the parameters that each gives, the
//! values in the journal and at the engine, and whether snapshot follows snapshot there.
#![allow(clippy::print_stdout, clippy::print_stderr)] // A part of the command line.

mod ledger;
mod line;
mod ward;
mod way;

use crate::clock::Clock;
use crate::config::{self, Plan, WirePlan};
use crate::engine::Engine;
use crate::profiles;
use crate::run::{Gateway, init_journal};
use crate::simulate::{self, Fault, Plug};
use crate::state::State;
use ledger::{Ledger, r_records};
use line::Line;
use orugate_drivers::SHIPPED;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use ward::{AtEngine, DEVICES, MONITOR, VENTILATOR, Ward};
use way::Way;

/// So many examples of a profile are played; what a profile's later traps add would make the story too long to follow.
const EXAMPLES: usize = 4;
const SERIAL: &str = "haematology-1";
const SERIAL_PROFILE: &str = "sysmex-xn-l";
const NETWORK: &str = "chemistry-1";
const NETWORK_PROFILE: &str = "roche-cobas-c";
/// A port for the configuration's text; the system gives a free one.
const PLACEHOLDER: u16 = 4001;
const SERIAL_PLACEHOLDER: u16 = 4002;
/// The rate of both simulated lines: results take as long as they would in the laboratory.
const BAUD: u32 = 9600;
/// How long anything may take before the demo says what it waits for and fails.
const PATIENCE: Duration = Duration::from_secs(25);
/// How long the engine stays away at least.
const AWAY: Duration = Duration::from_secs(3);

/// Runs the demo; the exit code of the program.
#[must_use]
pub fn run(stay: bool) -> u8 {
    let story = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string());
    match story.and_then(|runtime| runtime.block_on(tell(stay))) {
        Ok(()) => 0,
        Err(why) => {
            eprintln!("\nThe demo failed: {why}.");
            1
        }
    }
}

async fn tell(stay: bool) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let way = way::listen();
    let line = Line::open(BAUD);
    way.say("Two analyzers and two bedside devices, simulated, a gateway and an integration engine, all in this process.");
    way.say(&format!("  {SERIAL:<14} {SERIAL_PROFILE}, {}", line.words(BAUD)));
    way.say(&format!("  {NETWORK:<14} {NETWORK_PROFILE}, on TCP at the same pace"));
    way.say(&format!("  {MONITOR:<14} {}, by UDP; a snapshot of its values each 2 s", ward::MONITOR_PROFILE));
    way.say(&format!(
        "  {VENTILATOR:<14} {}, on TCP at {} bits per second; likewise",
        ward::VENTILATOR_PROFILE,
        ward::BAUD
    ));
    way.say("  engine         takes HL7 v2 ORU over MLLP, of bedside devices by IHE PCD-01");
    way.say("No timer is scaled: what you see takes as long as in a laboratory. No patient is real.");
    way.say(&format!("The journal is in {}; it goes away with the demo.", folder.path().display()));

    let clock = Clock::system(0);
    let engine = Engine::start(clock.clone()).map_err(|e| e.to_string())?;
    let ward = Ward::new().map_err(|e| e.to_string())?;
    let text = configuration(folder.path(), &line.wire(BAUD, SERIAL_PLACEHOLDER), engine.address(), &ward);
    let plan = plan(folder.path(), &text)?;
    std::fs::create_dir_all(&plan.journal.path).map_err(|e| e.to_string())?;
    init_journal(&plan.journal.path, clock.utc())?;
    let gateway = Gateway::start(plan, Clock::system).await.map_err(|e| e.to_string())?;
    let mut stage = Stage { gateway, engine, clock: clock.clone() };
    if let Line::Terminal { .. } = line {
        stage.until("the serial port", |stage| stage.serial_is_up()).await?;
    }
    let listening = stage.gateway.listening();
    let address = listening.get(NETWORK).copied().ok_or("the network instrument has no address")?;
    let ventilator = listening.get(VENTILATOR).copied().ok_or("the ventilator has no address")?;
    let mut plugs = (
        line.plug(listening.get(SERIAL).copied())?,
        Plug::to(simulate::Target::Connect(address.to_string())),
    );
    // The devices are there until the gateway has stopped, as in a ward.
    let story = async {
        let balanced = stage.story(&way, &mut plugs).await;
        if stay && balanced == Ok(true) {
            explain(folder.path(), &text, address, &stage.engine, &way);
            until_told().await;
        }
        stage.gateway.stop().await;
        balanced
    };
    let balanced = tokio::select! {
        balanced = story => balanced?,
        why = ward.play(ventilator, &clock) => return Err(why),
    };
    if balanced { Ok(()) } else { Err("the ledger does not balance".to_owned()) }
}

/// Everything that plays, seen from the front row.
struct Stage {
    gateway: Gateway,
    engine: Engine,
    clock: Clock,
}

impl Stage {
    /// True when the ledger balances at its end.
    async fn story(&mut self, way: &Way, plugs: &mut (Plug, Plug)) -> Result<bool, String> {
        let mut ledger = Ledger::default();
        way.say("\n1. Both analyzers send, and both bedside devices are asked for what they show. All is on flash before it is");
        way.say("   acknowledged or goes on. Three faults are made on purpose in the first message of chemistry-1: a flipped bit, a");
        way.say("   lost line feed, a frame sent twice. None may change a result.");
        let faults = [
            Fault::FlipBit { frame: 1, byte: 4, bit: 0 },
            Fault::LoseLf { frame: 2 },
            Fault::RepeatFrame { frame: 3 },
        ];
        self.round(1, plugs, &faults, &mut ledger).await?;
        self.until("the first results at the engine", Self::is_drained).await?;
        self.until("the first values of both bedside devices", |stage| {
            DEVICES.iter().all(|name| stage.bedside().contains_key(*name))
        })
        .await?;
        for (name, device) in self.bedside() {
            way.happened(&name, &device.words());
        }

        way.say("\n2. The engine goes away. The devices notice nothing; results and snapshots wait on flash, in order.");
        self.engine.take_away().await;
        let since = self.clock.tick();
        self.round(2, plugs, &[Fault::FlipBit { frame: 2, byte: 8, bit: 3 }], &mut ledger).await?;
        self.until("the interpretation", |stage| stage.gateway.store.state().next_pending().is_none())
            .await?;
        while self.clock.tick().since(since) < AWAY {
            pause(Duration::from_millis(100)).await;
        }
        way.happened("gateway", &self.queue());

        way.say("\n3. The engine comes back. A message leaves the queue when the engine names its number (MSA-2).");
        self.engine.bring_back().map_err(|e| e.to_string())?;
        self.until("the queue at the engine", Self::is_drained).await?;

        way.say(
            "\n4. The ledger: the devices, the journal and the engine are counted apart, and must agree.",
        );
        let counted = self
            .until_some("the queue at the engine", |stage| ledger.count(&stage.gateway, &stage.engine))
            .await?;
        Ok(counted.print(&self.gateway, way))
    }

    /// Waits, with a bound, until something is so.
    async fn until(&self, what: &str, so: impl Fn(&Self) -> bool) -> Result<(), String> {
        self.until_some(what, |stage| so(stage).then_some(())).await
    }

    /// Waits, with a bound, until there is something.
    async fn until_some<T>(&self, what: &str, some: impl Fn(&Self) -> Option<T>) -> Result<T, String> {
        let began = self.clock.tick();
        loop {
            if let Some(found) = some(self) {
                return Ok(found);
            }
            if self.clock.tick().since(began) > PATIENCE {
                return Err(format!("waited {} s for {what}", PATIENCE.as_secs()));
            }
            pause(Duration::from_millis(20)).await;
        }
    }

    /// What the engine holds of each bedside device.
    fn bedside(&self) -> BTreeMap<String, AtEngine> {
        ward::at_engine(&self.engine).0
    }

    fn serial_is_up(&self) -> bool {
        let lineup = self.gateway.lineup();
        lineup.instrument(SERIAL).is_some_and(|i| i.status.view().is_up())
    }

    fn is_drained(&self) -> bool {
        drained(&self.gateway.store.state())
    }

    fn queue(&self) -> String {
        let waiting = self.gateway.store.state().queues().map(|(_, q)| q.waiting.len()).sum::<usize>();
        let link = self
            .gateway
            .lineup()
            .destinations
            .first()
            .map(|d| d.forwarder.words(self.clock.tick()))
            .unwrap_or_default();
        format!("{waiting} messages wait on flash; {link}")
    }

    /// Both analyzers send their profile's examples, with sample ids of this round, at the same time.
    async fn round(
        &self,
        round: u32,
        plugs: &mut (Plug, Plug),
        faults: &[Fault],
        ledger: &mut Ledger,
    ) -> Result<(), String> {
        let serial = self.play(SERIAL, SERIAL_PROFILE, round, &mut plugs.0, &[]);
        let network = self.play(NETWORK, NETWORK_PROFILE, round, &mut plugs.1, faults);
        let (sent_serial, sent_network) = tokio::try_join!(serial, network)?;
        ledger.add(SERIAL, sent_serial);
        ledger.add(NETWORK, sent_network);
        Ok(())
    }

    async fn play(
        &self,
        name: &str,
        profile: &str,
        round: u32,
        plug: &mut Plug,
        faults: &[Fault],
    ) -> Result<u64, String> {
        let profile = profiles::find(&SHIPPED, profile)?;
        let examples = profile.common().examples.iter().take(EXAMPLES);
        let inputs = examples.map(|e| e.input.replace("T-0", &format!("T-{round}")));
        let inputs: Vec<String> = inputs.collect();
        let results = inputs.iter().map(|i| r_records(i)).sum();
        let session = profile.simulator(inputs.into_iter().map(String::into_bytes).collect(), faults);
        // What the simulator says of its own end is not this story.
        let mut tell = |_: &str| {};
        let played = simulate::play(session, plug, Some(BAUD), None, &self.clock, &mut tell);
        tokio::time::timeout(PATIENCE, played)
            .await
            .map_err(|_| format!("{name} took too long"))?
            .map_err(|e| format!("{name}: {e}"))?;
        Ok(results)
    }
}

/// All that came is interpreted, and delivered.
fn drained(state: &State) -> bool {
    state.next_pending().is_none()
        && state.open_messages().is_empty()
        && state.queues().all(|(_, q)| q.waiting.is_empty())
}

fn configuration(folder: &Path, wire: &str, engine: SocketAddr, ward: &Ward) -> String {
    format!(
        r#"version = 1
[gateway]
id = "DEMO"
facility = "DEMO-LAB"
timezone = "UTC"
admin_socket = "{folder}/admin.sock"
[journal]
path = "{folder}/journal"
[[destination]]
name = "engine"
role = "lis"
receiving = {{ application = "ENGINE", facility = "DEMO" }}
mllp = {{ address = "{engine}" }}
pcd = {{}}
[[instrument]]
name = "{SERIAL}"
profile = "{SERIAL_PROFILE}"
mode = "live"
wire = {wire}
send_to = ["engine"]
[[instrument]]
name = "{NETWORK}"
profile = "{NETWORK_PROFILE}"
mode = "live"
wire = {{ listen = "127.0.0.1:{PLACEHOLDER}", allow = ["127.0.0.1"] }}
send_to = ["engine"]
{ward}"#,
        folder = folder.display(),
        ward = ward.configuration(),
    )
}

/// The same configuration that a site would write, but for the port: the system chooses a free one.
fn plan(folder: &Path, text: &str) -> Result<Plan, String> {
    let files = vec![(folder.join("orugate.toml"), text.to_owned())];
    let mut plan = config::load_texts(files, &SHIPPED).map_err(|mistakes| mistakes.to_string())?.plan;
    for instrument in &mut plan.instruments {
        // What is played has a day, which this machine's clock need not know yet.
        instrument.rules.times = None;
        if let WirePlan::Listen { bind, .. } = &mut instrument.wire {
            bind.set_port(0);
        }
    }
    Ok(plan)
}

fn explain(folder: &Path, text: &str, address: SocketAddr, engine: &Engine, way: &Way) {
    let text = text.replace(&format!("127.0.0.1:{PLACEHOLDER}"), &address.to_string());
    let path = folder.join("orugate.toml");
    let kept = std::fs::write(&path, text).is_ok();
    way.say("\nEverything goes on running until Ctrl-C.\n");
    way.say(&format!(
        "Another simulated analyzer:   orugate simulate --profile {NETWORK_PROFILE} --connect {address}"
    ));
    if kept {
        way.say(&format!("What the gateway sees:        orugate status --config {}", path.display()));
    }
    way.say(&format!("The engine of this demo is at {}; any MLLP sender may talk to it.", engine.address()));
    way.say("\nA real instrument or a real engine needs a gateway of your own, with these lines in its orugate.toml:");
    way.say(
        "  a real analyzer on a serial port  wire = { serial = \"/dev/serial/by-path/...\", baud = 9600 }",
    );
    way.say("  a real analyzer on the network    wire = { listen = \"<this box>:4001\", allow = [\"<the analyzer>\"] }");
    way.say("  a real engine                     mllp = { address = \"<the engine>:2575\" }");
    way.say("then: orugate check, orugate journal init, orugate run (each with --config FILE).");
}

/// Until Ctrl-C, or what a service manager sends: the folder goes away in either case.
async fn until_told() {
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        },
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

#[allow(clippy::disallowed_methods)] // The demonstration's own pace.
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}
