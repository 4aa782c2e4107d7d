//! How a port comes to its next wire, and whom it turns away.
//!
//! Promises that one instrument is never two peers at a time, and that a refusal says whose setting it is. Leaves out
//! what happens on the wire.

use crate::config::{Allow, UdpPlan, WirePlan};
use crate::wire::{self, Come, Listener, Refusal, Wire, Wires};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// How long a TCP connection may take to open.
const CONNECT: Duration = Duration::from_secs(10);

/// What came of opening.
pub(super) enum Opened {
    /// A wire, and who is at its other end.
    Wire(Box<dyn Wire>, Option<IpAddr>),
    /// None: somebody was not let in.
    Refused(IpAddr, Refusal),
    /// A listener, where there was none.
    Listener(Arc<dyn Listener>),
}

/// Waits for the next wire: a connection that comes in, or the time to try again. A serial port, UDP or
/// an outgoing connection that is open is left alone.
pub(super) async fn open(
    plan: &WirePlan,
    wires: &dyn Wires,
    listener: Option<&dyn Listener>,
    peer: Option<IpAddr>,
    connected: bool,
    retry_at: Option<tokio::time::Instant>,
) -> io::Result<Opened> {
    match (plan, listener) {
        (WirePlan::Listen { allow, .. }, Some(listener)) => {
            until(retry_at).await;
            accept(listener, allow, peer).await
        }
        (WirePlan::Listen { bind, .. }, None) => {
            until(retry_at).await;
            wires.listen(*bind).map(Opened::Listener)
        }
        _ if connected => std::future::pending().await,
        (WirePlan::Serial(serial), _) => {
            until(retry_at).await;
            Ok(Opened::Wire(wires.serial(serial)?, None))
        }
        (WirePlan::Udp(udp), _) => {
            until(retry_at).await;
            Ok(Opened::Wire(wires.udp(udp)?, None))
        }
        (WirePlan::Connect { address, .. }, _) => {
            until(retry_at).await;
            Ok(Opened::Wire(wires.connect(address, CONNECT).await?, None))
        }
    }
}

/// The next connection. Who may not connect is turned away, and so is another address while one peer is connected: two
/// analyzers on one port would mix their messages.
async fn accept(listener: &dyn Listener, allow: &[Allow], current: Option<IpAddr>) -> io::Result<Opened> {
    Ok(match wire::come(listener).await? {
        Come::Refused(peer, refusal) => Opened::Refused(peer, refusal),
        Come::Wire(_, peer) if !allow.iter().any(|a| a.covers(peer)) => {
            Opened::Refused(peer, Refusal::NotAllowed)
        }
        Come::Wire(_, peer) if current.is_some_and(|c| c != peer) => Opened::Refused(peer, Refusal::Another),
        Come::Wire(wire, peer) => Opened::Wire(wire, Some(peer)),
    })
}

/// Why an address cannot be listened on, and what to do about it.
#[must_use]
pub fn unheard(bind: SocketAddr, error: &io::Error) -> String {
    let what = match error.kind() {
        io::ErrorKind::AddrInUse => "another program listens there; ss -ltnp shows which",
        io::ErrorKind::AddrNotAvailable => "this box has no such address; ip address shows those it has",
        io::ErrorKind::PermissionDenied => "this user may not listen there; choose a port above 1023",
        _ => return format!("cannot listen on {bind}: {error}"),
    };
    format!("cannot listen on {bind}: {what}")
}

/// Why a wire cannot be opened, and what to do about it where that is known.
pub(super) fn unopened(wire: &WirePlan, error: &io::Error) -> String {
    match (wire, error.kind()) {
        (WirePlan::Serial(_), io::ErrorKind::NotFound) => {
            "there is no such port; plug its adapter in, or take its name from ls /dev/serial/by-path"
                .to_owned()
        }
        (WirePlan::Serial(_), io::ErrorKind::PermissionDenied) => {
            "this user may not open it; add the user orugate to the group of the port (ls -l)".to_owned()
        }
        (WirePlan::Udp(UdpPlan { local_port: Some(port), .. }), io::ErrorKind::AddrInUse) => {
            format!("another program has UDP port {port} of this box; ss -lunp shows which")
        }
        (WirePlan::Udp(UdpPlan { local_port: Some(port), .. }), io::ErrorKind::PermissionDenied) => {
            format!("this user may not take UDP port {port}; choose a local_port above 1023")
        }
        (WirePlan::Udp(UdpPlan { address, .. }), io::ErrorKind::NetworkUnreachable) => {
            format!(
                "this box has no way to {address}; ip route get {} shows what it would take",
                address.ip()
            )
        }
        _ => error.to_string(),
    }
}

/// Waits until an instant; at once when there is none.
pub(super) async fn until(instant: Option<tokio::time::Instant>) {
    if let Some(instant) = instant {
        tokio::time::sleep_until(instant).await;
    }
}
