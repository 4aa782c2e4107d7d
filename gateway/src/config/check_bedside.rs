//! What a bedside device has of its own: UDP, and `[instrument.bedside]`.
//!
//! Promises that nothing which must not get lost goes by datagrams, and that a wire's address is one that a datagram can come
//! from; that no two devices have one EUI-64; and that what is only a laboratory's is told where it is typed.

use super::FoundProfile;
use super::check::{Scope, span};
use super::check_destination::Known;
use super::file::{At, BedsFile, BedsideFile, InstrumentFile, WireFile};
use super::mistakes::Findings;
use super::plan::{BedsidePlan, Mode, Nobodys, UdpPlan};
use orugate_driver::Feed;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(60);
const INTERVALS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);
/// PL of HL7 2.6 has 80 characters.
const MAX_LOCATION: usize = 80;
/// Unit, room, bed and facility.
const LEVELS: usize = 4;
/// Longer than any label that fits a device's screen.
const MAX_LABEL: usize = 64;

/// The EUI-64s that were given, and to which place.
#[derive(Default)]
pub(super) struct Ids(HashMap<u64, String>);

/// A UDP wire. No name is looked up: a monitor that gets another address is another monitor until a person says so.
pub(super) fn udp(
    typed: &WireFile,
    device: &At<String>,
    scope: &Scope<'_>,
    out: &mut Findings,
) -> Option<UdpPlan> {
    let local_port = typed.local_port.as_ref().map(|typed| {
        let port = u16::try_from(typed.value).ok().filter(|port| *port != 0);
        if port.is_none() {
            let message = format!("{} is no port; allowed are 1 to 65535", typed.value);
            out.wrong(scope.at("local_port", typed, message));
        }
        port
    });
    let address = match device_address(&device.value) {
        Ok(address) => Some(address),
        Err(problem) => {
            let message = format!(
                "{:?} {problem}; allowed is \"ip:port\" of the device, such as \"192.0.2.90:24105\"",
                device.value
            );
            out.wrong(scope.at("udp", device, message));
            None
        }
    };
    Some(UdpPlan { address: address?, local_port: local_port.flatten() })
}

fn device_address(text: &str) -> Result<SocketAddr, &'static str> {
    let mut address: SocketAddr = text.parse().map_err(|_| "is not \"ip:port\"")?;
    if address.port() == 0 {
        return Err("has no port from 1 to 65535");
    }
    // A socket of the other family would not reach it.
    address.set_ip(address.ip().to_canonical());
    match address {
        _ if address.ip().is_unspecified() => Err("is no device's address"),
        _ if address.ip().is_multicast() || address.ip() == IpAddr::V4(Ipv4Addr::BROADCAST) => {
            Err("is the address of many, and only one device is heard")
        }
        SocketAddr::V6(six) if six.ip().is_unicast_link_local() && six.scope_id() == 0 => Err(
            "is an address of one link and does not say which; write the number of the interface as in \"[fe80::1%2]:24105\"",
        ),
        _ => Ok(address),
    }
}

/// Only values that are taken again may go by datagrams.
pub(super) fn datagrams(found: &FoundProfile, typed: &WireFile, scope: &Scope<'_>, out: &mut Findings) {
    let (Some(udp), Feed::Results) = (&typed.udp, found.profile.feed()) else { return };
    let message = format!(
        "profile {:?} gives laboratory results, and a datagram may get lost; allowed are serial, listen and connect",
        found.profile.common().name
    );
    out.wrong(scope.at("udp", udp, message));
}

/// What only a bedside device has; `None` for an analyzer.
pub(super) fn plan(
    typed: &InstrumentFile,
    found: &FoundProfile,
    mode: Mode,
    destinations: &[Known],
    scope: &Scope<'_>,
    ids: &mut Ids,
    out: &mut Findings,
) -> Option<BedsidePlan> {
    let name = &found.profile.common().name;
    let Feed::Bedside { stale_after } = found.profile.feed() else {
        if let Some(table) = &typed.bedside {
            let message = format!("is for a bedside device, and profile {name:?} gives laboratory results");
            out.wrong(scope.at("bedside", table, message));
        }
        return None;
    };
    laboratorys(typed, name, scope, out);
    reached(typed, mode, destinations, scope, out);
    let (default, inside) = (BedsideFile::default(), typed.bedside.as_ref());
    let inside = inside.map_or_else(|| scope.clone(), |table| scope.inside("bedside", table));
    let table = typed.bedside.as_ref().map_or(&default, |table| &table.value);
    let known = table.location.is_some() || table.beds.is_some() || table.device_id.is_some();
    if mode == Mode::Live && !known {
        let message = "says neither location nor beds nor device_id: whose values these are, the receiver can only tell by what \
                       the device says of itself; write bedside = { location = \"unit^room^bed^facility\" }";
        out.warn(scope.whole(message));
    }
    Some(bedside(table, stale_after, mode, &inside, ids, out))
}

