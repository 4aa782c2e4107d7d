//! The MDC table: the arrays are the files, and no row of the files contradicts another or itself.
//!
//! A unit stands there twice, as a reference id and in UCUM. Both are read here by two small readers that share nothing with
//! each other but the list of base units, so that litres cannot stand for millilitres, nor mbar for kPa.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use orugate_protocol::mdc;

/// A row of a file, by its column.
type Row = BTreeMap<String, String>;

fn file(name: &str) -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("mdc").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap().split(',').collect();
    let row = |line: &str| {
        assert!(!line.contains('"'), "{name}: nothing needs quotation marks: {line}");
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells.len(), columns.len(), "{name}: {line}");
        columns.iter().zip(cells).map(|(c, v)| ((*c).to_owned(), v.to_owned())).collect()
    };
    lines.map(row).collect()
}

fn code(row: &Row) -> u32 {
    row["code"].parse().unwrap_or_else(|_| panic!("{row:?}"))
}

fn words<'a>(row: &'a Row, column: &str) -> Vec<&'a str> {
    row[column].split_whitespace().collect()
}

/// The text of `src/mdc/table.rs`.
fn made() -> String {
    let units = file("units.csv");
    let number: BTreeMap<&str, u32> = units.iter().map(|u| (u["refid"].as_str(), code(u))).collect();
    let list = |row: &Row, column: &str| {
        let mut codes: Vec<u32> = words(row, column).iter().map(|id| number[id]).collect();
        codes.sort_unstable();
        format!("&{codes:?}")
    };
    let terms = file("terms.csv");
    let mut text = String::from(
        "// Made of protocol/mdc/*.csv by `UPDATE_EXPECT=1 cargo test -p orugate-protocol --test mdc`; not edited by hand.\n\n\
         use super::{Term, Unit};\n",
    );
    let _ = write!(text, "\n#[rustfmt::skip]\npub(super) static TERMS: [Term; {}] = [\n", terms.len());
    for t in &terms {
        let _ = writeln!(
            text,
            "    Term {{ code: {}, refid: {:?}, also: &{:?}, units: {}, device_units: {} }},",
            code(t),
            t["refid"],
            words(t, "also"),
            list(t, "units"),
            list(t, "device_units"),
        );
    }
    let _ = write!(text, "];\n\n#[rustfmt::skip]\npub(super) static UNITS: [Unit; {}] = [\n", units.len());
    for u in &units {
        let _ = writeln!(
            text,
            "    Unit {{ code: {}, refid: {:?}, also: &{:?}, ucum: {:?}, also_ucum: &{:?} }},",
            code(u),
            u["refid"],
            words(u, "also"),
            u["ucum"],
            words(u, "also_ucum"),
        );
    }
    text + "];\n"
}

#[test]
fn the_arrays_are_what_the_files_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/mdc/table.rs");
    let made = made();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text == made, "src/mdc/table.rs is not what mdc/*.csv say: run this test with UPDATE_EXPECT=1");
}

#[test]
fn every_row_is_found_by_its_code() {
    for row in file("terms.csv") {
        assert_eq!(mdc::term(code(&row)).map(|t| t.refid), Some(row["refid"].as_str()));
    }
    for row in file("units.csv") {
        let unit = mdc::unit(code(&row)).unwrap();
        assert_eq!((unit.refid, unit.ucum), (row["refid"].as_str(), row["ucum"].as_str()));
    }
    for code in [0, 1, 147_843, 192_512, 264_865, u32::MAX] {
        assert_eq!((mdc::term(code), mdc::unit(code)), (None, None), "{code}");
    }
    assert!(mdc::is_private(192_512) && !mdc::is_private(147_842));
}

#[test]
fn codes_ascend_and_none_stands_twice() {
    for name in ["terms.csv", "units.csv"] {
        let rows = file(name);
        assert!(rows.len() > 90, "{name}");
        for pair in rows.windows(2) {
            assert!(code(&pair[0]) < code(&pair[1]), "{name}: {pair:?}");
        }
        // A second name of a code is an alias in the one row; a name never stands for two codes.
        let mut seen = BTreeMap::new();
        for row in &rows {
            for id in words(row, "refid").into_iter().chain(words(row, "also")) {
                assert!(id.starts_with("MDC_"), "{row:?}");
                assert_eq!(seen.insert(id.to_owned(), code(row)), None, "{name}: {id} stands twice");
            }
        }
    }
}

