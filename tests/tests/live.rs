//! Recorded analyzers on real wires: over TCP and a pseudo terminal, whole, bytewise and cut at seeded places, the
//! engine gets the same ORUs as `replay` makes of the file, but for times and ids.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use orugate::replay::{How, hear, replay};
use orugate_protocol::ascii::{ENQ, EOT, STX};
use orugate_protocol::time::Utc;
use orugate_tests::corpus::lab_astm;
use orugate_tests::oru::comparable;
use orugate_tests::world::{PATIENCE, Plug, World};
use serialport::{SerialPort as _, TTYPort};
use std::io::{Read as _, Write};
use std::net::TcpStream;
use std::path::Path;

/// Seeded cuts for each file and wire; the offsets of each come from its number.
const SEEDS: u64 = 64;

/// What stands on the wire: a capture that has no establishment gets one, as every session has.
fn wire_bytes(capture: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    if capture.first() == Some(&STX) {
        bytes.push(ENQ);
    }
    bytes.extend_from_slice(capture);
    if !capture.contains(&EOT) {
        bytes.push(EOT);
    }
    bytes
}

fn profile_for(file: &Path) -> &'static str {
    let name = file.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    match name {
        n if n.starts_with("sysmex-xn") => "sysmex-xn-l",
        n if n.starts_with("yumizen") => "horiba-yumizen",
        n if n.starts_with("cobas-c") => "roche-cobas-c",
        _ => "generic-astm",
    }
}

fn expected(profile: &str, capture: &[u8]) -> Vec<String> {
    let profile = orugate::profiles::find(&orugate_drivers::SHIPPED, profile).unwrap();
    let heard = hear(&*profile, capture, &[]);
    let mut orus = Vec::new();
    replay(&*profile, &heard, &How::at(Utc(1_795_000_000_000_000)), &mut String::new(), &mut |oru| {
        orus.push(comparable(oru))
    });
    orus
}

/// Ends of the pieces that the bytes are written in.
fn pieces(length: usize, seed: u64) -> Vec<usize> {
    // SplitMix64: enough to scatter cuts, and the same everywhere.
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    let mut ends: Vec<usize> = (0..1 + seed % 7).map(|_| usize::try_from(next()).unwrap() % length).collect();
    ends.push(length);
    ends.sort_unstable();
    ends.dedup();
    ends
}

fn write(wire: &mut dyn Write, bytes: &[u8], ends: &[usize]) {
    let mut start = 0;
    for end in ends {
        wire.write_all(&bytes[start..*end]).unwrap();
        start = *end;
    }
}

/// Runs one capture through a fresh gateway and gives what the engine got.
async fn run(profile: &'static str, plug: &str, bytes: Vec<u8>, ends: Vec<usize>) -> Vec<String> {
    let pair = (plug == "pty").then(|| TTYPort::pair().unwrap());
    let (master, plug) = match pair {
        Some((master, slave)) => {
            let path = slave.name().unwrap();
            (Some(master), Plug::Serial(path.into()))
        }
        None => (None, Plug::Tcp),
    };
    let world = World::start(&[("analyzer", profile, plug)]).await;
    let writer = match master {
        Some(mut master) => {
            // A pseudo terminal answers with an error until somebody has its other side open.
            let mut up = world.gateway.lineup().instruments[0].status.changed();
            tokio::time::timeout(PATIENCE, up.wait_for(|view| view.is_up())).await.unwrap().unwrap();
            tokio::task::spawn_blocking(move || {
                let mut reader = master.try_clone_native().unwrap();
                // Answers must be taken off, or the line would stand still.
                std::thread::spawn(move || while reader.read(&mut [0; 64]).is_ok() {});
                // The gateway reads no more until a chunk is synced, and a busy disk takes its time.
                master.set_timeout(PATIENCE).unwrap();
                write(&mut master, &bytes, &ends);
                Box::new(master) as Box<dyn Send>
            })
        }
        None => {
            let address = world.address("analyzer");
            tokio::task::spawn_blocking(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.set_nodelay(true).unwrap();
                write(&mut stream, &bytes, &ends);
                Box::new(stream) as Box<dyn Send>
            })
        }
    };
    let wire = tokio::time::timeout(PATIENCE, writer).await.unwrap().unwrap();
    world.settled(1).await;
    drop(wire);
    let orus = world.engine.messages().iter().map(|m| comparable(&m.bytes)).collect();
    world.gateway.stop().await;
    orus
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_orus_over_every_wire_at_every_split() {
    let files = lab_astm();
    let seeds = if orugate_tests::skipped_as_slow("all 64 splits of every capture") { 2 } else { SEEDS };
    for file in files {
        let capture = std::fs::read(&file).unwrap();
        let profile = profile_for(&file);
        let expected = expected(profile, &capture);
        let bytes = wire_bytes(&capture);
        let whole = vec![bytes.len()];
        let bytewise: Vec<usize> = (1..=bytes.len()).collect();
        let seeded = (0..seeds).map(|seed| pieces(bytes.len(), seed));
        for ends in [whole, bytewise].into_iter().chain(seeded) {
            let tcp = tokio::spawn(run(profile, "tcp", bytes.clone(), ends.clone()));
            let pty = tokio::spawn(run(profile, "pty", bytes.clone(), ends.clone()));
            for (plug, got) in [("tcp", tcp.await.unwrap()), ("pty", pty.await.unwrap())] {
                assert_eq!(got, expected, "{} over {plug}, in {} pieces", file.display(), ends.len());
            }
        }
    }
}
