//! What the rows of a bedside device's message are about: a device, a module, a measurement, an alarm; and in which bed.
//!
//! Promises: a code is an MDC term only under a name that the table has for it. A channel is known by its module's place and its own.
//! Leaves out values.

use crate::read;
use orugate_protocol::hl7::reader::{Part, Segment};
use orugate_protocol::mdc;

/// Cuff pressures and the pulse that a cuff finds.
const CUFF: [std::ops::RangeInclusive<u32>; 3] = [150_021..=150_023, 150_301..=150_303, 149_546..=149_546];

/// What a row says that has no value but names a device, one of its modules or a channel.
pub(crate) enum Level {
    Mds,
    Vmd,
    Channel,
}

pub(crate) fn level(obx: &Segment<'_, '_>) -> Option<(u32, Level)> {
    let field = obx.field(3);
    let code = read::mdc_code(field)?;
    let field_4 = obx.field(4);
    if !obx.field(5).is_empty() {
        return None;
    }
    let name = field.component(2);
    let name = name.bytes();
    let device = name.starts_with(b"MDC_DEV_");
    match name {
        _ if !device => None,
        _ if name.ends_with(b"_MDS") => Some((code, Level::Mds)),
        _ if name.ends_with(b"_VMD") => Some((code, Level::Vmd)),
        _ if name.ends_with(b"_CHAN") => Some((code, Level::Channel)),
        // MDC_DEV_PUMP_DELIVERY_INFO, MDC_DEV_SPEC_PROFILE_BP: OBX-4 says on which level it is.
        _ => match Place::of(field_4) {
            Place { metric: 1.., .. } => None,
            Place { channel: 1.., .. } => Some((code, Level::Channel)),
            Place { vmd: 1.., .. } => Some((code, Level::Vmd)),
            Place { .. } => Some((code, Level::Mds)),
        },
    }
}

/// Whether a code is that of a cuff's pressure or pulse, by its number or, where the number is another one's, its name.
pub(crate) fn is_cuff(code: Part<'_>, term: u32) -> bool {
    let cuff = |code: u32| CUFF.iter().any(|range| range.contains(&code));
    let mdc = code.component(3).bytes() == b"MDC";
    let name = code.component(2);
    let names: [&[u8]; 3] = [b"MDC_PRESS_CUFF_", b"MDC_PRESS_BLD_NONINV_", b"MDC_PULS_RATE_NON_INV"];
    cuff(term)
        || mdc
            && (read::number(code.component(1)).is_some_and(cuff)
                || names.iter().any(|start| name.bytes().starts_with(start)))
}

/// What a row is, by the name of its code.
pub(crate) enum Row {
    Measurement,
    /// Of what stands before it: a wave's sample rate, and what hinders it.
    Attribute,
    Alarm,
    /// It says who the device is.
    Identity,
}

pub(crate) fn of_what(refid: &[u8]) -> Row {
    match refid {
        b"MDC_EVT_INOP" => Row::Attribute,
        b"MDC_ATTR_ALERT_SOURCE"
        | b"MDC_ATTR_EVENT_PHASE"
        | b"MDC_ATTR_ALARM_STATE"
        | b"MDC_ATTR_ALARM_INACTIVATION_STATE"
        | b"MDC_ATTR_ALARM_PRIORITY"
        | b"MDC_ATTR_ALERT_TYPE" => Row::Alarm,
        b"MDC_ID_MODEL_NUMBER"
        | b"MDC_ATTR_ID_MODEL"
        | b"MDC_ID_MODEL_MANUFACTURER"
        | b"MDC_ID_PROD_SPEC_SERIAL"
        | b"MDC_ID_PROD_SPEC_SW" => Row::Identity,
        _ if refid.starts_with(b"MDC_EVT_") => Row::Alarm,
        _ if refid.starts_with(b"MDC_ATTR_") => Row::Attribute,
        _ => Row::Measurement,
    }
}

/// A device that stands beside the first one in a message has its modules behind that one's.
const BESIDE: u16 = 1000;

/// OBX-4 `mds.vmd.channel.metric`, and a fifth number for what is said of the metric. What does not fit is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) vmd: u16,
    pub(crate) channel: u16,
    pub(crate) metric: u16,
}

impl Place {
    pub(crate) fn of(field: Part<'_>) -> Self {
        let mut numbers = field.bytes().split(|byte| *byte == b'.');
        let mut next =
            || numbers.next().and_then(read::decimal).and_then(|n| u16::try_from(n).ok()).unwrap_or(0);
        let [mds, vmd, channel, metric] = [next(), next(), next(), next()];
        let beside = mds.saturating_sub(1).min(60).saturating_mul(BESIDE);
        let of_metric = numbers.next().is_some();
        Self {
            vmd: if vmd == 0 { 0 } else { vmd.saturating_add(beside) },
            channel,
            metric: if of_metric { 0 } else { metric },
        }
    }
}

/// The MDC code of OBX-3, when the table knows it under the name that was sent.
pub(crate) fn term(field: Part<'_>) -> u32 {
    let known = |code: u32, name: Part<'_>| {
        let term = mdc::term(code)?;
        let same = name.is_empty() || name.reads(term.refid) || term.also.iter().any(|also| name.reads(also));
        same.then_some(code)
    };
    let said = |first: usize| {
        let (code, name) = (field.component(first), field.component(first.saturating_add(1)));
        let code = match field.component(first.saturating_add(2)).bytes() {
            b"MDC" => read::number(code)?,
            // Philips writes partition and code in hexadecimal, and names of its own.
            b"MDIL" => {
                return read::mdil(code).filter(|code| !mdc::is_private(*code) && mdc::term(*code).is_some());
            }
            _ => return None,
        };
        if mdc::is_private(code) {
            return None;
        }
        known(code, name)
    };
    said(1).or_else(|| said(4)).unwrap_or(0)
}

/// Unit, room and bed of a PL. The bed is its third component, or the first from there that says anything; what stands before it is
/// said of the bed.
pub(crate) fn bed(field: Part<'_>) -> [Part<'_>; 3] {
    let said = |component: usize| {
        let component = field.component(component);
        let found = (1..=2).map(|n| component.subcomponent(n)).find(|part| !part.is_empty());
        found.unwrap_or_else(|| component.subcomponent(1))
    };
    let bed = (1..=3).rev().find(|component| !said(*component).is_empty()).unwrap_or(3);
    let before = |component: usize| if component < bed { said(component) } else { field.component(99) };
    [before(1), before(2), said(bed)]
}
