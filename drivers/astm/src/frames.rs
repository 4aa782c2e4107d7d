//! The computer's end of a LIS01 line: frames to chunks, and replies that wait for the disk.
//!
//! Promises:
//! - a frame's raw bytes are one chunk, and its ACK follows [`Input::Stored`](orugate_driver::Input::Stored) of that
//!   chunk or never comes;
//! - one ticket is open at a time; what is read meanwhile waits, so it is at most one read;
//! - a message ends at its L record or with the transfer. When no frame says that it ended, an end marker does: a
//!   chunk with the EOT, or with no byte when the line broke.
//!
//! Leaves out replies and timers, which are the link's, and what the text means.

use crate::said;
use crate::tracker::Tracker;
use orugate_driver::time::Tick;
use orugate_driver::{Channel, Deadline, MessageEnd, Outbox, Ticket, TrafficFault};
use orugate_protocol::ascii::EOT;
use orugate_protocol::astm::link::{
    Cut, EndReason, Event, FrameId, FrameNumbers, Link, OVERHEAD, Opening, Refused, RefusedBecause, Replies,
    Settings, TroubleKind, Why, checksum, parse_raw_frame,
};
use std::collections::VecDeque;

/// The longest frame that is taken: what LIS01-A2 allows, with the seven characters around it.
const FRAME_MAX: usize = 63_993 + OVERHEAD;
/// Answers that wait for the line. An instrument has one query open at a time, so more is a babbling one.
const ANSWERS_MAX: usize = 8;

/// A LIS01 line.
pub(crate) struct Frames {
    link: Link<Box<[u8]>, Vec<u8>>,
    /// Nobody can be asked to send again: what was read is taken in whole before the line counts as closed.
    one_way: bool,
    /// A frame number out of order means that a frame was lost, which elsewhere a NAK would bring back.
    gaps_cut: bool,
    /// Bytes that the link did not take yet, and how many of them it did.
    pending: Vec<u8>,
    taken: usize,
    /// Bytes taken since the channel opened.
    offset: u64,
    message: Message,
    open: Option<Open>,
    /// The transfer ended, and the end marker waits for the ticket before it.
    owed: Option<Owed>,
    answers: VecDeque<Vec<u8>>,
    /// The channel is gone; what is pending is still to be taken.
    closing: bool,
    capture: bool,
}

/// The message that is being stored.
#[derive(Clone, Copy, Debug)]
struct Message {
    tracker: Tracker,
    /// A chunk of it is on flash, and none that ended it.
    open: bool,
    /// Its last frame ended with ETX.
    etx: bool,
}

/// The chunk whose ticket is open.
#[derive(Debug)]
struct Open {
    ticket: Ticket,
    chunk: OpenChunk,
}

#[derive(Debug)]
enum OpenChunk {
    /// A frame, and what the message is once it is stored.
    Frame { id: FrameId, then: Message },
    /// An end marker.
    End,
}

/// An end marker that is still to be stored.
#[derive(Debug)]
struct Owed {
    bytes: &'static [u8],
    /// `None`: as the last frame says (a capture that just stops).
    end: Option<MessageEnd>,
}

/// An event of the link that owns its bytes.
enum Told {
    Frame { id: FrameId, raw: Vec<u8>, then: Message, at: u64 },
    Ended(EndReason),
    Rejected,
    Gap(TrafficFault, u64),
    AnswerOver,
    Said(TrafficFault, bool, u64),
    Nothing,
}

impl Frames {
    pub(crate) fn new(mut settings: Settings, capture: bool) -> Self {
        let gaps_cut =
            !capture && settings.replies == Replies::Never && settings.frame_numbers == FrameNumbers::Strict;
        if gaps_cut {
            // To refuse what comes after a lost frame would only lose that as well.
            settings.frame_numbers = FrameNumbers::Any;
        }
        Self {
            one_way: capture || settings.replies == Replies::Never,
            gaps_cut,
            link: Link::new(settings, vec![0; FRAME_MAX].into_boxed_slice()),
            pending: Vec::new(),
            taken: 0,
            offset: 0,
            message: Message { tracker: Tracker::new(), open: false, etx: false },
            open: None,
            owed: None,
            answers: VecDeque::new(),
            closing: false,
            capture,
        }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.pending.drain(..self.taken);
        self.taken = 0;
        self.pending.extend_from_slice(bytes);
    }

