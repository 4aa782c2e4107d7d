//! `orugate verify list`: which verifications a journal has, and which of them count now.

use crate::cli::journal::{At, Stop, open, remark};
use crate::config::{self, main_file};
use crate::records::Answer;
use crate::verify::gather;
use crate::words::moment;
use orugate_drivers::Catalogue;
use std::io::Write as _;
use std::path::Path;

pub(super) fn run(catalogue: &Catalogue, config: &Path, at: &At) -> Result<u8, Stop> {
    let journal = open(catalogue, config, at).map_err(Stop::Said)?;
    let there = main_file(config).is_file();
    let plan = there.then(|| config::load(config, catalogue).ok()).flatten().map(|loaded| loaded.plan);
    let (reports, gathered) = gather(&journal)?;
    let mut out = std::io::stdout().lock();
    if reports.is_empty() {
        writeln!(out, "No verification is in this journal. Make one: orugate verify session INSTRUMENT")?;
    }
    for report in &reports {
        let of = &report.scope;
        let stands = match &report.ended {
            None => "OPEN",
            Some((_, Some(_), _)) => "proven",
            Some((_, None, _)) => "not proven",
        };
        let configured =
            plan.as_ref().and_then(|plan| plan.instruments.iter().find(|i| i.name == of.instrument));
        let now = match configured {
            _ if plan.is_none() => "",
            None => "; the instrument is not configured now",
            Some(now) if now.profile_hash.to_string() == of.profile_hash => {
                "; of the profile that is configured now"
            }
            Some(_) => "; of ANOTHER profile than is configured now",
        };
        let analyzer =
            report.analyzer().map_or_else(|| "no analyzer yet".to_owned(), |analyzer| analyzer.named());
        writeln!(
            out,
            "{}  {}  {stands}  {}  {} ({}){now}",
            report.session,
            of.instrument,
            moment(report.at()),
            of.profile,
            of.profile_hash.get(..8).unwrap_or(&of.profile_hash)
        )?;
        writeln!(
            out,
            "    {analyzer}; {} mode; {} the same, {} differ, {} skipped; by {}",
            of.mode,
            report.count(Answer::Same),
            report.count(Answer::Differs),
            report.count(Answer::Skipped),
            report.began.actor
        )?;
    }
    if !reports.is_empty() {
        writeln!(out, "Its report: orugate verify report NUMBER")?;
    }
    out.flush()?;
    drop(out);
    remark(gathered.damaged.len());
    Ok(0)
}