#[test]
fn every_row_says_where_it_is_from() {
    let known = BTreeSet::from([
        "nist-2025-units",
        "nist-2025-codes",
        "nist-2018-codes",
        "philips",
        "medibus-x",
        "mii",
        "captured",
        "rule-prefix",
        "rule-mean",
    ]);
    for row in file("terms.csv").into_iter().chain(file("units.csv")) {
        let sources = words(&row, "source");
        assert!(!sources.is_empty() && sources.iter().all(|s| known.contains(s)), "{row:?}");
        let who: BTreeSet<&str> =
            sources.iter().filter(|s| !s.starts_with("rule")).map(|s| s.split('-').next().unwrap()).collect();
        let evidence = if who.len() > 1 { "several" } else { "one" };
        assert_eq!(row["evidence"], evidence, "{row:?}");
    }
}

/// What kind of thing a reference id names is in its code's partition, and the last bits say which of a family it is.
#[test]
fn a_code_is_in_the_partition_and_at_the_place_that_its_name_says() {
    let rows = file("terms.csv");
    let by_code: BTreeMap<u32, &Row> = rows.iter().map(|r| (code(r), r)).collect();
    let by_name: BTreeMap<&str, u32> = rows
        .iter()
        .flat_map(|r| words(r, "refid").into_iter().chain(words(r, "also")).map(|id| (id, code(r))))
        .collect();
    let (mut settings, mut families) = (0, 0);
    for row in &rows {
        let (code, id) = (code(row), row["refid"].as_str());
        assert!(!mdc::is_private(code), "{row:?}");
        let site = ["HEART", "ART", "VEIN", "HEAD", "LOEXT", "UPEXT", "TRUNK"]
            .iter()
            .any(|part| id.strip_prefix("MDC_").unwrap().split('_').next() == Some(part));
        let partition = match id {
            _ if site => 7,
            _ if id.ends_with("_SETTING") => 258,
            _ if id.starts_with("MDC_DEV") || id.starts_with("MDC_ATTR_") => 1,
            _ if id.starts_with("MDC_EVT_") => 3,
            _ => 2,
        };
        assert_eq!(code >> 16, partition, "{row:?}");
        if let Some(measured) = id.strip_suffix("_SETTING") {
            settings += 1;
            let found = by_code.get(&(code - (1 << 24)));
            if let Some(found) = found {
                let names = [words(found, "refid"), words(found, "also")].concat();
                assert!(names.contains(&measured), "{id}: {names:?}");
            }
            assert_eq!(by_name.contains_key(measured), found.is_some(), "{id}");
        }
        // Devices: the thing, its MDS, VMD and channel. Others: the least significant bits are the statistic.
        let family: &[(&str, u32)] = match partition {
            1 if id.starts_with("MDC_DEV") => &[("_MDS", 1), ("_VMD", 2), ("_CHAN", 3)],
            2 if id.starts_with("MDC_PRESS_") => &[("_SYS", 1), ("_DIA", 2), ("_MEAN", 3)],
            2 => &[("_MAX", 1), ("_MIN", 2), ("_MEAN", 3)],
            7 => &[("_L", 1), ("_R", 2)],
            _ => &[],
        };
        if let Some((base, n)) = family.iter().find_map(|(s, n)| Some((id.strip_suffix(s)?, n))) {
            // Body positions that exist on one side only have numbers of their own.
            if let Some(base) =
                by_name.get(base).filter(|_| partition != 7 || by_code.contains_key(&(code - n)))
            {
                families += 1;
                assert_eq!(base + n, code, "{row:?}");
            }
        } else if partition == 1 && id.starts_with("MDC_DEV") {
            assert_eq!(code % 4, 0, "{row:?}");
        }
    }
    assert!(settings > 60 && families > 250, "{settings} settings, {families} of families");
}

