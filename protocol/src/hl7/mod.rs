//! HL7 v2: the encoding rules of chapter 2, both ways, and acknowledgments.
//!
//! Promises: no input makes the reader panic, and none makes the [`writer`] emit a byte that breaks MLLP framing or
//! a segment. Leaves out what the fields mean: [`crate::oru`] knows what an ORU is, not this module.
//!
//! - [`writer`]: segments into a caller's buffer, delimiters only where content follows.
//! - [`reader`]: any delimiters, any bytes, as positions in a caller's index.
//! - [`header`]: the MSH alone. [`ack`]: the answer to a message, and what an answer says.
//! - [`value`]: which OBX-2 fits a value's text; [`ts`]: time stamps.

pub mod ack;
pub mod header;
mod lines;
mod part;
pub mod reader;
mod reply;
pub mod ts;
pub mod unescape;
pub mod value;
pub mod writer;

use core::fmt;

/// The delimiters of a message: MSH-1 and MSH-2 (2.5.1, section 2.5.4).
///
/// Made only by [`Delimiters::STANDARD`] and [`Delimiters::new`], so they are ASCII punctuation and all different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delimiters {
    field: u8,
    component: u8,
    repeat: u8,
    escape: Option<u8>,
    subcomponent: Option<u8>,
    truncation: Option<u8>,
}

/// Why bytes are no delimiters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DelimiterError {
    /// MSH-2 has fewer than two or more than five characters.
    Count(usize),
    /// The character at this place is no ASCII punctuation; place 0 is MSH-1, places 1 to 5 are MSH-2.
    Character(usize),
    /// The character at this place stands at an earlier one too.
    Repeated(usize),
}

impl Delimiters {
    /// `|` and `^~\&`.
    pub const STANDARD: Self = Self {
        field: b'|',
        component: b'^',
        repeat: b'~',
        escape: Some(b'\\'),
        subcomponent: Some(b'&'),
        truncation: None,
    };

    /// Delimiters from MSH-1 and MSH-2. The standard lets a sender leave out the escape and the sub-component
    /// character when it uses neither; 2.7 added a fifth, the truncation character.
    ///
    /// # Errors
    /// [`DelimiterError`] says which character is wrong.
    pub fn new(field: u8, encoding: &[u8]) -> Result<Self, DelimiterError> {
        let [component, repeat, rest @ ..] = encoding else {
            return Err(DelimiterError::Count(encoding.len()));
        };
        let mut rest = rest.iter().copied();
        let delimiters = Self {
            field,
            component: *component,
            repeat: *repeat,
            escape: rest.next(),
            subcomponent: rest.next(),
            truncation: rest.next(),
        };
        if rest.next().is_some() {
            return Err(DelimiterError::Count(encoding.len()));
        }
        let all = || core::iter::once(field).chain(encoding.iter().copied());
        for (place, byte) in all().enumerate() {
            if !byte.is_ascii_punctuation() {
                return Err(DelimiterError::Character(place));
            }
            if all().take(place).any(|earlier| earlier == byte) {
                return Err(DelimiterError::Repeated(place));
            }
        }
        Ok(delimiters)
    }

    /// MSH-1.
    #[must_use]
    pub const fn field(&self) -> u8 {
        self.field
    }

    /// First character of MSH-2.
    #[must_use]
    pub const fn component(&self) -> u8 {
        self.component
    }

    /// Second character of MSH-2.
    #[must_use]
    pub const fn repeat(&self) -> u8 {
        self.repeat
    }

    /// Third character of MSH-2, if declared.
    #[must_use]
    pub const fn escape(&self) -> Option<u8> {
        self.escape
    }

    /// Fourth character of MSH-2, if declared.
    #[must_use]
    pub const fn subcomponent(&self) -> Option<u8> {
        self.subcomponent
    }

    /// Fifth character of MSH-2 (2.7 and later), if declared.
    #[must_use]
    pub const fn truncation(&self) -> Option<u8> {
        self.truncation
    }

