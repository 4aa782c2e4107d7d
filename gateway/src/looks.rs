//! What bytes look like that no driver can read: a sentence for whoever captured them.
//!
//! Promises a guess by a few marks, said as one. Leaves out reading any of it.

/// A sentence about what this looks like, and what to do.
#[must_use]
pub fn like(bytes: &[u8]) -> &'static str {
    let has = |mark: &[u8]| bytes.windows(mark.len()).any(|window| window == mark);
    if has(b"MSH|") {
        "It looks like HL7 v2 (MSH|). No driver of this version reads HL7 from instruments; see whether the analyzer \
         can be set to ASTM (LIS1/LIS2)."
    } else if has(b"<HEL.R01") || has(b"<OBS.R01") || has(b"<OBS.R02") || has(b"<ESC.R01") {
        "It looks like POCT1-A (XML). No driver of this version reads it; see whether the device can be set to ASTM."
    } else if has(b"<?xml") {
        "It looks like XML. No driver of this version reads it; see whether the analyzer can be set to ASTM."
    } else if has(b"\x02") && has(b"\x03") {
        "There are STX and ETX, but no frames of LIS01 with records in them: a protocol of the maker's own. Look for \
         a setting such as host protocol, ASTM or LIS2 in the analyzer's service menu."
    } else if bytes.iter().filter(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()).count() * 10
        >= bytes.len() * 9
    {
        "It looks like plain text: a printer's output, a log or an export. Capture what the host port sends, as \
         docs/profile.md shows; or set the analyzer's host port to ASTM."
    } else {
        "It is mostly bytes that are no text: another protocol, or the wrong baud rate or parity. Look at the \
         analyzer's host settings and compare them with the capture program's."
    }
}

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn each_kind_has_its_sentence() {
        for (bytes, says) in [
            (&b"\x0bMSH|^~\\&|LAB\r\x1c\r"[..], "HL7 v2"),
            (b"<?xml version=\"1.0\"?><HEL.R01>", "POCT1-A"),
            (b"<?xml version=\"1.0\"?><results/>", "XML"),
            (b"\x02  0102 Na 140 K 4.1\x03", "STX and ETX"),
            (b"GLUCOSE   5.4 mmol/L\r\n", "plain text"),
            (b"\x80\x91\xff\x00\xfe\x81", "baud rate"),
        ] {
            assert!(like(bytes).contains(says), "{says}: {}", like(bytes));
        }
    }
}
