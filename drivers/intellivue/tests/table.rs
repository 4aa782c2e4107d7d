//! The driver's tables against the MDC table: a number is MDC's only where that says the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use orugate_protocol::mdc;

struct Row<'a> {
    key: u32,
    nom: &'a str,
    shown: &'a str,
    mdc: u32,
    evidence: &'a str,
}

fn rows(csv: &str) -> Vec<Row<'_>> {
    let rows = csv.lines().skip(1).map(|line| {
        let columns: Vec<_> = line.split(',').collect();
        let columns = match columns[..] {
            // Parameters have a place as well.
            [key, nom, name, _, mdc, source, evidence] => [key, nom, name, mdc, source, evidence],
            [key, nom, sent, mdc, source, evidence] => [key, nom, sent, mdc, source, evidence],
            _ => panic!("{line}"),
        };
        let [key, nom, shown, mdc, source, evidence] = columns[..] else { panic!("{line}") };
        assert!(!source.is_empty() && !evidence.is_empty(), "{line}");
        assert_eq!(mdc.is_empty(), !source.contains("mdc"), "{line}");
        let key = u32::from_str_radix(key, 16).unwrap();
        Row { key, nom, shown, mdc: if mdc.is_empty() { 0 } else { mdc.parse().unwrap() }, evidence }
    });
    rows.collect()
}

/// Gases as pressures, which the public codes have no more.
const WITHDRAWN: [u32; 7] = [151_724, 151_728, 151_732, 151_736, 151_740, 151_748, 151_752];

#[test]
fn each_parameter_is_the_term_that_it_says() {
    let rows = rows(include_str!("../tables/parameters.csv"));
    let mut proven = 0;
    for row in &rows {
        let name = row.nom.strip_prefix("NOM_").unwrap();
        if row.mdc == 0 {
            // What the table has under the same number would have to have another name.
            let same = mdc::term(0x2_0000 + row.key).is_some_and(|term| term.refid == format!("MDC_{name}"));
            assert!(!same, "{name} is proven and not used");
            continue;
        }
        proven += 1;
        let term = mdc::term(row.mdc).unwrap_or_else(|| panic!("{name}: {} is not in the table", row.mdc));
        let names: Vec<_> = [term.refid].into_iter().chain(term.also.iter().copied()).collect();
        let own = names.contains(&&*format!("MDC_{name}"));
        let same = row.mdc == 0x2_0000 + row.key;
        match row.evidence {
            "same number and same name" => assert!(own && same, "{name} {names:?}"),
            "same number and a shorter name" => assert!(same && !own, "{name} {names:?}"),
            "same name; its number changed in 2025" => assert!(own && !same, "{name} {names:?}"),
            // Both the pressure and the concentration of a gas are one term now.
            "its number was withdrawn by 2025: the concentration's takes the same units" => {
                assert_eq!(term.refid, format!("MDC_CONC_{name}"));
                let units = mdc::term(0x2_0000 + row.key).map_or(&[][..], |term| term.device_units);
                assert!(units.iter().all(|unit| term.units.contains(unit)), "{name} {units:?}");
            }
            other => panic!("{name}: {other}"),
        }
        assert!(!mdc::is_private(row.mdc) && !WITHDRAWN.contains(&row.mdc), "{name}");
    }
    assert!(proven > 200, "{proven} of {}", rows.len());
    // No two rows are one term.
    let mut terms: Vec<_> = rows.iter().map(|row| row.mdc).filter(|mdc| *mdc != 0).collect();
    terms.sort_unstable();
    assert!(terms.windows(2).all(|two| two[0] < two[1]));
}

#[test]
fn each_unit_is_the_unit_that_it_says() {
    let rows = rows(include_str!("../tables/units.csv"));
    for row in rows.iter().filter(|row| row.mdc != 0) {
        let unit =
            mdc::unit(row.mdc).unwrap_or_else(|| panic!("{}: {} is not in the table", row.nom, row.mdc));
        let names: Vec<_> = [unit.refid].into_iter().chain(unit.also.iter().copied()).collect();
        let name = row.nom.strip_prefix("NOM_DIM_").unwrap();
        let own = names.contains(&&*format!("MDC_DIM_{name}"))
            || names.contains(&&*format!("MDC_DIM_{}", name.replacen("X_", "", 1)));
        let same = row.mdc == 0x4_0000 + row.key;
        match row.evidence {
            "same number and same name" => assert!(own && same, "{name} {names:?}"),
            // As the guide writes them, not as it names them.
            _ => assert!(
                [(0x1020, "dyn.s/cm5"), (0x1780, "dyn.s.m2/cm5")].contains(&(row.key, unit.ucum)),
                "{name}: {}",
                row.evidence
            ),
        }
        assert_eq!(factor(row.shown), factor(unit.ucum), "{name}: {} is {}", row.shown, unit.ucum);
    }
}

/// A unit's spelling brought to one form, so that a litre is no millilitre.
fn factor(text: &str) -> String {
    let mut text = text.replace("mm[Hg]", "mmHg").replace("cm[H2O]", "cmH2O").replace("mBar", "mbar");
    for (from, to) in [
        ("cmH2O/l/sec", "cmH2O.s/l"),
        ("{beat}/min", "bpm"),
        ("{breath}/min", "rpm"),
        ("{pulse}/min", "puls/min"),
        ("Dyn-sec/cm^5", "dyn.s/cm5"),
        ("DS*m2/cm5", "dyn.s.m2/cm5"),
        ("[degF]", "F"),
        ("Cel", "C"),
        ("[in_i]", "in"),
        ("[lb_av]", "lb"),
        ("[oz_av]", "oz"),
        ("[pH]", "pH"),
        ("{unknown}", ""),
        ("%{pcv}", "%PCV"),
        ("{beat}", "beat"),
        ("{breath}", "breath"),
        ("sec", "s"),
        ("hrs", "h"),
        ("hour", "h"),
        ("days", "d"),
        ("day", "d"),
        ("Ohm", "ohm"),
        ("{Score}", ""),
        ("eq", "Eq"),
        ("(s)", "s"),
    ] {
        text = text.replace(from, to);
    }
    let text = text.replace('l', "L").replace("moL", "mol");
    if text == "1" { String::new() } else { text }
}
