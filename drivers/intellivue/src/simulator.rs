//! A monitor, for tests and demonstrations: it grants an association, tells of it, answers polls, and can be told to do it badly.
//!
//! Promises: nothing is said before an association is asked for; an extended poll is answered each second until its time is over;
//! who says nothing for the time-out is aborted. After its last answer it is done, unless its script says `repeat`. Leaves out
//! waves and all that sets something.

use crate::civil;
use crate::frame::Frames;
use crate::line::{Came, File, Line};
use crate::pdu::{
    ACTION, ALERTS, Association, DEMOGRAPHICS, EVENT, MDS, NUMERIC, POLL, POLL_EXTENDED, Pdu, parse,
};
use crate::read::Reader;
use crate::request::{
    EACH_SECOND, SECOND, SERVER, Terms, association, put16, release, terms, unit, user_data,
};
use crate::script::{Extended, Monitor, Place, answer};
use crate::session::Settings;
use crate::value::id;
use orugate_driver::time::Tick;
use orugate_driver::{
    Channel, Deadline, Input, Outbox, Output, Peer, Reason, Session, SimulatedFault as Fault,
};
use std::time::Duration;

/// The presentation part of an accept.
const GRANT: &[u8] = &[
    0x31, 0x80, 0xA0, 0x80, 0x80, 0x01, 0x01, 0x00, 0x00, 0xA2, 0x80, 0xA0, 0x03, 0x00, 0x00,
    0x01, // mode, protocol version
    0xA5, 0x80, 0x30, 0x80, 0x80, 0x01, 0x00, 0x81, 0x02, 0x51, 0x01, 0x00, 0x00, // context 1
    0x30, 0x80, 0x80, 0x01, 0x00, 0x81, 0x0C, // context 2
    0x2A, 0x86, 0x48, 0xCE, 0x14, 0x02, 0x01, 0x00, 0x00, 0x00, 0x02, 0x01, 0x00, 0x00, 0x00, 0x00, //
    0x61, 0x80, 0x30, 0x80, 0x02, 0x01, 0x01, 0xA0, 0x80, 0x61, 0x80, 0xA1, 0x80, 0x06,
    0x0C, // accepted
    0x2A, 0x86, 0x48, 0xCE, 0x14, 0x02, 0x01, 0x00, 0x00, 0x00, 0x03, 0x01, //
    0x00, 0x00, 0xA2, 0x03, 0x02, 0x01, 0x00, 0xA3, 0x05, 0xA1, 0x03, 0x02, 0x01, 0x00, //
    0xBE, 0x80, 0x28, 0x80, 0x02, 0x01, 0x02, 0x81, // user data; its length follows
];
/// The rest of an abort, behind its kind.
const ABORT: &[u8] = &[
    0x2E, 0x11, 0x01, 0x03, 0xC1, 0x29, 0xA0, 0x80, 0xA0, 0x80, 0x30, 0x80, 0x02, 0x01, 0x01, 0x06, 0x02,
    0x51, 0x01, 0x00, 0x00, 0x00, 0x00, 0x61, 0x80, 0x30, 0x80, 0x02, 0x01, 0x01, 0xA0, 0x80, 0x64, 0x80,
    0x80, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
];
/// No such action.
const NO_ACTION: u16 = 9;
const TICK: Duration = Duration::from_secs(1);
/// A monitor that nobody asks looks so often whether somebody does: who waits for nothing is through with its script.
const IDLE: Duration = Duration::from_secs(60);
/// The create event is told again so often, and so many times.
const TELL: Duration = Duration::from_secs(3);
const TELLS: u32 = 3;
/// Seconds that it takes to begin anew.
const BOOT: u32 = 15;

/// How it stands with a client.
enum Link {
    Free,
    /// The create event was told so often, and is told again.
    Told {
        times: u32,
        next: Tick,
    },
    Confirmed,
}

/// An extended poll that is being answered.
struct Subscription {
    place: Place,
    next: Tick,
    until: Tick,
}

/// A session in the monitor's role.
pub(crate) struct Simulator {
    out: Outbox,
    line: Line,
    datagrams: bool,
    channel: Option<Channel>,
    monitor: Monitor,
    /// Which answer is next.
    turn: usize,
    link: Link,
    /// When the client was heard last, and for how long it may be silent.
    heard: Tick,
    timeout: Duration,
    subscription: Option<Subscription>,
    faults: Vec<Fault>,
    /// Units with numerics that left.
    count: usize,
    sent: u64,
    /// A unit that comes after the next one.
    held: Option<Vec<u8>>,
    /// Nothing is heard or said before.
    off: Tick,
    /// When the monitor was switched on.
    began: Tick,
    /// When anything came to it last, its own time too.
    looked: Tick,
    done: bool,
}

