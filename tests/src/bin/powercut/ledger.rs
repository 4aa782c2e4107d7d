//! What was offered, acknowledged, received and held, and whether that balances.
//!
//! Promises that a result counts as acknowledged only once the ACK of the frame with its last byte was read, outside
//! the machine; that each is known by a test code which no other has, so that a result which arrives with another
//! specimen or value than it was sent with is noticed; and that nothing here knows how the gateway stores.

use orugate::engine::Received;
use orugate_tests::oru;
use std::collections::{BTreeMap, BTreeSet};

/// One result that an instrument sent.
#[derive(Clone, Debug)]
struct Offered {
    /// Empty when the instrument read no barcode.
    sample: String,
    value: String,
    acknowledged: bool,
    /// How often its message was begun: an instrument that was cut off sends it again, and what came before the cut is
    /// delivered as an incomplete message (docs/faults.md, outcomes i and d), so it may come so often.
    begun: usize,
}

/// By test code.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    results: BTreeMap<String, Offered>,
    /// ACKs for frames.
    pub(crate) frames: u64,
    /// Connections that broke within a message.
    pub(crate) broken: u64,
    /// Messages that were sent again from their beginning.
    pub(crate) again: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Balance {
    pub(crate) acknowledged: usize,
    pub(crate) arrived: usize,
    pub(crate) held: usize,
    /// Acknowledged, and neither at the engine nor held.
    pub(crate) lost: Vec<String>,
    /// At the engine as no instrument sent it.
    pub(crate) wrong: Vec<String>,
    /// At the engine in more messages than its instrument sent.
    pub(crate) double: Vec<String>,
    /// At the engine in several messages, as its instrument sent several.
    pub(crate) repeated: usize,
    /// MSH-10 with more than one body.
    pub(crate) conflicts: Vec<String>,
    /// Messages that came again, byte for byte.
    pub(crate) resent: u64,
}

impl Balance {
    pub(crate) const fn is_good(&self) -> bool {
        self.lost.is_empty() && self.wrong.is_empty() && self.double.is_empty() && self.conflicts.is_empty()
    }
}

impl Ledger {
    pub(crate) fn offer(&mut self, code: &str, sample: &str, value: &str) {
        let result =
            Offered { sample: sample.to_owned(), value: value.to_owned(), acknowledged: false, begun: 0 };
        self.results.insert(code.to_owned(), result);
    }

    /// The first frame of a message with these results goes out, for the first time or again.
    pub(crate) fn begin<'c>(&mut self, codes: impl Iterator<Item = &'c String>) {
        for code in codes {
            if let Some(result) = self.results.get_mut(code) {
                result.begun += 1;
            }
        }
    }

    /// The ACK for a frame that ended these results.
    pub(crate) fn acknowledge(&mut self, codes: &[String]) {
        self.frames += 1;
        for code in codes {
            if let Some(result) = self.results.get_mut(code) {
                result.acknowledged = true;
            }
        }
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.results.values().filter(|result| result.acknowledged).count()
    }

    /// Weighs it against what the engine has and what `orugate holds list` says.
    pub(crate) fn balance(&self, received: &[Received], holds: &str) -> Balance {
        let mut balance = Balance { acknowledged: self.acknowledged(), ..Balance::default() };
        let mut arrived: BTreeMap<String, usize> = BTreeMap::new();
        for message in received {
            balance.resent += u64::from(message.times - 1);
            if message.other_bodies > 0 {
                balance.conflicts.push(String::from_utf8_lossy(&message.id).into_owned());
            }
            for seen in oru::results(&message.bytes) {
                let sent = self.results.get(&seen.code);
                if sent.is_none_or(|sent| sent.sample != seen.sample || sent.value != seen.value) {
                    balance.wrong.push(format!("{} {} {}", seen.sample, seen.code, seen.value));
                } else {
                    *arrived.entry(seen.code).or_default() += 1;
                }
            }
        }
        for (code, times) in &arrived {
            let sent = self.results.get(code).map_or(0, |result| result.begun);
            if *times > sent {
                balance.double.push(code.clone());
            } else if *times > 1 {
                balance.repeated += 1;
            }
        }
        // Whatever its layout, the list names the codes that wait.
        let held: BTreeSet<&str> =
            holds.split_whitespace().filter(|word| self.results.contains_key(*word)).collect();
        balance.arrived = arrived.len();
        balance.held = held.iter().filter(|code| !arrived.contains_key(**code)).count();
        let missing = self.results.iter().filter(|(code, result)| {
            result.acknowledged && !arrived.contains_key(*code) && !held.contains(code.as_str())
        });
        balance.lost = missing.map(|(code, _)| code.clone()).collect();
        balance
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(id: &str, code: &str, value: &str) -> Received {
        let bytes = format!(
            "MSH|^~\\&|A|B|C|D|20261122||ORU^R01^ORU_R01|{id}|P|2.5.1\rOBX|1|NM|{code}^^L||{value}|\rSPM|1|S1\r"
        );
        Received { id: id.into(), bytes: bytes.into_bytes(), times: 1, other_bodies: 0 }
    }

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        for (code, sample) in [("K1", "S1"), ("K2", "S1"), ("K3", ""), ("K4", "S1")] {
            ledger.offer(code, sample, "7");
        }
        ledger.begin(["K1", "K2", "K3", "K4"].map(str::to_owned).iter());
        ledger.acknowledge(&["K1".to_owned(), "K2".to_owned(), "K3".to_owned()]);
        ledger
    }

    #[test]
    fn what_arrived_or_is_held_balances() {
        let came = [received("M1", "K1", "7"), received("M2", "K2", "7")];
        let balance = ledger().balance(&came, "17  analyzer  no-sample-id\n    K3\n");
        assert!(balance.is_good(), "{balance:?}");
        assert_eq!((balance.acknowledged, balance.arrived, balance.held), (3, 2, 1));
    }

    #[test]
    fn each_kind_of_harm_is_noticed() {
        let good = [received("M1", "K1", "7"), received("M2", "K2", "7")];
        let lost = ledger().balance(&good[..1], "K3");
        assert_eq!(lost.lost, ["K2"]);
        let forgotten = ledger().balance(&good, "No holds.");
        assert_eq!(forgotten.lost, ["K3"]);
        let changed = ledger().balance(&[received("M1", "K1", "8")], "K2 K3");
        assert_eq!((changed.wrong.len(), changed.lost.as_slice()), (1, &["K1".to_owned()][..]));
        let double = ledger().balance(&[good[0].clone(), good[1].clone(), received("M3", "K1", "7")], "K3");
        assert_eq!(double.double, ["K1"]);
        let mut again = ledger();
        again.begin([&"K1".to_owned()].into_iter());
        let again = again.balance(&[good[0].clone(), good[1].clone(), received("M3", "K1", "7")], "K3");
        assert_eq!((again.is_good(), again.repeated), (true, 1));
        let mut twice = good.clone();
        (twice[0].times, twice[0].other_bodies) = (2, 1);
        let conflict = ledger().balance(&twice, "K3");
        assert_eq!((conflict.conflicts.as_slice(), conflict.resent), (&["M1".to_owned()][..], 1));
    }
}
