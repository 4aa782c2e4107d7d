//! Acknowledgments: the answer to a message, and what an answer says (2.5.1, sections 2.9 and 2.14.1).
//!
//! Promises: MSA-2 is the message's MSH-10 byte for byte, and two ids are the same only when their bytes are. Unknown
//! acknowledgment codes stay what they are. Leaves out when to answer what, and which answer settles a delivery.

pub use super::reply::{Problem, Reply};

use super::Name;
use super::header::Header;
use super::lines::Lines;
use super::reader::{Part, ReadError, Segment};
use core::fmt;

/// MSA-1 (table 0008).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// AA.
    ApplicationAccept,
    /// AE.
    ApplicationError,
    /// AR.
    ApplicationReject,
    /// CA, of enhanced mode.
    CommitAccept,
    /// CE, of enhanced mode.
    CommitError,
    /// CR, of enhanced mode.
    CommitReject,
}

impl Code {
    pub(super) const ALL: [Self; 6] = [
        Self::ApplicationAccept,
        Self::ApplicationError,
        Self::ApplicationReject,
        Self::CommitAccept,
        Self::CommitError,
        Self::CommitReject,
    ];

    /// The two letters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApplicationAccept => "AA",
            Self::ApplicationError => "AE",
            Self::ApplicationReject => "AR",
            Self::CommitAccept => "CA",
            Self::CommitError => "CE",
            Self::CommitReject => "CR",
        }
    }

    /// True for AA and CA.
    #[must_use]
    pub const fn is_accept(self) -> bool {
        matches!(self, Self::ApplicationAccept | Self::CommitAccept)
    }

    /// True for AE and CE.
    #[must_use]
    pub const fn is_error(self) -> bool {
        matches!(self, Self::ApplicationError | Self::CommitError)
    }

    /// True for AR and CR.
    #[must_use]
    pub const fn is_reject(self) -> bool {
        matches!(self, Self::ApplicationReject | Self::CommitReject)
    }

    /// True for the accept acknowledgments of enhanced mode.
    #[must_use]
    pub const fn is_commit(self) -> bool {
        matches!(self, Self::CommitAccept | Self::CommitError | Self::CommitReject)
    }
}

/// MSA-1 as a peer sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'m> {
    /// One of table 0008.
    Known(Code),
    /// Anything else, the empty one too.
    Unknown(&'m [u8]),
}

/// A code of table 0357 with its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// ERR-3.1.
    pub number: u16,
    /// ERR-3.2.
    pub text: &'static str,
}

macro_rules! table_0357 {
    ($($name:ident $number:literal $text:literal)*) => {
        #[allow(missing_docs)]
        impl ErrorCode {
            $(pub const $name: Self = Self { number: $number, text: $text };)*
        }
    };
}

table_0357! {
    SEGMENT_SEQUENCE 100 "Segment sequence error"
    REQUIRED_FIELD_MISSING 101 "Required field missing"
    DATA_TYPE 102 "Data type error"
    TABLE_VALUE_NOT_FOUND 103 "Table value not found"
    UNSUPPORTED_MESSAGE_TYPE 200 "Unsupported message type"
    UNSUPPORTED_EVENT_CODE 201 "Unsupported event code"
    UNSUPPORTED_PROCESSING_ID 202 "Unsupported processing id"
    UNSUPPORTED_VERSION_ID 203 "Unsupported version id"
    UNKNOWN_KEY 204 "Unknown key identifier"
    DUPLICATE_KEY 205 "Duplicate key identifier"
    RECORD_LOCKED 206 "Application record locked"
    APPLICATION_INTERNAL 207 "Application internal error"
}

/// ERR-4 (table 0516).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Severity {
    Error,
    Warning,
    Information,
}

impl Severity {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "E",
            Self::Warning => "W",
            Self::Information => "I",
        }
    }
}

/// Where in a message trouble is: the first three components of ERR-2 (ERL), which are those of ERR-1 too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// The segment.
    pub segment: Name,
    /// Which one of that name, from 1; 0 when not said.
    pub sequence: u16,
    /// The field; 0 when not said.
    pub field: u16,
}

