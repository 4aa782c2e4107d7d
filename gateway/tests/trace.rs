//! `orugate trace`, as a person and as a program meet it, over journals that the program itself wrote.
//!
//! Promises that the first lines say what became of each result; that a value is led from its bytes to its OBX; that nobody's
//! data but that of the asked sample is given out, and none at all where nobody asked for it; that the service's own words
//! (who, when, why) are there; and that the JSON keeps its form. Waits only for lines, exits and records.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code)]
mod common;
#[allow(dead_code)]
#[path = "journal/story.rs"]
mod story;

use common::{Engine, Ran, Service, Site, orugate};
use orugate_protocol::astm::link::{FrameEnd, encode_frame};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

const PATIENT: &str = "TESTPATIENT^INVENTED";

/// A result: code, value and status.
type R<'t> = (&'t str, &'t str, &'t str);

/// Orders of a Sysmex: sample id and results.
fn message(orders: &[(&str, &[R<'_>])]) -> String {
    let mut text =
        format!("H|\\^&|||XN-550^00-01^11001^^^^TEST01|||||||P|E1394-97|20261123040000\nP|1||||{PATIENT}\n");
    for (n, (sample, results)) in (1..).zip(orders) {
        text += &format!("O|{n}||^^{sample}^M|^^^^WBC|R||||||N||||||||||||||F\n");
        for (n, (code, value, status)) in (1..).zip(*results) {
            text += &format!("R|{n}|^^^^{code}^1|{value}|10*3/uL||N||{status}||||20261123040000\n");
        }
    }
    text + "L|1|N\n"
}

struct Story {
    site: Site,
    service: Option<Service>,
}

impl Story {
    fn new() -> Self {
        let site = Site::new();
        site.run(&["journal", "init"]).is(0);
        let mut service = site.start();
        service.until("ready;");
        Self { site, service: Some(service) }
    }

    fn service(&mut self) -> &mut Service {
        self.service.as_mut().unwrap()
    }

    fn hear(&mut self, text: &str) {
        let capture = self.site.folder.path().join("capture.txt");
        std::fs::write(&capture, text).unwrap();
        let capture = capture.to_str().unwrap();
        orugate(&["simulate", "-p", "sysmex-xn-l", "--connect", &self.site.address, capture]).is(0);
        self.service().until("interpreted");
    }

    /// Waits until the list of messages says this so often.
    fn until_list(&self, what: &str, times: usize) {
        let mut list = String::new();
        for _ in 0..400 {
            list = self.site.run(&["journal", "list"]).out;
            if list.matches(what).count() >= times {
                return;
            }
        }
        panic!("not {times} times {what:?} in:\n{list}");
    }

    fn holds(&self) -> String {
        let list = self.site.run(&["holds", "list"]);
        // The first line names the columns.
        list.out.lines().nth(1).unwrap().split_whitespace().next().unwrap().to_owned()
    }

    fn trace(&self, what: &str, more: &[&str]) -> Ran {
        let ran = self.site.run(&[&["trace", what], more].concat());
        for line in ran.out.lines() {
            assert!(more.contains(&"--json") || line.chars().count() <= 100, "too wide: {line}");
        }
        ran
    }

    fn json(&self, what: &str) -> Value {
        let ran = self.trace(what, &["--json", "--private"]);
        ran.is(0);
        serde_json::from_str(&ran.out).unwrap()
    }
}

#[test]
fn a_delivered_result_is_led_from_its_bytes_to_the_answer() {
    let mut story = Story::new();
    let engine = Engine::start(&story.site.engine);
    let folder = story.site.folder.path().to_owned();
    let text = std::fs::read_to_string(folder.join("orugate.toml")).unwrap();
    let text = text.replace("mode = \"live\"\n", "mode = \"live\"\nmap = \"haem\"\n");
    std::fs::write(folder.join("orugate.toml"), text).unwrap();
    std::fs::create_dir(folder.join("maps.d")).unwrap();
    let map = |story: &Story, loinc: &str| {
        let text =
            format!("code,loinc,name,ucum\nPLT,777-3,Platelets,10*3/uL\nWBC,{loinc},Leukocytes,10*3/uL\n");
        std::fs::write(folder.join("maps.d/haem.csv"), text).unwrap();
        story.site.run(&["reload"]).is(0);
    };
    map(&story, "6690-2");
    story.hear(&message(&[("S-4711", &[("WBC", "6.10", "F"), ("RBC", "4.2", "F")])]));
    let oru = engine.next();
    assert!(oru.contains("|6690-2^Leukocytes^LN^WBC^^99SYSMEX|"), "{oru}");
    story.until_list("acknowledged by engine (AA)", 1);
    let traced = story.trace("S-4711", &["--private"]);
    traced.is(0);
    let mut lines = traced.out.lines();
    assert_eq!(lines.next().unwrap(), "S-4711: 2 results in 1 message: 2 acknowledged.");
    let first = lines.next().unwrap();
    assert!(first.starts_with("  WBC          6.10 10*3/uL N"), "{first}");
    assert!(traced.out.contains("engine acknowledged it with AA 20"), "{}", traced.out);
    let msh_10 = oru.split('|').nth(9).unwrap();
    traced.says("checksum ok");
    traced.says("<STX>1H|\\^&|||XN-550");
    traced.says("R|1|^^^^WBC^1|6.10|10*3/uL||N||F||||20261123040000<CR>");
    traced.says(&format!("-> OBX 1 of {msh_10} for engine, delivered"));
    traced.says(&format!("-> OBX 2 of {msh_10} for engine, delivered"));
    traced.says("Read as then, with version ");
    traced.hides("otherwise");
    traced.says("map haem, haem.csv line 3: 6690-2 in 10*3/uL");
    traced.hides("The maps have changed since");
    traced.says(", map haem");
    traced.says("the message is whole; all of it is on flash and acknowledged");
    traced.says(&format!("engine acknowledged {msh_10} with AA"));
    traced.says("MSA|AA|");

    // With another map the row of today is told, and that it was not that one.
    map(&story, "26464-8");
    let later = story.trace("S-4711", &["--private"]);
    later.says("map haem, haem.csv line 3: 26464-8 in 10*3/uL");
    later.says("The maps have changed since this was decided");
    later.says("Today OBX-3 would be written otherwise");
    map(&story, "6690-2");

    let by_number = story.trace(msh_10, &["--private"]);
    by_number.says("The order of this ORU: 2 results in 1 message: 2 acknowledged.");
    // Into a file nothing of a patient goes unasked, and not even the id that was typed.
    let public = story.trace("S-4711", &[]);
    public.is(0);
    assert!(
        public.out.starts_with("The sample: 2 results in 1 message: 2 acknowledged.\n"),
        "{}",
        public.out
    );
    for secret in ["S-4711", "6.10", "TESTPATIENT"] {
        public.hides(secret);
    }
    public.says("--private");

    let json = story.json("S-4711");
    let result = &json["messages"][0]["results"][0];
    assert_eq!((&result["value"], &result["became"][0]["obx"]), (&"6.10".into(), &1.into()));
    assert_eq!(result["became"][0]["differs"], Value::Array(vec![]));
    assert_eq!(result["read_as_then"], true);
    // The span is that of the raw message, as `journal show --raw` writes it.
    let file = story.site.folder.path().join("raw");
    let number = json["messages"][0]["message"].to_string();
    story.site.run(&["journal", "show", &number, "--raw", file.to_str().unwrap()]).is(0);
    let raw = std::fs::read(file).unwrap();
    let place = &result["bytes"][0];
    let at = |n: usize| usize::try_from(place[n].as_u64().unwrap()).unwrap();
    let bytes = String::from_utf8_lossy(&raw[at(0)..at(1)]).into_owned();
    assert!(bytes.starts_with("R|1|^^^^WBC^1|6.10|"), "{bytes}");
    shape(&json);

    // With the service away, and as a copy with another configuration or none.
    story.service.take().unwrap().stop();
    let folder = story.site.folder.path().join("journal");
    let at = ["--path", folder.to_str().unwrap(), "--config", "/nonexistent/orugate.toml", "--private"];
    let copy = orugate(&[&["trace", "S-4711"], &at[..]].concat());
    copy.is(0);
    copy.says("S-4711: 2 results in 1 message: 2 acknowledged.");
    copy.says(&format!("-> OBX 1 of {msh_10} for engine, delivered"));
    story.trace("S-4712", &["--private"]).is(1);
    story.trace("S-4712", &[]).hides("S-4712");
}

/// The names of all fields, which programs depend on.
fn shape(json: &Value) {
    fn walk(value: &Value, path: &str, found: &mut std::collections::BTreeSet<String>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(value, &path, found);
                found.insert(path);
            }),
            Value::Array(all) => all.iter().for_each(|value| walk(value, path, found)),
            _ => {}
        }
    }
    let mut found = std::collections::BTreeSet::new();
    walk(json, "", &mut found);
    let found: String = found.into_iter().map(|path| path + "\n").collect();
    expect_test::expect_file!["trace.fields"].assert_eq(&found);
}

