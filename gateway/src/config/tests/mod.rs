//! Whole configurations in, sentences out. Here: what all these tests use, and good configurations.

mod bedside;
mod example;
mod format;
mod meaning;
mod rules;
mod seal;
mod tls;

use super::*;
use expect_test::{Expect, expect};
use orugate_driver::{
    Common, CommonQc, Evidence, Feed, Instrument, Interpreter, QcProof, Session, SimulatedFault, UsualLine,
};
use orugate_drivers::SHIPPED;

struct Fake(Common);

impl Profile for Fake {
    fn common(&self) -> &Common {
        &self.0
    }
    fn session(&self, _: &Instrument) -> Box<dyn Session> {
        unreachable!("a configuration opens nothing")
    }
    fn simulator(&self, _: Vec<Vec<u8>>, _: &[SimulatedFault]) -> Box<dyn Session> {
        unreachable!("a configuration opens nothing")
    }
    fn example_bytes(&self, _: &str) -> Vec<u8> {
        Vec::new()
    }
    fn interpreter(&self) -> Box<dyn Interpreter> {
        unreachable!("a configuration opens nothing")
    }
    fn capture_session(&self) -> Box<dyn Session> {
        unreachable!("a configuration opens nothing")
    }
    fn feed(&self) -> Feed {
        match &*self.0.name {
            "monitor" => Feed::Bedside { stale_after: std::time::Duration::from_secs(10) },
            _ => Feed::Results,
        }
    }
}

struct Shelf;

impl Profiles for Shelf {
    fn find(&self, name: &str) -> Result<FoundProfile, ProfileFault> {
        if name == "torn" {
            return Err(ProfileFault::Broken(ProfileError {
                line: Some(3),
                message: "no such driver".into(),
            }));
        }
        if !["hearsay", "unmarked", "monitor"].contains(&name)
            && !self.names().iter().any(|known| known == name)
        {
            return Err(ProfileFault::Unknown);
        }
        let common = Common {
            name: name.into(),
            driver: "astm".into(),
            title: String::new(),
            evidence: if name == "hearsay" { Evidence::Described } else { Evidence::Manual },
            qc: CommonQc { proof: if name == "unmarked" { QcProof::Unproven } else { QcProof::Manual } },
            serial: UsualLine::default(),
            examples: Vec::new(),
        };
        Ok(FoundProfile::new(Arc::new(Fake(common)), [name]))
    }
    fn names(&self) -> Vec<String> {
        ["sysmex-xn-l", "generic-astm"].map(String::from).to_vec()
    }
}

const HEAD: &str = r#"version = 1
[gateway]
id = "GW01"
facility = "CORE-LAB"
timezone = "Europe/Berlin"
[journal]
path = "/var/lib/orugate/journal"
"#;

const ENGINE: &str = r#"[[destination]]
name = "engine"
role = "lis"
receiving = { application = "CENTRAL", facility = "HOSP" }
mllp = { address = "engine.example:2575" }
"#;

fn files(texts: &[&str]) -> Vec<(PathBuf, String)> {
    let name = |n: usize| if n == 0 { "orugate.toml".to_owned() } else { format!("conf.d/{n}.toml") };
    texts.iter().enumerate().map(|(n, text)| (name(n).into(), (*text).to_owned())).collect()
}

/// What `orugate check` would print.
fn said(texts: &[&str]) -> String {
    match load_texts(files(texts), &Shelf) {
        Ok(loaded) => {
            let warnings = loaded.warnings.iter().map(|warning| format!("warning: {warning}"));
            warnings.chain(loaded.plan.describe()).collect::<Vec<_>>().join("\n")
        }
        Err(mistakes) => {
            let warnings = mistakes.warnings().iter().map(|warning| format!("warning: {warning}\n"));
            warnings.chain([mistakes.to_string()]).collect()
        }
    }
}

fn check(texts: &[&str], expected: Expect) {
    expected.assert_eq(&said(texts));
}

/// One instrument, good but for what is given; HEAD has 7 lines, ENGINE 5, so it begins at line 13.
fn instrument(wire: &str) -> String {
    format!(
        "{HEAD}{ENGINE}[[instrument]]\nname = \"a\"\nprofile = \"sysmex-xn-l\"\nmode = \"live\"\nsend_to = [\"engine\"]\nwire = {wire}\n"
    )
}

