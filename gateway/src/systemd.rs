//! What systemd is told: that the gateway is ready, reloads, stops, and lives.
//!
//! Promises: the watchdog is fed only while both this task's runtime and the journal's writer thread go round, so a
//! disk that hangs in a sync, or a runtime that stands still, is noticed by systemd, which then starts the gateway
//! anew; what was acknowledged is on flash by then. Started by hand, without systemd, nothing here does anything.

use crate::store::Store;
use sd_notify::NotifyState;
use std::time::Duration;
use tokio::sync::watch;

/// All that was to be opened is open; `words` stand in `systemctl status`.
pub fn ready(words: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(words)]);
}

/// A new configuration is being applied; [`ready`] ends it.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "no monotonic time for systemd"),
    }
}

/// No new messages are taken any more.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd could not be told");
    }
}

/// Feeds systemd's watchdog, if it wants that, until told to stop.
pub async fn watchdog(store: Store, mut stop: watch::Receiver<bool>) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    // Three chances in the time that systemd waits.
    let mut every = tokio::time::interval((limit / 3).max(Duration::from_millis(1)));
    let mut beat = None;
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            _ = every.tick() => {
                let now = store.journal().heartbeat();
                if beat.replace(now) != Some(now) {
                    tell(&[NotifyState::Watchdog]);
                } else {
                    tracing::warn!("the journal's thread stands still; systemd's watchdog is not fed");
                }
            }
        }
    }
}
