//! One OBX as an observation.
//!
//! Promises: value, range and digits are as sent; what a field holds besides its first component or repetition is not lost. A flag
//! is one of table 0078 only where OBX-8 says no other table. Leaves out images and other data in ED, RP, NA and MA, which no result
//! can be.

use crate::laboratory::{Line, Walk};
use crate::read::Joined;
use orugate_driver::Fault;
use orugate_driver::report::{Code, Comment, Flags, Item, Level, Observation, Status};
use orugate_driver::text::{Escapes, Text};
use orugate_protocol::hl7::reader::Part;

const PICTURE: &str = "data-that-is-no-value";
const RAW: &str = "raw-data-of-the-analyzer";
const NO_RESULT: &str = "a-row-that-is-no-result";
const ABOUT_IT: &str = "data-about-the-measurement";
const NO_WORDS: &str = "no-words-beside-the-number";
const NO_CODE: &str = "The result has no test code in OBX-3. Look at the instrument; correct `code` in the profile, then release.";

impl<'m> Walk<'_, '_, 'm> {
    pub(crate) fn result(
        &mut self,
        obx: &Line<'m>,
        doubt: Option<&'static str>,
        about_other: Option<&'static str>,
    ) -> Result<(), Fault> {
        let kind = obx.field(2);
        let picture = matches!(kind.bytes(), b"ED" | b"RP" | b"NA" | b"MA");
        let code = self.code(obx)?;
        // LAW's supplements to a result, for who develops tests.
        let raw = matches!(obx.field(3).component(4).bytes(), b"S_RAW")
            || obx.field(3).component(1).bytes() == b"S_RAW";
        // When it was pipetted, by which calibration: no type that a result has.
        let about_it = obx.field(3).component(4).bytes() == b"S_OTHER"
            && matches!(kind.bytes(), b"DTM" | b"TS" | b"DT" | b"TM" | b"EI" | b"DR");
        let listed = self.laboratory.not_results.iter().any(|row| code.id.reads(row));
        let not_reportable = about_other
            .or_else(|| picture.then_some(PICTURE))
            .or_else(|| raw.then_some(RAW))
            .or_else(|| about_it.then_some(ABOUT_IT))
            .or_else(|| listed.then_some(NO_RESULT));
        let value = if picture { Text::EMPTY } else { self.value(kind, obx.field(5))? };
        // cobas: a number, and behind it the same test in words, of which there are none.
        let twice = self.row_before.is_some_and(|before| {
            let same = |field: usize| before.field(field).bytes() == obx.field(field).bytes();
            same(3) && same(4) && !before.field(5).is_empty()
        });
        let wordless = twice
            && matches!(kind.bytes(), b"CE" | b"CWE" | b"CNE")
            && value.is_empty()
            && matches!(
                status(obx.field(11).bytes()),
                Status::Final | Status::Preliminary | Status::Corrected
            );
        let not_reportable = not_reportable.or_else(|| wordless.then_some(NO_WORDS));
        let absent = self.laboratory.absent.iter().any(|word| value.reads(word));
        let (unit, unit_as_sent) = self.unit(obx.field(6))?;
        let old = self.read.header.version().is_some_and(|version| version < (2, 4));
        let completed = self.time_at(&self.laboratory.completed, Some(obx));
        let completed = completed.or_else(|| {
            let known = self.read.time(obx.field(14).component(1).bytes());
            known.filter(|_| old)
        });
        let run = self.text_at(&self.laboratory.run, Some(obx))?;
        let rule = &self.laboratory.code;
        let mut places = rule.part.iter().map(|row| &row.place).chain(&rule.id).chain(&rule.name);
        let own_sub_id = places.any(|place| place.name().starts_with("OBX-4"));
        let replicate = if own_sub_id { Text::EMPTY } else { self.read.text(obx.field(4))? };
        let device = obx.field(18).component(1);
        let device = if device.is_empty() { obx.field(18).component(2) } else { device };
        let who = obx.field(16);
        let operator = if who.component(1).is_empty() { who.component(2) } else { who.component(1) };
        let observation = Observation {
            code,
            value,
            unit,
            unit_as_sent,
            range: self.read.text(obx.field(7))?,
            flags: self.flags(obx.field(8))?,
            nature: self.read.text(obx.field(10))?,
            status: if absent { Status::NotDone } else { status(obx.field(11).bytes()) },
            started: None,
            completed,
            operator: self.read.text(operator)?,
            verifier: Text::EMPTY,
            device: self.read.text(device)?,
            run,
            replicate,
            group: 0,
            not_reportable,
            doubt: doubt.or_else(|| (code.id.is_empty() && not_reportable.is_none()).then_some(NO_CODE)),
            suspect: false,
            span: obx.span(),
        };
        self.sink.item(Item::Observation(observation));
        self.words_code(kind, obx.field(5))
    }

