//! What a result is beside what was sent before, destination by destination: first, resend, completion, correction, another run,
//! a replicate. Each rule of `docs/identity.md` through a whole gateway on a clock of the test's own, before and after a restart.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods)] // A rig lets time pass, and watches that the real one does not.

#[path = "matrix/net.rs"]
#[allow(dead_code)]
mod net;
#[path = "matrix/peer.rs"]
#[allow(dead_code)]
mod peer;
#[path = "matrix/rig.rs"]
#[allow(dead_code)]
mod rig;

use orugate::admin::{Request, Response};
use orugate::engine::{Behaviour, Engine};
use orugate_protocol::hl7::ack::{Code, ErrorCode};
use orugate_tests::feed;
use peer::Peer;
use rig::{Rig, Setup, run};

const REFUSED: Behaviour =
    Behaviour::Answer(Code::ApplicationReject, Some(ErrorCode::UNSUPPORTED_VERSION_ID));
/// Times of runs.
const R1: &str = "20261122093000";
const R2: &str = "20261122103000";
const R3: &str = "20261122113000";
const LAST: &[(&str, &str)] = &[("send_to = ", "reruns = \"last\"\nsend_to = ")];
const HOLD: &[(&str, &str)] = &[("send_to = ", "reruns = \"hold\"\nsend_to = ")];

/// One order: (code, value, status, run).
fn order(sample: &str, results: &[(&str, &str, &str, &str)]) -> Vec<String> {
    let mut records = vec!["H|\\^&|||RIG^1|||||||P|1|".to_owned(), "P|1".to_owned()];
    records.push(format!("O|1|{sample}||^^^ALL|R||||||N"));
    for (n, (code, value, status, run)) in (1..).zip(results) {
        records.push(format!("R|{n}|^^^{code}|{value}|mmol/L||N||{status}||||{run}"));
    }
    records.push("L|1|N".to_owned());
    records
}

async fn hear(rig: &Rig, records: &[String]) {
    assert!(Peer::connect(rig, "one").await.message(records).await);
    rig.pass(60).await;
}

async fn sends(rig: &Rig, sample: &str, results: &[(&str, &str, &str, &str)]) {
    hear(rig, &order(sample, results)).await;
}

fn feed(engine: &Engine) -> Vec<String> {
    let all = engine.messages();
    feed::lines(all.iter().map(|message| &*message.bytes)).into_values().flatten().collect()
}

#[track_caller]
fn is(engine: &Engine, expected: &[&str]) {
    assert_eq!(feed(engine), expected);
}

async fn ask(rig: &Rig, request: Request) -> String {
    match rig.gateway().admin.answer(request, "uid 1000").await {
        Response::Done(words) | Response::Refused(words) => words,
        other => panic!("{other:?}"),
    }
}

fn parked(rig: &Rig, destination: &str) -> Vec<u64> {
    let state = rig.gateway().store.state();
    state.queue(destination).map_or_else(Vec::new, |queue| queue.parked.keys().copied().collect())
}

fn holds(rig: &Rig) -> Vec<(u64, String, String)> {
    let state = rig.gateway().store.state();
    state.holds().map(|(n, open)| (n, open.hold.reason.clone(), open.hold.sentence.clone())).collect()
}

async fn release(rig: &Rig, hold: u64) -> String {
    let words = ask(rig, Request::Release { hold, sample: None, anyway: false }).await;
    rig.pass(60).await;
    words
}

/// Counts of the instrument: observations, sent, held, superseded, not reportable.
fn counts(rig: &Rig) -> (u64, u64, u64, u64, u64) {
    let state = rig.gateway().store.state();
    let (_, c) = state.ledger().next().unwrap();
    assert_eq!(c.difference(), 0);
    (c.observations, c.sent, c.held, c.superseded, c.not_reportable)
}

fn two(second: &'static str) -> Setup {
    Setup { second: Some(second), ..Setup::default() }
}

