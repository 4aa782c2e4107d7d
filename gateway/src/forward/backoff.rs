//! How long to wait before the next try: 1, 2, 4 .. 60 s, each with up to a quarter more.
//!
//! Promises that a wait never ends before its step and never passes a quarter more, and that one seed gives one
//! sequence. The jitter keeps a hundred gateways from coming back to a restarted engine in the same instant; it is
//! no secret, so a small generator does.

use std::time::Duration;

/// The longest step.
pub const LONGEST: Duration = Duration::from_secs(60);

/// Makes waits.
#[derive(Clone, Debug)]
pub struct Backoff {
    state: u64,
}

impl Backoff {
    /// Waits whose jitter follows from `seed`; any number will do.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The wait after so many failures in a row; 0 counts as 1.
    pub fn after(&mut self, failures: u32) -> Duration {
        let seconds = 1u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX);
        let step = Duration::from_secs(seconds).min(LONGEST);
        let quarter = u64::try_from(step.as_micros() / 4).unwrap_or(u64::MAX);
        step + Duration::from_micros(self.next() % (quarter + 1))
    }

    /// The longest wait: for a message that blocks its destination until a person acts.
    pub fn longest(&mut self) -> Duration {
        self.after(u32::MAX)
    }

    /// SplitMix64 (Steele, Lea and Flood 2014): every seed is as good as another, 0 too.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_double_up_to_a_minute_and_jitter_stays_within_a_quarter() {
        let steps =
            [(0, 1), (1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (63, 60), (64, 60), (65, 60), (u32::MAX, 60)];
        for (failures, seconds) in steps {
            for seed in 0..50 {
                let wait = Backoff::new(seed).after(failures);
                let step = Duration::from_secs(seconds);
                assert!(wait >= step && wait <= step + step / 4, "{failures} failures: {wait:?}");
            }
        }
    }

    #[test]
    fn seeds_differ_and_repeat() {
        let waits = |seed| {
            let mut backoff = Backoff::new(seed);
            [backoff.after(5), backoff.after(5), backoff.after(5)]
        };
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
        let [a, b, _] = waits(7);
        assert_ne!(a, b);
    }
}
