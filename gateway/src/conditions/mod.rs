//! What is wrong now: [`Condition`], and the one list of them, [`Conditions`].
//!
//! Promises that a condition is raised once and cleared once, each with one line in the log and one [`Event`] for who listens,
//! however often its source repeats it; that one is told again only where [`Conditions::repeat`] asks for it; that whoever shows trouble (status, log, alerts, a page) reads this list and no other; and that no
//! sentence here holds a patient's data. A source owns its conditions and gives all of them each time
//! ([`Conditions::replace`]), so none can be forgotten when what raised it is gone. Leaves out where conditions come
//! from: [`derive`] makes those that can be read off the status; others have a source of their own.

pub mod derive;
mod overdue;

pub use overdue::{Overdue, Watch};

use orugate_protocol::time::{Tick, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// What kind of trouble; in this order, worst first, conditions are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// Nothing can be stored.
    JournalFailed,
    /// No more than what is open can be stored.
    JournalFull,
    /// At today's rate that is so within 8 hours.
    JournalFullSoon,
    /// Observations that are in no disposition.
    LedgerUnbalanced,
    /// Something in the journal was needed and could not be read.
    JournalDamaged,
    /// A configuration that was to be applied is wrong; the old one stays.
    ConfigRejected,
    /// A configuration was applied but for what needs a restart.
    ConfigRestart,
    /// A driver panicked or came to no end.
    DriverFailed,
    /// Messages are stored and not interpreted.
    InterpretationLate,
    /// What was sent before is not known yet, or not whole.
    HistoryUnknown,
    /// A certificate or revocation list is out of date.
    CertificateExpired,
    /// A TLS connection cannot be made.
    TlsFailed,
    /// A certificate or revocation list is out of date in 7 days.
    CertificateExpiresSoon,
    /// Results wait for a person for longer than the site wants.
    HoldOverdue,
    /// An engine refused messages for good.
    Parked,
    /// Messages wait for a destination that is not configured any more.
    DestinationGone,
    /// An engine does not take what waits.
    DestinationLate,
    /// At today's rate no more can be stored within 48 hours.
    JournalFills,
    /// A wire that the gateway opens is not open.
    LineDown,
    /// Nothing of what a bedside device says is sent.
    DeviceUnsent,
    /// A bedside device does not answer, or does not want to.
    DeviceSilent,
    /// A profile is only described and not proven with its instrument, so all that comes is held.
    Unproven,
    /// Results wait for a person.
    Holds,
    /// New certificate files cannot be used; the last good ones stay.
    CertificateRejected,
    /// A certificate or revocation list is out of date in 30 days.
    CertificateExpires,
    /// The clock is behind the journal.
    ClockUnset,
    /// An instrument's clock is off by more than its limit.
    InstrumentClock,
    /// The site's command did not take a condition.
    AlertFailed,
    /// Lines are not captured, or less of them than is configured.
    CaptureShort,
}

impl Code {
    /// As it stands in logs and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JournalFailed => "journal-failed",
            Self::JournalFull => "journal-full",
            Self::JournalFullSoon => "journal-full-soon",
            Self::LedgerUnbalanced => "ledger-unbalanced",
            Self::JournalDamaged => "journal-damaged",
            Self::ConfigRejected => "config-rejected",
            Self::ConfigRestart => "config-restart",
            Self::DriverFailed => "driver-failed",
            Self::InterpretationLate => "interpretation-late",
            Self::HistoryUnknown => "history-unknown",
            Self::CertificateExpired => "certificate-expired",
            Self::TlsFailed => "tls-failed",
            Self::CertificateExpiresSoon => "certificate-expires-soon",
            Self::HoldOverdue => "hold-overdue",
            Self::Parked => "parked",
            Self::DestinationGone => "destination-gone",
            Self::DestinationLate => "destination-late",
            Self::JournalFills => "journal-fills",
            Self::LineDown => "line-down",
            Self::DeviceUnsent => "device-unsent",
            Self::DeviceSilent => "device-silent",
            Self::Unproven => "unproven-profile",
            Self::Holds => "holds",
            Self::CertificateRejected => "certificate-rejected",
            Self::CertificateExpires => "certificate-expires",
            Self::ClockUnset => "clock-unset",
            Self::InstrumentClock => "instrument-clock",
            Self::AlertFailed => "alert-failed",
            Self::CaptureShort => "capture-short",
        }
    }
}