impl Simulator {
    pub(crate) fn new(settings: Settings, messages: &[Vec<u8>], faults: &[Fault]) -> Self {
        let mut monitor = Monitor::default();
        for (n, message) in messages.iter().enumerate() {
            let mut next = Monitor::read(message);
            if n > 0 {
                next.answers.splice(0..0, std::mem::take(&mut monitor.answers));
            }
            monitor = next;
        }
        Self {
            out: Outbox::default(),
            line: Line::Datagrams { seen: 0 },
            datagrams: settings.datagrams,
            channel: None,
            monitor,
            turn: 0,
            link: Link::Free,
            heard: Tick::ZERO,
            timeout: Duration::from_secs(10),
            subscription: None,
            faults: faults.to_vec(),
            count: 0,
            sent: 0,
            held: None,
            off: Tick::ZERO,
            began: Tick::ZERO,
            looked: Tick::ZERO,
            done: false,
        }
    }

    /// The monitor's own time.
    fn relative(&self, now: Tick) -> u32 {
        let on = u128::from(self.monitor.on).saturating_mul(SECOND.into());
        let eighths = (now.since(self.began).as_micros() / 125).saturating_add(on);
        // It turns over, as the monitor's does.
        u32::try_from(eighths & u128::from(u32::MAX)).unwrap_or(0)
    }

    fn clock(&self, now: Tick) -> [u8; 8] {
        let passed = i64::try_from(now.micros() / 1_000_000).unwrap_or(0);
        civil::bcd(self.monitor.clock.saturating_add(passed))
    }

    fn bytes(&mut self, now: Tick, bytes: &[u8]) {
        if now < self.off {
            return;
        }
        let mut units = Vec::new();
        self.line.feed(bytes, |came| {
            if let Came::Unit { data, .. } = came {
                units.push(data.to_vec());
            }
        });
        for unit in units {
            self.heard = now;
            match parse(&unit).map(|(pdu, _)| pdu) {
                Some(Pdu::Association(kind, body)) => self.associate(now, kind, body),
                Some(Pdu::Result { command: EVENT, .. }) => {
                    if matches!(self.link, Link::Told { .. }) {
                        self.link = Link::Confirmed;
                    }
                }
                Some(Pdu::Invoke { invoke, command: ACTION, body }) => self.poll(now, invoke, body),
                _ => {}
            }
        }
    }

    fn associate(&mut self, now: Tick, kind: Association, body: &[u8]) {
        match kind {
            Association::Request => {
                let refuses = self.take(|fault| match fault {
                    Fault::Deny { times: 0 } => Keep::Drop,
                    Fault::Deny { times } => {
                        *times = times.saturating_sub(1);
                        Keep::Hit
                    }
                    _ => Keep::Other,
                });
                if refuses || !matches!(self.link, Link::Free) {
                    self.say(vec![Association::Refuse.byte(), 2, 0, 0]);
                    return;
                }
                let asked = terms(body);
                let period = asked.map_or(SECOND, |asked| asked.period.max(SECOND));
                self.timeout = crate::talk::timeout(period);
                let extended = self.monitor.extended != Extended::No;
                let extension = if extended { asked.map_or(EACH_SECOND, |asked| asked.extension) } else { 0 };
                let granted = Terms { period, receives: 1000, sends: 1000, extension };
                self.say(association(Association::Accept, GRANT, &user_data(SERVER, granted)));
                self.link = Link::Told { times: 0, next: now };
                self.wake(now);
            }
            Association::Release => {
                self.say(release(Association::Released));
                self.free();
            }
            Association::Abort => self.free(),
            Association::Accept | Association::Refuse | Association::Released => {}
        }
    }

    fn free(&mut self) {
        self.link = Link::Free;
        self.subscription = None;
        self.held = None;
    }

