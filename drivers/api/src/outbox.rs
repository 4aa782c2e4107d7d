//! What a session wants done, in order, until the gateway asks for it.
//!
//! Promises that outputs leave in the order in which they were given, that the bytes of one are lent until the next is asked
//! for, and that no ticket is given twice. A driver may have a queue of its own instead.

use crate::{Channel, Chunk, MessageEnd, Note, NoteKind, Output, Reason, Slot, State, Ticket, TrafficFault};
use std::collections::VecDeque;

/// Outputs that wait for [`Session::poll`](crate::Session::poll).
#[derive(Debug, Default)]
pub struct Outbox {
    queue: VecDeque<Act>,
    /// What was handed out last: its bytes are borrowed until the next call.
    lent: Option<Act>,
    tickets: u64,
}

#[derive(Debug)]
enum Act {
    Send(Channel, Vec<u8>),
    Close(Channel, Reason),
    Store { ticket: Ticket, bytes: Vec<u8>, first: bool, last: Option<MessageEnd> },
    Current(Channel, Slot, Vec<u8>),
    Taken(Channel, Vec<u8>),
    Forget(Channel, Slot),
    ForgetAll(Channel),
    State(State),
    Note(Note),
}

impl Outbox {
    /// As [`Output::Send`].
    pub fn send(&mut self, channel: Channel, bytes: impl Into<Vec<u8>>) {
        self.queue.push_back(Act::Send(channel, bytes.into()));
    }

    /// As [`Output::Close`].
    pub fn close(&mut self, channel: Channel, reason: Reason) {
        self.queue.push_back(Act::Close(channel, reason));
    }

    /// As [`Output::Store`]; the ticket names the bytes.
    pub fn store(&mut self, bytes: Vec<u8>, first: bool, last: Option<MessageEnd>) -> Ticket {
        let ticket = Ticket(self.tickets);
        self.tickets = self.tickets.saturating_add(1);
        self.queue.push_back(Act::Store { ticket, bytes, first, last });
        ticket
    }

    /// As [`Output::Current`].
    pub fn current(&mut self, channel: Channel, slot: Slot, bytes: impl Into<Vec<u8>>) {
        self.queue.push_back(Act::Current(channel, slot, bytes.into()));
    }

    /// As [`Output::Taken`].
    pub fn taken(&mut self, channel: Channel, bytes: impl Into<Vec<u8>>) {
        self.queue.push_back(Act::Taken(channel, bytes.into()));
    }

    /// As [`Output::Forget`].
    pub fn forget(&mut self, channel: Channel, slot: Slot) {
        self.queue.push_back(Act::Forget(channel, slot));
    }

    /// As [`Output::ForgetAll`].
    pub fn forget_all(&mut self, channel: Channel) {
        self.queue.push_back(Act::ForgetAll(channel));
    }

    /// As [`Output::State`].
    pub fn state(&mut self, state: State) {
        self.queue.push_back(Act::State(state));
    }

    /// As [`Output::Note`], of the link.
    pub fn note(&mut self, what: TrafficFault, lost: bool, offset: u64) {
        self.queue.push_back(Act::Note(Note { kind: NoteKind::Link { what, lost }, offset }));
    }

    /// A note without numbers.
    pub fn say(&mut self, sentence: &'static str, lost: bool, offset: u64) {
        self.note(TrafficFault { sentence, expected: None, found: None }, lost, offset);
    }

    /// Nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The next output, or `None` when all are out.
    #[allow(clippy::should_implement_trait)] // What it gives is lent.
    pub fn next(&mut self) -> Option<Output<'_>> {
        self.lent = self.queue.pop_front();
        Some(match self.lent.as_ref()? {
            Act::Send(channel, bytes) => Output::Send(*channel, bytes),
            Act::Close(channel, reason) => Output::Close(*channel, *reason),
            Act::Store { ticket, bytes, first, last } => {
                Output::Store(*ticket, Chunk { bytes, first: *first, last: *last })
            }
            Act::Current(channel, slot, bytes) => Output::Current(*channel, *slot, bytes),
            Act::Taken(channel, bytes) => Output::Taken(*channel, bytes),
            Act::Forget(channel, slot) => Output::Forget(*channel, *slot),
            Act::ForgetAll(channel) => Output::ForgetAll(*channel),
            Act::State(state) => Output::State(*state),
            Act::Note(note) => Output::Note(*note),
        })
    }
}
