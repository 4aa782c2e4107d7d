//! From a snapshot to measurements.
//!
//! Promises: each value of each group that the monitor says exists is given once, with the digits that it has and the scale
//! of its row, or without a value and with the reason; nothing is carried over from elsewhere. A cuff pressure, a cardiac
//! output and a wedge pressure have their value only where the session found them new. Leaves out verdicts: what is sent
//! is the gateway's.

use crate::civil;
use crate::frame::{Places, RECORD_MAX, decode};
use crate::labels;
use crate::profile::Plan;
use crate::record::{AUXILIARY, GROUPS, Main, Record, Subrecord, i16_at, u16_at, u32_at};
use crate::slots;
use crate::table::{self, Bits, CUFF_CALIBRATING, CUFF_MEASURING, Field, Group, Name, Status, Taken};
use orugate_driver::report::{
    Alarm, At, Code, Device, End, Group as GroupItem, Item, Kind, Marks, Measurement, Note, NoteKind,
    Priority, Reading, ReportSink, Shown, Side, Unit,
};
use orugate_driver::snapshot::{self, Snapshot, decimal};
use orugate_driver::span::Span;
use orugate_driver::text::{Charset, Escapes, Text};
use orugate_driver::time::DeviceTime;
use orugate_driver::{Fault, Interpreter, Scratch, StoredMessage, intern};

/// `MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS`.
const MULTI_PARAMETER_MONITOR: u32 = 69965;

pub(crate) struct DriInterpreter {
    pub(crate) words: Words,
}

/// The profile's words, which live as long as the process: report items borrow them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    manufacturer: &'static str,
    model: &'static str,
    system: &'static str,
    /// The code of each field of each group.
    ids: &'static [Vec<String>],
}

impl Words {
    pub(crate) fn of(plan: &Plan) -> Self {
        Self {
            manufacturer: intern(&plan.profile.manufacturer),
            model: intern(&plan.profile.model),
            system: intern(&plan.profile.coding_system.0),
            ids: table::ids(),
        }
    }
}

/// A unit of the snapshot, unframed.
struct Piece<'m, 's> {
    unit: snapshot::Unit<'m>,
    record: Record<'s>,
    /// Which classes of values the record has.
    classes: u8,
    /// When the three that are taken now and then were, as far as the monitor said.
    times: [Option<DeviceTime>; 3],
}

impl Interpreter for DriInterpreter {
    fn interpret<'m>(
        &self,
        message: &StoredMessage<'m>,
        scratch: &mut Scratch<'m>,
        sink: &mut dyn ReportSink<'m>,
    ) -> Result<(), Fault> {
        let snapshot = snapshot::read(message.raw)?;
        let mut space = [0u8; RECORD_MAX + 1];
        sink.item(Item::Device(self.device(&snapshot, &mut space)));
        let times = snapshot.units().find_map(|unit| {
            let record = Record::new(decode(unit.bytes, &mut space)?);
            record.has(Main::Physiological, AUXILIARY).then(|| times(&record))
        });
        for unit in snapshot.units() {
            let Some(record) = decode(unit.bytes, &mut space) else {
                sink.note(Note { kind: NoteKind::BadFrame, span: span(&unit), subject: Text::EMPTY });
                continue;
            };
            let record = Record::new(record);
            let classes = record.displayed_classes();
            let piece = Piece { unit, record, classes, times: times.unwrap_or_default() };
            match record.main() {
                Main::Physiological => self.displayed(&piece, scratch, sink)?,
                Main::Alarm => self.alarms(&piece, scratch, sink)?,
                Main::Wave | Main::Network | Main::Other(_) => {}
            }
        }
        sink.item(Item::End(End { complete: message.complete }));
        Ok(())
    }
}

