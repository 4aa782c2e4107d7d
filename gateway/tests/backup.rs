//! A copy of the journal, and a spare box that goes on from it.
//!
//! Promises that what was acknowledged before the copy goes out from the spare box with its bytes and its MSH-10, or waits
//! there for a person; that no number comes twice; that a copy is whole or does not look like one; and that nothing is done
//! before a person said what only a person knows. Leaves out the cuts at each step: the journal crate's tests have those.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, dead_code)] // `common` has more than these tests need.

mod common;

use common::{Engine, Ran, Service, Site, orugate};
use orugate_journal::{Batch, FileStorage, Journal, Kind, Lane, NewRecord, Options, UnixMillis, Urgency};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

const PARKED: &[u8] =
    b"H|\\^&|||LAB^Roche^c111|||||host|RSUPL^REAL|P|1|20261122093713\nP|1||\nO|1||T-0007||S||||||N\n\
    R|1|^^^413|4|\xB5mol/L||N||F||||20261122093700\nL|1|N\n";

fn capture(sample: &str, value: &str) -> Vec<u8> {
    format!(
        "H|\\^&|||LAB^Roche^c111|||||host|RSUPL^REAL|P|1|20261122093713\nP|1||\nO|1||{sample}||S||||||N\n\
         R|1|^^^413|{value}|mmol/L||N||F||||20261122093700\nL|1|N\n"
    )
    .into_bytes()
}

/// A box whose engine reads ASCII.
fn site() -> Site {
    let site = Site::new();
    edit(&site, |text| {
        text.replace("role = \"lis\"", "role = \"lis\"\ncharset = \"ASCII\"")
            .replace("sysmex-xn-l", "roche-cobas-c")
    });
    site
}

fn edit(site: &Site, change: impl FnOnce(&str) -> String) {
    let text = fs::read_to_string(&site.config).unwrap();
    fs::write(&site.config, change(&text)).unwrap();
}

fn send(site: &Site, records: &[u8]) {
    let file = site.folder.path().join("sent.txt");
    fs::write(&file, records).unwrap();
    orugate(&["simulate", "-p", "roche-cobas-c", "--connect", &site.address, file.to_str().unwrap()]).is(0);
}

fn at(site: &Site, name: &str) -> PathBuf {
    site.folder.path().join(name)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// ORUs in a journal, by number.
fn orus(journal: &Path) -> BTreeMap<u64, String> {
    let folder = tempfile::tempdir().unwrap();
    let none = "/nonexistent/orugate.toml";
    orugate(&["journal", "export", "--oru", "--path", text(journal), "--config", none, text(folder.path())])
        .is(0);
    let files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|file| String::from_utf8(fs::read(file).unwrap()).unwrap())
        .map(|oru| (number(&oru), oru))
        .collect()
}

/// The number in MSH-10.
fn number(oru: &str) -> u64 {
    oru.split('|').nth(9).unwrap()[4..].parse().unwrap()
}

/// A box with an ORU that waits, one that is parked, and a hold; its service runs.
fn busy() -> (Site, Service) {
    let site = site();
    site.run(&["journal", "init"]).is(0);
    let mut service = site.start();
    service.until("ready;");
    send(&site, &capture("T-0001", "5.4"));
    service.until("interpreted");
    send(&site, PARKED);
    service.until("parked: OBX-6");
    send(&site, &capture("", "6.1"));
    service.until("interpreted");
    (site, service)
}

fn restore(site: &Site, from: &Path, more: &[&str]) -> Ran {
    site.run(&[&["restore", text(from)], more].concat())
}

/// The number that a restore says.
fn goes_on_from(done: &Ran) -> u64 {
    let from = done.out.split("Numbers go on from ").nth(1).unwrap();
    from.split('.').next().unwrap().parse().unwrap()
}

const OFF: &str = "--old-box-is-off";

