//! Report items plus verdicts to one HL7 2.5.1 `ORU^R01^ORU_R01`.
//!
//! [`OruWriter`] is the sink of the second pass: in one walk over the same items as the first pass it writes an ORU for
//! each order group that has a plan, with only those observations whose [`Verdict`] says so. It decides nothing: ids, statuses and
//! sub-ids come with the verdicts, so that the same inputs always give the same bytes. It writes into the caller's
//! buffer; what does not fit or cannot be decoded fails the whole message, never a part of it.
//!
//! Segments, in the order of HL7 2.5.1 7.3.1: MSH, `[PID]`, ORC, OBR, `[NTE]`, `{OBX, [NTE]}`, SPM.

mod segments;
mod writer;

pub use writer::{GroupPlan, Groups, Limit, OruError, OruWriter, Verdict, WriteObservation};

use crate::text::Charset;
use crate::time::{DeviceTime, Utc};

/// What all messages to one destination share. Texts are the site's configuration.
#[derive(Clone, Copy, Debug)]
pub struct Route<'p> {
    /// MSH-3.
    pub sending_application: &'p str,
    /// MSH-4.
    pub sending_facility: &'p str,
    /// MSH-5.
    pub receiving_application: &'p str,
    /// MSH-6.
    pub receiving_facility: &'p str,
    /// MSH-11: `P` or `T`.
    pub processing: char,
    /// MSH-15 and MSH-16, both empty for original mode.
    pub acknowledgment: (&'p str, &'p str),
    /// What the message is written in, and MSH-18.
    pub charset: Charset,
    /// Where else than in SPM-2 the sample id goes.
    pub sample_id_in: SampleIdIn,
    /// `<5` as SN instead of ST.
    pub structured_numeric: bool,
    /// Which field of the instrument's message is a patient id, and whose.
    pub patient: Option<PatientId<'p>>,
}

/// Where a destination wants the sample id, beside SPM-2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SampleIdIn {
    /// SPM-2 only.
    #[default]
    Specimen,
    /// OBR-2 and ORC-2 too.
    Placer,
    /// OBR-3 and ORC-3 are the bare sample id.
    Filler,
}

/// A patient id that the site has declared to be one.
#[derive(Clone, Copy, Debug)]
pub struct PatientId<'p> {
    /// Where the instrument writes it.
    pub field: PatientField,
    /// CX.4.
    pub authority: &'p str,
    /// CX.5, such as `MR`.
    pub kind: &'p str,
}

/// The three patient id fields of LIS02.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum PatientField {
    P3,
    P4,
    P5,
}

/// Offsets from UTC, which this crate cannot know.
pub trait Zone {
    /// Minutes east of UTC at an instant.
    fn at(&self, instant: Utc) -> i16;
    /// What a civil time of the instrument is in its zone.
    fn of(&self, civil: &DeviceTime) -> Local;
}

/// A civil time in a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Local {
    /// So many minutes east of UTC.
    Offset(i16),
    /// The same; but clocks that were set back showed this time twice, and which is meant was decided by something else.
    Twice(i16),
    /// Clocks that were set forward never showed it.
    Skipped,
    /// It is no time of a day.
    Date,
}

impl Local {
    /// Minutes east of UTC, where there is such an offset.
    #[must_use]
    pub const fn offset(self) -> Option<i16> {
        match self {
            Self::Offset(minutes) | Self::Twice(minutes) => Some(minutes),
            Self::Skipped | Self::Date => None,
        }
    }
}
