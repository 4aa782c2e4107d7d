//! Every fault at every step of the dialogue, into a whole gateway on a clock of the test's own.
//!
//! What is expected stands in tables, a cell for each fault and step; `docs/faults.md` shows them to people.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods)] // A rig lets time pass, and watches that the real one does not.

mod asking;
mod bare;
mod cells;
mod clocks;
mod engine;
mod full;
mod net;
mod odd;
mod page;
mod peer;
mod rig;
mod sending;

use cells::Mode;

#[test]
fn whatever_happens_while_the_instrument_sends() {
    sending::tables(Mode::Play);
}

#[test]
fn whatever_happens_on_a_line_of_bare_records() {
    bare::tables(Mode::Play);
}

#[test]
fn whatever_happens_while_the_gateway_answers_a_query() {
    asking::table(Mode::Play);
}

#[test]
fn whatever_the_engine_does() {
    engine::tables(Mode::Play);
}

#[test]
fn whatever_lasts_long_or_is_odd() {
    std::thread::scope(|scope| {
        let plays = odd::PLAYS.iter().chain(&clocks::PLAYS);
        let plays: Vec<_> = plays.map(|(name, _, play)| (name, scope.spawn(play))).collect();
        let failed: Vec<_> =
            plays.into_iter().filter_map(|(name, play)| play.join().err().map(|_| name)).collect();
        assert!(failed.is_empty(), "{failed:?}");
    });
}
