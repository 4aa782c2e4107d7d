//! Instruments over TLS, played by Python's ssl: client certificates are the list of who may come.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use orugate::conditions::Code;
use orugate::run::Gateway;
use orugate::status::{Line, PortView};
use orugate_tests::pki::{ALWAYS, Authority, Day, Pair, write};
use orugate_tests::python::{Receiver, Script, python};
use orugate_tests::secured::*;
use orugate_tests::world::{PATIENCE, Plug, configuration};
use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

const VALID: (Day, Day) = ((2026, 5, 1), (2026, 7, 1));

/// A gateway whose instrument `analyzer` listens with these keys beside `listen`; its engine is nobody.
async fn listening(folder: &Path, keys: &str) -> Gateway {
    let nobody = "127.0.0.1:9".parse().unwrap();
    let text = configuration(folder, nobody, &[("analyzer", "generic-astm", Plug::Tcp)]);
    start(folder, &text.replace("allow = [\"127.0.0.1\"]", keys), noon(TODAY)).await
}

/// The `tls` table with the gateway's own certificate.
fn table(folder: &Path, authority: &Authority, more: &str) -> String {
    let own = authority.sign(&["gateway.example"], 100, ALWAYS);
    let cert = write(folder, "gw.pem", &own.cert);
    let key = write(folder, "gw.key", &own.key);
    format!("tls = {{ cert = \"{}\", key = \"{}\"{more} }}", cert.display(), key.display())
}

fn sender(folder: &Path, gateway: &Gateway, pair: Option<&Pair>, more: &[&str]) -> Script {
    let port = gateway.listening()["analyzer"].port();
    let mut arguments: Vec<OsString> = vec!["sender".into(), port.to_string().into()];
    if let Some(pair) = pair {
        let cert = write(folder, "analyzer.pem", &pair.cert);
        let key = write(folder, "analyzer.key", &pair.key);
        arguments.push(format!("cert={}", cert.display()).into());
        arguments.push(format!("key={}", key.display()).into());
    }
    arguments.extend(more.iter().map(OsString::from));
    let python = python().unwrap();
    Script::run(&python, "tls_peer.py", arguments.iter().map(OsString::as_os_str)).unwrap()
}

async fn view(gateway: &Gateway, what: &str, so: impl FnMut(&PortView) -> bool) -> PortView {
    let lineup = gateway.lineup();
    let port = lineup.instrument("analyzer").unwrap();
    let mut changes = port.status.changed();
    match tokio::time::timeout(PATIENCE, changes.wait_for(so)).await {
        Ok(view) => view.unwrap().clone(),
        Err(_) => panic!("no {what} in {:?}", port.status.view()),
    }
}

