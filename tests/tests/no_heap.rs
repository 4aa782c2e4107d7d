//! From raw message to finished ORU nothing is allocated, in the functions that the gateway calls.
#![allow(unsafe_code)] // A global allocator can be written in no other way.

use orugate::bedside;
use orugate::convert::{
    Clocks, Converter, Corrections, IdRule, Incomplete, NoPast, Numbers, Pattern, Proof, Reruns, Rules,
    Setting, Target, Task, Times,
};
use orugate::maps::seen::Seen;
use orugate::maps::{self, Table};
use orugate::replay::{Message, hear};
use orugate_driver::{Feed, StoredMessage, snapshot};
use orugate_protocol::oru::{Route, SampleIdIn};
use orugate_protocol::pcd;
use orugate_protocol::time::{ClockQuality, Utc};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes on to the system's allocator unchanged; the counter is a plain thread-local cell.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|c| c.set(c.get() + 1));
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = COUNT.try_with(|c| c.set(c.get() + 1));
        // SAFETY: as promised by the caller.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Counter(u64);

impl Numbers for Counter {
    fn next(&mut self) -> Option<u64> {
        self.0 += 1;
        Some(self.0)
    }
}

/// A map with a row for each code of a profile's examples: of each three one compares nothing, one expects a unit that may be
/// another, one the unit that comes.
fn map_of(profile: &dyn orugate_driver::Profile) -> Table {
    let mut seen = Seen::default();
    seen.examples(profile);
    let mut codes: Vec<(String, String)> =
        seen.telling().map(|(kind, _)| (kind.code.clone(), kind.unit.clone())).collect();
    codes.dedup_by(|a, b| a.0 == b.0);
    let mut text = "code\tloinc\tname\tucum\tpanel\n".to_owned();
    for (n, (code, unit)) in codes.iter().enumerate() {
        let ucum = match n % 3 {
            0 => "*",
            1 => "mmol/L",
            _ if maps::ucum::Unit::read(unit).is_ok() => unit,
            _ => "*",
        };
        text += &format!("\"{}\"\t2345-7\tName of it\t{ucum}\t24323-8\n", code.replace('"', "\"\""));
    }
    let map = maps::read(std::path::Path::new("all.csv"), &text);
    Table::new(map.into_iter().map(std::sync::Arc::new).collect(), false)
}

#[test]
fn nothing_is_allocated_between_the_raw_message_and_the_oru() {
    let (mut watched, mut mapped) = (0, 0);
    for name in orugate_drivers::SHIPPED.names() {
        let profile = orugate::profiles::find(&orugate_drivers::SHIPPED, name).unwrap();
        let interpreter = profile.interpreter();
        let table = map_of(&*profile);
        for (table, example) in [None, Some(&table)]
            .into_iter()
            .flat_map(|t| profile.common().examples.iter().map(move |e| (t, e)))
        {
            let heard = hear(&*profile, &profile.example_bytes(&example.input), &[]);
            for message in &heard.messages {
                let stored = StoredMessage {
                    raw: &message.raw,
                    chunk_ends: &message.chunk_ends,
                    complete: message.complete,
                    received: Utc(1_795_000_000_000_000),
                    clock: ClockQuality::Synchronised,
                };
                let targets = [Target {
                    index: 0,
                    name: "engine",
                    route: Route {
                        sending_application: "ORUGATE",
                        sending_facility: "LAB",
                        receiving_application: "ENGINE",
                        receiving_facility: "HOSP",
                        processing: 'P',
                        acknowledgment: ("AL", "NE"),
                        charset: orugate_protocol::text::Charset::Utf8,
                        sample_id_in: SampleIdIn::Placer,
                        structured_numeric: true,
                        patient: None,
                    },
                    record: false,
                    corrections: Corrections::Corrected,
                    suppress_resends: false,
                    pcd: None,
                }];
                let zone = jiff::tz::TimeZone::UTC;
                // All are asked of each sample, and none is broken by these.
                let times = Times { ahead: Duration::from_secs(86_400), older_than: None };
                let rules = Rules {
                    sample_id: IdRule { pattern: Some(Pattern::new(r"(?s).*[^\n]+").unwrap()), check: None },
                    incomplete: Incomplete::Hold,
                    times: Some(times),
                    ..Rules::default()
                };
                let setting = Setting {
                    instrument: "watched",
                    destinations: &targets,
                    gateway: "GW01",
                    zone: &zone,
                    site_zone: &zone,
                    key: &[7; 16],
                    reruns: Reruns::All,
                    rerun_within: 0,
                    rules: &rules,
                    proof: Proof::NotAsked,
                    table,
                };
                let mut converter = Converter::default();
                let mut numbers = Counter(0);
                let mut task = Task {
                    interpreter: &*interpreter,
                    message: stored,
                    number: 0,
                    setting,
                    past: &NoPast,
                    now: Utc(1_795_000_000_000_000),
                    // Every remark that there is.
                    clocks: Clocks { doubted: true, until: None, seen: &[], limit: Some(i64::MIN) },
                    release: None,
                };
                // The first time it makes room; every message after that finds it.
                let analyzers = [converter.convert(&task, &mut numbers).facts.analyzer()];
                task.setting.proof = Proof::By(&analyzers);
                let mut convert = || converter.convert(&task, &mut numbers).orus.len();
                convert();
                let before = COUNT.get();
                let orus = convert();
                assert_eq!(COUNT.get() - before, 0, "{name}: {}", example.shows);
                watched += orus;
                let conversion = converter.conversion();
                let has_code = |oru: &&_| {
                    conversion.bytes(oru).windows(8).any(|bytes| bytes == b"2345-7^N") && table.is_some()
                };
                mapped += conversion.orus.iter().filter(has_code).count();
            }
        }
    }
    assert!(watched > 3, "only {watched} ORUs were watched");
    assert!(mapped > 3, "only {mapped} ORUs had a code of a map");
    // The counter can count.
    let before = COUNT.get();
    drop(std::hint::black_box(vec![1u8]));
    assert_eq!(COUNT.get() - before, 1);
}

