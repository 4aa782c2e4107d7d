//! The protocol units of data export, taken apart as far as a session needs it: who says what to whom.
//!
//! Promises that nothing is read beyond a unit's own lengths, and that a reply's list is walked only when each of its parts has
//! the length that it says ([`Reply::is_sound`]). Leaves out what a value means: that is [`value`](crate::value).

use crate::read::Reader;
use crate::value::observed;

/// The object class of numerics.
pub(crate) const NUMERIC: u16 = 0x0006;
/// Of the monitor itself.
pub(crate) const MDS: u16 = 0x0021;
/// Of the patient's demographics.
pub(crate) const DEMOGRAPHICS: u16 = 0x002A;
/// Of the alert monitor.
pub(crate) const ALERTS: u16 = 0x0036;

/// An event report that wants no confirmation.
pub(crate) const EVENT_ALONE: u16 = 0;
/// A confirmed event report.
pub(crate) const EVENT: u16 = 1;
/// A confirmed action.
pub(crate) const ACTION: u16 = 7;
/// The event that tells of a new association.
pub(crate) const CREATED: u16 = 0x0D06;
/// The event of a connect indication.
pub(crate) const ANNOUNCED: u16 = 0x0D17;
/// The action of a single poll.
pub(crate) const POLL: u16 = 0x0C16;
/// The action of an extended poll.
pub(crate) const POLL_EXTENDED: u16 = 0xF13B;

/// What a message of the association says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Association {
    Request,
    Accept,
    Refuse,
    Release,
    Released,
    Abort,
}

impl Association {
    pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0x0D => Self::Request,
            0x0E => Self::Accept,
            0x0C => Self::Refuse,
            0x09 => Self::Release,
            0x0A => Self::Released,
            0x19 => Self::Abort,
            _ => return None,
        })
    }

    pub(crate) const fn byte(self) -> u8 {
        match self {
            Self::Request => 0x0D,
            Self::Accept => 0x0E,
            Self::Refuse => 0x0C,
            Self::Release => 0x09,
            Self::Released => 0x0A,
            Self::Abort => 0x19,
        }
    }
}

/// One protocol unit.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pdu<'a> {
    Association(Association, &'a [u8]),
    /// The monitor (or we) wants something done.
    Invoke {
        invoke: u16,
        command: u16,
        body: &'a [u8],
    },
    /// An answer, or the last part of one.
    Result {
        command: u16,
        body: &'a [u8],
    },
    /// A part of an answer.
    Linked {
        part: Part,
        command: u16,
        body: &'a [u8],
    },
    /// No, and why.
    Error {
        invoke: u16,
        code: u16,
    },
}

/// Which part of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The monitor says that it is the last but for the answer that ends the set.
    pub(crate) last: bool,
    /// From 1.
    pub(crate) count: u8,
}

/// Marks a unit of data export.
const DATA: u16 = 0xE100;
const CONTEXT: u16 = 2;

/// The first unit in these bytes, and how long it is. Bytes behind it are another one's.
pub(crate) fn parse(bytes: &[u8]) -> Option<(Pdu<'_>, usize)> {
    let mut reader = Reader::new(bytes);
    if let Some(kind) = bytes.first().copied().and_then(Association::from_byte) {
        reader.u8()?;
        let len = match reader.u8()? {
            0xFF => usize::from(reader.u16()?),
            short => usize::from(short),
        };
        let body = reader.take(len)?;
        return Some((Pdu::Association(kind, body), used(bytes, &reader)));
    }
    if (reader.u16()?, reader.u16()?) != (DATA, CONTEXT) {
        return None;
    }
    let kind = reader.u16()?;
    let mut inner = Reader::new(reader.counted()?);
    let part = match kind {
        5 => {
            let last = inner.u8()? == 3;
            Some(Part { last, count: inner.u8()? })
        }
        _ => None,
    };
    let invoke = inner.u16()?;
    let pdu = match kind {
        3 => Pdu::Error { invoke, code: inner.u16()? },
        1 | 2 | 5 => {
            let command = inner.u16()?;
            let body = inner.counted()?;
            match (kind, part) {
                (1, _) => Pdu::Invoke { invoke, command, body },
                (5, Some(part)) => Pdu::Linked { part, command, body },
                _ => Pdu::Result { command, body },
            }
        }
        _ => return None,
    };
    Some((pdu, used(bytes, &reader)))
}

/// The unit of a whole datagram or frame. A message of the association is here what its first byte says, also where its own length
/// is another one than it has: it ends with the datagram, and a goodbye that is not heard costs more than one that is cut off.
pub(crate) fn alone(bytes: &[u8]) -> Option<(Pdu<'_>, usize)> {
    parse(bytes).or_else(|| {
        let [kind, _, body @ ..] = bytes else { return None };
        Some((Pdu::Association(Association::from_byte(*kind)?, body), bytes.len()))
    })
}

fn used(bytes: &[u8], reader: &Reader<'_>) -> usize {
    bytes.len().saturating_sub(reader.rest().len())
}

