//! UDP with one other side.
//!
//! Promises that a read is one whole datagram of the configured address and nobody else's, that a write is one datagram to its
//! port, and that neither an empty datagram nor a device that is switched off ends the wire. Leaves out whether the
//! device is there: a session knows by its protocol what silence means.
//!
//! A device is heard from whichever of its ports it answers: some open another one for each client that they let in.
//!
//! A refusal (ICMP port unreachable) comes back for a datagram that was sent, so it can come as often as the session
//! sends, and no oftener. It is swallowed: as an error it would close the wire, and a monitor that is switched off would have
//! it opened anew with each try. An error of this box's own (no route, address gone) ends the wire; the next one takes
//! the address that the box has then.

use super::Wire;
use crate::config::UdpPlan;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UdpSocket;

/// An open UDP wire.
struct Udp {
    socket: UdpSocket,
    /// What the device says from other ports than the one that it is asked at.
    strays: Option<UdpSocket>,
    address: SocketAddr,
    /// A refusal was told since the last datagram came.
    refused: bool,
    /// It was told that the device answers from another port.
    elsewhere: bool,
}

/// Opens a wire to the plan's address; nothing is sent by that.
pub(super) fn open(plan: &UdpPlan) -> io::Result<Box<dyn Wire>> {
    let address = plan.address;
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if let Some(port) = plan.local_port {
        // A thread that is stuck in a driver keeps its socket. Of two with the same addresses the system gives what comes to
        // the newer one.
        socket.set_reuse_address(true)?;
        socket.bind(&any(address, &socket, port)?.into())?;
    }
    socket.connect(&address.into())?;
    // From here on a socket beside it may have the port too.
    socket.set_reuse_address(true)?;
    let strays = socket.local_addr().and_then(|own| strays(address, own.as_socket()));
    let socket = UdpSocket::from_std(socket.into())?;
    // Without them the wire is as good as any device needs that answers as it is asked.
    Ok(Box::new(Udp { socket, strays: strays.ok(), address, refused: false, elsewhere: false }))
}

/// A socket with the same port of this box, that hears the device's other ports. What comes from the one that is asked goes to the
/// socket that is connected with it.
fn strays(address: SocketAddr, own: Option<SocketAddr>) -> io::Result<UdpSocket> {
    let port = own.ok_or(ErrorKind::AddrNotAvailable)?.port();
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    socket.bind(&any(address, &socket, port)?.into())?;
    let mut any_port = address;
    any_port.set_port(0);
    socket.connect(&any_port.into())?;
    UdpSocket::from_std(socket.into())
}

/// All addresses of this box, at a port.
fn any(address: SocketAddr, socket: &Socket, port: u16) -> io::Result<SocketAddr> {
    if address.is_ipv4() {
        return Ok(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)));
    }
    socket.set_only_v6(true)?;
    Ok(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)))
}

impl Udp {
    fn heard(&mut self, from: SocketAddr) {
        self.refused = false;
        if from.port() != self.address.port() && !std::mem::replace(&mut self.elsewhere, true) {
            tracing::info!(address = %self.address, port = from.port(), "the device answers from another port than it is asked at");
        }
    }

    fn refusal(&mut self) {
        if !std::mem::replace(&mut self.refused, true) {
            tracing::info!(address = %self.address, "nothing listens at this UDP port of the device; it is asked again");
        }
    }
}

impl AsyncRead for Udp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, room) = (buffer.filled().len(), buffer.remaining());
        if room == 0 {
            return Poll::Ready(Ok(()));
        }
        // Bounded by the runtime, which makes a socket wait after so many reads in a row.
        loop {
            let strays = self.strays.as_ref();
            let from = match self.socket.poll_recv_from(context, buffer) {
                Poll::Pending => match strays.map(|strays| strays.poll_recv_from(context, buffer)) {
                    Some(Poll::Ready(from)) => from,
                    Some(Poll::Pending) | None => return Poll::Pending,
                },
                Poll::Ready(from) => from,
            };
            let from = match from {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    self.refusal();
                    continue;
                }
                from => from?,
            };
            let length = buffer.filled().len() - before;
            // What came between bind and connect may be from anybody.
            let his = from.ip() == self.address.ip();
            let cut_off = length == room;
            if his && length > 0 && !cut_off {
                self.heard(from);
                return Poll::Ready(Ok(()));
            }
            if his && cut_off {
                tracing::warn!(address = %self.address, length, "a datagram is larger than any that is read, and is lost");
            }
            buffer.set_filled(before);
        }
    }
}

