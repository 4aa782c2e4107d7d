//! From one message of an analyzer to results (`OUL^R22`, `ORU^R32`, `ORU^R01`).
//!
//! Promises: no allocation; each OBX behind an OBR is one observation of the specimen that the message puts it to: the SPM
//! before the OBR, and in an ORU, where SPM stands behind its OBX, the next one. Values, flags and ranges are as sent. Leaves
//! out images and other data in ED and RP, which no result can be.

use crate::plan::{Control, Plan};
use crate::profile::{Laboratory, Place};
use crate::read::{self, Read};
use orugate_driver::report::{
    Code, Comment, End, Flags, Item, Level, Note, NoteKind, Observation, Order, Patient, Qc, ReportSink,
    Sender, Specimen, Status,
};
use orugate_driver::text::Text;
use orugate_driver::{Fault, Interpreter, Scratch, StoredMessage};
use orugate_protocol::hl7::reader::{Part, Segment};

const PICTURE: &str = "data that is no value";

/// The interpreter of one profile.
pub(crate) struct LaboratoryInterpreter {
    pub(crate) plan: &'static Plan,
    pub(crate) laboratory: &'static Laboratory,
    pub(crate) controls: &'static [Control],
}

type Line<'m> = Segment<'m, 'static>;

struct Walk<'w, 'a, 'm> {
    plan: &'static Plan,
    laboratory: &'static Laboratory,
    controls: &'static [Control],
    read: Read<'a, 'm>,
    sink: &'w mut dyn ReportSink<'m>,
    /// SPM stands before its orders, as in an OUL.
    specimen_first: bool,
    spm: Option<Line<'m>>,
    sac: Option<Line<'m>>,
    /// An order was given since the last specimen.
    order: bool,
    /// What a comment is about.
    level: Level,
    /// OBR-7 and OBR-22 of the order.
    times: [Option<Part<'m>>; 2],
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
        let specimen_first = names.find(|name| matches!(name, b"SPM" | b"OBX")) == Some(*b"SPM");
        let mut walk = Walk {
            plan: self.plan,
            laboratory: self.laboratory,
            controls: self.controls,
            read,
            sink,
            specimen_first,
            spm: None,
            sac: None,
            order: false,
            level: Level::Message,
            times: [None; 2],
        };
        walk.message()?;
        walk.sink.item(Item::End(End { complete: message.complete }));
        Ok(())
    }
}

