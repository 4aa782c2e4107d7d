//! Who takes part now: the plan in force, with each instrument's port and each destination's forwarder.
//!
//! Promises that everybody who asks at one moment sees one configuration: a [`Lineup`] is never changed, a reload puts
//! another in its place. A message is interpreted with the lineup that is there when it is taken up. Leaves out the
//! tasks themselves; `Ports` has those and the crew.

use crate::bedside;
use crate::config::{
    AckMode, Corrections, DestinationPlan, DestinationRole, InstrumentPlan, Mode, PatientField, PcdPatient,
    PcdPlan, Plan, Resends, SampleIdIn, TlsPlan, WirePlan,
};
use crate::convert;
use crate::forward;
use crate::interpret::{Asked, OwnedPcd, OwnedTarget, OwnedUnknown, Subject};
use crate::ports::Setup;
use crate::records::Provenance;
use crate::status::PortStatus;
use arc_swap::ArcSwap;
use orugate_driver::Evidence;
use orugate_protocol::oru;
use std::net::SocketAddr;
use std::sync::Arc;

/// Everybody who takes part.
pub struct Lineup {
    /// What is in force.
    pub plan: Plan,
    /// What the journal keeps with every outcome: the hash of the configuration's text. While some of it waits for a
    /// restart, that and the hash of the text in which the rest is still in force, with a `+` between them.
    pub config: String,
    /// In the order of the configuration.
    pub instruments: Vec<Served>,
    /// In the order of the configuration.
    pub destinations: Vec<Reached>,
    subjects: Vec<Subject>,
}

/// The lineup that is in force. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Current(Arc<ArcSwap<Lineup>>);

/// An instrument with its port.
#[derive(Clone)]
pub struct Served {
    /// What is configured.
    pub plan: InstrumentPlan,
    /// How its port stands.
    pub status: Arc<PortStatus>,
    /// Where it listens, with the real port, when it did so from the beginning.
    pub listening: Option<SocketAddr>,
}

/// A destination with its forwarder.
#[derive(Clone)]
pub struct Reached {
    /// What is configured.
    pub plan: DestinationPlan,
    /// How it stands.
    pub forwarder: forward::Handle,
}

impl Lineup {
    /// Who takes part by a plan; `instruments` and `destinations` are in its order.
    #[must_use]
    pub fn new(plan: Plan, config: String, instruments: Vec<Served>, destinations: Vec<Reached>) -> Self {
        let subjects = plan.instruments.iter().map(|i| subject(&plan, i, &config)).collect();
        Self { plan, config, instruments, destinations, subjects }
    }

    /// What is needed to interpret an instrument's messages.
    #[must_use]
    pub fn subject(&self, instrument: &str) -> Option<&Subject> {
        self.subjects.iter().find(|subject| subject.name == instrument)
    }

    /// An instrument.
    #[must_use]
    pub fn instrument(&self, name: &str) -> Option<&Served> {
        self.instruments.iter().find(|served| served.plan.name == name)
    }

    /// A destination.
    #[must_use]
    pub fn destination(&self, name: &str) -> Option<&Reached> {
        self.destinations.iter().find(|reached| reached.plan.name == name)
    }
}

impl Current {
    /// With this to begin with.
    #[must_use]
    pub fn new(lineup: Lineup) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(lineup)))
    }

    /// The one in force now; it stays as it is however long it is looked at.
    #[must_use]
    pub fn get(&self) -> Arc<Lineup> {
        self.0.load_full()
    }

    /// From now on, this one.
    pub(crate) fn set(&self, lineup: Lineup) {
        self.0.store(Arc::new(lineup));
    }
}

impl Served {
    /// An instrument whose port is made from this.
    #[must_use]
    pub fn new(plan: &InstrumentPlan, setup: &Setup) -> Self {
        let listening = setup.listener.as_ref().and_then(|listener| listener.address().ok());
        Self { plan: plan.clone(), status: setup.status.clone(), listening }
    }

    /// `test` or `live`.
    #[must_use]
    pub const fn mode(&self) -> &'static str {
        match self.plan.mode {
            Mode::Test => "test",
            Mode::Live => "live",
        }
    }

    /// How it is connected, in words.
    #[must_use]
    pub fn wire(&self) -> String {
        match &self.plan.wire {
            WirePlan::Serial(serial) => serial.path.display().to_string(),
            WirePlan::Udp(udp) => udp.to_string(),
            WirePlan::Listen { bind, tls, .. } => format!("listens on {bind}{}", over(tls.as_ref())),
            WirePlan::Connect { address, tls } => format!("connects to {address}{}", over(tls.as_ref())),
        }
    }

    /// It is the instrument that connects.
    #[must_use]
    pub const fn listens(&self) -> bool {
        matches!(self.plan.wire, WirePlan::Listen { .. })
    }
}

fn over(tls: Option<&TlsPlan>) -> &'static str {
    if tls.is_some() { " over TLS" } else { "" }
}

/// The destinations that an instrument's results reach.
pub(crate) fn targets(plan: &Plan, instrument: &InstrumentPlan) -> Vec<OwnedTarget> {
    let reached =
        instrument.send_to.iter().filter_map(|index| Some((*index, plan.destinations.get(*index)?)));
    reached
        .filter(|(_, destination)| instrument.mode.reaches(destination.accepts))
        .map(|(index, destination)| target(plan, index, destination, instrument.mode))
        .collect()
}

