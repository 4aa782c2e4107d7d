//! The admin socket: how the command line talks to the running service.
//!
//! A Unix socket; one JSON request a line, one JSON answer a line. The file's owner and group may connect, and the
//! peer's uid, which the kernel tells, is the actor in the journal. No answer holds a patient's data: holds name
//! instrument, test codes and reasons.

mod destinations;
mod parked;

pub use destinations::DestinationLine;
pub use parked::ParkedView;

use crate::backlog::{Backlog, For, Outlook};
use crate::clock::Clock;
use crate::conditions::{Condition, Conditions, derive};
use crate::config::{Difference, Texts};
use crate::interpret::{Handle, Order, Released};
use crate::lineup::Current;
use crate::reload::{self, Applied};
use crate::state::{Counts, State};
use crate::status::PortView;
use crate::store::Store;
use crate::wear::Wear;
use orugate_journal::Health;
use orugate_protocol::time::{Tick, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt as _, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::time::timeout;

/// Connections at a time; more wait.
const CONNECTIONS: usize = 16;
/// A connection that asks nothing for so long is closed.
const IDLE: Duration = Duration::from_secs(10);
/// To an order that came to nothing.
const UNANSWERED: &str =
    "Nothing was done: the gateway stops, or a driver keeps the interpretation busy. Ask again.";
/// The longest request.
const REQUEST: u64 = 64 << 10;

/// What the command line asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum Request {
    /// Everything at a glance.
    Status,
    /// Open holds.
    Holds,
    /// One hold.
    Hold {
        /// Its number.
        hold: u64,
    },
    /// Interpret a hold's observations again and send them.
    Release {
        /// Its number.
        hold: u64,
        /// The sample id that a person found.
        sample: Option<String>,
    },
    /// Read the configuration again and apply what a reload can apply.
    Reload,
    /// What a reload would change.
    Plan,
    /// Throw a hold away.
    Discard {
        /// Its number.
        hold: u64,
        /// Why.
        reason: String,
    },
    /// What the service runs by.
    Running,
    /// Parked messages.
    Parked {
        /// Only this one.
        number: Option<u64>,
    },
    /// Send a parked message again.
    SendParked {
        /// Its number.
        number: u64,
    },
    /// All destinations that messages were ever made for, and those that are configured.
    Destinations,
    /// Give up all that waits for a destination that is gone.
    DropDestination {
        /// Its name.
        destination: String,
        /// Why.
        reason: String,
    },
    /// Give a parked message up.
    DiscardParked {
        /// Its number.
        number: u64,
        /// Why.
        reason: String,
    },
}

/// What the service answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// To [`Request::Status`].
    Status(Box<Status>),
    /// To [`Request::Holds`] and [`Request::Hold`].
    Holds(Vec<HoldView>),
    /// To [`Request::Running`]: the texts, and the gateway's id, which a reload does not change.
    Running {
        /// `gateway.id` in force.
        id: String,
        /// The files as they were read.
        texts: Texts,
    },
    /// To [`Request::Parked`].
    Parked(Vec<ParkedView>),
    /// To [`Request::Destinations`].
    Destinations(Vec<DestinationLine>),
    /// To [`Request::Reload`].
    Reloaded(Applied),
    /// To [`Request::Plan`].
    Planned(Difference),
    /// To [`Request::Reload`] and [`Request::Plan`]: all that is wrong with the new configuration; the old one stays.
    Mistakes(String),
    /// It is done; a sentence.
    Done(String),
    /// It is not done; why.
    Refused(String),
}

/// Everything at a glance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Software version.
    pub version: String,
    /// When this was made, microseconds since 1970.
    pub now: i64,
    /// How far the clock can be trusted, in words.
    pub clock: String,
    /// Hash of the configuration.
    pub config: String,
    /// What is wrong now, worst first.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// Instruments in the order of the configuration.
    pub instruments: Vec<InstrumentView>,
    /// Destinations in the order of the configuration.
    pub destinations: Vec<DestinationView>,
    /// Destinations that the configuration does not name any more, with the messages that wait for them.
    #[serde(default)]
    pub unconfigured: Vec<(String, usize)>,
    /// Open holds.
    pub holds: usize,
    /// Age of the oldest open hold, in seconds.
    pub oldest_hold: Option<i64>,
    /// Messages that wait for interpretation.
    pub pending: usize,
    /// Age of the oldest of them, in seconds.
    #[serde(default)]
    pub oldest_pending: Option<i64>,
    /// The journal.
    pub journal: JournalView,
}

