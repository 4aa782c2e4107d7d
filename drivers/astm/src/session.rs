//! The gateway's end of one wire.
//!
//! Promises what the driver contract asks, for either framing. It knows the channel, the gateway's wishes and the
//! queue of outputs; [`frames`](crate::frames) and [`bare`](crate::bare) know the line.

use crate::bare::Bare;
use crate::frames::Frames;
use crate::plan::Plan;
use crate::values::Framing;
use orugate_driver::time::Tick;
use orugate_driver::{Answer, Channel, Deadline, Input, Outbox, Output, Reason, Session};
use orugate_protocol::ascii::{ACK, CR, ENQ, EOT, LF, NAK, STX};
use orugate_protocol::astm::link::{Checksum, Establishment, FrameNumbers, Replies, Settings};

/// A capture that has so much before its first frame or record is read as frames, for their noise is told.
const UNDECIDED_MAX: usize = 4096;

pub(crate) struct AstmSession {
    plan: &'static Plan,
    out: Outbox,
    line: Line,
    channel: Option<Channel>,
    busy: bool,
    stopping: bool,
}

enum Line {
    /// A capture before its first byte that tells what it is.
    Undecided {
        settings: Settings,
        held: Vec<u8>,
    },
    Frames(Box<Frames>),
    Bare(Bare),
}

impl AstmSession {
    /// A session for a wire.
    pub(crate) fn live(plan: &'static Plan) -> Self {
        let settings = plan.profile.link.settings(plan.profile.ack);
        let line = match plan.profile.framing {
            Framing::Lis01 => Line::Frames(Box::new(Frames::new(settings, false))),
            Framing::Records => Line::Bare(Bare::new(settings.receive, plan.profile.no_terminator)),
        };
        Self { plan, out: Outbox::default(), line, channel: None, busy: false, stopping: false }
    }

    /// A session for a capture, which takes what can be taken: nobody can send it again.
    pub(crate) fn capture(plan: &'static Plan) -> Self {
        let settings = plan.profile.link.settings(plan.profile.ack);
        let settings = Settings {
            frame_numbers: FrameNumbers::Any,
            establishment: Establishment::Optional,
            replies: Replies::Never,
            checksum: if settings.checksum == Checksum::Absent {
                Checksum::Absent
            } else {
                Checksum::Unchecked
            },
            ..settings
        };
        let line = match plan.profile.framing {
            Framing::Lis01 => Line::Undecided { settings, held: Vec::new() },
            Framing::Records => Line::Bare(Bare::new(settings.receive, plan.profile.no_terminator)),
        };
        Self { plan, out: Outbox::default(), line, channel: None, busy: false, stopping: false }
    }

    fn opened(&mut self, now: Tick, channel: Channel) {
        if let Some(old) = self.channel.replace(channel) {
            self.out.close(old, Reason::Finished);
            match &mut self.line {
                Line::Undecided { held, .. } => held.clear(),
                Line::Frames(frames) => frames.gone(now, &mut self.out),
                Line::Bare(bare) => bare.closed(&mut self.out),
            }
        }
        self.pump(now);
    }

    fn closed(&mut self, now: Tick) {
        self.decide(true);
        self.channel = None;
        match &mut self.line {
            Line::Undecided { .. } => {}
            Line::Frames(frames) => frames.closed(now, &mut self.out),
            Line::Bare(bare) => bare.closed(&mut self.out),
        }
    }

    fn bytes(&mut self, now: Tick, bytes: &[u8]) {
        match &mut self.line {
            Line::Undecided { held, .. } => {
                held.extend_from_slice(bytes);
                self.decide(false);
            }
            Line::Frames(frames) => frames.bytes(bytes),
            Line::Bare(bare) => bare.bytes(now, bytes),
        }
        self.pump(now);
    }

