//! The second pass: the tree of the device and its measurements, as the items come by.

use super::segments;
use super::{Plan, Route};
use crate::hl7::writer::{WriteError, Writer};
use crate::oru::Zone;
use crate::report::{Device, Group, Item, Measurement, Note, ReportSink, Term};

/// What becomes of one measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// It is not in this message.
    #[default]
    Leave,
    /// It is, with its value.
    Send,
    /// It is, without a value and with X in OBX-11.
    SendAbsent,
}

/// Why no message came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PcdError {
    /// The writer: buffer too small, text that cannot be decoded or encoded.
    Write(WriteError),
    /// No measurement was to be written and no device is silent: an empty report is not sent.
    Empty,
}

/// Writes one message.
pub struct PcdWriter<'w, 'm> {
    route: &'w Route<'w>,
    plan: &'w Plan<'w>,
    verdicts: &'w [Verdict],
    zone: &'w dyn Zone,
    writer: Writer<'w>,
    /// Measurements seen: the index into `verdicts`.
    seen: usize,
    /// OBX-1 of the last OBX.
    rows: u32,
    tree: Tree,
    /// What the next measurement belongs to.
    group: Group<'m>,
    /// The VMD whose row stands.
    vmd: Term<'m>,
    /// The rows of `group` stand.
    stands: bool,
    /// Something is in the message that is worth sending.
    worth: bool,
}

/// A place in the containment tree (OBX-4). A level that does not exist is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) mds: u32,
    pub(super) vmd: u32,
    pub(super) channel: u32,
    pub(super) metric: u32,
}

/// Where the message is in its tree, and how many there are at each level: no place is given twice.
#[derive(Clone, Copy, Debug, Default)]
struct Tree {
    at: Place,
    /// VMDs in the MDS.
    vmds: u32,
    /// Channels in the VMD at hand.
    channels: u32,
    /// Channels and metrics that belong to no VMD.
    own_channels: u32,
    own_metrics: u32,
}

impl Tree {
    fn next_mds(&mut self) {
        let mds = self.at.mds.saturating_add(1);
        *self = Self { at: Place { mds, ..Place::default() }, ..Self::default() };
    }

    fn next_vmd(&mut self) -> Place {
        self.vmds = self.vmds.saturating_add(1);
        self.channels = 0;
        Place { mds: self.at.mds, vmd: self.vmds, channel: 0, metric: 0 }
    }

    /// The next channel of a VMD, or of the MDS when there is none.
    fn next_channel(&mut self, of_vmd: bool) -> Place {
        let channels = if of_vmd { &mut self.channels } else { &mut self.own_channels };
        *channels = channels.saturating_add(1);
        let vmd = if of_vmd { self.vmds } else { 0 };
        Place { mds: self.at.mds, vmd, channel: *channels, metric: 0 }
    }

    fn next_metric(&mut self) -> Place {
        if self.at.channel == 0 {
            self.own_metrics = self.own_metrics.saturating_add(1);
            self.at.metric = self.own_metrics;
        } else {
            self.at.metric = self.at.metric.saturating_add(1);
        }
        self.at
    }
}

impl<'w, 'm> PcdWriter<'w, 'm> {
    /// A writer into `buffer`. A measurement without a verdict is left out.
    #[must_use]
    pub fn new(
        route: &'w Route<'w>,
        plan: &'w Plan<'w>,
        verdicts: &'w [Verdict],
        zone: &'w dyn Zone,
        buffer: &'w mut [u8],
    ) -> Self {
        Self {
            route,
            plan,
            verdicts,
            zone,
            writer: Writer::new(buffer).in_charset(route.charset),
            seen: 0,
            rows: 0,
            tree: Tree::default(),
            group: Group::default(),
            vmd: Term::None,
            stands: false,
            worth: false,
        }
    }

    /// The message.
    ///
    /// # Errors
    /// [`PcdError`]; the buffer then holds no whole message.
    pub fn finish(self) -> Result<&'w [u8], PcdError> {
        // Whether there was anything to say counts first: a device whose every value stays here need not be writable.
        if !self.worth {
            return Err(PcdError::Empty);
        }
        self.writer.finish().map_err(PcdError::Write)
    }

    fn row(&mut self) -> u32 {
        self.rows = self.rows.saturating_add(1);
        self.rows
    }

    fn device(&mut self, device: &Device<'m>) {
        if self.tree.at.mds == 0 {
            segments::head(&mut self.writer, self.route, self.plan, device, self.zone);
        }
        self.tree.next_mds();
        (self.group, self.vmd, self.stands) = (Group::default(), Term::None, false);
        self.worth |= device.silent;
        let row = self.row();
        segments::mds(&mut self.writer, self.plan, row, self.tree.at, device);
    }

    fn measurement(&mut self, measurement: &Measurement<'m>) {
        let verdict = self.verdicts.get(self.seen).copied().unwrap_or_default();
        self.seen = self.seen.saturating_add(1);
        if verdict == Verdict::Leave {
            return;
        }
        if self.tree.at.mds == 0 {
            self.device(&Device::default());
        }
        if !self.stands {
            self.group_rows(measurement.code.system);
        }
        self.worth = true;
        let (row, place) = (self.row(), self.tree.next_metric());
        let send = verdict == Verdict::Send;
        segments::metric(&mut self.writer, self.route, row, place, measurement, send, self.zone);
    }

    /// The rows above the measurement at hand. A group of the same VMD as the last one is another channel of it; a VMD without
    /// channels has one all the same, which has no row.
    fn group_rows(&mut self, system: &str) {
        self.stands = true;
        let Group { vmd, channel, .. } = self.group;
        if !vmd.is_none() && vmd != self.vmd {
            let (place, row) = (self.tree.next_vmd(), self.row());
            segments::level(&mut self.writer, row, place, vmd, system);
        }
        self.vmd = vmd;
        if vmd.is_none() && channel.is_none() {
            self.tree.at = Place { mds: self.tree.at.mds, ..Place::default() };
            return;
        }
        self.tree.at = self.tree.next_channel(!vmd.is_none());
        if !channel.is_none() {
            let row = self.row();
            segments::level(&mut self.writer, row, self.tree.at, channel, system);
        }
    }
}

impl<'m> ReportSink<'m> for PcdWriter<'_, 'm> {
    fn item(&mut self, item: Item<'m>) {
        match item {
            Item::Device(device) => self.device(&device),
            Item::Group(group) => (self.group, self.stands) = (group, false),
            Item::Measurement(measurement) => self.measurement(&measurement),
            _ => {}
        }
    }

    fn note(&mut self, _: Note<'m>) {}
}
