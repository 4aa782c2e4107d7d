//! Bytes as people write them: `SNDF<CR>`, `<STX>`, `<x1F>`.
//!
//! Promises that what can be read is read as it says, and that what cannot is told. Leaves out meaning.

use orugate_protocol::ascii;

/// The bytes of a text.
///
/// # Errors
/// A sentence about the first angle bracket that names no byte.
pub(crate) fn bytes(mut text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    while !text.is_empty() {
        let (next, rest) = one(text)?;
        out.extend(next);
        text = rest;
    }
    Ok(out)
}

/// The bytes of the first character or of what stands in angle brackets, and the rest.
pub(crate) fn one(text: &str) -> Result<(Vec<u8>, &str), String> {
    let mut chars = text.chars();
    let first = chars.next().map(String::from).unwrap_or_default();
    let Some(inner) = text.strip_prefix('<') else { return Ok((first.into_bytes(), chars.as_str())) };
    let (name, rest) =
        inner.split_once('>').ok_or("an angle bracket is opened and not closed; `<lt>` is one")?;
    if name == "lt" {
        return Ok((vec![b'<'], rest));
    }
    let control = (0..=0x7F).find(|byte| ascii::name(*byte) == Some(name));
    let byte = control.or_else(|| match name.as_bytes() {
        [b'x', high, low] => Some(ascii::hex_value(*high)? << 4 | ascii::hex_value(*low)?),
        _ => None,
    });
    byte.map(|byte| (vec![byte], rest))
        .ok_or_else(|| format!("`<{name}>` is no byte; write `<CR>`, `<STX>` or `<x1F>`"))
}

/// An example or a simulator's message: a capture, or text in which line breaks outside angle brackets only separate lines
/// for the reader.
pub(crate) fn input(text: &[u8]) -> Vec<u8> {
    let script =
        std::str::from_utf8(text).ok().filter(|text| !text.contains(|c: char| c.is_control() && c != '\n'));
    let joined = script.map(|text| text.lines().collect::<String>());
    joined.and_then(|text| bytes(&text).ok()).unwrap_or_else(|| text.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_bytes() {
        assert_eq!(bytes("P<CR><x1F>\u{B5}<lt>").unwrap(), b"P\r\x1F\xC2\xB5<");
        assert!(bytes("<CR").is_err() && bytes("<XY>").is_err());
        assert_eq!(input(b"SPO2=098<CR><LF>\nSPO2=097<CR><LF>\n"), b"SPO2=098\r\nSPO2=097\r\n");
        assert_eq!(input(b"SPO2=098\r\n"), b"SPO2=098\r\n");
    }
}