impl AsyncWrite for Udp {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // The error of an earlier datagram stands in the way of this one, once.
        for _ in 0..2 {
            match ready!(self.socket.poll_send(context, bytes)) {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => self.refusal(),
                sent => return Poll::Ready(sent),
            }
        }
        // It is lost, as any datagram may be.
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Wire for Udp {
    fn queued(&self) -> u32 {
        0
    }

    fn is_datagrams(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::{System, Wire, Wires as _};
    use crate::config::UdpPlan;
    use std::net::{SocketAddr, UdpSocket};
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    fn device() -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    /// A port that was free a moment ago.
    fn free() -> u16 {
        device().1.port()
    }

    async fn heard(wire: &mut dyn Wire) -> Vec<u8> {
        let mut buffer = [0; 100];
        let read = tokio::time::timeout(Duration::from_secs(5), wire.read(&mut buffer)).await;
        buffer[..read.unwrap().unwrap()].to_vec()
    }

    #[tokio::test]
    async fn a_read_and_a_write_are_one_datagram_and_an_empty_one_is_no_end() {
        let (device, address) = device();
        let port = free();
        let plan = UdpPlan { address, local_port: Some(port) };
        let mut wire = System.udp(&plan).unwrap();
        assert!(wire.is_datagrams());
        wire.write_all(b"poll").await.unwrap();
        wire.write_all(b"again").await.unwrap();
        let mut buffer = [0; 100];
        let (length, from) = device.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..length], from.port()), (&b"poll"[..], port));
        assert_eq!(device.recv(&mut buffer).unwrap(), 5);

        let stranger = UdpSocket::bind("127.0.0.2:0").unwrap();
        stranger.send_to(b"stranger", from).unwrap();
        for sent in [&b""[..], b"one", &[7; 100], b"two", b""] {
            device.send_to(sent, from).unwrap();
        }
        assert_eq!(heard(&mut *wire).await, b"one");
        assert_eq!(heard(&mut *wire).await, b"two", "one that fills the buffer may be cut off, and is none");
        let silent = tokio::time::timeout(Duration::from_millis(50), heard(&mut *wire)).await;
        assert!(silent.is_err(), "an empty datagram is not an end");
        let other_port = UdpSocket::bind((address.ip(), 0)).unwrap();
        other_port.send_to(b"from elsewhere", from).unwrap();
        assert_eq!(heard(&mut *wire).await, b"from elsewhere");

        // The port is the same when the wire is opened again, also while a thread that is stuck keeps the former.
        let mut next = System.udp(&plan).unwrap();
        device.send_to(b"three", from).unwrap();
        assert_eq!(heard(&mut *next).await, b"three");
    }

    #[tokio::test]
    async fn a_device_that_is_switched_off_ends_no_wire() {
        let (gone, address) = device();
        drop(gone);
        let port = free();
        let mut wire = System.udp(&UdpPlan { address, local_port: Some(port) }).unwrap();
        for _ in 0..5 {
            wire.write_all(b"hello").await.unwrap();
            let silent = tokio::time::timeout(Duration::from_millis(20), heard(&mut *wire)).await;
            assert!(silent.is_err());
        }
        let device = UdpSocket::bind(address).unwrap();
        device.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        wire.write_all(b"hello").await.unwrap();
        let mut buffer = [0; 100];
        let (length, from) = device.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..length], from.port()), (&b"hello"[..], port));
        device.send_to(b"here", from).unwrap();
        assert_eq!(heard(&mut *wire).await, b"here");
    }

    #[tokio::test]
    async fn over_ipv6() {
        let device = UdpSocket::bind("[::1]:0").unwrap();
        let plan = UdpPlan { address: device.local_addr().unwrap(), local_port: Some(free()) };
        let mut wire = System.udp(&plan).unwrap();
        wire.write_all(b"poll").await.unwrap();
        let (_, from) = device.recv_from(&mut [0; 10]).unwrap();
        device.send_to(b"answer", from).unwrap();
        assert_eq!(heard(&mut *wire).await, b"answer");
        UdpSocket::bind("[::1]:0").unwrap().send_to(b"other", from).unwrap();
        assert_eq!(heard(&mut *wire).await, b"other");
    }

    #[tokio::test]
    async fn two_devices_are_asked_from_one_port_and_each_is_heard_by_its_own_wire() {
        let port = free();
        let devices = ["127.0.0.2:0", "127.0.0.3:0"].map(|own| UdpSocket::bind(own).unwrap());
        let mut wires = devices.each_ref().map(|device| {
            System.udp(&UdpPlan { address: device.local_addr().unwrap(), local_port: Some(port) }).unwrap()
        });
        for (device, wire) in devices.iter().zip(&mut wires) {
            wire.write_all(b"poll").await.unwrap();
            let (_, from) = device.recv_from(&mut [0; 10]).unwrap();
            assert_eq!(from.port(), port);
            let own = device.local_addr().unwrap();
            device.send_to(own.to_string().as_bytes(), from).unwrap();
            assert_eq!(heard(&mut **wire).await, own.to_string().as_bytes());
        }
    }
}
