//! A gateway put together from its plan, running, and stopped again.
//!
//! Start: journal, then listeners (so that a taken port is an error before anything is read), then the interpretation
//! thread, the ports, the forwarders, the admin socket. Stop goes the other way: ports finish what is open and refuse
//! new messages, the interpretation thread works off what came, the rest waits on flash.

use crate::admin::{self, Admin};
use crate::alerts::{self, Teller};
use crate::capture::Recorder;
use crate::clock::{Clock, vouched};
use crate::conditions::Conditions;
use crate::config::{Plan, WirePlan};
use crate::crew::{Base, Crew};
use crate::interpret::{Handle, Order, Tell, Told, Worker};
use crate::lineup::{Current, Lineup, Served};
use crate::notes::Hush;
use crate::port::{Mail, unheard};
use crate::ports::{Ground, Ports};
use crate::records::{Abandoned, Life};
use crate::reload;
use crate::seal;
use crate::store::{Entry, Store};
use crate::systemd;
use crate::tls::Tls;
use crate::wire::{self, Wires};
use orugate_journal::{
    CreateError, FileStorage, Journal, NoKey, OpenError, Options, UnixMillis, is_unfinished,
};
use orugate_protocol::time::{ClockQuality, Utc};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// The largest commit: what becomes of one message must fit into it.
pub(crate) const COMMIT: u32 = 3 << 20;
/// How long one message may take to interpret: a thousand times what the slowest needs.
pub(crate) const MESSAGE: Duration = Duration::from_secs(10);
/// After so long the interpretation thread looks again for what it could not store.
const AGAIN: Duration = Duration::from_secs(5);
/// How often space is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How often the threads of drivers are looked at.
const DRIVERS: Duration = Duration::from_millis(100);
/// How often all else is looked at.
const TROUBLE: Duration = Duration::from_secs(5);