fn subject(plan: &Plan, instrument: &InstrumentPlan, config: &str) -> Subject {
    Subject {
        name: instrument.name.clone(),
        interpreter: instrument.profile.interpreter(),
        targets: targets(plan, instrument),
        table: instrument.table.clone(),
        provenance: Provenance {
            software: env!("CARGO_PKG_VERSION").to_owned(),
            profile: instrument.profile_name.clone(),
            profile_hash: instrument.profile_hash.to_string(),
            config_hash: config.to_owned(),
            maps: instrument.table.as_ref().map(|table| table.provenance()).unwrap_or_default(),
        },
        zone: instrument.zone(&plan.gateway).clone(),
        clock_limit: instrument.clock_limit,
        rules: instrument.rules.clone(),
        reruns: instrument.reruns,
        rerun_within: instrument.rerun_within,
        asked: asked(instrument),
        feed: instrument.profile.feed(),
        bedside: bedside(instrument),
    }
}

/// What the site says of a bedside device; `None` for an instrument that gives results.
pub(crate) fn bedside(instrument: &InstrumentPlan) -> Option<bedside::Rules> {
    let plan = instrument.bedside.as_ref()?;
    let identity = instrument.rules.identity.clone();
    Some(bedside::Rules {
        interval: plan.interval,
        stale_after: plan.stale_after,
        location: plan.location.clone(),
        beds: plan.beds.clone(),
        device_id: plan.device_id,
        model: identity.model,
        serial: identity.serial,
        absent: plan.absent,
        nobodys: plan.nobodys,
        send_patient: plan.send_patient,
    })
}

/// A profile that is only described must not reach a patient's chart before persons have compared what is sent.
pub(crate) fn asked(instrument: &InstrumentPlan) -> Asked {
    match (instrument.profile.common().evidence, instrument.mode) {
        (Evidence::Described, Mode::Live) => Asked::Proof,
        (Evidence::Described, Mode::Test) => Asked::NothingInTest,
        (Evidence::CapturedBytes | Evidence::Manual, _) => Asked::Nothing,
    }
}

/// What conversion needs to know of a destination, for an instrument of this mode.
pub(crate) fn target(plan: &Plan, index: usize, destination: &DestinationPlan, mode: Mode) -> OwnedTarget {
    OwnedTarget {
        index,
        name: destination.name.clone(),
        sending_application: plan.gateway.application.clone(),
        sending_facility: plan.gateway.facility.clone(),
        receiving_application: destination.application.clone(),
        receiving_facility: destination.facility.clone(),
        processing: if mode == Mode::Live { 'P' } else { 'T' },
        acknowledgment: acknowledgment(destination.acknowledgment),
        charset: destination.charset,
        sample_id_in: match destination.sample_id_in {
            SampleIdIn::Specimen => oru::SampleIdIn::Specimen,
            SampleIdIn::Placer => oru::SampleIdIn::Placer,
            SampleIdIn::Filler => oru::SampleIdIn::Filler,
        },
        structured_numeric: destination.structured_numeric,
        patient: destination.patient.as_ref().map(|patient| {
            let field = match patient.field {
                PatientField::P3 => oru::PatientField::P3,
                PatientField::P4 => oru::PatientField::P4,
                PatientField::P5 => oru::PatientField::P5,
            };
            (field, patient.authority.clone(), patient.kind.clone())
        }),
        record: destination.role == DestinationRole::Record,
        corrections: match destination.corrections {
            Corrections::C => convert::Corrections::Corrected,
            Corrections::F => convert::Corrections::Final,
            Corrections::Hold => convert::Corrections::Hold,
        },
        suppress_resends: destination.resends == Resends::Suppress,
        pcd: destination.pcd.as_ref().map(|pcd| owned_pcd(plan.gateway.device_id, pcd)),
    }
}

/// What is a destination's own in messages of bedside devices.
fn owned_pcd(sending_id: Option<u64>, plan: &PcdPlan) -> OwnedPcd {
    OwnedPcd {
        sending_id,
        profile: plan.profile.clone(),
        acknowledgment: acknowledgment(plan.acknowledgment),
        unknown_patient: match plan.patient {
            PcdPatient::None => OwnedUnknown::NoSegment,
            PcdPatient::Unknown => OwnedUnknown::NoId,
            PcdPatient::Device => OwnedUnknown::Device,
        },
        patient: plan.sent_id.clone(),
        device_on_rows: plan.device_on_rows,
    }
}

/// MSH-15 and MSH-16.
fn acknowledgment(mode: AckMode) -> (&'static str, &'static str) {
    match mode {
        AckMode::Original => ("", ""),
        AckMode::Enhanced { accept, application } => (accept.as_str(), application.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orugate_drivers::SHIPPED;

    #[test]
    fn bedside_values_say_whose_they_are_and_ask_for_a_commit_acknowledgment_where_nothing_else_is_written() {
        let text = r#"version = 1
gateway = { id = "GW01", facility = "WARD", timezone = "UTC", device_id = "00:00:5E:00:53:01" }
journal = { path = "/var/lib/orugate/journal" }
[[destination]]
name = "vitals"
role = "record"
receiving = { application = "A", facility = "F" }
mllp = { address = "192.0.2.1:2575" }
pcd = { authority = "HOSP" }
"#;
        let plan =
            crate::config::load_texts(vec![("a.toml".into(), text.to_owned())], &SHIPPED).unwrap().plan;
        let target = target(&plan, 0, &plan.destinations[0], Mode::Live);
        let target = target.borrowed("icu-12");
        let route = target.pcd.unwrap();
        assert_eq!(route.sending_id, Some(0x0000_5EFF_FE00_5301));
        assert_eq!((route.acknowledgment, route.patient), (("AL", "NE"), Some(("HOSP", "MR"))));
        // HL7 requires PID-3: it names the device, and each another one.
        let marked =
            orugate_protocol::pcd::UnknownPatient::Marked { id: "icu-12", authority: "ORUGATE", kind: "U" };
        assert_eq!(route.unknown_patient, marked);
        assert_eq!(target.route.acknowledgment, ("", ""), "results do not");
    }
}
