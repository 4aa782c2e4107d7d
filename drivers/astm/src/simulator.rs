//! The instrument's end of a line, for tests and demonstrations: sends messages as an analyzer does, and can be told
//! to do it badly.
//!
//! Promises: a capture's frames are sent byte for byte, records are framed one to a frame; a message counts as sent
//! when each frame was acknowledged, and is sent again, whole, after a time-out or too many NAKs, until then. Between
//! messages it takes what the host sends. Leaves out opinions: it never looks into a record.

use crate::fault::Faults;
use crate::profile::AstmProfile;
use crate::script;
use crate::values::Framing;
use orugate_driver::time::Tick;
use orugate_driver::{
    Channel, Deadline, Input, Outbox, Output, Reason, Session, SimulatedFault as Fault, TrafficFault,
};
use orugate_protocol::ascii::{ACK, CR, ENQ, EOT, LF, NAK, STX};
use orugate_protocol::astm::link::{
    Event, FrameEnd, Link, OVERHEAD, Role, Settings, encode_frame, next_number,
};
use std::collections::VecDeque;

/// Text bytes in a frame of records, as E1381-95 has it.
const TEXT_MAX: usize = 240;

/// What stands between ENQ and EOT.
type Transfer = Vec<Vec<u8>>;

/// A session in the instrument's role.
pub(crate) struct Simulator {
    out: Outbox,
    channel: Option<Channel>,
    settings: Settings,
    /// What is still to be sent; the first is being sent.
    transfers: VecDeque<Transfer>,
    /// Frames are not used: a transfer is sent as it is and nothing is waited for.
    bare: bool,
    /// What the host sends, between our messages.
    host: Link<Box<[u8]>, Vec<u8>>,
    state: State,
    faults: Faults,
    /// The rest of a frame in which the line is silent, and until when.
    rest: Option<(Tick, Vec<u8>)>,
    stopping: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// ENQ was sent.
    Asking {
        until: Tick,
    },
    /// A frame was sent.
    Sending {
        frame: usize,
        sends: u8,
        until: Tick,
    },
    /// No ENQ before its end.
    Pausing {
        until: Tick,
        why: &'static str,
    },
}

impl Simulator {
    /// A simulator that sends these messages. Each is a capture, a script or records (see [`script::input`]).
    pub(crate) fn new(profile: &AstmProfile, messages: &[Vec<u8>], faults: &[Fault]) -> Self {
        let settings = Settings { role: Role::Instrument, ..profile.link.settings(profile.ack) };
        let bare = profile.framing == Framing::Records;
        let inputs = messages.iter().map(|message| script::input(message));
        let transfers = if bare {
            inputs.map(|input| vec![input]).collect()
        } else {
            inputs.flat_map(|input| transfers(&input)).collect()
        };
        Self {
            out: Outbox::default(),
            channel: None,
            settings,
            transfers,
            bare,
            host: Link::new(settings, vec![0; 64_000].into_boxed_slice()),
            state: State::Idle,
            faults: Faults::new(faults),
            rest: None,
            stopping: false,
        }
    }

    /// Sends bytes, as the faults make them; then the reply is waited for.
    fn send(&mut self, bytes: &[u8]) {
        let Some(channel) = self.channel else { return };
        let (bytes, cut) = self.faults.cut(bytes);
        if !bytes.is_empty() {
            self.out.send(channel, bytes);
        }
        if cut {
            self.hang_up();
        }
    }

    fn hang_up(&mut self) {
        if let Some(channel) = self.channel.take() {
            self.out.close(channel, Reason::Finished);
        }
        self.rest = None;
        self.state = State::Idle;
    }

    /// Begins the next message if nothing stands against it.
    fn begin(&mut self, now: Tick) {
        if self.state != State::Idle || self.channel.is_none() || self.stopping || !self.host.is_idle() {
            return;
        }
        let Some(next) = self.transfers.front() else { return };
        if self.bare {
            let records: Vec<Vec<u8>> =
                next.iter().flat_map(|all| all.split_inclusive(|b| *b == CR)).map(<[u8]>::to_vec).collect();
            self.transfers.pop_front();
            let spoilt = records.into_iter().enumerate().map(|(n, record)| self.faults.spoil(n, record));
            let all: Vec<u8> = spoilt.flatten().collect();
            self.send(&all);
            return self.begin(now);
        }
        self.state = State::Asking { until: now.after(self.settings.enq_reply) };
        self.send(&[ENQ]);
    }

