//! `cargo +nightly fuzz run mllp fuzz/corpus/mllp fuzz/seeds/mllp`, in `protocol/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::mllp(data));
