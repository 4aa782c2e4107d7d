//! Instruments: from `[[instrument]]` to [`InstrumentPlan`].
//!
//! Promises that no two instruments share a serial port or an address to listen on, as far as their text tells (two
//! links to one device are told apart only when the second is opened), and that each one's results can get somewhere.

use super::check::{Names, Scope, host_of, host_port, small, span};
use super::check_bedside;
use super::check_destination::Known;
use super::check_line;
use super::check_maps::{self, Maps};
use super::check_rules;
use super::check_tls;
use super::file::{At, ConfigFile, InstrumentFile, ParityFile, WireFile};
use super::mistakes::Findings;
use super::nearest::did_you_mean;
use super::plan::{Allow, Flow, InstrumentPlan, Mode, SerialPlan, WirePlan};
use super::plan_tls::TlsPlan;
use super::source::Source;
use super::{FoundProfile, ProfileFault, Profiles};
use crate::convert::Rules;
use orugate_driver::{Evidence, Feed, LineSettings, Parity, QcProof};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

const ONE_OF: &str = "exactly one of serial, listen, connect, udp";

/// What serial ports and drivers know; below 300 nothing is left in use.
const RATES: [u32; 12] =
    [300, 600, 1_200, 2_400, 4_800, 9_600, 14_400, 19_200, 38_400, 57_600, 115_200, 230_400];

/// A morning's sample is run again in its shift; a running number comes again on the next day at the earliest.
const RERUN: Duration = Duration::from_secs(12 * 3600);
const RERUN_WITHIN: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(30 * 86_400);

/// How far an instrument's clock may be off, unless it says otherwise.
const LIMIT: Duration = Duration::from_secs(300);
const LIMITS: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(86_400);

/// All instruments of all files.
pub(super) fn all(
    files: &[(Source, ConfigFile)],
    destinations: &[Known],
    profiles: &dyn Profiles,
    maps: &Maps,
    mut ids: check_bedside::Ids,
    out: &mut Findings,
) -> Vec<InstrumentPlan> {
    let (mut plans, mut names) = (Vec::new(), Names::default());
    let mut wires: Vec<(WirePlan, String)> = Vec::new();
    for (source, file) in files {
        for (number, typed) in file.instrument.iter().enumerate() {
            let scope = Scope::new(source, format!("instrument[{number}]"), typed.offset);
            let name = scope.need(
                out,
                "name",
                typed.value.name.as_ref(),
                "write a name unlike any other instrument's",
            );
            if let Some(name) = name {
                names.take(&scope, name, out);
            }
            let wire = scope.need(
                out,
                "wire",
                typed.value.wire.as_ref(),
                "write { serial = … } or { listen = … } or { connect = … } or { udp = … }",
            );
            let wire = wire.and_then(|table| {
                let inside = scope.inside("wire", table);
                let wire = wire_plan(&table.value, &inside, out)?;
                shared(&wire, &table.value, &inside, &wires, out);
                let owner = name.map_or_else(
                    || format!("instrument number {}", number + 1),
                    |n| format!("instrument {:?}", n.value),
                );
                wires.push((wire.clone(), owner));
                Some(wire)
            });
            let rest = one(&typed.value, &scope, destinations, profiles, out);
            if let (Some(wire), Some(table), Some((found, ..))) = (&wire, &typed.value.wire, &rest) {
                let inside = scope.inside("wire", table);
                match wire {
                    WirePlan::Udp(_) => check_bedside::datagrams(found, &table.value, &inside, out),
                    WirePlan::Serial(serial) => {
                        check_line::unusual(found, serial, &table.value, &inside, out)
                    }
                    WirePlan::Listen { .. } | WirePlan::Connect { .. } => {}
                }
            }
            // Both have a default, so what is wrong in them is a mistake and no hole.
            let timezone =
                typed.value.timezone.as_ref().and_then(|typed| super::check::zone(&scope, typed, out));
            let clock_limit = typed.value.clock_limit.as_ref();
            let clock_limit =
                clock_limit.map_or(LIMIT, |typed| span(&scope, "clock_limit", typed, LIMITS, out));
            let table = check_maps::table(&typed.value, &scope, maps, out);
            if let (Ok(Some(table)), Some((found, ..))) = (&table, &rest) {
                check_maps::units(table, &*found.profile, &scope, &typed.value, out);
            }
            if let Ok(Some(table)) = &table {
                check_rules::excepted(&typed.value, &scope, table, out);
            }
            let bedside = rest.as_ref().and_then(|(found, _, mode, ..)| {
                check_bedside::plan(&typed.value, found, *mode, destinations, &scope, &mut ids, out)
            });
            let within = typed.value.rerun_within.as_ref();
            let within = within.map_or(RERUN, |typed| span(&scope, "rerun_within", typed, RERUN_WITHIN, out));
            if let (Some(name), Some(wire), Some(rest), Ok(table)) = (name, wire, rest, table) {
                let (found, profile_name, mode, send_to, rules) = rest;
                let FoundProfile { profile, hash: profile_hash } = found;
                plans.push(InstrumentPlan {
                    name: name.value.clone(),
                    profile,
                    profile_name,
                    profile_hash,
                    mode,
                    wire,
                    send_to,
                    reruns: typed.value.reruns.as_ref().map(|typed| typed.value).unwrap_or_default(),
                    rerun_within: within,
                    timezone,
                    clock_limit,
                    rules,
                    capture: typed.value.capture.as_ref().is_none_or(|typed| typed.value),
                    table,
                    bedside,
                });
            }
        }
    }
    plans
}

