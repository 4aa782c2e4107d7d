//! Byte transports: serial ports, TCP connections and UDP behind one trait.
//!
//! Nothing here ever calls `flush`: on a serial port it would block the thread until the line has drained. Whether it
//! has is asked with [`Wire::queued`]. Reading `Ok(0)` and any error both mean that the wire is gone; the caller drops
//! it at once and opens it again by its path or address.

mod udp;

use crate::config::{Flow, SerialPlan, UdpPlan};
use orugate_driver::Parity;
use socket2::{SockRef, TcpKeepalive};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd as _, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_serial::{SerialPort, SerialPortBuilderExt, SerialStream};

/// An open transport.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin {
    /// Bytes that were written and have not left yet, as far as the system tells.
    fn queued(&self) -> u32;

    /// Gives the network what the wire itself still keeps of what was written, as TLS may. On a serial port there is
    /// nothing of the kind, and a flush would block.
    ///
    /// # Errors
    /// As a write.
    fn poll_push(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The socket below, for whoever has to shut it down when this is stuck; `None` where there is none. While it is
    /// kept, dropping the wire alone ends no connection.
    fn socket(&self) -> Option<OwnedFd> {
        None
    }

    /// Each write is one datagram, and so is each read.
    fn is_datagrams(&self) -> bool {
        false
    }

    /// Makes the drop that follows a reset instead of an orderly end, where there is such a thing.
    fn abort(&mut self) {}
}

impl Wire for TcpStream {
    /// A socket gives its bytes to the network at once.
    fn queued(&self) -> u32 {
        0
    }

    fn socket(&self) -> Option<OwnedFd> {
        self.as_fd().try_clone_to_owned().ok()
    }

    fn abort(&mut self) {
        // Without it the end is an orderly one; nothing else can be done about it.
        let _ = SockRef::from(&*self).set_linger(Some(Duration::ZERO));
    }
}

impl Wire for SerialStream {
    fn queued(&self) -> u32 {
        // A pseudo terminal has no such queue and says so with an error.
        self.bytes_to_write().unwrap_or(0)
    }
}

/// Where wires come from: [`System`], or what a test puts in its place.
pub trait Wires: fmt::Debug + Send + Sync {
    /// Opens a serial port for this process alone.
    ///
    /// # Errors
    /// No such device, no permission, or another program has it.
    fn serial(&self, plan: &SerialPlan) -> io::Result<Box<dyn Wire>>;

    /// Opens UDP with one other side: a read is one datagram of its, a write is one to it.
    ///
    /// # Errors
    /// The local port is in use or not this user's to take, or there is no way to the address.
    fn udp(&self, plan: &UdpPlan) -> io::Result<Box<dyn Wire>>;

    /// Listens for connections.
    ///
    /// # Errors
    /// The address is not of this machine, or in use.
    fn listen(&self, bind: SocketAddr) -> io::Result<Arc<dyn Listener>>;

    /// Connects; ends within this time. The name is looked up anew each time: [`io::ErrorKind::NotFound`] when it has
    /// no address.
    fn connect(&self, address: &str, within: Duration) -> Connecting;
}

/// A connection that is being made.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Wire>>> + Send>>;

/// Who came to a listener.
pub enum Come {
    /// A connection, and from where.
    Wire(Box<dyn Wire>, IpAddr),
    /// Somebody whom the listener itself did not let in.
    Refused(IpAddr, Refusal),
}

/// Why somebody is not let in; it displays as a clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The address is none of the instrument's.
    NotAllowed,
    /// Another address is connected.
    Another,
    /// No place for one more handshake.
    Crowded,
    /// TLS came to nothing; why.
    Tls(String),
}

impl Refusal {
    /// The same without what differs from one to the next.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NotAllowed => "this address is not in the instrument's `allow`",
            Self::Another => "another address is connected as this instrument",
            Self::Crowded => "too many handshakes at a time",
            Self::Tls(_) => "TLS",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls(why) => f.write_str(why),
            other => f.write_str(other.kind()),
        }
    }
}

/// Something that takes connections.
pub trait Listener: fmt::Debug + Send + Sync {
    /// The next that comes.
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Come>>;

    /// Where it listens.
    ///
    /// # Errors
    /// As the system's `getsockname`.
    fn address(&self) -> io::Result<SocketAddr>;
}

/// The next that comes to a listener. Cancel safe.
///
/// # Errors
/// As the system's accept.
pub async fn come(listener: &dyn Listener) -> io::Result<Come> {
    std::future::poll_fn(|context| listener.poll_accept(context)).await
}

/// The next connection of a listener, and from where it comes; who is refused is passed over. Cancel safe.
///
/// # Errors
/// As the system's accept.
pub async fn accept(listener: &dyn Listener) -> io::Result<(Box<dyn Wire>, IpAddr)> {
    loop {
        if let Come::Wire(wire, peer) = come(listener).await? {
            return Ok((wire, peer));
        }
    }
}

