//! The nomenclature that the driver knows: `tables/parameters.csv` and `tables/units.csv`, read once.
//!
//! Promises that a number has an MDC code only where its row names one; `tests/table.rs` compares each with the MDC table.
//! What has no row is no less a value: it goes on by its number and its label.

use std::sync::LazyLock;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    /// The number in the nomenclature's partition of measurements.
    pub(crate) physio: u16,
    pub(crate) name: &'static str,
    /// Its ordinal among all measurements, the same for ever.
    pub(crate) place: u16,
    /// 0: none is proven.
    pub(crate) mdc: u32,
}

/// In what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) unit: u16,
    /// As the maker's document writes it.
    pub(crate) text: &'static str,
    /// 0: none is proven.
    pub(crate) mdc: u32,
}

static PARAMETERS: LazyLock<Vec<Parameter>> = LazyLock::new(|| {
    let rows = rows(include_str!("../tables/parameters.csv"));
    let row = |(physio, [name, place, mdc]): (u16, [&'static str; 3])| {
        let place = u16::try_from(number(place)).unwrap_or(0);
        Parameter { physio, name, place, mdc: number(mdc) }
    };
    let mut all: Vec<_> = rows.map(row).collect();
    all.sort_by_key(|row| row.physio);
    all
});

static UNITS: LazyLock<Vec<Unit>> = LazyLock::new(|| {
    let rows = rows(include_str!("../tables/units.csv"));
    let mut all: Vec<_> = rows.map(|(unit, [text, mdc])| Unit { unit, text, mdc: number(mdc) }).collect();
    all.sort_by_key(|row| row.unit);
    all
});

/// The number in hexadecimal digits, then behind the nomenclature's name the columns that are used here.
fn rows<const N: usize>(csv: &'static str) -> impl Iterator<Item = (u16, [&'static str; N])> {
    csv.lines().skip(1).filter_map(|line| {
        let mut columns = line.split(',');
        let key = u16::from_str_radix(columns.next()?, 16).ok()?;
        columns.next()?;
        let mut rest = [""; N];
        for place in &mut rest {
            *place = columns.next()?;
        }
        Some((key, rest))
    })
}

fn number(text: &str) -> u32 {
    text.parse().unwrap_or(0)
}

/// What this number means.
pub(crate) fn parameter(physio: u16) -> Option<Parameter> {
    let place = PARAMETERS.binary_search_by_key(&physio, |row| row.physio).ok()?;
    PARAMETERS.get(place).copied()
}

/// What this unit is.
pub(crate) fn unit(unit: u16) -> Option<Unit> {
    let place = UNITS.binary_search_by_key(&unit, |row| row.unit).ok()?;
    UNITS.get(place).copied()
}

/// Reads both, so that nothing is left to do when the first value comes.
pub(crate) fn ready() {
    LazyLock::force(&PARAMETERS);
    LazyLock::force(&UNITS);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_read_and_has_a_name() {
        let lines = include_str!("../tables/parameters.csv").lines().count() - 1;
        assert_eq!(PARAMETERS.len(), lines);
        assert!(PARAMETERS.iter().all(|row| !row.name.is_empty()));
        assert!(PARAMETERS.windows(2).all(|two| two[0].physio < two[1].physio));
        // PCD-01's writer has room for so many fixed places in a group, and none is given twice.
        let mut places: Vec<_> = PARAMETERS.iter().map(|row| row.place).collect();
        places.sort_unstable();
        assert!(
            places.windows(2).all(|two| two[0] < two[1]) && places[0] > 0 && *places.last().unwrap() <= 512
        );
        let lines = include_str!("../tables/units.csv").lines().count() - 1;
        assert_eq!(UNITS.len(), lines);
        assert!(UNITS.windows(2).all(|two| two[0].unit < two[1].unit));
        assert_eq!(parameter(0x4BB8).map(|row| (row.name, row.mdc)), Some(("SpO2", 150_456)));
        assert_eq!(unit(0x0F20).map(|row| (row.text, row.mdc)), Some(("mmHg", 266_016)));
        assert_eq!(parameter(0xF0C7).map(|row| (row.name, row.mdc)), Some(("T1", 0)));
        assert_eq!(parameter(0xF999), None);
    }
}