/// Why bytes are no acknowledgment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckError {
    /// They are no HL7 message.
    Message(ReadError),
    /// The message has no MSA segment.
    NoMsa,
}

impl fmt::Display for AckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(error) => write!(f, "{error}"),
            Self::NoMsa => f.write_str("no MSA segment"),
        }
    }
}

impl core::error::Error for AckError {}

/// An acknowledgment that was read, also the MSA of a message that answers with more (`ORL`, `RSP`).
#[derive(Clone, Debug)]
pub struct Ack<'m> {
    header: Header<'m>,
    msa: Segment<'m, 'static>,
    lines: Lines<'m>,
}

impl<'m> Ack<'m> {
    /// Reads an answer. Segments other than MSH, MSA and ERR may be anything, but not a second message: two answers in
    /// one frame would leave open which one counts.
    ///
    /// # Errors
    /// [`AckError`] says what is missing.
    pub fn read(bytes: &'m [u8]) -> Result<Self, AckError> {
        let header = Header::read(bytes).map_err(AckError::Message)?;
        let lines = Lines::new(bytes).map_err(AckError::Message)?;
        let mut msa = None;
        for line in lines.clone() {
            match line {
                Ok(segment) if segment.is("MSA") && msa.is_none() => msa = Some(segment),
                Err(error @ ReadError::SecondMsh { .. }) => return Err(AckError::Message(error)),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(Self { header, msa: msa.ok_or(AckError::NoMsa)?, lines })
    }

    /// The answer's MSH.
    #[must_use]
    pub const fn header(&self) -> &Header<'m> {
        &self.header
    }

    /// MSA-1.
    #[must_use]
    pub fn answer(&self) -> Answer<'m> {
        let bytes = self.msa.field(1).bytes();
        let known = Code::ALL.into_iter().find(|c| c.as_str().as_bytes() == bytes);
        known.map_or(Answer::Unknown(bytes), Answer::Known)
    }

    /// MSA-2 byte for byte: the MSH-10 of the message that is answered.
    #[must_use]
    pub fn control_id(&self) -> &'m [u8] {
        self.msa.field(2).bytes()
    }

    /// True when it answers the message whose MSH-10 has these bytes. Nothing is trimmed or folded, and an empty id
    /// answers nothing.
    #[must_use]
    pub fn answers(&self, control_id: &[u8]) -> bool {
        !control_id.is_empty() && self.control_id() == control_id
    }

    /// MSA-3, for people.
    #[must_use]
    pub fn text(&self) -> Part<'m> {
        self.msa.field(3)
    }

    /// The answer's own MSH-10.
    #[must_use]
    pub fn own_control_id(&self) -> &'m [u8] {
        self.header.control_id()
    }

    /// What the ERR segments say, in their order, in either form.
    pub fn errors(&self) -> impl Iterator<Item = Reported<'m>> + use<'m> {
        let lines = self.lines.clone().filter_map(Result::ok).filter(|s| s.is("ERR"));
        lines.flat_map(|err| {
            let new = !err.field(3).is_empty() || !err.field(2).is_empty() || !err.field(4).is_empty();
            let newer = new.then(|| Reported {
                place: err.field(2).repeat(1),
                code: err.field(3).component(1),
                meaning: err.field(3).component(2),
                severity: err.field(4),
                text: err.field(8),
            });
            // A segment in the new form may repeat itself in ERR-1 for old receivers.
            let older = (!new).then(|| err.field(1).repeats().map(Reported::older)).into_iter().flatten();
            newer.into_iter().chain(older)
        })
    }
}

/// One error that a peer reported. What the peer did not say is empty.
#[derive(Clone, Copy, Debug)]
pub struct Reported<'m> {
    /// ERR-2, or the repetition of ERR-1.
    pub place: Part<'m>,
    /// ERR-3.1, or ERR-1.4.1.
    pub code: Part<'m>,
    /// ERR-3.2, or ERR-1.4.2.
    pub meaning: Part<'m>,
    /// ERR-4.
    pub severity: Part<'m>,
    /// ERR-8.
    pub text: Part<'m>,
}

