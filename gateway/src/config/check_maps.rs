//! Maps: from `maps.d/*.csv` and `map = …` to [`Table`]s, and what only the two together tell.
//!
//! Promises that a row that would hold every result, or that no destination can read, is told before the first result comes.
//! Leaves out what one file says by itself (`maps::read`).

use super::check::Scope;
use super::file::{At, InstrumentFile};
use super::mistakes::{Findings, Mistake, Position};
use super::nearest::did_you_mean;
use super::plan::{DestinationPlan, InstrumentPlan};
use crate::maps::ucum::Unit;
use crate::maps::{Expected, MAX_MAPS, Map, Row, Table, is_name, read};
use orugate_driver::Profile;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// So many rows of a map are warned about one by one.
const WARNED: usize = 20;

/// The maps of a site.
#[derive(Debug, Default)]
pub(super) struct Maps {
    /// By name; nothing where the file has mistakes.
    list: Vec<(String, PathBuf, Option<Arc<Map>>)>,
}

impl Maps {
    /// Reads the site's files; what is wrong with them is told.
    pub(super) fn read(texts: &[(PathBuf, String)], out: &mut Findings) -> Self {
        let mut list = Vec::new();
        for (file, text) in texts {
            out.begin(file);
            let map = match read(file, text) {
                Ok(map) => Some(Arc::new(map)),
                Err(mistakes) => {
                    mistakes.into_iter().for_each(|mistake| out.wrong(mistake));
                    None
                }
            };
            let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            if !is_name(file) {
                let message = format!(
                    "{name:?} is no name for a map; allowed are 1 to 40 of a-z, 0-9 and hyphen before .csv"
                );
                out.wrong(in_file(file, None, "", message));
            }
            list.push((name, file.clone(), map));
        }
        Self { list }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|(name, ..)| name.as_str())
    }

    /// Tells of those that no instrument names.
    pub(super) fn unused(&self, instruments: &[InstrumentPlan], out: &mut Findings) {
        let used: BTreeSet<&Path> = instruments
            .iter()
            .filter_map(|instrument| instrument.table.as_ref())
            .flat_map(|table| table.maps.iter().map(|map| map.file.as_path()))
            .collect();
        for (name, file, map) in &self.list {
            if map.is_some() && !used.contains(file.as_path()) {
                let message = format!(
                    "no instrument names this map; write map = {name:?} at one, or take the file away"
                );
                out.warn(in_file(file, None, "", message));
            }
        }
    }
}

fn in_file(file: &Path, line: Option<u32>, column: &str, message: String) -> Mistake {
    let position = line.map(|line| Position { line: line as usize, column: 1 });
    let (file, key) = (file.to_owned(), column.to_owned());
    Mistake { file, position, key, subject: String::new(), message, hint: None }
}

/// The maps that an instrument names. `Err` when one of them cannot be had.
pub(super) fn table(
    typed: &InstrumentFile,
    scope: &Scope<'_>,
    maps: &Maps,
    out: &mut Findings,
) -> Result<Option<Arc<Table>>, ()> {
    let required = typed.require_map.as_ref().is_some_and(|required| required.value);
    let Some(names) = &typed.map else {
        if let Some(required) = typed.require_map.as_ref().filter(|required| required.value) {
            let message = "true, and no map is named: every result would be held; write map = \"NAME\" too";
            out.wrong(scope.at("require_map", required, message));
            return Err(());
        }
        return Ok(None);
    };
    let (mut chosen, mut complete): (Vec<Arc<Map>>, bool) = (Vec::new(), true);
    let typed_names = names.value.with_places(names.offset);
    if typed_names.is_empty() {
        out.wrong(scope.at("map", names, "is empty; write the name of a file in maps.d, or no key at all"));
        return Err(());
    }
    if typed_names.len() > MAX_MAPS {
        out.wrong(scope.at(
            "map",
            names,
            format!("names more than {MAX_MAPS} maps; make one of some of them"),
        ));
        return Err(());
    }
    for name in typed_names {
        let Some((_, _, map)) = maps.list.iter().find(|(known, ..)| *known == name.value) else {
            let known: Vec<&str> = maps.names().collect();
            let allowed = if known.is_empty() {
                "there is none: a map NAME is the file maps.d/NAME.csv beside the main file".to_owned()
            } else {
                format!("allowed are {}", known.join(", "))
            };
            let hint = did_you_mean(&name.value, known);
            out.wrong(
                scope.at("map", &name, format!("there is no map {:?}; {allowed}", name.value)).hint(hint),
            );
            complete = false;
            continue;
        };
        match map {
            Some(map) if chosen.iter().any(|other| other.name == map.name) => {
                out.wrong(scope.at("map", &name, format!("{:?} is named twice", name.value)));
            }
            Some(map) => chosen.push(map.clone()),
            // The file itself says what is wrong.
            None => complete = false,
        }
    }
    if complete { Ok(Some(Arc::new(Table::new(chosen, required)))) } else { Err(()) }
}

