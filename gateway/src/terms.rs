//! What each record can be found by, without reading the journal from its beginning.
//!
//! An outcome is found by the specimens that it is about: that is how it is known whether a result was sent before. An ORU is
//! found by its number, and so is what kept it from its destination: that is how it is known what became of it. Everything is
//! found by the numbers of the messages, ORUs and holds that it is about, so that a tool can gather all that concerns one of
//! them. All are hashes; no sample id is in an index.

use crate::records::{
    Abandoned, Attempt, Chunk, Delivery, DeliveryResult, Dropped, Hold, HoldSettled, Meta, NeverSent,
    Observed, Oru, Outcome, ParkedSettled, Redriven, Verification, VerificationAct,
};
use orugate_journal::{RecordRef, Term};

/// Grows when [`terms`] says something else of a record than before: then indexes are made again.
pub const VERSION: u32 = 3;

/// Of records that may concern anything. No number is 0.
pub const ALL: Term = Term::number(0);

/// Of all that people said when they compared an instrument's screen with what was sent. No number is this.
pub const VERIFICATIONS: Term = Term::number(u64::MAX);

/// The term of a specimen, by its keyed hash.
#[must_use]
pub const fn specimen(hash: u128) -> Term {
    // Half of a keyed hash is as good a hash; who finds an outcome compares the whole.
    Term::at_hand(hash as u64)
}

/// The term of an ORU and of what kept it from its destination, by the ORU's number.
#[must_use]
pub const fn oru(number: u64) -> Term {
    // Any odd number spreads a counter over all 64 bits.
    Term::at_hand(number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// The term of what gave up all that waited for a destination.
pub const DROPPED: Term = oru(0);

/// The outcome that a record is, if it is about this specimen. Terms are half a hash; this compares the whole.
#[must_use]
pub fn outcome_of(record: &RecordRef<'_>, specimen: u128) -> Option<Outcome> {
    let outcome = record.kind.0 == Outcome::KIND;
    let outcome = outcome.then(|| Outcome::decode(record.meta_version, record.meta)).flatten()?;
    outcome.specimens.contains(&specimen).then_some(outcome)
}

/// The terms of a record; none for what concerns nothing in particular, and for what this version does not know.
pub fn terms(record: &RecordRef<'_>, found_by: &mut dyn FnMut(Term)) {
    let (version, meta, own) = (record.meta_version, record.meta, record.sequence.0);
    match record.kind.0 {
        Chunk::KIND => {
            if let Some(chunk) = Chunk::decode(version, meta) {
                found_by(Term::number(chunk.message));
            }
        }
        Abandoned::KIND => {
            if let Some(Abandoned { message }) = Abandoned::decode(version, meta) {
                found_by(Term::number(message));
            }
        }
        Attempt::KIND => {
            if let Some(Attempt { message }) = Attempt::decode(version, meta) {
                found_by(Term::number(message));
            }
        }
        Outcome::KIND => {
            if let Some(outcome) = Outcome::decode(version, meta) {
                found_by(Term::number(outcome.message));
                outcome.specimens.iter().for_each(|hash| found_by(specimen(*hash)));
            }
        }
        Observed::KIND => {
            if let Some(observed) = Observed::decode(version, meta) {
                found_by(Term::number(observed.message));
            }
        }
        Oru::KIND => {
            if let Some(oru) = Oru::decode(version, meta) {
                found_by(Term::number(oru.message));
                found_by(Term::number(own));
                found_by(self::oru(own));
            }
        }
        Delivery::KIND => {
            if let Some(delivery) = Delivery::decode(version, meta) {
                found_by(Term::number(delivery.oru));
                if matches!(delivery.result, DeliveryResult::Parked(_)) {
                    found_by(oru(delivery.oru));
                }
            }
        }
        NeverSent::KIND => {
            if let Some(NeverSent { oru }) = NeverSent::decode(version, meta) {
                found_by(Term::number(oru));
                found_by(self::oru(oru));
            }
        }
        ParkedSettled::KIND => {
            if let Some(settled) = ParkedSettled::decode(version, meta) {
                found_by(Term::number(settled.oru));
                found_by(oru(settled.oru));
            }
        }
        Hold::KIND => {
            if let Some(hold) = Hold::decode(version, meta) {
                found_by(Term::number(hold.message));
                found_by(Term::number(own));
            }
        }
        HoldSettled::KIND => {
            if let Some(settled) = HoldSettled::decode(version, meta) {
                found_by(Term::number(settled.hold));
            }
        }
        Redriven::KIND => {
            if let Some(redriven) = Redriven::decode(version, meta) {
                found_by(Term::number(redriven.hold));
            }
        }
        Verification::KIND => {
            if let Some(said) = Verification::decode(version, meta) {
                found_by(Term::number(said.session));
                if let VerificationAct::Said { message, .. } = said.act {
                    found_by(Term::number(message));
                }
                found_by(VERIFICATIONS);
            }
        }
        // It is about many: who gathers anything looks at it.
        Dropped::KIND => {
            found_by(ALL);
            found_by(DROPPED);
        }
        _ => {}
    }
}
