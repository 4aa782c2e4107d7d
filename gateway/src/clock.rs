//! The clocks of the gateway: the only place that reads them, and the one rule for a clock that is wrong.
//!
//! A box without a battery boots in 1970, and somebody may set its clock back. Promises that time in what is written
//! never goes back behind the journal's newest time by such a clock ([`Clock::stamp`]), that ages go on growing meanwhile
//! ([`Clock::reckoned`]), and that results wait a while for a clock that is right and then go all the same
//! ([`Clock::trust`]). Leaves out who vouches for the clock ([`vouched`]) and the instruments' clocks.

#[cfg(test)]
mod tests;
pub mod vouched;

use orugate_protocol::time::{ClockQuality, Tick, Utc};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;

/// Reads monotonic time (tokio's, which tests can pause) and wall-clock time. Cheap to clone; all clones are one clock.
#[derive(Clone, Debug)]
pub struct Clock {
    origin: tokio::time::Instant,
    wall: Wall,
    /// Whose time it is: a thread that is not the runtime's would not see a pause.
    runtime: Option<Handle>,
    /// The newest time in the journal, microseconds since 1970: a clock before it is wrong.
    newest: Arc<AtomicI64>,
    /// Somebody keeps the wall clock right.
    vouched: Arc<AtomicBool>,
    /// Since when the wall clock is not believed.
    doubt: Arc<Mutex<Option<Tick>>>,
}

#[derive(Clone, Debug)]
enum Wall {
    System,
    /// Shows this at the origin and moves with the monotonic clock, for tests.
    From(Arc<AtomicI64>),
}

/// 2025-01-01T00:00:00Z: no box with this software was running before.
const BUILT: i64 = 1_735_689_600_000_000;
/// A clock that is set right by so many microseconds at a start was not wrong.
const SLACK: i64 = 2_000_000;
/// So long results wait for a clock that can be believed.
pub const WAIT: Duration = Duration::from_secs(300);

/// Whether results may go out by this clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It can be believed.
    Good,
    /// It is wrong, and may be set right soon: results wait, at most so long.
    Waits(Duration),
    /// It is wrong, and results have waited long enough: they go, and say so.
    Doubted,
}

impl Clock {
    /// The system's clocks; `newest` is the newest time in the journal, in microseconds since 1970.
    #[must_use]
    #[allow(clippy::disallowed_methods)] // This is the shell that reads the clock.
    pub fn system(newest: i64) -> Self {
        Self {
            origin: tokio::time::Instant::now(),
            wall: Wall::System,
            runtime: None,
            newest: Arc::new(AtomicI64::new(newest)),
            vouched: Arc::default(),
            doubt: Arc::default(),
        }
    }

    /// A wall clock that starts at `utc` and moves with tokio's time, for tests and demonstrations. Made on a runtime,
    /// it is that runtime's on every thread.
    #[must_use]
    pub fn starting_at(utc: Utc) -> Self {
        let mut clock = Self::system(utc.0);
        clock.wall = Wall::From(Arc::new(AtomicI64::new(utc.0)));
        clock.runtime = Handle::try_current().ok();
        clock
    }

    /// The same clock, held against a journal: `newest` is its newest time and grows with it. Doubts begin anew.
    #[must_use]
    pub fn following(&self, newest: Arc<AtomicI64>) -> Self {
        Self { newest, doubt: Arc::default(), ..self.clone() }
    }

    /// Sets a clock that was made by [`starting_at`](Self::starting_at). The system's is not this program's to set.
    pub fn set(&self, utc: Utc) {
        if let Wall::From(start) = &self.wall {
            start.store(utc.0.saturating_sub(micros(self.tick())), Ordering::Release);
        }
    }

    const fn is_the_systems(&self) -> bool {
        matches!(self.wall, Wall::System)
    }

