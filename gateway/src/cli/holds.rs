//! `orugate holds`: results that wait for a person, as a person meets them at three in the morning.
//!
//! Promises the oldest first, each with the words and the command that end it; and that sample ids and values are shown on a
//! terminal only, or with --private, and come from the journal, never through the service. Leaves out every decision.

use super::service::{answer, ask, print_json};
use super::trace;
use crate::admin::{HoldView, Request, Response};
use crate::words::{count, duration};
use clap::{Args, Subcommand};
use orugate_drivers::Catalogue;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::Path;

const REFUSED: u8 = 1;
/// Codes that a line shows.
const CODES: usize = 6;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// List open holds, oldest first
    List {
        #[command(flatten)]
        which: Which,
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Show one hold: what, why, since when, and what to type
    ///
    /// Sample id and values are shown on a terminal only, and only to who may read the journal.
    Show {
        /// Its number, from orugate holds list
        hold: u64,
        /// Show sample id and values where no terminal is, in a file for example
        #[arg(long)]
        private: bool,
        /// As JSON, for programs; without sample id and values
        #[arg(long, conflicts_with = "private")]
        json: bool,
    },
    /// Send its results although the rule of its reason is against it
    ///
    /// It is interpreted with today's configuration. Every other rule counts still, and what one of them holds is held anew.
    Release {
        /// Its number, from orugate holds list
        hold: u64,
        /// The sample id, when the message has none or a wrong one
        #[arg(long, value_name = "ID")]
        sample: Option<String>,
        /// Take the sample id also when the site's rule for sample ids is against it
        #[arg(long, requires = "sample")]
        anyway: bool,
    },
    /// Interpret results again with today's configuration; what is to be held no more is sent
    ///
    /// After a map, a profile or the configuration was corrected. It overrules nothing. Exits with 1 when something waits all the
    /// same. When it is broken off, give the command again: nothing is sent twice.
    Redrive {
        /// Their numbers, from orugate holds list
        #[arg(required_unless_present_any = ["reason", "instrument", "all"])]
        holds: Vec<u64>,
        #[command(flatten)]
        which: Which,
        /// All open holds
        #[arg(long, conflicts_with_all = ["holds", "reason", "instrument"])]
        all: bool,
    },
    /// Throw its results away; the raw bytes stay in the journal
    Discard {
        /// Its number, from orugate holds list
        hold: u64,
        /// Why, for whoever asks later
        #[arg(long, value_name = "WHY")]
        reason: String,
    },
}

/// Which holds.
#[derive(Debug, Default, Args)]
pub(super) struct Which {
    /// Only of this instrument
    #[arg(long, value_name = "NAME")]
    instrument: Option<String>,
    /// Only with this reason, such as no-sample-id; docs/holds.md has them
    #[arg(long, value_name = "CODE")]
    reason: Option<String>,
}

impl Which {
    fn takes(&self, hold: &HoldView) -> bool {
        self.instrument.as_ref().is_none_or(|name| *name == hold.instrument)
            && self.reason.as_ref().is_none_or(|code| *code == hold.reason)
    }
}

pub(super) fn run(catalogue: &Catalogue, config: &Path, action: Action) -> u8 {
    match action {
        Action::List { which, json } => match all(config, &Which::default()) {
            Ok(open) => {
                let all = open.len();
                let holds: Vec<HoldView> = open.into_iter().filter(|hold| which.takes(hold)).collect();
                if json {
                    return print_json(&holds);
                }
                print!("{}", list(&holds, all));
                0
            }
            Err(code) => code,
        },
        Action::Show { hold, private, json } => match ask(config, &Request::Hold { hold }) {
            Ok(Response::Holds(holds)) if json => holds.first().map_or(REFUSED, print_json),
            Ok(Response::Holds(holds)) => {
                for hold in &holds {
                    let values = (private || std::io::stdout().is_terminal())
                        .then(|| trace::of_hold(catalogue, config, hold.message, hold.hold));
                    print!("{}", shown(hold, values.as_ref()));
                }
                0
            }
            Ok(other) => answer(other),
            Err(code) => code,
        },
        Action::Release { hold, sample, anyway } => told(config, &Request::Release { hold, sample, anyway }),
        Action::Redrive { holds, which, all: _ } => redrive(config, holds, &which),
        Action::Discard { hold, reason } => told(config, &Request::Discard { hold, reason }),
    }
}

fn told(config: &Path, request: &Request) -> u8 {
    ask(config, request).map_or_else(|code| code, answer)
}

/// The oldest first.
fn all(config: &Path, which: &Which) -> Result<Vec<HoldView>, u8> {
    match ask(config, &Request::Holds)? {
        Response::Holds(holds) => Ok(holds.into_iter().filter(|hold| which.takes(hold)).collect()),
        other => Err(answer(other)),
    }
}

