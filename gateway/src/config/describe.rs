//! What a plan will do, in sentences: the output of `orugate check` when nothing is wrong.
//!
//! Promises one line for the gateway, one per destination, one per instrument, in the order of the files.

use super::plan::{
    Absent, Accepts, AckMode, BedsidePlan, DestinationPlan, DestinationRole, Flow, InstrumentPlan, Mode,
    Nobodys, PcdPatient, PcdPlan, Plan, SealPlan, SerialPlan, WirePlan,
};
use super::plan_tls::TlsPlan;
use super::units::{show_duration, show_size};
use crate::convert::{IdRule, Identity, Incomplete, Reruns, RerunsExcept, Rules, Times};
use orugate_driver::Parity;
use orugate_protocol::text::Charset;
use std::fmt::Write as _;

/// How a journal is sealed.
pub(super) fn sealing(seal: Option<&SealPlan>) -> String {
    let Some(seal) = seal else { return "not sealed".to_owned() };
    let previous: Vec<String> = seal.previous.iter().map(ToString::to_string).collect();
    let before =
        if previous.is_empty() { String::new() } else { format!(" (before: {})", previous.join(", ")) };
    format!("sealed by {}{before}", seal.key)
}

/// What a sample id must be; `None` where each is taken.
pub(super) fn sample_id_words(rule: &IdRule) -> Option<String> {
    let pattern = rule.pattern.as_ref().map(|pattern| format!("pattern {}", pattern.as_str()));
    let check = rule.check.map(|check| format!("check digit {}", check.as_str()));
    let both: Vec<String> = pattern.into_iter().chain(check).collect();
    (!both.is_empty()).then(|| both.join(", "))
}

/// Which instrument it must be; `None` where it is not asked.
pub(super) fn identity_words(identity: &Identity) -> Option<String> {
    let model = identity.model.as_ref().map(|model| format!("model {model}"));
    let serial = identity.serial.as_ref().map(|serial| format!("serial number {serial}"));
    let both: Vec<String> = model.into_iter().chain(serial).collect();
    (!both.is_empty()).then(|| both.join(", "))
}

/// Which times of results are held.
pub(super) fn times_words(times: Option<Times>) -> String {
    let Some(Times { ahead, older_than }) = times else { return "none".to_owned() };
    let older = older_than.map(|older| format!(", or more than {} before it", show_duration(older)));
    format!("more than {} after receipt{}", show_duration(ahead), older.unwrap_or_default())
}

/// As it is typed.
pub(super) const fn rerun(of: Reruns) -> &'static str {
    match of {
        Reruns::All => "all",
        Reruns::Last => "last",
        Reruns::Hold => "hold",
    }
}

