//! From the raw bytes of a stored message to its text (LIS01-A2 6.3): frames end to end, nothing between them.
//!
//! Promises: no byte is added, and none of a frame's text is lost. What is no frame (ENQ, EOT, a chunk that only says
//! how the message ended) is skipped; a frame that cannot be told from its surroundings is skipped with a note.
//! Bare records are all that there is, without the STX and ETX that may stand around a message; a control character
//! amid a record is left where it is, for whoever reads the record. Leaves out checksums and numbers: the link judged
//! them before it acknowledged the frame.

use crate::values::Framing;
use orugate_driver::report::{Note, NoteKind, ReportSink};
use orugate_driver::span::Span;
use orugate_driver::text::Text;
use orugate_driver::{Fault, FrameSeen, Piece, Scratch, StoredMessage};
use orugate_protocol::ascii::{CR, ETX, LF, STX};
use orugate_protocol::astm::link::{checksum, parse_raw_frame};

/// A checksum with CR LF.
const TAIL: usize = 4;

/// The text of a message that came in this framing; in the scratch space when it had to be put together.
pub(crate) fn text<'m>(
    message: &StoredMessage<'m>,
    framing: Framing,
    scratch: &mut Scratch<'m>,
    sink: &mut dyn ReportSink<'m>,
) -> Result<&'m [u8], Fault> {
    if is_bare(message.raw, framing) {
        return without_ends(message.raw, scratch);
    }
    // Two passes, so that no more space is taken than the text needs.
    let length = pieces(message).flatten().map(<[u8]>::len).fold(0, usize::saturating_add);
    let text = scratch.take(length).ok_or(Fault::Space)?;
    let mut at = 0usize;
    for piece in pieces(message) {
        let Some(piece) = piece else {
            sink.note(Note { kind: NoteKind::BadFrame, span: Span::new(at, at), subject: Text::EMPTY });
            continue;
        };
        let end = at.saturating_add(piece.len());
        text.get_mut(at..end).ok_or(Fault::Space)?.copy_from_slice(piece);
        at = end;
    }
    Ok(text)
}

/// Whether these are bare records. A frame begins with STX and a digit; a capture may hold either, whatever its
/// profile says, and one of bare records begins with an H.
fn is_bare(raw: &[u8], framing: Framing) -> bool {
    let first = raw.iter().position(|b| *b > b' ');
    let before = first.and_then(|at| at.checked_sub(1)).and_then(|at| raw.get(at));
    match first.and_then(|at| raw.get(at)) {
        _ if !raw.contains(&STX) => true,
        Some(b'0'..=b'9') if before == Some(&STX) => false,
        Some(b'H' | b'h') => true,
        _ => framing == Framing::Records,
    }
}

/// Bare records without the STX and ETX around each message that is in them.
fn without_ends<'m>(raw: &'m [u8], scratch: &mut Scratch<'m>) -> Result<&'m [u8], Fault> {
    let whole = inside(raw);
    if !whole.iter().any(|b| matches!(*b, STX | ETX)) {
        return Ok(whole);
    }
    let kept = || (0..whole.len()).filter_map(|at| kept(whole, at));
    let text = scratch.take(kept().count()).ok_or(Fault::Space)?;
    text.iter_mut().zip(kept()).for_each(|(to, byte)| *to = byte);
    Ok(text)
}

/// What is between the first and the last character of the link. A checksum may follow the last ETX.
fn inside(raw: &[u8]) -> &[u8] {
    let whole = bare(raw);
    if let Some(etx) = whole.iter().rposition(|b| *b == ETX)
        && let (before, [_, after @ ..]) = whole.split_at(etx)
        && after.len() <= TAIL
        && after.iter().all(|b| b.is_ascii_hexdigit() || matches!(*b, CR | LF))
    {
        return bare(before);
    }
    whole
}

/// Where what [`text`] gives stands in the raw bytes.
pub(crate) fn places(message: &StoredMessage<'_>, framing: Framing) -> Vec<Piece> {
    let raw = message.raw;
    if is_bare(raw, framing) {
        return bare_places(raw);
    }
    let mut places = Vec::new();
    let mut chunk_starts = 0usize;
    for chunk in message.chunks() {
        let mut frames = Frames { rest: chunk };
        loop {
            let before = frames.rest;
            let Some(found) = frames.next() else { break };
            if found.is_none() {
                continue;
            }
            let Some(stx) = before.iter().position(|b| *b == STX) else { break };
            let frame = before.get(stx..).unwrap_or_default();
            let Some(view) = parse_raw_frame(frame) else { continue };
            let start =
                chunk_starts.saturating_add(chunk.len().saturating_sub(before.len())).saturating_add(stx);
            let at = |offset: usize| start.saturating_add(offset);
            let mut end = view.text.end.saturating_add(if view.checksum.is_some() { 3 } else { 1 });
            while frame.get(end).is_some_and(|b| matches!(*b, CR | LF)) {
                end = end.saturating_add(1);
            }
            places.push(Piece {
                raw: Span::new(start, at(end)),
                text: Span::new(at(view.text.start), at(view.text.end)),
                frame: Some(FrameSeen {
                    number: view.number,
                    last: view.last,
                    checksum: view.checksum,
                    expected: checksum(frame.get(1..=view.text.end).unwrap_or_default()),
                }),
            });
        }
        chunk_starts = chunk_starts.saturating_add(chunk.len());
    }
    places
}

