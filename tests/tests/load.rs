//! A short life of a small ward on the real program. What a box does for an hour `tests/load` shows.

use orugate_tests::load::{Options, run};
use orugate_tests::program;
use std::time::Duration;

#[test]
fn every_snapshot_is_delivered_or_known_to_be_missed() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        program: program(),
        folder: folder.path().to_owned(),
        monitors: 6,
        ventilators: 2,
        quiet: Duration::from_secs(3),
        window: Duration::from_secs(10),
    };
    let report = run(&options, &mut |said| println!("{said}")).unwrap_or_else(|error| {
        let log = std::fs::read_to_string(folder.path().join("gateway.log")).unwrap_or_default();
        panic!("{error}\n{log}")
    });
    println!("{report}");
    assert_eq!(report.expected, 80);
    assert_eq!(report.lost(), Vec::<String>::new(), "{report}");
}
