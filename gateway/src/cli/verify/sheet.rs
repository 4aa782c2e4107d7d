//! What is asked: the results of one sample in one message, or one order of quality control.
//!
//! Promises that what is shown of a result is what stands in the ORU that a destination acknowledged.

use crate::admin::HeardView;
use crate::cli::trace::model::{Outcome, Told};
use crate::records::{Answer, Shows};
use crate::verify::{Evidence, Left, Read, Sent, cut, shows_of};

/// What is asked at once.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    pub(super) message: u64,
    pub(super) sample: String,
    /// Why it is no patient's.
    pub(super) qc: Option<String>,
    pub(super) questions: Vec<Question>,
}

/// One question.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) observation: u32,
    pub(super) evidence: Evidence,
    pub(super) shows: Vec<Shows>,
    /// The last answer.
    pub(super) said: Option<Answer>,
}

impl Question {
    /// It can be answered: somebody acknowledged it, or it is no patient's.
    pub(super) fn is_ready(&self) -> bool {
        self.evidence.qc.is_some() || self.evidence.sent.iter().any(|sent| sent.acknowledged.is_some())
    }

    pub(super) fn is_open(&self) -> bool {
        self.said.is_none() && self.is_ready()
    }

    /// The code that the instrument gave.
    pub(super) fn code(&self) -> &str {
        self.evidence.read.first().map_or("", |read| &read.code)
    }
}

/// What is to be asked of a message, and what of it nobody can be asked for.
pub(super) fn of(told: &Told, heard: &HeardView) -> (Vec<Sheet>, Vec<Left>) {
    let (mut sheets, mut left) = (Vec::<Sheet>::new(), Vec::new());
    for result in &told.results {
        let sample = result.sample.clone().unwrap_or_default();
        let observation = result.observation;
        if heard.sent.contains(&observation) {
            let (evidence, shows) = evidence_of(told, heard, result);
            let said = said(heard, observation);
            let question = Question { observation, evidence, shows, said };
            match sheets.last_mut() {
                Some(sheet) if sheet.qc.is_none() && sheet.sample == sample => sheet.questions.push(question),
                _ => {
                    sheets.push(Sheet { message: told.message, sample, qc: None, questions: vec![question] })
                }
            }
        } else if heard.qc.contains(&observation) {
            let why = result.why.clone().unwrap_or_default();
            match sheets.last_mut() {
                Some(sheet) if sheet.qc.as_ref() == Some(&why) && sheet.sample == sample => {
                    if let Some(question) = sheet.questions.first_mut() {
                        question.evidence.read.push(read(result));
                    }
                }
                _ => {
                    let mut evidence = head(told, heard, result);
                    evidence.qc = Some(why.clone());
                    let said = said(heard, observation);
                    let question = Question { observation, evidence, shows: Vec::new(), said };
                    sheets.push(Sheet {
                        message: told.message,
                        sample,
                        qc: Some(why),
                        questions: vec![question],
                    });
                }
            }
        } else {
            let code = result.code.clone().unwrap_or_default();
            left.push(Left { message: told.message, sample, code, became: result.words.clone() });
        }
    }
    (sheets, left)
}

fn said(heard: &HeardView, observation: u32) -> Option<Answer> {
    heard.said.iter().find(|(of, _)| *of == observation).map(|(_, answer)| *answer)
}

fn head(told: &Told, heard: &HeardView, result: &Outcome) -> Evidence {
    Evidence {
        model: heard.analyzer.model.clone(),
        serial: heard.analyzer.serial.clone(),
        received: told.received.map(|at| at.to_string()).unwrap_or_default(),
        sample: result.sample.clone().unwrap_or_default(),
        read: vec![read(result)],
        ..Evidence::default()
    }
}

fn read(result: &Outcome) -> Read {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    Read {
        result: result.observation,
        code: text(&result.code),
        name: text(&result.name),
        value: text(&result.value),
        unit: text(&result.unit),
        range: text(&result.range),
        flags: text(&result.flags),
        status: result.status.unwrap_or_default().to_owned(),
        input: result.record.as_deref().map(cut).unwrap_or_default(),
    }
}

/// What is known of a result that went out, and what it shows where it was acknowledged.
fn evidence_of(told: &Told, heard: &HeardView, result: &Outcome) -> (Evidence, Vec<Shows>) {
    let mut evidence = head(told, heard, result);
    let mut shows = Vec::new();
    for became in result.became.iter().filter(|became| became.state != "made-anew") {
        let Some(oru) = told.orus.iter().find(|oru| oru.oru == became.oru) else { continue };
        let segments = oru.segments.as_deref().unwrap_or_default();
        let number = became.obx.map(|number| number.to_string());
        let at = segments
            .iter()
            .position(|segment| segment.starts_with("OBX|") && Some(field(segment, 1)) == number.as_deref());
        let Some((obx, rest)) = at.and_then(|at| segments.get(at..)?.split_first()) else { continue };
        let remarks: Vec<&String> = rest.iter().take_while(|segment| segment.starts_with("NTE|")).collect();
        let answer = oru.answers.iter().rev().find(|answer| answer.code.is_some());
        if answer.is_some() && shows.is_empty() {
            shows = shows_of(obx, !remarks.is_empty());
        }
        let heads = ["MSH|", "PID|", "ORC|", "OBR|", "SPM|"];
        let is_head = |segment: &&String| heads.iter().any(|head| segment.starts_with(head));
        let before = segments.iter().filter(is_head).filter(|segment| !segment.starts_with("SPM|"));
        let behind = segments.iter().filter(|segment| segment.starts_with("SPM|"));
        let value = plain(field(obx, 5));
        evidence.sent.push(Sent {
            destination: became.destination.clone(),
            msh_10: became.msh_10.clone(),
            code: plain(field(obx, 3)),
            // A structured number is its comparator and its number.
            value: if field(obx, 2) == "SN" { value.replace('^', "") } else { value },
            unit: plain(field(obx, 6)),
            range: plain(field(obx, 7)),
            flags: plain(field(obx, 8)),
            status: plain(field(obx, 11)),
            remarks: remarks.iter().map(|nte| plain(field(nte, 3))).collect(),
            segments: before.chain([obx]).chain(remarks).chain(behind).map(|segment| cut(segment)).collect(),
            acknowledged: answer.and_then(|answer| answer.code.clone()),
            acknowledged_at: answer.map(|answer| answer.at.to_string()).unwrap_or_default(),
        });
    }
    (evidence, shows)
}

fn field(segment: &str, number: usize) -> &str {
    segment.split('|').nth(number).unwrap_or_default()
}

/// A field without HL7's escapes; those that are no character stay.
fn plain(field: &str) -> String {
    let mut out = String::with_capacity(field.len());
    let mut rest = field;
    while let Some((before, behind)) = rest.split_once('\\') {
        out.push_str(before);
        let character = behind.split_once('\\').and_then(|(name, after)| {
            let c = match name {
                "F" => '|',
                "S" => '^',
                "T" => '&',
                "R" => '~',
                "E" => '\\',
                _ => return None,
            };
            Some((c, after))
        });
        match character {
            Some((c, after)) => {
                out.push(c);
                rest = after;
            }
            None => {
                out.push('\\');
                rest = behind;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn escapes_are_read_from_left_to_right() {
        assert_eq!(plain("10\\S\\3/uL \\E\\F\\E\\ \\.br\\ \\"), "10^3/uL \\F\\ \\.br\\ \\");
    }
}
