//! What a conversion asks of the past, and what it hears.
//!
//! Promises nothing itself: [`history`](crate::history) reads it in the journal, and [`NoPast`] knows nothing. A result that
//! was sent has a *place* where receivers file it: OBR-3, OBX-3 and OBX-4, here its filler number, its test and its
//! sub-id. Each destination has its own past, since it may not have got what another one got.

use crate::records::Stood;

/// A result that was sent, and the place that it was sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Keyed hash of its identity.
    pub identity: u128,
    /// Keyed hash of its content.
    pub content: u128,
    /// It was sent as final, so another content corrects it.
    pub is_final: bool,
    /// The filler number, behind the sample id in OBR-3.
    pub filler: u32,
    /// OBX-4, behind the isolate; 0 for the only one.
    pub sub_id: u16,
    /// The message that it came in.
    pub message: u64,
    /// Its place in that message.
    pub observation: u32,
    /// When the instrument measured it, seconds since 1970.
    pub ran: Option<i64>,
    /// When it was decided on, microseconds since 1970.
    pub at: i64,
}

/// What a destination has, or may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Had {
    /// The result.
    pub sent: Sent,
    /// How it stands there.
    pub stood: Stood,
    /// As what it was written (OBX-11); `None` when nobody wrote that down.
    pub status: Option<char>,
}

/// Which results are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those of one run.
    Run(u128),
    /// Those of all runs of one series ([`Fact::series`](super::Fact::series)) that were decided on at this time, in
    /// microseconds since 1970, or later.
    Series(u64, i64),
}

/// What was sent before.
pub trait Past {
    /// The newest of these that was sent to anybody.
    fn sent(&self, specimen: u128, which: Which) -> Option<Sent>;
    /// The newest of these that a destination has, or may still get, and how it stands there. What it refused, what was
    /// given up for it and what was never made for it does not count.
    fn at(&self, specimen: u128, which: Which, destination: &str) -> Option<Had>;
    /// The newest of these that went to a destination, if it refused it and a person may still send it.
    fn parked(&self, specimen: u128, which: Which, destination: &str) -> Option<Had>;
    /// Whether a result of this run came at all, whatever became of it.
    fn came(&self, specimen: u128, identity: u128) -> bool;
    /// The highest sub-id that a test has had since this time, in microseconds since 1970; 1 for one that had none.
    /// `None` when no result of it was sent.
    fn runs(&self, specimen: u128, test: u64, since: i64) -> Option<u16>;
    /// Whether something of this test was sent to this place.
    fn taken(&self, specimen: u128, test: u64, filler: u32, sub_id: u16) -> bool;
    /// A filler number that the specimen never had: one more than its highest, or, when nothing is known of the specimen,
    /// one that nothing before can have had.
    fn next_filler(&self, specimen: u128) -> u32;
    /// Adds the value and the unit that a destination got, as text. Nothing when that cannot be read any more.
    fn value(&self, specimen: u128, sent: &Sent, destination: &str, into: &mut String);
}

/// No past: for replays.
pub struct NoPast;

impl Past for NoPast {
    fn sent(&self, _: u128, _: Which) -> Option<Sent> {
        None
    }
    fn at(&self, _: u128, _: Which, _: &str) -> Option<Had> {
        None
    }
    fn parked(&self, _: u128, _: Which, _: &str) -> Option<Had> {
        None
    }
    fn came(&self, _: u128, _: u128) -> bool {
        false
    }
    fn runs(&self, _: u128, _: u64, _: i64) -> Option<u16> {
        None
    }
    fn taken(&self, _: u128, _: u64, _: u32, _: u16) -> bool {
        false
    }
    fn next_filler(&self, _: u128) -> u32 {
        1
    }
    fn value(&self, _: u128, _: &Sent, _: &str, _: &mut String) {}
}
