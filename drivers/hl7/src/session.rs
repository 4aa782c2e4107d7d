//! The gateway's end of one wire: an MLLP receiver.
//!
//! Promises: a message is stored as it came, between its block characters, in one chunk; it is accepted only when it is on
//! flash, one after the other; whatever is not taken is answered too. A new connection takes the place of the old one.
//! Captures may have no block characters; then each MSH at a line's start begins a message. Leaves out what messages mean,
//! and whether one came before: that is the gateway's.

use crate::answer::{self, First, Ids, Verdict};
use crate::plan::{Kind as Feed, Plan};
use orugate_driver::time::Tick;
use orugate_driver::{
    Channel, Deadline, Input, MessageEnd, Outbox, Output, Peer, Reason, Session, State, Ticket, TrafficFault,
};
use orugate_protocol::ascii::{CR, LF, VT};
use orugate_protocol::mllp::{Decoder, Event, Progress, Rules};
use std::time::Duration;

/// So long the sender may be silent inside of a message.
const INSIDE: Duration = Duration::from_secs(30);
/// So long the CR behind a message is waited for.
const TRAILER: Duration = Duration::from_millis(500);
/// Bytes between messages after which the peer speaks another protocol.
const NOISE_MAX: u64 = 16 << 10;
const STORE_FULL: &str = "the message could not be stored; send it again later";

pub(crate) struct Hl7Session {
    plan: &'static Plan,
    out: Outbox,
    line: Option<Line>,
    /// The message that is being stored.
    waiting: Option<Waiting>,
    /// Messages behind it; what one read held.
    held: Vec<u8>,
    ids: Ids,
    /// When a bedside device sent its last message; none is missed before the first.
    told: Option<Tick>,
    busy: bool,
    stopping: bool,
}

struct Waiting {
    ticket: Ticket,
    channel: Channel,
    message: Vec<u8>,
}

struct Line {
    channel: Channel,
    /// Nobody answers on a capture.
    capture: bool,
    kind: Kind,
    /// When the last byte came.
    heard: Tick,
    noise: u64,
}

enum Kind {
    /// A capture of which no telling byte came yet.
    Undecided,
    Framed(Decoder<Vec<u8>>),
    /// Messages without block characters.
    Bare(Vec<u8>),
}

impl Hl7Session {
    pub(crate) fn new(plan: &'static Plan) -> Self {
        Self {
            plan,
            out: Outbox::default(),
            line: None,
            waiting: None,
            held: Vec::new(),
            ids: Ids::default(),
            told: None,
            busy: false,
            stopping: false,
        }
    }

    fn decoder(&self) -> Decoder<Vec<u8>> {
        let rules = Rules { lenient: true, ..Rules::default() };
        Decoder::new(vec![0; self.plan.profile.message_max], rules)
    }

    /// After this a bedside device that sends nothing is silent.
    const fn silent_after(&self) -> Option<Duration> {
        match &self.plan.kind {
            Feed::Bedside(bedside) => Some(bedside.stale_after.0),
            Feed::Laboratory(..) => None,
        }
    }

    fn opened(&mut self, now: Tick, channel: Channel, peer: Peer) {
        if let Some(old) = self.line.take() {
            self.out.close(old.channel, Reason::Finished);
        }
        self.held.clear();
        let capture = matches!(peer, Peer::Capture);
        let kind = if capture { Kind::Undecided } else { Kind::Framed(self.decoder()) };
        self.line = Some(Line { channel, capture, kind, heard: now, noise: 0 });
        if self.silent_after().is_some() && self.told.is_none() {
            self.out.state(State::Connecting);
        }
    }

    fn closed(&mut self, now: Tick) {
        // Without its CR the last message is whole all the same.
        self.flush(now);
        let Some(line) = self.line.take() else { return };
        match line.kind {
            Kind::Framed(decoder) => {
                if let Progress::Inside { .. } = decoder.progress() {
                    self.out.say("the connection ended inside of a message", true, 0);
                }
            }
            Kind::Bare(bytes) => {
                for message in bare(&bytes) {
                    self.message(now, line.channel, message.to_vec());
                }
            }
            Kind::Undecided => {}
        }
        if self.waiting.is_none() {
            self.held.clear();
        }
    }

    fn bytes(&mut self, now: Tick, bytes: &[u8]) {
        if let Some(line) = &mut self.line {
            line.heard = now;
            let telling = bytes.iter().find(|byte| !matches!(**byte, CR | LF | b' ' | 0xEF | 0xBB | 0xBF));
            if let (Kind::Undecided, Some(first)) = (&line.kind, telling) {
                let bare = *first != VT && !bytes.contains(&VT);
                let kind = if bare { Kind::Bare(Vec::new()) } else { Kind::Framed(self.decoder()) };
                if let Some(line) = &mut self.line {
                    line.kind = kind;
                }
            }
        }
        let most = self.plan.profile.message_max;
        match self.line.as_mut().map(|line| &mut line.kind) {
            Some(Kind::Bare(all)) => {
                // Messages that are over leave before the next read.
                all.extend_from_slice(bytes);
                let channel = self.line.as_ref().map_or(Channel(0), |line| line.channel);
                while let Some(message) = self.next_bare(most) {
                    self.message(now, channel, message);
                }
            }
            Some(_) => {
                self.held.extend_from_slice(bytes);
                self.pump(now);
            }
            None => {}
        }
    }

