//! Plays about clocks that are wrong: the box's, which begins in 1970 or is set while it runs, and an instrument's.

use crate::odd::Odd;
use crate::peer::Peer;
use crate::rig::{BEGIN, Rig, Setup, run};
use jiff::Timestamp;
use orugate::admin::{Request, Response};
use orugate::conditions::Code;
use orugate::config::Plan;
use orugate::records::TimeOf;
use orugate_protocol::time::Utc;
use orugate_tests::oru::{field, segments};
use orugate_tests::sender::invented;

pub(crate) const PLAYS: [Odd; 11] = [
    (
        "The gateway starts in 1970, and nobody sets its clock",
        "What comes in is acknowledged at once. Results wait five minutes, then go, each with a note that the time of its \
         message is not right; that time is no earlier than any before. A condition says so from the first second on.",
        in_1970_for_good,
    ),
    (
        "The gateway starts in 1970, and its clock is set after two minutes",
        "What waited is delivered within seconds, with the right time and no note. No age says 56 years, and what is sent \
         again is known as sent before.",
        set_after_two_minutes,
    ),
    (
        "The clock is set after results went out by one that was not",
        "They count as sent: the same again is a resend and another value a correction, under the same OBR-3.",
        known_afterwards,
    ),
    (
        "A hold and a person's release while the clock is not set",
        "The hold grows old all the same. A release is refused with the minutes that are left, and then goes.",
        release_in_1970,
    ),
    (
        "The clock goes back by an hour, and nobody vouches for it",
        "Results wait five minutes, then go with a note. No MSH-7 is earlier than one before. After the hour all is as \
         before.",
        an_hour_back,
    ),
    (
        "NTP sets the clock back by a day",
        "It is known good: nothing waits, nothing is noted.",
        a_day_back_by_ntp,
    ),
    (
        "The clock is a year ahead for a minute",
        "What was sent before is older than `keep_keys` for that minute, so the same again is new. Nothing is given back for \
         its age in so short a time: when NTP has set the clock, the same again is a resend.",
        a_year_ahead,
    ),
    (
        "The clock ran a year ahead and was set right, and no NTP vouches for it",
        "It is before the journal's newest time for a year. A person says that it is right: results go at once, without a \
         note, also after a restart.",
        accepted,
    ),
    (
        "An instrument whose clock runs in UTC, beside one in Berlin's time",
        "Each result's time has the offset of its own instrument's zone; the message's time has the site's.",
        two_zones,
    ),
    (
        "An instrument's clock is 24 minutes behind",
        "Known from the third message on that goes along with the box's clock: a condition and a note in each report, also \
         after a restart. A batch of the night and a second transmission change nothing. Set right, the condition is gone \
         with the next message.",
        an_instrument_behind,
    ),
    (
        "An instrument's clock is ahead of a box for whose clock nobody vouches",
        "The condition says that either may be wrong; reports say nothing. When NTP vouches for the box they do.",
        an_instrument_ahead,
    ),
];

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// In 1970, seven seconds after the power came.
const NEW_YEAR: i64 = 7 * SECOND;

fn in_1970() -> Setup {
    Setup { shows: NEW_YEAR, ..Setup::default() }
}

fn stamp(micros: i64) -> String {
    Timestamp::from_microsecond(micros).unwrap().strftime("%Y%m%d%H%M%S").to_string()
}

/// A message of one result, by an instrument whose clock shows this.
async fn send(rig: &Rig, sample: &str, value: u64, shows: i64) {
    let mut peer = Peer::connect(rig, "one").await;
    assert!(peer.message(&invented(sample, &stamp(shows), &[value])).await, "it was not acknowledged");
}

/// One by an instrument whose clock is ahead by so much.
async fn send_ahead(rig: &Rig, value: u64, ahead: i64) {
    send(rig, "S", value, rig.clock.utc().0 + ahead).await;
}

fn conditions(rig: &Rig) -> Vec<Code> {
    rig.gateway().admin.conditions.list().into_iter().map(|c| c.code).collect()
}

fn text(rig: &Rig, code: Code) -> String {
    let all = rig.gateway().admin.conditions.list();
    all.into_iter().find(|c| c.code == code).map(|c| c.to_string()).unwrap_or_default()
}

/// What the engine has of each report: MSH-7, OBR-3, OBX-5, OBX-11 and the notes.
struct Got {
    time: String,
    filler: String,
    value: String,
    status: String,
    notes: String,
}