#[test]
fn a_released_hold_says_who_and_a_discarded_one_why() {
    let mut story = Story::new();
    let engine = Engine::start(&story.site.engine);
    story.hear(&message(&[(" ", &[("WBC", "6.1", "F")])]));
    let hold = story.holds();
    let traced = story.trace(&hold, &["--private"]);
    traced.is(0);
    assert!(
        traced.out.starts_with("The orders of this hold: 1 result in 1 message: 1 HELD.\n"),
        "{}",
        traced.out
    );
    traced.says(&format!("no-sample-id: orugate holds show {hold}"));
    story.site.run(&["holds", "release", &hold, "--sample", "S-0815"]).is(0);
    engine.next();
    story.until_list("acknowledged by engine (AA)", 1);
    let traced = story.trace("S-0815", &["--private"]);
    traced.is(0);
    traced.says("S-0815: 1 result in 1 message: 1 acknowledged.");
    let words = |ran: &Ran| ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
    let released = format!("hold {hold}: released as sample S-0815, which the person entered, by uid ");
    assert!(words(&traced).contains(&released), "no {released:?} in {}", traced.out);
    traced.says("sample S-0815, entered by a person");
    traced.says("-> OBX 1 of TEST");
    traced.hides("otherwise");
    let open = story.trace("S-0815", &[]);
    open.hides("S-0815");
    assert!(
        words(&open).contains("released with a sample id that the person entered, by uid "),
        "{}",
        open.out
    );
    // The number is ours, the four characters are another gateway's: somebody else's message.
    let sent = traced.out.split("-> OBX 1 of ").nth(1).unwrap().split_whitespace().next().unwrap();
    story.trace(sent, &[]).is(0);
    let other = story.trace(&sent.replace("TEST", "GW77"), &[]);
    other.is(1);
    other.says(&format!("The one with its number is {sent}: the first four characters are the gateway's"));

    story.hear(&message(&[(" ", &[("WBC", "7.7", "F")])]));
    let hold = story.holds();
    story.site.run(&["holds", "discard", &hold, "--reason", "tube of TESTPATIENT broke"]).is(0);
    let traced = story.trace(&hold, &["--private"]);
    traced.says("1 discarded by a person.");
    let told = words(&traced);
    assert!(told.contains("discarded, by uid ") && told.contains(": tube of TESTPATIENT broke"), "{told}");
    // What a person wrote may name a patient.
    story.trace(&hold, &[]).hides("TESTPATIENT");
}

