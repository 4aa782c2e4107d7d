//! The engine's side: everything an engine has been seen to do, at each state of the destination.
//!
//! Three messages are delivered; the second is the one that the engine misbehaves with. The engine is written here, so
//! that it can also talk when it was not asked.

use crate::cells::{Mode, Table, check, rows};
use crate::net::Dial;
use crate::peer::Peer;
use crate::rig::{BOX, Rig, Setup, run};
use orugate::conditions::Code;
use orugate::config::Plan;
use orugate::wire::{self, Listener, Wire, Wires as _};
use orugate_protocol::mllp::{Decoder, Event, Rules};
use orugate_tests::oru::control_id;
use orugate_tests::sender::invented;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What an engine does; `{}` is the second message's MSH-10.
#[derive(Clone, Copy, Debug)]
enum Does {
    Nothing,
    /// A good frame with this MSA and what follows it.
    Msa(&'static str),
    /// Bytes around or instead of AA: before, whether AA stands there, after.
    Around(&'static [u8], bool, &'static [u8]),
    /// Half of AA, and the rest after so many seconds, or never.
    Half(Option<u64>),
    /// AA after so many seconds.
    Late(u64),
    /// So many bytes of this, after these.
    Flood(&'static [u8], u8, usize),
    Twice,
    NoCr,
    Reset,
    Close,
}

/// Where the second message is when the engine does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is to be sent; the second message comes ten seconds later.
    Idle,
    /// The connection for it was taken just now.
    Connecting,
    /// Half of it is sent; the engine reads the rest after what it does.
    Writing,
    /// The engine has it.
    Answer,
    /// The engine has sent CA, and AA is wanted.
    Application,
    /// The engine has refused it once, and it is going to be sent again.
    Retry,
    /// The engine has refused it for good.
    Parked,
}

const STATES: [(State, &str); 7] = [
    (State::Idle, "idle"),
    (State::Connecting, "connecting"),
    (State::Writing, "writing"),
    (State::Answer, "ACK awaited"),
    (State::Application, "AA awaited after CA"),
    (State::Retry, "to be tried again"),
    (State::Parked, "parked"),
];

const KINDS: [(&str, Does); 27] = [
    ("silent", Does::Nothing),
    ("AA", Does::Msa("AA|{}")),
    ("AA after 29 s", Does::Late(29)),
    ("AA after 31 s", Does::Late(31)),
    ("CA", Does::Msa("CA|{}")),
    ("AE", Does::Msa("AE|{}")),
    ("AR", Does::Msa("AR|{}")),
    ("AR, error 203", Does::Msa("AR|{}\rERR|||203|E")),
    ("CE", Does::Msa("CE|{}")),
    ("CR", Does::Msa("CR|{}")),
    ("AA for somebody else's", Does::Msa("AA|GW990000000000000001")),
    ("AA with empty MSA-2", Does::Msa("AA|")),
    ("AA for one not sent yet", Does::Msa("AA|TEST9999999999999999")),
    ("MSA-1 of no table", Does::Msa("OK|{}")),
    ("AA twice", Does::Twice),
    ("a foreign AA glued to AA", Does::Around(b"\x0bMSH|^~\\&|E\rMSA|AA|X1\r\x1c\r", true, b"")),
    ("noise, then AA", Does::Around(b"\r\nready>", true, b"")),
    ("AA and CR LF", Does::Around(b"", true, b"\n")),
    ("AA without CR after FS", Does::NoCr),
    ("half of AA, rest after 5 s", Does::Half(Some(5))),
    ("half of AA, rest after 15 s", Does::Half(Some(15))),
    ("half of AA, no rest", Does::Half(None)),
    ("a frame that is not HL7", Does::Around(b"\x0bERROR\x1c\r", false, b"")),
    ("20,000 NULs", Does::Flood(b"", 0, 20_000)),
    ("a frame without end", Does::Flood(b"\x0b", b'A', 70_000)),
    ("reset", Does::Reset),
    ("closes in order", Does::Close),
];

const TEXT: &str = "
                     silent: 1d 1d 1d 2d 2d 2d 1p
                         AA: 1d 1d 1d 1d 1d 1d 1d
              AA after 29 s: 1d 1d 1d 1d 1d 2d 1d
              AA after 31 s: 1d 2d 1d 2d 2d 3d 1d
                         CA: 1d 1d 1d 1d 2d 1d 1d
                         AE: 1d 1d 1d 2d 2d 2d 1p
                         AR: 1d 1d 1d 2d 2d 2d 1p
              AR, error 203: 1d 1d 1d 1p 1p 2d 1p
                         CE: 1d 1d 1d 2d 2d 2d 1p
                         CR: 1d 1d 1d 2d 2d 2d 1p
     AA for somebody else's: 1d 1d 1d 2d 2d 2d 1p
        AA with empty MSA-2: 1d 1d 1d 2d 2d 2d 1p
    AA for one not sent yet: 1d 1d 1d 2d 2d 2d 1p
          MSA-1 of no table: 1d 1d 1d 2d 2d 2d 1p
                   AA twice: 1d 1d 1d 1d 1d 1d 1d
   a foreign AA glued to AA: 1d 1d 1d 1d 1d 1d 1d
             noise, then AA: 1d 1d 1d 1d 1d 1d 1d
               AA and CR LF: 1d 1d 1d 1d 1d 1d 1d
     AA without CR after FS: 1d 2d 2d 2d 2d 3d 1p
 half of AA, rest after 5 s: 1d 1d 1d 1d 1d 2d 1d
half of AA, rest after 15 s: 1d 2d 1d 2d 2d 3d 1p
        half of AA, no rest: 1d 1d 1d 2d 2d 2d 1p
    a frame that is not HL7: 1d 1d 1d 2d 2d 2d 1p
                20,000 NULs: 1d 1d 1d 2d 2d 2d 1p
        a frame without end: 1d 1d 1d 2d 2d 2d 1p
                      reset: 1d 1d 1d 2d 2d 2d 1p
            closes in order: 1d 1d 1d 2d 2d 2d 1p
";
const LENIENT: &str = "
AA without CR after FS: 1d 1d 1d 1d 1d 1d 1d
";
const DIALS: &str = "
        nothing listens: 1d 1d!
the name has no address: 1d 1d!
              no answer: 1d 1d!
";

/// How often the second message came and what became of it; both others come once and are delivered in each cell.
pub(crate) const OUTCOMES: [(char, &str); 4] = [
    ('d', "delivered; the number before it is how often the engine got it, always with the same bytes"),
    ('p', "parked: it waits for a person, who is told by a condition; the next message goes"),
    (
        'b',
        "it stays in front and is tried again about once a minute, the third waits behind it, and a condition says so",
    ),
    ('!', "while it lasts, a condition says that this destination is late; it clears by itself"),
];

const STOP: &str = "
                     silent: 1d 1d 1d 2d 2d 2d 2d
                         AA: 1d 1d 1d 1d 1d 1d 1d
              AA after 29 s: 1d 1d 1d 1d 1d 2d 1d
              AA after 31 s: 1d 2d 1d 2d 2d 3d 1d
                         CA: 1d 1d 1d 1d 2d 1d 1d
                         AE: 1d 1d 1d 2d 2d 2d 2d
                         AR: 1d 1d 1d 2d 2d 2d 2d
              AR, error 203: 1d 1d 1d 2d 2d 2d 2d
                         CE: 1d 1d 1d 2d 2d 2d 2d
                         CR: 1d 1d 1d 2d 2d 2d 2d
     AA for somebody else's: 1d 1d 1d 2d 2d 2d 2d
        AA with empty MSA-2: 1d 1d 1d 2d 2d 2d 2d
    AA for one not sent yet: 1d 1d 1d 2d 2d 2d 2d
          MSA-1 of no table: 1d 1d 1d 2d 2d 2d 2d
                   AA twice: 1d 1d 1d 1d 1d 1d 1d
   a foreign AA glued to AA: 1d 1d 1d 1d 1d 1d 1d
             noise, then AA: 1d 1d 1d 1d 1d 1d 1d
               AA and CR LF: 1d 1d 1d 1d 1d 1d 1d
     AA without CR after FS: 1d 2d 2d 2d 2d 3d 2d
 half of AA, rest after 5 s: 1d 1d 1d 1d 1d 2d 1d
half of AA, rest after 15 s: 1d 2d 1d 2d 2d 3d 2d
        half of AA, no rest: 1d 1d 1d 2d 2d 2d 2d
    a frame that is not HL7: 1d 1d 1d 2d 2d 2d 2d
                20,000 NULs: 1d 1d 1d 2d 2d 2d 2d
        a frame without end: 1d 1d 1d 2d 2d 2d 2d
                      reset: 1d 1d 1d 2d 2d 2d 2d
            closes in order: 1d 1d 1d 2d 2d 2d 2d
";
/// What an engine may refuse with.
const REFUSALS: [&str; 8] = ["silent", "CA", "AE", "AR", "AR, error 203", "CE", "CR", "AA with empty MSA-2"];
const REFUSED: &str = "
silent: b
CA: 1d
AE: b
AR: b
AR, error 203: b
CE: b
CR: b
AA with empty MSA-2: b
";

/// The engine's memory.
#[derive(Default)]
struct Kept {
    /// Bodies by MSH-10, in order of the first copy.
    order: Vec<String>,
    bodies: BTreeMap<String, (Vec<u8>, u32)>,
    /// What is done with the second message was done.
    done: bool,
    refused: bool,
}

struct Engine {
    kept: Mutex<Kept>,
    does: Does,
    state: State,
    /// It does it each time.
    always: bool,
    /// Changes when the play wants the engine to talk unasked.
    poke: tokio::sync::watch::Sender<bool>,
}

fn frame(msa: &str, id: &str) -> Vec<u8> {
    let msa = msa.replace("{}", id);
    [
        b"\x0bMSH|^~\\&|ENGINE|HOSP|ORUGATE|LAB|20261122||ACK^R01^ACK|E1|P|2.5.1\rMSA|",
        msa.as_bytes(),
        b"\r\x1c\r",
    ]
    .concat()
}

async fn does(does: Does, wire: &mut Box<dyn Wire>, id: &str) -> bool {
    let good = frame("AA|{}", id);
    let half = good.len() / 2;
    // A write fails when the gateway has hung up, which is its right.
    let mut say = async |bytes: &[u8]| {
        let _ = wire.write_all(bytes).await;
    };
    match does {
        Does::Nothing => {}
        Does::Msa(msa) => say(&frame(msa, id)).await,
        Does::Around(before, with, after) => {
            say(&[before, if with { good.as_slice() } else { b"" }, after].concat()).await;
        }
        Does::Half(rest) => {
            say(&good[..half]).await;
            if let Some(seconds) = rest {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                say(&good[half..]).await;
            }
        }
        Does::Late(seconds) => {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            say(&good).await;
        }
        Does::Flood(first, byte, count) => {
            say(first).await;
            say(&vec![byte; count]).await;
        }
        Does::Twice => say(&[good.as_slice(), &good].concat()).await,
        Does::NoCr => say(&good[..good.len() - 1]).await,
        Does::Reset => wire.abort(),
        Does::Close => {}
    }
    !matches!(does, Does::Reset | Does::Close)
}

impl Engine {
    async fn serve(self: Arc<Self>, listener: Arc<dyn Listener>) {
        while let Ok((wire, _)) = wire::accept(&*listener).await {
            tokio::spawn(self.clone().connection(wire));
        }
    }

