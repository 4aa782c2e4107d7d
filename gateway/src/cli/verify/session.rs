//! A session at a terminal: plain lines, one sample at a time.
//!
//! Promises that a sample's results are shown whole before anything is asked of them, that an answer is on flash when it is
//! confirmed, and that nothing is lost when the line to the terminal breaks: the session stays open.

use super::answers::{self, answer, open_items, words};
use super::desk::Desk;
use super::sheet::{Question, Sheet};
use super::{REFUSED, USAGE, report};
use crate::records::{Answer, Shows};
use crate::words::count;
use orugate_drivers::Catalogue;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// How often the service is asked for what is new.
const LOOK: Duration = Duration::from_secs(1);

/// How answers come.
pub(super) enum How {
    Asking,
    Answers(PathBuf),
    Questions(PathBuf),
}

pub(super) fn run(
    catalogue: &Catalogue,
    config: &Path,
    instrument: &str,
    name: String,
    anew: bool,
    how: How,
    out: &Path,
) -> u8 {
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if matches!(how, How::Asking) && !terminal {
        eprintln!(
            "A session is asked at a terminal. Write what is to be answered into a file with --questions FILE, and give it back \
             with --answers FILE."
        );
        return USAGE;
    }
    let done = Desk::sit_down(catalogue, config, instrument, name, anew).and_then(|mut desk| {
        introduce(&desk);
        desk.look()?;
        match &how {
            How::Asking => ask(&mut desk, &typed(), out),
            How::Questions(file) => Ok(answers::write_questions(&desk, file)),
            How::Answers(file) => {
                let (code, ends) = answers::take(&mut desk, file)?;
                if ends {
                    return end(&mut desk, out, true);
                }
                stands(&desk);
                Ok(code)
            }
        }
    });
    done.unwrap_or_else(|code| code)
}

/// What is typed, line by line; it ends with the terminal.
fn typed() -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

fn introduce(desk: &Desk<'_>) {
    let (view, of) = (&desk.view, &desk.view.scope);
    println!(
        "Verification {} of {}, begun {} by {}. Profile {} ({}), {} mode.",
        view.session,
        of.instrument,
        crate::words::moment(view.at),
        view.actor,
        of.profile,
        of.evidence,
        of.mode
    );
    if of.mode != "test" {
        println!("It is not in test mode: this will be evidence, and lifts nothing.");
    }
}

fn ask(desk: &mut Desk<'_>, lines: &Receiver<String>, out: &Path) -> Result<u8, u8> {
    let to_be_seen: Vec<&str> = open_items(desk).into_iter().map(Shows::words).collect();
    if !to_be_seen.is_empty() {
        println!("To be seen: {}.", to_be_seen.join("; "));
    }
    println!(
        "Run samples. Each result is asked for once a destination has acknowledged it. ? is help, q breaks off."
    );
    let mut waits = String::new();
    loop {
        desk.look()?;
        let open = desk.sheets().find(|sheet| sheet.questions.iter().any(Question::is_open)).cloned();
        let line = match &open {
            Some(sheet) => {
                waits.clear();
                show(sheet);
                prompt(if sheet.qc.is_some() {
                    "What was it? c b k o n s > "
                } else {
                    "The same on the screen? y n s > "
                });
                lines.recv().ok()
            }
            None => {
                let now = waiting(desk);
                if now != waits {
                    println!("{now}");
                    prompt("> ");
                    waits = now;
                }
                match lines.recv_timeout(LOOK) {
                    Ok(line) => {
                        waits.clear();
                        Some(line)
                    }
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => None,
                }
            }
        };
        let Some(line) = line else {
            println!();
            broken_off(desk);
            return Ok(0);
        };
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match (word, &open) {
            ("", _) => {}
            ("?" | "help", _) => help(),
            ("q" | "quit", _) => {
                broken_off(desk);
                return Ok(0);
            }
            ("list", _) => stands(desk),
            ("end", _) => {
                let anyway = rest.trim() == "anyway";
                if anyway
                    || desk.view.missing.is_empty()
                    || desk.view.scope.mode != "test" && desk.view.same > 0
                {
                    return end(desk, out, anyway);
                }
                println!(
                    "Not ended: {}. To end it all the same, which proves nothing: end anyway",
                    desk.view.missing.join("; ")
                );
            }
            ("why", _) => why(desk, rest)?,
            (word, Some(sheet)) if answer(sheet.qc.is_some(), word).is_some() => {
                answers_to(desk, sheet, word, rest.trim())?;
            }
            _ => println!("That is no answer. ? is help."),
        }
    }
}

