//! The device's end of a line, for tests and demonstrations: it pushes one message after the other and waits for each
//! acknowledgment.
//!
//! Promises: a message that is not accepted, or whose acknowledgment does not come in ten seconds, is sent again, three times
//! in all; then the device gives up. Faults count messages as frames.

use crate::answer::framed;
use crate::script;
use orugate_driver::time::Tick;
use orugate_driver::{Channel, Deadline, Input, Outbox, Output, Reason, Session, SimulatedFault as Fault};
use orugate_protocol::hl7::ack::{Ack, Answer};
use orugate_protocol::hl7::header::Header;
use orugate_protocol::mllp::{Decoder, Event, Rules};
use std::collections::VecDeque;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);
const TRIES: u32 = 3;

/// A session in the device's role.
pub(crate) struct Simulator {
    out: Outbox,
    channel: Option<Channel>,
    decoder: Decoder<Vec<u8>>,
    messages: VecDeque<Vec<u8>>,
    /// The message that is sent now, counted from 0.
    number: usize,
    tries: u32,
    faults: Vec<Fault>,
    sent: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// Until when an acknowledgment is waited for.
    Waiting(Tick),
    Done,
}

impl Simulator {
    /// A device that pushes these messages. Each is a script or bytes of a line (see [`script`]).
    pub(crate) fn new(messages: &[Vec<u8>], faults: &[Fault]) -> Self {
        Self {
            out: Outbox::default(),
            channel: None,
            decoder: decoder(),
            messages: messages.iter().flat_map(|message| script::messages(message)).collect(),
            number: 0,
            tries: 0,
            faults: faults.to_vec(),
            sent: 0,
            state: State::Idle,
        }
    }

    fn once(&mut self, wanted: Fault) -> bool {
        let at = self.faults.iter().position(|fault| *fault == wanted);
        at.map(|index| self.faults.swap_remove(index)).is_some()
    }

    fn push(&mut self, now: Tick) {
        let Some(channel) = self.channel else { return };
        let Some(message) = self.messages.front() else {
            self.state = State::Done;
            return;
        };
        if self.tries >= TRIES {
            return self.hang_up();
        }
        self.tries = self.tries.saturating_add(1);
        self.state = State::Waiting(now.after(PATIENCE));
        let frame = self.number;
        let mut bytes = framed(message);
        self.faults.retain(|fault| match *fault {
            Fault::FlipBit { frame: of, byte, bit } if of == frame => {
                if let Some(spoilt) = bytes.get_mut(byte) {
                    *spoilt ^= 1u8.wrapping_shl(bit.into());
                }
                false
            }
            Fault::LoseByte { frame: of, byte } if of == frame => {
                if byte < bytes.len() {
                    bytes.remove(byte);
                }
                false
            }
            Fault::LoseTail { frame: of } if of == frame => {
                bytes.pop();
                false
            }
            Fault::LoseStart { frame: of } if of == frame => {
                bytes.remove(0);
                false
            }
            Fault::Twice { frame: of } if of == frame => {
                bytes.extend_from_within(..);
                false
            }
            Fault::LoseFrame { frame: of } if of == frame => {
                bytes.clear();
                false
            }
            _ => true,
        });
        let before = self.sent;
        self.sent = before.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let sent = self.sent;
        let cut =
            self.faults.iter().position(|fault| matches!(fault, Fault::CutAt { byte } if *byte <= sent));
        if let Some(Fault::CutAt { byte }) = cut.map(|at| self.faults.swap_remove(at)) {
            bytes.truncate(usize::try_from(byte.saturating_sub(before)).unwrap_or(usize::MAX));
            self.out.send(channel, bytes);
            return self.hang_up();
        }
        if !bytes.is_empty() {
            self.out.send(channel, bytes);
        }
    }

    fn hang_up(&mut self) {
        if let Some(channel) = self.channel.take() {
            self.out.close(channel, Reason::Finished);
        }
        self.state = State::Idle;
    }

    fn bytes(&mut self, now: Tick, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (taken, event) = self.decoder.receive(bytes);
            bytes = bytes.get(taken..).unwrap_or_default();
            let Some(Event::Frame { payload, .. }) = event else { continue };
            let answer = payload.to_vec();
            self.answered(now, &answer);
        }
    }

    fn answered(&mut self, now: Tick, answer: &[u8]) {
        if !matches!(self.state, State::Waiting(_)) {
            return;
        }
        let Ok(ack) = Ack::read(answer) else { return };
        let id = self.messages.front().and_then(|message| Header::read(message).ok()).map(|h| h.control_id());
        if !id.is_some_and(|id| ack.answers(id)) {
            return;
        }
        let frame = self.number;
        if self.once(Fault::LoseAck { frame }) {
            return;
        }
        match ack.answer() {
            Answer::Known(code) if code.is_accept() => {
                if self.once(Fault::RepeatFrame { frame }) {
                    self.tries = 0;
                    return self.push(now);
                }
                self.messages.pop_front();
                self.number = self.number.saturating_add(1);
                self.tries = 0;
                if self.once(Fault::Disconnect { after_frame: frame }) {
                    return self.hang_up();
                }
                self.push(now);
            }
            _ => {
                self.out.say("the gateway did not accept a message", true, 0);
                self.push(now);
            }
        }
    }
}

fn decoder() -> Decoder<Vec<u8>> {
    Decoder::new(vec![0; 64 << 10], Rules { lenient: true, ..Rules::default() })
}

impl Session for Simulator {
    fn handle(&mut self, now: Tick, input: Input<'_>) {
        match input {
            Input::Opened(channel, _) => {
                self.channel = Some(channel);
                self.decoder = decoder();
                self.push(now);
            }
            Input::Bytes(channel, bytes) if self.channel == Some(channel) => self.bytes(now, bytes),
            Input::Closed(channel) if self.channel == Some(channel) => {
                self.channel = None;
                self.state = State::Idle;
            }
            Input::Deadline => {
                if let State::Waiting(until) = self.state
                    && until <= now
                {
                    self.push(now);
                }
            }
            Input::Stop => self.state = State::Done,
            _ => {}
        }
    }

    fn poll(&mut self) -> Output<'_> {
        if self.out.is_empty() {
            return match self.state {
                State::Done => Output::Done,
                State::Waiting(at) => Output::Wait(Some(Deadline { at, why: "10 s for the acknowledgment" })),
                State::Idle => Output::Wait(None),
            };
        }
        self.out.next().unwrap_or(Output::Wait(None))
    }
}