/// Tells of rows whose unit the profile's own table never gives: each such result would be held.
pub(super) fn units(
    table: &Table,
    profile: &dyn Profile,
    scope: &Scope<'_>,
    typed: &InstrumentFile,
    out: &mut Findings,
) {
    let mut told = 0usize;
    for map in &table.maps {
        for row in &map.rows {
            let Some(given) = disagrees(row, profile) else { continue };
            told += 1;
            if told <= WARNED {
                let message = format!(
                    "{:?} shall be in {}, and the profile's table gives {given} for it, so each result would be held; correct \
                     the one that is wrong",
                    row.code,
                    row.expected.words()
                );
                out.warn(in_file(&map.file, Some(row.line), "ucum", message));
            }
        }
        let open = map.rows.iter().filter(|row| row.expected == Expected::Any).count();
        if open > 0 {
            let message = format!(
                "{open} of {} rows say * for the unit, so a value in another unit goes out under the same LOINC code",
                map.rows.len()
            );
            out.warn(in_file(&map.file, None, "ucum", message));
        }
    }
    if let Some(names) = typed.map.as_ref().filter(|_| told > WARNED) {
        let message =
            format!("{} more rows expect another unit than the profile's table gives", told - WARNED);
        out.warn(scope.at("map", names, message));
    }
}

/// What the profile's table gives for a row's test, where that is never what the row expects.
fn disagrees(row: &Row, profile: &dyn Profile) -> Option<String> {
    // The table is by the code without its parts.
    let bare = row.code.split('/').next().unwrap_or(&row.code);
    let all = [row.code.as_str(), bare].map(|code| profile.units(code));
    let mut given: Vec<(&str, &str)> = all.into_iter().flatten().map(|unit| (unit.sent, unit.ucum)).collect();
    if let Some(sent) = &row.unit {
        given.retain(|(written, _)| written == sent);
        given.truncate(1);
    } else {
        // What is said for all tests says nothing about this one.
        let own = [row.code.as_str(), bare].map(|code| profile.units(code));
        given = own
            .into_iter()
            .flatten()
            .filter(|unit| unit.of_code)
            .map(|unit| (unit.sent, unit.ucum))
            .collect();
    }
    let agrees = |ucum: &str| match &row.expected {
        Expected::Any => true,
        Expected::None => ucum.is_empty() || Unit::read(ucum).is_ok_and(|unit| unit.is_one()),
        Expected::Unit { text, means } => ucum == text || Unit::read(ucum).is_ok_and(|unit| unit == *means),
    };
    let never = !given.is_empty() && !given.iter().any(|(_, ucum)| agrees(ucum));
    let shown = |ucum: &str| if ucum.is_empty() { "no unit".to_owned() } else { ucum.to_owned() };
    never.then(|| given.first().map(|(_, ucum)| shown(ucum))).flatten()
}

/// A name that a destination cannot read would park every ORU with it.
pub(super) fn charsets(instruments: &[InstrumentPlan], destinations: &[DestinationPlan], out: &mut Findings) {
    let mut told = BTreeSet::new();
    for instrument in instruments {
        let Some(table) = &instrument.table else { continue };
        for destination in instrument.send_to.iter().filter_map(|index| destinations.get(*index)) {
            let lacks =
                |text: &str| text.chars().find(|c| destination.charset.encode(*c, &mut [0; 4]).is_none());
            for map in &table.maps {
                for row in &map.rows {
                    let panel = row.panel.as_ref().map_or("", |panel| panel.name.as_str());
                    for (column, text) in [("name", row.name.as_str()), ("panel_name", panel)] {
                        let Some(bad) = lacks(text) else { continue };
                        if told.insert((map.file.clone(), row.line, column)) {
                            let message = format!(
                                "holds {bad:?}, which the charset of destination {:?} ({}) does not have, so every such result \
                                 would wait parked; write it otherwise",
                                destination.name,
                                destination.charset.msh_18()
                            );
                            out.wrong(in_file(&map.file, Some(row.line), column, message));
                        }
                    }
                }
            }
        }
    }
}

impl super::file::Names {
    /// Each name with its place; a single one stands where the key's value stands.
    fn with_places(&self, offset: usize) -> Vec<At<String>> {
        match self {
            Self::One(name) => vec![At { value: name.clone(), offset }],
            Self::More(names) => names.clone(),
        }
    }
}
