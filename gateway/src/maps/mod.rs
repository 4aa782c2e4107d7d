//! Maps: which LOINC code, name, unit and panel a site's data give to an instrument's own test codes.
//!
//! A map is a CSV file, `maps.d/NAME.csv` beside the configuration, and an instrument names those that hold for it. One rule
//! decides, and [`Table::find`] is its only place: the first map of the instrument's list that has a row that fits; in one map
//! the row that names the specimen before one that names only the unit, and that before one that names neither. Fits means:
//! the code as OBX-3 has it and the unit as it was sent, character by character; the specimen as it was sent, capitals aside.
//!
//! Promises: a look-up allocates nothing; what a map says is never part of a result's identity. Leaves out LOINC itself: no
//! table of it is shipped, so a code that is well-formed and wrong is not found here.

pub mod change;
pub mod import;
mod read;
pub mod seen;
pub mod ucum;

pub use read::{COLUMNS, Cells, MAX_ROWS, NEEDED, read};

use crate::config::ConfigHash;
use orugate_protocol::oru::Mapped as Written;
use orugate_protocol::text::Text;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use ucum::Unit;

/// The folder of a site's maps, beside its configuration.
pub const FOLDER: &str = "maps.d";
/// An instrument names at most so many.
pub const MAX_MAPS: usize = 8;

/// Whether instruments can name a map by this file: 1 to 40 of a-z, 0-9 and hyphen before `.csv`.
#[must_use]
pub fn is_name(file: &Path) -> bool {
    let name = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let named = (1..=40).contains(&name.len()) && name.bytes().all(fits);
    named && file.extension().is_some_and(|extension| extension == "csv")
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// By which instruments name it: the file's name without `.csv`.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// Of its text.
    pub hash: ConfigHash,
    /// In the order of the file.
    pub rows: Vec<Row>,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its line in the file, from 1.
    pub line: u32,
    /// The instrument's code, as OBX-3 has it.
    pub code: String,
    /// The specimen for which it holds, as it is sent; `None` for any.
    pub specimen: Option<String>,
    /// The unit for which it holds, as it is sent; `None` for any.
    pub unit: Option<String>,
    /// LOINC code, well-formed and with its check digit.
    pub loinc: String,
    /// OBX-3.2; empty where the instrument's name goes.
    pub name: String,
    /// What OBX-6 must mean.
    pub expected: Expected,
    /// What OBR-4 is when all results of an order say so.
    pub panel: Option<Panel>,
}

/// A panel of tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panel {
    /// LOINC code.
    pub loinc: String,
    /// OBR-4.2; may be empty.
    pub name: String,
}

/// What a row says of the unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// `*`: it is not compared.
    Any,
    /// `1`: there is none.
    None,
    /// It means this.
    Unit {
        /// As it was typed, in UCUM.
        text: String,
        /// What it means.
        means: Unit,
    },
}

impl Expected {
    /// As it is typed.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Any => "*",
            Self::None => "1",
            Self::Unit { text, .. } => text,
        }
    }

    /// As people say it.
    #[must_use]
    pub fn words(&self) -> &str {
        match self {
            Self::Any => "any unit",
            Self::None => "no unit",
            Self::Unit { text, .. } => text,
        }
    }
}

impl Row {
    /// The row itself says what a unit means that is no UCUM.
    #[must_use]
    pub fn declares_unit(&self) -> bool {
        self.unit.as_ref().is_some_and(|unit| Unit::read(unit).is_err())
    }

    /// Whether the unit of a result is what this row expects.
    fn agrees(&self, unit: &Text<'_>, as_sent: &Text<'_>) -> bool {
        let means = || unit.as_printable_ascii().and_then(|text| Unit::read(text).ok());
        match &self.expected {
            Expected::Any => true,
            Expected::None => unit.is_empty() || means().is_some_and(|means| means.is_one()),
            Expected::Unit { text, means: wanted } => {
                unit.reads(text)
                    || means().is_some_and(|means| means == *wanted)
                    // The profile's table knows better than the row where it says anything.
                    || (as_sent.is_empty() && self.declares_unit())
            }
        }
    }

    /// How much of a result it names: what decides between rows that fit.
    fn exactness(&self) -> u8 {
        u8::from(self.specimen.is_some()) * 2 + u8::from(self.unit.is_some())
    }
}

/// The maps of one instrument, ready to be asked.
#[derive(Debug)]
pub struct Table {
    /// In the order in which they are asked.
    pub maps: Vec<Arc<Map>>,
    /// Results without a row wait for a person.
    pub required: bool,
    /// The rows of each code, the one that is asked first first.
    rows: HashMap<Box<str>, Box<[Place]>>,
}

