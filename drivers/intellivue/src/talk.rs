//! What an association is about: which polls, when, and when it is lost.
//!
//! Promises that the monitor hears something well within its time-out, that an extended poll is renewed long before its end and
//! replaced by single polls when the monitor refuses it, that no kind of poll is asked more often than once a second, and that
//! what is asked goes out one by one: a monitor throws away what comes too fast on its serial port. Leaves out bytes.

use crate::pdu::{ALERTS, DEMOGRAPHICS, MDS, NUMERIC};
use crate::request::{Poll, SECOND};
use orugate_driver::time::Tick;
use std::collections::VecDeque;
use std::time::Duration;

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Numerics,
    Monitor,
    Patient,
    /// What alarms are on; a short answer, so that the monitor also hears that somebody is there.
    Alerts,
}

/// How numerics come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// By themselves, for as long as was asked for.
    Extended,
    /// One for each poll.
    Single,
}

/// What the talk wants done, or has to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Poll(Poll),
    /// The monitor said nothing for the time-out of the association.
    Lost,
    /// No numerics came for too long; what is kept of them does not hold.
    NoNumerics,
    /// From now on each answer is asked for.
    Singly,
}

/// One association.
#[derive(Debug)]
pub(crate) struct Talk {
    mode: Mode,
    /// Between two answers.
    period: Duration,
    timeout: Duration,
    heard: Tick,
    said: Tick,
    fresh: Tick,
    waiting: VecDeque<Ask>,
    /// Nothing is asked before.
    pace: Tick,
    numerics: Tick,
    monitor: Tick,
    patient: Option<Tick>,
    alerts: Tick,
    /// The poll of numerics that has no answer yet, and how many before it had none.
    open: Option<(u16, u16)>,
    unanswered: u32,
    /// The number of the poll of numerics before that.
    former: Option<u16>,
    /// Which attributes of numerics are asked for, and in how many polls in a row without an answer.
    group: (u16, u32),
    /// How long until labels may be asked for again, and since when.
    labels: (Duration, Tick),
    stale: bool,
    number: u16,
    invoke: u16,
}

/// Between two requests.
const PACE: Duration = Duration::from_millis(200);
/// How long a monitor shall go on answering an extended poll.
const GOES_ON: u32 = 300 * SECOND;
/// When it is asked again.
const RENEWAL: Duration = Duration::from_secs(60);
/// An answer that does not come in this time does not come.
const ANSWER: Duration = Duration::from_secs(5);
/// The monitor's identity, bed and clock.
const MONITOR: Duration = Duration::from_secs(10);
/// Whose values they are must not be known late.
const PATIENT: Duration = Duration::from_secs(5);
const ALERTS_EACH: Duration = Duration::from_secs(5);
/// What is asked for one by one is asked so often at least: values would be old before the next ones.
const SLOWEST: Duration = Duration::from_secs(5);
const LABELS: Duration = Duration::from_secs(2);
const LABELS_MOST: Duration = Duration::from_secs(60);
/// Extended polls in vain.
const IN_VAIN: u32 = 3;
/// All attributes.
const ALL: u16 = 0;
/// The values alone.
const VALUES_GROUP: u16 = 0x0803;
const DEMOGRAPHIC_GROUP: u16 = 0x0807;
const ALERT_GROUP: u16 = 0x0801;
/// The monitor could not do it just now.
const BUSY: u16 = 10;

/// The time-out of an association whose shortest time between two answers is this, in eighths of a millisecond: 10 s below 3.3 s,
/// three times as long up to 43 s, and 130 s beyond.
pub(crate) fn timeout(period: u32) -> Duration {
    let period = Duration::from_millis(u64::from(period / 8));
    if period < Duration::from_millis(3300) {
        Duration::from_secs(10)
    } else if period <= Duration::from_secs(43) {
        period.saturating_mul(3)
    } else {
        Duration::from_secs(130)
    }
}

