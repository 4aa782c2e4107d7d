//! A manufacturer's LIVD table to a map of ours.
//!
//! LIVD (of the IVD Industry Connectivity Consortium, now HL7's) has a row for each vendor code and LOINC code that may belong
//! together. Its descriptions of specimen and result are text for people and, by its own words, not meant for programs; so
//! nothing is guessed from them: a specimen counts only where a person has said what the instrument writes for it, a unit only
//! where the cell as a whole is one of UCUM or one of the words *Binary*, *Ordinal*, *Nominal*.
//!
//! Promises: of several LOINC codes for one key none is taken, and each row that is not taken is told with the reason.

use super::read::Cells;
use super::seen::Seen;
use super::ucum::Unit;
use crate::words::count;
use orugate_protocol::hl7::value::is_loinc;
use std::collections::{BTreeMap, BTreeSet};

/// The largest table that is read, in bytes.
pub const MAX_FILE: u64 = 16 << 20;

/// Headers of LIVD, in small letters, and what they are to us.
const HEADERS: [(&str, Column); 20] = [
    ("vendor analyte code", Column::Code),
    ("vendor transmission code", Column::Code),
    ("vendor analyte identifier", Column::Code),
    ("vendor analyte name", Column::Vendor),
    ("vendor specimen description", Column::Specimen),
    ("vendor result description", Column::Result),
    ("vendor comment", Column::Comment),
    ("loinc code", Column::Loinc),
    ("test performed loinc code", Column::Loinc),
    ("loinc", Column::Loinc),
    ("loinc long name", Column::Name),
    ("loinc long common name", Column::Name),
    ("test performed loinc long name", Column::Name),
    ("long name", Column::Name),
    ("scale", Column::Scale),
    ("scale_typ", Column::Scale),
    ("manufacturer", Column::Manufacturer),
    ("model", Column::Model),
    ("publication version id", Column::Publication),
    ("loinc version id", Column::Version),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Column {
    Code,
    Vendor,
    Specimen,
    Result,
    Comment,
    Loinc,
    Name,
    Scale,
    Manufacturer,
    Model,
    Publication,
    Version,
}

/// What a person says beside the file.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Only rows of this model.
    pub model: Option<String>,
    /// Specimen descriptions of the file, in any letters, and what the instrument writes for each: nothing for any, `-` to leave
    /// such rows out.
    pub specimens: Vec<(String, String)>,
}

/// One row that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    code: String,
    specimen: String,
    unit: String,
    loinc: String,
    name: String,
    ucum: String,
    described: String,
    note: String,
}

/// What came of a table.
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// Rows of the file, and of the model.
    pub read: usize,
    /// Publisher, model, versions.
    pub source: String,
    /// In the order of the codes.
    pub taken: Vec<Taken>,
    /// Codes of which nothing was taken because several LOINC codes would fit: sentences.
    pub ambiguous: Vec<String>,
    /// Rows that cannot be: sentences.
    pub wrong: Vec<String>,
    /// Codes of the rows that were left out because a person said so.
    pub left_out: BTreeSet<String>,
    /// Specimen descriptions that were taken for any specimen.
    pub any_specimen: BTreeSet<String>,
    /// Codes whose unit the file does not say.
    pub no_unit: BTreeSet<String>,
    /// Codes that were seen and have no row.
    pub missing: BTreeSet<String>,
}

/// A row of the file.
#[derive(Clone, Debug)]
struct Offer {
    line: u32,
    described: String,
    specimen: Option<String>,
    loinc: String,
    name: String,
    ucum: String,
    note: String,
}