#[test]
fn the_units_of_a_term_are_in_the_other_file_and_stand_once() {
    let known: BTreeSet<String> = file("units.csv").into_iter().map(|u| u["refid"].clone()).collect();
    for row in file("terms.csv") {
        let all = [words(&row, "units"), words(&row, "device_units")].concat();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{row:?}");
        assert!(all.iter().all(|u| known.contains(*u)), "{row:?}");
    }
}

/// A unit: powers of base units that are not turned into each other, and a power of ten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Reading {
    powers: BTreeMap<&'static str, i32>,
    ten: i32,
}

impl Reading {
    fn put(&mut self, base: &'static str, ten: i32, times: i32) {
        *self.powers.entry(base).or_default() += times;
        self.powers.retain(|_, n| *n != 0);
        self.ten += ten * times;
    }

    /// Without what is only counted or remarked.
    fn bare(&self) -> Self {
        let counted = |base: &str| BASES.iter().any(|b| b.0 == base && b.2.starts_with('{'));
        let powers = self.powers.iter().filter(|(b, _)| !counted(b)).map(|(b, n)| (*b, *n)).collect();
        Self { powers, ten: self.ten }
    }

    fn dimension(&self) -> String {
        let mut all: BTreeMap<&str, i32> = BTreeMap::new();
        for (base, times) in &self.powers {
            for part in BASES.iter().find(|b| b.0 == *base).unwrap().3.split('.').filter(|p| *p != "1") {
                let name = part.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
                let power: i32 = part[name.len()..].parse().unwrap_or(1);
                *all.entry(name).or_default() += power * times;
            }
        }
        all.retain(|_, n| *n != 0);
        let order = |name: &str| "M L T I K N".split(' ').position(|n| n == name).map_or(0, |n| n + 1);
        let mut parts: Vec<_> = all.into_iter().collect();
        parts.sort_by_key(|(name, _)| (order(name), *name));
        let text = |(name, n): &(&str, i32)| if *n == 1 { (*name).to_owned() } else { format!("{name}{n}") };
        let parts: Vec<String> = parts.iter().map(text).collect();
        if parts.is_empty() { "1".into() } else { parts.join(".") }
    }
}

/// Base units: a name here, in reference ids, in UCUM; what they are of; whether they take prefixes.
#[rustfmt::skip]
const BASES: &[(&str, &str, &str, &str, bool)] = &[
    ("metre", "M", "m", "L", true), ("gram", "G", "g", "M", true), ("second", "SEC", "s", "T", true),
    ("minute", "MIN", "min", "T", false), ("hour", "HR", "h", "T", false), ("day", "DAY", "d", "T", false),
    ("litre", "L", "L", "L3", true), ("inch", "INCH", "[in_i]", "L", false),
    ("pound", "LB", "[lb_av]", "M", false), ("ounce", "OZ", "[oz_av]", "M", false),
    ("pascal", "PASCAL", "Pa", "M.L-1.T-2", true), ("bar", "BAR", "bar", "M.L-1.T-2", true),
    ("mmHg", "MMHG", "mm[Hg]", "M.L-1.T-2", false), ("cmH2O", "CM_H2O", "cm[H2O]", "M.L-1.T-2", false),
    ("psi", "PSI", "[psi]", "M.L-1.T-2", false),
    ("joule", "JOULES", "J", "M.L2.T-2", true), ("calorie", "CAL", "cal", "M.L2.T-2", true),
    ("watt", "WATT", "W", "M.L2.T-3", true), ("volt", "VOLT", "V", "M.L2.T-3.I-1", true),
    ("ohm", "OHM", "Ohm", "M.L2.T-3.I-2", true), ("hertz", "HZ", "Hz", "T-1", true),
    ("dyne", "DYNE", "dyn", "M.L.T-2", true), ("gram force", "G_FORCE", "gf", "M.L.T-2", true),
    ("mole", "MOLE", "mol", "N", true), ("equivalent", "EQUIV", "eq", "eq", true),
    ("celsius", "DEGC", "Cel", "K", false), ("fahrenheit", "FAHR", "[degF]", "K", false),
    ("decibel", "DECIBEL", "dB", "level", false), ("pH", "PH", "[pH]", "pH", false), ("degree", "ANG_DEG", "deg", "angle", false),
    ("percent", "PERCENT", "%", "1", false), ("volume percent", "VOL_PERCENT", "%{vol}", "1", false),
    ("packed cells", "PCT_PCV", "%{pcv}", "1", false),
    ("beat", "BEAT", "{beat}", "beat", false), ("breath", "BREATH", "{breath}", "breath", false),
    ("pulse", "PULS", "{pulse}", "pulse", false), ("INR", "INR", "{INR}", "1", false),
    ("unknown", "NOS", "{unknown}", "unknown", false),
];

