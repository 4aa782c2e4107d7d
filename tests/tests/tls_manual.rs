//! The commands of `docs/tls.md`, run by openssl, and what they make, used by a gateway. Keys in every form.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use orugate::clock::Clock;
use orugate::config;
use orugate::tls;
use orugate_drivers::SHIPPED;
use orugate_tests::python::{Receiver, python};
use orugate_tests::secured::*;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// False, and said so, where there is no openssl.
fn openssl() -> bool {
    let there = Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success());
    if !there {
        orugate_tests::skipped("openssl is not installed: the commands of docs/tls.md");
    }
    there
}

fn shell(folder: &Path, script: &str) {
    let output = Command::new("sh").args(["-e", "-c", script]).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}\n{said}");
}

/// All shell blocks of the page, the one that needs a certificate last.
fn commands() -> String {
    let page = std::fs::read_to_string(orugate_tests::root().join("docs/tls.md")).unwrap();
    let mut blocks: Vec<&str> =
        page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 4, "{}", blocks.len());
    blocks.rotate_left(1);
    blocks.concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_manual_makes_works() {
    if !openssl() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    shell(path, &commands());
    let Some(python) = python() else { return };
    let at = |name: &str| path.join(name).display().to_string();
    let arguments: [OsString; 5] = [
        "engine".into(),
        path.join("received.mllp").into(),
        format!("cert={}", at("engine.example.pem")).into(),
        format!("key={}", at("engine.example.key")).into(),
        format!("ca={}", at("ca.pem")).into(),
    ];
    let arguments = arguments.iter().map(OsString::as_os_str);
    let mut engine = Receiver::run(&python, "tls_peer.py", arguments).unwrap();
    let table = format!(
        "{{ ca = \"{}\", name = \"engine.example\", cert = \"{}\", key = \"{}\", crl = \"{}\" }}",
        at("ca.pem"),
        at("gw01.pem"),
        at("gw01.key"),
        at("house.crl")
    );
    // openssl dates by the real clock, so this gateway does too.
    let now = Clock::system(0).utc();
    let gateway = start(path, &towards(path, engine.address, &table), now).await;
    send(&gateway, "T-1").await;
    delivered(&gateway, 1).await;
    assert!(engine_says(&mut engine, "TLSv").contains("gw01"));
    gateway.stop().await;
}

#[tokio::test]
async fn keys_in_every_form_and_what_check_says_of_files() {
    if !openssl() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    shell(path, &commands());
    shell(
        path,
        "openssl ec -in gw01.key -out sec1.key
         openssl pkey -in gw01.key -aes256 -passout pass:secret -out locked.key
         openssl genrsa -out rsa.key 2048
         openssl rsa -in rsa.key -traditional -out pkcs1.key
         openssl rsa -in rsa.key -traditional -aes128 -passout pass:secret -out locked1.key
         openssl req -new -config ca.cnf -key rsa.key -subj /CN=gw01 -addext subjectAltName=DNS:gw01 -out rsa.csr
         openssl ca -batch -config ca.cnf -in rsa.csr -days 365 -notext -out rsa.pem
         openssl x509 -in gw01.pem -outform DER -out gw01.der
         openssl crl -in house.crl -outform DER -out house.der
         openssl pkcs12 -export -in gw01.pem -inkey gw01.key -passout pass:secret -out gw01.p12
         cat ca.pem gw01.pem > upside-down.pem
         cat gw01.pem engine.pem > strangers.pem
         cat ca.pem ca.pem > two.pem
         head -c 300 house.crl > torn.crl
         : > empty.pem
         chmod 640 ./*.key
         cp gw01.key open.key
         chmod 644 open.key",
    );
    let check = |ca: &str, cert: &str, key: &str, crl: &str| {
        let file = |name: &str| path.join(name).display().to_string();
        let table = format!(
            "{{ ca = \"{}\", name = \"engine.example\", cert = \"{}\", key = \"{}\", crl = \"{}\" }}",
            file(ca),
            file(cert),
            file(key),
            file(crl)
        );
        let text = towards(path, "127.0.0.1:2575".parse().unwrap(), &table);
        let loaded = config::load_texts(vec![("orugate.toml".into(), text)], &SHIPPED).unwrap();
        let (wrong, warnings) = tls::check(&loaded, &Clock::starting_at(Clock::system(0).utc()));
        let said = wrong.iter().map(|m| format!("wrong: {m}"));
        let said = said.chain(warnings.iter().map(|m| format!("warning: {m}")));
        said.collect::<Vec<_>>().join("\n").replace(&path.display().to_string(), "")
    };
    let of = |key: &str, message: &str| {
        format!("orugate.toml:13: destination \"engine\": mllp.tls.{key}: {message}")
    };
    for (cert, key) in
        [("gw01.pem", "gw01.key"), ("gw01.pem", "sec1.key"), ("rsa.pem", "rsa.key"), ("rsa.pem", "pkcs1.key")]
    {
        assert_eq!(check("ca.pem", cert, key, "house.crl"), "", "{cert} {key}");
    }
    assert_eq!(check("two.pem", "gw01.der", "gw01.key", "house.der"), "");
    let locked = "is locked with a password, and nobody is there to type it. Unlock it: openssl pkey -in FILE -out NEW; \
                  keep it safe as a systemd credential";
    let rows = [
        (
            ("ca.pem", "gw01.pem", "locked.key", "house.crl"),
            "wrong: ",
            of("key", &format!("/locked.key {locked}")),
        ),
        (
            ("ca.pem", "rsa.pem", "locked1.key", "house.crl"),
            "wrong: ",
            of("key", &format!("/locked1.key {locked}")),
        ),
        (
            ("ca.pem", "gw01.pem", "engine.example.key", "house.crl"),
            "wrong: ",
            of("key", "/engine.example.key does not belong to the certificate in /gw01.pem"),
        ),
        (
            ("ca.pem", "upside-down.pem", "gw01.key", "house.crl"),
            "wrong: ",
            of(
                "key",
                "/upside-down.pem: its certificate 2 belongs to the key; it must be the first, then who signed it",
            ),
        ),
        (
            ("ca.pem", "strangers.pem", "gw01.key", "house.crl"),
            "warning: ",
            of(
                "cert",
                "/strangers.pem: certificate 2 did not sign the one before it; some engines refuse such a chain. The order is: the gateway's own, then who signed it, and so on",
            ),
        ),
        (
            ("ca.pem", "gw01.p12", "gw01.key", "house.crl"),
            "wrong: ",
            of(
                "cert",
                "certificate 1 in /gw01.p12 is damaged or none. A .p12 or .pfx file is unpacked with: openssl pkcs12 -in FILE -nodes",
            ),
        ),
        (
            ("ca.pem", "gw01.pem", "open.key", "house.crl"),
            "warning: ",
            of("key", "/open.key can be read by every user of this machine: chmod o-r /open.key"),
        ),
        (
            ("absent.pem", "gw01.pem", "gw01.key", "house.crl"),
            "warning: ",
            of("ca", "/absent.pem is not on this machine"),
        ),
        (
            ("ca.pem", "gw01.pem", "gw01.key", "torn.crl"),
            "wrong: ",
            of("crl", "/torn.crl cannot be read: a PEM section has no end; is the file half written?"),
        ),
        (("empty.pem", "gw01.pem", "gw01.key", "house.crl"), "wrong: ", of("ca", "/empty.pem is empty")),
    ];
    for ((ca, cert, key, crl), kind, says) in rows {
        assert_eq!(check(ca, cert, key, crl), format!("{kind}{says}"));
    }
}