/// Reads a table.
///
/// # Errors
/// A sentence for a person: it is no such table, or says too little.
pub fn import(text: &str, asked: &Asked, seen: &Seen) -> Result<Import, String> {
    let cells = Cells::new(text).map_err(|why| format!("The file {why}."))?;
    let mut columns: BTreeMap<Column, usize> = BTreeMap::new();
    for (at, header) in cells.header.iter().enumerate() {
        let header = header.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        if let Some((_, column)) = HEADERS.iter().find(|(known, _)| *known == header) {
            columns.entry(*column).or_insert(at);
        }
    }
    for (column, name) in [(Column::Code, "Vendor Analyte Code"), (Column::Loinc, "LOINC Code")] {
        if !columns.contains_key(&column) {
            let there = cells
                .header
                .iter()
                .filter(|header| !header.is_empty())
                .cloned()
                .collect::<Vec<_>>()
                .join(", ");
            return Err(format!(
                "The first line has no column {name:?}. It has: {there}. Take lines above the column names away; a spreadsheet \
                 is saved as CSV, UTF-8."
            ));
        }
    }
    let mut import = Import::default();
    let mut offers: BTreeMap<String, Vec<Offer>> = BTreeMap::new();
    let (mut models, mut sources) = (BTreeSet::new(), BTreeSet::new());
    for row in cells {
        let (line, row) = row.map_err(|(line, why)| format!("Line {line} cannot be read: {why}."))?;
        let cell = |column: Column| {
            let text = columns.get(&column).and_then(|at| row.get(*at)).map_or("", String::as_str);
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let model = cell(Column::Model);
        if asked.model.as_ref().is_some_and(|wanted| !wanted.eq_ignore_ascii_case(&model)) {
            models.insert(model);
            continue;
        }
        import.read += 1;
        let source = [Column::Manufacturer, Column::Model, Column::Publication, Column::Version].map(cell);
        sources.insert(source.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" "));
        models.insert(model);
        let (code, loinc) = (cell(Column::Code), cell(Column::Loinc));
        if code.is_empty() {
            import.wrong.push(format!(
                "line {line}: no vendor code, so nothing of the instrument's could be found by it"
            ));
            continue;
        }
        if !is_loinc(loinc.as_bytes()) {
            let why = if loinc.is_empty() {
                "has no LOINC code"
            } else {
                "has a LOINC code whose form or check digit is wrong"
            };
            import.wrong.push(format!("line {line}: {code} {why}{}", quoted(&loinc)));
            continue;
        }
        let described = cell(Column::Specimen);
        let said = asked.specimens.iter().find(|(text, _)| text.eq_ignore_ascii_case(&described));
        if said.is_some_and(|(_, sent)| sent == "-") {
            import.left_out.insert(code);
            continue;
        }
        let result = cell(Column::Result);
        let note = [cell(Column::Vendor), result.clone(), cell(Column::Comment)];
        let note = note.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ");
        offers.entry(code).or_default().push(Offer {
            line,
            described,
            specimen: said.map(|(_, sent)| sent.clone()),
            loinc,
            name: cell(Column::Name),
            ucum: unit(&result, &cell(Column::Scale)),
            note: note.chars().take(240).collect(),
        });
    }
    models.retain(|model| !model.is_empty());
    if asked.model.is_none() && models.len() > 1 {
        let all = models.into_iter().collect::<Vec<_>>().join(", ");
        return Err(format!(
            "The file is about several models: {all}. Say which with --model, since a code may mean another test on each."
        ));
    }
    if import.read == 0 {
        let all = models.into_iter().collect::<Vec<_>>().join(", ");
        return Err(format!("The file has no row of that model. It has: {all}."));
    }
    import.source = sources.into_iter().filter(|source| !source.is_empty()).collect::<Vec<_>>().join("; ");
    for (code, offers) in offers {
        take(&mut import, &code, offers, seen);
    }
    let known: BTreeSet<&str> = import.taken.iter().map(|row| row.code.as_str()).collect();
    import.missing =
        seen.kinds.keys().map(|kind| kind.code.clone()).filter(|code| !known.contains(&**code)).collect();
    Ok(import)
}

/// The unit, where the file says one so that a program may believe it; `1` where the result is no quantity.
fn unit(described: &str, scale: &str) -> String {
    let word = described.trim_end_matches('.');
    let is = |words: &[&str], text: &str| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is(&["binary", "ordinal", "nominal", "qualitative"], word) || is(&["ord", "nom", "nar"], scale) {
        return "1".to_owned();
    }
    // A word such as "Quantitative" is no unit, and "a" or "d" alone is more likely an article than a year or a day.
    let unit = described.trim();
    if unit.len() > 1 && Unit::read(unit).is_ok() || unit == "%" { unit.to_owned() } else { String::new() }
}

fn quoted(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text:?}") }
}

