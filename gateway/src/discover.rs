//! Who says on the network that it is there, and how the configuration has it.
//!
//! Promises that each device is told once, with the next action where the configuration has it at another address. Leaves out
//! changing anything: whose bed a device stands at is not for the network to say.

use crate::config::{InstrumentPlan, Plan, WirePlan};
use orugate_driver::{Announced, Beacon};
use orugate_drivers::Catalogue;
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;

/// So many are told. Anybody may send such datagrams, and no ward has as many monitors.
const MOST: usize = 1024;

/// What there is to listen for.
#[must_use]
pub fn beacons(catalogue: &Catalogue) -> Vec<Beacon> {
    catalogue.drivers.iter().filter_map(|driver| driver.beacon()).collect()
}

/// A socket at a beacon's port; the groups are joined on these interfaces, by their addresses, or on the system's choice.
///
/// # Errors
/// The port is in use, or an address is of no interface of this box.
pub fn open(beacon: &Beacon, port: u16, interfaces: &[Ipv4Addr]) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // Others on this box may listen too.
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into())?;
    for group in beacon.groups {
        for interface in interfaces {
            socket.join_multicast_v4(group, interface)?;
        }
        if interfaces.is_empty() {
            // Without any network there are no broadcasts either.
            let _ = socket.join_multicast_v4(group, &Ipv4Addr::UNSPECIFIED);
        }
    }
    UdpSocket::from_std(socket.into())
}

/// Listens for so long; tells of each device once, and from where it was heard. How many there were.
///
/// # Errors
/// The socket failed.
pub async fn listen(
    beacon: &Beacon,
    socket: &UdpSocket,
    time: Duration,
    mut tell: impl FnMut(&Announced, SocketAddr),
) -> io::Result<usize> {
    let mut known = BTreeSet::new();
    let heard = async {
        let mut buffer = vec![0; 65_536];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await?;
            let said = buffer.get(..length).and_then(beacon.read);
            if let Some(said) = said.filter(|said| known.len() < MOST && !known.contains(said)) {
                tell(&said, from);
                known.insert(said);
            }
        }
    };
    match tokio::time::timeout(time, heard).await {
        Ok(failed) => failed,
        Err(_) => Ok(known.len()),
    }
}

/// A device in words: what it says, and what the configuration makes of it.
#[must_use]
pub fn words(said: &Announced, from: SocketAddr, plan: Option<&Plan>) -> Vec<String> {
    let mut first = said.address.to_string();
    let eui64 = said.eui64.map(|id| format!("{id:016X}")).unwrap_or_default();
    for (what, value) in
        [("model", &said.model), ("serial number", &said.serial), ("bed", &said.bed), ("EUI-64", &eui64)]
    {
        if !value.is_empty() {
            // What anybody may send must not steer a terminal.
            let shown: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            first += &format!("  {what} {shown}");
        }
    }
    if from.ip() != said.address.ip() {
        first += &format!("  (it came from {}: something between translates addresses)", from.ip());
    }
    let Some(plan) = plan else { return vec![first] };
    let all = plan.instruments.iter().filter_map(|instrument| Some((instrument, address(instrument)?)));
    let mut lines: Vec<_> =
        all.filter_map(|(instrument, address)| compared(said, instrument, address)).collect();
    if lines.is_empty() {
        lines.push("  no instrument of the configuration has this address or this EUI-64".to_owned());
    }
    lines.insert(0, first);
    lines
}

fn address(instrument: &InstrumentPlan) -> Option<SocketAddr> {
    match &instrument.wire {
        WirePlan::Udp(udp) => Some(udp.address),
        WirePlan::Serial(_) | WirePlan::Listen { .. } | WirePlan::Connect { .. } => None,
    }
}

