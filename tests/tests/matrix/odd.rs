//! Plays that fit into no table: they last long, or look at more than one message.

use crate::peer::Peer;
use crate::rig::{By, FAR, NEAR, Rig, Setup, run};
use orugate::conditions::Code;
use orugate::config::Plan;
use orugate::status::Line;
use orugate_protocol::ascii::{ACK, ENQ, EOT, NAK};
use orugate_protocol::time::Tick;
use orugate_tests::oracle::{Invented, Layout};
use orugate_tests::oru::results;
use orugate_tests::sender::invented;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

/// A play: its name, what comes of it in words, and the play, which fails when it does not.
pub(crate) type Odd = (&'static str, &'static str, fn());

pub(crate) const PLAYS: [Odd; 15] = [
    (
        "One byte a second",
        "Each result once, and no note: a slow line is no broken one, since the wait for the next byte begins with each.",
        one_byte_a_second,
    ),
    (
        "Twelve hours of silence between two messages",
        "The connection is kept, no note and no condition; the second message arrives as the first did.",
        twelve_hours_of_silence,
    ),
    (
        "An instrument that does not read our ACKs, over TCP",
        "After 8 s the connection is given up; what came before is kept, and the instrument may connect anew. Other \
         instruments do not notice.",
        deaf_over_tcp,
    ),
    (
        "An instrument that does not read our ACKs, on a serial line with flow control",
        "As over TCP: after 8 s the port is closed and opened again.",
        deaf_on_a_cable,
    ),
    (
        "An hour of noise at 115,200 bits a second",
        "Nothing of it is stored. A message of another instrument is with the engine in the same time as without it.",
        an_hour_of_noise,
    ),
    (
        "Ten seconds of good frames at 115,200 bits a second, without waiting for an ACK",
        "Every frame is stored and acknowledged in its turn; what the line gives too fast waits in the line. Each result \
         once.",
        frames_without_waiting,
    ),
    (
        "Ten minutes of good frames at 115,200 bits a second, without waiting for an ACK",
        "They are more than the journal's 48 MiB, and what is delivered makes room: all is acknowledged and delivered, each \
         result once, and the queues stay short. Another instrument is served at once all the while.",
        minutes_of_frames,
    ),
    (
        "The journal refuses a message of bare records",
        "Nobody can tell the instrument, and it does not send again: a note says that records were lost, and the next \
         message is whole.",
        refused_bare_records,
    ),
    (
        "What came of a message cannot be synced, twice, but is on flash all the same",
        "It is stored again, with other numbers, and delivered once. At the next start both are found, and the later one \
         counts alone: nothing is delivered a second time.",
        stored_twice,
    ),
    (
        "The journal is nearly full, and then has room again",
        "The instrument's ENQ is answered NAK, with a note; it asks again every 10 s. What was acknowledged is delivered \
         meanwhile. With a larger journal the next try is taken: each result once.",
        busy_and_free,
    ),
    (
        "An engine is away, and what waits for it fills the journal",
        "After a quarter of an hour a condition says how long the room lasts at this rate, and for whom the messages wait: \
         within 48 hours a warning, within 8 urgent.",
        room_that_runs_out,
    ),
    (
        "The journal refuses the end of a message",
        "What was acknowledged of it is delivered 5 s after the journal takes something again, as an incomplete message, \
         without waiting for the instrument's next one.",
        refused_end,
    ),
    (
        "The gateway stops while an instrument has sent ENQ and nothing more",
        "It waits 10 s for the message, then closes the connection: nothing of it was acknowledged.",
        stop_after_enq,
    ),
    (
        "The disk is full, and the lines were captured",
        "Captures give their room: every frame is acknowledged and delivered, none is answered NAK, and a condition says that the \
         disk is full.",
        full_disk_with_captures,
    ),
    (
        "The gateway stops in the middle of a message, and starts again",
        "It waits 10 s for the rest; what was acknowledged is an incomplete message, and delivered after the start.",
        stop_in_a_message,
    ),
];

