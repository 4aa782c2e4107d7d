//! A listener whose connections have done their handshake.
//!
//! Promises that handshakes go on beside each other and beside the accepting, that there are never more than
//! [`PENDING`], and that a peer which says nothing keeps nobody out: the newest comer's place is taken from the address
//! that has most, its oldest first. Who may not come by address is closed before a byte of TLS.

use super::User;
use super::trouble::Trouble;
use crate::config::Allow;
use crate::wire::{Come, Listener, Refusal, Wire};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::task::{AbortHandle, JoinSet};

/// Handshakes at a time.
const PENDING: usize = 16;

#[derive(Debug)]
pub(super) struct Secured {
    listener: Arc<dyn Listener>,
    user: Arc<User>,
    allow: Vec<Allow>,
    handshakes: Mutex<Handshakes>,
}

type Shaken = (IpAddr, Result<Box<dyn Wire>, Trouble>);

#[derive(Default)]
struct Handshakes {
    running: JoinSet<Shaken>,
    /// In the order of their coming.
    pending: Vec<(IpAddr, AbortHandle)>,
}

impl std::fmt::Debug for Handshakes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} handshakes", self.pending.len())
    }
}

impl Secured {
    pub(super) fn new(listener: Arc<dyn Listener>, user: Arc<User>, allow: Vec<Allow>) -> Self {
        Self { listener, user, allow, handshakes: Mutex::default() }
    }

    /// Begins a handshake. The peer whose handshake had to make room for it, if one had.
    fn begin(&self, handshakes: &mut Handshakes, wire: Box<dyn Wire>, peer: IpAddr) -> Option<IpAddr> {
        handshakes.pending.retain(|(_, handle)| !handle.is_finished());
        let full = handshakes.pending.len() >= PENDING;
        let place = full.then(|| crowded(handshakes.pending.iter().map(|(peer, _)| *peer))).flatten();
        let gone = place.map(|place| {
            let (gone, handle) = handshakes.pending.remove(place);
            handle.abort();
            gone
        });
        let user = self.user.clone();
        let handle = handshakes.running.spawn(async move { (peer, user.accept(wire).await) });
        handshakes.pending.push((peer, handle));
        gone
    }
}

/// The place of the oldest of the peer that is there most often.
fn crowded(peers: impl Iterator<Item = IpAddr> + Clone) -> Option<usize> {
    let mut counts: BTreeMap<IpAddr, usize> = BTreeMap::new();
    for peer in peers.clone() {
        *counts.entry(peer).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count)?.0;
    peers.into_iter().position(|peer| peer == most)
}

impl Listener for Secured {
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Come>> {
        let mut handshakes = self.handshakes.lock().unwrap_or_else(PoisonError::into_inner);
        while let Poll::Ready(come) = self.listener.poll_accept(context) {
            let (wire, peer) = match come? {
                Come::Wire(wire, peer) => (wire, peer),
                refused @ Come::Refused(..) => return Poll::Ready(Ok(refused)),
            };
            if !self.allow.iter().any(|allow| allow.covers(peer)) {
                return Poll::Ready(Ok(Come::Refused(peer, Refusal::NotAllowed)));
            }
            if let Some(gone) = self.begin(&mut handshakes, wire, peer) {
                return Poll::Ready(Ok(Come::Refused(gone, Refusal::Crowded)));
            }
        }
        while let Poll::Ready(Some(ended)) = handshakes.running.poll_join_next(context) {
            match ended {
                Ok((peer, Ok(wire))) => return Poll::Ready(Ok(Come::Wire(wire, peer))),
                Ok((peer, Err(trouble))) => {
                    return Poll::Ready(Ok(Come::Refused(peer, Refusal::Tls(trouble.to_string()))));
                }
                // Its place was needed.
                Err(_) => {}
            }
        }
        Poll::Pending
    }

    fn address(&self) -> io::Result<SocketAddr> {
        self.listener.address()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_new_comer_is_taken_from_the_loudest_address() {
        let ip = |last: u8| IpAddr::from([192, 0, 2, last]);
        let peers = [ip(1), ip(9), ip(9), ip(2), ip(9)];
        assert_eq!(crowded(peers.into_iter()), Some(1));
        assert_eq!(crowded(std::iter::empty()), None);
    }
}