/// Prefixes: in reference ids, in UCUM, the power of ten, and the last five bits of a unit's code.
#[rustfmt::skip]
const PREFIXES: &[(&str, &str, i32, u32)] = &[
    ("HECTO", "h", 2, 2), ("KILO", "k", 3, 3), ("DECI", "d", -1, 16), ("CENTI", "c", -2, 17), ("MILLI", "m", -3, 18),
    ("MICRO", "u", -6, 19), ("NANO", "n", -9, 20), ("PICO", "p", -12, 21),
];

/// Reads a reference id: everything behind a `PER` is below the line, and a prefix is a word.
fn from_refid(id: &str) -> Reading {
    // Two ids cannot be read so: resistance is pressure by flow, and flow is litres by seconds.
    let id = match id.strip_prefix("MDC_DIM_").unwrap() {
        "CM_H2O_PER_L_PER_SEC" => "CM_H2O_SEC_PER_L".to_owned(),
        other => format!("{other}_"),
    };
    let id = id.trim_end_matches('_');
    let mut rest = format!("{id}_");
    for (long, short) in [
        ("MM_HG_", "MMHG_"),
        ("BREATHS_", "BREATH_"),
        ("RESP_", "BREATH_"),
        ("HPA_", "HECTO_PASCAL_"),
        ("MBAR_", "MILLI_BAR_"),
        ("_KG_", "_KILO_G_"),
        ("_DL_", "_DECI_L_"),
        ("_CL_", "_CENTI_L_"),
        ("_ML_", "_MILLI_L_"),
        ("_CM_5_", "_CENTI_M_POW5_"),
        ("SQ_M_", "M_SQ_"),
    ] {
        rest = rest.replace(long, short);
    }
    let mut reading = Reading::default();
    let (mut sign, mut ten) = (1, 0);
    let mut rest = rest.as_str();
    if rest == "DIMLESS_" {
        return reading;
    }
    while !rest.is_empty() {
        if let Some(below) = rest.strip_prefix("PER_") {
            (sign, rest) = (-1, below);
        } else if let Some((prefix, after)) =
            PREFIXES.iter().find_map(|p| Some((p, rest.strip_prefix(p.0)?.strip_prefix('_')?)))
        {
            (ten, rest) = (prefix.2, after);
        } else {
            // The longest name that fits: G_FORCE before G.
            let base = BASES
                .iter()
                .filter(|b| rest.strip_prefix(b.1).is_some_and(|after| after.starts_with('_')))
                .max_by_key(|b| b.1.len())
                .unwrap_or_else(|| panic!("{id}: {rest}"));
            rest = &rest[base.1.len() + 1..];
            let mut times = 1;
            for (word, power) in [("SQ_", 2), ("POW5_", 5)] {
                if let Some(after) = rest.strip_prefix(word) {
                    (rest, times) = (after, power);
                }
            }
            reading.put(base.0, ten, sign * times);
            ten = 0;
        }
    }
    reading
}

/// Reads UCUM: `/` is for the next unit or bracket only.
fn from_ucum(text: &str) -> Reading {
    let mut reading = Reading::default();
    ucum_term(text, 1, &mut reading);
    reading
}