#[test]
fn retransmit_after_the_lis_lost_a_result_goes_again_in_its_place() {
    run(&two("resends = \"suppress\""), async |rig| {
        sends(rig, "S-1", &[("GLU", "5.4", "F", R1), ("UREA", "4.1", "F", R1)]).await;
        // An add-on test, later.
        sends(rig, "S-1", &[("CRP", "<5", "F", R2)]).await;
        rig.restart(1 << 30).await;
        // Transmit all: the second order's result stays under its own OBR-3, or the receiver would have it twice.
        let all = [("GLU", "5.4", "F", R1), ("UREA", "4.1", "F", R1), ("CRP", "<5", "F", R2)];
        sends(rig, "S-1", &all).await;
        let first =
            ["S-1 GLU 5.4 mmol/L F #1 - 1", "S-1 UREA 4.1 mmol/L F #1 - 1", "S-1 CRP <5 mmol/L F #2 - 2"];
        let again = [
            "S-1 GLU 5.4 mmol/L F #1 - 3 [Sent again by the instrument.]",
            "S-1 UREA 4.1 mmol/L F #1 - 3 [Sent again by the instrument.]",
            "S-1 CRP <5 mmol/L F #2 - 4 [Sent again by the instrument.]",
        ];
        is(&rig.engine, &[first, again].concat());
        is(&rig.second, &first);
        assert_eq!(counts(rig), (6, 6, 0, 0, 0));
    });
}

#[test]
fn a_correction_says_what_stood_there_and_a_resend_of_it_is_one_again() {
    run(&two("corrections = \"F\""), async |rig| {
        sends(rig, "S-1", &[("GLU", "5.4", "P", R1)]).await;
        sends(rig, "S-1", &[("GLU", "5.5", "F", R1)]).await;
        rig.restart(1 << 30).await;
        sends(rig, "S-1", &[("GLU", "<2", "F", R1), ("UREA", "7", "F", R2)]).await;
        sends(rig, "S-1", &[("GLU", "<2", "F", R1)]).await;
        let lines = |c: &str| {
            let was = "[Corrected: another result was sent before: 5.5 mmol/L]";
            vec![
                "S-1 GLU 5.4 mmol/L P #1 - 1".to_owned(),
                "S-1 GLU 5.5 mmol/L F #1 - 2".to_owned(),
                format!("S-1 GLU <2 mmol/L {c} #1 - 3 {was}"),
                "S-1 UREA 7 mmol/L F #1 - 3".to_owned(),
                format!("S-1 GLU <2 mmol/L {c} #1 - 4 [Sent again by the instrument.]"),
            ]
        };
        assert_eq!(feed(&rig.engine), lines("C"));
        assert_eq!(feed(&rig.second), lines("F"));
    });
}

#[test]
fn one_of_several_results_of_a_test_is_corrected_in_its_own_place() {
    run(&Setup::default(), async |rig| {
        sends(rig, "S-1", &[("HCG", "12", "F", R1), ("HCG", "15", "F", R2)]).await;
        sends(rig, "S-1", &[("HCG", "16", "F", R2)]).await;
        is(
            &rig.engine,
            &[
                "S-1 HCG 12 mmol/L F #1 1 1",
                "S-1 HCG 15 mmol/L F #1 2 1",
                "S-1 HCG 16 mmol/L C #1 2 2 [Corrected: another result was sent before: 15 mmol/L]",
            ],
        );
    });
}

#[test]
fn the_first_that_a_destination_refused_is_corrected_as_final_there_alone() {
    run(&two(""), async |rig| {
        rig.second.script([REFUSED]);
        sends(rig, "S-1", &[("GLU", "5.4", "F", R1)]).await;
        let first = parked(rig, "second")[0];
        sends(rig, "S-1", &[("GLU", "5.6", "F", R1)]).await;
        let words = ask(rig, Request::SendParked { number: first }).await;
        assert!(words.contains("a later report brought its results"), "{words}");
        rig.restart(1 << 30).await;
        sends(rig, "S-1", &[("GLU", "5.7", "F", R1)]).await;
        is(
            &rig.engine,
            &[
                "S-1 GLU 5.4 mmol/L F #1 - 1",
                "S-1 GLU 5.6 mmol/L C #1 - 2 [Corrected: another result was sent before: 5.4 mmol/L]",
                "S-1 GLU 5.7 mmol/L C #1 - 3 [Corrected: another result was sent before: 5.6 mmol/L]",
            ],
        );
        let tail = [
            "S-1 GLU 5.6 mmol/L F #1 - 2",
            "S-1 GLU 5.7 mmol/L C #1 - 3 [Corrected: another result was sent before: 5.6 mmol/L]",
        ];
        assert_eq!(feed(&rig.second)[1..], tail, "the first of these is what it refused");
    });
}

