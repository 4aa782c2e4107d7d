//! What a result shows besides itself, and what a profile's examples show: by the ORUs that come of them.
//!
//! Promises the same rule for an example and for what was sent to a destination, so that what an example shows is what a
//! session is to see.

use crate::profiles::examples::{Difference, differences};
use crate::records::Shows;
use crate::replay::{How, Totals, hear, replay};
use orugate_driver::Profile;
use orugate_protocol::time::Utc;
use std::collections::BTreeSet;

/// What one example gives.
#[derive(Clone, Debug)]
pub struct ExampleRun {
    /// What it is said to show.
    pub shows: String,
    /// How that differs from what it says.
    pub difference: Option<Difference>,
    /// Its results by where they go.
    pub totals: Totals,
    /// What the results in it show besides themselves.
    pub seen: BTreeSet<Shows>,
    /// Codes of the results that would be sent.
    pub codes: BTreeSet<String>,
    /// Why results are no patient's, are held or are not reportable: what `orugate replay` says.
    pub reasons: BTreeSet<String>,
}

/// What a profile's examples show.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// One for each.
    pub examples: Vec<ExampleRun>,
}

impl Coverage {
    /// What is to be seen with the analyzer itself.
    #[must_use]
    pub fn wanted(&self) -> Vec<Shows> {
        let always = [Shows::Control, Shows::Blank, Shows::Calibration, Shows::Flag];
        let seen = self.examples.iter().flat_map(|example| example.seen.iter().copied());
        always.into_iter().chain(seen).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Codes of results that would be sent.
    #[must_use]
    pub fn codes(&self) -> BTreeSet<String> {
        self.examples.iter().flat_map(|example| example.codes.iter().cloned()).collect()
    }
}

/// Runs a profile's examples, each through its driver and the conversion to ORUs.
#[must_use]
pub fn coverage(profile: &dyn Profile) -> Coverage {
    let mut differences = differences(profile);
    let examples = profile.common().examples.iter().enumerate().map(|(number, example)| {
        let heard = hear(profile, &profile.example_bytes(&example.input), &[]);
        let (mut text, mut seen, mut codes) = (String::new(), BTreeSet::new(), BTreeSet::new());
        let totals = replay(profile, &heard, &How::at(Utc(0)), &mut text, &mut |oru| {
            let oru = String::from_utf8_lossy(oru);
            let segments: Vec<&str> = oru.split('\r').collect();
            for (at, obx) in segments.iter().enumerate().filter(|(_, segment)| segment.starts_with("OBX|")) {
                seen.extend(shows_of(obx, segments.get(at + 1).is_some_and(|next| next.starts_with("NTE|"))));
                codes.insert(vendor_code(obx).to_owned());
            }
        });
        let reason =
            |line: &&str| line.starts_with("qc ") || line.starts_with("hold ") || line.starts_with("note ");
        let at = differences.iter().position(|difference| difference.number == number);
        ExampleRun {
            shows: example.shows.clone(),
            difference: at.map(|at| differences.swap_remove(at)),
            totals,
            seen,
            codes,
            reasons: text.lines().filter(reason).map(str::to_owned).collect(),
        }
    });
    Coverage { examples: examples.collect() }
}

/// What the instrument calls the test: OBX-3.1, or OBX-3.4 where a map has put its own before it.
fn vendor_code(obx: &str) -> &str {
    let code = field(obx, 3);
    let part = |number: usize| code.split('^').nth(number).unwrap_or_default();
    if part(2) == "LN" && !part(3).is_empty() { part(3) } else { part(0) }
}

/// What a result shows besides itself, by its OBX and whether an NTE is under it.
#[must_use]
pub fn shows_of(obx: &str, remark: bool) -> Vec<Shows> {
    let (kind, value) = (field(obx, 2), field(obx, 5));
    let flags = field(obx, 8);
    let normal = flags.is_empty() || flags.split('~').all(|flag| flag.split('^').next() == Some("N"));
    let is_number = value.bytes().any(|b| b.is_ascii_digit());
    let all = [
        (Shows::Flag, !normal),
        (Shows::Below, value.starts_with('<')),
        (Shows::Above, value.starts_with('>')),
        (Shows::Text, !value.is_empty() && !is_number && kind != "SN"),
        (Shows::Remark, remark),
        (Shows::Preliminary, field(obx, 11) == "P"),
    ];
    all.into_iter().filter(|(_, is)| *is).map(|(shows, _)| shows).collect()
}

/// A field of a segment that is not MSH.
pub(super) fn field(segment: &str, number: usize) -> &str {
    segment.split('|').nth(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use orugate_driver::Feed;

    #[test]
    fn what_an_obx_shows() {
        for (obx, remark, shows) in [
            ("OBX|1|NM|GLU||5.4|mmol/L|||||F", false, &[][..]),
            ("OBX|1|NM|GLU||5.4|mmol/L||N|||F", true, &[Shows::Remark]),
            ("OBX|1|NM|GLU||5.4|mmol/L||N^Normal^HL70078~H|||F", false, &[Shows::Flag]),
            ("OBX|1|ST|GLU||<0.2|mmol/L||L|||P", false, &[Shows::Flag, Shows::Below, Shows::Preliminary]),
            ("OBX|1|SN|GLU||>^40|mmol/L|||||F", false, &[Shows::Above]),
            ("OBX|1|ST|HCV||reactive||||||F", false, &[Shows::Text]),
            ("OBX|1|ST|HCV||||||||X", false, &[]),
        ] {
            assert_eq!(shows_of(obx, remark), shows, "{obx}");
        }
        assert_eq!(vendor_code("OBX|1|NM|2345-7^Glucose^LN^GLU^^99X||5"), "GLU");
        assert_eq!(vendor_code("OBX|1|NM|GLU^Glucose^99X||5"), "GLU");
    }

    #[test]
    fn the_examples_of_each_shipped_profile_say_what_they_show() {
        let mut shown = BTreeSet::new();
        for name in orugate_drivers::SHIPPED.names() {
            let profile = crate::profiles::find(&orugate_drivers::SHIPPED, name).unwrap();
            // What a bedside device says is compared with its screen at the bed, not here.
            if profile.feed() != Feed::Results {
                continue;
            }
            let coverage = coverage(&*profile);
            assert_eq!(coverage.examples.len(), profile.common().examples.len(), "{name}");
            for example in &coverage.examples {
                assert!(example.difference.is_none(), "{name}: {}", example.shows);
                assert_eq!(example.codes.is_empty(), example.totals.sent == 0, "{name}: {}", example.shows);
            }
            shown.extend(coverage.wanted());
        }
        assert!(shown.len() > 6, "{shown:?}");
    }
}