impl DriInterpreter {
    fn device<'m>(&self, snapshot: &Snapshot<'m>, space: &mut [u8]) -> Device<'m> {
        let mut device = Device {
            mds: MULTI_PARAMETER_MONITOR,
            manufacturer: Text::plain(self.words.manufacturer),
            model: Text::plain(self.words.model),
            ..Device::default()
        };
        if let Some(unit) = snapshot.units().max_by_key(|unit| unit.received)
            && let Some(record) = decode(unit.bytes, space)
        {
            let record = Record::new(record);
            let shown = civil::time(record.time());
            device.clock = shown.map(|device| Shown { device, received: unit.received });
            device.version = Text::plain(level(record.level()));
            device.span = span(&unit);
        }
        device
    }

    fn displayed<'m>(
        &self,
        piece: &Piece<'m, '_>,
        scratch: &mut Scratch<'m>,
        sink: &mut dyn ReportSink<'m>,
    ) -> Result<(), Fault> {
        let mut places = Places::new(piece.unit.bytes);
        for part in piece.record.subrecords() {
            let Some(part) = part else {
                sink.note(Note { kind: NoteKind::CutRecord, span: span(&piece.unit), subject: Text::EMPTY });
                continue;
            };
            let Some(class) = part.class().filter(|_| part.is_displayed()) else { continue };
            let groups = table::GROUPS.iter().zip(self.words.ids);
            for (group, ids) in groups.filter(|(group, _)| group.class == class) {
                self.group(piece, &part, (group, ids), &mut places, scratch, sink)?;
            }
        }
        Ok(())
    }

    fn group<'m>(
        &self,
        piece: &Piece<'m, '_>,
        part: &Subrecord<'_>,
        (group, ids): (&'static Group, &'static [String]),
        places: &mut Places<'_>,
        scratch: &mut Scratch<'m>,
        sink: &mut dyn ReportSink<'m>,
    ) -> Result<(), Fault> {
        let groups = part.groups();
        let Some(header) = slots::header(groups, group.header).filter(|(status, _)| status & 1 == 1) else {
            return Ok(());
        };
        let (status, label) = header;
        let start = part.at.saturating_add(GROUPS).saturating_add(group.at);
        let mut place = |at: usize, length: usize| {
            let from = start.saturating_add(at);
            let (from, to) = (places.of(from), places.of(from.saturating_add(length)));
            Span::new(piece.unit.offset.saturating_add(from), piece.unit.offset.saturating_add(to))
        };
        let mut begun = false;
        for ((field, id), n) in group.fields.iter().zip(ids).zip(1u16..) {
            if !belongs(piece.unit.taken, field, header) {
                continue;
            }
            let Some(raw) = i16_at(groups, group.at.saturating_add(field.at)) else { continue };
            if !std::mem::replace(&mut begun, true) {
                sink.item(Item::Group(GroupItem {
                    vmd: group.place.vmd.1,
                    channel: group.place.channel.1,
                    name: Text::plain(group.key),
                    vmd_place: group.place.vmd.0,
                    channel_place: group.place.channel.0,
                    id: Text::EMPTY,
                    span: place(0, 6),
                }));
            }
            let (value, marks, why) =
                reading(group, field, status, label, raw, scratch).ok_or(Fault::Space)?;
            let (term, site) = name(group, field, status, label, piece.classes);
            let own = taken(group, field);
            let measured = match own {
                Some(n) => piece.times.get(n).copied().flatten(),
                None => part.time().and_then(civil::time),
            };
            sink.item(Item::Measurement(Measurement {
                place: n,
                term,
                code: self.code(Text::plain(id), field.title),
                value,
                unit: Unit { mdc: field.unit.mdc, text: Text::plain(field.unit.text) },
                marks,
                why,
                at: measured.map_or(At::Received, At::Device),
                received: piece.unit.received,
                once: own.is_some(),
                label: Text::plain(site),
                span: place(field.at, 2),
                ..Measurement::default()
            }));
        }
        Ok(())
    }

    fn alarms<'m>(
        &self,
        piece: &Piece<'m, '_>,
        scratch: &mut Scratch<'m>,
        sink: &mut dyn ReportSink<'m>,
    ) -> Result<(), Fault> {
        const IDS: [&str; slots::ALARM_COUNT] = ["alarm.1", "alarm.2", "alarm.3", "alarm.4", "alarm.5"];
        let Some(list) = piece.record.subrecords().flatten().next() else { return Ok(()) };
        let mut places = Places::new(piece.unit.bytes);
        let mut begun = false;
        for (id, n) in IDS.into_iter().zip(0u16..) {
            let at = slots::FIRST_ALARM.saturating_add(usize::from(n).saturating_mul(slots::ALARM));
            let Some(alarm) = list.bytes.get(at..at.saturating_add(slots::ALARM)) else { break };
            let text = alarm.get(..slots::ALARM_TEXT).unwrap_or_default();
            let text = text.split(|byte| *byte == 0).next().unwrap_or_default().trim_ascii();
            let priority = match u16_at(alarm, slots::ALARM_COLOUR) {
                None | Some(0) => continue,
                Some(1) => Priority::Low,
                Some(2) => Priority::Medium,
                Some(3) => Priority::High,
                Some(_) => Priority::Unknown,
            };
            if text.is_empty() {
                continue;
            }
            let words = scratch.take(text.len()).ok_or(Fault::Space)?;
            words.copy_from_slice(text);
            let mut place =
                |at: usize| places.of(list.at.saturating_add(at)).saturating_add(piece.unit.offset);
            let span = Span::new(place(at), place(at.saturating_add(slots::ALARM_TEXT)));
            if !std::mem::replace(&mut begun, true) {
                sink.item(Item::Group(GroupItem {
                    name: Text::plain("alarm"),
                    vmd_place: table::ALARMS.0,
                    channel_place: table::ALARMS.1,
                    span,
                    ..GroupItem::default()
                }));
            }
            sink.item(Item::Measurement(Measurement {
                place: n.saturating_add(1),
                code: self.code(Text::plain(id), "Alarm on the monitor's screen"),
                kind: Kind::Alarm,
                value: Reading::Words(Text::new(words, Charset::Latin1, Escapes::None)),
                at: civil::time(piece.record.time()).map_or(At::Received, At::Device),
                received: piece.unit.received,
                alarm: Some(Alarm { side: Side::Unknown, priority }),
                span,
                ..Measurement::default()
            }));
        }
        Ok(())
    }

    fn code<'m>(&self, id: Text<'m>, title: &'static str) -> Code<'m> {
        Code { id, name: Text::plain(title), system: self.words.system, ..Code::default() }
    }
}