type Rest = (FoundProfile, String, Mode, Vec<usize>, Rules);

fn one(
    typed: &InstrumentFile,
    scope: &Scope<'_>,
    destinations: &[Known],
    profiles: &dyn Profiles,
    out: &mut Findings,
) -> Option<Rest> {
    let profile = scope.need(out, "profile", typed.profile.as_ref(), "write the name of its model's profile");
    let found = profile.and_then(|name| match profiles.find(&name.value) {
        Ok(found) => Some(found),
        Err(ProfileFault::Unknown) => {
            let mut names = profiles.names();
            names.sort();
            let hint = did_you_mean(&name.value, names.iter().map(String::as_str));
            let message = format!("there is no profile {:?}; allowed are {}", name.value, list(names.iter()));
            out.wrong(scope.at("profile", name, message).hint(hint));
            None
        }
        Err(ProfileFault::Broken(error)) => {
            out.wrong(scope.at("profile", name, format!("profile {:?} is wrong: {error}", name.value)));
            None
        }
        // Once is enough; the file itself says where.
        Err(ProfileFault::Told) => None,
    });
    let mode = scope.need(out, "mode", typed.mode.as_ref(), "write \"test\" or \"live\"");
    if let (Some(found), Some(mode)) = (&found, mode) {
        proven(found, mode, scope, out);
    }
    if let (Some(found), Some(name)) = (&found, profile)
        && found.profile.common().qc.proof == QcProof::Unproven
        && found.profile.feed() == Feed::Results
    {
        let message = format!(
            "nothing proves how such an instrument marks its controls, so by profile {:?} one may go out as a \
             patient's result. Run a control and a calibration, see that `orugate replay` says qc for them, and write \
             a profile of this site with their mark and its proof under [qc] (docs/profile.md, 4.9 and 8)",
            name.value
        );
        out.warn(scope.at("profile", name, message));
    }
    let send_to = scope.need(out, "send_to", typed.send_to.as_ref(), "write the names of destinations");
    let send_to = send_to.and_then(|names| send_to_plan(names, mode, scope, destinations, out));
    let rules = check_rules::rules(typed, scope, found.as_ref(), out);
    Some((found?, profile?.value.clone(), mode?.value, send_to?, rules))
}

/// A profile that nobody has tried must not reach a patient's chart. Whether somebody has is in the journal, which may be on
/// another box; so this only warns, and the gateway holds what is not proven.
fn proven(found: &FoundProfile, mode: &At<Mode>, scope: &Scope<'_>, out: &mut Findings) {
    let common = found.profile.common();
    if mode.value == Mode::Live && common.evidence == Evidence::Described {
        if found.profile.feed() != Feed::Results {
            let message = format!(
                "\"live\", and profile {:?} is only described: nobody has seen such a device's bytes. Write mode = \"test\" and \
                 compare what is sent with the device's screen first",
                common.name
            );
            out.warn(scope.at("mode", mode, message));
            return;
        }
        let message = format!(
            "\"live\", and profile {:?} is only described: results are held until a verification of this profile with \
             this analyzer is in the journal. Write mode = \"test\", then: orugate verify session (docs/verify.md). Those \
             that there are: orugate verify list",
            common.name
        );
        out.warn(scope.at("mode", mode, message));
    }
}