    fn poll(&mut self, now: Tick, invoke: u16, body: &[u8]) {
        if matches!(self.link, Link::Free) {
            return;
        }
        let Some((extended, number, class, group, period)) = asked(body) else { return };
        let relative = self.relative(now);
        let place = Place { invoke, poll: number, group, sequence: None, relative };
        match class {
            MDS => self.say(self.monitor.itself(place, self.clock(now))),
            DEMOGRAPHICS => self.say(self.monitor.admitted(place)),
            ALERTS => self.say(self.monitor.alerted(place)),
            NUMERIC if extended && self.monitor.extended == Extended::Ignored => {}
            NUMERIC if extended && self.monitor.extended != Extended::Yes => {
                let mut inside = Vec::new();
                for word in [invoke, NO_ACTION, 0] {
                    put16(&mut inside, word);
                }
                self.say(unit(3, &inside));
            }
            NUMERIC if extended => {
                let until = now.after(Duration::from_millis(u64::from(period / 8)));
                let place = Place { sequence: Some(0), ..place };
                self.subscription = Some(Subscription { place, next: now, until });
                self.wake(now);
            }
            NUMERIC => self.numerics(place),
            _ => {}
        }
    }

    fn numerics(&mut self, place: Place) {
        if self.turn >= self.monitor.answers.len() {
            if !self.monitor.repeat || self.monitor.answers.is_empty() {
                self.done = true;
                return;
            }
            self.turn = 0;
        }
        let parts = self.monitor.answers.get(self.turn).cloned().unwrap_or_default();
        self.turn = self.turn.saturating_add(1);
        for unit in answer(place, NUMERIC, &parts) {
            self.spoil(unit);
        }
    }

    fn wake(&mut self, now: Tick) {
        if now < self.off {
            return;
        }
        if !matches!(self.link, Link::Free) && now >= self.heard.after(self.timeout) {
            self.abort();
        }
        if let Link::Told { times, next } = self.link
            && now >= next
        {
            if times >= TELLS {
                self.abort();
                return;
            }
            self.link = Link::Told { times: times.saturating_add(1), next: now.after(TELL) };
            self.say(self.monitor.created(self.clock(self.began), self.relative(self.began)));
        }
        while let Some(subscription) = &mut self.subscription
            && subscription.next <= now
            && !self.done
        {
            if subscription.until <= now {
                self.subscription = None;
                return;
            }
            let mut place = subscription.place;
            subscription.next = subscription.next.after(TICK);
            subscription.place.sequence = place.sequence.map(|sequence| sequence.wrapping_add(1));
            place.relative = self.relative(now);
            self.numerics(place);
            self.misfortune(now);
        }
    }

    fn abort(&mut self) {
        self.say([&[Association::Abort.byte()], ABORT].concat());
        self.free();
    }

    /// What befalls the monitor itself after so many units.
    fn misfortune(&mut self, now: Tick) {
        let count = self.count;
        let (mut off, mut set, mut gone) = (None, 0i64, false);
        self.take(|fault| match fault {
            Fault::Restart { frame } if *frame < count => {
                off = Some(BOOT);
                Keep::Drop
            }
            Fault::SetClock { frame, seconds } if *frame < count => {
                set = i64::from(*seconds);
                Keep::Drop
            }
            Fault::Stall { frame, seconds } if *frame < count => {
                off = off.or(Some(*seconds));
                Keep::Drop
            }
            Fault::Disconnect { after_frame } if *after_frame < count => {
                gone = true;
                Keep::Drop
            }
            _ => Keep::Other,
        });
        self.monitor.clock = self.monitor.clock.saturating_add(set);
        if let Some(seconds) = off {
            self.free();
            self.off = now.after(Duration::from_secs(seconds.into()));
            self.began = self.off;
            self.monitor.on = 0;
        }
        if gone && let Some(channel) = self.channel.take() {
            self.free();
            self.out.close(channel, Reason::Finished);
        }
    }

    /// Sends a unit with numerics as the faults want it.
    fn spoil(&mut self, unit: Vec<u8>) {
        let n = self.count;
        self.count = n.saturating_add(1);
        let mut bytes = self.line.dress(unit);
        let (mut lost, mut twice, mut swap) = (false, false, false);
        self.faults.retain(|fault| {
            match *fault {
                Fault::LoseFrame { frame } if frame == n => lost = true,
                Fault::Twice { frame } | Fault::RepeatFrame { frame } if frame == n => twice = true,
                Fault::Overtake { frame } if frame == n => swap = true,
                Fault::FlipBit { frame, byte, bit } if frame == n => {
                    if let Some(spoilt) = bytes.get_mut(byte) {
                        *spoilt ^= 1u8.wrapping_shl(bit.into());
                    }
                }
                Fault::LoseByte { frame, byte } if frame == n => {
                    if byte < bytes.len() {
                        bytes.remove(byte);
                    }
                }
                Fault::DoubleByte { frame, byte } if frame == n => {
                    if let Some(again) = bytes.get(byte).copied() {
                        bytes.insert(byte, again);
                    }
                }
                Fault::InsertByte { frame, byte, code } if frame == n => {
                    if byte <= bytes.len() {
                        bytes.insert(byte, code);
                    }
                }
                _ => return true,
            }
            false
        });
        if lost {
            return;
        }
        if swap && self.held.is_none() {
            self.held = Some(bytes);
            return;
        }
        if twice {
            self.leave(bytes.clone());
        }
        self.leave(bytes);
        if let Some(held) = self.held.take() {
            self.leave(held);
        }
    }

