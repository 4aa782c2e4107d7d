//! Destinations: from `[[destination]]` to [`DestinationPlan`].
//!
//! Promises that instruments can refer to every destination that has a name, also to one with mistakes, so that one
//! mistake is not told twice.

use super::check::{Names, Scope, hl7_name, host_of, host_port, small, span};
use super::check_tls;
use super::file::{AckFile, At, ConfigFile, DestinationFile, MllpFile, PatientFile, PcdFile};
use super::mistakes::Findings;
use super::nearest::did_you_mean;
use super::plan::{Accepts, AckMode, AckWhen, DestinationPlan, PatientId, PcdPatient, PcdPlan};
use super::plan_tls::TlsPlan;
use super::source::Source;
use orugate_protocol::text::Charset;
use std::ops::RangeInclusive;
use std::time::Duration;

const ACK_TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);

/// A destination that instruments may name.
pub(super) struct Known {
    pub(super) name: String,
    pub(super) accepts: Accepts,
    /// It takes values of bedside devices.
    pub(super) pcd: Option<KnownPcd>,
}

/// What bedside devices that name a destination must fit.
#[derive(Clone, Copy)]
pub(super) struct KnownPcd {
    /// Patient ids of devices may go there.
    pub(super) takes_ids: bool,
    /// Nothing is delivered there before AA.
    pub(super) wants_application_ack: bool,
}

/// All destinations of all files. Both lists have the same order, and the same length when there is no mistake.
pub(super) fn all(files: &[(Source, ConfigFile)], out: &mut Findings) -> (Vec<DestinationPlan>, Vec<Known>) {
    let (mut plans, mut known, mut names) = (Vec::new(), Vec::new(), Names::default());
    for (source, file) in files {
        for (number, typed) in file.destination.iter().enumerate() {
            let scope = Scope::new(source, format!("destination[{number}]"), typed.offset);
            if let Some(name) = scope.need(out, "name", typed.value.name.as_ref(), "write a name for send_to")
            {
                names.take(&scope, name, out);
                let accepts = value_or_default(&typed.value.accepts);
                let mllp = typed.value.mllp.as_ref();
                let pcd = typed.value.pcd.as_ref().map(|pcd| KnownPcd {
                    takes_ids: pcd.value.authority.is_some(),
                    wants_application_ack: mllp
                        .is_some_and(|mllp| value_or_default(&mllp.value.require_application_ack)),
                });
                known.push(Known { name: name.value.clone(), accepts, pcd });
            }
            plans.extend(one(&typed.value, &scope, out));
        }
    }
    (plans, known)
}

fn one(typed: &DestinationFile, scope: &Scope<'_>, out: &mut Findings) -> Option<DestinationPlan> {
    let role = scope.need(out, "role", typed.role.as_ref(), "write \"lis\" or \"record\"");
    let receiving = scope.need(
        out,
        "receiving",
        typed.receiving.as_ref(),
        "write { application = \"…\", facility = \"…\" }",
    );
    let (mut application, mut facility) = (None, None);
    if let Some(table) = receiving {
        let inside = scope.inside("receiving", table);
        application = inside.need(
            out,
            "application",
            table.value.application.as_ref(),
            "write what MSH-5 shall say, or \"\"",
        );
        application.map(|typed| hl7_name(&inside, "application", typed, out));
        facility = inside.need(
            out,
            "facility",
            table.value.facility.as_ref(),
            "write what MSH-6 shall say, or \"\"",
        );
        facility.map(|typed| hl7_name(&inside, "facility", typed, out));
    }
    let mllp = scope.need(out, "mllp", typed.mllp.as_ref(), "write { address = \"host:port\" }");
    let link = mllp.map(|table| link(&table.value, &scope.inside("mllp", table), out));
    let patient =
        typed.patient.as_ref().map(|table| patient(&table.value, &scope.inside("patient", table), out));
    let pcd = typed.pcd.as_ref().map(|table| {
        let asked = mllp.and_then(|mllp| mllp.value.acknowledgment.as_ref()).is_some();
        pcd(&table.value, link.as_ref().filter(|_| asked), &scope.inside("pcd", table), out)
    });
    let link = link?;
    let pcd = pcd.map(|pcd| match pcd.acknowledgment {
        // Without a request in MSH-16 the acknowledgment that is required would never come.
        AckMode::Enhanced { accept, .. } if link.require_application_ack => {
            let acknowledgment = AckMode::Enhanced { accept, application: AckWhen::Always };
            PcdPlan { acknowledgment, ..pcd }
        }
        _ => pcd,
    });
    Some(DestinationPlan {
        retries: small(scope, "retries", typed.retries.as_ref(), 0..=20, 3, out),
        name: typed.name.as_ref()?.value.clone(),
        role: role?.value,
        application: application?.value.clone(),
        facility: facility?.value.clone(),
        address: link.address?,
        tls: link.tls,
        accepts: value_or_default(&typed.accepts),
        charset: typed.charset.as_ref().map_or(Some(Charset::Utf8), |typed| charset(typed, scope, out))?,
        sample_id_in: value_or_default(&typed.sample_id_in),
        structured_numeric: value_or_default(&typed.structured_numeric),
        corrections: value_or_default(&typed.corrections),
        resends: value_or_default(&typed.resends),
        acknowledgment: link.acknowledgment,
        require_application_ack: link.require_application_ack,
        accept_blank_msa2: link.accept_blank_msa2,
        lenient_eob: link.lenient_eob,
        stop_on_error: value_or_default(&typed.stop_on_error),
        ack_timeout: link.ack_timeout,
        patient: patient.flatten(),
        pcd,
    })
}

