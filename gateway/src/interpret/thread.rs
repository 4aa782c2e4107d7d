//! The thread that interprets, and another one in its place when a driver does not come back from a message.
//!
//! Promises that a driver which needs long, or for ever, holds up its own instrument and no other for longer than
//! [`GRACE`]. A thread cannot be stopped from outside, so one that does not come back is left behind with its message,
//! and a successor works on for the other instruments. Each thread has a generation, and what one of an old generation
//! finds is thrown away: it asks before it stores. If it does come back, its message was only long and is taken up
//! again in its turn, and then waited for; if it does not within the limit, the successor holds the message. What the
//! journal takes to be read for what was sent before is no time of the driver's. After [`STRIKES`] such messages of one instrument the others of it are held unread: each lost thread costs a core.

use super::{Order, Worker};
use crate::bedside::Observer;
use crate::convert::Converter;
use crate::notes::Hush;
use crate::pulse::step_back;
use orugate_journal::Lane;
use orugate_protocol::time::Tick;
use rustix::process::Pid;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long other instruments wait for a message: some hundred times what a usual one needs.
const GRACE: Duration = Duration::from_millis(250);
/// Messages of one instrument with which its driver may come to no end before the rest is held unread.
const STRIKES: u32 = 2;
/// Threads that may be away at a time.
const AWAY_MAX: usize = 16;
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
    /// Its thread panicked, or could not be made.
    dead: bool,
    orders: Sender<Order>,
    /// Orders that its thread has not worked off, its own beginning among them.
    open: Arc<AtomicUsize>,
    ended: Receiver<()>,
    at_hand: Option<AtHand>,
    /// Threads that did not come back yet.
    away: Vec<AtHand>,
    /// Messages with which a driver is known to come to an end.
    long: BTreeSet<u64>,
    /// Messages with which a driver came to no end.
    lost: BTreeSet<u64>,
    /// How many messages were lost, by instrument.
    strikes: BTreeMap<Arc<str>, u32>,
}

impl Current {
    fn give(&self, order: Order) -> bool {
        self.open.fetch_add(1, Ordering::AcqRel);
        let given = self.orders.send(order).is_ok();
        if !given {
            self.open.store(0, Ordering::Release);
        }
        given
    }
}

/// A message that a thread is inside a driver with.
struct AtHand {
    message: u64,
    instrument: Arc<str>,
    spent: Spent,
    generation: u64,
    thread: Pid,
}

/// The time that a message has taken.
#[derive(Clone, Copy, Debug)]
struct Spent {
    since: Tick,
    /// Of it, reading what was sent before.
    read: Duration,
    /// Since when that is read.
    reading: Option<Tick>,
}

impl Spent {
    const fn new(since: Tick) -> Self {
        Self { since, read: Duration::ZERO, reading: None }
    }

    /// How long others have waited.
    const fn all(&self, now: Tick) -> Duration {
        now.since(self.since)
    }

    /// What the driver itself has taken.
    fn by_driver(&self, now: Tick) -> Duration {
        let reading = self.reading.map_or(Duration::ZERO, |since| now.since(since));
        self.all(now).saturating_sub(self.read).saturating_sub(reading)
    }

    /// The journal begins to be read, or has been.
    fn looking(&mut self, begins: bool, now: Tick) {
        if let Some(since) = self.reading.take() {
            self.read = self.read.saturating_add(now.since(since));
        }
        self.reading = begins.then_some(now);
    }
}

/// Stops the driver's clock of one thread while it reads the journal.
pub(super) struct Pause {
    handle: Handle,
    generation: u64,
}

impl Pause {
    pub(super) fn looking(&self, begins: bool) {
        let now = self.handle.0.worker.clock.tick();
        let mut current = self.handle.current();
        let Current { at_hand, away, .. } = &mut *current;
        let mine = at_hand.iter_mut().chain(away).find(|at_hand| at_hand.generation == self.generation);
        if let Some(at_hand) = mine {
            at_hand.spent.looking(begins, now);
        }
    }
}

