//! An instrument and a computer on one line, with faults, on a clock of their own.
//!
//! What must hold under every fault: a message that its sender takes for delivered is stored at the other end, and a
//! transfer that ended as complete is one of the sent messages, byte for byte. What must hold when the faults are
//! over: everything is delivered.

use super::*;
use std::collections::VecDeque;

/// 9600 baud, eight bits, no parity.
const BYTE_TIME: u64 = 1042;
const STORE_TIME: u64 = 5_000;
const SECOND: u64 = 1_000_000;

/// A frame that is being stored: until when, and which transfer it belongs to.
struct Storing {
    until: u64,
    id: FrameId,
    text: Vec<u8>,
    transfer: usize,
}

struct End {
    link: Bench,
    /// What the wire brings, and when.
    coming: VecDeque<(u64, u8)>,
    unread: Vec<u8>,
    wire_free: u64,
    drained: Option<u64>,
    storing: Option<Storing>,
    store_times: VecDeque<u64>,
    to_send: VecDeque<Vec<u8>>,
    offer_at: u64,
    sent_bytes: usize,
    delivered: Vec<Vec<u8>>,
    failures: Vec<Failure>,
    contentions: usize,
    interrupt_next: bool,
    /// Accepted text of the open transfer.
    open: Vec<u8>,
    ended: Vec<(Vec<u8>, EndReason)>,
}

impl End {
    fn new(settings: Settings, messages: &[&[u8]]) -> Self {
        Self {
            link: link(settings),
            coming: VecDeque::new(),
            unread: Vec::new(),
            wire_free: 0,
            drained: None,
            storing: None,
            store_times: VecDeque::new(),
            to_send: messages.iter().map(|m| m.to_vec()).collect(),
            offer_at: 0,
            sent_bytes: 0,
            delivered: Vec::new(),
            failures: Vec::new(),
            contentions: 0,
            interrupt_next: false,
            open: Vec::new(),
            ended: Vec::new(),
        }
    }

    fn next_time(&self) -> Option<u64> {
        let offer = self.to_send.front().is_some().then_some(self.offer_at).filter(|at| *at != u64::MAX);
        [
            self.coming.front().map(|(at, _)| *at),
            self.drained,
            self.storing.as_ref().map(|storing| storing.until),
            self.link.deadline().map(|d| d.at.micros()),
            offer,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Does what is due and returns the bytes it sends.
    fn run(&mut self, time: u64) -> Vec<u8> {
        let now = Tick::from_micros(time);
        if self.offer_at <= time
            && let Some(message) = self.to_send.front()
        {
            self.link.offer(message.clone()).unwrap();
            self.offer_at = u64::MAX;
        }
        if self.drained.is_some_and(|at| at <= time) {
            self.drained = None;
            self.link.sent(now);
        }
        while self.coming.front().is_some_and(|(at, _)| *at <= time) {
            self.unread.extend(self.coming.pop_front().map(|(_, byte)| byte));
        }
        if let Some(Storing { id, text, transfer, .. }) =
            self.storing.take_if(|storing| storing.until <= time)
        {
            self.ended.get_mut(transfer).map_or(&mut self.open, |(ended, _)| ended).extend(text);
            if core::mem::take(&mut self.interrupt_next) {
                self.link.accept_and_interrupt(now, id);
            } else {
                self.link.accept(now, id);
            }
        }
        let mut out = self.pump(time);
        while self.link.deadline().is_some_and(|d| d.at <= now) {
            let told = self.link.handle_deadline(now).map(Told::from);
            self.told(time, told);
            out.extend(self.pump(time));
        }
        out
    }

    fn pump(&mut self, time: u64) -> Vec<u8> {
        let now = Tick::from_micros(time);
        let mut out = Vec::new();
        loop {
            while let Some(bytes) = self.link.transmit(now) {
                out.extend_from_slice(bytes);
            }
            let (taken, event) = self.link.receive(now, &self.unread);
            let told = event.map(Told::from);
            self.unread.drain(..taken);
            if told.is_none() && taken == 0 {
                return out;
            }
            self.told(time, told);
        }
    }

    fn told(&mut self, time: u64, told: Option<Told>) {
        match told {
            Some(Told::Frame(id, text)) => {
                let took = self.store_times.pop_front().unwrap_or(STORE_TIME);
                self.storing = Some(Storing { until: time + took, id, text, transfer: self.ended.len() });
            }
            Some(Told::Ended(reason)) => self.ended.push((core::mem::take(&mut self.open), reason)),
            Some(Told::Delivered) => {
                self.delivered.extend(self.to_send.pop_front());
                self.offer_at = time;
            }
            Some(Told::Failed(failure)) => {
                self.failures.push(failure);
                self.offer_at = time + 10 * SECOND;
            }
            Some(Told::Contention) => self.contentions += 1,
            Some(Told::Other) | None => {}
        }
    }

    /// Every transfer's text, the open one's too.
    fn stored(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.ended.iter().map(|(text, _)| text).chain([&self.open])
    }
}

enum Told {
    Frame(FrameId, Vec<u8>),
    Ended(EndReason),
    Delivered,
    Failed(Failure),
    Contention,
    Other,
}

impl From<Event<'_>> for Told {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Frame(frame) => Self::Frame(frame.id, frame.text.to_vec()),
            Event::Ended(reason) => Self::Ended(reason),
            Event::Delivered => Self::Delivered,
            Event::Failed(failure) => Self::Failed(failure),
            Event::Contention => Self::Contention,
            _ => Self::Other,
        }
    }
}

