//! A gateway put together from its plan, running, and stopped again.
//!
//! Start: journal, then listeners (so that a taken port is an error before anything is read), then the interpretation
//! thread, the ports, the forwarders, the admin socket. Stop goes the other way: ports finish what is open and refuse
//! new messages, the interpretation thread works off what came, the rest waits on flash.

use crate::admin::{self, Admin, LinkWords, Shown};
use crate::clock::Clock;
use crate::conditions::Conditions;
use crate::config::{
    AckMode, Corrections, DestinationPlan, DestinationRole, InstrumentPlan, Mode, Plan, WirePlan,
};
use crate::config::{PatientField, Resends, SampleIdIn};
use crate::convert;
use crate::forward;
use crate::interpret::{self, Common, Handle, Order, OwnedTarget, Subject, Tell, Worker};
use crate::port::Mail;
use crate::ports::{Ground, Ports, Setup};
use crate::records::{Abandoned, Life, Provenance};
use crate::status::PortStatus;
use crate::store::{Entry, Store};
use crate::systemd;
use crate::tls::{Peer, Tls};
use crate::wire::{self, Listener, Wires};
use orugate_driver::Instrument;
use orugate_journal::{FileStorage, Journal, OpenError, Options, UnixMillis};
use orugate_protocol::oru;
use orugate_protocol::time::{ClockQuality, Utc};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The largest commit: what becomes of one message must fit into it.
const COMMIT: u32 = 3 << 20;
/// How long one message may take to interpret: a thousand times what the slowest needs.
const MESSAGE: Duration = Duration::from_secs(10);
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
            Self::Journal(path, OpenError::Locked) => write!(
                f,
                "another orugate has the journal in {} open. See what it does: orugate status; or stop it first",
                path.display()
            ),
            Self::Journal(path, error) => write!(f, "the journal in {}: {error}", path.display()),
            Self::Append(error) => write!(f, "the journal cannot be written: {error}"),
            Self::Listen(name, address, error) => {
                let what = match error.kind() {
                    io::ErrorKind::AddrInUse => "another program listens there; ss -ltnp shows which",
                    io::ErrorKind::AddrNotAvailable => {
                        "this box has no such address; ip address shows those it has"
                    }
                    io::ErrorKind::PermissionDenied => {
                        "this user may not listen there; choose a port above 1023"
                    }
                    _ => {
                        return write!(
                            f,
                            "the instrument {name} cannot be listened for on {address}: {error}"
                        );
                    }
                };
                write!(f, "the instrument {name} cannot be listened for on {address}: {what}")
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
    Journal::create(storage, now, Options::default())
        .map(drop)
        .map_err(|e| format!("{}: {e}", path.display()))
}

/// A running gateway.
pub struct Gateway {
    /// Journal and fold.
    pub store: Store,
    /// What answers the command line.
    pub admin: Arc<Admin>,
    /// Where each listening instrument can be reached, by its name; the port is the real one.
    pub listening: BTreeMap<String, SocketAddr>,
    /// Its TLS.
    pub tls: Tls,
    /// How the forwarders stand, in the order of the plan's destinations.
    pub forwarders: Vec<forward::Handle>,
    stop_rest: watch::Sender<bool>,
    ports: Arc<Ports>,
    rest: Vec<JoinHandle<()>>,
    worker: Handle,
    clock: Clock,
    config: String,
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
        begin(&store, &clock, &config)?;
        let mut listeners = bind(&plan, &*wires)?;
        let listening =
            listeners.iter().filter_map(|(name, l)| Some((name.clone(), l.address().ok()?))).collect();
        let socket_path = &plan.gateway.admin_socket;
        let socket = admin::bind(socket_path).map_err(|e| StartError::Socket(socket_path.clone(), e))?;

