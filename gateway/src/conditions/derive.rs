//! The conditions that can be read off the status: journal, ledger, queues, wires, holds, clock.

use super::{Code, Condition, Fault, Overdue};
use crate::admin::{DestinationView, InstrumentView, JournalView, Status};
use crate::backlog::{For, Level, Outlook};
use crate::capture::View;
use crate::interpret::PAST_BY;
use crate::status::{Device, Line};
use crate::tls::Peer;
use crate::words::{count, duration};
use jiff::Timestamp;

/// Age in seconds at which a queue is trouble, although the engine answers.
const LATE: i64 = 300;
/// Age in seconds at which a message that nobody has interpreted is trouble.
const UNREAD: i64 = 60;
/// A bedside device may need so many seconds for its first answer.
const UNANSWERED: i64 = 60;
/// So long a bedside device may be without a connection that it makes itself, in seconds.
const GONE: i64 = 300;
/// For so many seconds a driver that failed is told, since the same bytes may come again.
const REMEMBERED: i64 = 3600;

/// All conditions of a status. Those in it already are read for what explains others: a late queue behind a TLS
/// connection that cannot be made is no question of whether the engine is up.
#[must_use]
pub fn of(status: &Status) -> Vec<Condition> {
    let mut all = Vec::new();
    if status.journal.health != "good" {
        all.push(condition(
            Code::JournalFailed,
            "",
            Fault::Disk,
            format!("The journal cannot write: {}. Instruments are refused.", status.journal.health),
            "Look at the disk that journal.path is on: df, dmesg. It is tried again with each message.",
        ));
    }
    if status.journal.nearly_full {
        all.push(condition(
            Code::JournalFull,
            "",
            Fault::Operator,
            format!(
                "The journal is nearly full, {} of {} MiB wait: instruments are told to wait, and no result comes in. \
                 What is stored is safe.",
                status.journal.backlog >> 20,
                status.journal.most_backlog >> 20
            ),
            "Raise journal.max_size by some hundred MiB, then: orugate reload",
        ));
    }
    all.extend(history(&status.journal));
    all.extend(filling(&status.journal));
    all.extend(damaged(&status.journal));
    all.extend(status.instruments.iter().filter_map(unbalanced));
    all.extend(status.instruments.iter().filter_map(|i| fallen(i, status.now)));
    all.extend(status.instruments.iter().filter_map(|i| down(i, tls(status, Peer::Instrument, &i.name))));
    all.extend(status.instruments.iter().filter_map(|i| unanswered(i, status.now)));
    all.extend(status.instruments.iter().filter_map(unsent));
    all.extend(status.instruments.iter().filter_map(unproven));
    all.extend(status.destinations.iter().filter_map(parked));
    all.extend(status.unconfigured.iter().map(|(name, messages)| gone(name, *messages)));
    all.extend(status.destinations.iter().filter_map(|d| late(d, tls(status, Peer::Engine, &d.name))));
    // While the past is being read, or results wait for the clock, that is why.
    let unread = |age: &i64| *age > UNREAD && status.journal.unread == 0 && status.clock_waits.is_none();
    if let Some(age) = status.oldest_pending.filter(unread) {
        all.push(condition(
            Code::InterpretationLate,
            "",
            Fault::Orugate,
            format!(
                "{} to be interpreted, the oldest for {}. They are safe on flash.",
                count(status.pending as u64, "message waits", "messages wait"),
                duration(age)
            ),
            "Look whether it goes down; if not, restart the service and send the maker the log.",
        ));
    }
    all.extend(status.overdue.as_ref().map(overdue));
    if status.holds > 0 {
        all.push(condition(
            Code::Holds,
            "",
            Fault::Operator,
            format!(
                "{} for a person, the oldest for {}.",
                count(status.holds as u64, "hold waits", "holds wait"),
                duration(status.oldest_hold.unwrap_or(0))
            ),
            "See: orugate holds list",
        ));
    }
    all.extend(unset(status));
    all.extend(status.instruments.iter().filter_map(|i| device_clock(i, status)));
    all.extend(captures(&status.captures));
    all
}

