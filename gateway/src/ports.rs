//! The ports of all instruments: where they run, and who gives one up whose driver does not come back.
//!
//! Promises that nothing which happens inside one instrument's driver delays another instrument: each port has a thread
//! and a runtime of its own, because a thread that is stuck in a driver can be neither stopped nor shared. A port whose
//! thread is stuck is given up ([`Pulse`]) and begun anew on another thread, [`LIVES`] times. What the stuck thread
//! keeps is its wire: a TCP peer connects anew, a serial port stays taken until the service is restarted. A
//! listener stays with the supervisor, so an address is free for its next owner. Leaves out what a port does; that is
//! [`Port`].

use crate::capture::Tap;
use crate::clock::Clock;
use crate::config::WirePlan;
use crate::port::{Begin, Mail, Port, Snapshots};
use crate::pulse::Pulse;
use crate::records::Abandoned;
use crate::status::{Line, PortStatus};
use crate::store::{Entry, Store};
use crate::wire::{Listener, Wires};
use orugate_journal::Urgency;
use orugate_protocol::time::Tick;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// How long a driver may stay in one call, which has at most 4 KiB to look at.
const LIMIT: Duration = Duration::from_secs(5);
/// Threads that one instrument's driver may take with it; each costs a part of a core.
const LIVES: u32 = 3;
/// How long ports may take to end: what one gives its session, a write that is under way, and a little more.
const END: Duration = Duration::from_secs(20);

/// Where ports run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// Each on a thread of its own.
    Threads,
    /// All on the present runtime, for a test whose clock is that runtime's. Nobody is given up there.
    Here,
}

/// What a port is made from, again and again.
#[derive(Clone)]
pub struct Setup {
    /// The instrument's name.
    pub name: Arc<str>,
    /// How it is connected.
    pub wire: WirePlan,
    /// Where its wires come from.
    pub wires: Arc<dyn Wires>,
    /// A listener that is bound already, for [`WirePlan::Listen`].
    pub listener: Option<Arc<dyn Listener>>,
    /// Its protocol.
    pub begin: Begin,
    /// When snapshots are taken, of a bedside device.
    pub snapshots: Option<Snapshots>,
    /// What others see of it.
    pub status: Arc<PortStatus>,
    /// What came and went on its line goes there too.
    pub tap: Tap,
    /// The store is nearly full.
    pub busy: watch::Receiver<bool>,
}

/// All ports.
pub struct Ports {
    ground: Ground,
    store: Store,
    clock: Clock,
    list: Mutex<BTreeMap<Arc<str>, Hosted>>,
    /// Messages whose port will not end them, and which the journal has not yet been able to end.
    unended: Arc<Mutex<Vec<u64>>>,
}

/// Its sender is gone when the port has ended.
type Ended = watch::Receiver<()>;

/// One port, running.
struct Hosted {
    setup: Setup,
    pulse: Arc<Pulse>,
    mail: mpsc::UnboundedSender<Mail>,
    stop: watch::Sender<bool>,
    ended: Ended,
    lost: u32,
}

impl Ports {
    /// None yet.
    #[must_use]
    pub fn new(ground: Ground, store: Store, clock: Clock) -> Self {
        Self { ground, store, clock, list: Mutex::default(), unended: Arc::default() }
    }

