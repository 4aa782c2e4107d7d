//! Certificate and key as systemd credentials: the program as systemd starts it, with their folder in its environment.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, dead_code)] // `common` has more than these tests need.

mod common;

use common::Site;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A site whose instrument connects over TLS, with the folder that systemd would make.
fn site() -> (Site, PathBuf, RootCertStore) {
    let site = Site::new();
    let text = std::fs::read_to_string(&site.config).unwrap();
    let allow = "allow = [\"127.0.0.1\"]";
    let tls = "tls = { cert = \"credential:gw01-cert\", key = \"credential:gw01-key\" }";
    std::fs::write(&site.config, text.replace(allow, &format!("{allow}, {tls}"))).unwrap();
    let folder = site.folder.path().join("credentials");
    std::fs::create_dir(&folder).unwrap();
    let pair = rcgen::generate_simple_self_signed(["gw01.example".to_owned()]).unwrap();
    std::fs::write(folder.join("gw01-cert"), pair.cert.pem()).unwrap();
    std::fs::write(folder.join("gw01-key"), pair.signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(pair.cert.der().clone()).unwrap();
    (site, folder, roots)
}

#[test]
fn a_pair_of_credentials_is_what_the_instrument_is_shown() {
    let (site, folder, roots) = site();
    let environment = [("CREDENTIALS_DIRECTORY", folder.to_str().unwrap())];
    let checked = site.run_with(&["check"], &environment);
    checked.is(0);
    checked.hides("warning: orugate.toml");
    checked.hides("gw01-key is");
    site.run(&["journal", "init"]).is(0);
    let mut service = site.start_with(&environment);
    service.until("ready;");

    let config = ClientConfig::builder_with_provider(orugate::tls::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("gw01.example").unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut wire = TcpStream::connect(&site.address).unwrap();
    wire.set_read_timeout(Some(Duration::from_secs(25))).unwrap();
    while client.is_handshaking() {
        client.complete_io(&mut wire).unwrap();
    }
    service.stop();
}

#[test]
fn a_credential_that_is_not_there_is_named_with_what_the_unit_lacks() {
    for (file, key) in [("gw01-key", "key"), ("gw01-cert", "cert")] {
        let (site, folder, _) = site();
        std::fs::remove_file(folder.join(file)).unwrap();
        let environment = [("CREDENTIALS_DIRECTORY", folder.to_str().unwrap())];
        let says = format!("credential:{file} is not there; the unit needs LoadCredential={file}:FILE");
        let checked = site.run_with(&["check"], &environment);
        checked.is(0);
        checked.says(&format!("instrument \"haem-1\": wire.tls.{key}: {says}"));

        // Without it the gateway serves whom it can, and its status says whom it cannot.
        site.run(&["journal", "init"]).is(0);
        let mut service = site.start_with(&environment);
        service.until("ready;");
        let status = site.run(&["status"]);
        status.is(0);
        status.says(&format!("haem-1: {says}"));
        status.hides("All is well");
        service.stop();

        site.run(&["check"])
            .says(&format!("credential:{file} is only there when systemd starts the service"));
    }
}
