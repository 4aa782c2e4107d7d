//! What a site knows of an instrument and its samples beforehand: rules whose breach holds a result, and tests whose reruns are
//! treated otherwise than the others'.
//!
//! Promises that a rule is compiled once, when the configuration is read, and that trying it allocates nothing in steady
//! state and needs time in proportion to the text (finite automata of bounded size). Leaves out QC: what is no patient's
//! was recognised before, and no rule here is asked about it.

use super::Reruns;
use super::check_digit::CheckDigit;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use orugate_protocol::report::Sender;
use orugate_protocol::text::Text;
use orugate_protocol::time::{ClockQuality, DeviceTime, Precision, Utc};
use regex::bytes::{Regex, RegexBuilder};
use std::fmt;
use std::time::Duration;

/// Bytes that one compiled pattern may take. A sample id's pattern needs some hundred.
const PATTERN_SIZE: usize = 64 << 10;
/// The first year in which a result can have been measured: clocks that lost their battery show one before.
const FIRST_YEAR: u16 = 2000;

/// The rules of one instrument. The default has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Its samples' ids.
    pub sample_id: IdRule,
    /// Which instrument it is.
    pub identity: Identity,
    /// What becomes of a message that broke off.
    pub incomplete: Incomplete,
    /// Which times of results can be true; `None`: they are not judged.
    pub times: Option<Times>,
    /// Tests whose reruns are treated otherwise than the instrument's.
    pub reruns_except: RerunsExcept,
}

/// Tests, by the instrument's code, whose reruns are treated otherwise than the instrument's other ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RerunsExcept(Vec<(String, Reruns)>);

impl RerunsExcept {
    /// Of tests, each once.
    #[must_use]
    pub fn new(mut tests: Vec<(String, Reruns)>) -> Self {
        tests.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Self(tests)
    }

    /// By code.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Reruns)> {
        self.0.iter().map(|(code, reruns)| (&**code, *reruns))
    }

    /// No test is treated otherwise.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is said of a test, by the code as the instrument sends it.
    #[must_use]
    pub fn of(&self, code: &str) -> Option<Reruns> {
        let at = self.0.binary_search_by(|(known, _)| known.as_str().cmp(code)).ok()?;
        self.0.get(at).map(|(_, reruns)| *reruns)
    }
}

/// What becomes of a message that broke off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Incomplete {
    /// What came of it goes out, with a remark.
    #[default]
    Send,
    /// It is held for a person, or for a whole copy.
    Hold,
}

/// What a sample id looks like at this site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdRule {
    /// Its form.
    pub pattern: Option<Pattern>,
    /// Its last character.
    pub check: Option<CheckDigit>,
}

/// A regular expression that must match a whole id.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    whole: Regex,
}

/// Who the instrument says it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its model, as the message names it (LIS02 H.5).
    pub model: Option<String>,
    /// Its serial number.
    pub serial: Option<String>,
}

/// How far a result's time may be from the time of receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// After it, by less than this.
    pub ahead: Duration,
    /// Before it, by less than this; `None`: however old.
    pub older_than: Option<Duration>,
}

impl IdRule {
    /// Why an id is none of this site's, as a clause; `None` when it fits.
    #[must_use]
    pub fn broken_by(&self, id: &str) -> Option<String> {
        let pattern = self.pattern.as_ref().filter(|pattern| !pattern.fits(id));
        let form = pattern.map(|pattern| format!("it does not match the pattern {}", pattern.text));
        form.or_else(|| {
            let check = self.check.filter(|check| !check.fits(id))?;
            Some(format!("its check digit ({}) is wrong", check.as_str()))
        })
    }

    /// Whether an id may be one of this site's.
    #[must_use]
    pub fn fits(&self, id: &str) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.fits(id))
            && self.check.is_none_or(|check| check.fits(id))
    }
}

