//! The gateway's end of one line to a device.
//!
//! Promises: one command is open at a time and every command of the device is answered at once; a good response is kept in the
//! slot of its command, and a bad one never; what the device said is forgotten when it does not answer, begins anew, or ends
//! the communication. While nothing is asked, or an answer takes long, the device hears a NOP every two seconds, since three
//! seconds of silence are an alarm at the bedside; and so is a line that just ends, so [`Input::Stop`] tells the device and waits for its echo.
//! Leaves out what responses mean. Nothing here sets, silences or configures anything but which values the device answers.

use crate::data::{self, Identity, Records, Shape};
use crate::plan::Plan;
use crate::tables;
use crate::wire::{self, BadFrame, Event, Frame, Kind, Splitter};
use orugate_driver::time::Tick;
use orugate_driver::{
    Channel, Deadline, Input, Outbox, Output, Peer, Reason, Session, Slot, State as Shown, TrafficFault,
};
use orugate_protocol::ascii::NAK;
use std::collections::VecDeque;
use std::time::Duration;

pub(crate) const NOP: u8 = 0x30;
pub(crate) const TIME_CHANGED: u8 = 0x49;
pub(crate) const CONFIGURE: u8 = 0x4A;
pub(crate) const ICC: u8 = 0x51;
pub(crate) const IDENTIFY: u8 = 0x52;
pub(crate) const STOP: u8 = 0x55;
pub(crate) const CLOCK: u8 = 0x28;

/// Who we are. A device that sees the number 0161 asks for no data of ours.
pub(crate) const NAME: &[u8] = b"0161'Orugate'01.00:03.00";

/// The start of communication is repeated so often while nothing comes at all.
const SILENT_START: Duration = Duration::from_secs(3);
/// And so often while something comes that is no answer.
const BUSY_START: Duration = Duration::from_secs(10);
/// How long the device may take to ask who we are.
const NAME_WAIT: Duration = Duration::from_secs(1);
/// How long it needs then before it takes a configuration.
const SETTLE: Duration = Duration::from_millis(200);
/// For a response.
const ANSWER: Duration = Duration::from_secs(10);
/// Times that a command is repeated.
const REPEATS: u8 = 3;
/// The longest time in which we say nothing.
const IDLE: Duration = Duration::from_secs(2);
/// The longest pause that the device may ask for.
const PAUSE: Duration = Duration::from_secs(3);
/// How long a response may still take when we stop.
const LAST_ANSWER: Duration = Duration::from_secs(2);
/// For the echo of STOP, each of two times.
const ECHO: Duration = Duration::from_secs(3);
/// What is held back during a pause: one command and answers.
const HELD_MAX: usize = 4096;

pub(crate) struct MedibusSession {
    plan: &'static Plan,
    out: Outbox,
    /// Somebody hears what is sent.
    live: bool,
    channel: Option<Channel>,
    splitter: Splitter,
    state: State,
    pause: Option<Pause>,
    /// When anything was sent last.
    said: Tick,
    /// How it stands, as it was told last.
    shown: Option<Shown>,
    /// The last identification.
    identity: Vec<u8>,
    /// The last frames with values of the code pages 1 and 2, to see what was measured since.
    values: [Option<Vec<u8>>; 2],
}

/// Texts by which a device says that it measures nobody.
const STANDBY: [u8; 2] = [0x1E, 0x54];

enum State {
    /// There is no channel.
    Closed,
    /// The start of communication was sent.
    Starting(Starting),
    /// Device and gateway know of each other; the device may ask who we are.
    Naming {
        until: Tick,
    },
    Active(Active),
    Stopping(Stopping),
    /// The device was told, or there was none.
    Stopped,
}

struct Starting {
    sent: Tick,
    /// Something came since.
    heard: bool,
    /// The device asked who we are, inside of its answer.
    named: bool,
    /// That what came is no answer was said.
    told: bool,
}

struct Active {
    /// Comes before the poll goes on.
    ahead: VecDeque<Ask>,
    /// The next place in the poll.
    next: usize,
    /// When this round of it began.
    began: Tick,
    doing: Doing,
}

