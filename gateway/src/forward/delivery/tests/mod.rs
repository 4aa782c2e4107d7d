//! Every row of the acknowledgment table (HL7 2.5.1, 2.9) on a fake clock, and any sequence of inputs.
//!
//! A script is a list of steps and what comes of each: outputs in order, notes with a tilde.

mod acceptance;
mod bytes;
mod chaos;
mod journal;
mod matching;
mod refusal;
mod silence;

use super::*;
use crate::forward::events::{ConnectError, Ended};
use crate::forward::settings::ControlIds;
use std::cell::RefCell;
use std::io::ErrorKind;
use std::time::Duration;

/// A queue as the journal's fold would show it.
#[derive(Debug, Default)]
struct Fake {
    waiting: BTreeSet<u64>,
    parked: BTreeSet<u64>,
}

impl Queue for RefCell<Fake> {
    fn waiting_from(&self, number: u64) -> Option<u64> {
        self.borrow().waiting.range(number..).next().copied()
    }
    fn is_waiting(&self, number: u64) -> bool {
        self.borrow().waiting.contains(&number)
    }
    fn is_parked(&self, number: u64) -> bool {
        self.borrow().parked.contains(&number)
    }
}

fn settings() -> Settings {
    Settings::new(ControlIds::new("GW01"))
}

fn message(code: &str, id: &str, error: &str) -> String {
    format!("MSH|^~\\&|E|H|GW|L|20261122||ACK^R01^ACK|C1|P|2.5.1\rMSA|{code}|{id}\rERR||PID^1^3|{error}\r")
}

fn frame(content: &str) -> Vec<u8> {
    format!("\x0b{content}\x1c\r").into_bytes()
}

fn ack(code: &str, number: u64) -> Vec<u8> {
    frame(&message(code, &ControlIds::new("GW01").id(number), ""))
}

struct World {
    delivery: Delivery,
    queue: RefCell<Fake>,
    now: Tick,
    wait: Option<Deadline>,
    /// Settlements that the journal has not taken; `None` when it takes them at once.
    slow: Option<Vec<Settlement>>,
}

impl World {
    fn new(settings: Settings) -> Self {
        let queue = RefCell::new(Fake { waiting: [1, 2].into(), parked: BTreeSet::new() });
        Self { delivery: Delivery::new(settings, 1), queue, now: Tick::ZERO, wait: None, slow: None }
    }

    /// One step of a script; what came of it in words, notes with a tilde.
    fn step(&mut self, step: &str) -> String {
        let words: Vec<&str> = step.split(' ').collect();
        let number = |at: usize| words[at].parse::<u64>().unwrap();
        match words[0] {
            "start" => self.handle(Input::NewWork),
            "up" => self.handle(Input::Connected),
            "refused" => self.handle(Input::ConnectFailed(ConnectError::Refused)),
            "sent" => self.handle(Input::Sent),
            "unreadable" => self.handle(Input::Unreadable),
            "eof" => self.handle(Input::Closed(Ended::Eof)),
            "reset" => self.handle(Input::Closed(Ended::Error(ErrorKind::ConnectionReset))),
            "stop" => self.handle(Input::Stop),
            "work" => self.handle(Input::NewWork),
            "deadline" => self.handle(Input::Deadline),
            "ack" => {
                let error = words.get(3).copied().unwrap_or_default();
                let id = match words[2] {
                    "blank" => String::new(),
                    "foreign" => "GW020000000000000001".to_owned(),
                    number => ControlIds::new("GW01").id(number.parse().unwrap()),
                };
                self.handle(Input::Bytes(&frame(&message(words[1], &id, error))))
            }
            "raw" => {
                let first = message("AA", "GW010000000000000001", "");
                let raw = step[4..].replace("{1}", &first).replace("VT", "\x0b").replace("FS", "\x1c");
                self.handle(Input::Bytes(raw.replace("CR", "\r").as_bytes()))
            }
            "flood" => self.handle(Input::Bytes(&vec![words[1].as_bytes()[0]; 70_000])),
            "after" => {
                let deadline = self.wait.unwrap_or_else(|| panic!("nothing to wait for"));
                let wait = deadline.at.since(self.now);
                let expected = Duration::from_millis(number(1));
                assert!(wait >= expected && wait <= expected + expected / 4, "waits {wait:?}");
                assert_eq!(name(&deadline.why), words[2]);
                self.now = deadline.at;
                self.handle(Input::Deadline)
            }
            "pass" => {
                self.now = self.now.after(Duration::from_millis(number(1)));
                String::new()
            }
            "no-wait" => {
                assert_eq!(self.wait, None);
                String::new()
            }
            "add" => {
                self.queue.borrow_mut().waiting.insert(number(1));
                self.handle(Input::NewWork)
            }
            "park" => {
                self.queue.borrow_mut().waiting.remove(&number(1));
                self.queue.borrow_mut().parked.insert(number(1));
                self.handle(Input::NewWork)
            }
            "unpark" => {
                self.queue.borrow_mut().parked.remove(&number(1));
                self.queue.borrow_mut().waiting.insert(number(1));
                self.handle(Input::NewWork)
            }
            "slow-journal" => {
                self.slow = Some(Vec::new());
                String::new()
            }
            "journal" => {
                let mut all = String::new();
                for settlement in self.slow.take().unwrap() {
                    all = join(&all, &self.journal(&settlement));
                }
                all
            }
            "status" => {
                let status = self.delivery.status();
                format!(
                    "{} flight {:?} unknown {:?} blocked {:?} failures {}",
                    name(&status.link),
                    status.in_flight.map(|f| f.number),
                    status.outcome_unknown,
                    status.blocked_by,
                    status.failures
                )
            }
            _ => panic!("no such step: {step}"),
        }
    }