struct World {
    instrument: End,
    computer: End,
    time: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Instrument,
    Computer,
}

const RESULT: &[u8] = b"H|\\^&\rP|1||ZZTEST\rR|1|^^^GLU|5.9\rL|1|N\r";
const ORDER: &[u8] = b"H|\\^&\rO|1|S1||^^^GLU\rL|1|F\r";

impl World {
    fn new(from_instrument: &[&[u8]], from_computer: &[&[u8]]) -> Self {
        let settings = Settings { send_text_max: 20, ..Settings::default() };
        Self {
            instrument: End::new(Settings { role: Role::Instrument, ..settings }, from_instrument),
            computer: End::new(settings, from_computer),
            time: 0,
        }
    }

    /// Runs until both have nothing to send, or `limit` seconds. The fault sees each byte, its index in that
    /// direction, and says what arrives in its place.
    fn run(&mut self, limit: u64, mut fault: impl FnMut(Side, usize, u8) -> Vec<u8>) {
        while !(self.instrument.to_send.is_empty() && self.computer.to_send.is_empty() && self.at_rest()) {
            let next = [self.instrument.next_time(), self.computer.next_time()].into_iter().flatten().min();
            let Some(next) = next else { break };
            self.time = self.time.max(next);
            if self.time > limit * SECOND {
                break;
            }
            for from in [Side::Instrument, Side::Computer] {
                let (end, other) = match from {
                    Side::Instrument => (&mut self.instrument, &mut self.computer),
                    Side::Computer => (&mut self.computer, &mut self.instrument),
                };
                let out = end.run(self.time);
                for byte in &out {
                    end.wire_free = end.wire_free.max(self.time) + BYTE_TIME;
                    let index = end.sent_bytes;
                    end.sent_bytes += 1;
                    for byte in fault(from, index, *byte) {
                        other.coming.push_back((end.wire_free, byte));
                    }
                }
                if !out.is_empty() {
                    end.drained = Some(end.wire_free);
                }
            }
        }
    }

    fn at_rest(&self) -> bool {
        [&self.instrument, &self.computer].iter().all(|end| {
            end.coming.is_empty() && end.unread.is_empty() && end.storing.is_none() && end.link.is_idle()
        })
    }

    fn is_safe(&self) -> Result<(), String> {
        for (sender, receiver) in [(&self.instrument, &self.computer), (&self.computer, &self.instrument)] {
            for message in &sender.delivered {
                if !receiver.stored().any(|text| text == message) {
                    return Err(format!("delivered but not stored: {}", shown(message)));
                }
            }
            for (text, reason) in &receiver.ended {
                let sent = sender.delivered.iter().chain(&sender.to_send).any(|message| message == text);
                if *reason == EndReason::Complete && !sent {
                    return Err(format!("complete but never sent: {}", shown(text)));
                }
            }
        }
        Ok(())
    }

    fn check(&self, what: &str) {
        if let Err(wrong) = self.is_safe() {
            panic!("{what}: {wrong}");
        }
        let left = self.instrument.to_send.len() + self.computer.to_send.len();
        assert_eq!(left, 0, "{what}: not delivered after {} s", self.time / SECOND);
    }
}

fn no_fault(_: Side, _: usize, byte: u8) -> Vec<u8> {
    vec![byte]
}

#[test]
fn without_faults_everything_arrives_once() {
    let mut world = World::new(&[RESULT, b"L|1\r", RESULT], &[]);
    world.run(60, no_fault);
    world.check("no fault");
    let complete: Vec<_> = world.computer.ended.iter().map(|(text, reason)| (&text[..], *reason)).collect();
    let expected = [RESULT, b"L|1\r", RESULT].map(|text| (text, EndReason::Complete));
    assert_eq!(complete, expected);
    assert_eq!(world.instrument.failures, []);
}

#[test]
fn contention_from_both_sides_is_won_by_the_instrument() {
    let mut world = World::new(&[RESULT], &[ORDER]);
    world.run(60, no_fault);
    world.check("contention");
    assert_eq!((world.instrument.contentions, world.computer.contentions), (1, 1));
    assert!(world.time < 3 * SECOND, "{}", world.time);
}

/// Both directions, with a contention at the start: each byte flipped in each bit, lost, or doubled, one at a time.
#[test]
fn any_single_fault_loses_nothing() {
    let mut healthy = World::new(&[RESULT], &[ORDER]);
    healthy.run(60, no_fault);
    for (from, bytes) in
        [(Side::Instrument, healthy.instrument.sent_bytes), (Side::Computer, healthy.computer.sent_bytes)]
    {
        assert!(bytes > 40);
        for target in 0..bytes {
            for kind in 0..11 {
                let mut world = World::new(&[RESULT], &[ORDER]);
                world.run(600, |direction, index, byte| match kind {
                    _ if direction != from || index != target => vec![byte],
                    bit @ 0..8 => vec![byte ^ (1 << bit)],
                    8 => vec![],
                    9 => vec![byte, byte],
                    _ => vec![0xFF, byte],
                });
                world.check(&format!("{from:?} byte {target} fault {kind}"));
            }
        }
    }
}

