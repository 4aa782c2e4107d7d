//! Counts of the same results and values, made in places that know nothing of each other.

use super::ward::{self, AtEngine, DEVICES};
use super::way::Way;
use crate::engine::Engine;
use crate::run::Gateway;
use crate::state::Counts;
use std::collections::BTreeMap;

/// Result records that the simulators sent, by instrument.
#[derive(Default)]
pub(super) struct Ledger(BTreeMap<&'static str, u64>);

/// Result records in an example, counted from its text: lines that begin with `R|`, a frame's start apart.
pub(super) fn r_records(input: &str) -> u64 {
    let records = input.split(['\n', '\r']).map(|line| {
        let line = line.trim_start();
        // `<STX>4R|...` in a script; the frame number is one digit.
        line.strip_prefix("<STX>").map_or(line, |l| l.trim_start_matches(|c: char| c.is_ascii_digit()))
    });
    records.filter(|r| r.starts_with("R|")).count() as u64
}

impl Ledger {
    /// An instrument sent so many.
    pub(super) fn add(&mut self, instrument: &'static str, results: u64) {
        *self.0.entry(instrument).or_default() += results;
    }

    /// What the journal and the engine hold at one moment; `None` while something is on its way between them.
    pub(super) fn count(&self, gateway: &Gateway, engine: &Engine) -> Option<Counted<'_>> {
        let state = gateway.store.state();
        if !super::drained(&state) {
            return None;
        }
        let journal = state.ledger().map(|(name, counts)| (name.to_owned(), *counts)).collect();
        let (bedside, results) = ward::at_engine(engine);
        let held = engine.counts();
        let (distinct, doubled) = (held.distinct, held.messages - held.distinct);
        Some(Counted {
            sent: &self.0,
            journal,
            bedside,
            results,
            distinct,
            doubled,
            conflicts: held.conflicts,
        })
    }
}

/// All counts.
pub(super) struct Counted<'l> {
    sent: &'l BTreeMap<&'static str, u64>,
    journal: BTreeMap<String, Counts>,
    bedside: BTreeMap<String, AtEngine>,
    /// Results of analyzers that the engine holds.
    results: u64,
    distinct: u64,
    doubled: u64,
    conflicts: u64,
}

impl Counted<'_> {
    /// Prints the tables; true when nothing is missing and nothing is double.
    pub(super) fn print(&self, gateway: &Gateway, way: &Way) -> bool {
        let mut balanced = self.conflicts == 0;
        let mut sent = 0;
        way.say(&row("RESULTS", ["sent by", "in the", "of them to", "", "", "not re-", ""]));
        way.say(&row("", ["analyzer", "journal", "the engine", "held", "qc", "portable", "difference"]));
        let of = |name: &str| self.journal.get(name).copied().unwrap_or_default();
        for (name, results) in self.sent {
            let c = of(name);
            let difference = results.cast_signed() - c.observations.cast_signed() + c.difference();
            balanced &= difference == 0;
            sent += c.sent;
            let numbers =
                [*results, c.observations, c.sent, c.held, c.qc, c.not_reportable].map(|n| n.to_string());
            let [a, b, c, d, e, f] = &numbers;
            way.say(&row(name, [a, b, c, d, e, f, &difference.to_string()]));
        }
        balanced &= self.results == sent;
        way.say(&row("VALUES", ["parameters", "arrived", "in journal", "engine", "", "gaps", "difference"]));
        for name in DEVICES {
            let none = AtEngine::default();
            let (c, engine) = (of(name), self.bedside.get(name).unwrap_or(&none));
            let has = ward::parameters(name);
            let difference = c.sent.cast_signed() - engine.values.cast_signed() + c.difference();
            balanced &= difference == 0 && has == engine.parameters && engine.gaps == 0;
            let numbers = [has as u64, engine.parameters as u64, c.sent, engine.values, engine.gaps];
            let [a, b, c, d, e] = &numbers.map(|n| n.to_string());
            way.say(&row(name, [a, b, c, d, "", e, &difference.to_string()]));
        }
        way.say(&format!(
            "\nThe engine holds {} results and {} snapshots in {} messages: difference {}. Messages that came to it twice: {}.",
            self.results,
            self.bedside.values().map(|device| device.snapshots).sum::<u64>(),
            self.distinct,
            sent.cast_signed() - self.results.cast_signed(),
            self.doubled
        ));
        for (number, open) in gateway.store.state().holds() {
            way.say(&format!(
                "Hold {number} of {} waits for a person: {}",
                open.hold.instrument, open.hold.sentence
            ));
        }
        way.say(if balanced { "\nThe ledger balances." } else { "\nTHE LEDGER DOES NOT BALANCE." });
        balanced
    }
}

/// A line of the table: numbers below the end of their heading.
fn row(name: &str, cells: [&str; 7]) -> String {
    let [sent, journal, engine, held, qc, not, difference] = cells;
    format!("{name:<14} {sent:>10} {journal:>8} {engine:>11} {held:>6} {qc:>4} {not:>9} {difference:>11}")
}

#[cfg(test)]
mod tests {
    use super::r_records;

    #[test]
    fn counts_records_and_scripts() {
        assert_eq!(r_records("H|\\^&\nO|1|R|\nR|1|^^^A|1\nR|2|^^^B|2\nL|1|N\n"), 2);
        assert_eq!(r_records("<ENQ>\n<STX>1H|\\^&<CR><ETX><CS>\n<STX>2R|1|^^^A|1<CR><ETX>\n"), 1);
    }
}
