//! A serial line that is set otherwise than such devices usually are.
//!
//! Promises a warning for each part that the profile knows and the wire has otherwise, with what to look at: with the wrong
//! rate or parity a device is silent, or says what nobody can read. Only warns, because what is set at the device is right.

use super::FoundProfile;
use super::check::Scope;
use super::file::{At, WireFile};
use super::mistakes::Findings;
use super::plan::{Flow, SerialPlan};
use orugate_driver::{Parity, UsualFlow};
use std::fmt::Display;

/// Tells of each part that is not as usual.
pub(super) fn unusual(
    found: &FoundProfile,
    plan: &SerialPlan,
    typed: &WireFile,
    scope: &Scope<'_>,
    out: &mut Findings,
) {
    let common = found.profile.common();
    let usual = &common.serial;
    let mut tell = |key: &'static str, offset: Option<usize>, is: &dyn Display, usually: Vec<String>| {
        let usually = usually.join(" or ");
        let not_written = if offset.is_some() { "" } else { " (not written)" };
        let message = format!(
            "is {is}{not_written}, and devices of profile {:?} are usually set to {usually}; unless this one's own settings say \
             {is}, nothing that it says can be read",
            common.name
        );
        // What is not written is told at the wire.
        let offset = offset.or_else(|| typed.serial.as_ref().map(|path| path.offset)).unwrap_or_default();
        out.warn(scope.at(key, &At { value: (), offset }, message));
    };
    let words = |list: &[u32]| list.iter().map(u32::to_string).collect::<Vec<_>>();
    let small = |list: &[u8]| list.iter().map(u8::to_string).collect::<Vec<_>>();
    if !usual.baud.is_empty() && !usual.baud.contains(&plan.line.baud) {
        tell("baud", typed.baud.as_ref().map(|at| at.offset), &plan.line.baud, words(&usual.baud));
    }
    if !usual.data_bits.is_empty() && !usual.data_bits.contains(&plan.line.data_bits) {
        let offset = typed.data_bits.as_ref().map(|at| at.offset);
        tell("data_bits", offset, &plan.line.data_bits, small(&usual.data_bits));
    }
    if !usual.parity.is_empty() && !usual.parity.contains(&plan.line.parity) {
        let usually = usual.parity.iter().map(|parity| parity_word(*parity).to_owned()).collect();
        let offset = typed.parity.as_ref().map(|at| at.offset);
        tell("parity", offset, &parity_word(plan.line.parity), usually);
    }
    if !usual.stop_bits.is_empty() && !usual.stop_bits.contains(&plan.line.stop_bits) {
        let offset = typed.stop_bits.as_ref().map(|at| at.offset);
        tell("stop_bits", offset, &plan.line.stop_bits, small(&usual.stop_bits));
    }
    let offset = typed.flow.as_ref().map(|at| at.offset);
    match (usual.flow, plan.flow) {
        (Some(UsualFlow::Hardware), Flow::None | Flow::Software) => {
            let message = format!(
                "is not \"hardware\", and devices of profile {:?} say nothing while CTS is off; write flow = \"hardware\" when the cable \
                 has RTS and CTS, and bridge them at the device when it has not",
                common.name
            );
            let offset = offset.or_else(|| typed.serial.as_ref().map(|path| path.offset)).unwrap_or_default();
            out.warn(scope.at("flow", &At { value: (), offset }, message));
        }
        (Some(UsualFlow::None), Flow::Hardware | Flow::Software) => {
            let message = format!(
                "waits for a permission that devices of profile {:?} do not give; take it out unless this one does",
                common.name
            );
            out.warn(scope.at("flow", &At { value: (), offset: offset.unwrap_or_default() }, message));
        }
        (Some(UsualFlow::Hardware), Flow::Hardware) | (Some(UsualFlow::None), Flow::None) | (None, _) => {}
    }
}

const fn parity_word(parity: Parity) -> &'static str {
    match parity {
        Parity::None => "none",
        Parity::Even => "even",
        Parity::Odd => "odd",
    }
}
