//! The sentences of [`diff`](super::diff): what a change means to whoever answers for it.
//!
//! Promises that the consequence stands beside the value, and that nothing here decides anything.

use super::describe::{
    acknowledgment as acknowledgment_words, eui64_words, identity_words, nobodys_words, pcd_words, rerun,
    reruns_except_words, sample_id_words, sealing, times_words, wire as wire_words,
};
use super::plan::{
    Absent, Accepts, AckMode, Corrections, DestinationPlan, DestinationRole, InstrumentPlan, Mode, Nobodys,
    PatientId, PcdPlan, Plan, Resends, SampleIdIn, SealPlan, WirePlan,
};
use super::plan_tls::TlsPlan;
use super::units::{show_duration, show_size, show_volume};
use crate::convert::{IdRule, Identity, Incomplete, Reruns, RerunsExcept, Times};
use crate::maps::{Table, change};
use orugate_protocol::text::Charset;
use std::time::Duration;

pub(super) fn plain(key: &str, old: &str, new: &str) -> String {
    let shown = |text: &str| if text.is_empty() { "(empty)".to_owned() } else { text.to_owned() };
    format!("{key}: {} → {}", shown(old), shown(new))
}

pub(super) fn time(key: &str, old: Duration, new: Duration) -> String {
    plain(key, &show_duration(old), &show_duration(new))
}

pub(super) fn flag(key: &str, new: bool) -> String {
    plain(key, &(!new).to_string(), &new.to_string())
}

pub(super) fn gateway_id(old: &str, new: &str) -> String {
    format!(
        "{}; messages that wait keep the id they have, and answers to them are not known after the restart: let the \
         queues run empty before",
        plain("id (MSH-10)", old, new)
    )
}

pub(super) fn timezone(old: &str, new: &str) -> String {
    format!("{}: the times of all results are read in the new zone", plain("timezone", old, new))
}

pub(super) fn journal_path(old: &str, new: &str) -> String {
    format!(
        "{}; what waits in the old journal is not delivered from the new one: move the folder, or let it run empty",
        plain("path", old, new)
    )
}

pub(super) fn bytes(key: &str, old: u64, new: u64) -> String {
    plain(key, &show_size(old), &show_size(new))
}

pub(super) fn capture_size(old: u64, new: u64) -> String {
    let shown = |bytes: u64| if bytes == 0 { "off".to_owned() } else { show_size(bytes) };
    let change = plain("size of each line's ring", &shown(old), &shown(new));
    let kept = "what is captured already goes with its age";
    if new == 0 { format!("{change}; {kept}") } else { change }
}

pub(super) fn capture(new: bool) -> String {
    let change = flag("capture", new);
    let kept = "what is captured already goes with its age";
    if new { change } else { format!("{change}; {kept}") }
}

pub(super) fn keep_keys(old: Duration, new: Duration) -> String {
    let change = time("keep_keys", old, new);
    if new >= old {
        return change;
    }
    format!("{change}: a result that comes again after that is new, neither a resend nor a correction")
}

pub(super) fn endurance(old: Option<u64>, new: Option<u64>) -> String {
    let shown = |bytes: Option<u64>| bytes.map_or("not known".to_owned(), show_volume);
    plain("endurance", &shown(old), &shown(new))
}

pub(super) fn seal(old: Option<&SealPlan>, new: Option<&SealPlan>) -> String {
    let change = format!("seal: {} → {}", sealing(old), sealing(new));
    // A key that is named no more, although what it sealed may be there still.
    let lost = old
        .into_iter()
        .flat_map(SealPlan::all)
        .find(|key| new.is_none_or(|new| new.all().all(|k| k != *key)));
    match (old, lost) {
        (None, _) => format!("{change}; what is in the journal already stays as readable as it is"),
        (_, Some(key)) => {
            let next = if new.is_some() { "leave it in previous" } else { "keep the table" };
            format!(
                "{change}; as long as the journal holds anything that {key} sealed, the gateway does not start without \
                 it: {next}"
            )
        }
        _ => change,
    }
}

pub(super) fn role(new: DestinationRole) -> String {
    match new {
        DestinationRole::Lis => {
            "role record → lis: results without a final status go out as they came; people have to look at them"
        }
        DestinationRole::Record => {
            "role lis → record: nobody looks at results there, so the gateway is stricter with their status"
        }
    }
    .to_owned()
}