    pub(crate) fn sent(&mut self, now: Tick) {
        self.link.sent(now);
    }

    pub(crate) fn set_busy(&mut self, busy: bool) {
        self.link.set_busy(busy);
    }

    /// Sends this message, records with their CR, as soon as the line is free.
    pub(crate) fn answer(&mut self, text: Vec<u8>, out: &mut Outbox) {
        if self.answers.len() < ANSWERS_MAX {
            self.answers.push_back(text);
        } else {
            out.say("an answer to a query was dropped: too many wait for the line", false, self.offset);
        }
    }

    /// Nothing of ours will be sent any more.
    pub(crate) fn withdraw(&mut self) {
        self.answers.clear();
        self.link.withdraw();
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.link.deadline().map(|deadline| Deadline { at: deadline.at, why: said::waiting(deadline.why) })
    }

    /// True when nothing is open, in the link or in the store.
    pub(crate) fn is_idle(&self) -> bool {
        self.open.is_none() && self.owed.is_none() && self.link.is_idle() && !self.closing
    }

    pub(crate) fn due(&mut self, now: Tick, channel: Option<Channel>, out: &mut Outbox) {
        if self.must_wait() {
            return;
        }
        let told = self.link.handle_deadline(now).map(|event| own(event, self.message, self.offset));
        if let Some(told) = told {
            // No byte ended what a silence ended.
            self.on(told, &[], out);
        }
        self.pump(now, channel, out);
    }

    /// The chunk is on flash.
    pub(crate) fn stored(&mut self, now: Tick, ticket: Ticket) {
        let Some(open) = self.open.take_if(|open| open.ticket == ticket) else { return };
        match open.chunk {
            OpenChunk::Frame { id, then } => {
                self.message = then;
                // False when the instrument waits no more; it then sends the frame again and is told of the repeat.
                let _ = self.link.accept(now, id);
            }
            OpenChunk::End => self.message.open = false,
        }
    }

    /// The chunk is not on flash and never will be.
    pub(crate) fn refused(&mut self, now: Tick, ticket: Ticket, out: &mut Outbox) {
        let Some(open) = self.open.take_if(|open| open.ticket == ticket) else { return };
        match open.chunk {
            OpenChunk::Frame { id, .. } => {
                let _ = self.link.refuse(now, id);
                out.say("a frame could not be stored and was refused", true, self.offset);
            }
            OpenChunk::End => {
                self.message.open = false;
                out.say("the end of a message could not be stored", false, self.offset);
            }
        }
    }

    /// The channel is gone.
    pub(crate) fn closed(&mut self, now: Tick, out: &mut Outbox) {
        if self.one_way {
            self.closing = true;
        } else {
            self.gone(now, out);
        }
        self.pump(now, None, out);
    }

    /// The line is another one now: what was pending on the old one is void.
    pub(crate) fn gone(&mut self, now: Tick, out: &mut Outbox) {
        self.closing = false;
        if self.taken < self.pending.len() {
            out.say("bytes that came just before the connection ended were not taken", true, self.offset);
        }
        self.pending.clear();
        self.taken = 0;
        self.answers.clear();
        let mut told = self.link.disconnect().map(|event| own(event, self.message, self.offset));
        while let Some(event) = told {
            self.on(event, &[], out);
            told = self.link.receive(now, &[]).1.map(|event| own(event, self.message, self.offset));
        }
        if self.message.open && self.owed.is_none() {
            self.owed = Some(Owed { bytes: &[], end: (!self.capture).then_some(MessageEnd::Incomplete) });
        }
        self.link.withdraw();
        self.offset = 0;
    }

