//! The program as a person meets it: exit codes and the sentences that say what to do next.
//!
//! Promises that each command of the README does what its help says, that a hold can be found, understood, released
//! and discarded, that a killed gateway goes on where it was, and that no patient's data is in what is printed but
//! for what a person asked to see. Leaves out what the ORUs hold; `tests/` has that. Waits only for lines and exits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Engine, Service, Site, orugate, orugate_with};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A result without a sample id, of a patient who is invented.
const NO_SAMPLE: &str = "H|\\^&|||XN-550^00-01^11001^^^^TEST01|||||||P|E1394-97|20261123040000\n\
    P|1||||TESTPATIENT^INVENTED\nO|1||^^ ^M|^^^^WBC|R||||||N||||||||||||||F\n\
    R|1|^^^^WBC^1|6.1|10*3/uL||N||F||||20261123040000\nL|1|N\n";

#[test]
fn help_tells_the_order_of_things() {
    let help = orugate(&["--help"]);
    help.is(0);
    for word in ["journal init", "holds", "replay", "simulate", "demo", "78 the configuration is wrong"] {
        help.says(word);
    }
    orugate(&[]).is(2);
    orugate(&["holds", "show", "seven"]).is(2);
}

#[test]
fn profiles_are_listed() {
    let listed = orugate(&["profiles"]);
    listed.is(0);
    for name in orugate_drivers::SHIPPED.names() {
        listed.says(name);
    }
}

#[test]
fn a_missing_configuration_says_where_to_look() {
    for command in [&["check"][..], &["run"], &["status"], &["holds", "list"], &["journal", "init"]] {
        let tried = orugate(&[command, &["--config", "/nonexistent/orugate.toml"]].concat());
        tried.is(78);
        tried.says("--config FILE");
    }
}

#[test]
fn check_says_all_mistakes_at_once() {
    let site = Site::new();
    let text = std::fs::read_to_string(&site.config).unwrap();
    let text = text
        .replace("facility = \"LAB\"", "facilty = \"LAB\"")
        .replace("role = \"lis\"", "role = \"liss\"")
        .replace("profile = \"sysmex-xn-l\"", "profile = \"sysmex\"");
    std::fs::write(&site.config, text).unwrap();
    for command in ["check", "run"] {
        let checked = site.run(&[command]);
        checked.is(78);
        checked.says("orugate.toml:4: gateway.facilty: unknown key; allowed are");
        checked.says("role: \"liss\" is not known; allowed are \"lis\", \"record\"");
        checked.says("there is no profile \"sysmex\"; allowed are");
        checked.says("nothing was opened");
    }
    // Who asks the service needs nothing of it but the socket.
    site.run(&["status"]).is(69);
}

#[test]
fn a_reload_says_what_it_applies_and_a_wrong_file_leaves_the_old_plan_running() {
    let site = Site::new();
    site.run(&["journal", "init"]).is(0);
    let mut service = site.start();
    service.until("ready;");
    let good = std::fs::read_to_string(&site.config).unwrap();
    std::fs::write(&site.config, good.replace("mode = \"live\"", "mode = \"lvie\"")).unwrap();
    for command in ["plan", "reload"] {
        let wrong = site.run(&[command]);
        wrong.is(78);
        wrong.says("orugate.toml:17: instrument \"haem-1\": mode: \"lvie\" is not known");
        wrong.says("did you mean \"live\"?");
        wrong.says("The old configuration goes on.");
    }
    // The file is wrong, and yet the service is asked where it was.
    let status = site.run(&["status"]);
    status.is(0);
    status.says("is wrong, the old one goes on");
    status.says("haem-1");

    std::fs::write(&site.config, good.replace("mode = \"live\"", "mode = \"test\"")).unwrap();
    let told =
        "haem-1: mode live → test: its results no longer reach patients' charts (MSH-11 T); they go nowhere";
    let plan = site.run(&["plan"]);
    plan.is(0);
    plan.says(told);
    plan.says("a reload applies it with the next message");
    site.run(&["plan", "--exit-code"]).is(1);
    let reload = site.run(&["reload"]);
    reload.is(0);
    reload.says(told);
    reload.says("All of it is in force.");
    let status = site.run(&["status"]);
    status.hides("is wrong");
    status.says(", test, listens on");
    site.run(&["plan", "--exit-code"]).is(0);

    std::fs::write(&site.config, good.replace("\"TEST\"", "\"NEXT\"")).unwrap();
    service.signal("HUP");
    service.until("reloaded: gateway: id (MSH-10): TEST → NEXT");
    let status = site.run(&["status"]);
    status.says("Restart when it suits: systemctl restart orugate");
    let said = service.stop();
    assert!(said.contains("not reloaded: "), "{said}");
    assert!(said.contains("uid "), "who asked is not in the log: {said}");
}