fn got(rig: &Rig) -> Vec<Got> {
    let of = |oru: &[u8]| {
        let all = segments(oru);
        let of = |name: &str, n: usize| {
            let all = all.iter().filter(|s| s.starts_with(name)).map(|s| field(s, n).to_owned());
            all.collect::<Vec<_>>().join(" / ")
        };
        Got {
            time: of("MSH|", 7),
            filler: of("OBR|", 3),
            value: of("OBX|", 5),
            status: of("OBX|", 11),
            notes: of("NTE|", 3),
        }
    };
    rig.engine.messages().iter().map(|message| of(&message.bytes)).collect()
}

fn values(got: &[Got]) -> Vec<&str> {
    got.iter().map(|got| &*got.value).collect()
}

const NOT_SET: &str = "The gateway's clock was not set";

fn in_1970_for_good() {
    run(&in_1970(), async |rig| {
        send(rig, "S", 1, BEGIN).await;
        rig.pass(10).await;
        assert_eq!(conditions(rig), [Code::ClockUnset]);
        let told = text(rig, Code::ClockUnset);
        assert!(told.contains("1970-01-01 00:00 UTC") && told.contains("in 4 min at the latest"), "{told}");
        rig.pass(285).await;
        assert_eq!(rig.engine.counts().messages, 0);
        assert_eq!(conditions(rig), [Code::ClockUnset], "it says all: that is why they wait");
        rig.pass(15).await;
        send(rig, "S", 2, BEGIN + MINUTE).await;
        rig.pass(10).await;
        assert!(text(rig, Code::ClockUnset).contains("have waited for it long enough"));
        let got = got(rig);
        assert_eq!(values(&got), ["1", "2"]);
        for report in &got {
            assert!(report.notes.contains(NOT_SET), "{}", report.notes);
            assert_eq!(&report.time[..12], &stamp(BEGIN)[..12], "no earlier than the journal, and no later");
        }
        assert!(got[0].time <= got[1].time);
        assert_ne!(got[0].filler, got[1].filler);
    });
}

fn set_after_two_minutes() {
    run(&in_1970(), async |rig| {
        send(rig, "S", 1, BEGIN).await;
        rig.pass(120).await;
        assert_eq!(rig.engine.counts().messages, 0);
        rig.clock.set(Utc(BEGIN + 2 * HOUR));
        rig.pass(6).await;
        let report = got(rig).remove(0);
        assert_eq!((&*report.value, &*report.notes), ("1", ""));
        assert_eq!(&report.time[..10], &stamp(BEGIN + 2 * HOUR)[..10]);
        assert_eq!(conditions(rig), [], "nothing is 56 years old");
        let state = rig.gateway().store.state();
        assert!(state.device_clock("one").is_empty(), "nobody knew what time it was when it came");
    });
}

fn known_afterwards() {
    run(&in_1970(), async |rig| {
        send(rig, "S", 1, BEGIN).await;
        rig.pass(310).await;
        rig.clock.set(Utc(BEGIN + 48 * HOUR));
        rig.pass(10).await;
        assert_eq!(conditions(rig), []);
        send(rig, "S", 1, BEGIN).await;
        send(rig, "S", 7, BEGIN).await;
        rig.pass(10).await;
        let after = got(rig);
        assert_eq!(values(&after), ["1", "1", "7"]);
        let notes: Vec<&str> = after.iter().map(|got| &*got.notes).collect();
        assert!(notes[0].contains(NOT_SET));
        let expected =
            ["Sent again by the instrument.", "Corrected: another result was sent before: 1 mmol/L"];
        assert_eq!(notes[1..], expected);
        assert_eq!(after.iter().map(|got| &*got.status).collect::<Vec<_>>(), ["F", "F", "C"]);
        assert!(after.iter().all(|got| got.filler == after[0].filler));
    });
}

fn release_in_1970() {
    run(&in_1970(), async |rig| {
        send(rig, "", 1, BEGIN).await;
        rig.pass(302).await;
        let hold = rig.gateway().store.state().holds().next().map(|(number, _)| number).unwrap();
        rig.restart(1 << 30).await;
        let answer = rig.release(hold, "S-1").await;
        let refused = answer.unwrap_err();
        assert!(refused.contains("clock is not set") && refused.contains("5 min"), "{refused}");
        rig.pass(7210).await;
        let held = text(rig, Code::Holds);
        assert!(held.contains("the oldest for 2 h"), "{held}");
        rig.release(hold, "S-1").await.unwrap();
        rig.pass(5).await;
        let got = got(rig);
        assert_eq!(values(&got), ["1"]);
        assert!(got[0].notes.contains(NOT_SET));
        rig.clock.set(Utc(BEGIN + HOUR));
        rig.pass(10).await;
        assert_eq!(conditions(rig), []);
    });
}