impl Talk {
    /// `period`: between two answers, as both agreed, in eighths of a millisecond.
    pub(crate) fn new(now: Tick, period: u32, extended: bool, patient: bool) -> Self {
        let period_of = Duration::from_millis(u64::from(period / 8)).max(Duration::from_secs(1));
        Self {
            mode: if extended { Mode::Extended } else { Mode::Single },
            period: period_of,
            timeout: timeout(period),
            heard: now,
            said: now,
            fresh: now,
            waiting: VecDeque::new(),
            pace: now,
            numerics: now,
            monitor: now,
            patient: patient.then_some(now),
            alerts: now,
            open: None,
            unanswered: 0,
            former: None,
            group: (ALL, 0),
            labels: (LABELS, now),
            stale: false,
            number: 0,
            invoke: 0,
        }
    }

    /// The monitor said something.
    pub(crate) const fn heard(&mut self, now: Tick) {
        self.heard = now;
    }

    /// Numerics came, all of an answer, of this poll. True when they had stayed away for too long.
    pub(crate) fn numerics(&mut self, now: Tick, poll: u16) -> bool {
        let stale = std::mem::replace(&mut self.stale, false);
        self.fresh = now;
        self.group.1 = 0;
        // The poll before this one may still be answered; a number that is neither's says nothing of which.
        if self.open.is_some_and(|(number, _)| number == poll || self.former != Some(poll)) {
            self.former = self.open.map(|(number, _)| number);
            self.open = None;
            self.unanswered = 0;
            if self.mode == Mode::Extended {
                self.numerics = now.after(RENEWAL);
            }
        }
        stale
    }

    /// All labels are there.
    pub(crate) const fn labels_came(&mut self, now: Tick) {
        self.labels = (LABELS, now);
    }

    /// Labels are missing: the first answer to a new poll has them.
    pub(crate) fn labels_missing(&mut self, now: Tick) {
        let (wait, since) = self.labels;
        if now >= since.after(wait) && self.open.is_none() {
            self.labels = (wait.saturating_mul(2).min(LABELS_MOST), now);
            self.numerics = now;
        }
    }

    /// All must be asked again: what was known does not hold any more.
    pub(crate) fn again(&mut self, now: Tick) {
        let soon = now.after(Duration::from_secs(1));
        self.labels = (LABELS, now);
        self.numerics = soon;
        self.monitor = soon;
        self.patient = self.patient.map(|_| soon);
        self.alerts = soon;
    }

    /// The monitor refuses an invocation. True when it will be asked in another way now.
    pub(crate) fn refused(&mut self, now: Tick, invoke: u16, code: u16) -> Option<Wish> {
        let (_, open) = self.open?;
        if open != invoke || self.mode == Mode::Single {
            return None;
        }
        self.open = None;
        self.unanswered = self.unanswered.saturating_add(1);
        if code == BUSY && self.unanswered < IN_VAIN {
            self.numerics = now.after(Duration::from_secs(1));
            return None;
        }
        self.numerics = now.after(Duration::from_secs(1));
        Some(self.singly())
    }

    fn singly(&mut self) -> Wish {
        self.mode = Mode::Single;
        self.unanswered = 0;
        Wish::Singly
    }

    /// What is to be done now; call it until there is nothing.
    pub(crate) fn next(&mut self, now: Tick) -> Option<Wish> {
        if now >= self.heard.after(self.timeout) {
            return Some(Wish::Lost);
        }
        if !self.stale && now >= self.fresh.after(self.patience()) {
            self.stale = true;
            return Some(Wish::NoNumerics);
        }
        if now >= self.numerics && !self.waiting.contains(&Ask::Numerics) {
            if self.mode == Mode::Extended && self.open.take().is_some() {
                self.unanswered = self.unanswered.saturating_add(1);
                if self.unanswered >= IN_VAIN {
                    return Some(self.singly());
                }
            }
            self.want(Ask::Numerics);
        }
        if now >= self.monitor {
            self.want(Ask::Monitor);
        }
        if self.patient.is_some_and(|at| now >= at) {
            self.want(Ask::Patient);
        }
        if now >= self.alerts || (now >= self.alive() && self.waiting.is_empty()) {
            self.want(Ask::Alerts);
        }
        if now < self.pace {
            return None;
        }
        let ask = self.waiting.pop_front()?;
        Some(Wish::Poll(self.ask(now, ask)))
    }

    /// Without numerics for so long, something is wrong.
    fn patience(&self) -> Duration {
        self.period.saturating_mul(3).max(Duration::from_secs(10))
    }

