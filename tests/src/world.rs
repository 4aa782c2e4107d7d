//! A whole gateway in this process: a journal in a temporary folder, listening instruments on loopback with ports of
//! the system's choice, and the built-in engine.

use orugate::clock::Clock;
use orugate::config::{self, Plan, WirePlan};
use orugate::engine::Engine;
use orugate::run::{Gateway, init_journal};
use orugate_drivers::SHIPPED;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// How long anything may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How an instrument of a test is connected.
#[derive(Clone, Debug)]
pub enum Plug {
    /// It connects over TCP; the world has the address.
    Tcp,
    /// A serial port.
    Serial(PathBuf),
}

/// Configuration text for instruments of these names and profiles, and one engine.
#[must_use]
pub fn configuration(folder: &Path, engine: SocketAddr, instruments: &[(&str, &str, Plug)]) -> String {
    let folder = folder.display();
    let mut text = format!(
        "version = 1\n[gateway]\nid = \"TEST\"\nfacility = \"LAB\"\ntimezone = \"UTC\"\n\
         admin_socket = \"{folder}/admin.sock\"\n[journal]\npath = \"{folder}/journal\"\n\
         [[destination]]\nname = \"engine\"\nrole = \"lis\"\n\
         receiving = {{ application = \"ENGINE\", facility = \"HOSP\" }}\nmllp = {{ address = \"{engine}\" }}\n"
    );
    for (number, (name, profile, plug)) in (1..).zip(instruments) {
        let wire = match plug {
            Plug::Tcp => format!("{{ listen = \"127.0.0.1:{number}\", allow = [\"127.0.0.1\"] }}"),
            Plug::Serial(path) => format!("{{ serial = \"{}\", baud = 115200 }}", path.display()),
        };
        let _ = write!(
            text,
            "[[instrument]]\nname = \"{name}\"\nprofile = \"{profile}\"\nmode = \"live\"\nwire = {wire}\n\
             send_to = [\"engine\"]\n"
        );
    }
    text
}

/// The plan of such a text, with ports of the system's choice.
///
/// # Panics
/// When the text is wrong.
#[must_use]
#[allow(clippy::panic)] // A test's own text.
pub fn plan(folder: &Path, text: &str) -> Plan {
    let files = vec![(folder.join("orugate.toml"), text.to_owned())];
    let mut plan = match config::load_texts(files, &SHIPPED) {
        Ok(loaded) => loaded.plan,
        Err(mistakes) => panic!("{mistakes}"),
    };
    for instrument in &mut plan.instruments {
        // Invented results have a day, which this machine's clock need not know yet.
        if !text.contains("impossible_time") {
            instrument.rules.times = None;
        }
        if let WirePlan::Listen { bind, .. } = &mut instrument.wire {
            bind.set_port(0);
        }
    }
    plan
}

/// An engine, a gateway, and the folder that both live in.
pub struct World {
    /// Where the journal is.
    pub folder: TempDir,
    /// The engine.
    pub engine: Engine,
    /// The gateway.
    pub gateway: Gateway,
}

impl World {
    /// Starts a world with these instruments.
    ///
    /// # Panics
    /// When it does not start.
    #[allow(clippy::unwrap_used)] // A test that cannot start has failed.
    pub async fn start(instruments: &[(&str, &str, Plug)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::start(Clock::system(0)).unwrap();
        let plan = plan(folder.path(), &configuration(folder.path(), engine.address(), instruments));
        std::fs::create_dir(&plan.journal.path).unwrap();
        init_journal(&plan.journal.path, Clock::system(0).utc()).unwrap();
        let gateway = Gateway::start(plan, Clock::system).await.unwrap();
        Self { folder, engine, gateway }
    }

    /// Where a TCP instrument can be plugged in.
    ///
    /// # Panics
    /// When there is no such instrument.
    #[must_use]
    #[allow(clippy::indexing_slicing)] // A test's own name.
    pub fn address(&self, instrument: &str) -> SocketAddr {
        self.gateway.listening()[instrument]
    }

    /// Waits until something is so; it is asked again after every batch of the journal and every message of the
    /// engine.
    ///
    /// # Panics
    /// When it takes longer than [`PATIENCE`].
    #[allow(clippy::panic)] // A test that waits in vain has failed.
    pub async fn until(&self, what: &str, so: impl Fn(&Self) -> bool) {
        let (mut applied, mut counts) = (self.gateway.store.applied(), self.engine.watch());
        let waited = tokio::time::timeout(PATIENCE, async {
            while !so(self) {
                tokio::select! {
                    _ = applied.changed() => {}
                    _ = counts.changed() => {}
                }
            }
        });
        if waited.await.is_err() {
            panic!("waited {} s for {what}", PATIENCE.as_secs());
        }
    }

    /// Waits until nothing is open or waits for interpretation, so many messages were interpreted, and the engine has
    /// every ORU that came of them. The marks that say so may still be on their way into the journal.
    ///
    /// # Panics
    /// When it takes longer than [`PATIENCE`].
    pub async fn settled(&self, messages: u64) {
        self.until("everything to settle", |world| world.is_settled(messages)).await;
    }

    fn is_settled(&self, messages: u64) -> bool {
        let state = self.gateway.store.state();
        state.ledger().map(|(_, c)| c.messages).sum::<u64>() >= messages
            && state.next_pending().is_none()
            && state.open_messages().is_empty()
            && state.queues().map(|(_, q)| q.orus).sum::<u64>() <= self.engine.counts().distinct
    }
}
