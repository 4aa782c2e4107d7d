//! What a run found: numbers for people, and what is wrong by counts and ratios.

use super::receiver::What;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Beside the ward, the laboratory's median and 99th percentile may be so many times what they are alone.
const LATE: f64 = 5.0;
/// Memory grows when the last third of the window has more than so many times what the middle one has: the first is that in which
/// threads get as large as they get.
const GROWN: f64 = 1.02;
const SECOND: i64 = 1_000_000;

/// What analyzers sent: milliseconds from the ENQ to the ORU at the destination.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// Without the ward.
    pub alone: Vec<f64>,
    /// In the window.
    pub beside: Vec<f64>,
    /// Samples that never came.
    pub lost: u64,
    /// Samples that came under two numbers.
    pub double: u64,
    /// What an analyzer saw that is no ACK.
    pub trouble: Option<String>,
}

/// What a run found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Monitors.
    pub monitors: usize,
    /// Ventilators.
    pub ventilators: usize,
    /// How long the window was.
    pub seconds: f64,
    /// Percent of one processor.
    pub processor: f64,
    /// The same by kind of thread.
    pub threads: Vec<(String, f64)>,
    /// KiB resident, each second.
    pub resident: Vec<u64>,
    /// Bytes an hour that the journal says that it wrote.
    pub written: f64,
    /// Bytes an hour that went to the disk, from anyone.
    pub written_to_disk: Option<f64>,
    /// The laboratory.
    pub sent: Sent,
    /// What the program said at the end, when nothing waited.
    pub status: serde_json::Value,
    /// It ended as it was told.
    pub stopped: bool,
    /// Messages that came again, byte for byte.
    pub again: u64,
    /// MSH-10 with two bodies.
    pub conflicts: u64,
    /// Messages that nobody can place.
    pub unknown: u64,
    /// Snapshots that have to come in the window.
    pub expected: usize,
    /// By device, the seconds of which none came.
    pub missing: BTreeMap<String, Vec<i64>>,
    /// More than one came of the same second.
    pub double: usize,
    /// Milliseconds from an interval's end to the ORU at the destination.
    pub late: Vec<f64>,
    /// PCD-01 messages in all of the run.
    pub charted: usize,
}

impl Report {
    /// Looks for each device's snapshot of each second.
    pub(super) fn find(&mut self, arrivals: &[(What, i64)], devices: &BTreeSet<&str>, first: i64, last: i64) {
        let mut came: BTreeMap<(&str, i64), i64> = BTreeMap::new();
        for (what, at) in arrivals {
            let What::Snapshot { device, end } = what else { continue };
            self.charted += 1;
            if (first..=last).contains(end) {
                // A second one of it is what was withdrawn since.
                self.double += usize::from(came.contains_key(&(device.as_str(), *end)));
                came.entry((device, *end)).or_insert(*at);
            }
        }
        for device in devices {
            for end in first..=last {
                self.expected += 1;
                match came.get(&(device, end)) {
                    Some(at) => self.late.push((at - end * SECOND) as f64 / 1000.0),
                    None => self.missing.entry((*device).to_owned()).or_default().push(end),
                }
            }
        }
    }

    /// Snapshots that did not come.
    #[must_use]
    pub fn missed(&self) -> usize {
        self.missing.values().map(Vec::len).sum()
    }

    /// A sum over all instruments' ports.
    fn of_ports(&self, what: &str) -> u64 {
        let all = self.status["instruments"].as_array().into_iter().flatten();
        all.filter_map(|instrument| instrument["port"][what].as_u64()).sum()
    }

    /// Intervals that the program itself says that it missed.
    #[must_use]
    pub fn missed_by_its_own_count(&self) -> u64 {
        self.of_ports("missed")
    }

