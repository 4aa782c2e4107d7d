//! What a bedside device has of its own: UDP.
//!
//! Promises that nothing which must not get lost goes by datagrams, and that a wire's address is one that a datagram can come
//! from.

use super::FoundProfile;
use super::check::Scope;
use super::file::{At, WireFile};
use super::mistakes::Findings;
use super::plan::UdpPlan;
use orugate_driver::Feed;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

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
