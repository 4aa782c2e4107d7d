//! One instrument's port: the task that owns its wire, drives its session and gives its chunks to the journal.
//!
//! It is the only place where a session's outputs become deeds. Bytes are copied before anything waits. While a
//! ticket is open the wire is not read, so an instrument that does not wait for ACKs is held back by its own line.

mod bedside;
mod keep;
mod open;

use crate::capture::{Tap, What};
use crate::clock::Clock;
use crate::config::WirePlan;
use crate::notes::Hush;
use crate::pulse::{GivenUp, Pulse};
use crate::receipts;
use crate::records::Abandoned;
use crate::snapshot::{Now, Stage};
use crate::status::{Line, PortStatus};
use crate::store::{Entry, Store};
use crate::wire::{Listener, Refusal, Wire, Wires};
use keep::{Keep, Open, Part};
pub use open::unheard;
use open::{Opened, open, unopened, until};
use orugate_driver::{
    Answer, Channel, Deadline, Input, LineSettings, NoteKind, Output, Parity, Peer, Reason, Session, Ticket,
};
use orugate_journal::{AppendError, Lane, Receipt, Urgency};
use orugate_protocol::time::Tick;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, watch};

/// Tickets that may be open before the wire is not read any more.
const WINDOW: usize = 1;
/// One read: what a session must be able to hold back.
const READ: usize = 4096;
/// Bytes that a session may want to send at once: some frames of the largest size.
const OUT: usize = 512 << 10;
/// Outputs in a row after which a session is thought to have gone mad.
const OUTPUTS: usize = 10_000;
/// How long to wait before a journal that refused the end of a message is asked again.
const END_AGAIN: Duration = Duration::from_secs(5);
/// How long one write may take before the wire is given up.
const WRITE: Duration = Duration::from_secs(8);
/// How long a session may finish what is open when the gateway stops.
const FINISH: Duration = Duration::from_secs(10);
/// How a TLS client begins: a handshake's content type and the version's first byte (RFC 8446, section 5.1).
const TLS_HELLO: &[u8] = &[0x16, 0x03];
const WANTS_TLS: &str =
    "the other side begins with TLS, and this wire is plain: write tls in its wire, or switch it off there";
/// What a technician sees of parts that the stage did not take.
const TOO_MUCH: &str = "a part of what the device says is too large or too often, and was left out";
/// The longest wait before a driver that failed gets a wire again.
const FALLEN: Duration = Duration::from_secs(60);

/// What comes to a port from elsewhere.
pub enum Mail {
    /// The journal has decided about a chunk of the session with this number.
    Settled(Life, Ticket, Result<Receipt, AppendError>),
    /// The end of this message could not be stored.
    Unended(u64),
    /// There is no order for this specimen.
    NoOrder(String),
    /// The journal has decided about a snapshot.
    Snapshot(Result<(), AppendError>),
}

/// When snapshots of a bedside device are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshots {
    /// One at each end of such an interval.
    pub interval: Duration,
    /// What was not renewed for so long is no value any more.
    pub stale_after: Duration,
}

/// Counts the sessions of one port: tickets of a session that failed mean nothing to the next, which may use the same
/// numbers again. Without it a receipt could acknowledge what it does not prove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Life(u32);

/// Makes a session in the state in which a new one begins.
pub type Begin = Arc<dyn Fn() -> Box<dyn Session> + Send + Sync>;

