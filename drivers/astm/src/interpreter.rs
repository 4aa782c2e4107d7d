//! From one stored message to report items: the walk over its records.
//!
//! Promises: no allocation; every R record becomes exactly one observation, whatever surrounds it, and an order that
//! has a remark and no R becomes one that waits for a person; what cannot be told is said as a doubt or a note and
//! never guessed. Order is not enforced: facts about real instruments, not the
//! standard, decide what is trouble. [`items`](crate::items) reads the single records.

use crate::code::Twins;
use crate::items::{self, Isolates};
use crate::place::Current;
use crate::plan::Plan;
use crate::qc;
use crate::unframe;
use crate::values::Framing;
use orugate_driver::report::{End, Item, Level, Note, NoteKind, Observation, Order, ReportSink, Sender};
use orugate_driver::span::Span;
use orugate_driver::text::{Charset, Escapes, Text};
use orugate_driver::{Fault, Interpreter, Piece, Scratch, StoredMessage};
use orugate_protocol::ascii::{CR, LF};
use orugate_protocol::astm::record::{
    Comment as CommentRecord, CommentSource, DelimiterSource, Header, Order as OrderRecord, Patient, Place,
    Query as QueryRecord, QueryStatus, Record, RecordType, Records, ResultRecord, TerminationCode,
    Terminator, View, Walker,
};

/// Whatever follows a header whose delimiters are equal.
const BAD_HEADER: &str = "The header's delimiters cannot be told apart, so nothing says where a value ends. Correct the \
    instrument's host settings and transmit again; discard this one.";
/// An R record without an O above it.
const NO_ORDER: &str =
    "A result stands before any order, so nothing says whose it is. Look at the instrument; discard.";
/// The last record of a message that was cut.
const CUT: &str = "The transmission broke inside this result, so its end is missing. Transmit it again from the \
    instrument; discard this one.";
/// R.3 has nothing where the profile looks.
const JUNK: &str = "Bytes that do not belong there stand before this result's record letter, so nothing in it can be \
                    trusted. Transmit it again from the instrument; discard.";
/// A NUL in the R record.
const NUL: &str = "A NUL stands in this result, which no instrument means and no checksum sees: noise on the line. \
                   Transmit it again from the instrument; discard.";
/// Any other one, in bare records.
const CONTROL: &str = "A control character stands in this result, and bare records have no checksum that would tell \
                       noise from what was meant. Transmit it again from the instrument; discard.";
/// A record of bare records that may have been an R.
const DAMAGED: &str = "This has the shape of a result, but its first bytes are those of none: noise on a line without \
                       checksums. Transmit it again from the instrument; discard.";
/// Of a record that this result depends on.
const UNSURE: &str = "Bytes that do not belong there stand in a header, patient or order record before this result, or in what \
                      may have been one, so nothing says for sure whose it is. Transmit it again from the instrument; \
                      discard.";
/// `&|` of an analyzer that puts the escape before a delimiter (Mindray), or a text that ends with an ampersand.
const ESCAPED: &str = "The escape character of this message (mostly &) stands right before a separator. Either the text ends with it, or the \
    separator belongs to the text, as Mindray writes it; nothing says which, so the parts of this result behind it may each be another \
    one. Compare with the instrument's screen; take the character out of the text at the instrument and transmit again; discard this \
    one.";
/// A time stands where LIS02 has the device.
const SHIFTED: &str = "The parts of this result stand one field further than the standard has them, so its flags, its status \
    and its times cannot be told. Choose the model's own profile, or say under `result` where they are, then release.";
/// A status stands where LIS02 has the nature of the abnormality.
const SHORT: &str = "The status of this result stands one field before its place, so a field is missing in front of it, and its unit, its \
    range and its flags may each be another one. Compare with the instrument's screen. Choose the model's own profile, or say under \
    `result` where the parts are, then redrive; or discard.";
const NO_CODE: &str = "The result has no test code where the profile looks for it. Correct `code` in the profile, then \
    release.";

/// The interpreter of one profile.
pub(crate) struct AstmInterpreter {
    pub(crate) plan: &'static Plan,
}

