//! The task that gives a [`Delivery`] its socket, its clock and its messages. It decides nothing.
//!
//! Promises: nothing is awaited that another input could not interrupt, so a stop, an engine that talks early or a
//! socket that breaks is noticed in every state; a settlement's journal record is not waited for before the next
//! message goes. Leaves out TLS, which is the wires' business.

use super::delivery::{Delivery, Queue};
use super::events::{ConnectError, Ended, Input, Note, Output, Settlement};
use super::settings::Settings;
use super::status::Status;
use crate::clock::Clock;
use crate::tls::Trouble;
use crate::wire::{Wire, Wires};
use orugate_protocol::mllp;
use std::future::{Future, pending};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long looking up a name and connecting may take together.
const CONNECT: Duration = Duration::from_secs(10);

/// What an engine that wants TLS answers to plain bytes: an alert's content type and the version's first byte (RFC 8446,
/// section 5.1). MLLP never begins so.
const TLS_ALERT: &[u8] = &[0x15, 0x03];

/// How long a stop waits for the journal to take the last settlements. Losing one costs an identical resend.
const LAST_SETTLEMENTS: Duration = Duration::from_secs(3);

/// Where messages come from and what became of them goes to.
pub trait Outbox: Queue + Clone + Send + Sync + 'static {
    /// The stored bytes of a message, without a frame; `None` when they cannot be read.
    fn load(&self, number: u64) -> impl Future<Output = Option<Vec<u8>>> + Send;

    /// Journals what became of a message; ends when the [`Queue`] tells so too.
    fn settle(&self, settlement: Settlement) -> impl Future<Output = ()> + Send;
}

/// A task to be, for one destination.
#[derive(Debug)]
pub struct Shell<O> {
    /// The destination's name, for the log.
    pub name: Arc<str>,
    /// `host:port`, looked up anew for each connection.
    pub address: String,
    /// Where connections come from.
    pub wires: Arc<dyn Wires>,
    /// How it is served.
    pub settings: Settings,
    /// Its messages.
    pub outbox: O,
    /// The clocks.
    pub clock: Clock,
    /// Where its status is shown.
    pub status: watch::Sender<Option<Status>>,
}

