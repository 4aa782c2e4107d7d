//! The device's end of a line, for tests and demonstrations: it prints what it was given, and can be told to do it badly.
//!
//! Promises: a device that is asked answers each question with its next unit; one that speaks by itself prints a unit a
//! second; one whose results are answered waits for the answer. After the last one it is done. Leaves out opinions: it never
//! looks into a unit.

use crate::frame::{Deframer, Framing, Heard};
use crate::plan::Plan;
use crate::script;
use orugate_driver::time::Tick;
use orugate_driver::{Channel, Deadline, Input, Outbox, Output, Reason, Session, SimulatedFault as Fault};
use std::collections::VecDeque;
use std::time::Duration;

/// A device that nobody asks looks so often whether somebody does.
const IDLE: Duration = Duration::from_secs(60);
/// A device that speaks by itself does so each second.
const PACE: Duration = Duration::from_secs(1);
/// An answer to a result is waited for so long.
const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) struct Simulator {
    plan: &'static Plan,
    out: Outbox,
    channel: Option<Channel>,
    units: VecDeque<Vec<u8>>,
    faults: Vec<Fault>,
    state: State,
    asked: Vec<u8>,
    count: usize,
    sent: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    /// Until it is asked; looks again then: who waits for nothing is through.
    Listening(Tick),
    /// The next unit's time.
    Due(Tick),
    /// For an answer, until then.
    Waiting(Tick),
    Done,
}

impl Simulator {
    pub(crate) fn new(plan: &'static Plan, messages: &[Vec<u8>], faults: &[Fault]) -> Self {
        let units =
            messages.iter().flat_map(|message| units(&plan.framing, &script::input(message))).collect();
        Self {
            plan,
            out: Outbox::default(),
            channel: None,
            units,
            faults: faults.to_vec(),
            state: State::Closed,
            asked: Vec::new(),
            count: 0,
            sent: 0,
        }
    }

    fn ready(&self, now: Tick) -> State {
        if self.units.is_empty() {
            State::Done
        } else if self.plan.poll.is_some() {
            State::Listening(now.after(IDLE))
        } else {
            State::Due(now)
        }
    }

    fn print(&mut self, now: Tick) {
        let (Some(channel), Some(unit)) = (self.channel, self.units.pop_front()) else { return };
        let n = self.count;
        self.count = n.saturating_add(1);
        let mut silent = Duration::ZERO;
        let mut bytes = unit;
        self.faults.retain(|fault| !spoil(*fault, n, &mut bytes, &mut silent));
        let before = self.sent;
        self.sent = before.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let sent = self.sent;
        let cut =
            self.faults.iter().position(|fault| matches!(fault, Fault::CutAt { byte } if *byte <= sent));
        let mut breaks = false;
        if let Some(Fault::CutAt { byte }) = cut.map(|at| self.faults.swap_remove(at)) {
            bytes.truncate(usize::try_from(byte.saturating_sub(before)).unwrap_or(usize::MAX));
            breaks = true;
        }
        let after = self.faults.iter().position(|fault| *fault == Fault::Disconnect { after_frame: n });
        if let Some(at) = after {
            self.faults.swap_remove(at);
            breaks = true;
        }
        if !bytes.is_empty() {
            self.out.send(channel, bytes);
        }
        if breaks {
            self.channel = None;
            self.state = State::Closed;
            self.out.close(channel, Reason::Finished);
            return;
        }
        self.state = if self.plan.reply.is_some() {
            State::Waiting(now.after(PATIENCE))
        } else if self.units.is_empty() {
            State::Done
        } else if self.plan.poll.is_some() {
            State::Listening(now.after(IDLE))
        } else {
            State::Due(now.after(PACE.saturating_add(silent)))
        };
    }

    fn bytes(&mut self, now: Tick, bytes: &[u8]) {
        match self.state {
            State::Waiting(_) => self.state = self.ready(now),
            State::Listening(_) => {
                let question = self.plan.poll.as_ref().map_or(&[][..], |poll| &poll.send);
                self.asked.extend_from_slice(bytes);
                if self.asked.ends_with(question) {
                    self.asked.clear();
                    self.print(now);
                }
            }
            State::Closed | State::Due(_) | State::Done => {}
        }
    }
}

