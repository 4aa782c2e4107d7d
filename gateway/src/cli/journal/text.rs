//! Times, sizes and bytes as a person reads them.

use crate::clock::Clock;
use orugate_protocol::text::{Charset, Escapes, Text};
use std::fmt::Write as _;

/// From when on.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) enum Since {
    /// Microseconds since 1970.
    At(i64),
    /// So many seconds ago.
    Ago(i64),
}

impl Since {
    pub(in crate::cli) fn micros(self) -> i64 {
        match self {
            Self::At(micros) => micros,
            Self::Ago(seconds) => {
                now().map_or(i64::MIN, |now| now.saturating_sub(seconds.saturating_mul(1_000_000)))
            }
        }
    }
}

pub(in crate::cli) fn since(typed: &str) -> Result<Since, String> {
    if let Ok(time) = typed.parse::<jiff::Timestamp>() {
        return Ok(Since::At(time.as_microsecond()));
    }
    // A time without its zone would be read as its day.
    if typed.len() == 10
        && let Ok(day) = typed.parse::<jiff::civil::Date>()
        && let Ok(time) = day.to_zoned(jiff::tz::TimeZone::UTC)
    {
        return Ok(Since::At(time.timestamp().as_microsecond()));
    }
    let ago = || {
        let (number, unit) = typed.split_at_checked(typed.len().checked_sub(1)?)?;
        let unit = match unit {
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return None,
        };
        number.parse::<u32>().ok().map(|number| i64::from(number) * unit)
    };
    ago()
        .map(Since::Ago)
        .ok_or_else(|| "neither a day, nor a time with its zone, nor an age like 36h".to_owned())
}

/// Microseconds since 1970, in UTC.
pub(in crate::cli) fn time(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros)
        .map_or_else(|_| "?".to_owned(), |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

pub(in crate::cli) use crate::words::moment;

/// Now, in microseconds since 1970.
pub(in crate::cli) fn now() -> Option<i64> {
    // Tokio keeps the clocks.
    let runtime = super::super::runtime().ok()?;
    Some(runtime.block_on(async { Clock::system(0).utc().0 }))
}

/// Milliseconds since 1970, in UTC.
pub(in crate::cli) fn time_of_millis(millis: u64) -> String {
    time(i64::try_from(millis).unwrap_or(i64::MAX).saturating_mul(1_000))
}

pub(super) fn day_of_millis(millis: u64) -> String {
    time_of_millis(millis).get(..10).unwrap_or("?").to_owned()
}

pub(in crate::cli) fn size(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} bytes"),
        10_240..10_485_760 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

const NAMES: [&str; 32] = [
    "NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "HT", "LF", "VT", "FF", "CR", "SO", "SI",
    "DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS",
    "US",
];

/// Bytes with control characters by name, a line for each line of theirs. What a terminal could take for a command is
/// never given to it.
pub(in crate::cli) fn shown(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        match (NAMES.get(usize::from(*byte)), byte) {
            (Some(name), _) => {
                let _ = write!(out, "<{name}>");
            }
            (None, 0x20..0x7F) => out.push(char::from(*byte)),
            (None, 0x7F) => out.push_str("<DEL>"),
            (None, _) => {
                let _ = write!(out, "<{byte:02X}>");
            }
        }
        let follows = bytes.get(at + 1);
        if follows.is_some() && (*byte == b'\n' || *byte == b'\r' && follows != Some(&b'\n')) {
            out.push('\n');
        }
    }
    out
}

/// Text of an ORU or an acknowledgment, a line for each segment.
pub(in crate::cli) fn segments(bytes: &[u8]) -> String {
    let text = decoded(bytes);
    let safe = text.chars().filter(|c| *c == '\r' || !c.is_control()).collect::<String>();
    safe.split('\r').filter(|segment| !segment.is_empty()).collect::<Vec<_>>().join("\n")
}

/// In the charset that its MSH-18 names, or UTF-8.
fn decoded(message: &[u8]) -> String {
    let head = message.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let named = head.split(|byte| *byte == b'|').nth(17).unwrap_or_default();
    let charset = Charset::all().find(|charset| charset.msh_18().as_bytes() == named);
    charset.map_or_else(
        || String::from_utf8_lossy(message).into_owned(),
        |charset| Text::new(message, charset, Escapes::None).to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_day_a_time_or_an_age() {
        assert!(matches!(since("2026-11-25"), Ok(Since::At(1_795_564_800_000_000))));
        assert!(matches!(since("2026-11-25T06:30:00+01:00"), Ok(Since::At(1_795_584_600_000_000))));
        assert!(matches!(since("36h"), Ok(Since::Ago(129_600))));
        assert!(matches!(since("7d"), Ok(Since::Ago(604_800))));
        for wrong in ["", "d", "7", "-7d", "yesterday", "2026-11-25T06:30:00", "7ä"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
        assert_eq!(time(1_795_584_600_000_000), "2026-11-25T05:30:00Z");
    }

    #[test]
    fn bytes_are_shown_with_nothing_that_moves_a_terminal() {
        assert_eq!(
            shown(b"\x021H|\\^&\r\x03F5\r\nP|\xE4\x1b[2J\x7f"),
            "<STX>1H|\\^&<CR>\n<ETX>F5<CR><LF>\nP|<E4><ESC>[2J<DEL>"
        );
        let latin = [b"MSH|^~\\&" as &[u8], &[b'|'; 16], b"8859/1\rOBX|1|NM|GLU||5|\xB5g/L\r"].concat();
        assert!(segments(&latin).ends_with("OBX|1|NM|GLU||5|\u{b5}g/L"), "{}", segments(&latin));
        assert_eq!(segments(b"MSH|1\rPID|\x1b[2J\xC3\xA4\r"), "MSH|1\nPID|[2J\u{e4}");
    }
}
