//! The line of the demo's first analyzer: a pseudo terminal, or TCP where the system cannot set one up as a serial port.
//! Emulated boxes (qemu-user) are such systems; no box with a kernel of its own is.

use crate::config::{Flow, SerialPlan};
use crate::simulate::{Plug, Target};
use crate::wire::{System, Wires as _};
use orugate_driver::{LineSettings, Parity};
use serialport::{SerialPort as _, TTYPort};
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio_serial::SerialStream;

pub(super) enum Line {
    Terminal { master: TTYPort, path: PathBuf },
    Network { why: String },
}

impl Line {
    /// Opens a pseudo terminal and sets its other end up as the gateway is going to.
    pub(super) fn open(baud: u32) -> Self {
        let pair = TTYPort::pair().map_err(|error| error.to_string()).and_then(|(master, slave)| {
            let path = PathBuf::from(slave.name().unwrap_or_default());
            drop(slave);
            let line = LineSettings { baud, data_bits: 8, parity: Parity::None, stop_bits: 1 };
            let plan = SerialPlan { path, line, flow: Flow::None, rts: None, dtr: None };
            System.serial(&plan).map_err(|error| error.to_string())?;
            Ok((master, plan.path))
        });
        match pair {
            Ok((master, path)) => Self::Terminal { master, path },
            Err(why) => Self::Network { why },
        }
    }

    /// For people.
    pub(super) fn words(&self, baud: u32) -> String {
        match self {
            Self::Terminal { .. } => format!("on a pseudo terminal at {baud} bits per second"),
            Self::Network { why } => {
                format!("on TCP at {baud} bits per second, for this system has no pseudo terminal ({why})")
            }
        }
    }

    /// The wire in the configuration; `port` stands for one that the system chooses.
    pub(super) fn wire(&self, baud: u32, port: u16) -> String {
        match self {
            Self::Terminal { path, .. } => format!("{{ serial = \"{}\", baud = {baud} }}", path.display()),
            Self::Network { .. } => {
                format!("{{ listen = \"127.0.0.1:{port}\", allow = [\"127.0.0.1\"] }}")
            }
        }
    }

    /// The analyzer's end; `listening` is where the gateway listens for it.
    pub(super) fn plug(self, listening: Option<SocketAddr>) -> Result<Plug, String> {
        match self {
            Self::Terminal { master, .. } => {
                let master = SerialStream::try_from(master).map_err(|error| error.to_string())?;
                Ok(Plug::wired(Box::new(master)))
            }
            Self::Network { .. } => {
                let address = listening.ok_or("the gateway does not listen for the first analyzer")?;
                Ok(Plug::to(Target::Connect(address.to_string())))
            }
        }
    }
}
