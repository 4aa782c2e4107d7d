//! Everything at a glance: the status, read off the state, the journal and the line-up, and the holds.

use super::Admin;
use super::views::{DestinationView, DeviceClockView, InstrumentView, JournalView, Status};
use crate::backlog::For;
use crate::clock::Trust;
use crate::conditions::derive;
use crate::interpret::Asked;
use crate::lineup::Lineup;
use crate::offset::{self, Offset};
use crate::records::{DeviceClock, TimeOf, clock_quality};
use crate::state::{Counts, State, Unproven};
use crate::wear::Wear;
use orugate_journal::Health;
use orugate_protocol::time::{ClockQuality, Tick, Utc};
use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

/// Seconds in so many microseconds.
pub(super) fn seconds(micros: i64) -> i64 {
    micros.max(0) / 1_000_000
}

impl Admin {
    pub(super) fn status(&self) -> Status {
        let mut status = self.glance();
        status.conditions = self.conditions.list();
        self.conditions.replace("status", Utc(status.now), derive::of(&status));
        status.conditions = self.conditions.list();
        status
    }

    /// The status without its conditions.
    fn glance(&self) -> Status {
        let now = self.clock.reckoned().0;
        let (tick, quality) = (self.clock.tick(), self.clock.quality());
        let lineup = self.lineup.get();
        let state = self.store.state();
        let counts: BTreeMap<&str, Counts> = state.ledger().map(|(name, counts)| (name, *counts)).collect();
        let space = self.store.journal().space();
        let indexed = self.store.journal().indexed();
        let (backlog, most_backlog) = (self.store.needed_bytes(), self.store.most_needed());
        let outlook = {
            let mut seen = self.backlog.lock().unwrap_or_else(PoisonError::into_inner);
            seen.see(tick, backlog, || waits(&state));
            seen.outlook(backlog, most_backlog)
        };
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            now,
            clock: format!("{quality:?}").to_lowercase(),
            clock_words: self.clock.words().to_owned(),
            clock_shows: self.clock.utc().0,
            clock_waits: match self.clock.trust() {
                Trust::Waits(left) => Some(i64::try_from(left.as_secs()).unwrap_or(i64::MAX)),
                Trust::Good | Trust::Doubted => None,
            },
            config: lineup.config.clone(),
            conditions: Vec::new(),
            instruments: lineup
                .instruments
                .iter()
                .map(|i| InstrumentView {
                    name: i.plan.name.clone(),
                    profile: i.plan.profile_name.clone(),
                    evidence: i.plan.profile.common().evidence.to_string(),
                    verified: verified(&state, &lineup, &i.plan.name),
                    unproven: unproven(&state, &lineup, &i.plan.name),
                    mode: i.mode().to_owned(),
                    wire: i.wire(),
                    listens: i.listens(),
                    port: i.status.view(),
                    counts: counts.get(i.plan.name.as_str()).copied().unwrap_or_default().into(),
                    clock: device_clock(state.device_clock(&i.plan.name), quality, i.plan.clock_limit),
                    unsent: state
                        .bedside(&i.plan.name)
                        .and_then(|device| Some(device.unsent.as_ref()?.why.clone())),
                })
                .collect(),
            unconfigured: state
                .queues()
                .filter(|(name, _)| lineup.destination(name).is_none())
                .map(|(name, queue)| (name.to_owned(), queue.unsettled()))
                .filter(|(_, messages)| *messages > 0)
                .collect(),
            destinations: lineup
                .destinations
                .iter()
                .map(|reached| {
                    let name = &reached.plan.name;
                    let forwarder = &reached.forwarder;
                    let mut view = DestinationView {
                        name: name.clone(),
                        address: reached.plan.address.clone(),
                        link: forwarder.words(tick),
                        failing: forwarder.fails(),
                        connecting: forwarder.is_connecting(),
                        ..DestinationView::default()
                    };
                    if let Some(queue) = state.queue(name) {
                        view.waiting = queue.waiting.len();
                        view.oldest = queue.waiting.values().next().map(|w| seconds(now - w.made));
                        view.parked = queue.parked.iter().map(|(n, (_, why))| (*n, why.clone())).collect();
                        view.delivered = queue.delivered;
                        view.given_up = queue.given_up;
                        view.given_up_observations = queue.given_up_observations;
                        view.observations = queue.observations;
                        view.delivered_observations = queue.delivered_observations;
                    }
                    view
                })
                .collect(),
            captures: self.recorder.view(),
            holds: state.holds().count(),
            oldest_hold: state.holds().map(|(_, h)| seconds(now - h.hold.at)).max(),
            overdue: self.watch.lock().unwrap_or_else(PoisonError::into_inner).see(
                Utc(now),
                tick,
                lineup.plan.alerts.hold_older_than,
                state.holds().map(|(number, open)| (number, &open.hold)),
            ),
            pending: state.pending().count(),
            oldest_pending: state
                .next_pending()
                .and_then(|number| state.message(number))
                // What came while the clock was not set came since the start, for all that is known.
                .map(|message| match clock_quality(message.clock) {
                    ClockQuality::Unset => seconds(i64::try_from(tick.micros()).unwrap_or(i64::MAX)),
                    _ => seconds(now - message.received),
                }),
            journal: JournalView {
                health: match self.store.journal().health() {
                    Health::Good => "good".to_owned(),
                    Health::Failed(why) => why,
                },
                used: space.used,
                limit: space.limit,
                backlog,
                most_backlog,
                outlook,
                all_since: space
                    .all_since
                    .map(|at| i64::try_from(at.0.saturating_mul(1000)).unwrap_or(i64::MAX)),
                wear: Wear::of(
                    self.store.journal().written(),
                    tick.since(Tick::ZERO),
                    lineup.plan.journal.endurance,
                ),
                snapshots_dropped: space.thinned,
                aside_files: space.aside_files,
                aside: space.aside,
                nearly_full: self.store.nearly_full(),
                unread: indexed.segments.saturating_sub(indexed.indexed).saturating_sub(indexed.unreadable),
                unreadable: indexed.unreadable,
            },
        }
    }
}