/// The line is dead from byte N of the instrument on, for a minute.
#[test]
fn a_cut_at_any_byte_loses_nothing() {
    for n in 0..90 {
        let mut world = World::new(&[RESULT], &[]);
        world.run(60, |from, index, byte| match from {
            Side::Instrument if index >= n => vec![],
            _ => vec![byte],
        });
        world.is_safe().unwrap_or_else(|wrong| panic!("{n}: {wrong}"));
        world.run(600, no_fault);
        world.check(&format!("cut at {n}"));
    }
}

#[test]
fn a_lost_ack_makes_a_repeat_that_is_stored_once() {
    let mut world = World::new(&[RESULT], &[]);
    // The second reply, to frame 1, becomes a character that the sender takes for NAK.
    world.instrument.link =
        link(Settings { strange_reply: StrangeReply::Nak, send_text_max: 20, ..instrument() });
    world.run(60, |from, index, byte| match (from, index) {
        (Side::Computer, 1) => vec![b'?'],
        _ => vec![byte],
    });
    world.check("lost ACK");
    assert_eq!(world.computer.ended, [(RESULT.to_vec(), EndReason::Complete)]);
    assert_eq!(world.instrument.failures, []);
}

#[test]
fn a_frame_that_is_always_damaged_is_given_up_after_six_sends() {
    let mut world = World::new(&[RESULT], &[]);
    // The checksum's last digit of every frame, until the first failure would have happened.
    let mut frames = 0;
    world.run(60, |from, _, byte| {
        if from == Side::Instrument && byte == crate::ascii::LF {
            frames += 1;
        }
        let damaged = from == Side::Instrument && frames < 6 && byte == b'H';
        vec![if damaged { b'h' } else { byte }]
    });
    world.check("six NAKs");
    assert_eq!(world.instrument.failures, [Failure::Refused { number: 1, sends: 6 }]);
    let reasons: Vec<_> = world.computer.ended.iter().map(|(_, reason)| *reason).collect();
    assert_eq!(reasons, [EndReason::Incomplete(Cut::FrameNotAccepted), EndReason::Complete]);
}

#[test]
fn missing_line_feeds_cost_only_time() {
    let mut world = World::new(&[RESULT], &[ORDER]);
    world.run(60, |_, _, byte| if byte == crate::ascii::LF { vec![] } else { vec![byte] });
    world.check("no LF");
    assert_eq!(world.instrument.failures.len() + world.computer.failures.len(), 0);
}

#[test]
fn a_store_slower_than_the_peers_patience_never_acknowledges_late() {
    for slow in 0..2 {
        for seconds in [13, 15, 16, 29, 31, 50] {
            let mut world = World::new(&[RESULT], &[]);
            world.computer.store_times =
                (0..=slow).map(|n| if n == slow { seconds * SECOND } else { STORE_TIME }).collect();
            world.run(600, no_fault);
            world.check(&format!("frame {slow} stored after {seconds} s"));
            assert_eq!(world.instrument.failures.is_empty(), seconds < 14, "{slow} {seconds}");
        }
    }
}

#[test]
fn an_interrupt_lets_the_order_pass() {
    let mut world = World::new(&[RESULT], &[]);
    world.computer.interrupt_next = true;
    world.computer.to_send.push_back(ORDER.to_vec());
    world.computer.offer_at = SECOND / 20; // during the first frame
    world.run(120, no_fault);
    world.check("interrupt");
    let reasons: Vec<_> = world.computer.ended.iter().map(|(_, reason)| *reason).collect();
    assert_eq!(reasons, [EndReason::Incomplete(Cut::AfterEtb), EndReason::Complete]);
    assert!(world.time < 5 * SECOND, "the order had to wait: {}", world.time);
}

/// Many faults for two minutes, then a healthy line. At most one fault a frame: a sum modulo 256 cannot see two that
/// cancel out, such as two flipped top bits.
#[test]
fn a_bad_line_that_gets_better() {
    for seed in 0..200u64 {
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut next = move |bound: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % bound
        };
        let mut world = World::new(&[RESULT, ORDER], &[ORDER, RESULT]);
        let mut healthy_until = [0, 0];
        world.run(120, |from, index, byte| match next(20) {
            0..=2 if index < healthy_until[from as usize] => vec![byte],
            fault @ 0..=2 => {
                healthy_until[from as usize] = index + 30;
                match fault {
                    0 => vec![],
                    1 => vec![byte ^ (1 << next(8))],
                    _ => vec![byte, 0xFF],
                }
            }
            _ => vec![byte],
        });
        world.is_safe().unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
        world.run(900, no_fault);
        world.check(&format!("seed {seed}"));
    }
}
