//! What a running gateway is made of, so that it can be changed while it runs: the base that all its parts stand on,
//! and the forwarders, by name. The ports are in [`Ports`].
//!
//! Promises that a forwarder which is told to end is waited for and stays on the list until it has ended, also when
//! whoever waits gives up. Decides nothing.

use crate::clock::Clock;
use crate::config::{DestinationPlan, InstrumentPlan, Plan, WirePlan};
use crate::forward;
use crate::lineup::{Reached, Served};
use crate::ports::{Ports, Setup};
use crate::store::Store;
use crate::wire::{Listener, Wires};
use orugate_driver::Instrument;
use std::collections::BTreeMap;
use std::io;
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
    /// What an instrument listens on, if that is its wire.
    pub(crate) fn bind(&self, instrument: &InstrumentPlan) -> io::Result<Option<Arc<dyn Listener>>> {
        match &instrument.wire {
            WirePlan::Listen { bind, .. } => self.wires.listen(*bind).map(Some),
            _ => Ok(None),
        }
    }

    /// Opens an instrument's port.
    pub(crate) fn serve(&self, served: &Served, listener: Option<Arc<dyn Listener>>) -> io::Result<()> {
        let plan = &served.plan;
        self.ports.open(Setup {
            name: plan.name.as_str().into(),
            wire: plan.wire.clone(),
            wires: self.wires.clone(),
            listener,
            begin: {
                let (profile, name) = (plan.profile.clone(), plan.name.clone());
                Arc::new(move || profile.session(&Instrument { name: name.clone() }))
            },
            status: served.status.clone(),
            busy: self.busy.clone(),
        })
    }
}

impl Crew {
    /// Begins a destination's forwarder.
    pub(crate) fn forward(&mut self, base: &Base, plan: &Plan, to: &DestinationPlan) -> Reached {
        let (stop, stopped) = watch::channel(false);
        let (forwarder, end) =
            forward::spawn(to, &plan.gateway.id, &base.store, &base.clock, &base.wires, stopped);
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
