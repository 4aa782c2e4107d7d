//! Chunks on their way to the journal.
//!
//! Promises that a chunk belongs to the message that is open, or begins one with a number of its own, and that no
//! message grows beyond what memory holds. Leaves out what the journal's answer means, which is the port's.

use super::{Life, Mail, Port, lane};
use crate::clock::Clock;
use crate::records::{Chunk, clock_number};
use crate::store::{Entry, Store};
use orugate_driver::{MessageEnd, Ticket};
use orugate_journal::{AppendError, Lane, UnixMillis, Urgency};
use orugate_protocol::time::{ClockQuality, Utc};
use tokio::sync::mpsc;

/// The most that one message may have; what goes on beyond it is another message, and this one is incomplete.
pub(super) const MESSAGE: usize = 4 << 20;

/// The message that chunks belong to at present.
#[derive(Clone, Copy)]
pub(super) struct Open {
    pub(super) number: u64,
    pub(super) bytes: usize,
}

#[derive(Clone, Copy)]
pub(super) struct Part {
    pub(super) message: u64,
    pub(super) first: bool,
    pub(super) last: bool,
    /// It only says that its message is over, which nobody will say again.
    pub(super) marks_end: bool,
}

/// Puts chunks on their way to the journal; the answer comes by mail.
pub(super) struct Keep<'p> {
    pub(super) name: &'p str,
    pub(super) store: &'p Store,
    pub(super) clock: &'p Clock,
    pub(super) mail: &'p mpsc::UnboundedSender<Mail>,
    pub(super) life: Life,
    pub(super) lane: Lane,
}

impl<'p> Keep<'p> {
    /// What a port's session wants kept in this life.
    pub(super) fn of(port: &'p Port, life: Life) -> Self {
        Self {
            name: &port.name,
            store: &port.store,
            clock: &port.clock,
            mail: &port.mail.0,
            life,
            lane: lane(port.snapshots),
        }
    }

    pub(super) fn chunk(
        &self,
        message: &mut Option<Open>,
        ticket: Ticket,
        part: Part,
        chunk: &orugate_driver::Chunk<'_>,
    ) -> Part {
        let (sender, life) = (self.mail.clone(), self.life);
        let first = part.first || message.is_none();
        let reserved = if first { self.store.reserve() } else { None };
        let number = match (&reserved, *message) {
            (Some(reserved), _) => reserved.get().0,
            (None, Some(open)) if !first => open.number,
            _ => {
                let _ = sender.send(Mail::Settled(life, ticket, Err(AppendError::Full)));
                return Part { first: false, ..part };
            }
        };
        let before = message.filter(|_| !first).map_or(0, |open| open.bytes);
        let bytes = before.saturating_add(chunk.bytes.len());
        // A device that never ends its message must not make one that no memory holds.
        let end = chunk.last.or((bytes > MESSAGE).then_some(MessageEnd::Incomplete));
        *message = Some(Open { number, bytes });
        let part = Part { last: end.is_some(), ..part };
        let quality = self.clock.quality();
        let received = self.clock.utc();
        let meta = Chunk {
            instrument: self.name.to_owned(),
            message: number,
            first,
            end: end.map(|end| end == MessageEnd::Complete),
            received: received.0,
            clock: clock_number(quality),
        };
        let mut entry = Entry::with_payload(&meta, chunk.bytes.to_vec());
        if let Some(reserved) = reserved {
            entry = entry.numbered(reserved);
        }
        let at = at(received, quality);
        self.store.append_in(self.lane, vec![entry], Urgency::Now, at, move |result| {
            let _ = sender.send(Mail::Settled(life, ticket, result));
        });
        Part { message: number, first, ..part }
    }

    /// A snapshot: a message in one piece. Nobody waits for it to be acknowledged.
    pub(super) fn snapshot(&self, bytes: &[u8]) {
        let sender = self.mail.clone();
        let Some(reserved) = self.store.reserve() else {
            let _ = sender.send(Mail::Snapshot(Err(AppendError::Full)));
            return;
        };
        let quality = self.clock.quality();
        let received = self.clock.utc();
        let meta = Chunk {
            instrument: self.name.to_owned(),
            message: reserved.get().0,
            first: true,
            end: Some(true),
            received: received.0,
            clock: clock_number(quality),
        };
        let entry = Entry::with_payload(&meta, bytes.to_vec()).numbered(reserved);
        self.store.append_in(self.lane, vec![entry], Urgency::Soon, at(received, quality), move |result| {
            let _ = sender.send(Mail::Snapshot(result.map(drop)));
        });
    }
}

/// The time for the journal's lower bound, while the clock can be believed.
fn at(received: Utc, quality: ClockQuality) -> Option<UnixMillis> {
    (quality != ClockQuality::Unset).then(|| UnixMillis(u64::try_from(received.0 / 1000).unwrap_or(0)))
}