    fn second(&self) -> Option<String> {
        self.kept.lock().unwrap().order.get(1).cloned()
    }

    /// True once, when it is time.
    fn takes(&self, state: State) -> bool {
        let mut kept = self.kept.lock().unwrap();
        let due = self.state == state && (self.always || !kept.done);
        kept.done |= due;
        due
    }

    async fn connection(self: Arc<Self>, mut wire: Box<dyn Wire>) {
        let mut decoder = Decoder::new(vec![0; 64 << 10], Rules::default());
        let mut buffer = vec![0; 256];
        let mut poke = self.poke.subscribe();
        let mut poked = false;
        loop {
            let length = tokio::select! {
                biased;
                _ = async { poke.wait_for(|poke| *poke).await.map(drop) }, if !poked => {
                    poked = true;
                    let states = [State::Idle, State::Connecting, State::Retry, State::Parked];
                    let id = self.second().unwrap_or_else(|| "TEST0000000000000001".to_owned());
                    if states.into_iter().any(|state| self.takes(state))
                        && !does(self.does, &mut wire, &id).await {
                        return;
                    }
                    continue;
                }
                read = wire.read(&mut buffer) => match read {
                    Ok(length @ 1..) => length,
                    _ => return,
                },
            };
            let mut rest = &buffer[..length];
            while !rest.is_empty() {
                let (taken, event) = decoder.receive(rest);
                rest = &rest[taken..];
                let Some(Event::Frame { payload, .. }) = event else { continue };
                let id = control_id(payload);
                let number = self.keep(&id, payload);
                if !self.answer(&mut wire, number, &id).await {
                    return;
                }
            }
            let half_way = self.kept.lock().unwrap().order.len() == 1;
            // The second message is long, so part of it is here.
            if half_way && length == 256 && self.takes(State::Writing) {
                let id = self.half_id(&buffer);
                if !does(self.does, &mut wire, &id).await {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }

    /// The MSH-10 of a message of which only the beginning is here.
    fn half_id(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        text.split('|').nth(9).unwrap_or_default().to_owned()
    }

    fn keep(&self, id: &str, body: &[u8]) -> usize {
        let mut kept = self.kept.lock().unwrap();
        match kept.bodies.get_mut(id) {
            Some((known, times)) => {
                assert_eq!(known, body, "one MSH-10, two bodies");
                *times += 1;
            }
            None => {
                kept.bodies.insert(id.to_owned(), (body.to_vec(), 1));
                kept.order.push(id.to_owned());
            }
        }
        kept.order.iter().position(|known| known == id).unwrap()
    }

    async fn answer(&self, wire: &mut Box<dyn Wire>, number: usize, id: &str) -> bool {
        if number == 1 {
            let first = !std::mem::replace(&mut self.kept.lock().unwrap().refused, true);
            let before = match self.state {
                State::Application if first => Some("CA|{}"),
                State::Retry if first => Some("AE|{}"),
                State::Parked if first => Some("AR|{}\rERR|||203|E"),
                _ => None,
            };
            if let Some(msa) = before {
                let _ = wire.write_all(&frame(msa, id)).await;
                if self.state != State::Application {
                    return true;
                }
            }
            if self.takes(State::Answer) || self.takes(State::Application) {
                return does(self.does, wire, id).await;
            }
        }
        let _ = wire.write_all(&frame("AA|{}", id)).await;
        true
    }
}

async fn result(rig: &Rig, number: u64, values: usize) {
    let mut peer = Peer::connect(rig, "one").await;
    let values: Vec<u64> = (0..values as u64).map(|value| number * 1000 + value).collect();
    assert!(peer.message(&invented(&format!("S-{number}"), "20261122093000", &values)).await);
}

const PLACE: &str = "10.0.0.1:2575";

fn address(plan: &mut Plan) {
    plan.destinations[0].address = PLACE.to_owned();
}

fn require_aa(plan: &mut Plan) {
    address(plan);
    plan.destinations[0].require_application_ack = true;
}

fn lenient_eob(plan: &mut Plan) {
    address(plan);
    plan.destinations[0].lenient_eob = true;
}

fn stop_on_error(plan: &mut Plan) {
    address(plan);
    plan.destinations[0].stop_on_error = true;
}

/// What is set for the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum With {
    Nothing,
    LenientEob,
    StopOnError,
}

fn play(kind: Does, state: State, with: With) -> String {
    let change: fn(&mut Plan) = match (state == State::Application, with) {
        (false, With::Nothing) => address,
        (false, With::LenientEob) => lenient_eob,
        (false, With::StopOnError) => stop_on_error,
        (true, With::Nothing) => require_aa,
        (true, With::LenientEob) => |plan| {
            lenient_eob(plan);
            require_aa(plan);
        },
        (true, With::StopOnError) => |plan| {
            stop_on_error(plan);
            require_aa(plan);
        },
    };
    run(&Setup { change, ..Setup::default() }, async |rig| {
        let listener = rig.net.host(BOX).listen(PLACE.parse().unwrap()).unwrap();
        let (poke, _) = tokio::sync::watch::channel(false);
        let engine = Arc::new(Engine { kept: Mutex::default(), does: kind, state, always: false, poke });
        let serving = tokio::spawn(engine.clone().serve(listener));
        result(rig, 1, 1).await;
        rig.pass(5).await;
        match state {
            State::Idle => {
                engine.poke.send_replace(true);
                rig.pass(10).await;
                result(rig, 2, 1).await;
            }
            State::Connecting => {
                // The engine hangs up while idle, so that the second message needs a connection.
                engine.kept.lock().unwrap().done = true;
                for line in rig.net.host(BOX).lines(PLACE) {
                    line.break_off();
                }
                rig.pass(1).await;
                engine.kept.lock().unwrap().done = false;
                engine.poke.send_replace(true);
                result(rig, 2, 1).await;
            }
            State::Writing => {
                // More than the line takes at once.
                for line in rig.net.host(BOX).lines(PLACE) {
                    line.set_room(256);
                }
                result(rig, 2, 40).await;
            }
            State::Answer | State::Application => result(rig, 2, 1).await,
            State::Retry | State::Parked => {
                result(rig, 2, 1).await;
                tokio::time::sleep(Duration::from_millis(500)).await;
                engine.poke.send_replace(true);
            }
        }
        rig.pass(60).await;
        result(rig, 3, 1).await;
        rig.pass(300).await;
        serving.abort();
        let (times, others) = {
            let kept = engine.kept.lock().unwrap();
            assert!(kept.done, "{kind:?} {state:?}: it was never done");
            let times = |at: usize| kept.order.get(at).map_or(0, |id| kept.bodies[id].1);
            assert_eq!(kept.order.len(), 3, "{kind:?} {state:?}");
            (times(1), (times(0), times(2)))
        };
        assert_eq!(others, (1, 1), "{kind:?} {state:?}: the others come once");
        let parked = {
            let state = rig.gateway().store.state();
            let (_, queue) = state.queues().next().unwrap();
            assert!(queue.waiting.is_empty(), "something waits");
            !queue.parked.is_empty()
        };
        let conditions: Vec<Code> = rig.gateway().admin.conditions.list().iter().map(|c| c.code).collect();
        assert_eq!(conditions, if parked { vec![Code::Parked] } else { vec![] }, "{kind:?} {state:?}");
        format!("{times}{}", if parked { 'p' } else { 'd' })
    })
}

/// The engine does this to the second message each time, and takes the others.
fn refused(kind: Does) -> String {
    run(&Setup { change: stop_on_error, ..Setup::default() }, async |rig| {
        let listener = rig.net.host(BOX).listen(PLACE.parse().unwrap()).unwrap();
        let (poke, _) = tokio::sync::watch::channel(false);
        let engine =
            Arc::new(Engine { kept: Mutex::default(), does: kind, state: State::Answer, always: true, poke });
        let serving = tokio::spawn(engine.clone().serve(listener));
        for number in 1..=3 {
            result(rig, number, 1).await;
        }
        rig.pass(3600).await;
        let (waiting, parked) = {
            let state = rig.gateway().store.state();
            let (_, queue) = state.queues().next().unwrap();
            (queue.waiting.len(), queue.parked.len())
        };
        let conditions = rig.gateway().admin.conditions.list();
        let times: Vec<u32> = {
            let kept = engine.kept.lock().unwrap();
            kept.order.iter().map(|id| kept.bodies[id].1).collect()
        };
        serving.abort();
        match (waiting, parked, times.as_slice()) {
            (2, 0, [1, often]) => {
                assert!((35..75).contains(often), "{kind:?}: {often} times in an hour");
                let codes: Vec<Code> = conditions.iter().map(|condition| condition.code).collect();
                assert_eq!(codes, [Code::DestinationLate], "{kind:?}");
                "b".to_owned()
            }
            (0, 0, [1, often, 1]) => format!("{often}d"),
            other => format!("?{other:?}"),
        }
    })
}

/// The next connections fail so.
fn dials(dials: &[Dial]) -> String {
    run(&Setup { change: address, ..Setup::default() }, async |rig| {
        let (poke, _) = tokio::sync::watch::channel(false);
        let engine = Arc::new(Engine {
            kept: Mutex::default(),
            does: Does::Nothing,
            state: State::Parked,
            always: false,
            poke,
        });
        engine.kept.lock().unwrap().done = true;
        engine.kept.lock().unwrap().refused = true;
        rig.net.dial(PLACE, dials.iter().copied());
        let listener = rig.net.host(BOX).listen(PLACE.parse().unwrap()).unwrap();
        let serving = tokio::spawn(engine.clone().serve(listener));
        for number in 1..=3 {
            result(rig, number, 1).await;
        }
        rig.pass(20).await;
        let raised: Vec<Code> = rig.gateway().admin.conditions.list().iter().map(|c| c.code).collect();
        rig.pass(1200).await;
        serving.abort();
        assert!(rig.is_drained());
        assert_eq!(rig.gateway().admin.conditions.list(), [], "cleared by itself");
        let kept = engine.kept.lock().unwrap();
        let times: Vec<u32> = kept.order.iter().map(|id| kept.bodies[id].1).collect();
        assert_eq!(times, [1, 1, 1]);
        let late = raised.contains(&Code::DestinationLate);
        format!("1d{}", if late { "!" } else { "" })
    })
}

pub(crate) fn tables(mode: Mode) -> Vec<Table> {
    let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
    let columns = || STATES.iter().map(|(_, name)| (*name).to_owned()).collect::<Vec<_>>();
    let title = "What the engine does with a message, by the state of its delivery".to_owned();
    let main = Table { title, columns: columns(), rows: rows(&names, TEXT) };
    check(mode, &main, |row, column| play(KINDS[row].1, STATES[column].0, With::Nothing));
    let title = "The same with lenient_eob".to_owned();
    let lenient = Table { title, columns: columns(), rows: rows(&["AA without CR after FS"], LENIENT) };
    check(mode, &lenient, |_, column| play(Does::NoCr, STATES[column].0, With::LenientEob));
    let title = "The same with stop_on_error".to_owned();
    let mut stopping = columns();
    "refused for good".clone_into(&mut stopping[6]);
    let stop = Table { title, columns: stopping, rows: rows(&names, STOP) };
    check(mode, &stop, |row, column| play(KINDS[row].1, STATES[column].0, With::StopOnError));
    let title = "The engine refuses a message always, with stop_on_error".to_owned();
    let refusing = Table { title, columns: vec!["for an hour".to_owned()], rows: rows(&REFUSALS, REFUSED) };
    check(mode, &refusing, |row, _| refused(KINDS.iter().find(|kind| kind.0 == REFUSALS[row]).unwrap().1));
    let kinds = [
        ("nothing listens", Dial::Refused),
        ("the name has no address", Dial::Nameless),
        ("no answer", Dial::Unanswered),
    ];
    let title = "The engine cannot be reached".to_owned();
    let columns = vec!["once".to_owned(), "eight times".to_owned()];
    let reached = Table { title, columns, rows: rows(&kinds.map(|(name, _)| name), DIALS) };
    check(mode, &reached, |row, column| dials(&vec![kinds[row].1; [1, 8][column]]));
    vec![main, lenient, stop, refusing, reached]
}
