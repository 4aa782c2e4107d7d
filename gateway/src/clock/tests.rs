//! A clock in 1970, one that is set while it runs, and one that goes back: what is written, how old things are, what waits.
#![allow(clippy::disallowed_methods)] // A test lets time pass.

use super::*;

const HOUR: i64 = 3_600_000_000;
/// 2026-11-22T00:00:00Z.
const NEWEST: i64 = 1_795_305_600_000_000;

struct Watched {
    clock: Clock,
    newest: Arc<AtomicI64>,
}

fn shows(utc: i64) -> Watched {
    let newest = Arc::new(AtomicI64::new(NEWEST));
    let clock = Clock::starting_at(Utc(utc)).following(newest.clone());
    Watched { clock, newest }
}

impl Watched {
    /// A record is written, and the journal's newest time is what it was stamped with.
    fn writes(&self) -> i64 {
        let stamp = self.clock.stamp().0;
        self.newest.fetch_max(stamp, Ordering::AcqRel);
        stamp
    }
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_box_in_1970_waits_five_minutes_and_then_goes_on_with_doubt() {
    let gateway = shows(7_000_000);
    let clock = &gateway.clock;
    assert_eq!((clock.quality(), clock.trust()), (ClockQuality::Unset, Trust::Waits(WAIT)));
    pass(299).await;
    assert_eq!(clock.trust(), Trust::Waits(Duration::from_secs(1)));
    pass(1).await;
    assert_eq!(clock.trust(), Trust::Doubted);
    pass(86_400).await;
    assert_eq!(clock.trust(), Trust::Doubted, "it does not begin anew");
}

#[tokio::test(start_paused = true)]
async fn what_is_written_meanwhile_is_never_before_the_journal_and_never_of_one_time() {
    let gateway = shows(7_000_000);
    let written: Vec<i64> = (0..3).map(|_| gateway.writes()).collect();
    assert_eq!(written, [NEWEST + 1, NEWEST + 2, NEWEST + 3]);
    assert_eq!(gateway.clock.utc(), Utc(7_000_000), "the clock itself is told as it is");
}

#[tokio::test(start_paused = true)]
async fn ages_grow_while_the_clock_stands_and_make_no_leap_of_56_years_when_it_is_set() {
    let gateway = shows(7_000_000);
    let stamp = gateway.writes();
    let age = || gateway.clock.reckoned().0 - stamp;
    assert!(age() < 1_000_000);
    pass(7200).await;
    assert_eq!(age() / HOUR, 2);
    gateway.clock.set(Utc(NEWEST + 5 * HOUR));
    assert_eq!(
        (gateway.clock.trust(), age() / HOUR),
        (Trust::Good, 4),
        "as long as the box was off, and no more"
    );
    assert_eq!(gateway.writes(), NEWEST + 5 * HOUR);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_goes_back_by_an_hour_is_doubted_until_it_has_caught_up() {
    let gateway = shows(NEWEST + HOUR);
    assert_eq!(gateway.writes(), NEWEST + HOUR);
    assert_eq!(gateway.clock.trust(), Trust::Good);
    gateway.clock.set(Utc(NEWEST));
    assert_eq!(gateway.clock.trust(), Trust::Waits(WAIT));
    assert_eq!(gateway.writes(), NEWEST + HOUR + 1, "no later report is older than an earlier one");
    pass(3590).await;
    assert_eq!(gateway.clock.trust(), Trust::Doubted);
    pass(10).await;
    assert_eq!(gateway.clock.trust(), Trust::Good);
    gateway.clock.set(Utc(NEWEST));
    assert_eq!(gateway.clock.trust(), Trust::Waits(WAIT), "another doubt, with a wait of its own");
}

#[tokio::test(start_paused = true)]
async fn a_second_back_is_nothing_and_what_somebody_vouches_for_is_believed() {
    let gateway = shows(NEWEST + HOUR);
    gateway.writes();
    gateway.clock.set(Utc(NEWEST + HOUR - 1_000_000));
    assert_eq!(gateway.clock.quality(), ClockQuality::Plausible);
    gateway.clock.set(Utc(NEWEST - 24 * HOUR));
    assert_eq!(gateway.clock.quality(), ClockQuality::Unset);
    gateway.clock.vouch(true);
    assert_eq!((gateway.clock.quality(), gateway.clock.trust()), (ClockQuality::Synchronised, Trust::Good));
    assert_eq!(gateway.clock.stamp(), Utc(NEWEST - 24 * HOUR), "it was wrong before");
    gateway.clock.set(Utc(7_000_000));
    assert_eq!(gateway.clock.quality(), ClockQuality::Unset, "nobody can vouch for 1970");
}

#[tokio::test(start_paused = true)]
async fn another_gateway_on_the_same_clock_waits_anew() {
    let gateway = shows(7_000_000);
    let _ = gateway.clock.trust();
    pass(400).await;
    let next = gateway.clock.following(gateway.newest.clone());
    assert_eq!((gateway.clock.trust(), next.trust()), (Trust::Doubted, Trust::Waits(WAIT)));
}
