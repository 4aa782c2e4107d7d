//! From one message of an analyzer to results (`OUL^R21` to `R24`, `ORU^R30` to `R32`, `ORU^R01`): the walk over its segments.
//!
//! Promises: no allocation; each OBX is one observation of the specimen that the message puts it to: the SPM or SAC before the OBR,
//! and where they stand behind it, the order's own or the only one that the patient has. What stands behind a specimen and before
//! any order, or before any order at all, is said to be so and never guessed. [`result`](crate::result) reads the single OBX.
//! Leaves out reagents (INV) and who ordered.

use crate::place::Place;
use crate::plan::{Control, Mark, Plan, Rules};
use crate::profile::Laboratory;
use crate::read::{self, Read};
use orugate_driver::report::{
    Code, Comment, End, Item, Level, Note, NoteKind, Order, Patient, Qc, ReportSink, Sender, Specimen,
};
use orugate_driver::text::Text;
use orugate_driver::time::DeviceTime;
use orugate_driver::{Fault, Interpreter, Scratch, StoredMessage};
use orugate_protocol::hl7::reader::{Lines, Part, Segment};

const NO_ORDER: &str =
    "A result stands before any order, so nothing says whose it is. Look at the instrument; discard.";
const OF_SPECIMEN: &str = "A value stands behind the specimen and before any order. It may be a result, or say something of the \
    specimen. Look at the instrument; discard.";
const ABOUT_SPECIMEN: &str = "about-the-specimen";

/// The interpreter of one profile.
pub(crate) struct LaboratoryInterpreter {
    pub(crate) plan: &'static Plan,
    pub(crate) laboratory: &'static Laboratory,
    pub(crate) rules: &'static Rules,
}

pub(crate) type Line<'m> = Segment<'m, 'static>;

/// What stood before a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behind {
    Nothing,
    Order,
    /// Its order's results are over; or, when there is an order behind it, none came yet.
    Specimen,
    /// And no order comes behind it.
    LoneSpecimen,
    /// The same, and it was said.
    Lone,
}

pub(crate) struct Walk<'w, 'a, 'm> {
    pub(crate) plan: &'static Plan,
    pub(crate) laboratory: &'static Laboratory,
    pub(crate) rules: &'static Rules,
    pub(crate) read: Read<'a, 'm>,
    pub(crate) sink: &'w mut dyn ReportSink<'m>,
    /// SPM or SAC stand before their orders, as in an OUL.
    specimen_first: bool,
    spm: Option<Line<'m>>,
    sac: Option<Line<'m>>,
    pub(crate) obr: Option<Line<'m>>,
    /// The order's timing.
    tq1: Option<Line<'m>>,
    behind: Behind,
    /// The order's row before the one at hand.
    pub(crate) row_before: Option<Line<'m>>,
    /// The order at hand, until it has a result.
    empty_order: Option<Order<'m>>,
    /// What a comment is about; `None` for what is given with the order.
    level: Option<Level>,
}

impl Interpreter for LaboratoryInterpreter {
    fn interpret<'m>(
        &self,
        message: &StoredMessage<'m>,
        scratch: &mut Scratch<'m>,
        sink: &mut dyn ReportSink<'m>,
    ) -> Result<(), Fault> {
        let read = Read::new(message.raw, self.plan.profile.charset.0, scratch)?;
        let mut names = read.segments().map(|segment| *segment.name().bytes());
        let first = names.find(|name| matches!(name, b"SPM" | b"SAC" | b"OBR"));
        let mut walk = Walk {
            plan: self.plan,
            laboratory: self.laboratory,
            rules: self.rules,
            read,
            sink,
            specimen_first: first.is_some_and(|name| name != *b"OBR"),
            spm: None,
            sac: None,
            obr: None,
            tq1: None,
            behind: Behind::Nothing,
            row_before: None,
            empty_order: None,
            level: Some(Level::Message),
        };
        walk.message()?;
        walk.close_order();
        walk.sink.item(Item::End(End { complete: message.complete }));
        Ok(())
    }
}

