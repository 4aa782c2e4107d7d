//! Metas as they were in earlier versions, and what they mean today. Only read, never written.

use super::{Disposition, Dropped, Fate, Outcome, Provenance};
use serde::Deserialize;

/// An [`Outcome`] as it was before it named its specimens.
#[derive(Deserialize)]
pub(super) struct OutcomeV1 {
    message: u64,
    instrument: String,
    at: i64,
    provenance: Provenance,
    dispositions: Vec<DispositionV2>,
    fillers: Vec<(u128, u32)>,
    released: Option<u64>,
}

/// An [`Outcome`] as it was before it said what each destination gets.
#[derive(Deserialize)]
pub(super) struct OutcomeV2 {
    message: u64,
    instrument: String,
    at: i64,
    provenance: Provenance,
    dispositions: Vec<DispositionV2>,
    fillers: Vec<(u128, u32)>,
    released: Option<u64>,
    specimens: Vec<u128>,
}

/// A [`Disposition`] as it was before it knew other runs of its test.
#[derive(Deserialize)]
pub(super) struct DispositionV2 {
    observation: u32,
    identity: Option<u128>,
    content: u128,
    is_final: bool,
    filler: u32,
    fate: Fate,
}

/// A [`Dropped`] as it was before it said from where on.
#[derive(Deserialize)]
pub(super) struct DroppedV1 {
    destination: String,
    upto: u64,
    actor: String,
    at: i64,
    reason: String,
}

impl From<OutcomeV1> for Outcome {
    fn from(before: OutcomeV1) -> Self {
        let OutcomeV1 { message, instrument, at, provenance, dispositions, fillers, released } = before;
        // Only those that got a number: a resend's are in the outcome that it resends.
        let mut specimens: Vec<u128> = fillers.iter().map(|(specimen, _)| *specimen).collect();
        specimens.sort_unstable();
        specimens.dedup();
        OutcomeV2 { message, instrument, at, provenance, dispositions, fillers, released, specimens }.into()
    }
}

impl From<OutcomeV2> for Outcome {
    fn from(before: OutcomeV2) -> Self {
        let OutcomeV2 { message, instrument, at, provenance, dispositions, fillers, released, specimens } =
            before;
        let dispositions = dispositions.into_iter().map(Disposition::from).collect();
        Self {
            message,
            instrument,
            at,
            provenance,
            dispositions,
            fillers,
            released,
            specimens,
            ..Self::default()
        }
    }
}

impl From<DispositionV2> for Disposition {
    fn from(before: DispositionV2) -> Self {
        let DispositionV2 { observation, identity, content, is_final, filler, fate } = before;
        let (test, series, sub_id, ran) = (0, 0, 0, None);
        Self { observation, identity, content, is_final, filler, fate, test, series, sub_id, ran }
    }
}

impl From<DroppedV1> for Dropped {
    fn from(before: DroppedV1) -> Self {
        let DroppedV1 { destination, upto, actor, at, reason } = before;
        Self { destination, upto, actor, at, reason, waited_from: None }
    }
}