impl Interpreter for AstmInterpreter {
    fn interpret<'m>(
        &self,
        message: &StoredMessage<'m>,
        scratch: &mut Scratch<'m>,
        sink: &mut dyn ReportSink<'m>,
    ) -> Result<(), Fault> {
        let text = unframe::text(message, self.plan.profile.framing, scratch, sink)?;
        let no_terminator = self.plan.profile.no_terminator;
        let mut walk = Walk {
            plan: self.plan,
            bare: self.plan.profile.framing == Framing::Records,
            charset: self.plan.charset(text),
            complete: message.complete || (no_terminator && ends_with_a_record(text)),
            scratch,
            sink,
            walker: Walker::new(),
            current: Current::default(),
            header: HeaderState::Missing,
            empty_order: None,
            remarked: false,
            suspect: false,
            control: false,
            siblings: None,
            twins: Twins::none(),
            isolates: Isolates::default(),
            open: false,
            aborted: false,
            unsure: false,
        };
        let mut records = Records::new(text).in_charset(walk.charset);
        while let Some(record) = records.next() {
            walk.record(record, &records)?;
        }
        walk.end(text.len());
        Ok(())
    }

    fn pieces(&self, message: &StoredMessage<'_>) -> Vec<Piece> {
        unframe::places(message, self.plan.profile.framing)
    }
}

/// A control character that no text has; some instruments put TAB or LF into a field.
const fn is_control(byte: u8) -> bool {
    matches!(byte, 0..=8 | 11..=31 | 0x7F)
}

/// True for a record of no known type that may have been one which says whose the results behind it are.
fn may_be_whose(record: &Record<'_>) -> bool {
    let letter = record.bytes().iter().find(|byte| **byte > b' ');
    letter.is_none_or(|letter| !letter.is_ascii_alphabetic() || b"HPOhpo".contains(letter))
}

/// A field ends with an escape character that closes no sequence: the delimiter behind it may be meant as text. That in H.2
/// declares it.
fn hides_a_delimiter(record: &Record<'_>) -> bool {
    let escape = record.delimiters().escape;
    let open =
        |field: &[u8]| field.ends_with(&[escape]) && field.iter().filter(|b| **b == escape).count() % 2 == 1;
    let declared = if record.kind() == RecordType::Header { 2 } else { 0 };
    record.bytes().contains(&escape) && record.fields().skip(declared).any(|field| open(field.bytes()))
}

/// The last record has its end: a message that is cut inside one is cut, whatever the dialect.
fn ends_with_a_record(text: &[u8]) -> bool {
    matches!(text, [.., CR | LF])
}

/// What is known of the header of the message part that is being read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HeaderState {
    /// None came yet.
    Missing,
    Good,
    Bad,
}

struct Walk<'a, 'm> {
    plan: &'static Plan,
    /// The line has no frames, so no checksum has looked at this text.
    bare: bool,
    charset: Charset,
    complete: bool,
    scratch: &'a mut Scratch<'m>,
    sink: &'a mut dyn ReportSink<'m>,
    walker: Walker,
    current: Current<'m>,
    header: HeaderState,
    /// An order that had no result yet.
    empty_order: Option<Order<'m>>,
    /// A comment said something about that order.
    remarked: bool,
    /// The order looks like a control's.
    suspect: bool,
    /// By its header the message is no patient's.
    control: bool,
    /// What follows the order's record.
    siblings: Option<Records<'m>>,
    twins: Twins,
    isolates: Isolates,
    /// Records came after the last L.
    open: bool,
    /// An L said that the sender gave up.
    aborted: bool,
    /// Since the last header a record came that may have been an order or a patient, or another one than it was.
    unsure: bool,
}