fn overdue(overdue: &Overdue) -> Condition {
    let Overdue { holds, limit, age, oldest, instrument, reason } = overdue;
    condition(
        Code::HoldOverdue,
        "",
        Fault::Operator,
        format!(
            "{} for a person for longer than {}. The oldest, of {instrument}, for {} ({reason}).",
            count(*holds as u64, "hold waits", "holds wait"),
            duration(*limit),
            duration(*age)
        ),
        &format!("See: orugate holds list; what to do about the oldest: orugate holds show {oldest}"),
    )
}

/// This box's clock is wrong.
fn unset(status: &Status) -> Option<Condition> {
    let shows = Timestamp::from_microsecond(status.clock_shows).unwrap_or_default();
    let shows = shows.strftime("%Y-%m-%d %H:%M");
    let wrong =
        format!("This box's clock shows {shows} UTC, which is before the newest time in its journal.");
    let text = match status.clock_waits {
        Some(left) => format!(
            "{wrong} What comes in is stored and acknowledged; results go out when the clock is set, in {} at the latest.",
            duration(left.saturating_add(1))
        ),
        None => format!(
            "{wrong} Results have waited for it long enough and go out; each says that the time of its message is not right."
        ),
    };
    let next = "Set the clock, and let NTP keep it: timedatectl. If it is right, and ran ahead before: orugate accept-clock";
    (status.clock == "unset").then(|| condition(Code::ClockUnset, "", Fault::Operator, text, next))
}

/// An instrument's clock is off. A box that does not know the time judges nobody; one for whose clock nobody vouches says
/// only that they differ.
fn device_clock(instrument: &InstrumentView, status: &Status) -> Option<Condition> {
    let clock = instrument.clock.as_ref().filter(|clock| clock.beyond && status.clock != "unset")?;
    let (name, words) = (&instrument.name, &clock.words);
    let limit = duration(i64::try_from(clock.limit).unwrap_or(i64::MAX));
    let off = format!("{name}: its clock is {words} this box's, and {limit} are allowed.");
    let zone = if clock.is_a_zone {
        "That is a zone or daylight saving time: if its clock does not run in the gateway's zone, write `timezone` for it \
         (docs/clocks.md); otherwise set it."
    } else {
        "Set the instrument's clock. That it is right is seen within some messages."
    };
    let (fault, text, next) = if status.clock == "synchronised" {
        let text = format!("{off} Its results go out with the times that it wrote, and a note says so.");
        (Fault::Instrument, text, zone.to_owned())
    } else {
        let text = format!("{off} Nobody vouches for this box's clock, so either may be wrong.");
        (Fault::Operator, text, format!("Let NTP keep this box's clock (timedatectl). {zone}"))
    };
    Some(condition(Code::InstrumentClock, name, fault, text, &next))
}

fn captures(view: &View) -> Option<Condition> {
    let text = match &view.trouble {
        _ if view.short => "The disk is full: captures of the lines gave their room to results.".to_owned(),
        Some(trouble) => format!("The lines are not captured: {trouble}. Results are not touched by that."),
        None => return None,
    };
    let next = "Look at the disk that journal.path is on and free space on it: df, dmesg.";
    Some(condition(Code::CaptureShort, "", Fault::Disk, text, next))
}

fn history(journal: &JournalView) -> Option<Condition> {
    let segments = |number| count(number, "file", "files");
    if journal.unread > 0 {
        let text = format!(
            "What was sent before is being read from the journal, {} to go. What comes in is stored and acknowledged, and \
             goes out when that is done, in {} at the latest.",
            segments(journal.unread),
            duration(PAST_BY.as_secs().cast_signed())
        );
        let next = "Wait. If it takes longer than minutes, look at the disk that journal.path is on: dmesg.";
        return Some(condition(Code::HistoryUnknown, "", Fault::Disk, text, next));
    }
    (journal.unreadable > 0).then(|| {
        let text = format!(
            "{} of the journal cannot be read whole: what was sent before is not all known, so a correction may go \
             out as a new result.",
            segments(journal.unreadable)
        );
        condition(Code::HistoryUnknown, "", Fault::Disk, text, "See what it touches: orugate journal verify")
    })
}

fn condition(code: Code, subject: &str, fault: Fault, text: String, next: &str) -> Condition {
    Condition { code, subject: subject.to_owned(), fault, since: 0, text, next: next.to_owned() }
}

