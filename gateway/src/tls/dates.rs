//! What is out of date, or will be soon.
//!
//! Promises to say nothing by a clock that is known to be wrong. A certificate is told 30 and 7 days before its end, a
//! list 7 days, but only when two thirds of a certificate's life, or five sixths of a list's, are over: one that is
//! renewed every week would otherwise be told always, and then nobody looks.

use super::facts::day;
use super::files::{Dated, Finding, Kind, Weight};
use super::trouble::Peer;
use crate::clock::Clock;
use crate::conditions::{Code, Condition, Fault};
use orugate_protocol::time::ClockQuality;

const DAY: i64 = 86_400;

/// How near the end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Good,
    /// 30 days.
    Later,
    /// 7 days.
    Soon,
    NotYet,
    Over,
}

fn state(dated: &Dated, now: i64) -> State {
    let (from, until) = dated.valid;
    let (left, life) = (until.saturating_sub(now), until.saturating_sub(from));
    let part = if dated.kind == Kind::List { 6 } else { 3 };
    let near = left <= life / part;
    match left {
        ..0 => State::Over,
        _ if now < from => State::NotYet,
        _ if near && left <= 7 * DAY => State::Soon,
        _ if near && left <= 30 * DAY && dated.kind != Kind::List => State::Later,
        _ => State::Good,
    }
}

/// Seconds since 1970, by a clock that can be trusted.
fn now(clock: &Clock) -> Option<i64> {
    (clock.quality() != ClockQuality::Unset).then(|| clock.utc().0 / 1_000_000)
}

/// Whatever matters now: an old authority may stay in its file beside the new one for as long as somebody needs it.
fn matters<'d>(all: impl Iterator<Item = &'d Dated> + Clone, now: i64) -> Vec<(&'d Dated, State)> {
    let living = all.clone().any(|d| d.kind == Kind::Authority && state(d, now) < State::NotYet);
    let told = all.map(|dated| (dated, state(dated, now)));
    let told = told.filter(|(dated, state)| {
        *state > State::Good && !(living && dated.kind == Kind::Authority && *state >= State::NotYet)
    });
    let mut told: Vec<_> = told.collect();
    // Of two with one name the one that ends first is told.
    told.sort_by_key(|(dated, _)| dated.valid.1);
    told
}

/// Conditions of a user's files and of its peer.
pub(super) fn conditions<'d>(
    name: &str,
    peer: Peer,
    all: impl Iterator<Item = &'d Dated> + Clone,
    clock: &Clock,
) -> Vec<Condition> {
    let Some(now) = now(clock) else { return Vec::new() };
    let fault = if peer == Peer::Engine { Fault::Engine } else { Fault::Instrument };
    let told = matters(all, now).into_iter().map(|(dated, state)| Condition {
        code: match state {
            State::Good | State::Later => Code::CertificateExpires,
            State::Soon => Code::CertificateExpiresSoon,
            State::NotYet | State::Over => Code::CertificateExpired,
        },
        subject: format!("{}, {}", peer.subject(name), dated.what),
        fault: if dated.kind == Kind::Peer { fault } else { Fault::Operator },
        since: 0,
        text: format!("{name}: {}.", words(dated, state, now)),
        next: match dated.kind {
            Kind::Own => "Put a new certificate and its key in place; no restart is needed.",
            Kind::Authority => {
                "Put the new authority into the file beside the old one before the peer changes."
            }
            Kind::List => "Bring the newest list into the file; without it connections are refused.",
            Kind::Peer => "Tell whoever runs the other side to renew it. If it was renewed, the next connection shows it.",
        }
        .to_owned(),
    });
    told.collect()
}

/// The same for `orugate check`.
pub(super) fn findings(
    all: &[Dated],
    ca_key: &'static str,
    clock: &Clock,
) -> Vec<(&'static str, String, Weight)> {
    let Some(now) = now(clock) else { return Vec::new() };
    let told = matters(all.iter(), now).into_iter().map(|(dated, state)| {
        let key = match dated.kind {
            Kind::Own | Kind::Peer => "cert",
            Kind::List => "crl",
            Kind::Authority => ca_key,
        };
        (key, words(dated, state, now), Weight::Remark)
    });
    told.collect()
}

/// What makes new files worse than those in use: something is out of date in them, and nothing was before.
pub(super) fn worse(before: &[Dated], after: &[Dated], clock: &Clock) -> Vec<Finding> {
    let Some(now) = now(clock) else { return Vec::new() };
    let bad = |all: &[Dated], kind| {
        let bad = all.iter().find(|d| d.kind == kind && state(d, now) >= State::NotYet);
        bad.cloned()
    };
    let found = [(Kind::Own, "cert"), (Kind::List, "crl")].into_iter().filter_map(|(kind, key)| {
        let new = bad(after, kind).filter(|_| bad(before, kind).is_none())?;
        let message = format!("{}, and what was there before is good", words(&new, state(&new, now), now));
        Some(Finding { key, message, weight: Weight::Wrong })
    });
    found.collect()
}

fn words(dated: &Dated, state: State, now: i64) -> String {
    let (from, until) = dated.valid;
    let what = &dated.what;
    match state {
        State::Over => format!("{what} is out of date since {}", day(until)),
        State::NotYet => format!("{what} is not valid before {}", day(from)),
        _ => {
            let days = until.saturating_sub(now) / DAY;
            let days = if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
            format!("{what} runs out in {days}, on {}", day(until))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orugate_protocol::time::Utc;

    fn dated(kind: Kind, from: i64, until: i64) -> Dated {
        Dated { kind, what: "it".to_owned(), valid: (from * DAY, until * DAY) }
    }

    #[test]
    fn certificates_are_told_30_and_7_days_before_their_end_and_lists_7() {
        let rows = [
            (Kind::Own, 0, 400, 369, State::Good),
            (Kind::Own, 0, 400, 370, State::Later),
            (Kind::Peer, 0, 400, 393, State::Soon),
            (Kind::Own, 0, 400, 400, State::Soon),
            (Kind::Own, 0, 400, 401, State::Over),
            (Kind::Own, 10, 400, 9, State::NotYet),
            // Renewed every 21 days: told a week before its end, not from the first day on.
            (Kind::Own, 0, 21, 13, State::Good),
            (Kind::Own, 0, 21, 14, State::Soon),
            (Kind::List, 0, 90, 80, State::Good),
            (Kind::List, 0, 90, 83, State::Soon),
            // Made anew every week.
            (Kind::List, 0, 7, 5, State::Good),
            (Kind::List, 0, 7, 6, State::Soon),
        ];
        for (kind, from, until, now, expected) in rows {
            let dated = dated(kind, from, until);
            assert_eq!(state(&dated, now * DAY), expected, "{dated:?} at day {now}");
        }
    }

    #[test]
    fn an_old_authority_may_stay_beside_the_new_one() {
        let both = [dated(Kind::Authority, 0, 100), dated(Kind::Authority, 50, 900)];
        assert_eq!(matters(both.iter(), 200 * DAY), []);
        assert_eq!(matters(both[..1].iter(), 200 * DAY).len(), 1);
    }

    #[tokio::test]
    async fn a_clock_that_is_wrong_judges_nothing() {
        let over = [dated(Kind::Own, 0, 100)];
        // 1970, with a journal of later.
        let clock = Clock::starting_at(Utc(0));
        assert_eq!(conditions("engine", Peer::Engine, over.iter(), &clock), []);
        assert_eq!(worse(&[], &over, &clock), []);
    }
}
