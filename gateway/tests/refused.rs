//! Who knocks and may not come in: told in the log once, in the status, and in the capture of the line.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A test that cannot go on has failed.

#[allow(dead_code)]
mod common;

use common::Site;
use std::io::Read as _;
use std::net::TcpStream;

const KNOCKS: usize = 20;

#[test]
fn a_peer_that_may_not_connect_is_in_the_capture_and_status_and_fills_no_log() {
    let site = Site::new();
    let text = std::fs::read_to_string(&site.config).unwrap();
    std::fs::write(&site.config, text.replace("allow = [\"127.0.0.1\"]", "allow = [\"127.0.0.9\"]")).unwrap();
    site.run(&["journal", "init"]).is(0);
    let mut service = site.start();
    service.until("ready");
    for _ in 0..KNOCKS {
        let mut knock = TcpStream::connect(&site.address).unwrap();
        // It is closed without a byte.
        assert_eq!(knock.read(&mut [0; 1]).unwrap_or(0), 0);
    }
    let status = site.run(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status.out).unwrap();
    let port = &status["instruments"][0]["port"];
    assert_eq!(port["notes"], KNOCKS, "none goes uncounted: {port}");
    let said = "refused a connection from 127.0.0.1: this address is not in the instrument's `allow`";
    assert_eq!(port["last_note"][1], said);
    let log = service.stop();
    assert_eq!(log.matches("refused a connection").count(), 1, "{log}");
    let capture = site.run(&["capture", "export", "haem-1"]);
    capture.is(0);
    capture.says(&format!(" unopened {said}\n"));
    assert_eq!(capture.out.matches("unopened").count(), 1, "{}", capture.out);
}
