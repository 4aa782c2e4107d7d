//! What the label of a channel makes of its values.
//!
//! Promises: a label's name as monitors show it, and MDC codes where the table of 11073-10101 has that very site. Leaves out
//! any guess: a label without a row has neither, and its number is told.

use crate::table::Part;

/// A pressure's site and its three codes, 0 where there is none.
pub(crate) struct PressureLabel {
    pub(crate) name: &'static str,
    systolic: u32,
    diastolic: u32,
    mean: u32,
}

impl PressureLabel {
    pub(crate) const fn code(&self, part: Part) -> u32 {
        match part {
            Part::Systolic => self.systolic,
            Part::Diastolic => self.diastolic,
            Part::Mean => self.mean,
        }
    }
}

/// Three codes that follow each other.
const fn site(name: &'static str, systolic: u32) -> PressureLabel {
    PressureLabel { name, systolic, diastolic: systolic.saturating_add(1), mean: systolic.saturating_add(2) }
}

const fn unknown(name: &'static str) -> PressureLabel {
    PressureLabel { name, systolic: 0, diastolic: 0, mean: 0 }
}

const PRESSURES: &[(u16, PressureLabel)] = &[
    (0, unknown("")),
    (1, site("ART", 150033)),
    (2, site("CVP", 150085)),
    (3, site("PA", 150045)),
    (4, site("RAP", 150069)),
    (5, site("RVP", 150105)),
    (6, site("LAP", 150065)),
    (7, site("ICP", 153609)),
    (8, site("ABP", 150037)),
    (9, unknown("P1")),
    (10, unknown("P2")),
    (11, unknown("P3")),
    (12, unknown("P4")),
    (13, unknown("P5")),
    (14, unknown("P6")),
    (15, unknown("SP")),
    (16, unknown("FEM")),
    (17, site("UAC", 150057)),
    (18, site("UVC", 150089)),
    (19, unknown("ICP2")),
    (20, unknown("P7")),
    (21, unknown("P8")),
    (22, unknown("FEMV")),
];

/// A temperature's site and code, 0 where there is none.
const TEMPERATURES: &[(u16, (&str, u32))] = &[
    (0, ("", 150344)),
    (1, ("ESO", 150372)),
    (2, ("NASO", 150380)),
    (3, ("TYMP", 150392)),
    (4, ("RECT", 188420)),
    (5, ("BLAD", 0)),
    (6, ("AXIL", 188496)),
    (7, ("SKIN", 150388)),
    (8, ("AIRW", 150356)),
    (9, ("ROOM", 188508)),
    (10, ("MYO", 188500)),
    (11, ("T1", 150344)),
    (12, ("T2", 150344)),
    (13, ("T3", 150344)),
    (14, ("T4", 150344)),
    (15, ("CORE", 150368)),
    (16, ("SURF", 0)),
];

/// An agent with its codes, end-tidal and inspired; 0 where there is none.
const AGENTS: &[(u16, (&str, u32, u32))] = &[
    (0, ("", 0, 0)),
    (1, ("NONE", 0, 0)),
    (2, ("HAL", 152092, 152176)),
    (3, ("ENF", 152088, 152172)),
    (4, ("ISO", 152100, 152184)),
    (5, ("DES", 152084, 152168)),
    (6, ("SEV", 152096, 152180)),
];

/// ST codes by lead, as the three user channels name them.
const LEADS: &[(u16, (&str, u32))] = &[
    (1, ("I", 131841)),
    (2, ("II", 131842)),
    (3, ("III", 131901)),
    (4, ("aVR", 131902)),
    (5, ("aVL", 131903)),
    (6, ("aVF", 131904)),
    (7, ("V", 131927)),
];

/// Saturations by the label of SpO2 and SvO2 groups.
const SATURATIONS: &[(u16, (&str, u32))] = &[(0, ("SO2", 0)), (1, ("SaO2", 150324)), (2, ("SvO2", 150332))];

fn find<T>(table: &'static [(u16, T)], label: u16) -> Option<&'static T> {
    table.iter().find(|(known, _)| *known == label).map(|(_, row)| row)
}

pub(crate) fn pressure(label: u16) -> Option<&'static PressureLabel> {
    find(PRESSURES, label)
}

pub(crate) fn temperature(label: u16) -> Option<(&'static str, u32)> {
    find(TEMPERATURES, label).copied()
}