    /// Opens a port; one of the same name must have been closed before.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn open(&self, setup: Setup) -> io::Result<()> {
        let (stop, stops) = watch::channel(false);
        let (pulse, mail, ended) = self.host(&setup, stops)?;
        let name = setup.name.clone();
        self.list().insert(name, Hosted { setup, pulse, mail, stop, ended, lost: 0 });
        Ok(())
    }

    /// Brings mail to a port, if there is one of this name.
    pub fn mail(&self, name: &str, mail: Mail) {
        if let Some(hosted) = self.list().get(name) {
            let _ = hosted.mail.send(mail);
        }
    }

    /// What others see of a port.
    #[must_use]
    pub fn status(&self, name: &str) -> Option<Arc<PortStatus>> {
        self.list().get(name).map(|hosted| hosted.setup.status.clone())
    }

    /// Closes ports, all at the same time, as a stop of the gateway does: an open message may finish, within a bound.
    /// Each stays on the list until it has ended, also when whoever waits gives up.
    pub async fn close(&self, names: &[&str]) {
        let mut closing = Vec::new();
        for name in names {
            if let Some(hosted) = self.list().get(*name) {
                hosted.stop.send_replace(true);
                closing.push((*name, hosted.ended.clone()));
            }
        }
        let until = self.clock.instant(self.clock.tick().after(END));
        for (name, mut ended) in closing {
            let late = tokio::time::timeout_at(until, ended.changed()).await.is_err();
            let closed = self.list().remove(name);
            if let Some(hosted) = closed.filter(|_| late) {
                tracing::warn!(instrument = name, "its port did not end; what it acknowledged is stored");
                // Whoever ends its message now can be sure that nothing is added to it.
                hosted.pulse.retire();
            }
        }
    }

    /// Ends a message that no port will end, as soon as the journal takes it.
    pub fn end_message(&self, message: u64) {
        let unended = self.unended.clone();
        self.store.append(vec![Entry::new(&Abandoned { message })], Urgency::Soon, None, move |stored| {
            if stored.is_err() {
                unended.lock().unwrap_or_else(PoisonError::into_inner).push(message);
            }
        });
    }

    /// Closes all.
    pub async fn close_all(&self) {
        let all: Vec<Arc<str>> = self.list().keys().cloned().collect();
        self.close(&all.iter().map(|name| &**name).collect::<Vec<_>>()).await;
    }

    /// To be called some times a second: gives up threads that are stuck in a driver.
    pub fn look(&self, now: Tick) {
        for hosted in self.list().values_mut() {
            if let Some(open) = hosted.pulse.give_up(now, LIMIT) {
                self.given_up(hosted, open);
            }
        }
        let unended = std::mem::take(&mut *self.unended.lock().unwrap_or_else(PoisonError::into_inner));
        unended.into_iter().for_each(|message| self.end_message(message));
    }

    fn given_up(&self, hosted: &mut Hosted, open: Option<u64>) {
        let (name, status, utc) = (&hosted.setup.name, &hosted.setup.status, self.clock.reckoned());
        tracing::error!(instrument = %name, "the driver does not come back from a call; its thread is left behind");
        status.fell("did not come back from a call", utc);
        if let Some(message) = open {
            self.end_message(message);
        }
        hosted.lost += 1;
        // Nobody waits for the one that is lost: this is over when its successor is, and at once without one.
        hosted.ended = watch::channel(()).1;
        if hosted.lost >= LIVES {
            status.line(Line::Dead("its driver did not come back from three calls".to_owned()), utc);
            return;
        }
        status.line(Line::Down("its driver did not come back from a call".to_owned()), utc);
        match self.host(&hosted.setup, hosted.stop.subscribe()) {
            Ok((pulse, mail, ended)) => (hosted.pulse, hosted.mail, hosted.ended) = (pulse, mail, ended),
            Err(error) => {
                status.line(Line::Dead(format!("no thread could be made for it: {error}")), utc);
            }
        }
    }

    fn host(
        &self,
        setup: &Setup,
        stop: watch::Receiver<bool>,
    ) -> io::Result<(Arc<Pulse>, mpsc::UnboundedSender<Mail>, Ended)> {
        let pulse = Arc::new(Pulse::default());
        let mail = mpsc::unbounded_channel();
        let sender = mail.0.clone();
        let (end, ended) = watch::channel(());
        let setup = setup.clone();
        let port = Port {
            name: setup.name.clone(),
            wire: setup.wire,
            wires: setup.wires,
            listener: setup.listener.as_ref().map(Arc::downgrade),
            begin: setup.begin,
            snapshots: setup.snapshots,
            store: self.store.clone(),
            clock: self.clock.clone(),
            status: setup.status.clone(),
            tap: setup.tap,
            pulse: pulse.clone(),
            mail,
            busy: setup.busy,
            stop,
        };
        let (name, status, clock) = (setup.name, setup.status, self.clock.clone());
        match self.ground {
            Ground::Here => {
                tokio::spawn(async move {
                    guard(tokio::spawn(port.run()).await.is_err(), &name, &status, &clock);
                    drop(end);
                });
            }
            Ground::Threads => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                let watched = pulse.clone();
                // The kernel shows 15 characters.
                let thread = std::thread::Builder::new().name(name.chars().take(15).collect());
                thread.spawn(move || {
                    watched.here();
                    let life = std::panic::AssertUnwindSafe(|| runtime.block_on(port.run()));
                    guard(std::panic::catch_unwind(life).is_err(), &name, &status, &clock);
                    drop(end);
                })?;
            }
        }
        Ok((pulse, sender, ended))
    }

    fn list(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Hosted>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A port outlives what its driver does. Should it panic itself, that is said where people look.
fn guard(panicked: bool, name: &str, status: &PortStatus, clock: &Clock) {
    if panicked {
        tracing::error!(
            instrument = name,
            "its port failed; restart the service to use this instrument again"
        );
        status.line(Line::Dead("its port failed".to_owned()), clock.reckoned());
    }
}