    /// Does all that can be done without waiting.
    pub(crate) fn pump(&mut self, now: Tick, channel: Option<Channel>, out: &mut Outbox) {
        loop {
            while let Some(bytes) = self.link.transmit(now) {
                if let Some(channel) = channel {
                    out.send(channel, bytes);
                }
            }
            if self.open.is_none() {
                self.pay(out);
            }
            if channel.is_some() && self.offer(out) {
                continue;
            }
            if self.must_wait() {
                return;
            }
            // While a ticket is open the link takes nothing, but an ENQ before a held frame's reply it must see.
            let may_take = self.open.is_none() || self.link.held().is_some();
            let bytes = if may_take { self.pending.get(self.taken..).unwrap_or_default() } else { &[] };
            let (taken, event) = self.link.receive(now, bytes);
            let told = event.map(|event| own(event, self.message, self.offset));
            self.taken = self.taken.saturating_add(taken);
            self.offset = self.offset.saturating_add(u64::try_from(taken).unwrap_or(u64::MAX));
            match told {
                Some(told) => self.on(told, &[EOT], out),
                None if taken == 0 && !self.finish(now, out) => return,
                None => {}
            }
        }
    }

    /// True when the link has a frame to tell that belongs after the end marker whose ticket is open.
    fn must_wait(&self) -> bool {
        matches!(self.open, Some(Open { chunk: OpenChunk::End, .. })) && self.link.held().is_some()
    }

    /// Offers the next answer to the link; true when it was taken.
    fn offer(&mut self, out: &mut Outbox) -> bool {
        let Some(answer) = self.answers.pop_front() else { return false };
        match self.link.offer(answer) {
            Ok(()) => true,
            Err(Refused { message, because: RefusedBecause::Occupied }) => {
                self.answers.push_front(message);
                false
            }
            Err(_) => {
                out.say("an answer to a query cannot be sent on this line", false, self.offset);
                false
            }
        }
    }

    /// After the last byte of a closed one-way line: what a silence would settle, then the end. True when something
    /// happened.
    fn finish(&mut self, now: Tick, out: &mut Outbox) -> bool {
        if !self.closing || self.open.is_some() || self.taken < self.pending.len() {
            return false;
        }
        match self.link.deadline() {
            Some(silence) if matches!(silence.why, Why::Tail | Why::Quiet) => {
                let told = self
                    .link
                    .handle_deadline(silence.at.max(now))
                    .map(|event| own(event, self.message, self.offset));
                if let Some(told) = told {
                    self.on(told, &[EOT], out);
                }
            }
            _ => self.gone(now, out),
        }
        true
    }

    /// Stores the end marker that is owed, if the message is still open.
    fn pay(&mut self, out: &mut Outbox) {
        let Some(owed) = self.owed.take() else { return };
        if !self.message.open {
            return;
        }
        let by_frame = if self.message.etx { MessageEnd::Complete } else { MessageEnd::Incomplete };
        let ticket = out.store(owed.bytes.to_vec(), false, Some(owed.end.unwrap_or(by_frame)));
        self.open = Some(Open { ticket, chunk: OpenChunk::End });
    }

    /// `end` is the byte that an end of transfer came with.
    fn on(&mut self, told: Told, end: &'static [u8], out: &mut Outbox) {
        match told {
            Told::Frame { id, raw, then, at } => {
                if self.capture {
                    note_checksum(&raw, at, out);
                }
                let last = (!then.open).then_some(MessageEnd::Complete);
                let ticket = out.store(raw, !self.message.open, last);
                self.open = Some(Open { ticket, chunk: OpenChunk::Frame { id, then } });
            }
            Told::Ended(reason) => self.ended(reason, end, out),
            Told::Rejected => self.cut(self.one_way),
            Told::Gap(what, at) => {
                out.note(what, self.gaps_cut, at);
                self.cut(self.gaps_cut);
            }
            Told::AnswerOver => {
                self.link.withdraw();
            }
            Told::Said(what, lost, at) => out.note(what, lost, at),
            Told::Nothing => {}
        }
    }