fn check_wire(wire: &str, expected: Expect) {
    // What belongs to the instrument is the same in every row.
    let said = said(&[&instrument(wire)]);
    let line = said.lines().filter(|line| line.contains("instrument")).collect::<Vec<_>>().join("\n");
    expected.assert_eq(&line);
}

#[test]
fn the_example_of_the_design() {
    let text = r#"version = 1
[gateway]
id = "GW01"
facility = "CORE-LAB"
timezone = "Europe/Berlin"
[journal]
path = "/var/lib/orugate/journal"
max_size = "4 GiB"
keep_delivered = "30 days"
[[destination]]
name = "engine"
role = "lis"
receiving = { application = "CENTRAL", facility = "HOSP" }
mllp = { address = "engine.example:2575", tls = { ca = "/etc/orugate/ca.pem", cert = "/etc/orugate/gw01.pem", key = "credential:gw01-key" } }
[[instrument]]
name = "haematology-1"
profile = "sysmex-xn-l"
mode = "live"
wire = { serial = "/dev/serial/by-path/platform-xhci-usb-0:1.2:1.0-port0", baud = 9600 }
send_to = ["engine"]
"#;
    check(
        &[text],
        expect![[r#"
            gateway GW01: sends as ORUGATE at CORE-LAB, instruments' clocks run in Europe/Berlin, journal /var/lib/orugate/journal up to 4 GiB
            destination "engine": LIS, CENTRAL at HOSP by MLLP to engine.example:2575 over TLS 1.2 or later as engine.example by /etc/orugate/ca.pem, own certificate /etc/orugate/gw01.pem, takes live results, original acknowledgment within 30 s, no patient is named
            instrument "haematology-1": live, profile sysmex-xn-l (evidence: manual), serial /dev/serial/by-path/platform-xhci-usb-0:1.2:1.0-port0 at 9600 8N1 with no flow control, results go to "engine""#]],
    );
    let plain = text.replace(
        ", tls = { ca = \"/etc/orugate/ca.pem\", cert = \"/etc/orugate/gw01.pem\", key = \"credential:gw01-key\" }",
        "",
    );
    check(
        &[&plain],
        expect![[r#"
            gateway GW01: sends as ORUGATE at CORE-LAB, instruments' clocks run in Europe/Berlin, journal /var/lib/orugate/journal up to 4 GiB
            destination "engine": LIS, CENTRAL at HOSP by plain MLLP to engine.example:2575, takes live results, original acknowledgment within 30 s, no patient is named
            instrument "haematology-1": live, profile sysmex-xn-l (evidence: manual), serial /dev/serial/by-path/platform-xhci-usb-0:1.2:1.0-port0 at 9600 8N1 with no flow control, results go to "engine""#]],
    );
}

#[test]
fn defaults_are_those_of_the_comments() {
    let loaded =
        load_texts(files(&[&instrument(r#"{ serial = "/dev/ttyS0", baud = 9600 }"#)]), &Shelf).unwrap();
    expect![[r#"
        Plan {
            gateway: GatewayPlan {
                id: "GW01",
                application: "ORUGATE",
                facility: "CORE-LAB",
                device_id: None,
                timezone: TimeZone(
                    TZif(
                        "Europe/Berlin",
                    ),
                ),
                timezone_name: "Europe/Berlin",
                admin_socket: "/run/orugate/admin.sock",
            },
            journal: JournalPlan {
                path: "/var/lib/orugate/journal",
                max_size: 4294967296,
                keep_delivered: 2592000s,
                keep_raw: 2592000s,
                keep_keys: 2592000s,
                snapshots_size: 1073741824,
                endurance: None,
                seal: None,
            },
            capture: CapturePlan {
                size: 16777216,
            },
            destinations: [
                DestinationPlan {
                    name: "engine",
                    role: Lis,
                    application: "CENTRAL",
                    facility: "HOSP",
                    address: "engine.example:2575",
                    tls: None,
                    accepts: Production,
                    charset: Utf8,
                    sample_id_in: Specimen,
                    structured_numeric: false,
                    corrections: C,
                    resends: Forward,
                    acknowledgment: Original,
                    require_application_ack: false,
                    accept_blank_msa2: false,
                    lenient_eob: false,
                    stop_on_error: false,
                    ack_timeout: 30s,
                    retries: 3,
                    patient: None,
                    pcd: None,
                },
            ],
            instruments: [
                InstrumentPlan {
                    name: "a",
                    profile: "sysmex-xn-l",
                    profile_hash: 3668e101c2a64de651fe726b2941bee5,
                    mode: Live,
                    wire: Serial(
                        SerialPlan {
                            path: "/dev/ttyS0",
                            line: LineSettings {
                                baud: 9600,
                                data_bits: 8,
                                parity: None,
                                stop_bits: 1,
                            },
                            flow: None,
                            rts: None,
                            dtr: None,
                        },
                    ),
                    send_to: [
                        0,
                    ],
                    reruns: All,
                    rerun_within: 43200s,
                    timezone: None,
                    clock_limit: 300s,
                    rules: Rules {
                        sample_id: IdRule {
                            pattern: None,
                            check: None,
                        },
                        identity: Identity {
                            model: None,
                            serial: None,
                        },
                        incomplete: Send,
                        times: Some(
                            Times {
                                ahead: 86400s,
                                older_than: None,
                            },
                        ),
                        reruns_except: RerunsExcept(
                            [],
                        ),
                    },
                    capture: true,
                    bedside: None,
                    maps: None,
                },
            ],
            alerts: AlertsPlan {
                hold_older_than: 1800s,
                hold_repeat: 1800s,
                on_condition: [],
            },
            hash: f5dce5f141aa92dcf90aa8dfe16efa75,
        }
    "#]]
    .assert_debug_eq(&loaded.plan);
}

#[test]
fn the_hash_tells_texts_apart() {
    let a = ConfigHash::of(["ab", "c"]);
    assert_ne!(a, ConfigHash::of(["a", "bc"]));
    assert_eq!(a, ConfigHash::of(["ab", "c"]));
    expect!["8c3202eedf581e2886ed40ad590b88a5"].assert_eq(&a.to_string());
}

#[test]
fn from_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join("orugate.toml");
    fs::write(&main, format!("{HEAD}{ENGINE}")).unwrap();
    let names = |result: Result<Loaded, Mistakes>| {
        result.unwrap().plan.instruments.iter().map(|plan| plan.name.clone()).collect::<Vec<_>>()
    };
    assert!(names(load(&main, &SHIPPED)).is_empty(), "conf.d may be absent");

    let parts = folder.path().join("conf.d");
    fs::create_dir(&parts).unwrap();
    let part = |file: &str, name: &str| {
        let text = format!(
            "[[instrument]]\nname = \"{name}\"\nprofile = \"generic-astm\"\nmode = \"live\"\nsend_to = [\"engine\"]\nwire = {{ connect = \"{name}:1\" }}\n"
        );
        fs::write(parts.join(file), text).unwrap();
    };
    part("20.toml", "second");
    part("10.toml", "first");
    part(".30.toml", "hidden");
    part("40.toml.bak", "backup");
    assert_eq!(names(load(&main, &SHIPPED)), ["first", "second"]);

    fs::write(parts.join("30.toml"), b"# one\n# \xff\n").unwrap();
    fs::create_dir(parts.join("50.toml")).unwrap();
    fs::write(parts.join("60.toml"), vec![b'#'; 1 << 21]).unwrap();
    fs::write(parts.join("70.toml"), "[[instrument]]\nnam = 1\n").unwrap();
    let said = load(&main, &SHIPPED).unwrap_err().to_string().replace(&parts.display().to_string(), "conf.d");
    expect![[r#"
        conf.d/30.toml: cannot be read: line 2 holds a byte that is not UTF-8
        conf.d/50.toml: cannot be read: Is a directory (os error 21)
        conf.d/60.toml: cannot be read: it is larger than 1 MiB
        conf.d/70.toml:2: instrument number 1: nam: unknown key; allowed are name, profile, mode, wire, send_to, reruns, reruns_except, rerun_within, timezone, clock_limit, sample_id, identity, incomplete, impossible_time, capture, map, require_map, bedside; did you mean "name"?
        4 mistakes; nothing was opened"#]].assert_eq(&said);

    let absent = load(&folder.path().join("none/orugate.toml"), &SHIPPED).unwrap_err();
    assert_eq!(absent.list().len(), 1);
    assert!(absent.to_string().contains("cannot be read"), "{absent}");
}
