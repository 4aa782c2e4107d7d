//! What is known of the numerics that were given: which answer is newer, whose labels are there, which cuff pressure is new.
//!
//! Promises that no older answer takes a newer one's place, and that a measurement that is made now and then is told as new once:
//! when it has another time, or another value. Leaves out what is done with that.

use crate::gather::Answer;
use crate::pdu::{Object, Pdu, Reply, parse};
use crate::units::plain;
use crate::value::{Float, Metric, id, is_later, observed, state};
use std::collections::{BTreeMap, BTreeSet};

/// Context and handle of an object.
type Handle = (u16, u16);

/// By what a measurement is told from the one before: the time that it has, and its values.
type Sign = (Option<[u8; 8]>, Vec<(u16, Float)>);

/// Of the numerics.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// The monitor's time of the newest answer.
    newest: Option<u32>,
    /// Whose labels were given.
    labelled: BTreeSet<Handle>,
    /// What is measured now and then, by those labels.
    intermittent: BTreeSet<Handle>,
    taken: BTreeMap<Handle, Sign>,
    demo: Option<bool>,
    /// Answers in a row that listed nothing.
    empty: u32,
}

/// A monitor lists something even without a module; an end whose parts were lost looks as if it did not. So many in a row are no
/// accident.
const NO_ACCIDENT: u32 = 3;

/// What an answer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// A newer one was there before it.
    pub(crate) late: bool,
    /// It lists nothing, which may be for parts that were lost.
    pub(crate) hollow: bool,
    /// The monitor's time went back: it started again.
    pub(crate) restarted: bool,
    /// A demonstration began or ended.
    pub(crate) demo: bool,
    /// It has the labels of all that it lists.
    pub(crate) labels: bool,
    /// Labels are missing, or changed.
    pub(crate) unlabelled: bool,
    /// A measurement that is made now and then is new.
    pub(crate) taken: bool,
}

/// How far the monitor's time may go back by lateness alone: a minute.
const LATE: u32 = 60 * crate::request::SECOND;
/// Objects that a monitor may have.
const OBJECTS: usize = 4096;

impl Held {
    pub(crate) fn take(&mut self, answer: &Answer) -> Verdict {
        let mut verdict = Verdict::default();
        let time = answer.key.relative;
        // Of one time may be two: answers to two polls, or those of a monitor that tells none. A double is none: `Gather` knows it.
        if let Some(newest) = self.newest
            && !is_later(time, newest)
            && time != newest
        {
            if newest.wrapping_sub(time) <= LATE {
                return Verdict { late: true, ..verdict };
            }
            self.forget();
            verdict.restarted = true;
        }
        self.newest = Some(time);
        let units = plain(&answer.raw);
        let replies = || {
            units.iter().filter_map(|unit| match parse(unit)?.0 {
                Pdu::Result { body, .. } | Pdu::Linked { body, .. } => Reply::read(body),
                _ => None,
            })
        };
        let objects = || replies().flat_map(|reply| reply.objects());
        if objects().next().is_some() {
            self.empty = 0;
        } else {
            self.empty = self.empty.saturating_add(1);
            if self.empty < NO_ACCIDENT {
                return Verdict { hollow: true, ..verdict };
            }
        }
        let demo = objects()
            .flat_map(|object| observed(object.attributes))
            .any(|value| value.state & state::DEMO != 0);
        verdict.demo = self.demo.replace(demo).is_some_and(|before| before != demo);
        let (mut labelled, mut intermittent) = (BTreeSet::new(), BTreeSet::new());
        let (mut bare, mut listed) = (false, 0usize);
        for object in objects() {
            let handle = (object.context, object.handle);
            listed = listed.saturating_add(1);
            if object.attributes.find(id::LABEL).is_some() {
                labelled.insert(handle);
            } else if !self.labelled.contains(&handle) {
                bare = true;
            }
            let metric = object.attributes.find(id::METRIC).and_then(Metric::read);
            let known = self.intermittent.contains(&handle);
            if metric.map_or(known, Metric::is_intermittent) {
                intermittent.insert(handle);
            }
            if is_once(&object, metric, known) && self.is_new(handle, &object) {
                verdict.taken = true;
            }
        }
        if listed > 0 && labelled.len() == listed {
            verdict.labels = true;
            self.labelled = labelled;
            self.intermittent = intermittent;
        } else {
            // Something is new, or has another name, in an answer that has not all names.
            verdict.unlabelled = bare || !labelled.is_empty();
        }
        verdict
    }

    /// Nothing that was given stands any more; but what was taken before is not new for that, least of all when it is another
    /// patient's now.
    pub(crate) fn forget(&mut self) {
        *self = Self { taken: std::mem::take(&mut self.taken), ..Self::default() };
    }

    /// The labels do not stand any more.
    pub(crate) fn forget_labels(&mut self) {
        self.labelled.clear();
        self.intermittent.clear();
    }

    fn is_new(&mut self, handle: Handle, object: &Object<'_>) -> bool {
        let time = object.attributes.find(id::TIME_STAMP).and_then(|at| at.first_chunk()).copied();
        let values: Vec<_> = observed(object.attributes).map(|value| (value.physio, value.value)).collect();
        if values.is_empty() || self.taken.len() >= OBJECTS {
            return false;
        }
        let sign = (time, values);
        if self.taken.get(&handle) == Some(&sign) {
            return false;
        }
        self.taken.insert(handle, sign);
        true
    }
}

/// Whether an object is measured now and then: it says so, or it has a time of its own and says nothing. `known`: it said so before.
pub(crate) fn is_once(object: &Object<'_>, metric: Option<Metric>, known: bool) -> bool {
    match metric {
        Some(metric) => metric.is_intermittent(),
        None => known || object.attributes.find(id::TIME_STAMP).is_some(),
    }
}