/// What one thread works with.
pub(super) struct Hand {
    pub(super) converter: Converter,
    /// For bedside devices.
    pub(super) observer: Observer,
    /// Left-over messages whose attempt this thread has journalled.
    pub(super) attempted: BTreeSet<u64>,
    /// Orders that are not worked off.
    pub(super) open: Arc<AtomicUsize>,
    /// Outcomes that could not be stored, for the log.
    pub(super) unstored: Hush<Lane>,
    /// Another thread has the work: this one is to do nothing more.
    pub(super) overtaken: bool,
    generation: u64,
    thread: Pid,
    handle: Handle,
}

/// Why a message is not given to its driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// Its driver came to no end with it.
    Message,
    /// Its driver came to no end with others of its instrument.
    Instrument,
}

impl Unfit {
    pub(super) const fn sentence(self) -> &'static str {
        match self {
            Self::Message => {
                "The driver came to no end with this message. Send it to the maker, release after an update."
            }
            Self::Instrument => {
                "The driver came to no end with two messages of this instrument, so this one was not given to it. \
                 Restart the service, or update it, then release."
            }
        }
    }
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
        let current = Current {
            generation: 0,
            dead: false,
            orders,
            open: open.clone(),
            ended,
            at_hand: None,
            away: Vec::new(),
            long: BTreeSet::new(),
            lost: BTreeSet::new(),
            strikes: BTreeMap::new(),
        };
        let handle = Self(Arc::new(Shared { worker, limit, current: Mutex::new(current) }));
        handle.spawn(0, received, open, end)?;
        Ok(handle)
    }

    /// Gives an order; false when there is no thread any more.
    pub fn give(&self, order: Order) -> bool {
        self.current().give(order)
    }

    /// True when every order that was given is worked off, and with it every message that was whole by then.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let current = self.current();
        current.away.is_empty() && current.open.load(Ordering::Acquire) == 0
    }

    /// To be called some times a second: leaves behind a thread that does not come back, and gives up one that has not
    /// for too long.
    pub fn look(&self, now: Tick) {
        let limit = self.0.limit;
        let mut current = self.current();
        if let Some(over) = current.away.iter().position(|away| away.spent.by_driver(now) >= limit) {
            let AtHand { message, instrument, thread, .. } = current.away.swap_remove(over);
            tracing::error!(%instrument, number = message,
                "a driver comes to no end with a message; the message is held and the others go on");
            step_back(thread);
            current.lost.insert(message);
            *current.strikes.entry(instrument).or_default() += 1;
            current.give(Order::Look);
        }
        if current.dead {
            tracing::error!("the interpretation thread has ended; another one takes its place");
            current.at_hand = None;
            return self.succeed(current);
        }
        if current.away.len() >= AWAY_MAX {
            return;
        }
        let Current { at_hand, long, .. } = &mut *current;
        let is_over = |at_hand: &mut AtHand| {
            if long.contains(&at_hand.message) {
                at_hand.spent.by_driver(now) >= limit
            } else {
                // Whatever it is spent with, others wait.
                at_hand.spent.all(now) >= GRACE
            }
        };
        let Some(at_hand) = at_hand.take_if(is_over) else { return };
        current.away.push(at_hand);
        self.succeed(current);
    }

    /// Another thread takes the work.
    fn succeed(&self, mut current: MutexGuard<'_, Current>) {
        let (orders, received) = channel();
        let (end, ended) = channel();
        let open = Arc::new(AtomicUsize::new(1));
        current.generation = current.generation.wrapping_add(1);
        // Orders that the thread had not taken yet end with it, and those who gave them hear so.
        (current.orders, current.ended, current.open) = (orders, ended, open.clone());
        current.dead = false;
        let generation = current.generation;
        drop(current);
        if let Err(error) = self.spawn(generation, received, open, end) {
            tracing::error!(%error, "no thread could be made; messages wait on flash, and it is tried again");
            self.current().dead = true;
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

    /// True while a message of this instrument is with a thread that did not come back yet: those behind it wait, so
    /// that the instrument's order is kept.
    pub(super) fn is_away(&self, instrument: &str) -> bool {
        self.current().away.iter().any(|away| &*away.instrument == instrument)
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
            let mut hand = Hand {
                converter: Converter::default(),
                observer: Observer::default(),
                attempted: BTreeSet::new(),
                unstored: Hush::default(),
                open,
                overtaken: false,
                generation,
                thread: rustix::thread::gettid(),
                handle: handle.clone(),
            };
            let work = AssertUnwindSafe(|| handle.0.worker.run(&mut hand, &orders));
            if catch_unwind(work).is_err() {
                let mut current = handle.current();
                current.dead |= current.generation == generation;
            }
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
    /// True while other messages of this instrument must wait.
    pub(super) fn must_wait(&self, instrument: &str) -> bool {
        self.handle.is_away(instrument)
    }

    /// What stops the driver's clock.
    pub(super) fn pause(&self) -> Pause {
        Pause { handle: self.handle.clone(), generation: self.generation }
    }

    /// A message is given to its driver.
    pub(super) fn begin(&self, message: u64, instrument: &Arc<str>) -> Result<(), Unfit> {
        let since = self.handle.0.worker.clock.tick();
        let mut current = self.handle.current();
        if current.lost.contains(&message) {
            return Err(Unfit::Message);
        }
        if current.strikes.get(instrument).is_some_and(|strikes| *strikes >= STRIKES) {
            return Err(Unfit::Instrument);
        }
        self.has(&mut current, message, instrument, since);
        Ok(())
    }

    /// A message with which its driver came to an end before is given to it once more, whatever became of others.
    pub(super) fn begin_known(&self, message: u64, instrument: &Arc<str>) -> Result<(), Unfit> {
        let since = self.handle.0.worker.clock.tick();
        let mut current = self.handle.current();
        if current.lost.contains(&message) {
            return Err(Unfit::Message);
        }
        self.has(&mut current, message, instrument, since);
        Ok(())
    }

    fn has(&self, current: &mut Current, message: u64, instrument: &Arc<str>, since: Tick) {
        if current.generation == self.generation {
            let (generation, thread) = (self.generation, self.thread);
            let instrument = instrument.clone();
            let spent = Spent::new(since);
            current.at_hand = Some(AtHand { message, instrument, spent, generation, thread });
        }
    }

    /// The driver came back; false when that took so long that another thread has the work now.
    pub(super) fn end(&mut self) -> bool {
        let mut current = self.handle.current();
        if current.generation == self.generation {
            if let Some(at_hand) = current.at_hand.take() {
                current.long.remove(&at_hand.message);
            }
            return true;
        }
        if let Some(at) = current.away.iter().position(|away| away.generation == self.generation) {
            let AtHand { message, .. } = current.away.swap_remove(at);
            current.long.insert(message);
            current.give(Order::Look);
        }
        drop(current);
        self.overtaken = true;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_journal_takes_is_no_time_of_the_drivers() {
        let at = |millis: u64| Tick::from_micros(millis * 1000);
        let mut spent = Spent::new(at(100));
        // A thousand look-ups of 4 ms, and a millisecond of the driver's before each.
        for n in 0..1000 {
            spent.looking(true, at(101 + n * 5));
            assert_eq!(
                spent.by_driver(at(103 + n * 5)),
                Duration::from_millis(1 + n),
                "in the middle of one"
            );
            spent.looking(false, at(105 + n * 5));
        }
        assert_eq!(spent.all(at(5100)), Duration::from_secs(5));
        assert_eq!(spent.by_driver(at(5100)), Duration::from_secs(1));
        // One that is not told to end is over with the next.
        spent.looking(true, at(5100));
        spent.looking(true, at(5200));
        spent.looking(false, at(5300));
        assert_eq!(spent.by_driver(at(5300)), Duration::from_secs(1));
    }
}