/// A row's place in a [`Table`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    map: u16,
    row: u32,
}

/// What a table says of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mapped {
    /// The instrument has no map.
    #[default]
    Off,
    /// No row is for it.
    Missing,
    /// This row is.
    Row(Place),
    /// This row is, but its unit is another one.
    OtherUnit(Place),
}

/// What of a result a row is found by.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The code as OBX-3 has it.
    pub code: &'a str,
    /// The specimen as it was sent; empty for none.
    pub specimen: &'a str,
    /// The unit as OBX-6 has it.
    pub unit: Text<'a>,
    /// What the instrument wrote where the profile's table gave the unit.
    pub unit_as_sent: Text<'a>,
    /// It has a value, so that a unit belongs to it.
    pub measured: bool,
}

impl Table {
    /// Of maps in the order in which they are asked.
    #[must_use]
    pub fn new(maps: Vec<Arc<Map>>, required: bool) -> Self {
        let mut rows: HashMap<Box<str>, Vec<Place>> = HashMap::new();
        for (map, of) in (0u16..).zip(&maps) {
            for (row, at) in of.rows.iter().zip(0u32..) {
                rows.entry(row.code.as_str().into()).or_default().push(Place { map, row: at });
            }
        }
        let order = |place: &Place| {
            let row = maps.get(usize::from(place.map)).and_then(|map| map.rows.get(place.row as usize));
            (place.map, std::cmp::Reverse(row.map_or(0, Row::exactness)), place.row)
        };
        let rows = rows.into_iter().map(|(code, mut places)| {
            places.sort_by_key(order);
            (code, places.into_boxed_slice())
        });
        let rows = rows.collect();
        Self { maps, required, rows }
    }

    /// The row for a result.
    #[must_use]
    pub fn find(&self, asked: &Asked<'_>) -> Mapped {
        let Some(places) = self.rows.get(asked.code) else { return Mapped::Missing };
        let as_sent = if asked.unit_as_sent.is_empty() { &asked.unit } else { &asked.unit_as_sent };
        let of_specimen = |row: &Row| {
            row.specimen.as_ref().is_none_or(|specimen| specimen.eq_ignore_ascii_case(asked.specimen))
        };
        let mut near = None;
        for place in places {
            let Some(row) = self.row(*place).filter(|row| of_specimen(row)) else { continue };
            if asked.measured && row.unit.as_ref().is_some_and(|unit| !as_sent.reads(unit)) {
                near = near.or(Some(*place));
                continue;
            }
            let agrees = !asked.measured || row.agrees(&asked.unit, &asked.unit_as_sent);
            return if agrees { Mapped::Row(*place) } else { Mapped::OtherUnit(*place) };
        }
        // The test is known and its unit is none of those that were expected.
        near.map_or(Mapped::Missing, Mapped::OtherUnit)
    }

    /// A row.
    #[must_use]
    pub fn row(&self, place: Place) -> Option<&Row> {
        self.map_of(place)?.rows.get(place.row as usize)
    }

    /// The map of a row.
    #[must_use]
    pub fn map_of(&self, place: Place) -> Option<&Arc<Map>> {
        self.maps.get(usize::from(place.map))
    }

    /// `FILE line N`, for people.
    #[must_use]
    pub fn place_words(&self, place: Place) -> String {
        let (Some(map), Some(row)) = (self.map_of(place), self.row(place)) else { return String::new() };
        let file =
            map.file.file_name().map_or_else(|| map.name.clone(), |f| f.to_string_lossy().into_owned());
        format!("{file} line {}", row.line)
    }

    /// What a row makes of OBX-3.
    #[must_use]
    pub fn test(&self, place: Place) -> Option<Written<'_>> {
        self.row(place).map(|row| Written { loinc: &row.loinc, name: &row.name })
    }

    /// What a row makes of OBR-4.
    #[must_use]
    pub fn panel(&self, place: Place) -> Option<Written<'_>> {
        let panel = self.row(place)?.panel.as_ref()?;
        Some(Written { loinc: &panel.loinc, name: &panel.name })
    }

    /// Name and hash of each map, as outcomes have them.
    #[must_use]
    pub fn provenance(&self) -> Vec<(String, String)> {
        self.maps.iter().map(|map| (map.name.clone(), map.hash.to_string())).collect()
    }

    /// All codes that have a row.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.rows.keys().map(|code| &**code)
    }

    /// The rows of a code, the one that is asked first first.
    #[must_use]
    pub fn places(&self, code: &str) -> &[Place] {
        self.rows.get(code).map_or(&[], |places| places)
    }
}

#[cfg(test)]
mod tests;