/// Whose fault it most likely is: who has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The instrument, its cable or its settings.
    Instrument,
    /// The engine or the network to it.
    Engine,
    /// Whoever configures or serves this box.
    Operator,
    /// The disk.
    Disk,
    /// This software.
    Orugate,
}

/// Something that is wrong now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// What kind.
    pub code: Code,
    /// Which instrument, destination or file; empty for the whole gateway. With the code it names the condition, so
    /// where a code is raised for instruments and destinations alike, the kind is said too: `destination engine`.
    pub subject: String,
    /// Whose fault.
    pub fault: Fault,
    /// Since when, microseconds since 1970; the list keeps the first.
    pub since: i64,
    /// What is wrong: sentences that name the subject.
    pub text: String,
    /// What to do next: a sentence.
    pub next: String,
}

/// For people: what is wrong, then what to do.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.text, self.next)
    }
}

/// What is told of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// It is so from now on.
    Raised,
    /// It is so still.
    Repeated,
    /// It is no longer so.
    Cleared,
}

/// Something to tell of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub what: What,
    /// The condition; of one that is cleared the last words.
    pub condition: Condition,
}

/// Who is told, at once and on the thread that finds it: must not wait.
type Listener = Box<dyn Fn(Event) + Send + Sync>;

/// The list. Cheap to clone; all clones are one list.
#[derive(Clone, Default)]
pub struct Conditions(Arc<Inner>);

#[derive(Default)]
struct Inner {
    all: Mutex<Map>,
    listener: OnceLock<Listener>,
}

/// By source, then by what names the condition.
type Map = BTreeMap<&'static str, BTreeMap<(Code, String), Kept>>;

struct Kept {
    condition: Condition,
    /// When it was told last, for those that are told again.
    told: Option<Tick>,
}

impl fmt::Debug for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Conditions").field(&self.list()).finish()
    }
}

impl Conditions {
    /// From now on this is told of everything. Only the first who asks is.
    pub fn listen(&self, listener: impl Fn(Event) + Send + Sync + 'static) {
        let _ = self.0.listener.set(Box::new(listener));
    }

    /// These are all conditions of this source now. New ones are raised, those that are not among them cleared; of
    /// those that stay the sentences are renewed and the time of the first stays. Of two with one name the first counts.
    pub fn replace(&self, source: &'static str, now: Utc, current: Vec<Condition>) {
        let mut events = Vec::new();
        let mut all = self.0.all.lock().unwrap_or_else(PoisonError::into_inner);
        let of_source = all.entry(source).or_default();
        let mut before = std::mem::take(of_source);
        for mut condition in current {
            let name = (condition.code, condition.subject.clone());
            if of_source.contains_key(&name) {
                continue;
            }
            let mut told = None;
            match before.remove(&name) {
                Some(old) => (condition.since, told) = (old.condition.since, old.told),
                None => {
                    condition.since = now.0;
                    tracing::error!(condition = condition.code.as_str(), "{condition}");
                    events.push(Event { what: What::Raised, condition: condition.clone() });
                }
            }
            of_source.insert(name, Kept { condition, told });
        }
        for ((code, subject), Kept { condition, .. }) in before {
            tracing::info!(condition = code.as_str(), "no longer so: {}", Subject(&subject));
            events.push(Event { what: What::Cleared, condition });
        }
        drop(all);
        self.tell(events);
    }

    /// Tells of the conditions of this kind again that were told last so long before `now`.
    pub fn repeat(&self, code: Code, now: Tick, every: Duration) {
        let mut events = Vec::new();
        let mut all = self.0.all.lock().unwrap_or_else(PoisonError::into_inner);
        for kept in all.values_mut().flat_map(BTreeMap::values_mut).filter(|kept| kept.condition.code == code)
        {
            let told = *kept.told.get_or_insert(now);
            if now.since(told) >= every {
                kept.told = Some(now);
                tracing::error!(condition = code.as_str(), "{}", kept.condition);
                events.push(Event { what: What::Repeated, condition: kept.condition.clone() });
            }
        }
        drop(all);
        self.tell(events);
    }