impl<'m> Walk<'_, '_, 'm> {
    fn message(&mut self) -> Result<(), Fault> {
        self.sender()?;
        let mut rest = self.read.lines.clone();
        while let Some(Ok(segment)) = rest.next() {
            match segment.name().bytes() {
                b"PID" => self.patient(&segment)?,
                b"SPM" => self.spm(segment, &rest),
                b"SAC" if self.specimen_first => {
                    self.close_order();
                    self.sac = Some(segment);
                    self.level = None;
                }
                b"OBR" => self.order(&segment, &rest)?,
                b"OBX" => self.observation(&segment)?,
                b"NTE" => self.comment(&segment)?,
                b"TCD" if self.level == Some(Level::Observation) => self.dilution(&segment)?,
                [b'Z', ..] => self.note(NoteKind::UnknownRecord, &segment),
                _ => {}
            }
        }
        Ok(())
    }

    fn sender(&mut self) -> Result<(), Fault> {
        let msh = self.read.header;
        let qc = match msh.field(11).component(1).bytes() {
            b"Q" => Some(Qc::ProfileRule("MSH-11 is Q")),
            b"T" | b"D" => Some(Qc::ProfileRule("MSH-11 says training or debugging")),
            _ => self.control("MSH").map(Qc::ProfileRule),
        };
        let [serial, version] = [self.laboratory.serial, self.laboratory.version];
        let sender = Sender {
            name: self.read.text(msh.field(3).component(1))?,
            serial: self.text_at(serial.as_slice(), None)?,
            version: self.text_at(version.as_slice(), None)?,
            time: self.read.time(msh.field(7).component(1).bytes()),
            qc,
            span: msh.field(3).span(),
        };
        self.sink.item(Item::Sender(sender));
        Ok(())
    }

    fn patient(&mut self, pid: &Line<'m>) -> Result<(), Fault> {
        self.close_order();
        let name = pid.field(5);
        let patient = Patient {
            practice_id: self.read.text(pid.field(3).component(1))?,
            laboratory_id: self.read.text(pid.field(2).component(1))?,
            third_id: self.read.text(pid.field(4).component(1))?,
            family: self.read.text(name.component(1).subcomponent(1))?,
            given: self.read.text(name.component(2))?,
            middle: self.read.text(name.component(3))?,
            birth: read::time(pid.field(7).component(1).bytes()),
            sex: self.read.text(pid.field(8).component(1))?,
            span: pid.span(),
        };
        self.level = Some(Level::Patient);
        self.behind = Behind::Nothing;
        // A specimen belongs to its patient.
        (self.spm, self.sac, self.obr, self.tq1) = (None, None, None, None);
        self.sink.item(Item::Patient(patient));
        Ok(())
    }

    fn spm(&mut self, spm: Line<'m>, rest: &Lines<'m>) {
        self.level = None;
        if self.specimen_first {
            self.close_order();
            (self.spm, self.sac, self.obr) = (Some(spm), None, None);
            let mut orders = rest.clone().filter_map(Result::ok).take_while(|s| !s.is("SPM") && !s.is("PID"));
            self.behind = if orders.any(|s| s.is("OBR")) { Behind::Specimen } else { Behind::LoneSpecimen };
        } else if self.empty_order.is_none() {
            // The order's results stand before its SPM. Where none did (OUL^R24), they come behind it.
            self.behind = Behind::Specimen;
        }
    }

