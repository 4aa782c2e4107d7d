//! The second pass: the tree of the device and its measurements, as the items come by.

use super::segments;
use super::{Plan, Route};
use crate::hl7::writer::{WriteError, Writer};
use crate::oru::Zone;
use crate::report::{Device, Group, Item, Measurement, Note, ReportSink};
use heapless::Vec;

/// Why no message came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PcdError {
    /// The writer: buffer too small, text that cannot be decoded or encoded.
    Write(WriteError),
    /// More groups than this code holds: 128.
    TooMany,
    /// There was no measurement: an empty report is not sent.
    Empty,
}

/// Groups of one message.
const GROUPS: usize = 128;
/// Ordinals of measurements that are remembered one by one. Those that the driver's table does not give come behind them.
const ORDINALS: u16 = 512;

/// Writes one message.
pub struct PcdWriter<'w, 'm> {
    route: &'w Route<'w>,
    plan: &'w Plan<'w>,
    zone: &'w dyn Zone,
    writer: Writer<'w>,
    /// OBX-1 of the last OBX.
    rows: u32,
    /// What the next measurement belongs to.
    group: Group<'m>,
    /// The groups whose rows stand.
    nodes: Vec<Node, GROUPS>,
    /// The node of `group` in it, once it is there.
    node: Option<usize>,
    device: bool,
    /// Its EUI-64.
    eui64: Option<u64>,
    measured: bool,
    too_many: bool,
}

/// A place in the containment tree (OBX-4), of the one device of a message. A level that does not exist is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) vmd: u16,
    pub(super) channel: u16,
    pub(super) metric: u32,
}

/// A group, with what is given of it. No place is given twice.
#[derive(Clone, Copy)]
struct Node {
    vmd: u16,
    channel: u16,
    /// One bit for each ordinal from 1 to [`ORDINALS`].
    given: [u64; ORDINALS.wrapping_div(64) as usize],
    /// The highest that is given beyond them.
    top: u32,
}

impl Node {
    const fn new(group: &Group<'_>) -> Self {
        let given = [0; ORDINALS.wrapping_div(64) as usize];
        Self { vmd: group.vmd_place, channel: group.channel_place, given, top: ORDINALS as u32 }
    }

    /// The ordinal that a measurement asks for, or the next one behind all when it asks for none or that one is given.
    fn give(&mut self, wanted: u16) -> u32 {
        if let Some(bit) = wanted.checked_sub(1).filter(|_| wanted <= ORDINALS)
            && let Some(word) = self.given.get_mut(usize::from(bit.wrapping_div(64)))
        {
            let mask = 1u64.wrapping_shl(u32::from(bit.wrapping_rem(64)));
            if *word & mask == 0 {
                *word |= mask;
                return u32::from(wanted);
            }
        }
        self.top = self.top.saturating_add(1).max(u32::from(wanted));
        self.top
    }
}

impl<'w, 'm> PcdWriter<'w, 'm> {
    /// A writer into `buffer`.
    #[must_use]
    pub fn new(route: &'w Route<'w>, plan: &'w Plan<'w>, zone: &'w dyn Zone, buffer: &'w mut [u8]) -> Self {
        Self {
            route,
            plan,
            zone,
            writer: Writer::new(buffer).in_charset(route.charset),
            rows: 0,
            group: Group::default(),
            nodes: Vec::new(),
            node: None,
            device: false,
            eui64: None,
            measured: false,
            too_many: false,
        }
    }

    /// The message.
    ///
    /// # Errors
    /// [`PcdError`]; the buffer then holds no whole message.
    pub fn finish(self) -> Result<&'w [u8], PcdError> {
        // Whether there was anything to say counts first: of a device that says nothing the name need not be writable.
        if !self.measured {
            return Err(PcdError::Empty);
        }
        if self.too_many {
            return Err(PcdError::TooMany);
        }
        self.writer.finish().map_err(PcdError::Write)
    }

    fn row(&mut self) -> u32 {
        self.rows = self.rows.saturating_add(1);
        self.rows
    }

    fn device(&mut self, device: &Device<'m>) {
        if self.device {
            return;
        }
        self.device = true;
        self.eui64 = device.eui64.or(self.plan.device_id);
        segments::head(&mut self.writer, self.route, self.plan, device, self.zone);
        let row = self.row();
        segments::mds(&mut self.writer, self.plan, row, device);
    }

    fn measurement(&mut self, measurement: &Measurement<'m>) {
        self.device(&Device::default());
        self.measured = true;
        let Some(node) = self.node() else {
            self.too_many = true;
            return;
        };
        let place = Place { vmd: node.vmd, channel: node.channel, metric: node.give(measurement.place) };
        let row = self.row();
        let device = self.route.device_on_rows.then_some((self.plan.instrument, self.eui64));
        segments::metric(&mut self.writer, row, place, measurement, device, self.zone);
    }

    /// The node of the group at hand, whose rows are written when it is new; `None` when there are too many.
    fn node(&mut self) -> Option<&mut Node> {
        let group = self.group;
        let (vmd, channel) = (group.vmd_place, group.channel_place);
        let known =
            self.node.or_else(|| self.nodes.iter().position(|n| (n.vmd, n.channel) == (vmd, channel)));
        let at = match known {
            Some(at) => at,
            None => {
                let new_vmd = vmd != 0 && self.nodes.iter().all(|n| n.vmd != vmd);
                self.nodes.push(Node::new(&group)).ok()?;
                if new_vmd {
                    let row = self.row();
                    segments::vmd(&mut self.writer, row, &group);
                }
                if channel != 0 && segments::has_channel_row(&group) {
                    let row = self.row();
                    segments::channel(&mut self.writer, row, &group);
                }
                self.nodes.len().checked_sub(1)?
            }
        };
        self.node = Some(at);
        self.nodes.get_mut(at)
    }
}

impl<'m> ReportSink<'m> for PcdWriter<'_, 'm> {
    fn item(&mut self, item: Item<'m>) {
        match item {
            Item::Device(device) => self.device(&device),
            Item::Group(group) => (self.group, self.node) = (group, None),
            Item::Measurement(measurement) => self.measurement(&measurement),
            _ => {}
        }
    }

    fn note(&mut self, _: Note<'m>) {}
}