fn device_clock(seen: &[DeviceClock], quality: ClockQuality, limit: Duration) -> Option<DeviceClockView> {
    let seen: Vec<DeviceClock> = offset::counting(seen, quality).copied().collect();
    let (offset, newest) = (offset::judge(&seen)?, seen.last()?);
    let (known, micros) = match offset {
        Offset::Known(micros) => (true, micros),
        Offset::AtLeast(micros) => (false, micros),
    };
    Some(DeviceClockView {
        offset: micros,
        known,
        words: offset.to_string(),
        beyond: offset.is_beyond(i64::try_from(limit.as_micros()).unwrap_or(i64::MAX)),
        is_a_zone: offset.is_a_zone(),
        by_results: newest.of == TimeOf::Result,
        at: newest.received,
        limit: limit.as_secs(),
    })
}

/// The newest verification that proves an instrument's profile, with its maps.
fn verified(state: &State, lineup: &Lineup, instrument: &str) -> Option<u64> {
    let of = &lineup.subject(instrument)?.provenance;
    let maps = of.map_hash();
    let mut proofs = state.verifications().proofs(instrument, &of.profile_hash, &maps);
    proofs.next().map(|(session, _)| session)
}

/// Why all results of an instrument are held, as far as the journal and the configuration tell.
fn unproven(state: &State, lineup: &Lineup, instrument: &str) -> Option<String> {
    let subject = lineup.subject(instrument).filter(|subject| subject.asked == Asked::Proof)?;
    let of = &subject.provenance;
    let why = state.verifications().why_not(instrument, &of.profile_hash, &of.map_hash())?;
    Some(match why {
        Unproven::Never => "no verification of it is in the journal".to_owned(),
        Unproven::Changed(session) => {
            format!("its profile or its map is another than that of verification {session}")
        }
    })
}

/// What is not settled, by what it waits for.
fn waits(state: &State) -> Vec<(For, usize)> {
    let queues = state.queues().map(|(name, queue)| (For::Destination(name.to_owned()), queue.unsettled()));
    let others = [(For::Person, state.holds().count()), (For::Interpretation, state.pending().count())];
    queues.chain(others).collect()
}