fn ucum_term(text: &str, outer: i32, reading: &mut Reading) {
    let (mut rest, mut sign) = (text, 1);
    while let Some(first) = rest.chars().next() {
        match first {
            '.' | '/' => {
                sign = if first == '/' { -1 } else { 1 };
                rest = &rest[1..];
            }
            '(' => {
                let end = rest.find(')').unwrap();
                ucum_term(&rest[1..end], outer * sign, reading);
                rest = &rest[end + 1..];
            }
            _ => {
                let (mut end, mut depth) = (0, 0);
                for c in rest.chars() {
                    depth += i32::from("[{".contains(c)) - i32::from("]}".contains(c));
                    if depth == 0 && "./()".contains(c) {
                        break;
                    }
                    end += c.len_utf8();
                }
                ucum_atom(&rest[..end], outer * sign, reading);
                rest = &rest[end..];
            }
        }
    }
}

fn ucum_atom(atom: &str, sign: i32, reading: &mut Reading) {
    if matches!(atom, "1" | "{unitless}") {
        return;
    }
    let name = atom.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
    let times: i32 = atom[name.len()..].parse().unwrap_or(1);
    let plain = BASES.iter().find(|b| b.2 == name).map(|b| (b.0, 0));
    let prefixed = || {
        PREFIXES.iter().find_map(|p| {
            let base = BASES.iter().find(|b| b.4 && name.strip_prefix(p.1) == Some(b.2))?;
            Some((base.0, p.2))
        })
    };
    let (base, ten) =
        plain.or_else(prefixed).unwrap_or_else(|| panic!("{atom} is no unit that is known here"));
    reading.put(base, ten, sign * times);
}

#[test]
fn each_unit_is_the_same_in_both_languages() {
    // Names of UCUM for whole units, and words that UCUM lets pass.
    let same = |text: &str| match text {
        "[PRU]" => "mm[Hg].s/mL".to_owned(),
        "[wood'U]" => "mm[Hg].min/L".to_owned(),
        "dB[10.nV]" => "dB".to_owned(),
        other => {
            let counted = [
                ("{beats}", "{beat}"),
                ("{breaths}", "{breath}"),
                ("{resp}", "{breath}"),
                ("{pulses}", "{pulse}"),
            ];
            counted.iter().fold(other.replace("{count}", "1"), |text, (many, one)| text.replace(many, one))
        }
    };
    for row in file("units.csv") {
        let id = from_refid(&row["refid"]);
        let ucum = from_ucum(&row["ucum"]);
        assert_eq!(id, ucum, "{} is not {}", row["refid"], row["ucum"]);
        assert_eq!(id.dimension(), row["dimension"], "{row:?}");
        for other in words(&row, "also_ucum") {
            let other = from_ucum(&same(other));
            assert!(other == ucum || other == ucum.bare(), "{row:?}: {other:?}");
        }
        for other in words(&row, "also") {
            assert_eq!(from_refid(&other.replace("X_", "")), id, "{other}");
        }
        // Partition 4, and an SI prefix of the unit above the line in the last five bits.
        let code = code(&row);
        let words: Vec<&str> = row["refid"].strip_prefix("MDC_DIM_").unwrap().split('_').collect();
        let first = words.iter().find_map(|w| PREFIXES.iter().find(|p| p.0 == *w)).map_or(0, |p| p.3);
        assert_eq!((code >> 16, code & 31), (4, first), "{row:?}");
    }
}