        let (stop_rest, rest_stop) = watch::channel(false);
        let (busy, busy_seen) = watch::channel(false);
        let tls = Tls::new(clock.clone());
        let ports = Arc::new(Ports::new(ground, store.clone(), clock.clone()));
        let mut setups = Vec::new();
        let mut shown = Vec::new();
        for instrument in &plan.instruments {
            let status = Arc::new(PortStatus::default());
            shown.push(show(instrument, &status));
            setups.push(Setup {
                name: instrument.name.as_str().into(),
                wire: instrument.wire.clone(),
                wires: match &instrument.wire {
                    WirePlan::Connect { tls: plan, .. } => {
                        tls.wires(&instrument.name, Peer::Instrument, plan.as_ref(), &wires)
                    }
                    WirePlan::Listen { .. } | WirePlan::Serial(_) => wires.clone(),
                },
                listener: listeners.remove(&instrument.name).map(|listener| match &instrument.wire {
                    WirePlan::Listen { tls: plan, allow, .. } => {
                        tls.listener(&instrument.name, plan.as_ref(), allow, listener, &status)
                    }
                    WirePlan::Connect { .. } | WirePlan::Serial(_) => listener,
                }),
                begin: {
                    let (profile, name) = (instrument.profile.clone(), instrument.name.clone());
                    Arc::new(move || profile.session(&Instrument { name: name.clone() }))
                },
                status,
                busy: busy_seen.clone(),
            });
        }
        let worker = Worker {
            store: store.clone(),
            clock: clock.clone(),
            common: Common { gateway: plan.gateway.id.clone(), zone: plan.gateway.timezone.clone() },
            subjects: plan.instruments.iter().map(|i| (i.name.clone(), subject(&plan, i))).collect(),
            told: listener_of(ports.clone(), clock.clone()),
        };
        let worker = Handle::start(worker, MESSAGE).map_err(StartError::Thread)?;
        let mut rest = vec![
            tokio::spawn(look_for_messages(store.clone(), worker.clone(), rest_stop.clone())),
            tokio::spawn(look_around(store.clone(), busy, rest_stop.clone())),
            tokio::spawn(look_after_drivers(ports.clone(), worker.clone(), clock.clone(), rest_stop.clone())),
        ];
        let mut forwarders = Vec::new();
        for destination in &plan.destinations {
            let (handle, task) = forward::spawn(
                destination,
                &plan.gateway.id,
                &store,
                &clock,
                &wires,
                &tls,
                rest_stop.clone(),
            );
            forwarders.push(handle);
            rest.push(task);
        }
        let links: LinkWords = {
            let forwarders = forwarders.clone();
            let clock = clock.clone();
            Arc::new(move |index| {
                let forwarder = forwarders.get(index);
                forwarder.map(|f| (f.words(clock.tick()), f.fails())).unwrap_or_default()
            })
        };
        let admin = Arc::new(Admin {
            store: store.clone(),
            clock: clock.clone(),
            worker: worker.clone(),
            instruments: shown,
            destinations: plan.destinations.iter().map(|d| (d.name.clone(), d.address.clone())).collect(),
            links,
            conditions: Conditions::default(),
            config: config.clone(),
        });
        rest.push(tokio::spawn(systemd::watchdog(store.clone(), rest_stop.clone())));
        rest.push(tokio::spawn(tls.clone().watch(admin.conditions.clone(), rest_stop.clone())));
        rest.push(tokio::spawn(look_for_trouble(admin.clone(), rest_stop.clone())));
        rest.push(tokio::spawn(admin.clone().serve(socket, rest_stop)));
        for setup in setups {
            ports.open(setup).map_err(StartError::Thread)?;
        }
        Ok(Self { store, admin, listening, tls, forwarders, stop_rest, ports, rest, worker, clock, config })
    }

    /// Stops as on SIGTERM and returns when everything has ended.
    pub async fn stop(self) {
        self.ports.close_all().await;
        let worker = self.worker;
        let _ = tokio::task::spawn_blocking(move || worker.stop()).await;
        self.stop_rest.send_replace(true);
        // Marks of the last deliveries ride this commit, so that nobody waits a second for the next one.
        tokio::task::yield_now().await;
        let life = Life {
            started: false,
            at: self.clock.utc().0,
            software: env!("CARGO_PKG_VERSION").to_owned(),
            config: self.config,
        };
        let store = self.store;
        let last =
            tokio::task::spawn_blocking(move || store.append_wait(vec![Entry::new(&life)], None).map(drop));
        if let Ok(Err(error)) = last.await {
            tracing::error!(%error, "the clean stop could not be written into the journal");
        }
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
    let options = Options { max_size: plan.journal.max_size, max_commit: COMMIT, ..Options::default() };
    let (store, recovery) = Store::open(storage, options).map_err(|error| match error {
        OpenError::Missing => StartError::NoJournal(path.clone()),
        error => StartError::Journal(path.clone(), error),
    })?;
    for damage in &recovery.damaged {
        tracing::error!(%damage, "damage in the journal was skipped; what could be read is kept");
    }
    tracing::info!(
        records = recovery.records,
        segments = recovery.segments,
        torn = recovery.torn_bytes,
        damaged = recovery.damaged.len(),
        "the journal is open"
    );
    Ok(store)
}

/// Writes that the gateway starts, and ends what the last process left open.
fn begin(store: &Store, clock: &Clock, config: &str) -> Result<(), StartError> {
    let open = store.state().open_messages();
    let mut entries = vec![Entry::new(&Life {
        started: true,
        at: clock.utc().0,
        software: env!("CARGO_PKG_VERSION").to_owned(),
        config: config.to_owned(),
    })];
    entries.extend(open.into_iter().map(|message| Entry::new(&Abandoned { message })));
    let at = (clock.quality() != ClockQuality::Unset)
        .then(|| UnixMillis(u64::try_from(clock.utc().0 / 1000).unwrap_or(0)));
    store.append_wait(entries, at).map(drop).map_err(StartError::Append)
}

