//! Reads any HL7 v2 message: whatever delimiters its MSH declares, whatever bytes its fields hold.
//!
//! Promises: [`Message::index`] checks the message once and remembers the place of every field; after that no access
//! can fail, a part that is not there is empty. Every part knows its bytes' span. Segments may end with CR, CR LF or
//! LF, and MLLP block characters or a byte order mark may stand around the message. Leaves out what segments and
//! fields mean and which must be there, batches, and double-byte charsets whose second byte can be a delimiter.

pub use super::lines::{Lines, ReadError};
pub use super::part::Part;

use super::part::Level;
use super::{Delimiters, Name};
use crate::ascii::{CR, LF};
use crate::span::Span;

/// One place in an index: a segment's start, one of its field delimiters, or its end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Entry(u32);

impl Entry {
    /// A segment's start carries this bit, so that segments can be found without reading the message again.
    const SEGMENT: u32 = 1 << 31;
    const MAX: u32 = Self::SEGMENT - 1;

    fn starts_segment(self) -> bool {
        self.0 & Self::SEGMENT != 0
    }

    fn offset(self) -> usize {
        usize::try_from(self.0 & Self::MAX).unwrap_or(usize::MAX)
    }
}

/// A checked message and its index.
#[derive(Clone, Copy, Debug)]
pub struct Message<'m, 'x> {
    bytes: &'m [u8],
    delimiters: Delimiters,
    entries: &'x [Entry],
}

impl<'m, 'x> Message<'m, 'x> {
    /// Checks a message and writes the places of its fields to `index`. Needed are two entries for each segment and
    /// one for each field delimiter; [`Message::entries_for`] counts them.
    ///
    /// # Errors
    /// [`ReadError`] with the offset of the first trouble.
    pub fn index(bytes: &'m [u8], index: &'x mut [Entry]) -> Result<Self, ReadError> {
        let lines = Lines::new(bytes)?;
        let delimiters = lines.delimiters;
        let mut used = 0usize;
        let mut push = |offset: usize, flag: u32| -> Result<(), ReadError> {
            let place = u32::try_from(offset).ok().filter(|o| *o < Entry::MAX).ok_or(ReadError::TooLong)?;
            *index.get_mut(used).ok_or(ReadError::IndexFull { offset })? = Entry(place | flag);
            used = used.saturating_add(1);
            Ok(())
        };
        for line in lines {
            let segment = line?;
            push(segment.start, Entry::SEGMENT)?;
            // Fields are a few bytes long: to look at each byte costs less than a search for every delimiter.
            for (at, byte) in (segment.start..).zip(segment.bytes()) {
                if *byte == delimiters.field() {
                    push(at, 0)?;
                }
            }
            push(segment.end, 0)?;
        }
        let entries = index.get(..used).unwrap_or_default();
        Ok(Self { bytes, delimiters, entries })
    }

    /// An upper bound of the entries that [`Message::index`] needs for these bytes, whatever they are.
    #[must_use]
    pub fn entries_for(bytes: &[u8]) -> usize {
        let field = Lines::new(bytes).map_or(b'|', |lines| lines.delimiters.field());
        let ends = memchr::memchr2_iter(CR, LF, bytes).count().saturating_add(1);
        memchr::memchr_iter(field, bytes).count().saturating_add(ends.saturating_mul(2))
    }

    /// The message's bytes as they were given.
    #[must_use]
    pub const fn bytes(&self) -> &'m [u8] {
        self.bytes
    }

    /// What MSH-1 and MSH-2 declare.
    #[must_use]
    pub const fn delimiters(&self) -> &Delimiters {
        &self.delimiters
    }

    /// The segments in their order; the first is MSH.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'m, 'x>> + use<'m, 'x> {
        let (bytes, delimiters) = (self.bytes, self.delimiters);
        let mut entries = self.entries;
        core::iter::from_fn(move || {
            let (first, rest) = entries.split_first()?;
            let len = rest.iter().position(|e| e.starts_segment()).unwrap_or(rest.len());
            let (marks, rest) = rest.split_at_checked(len)?;
            entries = rest;
            let (start, end) = (first.offset(), marks.last()?.offset());
            let name = Name::new(bytes.get(start..start.saturating_add(3))?)?;
            Some(Segment { whole: bytes, start, end, name, delimiters, marks: Some(marks) })
        })
    }

    /// The `n`th segment of that name, from 1.
    #[must_use]
    pub fn segment(&self, name: &str, n: usize) -> Option<Segment<'m, 'x>> {
        self.segments().filter(|s| s.name == *name).nth(n.checked_sub(1)?)
    }
}

