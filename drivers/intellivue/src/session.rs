//! A client's end of an association with one monitor, over whatever [`Line`].
//!
//! Promises a new association by itself, for ever, whatever became of the last; that each create event is confirmed, also when it
//! comes again; that what is kept is whole, sound and newer than what it replaces; and that a stop releases the association.
//! Leaves out when which poll goes out ([`Talk`]), and what values mean.

use crate::civil::seconds;
use crate::frame::Frames;
use crate::gather::{Answer, Came as Piece, Gather, Key, Outcome};
use crate::held::Held;
use crate::line::{Came, File, Line};
use crate::pdu::{
    ACTION, ALERTS, Association, Attributes, CREATED, DEMOGRAPHICS, EVENT, EVENT_ALONE, Event, MDS, NUMERIC,
    Part, Pdu, Reply, alone, parse,
};
use crate::request::{EACH_12_SECONDS, EACH_SECOND, SECOND, Terms, associate, confirm, poll, release, terms};
use crate::slots;
use crate::talk::{Talk, Wish};
use crate::units::plain;
use crate::value::{id, time};
use crate::whose::Whose;
use orugate_driver::time::Tick;
use orugate_driver::{
    Channel, Deadline, Input, Outbox, Output, Peer, Reason, Session, Slot, State, TrafficFault,
};
use std::time::Duration;

/// What a profile says of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Over UDP; else over the serial port.
    pub(crate) datagrams: bool,
    /// Averages of 12 seconds instead of values of each second.
    pub(crate) averages: bool,
    /// Ask for the patient's id.
    pub(crate) patient: bool,
}

impl Settings {
    /// What the monitor is asked for.
    pub(crate) const fn terms(self) -> Terms {
        // A datagram of the classic LAN, and a frame of the serial port.
        let most = if self.datagrams { 1364 } else { 1000 };
        let (period, extension) =
            if self.averages { (12 * SECOND, EACH_12_SECONDS) } else { (SECOND, EACH_SECOND) };
        Terms { period, receives: most, sends: most, extension }
    }
}

#[derive(Debug)]
enum Phase {
    /// There is no channel.
    Closed,
    /// The monitor said no, or goodbye: it is left alone for a while.
    Resting {
        until: Tick,
    },
    /// An association is asked for.
    Asking {
        /// Requests that went out.
        tries: u32,
        next: Tick,
    },
    /// It is granted; the monitor will tell of it.
    Granted {
        terms: Terms,
        until: Tick,
    },
    Talking(Box<Talk>),
    /// The release went out.
    Leaving {
        next: Tick,
        until: Tick,
    },
}

/// The session.
#[derive(Debug)]
pub(crate) struct IntellivueSession {
    settings: Settings,
    out: Outbox,
    line: Line,
    channel: Option<Channel>,
    /// The bytes come from a file: nobody hears what is said.
    capture: bool,
    phase: Phase,
    /// Refusals since the last association.
    refusals: u32,
    /// The monitor talks to somebody whom it takes for us: an association is left over from before.
    leftover: bool,
    gather: Gather,
    held: Held,
    whose: Whose,
    /// The monitor's clock and its relative time, as it last told both.
    clock: Option<(i64, u32)>,
    /// The event by which the monitor told of the association, once it did.
    created: Option<Vec<u8>>,
    /// Where the unit that is being heard began.
    at: u64,
    stopping: bool,
}

/// Between two requests for an association.
const ASK: Duration = Duration::from_secs(2);
const ASK_MOST: Duration = Duration::from_secs(10);
/// Rests after refusals: 5, 10, 20, 40, 60 seconds.
const REST: Duration = Duration::from_secs(5);
const REST_MOST: Duration = Duration::from_secs(60);
/// The monitor tells of a granted association at once, and again each three seconds. One that does not is asked all the same.
const TELLS: Duration = Duration::from_secs(4);
const LEAVE: Duration = Duration::from_secs(1);
const LEAVE_MOST: Duration = Duration::from_secs(3);
/// How far a monitor's clock may go from its relative time before somebody has set it, in seconds.
const SET: u64 = 5;

