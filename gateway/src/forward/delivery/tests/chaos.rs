//! Any sequence of inputs, watched by a model that knows only the promises.

use super::super::*;
use super::{Fake, ack, frame, message, settings};
use crate::forward::events::{ConnectError, Ended};
use proptest::prelude::*;
use std::cell::RefCell;
use std::time::Duration;

/// A step of a world without rules.
#[derive(Clone, Debug)]
enum Chaos {
    Connected,
    ConnectFailed,
    Sent,
    Unreadable,
    Closed,
    Ack(&'static str, u64, usize),
    Blank,
    Foreign,
    Raw(Vec<u8>),
    Pass(u64),
    Due,
    Add(u64),
    Unpark,
    Journal,
}

fn chaos() -> impl Strategy<Value = Chaos> {
    let code = prop::sample::select(vec!["AA", "CA", "AE", "AR", "CE", "CR", "ZZ"]);
    prop_oneof![
        4 => Just(Chaos::Connected),
        1 => Just(Chaos::ConnectFailed),
        4 => Just(Chaos::Sent),
        1 => Just(Chaos::Unreadable),
        1 => Just(Chaos::Closed),
        8 => (code, 1..9u64, 0..200usize).prop_map(|(code, number, cut)| Chaos::Ack(code, number, cut)),
        1 => Just(Chaos::Blank),
        1 => Just(Chaos::Foreign),
        1 => prop::collection::vec(prop::sample::select(vec![0x0b, 0x1c, b'\r', b'M', b'|']), 0..5).prop_map(Chaos::Raw),
        1 => (0..40_000u64).prop_map(Chaos::Pass),
        4 => Just(Chaos::Due),
        1 => (5..9u64).prop_map(Chaos::Add),
        1 => Just(Chaos::Unpark),
        2 => Just(Chaos::Journal),
    ]
}

/// Watches what a delivery does and knows only the promises.
struct Watch {
    delivery: Delivery,
    queue: RefCell<Fake>,
    now: Tick,
    wait: Option<Deadline>,
    connecting: bool,
    up: bool,
    flight: Option<u64>,
    unjournalled: Vec<Settlement>,
    made: BTreeSet<u64>,
    delivered: BTreeMap<u64, u32>,
    /// Everything that came, whole.
    heard: Vec<u8>,
}

impl Watch {
    fn handle(&mut self, input: Input<'_>) {
        match input {
            Input::Connected => self.up |= std::mem::take(&mut self.connecting),
            Input::ConnectFailed(_) => self.connecting = false,
            Input::Closed(_) => (self.up, self.flight) = (false, None),
            Input::Bytes(bytes) if self.up => self.heard.extend_from_slice(bytes),
            _ => {}
        }
        self.delivery.handle(self.now, input, &self.queue);
        loop {
            match self.delivery.poll() {
                Output::Connect => {
                    assert!(!self.up && !self.connecting);
                    self.connecting = true;
                }
                Output::Close(_) => {
                    assert!(self.up || self.connecting);
                    (self.up, self.connecting, self.flight) = (false, false, None);
                }
                Output::Send(number) => {
                    assert!(self.up, "sends without a connection");
                    assert_eq!(self.flight, None, "two in flight");
                    assert!(self.queue.is_waiting(number), "sends what does not wait");
                    assert!(!self.delivered.contains_key(&number), "sends what was delivered");
                    self.flight = Some(number);
                }
                Output::Settle(settlement) => {
                    let number = settlement.number();
                    assert!(self.made.contains(&number));
                    if let Settlement::Delivered { code, ack, .. } = &settlement {
                        let text = String::from_utf8(ack.clone()).unwrap();
                        let named = format!("\rMSA|{}|GW01{number:016}\r", code.as_str());
                        assert!(text.contains(&named), "{text:?} does not acknowledge {number}");
                        assert!(memchr(&self.heard, ack), "that acknowledgment never came");
                        assert!(code.is_accept());
                        *self.delivered.entry(number).or_default() += 1;
                    }
                    self.flight = self.flight.filter(|flight| *flight != number);
                    self.unjournalled.push(settlement);
                }
                Output::Note(Note::Refused { number, .. }) => {
                    assert_eq!(self.flight, Some(number));
                    self.flight = None;
                }
                Output::Note(note) => {
                    let _ = note.to_string();
                }
                Output::Wait(deadline) => {
                    self.wait = deadline;
                    break;
                }
                Output::Done => panic!("ends without a stop"),
            }
        }
        assert_eq!(self.delivery.status().in_flight.map(|flight| flight.number), self.flight);
    }