/// The event that a monitor reports.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event<'a> {
    /// Class, context and handle of the object that reports, as they must be given back.
    pub(crate) object: &'a [u8],
    /// The monitor's relative time, as it must be given back.
    pub(crate) time: u32,
    pub(crate) kind: u16,
    pub(crate) info: &'a [u8],
}

impl<'a> Event<'a> {
    pub(crate) fn read(body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let object = reader.take(6)?;
        Some(Self { object, time: reader.u32()?, kind: reader.u16()?, info: reader.counted()? })
    }

    /// The attributes of the object that the event tells of; with or without that object's name before them, as they fit.
    pub(crate) fn attributes(&self) -> Option<Attributes<'a>> {
        let read = |named: usize| {
            let mut reader = Reader::new(self.info.get(named..)?);
            let attributes = Attributes::read(&mut reader)?;
            Some((attributes, reader.rest().is_empty()))
        };
        let named = read(6);
        match (named, read(0)) {
            (Some((attributes, true)), _) | (_, Some((attributes, true))) => Some(attributes),
            _ => named.map(|(attributes, _)| attributes),
        }
    }
}

/// One answer to a poll, or one part of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply<'a> {
    pub(crate) poll: u16,
    /// Which answer to an extended poll, from 0.
    pub(crate) sequence: u16,
    /// The monitor's time, in eighths of a millisecond since it started.
    pub(crate) relative: u32,
    pub(crate) class: u16,
    /// How many devices' objects it lists, and the list.
    pub(crate) info: &'a [u8],
    list: &'a [u8],
}

impl<'a> Reply<'a> {
    /// From an action's result.
    pub(crate) fn read(body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        reader.take(6)?;
        let extended = match reader.u16()? {
            POLL => false,
            POLL_EXTENDED => true,
            _ => return None,
        };
        let mut reader = Reader::new(reader.counted()?);
        let poll = reader.u16()?;
        let sequence = if extended { reader.u16()? } else { 0 };
        let relative = reader.u32()?;
        // The absolute time is never filled in, and the class's partition is always that of objects.
        reader.take(10)?;
        let class = reader.u16()?;
        reader.u16()?;
        let info = reader.rest();
        reader.u16()?;
        let list = reader.counted()?;
        let mut reply = Self { poll, sequence, relative, class, info, list };
        // Whoever leaves it open shows it by what is listed.
        if class == 0 && reply.objects().any(|object| observed(object.attributes).next().is_some()) {
            reply.class = NUMERIC;
        }
        Some(reply)
    }

    /// True when it lists nothing.
    pub(crate) const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) const fn objects(&self) -> Objects<'a> {
        Objects { reader: Reader::new(self.list), context: 0, inside: Reader::new(&[]), broken: false }
    }

    /// True when the list can be walked to its end.
    pub(crate) fn is_sound(&self) -> bool {
        let mut objects = self.objects();
        let inside = objects.by_ref().all(|object| {
            let mut attributes = object.attributes;
            attributes.by_ref().for_each(drop);
            attributes.is_whole()
        });
        inside && !objects.broken
    }
}

/// An object that a poll lists.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Object<'a> {
    /// Which device's: the monitor's own objects have 0.
    pub(crate) context: u16,
    pub(crate) handle: u16,
    pub(crate) attributes: Attributes<'a>,
}

/// The objects of a reply, in its order.
#[derive(Clone, Debug)]
pub(crate) struct Objects<'a> {
    reader: Reader<'a>,
    context: u16,
    inside: Reader<'a>,
    broken: bool,
}

impl<'a> Iterator for Objects<'a> {
    type Item = Object<'a>;

    fn next(&mut self) -> Option<Object<'a>> {
        while self.inside.rest().is_empty() {
            if self.broken || self.reader.rest().is_empty() {
                return None;
            }
            self.broken = true;
            self.context = self.reader.u16()?;
            self.reader.u16()?;
            self.inside = Reader::new(self.reader.counted()?);
            self.broken = false;
        }
        self.broken = true;
        let handle = self.inside.u16()?;
        let attributes = Attributes::read(&mut self.inside)?;
        self.broken = false;
        Some(Object { context: self.context, handle, attributes })
    }
}

/// An attribute list: ids and values, in its order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes<'a> {
    reader: Reader<'a>,
}

impl<'a> Attributes<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Option<Self> {
        reader.u16()?;
        Some(Self { reader: Reader::new(reader.counted()?) })
    }

    /// The value of the first attribute with this id.
    pub(crate) fn find(mut self, id: u16) -> Option<&'a [u8]> {
        self.find_map(|(known, value)| (known == id).then_some(value))
    }

    /// After the walk: nothing is left that could not be read.
    const fn is_whole(&self) -> bool {
        self.reader.rest().is_empty()
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        let mut ahead = self.reader;
        let id = ahead.u16()?;
        let value = ahead.counted()?;
        self.reader = ahead;
        Some((id, value))
    }
}
