//! What a message from any instrument means: borrowed items in document order.
//!
//! An interpreter walks one stored message and gives its items to a [`ReportSink`]; nothing is copied, and an item is
//! valid for as long as the message and its scratch space (`'m`). The order is that of the document: a [`Sender`]
//! first, then for each patient, specimen and order their observations, each comment after what it comments, [`End`]
//! last. A bedside device's message has a [`Device`], [`Group`]s and [`Measurement`]s instead. The same message always gives the same items, so a message is walked twice: once to decide, once to write.
//!
//! Items carry what the instrument said, unjudged. What may be reported, and as what, is the gateway's verdict.

mod bedside;

pub use bedside::{Alarm, At, Device, Group, Kind, Marks, Measurement, Priority, Reading, Shown, Side, Unit};

use crate::span::Span;
use crate::text::{Text, Undecodable};
use crate::time::DeviceTime;
use core::fmt;

/// Receives the items of one message.
pub trait ReportSink<'m> {
    /// The next item in document order.
    fn item(&mut self, item: Item<'m>);
    /// Something about the message that a person may need to know. It stops nothing.
    fn note(&mut self, note: Note<'m>);
}

/// One item of a report.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::large_enum_variant)] // There is no allocator to box with, and an item is passed once.
#[non_exhaustive]
pub enum Item<'m> {
    /// Who sends, and in what mode.
    Sender(Sender<'m>),
    /// The patient of what follows, until the next patient. Never carried beyond the message.
    Patient(Patient<'m>),
    /// The specimen of what follows.
    Specimen(Specimen<'m>),
    /// An order: it begins a new group of observations.
    Order(Order<'m>),
    /// One observation.
    Observation(Observation<'m>),
    /// A remark on the item before it, at the level it names.
    Comment(Comment<'m>),
    /// The instrument asks for orders.
    Query(Query<'m>),
    /// A bedside device: it takes the place of sender, patient, specimen and order.
    Device(Device<'m>),
    /// A group of its measurements begins.
    Group(Group<'m>),
    /// One of its measurements.
    Measurement(Measurement<'m>),
    /// The message's end.
    End(End),
}

/// Who sent the message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sender<'m> {
    /// The model as the instrument names itself (LIS02 H.5.1).
    pub name: Text<'m>,
    /// Serial number, where the profile knows its place.
    pub serial: Text<'m>,
    /// Software version, where the profile knows its place.
    pub version: Text<'m>,
    /// When the message was made.
    pub time: Option<DeviceTime>,
    /// Evidence that the whole message is no patient's: quality control, calibration, training.
    pub qc: Option<Qc>,
    /// Where it stands in the message.
    pub span: Span,
}

/// Positive evidence that something is no patient result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Qc {
    /// LIS02 H.12 says `Q`.
    ProcessingId,
    /// LIS02 O.12 says `Q`.
    ActionCode,
    /// A rule of the profile (an id pattern, a descriptor, a mark), as a clause: "the sample id begins with QC-". It
    /// holds the profile's own text and nothing else of the message.
    ProfileRule(&'static str),
    /// LIS02 H.12 says `T` or `D`: training, debugging.
    Training,
    /// HL7 SPM-11 says `Q`.
    SpecimenRole,
}

impl Qc {
    /// The evidence in words.
    #[must_use]
    pub const fn evidence(self) -> &'static str {
        match self {
            Self::ProcessingId => "H.12 is Q",
            Self::ActionCode => "O.12 is Q",
            Self::ProfileRule(clause) => clause,
            Self::SpecimenRole => "SPM-11 is Q",
            Self::Training => "H.12 says training or debugging",
        }
    }
}

/// What the message says of the patient. A gateway believes none of it unless the site says which field is what.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patient<'m> {
    /// LIS02 P.3 or its like.
    pub practice_id: Text<'m>,
    /// LIS02 P.4.
    pub laboratory_id: Text<'m>,
    /// LIS02 P.5.
    pub third_id: Text<'m>,
    /// Family name.
    pub family: Text<'m>,
    /// Given name.
    pub given: Text<'m>,
    /// Further given names or initials.
    pub middle: Text<'m>,
    /// Birth date.
    pub birth: Option<DeviceTime>,
    /// Sex as sent.
    pub sex: Text<'m>,
    /// Where it stands.
    pub span: Span,
}

/// What was measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Specimen<'m> {
    /// The barcode or typed id, spaces around it trimmed. Empty when the message has none.
    pub id: Text<'m>,
    /// The standard's name of the place where the id was found (`O.3`), for notes and the trace.
    pub id_place: &'static str,
    /// Material as sent (`SERUM`).
    pub kind: Text<'m>,
    /// When it was taken.
    pub collected: Option<DeviceTime>,
    /// When the laboratory got it.
    pub received: Option<DeviceTime>,
    /// Evidence that it is no patient's.
    pub qc: Option<Qc>,
    /// Where it stands.
    pub span: Span,
}

/// An order, as far as the instrument tells.
#[derive(Clone, Copy, Debug, Default)]
pub struct Order<'m> {
    /// The test or panel that all observations below belong to.
    pub code: Code<'m>,
    /// True when the message says that the order was cancelled or cannot be done.
    pub cancelled: bool,
    /// Where it stands.
    pub span: Span,
}

/// A test's code in the instrument's own words, and a LOINC code when the instrument itself sends one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Code<'m> {
    /// The vendor's code.
    pub id: Text<'m>,
    /// The vendor's name of it; empty when there is none.
    pub name: Text<'m>,
    /// HL7 table 0396 name of the vendor's coding system (`99SYSMEX`).
    pub system: &'m str,
    /// A LOINC code that the instrument sent beside its own.
    pub loinc: Text<'m>,
}

/// One result.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'m> {
    /// The test.
    pub code: Code<'m>,
    /// The value as text, spaces around it trimmed; empty when there is none. Digits are never changed.
    pub value: Text<'m>,
    /// Unit as sent; or in UCUM, when a profile's table says what the instrument means by a code or a glyph.
    pub unit: Text<'m>,
    /// What the instrument wrote for a unit that a table gave; empty otherwise.
    pub unit_as_sent: Text<'m>,
    /// Reference range as sent.
    pub range: Text<'m>,
    /// Flags as sent.
    pub flags: Flags<'m>,
    /// Nature of abnormality testing (LIS02 R.8, HL7 OBX-10).
    pub nature: Text<'m>,
    /// Result status.
    pub status: Status,
    /// When the measurement began.
    pub started: Option<DeviceTime>,
    /// When the result was there.
    pub completed: Option<DeviceTime>,
    /// Who operated the instrument.
    pub operator: Text<'m>,
    /// Who verified the result on the instrument.
    pub verifier: Text<'m>,
    /// The device or module that measured.
    pub device: Text<'m>,
    /// What tells this run from another of the same test on the same specimen; empty when the message has nothing.
    pub run: Text<'m>,
    /// Dilution or replicate that the instrument wrote beside the code.
    pub replicate: Text<'m>,
    /// The isolate, or another group within the order, that it is about, counted from 1; 0 when there is none.
    pub group: u16,
    /// A value field that is not truthfully a value, by a named rule of the profile.
    pub not_reportable: Option<&'static str>,
    /// Why the structure around it cannot be told, when that is so: it is kept for a person, not reported.
    pub doubt: Option<&'static str>,
    /// It may be no patient's: the sample id begins as a control's would, and nothing proves it. A person may know.
    pub suspect: bool,
    /// Where it stands.
    pub span: Span,
}

/// The status of a result, as far as HL7 table 0085 and LIS02 R.9 agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// Final (F, V, M, Q, R).
    Final,
    /// Preliminary or partial (P, S).
    Preliminary,
    /// A correction of what was sent before (C).
    Corrected,
    /// Could not be done (X).
    NotDone,
    /// In the instrument, pending (I).
    Pending,
    /// The instrument doubts its validity (W).
    Questionable,
    /// The record only carries information for a rerun (N).
    RerunInformation,
    /// Nothing was sent.
    #[default]
    Absent,
    /// A code that no table here knows.
    Unknown(u8),
}

/// Flags of one result: raw, with what the profile knows about them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flags<'m> {
    /// The whole field.
    pub text: Text<'m>,
    /// The byte between repeats.
    pub separator: u8,
    /// What the profile knows.
    pub known: &'m [KnownFlag<'m>],
}

