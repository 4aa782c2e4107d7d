//! From one message of a bedside device to its measurements (IHE PCD-01, `ORU^R01`).
//!
//! Promises: no allocation; each OBX is one measurement, known or not; codes and units have the MDC numbers that the table
//! knows under the name that was sent, or the profile says, and are else the device's own. Alarms (`ORU^R40`, and rows of them in
//! other messages) and waves with their attributes are noted and nothing more. Cuff pressures are made now and then, whether or not
//! the device says so. Leaves out the patient's name, and whether OBX-11 `F` means that a person validated: devices write it
//! without one.

use crate::plan::Plan;
use crate::profile::Bedside;
use crate::read::{self, Read};
use crate::row::{self, Level, Place, Row, is_cuff, level, of_what, term};
use orugate_driver::report::{
    Alarm, At, Code, Device, End, Group, Item, Kind, Marks, Measurement, Note, NoteKind, Priority, Reading,
    ReportSink, Shown, Side, Unit,
};
use orugate_driver::text::Text;
use orugate_driver::time::DeviceTime;
use orugate_driver::{Fault, Interpreter, Scratch, StoredMessage};
use orugate_protocol::hl7::reader::{Part, Segment};
use orugate_protocol::mdc;

/// What is added to a measurement's code for its setting.
const SETTING: u32 = 1 << 24;
const ALARM: u32 = 196_616;

const SENTINEL: &str = "the device sends a number that stands for no value";
const NO_NUMBER: &str = "the device sends no number";
const WRONG: &str = "the device says that the value is wrong or deleted";
const NOT_THERE: &str = "the device says that there is no value";

/// The interpreter of one profile.
pub(crate) struct BedsideInterpreter {
    pub(crate) plan: &'static Plan,
    pub(crate) bedside: &'static Bedside,
}

struct Walk<'w, 'a, 'm> {
    plan: &'static Plan,
    bedside: &'static Bedside,
    message: &'w StoredMessage<'m>,
    read: Read<'a, 'm>,
    sink: &'w mut dyn ReportSink<'m>,
    /// OBR-7 of the order that is walked.
    ordered: Option<DeviceTime>,
    /// MSH-7.
    made: Option<DeviceTime>,
    /// The last row was a wave: attributes behind it are its own.
    wave: bool,
    /// MSH-11 says that nobody's values are sent.
    test: bool,
    vmd: (u16, u32),
    /// By its module's place and its own.
    channel: ((u16, u16), u32),
    /// The group that was given last.
    given: Option<(u16, u16)>,
}

impl Interpreter for BedsideInterpreter {
    fn interpret<'m>(
        &self,
        message: &StoredMessage<'m>,
        scratch: &mut Scratch<'m>,
        sink: &mut dyn ReportSink<'m>,
    ) -> Result<(), Fault> {
        let read = Read::new(message.raw, self.plan.profile.charset.0, scratch)?;
        let test = matches!(read.header.field(11).component(1).bytes(), b"T" | b"D");
        let mut walk = Walk {
            plan: self.plan,
            bedside: self.bedside,
            message,
            read,
            sink,
            ordered: None,
            made: None,
            wave: false,
            test,
            vmd: (0, 0),
            channel: ((0, 0), 0),
            given: None,
        };
        walk.message()?;
        walk.sink.item(Item::End(End { complete: message.complete }));
        Ok(())
    }
}