#[test]
fn a_first_that_a_person_withdrew_or_dropped_or_that_was_held_is_corrected_as_final() {
    run(&two(""), async |rig| {
        rig.second.script([REFUSED, REFUSED]);
        sends(rig, "S-1", &[("GLU", "5.4", "F", R1)]).await;
        sends(rig, "S-2", &[("GLU", "6.4", "F", R1)]).await;
        let number = parked(rig, "second")[0];
        ask(rig, Request::DiscardParked { number, reason: "wrong tube".to_owned() }).await;
        sends(rig, "S-1", &[("GLU", "5.5", "C", R1)]).await;
        assert_eq!(
            feed(&rig.second)[1],
            "S-1 GLU 5.5 mmol/L F #1 - 2 [The instrument marks this as a correction; what it corrects was not delivered.]"
        );
        assert_eq!(
            feed(&rig.engine)[1],
            "S-1 GLU 5.5 mmol/L C #1 - 2 [Corrected: another result was sent before: 5.4 mmol/L]"
        );

        // One is parked and one waits when the destination is given up; what it had acknowledged before stays so.
        rig.second.take_away().await;
        sends(rig, "S-3", &[("GLU", "7.4", "F", R1)]).await;
        rig.setup.second = None;
        rig.gateway().reload(rig.plan(), "test").await;
        let (destination, reason) = ("second".to_owned(), "sold".to_owned());
        let words = ask(rig, Request::DropDestination { destination, reason }).await;
        assert!(words.starts_with("2 messages for second will not be sent"), "{words}");
        rig.setup.second = Some("");
        rig.gateway().reload(rig.plan(), "test").await;
        rig.second.bring_back().unwrap();
        rig.restart(1 << 30).await;
        let before = feed(&rig.second).len();
        for (sample, value) in [("S-1", "5.6"), ("S-2", "6.5"), ("S-3", "7.5")] {
            sends(rig, sample, &[("GLU", value, "F", R1)]).await;
        }
        let mut now = feed(&rig.second);
        now.retain(|line| line.contains("5.6") || line.contains("6.5 ") || line.contains("7.5"));
        let expected = [
            "S-1 GLU 5.6 mmol/L C #1 - 3 [Corrected: another result was sent before: 5.5 mmol/L]",
            "S-2 GLU 6.5 mmol/L F #1 - 2",
            "S-3 GLU 7.5 mmol/L F #1 - 1",
        ];
        assert_eq!(now, expected, "{before}");
    });
}

#[test]
fn a_first_that_waits_goes_before_its_correction() {
    run(&Setup::default(), async |rig| {
        rig.engine.take_away().await;
        sends(rig, "S-1", &[("GLU", "5.4", "F", R1)]).await;
        sends(rig, "S-1", &[("GLU", "5.6", "F", R1)]).await;
        rig.cut().await;
        sends(rig, "S-1", &[("GLU", "5.7", "F", R1)]).await;
        rig.engine.bring_back().unwrap();
        rig.pass(300).await;
        is(
            &rig.engine,
            &[
                "S-1 GLU 5.4 mmol/L F #1 - 1",
                "S-1 GLU 5.6 mmol/L C #1 - 2 [Corrected: another result was sent before: 5.4 mmol/L]",
                "S-1 GLU 5.7 mmol/L C #1 - 3 [Corrected: another result was sent before: 5.6 mmol/L]",
            ],
        );
    });
}

