//! The tasks of a running gateway, by name: one port for each instrument, one forwarder for each destination.
//!
//! Promises that a task which is told to end is waited for and stays on the list until it has ended, also when whoever
//! waits gives up. Decides nothing.

use crate::clock::Clock;
use crate::config::{DestinationPlan, InstrumentPlan, Plan, WirePlan};
use crate::forward;
use crate::lineup::{Reached, Served};
use crate::port::Port;
use crate::status::{Line, PortStatus};
use crate::store::Store;
use crate::wire::{Listener, Wires};
use orugate_driver::Instrument;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

/// A task that did not end after so long is given up: longer than any of its own bounds.
const END: Duration = Duration::from_secs(30);

/// What every task works with.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) wires: Arc<dyn Wires>,
    /// The store is nearly full.
    pub(crate) busy: watch::Receiver<bool>,
}

/// The tasks that run.
#[derive(Default)]
pub(crate) struct Crew {
    ports: BTreeMap<String, Task>,
    forwarders: BTreeMap<String, Task>,
}

struct Task {
    stop: watch::Sender<bool>,
    end: JoinHandle<()>,
}

impl Ground {
    /// What an instrument listens on, if that is its wire.
    pub(crate) fn bind(&self, instrument: &InstrumentPlan) -> io::Result<Option<Box<dyn Listener>>> {
        match &instrument.wire {
            WirePlan::Listen { bind, .. } => self.wires.listen(*bind).map(Some),
            _ => Ok(None),
        }
    }
}

impl Crew {
    /// Begins an instrument's port.
    pub(crate) fn serve(
        &mut self,
        ground: &Ground,
        plan: &InstrumentPlan,
        listener: Option<Box<dyn Listener>>,
        status: Arc<PortStatus>,
    ) -> Served {
        let (stop, stopped) = watch::channel(false);
        let mail = mpsc::unbounded_channel();
        let served = Served {
            plan: plan.clone(),
            status: status.clone(),
            listening: listener.as_ref().and_then(|listener| listener.address().ok()),
            mail: mail.0.clone(),
        };
        let port = Port {
            name: plan.name.as_str().into(),
            wire: plan.wire.clone(),
            wires: ground.wires.clone(),
            listener,
            begin: {
                let (profile, name) = (plan.profile.clone(), plan.name.clone());
                Arc::new(move || profile.session(&Instrument { name: name.clone() }))
            },
            store: ground.store.clone(),
            clock: ground.clock.clone(),
            status,
            mail,
            busy: ground.busy.clone(),
            stop: stopped,
        };
        let end = tokio::spawn(guard(port, ground.clock.clone()));
        self.ports.insert(plan.name.clone(), Task { stop, end });
        served
    }

    /// Begins a destination's forwarder.
    pub(crate) fn forward(&mut self, ground: &Ground, plan: &Plan, to: &DestinationPlan) -> Reached {
        let (stop, stopped) = watch::channel(false);
        let (forwarder, end) =
            forward::spawn(to, &plan.gateway.id, &ground.store, &ground.clock, &ground.wires, stopped);
        self.forwarders.insert(to.name.clone(), Task { stop, end });
        Reached { plan: to.clone(), forwarder }
    }

    /// Ends these ports and forwarders, all at once, and waits for them.
    pub(crate) async fn end(&mut self, ports: &[&str], forwarders: &[&str]) {
        let both = [(&self.ports, ports), (&self.forwarders, forwarders)];
        for (tasks, names) in both {
            names.iter().filter_map(|name| tasks.get(*name)).for_each(|task| {
                task.stop.send_replace(true);
            });
        }
        for (tasks, names) in [(&mut self.ports, ports), (&mut self.forwarders, forwarders)] {
            for name in names {
                let Some(task) = tasks.get_mut(*name) else { continue };
                if timeout(END, &mut task.end).await.is_err() {
                    tracing::error!(name, "its task does not end; it is given up");
                    task.end.abort();
                }
                tasks.remove(*name);
            }
        }
    }

    /// Ends all ports.
    pub(crate) async fn end_ports(&mut self) {
        let names: Vec<String> = self.ports.keys().cloned().collect();
        self.end(&names.iter().map(String::as_str).collect::<Vec<_>>(), &[]).await;
    }

    /// Ends all forwarders; `meanwhile` runs after they were told.
    pub(crate) async fn end_forwarders(&mut self, meanwhile: impl Future<Output = ()>) {
        let names: Vec<String> = self.forwarders.keys().cloned().collect();
        self.forwarders.values().for_each(|task| {
            task.stop.send_replace(true);
        });
        meanwhile.await;
        self.end(&[], &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
}

/// Runs a port. A driver's panic it outlives; should it panic itself, that is said where people look, and the other
/// ports go on.
async fn guard(port: Port, clock: Clock) {
    let (name, status) = (port.name.clone(), port.status.clone());
    // A set, because it takes the port with it when this task is given up.
    let mut run = JoinSet::new();
    run.spawn(port.run());
    if let Some(Err(_)) = run.join_next().await {
        tracing::error!(instrument = %name, "its port failed; restart the service to use this instrument again");
        status.line(Line::Down("its port failed; restart the service".to_owned()), clock.utc());
    }
}