/// A port before it runs.
pub struct Port {
    /// The instrument's name.
    pub name: Arc<str>,
    /// How it is connected.
    pub wire: WirePlan,
    /// Where its wires come from.
    pub wires: Arc<dyn Wires>,
    /// A listener that is bound already, for [`WirePlan::Listen`]; without one the port tries again until it has one.
    /// Its supervisor keeps it, so that a thread which is left behind keeps no address.
    pub listener: Option<Weak<dyn Listener>>,
    /// Its protocol.
    pub begin: Begin,
    /// It is a bedside device, and this is when a message is made of what stands.
    pub snapshots: Option<Snapshots>,
    /// Where chunks go.
    pub store: Store,
    /// Clocks.
    pub clock: Clock,
    /// What others see of it.
    pub status: Arc<PortStatus>,
    /// What came and went on its line goes there too.
    pub tap: Tap,
    /// What its supervisor sees of its thread.
    pub pulse: Arc<Pulse>,
    /// Its own mailbox: both ends, because the journal's callbacks write to it.
    pub mail: (mpsc::UnboundedSender<Mail>, mpsc::UnboundedReceiver<Mail>),
    /// The store is nearly full.
    pub busy: watch::Receiver<bool>,
    /// The gateway stops.
    pub stop: watch::Receiver<bool>,
}

struct Connection {
    channel: Channel,
    io: Box<dyn Wire>,
    peer: Option<IpAddr>,
    /// No byte came yet.
    fresh: bool,
}

