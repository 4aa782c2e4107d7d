//! Every fault at every step of the dialogue, into a whole gateway on a clock of the test's own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods)] // A rig lets time pass, and watches that the real one does not.

mod cells;
mod net;
mod rig;
mod sending;

#[test]
fn whatever_happens_while_the_instrument_sends() {
    sending::tables();
}
