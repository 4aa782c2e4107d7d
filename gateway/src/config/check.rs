//! From what was typed to what it means: required keys, ranges, and what belongs together across files.
//!
//! Promises to go on after every mistake, with a default in its place where others depend on it, so that one pass
//! finds all. A [`Plan`] comes out only when nothing was missing; the caller drops it when there is any mistake.
//! This file has the helpers and the gateway's own tables; `check_destination` and
//! `check_instrument` have the lists.

use super::file::{At, CaptureFile, ConfigFile, GatewayFile, JournalFile};
use super::mistakes::{Findings, Mistake};
use super::nearest::did_you_mean;
use super::plan::{CapturePlan, ConfigHash, GatewayPlan, JournalPlan, Plan};
use super::source::Source;
use super::units::{duration, show_duration, size, volume};
use super::{
    Profiles, check_bedside, check_destination, check_instrument, check_maps, check_rules, check_seal,
};
use jiff::tz::TimeZone;
use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const MIB: u64 = 1 << 20;
const GB: u64 = 1_000_000_000;
/// Of each line, unless the configuration says otherwise: some days of a busy analyzer.
const RING: u64 = 16 * MIB;

/// Where the service is asked, unless the configuration says otherwise.
pub(super) const ADMIN_SOCKET: &str = "/run/orugate/admin.sock";

/// The longest path that fits `sun_path` with its final zero.
const MAX_SOCKET_PATH: usize = 107;

/// MSH-3 to MSH-6 are HD; 2.5.1 gives them 227 characters.
const MAX_HL7_NAME: usize = 227;

/// A table that is being checked: how its mistakes are placed.
#[derive(Clone)]
pub(super) struct Scope<'a> {
    pub(super) source: &'a Source,
    path: String,
    offset: usize,
}

impl<'a> Scope<'a> {
    pub(super) fn new(source: &'a Source, path: String, offset: usize) -> Self {
        Self { source, path, offset }
    }

    /// A table in this one.
    pub(super) fn inside<T>(&self, key: &str, table: &At<T>) -> Self {
        Self { source: self.source, path: self.key(key), offset: table.offset }
    }

    fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// A mistake in a value.
    pub(super) fn at<T>(&self, key: &str, value: &At<T>, message: impl Into<String>) -> Mistake {
        self.source.mistake(self.key(key), value.offset, message.into())
    }

    /// A mistake of the table as a whole.
    pub(super) fn whole(&self, message: impl Into<String>) -> Mistake {
        self.source.mistake(self.path.clone(), self.offset, message.into())
    }

    /// The value of a required key.
    pub(super) fn need<'v, T>(
        &self,
        out: &mut Findings,
        key: &str,
        value: Option<&'v At<T>>,
        allowed: &str,
    ) -> Option<&'v At<T>> {
        let path = self.key(key);
        if value.is_none() && !out.told(self.source, &path) {
            out.wrong(self.source.mistake(path, self.offset, format!("is missing; {allowed}")));
        }
        value
    }

    /// True when something was already told about this key.
    pub(super) fn told(&self, out: &Findings, key: &str) -> bool {
        out.told(self.source, &self.key(key))
    }
}

