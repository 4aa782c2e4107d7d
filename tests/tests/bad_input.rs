//! What no instrument should send, and what is said of it.
//!
//! Promises: every case has its sentence with its place, what can be read arrives exactly as it was sent, what cannot
//! is held under its own reason, and one line's rubbish costs neither memory nor another line's results. Each case is
//! played on a line of the test's own, where every note is looked at, and over TCP into a running gateway. Leaves out
//! damaged frames of sound instruments (`faults.rs`).
#![allow(clippy::unwrap_used, clippy::panic)]

use orugate::replay::{Heard, How, replay};
use orugate_protocol::ascii::{CR, ENQ, EOT, ETB, ETX, LF, STX};
use orugate_protocol::astm::link::{checksum, next_number};
use orugate_protocol::time::Utc;
use orugate_tests::bench::Host;
use orugate_tests::oru::{Seen, results};
use orugate_tests::sender::{Sender, invented};
use orugate_tests::world::{PATIENCE, Plug, World};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const PROFILE: &str = "generic-astm";
/// One test at a time: memory is the whole process's.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
/// Frame text that fits what LIS01-A2 allows.
const TEXT_MAX: usize = 63_993;

/// One case.
struct Case {
    what: &'static str,
    bytes: Vec<u8>,
    /// Messages that it makes.
    messages: u64,
    /// Notes of the link, whole.
    link: &'static [&'static str],
    /// How the lines of `orugate replay` begin that are holds or notes, in their order.
    said: &'static [&'static str],
    /// What reaches the engine.
    sent: Vec<Seen>,
}

/// A session with this text in as few frames as it takes.
fn session(text: &[u8]) -> Vec<u8> {
    let mut out = vec![ENQ];
    let mut number = 1;
    let mut pieces = text.chunks(TEXT_MAX).peekable();
    while let Some(piece) = pieces.next() {
        let end = if pieces.peek().is_some() { ETB } else { ETX };
        out.extend(frame(number, piece, end));
        number = next_number(number);
    }
    out.push(EOT);
    out
}

/// A frame with a right checksum, whatever stands in it.
fn frame(number: u8, text: &[u8], end: u8) -> Vec<u8> {
    let covered = [&[b'0' + number], text, &[end]].concat();
    let sum = format!("{:02X}", checksum(&covered));
    [&[STX], covered.as_slice(), sum.as_bytes(), &[CR, LF]].concat()
}

const H: &str = "H|\\^&|||RIG\rP|1\r";
const GLU: &str = "R|1|^^^GLU|5.4|mmol/L||N||F||||20261122092913\r";
const K: &str = "R|1|^^^K|4.1|mmol/L||N||F\r";
const L: &str = "L|1|N\r";
const FOUND: &str = "note byte 20: the sample id was found here";

