//! What happens in a cycle, drawn from a seed.
//!
//! Promises that a seed gives the same cycles and the same messages again. Not the same moments in the program's own
//! work: those depend on how fast the two machines are.

use crate::machine::Task;
use std::fmt;
use std::time::Duration;

/// SplitMix64 (Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// One for each purpose, so that how much one of them draws does not move the others.
    pub(crate) const fn new(seed: u64, purpose: u64) -> Self {
        Self(seed ^ purpose.wrapping_mul(0xA076_1D64_78BD_642F))
    }

    pub(crate) const fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }

    const fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

/// When the power is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// So long after the program was told to start: while it opens its journal, or soon after.
    Starting(Duration),
    /// So long after the first ACK of the cycle.
    Serving(Duration),
}

/// Where the engine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outage {
    /// There all the time.
    None,
    /// Away until so long after the first ACK; a cut may come before.
    Until(Duration),
    /// There, and gone for good so long after the first ACK.
    From(Duration),
}

/// One cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cycle {
    pub(crate) cut: Cut,
    pub(crate) outage: Outage,
    /// How long the engine takes for each answer.
    pub(crate) slow: Option<Duration>,
    /// After how many of its answers the engine resets the connection.
    pub(crate) resets: u64,
    /// The box has lost its clock: it begins in 1970, and what it makes of messages waits for a later cycle.
    pub(crate) in_1970: bool,
}

impl fmt::Display for Cycle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cut {
            Cut::Starting(after) => write!(out, "cut {} ms after the start", after.as_millis())?,
            Cut::Serving(after) => write!(out, "cut {} ms after the first ACK", after.as_millis())?,
        }
        if self.in_1970 {
            write!(out, ", in 1970")?;
        }
        match self.outage {
            Outage::None => Ok(()),
            Outage::Until(back) => write!(out, ", no engine before {} ms", back.as_millis()),
            Outage::From(gone) => write!(out, ", no engine from {} ms", gone.as_millis()),
        }
    }
}

impl Cycle {
    /// What the machine is told.
    pub(crate) const fn task(self) -> Task {
        if self.in_1970 { Task::RunIn1970 } else { Task::Run }
    }

    /// For the control: cut under load, and no engine has any of it before, so that there is something to lose.
    pub(crate) const fn draw_loaded(random: &mut Random) -> Self {
        let mut cycle = Self::draw(random);
        cycle.cut = Cut::Serving(random.millis(1000, 2500));
        cycle.outage = Outage::Until(Duration::from_secs(10));
        cycle
    }

    pub(crate) const fn draw(random: &mut Random) -> Self {
        let cut = match random.below(5) {
            0 => Cut::Starting(random.millis(0, 1500)),
            _ => Cut::Serving(random.millis(0, 2500)),
        };
        let outage = match random.below(4) {
            0 => Outage::Until(random.millis(0, 1500)),
            1 => Outage::From(random.millis(0, 1500)),
            _ => Outage::None,
        };
        let slow = match random.below(3) {
            0 => Some(random.millis(1, 60)),
            _ => None,
        };
        // Few, for the gateway waits a second after each, and those that are not reached are there in the next cycle.
        Self { cut, outage, slow, resets: (random.below(4) == 0) as u64, in_1970: false }
    }
}
