//! What differs between two plans, in words, and when each difference takes effect.
//!
//! Promises one [`Change`] for everything that differs, what concerns patients first, and that [`KEYS`] is the only
//! place that says what a reload applies: the reload asks it, `orugate plan` prints it, and the manual's list is
//! checked against it. A field that a plan gets does not compile here before somebody has decided about it. Leaves out
//! comments, order of tables and the names of files: what means the same is no difference.

use super::diff_words as words;
use super::plan::{
    AlertsPlan, BedsidePlan, CapturePlan, DestinationPlan, GatewayPlan, InstrumentPlan, JournalPlan, Plan,
};
use crate::convert::Rules;
use crate::maps::Table;
use serde::{Deserialize, Serialize};
use std::fmt;

/// When a change takes effect. The later ones interrupt more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Takes {
    /// By a reload, with the next message; no connection is touched.
    Live,
    /// By a reload, which begins this one connection anew: what is open there is finished before, within a bound.
    Connection,
    /// By a restart of the service. Until then the old value stays in force.
    Restart,
}

impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "a reload applies it with the next message",
            Self::Connection => "a reload applies it and begins this connection anew",
            Self::Restart => "it needs a restart",
        })
    }
}

/// What matters how much; in this order changes are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// What reaches whose chart, or how it reads there.
    Patients,
    /// Whether and how results come in and go out.
    Delivery,
    /// All else.
    Detail,
}

/// What a change belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// `[gateway]`.
    Gateway,
    /// `[journal]`.
    Journal,
    /// `[capture]`.
    Capture,
    /// The destination of this name.
    Destination(String),
    /// The instrument of this name.
    Instrument(String),
    /// `[alerts]`.
    Alerts,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gateway => "gateway",
            Self::Journal => "journal",
            Self::Alerts => "alerts",
            Self::Capture => "capture",
            Self::Destination(name) | Self::Instrument(name) => name,
        })
    }
}

/// The keys, as they are typed, and when a change of each takes effect. A key stands for all in it.
pub const KEYS: [(&str, Takes); 64] = [
    ("gateway.id", Takes::Restart),
    ("gateway.application", Takes::Live),
    ("gateway.facility", Takes::Live),
    ("gateway.device_id", Takes::Live),
    ("gateway.timezone", Takes::Live),
    ("gateway.admin_socket", Takes::Restart),
    ("journal.path", Takes::Restart),
    ("journal.max_size", Takes::Live),
    ("journal.keep_delivered", Takes::Live),
    ("journal.keep_raw", Takes::Live),
    ("journal.keep_keys", Takes::Live),
    ("journal.snapshots_size", Takes::Live),
    ("journal.endurance", Takes::Live),
    ("journal.seal", Takes::Restart),
    ("destination", Takes::Connection),
    ("destination.role", Takes::Live),
    ("destination.receiving", Takes::Live),
    ("destination.accepts", Takes::Live),
    ("destination.charset", Takes::Live),
    ("destination.sample_id_in", Takes::Live),
    ("destination.structured_numeric", Takes::Live),
    ("destination.corrections", Takes::Live),
    ("destination.resends", Takes::Live),
    ("destination.patient", Takes::Live),
    ("destination.pcd", Takes::Live),
    ("destination.retries", Takes::Connection),
    ("destination.stop_on_error", Takes::Connection),
    ("destination.mllp.address", Takes::Connection),
    ("destination.mllp.tls", Takes::Connection),
    ("destination.mllp.acknowledgment", Takes::Live),
    ("destination.mllp.require_application_ack", Takes::Connection),
    ("destination.mllp.accept_blank_msa2", Takes::Connection),
    ("destination.mllp.lenient_eob", Takes::Connection),
    ("destination.mllp.ack_timeout", Takes::Connection),
    ("instrument", Takes::Connection),
    ("instrument.mode", Takes::Live),
    ("instrument.send_to", Takes::Live),
    ("instrument.profile", Takes::Live),
    (PROFILE_LINK, Takes::Connection),
    ("instrument.map", Takes::Live),
    ("instrument.require_map", Takes::Live),
    ("instrument.wire", Takes::Connection),
    ("instrument.reruns", Takes::Live),
    ("instrument.reruns_except", Takes::Live),
    ("instrument.rerun_within", Takes::Live),
    ("instrument.timezone", Takes::Live),
    ("instrument.clock_limit", Takes::Live),
    ("instrument.sample_id", Takes::Live),
    ("instrument.identity", Takes::Live),
    ("instrument.incomplete", Takes::Live),
    ("instrument.impossible_time", Takes::Live),
    ("instrument.bedside.interval", Takes::Connection),
    ("instrument.bedside.location", Takes::Live),
    ("instrument.bedside.beds", Takes::Live),
    ("instrument.bedside.device_id", Takes::Live),
    ("instrument.bedside.absent", Takes::Live),
    ("instrument.bedside.nobodys", Takes::Live),
    ("instrument.bedside.reviewed_by", Takes::Live),
    ("instrument.bedside.send_patient", Takes::Live),
    ("alerts.hold_older_than", Takes::Live),
    ("alerts.hold_repeat", Takes::Live),
    ("alerts.on_condition", Takes::Live),
    ("instrument.capture", Takes::Live),
    ("capture.size", Takes::Live),
];

