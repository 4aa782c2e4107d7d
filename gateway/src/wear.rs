//! What the journal costs its medium: bytes written since the start, in a day, and how long the medium lasts at that.
//!
//! Promises nothing about a day before an hour was seen. Has no clock. Leaves out what was written before the start and what the
//! file system writes of its own, which nobody counts here.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Before that a day is not known: a start writes more than an hour does.
const SEEN: Duration = Duration::from_secs(3600);

/// What is known of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wear {
    /// Bytes written since the start.
    pub written: u64,
    /// Bytes in a day at that rate; `None` before an hour was seen.
    pub per_day: Option<u64>,
    /// Bytes that the medium is rated for, as configured.
    pub endurance: Option<u64>,
    /// Days that a new medium of that endurance lasts at that rate.
    pub days: Option<u64>,
}

impl Wear {
    /// Of so many bytes in the time since the start.
    #[must_use]
    pub fn of(written: u64, uptime: Duration, endurance: Option<u64>) -> Self {
        let per_day = (uptime >= SEEN).then(|| {
            let a_day = u128::from(written) * 86_400_000 / uptime.as_millis();
            u64::try_from(a_day).unwrap_or(u64::MAX)
        });
        let days = endurance.zip(per_day).and_then(|(endurance, per_day)| endurance.checked_div(per_day));
        Self { written, per_day, endurance, days }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_known_after_an_hour_and_years_where_the_medium_is_known() {
        let (hour, tera) = (Duration::from_secs(3600), 1_000_000_000_000);
        let of = |written, uptime, endurance| {
            let Wear { per_day, days, .. } = Wear::of(written, uptime, endurance);
            (per_day, days)
        };
        assert_eq!(of(5 << 20, hour - Duration::from_millis(1), Some(tera)), (None, None));
        assert_eq!(of(1_000_000, hour, None), (Some(24_000_000), None));
        assert_eq!(of(1_000_000_000, 24 * hour, Some(40 * tera)), (Some(1_000_000_000), Some(40_000)));
        assert_eq!(of(0, 48 * hour, Some(tera)), (Some(0), None));
        assert_eq!(of(u64::MAX, hour, Some(tera)), (Some(u64::MAX), Some(0)));
    }
}
