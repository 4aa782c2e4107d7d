//! Every public entrance of the protocol crate, one function each.
//!
//! **To add one**: write a function that takes bytes, calls the entrance, and returns a number that depends on the
//! answer; add it to [`PIECES`]. Buffers belong on the stack.

use core::fmt::Write as _;
use core::ops::Range;
use orugate_protocol::astm::link::{Event, FrameEnd, Link, Settings, encode_frame};
use orugate_protocol::astm::record::{Records, Walker};
use orugate_protocol::hl7::ack::{Ack, Code, Reply};
use orugate_protocol::hl7::header::Header;
use orugate_protocol::hl7::reader::{Entry, Message};
use orugate_protocol::hl7::ts::Stamp;
use orugate_protocol::hl7::value::ValueType;
use orugate_protocol::hl7::writer::Writer;
use orugate_protocol::mdc;
use orugate_protocol::mllp::{Decoder, Rules};
use orugate_protocol::oru::{
    GroupPlan, Groups, Local, OruError, OruWriter, PatientField, PatientId, Route, SampleIdIn, Verdict,
    WriteObservation, Zone,
};
use orugate_protocol::pcd::{ACKNOWLEDGMENT, PROFILE, PcdWriter, Plan, Route as PcdRoute, UnknownPatient};
use orugate_protocol::report::{
    Alarm, At, Code as TestCode, Comment, Device, End, Flags, Group, Item, Kind, KnownFlag, Level, Marks,
    Measurement, Observation, Order, Patient, Reading, ReportSink as _, Sender, Specimen, Status, Unit,
};
use orugate_protocol::span::Span;
use orugate_protocol::text::{Charset, Delimiters, Escapes, Text};
use orugate_protocol::time::{DeviceTime, Tick, Utc};

/// Takes bytes, and returns something that could not be known without doing the work.
pub(crate) type Piece = fn(&[u8]) -> usize;

/// What is called.
pub(crate) const PIECES: &[Piece] =
    &[text, device_time, tick, link, records, hl7_read, hl7_write, mllp, oru, pcd];

/// What it is called with: bytes that lead past the first check of each piece.
pub(crate) const INPUTS: &[&[u8]] = &[
    b"",
    b"20261123093159+0100",
    b" 5.40&S&mg&X41& ",
    b"\x021H|\\^&|||Invented^1|||||||P|LIS2-A2|20261123093159\r\x03A1\r\n",
    b"\x0BMSH|^~\\&|GW|LAB|||20261123093159||ORU^R01^ORU_R01|1|T|2.5.1\rOBX|1|ST|A||x\\F\\y||||||F\r\x1C\r",
    b"H|\\^&\rP|1\rO|1|S-1||^^^GLU\rR|1|^^^GLU|5.40|mmol/L\rL|1|N\r",
];

/// Counts what is written to it.
struct Count(usize);

impl core::fmt::Write for Count {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0 = self.0.wrapping_add(text.len());
        Ok(())
    }
}

fn text(input: &[u8]) -> usize {
    let mut count = Count(0);
    for charset in Charset::all() {
        let text = Text::new(input, charset, Escapes::Astm(Delimiters::default()));
        let _ = write!(count, "{} {:?}", text.trimmed(), text.undecodable());
    }
    count.0
}

fn device_time(input: &[u8]) -> usize {
    let mut count = Count(0);
    let _ = match DeviceTime::parse(input) {
        Ok(time) => write!(count, "{time} {time:?}"),
        Err(error) => write!(count, "{error:?}"),
    };
    count.0
}

fn tick(input: &[u8]) -> usize {
    let later = Tick::from_micros(1).after(core::time::Duration::from_secs(input.len() as u64));
    usize::try_from(later.since(Tick::ZERO).as_secs()).unwrap_or(0)
}

/// Both roles of a LIS01 line: a message of our own is offered while the peer says `input`.
fn link(input: &[u8]) -> usize {
    let mut count = Count(0);
    let mut line: Link<[u8; 256], &[u8]> = Link::new(Settings::default(), [0; 256]);
    let _ = line.offer(b"H|\\^&\rL|1|N\r");
    let mut now = Tick::ZERO;
    let mut rest = input;
    for _ in 0..200 {
        while let Some(out) = line.transmit(now) {
            count.0 = count.0.wrapping_add(out.len());
            line.sent(now);
        }
        let (taken, event) = line.receive(now, rest);
        rest = rest.get(taken..).unwrap_or_default();
        let nothing = event.is_none() && taken == 0;
        let frame = event.and_then(|event| said(event, &mut count));
        if let Some(id) = frame {
            line.accept(now, id);
        }
        if nothing {
            let Some(deadline) = line.deadline() else { break };
            let _ = write!(count, "{deadline}");
            now = deadline.at;
            let frame = line.handle_deadline(now).and_then(|event| said(event, &mut count));
            if let Some(id) = frame {
                line.refuse(now, id);
            }
        }
    }
    let _ = line.disconnect();
    let mut frame = [0; 64];
    count.0.wrapping_add(encode_frame(1, input, FrameEnd::Etx, &mut frame).unwrap_or_default())
}