impl<O: Outbox> Shell<O> {
    /// Runs until `stop` is true or its sender is gone. `work` changes whenever the queue does.
    pub async fn run(self, mut work: watch::Receiver<u64>, mut stop: watch::Receiver<bool>) {
        // Only the jitter comes from it, so that gateways do not come back all at once.
        let seed = RandomState::new().build_hasher().finish();
        let mut delivery = Delivery::new(self.settings.clone(), seed);
        let mut hands = Hands::default();
        let mut stopping = false;
        // Nothing sends any more news of work after this end; it is not asked again.
        let mut fed = true;
        delivery.handle(self.clock.tick(), Input::NewWork, &self.outbox);
        loop {
            let deadline = loop {
                match delivery.poll() {
                    Output::Wait(deadline) => break deadline,
                    Output::Done => return self.end(delivery, hands).await,
                    output => self.act(output, &mut hands),
                }
            };
            self.status.send_replace(Some(delivery.status()));
            let due = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(self.clock.instant(deadline.at)).await,
                    None => pending().await,
                }
            };
            // In this order: a stop is never starved, and a write that has ended is told before its answer.
            let event = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop), if !stopping => {
                    stopping = true;
                    Event::Stop
                }
                event = hands.next() => event,
                change = work.changed(), if fed => {
                    fed = change.is_ok();
                    Event::NewWork
                }
                () = due => Event::Deadline,
            };
            let now = self.clock.tick();
            let input = match event {
                Event::Stop => Input::Stop,
                Event::NewWork => Input::NewWork,
                Event::Deadline => Input::Deadline,
                Event::Connected => Input::Connected,
                Event::ConnectFailed(error) => Input::ConnectFailed(error),
                Event::Unreadable => Input::Unreadable,
                Event::Sent => Input::Sent,
                Event::Settled(number) => Input::Settled(number),
                Event::Closed(ended) => Input::Closed(ended),
                Event::Bytes(length) => {
                    let bytes = hands.socket.heard(length);
                    delivery.handle(now, Input::Bytes(bytes), &self.outbox);
                    continue;
                }
            };
            delivery.handle(now, input, &self.outbox);
        }
    }

    fn act(&self, output: Output, hands: &mut Hands) {
        match output {
            Output::Connect => {
                let connecting = connect(&*self.wires, &self.address);
                hands.socket = Socket::Connecting(Box::pin(connecting));
            }
            Output::Close(_) => hands.close(),
            Output::Send(number) => {
                let outbox = self.outbox.clone();
                hands.load = Some(Box::pin(async move { outbox.load(number).await }));
            }
            Output::Settle(settlement) => {
                let outbox = self.outbox.clone();
                hands.settling.spawn(async move {
                    let number = settlement.number();
                    outbox.settle(settlement).await;
                    number
                });
            }
            Output::Note(note) => self.tell(note),
            Output::Wait(_) | Output::Done => {}
        }
    }

    fn tell(&self, note: Note) {
        let destination = &*self.name;
        match note {
            Note::Connected | Note::Disconnected(_) | Note::Duplicate(..) | Note::MissingCr => {
                tracing::info!(destination, "{note}");
            }
            Note::Blocked { .. } | Note::Parked { .. } => tracing::error!(destination, "{note}"),
            _ => tracing::warn!(destination, "{note}"),
        }
    }

    async fn end(self, delivery: Delivery, mut hands: Hands) {
        self.status.send_replace(Some(delivery.status()));
        let all = async { while hands.settling.join_next().await.is_some() {} };
        if timeout(LAST_SETTLEMENTS, all).await.is_err() {
            tracing::warn!(
                destination = &*self.name,
                "the journal did not take the last acknowledgments; those messages will be sent again"
            );
        }
    }
}

/// Connects. Where there is TLS, the wires do it.
fn connect(
    wires: &dyn Wires,
    address: &str,
) -> impl Future<Output = Result<Box<dyn Wire>, ConnectError>> + Send + use<> {
    let connecting = wires.connect(address, CONNECT);
    async move {
        connecting.await.map_err(|error| match (Trouble::in_error(&error), error.kind()) {
            (Some(trouble), _) => ConnectError::Tls(trouble.clone()),
            (None, io::ErrorKind::NotFound) => ConnectError::Name,
            (None, io::ErrorKind::ConnectionRefused) => ConnectError::Refused,
            (None, io::ErrorKind::TimedOut) => ConnectError::TimedOut,
            (None, kind) => ConnectError::Other(kind),
        })
    }
}

type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Everything that is under way.
#[derive(Default)]
struct Hands {
    socket: Socket,
    load: Option<Later<Option<Vec<u8>>>>,
    settling: JoinSet<u64>,
}

#[derive(Default)]
enum Socket {
    #[default]
    Closed,
    Connecting(Later<Result<Box<dyn Wire>, ConnectError>>),
    Open(Box<Open>),
}

struct Open {
    reader: ReadHalf<Box<dyn Wire>>,
    writer: WriteHalf<Box<dyn Wire>>,
    buffer: Vec<u8>,
    /// No byte came yet.
    fresh: bool,
    /// A frame that is being written, and how far it is.
    frame: Option<(Vec<u8>, usize)>,
}

enum Event {
    Stop,
    NewWork,
    Deadline,
    Connected,
    ConnectFailed(ConnectError),
    Unreadable,
    Sent,
    Settled(u64),
    Bytes(usize),
    Closed(Ended),
}

