//! What the codes mean: the tables of `data/*.csv`, read once.
//!
//! Promises: a row is found by command page, code and the device's dialect; a code whose meaning depends on a dialect that is
//! not known has none. The rows stand for ever, so report items can borrow from them. `data/README.md` says where each comes
//! from and what the columns are. Leaves out what becomes of them in a report.

use orugate_protocol::ascii::hex_value;
use orugate_protocol::mdc;
use std::sync::LazyLock;

/// Which of the two families of code tables a device uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
pub enum Dialect {
    /// MEDIBUS, up to the Evita XL.
    #[serde(rename = "medibus")]
    Classic,
    /// MEDIBUS.X.
    #[serde(rename = "medibus-x")]
    X,
}

/// The part of the device that something is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Ventilation,
    Gas,
    Saturation,
    BloodPressure,
    Ecg,
    Temperature,
    /// None that is known.
    Other,
}

impl Part {
    pub(crate) const ALL: [Self; 7] = [
        Self::Ventilation,
        Self::Gas,
        Self::Saturation,
        Self::BloodPressure,
        Self::Ecg,
        Self::Temperature,
        Self::Other,
    ];

    /// The MDC code of its VMD; 0 where none is proven. 70002 and 69650 are those of the MEDIBUS.X table, the others those of
    /// messages that were seen.
    pub(crate) const fn mdc(self) -> u32 {
        match self {
            Self::Ventilation => 70_002,
            Self::Gas => 69_650,
            Self::Saturation => 69_642,
            Self::BloodPressure => 69_854,
            Self::Ecg => 69_798,
            Self::Temperature => 69_902,
            Self::Other => 0,
        }
    }

    /// Its place in the device, the same for ever; 0: it is of the device itself.
    pub(crate) const fn place(self) -> u16 {
        match self {
            Self::Ventilation => 1,
            Self::Gas => 2,
            Self::Saturation => 3,
            Self::BloodPressure => 4,
            Self::Ecg => 5,
            Self::Temperature => 6,
            Self::Other => 0,
        }
    }

    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "vent" => Self::Ventilation,
            "gas" => Self::Gas,
            "sat" => Self::Saturation,
            "bp" => Self::BloodPressure,
            "ecg" => Self::Ecg,
            "temp" => Self::Temperature,
            "" => Self::Other,
            _ => return None,
        })
    }
}

/// A table of codes; the command that asks says which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    Measured1,
    Measured2,
    Settings,
    Texts,
    Alarms1,
    Alarms2,
    /// No public table knows its codes.
    Alarms3,
}

impl Table {
    /// The place of a code among all of its part, the same for ever and from 1 on.
    pub(crate) const fn place(self, code: u8) -> u16 {
        let table = match self {
            Self::Measured1 => 0u16,
            Self::Measured2 => 1,
            Self::Settings => 2,
            Self::Alarms1 => 3,
            Self::Alarms2 => 4,
            Self::Alarms3 => 5,
            Self::Texts => 6,
        };
        // At most 7 times 256.
        (table << 8 | code as u16).saturating_add(1)
    }

    const fn of(command: u8) -> Option<Self> {
        Some(match command {
            0x24 => Self::Measured1,
            0x2B => Self::Measured2,
            0x29 => Self::Settings,
            0x2A => Self::Texts,
            0x27 => Self::Alarms1,
            0x2E => Self::Alarms2,
            0x23 => Self::Alarms3,
            _ => return None,
        })
    }
}

/// What a code means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) table: Table,
    pub(crate) code: u8,
    dialect: Option<Dialect>,
    pub(crate) part: Part,
    pub(crate) name: &'static str,
    /// Empty when there is none, or none is known.
    pub(crate) unit: &'static str,
    /// As the source has it; 0 when there is none.
    mdc: u32,
    /// As the source has it; 0 when there is none.
    mdc_unit: u32,
    /// Measured now and then.
    pub(crate) once: bool,
    /// Of a text: the mode in which the device works.
    pub(crate) mode: bool,
}

impl Row {
    /// The MDC code that can be sent: one that the MDC table has, which no private number is.
    pub(crate) fn term(&self) -> u32 {
        mdc::term(self.mdc).map_or(0, |term| term.code)
    }

    /// The MDC code of its unit.
    pub(crate) fn unit_code(&self) -> u32 {
        mdc::unit(self.mdc_unit).map_or(0, |unit| unit.code)
    }
}

/// A device of which the number is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// As it says it: `8240`.
    pub id: &'static str,
    /// What it is called.
    pub model: &'static str,
    /// How it speaks.
    pub dialect: Dialect,
    /// The MDC code of what it is; 0 when none is proven.
    pub mds: u32,
    /// How its line is set when nobody set it otherwise, in words; empty when nobody says so.
    pub line: &'static str,
}