/// The cases; the specimen of each is called as its number.
#[allow(clippy::too_many_lines)] // A table.
fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut case = |what, text: &dyn Fn(&str) -> Vec<u8>, link, said: &'static [_], sent: &[(&str, &str)]| {
        let sample = format!("b{:02}", cases.len() + 1);
        let order = format!("O|1|{sample}||^^^ALL\r");
        cases.push(Case {
            what,
            bytes: text(&order),
            messages: 1,
            link,
            said,
            sent: sent.iter().map(|(code, value)| Seen::new(&sample, code, value)).collect(),
        });
    };
    let glu = ("GLU", "5.4");
    case(
        "a control character in a value",
        &|o| session(format!("{H}{o}R|1|^^^GLU|5\x07.4|mmol/L||N||F\r{L}").as_bytes()),
        &[],
        &[FOUND, "note byte 44: a control character inside a record"],
        &[("GLU", "5\\X07\\.4")],
    );
    case(
        "characters in a comment that LIS01 keeps out of frames",
        &|o| session(format!("{H}{o}{GLU}C|1|I|a\x10b\x0bc\r{L}").as_bytes()),
        &["byte 88: characters in a frame's text that the standard keeps out; taken as they are (1)"],
        &[FOUND, "note byte 85: a control character inside a record"],
        &[glu],
    );
    case(
        "a byte above 0x7F and a profile with ASCII",
        &|o| {
            let results = b"R|1|^^^GLU|5.4|\xB5mol/L||N||F\rR|2|^^^K|4.1|mmol/L||N||F\r";
            session(&[H.as_bytes(), o.as_bytes(), results, L.as_bytes()].concat())
        },
        &[],
        &["hold GLU undecodable: A byte is not of the profile's character set.", FOUND],
        &[("K", "4.1")],
    );
    case(
        "equal delimiters",
        &|o| session(format!("H||^&|||RIG\rP|1\r{o}{GLU}{K}{L}").as_bytes()),
        &[],
        &[
            "hold ^^^GLU structure: The header's delimiters cannot be told apart",
            "hold ^^^K structure: The header's delimiters cannot be told apart",
            "note byte 2: the header's delimiters cannot be told apart: H",
            FOUND,
            "note byte 78: record sequence numbers skip: R",
        ],
        &[],
    );
    case(
        "a result before any order",
        &|o| session(format!("{H}{GLU}{o}{K}{L}").as_bytes()),
        &[],
        &[
            "hold GLU structure: A result stands before any order, so nothing says whose it is.",
            "note byte 16: a result stands before any order: R",
            "note byte 66: the sample id was found here",
        ],
        &[("K", "4.1")],
    );
    case(
        "no L",
        &|o| session(format!("{H}{o}{GLU}").as_bytes()),
        &[],
        &[FOUND, "note byte 78: the message has no terminator record"],
        &[glu],
    );
    case(
        "escapes: known, unknown, none, nested",
        &|o| {
            let values = ["1&F&2", "x&Q&y", "A&E", "&&F&&", "a&E&F&E&b", "&X41&"];
            let results = ["A", "B", "C", "D", "E", "F"].iter().zip(values).zip(1..);
            let results: String = results.map(|((t, v), n)| format!("R|{n}|^^^{t}|{v}|||N||F\r")).collect();
            session(format!("{H}{o}{results}{L}").as_bytes())
        },
        &[],
        &[FOUND],
        &[
            ("A", "1\\F\\2"),
            ("B", "x\\T\\Q\\T\\y"),
            ("C", "A\\T\\E"),
            ("D", "\\T\\\\F\\\\T\\"),
            // The escape character, an F, the escape character: undone once, never twice.
            ("E", "a\\T\\F\\T\\b"),
            ("F", "A"),
        ],
    );
    case(
        "a gap in the sequence",
        &|o| session(format!("{H}{o}{GLU}R|3|^^^K|4.1|mmol/L||N||F\r{L}").as_bytes()),
        &[],
        &[FOUND, "note byte 78: record sequence numbers skip: R"],
        &[glu, ("K", "4.1")],
    );
    case(
        "an H only",
        &|_| session(b"H|\\^&|||RIG\r"),
        &[],
        &["note byte 12: the message has no terminator record"],
        &[],
    );
    case(
        "NUL between sessions, in a value and before a record",
        &|o| {
            let text = format!("{H}{o}R|1|^^^GLU|5.4\0|mmol/L||N||F\r\0{L}");
            [&[0; 9], session(text.as_bytes()).as_slice(), &[0; 7]].concat()
        },
        &[],
        &[
            "hold GLU structure: A NUL stands in this result",
            FOUND,
            "note byte 46: a control character inside a record: R",
            "note byte 61: a control character inside a record",
            "note byte 61: unknown record type; kept, not reported",
            "note byte 68: the message has no terminator record",
        ],
        &[],
    );
    case(
        "record letters in lower case",
        &|o| {
            let lower = |text: &str| text.replace("\rp|", "\rP|").replacen('H', "h", 1).replace("\rP", "\rp");
            let glu = GLU.replacen('R', "r", 1);
            session(format!("{}{}{glu}l|1|n\r", lower(H), o.replacen('O', "o", 1)).as_bytes())
        },
        &[],
        &[FOUND],
        &[glu],
    );
    case(
        "the longest frame",
        &|o| session(&padded(o, TEXT_MAX)),
        &[],
        &[FOUND, "note byte 78: manufacturer or scientific record; kept, not reported: M"],
        &[glu],
    );
    case(
        "a frame that is too long, and the same message in two",
        &|o| {
            let text = padded(o, TEXT_MAX + 3);
            let long = [&[ENQ], frame(1, &text, ETX).as_slice(), &[EOT]].concat();
            [long, session(&text)].concat()
        },
        &[
            "byte 1: a frame does not end within what is taken (64000)",
            "byte 64001: stray bytes were ignored (3)",
            "byte 64005: EOT although the last frame was not acknowledged; the message is incomplete",
        ],
        &[FOUND, "note byte 78: manufacturer or scientific record; kept, not reported: M"],
        &[glu],
    );
    case(
        "a second ENQ, and LF behind each CR",
        &|o| {
            let text = format!("{H}{o}{GLU}{L}").replace('\r', "\r\n");
            [&[ENQ], session(text.as_bytes()).as_slice()].concat()
        },
        &["byte 16: characters in a frame's text that the standard keeps out; taken as they are (5)"],
        &["note byte 22: the sample id was found here"],
        &[glu],
    );
    let values: Vec<(String, String)> = (1..=5000).map(|n| (format!("T{n}"), format!("{n}.5"))).collect();
    let borrowed: Vec<(&str, &str)> = values.iter().map(|(code, value)| (&**code, &**value)).collect();
    case(
        "5,000 results",
        &|o| {
            let results = values.iter().zip(1..);
            let results: String = results.map(|((t, v), n)| format!("R|{n}|^^^{t}|{v}|||N||F\r")).collect();
            session(format!("{H}{o}{results}{L}").as_bytes())
        },
        &[],
        &[FOUND],
        &borrowed,
    );
    case("an empty session", &|_| vec![ENQ, EOT], &[], &[], &[]);
    cases.last_mut().unwrap().messages = 0;
    cases
}