#[test]
fn a_plan_of_two_files_needs_no_service() {
    let site = Site::new();
    let new = site.folder.path().join("new");
    std::fs::create_dir_all(new.join("conf.d")).unwrap();
    let text = std::fs::read_to_string(&site.config).unwrap();
    std::fs::write(new.join("orugate.toml"), &text).unwrap();
    let left = "what an editor or a package left behind";
    for name in ["a.toml~", ".a.toml", "a.toml.dpkg-old", "a.toml.bak"] {
        std::fs::write(new.join("conf.d").join(name), left).unwrap();
    }
    let new = new.to_str().unwrap();
    let same = site.run(&["plan", new]);
    same.is(0);
    same.says("Nothing differs.");
    std::fs::write(
        std::path::Path::new(new).join("conf.d/more.toml"),
        "[[instrument]]\nname = \"haem-2\"\nprofile = \"sysmex-xn-l\"\nmode = \"live\"\n\
         wire = { connect = \"192.0.2.7:4001\" }\nsend_to = [\"engine\"]\n",
    )
    .unwrap();
    let told = "haem-2: new instrument, live: its results reach patients' charts (MSH-11 P) and go to engine; connects to";
    site.run(&["plan", new]).says(told);
    let both = orugate(&["plan", site.config.to_str().unwrap(), new, "--exit-code"]);
    both.is(1);
    both.says(told);
    let json = orugate(&["plan", site.config.to_str().unwrap(), new, "--json"]);
    assert!(serde_json::from_str::<serde_json::Value>(&json.out).is_ok(), "{}", json.out);
    let schema = orugate(&["schema"]);
    schema.is(0);
    let schema: serde_json::Value = serde_json::from_str(&schema.out).unwrap();
    assert!(schema["properties"]["gateway"].is_object());
    let part = orugate(&["schema", "--part"]);
    part.is(0);
    let part: serde_json::Value = serde_json::from_str(&part.out).unwrap();
    assert!(part["properties"]["instrument"].is_object() && part["properties"]["gateway"].is_null());
}

#[test]
fn the_configuration_of_the_readme_is_good() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let (_, block) = readme.split_once("```toml\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orugate.toml");
    std::fs::write(&path, block).unwrap();
    let checked = orugate(&["check", "--config", path.to_str().unwrap()]);
    checked.is(0);
    checked.says("The configuration is good.");
}

#[test]
fn a_journal_is_made_once_and_deliberately() {
    let site = Site::new();
    let run = site.run(&["run"]);
    run.is(74);
    run.says("orugate journal init");
    let made = site.run(&["journal", "init"]);
    made.is(0);
    made.says("Next: orugate run");
    let again = site.run(&["journal", "init"]);
    again.is(74);
    again.says("Nothing was changed");
}

/// With this table in its `[journal]`.
fn sealed(site: &Site, seal: &str) {
    let text = std::fs::read_to_string(&site.config).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("seal = "));
    let with = |line: &str| {
        if line.starts_with("[[destination]]") { format!("{seal}\n{line}\n") } else { format!("{line}\n") }
    };
    std::fs::write(&site.config, lines.map(with).collect::<String>()).unwrap();
}

/// Runs the service for one message of the profile's example; what it said.
fn one_message(site: &Site, engine: &Engine) -> String {
    let mut service = site.start();
    service.until("ready;");
    site.run(&["simulate", "--profile", "sysmex-xn-l", "--connect", &site.address]);
    engine.next();
    service.stop()
}

