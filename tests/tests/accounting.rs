//! Nothing that an example says goes nowhere unseen: each part of each field of each record of each example of each
//! profile either shows in what `orugate replay` prints, or somebody decided that it need not and wrote down why.
//!
//! Promises no knowledge of what a field means: each part is replaced by another text of the same length and kind, and
//! what is printed must change. A result that is held, quality control or not reportable is told by its line as a whole,
//! and so is a record that is kept and not reported. Leaves out what the gateway makes of a report: `patient` fields are
//! read, and a site decides whether any of them is sent.

#![allow(clippy::unwrap_used, clippy::expect_used)] // A test that cannot go on has failed.

use orugate::profiles::examples::output;
use orugate_driver::Profile;
use orugate_tests::root;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;

/// What LIS02 has in each message of each model and what no report needs. A profile adds its model's own.
const OF_LIS02: [(&str, &str); 18] = [
    ("H.3", "the message's number, of no meaning behind the gateway"),
    ("H.5", "who sends; the profile's places of it go into OBX-18"),
    ("H.10", "whom it is for"),
    ("H.13", "the standard's version"),
    ("H.14", "when the message was made: the gateway compares clocks by it"),
    (
        "P",
        "the patient: ids, name, birth and sex are read, and a site says whether one is sent; the LIS knows the rest",
    ),
    ("O.2", "a number within the message; a gap in it makes a note"),
    ("O.5", "the tests that were ordered: each result names its own"),
    ("O.6", "the order's priority, which its sender knows"),
    ("O.7", "when it was ordered, which its sender knows"),
    ("O.12", "N, A and X: an order as others; Q and C count"),
    ("O.26", "what kind of report it is: each result has a status of its own"),
    ("R.2", "a number within the message; a gap in it makes a note"),
    ("C.2", "a number within the message; a gap in it makes a note"),
    ("C.3", "whose comment it is: an instrument's"),
    ("C.5", "what kind of comment it is"),
    ("Q", "a query: what it asks for is printed, and it has nothing to report"),
    ("L", "the end; a code that says that something went wrong is printed"),
];

/// A part of an example's input that holds something.
struct Part {
    /// Where in the input; several places when a frame ends within it.
    at: Vec<usize>,
    letter: char,
    field: usize,
    component: usize,
}

impl Part {
    fn text(&self, input: &str) -> String {
        self.at.iter().filter_map(|at| input[*at..].chars().next()).collect()
    }

    /// `O`, `O.3` or `O.3.2` is where it is.
    fn is_in(&self, place: &str) -> bool {
        let mut parts = place.split('.');
        parts.next() == Some(&self.letter.to_string())
            && parts.next().is_none_or(|field| field == self.field.to_string())
            && parts.next().is_none_or(|component| component == self.component.to_string())
    }
}

/// The characters of an input's records and where they stand: link characters, frame numbers and checksums aside. A CR
/// ends a record.
fn characters(input: &str) -> Vec<(usize, char)> {
    let script = input.contains("<STX>");
    let mut found = Vec::new();
    let mut in_frame = !script;
    let mut at = 0;
    while let Some(c) = input[at..].chars().next() {
        // `<ETX>` and `<xE4>`, but not `<2.5|%||>`.
        let named = |end: &usize| {
            input[at + 1..at + end].chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == 'x')
                && (3..=4).contains(end)
        };
        let token = (script && c == '<').then(|| input[at..].find('>').filter(named)).flatten();
        if let Some(end) = token {
            match &input[at + 1..at + end] {
                "STX" => {
                    in_frame = true;
                    // The frame's number, where there are frames with numbers.
                    at += usize::from(input[at + end + 1..].starts_with(|c: char| c.is_ascii_digit()));
                }
                "CR" | "LF" if in_frame => found.push((at, '\r')),
                "ETX" | "ETB" => in_frame = false,
                _ => {}
            }
            at += end + 1;
        } else {
            if in_frame {
                found.push((at, if c == '\n' { '\r' } else { c }));
            }
            at += c.len_utf8();
        }
    }
    found
}

