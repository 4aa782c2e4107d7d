//! A driver's state on one wire: [`Session`], what happens to it ([`Input`]), what it wants done ([`Output`]).

use orugate_protocol::time::Tick;
use std::fmt;

/// The state machine of one protocol on one wire.
pub trait Session: Send {
    /// Something happened. Then call [`poll`](Self::poll) until it returns [`Output::Wait`] or [`Output::Done`].
    fn handle(&mut self, now: Tick, input: Input<'_>);

    /// The next thing to do. A session that returns outputs without end is ended by the gateway.
    fn poll(&mut self) -> Output<'_>;
}

/// One connection or port of a wire; the gateway numbers them and never reuses a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Channel(pub u32);

/// Names one [`Output::Store`] until its [`Input::Stored`] or [`Input::Refused`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// What happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Input<'a> {
    /// A channel is open; what it leads to.
    Opened(Channel, Peer),
    /// Bytes came. A datagram is one `Bytes`. The session takes all of them; while it waits for a ticket the gateway
    /// reads no more, so what a session must hold back is bounded by one read.
    Bytes(Channel, &'a [u8]),
    /// The channel is gone: hung up, unplugged, reset.
    Closed(Channel),
    /// All that was given with [`Output::Send`] has left the wire: reply timers start here.
    Sent(Channel),
    /// The deadline of the last [`Output::Wait`] has passed.
    Deadline,
    /// The chunk is on flash.
    Stored(Stored),
    /// The chunk could not be stored (disk full or failing); it must not be acknowledged.
    Refused(Ticket),
    /// The store is nearly full (or has space again): take no new message.
    Busy(bool),
    /// What the gateway knows about a query's specimen.
    Answer(Answer<'a>),
    /// The gateway stops: finish or break off what is open, tell a device that needs telling, then [`Output::Done`].
    Stop,
}

/// What to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum Output<'a> {
    /// Put these bytes on the wire, after those given before.
    Send(Channel, &'a [u8]),
    /// Close the channel.
    Close(Channel, Reason),
    /// Set a serial line's parameters (a device that changes its rate after a command).
    Line(Channel, LineSettings),
    /// Keep these raw bytes.
    Store(Ticket, Chunk<'a>),
    /// This is how it stands: one whole answer of a bedside device, exactly as it came and with all its parts, its checks
    /// right; at most [`Slot::MOST`] bytes. It goes into every snapshot until the session gives another in this slot or
    /// forgets it, or the channel closes. Nothing may be acknowledged for it.
    Current(Channel, Slot, &'a [u8]),
    /// A measurement that is made now and then (a cuff pressure) was made: the bytes that hold it, besides [`Current`].
    /// A snapshot with it is made soon, and it is over only when that is on flash.
    ///
    /// [`Current`]: Self::Current
    Taken(Channel, &'a [u8]),
    /// What stands in this slot does not hold any more.
    Forget(Channel, Slot),
    /// First a snapshot is made of what holds, then all is forgotten. A session says it as soon as the patient's id, the
    /// bed, the serial number or demonstration mode is another than before, before it gives what says so; and when the
    /// device is gone or began anew.
    ForgetAll(Channel),
    /// How it stands with a bedside device.
    State(State),
    /// Trouble, typed, with its place.
    Note(Note),
    /// Nothing more to do until the next input, or until the deadline.
    Wait(Option<Deadline>),
    /// After [`Input::Stop`]: the device was told, nothing is open.
    Done,
}

/// One thing of which the newest counts: the answer to one poll, one kind of line, an identification. It says what replaces
/// what and nothing else. The driver numbers them, below [`Slot::COUNT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub u16);

impl Slot {
    /// Slots that a session may use.
    pub const COUNT: u16 = 1024;
    /// Bytes that one may hold.
    pub const MOST: usize = 64 << 10;
    /// Bytes that all of one session may hold.
    pub const ALL: usize = 512 << 10;
}

/// How it stands with a bedside device, as its session sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It is asked, and has not answered yet.
    Connecting,
    /// It tells what it measures.
    Talking,
    /// It does not want to talk to this gateway; why, as a clause ("another client holds its only connection").
    Refused(&'static str),
    /// It answered before and does not any more.
    Silent,
    /// It says itself that it measures nobody.
    Standby,
}

/// Proof, made in one place of the gateway, that a chunk is on flash. Not `Clone`: it is used once.
#[derive(Debug, PartialEq, Eq)]
pub struct Stored(Ticket);

impl Stored {
    /// The ticket that this proves.
    #[must_use]
    pub const fn ticket(&self) -> Ticket {
        self.0
    }

    /// For the one place that holds a journal receipt for this ticket's chunk, and for tests of drivers. Clippy's
    /// disallowed methods keep every other place from calling it.
    #[must_use]
    pub const fn after_sync(ticket: Ticket) -> Self {
        Self(ticket)
    }
}

/// What one acknowledgment covers, raw, exactly as it came.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// It begins a message.
    pub first: bool,
    /// How it ends one, if it does.
    pub last: Option<MessageEnd>,
}

/// How a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageEnd {
    /// As the protocol ends a message.
    Complete,
    /// The link broke, the sender gave up or began anew. What was acknowledged of it is kept.
    Incomplete,
}

/// A point in time at which a session wants [`Input::Deadline`], and why: shown to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// When.
    pub at: Tick,
    /// Such as "15 s for the reply to frame 3".
    pub why: &'static str,
}

/// Why a session closes a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The conversation is over.
    Finished,
    /// The peer does not speak this protocol.
    ProtocolError,
    /// A data unit could not be stored and the protocol has no other way to say so.
    NotStored,
    /// The gateway stops.
    Stopping,
}

/// What a channel leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Peer {
    /// A serial port, with its line rate in bits per second.
    Serial {
        /// Bits per second.
        baud: u32,
    },
    /// A TCP connection.
    Tcp,
    /// UDP with one other side: each [`Output::Send`] is one datagram, and so is each [`Input::Bytes`].
    Datagrams,
    /// Bytes from a file: nobody can be asked to send again, and nobody answers. A session that asks takes whatever the
    /// device said, and matches nothing that only a live exchange gives.
    Capture,
}