fn stored(message: &Message) -> StoredMessage<'_> {
    let Message { raw, chunk_ends, complete } = message;
    let (received, clock) = (Utc(1_795_000_000_000_000), ClockQuality::Synchronised);
    StoredMessage { raw, chunk_ends, complete: *complete, received, clock }
}

#[test]
fn nothing_is_allocated_between_a_bedside_devices_message_and_the_oru() {
    let mut watched = 0;
    for name in orugate_drivers::SHIPPED.names() {
        let profile = orugate::profiles::find(&orugate_drivers::SHIPPED, name).unwrap();
        let Feed::Bedside { stale_after } = profile.feed() else { continue };
        let interpreter = profile.interpreter();
        for example in &profile.common().examples {
            let heard = hear(&*profile, &profile.example_bytes(&example.input), &[]);
            let silent = {
                let mut raw = Vec::new();
                let _ = snapshot::Writer::new(&mut raw, Utc(0), Utc(1));
                Message { raw, chunk_ends: Vec::new(), complete: true }
            };
            let messages = || heard.messages.iter().chain([&silent]);
            for (previous, message) in [None].into_iter().chain(messages().map(Some)).zip(messages()) {
                let targets = [Target {
                    index: 0,
                    name: "engine",
                    route: Route {
                        sending_application: "ORUGATE",
                        sending_facility: "WARD",
                        receiving_application: "ENGINE",
                        receiving_facility: "HOSP",
                        processing: 'P',
                        acknowledgment: ("", ""),
                        charset: orugate_protocol::text::Charset::Utf8,
                        sample_id_in: SampleIdIn::Specimen,
                        structured_numeric: false,
                        patient: None,
                    },
                    record: false,
                    corrections: Corrections::Corrected,
                    suppress_resends: false,
                    pcd: Some(pcd::Route {
                        sending_application: "ORUGATE",
                        sending_id: Some(1),
                        sending_facility: "WARD",
                        receiving_application: "ENGINE",
                        receiving_facility: "HOSP",
                        processing: 'P',
                        acknowledgment: pcd::ACKNOWLEDGMENT,
                        profile: pcd::PROFILE,
                        charset: orugate_protocol::text::Charset::Utf8,
                        unknown_patient: pcd::UnknownPatient::NoId,
                        patient: None,
                        patient_class: 'U',
                        device_on_rows: true,
                    }),
                }];
                let rules = bedside::Rules {
                    stale_after,
                    location: "ICU^12".to_owned(),
                    // Looked for, and found by nobody who says no bed.
                    beds: vec![("a bed".to_owned(), "ICU^13".to_owned())],
                    send_patient: true,
                    ..bedside::Rules::default()
                };
                let zone = jiff::tz::TimeZone::UTC;
                let previous =
                    previous.map(|message| bedside::Previous { number: 0, message: stored(message) });
                let task = bedside::Task {
                    interpreter: &*interpreter,
                    message: stored(message),
                    previous: previous.as_slice(),
                    instrument: "watched",
                    targets: &targets,
                    gateway: "GW01",
                    zone: &zone,
                    site_zone: &zone,
                    key: &[7; 16],
                    rules: &rules,
                    once: &[],
                    now: Utc(1_795_000_000_000_000),
                };
                let (mut observer, mut numbers) = (bedside::Observer::default(), Counter(0));
                // The first time it makes room; every message after that finds it.
                if !observer.observe(&task, &mut numbers).why.is_empty() {
                    continue;
                }
                let before = COUNT.get();
                let orus = observer.observe(&task, &mut numbers).orus.len();
                assert_eq!(COUNT.get() - before, 0, "{name}: {}", example.shows);
                watched += orus;
            }
        }
    }
    assert!(watched > 20, "only {watched} ORUs were watched");
}
