//! An instrument played on a real wire: a driver's simulator session, a port or socket, and its pace.
//!
//! For demonstrations, tests and a technician's first hour. It speaks only to where it is pointed.

use crate::clock::Clock;
use crate::config::{Flow, SerialPlan};
use crate::receipts;
use crate::wire::{self, Wire};
use orugate_driver::{Channel, Deadline, Input, LineSettings, Output, Parity, Peer, Session};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub use orugate_driver::SimulatedFault as Fault;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
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
}

/// Why not everything was sent.
#[derive(Debug)]
pub enum PlayError {
    /// The wire.
    Wire(io::Error),
    /// The simulator gave up, as an instrument does after six refusals.
    GivenUp,
}

impl From<io::Error> for PlayError {
    fn from(error: io::Error) -> Self {
        Self::Wire(error)
    }
}

impl fmt::Display for PlayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wire(error) => write!(f, "the wire failed: {error}"),
            Self::GivenUp => f.write_str("the instrument gave up"),
        }
    }
}

/// Opens the wire.
///
/// # Errors
/// As the system's.
pub async fn open(target: &Target) -> io::Result<Box<dyn Wire>> {
    match target {
        Target::Connect(address) => wire::connect(address, CONNECT).await,
        Target::Listen(address) => {
            let listener = wire::listen(*address)?;
            let (stream, _) = listener.accept().await?;
            Ok(Box::new(wire::prepared(stream)?))
        }
        Target::Serial(path, baud) => wire::open_serial(&SerialPlan {
            path: path.clone(),
            line: LineSettings { baud: *baud, data_bits: 8, parity: Parity::None, stop_bits: 1 },
            flow: Flow::None,
            rts: None,
            dtr: None,
        }),
    }
}

/// Plays until the session has sent all it has, or gives up. `pace` is in bits per second; without it bytes go as
/// fast as the wire takes them. `tell` hears what happens, a line each.
///
/// # Errors
/// [`PlayError`].
pub async fn play(
    mut session: Box<dyn Session>,
    wire: &mut dyn Wire,
    pace: Option<u32>,
    clock: &Clock,
    tell: &mut dyn FnMut(&str),
) -> Result<(), PlayError> {
    let channel = Channel(0);
    let mut buffer = vec![0; 4096];
    let mut inputs: Vec<Owned> = vec![Owned::Opened];
    loop {
        let mut deadline: Option<Deadline> = None;
        for input in std::mem::take(&mut inputs) {
            let mut out = Vec::new();
            let mut end = None;
            session.handle(clock.tick(), input.borrow(channel, &buffer));
            loop {
                match session.poll() {
                    Output::Send(_, bytes) => out.extend_from_slice(bytes),
                    Output::Store(ticket, _) => inputs.push(Owned::Stored(ticket)),
                    Output::Note(note) => tell(&note.to_string()),
                    Output::Close(..) => {
                        end = Some(Err(PlayError::GivenUp));
                        break;
                    }
                    Output::Done => {
                        end = Some(Ok(()));
                        break;
                    }
                    Output::Wait(until) => {
                        deadline = until;
                        break;
                    }
                    _ => {}
                }
            }
            if !out.is_empty() {
                write(wire, &out, pace).await?;
                inputs.push(Owned::Sent);
            }
            if let Some(end) = end {
                return end;
            }
        }
        if !inputs.is_empty() {
            continue;
        }
        let at = deadline.map(|d| clock.instant(d.at));
        let due = async {
            match at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            read = wire.read(&mut buffer) => match read? {
                0 => return Err(PlayError::Wire(io::ErrorKind::UnexpectedEof.into())),
                count => inputs.push(Owned::Bytes(count)),
            },
            () = due => inputs.push(Owned::Deadline),
        }
    }
}

/// An input that can wait its turn.
enum Owned {
    Opened,
    Bytes(usize),
    Sent,
    Stored(orugate_driver::Ticket),
    Deadline,
}

impl Owned {
    fn borrow<'b>(&self, channel: Channel, buffer: &'b [u8]) -> Input<'b> {
        match self {
            Self::Opened => Input::Opened(channel, Peer::Tcp),
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
