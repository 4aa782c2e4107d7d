//! A session as its records tell it.

use super::evidence::{Closing, Evidence};
use super::{csv, html};
use crate::archive::{Journal, LookError};
use crate::records::{Analyzer, Answer, Meta, Shows, Verification, VerificationAct, VerificationScope};
use crate::terms;
use crate::tls;
use crate::words::count;
use orugate_journal::Gathered;
use std::collections::{BTreeMap, BTreeSet};

/// A report.
#[derive(Clone, Debug)]
pub struct Report {
    /// The session.
    pub session: u64,
    /// Of what it is.
    pub scope: VerificationScope,
    /// When it began.
    pub began: By,
    /// What was said of results, in the order of saying.
    pub lines: Vec<Line>,
    /// What cannot be seen: the last reason for each.
    pub excused: BTreeMap<Shows, (By, String)>,
    /// How it ended.
    pub ended: Option<(By, Option<Analyzer>, Closing)>,
}

/// Who, and when.
#[derive(Clone, Debug)]
pub struct By {
    /// In microseconds since 1970.
    pub at: i64,
    /// As the kernel tells it (`uid 1000`).
    pub actor: String,
    /// As the person says.
    pub name: String,
}

/// What was said of a result.
#[derive(Clone, Debug)]
pub struct Line {
    /// Who and when.
    pub by: By,
    /// The message.
    pub message: u64,
    /// The result's place in it.
    pub observation: u32,
    /// The answer.
    pub answer: Answer,
    /// What the result shows besides itself.
    pub shows: Vec<Shows>,
    /// What was shown and said.
    pub evidence: Evidence,
    /// Nothing else was said of it later.
    pub counts: bool,
}

/// Every session in a journal, by its records; a session that has lost its first record is none.
///
/// # Errors
/// As [`Journal::gather`].
pub fn gather(journal: &Journal) -> Result<(Vec<Report>, Gathered), LookError> {
    let mut records: BTreeMap<u64, (Verification, Vec<u8>)> = BTreeMap::new();
    let gathered = journal.gather(terms::VERIFICATIONS, &mut |commit| {
        for record in
            commit.records.iter().filter(|record| !commit.void && record.kind.0 == Verification::KIND)
        {
            if let Some(said) = Verification::decode(record.meta_version, record.meta) {
                // A copy that was carried forward is the same.
                records.entry(record.sequence.0).or_insert_with(|| (said, record.payload.to_vec()));
            }
        }
    })?;
    let mut all: BTreeMap<u64, Report> = BTreeMap::new();
    for (number, (said, payload)) in records {
        let by = By { at: said.at, actor: said.actor, name: said.name };
        if let VerificationAct::Began(scope) = said.act {
            let empty = (Vec::new(), BTreeMap::new(), None);
            let (lines, excused, ended) = empty;
            all.insert(number, Report { session: number, scope: *scope, began: by, lines, excused, ended });
        } else if let Some(report) = all.get_mut(&said.session) {
            report.take(by, said.act, &payload);
        }
    }
    Ok((all.into_values().collect(), gathered))
}

impl Report {
    fn take(&mut self, by: By, act: VerificationAct, payload: &[u8]) {
        match act {
            VerificationAct::Began(_) => {}
            VerificationAct::Said { message, observation, answer, shows } => {
                for line in &mut self.lines {
                    line.counts &= (line.message, line.observation) != (message, observation);
                }
                let evidence = serde_json::from_slice(payload).unwrap_or_default();
                self.lines.push(Line { by, message, observation, answer, shows, evidence, counts: true });
            }
            VerificationAct::Excused(item) => {
                let words = String::from_utf8_lossy(payload).into_owned();
                self.excused.insert(item, (by, words));
            }
            VerificationAct::Ended { proof } => {
                let closing = serde_json::from_slice(payload).unwrap_or_default();
                self.ended = Some((by, proof, closing));
            }
        }
    }