/// What one instrument of the configuration has to do with the device; `None` for nothing.
fn compared(said: &Announced, instrument: &InstrumentPlan, address: SocketAddr) -> Option<String> {
    let name = &instrument.name;
    let here = address == said.address;
    let configured = instrument.bedside.as_ref().and_then(|bedside| bedside.device_id);
    let same = configured.zip(said.eui64).map(|(configured, said)| configured == said);
    Some(match (here, same) {
        (true, Some(true)) => format!("  {name} is this device"),
        (true, None) => format!("  {name} is configured with this address"),
        (true, Some(false)) => format!(
            "  {name} is configured with this address and another EUI-64: another device stands there now. Go and look, then put \
             it right in its [instrument.bedside], and: orugate reload"
        ),
        (false, Some(true)) => format!(
            "  {name} is this device, and is configured with {address}: write udp = \"{}\" into its wire, then: orugate reload",
            said.address
        ),
        (false, Some(false) | None) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load_texts;
    use expect_test::expect;
    use orugate_drivers::SHIPPED;
    use std::path::PathBuf;

    fn plan() -> Plan {
        let instrument = |name: &str, address: &str, id: &str| {
            format!(
                "[[instrument]]\nname = \"{name}\"\nprofile = \"philips-intellivue\"\nmode = \"live\"\nsend_to = [\"engine\"]\n\
                 wire = {{ udp = \"{address}:24105\" }}\nbedside = {{ location = \"ICU^{name}\"{id} }}\n"
            )
        };
        let text = "version = 1\n[gateway]\nid = \"TEST\"\nfacility = \"ICU\"\ntimezone = \"UTC\"\n[journal]\npath = \"/j\"\n\
            [[destination]]\nname = \"engine\"\nrole = \"lis\"\nreceiving = { application = \"E\", facility = \"H\" }\n\
            mllp = { address = \"192.0.2.1:2575\" }\npcd = {}\n"
            .to_owned()
            + &instrument("bed-1", "192.0.2.91", "")
            + &instrument("bed-2", "192.0.2.92", ", device_id = \"0009FBFFFE010203\"");
        load_texts(vec![(PathBuf::from("orugate.toml"), text)], &SHIPPED)
            .map_err(|e| e.to_string())
            .unwrap()
            .plan
    }

    fn said(address: &str, eui64: Option<u64>) -> Announced {
        let address = format!("{address}:24105").parse().unwrap();
        Announced { address, model: "866062".into(), serial: "DE1".into(), bed: "ICU-7".into(), eui64 }
    }

    #[test]
    fn each_device_is_told_with_what_the_configuration_has_of_it() {
        let plan = plan();
        let told = |address: &str, eui64, from: &str| {
            let said = said(address, eui64);
            words(&said, format!("{from}:1042").parse().unwrap(), Some(&plan)).join("\n")
        };
        expect![[r#"
            192.0.2.91:24105  model 866062  serial number DE1  bed ICU-7  EUI-64 0009FBFFFE090909
              bed-1 is configured with this address"#]]
        .assert_eq(&told("192.0.2.91", Some(0x0009_FBFF_FE09_0909), "192.0.2.91"));
        expect![[r#"
            192.0.2.92:24105  model 866062  serial number DE1  bed ICU-7  EUI-64 0009FBFFFE010203
              bed-2 is this device"#]]
        .assert_eq(&told("192.0.2.92", Some(0x0009_FBFF_FE01_0203), "192.0.2.92"));
        expect![[r#"
            192.0.2.99:24105  model 866062  serial number DE1  bed ICU-7  EUI-64 0009FBFFFE010203
              bed-2 is this device, and is configured with 192.0.2.92:24105: write udp = "192.0.2.99:24105" into its wire, then: orugate reload"#]]
        .assert_eq(&told("192.0.2.99", Some(0x0009_FBFF_FE01_0203), "192.0.2.99"));
        expect![[r#"
            192.0.2.92:24105  model 866062  serial number DE1  bed ICU-7  EUI-64 0009FBFFFE090909
              bed-2 is configured with this address and another EUI-64: another device stands there now. Go and look, then put it right in its [instrument.bedside], and: orugate reload"#]]
        .assert_eq(&told("192.0.2.92", Some(0x0009_FBFF_FE09_0909), "192.0.2.92"));
        expect![[r#"
            192.0.2.95:24105  model 866062  serial number DE1  bed ICU-7  (it came from 198.51.100.1: something between translates addresses)
              no instrument of the configuration has this address or this EUI-64"#]]
        .assert_eq(&told("192.0.2.95", None, "198.51.100.1"));
    }

    fn read(datagram: &[u8]) -> Option<Announced> {
        let text = std::str::from_utf8(datagram).ok()?;
        text.starts_with("192.").then(|| said(text, None))
    }

    #[test]
    fn what_anybody_may_send_does_not_steer_a_terminal() {
        let said = Announced { bed: "A\u{1b}[2J\nB".into(), ..said("192.0.2.91", None) };
        let told = words(&said, "192.0.2.91:1042".parse().unwrap(), None);
        assert!(told[0].ends_with("bed A [2J B"), "{told:?}");
    }

    #[tokio::test]
    async fn what_is_heard_twice_is_told_once_and_what_says_nothing_of_it_never() {
        const GROUPS: &[Ipv4Addr] = &[Ipv4Addr::new(224, 0, 23, 63)];
        let beacon = Beacon { of: "monitors", port: 0, groups: GROUPS, read };
        let socket = open(&beacon, 0, &[]).unwrap();
        let port = socket.local_addr().unwrap().port();
        let device = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for datagram in ["192.0.2.91", "hello", "192.0.2.92", "", "192.0.2.91"] {
            device.send_to(datagram.as_bytes(), ("127.0.0.1", port)).unwrap();
        }
        let mut told = Vec::new();
        let heard = listen(&beacon, &socket, Duration::from_millis(300), |said, from| {
            assert_eq!(from, device.local_addr().unwrap());
            told.push(said.address.ip().to_string());
        });
        assert_eq!(heard.await.unwrap(), 2);
        assert_eq!(told, ["192.0.2.91", "192.0.2.92"]);
    }
}
