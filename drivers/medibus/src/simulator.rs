//! The device's end of a line, for tests and demonstrations: a ventilator that answers what it is asked, and can be told to do
//! it badly.
//!
//! Promises: it begins the communication itself, asks who is there inside of its answer, answers one scene after the other (a
//! scene is over when the host asks again for what it has), ends the communication behind the last one unless its script says
//! `repeat`, and begins anew when the host is silent for three seconds, as a device does. Leaves out opinions: it never looks into what it answers.

use crate::data::Shape;
use crate::fault::Faults;
use crate::script::{self, Said};
use crate::session::{CLOCK, CONFIGURE, ICC, IDENTIFY, STOP};
use crate::wire::{self, Event, Frame, Kind, Splitter};
use orugate_driver::time::Tick;
use orugate_driver::{Channel, Deadline, Input, Outbox, Output, Reason, Session, SimulatedFault};
use orugate_protocol::ascii::NAK;
use std::collections::VecDeque;
use std::time::Duration;

/// So often it begins the communication, and so long a host may be silent.
const SILENCE: Duration = Duration::from_secs(3);

/// A session in the device's role.
pub(crate) struct Simulator {
    out: Outbox,
    channel: Option<Channel>,
    splitter: Splitter,
    /// What is still to be answered; the first is now.
    scenes: VecDeque<Vec<Said>>,
    /// Behind the last one the first comes again.
    repeat: bool,
    /// What was asked for in this scene.
    asked: Vec<u8>,
    /// What the host wants of each kind.
    configured: Vec<(u8, Vec<u8>)>,
    state: State,
    faults: Faults,
    /// Answers so far.
    answers: usize,
    /// An answer that comes late.
    late: Option<(Tick, Vec<u8>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It begins the communication again and again.
    Calling {
        until: Tick,
    },
    /// The host is there; when it was silent for too long.
    Talking {
        until: Tick,
    },
    /// It says nothing any more, by a fault.
    Mute,
    /// It told the host that it stops.
    Leaving {
        until: Tick,
    },
    /// The host stopped the communication.
    Idle,
    Done,
}

impl Simulator {
    /// A device that answers these messages. Each is a script or bytes of a line (see [`script`]).
    pub(crate) fn new(messages: &[Vec<u8>], faults: &[SimulatedFault]) -> Self {
        Self {
            out: Outbox::default(),
            channel: None,
            splitter: Splitter::default(),
            scenes: messages.iter().map(|message| script::frames(message)).collect(),
            repeat: messages.iter().any(|message| script::repeats(message)),
            asked: Vec::new(),
            configured: Vec::new(),
            state: State::Idle,
            faults: Faults::new(faults),
            answers: 0,
            late: None,
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        if let Some(channel) = self.channel {
            self.out.send(channel, bytes);
        }
    }

    /// Begins the communication, as after power comes back.
    fn call(&mut self, now: Tick) {
        self.configured.clear();
        self.late = None;
        self.state = State::Calling { until: now.after(SILENCE) };
        self.send(&wire::command(ICC, &[]));
    }

    fn bytes(&mut self, now: Tick, bytes: &[u8]) {
        for byte in bytes {
            let frame = match self.splitter.byte(*byte) {
                Some(Event::Frame { bytes, .. }) => bytes.to_vec(),
                _ => continue,
            };
            if let State::Talking { until } = &mut self.state {
                *until = now.after(SILENCE);
            }
            if self.state == State::Mute {
                continue;
            }
            match wire::open(&frame) {
                Ok(Frame { kind: Kind::Command, code, data }) => self.command(now, code, data),
                Ok(Frame { kind: Kind::Response, code, .. }) => self.response(now, code),
                Err(_) => {
                    self.out.say("a frame of the host is damaged", true, self.splitter.offset());
                    self.send(&wire::response(NAK, &[]));
                }
            }
        }
    }

    fn response(&mut self, now: Tick, code: u8) {
        match (self.state, code) {
            (State::Calling { .. }, ICC) => self.send(&wire::command(IDENTIFY, &[])),
            (State::Calling { .. }, IDENTIFY) => self.state = State::Talking { until: now.after(SILENCE) },
            (State::Leaving { .. }, STOP) => self.state = State::Done,
            _ => {}
        }
    }

    fn command(&mut self, now: Tick, code: u8, data: &[u8]) {
        match code {
            ICC => {
                // It asks who is there before its answer is over.
                let mut answer = wire::response(ICC, &[]);
                answer.splice(2..2, wire::command(IDENTIFY, &[]));
                self.configured.clear();
                self.state = State::Calling { until: now.after(SILENCE) };
                self.send(&answer);
            }
            STOP => {
                self.out.say("the host ended the communication", false, self.splitter.offset());
                self.state = State::Idle;
                self.send(&wire::response(STOP, &[]));
            }
            CONFIGURE if self.faults.refuses(CONFIGURE) => self.send(&wire::response(NAK, &[])),
            CONFIGURE => {
                if let Some((of, codes)) = data.split_first() {
                    self.configured.retain(|(known, _)| known != of);
                    self.configured.push((*of, codes.to_vec()));
                }
                self.send(&wire::response(CONFIGURE, &[]));
            }
            _ if self.faults.refuses(code) => self.send(&wire::response(NAK, &[])),
            _ if Shape::of(code).is_some() || matches!(code, CLOCK | IDENTIFY) => self.answer(now, code),
            _ => self.send(&wire::response(code, &[])),
        }
    }

    /// Answers what is asked for, with the faults.
    fn answer(&mut self, now: Tick, code: u8) {
        if code != IDENTIFY {
            if self.asked.contains(&code) {
                self.asked.clear();
                let over = self.scenes.pop_front();
                self.scenes.extend(over.filter(|_| self.repeat));
                if self.scenes.is_empty() {
                    self.state = State::Leaving { until: now.after(SILENCE) };
                    self.send(&wire::response(code, &[]));
                    return self.send(&wire::command(STOP, &[]));
                }
            }
            self.asked.push(code);
        }
        let scene = self.scenes.front();
        let said = scene
            .and_then(|scene| scene.iter().find(|said| said.kind == Kind::Response && said.code == code));
        let data = said.map(|said| said.data.as_slice()).unwrap_or_default();
        let bytes = wire::response(code, &self.wanted(code, data));
        let number = self.answers;
        self.answers = number.saturating_add(1);
        if self.faults.falls_silent(number) {
            self.state = State::Mute;
            return;
        }
        if self.faults.restarts(number) {
            return self.call(now);
        }
        if self.faults.hangs_up(number) {
            return self.hang_up();
        }
        let bytes = self.faults.spoil(number, bytes);
        let (bytes, cut) = self.faults.cut(&bytes);
        let bytes = bytes.to_vec();
        match self.faults.stalls(number) {
            Some(wait) => self.late = Some((now.after(wait), bytes)),
            None => self.send(&bytes),
        }
        if cut {
            self.hang_up();
        }
    }

    /// The records that the host wants.
    fn wanted(&self, code: u8, data: &[u8]) -> Vec<u8> {
        let of = match code {
            0x25 | 0x26 => 0x24,
            0x2C | 0x2D => 0x2B,
            other => other,
        };
        let wanted = self.configured.iter().find(|(known, codes)| *known == of && !codes.is_empty());
        let (Some((_, codes)), Some(shape)) = (wanted, Shape::of(code)) else { return data.to_vec() };
        let records = crate::data::Records::new(shape, data);
        let listed = records.filter(|record| codes.chunks_exact(2).any(|code| code == record.digits));
        listed
            .flat_map(|record| {
                data.get(record.at..record.at.saturating_add(record.len)).unwrap_or_default().to_vec()
            })
            .collect()
    }

    fn hang_up(&mut self) {
        if let Some(channel) = self.channel.take() {
            self.out.close(channel, Reason::Finished);
        }
        self.late = None;
        self.state = State::Idle;
    }

    fn due(&mut self, now: Tick) {
        if let Some((_, bytes)) = self.late.take_if(|(at, _)| *at <= now) {
            if let State::Talking { until } = &mut self.state {
                *until = now.after(SILENCE);
            }
            self.send(&bytes);
        }
        match self.state {
            State::Calling { until } if until <= now => self.call(now),
            // A host that waits for us is not silent.
            State::Talking { until } if until <= now && self.late.is_none() => {
                self.out.say("the host said nothing for 3 s: a device raises an alarm", false, 0);
                self.call(now);
            }
            State::Leaving { until } if until <= now => self.state = State::Done,
            _ => {}
        }
    }

    fn deadline(&self) -> Option<Deadline> {
        let of_state = match self.state {
            State::Calling { until } => Some((until, "3 s for the host to answer")),
            State::Talking { until } if self.late.is_none() => {
                Some((until, "3 s for the host to say anything"))
            }
            State::Leaving { until } => Some((until, "3 s for the host to confirm the end")),
            _ => None,
        };
        let late = self.late.as_ref().map(|(at, _)| (*at, "an answer that comes late"));
        let first = of_state.into_iter().chain(late).min_by_key(|(at, _)| *at);
        first.map(|(at, why)| Deadline { at, why })
    }
}

impl Session for Simulator {
    fn handle(&mut self, now: Tick, input: Input<'_>) {
        match input {
            Input::Opened(channel, _) => {
                self.channel = Some(channel);
                self.splitter = Splitter::default();
                self.call(now);
            }
            Input::Bytes(channel, bytes) if self.channel == Some(channel) => self.bytes(now, bytes),
            Input::Closed(channel) if self.channel == Some(channel) => {
                self.channel = None;
                self.late = None;
                self.state = State::Idle;
            }
            Input::Deadline => self.due(now),
            Input::Stop => match self.state {
                State::Talking { .. } => {
                    self.state = State::Leaving { until: now.after(SILENCE) };
                    self.send(&wire::command(STOP, &[]));
                }
                State::Leaving { .. } => {}
                _ => self.state = State::Done,
            },
            _ => {}
        }
    }

    fn poll(&mut self) -> Output<'_> {
        if self.out.is_empty() {
            return match self.state {
                State::Done => Output::Done,
                _ => Output::Wait(self.deadline()),
            };
        }
        self.out.next().unwrap_or(Output::Wait(None))
    }
}
