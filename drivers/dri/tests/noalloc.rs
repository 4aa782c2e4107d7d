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
fn interpreting_allocates_nothing_and_needs_little_scratch() {
    let probe = COUNT.with(Cell::get);
    drop(std::hint::black_box(Box::new(1u8)));
    assert!(COUNT.with(Cell::get) > probe, "the allocator does not count");
    let profile = profile();
    // Every group exists and every value has the most digits that there are.
    let mut full = profile.example_bytes("record 20261122141200\necg hr=1");
    let mut record = full[1..full.len() - 2].to_vec();
    for class in 0..4 {
        let groups = &mut record[40 + class * 278 + 4..][..270];
        for pair in groups.chunks_exact_mut(2) {
            pair.copy_from_slice(&(-31229i16).to_le_bytes());
        }
    }
    record.push(record.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)));
    full = vec![0x7E];
    for byte in record {
        if matches!(byte, 0x7D | 0x7E) { full.extend([0x7D, byte & !0x20]) } else { full.push(byte) }
    }
    full.push(0x7E);
    let alarms = profile.example_bytes("alarms 20261122141210\nalarm 3 ART SYS HIGH\nalarm 1 CHECK PROBE\n");
    let mut rig = Rig::new(profile.capture_session());
    rig.bytes(&full);
    rig.bytes(&alarms);
    assert!(rig.notes.is_empty() && rig.standing.len() == 2, "{:?}", rig.notes);
    let raw = rig.snapshot();
    let interpreter = profile.interpreter();
    let ends = [u32::try_from(raw.len()).unwrap()];
    let message = StoredMessage {
        raw: &raw,
        chunk_ends: &ends,
        complete: true,
        received: Utc(0),
        clock: ClockQuality::Synchronised,
    };
    let mut space = vec![0; raw.len() + 1024];
    let mut reader = Reader::default();
    let before = COUNT.with(Cell::get);
    let result = interpreter.interpret(&message, &mut Scratch::new(&mut space), &mut reader);
    assert_eq!(COUNT.with(Cell::get) - before, 0);
    assert_eq!(result, Ok(()));
    assert!(reader.items > 200 && reader.characters > 1500, "{} {}", reader.items, reader.characters);
}
