//! A capture as text, for a person to read and for `orugate replay` to read back byte by byte. `docs/capture.md` has the format.
//!
//! Promises that [`read`] gives back exactly the entries that [`Writer`] wrote, whatever bytes are in them, also from a file
//! whose line ends an editor changed. Leaves out whose names are in it.

use super::entry::{Entry, What};
use orugate_protocol::ascii::{self, CR, ENQ, EOT, LF, hex_digit, hex_value};
use orugate_protocol::time::{ClockQuality, Utc};
use std::fmt;
use std::io::{self, Write};

/// How a transcript begins.
pub const MAGIC: &str = "# orugate capture";
/// The version that is written and read.
const VERSION: &str = "1";
/// A line is not longer than so many bytes of the wire.
const WIDTH: usize = 160;

/// Whether this is a transcript, of whatever version.
#[must_use]
pub fn is_transcript(bytes: &[u8]) -> bool {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).starts_with(MAGIC.as_bytes())
}

/// Writes a transcript.
pub struct Writer<W: Write> {
    out: W,
}

impl<W: Write> Writer<W> {
    /// With what is to be said first, a line each.
    ///
    /// # Errors
    /// The output.
    pub fn new(mut out: W, head: &[String]) -> io::Result<Self> {
        writeln!(out, "{MAGIC} {VERSION}")?;
        for line in head {
            writeln!(out, "# {line}")?;
        }
        Ok(Self { out })
    }

    /// One entry.
    ///
    /// # Errors
    /// The output.
    pub fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        let doubt = if entry.clock == ClockQuality::Unset { "?" } else { "" };
        let front = format!("{}{doubt} {} ", moment(entry.at), entry.what.word());
        for (number, line) in lines(&entry.bytes).into_iter().enumerate() {
            match number {
                0 => self.out.write_all(front.as_bytes())?,
                _ => write!(self.out, "{:width$}", "", width = front.len())?,
            }
            writeln!(self.out, "{}", shown(line))?;
        }
        Ok(())
    }

    /// Writes all and gives the output back.
    ///
    /// # Errors
    /// The output.
    pub fn end(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

/// What is on one line each; at least one.
fn lines(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    loop {
        let ends = |(at, byte): (usize, &u8)| match *byte {
            LF | EOT | ENQ => true,
            CR => bytes.get(at.saturating_add(1)) != Some(&LF),
            _ => at.saturating_add(1) >= WIDTH,
        };
        let end = bytes.iter().enumerate().position(ends).map_or(bytes.len(), |at| at.saturating_add(1));
        let (line, rest) = bytes.split_at(end);
        lines.push(line);
        bytes = rest;
        if bytes.is_empty() {
            return lines;
        }
    }
}

/// Bytes as a profile's example has them: a line for each that a person would read as one.
#[must_use]
pub fn script(bytes: &[u8]) -> String {
    lines(bytes).into_iter().map(|line| format!("{}\n", shown(line))).collect()
}

/// Control characters by name, what has no glyph in hexadecimal, and a space where an editor would take it away.
fn shown(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for (at, byte) in bytes.iter().enumerate() {
        let edge = at == 0 || at.saturating_add(1) == bytes.len();
        match ascii::name(*byte) {
            Some(name) => {
                out.push('<');
                out.push_str(name);
                out.push('>');
            }
            None if byte.is_ascii() && *byte != b'<' && !(edge && *byte == b' ') => {
                out.push(char::from(*byte))
            }
            None => {
                out.push_str("<x");
                out.push(char::from(hex_digit(byte >> 4)));
                out.push(char::from(hex_digit(*byte)));
                out.push('>');
            }
        }
    }
    out
}

/// To the microsecond, in UTC.
#[must_use]
pub fn moment(at: Utc) -> String {
    let clamped = at.0.clamp(jiff::Timestamp::MIN.as_microsecond(), jiff::Timestamp::MAX.as_microsecond());
    jiff::Timestamp::from_microsecond(clamped)
        .map_or_else(|_| "1970-01-01T00:00:00.000000Z".to_owned(), |time| format!("{time:.6}"))
}

/// A line that is not of the format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// From 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// The entries of a transcript.
///
/// # Errors
/// The first line that is not of the format.
pub fn read(text: &[u8]) -> Result<Vec<Entry>, Mistake> {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let mut entries: Vec<Entry> = Vec::new();
    for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let wrong = |what: &str| Mistake { line: number, what: what.to_owned() };
        if number == 1 {
            let version = line.strip_prefix(MAGIC.as_bytes()).map(<[u8]>::trim_ascii);
            if version != Some(VERSION.as_bytes()) {
                return Err(wrong("a capture of this format begins with \"# orugate capture 1\""));
            }
            continue;
        }
        if line.starts_with(b"#") || line.iter().all(|byte| *byte == b' ') {
            continue;
        }
        if line.starts_with(b" ") {
            let entry = entries.last_mut().ok_or_else(|| wrong("goes on with nothing before it"))?;
            entry.bytes.extend(bytes(line.trim_ascii_start()).ok_or_else(|| wrong(CONTROL))?);
            continue;
        }
        let mut parts = line.splitn(3, |byte| *byte == b' ');
        let mut part = || parts.next().and_then(|part| std::str::from_utf8(part).ok());
        let (time, word) = (part().unwrap_or_default(), part().unwrap_or_default());
        let (time, clock) = match time.strip_suffix('?') {
            Some(time) => (time, ClockQuality::Unset),
            None => (time, ClockQuality::Plausible),
        };
        let at: jiff::Timestamp =
            time.parse().map_err(|_| wrong("begins with no time, such as 2026-11-26T06:30:00.000000Z"))?;
        let what =
            What::of_word(word).ok_or_else(|| wrong("has no word such as in or out behind its time"))?;
        let bytes = bytes(parts.next().unwrap_or_default()).ok_or_else(|| wrong(CONTROL))?;
        entries.push(Entry { at: Utc(at.as_microsecond()), clock, what, bytes });
    }
    Ok(entries)
}

