//! Writes the acknowledgment of a message: MSH, MSA and the ERR segments.
//!
//! Promises: what is copied from the message is copied byte for byte, in the message's own delimiters. Leaves out when
//! to answer what.

use super::Delimiters;
use super::ack::{Code, ErrorCode, Location, Severity};
use super::header::Header;
use super::ts::Stamp;
use super::writer::{self, WriteError, Writer};

/// One thing that is wrong with a message, to be told to its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem<'a> {
    /// Where, if it is at a place.
    pub location: Option<Location>,
    /// What.
    pub code: ErrorCode,
    /// How bad.
    pub severity: Severity,
    /// ERR-8, for people; the form of 2.4 and before has no place for it.
    pub text: &'a str,
}

/// What an answer says beside what it takes from the message.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// MSA-1.
    pub code: Code,
    /// The answer's own MSH-10.
    pub control_id: &'a str,
    /// The answer's MSH-7; whoever knows no time repeats the message's.
    pub time: Option<Stamp>,
    /// MSA-3, for people; may be empty.
    pub text: &'a str,
    /// One ERR each.
    pub problems: &'a [Problem<'a>],
}

impl Reply<'_> {
    /// Writes the answer to the message with that header, in the message's own delimiters, so that what is copied from
    /// it means the same. From 2.5 on problems have the form of 2.5, for older versions that of 2.3 (ERR-1).
    ///
    /// Without a header, not even a salvaged one, MSA-2 is empty, and only a reject makes sense.
    ///
    /// # Errors
    /// [`WriteError::Full`] when the buffer is too small.
    pub fn write<'b>(
        &self,
        header: Option<&Header<'_>>,
        buffer: &'b mut [u8],
    ) -> Result<&'b [u8], WriteError> {
        let delimiters = header.map_or(Delimiters::STANDARD, |h| *h.delimiters());
        let field = |n: usize| header.map_or(&[][..], |h| h.field(n).bytes());
        let trigger = header.map_or(&[][..], |h| h.trigger().bytes());
        // Point-of-care devices that send results without an order wait for this one (HL7 2.5: cobas Liat, i-STAT).
        let trigger = if trigger == b"R30" { &b"R33"[..] } else { trigger };
        let (processing, version) = match header {
            Some(_) => (field(11), field(12)),
            None => (&b"P"[..], &b"2.5.1"[..]),
        };
        let mut out = Writer::with_delimiters(buffer, delimiters);
        let mut msh = out.msh();
        msh.field(3).verbatim(field(5)).field(4).verbatim(field(6));
        msh.field(5).verbatim(field(3)).field(6).verbatim(field(4));
        match self.time {
            Some(time) => msh.field(7).fmt(time),
            None => msh.field(7).verbatim(field(7)),
        };
        msh.field(9).str("ACK");
        if !trigger.is_empty() {
            msh.component(2).verbatim(trigger).component(3).str("ACK");
        }
        msh.field(10).str(self.control_id).field(11).verbatim(processing).field(12).verbatim(version);
        // The copied fields may need the message's character set.
        msh.field(18).verbatim(field(18));
        msh.end();
        let mut msa = out.segment("MSA");
        msa.field(1).str(self.code.as_str()).field(2).verbatim(field(10)).field(3).str(self.text);
        msa.end();
        let old = header.and_then(Header::version).is_some_and(|v| v < (2, 5));
        if old && !self.problems.is_empty() {
            let mut err = out.segment("ERR");
            err.field(1);
            for problem in self.problems {
                err.repeat();
                write_location(&mut err, problem.location);
                err.component(4).fmt(problem.code.number);
                err.subcomponent(2).str(problem.code.text).subcomponent(3).str("HL70357");
            }
            err.end();
        } else {
            for problem in self.problems {
                let mut err = out.segment("ERR");
                err.field(2);
                write_location(&mut err, problem.location);
                err.field(3).fmt(problem.code.number).component(2).str(problem.code.text);
                err.component(3).str("HL70357").field(4).str(problem.severity.as_str());
                err.field(8).str(problem.text);
                err.end();
            }
        }
        out.finish()
    }
}

