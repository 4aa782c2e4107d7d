//! The same records as different instruments put them on the wire.
//!
//! Promises: [`messages`] finds the records of a capture whatever its form, and each of [`FORMS`] writes them as one
//! kind of instrument does, with right numbers and checksums. Leaves out damage; `bad_input.rs` has that.

use orugate_protocol::ascii::{CR, ENQ, EOT, ETB, ETX, LF, STX};

/// The records of one message, without line ends.
pub type Records = [Vec<u8>];

/// Name and writer of a form.
pub type Form = (&'static str, fn(&Records) -> Vec<u8>);

/// All forms.
pub const FORMS: &[Form] = &[
    ("one frame", |records| transfer(std::slice::from_ref(&text(records, b"\r")), usize::MAX)),
    ("one frame with CR LF", |records| transfer(std::slice::from_ref(&text(records, b"\r\n")), usize::MAX)),
    ("one frame with CR CR", |records| transfer(std::slice::from_ref(&text(records, b"\r\r")), usize::MAX)),
    ("a record in each frame", |records| {
        let each: Vec<Vec<u8>> = records.iter().map(|record| [&record[..], b"\r"].concat()).collect();
        transfer(&each, usize::MAX)
    }),
    ("a record in each frame, and longer ones split", |records| {
        let each: Vec<Vec<u8>> = records.iter().map(|record| [&record[..], b"\r"].concat()).collect();
        transfer(&each, 17)
    }),
    ("frames of 240 bytes", |records| transfer(std::slice::from_ref(&text(records, b"\r")), 240)),
    ("frames of 7 bytes", |records| transfer(std::slice::from_ref(&text(records, b"\r")), 7)),
    ("records", |records| text(records, b"\r")),
    ("records with LF", |records| text(records, b"\n")),
    ("records between STX and ETX", |records| [&[STX][..], &text(records, b"\n"), &[ETX]].concat()),
];

/// The messages of a capture: transfers, or what begins with an H where there are none.
#[must_use]
pub fn messages(capture: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let framed = capture.windows(2).any(|w| w[0] == STX && w[1].is_ascii_digit());
    let mut messages: Vec<Vec<Vec<u8>>> = Vec::new();
    for transfer in capture.split(|b| *b == EOT) {
        let text = if framed {
            frames(transfer)
        } else {
            transfer.iter().copied().filter(|b| !matches!(*b, STX | ETX)).collect()
        };
        let mut begun = false;
        for record in text.split(|b| matches!(*b, CR | LF)).filter(|record| !record.is_empty()) {
            match messages.last_mut() {
                Some(message) if begun && (framed || !record.starts_with(b"H")) => {
                    message.push(record.to_vec())
                }
                _ => messages.push(vec![record.to_vec()]),
            }
            begun = true;
        }
    }
    messages
}

/// The texts of all frames of a transfer, end to end.
fn frames(transfer: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut rest = transfer;
    while let Some(start) = rest.iter().position(|b| *b == STX) {
        rest = rest.get(start + 2..).unwrap_or_default();
        let end = rest.iter().position(|b| matches!(*b, ETX | ETB)).unwrap_or(rest.len());
        text.extend_from_slice(&rest[..end]);
        rest = &rest[end..];
    }
    text
}

fn text(records: &Records, end: &[u8]) -> Vec<u8> {
    records.iter().flat_map(|record| [record, end].concat()).collect()
}

/// Texts in frames that hold at most so much, each text's last one with ETX.
fn transfer(texts: &[Vec<u8>], most: usize) -> Vec<u8> {
    let mut out = vec![ENQ];
    let mut number = 0u8;
    for text in texts {
        let pieces: Vec<&[u8]> = text.chunks(most).collect();
        for (n, piece) in pieces.iter().enumerate() {
            number = (number + 1) % 8;
            let end = if n + 1 == pieces.len() { ETX } else { ETB };
            let body = [&[b'0' + number], *piece, &[end]].concat();
            let sum = body.iter().fold(0u8, |sum, b| sum.wrapping_add(*b));
            out.push(STX);
            out.extend_from_slice(&body);
            out.extend_from_slice(format!("{sum:02X}\r\n").as_bytes());
        }
    }
    out.push(EOT);
    out
}
