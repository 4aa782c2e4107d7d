//! Whether a driver comes back from a call: what a port's thread says before and after, and what its supervisor sees.
//!
//! Promises that a thread is given up only while it is inside its driver, so nothing that it has begun to store or to
//! send is lost with it, or when its port was told to end and did not; and that a thread which was given up learns so
//! before it stores anything more. Nothing in Rust ends a thread from outside; it can only be left behind, with the
//! lowest priority. Its connection is shut down for it, so that an instrument which keeps one for ever connects anew.

use crate::wire::Listener;
use orugate_protocol::time::Tick;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One port's thread, seen from both sides.
#[derive(Debug, Default)]
pub struct Pulse(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Inside the driver since then, and the message that was open at the time.
    inside: Option<(Tick, Option<u64>)>,
    lost: bool,
    thread: Option<rustix::process::Pid>,
    /// The connection that it serves.
    socket: Option<OwnedFd>,
    /// The listener that it bound, which nobody but this keeps: the system gives an address once.
    listener: Option<Arc<dyn Listener>>,
}

/// The thread was given up and must do nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenUp;

impl Pulse {
    /// The present thread is the one that is watched.
    pub fn here(&self) {
        self.inner().thread = Some(rustix::thread::gettid());
    }

    /// The thread serves this connection, or none.
    pub fn serves(&self, socket: Option<OwnedFd>) {
        self.inner().socket = socket;
    }

    /// The thread listens with this. It may use it until it is given up; then the address is free.
    pub fn hears(&self, listener: Arc<dyn Listener>) {
        self.inner().listener = Some(listener);
    }

    /// Does what a driver asked for, unless the thread was given up: both cannot happen at once.
    ///
    /// # Errors
    /// It was, and nothing is done.
    pub fn act<T>(&self, deed: impl FnOnce() -> T) -> Result<T, GivenUp> {
        let inner = self.inner();
        if inner.lost { Err(GivenUp) } else { Ok(deed()) }
    }

    /// The port did not end when it was told to: what it still does is not done.
    pub fn retire(&self) {
        self.inner().give_up();
    }

    /// The driver is called.
    pub fn enter(&self, now: Tick, open: Option<u64>) {
        self.inner().inside = Some((now, open));
    }

    /// The driver came back.
    ///
    /// # Errors
    /// Too late.
    pub fn leave(&self) -> Result<(), GivenUp> {
        let mut inner = self.inner();
        if inner.lost {
            return Err(GivenUp);
        }
        inner.inside = None;
        Ok(())
    }

    /// Gives the thread up when it is inside its driver for longer than `limit`. Then gives the message that it left
    /// open, if any.
    pub fn give_up(&self, now: Tick, limit: Duration) -> Option<Option<u64>> {
        let mut inner = self.inner();
        let (since, open) = inner.inside?;
        if inner.lost || now.since(since) < limit {
            return None;
        }
        inner.give_up();
        if let Some(thread) = inner.thread {
            step_back(thread);
        }
        Some(open)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn give_up(&mut self) {
        self.lost = true;
        self.listener = None;
        if let Some(socket) = self.socket.take() {
            // It may have been closed from the other side meanwhile, which is as well.
            let _ = socket2::Socket::from(socket).shutdown(Shutdown::Both);
        }
    }
}

/// Lets a thread run only when nobody else wants to, nearly.
pub fn step_back(thread: rustix::process::Pid) {
    if let Err(error) = rustix::process::setpriority_process(Some(thread), 19) {
        tracing::warn!(%error, "a lost thread keeps its priority and takes a part of one core");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_given_up_only_inside_its_driver_and_learns_so() {
        let pulse = Pulse::default();
        let (limit, late) = (Duration::from_secs(1), Tick::ZERO.after(Duration::from_secs(2)));
        assert_eq!(pulse.give_up(late, limit), None);
        pulse.enter(Tick::ZERO, Some(7));
        assert_eq!(pulse.give_up(Tick::ZERO, limit), None);
        assert_eq!(pulse.leave(), Ok(()));
        assert_eq!(pulse.give_up(late, limit), None, "it came back");
        pulse.enter(Tick::ZERO, Some(7));
        assert_eq!(pulse.give_up(late, limit), Some(Some(7)));
        assert_eq!(pulse.give_up(late, limit), None, "once");
        assert_eq!(pulse.leave(), Err(GivenUp));
        assert_eq!(pulse.act(|| ()), Err(GivenUp));
    }

    #[test]
    fn what_a_retired_thread_still_wants_is_not_done() {
        let pulse = Pulse::default();
        assert_eq!(pulse.act(|| 5), Ok(5));
        pulse.retire();
        assert_eq!(pulse.act(|| 5), Err(GivenUp));
    }
}
