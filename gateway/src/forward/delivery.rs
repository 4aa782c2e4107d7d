//! One destination's conversation with its engine, without IO and without a clock (MLLP release 1; HL7 2.5.1, 2.9).
//!
//! Promises: [`Settlement::Delivered`] only follows an acknowledgment whose MSA-2 is, byte for byte, the MSH-10 of
//! that message; never by its position (but for `accept_blank_msa2`, which a site must ask for). At most one message
//! is in flight. What was sent and not acknowledged is sent again, by its number, so with the same bytes; nothing is
//! dropped, whatever the engine does. Leaves out sockets, framing of what is sent, loading, and which messages wait
//! and in which order: that is the [`Queue`]'s.
//!
//! A destination is connected to at the start and when something waits. A connection that failed is made again, with
//! growing waits; one that the engine closes while it is idle is only made again for the next message.

use super::answer::Answer;
use super::backoff::Backoff;
use super::events::{CloseWhy, Deadline, Ended, Failure, Input, Note, Output, Refusal, Settlement, Waiting};
use super::frames::{Found, Frames, Stall};
use super::settings::{OnRefusal, Settings};
use super::status::{InFlightStatus, LinkStatus, Status};
use orugate_protocol::hl7::ack::Code;
use orugate_protocol::time::Tick;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What waits for this destination; the gateway's state behind a short lock.
pub trait Queue {
    /// The lowest number at or above `number` that may be sent.
    fn waiting_from(&self, number: u64) -> Option<u64>;
    /// True while this message is to be delivered.
    fn is_waiting(&self, number: u64) -> bool;
    /// True while this message is parked.
    fn is_parked(&self, number: u64) -> bool;
}

