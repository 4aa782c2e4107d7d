//! A journal that the service is writing to.

use crate::common::{Engine, Site, orugate};
use crate::{look, snapshot};

#[test]
fn a_journal_is_looked_at_and_copied_while_the_service_writes_to_it() {
    let site = Site::new();
    site.run(&["journal", "init"]).is(0);
    let engine = Engine::start(&site.engine);
    let mut service = site.start();
    service.until("ready;");
    let played =
        orugate(&["simulate", "--profile", "sysmex-xn-l", "--connect", &site.address, "--times", "1"]);
    played.is(0);
    let _ = engine.next();
    let listed = site.run(&["journal", "list"]);
    listed.is(0);
    listed.says("haem-1");
    site.run(&["journal", "verify"]).is(0);
    let stats = site.run(&["journal", "stats"]);
    stats.is(0);
    stats.says("chunk");

    // More comes in while it is copied, file by file.
    let more = std::thread::spawn({
        let address = site.address.clone();
        move || {
            orugate(&["simulate", "--profile", "sysmex-xn-l", "--connect", &address, "--times", "4"]).is(0)
        }
    });
    let copy = tempfile::tempdir().unwrap();
    let mut copies = 0;
    while !more.is_finished() && copies < 6 {
        let to = copy.path().join(copies.to_string());
        std::fs::create_dir(&to).unwrap();
        for (file, bytes) in snapshot(&site.folder.path().join("journal")) {
            std::fs::write(to.join(file.file_name().unwrap()), bytes).unwrap();
        }
        let verified = look(&to, &["verify"]);
        verified.is(0);
        verified.says("is sound: ");
        site.run(&["journal", "verify"]).is(0);
        copies += 1;
    }
    more.join().unwrap();
    assert!(copies > 0);
    let _ = service.stop();
    site.run(&["journal", "verify"]).is(0);
}

#[test]
fn a_sample_is_found_by_its_id_while_the_service_runs_and_in_a_copy() {
    let site = Site::new();
    site.run(&["journal", "init"]).is(0);
    let engine = Engine::start(&site.engine);
    let mut service = site.start();
    service.until("ready;");
    let playing = ["simulate", "--profile", "sysmex-xn-l", "--connect", &site.address, "--times", "3"];
    orugate(&playing).is(0);
    let oru = engine.next();
    let segment = |name: &str| oru.split('\r').find(|segment| segment.starts_with(name)).unwrap().to_owned();
    let sample = segment("SPM").split(['|', '^']).nth(2).unwrap().to_owned();
    let control = segment("MSH").split('|').nth(9).unwrap().to_owned();

    let copy = tempfile::tempdir().unwrap();
    let check = |folder: Option<&str>| {
        let at: Vec<&str> = folder.iter().flat_map(|folder| ["--path", folder]).collect();
        let list = |more: &[&str]| site.run(&[&["journal", "list"], &at[..], more].concat());
        let all = list(&["--json"]);
        let found = list(&["--json", "--sample", &sample]);
        found.is(0);
        // What a look at all of it says of these messages, and of those that have the sample nothing else.
        assert!(!found.out.is_empty());
        found.out.lines().for_each(|line| assert!(all.out.lines().any(|other| other == line), "{line}"));
        assert!(found.out.lines().count() < all.out.lines().count());
        assert!(!found.out.contains(&sample));
        list(&["--sample", "NOBODYS"]).says("No such message is in");
        list(&["--sample", &sample[..sample.len() - 1]]).says("No such message is in");
        let shown = site.run(&[&["journal", "show"], &at[..], &[&control]].concat());
        shown.is(0);
        shown.says("acknowledged with AA");
    };
    check(None);
    let _ = service.stop();
    check(None);
    for (file, bytes) in snapshot(&site.folder.path().join("journal")) {
        if file.extension().is_none_or(|name| name != "idx") {
            std::fs::write(copy.path().join(file.file_name().unwrap()), bytes).unwrap();
        }
    }
    check(Some(copy.path().to_str().unwrap()));
}