#[test]
fn resends_and_corrections_are_told_apart_and_in_order() {
    let mut story = Story::new();
    let engine = Engine::start(&story.site.engine);
    let first = message(&[("S-1", &[("WBC", "6.1", "F")])]);
    for text in [&first, &first, &message(&[("S-1", &[("WBC", "6.9", "C")])])] {
        story.hear(text);
        engine.next();
    }
    story.until_list("acknowledged by engine (AA)", 3);
    let traced = story.trace("S-1", &["--private"]);
    traced.is(0);
    traced.says("S-1: 3 results in 3 messages: 3 acknowledged.");
    traced.says("Sent again by the instrument.");
    traced.says("Corrected: another result was sent before: 6.1 10*3/uL");
    traced.hides("otherwise");
    let json = story.json("S-1");
    let values: Vec<_> =
        json["messages"].as_array().unwrap().iter().map(|m| m["results"][0]["value"].clone()).collect();
    assert_eq!(values, ["6.1", "6.1", "6.9"]);
}

#[test]
fn of_two_specimens_in_one_message_only_the_asked_one_is_told() {
    let mut story = Story::new();
    let engine = Engine::start(&story.site.engine);
    story.hear(&message(&[("S-1", &[("WBC", "6.1", "F")]), ("S-2", &[("RBC", "99.9", "F")])]));
    let (one, two) = (engine.next(), engine.next());
    story.until_list("2 ORUs acknowledged by engine (AA)", 1);
    let control = |oru: &str| oru.split('|').nth(9).unwrap().to_owned();
    for (asked, stranger, value) in [
        ("S-1", "S-2", "99.9"),
        (control(&one).as_str(), "S-2", "99.9"),
        ("S-2", "S-1", "6.1|"),
        (control(&two).as_str(), "S-1", "6.1|"),
    ] {
        for more in [&["--private"][..], &["--private", "--json"]] {
            let traced = story.trace(asked, more);
            traced.is(0);
            traced.hides(stranger);
            traced.hides(value);
        }
        let traced = story.trace(asked, &["--private"]);
        traced.says("1 result in 1 message: 1 acknowledged.");
        traced.says("bytes of something else>");
        traced.says("There is more in this message");
    }
    // The whole message is what was asked for here.
    let number = story.json("S-1")["messages"][0]["message"].to_string();
    let traced = story.trace(&number, &["--private"]);
    traced.says("The message: 2 results in 1 message: 2 acknowledged.");
    traced.says("S-2");
}

