//! From a map's text to its rows, or to all its mistakes.
//!
//! Promises that every mistake has file, line, column and what is allowed, and that all are told at once. The first line
//! names the columns; commas, semicolons or tabs stand between cells, whichever that line has. Leaves out what needs to
//! know an instrument: its profile's units, its destinations' charsets.

use super::ucum::{Explained, Unit, probably};
use super::{Expected, Map, Panel, Row};
use crate::config::{ConfigHash, Mistake, Position};
use orugate_protocol::hl7::value::is_loinc;
use std::collections::HashMap;
use std::path::Path;

/// The columns, as the first line names them.
pub const COLUMNS: [&str; 10] =
    ["code", "specimen", "unit", "loinc", "name", "ucum", "panel", "panel_name", "specimen_text", "note"];
/// Those that must be there.
pub const NEEDED: [&str; 3] = ["code", "loinc", "ucum"];
/// The most rows of one file.
pub const MAX_ROWS: usize = 20_000;
/// The most characters of one cell.
const MAX_CELL: usize = 250;
/// More mistakes are not listed: the file is something else.
const MAX_MISTAKES: usize = 100;

/// A text as lines of cells.
pub struct Cells {
    reader: csv::Reader<std::io::Cursor<Vec<u8>>>,
    /// Up to which byte lines were counted, and the line there, from 1.
    counted: (usize, u32),
    /// What the first line names, trimmed.
    pub header: Vec<String>,
}

impl Cells {
    /// Of a CSV text.
    ///
    /// # Errors
    /// A sentence: it has no first line.
    pub fn new(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        let delimiter = delimiter_of(text);
        let source = std::io::Cursor::new(text.as_bytes().to_vec());
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .has_headers(true)
            .from_reader(source);
        let header = reader.headers().map_err(|error| error.to_string())?;
        let header: Vec<String> = header.iter().map(|cell| cell.trim().to_owned()).collect();
        if header.iter().all(String::is_empty) {
            return Err("is empty; the first line names the columns".to_owned());
        }
        Ok(Self { reader, counted: (0, 1), header })
    }

    /// The line of the first row at or behind a byte, as an editor counts. The reader's own number is that of what stands
    /// before the row: the LF of a CR LF, lines that are empty.
    fn line_of(&mut self, byte: u64) -> u32 {
        let text: &[u8] = self.reader.get_ref().get_ref();
        let (mut at, mut line) = self.counted;
        let byte = usize::try_from(byte).unwrap_or(usize::MAX);
        while let Some(next) = text.get(at).filter(|next| at < byte || matches!(next, b'\r' | b'\n')) {
            let ends = match next {
                b'\r' => text.get(at + 1) != Some(&b'\n'),
                next => *next == b'\n',
            };
            line = line.saturating_add(u32::from(ends));
            at += 1;
        }
        self.counted = (at, line);
        line
    }
}

/// A line's number and its cells, trimmed; or the line and what is wrong with it.
impl Iterator for Cells {
    type Item = Result<(u32, Vec<String>), (u32, String)>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut record = csv::StringRecord::new();
        loop {
            let line = self.line_of(self.reader.position().byte());
            match self.reader.read_record(&mut record) {
                Ok(false) => return None,
                Ok(true) => {}
                Err(error) => return Some(Err((line, error.to_string()))),
            }
            let cells: Vec<String> = record.iter().map(|cell| cell.trim().to_owned()).collect();
            // What spreadsheets leave behind the last row.
            if cells.iter().any(|cell| !cell.is_empty()) {
                return Some(Ok((line, cells)));
            }
        }
    }
}

/// What stands between cells: the one of three that the first line has most of.
fn delimiter_of(text: &str) -> u8 {
    let first = text.lines().next().unwrap_or_default();
    let count = |delimiter: u8| outside_quotes(first).filter(|(_, byte)| *byte == delimiter).count();
    let mut delimiter = b',';
    for other in [b';', b'\t'] {
        if count(other) > count(delimiter) {
            delimiter = other;
        }
    }
    delimiter
}

/// The bytes of a line that no quotes enclose, with their places.
fn outside_quotes(line: &str) -> impl Iterator<Item = (usize, u8)> {
    let mut quoted = false;
    line.bytes().enumerate().filter(move |(_, byte)| {
        quoted ^= *byte == b'"';
        !quoted
    })
}

/// Reads a map.
///
/// # Errors
/// All its mistakes.
pub fn read(file: &Path, text: &str) -> Result<Map, Vec<Mistake>> {
    let mut reader = Reading { file, text, columns: HashMap::new(), mistakes: Vec::new() };
    let rows = reader.rows();
    if !reader.mistakes.is_empty() {
        return Err(reader.mistakes);
    }
    let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Map { name, file: file.to_owned(), hash: ConfigHash::of([text]), rows })
}