/// What is told once and then counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    /// A note of the link: its sentence.
    Link(&'static str),
    /// Somebody was not let in: of what kind the reason is.
    Refused(&'static str),
    /// The journal did not take a piece.
    Unstored,
}

/// What happened while the port waited.
enum Event {
    Read(io::Result<usize>),
    Opened(io::Result<Opened>),
    Mail(Mail),
    Deadline,
    Interval,
    Said,
    End,
    Busy(bool),
    Stop,
    GiveUp,
}

struct Running {
    port: Port,
    session: Box<dyn Session>,
    life: Life,
    /// Failures of the driver in a row, no message between them.
    falls: u32,
    connection: Option<Connection>,
    next_channel: u32,
    /// Open tickets: the message of each, and whether its chunk was the first or the last.
    tickets: BTreeMap<Ticket, Part>,
    message: Option<Open>,
    deadline: Option<Deadline>,
    said: Hush<Said>,
    /// The last that was turned away, and why.
    refused: String,
    /// Messages that nothing will end any more, and whose end the journal has refused so far.
    unended: Vec<u64>,
    end_at: Option<tokio::time::Instant>,
    out: Vec<u8>,
    /// Where each of what is in `out` ends.
    sends: Vec<usize>,
    /// What a bedside device's session says, until it is in a snapshot.
    stage: Option<Stage>,
    failures: u32,
    retry_at: Option<tokio::time::Instant>,
    stopping: Option<tokio::time::Instant>,
    done: bool,
    /// Another thread has the port: this one says nothing more.
    abandoned: bool,
}

impl Port {
    /// Runs until the gateway stops.
    pub async fn run(self) {
        let now = bedside::now(&self.clock);
        let stage = self.snapshots.map(|every| Stage::new(every.interval, every.stale_after, now));
        let mut running = Running {
            session: (self.begin)(),
            stage,
            life: Life::default(),
            falls: 0,
            port: self,
            connection: None,
            next_channel: 0,
            tickets: BTreeMap::new(),
            message: None,
            deadline: None,
            said: Hush::default(),
            refused: String::new(),
            unended: Vec::new(),
            end_at: None,
            out: Vec::new(),
            sends: Vec::new(),
            failures: 0,
            retry_at: None,
            stopping: None,
            done: false,
            abandoned: false,
        };
        running.run().await;
    }
}

impl Running {
    async fn run(&mut self) {
        let mut buffer = vec![0; READ];
        self.port.tap.says(What::Port, &format!("begins, Orugate {}", env!("CARGO_PKG_VERSION")));
        if *self.port.busy.borrow_and_update() {
            self.give(Input::Busy(true)).await;
        }
        while !self.done {
            let event = self.wait(&mut buffer).await;
            // What is due by now is made before what comes now changes it.
            self.snapshots();
            self.react(event, &buffer).await;
            self.snapshots();
        }
        self.forget_all();
        self.last_snapshots().await;
        // Bytes that the session has asked to keep are still on their way to flash: wait for them, not for more.
        while !self.tickets.is_empty() {
            match self.port.mail.1.recv().await {
                Some(Mail::Settled(life, ticket, _)) if life == self.life => {
                    self.tickets.remove(&ticket);
                }
                Some(_) => {}
                None => break,
            }
        }
        if self.abandoned {
            return;
        }
        self.port.tap.says(What::Port, "ends");
        self.port.status.line(Line::Stopped, self.port.clock.reckoned());
    }

    async fn wait(&mut self, buffer: &mut [u8]) -> Event {
        let reading = self.tickets.len() < WINDOW;
        let (port, connection) = (&mut self.port, &mut self.connection);
        let connected = connection.is_some();
        let peer = connection.as_ref().and_then(|c| c.peer);
        let listener = port.listener.as_ref().and_then(Weak::upgrade);
        let deadline = self.deadline.map(|d| port.clock.instant(d.at));
        let interval = self.stage.as_ref().and_then(Stage::deadline).map(|at| port.clock.instant(at));
        let end = self.end_at;
        let said = self.said.deadline().map(|at| port.clock.instant(at));
        let stopping = self.stopping;
        tokio::select! {
            biased;
            Some(mail) = port.mail.1.recv() => Event::Mail(mail),
            _ = port.stop.wait_for(|stop| *stop), if stopping.is_none() => Event::Stop,
            () = until(stopping), if stopping.is_some() => Event::GiveUp,
            Ok(()) = port.busy.changed() => Event::Busy(*port.busy.borrow_and_update()),
            // Before what comes in, so that a device which never pauses holds up neither its session nor its snapshots.
            () = until(deadline), if deadline.is_some() => Event::Deadline,
            () = until(interval), if interval.is_some() => Event::Interval,
            read = read(connection, buffer), if connected && reading => Event::Read(read),
            () = until(said), if said.is_some() => Event::Said,
            () = until(end), if end.is_some() => Event::End,
            opened = open(&port.wire, &*port.wires, listener.as_deref(), peer, connected, self.retry_at),
                if stopping.is_none() => Event::Opened(opened),
        }
    }

    async fn react(&mut self, event: Event, buffer: &[u8]) {
        match event {
            Event::Read(Ok(count)) if count > 0 => {
                self.port.status.heard(count, self.port.clock.reckoned());
                let bytes = buffer.get(..count).unwrap_or_default();
                self.port.tap.bytes(What::In, bytes);
                if let Some(Connection { channel, fresh, .. }) = &mut self.connection {
                    let channel = *channel;
                    let plain = matches!(self.port.wire, WirePlan::Listen { tls: None, .. });
                    if std::mem::take(fresh) && plain && bytes.starts_with(TLS_HELLO) {
                        self.lost(WANTS_TLS).await;
                        return;
                    }
                    self.give(Input::Bytes(channel, bytes)).await;
                }
            }
            Event::Read(Ok(_)) => self.lost("the other side hung up").await,
            Event::Read(Err(error)) => self.lost(&error.to_string()).await,
            Event::Opened(Ok(Opened::Wire(io, peer))) => self.connected(io, peer).await,
            Event::Opened(Ok(Opened::Refused(peer, refusal))) => self.turned_away(peer, &refusal),
            Event::Opened(Ok(Opened::Listener(listener))) => {
                self.failures = 0;
                self.retry_at = None;
                self.port.listener = Some(Arc::downgrade(&listener));
                self.port.pulse.hears(listener);
                self.port.status.line(Line::Starting, self.port.clock.reckoned());
                tracing::info!(instrument = %self.port.name, "the instrument is listened for again");
            }
            Event::Opened(Err(error)) => {
                self.failures = self.failures.saturating_add(1);
                let wait = Duration::from_secs(1 << self.failures.saturating_sub(1).min(4))
                    .min(Duration::from_secs(10));
                self.retry_at = Some(self.port.clock.instant(self.port.clock.tick().after(wait)));
                let name = &self.port.name;
                // With a connection up, it is only the next one that could not be taken.
                let down = match (&self.port.wire, &self.port.listener) {
                    (WirePlan::Listen { bind, .. }, None) => Line::Deaf(unheard(*bind, &error)),
                    (wire, _) => Line::Down(unopened(wire, &error)),
                };
                let said = down.why().unwrap_or_default().to_owned();
                if self.connection.is_none() && self.port.status.line(down, self.port.clock.reckoned()) {
                    self.port.tap.says(What::Unopened, &said);
                    tracing::warn!(instrument = %name, %error, "the wire cannot be opened; trying again every few seconds");
                }
            }
            Event::Mail(Mail::Settled(life, ticket, result)) if life == self.life => {
                self.settled(ticket, result).await;
            }
            // Of a session that failed: the chunk is kept, and nobody is there to acknowledge it.
            Event::Mail(Mail::Settled(..)) => {}
            Event::Mail(Mail::Unended(message)) => {
                self.unended.push(message);
                self.end_at.get_or_insert(self.port.clock.instant(self.port.clock.tick().after(END_AGAIN)));
            }
            Event::Mail(Mail::Snapshot(result)) => self.snapshot_stored(result),
            // The snapshots that are due are made with every event.
            Event::Interval => {}
            Event::Mail(Mail::NoOrder(specimen)) => {
                self.give(Input::Answer(Answer::NoOrder { specimen: &specimen })).await;
            }
            Event::Deadline => {
                self.deadline = None;
                self.give(Input::Deadline).await;
            }
            Event::Said => {
                for (said, more) in self.said.due(self.port.clock.tick()) {
                    self.more(said, more);
                }
            }
            Event::End => {
                self.end_at = None;
                for message in std::mem::take(&mut self.unended) {
                    self.end(message);
                }
            }
            Event::Busy(busy) => self.give(Input::Busy(busy)).await,
            Event::Stop => {
                self.stopping = Some(self.port.clock.instant(self.port.clock.tick().after(FINISH)));
                self.give(Input::Stop).await;
            }
            Event::GiveUp => {
                tracing::warn!(instrument = %self.port.name, "stopped in the middle of a message; what came of it is kept");
                self.lost("the gateway stops").await;
                self.done = true;
            }
        }
    }

    /// Somebody is not let in. Whoever knocks without end fills neither the log nor the ring.
    fn turned_away(&mut self, peer: IpAddr, refusal: &Refusal) {
        let said = format!("refused a connection from {peer}: {refusal}");
        self.port.status.note(&said, self.port.clock.reckoned());
        if self.said.take(self.port.clock.tick(), Said::Refused(refusal.kind())) {
            self.port.tap.says(What::Unopened, &said);
            tracing::warn!(instrument = %self.port.name, %peer, "refused a connection: {refusal}");
        }
        self.refused = said;
    }

    /// What was told once came so often since.
    fn more(&self, said: Said, more: u64) {
        let instrument = &*self.port.name;
        match said {
            Said::Link(sentence) => {
                tracing::warn!(instrument, "{sentence}: {more} more of the same in the last minute");
            }
            Said::Refused(_) => {
                let words = format!("refused {more} more in the last minute; the last: {}", self.refused);
                self.port.tap.says(What::Unopened, &words);
                tracing::warn!(instrument, "{words}");
            }
            Said::Unstored => tracing::error!(
                instrument,
                "{more} more pieces of messages could not be stored in the last minute; the instrument is told so"
            ),
        }
    }

    async fn connected(&mut self, io: Box<dyn Wire>, peer: Option<IpAddr>) {
        if self.connection.is_some() {
            tracing::info!(instrument = %self.port.name, "the instrument connected anew; the old connection is closed");
            self.lost("the instrument connected anew").await;
        }
        self.failures = 0;
        self.retry_at = None;
        let channel = Channel(self.next_channel);
        self.next_channel = self.next_channel.wrapping_add(1);
        self.port.pulse.serves(io.socket());
        self.connection = Some(Connection { channel, io, peer, fresh: true });
        self.port.tap.says(What::Opened, &leads_to(&self.port.wire, peer));
        self.port.status.line(Line::Up(peer.map(|p| p.to_string())), self.port.clock.reckoned());
        tracing::info!(instrument = %self.port.name, "the wire is open");
        let kind = match &self.port.wire {
            WirePlan::Serial(serial) => Peer::Serial { baud: serial.line.baud },
            WirePlan::Udp(_) => Peer::Datagrams,
            _ => Peer::Tcp,
        };
        self.give(Input::Opened(channel, kind)).await;
    }

    async fn lost(&mut self, why: &str) {
        let Some(connection) = self.connection.take() else { return };
        self.port.pulse.serves(None);
        let channel = connection.channel;
        drop(connection);
        self.forget_all();
        self.port.tap.says(What::Closed, why);
        if self.port.status.line(Line::Down(why.to_owned()), self.port.clock.reckoned()) {
            tracing::warn!(instrument = %self.port.name, why, "the wire is gone");
        }
        // Boxed, because giving input may find that the wire is lost.
        Box::pin(self.give(Input::Closed(channel))).await;
    }

    async fn settled(&mut self, ticket: Ticket, result: Result<Receipt, AppendError>) {
        let Some(part) = self.tickets.remove(&ticket) else { return };
        match result {
            Ok(receipt) => {
                tracing::debug!(target: "orugate::way", instrument = %self.port.name, number = part.message,
                    last = part.last, "stored");
                if part.last {
                    self.falls = 0;
                    if self.message.is_some_and(|open| open.number == part.message) {
                        self.message = None;
                    }
                }
                self.give(Input::Stored(receipts::stored(receipt, ticket))).await;
            }
            Err(error) => {
                let ends = part.first || part.marks_end;
                let open = self.message.take_if(|open| ends && open.number == part.message);
                if open.is_some() && part.marks_end {
                    self.end(part.message);
                }
                if self.said.take(self.port.clock.tick(), Said::Unstored) {
                    tracing::error!(instrument = %self.port.name, %error, "a piece of a message could not be stored; the instrument is told so");
                }
                self.port.status.refused();
                self.give(Input::Refused(ticket)).await;
            }
        }
    }

    /// Gives one input to the session and does what it asks for, until it waits.
    async fn give(&mut self, input: Input<'_>) {
        match self.drive(input) {
            // What such a session wanted to send is not sent: it would only be called again for it.
            Err(why) => self.fell(why).await,
            Ok(close) => {
                if !self.out.is_empty() {
                    self.write().await;
                }
                if close {
                    Box::pin(self.lost("closed by the driver")).await;
                }
            }
        }
    }

    /// What the session wants done is done, but for what has to wait. True when it closes the wire.
    fn drive(&mut self, input: Input<'_>) -> Result<bool, Fall> {
        let now = self.port.clock.tick();
        let (session, pulse, open) = (&mut self.session, &*self.port.pulse, self.message.map(|m| m.number));
        guarded(pulse, now, open, move || session.handle(now, input))?;
        let mut close = false;
        for _ in 0..OUTPUTS {
            let (session, pulse, open) =
                (&mut self.session, &*self.port.pulse, self.message.map(|m| m.number));
            match guarded(pulse, now, open, move || session.poll())? {
                Output::Send(..) if self.out.len() > OUT => return Err(Fall::Endless),
                Output::Send(_, bytes) => {
                    self.out.extend_from_slice(bytes);
                    self.sends.push(self.out.len());
                }
                Output::Close(_, reason) => {
                    tracing::info!(instrument = %self.port.name, "the driver closes the wire: {}", words(reason));
                    close = true;
                }
                Output::Line(_, line) => {
                    tracing::warn!(instrument = %self.port.name, ?line, "the driver asks for other line settings; not supported on this wire");
                }
                Output::Store(ticket, chunk) => {
                    if let Some(stage) = &mut self.stage {
                        stage.pushed(Now { tick: now, utc: self.port.clock.reckoned() });
                    }
                    let (first, last) = (chunk.first, chunk.last.is_some());
                    let marks_end = last && !first && chunk.bytes.len() <= 1;
                    let part = Part { message: 0, first, last, marks_end };
                    let keep = Keep::of(&self.port, self.life);
                    let message = &mut self.message;
                    let kept = self.port.pulse.act(|| keep.chunk(message, ticket, part, &chunk));
                    self.tickets.insert(ticket, kept.map_err(|GivenUp| Fall::GivenUp)?);
                }
                Output::Current(_, slot, bytes) => {
                    let now = Now { tick: now, utc: self.port.clock.reckoned() };
                    let stage = self.stage.as_mut().ok_or(Fall::NoBedside)?;
                    if !stage.current(now, slot, bytes) {
                        self.port.status.note(TOO_MUCH, now.utc);
                    }
                }
                Output::Taken(_, bytes) => {
                    let now = Now { tick: now, utc: self.port.clock.reckoned() };
                    let stage = self.stage.as_mut().ok_or(Fall::NoBedside)?;
                    if !stage.taken(now, bytes) {
                        self.port.status.note(TOO_MUCH, now.utc);
                    }
                }
                Output::Forget(_, slot) => self.stage.as_mut().ok_or(Fall::NoBedside)?.forget(slot),
                Output::ForgetAll(_) => {
                    let now = Now { tick: now, utc: self.port.clock.reckoned() };
                    self.stage.as_mut().ok_or(Fall::NoBedside)?.forget_all(now);
                }
                Output::State(state) => self.port.status.says(state, self.port.clock.reckoned()),
                Output::Note(note) => {
                    let told = match note.kind {
                        NoteKind::Link { what, .. } => self.said.take(now, Said::Link(what.sentence)),
                        _ => true,
                    };
                    if told {
                        self.port.tap.says(What::Note, &note.to_string());
                        tracing::warn!(instrument = %self.port.name, "{note}");
                    }
                    self.port.status.link_note(&note, self.port.clock.reckoned());
                }
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    self.port.status.waits(deadline.map(|d| d.why));
                    return Ok(close);
                }
                Output::Done => {
                    self.done = true;
                    return Ok(close);
                }
                _ => {}
            }
        }
        Err(Fall::Endless)
    }

    /// The session failed: its wire is closed, what it acknowledged of a message is kept as incomplete, and a new
    /// session begins with the next wire, later each time, because the same bytes may make it fail again.
    async fn fell(&mut self, why: Fall) {
        let name = &self.port.name;
        if matches!(why, Fall::GivenUp) {
            tracing::warn!(instrument = %name, "the driver {why}; what it wanted is not done");
            self.tickets.clear();
            self.connection = None;
            self.abandoned = true;
            self.done = true;
            return;
        }
        tracing::error!(instrument = %name, "the driver {why}; its wire is closed and it begins anew");
        self.port.tap.says(What::Fell, &format!("the driver {why}"));
        self.life.0 = self.life.0.wrapping_add(1);
        self.session = (self.port.begin)();
        self.tickets.clear();
        self.deadline = None;
        self.out.clear();
        self.sends.clear();
        self.forget_all();
        self.connection = None;
        self.port.pulse.serves(None);
        if let Some(open) = self.message.take() {
            self.end(open.number);
        }
        let now = self.port.clock.reckoned();
        self.port.status.fell(&why.to_string(), now);
        self.port.status.line(Line::Down(format!("its driver {why}")), now);
        if self.stopping.is_some() {
            self.done = true;
            return;
        }
        self.falls = self.falls.saturating_add(1);
        let wait = Duration::from_secs(1 << self.falls.saturating_sub(1).min(6));
        self.retry_at = Some(self.port.clock.instant(self.port.clock.tick().after(wait.min(FALLEN))));
        if *self.port.busy.borrow() {
            // A session that fails at its first input fails again at the next wire; the port goes on all the same.
            let _ = self.drive(Input::Busy(true));
        }
    }

    /// Ends a message that nothing else will end, so that what was acknowledged of it is interpreted.
    fn end(&self, message: u64) {
        let sender = self.port.mail.0.clone();
        let end = Entry::new(&Abandoned { message });
        self.port.store.append(vec![end], Urgency::Soon, None, move |result| {
            if result.is_err() {
                let _ = sender.send(Mail::Unended(message));
            }
        });
    }

    /// One write is one datagram on this wire.
    fn is_datagrams(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.io.is_datagrams())
    }

    async fn write(&mut self) {
        let out = std::mem::take(&mut self.out);
        let mut sends = std::mem::take(&mut self.sends);
        if !self.is_datagrams() {
            sends = vec![out.len()];
        }
        let Some(connection) = &mut self.connection else { return };
        let channel = connection.channel;
        self.port.tap.bytes(What::Out, &out);
        let written = tokio::time::timeout(WRITE, async {
            let mut start = 0;
            for end in sends {
                connection.io.write_all(out.get(start..end).unwrap_or_default()).await?;
                start = end;
            }
            std::future::poll_fn(|context| connection.io.poll_push(context)).await?;
            drained(&mut *connection.io).await;
            io::Result::Ok(())
        })
        .await;
        match written {
            Ok(Ok(())) => Box::pin(self.give(Input::Sent(channel))).await,
            Ok(Err(error)) => Box::pin(self.lost(&error.to_string())).await,
            Err(_) => Box::pin(self.lost("the other side takes no bytes")).await,
        }
    }
}

