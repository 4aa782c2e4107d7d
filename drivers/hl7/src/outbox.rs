//! What a session wants done, in order, until the gateway asks for it.

use orugate_driver::{Channel, Chunk, MessageEnd, Note, NoteKind, Output, Reason, Ticket, TrafficFault};
use std::collections::VecDeque;

/// Outputs that wait for [`Session::poll`](orugate_driver::Session::poll).
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<Act>,
    /// What was handed out last: its bytes are borrowed until the next call.
    lent: Option<Act>,
    tickets: u64,
}

#[derive(Debug)]
enum Act {
    Send(Channel, Vec<u8>),
    Close(Channel, Reason),
    Store(Ticket, Vec<u8>),
    Note(Note),
}

impl Outbox {
    pub(crate) fn send(&mut self, channel: Channel, bytes: Vec<u8>) {
        self.queue.push_back(Act::Send(channel, bytes));
    }

    pub(crate) fn close(&mut self, channel: Channel, reason: Reason) {
        self.queue.push_back(Act::Close(channel, reason));
    }

    /// Asks for a whole message to be kept; the ticket names it.
    pub(crate) fn store(&mut self, message: Vec<u8>) -> Ticket {
        let ticket = Ticket(self.tickets);
        self.tickets = self.tickets.saturating_add(1);
        self.queue.push_back(Act::Store(ticket, message));
        ticket
    }

    pub(crate) fn note(&mut self, what: TrafficFault, lost: bool, offset: u64) {
        self.queue.push_back(Act::Note(Note { kind: NoteKind::Link { what, lost }, offset }));
    }

    /// A note without numbers.
    pub(crate) fn say(&mut self, sentence: &'static str, lost: bool, offset: u64) {
        self.note(TrafficFault { sentence, expected: None, found: None }, lost, offset);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The next output, or `None` when all are out.
    pub(crate) fn next(&mut self) -> Option<Output<'_>> {
        self.lent = self.queue.pop_front();
        Some(match self.lent.as_ref()? {
            Act::Send(channel, bytes) => Output::Send(*channel, bytes),
            Act::Close(channel, reason) => Output::Close(*channel, *reason),
            Act::Store(ticket, bytes) => {
                Output::Store(*ticket, Chunk { bytes, first: true, last: Some(MessageEnd::Complete) })
            }
            Act::Note(note) => Output::Note(*note),
        })
    }
}
