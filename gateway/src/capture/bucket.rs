//! How much of a line is kept in an hour.
//!
//! A quarter of the ring, and at most that at once: so a ring reaches back four hours whatever comes, and a flood of noise
//! costs the flash no more than that. Below it nothing is left out. A bucket that is empty stays so until an eighth of it has
//! come back, because minutes that are whole say more than a byte here and there.

use orugate_protocol::time::Tick;

const HOUR_MICROS: u128 = 3_600_000_000;

/// Bytes that may be kept.
#[derive(Debug)]
pub(super) struct Bucket {
    most: u64,
    left: u64,
    at: Tick,
    dry: bool,
}

impl Bucket {
    pub(super) const fn new(ring: u64, now: Tick) -> Self {
        Self { most: ring / 4, left: ring / 4, at: now, dry: false }
    }

    /// Of a ring of another size from now on.
    pub(super) fn resize(&mut self, ring: u64) {
        self.most = ring / 4;
        self.left = self.left.min(self.most);
    }

    /// Whether so many bytes may be kept now; then they count.
    pub(super) fn take(&mut self, now: Tick, bytes: usize) -> bool {
        let passed = now.since(self.at).as_micros();
        let back = u64::try_from(passed.saturating_mul(self.most.into()) / HOUR_MICROS).unwrap_or(u64::MAX);
        // Time that brought nothing yet is not forgotten.
        if back > 0 {
            self.left = self.left.saturating_add(back).min(self.most);
            self.at = now;
        }
        if self.dry && self.left < self.most / 8 {
            return false;
        }
        match self.left.checked_sub(bytes as u64) {
            Some(left) => (self.left, self.dry) = (left, false),
            None => self.dry = true,
        }
        !self.dry
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_flood_of_a_day_keeps_a_quarter_an_hour_in_whole_stretches() {
        let ring = 16 << 20;
        let mut bucket = Bucket::new(ring, Tick::ZERO);
        let (mut kept, mut turns, mut last) = (0u64, 0, true);
        // 4 KiB each 10 ms: 400 KiB/s for a day.
        for n in 0..8_640_000u64 {
            let takes = bucket.take(Tick::from_micros(n * 10_000), 4096);
            kept += if takes { 4096 } else { 0 };
            turns += u64::from(takes != last);
            last = takes;
        }
        let most = ring / 4 * 25;
        assert!(kept <= most && kept > most - most / 10, "{kept} of {most}");
        assert!(turns < 24 * 20, "{turns}");
    }

    #[test]
    fn what_a_serial_line_can_bring_is_kept_whole() {
        let mut bucket = Bucket::new(16 << 20, Tick::ZERO);
        // 9600 baud both ways would be twice that, and no instrument does it for a day.
        let all = (0..86_400u64).all(|n| bucket.take(Tick::ZERO.after(Duration::from_secs(n)), 1100));
        assert!(all);
    }
}
