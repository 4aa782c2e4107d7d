//! A person gives up all that waits for a destination which is gone for good.
//!
//! Promises one record for all of it, however much it is, so that it is done whole or not at all; and nothing of it while the
//! destination is configured, where a forwarder may be sending what is to be given up. Only this thread makes ORUs and
//! settles parked ones, so none comes between the look at the queue and the record. Bytes stay as long as any settled one's.

use super::Worker;
use crate::records::Dropped;
use crate::store::Entry;
use crate::words::count;

/// What was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// ORUs that waited for delivery.
    pub waiting: usize,
    /// ORUs that waited for a person.
    pub parked: usize,
    /// Results in them.
    pub observations: u64,
}

impl Worker {
    pub(super) fn drop_destination(
        &self,
        destination: String,
        reason: String,
        actor: String,
    ) -> Result<GivenUp, String> {
        let lineup = self.lineup.get();
        let (given_up, upto, waited_from) = {
            let state = self.store.state();
            let queue = state.queue(&destination);
            let unsettled = queue.map_or(0, crate::state::Queue::unsettled) as u64;
            if lineup.destination(&destination).is_some() {
                return Err(format!(
                    "Not dropped: {destination} is in the running configuration, and {} for it. Take it out of the \
                     configuration and out of every send_to, then: orugate reload; then ask again.",
                    count(unsettled, "message waits", "messages wait")
                ));
            }
            let Some(queue) = queue else {
                return Err(format!(
                    "No message was ever made for a destination {destination}. Those that there are: orugate \
                     destination list"
                ));
            };
            let newest = queue.waiting.keys().next_back().max(queue.parked.keys().next_back());
            let Some(upto) = newest.copied() else {
                return Err(format!("Nothing waits for {destination}; there is nothing to drop."));
            };
            let all = queue.waiting.values().chain(queue.parked.values().map(|(oru, _)| oru));
            let given_up = GivenUp {
                waiting: queue.waiting.len(),
                parked: queue.parked.len(),
                observations: all.map(|oru| u64::from(oru.observations)).sum(),
            };
            (given_up, upto, queue.waiting.keys().next().copied())
        };
        let dropped = Dropped { destination, upto, actor, at: self.clock.stamp().0, reason, waited_from };
        let _ = self
            .store
            .append_wait(vec![Entry::new(&dropped)], self.time())
            .map_err(|error| format!("Nothing was changed: {error}."))?;
        let GivenUp { waiting, parked, .. } = given_up;
        tracing::warn!(
            destination = %dropped.destination, actor = %dropped.actor, waiting, parked,
            "a person gave up what waited for a destination that is gone"
        );
        Ok(given_up)
    }
}
