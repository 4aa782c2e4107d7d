//! Every example of every profile, through the code that `orugate replay` runs.
//!
//! `UPDATE_EXPECT=1 cargo test -p orugate-tests --test profiles` writes what came into the profiles; read the
//! difference before believing it.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use orugate::profiles::examples::{blessed, differences};
use orugate_driver::time::Tick;
use orugate_driver::{Channel, Input, Output, Peer};
use orugate_tests::root;

#[test]
fn each_example_gives_what_it_says() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut wrong = Vec::new();
    for name in orugate_drivers::SHIPPED.names() {
        let path = root().join(format!("drivers/profiles/{name}.toml"));
        let text = std::fs::read_to_string(&path).unwrap();
        let profile = orugate_drivers::SHIPPED.read(&text).unwrap();
        let found = differences(&*profile);
        if update {
            std::fs::write(&path, blessed(&text, &found).unwrap()).unwrap();
        } else {
            wrong.extend(found.iter().map(|d| format!("{name}, {}:\n{}", d.shows, d.lines)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A simulated instrument on a wire is through when it waits for nothing. A monitor that waits to be asked is not.
#[test]
fn no_simulated_instrument_is_through_before_anybody_came() {
    for name in orugate_drivers::SHIPPED.names() {
        let text = std::fs::read_to_string(root().join(format!("drivers/profiles/{name}.toml"))).unwrap();
        let profile = orugate_drivers::SHIPPED.read(&text).unwrap();
        let messages = profile.common().examples.iter().map(|e| e.input.clone().into_bytes()).collect();
        let mut session = profile.simulator(messages, &[]);
        session.handle(Tick::from_micros(1), Input::Opened(Channel(0), Peer::Datagrams));
        let waits = loop {
            match session.poll() {
                Output::Send(..) => break true,
                Output::Wait(until) => break until.is_some(),
                Output::Done => break false,
                _ => {}
            }
        };
        assert!(waits, "{name}: it ends at once");
    }
}
