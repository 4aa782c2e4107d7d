//! The sending side: asking for the line, cutting a message into frames, sending them until each is acknowledged.
//!
//! Promises that a message counts as delivered only after the peer acknowledged its last frame, and that a frame
//! which comes again is the same bytes. Leaves out when a message that failed is offered again.

use core::fmt;

use super::event::{Failure, TroubleKind};
use super::frame::{FrameEnd, OVERHEAD, first_unframeable, next_number, write_frame};
use super::scan::Notes;
use super::settings::{Checksum, Interrupts, Replies, Split, StrangeReply};
use super::state::{Awaited, Control, Happened, Out, Outbox, Pause, Sending, State};
use super::{Link, Why};
use crate::ascii::{ACK, CR, ENQ, EOT, LF, NAK};
use crate::time::Tick;

/// A message that was not taken, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused<M> {
    /// The message.
    pub message: M,
    /// Why it was not taken.
    pub because: RefusedBecause,
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedBecause {
    /// Another one is offered; one at a time.
    Occupied,
    /// It has no text.
    Empty,
    /// It has a restricted character (other than LF) at this offset, which would end or break a frame.
    Unframeable(usize),
    /// The link's buffer holds no frame.
    NoRoom,
    /// On a line without replies nothing can be known to be delivered.
    NoReplies,
}

impl fmt::Display for RefusedBecause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Occupied => f.write_str("another message is being sent"),
            Self::Empty => f.write_str("the message is empty"),
            Self::Unframeable(at) => write!(f, "the message has a framing character at offset {at}"),
            Self::NoRoom => f.write_str("the link's buffer holds no frame"),
            Self::NoReplies => f.write_str("the line is one-way"),
        }
    }
}

