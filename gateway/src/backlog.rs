//! How the backlog grows, that is the bytes of the journal that are needed still, and how long the room for it lasts.
//!
//! Promises that what comes and goes within five minutes is no growth, that nothing is said before fifteen minutes were seen nor
//! while the backlog is steady or shrinks, and that a figure which moves about a limit does not raise and clear with it.
//! Of the growth over the last hour and over the last 24 hours the larger counts: a quiet night does not hide that the next day
//! fills the rest. Has no clock: the time is an argument. Leaves out what to do about it, which the conditions say.

use orugate_protocol::time::Tick;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

/// Of so long the smallest backlog counts.
const SPAN: Duration = Duration::from_secs(300);
/// Spans that must be over before anything is said.
const SEEN: usize = 3;
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
/// At fewer minutes than the first it is urgent, until it is more than the second.
const URGENT: (u64, u64) = (8 * 60, 10 * 60);
/// As [`URGENT`], for a warning.
const WARNING: (u64, u64) = (48 * 60, 60 * 60);

/// What something in the backlog waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum For {
    /// ORUs, waiting or parked, for a destination.
    Destination(String),
    /// Holds, for a person.
    Person,
    /// Messages, to be interpreted.
    Interpretation,
}

impl For {
    /// The destination's name.
    #[must_use]
    pub fn destination(&self) -> Option<&str> {
        match self {
            Self::Destination(name) => Some(name),
            Self::Person | Self::Interpretation => None,
        }
    }
}

/// How near the end of the room is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Further than anybody need care.
    #[default]
    Calm,
    /// Within 48 hours.
    Warning,
    /// Within 8 hours.
    Urgent,
}

/// What comes if it goes on like this. There is none of a backlog that does not grow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outlook {
    /// So long until the room for the backlog is used up.
    pub minutes: u64,
    /// How near that is.
    pub level: Level,
    /// What grows, most first, by how many messages or holds.
    pub grows: Vec<For>,
}

/// What was seen of the last 24 hours.
#[derive(Debug, Default)]
pub struct Backlog {
    /// The span that is not over.
    open: Option<Span>,
    /// Those that are, oldest first.
    over: VecDeque<Span>,
    level: Level,
}

#[derive(Debug)]
struct Span {
    from: Tick,
    /// The smallest backlog in it, in bytes.
    least: u64,
    /// Messages and holds at its beginning.
    waits: Vec<(For, usize)>,
}

/// From one span to the last one.
struct Growth<'s> {
    from: &'s Span,
    to: &'s Span,
}

impl Backlog {
    /// The backlog is `bytes` now. `waits` counts what is in it and is asked once in five minutes.
    pub fn see(&mut self, now: Tick, bytes: u64, waits: impl FnOnce() -> Vec<(For, usize)>) {
        if let Some(open) = self.open.as_mut().filter(|open| now.since(open.from) < SPAN) {
            open.least = open.least.min(bytes);
            return;
        }
        self.over.extend(self.open.replace(Span { from: now, least: bytes, waits: waits() }));
        while self.over.front().is_some_and(|oldest| now.since(oldest.from) > DAY + SPAN) {
            self.over.pop_front();
        }
    }

    /// How long the room lasts for a backlog of `bytes` that may become `most`.
    pub fn outlook(&mut self, bytes: u64, most: u64) -> Option<Outlook> {
        let outlook = self.look(bytes, most);
        self.level = outlook.as_ref().map_or(Level::Calm, |outlook| outlook.level);
        outlook
    }

    fn look(&self, bytes: u64, most: u64) -> Option<Outlook> {
        let (hour, day) = (self.growth(HOUR)?, self.growth(DAY)?);
        if hour.shrinks() {
            return None;
        }
        let growth = if hour.a_day() > day.a_day() { hour } else { day };
        let a_day = u128::try_from(growth.a_day()).ok().filter(|bytes| *bytes > 0)?;
        let left = u128::from(most.saturating_sub(bytes));
        let minutes = u64::try_from(left * 24 * 60 / a_day).unwrap_or(u64::MAX);
        Some(Outlook { minutes, level: self.level.at(minutes), grows: growth.grows() })
    }

    /// From the first span that began within `window` of the last one.
    fn growth(&self, window: Duration) -> Option<Growth<'_>> {
        let to = self.over.back().filter(|_| self.over.len() >= SEEN)?;
        let from = self.over.iter().find(|span| to.from.since(span.from) <= window)?;
        Some(Growth { from, to })
    }
}

impl Growth<'_> {
    fn bytes(&self) -> i128 {
        i128::from(self.to.least) - i128::from(self.from.least)
    }

    /// Bytes in 24 hours at this rate.
    fn a_day(&self) -> i128 {
        let passed = i128::try_from(self.to.from.since(self.from.from).as_millis()).unwrap_or(i128::MAX);
        self.bytes() * 86_400_000 / passed.max(1)
    }

    /// Somebody works it off; a hold or two that a person settles at night is not that yet.
    fn shrinks(&self) -> bool {
        self.bytes() < -i128::from(self.from.least / 32)
    }

    fn grows(&self) -> Vec<For> {
        let before =
            |what: &For| self.from.waits.iter().find(|(of, _)| of == what).map_or(0, |(_, count)| *count);
        let more = self.to.waits.iter().map(|(what, count)| (count.saturating_sub(before(what)), what));
        let mut more: Vec<_> = more.filter(|(count, _)| *count > 0).collect();
        more.sort_by(|a, b| b.cmp(a));
        more.into_iter().map(|(_, what)| what.clone()).collect()
    }
}