/// The runs of bytes that stay of bare records.
fn bare_places(raw: &[u8]) -> Vec<Piece> {
    let whole = inside(raw);
    let before = whole.as_ptr().addr().saturating_sub(raw.as_ptr().addr());
    let is_plain = !whole.iter().any(|b| matches!(*b, STX | ETX));
    let mut places: Vec<Piece> = Vec::new();
    for at in (0..whole.len()).filter(|at| is_plain || kept(whole, *at).is_some()) {
        let (start, end) = (before.saturating_add(at), before.saturating_add(at).saturating_add(1));
        let span = Span::new(start, end);
        match places.last_mut() {
            Some(last) if last.raw.end == span.start => (last.raw.end, last.text.end) = (span.end, span.end),
            _ => places.push(Piece { raw: span, text: span, frame: None }),
        }
    }
    places
}

/// What stays of one byte: an STX before a record goes; an ETX before another message's STX ends the last record, if
/// no CR has.
fn kept(raw: &[u8], at: usize) -> Option<u8> {
    let byte = *raw.get(at)?;
    let before = raw.get(..at).and_then(<[u8]>::last).copied();
    let after = raw.get(at.saturating_add(1)..).unwrap_or_default();
    let next = after.iter().find(|b| !matches!(**b, CR | LF));
    match byte {
        STX if before.is_none_or(|b| b <= b' ') => None,
        ETX if next == Some(&STX) => before.is_none_or(|b| !matches!(b, CR | LF)).then_some(CR),
        _ => Some(byte),
    }
}

/// The texts of the frames of all chunks; `None` for a frame that is none.
fn pieces<'m>(message: &StoredMessage<'m>) -> impl Iterator<Item = Option<&'m [u8]>> + use<'m> {
    message.chunks().flat_map(|chunk| Frames { rest: chunk })
}

struct Frames<'m> {
    rest: &'m [u8],
}

impl<'m> Iterator for Frames<'m> {
    type Item = Option<&'m [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.rest.iter().position(|b| *b == STX)?;
        let frame = self.rest.get(start..)?;
        let text =
            parse_raw_frame(frame).and_then(|view| frame.get(view.text)).filter(|text| !text.contains(&STX));
        // A bad frame is left at its STX, so that the next one is found even where it begins inside.
        let used = text.map_or(1, |text| text.len().saturating_add(2));
        self.rest = frame.get(used..).unwrap_or_default();
        Some(text)
    }
}

/// Records without frames: all but the link's control characters around them.
pub(crate) fn bare(mut raw: &[u8]) -> &[u8] {
    let is_link = |b: u8| b < 0x20 && b != CR && b != LF;
    while let [first, rest @ ..] = raw
        && is_link(*first)
    {
        raw = rest;
    }
    while let [rest @ .., last] = raw
        && is_link(*last)
    {
        raw = rest;
    }
    raw
}

#[cfg(test)]
mod tests {
    use super::*;
    use orugate_driver::report::Item;
    use orugate_driver::time::{ClockQuality, Utc};

    #[derive(Default)]
    struct Notes(usize);
    impl<'m> ReportSink<'m> for Notes {
        fn item(&mut self, _: Item<'m>) {}
        fn note(&mut self, _: Note<'m>) {
            self.0 += 1;
        }
    }

