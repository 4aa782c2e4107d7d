//! `tls` tables: from [`TlsFile`] to [`TlsPlan`].
//!
//! Promises that what was typed belongs together and to its side, and keeps the place of each key ([`TypedTls`]), so
//! that what is wrong with a file can be told where the file was named. Leaves out opening the files.

use super::check::{Scope, absolute};
use super::file::{At, TlsFile};
use super::mistakes::{Findings, Mistake};
use super::plan_tls::{FileOrCredential, OwnPem, PeerId, TlsPlan, TlsSide};
use std::path::PathBuf;

/// A `tls` table with the places of its keys.
#[derive(Clone, Debug)]
pub struct TypedTls {
    /// What it means.
    pub plan: TlsPlan,
    places: Vec<(&'static str, Mistake)>,
}

impl TypedTls {
    /// A finding about the file that this key names.
    #[must_use]
    pub fn finding(&self, key: &str, message: String) -> Option<Mistake> {
        let (_, place) = self.places.iter().find(|(known, _)| *known == key)?;
        Some(Mistake { message, ..place.clone() })
    }
}

/// The table of a destination or of a wire with `connect`; `host` is that of its address.
pub(super) fn connecting(
    typed: &TlsFile,
    host: &str,
    scope: &Scope<'_>,
    out: &mut Findings,
) -> Option<TlsPlan> {
    stray(scope, "clients", typed.clients.as_ref(), "a wire with listen; here it is ca", out);
    stray(scope, "allow_clients", typed.allow_clients.as_ref(), "a wire with listen; here it is pin", out);
    let ca = typed.ca.as_ref().map(|ca| absolute(scope, "ca", ca, out));
    let pins = peers(scope, "pin", typed.pin.as_ref(), false, out);
    if ca.is_none() && typed.pin.is_none() && !scope.told(out, "ca") && !scope.told(out, "pin") {
        let message = "does not say who is trusted; write ca = \"/etc/orugate/ca.pem\", the authority of your house, or \
                       pin = [\"sha256:…\"]";
        out.wrong(scope.whole(message));
    }
    if let (Some(name), None) = (&typed.name, &ca) {
        out.wrong(scope.at("name", name, "needs ca; a pinned certificate is known by itself"));
    }
    let name = typed.name.as_ref().map_or(host, |name| &name.value);
    if !name.is_empty() && rustls::pki_types::ServerName::try_from(name).is_err() {
        let message =
            format!("{name:?} can stand in no certificate; allowed are a DNS name or an IP address");
        match &typed.name {
            Some(typed) => out.wrong(scope.at("name", typed, message)),
            None => out.wrong(scope.whole(format!("{message}; write name = \"…\""))),
        }
    }
    finish(typed, TlsSide::Client(name.to_owned()), ("ca", ca), pins, scope, out)
}

/// The table of a wire with `listen`.
pub(super) fn listening(typed: &TlsFile, scope: &Scope<'_>, out: &mut Findings) -> Option<TlsPlan> {
    stray(scope, "ca", typed.ca.as_ref(), "a side that connects; here it is clients", out);
    stray(scope, "pin", typed.pin.as_ref(), "a side that connects; here it is allow_clients", out);
    stray(scope, "name", typed.name.as_ref(), "a side that connects; here it is allow_clients", out);
    scope.need(out, "cert", typed.cert.as_ref(), "write the file with this gateway's certificate");
    let clients = typed.clients.as_ref().map(|ca| absolute(scope, "clients", ca, out));
    let allowed = peers(scope, "allow_clients", typed.allow_clients.as_ref(), true, out);
    if let (Some(list), None) = (&typed.allow_clients, &typed.clients)
        && allowed.iter().any(|peer| matches!(peer, PeerId::Name(_)))
    {
        let message =
            "has a name, and no clients say whose signature makes it true; write clients = FILE, or sha256:…";
        out.wrong(scope.at("allow_clients", list, message));
    }
    finish(typed, TlsSide::Server, ("clients", clients), allowed, scope, out)
}

fn finish(
    typed: &TlsFile,
    side: TlsSide,
    (ca_key, ca): (&'static str, Option<PathBuf>),
    allowed: Vec<PeerId>,
    scope: &Scope<'_>,
    out: &mut Findings,
) -> Option<TlsPlan> {
    let crl = typed.crl.as_ref().map(|crl| absolute(scope, "crl", crl, out));
    if let (Some(crl), None) = (&typed.crl, &ca) {
        out.wrong(scope.at("crl", crl, format!("needs {ca_key}, the authorities that it is a list of")));
    }
    let pair = |key, have: Option<&At<String>>, other: Option<&At<String>>, out: &mut Findings| {
        if have.is_none() && other.is_some() {
            scope.need(out, key, have, "certificate and key come together");
        }
    };
    pair("cert", typed.cert.as_ref(), typed.key.as_ref(), out);
    pair("key", typed.key.as_ref(), typed.cert.as_ref(), out);
    let cert = typed.cert.as_ref().and_then(|typed| file_or_credential(scope, "cert", typed, out));
    let key = typed.key.as_ref().and_then(|typed| file_or_credential(scope, "key", typed, out));
    let own = cert.zip(key).map(|(cert, key)| OwnPem { cert, key });
    let min_version = typed.min_version.as_ref().map(|typed| typed.value).unwrap_or_default();
    let ca_typed = if ca_key == "ca" { &typed.ca } else { &typed.clients };
    let places =
        [(ca_key, ca_typed), ("cert", &typed.cert), ("key", &typed.key), ("crl", &typed.crl)].into_iter();
    let places =
        places.filter_map(|(key, at)| Some((key, scope.at(key, at.as_ref()?, String::new())))).collect();
    let plan = TlsPlan { side, ca, allowed, own, crl, min_version };
    out.tls.push(TypedTls { plan: plan.clone(), places });
    Some(plan)
}

fn stray<T>(scope: &Scope<'_>, key: &str, typed: Option<&At<T>>, owner: &str, out: &mut Findings) {
    if let Some(typed) = typed {
        out.wrong(scope.at(key, typed, format!("belongs to {owner}")));
    }
}

/// A path, or `credential:NAME`.
pub(super) fn file_or_credential(
    scope: &Scope<'_>,
    key: &str,
    typed: &At<String>,
    out: &mut Findings,
) -> Option<FileOrCredential> {
    let Some(name) = typed.value.strip_prefix("credential:") else {
        return Some(FileOrCredential::File(absolute(scope, key, typed, out)));
    };
    let fits = !name.is_empty() && name != "." && name != ".." && !name.contains('/') && name.len() < 256;
    if !fits {
        let message = format!(
            "{:?} names no credential; allowed is \"credential:NAME\" as in LoadCredential=NAME:…",
            typed.value
        );
        out.wrong(scope.at(key, typed, message));
    }
    fits.then(|| FileOrCredential::Credential(name.to_owned()))
}

fn peers(
    scope: &Scope<'_>,
    key: &str,
    list: Option<&At<Vec<At<String>>>>,
    names: bool,
    out: &mut Findings,
) -> Vec<PeerId> {
    let Some(list) = list else { return Vec::new() };
    if list.value.is_empty() && !scope.told(out, key) {
        out.wrong(scope.at(key, list, "is empty, so nobody would fit"));
    }
    let mut peers = Vec::new();
    for typed in &list.value {
        let peer = match typed.value.split_once(':') {
            Some(("sha256", hex)) => sha256(hex).map(PeerId::Sha256),
            Some(("name", name)) if names && !name.trim().is_empty() => {
                Some(PeerId::Name(name.trim().to_owned()))
            }
            _ => None,
        };
        if peer.is_none() {
            let name = if names { " and \"name:analyzer-7\"" } else { "" };
            let message = format!(
                "{:?} does not fit; allowed are \"sha256:\" with 64 hexadecimal digits{name}",
                typed.value
            );
            let hint = names.then(|| "did you forget name: before it?".to_owned());
            let hint = hint.filter(|_| !typed.value.contains(':'));
            out.wrong(scope.at(key, typed, message).hint(hint));
        }
        peers.extend(peer);
    }
    peers
}

/// With or without the colons that openssl prints.
fn sha256(hex: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| *byte != b':').collect();
    let mut hash = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
        if !pair.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}