/// Checks everything; `None` when something without a default was missing or wrong.
pub(super) fn plan(
    files: &[(Source, ConfigFile)],
    hash: ConfigHash,
    profiles: &dyn Profiles,
    maps: &check_maps::Maps,
    out: &mut Findings,
) -> Option<Plan> {
    let ((source, main), parts) = files.split_first()?;
    let top = Scope::new(source, String::new(), 0);
    let version = top.need(out, "version", main.version.as_ref(), "write version = 1");
    if let Some(version) = version.filter(|version| version.value != 1) {
        out.wrong(top.at("version", version, format!("{} is not read; allowed is 1", version.value)));
    }
    let gateway = top.need(
        out,
        "gateway",
        main.gateway.as_ref(),
        "write a table [gateway] with id, facility, timezone",
    );
    let mut ids = check_bedside::Ids::default();
    let gateway =
        gateway.and_then(|typed| gateway_plan(&typed.value, &top.inside("gateway", typed), &mut ids, out));
    let journal = top.need(out, "journal", main.journal.as_ref(), "write a table [journal] with path");
    let journal = journal.and_then(|typed| journal_plan(&typed.value, &top.inside("journal", typed), out));
    let alerts = main.alerts.as_ref();
    let alerts = alerts
        .map(|typed| check_rules::alerts(&typed.value, &top.inside("alerts", typed), out))
        .unwrap_or_default();
    for (source, part) in parts {
        let top = Scope::new(source, String::new(), 0);
        let here = [
            ("version", part.version.as_ref().map(|at| at.offset)),
            ("gateway", part.gateway.as_ref().map(|at| at.offset)),
            ("journal", part.journal.as_ref().map(|at| at.offset)),
            ("alerts", part.alerts.as_ref().map(|at| at.offset)),
            ("capture", part.capture.as_ref().map(|at| at.offset)),
        ];
        for (key, offset) in here {
            if let Some(offset) = offset {
                let message =
                    "belongs to the main file; files in conf.d may hold [[destination]] and [[instrument]]";
                out.wrong(top.source.mistake(key.to_owned(), offset, message.to_owned()));
            }
        }
    }
    let capture = main.capture.as_ref().map_or(CapturePlan { size: RING }, |typed| {
        capture_plan(&typed.value, &top.inside("capture", typed), out)
    });
    let (destinations, known) = check_destination::all(files, out);
    let instruments = check_instrument::all(files, &known, profiles, maps, ids, out);
    if destinations.len() == known.len() {
        check_maps::charsets(&instruments, &destinations, out);
    }
    // An instrument with a mistake is not among them, and a map of its may be used.
    if instruments.len() == files.iter().map(|(_, file)| file.instrument.len()).sum::<usize>() {
        maps.unused(&instruments, out);
    }
    if files.iter().all(|(_, file)| file.instrument.is_empty()) && !top.told(out, "instrument") {
        out.warn(top.whole("no instrument is configured"));
    }
    Some(Plan { gateway: gateway?, journal: journal?, capture, destinations, instruments, alerts, hash })
}

fn gateway_plan(
    typed: &GatewayFile,
    scope: &Scope<'_>,
    ids: &mut check_bedside::Ids,
    out: &mut Findings,
) -> Option<GatewayPlan> {
    let id = scope.need(out, "id", typed.id.as_ref(), "four of A-Z and 0-9, unlike any other gateway's");
    if let Some(id) = id {
        let upper = id.value.to_ascii_uppercase();
        let fits =
            |id: &str| id.len() == 4 && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if !fits(&id.value) {
            let hint = fits(&upper).then(|| format!("did you mean {upper:?}?"));
            let message = format!("{:?} does not fit; allowed are exactly four of A-Z and 0-9", id.value);
            out.wrong(scope.at("id", id, message).hint(hint));
        }
    }
    let application = typed.application.as_ref();
    if let Some(empty) = application.filter(|application| application.value.is_empty()) {
        out.wrong(scope.at("application", empty, "is empty; allowed is the name by which engines know the sender, or no key at all for \"ORUGATE\""));
    }
    let application = application
        .map_or("ORUGATE".to_owned(), |typed| hl7_name(scope, "application", typed, out).to_owned());
    let facility = scope.need(
        out,
        "facility",
        typed.facility.as_ref(),
        "write the laboratory's name for MSH-4, or \"\"",
    );
    let device_id =
        typed.device_id.as_ref().and_then(|typed| check_bedside::device_id(typed, scope, ids, out));
    let timezone =
        scope.need(out, "timezone", typed.timezone.as_ref(), "write an IANA name such as \"Europe/Berlin\"");
    let zone = timezone.and_then(|typed| zone(scope, typed, out));
    let admin_socket = match &typed.admin_socket {
        None => PathBuf::from(ADMIN_SOCKET),
        Some(typed) => {
            if typed.value.len() > MAX_SOCKET_PATH {
                let message =
                    format!("has {} bytes; a socket's path has at most {MAX_SOCKET_PATH}", typed.value.len());
                out.wrong(scope.at("admin_socket", typed, message));
            }
            absolute(scope, "admin_socket", typed, out)
        }
    };
    Some(GatewayPlan {
        id: id?.value.clone(),
        application,
        facility: hl7_name(scope, "facility", facility?, out).to_owned(),
        device_id,
        timezone_name: zone.as_ref().map(|(_, name)| name.clone())?,
        timezone: zone?.0,
        admin_socket,
    })
}

/// A time zone and its name.
pub(super) fn zone(scope: &Scope<'_>, typed: &At<String>, out: &mut Findings) -> Option<(TimeZone, String)> {
    let found = TimeZone::get(&typed.value).ok();
    if found.is_none() {
        let names: Vec<String> = jiff::tz::db().available().map(|name| name.as_str().to_owned()).collect();
        let hint = did_you_mean(&typed.value, names.iter().map(String::as_str));
        let message =
            format!("{:?} is no time zone; allowed are IANA names such as \"Europe/Berlin\"", typed.value);
        out.wrong(scope.at("timezone", typed, message).hint(hint));
    }
    found.map(|zone| {
        let name = zone.iana_name().unwrap_or(&typed.value).to_owned();
        (zone, name)
    })
}