/// Takes of one code what is beyond doubt.
fn take(import: &mut Import, code: &str, offers: Vec<Offer>, seen: &Seen) {
    let sent: BTreeSet<&str> = seen
        .kinds
        .keys()
        .filter(|kind| kind.code == code && !kind.specimen.is_empty())
        .map(|kind| &*kind.specimen)
        .collect();
    let untold: BTreeSet<&str> = offers
        .iter()
        .filter(|offer| offer.specimen.is_none() && !offer.described.is_empty())
        .map(|offer| &*offer.described)
        .collect();
    let of_untold: BTreeSet<&str> =
        offers.iter().filter(|offer| offer.specimen.is_none()).map(|offer| &*offer.loinc).collect();
    // One description more than the instrument can be believed to mean by saying nothing.
    if !untold.is_empty() && (untold.len() > 1 && of_untold.len() > 1 || !sent.is_empty()) {
        let all = offers.iter().map(Offer::told).collect::<Vec<_>>().join(", ");
        let writes = if sent.is_empty() {
            "Say what the instrument writes for each".to_owned()
        } else {
            format!(
                "The instrument writes {}; say for which",
                sent.into_iter().collect::<Vec<_>>().join(", ")
            )
        };
        let first = untold.into_iter().next().unwrap_or_default();
        import.ambiguous.push(format!(
            "{code}: {all}. {writes}: --specimen \"{first}=WHAT IT WRITES\" (= for any, =- to leave out)"
        ));
        return;
    }
    let mut by_specimen: BTreeMap<String, Vec<Offer>> = BTreeMap::new();
    for offer in offers {
        by_specimen.entry(offer.specimen.clone().unwrap_or_default()).or_default().push(offer);
    }
    for (specimen, offers) in by_specimen {
        let codes: BTreeSet<&str> = offers.iter().map(|offer| &*offer.loinc).collect();
        let means = |offer: &Offer| Unit::read(&offer.ucum).ok();
        let apart = offers.iter().enumerate().all(|(n, offer)| {
            means(offer).is_some()
                && offers
                    .iter()
                    .take(n)
                    .all(|other| means(other) != means(offer) || other.loinc == offer.loinc)
        });
        if codes.len() > 1 && !apart {
            let all = offers.iter().map(Offer::told).collect::<Vec<_>>().join(", ");
            import.ambiguous.push(format!(
                "{code}: {all}. Only one can be meant, or the unit as the instrument writes it must tell them apart; type that row by hand"
            ));
            continue;
        }
        let by_unit = codes.len() > 1;
        let mut done = BTreeSet::new();
        for offer in offers {
            let unit = if by_unit { as_sent(seen, code, &offer.ucum) } else { String::new() };
            if !done.insert((unit.clone(), offer.loinc.clone())) {
                continue;
            }
            if offer.specimen.is_none() && !offer.described.is_empty() {
                import.any_specimen.insert(offer.described.clone());
            }
            if offer.ucum.is_empty() {
                import.no_unit.insert(code.to_owned());
            }
            import.taken.push(Taken {
                code: code.to_owned(),
                specimen: specimen.clone(),
                unit,
                loinc: offer.loinc,
                name: offer.name,
                ucum: offer.ucum,
                described: offer.described,
                note: offer.note,
            });
        }
    }
}

/// The unit as the instrument was seen to write it, where that means the same.
fn as_sent(seen: &Seen, code: &str, ucum: &str) -> String {
    let means = Unit::read(ucum).ok();
    let of_code = seen.kinds.keys().filter(|kind| kind.code == code && kind.measured);
    let same = of_code.filter(|kind| Unit::read(&kind.unit).ok() == means && means.is_some());
    same.map(|kind| kind.sent().to_owned()).next().unwrap_or_else(|| ucum.to_owned())
}

impl Offer {
    fn told(&self) -> String {
        let more: Vec<&str> =
            [&self.described, &self.ucum].into_iter().filter(|t| !t.is_empty()).map(String::as_str).collect();
        let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join(", ")) };
        format!("{}{more} in line {}", self.loinc, self.line)
    }
}

