//! The gateway's end of a line on which a device prints.
//!
//! Promises: a bedside line that fits stands until the next of its kind; a result is stored whole, one at a time, and answered
//! only when it is on flash; what fits nothing is told with its place. A device that must be asked is asked for ever, and one
//! that fell silent is forgotten. Leaves out what lines mean.

use crate::frame::{Damage, Deframer, Heard};
use crate::plan::{Feed, Plan};
use crate::seen::{Seen, Unfit};
use orugate_driver::text::{Escapes, Text};
use orugate_driver::time::Tick;
use orugate_driver::{
    Channel, Deadline, Input, MessageEnd, Outbox, Output, Reason, Session, State, Ticket, TrafficFault,
};
use std::collections::VecDeque;

/// A session.
pub(crate) struct LinesSession {
    plan: &'static Plan,
    out: Outbox,
    deframer: Deframer,
    channel: Option<Channel>,
    stopping: bool,
    /// When the device is asked next.
    ask_at: Option<Tick>,
    /// When a bedside device that spoke is taken for silent; before it spoke there is none.
    silent_at: Option<Tick>,
    /// When a unit without an end ends.
    quiet_at: Option<Tick>,
    /// A result that is being stored.
    ticket: Option<Ticket>,
    /// What came while it was.
    held: VecDeque<u8>,
    /// The serial number of the device that speaks.
    serial: Vec<u8>,
    /// What was taken last of each kind of line.
    taken: Vec<Option<(Vec<u8>, Option<u32>)>>,
}

impl LinesSession {
    pub(crate) fn new(plan: &'static Plan) -> Self {
        Self {
            plan,
            out: Outbox::default(),
            deframer: Deframer::new(plan.framing.clone()),
            channel: None,
            stopping: false,
            ask_at: None,
            silent_at: None,
            quiet_at: None,
            ticket: None,
            held: VecDeque::new(),
            serial: Vec::new(),
            taken: vec![None; plan.lines.len()],
        }
    }

    fn opened(&mut self, now: Tick, channel: Channel) {
        if let Some(old) = self.channel.replace(channel) {
            self.end_of_channel();
            self.out.close(old, Reason::Finished);
        }
        if self.plan.feed != Feed::Results {
            self.out.state(State::Connecting);
        }
        self.ask(now);
    }

    fn ask(&mut self, now: Tick) {
        let (Some(poll), Some(channel), false) = (&self.plan.poll, self.channel, self.stopping) else {
            return;
        };
        self.out.send(channel, poll.send.clone());
        self.ask_at = Some(now.after(poll.retry));
    }

    fn bytes(&mut self, now: Tick, bytes: &[u8]) {
        self.held.extend(bytes);
        self.pump(now);
    }

    /// Takes what is held, until a result is to be stored.
    fn pump(&mut self, now: Tick) {
        let results = self.plan.feed == Feed::Results;
        while self.ticket.is_none() {
            let Some(byte) = self.held.pop_front() else { break };
            let heard = match self.deframer.byte(byte) {
                Some(Heard::Unit { at, raw }) => Some((at, raw.to_vec(), None)),
                Some(Heard::Damage { at, what, raw }) => Some((at, raw.to_vec(), Some(what))),
                None => None,
            };
            match heard {
                Some((at, raw, None)) => self.unit(now, at, raw),
                // Who waits for an answer sends it again; what came of any other result is the only copy.
                Some((at, _, Some(what @ (Damage::Check(..) | Damage::NoCheck))))
                    if results
                        && self.plan.reply.as_ref().is_some_and(|(_, refused)| !refused.is_empty()) =>
                {
                    damage(&mut self.out, at, what);
                    self.reply(false);
                }
                Some((at, raw, Some(what))) if results && !raw.is_empty() => {
                    self.out.say(incomplete(what), what == Damage::Long, at);
                    self.ticket = Some(self.out.store(raw, true, Some(MessageEnd::Incomplete)));
                }
                Some((at, _, Some(what))) => damage(&mut self.out, at, what),
                None => {}
            }
        }
        self.quiet_at = (results && self.deframer.is_open()).then(|| now.after(self.plan.quiet));
    }

