//! What is known of the numerics that were kept: which answer is newer, whose labels are there, which cuff pressure is new.
//!
//! Promises that no older answer takes a newer one's place, and that a measurement with a time of its own is told as new once.
//! Leaves out values.

use crate::gather::Answer;
use crate::pdu::{Pdu, Reply, parse};
use crate::units::plain;
use crate::value::{id, is_later};
use std::collections::{BTreeMap, BTreeSet};

/// Context and handle of an object.
type Handle = (u16, u16);

/// Of the numerics.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// The poll and the monitor's time of the newest answer.
    newest: Option<(u16, u32)>,
    /// Whose labels were kept.
    labelled: BTreeSet<Handle>,
    /// The poll whose first answer had them.
    labels_of: Option<u16>,
    /// When each of those was taken that have a time.
    taken: BTreeMap<Handle, [u8; 8]>,
}

/// What an answer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// A newer one was there before it, or the same.
    pub(crate) late: bool,
    /// The monitor's time went back: it started again.
    pub(crate) restarted: bool,
    /// It has the labels of all that it lists.
    pub(crate) labels: bool,
    /// Labels are missing, or changed.
    pub(crate) unlabelled: bool,
    /// A measurement with a time of its own is new.
    pub(crate) episode: bool,
}

/// How far the monitor's time may go back by lateness alone: a minute.
const LATE: u32 = 60 * crate::request::SECOND;
/// Objects that a monitor may have.
const OBJECTS: usize = 4096;

impl Held {
    pub(crate) fn take(&mut self, answer: &Answer) -> Verdict {
        let mut verdict = Verdict::default();
        let (poll, time) = (answer.key.poll, answer.key.relative);
        if let Some((known, newest)) = self.newest
            && !is_later(time, newest)
            && (time != newest || poll == known)
        {
            if newest.wrapping_sub(time) <= LATE {
                return Verdict { late: true, ..verdict };
            }
            *self = Self::default();
            verdict.restarted = true;
        }
        self.newest = Some((poll, time));
        let (mut labelled, mut bare, mut listed) = (BTreeSet::new(), false, 0usize);
        for unit in plain(&answer.raw) {
            let Some((Pdu::Result { body, .. } | Pdu::Linked { body, .. }, _)) = parse(&unit) else { continue };
            for object in Reply::read(body).iter().flat_map(Reply::objects) {
                let handle = (object.context, object.handle);
                listed = listed.saturating_add(1);
                if object.attributes.find(id::LABEL).is_some() {
                    labelled.insert(handle);
                } else if !self.labelled.contains(&handle) {
                    bare = true;
                }
                if let Some(at) = object.attributes.find(id::TIME_STAMP).and_then(|at| at.first_chunk())
                    && self.taken.len() < OBJECTS
                    && self.taken.insert(handle, *at) != Some(*at)
                {
                    verdict.episode = true;
                }
            }
        }
        if listed > 0 && labelled.len() == listed {
            verdict.labels = true;
            self.labelled = labelled;
            self.labels_of = Some(poll);
        } else {
            // Something is new, or has another name, in an answer that has not all names.
            verdict.unlabelled = bare || !labelled.is_empty();
        }
        verdict
    }
}
