//! What an acknowledgment says (HL7 2.5.1, 2.14.8 MSA and 2.14.5 ERR).
//!
//! Promises that MSA-2 is given as it stands: not trimmed, not unescaped, for it is compared byte by byte. Texts are
//! left alone: they may name a patient.

use super::events::Failure;
use orugate_protocol::hl7::ack::{self, Ack, AckError, Code};

/// The parts of an acknowledgment that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer<'a> {
    /// MSA-1.
    pub(super) code: Code,
    /// MSA-2.
    pub(super) id: &'a [u8],
    /// The error code (table 0357): of several the one that says "unsupported", otherwise the first.
    pub(super) error: Option<u16>,
}

impl<'a> Answer<'a> {
    /// Reads a frame's content.
    ///
    /// # Errors
    /// [`Failure::NotHl7`], [`Failure::NotAnAck`] or [`Failure::UnknownCode`].
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Failure> {
        let ack = Ack::read(bytes).map_err(|error| match error {
            AckError::Message(_) => Failure::NotHl7,
            AckError::NoMsa => Failure::NotAnAck,
        })?;
        let ack::Answer::Known(code) = ack.answer() else { return Err(Failure::UnknownCode) };
        let numbers = || ack.errors().filter_map(|error| number(error.code.bytes()));
        let first = numbers().next();
        let error = numbers().find(|n| (200..=203).contains(n)).or(first);
        Ok(Self { code, id: ack.control_id(), error })
    }
}

/// A code of table 0357. In ERR-1.4 sub-components may follow it.
fn number(code: &[u8]) -> Option<u16> {
    let digits = code.split(|b| !b.is_ascii_digit()).next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Code, String, Option<u16>), Failure> {
        let answer = Answer::read(text.as_bytes())?;
        Ok((answer.code, String::from_utf8(answer.id.to_vec()).unwrap(), answer.error))
    }

    #[test]
    fn reads_what_engines_say() {
        type Row = (&'static str, Result<(Code, &'static str, Option<u16>), Failure>);
        let table: &[Row] = &[
            (
                "MSH|^~\\&|E|H|G|L|20261122||ACK^R01^ACK|C1|P|2.5.1\rMSA|AA|GW010000000000000001\r",
                Ok((Code::ApplicationAccept, "GW010000000000000001", None)),
            ),
            // No CR at the end, and line feeds.
            ("MSH|^~\\&|E\r\nMSA|CA| x ", Ok((Code::CommitAccept, " x ", None))),
            ("MSH|^~\\&|E\rMSA|AA", Ok((Code::ApplicationAccept, "", None))),
            ("MSH$%~\\&$E\rMSA$AE$1\rERR$$PID%1%3$204%x\r", Ok((Code::ApplicationError, "1", Some(204)))),
            (
                "MSH|^~\\&|E\rMSA|AR|1\rERR||x|101\rERR||x|200^y\r",
                Ok((Code::ApplicationReject, "1", Some(200))),
            ),
            ("MSH|^~\\&|E\rMSA|AR|1\rERR|PID^1^3^203&x\r", Ok((Code::ApplicationReject, "1", Some(203)))),
            (
                "MSH|^~\\&|E\rMSA|AE|1|a text\nof two lines\rERR|||Q1\r",
                Ok((Code::ApplicationError, "1", None)),
            ),
            ("MSH|^~\\&|E\rMSA|aa|1\r", Err(Failure::UnknownCode)),
            ("MSH|^~\\&|E\rMSA||1\r", Err(Failure::UnknownCode)),
            ("MSH|^~\\&|E\rPID|AA|1\r", Err(Failure::NotAnAck)),
            ("MSH|^~\\&|E\rMSA|AA|1\rMSH|^~\\&|E\rMSA|AA|2\r", Err(Failure::NotHl7)),
            ("MSA|AA|1\r", Err(Failure::NotHl7)),
            ("MSH", Err(Failure::NotHl7)),
            ("\x06", Err(Failure::NotHl7)),
            ("", Err(Failure::NotHl7)),
        ];
        for (text, expected) in table {
            let expected = expected.clone().map(|(code, id, error)| (code, id.to_owned(), error));
            assert_eq!(read(text), expected, "{text:?}");
        }
    }
}