    /// Parts that it left out.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.of_ports("left_out")
    }

    /// A number of a destination.
    fn of(&self, destination: &str, what: &str) -> u64 {
        let all = self.status["destinations"].as_array().into_iter().flatten();
        let one = all.filter(|one| one["name"] == destination).map(|one| &one[what]);
        one.filter_map(|value| value.as_u64().or_else(|| value.as_array().map(|all| all.len() as u64))).sum()
    }

    /// Messages of the devices at the bedside that are on flash, in all of the run.
    #[must_use]
    pub fn stored(&self) -> u64 {
        let all = self.status["instruments"].as_array().into_iter().flatten();
        let ward = all.filter(|one| one["name"].as_str().is_some_and(|name| !name.starts_with("analyzer")));
        ward.filter_map(|one| one["counts"]["messages"].as_u64()).sum()
    }

    /// What of it is wrong whatever the machine: nothing here is a time. Missed intervals are not among it, since a machine that
    /// is too slow misses them; but the program must know of each.
    #[must_use]
    pub fn lost(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut check = |so: bool, what: String| {
            if so {
                wrong.push(what);
            }
        };
        check(self.late.is_empty() || self.expected == 0, "no snapshot came".into());
        let (missed, known) = (self.missed() as u64, self.missed_by_its_own_count());
        check(missed > known, format!("{missed} snapshots did not come, and the program knows of {known}"));
        check(self.left_out() > 0, format!("{} parts were left out", self.left_out()));
        for destination in ["chart", "lis"] {
            for what in ["waiting", "parked", "given_up"] {
                let count = self.of(destination, what);
                check(
                    count > 0,
                    format!("{count} messages for {destination} are {}", what.replace('_', " ")),
                );
            }
        }
        // What comes between this count and the program's end is only in the destination's.
        let (delivered, charted) = (self.of("chart", "delivered"), self.charted as u64);
        check(
            delivered > charted,
            format!("{charted} PCD-01 messages came, and the program counts {delivered} as delivered"),
        );
        check(self.conflicts > 0, format!("{} MSH-10 have two bodies", self.conflicts));
        check(self.unknown > 0, format!("{} messages are of no device or sample", self.unknown));
        check(self.sent.beside.is_empty(), "no laboratory result was timed".into());
        check(self.sent.lost > 0, format!("{} laboratory samples did not come", self.sent.lost));
        check(self.sent.double > 0, format!("{} laboratory samples came twice", self.sent.double));
        if let Some(trouble) = &self.sent.trouble {
            check(true, format!("an analyzer: {trouble}"));
        }
        check(!self.stopped, "the program did not stop as it was told".into());
        wrong
    }

    /// What is wrong, by counts and by ratios.
    #[must_use]
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = self.lost();
        if self.missed() > 0 {
            let first: Vec<_> =
                self.missing.iter().take(3).map(|(d, s)| format!("{d} {}", s.len())).collect();
            wrong.push(format!("{} snapshots were missed ({} ...)", self.missed(), first.join(", ")));
        }
        if self.grew() {
            wrong.push("memory grew from the middle third of the window to the last".into());
        }
        for (what, q) in [("median", 0.5), ("99th percentile", 0.99)] {
            let times = quantile(&self.sent.beside, q) / quantile(&self.sent.alone, q);
            if times > LATE {
                wrong.push(format!(
                    "the laboratory's {what} is {times:.1} times what it is alone; allowed is {LATE}"
                ));
            }
        }
        wrong
    }

    fn thirds(&self) -> [f64; 3] {
        let size = self.resident.len().div_ceil(3).max(1);
        let mut thirds = self.resident.chunks(size);
        let mut mean = || {
            let third = thirds.next().unwrap_or_default();
            third.iter().sum::<u64>() as f64 / third.len().max(1) as f64 / 1024.0
        };
        [mean(), mean(), mean()]
    }

    fn grew(&self) -> bool {
        let [_, second, third] = self.thirds();
        third > second * GROWN
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} monitors and {} ventilators, a snapshot a second each, 2 analyzers: {:.0} s",
            self.monitors, self.ventilators, self.seconds
        )?;
        let threads: Vec<_> =
            self.threads.iter().filter(|(_, p)| *p >= 0.1).map(|(n, p)| format!("{n} {p:.1}")).collect();
        writeln!(f, "processor: {:.1} % of one core ({})", self.processor, threads.join(", "))?;
        let [first, second, third] = self.thirds();
        let every = self.resident.len().div_ceil(12).max(1);
        let read: Vec<_> = self.resident.iter().step_by(every).chain(self.resident.last()).collect();
        let read: Vec<_> = read.iter().map(|kib| format!("{:.1}", **kib as f64 / 1024.0)).collect();
        writeln!(
            f,
            "memory: thirds {first:.2}, {second:.2}, {third:.2} MiB; from beginning to end {}",
            read.join(" ")
        )?;
        writeln!(
            f,
            "snapshots in the window: {} expected, {} delivered, {} missed, {} seconds with two",
            self.expected,
            self.late.len(),
            self.missed(),
            self.double
        )?;
        writeln!(
            f,
            "in all of the run: {} stored, {} PCD-01 delivered and acknowledged of {} that came, {} again; {} intervals missed \
             and {} parts left out by the program's own count",
            self.stored(),
            self.of("chart", "delivered"),
            self.charted,
            self.again,
            self.missed_by_its_own_count(),
            self.left_out()
        )?;
        let (late, interval) = (&self.late, 1000.0);
        writeln!(
            f,
            "from an interval's end to the destination: p50 {:.1}, p99 {:.1}, most {:.1} ms; {} of {} took longer than an interval",
            quantile(late, 0.5),
            quantile(late, 0.99),
            quantile(late, 1.0),
            late.iter().filter(|late| **late > interval).count(),
            late.len()
        )?;
        writeln!(
            f,
            "written: {:.2} GB an hour by the journal's count, captures of the lines included; {} on the disk, from anyone",
            self.written / 1e9,
            self.written_to_disk.map_or_else(|| "not known".to_owned(), |all| format!("{:.2} GB", all / 1e9))
        )?;
        let Sent { alone, beside, .. } = &self.sent;
        for (what, q) in [("p50", 0.5), ("p99", 0.99)] {
            let (alone, beside) = (quantile(alone, q), quantile(beside, q));
            writeln!(
                f,
                "laboratory, ENQ to ORU, {what}: {alone:.1} ms alone, {beside:.1} ms beside the ward, {:.2} times",
                beside / alone
            )?;
        }
        write!(
            f,
            "laboratory samples: {} alone, {} beside the ward, {} lost",
            alone.len(),
            beside.len(),
            self.sent.lost
        )
    }
}