#[test]
fn a_spare_box_goes_on_where_the_old_one_stopped() {
    let (old, mut service) = busy();
    // A flood goes on while it is copied.
    let flood = std::thread::spawn({
        let address = old.address.clone();
        move || orugate(&["simulate", "-p", "roche-cobas-c", "--connect", &address, "--times", "3"])
    });
    let (copy, journal) = (at(&old, "copy"), at(&old, "journal"));
    let known = orus(&journal);
    assert!(known.values().any(|oru| oru.contains("T-0001")));
    let taken = old.run(&["backup", text(&copy)]);
    taken.is(0);
    taken.says("to be sent to engine.");
    taken.says("1 ORU parked for engine.");
    taken.says("that wait");
    taken.hides("T-0001");
    assert_eq!(fs::metadata(&copy).unwrap().mode() & 0o777, 0o700);
    for file in fs::read_dir(&copy).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().mode() & 0o777, 0o600);
    }
    assert!(!at(&old, "copy.part").exists());
    flood.join().unwrap().is(0);
    // The old box goes on for a while, and breaks.
    for value in ["7.1", "7.2", "7.3"] {
        send(&old, &capture(&format!("T-{value}"), value));
    }
    let interpreted = || orus(&journal).values().any(|oru| oru.contains("T-7.3"));
    assert!((0..500).any(|_| interpreted()), "the last result was not interpreted");
    service.kill();
    let (before, all) = (orus(&copy), orus(&journal));
    assert!(known.iter().all(|(number, oru)| before.get(number) == Some(oru)));
    let later = all.keys().filter(|number| !before.contains_key(number)).count();
    assert!(later >= 3, "only {later} numbers after the copy");

    let spare = site();
    let look = restore(&spare, &copy, &[]);
    look.is(1);
    look.says("1 ORU parked for engine.");
    look.says("NOT in it is what the old box acknowledged to instruments after 20");
    look.says("--old-box-is-off. Nothing was changed.");
    assert!(!at(&spare, "journal").exists());
    let done = restore(&spare, &copy, &[OFF]);
    done.is(0);
    done.says("Next: systemctl start orugate");
    let from = goes_on_from(&done);
    let exported = spare.run(&["journal", "export", "-"]);
    exported.is(0);
    exported.says("\"restored\"");
    let mut service = spare.start();
    service.until("ready;");
    let engine = Engine::start(&spare.engine);
    let parked = spare.run(&["parked", "list"]);
    parked.is(0);
    let parked: u64 = parked.out.split_whitespace().next().unwrap().parse().unwrap();
    spare.run(&["holds", "list"]).says("no-sample-id");
    // All that waited comes as it is in the copy.
    let mut arrived = BTreeMap::new();
    while arrived.len() + 1 < before.len() {
        let oru = engine.next();
        arrived.insert(number(&oru), oru);
    }
    let mut waited = before.clone();
    waited.remove(&parked).unwrap();
    assert_eq!(arrived, waited);
    // What is new has numbers that nobody had.
    send(&spare, &capture("T-0100", "8.1"));
    loop {
        let oru = engine.next();
        let new = number(&oru);
        assert!(
            new >= from && all.keys().all(|number| *number < from),
            "{new} is not above those of the old box"
        );
        // Before it comes what had come and was not interpreted at the time of the copy.
        if oru.contains("T-0100") {
            break;
        }
    }
    let _ = service.stop();
    spare.run(&["journal", "verify"]).is(0);
}

#[test]
fn a_planned_swap_lacks_nothing_and_says_so() {
    let (old, service) = busy();
    let _ = service.stop();
    // From the folder itself, as on a card that was taken out.
    let card = at(&old, "journal");
    let spare = site();
    let other = at(&spare, "elsewhere");
    let done = restore(&spare, &card, &[OFF, "--to", text(&other)]);
    done.is(0);
    done.says("It ends with the service stopped as it should: nothing is missing");
    assert_eq!(orus(&card), orus(&other));
    // Once more is refused: there is a journal now.
    let again = restore(&spare, &card, &[OFF, "--to", text(&other)]);
    again.is(1);
    again.says("There is a journal in ");
    again.says("Nothing was changed.");
}

