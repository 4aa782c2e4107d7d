//! A laboratory's day, from an autumn afternoon to the next noon, over the night on which the clocks go back: 40 samples on a serial
//! and a TCP instrument, through a whole gateway on a clock of the test's own.
//!
//! What its engine must have is in `day.feed`, written by hand: one line for each OBX, with why where it may surprise. The test
//! fails when a line is missing, double, or in another order within its sample. Samples and values are invented.
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

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use orugate::admin::{Request, Response};
use orugate::engine::Behaviour;
use orugate_protocol::hl7::ack::{Code, ErrorCode};
use orugate_tests::feed;
use orugate_tests::oru::control_id;
use peer::Peer;
use rig::{By, Rig, Setup, run};
use std::collections::BTreeSet;

const REFUSED: Behaviour =
    Behaviour::Answer(Code::ApplicationReject, Some(ErrorCode::UNSUPPORTED_VERSION_ID));
/// 2026-10-24T13:30:00Z, half past three in Berlin.
const BEGIN: i64 = 1_792_848_600_000_000;

/// The chemistry, on a serial line: `last` rerun counts. Its profile knows a dilution in R.3.6.
fn setup() -> Setup {
    Setup {
        by: By::Cable,
        names: &["chem"],
        otherwise: ("or_first = true", "or_first = true\nreplicate = 6"),
        also: &[("haem", "sysmex-xp")],
        text: &[
            ("timezone = \"UTC\"", "timezone = \"Europe/Berlin\""),
            ("name = \"chem\"", "name = \"chem\"\nreruns = \"last\""),
        ],
        begin: BEGIN,
        shows: BEGIN,
        ..Setup::default()
    }
}

/// The day with what it was told apart from the feed.
struct Day<'r> {
    rig: &'r mut Rig,
    /// MSH-10 of what the engine refused and never took.
    refused: BTreeSet<String>,
    /// Results that were sent to the gateway.
    heard: u64,
}

/// Records of one order on the chemistry: `GLU 5.4 F 161000` is a test, its value, its status, and when it was measured, on the
/// day of the order.
fn chem(sample: &str, action: &str, day: &str, results: &str) -> Vec<String> {
    let mut records = vec!["H|\\^&|||CHEM^1^CH-0001|||||||P|LIS2-A2|".to_owned(), "P|1".to_owned()];
    records.push(format!("O|1|{sample}||^^^ALL|R||||||{action}"));
    for (n, result) in (1..).zip(results.split(';')) {
        let parts: Vec<&str> = result.split_whitespace().collect();
        let [code, value, status, time] = parts[..] else { panic!("{result}") };
        let run = if time == "-" { String::new() } else { format!("{day}{time}") };
        records.push(format!("R|{n}|^^^{code}|{value}|mmol/L||N||{status}||||{run}"));
    }
    records.push("L|1|N".to_owned());
    records
}

/// Records of a blood count: `WBC 7.2 N 161000`, with the flag.
fn haem(sample: &str, day: &str, results: &str) -> Vec<String> {
    let mut records =
        vec!["H|\\^&|||XP-100^00-13^^^^A0001^BS000001||||||||E1394-97".to_owned(), "P|1".to_owned()];
    records.push(format!("O|1||^^{sample:>15}^M|^^^^WBC\\^^^^HGB|||||||N||||||||||||||F"));
    for (n, result) in (1..).zip(results.split(';')) {
        let parts: Vec<&str> = result.split_whitespace().collect();
        let [code, value, flag, time] = parts[..] else { panic!("{result}") };
        records.push(format!("R|{n}|^^^^{code}^1|{value:>5}|g/L||{flag}||||               ||{day}{time}"));
    }
    records.push("L|1|N".to_owned());
    records
}

const SAT: &str = "20261024";
const SUN: &str = "20261025";