/// Why a gateway did not start. Each says what to do.
#[derive(Debug)]
pub enum StartError {
    /// The journal's folder or file system.
    Storage(PathBuf, io::Error),
    /// There is a folder, and no journal in it.
    NoJournal(PathBuf),
    /// A restore into it was interrupted.
    HalfRestored(PathBuf),
    /// One of its keys cannot be used; a sentence that names its file.
    Key(String),
    /// The journal cannot be opened.
    Journal(PathBuf, OpenError),
    /// The first records could not be written.
    Append(orugate_journal::AppendError),
    /// An instrument's address cannot be listened on.
    Listen(String, SocketAddr, io::Error),
    /// The admin socket.
    Socket(PathBuf, io::Error),
    /// A thread could not be made.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage(path, error) => {
                write!(f, "the journal's folder {} cannot be used: {error}", path.display())
            }
            Self::NoJournal(path) => write!(
                f,
                "there is no journal in {}. If this box is new, make one: orugate journal init. If it is not, the \
                 disk with the journal is not mounted; do not make a new one",
                path.display()
            ),
            Self::HalfRestored(path) => write!(
                f,
                "in {} there is half a journal: a restore was interrupted. Give the command again: orugate restore",
                path.display()
            ),
            Self::Journal(path, OpenError::Locked) => write!(
                f,
                "another orugate has the journal in {} open. See what it does: orugate status; or stop it first",
                path.display()
            ),
            Self::Key(message) => write!(
                f,
                "a key of the journal cannot be used: {message}. Nothing was opened; the key's place is seal in [journal]"
            ),
            Self::Journal(path, OpenError::NoKey(no_key)) => {
                let NoKey { file, wanted, given } = no_key;
                write!(
                    f,
                    "the journal in {} is sealed: {file} needs the key {wanted}, and ",
                    path.display()
                )?;
                match &given[..] {
                    [] => write!(
                        f,
                        "the configuration names none. Write seal = {{ key = \"credential:NAME\" }} with that key into \
                         [journal]"
                    )?,
                    given => {
                        let given: Vec<String> = given.iter().map(ToString::to_string).collect();
                        write!(
                            f,
                            "the configuration gives {}. Name that key's file in previous of seal in [journal]",
                            given.join(", ")
                        )?;
                    }
                }
                f.write_str(". Nothing is lost as long as that key is kept; do not make a new journal")
            }
            Self::Journal(path, error) => write!(f, "the journal in {}: {error}", path.display()),
            Self::Append(error) => write!(
                f,
                "the journal cannot be written: {error}. Free space on the disk that journal.path is on (df), or raise \
                 journal.max_size, then start again; what is stored is safe"
            ),
            Self::Listen(name, address, error) => {
                write!(f, "nobody could connect as {name}: {}", unheard(*address, error))
            }
            Self::Socket(path, error) => write!(
                f,
                "the admin socket {} cannot be made: {error}. Its place is admin_socket in [gateway]",
                path.display()
            ),
            Self::Thread(error) => write!(f, "no thread could be made: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// Makes a journal, deliberately and once.
///
/// # Errors
/// There is one already, the clock is not set, or the disk fails.
pub fn init_journal(path: &Path, now: Utc) -> Result<(), String> {
    let storage = FileStorage::new(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let now = UnixMillis(u64::try_from(now.0 / 1000).unwrap_or(0));
    Journal::create(storage, now, Options::default()).map(drop).map_err(|error| match error {
        CreateError::Disk(error) => format!("{}: {error}; look at its disk: df, dmesg", path.display()),
        error => format!("{}: {error}", path.display()),
    })
}

/// A running gateway.
pub struct Gateway {
    /// Journal and fold.
    pub store: Store,
    /// What answers the command line.
    pub admin: Arc<Admin>,
    pub(crate) lineup: Current,
    pub(crate) base: Base,
    /// Locked by whoever changes it, so that one reload waits for the other.
    pub(crate) crew: tokio::sync::Mutex<Crew>,
    pub(crate) worker: Handle,
    /// Its TLS.
    pub tls: Tls,
    stop_rest: watch::Sender<bool>,
    rest: Vec<JoinHandle<()>>,
}

impl Gateway {
    /// Starts everything in the plan, on this machine's disk and wires.
    ///
    /// # Errors
    /// [`StartError`]; then nothing runs.
    pub async fn start(plan: Plan, clock: impl FnOnce(i64) -> Clock) -> Result<Self, StartError> {
        let store = open(&plan)?;
        let clock = clock(store.state().newest());
        Self::start_on(plan, store, clock, Arc::new(wire::System), Ground::Threads).await
    }

    /// Starts everything in the plan on a journal that is open, with these wires and its ports on this ground.
    ///
    /// # Errors
    /// [`StartError`]; then nothing runs.
    pub async fn start_on(
        plan: Plan,
        store: Store,
        clock: Clock,
        wires: Arc<dyn Wires>,
        ground: Ground,
    ) -> Result<Self, StartError> {
        let config = plan.hash.to_string();
        let clock = clock.following(store.newest());
        begin(&store, &clock, &config)?;
        let (busy, busy_seen) = watch::channel(false);
        let ports = Arc::new(Ports::new(ground, store.clone(), clock.clone()));
        let tls = Tls::new(clock.clone());
        let recorder = Recorder::new(&store, clock.clone(), plan.journal.keep_raw);
        let base = Base {
            store: store.clone(),
            clock: clock.clone(),
            wires,
            busy: busy_seen,
            ports,
            tls: tls.clone(),
            recorder: recorder.clone(),
        };
        let (mut setups, mut instruments) = (Vec::new(), Vec::new());
        for instrument in &plan.instruments {
            let mut setup = base.setup(instrument, &plan.capture, Arc::default());
            if let WirePlan::Listen { bind, .. } = &instrument.wire {
                let failed = |error| StartError::Listen(instrument.name.clone(), *bind, error);
                setup.listener = Some(setup.wires.listen(*bind).map_err(failed)?);
            }
            instruments.push(Served::new(instrument, &setup));
            setups.push(setup);
        }
        let socket_path = &plan.gateway.admin_socket;
        let socket = admin::bind(socket_path).map_err(|e| StartError::Socket(socket_path.clone(), e))?;

        let mut crew = Crew::default();
        let destinations: Vec<_> = plan.destinations.iter().map(|d| crew.forward(&base, &plan, d)).collect();
        let lineup = Current::new(Lineup::new(plan, config, instruments, destinations));
        let worker = Worker {
            store: store.clone(),
            clock: clock.clone(),
            lineup: lineup.clone(),
            told: listener_of(base.ports.clone(), clock.clone()),
            began: clock.tick(),
        };
        let worker = Handle::start(worker, MESSAGE).map_err(StartError::Thread)?;
        let (stop_rest, rest_stop) = watch::channel(false);
        let admin = Arc::new(Admin {
            store: store.clone(),
            clock: clock.clone(),
            worker: worker.clone(),
            lineup: lineup.clone(),
            reloads: OnceLock::new(),
            running: Mutex::default(),
            conditions: Conditions::default(),
            recorder: recorder.clone(),
            backlog: Mutex::default(),
            watch: Mutex::default(),
            verifying: tokio::sync::Mutex::default(),
        });
        let alerts = alerts::Queue::default();
        let queue = alerts.clone();
        admin.conditions.listen(move |event| queue.push(event));
        let teller = Teller {
            queue: alerts,
            lineup: lineup.clone(),
            clock: clock.clone(),
            conditions: admin.conditions.clone(),
        };
        // Whoever asks first hears it, not only who asks after the first look.
        tls.tell(&admin.conditions);
        let rest = vec![
            tokio::spawn(look_for_messages(store.clone(), worker.clone(), rest_stop.clone())),
            tokio::spawn(recorder.run(rest_stop.clone())),
            tokio::spawn(look_around(store.clone(), busy, rest_stop.clone())),
            tokio::spawn(look_after_drivers(base.ports.clone(), worker.clone(), clock, rest_stop.clone())),
            tokio::spawn(vouched::watch(base.clock.clone(), rest_stop.clone())),
            tokio::spawn(systemd::watchdog(store.clone(), rest_stop.clone())),
            tokio::spawn(tls.clone().watch(admin.conditions.clone(), rest_stop.clone())),
            tokio::spawn(look_for_trouble(admin.clone(), rest_stop.clone())),
            tokio::spawn(teller.run(rest_stop.clone())),
            tokio::spawn(admin.clone().serve(socket, rest_stop)),
        ];
        for setup in setups {
            base.ports.open(setup).map_err(StartError::Thread)?;
        }
        let crew = tokio::sync::Mutex::new(crew);
        Ok(Self { store, admin, tls, lineup, base, crew, worker, stop_rest, rest })
    }

    /// Who takes part now.
    #[must_use]
    pub fn lineup(&self) -> Arc<Lineup> {
        self.lineup.get()
    }

    /// Where each listening instrument can be reached, by its name; the port is the real one.
    #[must_use]
    pub fn listening(&self) -> BTreeMap<String, SocketAddr> {
        let lineup = self.lineup.get();
        lineup.instruments.iter().filter_map(|i| Some((i.plan.name.clone(), i.listening?))).collect()
    }

    /// The reloads that the admin socket is asked for; whoever takes them answers them. Before that they are refused,
    /// and who comes second gets none.
    #[must_use]
    pub fn requests(&self) -> mpsc::Receiver<reload::Request> {
        let (sender, receiver) = mpsc::channel(reload::WAITING);
        let _ = self.admin.reloads.set(sender);
        receiver
    }

    /// Stops as on SIGTERM and returns when everything has ended. A reload that was given up on the way has left its
    /// tasks on the list, so they are waited for too.
    pub async fn stop(self) {
        let mut crew = self.crew.into_inner();
        self.base.ports.close_all().await;
        let worker = self.worker;
        let _ = tokio::task::spawn_blocking(move || worker.stop()).await;
        self.stop_rest.send_replace(true);
        let life = Life {
            started: false,
            at: self.base.clock.stamp().0,
            software: env!("CARGO_PKG_VERSION").to_owned(),
            config: self.lineup.get().config.clone(),
        };
        let store = self.store;
        let last = async {
            // Marks of the last deliveries ride this commit, so that nobody waits a second for the next one.
            tokio::task::yield_now().await;
            let append = move || store.append_wait(vec![Entry::new(&life)], None).map(drop);
            if let Ok(Err(error)) = tokio::task::spawn_blocking(append).await {
                tracing::error!(%error, "the clean stop could not be written into the journal");
            }
        };
        crew.end_all(last).await;
        for task in self.rest {
            let _ = task.await;
        }
    }
}

fn open(plan: &Plan) -> Result<Store, StartError> {
    let path = &plan.journal.path;
    if !path.is_dir() {
        return Err(StartError::NoJournal(path.clone()));
    }
    let storage = FileStorage::new(path).map_err(|e| StartError::Storage(path.clone(), e))?;
    let (keys, remarks) = seal::keys(&plan.journal).map_err(StartError::Key)?;
    for remark in remarks {
        tracing::warn!("{remark}");
    }
    let key = keys.as_ref().and_then(|ring| ring.ids().next());
    let options = Options {
        max_size: plan.journal.max_size,
        keep: plan.journal.keep(),
        snapshots_size: plan.journal.snapshots_size,
        max_commit: COMMIT,
        keys,
        ..Options::default()
    };
    let half = is_unfinished(&storage).unwrap_or(false);
    let (store, recovery) = Store::open(storage, options).map_err(|error| match error {
        OpenError::Missing if half => StartError::HalfRestored(path.clone()),
        OpenError::Missing => StartError::NoJournal(path.clone()),
        error => StartError::Journal(path.clone(), error),
    })?;
    for damage in &recovery.damaged {
        tracing::error!(%damage, "damage in the journal was skipped; what could be read is kept");
    }
    if recovery.unconfirmed > 0 {
        tracing::warn!(
            "the last that the journal holds could not be written once more at this start, because it is full or its disk \
             refuses: a power cut now might take it away, although it counts. Look at the disk (df, dmesg) or raise \
             journal.max_size, then restart"
        );
    }
    tracing::info!(
        records = recovery.records,
        segments = recovery.segments,
        torn = recovery.torn_bytes,
        damaged = recovery.damaged.len(),
        sealed = key.map_or_else(|| "no".to_owned(), |key| format!("by key {key}")),
        "the journal is open"
    );
    Ok(store)
}

/// Writes that the gateway starts, and ends what the last process left open.
fn begin(store: &Store, clock: &Clock, config: &str) -> Result<(), StartError> {
    let open = store.state().open_messages();
    let mut entries = vec![Entry::new(&Life {
        started: true,
        at: clock.stamp().0,
        software: env!("CARGO_PKG_VERSION").to_owned(),
        config: config.to_owned(),
    })];
    entries.extend(open.into_iter().map(|message| Entry::new(&Abandoned { message })));
    let at = (clock.quality() != ClockQuality::Unset)
        .then(|| UnixMillis(u64::try_from(clock.utc().0 / 1000).unwrap_or(0)));
    store.append_wait(entries, at).map(drop).map_err(StartError::Append)
}

/// Brings what the interpretation thread says to the port that it concerns. A profile that finds the id in the same place in
/// each message notes the same in each; the log has it once a minute, the status all.
fn listener_of(ports: Arc<Ports>, clock: Clock) -> Told {
    let said: Mutex<Hush<(String, String)>> = Mutex::default();
    Arc::new(move |instrument, tell| match tell {
        Tell::Query(specimen) => ports.mail(instrument, Mail::NoOrder(specimen.to_owned())),
        Tell::Note { kind, sentence } => {
            let kind = (instrument.to_owned(), kind.to_owned());
            let told = said.lock().unwrap_or_else(PoisonError::into_inner).again(clock.tick(), kind);
            match told {
                Some(0) => tracing::warn!(instrument, "{sentence}"),
                Some(before) => tracing::warn!(instrument, "{sentence}; {before} more like it before"),
                None => {}
            }
            if let Some(status) = ports.status(instrument) {
                status.note(sentence, clock.reckoned());
            }
        }
        Tell::Done { sent, held } => {
            if let Some(status) = ports.status(instrument) {
                status.message(clock.reckoned(), sent.saturating_add(held) > 0);
            }
        }
    })
}

/// Wakes the interpretation thread whenever a message is whole, and once at the start for what a crash left.
async fn look_for_messages(store: Store, worker: Handle, mut stop: watch::Receiver<bool>) {
    let mut pending = store.pending();
    loop {
        // Without a thread it comes to nothing; the next one looks by itself.
        worker.give(Order::Look);
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            changed = tokio::time::timeout(AGAIN, pending.changed()) => {
                if let Ok(Err(_)) = changed {
                    return;
                }
            }
        }
    }
}

/// Raises and clears conditions, also while nobody asks for the status.
async fn look_for_trouble(admin: Arc<Admin>, mut stop: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(TROUBLE);
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            _ = every.tick() => admin.look(),
        }
    }
}

/// Looks whether drivers come back.
async fn look_after_drivers(
    ports: Arc<Ports>,
    worker: Handle,
    clock: Clock,
    mut stop: watch::Receiver<bool>,
) {
    let mut every = tokio::time::interval(DRIVERS);
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            _ = every.tick() => {
                worker.look(clock.tick());
                ports.look(clock.tick());
            }
        }
    }
}

/// Raises busy while the journal is nearly full, with room left to end what is open and to settle what waits.
async fn look_around(store: Store, busy: watch::Sender<bool>, mut stop: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            _ = every.tick() => {
                let full = store.nearly_full();
                let space = store.journal().space();
                let changed = busy.send_if_modified(|b| std::mem::replace(b, full) != full);
                if changed && full {
                    tracing::error!(used = space.used, limit = space.limit,
                        "the journal is nearly full: instruments are told busy, results are safe. Raise max_size in the configuration, then: orugate reload");
                } else if changed {
                    tracing::info!("the journal has space again");
                }
            }
        }
    }
}