    /// The same delimiters with an escape and a sub-component character: what is missing is taken from the standard
    /// set, or where that one is in use, from the rest of the punctuation.
    pub(crate) fn completed(mut self) -> Self {
        if self.escape.is_none() {
            self.escape = Some(self.unused(b'\\'));
        }
        if self.subcomponent.is_none() {
            self.subcomponent = Some(self.unused(b'&'));
        }
        self
    }

    /// The letter of the escape sequence that stands for a delimiter (2.5.1, section 2.7.1; `P` from 2.7).
    pub(crate) fn letter(&self, byte: u8) -> Option<u8> {
        match byte {
            _ if byte == self.field => Some(b'F'),
            _ if byte == self.component => Some(b'S'),
            _ if byte == self.repeat => Some(b'R'),
            _ if self.escape == Some(byte) => Some(b'E'),
            _ if self.subcomponent == Some(byte) => Some(b'T'),
            _ if self.truncation == Some(byte) => Some(b'P'),
            _ => None,
        }
    }

    /// The delimiter that an escape sequence's letter stands for.
    pub(crate) fn meaning(&self, letter: u8) -> Option<u8> {
        match letter {
            b'F' => Some(self.field),
            b'S' => Some(self.component),
            b'R' => Some(self.repeat),
            b'E' => self.escape,
            b'T' => self.subcomponent,
            b'P' => self.truncation,
            _ => None,
        }
    }

    fn unused(&self, wanted: u8) -> u8 {
        let used = [
            Some(self.field),
            Some(self.component),
            Some(self.repeat),
            self.escape,
            self.subcomponent,
            self.truncation,
        ];
        let candidates = core::iter::once(wanted).chain(*b"\\&%*$@!");
        candidates.into_iter().find(|c| !used.contains(&Some(*c))).unwrap_or(wanted)
    }
}

impl Default for Delimiters {
    fn default() -> Self {
        Self::STANDARD
    }
}

/// The name of a segment: an upper-case letter and two upper-case letters or digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name([u8; 3]);

impl Name {
    /// `MSH`.
    pub const MSH: Self = Self(*b"MSH");

    /// A name, or `None` for bytes that are none.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let name = <[u8; 3]>::try_from(bytes).ok()?;
        let upper = name.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        (upper && name.first().is_some_and(u8::is_ascii_uppercase)).then_some(Self(name))
    }

    /// The three bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 3] {
        &self.0
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or("???") // Always ASCII.
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_are_checked() {
        assert_eq!(Delimiters::new(b'|', b"^~\\&"), Ok(Delimiters::STANDARD));
        assert_eq!(Delimiters::new(b'|', b"^~\\&#").unwrap().truncation(), Some(b'#'));
        assert_eq!(Delimiters::new(b'|', b"^~").unwrap().escape(), None);
        assert_eq!(Delimiters::new(b'|', b"^"), Err(DelimiterError::Count(1)));
        assert_eq!(Delimiters::new(b'|', b"^~\\&#$"), Err(DelimiterError::Count(6)));
        assert_eq!(Delimiters::new(b'|', b"^~^&"), Err(DelimiterError::Repeated(3)));
        assert_eq!(Delimiters::new(b'^', b"^~\\&"), Err(DelimiterError::Repeated(1)));
        assert_eq!(Delimiters::new(b'\r', b"^~\\&"), Err(DelimiterError::Character(0)));
        assert_eq!(Delimiters::new(b'|', b"^~A&"), Err(DelimiterError::Character(3)));
    }

    #[test]
    fn missing_delimiters_are_completed_without_a_clash() {
        let d = Delimiters::new(b'\\', b"&^").unwrap().completed();
        assert_eq!((d.escape(), d.subcomponent()), (Some(b'%'), Some(b'*')));
        let d = Delimiters::new(b'|', b"^~").unwrap().completed();
        assert_eq!(d, Delimiters::STANDARD);
    }

    #[test]
    fn names_are_checked() {
        for (bytes, good) in [
            (&b"PID"[..], true),
            (b"PV1", true),
            (b"ZZ9", true),
            (b"1AB", false),
            (b"pid", false),
            (b"PI", false),
            (b"PIDX", false),
        ] {
            assert_eq!(Name::new(bytes).is_some(), good, "{bytes:?}");
        }
    }
}