fn segments(site: &Site) -> Vec<PathBuf> {
    let list =
        std::fs::read_dir(site.folder.path().join("journal")).unwrap().map(|file| file.unwrap().path());
    list.filter(|file| file.extension().is_some_and(|end| end == "seg")).collect()
}

/// Whether the analyzer's bytes and the ORU can be read in the journal's files.
fn in_the_clear(site: &Site) -> (bool, bool) {
    let files: Vec<Vec<u8>> = segments(site).iter().map(|file| std::fs::read(file).unwrap()).collect();
    let has = |text: &[u8]| files.iter().any(|bytes| bytes.windows(text.len()).any(|window| window == text));
    (has(b"H|\\^&|"), has(b"MSH|^~\\&|"))
}

#[test]
fn a_sealed_journal_runs_with_its_key_and_never_without() {
    let site = Site::new();
    let at = |name: &str| site.folder.path().join(name).display().to_string();
    let (key, other) = (at("key"), at("other"));
    let made = orugate(&["journal", "new-key", &key]);
    made.is(0);
    made.says("a lost key is a lost journal");
    let again = orugate(&["journal", "new-key", &key]);
    again.is(1);
    again.says("Nothing was changed");
    orugate(&["journal", "new-key", &at("none/key")]).is(74);
    orugate(&["journal", "new-key", &other]).is(0);
    let secret = std::fs::read_to_string(&key).unwrap();
    made.hides(secret.trim());

    sealed(&site, &format!("seal = {{ key = \"{key}\" }}"));
    let checked = site.run(&["check"]);
    checked.is(0);
    checked.says(&format!(", sealed by {key}"));
    checked.says("on the same file system as the journal");
    checked.hides(secret.trim());
    site.run(&["journal", "init"]).is(0);
    let engine = Engine::start(&site.engine);
    let run = || {
        let said = one_message(&site, &engine);
        assert!(said.contains("sealed=\"by key "), "{said}");
    };
    run();
    let (raw, sent) = in_the_clear(&site);
    assert!(!raw && !sent, "the journal holds a message in the clear");
    let open = Site::new();
    open.run(&["journal", "init"]).is(0);
    let _ = one_message(&open, &Engine::start(&open.engine));
    assert_eq!(in_the_clear(&open), (true, true), "what is looked for is there without sealing");

    let segment = || segments(&site).into_iter().min().unwrap();
    let refused = |seal: &str, says: &[&str]| {
        sealed(&site, seal);
        let before = std::fs::read(segment()).unwrap();
        let run = site.run(&["run"]);
        run.is(74);
        says.iter().for_each(|what| run.says(what));
        run.hides(secret.trim());
        assert!(std::fs::read(segment()).unwrap() == before, "the journal was changed");
    };
    refused("", &["is sealed", "the configuration names none", "do not make a new journal"]);
    refused(&format!("seal = {{ key = \"{other}\" }}"), &["the configuration gives", "in previous of seal"]);
    refused(&format!("seal = {{ key = \"{}\" }}", at("gone")), &["is not on this machine"]);
    refused("seal = { key = \"credential:journal-key\" }", &["only there when systemd starts the service"]);
    std::fs::write(at("short"), "00").unwrap();
    refused(&format!("seal = {{ key = \"{}\" }}", at("short")), &["has 2 bytes", "orugate journal new-key"]);
    site.run(&["check"]).is(78);
    std::fs::write(at("journal/key"), &secret).unwrap();
    sealed(&site, &format!("seal = {{ key = \"{}\" }}", at("journal/key")));
    let inside = site.run(&["run"]);
    inside.is(78);
    inside.says("is in the journal's folder");

    // A new key, and the one before for what is there already.
    sealed(&site, &format!("seal = {{ key = \"{other}\", previous = [\"{key}\"] }}"));
    run();
    refused(&format!("seal = {{ key = \"{other}\" }}"), &["in previous of seal"]);
}

#[test]
fn a_journal_with_a_credential_is_made_before_the_service_has_it() {
    let site = Site::new();
    sealed(&site, "seal = { key = \"credential:journal-key\" }");
    let made = site.run(&["journal", "init"]);
    made.is(0);
    made.says("The journal's key is a credential");
    // As systemd gives it.
    let folder = site.folder.path().join("credentials");
    std::fs::create_dir(&folder).unwrap();
    orugate(&["journal", "new-key", folder.join("journal-key").to_str().unwrap()]).is(0);
    let mut service = site.start_with(&[("CREDENTIALS_DIRECTORY", folder.to_str().unwrap())]);
    service.until("ready;");
    service.stop();
}

