//! From a snapshot to measurements.
//!
//! Promises: each value of each group that the monitor says exists is given once, with the digits that it has and the scale
//! of its row, or without a value and with the reason; nothing is carried over from elsewhere. A cuff pressure, a cardiac
//! output and a wedge pressure have their value only where the session found them new. Leaves out verdicts: what is sent
//! is the gateway's.

use crate::civil;
use crate::frame::{Places, RECORD_MAX, decode};
use crate::labels;
use crate::profile::{Plan, Settings};
use crate::record::{GROUPS, Main, Record, Subrecord, i16_at, u16_at, u32_at};
use crate::slots;
use crate::table::{self, Bits, CUFF_CALIBRATING, CUFF_MEASURING, Field, Group, Name, Status, Taken};
use orugate_driver::report::{
    Alarm, Code, Device, End, Group as GroupItem, Item, Measurement, Note, NoteKind, Reading, ReportSink, Shown,
    Term, Unit, Validity,
};
use orugate_driver::snapshot::{self, Kept, Snapshot, decimal};
use orugate_driver::span::Span;
use orugate_driver::text::{Charset, Escapes, Text};
use orugate_driver::time::DeviceTime;
use orugate_driver::{Fault, Interpreter, Lasts, Scratch, StoredMessage};

/// `MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS`.
const MULTI_PARAMETER_MONITOR: u32 = 69965;

pub(crate) struct DriInterpreter {
    pub(crate) words: Words,
    pub(crate) settings: Settings,
}

/// The profile's words, which live as long as the process: report items borrow them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) manufacturer: &'static str,
    pub(crate) model: &'static str,
    pub(crate) system: &'static str,
}

impl Words {
    pub(crate) fn of(plan: &Plan) -> Self {
        use crate::intern::intern;
        Self {
            manufacturer: intern(&plan.profile.manufacturer),
            model: intern(&plan.profile.model),
            system: intern(&plan.profile.coding_system.0),
        }
    }
}

/// A kept record, unframed, and how its places are those of the message.
struct Piece<'m, 's> {
    kept: Kept<'m>,
    record: Record<'s>,
    stale: bool,
}

/// What a walk over one record's groups needs to know.
#[derive(Clone, Copy)]
struct Scope {
    /// All classes of the record.
    classes: u8,
    /// Only values that were taken in this way: of one slot of [`Lasts::OneSnapshot`].
    only: Option<orugate_driver::Slot>,
    /// Values that are taken now and then and have a piece of their own in this snapshot.
    taken: [bool; 3],
    /// The times of them, if the monitor said.
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
        let has = |slot| snapshot.pieces().any(|kept| kept.slot == slot);
        let mut scope = Scope {
            classes: 0,
            only: None,
            taken: [slots::CUFF_TAKEN, slots::OUTPUT_TAKEN, slots::WEDGE_TAKEN].map(has),
            times: [None; 3],
        };
        if let Some(kept) = snapshot.newest(slots::TIMES)
            && let Some(record) = decode(kept.bytes, &mut space)
        {
            scope.times = times(&Record::new(record));
        }
        for kept in snapshot.pieces() {
            let Some(record) = decode(kept.bytes, &mut space) else {
                sink.note(Note { kind: NoteKind::BadFrame, span: span(&kept), subject: Text::EMPTY });
                continue;
            };
            let record = Record::new(record);
            let stale = snapshot.is_stale(&kept, self.settings.silence());
            let piece = Piece { kept, record, stale };
            match kept.slot {
                slots::TIMES => {}
                slots::ALARMS => self.alarms(&piece, scratch, sink)?,
                slot => {
                    scope.classes = record.displayed_classes();
                    scope.only = (kept.lasts == Lasts::OneSnapshot).then_some(slot);
                    self.displayed(&piece, scope, scratch, sink)?;
                }
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
            silent: snapshot.silent,
            ..Device::default()
        };
        let newest = snapshot.pieces().filter(|kept| kept.lasts == Lasts::UntilReplaced).max_by_key(|k| k.received);
        if let Some(kept) = newest
            && let Some(record) = decode(kept.bytes, space)
        {
            let record = Record::new(record);
            let shown = civil::time(record.time());
            device.clock = shown.map(|device| Shown { device, received: kept.received });
            device.version = Text::plain(level(record.level()));
            device.span = span(&kept);
        }
        device
    }

