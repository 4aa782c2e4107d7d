//! The stage between a bedside session and the journal: what stands, and when one message is made of it.
//!
//! Promises that every interval's end makes one message of what stands then, each part with the time it came; that what was
//! taken is in exactly one message which reached flash, or is counted as lost; that what held before a device changed is in
//! a message of its own; and that a device which is silent is said to be silent once and then ever more seldom. No IO and no
//! clock: time comes in. Leaves out what the parts mean, which is the driver's, and what is sent, which is conversion's.
//!
//! Ends of intervals are whole multiples of the interval on the wall clock, so that all instruments' messages of one end
//! share one flush, and charts line up.

#[cfg(test)]
mod tests;

use orugate_driver::Slot;
use orugate_driver::snapshot::Writer;
use orugate_protocol::time::{Tick, Utc};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// What was taken waits so long for what is taken with it.
const GATHER: Duration = Duration::from_secs(5);
/// Between two tries to get on flash what must not be lost.
const AGAIN: Duration = Duration::from_secs(5);
/// How many things taken, and messages of what held, may wait for flash.
const MOST: usize = 32;
/// A device that goes on being silent is said to be so again after this time, then after twice this, and so on.
const SILENT_AGAIN: Duration = Duration::from_secs(600);
/// At most so seldom.
const SILENT_LONGEST: Duration = Duration::from_secs(6 * 3600);

/// The two clocks are read one after the other, and a thread may lose the processor between: so much earlier than an interval's
/// end the wall clock may have been read when the steady one says that it is over.
const APART: Duration = Duration::from_millis(50);

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Steady.
    pub tick: Tick,
    /// The wall clock.
    pub utc: Utc,
}

/// What was lost in the stage, since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Intervals without a message, because the journal had not answered about the one before, or refused it, or this box
    /// was too slow to look.
    pub intervals: u64,
    /// Parts that were too large, or more than may wait.
    pub parts: u64,
}

/// One message on its way.
#[derive(Clone, Debug)]
pub struct Made {
    /// As an interpreter reads it.
    pub bytes: Vec<u8>,
    /// It holds what no later one does.
    lasting: bool,
}

/// What stands, and what is on its way.
#[derive(Debug)]
pub struct Stage {
    interval: Duration,
    silent_after: Duration,
    current: BTreeMap<Slot, (Tick, Vec<u8>)>,
    held: usize,
    taken: VecDeque<(Tick, Vec<u8>)>,
    /// Messages that the journal has not got.
    ready: VecDeque<Made>,
    /// The journal has one, and has not answered.
    on_its_way: Option<Made>,
    /// When the journal may be asked again that refused one.
    again: Option<Tick>,
    /// The end of the last interval.
    began: Now,
    /// When this interval ends.
    end: Now,
    /// Something came since the last message.
    fresh: bool,
    /// When silence is said next, and how long after that again.
    silence: Option<(Tick, Duration)>,
    lost: Lost,
}

impl Stage {
    /// With nothing in it. What was not renewed for `stale_after` is no value any more.
    #[must_use]
    pub fn new(interval: Duration, stale_after: Duration, now: Now) -> Self {
        let silent_after = interval.max(stale_after);
        Self {
            interval,
            silent_after,
            current: BTreeMap::new(),
            held: 0,
            taken: VecDeque::new(),
            ready: VecDeque::new(),
            on_its_way: None,
            again: None,
            began: now,
            end: end_of(interval, now),
            fresh: false,
            silence: Some((now.tick.after(silent_after), SILENT_AGAIN)),
            lost: Lost::default(),
        }
    }

    /// This stands in a slot now. False when it was too much.
    pub fn current(&mut self, now: Now, slot: Slot, bytes: &[u8]) -> bool {
        let first = self.current.is_empty();
        self.forget(slot);
        if slot.0 >= Slot::COUNT
            || bytes.len() > Slot::MOST
            || self.held.saturating_add(bytes.len()) > Slot::ALL
        {
            self.lost.parts = self.lost.parts.saturating_add(1);
            return false;
        }
        self.held = self.held.saturating_add(bytes.len());
        self.current.insert(slot, (now.tick, bytes.to_vec()));
        if first && now.tick >= self.end.tick {
            // An end that passed while nothing stood is none.
            self.end = end_of(self.interval, now);
        }
        self.heard(now);
        true
    }

    /// This was taken. False when it was too much, and it, or the oldest that waits, is lost.
    pub fn taken(&mut self, now: Now, bytes: &[u8]) -> bool {
        let fits = bytes.len() <= Slot::MOST;
        let room = self.taken.len() < MOST;
        if !fits || !room {
            self.lost.parts = self.lost.parts.saturating_add(1);
        }
        if !fits {
            return false;
        }
        if !room {
            self.taken.pop_front();
        }
        self.taken.push_back((now.tick, bytes.to_vec()));
        self.heard(now);
        room
    }

    /// The device sent a message of its own, of which nothing stands here: it is not silent.
    pub fn pushed(&mut self, now: Now) {
        self.silence = Some((now.tick.after(self.silent_after), SILENT_AGAIN));
    }

