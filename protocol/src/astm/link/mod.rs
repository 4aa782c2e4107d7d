//! LIS01-A2 (ASTM E1381): the half-duplex link between an instrument and a computer, both ends in one machine.
//!
//! [`Link`] promises: nothing is acknowledged before the caller has said that it is stored; what bytes mean does not
//! depend on how they were cut into reads; no input makes it panic, grow or stand still. It needs no clock and no
//! allocator: time is an argument, a frame lives in the caller's buffer, a message that is sent in the caller's type.
//! It leaves out what the text means (a message ends at its L record or at EOT, and only the caller knows records),
//! opening and closing the wire, and rate limits on what it tells.
//!
//! How it is driven, after anything happened and until nothing comes any more:
//!
//! ```
//! # use orugate_protocol::{astm::link::{Event, Link, Settings}, time::Tick};
//! # let now = Tick::ZERO;
//! # let mut wire = Vec::new();
//! let mut link: Link<[u8; 1024]> = Link::new(Settings::default(), [0; 1024]);
//! let mut bytes: &[u8] = b"\x05\x021L|1|N\r\x0304\r\n\x04"; // what was read from the wire
//! loop {
//!     while let Some(out) = link.transmit(now) {
//!         wire.extend_from_slice(out);
//!         link.sent(now); // when the wire has drained
//!     }
//!     let (taken, event) = link.receive(now, bytes);
//!     bytes = &bytes[taken..];
//!     match event {
//!         Some(Event::Frame(frame)) => {
//!             let id = frame.id; // store frame.raw; then, perhaps much later:
//!             link.accept(now, id);
//!         }
//!         Some(_) => {}
//!         None if taken == 0 => break,
//!         None => {}
//!     }
//! }
//! // Wait for bytes, or for link.deadline(), then link.handle_deadline(now).
//! # assert_eq!(wire, b"\x06\x06");
//! ```

mod event;
mod frame;
mod receiver;
mod scan;
mod sender;
mod settings;
mod state;

#[cfg(test)]
mod tests;

pub use event::{
    Cut, Deadline, EndReason, Event, Failure, Frame, FrameId, Opening, Part, Trouble, TroubleKind, Why,
};
pub use frame::{
    FrameEnd, FrameView, OVERHEAD, checksum, encode_frame, is_restricted, next_number, parse_raw_frame,
};
pub use sender::{Refused, RefusedBecause};
pub use settings::{
    Checksum, Establishment, FrameNumbers, Interrupts, Replies, Role, Settings, Split, StrangeReply,
    Terminator,
};

use core::time::Duration;

use crate::ascii::ENQ;
use crate::time::Tick;
use scan::{Scanner, Waits};
use state::{Awaited, Control, Happened, Hold, Out, Outbox, Pause, Queue, State};

/// One end of a LIS01-A2 line.
///
/// `B` holds one frame, received or sent: a frame longer than it is refused, so 64,007 bytes take all that the
/// standard allows. `M` is the type of the messages to send, for example a `Vec<u8>` or a borrowed slice.
#[derive(Clone, Debug)]
pub struct Link<B, M = &'static [u8]> {
    settings: Settings,
    buffer: B,
    state: State,
    scanner: Scanner,
    out: Option<Out>,
    queue: Queue,
    outbox: Outbox<M>,
    /// No ENQ of ours before its end.
    pause: Option<Pause>,
    /// The caller cannot store anything now.
    busy: bool,
    /// Bytes taken since the connection's start.
    taken: u64,
    /// When the line has been silent for the tail wait.
    silent_at: Tick,
    /// How many frames were ever held.
    frames: u64,
}