    fn send_frame(&mut self, now: Tick, frame: usize, sends: u8) {
        let Some(bytes) = self.transfers.front().and_then(|transfer| transfer.get(frame)) else {
            // All frames are acknowledged.
            self.transfers.pop_front();
            self.state = State::Idle;
            self.send(&[EOT]);
            return self.begin(now);
        };
        let mut bytes = self.faults.spoil(frame, bytes.clone());
        let mut begun = now;
        self.rest = None;
        if let Some(silence) = self.faults.stalls(frame) {
            begun = now.after(silence);
            self.rest = Some((begun, bytes.split_off(bytes.len() / 2)));
        }
        self.state = State::Sending { frame, sends, until: begun.after(self.settings.frame_reply) };
        self.send(&bytes);
    }

    /// The message was not delivered; it will be sent again.
    fn give_up(&mut self, now: Tick, sentence: &'static str) {
        self.out.say(sentence, true, 0);
        self.rest = None;
        self.state = State::Pausing { until: now.after(self.settings.busy), why: "the next try" };
        self.send(&[EOT]);
    }

    fn reply(&mut self, now: Tick, byte: u8) {
        let to = if let State::Sending { frame, .. } = self.state { Some(frame) } else { None };
        if self.faults.loses_reply(to) {
            return;
        }
        match (self.state, byte) {
            (State::Asking { .. }, ACK) => self.send_frame(now, 0, 1),
            (State::Asking { .. }, NAK) => {
                let why = "the host, which is busy";
                self.state = State::Pausing { until: now.after(self.settings.busy), why };
            }
            (State::Asking { .. }, ENQ) => {
                let why = "the line, after both asked for it";
                self.state = State::Pausing { until: now.after(self.settings.contention_instrument), why };
            }
            // An EOT in place of an ACK asks for the line, which the standard lets an instrument deny.
            (State::Sending { frame, sends, .. }, ACK | EOT) => {
                if self.faults.loses_ack(frame) {
                    self.send_frame(now, frame, sends.saturating_add(1));
                } else if self.faults.hangs_up(frame) {
                    self.hang_up();
                } else if self.faults.repeats(frame) {
                    self.send_frame(now, frame, sends);
                } else {
                    self.send_frame(now, frame.saturating_add(1), 1);
                }
            }
            (State::Sending { frame, sends, .. }, NAK) => {
                if sends < self.settings.max_sends {
                    self.send_frame(now, frame, sends.saturating_add(1));
                } else {
                    self.give_up(now, "the host refused a frame too often");
                }
            }
            _ => {}
        }
    }

    fn bytes(&mut self, now: Tick, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if matches!(self.state, State::Asking { .. } | State::Sending { .. }) {
                self.reply(now, *first);
                bytes = rest;
                continue;
            }
            let taken = self.take_host(now, bytes);
            if taken == 0 {
                return;
            }
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        self.begin(now);
    }

    /// Gives bytes to the link that listens to the host, and sends its replies.
    fn take_host(&mut self, now: Tick, bytes: &[u8]) -> usize {
        let mut taken = 0usize;
        loop {
            let (more, event) = self.host.receive(now, bytes.get(taken..).unwrap_or_default());
            taken = taken.saturating_add(more);
            let idle = more == 0 && event.is_none();
            if let Some(Event::Frame(frame)) = event {
                let found = u32::try_from(frame.text.len()).ok();
                let what = TrafficFault { sentence: "a frame came from the host", expected: None, found };
                let id = frame.id;
                self.out.note(what, false, 0);
                self.host.accept(now, id);
            }
            let mut replied = false;
            while let Some(out) = self.host.transmit(now).map(<[u8]>::to_vec) {
                replied = true;
                if let Some(channel) = self.channel {
                    self.out.send(channel, out);
                }
            }
            if idle && !replied {
                return taken;
            }
        }
    }

    fn due(&mut self, now: Tick) {
        if let Some((_, rest)) = self.rest.take_if(|(until, _)| *until <= now) {
            self.send(&rest);
        }
        match self.state {
            State::Asking { until } if until <= now => self.give_up(now, "the host did not reply to ENQ"),
            State::Sending { until, .. } if until <= now => {
                self.give_up(now, "the host did not reply to a frame")
            }
            State::Pausing { until, .. } if until <= now => self.state = State::Idle,
            _ => {}
        }
        if self.host.deadline().is_some_and(|deadline| deadline.at <= now) {
            let _ = self.host.handle_deadline(now);
            self.take_host(now, &[]);
        }
        self.begin(now);
    }
}

impl Session for Simulator {
    fn handle(&mut self, now: Tick, input: Input<'_>) {
        match input {
            Input::Opened(channel, _) => {
                self.channel = Some(channel);
                self.state = State::Idle;
                while self.host.disconnect().is_some() {}
                self.begin(now);
            }
            Input::Bytes(channel, bytes) if self.channel == Some(channel) => self.bytes(now, bytes),
            Input::Closed(channel) if self.channel == Some(channel) => {
                self.channel = None;
                self.rest = None;
                self.state = State::Idle;
            }
            Input::Sent(channel) if self.channel == Some(channel) => {
                let Settings { enq_reply, frame_reply, .. } = self.settings;
                if self.rest.is_some() {
                    return;
                }
                match &mut self.state {
                    State::Asking { until } => *until = now.after(enq_reply),
                    State::Sending { until, .. } => *until = now.after(frame_reply),
                    State::Idle | State::Pausing { .. } => self.host.sent(now),
                }
            }
            Input::Deadline => self.due(now),
            Input::Stop => {
                self.stopping = true;
                if self.state != State::Idle {
                    self.state = State::Idle;
                    self.send(&[EOT]);
                }
            }
            _ => {}
        }
    }

