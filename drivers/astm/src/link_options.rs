//! What a profile may change about the link; what it leaves out is LIS01-A2's.

use crate::values::{Ack, Wait};
use orugate_protocol::astm::link::{
    Checksum, Establishment, FrameNumbers, Interrupts, Replies, Role, Settings, Split, Terminator,
};
use serde::{Deserialize, Serialize};

/// Deviations of the link.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LinkOptions {
    /// How much a received frame's number must be right.
    pub frame_numbers: FrameNumbersOption,
    /// What is done with a received frame's checksum.
    pub checksum: ChecksumOption,
    /// Whether a transfer must begin with ENQ.
    pub establishment: EstablishmentOption,
    /// The line is one-way: nothing is ever answered.
    pub one_way: bool,
    /// EOT after an ETB frame ends a message as well.
    pub eot_after_etb: bool,
    /// An ENQ that meets ours is answered at once.
    pub answer_colliding_enq: bool,
    /// EOT in place of an ACK is taken for an ACK.
    pub ignore_interrupts: bool,
    /// How answers are cut into frames.
    pub split: SplitOption,
    /// Most text bytes in a frame that is sent, 1 to 63,993.
    pub send_text_max: Option<TextMax>,
    /// How often a frame is sent before the message is given up.
    pub max_sends: Option<Sends>,
    /// Wait for the reply to our ENQ.
    pub enq_reply: Option<Wait>,
    /// Wait for the reply to a frame of ours.
    pub frame_reply: Option<Wait>,
    /// How long the instrument waits for the reply to its frame; what is stored later is acknowledged to the repeat.
    pub reply_within: Option<Wait>,
    /// Longest silence in a transfer.
    pub receive: Option<Wait>,
    /// Wait after a NAK to our ENQ.
    pub busy: Option<Wait>,
    /// Wait for the instrument's ENQ after two met.
    pub contention: Option<Wait>,
    /// Silence that ends a frame without CR or LF.
    pub tail_wait: Option<Wait>,
    /// Least time before a reply, for instruments that listen late.
    pub reply_delay: Option<Wait>,
}

/// Defines an option that is an enum of the link under the names that a profile uses.
macro_rules! option {
    ($(#[$doc:meta])* $name:ident => $link:ident { $($(#[$variant_doc:meta])* $variant:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, schemars::JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl From<$name> for $link {
            fn from(option: $name) -> Self {
                match option {
                    $($name::$variant => Self::$variant,)*
                }
            }
        }
    };
}
option! {
    /// How much a received frame's number must be right.
    FrameNumbersOption => FrameNumbers {
        /// 1, 2, .. 7, 0, 1.
        #[default]
        Strict,
        /// Any digit.
        Any,
    }
}
option! {
    /// What is done with a received frame's checksum.
    ChecksumOption => Checksum {
        /// It must be right.
        #[default]
        Verified,
        /// It is there, but not compared.
        Unchecked,
        /// It is not there.
        Absent,
    }
}
option! {
    /// Whether a transfer must begin with ENQ.
    EstablishmentOption => Establishment {
        /// It must.
        #[default]
        Enq,
        /// A frame opens it as well.
        Optional,
    }
}
option! {
    /// How answers are cut into frames.
    SplitOption => Split {
        /// Full frames.
        #[default]
        Message,
        /// A frame for each record.
        Record,
    }
}

/// Most text bytes in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "i64")]
pub struct TextMax(#[schemars(range(min = 1, max = 63993))] u16);

impl TryFrom<i64> for TextMax {
    type Error = String;

    fn try_from(n: i64) -> Result<Self, String> {
        match u16::try_from(n) {
            Ok(n @ 1..=63_993) => Ok(Self(n)),
            _ => Err(format!("{n} bytes do not fit a frame; it is 1 to 63993")),
        }
    }
}

/// How often a frame is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "i64")]
pub struct Sends(#[schemars(range(min = 1, max = 99))] u8);

impl TryFrom<i64> for Sends {
    type Error = String;

    fn try_from(n: i64) -> Result<Self, String> {
        match u8::try_from(n) {
            Ok(n @ 1..=99) => Ok(Self(n)),
            _ => Err(format!("a frame cannot be sent {n} times; it is 1 to 99")),
        }
    }
}

impl LinkOptions {
    /// The link's settings at the gateway's end.
    #[must_use]
    pub fn settings(&self, ack: Ack) -> Settings {
        let standard = Settings::default();
        let or = |wait: Option<Wait>, standard| wait.map_or(standard, |wait| wait.0);
        Settings {
            role: Role::Computer,
            checksum: self.checksum.into(),
            frame_numbers: self.frame_numbers.into(),
            establishment: self.establishment.into(),
            replies: match ack {
                _ if self.one_way => Replies::Never,
                Ack::Frame => Replies::Each,
                Ack::Message => Replies::LastFrame,
            },
            terminator: if self.eot_after_etb { Terminator::Any } else { Terminator::Etx },
            answer_colliding_enq: self.answer_colliding_enq,
            interrupts: if self.ignore_interrupts { Interrupts::Ignore } else { Interrupts::Honour },
            split: self.split.into(),
            send_text_max: self.send_text_max.map_or(standard.send_text_max, |max| max.0),
            max_sends: self.max_sends.map_or(standard.max_sends, |max| max.0),
            enq_reply: or(self.enq_reply, standard.enq_reply),
            frame_reply: or(self.frame_reply, standard.frame_reply),
            reply_within: or(self.reply_within, standard.reply_within),
            receive: or(self.receive, standard.receive),
            busy: or(self.busy, standard.busy),
            contention_computer: or(self.contention, standard.contention_computer),
            tail_wait: or(self.tail_wait, standard.tail_wait),
            reply_delay: or(self.reply_delay, standard.reply_delay),
            ..standard
        }
    }
}
