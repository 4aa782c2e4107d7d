//! `cargo +nightly fuzz run text fuzz/corpus/text fuzz/seeds/text`, in `protocol/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::text(data));
