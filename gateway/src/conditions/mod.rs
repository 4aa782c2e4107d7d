//! What is wrong now: [`Condition`], and the one list of them, [`Conditions`].
//!
//! Promises that a condition is raised once and cleared once, each with one line in the log, however often its source
//! repeats it; that whoever shows trouble (status, log, alerts, a page) reads this list and no other; and that no
//! sentence here holds a patient's data. A source owns its conditions and gives all of them each time
//! ([`Conditions::replace`]), so none can be forgotten when what raised it is gone. Leaves out where conditions come
//! from: [`derive`] makes those that can be read off the status; others have a source of their own.

pub mod derive;

use orugate_protocol::time::Utc;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

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
            Self::Parked => "parked",
            Self::DestinationGone => "destination-gone",
            Self::DestinationLate => "destination-late",
            Self::JournalFills => "journal-fills",
            Self::LineDown => "line-down",
            Self::Holds => "holds",
            Self::CertificateRejected => "certificate-rejected",
            Self::CertificateExpires => "certificate-expires",
            Self::ClockUnset => "clock-unset",
            Self::InstrumentClock => "instrument-clock",
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

/// The list. Cheap to clone; all clones are one list.
#[derive(Clone, Debug, Default)]
pub struct Conditions(Arc<Mutex<Map>>);

/// By source, then by what names the condition.
type Map = BTreeMap<&'static str, BTreeMap<(Code, String), Condition>>;

impl Conditions {
    /// These are all conditions of this source now. New ones are raised, those that are not among them cleared; of
    /// those that stay the sentences are renewed and the time of the first stays. Of two with one name the first counts.
    pub fn replace(&self, source: &'static str, now: Utc, current: Vec<Condition>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_source = all.entry(source).or_default();
        let mut before = std::mem::take(of_source);
        for mut condition in current {
            let name = (condition.code, condition.subject.clone());
            if of_source.contains_key(&name) {
                continue;
            }
            match before.remove(&name) {
                Some(old) => condition.since = old.since,
                None => {
                    condition.since = now.0;
                    tracing::error!(condition = condition.code.as_str(), "{condition}");
                }
            }
            of_source.insert(name, condition);
        }
        for ((code, subject), _) in before {
            tracing::info!(condition = code.as_str(), "no longer so: {}", Subject(&subject));
        }
    }

    /// All of them, worst first.
    #[must_use]
    pub fn list(&self) -> Vec<Condition> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list: Vec<Condition> = all.values().flat_map(BTreeMap::values).cloned().collect();
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
}