    fn check_as(framing: Framing, chunks: &[&[u8]], expected: &str, bad: usize) {
        let raw = chunks.concat();
        let mut end = 0;
        let ends: Vec<u32> = chunks
            .iter()
            .map(|c| {
                end += c.len() as u32;
                end
            })
            .collect();
        let received = Utc(0);
        let clock = ClockQuality::Synchronised;
        let message = StoredMessage { raw: &raw, chunk_ends: &ends, complete: true, received, clock };
        let mut space = vec![0; raw.len()];
        let mut notes = Notes::default();
        let text = text(&message, framing, &mut Scratch::new(&mut space), &mut notes).unwrap();
        assert_eq!((String::from_utf8_lossy(text).as_ref(), notes.0), (expected, bad));
        // What a person is led back to is what was read; an ETX that ended a record stands for the CR that it lacked.
        let places = places(&message, framing);
        let found: Vec<u8> =
            places.iter().flat_map(|p| &raw[p.text.start as usize..p.text.end as usize]).copied().collect();
        let as_read = |b: &u8| if *b == ETX && !text.contains(&ETX) { CR } else { *b };
        assert_eq!(found.iter().map(as_read).collect::<Vec<_>>(), text, "{places:?}");
        assert!(places.iter().all(|p| p.raw.start <= p.text.start && p.text.end <= p.raw.end));
    }

    fn check(chunks: &[&[u8]], expected: &str, bad: usize) {
        check_as(Framing::Lis01, chunks, expected, bad);
    }

    #[test]
    fn frames_are_put_end_to_end() {
        check(&[b"\x021H|\\^&\rP|\x17AA\r\n", b"\x0221\rL|1\r\x03AA", b"\x04"], "H|\\^&\rP|1\rL|1\r", 0);
        // One chunk may hold several frames, or a capture's ENQ.
        check(&[b"\x05\x021H|\x17AA\r\n\x022\\^&\x03AA\r\n\x04"], "H|\\^&", 0);
        // An end that brought no byte.
        check(&[b"\x021H\x03AA", b""], "H", 0);
    }

    #[test]
    fn a_person_is_led_back_to_the_frame() {
        let raw = b"\x05\x021H|\x17DE\r\n\x022P\x03AA\r\n\x04";
        let message = StoredMessage {
            raw,
            chunk_ends: &[10, raw.len() as u32],
            complete: true,
            received: Utc(0),
            clock: ClockQuality::Synchronised,
        };
        let places = places(&message, Framing::Lis01);
        let said: Vec<_> = places
            .iter()
            .map(|p| {
                let frame = p.frame.unwrap();
                (
                    (p.raw.start, p.raw.end),
                    (p.text.start, p.text.end),
                    frame.number,
                    frame.checksum,
                    frame.expected,
                )
            })
            .collect();
        let sum = |bytes: &[u8]| checksum(bytes);
        assert_eq!(
            said,
            [
                ((1, 10), (3, 5), 1, Some(0xDE), sum(b"1H|\x17")),
                ((10, 18), (12, 13), 2, Some(0xAA), sum(b"2P\x03")),
            ]
        );
        assert_eq!(places.iter().map(|p| p.frame.unwrap().last).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn a_frame_that_is_none_is_said_and_skipped() {
        check(&[b"\x02?H|\x17AA", b"\x021P|\x03AA"], "P|", 1);
        check(&[b"\x021H|", b"\x022P|\x03AA"], "P|", 1);
        check(&[b"\x021H|\x022P|\x03AA"], "P|", 1);
    }

    #[test]
    fn bare_records_stand_for_themselves() {
        check(&[b"H|\\^&\rL|1\r"], "H|\\^&\rL|1\r", 0);
        check(&[b"\x05H|\\^&\n", b"L|1\n\x04"], "H|\\^&\nL|1\n", 0);
        check(&[b"\x04"], "", 0);
        check(&[], "", 0);
    }

    /// A line without frames: what stands around a message goes, what stands amid a record stays to be seen.
    #[test]
    fn bare_records_lose_no_record_to_an_stx_or_etx() {
        let check = |raw: &[u8], expected: &str| check_as(Framing::Records, &[raw], expected, 0);
        check(b"\x02H|\\^&\rL|1\r\x03", "H|\\^&\rL|1\r");
        check(b"\x02H|\\^&\rL|1\x03A7\r\n", "H|\\^&\rL|1");
        check(b"\x02\x02H|\\^&\rL|1\r\x03", "H|\\^&\rL|1\r");
        check(b"\xff\x02H|\\^&\rL|1\r\x03", "\u{fffd}\x02H|\\^&\rL|1\r");
        check(b"\x02H|\\^&\rM|1\r\x03\x02H|\\^&\rL|1\r\x03", "H|\\^&\rM|1\rH|\\^&\rL|1\r");
        check(b"\x02H|\\^&\rM|1\x03\r\n\x02H|\\^&\rL|1\x03", "H|\\^&\rM|1\r\r\nH|\\^&\rL|1");
        check(b"H|\\^&\rR|1|5.\x034\rR|2|5.\x024\rL|1\r", "H|\\^&\rR|1|5.\x034\rR|2|5.\x024\rL|1\r");
        check(b"\x02", "");
    }
}