/// Notes an answer to some or all of a sheet's open questions.
fn answers_to(desk: &mut Desk<'_>, sheet: &Sheet, word: &str, rest: &str) -> Result<(), u8> {
    let Some(answer) = answer(sheet.qc.is_some(), word) else { return Ok(()) };
    let open: Vec<(usize, &Question)> =
        (1..).zip(&sheet.questions).filter(|(_, question)| question.is_open()).collect();
    let (numbers, words) = numbers(rest);
    let wrong = numbers.iter().find(|number| !open.iter().any(|(of, _)| of == *number));
    if let Some(wrong) = wrong {
        println!("There is no open result {wrong} here.");
        return Ok(());
    }
    let chosen: Vec<&Question> = match numbers.as_slice() {
        [] => open.iter().map(|(_, question)| *question).collect(),
        some => open.iter().filter(|(of, _)| some.contains(of)).map(|(_, question)| *question).collect(),
    };
    if answer == Answer::Differs {
        if chosen.len() > 1 {
            println!("Say which, and what differs: n 2 the screen shows 141");
            return Ok(());
        }
        if words.is_empty() {
            println!("Say what differs: n the screen shows 141");
            return Ok(());
        }
    }
    for question in chosen {
        if let Err(why) = desk.say(sheet.message, question, answer, words)? {
            println!("Not noted: {why}");
            return Ok(());
        }
    }
    println!("Noted.");
    Ok(())
}

/// The numbers that a text begins with, and the rest.
fn numbers(text: &str) -> (Vec<usize>, &str) {
    let (mut numbers, mut rest) = (Vec::new(), text.trim_start());
    loop {
        let (word, behind) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        match word.trim_end_matches(',').parse() {
            Ok(number) => {
                numbers.push(number);
                rest = behind.trim_start();
            }
            Err(_) => return (numbers, rest),
        }
    }
}

fn why(desk: &mut Desk<'_>, rest: &str) -> Result<(), u8> {
    let (word, reason) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
    let Some(item) = Shows::ALL.into_iter().find(|item| item.word() == word) else {
        println!(
            "Say what cannot be seen, and why: why blank this model runs none. Allowed are {}.",
            words()
        );
        return Ok(());
    };
    match desk.excuse(item, reason)? {
        Ok(()) => println!("Noted."),
        Err(why) => println!("Not noted: {why}"),
    }
    Ok(())
}

/// Ends the session and writes its report.
fn end(desk: &mut Desk<'_>, out: &Path, anyway: bool) -> Result<u8, u8> {
    let missing = desk.view.missing.clone();
    if !anyway && desk.view.scope.mode == "test" && !missing.is_empty() {
        println!("Not ended: {}.", missing.join("; "));
        return Ok(REFUSED);
    }
    desk.end()?;
    let of = &desk.view.scope;
    match &desk.view.proof {
        Some(analyzer) => println!(
            "Verification {} is ended: it proves profile {} for {}. Now write mode = \"live\" for {} and: orugate reload",
            desk.view.session,
            of.profile,
            analyzer.named(),
            of.instrument
        ),
        None => println!(
            "Verification {} is ended. It proves nothing: {}.",
            desk.view.session,
            missing.join("; ")
        ),
    }
    let proves = desk.view.proof.is_some() || of.mode != "test";
    let written = report::of_session(&desk.journal, desk.view.session, out, false);
    let code = crate::cli::journal::ended(written);
    Ok(if code == 0 && !proves { REFUSED } else { code })
}

fn broken_off(desk: &Desk<'_>) {
    println!(
        "Broken off; what was noted is kept. Go on: orugate verify session {}",
        desk.view.scope.instrument
    );
}

fn prompt(text: &str) {
    print!("{text}");
    let _ = std::io::stdout().flush();
}