#[test]
fn a_destination_that_holds_corrections_holds_none_of_what_it_never_got() {
    run(&two("corrections = \"hold\""), async |rig| {
        rig.second.script([REFUSED]);
        sends(rig, "S-1", &[("GLU", "5.4", "F", R1)]).await;
        sends(rig, "S-1", &[("GLU", "5.6", "F", R1)]).await;
        assert_eq!(holds(rig), [], "the second never had the first");
        sends(rig, "S-1", &[("GLU", "5.7", "F", R1)]).await;
        let held = holds(rig);
        assert_eq!((held.len(), &*held[0].1), (1, "correction"));
        assert_eq!(feed(&rig.engine).len(), 2, "no destination gets it before a person has decided");
        release(rig, held[0].0).await;
        assert!(feed(&rig.engine)[2].starts_with("S-1 GLU 5.7 mmol/L C #1 - 3"));
        assert!(feed(&rig.second)[2].starts_with("S-1 GLU 5.7 mmol/L C #1 - 3"));
    });
}

#[test]
fn the_same_short_id_with_the_same_value_next_day_is_new() {
    run(&Setup { text: LAST, ..Setup::default() }, async |rig| {
        sends(rig, "27", &[("GLU", "5.4", "F", R1)]).await;
        rig.pass(24 * 3600).await;
        sends(rig, "27", &[("GLU", "5.4", "F", "20261123093000")]).await;
        // Without a run discriminator nothing is ever anything but new, however soon.
        sends(rig, "28", &[("GLU", "5.4", "F", "")]).await;
        sends(rig, "28", &[("GLU", "5.4", "F", "")]).await;
        // And it does not take the place of another in an order that is known.
        sends(rig, "29", &[("GLU", "5.4", "F", ""), ("UREA", "4.1", "F", R1)]).await;
        sends(rig, "29", &[("GLU", "6.4", "F", ""), ("UREA", "4.1", "F", R1)]).await;
        is(
            &rig.engine,
            &[
                "27 GLU 5.4 mmol/L F #1 - 1",
                "27 GLU 5.4 mmol/L F #2 - 2",
                "28 GLU 5.4 mmol/L F #1 - 1",
                "28 GLU 5.4 mmol/L F #2 - 2",
                "29 GLU 5.4 mmol/L F #1 - 1",
                "29 UREA 4.1 mmol/L F #1 - 1",
                "29 GLU 6.4 mmol/L F #2 - 2",
                "29 UREA 4.1 mmol/L F #1 - 3 [Sent again by the instrument.]",
            ],
        );
    });
}

#[test]
fn all_reruns_go_and_obx_4_counts_on_over_messages() {
    run(&Setup::default(), async |rig| {
        sends(rig, "S-1", &[("GLU", "5.4", "F", R1), ("UREA", "4.1", "F", R1)]).await;
        rig.restart(1 << 30).await;
        sends(rig, "S-1", &[("GLU", "9.9", "F", R2)]).await;
        // Both in one message, before any was delivered; and a third run of the first one with what was sent.
        sends(rig, "S-2", &[("GLU", "5.0", "F", R1), ("GLU", "5.1", "F", R2)]).await;
        sends(rig, "S-1", &[("GLU", "9.9", "F", R2), ("GLU", "9.8", "F", R3)]).await;
        is(
            &rig.engine,
            &[
                "S-1 GLU 5.4 mmol/L F #1 - 1",
                "S-1 UREA 4.1 mmol/L F #1 - 1",
                "S-1 GLU 9.9 mmol/L F #2 2 2",
                "S-1 GLU 9.9 mmol/L F #2 2 3 [Sent again by the instrument.]",
                "S-1 GLU 9.8 mmol/L F #2 3 3",
                "S-2 GLU 5.0 mmol/L F #1 1 1",
                "S-2 GLU 5.1 mmol/L F #1 2 1",
            ],
        );
    });
}