/// One instrument.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InstrumentView {
    /// Its name.
    pub name: String,
    /// Its profile.
    pub profile: String,
    /// How far that is proven: `captured bytes`, `manual`, `described`.
    pub evidence: String,
    /// `test` or `live`.
    pub mode: String,
    /// How it is connected.
    pub wire: String,
    /// It is the instrument that connects: no connection is no trouble by itself, since many do for each message.
    pub listens: bool,
    /// Its port.
    pub port: PortView,
    /// Its observations by where they went.
    pub counts: CountsView,
}

/// [`Counts`] for the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CountsView {
    pub messages: u64,
    pub observations: u64,
    pub sent: u64,
    pub held: u64,
    pub qc: u64,
    pub repeat: u64,
    pub superseded: u64,
    pub discarded: u64,
    pub not_reportable: u64,
    pub difference: i64,
}

impl From<Counts> for CountsView {
    fn from(c: Counts) -> Self {
        Self {
            messages: c.messages,
            observations: c.observations,
            sent: c.sent,
            held: c.held,
            qc: c.qc,
            repeat: c.repeat,
            superseded: c.superseded,
            discarded: c.discarded,
            not_reportable: c.not_reportable,
            difference: c.difference(),
        }
    }
}

/// One destination.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DestinationView {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub address: String,
    /// How the connection stands, in words.
    pub link: String,
    /// It does not work now: no connection can be made, no answer comes, or a refused message blocks it.
    pub failing: bool,
    /// ORUs that wait.
    pub waiting: usize,
    /// Age of the oldest, in seconds.
    pub oldest: Option<i64>,
    /// ORUs that the engine refused for good: MSH-10 number and why.
    pub parked: Vec<(u64, String)>,
    /// ORUs delivered.
    pub delivered: u64,
    /// ORUs that persons gave up; they and their observations are in no other count.
    #[serde(default)]
    pub given_up: u64,
    /// Observations in them.
    #[serde(default)]
    pub given_up_observations: u64,
    /// Observations in all ORUs for it.
    pub observations: u64,
    /// Observations in those delivered.
    pub delivered_observations: u64,
}

/// The journal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JournalView {
    /// `good`, or what is wrong.
    pub health: String,
    /// Bytes taken, settled results that are kept included.
    pub used: u64,
    /// Bytes allowed.
    pub limit: u64,
    /// Bytes of what is not settled: the backlog.
    #[serde(default)]
    pub backlog: u64,
    /// The backlog from which on instruments are told to wait.
    #[serde(default)]
    pub most_backlog: u64,
    /// What comes if the backlog goes on growing like this; `None` while it does not grow.
    #[serde(default)]
    pub outlook: Option<Outlook>,
    /// All that was written after this time is there, microseconds since 1970; `None` while that is not known.
    #[serde(default)]
    pub all_since: Option<i64>,
    /// What it costs its medium.
    #[serde(default)]
    pub wear: Wear,
    /// Segments of snapshots that were dropped since the start, for want of room or for their age.
    #[serde(default)]
    pub snapshots_dropped: u64,
    /// Files that were set aside, because something in them was needed and could not be read.
    #[serde(default)]
    pub aside_files: u64,
    /// Bytes in them.
    #[serde(default)]
    pub aside: u64,
    /// Instruments are told to wait, because it is nearly full.
    #[serde(default)]
    pub nearly_full: bool,
    /// Segments in which nobody has looked yet for what was sent before. Results wait for them.
    #[serde(default)]
    pub unread: u64,
    /// Segments of which not all can be read, so that what was sent before is not known whole.
    #[serde(default)]
    pub unreadable: u64,
}

/// One hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HoldView {
    /// Its number.
    pub hold: u64,
    /// The instrument.
    pub instrument: String,
    /// The machine's reason.
    pub reason: String,
    /// What happened and what to do.
    pub sentence: String,
    /// Test codes.
    pub codes: Vec<String>,
    /// Age in seconds.
    pub age: i64,
    /// The message.
    pub message: u64,
}

