//! The second pass: one group's segments, as the items come by.

use super::{Route, Zone, segments};
use crate::hl7::writer::{WriteError, Writer};
use crate::report::{Comment, Item, Level, Note, Observation, Patient, ReportSink, Sender, Specimen};
use crate::text::Text;
use crate::time::Utc;
use heapless::Vec;

/// What one message is to hold.
#[derive(Clone, Copy, Debug)]
pub struct GroupPlan<'p> {
    /// Which order of the message, counted from 0.
    pub order: u16,
    /// MSH-10.
    pub control_id: &'p str,
    /// OBR-3 and ORC-3.
    pub filler: &'p str,
    /// The sample id, for SPM-2 and where else the route wants it: as the instrument wrote it, or as a person entered
    /// it for a message without one.
    pub sample: &'p str,
    /// OBR-25: F, P, C, X, A.
    pub status: char,
    /// MSH-7 and OBR-22.
    pub created: Utc,
    /// The gateway's own remarks on the group.
    pub remarks: &'p [&'p str],
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

/// Writes one group.
pub struct OruWriter<'p, 'b, 'm> {
    route: &'p Route<'p>,
    group: &'p GroupPlan<'p>,
    verdicts: &'p [Verdict],
    zone: &'p dyn Zone,
    writer: Writer<'b>,
    context: Context<'m>,
    state: State,
    /// Observations seen in the whole message: the index into `verdicts`.
    seen: usize,
    orders: u16,
    error: Option<OruError>,
}

/// What was said before the group and holds for it.
#[derive(Default)]
pub(super) struct Context<'m> {
    pub(super) sender: Sender<'m>,
    pub(super) patient: Option<Patient<'m>>,
    pub(super) specimen: Specimen<'m>,
    message_comments: Vec<Comment<'m>, COMMENTS>,
    patient_comments: Vec<Comment<'m>, COMMENTS>,
}

/// Where the writer is in its group.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    /// Header and OBR are written.
    Open {
        /// OBX-1 of the last OBX.
        observations: u32,
        /// NTE-1 of the last NTE under the last OBR or OBX.
        notes: u32,
        /// The last observation of the message was written, so its comments follow.
        last_written: bool,
    },
    Closed,
}

impl<'p, 'b, 'm> OruWriter<'p, 'b, 'm> {
    /// A writer for the group that `group` names, into `buffer`.
    #[must_use]
    pub fn new(
        route: &'p Route<'p>,
        group: &'p GroupPlan<'p>,
        verdicts: &'p [Verdict],
        zone: &'p dyn Zone,
        buffer: &'b mut [u8],
    ) -> Self {
        Self {
            route,
            group,
            verdicts,
            zone,
            writer: Writer::new(buffer).in_charset(route.charset),
            context: Context::default(),
            state: State::Before,
            seen: 0,
            orders: 0,
            error: None,
        }
    }

    /// The finished message.
    ///
    /// # Errors
    /// [`OruError`]; then nothing of the buffer may be used.
    pub fn finish(mut self) -> Result<&'b [u8], OruError> {
        self.close();
        if let Some(error) = self.error {
            return Err(error);
        }
        if self.state == State::Before {
            return Err(OruError::Empty);
        }
        self.writer.finish().map_err(OruError::Write)
    }

    fn open(&mut self, order: &crate::report::Order<'m>) {
        let (route, group, zone) = (self.route, self.group, self.zone);
        let w = &mut self.writer;
        segments::msh(w, route, group, zone);
        if let (Some(rule), Some(patient)) = (&route.patient, &self.context.patient) {
            segments::pid(w, rule, patient);
        }
        segments::orc(w, route, group);
        segments::obr(w, route, group, &self.context, order, zone);
        let mut notes = 0;
        for remark in group.remarks {
            segments::nte(w, &mut notes, Text::plain(remark));
        }
        for comment in self.context.message_comments.iter().chain(&self.context.patient_comments) {
            segments::nte_labelled(w, &mut notes, comment.label, comment.text);
        }
        self.state = State::Open { observations: 0, notes, last_written: false };
    }

    fn close(&mut self) {
        if let State::Open { observations, .. } = self.state {
            if observations == 0 {
                self.error.get_or_insert(OruError::Empty);
            }
            segments::spm(&mut self.writer, self.group.sample, &self.context.specimen, self.zone);
            self.state = State::Closed;
        }
    }

    fn observation(&mut self, observation: &Observation<'m>) {
        let verdict = self.verdicts.get(self.seen).copied().unwrap_or(Verdict::Withheld);
        self.seen = self.seen.saturating_add(1);
        let State::Open { observations, notes, last_written } = &mut self.state else { return };
        let Verdict::Write(how) = verdict else {
            *last_written = false;
            return;
        };
        *observations = observations.saturating_add(1);
        *last_written = true;
        *notes = 0;
        let w = &mut self.writer;
        segments::obx(w, self.route, *observations, &how, observation, &self.context, self.zone);
        segments::observation_notes(w, notes, &how, observation);
    }

    fn comment(&mut self, comment: &Comment<'m>) {
        if comment.text.trimmed().is_empty() && comment.label.is_empty() {
            return;
        }
        let kept = match (comment.level, &mut self.state) {
            (Level::Message, State::Before) => self.context.message_comments.push(*comment),
            (Level::Patient, State::Before) => self.context.patient_comments.push(*comment),
            (Level::Order, State::Open { observations: 0, notes, .. })
            | (Level::Observation, State::Open { notes, last_written: true, .. }) => {
                segments::nte_labelled(&mut self.writer, notes, comment.label, comment.text.trimmed());
                Ok(())
            }
            _ => Ok(()),
        };
        if kept.is_err() {
            self.error.get_or_insert(OruError::TooMany(Limit::Comments));
        }
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
                if number == self.group.order && self.state == State::Before {
                    self.open(&order);
                }
            }
            Item::Observation(observation) => self.observation(&observation),
            Item::Comment(comment) => self.comment(&comment),
            Item::Query(_) | Item::End(_) => self.close(),
        }
    }

    fn note(&mut self, _: Note<'m>) {}
}