pub(crate) fn agent(label: u16) -> Option<(&'static str, u32, u32)> {
    find(AGENTS, label).copied()
}

pub(crate) fn saturation(label: u16) -> Option<(&'static str, u32)> {
    find(SATURATIONS, label & 3).copied()
}

/// The lead of user channel 1 to 3. Channel 1 stands in the upper of the three half-bytes: recorded records have ST1 equal to
/// the 12-lead value of the lead that is named there.
pub(crate) fn lead(label: u16, channel: u8) -> Option<(&'static str, u32)> {
    let shift = match channel {
        1 => 8,
        2 => 4,
        _ => 0,
    };
    find(LEADS, (label >> shift) & 0x0F).copied()
}

/// By what the monitor counts the rate that it shows: bits 3 to 6 of the ECG's status.
pub(crate) const fn heart_rate_source(status: u32) -> &'static str {
    match (status >> 3) & 0x0F {
        1 => "ECG",
        2 => "P1",
        3 => "P2",
        4 => "P3",
        5 => "P4",
        6 => "SpO2",
        7 => "P5",
        8 => "P6",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orugate_protocol::mdc;

    /// What the reference id of a code must be; 0 is none.
    fn named(code: u32) -> &'static str {
        if code == 0 { "" } else { mdc::term(code).map_or("not in the table", |term| term.refid) }
    }

    #[test]
    fn each_label_has_the_term_of_its_own_site() {
        let sites = [
            ("ART", "MDC_PRESS_BLD_ART"),
            ("CVP", "MDC_PRESS_BLD_VEN_CENT"),
            ("PA", "MDC_PRESS_BLD_ART_PULM"),
            ("RAP", "MDC_PRESS_BLD_ATR_RIGHT"),
            ("RVP", "MDC_PRESS_BLD_VENT_RIGHT"),
            ("LAP", "MDC_PRESS_BLD_ATR_LEFT"),
            ("ICP", "MDC_PRESS_INTRA_CRAN"),
            ("ABP", "MDC_PRESS_BLD_ART_ABP"),
            ("UAC", "MDC_PRESS_BLD_ART_UMB"),
            ("UVC", "MDC_PRESS_BLD_VEN_UMB"),
        ];
        for (_, row) in PRESSURES {
            let site = sites.iter().find(|(name, _)| *name == row.name).map(|(_, site)| *site);
            for (part, end) in [(Part::Systolic, "SYS"), (Part::Diastolic, "DIA"), (Part::Mean, "MEAN")] {
                let expected = site.map_or_else(String::new, |site| format!("{site}_{end}"));
                assert_eq!(named(row.code(part)), expected, "{}", row.name);
            }
        }
        for (_, (lead, code)) in LEADS {
            assert_eq!(named(*code), format!("MDC_ECG_AMPL_ST_{}", lead.to_uppercase()));
        }
        for (_, (name, et, inspired)) in AGENTS.iter().filter(|row| row.1.1 != 0) {
            for (code, end) in [(*et, "ET"), (*inspired, "INSP")] {
                let agent = named(code).strip_prefix("MDC_CONC_AWAY_").and_then(|id| id.strip_suffix(end));
                assert!(agent.is_some_and(|agent| agent.starts_with(name)), "{name} {code} {agent:?}");
            }
        }
        let places = [
            ("", "MDC_TEMP"),
            ("ESO", "MDC_TEMP_ESOPH"),
            ("NASO", "MDC_TEMP_NASOPH"),
            ("AIRW", "MDC_TEMP_AWAY"),
            ("T1", "MDC_TEMP"),
            ("T2", "MDC_TEMP"),
            ("T3", "MDC_TEMP"),
            ("T4", "MDC_TEMP"),
        ];
        for (_, (name, code)) in TEMPERATURES.iter().filter(|row| row.1.1 != 0) {
            let place = places.iter().find(|(label, _)| label == name).map(|(_, id)| (*id).to_owned());
            assert_eq!(named(*code), place.unwrap_or_else(|| format!("MDC_TEMP_{name}")));
        }
        for (_, (name, code)) in SATURATIONS.iter().filter(|row| row.1.1 != 0) {
            assert_eq!(named(*code), if *name == "SaO2" { "MDC_SAT_O2_ART" } else { "MDC_SAT_O2_VEN" });
        }
    }
}
