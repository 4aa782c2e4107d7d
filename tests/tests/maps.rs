//! Maps through the whole gateway, by the traps that laboratories fall into: bytes of an analyzer in, OBX-3 out.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use orugate::admin::{Request, Response};
use orugate::apart::MESSAGE;
use orugate::clock::Clock;
use orugate::config::{self, Difference, Loaded, Plan, WirePlan};
use orugate::dryrun::see;
use orugate::engine::Engine;
use orugate::replay::hear;
use orugate::run::{Gateway, init_journal};
use orugate_drivers::SHIPPED;
use orugate_protocol::time::Utc;
use orugate_tests::oru::{field, segments};
use orugate_tests::sender::Sender;
use orugate_tests::world::{PATIENCE, Plug, configuration};
use std::net::SocketAddr;
use std::path::Path;

const MAP: &str = "\
code,specimen,unit,loinc,name,ucum,panel,panel_name
GLU,,,2345-7,Glucose in serum,mg/dL,24323-8,Comprehensive panel
GLU,UR,,2350-7,Glucose in urine,mg/dL,,
CREA,,,2160-0,,mg/dL,24323-8,Comprehensive panel
INR,,,6301-6,INR,1,,
A^B,,,1988-5,C^ reactive|protein,mg/L,,
";

/// The configuration of one analyzer with these keys and these maps, from files.
fn loaded(folder: &Path, engine: SocketAddr, keys: &str, maps: &[(&str, &str)]) -> Loaded {
    let text = configuration(folder, engine, &[("analyzer", "generic-astm", Plug::Tcp)]);
    std::fs::write(folder.join("orugate.toml"), format!("{text}{keys}\n")).unwrap();
    std::fs::create_dir_all(folder.join("maps.d")).unwrap();
    for (name, text) in maps {
        std::fs::write(folder.join(format!("maps.d/{name}.csv")), text).unwrap();
    }
    match config::load(&folder.join("orugate.toml"), &SHIPPED) {
        Ok(loaded) => loaded,
        Err(mistakes) => panic!("{mistakes}"),
    }
}

fn plan(folder: &Path, engine: SocketAddr, keys: &str, maps: &[(&str, &str)]) -> Plan {
    let Loaded { mut plan, .. } = loaded(folder, engine, keys, maps);
    for instrument in &mut plan.instruments {
        if let WirePlan::Listen { bind, .. } = &mut instrument.wire {
            bind.set_port(0);
        }
    }
    plan
}

/// One order of a sample with its material, and its results as (code, value, unit).
fn message(sample: &str, material: &str, results: &[(&str, &str, &str)]) -> Vec<String> {
    let mut records = vec![
        "H|\\^&|||RIG^1|||||||P|1|20261122093407".to_owned(),
        "P|1".to_owned(),
        format!("O|1|{sample}||^^^ALL|R||||||N||||{material}||||||||||F"),
    ];
    for (n, (code, value, unit)) in (1..).zip(results) {
        records.push(format!("R|{n}|^^^{code}|{value}|{unit}||N||F||||20261122093400"));
    }
    records.push("L|1|N".to_owned());
    records
}

/// What a dry run gives: OBX-3 and OBX-6 of each result and OBR-4 of each order, then what is not sent.
fn dry(keys: &str, maps: &[(&str, &str)], messages: &[Vec<String>]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(folder.path(), "127.0.0.1:1".parse().unwrap(), keys, maps);
    let capture: String = messages.iter().map(|records| records.join("\r") + "\r").collect();
    let instrument = &plan.instruments[0];
    let heard = hear(&*instrument.profile, capture.as_bytes(), &[]);
    let seen = see(&plan, instrument, &heard, Utc(1_795_000_000_000_000), MESSAGE);
    let mut out = String::new();
    for segment in seen.orus("engine").lines() {
        match segment.get(..3) {
            Some("OBR") => out += &format!("OBR-4 {}\n", field(segment, 4)),
            Some("OBX") => out += &format!("{} {}\n", field(segment, 3), field(segment, 6)),
            Some("NTE") => out += &format!("NTE {}\n", field(segment, 3)),
            _ => {}
        }
    }
    let notes = seen.not_sent();
    out + &notes
        .lines()
        .filter(|line| !line.starts_with("note"))
        .map(|line| format!("{line}\n"))
        .collect::<String>()
}