    fn order(&mut self, obr: &Line<'m>, rest: &Lines<'m>) -> Result<(), Fault> {
        self.close_order();
        self.row_before = None;
        (self.obr, self.tq1) = (
            Some(*obr),
            rest.clone()
                .filter_map(Result::ok)
                .take_while(|s| !s.is("OBX") && !s.is("OBR"))
                .find(|s| s.is("TQ1")),
        );
        if !self.specimen_first {
            self.spm = self.behind(rest, "SPM");
            self.sac = self.behind(rest, "SAC");
        }
        // Each order says its specimen again: where the id is may be the order's own field.
        self.specimen(obr)?;
        let code = self.standard_code(obr.field(4))?;
        let cancelled = obr.field(25).bytes() == b"X";
        self.behind = Behind::Order;
        self.level = Some(Level::Order);
        let order = Order { code, cancelled, span: obr.span() };
        self.empty_order = Some(order);
        self.sink.item(Item::Order(order));
        // What is said of the specimen is said of each of its orders.
        let Some(spm) = self.spm else { return Ok(()) };
        let mut lines = self.read.lines.clone().filter_map(Result::ok);
        let _ = lines.find(|line| line.span() == spm.span());
        for line in lines.take_while(|line| line.is("SAC") || line.is("INV") || line.is("NTE")) {
            if line.is("NTE") {
                self.comment(&line)?;
            }
        }
        Ok(())
    }

