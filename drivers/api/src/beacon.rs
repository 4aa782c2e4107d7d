//! Devices that say by themselves on the network that they are there.
//!
//! Promises what a person needs to find one: its address, and by what it is known. Leaves out sockets.

use std::net::{Ipv4Addr, SocketAddr};

/// How devices of a driver say that they are there.
#[derive(Clone, Copy, Debug)]
pub struct Beacon {
    /// What they are, for people.
    pub of: &'static str,
    /// The UDP port that they say it to.
    pub port: u16,
    /// The multicast groups that they say it to, where it is no broadcast.
    pub groups: &'static [Ipv4Addr],
    /// Reads a datagram; `None` when it says nothing of the kind.
    pub read: fn(&[u8]) -> Option<Announced>,
}

/// What a device says of itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Announced {
    /// Where it is asked.
    pub address: SocketAddr,
    /// The model, as it names itself; empty when it does not.
    pub model: String,
    /// Its serial number; empty when it says none.
    pub serial: String,
    /// The label of its bed; empty when nobody gave it one.
    pub bed: String,
    /// Its identity, as it says it when it is asked too.
    pub eui64: Option<u64>,
}