/// The records, as ranges of the characters, in order.
fn records(characters: &[(usize, char)]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for (n, (_, c)) in characters.iter().enumerate() {
        if *c == '\r' {
            found.push(start..n);
            start = n + 1;
        }
    }
    found.push(start..characters.len());
    found.retain(|record| !record.is_empty());
    found
}

/// The parts of each record, record by record.
fn parts(input: &str) -> Vec<Vec<Part>> {
    let characters = characters(input);
    let mut delimiters = ['|', '\\', '^'];
    let mut all = Vec::new();
    for record in records(&characters) {
        let text = &characters[record];
        let letter = text[0].1;
        let header = letter == 'H';
        if header && text.len() >= 5 {
            delimiters = [text[1].1, text[2].1, text[3].1];
        }
        let [field_at, repeat_at, component_at] = delimiters;
        let (mut field, mut component) = (1, 1);
        let mut found: Vec<Part> = vec![Part { at: Vec::new(), letter, field, component }];
        for (n, (at, c)) in text.iter().enumerate() {
            if *c == field_at {
                (field, component) = (field + 1, 1);
            } else if *c == repeat_at && !(header && field == 2) {
                component = 1;
            } else if *c == component_at && !(header && field == 2) {
                component += 1;
            } else {
                if n > 0 {
                    found.last_mut().unwrap().at.push(*at);
                }
                continue;
            }
            found.push(Part { at: Vec::new(), letter, field, component });
        }
        // The delimiters themselves decide how all else is read.
        let delimits = |part: &Part| header && part.field == 2;
        found.retain(|part| !delimits(part) && !part.text(input).trim().is_empty());
        all.push(found);
    }
    all
}

/// Another text of the same length and kind.
fn other(input: &str, part: &Part) -> String {
    let plain = part.text(input).chars().any(|c| c.is_ascii_alphanumeric());
    let mut changed = input.as_bytes().to_vec();
    for at in &part.at {
        changed[*at] = match changed[*at] {
            b'9' => b'0',
            b'z' => b'a',
            b'Z' => b'A',
            c if c.is_ascii_alphanumeric() => c + 1,
            c if plain || !c.is_ascii_graphic() => c,
            _ => b'x',
        };
    }
    String::from_utf8(changed).expect("only ASCII was changed")
}

/// The places of this profile that are known to go nowhere.
fn known(text: &str) -> Vec<String> {
    let tables = text.split("\n[").filter_map(|table| table.strip_prefix("[known]]"));
    tables.map(|table| table.split('"').nth(1).expect("a known has its place first").to_owned()).collect()
}

/// True when the record's result is told by a line that says why it is in no ORU: another code changes no segment.
fn is_told_as_a_whole(profile: &dyn Profile, input: &str, printed: &str, record: &[Part]) -> bool {
    let of_code = |part: &&Part| part.letter == 'R' && part.field == 3;
    record.iter().filter(of_code).any(|part| {
        let changed = output(profile, &other(input, part));
        let segments = |text: &str| -> Vec<String> {
            let told = |line: &&str| !["hold ", "qc ", "note "].iter().any(|start| line.starts_with(start));
            text.lines().filter(told).map(str::to_owned).collect()
        };
        changed != printed && segments(&changed) == segments(printed)
    })
}

/// Which records are told as a whole: a result with its comments, an order, a patient and a message of which each result
/// is, or which has none.
fn told(profile: &dyn Profile, input: &str, printed: &str, records: &[Vec<Part>]) -> Vec<bool> {
    let letters: Vec<_> = records.iter().map(|record| record[0].letter).collect();
    let mut told: Vec<_> = records
        .iter()
        .zip(&letters)
        .map(|(record, letter)| *letter != 'R' || is_told_as_a_whole(profile, input, printed, record))
        .collect();
    let of_results = told.clone();
    for (n, letter) in letters.iter().enumerate() {
        let ends = match letter {
            'H' => "H",
            'P' => "HP",
            'O' => "HPO",
            'R' => continue,
            'C' => {
                told[n] = n > 0 && told[n - 1];
                continue;
            }
            _ => {
                told[n] = false;
                continue;
            }
        };
        let below = letters.iter().skip(n + 1).take_while(|letter| !ends.contains(**letter)).count();
        told[n] = of_results[n + 1..=n + below].iter().all(|told| *told);
    }
    told
}

