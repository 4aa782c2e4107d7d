//! `tls` tables: what belongs together, and what does not.

use super::*;

fn destination(tls: &str) -> String {
    let engine = ENGINE.replace("\"engine.example:2575\"", &format!("\"engine.example:2575\", tls = {tls}"));
    let text = said(&[&format!("{HEAD}{engine}")]);
    text.lines().filter(|line| line.contains("destination")).collect::<Vec<_>>().join("\n")
}

fn listen(tls: &str) -> String {
    let text = said(&[&instrument(&format!("{{ listen = \"192.0.2.1:4001\", {tls} }}"))]);
    text.lines().filter(|line| line.contains("instrument \"a\"")).collect::<Vec<_>>().join("\n")
}

#[test]
fn of_a_destination() {
    let pin = "ab".repeat(32);
    let rows = [
        "{}".to_owned(),
        "{ ca = \"ca.pem\" }".to_owned(),
        "{ ca = \"/ca.pem\", name = \"engine example\" }".to_owned(),
        "{ ca = \"/ca.pem\", cert = \"/gw.pem\" }".to_owned(),
        "{ ca = \"/ca.pem\", cert = \"/gw.pem\", key = \"credential:../shadow\" }".to_owned(),
        "{ ca = \"/ca.pem\", min_version = \"1.1\" }".to_owned(),
        "{ pin = [], crl = \"/x.crl\", name = \"engine.example\" }".to_owned(),
        "{ pin = [\"sha1:00\", \"name:engine\"] }".to_owned(),
        "{ clients = \"/ca.pem\", allow_clients = [\"name:x\"] }".to_owned(),
        format!("{{ pin = [\"sha256:{pin}\"] }}"),
        "{ ca = \"/ca.pem\", name = \"192.0.2.9\", crl = \"/x.crl\", min_version = \"1.3\" }".to_owned(),
    ];
    let said: Vec<String> = rows.iter().map(|tls| destination(tls)).collect();
    expect![[r#"
        orugate.toml:12: destination "engine": mllp.tls: does not say who is trusted; write ca = "/etc/orugate/ca.pem", the authority of your house, or pin = ["sha256:…"]
        orugate.toml:12: destination "engine": mllp.tls.ca: "ca.pem" is not absolute; allowed are paths that begin with /
        orugate.toml:12: destination "engine": mllp.tls.name: "engine example" can stand in no certificate; allowed are a DNS name or an IP address
        orugate.toml:12: destination "engine": mllp.tls.key: is missing; certificate and key come together
        orugate.toml:12: destination "engine": mllp.tls.key: "credential:../shadow" names no credential; allowed is "credential:NAME" as in LoadCredential=NAME:…
        orugate.toml:12: destination "engine": mllp.tls.min_version: "1.1" is not known; allowed are "1.2", "1.3"; did you mean "1.2"?
        orugate.toml:12: destination "engine": mllp.tls.pin: is empty, so nobody would fit
        orugate.toml:12: destination "engine": mllp.tls.crl: needs ca, the authorities that it is a list of
        orugate.toml:12: destination "engine": mllp.tls.name: needs ca; a pinned certificate is known by itself
        orugate.toml:12: destination "engine": mllp.tls.pin: "sha1:00" does not fit; allowed are "sha256:" with 64 hexadecimal digits
        orugate.toml:12: destination "engine": mllp.tls.pin: "name:engine" does not fit; allowed are "sha256:" with 64 hexadecimal digits
        orugate.toml:12: destination "engine": mllp.tls: does not say who is trusted; write ca = "/etc/orugate/ca.pem", the authority of your house, or pin = ["sha256:…"]
        orugate.toml:12: destination "engine": mllp.tls.clients: belongs to a wire with listen; here it is ca
        orugate.toml:12: destination "engine": mllp.tls.allow_clients: belongs to a wire with listen; here it is pin
        destination "engine": LIS, CENTRAL at HOSP by MLLP to engine.example:2575 over TLS 1.2 or later by pinned certificate (sha256:abababababababababababababababababababababababababababababababab), takes live results, original acknowledgment within 30 s, no patient is named
        destination "engine": LIS, CENTRAL at HOSP by MLLP to engine.example:2575 over TLS 1.3 or later as 192.0.2.9 by /ca.pem, revocation by /x.crl, takes live results, original acknowledgment within 30 s, no patient is named"#]].assert_eq(&said.join("\n"));
}

#[test]
fn of_a_wire_that_listens() {
    let own = "cert = \"/gw.pem\", key = \"credential:gw01-key\"";
    let rows = [
        "tls = {}".to_owned(),
        format!("tls = {{ {own} }}"),
        format!(
            "tls = {{ {own}, ca = \"/ca.pem\", pin = [\"sha256:00\"], name = \"x\" }}, allow = [\"192.0.2.7\"]"
        ),
        format!("tls = {{ {own}, allow_clients = [\"name:analyzer-7\"] }}"),
        format!("tls = {{ {own}, clients = \"/ca.pem\", allow_clients = [\"analyzer-7\"] }}"),
        format!("tls = {{ {own}, clients = \"/ca.pem\", allow_clients = [\"name:analyzer-7\"] }}"),
        format!("allow = [\"192.0.2.7\"], tls = {{ {own} }}"),
    ];
    let mut said: Vec<String> = rows.iter().map(|tls| listen(tls)).collect();
    let serial = self::said(&[&instrument("{ serial = \"/dev/ttyS0\", baud = 9600, tls = {} }")]);
    said.extend(serial.lines().find(|line| line.contains("tls")).map(str::to_owned));
    expect![[r#"
        orugate.toml:18: instrument "a": wire.allow: is missing; write the addresses or networks that may connect, such as ["192.0.2.10"], or in tls whom you know by certificate (clients); to allow everybody on purpose, write ["0.0.0.0/0", "::/0"]
        orugate.toml:18: instrument "a": wire.tls.cert: is missing; write the file with this gateway's certificate
        orugate.toml:18: instrument "a": wire.allow: is missing; write the addresses or networks that may connect, such as ["192.0.2.10"], or in tls whom you know by certificate (clients); to allow everybody on purpose, write ["0.0.0.0/0", "::/0"]
        orugate.toml:18: instrument "a": wire.tls.ca: belongs to a side that connects; here it is clients
        orugate.toml:18: instrument "a": wire.tls.pin: belongs to a side that connects; here it is allow_clients
        orugate.toml:18: instrument "a": wire.tls.name: belongs to a side that connects; here it is allow_clients
        orugate.toml:18: instrument "a": wire.tls.allow_clients: has a name, and no clients say whose signature makes it true; write clients = FILE, or sha256:…
        orugate.toml:18: instrument "a": wire.tls.allow_clients: "analyzer-7" does not fit; allowed are "sha256:" with 64 hexadecimal digits and "name:analyzer-7"; did you forget name: before it?
        instrument "a": live, profile sysmex-xn-l (evidence: manual), listens on 192.0.2.1:4001 for 0.0.0.0/0, ::/0 over TLS 1.2 or later, clients by /ca.pem (analyzer-7), own certificate /gw.pem, results go to "engine"
        instrument "a": live, profile sysmex-xn-l (evidence: manual), listens on 192.0.2.1:4001 for 192.0.2.7 over TLS 1.2 or later, clients without certificates, own certificate /gw.pem, results go to "engine"
        orugate.toml:18: instrument "a": wire.tls: belongs to a wire with listen or connect, and this one has serial"#]].assert_eq(&said.join("\n"));
}