impl Day<'_> {
    /// Waits for a time in Berlin; of the hour that comes twice the first one.
    async fn until(&mut self, time: &str) {
        self.until_utc(
            time.parse::<DateTime>()
                .unwrap()
                .to_zoned(TimeZone::get("Europe/Berlin").unwrap())
                .unwrap()
                .timestamp()
                .as_second(),
        )
        .await;
    }

    async fn until_utc(&mut self, second: i64) {
        let now = self.rig.clock.utc().0.div_euclid(1_000_000);
        self.rig.pass(u64::try_from(second - now).expect("the story goes forward")).await;
    }

    fn counts(&mut self, records: &[String]) {
        self.heard += records.iter().filter(|record| record.starts_with("R|")).count() as u64;
    }

    async fn chemistry(&mut self, records: &[String]) {
        self.counts(records);
        assert!(Peer { wire: self.rig.near() }.message(records).await);
        self.rig.pass(20).await;
    }

    async fn chem(&mut self, sample: &str, day: &str, results: &str) {
        self.chemistry(&chem(sample, "N", day, results)).await;
    }

    async fn haem(&mut self, sample: &str, day: &str, results: &str) {
        let records = haem(sample, day, results);
        self.counts(&records);
        assert!(Peer::connect(self.rig, "haem").await.message(&records).await);
        self.rig.pass(20).await;
    }

    async fn ask(&mut self, request: Request) -> String {
        let answer = self.rig.gateway().admin.answer(request, "uid 1000").await;
        self.rig.pass(20).await;
        match answer {
            Response::Done(words) | Response::Refused(words) => words,
            other => panic!("{other:?}"),
        }
    }

    fn parked(&self) -> Vec<u64> {
        self.rig.gateway().store.state().queue("engine").unwrap().parked.keys().copied().collect()
    }

    fn held(&self) -> Vec<(u64, String)> {
        let state = self.rig.gateway().store.state();
        state.holds().map(|(number, open)| (number, open.hold.reason.clone())).collect()
    }
}

#[test]
fn a_day_over_the_night_on_which_clocks_go_back() {
    run(&setup(), async |rig| {
        let mut day = Day { rig, refused: BTreeSet::new(), heard: 0 };
        afternoon(&mut day).await;
        outage(&mut day).await;
        evening(&mut day).await;
        night(&mut day).await;
        morning(&mut day).await;
        day.rig.pass(600).await;
        compare(&day);
    });
}

/// Routine, with reruns before delivery, a dilution, a mask and a control.
async fn afternoon(day: &mut Day<'_>) {
    day.until("2026-10-24T16:00").await;
    day.chem("C-01", SAT, "GLU 5.4 F 155800; UREA 4.1 F 155830").await;
    day.chem("C-02", SAT, "GLU 6.0 F 155900; CRP <5 F 155930").await;
    day.chem("C-03", SAT, "GLU 28.1 F 160100; UREA 7.7 F 160130; GLU 27.9 F 160200").await;
    day.haem("H-01", SAT, "WBC 7.2 N 160000; HGB 141 N 160000").await;
    day.haem("H-02", SAT, "WBC --.- A 160200; HGB 98 L 160200").await;
    day.haem("QC-00000001", SAT, "WBC 6.9 N 160300; HGB 120 N 160300").await;
    day.until("2026-10-24T16:20").await;
    day.chem("C-04", SAT, "UREA >40 F 161500").await;
    day.chem("C-04", SAT, "UREA^^5 62.0 F 161900").await;
    day.chem("C-05", SAT, "ANA 1:128 F 161800").await;
    day.haem("H-03", SAT, "WBC 3.1 W 161500; HGB 133 N 161500").await;
    day.until("2026-10-24T16:30").await;
    // Rerun before delivery where all go, and after it; then both come again.
    day.haem("H-04", SAT, "WBC 11.0 N 162000; WBC 11.2 N 162200; HGB 150 N 162000").await;
    day.haem("H-05", SAT, "WBC 2.0 L 162500; HGB 101 L 162500").await;
    day.haem("H-05", SAT, "WBC 2.1 L 162900").await;
    day.haem("H-05", SAT, "WBC 2.0 L 162500; HGB 101 L 162500; WBC 2.1 L 162900").await;
    // Preliminary, then final, then edited at the analyzer.
    day.chem("C-06", SAT, "GLU 8.0 P 162800").await;
    day.chem("C-06", SAT, "GLU 8.1 F 162800").await;
    day.chem("C-06", SAT, "GLU 8.2 F 162800").await;
    // Rerun after delivery: the last counts. Then the first comes again with all others.
    day.chem("C-07", SAT, "K 7.9 F 163000; NA 140 F 163000").await;
    day.chem("C-07", SAT, "K 4.2 F 163500").await;
    day.chem("C-07", SAT, "K 7.9 F 163000; NA 140 F 163000").await;
    // A running number, and a result of which the instrument does not say when it was measured.
    day.chem("27", SAT, "GLU 5.0 F 163600").await;
    day.chem("C-08", SAT, "PH 5.5 F -").await;
    day.chem("C-08", SAT, "PH 5.5 F -").await;
    day.haem("113", SAT, "WBC 6.6 N 163700").await;
}