pub(super) fn accepts(name: &str, new: Accepts, plan: &Plan) -> String {
    let reached = |mode: Mode| {
        let index = plan.destinations.iter().position(|d| d.name == name);
        let named = plan.instruments.iter().filter(|i| i.mode == mode);
        let named: Vec<&str> =
            named.filter(|i| index.is_some_and(|at| i.send_to.contains(&at))).map(|i| &*i.name).collect();
        if named.is_empty() {
            "of no instrument at present".to_owned()
        } else {
            format!("of {}", named.join(", "))
        }
    };
    match new {
        Accepts::Production => format!(
            "accepts T → P: results for patients' charts reach it, {}; test results no longer do",
            reached(Mode::Live)
        ),
        Accepts::Test => format!(
            "accepts P → T: results for patients' charts no longer reach it; test results do, {}",
            reached(Mode::Test)
        ),
    }
}

pub(super) fn patient(old: Option<&PatientId>, new: Option<&PatientId>) -> String {
    let shown = |patient: Option<&PatientId>| {
        patient.map_or("no patient is named".to_owned(), |p| {
            format!("{:?} names the patient ({}, {})", p.field, p.authority, p.kind)
        })
    };
    plain("patient (PID-3)", &shown(old), &shown(new))
}

pub(super) fn pcd(old: Option<&PcdPlan>, new: Option<&PcdPlan>) -> String {
    let shown = |pcd: Option<&PcdPlan>| pcd.map_or("none".to_owned(), pcd_words);
    plain("bedside values", &shown(old), &shown(new))
}

fn correction(of: Corrections) -> &'static str {
    match of {
        Corrections::C => "C",
        Corrections::F => "F",
        Corrections::Hold => "hold",
    }
}

pub(super) fn corrections(old: Corrections, new: Corrections) -> String {
    let means = match new {
        Corrections::C => "a corrected result goes out with OBX-11 C",
        Corrections::F => {
            "a corrected result goes out as final (OBX-11 F), and does not say that it corrects"
        }
        Corrections::Hold => "a corrected result waits for a person",
    };
    format!("{}: {means}", plain("corrections", correction(old), correction(new)))
}

pub(super) fn reruns(old: Reruns, new: Reruns) -> String {
    let then = match new {
        Reruns::All => "each run of a test on one specimen goes out, told apart by OBX-4",
        Reruns::Last => "the last run of a test on one specimen counts, and corrects what was sent",
        Reruns::Hold => "another run of a test on one specimen waits for a person",
    };
    format!("{}: {then}", plain("reruns", rerun(old), rerun(new)))
}

pub(super) fn reruns_except(old: &RerunsExcept, new: &RerunsExcept) -> String {
    let shown = |except| reruns_except_words(except).unwrap_or_else(|| "no test".to_owned());
    format!("{}; all other tests by reruns", plain("reruns_except", &shown(old), &shown(new)))
}

pub(super) fn resends(new: Resends) -> String {
    match new {
        Resends::Forward => "resends suppress → forward: what an instrument sends again goes out again",
        Resends::Suppress => {
            "resends forward → suppress: what an instrument sends again does not go out again"
        }
    }
    .to_owned()
}

pub(super) fn charset(old: Charset, new: Charset) -> String {
    let words = plain("charset (MSH-18)", old.msh_18(), new.msh_18());
    format!("{words}: what waits goes as it is; a result that it cannot express is parked")
}

pub(super) fn sample_id_in(old: SampleIdIn, new: SampleIdIn) -> String {
    let shown = |place: SampleIdIn| match place {
        SampleIdIn::Specimen => "specimen (SPM-2 only)",
        SampleIdIn::Placer => "placer (OBR-2 too)",
        SampleIdIn::Filler => "filler (OBR-3 is the sample id)",
    };
    plain("sample_id_in", shown(old), shown(new))
}

pub(super) fn structured(new: bool) -> String {
    let means = if new { "<5 goes as SN (<^5)" } else { "<5 goes as text" };
    format!("{}: {means}", flag("structured_numeric", new))
}

pub(super) fn address(old: &str, new: &str) -> String {
    format!("{}: what waits goes there, byte for byte as it is", plain("address", old, new))
}

pub(super) fn tls(old: Option<&TlsPlan>, new: Option<&TlsPlan>) -> String {
    let shown = |tls: Option<&TlsPlan>| tls.map_or("plain MLLP".to_owned(), ToString::to_string);
    plain("tls", &shown(old), &shown(new))
}

