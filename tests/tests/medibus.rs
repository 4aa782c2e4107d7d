//! A ventilator on a whole gateway: a simulated Evita 4 on a serial server, over TCP, and IHE PCD-01 at the other end.
//!
//! Promises that what the device says arrives with its units, places and marks, that what it leaves out is withdrawn, that a
//! stop of the gateway tells the device, so that no alarm comes of it, and that a driver which comes to no end with what one
//! ventilator says withdraws that and holds up no other.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test that cannot go on has failed.

use orugate::clock::Clock;
use orugate::config::Plan;
use orugate::engine::{Engine, Received};
use orugate::run::{Gateway, init_journal};
use orugate::simulate::{self, Plug, Target};
use orugate_tests::breaking::Breaking;
use orugate_tests::python;
use orugate_tests::world::{PATIENCE, plan};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

const BREATHING: &str = "52 8240'Evita 4'04.20:03.00\n24 78 5.0\n24 D6 14\n24 7E 0.45\n25 D6 8\n26 D6 30\n29 0B 5.0\n2A 0E BIPAP\n";
const ALONE: &str = "52 8240'Evita 4'04.20:03.00\n24 78 8.0\n29 0B 8.0\n2A 0E BIPAP\n27 31 9A DISCONNECT\n";

/// OBX rows with this in OBX-3, of all messages, in their order.
fn rows(engine: &Engine, code: &str) -> Vec<String> {
    rows_of(engine, "vent", code)
}

/// Of this instrument.
fn rows_of(engine: &Engine, name: &str, code: &str) -> Vec<String> {
    let messages = engine.messages();
    let texts = messages.iter().map(|message| String::from_utf8_lossy(&message.bytes).into_owned());
    let texts = texts.filter(|text| text.contains(&format!("^{name}|")));
    let rows = texts.flat_map(|text| text.split('\r').map(str::to_owned).collect::<Vec<_>>());
    rows.filter(|row| {
        row.starts_with("OBX|") && row.split('|').nth(3).is_some_and(|field| field.contains(code))
    })
    .collect()
}

/// Value and status of such rows.
fn values(engine: &Engine, code: &str) -> Vec<(String, String)> {
    let rows = rows(engine, code);
    let field = |row: &String, n: usize| row.split('|').nth(n).unwrap_or_default().to_owned();
    rows.iter().map(|row| (field(row, 5), field(row, 11))).collect()
}

/// Ventilators of these names, a snapshot a second.
fn ventilators(folder: &Path, engine: &Engine, names: &[&str]) -> Plan {
    let (path, address) = (folder.display(), engine.address());
    let mut text = format!(
        "version = 1\n[gateway]\nid = \"TEST\"\nfacility = \"ICU\"\ntimezone = \"UTC\"\nadmin_socket = \"{path}/admin.sock\"\n\
         [journal]\npath = \"{path}/journal\"\n[[destination]]\nname = \"engine\"\nrole = \"lis\"\n\
         receiving = {{ application = \"ENGINE\", facility = \"HOSP\" }}\nmllp = {{ address = \"{address}\" }}\npcd = {{}}\n"
    );
    for (port, name) in (1..).zip(names) {
        let _ = write!(
            text,
            "[[instrument]]\nname = \"{name}\"\nprofile = \"draeger-evita\"\nmode = \"live\"\nsend_to = [\"engine\"]\n\
             wire = {{ listen = \"127.0.0.1:{port}\", allow = [\"127.0.0.1\"] }}\n\
             bedside = {{ interval = \"1 s\", location = \"ICU^12^{port}^HOSP\" }}\n"
        );
    }
    plan(folder, &text)
}

async fn start(plan: Plan) -> Gateway {
    std::fs::create_dir(&plan.journal.path).unwrap();
    init_journal(&plan.journal.path, Clock::system(0).utc()).unwrap();
    Gateway::start(plan, Clock::system).await.unwrap()
}

