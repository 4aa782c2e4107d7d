//! The second pass: the segments of one group after the other, as the items come by.

use super::{Mapped, Route, Zone, segments};
use crate::hl7::writer::{WriteError, Writer};
use crate::report::{Comment, Item, Level, Note, Observation, Patient, ReportSink, Sender, Specimen};
use crate::text::{Charset, Text};
use crate::time::Utc;
use core::ops::Range;
use heapless::Vec;

/// Knows the order groups of a message that are to be written, and hears what became of each.
pub trait Groups<'p> {
    /// The plan of one order of the message, counted from 0; `None` when nothing of it is to be written. Asked once
    /// for each, ascending.
    fn plan(&mut self, order: u16) -> Option<GroupPlan<'p>>;

    /// What OBX-3 of an observation of the message, counted from 0, begins with; `None` leaves it to the instrument.
    fn test(&self, observation: usize) -> Option<Mapped<'p>> {
        let _ = observation;
        None
    }

    /// What stood before in the place of an observation of the message, counted from 0, whose remark ends with it.
    fn was(&self, _observation: usize) -> &str {
        ""
    }

    /// A group whose plan was given is over: the place of its ORU in the buffer, or why there is none.
    fn written(&mut self, order: u16, oru: Result<Range<usize>, OruError>);
}

/// What one ORU is to hold.
#[derive(Clone, Copy, Debug)]
pub struct GroupPlan<'p> {
    /// MSH-10.
    pub control_id: &'p str,
    /// OBR-3 and ORC-3.
    pub filler: &'p str,
    /// The sample id, for SPM-2 and where else the route wants it: as the instrument wrote it, or as a person entered
    /// it for a message without one.
    pub sample: &'p str,
    /// What OBR-4 begins with; `None` leaves it to the instrument.
    pub panel: Option<Mapped<'p>>,
    /// OBR-25: F, P, C, X, A.
    pub status: char,
    /// MSH-7 and OBR-22.
    pub created: Utc,
    /// The gateway's own remarks on the group; empty ones say nothing.
    pub remarks: [&'p str; 5],
    /// In UTF-8, because it has a character that the route's charset does not have.
    pub in_utf8: bool,
}

/// What becomes of one observation in this message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is not in this message.
    Withheld,
    /// It is.
    Write(WriteObservation),
}

/// How an observation is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteObservation {
    /// OBX-11.
    pub status: char,
    /// Which of several observations of this test in this group (OBX-4, behind the group's number); 0 for the only one.
    pub sub_id: u16,
    /// The gateway's own remark on it.
    pub remark: Option<&'static str>,
}

/// Why no message came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OruError {
    /// The writer: buffer too small, text that cannot be decoded or encoded.
    Write(WriteError),
    /// More than this code holds.
    TooMany(Limit),
    /// No observation was to be written: an empty report is not sent.
    Empty,
}

/// What there was too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Comments on one patient or message before the group: more than 64.
    Comments,
}

/// Comments above the order that can be carried down to it.
const COMMENTS: usize = 64;

/// Writes the groups of a message in one walk.
pub struct OruWriter<'w, 'p, 'm> {
    route: &'w Route<'w>,
    groups: &'w mut dyn Groups<'p>,
    verdicts: &'w [Verdict],
    zone: &'w dyn Zone,
    writer: Writer<'w>,
    context: Context<'m>,
    open: Option<Open<'p>>,
    /// Observations seen in the whole message: the index into `verdicts`.
    seen: usize,
    /// The next order's number.
    orders: u16,
}

/// What was said before the group and holds for it.
#[derive(Default)]
pub(super) struct Context<'m> {
    pub(super) sender: Sender<'m>,
    pub(super) patient: Option<Patient<'m>>,
    pub(super) specimen: Specimen<'m>,
    message_comments: Vec<Comment<'m>, COMMENTS>,
    patient_comments: Vec<Comment<'m>, COMMENTS>,
    /// There were more comments than these hold.
    too_many: bool,
}

/// A group whose header and OBR are written.
struct Open<'p> {
    order: u16,
    plan: GroupPlan<'p>,
    /// OBX-1 of the last OBX.
    observations: u32,
    /// NTE-1 of the last NTE under the last OBR or OBX.
    notes: u32,
    /// The last observation of the message was written, so its comments follow.
    last_written: bool,
}

impl<'w, 'p, 'm> OruWriter<'w, 'p, 'm> {
    /// A writer for those orders that `groups` plans, into `buffer`, one ORU behind the other.
    #[must_use]
    pub fn new(
        route: &'w Route<'w>,
        groups: &'w mut dyn Groups<'p>,
        verdicts: &'w [Verdict],
        zone: &'w dyn Zone,
        buffer: &'w mut [u8],
    ) -> Self {
        Self {
            route,
            groups,
            verdicts,
            zone,
            writer: Writer::new(buffer),
            context: Context::default(),
            open: None,
            seen: 0,
            orders: 0,
        }
    }