/// The state machine. After each [`Delivery::handle`] call [`Delivery::poll`] until it waits.
#[derive(Debug)]
pub struct Delivery {
    settings: Settings,
    backoff: Backoff,
    link: Link,
    /// Connections that failed since the engine last answered.
    failures: u32,
    /// How often waiting messages were refused. Mostly the front one; an unparked older one may have overtaken it.
    refusals: BTreeMap<u64, u32>,
    /// Messages that were sent on connections that ended before the answer.
    unknown: BTreeSet<u64>,
    /// Settled here; the journal and so the queue do not know yet.
    settling: BTreeMap<u64, Settling>,
    /// The highest number ever sent here.
    highest: Option<u64>,
    blocked: Option<u64>,
    stopping: bool,
    last_answer: Option<Tick>,
    last_error: Option<(Tick, Note)>,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum Link {
    /// No connection, and none is needed.
    Idle,
    /// The next try comes at `until`, for a connection (`None`) or for a refused message.
    Resting {
        until: Tick,
        refused: Option<u64>,
    },
    Connecting {
        since: Tick,
    },
    Up(Up),
    /// After a stop.
    Done,
}

#[derive(Debug)]
struct Up {
    since: Tick,
    /// When bytes came last: a stalled frame is measured from here.
    heard: Tick,
    frames: Frames,
    task: Task,
}

/// What a connection is used for.
#[derive(Debug)]
enum Task {
    /// Nothing.
    Free,
    /// A message is in flight.
    Flight(Flight),
    /// A message was refused and rests.
    Pause { number: u64, until: Tick },
}

impl Task {
    const fn pauses_for(&self) -> Option<u64> {
        match self {
            Self::Pause { number, .. } => Some(*number),
            Self::Free | Self::Flight(_) => None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Flight {
    number: u64,
    since: Tick,
    stage: Stage,
    until: Tick,
}

/// How far a message in flight is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Writing,
    Answer,
    /// CA came, which is not enough here.
    Application,
}

/// Settlements of one message on their way to the journal: it can be parked and then delivered late.
#[derive(Clone, Copy, Debug)]
struct Settling {
    delivered: bool,
    open: u8,
}

impl Delivery {
    /// A delivery that will connect; `seed` makes the jitter of its waits.
    #[must_use]
    pub fn new(settings: Settings, seed: u64) -> Self {
        Self {
            settings,
            backoff: Backoff::new(seed),
            link: Link::Resting { until: Tick::ZERO, refused: None },
            failures: 0,
            refusals: BTreeMap::new(),
            unknown: BTreeSet::new(),
            settling: BTreeMap::new(),
            highest: None,
            blocked: None,
            stopping: false,
            last_answer: None,
            last_error: None,
            outputs: VecDeque::new(),
        }
    }

    /// Something happened at `now`. The first call may be any, such as [`Input::NewWork`].
    pub fn handle(&mut self, now: Tick, input: Input<'_>, queue: &impl Queue) {
        match input {
            Input::Connected => {
                if let Link::Connecting { .. } = self.link {
                    let frames = Frames::new(self.settings.longest, self.settings.missing_cr.is_some());
                    self.link = Link::Up(Up { since: now, heard: now, frames, task: Task::Free });
                    self.note(Note::Connected);
                }
            }
            Input::ConnectFailed(error) => {
                if let Link::Connecting { .. } = self.link {
                    self.fail(now, Failure::Connect(error));
                }
            }
            Input::Bytes(bytes) => self.bytes(now, bytes, queue),
            Input::Sent => {
                if self.flight().is_some_and(|flight| flight.stage == Stage::Writing) {
                    self.reach(now, Stage::Answer);
                }
            }
            Input::Unreadable => {
                if let Some(Flight { number, stage: Stage::Writing, .. }) = self.flight() {
                    self.refused(now, number, Refusal::Unreadable, Vec::new());
                }
            }
            Input::Closed(ended) => self.ended(now, ended),
            Input::Deadline | Input::NewWork => {}
            Input::Settled(number) => self.journalled(number),
            Input::Stop => self.stop(now),
        }
        self.forget_gone(queue);
        self.check_deadline(now, queue);
        self.go_on(now, queue);
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| match self.link {
            Link::Done => Output::Done,
            _ => Output::Wait(self.deadline()),
        })
    }

    /// How things stand.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            link: match &self.link {
                Link::Idle => LinkStatus::Idle,
                Link::Resting { until, .. } => LinkStatus::Waiting { until: *until },
                Link::Connecting { since } => LinkStatus::Connecting { since: *since },
                Link::Up(up) => LinkStatus::Connected { since: up.since },
                Link::Done => LinkStatus::Stopped,
            },
            in_flight: self.flight().map(|flight| InFlightStatus {
                number: flight.number,
                since: flight.since,
                committed: flight.stage == Stage::Application,
            }),
            outcome_unknown: self.unknown.iter().copied().collect(),
            blocked_by: self.blocked,
            refused: self.refusals.len(),
            last_answer: self.last_answer,
            last_error: self.last_error.clone(),
            failures: self.failures,
        }
    }

    fn bytes(&mut self, now: Tick, bytes: &[u8], queue: &impl Queue) {
        let Link::Up(up) = &mut self.link else { return };
        up.heard = now;
        let found = up.frames.push(bytes);
        self.found(now, found, queue);
    }

    /// What the frame reader found, in order. Nothing after a failure counts: it belongs to a closed connection.
    fn found(&mut self, now: Tick, found: Vec<Found>, queue: &impl Queue) {
        for found in found {
            if !matches!(self.link, Link::Up(_)) {
                return;
            }
            match found {
                Found::Frame(ack, with_cr) => {
                    if !with_cr {
                        self.note(Note::MissingCr);
                    }
                    self.frame(now, ack, queue);
                }
                Found::Noise(bytes) => self.note(Note::Noise(bytes)),
                Found::Restarted(bytes) => self.note(Note::Restarted(bytes)),
                Found::Failed(failure) => self.fail(now, failure),
            }
        }
    }

    /// One frame's content.
    fn frame(&mut self, now: Tick, ack: Vec<u8>, queue: &impl Queue) {
        let answer = match Answer::read(&ack) {
            Ok(answer) => answer,
            Err(failure) => return self.fail(now, failure),
        };
        self.last_answer = Some(now);
        let in_flight = self.flight().map(|flight| flight.number);
        let number = if answer.id.is_empty() {
            match in_flight.filter(|_| self.settings.accept_blank_msa2) {
                Some(number) => number,
                None => return self.note(Note::BlankId),
            }
        } else {
            match self.settings.ids.number(answer.id) {
                Some(number) => number,
                None => return self.note(Note::ForeignId),
            }
        };
        let (code, error) = (answer.code, answer.error);
        if in_flight == Some(number) {
            self.answered(now, code, error, ack);
        } else {
            self.late(number, code, ack, queue);
        }
    }

    /// The answer to the message in flight.
    fn answered(&mut self, now: Tick, code: Code, error: Option<u16>, ack: Vec<u8>) {
        let Some(Flight { number, stage, .. }) = self.flight() else { return };
        if stage == Stage::Writing {
            // Half a message cannot have been judged, and the next one cannot follow half a frame.
            return self.fail(now, Failure::EarlyAnswer(code));
        }
        self.failures = 0;
        if !code.is_accept() {
            self.refused(now, number, Refusal::Engine { code, error }, ack);
        } else if self.delivers(code) {
            self.delivered(number, code, ack);
        } else if stage == Stage::Application {
            self.note(Note::Duplicate(number, code));
        } else {
            self.reach(now, Stage::Application);
        }
    }

    /// True for AA, and for CA unless that is only a first step here.
    fn delivers(&self, code: Code) -> bool {
        code.is_accept() && !(code.is_commit() && self.settings.require_application_ack)
    }

    /// An answer to a message that is not in flight.
    fn late(&mut self, number: u64, code: Code, ack: Vec<u8>, queue: &impl Queue) {
        let waits = queue.is_waiting(number);
        let settled = match self.settling.get(&number) {
            Some(settling) => settling.delivered,
            None => !waits && !queue.is_parked(number),
        };
        if settled {
            return self.note(Note::Duplicate(number, code));
        }
        // The process before this one sent no further than the front of the queue.
        let reached = self.highest.max(queue.waiting_from(0));
        if waits && reached.is_none_or(|reached| number > reached) {
            return self.note(Note::NeverSent(number));
        }
        if !self.delivers(code) {
            return self.note(Note::LateRefusal(number, code));
        }
        self.note(Note::LateDelivery(number, code));
        self.delivered(number, code, ack);
        if let Link::Up(up) = &mut self.link
            && up.task.pauses_for() == Some(number)
        {
            up.task = Task::Free;
        }
    }

    fn delivered(&mut self, number: u64, code: Code, ack: Vec<u8>) {
        self.failures = 0;
        self.settle(Settlement::Delivered { number, code, ack });
    }

    /// The message in flight was refused, or could not even be sent.
    fn refused(&mut self, now: Tick, number: u64, why: Refusal, ack: Vec<u8>) {
        self.unknown.remove(&number);
        let times = self.refusals.get(&number).copied().unwrap_or(0).saturating_add(1);
        let hopeless = why.is_final() || times > self.settings.retries;
        if hopeless && self.settings.on_refusal == OnRefusal::Park {
            self.error(now, Note::Parked { number, why });
            return self.settle(Settlement::Parked { number, why, ack });
        }
        self.refusals.insert(number, times);
        let wait = if hopeless { self.backoff.longest() } else { self.backoff.after(times) };
        if hopeless && self.blocked != Some(number) {
            self.blocked = Some(number);
            self.note(Note::Blocked { number, why });
        }
        self.error(now, Note::Refused { number, why, times, wait });
        self.set_task(Task::Pause { number, until: now.after(wait) });
    }

    fn settle(&mut self, settlement: Settlement) {
        let number = settlement.number();
        let delivered = matches!(settlement, Settlement::Delivered { .. });
        let settling = self.settling.entry(number).or_insert(Settling { delivered, open: 0 });
        settling.delivered |= delivered;
        settling.open = settling.open.saturating_add(1);
        self.refusals.remove(&number);
        self.unknown.remove(&number);
        self.blocked = self.blocked.filter(|blocked| *blocked != number);
        if self.flight().is_some_and(|flight| flight.number == number) {
            self.set_task(Task::Free);
        }
        self.outputs.push_back(Output::Settle(settlement));
    }

    fn journalled(&mut self, number: u64) {
        if let Some(settling) = self.settling.get_mut(&number) {
            settling.open = settling.open.saturating_sub(1);
            if settling.open == 0 {
                self.settling.remove(&number);
            }
        }
    }

    /// The connection is of no use any more. It is closed here unless it never was or is gone.
    fn fail(&mut self, now: Tick, failure: Failure) {
        self.flight_is_unknown(now);
        if !matches!(failure, Failure::Connect(_) | Failure::Ended(_)) {
            self.outputs.push_back(Output::Close(CloseWhy::Failed(failure.clone())));
        }
        // A refused message's own wait is not cut short by a connection that fails meanwhile.
        let paused = self.paused_until();
        self.failures = self.failures.saturating_add(1);
        let wait = self.backoff.after(self.failures);
        let until = paused.map_or(now.after(wait), |paused| paused.max(now.after(wait)));
        self.link = Link::Resting { until, refused: None };
        self.error(now, Note::Failed(failure, wait));
    }

    fn ended(&mut self, now: Tick, ended: Ended) {
        let Link::Up(up) = &self.link else { return };
        match up.task {
            Task::Flight(_) => self.fail(now, Failure::Ended(ended)),
            // Many engines hang up after a refusal. That is no failure; the message rests as long as it would have.
            Task::Pause { number, until } => {
                self.note(Note::Disconnected(ended));
                self.link = Link::Resting { until, refused: Some(number) };
            }
            Task::Free => {
                self.note(Note::Disconnected(ended));
                self.link = Link::Idle;
            }
        }
    }

    fn stop(&mut self, now: Tick) {
        self.stopping = true;
        let until = now.after(self.settings.stop);
        if let Some(flight) = self.flight_mut() {
            flight.until = flight.until.min(until);
        }
    }

    /// What people or other connections settled needs no memory.
    fn forget_gone(&mut self, queue: &impl Queue) {
        self.refusals.retain(|number, _| queue.is_waiting(*number));
        self.unknown.retain(|number| queue.is_waiting(*number));
        self.blocked = self.blocked.filter(|number| queue.is_waiting(*number));
        match &mut self.link {
            Link::Up(Up { task, .. }) if task.pauses_for().is_some_and(|n| !queue.is_waiting(n)) => {
                *task = Task::Free;
            }
            Link::Resting { refused: Some(number), .. } if !queue.is_waiting(*number) => {
                self.link = Link::Idle;
            }
            _ => {}
        }
    }

    /// Lateness is judged by the time that is told, not by who tells it.
    fn check_deadline(&mut self, now: Tick, queue: &impl Queue) {
        let Some(deadline) = self.deadline().filter(|deadline| deadline.at <= now) else { return };
        if self.stopping && self.flight().is_none() {
            return;
        }
        match deadline.why {
            Waiting::Writing(_) => self.fail(now, Failure::Writing(self.settings.answer)),
            Waiting::Answer(_) => self.fail(now, Failure::NoAnswer(self.settings.answer)),
            Waiting::ApplicationAnswer(_) => {
                self.fail(now, Failure::NoApplicationAnswer(self.settings.answer));
            }
            Waiting::Stop(_) => {
                self.flight_is_unknown(now);
                self.set_task(Task::Free);
            }
            Waiting::Frame => self.fail(now, Failure::FrameStalled(self.settings.frame)),
            Waiting::MissingCr => {
                let Link::Up(up) = &mut self.link else { return };
                let found = up.frames.end_without_cr();
                self.found(now, found, queue);
            }
            Waiting::Reconnect => self.connect(now),
            Waiting::Retry(_) => match self.link {
                Link::Up(_) => self.set_task(Task::Free),
                _ => self.connect(now),
            },
        }
    }

    /// Begins what can be begun now.
    fn go_on(&mut self, now: Tick, queue: &impl Queue) {
        if self.stopping {
            return self.wind_up();
        }
        let next = match &self.link {
            Link::Idle | Link::Up(Up { task: Task::Free, .. }) => self.next(queue),
            _ => None,
        };
        let Some(number) = next else { return };
        if let Link::Idle = self.link {
            return self.connect(now);
        }
        self.highest = self.highest.max(Some(number));
        let until = now.after(self.settings.answer);
        self.set_task(Task::Flight(Flight { number, since: now, stage: Stage::Writing, until }));
        self.outputs.push_back(Output::Send(number));
    }

    fn next(&self, queue: &impl Queue) -> Option<u64> {
        if self.settling.len() >= self.settings.unsettled {
            return None;
        }
        let mut next = queue.waiting_from(0)?;
        while self.settling.contains_key(&next) {
            next = queue.waiting_from(next.checked_add(1)?)?;
        }
        Some(next)
    }

    fn wind_up(&mut self) {
        if self.flight().is_some() {
            return;
        }
        if matches!(self.link, Link::Up(_) | Link::Connecting { .. }) {
            self.outputs.push_back(Output::Close(CloseWhy::Stopping));
        }
        self.link = Link::Done;
    }

    fn connect(&mut self, now: Tick) {
        self.link = Link::Connecting { since: now };
        self.outputs.push_back(Output::Connect);
    }

    fn deadline(&self) -> Option<Deadline> {
        match &self.link {
            Link::Idle | Link::Connecting { .. } | Link::Done => None,
            Link::Resting { until, refused } => {
                let why = refused.map_or(Waiting::Reconnect, Waiting::Retry);
                Some(Deadline { at: *until, why })
            }
            Link::Up(up) => {
                let task = match &up.task {
                    Task::Free => None,
                    Task::Flight(flight) => {
                        let why = match flight.stage {
                            _ if self.stopping => Waiting::Stop(flight.number),
                            Stage::Writing => Waiting::Writing(flight.number),
                            Stage::Answer => Waiting::Answer(flight.number),
                            Stage::Application => Waiting::ApplicationAnswer(flight.number),
                        };
                        Some(Deadline { at: flight.until, why })
                    }
                    Task::Pause { number, until } => {
                        Some(Deadline { at: *until, why: Waiting::Retry(*number) })
                    }
                };
                let frame = match (up.frames.stall(), self.settings.missing_cr) {
                    (Stall::Between, _) => None,
                    (Stall::AfterFs, Some(wait)) => {
                        Some(Deadline { at: up.heard.after(wait), why: Waiting::MissingCr })
                    }
                    (Stall::Inside | Stall::AfterFs, _) => {
                        Some(Deadline { at: up.heard.after(self.settings.frame), why: Waiting::Frame })
                    }
                };
                // A frame that is about to end is heard before the wait for it is over.
                frame.into_iter().chain(task).min_by_key(|deadline| deadline.at)
            }
        }
    }

    fn flight(&self) -> Option<Flight> {
        match &self.link {
            Link::Up(Up { task: Task::Flight(flight), .. }) => Some(*flight),
            _ => None,
        }
    }

    /// The message in flight got further; a stop's own deadline is not moved by that.
    fn reach(&mut self, now: Tick, stage: Stage) {
        let (until, stopping) = (now.after(self.settings.answer), self.stopping);
        if let Some(flight) = self.flight_mut() {
            flight.stage = stage;
            flight.until = if stopping { flight.until.min(until) } else { until };
        }
    }

    fn flight_mut(&mut self) -> Option<&mut Flight> {
        match &mut self.link {
            Link::Up(Up { task: Task::Flight(flight), .. }) => Some(flight),
            _ => None,
        }
    }

    fn flight_is_unknown(&mut self, now: Tick) {
        if let Some(flight) = self.flight()
            && self.unknown.insert(flight.number)
        {
            self.error(now, Note::OutcomeUnknown(flight.number));
        }
    }

    fn paused_until(&self) -> Option<Tick> {
        match &self.link {
            Link::Up(Up { task: Task::Pause { until, .. }, .. }) => Some(*until),
            _ => None,
        }
    }

    fn set_task(&mut self, task: Task) {
        if let Link::Up(up) = &mut self.link {
            up.task = task;
        }
    }

    fn note(&mut self, note: Note) {
        self.outputs.push_back(Output::Note(note));
    }

    /// A note that stays visible in the status.
    fn error(&mut self, now: Tick, note: Note) {
        self.last_error = Some((now, note.clone()));
        self.note(note);
    }
}

#[cfg(test)]
mod tests;