/// Which tests' reruns are treated otherwise; `None` where none are.
pub(super) fn reruns_except_words(except: &RerunsExcept) -> Option<String> {
    let of = |wanted: Reruns| {
        let tests: Vec<&str> =
            except.iter().filter(|(_, reruns)| *reruns == wanted).map(|(code, _)| code).collect();
        (!tests.is_empty()).then(|| format!("{} of {}", rerun(wanted), tests.join(", ")))
    };
    let all: Vec<String> = [Reruns::All, Reruns::Last, Reruns::Hold].into_iter().filter_map(of).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// What the site knows of an instrument, where it says anything.
fn rules(plan: &InstrumentPlan) -> String {
    let rules: &Rules = &plan.rules;
    let sample = sample_id_words(&rules.sample_id).map(|words| format!("sample ids: {words}"));
    let identity = identity_words(&rules.identity).map(|words| format!("only {words}"));
    let incomplete = (rules.incomplete == Incomplete::Hold).then(|| "what broke off is held".to_owned());
    let reruns = match reruns_except_words(&rules.reruns_except) {
        Some(except) => Some(format!("reruns: {}, but {except}", rerun(plan.reruns))),
        None => (plan.reruns != Reruns::All).then(|| format!("reruns: {}", rerun(plan.reruns))),
    };
    let all: Vec<String> = sample.into_iter().chain(identity).chain(incomplete).chain(reruns).collect();
    if all.is_empty() { String::new() } else { format!("; {}", all.join("; ")) }
}

/// Where a bedside device stands.
pub(super) fn place_words(location: &str, beds: &[(String, String)]) -> String {
    match (location, beds.len()) {
        ("", 0) => "with the place that it says itself".to_owned(),
        (location, 0) => format!("with PV1-3 {location}"),
        ("", 1) => "with PV1-3 of one bed by its label".to_owned(),
        ("", count) => format!("with PV1-3 of {count} beds by its label"),
        (location, count) => format!("with PV1-3 {location}, or of {count} beds by its label"),
    }
}

/// An EUI-64 as labels have it.
pub(super) fn eui64_words(id: u64) -> String {
    let octets: Vec<String> = id.to_be_bytes().iter().map(|octet| format!("{octet:02X}")).collect();
    octets.join("-")
}

/// What becomes of values that are nobody's.
pub(super) fn nobodys_words(nobodys: Nobodys, reviewed_by: Option<&str>) -> String {
    match (nobodys, reviewed_by) {
        (Nobodys::X, _) => "go without a value (OBX-11 X)".to_owned(),
        (Nobodys::Omit, _) => "do not go".to_owned(),
        (Nobodys::Flag, None) => "go with their mark (OBX-8)".to_owned(),
        (Nobodys::Flag, Some(by)) => format!("go with their mark (OBX-8; reviewed by {by})"),
    }
}

fn bedside(plan: &BedsidePlan) -> String {
    let mut words = format!(
        "; its values go every {} {}",
        show_duration(plan.interval),
        place_words(&plan.location, &plan.beds)
    );
    if let Some(id) = plan.device_id {
        let _ = write!(words, ", EUI-64 {}", eui64_words(id));
    }
    if plan.absent == Absent::Omit {
        words.push_str("; what has no value is left out");
    }
    if plan.nobodys != Nobodys::X {
        let _ = write!(
            words,
            "; values of demonstrations and tests {}",
            nobodys_words(plan.nobodys, plan.reviewed_by.as_deref())
        );
    }
    if plan.send_patient {
        words.push_str("; the patient id that it sends goes along");
    }
    words
}

impl Plan {
    /// The plan in sentences, one per line.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let (gateway, journal) = (&self.gateway, &self.journal);
        let first = format!(
            "gateway {}: sends as {} at {}, instruments' clocks run in {}, journal {} up to {}{}",
            gateway.id,
            gateway.application,
            or_nowhere(&gateway.facility),
            gateway.timezone_name,
            journal.path.display(),
            show_size(journal.max_size),
            journal.seal.as_ref().map_or_else(String::new, |seal| format!(", {}", sealing(Some(seal)))),
        );
        let destinations = self.destinations.iter().map(destination);
        let instruments = self.instruments.iter().map(|plan| self.instrument(plan));
        std::iter::once(first).chain(destinations).chain(instruments).collect()
    }

    fn instrument(&self, plan: &InstrumentPlan) -> String {
        let mode = match plan.mode {
            Mode::Test => "test",
            Mode::Live => "live",
        };
        let named: Vec<_> = plan.send_to.iter().filter_map(|index| self.destinations.get(*index)).collect();
        let quoted = |reached: bool| {
            let names = named.iter().filter(|to| plan.mode.reaches(to.accepts) == reached);
            names.map(|to| format!("{:?}", to.name)).collect::<Vec<_>>().join(", ")
        };
        let (reached, not) = (quoted(true), quoted(false));
        let mut line = format!(
            "instrument {:?}: {mode}, profile {} (evidence: {}), {}, results go to {}",
            plan.name,
            plan.profile_name,
            plan.profile.common().evidence,
            wire(&plan.wire),
            if reached.is_empty() { "no destination" } else { &reached },
        );
        if let Some((_, zone)) = &plan.timezone {
            let _ = write!(line, "; its clock runs in {zone}");
        }
        if let Some(plan) = &plan.bedside {
            line.push_str(&bedside(plan));
        }
        if self.capture.ring(plan) == 0 {
            line.push_str("; its line is not captured");
        }
        if let Some(table) = &plan.table {
            let names: Vec<&str> = table.maps.iter().map(|map| map.name.as_str()).collect();
            let rows: usize = table.maps.iter().map(|map| map.rows.len()).sum();
            let without = if table.required { "waits for a person" } else { "goes out with its own code" };
            let _ =
                write!(line, ", map {} ({rows} rows; a test without one {without})", names.join(", then "));
        }
        if !not.is_empty() {
            let takes = if plan.mode == Mode::Live { "test" } else { "live" };
            let _ = write!(line, "; not to {not}, for {takes} results only");
        }
        line + &rules(plan)
    }
}

