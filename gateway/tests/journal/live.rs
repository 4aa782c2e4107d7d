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
