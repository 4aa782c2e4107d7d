//! What a running gateway is made of, so that it can be changed while it runs: the base that all its parts stand on,
//! and the forwarders, by name. The ports are in [`Ports`].
//!
//! Promises that a forwarder which is told to end is waited for and stays on the list until it has ended, also when
//! whoever waits gives up. Decides nothing.

use crate::capture::Recorder;
use crate::clock::Clock;
use crate::config::{
    Allow, CapturePlan, DestinationPlan, InstrumentPlan, Plan, SerialPlan, TlsPlan, UdpPlan, WirePlan,
};
use crate::forward;
use crate::lineup::Reached;
use crate::port::Snapshots;
use crate::ports::{Ports, Setup};
use crate::status::PortStatus;
use crate::store::Store;
use crate::tls::{Peer, Tls};
use crate::wire::{Connecting, Listener, Wire, Wires};
use orugate_driver::Instrument;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A task that did not end after so long is given up: longer than any of its own bounds.
const END: Duration = Duration::from_secs(30);

/// What every task works with.
#[derive(Clone)]
pub(crate) struct Base {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) wires: Arc<dyn Wires>,
    /// The store is nearly full.
    pub(crate) busy: watch::Receiver<bool>,
    pub(crate) ports: Arc<Ports>,
    pub(crate) tls: Tls,
    pub(crate) recorder: Recorder,
}

/// The forwarders that run.
#[derive(Default)]
pub(crate) struct Crew {
    forwarders: BTreeMap<String, Task>,
}

struct Task {
    stop: watch::Sender<bool>,
    end: JoinHandle<()>,
}

impl Base {
    /// What an instrument's port is made from; a listener has yet to be bound, by the same wires that the port has.
    pub(crate) fn setup(
        &self,
        plan: &InstrumentPlan,
        capture: &CapturePlan,
        status: Arc<PortStatus>,
    ) -> Setup {
        Setup {
            name: plan.name.as_str().into(),
            wire: plan.wire.clone(),
            wires: match &plan.wire {
                WirePlan::Serial(_) | WirePlan::Udp(_) => self.wires.clone(),
                WirePlan::Connect { tls, .. } => {
                    self.tls.wires(&plan.name, Peer::Instrument, tls.as_ref(), &self.wires)
                }
                WirePlan::Listen { tls, allow, .. } => Arc::new(Listening {
                    wires: self.wires.clone(),
                    tls: self.tls.clone(),
                    name: plan.name.clone(),
                    plan: tls.clone(),
                    allow: allow.clone(),
                }),
            },
            listener: None,
            begin: {
                let (profile, name) = (plan.profile.clone(), plan.name.clone());
                Arc::new(move || profile.session(&Instrument { name: name.clone() }))
            },
            snapshots: plan
                .bedside
                .as_ref()
                .map(|of| Snapshots { interval: of.interval, stale_after: of.stale_after }),
            status,
            tap: self.recorder.tap(&plan.name, capture.ring(plan)),
            busy: self.busy.clone(),
        }
    }
}

/// Wires of an instrument that is listened for: whenever its listener is bound, TLS is on it if it is configured.
struct Listening {
    wires: Arc<dyn Wires>,
    tls: Tls,
    name: String,
    plan: Option<TlsPlan>,
    allow: Vec<Allow>,
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listening").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Wires for Listening {
    fn serial(&self, plan: &SerialPlan) -> io::Result<Box<dyn Wire>> {
        self.wires.serial(plan)
    }

    fn udp(&self, plan: &UdpPlan) -> io::Result<Box<dyn Wire>> {
        self.wires.udp(plan)
    }

    fn listen(&self, bind: SocketAddr) -> io::Result<Arc<dyn Listener>> {
        let plain = self.wires.listen(bind)?;
        Ok(self.tls.listener(&self.name, self.plan.as_ref(), &self.allow, plain))
    }

    fn connect(&self, address: &str, within: Duration) -> Connecting {
        self.wires.connect(address, within)
    }
}

impl Crew {
    /// Begins a destination's forwarder.
    pub(crate) fn forward(&mut self, base: &Base, plan: &Plan, to: &DestinationPlan) -> Reached {
        let (stop, stopped) = watch::channel(false);
        let (forwarder, end) =
            forward::spawn(to, &plan.gateway.id, &base.store, &base.clock, &base.wires, &base.tls, stopped);
        self.forwarders.insert(to.name.clone(), Task { stop, end });
        Reached { plan: to.clone(), forwarder }
    }

    /// Ends these forwarders, all at once, and waits for them.
    pub(crate) async fn end(&mut self, names: &[&str]) {
        for task in names.iter().filter_map(|name| self.forwarders.get(*name)) {
            task.stop.send_replace(true);
        }
        for name in names {
            let Some(task) = self.forwarders.get_mut(*name) else { continue };
            if timeout(END, &mut task.end).await.is_err() {
                tracing::error!(destination = name, "its forwarder does not end; it is given up");
                task.end.abort();
            }
            self.forwarders.remove(*name);
        }
    }

    /// Ends all forwarders; `meanwhile` runs after they were told.
    pub(crate) async fn end_all(&mut self, meanwhile: impl Future<Output = ()>) {
        self.forwarders.values().for_each(|task| {
            task.stop.send_replace(true);
        });
        meanwhile.await;
        let names: Vec<String> = self.forwarders.keys().cloned().collect();
        self.end(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
}