    /// Says whether somebody keeps the wall clock right: NTP and the like. See [`vouched`].
    pub fn vouch(&self, kept: bool) {
        self.vouched.store(kept, Ordering::Release);
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

    /// What the wall clock shows, right or wrong: for what says so itself beside it, and for certificates.
    #[must_use]
    #[allow(clippy::disallowed_methods)] // This is the shell that reads the clock.
    pub fn utc(&self) -> Utc {
        match &self.wall {
            Wall::From(start) => Utc(start.load(Ordering::Acquire).saturating_add(micros(self.tick()))),
            Wall::System => {
                let now = std::time::SystemTime::now();
                let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
                Utc(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
        }
    }

    /// How far [`utc`](Self::utc) can be trusted. A box that boots in 1970 is behind its own journal. What somebody vouches
    /// for is believed although the journal has a later time: then the clock was wrong before.
    #[must_use]
    pub fn quality(&self) -> ClockQuality {
        self.quality_of(self.utc())
    }

    fn quality_of(&self, now: Utc) -> ClockQuality {
        if now.0 < BUILT {
            ClockQuality::Unset
        } else if self.vouched.load(Ordering::Acquire) {
            ClockQuality::Synchronised
        } else if now.0.saturating_add(SLACK) < self.floor() {
            ClockQuality::Unset
        } else {
            ClockQuality::Plausible
        }
    }

    /// What the clock shows, for a person who says that it is right.
    ///
    /// # Errors
    /// Why there is nothing to say, in a sentence.
    pub fn acceptable(&self) -> Result<Utc, String> {
        let now = self.utc();
        match self.quality_of(now) {
            ClockQuality::Unset if now.0 < BUILT => {
                Err("The clock shows a time before this software was made. Set it first: timedatectl."
                    .to_owned())
            }
            ClockQuality::Unset => Ok(now),
            ClockQuality::Plausible | ClockQuality::Synchronised => {
                Err("The clock is believed as it is; nothing waits for it.".to_owned())
            }
        }
    }

    /// How the clock is known to be right, in a sentence that begins with its quality.
    #[must_use]
    pub fn words(&self) -> &'static str {
        match self.quality() {
            ClockQuality::Synchronised => "synchronised: a time service of the system keeps it",
            ClockQuality::Plausible => {
                "plausible: no time service vouches for it, and nothing speaks against it"
            }
            ClockQuality::Unset => {
                "unset: it is before the journal's newest time, or before this software was made"
            }
        }
    }

    /// No time that is right is before this.
    fn floor(&self) -> i64 {
        self.newest.load(Ordering::Acquire).max(BUILT)
    }

    /// Since when the clock is not believed; `None` while it is. Whoever asks first after it went wrong begins the doubt.
    fn doubt(&self) -> Option<Tick> {
        let unset = self.quality() == ClockQuality::Unset;
        let tick = self.tick();
        let mut doubt = self.doubt.lock().unwrap_or_else(PoisonError::into_inner);
        *doubt = unset.then(|| doubt.unwrap_or(tick));
        *doubt
    }

    /// Whether results may go out by this clock.
    #[must_use]
    pub fn trust(&self) -> Trust {
        let Some(since) = self.doubt() else { return Trust::Good };
        let waited = self.tick().since(since);
        match WAIT.checked_sub(waited) {
            Some(left) if !left.is_zero() => Trust::Waits(left),
            _ => Trust::Doubted,
        }
    }

    /// The time for what is written: records, MSH-7, OBR-22. While the clock is not believed that is the journal's newest
    /// time and a microsecond: it stands still, but it neither goes back nor gives two outcomes one time.
    #[must_use]
    pub fn stamp(&self) -> Utc {
        let now = self.utc();
        match self.quality_of(now) {
            ClockQuality::Unset => Utc(self.floor().saturating_add(1)),
            _ => now,
        }
    }

    /// Now, to reckon ages of what was stamped. While the clock is not believed it goes on from the journal's newest time, so
    /// that what waits still grows old.
    #[must_use]
    pub fn reckoned(&self) -> Utc {
        match self.doubt() {
            None => self.utc(),
            Some(since) => {
                let passed = self.tick().since(since).as_micros();
                Utc(self.floor().saturating_add(i64::try_from(passed).unwrap_or(i64::MAX)))
            }
        }
    }
}

fn micros(tick: Tick) -> i64 {
    i64::try_from(tick.micros()).unwrap_or(i64::MAX)
}