impl Import {
    /// The map's text.
    ///
    /// # Errors
    /// It could not be written into memory.
    pub fn csv(&self) -> Result<String, String> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let header = [
            "code",
            "specimen",
            "unit",
            "loinc",
            "name",
            "ucum",
            "panel",
            "panel_name",
            "specimen_text",
            "note",
        ];
        let mut wrote = writer.write_record(header);
        for row in &self.taken {
            let Taken { code, specimen, unit, loinc, name, ucum, described, note } = row;
            let cells: [&str; 10] = [code, specimen, unit, loinc, name, ucum, "", "", described, note];
            wrote = wrote.and_then(|()| writer.write_record(cells));
        }
        wrote.map_err(|error| error.to_string())?;
        let bytes = writer.into_inner().map_err(|error| error.to_string())?;
        String::from_utf8(bytes).map_err(|error| error.to_string())
    }

    /// What came of it, line by line.
    #[must_use]
    pub fn report(&self) -> Vec<String> {
        let list = |codes: &BTreeSet<String>| codes.iter().cloned().collect::<Vec<_>>().join(", ");
        let of = if self.source.is_empty() { String::new() } else { format!(" of {}", self.source) };
        let mut lines = vec![
            format!("Read: {}{of}.", count(self.read as u64, "row", "rows")),
            format!("Taken: {}.", count(self.taken.len() as u64, "row", "rows")),
        ];
        lines.extend(self.wrong.iter().map(|why| format!("Not taken, {why}.")));
        lines.extend(self.ambiguous.iter().map(|why| format!("Ambiguous, none taken, {why}.")));
        if !self.left_out.is_empty() {
            lines.push(format!("Left out as you said, rows of: {}.", list(&self.left_out)));
        }
        if !self.any_specimen.is_empty() {
            lines.push(format!(
                "These descriptions are for people, so their rows hold for any specimen: {}. Where the instrument measures the \
                 same code in another material, say what it writes: --specimen.",
                self.any_specimen.iter().map(|text| format!("{text:?}")).collect::<Vec<_>>().join(", ")
            ));
        }
        if !self.no_unit.is_empty() {
            lines.push(format!(
                "Without a unit that a program may believe: {}. Fill the column ucum; orugate check says each line until then.",
                list(&self.no_unit)
            ));
        }
        if !self.missing.is_empty() {
            lines.push(format!(
                "Missing, seen of this instrument and without a row: {}.",
                list(&self.missing)
            ));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::super::seen::Kind;
    use super::*;
    use std::path::Path;

    const LIVD: &str = "\
Manufacturer,Model,Vendor Analyte Code,Vendor Analyte Name,Vendor Specimen Description,Vendor Result Description,LOINC Code,LOINC Long Name,Scale
Acme,C1,GLU,Glucose,Serum or Plasma,mg/dL,2345-7,Glucose [Mass/volume] in Serum or Plasma,Qn
Acme,C1,GLU,Glucose,Urine,mg/dL,2350-7,Glucose [Mass/volume] in Urine,Qn
Acme,C1,CREA,Creatinine,Serum or Plasma,mg/dL,2160-0,\"Creatinine, mass\",Qn
Acme,C1,CREA,Creatinine,Serum or Plasma,umol/L,14682-9,\"Creatinine, moles\",Qn
Acme,C1,HIL,Indices,Serum or Plasma,Ordinal,30075-6,Hemolysis,Ord
Acme,C1,CRP,CRP,Serum or Plasma,Quantitative,1988-5,C reactive protein,Qn
Acme,C1,LIP,Lipase,Serum or Plasma,U/L,3040-4,Lipase,Qn
Acme,C1,NA,Sodium,Serum or Plasma,mmol/L,2951-2,Sodium,Qn
Acme,C1,NA,Sodium,Serum or Plasma,mmol/L,2955-3,Sodium other,Qn
";

    fn seen(kinds: &[(&str, &str, &str)]) -> Seen {
        let mut seen = Seen::default();
        for (code, specimen, unit) in kinds {
            let kind = Kind {
                code: (*code).to_owned(),
                specimen: (*specimen).to_owned(),
                unit: (*unit).to_owned(),
                unit_as_sent: String::new(),
                measured: true,
            };
            seen.kinds.insert(kind, (1, String::new()));
        }
        seen
    }

    fn rows(import: &Import) -> Vec<String> {
        let short = |row: &Taken| {
            format!("{} [{}] [{}] {} {}", row.code, row.specimen, row.unit, row.loinc, row.ucum)
        };
        import.taken.iter().map(short).collect()
    }

    #[test]
    fn what_is_beyond_doubt_is_taken_and_all_else_is_told() {
        let import =
            import(LIVD, &Asked::default(), &seen(&[("CREA", "", "mg/dl"), ("TSH", "", "mU/L")])).unwrap();
        assert_eq!(
            rows(&import),
            [
                "CREA [] [mg/dl] 2160-0 mg/dL",
                "CREA [] [umol/L] 14682-9 umol/L",
                "CRP [] [] 1988-5 ",
                "HIL [] [] 30075-6 1"
            ]
        );
        expect_test::expect![[r#"
            Read: 9 rows of Acme C1.
            Taken: 4 rows.
            Not taken, line 8: LIP has a LOINC code whose form or check digit is wrong: "3040-4".
            Ambiguous, none taken, GLU: 2345-7 (Serum or Plasma, mg/dL) in line 2, 2350-7 (Urine, mg/dL) in line 3. Say what the instrument writes for each: --specimen "Serum or Plasma=WHAT IT WRITES" (= for any, =- to leave out).
            Ambiguous, none taken, NA: 2951-2 (Serum or Plasma, mmol/L) in line 9, 2955-3 (Serum or Plasma, mmol/L) in line 10. Only one can be meant, or the unit as the instrument writes it must tell them apart; type that row by hand.
            These descriptions are for people, so their rows hold for any specimen: "Serum or Plasma". Where the instrument measures the same code in another material, say what it writes: --specimen.
            Without a unit that a program may believe: CRP. Fill the column ucum; orugate check says each line until then.
            Missing, seen of this instrument and without a row: TSH.
        "#]]
        .assert_eq(&(import.report().join("\n") + "\n"));
        // What came is a map that says only what a person must still type.
        let mistakes = super::super::read(Path::new("m.csv"), &import.csv().unwrap()).unwrap_err();
        assert_eq!(mistakes.len(), 1);
        assert_eq!((mistakes[0].key.as_str(), mistakes[0].position.unwrap().line), ("ucum", 4));
    }

    #[test]
    fn a_person_says_what_the_instrument_writes_for_a_specimen() {
        let said = |serum: &str, urine: &str| Asked {
            model: None,
            specimens: vec![
                ("serum or plasma".to_owned(), serum.to_owned()),
                ("Urine".to_owned(), urine.to_owned()),
            ],
        };
        let glucose = |asked: &Asked, seen: &Seen| {
            let import = import(LIVD, asked, seen).unwrap();
            rows(&import).into_iter().filter(|row| row.starts_with("GLU")).collect::<Vec<_>>()
        };
        let none = Seen::default();
        assert_eq!(glucose(&said("", "UR"), &none), ["GLU [] [] 2345-7 mg/dL", "GLU [UR] [] 2350-7 mg/dL"]);
        assert_eq!(glucose(&said("SER", "-"), &none), ["GLU [SER] [] 2345-7 mg/dL"]);
        // An instrument that writes its material makes every description a question.
        let import = import(LIVD, &Asked::default(), &seen(&[("CRP", "S1", "mg/L")])).unwrap();
        let crp = import.ambiguous.iter().find(|why| why.starts_with("CRP")).unwrap();
        assert!(crp.contains("The instrument writes S1; say for which"), "{crp}");
    }

    #[test]
    fn what_a_spreadsheet_saves_is_read_and_its_lines_are_named_as_an_editor_counts_them() {
        let text =
            format!("\u{FEFF}{}", LIVD.replace(',', ";").replace("\"Creatinine; m", "\"Creatinine, m"))
                .replace('\n', "\r\n");
        let import = import(&text, &Asked::default(), &Seen::default()).unwrap();
        let same = super::import(LIVD, &Asked::default(), &Seen::default()).unwrap();
        assert_eq!(import.report(), same.report());
        assert_eq!(import.csv(), same.csv());
    }

    #[test]
    fn several_models_are_one_too_many() {
        let two = format!("{LIVD}Acme,C2,GLU,Glucose,Serum,mg/dL,2345-7,Glucose,Qn\n");
        let why = import(&two, &Asked::default(), &Seen::default()).unwrap_err();
        assert!(why.contains("several models: C1, C2. Say which with --model"), "{why}");
        let of = |model: &str| Asked { model: Some(model.to_owned()), specimens: Vec::new() };
        assert_eq!(rows(&import(&two, &of("c2"), &Seen::default()).unwrap()), ["GLU [] [] 2345-7 mg/dL"]);
        assert!(import(&two, &of("C3"), &Seen::default()).unwrap_err().contains("It has: C1, C2."));
    }

    #[test]
    fn another_table_is_refused_with_what_it_has() {
        for (text, said) in [
            ("", "The file is empty"),
            ("a,b\n1,2\n", "no column \"Vendor Analyte Code\". It has: a, b."),
            ("Vendor Analyte Code,x\n1,2\n", "no column \"LOINC Code\""),
        ] {
            let why = import(text, &Asked::default(), &Seen::default()).unwrap_err();
            assert!(why.contains(said), "{why}");
        }
        // Names as a public table of 2020 has them, with line breaks in them.
        let text = "\"Vendor  Analyte\nCode\",Test Performed LOINC Code,Test Performed LOINC Long Name\nA,94500-6,X\n";
        assert_eq!(rows(&import(text, &Asked::default(), &Seen::default()).unwrap()), ["A [] [] 94500-6 "]);
    }
}
