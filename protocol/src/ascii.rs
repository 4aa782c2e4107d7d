//! Control characters by their ISO 646 names, and how a person reads them.

/// Start of heading.
pub const SOH: u8 = 0x01;
/// Start of text: begins a LIS01 frame.
pub const STX: u8 = 0x02;
/// End of text: ends the last frame of a message part.
pub const ETX: u8 = 0x03;
/// End of transmission.
pub const EOT: u8 = 0x04;
/// Enquiry: a sender asks for the line.
pub const ENQ: u8 = 0x05;
/// Positive acknowledgment.
pub const ACK: u8 = 0x06;
/// Line feed.
pub const LF: u8 = 0x0A;
/// Vertical tab: MLLP start block.
pub const VT: u8 = 0x0B;
/// Carriage return.
pub const CR: u8 = 0x0D;
/// Data link escape.
pub const DLE: u8 = 0x10;
/// Negative acknowledgment.
pub const NAK: u8 = 0x15;
/// Synchronous idle.
pub const SYN: u8 = 0x16;
/// End of transmission block: ends an intermediate frame.
pub const ETB: u8 = 0x17;
/// File separator: MLLP end block.
pub const FS: u8 = 0x1C;

/// The name of a control character (`ENQ`), or `None` for a byte that has a glyph.
#[must_use]
pub const fn name(byte: u8) -> Option<&'static str> {
    const NAMES: [&str; 32] = [
        "NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "HT", "LF", "VT", "FF", "CR", "SO",
        "SI", "DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS",
        "RS", "US",
    ];
    match byte {
        0x7F => Some("DEL"),
        #[allow(clippy::indexing_slicing)] // The pattern bounds it.
        0..=0x1F => Some(NAMES[byte as usize]),
        _ => None,
    }
}

/// The value of one hexadecimal digit, upper or lower case.
#[must_use]
pub const fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit & 0x0F),
        b'A'..=b'F' | b'a'..=b'f' => Some((digit & 0x0F).wrapping_add(9)),
        _ => None,
    }
}

/// A four-bit value as an upper-case hexadecimal digit; higher bits are ignored.
#[must_use]
pub const fn hex_digit(nibble: u8) -> u8 {
    let nibble = nibble & 0x0F;
    if nibble < 10 { b'0'.wrapping_add(nibble) } else { b'A'.wrapping_add(nibble).wrapping_sub(10) }
}