    /// What stands in a slot does not hold any more.
    pub fn forget(&mut self, slot: Slot) {
        if let Some((_, bytes)) = self.current.remove(&slot) {
            self.held = self.held.saturating_sub(bytes.len());
            self.fresh = true;
        }
    }

    /// First a message is made of what came since the last one, with all that stands beside it; then nothing stands.
    pub fn forget_all(&mut self, now: Now) {
        if self.fresh || !self.taken.is_empty() {
            self.make(now, true);
        }
        self.current.clear();
        self.held = 0;
    }

    /// When [`look`](Self::look) is to be called next.
    #[must_use]
    pub fn deadline(&self) -> Option<Tick> {
        let gathered = self.taken.front().map(|(came, _)| came.after(GATHER));
        let end = (!self.current.is_empty()).then_some(self.end.tick);
        let silence = self.silence.filter(|_| self.current.is_empty()).map(|(at, _)| at);
        let again = self.again.filter(|_| self.on_its_way.is_none() && !self.ready.is_empty());
        [gathered, end, silence, again].into_iter().flatten().min()
    }

    /// Makes the messages that are due.
    pub fn look(&mut self, now: Now) {
        let over = now.tick >= self.end.tick;
        let now = if over { self.at_the_end(now) } else { now };
        if over {
            if !self.current.is_empty() {
                // Ends behind this one that passed while nobody looked: one message is made, and they have none.
                let passed = now.tick.since(self.end.tick).as_micros() / self.interval.as_micros().max(1);
                self.lost.intervals =
                    self.lost.intervals.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX));
            }
            self.end = end_of(self.interval, now);
        }
        let gathered = self.taken.front().is_some_and(|(came, _)| now.tick >= came.after(GATHER));
        if gathered {
            self.make(now, true);
        } else if over && !self.current.is_empty() {
            if self.on_its_way.iter().chain(&self.ready).any(|made| !made.lasting) {
                // A journal that is slower than the interval gets the next one.
                self.lost.intervals = self.lost.intervals.saturating_add(1);
            } else {
                self.make(now, false);
            }
        }
        if let Some((at, wait)) = self.silence
            && self.current.is_empty()
            && now.tick >= at
        {
            self.silence = Some((now.tick.after(wait), wait.saturating_mul(2).min(SILENT_LONGEST)));
            if self.ready.len() < MOST {
                let mut bytes = Vec::new();
                let _ = Writer::new(&mut bytes, self.began.utc, now.utc);
                self.ready.push_back(Made { bytes, lasting: false });
            }
            self.began = now;
        }
    }

    /// The next message for the journal; then [`answered`](Self::answered) must be called before there is another.
    pub fn next(&mut self, now: Tick) -> Option<&[u8]> {
        if self.on_its_way.is_some() || self.again.is_some_and(|again| now < again) {
            return None;
        }
        self.again = None;
        self.on_its_way = self.ready.pop_front();
        self.on_its_way.as_ref().map(|made| &*made.bytes)
    }

    /// The journal has the message on its way, or refused it.
    pub fn answered(&mut self, now: Tick, stored: bool) {
        let Some(made) = self.on_its_way.take() else { return };
        if stored {
            return;
        }
        self.again = Some(now.after(AGAIN));
        if made.lasting {
            self.ready.push_front(made);
        } else {
            self.lost.intervals = self.lost.intervals.saturating_add(1);
        }
    }

    /// Nothing waits for the journal.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.on_its_way.is_none() && self.ready.is_empty()
    }

    /// What was lost so far.
    #[must_use]
    pub const fn lost(&self) -> Lost {
        self.lost
    }

    /// An interval that is over ended no earlier than at its end: else it would get a second message, of its last microseconds.
    fn at_the_end(&self, now: Now) -> Now {
        let early = self.end.utc.0.saturating_sub(now.utc.0);
        let apart = u64::try_from(early).is_ok_and(|early| Duration::from_micros(early) <= APART);
        if apart { Now { utc: self.end.utc, ..now } } else { now }
    }

    fn heard(&mut self, now: Now) {
        self.fresh = true;
        self.silence = Some((now.tick.after(self.silent_after), SILENT_AGAIN));
    }

    fn make(&mut self, now: Now, lasting: bool) {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes, self.began.utc, now.utc);
        for (came, taken) in self.taken.drain(..) {
            writer.taken(now.tick.since(came), &taken);
        }
        for (slot, (came, current)) in &self.current {
            writer.current(*slot, now.tick.since(*came), current);
        }
        if self.ready.len() >= MOST {
            self.ready.pop_front();
            self.lost.intervals = self.lost.intervals.saturating_add(1);
        }
        self.ready.push_back(Made { bytes, lasting });
        self.began = now;
        self.fresh = false;
    }
}

/// The next whole multiple of the interval on the wall clock, on both.
fn end_of(interval: Duration, now: Now) -> Now {
    let step = i64::try_from(interval.as_micros()).unwrap_or(i64::MAX).max(1);
    let left = step.saturating_sub(now.utc.0.rem_euclid(step));
    let tick = now.tick.after(Duration::from_micros(left.unsigned_abs()));
    Now { tick, utc: Utc(now.utc.0.saturating_add(left)) }
}
