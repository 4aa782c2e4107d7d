//! What a message is answered with: which acknowledgments its sender wants, and their bytes.
//!
//! Promises: MSH-10 goes back byte for byte, each answer has an MSH-10 of its own, and an acknowledgment is never answered.
//! Without MSH-15 and MSH-16, or with something in them that table 0155 does not have, a message gets an application
//! acknowledgment; else what those two fields ask for. Leaves out when a message may be accepted.

use orugate_driver::time::Tick;
use orugate_protocol::ascii::{CR, FS, VT};
use orugate_protocol::hl7::ack::{Code, ErrorCode, Problem, Reply, Severity};
use orugate_protocol::hl7::header::Header;
use orugate_protocol::mllp;

/// How a message fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is on flash.
    Accept,
    /// It may be taken when it comes again.
    Error(&'static str),
    /// It will never be taken.
    Reject(ErrorCode, &'static str),
}

/// What to do with a message before anything of it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    Store,
    /// It is an acknowledgment.
    Ignore,
    Reject(ErrorCode, &'static str),
}

pub(crate) const UNREADABLE: &str = "the MSH segment cannot be read";

/// Looks at a message's MSH.
pub(crate) fn first(message: &[u8]) -> First {
    let Ok(header) = Header::read(message) else {
        return First::Reject(ErrorCode::SEGMENT_SEQUENCE, UNREADABLE);
    };
    let code = header.message_code();
    match code.bytes() {
        b"ORU" | b"OUL" | b"OPU" => First::Store,
        b"ACK" => First::Ignore,
        // Rather kept for a person than lost.
        b"" => First::Store,
        _ => {
            First::Reject(ErrorCode::UNSUPPORTED_MESSAGE_TYPE, "only results and measurements are taken here")
        }
    }
}

/// The acknowledgments, framed; none when the sender wants none.
pub(crate) fn answers(message: &[u8], verdict: Verdict, ids: &mut Ids, now: Tick) -> Vec<Vec<u8>> {
    let header = Header::read(message).ok().or_else(|| Header::salvage(message));
    let mut codes = Vec::new();
    match header {
        // What has no name can only be rejected.
        None => codes.push(Code::ApplicationReject),
        Some(header) if is_enhanced(&header) => {
            if wanted(header.field(15).bytes(), verdict) {
                codes.push(code(verdict, true));
            }
            // What was not taken has no application acknowledgment behind the refusal.
            let refused = !codes.is_empty() && verdict != Verdict::Accept;
            if !refused && wanted(header.field(16).bytes(), verdict) {
                codes.push(code(verdict, false));
            }
        }
        Some(_) => codes.push(code(verdict, false)),
    }
    let mut problem = None;
    if let Verdict::Error(text) = verdict {
        problem = Some((ErrorCode::APPLICATION_INTERNAL, text));
    } else if let Verdict::Reject(code, text) = verdict {
        problem = Some((code, text));
    }
    let problem =
        problem.map(|(code, text)| Problem { location: None, code, severity: Severity::Error, text });
    let all = codes.into_iter().filter_map(|code| {
        let id = ids.next(message, now);
        let text = problem.map_or("", |problem| problem.text);
        let reply = Reply { code, control_id: &id, time: None, text, problems: problem.as_slice() };
        // Copied fields may be as long as the message, and are escaped where they would break the frame.
        let mut buffer = vec![0; message.len().min(HEADER).saturating_mul(8).saturating_add(1024)];
        let content = reply.write(header.as_ref(), &mut buffer).ok()?;
        let mut frame = vec![0; content.len().saturating_add(mllp::OVERHEAD)];
        let len = mllp::encode(content, &mut frame)?;
        frame.truncate(len);
        Some(frame)
    });
    all.collect()
}

/// More of a message than its MSH has, if it is one.
const HEADER: usize = 64 << 10;

/// Whether the sender knows commit acknowledgments. Some write something of their own into MSH-16 (Mindray's analyzers whether
/// it is a control) and wait for the plain acknowledgment.
fn is_enhanced(header: &Header<'_>) -> bool {
    [15, 16].iter().any(|field| matches!(header.field(*field).bytes(), b"AL" | b"NE" | b"ER" | b"SU"))
}

/// Whether MSH-15 or MSH-16 (table 0155) asks for it.
fn wanted(field: &[u8], verdict: Verdict) -> bool {
    match field {
        b"AL" => true,
        b"SU" => verdict == Verdict::Accept,
        b"ER" => verdict != Verdict::Accept,
        _ => false,
    }
}

const fn code(verdict: Verdict, commit: bool) -> Code {
    match (verdict, commit) {
        (Verdict::Accept, true) => Code::CommitAccept,
        (Verdict::Accept, false) => Code::ApplicationAccept,
        (Verdict::Error(_), true) => Code::CommitError,
        (Verdict::Error(_), false) => Code::ApplicationError,
        (Verdict::Reject(..), true) => Code::CommitReject,
        (Verdict::Reject(..), false) => Code::ApplicationReject,
    }
}

/// Gives MSH-10 of answers. There is no clock and no memory of an earlier life here, so a hash of the message, the moment
/// and a count stand for them.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    count: u64,
}

impl Ids {
    fn next(&mut self, message: &[u8], now: Tick) -> String {
        self.count = self.count.wrapping_add(1);
        let seed = now.micros().to_be_bytes().into_iter().chain(self.count.to_be_bytes());
        let mut hash = 0xCBF2_9CE4_8422_2325_u64; // FNV-1a.
        for byte in seed.chain(message.iter().copied().take(HEADER)) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        format!("A{hash:016X}")
    }
}

/// A frame around a message that has no framing byte.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = vec![VT];
    frame.extend_from_slice(message);
    frame.extend([FS, CR]);
    frame
}