fn said(event: Event<'_>, count: &mut Count) -> Option<orugate_protocol::astm::link::FrameId> {
    let _ = write!(count, "{event} {event:?}");
    match event {
        Event::Frame(frame) => Some(frame.id),
        _ => None,
    }
}

fn records(input: &[u8]) -> usize {
    let mut count = Count(0);
    let mut walker = Walker::new();
    for record in Records::new(input) {
        let _ = write!(count, "{:?} {:?}", record.view(), walker.place(&record));
        for component in
            record.fields().flat_map(|field| field.repeats()).flat_map(|repeat| repeat.components())
        {
            let _ = write!(count, "{} {:?}", component.text(), component.time());
        }
    }
    count.0
}

fn hl7_read(input: &[u8]) -> usize {
    let mut count = Count(0);
    let mut entries = [Entry::default(); 128];
    match Message::index(input, &mut entries) {
        Ok(message) => {
            for segment in message.segments() {
                for n in 0..=segment.fields() {
                    for repeat in segment.field(n).repeats() {
                        for component in repeat.components() {
                            let leaf = component.subcomponent(1);
                            count.0 = count.0.wrapping_add(leaf.chars(Charset::Utf8).count());
                        }
                    }
                }
            }
        }
        Err(error) => {
            let _ = write!(count, "{error}");
        }
    }
    if let Ok(ack) = Ack::read(input) {
        let _ = write!(count, "{:?} {:?} {}", ack.answer(), ack.control_id(), ack.errors().count());
    }
    count.0
}

fn hl7_write(input: &[u8]) -> usize {
    let mut buffer = [0; 1024];
    let text = Text::new(input, Charset::Latin1, Escapes::Astm(Delimiters::default()));
    let mut writer = Writer::new(&mut buffer);
    writer.msh().field(3).str("GW").field(7).fmt(Stamp::new(Utc(0), 60));
    writer.segment("OBX").field(2).str(ValueType::of(text, true).code()).field(5).text(text);
    let written = writer.finish().map_or(0, <[u8]>::len);
    let header = Header::read(input).ok().or_else(|| Header::salvage(input));
    let reply = Reply {
        code: Code::ApplicationAccept,
        control_id: "1",
        time: Some(Stamp::new(Utc(0), 0)),
        text: "noted",
        problems: &[],
    };
    let mut buffer = [0; 512];
    written.wrapping_add(reply.write(header.as_ref(), &mut buffer).map_or(0, <[u8]>::len))
}

fn mllp(input: &[u8]) -> usize {
    let mut count = Count(0);
    let mut decoder = Decoder::new([0; 256], Rules::default());
    let mut rest = input;
    while !rest.is_empty() {
        let (taken, event) = decoder.receive(rest);
        let _ = write!(count, "{event:?}");
        rest = rest.get(taken..).unwrap_or_default();
    }
    let _ = write!(count, "{:?}", decoder.flush());
    let mut frame = [0; 512];
    count.0.wrapping_add(orugate_protocol::mllp::encode(input, &mut frame).unwrap_or_default())
}

struct FixedZone;

impl Zone for FixedZone {
    fn at(&self, _: Utc) -> i16 {
        60
    }
    fn of(&self, _: &DeviceTime) -> Local {
        Local::Offset(60)
    }
}

struct OneGroup<'p> {
    plan: GroupPlan<'p>,
    length: usize,
}

impl<'p> Groups<'p> for OneGroup<'p> {
    fn plan(&mut self, order: u16) -> Option<GroupPlan<'p>> {
        (order == 0).then_some(self.plan)
    }
    fn written(&mut self, _: u16, oru: Result<Range<usize>, OruError>) {
        self.length = oru.map_or(0, |place| place.len());
    }
}