/// The engine is away, and in the middle of it the power.
async fn outage(day: &mut Day<'_>) {
    day.until("2026-10-24T17:00").await;
    day.rig.engine.take_away().await;
    day.chem("C-09", SAT, "GLU 5.1 F 165800; UREA 3.9 F 165800").await;
    day.chem("C-10", SAT, "GLU 9.0 F 165900").await;
    day.chem("C-11", SAT, "NA 120 F 170000").await;
    day.haem("H-06", SAT, "WBC 8.8 N 170100; HGB 140 N 170100").await;
    day.until("2026-10-24T17:30").await;
    // Edited, run again, and run again where all go; nothing of it was delivered yet.
    day.chem("C-09", SAT, "GLU 5.7 F 165800").await;
    day.chem("C-11", SAT, "NA 138 F 172000").await;
    day.haem("H-06", SAT, "WBC 8.9 N 172500").await;
    day.rig.cut().await;
    day.until("2026-10-24T17:50").await;
    // And edited once more by a gateway that knows it from its journal only.
    day.chem("C-10", SAT, "GLU 9.5 F 165900").await;
    day.chem("C-12", SAT, "GLU 4.4 F 174500").await;
    day.until("2026-10-24T18:30").await;
    day.rig.engine.bring_back().unwrap();
    day.until("2026-10-24T19:00").await;
    assert!(day.rig.is_drained());
}

/// Lost ACKs, a pulled cable, what an engine refuses, what waits for a person, and a LIS that lost results.
async fn evening(day: &mut Day<'_>) {
    // An ACK was lost: the frame comes again.
    let records = chem("C-13", "N", SAT, "GLU 5.5 F 185500; UREA 5.0 F 185500");
    day.counts(&records);
    let mut peer = Peer { wire: day.rig.near() };
    assert!(
        peer.frames(&records[..4]).await
            && peer.frame_again(&records, 3).await
            && peer.rest(&records, 4).await
    );
    drop(peer);
    day.rig.pass(20).await;
    // The cable is out after the first of two results; later the whole message comes.
    let records = chem("C-14", "N", SAT, "GLU 6.1 F 190100; UREA 6.2 F 190100");
    let mut peer = Peer { wire: day.rig.near() };
    assert!(peer.frames(&records[..4]).await);
    drop(peer);
    day.heard += 1;
    day.until("2026-10-24T19:05").await;
    day.chemistry(&records).await;

    // The engine refuses two reports. One is edited: the old one cannot be sent any more. The other one is sent again by hand.
    day.until("2026-10-24T19:20").await;
    day.rig.engine.script([REFUSED, REFUSED]);
    day.chem("C-15", SAT, "GLU 10.1 F 191500").await;
    day.chem("C-16", SAT, "GLU 10.2 F 191600").await;
    let [first, second] = day.parked()[..] else { panic!("{:?}", day.parked()) };
    day.chem("C-15", SAT, "GLU 10.3 F 191500").await;
    let words = day.ask(Request::SendParked { number: first }).await;
    assert!(words.contains("a later report brought its results"), "{words}");
    day.refused.insert(format!("TEST{first:016}"));
    let words = day.ask(Request::SendParked { number: second }).await;
    assert!(words.contains("the same bytes"), "{words}");

    // An order that is marked as cancelled waits, and is overtaken by one that is not. A sample without an id gets it from a person.
    day.until("2026-10-24T19:40").await;
    let cancelled = chem("C-17", "C", SAT, "GLU 3.0 F 193500");
    day.chemistry(&cancelled).await;
    let nameless = chem("", "N", SAT, "GLU 3.3 F 193600");
    day.chemistry(&nameless).await;
    let held = day.held();
    let reasons: Vec<&str> = held.iter().map(|(_, reason)| &**reason).collect();
    assert_eq!(reasons, ["cancelled", "no-sample-id"]);
    day.chem("C-17", SAT, "GLU 3.1 F 193500").await;
    let words = day.ask(Request::Release { hold: held[0].0, sample: None, anyway: false }).await;
    assert!(words.contains("that a later message overtook is settled by itself"), "{words}");
    day.ask(Request::Release { hold: held[1].0, sample: Some("C-18".to_owned()), anyway: false }).await;

    // The LIS lost results of the afternoon: somebody presses "transmit".
    day.until("2026-10-24T21:00").await;
    day.chem("C-01", SAT, "GLU 5.4 F 155800; UREA 4.1 F 155830").await;
    day.chem("C-04", SAT, "UREA >40 F 161500; UREA^^5 62.0 F 161900").await;
    day.haem("H-01", SAT, "WBC 7.2 N 160000; HGB 141 N 160000").await;
    // An add-on test, and then all again: each under its own OBR-3.
    day.chem("C-02", SAT, "LIP 33 F 205500").await;
    day.chem("C-02", SAT, "GLU 6.0 F 155900; CRP <5 F 155930; LIP 33 F 205500").await;
    day.haem("H-07", SAT, "WBC 5.0 N 210100; HGB 150 N 210100").await;
    day.chem("C-19", SAT, "GLU 5.9 F 210200").await;
    day.chem("C-20", SAT, "TSH 2.41 F 210300; FT4 15.1 F 210300").await;
}