/// What answers.
pub struct Admin {
    /// Journal and fold.
    pub store: Store,
    /// Clocks.
    pub clock: Clock,
    /// The interpretation thread.
    pub worker: Handle,
    /// Instruments and destinations.
    pub lineup: Current,
    /// Where reloads are asked for, once somebody answers there.
    pub reloads: OnceLock<mpsc::Sender<reload::Request>>,
    /// The texts of what is in force, when it was read from files.
    pub running: Mutex<Option<Texts>>,
    /// What is wrong.
    pub conditions: Conditions,
    /// How the backlog grows.
    pub backlog: Mutex<Backlog>,
}

/// Opens the socket, replacing one that a dead process left.
///
/// # Errors
/// Another process serves it, or the folder cannot be written.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another orugate serves this socket"));
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

impl Admin {
    /// Serves until told to stop.
    pub async fn serve(self: Arc<Self>, listener: UnixListener, mut stop: watch::Receiver<bool>) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                accepted = accept(&listener, &places) => {
                    let Ok((stream, place)) = accepted else { continue };
                    let admin = self.clone();
                    tokio::spawn(async move {
                        if let Err(error) = admin.talk(stream).await {
                            tracing::debug!(%error, "an admin connection ended");
                        }
                        drop(place);
                    });
                }
            }
        }
    }

    async fn talk(&self, stream: UnixStream) -> io::Result<()> {
        let actor = format!("uid {}", stream.peer_cred()?.uid());
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read.take(REQUEST)).lines();
        while let Some(line) = timeout(IDLE, lines.next_line()).await?? {
            let response = match serde_json::from_str(&line) {
                Ok(request) => self.answer(request, &actor).await,
                Err(error) => Response::Refused(format!("This is no request: {error}.")),
            };
            let mut text = serde_json::to_vec(&response).map_err(io::Error::other)?;
            text.push(b'\n');
            write.write_all(&text).await?;
        }
        Ok(())
    }

    /// Answers one request; `actor` is who asks.
    pub async fn answer(&self, request: Request, actor: &str) -> Response {
        match request {
            Request::Status => Response::Status(Box::new(self.status())),
            Request::Holds => Response::Holds(self.holds(None)),
            Request::Hold { hold } => match self.holds(Some(hold)) {
                holds if holds.is_empty() => Response::Refused(no_hold(hold)),
                holds => Response::Holds(holds),
            },
            Request::Release { hold, sample } => self.release(hold, sample, actor).await,
            Request::Discard { hold, reason } => self.discard(hold, reason, actor).await,
            Request::Running => self.running(),
            Request::Parked { number } => self.parked(number),
            Request::SendParked { number } => self.send_parked(number, actor).await,
            Request::DiscardParked { number, reason } => self.discard_parked(number, reason, actor).await,
            Request::Destinations => self.destinations(),
            Request::DropDestination { destination, reason } => {
                self.drop_destination(destination, reason, actor).await
            }
            Request::Reload => self.reload(actor, false).await,
            Request::Plan => match self.reload(actor, true).await {
                Response::Reloaded(applied) => Response::Planned(applied.difference),
                other => other,
            },
        }
    }

    /// Looks what is wrong, so that it is logged and shown. To be called every few seconds.
    pub fn look(&self) {
        self.status();
    }

    fn running(&self) -> Response {
        let texts = self.running.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let id = self.lineup.get().plan.gateway.id.clone();
        texts.map_or_else(
            || Response::Refused("This gateway has no configuration files.".to_owned()),
            |texts| Response::Running { id, texts },
        )
    }

    /// From now on this is in force.
    pub fn runs_by(&self, texts: Texts) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(texts);
    }

    fn status(&self) -> Status {
        let mut status = self.glance();
        status.conditions = self.conditions.list();
        self.conditions.replace("status", Utc(status.now), derive::of(&status));
        status.conditions = self.conditions.list();
        status
    }

    /// The status without its conditions.
    fn glance(&self) -> Status {
        let now = self.clock.utc().0;
        let tick = self.clock.tick();
        let lineup = self.lineup.get();
        let state = self.store.state();
        let counts: BTreeMap<&str, Counts> = state.ledger().map(|(name, counts)| (name, *counts)).collect();
        let space = self.store.journal().space();
        let indexed = self.store.journal().indexed();
        let (backlog, most_backlog) = (self.store.needed_bytes(), self.store.most_needed());
        let outlook = {
            let mut seen = self.backlog.lock().unwrap_or_else(PoisonError::into_inner);
            seen.see(tick, backlog, || waits(&state));
            seen.outlook(backlog, most_backlog)
        };
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            now,
            clock: format!("{:?}", self.clock.quality()).to_lowercase(),
            config: lineup.config.clone(),
            conditions: Vec::new(),
            instruments: lineup
                .instruments
                .iter()
                .map(|i| InstrumentView {
                    name: i.plan.name.clone(),
                    profile: i.plan.profile_name.clone(),
                    evidence: i.plan.profile.common().evidence.to_string(),
                    mode: i.mode().to_owned(),
                    wire: i.wire(),
                    listens: i.listens(),
                    port: i.status.view(),
                    counts: counts.get(i.plan.name.as_str()).copied().unwrap_or_default().into(),
                })
                .collect(),
            unconfigured: state
                .queues()
                .filter(|(name, _)| lineup.destination(name).is_none())
                .map(|(name, queue)| (name.to_owned(), queue.unsettled()))
                .filter(|(_, messages)| *messages > 0)
                .collect(),
            destinations: lineup
                .destinations
                .iter()
                .map(|reached| {
                    let name = &reached.plan.name;
                    let (link, failing) = reached.link(tick);
                    let mut view = DestinationView {
                        name: name.clone(),
                        address: reached.plan.address.clone(),
                        link,
                        failing,
                        ..DestinationView::default()
                    };
                    if let Some(queue) = state.queue(name) {
                        view.waiting = queue.waiting.len();
                        view.oldest = queue.waiting.values().next().map(|w| seconds(now - w.made));
                        view.parked = queue.parked.iter().map(|(n, (_, why))| (*n, why.clone())).collect();
                        view.delivered = queue.delivered;
                        view.given_up = queue.given_up;
                        view.given_up_observations = queue.given_up_observations;
                        view.observations = queue.observations;
                        view.delivered_observations = queue.delivered_observations;
                    }
                    view
                })
                .collect(),
            holds: state.holds().count(),
            oldest_hold: state.holds().next().map(|(_, h)| seconds(now - h.hold.at)),
            pending: state.pending().count(),
            oldest_pending: state
                .next_pending()
                .and_then(|number| state.message(number))
                .map(|message| seconds(now - message.received)),
            journal: JournalView {
                health: match self.store.journal().health() {
                    Health::Good => "good".to_owned(),
                    Health::Failed(why) => why,
                },
                used: space.used,
                limit: space.limit,
                backlog,
                most_backlog,
                outlook,
                all_since: space
                    .all_since
                    .map(|at| i64::try_from(at.0.saturating_mul(1000)).unwrap_or(i64::MAX)),
                wear: Wear::of(
                    self.store.journal().written(),
                    tick.since(Tick::ZERO),
                    lineup.plan.journal.endurance,
                ),
                snapshots_dropped: space.thinned,
                aside_files: space.aside_files,
                aside: space.aside,
                nearly_full: self.store.nearly_full(),
                unread: indexed.segments.saturating_sub(indexed.indexed).saturating_sub(indexed.unreadable),
                unreadable: indexed.unreadable,
            },
        }
    }

    fn holds(&self, only: Option<u64>) -> Vec<HoldView> {
        let now = self.clock.utc().0;
        let state = self.store.state();
        let wanted = state.holds().filter(|(number, _)| only.is_none_or(|o| o == *number));
        wanted
            .map(|(hold, open)| HoldView {
                hold,
                instrument: open.hold.instrument.clone(),
                reason: open.hold.reason.clone(),
                sentence: open.hold.sentence.clone(),
                codes: open.hold.observations.iter().map(|(_, code)| code.clone()).collect(),
                age: seconds(now - open.hold.at),
                message: open.hold.message,
            })
            .collect()
    }

    async fn release(&self, hold: u64, sample: Option<String>, actor: &str) -> Response {
        let sample = match sample.as_deref().map(sample_id) {
            None => None,
            Some(Ok(sample)) => Some(sample),
            Some(Err(why)) => return Response::Refused(why),
        };
        let actor = actor.to_owned();
        match self.ask_worker(|reply| Order::Release { hold, sample, actor, reply }).await {
            Ok(Released { sent: 0, held: 0, superseded: 1.. }) => Response::Done(format!(
                "Hold {hold} is settled as superseded: a later message brought these results."
            )),
            Ok(Released { sent, held: 0, .. }) => {
                Response::Done(format!("Hold {hold} is released: {}.", on_their_way(sent)))
            }
            Ok(Released { sent, held, .. }) => Response::Done(format!(
                "Hold {hold} was interpreted again: {}, {held} held anew. See: orugate holds list",
                on_their_way(sent)
            )),
            Err(why) => Response::Refused(why),
        }
    }

    async fn reload(&self, actor: &str, only_plan: bool) -> Response {
        let (reply, answer) = oneshot::channel();
        let request = reload::Request { actor: actor.to_owned(), only_plan, reply };
        let Some(reloads) = self.reloads.get() else {
            return Response::Refused("This gateway has no configuration file to read again.".to_owned());
        };
        match reloads.try_send(request) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                return Response::Refused(
                    "Other reloads wait already. Ask again when they are done.".to_owned(),
                );
            }
            Err(mpsc::error::TrySendError::Closed(_)) => {
                return Response::Refused("The gateway is stopping.".to_owned());
            }
        }
        match answer.await {
            Ok(Ok(applied)) => Response::Reloaded(applied),
            Ok(Err(mistakes)) => Response::Mistakes(mistakes),
            Err(_) => Response::Refused(UNANSWERED.to_owned()),
        }
    }

    async fn discard(&self, hold: u64, reason: String, actor: &str) -> Response {
        if reason.trim().is_empty() {
            return Response::Refused("Discarding needs a reason, which is kept for whoever asks later: orugate holds discard HOLD --reason \"…\"".to_owned());
        }
        if self.store.state().hold(hold).is_none() {
            return Response::Refused(no_hold(hold));
        }
        let actor = actor.to_owned();
        match self.ask_worker(|reply| Order::Discard { hold, reason, actor, reply }).await {
            Ok(()) => Response::Done(format!("Hold {hold} is discarded. Its raw bytes stay in the journal.")),
            Err(why) => Response::Refused(why),
        }
    }
}