fn send_to_plan(
    names: &At<Vec<At<String>>>,
    mode: Option<&At<Mode>>,
    scope: &Scope<'_>,
    destinations: &[Known],
    out: &mut Findings,
) -> Option<Vec<usize>> {
    if names.value.is_empty() && !scope.told(out, "send_to") {
        let known = list(destinations.iter().map(|known| &known.name));
        out.wrong(scope.at(
            "send_to",
            names,
            format!("is empty, so no result would go anywhere; allowed are {known}"),
        ));
    }
    let (mut indexes, mut complete) = (Vec::new(), !names.value.is_empty());
    for name in &names.value {
        let Some(index) = destinations.iter().position(|known| known.name == name.value) else {
            let hint = did_you_mean(&name.value, destinations.iter().map(|known| known.name.as_str()));
            let known = list(destinations.iter().map(|known| &known.name));
            let message = format!("there is no destination {:?}; allowed are {known}", name.value);
            out.wrong(scope.at("send_to", name, message).hint(hint));
            complete = false;
            continue;
        };
        if indexes.contains(&index) {
            out.wrong(scope.at("send_to", name, format!("{:?} is named twice", name.value)));
        } else {
            indexes.push(index);
        }
    }
    indexes.sort_unstable();
    let reached = |mode: Mode| {
        indexes.iter().filter_map(|index| destinations.get(*index)).any(|known| mode.reaches(known.accepts))
    };
    // With a name unknown nobody can tell what is reached.
    if let Some(mode) = mode.filter(|mode| complete && !reached(mode.value)) {
        match mode.value {
            Mode::Test => out.warn(scope.at(
                "mode",
                mode,
                "\"test\", and no destination in send_to accepts \"T\": its results are stored and go nowhere",
            )),
            Mode::Live => out.wrong(scope.at(
                "mode",
                mode,
                "\"live\", and no destination in send_to accepts \"P\": its results would go nowhere",
            )),
        }
    }
    complete.then_some(indexes)
}

fn list<'n>(names: impl Iterator<Item = &'n String>) -> String {
    let names: Vec<&str> = names.map(String::as_str).collect();
    if names.is_empty() { "none, since none is configured".to_owned() } else { names.join(", ") }
}

fn wire_plan(typed: &WireFile, scope: &Scope<'_>, out: &mut Findings) -> Option<WirePlan> {
    let kinds = [
        ("serial", &typed.serial),
        ("listen", &typed.listen),
        ("connect", &typed.connect),
        ("udp", &typed.udp),
    ];
    let given: Vec<(&str, &At<String>)> =
        kinds.iter().filter_map(|(key, v)| Some((*key, v.as_ref()?))).collect();
    let (kind, value) = match given.as_slice() {
        [one] => *one,
        [] => {
            if !kinds.iter().any(|(key, _)| scope.told(out, key)) {
                out.wrong(scope.whole(format!("does not say how; allowed is {ONE_OF}")));
            }
            return None;
        }
        [(first, _), (second, value), ..] => {
            let message = format!("stands beside {first}; allowed is {ONE_OF}");
            out.wrong(scope.at(second, value, message));
            return None;
        }
    };
    let at = |key: &'static str, wants: &'static str, offset: Option<usize>| {
        offset.map(|offset| (key, wants, offset))
    };
    let options = [
        at("baud", "serial", typed.baud.as_ref().map(|v| v.offset)),
        at("data_bits", "serial", typed.data_bits.as_ref().map(|v| v.offset)),
        at("parity", "serial", typed.parity.as_ref().map(|v| v.offset)),
        at("stop_bits", "serial", typed.stop_bits.as_ref().map(|v| v.offset)),
        at("flow", "serial", typed.flow.as_ref().map(|v| v.offset)),
        at("rts", "serial", typed.rts.as_ref().map(|v| v.offset)),
        at("dtr", "serial", typed.dtr.as_ref().map(|v| v.offset)),
        at("allow", "listen", typed.allow.as_ref().map(|v| v.offset)),
        at("local_port", "udp", typed.local_port.as_ref().map(|v| v.offset)),
        at("tls", "listen or connect", typed.tls.as_ref().map(|v| v.offset)),
    ];
    for (key, wants, offset) in options.into_iter().flatten() {
        if !wants.contains(kind) {
            let stray = At { value: (), offset };
            out.wrong(scope.at(
                key,
                &stray,
                format!("belongs to a wire with {wants}, and this one has {kind}"),
            ));
        }
    }
    match kind {
        "serial" => Some(WirePlan::Serial(serial(typed, value, scope, out))),
        "listen" => listen(typed, value, scope, out),
        "udp" => Some(WirePlan::Udp(check_bedside::udp(typed, value, scope, out)?)),
        _ => {
            let address = host_port(scope, "connect", value, out);
            let tls = typed.tls.as_ref().map(|table| {
                check_tls::connecting(&table.value, host_of(&address), &scope.inside("tls", table), out)
            });
            Some(WirePlan::Connect { address, tls: tls.flatten() })
        }
    }
}