/// The room for the backlog is used up soon. That it is used up already is another condition.
fn filling(journal: &JournalView) -> Option<Condition> {
    let Outlook { minutes, level, grows } = journal.outlook.as_ref().filter(|_| !journal.nearly_full)?;
    let code = match level {
        Level::Calm => return None,
        Level::Warning => Code::JournalFills,
        Level::Urgent => Code::JournalFullSoon,
    };
    let queues: Vec<&str> = grows.iter().filter_map(For::destination).collect();
    let larger = "or raise journal.max_size and orugate reload, where the disk has room";
    let (who, next) = match (&queues[..], grows.first()) {
        ([first, ..], _) => (
            format!("What waits for {} grows.", queues.join(", ")),
            format!(
                "See why it is not taken: orugate status; {larger}. If {first} is gone for good, take it out of the \
                 configuration, orugate reload, then: orugate destination drop {first} --reason \"…\""
            ),
        ),
        ([], Some(For::Interpretation)) => (
            "Messages that wait to be interpreted grow.".to_owned(),
            format!("Restart the service and send the maker the log; {larger}."),
        ),
        ([], _) => (
            "Results in holds grow, which wait for a person.".to_owned(),
            format!("Settle them: orugate holds list; {larger}."),
        ),
    };
    let left = duration(i64::try_from(minutes.saturating_mul(60)).unwrap_or(i64::MAX));
    let (backlog, most) = (journal.backlog >> 20, journal.most_backlog >> 20);
    let text = format!(
        "The journal has room for about {left} more at today's rate: {backlog} of {most} MiB wait. {who} After that \
         instruments are told to wait."
    );
    Some(condition(code, "", Fault::Operator, text, &next))
}

fn damaged(journal: &JournalView) -> Option<Condition> {
    (journal.aside_files > 0).then(|| {
        let (files, are) = if journal.aside_files == 1 { ("file", "is") } else { ("files", "are") };
        condition(
            Code::JournalDamaged,
            "",
            Fault::Disk,
            format!(
                "{} {files} of the journal could not be read whole when something in them was needed, and {are} set aside \
                 as .seg.bad ({} MiB).",
                journal.aside_files,
                journal.aside.div_ceil(1 << 20)
            ),
            "See which results that touches, and what to do: orugate journal verify, docs/journal.md. Then copy what is set \
             aside to another medium, take it away and restart.",
        )
    })
}

/// Why there is no TLS connection to this instrument or destination.
fn tls<'s>(status: &'s Status, peer: Peer, name: &str) -> Option<&'s Condition> {
    let subject = peer.subject(name);
    let mut all = status.conditions.iter();
    all.find(|c| matches!(c.code, Code::TlsFailed | Code::ClockUnset) && c.subject == subject)
}

fn unbalanced(instrument: &InstrumentView) -> Option<Condition> {
    let (name, difference) = (&instrument.name, instrument.counts.difference);
    (difference != 0).then(|| {
        let results = count(difference.unsigned_abs(), "result", "results");
        condition(
            Code::LedgerUnbalanced,
            name,
            Fault::Orugate,
            format!("The ledger of {name} does not balance by {results}."),
            "Keep the journal and call the maker.",
        )
    })
}

fn unproven(instrument: &InstrumentView) -> Option<Condition> {
    let (name, why) = (&instrument.name, instrument.unproven.as_ref()?);
    Some(condition(
        Code::Unproven,
        name,
        Fault::Operator,
        format!(
            "{name}: {why}, and its profile {} is only described: its results are held.",
            instrument.profile
        ),
        &format!(
            "Write mode = \"test\" for {name}, orugate reload, then: orugate verify session {name}. Nothing is lost; release \
             the holds when it is live again."
        ),
    ))
}

fn fallen(instrument: &InstrumentView, now: i64) -> Option<Condition> {
    if let Line::Dead(why) = &instrument.port.line {
        let name = &instrument.name;
        return Some(condition(
            Code::DriverFailed,
            name,
            Fault::Orugate,
            format!("{name} is not served any more: {why}. What it acknowledged is stored."),
            "Restart the service, and send the maker the log: systemctl restart orugate",
        ));
    }
    let (at, how) = instrument.port.last_fall.as_ref()?;
    let age = (now - at).max(0) / 1_000_000;
    (age < REMEMBERED).then(|| {
        let name = &instrument.name;
        condition(
            Code::DriverFailed,
            name,
            Fault::Orugate,
            format!(
                "{name}: its driver {how}, {} since the start, the last {} ago. It began anew; what it acknowledged is \
                 stored.",
                count(instrument.port.falls, "time", "times"),
                duration(age)
            ),
            "If the instrument does not send again by itself, transmit again from it. Send the maker the log.",
        )
    })
}

