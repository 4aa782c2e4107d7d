//! Wires in memory, whose faults are told beforehand: the network and the cables of a rig.
//!
//! Promises: bytes arrive in order and at once unless a [`Fault`] says otherwise; a fault happens once, at a byte that is
//! counted from the connection's first; nothing here waits for the real time. A cable stays when an end is closed, a
//! connection does not. Leaves out delay, which is the simulator's pace, and what bytes mean.

#[path = "datagrams.rs"]
pub(crate) mod datagrams;

use datagrams::Post;
use orugate::config::{SerialPlan, UdpPlan};
use orugate::wire::{Come, Connecting, Listener, Wire, Wires};
use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

/// What a connection takes before its reader reads.
const ROOM: usize = 256 << 10;

/// One of the two ways of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From whoever connected, or the instrument's end of a cable.
    There,
    /// To it.
    Back,
}

impl Way {
    const fn index(self) -> usize {
        match self {
            Self::There => 0,
            Self::Back => 1,
        }
    }
}

/// Before the byte `at` of a way: `remove` bytes are lost, `insert` comes, `then` happens.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) way: Way,
    pub(crate) at: usize,
    pub(crate) remove: usize,
    pub(crate) insert: Vec<u8>,
    pub(crate) then: Act,
}

/// What happens to the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Nothing,
    /// Both sides see its end, in order.
    Close,
    /// Both sides see a reset.
    Reset,
    /// Nothing arrives any more, either way, and nobody is told; whoever connected notices after this time.
    Vanish(Duration),
    /// The other side of a cable sees this, and opens it in vain, for this time. The near side sees nothing at all.
    Unplug(Pulled, Duration),
    /// Bytes of this way arrive only after this time.
    Stall(Duration),
    /// Somebody else connects to the same place, from this address.
    Stranger(IpAddr),
}

/// What a serial port says whose cable was pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pulled {
    /// `EIO`.
    Error,
    /// A read of nothing.
    Nothing,
}

/// How the next connections to a place go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dial {
    /// Nothing listens.
    Refused,
    /// No such name.
    Nameless,
    /// No answer, ever.
    Unanswered,
}

/// The network, as one host sees it.
#[derive(Clone, Debug)]
pub(crate) struct Net {
    from: IpAddr,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    ports: u16,
    listening: BTreeMap<SocketAddr, Queue>,
    cables: BTreeMap<PathBuf, (Arc<Line>, Way)>,
    faults: BTreeMap<String, VecDeque<Vec<Fault>>>,
    dials: BTreeMap<String, VecDeque<Dial>>,
    lines: Vec<(String, Arc<Line>)>,
    post: Post,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(End, IpAddr)>,
    waker: Option<Waker>,
}

impl Net {
    pub(crate) fn new(from: IpAddr) -> Self {
        Self { from, inner: Arc::default() }
    }

    /// The same network for another host.
    pub(crate) fn host(&self, from: IpAddr) -> Self {
        Self { from, inner: self.inner.clone() }
    }

    /// Lays a cable between two serial ports; the first is the instrument's.
    pub(crate) fn cable(&self, near: &str, far: &str) {
        let line = Arc::new(Line::new(true, self.clone(), far.to_owned(), Vec::new()));
        let mut inner = self.lock();
        inner.cables.insert(near.into(), (line.clone(), Way::There));
        inner.cables.insert(far.into(), (line.clone(), Way::Back));
        inner.lines.push((far.to_owned(), line));
    }

    /// The faults of the next connection to this place, or of this cable.
    pub(crate) fn spoil(&self, place: &str, faults: Vec<Fault>) {
        let mut inner = self.lock();
        if let Some((line, _)) = inner.cables.get(&PathBuf::from(place)) {
            line.lock().faults = faults;
        } else {
            inner.faults.entry(place.to_owned()).or_default().push_back(faults);
        }
    }

    /// How the next connections to this place go; after them as usual.
    pub(crate) fn dial(&self, place: &str, dials: impl IntoIterator<Item = Dial>) {
        self.lock().dials.entry(place.to_owned()).or_default().extend(dials);
    }

