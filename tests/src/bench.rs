//! A driver's two ends on one line without a system below: no sockets, no files, and a clock that moves only when
//! nothing else can happen. A fault that costs the standard's 15 seconds costs a test none.
//!
//! Promises: bytes arrive in order and at once, a closed line is seen after them, a chunk counts as stored when it is
//! asked for, and what is given to a session is followed by its outputs until it waits. Leaves out slow disks and
//! reordered mail, which the driver's own tests have.

use orugate::receipts;
use orugate::replay::Message;
use orugate_driver::{
    Channel, Input, Instrument, MessageEnd, Output, Peer, Profile, Session, SimulatedFault, time::Tick,
};
use std::collections::VecDeque;
use std::time::Duration;

/// How long a host is still listened to after an instrument has sent all.
const LINGER: Duration = Duration::from_millis(500);
/// No play takes so many steps; this ends one that goes round in circles.
const STEPS: usize = 1_000_000;

/// The gateway's end of a line: a profile's live session, and what it gave.
pub struct Host {
    session: Box<dyn Session>,
    channel: Channel,
    now: Tick,
    deadline: Option<Tick>,
    open: Option<Message>,
    /// Messages that ended, as the journal would have them.
    pub messages: Vec<Message>,
    /// Notes of the link, in words.
    pub notes: Vec<String>,
    /// What it sent.
    pub replies: Vec<u8>,
}

impl Host {
    /// A host whose line is open.
    #[must_use]
    pub fn new(profile: &dyn Profile) -> Self {
        let mut host = Self {
            session: profile.session(&Instrument { name: "bench".to_owned() }),
            channel: Channel(0),
            now: Tick::ZERO,
            deadline: None,
            open: None,
            messages: Vec::new(),
            notes: Vec::new(),
            replies: Vec::new(),
        };
        host.give(Input::Opened(Channel(0), Peer::Tcp));
        host
    }

    /// Bytes come.
    pub fn bytes(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(4096) {
            self.give(Input::Bytes(self.channel, piece));
        }
    }

    /// So much time passes, and nothing comes.
    pub fn wait(&mut self, time: Duration) {
        let until = self.now.after(time);
        while let Some(due) = self.deadline.filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.give(Input::Deadline);
        }
        self.now = until;
    }

    /// The line is gone.
    pub fn close(&mut self) {
        self.give(Input::Closed(self.channel));
    }

    /// The next line takes the place of one that is gone.
    pub fn reopen(&mut self) {
        self.channel.0 += 1;
        self.give(Input::Opened(self.channel, Peer::Tcp));
    }

    fn give(&mut self, input: Input<'_>) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.session.handle(self.now, input);
            let mut sent = false;
            self.deadline = loop {
                match self.session.poll() {
                    Output::Send(_, bytes) => {
                        self.replies.extend_from_slice(bytes);
                        sent = true;
                    }
                    Output::Store(ticket, chunk) => {
                        if chunk.first {
                            self.messages.extend(self.open.take());
                        }
                        let message = self.open.get_or_insert_default();
                        message.raw.extend_from_slice(chunk.bytes);
                        message.chunk_ends.push(u32::try_from(message.raw.len()).unwrap_or(u32::MAX));
                        if let Some(end) = chunk.last {
                            message.complete = end == MessageEnd::Complete;
                            self.messages.extend(self.open.take());
                        }
                        inputs.push_back(Input::Stored(receipts::of_capture(ticket)));
                    }
                    Output::Note(note) => self.notes.push(note.to_string()),
                    Output::Wait(deadline) => break deadline.map(|deadline| deadline.at),
                    Output::Done => break None,
                    _ => {}
                }
            };
            if sent {
                inputs.push_back(Input::Sent(self.channel));
            }
        }
    }
}

/// Plays an instrument that makes these faults until it has sent its message and the line was closed. Gives the host
/// and the time that it took.
///
/// # Panics
/// When it does not come to an end.
#[must_use]
pub fn play(profile: &dyn Profile, message: &[u8], faults: &[SimulatedFault]) -> (Host, Duration) {
    let mut host = Host::new(profile);
    let mut instrument = profile.simulator(vec![message.to_vec()], faults);
    let mut inputs = VecDeque::from([Played::Opened]);
    let mut deadline = None;
    for _ in 0..STEPS {
        while let Some(input) = inputs.pop_front() {
            let channel = host.channel;
            let (mut sent, mut pulled) = (Vec::new(), false);
            instrument.handle(host.now, input.borrow(channel));
            loop {
                match instrument.poll() {
                    Output::Send(_, bytes) => sent.extend_from_slice(bytes),
                    Output::Close(..) => pulled = true,
                    Output::Wait(until) => {
                        deadline = until.map(|deadline| deadline.at);
                        break;
                    }
                    Output::Done => break,
                    _ => {}
                }
            }
            let heard = host.replies.len();
            if !sent.is_empty() {
                inputs.push_back(Played::Sent);
                host.bytes(&sent);
            }
            if pulled {
                host.close();
                instrument.handle(host.now, Input::Closed(channel));
                while !matches!(instrument.poll(), Output::Wait(_) | Output::Done) {}
                host.reopen();
                inputs = VecDeque::from([Played::Opened]);
            } else if host.replies.len() > heard {
                inputs.push_back(Played::Bytes(host.replies.split_off(heard)));
            }
        }
        // Nothing is on its way: time passes until the first of the two wants to know of it.
        let end = host.now.after(LINGER);
        let next =
            deadline.into_iter().chain(host.deadline).min().filter(|at| deadline.is_some() || *at <= end);
        let Some(next) = next else {
            host.wait(LINGER);
            host.close();
            let lasted = host.now.since(Tick::ZERO);
            return (host, lasted);
        };
        host.now = host.now.max(next);
        let heard = host.replies.len();
        if host.deadline.is_some_and(|at| at <= host.now) {
            host.give(Input::Deadline);
        }
        if host.replies.len() > heard {
            inputs.push_back(Played::Bytes(host.replies.split_off(heard)));
        } else if deadline.is_some_and(|at| at <= host.now) {
            inputs.push_back(Played::Deadline);
        }
    }
    panic!("the play does not end: {faults:?}");
}

/// What happens to a simulated instrument.
enum Played {
    Opened,
    Bytes(Vec<u8>),
    Sent,
    Deadline,
}

impl Played {
    fn borrow(&self, channel: Channel) -> Input<'_> {
        match self {
            Self::Opened => Input::Opened(channel, Peer::Tcp),
            Self::Bytes(bytes) => Input::Bytes(channel, bytes),
            Self::Sent => Input::Sent(channel),
            Self::Deadline => Input::Deadline,
        }
    }
}
