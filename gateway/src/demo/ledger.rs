//! Three counts of the same results, made in three places that know nothing of each other.

use super::way::Way;
use crate::engine::Engine;
use crate::run::Gateway;
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

    /// Prints the table; true when nothing is missing and nothing is double.
    pub(super) fn print(&self, gateway: &Gateway, engine: &Engine, way: &Way) -> bool {
        let mut balanced = true;
        let mut sent = 0;
        way.say(&row("RESULTS", ["sent by", "in the", "of them to", "", "", "not re-", ""]));
        way.say(&row("", ["analyzer", "journal", "the engine", "held", "qc", "portable", "difference"]));
        let state = gateway.store.state();
        let counts: BTreeMap<&str, _> = state.ledger().collect();
        for (name, results) in &self.0 {
            let c = counts.get(name).copied().copied().unwrap_or_default();
            let difference = results.cast_signed() - c.observations.cast_signed() + c.difference();
            balanced &= difference == 0;
            sent += c.sent;
            let numbers =
                [*results, c.observations, c.sent, c.held, c.qc, c.not_reportable].map(|n| n.to_string());
            let [a, b, c, d, e, f] = &numbers;
            way.say(&row(name, [a, b, c, d, e, f, &difference.to_string()]));
        }
        let held = engine.counts();
        let doubled = held.messages - held.distinct;
        balanced &= held.observations == sent && held.conflicts == 0;
        way.say(&format!(
            "\nThe engine holds {} results in {} messages: difference {}. Messages that came to it twice: {doubled}.",
            held.observations,
            held.distinct,
            sent.cast_signed() - held.observations.cast_signed()
        ));
        for (number, open) in state.holds() {
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
    format!("{name:<14} {sent:>9} {journal:>8} {engine:>11} {held:>5} {qc:>4} {not:>9} {difference:>11}")
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