    /// The last answers.
    pub fn last(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.counts)
    }

    /// How many results have this as their last answer.
    #[must_use]
    pub fn count(&self, answer: Answer) -> usize {
        self.last().filter(|line| line.answer == answer).count()
    }

    /// By which result something was seen.
    #[must_use]
    pub fn seen(&self, item: Shows) -> Option<&Line> {
        self.last().find(|line| {
            line.answer.sees() == Some(item) || line.answer == Answer::Same && line.shows.contains(&item)
        })
    }

    /// The analyzer, as the answered messages name it.
    #[must_use]
    pub fn analyzer(&self) -> Option<Analyzer> {
        if let Some((_, Some(proof), _)) = &self.ended {
            return Some(proof.clone());
        }
        let line = self.lines.iter().find(|line| line.answer != Answer::Skipped)?;
        Some(Analyzer { model: line.evidence.model.clone(), serial: line.evidence.serial.clone() })
    }

    /// The day that it is of: that of its end, or of its last record.
    #[must_use]
    pub fn at(&self) -> i64 {
        let last = self.lines.last().map_or(self.began.at, |line| line.by.at);
        self.ended.as_ref().map_or(last, |(by, ..)| by.at)
    }

    /// Its name in files: without a path, and no longer than file systems take.
    #[must_use]
    pub fn file_stem(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        let instrument: String = self.scope.instrument.chars().take(60).map(plain).collect();
        format!("verification-{instrument}-{}", self.session)
    }

    /// What was not verified, as sentences.
    #[must_use]
    pub fn not_verified(&self) -> Vec<String> {
        let mut all = Vec::new();
        for item in &self.scope.wanted {
            match (self.seen(*item), self.excused.get(item)) {
                (Some(_), _) => {}
                (None, Some((_, words))) => {
                    all.push(format!("Not seen: {}. The reason that was given: {words}", item.words()));
                }
                (None, None) => all.push(format!("Not seen: {}. No reason was given.", item.words())),
            }
        }
        for line in self.last().filter(|line| line.answer == Answer::Skipped) {
            let words = &line.evidence.words;
            let why = if words.is_empty() { String::new() } else { format!(" ({words})") };
            all.push(format!("Skipped: {} of sample {}{why}.", line.codes(), line.evidence.sample));
        }
        let analyzer = self.analyzer().unwrap_or_default();
        if analyzer.serial.is_empty() {
            all.push(
                "The analyzer's messages name no serial number: only the port tells which analyzer it was."
                    .to_owned(),
            );
        }
        match &self.ended {
            None => all.push(
                "The session is open: results that nobody answered for are not listed here.".to_owned(),
            ),
            Some((_, _, closing)) => {
                for left in &closing.left {
                    all.push(format!(
                        "Nobody answered for {} of sample {}: {}.",
                        left.code, left.sample, left.became
                    ));
                }
                if closing.more > 0 {
                    all.push(format!("Nobody answered for {} more results.", closing.more));
                }
                if closing.strange > 0 {
                    all.push(format!(
                        "{} messages came that another profile or map read, or that were more than a session follows.",
                        closing.strange
                    ));
                }
                if !closing.codes.is_empty() {
                    all.push(format!(
                        "Tests that the profile's examples have and no confirmed result had: {}.",
                        closing.codes.join(", ")
                    ));
                }
            }
        }
        let destinations: BTreeSet<&str> =
            self.last().flat_map(|l| &l.evidence.sent).map(|sent| sent.destination.as_str()).collect();
        let reached = destinations.into_iter().collect::<Vec<_>>().join(", ");
        all.push(format!(
            "What a destination shows after its acknowledgment was not looked at{}; compare there too. Whether the analyzer \
             measures right is not the question of this report.",
            if reached.is_empty() { String::new() } else { format!(" ({reached})") }
        ));
        all
    }

    /// What it says over all.
    #[must_use]
    pub fn verdict(&self) -> String {
        let of = &self.scope;
        let differs = self.count(Answer::Differs);
        let same = count(self.count(Answer::Same) as u64, "result is the same", "results are the same");
        let differ = if differs == 1 { "1 differs".to_owned() } else { format!("{differs} differ") };
        match &self.ended {
            None => format!("OPEN: {same}, {differ}. It proves nothing before it is ended."),
            Some((_, Some(analyzer), _)) => format!(
                "PROVEN: {same} as on the screen of {}, none differs, and all that was to be seen was seen or has \
                 a reason. Profile {} ({}) may be used live with this analyzer.",
                analyzer.named(),
                of.profile,
                of.profile_hash
            ),
            Some((_, None, _)) if of.mode != "test" && differs == 0 => {
                format!("{same} as on the screen, none differs. It was made in live mode and lifts nothing.")
            }
            Some((_, None, _)) => {
                format!("NOT PROVEN: {same}, {differ}; what is missing is under \"Not verified\".")
            }
        }
    }

    /// The CSV.
    #[must_use]
    pub fn csv(&self) -> String {
        csv::write(self)
    }

    /// The HTML, with the hash of the CSV that goes with it.
    #[must_use]
    pub fn html(&self, csv_name: &str, csv: &str) -> String {
        html::write(self, csv_name, &sha256(csv.as_bytes()))
    }

    /// The same without what may be a patient's: samples have numbers, and what people typed, remarks and patient segments
    /// are left out.
    #[must_use]
    pub fn scrubbed(mut self) -> Self {
        let mut samples: BTreeMap<String, String> = BTreeMap::new();
        let mut stand_in = |sample: &mut String| {
            if !sample.is_empty() {
                let next = format!("specimen {}", samples.len().saturating_add(1));
                *sample = samples.entry(std::mem::take(sample)).or_insert(next).clone();
            }
        };
        const LEFT_OUT: &str = "(left out)";
        for line in &mut self.lines {
            stand_in(&mut line.evidence.sample);
            if !line.evidence.words.is_empty() {
                LEFT_OUT.clone_into(&mut line.evidence.words);
            }
            for read in &mut line.evidence.read {
                read.input = if read.input.is_empty() { String::new() } else { LEFT_OUT.to_owned() };
            }
            for sent in &mut line.evidence.sent {
                sent.segments.retain(|segment| segment.starts_with("MSH|") || segment.starts_with("OBX|"));
                sent.remarks.iter_mut().for_each(|remark| LEFT_OUT.clone_into(remark));
            }
        }
        for (_, words) in self.excused.values_mut() {
            LEFT_OUT.clone_into(words);
        }
        if let Some((_, _, closing)) = &mut self.ended {
            closing.left.iter_mut().for_each(|left| stand_in(&mut left.sample));
        }
        self
    }
}

impl Line {
    /// The codes that it is about.
    #[must_use]
    pub fn codes(&self) -> String {
        self.evidence.read.iter().map(|read| read.code.as_str()).collect::<Vec<_>>().join(" ")
    }
}

/// In hexadecimal, as `sha256sum` writes it.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    let hash = tls::sha256(&tls::provider(), bytes);
    hash.map_or_else(String::new, |hash| hash.iter().map(|byte| format!("{byte:02x}")).collect())
}
