//! What is asked about parked messages: what each waits for, to send one again, to give one up.
//!
//! Promises answers that name the destination and the next command. Decides nothing itself: that is the
//! interpretation thread's, as with holds.

use super::{Admin, Response, UNANSWERED, seconds};
use crate::interpret::{Order, Resent};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// One parked message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParkedView {
    /// Its number.
    pub number: u64,
    /// MSH-10, as the engine's log has it if it was sent.
    pub control_id: String,
    /// For whom.
    pub destination: String,
    /// From which instrument, when that is known.
    pub instrument: Option<String>,
    /// Why it waits.
    pub why: String,
    /// Results in it.
    pub observations: u32,
    /// Age in seconds.
    pub age: i64,
    /// No byte of it was sent.
    pub never_sent: bool,
    /// MSH-18 of the destination now; `None` when it is not configured any more.
    pub charset: Option<String>,
}

impl Admin {
    pub(super) fn parked(&self, only: Option<u64>) -> Response {
        let now = self.clock.reckoned().0;
        let lineup = self.lineup.get();
        let state = self.store.state();
        let mut all = Vec::new();
        for (destination, queue) in state.queues() {
            for (number, (waiting, why)) in &queue.parked {
                if only.is_some_and(|only| only != *number) {
                    continue;
                }
                let made = state.made(*number);
                let origin = made.and_then(|made| made.origin.as_ref());
                all.push(ParkedView {
                    number: *number,
                    control_id: format!("{}{number:016}", lineup.plan.gateway.id),
                    destination: destination.to_owned(),
                    instrument: origin.map(|origin| origin.instrument.to_string()),
                    why: why.clone(),
                    observations: waiting.observations,
                    age: seconds(now - waiting.made),
                    never_sent: made.is_some_and(|made| made.never_sent),
                    charset: lineup
                        .destination(destination)
                        .map(|reached| reached.plan.charset.msh_18().to_owned()),
                });
            }
        }
        match only {
            Some(number) if all.is_empty() => Response::Refused(format!(
                "There is no parked message {number}. Those that are parked: orugate parked list"
            )),
            _ => Response::Parked(all),
        }
    }

    pub(super) async fn send_parked(&self, oru: u64, actor: &str) -> Response {
        let destination = self.store.state().made(oru).map(|made| made.destination.to_string());
        let name = destination.unwrap_or_default();
        let actor = actor.to_owned();
        let asked = self.ask_worker(|reply| Order::Send { oru, actor, reply }).await;
        match asked {
            Ok(Resent::Waits) => Response::Done(format!("Message {oru} waits for {name} already.")),
            Ok(Resent::Again) => Response::Done(format!(
                "Message {oru} goes to {name} again, the same bytes. How it fares: orugate status"
            )),
            Ok(Resent::Anew(number, charset)) if number == oru => Response::Done(format!(
                "Message {oru} goes to {name} for the first time, in {charset}. How it fares: orugate status"
            )),
            Ok(Resent::Anew(number, charset)) => Response::Done(format!(
                "Message {oru} goes to {name} for the first time, in {charset}, as number {number}. How it fares: \
                 orugate status"
            )),
            Ok(Resent::Superseded) => Response::Refused(format!(
                "Message {oru} was not sent to {name}: a later report brought its results with other content, and \
                 the old must not follow the new. It is settled as superseded; there is nothing more to do."
            )),
            Err(refused) => Response::Refused(refused),
        }
    }

    pub(super) async fn discard_parked(&self, oru: u64, reason: String, actor: &str) -> Response {
        if reason.trim().is_empty() {
            return Response::Refused(
                "Discarding needs a reason, which is kept for whoever asks later: orugate parked discard NUMBER \
                 --reason \"…\""
                    .to_owned(),
            );
        }
        let actor = actor.to_owned();
        match self.ask_worker(|reply| Order::Withdraw { oru, reason, actor, reply }).await {
            Ok(()) => Response::Done(format!(
                "Message {oru} will not be sent. Its bytes and the raw ones stay in the journal."
            )),
            Err(refused) => Response::Refused(refused),
        }
    }

    /// Gives the interpretation thread an order and waits for what it says.
    pub(super) async fn ask_worker<T: Send + 'static>(
        &self,
        order: impl FnOnce(Box<dyn FnOnce(Result<T, String>) + Send>) -> Order,
    ) -> Result<T, String> {
        let (sender, receiver) = oneshot::channel();
        let order = order(Box::new(move |result| {
            let _ = sender.send(result);
        }));
        if !self.worker.give(order) {
            return Err("The interpretation thread has ended; restart the service.".to_owned());
        }
        receiver.await.unwrap_or_else(|_| Err(UNANSWERED.to_owned()))
    }
}