/// The second pass: every item with every field set to the input.
fn oru(input: &[u8]) -> usize {
    let text = Text::new(input, Charset::Latin1, Escapes::Astm(Delimiters::default()));
    let time = DeviceTime::parse(b"20261123093159").ok();
    let span = Span::new(0, input.len());
    let known = [KnownFlag { code: "H", hl7: Some("H"), meaning: "high" }];
    let code = TestCode { id: text, name: text, system: "99TEST", loinc: text };
    let patient = PatientId { field: PatientField::P3, authority: "HOSP", kind: "MR" };
    let route = Route {
        sending_application: "GW",
        sending_facility: "LAB",
        receiving_application: "ENGINE",
        receiving_facility: "HOSP",
        processing: 'T',
        acknowledgment: ("AL", "NE"),
        charset: orugate_protocol::text::Charset::Utf8,
        sample_id_in: SampleIdIn::Placer,
        structured_numeric: true,
        patient: Some(patient),
    };
    let plan = GroupPlan {
        panel: None,
        control_id: "GW010000000000000001",
        filler: "S-1",
        sample: "S",
        status: 'F',
        created: Utc(0),
        remarks: ["Sent again by the instrument.", "", "", "", ""],
        in_utf8: false,
    };
    let verdicts = [Verdict::Write(WriteObservation { status: 'F', sub_id: 1, remark: None })];
    let mut buffer = [0; 4096];
    let mut group = OneGroup { plan, length: 0 };
    let mut writer = OruWriter::new(&route, &mut group, &verdicts, &FixedZone, &mut buffer);
    writer.item(Item::Sender(Sender { name: text, serial: text, version: text, time, qc: None, span }));
    writer.item(Item::Patient(Patient {
        practice_id: text,
        family: text,
        birth: time,
        ..Patient::default()
    }));
    writer.item(Item::Comment(Comment { level: Level::Patient, label: "", text, span }));
    writer.item(Item::Specimen(Specimen { id: text, kind: text, collected: time, ..Specimen::default() }));
    writer.item(Item::Order(Order { code, cancelled: false, span }));
    writer.item(Item::Observation(Observation {
        code,
        value: text,
        unit: text,
        unit_as_sent: text,
        range: text,
        flags: Flags { text, separator: b'\\', known: &known },
        nature: text,
        status: Status::Questionable,
        started: time,
        completed: time,
        operator: text,
        verifier: text,
        device: text,
        run: text,
        replicate: text,
        group: 1,
        suspect: false,
        not_reportable: None,
        doubt: None,
        span,
    }));
    writer.item(Item::Comment(Comment { level: Level::Observation, label: "lot ", text, span }));
    writer.item(Item::End(End { complete: true }));
    writer.finish();
    group.length
}

/// A bedside device with every text set to the input, and each kind of value.
fn pcd(input: &[u8]) -> usize {
    let text = Text::new(input, Charset::Latin1, Escapes::None);
    let route = PcdRoute {
        sending_application: "GW",
        sending_id: Some(1),
        sending_facility: "ICU",
        receiving_application: "ENGINE",
        receiving_facility: "HOSP",
        processing: 'T',
        acknowledgment: ACKNOWLEDGMENT,
        profile: PROFILE,
        charset: Charset::Utf8,
        unknown_patient: UnknownPatient::Marked { id: "BED-1", authority: "GW", kind: "U" },
        patient: Some(("HOSP", "MR")),
        patient_class: 'U',
        device_on_rows: false,
    };
    let plan = Plan {
        control_id: "GW010000000000000001",
        filler: "1",
        instrument: "MON1",
        device_id: Some(2),
        location: "",
        created: Utc(2),
        began: Utc(0),
        ended: Utc(1),
    };
    let mut buffer = [0; 8192];
    let mut writer = PcdWriter::new(&route, &plan, &FixedZone, &mut buffer);
    let device = Device { model: text, serial: text, location: text, patient: text, ..Device::default() };
    writer.item(Item::Device(device));
    writer.item(Item::Group(Group {
        vmd: 69_854,
        channel: 1,
        name: text,
        vmd_place: 1,
        channel_place: 1,
        id: text,
        ..Group::default()
    }));
    let values =
        [Reading::Number(text), Reading::Words(text), Reading::Coded(184_352, text), Reading::Absent];
    for (place, value) in (0..).zip(values) {
        writer.item(Item::Measurement(Measurement {
            place,
            term: if place == 0 { 150_033 } else { u32::try_from(input.len()).unwrap_or(0) },
            code: TestCode { id: text, name: text, system: "99TEST", loinc: text },
            kind: Kind::Set,
            value,
            unit: Unit { mdc: if place == 0 { 266_016 } else { 0 }, text },
            marks: Marks::QUES | Marks::ALINH,
            at: DeviceTime::parse(input).map_or(At::Before(core::time::Duration::from_secs(1)), At::Device),
            low: text,
            high: text,
            alarm: Some(Alarm::default()),
            method: text,
            site: 460_500,
            label: text,
            ..Measurement::default()
        }));
    }
    writer.item(Item::End(End { complete: true }));
    let known = mdc::terms().len().wrapping_add(mdc::units().len());
    writer.finish().map_or(0, <[u8]>::len).wrapping_add(known)
}