/// A vendor's flag that a profile explains.
#[derive(Clone, Copy, Debug)]
pub struct KnownFlag<'m> {
    /// As the instrument writes it.
    pub code: &'m str,
    /// The same thing in HL7 table 0078, when there is one; empty when it says that there is nothing to flag.
    pub hl7: Option<&'m str>,
    /// What it means, for people; empty when the code says it all.
    pub meaning: &'m str,
}

impl<'m> Flags<'m> {
    /// Each flag that is not empty, with what the profile knows about it.
    pub fn iter(&self) -> impl Iterator<Item = (Text<'m>, Option<KnownFlag<'m>>)> + use<'m> {
        let known = self.known;
        self.text
            .split(self.separator)
            .map(Text::trimmed)
            .filter(|t| !t.is_empty())
            .map(move |text| (text, known.iter().find(|k| text.reads(k.code)).copied()))
    }
}

/// What a comment is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Level {
    Message,
    Patient,
    Order,
    Observation,
}

/// A remark.
#[derive(Clone, Copy, Debug)]
pub struct Comment<'m> {
    /// What it is about: the last item of that kind.
    pub level: Level,
    /// What the text is, in the profile's words, when the instrument wrote it in a field of its own; empty for a
    /// remark.
    pub label: &'m str,
    /// The remark as sent.
    pub text: Text<'m>,
    /// Where it stands.
    pub span: Span,
}

