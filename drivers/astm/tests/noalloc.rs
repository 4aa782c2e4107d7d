//! Interpreting allocates nothing: counted, on the function that the gateway calls.
//!
//! A test of its own, since the allocator counts for the whole process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
// The counting allocator below is the only unsafe code; it is in no product.
#![allow(unsafe_code)]

mod common;

use common::{COBAS, GENERIC, Message, XN, YUMIZEN, capture, corpus, profile};
use orugate_driver::Scratch;
use orugate_driver::report::{Item, Note, ReportSink};
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

/// Looks at what it gets, as a writer does.
#[derive(Default)]
struct Reader {
    items: usize,
    notes: usize,
    characters: usize,
}

impl<'m> ReportSink<'m> for Reader {
    fn item(&mut self, item: Item<'m>) {
        self.items += 1;
        if let Item::Observation(observation) = item {
            self.characters += observation.value.chars().count() + observation.code.id.chars().count();
            self.characters += observation.flags.iter().filter(|(_, known)| known.is_some()).count();
        }
    }

    fn note(&mut self, note: Note<'m>) {
        self.notes += 1;
        self.characters += note.subject.chars().count();
    }
}

#[test]
fn interpreting_allocates_nothing() {
    let probe = COUNT.with(Cell::get);
    drop(std::hint::black_box(Box::new(1u8)));
    assert!(COUNT.with(Cell::get) > probe, "the allocator does not count");

    let mut messages: Vec<(&str, Message)> = Vec::new();
    for toml in [GENERIC, XN, YUMIZEN, COBAS] {
        let profile = profile(toml);
        for example in &profile.common().examples {
            let bytes = orugate_astm::script::input(example.input.as_bytes());
            messages.extend(capture(&*profile, &[&bytes]).messages.into_iter().map(|m| (toml, m)));
        }
    }
    if let Some(lab) = corpus() {
        for name in ["sysmex-xn550.astm", "yumizen-h500-session.astm", "cobas-c311.astm", "esr-records.txt"] {
            let bytes = std::fs::read(lab.join(name)).unwrap();
            for toml in [GENERIC, XN, YUMIZEN, COBAS] {
                messages.extend(capture(&*profile(toml), &[&bytes]).messages.into_iter().map(|m| (toml, m)));
            }
        }
    }
    let mut seen = 0;
    for (toml, message) in &messages {
        for decimal_comma in [false, true] {
            let toml = if decimal_comma {
                format!("{toml}\n[value]\ndecimal_comma = true\n")
            } else {
                (*toml).to_owned()
            };
            let interpreter = profile(&toml).interpreter();
            message.with(|message| {
                let mut space = vec![0; message.raw.len() + 1024];
                let mut reader = Reader::default();
                let before = COUNT.with(Cell::get);
                let result = interpreter.interpret(message, &mut Scratch::new(&mut space), &mut reader);
                let after = COUNT.with(Cell::get);
                assert_eq!(after - before, 0);
                assert_eq!(result, Ok(()));
                assert!(reader.items >= 3);
                seen += reader.characters + reader.notes;
            });
        }
    }
    assert!(messages.len() >= 13 && seen > 0);
}