    /// The lines from this host to a place, oldest first; cables are everybody's.
    pub(crate) fn lines(&self, place: &str) -> Vec<Arc<Line>> {
        let lines = &self.lock().lines;
        let own = lines.iter().filter(|(to, line)| to == place && (line.cable || line.net.from == self.from));
        own.map(|(_, line)| line.clone()).collect()
    }

    /// An end of a cable.
    pub(crate) fn end(&self, path: &str) -> Box<dyn Wire> {
        let (line, way) = self.lock().cables[&PathBuf::from(path)].clone();
        Box::new(End::new(line, way))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn connect_now(&self, address: &str) -> io::Result<Box<dyn Wire>> {
        let place: SocketAddr = address.parse().map_err(|_| io::Error::from(ErrorKind::NotFound))?;
        let mut inner = self.lock();
        let faults = inner.faults.get_mut(address).and_then(VecDeque::pop_front).unwrap_or_default();
        let queue = inner.listening.get_mut(&place).ok_or(ErrorKind::ConnectionRefused)?;
        let line = Arc::new(Line::new(false, self.clone(), address.to_owned(), faults));
        queue.waiting.push_back((End::new(line.clone(), Way::Back), self.from));
        if let Some(waker) = queue.waker.take() {
            waker.wake();
        }
        inner.lines.push((address.to_owned(), line.clone()));
        Ok(Box::new(End::new(line, Way::There)))
    }
}

impl Wires for Net {
    fn serial(&self, plan: &SerialPlan) -> io::Result<Box<dyn Wire>> {
        let found = self.lock().cables.get(&plan.path).cloned();
        let (line, way) = found.ok_or(ErrorKind::NotFound)?;
        if way == Way::Back && line.lock().pulled.is_some() {
            return Err(ErrorKind::NotFound.into());
        }
        Ok(Box::new(End::new(line, way)))
    }

    fn udp(&self, plan: &UdpPlan) -> io::Result<Box<dyn Wire>> {
        Ok(Box::new(self.post_box(plan)))
    }

    fn listen(&self, bind: SocketAddr) -> io::Result<Arc<dyn Listener>> {
        let mut inner = self.lock();
        inner.ports += 1;
        let port = if bind.port() == 0 { 40_000 + inner.ports } else { bind.port() };
        let address = SocketAddr::new(bind.ip(), port);
        inner.listening.insert(address, Queue::default());
        Ok(Arc::new(Door { net: self.clone(), address }))
    }

    fn connect(&self, address: &str, within: Duration) -> Connecting {
        let (net, address) = (self.clone(), address.to_owned());
        Box::pin(async move {
            let dial = net.lock().dials.get_mut(&address).and_then(VecDeque::pop_front);
            match dial {
                None => {
                    let wire = net.connect_now(&address)?;
                    // Whoever listens may speak before this side knows that it is connected.
                    for _ in 0..8 {
                        tokio::task::yield_now().await;
                    }
                    Ok(wire)
                }
                Some(Dial::Refused) => Err(ErrorKind::ConnectionRefused.into()),
                Some(Dial::Nameless) => Err(ErrorKind::NotFound.into()),
                Some(Dial::Unanswered) => {
                    let never = pending::<io::Result<Box<dyn Wire>>>();
                    tokio::time::timeout(within, never).await.map_err(|_| ErrorKind::TimedOut)?
                }
            }
        })
    }
}

/// Something that listens; dropped, it does not.
#[derive(Debug)]
struct Door {
    net: Net,
    address: SocketAddr,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.net.lock().listening.remove(&self.address);
    }
}

