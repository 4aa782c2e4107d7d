//! Items of a bedside device: what it is, how its measurements are grouped, and each measurement with its marks.
//!
//! A [`Device`] comes first, then its [`Group`]s, each before its [`Measurement`]s, then `End`; a device without levels has no
//! group. Values stay text: digits are never converted, rounded or passed through a float, and a unit is the one that the
//! device measures in. What a device lists without a value is a measurement too, with [`Reading::Absent`] and the reason;
//! what it does not list is not given. Nothing here says what is sent: that is the gateway's verdict.
//!
//! An MDC code is a term of ISO/IEEE 11073-10101: partition times 65,536 plus code (147842 is `MDC_ECG_HEART_RATE`). 0 says
//! that no source proves one.

use super::{Code, Text};
use crate::span::Span;
use crate::text::Undecodable;
use crate::time::{DeviceTime, Utc};
use core::ops::BitOr;
use core::time::Duration;

/// The device that measures.
#[derive(Clone, Copy, Debug, Default)]
pub struct Device<'m> {
    /// MDC code of its kind (69965 `MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS`).
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
    /// The unit that the bed is in, where the device says it: two units may have beds of the same name.
    pub unit: Text<'m>,
    /// The room, likewise.
    pub room: Text<'m>,
    /// A patient id that the device itself sends. It goes along only when the site says so.
    pub patient: Text<'m>,
    /// What its clock showed.
    pub clock: Option<Shown>,
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
    /// MDC code of the virtual medical device (69798 `MDC_DEV_ECG_VMD`).
    pub vmd: u32,
    /// MDC code of the channel.
    pub channel: u32,
    /// What the device calls it.
    pub name: Text<'m>,
    /// The virtual medical device's ordinal in the driver's own table, the same in every message; 0: there is no such level.
    pub vmd_place: u16,
    /// The channel's ordinal in it; 0: there is no such level.
    pub channel_place: u16,
    /// The module's own serial number.
    pub id: Text<'m>,
    /// Where it stands.
    pub span: Span,
}

/// What a device measured, set or says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Measurement<'m> {
    /// Its ordinal in its group by the driver's own table, the same in every message; 0: behind those that have one.
    pub place: u16,
    /// Its MDC code. A setting has the measurement's plus 16,777,216.
    pub term: u32,
    /// What it is in the vendor's words, unique in its system; always there.
    pub code: Code<'m>,
    /// What kind of thing it is.
    pub kind: Kind,
    /// The value.
    pub value: Reading<'m>,
    /// In what it is measured.
    pub unit: Unit<'m>,
    /// What the device says of its validity.
    pub marks: Marks,
    /// Why, as a clause without a value in it ("the sensor is off"); empty when there is nothing to say.
    pub why: &'static str,
    /// When it was measured.
    pub at: At,
    /// When the unit that holds the value came.
    pub received: Utc,
    /// It is made now and then and stands until the next one (a cuff pressure): it goes once.
    pub once: bool,
    /// Lower alarm limit, in the value's unit.
    pub low: Text<'m>,
    /// Upper alarm limit, in the value's unit.
    pub high: Text<'m>,
    /// An alarm on it that is active: information, never forwarded as an alarm.
    pub alarm: Option<Alarm>,
    /// How it was measured, as the device says.
    pub method: Text<'m>,
    /// MDC code of the place on the body.
    pub site: u32,
    /// By what the device tells two of a kind apart (`ART`, `T1`).
    pub label: Text<'m>,
    /// Where it stands.
    pub span: Span,
}

/// What kind of thing a measurement is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Measured.
    #[default]
    Measured,
    /// Set by a person.
    Set,
    /// Calculated from others.
    Calculated,
    /// The mode in which the device works.
    Mode,
    /// An alarm that is active.
    Alarm,
    /// A text that the device shows.
    Text,
}

