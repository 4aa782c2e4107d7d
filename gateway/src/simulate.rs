//! An instrument played on a real wire: a driver's simulator session, a port or socket, and its pace.
//!
//! For demonstrations, tests and a technician's first hour. It speaks only to where it is pointed.

use crate::clock::Clock;
use crate::config::{Flow, SerialPlan, UdpPlan};
use crate::receipts;
use crate::wire::{self, Listener, System, Wire, Wires};
use orugate_driver::{Channel, Deadline, Input, LineSettings, Note, NoteKind, Output, Parity, Peer, Session};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub use orugate_driver::SimulatedFault as Fault;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a host that has an answer is listened to after the last message.
const LINGER: Duration = Duration::from_millis(500);
/// Bits on a line for each byte: start, eight data, stop.
const BITS: u64 = 10;

/// Where the instrument is plugged in.
#[derive(Clone, Debug)]
pub enum Target {
    /// It connects.
    Connect(String),
    /// It waits for one connection.
    Listen(SocketAddr),
    /// A serial port and its rate in bits per second.
    Serial(PathBuf, u32),
    /// It sends datagrams there and hears those from there.
    Datagrams(UdpPlan),
}

/// Where a simulated instrument is plugged in; pulls the plug and puts it in again when its session says so.
pub struct Plug {
    wires: Arc<dyn Wires>,
    target: Option<Target>,
    listener: Option<Arc<dyn Listener>>,
    wire: Option<Box<dyn Wire>>,
}

impl Plug {
    /// To be plugged in here when it is first needed.
    #[must_use]
    pub fn to(target: Target) -> Self {
        Self::through(Arc::new(System), target)
    }

    /// As [`to`](Self::to), with wires of a test's own.
    #[must_use]
    pub fn through(wires: Arc<dyn Wires>, target: Target) -> Self {
        Self { wires, target: Some(target), listener: None, wire: None }
    }

    /// Plugged in already, and for the last time: once pulled it stays out.
    #[must_use]
    pub fn wired(wire: Box<dyn Wire>) -> Self {
        Self { wires: Arc::new(System), target: None, listener: None, wire: Some(wire) }
    }

    async fn open(&mut self) -> io::Result<Box<dyn Wire>> {
        match &self.target {
            None => Err(io::ErrorKind::NotConnected.into()),
            Some(Target::Connect(address)) => self.wires.connect(address, CONNECT).await,
            Some(Target::Listen(address)) => {
                let listener = match self.listener.take() {
                    Some(listener) => listener,
                    None => self.wires.listen(*address)?,
                };
                let (wire, _) = wire::accept(&**self.listener.insert(listener)).await?;
                Ok(wire)
            }
            Some(Target::Serial(path, baud)) => self.wires.serial(&SerialPlan {
                path: path.clone(),
                line: LineSettings { baud: *baud, data_bits: 8, parity: Parity::None, stop_bits: 1 },
                flow: Flow::None,
                rts: None,
                dtr: None,
            }),
            Some(Target::Datagrams(plan)) => self.wires.udp(plan),
        }
    }
}

/// Plays until the session has sent all it has and has heard nothing for a moment. `pace` is in bits per second;
/// without it bytes go as fast as the wire takes them. An instrument sends a message until it is taken; with `tries`,
/// so many failures in all are enough. `tell` hears what happens, a line each.
///
/// # Errors
/// The wire failed and could not be opened again; [`io::ErrorKind::ConnectionAborted`] when it was tried often enough.
pub async fn play(
    session: Box<dyn Session>,
    plug: &mut Plug,
    pace: Option<u32>,
    tries: Option<u32>,
    clock: &Clock,
    tell: &mut dyn FnMut(&str),
) -> io::Result<()> {
    let mut player = Player { session, channel: Channel(0), pace, tries, clock: clock.clone() };
    let mut buffer = vec![0; 4096];
    loop {
        let mut wire = match plug.wire.take() {
            Some(wire) => wire,
            None => plug.open().await?,
        };
        let ended = player.on(&mut *wire, &mut buffer, tell).await?;
        match ended {
            Ended::Done => {
                plug.wire = Some(wire);
                return Ok(());
            }
            Ended::Pulled => {
                drop(wire);
                tell("the line is cut, and opened again");
                player.give(Input::Closed(player.channel));
                player.channel.0 += 1;
            }
        }
    }
}

struct Player {
    session: Box<dyn Session>,
    channel: Channel,
    pace: Option<u32>,
    tries: Option<u32>,
    clock: Clock,
}

