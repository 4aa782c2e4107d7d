//! A serial cable that is pulled in the middle of a message, on a real pseudo terminal.
//!
//! Promises that the gateway notices, keeps what it acknowledged, opens the port again by its path when it is back, and
//! takes the next message. What a port says when its cable is pulled, and at which byte, is played in `matrix`.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use orugate::status::Line;
use orugate_protocol::ascii::{ACK, ENQ};
use orugate_tests::oracle::{Invented, Layout};
use orugate_tests::oru::results;
use orugate_tests::world::{PATIENCE, Plug, World};
use serialport::{SerialPort as _, TTYPort};
use std::io::{Read as _, Write as _};
use std::path::Path;

/// A pseudo terminal whose far end is found at `path`.
fn plug(path: &Path) -> TTYPort {
    let (mut near, far) = TTYPort::pair().unwrap();
    near.set_timeout(PATIENCE).unwrap();
    let _ = std::fs::remove_file(path);
    std::os::unix::fs::symlink(far.name().unwrap(), path).unwrap();
    near
}

/// Sends what needs an acknowledgment, and waits for it.
fn acknowledged(port: &mut TTYPort, bytes: &[u8]) {
    port.write_all(bytes).unwrap();
    let mut answer = [0];
    port.read_exact(&mut answer).unwrap();
    assert_eq!(answer, [ACK]);
}

async fn until(world: &World, so: impl FnMut(&orugate::status::PortView) -> bool) {
    let mut changed = world.gateway.lineup().instruments[0].status.changed();
    tokio::time::timeout(PATIENCE, changed.wait_for(so)).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cable_that_is_pulled_in_mid_message_costs_no_result() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("port");
    let mut port = plug(&path);
    let world = World::start(&[("one", "generic-astm", Plug::Serial(path.clone()))]).await;
    until(&world, |view| view.is_up()).await;
    let message = Invented::new("S", Layout::Records);
    let frames = message.frames.clone();
    tokio::task::spawn_blocking(move || {
        acknowledged(&mut port, &[ENQ]);
        frames[..6].iter().for_each(|frame| acknowledged(&mut port, frame));
        drop(port);
    })
    .await
    .unwrap();
    until(&world, |view| matches!(view.line, Line::Down(_))).await;
    world.settled(1).await;
    let mut port = plug(&path);
    until(&world, |view| view.is_up()).await;
    let frames = message.frames.clone();
    tokio::task::spawn_blocking(move || {
        acknowledged(&mut port, &[ENQ]);
        frames.iter().for_each(|frame| acknowledged(&mut port, frame));
        port
    })
    .await
    .unwrap();
    world.settled(2).await;
    let came: Vec<_> = world.engine.messages().iter().flat_map(|m| results(&m.bytes)).collect();
    let wanted: Vec<_> = message.again_after(6).into_iter().flat_map(|came| came.sent).collect();
    assert_eq!(came, wanted);
    world.gateway.stop().await;
}