fn an_hour_back() {
    run(&Setup::default(), async |rig| {
        send_ahead(rig, 1, 0).await;
        rig.pass(60).await;
        rig.clock.set(Utc(rig.clock.utc().0 - HOUR));
        rig.pass(10).await;
        assert_eq!(conditions(rig), [Code::ClockUnset]);
        send_ahead(rig, 2, 0).await;
        rig.pass(280).await;
        assert_eq!(rig.engine.counts().messages, 1);
        rig.pass(20).await;
        send_ahead(rig, 3, 0).await;
        rig.pass(3600).await;
        assert_eq!(conditions(rig), []);
        send_ahead(rig, 4, 0).await;
        rig.pass(5).await;
        let got = got(rig);
        assert_eq!(values(&got), ["1", "2", "3", "4"]);
        assert!(got.is_sorted_by(|a, b| a.time <= b.time));
        let noted: Vec<bool> = got.iter().map(|got| got.notes.contains(NOT_SET)).collect();
        assert_eq!(noted, [false, true, true, false]);
        let mut fillers: Vec<&str> = got.iter().map(|got| &*got.filler).collect();
        fillers.dedup();
        assert_eq!(fillers.len(), 4);
    });
}

fn a_day_back_by_ntp() {
    run(&Setup::default(), async |rig| {
        send_ahead(rig, 1, 0).await;
        rig.pass(60).await;
        rig.clock.vouch(true);
        rig.clock.set(Utc(rig.clock.utc().0 - 24 * HOUR));
        send_ahead(rig, 2, 0).await;
        rig.pass(6).await;
        let got = got(rig);
        assert_eq!(values(&got), ["1", "2"]);
        assert!(got.iter().all(|got| got.notes.is_empty()));
        assert_eq!(conditions(rig), []);
        assert!(got[0].filler < got[1].filler, "{} {}", got[0].filler, got[1].filler);
    });
}

fn a_year_ahead() {
    run(&Setup::default(), async |rig| {
        send(rig, "S", 1, BEGIN).await;
        rig.pass(60).await;
        rig.clock.set(Utc(BEGIN + 365 * 24 * HOUR));
        send(rig, "S", 1, BEGIN).await;
        rig.pass(60).await;
        rig.clock.set(Utc(BEGIN + HOUR));
        rig.clock.vouch(true);
        send(rig, "S", 1, BEGIN).await;
        rig.pass(10).await;
        let got = got(rig);
        let notes: Vec<&str> = got.iter().map(|got| &*got.notes).collect();
        assert_eq!(notes, ["", "", "Sent again by the instrument."]);
        assert_ne!(got[0].filler, got[1].filler);
        assert_eq!(got[1].filler, got[2].filler);
        assert_eq!((rig.came("one").messages.len(), conditions(rig)), (3, vec![]));
    });
}

fn accepted() {
    run(&Setup { shows: BEGIN + 365 * 24 * HOUR, ..Setup::default() }, async |rig| {
        send(rig, "S", 1, BEGIN).await;
        rig.pass(60).await;
        rig.clock.set(Utc(BEGIN));
        send(rig, "S", 2, BEGIN).await;
        rig.pass(60).await;
        assert_eq!((rig.engine.counts().messages, conditions(rig)), (1, vec![Code::ClockUnset]));
        assert!(text(rig, Code::ClockUnset).contains("orugate accept-clock"));
        let answer = |answer| match answer {
            Response::Done(words) => Ok(words),
            Response::Refused(words) => Err(words),
            other => panic!("{other:?}"),
        };
        let accept = async || answer(rig.gateway().admin.answer(Request::AcceptClock, "uid 0").await);
        accept().await.unwrap();
        rig.pass(5).await;
        assert!(accept().await.unwrap_err().contains("believed as it is"));
        rig.restart(1 << 30).await;
        send(rig, "S", 3, BEGIN).await;
        rig.pass(5).await;
        let got = got(rig);
        assert_eq!(values(&got), ["1", "2", "3"]);
        assert!(got.iter().all(|got| !got.notes.contains(NOT_SET)));
        assert_eq!(&got[1].time[..8], &stamp(BEGIN)[..8]);
        assert_eq!(conditions(rig), []);
    });
}

