//! Every reason to hold that a message can give, reached by a message; and what a release overrules.

use super::*;
use crate::profiles::find;
use orugate_protocol::oru::SampleIdIn;
use orugate_protocol::text::Charset;

const RECEIVED: Utc = Utc(1_795_000_000_000_000);

struct Numbered(u64);

impl Numbers for Numbered {
    fn next(&mut self) -> Option<u64> {
        self.0 += 1;
        Some(self.0)
    }
}

/// How a message is read.
#[derive(Default)]
struct With<'a> {
    rules: Rules,
    broken: bool,
    nowhere: bool,
    unset: bool,
    holds_corrections: bool,
    release: Option<Release<'a>>,
}

/// What becomes of each observation of a message.
fn read(text: &[u8], with: &With<'_>) -> Vec<Going> {
    let profile = find(&orugate_drivers::SHIPPED, "generic-astm").unwrap();
    let target = Target {
        index: 0,
        name: "engine",
        route: Route {
            sending_application: "ORUGATE",
            sending_facility: "LAB",
            receiving_application: "ENGINE",
            receiving_facility: "HOSP",
            processing: 'P',
            acknowledgment: ("", ""),
            sample_id_in: SampleIdIn::Specimen,
            structured_numeric: false,
            patient: None,
            charset: Charset::Utf8,
        },
        record: false,
        corrections: if with.holds_corrections { Corrections::Hold } else { Corrections::Corrected },
        suppress_resends: false,
        pcd: None,
    };
    let targets = [target];
    let interpreter = profile.interpreter();
    let task = Task {
        interpreter: &*interpreter,
        message: StoredMessage {
            raw: text,
            chunk_ends: &[u32::try_from(text.len()).unwrap()],
            complete: !with.broken,
            received: RECEIVED,
            clock: if with.unset { ClockQuality::Unset } else { ClockQuality::Plausible },
        },
        number: 1,
        setting: Setting {
            instrument: "one",
            destinations: if with.nowhere { &[] } else { &targets },
            gateway: "GW01",
            zone: &TimeZone::UTC,
            site_zone: &TimeZone::UTC,
            key: &[7; 16],
            rules: &with.rules,
            reruns: Reruns::default(),
            rerun_within: 0,
            table: None,
            proof: Proof::NotAsked,
        },
        past: &NoPast,
        now: RECEIVED,
        clocks: Clocks::default(),
        release: with.release,
    };
    let mut converter = Converter::default();
    converter.convert(&task, &mut Numbered(0)).going.to_vec()
}

/// A message with one result, in which these parts may be others.
fn message(order: &str, result: &str) -> Vec<u8> {
    format!("H|\\^&|||RIG^1|||||||P|1|20261118093000\rP|1\r{order}\r{result}\rL|1|N\r").into_bytes()
}

const ORDER: &str = "O|1|T-1||^^^ALL|R||||||N||||||||||||||F";
const RESULT: &str = "R|1|^^^GLU|5.4|mmol/L||N||F||||20261118092900";

fn pattern(text: &str) -> IdRule {
    IdRule { pattern: Some(Pattern::new(text).unwrap()), check: None }
}

#[test]
fn each_reason_is_reached_by_a_message_that_is_so_and_by_none_that_is_not() {
    let good = message(ORDER, RESULT);
    let plain = With::default();
    assert_eq!(read(&good, &plain), [Going::Sent]);
    let mut undecodable = good.clone();
    let at = good.windows(3).position(|window| window == b"5.4").unwrap();
    undecodable[at] = 0xFF;
    let long = format!("O|1|{}||^^^ALL|R||||||N||||||||||||||F", "x".repeat(200));
    let times = Times { ahead: std::time::Duration::from_secs(86_400), older_than: None };
    let with = |rules: Rules| With { rules, ..With::default() };
    let ruled = || with(Rules { sample_id: pattern("X.*"), ..Rules::default() });
    let pinned = || {
        let identity = Identity { model: Some("OTHER".to_owned()), serial: None };
        with(Rules { identity, ..Rules::default() })
    };
    let timed = || with(Rules { times: Some(times), ..Rules::default() });
    let whole = || With { broken: true, ..with(Rules { incomplete: Incomplete::Hold, ..Rules::default() }) };
    let result = |from: &str, to: &str| message(ORDER, &RESULT.replace(from, to));
    let reached = [
        ("no-sample-id", message(&ORDER.replace("T-1", ""), RESULT), plain),
        ("undecodable", undecodable, With::default()),
        ("unknown-status", result("||F||", "||Z||"), With::default()),
        ("pending-with-value", result("||F||", "||I||"), With::default()),
        ("structure", result("|5.4|", "|\"\"|"), With::default()),
        ("cancelled", message(&ORDER.replace("||||||||||||||F", "||||||||||||||X"), RESULT), With::default()),
        ("sample-id-too-long", message(&long, RESULT), With::default()),
        ("suspected-control", message(&ORDER.replace("T-1", "CTRL1"), RESULT), With::default()),
        ("no-destination", good.clone(), With { nowhere: true, ..With::default() }),
        ("correction", result("||F||", "||C||"), With { holds_corrections: true, ..With::default() }),
        ("sample-id-rule", good.clone(), ruled()),
        ("other-instrument", good.clone(), pinned()),
        ("impossible-time", result("20261118092900", "20991118092900"), timed()),
        ("impossible-time", result("20261118092900", "19700101000000"), With { unset: true, ..timed() }),
        ("incomplete", good.clone(), whole()),
    ];
    for (code, text, with) in reached {
        let [Going::Held(reason)] = read(&text, &with)[..] else { panic!("{code} is not reached") };
        assert_eq!(reason.code(), code);
        // A person's release overrules it where that is what its list says, and only there.
        let overruled = Some(code);
        let release = Some(Release { sample: None, observations: &[0], rest_from: None, overruled });
        let released = read(&text, &With { release, ..with });
        let expected = if matches!(reason.way(), Way::Overrules | Way::TakesSample) {
            Going::Sent
        } else {
            Going::Held(reason)
        };
        assert_eq!(released, [expected], "{code} when it is released");
    }
    // The same rules, and nothing that breaks them.
    let fits = Rules {
        sample_id: pattern("T-1"),
        identity: Identity { model: Some("RIG".to_owned()), serial: None },
        incomplete: Incomplete::Hold,
        times: Some(times),
        reruns_except: RerunsExcept::default(),
    };
    assert_eq!(read(&good, &with(fits)), [Going::Sent]);
    // By a clock that is not set no time is too far ahead.
    let ahead = result("20261118092900", "20991118092900");
    assert_eq!(read(&ahead, &With { unset: true, ..timed() }), [Going::Sent]);
}

#[test]
fn an_id_that_a_person_enters_is_that_of_a_specimen_with_none_and_with_a_wrong_one() {
    for order in [ORDER.to_owned(), ORDER.replace("T-1", "")] {
        let rules = Rules { sample_id: pattern("X.*"), ..Rules::default() };
        let overruled = Some("sample-id-rule");
        let release = Some(Release { sample: Some("X-9"), observations: &[0], rest_from: None, overruled });
        assert_eq!(
            read(&message(&order, RESULT), &With { rules, release, ..With::default() }),
            [Going::Sent]
        );
    }
}