    fn journal(&mut self) {
        for settlement in std::mem::take(&mut self.unjournalled) {
            let number = settlement.number();
            let waited = self.queue.borrow_mut().waiting.remove(&number);
            let mut queue = self.queue.borrow_mut();
            match settlement {
                Settlement::Delivered { .. } => {
                    queue.parked.remove(&number);
                }
                Settlement::Parked { .. } if waited => {
                    queue.parked.insert(number);
                }
                Settlement::Parked { .. } => {}
            }
            drop(queue);
            self.handle(Input::Settled(number));
        }
    }

    fn due(&mut self) {
        if let Some(deadline) = self.wait {
            self.now = self.now.max(deadline.at);
            self.handle(Input::Deadline);
        }
    }

    fn step(&mut self, step: &Chaos) {
        match step {
            Chaos::Connected => self.handle(Input::Connected),
            Chaos::ConnectFailed => self.handle(Input::ConnectFailed(ConnectError::TimedOut)),
            Chaos::Sent => self.handle(Input::Sent),
            Chaos::Unreadable => {
                // The shell says so only before it has written anything; here the machine must judge by itself.
                self.handle(Input::Unreadable);
            }
            Chaos::Closed => self.handle(Input::Closed(Ended::Eof)),
            Chaos::Ack(code, number, cut) => {
                let bytes = ack(code, *number);
                let (left, right) = bytes.split_at((*cut).min(bytes.len()));
                self.handle(Input::Bytes(left));
                self.handle(Input::Bytes(right));
            }
            Chaos::Blank => self.handle(Input::Bytes(&frame(&message("AA", "", "")))),
            Chaos::Foreign => self.handle(Input::Bytes(&frame(&message("AA", "GW0100000000000001", "")))),
            Chaos::Raw(bytes) => self.handle(Input::Bytes(bytes)),
            Chaos::Pass(millis) => self.now = self.now.after(Duration::from_millis(*millis)),
            Chaos::Due => self.due(),
            Chaos::Add(number) => {
                if self.made.insert(*number) {
                    self.queue.borrow_mut().waiting.insert(*number);
                    self.handle(Input::NewWork);
                }
            }
            Chaos::Unpark => {
                let first = self.queue.borrow_mut().parked.pop_first();
                if let Some(number) = first {
                    self.queue.borrow_mut().waiting.insert(number);
                    self.handle(Input::NewWork);
                }
            }
            Chaos::Journal => self.journal(),
        }
    }
}

fn memchr(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_sequence_of_inputs_breaks_a_promise(
        steps in prop::collection::vec(chaos(), 0..120),
        retries in 0..3u32,
        require in any::<bool>(),
        stop in any::<bool>(),
        lenient in any::<bool>(),
        unsettled in 1..4usize,
    ) {
        let mut settings = settings();
        settings.retries = retries;
        settings.require_application_ack = require;
        settings.on_refusal = if stop { OnRefusal::Stop } else { OnRefusal::Park };
        settings.missing_cr = lenient.then_some(Duration::from_millis(200));
        settings.unsettled = unsettled;
        let made: BTreeSet<u64> = [1, 2, 3, 4].into();
        let mut watch = Watch {
            delivery: Delivery::new(settings, 7),
            queue: RefCell::new(Fake { waiting: made.clone(), parked: BTreeSet::new() }),
            now: Tick::ZERO,
            wait: None,
            connecting: false,
            up: false,
            flight: None,
            unjournalled: Vec::new(),
            made,
            delivered: BTreeMap::new(),
            heard: Vec::new(),
        };
        watch.handle(Input::NewWork);
        for step in &steps {
            watch.step(step);
            let queue = watch.queue.borrow();
            for number in &watch.made {
                let known = queue.waiting.contains(number)
                    || queue.parked.contains(number)
                    || watch.delivered.contains_key(number);
                prop_assert!(known, "{number} is lost");
            }
        }
        // Whatever has happened, with a good engine everything that waits is delivered in the end.
        for _ in 0..200 {
            if watch.connecting {
                watch.handle(Input::Connected);
            } else if let Some(number) = watch.flight {
                watch.handle(Input::Sent);
                watch.handle(Input::Bytes(&ack("AA", number)));
            } else {
                watch.due();
            }
            watch.journal();
        }
        prop_assert!(watch.queue.borrow().waiting.is_empty(), "{:?} still waits", watch.queue.borrow().waiting);
        prop_assert!(watch.delivered.values().all(|times| *times == 1), "delivered twice: {:?}", watch.delivered);
    }
}