pub(super) fn acknowledgment(old: AckMode, new: AckMode) -> String {
    format!(
        "{}; messages that wait keep what they ask for",
        plain("acknowledgment", &acknowledgment_words(old), &acknowledgment_words(new))
    )
}

pub(super) fn require_application_ack(new: bool) -> String {
    let means = if new { "a message is delivered when AA comes" } else { "CA is enough" };
    format!("{}: {means}", flag("require_application_ack", new))
}

pub(super) fn stop_on_error(new: bool) -> String {
    let means = if new {
        "a message that it refuses for good stops it until a person acts"
    } else {
        "a message that it refuses for good is parked, and the next one goes"
    };
    format!("{}: {means}", flag("stop_on_error", new))
}

pub(super) fn destination_added(is: &DestinationPlan) -> String {
    format!("new destination at {}", is.address)
}

pub(super) fn destination_removed(was: &DestinationPlan, old: &Plan, new: &Plan) -> String {
    let mut words = format!(
        "no longer a destination ({}): what waits for it stays in the journal and goes nowhere",
        was.address
    );
    let known = |name: &str| old.destinations.iter().any(|d| d.name == name);
    let renamed = new.destinations.iter().find(|d| !known(&d.name) && d.address == was.address);
    if let Some(renamed) = renamed {
        words.push_str(&format!(
            ". {} is new at the same address: a new name is a new queue, so let this one run empty before",
            renamed.name
        ));
    }
    words
}

fn reached(instrument: &InstrumentPlan, plan: &Plan) -> String {
    let to = instrument.send_to.iter().filter_map(|index| plan.destinations.get(*index));
    let names: Vec<&str> =
        to.filter(|d| instrument.mode.reaches(d.accepts)).map(|d| d.name.as_str()).collect();
    if names.is_empty() { "nowhere".to_owned() } else { format!("to {}", names.join(", ")) }
}

pub(super) fn mode(new: &InstrumentPlan, plan: &Plan) -> String {
    let to = reached(new, plan);
    match new.mode {
        Mode::Live => {
            format!("mode test → live: its results reach patients' charts (MSH-11 P) and go {to}")
        }
        Mode::Test => {
            format!("mode live → test: its results no longer reach patients' charts (MSH-11 T); they go {to}")
        }
    }
}

pub(super) fn send_to(old: &[&str], new: &[&str]) -> String {
    let without = |these: &[&str], those: &[&str]| {
        these.iter().filter(|name| !those.contains(name)).copied().collect::<Vec<_>>().join(", ")
    };
    let (gone, come) = (without(old, new), without(new, old));
    match (gone.is_empty(), come.is_empty()) {
        (true, _) => format!("send_to: its results go to {come} too"),
        (_, true) => format!("send_to: its results no longer go to {gone}"),
        _ => format!("send_to: its results no longer go to {gone}, and go to {come}"),
    }
}

pub(super) fn profile(old: &InstrumentPlan, new: &InstrumentPlan, same_link: bool) -> String {
    let link = if same_link { "the link is spoken as before" } else { "the link is spoken anew" };
    if old.profile_name == new.profile_name {
        format!(
            "profile {}: its text changed; new messages are read by the new one, {link}",
            new.profile_name
        )
    } else {
        format!(
            "profile {} → {}: new messages are read by the new one, {link}",
            old.profile_name, new.profile_name
        )
    }
}

/// What differs between the maps of an instrument; `None` when nothing does.
pub(super) fn maps(old: Option<&Table>, new: Option<&Table>) -> Option<String> {
    let names = |table: Option<&Table>| {
        table.map_or("none".to_owned(), |table| {
            table.maps.iter().map(|map| map.name.as_str()).collect::<Vec<_>>().join(", then ")
        })
    };
    let hashes = |table: Option<&Table>| table.map(Table::provenance).unwrap_or_default();
    if hashes(old) == hashes(new) {
        return None;
    }
    let (was, is) = (names(old), names(new));
    let what = if was == is { format!("map {is}") } else { format!("map {was} → {is}") };
    Some(format!("{what}: {}", change::words(old, new)))
}

pub(super) fn require_map(new: bool) -> String {
    let means = if new {
        "a result whose test has no row in its maps waits for a person"
    } else {
        "a result whose test has no row in its maps goes out with the instrument's code alone"
    };
    format!("{}: {means}", flag("require_map", new))
}

pub(super) fn wire(old: &WirePlan, new: &WirePlan) -> String {
    plain("wire", &wire_words(old), &wire_words(new))
}

