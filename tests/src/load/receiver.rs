//! A destination: takes messages over MLLP, acknowledges each, and notes what came when.
//!
//! Keeps no message, so that an hour of it fits into memory: of each its MSH-10 and a hash, to see two bodies under one.

use super::lock;
use orugate::clock::Clock;
use orugate_protocol::hl7::ack::{Code, Reply};
use orugate_protocol::hl7::header::Header;
use orugate_protocol::hl7::ts::Stamp;
use orugate_protocol::mllp::{self, Decoder, Event, Rules};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The longest message.
const LONGEST: usize = 1 << 20;

/// What a message is to the rig.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// PCD-01: the instrument (OBR-3.2), and the second in which its interval ended (OBR-8, since 1970).
    Snapshot { device: String, end: i64 },
    /// A laboratory report: the sample (SPM-2).
    Sample(String),
}

/// What came.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Each message once, and when it came, microseconds since 1970.
    pub(super) arrivals: Vec<(What, i64)>,
    /// Messages that came again, byte for byte.
    pub(super) again: u64,
    /// MSH-10 with two bodies.
    pub(super) conflicts: u64,
    /// Messages without MSH-10, or of neither kind.
    pub(super) unknown: u64,
    bodies: HashMap<Box<[u8]>, u64>,
}

/// One that listens until the process ends.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    pub(super) seen: Arc<Mutex<Seen>>,
}

impl Receiver {
    /// On a free port of loopback; answers with this code.
    pub(super) fn start(code: Code) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = shared.clone();
                std::thread::spawn(move || serve(stream, &seen, code));
            }
        });
        Ok(Self { address, seen })
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Seen>, code: Code) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let clock = Clock::system(0);
    let mut decoder = Decoder::new(vec![0; LONGEST], Rules::default());
    let mut buffer = vec![0; 64 << 10];
    let mut answers = 0u64;
    loop {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        let mut rest = buffer.get(..length).unwrap_or_default();
        while !rest.is_empty() {
            let (taken, event) = decoder.receive(rest);
            rest = rest.get(taken..).unwrap_or_default();
            let Some(Event::Frame { payload, .. }) = event else { continue };
            let header = Header::read(payload).ok();
            let id = header.as_ref().map(|header| header.control_id()).unwrap_or_default();
            lock(seen).take(id, payload, clock.utc().0);
            answers += 1;
            let reply = Reply {
                code,
                control_id: &format!("L{answers}"),
                time: Some(Stamp::new(clock.utc(), 0)),
                text: "",
                problems: &[],
            };
            let mut content = vec![0; payload.len() + 2048];
            let content = reply.write(header.as_ref(), &mut content).unwrap_or_default();
            let mut frame = vec![0; content.len() + mllp::OVERHEAD];
            let length = mllp::encode(content, &mut frame).unwrap_or(0);
            stream.write_all(frame.get(..length).unwrap_or_default())?;
        }
    }
}

impl Seen {
    fn take(&mut self, id: &[u8], message: &[u8], now: i64) {
        let mut hasher = DefaultHasher::new();
        message.hash(&mut hasher);
        let body = hasher.finish();
        match self.bodies.insert(id.into(), body) {
            None => {}
            Some(before) if before == body => {
                self.again += 1;
                return;
            }
            Some(_) => self.conflicts += 1,
        }
        match what(message).filter(|_| !id.is_empty()) {
            Some(what) => self.arrivals.push((what, now)),
            None => self.unknown += 1,
        }
    }
}

fn what(message: &[u8]) -> Option<What> {
    let text = std::str::from_utf8(message).ok()?;
    let segment = |name: &str| text.split('\r').find(|segment| segment.starts_with(name));
    if let Some(sample) = segment("SPM|").and_then(|spm| spm.split('|').nth(2)) {
        return Some(What::Sample(sample.to_owned()));
    }
    let mut fields = segment("OBR|")?.split('|');
    let device = fields.nth(3)?.split('^').nth(1)?.to_owned();
    let end = fields.nth(4)?;
    let time = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", end.get(..14)?).ok()?;
    let end = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    Some(What::Snapshot { device, end })
}
