//! `orugate verify list`: which verifications a journal has, and which of them count now.

use crate::cli::journal::{At, Stop, open, remark};
use crate::config::{self, InstrumentPlan, Plan, main_file};
use crate::records::{Answer, map_hash};
use crate::verify::{Report, gather};
use crate::words::moment;
use orugate_drivers::Catalogue;
use serde_json::json;
use std::io::{self, Write as _};
use std::path::Path;

pub(super) fn run(catalogue: &Catalogue, config: &Path, at: &At, as_json: bool) -> Result<u8, Stop> {
    let journal = open(catalogue, config, at).map_err(Stop::Said)?;
    let there = main_file(config).is_file();
    let plan = there.then(|| config::load(config, catalogue).ok()).flatten().map(|loaded| loaded.plan);
    let (reports, gathered) = gather(&journal)?;
    let text = if as_json {
        let all: Vec<_> = reports.iter().map(|report| value(report, plan.as_ref())).collect();
        serde_json::to_string_pretty(&all).map_err(io::Error::other)? + "\n"
    } else {
        page(&reports, plan.as_ref())
    };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    drop(out);
    remark(gathered.damaged.len());
    Ok(0)
}

/// How a verification stands beside what is configured now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Now {
    /// Nobody knows: there is no good configuration here.
    Unknown,
    Same,
    AnotherProfile,
    AnotherMap,
    NoInstrument,
}

impl Now {
    fn of(report: &Report, plan: Option<&Plan>) -> Self {
        let Some(plan) = plan else { return Self::Unknown };
        let scope = &report.scope;
        let maps = |now: &InstrumentPlan| {
            map_hash(&now.table.as_ref().map(|table| table.provenance()).unwrap_or_default())
        };
        match plan.instruments.iter().find(|it| it.name == scope.instrument) {
            None => Self::NoInstrument,
            Some(now) if now.profile_hash.to_string() != scope.profile_hash => Self::AnotherProfile,
            Some(now) if maps(now) != scope.map_hash => Self::AnotherMap,
            Some(_) => Self::Same,
        }
    }

    /// As JSON has it.
    const fn code(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Same => "same",
            Self::AnotherProfile => "another-profile",
            Self::AnotherMap => "another-map",
            Self::NoInstrument => "no-instrument",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Same => "; of the profile that is configured now",
            Self::AnotherProfile => "; of ANOTHER profile than is configured now",
            Self::AnotherMap => "; with ANOTHER map than is configured now",
            Self::NoInstrument => "; the instrument is not configured now",
        }
    }
}

fn stands(report: &Report) -> &'static str {
    match &report.ended {
        None => "open",
        Some((_, Some(_), _)) => "proven",
        Some((_, None, _)) => "not proven",
    }
}

/// One verification, for programs. No value and no sample id is in it.
fn value(report: &Report, plan: Option<&Plan>) -> serde_json::Value {
    let of = &report.scope;
    json!({
        "verification": report.session,
        "instrument": of.instrument,
        "state": stands(report),
        "at": moment(report.at()),
        "began": { "at": moment(report.began.at), "actor": report.began.actor, "name": report.began.name },
        "ended": report.ended.as_ref().map(|(by, ..)| json!({ "at": moment(by.at), "actor": by.actor, "name": by.name })),
        "profile": of.profile,
        "profile_hash": of.profile_hash,
        "map_hash": of.map_hash,
        "evidence": of.evidence,
        "mode": of.mode,
        "analyzer": report.analyzer().map(|it| json!({ "model": it.model, "serial": it.serial })),
        "same": report.count(Answer::Same),
        "differ": report.count(Answer::Differs),
        "skipped": report.count(Answer::Skipped),
        "now": Now::of(report, plan).code(),
    })
}

fn page(reports: &[Report], plan: Option<&Plan>) -> String {
    if reports.is_empty() {
        return "No verification is in this journal. Make one: orugate verify session INSTRUMENT\n"
            .to_owned();
    }
    let mut out = String::new();
    for report in reports {
        let of = &report.scope;
        let stands = match stands(report) {
            "open" => "OPEN",
            other => other,
        };
        let analyzer =
            report.analyzer().map_or_else(|| "no analyzer yet".to_owned(), |analyzer| analyzer.named());
        out += &format!(
            "{}  {}  {stands}  {}  {} ({}){}\n",
            report.session,
            of.instrument,
            moment(report.at()),
            of.profile,
            of.profile_hash.get(..8).unwrap_or(&of.profile_hash),
            Now::of(report, plan).words()
        );
        out += &format!(
            "    {analyzer}; {} mode; {} the same, {} differ, {} skipped; by {}\n",
            of.mode,
            report.count(Answer::Same),
            report.count(Answer::Differs),
            report.count(Answer::Skipped),
            report.began.actor
        );
    }
    out + "Its report: orugate verify report NUMBER\n"
}