fn alone(names: &'static [&'static str]) -> Setup {
    Setup { names, ..Setup::default() }
}

fn once(rig: &Rig, message: &Invented) {
    let came = rig.came("one");
    assert_eq!(came.sent, message.of(message.frames.len()).sent);
    assert_eq!((came.messages.as_slice(), came.held), (&[Some(true)][..], 0));
    assert!(rig.is_drained());
}

fn one_byte_a_second() {
    run(&Setup::default(), async |rig| {
        let message = Invented::new("S", Layout::Records);
        rig.instrument("one", &message.wire(), &[], Some(10)).await.unwrap();
        rig.pass(60).await;
        once(rig, &message);
        assert!(rig.status("one").kinds.is_empty());
        assert!(rig.clock.tick().since(Tick::ZERO) > Duration::from_secs(300), "that was no second a byte");
    });
}

fn twelve_hours_of_silence() {
    run(&Setup::default(), async |rig| {
        let mut peer = Peer::connect(rig, "one").await;
        for (number, hours) in [(1, 12), (2, 0)] {
            assert!(peer.message(&invented("S", "20261122093000", &[number])).await);
            rig.pass(hours * 3600 + 60).await;
            assert!(matches!(rig.status("one").line, Line::Up(_)));
            assert_eq!(rig.gateway().admin.conditions.list(), []);
        }
        let came = rig.came("one");
        let values: Vec<&str> = came.sent.iter().map(|seen| seen.value.as_str()).collect();
        assert_eq!(values, ["1", "2"]);
        assert!(came.status.kinds.is_empty());
    });
}

/// A message of another instrument, while something else goes on; how long it takes to be with the engine.
async fn neighbour(rig: &Rig, number: u64) -> Duration {
    let begin = rig.clock.tick();
    let value = format!("7{number}");
    let mut peer = Peer::connect(rig, "two").await;
    assert!(peer.message(&invented("N", "20261122093000", &[value.parse().unwrap()])).await);
    let mut counts = rig.engine.watch();
    let there =
        || rig.engine.messages().iter().flat_map(|m| results(&m.bytes)).any(|seen| seen.value == value);
    while !there() {
        tokio::time::timeout(Duration::from_secs(60), counts.changed()).await.unwrap().unwrap();
    }
    rig.clock.tick().since(begin)
}

fn deaf_over_tcp() {
    run(&alone(&["one", "two"]), async |rig| {
        let mut peer = Peer::connect(rig, "one").await;
        rig.lines("one")[0].set_room_back(0);
        peer.send(&[ENQ]).await;
        rig.pass(7).await;
        assert!(matches!(rig.status("one").line, Line::Up(_)));
        assert_eq!(neighbour(rig, 0).await, Duration::ZERO);
        rig.pass(2).await;
        assert_eq!(rig.status("one").line, Line::Down("the other side takes no bytes".to_owned()));
        let mut peer = Peer::connect(rig, "one").await;
        assert!(peer.message(&invented("S", "20261122093000", &[5])).await);
    });
}

fn deaf_on_a_cable() {
    run(&Setup { by: By::Cable, ..Setup::default() }, async |rig| {
        rig.pass(1).await;
        let line = rig.net.lines(FAR).remove(0);
        line.set_room_back(0);
        let mut wire = rig.near();
        wire.write_all(&[ENQ]).await.unwrap();
        rig.pass(7).await;
        assert!(matches!(rig.status("one").line, Line::Up(_)));
        rig.pass(2).await;
        assert!(matches!(rig.status("one").line, Line::Up(_)), "{NEAR} was opened again");
        assert_eq!(rig.status("one").bytes, 1);
    });
}

