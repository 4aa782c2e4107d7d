//! A bedside device's report items to one HL7 2.6 `ORU^R01^ORU_R01` by IHE PCD-01 (device enterprise communication).
//!
//! [`PcdWriter`] is the sink of the second pass: one walk, one message with everything that it is given. What is given, and with
//! which marks, others decided before; here are only the rules that hold for all: what its marks forbid has no value, and a code or
//! unit goes out as MDC only when [`crate::mdc`] knows it, else as the vendor's. It writes into the caller's buffer; what
//! does not fit or cannot be decoded fails the whole message.
//!
//! Segments: MSH, `[PID [PV1]]`, OBR, `{OBX}`. OBX-4 is the containment tree, `1.VMD.channel.metric`, with the ordinals of the
//! driver's own table, so that a thing keeps its place from message to message. The rows of the tree itself have zeros behind
//! them, no value, and X in OBX-11.
//!
//! Leaves out waves, alarms (PCD-04) and whether to send at all.

mod segments;
mod writer;

pub use segments::status;
pub use writer::{PcdError, PcdWriter};

use crate::text::Charset;
use crate::time::Utc;

/// MSH-21 when a destination says nothing else.
pub const PROFILE: &str = "IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO";

/// MSH-15 and MSH-16 when a destination says nothing else: an accept acknowledgment and no other.
pub const ACKNOWLEDGMENT: (&str, &str) = ("AL", "NE");

/// What all messages to one destination share. Texts are the site's configuration.
#[derive(Clone, Copy, Debug)]
pub struct Route<'p> {
    /// MSH-3.1.
    pub sending_application: &'p str,
    /// MSH-3.2, of type EUI-64.
    pub sending_id: Option<u64>,
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
    /// MSH-21 with its components, or nothing.
    pub profile: &'p str,
    /// What the message is written in; MSH-18, which is empty for ASCII as the standard has it.
    pub charset: Charset,
    /// PID when no patient id goes along.
    pub unknown_patient: UnknownPatient<'p>,
    /// The device's own patient id goes along as one of this authority (CX.4) and kind (CX.5).
    pub patient: Option<(&'p str, &'p str)>,
    /// PV1-2: `I`, or `U` when the site does not say.
    pub patient_class: char,
    /// OBX-18 names the device in the row of each measurement, for receivers that read rows alone; else in its own row only.
    pub device_on_rows: bool,
}

/// What PID is when nobody knows the patient: the receiver finds it by location or device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownPatient<'p> {
    /// There is no PID, and therefore no PV1 with the bed either. HL7 allows it; IHE PCD-01 does not.
    NoSegment,
    /// PID with a name of unknown type and no id. A strict reader of HL7 misses PID-3.
    NoId,
    /// PID-3 with a text that is no patient's, marked by its kind (CX.5). A receiver that makes charts by PID-3 makes one of it: it
    /// should name one device and never be the same for all.
    Marked {
        /// CX.1.
        id: &'p str,
        /// CX.4.
        authority: &'p str,
        /// CX.5.
        kind: &'p str,
    },
}

/// What one message is to hold.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'p> {
    /// MSH-10.
    pub control_id: &'p str,
    /// OBR-3.1.
    pub filler: &'p str,
    /// The instrument as the site calls it: OBR-3.2 and OBX-18.1.
    pub instrument: &'p str,
    /// The EUI-64 of a device that sends none.
    pub device_id: Option<u64>,
    /// PV1-3 with its components; empty for what the device calls its bed.
    pub location: &'p str,
    /// MSH-7.
    pub created: Utc,
    /// OBR-7.
    pub began: Utc,
    /// OBR-8.
    pub ended: Utc,
}
