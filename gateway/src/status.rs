//! What a person may see of each instrument's port, kept by the port itself. Holds no patient data.

use crate::snapshot::Lost;
use orugate_driver::{Note, NoteKind, State};
use orugate_protocol::time::Utc;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tokio::sync::watch;

/// The state of a wire.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Line {
    /// Not tried yet.
    #[default]
    Starting,
    /// Open; the peer's address when it has one.
    Up(Option<String>),
    /// Not open; why.
    Down(String),
    /// The gateway cannot listen for it; why. Never the instrument's fault.
    Deaf(String),
    /// Nothing serves it any more until a restart; why. Never the instrument's fault.
    Dead(String),
    /// The gateway stops.
    Stopped,
}

impl Line {
    /// Why it is not open, where somebody knows.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Down(why) | Self::Deaf(why) | Self::Dead(why) => Some(why),
            Self::Starting | Self::Up(_) | Self::Stopped => None,
        }
    }
}

/// A snapshot of one port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortView {
    /// The wire.
    pub line: Line,
    /// Since when, microseconds since 1970.
    pub since: i64,
    /// Bytes heard.
    pub bytes: u64,
    /// When the last byte came.
    pub last_byte: Option<i64>,
    /// Messages interpreted.
    pub messages: u64,
    /// When the last was that had results.
    pub last_message: Option<i64>,
    /// Link and content notes.
    pub notes: u64,
    /// Link notes by kind.
    #[serde(default)]
    pub kinds: BTreeMap<String, u64>,
    /// The last of them, and when.
    pub last_note: Option<(i64, String)>,
    /// Chunks that could not be stored.
    pub refused: u64,
    /// What the session waits for.
    pub waits: Option<String>,
    /// How often its driver failed since the start.
    #[serde(default)]
    pub falls: u64,
    /// When it failed last, and how.
    #[serde(default)]
    pub last_fall: Option<(i64, String)>,
    /// How it stands with a bedside device, and since when.
    #[serde(default)]
    pub device: Option<(Device, i64)>,
    /// Snapshots that were not made or not stored in time.
    #[serde(default)]
    pub missed: u64,
    /// Parts of what a bedside device said that were left out.
    #[serde(default)]
    pub left_out: u64,
}

/// How it stands with a bedside device, as its driver says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Device {
    /// It has not answered yet.
    Connecting,
    /// It tells what it measures.
    Talking,
    /// It does not want to talk; why.
    Refused(String),
    /// It answered before and does not any more.
    Silent,
    /// It measures nobody.
    Standby,
}

impl From<State> for Device {
    fn from(state: State) -> Self {
        match state {
            State::Talking => Self::Talking,
            State::Refused(why) => Self::Refused(why.to_owned()),
            State::Silent => Self::Silent,
            State::Standby => Self::Standby,
            // One that this software does not know says nothing.
            _ => Self::Connecting,
        }
    }
}

impl PortView {
    /// True while the wire is open.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        matches!(self.line, Line::Up(_))
    }
}

/// One port's status.
#[derive(Debug)]
pub struct PortStatus(watch::Sender<PortView>);

impl Default for PortStatus {
    fn default() -> Self {
        Self(watch::Sender::new(PortView::default()))
    }
}

impl PortStatus {
    /// Now.
    #[must_use]
    pub fn view(&self) -> PortView {
        self.0.borrow().clone()
    }

    /// Changes with every change.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<PortView> {
        self.0.subscribe()
    }

    /// The wire's state changed. True when it did, so that a repeated failure is logged once.
    pub fn line(&self, line: Line, now: Utc) -> bool {
        self.0.send_if_modified(|view| {
            let changed = view.line != line;
            if changed {
                view.line = line;
                view.since = now.0;
            }
            changed
        })
    }

    /// Bytes came.
    pub fn heard(&self, count: usize, now: Utc) {
        self.0.send_modify(|view| {
            view.bytes = view.bytes.saturating_add(count as u64);
            view.last_byte = Some(now.0);
        });
    }

    /// A message was interpreted; with results, or with none, as when a bedside device is silent.
    pub fn message(&self, now: Utc, results: bool) {
        self.0.send_modify(|view| {
            view.messages = view.messages.saturating_add(1);
            if results {
                view.last_message = Some(now.0);
            }
        });
    }

    /// Something is to be noted.
    pub fn note(&self, note: &str, now: Utc) {
        self.0.send_modify(|view| {
            view.notes = view.notes.saturating_add(1);
            view.last_note = Some((now.0, note.to_owned()));
        });
    }

    /// The driver failed.
    pub fn fell(&self, how: &str, now: Utc) {
        self.0.send_modify(|view| {
            view.falls = view.falls.saturating_add(1);
            view.last_fall = Some((now.0, how.to_owned()));
        });
    }

    /// The link has a note.
    pub fn link_note(&self, note: &Note, now: Utc) {
        let NoteKind::Link { what, .. } = note.kind else { return };
        self.0.send_modify(|view| match view.kinds.get_mut(what.sentence) {
            Some(count) => *count = count.saturating_add(1),
            None => {
                view.kinds.insert(what.sentence.to_owned(), 1);
            }
        });
        self.note(&note.to_string(), now);
    }

    /// A chunk could not be stored.
    pub fn refused(&self) {
        self.0.send_modify(|view| view.refused = view.refused.saturating_add(1));
    }

    /// How it stands with a bedside device.
    pub fn says(&self, state: State, now: Utc) {
        self.0.send_if_modified(|view| {
            let device = Device::from(state);
            let changed = view.device.as_ref().is_none_or(|(known, _)| *known != device);
            if changed {
                view.device = Some((device, now.0));
            }
            changed
        });
    }

    /// What the stage of a bedside device has lost so far.
    pub fn lost(&self, lost: Lost) {
        self.0.send_if_modified(|view| {
            let changed = (view.missed, view.left_out) != (lost.intervals, lost.parts);
            (view.missed, view.left_out) = (lost.intervals, lost.parts);
            changed
        });
    }

    /// The session waits for this.
    pub fn waits(&self, why: Option<&str>) {
        self.0.send_if_modified(|view| {
            let changed = view.waits.as_deref() != why;
            if changed {
                view.waits = why.map(str::to_owned);
            }
            changed
        });
    }
}