/// Midnight, and the hour that comes twice.
async fn night(day: &mut Day<'_>) {
    day.until("2026-10-25T00:00:10").await;
    day.chem("C-21", SAT, "GLU 5.8 F 235930").await;
    day.chem("C-22", SUN, "GLU 5.6 F 000005").await;
    day.until("2026-10-25T00:30").await;
    // Yesterday's run was edited today.
    day.chem("C-21", SAT, "GLU 5.9 F 235930").await;
    // In summer time. 00:52 UTC.
    day.until_utc(1_792_889_520).await;
    day.chem("C-23", SUN, "K 6.9 F 025000").await;
    day.haem("H-08", SUN, "WBC 14.0 H 025100; HGB 120 N 025100").await;
    // Twenty minutes later it is ten past two again, in winter time. 01:12 UTC.
    day.until_utc(1_792_890_720).await;
    day.chem("C-23", SUN, "K 4.1 F 021000").await;
    day.chem("C-24", SUN, "K 6.8 F 025500; K 4.0 F 020500").await;
    day.haem("H-08", SUN, "WBC 14.1 H 021100").await;
}

/// The same numbers come round again; the power goes right behind an ACK.
async fn morning(day: &mut Day<'_>) {
    day.until("2026-10-25T08:00").await;
    day.chem("C-25", SUN, "GLU 5.2 F 075500; UREA 4.8 F 075500").await;
    let records = chem("C-26", "N", SUN, "GLU 5.3 F 075600");
    day.counts(&records);
    assert!(Peer { wire: day.rig.near() }.message(&records).await);
    day.rig.cut().await;
    day.rig.engine.bring_back().unwrap();
    day.until("2026-10-25T08:10").await;
    day.haem("H-09", SUN, "WBC 7.0 N 080000; HGB 139 N 080000").await;
    day.haem("H-10", SUN, "WBC 7.1 N 080500; HGB 138 N 080500").await;
    day.until("2026-10-25T10:00").await;
    day.chem("27", SUN, "GLU 5.0 F 095500").await;
    day.haem("113", SUN, "WBC 6.6 N 095600").await;
    // The day before: a result that was sent as final is taken back to preliminary, in doubt.
    day.chem("C-25", SUN, "GLU 5.2 W 075500").await;
    day.chem("C-27", SUN, "GLU 6.6 X 100000").await;
    day.chem("C-28", SUN, "GLU 6.7 F 100100").await;
}

/// The lines of `day.feed`, but for comments.
fn expected() -> Vec<String> {
    let text = include_str!("day.feed");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

fn compare(day: &Day<'_>) {
    let received = day.rig.engine.messages();
    assert_eq!(day.rig.engine.counts().conflicts, 0, "an MSH-10 came with two bodies");
    let taken = received.iter().filter(|message| !day.refused.contains(&control_id(&message.bytes)));
    let feed = feed::lines(taken.map(|message| &*message.bytes));
    let mut all: Vec<String> = Vec::new();
    let expected = expected();
    let samples: BTreeSet<&str> = expected.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(samples.len(), 40);
    for sample in &samples {
        all.extend(feed.get(*sample).into_iter().flatten().cloned());
    }
    let strangers: Vec<_> = feed.keys().filter(|sample| !samples.contains(sample.as_str())).collect();
    assert!(strangers.is_empty(), "{strangers:?}");
    let mut expected_by_sample = expected.clone();
    expected_by_sample.sort_by(|a, b| a.split(' ').next().cmp(&b.split(' ').next()));
    assert_eq!(all, expected_by_sample, "\n{}\n", all.join("\n"));

    let state = day.rig.gateway().store.state();
    let (mut observed, mut settled) = (0, 0);
    for (instrument, counts) in state.ledger() {
        assert_eq!(counts.difference(), 0, "{instrument}");
        assert_eq!(counts.held, 0, "{instrument}");
        observed += counts.observations;
        settled += counts.sent + counts.qc + counts.superseded + counts.not_reportable;
    }
    assert_eq!((observed, settled), (day.heard, day.heard), "every result that was heard is in one place");
    drop(state);
    assert!(day.rig.is_drained());
}