    fn poll(&mut self) -> Output<'_> {
        if self.out.is_empty() {
            if self.stopping {
                return Output::Done;
            }
            let own = match self.state {
                State::Idle => None,
                State::Asking { until } => Some(Deadline { at: until, why: "the reply to ENQ" }),
                State::Sending { until, .. } => Some(Deadline { at: until, why: "the reply to a frame" }),
                State::Pausing { until, why } => Some(Deadline { at: until, why }),
            };
            let host = self.host.deadline().map(|d| Deadline { at: d.at, why: "the host's next byte" });
            let rest = self.rest.as_ref().map(|(at, _)| Deadline { at: *at, why: "the end of a silence" });
            return Output::Wait(own.into_iter().chain(host).chain(rest).min_by_key(|deadline| deadline.at));
        }
        self.out.next().unwrap_or(Output::Wait(None))
    }
}

/// A capture's transfers, or one of records.
fn transfers(input: &[u8]) -> Vec<Transfer> {
    if !input.contains(&STX) && !input.contains(&ENQ) {
        return vec![framed(input)];
    }
    let mut all = Vec::new();
    let mut open: Option<Transfer> = None;
    let mut rest = input;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match *first {
            ENQ => all.extend(open.replace(Vec::new())),
            EOT => all.extend(open.take()),
            STX => {
                let mut frame = vec![STX];
                let length = frame_length(after);
                frame.extend_from_slice(after.get(..length).unwrap_or_default());
                rest = after.get(length..).unwrap_or_default();
                open.get_or_insert_default().push(frame);
            }
            _ => {}
        }
    }
    all.extend(open);
    all
}

/// How many bytes after an STX are the frame's: to the end of its tail, as far as it has one.
fn frame_length(after: &[u8]) -> usize {
    let end = after.iter().position(|b| matches!(b, 0x03 | 0x17));
    let Some(end) = end else {
        return after.iter().position(|b| matches!(*b, STX | EOT | ENQ)).unwrap_or(after.len());
    };
    let mut length = end.saturating_add(1);
    let mut step = |what: fn(&u8) -> bool| {
        if after.get(length).is_some_and(what) {
            length = length.saturating_add(1);
        }
    };
    step(u8::is_ascii_hexdigit);
    step(u8::is_ascii_hexdigit);
    step(|b| *b == CR);
    step(|b| *b == LF);
    length
}

/// Records as frames, one record to a frame, longer ones cut with ETB.
fn framed(records: &[u8]) -> Transfer {
    let mut frames = Vec::new();
    let mut number = 1;
    for record in records.split_inclusive(|b| *b == CR) {
        let mut pieces = record.chunks(TEXT_MAX).peekable();
        while let Some(piece) = pieces.next() {
            let end = if pieces.peek().is_some() { FrameEnd::Etb } else { FrameEnd::Etx };
            let mut frame = vec![0; piece.len().saturating_add(OVERHEAD)];
            if let Some(length) = encode_frame(number, piece, end, &mut frame) {
                frame.truncate(length);
                frames.push(frame);
                number = next_number(number);
            }
        }
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;
    use orugate_protocol::astm::link::parse_raw_frame;

    #[test]
    fn a_captures_frames_are_kept_byte_for_byte() {
        let capture = b"\x05\x06\x021H|\\^&\r\x17c6\n\x06\x022L|1\r\x03AB\r\n\x06\x04\x05\x04";
        let transfers = transfers(capture);
        assert_eq!(
            transfers,
            [vec![b"\x021H|\\^&\r\x17c6\n".to_vec(), b"\x022L|1\r\x03AB\r\n".to_vec()], vec![]]
        );
    }

    #[test]
    fn records_are_framed_one_by_one() {
        let long = [b"R|1|", [b'x'; 300].as_slice(), b"\r"].concat();
        let frames = framed(&[b"H|\\^&\r", long.as_slice()].concat());
        let texts: Vec<_> = frames.iter().map(|f| parse_raw_frame(f).unwrap()).collect();
        assert_eq!(
            texts.iter().map(|v| (v.number, v.text.len(), v.last)).collect::<Vec<_>>(),
            [(1, 6, true), (2, 240, false), (3, 65, true)]
        );
    }
}
