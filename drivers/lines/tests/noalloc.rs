//! Interpreting allocates nothing: counted, on the function that the gateway calls.
//!
//! A test of its own, since the allocator counts for the whole process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
// The counting allocator below is the only unsafe code; it is in no product.
#![allow(unsafe_code)]

mod common;

use common::{Rig, profile};
use orugate_driver::report::{Item, Note, ReportSink};
use orugate_driver::time::{ClockQuality, Utc};
use orugate_driver::{Scratch, StoredMessage};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Allocations of this thread; the test harness has threads of its own.
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to the system's allocator unchanged; the counter needs no allocation itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are those of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above; the pointer came from `alloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[derive(Default)]
struct Reader {
    items: usize,
    characters: usize,
}

impl<'m> ReportSink<'m> for Reader {
    fn item(&mut self, item: Item<'m>) {
        self.items += 1;
        if let Item::Measurement(measurement) = item {
            self.characters += measurement.code.id.chars().count() + measurement.low.chars().count();
        }
    }

    fn note(&mut self, _: Note<'m>) {}
}

#[test]
fn interpreting_allocates_nothing() {
    let probe = COUNT.with(Cell::get);
    drop(std::hint::black_box(Box::new(1u8)));
    assert!(COUNT.with(Cell::get) > probe, "the allocator does not count");
    let mut seen = 0;
    for toml in [
        include_str!("../../profiles/masimo-ascii1.toml"),
        include_str!("../../profiles/nellcor-n395.toml"),
        include_str!("../../profiles/puritan-bennett-840.toml"),
        include_str!("../../profiles/horiba-abx-micros.toml"),
        include_str!("../../profiles/arkray-spotchem-el.toml"),
    ] {
        let profile = profile(toml);
        for example in &profile.common().examples {
            let mut rig = Rig::new(profile.capture_session());
            rig.bytes(&profile.example_bytes(&example.input));
            assert!(rig.notes.is_empty(), "{}: {:?}", example.shows, rig.notes);
            let raw = match rig.stored.last() {
                Some((raw, _)) => raw.clone(),
                None => rig.snapshot(),
            };
            let interpreter = profile.interpreter();
            let ends = [u32::try_from(raw.len()).unwrap()];
            let message = StoredMessage {
                raw: &raw,
                chunk_ends: &ends,
                complete: true,
                received: Utc(0),
                clock: ClockQuality::Synchronised,
            };
            let mut reader = Reader::default();
            let before = COUNT.with(Cell::get);
            let result = interpreter.interpret(&message, &mut Scratch::new(&mut []), &mut reader);
            assert_eq!(COUNT.with(Cell::get) - before, 0);
            assert_eq!(result, Ok(()));
            assert!(reader.items >= 4, "{}", example.shows);
            seen += reader.characters;
        }
    }
    assert!(seen > 50, "{seen}");
}
