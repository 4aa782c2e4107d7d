//! A program without an allocator that calls everything in `orugate-protocol`.
//!
//! Promises: it builds only while neither the protocol crate nor anything below it can reach a heap. The feature
//! `allocates` adds one allocation, so that `tests/tests/noalloc.rs` can see the proof fail. Leaves out: whether the
//! results are right.
#![no_std]
#![no_main]

mod pieces;

use core::ffi::{c_char, c_int};
use core::hint::black_box;

// Only for the C start-up code, `memcpy` and `abort`; the C allocator is reachable only by an unsafe call.
#[link(name = "c")]
unsafe extern "C" {
    safe fn abort() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    abort()
}

/// The prebuilt `core` was compiled to unwind and names this symbol in its tables; with `panic = "abort"` nobody
/// calls it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// Runs every piece on every input. The black boxes keep the compiler from working the answers out at build time.
#[unsafe(no_mangle)]
extern "C" fn main(_: c_int, _: *const *const c_char) -> c_int {
    let mut seen = 0usize;
    for piece in pieces::PIECES {
        for input in pieces::INPUTS {
            seen = seen.wrapping_add(black_box(*piece)(black_box(input)));
        }
    }
    #[cfg(feature = "allocates")]
    {
        extern crate alloc;
        seen = seen.wrapping_add(black_box(alloc::vec![0u8; black_box(seen)]).len());
    }
    c_int::from(black_box(seen) == 0)
}