const MEASURED: &str = include_str!("../data/measured.csv");
const SETTINGS: &str = include_str!("../data/settings.csv");
const TEXTS: &str = include_str!("../data/texts.csv");
const ALARMS: &str = include_str!("../data/alarms.csv");
const DEVICES: &str = include_str!("../data/devices.csv");

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let mut rows: Vec<Row> = lines(MEASURED).filter_map(measured).collect();
    rows.extend(lines(SETTINGS).filter_map(setting));
    rows.extend(lines(TEXTS).filter_map(text));
    rows.extend(lines(ALARMS).filter_map(alarm));
    rows.sort_by_key(|row| (row.table, row.code));
    rows
});

static FOUND: LazyLock<Vec<Device>> = LazyLock::new(|| lines(DEVICES).filter_map(device).collect());

/// Two digits of each code behind each command, as a report names a vendor's code: `24:EB`.
static NAMES: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let codes = COMMANDS.iter().flat_map(|command| (0..=255u8).map(move |code| (command, code)));
    codes.flat_map(|(command, code)| format!("{command:02X}:{code:02X}").into_bytes()).collect()
});
const COMMANDS: [u8; 7] = [0x23, 0x24, 0x27, 0x29, 0x2A, 0x2B, 0x2E];

/// All devices whose number is known.
pub fn devices() -> &'static [Device] {
    &FOUND
}

/// The device of this number.
pub(crate) fn device_of(id: &[u8]) -> Option<&'static Device> {
    FOUND.iter().find(|device| device.id.as_bytes() == id)
}

/// Reads the tables, so that nobody who may not allocate reads them first.
pub(crate) fn load() {
    LazyLock::force(&ROWS);
    LazyLock::force(&FOUND);
    LazyLock::force(&NAMES);
}

/// The place of what a command's answer has behind a code.
pub(crate) fn place(command: u8, code: u8) -> u16 {
    Table::of(command).map_or(0, |table| table.place(code))
}

/// What a code in a command's answer means to a device of this dialect.
pub(crate) fn meaning(command: u8, code: u8, dialect: Option<Dialect>) -> Option<&'static Row> {
    find(Table::of(command)?, code, dialect)
}

/// Whether a code in a command's answer is of something that is measured now and then, to any device.
pub(crate) fn is_once(command: u8, code: u8) -> bool {
    [Dialect::Classic, Dialect::X]
        .iter()
        .any(|dialect| meaning(command, code, Some(*dialect)).is_some_and(|row| row.once))
}

fn find(table: Table, code: u8, dialect: Option<Dialect>) -> Option<&'static Row> {
    let at = ROWS.partition_point(|row| (row.table, row.code) < (table, code));
    let same =
        ROWS.get(at..).unwrap_or_default().iter().take_while(|row| (row.table, row.code) == (table, code));
    same.into_iter().find(|row| row.dialect.is_none() || row.dialect == dialect)
}

/// The vendor's code as a report names it: the command that asks for it, a colon, its two digits. Empty for a command that
/// has no codes.
pub(crate) fn code_name(command: u8, code: u8) -> &'static str {
    let Some(at) = COMMANDS.iter().position(|known| *known == command) else { return "" };
    let start = at.saturating_mul(256).saturating_add(code.into()).saturating_mul(5);
    let name = NAMES.get(start..start.saturating_add(5)).unwrap_or_default();
    std::str::from_utf8(name).unwrap_or_default()
}

