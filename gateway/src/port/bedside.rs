//! A bedside device's snapshots on their way from the stage to the journal.
//!
//! Promises that one snapshot of an instrument is on its way at a time, and that what is ready when the port ends goes to flash or
//! is refused once. Leaves out what stands and when it is due, which is the stage's.

use super::keep::Keep;
use super::{Mail, Running, Said};
use crate::clock::Clock;
use crate::snapshot::Now;
use orugate_journal::AppendError;

impl Running {
    fn now(&self) -> Now {
        now(&self.port.clock)
    }

    /// Nothing that the session said holds any more; what held is in a last snapshot.
    pub(super) fn forget_all(&mut self) {
        let now = self.now();
        if let Some(stage) = &mut self.stage {
            stage.forget_all(now);
        }
    }

    /// Makes the snapshots that are due, and gives the journal the next one.
    pub(super) fn snapshots(&mut self) {
        let now = self.now();
        let Some(stage) = &mut self.stage else { return };
        stage.look(now);
        if let Some(bytes) = stage.next(now.tick) {
            Keep::of(&self.port, self.life).snapshot(bytes);
        }
        self.port.status.lost(stage.lost());
    }

    pub(super) fn snapshot_stored(&mut self, result: Result<(), AppendError>) {
        let tick = self.port.clock.tick();
        if let Err(error) = &result {
            if self.said.take(tick, Said::Unstored) {
                tracing::error!(instrument = %self.port.name, %error, "a snapshot could not be stored");
            }
            self.port.status.refused();
        }
        if let Some(stage) = &mut self.stage {
            stage.answered(tick, result.is_ok());
        }
        self.falls = 0;
    }

    /// The port ends: what is ready goes to flash, or is refused once.
    pub(super) async fn last_snapshots(&mut self) {
        self.snapshots();
        while self.stage.as_ref().is_some_and(|stage| !stage.is_done()) {
            match self.port.mail.1.recv().await {
                Some(Mail::Snapshot(Ok(()))) => self.snapshot_stored(Ok(())),
                Some(Mail::Snapshot(error)) => return self.snapshot_stored(error),
                Some(Mail::Settled(life, ticket, _)) if life == self.life => {
                    self.tickets.remove(&ticket);
                }
                Some(_) => {}
                None => return,
            }
            self.snapshots();
        }
    }
}

/// Both clocks, the wall clock first: so an interval's end is seen late, never early. What a thread that loses the processor between the
/// two would do, the stage knows.
pub(super) fn now(clock: &Clock) -> Now {
    let utc = clock.reckoned();
    Now { utc, tick: clock.tick() }
}