#[test]
fn a_serial_port_that_is_not_there_is_named_with_what_to_do() {
    let site = Site::new();
    let wire = format!("wire = {{ listen = \"{}\", allow = [\"127.0.0.1\"] }}", site.address);
    let port = site.folder.path().join("port0");
    let text = std::fs::read_to_string(&site.config).unwrap();
    let serial = format!("wire = {{ serial = \"{}\", baud = 9600 }}", port.display());
    assert!(text.contains(&wire));
    std::fs::write(&site.config, text.replace(&wire, &serial)).unwrap();
    site.run(&["journal", "init"]).is(0);
    let mut service = site.start();
    service.until("haem-1: the wire is down");
    let says = format!(
        "haem-1: the wire is down ({}: there is no such port; plug its adapter in, or take its name from ls \
         /dev/serial/by-path).",
        port.display()
    );
    site.run(&["status"]).says(&says);
    service.stop();
}

#[test]
fn a_service_that_is_not_there_is_named_so() {
    let site = Site::new();
    for command in [&["status"][..], &["holds", "list"], &["holds", "discard", "1", "--reason", "x"]] {
        let asked = site.run(command);
        asked.is(69);
        asked.says("The service is not running");
    }
}

#[test]
fn a_taken_port_is_named_with_its_instrument() {
    let site = Site::new();
    site.run(&["journal", "init"]).is(0);
    let _taken = std::net::TcpListener::bind(&site.address).unwrap();
    let run = site.run(&["run"]);
    run.is(74);
    run.says(&format!(
        "nobody could connect as haem-1: cannot listen on {}: another program listens there",
        site.address
    ));
}