    fn unit(&mut self, now: Tick, at: u64, raw: Vec<u8>) {
        let plan = self.plan;
        let text = raw.get(plan.framing.text(&raw)).unwrap_or_default();
        if plan.feed != Feed::Results && Text::new(text, plan.charset, Escapes::None).undecodable().is_some()
        {
            let sentence = "a line has bytes that the profile's charset does not have; it was thrown away. If there are many, compare \
                            rate, parity and data bits with the device's own settings";
            return self.out.say(sentence, true, at);
        }
        let seen = match Seen::of(plan, text) {
            Ok(seen) if seen.line.skip => return,
            Ok(seen) => Some(seen),
            Err(Unfit::Count { said, found }) => {
                let sentence = "a line has another number of values than it says; it was thrown away";
                let what = TrafficFault { sentence, expected: Some(said), found: Some(found) };
                if plan.feed == Feed::Results {
                    self.out.note(what, false, at);
                    None
                } else {
                    return self.out.note(what, true, at);
                }
            }
            Err(Unfit::NoPattern) if plan.feed == Feed::Results => {
                self.out.say("a message fits no pattern of the profile; it is kept for a person", false, at);
                None
            }
            Err(Unfit::NoPattern) => {
                return self.out.say("a line fits no pattern of the profile; it was thrown away", true, at);
            }
        };
        match (plan.feed, seen) {
            (Feed::Results, _) => self.ticket = Some(self.out.store(raw, true, Some(MessageEnd::Complete))),
            (Feed::Bedside { .. }, Some(seen)) if seen.time_is_damaged() => {
                self.out.say("a line's time cannot be read; it was thrown away", true, at);
            }
            (Feed::Bedside { stale_after }, Some(seen)) => {
                let serial = seen.serial().and_then(|place| seen.text.get(place)).map(<[u8]>::to_vec);
                let (number, taken) = (seen.number, seen.taken());
                let Some(channel) = self.channel else { return };
                if let Some(serial) = serial
                    && serial != self.serial
                {
                    if !self.serial.is_empty() {
                        self.forget(channel);
                    }
                    self.serial = serial;
                }
                if self.silent_at.is_none() {
                    self.out.state(State::Talking);
                }
                self.silent_at = Some(now.after(stale_after));
                if let Some(poll) = &plan.poll {
                    self.ask_at = Some(now.after(poll.every));
                }
                self.out.current(channel, Plan::slot(number), &*raw);
                if let (Some(now_taken), Some(last)) = (taken, self.taken.get_mut(number)) {
                    let new = last.as_ref().is_none_or(|(values, age)| {
                        let younger = matches!((age, now_taken.1), (Some(old), Some(new)) if new < *old);
                        *values != now_taken.0 || younger
                    });
                    *last = Some(now_taken);
                    if new {
                        self.out.taken(channel, &*raw);
                    }
                }
            }
            (Feed::Bedside { .. }, None) => {}
        }
    }

    /// Another device, or none any more.
    fn forget(&mut self, channel: Channel) {
        self.out.forget_all(channel);
        self.taken.fill(None);
    }

    fn end_of_channel(&mut self) {
        let open = self.deframer.take_open();
        if let Some((at, raw)) = open {
            if self.plan.feed == Feed::Results && self.ticket.is_none() {
                self.out.say("the line ended in the middle of a message; it is incomplete", false, at);
                self.ticket = Some(self.out.store(raw, true, Some(MessageEnd::Incomplete)));
            } else {
                damage(&mut self.out, at, Damage::Cut);
            }
        }
        self.deframer = Deframer::new(self.plan.framing.clone());
        (self.ask_at, self.silent_at, self.quiet_at) = (None, None, None);
        self.taken.fill(None);
        self.serial.clear();
    }