    /// A capture without frames begins with an H, with an STX before it where a message stands between STX and ETX;
    /// one with frames begins with STX and a number, ENQ or what a terminal wrote before.
    fn decide(&mut self, over: bool) {
        let Line::Undecided { settings, held } = &mut self.line else { return };
        let mut telling =
            held.iter().filter(|b| !matches!(**b, 0 | b' ' | ENQ | ACK | NAK | EOT | CR | LF)).copied();
        let mut first = telling.next();
        if first == Some(STX) {
            first = telling.next();
        }
        if first.is_none() && !over && held.len() < UNDECIDED_MAX {
            return;
        }
        let (settings, held) = (*settings, std::mem::take(held));
        self.line = if matches!(first, Some(b'H' | b'h')) {
            let mut bare = Bare::new(settings.receive, self.plan.profile.no_terminator);
            bare.bytes(Tick::ZERO, &held);
            Line::Bare(bare)
        } else {
            let mut frames = Frames::new(settings, true);
            frames.bytes(&held);
            Line::Frames(Box::new(frames))
        };
    }

    fn pump(&mut self, now: Tick) {
        match &mut self.line {
            Line::Undecided { .. } => {}
            Line::Frames(frames) => frames.pump(now, self.channel, &mut self.out),
            Line::Bare(bare) => bare.pump(&mut self.out),
        }
    }

    fn answer(&mut self, answer: &Answer<'_>) {
        let (Line::Frames(frames), Answer::NoOrder { .. }, Some(_), false) =
            (&mut self.line, answer, self.channel, self.stopping)
        else {
            return;
        };
        let code = self.plan.profile.query.no_order.byte();
        let mut text = b"H|\\^&\rL|1|".to_vec();
        text.extend(code);
        text.push(CR);
        frames.answer(text, &mut self.out);
    }

    fn set_busy(&mut self) {
        if let Line::Frames(frames) = &mut self.line {
            frames.set_busy(self.busy || self.stopping);
        }
    }

    fn deadline(&self) -> Option<Deadline> {
        match &self.line {
            Line::Undecided { .. } => None,
            Line::Frames(frames) => frames.deadline(),
            Line::Bare(bare) => bare.deadline(),
        }
    }

    fn is_idle(&self) -> bool {
        match &self.line {
            Line::Undecided { .. } => true,
            Line::Frames(frames) => frames.is_idle(),
            Line::Bare(bare) => bare.is_idle(),
        }
    }
}

impl Session for AstmSession {
    fn handle(&mut self, now: Tick, input: Input<'_>) {
        match input {
            Input::Opened(channel, _) => self.opened(now, channel),
            Input::Bytes(channel, bytes) if self.channel == Some(channel) => self.bytes(now, bytes),
            Input::Closed(channel) if self.channel == Some(channel) => self.closed(now),
            Input::Sent(channel) if self.channel == Some(channel) => {
                if let Line::Frames(frames) = &mut self.line {
                    frames.sent(now);
                }
                self.pump(now);
            }
            Input::Deadline => match &mut self.line {
                Line::Undecided { .. } => {}
                Line::Frames(frames) => frames.due(now, self.channel, &mut self.out),
                Line::Bare(bare) => bare.due(now, &mut self.out),
            },
            Input::Stored(stored) => {
                match &mut self.line {
                    Line::Undecided { .. } => {}
                    Line::Frames(frames) => frames.stored(now, stored.ticket()),
                    Line::Bare(bare) => bare.stored(stored.ticket()),
                }
                self.pump(now);
            }
            Input::Refused(ticket) => {
                match &mut self.line {
                    Line::Undecided { .. } => {}
                    Line::Frames(frames) => frames.refused(now, ticket, &mut self.out),
                    Line::Bare(bare) => bare.refused(ticket, &mut self.out),
                }
                self.pump(now);
            }
            Input::Busy(busy) => {
                self.busy = busy;
                self.set_busy();
            }
            Input::Answer(answer) => {
                self.answer(&answer);
                self.pump(now);
            }
            Input::Stop => {
                self.stopping = true;
                self.set_busy();
                if let Line::Frames(frames) = &mut self.line {
                    frames.withdraw();
                }
                self.pump(now);
            }
            // Of a channel that another one took over from, or of a kind that this protocol does not have.
            _ => {}
        }
    }

    fn poll(&mut self) -> Output<'_> {
        if self.out.is_empty() {
            return if self.stopping && self.is_idle() {
                Output::Done
            } else {
                Output::Wait(self.deadline())
            };
        }
        self.out.next().unwrap_or(Output::Wait(None))
    }
}
