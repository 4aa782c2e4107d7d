//! The monitor's end of a line, for tests and demonstrations: it sends what it was given when it is asked, and can be told
//! to do it badly.
//!
//! Promises: nothing is sent before values are asked for, then one record an interval, until it is asked to stop; a
//! capture's records are sent byte for byte. After the last one it is done. Leaves out other requests, but for the list of
//! alarms, which it answers from its script.

use crate::frame::{Deframer, FLAG, Heard};
use crate::record::{Main, Record};
use crate::request::{Asked, asked};
use crate::script;
use orugate_driver::time::Tick;
use orugate_driver::{Channel, Deadline, Input, Outbox, Output, Reason, Session, SimulatedFault as Fault};
use std::collections::VecDeque;
use std::time::Duration;

/// A monitor that nobody asks looks so often whether somebody does: who waits for nothing is through with its records.
const IDLE: Duration = Duration::from_secs(60);

/// A session in the monitor's role.
pub(crate) struct Simulator {
    out: Outbox,
    channel: Option<Channel>,
    deframer: Deframer,
    /// What is still to be sent.
    records: VecDeque<Vec<u8>>,
    /// The answer to a request for alarms.
    alarms: Option<Vec<u8>>,
    faults: Vec<Fault>,
    state: State,
    /// When anything came to it last, its own time too.
    looked: Tick,
    /// Records that left.
    count: usize,
    /// Bytes that left.
    sent: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody asked.
    Idle,
    Sending {
        every: Duration,
        at: Tick,
    },
    Done,
}

impl Simulator {
    pub(crate) fn new(messages: &[Vec<u8>], faults: &[Fault]) -> Self {
        let (mut records, mut alarms) = (VecDeque::new(), None);
        for framed in messages.iter().flat_map(|message| script::records(message)) {
            let mut space = [0; crate::frame::RECORD_MAX + 1];
            let main = crate::frame::decode(&framed, &mut space).map(|record| Record::new(record).main());
            if main == Some(Main::Alarm) { alarms = Some(framed) } else { records.push_back(framed) }
        }
        Self {
            out: Outbox::default(),
            channel: None,
            deframer: Deframer::new(),
            records,
            alarms,
            faults: faults.to_vec(),
            state: State::Idle,
            looked: Tick::ZERO,
            count: 0,
            sent: 0,
        }
    }

    fn bytes(&mut self, now: Tick, bytes: &[u8]) {
        let mut requests = Vec::new();
        self.deframer.bytes(bytes, &mut |heard| {
            if let Heard::Record { record, .. } = heard {
                requests.extend(asked(record));
            }
        });
        for request in requests {
            match (request, self.channel) {
                (Asked::Displayed(0), _) => self.state = State::Idle,
                (Asked::Displayed(seconds), _) => {
                    let every = Duration::from_secs(seconds.unsigned_abs().into());
                    self.state = State::Sending { every, at: now };
                    self.due(now);
                }
                (Asked::Alarms, Some(channel)) => {
                    if let Some(alarms) = self.alarms.clone() {
                        self.out.send(channel, alarms);
                    }
                }
                _ => {}
            }
        }
    }

    fn due(&mut self, now: Tick) {
        let State::Sending { every, at } = self.state else { return };
        let Some(channel) = self.channel.filter(|_| at <= now) else { return };
        let n = self.count;
        if self.once(|fault| matches!(fault, Fault::Restart { frame } if *frame == n)) {
            // Whoever wants values must ask again.
            self.state = State::Idle;
            return;
        }
        let Some(record) = self.records.pop_front() else {
            self.state = State::Done;
            return;
        };
        self.count = n.saturating_add(1);
        let (bytes, silent) = self.spoil(n, record);
        self.state = State::Sending { every, at: now.after(every.saturating_add(silent)) };
        let cut = self.cut(&bytes);
        let (leave, breaks) = match cut {
            Some(length) => (bytes.get(..length).unwrap_or(&bytes).to_vec(), true),
            None => (
                bytes,
                self.once(|fault| matches!(fault, Fault::Disconnect { after_frame } if *after_frame == n)),
            ),
        };
        if !leave.is_empty() {
            self.out.send(channel, leave);
        }
        if breaks {
            self.channel = None;
            self.state = State::Idle;
            self.out.close(channel, Reason::Finished);
        }
    }

    /// A record as it leaves, and for how long the line is silent after it.
    fn spoil(&mut self, n: usize, mut bytes: Vec<u8>) -> (Vec<u8>, Duration) {
        let mut silent = Duration::ZERO;
        self.faults.retain(|fault| {
            match *fault {
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
                Fault::LoseStart { frame } if frame == n && bytes.first() == Some(&FLAG) => {
                    bytes.remove(0);
                }
                Fault::LoseTail { frame } if frame == n && bytes.last() == Some(&FLAG) => {
                    bytes.pop();
                }
                Fault::WrongChecksum { frame } if frame == n => {
                    // The checksum is the last byte before the flag, unless it is escaped; the low bit keeps it no flag.
                    let last = bytes.len().checked_sub(2);
                    if let Some(sum) = last.and_then(|at| bytes.get_mut(at)) {
                        *sum ^= 0x10;
                    }
                }
                Fault::Stall { frame, seconds } if frame == n => silent = Duration::from_secs(seconds.into()),
                _ => return true,
            }
            false
        });
        (bytes, silent)
    }

    /// How many of these bytes still leave before the line breaks.
    fn cut(&mut self, bytes: &[u8]) -> Option<usize> {
        let before = self.sent;
        self.sent = before.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let at = self.faults.iter().position(|f| matches!(f, Fault::CutAt { byte } if *byte <= self.sent))?;
        match self.faults.swap_remove(at) {
            Fault::CutAt { byte } => usize::try_from(byte.saturating_sub(before)).ok(),
            _ => None,
        }
    }

    fn once(&mut self, wanted: impl Fn(&Fault) -> bool) -> bool {
        let at = self.faults.iter().position(wanted);
        at.map(|at| self.faults.swap_remove(at)).is_some()
    }
}

impl Session for Simulator {
    fn handle(&mut self, now: Tick, input: Input<'_>) {
        self.looked = now;
        match input {
            Input::Opened(channel, _) => {
                self.channel = Some(channel);
                self.deframer = Deframer::new();
            }
            Input::Bytes(channel, bytes) if self.channel == Some(channel) => self.bytes(now, bytes),
            Input::Closed(channel) if self.channel == Some(channel) => {
                self.channel = None;
                self.state = State::Idle;
            }
            Input::Deadline => self.due(now),
            Input::Stop => self.state = State::Done,
            _ => {}
        }
    }

    fn poll(&mut self) -> Output<'_> {
        if self.out.is_empty() {
            return match self.state {
                State::Idle => {
                    let at = self.looked.after(IDLE);
                    Output::Wait(Some(Deadline { at, why: "somebody who asks for values" }))
                }
                State::Sending { at, .. } => {
                    Output::Wait(Some(Deadline { at, why: "the next record's time" }))
                }
                State::Done => Output::Done,
            };
        }
        self.out.next().unwrap_or(Output::Wait(None))
    }
}