    /// A frame is missing and will not come again. The message ends before the gap: what stands on either side of it
    /// must never be read as one record.
    fn cut(&mut self, missing: bool) {
        if missing {
            self.owed = Some(Owed { bytes: &[], end: Some(MessageEnd::Incomplete) });
        }
    }

    fn ended(&mut self, reason: EndReason, end: &'static [u8], out: &mut Outbox) {
        let cut = match reason {
            EndReason::Empty => return,
            EndReason::Complete => None,
            EndReason::Incomplete(cut) => Some(cut),
        };
        let stops = self.capture && cut == Some(Cut::Disconnected);
        if let Some(cut) = cut.filter(|_| !stops) {
            let open = self.message.open || self.open.is_some();
            // A transfer that breaks after the L record lost nothing.
            if open || cut == Cut::FrameNotAccepted {
                out.say(said::cut(cut), cut == Cut::FrameNotAccepted, self.offset);
            }
        }
        let bytes = match cut {
            None | Some(Cut::AfterEtb | Cut::FrameNotAccepted) => end,
            Some(Cut::Silence | Cut::NewEnq | Cut::Disconnected) => &[],
        };
        let complete = if cut.is_none() { MessageEnd::Complete } else { MessageEnd::Incomplete };
        self.owed = Some(Owed { bytes, end: (!stops).then_some(complete) });
    }
}

/// The event, independent of the link; `message` is what was stored before it.
fn own(event: Event<'_>, message: Message, offset: u64) -> Told {
    let say =
        |sentence, lost| Told::Said(TrafficFault { sentence, expected: None, found: None }, lost, offset);
    match event {
        Event::Frame(frame) => {
            let mut tracker = if message.open { message.tracker } else { Tracker::new() };
            tracker.push(frame.text);
            if frame.last {
                tracker.part_end();
            }
            let then = Message { tracker, open: !tracker.ended(), etx: frame.last };
            Told::Frame { id: frame.id, raw: frame.raw.to_vec(), then, at: frame.at }
        }
        Event::Ended(reason) => Told::Ended(reason),
        Event::Rejected { .. } => Told::Rejected,
        Event::Trouble(trouble) => {
            let (what, lost) = said::trouble(trouble.kind);
            match trouble.kind {
                TroubleKind::FrameNumber { .. } | TroubleKind::SameNumber(_) => Told::Gap(what, trouble.at),
                _ => Told::Said(what, lost, trouble.at),
            }
        }
        Event::Repeated { .. } => {
            say("a frame came again, since its ACK was lost; it was acknowledged again", false)
        }
        Event::TurnedAway => say("the store is full or stopping: the instrument was told to wait", false),
        Event::Failed(_) => say("an answer to a query could not be delivered", false),
        Event::PeerBusy => say("the instrument does not take the answer to its query yet", false),
        Event::Contention => say("both ends asked for the line at once", false),
        Event::Interrupted => say("the instrument asked for the line in the middle of an answer", false),
        Event::Delivered => Told::AnswerOver,
        Event::Established(Opening::Enq | Opening::Frame) | Event::FrameSent { .. } => Told::Nothing,
        _ => Told::Nothing,
    }
}

/// In a capture a frame is taken whatever its checksum; a wrong one is said.
fn note_checksum(raw: &[u8], at: u64, out: &mut Outbox) {
    let Some(view) = parse_raw_frame(raw) else { return };
    let covered = raw.get(1..=view.text.end).unwrap_or_default();
    let expected = checksum(covered);
    if view.checksum.is_some_and(|found| found != expected) {
        let what = TrafficFault {
            sentence: "the checksum of a captured frame is wrong; it was taken, since nobody can send it again",
            expected: Some(expected.into()),
            found: view.checksum.map(u32::from),
        };
        out.note(what, false, at);
    }
}
