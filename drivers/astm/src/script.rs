//! Bytes of a line as people write them: `<ENQ>`, `<STX>1H|\^&<CR><ETX><CS><CR><LF>`, one part per line.
//!
//! Promises: [`show`] and [`bytes`] are each other's inverse for every byte. Leaves out meaning, but for `<CS>`,
//! which stands for the right checksum of the frame that it closes, so that an example can be edited by hand.

use orugate_protocol::ascii::{self, CR, STX, hex_digit};
use orugate_protocol::astm::link::checksum;

/// The bytes of a script; line breaks outside angle brackets are only for the reader. A `<` that begins no name or
/// hexadecimal byte (`<xB5>`) stands for itself.
#[must_use]
pub fn bytes(script: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = script;
    while let Some(first) = rest.bytes().next() {
        if let Some(after) = rest.strip_prefix("<CS>") {
            let frame = out.iter().rposition(|b| *b == STX).and_then(|stx| out.get(stx.saturating_add(1)..));
            let sum = checksum(frame.unwrap_or_default());
            out.extend([hex_digit(sum >> 4), hex_digit(sum)]);
            rest = after;
        } else if let Some((byte, after)) = named(rest) {
            out.push(byte);
            rest = after;
        } else {
            if first != b'\n' && first != b'\r' {
                out.push(first);
            }
            let mut chars = rest.chars();
            let width = chars.next().map_or(1, char::len_utf8);
            // The rest of a character outside ASCII.
            out.extend(rest.bytes().take(width).skip(1));
            rest = chars.as_str();
        }
    }
    out
}

/// What an example or a simulator's message may hold, as bytes of the line: a capture as it is; a script, known by
/// `<STX>` or `<ENQ>`; else records, a line each, which get their CR.
#[must_use]
pub fn input(text: &[u8]) -> Vec<u8> {
    if text.contains(&STX) {
        return text.to_vec();
    }
    if let Ok(script) = std::str::from_utf8(text)
        && (script.contains("<STX>") || script.contains("<ENQ>"))
    {
        return bytes(script);
    }
    let mut records = Vec::with_capacity(text.len());
    for line in text.split(|b| matches!(b, b'\r' | b'\n')).filter(|line| !line.is_empty()) {
        records.extend_from_slice(line);
        records.push(CR);
    }
    records
}

/// Bytes as a script: control characters by name, other bytes without a glyph in hexadecimal; a line break after
/// each LF and EOT, and after a CR that no LF follows.
#[must_use]
pub fn show(bytes: &[u8]) -> String {
    let mut out = String::new();
    let mut at = bytes.iter().peekable();
    while let Some(byte) = at.next() {
        match ascii::name(*byte) {
            Some(name) => {
                out.push('<');
                out.push_str(name);
                out.push('>');
            }
            None if byte.is_ascii() && *byte != b'<' => out.push(char::from(*byte)),
            None => {
                out.push_str("<x");
                out.push(char::from(hex_digit(byte >> 4)));
                out.push(char::from(hex_digit(*byte)));
                out.push('>');
            }
        }
        if matches!(*byte, ascii::LF | ascii::EOT | ascii::ENQ)
            || (*byte == CR && at.peek() != Some(&&ascii::LF))
        {
            out.push('\n');
        }
    }
    out
}

/// A control character's name or a hexadecimal byte in angle brackets, and what follows it.
fn named(text: &str) -> Option<(u8, &str)> {
    let (name, after) = text.strip_prefix('<')?.split_once('>')?;
    let control = (0..=0x7F).find(|byte| ascii::name(*byte) == Some(name));
    let byte = control.or_else(|| match name.as_bytes() {
        [b'x', high, low] => Some(ascii::hex_value(*high)? << 4 | ascii::hex_value(*low)?),
        _ => None,
    })?;
    Some((byte, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_checksums_and_plain_text() {
        let script = "<ENQ>\n<STX>3L|1|N<CR><ETX><CS><CR><LF>\n<EOT>\n";
        assert_eq!(bytes(script), b"\x05\x023L|1|N\r\x0306\r\n\x04");
        assert_eq!(bytes("<0.1 <> <XY> \u{B5}"), "<0.1 <> <XY> \u{B5}".as_bytes());
        assert_eq!(input(b"H|\\^&\r\nL|1\n"), b"H|\\^&\rL|1\r");
        assert_eq!(input(b"\x021H\x0300"), b"\x021H\x0300");
        assert_eq!(input(b"<ENQ><EOT>"), b"\x05\x04");
    }

    #[test]
    fn shows_every_byte_so_that_it_can_be_read_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(bytes(&show(&all)), all);
        assert_eq!(show(b"\x05\x021L|1\r\x03AB\r\n\x04"), "<ENQ>\n<STX>1L|1<CR>\n<ETX>AB<CR><LF>\n<EOT>\n");
    }
}