fn serial(typed: &WireFile, device: &At<String>, scope: &Scope<'_>, out: &mut Findings) -> SerialPlan {
    // Without "." and doubled slashes, so that one port cannot be named in two ways by mistake.
    let path: PathBuf =
        Path::new(&device.value).components().filter(|part| *part != Component::CurDir).collect();
    if !path.is_absolute() {
        let message =
            format!("{:?} is not absolute; allowed are devices such as \"/dev/ttyS0\"", device.value);
        out.wrong(scope.at("serial", device, message));
    }
    if ["/dev/ttyUSB", "/dev/ttyACM"].iter().any(|unstable| device.value.starts_with(unstable)) {
        let message = format!(
            "{:?} is numbered by the order of plugging in: another instrument may get it",
            device.value
        );
        let hint = "use its name below /dev/serial/by-path or /dev/serial/by-id".to_owned();
        out.warn(scope.at("serial", device, message).hint(Some(hint)));
    }
    let baud =
        scope.need(out, "baud", typed.baud.as_ref(), "write the line rate that the instrument is set to");
    let baud = baud.and_then(|baud| {
        let rate = RATES.into_iter().find(|rate| i64::from(*rate) == baud.value);
        if rate.is_none() {
            let allowed: Vec<String> = RATES.iter().map(u32::to_string).collect();
            let hint = did_you_mean(&baud.value.to_string(), allowed.iter().map(String::as_str));
            let hint = hint.map(|hint| hint.replace('"', ""));
            let message = format!("{} is not a line rate; allowed are {}", baud.value, allowed.join(", "));
            out.wrong(scope.at("baud", baud, message).hint(hint));
        }
        rate
    });
    // A plan with this rate is dropped; until then the port in it is compared with the others.
    let baud = baud.unwrap_or(9_600);
    let parity = match typed.parity.as_ref().map(|parity| parity.value) {
        None | Some(ParityFile::None) => Parity::None,
        Some(ParityFile::Even) => Parity::Even,
        Some(ParityFile::Odd) => Parity::Odd,
    };
    let data_bits = small(scope, "data_bits", typed.data_bits.as_ref(), 5..=8, 8, out);
    let stop_bits = small(scope, "stop_bits", typed.stop_bits.as_ref(), 1..=2, 1, out);
    let flow = typed.flow.as_ref().map_or(Flow::None, |flow| flow.value);
    if let (Flow::Hardware, Some(rts)) = (flow, &typed.rts) {
        out.wrong(scope.at("rts", rts, "cannot be set with flow = \"hardware\", which moves RTS itself"));
    }
    let (rts, dtr) = (typed.rts.as_ref().map(|rts| rts.value), typed.dtr.as_ref().map(|dtr| dtr.value));
    SerialPlan { path, line: LineSettings { baud, data_bits, parity, stop_bits }, flow, rts, dtr }
}