/// A serial line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineSettings {
    /// Bits per second.
    pub baud: u32,
    /// 5 to 8.
    pub data_bits: u8,
    /// Parity.
    pub parity: Parity,
    /// 1 or 2.
    pub stop_bits: u8,
}

/// Parity of a serial line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Parity {
    None,
    Even,
    Odd,
}

/// An answer to a query; it always comes, and in time.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Answer<'a> {
    /// There is no order for this specimen, or no order source is configured.
    NoOrder {
        /// The specimen as the query named it.
        specimen: &'a str,
    },
}

/// Trouble on a wire: counted, logged, shown; never a reason to stop by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// What.
    pub kind: NoteKind,
    /// Byte offset from the start of the channel's bytes.
    pub offset: u64,
}

/// What kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoteKind {
    /// Trouble of the link, in the driver's words; holds no patient data. `lost` says that data was thrown away and
    /// will come again only if the instrument sends it again.
    Link {
        /// A sentence.
        what: TrafficFault,
        /// Data was refused or thrown away.
        lost: bool,
    },
}

/// A sentence with at most two numbers, so that a note needs no allocation and cannot hold text from the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrafficFault {
    /// What happened.
    pub sentence: &'static str,
    /// What was expected, when the sentence speaks of two numbers.
    pub expected: Option<u32>,
    /// What was found.
    pub found: Option<u32>,
}

impl fmt::Display for TrafficFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence)?;
        match (self.expected, self.found) {
            (Some(expected), Some(found)) => write!(f, " (expected {expected}, found {found})"),
            (None, Some(found)) => write!(f, " ({found})"),
            (Some(expected), None) => write!(f, " (expected {expected})"),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NoteKind::Link { what, .. } = self.kind;
        write!(f, "byte {}: {what}", self.offset)
    }
}
