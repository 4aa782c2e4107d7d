//! The admin socket: how the command line talks to the running service.
//!
//! A Unix socket; one JSON request a line, one JSON answer a line. The file's owner and group may connect, and the
//! peer's uid, which the kernel tells, with its name is the actor in the journal. No answer holds a patient's data: holds name
//! instrument, test codes and reasons.

mod destinations;
mod glance;
mod holds;
mod parked;
mod verify;
mod views;

pub use destinations::DestinationLine;
pub use parked::ParkedView;
pub use verify::{EVIDENCE, HeardView, VerificationView, VerifyRequest};
pub use views::{
    CountsView, DestinationView, DeviceClockView, HoldView, InstrumentView, JournalView, Request, Response,
    Status,
};

use crate::backlog::Backlog;
use crate::capture::Recorder;
use crate::clock::Clock;
use crate::conditions::{Code, Conditions, Watch};
use crate::config::Texts;
use crate::interpret::{Handle, Order};
use crate::lineup::Current;
use crate::records::CaptureExported;
use crate::reload;
use crate::store::{Entry, Store};
use crate::who;
use glance::seconds;
use orugate_journal::Urgency;
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
    /// What came and went on the lines.
    pub recorder: Recorder,
    /// How the backlog grows.
    pub backlog: Mutex<Backlog>,
    /// How long holds are open.
    pub watch: Mutex<Watch>,
    /// Held by whoever decides on a verification.
    pub verifying: tokio::sync::Mutex<()>,
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
        let actor = who::actor(stream.peer_cred()?.uid());
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
            Request::Hold { hold } => self.hold(hold),
            Request::Release { hold, sample, anyway } => self.release(hold, sample, anyway, actor).await,
            Request::Redrive { hold } => self.redrive(hold, actor).await,
            Request::Discard { hold, reason } => self.discard(hold, reason, actor).await,
            Request::Running => self.running(),
            Request::Parked { number } => self.parked(number),
            Request::SendParked { number } => self.send_parked(number, actor).await,
            Request::DiscardParked { number, reason } => self.discard_parked(number, reason, actor).await,
            Request::Destinations => self.destinations(),
            Request::DropDestination { destination, reason } => {
                self.drop_destination(destination, reason, actor).await
            }
            Request::Verify(request) => self.verify(request, actor).await,
            Request::AcceptClock => self.accept_clock(actor).await,
            Request::CaptureExported { instrument, from, to, reason } => {
                self.capture_exported(CaptureExported {
                    at: self.clock.stamp().0,
                    actor: actor.to_owned(),
                    instrument,
                    from,
                    to,
                    reason,
                })
                .await
            }
            Request::Reload => self.reload(actor, false).await,
            Request::Plan => match self.reload(actor, true).await {
                Response::Reloaded(applied) => Response::Planned(applied.difference),
                other => other,
            },
        }
    }

    /// Looks what is wrong, so that it is logged and shown, and told again where that is due. To be called every few seconds.
    pub fn look(&self) {
        self.status();
        let every = self.lineup.get().plan.alerts.hold_repeat;
        self.conditions.repeat(Code::HoldOverdue, self.clock.tick(), every);
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

    async fn accept_clock(&self, actor: &str) -> Response {
        let actor = actor.to_owned();
        match self.ask_worker(|reply| Order::AcceptClock { actor, reply }).await {
            Ok(()) => {
                self.look();
                Response::Done("The clock is believed. What waited for it goes out.".to_owned())
            }
            Err(why) => Response::Refused(why),
        }
    }

    async fn capture_exported(&self, exported: CaptureExported) -> Response {
        let (done, stored) = oneshot::channel();
        self.store.append(vec![Entry::new(&exported)], Urgency::Now, None, move |result| {
            let _ = done.send(result.map(drop));
        });
        match stored.await {
            Ok(Ok(())) => Response::Done("It is written down.".to_owned()),
            Ok(Err(error)) => Response::Refused(format!(
                "Nothing was given out: that somebody takes out a capture with persons in it could not be written into the \
                 journal: {error}."
            )),
            Err(_) => Response::Refused(UNANSWERED.to_owned()),
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