const CONTROL: &str = "has a < that begins no name or hexadecimal byte, or a character that is not ASCII";

/// The reverse of [`shown`].
fn bytes(mut text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    while let Some((first, rest)) = text.split_first() {
        if *first != b'<' {
            if !matches!(first, b' '..=b'~') {
                return None;
            }
            out.push(*first);
            text = rest;
            continue;
        }
        let end = rest.iter().position(|byte| *byte == b'>')?;
        let (name, after) = rest.split_at(end);
        out.push(match name {
            [b'x', high, low] => hex_value(*high)? << 4 | hex_value(*low)?,
            name => {
                (0..=0x7F).find(|byte| ascii::name(*byte).is_some_and(|known| known.as_bytes() == name))?
            }
        });
        text = after.get(1..)?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(entries: &[Entry]) -> String {
        let mut writer = Writer::new(Vec::new(), &["instrument: chem".to_owned()]).unwrap();
        for entry in entries {
            writer.entry(entry).unwrap();
        }
        String::from_utf8(writer.end().unwrap()).unwrap()
    }

    fn entry(what: What, bytes: &[u8]) -> Entry {
        Entry { at: Utc(1_795_305_600_123_456), clock: ClockQuality::Plausible, what, bytes: bytes.to_vec() }
    }

    #[test]
    fn it_reads_as_a_person_expects() {
        let text = written(&[
            entry(What::Opened, b"192.0.2.7"),
            entry(What::In, b"\x05"),
            entry(What::Out, b"\x06"),
            entry(What::In, b"\x021H|\\^&|||X \r\x03F5\r\n\x04"),
            Entry { clock: ClockQuality::Unset, ..entry(What::Closed, b"the other side hung up") },
        ]);
        assert_eq!(
            text,
            "# orugate capture 1\n# instrument: chem\n\
             2026-11-22T00:00:00.123456Z opened 192.0.2.7\n\
             2026-11-22T00:00:00.123456Z in <ENQ>\n\
             2026-11-22T00:00:00.123456Z out <ACK>\n\
             2026-11-22T00:00:00.123456Z in <STX>1H|\\^&|||X <CR>\n\
             \u{20}                              <ETX>F5<CR><LF>\n\
             \u{20}                              <EOT>\n\
             2026-11-22T00:00:00.123456Z? closed the other side hung up\n"
        );
    }

    proptest! {
        #[test]
        fn every_byte_in_every_split_reads_back(
            pieces in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..400)), 0..12),
            editor in any::<bool>(),
        ) {
            let entries: Vec<Entry> = pieces
                .iter()
                .enumerate()
                .map(|(n, (came, bytes))| Entry {
                    at: Utc(1_795_305_600_000_000 + n as i64 * 1_000_001),
                    clock: if n % 3 == 0 { ClockQuality::Unset } else { ClockQuality::Plausible },
                    what: if *came { What::In } else { What::Out },
                    bytes: bytes.clone(),
                })
                .collect();
            let mut text = written(&entries);
            if editor {
                // As an editor leaves it: other line ends, no spaces at their ends.
                text = text.lines().map(|line| format!("{}\r\n", line.trim_end())).collect();
            }
            prop_assert_eq!(read(text.as_bytes()).unwrap(), entries);
        }
    }

    #[test]
    fn what_is_no_transcript_is_told_with_its_line() {
        let line = |text: &str| read(text.as_bytes()).unwrap_err().line;
        assert_eq!(line("# orugate capture 2\n"), 1);
        assert_eq!(line("# orugate capture 1\n  x\n"), 2);
        assert_eq!(line("# orugate capture 1\n\n# x\nyesterday in x\n"), 4);
        assert_eq!(line("# orugate capture 1\n2026-11-22T00:00:00Z into x\n"), 2);
        assert_eq!(line("# orugate capture 1\n2026-11-22T00:00:00Z in <CRLF>\n"), 2);
        assert_eq!(line("# orugate capture 1\n2026-11-22T00:00:00Z in \u{e4}\n"), 2);
        assert_eq!(read(b"# orugate capture 1").unwrap(), []);
        assert!(is_transcript(b"# orugate capture 2") && !is_transcript(b"#"));
    }
}