fn two_zones() {
    let change = |plan: &mut Plan| {
        let zone = |name: &str| jiff::tz::TimeZone::get(name).unwrap();
        plan.gateway.timezone = zone("Europe/Berlin");
        plan.instruments[1].timezone = Some((zone("UTC"), "UTC".to_owned()));
    };
    run(&Setup { names: &["one", "two"], change, ..Setup::default() }, async |rig| {
        // The same instant by both clocks.
        for (name, shows) in [("one", BEGIN + HOUR), ("two", BEGIN)] {
            let mut peer = Peer::connect(rig, name).await;
            assert!(peer.message(&invented("S", &stamp(shows), &[1])).await);
            rig.pass(5).await;
        }
        let times: Vec<(String, String)> = rig
            .engine
            .messages()
            .iter()
            .map(|message| {
                let all = segments(&message.bytes);
                let obx = all.iter().find(|s| s.starts_with("OBX|")).unwrap();
                (field(&all[0], 7)[18..].to_owned(), field(obx, 19).to_owned())
            })
            .collect();
        let offset = |time: &str| ("+0100".to_owned(), time.to_owned());
        assert_eq!(times, [offset("20261122110000+0100"), offset("20261122100000+0000")]);
        assert_eq!(conditions(rig), [], "neither is off");
    });
}

/// The remark of the newest report on the instrument's clock.
fn remark(rig: &Rig) -> String {
    got(rig).pop().map(|got| got.notes).unwrap_or_default()
}

fn an_instrument_behind() {
    run(&Setup::default(), async |rig| {
        rig.clock.vouch(true);
        for value in 1..=2 {
            send_ahead(rig, value, -24 * MINUTE).await;
            rig.pass(400).await;
            assert_eq!((remark(rig), conditions(rig)), (String::new(), vec![]), "not proven yet");
        }
        let third = rig.clock.utc().0 - 24 * MINUTE - 5 * SECOND;
        send(rig, "S", 3, third).await;
        rig.pass(10).await;
        let says = "The instrument's clock was 24 min behind the gateway's";
        assert!(remark(rig).starts_with(says), "{}", remark(rig));
        assert_eq!(conditions(rig), [Code::InstrumentClock]);
        let told = text(rig, Code::InstrumentClock);
        assert!(
            told.starts_with("one: its clock is 24 min behind this box's, and 5 min are allowed."),
            "{told}"
        );
        rig.restart(1 << 30).await;
        rig.pass(10).await;
        assert_eq!(conditions(rig), [Code::InstrumentClock], "it is in the journal");
        // The third once more, and what was measured in the night.
        send(rig, "S", 3, third).await;
        for hour in 1..=3 {
            send_ahead(rig, 100, -hour * HOUR).await;
        }
        rig.pass(10).await;
        assert_eq!(conditions(rig), [Code::InstrumentClock]);
        assert!(remark(rig).starts_with(says));
        send_ahead(rig, 4, -SECOND).await;
        rig.pass(10).await;
        assert_eq!((remark(rig), conditions(rig)), (String::new(), vec![]));
        let kept = rig.gateway().store.state().device_clock("one").last().copied().unwrap();
        assert_eq!(kept.of, TimeOf::Message);
        assert!((-2 * SECOND..=-SECOND).contains(&(kept.device - kept.received)), "{kept:?}");
    });
}

fn an_instrument_ahead() {
    run(&Setup::default(), async |rig| {
        send_ahead(rig, 1, HOUR).await;
        rig.pass(10).await;
        assert_eq!((remark(rig), conditions(rig)), (String::new(), vec![Code::InstrumentClock]));
        let told = text(rig, Code::InstrumentClock);
        assert!(
            told.contains("at least 1 h ahead of this box's") && told.contains("either may be wrong"),
            "{told}"
        );
        rig.clock.vouch(true);
        for value in 2..=4 {
            send_ahead(rig, value, HOUR).await;
            rig.pass(400).await;
            assert!(remark(rig).contains("1 h ahead of the gateway's"), "{}", remark(rig));
        }
        let told = text(rig, Code::InstrumentClock);
        assert!(told.contains("`timezone`"), "a whole hour: {told}");
    });
}