fn down(instrument: &InstrumentView, tls: Option<&Condition>) -> Option<Condition> {
    let (name, wire) = (&instrument.name, &instrument.wire);
    if let Line::Deaf(why) = &instrument.port.line {
        return Some(condition(
            Code::LineDown,
            name,
            Fault::Operator,
            format!("{name}: nobody can connect, the gateway {why}."),
            "It is tried again by itself.",
        ));
    }
    let Line::Down(why) = &instrument.port.line else { return None };
    (!instrument.listens).then(|| {
        condition(
            Code::LineDown,
            name,
            tls.map_or(Fault::Instrument, |tls| tls.fault),
            format!("{name}: the wire is down ({wire}: {why})."),
            tls.map_or("Look at cable, power and address; it is tried again by itself.", |tls| &tls.next),
        )
    })
}

/// A bedside device that is connected and does not tell what it measures. Standby is what somebody wanted.
fn unanswered(instrument: &InstrumentView, now: i64) -> Option<Condition> {
    let name = &instrument.name;
    let (device, since) = instrument.port.device.as_ref()?;
    if !instrument.port.is_up() {
        return hung_up(instrument, now);
    }
    let age = (now - since).max(0) / 1_000_000;
    let (what, next) = match device {
        Device::Silent => (
            "does not answer any more".to_owned(),
            "Look whether it is switched on and its data output is too, and at cable and adapter; it is asked again by itself.",
        ),
        Device::Connecting if age >= UNANSWERED => (
            "has not answered yet".to_owned(),
            "Look whether it is on and its data output is too; compare its address, or its rate and parity, with wire.",
        ),
        Device::Refused(why) => (
            format!("refuses to talk to this box: {why}"),
            "Disconnect what else reads it, or switch its data export on; it is asked again by itself.",
        ),
        Device::Connecting | Device::Talking | Device::Standby => return None,
    };
    let withdrawn = if *device == Device::Connecting { "" } else { " What it said before is withdrawn." };
    Some(condition(
        Code::DeviceSilent,
        name,
        Fault::Instrument,
        format!("{name}: the device {what}, for {}.{withdrawn}", duration(age)),
        next,
    ))
}

/// A bedside device that talked over a connection of its own, and has none any more. One that connects for each message is back by then.
fn hung_up(instrument: &InstrumentView, now: i64) -> Option<Condition> {
    let (name, age) = (&instrument.name, (now - instrument.port.since).max(0) / 1_000_000);
    let gone = instrument.listens && matches!(instrument.port.line, Line::Down(_)) && age >= GONE;
    gone.then(|| {
        condition(
            Code::DeviceSilent,
            name,
            Fault::Instrument,
            format!("{name}: nobody is connected as this device, for {}. What it said before is withdrawn.", duration(age)),
            "Look whether it and its serial server are on, at cable and network, and that it connects to this box.",
        )
    })
}

/// A bedside device of which nothing is sent.
fn unsent(instrument: &InstrumentView) -> Option<Condition> {
    let (name, why) = (&instrument.name, instrument.unsent.as_ref()?);
    Some(condition(
        Code::DeviceUnsent,
        name,
        Fault::Operator,
        format!("{name}: what it says is not sent: {why}."),
        "Go and see which device stands there; then put it right in its [instrument.bedside], and: orugate reload",
    ))
}

fn parked(destination: &DestinationView) -> Option<Condition> {
    let name = &destination.name;
    let (number, why) = destination.parked.first()?;
    let messages = count(destination.parked.len() as u64, "message is", "messages are");
    Some(condition(
        Code::Parked,
        name,
        Fault::Engine,
        format!("{name}: {messages} parked, the first …{number:016}: {why}."),
        "Nothing is lost. What each needs: orugate parked list. When it is mended: orugate parked send NUMBER",
    ))
}

