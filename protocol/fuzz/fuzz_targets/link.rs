//! `cargo +nightly fuzz run link fuzz/corpus/link fuzz/seeds/link`, in `protocol/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::link(data));
