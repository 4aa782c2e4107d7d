//! What a session wants done, in order, until the gateway asks for it.

use orugate_driver::{Channel, Note, NoteKind, Output, Reason, Slot, State, TrafficFault};
use std::collections::VecDeque;

/// Outputs that wait for [`Session::poll`](orugate_driver::Session::poll).
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<Act>,
    /// What was handed out last: its bytes are borrowed until the next call.
    lent: Option<Act>,
}

#[derive(Debug)]
enum Act {
    Send(Channel, Vec<u8>),
    Close(Channel, Reason),
    Current(Channel, Slot, Vec<u8>),
    Taken(Channel, Vec<u8>),
    Forget(Channel, Slot),
    ForgetAll(Channel),
    State(State),
    Note(Note),
}

impl Outbox {
    pub(crate) fn send(&mut self, channel: Channel, bytes: Vec<u8>) {
        self.queue.push_back(Act::Send(channel, bytes));
    }

    pub(crate) fn close(&mut self, channel: Channel, reason: Reason) {
        self.queue.push_back(Act::Close(channel, reason));
    }

    pub(crate) fn current(&mut self, channel: Channel, slot: Slot, bytes: &[u8]) {
        self.queue.push_back(Act::Current(channel, slot, bytes.to_vec()));
    }

    pub(crate) fn taken(&mut self, channel: Channel, bytes: &[u8]) {
        self.queue.push_back(Act::Taken(channel, bytes.to_vec()));
    }

    pub(crate) fn forget(&mut self, channel: Channel, slot: Slot) {
        self.queue.push_back(Act::Forget(channel, slot));
    }

    pub(crate) fn forget_all(&mut self, channel: Channel) {
        self.queue.push_back(Act::ForgetAll(channel));
    }

    pub(crate) fn state(&mut self, state: State) {
        self.queue.push_back(Act::State(state));
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
            Act::Current(channel, slot, bytes) => Output::Current(*channel, *slot, bytes),
            Act::Taken(channel, bytes) => Output::Taken(*channel, bytes),
            Act::Forget(channel, slot) => Output::Forget(*channel, *slot),
            Act::ForgetAll(channel) => Output::ForgetAll(*channel),
            Act::State(state) => Output::State(*state),
            Act::Note(note) => Output::Note(*note),
        })
    }
}
