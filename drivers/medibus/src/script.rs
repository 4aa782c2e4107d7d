//! What a device answers, as people write it: a line for each record.
//!
//! Promises that every line becomes what the protocol has for it, with the right length, padding and checksum, and that bytes of
//! a line are taken as they are. Leaves out meaning.
//!
//! ```text
//! 52 8240'Evita 4'04.20:03.00
//! 24 EB 98          a value: command, code, digits; they stand to the right of their four places
//! 25 EB 90          a limit
//! 29 0B 5.0         a setting
//! 27 31 98 APNOEA   an alarm: command, priority, code, phrase
//! 2A 01 IPPV        a text
//! 28 11:11:1911-NOV-93
//! 2B                an answer without a record
//! > 51              a command of the device
//! repeat            the simulator begins again behind its last scene
//! ```

use crate::data::Shape;
use crate::wire::{self, ESC, Event, Frame, Kind, Splitter};
use orugate_protocol::ascii::{SOH, hex_value};

/// One thing that a device says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) kind: Kind,
    pub(crate) code: u8,
    pub(crate) data: Vec<u8>,
}

/// What an example or a simulator's message holds, as frames: bytes of a line, known by a byte that no script has, or a script.
pub(crate) fn frames(input: &[u8]) -> Vec<Said> {
    if is_raw(input) {
        let mut splitter = Splitter::default();
        let mut said = Vec::new();
        for byte in input {
            if let Some(Event::Frame { bytes, .. }) = splitter.byte(*byte)
                && let Ok(Frame { kind, code, data }) = wire::open(bytes)
            {
                said.push(Said { kind, code, data: data.to_vec() });
            }
        }
        return said;
    }
    let mut said: Vec<Said> = Vec::new();
    for line in String::from_utf8_lossy(input).lines() {
        let Some((kind, code, data)) = line_of(line) else { continue };
        let before = said.iter_mut().find(|one| one.kind == kind && one.code == code);
        match before.filter(|one| kind == Kind::Response && Shape::of(one.code).is_some()) {
            Some(one) => one.data.extend(data),
            None => said.push(Said { kind, code, data }),
        }
    }
    said
}

/// A script that has the simulator begin again behind its last scene.
pub(crate) fn repeats(input: &[u8]) -> bool {
    !is_raw(input) && input.split(|byte| *byte == b'\n').any(|line| line.trim_ascii() == b"repeat")
}

/// The bytes on the line.
pub(crate) fn bytes(input: &[u8]) -> Vec<u8> {
    if is_raw(input) {
        return input.to_vec();
    }
    frames(input).iter().flat_map(Said::bytes).collect()
}

impl Said {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self.kind {
            Kind::Command => wire::command(self.code, &self.data),
            Kind::Response => wire::response(self.code, &self.data),
        }
    }
}

fn is_raw(input: &[u8]) -> bool {
    input.iter().any(|byte| matches!(*byte, SOH | ESC | 0x80..))
}

/// A line of a script; `None` for one that says nothing.
fn line_of(line: &str) -> Option<(Kind, u8, Vec<u8>)> {
    let line = line.trim_end();
    let (kind, line) = match line.strip_prefix("> ") {
        Some(rest) => (Kind::Command, rest),
        None => (Kind::Response, line),
    };
    let code = code(line.get(..2)?)?;
    let rest = line.get(2..).unwrap_or_default();
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    let shape = Shape::of(code).filter(|_| kind == Kind::Response && !rest.is_empty());
    Some((kind, code, shape.map_or_else(|| rest.as_bytes().to_vec(), |shape| record(shape, rest))))
}

fn code(digits: &str) -> Option<u8> {
    match digits.as_bytes() {
        [high, low] => Some(hex_value(*high)? << 4 | hex_value(*low)?),
        _ => None,
    }
}

fn record(shape: Shape, rest: &str) -> Vec<u8> {
    let (first, behind) = rest.split_once(' ').unwrap_or((rest, ""));
    let text = match shape {
        Shape::Values => format!("{first:<2.2}{behind:>4.4}"),
        Shape::Settings => format!("{first:<2.2}{behind:>5.5}"),
        Shape::Alarms => {
            let priority = first.parse::<u8>().unwrap_or(0).min(31);
            let (code, phrase) = behind.split_once(' ').unwrap_or((behind, ""));
            format!("{}{code:<2.2}{phrase:<12.12}", char::from(b'0'.saturating_add(priority)))
        }
        Shape::Texts => {
            let text: String = behind.chars().take(32).collect();
            let len = u8::try_from(text.len()).unwrap_or(0);
            format!("{first:<2.2}{}{text}\u{3}", char::from(b'0'.saturating_add(len)))
        }
    };
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_frames() {
        let script = b"# an Evita\n52 8240'Evita 4'04.20:03.00\n24 EB 98\n24 E1 70\n29 0B 5.0\n27 31 98 APNOEA\n2A 01 IPPV\n2B\n> 51\n\
                       28 11:11:1911-NOV-93\n";
        let made: Vec<_> = frames(script)
            .iter()
            .map(|said| format!("{:?} {:02X} {}", said.kind, said.code, String::from_utf8_lossy(&said.data)))
            .collect();
        assert_eq!(
            made,
            [
                "Response 52 8240'Evita 4'04.20:03.00",
                "Response 24 EB  98E1  70",
                "Response 29 0B  5.0",
                "Response 27 O98APNOEA      ",
                "Response 2A 014IPPV\u{3}",
                "Response 2B ",
                "Command 51 ",
                "Response 28 11:11:1911-NOV-93",
            ]
        );
        assert_eq!(frames(&bytes(script)), frames(script));
        assert!(bytes(b"28 11:11:1911-NOV-93\n").ends_with(b"93E6\r"));
    }

    #[test]
    fn bytes_of_a_line_are_taken_as_they_are() {
        let line = b"\x01$\xd025\r\x1bQ6C\r";
        assert_eq!(bytes(line), line);
        assert_eq!(frames(line).len(), 2);
    }
}
