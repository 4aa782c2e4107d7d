//! A message that is complete on flash and that the last process did not come to interpret: the next one does, and
//! serves everybody meanwhile.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use orugate::clock::Clock;
use orugate::engine::Engine;
use orugate::records::Chunk;
use orugate::run::{Gateway, init_journal};
use orugate::store::{Entry, Store};
use orugate_journal::{FileStorage, Options};
use orugate_tests::world::{PATIENCE, Plug, configuration, plan};
use std::sync::mpsc;

const MESSAGE: &[u8] = b"H|\\^&|||ANALYZER|||||||P|LIS2-A2|20261122093000\rP|1\rO|1|LEFT-1||^^^GLU\r\
    R|1|^^^GLU|7.9|mmol/L||N||F||||20261122092913\rL|1|N\r";

#[test]
fn a_message_that_was_left_uninterpreted_goes_out_after_the_restart() {
    // In a thread of its own, for a gateway that hangs does not come back.
    let (done, held) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        done.send(runtime.block_on(restart())).unwrap();
    });
    assert_eq!(held.recv_timeout(PATIENCE), Ok(0));
}

/// Starts on a journal with such a message, waits until it is delivered, and says how many holds there are.
async fn restart() -> usize {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(Clock::system(0)).unwrap();
    let instruments = [("analyzer", "generic-astm", Plug::Tcp)];
    let plan = plan(folder.path(), &configuration(folder.path(), engine.address(), &instruments));
    std::fs::create_dir(&plan.journal.path).unwrap();
    init_journal(&plan.journal.path, Clock::system(0).utc()).unwrap();

    let storage = FileStorage::new(&plan.journal.path).unwrap();
    let (store, _) = Store::open(storage, Options::default()).unwrap();
    let reserved = store.reserve().unwrap();
    let chunk = Chunk {
        instrument: "analyzer".to_owned(),
        message: reserved.get().0,
        first: true,
        end: Some(true),
        received: Clock::system(0).utc().0,
        clock: 1,
    };
    let entry = Entry::with_payload(&chunk, framed(MESSAGE)).numbered(reserved);
    let _ = store.append_wait(vec![entry], None).unwrap();
    drop(store);

    let gateway = Gateway::start(plan, Clock::system).await.unwrap();
    let _ = engine.watch().wait_for(|counts| counts.distinct >= 1).await.unwrap();
    let holds = gateway.store.state().holds().count();
    gateway.stop().await;
    holds
}

/// As it would be on the wire: a frame for each record.
fn framed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, record) in (1u8..).zip(message.split_inclusive(|byte| *byte == b'\r')) {
        let mut body = vec![b'0' + number % 8];
        body.extend_from_slice(record);
        body.push(3);
        let sum = body.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        out.push(2);
        out.extend_from_slice(&body);
        out.extend_from_slice(format!("{sum:02X}\r\n").as_bytes());
    }
    out
}
