//! A line of bare records: from H to L, without ENQ and frames. Nothing is acknowledged, for nobody waits for it.
//!
//! Promises: what lies between messages is skipped, all else is stored in order; one ticket is open at a time. A
//! message ends at its L record, at an EOT (incomplete when a record has no end yet), at the ETX of a message that stands between STX and ETX, or, incomplete,
//! when the line is quiet for the receive time. Leaves out asking again: a chunk that cannot be stored is lost, which a
//! note says, and so is the rest of its message.

use crate::tracker::Tracker;
use orugate_driver::time::Tick;
use orugate_driver::{Deadline, MessageEnd, Outbox, Ticket};
use orugate_protocol::ascii::{EOT, ETX, STX};
use std::collections::VecDeque;
use std::time::Duration;

/// A longer message is stored in several chunks.
const CHUNK: usize = 32 << 10;

/// A line of bare records.
pub(crate) struct Bare {
    pending: Vec<u8>,
    taken: usize,
    offset: u64,
    /// Of the message that is being read, what is not stored yet.
    chunk: Vec<u8>,
    tracker: Tracker,
    state: State,
    ticket: Option<(Ticket, Option<MessageEnd>)>,
    quiet: Duration,
    /// The model sends no L: silence, ETX and the connection's end are ends of a message as good as any.
    no_terminator: bool,
    quiet_at: Option<Tick>,
    /// Where in `pending` a connection ended. What came before is still taken, and belongs to no message after it.
    breaks: VecDeque<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between messages.
    Between,
    /// In a message of which nothing is stored.
    Begun,
    /// In a message whose first chunk is stored, or on its way.
    Stored,
    /// In a message that could not be stored.
    Skipping,
}

impl Bare {
    pub(crate) fn new(quiet: Duration, no_terminator: bool) -> Self {
        Self {
            pending: Vec::new(),
            taken: 0,
            offset: 0,
            chunk: Vec::new(),
            tracker: Tracker::new(),
            state: State::Between,
            ticket: None,
            quiet,
            no_terminator,
            quiet_at: None,
            breaks: VecDeque::new(),
        }
    }

    pub(crate) fn bytes(&mut self, now: Tick, bytes: &[u8]) {
        self.pending.drain(..self.taken);
        for at in &mut self.breaks {
            *at = at.saturating_sub(self.taken);
        }
        self.taken = 0;
        self.pending.extend_from_slice(bytes);
        self.quiet_at = Some(now.after(self.quiet));
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let at = self.quiet_at.filter(|_| self.state != State::Between && self.ticket.is_none())?;
        Some(Deadline { at, why: "the next record" })
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.state == State::Between && self.ticket.is_none() && self.breaks.is_empty()
    }

    pub(crate) fn due(&mut self, now: Tick, out: &mut Outbox) {
        if self.deadline().is_some_and(|deadline| deadline.at <= now) {
            let end = self.end_here();
            if end == MessageEnd::Incomplete && self.state != State::Skipping {
                out.say("silence before the end of a message; it is incomplete", false, self.offset);
            }
            self.end(end, out);
        }
        self.pump(out);
    }

    pub(crate) fn stored(&mut self, ticket: Ticket) {
        let Some((_, last)) = self.ticket.take_if(|(open, _)| *open == ticket) else { return };
        self.state = if last.is_some() { State::Between } else { State::Stored };
    }

    pub(crate) fn refused(&mut self, ticket: Ticket, out: &mut Outbox) {
        let Some((_, last)) = self.ticket.take_if(|(open, _)| *open == ticket) else { return };
        out.say("records could not be stored; the instrument cannot be told", true, self.offset);
        self.state = if last.is_some() { State::Between } else { State::Skipping };
    }

    /// The channel is gone; what is pending is still taken.
    pub(crate) fn closed(&mut self, out: &mut Outbox) {
        self.breaks.push_back(self.pending.len());
        self.pump(out);
    }

    pub(crate) fn pump(&mut self, out: &mut Outbox) {
        while self.ticket.is_none() {
            if self.breaks.front() == Some(&self.taken) {
                self.breaks.pop_front();
                self.finish(out);
                continue;
            }
            let Some(byte) = self.pending.get(self.taken).copied() else { return };
            self.taken = self.taken.saturating_add(1);
            self.offset = self.offset.saturating_add(1);
            self.byte(byte, out);
        }
    }

    fn byte(&mut self, byte: u8, out: &mut Outbox) {
        if self.state == State::Between {
            // A frame's STX is kept, so that frames on a line that should have none can still be read.
            if byte <= b' ' && byte != STX {
                return;
            }
            self.tracker = Tracker::new();
            self.state = State::Begun;
        }
        if byte == EOT {
            // Amid a record it is noise, or the rest was lost: half a value must not pass for a whole one.
            self.tracker.part_end();
            let whole = self.tracker.is_between_records();
            return self.end(if whole { MessageEnd::Complete } else { MessageEnd::Incomplete }, out);
        }
        if byte == ETX {
            self.tracker.part_end();
        } else {
            self.tracker.byte(byte);
        }
        if self.state != State::Skipping {
            self.chunk.push(byte);
        }
        let whole = self.no_terminator && byte == ETX && self.tracker.is_between_records();
        if self.tracker.ended() || whole {
            self.end(MessageEnd::Complete, out);
        } else if self.chunk.len() >= CHUNK {
            self.store(None, out);
        }
    }

    fn end(&mut self, end: MessageEnd, out: &mut Outbox) {
        if self.state == State::Skipping {
            self.state = State::Between;
        } else {
            self.store(Some(end), out);
        }
    }

    fn store(&mut self, last: Option<MessageEnd>, out: &mut Outbox) {
        let first = self.state == State::Begun;
        let ticket = out.store(std::mem::take(&mut self.chunk), first, last);
        self.ticket = Some((ticket, last));
    }

    /// After the last byte of a connection.
    fn finish(&mut self, out: &mut Outbox) {
        self.offset = 0;
        if self.state != State::Between {
            self.tracker.part_end();
            self.end(self.end_here(), out);
        }
    }

    /// How a message ends that just stops.
    fn end_here(&self) -> MessageEnd {
        if self.tracker.ended() || (self.no_terminator && self.tracker.is_between_records()) {
            MessageEnd::Complete
        } else {
            MessageEnd::Incomplete
        }
    }
}