enum Ended {
    Done,
    Pulled,
}

impl Player {
    fn give(&mut self, input: Input<'_>) {
        self.session.handle(self.clock.tick(), input);
        while !matches!(self.session.poll(), Output::Wait(_) | Output::Done) {}
    }

    /// Plays on one wire until all is sent or the wire ends.
    async fn on(
        &mut self,
        wire: &mut dyn Wire,
        buffer: &mut [u8],
        tell: &mut dyn FnMut(&str),
    ) -> io::Result<Ended> {
        let datagrams = wire.is_datagrams();
        let peer = if datagrams { Peer::Datagrams } else { Peer::Tcp };
        let pace = self.pace.filter(|_| !datagrams);
        let mut inputs = VecDeque::from([Owned::Opened(peer)]);
        let mut deadline: Option<Deadline> = None;
        loop {
            while let Some(input) = inputs.pop_front() {
                let mut out: Vec<Vec<u8>> = Vec::new();
                let (mut pulled, mut done) = (false, false);
                self.session.handle(self.clock.tick(), input.borrow(self.channel, buffer));
                loop {
                    match self.session.poll() {
                        Output::Send(_, bytes) => match out.last_mut().filter(|_| !datagrams) {
                            Some(last) => last.extend_from_slice(bytes),
                            None => out.push(bytes.to_vec()),
                        },
                        Output::Store(ticket, _) => inputs.push_back(Owned::Stored(ticket)),
                        Output::Note(Note { kind: NoteKind::Link { what, lost: true }, .. }) => {
                            tell(&what.to_string());
                            self.tries = self.tries.map(|left| left.saturating_sub(1));
                        }
                        Output::Note(note) => tell(&note.to_string()),
                        Output::Close(..) => pulled = true,
                        Output::Done => {
                            done = true;
                            break;
                        }
                        Output::Wait(until) => {
                            deadline = until;
                            break;
                        }
                        _ => {}
                    }
                }
                // What it said last as well.
                for bytes in &out {
                    write(wire, bytes, pace).await?;
                }
                if done {
                    return Ok(Ended::Done);
                }
                if !out.is_empty() {
                    inputs.push_back(Owned::Sent);
                }
                if self.tries == Some(0) {
                    return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "tried often enough"));
                }
                if pulled {
                    return Ok(Ended::Pulled);
                }
            }
            // A session that waits for nothing has sent all; the host may still have an answer.
            let until = deadline.map_or(self.clock.tick().after(LINGER), |d| d.at);
            tokio::select! {
                read = wire.read(buffer) => match read {
                    Ok(count) if count > 0 => inputs.push_back(Owned::Bytes(count)),
                    _ => return Ok(Ended::Pulled),
                },
                () = tokio::time::sleep_until(self.clock.instant(until)) => {
                    if deadline.is_none() {
                        return Ok(Ended::Done);
                    }
                    inputs.push_back(Owned::Deadline);
                }
            }
        }
    }
}

/// An input that can wait its turn.
enum Owned {
    Opened(Peer),
    Bytes(usize),
    Sent,
    Stored(orugate_driver::Ticket),
    Deadline,
}

impl Owned {
    fn borrow<'b>(&self, channel: Channel, buffer: &'b [u8]) -> Input<'b> {
        match self {
            Self::Opened(peer) => Input::Opened(channel, *peer),
            Self::Bytes(count) => Input::Bytes(channel, buffer.get(..*count).unwrap_or_default()),
            Self::Sent => Input::Sent(channel),
            // A simulated instrument keeps what the gateway tells it for as long as it runs.
            Self::Stored(ticket) => Input::Stored(receipts::of_capture(*ticket)),
            Self::Deadline => Input::Deadline,
        }
    }
}

/// Writes at the pace of a serial line: a piece, then the time that the line would have taken for it.
async fn write(wire: &mut dyn Wire, bytes: &[u8], pace: Option<u32>) -> io::Result<()> {
    let Some(baud) = pace else { return wire.write_all(bytes).await };
    // Twenty milliseconds' worth at a time keeps the pace without a timer for each byte.
    let piece = usize::try_from(u64::from(baud) / BITS / 50).unwrap_or(1).max(1);
    for bytes in bytes.chunks(piece) {
        wire.write_all(bytes).await?;
        let micros = (bytes.len() as u64).saturating_mul(BITS * 1_000_000) / u64::from(baud.max(1));
        pause(Duration::from_micros(micros)).await;
    }
    Ok(())
}

#[allow(clippy::disallowed_methods)] // The shell that paces a line.
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}