    /// The first bare message, when another one begins behind it.
    fn next_bare(&mut self, most: usize) -> Option<Vec<u8>> {
        let Some(Line { kind: Kind::Bare(all), .. }) = &mut self.line else { return None };
        let starts = starts(all);
        match starts.get(1) {
            Some(next) => Some(all.drain(..*next).collect()),
            None => {
                if all.len() > most {
                    all.clear();
                    self.out.say("a message is longer than this gateway takes", true, 0);
                }
                None
            }
        }
    }

    /// Takes messages out of what was read, until one has to be stored.
    fn pump(&mut self, now: Tick) {
        while self.waiting.is_none() && !self.held.is_empty() {
            let Some(Line { channel, kind: Kind::Framed(decoder), noise, .. }) = &mut self.line else {
                return;
            };
            let channel = *channel;
            let (taken, event) = decoder.receive(&self.held);
            let seen = event.map(|event| Seen::of(event, noise));
            let too_noisy = *noise > NOISE_MAX;
            self.held.drain(..taken.min(self.held.len()));
            if let Some(seen) = seen {
                self.seen(now, channel, seen);
            }
            if too_noisy {
                return self.give_up();
            }
        }
    }

    fn seen(&mut self, now: Tick, channel: Channel, seen: Seen) {
        match seen {
            Seen::Message { bytes, offset, missing_trailer } => {
                if missing_trailer {
                    self.out.say("a message ends without CR behind FS; taken all the same", false, offset);
                }
                self.message(now, channel, bytes);
            }
            Seen::Trouble { fault, lost, offset, fatal } => {
                self.out.note(fault, lost, offset);
                if fatal {
                    self.give_up();
                }
            }
        }
    }

    /// The peer cannot be understood any more: a new connection begins cleanly.
    fn give_up(&mut self) {
        self.held.clear();
        if let Some(line) = self.line.take() {
            self.out.close(line.channel, Reason::ProtocolError);
        }
    }

    fn message(&mut self, now: Tick, channel: Channel, message: Vec<u8>) {
        match answer::first(&message) {
            First::Ignore => self.out.say("an acknowledgment came that nobody asked for", false, 0),
            First::Reject(code, text) => {
                let sentence = if text == answer::UNREADABLE {
                    "a message whose MSH segment cannot be read was rejected"
                } else {
                    "a message of a kind that is not taken here was rejected"
                };
                self.out.say(sentence, true, 0);
                self.answer(now, channel, &message, Verdict::Reject(code, text));
            }
            First::Store if self.busy || self.stopping => {
                self.answer(now, channel, &message, Verdict::Error(STORE_FULL));
            }
            First::Store => {
                if self.silent_after().is_some() {
                    self.told = Some(now);
                    self.out.state(State::Talking);
                }
                let ticket = self.out.store(message.clone(), true, Some(MessageEnd::Complete));
                // Of a capture several are stored at once: nobody waits for an answer.
                self.waiting = Some(Waiting { ticket, channel, message });
            }
        }
    }

    fn answer(&mut self, now: Tick, channel: Channel, message: &[u8], verdict: Verdict) {
        // An answer belongs to the connection that the message came on.
        let Some(line) = self.line.as_ref().filter(|line| line.channel == channel && !line.capture) else {
            return;
        };
        let channel = line.channel;
        let answers = answer::answers(message, verdict, &mut self.ids, now);
        if answers.is_empty() && matches!(verdict, Verdict::Error(_)) {
            // The sender wants no answer, and there is no other way to say so.
            self.held.clear();
            self.line = None;
            return self.out.close(channel, Reason::NotStored);
        }
        for answer in answers {
            self.out.send(channel, answer);
        }
    }

    fn settled(&mut self, now: Tick, ticket: Ticket, verdict: Verdict) {
        let Some(waiting) = self.waiting.take_if(|waiting| waiting.ticket == ticket) else { return };
        self.answer(now, waiting.channel, &waiting.message, verdict);
        self.pump(now);
    }

    /// The wait for a CR is over.
    fn flush(&mut self, now: Tick) {
        let Some(Line { channel, kind: Kind::Framed(decoder), noise, .. }) = &mut self.line else { return };
        let channel = *channel;
        if let Some(seen) = decoder.flush().map(|event| Seen::of(event, noise)) {
            self.seen(now, channel, seen);
        }
    }

    fn due(&mut self, now: Tick) {
        let Some(deadline) = self.deadline().filter(|deadline| deadline.at <= now) else { return };
        if deadline.why == WAIT_TRAILER {
            self.flush(now);
        } else if deadline.why == WAIT_MESSAGE {
            self.told = None;
            self.out.state(State::Silent);
        } else {
            self.out.say("the sender fell silent inside of a message", true, 0);
            self.give_up();
        }
    }

