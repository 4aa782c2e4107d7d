//! What a site or a model can change about the link.
//!
//! The defaults are the standard's values. Each deviation from them is one that needs no knowledge of a vendor's
//! format; formats that are not STX..ETX frames (SOH..EOT envelopes, bare records) belong to other drivers.

use core::time::Duration;

/// Which end of the line this machine is; it decides who gives way when both ask for the line at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// The analyzer: asks again after [`Settings::contention_instrument`].
    Instrument,
    /// The computer system: waits [`Settings::contention_computer`] for the instrument's ENQ.
    #[default]
    Computer,
}

/// What is done with the two characters after ETB or ETX.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksum {
    /// They must be the right checksum; otherwise the frame is answered NAK.
    #[default]
    Verified,
    /// They are there but not compared: any two printable characters will do.
    Unchecked,
    /// They are not there: CR follows ETB or ETX. Sent frames have none either.
    Absent,
}

/// How much the frame number must be right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FrameNumbers {
    /// 1, 2, .. 7, 0, 1 ..; anything else is answered NAK. A first frame of 0 is taken, with a note.
    #[default]
    Strict,
    /// Any digit is taken, with a note when it is not the next one.
    Any,
}

/// Whether a transfer must begin with ENQ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Establishment {
    /// A frame without ENQ before it is noise.
    #[default]
    Enq,
    /// A frame's STX opens a transfer as well; silence after an ETX frame then ends it, complete.
    Optional,
}

/// Which of the peer's ENQ and frames are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replies {
    /// All.
    #[default]
    Each,
    /// ENQ and frames that end with ETX: "one ACK per message".
    LastFrame,
    /// None: a one-way line. Such a link cannot send.
    Never,
}

/// After which frame an EOT ends a message as complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Terminator {
    /// After an ETX frame only.
    #[default]
    Etx,
    /// After an ETB frame too: for instruments that end every frame with ETB.
    Any,
}

/// What an EOT in place of an ACK does to a message that is being sent (LIS01-A2 receiver interrupt).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interrupts {
    /// The line is given up for [`Settings::interrupt`]; then the message is sent again from its first frame.
    #[default]
    Honour,
    /// It is an ACK.
    Ignore,
}

/// What a reply to a frame is that is none of ACK, NAK, EOT. CR, LF and NUL are always ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StrangeReply {
    /// Line noise: noted, and the reply is waited for.
    #[default]
    Ignore,
    /// A NAK, as the standard has it.
    Nak,
}

/// How a message that is sent is cut into frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Split {
    /// Full frames with ETB; the last one has ETX.
    #[default]
    Message,
    /// Each record (up to and with its CR) ends a frame with ETX; a longer one is cut with ETB.
    Record,
}

/// All that can be set about a link. `Default` is LIS01-A2 for a computer system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which end of the line this is.
    pub role: Role,
    /// What is done with the checksum of a received frame.
    pub checksum: Checksum,
    /// How much the number of a received frame must be right.
    pub frame_numbers: FrameNumbers,
    /// Whether a transfer must begin with ENQ.
    pub establishment: Establishment,
    /// Which of the peer's ENQ and frames are answered.
    pub replies: Replies,
    /// After which frame an EOT ends a message as complete.
    pub terminator: Terminator,
    /// An ENQ that meets ours is answered ACK at once instead of waiting for the peer's next one.
    pub answer_colliding_enq: bool,
    /// What an EOT in place of an ACK does.
    pub interrupts: Interrupts,
    /// What a reply is that is none of the three.
    pub strange_reply: StrangeReply,
    /// How a message is cut into frames.
    pub split: Split,
    /// Most bytes of text in a frame that is sent, without the seven of the frame; at least 1 is used.
    /// 240 is E1381-95's limit, 63,993 that of LIS01-A2.
    pub send_text_max: u16,
    /// How often one frame is sent before the message is given up; at least 1 is used.
    pub max_sends: u8,
    /// Sender: wait for the reply to ENQ.
    pub enq_reply: Duration,
    /// Sender: wait for the reply to a frame.
    pub frame_reply: Duration,
    /// Receiver: how long the reply to a frame may be held. It must reach the peer while that still waits, so this is
    /// a second less than the peer's `frame_reply`.
    pub reply_within: Duration,
    /// Receiver: longest silence in a transfer. It starts again with every byte.
    pub receive: Duration,
    /// Sender: wait before the next ENQ after a NAK to the last one.
    pub busy: Duration,
    /// Instrument: wait before the next ENQ after two met.
    pub contention_instrument: Duration,
    /// Computer: wait for the instrument's ENQ after two met.
    pub contention_computer: Duration,
    /// Sender: wait before the next ENQ after an interrupt was granted.
    pub interrupt: Duration,
    /// Silence that ends a frame whose CR or LF is missing, and that ends a run of garbage.
    pub tail_wait: Duration,
    /// Least time between the end of an ENQ or frame and its reply, for instruments that listen late.
    pub reply_delay: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            role: Role::default(),
            checksum: Checksum::default(),
            frame_numbers: FrameNumbers::default(),
            establishment: Establishment::default(),
            replies: Replies::default(),
            terminator: Terminator::default(),
            answer_colliding_enq: false,
            interrupts: Interrupts::default(),
            strange_reply: StrangeReply::default(),
            split: Split::default(),
            send_text_max: 240,
            max_sends: 6,
            enq_reply: Duration::from_secs(15),
            frame_reply: Duration::from_secs(15),
            reply_within: Duration::from_secs(14),
            receive: Duration::from_secs(30),
            busy: Duration::from_secs(10),
            contention_instrument: Duration::from_secs(1),
            contention_computer: Duration::from_secs(20),
            interrupt: Duration::from_secs(15),
            tail_wait: Duration::from_millis(200),
            reply_delay: Duration::ZERO,
        }
    }
}

impl Settings {
    /// The wait before the next ENQ after two met, by role.
    #[must_use]
    pub const fn contention(&self) -> Duration {
        match self.role {
            Role::Instrument => self.contention_instrument,
            Role::Computer => self.contention_computer,
        }
    }
}