fn gone(name: &str, messages: usize) -> Condition {
    condition(
        Code::DestinationGone,
        name,
        Fault::Operator,
        format!(
            "{} for {name}, which is no longer configured. Nothing is lost, and nothing goes out.",
            count(messages as u64, "message waits", "messages wait")
        ),
        &format!(
            "Put the destination {name} back until its queue is empty; if it is gone for good, give them up: orugate \
             destination drop {name} --reason \"…\""
        ),
    )
}

fn late(destination: &DestinationView, tls: Option<&Condition>) -> Option<Condition> {
    let late = destination.failing || destination.oldest.unwrap_or(0) > LATE;
    (late && destination.waiting > 0).then(|| {
        let name = &destination.name;
        let ask = format!("Ask whoever runs the engine at {}: is it up?", destination.address);
        condition(
            Code::DestinationLate,
            name,
            tls.map_or(Fault::Engine, |tls| tls.fault),
            format!(
                "{name} has not taken {}, the oldest for {}. They are safe on flash and go out by themselves.",
                count(destination.waiting as u64, "message", "messages"),
                duration(destination.oldest.unwrap_or(0)),
            ),
            tls.map_or(&ask, |tls| &tls.next),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::DeviceClockView;

    #[test]
    fn a_healthy_status_has_none_and_a_full_journal_one() {
        let mut given = Status::default();
        given.journal.health = "good".to_owned();
        assert_eq!(of(&given), []);
        given.journal.nearly_full = true;
        assert_eq!(of(&given).first().map(|c| c.code), Some(Code::JournalFull));
    }

    #[test]
    fn a_bedside_device_that_does_not_talk_is_told_with_the_next_thing_to_do() {
        let mut given = Status { clock: "synchronised".to_owned(), ..Status::default() };
        given.journal.health = "good".to_owned();
        given.now = 600_000_000;
        given.instruments.push(InstrumentView { name: "mon1".to_owned(), ..InstrumentView::default() });
        given.instruments[0].port.line = Line::Up(None);
        let mut told = |device: Device, since: i64| {
            given.instruments[0].port.device = Some((device, since));
            of(&given).iter().map(|c| (c.code, c.to_string())).collect::<Vec<_>>()
        };
        assert_eq!(told(Device::Talking, 0), []);
        assert_eq!(told(Device::Standby, 0), []);
        assert_eq!(told(Device::Connecting, 560_000_000), []);
        for (device, says) in [
            (Device::Connecting, "has not answered yet, for 2 min"),
            (Device::Silent, "does not answer any more, for 2 min. What it said before is withdrawn."),
            (
                Device::Refused("another client has it".to_owned()),
                "refuses to talk to this box: another client",
            ),
        ] {
            let [(Code::DeviceSilent, text)] = &told(device, 480_000_000)[..] else { panic!("{says}") };
            assert!(text.starts_with("mon1: the device") && text.contains(says), "{text}");
        }
        given.instruments[0].port.device = None;
        given.instruments[0].unsent = Some("the device says a bed that is not in `beds`".to_owned());
        let [condition] = &of(&given)[..] else { panic!() };
        assert_eq!((condition.code, condition.fault), (Code::DeviceUnsent, Fault::Operator));
    }

    #[test]
    fn a_clock_that_is_not_set_is_told_with_what_results_do_and_judges_no_instrument() {
        let mut given = Status { clock: "unset".to_owned(), clock_waits: Some(240), ..Status::default() };
        given.journal.health = "good".to_owned();
        given.clock_shows = 300_000_000;
        (given.pending, given.oldest_pending) = (3, Some(70));
        let clock = DeviceClockView {
            words: "24 min behind".to_owned(),
            beyond: true,
            limit: 300,
            ..DeviceClockView::default()
        };
        let name = "one".to_owned();
        given.instruments.push(InstrumentView { name, clock: Some(clock), ..InstrumentView::default() });
        let told = |given: &Status| of(given).iter().map(|c| (c.code, c.to_string())).collect::<Vec<_>>();
        let [(Code::ClockUnset, text)] = &told(&given)[..] else { panic!("{:?}", told(&given)) };
        assert!(text.contains("1970-01-01 00:05 UTC") && text.contains("in 4 min at the latest"), "{text}");
        given.clock_waits = None;
        let codes: Vec<_> = told(&given).into_iter().map(|(code, _)| code).collect();
        assert_eq!(codes, [Code::InterpretationLate, Code::ClockUnset]);
        (given.pending, given.oldest_pending) = (0, None);
        for (quality, says) in [("synchronised", "a note says so"), ("plausible", "either may be wrong")] {
            given.clock = quality.to_owned();
            let [(Code::InstrumentClock, text)] = &told(&given)[..] else { panic!("{:?}", told(&given)) };
            assert!(text.starts_with("one: its clock is 24 min behind this box's, and 5 min are"), "{text}");
            assert!(text.contains(says) && text.contains("Set the instrument's clock"), "{text}");
        }
        given.instruments[0].clock.as_mut().unwrap().is_a_zone = true;
        assert!(told(&given)[0].1.contains("`timezone`"));
        given.instruments[0].clock.as_mut().unwrap().beyond = false;
        assert_eq!(told(&given), []);
    }

    #[test]
    fn what_was_set_aside_is_told_with_the_command_that_says_what_it_touches() {
        let mut given = Status::default();
        given.journal.health = "good".to_owned();
        (given.journal.aside_files, given.journal.aside) = (1, 4 << 20);
        let told = of(&given);
        assert_eq!(told.iter().map(|c| c.code).collect::<Vec<_>>(), [Code::JournalDamaged]);
        assert!(
            told[0].text.starts_with("1 file of the journal")
                && told[0].next.contains("orugate journal verify")
        );
    }

    #[test]
    fn a_backlog_that_fills_the_room_is_told_by_its_queue_until_the_room_is_used_up() {
        let mut given = Status::default();
        given.journal.health = "good".to_owned();
        (given.journal.backlog, given.journal.most_backlog) = (700 << 20, 3024 << 20);
        let mut told = |level, grows: &[For]| {
            given.journal.outlook = Some(Outlook { minutes: 30 * 60, level, grows: grows.to_vec() });
            of(&given).into_iter().map(|c| (c.code, c.to_string())).collect::<Vec<_>>()
        };
        let away = For::Destination("away".to_owned());
        assert_eq!(told(Level::Calm, std::slice::from_ref(&away)), []);
        assert_eq!(
            told(Level::Warning, &[For::Person, away]),
            [(
                Code::JournalFills,
                "The journal has room for about 30 h more at today's rate: 700 of 3024 MiB wait. What waits for away \
                 grows. After that instruments are told to wait. See why it is not taken: orugate status; or raise \
                 journal.max_size and orugate reload, where the disk has room. If away is gone for good, take it out \
                 of the configuration, orugate reload, then: orugate destination drop away --reason \"…\""
                    .to_owned()
            )]
        );
        let holds = told(Level::Urgent, &[For::Person]);
        assert!(
            matches!(&holds[..], [(Code::JournalFullSoon, text)] if text.contains("orugate holds list")),
            "{holds:?}"
        );
        given.journal.nearly_full = true;
        assert_eq!(of(&given).into_iter().map(|c| c.code).collect::<Vec<_>>(), [Code::JournalFull]);
    }

    #[test]
    fn what_waits_behind_tls_that_fails_has_the_next_step_of_tls_and_only_its_own_kind_counts() {
        let mut given = Status::default();
        given.journal.health = "good".to_owned();
        given.destinations.push(DestinationView {
            name: "both".to_owned(),
            failing: true,
            waiting: 1,
            ..DestinationView::default()
        });
        let mut wire = InstrumentView { name: "both".to_owned(), ..InstrumentView::default() };
        wire.port.line = Line::Down("TLS".to_owned());
        given.instruments.push(wire);
        let next = |given: &Status| of(given).into_iter().map(|c| (c.code, c.next)).collect::<Vec<_>>();
        let cable = "Look at cable, power and address; it is tried again by itself.".to_owned();
        let write = "Write tls.cert and tls.key.".to_owned();
        let failed = |peer: Peer| {
            condition(Code::TlsFailed, &peer.subject("both"), Fault::Operator, String::new(), &write)
        };
        given.conditions = vec![failed(Peer::Engine)];
        assert_eq!(next(&given), [(Code::LineDown, cable), (Code::DestinationLate, write.clone())]);
        given.conditions = vec![failed(Peer::Instrument)];
        let ask = "Ask whoever runs the engine at : is it up?".to_owned();
        assert_eq!(next(&given), [(Code::LineDown, write.clone()), (Code::DestinationLate, ask)]);
    }
}