enum Doing {
    Waiting {
        ask: Ask,
        until: Tick,
        tries: u8,
    },
    /// Until the next round, or until the device must hear of us.
    Resting {
        until: Tick,
    },
}

enum Stopping {
    /// The last response is waited for.
    Answer { code: u8, until: Tick },
    /// The echo of STOP is.
    Echo { tries: u8, until: Tick },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Identify,
    /// By its place in the plan.
    Configure(usize),
    Poll(u8),
    Nop,
}

impl Ask {
    const fn code(self) -> u8 {
        match self {
            Self::Identify => IDENTIFY,
            Self::Configure(_) => CONFIGURE,
            Self::Poll(code) => code,
            Self::Nop => NOP,
        }
    }
}

/// The device asked us to be silent.
struct Pause {
    until: Tick,
    held: Vec<u8>,
}

impl MedibusSession {
    /// A session for a line.
    pub(crate) fn live(plan: &'static Plan) -> Self {
        Self::new(plan, true)
    }

    /// A session for a capture: it takes whatever the device said.
    pub(crate) fn capture(plan: &'static Plan) -> Self {
        Self::new(plan, false)
    }

    fn new(plan: &'static Plan, live: bool) -> Self {
        Self {
            plan,
            out: Outbox::default(),
            live,
            channel: None,
            splitter: Splitter::default(),
            state: State::Closed,
            pause: None,
            said: Tick::ZERO,
            shown: None,
            identity: Vec::new(),
            values: [None, None],
        }
    }

    fn opened(&mut self, now: Tick, channel: Channel, peer: Peer) {
        if matches!(self.state, State::Stopping(_) | State::Stopped) {
            return;
        }
        if let Some(old) = self.channel.replace(channel) {
            self.out.close(old, Reason::Finished);
        }
        self.let_go();
        self.live = self.live && peer != Peer::Capture;
        self.splitter = Splitter::default();
        self.pause = None;
        self.show(Shown::Connecting);
        self.start(now);
    }

    fn closed(&mut self) {
        self.channel = None;
        self.pause = None;
        self.let_go();
        let stopping = matches!(self.state, State::Stopping(_) | State::Stopped);
        self.state = if stopping { State::Stopped } else { State::Closed };
    }

    /// What was said before says nothing of what comes.
    fn let_go(&mut self) {
        self.identity.clear();
        self.values = [None, None];
    }

    /// The device is gone or began anew.
    fn forget_all(&mut self, shown: Shown) {
        self.let_go();
        if let Some(channel) = self.channel {
            self.out.forget_all(channel);
        }
        self.show(shown);
    }

    fn forget(&mut self, command: u8) {
        if let Some(channel) = self.channel {
            self.out.forget(channel, Slot(command.into()));
        }
    }

    fn show(&mut self, shown: Shown) {
        if self.shown != Some(shown) {
            self.shown = Some(shown);
            self.out.state(shown);
        }
    }

    /// Begins the communication from its start.
    fn start(&mut self, now: Tick) {
        self.state = State::Starting(Starting { sent: now, heard: false, named: false, told: false });
        self.send(now, &wire::command(ICC, &[]));
    }

    fn send(&mut self, now: Tick, bytes: &[u8]) {
        let Some(channel) = self.channel else { return };
        let Some(pause) = &mut self.pause else {
            self.said = now;
            return self.out.send(channel, bytes);
        };
        if pause.held.len().saturating_add(bytes.len()) <= HELD_MAX {
            pause.held.extend_from_slice(bytes);
        }
    }

    fn resume(&mut self, now: Tick) {
        if let (Some(pause), Some(channel)) = (self.pause.take(), self.channel)
            && !pause.held.is_empty()
        {
            self.said = now;
            self.out.send(channel, pause.held);
        }
    }