/// How a driver failed.
#[derive(Clone, Copy, Debug)]
enum Fall {
    Panicked,
    Endless,
    /// It came back when another thread had the port already.
    GivenUp,
    /// It speaks of what stands, and its profile says that it gives results.
    NoBedside,
}

impl fmt::Display for Fall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Panicked => "panicked",
            Self::Endless => "asked for things without end",
            Self::GivenUp => "came back from a call too late",
            Self::NoBedside => "speaks as a bedside device's does, and its profile feeds results",
        })
    }
}

/// Runs a piece of a driver. After a panic its session is thrown away, so nobody sees what it left half done.
fn guarded<T>(pulse: &Pulse, now: Tick, open: Option<u64>, piece: impl FnOnce() -> T) -> Result<T, Fall> {
    pulse.enter(now, open);
    let done = catch_unwind(AssertUnwindSafe(piece));
    pulse.leave().map_err(|GivenUp| Fall::GivenUp)?;
    done.map_err(|_| Fall::Panicked)
}

/// Where an instrument's messages are: what a bedside device says is taken again, and goes before results do.
const fn lane(snapshots: Option<Snapshots>) -> Lane {
    match snapshots {
        Some(_) => Lane::Snapshots,
        None => Lane::Results,
    }
}

/// What a wire that opened leads to, for who reads a capture.
fn leads_to(wire: &WirePlan, peer: Option<IpAddr>) -> String {
    match (wire, peer) {
        (_, Some(peer)) => peer.to_string(),
        (WirePlan::Serial(serial), None) => {
            let LineSettings { baud, data_bits, parity, stop_bits } = serial.line;
            let parity = match parity {
                Parity::None => 'N',
                Parity::Even => 'E',
                Parity::Odd => 'O',
            };
            format!("{}, {baud} {data_bits}{parity}{stop_bits}", serial.path.display())
        }
        (WirePlan::Connect { address, .. }, None) => address.clone(),
        (WirePlan::Udp(udp), None) => udp.to_string(),
        (WirePlan::Listen { bind, .. }, None) => format!("a connection to {bind}"),
    }
}

const fn words(reason: Reason) -> &'static str {
    match reason {
        Reason::Finished => "the conversation is over",
        Reason::ProtocolError => "the other side does not speak this protocol",
        Reason::NotStored => "data could not be stored",
        Reason::Stopping => "the gateway stops",
        _ => "its own reason",
    }
}

async fn read(connection: &mut Option<Connection>, buffer: &mut [u8]) -> io::Result<usize> {
    match connection {
        Some(connection) => connection.io.read(buffer).await,
        None => std::future::pending().await,
    }
}

/// Waits until the line has taken what was written, by asking, since a flush would block the thread.
#[allow(clippy::disallowed_methods)] // A shell that waits for a device.
async fn drained(io: &mut dyn Wire) {
    while io.queued() > 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
