//! MLLP over TLS against an engine on Python's ssl: who is let in, who is not and why, and files that change.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use orugate::clock::Clock;
use orugate::conditions::{Code, Fault};
use orugate_protocol::time::Utc;
use orugate_tests::pki::{ALWAYS, Authority, Day, Pair, self_signed, write};
use orugate_tests::python::{Receiver, python};
use orugate_tests::secured::*;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const NAME: &str = "engine.example";

/// An engine with this certificate, and what it shall do besides.
fn engine(folder: &Path, pair: &Pair, options: &[String]) -> Option<Receiver> {
    let python = python()?;
    let cert = write(folder, "engine.pem", &pair.cert);
    let key = write(folder, "engine.key", &pair.key);
    let mut arguments: Vec<OsString> = vec!["engine".into(), folder.join("received.mllp").into()];
    arguments.push(format!("cert={}", cert.display()).into());
    arguments.push(format!("key={}", key.display()).into());
    arguments.extend(options.iter().map(OsString::from));
    Some(Receiver::run(&python, "tls_peer.py", arguments.iter().map(OsString::as_os_str)).unwrap())
}

fn received(folder: &Path) -> usize {
    std::fs::read(folder.join("received.mllp")).unwrap().iter().filter(|byte| **byte == 0x0B).count()
}

/// A site: its folder, its authority, and the file of it.
fn site() -> (TempDir, Authority, String) {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("House CA");
    let ca = write(folder.path(), "ca.pem", &authority.pem).display().to_string();
    (folder, authority, ca)
}