impl Pattern {
    /// Compiles a pattern of bytes; letters and digits are those of ASCII.
    ///
    /// # Errors
    /// What is wrong with it, as a clause.
    pub fn new(text: &str) -> Result<Self, String> {
        let compile = |text: &str| {
            RegexBuilder::new(text)
                .unicode(false)
                .size_limit(PATTERN_SIZE)
                .dfa_size_limit(PATTERN_SIZE)
                .nest_limit(32)
                .build()
                .map_err(|error| match error {
                    regex::Error::CompiledTooBig(_) => "is too large for a sample id".to_owned(),
                    error => {
                        let said = error.to_string();
                        let why =
                            said.lines().last().unwrap_or_default().trim_start_matches("error: ").trim();
                        format!("is no regular expression: {why}")
                    }
                })
        };
        // By itself first: a parenthesis that is closed too early would end the anchors' one.
        compile(text)?;
        let whole = compile(&format!(r"\A(?:{text})\z"))?;
        Ok(Self { text: text.to_owned(), whole })
    }

    /// As it was typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches the whole id.
    #[must_use]
    pub fn fits(&self, id: &str) -> bool {
        self.whole.is_match(id.as_bytes())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl Identity {
    /// Whether a message is from another instrument, or does not say from which although it must.
    #[must_use]
    pub fn is_other(&self, sender: &Sender<'_>) -> bool {
        let other = |pinned: Option<&String>, said: &Text<'_>| {
            pinned.is_some_and(|pinned| !said.trimmed().reads(pinned))
        };
        other(self.model.as_ref(), &sender.name) || other(self.serial.as_ref(), &sender.serial)
    }
}

impl Times {
    /// Whether a result of this time, received at `received`, cannot be. A clock that is not set judges nothing but the year.
    #[must_use]
    pub fn exclude(&self, time: &DeviceTime, zone: &TimeZone, received: Utc, clock: ClockQuality) -> bool {
        if time.year < FIRST_YEAR {
            return true;
        }
        let Some(earliest) = instant(time, zone).filter(|_| clock != ClockQuality::Unset) else {
            return false;
        };
        let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        let latest = earliest.saturating_add(micros(width(time.precision)));
        let ahead = earliest.saturating_sub(received.0) > micros(self.ahead);
        ahead || self.older_than.is_some_and(|most| received.0.saturating_sub(latest) > micros(most))
    }
}

/// The first instant that a time may mean, microseconds since 1970. In the hour that autumn repeats it is the first of two; in
/// the one that spring leaves out the clock was not set yet.
fn instant(time: &DeviceTime, zone: &TimeZone) -> Option<i64> {
    let part = |n: u8| i8::try_from(n).ok();
    let civil = DateTime::new(
        i16::try_from(time.year).ok()?,
        part(time.month)?,
        part(time.day)?,
        part(time.hour)?,
        part(time.minute)?,
        part(time.second)?,
        0,
    )
    .ok()?;
    let timestamp = match time.offset {
        Some(minutes) => {
            Offset::from_seconds(i32::from(minutes).checked_mul(60)?).ok()?.to_timestamp(civil).ok()?
        }
        None => zone.to_ambiguous_timestamp(civil).compatible().ok()?,
    };
    Some(timestamp.as_microsecond())
}

/// How long a time of this precision goes on.
const fn width(precision: Precision) -> Duration {
    Duration::from_secs(match precision {
        Precision::Year => 366 * 86_400,
        Precision::Month => 31 * 86_400,
        Precision::Day => 86_400,
        Precision::Hour => 3_600,
        Precision::Minute => 60,
        Precision::Second => 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn a_pattern_must_match_the_whole_id_whatever_is_in_it() {
        let fits = |pattern: &str, id: &str| Pattern::new(pattern).unwrap().fits(id);
        for (pattern, good, bad) in [
            (r"\d{8}", "24118834", &["2411883", "241188345", "x24118834", "24118834\n", "٢٤١١٨٨٣٤"][..]),
            ("A|B", "A", &["AB", "xA", "Bx", ""]),
            (r"2[0-9]-\d{6}", "24-118834", &["24118834", " 24-118834"]),
            ("(?i)qx.", "Qx1", &["Qx", "Qx\n"]),
        ] {
            assert!(fits(pattern, good), "{pattern} {good}");
            for bad in bad {
                assert!(!fits(pattern, bad), "{pattern} {bad:?}");
            }
        }
    }

    #[test]
    fn a_pattern_that_is_none_or_too_large_is_told_at_once() {
        let wrong = |pattern: &str| Pattern::new(pattern).unwrap_err();
        assert!(wrong("A)|(B").contains("no regular expression"), "{}", wrong("A)|(B"));
        assert!(wrong("[0-9").contains("no regular expression"));
        assert!(wrong("((a{200}){200}){200}").contains("too large"));
        // What would open a group behind the pattern's own end is refused too.
        assert!(Pattern::new("(?x) a # ").is_err());
        let slow = Pattern::new("(a*)*b").unwrap();
        assert!(!slow.fits(&"a".repeat(100_000)), "in time");
    }

    #[test]
    fn what_breaks_a_rule_is_said_without_the_id() {
        let rule = IdRule { pattern: Some(Pattern::new(r"\d+").unwrap()), check: Some(CheckDigit::Mod10) };
        assert_eq!(rule.broken_by("1256789"), None);
        assert_eq!(rule.broken_by("X1").unwrap(), r"it does not match the pattern \d+");
        assert_eq!(rule.broken_by("1256780").unwrap(), "its check digit (mod10) is wrong");
        assert!(IdRule::default().fits("anything"));
    }

    #[test]
    fn another_name_another_number_and_none_are_another_instrument() {
        let say = |name: &'static str, serial: &'static str| Sender {
            name: Text::plain(name),
            serial: Text::plain(serial),
            ..Sender::default()
        };
        let pinned = |model: &str, serial: &str| Identity {
            model: Some(model.to_owned()).filter(|it| !it.is_empty()),
            serial: Some(serial.to_owned()).filter(|it| !it.is_empty()),
        };
        for (pin, sender, other) in [
            (pinned("", ""), say("", ""), false),
            (pinned("XN-L", ""), say("XN-L", ""), false),
            (pinned("XN-L", ""), say(" XN-L ", "9"), false),
            (pinned("XN-L", ""), say("XN-1000", ""), true),
            (pinned("XN-L", "11"), say("XN-L", "12"), true),
            (pinned("XN-L", "11"), say("XN-L", ""), true),
            (pinned("", "11"), say("", "11"), false),
        ] {
            assert_eq!(pin.is_other(&sender), other, "{pin:?} {sender:?}");
        }
    }

    #[test]
    fn times_far_ahead_before_2000_and_where_asked_for_long_ago_cannot_be() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        // 2026-11-22T09:15:00Z, 10:15 in Berlin.
        let received = Utc("2026-11-22T09:15:00Z".parse::<jiff::Timestamp>().unwrap().as_microsecond());
        let times = Times { ahead: 24 * HOUR, older_than: Some(24 * 30 * HOUR) };
        let judge = |times: &Times, stamp: &str, clock| {
            times.exclude(&DeviceTime::parse(stamp.as_bytes()).unwrap(), &zone, received, clock)
        };
        let good = ClockQuality::Plausible;
        for (stamp, impossible) in [
            ("20261122101500", false),
            ("20261123101459", false),
            ("20261123101600", true),
            // Written with an offset, it is 10:14 the next day here.
            ("20261123091400+0000", false),
            ("20261123091600+0000", true),
            // 30 days ago it was summer there.
            // A day, a month or a year that began, or that has not ended so long ago.
            ("20261123", false),
            ("20261124", true),
            ("2026", false),
            ("2027", true),
            ("202610", false),
            ("202609", true),
            ("20261023111600", false),
            ("20261023111400", true),
            ("19991231235959", true),
            ("20991231", true),
        ] {
            assert_eq!(judge(&times, stamp, good), impossible, "{stamp}");
        }
        let ever = Times { older_than: None, ..times };
        assert!(!judge(&ever, "20000101", good), "old results are sent again on purpose");
        assert!(!judge(&times, "20991231", ClockQuality::Unset), "by a clock that is not set");
        assert!(judge(&times, "19700101", ClockQuality::Unset), "that needs no clock");
    }
}