/// A message whose text has this length.
fn padded(order: &str, length: usize) -> Vec<u8> {
    let whole = format!("{H}{order}{GLU}M|1|\r{L}");
    let filler = "x".repeat(length - whole.len());
    whole.replace("M|1|", &format!("M|1|{filler}")).into_bytes()
}

#[test]
fn every_case_has_its_sentence_and_its_place() {
    let _alone = ALONE.blocking_lock();
    let profile = orugate::profiles::find(&orugate_drivers::SHIPPED, PROFILE).unwrap();
    for case in cases() {
        let mut host = Host::new(&*profile);
        host.bytes(&case.bytes);
        host.close();
        assert_eq!(host.notes, case.link, "{}", case.what);
        assert_eq!(host.messages.len() as u64, case.messages, "{}", case.what);
        assert!(host.messages.iter().all(|message| message.complete), "{}", case.what);
        let (mut text, mut sent) = (String::new(), Vec::new());
        let heard = Heard { messages: host.messages, ..Heard::default() };
        let now = Utc(1_795_000_000_000_000);
        replay(&*profile, &heard, &How::at(now), &mut text, &mut |oru| sent.extend(results(oru)));
        assert_eq!(sent, case.sent, "{}", case.what);
        let said: Vec<&str> =
            text.lines().filter(|l| l.starts_with("hold ") || l.starts_with("note ")).collect();
        assert_eq!(said.len(), case.said.len(), "{}: {said:#?}", case.what);
        for (said, wanted) in said.iter().zip(case.said) {
            assert!(said.starts_with(wanted), "{}: {said} instead of {wanted}", case.what);
        }
    }
}