#[test]
fn the_last_rerun_counts_before_delivery_and_corrects_after_it() {
    run(&Setup { text: LAST, ..two("corrections = \"F\"") }, async |rig| {
        // Before: only the last goes, by its time and not by its place; two results of one run are no reruns.
        sends(
            rig,
            "S-1",
            &[
                ("GLU", "5.1", "F", R2),
                ("GLU", "5.0", "F", R1),
                ("HCG", "12", "F", R1),
                ("HCG", "POS", "F", R1),
            ],
        )
        .await;
        assert_eq!(counts(rig), (4, 3, 0, 0, 1));
        rig.restart(1 << 30).await;
        // After: in its place. A destination that got the first by another status gets that status.
        sends(rig, "S-1", &[("GLU", "5.2", "F", R3)]).await;
        // Somebody transmits the run before it again: the old never follows the new.
        sends(rig, "S-1", &[("GLU", "5.1", "F", R2)]).await;
        // And a run that was measured before, and comes late.
        sends(rig, "S-1", &[("GLU", "5.05", "F", "20261122094500")]).await;
        sends(rig, "S-1", &[("GLU", "5.2", "F", R3)]).await;
        let lines = |c: &str| {
            vec![
                "S-1 GLU 5.1 mmol/L F #1 - 1".to_owned(),
                "S-1 HCG 12 mmol/L F #1 1 1".to_owned(),
                "S-1 HCG POS mmol/L F #1 2 1".to_owned(),
                format!(
                    "S-1 GLU 5.2 mmol/L {c} #1 - 2 [Run again: this result replaces the one that was sent before: 5.1 mmol/L]"
                ),
                format!("S-1 GLU 5.2 mmol/L {c} #1 - 3 [Sent again by the instrument.]"),
            ]
        };
        assert_eq!(feed(&rig.engine), lines("C"));
        assert_eq!(feed(&rig.second), lines("F"));
        assert_eq!(counts(rig), (8, 5, 0, 0, 3));
    });
}

#[test]
fn a_rerun_after_a_first_that_was_refused_is_final_and_the_first_cannot_follow() {
    run(&Setup { text: LAST, ..Setup::default() }, async |rig| {
        rig.engine.script([REFUSED]);
        sends(rig, "S-1", &[("GLU", "5.4", "F", R1)]).await;
        let number = parked(rig, "engine")[0];
        sends(rig, "S-1", &[("GLU", "5.9", "F", R2)]).await;
        let words = ask(rig, Request::SendParked { number }).await;
        assert!(words.contains("a later report brought its results"), "{words}");
        assert_eq!(feed(&rig.engine)[1..], ["S-1 GLU 5.9 mmol/L F #1 - 2"]);
    });
}

#[test]
fn a_rerun_waits_with_both_runs_named_before_and_after_delivery() {
    run(&Setup { text: HOLD, ..Setup::default() }, async |rig| {
        sends(rig, "S-1", &[("GLU", "5.4", "F", R1), ("UREA", "4.1", "F", R1)]).await;
        sends(rig, "S-1", &[("GLU", "7.7", "F", R2), ("UREA", "4.1", "F", R1)]).await;
        let after = holds(rig);
        assert_eq!((after.len(), &*after[0].1), (1, "rerun"));
        let sentence = &after[0].2;
        assert!(sentence.contains("This run was at 2026-11-22 10:30:00; another one, at 2026-11-22 09:30:00, was sent, with message"), "{sentence}");
        assert!(!sentence.contains("7.7") && !sentence.contains("5.4"), "{sentence}");
        // Both in one message: each in a hold of its own, so that a person can take one and leave the other.
        sends(rig, "S-2", &[("GLU", "5.0", "F", R1), ("GLU", "5.1", "F", R2), ("UREA", "3", "F", R1)]).await;
        let before = holds(rig);
        assert_eq!(before.len(), 3);
        assert!(before[2].2.contains("This run was at 2026-11-22 10:30:00; another one, at 2026-11-22 09:30:00, is in the same message"), "{}", before[2].2);
        assert_eq!(counts(rig), (7, 4, 3, 0, 0));
        rig.restart(1 << 30).await;
        release(rig, after[0].0).await;
        release(rig, before[2].0).await;
        let discard = Request::Discard { hold: before[1].0, reason: "clot".to_owned() };
        ask(rig, discard).await;
        is(
            &rig.engine,
            &[
                "S-1 GLU 5.4 mmol/L F #1 - 1",
                "S-1 UREA 4.1 mmol/L F #1 - 1",
                "S-1 UREA 4.1 mmol/L F #1 - 2 [Sent again by the instrument.]",
                // The rerun did not count before a person said so, and overwrites nothing.
                "S-1 GLU 7.7 mmol/L F #2 2 3",
                "S-2 UREA 3 mmol/L F #1 - 1",
                "S-2 GLU 5.1 mmol/L F #2 - 2",
            ],
        );
    });
}