    fn bytes(&mut self, now: Tick, bytes: &[u8]) {
        for byte in bytes {
            // The realtime stream says nothing of whether anybody answers.
            if let (0..=0x7F, State::Starting(starting)) = (*byte, &mut self.state) {
                starting.heard = true;
            }
            let lost = match self.splitter.byte(*byte) {
                None => continue,
                Some(Event::Frame { bytes, offset }) => {
                    let bytes = bytes.to_vec();
                    self.frame(now, &bytes, offset);
                    continue;
                }
                Some(Event::Pause) => {
                    let held = self.pause.take().map(|pause| pause.held).unwrap_or_default();
                    self.pause = Some(Pause { until: now.after(PAUSE), held });
                    continue;
                }
                Some(Event::Resume) => {
                    self.resume(now);
                    continue;
                }
                Some(Event::Abort) => {
                    // All that was sent before has left; what waits must not.
                    if let Some(pause) = &mut self.pause {
                        pause.held.clear();
                    }
                    continue;
                }
                Some(Event::Stray { count, offset }) => {
                    let what = TrafficFault {
                        sentence: "bytes stand between two frames and belong to none",
                        expected: None,
                        found: Some(count),
                    };
                    self.out.note(what, false, offset);
                    continue;
                }
                Some(Event::Broken { kind, why, offset }) => (kind, why, offset),
            };
            let (kind, why, offset) = lost;
            let sentence = match (kind, why) {
                (Kind::Response, wire::Break::Another) => {
                    "a response has no end: another one began inside it"
                }
                (Kind::Response, wire::Break::TooLong) => "a response is longer than the protocol allows",
                (Kind::Command, wire::Break::Another) => {
                    "a command of the device has no end: another one began inside it"
                }
                (Kind::Command, wire::Break::TooLong) => {
                    "a command of the device is longer than the protocol allows"
                }
            };
            self.out.say(sentence, kind == Kind::Response, offset);
        }
    }

    fn frame(&mut self, now: Tick, bytes: &[u8], offset: u64) {
        match wire::open(bytes) {
            Ok(Frame { kind: Kind::Command, code, .. }) => self.command(now, code, offset),
            Ok(Frame { kind: Kind::Response, code, data }) => self.response(now, code, data, bytes, offset),
            Err(bad) => {
                let command = bytes.first() == Some(&wire::ESC);
                let (expected, found) = match bad {
                    BadFrame::Shape => (None, None),
                    BadFrame::Checksum { expected, found } => (Some(expected.into()), found.map(u32::from)),
                };
                let sentence = match (bad, command) {
                    (BadFrame::Shape, _) => "a frame is too short to be one",
                    (_, true) => "a command of the device has a wrong checksum and was refused",
                    (_, false) => "a response has a wrong checksum and was thrown away",
                };
                self.out.note(TrafficFault { sentence, expected, found }, !command, offset);
                if command {
                    self.send(now, &wire::response(NAK, &[]));
                } else {
                    self.again(now, offset, false);
                }
            }
        }
    }

    /// A command of the device: it is answered, always.
    fn command(&mut self, now: Tick, code: u8, offset: u64) {
        let name = if code == IDENTIFY { NAME } else { &[] };
        self.send(now, &wire::response(code, name));
        match (code, &mut self.state) {
            (ICC, State::Starting(_) | State::Naming { .. }) if self.live => {
                self.state = State::Naming { until: now.after(NAME_WAIT) };
            }
            (ICC, State::Active(_)) => {
                self.out.say("the device began the communication anew", false, offset);
                self.forget_all(Shown::Connecting);
                self.state = State::Naming { until: now.after(NAME_WAIT) };
            }
            (IDENTIFY, State::Starting(starting)) => starting.named = true,
            (IDENTIFY, State::Naming { until }) => *until = now.after(SETTLE),
            (STOP, State::Naming { .. } | State::Active(_)) => {
                self.out.say("the device ended the communication", false, offset);
                self.forget_all(Shown::Silent);
                // It begins again when it wants to, or when we do.
                self.state = State::Starting(Starting { sent: now, heard: false, named: false, told: false });
            }
            // A capture begins with what the device began with.
            (ICC | STOP, State::Starting(_)) if !self.live => self.forget_all(Shown::Connecting),
            (TIME_CHANGED, _) => {
                self.forget(CLOCK);
                if let State::Active(active) = &mut self.state
                    && self.plan.profile.poll.iter().any(|request| request.0 == CLOCK)
                {
                    active.ahead.push_front(Ask::Poll(CLOCK));
                    active.ahead.truncate(64);
                }
            }
            _ => {}
        }
    }

