//! What bedside devices have of their own.

use super::*;

/// One bedside device, good but for what is given; it begins at line 13, and its wire is in line 18.
fn monitor(wire: &str) -> String {
    instrument(wire).replace("sysmex-xn-l", "monitor")
}

#[test]
fn udp_wires() {
    let row = |wire: &str, profile: &str| {
        let text = instrument(wire).replace("sysmex-xn-l", profile);
        let said = said(&[&text]);
        said.lines().filter(|line| line.contains("instrument \"")).collect::<Vec<_>>().join("\n")
    };
    for (wire, expected) in [
        (
            r#"{ udp = "192.0.2.90:24105" }"#,
            expect![[
                r#"instrument "a": live, profile monitor (evidence: manual), UDP with 192.0.2.90:24105, results go to "engine""#
            ]],
        ),
        (
            r#"{ udp = "[2001:db8::90]:24105", local_port = 24105 }"#,
            expect![[
                r#"instrument "a": live, profile monitor (evidence: manual), UDP with [2001:db8::90]:24105 from port 24105, results go to "engine""#
            ]],
        ),
        (
            r#"{ udp = "[::ffff:192.0.2.90]:24105" }"#,
            expect![[
                r#"instrument "a": live, profile monitor (evidence: manual), UDP with 192.0.2.90:24105, results go to "engine""#
            ]],
        ),
        (
            r#"{ udp = "monitor.icu.example:24105", local_port = 0 }"#,
            expect![[r#"
                orugate.toml:18: instrument "a": wire.udp: "monitor.icu.example:24105" is not "ip:port"; allowed is "ip:port" of the device, such as "192.0.2.90:24105"
                orugate.toml:18: instrument "a": wire.local_port: 0 is no port; allowed are 1 to 65535"#]],
        ),
        (
            r#"{ udp = "192.0.2.90:0", local_port = 65536, baud = 9600, tls = { ca = "/a.pem" } }"#,
            expect![[r#"
                orugate.toml:18: instrument "a": wire.udp: "192.0.2.90:0" has no port from 1 to 65535; allowed is "ip:port" of the device, such as "192.0.2.90:24105"
                orugate.toml:18: instrument "a": wire.local_port: 65536 is no port; allowed are 1 to 65535
                orugate.toml:18: instrument "a": wire.baud: belongs to a wire with serial, and this one has udp
                orugate.toml:18: instrument "a": wire.tls: belongs to a wire with listen or connect, and this one has udp"#]],
        ),
        (
            r#"{ udp = "0.0.0.0:24105" }"#,
            expect![[
                r#"orugate.toml:18: instrument "a": wire.udp: "0.0.0.0:24105" is no device's address; allowed is "ip:port" of the device, such as "192.0.2.90:24105""#
            ]],
        ),
        (
            r#"{ udp = "255.255.255.255:24105" }"#,
            expect![[
                r#"orugate.toml:18: instrument "a": wire.udp: "255.255.255.255:24105" is the address of many, and only one device is heard; allowed is "ip:port" of the device, such as "192.0.2.90:24105""#
            ]],
        ),
        (
            r#"{ udp = "[fe80::1]:24105" }"#,
            expect![[
                r#"orugate.toml:18: instrument "a": wire.udp: "[fe80::1]:24105" is an address of one link and does not say which; write the number of the interface as in "[fe80::1%2]:24105"; allowed is "ip:port" of the device, such as "192.0.2.90:24105""#
            ]],
        ),
        (
            r#"{ connect = "192.0.2.90:4001", local_port = 24105 }"#,
            expect![[
                r#"orugate.toml:18: instrument "a": wire.local_port: belongs to a wire with udp, and this one has connect"#
            ]],
        ),
        (
            r#"{ udp = "192.0.2.90:24105", connect = "192.0.2.90:4001" }"#,
            expect![[
                r#"orugate.toml:18: instrument "a": wire.udp: stands beside connect; allowed is exactly one of serial, listen, connect, udp"#
            ]],
        ),
    ] {
        expected.assert_eq(&row(wire, "monitor"));
    }
    expect![[r#"orugate.toml:18: instrument "a": wire.udp: profile "sysmex-xn-l" gives laboratory results, and a datagram may get lost; allowed are serial, listen and connect"#]].assert_eq(&row(r#"{ udp = "192.0.2.90:24105" }"#, "sysmex-xn-l"));
}

#[test]
fn two_wires_to_one_udp_address() {
    let first = monitor(r#"{ udp = "192.0.2.90:24105", local_port = 24105 }"#);
    let second = |wire: &str| {
        format!(
            "[[instrument]]\nname = \"b\"\nprofile = \"monitor\"\nmode = \"live\"\nsend_to = [\"engine\"]\nwire = {wire}\n"
        )
    };
    for (wire, expected) in [
        (
            r#"{ udp = "192.0.2.90:24105", local_port = 24105 }"#,
            expect![[
                r#"conf.d/1.toml:6: instrument "b": wire.udp: UDP with 192.0.2.90:24105 from port 24105 is the wire of instrument "a" too, and only one of them would hear the device; allowed is another address or another local_port"#
            ]],
        ),
        (
            r#"{ udp = "192.0.2.90:24105", local_port = 24106 }"#,
            expect![[r#"
            warning: conf.d/1.toml:6: instrument "b": wire.udp: "192.0.2.90:24105" is the address of instrument "a" too
            instrument "b": live, profile monitor (evidence: manual), UDP with 192.0.2.90:24105 from port 24106, results go to "engine""#]],
        ),
        (
            r#"{ udp = "192.0.2.91:24105", local_port = 24105 }"#,
            expect![[
                r#"instrument "b": live, profile monitor (evidence: manual), UDP with 192.0.2.91:24105 from port 24105, results go to "engine""#
            ]],
        ),
    ] {
        let said = said(&[&first, &second(wire)]);
        let line: Vec<_> = said.lines().filter(|line| line.contains("instrument \"b\"")).collect();
        expected.assert_eq(&line.join("\n"));
    }
}

#[test]
fn another_port_of_the_box_begins_the_connection_anew() {
    let plan = |wire| load_texts(files(&[&monitor(wire)]), &Shelf).unwrap().plan;
    let (old, new) = (
        plan(r#"{ udp = "192.0.2.90:24105" }"#),
        plan(r#"{ udp = "192.0.2.90:24105", local_port = 24105 }"#),
    );
    let difference = Difference::between(&old, &new);
    let [change] = &*difference.changes else { panic!("{difference:?}") };
    assert_eq!(change.takes, Takes::Connection);
    expect!["a: wire: UDP with 192.0.2.90:24105 → UDP with 192.0.2.90:24105 from port 24105"]
        .assert_eq(&change.to_string());
}