pub(super) fn sample_id(old: &IdRule, new: &IdRule) -> String {
    let shown = |rule| sample_id_words(rule).unwrap_or_else(|| "any".to_owned());
    format!("{}; another sample id is held", plain("sample_id", &shown(old), &shown(new)))
}

pub(super) fn identity(old: &Identity, new: &Identity) -> String {
    let shown = |identity| identity_words(identity).unwrap_or_else(|| "any".to_owned());
    format!("{}; a message of another instrument is held", plain("identity", &shown(old), &shown(new)))
}

pub(super) fn incomplete(new: Incomplete) -> String {
    match new {
        Incomplete::Send => {
            "incomplete hold → send: what came of a message that broke off goes out with a remark"
        }
        Incomplete::Hold => {
            "incomplete send → hold: a message that broke off waits for a whole copy or a person"
        }
    }
    .to_owned()
}

pub(super) fn times(old: Option<Times>, new: Option<Times>) -> String {
    plain("impossible_time", &times_words(old), &times_words(new))
}

/// Beds by their labels: which are new, gone, or elsewhere.
pub(super) fn beds(old: &[(String, String)], new: &[(String, String)]) -> String {
    let place = |beds: &[(String, String)], label: &str| {
        beds.iter().find(|(known, _)| known == label).map(|(_, place)| place.clone())
    };
    let labels = old.iter().chain(new.iter().filter(|(label, _)| place(old, label).is_none()));
    let changes: Vec<String> = labels
        .filter_map(|(label, _)| match (place(old, label), place(new, label)) {
            (was, is) if was == is => None,
            (Some(was), Some(is)) => Some(format!("{label}: {was} → {is}")),
            (None, Some(is)) => Some(format!("{label} is new, {is}")),
            _ => Some(format!("{label} is gone")),
        })
        .collect();
    let rest = match (old.is_empty(), new.is_empty()) {
        (_, true) => "; any bed that the device says is taken",
        (true, _) => "; nothing is sent while the device says another bed",
        _ => "",
    };
    format!("beds (PV1-3 by label): {}{rest}", changes.join(", "))
}

pub(super) fn device_id(old: Option<u64>, new: Option<u64>) -> String {
    let shown = |id: Option<u64>| id.map(eui64_words).unwrap_or_default();
    plain("device_id (EUI-64)", &shown(old), &shown(new))
}

pub(super) fn absent(new: Absent) -> String {
    match new {
        Absent::X => "absent omit → x: what has no value goes without one (OBX-11 X)",
        Absent::Omit => {
            "absent x → omit: what has no value is left out, and a receiver may go on showing what it got before"
        }
    }
    .to_owned()
}

pub(super) fn nobodys(old: Nobodys, new: Nobodys) -> String {
    let shown = |nobodys: Nobodys| match nobodys {
        Nobodys::X => "x",
        Nobodys::Flag => "flag",
        Nobodys::Omit => "omit",
    };
    let change = plain("nobodys", shown(old), shown(new));
    format!("{change}: values of demonstrations, tests and calibrations {}", nobodys_words(new, None))
}

pub(super) fn send_patient(new: bool) -> String {
    let means = if new {
        "the patient id that the device sends goes along"
    } else {
        "no patient id of the device goes along"
    };
    format!("{}: {means}", flag("send_patient", new))
}

pub(super) fn on_condition(old: &[String], new: &[String]) -> String {
    let shown = |command: &[String]| if command.is_empty() { "nobody".to_owned() } else { command.join(" ") };
    plain("on_condition", &shown(old), &shown(new))
}

pub(super) fn instrument_added(is: &InstrumentPlan, plan: &Plan) -> String {
    let means = match is.mode {
        Mode::Live => "live: its results reach patients' charts (MSH-11 P)",
        Mode::Test => "test: MSH-11 T",
    };
    format!("new instrument, {means} and go {}; {}", reached(is, plan), wire_words(&is.wire))
}

pub(super) fn instrument_removed(was: &InstrumentPlan, new: &Plan) -> String {
    let mut words =
        "no longer an instrument: it is not listened to; what it has sent is worked off".to_owned();
    if let Some(renamed) = new.instruments.iter().find(|i| i.wire == was.wire) {
        words.push_str(&format!(
            ". {} has its wire: under a new name, resends and corrections of earlier results may not be known as such",
            renamed.name
        ));
    }
    words
}