/// Makes a fault if it is of this unit.
fn spoil(fault: Fault, n: usize, bytes: &mut Vec<u8>, silent: &mut Duration) -> bool {
    match fault {
        Fault::FlipBit { frame, byte, bit } if frame == n => {
            if let Some(spoilt) = bytes.get_mut(byte) {
                *spoilt ^= 1u8.wrapping_shl(bit.into());
            }
        }
        Fault::LoseByte { frame, byte } if frame == n => {
            if byte < bytes.len() {
                bytes.remove(byte);
            }
        }
        Fault::DoubleByte { frame, byte } if frame == n => {
            if let Some(twice) = bytes.get(byte).copied() {
                bytes.insert(byte, twice);
            }
        }
        Fault::InsertByte { frame, byte, code } if frame == n => {
            if byte <= bytes.len() {
                bytes.insert(byte, code);
            }
        }
        Fault::LoseFrame { frame } if frame == n => bytes.clear(),
        Fault::Twice { frame } if frame == n => bytes.extend_from_within(..),
        Fault::LoseStart { frame } if frame == n => {
            if !bytes.is_empty() {
                bytes.remove(0);
            }
        }
        Fault::LoseTail { frame } | Fault::LoseLf { frame } if frame == n => {
            bytes.pop();
        }
        Fault::Stall { frame, seconds } if frame == n => *silent = Duration::from_secs(seconds.into()),
        _ => return false,
    }
    true
}

/// The units of a capture, each with what stands before the next one.
fn units(framing: &Framing, capture: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut open = Vec::new();
    let mut deframer = Deframer::new(framing.clone());
    for byte in capture {
        open.push(*byte);
        if let Some(Heard::Unit { .. }) = deframer.byte(*byte) {
            all.push(std::mem::take(&mut open));
        } else if open.iter().all(u8::is_ascii_whitespace)
            && let Some(last) = all.last_mut()
        {
            last.append(&mut open);
        }
    }
    if !open.is_empty() {
        all.push(open);
    }
    all
}

impl Session for Simulator {
    fn handle(&mut self, now: Tick, input: Input<'_>) {
        match input {
            Input::Opened(channel, _) => {
                self.channel = Some(channel);
                self.asked.clear();
                self.state = self.ready(now);
                if self.state == State::Due(now) {
                    self.print(now);
                }
            }
            Input::Bytes(channel, bytes) if self.channel == Some(channel) => {
                self.bytes(now, bytes);
                if self.state == State::Due(now) {
                    self.print(now);
                }
            }
            Input::Closed(channel) if self.channel == Some(channel) => {
                self.channel = None;
                self.state = State::Closed;
            }
            Input::Deadline => match self.state {
                State::Due(at) if at <= now => self.print(now),
                State::Listening(at) if at <= now => self.state = State::Listening(now.after(IDLE)),
                State::Waiting(at) if at <= now => {
                    self.out.say("the host did not answer", true, 0);
                    self.state = self.ready(now);
                    if self.state == State::Due(now) {
                        self.print(now);
                    }
                }
                _ => {}
            },
            Input::Stop => self.state = State::Done,
            _ => {}
        }
    }

    fn poll(&mut self) -> Output<'_> {
        if self.out.is_empty() {
            return match self.state {
                State::Closed => Output::Wait(None),
                State::Listening(at) => {
                    Output::Wait(Some(Deadline { at, why: "somebody who asks for values" }))
                }
                State::Due(at) => Output::Wait(Some(Deadline { at, why: "the next line's time" })),
                State::Waiting(at) => Output::Wait(Some(Deadline { at, why: "the host's answer" })),
                State::Done => Output::Done,
            };
        }
        self.out.next().unwrap_or(Output::Wait(None))
    }
}