impl IntellivueSession {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            out: Outbox::default(),
            line: Line::Datagrams { seen: 0 },
            channel: None,
            capture: false,
            phase: Phase::Closed,
            refusals: 0,
            leftover: false,
            gather: Gather::default(),
            held: Held::default(),
            whose: Whose::default(),
            clock: None,
            created: None,
            at: 0,
            stopping: false,
        }
    }

    fn opened(&mut self, now: Tick, channel: Channel, peer: Peer) {
        if let Some(old) = self.channel {
            self.forget();
            self.out.close(old, Reason::Finished);
        }
        self.channel = Some(channel);
        self.capture = peer == Peer::Capture;
        self.line = match (self.settings.datagrams, peer) {
            (true, Peer::Capture) => Line::File(File::default()),
            (true, _) => Line::Datagrams { seen: 0 },
            (false, _) => Line::Frames(Frames::default()),
        };
        self.phase = Phase::Asking { tries: 0, next: now };
        self.out.state(State::Connecting);
        self.wake(now);
    }

    fn closed(&mut self) {
        let mut came = Vec::new();
        self.line.cut(|bad| {
            if let Came::Bad { what, lost, at } = bad {
                came.push((what, lost, at));
            }
        });
        for (what, lost, at) in came {
            self.out.say(what, lost, at);
        }
        self.forget();
        self.channel = None;
        self.phase = Phase::Closed;
    }

    /// Nothing holds any more.
    fn forget(&mut self) {
        let broken = self.gather.clear();
        self.broken(broken);
        self.clock = None;
        self.created = None;
        self.forget_kept();
    }

    /// Nothing that was given holds any more, but the association does.
    fn forget_kept(&mut self) {
        self.held.forget();
        self.whose = Whose::default();
        if let Some(channel) = self.channel {
            self.out.forget_all(channel);
        }
    }

    /// This is how it stands.
    fn current(&mut self, slot: Slot, answer: Vec<u8>) {
        if let Some(channel) = self.channel {
            self.out.current(channel, slot, answer);
        }
    }

    /// Who is measured, by which monitor, and whether it is somebody: when that is another than before, what stands is somebody
    /// else's and goes first.
    fn identity(&mut self, now: Tick, whose: Whose) {
        let other = |before: &Option<Vec<u8>>, after: &Option<Vec<u8>>| {
            before.is_some() && after.is_some() && before != after
        };
        let changed = other(&self.whose.patient, &whose.patient)
            || other(&self.whose.bed, &whose.bed)
            || other(&self.whose.serial, &whose.serial)
            || other(&self.whose.mode, &whose.mode);
        if changed {
            self.forget_kept();
            if let Phase::Talking(talk) = &mut self.phase {
                talk.again(now);
            }
        }
        self.whose = Whose {
            patient: whose.patient.or(self.whose.patient.take()),
            bed: whose.bed.or(self.whose.bed.take()),
            serial: whose.serial.or(self.whose.serial.take()),
            mode: whose.mode.or(self.whose.mode.take()),
        };
    }

    fn bytes(&mut self, now: Tick, bytes: &[u8]) {
        let mut units = Vec::new();
        let mut line = std::mem::replace(&mut self.line, Line::Datagrams { seen: 0 });
        line.feed(bytes, |came| {
            units.push(match came {
                Came::Unit { raw, data, at } => Ok((raw.to_vec(), data.to_vec(), at)),
                Came::Bad { what, lost, at } => Err((what, lost, at)),
            });
        });
        self.line = line;
        for unit in units {
            match unit {
                Ok((raw, data, at)) => {
                    self.at = at;
                    self.unit(now, &raw, &data);
                }
                Err((what, lost, at)) => self.out.say(what, lost, at),
            }
        }
        self.wake(now);
    }

    fn unit(&mut self, now: Tick, raw: &[u8], data: &[u8]) {
        let Some((pdu, used)) = alone(data) else {
            self.out.say("a frame holds no unit of data export", true, self.at);
            return;
        };
        if used != data.len() {
            self.out.say("bytes stand behind the unit of a frame", true, self.at);
        }
        if let Phase::Talking(talk) = &mut self.phase {
            talk.heard(now);
        }
        match pdu {
            Pdu::Association(kind, body) => self.association(now, kind, body),
            Pdu::Invoke { invoke, command: EVENT, body } => self.event(now, Some(invoke), body, raw),
            Pdu::Invoke { command: EVENT_ALONE, body, .. } => self.event(now, None, body, raw),
            Pdu::Result { command: ACTION, body, .. } => self.reply(now, None, body, raw),
            Pdu::Linked { part, command: ACTION, body, .. } => self.reply(now, Some(part), body, raw),
            Pdu::Error { invoke, code } => self.error(now, invoke, code),
            // Answers to what is never asked here, and what only a server is asked.
            Pdu::Result { .. } | Pdu::Linked { .. } | Pdu::Invoke { .. } => {}
        }
    }

    fn association(&mut self, now: Tick, kind: Association, body: &[u8]) {
        match (kind, &self.phase) {
            (Association::Accept, Phase::Asking { .. }) => {
                if self.capture {
                    self.forget();
                    return;
                }
                let terms = terms(body).unwrap_or_else(|| {
                    let sentence =
                        "the monitor accepts on terms that cannot be read; they are taken for ours";
                    self.out.say(sentence, false, self.at);
                    self.settings.terms()
                });
                self.phase = Phase::Granted { terms, until: now.after(TELLS) };
            }
            (Association::Refuse, Phase::Asking { .. }) => self.refused(
                now,
                "the monitor refuses the association: another client may have its only one; it is asked again later",
                "another client may have its only association",
            ),
            // It is what a monitor says that gives up an association, and what one says that wants none; the second time it is.
            (Association::Abort, Phase::Asking { tries: 2.., .. }) if !self.capture => self.refused(
                now,
                "the monitor breaks each association off before it is granted: does it allow data export, and to this box?",
                "it breaks each association off before it is granted",
            ),
            (_, Phase::Leaving { .. }) => {
                if matches!(kind, Association::Released | Association::Abort | Association::Release) {
                    self.phase = Phase::Closed;
                }
            }
            (Association::Released, Phase::Asking { .. }) => {
                self.phase = Phase::Asking { tries: 0, next: now };
            }
            (Association::Release, _) => {
                self.say(release(Association::Released));
                self.ended(now, "the monitor ended the association");
            }
            (Association::Abort, Phase::Asking { .. }) if !self.capture => {
                self.phase = Phase::Asking { tries: 1, next: now.after(ASK) };
            }
            (Association::Abort | Association::Released, _) => {
                self.ended(now, "the monitor broke the association off");
            }
            (Association::Accept | Association::Refuse | Association::Request, _) => {}
        }
    }

    /// The monitor does not want an association.
    fn refused(&mut self, now: Tick, sentence: &'static str, why: &'static str) {
        let rest = backed_off(REST, self.refusals, REST_MOST);
        self.refusals = self.refusals.saturating_add(1);
        self.out.say(sentence, false, self.at);
        self.out.state(State::Refused(why));
        self.phase = Phase::Resting { until: now.after(rest) };
    }

    /// The association is over, not by us.
    fn ended(&mut self, now: Tick, sentence: &'static str) {
        self.out.say(sentence, true, self.at);
        self.forget();
        self.out.state(State::Connecting);
        if !self.capture && self.channel.is_some() {
            let rest = backed_off(ASK, self.refusals, REST_MOST);
            self.refusals = self.refusals.saturating_add(1);
            self.phase = Phase::Resting { until: now.after(rest) };
        }
    }

    /// `invoke`: it wants to be confirmed by this number.
    fn event(&mut self, now: Tick, invoke: Option<u16>, body: &[u8], raw: &[u8]) {
        let Some(event) = Event::read(body).filter(|event| event.kind == CREATED) else { return };
        if let Some(invoke) = invoke {
            // Without this the monitor tells it again, and at last gives the association up.
            self.say(confirm(invoke, &event));
        }
        let terms = match &self.phase {
            _ if self.created.is_some() => return,
            Phase::Granted { terms, .. } => *terms,
            // An accept that was lost on the way is as good as one that came, and so is what was taken for granted without this.
            Phase::Asking { .. } | Phase::Talking(_) => self.settings.terms(),
            Phase::Closed | Phase::Resting { .. } | Phase::Leaving { .. } => return,
        };
        self.created = Some(raw.to_vec());
        if let Some(attributes) = event.attributes() {
            self.identity(now, Whose::of_monitor(attributes));
        }
        self.current(slots::CREATED, raw.to_vec());
        self.begin(now, terms);
    }

    /// The association is there.
    fn begin(&mut self, now: Tick, terms: Terms) {
        self.out.state(State::Talking);
        if !self.capture {
            self.refusals = 0;
            let asked = self.settings.terms();
            let period = terms.period.max(asked.period);
            let extended = terms.extension & asked.extension != 0;
            self.phase = Phase::Talking(Box::new(Talk::new(now, period, extended, self.settings.patient)));
        }
    }

    fn reply(&mut self, now: Tick, part: Option<Part>, body: &[u8], raw: &[u8]) {
        match &mut self.phase {
            Phase::Talking(_) => {}
            _ if self.capture => {}
            Phase::Asking { .. } => {
                self.leftover = true;
                return;
            }
            Phase::Resting { until } => {
                // It refuses us because of us.
                self.leftover = true;
                *until = (*until).min(now.after(ASK));
                return;
            }
            _ => return,
        }
        let Some(reply) = Reply::read(body).filter(Reply::is_sound) else {
            self.out.say("an answer's list cannot be read to its end", true, self.at);
            return;
        };
        // Waves come when somebody else asked for them.
        if !matches!(reply.class, NUMERIC | MDS | DEMOGRAPHICS | ALERTS) {
            return;
        }
        let piece = Piece { key: Key::of(&reply), part, full: !reply.is_empty(), raw };
        let outcome = self.gather.part(now, self.line.is_ordered(), &piece);
        self.outcome(now, outcome);
    }

    fn outcome(&mut self, now: Tick, outcome: Outcome) {
        self.broken(outcome.broken);
        if let Some(answer) = outcome.answer {
            match answer.key.class {
                NUMERIC => self.numerics(now, answer),
                MDS => self.monitor(now, answer),
                ALERTS => self.current(slots::ALERTS, answer.raw),
                _ => {
                    if let Some(whose) = of_answer(&answer, Whose::of_patient) {
                        self.identity(now, whose);
                    }
                    self.current(slots::PATIENT, answer.raw);
                }
            }
        }
    }

    fn broken(&mut self, answers: usize) {
        for _ in 0..answers {
            self.out.say("an answer came in parts, and not all of them arrived", true, self.at);
        }
    }

    fn numerics(&mut self, now: Tick, answer: Answer) {
        let mut verdict = self.held.take(&answer);
        if verdict.late {
            return;
        }
        if verdict.hollow {
            self.out.say("an answer lists nothing: its parts may be lost", true, self.at);
            return;
        }
        if verdict.restarted || verdict.demo {
            if verdict.restarted {
                self.out.say("the monitor's own time went back: it started again", false, self.at);
            }
            self.forget_kept();
            let taken = verdict.taken;
            verdict = self.held.take(&answer);
            verdict.taken |= taken;
            if let Phase::Talking(talk) = &mut self.phase {
                talk.again(now);
            }
        }
        if let Phase::Talking(talk) = &mut self.phase {
            if talk.numerics(now, answer.key.poll) && !self.whose.is_standby() {
                self.out.state(State::Talking);
            }
            if verdict.labels {
                talk.labels_came(now);
            } else if verdict.unlabelled {
                talk.labels_missing(now);
            }
        }
        let Some(channel) = self.channel else { return };
        if verdict.labels {
            self.out.current(channel, slots::LABELS, answer.raw.clone());
        }
        if verdict.taken {
            self.out.taken(channel, answer.raw.clone());
        }
        self.out.current(channel, slots::NUMERICS, answer.raw);
    }

    fn monitor(&mut self, now: Tick, answer: Answer) {
        let shown = of_answer(&answer, |attributes| attributes.find(id::CLOCK)?.first_chunk::<8>().copied());
        if let Some(shown) = shown.as_ref().and_then(|shown| time(shown)).map(seconds)
            && let Some((before, relative)) = self.clock.replace((shown, answer.key.relative))
        {
            let passed =
                i64::from(answer.key.relative.wrapping_sub(relative).checked_div(SECOND).unwrap_or(0));
            if shown.saturating_sub(before).abs_diff(passed) > SET {
                self.out.say("somebody set the monitor's clock", false, self.at);
            }
        }
        if let Some(whose) = of_answer(&answer, |attributes| Some(Whose::of_monitor(attributes))) {
            let (before, after) = (self.whose.is_standby(), whose.is_standby());
            self.identity(now, whose);
            if before != after {
                self.out.state(if after { State::Standby } else { State::Talking });
            }
        }
        match &self.created {
            // It says nothing of itself but in the event, which holds as long as the association.
            Some(created) if of_answer(&answer, |_| Some(())).is_none() => {
                let created = created.clone();
                self.current(slots::CREATED, created);
            }
            _ => self.current(slots::MONITOR, answer.raw),
        }
    }

    fn error(&mut self, now: Tick, invoke: u16, code: u16) {
        let Phase::Talking(talk) = &mut self.phase else { return };
        let wish = talk.refused(now, invoke, code);
        if wish.is_none() {
            let sentence = "the monitor refuses what was asked, with this code";
            let what = TrafficFault { sentence, expected: None, found: Some(code.into()) };
            self.out.note(what, false, self.at);
        }
        self.tell(wish);
    }

    fn tell(&mut self, wish: Option<Wish>) {
        if wish == Some(Wish::Singly) {
            let sentence = "the monitor gives no numerics by itself: each answer is asked for";
            self.out.say(sentence, false, self.at);
        }
    }

    /// Says a unit to the monitor.
    fn say(&mut self, unit: Vec<u8>) {
        if let Some(channel) = self.channel
            && !self.capture
        {
            let dressed = self.line.dress(unit);
            self.out.send(channel, dressed);
        }
    }

    /// Does what is due.
    fn wake(&mut self, now: Tick) {
        loop {
            let outcome = self.gather.due(now);
            if outcome.answer.is_none() && outcome.broken == 0 {
                break;
            }
            self.outcome(now, outcome);
        }
        if self.capture {
            return;
        }
        match &mut self.phase {
            Phase::Closed => {}
            Phase::Resting { until } if *until <= now => {
                self.phase = Phase::Asking { tries: 0, next: now };
                self.wake(now);
            }
            Phase::Asking { tries, next } if *next <= now => {
                let (asked, left) = (*tries, std::mem::take(&mut self.leftover));
                *next = now.after(backed_off(ASK, asked.saturating_sub(4), ASK_MOST));
                *tries = asked.saturating_add(1);
                if asked == 5 {
                    let sentence =
                        "the monitor does not answer: is it on, connected, and is data export allowed in it?";
                    self.out.say(sentence, false, self.at);
                }
                if left {
                    self.say(release(Association::Release));
                }
                self.say(associate(self.settings.terms()));
            }
            Phase::Granted { terms, until } if *until <= now => {
                let terms = *terms;
                let sentence =
                    "the monitor granted an association and told nothing of it; it is asked all the same";
                self.out.say(sentence, false, self.at);
                self.begin(now, terms);
                self.talk(now);
            }
            Phase::Leaving { until, .. } if *until <= now => self.phase = Phase::Closed,
            Phase::Leaving { next, .. } if *next <= now => {
                *next = now.after(LEAVE);
                self.say(release(Association::Release));
            }
            Phase::Talking(_) => self.talk(now),
            Phase::Resting { .. } | Phase::Asking { .. } | Phase::Granted { .. } | Phase::Leaving { .. } => {}
        }
    }

    fn talk(&mut self, now: Tick) {
        while let Phase::Talking(talk) = &mut self.phase
            && let Some(wish) = talk.next(now)
        {
            match wish {
                Wish::Poll(asked) => self.say(poll(asked)),
                Wish::Singly => self.tell(Some(wish)),
                Wish::NoNumerics => {
                    self.out.say("no numerics came for too long", true, self.at);
                    if let Some(channel) = self.channel {
                        // Labels without values would be taken for values.
                        self.out.forget(channel, slots::LABELS);
                        self.out.forget(channel, slots::NUMERICS);
                    }
                    self.held.forget_labels();
                    if !self.whose.is_standby() {
                        self.out.state(State::Refused("it holds the association, but gives no numerics"));
                    }
                }
                Wish::Lost => {
                    self.out.say("the monitor says nothing any more", true, self.at);
                    self.forget();
                    self.out.state(State::Silent);
                    self.leftover = true;
                    self.phase = Phase::Asking { tries: 0, next: now };
                    self.wake(now);
                }
            }
        }
    }

    fn stop(&mut self, now: Tick) {
        self.stopping = true;
        let associated = match &self.phase {
            Phase::Granted { .. } | Phase::Talking(_) => true,
            // A request may be granted yet.
            Phase::Asking { tries, .. } => *tries > 0,
            Phase::Closed | Phase::Resting { .. } | Phase::Leaving { .. } => false,
        };
        if associated && !self.capture {
            self.say(release(Association::Release));
            self.phase = Phase::Leaving { next: now.after(LEAVE), until: now.after(LEAVE_MOST) };
        } else if !matches!(self.phase, Phase::Leaving { .. }) {
            self.phase = Phase::Closed;
        }
    }

    fn deadline(&self) -> Option<Deadline> {
        let (at, why) = match &self.phase {
            _ if self.capture => (None, ""),
            Phase::Closed => (None, ""),
            Phase::Resting { until } => (Some(*until), "until the monitor is asked again"),
            Phase::Asking { next, .. } => (Some(*next), "for the monitor to answer"),
            Phase::Granted { until, .. } => (Some(*until), "for the monitor to tell of the association"),
            Phase::Talking(talk) => {
                let (at, why) = talk.deadline();
                (Some(at), why)
            }
            Phase::Leaving { next, until } => (Some((*next).min(*until)), "for the monitor to release"),
        };
        let parts = self.gather.deadline();
        match (at, parts) {
            (Some(at), Some(parts)) if parts < at => {
                Some(Deadline { at: parts, why: "for the parts of an answer" })
            }
            (Some(at), _) => Some(Deadline { at, why }),
            (None, parts) => parts.map(|at| Deadline { at, why: "for the parts of an answer" }),
        }
    }
}

