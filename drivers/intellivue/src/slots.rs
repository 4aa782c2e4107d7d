//! What a session keeps, and where.

use orugate_driver::Slot;

/// The event by which the monitor told of the association: who it is.
pub(crate) const CREATED: Slot = Slot(0);
/// The monitor of itself, by a poll: newer than [`CREATED`].
pub(crate) const MONITOR: Slot = Slot(1);
/// The patient's demographics, of which only the id is ever read.
pub(crate) const PATIENT: Slot = Slot(2);
/// The newest answer that has the labels of all numerics: a monitor sends them once.
pub(crate) const LABELS: Slot = Slot(3);
/// Answers with a measurement that was new and has a time of its own; each goes into one snapshot.
pub(crate) const EPISODES: Slot = Slot(4);
/// The newest answer of numerics.
pub(crate) const NUMERICS: Slot = Slot(5);
