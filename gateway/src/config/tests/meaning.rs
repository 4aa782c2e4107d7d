//! What fits the format and yet means nothing good: references, ranges, what belongs together.

use super::*;
use std::time::Duration;

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
    check(
        &[&instrument(wire), second, third],
        expect![[r#"
        warning: conf.d/1.toml:11: instrument "a": mode: "test", and no destination in send_to accepts "T": its results are stored and go nowhere
        conf.d/1.toml:1: journal: belongs to the main file; files in conf.d may hold [[destination]] and [[instrument]]
        conf.d/1.toml:4: destination "engine": name: "engine" is taken by orugate.toml line 9; every name is given once
        conf.d/1.toml:9: instrument "a": name: "a" is taken by orugate.toml line 14; every name is given once
        conf.d/1.toml:12: instrument "a": wire.serial: "/dev//ttyS0/." is the port of instrument "a" too
        4 mistakes; nothing was opened"#]],
    );
    let live = "[[instrument]]\nname = \"b\"\nprofile = \"generic-astm\"\nmode = \"live\"\nwire = { connect = \"10.0.0.9:5000\" }\nsend_to = [\"other\"]\n";
    let both = live.replace("\"b\"", "\"c\"").replace("\"other\"", "\"other\", \"engine\", \"other\"");
    check(
        &[&instrument(wire), live, third, &both],
        expect![[r#"
        warning: conf.d/3.toml:5: instrument "c": wire.connect: "10.0.0.9:5000" is the address of instrument "b" too
        conf.d/1.toml:4: instrument "b": mode: "live", and no destination in send_to accepts "P": its results would go nowhere
        conf.d/3.toml:6: instrument "c": send_to: "other" is named twice
        2 mistakes; nothing was opened"#]],
    );
}

#[test]
fn test_mode() {
    let text = instrument(r#"{ connect = "10.0.0.9:5000" }"#).replace("\"live\"", "\"test\"");
    check(
        &[&text],
        expect![[r#"
            warning: orugate.toml:16: instrument "a": mode: "test", and no destination in send_to accepts "T": its results are stored and go nowhere
            gateway GW01: sends as ORUGATE at CORE-LAB, instruments' clocks run in Europe/Berlin, journal /var/lib/orugate/journal up to 4 GiB
            destination "engine": LIS, CENTRAL at HOSP by plain MLLP to engine.example:2575, takes live results, original acknowledgment within 30 s, no patient is named
            instrument "a": test, profile sysmex-xn-l (evidence: manual), connects to 10.0.0.9:5000, results go to no destination; not to "engine", for live results only"#]],
    );
}

#[test]
fn wires() {
    for (wire, expected) in [
        (
            r#"{ serial = "/dev/ttyUSB0", baud = 9600 }"#,
            expect![[r#"
                warning: orugate.toml:18: instrument "a": wire.serial: "/dev/ttyUSB0" is numbered by the order of plugging in: another instrument may get it; use its name below /dev/serial/by-path or /dev/serial/by-id
                gateway GW01: sends as ORUGATE at CORE-LAB, instruments' clocks run in Europe/Berlin, journal /var/lib/orugate/journal up to 4 GiB
                instrument "a": live, profile sysmex-xn-l (evidence: manual), serial /dev/ttyUSB0 at 9600 8N1 with no flow control, results go to "engine""#]],
        ),
        (
            r#"{ serial = "/dev/ttyS1", baud = 115200, data_bits = 7, parity = "even", stop_bits = 2, flow = "software", rts = true, dtr = false }"#,
            expect![[r#"
                gateway GW01: sends as ORUGATE at CORE-LAB, instruments' clocks run in Europe/Berlin, journal /var/lib/orugate/journal up to 4 GiB
                instrument "a": live, profile sysmex-xn-l (evidence: manual), serial /dev/ttyS1 at 115200 7E2 with software flow control, results go to "engine""#]],
        ),
        (
            r#"{ serial = "/dev/ttyS1", baud = 9600, flow = "hardware", rts = true }"#,
            expect![[
                r#"orugate.toml:18: instrument "a": wire.rts: cannot be set with flow = "hardware", which moves RTS itself"#
            ]],
        ),
        (
            r#"{ serial = "ttyS1", baud = -1, data_bits = 9, stop_bits = 0, parity = "mark" }"#,
            expect![[r#"
            orugate.toml:18: instrument "a": wire.serial: "ttyS1" is not absolute; allowed are devices such as "/dev/ttyS0"
            orugate.toml:18: instrument "a": wire.baud: -1 is not a line rate; allowed are 300, 600, 1200, 2400, 4800, 9600, 14400, 19200, 38400, 57600, 115200, 230400
            orugate.toml:18: instrument "a": wire.data_bits: 9 is out of range; allowed are 5 to 8
            orugate.toml:18: instrument "a": wire.stop_bits: 0 is out of range; allowed are 1 to 2
            orugate.toml:18: instrument "a": wire.parity: "mark" is not known; allowed are "none", "even", "odd""#]],
        ),
        (
            r#"{ serial = "/dev/ttyS1" }"#,
            expect![[
                r#"orugate.toml:18: instrument "a": wire.baud: is missing; write the line rate that the instrument is set to"#
            ]],
        ),
        (
            r#"{ }"#,
            expect![[
                r#"orugate.toml:18: instrument "a": wire: does not say how; allowed is exactly one of serial, listen, connect, udp"#
            ]],
        ),
        (
            r#"{ serial = "/dev/ttyS1", connect = "a:1", baud = 9600 }"#,
            expect![[
                r#"orugate.toml:18: instrument "a": wire.connect: stands beside serial; allowed is exactly one of serial, listen, connect, udp"#
            ]],
        ),
        (
            r#"{ serial = 5, baud = 9600 }"#,
            expect![[
                r#"orugate.toml:18: instrument "a": wire.serial: integer 5 stands here; allowed is text in quotes"#
            ]],
        ),
        (
            r#"{ listen = "192.0.2.7:4001", allow = ["192.0.2.10", "10.1.0.0/16", "2001:db8::/32"] }"#,
            expect![[r#"
                gateway GW01: sends as ORUGATE at CORE-LAB, instruments' clocks run in Europe/Berlin, journal /var/lib/orugate/journal up to 4 GiB
                instrument "a": live, profile sysmex-xn-l (evidence: manual), listens on 192.0.2.7:4001 for 192.0.2.10, 10.1.0.0/16, 2001:db8::/32, results go to "engine""#]],
        ),
        (
            r#"{ listen = ":4001", baud = 9600 }"#,
            expect![[r#"
                orugate.toml:18: instrument "a": wire.allow: is missing; write the addresses or networks that may connect, such as ["192.0.2.10"]; to allow everybody on purpose, write ["0.0.0.0/0", "::/0"]
                orugate.toml:18: instrument "a": wire.listen: ":4001" is not "ip:port"; allowed is an address of this gateway, such as "192.0.2.7:4001", or "0.0.0.0:4001" for all of them
                orugate.toml:18: instrument "a": wire.baud: belongs to a wire with serial, and this one has listen"#]],
        ),
        (
            r#"{ listen = "analyzer:4001", allow = [] }"#,
            expect![[r#"
            orugate.toml:18: instrument "a": wire.listen: "analyzer:4001" is not "ip:port"; allowed is an address of this gateway, such as "192.0.2.7:4001", or "0.0.0.0:4001" for all of them
            orugate.toml:18: instrument "a": wire.allow: is empty, so nobody could connect; to allow everybody on purpose, write ["0.0.0.0/0", "::/0"]"#]],
        ),
        (
            r#"{ listen = "0.0.0.0:0", allow = ["192.0.2.7/24", "10.0.0.0/33", "host", "10.0.0.0/+8"] }"#,
            expect![[r#"
                orugate.toml:18: instrument "a": wire.listen: "0.0.0.0:0" is not "ip:port"; allowed is an address of this gateway, such as "192.0.2.7:4001", or "0.0.0.0:4001" for all of them
                orugate.toml:18: instrument "a": wire.allow: "192.0.2.7/24" has bits set after its prefix; allowed are "192.0.2.10" and "192.0.2.0/24"; did you mean "192.0.2.7" or "192.0.2.0/24"?
                orugate.toml:18: instrument "a": wire.allow: "10.0.0.0/33" has a prefix length out of range; allowed are "192.0.2.10" and "192.0.2.0/24"
                orugate.toml:18: instrument "a": wire.allow: "host" is no address or network; allowed are "192.0.2.10" and "192.0.2.0/24"
                orugate.toml:18: instrument "a": wire.allow: "10.0.0.0/+8" has no whole number as its prefix length; allowed are "192.0.2.10" and "192.0.2.0/24""#]],
        ),
        (
            r#"{ listen = "0.0.0.0:4001", allow = ["::/0"] }"#,
            expect![[r#"
                warning: orugate.toml:18: instrument "a": wire.allow: has only IPv6 addresses, and the wire listens on IPv4: nobody can connect
                gateway GW01: sends as ORUGATE at CORE-LAB, instruments' clocks run in Europe/Berlin, journal /var/lib/orugate/journal up to 4 GiB
                instrument "a": live, profile sysmex-xn-l (evidence: manual), listens on 0.0.0.0:4001 for ::/0, results go to "engine""#]],
        ),
        (
            r#"{ connect = "analyzer-3.lab.example:4001" }"#,
            expect![[r#"
                gateway GW01: sends as ORUGATE at CORE-LAB, instruments' clocks run in Europe/Berlin, journal /var/lib/orugate/journal up to 4 GiB
                instrument "a": live, profile sysmex-xn-l (evidence: manual), connects to analyzer-3.lab.example:4001, results go to "engine""#]],
        ),
        (
            r#"{ connect = "10.0.0.256:4001", allow = ["0.0.0.0/0"] }"#,
            expect![[r#"
                orugate.toml:18: instrument "a": wire.connect: "10.0.0.256:4001" has no valid IPv4 address; allowed is "host:port", such as "engine.example:2575"
                orugate.toml:18: instrument "a": wire.allow: belongs to a wire with listen, and this one has connect"#]],
        ),
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
                gateway GW01: sends as ORUGATE at CORE-LAB, instruments' clocks run in Europe/Berlin, journal /var/lib/orugate/journal up to 4 GiB
                destination "engine": LIS, A at F by plain MLLP to 10.0.0.1:2575, takes test results, enhanced AL/AL acknowledgment within 10 min, P4 names the patient (HOSP, MR)"#]],
        ),
        (
            "corrections = \"c\"\nretries = 21\nsample_id_in = \"order\"\nack_timeout = \"5 s\"\npatient = { field = \"P2\", authority = \"\", kind = \"a|b\" }\nmllp = { address = \"10.0.0.1\", ack_timeout = \"0 s\", acknowledgment = \"commit\" }",
            expect![[r#"
                warning: orugate.toml:1: no instrument is configured
                orugate.toml:12: destination "engine": corrections: "c" is not known; allowed are "C", "F", "hold"; did you mean "C"?
                orugate.toml:13: destination "engine": retries: 21 is out of range; allowed are 0 to 20
                orugate.toml:14: destination "engine": sample_id_in: "order" is not known; allowed are "specimen", "placer", "filler"
                orugate.toml:15: destination "engine": ack_timeout: unknown key; allowed are name, role, receiving, mllp, accepts, charset, sample_id_in, structured_numeric, corrections, resends, retries, stop_on_error, patient, pcd; "ack_timeout" belongs to destination.mllp
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
            "/run/journal\"\nmax_size = \"63 MiB\"\nkeep_delivered = \"4000 days\"\nkeep_raw = \"59 min\"\nkeep_keys = \"3651 \
             days\"\nsnapshots_size = \"32 MiB\"\nendurance = \"9 GB\"",
        ) + &ENGINE.replace("\"engine\"", "\"Engine 1\"");
    check(
        &[&text],
        expect![[r#"
            warning: orugate.toml:1: no instrument is configured
            warning: orugate.toml:9: journal.path: is usually in memory; a journal there is lost when the power goes
            orugate.toml:4: gateway.facility: "CORE^LAB" holds '^'; allowed is plain text without | ^ ~ \ & and control characters
            orugate.toml:5: gateway.application: is empty; allowed is the name by which engines know the sender, or no key at all for "ORUGATE"
            orugate.toml:6: gateway.admin_socket: "run/x" is not absolute; allowed are paths that begin with /
            orugate.toml:10: journal.max_size: 63 MiB is too small; allowed is at least 64 MiB
            orugate.toml:11: journal.keep_delivered: 4000 days is out of range; allowed are 1 h to 3650 days
            orugate.toml:12: journal.keep_raw: 59 min is out of range; allowed are 1 h to 3650 days
            orugate.toml:13: journal.keep_keys: 3651 days is out of range; allowed are 1 h to 3650 days
            orugate.toml:14: journal.snapshots_size: 32 MiB is too much; allowed is at most half of max_size, the rest is the laboratory's
            orugate.toml:15: journal.endurance: 9 GB is too small; allowed is at least 10 GB
            orugate.toml:17: destination "Engine 1": name: "Engine 1" does not fit; allowed are 1 to 40 of a-z, 0-9 and hyphen, no hyphen first
            10 mistakes; nothing was opened"#]],
    );
    let long = HEAD.replace("id =", &format!("admin_socket = \"/{}\"\nid =", "x".repeat(107)));
    check(
        &[&long],
        expect![[r#"
        warning: orugate.toml:1: no instrument is configured
        orugate.toml:3: gateway.admin_socket: has 108 bytes; a socket's path has at most 107
        1 mistake; nothing was opened"#]],
    );
}

#[test]
fn a_broken_profile_is_told_with_its_own_line() {
    let text = instrument(r#"{ connect = "a:1" }"#).replace("sysmex-xn-l", "torn");
    check(
        &[&text],
        expect![[r#"
        orugate.toml:15: instrument "a": profile: profile "torn" is wrong: line 3: no such driver
        1 mistake; nothing was opened"#]],
    );
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
fn a_shared_port_is_told_beside_other_mistakes() {
    let second = "[[instrument]]\nwire = { serial = \"/dev/ttyS0\", baud = 1 }\n[[instrument]]\nwire = { serial = \"/dev/ttyS0\" }\n";
    let listen = "[[instrument]]\nwire = { listen = \"[::]:4001\" }\n[[instrument]]\nwire = { listen = \"10.0.0.1:4001\", allow = [\"x\"] }\n";
    let all = said(&[&instrument("{ serial = \"/dev/ttyS0\", baud = 9600 }"), second, listen]);
    let wires = all.lines().filter(|line| line.contains("serial:") || line.contains("listen:"));
    expect![[r#"
        conf.d/1.toml:2: instrument number 1: wire.serial: "/dev/ttyS0" is the port of instrument "a" too
        conf.d/1.toml:4: instrument number 2: wire.serial: "/dev/ttyS0" is the port of instrument "a" too
        conf.d/2.toml:4: instrument number 2: wire.listen: 10.0.0.1:4001 collides with [::]:4001, where the gateway listens for instrument number 1"#]].assert_eq(&wires.collect::<Vec<_>>().join("\n"));
}

#[test]
fn time_zones_keep_their_names() {
    for zone in ["UTC", "Europe/Berlin", "Asia/Kolkata", "Etc/GMT+5"] {
        let text = HEAD.replace("Europe/Berlin", zone) + ENGINE;
        let loaded = load_texts(files(&[&text]), &Shelf).unwrap();
        assert_eq!(loaded.plan.gateway.timezone_name, zone);
    }
}

#[test]
fn controls_that_nothing_proves_are_said() {
    let live =
        instrument("{ serial = \"/dev/ttyS0\", baud = 9600 }").replace("\"sysmex-xn-l\"", "\"unmarked\"");
    check(
        &[&live],
        expect![[r#"
        warning: orugate.toml:15: instrument "a": profile: nothing proves how such an instrument marks its controls, so by profile "unmarked" one may go out as a patient's result. Run a control and a calibration, see that `orugate replay` says qc for them, and write a profile of this site with their mark and its proof under [qc] (docs/profile.md, 4.9 and 8)
        gateway GW01: sends as ORUGATE at CORE-LAB, instruments' clocks run in Europe/Berlin, journal /var/lib/orugate/journal up to 4 GiB
        destination "engine": LIS, CENTRAL at HOSP by plain MLLP to engine.example:2575, takes live results, original acknowledgment within 30 s, no patient is named
        instrument "a": live, profile unmarked (evidence: manual), serial /dev/ttyS0 at 9600 8N1 with no flow control, results go to "engine""#]],
    );
}

#[test]
fn what_is_only_described_reaches_no_patient() {
    let live =
        instrument("{ serial = \"/dev/ttyS0\", baud = 9600 }").replace("\"sysmex-xn-l\"", "\"hearsay\"");
    check(
        &[&live],
        expect![[r#"
            warning: orugate.toml:16: instrument "a": mode: "live", and profile "hearsay" is only described: results are held until a verification of this profile with this analyzer is in the journal. Write mode = "test", then: orugate verify session (docs/verify.md). Those that there are: orugate verify list
            gateway GW01: sends as ORUGATE at CORE-LAB, instruments' clocks run in Europe/Berlin, journal /var/lib/orugate/journal up to 4 GiB
            destination "engine": LIS, CENTRAL at HOSP by plain MLLP to engine.example:2575, takes live results, original acknowledgment within 30 s, no patient is named
            instrument "a": live, profile hearsay (evidence: described), serial /dev/ttyS0 at 9600 8N1 with no flow control, results go to "engine""#]],
    );
    let test = live.replace("mode = \"live\"", "mode = \"test\"");
    check(
        &[&test],
        expect![[r#"
        warning: orugate.toml:16: instrument "a": mode: "test", and no destination in send_to accepts "T": its results are stored and go nowhere
        gateway GW01: sends as ORUGATE at CORE-LAB, instruments' clocks run in Europe/Berlin, journal /var/lib/orugate/journal up to 4 GiB
        destination "engine": LIS, CENTRAL at HOSP by plain MLLP to engine.example:2575, takes live results, original acknowledgment within 30 s, no patient is named
        instrument "a": test, profile hearsay (evidence: described), serial /dev/ttyS0 at 9600 8N1 with no flow control, results go to no destination; not to "engine", for live results only"#]],
    );
}

#[test]
fn charsets_of_destinations() {
    let with = |charset: &str| {
        HEAD.to_owned() + &ENGINE.replace("role =", &format!("charset = \"{charset}\"\nrole ="))
    };
    let said = |charset: &str| said(&[&with(charset)]);
    assert!(said("8859/15").contains(" in 8859/15, takes"), "{}", said("8859/15"));
    assert!(!said("UNICODE UTF-8").contains("charset"));
    for (charset, what) in [
        ("utf-8", "did you mean \"UNICODE UTF-8\"?"),
        ("ISO-8859-1", "did you mean \"8859/1\"?"),
        ("BIG5", "did you mean \"BIG-5\"?"),
        ("8859/12", "did you mean \"8859/1"),
        (
            "EBCDIC",
            "charset: is \"EBCDIC\"; what can stand in MSH-18 is \"ASCII\", \"8859/1\", \"UNICODE UTF-8\"",
        ),
        ("windows-1251", "is not in HL7 table 0211"),
        ("GB 18030-2000", "has characters whose second byte is a delimiter's"),
        ("BIG-5", "has characters whose second byte is a delimiter's"),
    ] {
        assert!(said(charset).contains(what), "{charset}: {}", said(charset));
    }
    assert!(!said("KS X 1001").contains("charset"), "{}", said("KS X 1001"));
}

#[test]
fn the_journal_is_kept_for_the_longest_of_its_times_and_half_of_it_is_the_laboratorys() {
    let planned = |keys: &str| {
        let text = HEAD.replace("/var/lib/orugate/journal\"", &format!("/var/lib/orugate/journal\"\n{keys}"));
        load_texts(files(&[&text]), &Shelf)
            .map(|loaded| loaded.plan.journal)
            .map_err(|wrong| wrong.to_string())
    };
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let plan = planned("keep_delivered = \"10 days\"").unwrap();
    assert_eq!([plan.keep_raw, plan.keep_keys, plan.keep()], [days(10); 3], "as keep_delivered");
    assert_eq!((plan.snapshots_size, plan.endurance), (1 << 30, None), "a quarter of 4 GiB");
    let plan = planned("keep_raw = \"3 days\"\nkeep_keys = \"90 days\"").unwrap();
    assert_eq!([plan.keep_delivered, plan.keep_raw, plan.keep_keys, plan.keep()], [30, 3, 90, 90].map(days));
    let plan = planned("max_size = \"64 MiB\"\nsnapshots_size = \"32 MiB\"\nendurance = \"40 TB\"").unwrap();
    assert_eq!((plan.snapshots_size, plan.endurance), (32 << 20, Some(40_000_000_000_000)));
    for (keys, wrong) in [
        ("snapshots_size = \"2049 MiB\"", "2049 MiB is too much; allowed is at most half of max_size"),
        ("snapshots_size = \"8 MiB\"", "8 MiB is too small; allowed is at least 16 MiB"),
        ("endurance = \"40 TiB\"", "did you mean \"40 TB\"?"),
    ] {
        let told = planned(keys).unwrap_err();
        assert!(told.contains(wrong), "{told}");
    }
}