fn write_location(err: &mut writer::Segment<'_, '_>, location: Option<Location>) {
    let Some(Location { segment, sequence, field }) = location else { return };
    err.component(1).str(segment.as_str());
    for (component, number) in [(2, sequence), (3, field)] {
        if number > 0 {
            err.component(component).fmt(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hl7::Name;
    use crate::hl7::ack::{Ack, Answer};
    use crate::time::Utc;
    use std::format;
    use std::string::{String, ToString};
    use std::vec::Vec;

    const PID: Name = Name(*b"PID");
    const PROBLEM: Problem<'_> = Problem {
        location: Some(Location { segment: PID, sequence: 1, field: 3 }),
        code: ErrorCode::UNKNOWN_KEY,
        severity: Severity::Error,
        text: "Unknown MRN | see log",
    };

    fn reply<'a>(code: Code, problems: &'a [Problem<'a>]) -> Reply<'a> {
        let time = Some(Stamp::new(Utc(1_795_338_905_123_000), 60));
        Reply { code, control_id: "OWN1", time, text: "", problems }
    }

    fn answered(message: &[u8], reply: &Reply<'_>) -> Vec<u8> {
        let mut buffer = [0; 1024];
        let header = Header::read(message).ok().or_else(|| Header::salvage(message));
        reply.write(header.as_ref(), &mut buffer).unwrap().to_vec()
    }

    fn shown(message: &[u8], reply: &Reply<'_>) -> String {
        answered(message, reply).escape_ascii().to_string().replace("\\r", "\n").replace("\\\\", "\\")
    }

    #[test]
    fn answers() {
        let oru = b"MSH|^~\\&|XN^1^L|LAB|GW|CORE|20260101||ORU^R01^ORU_R01|00 a\\T\\b |P^T|2.5.1|||AL|NE||UNICODE UTF-8\rPID|";
        assert_eq!(
            shown(oru, &reply(Code::CommitAccept, &[])),
            "MSH|^~\\&|GW|CORE|XN^1^L|LAB|20261122101505.123+0100||ACK^R01^ACK|OWN1|P^T|2.5.1||||||UNICODE UTF-8\n\
             MSA|CA|00 a\\T\\b \n"
        );
        assert_eq!(
            shown(oru, &Reply { text: "no\r", ..reply(Code::ApplicationError, &[PROBLEM, PROBLEM]) }),
            "MSH|^~\\&|GW|CORE|XN^1^L|LAB|20261122101505.123+0100||ACK^R01^ACK|OWN1|P^T|2.5.1||||||UNICODE UTF-8\n\
             MSA|AE|00 a\\T\\b |no \n\
             ERR||PID^1^3|204^Unknown key identifier^HL70357|E||||Unknown MRN \\F\\ see log\n\
             ERR||PID^1^3|204^Unknown key identifier^HL70357|E||||Unknown MRN \\F\\ see log\n"
        );
        let nowhere = Problem { location: None, ..PROBLEM };
        assert_eq!(
            shown(b"MSH|^~\\&|A||B||||ORU^R01|7|P|2.3", &reply(Code::ApplicationReject, &[PROBLEM, nowhere])),
            "MSH|^~\\&|B||A||20261122101505.123+0100||ACK^R01^ACK|OWN1|P|2.3\nMSA|AR|7\n\
             ERR|PID^1^3^204&Unknown key identifier&HL70357~^^^204&Unknown key identifier&HL70357\n"
        );
        assert_eq!(
            shown(b"MSH#!@%*#A####1##ORU!R01#a|b\\x#P#2.5.1", &reply(Code::ApplicationAccept, &[])),
            "MSH#!@%*###A##20261122101505.123+0100##ACK!R01!ACK#OWN1#P#2.5.1\nMSA#AA#a|b\\x\n"
        );
        assert_eq!(
            shown(b"MSH|^~|A||B||||ORU|7", &reply(Code::ApplicationAccept, &[])),
            "MSH|^~\\&|B||A||20261122101505.123+0100||ACK|OWN1\nMSA|AA|7\n"
        );
        assert_eq!(
            shown(b"MSH|^^^^|A||B||||ORU^R01|7|P|2.5", &reply(Code::ApplicationReject, &[])),
            "MSH|^~\\&|B||A||20261122101505.123+0100||ACK^R01^ACK|OWN1|P|2.5\nMSA|AR|7\n"
        );
        assert_eq!(
            shown(b"GET / HTTP/1.1\r\n", &reply(Code::ApplicationReject, &[])),
            "MSH|^~\\&|||||20261122101505.123+0100||ACK|OWN1|P|2.5.1\nMSA|AR\n"
        );
    }

    #[test]
    fn a_result_without_an_order_is_answered_by_an_event_of_its_own() {
        let liat = shown(
            b"MSH|^~\\&|cobas Liat|Roche|||||ORU^R30^ORU_R30|7|P|2.5".as_slice(),
            &reply(Code::ApplicationAccept, &[]),
        );
        assert!(liat.contains("|ACK^R33^ACK|OWN1|P|2.5\nMSA|AA|7\n"), "{liat}");
    }

    #[test]
    fn a_small_buffer_is_an_error() {
        assert_eq!(reply(Code::ApplicationAccept, &[]).write(None, &mut [0; 30]), Err(WriteError::Full));
    }

    proptest::proptest! {
        #[test]
        fn an_answer_is_recognised_by_the_sender(
            id in proptest::collection::vec(proptest::num::u8::ANY, 1..30),
            encoding in "[!-/]{2,5}",
            which in 0usize..6,
        ) {
            let field = b'|';
            let id: Vec<u8> = id.into_iter().filter(|b| !matches!(*b, b'|' | b'\r' | b'\n' | 0x0B | 0x1C)).collect();
            let mut message = format!("MSH|{encoding}|A|B|C|D|1||ORU|").into_bytes();
            message.extend_from_slice(&id);
            message.extend_from_slice(b"|P|2.5.1\r");
            let answer = answered(&message, &reply(Code::ALL[which], &[PROBLEM]));
            let ack = Ack::read(&answer).unwrap();
            proptest::prop_assert_eq!(ack.control_id(), &id[..]);
            proptest::prop_assert_eq!(ack.answer(), Answer::Known(Code::ALL[which]));
            proptest::prop_assert_eq!(ack.errors().count(), 1);
            proptest::prop_assert_eq!(ack.header().delimiters().field(), field);
        }

        #[test]
        fn any_bytes_are_answered_and_read(noise: Vec<u8>, text in "(MSH|MSA|ERR|[|^~\\\\&A-Z0-9\\r\\n\\x0b\\x1c]){0,60}") {
            for tail in [&noise, text.as_bytes()] {
                for message in [tail.to_vec(), [b"MSH|^~\\&|", tail].concat(), [b"MSH|^~\\&|\rMSA|", tail].concat()] {
                    let answer = answered(&message, &reply(Code::ApplicationReject, &[]));
                    proptest::prop_assert!(!answer.iter().any(|b| matches!(*b, 0x0B | 0x1C | b'\n')));
                    proptest::prop_assert!(Ack::read(&answer).is_ok());
                    if let Ok(ack) = Ack::read(&message) {
                        let _ = ack.errors().map(|e| (e.location(), e.number())).collect::<Vec<_>>();
                        let _ = ack.answer();
                    }
                }
            }
        }
    }
}