/// Whether a field goes from such a unit: what is taken now and then only from the one that was made when it was new.
const fn belongs(from_taken: bool, field: &Field, (status, label): (u32, u16)) -> bool {
    match field.taken {
        Taken::Continuously => !from_taken,
        Taken::OldBit(old) => from_taken && slots::active(status) && label >> old & 1 == 0,
    }
}

/// A value, or the marks that say why there is none. `None`: no space for its digits.
fn reading<'m>(
    group: &Group,
    field: &Field,
    status: u32,
    label: u16,
    raw: i16,
    scratch: &mut Scratch<'m>,
) -> Option<(Reading<'m>, Marks, &'static str)> {
    let none = |marks, why| Some((Reading::Absent, marks, why));
    if !slots::active(status) {
        return none(Marks::NAV, "the measurement is not active");
    }
    let (mut marks, mut why) = (Marks::NONE, "");
    match group.status {
        Status::Bits { calibrating, .. } if status & calibrating != 0 => {
            return none(Marks::CAL, "it is calibrated");
        }
        Status::Bits { off, .. } if status & off != 0 => return none(Marks::OFF, "it is switched off"),
        Status::Cuff if label >> CUFF_CALIBRATING & 1 == 1 => return none(Marks::CAL, "it is calibrated"),
        Status::Cuff if label >> CUFF_MEASURING & 1 == 1 => return none(Marks::BUSY, "the cuff measures"),
        Status::Ecg if status & (1 << 7 | 1 << 8) != 0 => {
            (marks, why) = (Marks::QUES, "there is noise or an artifact");
        }
        Status::Ecg if status & 1 << 9 != 0 => (marks, why) = (Marks::EARLY, "the ECG is being learnt"),
        Status::Plain | Status::Bits { .. } | Status::Cuff | Status::Ecg => {}
    }
    let mantissa = match field.bits {
        Bits::All if raw <= slots::NO_DATA => {
            let (marks, why) = special(raw);
            return none(marks, why);
        }
        Bits::All => i64::from(raw),
        Bits::Some { from, count, none: no } => {
            let word = u16::from_le_bytes(raw.to_le_bytes());
            let value = word >> from & 1u16.wrapping_shl(count.into()).wrapping_sub(1);
            if value == no {
                return none(Marks::NAV, "there is none");
            }
            i64::from(value)
        }
    };
    let exponent = i8::try_from(field.decimals).ok()?.checked_neg()?;
    Some((Reading::Number(decimal(scratch, mantissa, exponent)?), marks, why))
}