fn an_hour_of_noise() {
    run(&alone(&["one", "two"]), async |rig| {
        let before = rig.gateway().store.journal().space().used;
        let mut peer = Peer::connect(rig, "one").await;
        let noise: Vec<u8> =
            (0..1152u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8 | 0x80).collect();
        let flood = tokio::spawn(async move {
            for _ in 0..36_000 {
                peer.send(&noise).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        for number in 0..6 {
            rig.pass(550).await;
            assert_eq!(neighbour(rig, number).await, Duration::ZERO);
        }
        flood.await.unwrap();
        rig.pass(10).await;
        assert_eq!(rig.status("one").bytes, 36_000 * 1152);
        assert_eq!(rig.came("one").messages.len(), 6, "only the neighbour's");
        let used = rig.gateway().store.journal().space().used;
        assert!(used <= before + (512 << 10), "the journal grew from {before} to {used} bytes");
    });
}

fn frames_without_waiting() {
    run(&alone(&["one", "two"]), async |rig| {
        let mut peer = Peer::connect(rig, "one").await;
        let message = Invented::new("S", Layout::Records);
        let wire = message.wire();
        let flood = tokio::spawn(async move {
            // As many messages as the line brings in ten seconds.
            let times = 10 * 11_520 / wire.len();
            for piece in wire.repeat(times).chunks(1152) {
                peer.send(piece).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
            times
        });
        rig.pass(5).await;
        assert_eq!(neighbour(rig, 0).await, Duration::ZERO);
        let times = flood.await.unwrap();
        rig.pass(60).await;
        let came = rig.came("one");
        assert_eq!(came.messages.len(), times + 1);
        assert!(came.messages.iter().all(|end| *end == Some(true)));
        assert_eq!(came.sent.len(), 3 * times + 1);
        assert!(rig.is_drained());
    });
}

fn busy_and_free() {
    // The reserve of 16 MiB, and little more. Only what is not settled fills it, so the engine is away.
    let max_size = (16 << 20) + (512 << 10);
    let setup = Setup { max_size, change: without_engine, ..Setup::default() };
    run(&setup, async |rig| {
        let mut sent = 0u64;
        let mut peer = Peer::connect(rig, "one").await;
        while peer.message(&invented("S", "20261122093000", &[1000 + sent])).await {
            sent += 1;
            rig.pass(1).await;
            assert!(sent < 3000, "it never gets full");
        }
        let heard = rig.heard("one");
        assert!(heard.ends_with('N'), "{heard}");
        assert_eq!(rig.status("one").kinds.len(), 1);
        rig.pass(10).await;
        peer.send(&[ENQ]).await;
        assert_eq!(peer.byte().await, Some(NAK), "still busy");
        drop(peer);
        rig.change(|_| {});
        rig.restart(max_size).await;
        rig.pass(120).await;
        assert_eq!(rig.engine.counts().distinct, sent, "what was acknowledged is delivered");
        let mut peer = Peer::connect(rig, "one").await;
        assert!(peer.message(&invented("S", "20261122093000", &[1000 + sent])).await);
        rig.pass(60).await;
        let came = rig.came("one");
        assert_eq!(came.sent.len() as u64, sent + 1);
        assert!(rig.is_drained());
    });
}

fn room_that_runs_out() {
    let setup = Setup { max_size: 18 << 20, change: without_engine, ..Setup::default() };
    run(&setup, async |rig| {
        let mut peer = Peer::connect(rig, "one").await;
        let told = |rig: &Rig| -> Vec<(Code, bool)> {
            let all = rig.gateway().admin.conditions.list();
            let full =
                all.into_iter().filter(|c| matches!(c.code, Code::JournalFills | Code::JournalFullSoon));
            full.map(|c| (c.code, c.text.contains("What waits for engine grows."))).collect()
        };
        for minute in 0..20u64 {
            assert!(peer.message(&invented("S", "20261122093000", &[1000 + minute])).await);
            rig.pass(60).await;
            assert!(minute > 12 || told(rig).is_empty(), "in minute {minute}");
        }
        assert_eq!(told(rig), [(Code::JournalFills, true)], "some MiB at some KiB a minute");
        for number in 0..400u64 {
            assert!(peer.message(&invented("S", "20261122093000", &[2000 + number])).await);
            rig.pass(2).await;
        }
        rig.pass(300).await;
        assert_eq!(told(rig), [(Code::JournalFullSoon, true)]);
        rig.pass(7200).await;
        assert_eq!(told(rig).len(), 1, "a quiet hour does not make room");
    });
}

fn stop_after_enq() {
    run(&Setup::default(), async |rig| {
        let mut peer = Peer::connect(rig, "one").await;
        peer.send(&[ENQ]).await;
        assert_eq!(peer.byte().await, Some(ACK));
        let begin = rig.clock.tick();
        rig.restart(1 << 30).await;
        let took = rig.clock.tick().since(begin);
        assert_eq!(took, Duration::from_secs(10));
        assert_eq!(rig.came("one").messages, []);
    });
}

fn stop_in_a_message() {
    run(&Setup::default(), async |rig| {
        let message = Invented::new("S", Layout::Records);
        let mut peer = Peer::connect(rig, "one").await;
        peer.send(&[ENQ]).await;
        assert_eq!(peer.byte().await, Some(ACK));
        for frame in &message.frames[..6] {
            peer.send(frame).await;
            assert_eq!(peer.byte().await, Some(ACK));
        }
        let begin = rig.clock.tick();
        rig.restart(1 << 30).await;
        assert_eq!(rig.clock.tick().since(begin), Duration::from_secs(10));
        rig.pass(60).await;
        let came = rig.came("one");
        assert_eq!(came.sent, message.of(6).sent);
        assert_eq!(came.messages, [Some(false)]);
    });
}

fn full_disk_with_captures() {
    let setup = Setup { names: &["one", "two"], ..Setup::default() };
    run(&setup, async |rig| {
        // Noise on the other line fills its ring's first quarter.
        let mut noise = Peer::connect(rig, "two").await;
        for _ in 0..120 {
            noise.send(&[0x7E; 4096]).await;
            rig.pass(6).await;
        }
        let taken: u64 = rig.disk.names().iter().map(|name| rig.disk.bytes(name).unwrap().len() as u64).sum();
        rig.disk.limit_capacity(taken + (64 << 10));
        // Some segments: less than what the captures have, and more than what was free.
        let mut peer = Peer::connect(rig, "one").await;
        for number in 0..50u64 {
            assert!(peer.message(&invented("S", "20261122093000", &[1000 + number])).await, "{number}");
            rig.pass(1).await;
        }
        rig.pass(60).await;
        assert!(rig.gateway().store.journal().shed() > 0, "the disk was never full");
        assert!(!rig.heard("one").contains('N'));
        assert_eq!(rig.came("one").sent.len(), 50);
        assert!(rig.is_drained());
        let told = rig.gateway().admin.conditions.list();
        assert!(told.iter().any(|condition| condition.code == Code::CaptureShort), "{told:?}");
    });
}

fn refused_end() {
    run(&Setup::default(), async |rig| {
        let message = Invented::new("S", Layout::Records);
        let mut peer = Peer::connect(rig, "one").await;
        peer.send(&[ENQ]).await;
        assert_eq!(peer.byte().await, Some(ACK));
        for frame in &message.frames[..6] {
            peer.send(frame).await;
            assert_eq!(peer.byte().await, Some(ACK));
        }
        rig.disk.fail_everything(true);
        peer.send(&[EOT]).await;
        rig.pass(600).await;
        assert!(rig.gateway().store.state().next_pending().is_none(), "nothing can be said yet");
        rig.disk.fail_everything(false);
        rig.pass(10).await;
        assert_eq!(rig.came("one").sent, message.of(6).sent);
        assert!(rig.gateway().store.state().open_messages().is_empty());
    });
}

/// No engine listens there.
fn without_engine(plan: &mut Plan) {
    for destination in &mut plan.destinations {
        destination.address = "127.0.0.1:9".to_owned();
    }
}

/// Ten minutes' bytes of one line: some 80 MB in the journal, which may have 48 MiB. What is delivered makes room.
fn minutes_of_frames() {
    let setup = Setup { max_size: 48 << 20, ..alone(&["one", "two"]) };
    run(&setup, async |rig| {
        let mut peer = Peer::connect(rig, "one").await;
        let message = Invented::new("S", Layout::Records).wire();
        let times = 600 * 11_520 / message.len();
        let flood = tokio::spawn(async move {
            let burst = message.repeat(times / 600);
            for _ in 0..600 {
                peer.send(&burst).await;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            tokio::time::sleep(Duration::from_secs(120)).await;
        });
        rig.pass(3).await;
        assert_eq!(neighbour(rig, 0).await, Duration::ZERO);
        for _ in 0..60 {
            rig.pass(10).await;
            let state = rig.gateway().store.state();
            let waiting: usize = state.queues().map(|(_, queue)| queue.waiting.len()).sum();
            assert!(waiting + state.unread("one").count() < 50, "the queues grow");
        }
        assert_eq!(neighbour(rig, 1).await, Duration::ZERO);
        flood.await.unwrap();
        rig.pass(600).await;
        let space = rig.gateway().store.journal().space();
        assert!(space.used <= space.limit, "{space:?}");
        // Ten ACKs a message: one for ENQ and one for each frame.
        let acknowledged = rig.heard("one").matches('A').count();
        let came = rig.came("one");
        assert!(acknowledged > 1000 && acknowledged.is_multiple_of(10), "{acknowledged}");
        assert_eq!((came.sent.len(), came.held), (acknowledged / 10 * 3 + 2, 0));
        assert_eq!(rig.engine.counts().messages, rig.engine.counts().distinct);
        assert!(rig.is_drained());
    });
}

fn refused_bare_records() {
    let otherwise = ("charset = ", "framing = \"records\"\ncharset = ");
    run(&Setup { otherwise, ..Setup::default() }, async |rig| {
        let mut peer = Peer::connect(rig, "one").await;
        let message = |number| invented("S", "20261122093000", &[number]).join("\r") + "\r";
        rig.disk.fail_everything(true);
        peer.send(message(1).as_bytes()).await;
        rig.pass(10).await;
        rig.disk.fail_everything(false);
        peer.send(message(2).as_bytes()).await;
        rig.pass(60).await;
        let came = rig.came("one");
        let values: Vec<&str> = came.sent.iter().map(|seen| seen.value.as_str()).collect();
        assert_eq!((values.as_slice(), came.messages.as_slice()), (&["2"][..], &[Some(true)][..]));
        assert_eq!(crate::cells::notes(&came), "a");
        assert!(rig.heard("one").is_empty());
    });
}

fn stored_twice() {
    run(&Setup::default(), async |rig| {
        let message = Invented::new("S", Layout::Records);
        let mut peer = Peer::connect(rig, "one").await;
        peer.send(&[ENQ]).await;
        assert_eq!(peer.byte().await, Some(ACK));
        let (last, before) = message.frames.split_last().unwrap();
        for frame in before {
            peer.send(frame).await;
            assert_eq!(peer.byte().await, Some(ACK));
        }
        // The sync of the last frame works, those of what comes of the message do not.
        rig.disk.fail_syncs_from(2);
        peer.send(last).await;
        assert_eq!(peer.byte().await, Some(ACK));
        peer.send(&[EOT]).await;
        rig.pass(1).await;
        assert_eq!(rig.engine.counts().messages, 0, "it was delivered before it was on flash");
        rig.disk.fail_syncs_from(0);
        rig.pass(120).await;
        once(rig, &message);
        let messages = rig.engine.counts().messages;
        drop(peer);
        rig.restart(1 << 30).await;
        rig.pass(120).await;
        once(rig, &message);
        assert_eq!(rig.engine.counts().messages, messages, "a second delivery after the start");
    });
}
