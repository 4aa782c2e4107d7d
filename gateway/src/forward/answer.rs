//! What an acknowledgment says (HL7 2.5.1, 2.14.8 MSA and 2.14.5 ERR).
//!
//! Promises that MSA-2 is given as it stands: not trimmed, not unescaped, for it is compared byte by byte. Reads the
//! error code of 2.5 (ERR-3) and of older engines (ERR-1.4, MSA-6). Texts are left alone: they may name a patient.

use super::events::{Code, Failure};

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
        let [b'M', b'S', b'H', field, component, ..] = bytes else { return Err(Failure::NotHl7) };
        let delimiters = [*field, *component];
        if delimiters.iter().any(|d| !d.is_ascii_punctuation()) || field == component {
            return Err(Failure::NotHl7);
        }
        let (mut msa, mut errors) = (None, Vec::new());
        for segment in bytes.split(|b| matches!(b, b'\r' | b'\n')) {
            let mut fields = segment.split(|b| b == field);
            match fields.next() {
                // Two answers in one frame cannot be told apart from one that was torn.
                Some(b"MSH") if segment.as_ptr() != bytes.as_ptr() => return Err(Failure::NotHl7),
                Some(b"MSA") if msa.is_none() => msa = Some(fields.collect::<Vec<_>>()),
                Some(b"ERR") => errors.push(fields.collect::<Vec<_>>()),
                _ => {}
            }
        }
        let msa = msa.ok_or(Failure::NotAnAck)?;
        let part = |fields: &[&'a [u8]], field: usize, part: usize| {
            let field = fields.get(field.wrapping_sub(1)).copied()?;
            field.split(|b| b == component).nth(part.wrapping_sub(1))
        };
        // In ERR-1.4 and MSA-6 the number may be followed by a sub-component.
        let number = |bytes: &[u8]| {
            let digits = bytes.split(|b| !b.is_ascii_digit()).next().unwrap_or_default();
            std::str::from_utf8(digits).ok()?.parse::<u16>().ok()
        };
        let code = msa.first().copied().and_then(Code::read).ok_or(Failure::UnknownCode)?;
        let mut numbers = Vec::new();
        for fields in &errors {
            let new = part(fields, 3, 1).and_then(number);
            numbers.extend(new.or_else(|| part(fields, 1, 4).and_then(number)));
        }
        numbers.extend(part(&msa, 6, 1).and_then(number));
        let unsupported = numbers.iter().copied().find(|n| (200..=203).contains(n));
        let error = unsupported.or(numbers.first().copied());
        Ok(Self { code, id: msa.get(1).copied().unwrap_or_default(), error })
    }
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
        let table: &[(&str, Result<(Code, &str, Option<u16>), Failure>)] = &[
            (
                "MSH|^~\\&|E|H|G|L|20261122||ACK^R01^ACK|C1|P|2.5.1\rMSA|AA|GW010000000000000001\r",
                Ok((Code::AA, "GW010000000000000001", None)),
            ),
            // No CR at the end, and line feeds.
            ("MSH|^~\\&|E\r\nMSA|CA| x ", Ok((Code::CA, " x ", None))),
            ("MSH|^~\\&|E\rMSA|AA", Ok((Code::AA, "", None))),
            ("MSH$%~\\&$E\rMSA$AE$1\rERR$$PID%1%3$204%x\r", Ok((Code::AE, "1", Some(204)))),
            ("MSH|^~\\&|E\rMSA|AR|1\rERR||x|101\rERR||x|200^y\r", Ok((Code::AR, "1", Some(200)))),
            ("MSH|^~\\&|E\rMSA|AR|1\rERR|PID^1^3^203&x\r", Ok((Code::AR, "1", Some(203)))),
            ("MSH|^~\\&|E\rMSA|AR|1|text|||207^x\r", Ok((Code::AR, "1", Some(207)))),
            ("MSH|^~\\&|E\rMSA|AE|1|a text\nof two lines\rERR|||Q1\r", Ok((Code::AE, "1", None))),
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
            let expected = expected.map(|(code, id, error)| (code, id.to_owned(), error));
            assert_eq!(read(text), expected, "{text:?}");
        }
    }
}