impl Level {
    /// The level at so many minutes, after this one.
    fn at(self, minutes: u64) -> Self {
        let within = |(enter, leave): (u64, u64), level| minutes < if self >= level { leave } else { enter };
        if within(URGENT, Self::Urgent) {
            Self::Urgent
        } else if within(WARNING, Self::Warning) {
            Self::Warning
        } else {
            Self::Calm
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn at(minutes: u64) -> Tick {
        Tick::ZERO.after(Duration::from_secs(60 * minutes))
    }

    /// Sees `bytes(minute)` each minute and looks `every` minutes.
    fn play(minutes: u64, most: u64, every: u64, bytes: impl Fn(u64) -> u64) -> Vec<(u64, Level)> {
        let mut backlog = Backlog::default();
        let mut told = Vec::new();
        for minute in 0..=minutes {
            backlog.see(at(minute), bytes(minute), Vec::new);
            if minute % every == 0
                && let Some(outlook) = backlog.outlook(bytes(minute), most)
            {
                told.push((minute, outlook.level));
            }
        }
        told
    }

    #[test]
    fn what_is_said_and_when() {
        // Bytes by minute, room, when it is looked, and what is told at which minute.
        type Play = (&'static str, fn(u64) -> u64, u64, u64, u64, Vec<(u64, Level)>);
        let plays: Vec<Play> = vec![
            ("steady", |_| 500 * MIB, 1000, 1440, 5, vec![]),
            ("shrinks", |minute| (5000 - minute) * MIB, 6000, 1440, 5, vec![]),
            (
                "grows, and fifteen minutes are seen first",
                |minute| minute * MIB,
                400,
                20,
                1,
                (15..=20).map(|minute| (minute, Level::Urgent)).collect(),
            ),
            (
                "a burst that is gone in four minutes",
                |minute| if minute % 10 < 4 { 400 * MIB } else { MIB },
                1000,
                600,
                1,
                vec![],
            ),
            ("a week is left", |minute| minute * MIB, 7 * 1440, 60, 60, vec![(60, Level::Calm)]),
            (
                "two days less an hour are left",
                |minute| minute * MIB,
                47 * 60,
                60,
                60,
                vec![(60, Level::Warning)],
            ),
            (
                "a quiet night behind a day that grew",
                |minute| minute.min(600) * MIB,
                2400,
                900,
                300,
                vec![(300, Level::Warning), (600, Level::Warning), (900, Level::Warning)],
            ),
            (
                "it is worked off in the evening",
                |minute| if minute < 600 { minute * MIB } else { (1200 - minute) * MIB },
                2400,
                660,
                60,
                (1..=10).map(|hour| (60 * hour, Level::Warning)).collect(),
            ),
        ];
        for (what, bytes, room, minutes, every, wanted) in plays {
            assert_eq!(play(minutes, room * MIB, every, bytes), wanted, "{what}");
        }
    }

    #[test]
    fn a_level_is_left_later_than_it_was_entered() {
        let steps = [
            (49, Level::Calm),
            (47, Level::Warning),
            (59, Level::Warning),
            (61, Level::Calm),
            (59, Level::Calm),
            (7, Level::Urgent),
            (9, Level::Urgent),
            (11, Level::Warning),
            (9, Level::Warning),
        ];
        let mut level = Level::Calm;
        for (hours, wanted) in steps {
            level = level.at(hours * 60);
            assert_eq!(level, wanted, "at {hours} h");
        }
    }

    #[test]
    fn it_says_whose_queue_grows_and_for_how_long_the_room_lasts() {
        let mut backlog = Backlog::default();
        let engine = |name: &str| For::Destination(name.to_owned());
        for minute in 0..=30 {
            let waits = || {
                let minute = usize::try_from(minute).unwrap();
                vec![
                    (engine("well"), 3),
                    (engine("away"), 10 * minute),
                    (For::Person, minute),
                    (engine("less"), 90 - minute),
                ]
            };
            backlog.see(at(minute), minute * MIB, waits);
        }
        let outlook = backlog.outlook(30 * MIB, 90 * MIB).unwrap();
        assert_eq!(
            outlook,
            Outlook { minutes: 60, level: Level::Urgent, grows: vec![engine("away"), For::Person] }
        );
        assert_eq!(backlog.outlook(100 * MIB, 90 * MIB).unwrap().minutes, 0);
    }

    #[test]
    fn a_box_that_slept_counts_the_time_it_slept() {
        let mut backlog = Backlog::default();
        for minute in (0..30).chain(600..=620) {
            backlog.see(at(minute), minute.min(29) * MIB + minute / 600 * 600 * MIB, Vec::new);
        }
        // 600 MiB in ten hours.
        let outlook = backlog.outlook(629 * MIB, 1229 * MIB).unwrap();
        assert!((550..=650).contains(&outlook.minutes), "{outlook:?}");
    }
}