    fn code(&mut self, obx: &Line<'m>) -> Result<Code<'m>, Fault> {
        let laboratory = self.laboratory;
        let rule = &laboratory.code;
        let standard = self.standard_code(obx.field(3))?;
        let id = self.first_at(&rule.id, Some(obx));
        let name = match self.first_at(&rule.name, Some(obx)) {
            Some(part) => self.read.text(part)?,
            None => standard.name,
        };
        let parts = || {
            let wanted = rule
                .part
                .iter()
                .filter(|row| row.without.is_none_or(|other| self.at(other, Some(obx)).is_none()));
            wanted.filter_map(|row| self.at(row.place, Some(obx)))
        };
        let id = if parts().next().is_none() {
            match id {
                Some(part) => self.read.text(part)?,
                None => standard.id,
            }
        } else {
            let mut most = standard.id.bytes().len();
            let mut all = [None; 8];
            for (place, part) in all.iter_mut().zip(id.into_iter().chain(parts())) {
                most = most.saturating_add(part.bytes().len()).saturating_add(1);
                *place = Some(part);
            }
            self.read.joined(most, |out| {
                if id.is_none() {
                    out.bytes(standard.id.bytes().iter().copied());
                }
                for part in all.iter().flatten() {
                    if !out.is_empty() {
                        out.str("/");
                    }
                    out.part(*part);
                }
            })?
        };
        Ok(Code { id, name, ..standard })
    }

    /// The test in the vendor's words, and a LOINC code when one is beside it.
    pub(crate) fn standard_code(&mut self, field: Part<'m>) -> Result<Code<'m>, Fault> {
        let loinc = |first: usize| field.component(first).bytes() == b"LN";
        let (own, standard) = match (loinc(3), loinc(6)) {
            (true, _) if field.component(4).is_empty() => (1, Some(1)),
            (true, _) => (4, Some(1)),
            (false, true) => (1, Some(4)),
            // As in ASTM: ^^^GLU.
            (false, false) if field.component(1).is_empty() && field.component(2).is_empty() => (4, None),
            (false, false) => (1, None),
        };
        let id = self.read.text(field.component(own))?;
        let name = self.read.text(field.component(own.saturating_add(1)))?;
        Ok(Code {
            id: if id.is_empty() { name } else { id },
            name,
            system: self.plan.profile.coding_system.0,
            loinc: match standard {
                Some(at) => self.read.text(field.component(at))?,
                None => Text::EMPTY,
            },
        })
    }

    fn value(&mut self, kind: Part<'m>, field: Part<'m>) -> Result<Text<'m>, Fault> {
        // To delete what was sent is a person's decision, and the gateway knows the two quotation marks.
        if field.is_null() {
            return Ok(Text::new(field.bytes(), self.read.charset, Escapes::None));
        }
        let several = field.repeats().filter(|repeat| !repeat.is_empty()).count() > 1;
        let most = field.bytes().len().saturating_mul(2);
        Ok(match kind.bytes() {
            b"CE" | b"CWE" | b"CNE" if !several => self.read.text(words(field))?,
            b"CE" | b"CWE" | b"CNE" => self.read.joined(most, |out| {
                for repeat in field.repeats().map(words).filter(|words| !words.is_empty()) {
                    if !out.is_empty() {
                        out.str("; ");
                    }
                    out.part(repeat);
                }
            })?,
            // Comparator, number, separator, number: as one text (`>1:20`).
            b"SN" if !several => {
                self.read.joined(most, |out| field.components().for_each(|part| out.part(part)))?
            }
            // Each repetition is a line.
            b"TX" | b"FT" => self.read.joined(most, |out| {
                for (n, line) in field.repeats().enumerate() {
                    if n > 0 {
                        out.str("\n");
                    }
                    out.part(line);
                }
            })?,
            _ => {
                let mut said = field.components().filter(|part| !part.is_empty());
                match (several, said.next(), said.next()) {
                    // Some write a result in the first component or a number in the second.
                    (false, Some(only), None) => self.read.text(only)?,
                    (false, None, _) => Text::EMPTY,
                    _ => self.read.text(field)?,
                }
            }
        })
    }

    /// The code beside a coded value's words.
    fn words_code(&mut self, kind: Part<'m>, field: Part<'m>) -> Result<(), Fault> {
        if !matches!(kind.bytes(), b"CE" | b"CWE" | b"CNE") {
            return Ok(());
        }
        for repeat in field.repeats().filter(|repeat| !repeat.component(1).is_empty()) {
            let (code, system) = (repeat.component(1), repeat.component(3));
            if words(repeat).span() == code.span() {
                continue;
            }
            let most = repeat.bytes().len().saturating_add(3);
            let text = self.read.joined(most, |out| {
                out.part(code);
                if !system.is_empty() {
                    out.str(" (");
                    out.part(system);
                    out.str(")");
                }
            })?;
            let comment = Comment { level: Level::Observation, label: "Code: ", text, span: repeat.span() };
            self.sink.item(Item::Comment(comment));
        }
        Ok(())
    }

    /// The unit, and beside one in UCUM how the analyzer writes it.
    fn unit(&mut self, field: Part<'m>) -> Result<(Text<'m>, Text<'m>), Fault> {
        let ucum = |at: usize| field.component(at).bytes() == b"UCUM";
        let (first, second) = (field.component(1), field.component(2));
        if ucum(3) || ucum(6) {
            let (standard, own) = if ucum(3) { (1, 4) } else { (4, 1) };
            let standard = self.read.text(field.component(standard))?;
            let own = self.read.text(field.component(own))?;
            return Ok((standard, if own.is_empty() { standard } else { own }));
        }
        let power = |bytes: &[u8]| bytes == b"10" || bytes.ends_with(b"x10") || bytes.ends_with(b"X10");
        if power(first.bytes()) && second.bytes().first().is_some_and(u8::is_ascii_digit) {
            // 10^9/L, whose sender forgot to escape: nothing is measured in tens.
            return Ok((self.read.text(field)?, Text::EMPTY));
        }
        let words = if first.is_empty() { second } else { first };
        Ok((self.read.text(words)?, Text::EMPTY))
    }

    fn flags(&mut self, field: Part<'m>) -> Result<Flags<'m>, Fault> {
        let (separator, known) = (self.read.header.delimiters().repeat(), &*self.rules.flags);
        let plain = |part: &Part<'_>| part.components().skip(1).all(|more| more.is_empty());
        let is = |part: &Part<'_>, flags: &[&[u8]]| {
            let of_table = matches!(part.component(3).bytes(), b"" | b"HL70078" | b"0078");
            of_table && flags.contains(&part.component(1).bytes())
        };
        // Mindray writes H~N, of which N says that nobody edited it.
        let beyond = field.repeats().any(|repeat| is(&repeat, &[b"H", b"L", b"HH", b"LL", b"<", b">"]));
        let said = |part: &Part<'_>| !(part.component(1).is_null() || beyond && is(part, &[b"N"]));
        let text = if field.repeats().all(|repeat| plain(&repeat) && said(&repeat)) {
            self.read.text(field)?
        } else {
            let most = field.bytes().len().saturating_mul(2);
            let put = |out: &mut Joined<'_>| {
                for (n, repeat) in field.repeats().filter(|repeat| said(repeat)).enumerate() {
                    if n > 0 {
                        out.bytes([separator].into_iter());
                    }
                    let (code, name, system) =
                        (repeat.component(1), repeat.component(2), repeat.component(3));
                    out.part(code);
                    if !matches!(system.bytes(), b"" | b"HL70078" | b"0078") || code.is_empty() {
                        // Of another table: in words, so that it is not taken for one of this.
                        out.str(" ");
                        out.part(if name.is_empty() { system } else { name });
                    }
                }
            };
            self.read.joined(most, put)?
        };
        Ok(Flags { text, separator, known })
    }