impl<'m> Walk<'_, '_, 'm> {
    fn message(&mut self) -> Result<(), Fault> {
        self.sender()?;
        let segments = self.read.lines.clone();
        let mut rest = segments;
        while let Some(Ok(segment)) = rest.next() {
            match segment.name().bytes() {
                b"PID" => self.patient(&segment)?,
                b"SPM" if self.specimen_first => {
                    self.spm = Some(segment);
                    self.sac = None;
                    self.order = false;
                }
                b"SAC" if self.specimen_first => self.sac = Some(segment),
                b"OBR" => {
                    if !self.specimen_first {
                        // The SPM of this order is behind its results.
                        let ahead = || rest.clone().filter_map(Result::ok).take_while(|s| !s.is("PID"));
                        self.spm = ahead().find(|s| s.is("SPM"));
                        self.sac = ahead().find(|s| s.is("SAC"));
                    }
                    self.order(&segment)?;
                }
                b"OBX" => self.observation(&segment)?,
                b"NTE" => self.comment(&segment)?,
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
            _ => None,
        };
        let sender = Sender {
            name: self.read.text(msh.field(3).component(1))?,
            serial: Text::EMPTY,
            version: Text::EMPTY,
            time: read::time(msh.field(7).component(1).bytes()),
            qc,
            span: msh.field(3).span(),
        };
        self.sink.item(Item::Sender(sender));
        Ok(())
    }

    fn patient(&mut self, pid: &Line<'m>) -> Result<(), Fault> {
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
        self.level = Level::Patient;
        self.order = false;
        // A specimen belongs to its patient.
        if !self.specimen_first {
            self.spm = None;
        }
        self.sink.item(Item::Patient(patient));
        Ok(())
    }

    fn order(&mut self, obr: &Line<'m>) -> Result<(), Fault> {
        // Each order says its specimen again: where the id is may be the order's own field.
        self.specimen(obr)?;
        let code = self.code(obr.field(4))?;
        let cancelled = obr.field(25).bytes() == b"X";
        self.order = true;
        self.level = Level::Order;
        let some = |part: Part<'m>| Some(part).filter(|part| !part.is_empty());
        self.times = [some(obr.field(7).component(1)), some(obr.field(22).component(1))];
        self.sink.item(Item::Order(Order { code, cancelled, span: obr.span() }));
        Ok(())
    }

    fn specimen(&mut self, obr: &Line<'m>) -> Result<(), Fault> {
        let mut id = Text::EMPTY;
        let mut id_place = "";
        for place in &self.laboratory.sample {
            let part = match place {
                Place::Spm2 => self.spm.map(|spm| {
                    let both = spm.field(2);
                    let placer = both.component(1).subcomponent(1);
                    if placer.is_empty() { both.component(2).subcomponent(1) } else { placer }
                }),
                Place::Sac3 => self.sac.map(|sac| sac.field(3).component(1)),
                Place::Obr2 => Some(obr.field(2).component(1)),
                Place::Obr3 => Some(obr.field(3).component(1)),
            };
            let Some(part) = part else { continue };
            let text = self.read.text(part)?;
            if !text.is_empty() {
                (id, id_place) = (text, place.name());
                break;
            }
        }
        let role = self.spm.is_some_and(|spm| spm.field(11).component(1).bytes() == b"Q");
        let begins = |control: &&Control| id.bytes().starts_with(control.prefix.as_bytes());
        let qc = if role {
            Some(Qc::SpecimenRole)
        } else {
            self.controls.iter().find(begins).map(|control| Qc::ProfileRule(control.clause))
        };
        let mut specimen = Specimen { id, id_place, qc, span: obr.span(), ..Specimen::default() };
        if let Some(spm) = self.spm {
            specimen.kind = self.read.text(spm.field(4).component(1))?;
            specimen.collected = read::time(spm.field(17).component(1).bytes());
            specimen.received = read::time(spm.field(18).component(1).bytes());
            specimen.span = spm.span();
        }
        self.sink.item(Item::Specimen(specimen));
        Ok(())
    }

    /// The test in the vendor's words, and a LOINC code when one is beside it.
    fn code(&mut self, field: Part<'m>) -> Result<Code<'m>, Fault> {
        let loinc = |first: usize| field.component(first).bytes() == b"LN";
        let (own, standard) = match (loinc(3), loinc(6)) {
            (true, _) if field.component(4).is_empty() => (1, Some(1)),
            (true, _) => (4, Some(1)),
            (false, true) => (1, Some(4)),
            (false, false) => (1, None),
        };
        Ok(Code {
            id: self.read.text(field.component(own))?,
            name: self.read.text(field.component(own.saturating_add(1)))?,
            system: self.plan.profile.coding_system.0,
            loinc: match standard {
                Some(at) => self.read.text(field.component(at))?,
                None => Text::EMPTY,
            },
        })
    }

    fn observation(&mut self, obx: &Line<'m>) -> Result<(), Fault> {
        if !self.order {
            self.sink.note(Note {
                kind: NoteKind::ResultWithoutOrder,
                span: obx.span(),
                subject: Text::EMPTY,
            });
        }
        let field = obx.field(5);
        let value = match obx.field(2).bytes() {
            b"CE" | b"CWE" | b"CNE" if !field.component(2).is_empty() => {
                self.read.text(field.component(2))?
            }
            // Comparator, number, separator, number: as one text (`>1:20`).
            b"SN" => self.joined(field)?,
            b"TX" | b"FT" => self.read.text(field)?,
            _ => self.first(field)?,
        };
        let unit = obx.field(6);
        let flags = self.read.text(obx.field(8))?;
        let delimiters = *self.read.header.delimiters();
        let time = |part: Part<'m>| read::time(part.component(1).bytes());
        let measured =
            time(obx.field(14)).or_else(|| self.times.iter().flatten().find_map(|part| time(*part)));
        let observation = Observation {
            code: self.code(obx.field(3))?,
            value,
            unit: self.read.text(unit.component(1))?,
            unit_as_sent: Text::EMPTY,
            range: self.read.text(obx.field(7))?,
            flags: Flags { text: flags, separator: delimiters.repeat(), known: &[] },
            nature: self.read.text(obx.field(10))?,
            status: status(obx.field(11).bytes()),
            started: None,
            completed: time(obx.field(19)).or(measured),
            operator: self.read.text(obx.field(16).component(1))?,
            verifier: Text::EMPTY,
            device: self.read.text(obx.field(18).component(1))?,
            run: self.read.text(obx.field(4))?,
            replicate: Text::EMPTY,
            group: 0,
            not_reportable: matches!(obx.field(2).bytes(), b"ED" | b"RP" | b"NA" | b"MA").then_some(PICTURE),
            doubt: (!self.order).then_some("the result stands before any order"),
            suspect: false,
            span: obx.span(),
        };
        self.level = Level::Observation;
        self.sink.item(Item::Observation(observation));
        Ok(())
    }

    /// The first component that says anything.
    fn first(&mut self, field: Part<'m>) -> Result<Text<'m>, Fault> {
        let part = field.components().find(|part| !part.is_empty()).unwrap_or(field);
        self.read.text(part)
    }

    fn joined(&mut self, field: Part<'m>) -> Result<Text<'m>, Fault> {
        let space = self.read.scratch.take(field.bytes().len()).ok_or(Fault::Space)?;
        let mut len = 0usize;
        for (place, byte) in space.iter_mut().zip(field.components().flat_map(|part| part.unescaped())) {
            *place = byte;
            len = len.saturating_add(1);
        }
        let space: &'m [u8] = space;
        let escapes = orugate_driver::text::Escapes::None;
        Ok(Text::new(space.get(..len).unwrap_or_default(), self.read.charset, escapes).trimmed())
    }

    fn comment(&mut self, nte: &Line<'m>) -> Result<(), Fault> {
        let text = self.read.text(nte.field(3))?;
        if !text.is_empty() {
            self.sink.item(Item::Comment(Comment { level: self.level, label: "", text, span: nte.span() }));
        }
        Ok(())
    }
}

/// OBX-11.
const fn status(sent: &[u8]) -> Status {
    match sent {
        b"F" | b"U" => Status::Final,
        b"P" | b"S" | b"R" => Status::Preliminary,
        b"C" => Status::Corrected,
        b"X" => Status::NotDone,
        b"I" => Status::Pending,
        b"W" | b"D" => Status::Questionable,
        b"" => Status::Absent,
        [other, ..] => Status::Unknown(*other),
    }
}
