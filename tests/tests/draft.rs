//! `orugate profile new` on recorded analyzers: the draft reads a capture as the profile of that model does, finds
//! the sample id, replays its own example, and holds nothing of the people in the capture.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use orugate::profiles::examples::{blessed, differences, output};
use orugate::replay::hear;
use orugate_driver::report::{Item, Note, ReportSink};
use orugate_driver::time::{ClockQuality, Utc};
use orugate_driver::{Profile, Scratch, StoredMessage};
use orugate_drivers::SHIPPED;
use orugate_tests::corpus::{corpus, lab_astm};
use std::path::{Path, PathBuf};

/// The profile of the model, or the place of the sample id where a file has no profile.
enum Known {
    Profile(&'static str),
    SampleId(&'static str),
}

fn known(file: &Path) -> Known {
    let name = file.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let table = [
        ("sysmex-xn", Known::Profile("sysmex-xn-l")),
        ("sysmex-xp", Known::Profile("sysmex-xp")),
        ("yumizen-h500", Known::Profile("horiba-yumizen")),
        ("cobas-c", Known::Profile("roche-cobas-c")),
        ("afinion", Known::Profile("abbott-afinion")),
        ("vitros", Known::SampleId("O.3.1")),
        ("erba", Known::SampleId("O.3")),
        ("galileo", Known::SampleId("O.3")),
        ("esr", Known::SampleId("O.3")),
        // Its header's delimiters cannot be told apart: nothing but the hold can be right.
        ("yumizen-h550", Known::SampleId("O.3")),
    ];
    table.into_iter().find(|(start, _)| name.starts_with(start)).unwrap_or_else(|| panic!("{name} is new")).1
}

/// Every ASTM capture, framed and not.
fn captures() -> Vec<PathBuf> {
    let Some(corpus) = corpus() else { return Vec::new() };
    let mut files = lab_astm();
    let records = std::fs::read_dir(corpus.join("lab")).unwrap().map(|entry| entry.unwrap().path());
    files.extend(records.filter(|path| path.to_string_lossy().ends_with("-records.txt")));
    files.sort();
    files
}

fn draft(capture: &[u8]) -> (String, Box<dyn Profile>) {
    let driver = SHIPPED.drivers.iter().find(|driver| driver.name() == "astm").unwrap();
    let draft = driver.draft("drafted", &[capture.to_vec()]).unwrap();
    let profile = driver.profile(&draft.toml).unwrap_or_else(|e| panic!("{e}\n{}", draft.toml));
    (draft.toml, profile)
}

/// What a report says of its results, each with its sample: sample id, place, code, value, unit.
#[derive(Default)]
struct Results {
    sample: (String, &'static str),
    found: Vec<[String; 4]>,
    places: Vec<&'static str>,
}

impl<'m> ReportSink<'m> for Results {
    fn item(&mut self, item: Item<'m>) {
        match item {
            Item::Specimen(specimen) => {
                self.sample = (String::from_utf8_lossy(specimen.id.bytes()).into_owned(), specimen.id_place);
            }
            Item::Observation(observation) => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                self.places.push(self.sample.1);
                self.found.push([
                    self.sample.0.clone(),
                    text(observation.code.id.bytes()),
                    text(observation.value.bytes()),
                    text(observation.unit.bytes()),
                ]);
            }
            _ => {}
        }
    }

    fn note(&mut self, _: Note<'m>) {}
}

fn results(profile: &dyn Profile, capture: &[u8]) -> Results {
    let heard = hear(profile, &profile.example_bytes(&String::from_utf8_lossy(capture)), &[]);
    let heard = if capture.contains(&2) { hear(profile, capture, &[]) } else { heard };
    let mut results = Results::default();
    for message in &heard.messages {
        let stored = StoredMessage {
            raw: &message.raw,
            chunk_ends: &message.chunk_ends,
            complete: message.complete,
            received: Utc(0),
            clock: ClockQuality::Synchronised,
        };
        let mut space = vec![0; message.raw.len() * 2];
        profile.interpreter().interpret(&stored, &mut Scratch::new(&mut space), &mut results).unwrap();
    }
    results
}

fn r_records(capture: &[u8]) -> usize {
    let mut text = capture.to_vec();
    // STX and the frame's number before a record.
    text.retain(|b| *b != 2);
    let records = text.split(|b| matches!(*b, b'\r' | b'\n'));
    let start = |r: &[u8]| {
        r.starts_with(b"R|") || (r.len() > 2 && r[0].is_ascii_digit() && r[1..].starts_with(b"R|"))
    };
    records.filter(|r| start(r)).count()
}

#[test]
fn a_draft_reads_a_capture_as_the_models_own_profile_does() {
    for file in captures() {
        let capture = std::fs::read(&file).unwrap();
        let at = file.display();
        let (toml, drafted) = draft(&capture);
        let got = results(&*drafted, &capture);
        match known(&file) {
            Known::Profile(name) => {
                let own = orugate::profiles::find(&SHIPPED, name).unwrap();
                let own = results(&*own, &capture);
                assert!(!own.found.is_empty(), "{at}");
                assert_eq!(got.found, own.found, "{at}\n{toml}");
            }
            Known::SampleId(place) => {
                // Long sessions are compared above; here each record stands on its line.
                assert_eq!(got.found.len(), r_records(&capture), "{at}");
                for (result, found) in got.found.iter().zip(&got.places) {
                    assert_eq!(*found, place, "{at}");
                    assert!(result.iter().take(3).all(|part| !part.is_empty()), "{at}: {result:?}\n{toml}");
                }
            }
        }
    }
}

#[test]
fn a_draft_replays_its_own_example() {
    for file in captures() {
        let capture = std::fs::read(&file).unwrap();
        let at = file.display();
        let (toml, drafted) = draft(&capture);
        let toml = blessed(&toml, &differences(&*drafted)).unwrap();
        let again = SHIPPED.read(&toml).unwrap();
        assert_eq!(differences(&*again), [], "{at}");
        // The example goes the way of the capture: results are reported where the capture's are, or held as they are.
        let example = &again.common().examples[0];
        let text = output(&*again, &example.input);
        assert!(text.starts_with("message 1:") && text.contains(", complete"), "{at}:\n{text}");
        let results = r_records(&capture) > 0;
        let reported = text.contains("\nOBX|") || text.contains("\nqc ") || text.contains("\nhold ");
        assert_eq!(results, reported, "{at}:\n{text}");
        assert!(!text.contains("checksum"), "{at}:\n{text}");
    }
}

#[test]
fn nothing_of_a_person_is_in_a_draft() {
    for file in captures() {
        let capture = std::fs::read(&file).unwrap();
        let (toml, drafted) = draft(&capture);
        let mut secrets: Vec<String> =
            results(&*drafted, &capture).found.into_iter().map(|f| f[0].clone()).collect();
        // Whatever stands in P, in the fields of O that hold ids, people and times, and in comments.
        for line in String::from_utf8_lossy(&capture).split(['\r', '\n']) {
            let line =
                line.trim_start_matches(['\u{5}', '\u{2}']).trim_start_matches(|c: char| c.is_ascii_digit());
            let fields: Vec<&str> = line.split('|').collect();
            let kept: &[usize] = match fields.first() {
                Some(&"P") => &[2, 3, 4, 5, 7, 10, 13],
                Some(&"O") => &[2, 3, 6, 7, 10, 13, 14, 16, 17, 18],
                Some(&"C") => &[3],
                Some(&"R") => &[10, 11, 12],
                _ => &[],
            };
            let parts =
                kept.iter().filter_map(|n| fields.get(*n)).flat_map(|field| field.split(['^', '\\', '`']));
            secrets.extend(parts.map(|part| part.trim().to_owned()));
        }
        secrets.retain(|secret| secret.len() >= 4);
        for secret in secrets {
            assert!(!toml.contains(&secret), "{}: {} characters of it", file.display(), secret.len());
        }
    }
}