/// Sends [`NO_SAMPLE`] and waits until the gateway has it interpreted; the hold that came of it.
fn hold(site: &Site, service: &mut Service) -> String {
    let capture = site.folder.path().join("no-sample.txt");
    std::fs::write(&capture, NO_SAMPLE).unwrap();
    let capture = capture.to_str().unwrap();
    let sent = orugate(&["simulate", "-p", "sysmex-xn-l", "--connect", &site.address, capture]);
    sent.is(0);
    sent.says("The message was sent and acknowledged.");
    service.until("interpreted");
    let list = site.run(&["holds", "list"]);
    list.is(0);
    list.says("no-sample-id");
    list.says("WBC");
    list.hides("TESTPATIENT");
    // The first line names the columns.
    list.out.lines().nth(1).unwrap().split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_hold_is_found_understood_released_and_discarded() {
    let site = Site::new();
    site.run(&["journal", "init"]).is(0);
    let mut service = site.start();
    service.until(&format!("listens on {}", site.address));
    service.until("ready");
    let second = site.run(&["run"]);
    second.is(74);
    second.says("another orugate");
    let quiet = site.run(&["status"]);
    quiet.is(0);
    quiet.hides("All is well.");
    assert!(
        quiet.out.contains("still connecting to engine.")
            || quiet.out.contains("but engine cannot be reached")
    );
    site.run(&["holds", "list"]).says("No holds.");

    let first = hold(&site, &mut service);
    let status = site.run(&["status"]);
    assert!(status.out.starts_with("! 1 hold waits for a person"), "{}", status.out);
    status.hides("TESTPATIENT");
    let shown = site.run(&["holds", "show", &first]);
    shown.is(0);
    shown.hides("TESTPATIENT");
    shown.says(&format!("orugate holds release {first} --sample ID"));
    shown.says(&format!("orugate holds discard {first} --reason"));
    shown.says("with --private");
    // With an order to do so, values stand in it; they come from the journal.
    let private = site.run(&["holds", "show", &first, "--private"]);
    private.is(0);
    private.says("no sample id: WBC");
    let json = site.run(&["holds", "list", "--json"]);
    json.says("\"reason\": \"no-sample-id\"");
    json.says(&format!("orugate holds release {first} --sample ID"));
    site.run(&["holds", "list", "--reason", "correction"]).says("No hold is so, and 1 other waits");
    site.run(&["holds", "list", "--instrument", "haem-1"]).says(&first);
    // Nothing changed, so it waits under its number; 1 says so to a script.
    let redriven = site.run(&["holds", "redrive", "--all"]);
    redriven.is(1);
    redriven.says(&format!("Hold {first} waits as before. The message has no sample id."));
    site.run(&["holds", "redrive"]).is(2);
    site.run(&["holds", "redrive", "--reason", "correction"]).says("No hold is so.");
    let traced = site.run(&["trace", &first, "--private"]);
    traced.says("redriven, and it waits as before");
    let unnamed = site.run(&["holds", "release", &first]);
    unnamed.is(1);
    unnamed.says(&format!("orugate holds release {first} --sample ID"));
    for sample in ["", "  ", "a\u{7}b"] {
        site.run(&["holds", "release", &first, "--sample", sample]).is(1);
    }
    let released = site.run(&["holds", "release", &first, "--sample", " T-0990 "]);
    released.is(0);
    released.says("1 result is on its way");
    service.until("interpreted");
    site.run(&["holds", "release", &first, "--sample", "T-0990"]).is(1);

    let second = hold(&site, &mut service);
    assert_ne!(first, second);
    let empty = site.run(&["holds", "discard", &second, "--reason", "  "]);
    empty.is(1);
    empty.says("needs a reason");
    site.run(&["holds", "discard", &second, "--reason", "water test"]).is(0);
    let gone = site.run(&["holds", "show", &second]);
    gone.is(1);
    gone.says("orugate holds list");

    service.kill();
    let mut service = site.start();
    service.until("ready");
    service.until("nothing listens at the engine's address");
    let status = site.run(&["status"]);
    assert!(status.out.starts_with("! engine has not taken 1 message"), "{}", status.out);
    status.says("They are safe on flash");
    status.hides("T-0990");
    let json: serde_json::Value = serde_json::from_str(&site.run(&["status", "--json"]).out).unwrap();
    assert_eq!(json["destinations"][0]["waiting"], 1);

    let engine = Engine::start(&site.engine);
    let oru = engine.next();
    assert!(oru.contains("T-0990"), "the sample id that the person gave");
    assert!(!oru.contains("TESTPATIENT"), "no patient is asserted");
    let log = service.stop();
    for secret in ["TESTPATIENT", "T-0990", "panicked"] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
    assert!(!log.contains('\u{1b}'), "colours are for terminals");
}

#[test]
fn a_parked_message_is_found_understood_and_sent() {
    let site = Site::new();
    let good = std::fs::read_to_string(&site.config).unwrap();
    let ascii = good.replace("role = \"lis\"", "role = \"lis\"\ncharset = \"ASCII\"");
    std::fs::write(&site.config, ascii.replace("sysmex-xn-l", "roche-cobas-c")).unwrap();
    site.run(&["journal", "init"]).is(0);
    let mut service = site.start();
    service.until("ready;");
    site.run(&["parked", "list"]).says("No parked messages.");
    let capture = site.folder.path().join("micro.txt");
    let records =
        b"H|\\^&|||LAB^Roche^c111|||||host|RSUPL^REAL|P|1|20261122093713\nP|1||\nO|1||T-0007||S||||||N\n\
                    R|1|^^^413|4|\xB5mol/L||N||F||||20261122093700\nL|1|N\n";
    std::fs::write(&capture, records).unwrap();
    let capture = capture.to_str().unwrap();
    orugate(&["simulate", "-p", "roche-cobas-c", "--connect", &site.address, capture]).is(0);
    service.until("parked: OBX-6");

    let status = site.run(&["status"]);
    status.says("! engine: 1 message is parked");
    status.says("orugate parked list");
    let list = site.run(&["parked", "list"]);
    list.is(0);
    list.says("1 result from haem-1");
    list.hides("T-0007");
    let number = list.out.split_whitespace().next().unwrap().to_owned();
    // As the engine's people would name it.
    let shown = site.run(&["parked", "show", &format!("TEST{number:0>16}")]);
    shown.is(0);
    shown.says("nothing of it was sent; it would go in ASCII, as engine is configured now");
    shown.says(&format!("orugate parked send {number}"));
    let still = site.run(&["parked", "send", &number, "7"]);
    still.is(1);
    still.says("Still parked: OBX-6 has a character that engine's charset, ASCII, does not have");
    still.says("There is no parked message 7.");
    site.run(&["destination", "list"]).says("engine                yes         0        1 ");
    let kept = site.run(&["destination", "drop", "engine", "--reason", "sold"]);
    kept.is(1);
    kept.says("Not dropped: engine is in the running configuration, and 1 message waits for it.");
    let utf8 = good.replace("sysmex-xn-l", "roche-cobas-c");
    std::fs::write(&site.config, utf8).unwrap();
    site.run(&["reload"]).is(0);
    let engine = Engine::start(&site.engine);
    let sent = site.run(&["parked", "send", &number]);
    sent.is(0);
    sent.says("for the first time, in UNICODE UTF-8");
    assert!(engine.next().contains("|µmol/L"));
    let log = service.stop();
    assert!(log.contains("uid "), "who sent it is not in the log: {log}");
    site.run(&["parked", "list"]).is(69);
    orugate(&["parked", "send"]).is(2);
    orugate(&["parked", "show", "TEST12"]).is(2);
}

#[test]
fn simulate_says_what_stops_it() {
    let site = Site::new();
    let target = ["simulate", "-p", "sysmex-xn-l", "--connect", &site.address];
    let refused = orugate(&target);
    refused.is(74);
    refused.says("The wire failed");
    let nowhere = orugate(&target[..3]);
    nowhere.is(64);
    nowhere.says("--connect, --listen, --serial or --udp");
    for fault in ["bogus", "flip-bit", "flip-bit:x", "flip-bit:0"] {
        let wrong = orugate(&[&target[..], &["--fault", fault]].concat());
        wrong.is(2);
        wrong.says("allowed are flip-bit:FRAME");
    }
    let unknown = orugate(&["simulate", "-p", "nope", "--connect", &site.address]);
    unknown.is(64);
    unknown.says("There is no profile nope. There are:");
}

#[test]
fn replay_of_what_is_no_capture_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture.png");
    for bytes in [&b""[..], b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x02\x05\x06\x15\xff\xfe"] {
        std::fs::write(&path, bytes).unwrap();
        let read = orugate(&["replay", "-p", "generic-astm", path.to_str().unwrap()]);
        read.is(65);
        read.says("0 messages, 0 observations");
        read.says("picture.png");
    }
    orugate(&["replay", "-p", "generic-astm", "/nonexistent"]).is(74);
    let stdin = orugate_with(&["replay", "-p", "generic-astm", "-"], NO_SAMPLE);
    stdin.is(0);
    stdin.says("1 message, 1 observation");
}

