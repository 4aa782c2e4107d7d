//! The receiving side: opening a transfer, judging frames, holding their replies.
//!
//! Promises that an ACK goes out only for ENQ, for a frame that the caller accepted while the peer waits, and for a
//! byte-for-byte repeat of such a frame.

use super::event::{Cut, EndReason, Frame, FrameId, Opening, TroubleKind};
use super::frame::hash;
use super::scan::{Mode, Notes, Seen, Whole};
use super::settings::{Checksum, Establishment, FrameNumbers, Replies, Terminator};
use super::state::{Accepted, Control, Doubt, Happened, Hold, Out, Receiving, State};
use super::{Link, Why};
use crate::ascii::{EOT, STX};
use crate::time::Tick;

/// What the number and the bytes of a right frame make of it.
enum Verdict {
    Repeat,
    New(Option<TroubleKind>),
    Refuse(TroubleKind),
}

impl<B, M> Link<B, M>
where
    B: AsRef<[u8]> + AsMut<[u8]>,
    M: AsRef<[u8]>,
{
    /// The frame that waits for its reply.
    pub fn held(&self) -> Option<Frame<'_>> {
        let State::Receiving(Receiving { hold: Hold::Held { id, frame, .. }, .. }) = self.state else {
            return None;
        };
        let (raw, text) = self.scanner.frame(self.buffer.as_ref());
        Some(Frame {
            id: FrameId(id),
            raw,
            text,
            number: frame.number,
            last: frame.last,
            at: self.scanner.start(),
        })
    }

    /// The frame is stored: it is answered ACK and the next one is expected.
    ///
    /// `false` when the link has moved on meanwhile (the peer's wait was over, a new transfer, a new connection); then
    /// nothing is sent. If only the wait was over, a repeat of the frame is still known as one.
    pub fn accept(&mut self, now: Tick, id: FrameId) -> bool {
        self.settle(now, id, Control::Ack)
    }

    /// As [`accept`](Self::accept), and asks the peer for the line: EOT in place of ACK. The peer may go on instead.
    pub fn accept_and_interrupt(&mut self, now: Tick, id: FrameId) -> bool {
        self.settle(now, id, Control::Eot)
    }

    /// The frame cannot be stored: it is answered NAK and may come again. `false` when the link has moved on.
    ///
    /// When nothing can be stored, [`set_busy`](Self::set_busy) first.
    pub fn refuse(&mut self, now: Tick, id: FrameId) -> bool {
        self.settle(now, id, Control::Nak)
    }

    fn settle(&mut self, now: Tick, FrameId(wanted): FrameId, control: Control) -> bool {
        let State::Receiving(receiving) = &mut self.state else { return false };
        let stored = control != Control::Nak;
        match receiving.hold {
            Hold::Held { id, frame, since, renewed } if id == wanted => {
                receiving.hold = Hold::Nothing;
                receiving.until = now.after(self.settings.receive);
                if stored {
                    receiving.accepted = Some(frame);
                    // On a one-way line a refused frame does not come again, so what it lacks stays lacking.
                    if self.settings.replies != Replies::Never {
                        receiving.doubt = Doubt::None;
                    }
                } else {
                    receiving.doubt = Doubt::Refused;
                }
                self.scanner.reset(&mut self.queue);
                if renewed {
                    return false;
                }
                self.answer(since, now, control, frame.last);
                true
            }
            Hold::Late { id, frame } if id == wanted => {
                receiving.hold = Hold::Nothing;
                if stored {
                    receiving.accepted = Some(frame);
                }
                false
            }
            Hold::Nothing | Hold::Held { .. } | Hold::Late { .. } => false,
        }
    }

    /// The peer has stopped waiting for the reply to the held frame.
    pub(super) fn release(&mut self, now: Tick) {
        let State::Receiving(receiving) = &mut self.state else { return };
        let Hold::Held { id, frame, .. } = receiving.hold else { return };
        receiving.hold = Hold::Late { id, frame };
        receiving.doubt = Doubt::Unanswered;
        receiving.until = now.after(self.settings.receive);
        self.queue.note(self.scanner.start(), TroubleKind::ReplyTooLate { number: frame.number });
        self.scanner.reset(&mut self.queue);
    }

    /// Nothing came for the receive time.
    pub(super) fn silent(&mut self) {
        let State::Receiving(receiving) = &self.state else { return };
        let whole = receiving.end(self.settings.terminator == Terminator::Any);
        let reason = match (receiving.opening, whole) {
            // Without ENQ there need be no EOT.
            (Opening::Frame, EndReason::Complete) if !self.scanner.is_inside() => EndReason::Complete,
            _ => EndReason::Incomplete(Cut::Silence),
        };
        self.end(reason);
    }

    /// True for the STX of a peer that sends without asking, while we wait for its answer to our ENQ.
    pub(super) fn is_frame_without_enq(&self, byte: u8) -> bool {
        byte == STX
            && self.settings.establishment == Establishment::Optional
            && matches!(self.state, State::Establishing(_))
    }

    /// A byte in neutral or in a transfer of the peer.
    pub(super) fn transfer_byte(&mut self, now: Tick, byte: u8) -> bool {
        let in_transfer = matches!(self.state, State::Receiving(_));
        let mode = Mode {
            frames: in_transfer || self.settings.establishment == Establishment::Optional,
            in_transfer,
            checksum: self.settings.checksum,
        };
        let (taken, seen) = self.scanner.push(byte, self.taken, self.buffer.as_mut(), mode, &mut self.queue);
        self.act(now, seen);
        taken
    }

    pub(super) fn act(&mut self, now: Tick, seen: Seen) {
        let receiving = match self.state {
            State::Receiving(receiving) => Some(receiving),
            State::Neutral | State::Establishing(_) | State::Sending(_) => None,
        };
        match (seen, receiving) {
            (Seen::Nothing | Seen::Started, Some(_)) | (Seen::Nothing, None) => {}
            (Seen::Started, None) => self.open(now, Opening::Frame),
            (Seen::Enq { awaited }, Some(_)) => {
                self.end(EndReason::Incomplete(Cut::NewEnq));
                self.asked(now, awaited);
            }
            (Seen::Enq { awaited }, None) => self.asked(now, awaited),
            (Seen::Eot { cut: true }, Some(_)) => self.end(EndReason::Incomplete(Cut::FrameNotAccepted)),
            (Seen::Eot { cut: false }, Some(receiving)) => {
                self.end(receiving.end(self.settings.terminator == Terminator::Any));
            }
            (Seen::Eot { .. }, None) => self.queue.note(self.taken, TroubleKind::Unexpected(EOT)),
            (Seen::Missed, Some(_)) => self.reject(now, None),
            (Seen::Frame(whole), Some(receiving)) => self.judge(now, whole, receiving),
            (Seen::Missed | Seen::Frame(_), None) => {}
        }
    }

    /// The peer asked for the line, and waits for an answer or does not.
    pub(super) fn asked(&mut self, now: Tick, awaited: bool) {
        if self.busy && awaited && self.is_answered(true) {
            self.answer(now, now, Control::Nak, true);
            self.queue.push(Happened::TurnedAway);
            return;
        }
        self.open(now, Opening::Enq);
        if awaited {
            self.answer(now, now, Control::Ack, true);
        }
    }

    pub(super) fn open(&mut self, now: Tick, opening: Opening) {
        // What was waited for after a collision or an interrupt has come.
        if self.pause.is_some_and(|pause| matches!(pause.why, Why::Contention | Why::Interrupt)) {
            self.pause = None;
        }
        self.state = State::Receiving(Receiving {
            opening,
            until: now.after(self.settings.receive),
            hold: Hold::Nothing,
            accepted: None,
            doubt: Doubt::None,
        });
        self.queue.push(Happened::Established(opening));
    }

    fn end(&mut self, reason: EndReason) {
        self.scanner.reset(&mut self.queue);
        self.state = State::Neutral;
        self.queue.push(Happened::Ended(reason));
    }

    fn judge(&mut self, now: Tick, whole: Whole, receiving: Receiving) {
        let Whole { number, last, expected, found } = whole;
        if self.settings.checksum == Checksum::Verified && found != Some(expected) {
            let found = found.unwrap_or_default();
            self.queue.note(self.scanner.start(), TroubleKind::BadChecksum { expected, found });
            return self.reject(now, Some(last));
        }
        let hash = hash(self.scanner.covered(self.buffer.as_ref()));
        let frame = Accepted { number, last, hash };
        match self.verdict(frame, receiving) {
            Verdict::Repeat => {
                if let State::Receiving(receiving) = &mut self.state
                    && receiving.doubt == Doubt::Unanswered
                {
                    receiving.doubt = Doubt::None;
                }
                self.scanner.reset(&mut self.queue);
                self.answer(now, now, Control::Ack, last);
                self.queue.push(Happened::Repeated(number));
            }
            Verdict::New(trouble) => {
                if let Some(kind) = trouble {
                    self.queue.note(self.scanner.start(), kind);
                }
                let id = self.frames;
                self.frames = id.wrapping_add(1);
                if let State::Receiving(receiving) = &mut self.state {
                    let renewed = self.scanner.is_renewed();
                    receiving.hold = Hold::Held { id, frame, since: now, renewed };
                }
                self.queue.push(Happened::Frame);
            }
            Verdict::Refuse(kind) => {
                self.queue.note(self.scanner.start(), kind);
                self.reject(now, Some(last));
            }
        }
    }

    fn verdict(&self, frame: Accepted, receiving: Receiving) -> Verdict {
        let expected = receiving.expected();
        let found = frame.number;
        let any = self.settings.frame_numbers == FrameNumbers::Any;
        match receiving.accepted {
            Some(accepted) if accepted == frame => Verdict::Repeat,
            _ if found == expected => Verdict::New(None),
            // Without ENQ, nothing but the end of a message says that the count begins again.
            Some(accepted) if receiving.opening == Opening::Frame && accepted.last && found == 1 => {
                Verdict::New(None)
            }
            Some(accepted) if accepted.number == found => {
                let kind = TroubleKind::SameNumber(found);
                if any { Verdict::New(Some(kind)) } else { Verdict::Refuse(kind) }
            }
            accepted => {
                let kind = TroubleKind::FrameNumber { expected, found };
                if any || (accepted.is_none() && found == 0) {
                    Verdict::New(Some(kind))
                } else {
                    Verdict::Refuse(kind)
                }
            }
        }
    }

    /// The frame is no good; `last` is unknown when it had no end.
    fn reject(&mut self, now: Tick, last: Option<bool>) {
        self.scanner.reset(&mut self.queue);
        if let State::Receiving(receiving) = &mut self.state {
            receiving.doubt = Doubt::Refused;
        }
        self.answer(now, now, Control::Nak, last.unwrap_or(true));
        self.queue.push(Happened::Rejected);
    }

    /// True when the peer gets a reply to such a frame; ENQ counts as a last one.
    pub(super) const fn is_answered(&self, last: bool) -> bool {
        match self.settings.replies {
            Replies::Each => true,
            Replies::LastFrame => last,
            Replies::Never => false,
        }
    }

    /// Queues a reply to what was whole at `since`.
    fn answer(&mut self, since: Tick, now: Tick, control: Control, last: bool) {
        if self.is_answered(last) {
            let at = since.after(self.settings.reply_delay);
            self.out = Some(Out { control, after: (at > now).then_some(at) });
        }
    }
}
