//! Commands about maps: what is decided for an instrument's codes, and a manufacturer's LIVD table as a map.

use super::journal::{self, At, Stop};
use super::profile::Site;
use super::service;
use crate::config::{self, InstrumentPlan};
use crate::maps::import::{self, Import, MAX_FILE};
use crate::maps::seen::{Kind, Seen};
use crate::maps::{self, Expected, Mapped, Row, Table};
use crate::records::{Chunk, Meta as _};
use crate::replay::Message;
use orugate_driver::Profile;
use orugate_drivers::Catalogue;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const REFUSED: u8 = 1;
const USAGE: u8 = 64;
const NO_MESSAGE: u8 = 65;
const IO: u8 = 74;
const CONFIG: u8 = 78;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// Show which row of which map decides for each code of an instrument
    ///
    /// For the codes of its profile's examples, with --journal also those that came, and for all other rows. Shows no
    /// patient data.
    Show {
        /// The instrument, by its name in the configuration
        instrument: String,
        /// The codes that came too, from the journal of the configuration; the service may run
        #[arg(long)]
        journal: bool,
        #[command(flatten)]
        at: At,
    },
    /// Make a map of a manufacturer's LIVD table (CSV), and say what was taken, what is ambiguous and what is missing
    ///
    /// Of several LOINC codes for one key none is taken. A unit is taken where the file has one in UCUM; where it has none,
    /// orugate check says which lines to fill. docs/maps.md leads through it.
    Import {
        /// The table, saved as CSV in UTF-8; - is standard input
        file: PathBuf,
        /// The profile of the instrument: which codes its examples have
        #[arg(long, value_name = "NAME")]
        profile: String,
        /// The new map, such as maps.d/chemistry.csv [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Write over a file that is there
        #[arg(long, requires = "out")]
        force: bool,
        /// Only rows of this model, as the table's column Model has it
        #[arg(long, value_name = "MODEL")]
        model: Option<String>,
        /// What the instrument writes for a specimen of the table: "Urine=UR"; "Serum or Plasma=" for any, "Urine=-" to leave out
        #[arg(long = "specimen", value_name = "TEXT=SENT", value_parser = specimen)]
        specimens: Vec<(String, String)>,
        /// The codes that came too, from the journal of the configuration, of instruments with this profile
        #[arg(long)]
        journal: bool,
        #[command(flatten)]
        at: At,
    },
}

fn specimen(typed: &str) -> Result<(String, String), String> {
    let (text, sent) = typed.rsplit_once('=').ok_or("write TEXT=SENT, such as \"Urine=UR\"")?;
    Ok((text.trim().to_owned(), sent.trim().to_owned()))
}

pub(super) fn run(catalogue: &Catalogue, configuration: &Path, action: &Action) -> u8 {
    let done = match action {
        Action::Show { instrument, journal, at } => {
            show(catalogue, configuration, instrument, (*journal || at.is_given()).then_some(at))
        }
        Action::Import { file, profile, out, force, model, specimens, journal, at } => {
            let asked = import::Asked { model: model.clone(), specimens: specimens.clone() };
            let seen = seen_of(catalogue, configuration, profile, (*journal || at.is_given()).then_some(at));
            seen.and_then(|seen| import_file(file, &asked, &seen, out.as_deref(), *force))
        }
    };
    match done {
        Ok(code) | Err(code) => code,
    }
}

/// The maps that a person names, as an instrument would have them; each by its name in `maps.d`, or its file.
pub(super) fn table(configuration: &Path, maps: &[String], required: bool) -> Result<Option<Arc<Table>>, u8> {
    if maps.is_empty() {
        return Ok(None);
    }
    let main = config::main_file(configuration);
    let folder = main.parent().unwrap_or(Path::new("")).join(maps::FOLDER);
    let mut read = Vec::new();
    for typed in maps {
        let is_file = typed.contains('/') || Path::new(typed).extension().is_some();
        let file = if is_file { PathBuf::from(typed) } else { folder.join(format!("{typed}.csv")) };
        let text = config::read_text(&file).map_err(|error| {
            eprintln!("There is no map {typed}: {} cannot be read: {error}.", file.display());
            USAGE
        })?;
        let map = maps::read(&file, &text).map_err(|mistakes| {
            mistakes.iter().for_each(|mistake| eprintln!("{mistake}"));
            CONFIG
        })?;
        read.push(Arc::new(map));
    }
    Ok(Some(Arc::new(Table::new(read, required))))
}

/// What instruments with a profile send: by its examples, and by the journal when that is asked for.
fn seen_of(catalogue: &Catalogue, configuration: &Path, profile: &str, at: Option<&At>) -> Result<Seen, u8> {
    let site = Site::of(catalogue, configuration);
    let found = site.profile(profile).map_err(|why| {
        eprintln!("{why}");
        USAGE
    })?;
    let mut seen = Seen::default();
    seen.examples(&*found.profile);
    if let Some(at) = at {
        let plan = service::load_configured(catalogue, configuration)?.plan;
        let names: BTreeSet<&str> = plan
            .instruments
            .iter()
            .filter(|i| i.profile_name == found.common().name)
            .map(|i| &*i.name)
            .collect();
        if names.is_empty() {
            eprintln!(
                "No instrument of the configuration has the profile {}; the journal tells nothing.",
                found.common().name
            );
        }
        came(catalogue, configuration, at, &*found.profile, &names, &mut seen)?;
    }
    Ok(seen)
}