fn bind(plan: &Plan, wires: &dyn Wires) -> Result<BTreeMap<String, Arc<dyn Listener>>, StartError> {
    let mut listeners = BTreeMap::new();
    for instrument in &plan.instruments {
        if let WirePlan::Listen { bind, .. } = &instrument.wire {
            let listener = wires
                .listen(*bind)
                .map_err(|error| StartError::Listen(instrument.name.clone(), *bind, error))?;
            listeners.insert(instrument.name.clone(), listener);
        }
    }
    Ok(listeners)
}

fn show(instrument: &InstrumentPlan, status: &Arc<PortStatus>) -> Shown {
    Shown {
        name: instrument.name.clone(),
        profile: instrument.profile_name.clone(),
        evidence: instrument.profile.common().evidence.to_string(),
        mode: match instrument.mode {
            Mode::Test => "test".to_owned(),
            Mode::Live => "live".to_owned(),
        },
        wire: match &instrument.wire {
            WirePlan::Serial(serial) => serial.path.display().to_string(),
            WirePlan::Listen { bind, .. } => format!("listens on {bind}"),
            WirePlan::Connect { address, .. } => format!("connects to {address}"),
        },
        listens: matches!(instrument.wire, WirePlan::Listen { .. }),
        status: status.clone(),
    }
}

fn subject(plan: &Plan, instrument: &InstrumentPlan) -> Subject {
    let reached =
        instrument.send_to.iter().filter_map(|index| Some((*index, plan.destinations.get(*index)?)));
    let targets = reached
        .filter(|(_, destination)| instrument.mode.reaches(destination.accepts))
        .map(|(index, destination)| target(plan, index, destination, instrument.mode))
        .collect();
    Subject {
        name: instrument.name.clone(),
        interpreter: instrument.profile.interpreter(),
        targets,
        provenance: Provenance {
            software: env!("CARGO_PKG_VERSION").to_owned(),
            profile: instrument.profile_name.clone(),
            profile_hash: instrument.profile_hash.to_string(),
            config_hash: plan.hash.to_string(),
        },
    }
}

fn target(plan: &Plan, index: usize, destination: &DestinationPlan, mode: Mode) -> OwnedTarget {
    OwnedTarget {
        index,
        name: destination.name.clone(),
        sending_application: plan.gateway.application.clone(),
        sending_facility: plan.gateway.facility.clone(),
        receiving_application: destination.application.clone(),
        receiving_facility: destination.facility.clone(),
        processing: if mode == Mode::Live { 'P' } else { 'T' },
        acknowledgment: match destination.acknowledgment {
            AckMode::Original => ("", ""),
            AckMode::Enhanced { accept, application } => (accept.as_str(), application.as_str()),
        },
        sample_id_in: match destination.sample_id_in {
            SampleIdIn::Specimen => oru::SampleIdIn::Specimen,
            SampleIdIn::Placer => oru::SampleIdIn::Placer,
            SampleIdIn::Filler => oru::SampleIdIn::Filler,
        },
        structured_numeric: destination.structured_numeric,
        patient: destination.patient.as_ref().map(|patient| {
            let field = match patient.field {
                PatientField::P3 => oru::PatientField::P3,
                PatientField::P4 => oru::PatientField::P4,
                PatientField::P5 => oru::PatientField::P5,
            };
            (field, patient.authority.clone(), patient.kind.clone())
        }),
        record: destination.role == DestinationRole::Record,
        corrections: match destination.corrections {
            Corrections::C => convert::Corrections::Corrected,
            Corrections::F => convert::Corrections::Final,
            Corrections::Hold => convert::Corrections::Hold,
        },
        suppress_resends: destination.resends == Resends::Suppress,
    }
}

/// Brings what the interpretation thread says to the port that it concerns.
fn listener_of(ports: Arc<Ports>, clock: Clock) -> interpret::Told {
    Arc::new(move |instrument, tell| match tell {
        Tell::Query(specimen) => ports.mail(instrument, Mail::NoOrder(specimen.to_owned())),
        Tell::Note(note) => {
            tracing::warn!(instrument, "{note}");
            if let Some(status) = ports.status(instrument) {
                status.note(note, clock.utc());
            }
        }
        Tell::Done { .. } => {
            if let Some(status) = ports.status(instrument) {
                status.message(clock.utc());
            }
        }
    })
}

/// Wakes the interpretation thread whenever a message is whole, and once at the start for what a crash left.
async fn look_for_messages(store: Store, worker: Handle, mut stop: watch::Receiver<bool>) {
    let mut pending = store.pending();
    loop {
        if !worker.give(Order::Look) {
            return;
        }
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
                        "the journal is nearly full: instruments are told busy, results are safe. Raise max_size in the configuration and restart");
                } else if changed {
                    tracing::info!("the journal has space again");
                }
            }
        }
    }
}