impl<'m> Walk<'_, 'm> {
    fn record(&mut self, record: Record<'m>, rest: &Records<'m>) -> Result<(), Fault> {
        let place = self.walker.place(&record);
        let cut = !record.terminated() && !self.complete;
        self.judge(&record, &place, cut);
        self.unsure = match record.kind() {
            RecordType::Header => self.is_noisy(&record) || hides_a_delimiter(&record),
            RecordType::Patient | RecordType::Order => {
                self.unsure || self.is_noisy(&record) || hides_a_delimiter(&record)
            }
            RecordType::Other(_) => self.unsure || self.bare || may_be_whose(&record),
            _ => self.unsure,
        };
        match record.view() {
            View::Header(header) => self.header(&header),
            View::Patient(patient) => self.patient(&patient),
            View::Order(order) => {
                self.order(&order, rest);
                self.twins.fill(self.plan, rest);
                self.siblings = Some(rest.clone());
            }
            View::Result(result) => self.result(&result, &place, cut)?,
            View::Comment(comment) => self.comment(&comment, &place),
            View::Query(query) => self.query(&query),
            View::Terminator(terminator) => self.terminator(&terminator),
            View::Manufacturer(_) => self.note(NoteKind::ManufacturerRecord, &record),
            // One flipped bit makes an S of an R.
            View::Scientific(_) => {
                self.note(NoteKind::ManufacturerRecord, &record);
                self.damaged(&record);
            }
            View::Other(_) => {
                self.note(NoteKind::UnknownRecord, &record);
                if let Some(result) = items::misplaced(self.plan, &record) {
                    self.sink.item(Item::Observation(Observation { doubt: Some(JUNK), ..result }));
                } else {
                    self.damaged(&record);
                }
            }
        }
        self.open = record.kind() != RecordType::Terminator;
        Ok(())
    }

    /// A result that noise has made another record of, on a line where nothing else would tell.
    fn damaged(&mut self, record: &Record<'m>) {
        if self.bare
            && let Some(result) = items::damaged(self.plan, record)
        {
            self.sink.item(Item::Observation(Observation { doubt: Some(DAMAGED), ..result }));
        }
    }

    /// A byte stands in it that noise made: a NUL, and where no checksum has looked any control character.
    fn is_noisy(&self, record: &Record<'m>) -> bool {
        let noise = |b: &u8| *b == 0 || (self.bare && is_control(*b));
        record.bytes().iter().any(noise)
    }

    /// Trouble that any record may have.
    fn judge(&mut self, record: &Record<'m>, place: &Place, cut: bool) {
        if self.header == HeaderState::Missing && record.kind() != RecordType::Header {
            self.header = HeaderState::Good;
            self.note(NoteKind::NoHeader, record);
            self.sink.item(Item::Sender(Sender::default()));
        }
        if cut {
            self.note(NoteKind::CutRecord, record);
        }
        if place.gap.is_some() {
            self.note(NoteKind::SequenceGap, record);
        }
        if let Some(at) = record.bytes().iter().position(|b| *b == LF || is_control(*b)) {
            let start = record.span().start as usize;
            let span = Span::new(start.saturating_add(at), start.saturating_add(at).saturating_add(1));
            self.note_at(NoteKind::ControlCharacter, record, span);
        }
        // An M has as many fields as its maker likes, and a profile may know more of the others.
        if let Some((last, _)) = record.kind().field_names().last()
            && record.kind() != RecordType::Manufacturer
            && let last = (*last).max(self.plan.last_field(record.kind()))
            && let Some(extra) = record.fields().skip(last).find(|field| !field.trimmed().is_empty())
        {
            self.note_at(NoteKind::ExtraFields, record, extra.span());
        }
    }

    fn header(&mut self, header: &Header<'m>) {
        let record = header.record();
        self.close_order();
        if self.open && !self.plan.profile.no_terminator {
            self.note(NoteKind::NoTerminator, &record);
        }
        self.current = Current { header: Some(record), ..Current::default() };
        self.header = HeaderState::Good;
        if let DelimiterSource::BadHeader(error) = record.delimiter_source() {
            self.header = HeaderState::Bad;
            let span = Span::new(error.offset, error.offset.saturating_add(1));
            self.note_at(NoteKind::BadHeader, &record, span);
        }
        let sender = items::sender(self.plan, &self.current, header, self.sink);
        self.control = sender.qc.is_some();
        self.sink.item(Item::Sender(sender));
    }

    fn patient(&mut self, patient: &Patient<'m>) {
        self.close_order();
        let record = patient.record();
        let Current { header, .. } = self.current;
        self.current = Current { header, patient: Some(record), ..Current::default() };
        let patient = items::patient(patient, self.sink);
        self.sink.item(Item::Patient(patient));
    }

    fn order(&mut self, order: &OrderRecord<'m>, below: &Records<'m>) {
        self.close_order();
        self.current = Current { order: Some(order.record()), result: None, ..self.current };
        let specimen = items::specimen(self.plan, &self.current, order, below, self.sink);
        self.suspect = specimen.qc.is_none()
            && qc::is_suspect(self.plan, &specimen.id, &specimen.kind, self.current.patient);
        self.sink.item(Item::Specimen(specimen));
        let item = items::order(self.plan, order);
        self.empty_order = Some(item);
        self.remarked = false;
        self.isolates = Isolates::default();
        self.sink.item(Item::Order(item));
        items::place_notes(self.plan, &self.current, RecordType::Order, self.sink);
    }

    fn result(&mut self, result: &ResultRecord<'m>, place: &Place, cut: bool) -> Result<(), Fault> {
        let record = result.record();
        self.current = Current { result: Some(record), ..self.current };
        let under_order = place.parent.is_some_and(|parent| parent.kind == RecordType::Order);
        if !under_order {
            self.note(NoteKind::ResultWithoutOrder, &record);
        }
        self.empty_order = None;
        let mut item = if self.header == HeaderState::Bad {
            items::unsplit(self.plan, result)
        } else {
            items::observation(
                self.plan,
                &self.current,
                result,
                self.siblings.as_ref().filter(|_| under_order).map(|below| (below, &self.twins)),
                &mut self.isolates,
                self.scratch,
                self.sink,
            )?
        };
        // The first doubt is the one to act on.
        item.doubt = if self.header == HeaderState::Bad {
            Some(BAD_HEADER)
        } else if !under_order {
            Some(NO_ORDER)
        } else if cut {
            Some(CUT)
        } else if record.bytes().contains(&0) {
            Some(NUL)
        } else if self.is_noisy(&record) {
            Some(CONTROL)
        } else if hides_a_delimiter(&record) {
            Some(ESCAPED)
        } else if self.unsure {
            Some(UNSURE)
        } else if items::is_shifted(self.plan, &record) {
            Some(SHIFTED)
        } else if items::is_short(self.plan, &record) {
            Some(SHORT)
        } else if item.code.id.is_empty() {
            Some(NO_CODE)
        } else {
            item.doubt
        };
        item.suspect = self.suspect;
        self.sink.item(Item::Observation(item));
        if item.doubt.is_none() && !item.suspect {
            items::place_notes(self.plan, &self.current, RecordType::Result, self.sink);
        }
        Ok(())
    }

    fn comment(&mut self, comment: &CommentRecord<'m>, place: &Place) {
        let level = match place.parent.map(|parent| parent.kind) {
            Some(RecordType::Patient) => Level::Patient,
            Some(RecordType::Order) => Level::Order,
            Some(RecordType::Result) => Level::Observation,
            Some(RecordType::Header) => Level::Message,
            _ if comment.text().trimmed().is_empty() => return,
            _ => return self.note(NoteKind::UnplacedComment, &comment.record()),
        };
        let said = items::comments(self.plan, &comment.record(), level, self.sink);
        // What the LIS said with an order comes back with it or stands in a copy of the order: no news of the test.
        let of_instrument =
            !matches!(comment.source(), CommentSource::InformationSystem | CommentSource::Practice);
        self.remarked |= said && of_instrument && level == Level::Order;
    }

    fn query(&mut self, query: &QueryRecord<'m>) {
        self.close_order();
        self.current = Current { query: Some(query.record()), order: None, result: None, ..self.current };
        // A cancels the last query: there is nothing to answer.
        if query.status() != QueryStatus::Abort {
            items::queries(self.plan, query, self.sink);
        }
    }

    fn terminator(&mut self, terminator: &Terminator<'m>) {
        self.close_order();
        if matches!(
            terminator.termination_code(),
            TerminationCode::SenderAborted | TerminationCode::ReceiverAborted | TerminationCode::SystemError
        ) {
            self.note(NoteKind::Aborted, &terminator.record());
            self.aborted = true;
        }
    }

    fn end(&mut self, length: usize) {
        self.close_order();
        if self.open && !self.plan.profile.no_terminator {
            let span = Span::new(length, length);
            self.sink.note(Note { kind: NoteKind::NoTerminator, span, subject: Text::EMPTY });
        }
        self.sink.item(Item::End(End { complete: self.complete && !self.aborted }));
    }

    /// An order is over; without results there is nothing to report of it, which somebody may be waiting to hear.
    fn close_order(&mut self) {
        if let Some(order) = self.empty_order.take() {
            let subject = order.code.id;
            self.sink.note(Note { kind: NoteKind::OrderWithoutResult, span: order.span, subject });
            // A Mindray's controls have their values in O.12. They are counted, and nobody waits for them.
            if self.remarked || self.control {
                self.sink.item(Item::Observation(items::remark_only(self.plan, &order)));
            }
        }
    }

    fn note(&mut self, kind: NoteKind, record: &Record<'m>) {
        self.note_at(kind, record, record.span());
    }

    /// The subject is the record's letter.
    fn note_at(&mut self, kind: NoteKind, record: &Record<'m>, span: Span) {
        let letter = record.bytes().get(..1).unwrap_or_default();
        let subject = Text::new(letter, self.charset, Escapes::None);
        self.sink.note(Note { kind, span, subject });
    }
}