/// What is not settled, by what it waits for.
fn waits(state: &State) -> Vec<(For, usize)> {
    let queues = state.queues().map(|(name, queue)| (For::Destination(name.to_owned()), queue.unsettled()));
    let others = [(For::Person, state.holds().count()), (For::Interpretation, state.pending().count())];
    queues.chain(others).collect()
}

/// A sample id that a person typed. An empty one would send a result that belongs to nobody.
fn sample_id(typed: &str) -> Result<String, String> {
    let sample = typed.trim();
    if sample.is_empty() {
        return Err("The sample id is empty. Read it from the tube: orugate holds release HOLD --sample ID"
            .to_owned());
    }
    if sample.chars().any(char::is_control) {
        return Err(
            "The sample id holds a control character; type it as it is printed on the tube.".to_owned()
        );
    }
    Ok(sample.to_owned())
}

fn no_hold(hold: u64) -> String {
    format!("There is no open hold {hold}. Those that are open: orugate holds list")
}

fn on_their_way(results: usize) -> String {
    match results {
        1 => "1 result is on its way".to_owned(),
        n => format!("{n} results are on their way"),
    }
}

/// The next connection, when there is a place for it. After an error (no file descriptors, most likely) it waits a
/// moment, since the next try would end the same way.
async fn accept(
    listener: &UnixListener,
    places: &Arc<Semaphore>,
) -> io::Result<(UnixStream, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
    match listener.accept().await {
        Ok((stream, _)) => Ok((stream, place)),
        Err(error) => {
            pause().await;
            Err(error)
        }
    }
}

#[allow(clippy::disallowed_methods)] // A shell that backs off.
async fn pause() {
    tokio::time::sleep(Duration::from_millis(200)).await;
}

fn seconds(micros: i64) -> i64 {
    micros.max(0) / 1_000_000
}

/// Asks a running service one thing.
///
/// # Errors
/// Nobody serves the socket, or it may not be opened.
pub fn ask(path: &PathBuf, request: &Request) -> io::Result<Response> {
    use std::io::{BufRead as _, Write as _};
    let mut stream = std::os::unix::net::UnixStream::connect(path)?;
    let mut text = serde_json::to_vec(request).map_err(io::Error::other)?;
    text.push(b'\n');
    stream.write_all(&text)?;
    let mut line = String::new();
    io::BufReader::new(stream).read_line(&mut line)?;
    serde_json::from_str(&line).map_err(io::Error::other)
}
