//! A small integration engine on loopback: it takes messages over MLLP, keeps them, and answers as it is told.
//!
//! For the demonstration, where it shows what arrived, and for tests, where it behaves like the engines of the field:
//! silent, late, double, torn, noisy, gone. Promises that every message is counted exactly as often as it came and
//! that two bodies under one MSH-10 are noticed. Leaves out everything an engine is for; it keeps all in memory.

mod script;
mod serve;

pub use script::Behaviour;

use crate::clock::Clock;
use crate::wire::{System, Wires};
use orugate_protocol::hl7::header::Header;
use script::Script;
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A message, by its MSH-10.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// MSH-10; empty when the message has none.
    pub id: Vec<u8>,
    /// The bytes that came first.
    pub bytes: Vec<u8>,
    /// How often it came.
    pub times: u32,
    /// How often it came with other bytes than first.
    pub other_bodies: u32,
}

/// What came in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections taken.
    pub connections: u64,
    /// Messages, repetitions too.
    pub messages: u64,
    /// Different MSH-10.
    pub distinct: u64,
    /// OBX segments in the first copy of each.
    pub observations: u64,
    /// MSH-10 that came with more than one body.
    pub conflicts: u64,
}

/// A running engine. Dropping it stops it.
#[derive(Debug)]
pub struct Engine {
    address: SocketAddr,
    wires: Arc<dyn Wires>,
    inner: Arc<Inner>,
    listening: Option<Listening>,
}

#[derive(Debug)]
struct Listening {
    /// Dropping it ends the task and its connections.
    stop: watch::Sender<()>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Inner {
    clock: Clock,
    kept: Mutex<Kept>,
    counts: watch::Sender<Counts>,
    script: Mutex<Script>,
}

#[derive(Debug, Default)]
struct Kept {
    messages: Vec<Received>,
    by_id: HashMap<Vec<u8>, usize>,
    /// Acknowledgments that were held back until the next message.
    late: Vec<Vec<u8>>,
    answers: u64,
}

impl Engine {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// As the system's bind.
    pub fn start(clock: Clock) -> io::Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), clock)
    }

    /// Listens on an address. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// As the system's bind.
    pub fn start_at(address: SocketAddr, clock: Clock) -> io::Result<Self> {
        Self::start_on(Arc::new(System), address, clock)
    }

    /// As [`start_at`](Self::start_at), with wires of a test's own.
    ///
    /// # Errors
    /// As those wires say.
    pub fn start_on(wires: Arc<dyn Wires>, address: SocketAddr, clock: Clock) -> io::Result<Self> {
        let (counts, _) = watch::channel(Counts::default());
        let inner = Arc::new(Inner {
            clock,
            kept: Mutex::new(Kept::default()),
            counts,
            script: Mutex::new(Script::default()),
        });
        let mut engine = Self { address, wires, inner, listening: None };
        engine.bring_back()?;
        Ok(engine)
    }

    /// Where it listens, or did.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How the next messages are answered, one each, repetitions too. After them, and without any, with AA.
    pub fn script(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        lock(&self.inner.script).next.extend(behaviours);
    }

    /// How messages beyond the [`script`](Self::script) are answered.
    pub fn otherwise(&self, behaviour: Behaviour) {
        lock(&self.inner.script).otherwise = behaviour;
    }

    /// Listens again, on the same port.
    ///
    /// # Errors
    /// As the system's bind; somebody else may have taken the port.
    pub fn bring_back(&mut self) -> io::Result<()> {
        if self.listening.is_some() {
            return Ok(());
        }
        let listener = self.wires.listen(self.address)?;
        self.address = listener.address()?;
        let (stop, stopped) = watch::channel(());
        let task = tokio::spawn(serve::listen(self.inner.clone(), listener, stopped));
        self.listening = Some(Listening { stop, task });
        Ok(())
    }

    /// Stops listening and drops all connections; returns when both are gone. What was kept stays.
    pub async fn take_away(&mut self) {
        if let Some(Listening { stop, task }) = self.listening.take() {
            drop(stop);
            let _ = task.await;
        }
    }

    /// All messages, in the order in which each came first.
    #[must_use]
    pub fn messages(&self) -> Vec<Received> {
        lock(&self.inner.kept).messages.clone()
    }

    /// What came in all.
    #[must_use]
    pub fn counts(&self) -> Counts {
        *self.inner.counts.borrow()
    }

    /// Changes whenever a connection or a message came.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Counts> {
        self.inner.counts.subscribe()
    }
}

impl Inner {
    /// Keeps a message and says how it is to be answered.
    fn receive(&self, message: &[u8]) -> Behaviour {
        let header = Header::read(message).ok().or_else(|| Header::salvage(message));
        let id = header.as_ref().map(|header| header.control_id().to_vec()).unwrap_or_default();
        let (mut new, mut conflict) = (false, false);
        {
            let mut kept = lock(&self.kept);
            // Without an id each copy is a message of its own.
            let known = if id.is_empty() { None } else { kept.by_id.get(&id).copied() };
            match known.and_then(|at| kept.messages.get_mut(at)) {
                Some(known) => {
                    known.times += 1;
                    if known.bytes != message {
                        conflict = known.other_bodies == 0;
                        known.other_bodies += 1;
                    }
                }
                None => {
                    new = true;
                    let at = kept.messages.len();
                    kept.by_id.insert(id.clone(), at);
                    kept.messages.push(Received { id, bytes: message.to_vec(), times: 1, other_bodies: 0 });
                }
            }
        }
        let behaviour = lock(&self.script).take();
        self.counts.send_modify(|counts| {
            counts.messages += 1;
            counts.distinct += u64::from(new);
            counts.conflicts += u64::from(conflict);
            counts.observations += if new { observations(message) } else { 0 };
        });
        behaviour
    }
}

fn observations(message: &[u8]) -> u64 {
    message.split(|byte| *byte == b'\r').filter(|segment| segment.starts_with(b"OBX")).count() as u64
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
