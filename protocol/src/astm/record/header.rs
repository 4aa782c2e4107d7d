//! The delimiters that an H record declares (LIS02 2.1: H.1 and H.2).
//!
//! [`parse_header`] accepts four different punctuation characters and says exactly what is wrong with anything else.
//! It repairs nothing: what to read by instead is the caller's choice, see
//! [`Records::with_fallback`](super::Records::with_fallback).

use crate::ascii::{CR, LF};
use crate::text::Delimiters;
use core::fmt;

/// What a delimiter separates or marks, in the order of their declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Separates fields; the byte after the H.
    Field,
    /// Separates repeats of a field; first byte of H.2.
    Repeat,
    /// Separates components of a field or repeat; second byte of H.2.
    Component,
    /// Begins and ends an escape sequence; third byte of H.2.
    Escape,
}

/// Why an H record declares no delimiters, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderError {
    /// Offset of the offending byte, or of where the missing one would be: from the start of the bytes given to
    /// [`parse_header`]; in a record's [`DelimiterSource`](super::DelimiterSource), from the start of the message.
    pub offset: usize,
    /// What is wrong there.
    pub problem: HeaderProblem,
}

/// What is wrong with an H record's delimiters. The instrument, or its settings, are at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderProblem {
    /// The record does not begin with H or h; `None` when there is no byte at all.
    NotHeader(Option<u8>),
    /// The record, or the field with the definition, ends before this delimiter.
    TooShort(Role),
    /// A letter, a digit, a space, a control character or a byte above 0x7E: none can delimit text.
    Unusable(Role, u8),
    /// The second has the same byte as the first, so one of the two splits cannot be told from the other.
    Equal {
        /// Declared earlier.
        first: Role,
        /// Declared at the offset.
        second: Role,
        /// The byte of both.
        byte: u8,
    },
    /// H.2 goes on after the escape delimiter. E1238 and HL7 declare one more and order them otherwise
    /// (`H|^~\&|`), so the bytes before cannot be trusted either.
    NotEnded(u8),
}

/// Reads the four delimiters at the start of an H record. Bytes after the definition are not looked at, so a whole
/// message may be given.
///
/// # Errors
/// [`HeaderError`] names the first thing that is wrong and its offset.
pub fn parse_header(record: &[u8]) -> Result<Delimiters, HeaderError> {
    let fail = |offset, problem| Err(HeaderError { offset, problem });
    let at = |offset: usize| record.get(offset).copied().filter(|b| *b != CR && *b != LF);
    match at(0) {
        Some(b'H' | b'h') => {}
        other => return fail(0, HeaderProblem::NotHeader(other)),
    }
    const ROLES: [Role; 4] = [Role::Field, Role::Repeat, Role::Component, Role::Escape];
    let mut declared = [0u8; 4];
    for (offset, role) in (1usize..).zip(ROLES) {
        let Some(byte) = at(offset) else { return fail(offset, HeaderProblem::TooShort(role)) };
        if !byte.is_ascii_punctuation() {
            return fail(offset, HeaderProblem::Unusable(role, byte));
        }
        for (earlier, first) in declared.into_iter().zip(ROLES) {
            if earlier != byte {
                continue;
            }
            return fail(
                offset,
                match first {
                    Role::Field => HeaderProblem::TooShort(role), // It ends H.2.
                    first => HeaderProblem::Equal { first, second: role, byte },
                },
            );
        }
        if let Some(slot) = declared.get_mut(offset.saturating_sub(1)) {
            *slot = byte;
        }
    }
    let [field, repeat, component, escape] = declared;
    match at(5) {
        Some(byte) if byte != field => fail(5, HeaderProblem::NotEnded(byte)),
        _ => Ok(Delimiters { field, repeat, component, escape }),
    }
}

impl HeaderError {
    /// The same error in bytes that begin `by` bytes later in something longer.
    #[must_use]
    pub(super) const fn shifted(self, by: usize) -> Self {
        Self { offset: self.offset.saturating_add(by), ..self }
    }
}

/// A byte as itself where it has a glyph, else as an escape such as `\t` or `\xb5`.
struct Shown(u8);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_ascii_graphic() {
            write!(f, "{}", char::from(self.0))
        } else {
            write!(f, "{}", core::ascii::escape_default(self.0))
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Field => "field",
            Self::Repeat => "repeat",
            Self::Component => "component",
            Self::Escape => "escape",
        })
    }
}

/// For people: `byte 3: repeat and component delimiter are both '\'`.
impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: ", self.offset)?;
        match self.problem {
            HeaderProblem::NotHeader(Some(b)) => write!(f, "'{}' instead of an H record", Shown(b)),
            HeaderProblem::NotHeader(None) => f.write_str("nothing instead of an H record"),
            HeaderProblem::TooShort(role) => write!(f, "the header ends before its {role} delimiter"),
            HeaderProblem::Unusable(role, b) => write!(f, "'{}' cannot be the {role} delimiter", Shown(b)),
            HeaderProblem::Equal { first, second, byte } => {
                write!(f, "{first} and {second} delimiter are both '{}'", Shown(byte))
            }
            HeaderProblem::NotEnded(b) => {
                write!(f, "'{}' after the escape delimiter, where H.2 must end", Shown(b))
            }
        }
    }
}

impl core::error::Error for HeaderError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn reads_what_instruments_declare() {
        for (header, [field, repeat, component, escape]) in [
            (r"H|\^&", *br"|\^&"),
            (r"H|\^&|||X", *br"|\^&"),
            (r"h|@^\|GX-1", *br"|@^\"),
            ("H|`^&||", *b"|`^&"),
            ("H!\\^&\rP!1", *b"!\\^&"),
        ] {
            let read = parse_header(header.as_bytes());
            assert_eq!(read, Ok(Delimiters { field, repeat, component, escape }), "{header}");
        }
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        for (header, said) in [
            ("", "byte 0: nothing instead of an H record"),
            ("P|1", "byte 0: 'P' instead of an H record"),
            ("H", "byte 1: the header ends before its field delimiter"),
            ("H|\r^&|", "byte 2: the header ends before its repeat delimiter"),
            (r"H|\^", "byte 4: the header ends before its escape delimiter"),
            (r"H|\^||", "byte 4: the header ends before its escape delimiter"),
            ("H|||", "byte 2: the header ends before its repeat delimiter"),
            (r"H|\\^&||", r"byte 3: repeat and component delimiter are both '\'"),
            (r"H|\^^|", "byte 4: component and escape delimiter are both '^'"),
            (r"H|\^\|", r"byte 4: repeat and escape delimiter are both '\'"),
            (r"H|^~\&|", "byte 5: '&' after the escape delimiter, where H.2 must end"),
            (r"H|\^&\|", r"byte 5: '\' after the escape delimiter, where H.2 must end"),
            (r"H|\^&~|", "byte 5: '~' after the escape delimiter, where H.2 must end"),
            ("HELLO", "byte 1: 'E' cannot be the field delimiter"),
            ("H| ^&|", "byte 2: ' ' cannot be the repeat delimiter"),
            ("H|\\\t&|", r"byte 3: '\t' cannot be the component delimiter"),
        ] {
            let error = parse_header(header.as_bytes()).expect_err(header);
            assert_eq!(error.to_string(), said, "{header}");
        }
        let high = parse_header(b"H|\\^\xB5|").unwrap_err();
        assert_eq!(high, HeaderError { offset: 4, problem: HeaderProblem::Unusable(Role::Escape, 0xB5) });
    }
}