/// All cases at once, an instrument for each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_over_tcp() {
    let _alone = ALONE.lock().await;
    let cases = cases();
    let names: Vec<String> = (1..=cases.len()).map(|n| format!("b{n:02}")).collect();
    let instruments: Vec<_> = names.iter().map(|name| (name.as_str(), PROFILE, Plug::Tcp)).collect();
    let world = World::start(&instruments).await;
    for (name, case) in names.iter().zip(&cases) {
        let (address, bytes) = (world.address(name), case.bytes.clone());
        // Written whole, without waiting for any answer: the gateway reads while it stores.
        let written = tokio::task::spawn_blocking(move || {
            let mut sender = Sender::connect(address).unwrap();
            sender.raw(&bytes).unwrap();
            sender.hang_up().unwrap();
        });
        tokio::time::timeout(PATIENCE, written).await.unwrap().unwrap();
    }
    world.settled(cases.iter().map(|case| case.messages).sum()).await;
    let arrived: Vec<Seen> = world.engine.messages().iter().flat_map(|m| results(&m.bytes)).collect();
    for ((name, case), shown) in names.iter().zip(&cases).zip(&world.gateway.lineup().instruments) {
        let got: Vec<_> = arrived.iter().filter(|seen| seen.sample == *name).cloned().collect();
        assert_eq!(got, case.sent, "{}", case.what);
        let notes = case.said.iter().filter_map(|said| said.strip_prefix("note ")).collect::<Vec<_>>();
        let count = (case.link.len() + notes.len()) as u64;
        // The thread that interprets tells the port after it has stored the outcome.
        let mut status = shown.status.changed();
        let told = status.wait_for(|view| view.messages == case.messages && view.notes >= count);
        let view = tokio::time::timeout(PATIENCE, told).await.unwrap().unwrap().clone();
        assert_eq!(view.notes, count, "{} {:?}", case.what, view.last_note);
        if let Some(wanted) = notes.last().or(case.link.last()) {
            let said = view.last_note.unwrap().1;
            // Behind the sentence stands what it is about.
            let sentence = wanted.rsplit_once(": ").filter(|(_, about)| about.len() == 1);
            assert!(said.starts_with(sentence.map_or(*wanted, |(s, _)| s)), "{}: {said}", case.what);
        }
        let state = world.gateway.store.state();
        let held: Vec<_> = state.holds().filter(|(_, open)| open.hold.instrument == *name).collect();
        let codes: Vec<_> = held.iter().flat_map(|(_, open)| &open.hold.observations).collect();
        let wanted: Vec<_> = case.said.iter().filter_map(|said| said.strip_prefix("hold ")).collect();
        assert_eq!(codes.len(), wanted.len(), "{}: {held:?}", case.what);
        for ((_, code), wanted) in codes.iter().zip(wanted) {
            assert!(wanted.starts_with(code), "{}: {code} {wanted}", case.what);
            let reason = &held[0].1.hold.reason;
            assert!(wanted[code.len()..].trim_start().starts_with(reason.as_str()), "{wanted}");
        }
    }
    world.gateway.stop().await;
}

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() * 1024
}

/// Bytes without sense, the same every time.
fn random(length: usize) -> Vec<u8> {
    let mut state: u64 = 0x0123_4567_89AB_CDEF;
    let mut byte = || {
        // xorshift64 (Marsaglia 2003).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32).to_le_bytes()[0]
    };
    (0..length).map(|_| byte()).collect()
}

/// At least so much is flooded, and on until the neighbour has said all it had to say.
const FLOOD: usize = 10 << 20;
/// What memory may grow by meanwhile: the neighbour's messages are kept by the engine, and the allocator keeps some.
const GROWTH: usize = 6 << 20;
/// Messages of the neighbour.
const CALM: u64 = 40;