    fn journal(&mut self, settlement: &Settlement) -> String {
        let number = settlement.number();
        {
            let mut queue = self.queue.borrow_mut();
            let waited = queue.waiting.remove(&number);
            match settlement {
                Settlement::Delivered { .. } => {
                    queue.parked.remove(&number);
                }
                Settlement::Parked { .. } if waited => {
                    queue.parked.insert(number);
                }
                Settlement::Parked { .. } => {}
            }
        }
        self.handle(Input::Settled(number))
    }

    fn handle(&mut self, input: Input<'_>) -> String {
        self.delivery.handle(self.now, input, &self.queue);
        let (mut trace, mut settled) = (Vec::new(), Vec::new());
        loop {
            trace.push(match self.delivery.poll() {
                Output::Connect => "connect".to_owned(),
                Output::Close(CloseWhy::Stopping) => "close".to_owned(),
                Output::Close(CloseWhy::Failed(failure)) => format!("close {}", name(&failure)),
                Output::Send(number) => format!("send {number}"),
                Output::Settle(settlement) => {
                    settled.push(settlement.clone());
                    match settlement {
                        Settlement::Delivered { number, code, .. } => {
                            format!("delivered {number} {}", code.as_str())
                        }
                        Settlement::Parked { number, why, .. } => format!("parked {number} {why}"),
                    }
                }
                Output::Note(note) => {
                    assert!(!note.to_string().contains("PID"), "{note}");
                    format!("~{}", name(&note))
                }
                Output::Wait(deadline) => {
                    self.wait = deadline;
                    break;
                }
                Output::Done => {
                    self.wait = None;
                    trace.push("done".to_owned());
                    break;
                }
            });
        }
        let mut trace = trace.join(", ");
        for settlement in settled {
            match &mut self.slow {
                Some(slow) => slow.push(settlement),
                None => trace = join(&trace, &self.journal(&settlement)),
            }
        }
        trace
    }
}

fn join(left: &str, right: &str) -> String {
    [left, right].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// The name of an enum's variant.
fn name(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}").chars().take_while(char::is_ascii_alphanumeric).collect()
}

type Row<'a> = (&'a str, fn(&mut Settings), &'a [(&'a str, &'a str)]);

fn play(rows: &[Row<'_>]) {
    for (title, change, script) in rows {
        let mut settings = settings();
        change(&mut settings);
        let mut world = World::new(settings);
        assert_eq!(world.step("start"), "connect", "{title}");
        for (step, expected) in *script {
            println!("{title}: {step}");
            assert_eq!(world.step(step), *expected, "{title}: {step}");
        }
    }
}

const fn plain(_: &mut Settings) {}

fn application(settings: &mut Settings) {
    settings.require_application_ack = true;
}

fn strict(settings: &mut Settings) {
    settings.on_refusal = OnRefusal::Stop;
}

const LINK_LOST: &str = "~OutcomeUnknown, ~Failed";