async fn refused(gateway: &Gateway, what: &str) {
    view(gateway, what, |view| view.last_note.as_ref().is_some_and(|(_, note)| note.contains(what))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_certificate_is_what_lets_an_instrument_in() {
    if python().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let (house, other) = (Authority::new("House CA"), Authority::new("Other CA"));
    let ca = write(path, "ca.pem", &house.pem);
    let crl = write(path, "house.crl", &house.list(&[66], VALID));
    let tls = table(
        path,
        &house,
        &format!(
            ", clients = \"{}\", allow_clients = [\"name:analyzer-7\", \"name:analyzer-66\"], crl = \"{}\"",
            ca.display(),
            crl.display()
        ),
    );
    let gateway = listening(path, &tls).await;

    let stranger = other.sign(&["analyzer-7"], 7, ALWAYS);
    let colleague = house.sign(&["analyzer-8"], 8, ALWAYS);
    let revoked = house.sign(&["analyzer-66"], 66, ALWAYS);
    let expired = house.sign(&["analyzer-7"], 9, ((2000, 1, 1), (2026, 5, 1)));
    for (pair, more, says) in [
        (None, &[][..], "the instrument showed no certificate"),
        (Some(&stranger), &[], "is signed by \"Other CA\", whom this gateway does not know"),
        (Some(&colleague), &[], "the instrument's certificate for analyzer-8 (sha256:"),
        (Some(&revoked), &[], "the instrument's certificate was revoked"),
        (Some(&expired), &[], "the instrument's certificate was valid until 2026-05-01"),
        (None, &["plain=1"], "the instrument does not speak TLS at this port"),
    ] {
        let mut sender = sender(path, &gateway, pair, more);
        refused(&gateway, says).await;
        let line = sender.line().unwrap();
        assert!(line.starts_with("refused:") || line.starts_with("answered"), "{says}: {line}");
        assert_eq!(conditions(&gateway, Code::TlsFailed).len(), 1, "{says}");
    }
    assert_eq!(gateway.lineup().instruments[0].status.view().bytes, 0, "no byte of theirs came in");

    let good = house.sign(&["analyzer-7"], 7, ALWAYS);
    for version in ["version=1.2", "version=1.3"] {
        let mut sender = sender(path, &gateway, Some(&good), &[version]);
        assert_eq!(sender.line().unwrap(), "acknowledged\n", "{version}");
        assert_eq!(conditions(&gateway, Code::TlsFailed), [], "{version}");
    }
    waits(&gateway, 2).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pinned_client_needs_no_authority_and_addresses_still_count() {
    if python().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let house = Authority::new("House CA");
    let pair = orugate_tests::pki::self_signed("analyzer-7", ALWAYS);
    let pin: String = hash(&pair.der);
    let tls = table(path, &house, &format!(", allow_clients = [\"sha256:{pin}\"]"));
    for (allow, says) in [("127.0.0.1", "acknowledged\n"), ("192.0.2.7", "refused")] {
        let site = tempfile::tempdir().unwrap();
        let gateway = listening(site.path(), &format!("allow = [\"{allow}\"], {tls}")).await;
        let mut sender = sender(path, &gateway, Some(&pair), &[]);
        let line = sender.line().unwrap();
        assert!(line.starts_with(says), "{allow}: {line}");
        if says == "refused" {
            refused(&gateway, "this address is not in the instrument's `allow`").await;
        }
        gateway.stop().await;
    }
}

fn hash(der: &[u8]) -> String {
    orugate::tls::provider()
        .cipher_suites
        .iter()
        .filter_map(|suite| suite.tls13())
        .map(|suite| suite.common.hash_provider)
        .find(|hash| hash.output_len() == 32)
        .map(|hash| {
            hash.hash(der).as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
        })
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_says_nothing_keeps_the_analyzer_out_of_nothing() {
    if python().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let house = Authority::new("House CA");
    let ca = write(path, "ca.pem", &house.pem);
    let tls = table(path, &house, &format!(", clients = \"{}\"", ca.display()));
    let gateway = listening(path, &tls).await;
    let address = gateway.listening()["analyzer"];
    let mut crowd: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(address).unwrap()).collect();
    refused(&gateway, "too many handshakes at a time").await;
    let good = house.sign(&["analyzer-7"], 7, ALWAYS);
    let mut sender = sender(path, &gateway, Some(&good), &[]);
    assert_eq!(sender.line().unwrap(), "acknowledged\n");
    // While it is connected, what the others do is no trouble of the instrument's.
    crowd[39].write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = crowd[39].read_to_end(&mut answer);
    refused(&gateway, "does not speak TLS").await;
    assert_eq!(conditions(&gateway, Code::TlsFailed), []);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instrument_that_is_revoked_while_connected_says_not_one_byte_more() {
    if python().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let house = Authority::new("House CA");
    let ca = write(path, "ca.pem", &house.pem);
    let crl = write(path, "house.crl", &house.list(&[], VALID));
    let more = format!(", clients = \"{}\", crl = \"{}\"", ca.display(), crl.display());
    let gateway = listening(path, &table(path, &house, &more)).await;
    let mut sender = sender(path, &gateway, Some(&house.sign(&["analyzer-7"], 7, ALWAYS)), &[]);
    assert_eq!(sender.line().unwrap(), "acknowledged\n");
    write(path, "house.crl", &house.list(&[7], VALID));
    look(&gateway);
    // Now it says ENQ, and would be answered ACK.
    let said = tokio::task::spawn_blocking(move || sender.stop().unwrap()).await.unwrap();
    assert!(said.starts_with("refused:") || said == "answered b''\n", "{said}");
    let down =
        view(&gateway, "revoked", |view| matches!(&view.line, Line::Down(why) if why.contains("revoked")));
    down.await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instrument_that_listens_is_reached_over_tls() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let house = Authority::new("House CA");
    let ca = write(path, "ca.pem", &house.pem);
    let pair = house.sign(&["analyzer.example"], 2, ALWAYS);
    let cert = write(path, "analyzer.pem", &pair.cert);
    let key = write(path, "analyzer.key", &pair.key);
    let arguments: [OsString; 5] = [
        "engine".into(),
        path.join("unused").into(),
        format!("cert={}", cert.display()).into(),
        format!("key={}", key.display()).into(),
        "version=1.3".into(),
    ];
    let arguments = arguments.iter().map(OsString::as_os_str);
    let mut device = Receiver::run(&python, "tls_peer.py", arguments).unwrap();
    let wire = |name: &str| {
        format!(
            "wire = {{ connect = \"{}\", tls = {{ ca = \"{}\", name = \"{name}\" }} }}",
            device.address,
            ca.display()
        )
    };
    let wires = [wire("analyzer.example"), wire("other.example")];
    let nobody = "127.0.0.1:9".parse().unwrap();
    let text = configuration(path, nobody, &[("analyzer", "generic-astm", Plug::Tcp)]);
    let plain = "wire = { listen = \"127.0.0.1:1\", allow = [\"127.0.0.1\"] }";
    assert!(text.contains(plain));
    let gateway = start(path, &text.replace(plain, &wires[0]), noon(TODAY)).await;
    view(&gateway, "connection", PortView::is_up).await;
    assert_eq!(engine_says(&mut device, "TLSv"), "TLSv1.3 -\n");
    gateway.stop().await;
    assert_eq!(device.line().unwrap(), "closed\n");

    let gateway = start(path, &text.replace(plain, &wires[1]), noon(TODAY)).await;
    let says = "the instrument's certificate is for analyzer.example, not for other.example";
    view(&gateway, says, |view| matches!(&view.line, Line::Down(why) if why.contains(says))).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instrument_that_begins_with_tls_on_a_plain_wire_is_named() {
    if python().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let gateway = listening(folder.path(), "allow = [\"127.0.0.1\"]").await;
    let _sender = sender(folder.path(), &gateway, None, &[]);
    let says = "the other side begins with TLS, and this wire is plain";
    view(&gateway, says, |view| matches!(&view.line, Line::Down(why) if why.contains(says))).await;
    gateway.stop().await;
}