/// The site's word on single tests: in one message and over messages, and nothing of it touches the tests beside them.
#[test]
fn single_tests_may_be_rerun_otherwise_than_the_others() {
    let text = &[(
        "send_to = ",
        "reruns = \"last\"\nreruns_except = { hold = [\"K\"], all = [\"HBA1C\"] }\nsend_to = ",
    )];
    run(&Setup { text, ..Setup::default() }, async |rig| {
        sends(rig, "S-1", &[("K", "6.1", "F", R1), ("GLU", "5.4", "F", R1), ("HBA1C", "41", "F", R1)]).await;
        sends(rig, "S-1", &[("K", "4.2", "F", R2), ("GLU", "5.5", "F", R2), ("HBA1C", "42", "F", R2)]).await;
        let one = holds(rig);
        assert_eq!((one.len(), &*one[0].1), (1, "rerun"));
        assert!(
            one[0].2.contains("another one, at 2026-11-22 09:30:00, was sent, with message"),
            "{}",
            one[0].2
        );
        sends(
            rig,
            "S-2",
            &[
                ("K", "5.0", "F", R1),
                ("K", "5.1", "F", R2),
                ("GLU", "7.0", "F", R1),
                ("GLU", "7.1", "F", R2),
                ("HBA1C", "50", "F", R1),
                ("HBA1C", "51", "F", R2),
            ],
        )
        .await;
        assert_eq!(holds(rig).len(), 3);
        rig.restart(1 << 30).await;
        release(rig, one[0].0).await;
        is(
            &rig.engine,
            &[
                "S-1 K 6.1 mmol/L F #1 - 1",
                "S-1 GLU 5.4 mmol/L F #1 - 1",
                "S-1 HBA1C 41 mmol/L F #1 - 1",
                "S-1 GLU 5.5 mmol/L C #1 - 2 [Run again: this result replaces the one that was sent before: 5.4 mmol/L]",
                "S-1 HBA1C 42 mmol/L F #1 2 2",
                "S-1 K 4.2 mmol/L F #2 2 3",
                "S-2 GLU 7.1 mmol/L F #1 - 1",
                "S-2 HBA1C 50 mmol/L F #1 1 1",
                "S-2 HBA1C 51 mmol/L F #1 2 1",
            ],
        );
    });
}

/// With `all` for the rest, what a site wants to be asked about is asked all the same.
#[test]
fn a_test_may_wait_where_all_other_reruns_go() {
    let text = &[("send_to = ", "reruns_except = { hold = [\"K\"] }\nsend_to = ")];
    run(&Setup { text, ..Setup::default() }, async |rig| {
        sends(rig, "S-1", &[("K", "6.1", "F", R1), ("GLU", "5.4", "F", R1)]).await;
        sends(rig, "S-1", &[("K", "4.2", "F", R2), ("GLU", "5.5", "F", R2)]).await;
        assert_eq!(holds(rig).len(), 1);
        is(
            &rig.engine,
            &["S-1 K 6.1 mmol/L F #1 - 1", "S-1 GLU 5.4 mmol/L F #1 - 1", "S-1 GLU 5.5 mmol/L F #2 2 2"],
        );
    });
}

#[test]
fn a_dilution_is_no_rerun() {
    let text = ("or_first = true", "or_first = true\nreplicate = 6");
    run(&Setup { text: LAST, otherwise: text, ..Setup::default() }, async |rig| {
        sends(rig, "S-1", &[("GLU", ">30", "F", R1)]).await;
        sends(rig, "S-1", &[("GLU^^10", "42", "F", R2)]).await;
        is(
            &rig.engine,
            &["S-1 GLU >30 mmol/L F #1 - 1", "S-1 GLU 42 mmol/L F #2 2 2 [Dilution or replicate: 10]"],
        );
    });
}

