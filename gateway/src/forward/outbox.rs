//! The gateway's journal as a forwarder's [`Outbox`], and the forwarder's start.
//!
//! Promises that a settlement is journalled however long the journal refuses it, and that a message whose settlement
//! is not yet journalled is not sent again by this process.

use super::delivery::Queue;
use super::events::Settlement;
use super::settings::{ControlIds, OnRefusal, Settings};
use super::shell::{Outbox, Shell};
use super::status::Status;
use crate::clock::Clock;
use crate::config::DestinationPlan;
use crate::notes::Hush;
use crate::records::{Delivery, DeliveryResult};
use crate::state;
use crate::store::{Entry, Store};
use crate::tls::{Peer, Tls};
use crate::wire::Wires;
use orugate_journal::{Location, Urgency};
use orugate_protocol::time::Tick;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// How long to wait before a journal that failed is asked again.
const AGAIN: Duration = Duration::from_secs(5);

/// How long the CR of a frame is waited for where it may be missing.
const MISSING_CR: Duration = Duration::from_millis(200);

/// One destination's part of the journal.
#[derive(Clone)]
pub struct JournalOutbox {
    store: Store,
    clock: Clock,
    destination: Arc<str>,
}

/// What is known of a running forwarder.
#[derive(Clone, Debug)]
pub struct Handle {
    status: watch::Receiver<Option<Status>>,
}

impl Handle {
    /// How the destination stands; `None` before its task has begun.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.status.borrow().clone()
    }

    /// The same, in words for people.
    #[must_use]
    pub fn words(&self, now: Tick) -> String {
        self.status().map_or_else(|| "starting".to_owned(), |status| status.words(now))
    }

    /// True when nothing is delivered now, and not for want of messages.
    #[must_use]
    pub fn fails(&self) -> bool {
        self.status.borrow().as_ref().is_some_and(Status::fails)
    }

    /// True before it is known whether the destination can be reached.
    #[must_use]
    pub fn is_connecting(&self) -> bool {
        self.status.borrow().as_ref().is_none_or(Status::is_connecting)
    }

    /// Changes whenever the status does.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Option<Status>> {
        self.status.clone()
    }
}

/// Starts the forwarder of a destination on the current runtime; it ends after `stop` is true.
#[must_use]
pub fn spawn(
    plan: &DestinationPlan,
    gateway: &str,
    store: &Store,
    clock: &Clock,
    wires: &Arc<dyn Wires>,
    tls: &Tls,
    stop: watch::Receiver<bool>,
) -> (Handle, JoinHandle<()>) {
    let (status, handle) = watch::channel(None);
    let name: Arc<str> = plan.name.as_str().into();
    let shell = Shell {
        name: name.clone(),
        address: plan.address.clone(),
        wires: tls.wires(&plan.name, Peer::Engine, plan.tls.as_ref(), wires),
        settings: settings(plan, gateway),
        outbox: JournalOutbox { store: store.clone(), clock: clock.clone(), destination: name },
        clock: clock.clone(),
        status,
    };
    let task = tokio::spawn(shell.run(store.waiting(), stop));
    (Handle { status: handle }, task)
}

/// What a destination's plan means here.
#[must_use]
pub fn settings(plan: &DestinationPlan, gateway: &str) -> Settings {
    Settings {
        answer: plan.ack_timeout,
        missing_cr: plan.lenient_eob.then_some(MISSING_CR),
        retries: u32::from(plan.retries),
        on_refusal: if plan.stop_on_error { OnRefusal::Stop } else { OnRefusal::Park },
        require_application_ack: plan.require_application_ack,
        accept_blank_msa2: plan.accept_blank_msa2,
        ..Settings::new(ControlIds::new(gateway))
    }
}

impl JournalOutbox {
    fn ask<T>(&self, question: impl FnOnce(&state::Queue) -> Option<T>) -> Option<T> {
        self.store.state().queue(&self.destination).and_then(question)
    }
}

impl Queue for JournalOutbox {
    fn waiting_from(&self, number: u64) -> Option<u64> {
        self.ask(|queue| queue.waiting.range(number..).next().map(|(number, _)| *number))
    }

    fn is_waiting(&self, number: u64) -> bool {
        self.ask(|queue| queue.waiting.get(&number).map(drop)).is_some()
    }

    fn is_parked(&self, number: u64) -> bool {
        self.ask(|queue| queue.parked.get(&number).map(drop)).is_some()
    }
}

impl Outbox for JournalOutbox {
    async fn load(&self, number: u64) -> Option<Vec<u8>> {
        let at: Location = self.ask(|queue| queue.waiting.get(&number).map(|waiting| waiting.at))?;
        let store = self.store.clone();
        let read = tokio::task::spawn_blocking(move || store.read(at, |state| state.oru_at(number)));
        let read = read.await.ok()?;
        read.inspect_err(|error| tracing::error!(number, %error, "a message cannot be read from the journal"))
            .ok()
    }

    async fn settle(&self, settlement: Settlement) {
        let (oru, result, ack) = match settlement {
            Settlement::Delivered { number, code, ack } => {
                tracing::debug!(target: "orugate::way", destination = %self.destination, oru = number, "delivered");
                (number, DeliveryResult::Delivered(code.as_str().to_owned()), ack)
            }
            Settlement::Parked { number, why, ack } => (number, DeliveryResult::Parked(why.to_string()), ack),
        };
        let delivery = Delivery { oru, at: self.clock.stamp().0, result };
        // Where the ORU is. One that was dropped for want of room meanwhile is nowhere, and then it is nobody's.
        let lane = self.ask(|queue| queue.waiting.get(&oru).map(|waiting| waiting.at.lane()));
        let Some(lane) = lane else { return };
        let mut said = Hush::default();
        loop {
            let (done, journalled) = oneshot::channel();
            let entry = Entry::with_payload(&delivery, ack.clone());
            self.store.append_in(lane, vec![entry], Urgency::Soon, None, move |result| {
                let _ = done.send(result.map(drop));
            });
            match journalled.await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => {
                    if let Some(before) = said.again(self.clock.tick(), ()) {
                        tracing::error!(destination = %self.destination, number = oru, %error, before,
                            "an acknowledgment could not be journalled; it is tried again");
                    }
                }
                Err(_) => tracing::error!(number = oru, "the journal dropped an acknowledgment"),
            }
            // Pacing, not waiting for anything: the journal has said no.
            #[allow(clippy::disallowed_methods)]
            tokio::time::sleep(AGAIN).await;
        }
    }
}