    /// The segment of this name that stands behind an order: its own, or else the only one that the patient has.
    fn behind(&self, rest: &Lines<'m>, name: &str) -> Option<Line<'m>> {
        let mut own = rest.clone().filter_map(Result::ok).take_while(|s| !s.is("OBR") && !s.is("PID"));
        if let Some(own) = own.find(|s| s.is(name)) {
            return Some(own);
        }
        let ahead = rest.clone().filter_map(Result::ok).take_while(|s| !s.is("PID"));
        let last = ahead.last().map_or(0, |line| line.span().start);
        // From this patient's PID to the next one's.
        let mut all = (0u32, None);
        for line in self.read.segments().take_while(|line| line.span().start <= last) {
            if line.is("PID") {
                all = (0, None);
            } else if line.is(name) {
                all = (all.0.saturating_add(1), Some(line));
            }
        }
        all.1.filter(|_| all.0 == 1)
    }

    /// An order is over; without results there is nothing to report of it.
    fn close_order(&mut self) {
        if let Some(order) = self.empty_order.take() {
            let subject = order.code.id;
            self.sink.note(Note { kind: NoteKind::OrderWithoutResult, span: order.span, subject });
        }
    }

    fn specimen(&mut self, obr: &Line<'m>) -> Result<(), Fault> {
        let mut id = Text::EMPTY;
        let mut id_place = "";
        for place in &self.laboratory.sample {
            let Some(part) = self.sample_at(*place, obr) else { continue };
            let text = self.read.text(part)?;
            if !text.is_empty() {
                (id, id_place) = (text, place.name());
                break;
            }
        }
        let begins = |control: &&Control| match control.mark {
            Mark::Prefix(prefix) => id.bytes().starts_with(prefix.as_bytes()),
            Mark::At(..) => false,
        };
        // Table 0369.
        let role = match self.spm.map_or(&b""[..], |spm| spm.field(11).component(1).bytes()) {
            b"Q" => Some(Qc::SpecimenRole),
            b"C" | b"V" => Some(Qc::ProfileRule("SPM-11 says a calibrator")),
            b"E" => Some(Qc::ProfileRule("SPM-11 says an electronic control")),
            b"B" | b"F" | b"O" => Some(Qc::ProfileRule("SPM-11 says a test of proficiency")),
            b"R" => Some(Qc::ProfileRule("SPM-11 says a replicate that serves as a control")),
            _ => None,
        };
        let marked = || {
            let at = ["SPM", "SAC", "OBR"].iter().find_map(|segment| self.control(segment));
            at.or_else(|| self.rules.controls.iter().find(begins).map(|control| control.clause))
        };
        let qc = role.or_else(|| marked().map(Qc::ProfileRule));
        let mut specimen = Specimen {
            id,
            id_place,
            qc,
            collected: self.time_at(&self.laboratory.collected, None),
            received: self.time_at(&self.laboratory.received, None),
            span: obr.span(),
            ..Specimen::default()
        };
        if let Some(spm) = self.spm {
            specimen.kind = self.read.text(spm.field(4).component(1))?;
            if specimen.kind.is_empty() {
                specimen.kind = self.read.text(spm.field(4).component(2))?;
            }
            specimen.span = spm.span();
        }
        self.sink.item(Item::Specimen(specimen));
        Ok(())
    }

    fn sample_at(&self, place: Place, obr: &Line<'m>) -> Option<Part<'m>> {
        if place.is_of("SPM") && place.is_field() {
            // EIP: the placer's number of the specimen, or else the filler's.
            let both = place.read(&self.spm?)?;
            let placer = both.component(1).subcomponent(1);
            return Some(if placer.is_empty() { both.component(2).subcomponent(1) } else { placer });
        }
        let part = [Some(*obr), self.spm, self.sac, self.obr].iter().flatten().find_map(|s| place.read(s))?;
        Some(if place.is_field() { part.component(1).subcomponent(1) } else { part })
    }

    /// The clause of a profile's mark in a segment of this name that is at hand.
    fn control(&self, segment: &str) -> Option<&'static str> {
        let found = self.rules.controls.iter().find(|control| match control.mark {
            Mark::At(place, is) => {
                place.is_of(segment) && self.at(place, None).is_some_and(|part| part.reads(is))
            }
            Mark::Prefix(_) => false,
        });
        found.map(|control| control.clause)
    }

    /// What stands at a place of the OBX, of what it belongs to, or of MSH.
    pub(crate) fn at(&self, place: Place, obx: Option<&Line<'m>>) -> Option<Part<'m>> {
        let msh = self.read.segments().next();
        let all = [obx.copied(), self.obr, self.tq1, self.spm, self.sac, msh];
        all.iter().flatten().find_map(|segment| place.read(segment))
    }

    pub(crate) fn first_at(&self, places: &[Place], obx: Option<&Line<'m>>) -> Option<Part<'m>> {
        places.iter().find_map(|place| self.at(*place, obx))
    }

    pub(crate) fn time_at(&self, places: &[Place], obx: Option<&Line<'m>>) -> Option<DeviceTime> {
        places.iter().find_map(|place| self.read.time(self.at(*place, obx)?.component(1).bytes()))
    }

    pub(crate) fn text_at(&mut self, places: &[Place], obx: Option<&Line<'m>>) -> Result<Text<'m>, Fault> {
        match self.first_at(places, obx) {
            Some(part) => self.read.text(part),
            None => Ok(Text::EMPTY),
        }
    }

    fn observation(&mut self, obx: &Line<'m>) -> Result<(), Fault> {
        let (doubt, not_reportable) = match self.behind {
            Behind::Nothing => (Some(NO_ORDER), None),
            Behind::LoneSpecimen | Behind::Lone => (Some(OF_SPECIMEN), None),
            Behind::Specimen => (None, Some(ABOUT_SPECIMEN)),
            Behind::Order => (None, None),
        };
        if doubt.is_some() {
            self.note(NoteKind::ResultWithoutOrder, obx);
        }
        if self.behind == Behind::Specimen && self.specimen_first {
            // No order is there yet, as whose it could be counted.
            self.note(NoteKind::UnknownRecord, obx);
            return Ok(());
        }
        if self.behind == Behind::LoneSpecimen {
            self.behind = Behind::Lone;
            self.specimen(obx)?;
            let code = Code { system: self.plan.profile.coding_system.0, ..Code::default() };
            self.sink.item(Item::Order(Order { code, cancelled: false, span: obx.span() }));
        }
        self.empty_order = None;
        self.level = Some(Level::Observation);
        self.result(obx, doubt, not_reportable)?;
        self.row_before = Some(*obx);
        Ok(())
    }

    fn comment(&mut self, nte: &Line<'m>) -> Result<(), Fault> {
        let Some(level) = self.level else { return Ok(()) };
        let text = self.read.text(nte.field(3))?;
        if !text.is_empty() {
            self.sink.item(Item::Comment(Comment { level, label: "", text, span: nte.span() }));
        }
        Ok(())
    }

    fn note(&mut self, kind: NoteKind, segment: &Line<'m>) {
        let charset = orugate_driver::text::Charset::Ascii;
        let name = segment.bytes().get(..3).unwrap_or_default();
        let subject = Text::new(name, charset, orugate_driver::text::Escapes::None);
        self.sink.note(Note { kind, span: segment.span(), subject });
    }
}