/// Adds what the journal has of these instruments.
fn came(
    catalogue: &Catalogue,
    configuration: &Path,
    at: &At,
    profile: &dyn Profile,
    instruments: &BTreeSet<&str>,
    seen: &mut Seen,
) -> Result<(), u8> {
    let opened = journal::open(catalogue, configuration, at)?;
    let interpreter = profile.interpreter();
    let mut open: BTreeMap<u64, Message> = BTreeMap::new();
    let walked = opened.walk(&mut |commit| {
        for record in commit.records.iter().filter(|record| !commit.void && record.kind.0 == Chunk::KIND) {
            let Some(chunk) = Chunk::decode(record.meta_version, record.meta) else { continue };
            if !instruments.contains(&*chunk.instrument) {
                continue;
            }
            let message = open.entry(chunk.message).or_default();
            message.raw.extend_from_slice(record.payload);
            message.chunk_ends.push(u32::try_from(message.raw.len()).unwrap_or(u32::MAX));
            if let Some(end) = chunk.end
                && let Some(mut message) = open.remove(&chunk.message)
            {
                message.complete = end;
                seen.message(&*interpreter, &message);
            }
        }
    });
    match walked {
        Ok(_) => Ok(()),
        Err(error) => Err(journal::ended(Err(Stop::from(error)))),
    }
}

fn show(catalogue: &Catalogue, configuration: &Path, name: &str, at: Option<&At>) -> Result<u8, u8> {
    let plan = service::load_configured(catalogue, configuration)?.plan;
    let Some(instrument) = plan.instruments.iter().find(|instrument| instrument.name == name) else {
        let names: Vec<&str> = plan.instruments.iter().map(|instrument| &*instrument.name).collect();
        eprintln!("There is no instrument {name}. There are: {}.", names.join(", "));
        return Err(USAGE);
    };
    let mut seen = Seen::default();
    seen.examples(&*instrument.profile);
    if let Some(at) = at {
        came(catalogue, configuration, at, &*instrument.profile, &BTreeSet::from([name]), &mut seen)?;
    }
    print!("{}", page(instrument, &seen));
    Ok(0)
}

/// One line for each kind of result that was seen, then the rows that none of them found.
fn page(instrument: &InstrumentPlan, seen: &Seen) -> String {
    let mut out = String::new();
    let Some(table) = &instrument.table else {
        let _ = writeln!(
            out,
            "{} has no map: its results go out with its own codes. A map is a file maps.d/NAME.csv, named by map = \"NAME\" \
             (docs/maps.md).",
            instrument.name
        );
        return out;
    };
    for (nth, map) in table.maps.iter().enumerate() {
        let asked = if nth == 0 { "asked first" } else { "then" };
        let _ = writeln!(
            out,
            "{asked}: map {}, {} rows, {}, hash {}",
            map.name,
            map.rows.len(),
            map.file.display(),
            map.hash
        );
    }
    let lines: Vec<[String; 5]> = seen.telling().map(|(kind, _)| line(table, kind)).collect();
    let mut found: BTreeSet<(String, u32)> = BTreeSet::new();
    for (kind, _) in seen.telling() {
        if let Mapped::Row(place) | Mapped::OtherUnit(place) = kind.in_table(table)
            && let (Some(map), Some(row)) = (table.map_of(place), table.row(place))
        {
            found.insert((map.name.clone(), row.line));
        }
    }
    let _ = writeln!(out, "\nSeen of {} (profile {}):", instrument.name, instrument.profile_name);
    columns(&mut out, ["code", "specimen", "unit", "decided by", "OBX-3"], lines);
    let others = table.maps.iter().flat_map(|map| map.rows.iter().map(move |row| (map, row)));
    let others = others.filter(|(map, row)| !found.contains(&(map.name.clone(), row.line)));
    let others: Vec<[String; 5]> = others.map(|(map, row)| unseen(&map.name, row)).collect();
    if !others.is_empty() {
        let _ = writeln!(out, "\nOther rows:");
        columns(&mut out, ["code", "specimen", "unit", "row", "OBX-3"], others);
    }
    let count = |wanted: fn(&Mapped) -> bool| {
        seen.telling().filter(|(kind, _)| wanted(&kind.in_table(table))).count()
    };
    let missing = count(|mapped| *mapped == Mapped::Missing);
    let differing = count(|mapped| matches!(mapped, Mapped::OtherUnit(_)));
    let rule = if table.required { "waits for a person (require_map)" } else { "goes out with its own code" };
    let _ = writeln!(
        out,
        "\n{missing} of these have no row; such a result {rule}. {differing} would be held for their unit."
    );
    out
}

fn dash(text: &str) -> String {
    if text.is_empty() {
        "-".to_owned()
    } else {
        text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
    }
}