/// What of a profile its sessions depend on: no key of its own, and yet a difference.
pub(super) const PROFILE_LINK: &str = "instrument.profile, where it changes how the link is spoken";

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What matters how much.
    pub weight: Weight,
    /// What it belongs to.
    pub subject: Subject,
    /// One of [`KEYS`]; `destination` and `instrument` when one was added or removed.
    pub key: String,
    /// When it takes effect.
    pub takes: Takes,
    /// What changes, without the subject's name.
    pub words: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.words)
    }
}

/// Everything that differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What concerns patients first, then by the order of the new configuration.
    pub changes: Vec<Change>,
}

impl Difference {
    /// What differs between what was and what is to be.
    #[must_use]
    pub fn between(old: &Plan, new: &Plan) -> Self {
        let mut all = Self::default();
        all.gateway(&old.gateway, &new.gateway);
        all.journal(&old.journal, &new.journal);
        all.alerts(&old.alerts, &new.alerts);
        let (CapturePlan { size: was }, CapturePlan { size: is }) = (old.capture, new.capture);
        if was != is {
            all.add(Subject::Capture, "capture.size", Weight::Detail, words::capture_size(was, is));
        }
        for was in &old.destinations {
            if !new.destinations.iter().any(|d| d.name == was.name) {
                let subject = Subject::Destination(was.name.clone());
                all.add(subject, "destination", Weight::Patients, words::destination_removed(was, old, new));
            }
        }
        for is in &new.destinations {
            match old.destinations.iter().find(|d| d.name == is.name) {
                Some(was) => all.destination(was, is, new),
                None => {
                    let subject = Subject::Destination(is.name.clone());
                    all.add(subject, "destination", Weight::Delivery, words::destination_added(is));
                }
            }
        }
        for was in &old.instruments {
            if !new.instruments.iter().any(|i| i.name == was.name) {
                let subject = Subject::Instrument(was.name.clone());
                all.add(subject, "instrument", Weight::Patients, words::instrument_removed(was, new));
            }
        }
        for is in &new.instruments {
            match old.instruments.iter().find(|i| i.name == is.name) {
                Some(was) => all.instrument(old, was, new, is),
                None => {
                    let subject = Subject::Instrument(is.name.clone());
                    all.add(subject, "instrument", Weight::Patients, words::instrument_added(is, new));
                }
            }
        }
        // Stable, so what weighs the same keeps the order of the configuration.
        all.changes.sort_by_key(|change| change.weight);
        all
    }

    /// True when both mean the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The most that a change of this does; `None` when nothing of it differs.
    #[must_use]
    pub fn takes(&self, subject: &Subject) -> Option<Takes> {
        self.changes.iter().filter(|change| change.subject == *subject).map(|change| change.takes).max()
    }