/// The instrument asks what to do with a specimen.
#[derive(Clone, Copy, Debug)]
pub struct Query<'m> {
    /// The specimen asked for; empty for "everything".
    pub specimen: Text<'m>,
    /// Where it stands.
    pub span: Span,
}

/// How the message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// False when the link broke, or when no terminator came where the dialect has one.
    pub complete: bool,
}

/// Typed trouble in a message's content, with its place.
#[derive(Clone, Copy, Debug)]
pub struct Note<'m> {
    /// What it is.
    pub kind: NoteKind,
    /// Where, in the message's text.
    pub span: Span,
    /// A code or a type letter that names the thing; never a value, an id or a name.
    pub subject: Text<'m>,
}

/// What a [`Note`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoteKind {
    /// The header declares delimiters that cannot be told apart, or is cut.
    BadHeader,
    /// The message does not begin with a header.
    NoHeader,
    /// A record type that the standard does not have; kept, not reported.
    UnknownRecord,
    /// A manufacturer (M) or scientific (S) record; kept, not reported.
    ManufacturerRecord,
    /// A result before any order.
    ResultWithoutOrder,
    /// Sequence numbers skip.
    SequenceGap,
    /// No terminator record.
    NoTerminator,
    /// The last record was cut off.
    CutRecord,
    /// A time stamp that is none.
    BadTime,
    /// Text beyond the last field that the standard names.
    ExtraFields,
    /// The terminator says that the sender aborted.
    Aborted,
    /// An order without results: nothing to report.
    OrderWithoutResult,
    /// A control character inside a record.
    ControlCharacter,
    /// The message was interpreted up to a bound and no further.
    TooMuch,
    /// Where the sample id was found, by a profile that searches for it.
    SampleIdFound,
    /// Several texts could be the sample id; none was taken.
    SampleIdUnclear,
    /// A comment on something that results do not belong to; kept, not reported.
    UnplacedComment,
    /// The link's framing inside the stored bytes is damaged.
    BadFrame,
    /// An alarm: stored, never forwarded as one.
    Alarm,
    /// Samples of a waveform; kept, not reported.
    Wave,
}

impl NoteKind {
    /// A sentence for people.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::BadHeader => "the header's delimiters cannot be told apart",
            Self::NoHeader => "the message does not begin with a header record",
            Self::UnknownRecord => "unknown record type; kept, not reported",
            Self::ManufacturerRecord => "manufacturer or scientific record; kept, not reported",
            Self::ResultWithoutOrder => "a result stands before any order",
            Self::SequenceGap => "record sequence numbers skip",
            Self::NoTerminator => "the message has no terminator record",
            Self::CutRecord => "the last record was cut off",
            Self::BadTime => "a time stamp cannot be read",
            Self::ExtraFields => "fields beyond the standard's last",
            Self::Aborted => "the instrument says that it aborted the transmission",
            Self::OrderWithoutResult => "an order without results",
            Self::ControlCharacter => "a control character inside a record",
            Self::SampleIdFound => "the sample id was found here",
            Self::SampleIdUnclear => "several texts could be the sample id, so none was taken",
            Self::UnplacedComment => {
                "a comment that belongs to no result, order or patient; kept, not reported"
            }
            Self::BadFrame => "the framing of the stored bytes is damaged",
            Self::Alarm => "an alarm; kept, never forwarded",
            Self::Wave => "samples of a waveform; kept, not reported",
            Self::TooMuch => "more than one message may hold; the rest is held",
        }
    }
}

impl fmt::Display for NoteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

/// First text of an item that cannot be decoded.
macro_rules! undecodable {
    ($item:ident: $($field:ident).+ $(, $more:ident $(. $rest:ident)*)*) => {
        impl $item<'_> {
            /// The first text of this item that its charset cannot decode.
            #[must_use]
            pub fn undecodable(&self) -> Option<Undecodable> {
                self.$($field).+.undecodable()$(.or_else(|| self.$more$(.$rest)*.undecodable()))*
            }
        }
    };
}
undecodable!(Sender: name, serial, version);
undecodable!(Patient: practice_id, laboratory_id, third_id, family, given, middle, sex);
undecodable!(Specimen: id, kind);
undecodable!(Order: code.id, code.name, code.loinc);
undecodable!(Observation: code.id, code.name, code.loinc, value, unit, unit_as_sent, range, flags.text, nature, operator,
    verifier, device, run, replicate);
undecodable!(Comment: text);