    fn displayed<'m>(
        &self,
        piece: &Piece<'m, '_>,
        scope: Scope,
        scratch: &mut Scratch<'m>,
        sink: &mut dyn ReportSink<'m>,
    ) -> Result<(), Fault> {
        let mut places = Places::new(piece.kept.bytes);
        for part in piece.record.subrecords() {
            let Some(part) = part else {
                sink.note(Note { kind: NoteKind::CutRecord, span: span(&piece.kept), subject: Text::EMPTY });
                continue;
            };
            let Some(class) = part.class().filter(|_| part.is_displayed()) else { continue };
            for group in table::GROUPS.iter().filter(|group| group.class == class) {
                self.group(piece, &part, group, scope, &mut places, scratch, sink)?;
            }
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments)] // A group, where it stands, and where it goes.
    fn group<'m>(
        &self,
        piece: &Piece<'m, '_>,
        part: &Subrecord<'_>,
        group: &'static Group,
        scope: Scope,
        places: &mut Places<'_>,
        scratch: &mut Scratch<'m>,
        sink: &mut dyn ReportSink<'m>,
    ) -> Result<(), Fault> {
        let groups = part.groups();
        let Some((status, label)) = slots::header(groups, group.header).filter(|(status, _)| status & 1 == 1) else {
            return Ok(());
        };
        let wanted = |field: &&Field| match scope.only {
            None => taken(group, field).and_then(|(n, _)| scope.taken.get(n)).is_none_or(|own| !own),
            Some(slot) => taken(group, field).is_some_and(|(_, own)| own == slot),
        };
        let start = part.at.saturating_add(GROUPS).saturating_add(group.at);
        let mut place = |at: usize, length: usize| {
            let from = start.saturating_add(at);
            let (from, to) = (places.of(from), places.of(from.saturating_add(length)));
            let base = usize::try_from(piece.kept.offset).unwrap_or(usize::MAX);
            Span::new(base.saturating_add(from), base.saturating_add(to))
        };
        if group.fields.iter().any(|field| wanted(&field)) {
            let channel = Term::Private(Text::plain(group.key));
            sink.item(Item::Group(GroupItem { vmd: Term::None, channel, span: place(0, 6) }));
        }
        for field in group.fields.iter().filter(wanted) {
            let Some(raw) = i16_at(groups, group.at.saturating_add(field.at)) else { continue };
            let (value, validity) =
                reading(piece, group, field, status, label, raw, scope, scratch).ok_or(Fault::Space)?;
            let (term, site) = name(group, field, status, label, scope.classes);
            let id = joined(scratch, group.key, field.key).ok_or(Fault::Space)?;
            let own = taken(group, field);
            let measured = match own {
                Some((n, _)) => scope.times.get(n).copied().flatten(),
                None => part.time().and_then(civil::time),
            };
            sink.item(Item::Measurement(Measurement {
                term: if term.is_none() { Term::Private(id) } else { term },
                code: Code {
                    id,
                    name: Text::plain(field.title),
                    system: self.words.system,
                    ..Code::default()
                },
                value,
                unit: Unit { mdc: field.unit.mdc, sent: Text::plain(field.unit.sent) },
                validity,
                at: measured,
                received: piece.kept.received,
                once: own.is_some(),
                site,
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
        let Some(list) = piece.record.subrecords().flatten().next().filter(|_| piece.record.main() == Main::Alarm)
        else {
            return Ok(());
        };
        let mut places = Places::new(piece.kept.bytes);
        let mut begun = false;
        for (n, id) in IDS.into_iter().enumerate() {
            let at = slots::FIRST_ALARM.saturating_add(n.saturating_mul(slots::ALARM));
            let Some(alarm) = list.bytes.get(at..at.saturating_add(slots::ALARM)) else { break };
            let text = alarm.get(..slots::ALARM_TEXT).unwrap_or_default();
            let text = text.split(|byte| *byte == 0).next().unwrap_or_default().trim_ascii();
            let active = match u16_at(alarm, slots::ALARM_COLOUR) {
                None | Some(0) => continue,
                Some(1) => Alarm::Low,
                Some(2) => Alarm::Medium,
                Some(3) => Alarm::High,
                Some(_) => Alarm::Active,
            };
            if text.is_empty() || piece.stale {
                continue;
            }
            let words = scratch.take(text.len()).ok_or(Fault::Space)?;
            words.copy_from_slice(text);
            let mut place = |at: usize| {
                let at = places.of(list.at.saturating_add(at));
                at.saturating_add(usize::try_from(piece.kept.offset).unwrap_or(usize::MAX))
            };
            let span = Span::new(place(at), place(at.saturating_add(slots::ALARM_TEXT)));
            if !std::mem::replace(&mut begun, true) {
                let channel = Term::Private(Text::plain("alarm"));
                sink.item(Item::Group(GroupItem { vmd: Term::None, channel, span }));
            }
            sink.item(Item::Measurement(Measurement {
                term: Term::Private(Text::plain(id)),
                code: Code {
                    id: Text::plain(id),
                    name: Text::plain("Alarm on the monitor's screen"),
                    system: self.words.system,
                    ..Code::default()
                },
                value: Reading::Words(Text::new(words, Charset::Latin1, Escapes::None)),
                at: civil::time(piece.record.time()),
                received: piece.kept.received,
                alarm: active,
                span,
                ..Measurement::default()
            }));
        }
        Ok(())
    }
}

/// A value, or why there is none. `None`: no space for its digits.
#[allow(clippy::too_many_arguments)] // All of them say something about whether a value is one.
fn reading<'m>(
    piece: &Piece<'_, '_>,
    group: &Group,
    field: &Field,
    status: u32,
    label: u16,
    raw: i16,
    scope: Scope,
    scratch: &mut Scratch<'m>,
) -> Option<(Reading<'m>, Validity)> {
    let none = |validity| Some((Reading::Absent, validity));
    if piece.stale {
        return none(Validity::NotAvailable("stale"));
    }
    if !slots::active(status) {
        return none(Validity::NotAvailable("the measurement is not active"));
    }
    let mut validity = Validity::Valid;
    match group.status {
        Status::Plain => {}
        Status::Bits { calibrating, .. } if status & calibrating != 0 => return none(Validity::Calibrating),
        Status::Bits { off, .. } if status & off != 0 => {
            return none(Validity::NotAvailable("the measurement is off"));
        }
        Status::Bits { .. } => {}
        Status::Cuff if label >> CUFF_CALIBRATING & 1 == 1 => return none(Validity::Calibrating),
        Status::Cuff if label >> CUFF_MEASURING & 1 == 1 && scope.only.is_none() => {
            return none(Validity::Ongoing);
        }
        Status::Cuff => {}
        // Noise, artifact; learning.
        Status::Ecg if status & (1 << 7 | 1 << 8) != 0 => validity = Validity::Questionable,
        Status::Ecg if status & 1 << 9 != 0 => validity = Validity::Early,
        Status::Ecg => {}
    }
    if taken(group, field).is_some() && scope.only.is_none() {
        return none(Validity::NotAvailable("it is taken now and then, and no new one was"));
    }
    let mantissa = match field.bits {
        Bits::All if raw <= slots::NO_DATA => return none(special(raw)),
        Bits::All => i64::from(raw),
        Bits::Some { from, count, none: no } => {
            let word = u16::from_le_bytes(raw.to_le_bytes());
            let value = word >> from & 1u16.wrapping_shl(count.into()).wrapping_sub(1);
            if value == no {
                return none(Validity::NotAvailable("there is none"));
            }
            i64::from(value)
        }
    };
    let exponent = i8::try_from(field.decimals).ok()?.checked_neg()?;
    Some((Reading::Number(decimal(scratch, mantissa, exponent)?), validity))
}

/// Why a number at or below the limit is no data.
const fn special(raw: i16) -> Validity {
    match raw {
        -32767 => Validity::NotAvailable("no valid data"),
        -32766 => Validity::NotAvailable("not updated"),
        -32765 => Validity::NotAvailable("interrupted"),
        -32764 => Validity::Invalid("below the measuring range"),
        -32763 => Validity::Invalid("above the measuring range"),
        -32762 => Validity::Invalid("not calibrated"),
        _ => Validity::Invalid("a special value that has no known meaning"),
    }
}

/// Which of the three that are taken now and then it is, and its slot.
fn taken(group: &Group, field: &Field) -> Option<(usize, orugate_driver::Slot)> {
    match (field.taken, group.at == table::CUFF.at) {
        (Taken::Continuously, _) => None,
        (Taken::OldBit(_), true) => Some((0, slots::CUFF_TAKEN)),
        (Taken::OldBit(0), false) => Some((1, slots::OUTPUT_TAKEN)),
        (Taken::OldBit(_), false) => Some((2, slots::WEDGE_TAKEN)),
    }
}

/// What a value is called, and where on the body.
fn name(group: &Group, field: &Field, status: u32, label: u16, classes: u8) -> (Term<'static>, Term<'static>) {
    let mdc = |code: u32| if code == 0 { Term::None } else { Term::Mdc(code) };
    let site = |name: &'static str| if name.is_empty() { Term::None } else { Term::Private(Text::plain(name)) };
    let source = labels::heart_rate_source(status);
    match field.name {
        Name::Private => (Term::None, site(label_of(group, label))),
        Name::Mdc(code) => (Term::Mdc(code), Term::None),
        Name::Pressure(part) => match labels::pressure(label) {
            Some(row) => (mdc(row.code(part)), site(row.name)),
            None => (Term::None, Term::None),
        },
        Name::Temperature => labels::temperature(label).map_or((Term::None, Term::None), |(n, c)| (mdc(c), site(n))),
        Name::AgentExpired => labels::agent(label).map_or((Term::None, Term::None), |(n, c, _)| (mdc(c), site(n))),
        Name::AgentInspired => labels::agent(label).map_or((Term::None, Term::None), |(n, _, c)| (mdc(c), site(n))),
        Name::Saturation => labels::saturation(label).map_or((Term::None, Term::None), |(n, c)| (mdc(c), site(n))),
        Name::HeartRate if source == "ECG" => (Term::Mdc(HEART_RATE), Term::None),
        Name::HeartRate => (Term::None, site(source)),
        Name::HeartRateOfEcg if source == "ECG" => (Term::None, Term::None),
        Name::HeartRateOfEcg => (Term::Mdc(HEART_RATE), Term::None),
        Name::St(channel) => {
            // With the 12-lead values there, the same level is theirs.
            let twelve = classes & 2 != 0;
            labels::lead(label, channel).map_or((Term::None, Term::None), |(lead, code)| {
                (if twelve { Term::None } else { mdc(code) }, site(lead))
            })
        }
        Name::GasBreaths if label & 7 == 1 => (Term::Mdc(151570), Term::None),
        Name::GasBreaths => (Term::None, Term::None),
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
    let part = record.subrecords().flatten().find(|part| part.kind == crate::record::AUXILIARY);
    let bytes = part.map_or(&[][..], |part| part.bytes);
    [0, 6, 10].map(|at| u32_at(bytes, at).and_then(civil::time))
}

fn joined<'m>(scratch: &mut Scratch<'m>, group: &str, field: &str) -> Option<Text<'m>> {
    let length = group.len().checked_add(field.len())?.checked_add(1)?;
    let place = scratch.take(length)?;
    let (before, after) = place.split_at_mut_checked(group.len())?;
    before.copy_from_slice(group.as_bytes());
    let (dot, rest) = after.split_first_mut()?;
    *dot = b'.';
    rest.copy_from_slice(field.as_bytes());
    Some(Text::plain(std::str::from_utf8(place).ok()?))
}

fn span(kept: &Kept<'_>) -> Span {
    let start = usize::try_from(kept.offset).unwrap_or(usize::MAX);
    Span::new(start, start.saturating_add(kept.bytes.len()))
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