    /// When the monitor must hear something: so early that two messages may be lost.
    fn alive(&self) -> Tick {
        self.said.after(self.timeout.checked_div(3).unwrap_or(self.timeout))
    }

    fn want(&mut self, ask: Ask) {
        if !self.waiting.contains(&ask) {
            self.waiting.push_back(ask);
        }
    }

    fn ask(&mut self, now: Tick, ask: Ask) -> Poll {
        self.number = self.number.wrapping_add(1);
        self.invoke = self.invoke.wrapping_add(1);
        self.pace = now.after(PACE);
        self.said = now;
        let (class, group) = match ask {
            Ask::Numerics => (NUMERIC, self.group()),
            Ask::Monitor => (MDS, ALL),
            Ask::Patient => (DEMOGRAPHICS, DEMOGRAPHIC_GROUP),
            Ask::Alerts => (ALERTS, ALERT_GROUP),
        };
        let mut period = None;
        match ask {
            Ask::Numerics => {
                self.open = Some((self.number, self.invoke));
                if self.mode == Mode::Extended {
                    period = Some(GOES_ON);
                    self.numerics = now.after(ANSWER);
                } else {
                    self.numerics = now.after(self.period.min(SLOWEST));
                }
            }
            Ask::Monitor => self.monitor = now.after(MONITOR),
            Ask::Patient => self.patient = self.patient.map(|_| now.after(PATIENT)),
            Ask::Alerts => self.alerts = now.after(ALERTS_EACH),
        }
        Poll { invoke: self.invoke, number: self.number, class, group, period }
    }

    /// A monitor that never answers for all attributes of numerics is asked for their values alone, and the other way round.
    fn group(&mut self) -> u16 {
        let (group, polls) = &mut self.group;
        if self.mode == Mode::Single {
            *polls = polls.saturating_add(1);
            if *polls > IN_VAIN {
                *polls = 1;
                *group = if *group == ALL { VALUES_GROUP } else { ALL };
            }
        }
        *group
    }