struct Reading<'t> {
    file: &'t Path,
    text: &'t str,
    /// Where each column is.
    columns: HashMap<&'static str, usize>,
    mistakes: Vec<Mistake>,
}

impl Reading<'_> {
    fn rows(&mut self) -> Vec<Row> {
        let cells = match Cells::new(self.text) {
            Ok(cells) => cells,
            Err(why) => {
                self.wrong(1, "", why);
                return Vec::new();
            }
        };
        self.header(&cells.header);
        if !self.mistakes.is_empty() {
            return Vec::new();
        }
        let width = cells.header.len();
        let mut rows: Vec<Row> = Vec::new();
        let mut keys: HashMap<(String, Option<String>, Option<String>), u32> = HashMap::new();
        let mut panels: HashMap<String, (String, u32)> = HashMap::new();
        for (count, cells) in cells.enumerate() {
            if count >= MAX_ROWS {
                self.wrong(
                    0,
                    "",
                    format!("has more than the {MAX_ROWS} rows that a map may have; make two of it"),
                );
                break;
            }
            if self.mistakes.len() >= MAX_MISTAKES {
                self.wrong(0, "", format!("has more than the {MAX_MISTAKES} mistakes listed"));
                break;
            }
            let (line, cells) = match cells {
                Ok(cells) => cells,
                Err((line, why)) => {
                    self.wrong(line, "", format!("cannot be read: {why}"));
                    break;
                }
            };
            if cells.len() > width {
                let message = format!(
                    "{} cells stand here and the first line names {width} columns; a cell with the delimiter in it needs \
                     quotation marks around it",
                    cells.len()
                );
                self.wrong(line, "", message);
                continue;
            }
            let Some(row) = self.row(line, &cells) else { continue };
            let specimen = row.specimen.as_ref().map(|specimen| specimen.to_ascii_lowercase());
            let key = (row.code.clone(), specimen, row.unit.clone());
            if let Some(first) = keys.get(&key) {
                let same = rows
                    .iter()
                    .find(|other| other.line == *first)
                    .is_some_and(|other| other.loinc == row.loinc);
                let message = if same {
                    format!(
                        "{:?} with this specimen and unit is in line {first} already; each stands once",
                        row.code
                    )
                } else {
                    format!(
                        "{:?} with this specimen and unit has another LOINC code in line {first}, so nothing would say which; \
                         tell them apart by the columns specimen or unit, or take one out",
                        row.code
                    )
                };
                self.wrong(line, "code", message);
                continue;
            }
            if let Some(panel) = &row.panel {
                let known = panels.entry(panel.loinc.clone()).or_insert_with(|| (panel.name.clone(), line));
                if known.0 != panel.name {
                    let message =
                        format!("the panel {} has another name in line {}; write one", panel.loinc, known.1);
                    self.wrong(line, "panel_name", message);
                }
            }
            keys.insert(key, line);
            rows.push(row);
        }
        if rows.is_empty() && self.mistakes.is_empty() {
            self.wrong(0, "", "has no row".to_owned());
        }
        rows
    }

    fn header(&mut self, header: &[String]) {
        for (at, name) in header.iter().enumerate() {
            if name.is_empty() {
                continue;
            }
            match COLUMNS.iter().find(|known| known.eq_ignore_ascii_case(name)) {
                Some(known) if self.columns.contains_key(known) => {
                    self.wrong(1, known, "is there twice".to_owned());
                }
                Some(known) => {
                    self.columns.insert(known, at);
                }
                None => {
                    let livd = name.to_ascii_lowercase().starts_with("vendor ")
                        || name.to_ascii_lowercase().contains("loinc");
                    let hint = if livd { "; a LIVD file is read by: orugate map import" } else { "" };
                    let message =
                        format!("{name:?} is no column of a map; allowed are {}{hint}", COLUMNS.join(", "));
                    self.wrong(1, "", message);
                }
            }
        }
        for needed in NEEDED {
            if !self.columns.contains_key(needed) {
                let message =
                    format!("the column is missing; the first line names {} at least", NEEDED.join(", "));
                self.wrong(1, needed, message);
            }
        }
    }

    fn row(&mut self, line: u32, cells: &[String]) -> Option<Row> {
        let before = self.mistakes.len();
        let columns = self.columns.clone();
        let cell = |name: &str| columns.get(name).and_then(|at| cells.get(*at)).map_or("", String::as_str);
        for (name, at) in &columns {
            let text = cells.get(*at).map_or("", String::as_str);
            if text.chars().count() > MAX_CELL {
                self.wrong(line, name, format!("is longer than {MAX_CELL} characters"));
            } else if let Some(bad) = text.chars().find(|c| c.is_control()) {
                self.wrong(
                    line,
                    name,
                    format!("holds {bad:?}; allowed is text of one line without control characters"),
                );
            }
        }
        let code = cell("code");
        if code.is_empty() {
            self.wrong(line, "code", "is empty; write the instrument's code as OBX-3 has it".to_owned());
        }
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let loinc = self.loinc(line, "loinc", cell("loinc"));
        if cell("loinc").is_empty() {
            self.wrong(
                line,
                "loinc",
                "is empty; write a LOINC code such as 2345-7, or take the row out".to_owned(),
            );
        }
        let unit = some(cell("unit"));
        let expected = self.expected(line, cell("ucum"), unit.as_deref());
        let panel = match cell("panel") {
            "" if cell("panel_name").is_empty() => None,
            "" => {
                self.wrong(
                    line,
                    "panel",
                    "is empty, and panel_name is not; write the panel's LOINC code".to_owned(),
                );
                None
            }
            code => {
                Some(Panel { loinc: self.loinc(line, "panel", code), name: cell("panel_name").to_owned() })
            }
        };
        (self.mistakes.len() == before).then_some(())?;
        Some(Row {
            line,
            code: code.to_owned(),
            specimen: some(cell("specimen")),
            unit,
            loinc,
            name: cell("name").to_owned(),
            expected: expected?,
            panel,
        })
    }

    fn loinc(&mut self, line: u32, column: &str, code: &str) -> String {
        if !code.is_empty() && !is_loinc(code.as_bytes()) {
            let digits: String = code.split('-').next().unwrap_or_default().to_owned();
            let right =
                (0..10).map(|check| format!("{digits}-{check}")).find(|other| is_loinc(other.as_bytes()));
            let message = match right {
                Some(right) if code.contains('-') => format!(
                    "{code:?} is no LOINC code: its check digit is wrong ({right} would be one). Look it up again; a digit may be \
                     wrong elsewhere"
                ),
                _ => format!(
                    "{code:?} is no LOINC code; allowed are one to seven digits, a hyphen and the check digit, such as 2345-7. \
                     A spreadsheet may have made a date of it"
                ),
            };
            self.wrong(line, column, message);
        }
        code.to_owned()
    }

    fn expected(&mut self, line: u32, text: &str, sent: Option<&str>) -> Option<Expected> {
        let means = match text {
            "" => {
                let message = "is empty; write the UCUM unit that results of this row must have (mmol/L), 1 for a test without a \
                               unit, or * to compare nothing";
                self.wrong(line, "ucum", message.to_owned());
                return None;
            }
            "*" => return Some(Expected::Any),
            "1" => return Some(Expected::None),
            text => match Unit::read(text) {
                Ok(means) => means,
                Err(fault) => {
                    let hint =
                        probably(text).map(|ucum| format!("; did you mean {ucum}?")).unwrap_or_default();
                    self.wrong(
                        line,
                        "ucum",
                        format!("{text:?} is no UCUM unit: {}{hint}", Explained(text, fault)),
                    );
                    return None;
                }
            },
        };
        if let Some(sent) = sent
            && let Ok(other) = Unit::read(sent)
            && other != means
        {
            let hint = match probably(sent) {
                Some(ucum) => format!(
                    ". If the instrument means {ucum} by it, a profile of the site says so: [[unit]] sent = {sent:?}, ucum = {ucum:?}"
                ),
                None => ". No value is ever converted: write a row for the unit that comes, with the LOINC code of that unit".to_owned(),
            };
            let message = format!(
                "{text} is another unit than {sent}, which stands in the column unit, so every result would be held{hint}"
            );
            self.wrong(line, "ucum", message);
            return None;
        }
        Some(Expected::Unit { text: text.to_owned(), means })
    }

    /// Line 0 is the file as a whole.
    fn wrong(&mut self, line: u32, column: &str, message: String) {
        let number = self.columns.get(column).copied().unwrap_or(0);
        let position = (line > 0).then(|| {
            let text = self.text.strip_prefix('\u{FEFF}').unwrap_or(self.text);
            let line_text = text.lines().nth(line as usize - 1).unwrap_or_default();
            Position { line: line as usize, column: column_of(text, line_text, number) }
        });
        self.mistakes.push(Mistake {
            file: self.file.to_owned(),
            position,
            key: column.to_owned(),
            subject: String::new(),
            message,
            hint: None,
        });
    }
}

/// The character, from 1, at which a cell begins.
fn column_of(text: &str, line: &str, cell: usize) -> usize {
    let delimiter = delimiter_of(text);
    let start = match cell.checked_sub(1) {
        None => 0,
        Some(before) => outside_quotes(line)
            .filter(|(_, byte)| *byte == delimiter)
            .nth(before)
            .map_or(0, |(at, _)| at + 1),
    };
    line.get(..start).unwrap_or_default().chars().count() + 1
}