fn listen(typed: &WireFile, address: &At<String>, scope: &Scope<'_>, out: &mut Findings) -> Option<WirePlan> {
    let bind = address.value.parse::<SocketAddr>().ok().filter(|bind| bind.port() != 0);
    if bind.is_none() {
        let message = format!(
            "{:?} is not \"ip:port\"; allowed is an address of this gateway, such as \"192.0.2.7:4001\", or \"0.0.0.0:4001\" for all of them",
            address.value
        );
        out.wrong(scope.at("listen", address, message));
    }
    let tls =
        typed.tls.as_ref().map(|table| check_tls::listening(&table.value, &scope.inside("tls", table), out));
    let tls = tls.flatten();
    let everybody = "to allow everybody on purpose, write [\"0.0.0.0/0\", \"::/0\"]";
    let or = if typed.tls.is_some() { ", or in tls whom you know by certificate (clients)" } else { "" };
    let wanted = format!(
        "write the addresses or networks that may connect, such as [\"192.0.2.10\"]{or}; {everybody}"
    );
    // Certificates say better than addresses who may connect; addresses may still narrow it.
    let certified = typed.tls.is_some() && tls.as_ref().is_none_or(TlsPlan::knows_the_peer);
    let allow = match &typed.allow {
        None if certified => None,
        allow => scope.need(out, "allow", allow.as_ref(), &wanted),
    };
    if let Some(empty) = allow.filter(|allow| allow.value.is_empty() && !scope.told(out, "allow")) {
        out.wrong(scope.at("allow", empty, format!("is empty, so nobody could connect; {everybody}")));
    }
    let mut peers = Vec::new();
    for peer in allow.iter().flat_map(|allow| &allow.value) {
        match parse_allow(&peer.value) {
            Ok(allow) => peers.push(allow),
            Err((problem, hint)) => {
                let message =
                    format!("{:?} {problem}; allowed are \"192.0.2.10\" and \"192.0.2.0/24\"", peer.value);
                out.wrong(scope.at("allow", peer, message).hint(hint));
            }
        }
    }
    let bind = bind?;
    let unheard = bind.is_ipv4() && !peers.is_empty() && peers.iter().all(|peer| peer.network.is_ipv6());
    if let Some(allow) = allow.filter(|_| unheard) {
        let message = "has only IPv6 addresses, and the wire listens on IPv4: nobody can connect";
        out.warn(scope.at("allow", allow, message));
    }
    if typed.allow.is_none() && certified {
        peers = Allow::EVERYBODY.to_vec();
    }
    Some(WirePlan::Listen { bind, allow: peers, tls })
}

fn parse_allow(text: &str) -> Result<Allow, (&'static str, Option<String>)> {
    let (ip, prefix) = text.split_once('/').map_or((text, None), |(ip, prefix)| (ip, Some(prefix)));
    let ip: IpAddr = ip.parse().map_err(|_| ("is no address or network", None))?;
    let longest = if ip.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => longest,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse().ok().filter(|p| *p <= longest).ok_or(("has a prefix length out of range", None))?
        }
        Some(_) => return Err(("has no whole number as its prefix length", None)),
    };
    let network = match ip {
        IpAddr::V4(ip) => {
            IpAddr::V4((ip.to_bits() & u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)).into())
        }
        IpAddr::V6(ip) => {
            IpAddr::V6((ip.to_bits() & u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)).into())
        }
    };
    if network != ip {
        return Err((
            "has bits set after its prefix",
            Some(format!("did you mean \"{ip}\" or \"{network}/{prefix}\"?")),
        ));
    }
    Ok(Allow { network, prefix })
}

/// Tells when an earlier instrument has the same port or address.
fn shared(
    wire: &WirePlan,
    typed: &WireFile,
    scope: &Scope<'_>,
    earlier: &[(WirePlan, String)],
    out: &mut Findings,
) {
    for (other, owner) in earlier {
        match (wire, other) {
            (WirePlan::Serial(a), WirePlan::Serial(b)) if a.path == b.path => {
                if let Some(at) = &typed.serial {
                    out.wrong(scope.at("serial", at, format!("{:?} is the port of {owner} too", at.value)));
                }
            }
            (WirePlan::Listen { bind: a, .. }, WirePlan::Listen { bind: b, .. }) if collide(*a, *b) => {
                if let Some(at) = &typed.listen {
                    let message = format!("{a} collides with {b}, where the gateway listens for {owner}");
                    out.wrong(scope.at("listen", at, message));
                }
            }
            (WirePlan::Connect { address: a, .. }, WirePlan::Connect { address: b, .. })
                if a.eq_ignore_ascii_case(b) =>
            {
                if let Some(at) = &typed.connect {
                    out.warn(scope.at("connect", at, format!("{a:?} is the address of {owner} too")));
                }
            }
            (WirePlan::Udp(a), WirePlan::Udp(b)) if a.address.ip() == b.address.ip() => {
                let Some(at) = &typed.udp else { continue };
                // A device is heard from each of its ports.
                if a.local_port.is_some() && a.local_port == b.local_port {
                    let message = format!(
                        "{b} is the wire of {owner}, and only one of them would hear the device; allowed is another \
                         address or another local_port"
                    );
                    out.wrong(scope.at("udp", at, message));
                } else if a.address == b.address {
                    out.warn(scope.at("udp", at, format!("{:?} is the address of {owner} too", at.value)));
                } else {
                    continue;
                }
            }
            _ => continue,
        }
        // One is enough: with the first of them settled, the others are told by theirs.
        return;
    }
}

/// One socket cannot be bound beside the other: same port, and the same address or one that stands for all.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() == b.port() && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
}