/// Terms whose units are not all of one dimension, because the table has them so, and what they have.
const MIXED: &[(&str, &[&str])] = &[
    // A gas by volume or by pressure.
    ("MDC_CONC_AWAY_", &["1", "M.L-1.T-2"]),
    ("MDC_CONC_GASDLV_", &["1", "M.L-1.T-2"]),
    ("MDC_CONC_AWAY_CO2_EXP_PLATEAU_ALV_SLOPE", &["L-3", "M.L-4.T-2"]),
    // A substance by mass, by amount, by charge or by pressure.
    ("MDC_CONC_", &["L-3", "M.L-3"]),
    ("MDC_PULS_OXIM_HB_TOTAL_ART", &["L-3", "M.L-3"]),
    ("MDC_CONC_PCO2_ART", &["L-3", "M.L-1.T-2"]),
    ("MDC_CONC_PO2_VEN", &["1", "M.L-1.T-2"]),
    // Ten millimetres on paper are a millivolt.
    ("MDC_ECG_AMPL_ST", &["L", "M.L2.T-3.I-1"]),
    ("MDC_ECG_V_P_C_CNT", &["1", "T-1"]),
    ("MDC_VENT_VOL_LEAK", &["1", "L3.T-1"]),
    ("MDC_ATTR_SAMPLE_RATE", &["T", "T-1"]),
    ("MDC_PRESS_TIME_PRODUCT_INSP", &["M.L-1.T-1", "M.L-1.T-2"]),
    ("MDC_EMG_ELEC_POTL_MUSCL", &["M.L2.T-3.I-1", "level"]),
    ("MDC_EEG_PWR_SPEC_TOT", &["M.L2.T-3", "level"]),
    ("MDC_WORK_OF_BREATHING_", &["L-1.T-2", "M.L-1.T-2", "M.L-1.T-3", "M.L2.T-2", "M.L2.T-3"]),
];
/// What a term is, by its name, in which dimension.
const KINDS: &[(&str, &str)] = &[
    ("MDC_PRESS_BLD", "M.L-1.T-2"),
    ("MDC_PRESS_AWAY", "M.L-1.T-2"),
    ("MDC_PRESS_CUFF", "M.L-1.T-2"),
    ("MDC_PRESS_INTRA_CRAN", "M.L-1.T-2"),
    ("MDC_VENT_PRESS_AWAY_END", "M.L-1.T-2"),
    ("MDC_TEMP", "K"),
    ("MDC_VOL_AWAY_TIDAL_EXP_BTSD_PSAZC", "L3"),
    ("MDC_VENT_VOL_TIDAL", "L3"),
    ("MDC_VOL_MINUTE_AWAY_EXP_BTSD_PSAZC", "L3.T-1"),
    ("MDC_FLOW_AWAY", "L3.T-1"),
    ("MDC_OUTPUT_CARD", "L3.T-1"),
    ("MDC_COMPL_LUNG", "M-1.L4.T2"),
    ("MDC_RES_AWAY", "M.L-4.T-1"),
    ("MDC_RES_VASC", "M.L-4.T-1"),
    ("MDC_PULS_OXIM_SAT", "1"),
    ("MDC_ECG_HEART", "T-1"),
    ("MDC_RESP_RATE", "T-1"),
    ("MDC_TIME_PD_", "T"),
];

#[test]
fn the_units_of_a_term_are_of_what_it_is() {
    let units: BTreeMap<String, String> = file("units.csv")
        .into_iter()
        .map(|unit| (unit["refid"].clone(), from_refid(&unit["refid"]).bare().dimension()))
        .collect();
    let (mut mixed, mut kinds) = (BTreeSet::new(), BTreeSet::new());
    for row in file("terms.csv") {
        let listed = [words(&row, "units"), words(&row, "device_units")].concat();
        // What is no partial pressure or amount of substance here is counted and no dimension of its own.
        let bare = |of: &str| {
            let parts: Vec<&str> = of.split('.').filter(|part| !matches!(*part, "N" | "eq")).collect();
            if parts.is_empty() { "1".to_owned() } else { parts.join(".") }
        };
        let all: BTreeSet<String> = listed.iter().map(|unit| bare(&units[*unit])).collect();
        let id = row["refid"].as_str();
        if all.len() > 1 {
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            let known = MIXED.iter().filter(|(start, of)| id.starts_with(start) && all == *of);
            let known: Vec<_> = known.map(|(start, _)| *start).collect();
            assert!(!known.is_empty(), "{id}: {all:?}");
            mixed.extend(known);
        } else if let Some(one) = all.first() {
            for (start, of) in KINDS.iter().filter(|(start, _)| id.starts_with(start)) {
                // By weight or surface, an index, a part of a whole are others.
                if !["_PER_", "_INDEX", "_PERCENT", "_NORMALIZED"].iter().any(|part| id.contains(part)) {
                    assert_eq!(one, of, "{id}");
                    kinds.insert(*start);
                }
            }
        }
    }
    assert_eq!(mixed.len(), MIXED.len(), "{mixed:?}");
    assert_eq!(kinds.len(), KINDS.len(), "{kinds:?}");
}

