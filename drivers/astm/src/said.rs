//! The link's words as a note's sentences: fixed text and numbers, never bytes of a message.

use orugate_driver::TrafficFault;
use orugate_protocol::astm::link::{Cut, Part, TroubleKind, Why};

/// What is waited for.
pub(crate) const fn waiting(why: Why) -> &'static str {
    match why {
        Why::EnqReply => "the reply to our ENQ",
        Why::FrameReply(_) => "the reply to a frame of ours",
        Why::Receive => "the next frame or EOT",
        Why::Tail => "the CR LF of a frame",
        Why::Quiet => "the end of stray bytes",
        Why::Stored(_) => "the instrument's patience, while a frame is stored",
        Why::ReplyDelay => "the delay before a reply",
        Why::PeerBusy => "the instrument, which is busy",
        Why::Contention => "the instrument's ENQ, after both asked for the line",
        Why::Interrupt => "the instrument, which asked for the line",
    }
}

/// How a transfer broke.
pub(crate) const fn cut(cut: Cut) -> &'static str {
    match cut {
        Cut::AfterEtb => "EOT after a frame that promised another; the message is incomplete",
        Cut::FrameNotAccepted => {
            "EOT although the last frame was not acknowledged; the message is incomplete"
        }
        Cut::Silence => "silence in the middle of a transfer; the message is incomplete",
        Cut::NewEnq => "the instrument began anew in the middle of a transfer; the message is incomplete",
        Cut::Disconnected => "the connection ended in the middle of a transfer; the message is incomplete",
    }
}

/// A trouble, and whether data was thrown away.
pub(crate) fn trouble(kind: TroubleKind) -> (TrafficFault, bool) {
    let plain = |sentence| TrafficFault { sentence, expected: None, found: None };
    let found = |sentence, found: u32| TrafficFault { sentence, expected: None, found: Some(found) };
    let both = |sentence, expected: u8, found: u8| TrafficFault {
        sentence,
        expected: Some(expected.into()),
        found: Some(found.into()),
    };
    match kind {
        TroubleKind::Noise { count, .. } => {
            (found("stray bytes were ignored", u32::try_from(count).unwrap_or(u32::MAX)), false)
        }
        TroubleKind::Unexpected(byte) => {
            (found("a control character where it means nothing", byte.into()), false)
        }
        TroubleKind::BadChecksum { expected, found } => {
            (both("a frame's checksum is wrong; it was refused", expected, found), true)
        }
        TroubleKind::FrameNumber { expected, found } => {
            (both("a frame's number is out of order", expected, found), false)
        }
        TroubleKind::SameNumber(number) => {
            (found("a frame has the number of the one before and other text", number.into()), false)
        }
        TroubleKind::OverLong { limit } => (
            found("a frame does not end within what is taken", u32::try_from(limit).unwrap_or(u32::MAX)),
            true,
        ),
        TroubleKind::Malformed { part: Part::Number, found: byte } => {
            (found("a frame has no number", byte.into()), true)
        }
        TroubleKind::Malformed { part: Part::Checksum, found: byte } => {
            (found("a frame's checksum is no hexadecimal number", byte.into()), true)
        }
        TroubleKind::Malformed { part: Part::Tail, found: byte } => {
            (found("a frame does not end with CR LF", byte.into()), true)
        }
        TroubleKind::ControlInFrame(byte) => {
            (found("a frame was cut by a control character", byte.into()), true)
        }
        TroubleKind::NoStart => (plain("the end of a frame whose beginning is lost"), true),
        TroubleKind::Restricted { count, .. } => (
            found("characters in a frame's text that the standard keeps out; taken as they are", count),
            false,
        ),
        TroubleKind::ReplyTooLate { number } => (
            found("a frame was stored too late for its reply; the instrument sends it again", number.into()),
            false,
        ),
        _ => (plain("trouble on the link"), false),
    }
}