/// Tells of keys that mean nothing for a bedside device.
fn laboratorys(typed: &InstrumentFile, profile: &str, scope: &Scope<'_>, out: &mut Findings) {
    let keys = [
        ("reruns", typed.reruns.as_ref().map(|at| at.offset)),
        ("reruns_except", typed.reruns_except.as_ref().map(|at| at.offset)),
        ("rerun_within", typed.rerun_within.as_ref().map(|at| at.offset)),
        ("sample_id", typed.sample_id.as_ref().map(|at| at.offset)),
        ("incomplete", typed.incomplete.as_ref().map(|at| at.offset)),
        ("impossible_time", typed.impossible_time.as_ref().map(|at| at.offset)),
        ("map", typed.map.as_ref().map(|at| at.offset)),
        ("require_map", typed.require_map.as_ref().map(|at| at.offset)),
    ];
    for (key, offset) in keys.into_iter().filter_map(|(key, offset)| Some((key, offset?))) {
        let message = format!(
            "is about laboratory results, and profile {profile:?} is a bedside device's; take it out"
        );
        out.wrong(scope.at(key, &At { value: (), offset }, message));
    }
}

/// Tells of destinations that do not take such values, or would never be content with how they are acknowledged.
fn reached(
    typed: &InstrumentFile,
    mode: Mode,
    destinations: &[Known],
    scope: &Scope<'_>,
    out: &mut Findings,
) {
    let named = typed.send_to.iter().flat_map(|names| &names.value);
    let found = named.filter_map(|name| {
        let known = destinations.iter().find(|known| known.name == name.value)?;
        mode.reaches(known.accepts).then_some((name, known))
    });
    let mut takes_ids = false;
    for (name, known) in found {
        let Some(pcd) = known.pcd else {
            let message = format!(
                "{:?} is not known to take values of bedside devices, which are IHE PCD-01 (HL7 2.6, MDC codes); write a table pcd \
                 there, pcd = {{}} for its defaults, or name another",
                name.value
            );
            out.wrong(scope.at("send_to", name, message));
            continue;
        };
        takes_ids |= pcd.takes_ids;
        if pcd.wants_application_ack {
            let message = format!(
                "{:?} has require_application_ack, and a receiver of IHE PCD-01 answers CA and nothing after it: unless this one \
                 does, nothing is ever delivered. A destination of its own for these values does not need it",
                name.value
            );
            out.warn(scope.at("send_to", name, message));
        }
    }
    let Some(table) = &typed.bedside else { return };
    if let Some(send) = table.value.send_patient.as_ref().filter(|send| send.value && !takes_ids) {
        let message =
            "no destination in send_to says whose such ids are (authority in its pcd), so none goes along";
        out.warn(scope.inside("bedside", table).at("send_patient", send, message));
    }
}