/// Two results of a test with times of their own, where the profile says that those are replicates: both go. When they are run
/// again, each takes the place of the one that it repeats.
#[test]
fn replicates_of_one_run_are_no_reruns() {
    let text = ("[run]", "[run]\nreplicates = true");
    run(&Setup { text: LAST, otherwise: text, ..Setup::default() }, async |rig| {
        sends(rig, "S-1", &[("CRP", "5.0", "F", R1), ("CRP", "5.2", "F", "20261122093010")]).await;
        sends(rig, "S-1", &[("CRP", "5.0", "F", R1), ("CRP", "5.2", "F", "20261122093010")]).await;
        sends(rig, "S-1", &[("CRP", "6.0", "F", R2), ("CRP", "6.2", "F", "20261122103010")]).await;
        is(
            &rig.engine,
            &[
                "S-1 CRP 5.0 mmol/L F #1 1 1",
                "S-1 CRP 5.2 mmol/L F #1 2 1",
                "S-1 CRP 5.0 mmol/L F #1 1 2 [Sent again by the instrument.]",
                "S-1 CRP 5.2 mmol/L F #1 2 2 [Sent again by the instrument.]",
                "S-1 CRP 6.0 mmol/L C #1 1 3 [Run again: this result replaces the one that was sent before: 5.0 mmol/L]",
                "S-1 CRP 6.2 mmol/L C #1 2 3 [Run again: this result replaces the one that was sent before: 5.2 mmol/L]",
            ],
        );
    });
}

#[test]
fn cable_out_after_the_third_of_eight_acknowledged_frames() {
    run(&Setup::default(), async |rig| {
        let records = order(
            "S-1",
            &[
                ("GLU", "5.4", "F", R1),
                ("UREA", "4.1", "F", R1),
                ("NA", "140", "F", R1),
                ("K", "4.0", "F", R1),
            ],
        );
        assert_eq!(records.len(), 8);
        let mut peer = Peer::connect(rig, "one").await;
        assert!(peer.frames(&records[..3]).await);
        drop(peer);
        rig.pass(120).await;
        hear(rig, &records).await;
        is(
            &rig.engine,
            &[
                "S-1 GLU 5.4 mmol/L F #1 - 1",
                "S-1 UREA 4.1 mmol/L F #1 - 1",
                "S-1 NA 140 mmol/L F #1 - 1",
                "S-1 K 4.0 mmol/L F #1 - 1",
            ],
        );
        assert_eq!(counts(rig), (4, 4, 0, 0, 0));
    });
}

/// Two results had their ACK before the cable was out. They went, and come again in their places with the whole message.
#[test]
fn cable_out_behind_two_results() {
    run(&two("resends = \"suppress\""), async |rig| {
        let records =
            order("S-1", &[("GLU", "5.4", "F", R1), ("UREA", "4.1", "F", R1), ("K", "4.0", "F", R1)]);
        let mut peer = Peer::connect(rig, "one").await;
        assert!(peer.frames(&records[..5]).await);
        drop(peer);
        rig.pass(120).await;
        hear(rig, &records).await;
        let broken = "[The transmission broke off: results of this order may be missing.]";
        assert_eq!(
            feed(&rig.second),
            [
                format!("S-1 GLU 5.4 mmol/L F #1 - 1 {broken}"),
                format!("S-1 UREA 4.1 mmol/L F #1 - 1 {broken}"),
                "S-1 K 4.0 mmol/L F #1 - 2".to_owned(),
            ]
        );
        assert_eq!(
            feed(&rig.engine)[2..],
            [
                "S-1 GLU 5.4 mmol/L F #1 - 2 [Sent again by the instrument.]",
                "S-1 UREA 4.1 mmol/L F #1 - 2 [Sent again by the instrument.]",
                "S-1 K 4.0 mmol/L F #1 - 2",
            ]
        );
    });
}

#[test]
fn a_frame_that_is_repeated_because_its_ack_was_lost_counts_once() {
    run(&Setup::default(), async |rig| {
        let records = order("S-1", &[("GLU", "5.4", "F", R1)]);
        let mut peer = Peer::connect(rig, "one").await;
        assert!(peer.frames(&records[..4]).await);
        assert!(peer.frame_again(&records, 3).await);
        assert!(peer.rest(&records, 4).await);
        rig.pass(60).await;
        is(&rig.engine, &["S-1 GLU 5.4 mmol/L F #1 - 1"]);
    });
}
