//! A report as comma separated values (RFC 4180): a line for each thing that was said, and one for each fact about it all.
//!
//! Every field is in quotation marks and is what was sent or said, unchanged, line ends in it included. A program that takes
//! a field beginning with `=` for a formula must be told that these are texts.

use super::report::{By, Line, Report};
use crate::words::moment;

const COLUMNS: [&str; 27] = [
    "what",
    "at",
    "actor",
    "name",
    "counts",
    "answer",
    "words",
    "message",
    "result",
    "sample",
    "code",
    "test",
    "read_value",
    "read_unit",
    "read_range",
    "read_flags",
    "read_status",
    "input",
    "sent_value",
    "sent_unit",
    "sent_range",
    "sent_flags",
    "sent_status",
    "destination",
    "msh_10",
    "acknowledged",
    "acknowledged_at",
];

type Rows = ::csv::Writer<Vec<u8>>;

pub(super) fn write(report: &Report) -> String {
    let mut out = ::csv::WriterBuilder::new()
        .quote_style(::csv::QuoteStyle::Always)
        .terminator(::csv::Terminator::CRLF)
        .from_writer(Vec::new());
    row(&mut out, &COLUMNS);
    for (what, value) in facts(report) {
        let mut fields = [""; COLUMNS.len()];
        (fields[0], fields[6]) = (what, &value);
        row(&mut out, &fields);
    }
    let said = |out: &mut Rows, what: &str, by: &By, answer: &str, words: &str| {
        let at = moment(by.at);
        let mut fields = [""; COLUMNS.len()];
        fields[..7].copy_from_slice(&[what, &at, &by.actor, &by.name, "yes", answer, words]);
        row(out, &fields);
    };
    said(&mut out, "began", &report.began, "", "");
    report.lines.iter().for_each(|line| lines(&mut out, line));
    for (item, (by, words)) in &report.excused {
        said(&mut out, item.word(), by, "cannot be seen", words);
    }
    if let Some((by, proof, _)) = &report.ended {
        said(&mut out, "ended", by, if proof.is_some() { "proven" } else { "not proven" }, "");
    }
    String::from_utf8(out.into_inner().unwrap_or_default()).unwrap_or_default()
}

fn row(out: &mut Rows, fields: &[&str]) {
    // A vector takes all, and every line has as many fields.
    let _ = out.write_record(fields);
}

/// What is the same for all of it.
pub(super) fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let of = &report.scope;
    let analyzer = report.analyzer().unwrap_or_default();
    let or_none = |text: &str| if text.is_empty() { "none".to_owned() } else { text.to_owned() };
    vec![
        ("verification", report.session.to_string()),
        ("verdict", report.verdict()),
        ("site", or_none(&of.site)),
        ("gateway", of.gateway.clone()),
        ("instrument", of.instrument.clone()),
        ("model", or_none(&analyzer.model)),
        ("serial number", or_none(&analyzer.serial)),
        ("mode", of.mode.clone()),
        ("profile", of.profile.clone()),
        ("profile hash", of.profile_hash.clone()),
        ("profile evidence", of.evidence.clone()),
        ("map hash", or_none(&of.map_hash)),
        ("program version", of.software.clone()),
        ("configuration hash", of.config_hash.clone()),
        ("journal", of.journal.clone()),
        (
            "clock",
            match of.clock {
                2 => "synchronised",
                1 => "plausible",
                _ => "not set: times may be wrong",
            }
            .to_owned(),
        ),
    ]
    .into_iter()
    .chain(report.not_verified().into_iter().map(|sentence| ("not verified", sentence)))
    .collect()
}

fn lines(out: &mut Rows, line: &Line) {
    let evidence = &line.evidence;
    let (at, message) = (moment(line.by.at), line.message.to_string());
    let counts = if line.counts { "yes" } else { "no" };
    let what = if evidence.qc.is_some() { "quality control" } else { "result" };
    let words = match &evidence.qc {
        Some(why) if evidence.words.is_empty() => format!("quality control: {why}"),
        Some(why) => format!("{}; quality control: {why}", evidence.words),
        None => evidence.words.clone(),
    };
    let none = super::Sent::default();
    let all = if evidence.sent.is_empty() { std::slice::from_ref(&none) } else { &evidence.sent };
    for read in &evidence.read {
        let result = read.result.to_string();
        for sent in all {
            row(
                out,
                &[
                    what,
                    &at,
                    &line.by.actor,
                    &line.by.name,
                    counts,
                    line.answer.words(),
                    &words,
                    &message,
                    &result,
                    &evidence.sample,
                    &read.code,
                    &read.name,
                    &read.value,
                    &read.unit,
                    &read.range,
                    &read.flags,
                    &read.status,
                    &read.input,
                    &sent.value,
                    &sent.unit,
                    &sent.range,
                    &sent.flags,
                    &sent.status,
                    &sent.destination,
                    &sent.msh_10,
                    sent.acknowledged.as_deref().unwrap_or_default(),
                    &sent.acknowledged_at,
                ],
            );
        }
    }
}