/// One after the other, in the order of their messages: what came later goes out later. Messages that come in meanwhile are
/// interpreted between two.
fn redrive(config: &Path, named: Vec<u64>, which: &Which) -> u8 {
    let open = match all(config, which) {
        Ok(open) => open,
        Err(code) => return code,
    };
    let mut chosen: Vec<(u64, u64)> = open
        .iter()
        .filter(|hold| named.is_empty() || named.contains(&hold.hold))
        .map(|hold| (hold.message, hold.hold))
        .collect();
    chosen.sort_unstable();
    // What is not open is told by who knows.
    let strange = named.iter().filter(|number| !open.iter().any(|hold| hold.hold == **number));
    let chosen: Vec<u64> = chosen.into_iter().map(|(_, hold)| hold).chain(strange.copied()).collect();
    if chosen.is_empty() {
        println!("No hold is so. All that are open: orugate holds list");
        return 0;
    }
    let (mut worst, mut settled) = (0, 0u64);
    for hold in &chosen {
        match ask(config, &Request::Redrive { hold: *hold }) {
            Ok(response) => {
                settled += u64::from(matches!(response, Response::Done(_)));
                worst = worst.max(answer(response));
            }
            // A service that is gone answers the next one no better.
            Err(code) => {
                eprintln!(
                    "Hold {hold} and those behind it were not redriven. Give the command again; nothing is sent twice."
                );
                return code;
            }
        }
    }
    if chosen.len() > 1 {
        let all = count(chosen.len() as u64, "hold", "holds");
        println!("{settled} of {all} {} settled.", if settled == 1 { "is" } else { "are" });
    }
    worst
}

fn results(hold: &HoldView) -> String {
    match (hold.results, hold.rest) {
        (0, _) => "the whole message".to_owned(),
        (n, false) => count(n as u64, "result", "results"),
        (n, true) => format!("{} and the rest of the message", count(n as u64, "result", "results")),
    }
}

/// Holds as a table, of so many that are open.
fn list(holds: &[HoldView], all: usize) -> String {
    // Whoever mistypes a filter must not believe that nothing waits.
    match (holds, all) {
        ([], 0) => return "No holds. Nothing waits for a person.\n".to_owned(),
        ([], _) => {
            let others = count(all as u64, "other waits", "others wait");
            return format!(
                "No hold is so, and {others} for a person. All that are open: orugate holds list\n"
            );
        }
        _ => {}
    }
    let mut out = format!("{:<18} {:<9} {:<21} {:<19} RESULTS\n", "HOLD", "AGE", "INSTRUMENT", "REASON");
    for hold in holds {
        let mut codes = hold.codes.iter().take(CODES).cloned().collect::<Vec<_>>().join(" ");
        if hold.codes.len() > CODES {
            let _ = write!(codes, " and {} more", hold.codes.len() - CODES);
        }
        let colon = if codes.is_empty() { "" } else { ": " };
        let _ = writeln!(
            out,
            "{:<18} {:<9} {:<21} {:<19} {}{colon}{codes}",
            hold.hold,
            duration(hold.age),
            hold.instrument,
            hold.reason,
            results(hold),
        );
    }
    let _ = writeln!(out, "Why, and what to type: orugate holds show HOLD");
    out
}

/// All of one hold; `values` are lines with what it holds, or why there are none.
fn shown(hold: &HoldView, values: Option<&Result<Vec<String>, String>>) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "Hold {} of {}: {}, {}, for {}",
        hold.hold,
        hold.instrument,
        results(hold),
        hold.reason,
        duration(hold.age)
    );
    let _ = writeln!(out, "  {}", hold.sentence);
    match values {
        Some(Ok(lines)) => lines.iter().for_each(|line| {
            let _ = writeln!(out, "    {line}");
        }),
        Some(Err(why)) => {
            let _ = writeln!(out, "    {}", hold.codes.join(" "));
            let _ = writeln!(out, "    {why}");
        }
        None => {
            let _ = writeln!(out, "    {}", hold.codes.join(" "));
            let _ = writeln!(out, "    Sample id and values are shown on a terminal, or with --private.");
        }
    }
    if hold.overtaken > 0 {
        let _ = writeln!(
            out,
            "  {} of it came again later; a release or a redrive leaves that out.",
            count(hold.overtaken as u64, "result", "results")
        );
    }
    let _ = writeln!(out, "  One of:");
    for command in &hold.commands {
        let _ = writeln!(out, "    {command}");
    }
    let _ =
        writeln!(out, "  Its message is number {}, all about it: orugate trace {}", hold.message, hold.hold);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn hold() -> HoldView {
        HoldView {
            hold: 4471,
            instrument: "chemistry-1".to_owned(),
            reason: "no-sample-id".to_owned(),
            sentence: "It has none. Find it.".to_owned(),
            codes: ["GLU", "K", "NA", "CL", "CREA", "UREA", "ALT"].map(String::from).to_vec(),
            age: 8_000,
            message: 88,
            since: 0,
            results: 7,
            rest: false,
            overtaken: 1,
            fix: None,
            commands: vec!["orugate holds release 4471 --sample ID".to_owned()],
        }
    }

    #[test]
    fn a_list_is_a_line_for_each_and_a_hold_says_what_to_type() {
        expect![[r#"
            HOLD               AGE       INSTRUMENT            REASON              RESULTS
            4471               2 h       chemistry-1           no-sample-id        7 results: GLU K NA CL CREA UREA and 1 more
            Why, and what to type: orugate holds show HOLD
        "#]]
        .assert_eq(&list(&[hold()], 1));
        assert_eq!(list(&[], 0), "No holds. Nothing waits for a person.\n");
        assert_eq!(
            list(&[], 1),
            "No hold is so, and 1 other waits for a person. All that are open: orugate holds list\n"
        );
        let values = Ok(vec!["sample 24-1: GLU 5.4 mmol/L".to_owned()]);
        expect![[r#"
            Hold 4471 of chemistry-1: 7 results, no-sample-id, for 2 h
              It has none. Find it.
                sample 24-1: GLU 5.4 mmol/L
              1 result of it came again later; a release or a redrive leaves that out.
              One of:
                orugate holds release 4471 --sample ID
              Its message is number 88, all about it: orugate trace 4471
        "#]]
        .assert_eq(&shown(&hold(), Some(&values)));
        assert!(shown(&hold(), None).contains("on a terminal, or with --private"));
    }
}