    fn deadline(&self) -> Option<Deadline> {
        let silent = self.told.zip(self.silent_after());
        let silent = silent.map(|(told, wait)| Deadline { at: told.after(wait), why: WAIT_MESSAGE });
        match (self.inside(), silent) {
            (Some(inside), Some(silent)) if silent.at < inside.at => Some(silent),
            (inside, silent) => inside.or(silent),
        }
    }

    fn inside(&self) -> Option<Deadline> {
        // While a message is being stored nothing is read.
        let line = self.line.as_ref().filter(|_| self.waiting.is_none())?;
        let Kind::Framed(decoder) = &line.kind else { return None };
        match decoder.progress() {
            Progress::Outside { .. } => None,
            Progress::Inside { .. } => Some(Deadline { at: line.heard.after(INSIDE), why: WAIT_INSIDE }),
            Progress::AwaitingTrailer => Some(Deadline { at: line.heard.after(TRAILER), why: WAIT_TRAILER }),
        }
    }

    fn stop(&mut self) {
        self.stopping = true;
        if self.waiting.is_none() {
            self.hang_up();
        }
    }

    fn hang_up(&mut self) {
        self.held.clear();
        if let Some(line) = self.line.take() {
            self.out.close(line.channel, Reason::Stopping);
        }
    }
}

const WAIT_TRAILER: &str = "500 ms for the CR behind a message";
const WAIT_MESSAGE: &str = "the device's next message";
const WAIT_INSIDE: &str = "30 s for the rest of a message";

/// What came, apart from the decoder's buffer.
enum Seen {
    Message { bytes: Vec<u8>, offset: u64, missing_trailer: bool },
    Trouble { fault: TrafficFault, lost: bool, offset: u64, fatal: bool },
}

impl Seen {
    fn of(event: Event<'_>, noise: &mut u64) -> Self {
        let trouble = |sentence, found: Option<u32>, lost, offset, fatal| Self::Trouble {
            fault: TrafficFault { sentence, expected: None, found },
            lost,
            offset,
            fatal,
        };
        match event {
            Event::Frame { payload, offset, missing_trailer } => {
                *noise = 0;
                Self::Message { bytes: payload.to_vec(), offset, missing_trailer }
            }
            Event::Noise { offset, count, first } => {
                *noise = noise.saturating_add(count.into());
                let sentence = match first {
                    b'M' => "HL7 came without the block characters of MLLP",
                    0x16 => "the peer speaks TLS, which this wire does not",
                    _ => "bytes came between messages",
                };
                trouble(sentence, Some(count), first == b'M', offset, false)
            }
            Event::Restarted { offset, dropped } => {
                let dropped = u32::try_from(dropped).ok();
                trouble("the sender began a message anew; bytes dropped", dropped, true, offset, false)
            }
            Event::TooLong { offset, limit } => {
                let limit = u32::try_from(limit).ok();
                trouble("a message is longer than this gateway takes", limit, true, offset, true)
            }
            Event::BadEnd { offset, found } => {
                trouble("another byte than CR follows FS", Some(found.into()), true, offset, true)
            }
        }
    }
}

/// Where an MSH begins a line.
fn starts(bytes: &[u8]) -> Vec<usize> {
    let at = bytes.windows(4).enumerate().filter(|(at, window)| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        window.starts_with(b"MSH")
            && window.last().is_some_and(u8::is_ascii_punctuation)
            && before.is_none_or(|before| matches!(*before, CR | LF))
    });
    at.map(|(at, _)| at).collect()
}

/// Messages without block characters.
fn bare(bytes: &[u8]) -> Vec<&[u8]> {
    let starts = starts(bytes);
    let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
    starts.iter().zip(ends).filter_map(|(start, end)| bytes.get(*start..end)).collect()
}

impl Session for Hl7Session {
    fn handle(&mut self, now: Tick, input: Input<'_>) {
        let of = |channel: Channel| self.line.as_ref().is_some_and(|line| line.channel == channel);
        match input {
            Input::Opened(channel, peer) => self.opened(now, channel, peer),
            Input::Bytes(channel, bytes) if of(channel) => self.bytes(now, bytes),
            Input::Closed(channel) if of(channel) => self.closed(now),
            Input::Deadline => self.due(now),
            Input::Stored(stored) => self.settled(now, stored.ticket(), Verdict::Accept),
            Input::Refused(ticket) => self.settled(now, ticket, Verdict::Error(STORE_FULL)),
            Input::Busy(busy) => self.busy = busy,
            Input::Stop => self.stop(),
            // Of a channel that another one took over from, or of a kind that this protocol does not have.
            _ => {}
        }
        if self.stopping && self.waiting.is_none() {
            self.hang_up();
        }
    }

    fn poll(&mut self) -> Output<'_> {
        if self.out.is_empty() {
            return if self.stopping && self.waiting.is_none() {
                Output::Done
            } else {
                Output::Wait(self.deadline())
            };
        }
        self.out.next().unwrap_or(Output::Wait(None))
    }
}