/// One instrument babbles while another reports; then it speaks sensibly again.
async fn flood(first: &[u8], piece: Vec<u8>) {
    let world = World::start(&[("babbling", PROFILE, Plug::Tcp), ("calm", PROFILE, Plug::Tcp)]).await;
    let (babbling, calm) = (world.address("babbling"), world.address("calm"));
    let report = |address, sample: &'static str, from: u64, count: u64| {
        tokio::task::spawn_blocking(move || {
            let mut sender = Sender::connect(address).unwrap();
            for n in from..from + count {
                let stamp = format!("202611220{n:05}");
                sender.message(&invented(sample, &stamp, &[n, 1000 + n]), &mut |_| {}).unwrap();
            }
        })
    };
    // What is made once is made now.
    report(babbling, "before", 0, 1).await.unwrap();
    report(calm, "calm", 0, 1).await.unwrap();
    world.settled(2).await;
    let before = resident();
    let done = Arc::new(AtomicBool::new(false));
    let (over, first) = (done.clone(), first.to_vec());
    let babble = tokio::task::spawn_blocking(move || {
        let mut sender = Sender::connect(babbling).unwrap();
        sender.raw(&first).unwrap();
        let mut sent = 0;
        while sent < FLOOD || !over.load(Ordering::Relaxed) {
            sender.raw(&piece).unwrap();
            sent += piece.len();
        }
        // It comes to its senses, on a line without answers to what it babbled.
        sender.hang_up().unwrap();
        let mut sender = Sender::connect(babbling).unwrap();
        sender.message(&invented("after", "20261122000001", &[7]), &mut |_| {}).unwrap();
        sent
    });
    report(calm, "calm", 1, CALM).await.unwrap();
    done.store(true, Ordering::Relaxed);
    let sent = tokio::time::timeout(PATIENCE, babble).await.unwrap().unwrap();
    let grown = resident().saturating_sub(before);
    assert!(grown < GROWTH, "{sent} bytes without sense cost {grown} bytes of memory");
    world.settled(CALM + 3).await;
    let arrived: Vec<_> = world.engine.messages().iter().flat_map(|m| results(&m.bytes)).collect();
    let values = |sample| {
        let mut values: Vec<u64> =
            arrived.iter().filter(|s| s.sample == sample).map(|s| s.value.parse().unwrap()).collect();
        values.sort_unstable();
        values
    };
    assert_eq!(values("calm"), (0..=CALM).chain(1000..=1000 + CALM).collect::<Vec<_>>());
    assert_eq!(values("after"), [7]);
    let view = world.gateway.lineup().instruments[0].status.view();
    assert!(view.bytes > sent as u64, "everything was read: {view:?}");
    // A run of stray bytes is said at the latest after 65,536 of them.
    assert!(view.notes >= (sent / 65_536) as u64, "and said: {view:?}");
    world.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_costs_neither_memory_nor_a_neighbours_results() {
    let _alone = ALONE.lock().await;
    // 10 MB of a frame that does not end.
    flood(&[ENQ, STX, b'1'], vec![b'x'; 65_536]).await;
    // 10 MB of anything, before any ENQ.
    flood(&[], random(1 << 20)).await;
}

#[test]
fn a_frame_without_end_is_said_once_and_then_counted() {
    let _alone = ALONE.blocking_lock();
    let profile = orugate::profiles::find(&orugate_drivers::SHIPPED, PROFILE).unwrap();
    let mut host = Host::new(&*profile);
    host.bytes(&[ENQ, STX, b'1']);
    host.bytes(&vec![b'x'; 64_000 + 2 * 65_536]);
    host.close();
    let said = [
        "byte 1: a frame does not end within what is taken (64000)",
        "byte 64001: stray bytes were ignored (65536)",
        "byte 129537: stray bytes were ignored (65536)",
        "byte 195073: stray bytes were ignored (2)",
    ];
    assert_eq!(host.notes, said);
    assert_eq!(host.messages, []);
}
