//! Durations and sizes as people write them: `"30 days"`, `"4 GiB"`.
//!
//! Promises whole numbers with a unit that is always written, one spelling each, and errors that say how. Leaves out
//! ranges, which belong to the key, and sums such as `1 h 30 min`.

use std::time::Duration;

const SECONDS: [(&str, u64); 4] = [("s", 1), ("min", 60), ("h", 3_600), ("days", 86_400)];
const BYTES: [(&str, u64); 3] = [("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];
/// As data sheets of media have them.
const DECIMAL: [(&str, u64); 3] =
    [("GB", 1_000_000_000), ("TB", 1_000_000_000_000), ("PB", 1_000_000_000_000_000)];

/// Spellings that are not taken, and what was meant.
const MEANT: [(&str, &str); 20] = [
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("m", "min"),
    ("mins", "min"),
    ("minute", "min"),
    ("minutes", "min"),
    ("hour", "h"),
    ("hours", "h"),
    ("d", "days"),
    ("MB", "MiB"),
    ("M", "MiB"),
    ("GB", "GiB"),
    ("G", "GiB"),
    ("TB", "TiB"),
    ("T", "TiB"),
    ("TBW", "TB"),
    ("TiB", "TB"),
    ("GiB", "GB"),
];

/// Reads a duration: a whole number and `s`, `min`, `h` or `days` (`day` for one).
///
/// # Errors
/// A sentence that says what is wrong and what is allowed.
pub fn duration(text: &str) -> Result<Duration, String> {
    scaled(text, &SECONDS, "30 s").map(Duration::from_secs)
}

/// Reads a size in bytes: a whole number and `MiB`, `GiB` or `TiB`.
///
/// # Errors
/// A sentence that says what is wrong and what is allowed.
pub fn size(text: &str) -> Result<u64, String> {
    scaled(text, &BYTES, "4 GiB")
}

/// Reads what a medium is rated for, in bytes: a whole number and `GB`, `TB` or `PB`, which are powers of ten.
///
/// # Errors
/// A sentence that says what is wrong and what is allowed.
pub fn volume(text: &str) -> Result<u64, String> {
    scaled(text, &DECIMAL, "40 TB")
}

/// Writes what a medium is rated for.
#[must_use]
pub fn show_volume(bytes: u64) -> String {
    show(bytes, &DECIMAL, "bytes")
}

/// Writes whole seconds in the largest unit that divides them.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    let shown = show(duration.as_secs(), &SECONDS, "s");
    if shown == "1 days" { "1 day".to_owned() } else { shown }
}

/// Writes bytes in the largest unit that divides them.
#[must_use]
pub fn show_size(bytes: u64) -> String {
    show(bytes, &BYTES, "bytes")
}

fn show(amount: u64, units: &[(&str, u64)], smallest: &str) -> String {
    let unit = units.iter().rev().find(|(_, factor)| amount >= *factor && amount.is_multiple_of(*factor));
    unit.map_or_else(
        || format!("{amount} {smallest}"),
        |(unit, factor)| format!("{} {unit}", amount / factor),
    )
}

fn scaled(text: &str, units: &[(&str, u64)], example: &str) -> Result<u64, String> {
    let names: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
    let allowed = format!("allowed is a whole number with one of {}, such as {example:?}", names.join(", "));
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end).unwrap_or_default();
    let unit = unit.trim();
    if number.is_empty() {
        return Err(format!("{text:?} does not begin with a whole number; {allowed}"));
    }
    if unit.is_empty() {
        return Err(format!("{text:?} has no unit; {allowed}"));
    }
    if unit.starts_with(['.', ',']) {
        return Err(format!("{text:?} is not a whole number; {allowed}"));
    }
    let unit = if unit == "day" { "days" } else { unit };
    let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        let meant = MEANT
            .iter()
            .find(|(typed, meant)| *typed == unit && names.contains(meant))
            .map(|(_, meant)| *meant);
        let meant = meant.or_else(|| names.iter().copied().find(|name| name.eq_ignore_ascii_case(unit)));
        let meant = meant.map_or_else(String::new, |meant| format!("; did you mean \"{number} {meant}\"?"));
        return Err(format!("{unit:?} is not a unit here; {allowed}{meant}"));
    };
    let amount = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor));
    amount.ok_or_else(|| format!("{text:?} is too large; {allowed}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn good_ones() {
        for (text, seconds) in
            [("0 s", 0), ("10 s", 10), ("10s", 10), ("2 min", 120), ("1 h", 3_600), ("1 day", 86_400)]
        {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for (text, bytes) in [("64 MiB", 64 << 20), ("4 GiB", 4 << 30), ("2TiB", 2 << 40)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_media_are_rated_for_is_decimal() {
        assert_eq!(volume("40 TB"), Ok(40_000_000_000_000));
        for text in ["10 GB", "1500 GB", "40 TB", "2 PB"] {
            assert_eq!(show_volume(volume(text).unwrap()), text);
        }
        for (typed, meant) in [("40 TBW", "40 TB"), ("40 TiB", "40 TB"), ("40 tb", "40 TB")] {
            assert!(volume(typed).unwrap_err().ends_with(&format!("did you mean \"{meant}\"?")), "{typed}");
        }
    }

    #[test]
    fn what_is_shown_reads_back() {
        for text in ["0 s", "59 s", "90 s", "2 min", "25 h", "1 day", "30 days"] {
            assert_eq!(show_duration(duration(text).unwrap()), text);
        }
        for text in ["64 MiB", "1025 MiB", "4 GiB", "1 TiB"] {
            assert_eq!(show_size(size(text).unwrap()), text);
        }
    }

    #[test]
    fn bad_ones_say_how() {
        let texts =
            ["", "s", "10", "-1 s", "1.5 h", "1,5 h", "10 sec", "5 m", "5 H", "5 parsecs", "1 h 30 min"];
        let durations = texts.iter().map(|text| duration(text).unwrap_err());
        let sizes = ["4 GB", "4 gib", "4 s", "99999999999 TiB", "99999999999999999999 MiB"];
        let all: Vec<String> = durations.chain(sizes.iter().map(|text| size(text).unwrap_err())).collect();
        expect![[r#"
            "" does not begin with a whole number; allowed is a whole number with one of s, min, h, days, such as "30 s"
            "s" does not begin with a whole number; allowed is a whole number with one of s, min, h, days, such as "30 s"
            "10" has no unit; allowed is a whole number with one of s, min, h, days, such as "30 s"
            "-1 s" does not begin with a whole number; allowed is a whole number with one of s, min, h, days, such as "30 s"
            "1.5 h" is not a whole number; allowed is a whole number with one of s, min, h, days, such as "30 s"
            "1,5 h" is not a whole number; allowed is a whole number with one of s, min, h, days, such as "30 s"
            "sec" is not a unit here; allowed is a whole number with one of s, min, h, days, such as "30 s"; did you mean "10 s"?
            "m" is not a unit here; allowed is a whole number with one of s, min, h, days, such as "30 s"; did you mean "5 min"?
            "H" is not a unit here; allowed is a whole number with one of s, min, h, days, such as "30 s"; did you mean "5 h"?
            "parsecs" is not a unit here; allowed is a whole number with one of s, min, h, days, such as "30 s"
            "h 30 min" is not a unit here; allowed is a whole number with one of s, min, h, days, such as "30 s"
            "GB" is not a unit here; allowed is a whole number with one of MiB, GiB, TiB, such as "4 GiB"; did you mean "4 GiB"?
            "gib" is not a unit here; allowed is a whole number with one of MiB, GiB, TiB, such as "4 GiB"; did you mean "4 GiB"?
            "s" is not a unit here; allowed is a whole number with one of MiB, GiB, TiB, such as "4 GiB"
            "99999999999 TiB" is too large; allowed is a whole number with one of MiB, GiB, TiB, such as "4 GiB"
            "99999999999999999999 MiB" is too large; allowed is a whole number with one of MiB, GiB, TiB, such as "4 GiB""#]].assert_eq(&all.join("\n"));
    }
}