/// MSH-21 of IHE PCD-01 (device enterprise communication).
const PCD_01: &str = "IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO";
/// EI of HL7 2.6 has four components and 427 characters.
const EI: (usize, usize) = (4, 427);

/// How values of bedside devices are told; `asked` is the link if it says how it acknowledges.
fn pcd(typed: &PcdFile, asked: Option<&Link>, scope: &Scope<'_>, out: &mut Findings) -> PcdPlan {
    if let Some(profile) = &typed.profile {
        let text = &profile.value;
        let fits = text.split('^').count() <= EI.0
            && text.chars().count() <= EI.1
            && !text.chars().any(|c| "|~\\&".contains(c) || c.is_control())
            && text.split('^').all(|part| part.trim() == part);
        if !fits {
            let message = format!(
                "{text:?} is no profile's name; allowed are up to four parts as in {PCD_01:?}, or \"\""
            );
            out.wrong(scope.at("profile", profile, message));
        }
    }
    for (key, name) in [("authority", &typed.authority), ("kind", &typed.kind)] {
        let Some(name) = name else { continue };
        hl7_name(scope, key, name, out);
        if name.value.is_empty() {
            out.wrong(scope.at(key, name, "is empty; an identifier that nobody assigned names no patient"));
        }
    }
    if let (Some(kind), None) = (&typed.kind, &typed.authority) {
        out.wrong(scope.at("kind", kind, "belongs to authority; write whose the patient ids of devices are"));
    }
    let patient = value_or_default(&typed.patient);
    if let (PcdPatient::None, Some(typed)) = (patient, &typed.patient) {
        let message = "\"none\": without PID there is no PV1 either, so no bed goes along, and the receiver knows devices by their \
                       EUI-64 only";
        out.warn(scope.at("patient", typed, message));
    }
    PcdPlan {
        profile: typed.profile.as_ref().map_or(PCD_01, |typed| &typed.value).to_owned(),
        patient,
        sent_id: typed.authority.as_ref().map(|authority| {
            let kind = typed.kind.as_ref().map_or("MR", |kind| &kind.value);
            (authority.value.clone(), kind.to_owned())
        }),
        device_on_rows: value_or_default(&typed.device_on_rows),
        acknowledgment: asked
            .map_or(AckMode::Enhanced { accept: AckWhen::Always, application: AckWhen::Never }, |link| {
                link.acknowledgment
            }),
    }
}

/// What `mllp` means.
struct Link {
    address: Option<String>,
    tls: Option<TlsPlan>,
    acknowledgment: AckMode,
    require_application_ack: bool,
    accept_blank_msa2: bool,
    lenient_eob: bool,
    ack_timeout: Duration,
}