impl Hands {
    /// The next thing that ends by itself. Cancel safe: what was begun goes on at the next call.
    async fn next(&mut self) -> Event {
        tokio::select! {
            biased;
            event = self.socket.next() => {
                if matches!(event, Event::ConnectFailed(_) | Event::Closed(_)) {
                    self.close();
                }
                event
            }
            loaded = wait(&mut self.load) => {
                self.load = None;
                match (loaded.and_then(|bytes| framed(&bytes)), &mut self.socket) {
                    (Some(frame), Socket::Open(open)) => {
                        open.frame = Some((frame, 0));
                        // The frame is what is waited for now; only its end is news.
                        Box::pin(self.next()).await
                    }
                    _ => Event::Unreadable,
                }
            }
            Some(settled) = self.settling.join_next() => match settled {
                Ok(number) => Event::Settled(number),
                // A settlement that panicked stays unsettled here, so its message is not sent again by this process.
                Err(_) => Event::NewWork,
            },
        }
    }

    /// Drops the connection and what was going to be sent on it.
    fn close(&mut self) {
        self.socket = Socket::Closed;
        self.load = None;
    }
}

impl Socket {
    async fn next(&mut self) -> Event {
        match self {
            Self::Closed => pending().await,
            Self::Connecting(connecting) => match connecting.await {
                Ok(stream) => {
                    let (reader, writer) = tokio::io::split(stream);
                    *self = Self::Open(Box::new(Open {
                        reader,
                        writer,
                        buffer: vec![0; 4096],
                        fresh: true,
                        frame: None,
                    }));
                    Event::Connected
                }
                Err(error) => Event::ConnectFailed(error),
            },
            Self::Open(open) => {
                let Open { reader, writer, buffer, fresh, frame } = &mut **open;
                tokio::select! {
                    biased;
                    written = write(writer, frame) => match written {
                        Ok(()) => Event::Sent,
                        Err(error) => Event::Closed(ended(&error, *fresh)),
                    },
                    read = reader.read(buffer) => match read {
                        Ok(0) => Event::Closed(Ended::Eof),
                        Ok(_) if std::mem::take(fresh) && buffer.starts_with(TLS_ALERT) => {
                            Event::Closed(Ended::WantsTls)
                        }
                        Ok(length) => Event::Bytes(length),
                        Err(error) => Event::Closed(ended(&error, *fresh)),
                    },
                }
            }
        }
    }

    /// The bytes of the last [`Event::Bytes`].
    fn heard(&self, length: usize) -> &[u8] {
        match self {
            Self::Open(open) => open.buffer.get(..length).unwrap_or_default(),
            Self::Closed | Self::Connecting(_) => &[],
        }
    }
}

/// Why a connection broke; `fresh` when nothing was heard on it.
fn ended(error: &io::Error, fresh: bool) -> Ended {
    match Trouble::in_error(error) {
        Some(trouble) => Ended::Tls(trouble.clone()),
        None if fresh => Ended::Unheard(error.kind()),
        None => Ended::Error(error.kind()),
    }
}

/// Writes a frame to its end. Cancel safe: `frame` knows how far it is.
async fn write(
    writer: &mut WriteHalf<Box<dyn Wire>>,
    frame: &mut Option<(Vec<u8>, usize)>,
) -> io::Result<()> {
    let Some((bytes, written)) = frame else { return pending().await };
    while let Some(rest) = bytes.get(*written..).filter(|rest| !rest.is_empty()) {
        match writer.write(rest).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            length => *written += length,
        }
    }
    // Plain TCP has nothing to flush; a TLS stream does.
    writer.flush().await?;
    *frame = None;
    Ok(())
}

async fn wait<T>(later: &mut Option<Later<T>>) -> T {
    match later {
        Some(later) => later.await,
        None => pending().await,
    }
}

/// `None` for bytes that would break the framing at the engine; the ORU writer never makes such.
fn framed(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut frame = vec![0; bytes.len().saturating_add(mllp::OVERHEAD)];
    let length = mllp::encode(bytes, &mut frame)?;
    frame.truncate(length);
    Some(frame)
}

#[cfg(test)]
mod tests;