impl<'m> Reported<'m> {
    fn older(repeat: Part<'m>) -> Self {
        let code = repeat.component(4);
        let nothing = code.subcomponent(0);
        Self {
            place: repeat,
            code: code.subcomponent(1),
            meaning: code.subcomponent(2),
            severity: nothing,
            text: nothing,
        }
    }

    /// The place, when its segment has a name and its numbers are numbers.
    #[must_use]
    pub fn location(&self) -> Option<Location> {
        let number = |n: usize| {
            let part = self.place.component(n);
            if part.is_empty() { Some(0) } else { decimal(part.bytes()) }
        };
        let segment = Name::new(self.place.component(1).bytes())?;
        Some(Location { segment, sequence: number(2)?, field: number(3)? })
    }

    /// The code as a number of table 0357, when it is one.
    #[must_use]
    pub fn number(&self) -> Option<u16> {
        decimal(self.code.bytes())
    }
}

fn decimal(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.iter().all(u8::is_ascii_digit).then_some(bytes)?;
    core::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::ToString;
    use std::vec::Vec;

    #[test]
    fn answers_of_peers() {
        let ack = Ack::read(
            b"MSH|^~\\&|CENTRAL|HOSP|EDGEGW|CORE-LAB|20261122101506+0100||ACK^R01^ACK|C1234|P|2.5.1\rMSA|AE|GW010000000000012345|x\\T\\y\r\
              ERR||PID^1^3|204^Unknown key identifier^HL70357|E|||Unknown MRN|Text\rERR||OBX|Z9|W\rERR|PID^2^5^103&Not found~PV1^1^x^101\rERR\r",
        )
        .unwrap();
        assert_eq!(ack.answer(), Answer::Known(Code::ApplicationError));
        assert!(ack.answers(b"GW010000000000012345") && !ack.answers(b"GW01000000000001234"));
        assert!(ack.text().reads("x&y"));
        assert_eq!(ack.own_control_id(), b"C1234");
        let errors: Vec<_> = ack
            .errors()
            .map(|e| {
                let place = e.location().map(|l| format!("{} {} {}", l.segment, l.sequence, l.field));
                let text = [e.meaning, e.severity, e.text].map(|p| p.bytes().escape_ascii().to_string());
                format!("{} {:?} {}", place.unwrap_or_default(), e.number(), text.join(","))
            })
            .collect();
        assert_eq!(
            errors,
            [
                "PID 1 3 Some(204) Unknown key identifier,E,Text",
                "OBX 0 0 None ,W,",
                "PID 2 5 Some(103) Not found,,",
                " Some(101) ,,",
            ]
        );
    }

    #[test]
    fn odd_answers() {
        let read = |tail: &str| {
            Ack::read(format!("MSH|^~\\&|||||||ACK|\r{tail}").as_bytes()).map(|a| format!("{:?}", a.answer()))
        };
        assert_eq!(read("MSA|AA|1").as_deref(), Ok("Known(ApplicationAccept)"));
        assert_eq!(read("MSA|CR|1").as_deref(), Ok("Known(CommitReject)"));
        assert_eq!(read("MSA|aa|1").as_deref(), Ok("Unknown([97, 97])"));
        assert_eq!(read("MSA").as_deref(), Ok("Unknown([])"));
        assert_eq!(read("something odd\rMSA|AA|1").as_deref(), Ok("Known(ApplicationAccept)"));
        assert_eq!(read(""), Err(AckError::NoMsa));
        assert_eq!(read("PID|1"), Err(AckError::NoMsa));
        let second = ReadError::SecondMsh { offset: 29 };
        assert_eq!(read("MSA|AA|1\rMSH|^~\\&|"), Err(AckError::Message(second)));
        assert_eq!(Ack::read(b"OK").map(|_| ()), Err(AckError::Message(ReadError::NoMsh { offset: 0 })));
        let blank = Ack::read(b"MSH|^~\\&|\rMSA|AA|").unwrap();
        assert!(!blank.answers(b""), "an empty id answers nothing");
    }
}