    fn due(&mut self, now: Tick) {
        if self.quiet_at.is_some_and(|at| at <= now) {
            self.quiet_at = None;
            if let Some((at, raw)) = self.deframer.take_open() {
                self.out.say("a message has no end; what came of it is kept as incomplete", false, at);
                self.ticket = Some(self.out.store(raw, true, Some(MessageEnd::Incomplete)));
            }
        }
        if self.silent_at.is_some_and(|at| at <= now) {
            self.silent_at = None;
            self.out.say("the device fell silent", false, self.deframer.offset);
            if let Some(channel) = self.channel {
                self.forget(channel);
            }
            self.out.state(State::Silent);
        }
        if self.ask_at.is_some_and(|at| at <= now) {
            self.ask(now);
        }
    }

    fn reply(&mut self, stored: bool) {
        let (Some((good, bad)), Some(channel)) = (&self.plan.reply, self.channel) else { return };
        let reply = if stored { good } else { bad };
        if !reply.is_empty() {
            self.out.send(channel, reply.clone());
        }
    }

    fn deadline(&self) -> Option<Deadline> {
        [
            (self.ask_at, "the next question"),
            (self.silent_at, "the device's next line"),
            (self.quiet_at, "the end of a message"),
        ]
        .into_iter()
        .filter_map(|(at, why)| Some(Deadline { at: at?, why }))
        .min_by_key(|deadline| deadline.at)
    }
}

impl Session for LinesSession {
    fn handle(&mut self, now: Tick, input: Input<'_>) {
        match input {
            Input::Opened(channel, _) => self.opened(now, channel),
            Input::Bytes(channel, bytes) if self.channel == Some(channel) => self.bytes(now, bytes),
            Input::Closed(channel) if self.channel == Some(channel) => {
                self.pump(now);
                self.end_of_channel();
                self.channel = None;
            }
            Input::Deadline => self.due(now),
            Input::Stored(stored) if self.ticket == Some(stored.ticket()) => {
                self.ticket = None;
                self.reply(true);
                self.pump(now);
            }
            Input::Refused(ticket) if self.ticket == Some(ticket) => {
                self.ticket = None;
                self.out.say("a message could not be stored; have it sent again", true, self.deframer.offset);
                self.reply(false);
                self.pump(now);
            }
            Input::Stop => self.stopping = true,
            _ => {}
        }
    }

    fn poll(&mut self) -> Output<'_> {
        if self.out.is_empty() {
            let idle = self.ticket.is_none() && (!self.deframer.is_open() || self.plan.feed != Feed::Results);
            return if self.stopping && idle { Output::Done } else { Output::Wait(self.deadline()) };
        }
        self.out.next().unwrap_or(Output::Wait(None))
    }
}

/// Why a result is incomplete.
const fn incomplete(what: Damage) -> &'static str {
    match what {
        Damage::Long => "a message does not end within what is taken; its begin is kept as incomplete",
        Damage::Check(..) | Damage::NoCheck => "a message's checksum is wrong; it is kept for a person",
        Damage::Broken | Damage::Cut | Damage::Stray(_) => {
            "a message was broken off by the next one; what came of it is kept as incomplete"
        }
    }
}

/// Tells a damage: where it began, and whether data was lost by it.
fn damage(out: &mut Outbox, at: u64, what: Damage) {
    let plain = |sentence| TrafficFault { sentence, expected: None, found: None };
    let (what, lost) = match what {
        Damage::Check(expected, found) => (
            TrafficFault {
                sentence: "a message's checksum is wrong; it was thrown away",
                expected: Some(expected.into()),
                found: Some(found.into()),
            },
            true,
        ),
        Damage::NoCheck => (plain("a message's checksum is no number; it was thrown away"), true),
        Damage::Long => (plain("a message does not end within what is taken; it was thrown away"), true),
        Damage::Broken => (plain("a message was broken off by the next one"), true),
        Damage::Cut => (plain("the line ended in the middle of a message"), true),
        Damage::Stray(count) => (
            TrafficFault {
                sentence: "bytes between messages were ignored",
                expected: None,
                found: Some(count),
            },
            false,
        ),
    };
    out.note(what, lost, at);
}
