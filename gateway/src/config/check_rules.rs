//! What a site knows of an instrument and its samples: from the tables of `[[instrument]]` to [`Rules`]; and `[alerts]`.
//!
//! Promises that a pattern compiles, and a warning where a rule would hold everything: an `identity` that no example of the
//! profile carries.

use super::FoundProfile;
use super::check::{Scope, span};
use super::file::{
    AlertsFile, At, IdentityFile, ImpossibleTimeFile, InstrumentFile, RerunsExceptFile, SampleIdFile,
};
use super::mistakes::Findings;
use super::plan::AlertsPlan;
use crate::convert::{IdRule, Identity, Pattern, Reruns, RerunsExcept, Rules, Times};
use crate::maps::Table;
use crate::replay::hear;
use orugate_driver::report::{Item, Note, ReportSink};
use orugate_driver::{Scratch, StoredMessage};
use orugate_protocol::time::{ClockQuality, Utc};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// What is not typed. No mistake in a zone is larger.
const AHEAD: Duration = DAY;
/// The longest argument of `on_condition`, and the most of them.
const ARGUMENTS: usize = 64;

/// The rules of one instrument.
pub(super) fn rules(
    typed: &InstrumentFile,
    scope: &Scope<'_>,
    found: Option<&FoundProfile>,
    out: &mut Findings,
) -> Rules {
    let sample_id = typed.sample_id.as_ref();
    let identity = typed.identity.as_ref();
    let times = typed.impossible_time.as_ref();
    Rules {
        sample_id: sample_id
            .map(|table| id_rule(&table.value, &scope.inside("sample_id", table), out))
            .unwrap_or_default(),
        identity: identity
            .map(|table| pinned(&table.value, &scope.inside("identity", table), found, out))
            .unwrap_or_default(),
        incomplete: typed.incomplete.as_ref().map(|typed| typed.value).unwrap_or_default(),
        times: Some(times.map_or(Times { ahead: AHEAD, older_than: None }, |table| {
            possible(&table.value, &scope.inside("impossible_time", table), out)
        })),
        reruns_except: typed
            .reruns_except
            .as_ref()
            .map(|table| except(&table.value, &scope.inside("reruns_except", table), out))
            .unwrap_or_default(),
    }
}

/// A list of `reruns_except`: its key, what becomes of reruns of its tests, and their codes where it is typed.
type List<'t> = (&'static str, Reruns, Option<&'t At<Vec<At<String>>>>);

fn lists(typed: &RerunsExceptFile) -> [List<'_>; 3] {
    [
        ("all", Reruns::All, typed.all.as_ref()),
        ("last", Reruns::Last, typed.last.as_ref()),
        ("hold", Reruns::Hold, typed.hold.as_ref()),
    ]
}

fn except(typed: &RerunsExceptFile, scope: &Scope<'_>, out: &mut Findings) -> RerunsExcept {
    let lists = lists(typed);
    if lists.iter().all(|(_, _, codes)| codes.is_none()) && !told_any(scope, &["all", "last", "hold"], out) {
        out.wrong(scope.whole("says nothing; write all, last or hold with a list of tests"));
    }
    let mut tests: Vec<(String, Reruns)> = Vec::new();
    for (key, reruns, codes) in lists {
        let Some(codes) = codes else { continue };
        if codes.value.is_empty() && !scope.told(out, key) {
            out.wrong(scope.at(
                key,
                codes,
                "is empty; write the codes of tests, or no key at all".to_owned(),
            ));
        }
        for code in &codes.value {
            if code.value.is_empty() || code.value.trim() != code.value {
                let message = format!(
                    "{:?} is no code; allowed is the test's code as it stands in OBX-3, without blanks around it",
                    code.value
                );
                out.wrong(scope.at(key, code, message));
            } else if tests.iter().any(|(known, _)| *known == code.value) {
                out.wrong(scope.at(key, code, format!("{:?} is named twice", code.value)));
            } else {
                tests.push((code.value.clone(), reruns));
            }
        }
    }
    RerunsExcept::new(tests)
}

/// Tells of exceptions for tests that no map of the instrument has: a mistyped code would except nothing, and nobody would see it.
pub(super) fn excepted(typed: &InstrumentFile, scope: &Scope<'_>, table: &Table, out: &mut Findings) {
    let Some(except) = &typed.reruns_except else { return };
    let scope = scope.inside("reruns_except", except);
    let known = |code: &str| table.maps.iter().flat_map(|map| &map.rows).any(|row| row.code == code);
    for (key, _, codes) in lists(&except.value) {
        for code in codes.iter().flat_map(|codes| &codes.value).filter(|code| !known(&code.value)) {
            let message = format!(
                "no map of this instrument has a row for {:?}; write the test's code exactly as it stands in OBX-3 and in the map",
                code.value
            );
            out.warn(scope.at(key, code, message));
        }
    }
}

fn id_rule(typed: &SampleIdFile, scope: &Scope<'_>, out: &mut Findings) -> IdRule {
    if typed.pattern.is_none() && typed.check.is_none() && !told_any(scope, &["pattern", "check"], out) {
        out.wrong(scope.whole("says nothing; write pattern, check or both"));
    }
    let pattern = typed.pattern.as_ref().and_then(|typed| match Pattern::new(&typed.value) {
        Ok(pattern) if pattern.fits("") => {
            let message =
                format!("{:?} matches an empty text too, and a sample id has a character", typed.value);
            out.wrong(scope.at("pattern", typed, message));
            None
        }
        Ok(pattern) => Some(pattern),
        Err(why) => {
            out.wrong(scope.at("pattern", typed, format!("{:?} {why}", typed.value)));
            None
        }
    });
    IdRule { pattern, check: typed.check.as_ref().map(|typed| typed.value) }
}