    fn response(&mut self, now: Tick, code: u8, data: &[u8], bytes: &[u8], offset: u64) {
        if code == NAK {
            self.out.say("the device could not read a command", false, offset);
            return self.again(now, offset, false);
        }
        let heard = !self.live || matches!(self.state, State::Active(_));
        if heard && (Shape::of(code).is_some() || matches!(code, CLOCK | IDENTIFY)) {
            if data::is_whole(code, data) {
                self.keep(code, data, bytes);
            } else if !data.is_empty() {
                let sentence = "a response with a right checksum has damaged records and was thrown away";
                let found = Some(code.into());
                self.out.note(TrafficFault { sentence, expected: None, found }, true, offset);
                if self.awaits(code) {
                    return self.again(now, offset, false);
                }
            }
            // A device that has no clock answers with nothing, and so it may.
        }
        match &self.state {
            State::Starting(starting) if code == ICC && self.live => {
                let wait = if starting.named { SETTLE } else { NAME_WAIT };
                self.state = State::Naming { until: now.after(wait) };
            }
            // Any other is late, or to nothing that was asked.
            State::Active(_) if self.awaits(code) => {
                if code == IDENTIFY {
                    self.identified(&Identity::read(data), offset);
                }
                self.go_on(now);
            }
            State::Stopping(Stopping::Answer { code: last, .. }) if *last == code => self.tell(now, 1),
            State::Stopping(Stopping::Echo { .. }) if code == STOP => self.state = State::Stopped,
            _ => {}
        }
    }

    /// Whether a response to this command is waited for.
    fn awaits(&self, code: u8) -> bool {
        matches!(&self.state, State::Active(Active { doing: Doing::Waiting { ask, .. }, .. }) if ask.code() == code)
    }

    /// A whole answer: how it stands now.
    fn keep(&mut self, code: u8, data: &[u8], bytes: &[u8]) {
        let Some(channel) = self.channel else { return };
        match code {
            IDENTIFY => {
                if !self.identity.is_empty() && self.identity != data {
                    // Another device, so nothing holds that the first one said.
                    self.forget_all(Shown::Connecting);
                }
                self.identity = data.to_vec();
            }
            0x2A => {
                let standby = Records::new(Shape::Texts, data)
                    .any(|record| record.code.is_some_and(|code| STANDBY.contains(&code)));
                self.show(if standby { Shown::Standby } else { Shown::Talking });
            }
            _ if self.shown != Some(Shown::Standby) => self.show(Shown::Talking),
            _ => {}
        }
        // Each command's answer has the slot of its code, and stands until the next one.
        self.out.current(channel, Slot(code.into()), bytes);
        let [first, second] = &mut self.values;
        let before = match code {
            0x24 => first.replace(bytes.to_vec()),
            0x2B => second.replace(bytes.to_vec()),
            _ => return,
        };
        let old = before.as_deref().and_then(|before| wire::open(before).ok()).map(|frame| frame.data);
        let taken = Records::new(Shape::Values, data).any(|record| {
            record.code.is_some_and(|value| tables::is_once(code, value)) && data::is_taken(old, &record)
        });
        if taken {
            // The answer before goes along: only by it can be told which of the values is new.
            let mut frames = before.unwrap_or_default();
            frames.extend_from_slice(bytes);
            self.out.taken(channel, frames);
        }
    }

    /// What the device may be asked is known.
    fn identified(&mut self, identity: &Identity<'_>, offset: u64) {
        let commands = self.plan.configure.len();
        if commands == 0 {
            return;
        }
        if !identity.takes_arguments() {
            let sentence = "the device's MEDIBUS is older than 3.00 and takes no configuration: it answers what it has by itself";
            return self.out.say(sentence, false, offset);
        }
        if let State::Active(active) = &mut self.state {
            active.ahead.extend((0..commands).map(Ask::Configure));
        }
    }