impl Listener for Door {
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Come>> {
        let mut inner = self.net.lock();
        let Some(queue) = inner.listening.get_mut(&self.address) else { return Poll::Pending };
        match queue.waiting.pop_front() {
            Some((end, from)) => Poll::Ready(Ok(Come::Wire(Box::new(end), from))),
            None => {
                queue.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    fn address(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// A connection or a cable.
#[derive(Debug)]
pub(crate) struct Line {
    cable: bool,
    net: Net,
    to: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    ways: [Flow; 2],
    faults: Vec<Fault>,
    asked: usize,
    vanished: bool,
    pulled: Option<Pulled>,
}

/// One way of a line.
#[derive(Debug)]
struct Flow {
    bytes: VecDeque<u8>,
    room: usize,
    /// Bytes that were given, before any fault.
    given: usize,
    lost: usize,
    /// What arrived, ever.
    log: Vec<u8>,
    stalled: bool,
    ended: Option<Ended>,
    /// Nobody reads any more.
    unread: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Closed,
    Reset,
}

impl Flow {
    fn new() -> Self {
        Self {
            bytes: VecDeque::new(),
            room: ROOM,
            given: 0,
            lost: 0,
            log: Vec::new(),
            stalled: false,
            ended: None,
            unread: false,
            reader: None,
            writer: None,
        }
    }

    fn arrive(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        self.log.extend_from_slice(bytes);
    }

    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

impl Line {
    fn new(cable: bool, net: Net, to: String, faults: Vec<Fault>) -> Self {
        let state =
            State { ways: [Flow::new(), Flow::new()], faults, asked: 0, vanished: false, pulled: None };
        Self { cable, net, to, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn set_room(&self, room: usize) {
        for flow in &mut self.lock().ways {
            flow.room = room;
        }
    }

    /// So much the way back takes before it is read.
    pub(crate) fn set_room_back(&self, room: usize) {
        self.lock().ways[Way::Back.index()].room = room;
    }

    /// Both sides see its end, in order.
    pub(crate) fn break_off(&self) {
        let mut state = self.lock();
        state.ways.iter_mut().for_each(|flow| flow.ended = Some(Ended::Closed));
        state.wake();
    }

    /// What arrived on a way, ever.
    pub(crate) fn log(&self, way: Way) -> Vec<u8> {
        self.lock().ways[way.index()].log.clone()
    }

    pub(crate) const fn cable(&self) -> bool {
        self.cable
    }

    /// How often whoever connected gave an ENQ, before any fault.
    pub(crate) fn asked(&self) -> usize {
        self.lock().asked
    }

    /// Calls `change` after this time.
    fn later(self: &Arc<Self>, time: Duration, change: fn(&mut State)) {
        let line = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            let mut state = line.lock();
            change(&mut state);
            state.wake();
        });
    }

    fn act(self: &Arc<Self>, state: &mut State, way: Way, act: Act) {
        let flow = |state: &mut State, ended| {
            for flow in &mut state.ways {
                flow.ended = Some(ended);
            }
        };
        match act {
            Act::Nothing => {}
            Act::Close => flow(state, Ended::Closed),
            Act::Reset => flow(state, Ended::Reset),
            Act::Vanish(time) => {
                state.vanished = true;
                self.later(time, |state| state.ways[Way::Back.index()].ended = Some(Ended::Reset));
            }
            Act::Unplug(how, time) => {
                state.pulled = Some(how);
                state.ways.iter_mut().for_each(|flow| flow.bytes.clear());
                self.later(time, |state| state.pulled = None);
            }
            Act::Stall(time) => {
                state.ways[way.index()].stalled = true;
                self.later(time, |state| state.ways.iter_mut().for_each(|flow| flow.stalled = false));
            }
            Act::Stranger(from) => {
                let (net, to) = (self.net.host(from), self.to.clone());
                tokio::spawn(async move {
                    if let Ok(mut wire) = net.connect_now(&to) {
                        let _ = wire.write_all(b"\x05").await;
                        let _ = tokio::time::timeout(Duration::from_secs(60), answer(&mut wire)).await;
                    }
                });
            }
        }
        state.wake();
    }
}

/// Reads until the other side hangs up.
async fn answer(wire: &mut Box<dyn Wire>) {
    let mut byte = [0];
    while let Ok(1..) = tokio::io::AsyncReadExt::read(wire, &mut byte).await {}
}

impl State {
    fn wake(&mut self) {
        self.ways.iter_mut().for_each(Flow::wake);
    }
}

/// One end of a line.
#[derive(Debug)]
struct End {
    line: Arc<Line>,
    /// The way that it writes.
    way: Way,
    reset: bool,
}

impl End {
    fn new(line: Arc<Line>, way: Way) -> Self {
        Self { line, way, reset: false }
    }

    const fn other(&self) -> Way {
        match self.way {
            Way::There => Way::Back,
            Way::Back => Way::There,
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if self.line.cable {
            return;
        }
        let mut state = self.line.lock();
        if !state.vanished {
            let ended = if self.reset { Ended::Reset } else { Ended::Closed };
            state.ways[self.way.index()].ended.get_or_insert(ended);
            state.ways[self.other().index()].unread = true;
        }
        state.wake();
    }
}

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.line.lock();
        if self.way == Way::Back
            && let Some(pulled) = state.pulled
        {
            return Poll::Ready(match pulled {
                Pulled::Error => Err(io::Error::from_raw_os_error(5)),
                Pulled::Nothing => Ok(()),
            });
        }
        let hidden = state.vanished && self.way == Way::Back;
        let flow = &mut state.ways[self.other().index()];
        let count = if flow.stalled { 0 } else { flow.bytes.len().min(buffer.remaining()) };
        if count > 0 {
            buffer.put_slice(&flow.bytes.make_contiguous()[..count]);
            flow.bytes.drain(..count);
            if let Some(writer) = flow.writer.take() {
                writer.wake();
            }
            return Poll::Ready(Ok(()));
        }
        match flow.ended.filter(|_| !hidden && !flow.stalled) {
            Some(Ended::Closed) => Poll::Ready(Ok(())),
            Some(Ended::Reset) => Poll::Ready(Err(ErrorKind::ConnectionReset.into())),
            None => {
                flow.reader = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let (line, way) = (&self.line, self.way);
        let mut state = line.lock();
        if state.pulled.is_some() && way == Way::Back {
            return Poll::Ready(Err(io::Error::from_raw_os_error(5)));
        }
        let known = !state.vanished || way == Way::There;
        if known && (state.ways[way.index()].unread || state.ways[way.index()].ended.is_some()) {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let full = state.ways[way.index()].bytes.len() >= state.ways[way.index()].room;
        // A serial port's driver takes what the line does not.
        if !state.vanished && !line.cable && full {
            state.ways[way.index()].writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let room = state.ways[way.index()].room.saturating_sub(state.ways[way.index()].bytes.len());
        let bytes = if state.vanished || line.cable { bytes } else { &bytes[..bytes.len().min(room)] };
        // The usual case at once: a flood is megabytes.
        let plain = state.faults.is_empty() && state.ways[way.index()].lost == 0;
        if plain && !state.vanished && state.pulled.is_none() && state.ways[way.index()].ended.is_none() {
            state.asked +=
                if way == Way::There { bytes.iter().filter(|byte| **byte == 5).count() } else { 0 };
            let flow = &mut state.ways[way.index()];
            flow.given += bytes.len();
            flow.arrive(bytes);
            flow.wake();
            return Poll::Ready(Ok(bytes.len()));
        }
        for byte in bytes {
            let at = state.ways[way.index()].given;
            let due = state.faults.iter().position(|fault| fault.way == way && fault.at == at);
            if let Some(due) = due {
                let fault = state.faults.remove(due);
                let flow = &mut state.ways[way.index()];
                flow.lost = fault.remove;
                flow.arrive(&fault.insert);
                line.act(&mut state, way, fault.then);
            }
            let void = state.vanished || state.pulled.is_some();
            state.asked += usize::from(way == Way::There && *byte == 0x05);
            let flow = &mut state.ways[way.index()];
            flow.given += 1;
            if flow.lost > 0 {
                flow.lost -= 1;
            } else if !void && flow.ended.is_none() {
                flow.arrive(&[*byte]);
            }
        }
        if let Some(reader) = state.ways[way.index()].reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.line.lock();
        state.ways[self.way.index()].ended.get_or_insert(Ended::Closed);
        state.wake();
        Poll::Ready(Ok(()))
    }
}

impl Wire for End {
    fn queued(&self) -> u32 {
        let state = self.line.lock();
        let flow = &state.ways[self.way.index()];
        // Only a line without room, which a serial port's driver hides behind a queue of its own, ever holds bytes.
        if self.line.cable && flow.room == 0 { 1 } else { 0 }
    }

    fn abort(&mut self) {
        self.reset = true;
    }
}