#[test]
fn a_patient_without_an_order_is_nobodys_whom_one_asked_for() {
    let mut story = Story::new();
    let text =
        message(&[("S-1", &[("WBC", "6.1", "F")])]).replace("L|1|N", "P|2||||STRANGER^INVENTED\nL|1|N");
    story.hear(&text);
    let traced = story.trace("S-1", &["--private"]);
    traced.is(0);
    traced.says("TESTPATIENT");
    traced.hides("STRANGER");
    let json = story.json("S-1").to_string();
    assert!(json.contains("6.1") && !json.contains("STRANGER"), "{json}");
    let oru = story.json("S-1")["messages"][0]["orus"][0]["oru"].to_string();
    story.trace(&oru, &["--private"]).hides("STRANGER");
}

#[test]
fn what_waited_for_a_destination_that_is_gone_says_who_gave_it_up() {
    let mut story = Story::new();
    story.hear(&message(&[("S-1", &[("WBC", "6.1", "F")])]));
    let traced = story.trace("S-1", &["--private"]);
    traced.says("S-1: 1 result in 1 message: 1 waiting.");
    traced.says("waits for engine");
    let text = std::fs::read_to_string(&story.site.config).unwrap();
    let text = text.replace("name = \"engine\"", "name = \"new\"").replace("[\"engine\"]", "[\"new\"]");
    std::fs::write(&story.site.config, text).unwrap();
    story.site.run(&["reload"]).is(0);
    story.site.run(&["destination", "drop", "engine", "--reason", "It was sold."]).is(0);
    let traced = story.trace("S-1", &["--private"]);
    traced.says("S-1: 1 result in 1 message: 1 given up.");
    traced.says("all that waited for engine given up, by uid ");
    traced.says("It was sold.");
}

#[test]
fn a_message_that_broke_off_says_so() {
    let mut story = Story::new();
    let mut line = TcpStream::connect(&story.site.address).unwrap();
    let text = message(&[("S-1", &[("WBC", "6.1", "F"), ("RBC", "4.2", "F")])]);
    let mut answer = [0];
    line.write_all(b"\x05").unwrap();
    line.read_exact(&mut answer).unwrap();
    for (n, record) in (1..).zip(text.lines().take(4)) {
        let mut frame = [0; 256];
        let length = encode_frame(n, format!("{record}\r").as_bytes(), FrameEnd::Etx, &mut frame).unwrap();
        line.write_all(&frame[..length]).unwrap();
        line.read_exact(&mut answer).unwrap();
        assert_eq!(answer, [6]);
    }
    line.shutdown(Shutdown::Both).unwrap();
    story.service().until("interpreted");
    let traced = story.trace("S-1", &["--private"]);
    traced.is(0);
    traced.says("1 result in 1 message");
    traced.says(", INCOMPLETE");
    traced.says("the message broke off; what came of it is on flash");
    traced.says("The transmission broke off: results of this order may be missing.");
}

#[test]
fn a_profile_that_reads_otherwise_today_is_said_and_what_was_sent_stays() {
    let mut story = Story::new();
    let engine = Engine::start(&story.site.engine);
    story.service.take().unwrap().stop();
    let folder = story.site.folder.path().join("profiles.d");
    std::fs::create_dir(&folder).unwrap();
    let own = "name = \"own\"\nextends = \"sysmex-xn-l\"\ntitle = \"Ours\"\nevidence = \"manual\"\n";
    std::fs::write(folder.join("own.toml"), own).unwrap();
    let text = std::fs::read_to_string(&story.site.config).unwrap();
    std::fs::write(&story.site.config, text.replace("\"sysmex-xn-l\"", "\"own\"")).unwrap();
    let mut service = story.site.start();
    service.until("ready;");
    story.service = Some(service);
    story.hear(&message(&[("S-1", &[("WBC", "6.1", "F")])]));
    engine.next();
    story.until_list("acknowledged by engine (AA)", 1);
    story.trace("S-1", &["--private"]).says("Read as then, with version ");
    let unit = "[[unit]]\nsent = \"10*3/uL\"\nucum = \"10*9/L\"\n";
    std::fs::write(folder.join("own.toml"), format!("{own}{unit}")).unwrap();
    let traced = story.trace("S-1", &["--private"]);
    traced.is(0);
    traced.says("It was interpreted with another version or profile than today's");
    traced.says("It is read otherwise today");
    traced.says("Today OBX-6 would be written otherwise; what was sent is below.");
    traced.says("|6.1|10*3/uL^^99SYSMEX|");
}

