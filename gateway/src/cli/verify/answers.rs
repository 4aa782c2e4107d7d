//! Answers that were written down: each names what it answers, so that none is taken for another's.

use super::desk::Desk;
use super::sheet::{Question, Sheet};
use super::{IO, REFUSED, USAGE};
use crate::cli::files;
use crate::cli::journal::export::new_file;
use crate::records::{Answer, Shows};
use crate::words::count;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A line of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// `result`, `qc`, `why` or `end`.
    what: String,
    /// The message's number, where sample and code are not enough.
    #[serde(default)]
    message: Option<u64>,
    #[serde(default)]
    sample: String,
    /// The test's code; with `why` the word of what cannot be seen.
    #[serde(default)]
    code: String,
    /// As it was sent: for whoever fills the file in. It is compared when it is there.
    #[serde(default)]
    value: String,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    answer: String,
    #[serde(default)]
    words: String,
}

/// Takes the answers, once. Returns the exit code, and whether the session is to end.
pub(super) fn take(desk: &mut Desk<'_>, file: &Path) -> Result<(u8, bool), u8> {
    let bytes = files::read(file)?;
    let rows = match rows(&bytes) {
        Ok(rows) => rows,
        Err(why) => {
            eprintln!("{}: {why}. Nothing was noted.", file.display());
            return Err(USAGE);
        }
    };
    let (mut noted, mut refused, mut end) = (0u64, 0u64, false);
    for (line, row) in &rows {
        let done = match row.what.as_str() {
            "end" => {
                end = true;
                continue;
            }
            // Not filled in.
            _ if row.answer.trim().is_empty() && row.what != "why" => continue,
            "why" if row.words.trim().is_empty() => continue,
            "why" => match Shows::ALL.into_iter().find(|item| item.word() == row.code) {
                Some(item) => desk.excuse(item, &row.words)?,
                None => Err(format!("{:?} is nothing that can be seen; allowed are {}", row.code, words())),
            },
            _ => match found(desk, row) {
                Ok((message, question, answer)) => desk.say(message, &question, answer, &row.words)?,
                Err(why) => Err(why),
            },
        };
        match done {
            Ok(()) => noted += 1,
            Err(why) => {
                refused += 1;
                eprintln!("{}:{line}: not noted: {why}", file.display());
            }
        }
    }
    println!("{} noted, {refused} not.", count(noted, "answer", "answers"));
    Ok((if refused > 0 { REFUSED } else { 0 }, end && refused == 0))
}

fn rows(bytes: &[u8]) -> Result<Vec<(u64, Row)>, String> {
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).comment(Some(b'#')).flexible(true).from_reader(bytes);
    let headers = reader.headers().map_err(|error| error.to_string())?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let line = record.position().map_or(0, csv::Position::line);
        let row: Row = record.deserialize(Some(&headers)).map_err(|error| format!("line {line}: {error}"))?;
        if !matches!(row.what.as_str(), "result" | "qc" | "why" | "end") {
            return Err(format!("line {line}: what is {:?}; allowed are result, qc, why and end", row.what));
        }
        rows.push((line, row));
    }
    Ok(rows)
}

/// The one question that a line answers.
fn found(desk: &Desk<'_>, row: &Row) -> Result<(u64, Question, Answer), String> {
    let is_qc = row.what == "qc";
    let of = |sheet: &&Sheet| {
        sheet.qc.is_some() == is_qc
            && sheet.sample == row.sample
            && row.message.is_none_or(|message| message == sheet.message)
    };
    let value = |question: &Question| {
        let sent = question.evidence.first().map_or("", |sent| sent.value.as_str());
        row.value.is_empty() || is_qc || row.value == sent
    };
    let fits = |question: &Question| (is_qc && row.code.is_empty()) || question.code() == row.code;
    let all = desk.sheets().filter(of).flat_map(|sheet| {
        let fit = sheet.questions.iter().filter(|question| fits(question));
        fit.map(|question| (sheet.message, question))
    });
    let mut all: Vec<_> = all.collect();
    if all.len() > 1 && all.iter().any(|(_, question)| question.said.is_none()) {
        all.retain(|(_, question)| question.said.is_none());
    }
    let (message, question) = match all.as_slice() {
        [] => return Err("nothing of this sample and code came since the session began".to_owned()),
        [one] => *one,
        several => {
            return Err(format!(
                "{} results are of this sample and code; name the message too",
                several.len()
            ));
        }
    };
    if !value(question) {
        return Err("the value in the file is not the one that was sent".to_owned());
    }
    let answer = answer(is_qc, &row.answer).ok_or_else(|| {
        let allowed = if is_qc { "control, blank, calibration, other, n and s" } else { "y, n and s" };
        format!("answer is {:?}; allowed are {allowed}", row.answer)
    })?;
    if answer == Answer::Differs && row.words.trim().is_empty() {
        return Err("say in words what differs".to_owned());
    }
    if !question.is_ready() {
        return Err("no destination has acknowledged it yet; give the file again later".to_owned());
    }
    Ok((message, question.clone(), answer))
}

pub(super) fn answer(is_qc: bool, typed: &str) -> Option<Answer> {
    Some(match (is_qc, typed) {
        (false, "y" | "yes" | "same") => Answer::Same,
        (_, "n" | "no" | "differs") => Answer::Differs,
        (_, "s" | "skip") => Answer::Skipped,
        (true, "c" | "control") => Answer::Control,
        (true, "b" | "blank") => Answer::Blank,
        (true, "k" | "calibration") => Answer::Calibration,
        (true, "o" | "other") => Answer::OtherQc,
        _ => return None,
    })
}

pub(super) fn words() -> String {
    Shows::ALL.map(Shows::word).join(", ")
}

/// Writes what is to be answered, for somebody to fill in.
pub(super) fn write_questions(desk: &Desk<'_>, file: &Path) -> u8 {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    let mut rows = Vec::new();
    for sheet in desk.sheets() {
        for question in sheet.questions.iter().filter(|question| question.is_open()) {
            let sent = question.evidence.first();
            rows.push(Row {
                what: if sheet.qc.is_some() { "qc" } else { "result" }.to_owned(),
                message: Some(sheet.message),
                sample: sheet.sample.clone(),
                code: question.code().to_owned(),
                value: sent.map(|sent| sent.value.clone()).unwrap_or_default(),
                unit: sent.map(|sent| sent.unit.clone()).unwrap_or_default(),
                ..Row::default()
            });
        }
    }
    let results = rows.len();
    for item in open_items(desk) {
        rows.push(Row { what: "why".to_owned(), code: item.word().to_owned(), ..Row::default() });
    }
    let written = rows.iter().try_for_each(|row| writer.serialize(row)).map_err(std::io::Error::other);
    let bytes =
        written.and_then(|()| writer.into_inner().map_err(|error| std::io::Error::other(error.to_string())));
    let done = bytes.and_then(|bytes| std::io::Write::write_all(&mut new_file(file)?, &bytes));
    if let Err(error) = done {
        eprintln!("{}: {error}. Give a file that is not there yet.", file.display());
        return IO;
    }
    println!(
        "{} to be answered in {}, for its owner only: values are in it. Fill in answer and words, then give it with --answers.",
        count(results as u64, "result is", "results are"),
        file.display()
    );
    0
}

/// What is to be seen, was not, and has no reason.
pub(super) fn open_items(desk: &Desk<'_>) -> Vec<Shows> {
    let view = &desk.view;
    let open = |item: &Shows| !view.seen.contains(item) && !view.excused.contains(item);
    view.scope.wanted.iter().copied().filter(open).collect()
}
