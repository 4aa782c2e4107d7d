//! A redrive that is cut off by the power: given again, it sends the rest, and nothing twice.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A test that cannot go on has failed.

#[allow(dead_code)]
mod common;

use common::{Engine, Service, Site, orugate};
use std::collections::BTreeMap;

const HOLDS: usize = 9;

/// Listens for `redriving` until so many holds are settled.
fn settle(redriving: &mut Service, holds: usize) {
    for _ in 0..holds {
        redriving.until("is settled");
    }
}

#[test]
fn a_redrive_that_the_power_cuts_off_is_given_again_and_sends_nothing_twice() {
    let site = Site::new();
    let rule = "sample_id = { pattern = 'NONE' }\n";
    let text = std::fs::read_to_string(&site.config).unwrap();
    std::fs::write(&site.config, format!("{text}{rule}")).unwrap();
    site.run(&["journal", "init"]).is(0);
    let mut service = site.start();
    service.until("ready");
    for n in 0..HOLDS {
        let message = format!(
            "H|\\^&|||XN-550^00-01^11001^^^^TEST01|||||||P|E1394-97|20261123040000\nP|1\n\
             O|1||^^T-{n}^M|^^^^WBC|R||||||N||||||||||||||F\n\
             R|1|^^^^WBC^1|6.1|10*3/uL||N||F||||20261123040000\nL|1|N\n"
        );
        let capture = site.folder.path().join("message.txt");
        std::fs::write(&capture, message).unwrap();
        let capture = capture.to_str().unwrap();
        orugate(&["simulate", "-p", "sysmex-xn-l", "--connect", &site.address, capture]).is(0);
        service.until("interpreted");
    }
    service.stop();
    std::fs::write(&site.config, text).unwrap();

    let engine = Engine::start(&site.engine);
    let config = site.config.to_str().unwrap();
    // The power goes at another place each time.
    for before in [1, 3] {
        let mut service = site.start();
        service.until("ready");
        let mut redriving = Service::spawn(&["holds", "redrive", "--all", "--config", config]);
        settle(&mut redriving, before);
        service.kill();
    }
    let mut service = site.start();
    service.until("ready");
    site.run(&["holds", "redrive", "--all"]).is(0);
    site.run(&["holds", "list"]).says("No holds.");
    site.run(&["status"]).hides("does not balance");
    // By sample id the MSH-10 under which it came; the same one may come again, for the engine's answer may have been lost.
    let mut came: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while came.len() < HOLDS {
        let message = engine.next();
        let field = |name: &str, at: usize| {
            let segment = message.split('\r').find(|segment| segment.starts_with(name)).unwrap();
            segment.split('|').nth(at).unwrap().to_owned()
        };
        // MSH-1 is the separator itself.
        let (sample, control) = (field("SPM", 2), field("MSH", 9));
        let controls = came.entry(sample).or_default();
        if !controls.contains(&control) {
            controls.push(control);
        }
    }
    service.stop();
    assert!(came.values().all(|controls| controls.len() == 1), "{came:?}");
}