/// A sample's results, as they were sent.
fn show(sheet: &Sheet) {
    let first = sheet.questions.first().map(|question| &question.evidence);
    let received = first.map_or("", |evidence| &evidence.received);
    let sample = if sheet.sample.is_empty() { "without an id" } else { &sheet.sample };
    println!("\nSample {}, message {} of {received}", safe(sample), sheet.message);
    if let Some(why) = &sheet.qc {
        println!("  went to no patient, because {why}:");
        for read in first.map_or(&[][..], |evidence| &evidence.read) {
            println!(
                "     {} {} {} {}",
                safe(&read.code),
                safe(&read.value),
                safe(&read.unit),
                safe(&read.flags)
            );
        }
        return;
    }
    for (number, question) in (1..).zip(&sheet.questions) {
        let read = question.evidence.read.first();
        let (code, name) = read.map_or(("", ""), |read| (&read.code, &read.name));
        let of = if name.is_empty() { safe(code) } else { format!("{} ({})", safe(code), safe(name)) };
        let Some(sent) = question.evidence.first() else {
            println!("  {number:>2}  {of}: its ORU is not in the journal");
            continue;
        };
        let mark = match (question.said, question.is_ready()) {
            (Some(answer), _) => format!("  [{}]", answer.words()),
            (None, false) => "  [not acknowledged yet]".to_owned(),
            (None, true) => String::new(),
        };
        let optional = |what: &str, text: &str| {
            if text.is_empty() { String::new() } else { format!("  {what} {}", safe(text)) }
        };
        println!(
            "  {number:>2}  {of}  {} {}{}{}{}{mark}",
            safe(&sent.value),
            safe(component(&sent.unit)),
            optional("flag", &sent.flags),
            optional("range", &sent.range),
            optional("status", &sent.status)
        );
        sent.remarks.iter().for_each(|remark| println!("        remark {}", safe(remark)));
    }
    let sent = sheet.questions.iter().find(|question| question.is_open()).and_then(|q| q.evidence.first());
    if let Some(sent) = sent {
        let code = sent.acknowledged.as_deref().unwrap_or_default();
        println!(
            "      sent as {} to {}, which answered {code} at {}",
            safe(&sent.msh_10),
            sent.destination,
            sent.acknowledged_at
        );
    }
}

/// What a screen would show of a coded element: its first component.
fn component(element: &str) -> &str {
    element.split('^').next().unwrap_or_default()
}

/// What is waited for.
fn waiting(desk: &Desk<'_>) -> String {
    let mut parts = Vec::new();
    let unanswered = desk.waiting();
    if unanswered > 0 {
        let results = count(unanswered as u64, "result waits", "results wait");
        parts.push(format!("{results} for a destination to acknowledge it: orugate status"));
    }
    if desk.held() > 0 {
        parts.push(format!(
            "{} held: orugate holds list",
            count(desk.held().into(), "result was", "results were")
        ));
    }
    if desk.view.strange > 0 {
        parts.push(format!(
            "{} read by another profile than this verification is of",
            count(desk.view.strange.into(), "message was", "messages were")
        ));
    }
    let open: Vec<&str> = open_items(desk).into_iter().map(Shows::word).collect();
    if desk.view.missing.is_empty() {
        parts.push("All is there: end".to_owned());
    } else if !open.is_empty() {
        parts.push(format!("Not seen yet: {}", open.join(", ")));
    } else {
        parts.push(format!("For a proof is missing: {}", desk.view.missing.join("; ")));
    }
    format!("\nWaiting for results. {}", parts.join(". "))
}

/// How the session stands.
fn stands(desk: &Desk<'_>) {
    let view = &desk.view;
    println!("{} the same, {} differ, {} skipped.", view.same, view.differ, view.skipped);
    for item in &view.scope.wanted {
        let how = match (view.seen.contains(item), view.excused.contains(item)) {
            (true, _) => "seen",
            (false, true) => "not seen, with a reason",
            (false, false) => "OPEN",
        };
        println!("  {:<12} {}: {how}", item.word(), item.words());
    }
    if view.ended.is_none() && !view.missing.is_empty() {
        println!("For a proof is missing: {}.", view.missing.join("; "));
    }
}

fn help() {
    println!(
        "  y            all open results shown are as on the screen; y 1 3: only these\n\
         \x20 n 2 WORDS    result 2 differs, and how\n\
         \x20 s            not compared; s 2: only this one\n\
         \x20 c b k o      quality control: a control, a blank, a calibration, another thing that is no patient's\n\
         \x20 n WORDS      of quality control: it is a patient's\n\
         \x20 why ITEM WORDS   ITEM cannot be seen, and why\n\
         \x20 list         how it stands\n\
         \x20 end          end it and write the report\n\
         \x20 q            break off; the same command goes on later"
    );
}

/// Nothing in it moves a terminal.
fn safe(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn an_answer_may_begin_with_numbers() {
        assert_eq!(numbers("2 the screen shows 141"), (vec![2], "the screen shows 141"));
        assert_eq!(numbers(" 1, 3"), (vec![1, 3], ""));
        assert_eq!(numbers("the screen"), (vec![], "the screen"));
        assert_eq!(numbers(""), (vec![], ""));
    }
}