fn journal_plan(typed: &JournalFile, scope: &Scope<'_>, out: &mut Findings) -> Option<JournalPlan> {
    let path = scope.need(out, "path", typed.path.as_ref(), "write an absolute path on flash or disk");
    let path = path.map(|typed| {
        let path = absolute(scope, "path", typed, out);
        if ["/run", "/var/run", "/dev", "/tmp", "/proc", "/sys"].iter().any(|memory| path.starts_with(memory))
        {
            out.warn(scope.at(
                "path",
                typed,
                "is usually in memory; a journal there is lost when the power goes",
            ));
        }
        path
    });
    let max_size = typed.max_size.as_ref().map_or(4096 * MIB, |typed| {
        let allowed = |bytes| (bytes < 64 * MIB).then_some("is too small; allowed is at least 64 MiB");
        amount(scope, "max_size", typed, size, allowed, out)
    });
    // What half of it is, nobody knows where it could not be read.
    let most = if max_size == 0 { u64::MAX } else { max_size / 2 };
    let snapshots_size = typed.snapshots_size.as_ref().map_or(max_size / 4, |typed| {
        let small = "is too small; allowed is at least 16 MiB";
        let large = "is too much; allowed is at most half of max_size, the rest is the laboratory's";
        let allowed = |bytes| (bytes < 16 * MIB).then_some(small).or_else(|| (bytes > most).then_some(large));
        amount(scope, "snapshots_size", typed, size, allowed, out)
    });
    let endurance = typed.endurance.as_ref().map(|typed| {
        let allowed = |bytes| (bytes < 10 * GB).then_some("is too small; allowed is at least 10 GB");
        amount(scope, "endurance", typed, volume, allowed, out)
    });
    let mut keep = |key, typed: &Option<At<String>>, default| {
        typed.as_ref().map_or(default, |typed| span(scope, key, typed, HOUR..=3650 * DAY, out))
    };
    let keep_delivered = keep("keep_delivered", &typed.keep_delivered, 30 * DAY);
    let keep_raw = keep("keep_raw", &typed.keep_raw, keep_delivered);
    let keep_keys = keep("keep_keys", &typed.keep_keys, keep_delivered);
    let seal = typed
        .seal
        .as_ref()
        .and_then(|typed| check_seal::plan(&typed.value, path.as_deref(), &scope.inside("seal", typed), out));
    Some(JournalPlan {
        path: path?,
        max_size,
        keep_delivered,
        keep_raw,
        keep_keys,
        snapshots_size,
        endurance,
        seal,
    })
}

fn capture_plan(typed: &CaptureFile, scope: &Scope<'_>, out: &mut Findings) -> CapturePlan {
    let read = |text: &str| if text == "off" { Ok(0) } else { size(text) };
    let size = typed.size.as_ref().map_or(RING, |typed| {
        let wrong = "is out of range; allowed is \"off\", or \"1 MiB\" to \"1 GiB\" for each instrument";
        let allowed = |bytes| (bytes != 0 && !(MIB..=1024 * MIB).contains(&bytes)).then_some(wrong);
        amount(scope, "size", typed, read, allowed, out)
    });
    CapturePlan { size }
}

/// Bytes that `read` reads and `allowed` has nothing against.
fn amount(
    scope: &Scope<'_>,
    key: &str,
    typed: &At<String>,
    read: fn(&str) -> Result<u64, String>,
    allowed: impl FnOnce(u64) -> Option<&'static str>,
    out: &mut Findings,
) -> u64 {
    let (bytes, problem) = match read(&typed.value) {
        Ok(bytes) => (bytes, allowed(bytes).map(|problem| format!("{} {problem}", typed.value))),
        Err(problem) => (0, Some(problem)),
    };
    if let Some(problem) = problem {
        out.wrong(scope.at(key, typed, problem));
    }
    bytes
}

/// A duration within bounds.
pub(super) fn span(
    scope: &Scope<'_>,
    key: &str,
    typed: &At<String>,
    allowed: RangeInclusive<Duration>,
    out: &mut Findings,
) -> Duration {
    let problem = match duration(&typed.value) {
        Ok(duration) if allowed.contains(&duration) => return duration,
        Ok(duration) => {
            let (least, most) = (show_duration(*allowed.start()), show_duration(*allowed.end()));
            format!("{} is out of range; allowed are {least} to {most}", show_duration(duration))
        }
        Err(problem) => problem,
    };
    out.wrong(scope.at(key, typed, problem));
    *allowed.start()
}