/// A value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading<'m> {
    /// There is none: not zero, and not the last one.
    #[default]
    Absent,
    /// Decimal digits with an optional sign and point (`-0.5`, `97.50`).
    Number(Text<'m>),
    /// One of a set: its MDC code and what the device writes.
    Coded(u32, Text<'m>),
    /// Words.
    Words(Text<'m>),
}

/// A unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unit<'m> {
    /// MDC code of the unit (262688 `MDC_DIM_PERCENT`).
    pub mdc: u32,
    /// As the device or its maker's document writes it; empty when there is none.
    pub text: Text<'m>,
}

/// When something was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum At {
    /// When it was received, as far as anybody knows.
    #[default]
    Received,
    /// By the device's clock.
    Device(DeviceTime),
    /// So long before its unit came, by a clock of the device that does not jump.
    Before(Duration),
}

/// What a device says of a value's validity: a set, empty for one that can be believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks(u16);

impl Marks {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// It is not valid.
    pub const INV: Self = Self(1);
    /// The device doubts it.
    pub const QUES: Self = Self(1 << 1);
    /// It is not available.
    pub const NAV: Self = Self(1 << 2);
    /// The sensor is being calibrated.
    pub const CAL: Self = Self(1 << 3);
    /// A test signal.
    pub const TEST: Self = Self(1 << 4);
    /// A demonstration: nobody's value.
    pub const DEMO: Self = Self(1 << 5);
    /// A person validated it.
    pub const VALIDATED: Self = Self(1 << 6);
    /// An early estimate.
    pub const EARLY: Self = Self(1 << 7);
    /// The measurement goes on.
    pub const BUSY: Self = Self(1 << 8);
    /// It is switched off.
    pub const OFF: Self = Self(1 << 9);
    /// There is no value, and nothing says why.
    pub const NI: Self = Self(1 << 10);
    /// Above what can be measured.
    pub const OVER: Self = Self(1 << 11);
    /// Below what can be measured.
    pub const UNDER: Self = Self(1 << 12);
    /// Alarms on it are switched off.
    pub const ALINH: Self = Self(1 << 13);

    /// Whether all of these are in it.
    #[must_use]
    pub const fn has(self, marks: Self) -> bool {
        self.0 & marks.0 == marks.0
    }

    /// Whether one of these is in it.
    #[must_use]
    pub const fn any(self, marks: Self) -> bool {
        self.0 & marks.0 != 0
    }

    /// With these as well.
    #[must_use]
    pub const fn and(self, marks: Self) -> Self {
        Self(self.0 | marks.0)
    }

    /// Whether there can be no value: what stands beside these is none.
    #[must_use]
    pub const fn without_value(self) -> bool {
        self.any(Self::INV.and(Self::NAV).and(Self::BUSY).and(Self::OFF).and(Self::NI))
    }

    /// Whether it is nobody's: a demonstration, a test or a calibration.
    #[must_use]
    pub const fn nobodys(self) -> bool {
        self.any(Self::DEMO.and(Self::TEST).and(Self::CAL))
    }
}

impl BitOr for Marks {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.and(other)
    }
}

/// An alarm on a measurement, as the device says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alarm {
    /// On which side of its limits it is.
    pub side: Side,
    /// Of what priority.
    pub priority: Priority,
}

/// On which side of its limits a value is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Side {
    #[default]
    Unknown,
    Low,
    High,
}

/// An alarm's priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Priority {
    #[default]
    Unknown,
    Low,
    Medium,
    High,
}

impl Reading<'_> {
    fn undecodable(&self) -> Option<Undecodable> {
        match self {
            Self::Absent => None,
            Self::Number(text) | Self::Words(text) | Self::Coded(_, text) => text.undecodable(),
        }
    }
}

impl Device<'_> {
    /// The first text of this item that its charset cannot decode.
    #[must_use]
    pub fn undecodable(&self) -> Option<Undecodable> {
        let place = [self.location, self.unit, self.room];
        let who = [self.manufacturer, self.model, self.serial, self.version, self.patient];
        who.iter().chain(&place).find_map(Text::undecodable)
    }
}

impl Measurement<'_> {
    /// The first text of this item that its charset cannot decode.
    #[must_use]
    pub fn undecodable(&self) -> Option<Undecodable> {
        let texts =
            [self.code.id, self.code.name, self.unit.text, self.low, self.high, self.method, self.label];
        self.value.undecodable().or_else(|| texts.iter().find_map(Text::undecodable))
    }
}