/// A wait that doubles with each time in vain.
fn backed_off(first: Duration, times: u32, most: Duration) -> Duration {
    first.saturating_mul(1u32.checked_shl(times.min(8)).unwrap_or(1)).min(most)
}

/// What the attributes of an answer's object say.
fn of_answer<T>(answer: &Answer, said: impl Fn(Attributes<'_>) -> Option<T>) -> Option<T> {
    plain(&answer.raw).iter().find_map(|unit| {
        let (Pdu::Result { body, .. } | Pdu::Linked { body, .. }, _) = parse(unit)? else { return None };
        Reply::read(body)?.objects().find_map(|object| said(object.attributes))
    })
}

impl Session for IntellivueSession {
    fn handle(&mut self, now: Tick, input: Input<'_>) {
        match input {
            Input::Opened(channel, peer) => self.opened(now, channel, peer),
            Input::Bytes(channel, bytes) if self.channel == Some(channel) => self.bytes(now, bytes),
            Input::Closed(channel) if self.channel == Some(channel) => self.closed(),
            Input::Deadline => self.wake(now),
            Input::Stop => self.stop(now),
            // Of a channel that another one took over from, or of a kind that this protocol does not have.
            _ => {}
        }
    }

    fn poll(&mut self) -> Output<'_> {
        let last = if self.stopping && matches!(self.phase, Phase::Closed) {
            Output::Done
        } else {
            Output::Wait(self.deadline())
        };
        self.out.next().unwrap_or(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_most() {
        let waits: Vec<u64> = (0..6).map(|n| backed_off(REST, n, REST_MOST).as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
        assert_eq!(backed_off(REST, u32::MAX, REST_MOST), REST_MOST);
    }
}