#[test]
fn a_restore_is_refused_where_it_would_do_harm() {
    let (old, mut service) = busy();
    let copy = at(&old, "copy");
    old.run(&["backup", text(&copy)]).is(0);
    let spare = site();
    // The old box runs.
    let running = restore(&spare, &at(&old, "journal"), &[OFF]);
    running.is(1);
    running.says("is in use: a service runs on it");
    // This box has a journal, and is at work with it.
    let own = restore(&old, &copy, &[OFF]);
    own.is(1);
    own.says("There is a journal in ");
    service.kill();
    // No copy, half a copy, no folder.
    restore(&spare, spare.folder.path(), &[OFF]).says("There is no journal in ");
    restore(&spare, Path::new("/nonexistent"), &[OFF]).is(74);
    let half = at(&old, "half");
    old.run(&["backup", text(&half)]).is(0);
    fs::rename(half.join("journal.id"), half.join("journal.id.part")).unwrap();
    let refused = restore(&spare, &half, &[OFF]);
    refused.is(1);
    refused.says("is half a copy");
    // Another hospital's.
    edit(&spare, |text| text.replace("\"TEST\"", "\"NEXT\""));
    let foreign = restore(&spare, &copy, &[OFF]);
    foreign.is(1);
    foreign.says("The copy is of the gateway TEST, and this box is configured to be NEXT");
    edit(&spare, |text| text.replace("\"NEXT\"", "\"TEST\""));
    // A destination that is not here is said, and keeps nothing from being done.
    edit(&spare, |text| text.replace("\"engine\"", "\"other\""));
    restore(&spare, &copy, &[]).says("This box's configuration has no destination engine");
    edit(&spare, |text| text.replace("\"other\"", "\"engine\""));
    // Damage.
    let segment = fs::read_dir(&copy).unwrap().map(|file| file.unwrap().path());
    let segment = segment.filter(|file| text(file).contains("results-")).max().unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    bytes[2 * 4096 + 70] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let damaged = restore(&spare, &copy, &[OFF]);
    damaged.is(1);
    damaged.says("The copy is damaged");
    assert!(!at(&spare, "journal").exists(), "nothing was to be changed");
    restore(&spare, &copy, &[OFF, "--damaged"]).is(0);
    let mut service = spare.start();
    service.until("ready;");
}

#[test]
fn a_clock_behind_the_copy_is_not_believed() {
    let old = site();
    let journal = at(&old, "journal");
    fs::create_dir(&journal).unwrap();
    let year = 4_102_444_800_000;
    let storage = FileStorage::new(&journal).unwrap();
    let open = Journal::create(storage, UnixMillis(year), Options::default()).unwrap();
    let record = NewRecord::new(Kind(3), 1, vec![], vec![]);
    let batch = Batch::new(Lane::Results, Urgency::Now, record).at(UnixMillis(year + 1));
    let given = open.append_wait(batch).unwrap().sequences()[0].0;
    drop(open);
    let spare = site();
    let refused = restore(&spare, &journal, &[OFF]);
    refused.is(1);
    refused.says("and the copy has things of 2100-01-01T00:00:00Z. Set the clock first");
    let done = restore(&spare, &journal, &[OFF, "--clock-is-right"]);
    done.is(0);
    let from = goes_on_from(&done);
    assert!(from > given + 1_000_000_000, "{from} {given}");
}

#[test]
fn a_clock_that_was_never_set_is_not_believed() {
    let (old, mut service) = busy();
    service.kill();
    let journal = orugate::archive::Journal::at(&at(&old, "journal"), None).unwrap();
    let plan = orugate::config::load(&old.config, &orugate_drivers::SHIPPED).unwrap().plan;
    let new = at(&old, "new");
    let look = orugate::backup::Restoring::look(&journal, &new, orugate_protocol::time::Utc(7)).unwrap();
    use orugate::backup::Assurance::{ClockIsRight, OldBoxIsOff};
    let why = look.refusal(&plan, &[OldBoxIsOff, ClockIsRight]).unwrap();
    assert!(why.starts_with("This box's clock is not set: it shows 1970-01-01T00:00:00Z."), "{why}");
}

/// Only root can give files away; where the tests are not root, nothing is tried.
#[test]
fn root_leaves_the_journal_to_the_owner_of_its_folder() {
    let (old, mut service) = busy();
    service.kill();
    let spare = site();
    let journal = at(&spare, "journal");
    fs::create_dir(&journal).unwrap();
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return;
    }
    std::os::unix::fs::chown(&journal, Some(65_534), Some(65_534)).unwrap();
    restore(&spare, &at(&old, "journal"), &[OFF]).is(0);
    let files: Vec<_> =
        fs::read_dir(&journal).unwrap().map(|file| file.unwrap().metadata().unwrap()).collect();
    assert!(files.len() > 3);
    assert!(files.iter().all(|file| file.uid() == 65_534 && file.mode() & 0o777 == 0o600));
}