fn told_any(scope: &Scope<'_>, keys: &[&str], out: &Findings) -> bool {
    keys.iter().any(|key| scope.told(out, key))
}

fn pinned(
    typed: &IdentityFile,
    scope: &Scope<'_>,
    found: Option<&FoundProfile>,
    out: &mut Findings,
) -> Identity {
    if typed.model.is_none() && typed.serial.is_none() && !told_any(scope, &["model", "serial"], out) {
        out.wrong(scope.whole("says nothing; write model, serial or both"));
    }
    let mut text = |key: &str, typed: Option<&At<String>>| {
        let typed = typed?;
        if typed.value.is_empty() || typed.value.trim() != typed.value {
            let message = format!(
                "{:?} does not fit; allowed is the text as the message has it, without blanks around it",
                typed.value
            );
            out.wrong(scope.at(key, typed, message));
        }
        Some(typed.value.clone())
    };
    let identity = Identity {
        model: text("model", typed.model.as_ref()),
        serial: text("serial", typed.serial.as_ref()),
    };
    let carried = found.and_then(carries);
    let keys = [("model", &typed.model, 0), ("serial", &typed.serial, 1)];
    for (key, typed, which) in keys {
        let (Some(typed), Some(carried)) = (typed, carried) else { continue };
        if ![carried.0, carried.1][which] {
            let message = format!(
                "no example of the profile carries a {key}, so each message may be held as another instrument's. Send one in \
                 mode test and look, or leave {key} out"
            );
            out.warn(scope.at(key, typed, message));
        }
    }
    identity
}

/// Whether any example of a profile carries a model, and a serial number; `None` when none holds a message.
fn carries(found: &FoundProfile) -> Option<(bool, bool)> {
    #[derive(Default)]
    struct Senders {
        model: bool,
        serial: bool,
    }
    impl<'m> ReportSink<'m> for Senders {
        fn item(&mut self, item: Item<'m>) {
            if let Item::Sender(sender) = item {
                self.model |= !sender.name.trimmed().is_empty();
                self.serial |= !sender.serial.trimmed().is_empty();
            }
            if let Item::Device(device) = item {
                self.model |= !device.model.trimmed().is_empty();
                self.serial |= !device.serial.trimmed().is_empty();
            }
        }
        fn note(&mut self, _: Note<'m>) {}
    }
    let profile = &*found.profile;
    let examples = &profile.common().examples;
    if examples.is_empty() {
        return None;
    }
    let (interpreter, mut senders, mut heard) = (profile.interpreter(), Senders::default(), false);
    for example in examples {
        for message in hear(profile, &profile.example_bytes(&example.input), &[]).messages {
            heard = true;
            let mut scratch = vec![0; message.raw.len().saturating_mul(2).saturating_add(1024)];
            let stored = StoredMessage {
                raw: &message.raw,
                chunk_ends: &message.chunk_ends,
                complete: message.complete,
                received: Utc(0),
                clock: ClockQuality::Unset,
            };
            // What the examples say is their test's question.
            let _ = interpreter.interpret(&stored, &mut Scratch::new(&mut scratch), &mut senders);
        }
    }
    heard.then_some((senders.model, senders.serial))
}

fn possible(typed: &ImpossibleTimeFile, scope: &Scope<'_>, out: &mut Findings) -> Times {
    let mut within = |key: &str, typed: Option<&At<String>>, allowed: RangeInclusive<Duration>| {
        typed.map(|typed| span(scope, key, typed, allowed, out))
    };
    Times {
        ahead: within("ahead", typed.ahead.as_ref(), HOUR..=365 * DAY).unwrap_or(AHEAD),
        older_than: within("older_than", typed.older_than.as_ref(), HOUR..=3650 * DAY),
    }
}

/// How people are told.
pub(super) fn alerts(typed: &AlertsFile, scope: &Scope<'_>, out: &mut Findings) -> AlertsPlan {
    let default = AlertsPlan::default();
    let mut within = |key: &str, typed: Option<&At<String>>, default: Duration| {
        typed.map_or(default, |typed| span(scope, key, typed, MINUTE..=7 * DAY, out))
    };
    let hold_older_than = within("hold_older_than", typed.hold_older_than.as_ref(), default.hold_older_than);
    let hold_repeat = within("hold_repeat", typed.hold_repeat.as_ref(), default.hold_repeat);
    let on_condition =
        typed.on_condition.as_ref().map(|typed| command(typed, scope, out)).unwrap_or_default();
    AlertsPlan { hold_older_than, hold_repeat, on_condition }
}

fn command(typed: &At<Vec<At<String>>>, scope: &Scope<'_>, out: &mut Findings) -> Vec<String> {
    const KEY: &str = "on_condition";
    match typed.value.first() {
        None => {}
        Some(program) if !Path::new(&program.value).is_absolute() => {
            let message = format!(
                "{:?} is not absolute; allowed is the path of a program that begins with /, then its arguments. No shell is \
                 asked: for a line of shell, write [\"/bin/sh\", \"-c\", \"…\"]",
                program.value
            );
            out.wrong(scope.at(KEY, program, message));
        }
        Some(_) => {}
    }
    if typed.value.len() > ARGUMENTS {
        out.wrong(scope.at(KEY, typed, format!("has {} parts; allowed are {ARGUMENTS}", typed.value.len())));
    }
    for part in typed.value.iter().filter(|part| part.value.contains('\0')) {
        out.wrong(scope.at(KEY, part, "holds a zero byte, which no argument can"));
    }
    typed.value.iter().map(|part| part.value.clone()).collect()
}