#[test]
fn a_parked_one_a_damaged_journal_and_a_sealed_one() {
    let folder = tempfile::tempdir().unwrap();
    let told = story::write(folder.path(), None);
    let look = |folder: &std::path::Path, what: &str, more: &[&str]| {
        let at = ["--path", folder.to_str().unwrap(), "--config", "/nonexistent/orugate.toml"];
        orugate(&[&["trace", what], &at[..], more].concat())
    };
    let oru = told.parked_oru.to_string();
    let parked = look(folder.path(), &oru, &["--private"]);
    parked.is(0);
    parked.says("PARKED");
    parked.says(&format!("orugate parked show {oru}"));
    parked.says("no byte of it was ever sent");
    parked.says("to be sent again, by uid 1000");
    parked.says("It was interpreted with another version or profile than today's");
    look(folder.path(), &oru, &[]).hides(story::SAMPLE);
    look(folder.path(), &told.waiting.to_string(), &["--private"])
        .says("The message: 0 results in 1 message: 1 message waits to be interpreted.");
    look(folder.path(), "17", &[]).is(1);

    // A byte of the second refusal: what is left is told, and that it is not all.
    let files = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path());
    for file in files.filter(|file| file.extension().is_some_and(|end| end == "seg")) {
        let mut bytes = std::fs::read(&file).unwrap();
        if let Some(place) = bytes.windows(8).rposition(|window| window == b"AR again") {
            bytes[place] ^= 0x20;
            std::fs::write(&file, bytes).unwrap();
        }
    }
    let damaged = look(folder.path(), &oru, &["--private"]);
    damaged.is(0);
    damaged.says("something may be missing: orugate journal verify");

    let sealed = tempfile::tempdir().unwrap();
    let told = story::write(sealed.path(), Some(story::ring()));
    let number = told.parked_oru.to_string();
    let refused = look(sealed.path(), &number, &["--private"]);
    refused.is(74);
    refused.says("--key FILE");
    let key = folder.path().join("key");
    std::fs::write(&key, story::KEY).unwrap();
    let opened = look(sealed.path(), &number, &["--private", "--key", key.to_str().unwrap()]);
    opened.is(0);
    opened.says("PARKED");
}

#[test]
fn a_bedside_devices_snapshot_says_what_went_out_of_each_measurement() {
    let site = Site::new();
    let file = site.folder.path().join("orugate.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("role = \"lis\"\n", "role = \"lis\"\npcd = {}\n").replace(
        "profile = \"sysmex-xn-l\"\n",
        "profile = \"hl7-pcd01\"\nbedside = { location = \"ICU^12\" }\n",
    );
    std::fs::write(&file, text).unwrap();
    site.run(&["journal", "init"]).is(0);
    let mut service = site.start();
    service.until("ready;");
    let engine = Engine::start(&site.engine);
    let capture = site.folder.path().join("capture.txt");
    let pushed = "MSH|^~\\&|NC_Monitor|F001|||20261126093000+0100||ORU^R01^ORU_R01|1|P|2.6\nOBR||||1^MON_PARAM^99COMEN|||20261126093000+0100\n\
                  OBX||NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.3.1.1|96|262688^MDC_DIM_PERCENT^MDC|||||F|||20261126093000+0100\n\
                  OBX||NM|151562^MDC_RESP_RATE^MDC|1.14.1.1|-999|264928^MDC_DIM_RESP_PER_MIN^MDC|||||F|||20261126093000+0100\n";
    std::fs::write(&capture, pushed).unwrap();
    orugate(&["simulate", "-p", "hl7-pcd01", "--connect", &site.address, capture.to_str().unwrap()]).is(0);
    let oru = engine.next();
    let msh_10 = oru.split('|').nth(9).unwrap();
    let story = Story { site, service: Some(service) };
    let traced = story.trace(msh_10, &["--private"]);
    traced.is(0);
    traced.says("2 measurements of a bedside device, 2 of them in its ORUs");
    traced.says("150456 MDC_PULS_OXIM_SAT_O2 96 % 150456 MDC_PULS_OXIM_SAT_O2: sent");
    traced.says("sent without a value, INV");
    traced.says(msh_10);
    let hidden = story.trace(msh_10, &[]);
    assert!(!hidden.out.contains(" 96 "), "{}", hidden.out);
    let json = story.json(msh_10);
    assert_eq!(json["messages"][0]["values"][0]["value"], "96", "{json}");
}
