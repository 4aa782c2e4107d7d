//! What arbitrary bytes are thrown at, one function for each entrance of the protocol crate.
//!
//! Promises: a function returns for every input; it panics only when the crate broke a promise that is written beside
//! the assertion. The fuzzer calls these (`fuzz_targets/`), and so does `protocol/tests/fuzz_seeds.rs` on stable, with
//! the files in `seeds/`. Leaves out: whether an answer is right, which the unit tests know.
//!
//! An input that made a target fail goes into `seeds/<target>/` under a name that says what was wrong.

use orugate_protocol::text::{Charset, Delimiters, Escapes, Text};
use orugate_protocol::time::DeviceTime;

/// A target's name, which is also its folder of seeds, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[("text", text)];

/// Decoding and unescaping under every charset, and time stamps.
pub fn text(data: &[u8]) {
    for charset in [Charset::Ascii, Charset::Latin1, Charset::Utf8] {
        for escapes in [Escapes::None, Escapes::Astm(Delimiters::default())] {
            let text = Text::new(data, charset, escapes);
            let read = text.chars().count();
            assert!(read <= data.len(), "no byte is read twice");
            if let Some(bad) = text.undecodable() {
                assert!(bad.offset < data.len(), "an offset is inside the text");
            }
            let trimmed = text.trimmed();
            assert!(!trimmed.bytes().starts_with(b" ") && !trimmed.bytes().ends_with(b" "));
            assert_eq!(trimmed.trimmed(), trimmed, "trimming twice is trimming once");
        }
    }
    if let Ok(time) = DeviceTime::parse(data) {
        let written = time.to_string();
        assert!(data.starts_with(written.as_bytes()), "no digit is made up");
        assert_eq!(DeviceTime::parse(written.as_bytes()).map(|again| again.precision), Ok(time.precision));
    }
}