impl<'m> Walk<'_, '_, 'm> {
    fn message(&mut self) -> Result<(), Fault> {
        let event = self.read.header.trigger();
        if matches!(event.bytes(), b"R40" | b"R41" | b"R42") {
            self.note(NoteKind::Alarm, event);
            return Ok(());
        }
        self.device()?;
        let mut alarm = false;
        for segment in self.read.segments() {
            match segment.name().bytes() {
                b"OBR" => {
                    self.ordered = self.read.time(segment.field(7).component(1).bytes());
                    self.given = None;
                    self.wave = false;
                    // Some devices send alarms as R01.
                    alarm = read::mdc_code(segment.field(4)) == Some(ALARM);
                    if alarm {
                        self.note(NoteKind::Alarm, segment.field(4).component(1));
                    }
                }
                b"OBX" if !alarm => self.row(&segment)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn note(&mut self, kind: NoteKind, subject: Part<'m>) {
        let span = subject.span();
        let ascii = orugate_driver::text::Charset::Ascii;
        let subject = Text::new(subject.bytes(), ascii, orugate_driver::text::Escapes::None);
        self.sink.note(Note { kind, span, subject });
    }

    fn device(&mut self) -> Result<(), Fault> {
        let mut device = Device {
            mds: self.bedside.mds,
            manufacturer: Text::plain(&self.bedside.manufacturer),
            ..Device::default()
        };
        let sender = self.read.header.field(3);
        device.model = self.read.text(sender.component(1))?;
        device.span = sender.span();
        let mut gateway = None;
        if sender.component(3).bytes() == b"EUI-64" {
            gateway = read::eui64(sender.component(2).bytes());
        } else if device.model.is_empty() {
            device.model = self.read.text(sender.component(2))?;
        }
        let stamp = self.read.header.field(7).component(1);
        self.made = read::time(stamp.bytes());
        device.clock = self.made.map(|clock| Shown { device: clock, received: self.message.received });
        if device.clock.is_none() && !stamp.is_empty() {
            self.note(NoteKind::BadTime, stamp);
        }
        // The first one is the device; another one stands beside it.
        let mut named = false;
        let (mut who, mut whither) = (None, None);
        for segment in self.read.segments() {
            match segment.name().bytes() {
                b"PID" => {
                    only(&mut who, segment.field(3))?;
                    device.patient = self.read.text(segment.field(3).component(1))?;
                }
                b"PV1" => {
                    only(&mut whither, segment.field(3))?;
                    let [unit, room, bed] = row::bed(segment.field(3));
                    device.location = self.read.text(bed)?;
                    (device.unit, device.room) = (self.read.text(unit)?, self.read.text(room)?);
                }
                b"OBX" => {
                    let maker = segment.field(18);
                    if device.eui64.is_none() && maker.component(4).bytes() == b"EUI-64" {
                        device.eui64 = read::eui64(maker.component(3).bytes());
                    }
                    if let Some((code, Level::Mds)) = level(&segment)
                        && !named
                    {
                        device.mds = code;
                        named = true;
                    }
                    let field = segment.field(5);
                    match segment.field(3).component(2).bytes() {
                        b"MDC_ID_MODEL_NUMBER" | b"MDC_ATTR_ID_MODEL" => {
                            device.model = self.read.text(field)?
                        }
                        b"MDC_ID_MODEL_MANUFACTURER" => device.manufacturer = self.read.text(field)?,
                        b"MDC_ID_PROD_SPEC_SERIAL" => device.serial = self.read.text(field)?,
                        b"MDC_ID_PROD_SPEC_SW" => device.version = self.read.text(field)?,
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        // OBX-18 says which device it is; MSH-3 may be a gateway's before many.
        device.eui64 = device.eui64.or(gateway);
        self.sink.item(Item::Device(device));
        Ok(())
    }

    fn row(&mut self, obx: &Segment<'m, 'static>) -> Result<(), Fault> {
        let place = Place::of(obx.field(4));
        match level(obx) {
            Some((code, Level::Vmd)) => {
                self.vmd = (place.vmd, code);
                return Ok(());
            }
            Some((code, Level::Channel)) => {
                self.channel = ((place.vmd, place.channel), code);
                return Ok(());
            }
            Some((_, Level::Mds)) => return Ok(()),
            None => {}
        }
        let code = obx.field(3);
        if matches!(obx.field(2).bytes(), b"NA" | b"MA" | b"ED" | b"RP") {
            self.wave = true;
            self.note(NoteKind::Wave, code.component(1));
            return Ok(());
        }
        if code.component(3).bytes() == b"MDIL-ALERT" {
            self.note(NoteKind::Alarm, code.component(1));
            return Ok(());
        }
        match of_what(code.component(2).bytes()) {
            Row::Measurement => self.wave = false,
            Row::Attribute if self.wave => return Ok(()),
            Row::Alarm => {
                self.note(NoteKind::Alarm, code.component(1));
                return Ok(());
            }
            Row::Identity => return Ok(()),
            Row::Attribute => {}
        }
        if self.given != Some((place.vmd, place.channel)) {
            self.given = Some((place.vmd, place.channel));
            let [vmd, channel] = [
                Some(self.vmd).filter(|(at, _)| *at == place.vmd && *at > 0).map(|(_, code)| code),
                Some(self.channel)
                    .filter(|(at, _)| *at == (place.vmd, place.channel) && at.1 > 0)
                    .map(|(_, code)| code),
            ];
            self.sink.item(Item::Group(Group {
                vmd: vmd.unwrap_or(0),
                channel: channel.unwrap_or(0),
                vmd_place: place.vmd,
                channel_place: place.channel,
                span: obx.field(4).span(),
                ..Group::default()
            }));
        }
        let measurement = self.measurement(obx, place.metric)?;
        self.sink.item(Item::Measurement(measurement));
        Ok(())
    }

    fn measurement(&mut self, obx: &Segment<'m, 'static>, place: u16) -> Result<Measurement<'m>, Fault> {
        let mut measurement = Measurement {
            place,
            received: self.message.received,
            span: obx.span(),
            ..Measurement::default()
        };
        let code = obx.field(3);
        let row = self.bedside.term.iter().find(|row| code.component(1).reads(&row.code));
        measurement.term = row.map_or_else(|| term(code), |row| row.mdc);
        measurement.code = Code {
            id: self.read.text(code.component(1))?,
            name: self.read.text(code.component(2))?,
            system: if measurement.term > 0 { "MDC" } else { self.plan.profile.coding_system.0 },
            loinc: Text::EMPTY,
        };
        if row.is_some() || code.component(3).bytes() == b"MDIL" {
            measurement.code.system = self.plan.profile.coding_system.0;
        }
        if measurement.code.id.is_empty() {
            measurement.code.id = measurement.code.name;
        }
        if measurement.term >= SETTING {
            measurement.kind = Kind::Set;
        }
        let unit = obx.field(6);
        let words = if unit.component(2).is_empty() { 1 } else { 2 };
        let known = row.map_or(0, |row| row.unit);
        let mdc = if known > 0 { known } else { read::mdc_unit(unit, measurement.term) };
        measurement.unit = Unit { mdc, text: self.read.text(unit.component(words))? };
        self.value(obx, &mut measurement)?;
        self.marks(obx, &mut measurement);
        self.limits(obx.field(7), &mut measurement)?;
        self.method(obx.field(17), &mut measurement)?;
        let stamp = obx.field(14).component(1);
        let time = self.read.time(stamp.bytes());
        if time.is_none() && !stamp.is_empty() {
            self.note(NoteKind::BadTime, stamp);
        }
        let unsaid = !measurement.once && is_cuff(code, measurement.term);
        measurement.once |= unsaid;
        // A time that cannot be read is not the order's.
        let time = if stamp.is_empty() { self.ordered } else { time };
        // The time at which a message was made is that of no cuff pressure, unless the device says that it is one.
        let same = |(made, time): (DeviceTime, DeviceTime)| {
            DeviceTime { offset: made.offset.or(time.offset), ..made } == time
        };
        let of_message =
            measurement.once && (unsaid || stamp.is_empty()) && self.made.zip(time).is_some_and(same);
        measurement.at = time.filter(|_| !of_message).map_or(At::Received, At::Device);
        measurement.site =
            read::mdc_code(obx.field(20)).filter(|site| mdc::term(*site).is_some()).unwrap_or(0);
        Ok(measurement)
    }

    fn value(&mut self, obx: &Segment<'m, 'static>, measurement: &mut Measurement<'m>) -> Result<(), Fault> {
        let field = obx.field(5);
        let kind = obx.field(2);
        let (part, comparator) = match kind.bytes() {
            // SN: comparator and number.
            b"SN" if !field.component(2).is_empty() => (field.component(2), field.component(1).bytes()),
            _ => (field.component(1), &b""[..]),
        };
        let mut text = self.read.text(part)?;
        let mut comparator = comparator;
        if let (b"NM", [sign @ (b'<' | b'>'), rest @ ..]) = (kind.bytes(), text.bytes()) {
            comparator = if *sign == b'<' { b"<" } else { b">" };
            text = text.with_bytes(rest.strip_prefix(b"=").unwrap_or(rest)).trimmed();
        }
        // Some write numbers as text.
        let as_text = matches!(kind.bytes(), b"ST" | b"TX") && measurement.unit.mdc > 0;
        let numeric = matches!(kind.bytes(), b"NM" | b"SN")
            || (kind.is_empty() || as_text) && read::is_number(text.bytes());
        if field.is_empty() || field.is_null() || text.is_empty() && numeric {
            measurement.marks = Marks::NI;
            measurement.why = NOT_THERE;
            return Ok(());
        }
        if numeric && self.is_sentinel(&text, obx.field(3), measurement) {
            measurement.marks = Marks::INV;
            measurement.why = SENTINEL;
            return Ok(());
        }
        if numeric {
            if !read::is_number(text.bytes()) {
                measurement.marks = Marks::INV;
                measurement.why = NO_NUMBER;
                return Ok(());
            }
            match comparator {
                b">" | b">=" => measurement.marks = Marks::OVER,
                b"<" | b"<=" => measurement.marks = Marks::UNDER,
                _ => {}
            }
            measurement.value = Reading::Number(text);
            return Ok(());
        }
        measurement.value = if matches!(kind.bytes(), b"CWE" | b"CNE" | b"CE") {
            let name = self.read.text(field.component(2))?;
            let words = if name.is_empty() { text } else { name };
            match read::mdc_code(field).filter(|code| mdc::term(*code).is_some()) {
                Some(code) => Reading::Coded(code, words),
                None => Reading::Words(words),
            }
        } else {
            Reading::Words(self.read.text(field)?)
        };
        Ok(())
    }

    /// A number that stands for no value, where it can be no value.
    fn is_sentinel(&self, text: &Text<'_>, code: Part<'_>, measurement: &Measurement<'_>) -> bool {
        let same = |listed: &String| read::same_number(listed.as_bytes(), text.bytes());
        let refid = mdc::unit(measurement.unit.mdc).map_or("", |unit| unit.refid);
        let volts = refid.ends_with("_VOLT");
        let rate = matches!(refid, "MDC_DIM_BEAT_PER_MIN" | "MDC_DIM_RESP_PER_MIN" | "MDC_DIM_PERCENT");
        let term = mdc::term(measurement.term).map_or("", |term| term.refid);
        let positive = is_cuff(code, measurement.term) || rate && !term.ends_with("_DIFF");
        self.bedside.absent.iter().any(|listed| same(listed) && !volts)
            || self.bedside.absent_where_positive.iter().any(|listed| same(listed) && positive)
    }

    fn marks(&self, obx: &Segment<'m, 'static>, measurement: &mut Measurement<'m>) {
        let mut marks = measurement.marks;
        let mut alarm = Alarm::default();
        let mut alarms = false;
        // Some write the mark where the status is.
        let fields = [obx.field(8), obx.field(11)];
        let tokens = fields.iter().flat_map(|field| field.repeats());
        for token in tokens.flat_map(|repeat| [repeat.component(1), repeat.component(2)]) {
            marks = marks
                | match token.bytes() {
                    b"INV" => Marks::INV,
                    b"QUES" => Marks::QUES,
                    b"NAV" => Marks::NAV,
                    b"CAL" => Marks::CAL,
                    b"TEST" => Marks::TEST,
                    b"DEMO" => Marks::DEMO,
                    b"EARLY" => Marks::EARLY,
                    b"BUSY" => Marks::BUSY,
                    b"OFF" => Marks::OFF,
                    b"NI" => Marks::NI,
                    b"ALINH" => Marks::ALINH,
                    b">" => Marks::OVER,
                    b"<" => Marks::UNDER,
                    b"VALIDATED" => Marks::VALIDATED,
                    _ => Marks::NONE,
                };
            match token.bytes() {
                b"L" | b"LL" => alarm.side = Side::Low,
                b"H" | b"HH" => alarm.side = Side::High,
                b"PL" => alarm.priority = Priority::Low,
                b"PM" => alarm.priority = Priority::Medium,
                b"PH" => alarm.priority = Priority::High,
                _ => {}
            }
            alarms |= matches!(token.bytes(), b"L" | b"LL" | b"H" | b"HH" | b"PL" | b"PM" | b"PH" | b"ALACT");
        }
        let (of_status, why) = match obx.field(11).bytes() {
            b"D" | b"W" => (Marks::INV, WRONG),
            b"X" | b"I" | b"N" | b"O" => (Marks::NAV, NOT_THERE),
            _ => (Marks::NONE, ""),
        };
        if measurement.why.is_empty() {
            measurement.why = why;
        }
        marks = marks | of_status;
        if self.test {
            marks = marks | Marks::TEST;
        }
        if marks.without_value() {
            measurement.value = Reading::Absent;
        }
        measurement.marks = marks;
        measurement.alarm = alarms.then_some(alarm);
    }

    /// `90-150`, `90^150`, `>90`, `<150`; anything else is no limit.
    fn limits(&mut self, range: Part<'m>, measurement: &mut Measurement<'m>) -> Result<(), Fault> {
        if !range.component(2).is_empty() {
            let (low, high) = (self.read.text(range.component(1))?, self.read.text(range.component(2))?);
            if read::is_number(low.bytes()) && read::is_number(high.bytes()) && low.bytes() != high.bytes() {
                (measurement.low, measurement.high) = (low, high);
            }
            return Ok(());
        }
        let text = self.read.text(range)?;
        let bytes = text.bytes();
        let number =
            |bytes| Some(text.with_bytes(bytes).trimmed()).filter(|limit| read::is_number(limit.bytes()));
        if let [b'>', rest @ ..] | [b'<', rest @ ..] = bytes {
            let rest = rest.strip_prefix(b"=").unwrap_or(rest);
            let limit = number(rest).unwrap_or_default();
            if bytes.first() == Some(&b'>') {
                measurement.low = limit;
            } else {
                measurement.high = limit;
            }
            return Ok(());
        }
        // A hyphen at the start is a sign.
        let hyphen = bytes.iter().skip(1).position(|byte| *byte == b'-').map(|at| at.saturating_add(1));
        let halves = hyphen.and_then(|at| Some((bytes.get(..at)?, bytes.get(at.saturating_add(1)..)?)));
        if let Some((low, high)) = halves.and_then(|(low, high)| number(low).zip(number(high))) {
            measurement.low = low;
            measurement.high = high;
        }
        Ok(())
    }

    fn method(&mut self, field: Part<'m>, measurement: &mut Measurement<'m>) -> Result<(), Fault> {
        for repeat in field.repeats() {
            for part in repeat.components() {
                match part.bytes() {
                    b"APERIODIC" => measurement.once = true,
                    b"MSET" | b"ASET" => measurement.kind = Kind::Set,
                    b"MCALC" | b"ACALC" => measurement.kind = Kind::Calculated,
                    _ => {}
                }
            }
            if measurement.method.is_empty() {
                let name = if repeat.component(2).is_empty() { 1 } else { 2 };
                let part = repeat.component(name);
                if part.bytes() != b"APERIODIC" {
                    measurement.method = self.read.text(part)?;
                }
            }
        }
        Ok(())
    }
}

/// One message has the values of one bed.
fn only<'m>(first: &mut Option<Part<'m>>, said: Part<'m>) -> Result<(), Fault> {
    if first.get_or_insert(said).bytes() == said.bytes() {
        return Ok(());
    }
    Err(Fault::Structure {
        offset: said.span().start,
        what: "values of two patients or beds stand in one message",
    })
}
