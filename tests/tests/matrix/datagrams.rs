//! Datagrams in memory: what is sent to an address is heard by whoever has it and expects it from there.
//!
//! Promises that a datagram stays whole and that a [`Fate`] says what becomes of the next ones on a way; nobody is told of
//! one that gets lost. Leaves out refusals, which the real wire swallows too.

use super::Net;
use orugate::config::UdpPlan;
use orugate::wire::Wire;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What becomes of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code)] // Not in every test that has this rig.
pub(crate) enum Fate {
    Arrives,
    Lost,
    Twice,
    /// It comes behind the next one of its way.
    Late,
}

/// All sockets and what is on its way to them.
#[derive(Debug, Default)]
pub(super) struct Post {
    /// By their own address; the newest of an address hears.
    boxes: BTreeMap<SocketAddr, Held>,
    ways: BTreeMap<(SocketAddr, SocketAddr), Way>,
    opened: u64,
}

#[derive(Debug)]
struct Held {
    number: u64,
    expects: SocketAddr,
    waiting: VecDeque<Vec<u8>>,
    waker: Option<Waker>,
}

/// From one address to another.
#[derive(Debug, Default)]
struct Way {
    fates: VecDeque<Fate>,
    late: Option<Vec<u8>>,
    /// What was sent, whatever became of it.
    sent: Vec<Vec<u8>>,
}

impl Net {
    /// Opens a socket; nothing is sent by that.
    pub(super) fn post_box(&self, plan: &UdpPlan) -> PostBox {
        let mut inner = self.lock();
        inner.post.opened += 1;
        let number = inner.post.opened;
        let port = plan.local_port.unwrap_or_else(|| 50_000 + u16::try_from(number).unwrap());
        let own = SocketAddr::new(self.from, port);
        let held = Held { number, expects: plan.address, waiting: VecDeque::new(), waker: None };
        inner.post.boxes.insert(own, held);
        drop(inner);
        PostBox { net: self.clone(), number, own, address: plan.address }
    }

    /// What becomes of the next datagrams between these addresses; after them all arrive.
    #[allow(dead_code)] // Not in every test that has this rig.
    pub(crate) fn fates(&self, from: SocketAddr, to: SocketAddr, fates: impl IntoIterator<Item = Fate>) {
        self.lock().post.ways.entry((from, to)).or_default().fates.extend(fates);
    }

    /// All that was sent between these addresses.
    #[allow(dead_code)] // Not in every test that has this rig.
    pub(crate) fn sent(&self, from: SocketAddr, to: SocketAddr) -> Vec<Vec<u8>> {
        self.lock().post.ways.get(&(from, to)).map(|way| way.sent.clone()).unwrap_or_default()
    }
}

impl Post {
    fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let way = self.ways.entry((from, to)).or_default();
        way.sent.push(bytes.to_vec());
        let copies = match way.fates.pop_front().unwrap_or(Fate::Arrives) {
            Fate::Arrives => 1,
            Fate::Lost => 0,
            Fate::Twice => 2,
            Fate::Late => {
                way.late = Some(bytes.to_vec());
                return;
            }
        };
        let late = way.late.take();
        let arrive = std::iter::repeat_n(bytes.to_vec(), copies).chain(late);
        let Some(held) = self.boxes.get_mut(&to).filter(|held| held.expects == from) else { return };
        held.waiting.extend(arrive);
        if let Some(waker) = held.waker.take() {
            waker.wake();
        }
    }
}

/// A socket that hears one other address.
#[derive(Debug)]
pub(super) struct PostBox {
    net: Net,
    number: u64,
    own: SocketAddr,
    address: SocketAddr,
}

impl Drop for PostBox {
    fn drop(&mut self) {
        let boxes = &mut self.net.lock().post.boxes;
        if boxes.get(&self.own).is_some_and(|held| held.number == self.number) {
            boxes.remove(&self.own);
        }
    }
}

impl AsyncRead for PostBox {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.net.lock();
        let own = inner.post.boxes.get_mut(&self.own).filter(|held| held.number == self.number);
        let Some(held) = own else { return Poll::Pending };
        while let Some(datagram) = held.waiting.pop_front() {
            // As the real wire: an empty one is skipped, and so is what the reader has no room for.
            if (1..buffer.remaining()).contains(&datagram.len()) {
                buffer.put_slice(&datagram);
                return Poll::Ready(Ok(()));
            }
        }
        held.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl AsyncWrite for PostBox {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.net.lock().post.send(self.own, self.address, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Wire for PostBox {
    fn queued(&self) -> u32 {
        0
    }

    fn is_datagrams(&self) -> bool {
        true
    }
}