    /// To be called after the last item, for the group that may still be open.
    pub fn finish(mut self) {
        self.close();
    }

    fn open(&mut self, order: u16, item: &crate::report::Order<'m>) {
        let Some(plan) = self.groups.plan(order) else { return };
        let (route, zone) = (self.route, self.zone);
        let charset = if plan.in_utf8 { Charset::Utf8 } else { route.charset };
        let w = &mut self.writer;
        w.switch_to(charset);
        segments::msh(w, route, &plan, charset, zone);
        if let (Some(rule), Some(patient)) = (&route.patient, &self.context.patient) {
            segments::pid(w, rule, patient);
        }
        segments::orc(w, route, &plan);
        segments::obr(w, route, &plan, &self.context, item, zone);
        let mut notes = 0;
        for remark in plan.remarks.into_iter().filter(|remark| !remark.is_empty()) {
            segments::nte(w, &mut notes, Text::plain(remark));
        }
        let collected = self.context.specimen.collected.as_ref();
        segments::skipped_note(w, &mut notes, "The time of collection", collected, zone);
        for comment in self.context.message_comments.iter().chain(&self.context.patient_comments) {
            segments::nte_labelled(w, &mut notes, comment.label, comment.text);
        }
        self.open = Some(Open { order, plan, observations: 0, notes, last_written: false });
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        segments::spm(&mut self.writer, open.plan.sample, &self.context.specimen, self.zone);
        let written = self.writer.cut().map_err(OruError::Write);
        let oru = if self.context.too_many {
            Err(OruError::TooMany(Limit::Comments))
        } else if open.observations == 0 {
            Err(OruError::Empty)
        } else {
            written
        };
        self.groups.written(open.order, oru);
    }

    fn observation(&mut self, observation: &Observation<'m>) {
        let index = self.seen;
        let verdict = self.verdicts.get(index).copied().unwrap_or(Verdict::Withheld);
        self.seen = index.saturating_add(1);
        let Some(open) = &mut self.open else { return };
        let Verdict::Write(how) = verdict else {
            open.last_written = false;
            return;
        };
        open.observations = open.observations.saturating_add(1);
        open.last_written = true;
        open.notes = 0;
        let w = &mut self.writer;
        let mapped = self.groups.test(index);
        segments::obx(w, self.route, open.observations, &how, observation, mapped, &self.context, self.zone);
        let was = self.groups.was(index);
        segments::observation_notes(w, &mut open.notes, &how, was, observation, mapped);
        let completed = observation.completed.as_ref();
        segments::skipped_note(w, &mut open.notes, "The time of this result", completed, self.zone);
    }

    fn comment(&mut self, comment: &Comment<'m>) {
        if comment.text.trimmed().is_empty() && comment.label.is_empty() {
            return;
        }
        let kept = match (comment.level, &mut self.open) {
            (Level::Message, _) => self.context.message_comments.push(*comment),
            (Level::Patient, _) => self.context.patient_comments.push(*comment),
            (Level::Order, Some(Open { observations: 0, notes, .. }))
            | (Level::Observation, Some(Open { notes, last_written: true, .. })) => {
                segments::nte_labelled(&mut self.writer, notes, comment.label, comment.text.trimmed());
                Ok(())
            }
            _ => Ok(()),
        };
        self.context.too_many |= kept.is_err();
    }
}

impl<'m> ReportSink<'m> for OruWriter<'_, '_, 'm> {
    fn item(&mut self, item: Item<'m>) {
        match item {
            Item::Sender(sender) => {
                self.close();
                self.context = Context { sender, ..Context::default() };
            }
            Item::Patient(patient) => {
                self.close();
                self.context.patient = Some(patient);
                self.context.specimen = Specimen::default();
                self.context.patient_comments.clear();
            }
            Item::Specimen(specimen) => {
                self.close();
                self.context.specimen = specimen;
            }
            Item::Order(order) => {
                self.close();
                let number = self.orders;
                self.orders = self.orders.saturating_add(1);
                self.open(number, &order);
            }
            Item::Observation(observation) => self.observation(&observation),
            Item::Comment(comment) => self.comment(&comment),
            Item::Query(_) | Item::End(_) => self.close(),
            // No laboratory's: `pcd` writes them.
            Item::Device(_) | Item::Group(_) | Item::Measurement(_) => {}
        }
    }

    fn note(&mut self, _: Note<'m>) {}
}
