//! The program under a service manager: what systemd is told over its socket, and when.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, dead_code)] // `common` has more than these tests need.

mod common;

use common::Site;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// The next message that holds this, others aside.
fn until(socket: &UnixDatagram, what: &str) -> String {
    let mut buffer = [0; 4096];
    loop {
        let Ok(length) = socket.recv(&mut buffer) else { panic!("{what} was not told in time") };
        let told = String::from_utf8(buffer[..length].to_vec()).unwrap();
        if told.contains(what) {
            return told;
        }
    }
}

#[test]
fn systemd_hears_that_the_gateway_is_ready_lives_and_stops() {
    let site = Site::new();
    site.run(&["journal", "init"]).is(0);
    let path = site.folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(25))).unwrap();
    let service = site.start_with(&[("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "1800000")]);
    let ready = until(&socket, "READY=1");
    assert!(ready.contains("STATUS=1 instrument, 1 destination"), "{ready}");
    // Whoever is told so may connect at once.
    std::net::TcpStream::connect(&site.address).unwrap();
    site.run(&["status"]).is(0);
    // The journal's thread counts at least every half second while the disk answers.
    for _ in 0..3 {
        until(&socket, "WATCHDOG=1");
    }
    service.stop();
    until(&socket, "STOPPING=1");
}