    fn say(&mut self, unit: Vec<u8>) {
        let bytes = self.line.dress(unit);
        self.leave(bytes);
    }

    fn leave(&mut self, mut bytes: Vec<u8>) {
        let Some(channel) = self.channel else { return };
        let before = self.sent;
        self.sent = before.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let sent = self.sent;
        let mut cut = None;
        self.take(|fault| match fault {
            Fault::CutAt { byte } if *byte < sent => {
                cut = usize::try_from(byte.saturating_sub(before)).ok();
                Keep::Drop
            }
            _ => Keep::Other,
        });
        if let Some(len) = cut {
            bytes.truncate(len);
        }
        if !bytes.is_empty() {
            self.out.send(channel, bytes);
        }
        if cut.is_some() {
            self.channel = None;
            self.free();
            self.out.close(channel, Reason::Finished);
        }
    }

    /// Looks for a fault that strikes now; true when there is one.
    fn take(&mut self, mut strikes: impl FnMut(&mut Fault) -> Keep) -> bool {
        let mut hit = false;
        self.faults.retain_mut(|fault| {
            if hit {
                return true;
            }
            match strikes(fault) {
                Keep::Other => true,
                Keep::Hit => {
                    hit = true;
                    true
                }
                Keep::Drop => false,
            }
        });
        hit
    }

    fn deadline(&self) -> Option<Deadline> {
        self.channel?;
        let told = match self.link {
            Link::Free => {
                let at = self.looked.after(IDLE).max(self.off);
                return Some(Deadline { at, why: "somebody who asks for an association" });
            }
            Link::Told { next, .. } => Some(next),
            Link::Confirmed => None,
        };
        let next = self.subscription.as_ref().map(|subscription| subscription.next);
        let at = [told, next].into_iter().flatten().fold(self.heard.after(self.timeout), Ord::min);
        Some(Deadline { at: at.max(self.off), why: "until the next answer" })
    }
}

/// What becomes of a fault that was looked at.
enum Keep {
    /// It does not strike.
    Other,
    /// It strikes, and may again.
    Hit,
    /// It is over.
    Drop,
}

/// What a poll asks for: extended or not, its number, class, group, and for how long.
fn asked(body: &[u8]) -> Option<(bool, u16, u16, u16, u32)> {
    let mut reader = Reader::new(body);
    reader.take(10)?;
    let extended = match reader.u16()? {
        POLL => false,
        POLL_EXTENDED => true,
        _ => return None,
    };
    let mut reader = Reader::new(reader.counted()?);
    let number = reader.u16()?;
    reader.u16()?;
    let (class, group) = (reader.u16()?, reader.u16()?);
    let period = extended.then(|| crate::pdu::Attributes::read(&mut reader)?.find(id::PERIOD)).flatten();
    Some((extended, number, class, group, period.and_then(|value| Reader::new(value).u32()).unwrap_or(0)))
}

impl Session for Simulator {
    fn handle(&mut self, now: Tick, input: Input<'_>) {
        self.looked = now;
        match input {
            Input::Opened(channel, peer) => {
                self.channel = Some(channel);
                self.free();
                self.line = match (self.datagrams, peer) {
                    (true, Peer::Datagrams) => Line::Datagrams { seen: 0 },
                    (true, _) => Line::File(File::default()),
                    (false, _) => Line::Frames(Frames::default()),
                };
            }
            Input::Bytes(channel, bytes) if self.channel == Some(channel) => self.bytes(now, bytes),
            Input::Closed(channel) if self.channel == Some(channel) => {
                self.channel = None;
                self.free();
            }
            Input::Deadline => self.wake(now),
            Input::Stop => self.done = true,
            _ => {}
        }
    }

    fn poll(&mut self) -> Output<'_> {
        let last = if self.done { Output::Done } else { Output::Wait(self.deadline()) };
        self.out.next().unwrap_or(last)
    }
}