    /// When [`next`](Self::next) may have something, and for what.
    pub(crate) fn deadline(&self) -> (Tick, &'static str) {
        let mut first = (self.heard.after(self.timeout), "for the monitor to say something");
        let mut sooner = |at: Tick, why| {
            if at < first.0 {
                first = (at, why);
            }
        };
        if !self.stale {
            sooner(self.fresh.after(self.patience()), "for numerics");
        }
        let asks = [Some(self.numerics), Some(self.monitor), self.patient];
        let mut next = asks.iter().flatten().copied().min().unwrap_or(self.numerics);
        next = next.min(self.alive()).min(self.alerts);
        if !self.waiting.is_empty() {
            next = self.pace;
        }
        sooner(next.max(self.pace), "until the next poll");
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Tick {
        Tick::from_micros(seconds * 1_000_000)
    }

    /// Polls and other wishes until a time, with a monitor that answers each poll but numerics, and numerics each second.
    fn run(talk: &mut Talk, from: u64, to: u64, numerics: impl Fn(u64) -> bool) -> Vec<(u64, Wish)> {
        let mut all = Vec::new();
        let mut latest = 0;
        for tenth in from * 10..to * 10 {
            let now = Tick::from_micros(tenth * 100_000);
            while let Some(wish) = talk.next(now) {
                if let Wish::Poll(poll) = wish {
                    talk.heard(now);
                    if poll.class == NUMERIC {
                        latest = poll.number;
                    }
                }
                all.push((tenth, wish));
                assert!(all.len() < 10_000);
            }
            assert!(talk.deadline().0 > now, "at {tenth}: {:?}", talk.deadline());
            if tenth % 10 == 5 && numerics(tenth / 10) {
                talk.heard(now);
                talk.numerics(now, latest);
            }
        }
        all
    }

    fn of_class(all: &[(u64, Wish)], class: u16) -> Vec<u64> {
        all.iter()
            .filter(|(_, wish)| matches!(wish, Wish::Poll(poll) if poll.class == class))
            .map(|(at, _)| *at)
            .collect()
    }

    #[test]
    fn time_outs_are_those_of_the_interface() {
        assert_eq!(timeout(8000), Duration::from_secs(10));
        assert_eq!(timeout(50_000), Duration::from_millis(18_750));
        assert_eq!(timeout(43 * 8000), Duration::from_secs(129));
        assert_eq!(timeout(60 * 8000), Duration::from_secs(130));
    }

    #[test]
    fn an_extended_poll_is_renewed_long_before_its_end() {
        let mut talk = Talk::new(at(0), SECOND, true, true);
        let all = run(&mut talk, 0, 1000, |_| true);
        let numerics = of_class(&all, NUMERIC);
        assert!(numerics.len() >= 16, "{numerics:?}");
        assert!(numerics.windows(2).all(|two| two[1] - two[0] <= 610), "{numerics:?}");
        assert!(all.iter().all(|(_, wish)| matches!(wish, Wish::Poll(poll)
            if poll.period == (poll.class == NUMERIC).then_some(GOES_ON))));
        // The monitor hears something at least each third of its time-out.
        let said: Vec<u64> = all.iter().map(|(at, _)| *at).collect();
        assert!(said.windows(2).all(|two| two[1] - two[0] <= 34), "{said:?}");
        // Nothing comes closer than the pace, and no class twice in a second.
        assert!(said.windows(2).all(|two| two[1] - two[0] >= 2), "{said:?}");
        for class in [NUMERIC, MDS, DEMOGRAPHICS, ALERTS] {
            assert!(of_class(&all, class).windows(2).all(|two| two[1] - two[0] >= 10), "{class:x}");
        }
        assert!((190..=200).contains(&of_class(&all, DEMOGRAPHICS).len()));
    }

    #[test]
    fn an_extended_poll_without_answers_becomes_single_polls() {
        let mut talk = Talk::new(at(0), SECOND, true, false);
        let all = run(&mut talk, 0, 14, |_| false);
        assert_eq!(of_class(&all, NUMERIC).len(), 3);
        let all = run(&mut talk, 14, 40, |second| second > 16);
        assert_eq!(all[0].1, Wish::Singly);
        let numerics = of_class(&all, NUMERIC);
        assert_eq!(numerics.len(), 25, "{numerics:?}");
    }

    #[test]
    fn a_refused_extended_poll_becomes_single_polls_and_a_busy_monitor_is_asked_again() {
        let mut talk = Talk::new(at(0), SECOND, true, false);
        let Some(Wish::Poll(poll)) = talk.next(at(0)) else { panic!() };
        assert_eq!(talk.refused(at(0), poll.invoke.wrapping_add(9), 9), None);
        assert_eq!(talk.refused(at(0), poll.invoke, BUSY), None);
        let all = run(&mut talk, 1, 2, |_| false);
        let Some((_, Wish::Poll(poll))) =
            all.iter().find(|(_, wish)| matches!(wish, Wish::Poll(poll) if poll.class == NUMERIC))
        else {
            panic!("{all:?}")
        };
        assert!(poll.period.is_some());
        assert_eq!(talk.refused(at(2), poll.invoke, 9), Some(Wish::Singly));
        let all = run(&mut talk, 3, 10, |_| true);
        assert_eq!(of_class(&all, NUMERIC).len(), 7);
    }

    #[test]
    fn silence_is_a_lost_monitor_and_numerics_that_stay_away_are_told_once() {
        let mut talk = Talk::new(at(0), SECOND, true, false);
        while talk.next(at(0)).is_some() {}
        assert_eq!(talk.next(at(10)), Some(Wish::Lost));
        let mut talk = Talk::new(at(0), SECOND, true, false);
        let all = run(&mut talk, 0, 60, |second| second < 3);
        assert_eq!(all.iter().filter(|(_, wish)| *wish == Wish::NoNumerics).count(), 1);
    }

    #[test]
    fn missing_labels_are_asked_for_with_longer_and_longer_waits() {
        let mut talk = Talk::new(at(0), SECOND, true, false);
        let mut asked = 0;
        for second in 0..120 {
            asked += of_class(&run(&mut talk, second, second + 1, |_| true), NUMERIC).len();
            talk.labels_missing(at(second + 1));
        }
        assert!((5..=9).contains(&asked), "{asked}");
    }
}
