//! What is asked about destinations: all that messages were ever made for, and to give up what waits for one that is gone.
//!
//! Promises a line for each, configured or not, so that nothing waits where nobody looks. Decides nothing itself: that is the
//! interpretation thread's.

use super::{Admin, Response, seconds};
use crate::interpret::{GivenUp, Order};
use crate::words::count;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One destination, configured or not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationLine {
    /// Its name.
    pub name: String,
    /// The running configuration names it.
    pub configured: bool,
    /// ORUs that wait for delivery.
    pub waiting: usize,
    /// ORUs that wait for a person.
    pub parked: usize,
    /// Age of the oldest of both, in seconds.
    pub oldest: Option<i64>,
    /// ORUs delivered.
    pub delivered: u64,
    /// ORUs that persons gave up.
    pub given_up: u64,
}

impl Admin {
    pub(super) fn destinations(&self) -> Response {
        let now = self.clock.reckoned().0;
        let lineup = self.lineup.get();
        let mut lines: BTreeMap<String, DestinationLine> = BTreeMap::new();
        for reached in &lineup.destinations {
            let name = reached.plan.name.clone();
            lines.insert(
                name.clone(),
                DestinationLine { name, configured: true, ..DestinationLine::default() },
            );
        }
        let state = self.store.state();
        for (name, queue) in state.queues() {
            let line = lines.entry(name.to_owned()).or_default();
            name.clone_into(&mut line.name);
            let parked = queue.parked.values().map(|(oru, _)| oru);
            let oldest = queue.waiting.values().chain(parked).map(|oru| oru.made).min();
            line.oldest = oldest.map(|made| seconds(now - made));
            (line.waiting, line.parked) = (queue.waiting.len(), queue.parked.len());
            (line.delivered, line.given_up) = (queue.delivered, queue.given_up);
        }
        Response::Destinations(lines.into_values().collect())
    }

    pub(super) async fn drop_destination(
        &self,
        destination: String,
        reason: String,
        actor: &str,
    ) -> Response {
        if reason.trim().is_empty() {
            return Response::Refused(format!(
                "Dropping needs a reason, which is kept for whoever asks later: orugate destination drop {destination} \
                 --reason \"…\""
            ));
        }
        let (name, actor) = (destination.clone(), actor.to_owned());
        match self.ask_worker(|reply| Order::Drop { destination, reason, actor, reply }).await {
            Ok(GivenUp { waiting, parked, observations }) => {
                // The condition is gone with it, not only at the next look.
                self.look();
                Response::Done(format!(
                    "{} for {name} will not be sent, {parked} of them parked; they hold {}. Their bytes stay in the \
                     journal as long as those of delivered ones.",
                    count((waiting + parked) as u64, "message", "messages"),
                    count(observations, "result", "results"),
                ))
            }
            Err(refused) => Response::Refused(refused),
        }
    }
}