#[test]
fn a_replay_shows_what_a_destination_would_read() {
    let folder = tempfile::tempdir().unwrap();
    let sent = folder.path().join("sent");
    let replay = |charset: &str| {
        let arguments =
            ["replay", "-p", "roche-cobas-c", "--charset", charset, "--mllp", sent.to_str().unwrap()];
        let records = "H|\\^&|||LAB^Roche^c111|||||host|RSUPL^REAL|P|1|20261122093713\nP|1||\nO|1||T-0007||S||||||N\n\
                       R|1|^^^413|4|µmol/L||N||F||||20261122093700\nL|1|N\n";
        let capture = folder.path().join("capture");
        let latin: Vec<u8> = records.chars().map(|c| u8::try_from(c).unwrap()).collect();
        std::fs::write(&capture, latin).unwrap();
        orugate(&[&arguments[..], &[capture.to_str().unwrap()]].concat())
    };
    let latin = replay("8859/1");
    latin.is(0);
    latin.says("|8859/1");
    latin.says("|µmol/L");
    let bytes = std::fs::read(&sent).unwrap();
    assert!(bytes.windows(7).any(|window| window == b"|\xB5mol/L"), "{bytes:?}");
    let ascii = replay("us-ascii");
    ascii.is(0);
    ascii.says("note this ORU would not be sent but parked: OBX-6 has a character that ASCII does not have");
    ascii.says("1 ORU would wait parked");
    assert_eq!(std::fs::read(&sent).unwrap(), b"", "what would not be sent is not in the file");
    let unknown = replay("latin");
    unknown.is(2);
    unknown.says("what can stand in MSH-18 is \"ASCII\", \"8859/1\"");
}