    fn tell(&self, events: Vec<Event>) {
        if let Some(listener) = self.0.listener.get() {
            events.into_iter().for_each(listener);
        }
    }

    /// All of them, worst first.
    #[must_use]
    pub fn list(&self) -> Vec<Condition> {
        let all = self.0.all.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = all.values().flat_map(BTreeMap::values);
        let mut list: Vec<Condition> = kept.map(|kept| kept.condition.clone()).collect();
        list.sort_by(|a, b| (a.code, &a.subject).cmp(&(b.code, &b.subject)));
        list
    }
}

struct Subject<'s>(&'s str);

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "the gateway" } else { self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(code: Code, subject: &str, text: &str) -> Condition {
        Condition {
            code,
            subject: subject.to_owned(),
            fault: Fault::Operator,
            since: 0,
            text: text.to_owned(),
            next: "Act.".to_owned(),
        }
    }

    #[test]
    fn a_condition_keeps_its_first_time_and_its_newest_words_until_its_source_no_longer_gives_it() {
        let conditions = Conditions::default();
        conditions.replace("a", Utc(1), vec![condition(Code::Parked, "engine", "1 message.")]);
        conditions.replace("b", Utc(2), vec![condition(Code::JournalFull, "", "Full.")]);
        conditions.replace("a", Utc(3), vec![condition(Code::Parked, "engine", "2 messages.")]);
        let told: Vec<_> = conditions.list().into_iter().map(|c| (c.code, c.since, c.to_string())).collect();
        assert_eq!(
            told,
            [
                (Code::JournalFull, 2, "Full. Act.".to_owned()),
                (Code::Parked, 1, "2 messages. Act.".to_owned()),
            ]
        );
        conditions.replace("a", Utc(4), Vec::new());
        conditions.replace("a", Utc(5), vec![condition(Code::Parked, "engine", "1 message.")]);
        assert_eq!(conditions.list().last().map(|c| c.since), Some(5), "raised anew");
    }

    #[test]
    fn of_two_with_one_name_the_first_counts_and_keeps_its_time() {
        let conditions = Conditions::default();
        let both = || {
            vec![condition(Code::Parked, "engine", "First."), condition(Code::Parked, "engine", "Second.")]
        };
        for now in [1, 2, 3] {
            conditions.replace("a", Utc(now), both());
            let told: Vec<_> = conditions.list().into_iter().map(|c| (c.since, c.text)).collect();
            assert_eq!(told, [(1, "First.".to_owned())]);
        }
    }

    #[test]
    fn what_listens_hears_each_raise_repetition_and_end_once() {
        let conditions = Conditions::default();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = heard.clone();
        conditions.listen(move |event| ear.lock().unwrap().push((event.what, event.condition.text)));
        let minutes = |n: u64| Tick::from_micros(n * 60_000_000);
        let half_an_hour = Duration::from_secs(1_800);
        // As the gateway does: every few seconds all of it, and a look whether to repeat.
        for n in 0..=75 {
            let text = format!("{n} min.");
            let now = i64::try_from(n).unwrap();
            conditions.replace("a", Utc(now), vec![condition(Code::HoldOverdue, "", &text)]);
            conditions.replace("b", Utc(now), vec![condition(Code::Parked, "engine", "Not repeated.")]);
            conditions.repeat(Code::HoldOverdue, minutes(n), half_an_hour);
        }
        conditions.replace("a", Utc(76), Vec::new());
        conditions.repeat(Code::HoldOverdue, minutes(200), half_an_hour);
        // Raised again it is new, and its half hour begins then.
        conditions.replace("a", Utc(77), vec![condition(Code::HoldOverdue, "", "again.")]);
        conditions.repeat(Code::HoldOverdue, minutes(201), half_an_hour);
        let heard: Vec<_> = heard.lock().unwrap().clone();
        let expected = [
            (What::Raised, "0 min."),
            (What::Raised, "Not repeated."),
            (What::Repeated, "30 min."),
            (What::Repeated, "60 min."),
            (What::Cleared, "75 min."),
            (What::Raised, "again."),
        ];
        assert_eq!(heard, expected.map(|(what, text)| (what, text.to_owned())));
    }
}
