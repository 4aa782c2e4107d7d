//! The thread that interprets, and another one in its place when a driver comes to no end with a message.
//!
//! A thread cannot be stopped from outside. So each has a generation, and what a thread of an old generation finds is
//! thrown away: it asks before it stores. The message that it is lost in is held by its successor.

use super::{Order, Worker};
use crate::convert::Converter;
use orugate_protocol::time::Tick;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Threads that may be lost before the gateway gives up replacing them: each costs a core.
const LOST_MAX: usize = 8;
/// How long a stop waits for the message at hand.
const LAST: Duration = Duration::from_secs(10);

/// Hands orders to the thread that is interpreting at present. Cheap to clone.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

struct Shared {
    worker: Worker,
    limit: Duration,
    current: Mutex<Current>,
}

struct Current {
    generation: u64,
    orders: Sender<Order>,
    /// Orders that its thread has not worked off, its own beginning among them.
    open: Arc<AtomicUsize>,
    ended: Receiver<()>,
    /// The message at hand, and since when.
    at_hand: Option<(u64, Tick)>,
    /// Messages that a driver came to no end with.
    lost: Vec<u64>,
}

/// What one thread works with.
pub(super) struct Hand {
    pub(super) converter: Converter,
    /// The left-over message whose attempt this thread has journalled.
    pub(super) attempted: Option<u64>,
    /// Orders that are not worked off.
    pub(super) open: Arc<AtomicUsize>,
    generation: u64,
    handle: Handle,
}

impl Handle {
    /// Starts the first thread. A message may take `limit`.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(worker: Worker, limit: Duration) -> io::Result<Self> {
        let (orders, received) = channel();
        let (end, ended) = channel();
        let open = Arc::new(AtomicUsize::new(1));
        let current =
            Current { generation: 0, orders, open: open.clone(), ended, at_hand: None, lost: Vec::new() };
        let handle = Self(Arc::new(Shared { worker, limit, current: Mutex::new(current) }));
        handle.spawn(0, received, open, end)?;
        Ok(handle)
    }

    /// Gives an order; false when there is no thread any more.
    pub fn give(&self, order: Order) -> bool {
        let current = self.current();
        current.open.fetch_add(1, Ordering::AcqRel);
        let given = current.orders.send(order).is_ok();
        if !given {
            current.open.store(0, Ordering::Release);
        }
        given
    }

    /// True when every order that was given is worked off, and with it every message that was whole by then.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.current().open.load(Ordering::Acquire) == 0
    }

    /// To be called every second or so: replaces the thread when it has been at one message for too long.
    pub fn look(&self, now: Tick) {
        let mut current = self.current();
        let Some((message, since)) = current.at_hand else { return };
        if now.since(since) < self.0.limit || current.lost.len() >= LOST_MAX {
            return;
        }
        tracing::error!(
            number = message,
            "a driver comes to no end with a message; the message is held and the others go on"
        );
        let (orders, received) = channel();
        let (end, ended) = channel();
        let open = Arc::new(AtomicUsize::new(1));
        current.generation = current.generation.wrapping_add(1);
        current.at_hand = None;
        current.lost.push(message);
        (current.orders, current.ended, current.open) = (orders, ended, open.clone());
        let generation = current.generation;
        drop(current);
        if let Err(error) = self.spawn(generation, received, open, end) {
            tracing::error!(%error, "no thread could be made; messages wait on flash until a restart");
        }
    }

    /// Ends the thread after what waits now, or after a bound.
    pub fn stop(&self) {
        self.give(Order::Look);
        self.give(Order::Stop);
        // The lock is not held meanwhile: the thread needs it to end its message.
        let ended = std::mem::replace(&mut self.current().ended, channel().1);
        if ended.recv_timeout(LAST) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            tracing::warn!("stopped in the middle of an interpretation; it is made again at the next start");
        }
    }

    fn spawn(
        &self,
        generation: u64,
        orders: Receiver<Order>,
        open: Arc<AtomicUsize>,
        end: Sender<()>,
    ) -> io::Result<()> {
        let handle = self.clone();
        let thread = std::thread::Builder::new().name("interpret".to_owned());
        let life = move || {
            let converter = Converter::default();
            let mut hand = Hand { converter, attempted: None, open, generation, handle: handle.clone() };
            handle.0.worker.run(&mut hand, &orders);
            hand.open.store(0, Ordering::Release);
            drop(end);
        };
        thread.spawn(life).map(drop)
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hand {
    /// A message is taken up; false when an earlier thread was lost in it.
    pub(super) fn begin(&self, message: u64) -> bool {
        let now = self.handle.0.worker.clock.tick();
        let mut current = self.handle.current();
        if current.generation == self.generation {
            current.at_hand = Some((message, now));
        }
        !current.lost.contains(&message)
    }

    /// The driver is done with it; false when that took so long that another thread has the work now.
    pub(super) fn end(&self) -> bool {
        let mut current = self.handle.current();
        let own = current.generation == self.generation;
        if own {
            current.at_hand = None;
        }
        own
    }
}