/// What a number at or below the limit says, which is no data.
const fn special(raw: i16) -> (Marks, &'static str) {
    match raw {
        -32767 => (Marks::INV, "there is no valid value"),
        -32766 => (Marks::NAV, "it was not renewed"),
        -32765 => (Marks::NAV, "the measurement is interrupted"),
        -32764 => (Marks::UNDER, "below the measuring range"),
        -32763 => (Marks::OVER, "above the measuring range"),
        -32762 => (Marks::CAL, "it is not calibrated"),
        _ => (Marks::INV, "a special value without a known meaning"),
    }
}

/// Which of the three that are taken now and then it is, in the order of a record of times.
fn taken(group: &Group, field: &Field) -> Option<usize> {
    match (field.taken, group.at == table::CUFF.at) {
        (Taken::Continuously, _) => None,
        (Taken::OldBit(_), true) => Some(0),
        (Taken::OldBit(0), false) => Some(1),
        (Taken::OldBit(_), false) => Some(2),
    }
}

/// Its MDC code, 0 where no source proves one, and the label that tells it from others of its kind.
fn name(group: &Group, field: &Field, status: u32, label: u16, classes: u8) -> (u32, &'static str) {
    let source = labels::heart_rate_source(status);
    match field.name {
        Name::Private => (0, ""),
        Name::Mdc(code) => (code, label_of(group, label)),
        Name::Pressure(part) => labels::pressure(label).map_or((0, ""), |row| (row.code(part), row.name)),
        Name::Temperature => labels::temperature(label).map_or((0, ""), |(name, code)| (code, name)),
        Name::AgentExpired => labels::agent(label).map_or((0, ""), |(name, code, _)| (code, name)),
        Name::AgentInspired => labels::agent(label).map_or((0, ""), |(name, _, code)| (code, name)),
        Name::Saturation => labels::saturation(label).map_or((0, ""), |(name, code)| (code, name)),
        Name::HeartRate if source == "ECG" => (HEART_RATE, ""),
        Name::HeartRate => (0, source),
        // One of the two is the ECG's rate, never both.
        Name::HeartRateOfEcg if source == "ECG" => (0, ""),
        Name::HeartRateOfEcg => (HEART_RATE, ""),
        Name::St(channel) => {
            // With the 12-lead values there, the same level is theirs.
            let twelve = classes & 2 != 0;
            labels::lead(label, channel).map_or((0, ""), |(lead, code)| (if twelve { 0 } else { code }, lead))
        }
        Name::GasBreaths if label & 7 == 1 => (151570, ""),
        Name::GasBreaths => (0, ""),
    }
}

/// `MDC_ECG_HEART_RATE`.
const HEART_RATE: u32 = 147842;

/// A pressure's label also tells whose pulse it is.
fn label_of(group: &Group, label: u16) -> &'static str {
    let pressure = group.fields.iter().any(|field| matches!(field.name, Name::Pressure(_)));
    if pressure { labels::pressure(label).map_or("", |row| row.name) } else { "" }
}

/// When the cuff pressure, the cardiac output and the wedge pressure were taken, as far as a record of times says.
fn times(record: &Record<'_>) -> [Option<DeviceTime>; 3] {
    let part = record.subrecords().flatten().find(|part| part.kind == AUXILIARY);
    let bytes = part.map_or(&[][..], |part| part.bytes);
    [0, 6, 10].map(|at| u32_at(bytes, at).and_then(civil::time))
}

fn span(unit: &snapshot::Unit<'_>) -> Span {
    Span::new(unit.offset, unit.offset.saturating_add(unit.bytes.len()))
}

/// The interface level as a version; levels count up since 1995.
const fn level(level: u8) -> &'static str {
    match level {
        2 => "DRI level 2",
        3 => "DRI level 3",
        4 => "DRI level 4",
        5 => "DRI level 5",
        6 => "DRI level 6",
        7 => "DRI level 7",
        8 => "DRI level 8",
        9 => "DRI level 9",
        10 => "DRI level 10",
        11 => "DRI level 11",
        _ => "",
    }
}