    /// Asks the next thing. Nothing is open.
    fn go_on(&mut self, now: Tick) {
        let State::Active(active) = &mut self.state else { return };
        let poll = &self.plan.profile.poll;
        let round = active.began.after(self.plan.profile.cycle.0);
        if active.ahead.is_empty() && active.next >= poll.len() && round <= now {
            active.began = now;
            active.next = 0;
        }
        let ask = match active.ahead.pop_front() {
            Some(ask) => ask,
            None => match poll.get(active.next) {
                Some(request) => {
                    active.next = active.next.saturating_add(1);
                    Ask::Poll(request.0)
                }
                None => {
                    active.doing = Doing::Resting { until: round.min(self.said.after(IDLE)) };
                    return;
                }
            },
        };
        self.ask(now, ask, 1);
    }

    fn ask(&mut self, now: Tick, ask: Ask, tries: u8) {
        let State::Active(active) = &mut self.state else { return };
        active.doing = Doing::Waiting { ask, until: now.after(ANSWER), tries };
        let plan = self.plan;
        match ask {
            Ask::Configure(at) => {
                if let Some(bytes) = plan.configure.get(at) {
                    self.send(now, bytes);
                }
            }
            _ => self.send(now, &wire::command(ask.code(), &[])),
        }
    }

    /// What was asked was not answered; it is asked again, as often as that is right.
    fn again(&mut self, now: Tick, offset: u64, silent: bool) {
        let State::Active(active) = &mut self.state else { return };
        let Doing::Waiting { ask, tries, .. } = active.doing else { return };
        let last = tries > REPEATS;
        // What it would say now was not said. A damaged answer comes again at once, and what was said before holds till then.
        if let Ask::Poll(code) = ask
            && (silent || last)
        {
            self.forget(code);
        }
        if !last {
            return self.ask(now, ask, tries.saturating_add(1));
        }
        if silent {
            self.out.say("the device does not answer any more", false, offset);
            self.forget_all(Shown::Silent);
            return self.start(now);
        }
        let sentence = match ask {
            Ask::Configure(_) => "the device refuses its configuration: it answers what it has by itself",
            _ => "the device refuses a command, or its answers are never whole",
        };
        let found = Some(ask.code().into());
        self.out.note(TrafficFault { sentence, expected: None, found }, false, offset);
        self.go_on(now);
    }

    fn stop(&mut self, now: Tick) {
        self.resume(now);
        match &self.state {
            State::Closed | State::Starting(_) => self.state = State::Stopped,
            State::Active(Active { doing: Doing::Waiting { ask, .. }, .. }) if self.live => {
                let code = ask.code();
                self.state = State::Stopping(Stopping::Answer { code, until: now.after(LAST_ANSWER) });
            }
            State::Active(_) | State::Naming { .. } if self.live => self.tell(now, 1),
            State::Active(_) | State::Naming { .. } => self.state = State::Stopped,
            State::Stopping(_) | State::Stopped => {}
        }
    }

    /// Tells the device that we stop.
    fn tell(&mut self, now: Tick, tries: u8) {
        self.state = State::Stopping(Stopping::Echo { tries, until: now.after(ECHO) });
        self.send(now, &wire::command(STOP, &[]));
    }

    fn sent(&mut self, now: Tick) {
        self.said = now;
        match &mut self.state {
            State::Starting(starting) if !starting.heard => starting.sent = now,
            State::Stopping(Stopping::Echo { until, .. }) => *until = now.after(ECHO),
            _ => {}
        }
    }