impl<B, M> Link<B, M>
where
    B: AsRef<[u8]> + AsMut<[u8]>,
    M: AsRef<[u8]>,
{
    /// A link in its neutral state.
    pub const fn new(settings: Settings, buffer: B) -> Self {
        Self {
            settings,
            buffer,
            state: State::Neutral,
            scanner: Scanner::new(),
            out: None,
            queue: Queue::new(),
            outbox: Outbox::Empty,
            pause: None,
            busy: false,
            taken: 0,
            silent_at: Tick::ZERO,
            frames: 0,
        }
    }

    /// Takes bytes up to the first event and says how many it took; the rest is for the next call.
    ///
    /// It takes nothing while events are still to be told, a frame waits for [`accept`](Self::accept) or
    /// [`refuse`](Self::refuse), or a control character waits for [`transmit`](Self::transmit). With no bytes it only
    /// tells what is left to tell. Bytes that came before a deadline should be given before it is handled.
    ///
    /// When it takes nothing and tells nothing, `transmit` has nothing either, until time passes or the caller acts.
    ///
    /// A caller that can still read while a frame is held should give what it reads: an ENQ then means that the peer
    /// began anew, and its one ACK is sent when the frame is stored, true in either sense.
    pub fn receive(&mut self, now: Tick, bytes: &[u8]) -> (usize, Option<Event<'_>>) {
        if self.queue.is_empty()
            && let State::Receiving(receiving) = &mut self.state
            && let Hold::Held { renewed, .. } = &mut receiving.hold
            && bytes.first() == Some(&ENQ)
        {
            *renewed = true;
        }
        let mut taken: usize = 0;
        while self.queue.is_empty() && !self.is_blocked() {
            let Some(&byte) = bytes.get(taken) else { break };
            if self.take(now, byte) {
                taken = taken.saturating_add(1);
                self.taken = self.taken.saturating_add(1);
                self.restart(now);
            }
        }
        (taken, self.tell())
    }

    /// The next bytes for the wire, or `None` when there is nothing to send now.
    ///
    /// Every byte that is returned must be sent, once; [`sent`](Self::sent) tells that it was.
    pub fn transmit(&mut self, now: Tick) -> Option<&[u8]> {
        if let Some(out) = self.out {
            if out.after.is_some_and(|at| at > now) {
                return None;
            }
            self.out = None;
            return Some(out.control.bytes());
        }
        match self.state {
            State::Neutral if self.may_ask(now) => {
                self.pause = None;
                self.state = State::Establishing(Awaited::Draining);
                Some(Control::Enq.bytes())
            }
            State::Sending(sending) if sending.awaited == Awaited::Queued => self.write(sending),
            State::Neutral | State::Establishing(_) | State::Sending(_) | State::Receiving(_) => None,
        }
    }

    /// The wire has drained: the time for the peer's reply starts here.
    pub fn sent(&mut self, now: Tick) {
        let Settings { enq_reply, frame_reply, receive, .. } = self.settings;
        match &mut self.state {
            State::Establishing(awaited @ (Awaited::Draining | Awaited::Reply(_))) => {
                *awaited = Awaited::Reply(now.after(enq_reply));
            }
            State::Sending(sending) if sending.awaited != Awaited::Queued => {
                sending.awaited = Awaited::Reply(now.after(frame_reply));
            }
            State::Receiving(receiving) => receiving.until = receiving.until.max(now.after(receive)),
            State::Neutral | State::Establishing(_) | State::Sending(_) => {}
        }
    }

    /// The earliest time at which [`handle_deadline`](Self::handle_deadline) has something to do, and what for.
    pub fn deadline(&self) -> Option<Deadline> {
        let settings = &self.settings;
        let mut first: Option<Deadline> = None;
        let mut consider = |at: Tick, wait: Duration, why: Why| {
            if first.is_none_or(|first| at < first.at) {
                first = Some(Deadline { at, wait, why });
            }
        };
        if let Some(Out { after: Some(at), .. }) = self.out {
            consider(at, settings.reply_delay, Why::ReplyDelay);
        }
        match self.scanner.waits_for() {
            Waits::Nothing => {}
            Waits::Tail => consider(self.silent_at, settings.tail_wait, Why::Tail),
            Waits::Quiet => consider(self.silent_at, settings.tail_wait, Why::Quiet),
        }
        match &self.state {
            State::Neutral => {
                if let (Some(pause), Some(_)) = (self.pause, self.outbox.offered()) {
                    consider(pause.until, pause.wait, pause.why);
                }
            }
            State::Establishing(Awaited::Reply(at)) => consider(*at, settings.enq_reply, Why::EnqReply),
            State::Sending(sending) => {
                if let Awaited::Reply(at) = sending.awaited {
                    consider(at, settings.frame_reply, Why::FrameReply(sending.number));
                }
            }
            State::Receiving(receiving) => match receiving.hold {
                Hold::Held { frame, since, .. } => {
                    // A peer that gets no reply does not wait for one either.
                    if self.is_answered(frame.last) {
                        let wait = settings.reply_within;
                        consider(since.after(wait), wait, Why::Stored(frame.number));
                    }
                }
                Hold::Nothing | Hold::Late { .. } => {
                    consider(receiving.until, settings.receive, Why::Receive)
                }
            },
            State::Establishing(Awaited::Queued | Awaited::Draining) => {}
        }
        first
    }

    /// Does what is due at `now`. Like after anything else, [`transmit`](Self::transmit) and
    /// [`receive`](Self::receive) may then have more.
    pub fn handle_deadline(&mut self, now: Tick) -> Option<Event<'_>> {
        if self.queue.is_empty()
            && let Some(deadline) = self.deadline()
            && deadline.at <= now
        {
            match deadline.why {
                Why::ReplyDelay => self.out = self.out.map(|out| Out { after: None, ..out }),
                Why::PeerBusy | Why::Contention | Why::Interrupt => self.pause = None,
                Why::EnqReply => self.give_up(Failure::NoReplyToEnq),
                Why::FrameReply(number) => self.give_up(Failure::NoReplyToFrame { number }),
                Why::Tail | Why::Quiet => {
                    let seen = self.scanner.silence(&mut self.queue);
                    self.restart(now);
                    self.act(now, seen);
                }
                Why::Stored(_) => self.release(now),
                Why::Receive => self.silent(),
            }
        }
        self.tell()
    }

    /// The connection is gone, or a new one takes its place: the line is neutral and offsets count from 0 again.
    /// A message that was not yet being sent stays offered, so [`transmit`](Self::transmit) is for the new connection.
    pub fn disconnect(&mut self) -> Option<Event<'_>> {
        self.scanner.forget(&mut self.queue);
        match self.state {
            State::Neutral => {}
            State::Establishing(_) | State::Sending(_) => {
                self.outbox.settle();
                self.queue.push(Happened::Failed(Failure::Disconnected));
            }
            State::Receiving(_) => {
                self.queue.push(Happened::Ended(EndReason::Incomplete(Cut::Disconnected)));
            }
        }
        self.state = State::Neutral;
        self.out = None;
        self.pause = None;
        self.taken = 0;
        self.tell()
    }

    /// While busy, the peer's ENQ is answered NAK. A transfer that is open goes on; its frames can be refused.
    pub const fn set_busy(&mut self, busy: bool) {
        self.busy = busy;
    }

    /// True when no transfer is open in either direction and nothing waits to be sent or told.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Neutral)
            && self.out.is_none()
            && self.queue.is_empty()
            && self.outbox.offered().is_none()
    }

    /// The settings.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// True while no byte may be taken.
    fn is_blocked(&self) -> bool {
        let held = match &self.state {
            State::Receiving(receiving) => matches!(receiving.hold, Hold::Held { .. }),
            State::Neutral | State::Establishing(_) | State::Sending(_) => false,
        };
        held || self.out.is_some()
    }

    /// Takes one byte; `false` when something must be settled before it.
    fn take(&mut self, now: Tick, byte: u8) -> bool {
        match self.state {
            State::Establishing(_) | State::Sending(_) if !self.is_frame_without_enq(byte) => {
                self.reply_byte(now, byte);
                true
            }
            State::Neutral | State::Receiving(_) | State::Establishing(_) | State::Sending(_) => {
                self.transfer_byte(now, byte)
            }
        }
    }

    /// A byte was taken, or a silence: the waits for silence begin again.
    fn restart(&mut self, now: Tick) {
        self.silent_at = now.after(self.settings.tail_wait);
        if let State::Receiving(receiving) = &mut self.state {
            receiving.until = now.after(self.settings.receive);
        }
    }

    /// Hands out the oldest event.
    fn tell(&mut self) -> Option<Event<'_>> {
        let mut happened = self.queue.pop()?;
        if happened == Happened::Frame && self.held().is_none() {
            // Nobody asked for so long that the peer's wait was over.
            happened = self.queue.pop()?;
        }
        Some(match happened {
            Happened::Established(opening) => Event::Established(opening),
            Happened::TurnedAway => Event::TurnedAway,
            Happened::Frame => Event::Frame(self.held()?),
            Happened::Rejected => Event::Rejected { raw: self.scanner.frame(self.buffer.as_ref()).0 },
            Happened::Repeated(number) => Event::Repeated { number },
            Happened::Ended(reason) => Event::Ended(reason),
            Happened::Trouble(trouble) => Event::Trouble(trouble),
            Happened::FrameSent(number) => Event::FrameSent { number },
            Happened::Delivered => Event::Delivered,
            Happened::Failed(failure) => Event::Failed(failure),
            Happened::Interrupted => Event::Interrupted,
            Happened::Contention => Event::Contention,
            Happened::PeerBusy => Event::PeerBusy,
        })
    }
}