fn line(table: &Table, kind: &Kind) -> [String; 5] {
    let unit = if kind.measured { dash(kind.sent()) } else { "(no value)".to_owned() };
    let (by, what) = match kind.in_table(table) {
        Mapped::Row(place) => {
            let what = table.row(place).map(|row| format!("{} {}", row.loinc, row.name)).unwrap_or_default();
            (table.place_words(place), what)
        }
        Mapped::OtherUnit(place) => {
            let expects = table.row(place).map(|row| row.expected.words().to_owned()).unwrap_or_default();
            (table.place_words(place), format!("HELD unit-differs: {expects} is expected"))
        }
        Mapped::Missing if table.required => ("no row".to_owned(), "HELD unmapped-code".to_owned()),
        Mapped::Missing | Mapped::Off => ("no row".to_owned(), "its own code".to_owned()),
    };
    [dash(&kind.code), dash(&kind.specimen), unit, by, what]
}

fn unseen(map: &str, row: &Row) -> [String; 5] {
    let expects = match &row.expected {
        Expected::Unit { text, .. } => text.clone(),
        other => other.words().to_owned(),
    };
    let of = |text: &Option<String>| text.as_deref().map_or_else(|| "any".to_owned(), dash);
    [
        dash(&row.code),
        of(&row.specimen),
        of(&row.unit),
        format!("{map} line {}", row.line),
        format!("{} {} in {expects}", row.loinc, row.name),
    ]
}

fn columns(out: &mut String, header: [&str; 5], lines: Vec<[String; 5]>) {
    let all: Vec<[String; 5]> = std::iter::once(header.map(str::to_owned)).chain(lines).collect();
    let width = |at: usize| {
        all.iter().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths = [0, 1, 2, 3].map(width);
    for line in &all {
        let mut text = String::new();
        for (at, cell) in line.iter().enumerate() {
            let pad = widths.get(at).map_or(0, |width| width.saturating_sub(cell.chars().count()) + 2);
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', pad));
        }
        let _ = writeln!(out, "  {}", text.trim_end());
    }
}

fn import_file(
    file: &Path,
    asked: &import::Asked,
    seen: &Seen,
    out: Option<&Path>,
    force: bool,
) -> Result<u8, u8> {
    if let Some(out) = out.filter(|out| !maps::is_name(out)) {
        eprintln!(
            "{} would be read by nobody: an instrument names a map by its file's name, 1 to 40 of a-z, 0-9 and hyphen before \
             .csv, such as maps.d/chemistry.csv.",
            out.display()
        );
        return Err(USAGE);
    }
    let text = read(file).map_err(|why| {
        let name = if file == Path::new("-") { "Standard input".into() } else { file.display().to_string() };
        eprintln!("{name}: {why}");
        IO
    })?;
    let import = import::import(&text, asked, seen).map_err(|why| {
        eprintln!("{why}");
        NO_MESSAGE
    })?;
    for line in import.report() {
        eprintln!("{line}");
    }
    if import.taken.is_empty() {
        eprintln!("Nothing was taken, so nothing was written.");
        return Ok(REFUSED);
    }
    write(&import, out, force)
}

fn write(import: &Import, out: Option<&Path>, force: bool) -> Result<u8, u8> {
    let text = import.csv().map_err(|why| {
        eprintln!("The map could not be made: {why}.");
        IO
    })?;
    let wrote = match out {
        None => std::io::stdout().write_all(text.as_bytes()),
        Some(file) if force => std::fs::write(file, &text),
        Some(file) => std::fs::File::create_new(file).and_then(|mut file| file.write_all(text.as_bytes())),
    };
    match (wrote, out) {
        (Ok(()), Some(file)) => {
            eprintln!(
                "The map is in {}. Next: read it line by line against the analyzer's list, name it at the instrument (map = \
                 {:?}), then orugate check and orugate plan.",
                file.display(),
                file.file_stem().unwrap_or_default().to_string_lossy()
            );
            Ok(0)
        }
        (Ok(()), None) => Ok(0),
        (Err(error), Some(file)) if error.kind() == ErrorKind::AlreadyExists => {
            eprintln!(
                "{} is there already, perhaps with somebody's work in it. Nothing was written; --force writes over it.",
                file.display()
            );
            Err(REFUSED)
        }
        (Err(error), file) => {
            let name = file.map_or_else(|| "standard output".to_owned(), |file| file.display().to_string());
            eprintln!("{name} cannot be written: {error}.");
            Err(IO)
        }
    }
}

fn read(file: &Path) -> std::io::Result<String> {
    let source: Box<dyn std::io::Read> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(file)?)
    };
    let mut bytes = Vec::new();
    source.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(std::io::Error::new(ErrorKind::FileTooLarge, "it is larger than 16 MiB"));
    }
    if bytes.starts_with(b"PK\x03\x04") {
        let why = "this is a spreadsheet itself; save it as CSV in UTF-8";
        return Err(std::io::Error::new(ErrorKind::InvalidData, why));
    }
    String::from_utf8(bytes).map_err(|_| {
        std::io::Error::new(
            ErrorKind::InvalidData,
            "it holds a byte that is not UTF-8; save it as CSV in UTF-8",
        )
    })
}