fn bedside(
    typed: &BedsideFile,
    stale_after: Duration,
    mode: Mode,
    scope: &Scope<'_>,
    ids: &mut Ids,
    out: &mut Findings,
) -> BedsidePlan {
    let interval = typed.interval.as_ref();
    let interval = interval.map_or(INTERVAL, |typed| span(scope, "interval", typed, INTERVALS, out));
    let location = typed.location.as_ref();
    let location = location.map(|typed| place(scope, "location", typed, out)).unwrap_or_default();
    let beds = typed.beds.as_ref();
    let beds = beds.map(|beds| labelled(&beds.value, &scope.inside("beds", beds), out)).unwrap_or_default();
    let nobodys = typed.nobodys.as_ref().map(|typed| typed.value).unwrap_or_default();
    if let Some(by) = &typed.reviewed_by {
        if nobodys != Nobodys::Flag {
            out.wrong(scope.at("reviewed_by", by, "belongs to nobodys = \"flag\", and this has another"));
        } else if by.value.trim().is_empty() || by.value.chars().any(char::is_control) {
            let message = format!("{:?} names nobody; allowed is a name and a date", by.value);
            out.wrong(scope.at("reviewed_by", by, message));
        }
    }
    if let (Some(flag), None, Mode::Live) = (&typed.nobodys, &typed.reviewed_by, mode)
        && nobodys == Nobodys::Flag
        && !scope.told(out, "reviewed_by")
    {
        let message = "\"flag\" in mode \"live\": values of demonstrations and tests would reach patients' charts, and only OBX-8 \
                       says what they are. Whoever has seen that the receiver looks there writes reviewed_by = \"name, date\"";
        out.wrong(scope.at("nobodys", flag, message));
    }
    BedsidePlan {
        interval,
        stale_after,
        location,
        beds,
        device_id: typed.device_id.as_ref().and_then(|typed| device_id(typed, scope, ids, out)),
        absent: typed.absent.as_ref().map(|typed| typed.value).unwrap_or_default(),
        nobodys,
        reviewed_by: typed.reviewed_by.as_ref().map(|typed| typed.value.clone()),
        send_patient: typed.send_patient.as_ref().is_some_and(|typed| typed.value),
    }
}

/// PV1-3 as it is typed.
fn place(scope: &Scope<'_>, key: &str, typed: &At<String>, out: &mut Findings) -> String {
    let text = &typed.value;
    let problem = if text.split('^').all(str::is_empty) {
        "names no place"
    } else if text.split('^').count() > LEVELS {
        "has more than four parts"
    } else if text.chars().any(|c| "|~\\&".contains(c) || c.is_control()) {
        "holds one of | ~ \\ & or a control character"
    } else if text.split('^').any(|part| part.trim() != part) {
        "has blanks around a part"
    } else if text.chars().count() > MAX_LOCATION {
        "is longer than 80 characters"
    } else {
        return text.clone();
    };
    let message = format!(
        "{text:?} {problem}; allowed is \"unit^room^bed^facility\", such as \"ICU^12^1^HOSP\" or \"ICU^^12\""
    );
    out.wrong(scope.at(key, typed, message));
    text.clone()
}

fn labelled(typed: &BedsFile, scope: &Scope<'_>, out: &mut Findings) -> Vec<(String, String)> {
    if typed.0.is_empty() {
        out.wrong(scope.whole(
            "is empty; write \"label\" = \"unit^room^bed^facility\" for each bed, or no table at all",
        ));
    }
    let beds = typed.0.iter().map(|(label, at)| {
        let key = format!("{label:?}");
        if label.is_empty() || label.trim() != label || label.chars().count() > MAX_LABEL {
            let message = format!(
                "{label:?} is no label; allowed is what the device shows, 1 to {MAX_LABEL} characters without blanks around them"
            );
            out.wrong(scope.at(&key, at, message));
        }
        (label.clone(), place(scope, &key, at, out))
    });
    beds.collect()
}

/// An EUI-64, or the one that a MAC-48 gives: FFFE goes into its middle, and no bit is turned.
pub(super) fn device_id(
    typed: &At<String>,
    scope: &Scope<'_>,
    ids: &mut Ids,
    out: &mut Findings,
) -> Option<u64> {
    let digits: String = typed.value.chars().filter(|c| !"-:".contains(*c)).collect();
    let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    let number = u64::from_str_radix(&digits, 16).ok().filter(|_| hex);
    let id = match (digits.len(), number) {
        (16, Some(id)) if id != 0 && id != u64::MAX => id,
        (12, Some(mac)) if mac != 0 && mac != 0xFFFF_FFFF_FFFF => {
            (mac >> 24) << 40 | 0xFF_FE00_0000 | mac & 0xFF_FFFF
        }
        _ => {
            let message = format!(
                "{:?} is no EUI-64; allowed are 16 hexadecimal digits such as \"00-09-FB-FF-FE-12-34-56\", or a MAC address of 12",
                typed.value
            );
            out.wrong(scope.at("device_id", typed, message));
            return None;
        }
    };
    let line = scope.source.position(typed.offset).line;
    let here = format!("{} line {line}", scope.source.file.display());
    if let Some(first) = ids.0.get(&id) {
        let message = format!(
            "{:?} is given to another device by {first}; every device has one of its own",
            typed.value
        );
        out.wrong(scope.at("device_id", typed, message));
    } else {
        ids.0.insert(id, here);
    }
    Some(id)
}