fn destination(plan: &DestinationPlan) -> String {
    let role = match plan.role {
        DestinationRole::Lis => "LIS",
        DestinationRole::Record => "record",
    };
    let takes = match plan.accepts {
        Accepts::Production => "live",
        Accepts::Test => "test",
    };
    let acknowledgment = format!("{} acknowledgment", acknowledgment(plan.acknowledgment));
    let pcd =
        plan.pcd.as_ref().map_or_else(String::new, |pcd| format!("; bedside values as {}", pcd_words(pcd)));
    let patient = plan.patient.as_ref().map_or_else(
        || "no patient is named".to_owned(),
        |patient| format!("{:?} names the patient ({}, {})", patient.field, patient.authority, patient.kind),
    );
    let charset = match plan.charset {
        Charset::Utf8 => String::new(),
        other => format!(" in {}", other.msh_18()),
    };
    format!(
        "destination {:?}: {role}, {} at {} by {} to {}{}{charset}, takes {takes} results, {acknowledgment} within {}, {patient}{pcd}",
        plan.name,
        or_nowhere(&plan.application),
        or_nowhere(&plan.facility),
        if plan.tls.is_some() { "MLLP" } else { "plain MLLP" },
        plan.address,
        over(plan.tls.as_ref()),
        show_duration(plan.ack_timeout),
    )
}

pub(super) fn acknowledgment(mode: AckMode) -> String {
    match mode {
        AckMode::Original => "original".to_owned(),
        AckMode::Enhanced { accept, application } => {
            format!("enhanced {}/{}", accept.as_str(), application.as_str())
        }
    }
}

/// How values of bedside devices are told.
pub(super) fn pcd_words(pcd: &PcdPlan) -> String {
    let patient = match pcd.patient {
        PcdPatient::None => "no PID and no bed",
        PcdPatient::Unknown => "PID without an id",
        PcdPatient::Device => "the device's name in PID-3",
    };
    let mut words = format!("IHE PCD-01 ({}, {patient}", acknowledgment(pcd.acknowledgment));
    if let Some((authority, kind)) = &pcd.sent_id {
        let _ = write!(words, " unless the device sends one ({authority}, {kind})");
    }
    if pcd.device_on_rows {
        words.push_str(", the device in each row");
    }
    let profile = if pcd.profile.is_empty() { "empty" } else { &pcd.profile };
    let _ = write!(words, ", MSH-21 {profile})");
    words
}

fn or_nowhere(name: &str) -> &str {
    if name.is_empty() { "(empty)" } else { name }
}

fn over(tls: Option<&TlsPlan>) -> String {
    tls.map_or_else(String::new, |tls| format!(" over {tls}"))
}

pub(super) fn wire(plan: &WirePlan) -> String {
    match plan {
        WirePlan::Serial(SerialPlan { path, line, flow, .. }) => {
            let parity = match line.parity {
                Parity::None => 'N',
                Parity::Even => 'E',
                Parity::Odd => 'O',
            };
            let flow = match flow {
                Flow::None => "no",
                Flow::Hardware => "hardware",
                Flow::Software => "software",
            };
            let (baud, data, stop) = (line.baud, line.data_bits, line.stop_bits);
            format!("serial {} at {baud} {data}{parity}{stop} with {flow} flow control", path.display())
        }
        WirePlan::Listen { bind, allow, tls } => {
            let peers: Vec<String> = allow.iter().map(ToString::to_string).collect();
            format!("listens on {bind} for {}{}", peers.join(", "), over(tls.as_ref()))
        }
        WirePlan::Udp(udp) => udp.to_string(),
        WirePlan::Connect { address, tls } => format!("connects to {address}{}", over(tls.as_ref())),
    }
}