    /// How much the analyzer itself diluted, where it did.
    pub(crate) fn dilution(&mut self, tcd: &Line<'m>) -> Result<(), Fault> {
        for (field, label) in [(2, "Dilution: "), (3, "Dilution of the rerun: "), (4, "Dilution before: ")] {
            let field = tcd.field(field);
            let text = self
                .read
                .joined(field.bytes().len(), |out| field.components().for_each(|part| out.part(part)))?;
            if !matches!(text.bytes(), b"" | b"1" | b"1:0" | b"1:1") {
                let comment = Comment { level: Level::Observation, label, text, span: field.span() };
                self.sink.item(Item::Comment(comment));
            }
        }
        Ok(())
    }
}

/// What a coded value says to people: its text, the original text, or else its code.
fn words<'m>(coded: Part<'m>) -> Part<'m> {
    let all = [2, 9, 5].map(|n| coded.component(n));
    all.into_iter().find(|part| !part.is_empty()).unwrap_or_else(|| coded.component(1))
}

/// OBX-11 (table 0085). What takes a result back (D, W) is for a person, as is what no table knows.
const fn status(sent: &[u8]) -> Status {
    match sent {
        b"F" | b"U" => Status::Final,
        b"P" | b"S" | b"R" => Status::Preliminary,
        b"C" | b"A" => Status::Corrected,
        b"X" => Status::NotDone,
        b"I" | b"O" | b"N" => Status::Pending,
        b"" => Status::Absent,
        [other, ..] => Status::Unknown(*other),
    }
}