fn quantile(all: &[f64], q: f64) -> f64 {
    let mut all = all.to_vec();
    all.sort_by(f64::total_cmp);
    let at = (all.len().saturating_sub(1) as f64 * q).round();
    all.get(at as usize).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(device: &str, end: i64, late: i64) -> (What, i64) {
        (What::Snapshot { device: device.into(), end }, end * SECOND + late)
    }

    #[test]
    fn a_second_without_a_snapshot_is_found() {
        let mut report = Report::default();
        let arrivals =
            [snapshot("a", 10, 5000), snapshot("a", 12, 7000), snapshot("b", 10, 1), snapshot("b", 10, 2)];
        report.find(&arrivals, &BTreeSet::from(["a", "b"]), 10, 12);
        assert_eq!((report.expected, report.missed(), report.double, report.charted), (6, 3, 1, 4));
        assert_eq!(report.missing["a"], [11]);
        assert_eq!(report.missing["b"], [11, 12]);
        assert!(
            report.lost().iter().any(|wrong| wrong.contains("the program knows of 0")),
            "{:?}",
            report.lost()
        );
    }

    #[test]
    fn memory_that_grows_is_found_and_noise_is_not() {
        let of = |resident: &[u64]| Report { resident: resident.to_vec(), ..Report::default() }.grew();
        assert!(of(&[10_000, 10_000, 11_000, 11_000, 12_000, 12_000]));
        assert!(!of(&[10_000, 10_400, 10_100, 10_200, 10_200, 10_300]));
        assert!(!of(&[10_000, 10_000, 14_000, 14_000, 12_000, 12_000]));
        assert!(!of(&[]));
    }

    #[test]
    fn a_laboratory_that_is_slowed_is_found() {
        let of = |beside: f64| {
            let sent = Sent { alone: vec![2.0; 50], beside: vec![beside; 50], ..Sent::default() };
            Report { sent, ..Report::default() }.wrong().iter().filter(|w| w.contains("times")).count()
        };
        assert_eq!((of(3.0), of(11.0)), (0, 2));
    }
}