    fn due(&mut self, now: Tick) {
        if self.pause.as_ref().is_some_and(|pause| pause.until <= now) {
            self.out.say("the device asked for silence and did not end it", false, self.splitter.offset());
            self.resume(now);
        }
        if self.deadline().is_none_or(|deadline| deadline.at > now) {
            return;
        }
        let offset = self.splitter.offset();
        match &mut self.state {
            State::Closed | State::Stopped => {}
            State::Starting(starting) => {
                starting.sent = now;
                let told = starting.told || starting.heard;
                if std::mem::take(&mut starting.heard) && !starting.told {
                    let sentence = "bytes come, and no answer to the start of communication: compare the line's rate, parity and \
                                    stop bits with the device's";
                    self.out.say(sentence, false, offset);
                }
                starting.told = told;
                self.splitter.clear();
                self.send(now, &wire::command(ICC, &[]));
            }
            State::Naming { .. } => {
                let ahead = VecDeque::from([Ask::Identify]);
                let doing = Doing::Resting { until: now };
                self.state = State::Active(Active { ahead, next: 0, began: now, doing });
                self.go_on(now);
            }
            State::Active(active) => match active.doing {
                // An answer was lost, or takes long: the device must not miss us meanwhile.
                Doing::Waiting { until, .. } if until > now => self.send(now, &wire::command(NOP, &[])),
                Doing::Waiting { .. } => {
                    self.splitter.clear();
                    self.again(now, offset, true);
                }
                Doing::Resting { .. } => {
                    if active.began.after(self.plan.profile.cycle.0) > now {
                        active.ahead.push_back(Ask::Nop);
                    }
                    self.go_on(now);
                }
            },
            State::Stopping(Stopping::Answer { .. }) => self.tell(now, 1),
            State::Stopping(Stopping::Echo { tries: 1, .. }) => self.tell(now, 2),
            State::Stopping(Stopping::Echo { .. }) => {
                let sentence =
                    "the device did not confirm the end of the communication: it may show an alarm";
                self.out.say(sentence, false, offset);
                self.state = State::Stopped;
            }
        }
    }

    fn deadline(&self) -> Option<Deadline> {
        if !self.live {
            return None;
        }
        let of_state = match &self.state {
            State::Closed | State::Stopped => None,
            State::Starting(Starting { sent, heard: false, .. }) => {
                Some((sent.after(SILENT_START), "3 s for the start of communication to be answered"))
            }
            State::Starting(Starting { sent, .. }) => {
                Some((sent.after(BUSY_START), "10 s for the start of communication to be answered"))
            }
            State::Naming { until } => Some((*until, "the device, which may ask who is there")),
            State::Active(Active { doing: Doing::Waiting { until, .. }, .. }) => {
                let alive = if self.pause.is_some() { *until } else { self.said.after(IDLE) };
                Some((alive.min(*until), "10 s for the response to a command"))
            }
            State::Active(Active { doing: Doing::Resting { until }, .. }) => {
                Some((*until, "the next round of commands"))
            }
            State::Stopping(Stopping::Answer { until, .. }) => Some((*until, "2 s for the last response")),
            State::Stopping(Stopping::Echo { until, .. }) => {
                Some((*until, "3 s for the device to confirm the end"))
            }
        };
        let of_pause =
            self.pause.as_ref().map(|pause| (pause.until, "3 s of silence that the device asked for"));
        let first = of_state.into_iter().chain(of_pause).min_by_key(|(at, _)| *at);
        first.map(|(at, why)| Deadline { at, why })
    }
}

impl Session for MedibusSession {
    fn handle(&mut self, now: Tick, input: Input<'_>) {
        match input {
            Input::Opened(channel, peer) => self.opened(now, channel, peer),
            Input::Bytes(channel, bytes) if self.channel == Some(channel) => self.bytes(now, bytes),
            Input::Closed(channel) if self.channel == Some(channel) => self.closed(),
            Input::Sent(channel) if self.channel == Some(channel) => self.sent(now),
            Input::Deadline => self.due(now),
            Input::Stop => self.stop(now),
            // Of a channel that another one took over from, or of a kind that this protocol does not have.
            _ => {}
        }
    }

    fn poll(&mut self) -> Output<'_> {
        if self.out.is_empty() {
            return match self.state {
                State::Stopped => Output::Done,
                _ => Output::Wait(self.deadline()),
            };
        }
        self.out.next().unwrap_or(Output::Wait(None))
    }
}