impl<B, M> Link<B, M>
where
    B: AsRef<[u8]> + AsMut<[u8]>,
    M: AsRef<[u8]>,
{
    /// Takes a message to send: records with their CR, without framing. [`transmit`](Self::transmit) asks for the
    /// line as soon as it is free. The message stays offered until `Delivered` or `Failed`.
    ///
    /// # Errors
    /// Gives the message back with [`RefusedBecause`].
    pub fn offer(&mut self, message: M) -> Result<(), Refused<M>> {
        let text = message.as_ref();
        let because = if self.outbox.offered().is_some() {
            RefusedBecause::Occupied
        } else if self.settings.replies == Replies::Never {
            RefusedBecause::NoReplies
        } else if text.is_empty() {
            RefusedBecause::Empty
        } else if self.buffer.as_ref().len() <= OVERHEAD {
            RefusedBecause::NoRoom
        } else if let Some(at) = first_unframeable(text) {
            RefusedBecause::Unframeable(at)
        } else {
            self.outbox = Outbox::Offered(message);
            return Ok(());
        };
        Err(Refused { message, because })
    }

    /// Takes the message back, whatever became of it. If it was being sent, the transfer is ended with EOT.
    pub fn withdraw(&mut self) -> Option<M> {
        if matches!(self.state, State::Establishing(_) | State::Sending(_)) {
            self.leave();
        }
        self.outbox.take()
    }

    /// True when ENQ may be sent.
    pub(super) fn may_ask(&self, now: Tick) -> bool {
        self.outbox.offered().is_some()
            && self.pause.is_none_or(|pause| pause.until <= now)
            && self.scanner.is_quiet()
    }

    /// Writes the frame into the buffer, which nothing is received into meanwhile.
    pub(super) fn write(&mut self, mut sending: Sending) -> Option<&[u8]> {
        let Sending { from, number, .. } = sending;
        let with_checksum = self.settings.checksum != Checksum::Absent;
        let room = self.buffer.as_ref().len().saturating_sub(OVERHEAD);
        let max = usize::from(self.settings.send_text_max).min(room).max(1);
        let text = self.outbox.offered().map_or(&[][..], AsRef::as_ref);
        let written = cut(text, from, max, self.settings.split).and_then(|(to, end)| {
            let text = text.get(from..to)?;
            sending.to = to;
            write_frame(number, text, end, with_checksum, self.buffer.as_mut())
        });
        let Some(len) = written else {
            self.give_up(Failure::Changed);
            self.out = None;
            return Some(Control::Eot.bytes());
        };
        sending.sends = sending.sends.saturating_add(1);
        sending.awaited = Awaited::Draining;
        self.state = State::Sending(sending);
        self.buffer.as_ref().get(..len)
    }

    /// A byte while we wait for the peer's reply.
    pub(super) fn reply_byte(&mut self, now: Tick, byte: u8) {
        let (asking, awaited) = match self.state {
            State::Establishing(awaited) => (true, awaited),
            State::Sending(sending) => (false, sending.awaited),
            State::Neutral | State::Receiving(_) => return,
        };
        // A reply that came before the frame went out is not a reply to it.
        let stale = awaited == Awaited::Queued;
        match byte {
            ACK | NAK | EOT | ENQ if !stale => {
                self.scanner.reset(&mut self.queue);
                if asking { self.reply_to_enq(now, byte) } else { self.reply_to_frame(now, byte) }
            }
            CR | LF | 0 => {}
            _ => {
                self.scanner.stray(byte, self.taken, &mut self.queue);
                if self.settings.strange_reply == StrangeReply::Nak && !asking && !stale {
                    self.reply_to_frame(now, NAK);
                }
            }
        }
    }

    fn reply_to_enq(&mut self, now: Tick, byte: u8) {
        match byte {
            ACK => {
                self.state =
                    State::Sending(Sending { from: 0, to: 0, number: 1, sends: 0, awaited: Awaited::Queued });
            }
            NAK => {
                let wait = self.settings.busy;
                self.state = State::Neutral;
                self.pause = Some(Pause { until: now.after(wait), wait, why: Why::PeerBusy });
                self.queue.push(Happened::PeerBusy);
            }
            ENQ => {
                let wait = self.settings.contention();
                self.state = State::Neutral;
                self.queue.push(Happened::Contention);
                if self.settings.answer_colliding_enq {
                    self.asked(now, true);
                } else {
                    self.pause = Some(Pause { until: now.after(wait), wait, why: Why::Contention });
                }
            }
            _ => self.queue.note(self.taken, TroubleKind::Unexpected(byte)),
        }
    }

    fn reply_to_frame(&mut self, now: Tick, byte: u8) {
        let State::Sending(sending) = self.state else { return };
        let Sending { to, number, sends, .. } = sending;
        match byte {
            ACK | EOT => {
                self.queue.push(Happened::FrameSent(number));
                let honour = byte == EOT && self.settings.interrupts == Interrupts::Honour;
                let done = self.outbox.offered().is_none_or(|message| to >= message.as_ref().len());
                if done {
                    self.leave();
                    self.outbox.settle();
                    self.queue.push(Happened::Delivered);
                } else if honour {
                    self.leave();
                    self.queue.push(Happened::Interrupted);
                } else {
                    let number = next_number(number);
                    let awaited = Awaited::Queued;
                    self.state = State::Sending(Sending { from: to, to, number, sends: 0, awaited });
                }
                if honour {
                    let wait = self.settings.interrupt;
                    self.pause = Some(Pause { until: now.after(wait), wait, why: Why::Interrupt });
                }
            }
            ENQ if self.settings.strange_reply == StrangeReply::Ignore => {
                self.queue.note(self.taken, TroubleKind::Unexpected(byte));
            }
            _ if sends >= self.settings.max_sends => self.give_up(Failure::Refused { number, sends }),
            _ => self.state = State::Sending(Sending { awaited: Awaited::Queued, ..sending }),
        }
    }

    /// Ends the transfer without delivery.
    pub(super) fn give_up(&mut self, failure: Failure) {
        self.leave();
        self.outbox.settle();
        self.queue.push(Happened::Failed(failure));
    }

    /// Ends our transfer, or our asking for one, with EOT.
    fn leave(&mut self) {
        self.scanner.reset(&mut self.queue);
        self.state = State::Neutral;
        self.out = Some(Out { control: Control::Eot, after: None });
    }
}

/// Where the frame that begins at `from` ends, and how; `None` past the end.
fn cut(text: &[u8], from: usize, max: usize, split: Split) -> Option<(usize, FrameEnd)> {
    let rest = text.get(from..).filter(|rest| !rest.is_empty())?;
    let unit = match split {
        Split::Message => rest.len(),
        Split::Record => memchr::memchr(CR, rest).map_or(rest.len(), |cr| cr.saturating_add(1)),
    };
    let end = if unit <= max { FrameEnd::Etx } else { FrameEnd::Etb };
    Some((from.checked_add(unit.min(max))?, end))
}