/// Each part of the input that changes nothing and that nobody named; what was named and needed goes into `needed`.
fn unaccounted(
    profile: &dyn Profile,
    input: &str,
    known: &[String],
    needed: &mut BTreeSet<String>,
) -> String {
    let printed = output(profile, input);
    let records: Vec<_> = parts(input).into_iter().filter(|record| !record.is_empty()).collect();
    let mut missing = String::new();
    for (record, told) in records.iter().zip(told(profile, input, &printed, &records)) {
        // A note says that such a record is kept and not reported, by its letter.
        let kept = printed.contains(&format!("not reported: {}", record[0].letter));
        for part in record {
            if told || kept || output(profile, &other(input, part)) != printed {
                continue;
            }
            let named: Vec<_> = known.iter().filter(|place| part.is_in(place)).collect();
            needed.extend(named.iter().map(|place| (*place).clone()));
            if named.is_empty() && !OF_LIS02.iter().any(|(place, _)| part.is_in(place)) {
                let Part { letter, field, component, .. } = part;
                writeln!(missing, "{letter}.{field}.{component} `{}`", part.text(input)).unwrap();
            }
        }
    }
    missing
}

#[test]
fn each_part_of_each_example_is_accounted_for() {
    let mut wrong = String::new();
    for file in std::fs::read_dir(root().join("drivers/profiles")).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        // Other drivers have no records; what they read of a line their own tests account for.
        if orugate_driver::parse_profile(&text).unwrap().driver != "astm" {
            continue;
        }
        let profile = orugate_drivers::SHIPPED.read(&text).unwrap();
        let known = known(&text);
        let mut needed = BTreeSet::new();
        for (n, example) in profile.common().examples.iter().enumerate() {
            let missing = unaccounted(&*profile, &example.input, &known, &mut needed);
            for line in missing.lines() {
                writeln!(wrong, "{}, example {}: {line}", profile.common().name, n + 1).unwrap();
            }
        }
        for place in known.iter().filter(|place| !needed.contains(*place)) {
            writeln!(wrong, "{}: no example needs `known` {place}", profile.common().name).unwrap();
        }
    }
    assert!(wrong.is_empty(), "what is said there goes nowhere, and no `known` says why:\n{wrong}");
}

const SMALL: &str = r#"name = "small"
driver = "astm"
title = "Small"
evidence = "described"
charset = "ascii"
coding_system = "99SMALL"
[sample]
id = ["O.3"]
"#;

#[test]
fn what_goes_nowhere_is_found() {
    let profile = orugate_drivers::SHIPPED.read(SMALL).unwrap();
    let missing = |input: &str, known: &[&str]| {
        let known: Vec<_> = known.iter().map(|place| (*place).to_owned()).collect();
        unaccounted(&*profile, input, &known, &mut BTreeSet::new())
    };
    let input = "H|\\^&|||X\nP|1\nO|1|T-1||^^^GLU|R|||||||||||||||||WARD^3\nR|1|^^^GLU^7|5.4|mmol/L\nC|1|I|cold|G\nL|1|N\n";
    assert_eq!(missing(input, &[]), "O.23.1 `WARD`\nO.23.2 `3`\nR.3.5 `7`\n");
    assert_eq!(missing(input, &["O.23", "R.3.5"]), "");
    assert_eq!(missing(input, &["O.23.1", "R.3"]), "O.23.2 `3`\n");
    // A frame that ends within a field, and a held result.
    let script = "<ENQ>\n<STX>1H|\\^&|||X<CR>P|1<CR>O|1|T-1<ETB><CS><CR><LF>\n<STX>222||^^^GLU<CR>R|1|^^^GLU^7<ETB><CS><CR><LF>\n\
                  <STX>38|5.4|mmol/L||N||I||EVE<CR>L|1|N<CR><ETX><CS><CR><LF>\n<EOT>\n";
    assert_eq!(missing(script, &[]), "");
    assert_eq!(missing(&script.replace("||I||EVE", "||F||EVE"), &[]), "R.3.5 `78`\n");
}