#[test]
fn every_result_of_the_examples_is_in_an_oru_or_has_a_line() {
    let mut results = 0;
    for name in orugate_drivers::SHIPPED.names() {
        let profile = orugate::profiles::find(&orugate_drivers::SHIPPED, name).unwrap();
        for example in &profile.common().examples {
            let replayed = orugate_with(&["replay", "-p", name, "-"], &example.input);
            let mut told: Vec<&str> = replayed.out.lines().filter(|l| is_told(l)).collect();
            for record in r_records(&example.input) {
                results += 1;
                let found = told.iter().position(|line| names(line, record));
                let found =
                    found.unwrap_or_else(|| panic!("{name}: {record} is nowhere in\n{}", replayed.out));
                told.remove(found);
            }
        }
    }
    assert!(results > 20, "{results} results in all examples");
}

/// A line that accounts for a result.
fn is_told(line: &str) -> bool {
    ["OBX|", "hold ", "qc ", "note "].iter().any(|start| line.starts_with(start))
}

/// The line's own code is a component of this R.3: OBX-3's identifier, or the word after `hold`, `qc` or `note`.
fn names(line: &str, test: &str) -> bool {
    let named = match line.strip_prefix("OBX|") {
        Some(fields) => fields.split('|').nth(2).unwrap_or_default(),
        None => line.split_once(' ').map_or("", |(_, rest)| rest),
    };
    // A cobas writes the code, a slash and the dilution, a Vitros dilution, code and version with plus signs between; a DxH
    // has exclamation marks between components.
    let codes = || test.split(['^', '/', '+', '!']).filter(|code| !code.is_empty());
    if codes().next().is_none() {
        return named.starts_with("(no code)");
    }
    // A profile's `part` stands behind a slash. `Na+` has its plus itself. The whole field, where the
    // header left nobody able to take it apart.
    codes().chain(test.split('^').filter(|code| !code.is_empty())).chain([test]).any(|code| {
        let rest = named.strip_prefix(code);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['^', ' ', ':', '/']))
    })
}

/// R.3 of each R record in a text of records or a script.
fn r_records(input: &str) -> Vec<&str> {
    let lines = input.split(['\n', '\r']).map(|line| {
        let line = line.trim_start();
        line.strip_prefix("<STX>").map_or(line, |l| l.trim_start_matches(|c: char| c.is_ascii_digit()))
    });
    lines
        .filter(|line| line.starts_with("R|"))
        .map(|line| line.split('|').nth(2).unwrap_or_default())
        .collect()
}

#[test]
#[allow(clippy::disallowed_methods)] // The promise is about the time on the wall.
fn the_demo_balances_in_time_and_can_be_followed() {
    let began = Instant::now();
    let demo = orugate(&["demo"]);
    demo.is(0);
    assert!(began.elapsed() < Duration::from_secs(30));
    demo.says("No timer is scaled");
    demo.says("difference 0. Messages that came to it twice:");
    demo.says("monitor-1               7        7 ");
    demo.says("ventilator-1            6        6 ");
    assert_eq!(demo.out.lines().last(), Some("The ledger balances."));
    assert!(demo.out.lines().count() <= 70, "nobody follows more:\n{}", demo.out);
}

#[test]
fn the_demo_stays_and_takes_another_instrument() {
    let mut demo = Service::spawn(&["demo", "--stay"]);
    // What it says is what is typed.
    let typed = |demo: &mut Service, line: &str| {
        let line = demo.until(line);
        let arguments: Vec<String> =
            line.split_once("orugate ").unwrap().1.split_whitespace().map(str::to_owned).collect();
        let ran = orugate(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        ran.is(0);
        (ran, arguments)
    };
    typed(&mut demo, "Another simulated analyzer:");
    let (status, arguments) = typed(&mut demo, "What the gateway sees:");
    status.says("chemistry-1");
    demo.until("a real engine");
    demo.stop();
    assert!(!PathBuf::from(arguments.last().unwrap()).exists(), "the demo leaves nothing behind");
}