#[test]
fn an_interrupted_restore_does_not_start_and_is_begun_anew() {
    let (old, mut service) = busy();
    let copy = at(&old, "copy");
    old.run(&["backup", text(&copy)]).is(0);
    service.kill();
    let spare = site();
    let journal = at(&spare, "journal");
    restore(&spare, &copy, &[OFF]).is(0);
    let whole = orus(&journal);
    // As it was before the last step.
    fs::rename(journal.join("journal.id"), journal.join("journal.id.part")).unwrap();
    let run = spare.run(&["run"]);
    run.is(74);
    run.says("a restore was interrupted. Give the command again: orugate restore");
    spare.run(&["journal", "init"]).is(74);
    spare.run(&["journal", "verify"]).is(74);
    restore(&spare, &copy, &[OFF]).is(0);
    assert_eq!(orus(&journal), whole);
}

#[test]
fn a_backup_goes_into_a_new_folder_that_is_whole_or_has_another_name() {
    let (old, mut service) = busy();
    service.kill();
    let copy = at(&old, "copy");
    let inside = old.run(&["backup", text(&at(&old, "journal/copy"))]);
    inside.is(1);
    inside.says("is in the journal's own folder");
    old.run(&["backup", text(&at(&old, "no/such/copy"))]).is(74);
    // One that was interrupted is begun anew.
    let part = at(&old, "copy.part");
    fs::create_dir(&part).unwrap();
    fs::write(part.join("journal.id.part"), b"torn").unwrap();
    fs::write(part.join("results-0000000000000001.seg"), b"torn").unwrap();
    old.run(&["journal", "verify", "--path", text(&part)]).is(74);
    let taken = old.run(&["backup", text(&copy)]);
    taken.is(0);
    taken.says("It is on the same medium as the journal");
    assert!(!part.exists());
    let again = old.run(&["backup", text(&copy)]);
    again.is(1);
    again.says("There is ");
    again.says("already; a copy goes into a new folder. Nothing was copied.");
    // Somebody's folder stays as it is.
    let other = at(&old, "other.part");
    fs::create_dir(&other).unwrap();
    fs::copy(copy.join("journal.id"), other.join("journal.id")).unwrap();
    let refused = old.run(&["backup", text(&at(&old, "other"))]);
    refused.is(1);
    refused.says("has a file journal.id");
    assert!(other.join("journal.id").exists());
}

#[test]
fn a_damaged_journal_is_copied_as_far_as_it_reads() {
    let (old, mut service) = busy();
    service.kill();
    let segment = fs::read_dir(at(&old, "journal")).unwrap().map(|file| file.unwrap().path());
    let segment = segment.filter(|file| text(file).contains("results-")).max().unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    bytes[2 * 4096 + 70] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    let taken = old.run(&["backup", text(&at(&old, "copy"))]);
    taken.is(65);
    taken.says("The journal is DAMAGED in 1 place. All that can be read of it was copied.");
    taken.says("1 ORU parked for engine.");
    let copied = fs::read(at(&old, "copy").join(segment.file_name().unwrap())).unwrap();
    assert_eq!(copied, bytes[..copied.len()]);
}

#[test]
fn a_sealed_journal_is_copied_without_the_key_and_restored_with_it() {
    let old = site();
    let key = at(&old, "key");
    old.run(&["journal", "new-key", text(&key)]).is(0);
    let seal = |text: &str| {
        text.replace("[[destination]]", &format!("seal = {{ key = \"{}\" }}\n[[destination]]", key.display()))
    };
    edit(&old, seal);
    old.run(&["journal", "init"]).is(0);
    let mut service = old.start();
    service.until("ready;");
    send(&old, &capture("T-0001", "5.4"));
    service.until("interpreted");
    let (copy, closed) = (at(&old, "copy"), at(&old, "closed"));
    let taken = old.run(&["backup", text(&copy)]);
    taken.is(0);
    taken.says("1 ORU to be sent to engine.");
    let none =
        ["--path", text(&at(&old, "journal")), "--config", "/nonexistent/orugate.toml"].map(str::to_owned);
    let none: Vec<&str> = none.iter().map(String::as_str).collect();
    let taken = orugate(&[&["backup", text(&closed)], &none[..]].concat());
    taken.is(0);
    taken.says("It is sealed and the key is not here");
    service.kill();
    let spare = site();
    let refused = restore(&spare, &closed, &[OFF]);
    refused.is(74);
    refused.says("is sealed");
    assert!(!at(&spare, "journal").exists());
    restore(&spare, &closed, &[OFF, "--key", text(&key)]).is(0);
    edit(&spare, seal);
    let mut service = spare.start();
    service.until("ready;");
    assert!(Engine::start(&spare.engine).next().contains("T-0001"));
}
