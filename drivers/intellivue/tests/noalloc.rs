//! Interpreting allocates nothing: counted, on the function that the gateway calls.
//!
//! A test of its own, since the allocator counts for the whole process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_arithmetic)]
// The counting allocator below is the only unsafe code; it is in no product.
#![allow(unsafe_code)]

mod common;

use common::{MIB, Rig, SCRIPT, UDP, profile};
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
struct Count(usize);

impl<'m> ReportSink<'m> for Count {
    fn item(&mut self, item: Item<'m>) {
        if let Item::Measurement(measurement) = item {
            self.0 += 1 + measurement.code.name.chars().count().min(1);
        }
    }

    fn note(&mut self, note: Note<'m>) {
        panic!("{note:?}");
    }
}

#[test]
fn interpreting_a_snapshot_allocates_nothing() {
    for toml in [UDP, MIB] {
        let mut rig = Rig::new(toml, SCRIPT, &[]);
        rig.run(3.0);
        let raw = rig.stage.snapshot(rig.now);
        let interpreter = profile(toml).interpreter();
        let mut space = vec![0; 256 << 10];
        let ends = [u32::try_from(raw.len()).unwrap()];
        let clock = ClockQuality::Synchronised;
        let message = StoredMessage { raw: &raw, chunk_ends: &ends, complete: true, received: Utc(0), clock };
        let mut count = Count::default();
        let before = COUNT.get();
        interpreter.interpret(&message, &mut Scratch::new(&mut space), &mut count).unwrap();
        assert_eq!(COUNT.get() - before, 0);
        assert_eq!(count.0, 24);
        // Too little space is a fault and no panic.
        for len in (0..space.len()).step_by(199).take_while(|len| *len < 3000) {
            let _ =
                interpreter.interpret(&message, &mut Scratch::new(&mut space[..len]), &mut Count::default());
        }
    }
}