fn own(folder: &Path, pair: &Pair) -> String {
    let cert = write(folder, "gw01.pem", &pair.cert);
    let key = write(folder, "gw01.key", &pair.key);
    format!("cert = \"{}\", key = \"{}\"", cert.display(), key.display())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_go_over_tls_12_and_13_with_and_without_a_client_certificate() {
    let (folder, authority, ca) = site();
    let server = authority.sign(&[NAME], 2, ALWAYS);
    let client = own(folder.path(), &authority.sign(&["gw01"], 3, ALWAYS));
    for (version, wants) in [("1.2", false), ("1.3", false), ("1.2", true), ("1.3", true)] {
        let mut options = vec![format!("version={version}")];
        options.extend(wants.then(|| format!("ca={ca}")));
        let Some(mut engine) = engine(folder.path(), &server, &options) else { return };
        let tls = format!("{{ ca = \"{ca}\", name = \"{NAME}\", {client} }}");
        let site = tempfile::tempdir().unwrap();
        let gateway = start(site.path(), &towards(site.path(), engine.address, &tls), noon(TODAY)).await;
        send(&gateway, "T-1").await;
        delivered(&gateway, 1).await;
        assert_eq!(conditions(&gateway, Code::TlsFailed), []);
        gateway.stop().await;
        let said = engine_says(&mut engine, "TLSv");
        assert_eq!(said, format!("TLSv{version} {}\n", if wants { "gw01" } else { "-" }));
        assert_eq!(engine.line().unwrap(), "closed\n", "with close_notify, not cut off");
    }
    assert_eq!(received(folder.path()), 4);
}

/// A row of what is refused: the engine's certificate, its options, the `tls` table, what the link says, whose fault.
struct Refused<'r> {
    pair: &'r Pair,
    options: &'r [String],
    tls: String,
    says: &'r str,
    fault: Fault,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_refused_is_told_why_and_nothing_is_lost() {
    if python().is_none() {
        return;
    }
    let (folder, authority, ca) = site();
    let path = folder.path();
    let stranger = Authority::new("Other CA");
    let good = authority.sign(&[NAME], 2, ALWAYS);
    let itself = authority.itself();
    let common_name = authority.sign_common_name(NAME);
    let of_stranger = stranger.sign(&[NAME], 2, ALWAYS);
    let other_name = authority.sign(&["lis.example", "192.0.2.9"], 3, ALWAYS);
    let expired = authority.sign(&[NAME], 4, ((2024, 1, 1), (2026, 5, 31)));
    let not_yet = authority.sign(&[NAME], 5, ((2026, 6, 3), (2027, 1, 1)));
    let revoked = authority.sign(&[NAME], 6, ALWAYS);
    let fresh = write(path, "fresh.crl", &authority.list(&[6], ((2026, 5, 1), (2026, 7, 1))));
    let stale = write(path, "stale.crl", &authority.list(&[6], ((2026, 4, 1), (2026, 5, 1))));
    let alien = write(path, "alien.crl", &stranger.list(&[6], ((2026, 5, 1), (2026, 7, 1))));
    let old = format!("{{ ca = \"{ca}\", name = \"{NAME}\" }}");
    let with = |more: &str| format!("{{ ca = \"{ca}\", name = \"{NAME}\", {more} }}");
    let crl = |file: &Path| with(&format!("crl = \"{}\"", file.display()));
    let zeros = "00".repeat(32);
    let wants = [format!("ca={ca}")];
    let knows_others = [format!("ca={}", write(path, "other.pem", &stranger.pem).display())];
    let ours = own(path, &authority.sign(&["gw01"], 7, ALWAYS));
    let only_12 = ["version=1.2".to_owned()];
    let plain = ["plain=1".to_owned()];
    let row = |pair, options, tls, says, fault| Refused { pair, options, tls, says, fault };
    let rows = [
        row(
            &of_stranger,
            &[],
            old.clone(),
            "is signed by \"Other CA\", whom this gateway does not know",
            Fault::Operator,
        ),
        row(&itself, &[], old.clone(), "shows the certificate of an authority (sha256:", Fault::Operator),
        row(
            &common_name,
            &[],
            old.clone(),
            "has no name in subjectAltName; its common name \"engine.example\" does not count",
            Fault::Operator,
        ),
        row(
            &other_name,
            &[],
            old.clone(),
            "is for lis.example, 192.0.2.9, not for engine.example",
            Fault::Operator,
        ),
        row(
            &good,
            &[],
            format!("{{ ca = \"{ca}\" }}"),
            "is for engine.example, not for 127.0.0.1",
            Fault::Operator,
        ),
        row(
            &expired,
            &[],
            old.clone(),
            "was valid until 2026-05-31 00:00 UTC, and this box's clock says 2026-06-01 12:0",
            Fault::Engine,
        ),
        row(
            &not_yet,
            &[],
            old.clone(),
            "is valid from 2026-06-03 00:00 UTC, and this box's clock says 2026-06-01 12:0",
            Fault::Operator,
        ),
        row(&revoked, &[], crl(&fresh), "the engine's certificate was revoked", Fault::Engine),
        row(
            &good,
            &[],
            crl(&stale),
            "the revocation list is out of date since 2026-05-01 00:00 UTC",
            Fault::Operator,
        ),
        row(&good, &[], crl(&alien), "there is no revocation list of an authority", Fault::Operator),
        row(
            &good,
            &[],
            with(&format!("pin = [\"sha256:{zeros}\"]")),
            "is not one of those that are allowed",
            Fault::Operator,
        ),
        row(&good, &wants, old.clone(), "wants a certificate of this gateway", Fault::Operator),
        row(
            &good,
            &knows_others,
            with(&ours),
            "refuses this gateway's certificate: it does not know who signed it",
            Fault::Operator,
        ),
        row(&good, &only_12, with("min_version = \"1.3\""), "speaks no version of TLS", Fault::Engine),
        row(&good, &plain, old.clone(), "came to no end in 10s", Fault::Engine),
    ];
    for row in rows {
        // An engine that says nothing is waited for; the wait is the one thing here that takes real time.
        if row.options == plain && orugate_tests::skipped_as_slow("the plain engine behind a tls table") {
            continue;
        }
        let engine = engine(path, row.pair, row.options).unwrap();
        let site = tempfile::tempdir().unwrap();
        let gateway = start(site.path(), &towards(site.path(), engine.address, &row.tls), noon(TODAY)).await;
        send(&gateway, "T-1").await;
        link_says(&gateway, row.says).await;
        let told = conditions(&gateway, Code::TlsFailed);
        let [condition] = told.as_slice() else { panic!("{}: {told:?}", row.says) };
        assert!(condition.text.contains(row.says), "{condition}");
        assert_eq!(
            (condition.fault, condition.subject.as_str()),
            (row.fault, "destination engine"),
            "{condition}"
        );
        waits(&gateway, 1).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_wrong_is_named_and_not_the_certificate() {
    let (folder, authority, ca) = site();
    let pair = authority.sign(&[NAME], 2, ((2026, 1, 1), (2027, 1, 1)));
    let Some(engine) = engine(folder.path(), &pair, &[]) else { return };
    let tls = format!("{{ ca = \"{ca}\", name = \"{NAME}\" }}");
    // While the clock is right nobody listens, so that something waits.
    let nobody = "127.0.0.1:9".parse().unwrap();
    let gateway = start(folder.path(), &towards(folder.path(), nobody, &tls), noon(TODAY)).await;
    send(&gateway, "T-1").await;
    waits(&gateway, 1).await;
    gateway.stop().await;
    // A box without a battery: it boots in 1970.
    let clock = Clock::starting_at(Utc(60_000_000));
    let gateway = start_by(folder.path(), &towards(folder.path(), engine.address, &tls), &clock).await;
    send(&gateway, "T-2").await;
    link_says(&gateway, "this box's clock is wrong, it says 1970-01-01 00:0").await;
    let told = conditions(&gateway, Code::ClockUnset);
    assert!(
        told.iter().any(|c| c.subject == "destination engine" && c.next == "Set the clock: timedatectl."),
        "{told:?}"
    );
    assert_eq!(conditions(&gateway, Code::TlsFailed), []);
    assert_eq!(conditions(&gateway, Code::CertificateExpired), [], "no date is judged by such a clock");
    assert_eq!(gateway.store.state().pending().count(), 1, "results wait for the clock");

    // The clock is set: what waited goes out.
    clock.set(Utc(noon(TODAY).0 + 3_600_000_000));
    delivered(&gateway, 2).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pinned_engine_needs_no_authority_and_its_date_is_a_condition() {
    let folder = tempfile::tempdir().unwrap();
    // Out of date, and for another name: the pin says which certificate it is, and that is all that counts.
    let pair = self_signed("analyser-room", ((2020, 1, 1), (2026, 5, 1)));
    let Some(engine) = engine(folder.path(), &pair, &[]) else { return };
    let cert = folder.path().join("engine.pem");
    for pin in [fingerprint(&cert, false), fingerprint(&cert, true)].into_iter().flatten() {
        let site = tempfile::tempdir().unwrap();
        let tls = format!("{{ pin = [\"{pin}\"] }}");
        let gateway = start(site.path(), &towards(site.path(), engine.address, &tls), noon(TODAY)).await;
        send(&gateway, "T-1").await;
        delivered(&gateway, 1).await;
        let told = conditions(&gateway, Code::CertificateExpired);
        let [condition] = told.as_slice() else { panic!("{told:?}") };
        assert!(
            condition.text.contains("analyser-room of the other side is out of date since 2026-05-01"),
            "{condition}"
        );
        assert_eq!(condition.fault, Fault::Engine);
        gateway.stop().await;
    }
}

/// As the manual says to get it, of the certificate or of its key.
fn fingerprint(cert: &Path, key: bool) -> Option<String> {
    let command = if key {
        "openssl x509 -in \"$0\" -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 | sed 's/.*= //'"
    } else {
        "openssl x509 -in \"$0\" -noout -fingerprint -sha256 | sed 's/.*=//'"
    };
    let output = Command::new("sh").args(["-c", command]).arg(cert).output().unwrap();
    let hex = String::from_utf8(output.stdout).unwrap();
    if hex.trim().is_empty() {
        orugate_tests::skipped("openssl is not installed: no fingerprint by it");
        return None;
    }
    Some(format!("sha256:{}", hex.trim()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_replaced_while_it_runs_and_bad_ones_leave_the_last_good_in_use() {
    let (folder, authority, ca) = site();
    let path = folder.path();
    let server = authority.sign(&[NAME], 2, ALWAYS);
    // The engine hangs up after each answer, without close_notify: the next message makes a new connection.
    let options = [format!("ca={ca}"), "once=1".to_owned()];
    let Some(mut engine) = engine(path, &server, &options) else { return };
    let client = own(path, &authority.sign(&["gw01-old"], 3, ALWAYS));
    let tls = format!("{{ ca = \"{ca}\", name = \"{NAME}\", {client} }}");
    let gateway = start(path, &towards(path, engine.address, &tls), noon(TODAY)).await;
    let rejected = || conditions(&gateway, Code::CertificateRejected);
    send(&gateway, "T-1").await;
    delivered(&gateway, 1).await;
    assert!(engine_says(&mut engine, "TLSv").contains("gw01-old"));

    let new = authority.sign(&["gw01-new"], 4, ALWAYS);
    let expired = authority.sign(&["gw01-expired"], 5, ((2020, 1, 1), (2026, 1, 1)));
    let bad: [(&str, &str, &str); 5] = [
        (&new.cert, &new.cert, "gw01.key holds no private key"),
        (&new.cert, "", "gw01.key is empty"),
        (&new.cert[..300], "", "a PEM section has no end; is the file half written?"),
        (&new.cert, &expired.key, "does not belong to the certificate in"),
        (
            &expired.cert,
            &expired.key,
            "out of date since 2026-01-01 00:00 UTC, and what was there before is good",
        ),
    ];
    for (number, (cert, key, says)) in (2..).zip(bad) {
        write(path, "gw01.pem", cert);
        write(path, "gw01.key", key);
        let told = rejected();
        let [condition] = told.as_slice() else { panic!("{says}: {told:?}") };
        assert!(condition.text.contains(says), "{condition}");
        assert!(condition.text.contains("The last good files stay in use."), "{condition}");
        send(&gateway, "T-2").await;
        delivered(&gateway, number).await;
        assert!(engine_says(&mut engine, "TLSv").contains("gw01-old"), "{says}");
    }

    write(path, "gw01.pem", &new.cert);
    write(path, "gw01.key", &new.key);
    assert_eq!(rejected(), []);
    send(&gateway, "T-3").await;
    delivered(&gateway, 7).await;
    assert!(engine_says(&mut engine, "TLSv").contains("gw01-new"));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_is_revoked_while_connected_gets_not_one_message_more() {
    let (folder, authority, ca) = site();
    let path = folder.path();
    let Some(engine) = engine(path, &authority.sign(&[NAME], 9, ALWAYS), &[]) else { return };
    let valid: (Day, Day) = ((2026, 5, 1), (2026, 7, 1));
    let crl = write(path, "house.crl", &authority.list(&[], valid));
    let tls = format!("{{ ca = \"{ca}\", name = \"{NAME}\", crl = \"{}\" }}", crl.display());
    let gateway = start(path, &towards(path, engine.address, &tls), noon(TODAY)).await;
    send(&gateway, "T-1").await;
    delivered(&gateway, 1).await;
    write(path, "house.crl", &authority.list(&[9], valid));
    look(&gateway);
    send(&gateway, "T-2").await;
    link_says(&gateway, "the engine's certificate was revoked").await;
    assert_eq!(received(path), 1);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_out_is_told_30_and_7_days_before() {
    let (folder, authority, ca) = site();
    let path = folder.path();
    let server = authority.sign(&[NAME], 2, ((2025, 6, 7), (2026, 6, 7)));
    let Some(engine) = engine(path, &server, &[]) else { return };
    let client = own(path, &authority.sign(&["gw01"], 3, ((2025, 6, 20), (2026, 6, 20))));
    let crl = write(path, "house.crl", &authority.list(&[], ((2026, 5, 1), (2026, 6, 3))));
    let tls = format!("{{ ca = \"{ca}\", name = \"{NAME}\", {client}, crl = \"{}\" }}", crl.display());
    let gateway = start(path, &towards(path, engine.address, &tls), noon(TODAY)).await;
    send(&gateway, "T-1").await;
    delivered(&gateway, 1).await;
    let texts = |code| conditions(&gateway, code).into_iter().map(|c| c.text).collect::<Vec<_>>().join("\n");
    let later = texts(Code::CertificateExpires);
    assert!(later.contains("the gateway's certificate gw01 in"), "{later}");
    assert!(later.contains("runs out in 18 days, on 2026-06-20 00:00 UTC"), "{later}");
    let soon = texts(Code::CertificateExpiresSoon);
    assert!(soon.contains("engine.example of the other side runs out in 5 days"), "{soon}");
    assert!(soon.contains("house.crl runs out in 1 day, on 2026-06-03"), "{soon}");
    assert_eq!(later.lines().count() + soon.lines().count(), 3, "the authority lives until 2100");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_not_there_stop_one_destination_and_nothing_else() {
    let (folder, authority, _) = site();
    let path = folder.path();
    let Some(engine) = engine(path, &authority.sign(&[NAME], 2, ALWAYS), &[]) else { return };
    let missing = path.join("later.pem");
    let tls = format!("{{ ca = \"{}\", name = \"{NAME}\" }}", missing.display());
    let gateway = start(path, &towards(path, engine.address, &tls), noon(TODAY)).await;
    send(&gateway, "T-1").await;
    link_says(&gateway, "later.pem is not on this machine").await;
    let told = conditions(&gateway, Code::TlsFailed);
    assert!(told.iter().any(|c| c.text.contains("what is stored waits on flash")), "{told:?}");
    // A visitor of the laboratory's IT brings the file; nobody restarts anything.
    write(path, "later.pem", &authority.pem);
    look(&gateway);
    delivered(&gateway, 1).await;
    assert_eq!(conditions(&gateway, Code::TlsFailed), []);
    assert_eq!(conditions(&gateway, Code::CertificateRejected), []);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_wants_tls_behind_a_plain_configuration_is_named() {
    let (folder, authority, _) = site();
    let Some(engine) = engine(folder.path(), &authority.sign(&[NAME], 2, ALWAYS), &[]) else { return };
    let text = towards(folder.path(), engine.address, "{}").replace(", tls = {}", "");
    let gateway = start(folder.path(), &text, noon(TODAY)).await;
    send(&gateway, "T-1").await;
    // OpenSSL hangs up over the unread message, which takes its alert away on the way.
    link_says(&gateway, "before the engine said anything: connection reset (does it want TLS, or none?)")
        .await;
    gateway.stop().await;
}