/// Plays these, a scene in each round of the poll, and hands on what the device would tell a person.
async fn play(gateway: SocketAddr, scenes: Vec<&'static str>, mut tell: impl FnMut(&str)) {
    let profile = orugate::profiles::find(&orugate_drivers::SHIPPED, "draeger-evita").unwrap();
    let scenes = scenes.iter().map(|scene| scene.as_bytes().to_vec()).collect();
    let mut plug = Plug::to(Target::Connect(gateway.to_string()));
    let session = profile.simulator(scenes, &[]);
    let _ = simulate::play(session, &mut plug, None, None, &Clock::system(0), &mut tell).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ventilator_is_read_and_left_without_an_alarm() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(Clock::system(0)).unwrap();
    let gateway = start(ventilators(folder.path(), &engine, &["vent"])).await;
    // Two of breathing, then nobody breathes.
    let scenes = [BREATHING, BREATHING].into_iter().chain([ALONE; 40]).collect();
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    let player =
        play(gateway.listening()["vent"], scenes, move |line| heard.lock().unwrap().push(line.to_owned()));
    let watcher = async {
        let mut counts = engine.watch();
        while values(&engine, "24:D6").last().is_none_or(|(_, status)| status != "X") {
            counts.changed().await.unwrap();
        }
    };
    let played = tokio::task::LocalSet::new();
    played.spawn_local(player);
    let withdrawn = tokio::time::timeout(PATIENCE, played.run_until(watcher)).await;
    assert!(withdrawn.is_ok(), "{:?} {:?}", told.lock().unwrap(), engine.messages());
    let told_of = |what: &str| told.lock().unwrap().iter().any(|line| line.contains(what));
    let stopped = tokio::time::timeout(PATIENCE, played.run_until(gateway.stop()));
    stopped.await.expect("the gateway stops");
    assert!(told_of("the host ended the communication"), "{:?}", told.lock().unwrap());
    assert!(!told_of("the host said nothing"), "{:?}", told.lock().unwrap());

    let rate = values(&engine, "24:D6");
    assert_eq!(rate.first(), Some(&("14".to_owned(), "R".to_owned())), "{rate:?}");
    assert_eq!(rate.iter().filter(|(_, status)| status == "X").count(), 1, "withdrawn once: {rate:?}");
    let peep = values(&engine, "24:78");
    assert_eq!(peep.first(), Some(&("5.0".to_owned(), "R".to_owned())));
    assert_eq!(peep.last(), Some(&("8.0".to_owned(), "R".to_owned())));
    let rows = |code: &str| rows(&engine, code);
    assert!(
        rows("24:D6")[0].contains("|1.1.0.215|14|264928^MDC_DIM_RESP_PER_MIN^MDC^"),
        "{}",
        rows("24:D6")[0]
    );
    assert!(rows("24:D6")[0].contains("|8-30|"), "{}", rows("24:D6")[0]);
    assert!(rows("24:7E")[0].contains("|0.45|263744^MDC_DIM_L^MDC^L"), "{}", rows("24:7E")[0]);
    assert!(rows("27:9A").iter().any(|row| row.contains("|DISCONNECT|||A~PH~ALACT|")), "{:?}", rows("27:9A"));
    let Some(python) = python::python() else { return };
    let file = folder.path().join("received");
    let framed = |message: Received| [b"\x0B", &*message.bytes, b"\x1C\r"].concat();
    std::fs::write(&file, engine.messages().into_iter().flat_map(framed).collect::<Vec<u8>>()).unwrap();
    let (said, passed) = python::check_pcd(&python, &file).unwrap();
    assert!(passed, "{said}");
}

/// Its driver comes to no end with it.
const ENDLESS: &str = "52 8240'Evita 4'04.20:03.00\n24 78 999\n24 D6 14\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_driver_without_end_withdraws_what_one_ventilator_said_and_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(Clock::system(0)).unwrap();
    let mended = Arc::new(AtomicBool::new(false));
    let mut plan = ventilators(folder.path(), &engine, &["vent", "beside"]);
    plan.instruments[0].profile = Arc::new(Breaking::ventilator(mended.clone()));
    let gateway = start(plan).await;
    let at = |name: &str| gateway.listening()[name];
    let breaks = [BREATHING, BREATHING].into_iter().chain([ENDLESS; 100]).collect();
    let played = tokio::task::LocalSet::new();
    played.spawn_local(play(at("vent"), breaks, |_| {}));
    played.spawn_local(play(at("beside"), vec![BREATHING; 100], |_| {}));
    let rate = |name: &str| -> Vec<String> {
        let rows = rows_of(&engine, name, "24:D6");
        rows.iter().map(|row| row.split('|').nth(11).unwrap_or_default().to_owned()).collect()
    };
    let mut counts = engine.watch();
    // Withdrawn, and the other one is heard after that as it was before.
    let watcher = async {
        while rate("vent").last().is_none_or(|status| status != "X") {
            counts.changed().await.unwrap();
        }
        let by_then = rate("beside").len();
        while rate("beside").len() < by_then + 3 {
            counts.changed().await.unwrap();
        }
        by_then
    };
    let by_then = tokio::time::timeout(PATIENCE, played.run_until(watcher)).await;
    let (vent, beside) = (rate("vent"), rate("beside"));
    // The threads that were left behind come to their end.
    let unsent = gateway.store.state().bedside("vent").and_then(|device| device.unsent.clone());
    mended.store(true, Ordering::Relaxed);
    assert!(by_then.is_ok_and(|before| before >= 2), "{vent:?} {beside:?}");
    let why = unsent.map(|unsent| unsent.why).unwrap_or_default();
    assert!(why.starts_with("its driver came to no end with"), "{why:?}");
    assert_eq!(vent.iter().filter(|status| *status == "X").count(), 1, "withdrawn once: {vent:?}");
    assert!(beside.iter().all(|status| status == "R"), "{beside:?}");
    tokio::time::timeout(PATIENCE, played.run_until(gateway.stop())).await.expect("the gateway stops");
}
