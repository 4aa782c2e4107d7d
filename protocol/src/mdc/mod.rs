//! The nomenclature of ISO/IEEE 11073-10101 (MDC), as far as bedside devices need it.
//!
//! Promises: what a code means, and which units stand beside it, as `protocol/mdc/*.csv` have it with source and evidence for
//! each row; `tests/mdc.rs` proves that the arrays here are those files, and compares each unit with its UCUM text. Leaves
//! out the rest of the nomenclature: what is not known here is sent as the vendor's own code. Converts nothing.

mod table;

/// A code of partitions other than units: a measurement, a device, a setting, a place on the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// Partition and term: `partition << 16 | term`.
    pub code: u32,
    /// Its reference id, as OBX-3 has it.
    pub refid: &'static str,
    /// Other reference ids of the same code.
    pub also: &'static [&'static str],
    /// The units that the public table allows beside it, ascending.
    pub units: &'static [u32],
    /// Units that only a vendor's document or a capture has beside it.
    pub device_units: &'static [u32],
}

impl Term {
    /// True when a value in `unit` can be one of this term; also when no unit is known for it, since then nothing contradicts.
    #[must_use]
    pub fn takes(&self, unit: u32) -> bool {
        let none = self.units.is_empty() && self.device_units.is_empty();
        none || self.units.contains(&unit) || self.device_units.contains(&unit)
    }
}

/// A unit of measurement (partition 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Partition and term.
    pub code: u32,
    /// Its reference id.
    pub refid: &'static str,
    /// Other reference ids of the same code.
    pub also: &'static [&'static str],
    /// The same in UCUM.
    pub ucum: &'static str,
    /// Other spellings in UCUM that mean the same.
    pub also_ucum: &'static [&'static str],
}

/// The term of a code, unless it is not known here, private or a unit.
#[must_use]
pub fn term(code: u32) -> Option<&'static Term> {
    let at = table::TERMS.binary_search_by_key(&code, |term| term.code).ok()?;
    table::TERMS.get(at)
}

/// The unit of a code.
#[must_use]
pub fn unit(code: u32) -> Option<&'static Unit> {
    let at = table::UNITS.binary_search_by_key(&code, |unit| unit.code).ok()?;
    table::UNITS.get(at)
}

/// True for the codes that each vendor gives its own meaning (the last 4096 of a partition): never to be sent as MDC.
#[must_use]
pub const fn is_private(code: u32) -> bool {
    code & 0xFFFF >= 0xF000
}

/// Every term, by code.
#[must_use]
pub const fn terms() -> &'static [Term] {
    &table::TERMS
}

/// Every unit, by code.
#[must_use]
pub const fn units() -> &'static [Unit] {
    &table::UNITS
}
