//! The real program under load, killed with SIGKILL at random moments: nothing that it acknowledged is missing after
//! the restarts, and no MSH-10 ever carries two bodies.
//!
//! This proves consistency, not flash: the kernel keeps the pages of a killed process.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use orugate::clock::Clock;
use orugate::engine::Engine;
use orugate_tests::oru::{field, segments};
use orugate_tests::sender::{Sender, invented};
use orugate_tests::{program, world};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const RUNS: u64 = 200;
const INSTRUMENTS: usize = 3;

fn spawn(program: &Path, config: &Path) -> Child {
    let mut command = Command::new(program);
    command.arg("run").arg("--config").arg(config).env("ORUGATE_LOG", "error");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// A free port of this machine; the program binds it a moment later.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Values whose frames were acknowledged, and how many messages were begun.
#[derive(Default)]
struct Load {
    acknowledged: Mutex<Vec<String>>,
    next: AtomicU64,
    stop: AtomicBool,
}

impl Load {
    /// Sends messages to one instrument until told to stop, whatever happens to the connection.
    fn send(&self, address: SocketAddr) {
        while !self.stop.load(Ordering::Relaxed) {
            let Ok(mut sender) = Sender::connect(address) else {
                // The program is being restarted; its port comes back in a moment.
                std::thread::yield_now();
                continue;
            };
            while !self.stop.load(Ordering::Relaxed) {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                let values: Vec<u64> = (0..4).map(|n| 1_000_000 + number * 10 + n).collect();
                let records = invented(&format!("K-{number}"), "20261122101500", &values);
                let sent = sender.message(&records, &mut |index| {
                    if let Some(value) = records[index].strip_prefix("R|").and_then(|r| r.split('|').nth(2)) {
                        self.acknowledged.lock().unwrap().push(value.to_owned());
                    }
                });
                if sent.is_err() {
                    break;
                }
            }
        }
    }
}

/// Seeded, so that a failing run can be had again.
fn random(seed: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z ^ (z >> 31)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_sigkill() {
    let runs = if orugate_tests::skipped_as_slow("200 killed runs") { 10 } else { RUNS };
    let program = program();
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(Clock::system(0)).unwrap();
    let names: Vec<String> = (0..INSTRUMENTS).map(|n| format!("analyzer-{n}")).collect();
    let instruments: Vec<_> = names.iter().map(|n| (n.as_str(), "generic-astm", world::Plug::Tcp)).collect();
    let mut text = world::configuration(folder.path(), engine.address(), &instruments);
    let mut addresses = Vec::new();
    for number in 1..=INSTRUMENTS {
        let port = free_port();
        text = text.replace(&format!("\"127.0.0.1:{number}\""), &format!("\"127.0.0.1:{port}\""));
        addresses.push(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    let config = folder.path().join("orugate.toml");
    std::fs::write(&config, &text).unwrap();
    let init =
        Command::new(&program).args(["journal", "--config"]).arg(&config).arg("init").output().unwrap();
    assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));

    let load = Arc::new(Load::default());
    let senders: Vec<_> = addresses
        .iter()
        .map(|address| {
            let (load, address) = (load.clone(), *address);
            std::thread::spawn(move || load.send(address))
        })
        .collect();
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    for run in 0..runs {
        let mut child = spawn(&program, &config);
        let life = Duration::from_millis(30 + random(seed ^ (run << 20)) % 170);
        tokio::task::spawn_blocking(move || {
            let deadline = std::sync::mpsc::channel::<()>();
            // A bounded wait for nothing: how long this process lives.
            let _ = deadline.1.recv_timeout(life);
            child.kill().unwrap();
            child.wait().unwrap();
        })
        .await
        .unwrap();
    }
    load.stop.store(true, Ordering::Relaxed);
    let mut child = spawn(&program, &config);
    tokio::task::spawn_blocking(move || senders.into_iter().for_each(|s| s.join().unwrap())).await.unwrap();

    // Everything that was acknowledged comes to the engine: whole messages, and the whole records of cut ones.
    let acknowledged: BTreeSet<String> = load.acknowledged.lock().unwrap().iter().cloned().collect();
    let mut seen = engine.watch();
    let arrived = || -> BTreeSet<String> {
        let messages = engine.messages();
        let all = messages.iter().flat_map(|m| segments(&m.bytes));
        all.filter(|s| s.starts_with("OBX|")).map(|s| field(&s, 5).to_owned()).collect()
    };
    let waited = tokio::time::timeout(world::PATIENCE * 2, async {
        while !acknowledged.is_subset(&arrived()) {
            if seen.changed().await.is_err() {
                break;
            }
        }
    })
    .await;
    // What the program itself says, for whoever has to find out why something is missing.
    for question in [&["status"][..], &["holds", "list"]] {
        let said = Command::new(&program).args(question).arg("--config").arg(&config).output().unwrap();
        println!("{}", String::from_utf8_lossy(&said.stdout));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let arrived = arrived();
    let missing: Vec<_> = acknowledged.difference(&arrived).take(10).collect();
    assert!(waited.is_ok(), "acknowledged and missing: {missing:?} and maybe more");
    assert!(missing.is_empty());
    let counts = engine.counts();
    assert_eq!(counts.conflicts, 0, "an MSH-10 came with two bodies");
    assert!(
        acknowledged.len() > usize::try_from(runs).unwrap(),
        "only {} results: no load",
        acknowledged.len()
    );
    println!(
        "{runs} kills: {} results acknowledged, {} arrived, {} messages, {} of them again",
        acknowledged.len(),
        arrived.len(),
        counts.distinct,
        counts.messages - counts.distinct
    );
}