/// A whole number within bounds that fit a byte.
pub(super) fn small(
    scope: &Scope<'_>,
    key: &str,
    typed: Option<&At<i64>>,
    allowed: RangeInclusive<u8>,
    default: u8,
    out: &mut Findings,
) -> u8 {
    let Some(typed) = typed else { return default };
    if let Ok(number) = u8::try_from(typed.value)
        && allowed.contains(&number)
    {
        return number;
    }
    let (least, most) = (allowed.start(), allowed.end());
    out.wrong(scope.at(
        key,
        typed,
        format!("{} is out of range; allowed are {least} to {most}", typed.value),
    ));
    default
}

pub(super) fn absolute(scope: &Scope<'_>, key: &str, typed: &At<String>, out: &mut Findings) -> PathBuf {
    let path = Path::new(&typed.value);
    if !path.is_absolute() {
        let message = format!("{:?} is not absolute; allowed are paths that begin with /", typed.value);
        out.wrong(scope.at(key, typed, message));
    }
    path.to_owned()
}

/// A name that becomes one component of an HL7 field. A delimiter in it would have to be escaped, and no engine
/// compares escaped names, so it is asked for plain.
pub(super) fn hl7_name<'v>(
    scope: &Scope<'_>,
    key: &str,
    typed: &'v At<String>,
    out: &mut Findings,
) -> &'v str {
    let bad = typed.value.chars().find(|c| "|^~\\&".contains(*c) || c.is_control());
    if let Some(bad) = bad {
        let message = format!(
            "{:?} holds {bad:?}; allowed is plain text without | ^ ~ \\ & and control characters",
            typed.value
        );
        out.wrong(scope.at(key, typed, message));
    } else if typed.value.trim() != typed.value {
        out.wrong(scope.at(
            key,
            typed,
            format!("{:?} has blanks around it; allowed is the name alone", typed.value),
        ));
    } else if typed.value.chars().count() > MAX_HL7_NAME {
        out.wrong(scope.at(key, typed, format!("is too long; allowed are {MAX_HL7_NAME} characters")));
    }
    &typed.value
}

/// Where names were given, to tell of those that are given twice.
#[derive(Default)]
pub(super) struct Names(HashMap<String, String>);

impl Names {
    /// Checks the name of an instrument or destination and keeps it.
    pub(super) fn take(&mut self, scope: &Scope<'_>, name: &At<String>, out: &mut Findings) {
        let text = &name.value;
        let fits = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if text.is_empty() || text.len() > 40 || !fits || text.starts_with('-') {
            let message =
                format!("{text:?} does not fit; allowed are 1 to 40 of a-z, 0-9 and hyphen, no hyphen first");
            out.wrong(scope.at("name", name, message));
        }
        let place =
            format!("{} line {}", scope.source.file.display(), scope.source.position(name.offset).line);
        if let Some(first) = self.0.get(text) {
            out.wrong(scope.at(
                "name",
                name,
                format!("{text:?} is taken by {first}; every name is given once"),
            ));
        } else {
            self.0.insert(text.clone(), place);
        }
    }
}

/// Checks `host:port`; nothing is looked up.
pub(super) fn host_port(scope: &Scope<'_>, key: &str, typed: &At<String>, out: &mut Findings) -> String {
    if let Err(problem) = split_host_port(&typed.value) {
        let message =
            format!("{:?} {problem}; allowed is \"host:port\", such as \"engine.example:2575\"", typed.value);
        out.wrong(scope.at(key, typed, message));
    }
    typed.value.clone()
}

/// The host of a `host:port`, without the brackets of an IPv6 address.
pub(super) fn host_of(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

fn split_host_port(text: &str) -> Result<(), &'static str> {
    if text.contains("://") {
        return Err("is a URL");
    }
    if text.parse::<std::net::Ipv6Addr>().is_ok() {
        return Err("is an IPv6 address without brackets or without a port");
    }
    let (host, port) = text.rsplit_once(':').ok_or("has no port")?;
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    if !digits || port.parse::<u16>().map_or(true, |port| port == 0) {
        return Err("has no port from 1 to 65535");
    }
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner
            .parse::<std::net::Ipv6Addr>()
            .map(|_| ())
            .map_err(|_| "has no IPv6 address in its brackets");
    }
    if host.is_empty() {
        return Err("has no host");
    }
    if host.contains(':') {
        return Err("is an IPv6 address without brackets");
    }
    if !host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)) {
        return Err("has a host with characters that no host has");
    }
    // A name of digits and dots only is an address with a slip in it; a resolver would search for it in vain.
    if host.bytes().all(|b| b.is_ascii_digit() || b == b'.') && host.parse::<std::net::Ipv4Addr>().is_err() {
        return Err("has no valid IPv4 address");
    }
    Ok(())
}