const MAPPED: &str = "map = \"chem\"";

#[test]
fn a_row_gives_loinc_and_name_and_the_vendors_code_goes_along() {
    let got = dry(
        MAPPED,
        &[("chem", MAP)],
        &[message("S-1", "", &[("GLU", "98", "mg/dL"), ("CREA", "1", "mg/dl")])],
    );
    expect_test::expect![[r#"
        OBR-4 24323-8^Comprehensive panel^LN^ALL^^99ASTM
        2345-7^Glucose in serum^LN^GLU^^99ASTM mg/dL^^99ASTM
        2160-0^CREA^LN^CREA^^99ASTM mg/dl^^99ASTM
    "#]]
    .assert_eq(&got);
}

#[test]
fn without_a_map_and_without_a_row_results_flow_with_the_vendors_code() {
    let one = [message("S-1", "", &[("GLU", "98", "mg/dL"), ("TSH", "2", "mU/L")])];
    let got = dry("", &[], &one);
    expect_test::expect![[r#"
        OBR-4 ALL^^99ASTM
        GLU^^99ASTM mg/dL^^99ASTM
        TSH^^99ASTM mU/L^^99ASTM
    "#]]
    .assert_eq(&got);
    // One result without a row, and the order has no panel.
    let got = dry(MAPPED, &[("chem", MAP)], &one);
    expect_test::expect![[r#"
        OBR-4 ALL^^99ASTM
        2345-7^Glucose in serum^LN^GLU^^99ASTM mg/dL^^99ASTM
        TSH^^99ASTM mU/L^^99ASTM
    "#]]
    .assert_eq(&got);
}

#[test]
fn a_site_that_requires_a_row_holds_what_has_none() {
    let one = [message("S-1", "", &[("GLU", "98", "mg/dL"), ("TSH", "2", "mU/L")])];
    let got = dry("map = [\"chem\"]\nrequire_map = true", &[("chem", MAP)], &one);
    expect_test::expect![[r#"
        OBR-4 ALL^^99ASTM
        2345-7^Glucose in serum^LN^GLU^^99ASTM mg/dL^^99ASTM
        TSH: held, unmapped-code: No map of the instrument has a row for the test, and `require_map` is true. Add the row (docs/maps.md), orugate reload, then redrive. A release sends it with the instrument's code alone, without LOINC.
    "#]]
    .assert_eq(&got);
}

/// A mistyped code would except nothing, and nobody would see it.
#[test]
fn a_test_that_is_rerun_otherwise_and_that_no_map_has_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let keys = "map = \"chem\"\nreruns_except = { hold = [\"GLU\", \"glu\"], last = [\"K\"] }";
    let found = loaded(folder.path(), "127.0.0.1:1".parse().unwrap(), keys, &[("chem", MAP)]);
    let told: Vec<String> = found.warnings.iter().map(ToString::to_string).collect();
    let says = |key: &str, code: &str| {
        format!(
            "reruns_except.{key}: no map of this instrument has a row for {code:?}; write the test's code exactly as it stands in \
             OBX-3 and in the map"
        )
    };
    for wanted in [says("last", "K"), says("hold", "glu")] {
        assert!(told.iter().any(|told| told.contains(&wanted)), "{wanted} in {told:#?}");
    }
    assert_eq!(told.iter().filter(|told| told.contains("reruns_except")).count(), 2, "{told:#?}");
}

#[test]
fn the_same_code_of_another_specimen() {
    let messages =
        [message("S-1", "UR", &[("GLU", "98", "mg/dL")]), message("S-2", "Serum", &[("GLU", "98", "mg/dL")])];
    let got = dry(MAPPED, &[("chem", MAP)], &messages);
    expect_test::expect![[r#"
        OBR-4 ALL^^99ASTM
        2350-7^Glucose in urine^LN^GLU^^99ASTM mg/dL^^99ASTM
        OBR-4 24323-8^Comprehensive panel^LN^ALL^^99ASTM
        2345-7^Glucose in serum^LN^GLU^^99ASTM mg/dL^^99ASTM
    "#]]
    .assert_eq(&got);
}

#[test]
fn the_same_code_in_another_unit_is_held_with_both_units() {
    let units = [("GLU", "5.4", "mmol/L"), ("CREA", "80", ""), ("INR", "1.1", "%"), ("INR", "1.1", "")];
    let got = dry(MAPPED, &[("chem", MAP)], &[message("S-1", "", &units)]);
    assert!(
        got.contains("GLU: held, unit-differs: GLU came in mmol/L, and chem.csv line 2 expects mg/dL. "),
        "{got}"
    );
    assert!(
        got.contains(
            "CREA: held, unit-differs: CREA came without a unit, and chem.csv line 4 expects mg/dL. "
        ),
        "{got}"
    );
    assert!(
        got.contains("INR: held, unit-differs: INR came in %, and chem.csv line 5 expects no unit. "),
        "{got}"
    );
    assert!(got.contains("6301-6^INR^LN^INR^^99ASTM"), "{got}");
    assert_eq!(got.matches("held").count(), 3, "{got}");
}

#[test]
fn a_unit_text_that_differs_only_in_case() {
    let got = dry(MAPPED, &[("chem", MAP)], &[message("S-1", "", &[("GLU", "98", "MG/DL")])]);
    assert!(
        got.starts_with("GLU: held, unit-differs: GLU came in MG/DL, and chem.csv line 2 expects mg/dL."),
        "{got}"
    );
}

#[test]
fn what_stands_in_the_unit_field_is_shown_in_part_only() {
    let noise = "Invented^Person\u{1}of this street";
    let got = dry(MAPPED, &[("chem", MAP)], &[message("S-1", "", &[("GLU", "98", noise)])]);
    assert!(!got.contains("street"), "{got}");
}

#[test]
fn an_escaped_delimiter_in_a_code_and_in_a_name() {
    let got = dry(MAPPED, &[("chem", MAP)], &[message("S-1", "", &[("A&S&B", "4", "mg/L")])]);
    expect_test::expect![[r#"
        OBR-4 ALL^^99ASTM
        1988-5^C\S\ reactive\F\protein^LN^A\S\B^^99ASTM mg/L^^99ASTM
    "#]]
    .assert_eq(&got);
}

#[test]
fn quality_control_and_what_is_no_value_is_not_held_for_its_unit() {
    let messages = [
        message("QC-1", "", &[("GLU", "98", "mmol/L"), ("TSH", "1", "")]),
        message("S-1", "", &[("GLU", "---", ""), ("CREA", "", "")]),
    ];
    let got = dry("map = [\"chem\"]\nrequire_map = true", &[("chem", MAP)], &messages);
    assert_eq!(got.matches("qc, not a patient's result").count(), 2, "{got}");
    assert_eq!(got.matches("not reportable").count(), 1, "{got}");
    // A flag without a value has nothing that a unit could belong to.
    assert!(got.contains("2160-0^CREA^LN^CREA^^99ASTM \n"), "{got}");
    assert!(!got.contains("held"), "{got}");
}

#[test]
fn a_loinc_code_of_the_instrument_gives_way_and_is_told() {
    let profile = "name = \"own\"\nextends = \"generic-astm\"\ntitle = \"T\"\nevidence = \"captured-bytes\"\n[code]\nid = 4\nloinc = 5\n";
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("profiles.d")).unwrap();
    std::fs::write(folder.path().join("profiles.d/own.toml"), profile).unwrap();
    let mut plan = plan(folder.path(), "127.0.0.1:1".parse().unwrap(), MAPPED, &[("chem", MAP)]);
    let main = folder.path().join("orugate.toml");
    let text = std::fs::read_to_string(&main).unwrap().replace("\"generic-astm\"", "\"own\"");
    std::fs::write(&main, text).unwrap();
    plan = config::load(&main, &SHIPPED).map(|loaded| loaded.plan).unwrap_or(plan);
    let instrument = &plan.instruments[0];
    let capture =
        message("S-1", "", &[("GLU^2339-0", "98", "mg/dL"), ("TSH^3016-3", "2", "mU/L")]).join("\r") + "\r";
    let heard = hear(&*instrument.profile, capture.as_bytes(), &[]);
    let oru = see(&plan, instrument, &heard, Utc(1_795_000_000_000_000), MESSAGE).orus("engine");
    assert!(oru.contains("|2345-7^Glucose in serum^LN^GLU^^99ASTM|"), "{oru}");
    assert!(oru.contains("|LOINC code that the instrument sent: 2339-0"), "{oru}");
    assert!(oru.contains("|3016-3^TSH^LN^TSH^^99ASTM|"), "{oru}");
}

async fn start(plan: Plan) -> Gateway {
    std::fs::create_dir(&plan.journal.path).unwrap();
    init_journal(&plan.journal.path, Clock::system(0).utc()).unwrap();
    Gateway::start(plan, Clock::system).await.unwrap()
}

async fn send(gateway: &Gateway, records: Vec<String>) {
    let address = gateway.listening()["analyzer"];
    let sent = tokio::task::spawn_blocking(move || {
        Sender::connect(address).unwrap().message(&records, &mut |_| {}).unwrap();
    });
    sent.await.unwrap();
}

async fn has(engine: &Engine, messages: u64) {
    let mut counts = engine.watch();
    let so = counts.wait_for(|counts| counts.distinct >= messages);
    tokio::time::timeout(PATIENCE, so).await.unwrap().unwrap();
}

async fn until(gateway: &Gateway, so: impl Fn(&Gateway) -> bool) {
    let mut applied = gateway.store.applied();
    let waited = tokio::time::timeout(PATIENCE, async {
        while !so(gateway) {
            applied.changed().await.unwrap();
        }
    });
    assert!(waited.await.is_ok(), "waited in vain");
}

/// Each OBX that the engine got: OBX-3, value, OBX-11, and the notes below it.
fn got(engine: &Engine) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for message in engine.messages() {
        for segment in segments(&message.bytes) {
            match segment.get(..3) {
                Some("OBX") => {
                    all.push(format!("{} {} {}", field(&segment, 3), field(&segment, 5), field(&segment, 11)))
                }
                Some("NTE") => all.push(format!("NTE {}", field(&segment, 3))),
                _ => {}
            }
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_map_changed_by_reload_between_two_messages_changes_no_identity() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(Clock::system(0)).unwrap();
    let of = |keys: &str, map: &str| plan(folder.path(), engine.address(), keys, &[("chem", map)]);
    let gateway = start(of("", MAP)).await;
    let glucose = |value| message("M-1", "", &[("GLU", value, "mg/dL")]);
    send(&gateway, glucose("98")).await;
    has(&engine, 1).await;
    let with = of(MAPPED, MAP);
    let difference = gateway.difference(&with);
    assert_eq!(difference.changes.len(), 1, "{difference:?}");
    let said = difference.changes[0].to_string();
    assert!(said.starts_with("analyzer: map none → chem: 5 rows added (A^B 1988-5, CREA 2160-0, "), "{said}");
    gateway.reload(with, "test").await;
    // The same again is a resend, and another value is a correction, under the code that the instrument wrote.
    send(&gateway, glucose("98")).await;
    has(&engine, 2).await;
    gateway.reload(of(MAPPED, &MAP.replace("2345-7", "2339-0")), "test").await;
    send(&gateway, glucose("99")).await;
    has(&engine, 3).await;
    let seen = got(&engine);
    assert_eq!(
        seen,
        [
            "GLU^^99ASTM 98 F",
            "NTE Sent again by the instrument.",
            "2345-7^Glucose in serum^LN^GLU^^99ASTM 98 F",
            "2339-0^Glucose in serum^LN^GLU^^99ASTM 99 C",
            "NTE Corrected: another result was sent before: 98 mg/dL",
        ]
    );
    let numbers: Vec<String> = engine
        .messages()
        .iter()
        .map(|m| {
            segments(&m.bytes).iter().find(|s| s.starts_with("OBR")).map(|s| field(s, 3).to_owned()).unwrap()
        })
        .collect();
    assert!(numbers.iter().all(|number| *number == numbers[0]), "{numbers:?}");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_redriven_after_the_map_was_corrected_goes_with_loinc_and_one_released_before_without() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(Clock::system(0)).unwrap();
    let of = |map: &str| {
        plan(folder.path(), engine.address(), "map = \"chem\"\nrequire_map = true", &[("chem", map)])
    };
    let gateway = start(of(MAP)).await;
    for sample in ["H-1", "H-2"] {
        send(&gateway, message(sample, "", &[("GLU", "5.4", "mmol/L"), ("TSH", "2", "m[IU]/L")])).await;
    }
    until(&gateway, |gateway| gateway.store.state().holds().count() == 4).await;
    let holds: Vec<(u64, String, String)> = gateway
        .store
        .state()
        .holds()
        .map(|(number, open)| (number, open.hold.reason.clone(), open.hold.sentence.clone()))
        .collect();
    let reasons: Vec<&str> = holds.iter().map(|(_, reason, _)| reason.as_str()).collect();
    assert_eq!(reasons, ["unit-differs", "unmapped-code", "unit-differs", "unmapped-code"]);
    assert!(
        holds[0].2.starts_with("GLU came in mmol/L, and chem.csv line 2 expects mg/dL. "),
        "{}",
        holds[0].2
    );
    let release =
        |hold: u64| gateway.admin.answer(Request::Release { hold, sample: None, anyway: false }, "uid 1000");
    let redrive = |hold: u64| gateway.admin.answer(Request::Redrive { hold }, "uid 1000");
    // With the map as it is nothing goes out by a redrive, and the holds stay what they are.
    for (number, ..) in &holds {
        let _ = redrive(*number).await;
    }
    assert_eq!(
        gateway.store.state().holds().map(|(number, _)| number).collect::<Vec<_>>(),
        holds.iter().map(|h| h.0).collect::<Vec<_>>()
    );
    // Before: the person's word sends them, and nobody says a LOINC code that was not meant.
    for (number, ..) in &holds[..2] {
        let done = release(*number).await;
        assert!(matches!(&done, Response::Done(_)), "{done:?}");
    }
    has(&engine, 2).await;
    // After: with what the map says now.
    let corrected = MAP.replace("2345-7,Glucose in serum,mg/dL", "14749-6,Glucose in serum,mmol/L")
        + "TSH,,,3016-3,TSH,m[IU]/L,,\n";
    gateway.reload(of(&corrected), "test").await;
    for (number, ..) in &holds[2..] {
        let done = redrive(*number).await;
        assert!(matches!(&done, Response::Done(_)), "{done:?}");
    }
    has(&engine, 4).await;
    assert_eq!(
        got(&engine),
        [
            "GLU^^99ASTM 5.4 F",
            "TSH^^99ASTM 2 F",
            "14749-6^Glucose in serum^LN^GLU^^99ASTM 5.4 F",
            "3016-3^TSH^LN^TSH^^99ASTM 2 F",
        ]
    );
    assert_eq!(gateway.store.state().ledger().map(|(_, counts)| counts.difference()).sum::<i64>(), 0);
    gateway.stop().await;
}

#[test]
fn the_configurations_hash_and_its_difference_know_the_maps() {
    let folder = tempfile::tempdir().unwrap();
    let of = |map: &str| plan(folder.path(), "127.0.0.1:1".parse().unwrap(), MAPPED, &[("chem", map)]);
    let (before, same, after) =
        (of(MAP), of(MAP), of(&MAP.replace("CREA,,,2160-0,,mg/dL", "CREA,,,14682-9,,umol/L")));
    assert_eq!(before.hash, same.hash);
    assert_ne!(before.hash, after.hash);
    assert!(Difference::between(&before, &same).is_empty());
    let said: Vec<String> =
        Difference::between(&before, &after).changes.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["analyzer: map chem: 1 row changed (CREA: 2160-0 → 14682-9, unit mg/dL → umol/L)"]);
}
