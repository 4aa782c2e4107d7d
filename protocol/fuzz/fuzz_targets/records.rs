//! `cargo +nightly fuzz run records fuzz/corpus/records fuzz/seeds/records`, in `protocol/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::records(data));