fn link(typed: &MllpFile, scope: &Scope<'_>, out: &mut Findings) -> Link {
    let address = scope.need(out, "address", typed.address.as_ref(), "write \"host:port\"");
    let address = address.map(|typed| host_port(scope, "address", typed, out));
    let tls = typed.tls.as_ref().map(|table| {
        let host = typed.address.as_ref().map_or("", |address| host_of(&address.value));
        check_tls::connecting(&table.value, host, &scope.inside("tls", table), out)
    });
    let require_application_ack = value_or_default(&typed.require_application_ack);
    let acknowledgment = match typed.acknowledgment.as_ref().map(|typed| typed.value) {
        None | Some(AckFile::Original) => AckMode::Original,
        // Without a request in MSH-16 the acknowledgment that is required would never come.
        Some(AckFile::Enhanced) => AckMode::Enhanced {
            accept: AckWhen::Always,
            application: if require_application_ack { AckWhen::Always } else { AckWhen::Never },
        },
    };
    let ack_timeout = typed.ack_timeout.as_ref();
    Link {
        address,
        tls: tls.flatten(),
        acknowledgment,
        require_application_ack,
        accept_blank_msa2: value_or_default(&typed.accept_blank_msa2),
        lenient_eob: value_or_default(&typed.lenient_eob),
        ack_timeout: ack_timeout
            .map_or(Duration::from_secs(30), |typed| span(scope, "ack_timeout", typed, ACK_TIMEOUT, out)),
    }
}

/// A charset by its value in MSH-18.
fn charset(typed: &At<String>, scope: &Scope<'_>, out: &mut Findings) -> Option<Charset> {
    let all = || Charset::all().map(Charset::msh_18);
    let Some(charset) = Charset::all().find(|charset| charset.msh_18() == typed.value) else {
        // An IANA name for what the table has, or another case, is the commonest slip.
        let meant = Charset::named(&typed.value).map(Charset::msh_18);
        let meant = meant.or_else(|| all().find(|value| value.eq_ignore_ascii_case(&typed.value)));
        let hint = meant.map(|value| format!("did you mean {value:?}?"));
        let names: Vec<_> = all().map(|value| format!("{value:?}")).collect();
        let message = format!("is {:?}; what can stand in MSH-18 is {}", typed.value, names.join(", "));
        out.wrong(
            scope.at("charset", typed, message).hint(hint.or_else(|| did_you_mean(&typed.value, all()))),
        );
        return None;
    };
    if charset.table_0211().is_none() {
        let message =
            "is not in HL7 table 0211; MSH-18 will say it all the same, so agree on it with the engine";
        out.warn(scope.at("charset", typed, message));
    }
    if b"|^~\\".iter().any(|delimiter| charset.hides(*delimiter)) {
        let message = "has characters whose second byte is a delimiter's; an engine that splits messages before it \
                       decodes them reads results wrongly. Prove it with such a character, or use \"UNICODE UTF-8\"";
        out.warn(scope.at("charset", typed, message));
    }
    Some(charset)
}

fn patient(typed: &PatientFile, scope: &Scope<'_>, out: &mut Findings) -> Option<PatientId> {
    let field = scope.need(out, "field", typed.field.as_ref(), "write \"P3\", \"P4\" or \"P5\"");
    let authority = scope.need(
        out,
        "authority",
        typed.authority.as_ref(),
        "write who assigns these identifiers, for PID-3.4",
    );
    for (key, name) in [("authority", authority), ("kind", typed.kind.as_ref())] {
        if let Some(name) = name {
            hl7_name(scope, key, name, out);
            if name.value.is_empty() {
                out.wrong(scope.at(
                    key,
                    name,
                    "is empty; an identifier that nobody assigned names no patient",
                ));
            }
        }
    }
    let kind = typed.kind.as_ref().map_or("MR".to_owned(), |kind| kind.value.clone());
    Some(PatientId { field: field?.value, authority: authority?.value.clone(), kind })
}

fn value_or_default<T: Copy + Default>(typed: &Option<At<T>>) -> T {
    typed.as_ref().map_or_else(T::default, |typed| typed.value)
}
