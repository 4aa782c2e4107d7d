//! What a session says stands, and in which slot. A slot only says what replaces what.

use orugate_driver::Slot;

/// The event by which the monitor told of the association: who it is.
pub(crate) const CREATED: Slot = Slot(0);
/// The monitor of itself, by a poll.
pub(crate) const MONITOR: Slot = Slot(1);
/// The patient's demographics, of which only the id is ever read.
pub(crate) const PATIENT: Slot = Slot(2);
/// The newest answer that has the labels of all numerics: a monitor sends them once for each poll.
pub(crate) const LABELS: Slot = Slot(3);
/// The newest answer of numerics.
pub(crate) const NUMERICS: Slot = Slot(4);
/// What alarms are on.
pub(crate) const ALERTS: Slot = Slot(5);
