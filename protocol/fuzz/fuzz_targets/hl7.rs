//! `cargo +nightly fuzz run hl7 fuzz/corpus/hl7 fuzz/seeds/hl7`, in `protocol/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::hl7(data));