    /// What a reload leaves for a restart.
    pub fn for_restart(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.takes == Takes::Restart)
    }

    fn add(&mut self, subject: Subject, key: &'static str, weight: Weight, words: String) {
        // A key that the list forgot would be the worst of surprises if it were said to be applied.
        let takes = KEYS.iter().find(|(known, _)| *known == key).map_or(Takes::Restart, |(_, takes)| *takes);
        self.changes.push(Change { weight, subject, key: key.to_owned(), takes, words });
    }

    fn gateway(&mut self, old: &GatewayPlan, new: &GatewayPlan) {
        let GatewayPlan { id, application, facility, device_id, timezone: _, timezone_name, admin_socket } =
            old;
        let mut add = |differs, key, weight, words: String| {
            if differs {
                self.add(Subject::Gateway, key, weight, words);
            }
        };
        let plain = |key: &str, old: &str, new: &str| words::plain(key, old, new);
        add(*id != new.id, "gateway.id", Weight::Delivery, words::gateway_id(id, &new.id));
        add(
            *application != new.application,
            "gateway.application",
            Weight::Delivery,
            plain("application (MSH-3)", application, &new.application),
        );
        add(
            *facility != new.facility,
            "gateway.facility",
            Weight::Delivery,
            plain("facility (MSH-4)", facility, &new.facility),
        );
        add(
            *device_id != new.device_id,
            "gateway.device_id",
            Weight::Delivery,
            words::device_id(*device_id, new.device_id),
        );
        add(
            *timezone_name != new.timezone_name,
            "gateway.timezone",
            Weight::Patients,
            words::timezone(timezone_name, &new.timezone_name),
        );
        let (was, is) = (admin_socket.display().to_string(), new.admin_socket.display().to_string());
        add(was != is, "gateway.admin_socket", Weight::Detail, plain("admin_socket", &was, &is));
    }

    fn journal(&mut self, old: &JournalPlan, new: &JournalPlan) {
        let JournalPlan {
            path,
            max_size,
            keep_delivered,
            keep_raw,
            keep_keys,
            snapshots_size,
            endurance,
            seal,
        } = old;
        let mut add = |differs: bool, key: &'static str, weight: Weight, words: String| {
            if differs {
                self.add(Subject::Journal, key, weight, words);
            }
        };
        let words = words::journal_path(&path.display().to_string(), &new.path.display().to_string());
        add(*path != new.path, "journal.path", Weight::Delivery, words);
        let words = words::bytes("max_size", *max_size, new.max_size);
        add(*max_size != new.max_size, "journal.max_size", Weight::Detail, words);
        let words = words::time("keep_delivered", *keep_delivered, new.keep_delivered);
        add(*keep_delivered != new.keep_delivered, "journal.keep_delivered", Weight::Detail, words);
        let words = words::time("keep_raw", *keep_raw, new.keep_raw);
        add(*keep_raw != new.keep_raw, "journal.keep_raw", Weight::Detail, words);
        let words = words::keep_keys(*keep_keys, new.keep_keys);
        add(*keep_keys != new.keep_keys, "journal.keep_keys", Weight::Delivery, words);
        let words = words::bytes("snapshots_size", *snapshots_size, new.snapshots_size);
        add(*snapshots_size != new.snapshots_size, "journal.snapshots_size", Weight::Detail, words);
        let words = words::endurance(*endurance, new.endurance);
        add(*endurance != new.endurance, "journal.endurance", Weight::Detail, words);
        if *seal != new.seal {
            let words = words::seal(seal.as_ref(), new.seal.as_ref());
            self.add(Subject::Journal, "journal.seal", Weight::Delivery, words);
        }
    }

    fn destination(&mut self, old: &DestinationPlan, new: &DestinationPlan, plan: &Plan) {
        let DestinationPlan {
            name,
            role,
            application,
            facility,
            address,
            tls,
            accepts,
            charset,
            sample_id_in,
            structured_numeric,
            corrections,
            resends,
            acknowledgment,
            require_application_ack,
            accept_blank_msa2,
            lenient_eob,
            stop_on_error,
            ack_timeout,
            retries,
            patient,
            pcd,
        } = old;
        let mut add = |differs: bool, key: &'static str, weight: Weight, words: &dyn Fn() -> String| {
            if differs {
                self.add(Subject::Destination(name.clone()), key, weight, words());
            }
        };
        use Weight::{Delivery, Detail, Patients};
        add(*role != new.role, "destination.role", Patients, &|| words::role(new.role));
        add(*accepts != new.accepts, "destination.accepts", Patients, &|| {
            words::accepts(name, new.accepts, plan)
        });
        add(*patient != new.patient, "destination.patient", Patients, &|| {
            words::patient(patient.as_ref(), new.patient.as_ref())
        });
        add(*pcd != new.pcd, "destination.pcd", Patients, &|| words::pcd(pcd.as_ref(), new.pcd.as_ref()));
        add(*corrections != new.corrections, "destination.corrections", Patients, &|| {
            words::corrections(*corrections, new.corrections)
        });
        add(*resends != new.resends, "destination.resends", Patients, &|| words::resends(new.resends));
        add(*charset != new.charset, "destination.charset", Patients, &|| {
            words::charset(*charset, new.charset)
        });
        add(*sample_id_in != new.sample_id_in, "destination.sample_id_in", Patients, &|| {
            words::sample_id_in(*sample_id_in, new.sample_id_in)
        });
        add(
            *structured_numeric != new.structured_numeric,
            "destination.structured_numeric",
            Patients,
            &|| words::structured(new.structured_numeric),
        );
        add(
            (application, facility) != (&new.application, &new.facility),
            "destination.receiving",
            Delivery,
            &|| {
                words::plain(
                    "receiving (MSH-5, MSH-6)",
                    &format!("{application}, {facility}"),
                    &format!("{}, {}", new.application, new.facility),
                )
            },
        );
        add(*address != new.address, "destination.mllp.address", Delivery, &|| {
            words::address(address, &new.address)
        });
        add(*tls != new.tls, "destination.mllp.tls", Delivery, &|| {
            words::tls(tls.as_ref(), new.tls.as_ref())
        });
        add(*acknowledgment != new.acknowledgment, "destination.mllp.acknowledgment", Delivery, &|| {
            words::acknowledgment(*acknowledgment, new.acknowledgment)
        });
        add(
            *require_application_ack != new.require_application_ack,
            "destination.mllp.require_application_ack",
            Delivery,
            &|| words::require_application_ack(new.require_application_ack),
        );
        add(
            *accept_blank_msa2 != new.accept_blank_msa2,
            "destination.mllp.accept_blank_msa2",
            Delivery,
            &|| words::flag("accept_blank_msa2", new.accept_blank_msa2),
        );
        add(*lenient_eob != new.lenient_eob, "destination.mllp.lenient_eob", Detail, &|| {
            words::flag("lenient_eob", new.lenient_eob)
        });
        add(*stop_on_error != new.stop_on_error, "destination.stop_on_error", Delivery, &|| {
            words::stop_on_error(new.stop_on_error)
        });
        add(*retries != new.retries, "destination.retries", Detail, &|| {
            words::plain("retries", &retries.to_string(), &new.retries.to_string())
        });
        add(*ack_timeout != new.ack_timeout, "destination.mllp.ack_timeout", Detail, &|| {
            words::time("ack_timeout", *ack_timeout, new.ack_timeout)
        });
    }

    fn instrument(&mut self, before: &Plan, old: &InstrumentPlan, after: &Plan, new: &InstrumentPlan) {
        let InstrumentPlan {
            name,
            profile,
            profile_name,
            profile_hash,
            mode,
            wire,
            send_to: _,
            reruns,
            rerun_within,
            table,
            timezone,
            clock_limit,
            rules,
            capture,
            bedside,
        } = old;
        let subject = || Subject::Instrument(name.clone());
        if *mode != new.mode {
            self.add(subject(), "instrument.mode", Weight::Patients, words::mode(new, after));
        }
        let (was, is) = (before.names(&old.send_to), after.names(&new.send_to));
        if was != is {
            self.add(subject(), "instrument.send_to", Weight::Patients, words::send_to(&was, &is));
        }
        if (profile_name, profile_hash) != (&new.profile_name, &new.profile_hash) {
            let link = profile.link();
            let same_link = link.is_some() && link == new.profile.link();
            let key = if same_link { "instrument.profile" } else { PROFILE_LINK };
            self.add(subject(), key, Weight::Patients, words::profile(old, new, same_link));
        }
        if *reruns != new.reruns {
            let words = words::reruns(*reruns, new.reruns);
            self.add(subject(), "instrument.reruns", Weight::Patients, words);
        }
        if *rerun_within != new.rerun_within {
            let words = words::time("rerun_within", *rerun_within, new.rerun_within);
            self.add(subject(), "instrument.rerun_within", Weight::Patients, words);
        }
        let (was, is) = (table.as_deref(), new.table.as_deref());
        if let Some(words) = words::maps(was, is) {
            self.add(subject(), "instrument.map", Weight::Patients, words);
        }
        let required = |table: Option<&Table>| table.is_some_and(|table| table.required);
        if required(was) != required(is) {
            self.add(subject(), "instrument.require_map", Weight::Patients, words::require_map(required(is)));
        }
        if *wire != new.wire {
            self.add(subject(), "instrument.wire", Weight::Delivery, words::wire(wire, &new.wire));
        }
        if *capture != new.capture {
            self.add(subject(), "instrument.capture", Weight::Detail, words::capture(new.capture));
        }
        let named = |zone: &Option<(_, String)>| zone.as_ref().map(|(_, name)| name.clone());
        if named(timezone) != named(&new.timezone) {
            let shown = |zone| named(zone).unwrap_or_else(|| "the gateway's".to_owned());
            let words = words::timezone(&shown(timezone), &shown(&new.timezone));
            self.add(subject(), "instrument.timezone", Weight::Patients, words);
        }
        if *clock_limit != new.clock_limit {
            let words = words::time("clock_limit", *clock_limit, new.clock_limit);
            self.add(subject(), "instrument.clock_limit", Weight::Detail, words);
        }
        // Where only one of them is a bedside device's, the profile is another and that was told.
        if let (Some(was), Some(is)) = (bedside, &new.bedside) {
            self.bedside(name, was, is);
        }
        let Rules { sample_id, identity, incomplete, times, reruns_except } = rules;
        let mut add = |differs: bool, key: &'static str, words: String| {
            if differs {
                self.add(subject(), key, Weight::Patients, words);
            }
        };
        let is = &new.rules;
        add(*sample_id != is.sample_id, "instrument.sample_id", words::sample_id(sample_id, &is.sample_id));
        add(*identity != is.identity, "instrument.identity", words::identity(identity, &is.identity));
        add(*incomplete != is.incomplete, "instrument.incomplete", words::incomplete(is.incomplete));
        add(*times != is.times, "instrument.impossible_time", words::times(*times, is.times));
        let words = words::reruns_except(reruns_except, &is.reruns_except);
        add(*reruns_except != is.reruns_except, "instrument.reruns_except", words);
    }

    fn bedside(&mut self, instrument: &str, old: &BedsidePlan, new: &BedsidePlan) {
        // How long a value holds is the profile's.
        let BedsidePlan {
            interval,
            stale_after: _,
            location,
            beds,
            device_id,
            absent,
            nobodys,
            reviewed_by,
            send_patient,
        } = old;
        let mut add = |differs: bool, key: &'static str, weight: Weight, words: &dyn Fn() -> String| {
            if differs {
                self.add(Subject::Instrument(instrument.to_owned()), key, weight, words());
            }
        };
        use Weight::{Delivery, Detail, Patients};
        add(*interval != new.interval, "instrument.bedside.interval", Delivery, &|| {
            words::time("interval", *interval, new.interval)
        });
        add(*location != new.location, "instrument.bedside.location", Patients, &|| {
            words::plain("location (PV1-3)", location, &new.location)
        });
        add(*beds != new.beds, "instrument.bedside.beds", Patients, &|| words::beds(beds, &new.beds));
        add(*device_id != new.device_id, "instrument.bedside.device_id", Patients, &|| {
            words::device_id(*device_id, new.device_id)
        });
        add(*absent != new.absent, "instrument.bedside.absent", Patients, &|| words::absent(new.absent));
        add(*nobodys != new.nobodys, "instrument.bedside.nobodys", Patients, &|| {
            words::nobodys(*nobodys, new.nobodys)
        });
        add(*reviewed_by != new.reviewed_by, "instrument.bedside.reviewed_by", Detail, &|| {
            let shown = |by: &Option<String>| by.clone().unwrap_or_default();
            words::plain("reviewed_by", &shown(reviewed_by), &shown(&new.reviewed_by))
        });
        add(*send_patient != new.send_patient, "instrument.bedside.send_patient", Patients, &|| {
            words::send_patient(new.send_patient)
        });
    }

    fn alerts(&mut self, old: &AlertsPlan, new: &AlertsPlan) {
        let AlertsPlan { hold_older_than, hold_repeat, on_condition } = old;
        let mut add = |differs: bool, key: &'static str, words: String| {
            if differs {
                self.add(Subject::Alerts, key, Weight::Delivery, words);
            }
        };
        let words = words::time("hold_older_than", *hold_older_than, new.hold_older_than);
        add(*hold_older_than != new.hold_older_than, "alerts.hold_older_than", words);
        let words = words::time("hold_repeat", *hold_repeat, new.hold_repeat);
        add(*hold_repeat != new.hold_repeat, "alerts.hold_repeat", words);
        let words = words::on_condition(on_condition, &new.on_condition);
        add(*on_condition != new.on_condition, "alerts.on_condition", words);
    }
}

impl Plan {
    /// This plan as far as a reload applies it to a gateway that runs by `running`: the rest stays as it is there.
    #[must_use]
    pub fn as_reloaded(self, running: &Self) -> Self {
        Self {
            gateway: GatewayPlan {
                id: running.gateway.id.clone(),
                admin_socket: running.gateway.admin_socket.clone(),
                ..self.gateway
            },
            journal: JournalPlan {
                path: running.journal.path.clone(),
                seal: running.journal.seal.clone(),
                ..self.journal
            },
            ..self
        }
    }

    fn names(&self, indexes: &[usize]) -> Vec<&str> {
        let mut names: Vec<&str> =
            indexes.iter().filter_map(|index| Some(self.destinations.get(*index)?.name.as_str())).collect();
        names.sort_unstable();
        names
    }
}