impl Listener for TcpListener {
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Come>> {
        let (stream, address) = ready!(Self::poll_accept(self, context))?;
        Poll::Ready(Ok(Come::Wire(Box::new(prepared(stream)?), address.ip().to_canonical())))
    }

    fn address(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }
}

/// This machine's ports and sockets.
#[derive(Clone, Copy, Debug)]
pub struct System;

impl Wires for System {
    fn serial(&self, plan: &SerialPlan) -> io::Result<Box<dyn Wire>> {
        open_serial(plan)
    }

    fn udp(&self, plan: &UdpPlan) -> io::Result<Box<dyn Wire>> {
        udp::open(plan)
    }

    fn listen(&self, bind: SocketAddr) -> io::Result<Arc<dyn Listener>> {
        Ok(Arc::new(listen(bind)?))
    }

    fn connect(&self, address: &str, within: Duration) -> Connecting {
        let address = address.to_owned();
        Box::pin(async move { connect(&address, within).await })
    }
}

fn open_serial(plan: &SerialPlan) -> io::Result<Box<dyn Wire>> {
    let path = plan.path.to_string_lossy();
    let line = plan.line;
    let mut port = tokio_serial::new(path, line.baud)
        .data_bits(match line.data_bits {
            5 => tokio_serial::DataBits::Five,
            6 => tokio_serial::DataBits::Six,
            7 => tokio_serial::DataBits::Seven,
            _ => tokio_serial::DataBits::Eight,
        })
        .parity(match line.parity {
            Parity::None => tokio_serial::Parity::None,
            Parity::Even => tokio_serial::Parity::Even,
            Parity::Odd => tokio_serial::Parity::Odd,
        })
        .stop_bits(if line.stop_bits == 2 {
            tokio_serial::StopBits::Two
        } else {
            tokio_serial::StopBits::One
        })
        .flow_control(match plan.flow {
            Flow::None => tokio_serial::FlowControl::None,
            Flow::Hardware => tokio_serial::FlowControl::Hardware,
            Flow::Software => tokio_serial::FlowControl::Software,
        })
        .open_native_async()?;
    // A pseudo terminal has no modem lines; that is no reason not to listen to it.
    for (name, set) in [
        ("RTS", plan.rts.map(|level| port.write_request_to_send(level))),
        ("DTR", plan.dtr.map(|level| port.write_data_terminal_ready(level))),
    ] {
        if let Some(Err(error)) = set {
            tracing::warn!(port = %plan.path.display(), %error, "this port does not let {name} be set");
        }
    }
    Ok(Box::new(port))
}

/// Connects to something that listens.
async fn connect(address: &str, within: Duration) -> io::Result<Box<dyn Wire>> {
    let nameless = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let connected = async {
        let addresses: Vec<_> = tokio::net::lookup_host(address).await.map_err(|_| nameless())?.collect();
        if addresses.is_empty() {
            return Err(nameless());
        }
        let stream = TcpStream::connect(addresses.as_slice()).await?;
        Ok(Box::new(prepared(stream)?) as Box<dyn Wire>)
    };
    let late = || io::Error::new(io::ErrorKind::TimedOut, "no answer");
    tokio::time::timeout(within, connected).await.map_err(|_| late())?
}

/// Listens, with an address that may be taken again at once.
fn listen(bind: SocketAddr) -> io::Result<TcpListener> {
    let socket =
        if bind.is_ipv4() { tokio::net::TcpSocket::new_v4() } else { tokio::net::TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(bind)?;
    socket.listen(128)
}

/// Sets what every instrument's connection needs: no delay for single ACKs, keep-alive and a bound on unanswered
/// data instead of a read time-out, because analyzers are silent for hours.
fn prepared(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(10))
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(Duration::from_secs(30)))?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use orugate_driver::LineSettings;
    use serialport::TTYPort;

    #[tokio::test]
    async fn a_serial_port_is_opened_for_one_process_alone() {
        let (_master, slave) = TTYPort::pair().unwrap();
        let plan = SerialPlan {
            path: slave.name().unwrap().into(),
            line: LineSettings { baud: 9600, data_bits: 7, parity: Parity::Even, stop_bits: 2 },
            flow: Flow::None,
            rts: Some(true),
            dtr: Some(false),
        };
        drop(slave);
        // A pseudo terminal has no modem lines, and silently no parity either; neither is a reason not to open it.
        let first = System.serial(&plan).unwrap();
        assert_eq!(first.queued(), 0);
        assert!(System.serial(&plan).is_err(), "the same port was opened twice");
        drop(first);
        assert!(System.serial(&plan).is_ok(), "a port that was closed cannot be opened again");
    }
}
