//! Items of a bedside device: what it is, how its measurements are grouped, and each measurement with its validity.
//!
//! A [`Device`] comes first, then its [`Group`]s, each before its [`Measurement`]s, then `End`. Values stay text: digits are
//! never converted, rounded or passed through a float, and a unit is the one that the device measures in. What a device
//! lists without a value is a measurement too, with [`Reading::Absent`] and the reason; what it does not list is not given.
//! Nothing here says what is sent: that is the gateway's verdict.

use super::{Code, Text};
use crate::span::Span;
use crate::text::Undecodable;
use crate::time::{DeviceTime, Utc};

/// A term of the field, or a vendor's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Term<'m> {
    /// There is none.
    #[default]
    None,
    /// A code of ISO/IEEE 11073-10101: partition times 65,536 plus code (147842 is `MDC_ECG_HEART_RATE`).
    Mdc(u32),
    /// The vendor's code, as the vendor writes it; no table proves another.
    Private(Text<'m>),
}

/// The device that measures.
#[derive(Clone, Copy, Debug, Default)]
pub struct Device<'m> {
    /// MDC code of its kind (69965 `MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS`); 0 when it is not known.
    pub mds: u32,
    /// Who made it.
    pub manufacturer: Text<'m>,
    /// The model as it names itself.
    pub model: Text<'m>,
    /// Serial number.
    pub serial: Text<'m>,
    /// Software version.
    pub version: Text<'m>,
    /// Its EUI-64, when it sends one or the MAC-48 that gives it (`AABBCCFFFEDDEEFF`).
    pub eui64: Option<u64>,
    /// The bed, in its own words.
    pub location: Text<'m>,
    /// A patient id that the device itself sends. It goes along only when the site says so.
    pub patient: Text<'m>,
    /// What its clock showed.
    pub clock: Option<Shown>,
    /// Nothing came from it for so long that nothing holds any more.
    pub silent: bool,
    /// Where it stands.
    pub span: Span,
}

/// What a device's clock showed, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The device's clock.
    pub device: DeviceTime,
    /// The gateway's at that moment.
    pub received: Utc,
}

/// What the measurements that follow belong to, until the next group.
#[derive(Clone, Copy, Debug, Default)]
pub struct Group<'m> {
    /// The virtual medical device (69798 `MDC_DEV_ECG_VMD`).
    pub vmd: Term<'m>,
    /// The channel of it.
    pub channel: Term<'m>,
    /// Where it stands.
    pub span: Span,
}

/// What a device measured, set or says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Measurement<'m> {
    /// What it is. A setting has the measurement's code plus 16,777,216.
    pub term: Term<'m>,
    /// What it is in the vendor's words; always there.
    pub code: Code<'m>,
    /// The value.
    pub value: Reading<'m>,
    /// In what it is measured.
    pub unit: Unit<'m>,
    /// Whether it can be believed.
    pub validity: Validity,
    /// When the device says that it was measured; `None`: when it was received.
    pub at: Option<DeviceTime>,
    /// When its bytes came.
    pub received: Utc,
    /// It is taken now and then and stands until the next one (a cuff pressure): it goes once for each time it was taken.
    pub once: bool,
    /// Lower alarm limit.
    pub low: Text<'m>,
    /// Upper alarm limit.
    pub high: Text<'m>,
    /// What the device says of alarms on it: information, never forwarded as an alarm.
    pub alarm: Alarm,
    /// Where on the body (an MDC term), or the label by which the device tells two of a kind apart (`ART`, `T1`).
    pub site: Term<'m>,
    /// Where it stands.
    pub span: Span,
}

/// A value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading<'m> {
    /// There is none: not zero, and not the last one.
    #[default]
    Absent,
    /// Decimal digits with an optional sign and point (`-0.5`, `97.50`).
    Number(Text<'m>),
    /// One of a set.
    Coded(Term<'m>, Text<'m>),
    /// Words.
    Words(Text<'m>),
}

/// A unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unit<'m> {
    /// MDC code of the unit (262688 `MDC_DIM_PERCENT`); 0 when it is not known.
    pub mdc: u32,
    /// As the device or its manual writes it; empty when there is none.
    pub sent: Text<'m>,
}

/// Whether a value can be believed, as the device says or as is known of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Validity {
    /// It can.
    #[default]
    Valid,
    /// The device doubts it.
    Questionable,
    /// It is none; why, as a clause without a value in it ("the sensor is off").
    Invalid(&'static str),
    /// There is none; why.
    NotAvailable(&'static str),
    /// The sensor is being calibrated.
    Calibrating,
    /// A test signal.
    Test,
    /// A demonstration: nobody's value.
    Demo,
    /// An early estimate.
    Early,
    /// The measurement still goes on.
    Ongoing,
}

/// What a device says of alarms on one measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Alarm {
    /// Nothing.
    #[default]
    None,
    /// One is active, of unknown priority.
    Active,
    /// One of low priority is active.
    Low,
    /// One of medium priority is active.
    Medium,
    /// One of high priority is active.
    High,
    /// Alarms on it are switched off.
    Off,
}

impl Term<'_> {
    /// Whether there is none.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    fn undecodable(&self) -> Option<Undecodable> {
        match self {
            Self::Private(text) => text.undecodable(),
            Self::None | Self::Mdc(_) => None,
        }
    }
}

impl Reading<'_> {
    fn undecodable(&self) -> Option<Undecodable> {
        match self {
            Self::Absent => None,
            Self::Number(text) | Self::Words(text) => text.undecodable(),
            Self::Coded(term, text) => term.undecodable().or_else(|| text.undecodable()),
        }
    }
}

impl Device<'_> {
    /// The first text of this item that its charset cannot decode.
    #[must_use]
    pub fn undecodable(&self) -> Option<Undecodable> {
        [self.manufacturer, self.model, self.serial, self.version, self.location, self.patient]
            .iter()
            .find_map(Text::undecodable)
    }
}

impl Measurement<'_> {
    /// The first text of this item that its charset cannot decode.
    #[must_use]
    pub fn undecodable(&self) -> Option<Undecodable> {
        let terms = [&self.term, &self.site].into_iter().find_map(Term::undecodable);
        let texts = [self.code.id, self.code.name, self.unit.sent, self.low, self.high];
        terms.or_else(|| self.value.undecodable()).or_else(|| texts.iter().find_map(Text::undecodable))
    }
}