/// The lines of a table behind its heading.
fn lines(csv: &'static str) -> impl Iterator<Item = &'static str> {
    csv.lines().skip(1)
}

fn cells<const N: usize>(line: &'static str) -> Option<[&'static str; N]> {
    let mut cells = [""; N];
    let mut parts = line.split(',');
    for cell in &mut cells {
        *cell = parts.next()?;
    }
    if parts.next().is_some() { None } else { Some(cells) }
}

fn measured(line: &'static str) -> Option<Row> {
    let [page, code, dialect, part, name, unit, mdc, mdc_unit, taken, _, _] = cells(line)?;
    let table = match page {
        "1" => Table::Measured1,
        "2" => Table::Measured2,
        _ => return None,
    };
    let once = match taken {
        "" => false,
        "once" => true,
        _ => return None,
    };
    quantity(table, code, dialect, part, name, unit, [mdc, mdc_unit], once)
}

fn setting(line: &'static str) -> Option<Row> {
    let [code, dialect, part, name, unit, mdc, mdc_unit, _, _] = cells(line)?;
    quantity(Table::Settings, code, dialect, part, name, unit, [mdc, mdc_unit], false)
}

#[allow(clippy::too_many_arguments)] // The columns of a line.
fn quantity(
    table: Table,
    code: &str,
    dialect: &str,
    part: &str,
    name: &'static str,
    unit: &'static str,
    mdc: [&str; 2],
    once: bool,
) -> Option<Row> {
    let dialect = match dialect {
        "" => None,
        "x" => Some(Dialect::X),
        "classic" => Some(Dialect::Classic),
        _ => return None,
    };
    let [mdc, mdc_unit] = mdc.map(number);
    Some(Row {
        table,
        code: hex(code)?,
        dialect,
        part: Part::named(part)?,
        name,
        unit,
        mdc: mdc?,
        mdc_unit: mdc_unit?,
        once,
        mode: false,
    })
}

fn text(line: &'static str) -> Option<Row> {
    let [code, dialect, name, kind, _] = cells(line)?;
    let mode = match kind {
        "mode" => true,
        "text" => false,
        _ => return None,
    };
    let row = quantity(Table::Texts, code, dialect, "", name, "", ["", ""], false)?;
    Some(Row { mode, ..row })
}

fn alarm(line: &'static str) -> Option<Row> {
    let [page, code, dialect, name, _] = cells(line)?;
    let table = match page {
        "1" => Table::Alarms1,
        "2" => Table::Alarms2,
        _ => return None,
    };
    quantity(table, code, dialect, "", name, "", ["", ""], false)
}

fn device(line: &'static str) -> Option<Device> {
    let [id, model, dialect, mds, line, _] = cells(line)?;
    let dialect = if dialect == "x" { Dialect::X } else { Dialect::Classic };
    Some(Device { id, model, dialect, mds: number(mds)?, line })
}

/// An empty cell is 0.
fn number(cell: &str) -> Option<u32> {
    if cell.is_empty() { Some(0) } else { cell.parse().ok() }
}

/// Two digits.
fn hex(cell: &str) -> Option<u8> {
    match cell.as_bytes() {
        [high, low] => Some(hex_value(*high)? << 4 | hex_value(*low)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn every_line_is_read_and_says_where_it_comes_from() {
        let known = ["medibusserver", "openice", "vscapture", "vitalrecorder", "10101", "mdc", "manual"];
        for (csv, read) in [
            (MEASURED, lines(MEASURED).filter(|line| measured(line).is_some()).count()),
            (SETTINGS, lines(SETTINGS).filter(|line| setting(line).is_some()).count()),
            (TEXTS, lines(TEXTS).filter(|line| text(line).is_some()).count()),
            (ALARMS, lines(ALARMS).filter(|line| alarm(line).is_some()).count()),
            (DEVICES, lines(DEVICES).filter(|line| device(line).is_some()).count()),
        ] {
            let heading: Vec<_> = csv.lines().next().unwrap().split(',').collect();
            let source = heading.iter().position(|name| *name == "source").unwrap();
            let evidence = heading.iter().position(|name| *name == "evidence");
            assert_eq!(read, lines(csv).count(), "{heading:?}");
            for line in lines(csv) {
                let cells: Vec<_> = line.split(',').collect();
                assert!(!cells[source].is_empty(), "{line}");
                assert!(cells[source].split(' ').all(|one| known.contains(&one)), "{line}");
                assert!(evidence.is_none_or(|at| !cells[at].is_empty()), "{line}");
            }
        }
        assert_eq!(ROWS.len(), 634);
    }

    #[test]
    fn no_two_rows_mean_the_same_code_to_one_device() {
        for dialect in [Dialect::Classic, Dialect::X] {
            let mut seen = BTreeSet::new();
            for row in ROWS.iter().filter(|row| row.dialect.is_none_or(|of| of == dialect)) {
                assert!(seen.insert((row.table, row.code)), "{row:?}");
            }
        }
        let ids: BTreeSet<_> = devices().iter().map(|device| device.id).collect();
        assert_eq!(ids.len(), devices().len());
        assert!(ids.iter().all(|id| id.len() == 4));
    }

    #[test]
    fn a_unit_is_one_number_of_the_mdc_but_for_rates() {
        let mut units: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
        for row in ROWS.iter().filter(|row| row.mdc_unit > 0) {
            assert_eq!(row.mdc_unit >> 16, 4, "{row:?}");
            units.entry(row.unit).or_default().insert(row.mdc_unit);
        }
        for (unit, numbers) in units {
            match unit {
                // Of breaths, of beats, of neither.
                "1/min" => assert_eq!(numbers, [264_672, 264_864, 264_928].into()),
                // Of volumes and of anything.
                "%" => assert_eq!(numbers, [262_688, 268_384].into()),
                _ => assert_eq!(numbers.len(), 1, "{unit}"),
            }
        }
    }

    #[test]
    fn settings_have_the_number_of_what_they_set_and_a_bit_more() {
        for row in ROWS.iter().filter(|row| row.mdc > 0) {
            let setting = row.table == Table::Settings;
            assert_eq!(row.mdc >= 1 << 24, setting, "{row:?}");
            assert_eq!(row.mdc >> 16 & 0xFF, 2, "{row:?}");
        }
        let of =
            |table, code| find(table, code, Some(Dialect::X)).map(|row| (row.mdc, row.mdc_unit)).unwrap();
        assert_eq!(of(Table::Settings, 0x01).0, of(Table::Measured1, 0xF0).0 + (1 << 24));
        assert_eq!(of(Table::Settings, 0x0B).0, of(Table::Measured1, 0x78).0 + (1 << 24));
    }

    #[test]
    fn litres_are_litres_and_mbar_stays_mbar() {
        let of = |table, code| find(table, code, None).map(|row| (row.mdc, row.mdc_unit, row.unit)).unwrap();
        assert_eq!(of(Table::Measured1, 0x7E), (152_680, 263_744, "L"));
        assert_eq!(of(Table::Measured1, 0x7F), (152_676, 263_744, "L"));
        assert_eq!(of(Table::Settings, 0x04), (16_929_196, 263_744, "L"));
        assert_eq!(of(Table::Settings, 0x40), (16_929_196, 263_762, "mL"));
        assert_eq!(of(Table::Measured1, 0x78), (151_976, 266_098, "mbar"));
        assert!(ROWS.iter().filter(|row| row.unit == "mbar").all(|row| row.mdc_unit == 266_098));
    }

    #[test]
    fn a_code_that_depends_on_the_dialect_means_nothing_without_it() {
        let of = |dialect| find(Table::Measured1, 0x06, dialect).map(|row| (row.mdc, row.unit));
        assert_eq!(of(Some(Dialect::X)), Some((152_004, "L/min")));
        assert_eq!(of(Some(Dialect::Classic)), Some((0, "mL/mbar")));
        assert_eq!(of(None), None);
        assert!(find(Table::Measured1, 0xEB, None).is_some());
        assert!(find(Table::Alarms3, 0x00, None).is_none());
    }

    #[test]
    fn what_is_other_to_medibus_x_is_so_here() {
        let of =
            |table, code, dialect| find(table, code, Some(dialect)).map(|row| (row.name, row.unit, row.mdc));
        // Of the two settings of one volume the first is in litres, as 04 is beside 40.
        let volume = "Set tidal volume of apnoea ventilation";
        assert_eq!(of(Table::Settings, 0x44, Dialect::X), Some((volume, "L", 16_930_432)));
        assert_eq!(of(Table::Settings, 0x6E, Dialect::X), Some((volume, "mL", 16_930_432)));
        let rate = "Set rate of apnoea ventilation";
        assert_eq!(of(Table::Settings, 0x42, Dialect::X), Some((rate, "1/min", 16_929_698)));
        assert_eq!(of(Table::Settings, 0x42, Dialect::Classic).map(|of| of.2), Some(16_928_804));
        let volume = of(Table::Measured1, 0x8B, Dialect::X);
        assert_eq!(volume, Some(("Inspiratory tidal volume", "mL", 153_220)));
        assert_eq!(of(Table::Measured1, 0xB7, Dialect::X).map(|of| of.1), Some("L/min"));
        assert_eq!(of(Table::Measured2, 0x13, Dialect::Classic), None);
        let alarm = |code, dialect| of(Table::Alarms1, code, dialect).map(|of| of.0);
        assert_eq!(alarm(0x63, Dialect::X), Some("Left atrial pressure low"));
        assert_eq!(alarm(0x63, Dialect::Classic), Some("CO2 of low accuracy"));
        // Of what MEDIBUS.X has otherwise, and an Apollo as others have it.
        assert_eq!(of(Table::Texts, 0x5D, Dialect::X), None);
        assert!(find(Table::Texts, 0x47, Some(Dialect::X)).is_some_and(|row| row.mode));
    }

    #[test]
    fn codes_are_named_by_their_command() {
        assert_eq!(code_name(0x24, 0xEB), "24:EB");
        assert_eq!(code_name(0x2E, 0xFF), "2E:FF");
        assert_eq!(code_name(0x23, 0x00), "23:00");
        assert_eq!(code_name(0x51, 0x00), "");
    }

    #[test]
    fn devices_are_known_by_number() {
        assert_eq!(device_of(b"8240").map(|device| device.model), Some("Evita 4"));
        assert_eq!(device_of(b"5000").map(|device| (device.dialect, device.mds)), Some((Dialect::X, 70_001)));
        assert_eq!(device_of(b"0161"), None);
    }

    #[test]
    fn the_mdc_table_has_each_number_that_is_no_vendors_and_takes_its_unit() {
        let mut unknown = Vec::new();
        for row in ROWS.iter().filter(|row| row.mdc > 0) {
            match mdc::term(row.mdc) {
                Some(term) => {
                    assert!(row.mdc_unit == 0 || term.takes(row.mdc_unit), "{row:?} and {term:?}");
                    assert_eq!(row.term(), row.mdc);
                }
                None if mdc::is_private(row.mdc) => assert_eq!(row.term(), 0),
                None => unknown.push(row.mdc),
            }
        }
        // The MEDIBUS.X table has these settings; no public list has them as such.
        unknown.sort_unstable();
        unknown.dedup();
        assert_eq!(unknown, UNLISTED);
        for row in ROWS.iter().filter(|row| row.mdc_unit > 0) {
            assert_eq!(row.unit_code(), row.mdc_unit, "{row:?}");
        }
        for part in Part::ALL {
            assert!(part.mdc() == 0 || mdc::term(part.mdc()).is_some(), "{part:?}");
        }
        assert!(devices().iter().all(|device| device.mds == 0 || mdc::term(device.mds).is_some()));
    }

    /// Words of a name, and what the reference id has where the name has them.
    const WORDS: [(&str, &str); 22] = [
        ("halothane", "HALOTH"),
        ("enflurane", "ENFL"),
        ("isoflurane", "ISOFL"),
        ("desflurane", "DESFL"),
        ("sevoflurane", "SEVOFL"),
        ("agent", "AGENT"),
        ("n2o", "N2O"),
        ("co2", "CO2"),
        ("oxygen", "O2"),
        ("inspired", "_INSP"),
        ("expired", "_ET"),
        ("end-tidal", "_ET"),
        ("systolic", "_SYS"),
        ("diastolic", "_DIA"),
        ("rate", "RATE"),
        ("temperature", "TEMP"),
        ("pressure", "PRESS"),
        ("compliance", "COMPL"),
        ("resistance", "RES_"),
        ("st segment", "AMPL_ST"),
        ("set ", "_SETTING"),
        ("weight", "MASS"),
    ];

    #[test]
    fn a_name_and_its_term_say_the_same() {
        for row in ROWS.iter() {
            let Some(term) = mdc::term(row.term()) else { continue };
            let name = row.name.to_lowercase();
            for (word, part) in WORDS {
                // A volume by weight is no weight, and the time at a pressure no pressure.
                let other =
                    word == "weight" && name.contains("ideal") || word == "pressure" && name.contains("time");
                let said = name.contains(word) && !other;
                assert!(!said || term.refid.contains(part), "{} is {}", row.name, term.refid);
                // What is of an agent or a setting is never anything else.
                let own = part.ends_with('L') || matches!(part, "HALOTH" | "AGENT" | "_SETTING");
                assert!(said || !own || !term.refid.contains(part), "{} is {}", row.name, term.refid);
            }
            assert_eq!(name.contains("mean"), term.refid.ends_with("MEAN"), "{} is {}", row.name, term.refid);
        }
    }

    const UNLISTED: [u32; 6] = [16_929_762, 16_929_828, 16_930_516, 16_930_524, 16_930_700, 16_930_704];

    #[test]
    fn places_are_one_for_each_code_of_a_part() {
        let places: BTreeSet<_> = ROWS.iter().map(|row| row.table.place(row.code)).collect();
        let codes: BTreeSet<_> = ROWS.iter().map(|row| (row.table, row.code)).collect();
        assert_eq!(places.len(), codes.len());
        // Receivers may have seen them: never others.
        assert_eq!(place(0x24, 0x00), 1);
        assert_eq!(place(0x24, 0xEB), 236);
        assert_eq!(place(0x2B, 0x21), 290);
        assert_eq!(place(0x29, 0x01), 514);
        assert_eq!(place(0x2A, 0xFF), 1792);
        assert_eq!(place(0x25, 0xFF), 0);
    }

    #[test]
    fn what_is_measured_now_and_then_is_known_by_its_code() {
        assert!(is_once(0x24, 0x96) && is_once(0x24, 0x8D));
        assert!(!is_once(0x24, 0x78) && !is_once(0x29, 0x96));
    }
}
