//! The clocks of the gateway: the only place that reads them.

use orugate_protocol::time::{ClockQuality, Tick, Utc};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::runtime::Handle;

/// Reads monotonic time (tokio's, which tests can pause) and wall-clock time. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock {
    origin: tokio::time::Instant,
    /// The newest wall-clock time in the journal: a clock before it is wrong.
    floor: Arc<AtomicI64>,
    wall: Wall,
    /// Whose time it is: a thread that is not the runtime's would not see a pause.
    runtime: Option<Handle>,
}

#[derive(Clone, Copy, Debug)]
enum Wall {
    System,
    /// Starts at a fixed time and moves with the monotonic clock, for tests.
    From(i64),
}

/// 2025-01-01T00:00:00Z: no box with this software was running before.
const BUILT: i64 = 1_735_689_600_000_000;

impl Clock {
    /// The system's clocks; `newest` is the newest time in the journal, in microseconds since 1970.
    #[must_use]
    #[allow(clippy::disallowed_methods)] // This is the shell that reads the clock.
    pub fn system(newest: i64) -> Self {
        Self {
            origin: tokio::time::Instant::now(),
            floor: Arc::new(AtomicI64::new(newest.max(BUILT))),
            wall: Wall::System,
            runtime: None,
        }
    }

    /// A wall clock that starts at `utc` and moves with tokio's time, for tests and demonstrations. Made on a runtime,
    /// it is that runtime's on every thread.
    #[must_use]
    pub fn starting_at(utc: Utc) -> Self {
        let mut clock = Self::system(utc.0);
        clock.wall = Wall::From(utc.0);
        clock.runtime = Handle::try_current().ok();
        clock
    }

    /// Now, for waiting.
    #[must_use]
    #[allow(clippy::disallowed_methods)] // This is the shell that reads the clock.
    pub fn tick(&self) -> Tick {
        let _entered = self.runtime.as_ref().map(Handle::enter);
        let elapsed = tokio::time::Instant::now().duration_since(self.origin);
        Tick::ZERO.after(elapsed)
    }

    /// The runtime's instant of a tick.
    #[must_use]
    pub fn instant(&self, tick: Tick) -> tokio::time::Instant {
        self.origin + tick.since(Tick::ZERO)
    }

    /// Now, for people and messages.
    #[must_use]
    #[allow(clippy::disallowed_methods)] // This is the shell that reads the clock.
    pub fn utc(&self) -> Utc {
        match self.wall {
            Wall::From(start) => {
                Utc(start.saturating_add(i64::try_from(self.tick().micros()).unwrap_or(i64::MAX)))
            }
            Wall::System => {
                let now = std::time::SystemTime::now();
                let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
                Utc(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
        }
    }

    /// How far [`utc`](Self::utc) can be trusted. A box that boots in 1970 is behind its own journal.
    #[must_use]
    pub fn quality(&self) -> ClockQuality {
        if self.utc().0 < self.floor.load(Ordering::Relaxed) {
            ClockQuality::Unset
        } else {
            ClockQuality::Plausible
        }
    }
}
