//! Whole configurations in, sentences out.

use super::*;
use expect_test::{Expect, expect};
use orugate_driver::{Common, Evidence, Instrument, Interpreter, Session};

struct Fake(Common);

impl Profile for Fake {
    fn common(&self) -> &Common {
        &self.0
    }
    fn session(&self, _: &Instrument) -> Box<dyn Session> {
        unreachable!("a configuration opens nothing")
    }
    fn simulator(&self, _: Vec<Vec<u8>>) -> Box<dyn Session> {
        unreachable!("a configuration opens nothing")
    }
    fn interpreter(&self) -> Box<dyn Interpreter> {
        unreachable!("a configuration opens nothing")
    }
    fn capture_session(&self) -> Box<dyn Session> {
        unreachable!("a configuration opens nothing")
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
        if !self.names().iter().any(|known| known == name) {
            return Err(ProfileFault::Unknown);
        }
        let common = Common {
            name: name.into(),
            driver: "astm".into(),
            title: String::new(),
            evidence: Evidence::Manual,
            examples: Vec::new(),
        };
        Ok(FoundProfile::new(Arc::new(Fake(common)), name))
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
    check(&[text], expect![[r#"
        orugate.toml:14: destination "engine": mllp.tls: TLS comes with a later version; this one sends plain MLLP
        1 mistake; nothing was opened"#]]);
    let plain = text.replace(
        ", tls = { ca = \"/etc/orugate/ca.pem\", cert = \"/etc/orugate/gw01.pem\", key = \"credential:gw01-key\" }",
        "",
    );
    check(&[&plain], expect![[r#"
        gateway GW01: sends as ORUGATE at CORE-LAB, instruments' clocks run in Europe/Berlin, journal /var/lib/orugate/journal up to 4 GiB, delivered results stay 30 days
        destination "engine": LIS, CENTRAL at HOSP by plain MLLP to engine.example:2575, takes live results, original acknowledgment within 30 s, no patient is named
        instrument "haematology-1": live, profile sysmex-xn-l (evidence: manual), serial /dev/serial/by-path/platform-xhci-usb-0:1.2:1.0-port0 at 9600 8N1 with no flow control, results go to "engine""#]]);
}

#[test]
fn twelve_mistakes_at_once() {
    let text = r#"version = 2
[gatway]
id = "GW02"
[gateway]
id = "gw01"
facility = 7
timezone = "Europe/Berln"
[journal]
path = "journal"
max_size = "4 GB"
[[destination]]
name = "engine"
role = "lims"
receiving = { application = "CENTRAL" }
mllp = { address = "engine.example" }
[[instrument]]
name = "haematology-1"
profile = "sysmex-xnl"
mode = "live"
wire = { serial = "/dev/ttyS0", baud = 9601, partiy = "even" }
send_to = ["engin"]
"#;
    check(&[text], expect![[r#"
        orugate.toml:1: version: 2 is not read; allowed is 1
        orugate.toml:2: gatway: unknown key; allowed are version, gateway, journal, destination, instrument; did you mean "gateway"?
        orugate.toml:5: gateway.id: "gw01" does not fit; allowed are exactly four of A-Z and 0-9; did you mean "GW01"?
        orugate.toml:6: gateway.facility: integer 7 stands here; allowed is text in quotes
        orugate.toml:7: gateway.timezone: "Europe/Berln" is no time zone; allowed are IANA names such as "Europe/Berlin"; did you mean "Europe/Berlin"?
        orugate.toml:9: journal.path: "journal" is not absolute; allowed are paths that begin with /
        orugate.toml:10: journal.max_size: "GB" is not a unit here; allowed is a whole number with one of MiB, GiB, TiB, such as "4 GiB"; did you mean "4 GiB"?
        orugate.toml:13: destination "engine": role: "lims" is not known; allowed are "lis", "record"; did you mean "lis"?
        orugate.toml:14: destination "engine": receiving.facility: is missing; write what MSH-6 shall say, or ""
        orugate.toml:15: destination "engine": mllp.address: "engine.example" has no port; allowed is "host:port", such as "engine.example:2575"
        orugate.toml:18: instrument "haematology-1": profile: there is no profile "sysmex-xnl"; allowed are generic-astm, sysmex-xn-l; did you mean "sysmex-xn-l"?
        orugate.toml:20: instrument "haematology-1": wire.baud: 9601 is not a line rate; allowed are 300, 600, 1200, 2400, 4800, 9600, 14400, 19200, 38400, 57600, 115200, 230400; did you mean 9600?
        orugate.toml:20: instrument "haematology-1": wire.partiy: unknown key; allowed are serial, baud, data_bits, parity, stop_bits, flow, rts, dtr, listen, allow, connect; did you mean "parity"?
        orugate.toml:21: instrument "haematology-1": send_to: there is no destination "engin"; allowed are engine; did you mean "engine"?
        14 mistakes; nothing was opened"#]]);
}

#[test]
fn types_words_and_places_of_keys() {
    let text = r#"version = "1"
gateway = 5
journal = ["/var"]
[[destination]]
name = "engine"
role = { lis = {} }
receiving = ["CENTRAL", "HOSP"]
structured_numeric = "yes"
retries = 3.5
ack_timeout = "5 s"
accepts = "p"
mllp.address = 2575
mllp.adress = "x:1"
[[instrument]]
name = "a"
mode = "LIVE"
baud = 9600
wire = "serial"
send_to = "engine"
[[instrument]]
send_to = [1, "engine", true]
wire = { listen = "127.0.0.1:4001", allow = [2] }
[extra.table]
"#;
    check(&[text], expect![[r#"
        orugate.toml:1: version: string "1" stands here; allowed is a whole number without quotes
        orugate.toml:2: gateway: integer 5 stands here; allowed is a table { }
        orugate.toml:3: journal: a list stands here; allowed is a table { }
        orugate.toml:6: destination "engine": role: a table stands here; allowed is text in quotes
        orugate.toml:7: destination "engine": receiving: a list stands here; allowed is a table { }
        orugate.toml:8: destination "engine": structured_numeric: string "yes" stands here; allowed is true or false without quotes
        orugate.toml:9: destination "engine": retries: floating point 3.5 stands here; allowed is a whole number without quotes
        orugate.toml:10: destination "engine": ack_timeout: unknown key; allowed are name, role, receiving, mllp, accepts, sample_id_in, structured_numeric, corrections, resends, retries, stop_on_error, patient
        orugate.toml:11: destination "engine": accepts: "p" is not known; allowed are "P", "T"; did you mean "P"?
        orugate.toml:12: destination "engine": mllp.address: integer 2575 stands here; allowed is text in quotes
        orugate.toml:13: destination "engine": mllp.adress: unknown key; allowed are address, tls, acknowledgment, require_application_ack, accept_blank_msa2, lenient_eob, ack_timeout; did you mean "address"?
        orugate.toml:14: instrument "a": profile: is missing; write the name of its model's profile
        orugate.toml:16: instrument "a": mode: "LIVE" is not known; allowed are "test", "live"; did you mean "live"?
        orugate.toml:17: instrument "a": baud: unknown key; allowed are name, profile, mode, wire, send_to
        orugate.toml:18: instrument "a": wire: string "serial" stands here; allowed is a table { }
        orugate.toml:19: instrument "a": send_to: string "engine" stands here; allowed is a list in brackets [ ]
        orugate.toml:20: instrument number 2: name: is missing; write a name unlike any other instrument's
        orugate.toml:20: instrument number 2: profile: is missing; write the name of its model's profile
        orugate.toml:20: instrument number 2: mode: is missing; write "test" or "live"
        orugate.toml:21: instrument number 2: send_to[0]: integer 1 stands here; allowed is text in quotes
        orugate.toml:21: instrument number 2: send_to[1]: boolean true stands here; allowed is text in quotes
        orugate.toml:22: instrument number 2: wire.allow[0]: integer 2 stands here; allowed is text in quotes
        orugate.toml:23: extra: unknown key; allowed are version, gateway, journal, destination, instrument
        23 mistakes; nothing was opened"#]]);
}

#[test]
fn syntax_errors_are_all_told_and_other_files_still_read() {
    let first = "version = 1\n[gateway\nid = GW01\nid = \"GW01\"\n";
    let second = "[[instrument]]\nname = \"a\"\nmodus = \"live\"\n";
    check(&[first, second, "= 1\n"], expect![[r#"
        orugate.toml:2: not TOML: unclosed table, expected `]`
        conf.d/1.toml:3: instrument "a": modus: unknown key; allowed are name, profile, mode, wire, send_to
        conf.d/2.toml:1: not TOML: unquoted keys cannot be empty, expected letters, numbers, `-`, `_`
        3 mistakes; nothing was opened"#]]);
    check(&["version = 1\nversion = 1\n"], expect![[r#"
        orugate.toml:2: not TOML: duplicate key
        1 mistake; nothing was opened"#]]);
    check(&[""], expect![[r#"
        warning: orugate.toml:1: no instrument is configured
        orugate.toml:1: version: is missing; write version = 1
        orugate.toml:1: gateway: is missing; write a table [gateway] with id, facility, timezone
        orugate.toml:1: journal: is missing; write a table [journal] with path
        3 mistakes; nothing was opened"#]]);
}

#[test]
fn across_files() {
    let second = r#"[journal]
path = "/data"
[[destination]]
name = "engine"
role = "record"
receiving = { application = "", facility = "" }
mllp = { address = "[2001:db8::1]:2575" }
[[instrument]]
name = "a"
profile = "generic-astm"
mode = "test"
wire = { serial = "/dev//ttyS0/.", baud = 9600 }
send_to = ["engine"]
"#;
    let third = "[[destination]]\nname = \"other\"\nrole = \"lis\"\naccepts = \"T\"\nreceiving = { application = \"A\", facility = \"F\" }\nmllp = { address = \"10.0.0.1:2575\" }\n";
    let wire = r#"{ serial = "/dev/ttyS0", baud = 9600 }"#;
    check(&[&instrument(wire), second, third], expect![[r#"
        warning: conf.d/1.toml:11: instrument "a": mode: "test", and no destination in send_to accepts "T": its results are stored and go nowhere
        conf.d/1.toml:1: journal: belongs to the main file; files in conf.d may hold [[destination]] and [[instrument]]
        conf.d/1.toml:4: destination "engine": name: "engine" is taken by orugate.toml line 9; every name is given once
        conf.d/1.toml:9: instrument "a": name: "a" is taken by orugate.toml line 14; every name is given once
        conf.d/1.toml:12: instrument "a": wire.serial: "/dev//ttyS0/." is the port of instrument "a" too
        4 mistakes; nothing was opened"#]]);
    let live = "[[instrument]]\nname = \"b\"\nprofile = \"generic-astm\"\nmode = \"live\"\nwire = { connect = \"10.0.0.9:5000\" }\nsend_to = [\"other\"]\n";
    let both = live.replace("\"b\"", "\"c\"").replace("\"other\"", "\"other\", \"engine\", \"other\"");
    check(&[&instrument(wire), live, third, &both], expect![[r#"
        warning: conf.d/3.toml:5: instrument "c": wire.connect: "10.0.0.9:5000" is the address of instrument "b" too
        conf.d/1.toml:4: instrument "b": mode: "live", and no destination in send_to accepts "P": its results would go nowhere
        conf.d/3.toml:6: instrument "c": send_to: "other" is named twice
        2 mistakes; nothing was opened"#]]);
}

#[test]
fn test_mode() {
    let text = instrument(r#"{ connect = "10.0.0.9:5000" }"#).replace("\"live\"", "\"test\"");
    check(&[&text], expect![[r#"
        warning: orugate.toml:16: instrument "a": mode: "test", and no destination in send_to accepts "T": its results are stored and go nowhere
        gateway GW01: sends as ORUGATE at CORE-LAB, instruments' clocks run in Europe/Berlin, journal /var/lib/orugate/journal up to 4 GiB, delivered results stay 30 days
        destination "engine": LIS, CENTRAL at HOSP by plain MLLP to engine.example:2575, takes live results, original acknowledgment within 30 s, no patient is named
        instrument "a": test, profile sysmex-xn-l (evidence: manual), connects to 10.0.0.9:5000, results go to no destination; not to "engine", for live results only"#]]);
}

#[test]
fn wires() {
    for (wire, expected) in [
        (r#"{ serial = "/dev/ttyUSB0", baud = 9600 }"#, expect![[r#"
            warning: orugate.toml:18: instrument "a": wire.serial: "/dev/ttyUSB0" is numbered by the order of plugging in: another instrument may get it; use its name below /dev/serial/by-path or /dev/serial/by-id
            gateway GW01: sends as ORUGATE at CORE-LAB, instruments' clocks run in Europe/Berlin, journal /var/lib/orugate/journal up to 4 GiB, delivered results stay 30 days
            instrument "a": live, profile sysmex-xn-l (evidence: manual), serial /dev/ttyUSB0 at 9600 8N1 with no flow control, results go to "engine""#]]),
        (
            r#"{ serial = "/dev/ttyS1", baud = 115200, data_bits = 7, parity = "even", stop_bits = 2, flow = "software", rts = true, dtr = false }"#,
            expect![[r#"
                gateway GW01: sends as ORUGATE at CORE-LAB, instruments' clocks run in Europe/Berlin, journal /var/lib/orugate/journal up to 4 GiB, delivered results stay 30 days
                instrument "a": live, profile sysmex-xn-l (evidence: manual), serial /dev/ttyS1 at 115200 7E2 with software flow control, results go to "engine""#]],
        ),
        (r#"{ serial = "/dev/ttyS1", baud = 9600, flow = "hardware", rts = true }"#, expect![[r#"orugate.toml:18: instrument "a": wire.rts: cannot be set with flow = "hardware", which moves RTS itself"#]]),
        (r#"{ serial = "ttyS1", baud = -1, data_bits = 9, stop_bits = 0, parity = "mark" }"#, expect![[r#"
            orugate.toml:18: instrument "a": wire.serial: "ttyS1" is not absolute; allowed are devices such as "/dev/ttyS0"
            orugate.toml:18: instrument "a": wire.baud: -1 is not a line rate; allowed are 300, 600, 1200, 2400, 4800, 9600, 14400, 19200, 38400, 57600, 115200, 230400
            orugate.toml:18: instrument "a": wire.data_bits: 9 is out of range; allowed are 5 to 8
            orugate.toml:18: instrument "a": wire.stop_bits: 0 is out of range; allowed are 1 to 2
            orugate.toml:18: instrument "a": wire.parity: "mark" is not known; allowed are "none", "even", "odd""#]]),
        (r#"{ serial = "/dev/ttyS1" }"#, expect![[r#"orugate.toml:18: instrument "a": wire.baud: is missing; write the line rate that the instrument is set to"#]]),
        (r#"{ }"#, expect![[r#"orugate.toml:18: instrument "a": wire: says not how; allowed is exactly one of serial, listen, connect"#]]),
        (r#"{ serial = "/dev/ttyS1", connect = "a:1", baud = 9600 }"#, expect![[r#"orugate.toml:18: instrument "a": wire.connect: stands beside serial; allowed is exactly one of serial, listen, connect"#]]),
        (r#"{ serial = 5, baud = 9600 }"#, expect![[r#"orugate.toml:18: instrument "a": wire.serial: integer 5 stands here; allowed is text in quotes"#]]),
        (
            r#"{ listen = "192.0.2.7:4001", allow = ["192.0.2.10", "10.1.0.0/16", "2001:db8::/32"] }"#,
            expect![[r#"
                gateway GW01: sends as ORUGATE at CORE-LAB, instruments' clocks run in Europe/Berlin, journal /var/lib/orugate/journal up to 4 GiB, delivered results stay 30 days
                instrument "a": live, profile sysmex-xn-l (evidence: manual), listens on 192.0.2.7:4001 for 192.0.2.10, 10.1.0.0/16, 2001:db8::/32, results go to "engine""#]],
        ),
        (r#"{ listen = ":4001", baud = 9600 }"#, expect![[r#"
            orugate.toml:18: instrument "a": wire.allow: is missing; write the addresses or networks that may connect, such as ["192.0.2.10"]; to allow everybody on purpose, write ["0.0.0.0/0", "::/0"]
            orugate.toml:18: instrument "a": wire.listen: ":4001" is not "ip:port"; allowed is an address of this gateway, such as "192.0.2.7:4001", or "0.0.0.0:4001" for all of them
            orugate.toml:18: instrument "a": wire.baud: belongs to serial, and this wire is listen"#]]),
        (r#"{ listen = "analyzer:4001", allow = [] }"#, expect![[r#"
            orugate.toml:18: instrument "a": wire.listen: "analyzer:4001" is not "ip:port"; allowed is an address of this gateway, such as "192.0.2.7:4001", or "0.0.0.0:4001" for all of them
            orugate.toml:18: instrument "a": wire.allow: is empty, so nobody could connect; to allow everybody on purpose, write ["0.0.0.0/0", "::/0"]"#]]),
        (
            r#"{ listen = "0.0.0.0:0", allow = ["192.0.2.7/24", "10.0.0.0/33", "host", "10.0.0.0/+8"] }"#,
            expect![[r#"
                orugate.toml:18: instrument "a": wire.listen: "0.0.0.0:0" is not "ip:port"; allowed is an address of this gateway, such as "192.0.2.7:4001", or "0.0.0.0:4001" for all of them
                orugate.toml:18: instrument "a": wire.allow: "192.0.2.7/24" has bits set after its prefix; allowed are "192.0.2.10" and "192.0.2.0/24"; did you mean "192.0.2.7" or "192.0.2.0/24"?
                orugate.toml:18: instrument "a": wire.allow: "10.0.0.0/33" has a prefix length out of range; allowed are "192.0.2.10" and "192.0.2.0/24"
                orugate.toml:18: instrument "a": wire.allow: "host" is no address or network; allowed are "192.0.2.10" and "192.0.2.0/24"
                orugate.toml:18: instrument "a": wire.allow: "10.0.0.0/+8" has no whole number as its prefix length; allowed are "192.0.2.10" and "192.0.2.0/24""#]],
        ),
        (r#"{ listen = "0.0.0.0:4001", allow = ["::/0"] }"#, expect![[r#"
            warning: orugate.toml:18: instrument "a": wire.allow: has only IPv6 addresses, and the wire listens on IPv4: nobody can connect
            gateway GW01: sends as ORUGATE at CORE-LAB, instruments' clocks run in Europe/Berlin, journal /var/lib/orugate/journal up to 4 GiB, delivered results stay 30 days
            instrument "a": live, profile sysmex-xn-l (evidence: manual), listens on 0.0.0.0:4001 for ::/0, results go to "engine""#]]),
        (r#"{ connect = "analyzer-3.lab.example:4001" }"#, expect![[r#"
            gateway GW01: sends as ORUGATE at CORE-LAB, instruments' clocks run in Europe/Berlin, journal /var/lib/orugate/journal up to 4 GiB, delivered results stay 30 days
            instrument "a": live, profile sysmex-xn-l (evidence: manual), connects to analyzer-3.lab.example:4001, results go to "engine""#]]),
        (r#"{ connect = "10.0.0.256:4001", allow = ["0.0.0.0/0"] }"#, expect![[r#"
            orugate.toml:18: instrument "a": wire.connect: "10.0.0.256:4001" has no valid IPv4 address; allowed is "host:port", such as "engine.example:2575"
            orugate.toml:18: instrument "a": wire.allow: belongs to listen, and this wire is connect"#]]),
    ] {
        check_wire(wire, expected);
    }
}

#[test]
fn listeners_that_collide() {
    let second = |bind: &str| {
        format!(
            "[[instrument]]\nname = \"b\"\nprofile = \"generic-astm\"\nmode = \"live\"\nsend_to = [\"engine\"]\nwire = {{ listen = \"{bind}\", allow = [\"::/0\", \"0.0.0.0/0\"] }}\n"
        )
    };
    let first = instrument(r#"{ listen = "192.0.2.7:4001", allow = ["192.0.2.10"] }"#);
    for (bind, collides) in [
        ("192.0.2.7:4001", true),
        ("0.0.0.0:4001", true),
        ("[::]:4001", true),
        ("192.0.2.8:4001", false),
        ("192.0.2.7:4002", false),
    ] {
        let result = load_texts(files(&[&first, &second(bind)]), &Shelf);
        assert_eq!(result.is_err(), collides, "{bind}: {result:?}");
    }
}

#[test]
fn destinations() {
    let text = |options: &str| {
        format!(
            "{HEAD}[[destination]]\nname = \"engine\"\nrole = \"lis\"\nreceiving = {{ application = \"A\", facility = \"F\" }}\n{options}\n"
        )
    };
    for (options, expected) in [
        (
            "accepts = \"T\"\nsample_id_in = \"filler\"\nstructured_numeric = true\ncorrections = \"hold\"\nresends = \"suppress\"\nretries = 0\nstop_on_error = true\npatient = { field = \"P4\", authority = \"HOSP\" }\n[destination.mllp]\naddress = \"10.0.0.1:2575\"\nacknowledgment = \"enhanced\"\nrequire_application_ack = true\naccept_blank_msa2 = true\nlenient_eob = true\nack_timeout = \"10 min\"",
            expect![[r#"
                warning: orugate.toml:1: no instrument is configured
                gateway GW01: sends as ORUGATE at CORE-LAB, instruments' clocks run in Europe/Berlin, journal /var/lib/orugate/journal up to 4 GiB, delivered results stay 30 days
                destination "engine": LIS, A at F by plain MLLP to 10.0.0.1:2575, takes test results, enhanced acknowledgment AL/AL within 10 min, P4 names the patient (HOSP, MR)"#]],
        ),
        (
            "corrections = \"c\"\nretries = 21\nsample_id_in = \"order\"\nack_timeout = \"5 s\"\npatient = { field = \"P2\", authority = \"\", kind = \"a|b\" }\nmllp = { address = \"10.0.0.1\", ack_timeout = \"0 s\", acknowledgment = \"commit\" }",
            expect![[r#"
                warning: orugate.toml:1: no instrument is configured
                orugate.toml:12: destination "engine": corrections: "c" is not known; allowed are "C", "F", "hold"; did you mean "C"?
                orugate.toml:13: destination "engine": retries: 21 is out of range; allowed are 0 to 20
                orugate.toml:14: destination "engine": sample_id_in: "order" is not known; allowed are "specimen", "placer", "filler"
                orugate.toml:15: destination "engine": ack_timeout: unknown key; allowed are name, role, receiving, mllp, accepts, sample_id_in, structured_numeric, corrections, resends, retries, stop_on_error, patient
                orugate.toml:16: destination "engine": patient.field: "P2" is not known; allowed are "P3", "P4", "P5"; did you mean "P3"?
                orugate.toml:16: destination "engine": patient.authority: is empty; an identifier that nobody assigned names no patient
                orugate.toml:16: destination "engine": patient.kind: "a|b" holds '|'; allowed is plain text without | ^ ~ \ & and control characters
                orugate.toml:17: destination "engine": mllp.address: "10.0.0.1" has no port; allowed is "host:port", such as "engine.example:2575"
                orugate.toml:17: destination "engine": mllp.ack_timeout: 0 s is out of range; allowed are 1 s to 10 min
                orugate.toml:17: destination "engine": mllp.acknowledgment: "commit" is not known; allowed are "original", "enhanced"
                10 mistakes; nothing was opened"#]],
        ),
    ] {
        check(&[&text(options)], expected);
    }
    for address in [
        "tcp://a:1",
        "a",
        "a:",
        ":1",
        "a:0",
        "a:65536",
        "a:+1",
        "2001:db8::1:2575",
        "[2001:db8::1]",
        "[x]:1",
        "1.2.3:4",
        "a b:1",
    ] {
        let result = load_texts(files(&[&text(&format!("mllp = {{ address = \"{address}\" }}"))]), &Shelf);
        let list = result.expect_err(address).list().to_vec();
        assert_eq!(list.len(), 1, "{list:?}");
        assert_eq!(list[0].key, "destination[0].mllp.address");
    }
}

#[test]
fn names_and_ranges() {
    let text =
        HEAD.replace("\"CORE-LAB\"", "\"CORE^LAB\"\napplication = \"\"\nadmin_socket = \"run/x\"").replace(
            "/var/lib/orugate/journal\"",
            "/run/journal\"\nmax_size = \"63 MiB\"\nkeep_delivered = \"4000 days\"",
        ) + &ENGINE.replace("\"engine\"", "\"Engine 1\"");
    check(&[&text], expect![[r#"
        warning: orugate.toml:1: no instrument is configured
        warning: orugate.toml:9: journal.path: is usually in memory; a journal there is lost when the power goes
        orugate.toml:4: gateway.facility: "CORE^LAB" holds '^'; allowed is plain text without | ^ ~ \ & and control characters
        orugate.toml:5: gateway.application: is empty; MSH-3 tells engines who sends
        orugate.toml:6: gateway.admin_socket: "run/x" is not absolute; allowed are paths that begin with /
        orugate.toml:10: journal.max_size: 63 MiB is too small; allowed is at least 64 MiB
        orugate.toml:11: journal.keep_delivered: 4000 days is out of range; allowed are 1 h to 3650 days
        orugate.toml:13: destination "Engine 1": name: "Engine 1" does not fit; allowed are 1 to 40 of a-z, 0-9 and hyphen, no hyphen first
        6 mistakes; nothing was opened"#]]);
    let long = HEAD.replace("id =", &format!("admin_socket = \"/{}\"\nid =", "x".repeat(107)));
    check(&[&long], expect![[r#"
        warning: orugate.toml:1: no instrument is configured
        orugate.toml:3: gateway.admin_socket: has 108 bytes; a socket's path has at most 107
        1 mistake; nothing was opened"#]]);
}

#[test]
fn a_broken_profile_is_told_with_its_own_line() {
    let text = instrument(r#"{ connect = "a:1" }"#).replace("sysmex-xn-l", "torn");
    check(&[&text], expect![[r#"
        orugate.toml:15: instrument "a": profile: profile "torn" is wrong: line 3: no such driver
        1 mistake; nothing was opened"#]]);
}

#[test]
fn mistakes_have_keys_and_columns() {
    let text = instrument(r#"{ serial = "/dev/ttyS0", baud = 9601 }"#);
    let mistakes = load_texts(files(&[&text]), &Shelf).unwrap_err();
    let [mistake] = mistakes.list() else { panic!("{mistakes}") };
    assert_eq!(mistake.key, "instrument[0].wire.baud");
    assert_eq!(mistake.position, Some(Position { line: 18, column: 40 }));
    assert_eq!(mistake.hint.as_deref(), Some("did you mean 9600?"));
}

#[test]
fn something_that_is_no_configuration_has_an_end() {
    let text: String = (0..500).map(|n| format!("k{n} = 1\n")).collect();
    let mistakes = load_texts(files(&[&text]), &Shelf).unwrap_err();
    assert_eq!(mistakes.list().len(), 101);
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
            },
            destinations: [
                DestinationPlan {
                    name: "engine",
                    role: Lis,
                    application: "CENTRAL",
                    facility: "HOSP",
                    address: "engine.example:2575",
                    accepts: Production,
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
                },
            ],
            hash: f5dce5f141aa92dcf90aa8dfe16efa75,
        }
    "#]].assert_debug_eq(&loaded.plan);
}

#[test]
fn the_hash_tells_texts_apart() {
    let a = ConfigHash::of(["ab", "c"]);
    assert_ne!(a, ConfigHash::of(["a", "bc"]));
    assert_eq!(a, ConfigHash::of(["ab", "c"]));
    expect!["8c3202eedf581e2886ed40ad590b88a5"].assert_eq(&a.to_string());
}

#[test]
fn allow_lists() {
    let allow = |text: &str| {
        let wire = format!("{{ listen = \"192.0.2.7:4001\", allow = [\"192.0.2.1\", \"{text}\"] }}");
        let loaded = load_texts(files(&[&instrument(&wire)]), &Shelf).unwrap();
        match &loaded.plan.instruments[0].wire {
            WirePlan::Listen { allow, .. } => allow[1],
            other => panic!("{other:?}"),
        }
    };
    for (network, peer, covered) in [
        ("0.0.0.0/0", "203.0.113.9", true),
        ("0.0.0.0/0", "2001:db8::1", false),
        ("10.1.0.0/16", "10.1.255.255", true),
        ("10.1.0.0/16", "10.2.0.0", false),
        ("10.1.2.3", "10.1.2.3", true),
        ("10.1.2.3", "10.1.2.4", false),
        ("10.1.0.0/16", "::ffff:10.1.9.9", true),
        ("2001:db8::/32", "2001:db8:ffff::1", true),
        ("2001:db8::/32", "2001:db9::1", false),
        ("::/0", "2001:db9::1", true),
        ("::/0", "10.0.0.1", false),
    ] {
        assert_eq!(allow(network).covers(peer.parse().unwrap()), covered, "{network} {peer}");
    }
}

#[test]
fn from_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join("orugate.toml");
    fs::write(&main, format!("{HEAD}{ENGINE}")).unwrap();
    let names = |result: Result<Loaded, Mistakes>| {
        result.unwrap().plan.instruments.iter().map(|plan| plan.name.clone()).collect::<Vec<_>>()
    };
    assert!(names(load(&main, &Shelf)).is_empty(), "conf.d may be absent");

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
    assert_eq!(names(load(&main, &Shelf)), ["first", "second"]);

    fs::write(parts.join("30.toml"), b"# one\n# \xff\n").unwrap();
    fs::create_dir(parts.join("50.toml")).unwrap();
    fs::write(parts.join("60.toml"), vec![b'#'; 1 << 21]).unwrap();
    fs::write(parts.join("70.toml"), "[[instrument]]\nnam = 1\n").unwrap();
    let said = load(&main, &Shelf).unwrap_err().to_string().replace(&parts.display().to_string(), "conf.d");
    expect![[r#"
        conf.d/30.toml: cannot be read: line 2 holds a byte that is not UTF-8
        conf.d/50.toml: cannot be read: Is a directory (os error 21)
        conf.d/60.toml: cannot be read: it is larger than 1 MiB
        conf.d/70.toml:2: instrument number 1: nam: unknown key; allowed are name, profile, mode, wire, send_to; did you mean "name"?
        4 mistakes; nothing was opened"#]].assert_eq(&said);

    let absent = load(&folder.path().join("none/orugate.toml"), &Shelf).unwrap_err();
    assert_eq!(absent.list().len(), 1);
    assert!(absent.to_string().contains("cannot be read"), "{absent}");
}

#[test]
fn the_schema_says_what_every_key_means() {
    fn walk(schema: &serde_json::Value, path: &str, keys: &mut usize) {
        for (name, property) in schema.get("properties").and_then(|p| p.as_object()).into_iter().flatten() {
            *keys += 1;
            assert!(property.get("description").is_some(), "{path}.{name} has no comment");
        }
        assert!(
            schema.get("properties").is_none()
                || schema["additionalProperties"] == serde_json::Value::Bool(false),
            "{path} takes unknown keys"
        );
        for (name, definition) in schema.get("$defs").and_then(|d| d.as_object()).into_iter().flatten() {
            walk(definition, name, keys);
        }
    }
    let mut keys = 0;
    walk(&json_schema().to_value(), "", &mut keys);
    eprintln!("{:#}", json_schema().to_value());
    assert!(keys > 50, "{keys}");
}
