//! From the taps into the rings: the one who writes captures.
//!
//! Promises that what waits is on flash [`GATHER`](super::GATHER) after it came, if the disk obeys; that a disk which does not is said
//! once, and costs the capture only; and that what is older than the site keeps raw bytes goes. Reads no wire.

use super::tap::Tap;
use crate::clock::Clock;
use crate::store::Store;
use orugate_journal::{Now, Rings, UnixMillis};
use orugate_protocol::time::{ClockQuality, Tick};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How often it is looked whether something has waited long enough.
const LOOK: Duration = Duration::from_secs(1);
/// How often old files are looked for.
const AGE: Duration = Duration::from_secs(3_600);

/// What a person may see of the captures. Holds no patient data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Bytes that the ring of each takes on flash, captured now or not.
    #[serde(default)]
    pub rings: BTreeMap<String, u64>,
    /// Bytes of each line that were not kept since the start, because too many came.
    #[serde(default)]
    pub lost: BTreeMap<String, u64>,
    /// Why the last writing failed.
    #[serde(default)]
    pub trouble: Option<String>,
    /// The disk was full: captures gave their room to results, and take no more than they have left for a day.
    #[serde(default)]
    pub short: bool,
}

/// The captures of a running gateway. Cheap to clone.
#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    clock: Clock,
    wake: Arc<Notify>,
    taps: Mutex<BTreeMap<String, Tap>>,
    /// Until the gateway stops.
    rings: Mutex<Option<Kept>>,
    /// How long raw bytes are given out, in seconds.
    keep: AtomicU64,
    view: Mutex<View>,
}

struct Kept {
    rings: Rings,
    aged: Option<Tick>,
    /// Something was written that is not synced.
    unsynced: bool,
}

impl Recorder {
    /// Into the rings of this journal. `keep` is how long raw bytes are given out.
    #[must_use]
    pub fn new(store: &Store, clock: Clock, keep: Duration) -> Self {
        let kept = Kept { rings: store.journal().rings(), aged: None, unsynced: false };
        Self(Arc::new(Inner {
            clock,
            wake: Arc::default(),
            taps: Mutex::default(),
            rings: Mutex::new(Some(kept)),
            keep: AtomicU64::new(keep.as_secs()),
            view: Mutex::default(),
        }))
    }

    /// The tap of an instrument, whose ring has so many bytes from now on; 0 keeps nothing.
    #[must_use]
    pub fn tap(&self, name: &str, ring: u64) -> Tap {
        let mut taps = lock(&self.0.taps);
        let make = || Tap::new(self.0.clock.clone(), self.0.wake.clone(), ring);
        let tap = taps.entry(name.to_owned()).or_insert_with(make);
        tap.resize(ring);
        tap.clone()
    }

    /// Changes how long raw bytes are given out.
    pub fn set_keep(&self, keep: Duration) {
        self.0.keep.store(keep.as_secs(), Ordering::Release);
    }

    /// What a person may see.
    #[must_use]
    pub fn view(&self) -> View {
        let lost = lock(&self.0.taps)
            .iter()
            .map(|(name, tap)| (name.clone(), tap.not_kept()))
            .filter(|(_, lost)| *lost > 0)
            .collect();
        View { lost, ..lock(&self.0.view).clone() }
    }

    /// Writes until told to stop, and then what is left.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut every = tokio::time::interval(LOOK);
        loop {
            let stopping = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => true,
                _ = every.tick() => false,
                () = self.0.wake.notified() => false,
            };
            let now = self.0.clock.tick();
            if stopping || self.is_due(now) {
                let recorder = self.clone();
                // Files on flash: not for the runtime's thread.
                let _ = tokio::task::spawn_blocking(move || recorder.step(now, stopping)).await;
            }
            if stopping {
                *lock(&self.0.rings) = None;
                return;
            }
        }
    }

    fn is_due(&self, now: Tick) -> bool {
        lock(&self.0.taps).values().any(|tap| tap.is_due(now)) || self.ages(now)
    }

    fn ages(&self, now: Tick) -> bool {
        let rings = lock(&self.0.rings);
        rings.as_ref().is_some_and(|kept| kept.aged.is_none_or(|aged| now.since(aged) >= AGE))
    }

    /// Writes what is due, or all.
    fn step(&self, tick: Tick, all: bool) {
        let taps: Vec<(String, Tap)> =
            lock(&self.0.taps).iter().map(|(name, tap)| (name.clone(), tap.clone())).collect();
        let mut rings = lock(&self.0.rings);
        let Some(kept) = rings.as_mut() else { return };
        let set = self.0.clock.quality() != ClockQuality::Unset;
        let millis = u64::try_from(self.0.clock.utc().0 / 1000).unwrap_or(0);
        let now = Now { uptime: tick.since(Tick::ZERO), utc: set.then_some(UnixMillis(millis)) };
        let mut failed = None;
        let mut done = false;
        for (name, tap) in taps {
            let (blocks, due) = tap.take(tick, all);
            let ring = tap.ring();
            kept.unsynced |= !blocks.is_empty();
            done |= due;
            for block in blocks {
                if let Err(error) = kept.rings.append(&name, ring, now, block.meta(), block.body) {
                    failed = Some(error.to_string());
                }
            }
        }
        if done
            && std::mem::take(&mut kept.unsynced)
            && let Err(error) = kept.rings.sync()
        {
            failed = Some(error.to_string());
        }
        if let Some(utc) = now.utc
            && kept.aged.is_none_or(|aged| tick.since(aged) >= AGE)
        {
            kept.aged = Some(tick);
            let keep = self.0.keep.load(Ordering::Acquire).saturating_mul(1000);
            if let Err(error) = kept.rings.age(UnixMillis(utc.0.saturating_sub(keep)), now) {
                failed = Some(error.to_string());
            }
        } else if now.utc.is_none() {
            // Asked again in an hour.
            kept.aged = Some(tick);
        }
        let mut view = lock(&self.0.view);
        view.rings = kept.rings.sizes().map(|(name, size)| (name.to_owned(), size)).collect();
        let short = kept.rings.is_short();
        if short && !view.short {
            tracing::warn!("the disk is full: captures give their room to results. Free space on it (df)");
        }
        view.short = short;
        if let Some(error) = &failed
            && view.trouble.is_none()
        {
            tracing::warn!(%error, "what was on the lines is not captured; results are not touched by that");
        }
        view.trouble = failed;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