/// One segment of a message.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'m, 'x> {
    whole: &'m [u8],
    start: usize,
    end: usize,
    name: Name,
    delimiters: Delimiters,
    /// Its field delimiters and its end; without an index they are searched for.
    marks: Option<&'x [Entry]>,
}

impl<'m> Segment<'m, '_> {
    /// A segment whose fields are searched for at each access.
    pub(super) const fn unindexed(
        whole: &'m [u8],
        (start, end): (usize, usize),
        name: Name,
        delimiters: Delimiters,
    ) -> Self {
        Self { whole, start, end, name, delimiters, marks: None }
    }

    /// The segment's name.
    #[must_use]
    pub const fn name(&self) -> Name {
        self.name
    }

    /// True for a segment of that name.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name == *name
    }

    /// The segment without its end character.
    #[must_use]
    pub fn bytes(&self) -> &'m [u8] {
        self.whole.get(self.start..self.end).unwrap_or_default()
    }

    /// Where it stands in the message.
    #[must_use]
    pub fn span(&self) -> Span {
        Span::new(self.start, self.end)
    }

    /// What the message's MSH declares.
    #[must_use]
    pub const fn delimiters(&self) -> &Delimiters {
        &self.delimiters
    }

    /// Number of the last field, counted as the standard does.
    #[must_use]
    pub fn fields(&self) -> usize {
        let delimiters = match self.marks {
            Some(marks) => marks.len().saturating_sub(1),
            None => memchr::memchr_iter(self.delimiters.field(), self.bytes()).count(),
        };
        delimiters.saturating_add(usize::from(self.name == Name::MSH && delimiters > 0))
    }

    /// Field `n`, counted as the standard does: MSH-1 is the field delimiter itself, MSH-2 the others.
    #[must_use]
    pub fn field(&self, n: usize) -> Part<'m> {
        let separator = self.start.saturating_add(3);
        match (self.name == Name::MSH, n) {
            (_, 0) => self.part(self.end, self.end, Level::Leaf),
            (true, 1) => self.part(separator, separator.saturating_add(1).min(self.end), Level::Leaf),
            (true, 2) => {
                let (start, end) = self.between(1);
                self.part(start, end, Level::Leaf)
            }
            (true, n) => self.field_behind(n.saturating_sub(1)),
            (false, n) => self.field_behind(n),
        }
    }

    fn field_behind(&self, delimiter: usize) -> Part<'m> {
        let (start, end) = self.between(delimiter);
        self.part(start, end, Level::Field)
    }

    /// The bytes behind the `n`th delimiter, from 1; empty at the segment's end when there are fewer.
    fn between(&self, n: usize) -> (usize, usize) {
        let before = n.saturating_sub(1);
        let found = match self.marks {
            Some(marks) => {
                let offset = |n: usize| marks.get(n).map(|m| m.offset());
                offset(before).zip(offset(n))
            }
            None => {
                let place = |at: usize| self.start.saturating_add(at);
                let mut marks = memchr::memchr_iter(self.delimiters.field(), self.bytes()).map(place);
                let start = marks.nth(before);
                start.map(|start| (start, marks.next().unwrap_or(self.end)))
            }
        };
        found.map_or((self.end, self.end), |(start, end)| (start.saturating_add(1), end))
    }

    fn part(&self, start: usize, end: usize, level: Level) -> Part<'m> {
        let bytes = self.whole.get(start..end).unwrap_or_default();
        Part::new(bytes, start, self.delimiters, level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hl7::DelimiterError;
    use crate::text::Charset;
    use std::vec::Vec;
    use std::{eprintln, format, vec};

    fn index(bytes: &[u8], check: impl FnOnce(&Message<'_, '_>)) {
        let mut entries = vec![Entry::default(); Message::entries_for(bytes)];
        check(&Message::index(bytes, &mut entries).unwrap());
    }

    fn error(bytes: &[u8]) -> ReadError {
        Message::index(bytes, &mut [Entry::default(); 64]).unwrap_err()
    }

    const ORU: &[u8] =
        b"MSH|^~\\&|GW^1&2|LAB||HOSP\rPID|1||a^^^H&O&I^MR~b^^^X\rOBX|1|NM|GLU||182|\"\"\rOBX|2\r";

    #[test]
    fn parts_and_their_spans() {
        index(ORU, |m| {
            let names: Vec<_> = m.segments().map(|s| (s.name(), s.fields())).collect();
            assert_eq!(format!("{names:?}"), "[(MSH, 6), (PID, 3), (OBX, 6), (OBX, 1)]");
            let msh = m.segment("MSH", 1).unwrap();
            assert_eq!(msh.field(1).bytes(), b"|");
            assert_eq!(msh.field(1).span(), Span::new(3, 4));
            assert_eq!(msh.field(2).bytes(), b"^~\\&");
            assert_eq!(msh.field(2).component(1).bytes(), b"^~\\&", "MSH-2 has no components");
            assert_eq!(msh.field(3).bytes(), b"GW^1&2");
            assert_eq!(msh.field(3).component(2).subcomponent(2).bytes(), b"2");
            assert_eq!(msh.field(3).subcomponent(1).bytes(), b"GW");
            assert_eq!(msh.field(6).bytes(), b"HOSP");
            assert!(msh.field(7).is_empty() && msh.field(0).is_empty() && msh.field(usize::MAX).is_empty());
            let id = m.segment("PID", 1).unwrap().field(3);
            assert_eq!(
                id.repeats().map(|r| r.component(4).bytes()).collect::<Vec<_>>(),
                [&b"H&O&I"[..], b"X"]
            );
            assert_eq!(id.component(4).subcomponent(3).bytes(), b"I");
            assert_eq!(id.repeat(2).component(1).bytes(), b"b");
            assert_eq!(id.repeat(2).component(4).component(1).bytes(), b"X", "its own first component");
            assert!(
                id.repeat(3).is_empty()
                    && id.component(0).is_empty()
                    && id.component(1).component(2).is_empty()
            );
            let part = id.repeat(2).component(4);
            assert_eq!(m.bytes().get(part.span().start as usize..part.span().end as usize), Some(&b"X"[..]));
            let obx = m.segment("OBX", 1).unwrap();
            assert!(
                obx.field(6).is_null()
                    && obx.field(3).reads("GLU")
                    && obx.field(4).repeats().next().is_none()
            );
            assert_eq!(m.segment("OBX", 2).unwrap().bytes(), b"OBX|2");
            assert!(m.segment("OBX", 3).is_none() && m.segment("OBX", 0).is_none());
        });
    }

    #[test]
    fn ends_and_remains() {
        for (bytes, second) in [
            (&b"MSH|^~\\&|A\rPID|x"[..], &b"x"[..]),
            (b"MSH|^~\\&|A\r\nPID|x\r\n", b"x"),
            (b"MSH|^~\\&|A\nPID|x\n", b"x"),
            (b"\x0BMSH|^~\\&|A\rPID|x\r\x1C\r", b"x"),
            (b"\r\n\xEF\xBB\xBFMSH|^~\\&|A\r\r\nPID|x\r\x1C", b"x"),
            (b"MSH|^~\\&|A\rPID|x\ny\r", b"x\ny"), // CR ends segments here, so LF is text.
            (b"MSH|^~\\&\rPID|x", b"x"),
            (b"MSH|^~\\&|A\nPID|x\rPV1|1", b"x"),
        ] {
            index(bytes, |m| {
                assert_eq!(m.segments().nth(1).unwrap().field(1).bytes(), second);
            });
        }
        index(b"MSH|^~\\&|A\rPID\r", |m| assert_eq!(m.segment("PID", 1).unwrap().fields(), 0));
    }

    #[test]
    fn declared_delimiters() {
        index(b"MSH#!@%*+#a|b!c%S%d#x@y\rPID##1!2*3@4\r", |m| {
            let msh = m.segment("MSH", 1).unwrap();
            assert_eq!(msh.field(2).bytes(), b"!@%*+");
            assert!(msh.field(3).component(1).reads("a|b"));
            assert!(msh.field(3).component(2).reads("c!d"));
            assert_eq!(m.segment("PID", 1).unwrap().field(2).component(2).subcomponent(2).bytes(), b"3");
        });
        index(b"MSH|^~|\\F\\&x\r", |m| {
            let field = m.segment("MSH", 1).unwrap().field(3);
            assert!(field.reads("\\F\\&x"), "neither escapes nor sub-components are declared");
            assert_eq!(field.subcomponent(1).bytes(), b"\\F\\&x");
        });
    }

    #[test]
    fn errors_say_where() {
        for (bytes, expected) in [
            (&b""[..], ReadError::NoMsh { offset: 0 }),
            (b"\x0B\x1C\r", ReadError::NoMsh { offset: 1 }),
            (b"\x0BPID|1\r", ReadError::NoMsh { offset: 1 }),
            (b"MS", ReadError::NoMsh { offset: 0 }),
            (b"MSH", ReadError::TooShort { offset: 3 }),
            (b"MSH|", ReadError::TooShort { offset: 4 }),
            (b"MSH|\rPID|1", ReadError::Delimiters { offset: 4, error: DelimiterError::Count(0) }),
            (b"MSH||A", ReadError::Delimiters { offset: 4, error: DelimiterError::Count(0) }),
            (b"MSH|^", ReadError::Delimiters { offset: 4, error: DelimiterError::Count(1) }),
            (b"MSH|^~\\&#!|", ReadError::Delimiters { offset: 4, error: DelimiterError::Count(6) }),
            (b"MSH|^~^&|", ReadError::Delimiters { offset: 6, error: DelimiterError::Repeated(3) }),
            (b"\x0BMSHA^~\\&A", ReadError::Delimiters { offset: 4, error: DelimiterError::Character(0) }),
            (b"MSH|^~\\&|\rPIDX|1", ReadError::SegmentName { offset: 10 }),
            (b"MSH|^~\\&|\rPI", ReadError::SegmentName { offset: 10 }),
            (b"MSH|^~\\&|\rpid|1", ReadError::SegmentName { offset: 10 }),
            (b"MSH|^~\\&|\rPID^1", ReadError::SegmentName { offset: 10 }),
            (b"MSH|^~\\&|\nPID|a\nb\n", ReadError::SegmentName { offset: 16 }),
            (b"MSH|^~\\&|\rPID|1\rMSH|^~\\&|", ReadError::SecondMsh { offset: 16 }),
        ] {
            assert_eq!(error(bytes), expected, "{}", bytes.escape_ascii());
            assert!(format!("{expected}").ends_with(&format!("at byte {}", expected.offset())));
        }
    }

    #[test]
    fn an_index_that_is_too_small_says_where_it_ended() {
        let needed = Message::entries_for(ORU);
        assert_eq!(needed, 25);
        let offset =
            |size| Message::index(ORU, &mut vec![Entry::default(); size]).map(|_| ()).unwrap_err().offset();
        assert_eq!((offset(0), offset(1), offset(2)), (0, 3, 8));
        assert_eq!(offset(22), ORU.len() - 1);
        index(ORU, |m| assert_eq!(m.entries.len(), 23));
    }

    /// Counted from the files' bytes with other means: segments and field delimiters.
    const CORPUS: [(&str, usize, usize); 18] = [
        ("bedside/comen-nc-pcd.hl7", 17, 220),
        ("bedside/mindray-vs900-pcd01.hl7", 11, 190),
        ("bedside/mindray-vs900-r40-alarm.hl7", 10, 197),
        ("hl7/adt-a01-full.hl7", 9, 116),
        ("hl7/edge-crlf-line-endings.hl7", 3, 22),
        ("hl7/edge-custom-delimiters.hl7", 2, 19),
        ("hl7/edge-escaped-delimiters.hl7", 3, 30),
        ("hl7/edge-field-repetitions.hl7", 2, 24),
        ("hl7/edge-non-ascii.hl7", 3, 25),
        ("hl7/edge-z-segments.hl7", 4, 27),
        ("hl7/nist-elr-1.hl7", 7, 131),
        ("hl7/nist-elr-2.hl7", 7, 131),
        ("hl7/nist-elr-3.hl7", 7, 131),
        ("hl7/orm-o01-order.hl7", 5, 53),
        ("hl7/oru-r01-lab.hl7", 9, 105),
        ("lab/cobas6800-oul.hl7", 27, 456),
        ("lab/genexpert-oru-r32.hl7", 31, 266),
        ("lab/genexpert-qbp-z03.hl7", 3, 16),
    ];

    #[test]
    fn recorded_messages() {
        let Some(corpus) = std::env::var_os("ORUGATE_CORPUS") else {
            eprintln!("skipped: ORUGATE_CORPUS is not set");
            return;
        };
        let file = |name| std::fs::read(std::path::Path::new(&corpus).join(name)).expect(name);
        for (name, segments, delimiters) in CORPUS {
            let bytes = file(name);
            index(&bytes, |m| {
                assert_eq!(m.segments().count(), segments, "{name}");
                let fields = m.segments().map(|s| s.fields() - usize::from(s.is("MSH"))).sum::<usize>();
                assert_eq!(fields, delimiters, "{name}");
            });
        }
        assert_eq!(error(&file("hl7/invalid-missing-msh.hl7")), ReadError::NoMsh { offset: 0 });
        let error = error(&file("hl7/invalid-segment-header-length.hl7"));
        assert_eq!(error, ReadError::SegmentName { offset: 66 });
        index(&file("hl7/edge-custom-delimiters.hl7"), |m| {
            assert_eq!(m.segment("PID", 1).unwrap().field(5).component(2).bytes(), b"JOHN");
        });
        index(&file("hl7/edge-escaped-delimiters.hl7"), |m| {
            assert!(m.segment("OBX", 1).unwrap().field(5).reads(
                "Result contains pipe | and ampersand & and caret ^ and tilde ~ and backslash \\ chars"
            ));
        });
        index(&file("hl7/edge-field-repetitions.hl7"), |m| {
            assert_eq!(m.segment("PID", 1).unwrap().field(13).repeats().count(), 12);
        });
    }

    /// Everything that can be asked, for what it answers and that it does not panic.
    fn walk(segment: &Segment<'_, '_>, whole: &[u8]) -> Vec<Vec<u8>> {
        let mut leaves = vec![];
        for n in 0..=segment.fields() + 1 {
            let field = segment.field(n);
            for repeat in field.repeats() {
                for component in repeat.components() {
                    let part = component.subcomponent(1);
                    let span = part.span();
                    assert_eq!(whole.get(span.start as usize..span.end as usize), Some(part.bytes()));
                    leaves.push(part.unescaped().collect());
                }
            }
        }
        leaves
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_alike_with_and_without_an_index(
            noise: Vec<u8>,
            tail in "[A-Z|^~\\\\&\r\n\x0b\x1cé]{0,80}",
            encoding in "[!-/]{0,6}",
        ) {
            for bytes in [noise, format!("MSH|^~\\&|{tail}").into_bytes(), format!("MSH|{encoding}|{tail}\rPID|{tail}").into_bytes()] {
                let mut entries = vec![Entry::default(); Message::entries_for(&bytes)];
                let indexed = Message::index(&bytes, &mut entries);
                let lines: Result<Vec<_>, _> = Lines::new(&bytes).and_then(Iterator::collect);
                match (indexed, lines) {
                    (Ok(message), Ok(lines)) => {
                        proptest::prop_assert_eq!(message.segments().count(), lines.len());
                        for (a, b) in message.segments().zip(&lines) {
                            proptest::prop_assert_eq!(a.fields(), b.fields());
                            proptest::prop_assert_eq!(walk(&a, &bytes), walk(b, &bytes));
                        }
                    }
                    (Err(a), Err(b)) => proptest::prop_assert_eq!(a, b),
                    (a, b) => proptest::prop_assert!(false, "{a:?} {b:?}"),
                }
            }
        }

        #[test]
        fn what_the_writer_wrote_reads_the_same(
            text in "(\\PC|[|^~&\\\\\t\x0b\x1c]){1,40}",
            lines in "(\\PC|[|^~&\\\\\n]){1,40}",
            (field, repeat, component, sub) in (1usize..30, 1usize..4, 1usize..6, 1usize..4),
        ) {
            let small = |n: usize| u16::try_from(n).unwrap();
            let mut buffer = [0; 2048];
            let mut writer = crate::hl7::writer::Writer::new(&mut buffer);
            writer.msh().field(3).str(&text);
            let mut zzz = writer.segment("ZZZ");
            zzz.field(small(field)).repetition(small(repeat)).component(small(component));
            zzz.subcomponent(small(sub)).str(&text).field(40).formatted_str(&lines);
            drop(zzz);
            let message = writer.finish().unwrap();
            index(message, |m| {
                assert!(m.segment("MSH", 1).unwrap().field(3).reads(&text));
                let zzz = m.segment("ZZZ", 1).unwrap();
                assert!(zzz.field(field).repeat(repeat).component(component).subcomponent(sub).reads(&text));
                assert!(zzz.field(40).reads(&lines));
                let chars: Result<std::string::String, _> = zzz.field(40).chars(Charset::Utf8).collect();
                assert_eq!(chars.unwrap(), lines);
            });
        }
    }
}