#[test]
fn the_readers_tell_units_apart() {
    for (a, b) in [
        ("MDC_DIM_L", "mL"),
        ("MDC_DIM_MILLI_BAR", "kPa"),
        ("MDC_DIM_MILLI_BAR", "hPa"),
        ("MDC_DIM_MMHG", "cm[H2O]"),
        ("MDC_DIM_MILLI_L_PER_MIN", "mL/h"),
        ("MDC_DIM_BEAT_PER_MIN", "{breath}/min"),
        ("MDC_DIM_MILLI_BAR_SEC_PER_L", "mbar/L/s"),
        ("MDC_DIM_PERCENT", "%{vol}"),
        ("MDC_DIM_MICRO_VOLT", "mV"),
    ] {
        assert_ne!(from_refid(a), from_ucum(b), "{a} {b}");
    }
    assert_eq!(from_refid("MDC_DIM_MILLI_BAR_SEC_PER_L"), from_ucum("mbar/(L/s)"));
    assert_eq!(from_ucum("dyn.s/cm5").dimension(), "M.L-4.T-1");
    assert_eq!(from_ucum("dyn.s.m2/cm5").dimension(), "M.L-2.T-1");
    assert_ne!(from_ucum("dyn.s.m2/cm5"), from_ucum("dyn.s/m2/cm5"));
}

/// What the corpus' PCD-01 messages name, and why it is not in the table.
const NOT_KNOWN: &[(&str, &str)] = &[];
/// Where they call a code by a name that it does not have.
const MISNAMED: &[(&str, &str)] = &[("149522", "MDC_PULS_RATE")];

#[test]
fn what_monitors_send_is_known() {
    let Some(folder) = std::env::var_os("ORUGATE_CORPUS") else {
        eprintln!("skipped: ORUGATE_CORPUS is not set");
        return;
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder).join("bedside");
    let (mut terms, mut units, mut misnamed) = (0, 0, BTreeSet::new());
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "hl7") {
            continue;
        }
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        if !text.contains("ORU^R01^ORU_R01") {
            continue;
        }
        for obx in text.split(['\r', '\n']).filter(|s| s.starts_with("OBX|")) {
            let fields: Vec<&str> = obx.split('|').collect();
            let coded = |n: usize| {
                let parts: Vec<&str> = fields.get(n).unwrap_or(&"").split('^').collect();
                (parts.get(2) == Some(&"MDC")).then(|| (parts[0].to_owned(), parts[1].to_owned()))
            };
            if let Some((code, id)) = coded(3) {
                terms += 1;
                match mdc::term(code.parse().unwrap()) {
                    Some(term) if term.refid == id || term.also.contains(&id.as_str()) => {}
                    Some(_) => assert!(misnamed.insert((code, id)), "twice: {obx}"),
                    None => assert!(NOT_KNOWN.iter().any(|(c, _)| *c == code), "{obx}"),
                }
            }
            if let Some((code, id)) = coded(6) {
                units += 1;
                let unit = mdc::unit(code.parse().unwrap()).unwrap_or_else(|| panic!("{obx}"));
                assert_eq!(unit.refid, id, "{obx}");
                if let Some(term) = coded(3).and_then(|(code, _)| mdc::term(code.parse().unwrap())) {
                    assert!(term.takes(unit.code), "{obx}");
                }
            }
        }
    }
    let listed: BTreeSet<_> = MISNAMED.iter().map(|(c, i)| ((*c).to_owned(), (*i).to_owned())).collect();
    assert_eq!(misnamed, listed);
    assert_eq!((terms, units), (19, 19), "codes and units in the corpus");
}
