//! Writes HL7 v2 messages into a caller's buffer.
//!
//! Promises: whatever text goes in, no 0x0B, no 0x1C and no raw carriage return inside a segment comes out, and no
//! delimiter that has nothing behind it. The first trouble is remembered and comes out of [`Writer::finish`], so a
//! caller writes a whole message and asks once. Leaves out which fields a message needs.
//!
//! ```
//! # use orugate_protocol::hl7::writer::Writer;
//! let mut buffer = [0; 64];
//! let mut writer = Writer::new(&mut buffer);
//! writer.segment("OBX").field(1).str("1").field(3).str("GLU").component(2).str("a^b").field(6);
//! assert_eq!(writer.finish().unwrap(), b"OBX|1||GLU^a\\S\\b\r");
//! ```

use super::{Delimiters, Name};
use crate::ascii::{CR, FS, LF, VT, hex_digit};
use crate::text::{Charset, Text, Undecodable};
use core::fmt::{self, Write as _};
use core::ops::Range;

/// Why a message could not be written. The first one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// The buffer is too small.
    Full,
    /// The instrument's text has a byte that its charset does not allow.
    Undecodable {
        /// The segment that was being written.
        segment: Name,
        /// The field in it, counted as the standard does.
        field: u16,
        /// Offset of the byte from the start of the text.
        offset: usize,
    },
    /// The text has a character that the message's charset does not have.
    Inexpressible {
        /// The segment that was being written.
        segment: Name,
        /// The field in it, counted as the standard does.
        field: u16,
    },
    /// Our fault: content for a place before one that has content already, or before field 1.
    Order {
        /// The segment that was being written.
        segment: Name,
        /// The field that was asked for.
        field: u16,
    },
    /// Our fault: a segment name that is not three upper-case letters or digits.
    Name,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the HL7 message does not fit its buffer"),
            Self::Undecodable { segment, field, offset } => {
                write!(f, "text for {segment}-{field} has a byte outside its charset at offset {offset}")
            }
            Self::Inexpressible { segment, field } => {
                write!(f, "{segment}-{field} has a character that the message's charset does not have")
            }
            Self::Order { segment, field } => write!(f, "{segment}-{field} was written out of order"),
            Self::Name => f.write_str("not a segment name"),
        }
    }
}

impl core::error::Error for WriteError {}

/// Writes segments one after the other, each ended by one CR; in UTF-8 until [`Writer::in_charset`] says otherwise.
#[derive(Debug)]
pub struct Writer<'b> {
    buffer: &'b mut [u8],
    len: usize,
    delimiters: Delimiters,
    escape: u8,
    subcomponent: u8,
    charset: Charset,
    problem: Option<WriteError>,
    /// Where the message at hand begins.
    start: usize,
}

impl<'b> Writer<'b> {
    /// A writer from the buffer's first byte on, with `|^~\&`.
    #[must_use]
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Self::with_delimiters(buffer, Delimiters::STANDARD)
    }

    /// A writer with another message's delimiters, to answer it; an escape or sub-component character that it did not
    /// declare is chosen.
    #[must_use]
    pub fn with_delimiters(buffer: &'b mut [u8], delimiters: Delimiters) -> Self {
        let delimiters = delimiters.completed();
        let escape = delimiters.escape().unwrap_or(b'\\');
        let subcomponent = delimiters.subcomponent().unwrap_or(b'&');
        Self {
            buffer,
            len: 0,
            delimiters,
            escape,
            subcomponent,
            charset: Charset::Utf8,
            problem: None,
            start: 0,
        }
    }

    /// The same in another charset. Text is escaped before it is encoded, as HL7 has it: in GB18030, Big5 and
    /// Shift_JIS the second byte of a character may be a delimiter's, and a reader must know the charset before it
    /// splits.
    #[must_use]
    pub fn in_charset(self, charset: Charset) -> Self {
        Self { charset, ..self }
    }

    /// The next of several messages is in another charset.
    pub(crate) const fn switch_to(&mut self, charset: Charset) {
        self.charset = charset;
    }

    /// Starts the MSH segment with its fields 1 and 2; go on with field 3.
    pub fn msh(&mut self) -> Segment<'_, 'b> {
        self.raw(Name::MSH.bytes());
        let d = self.delimiters;
        self.raw(&[d.field(), d.component(), d.repeat(), self.escape, self.subcomponent]);
        if let Some(truncation) = d.truncation() {
            self.raw(&[truncation]);
        }
        Segment::new(self, Name::MSH, 2)
    }

    /// Starts a segment. It ends when the value is dropped or by [`Segment::end`].
    pub fn segment(&mut self, name: &str) -> Segment<'_, 'b> {
        let name = Name::new(name.as_bytes()).unwrap_or_else(|| {
            self.fail(WriteError::Name);
            Name::MSH
        });
        self.raw(name.bytes());
        Segment::new(self, name, 0)
    }

    /// Bytes written so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True when nothing was written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first trouble so far, for a caller that wants to stop early.
    #[must_use]
    pub const fn problem(&self) -> Option<WriteError> {
        self.problem
    }

    /// The message.
    ///
    /// # Errors
    /// The first [`WriteError`] that happened; the buffer then holds no whole message.
    pub fn finish(self) -> Result<&'b [u8], WriteError> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        let buffer: &'b [u8] = self.buffer;
        buffer.get(..self.len).ok_or(WriteError::Full)
    }

    /// Ends one of several messages, and gives its place in the buffer; the next begins behind it, or in place of it
    /// when there was trouble.
    ///
    /// # Errors
    /// The first [`WriteError`] since the last cut.
    pub fn cut(&mut self) -> Result<Range<usize>, WriteError> {
        if let Some(problem) = self.problem.take() {
            self.len = self.start;
            return Err(problem);
        }
        let message = self.start..self.len;
        self.start = self.len;
        Ok(message)
    }

    fn fail(&mut self, problem: WriteError) {
        self.problem.get_or_insert(problem);
    }

    fn raw(&mut self, bytes: &[u8]) {
        if self.problem.is_some() {
            return;
        }
        let end = self.len.saturating_add(bytes.len());
        match self.buffer.get_mut(self.len..end) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.len = end;
            }
            None => self.fail(WriteError::Full),
        }
    }

    fn hex(&mut self, byte: u8) {
        self.raw(&[self.escape, b'X', hex_digit(byte.wrapping_shr(4)), hex_digit(byte), self.escape]);
    }
}

/// A place in a segment; ordered as the places stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    field: u16,
    repeat: u16,
    component: u16,
    subcomponent: u16,
}

impl Place {
    const fn field(field: u16) -> Self {
        Self { field, repeat: 1, component: 1, subcomponent: 1 }
    }
}

/// What a line break in the text becomes.
#[derive(Clone, Copy)]
enum Breaks {
    /// ST and all other types: one space.
    Space,
    /// FT and TX: `\.br\`.
    Formatted,
}

/// A segment being written: methods go to a place or put content there.
///
/// Going to a place writes nothing. The delimiters up to it are written when content comes, so an empty text leaves
/// nothing behind. Content in pieces at one place is joined. Places must come in ascending order.
///
/// Two quotation marks (`""`) are written as they are and mean "delete" to HL7: a caller that copies an instrument's
/// text decides whether that was meant.
#[derive(Debug)]
pub struct Segment<'w, 'b> {
    writer: &'w mut Writer<'b>,
    name: Name,
    /// Where the last content went.
    written: Place,
    /// Where the next content goes.
    target: Place,
    /// The last character at `target` was a CR, so that an LF belongs to it.
    after_cr: bool,
}

impl<'w, 'b> Segment<'w, 'b> {
    fn new(writer: &'w mut Writer<'b>, name: Name, field: u16) -> Self {
        let place = Place::field(field);
        Self { writer, name, written: place, target: place, after_cr: false }
    }

    /// Goes to field `n`, counted as the standard does (MSH-3 is 3), its first repetition, component and
    /// sub-component.
    pub fn field(&mut self, n: u16) -> &mut Self {
        self.go(Place::field(n))
    }

    /// Goes to a new repetition of the field. While the present one is empty it stays there, so a loop may call this
    /// before every item; an empty repetition would say nothing.
    pub fn repeat(&mut self) -> &mut Self {
        let here = self.target;
        let used = (self.written.field, self.written.repeat) >= (here.field, here.repeat);
        let repeat = if used { here.repeat.saturating_add(1) } else { here.repeat };
        self.repetition(repeat)
    }

    /// Goes to repetition `n` (from 1) of the field, even when those before it are empty: for fields such as OBX-18
    /// where a receiver knows the repetitions by their place.
    pub fn repetition(&mut self, n: u16) -> &mut Self {
        self.go(Place { repeat: n, ..Place::field(self.target.field) })
    }

    /// Goes to component `n` (from 1) of the repetition.
    pub fn component(&mut self, n: u16) -> &mut Self {
        self.go(Place { component: n, subcomponent: 1, ..self.target })
    }

    /// Goes to sub-component `n` (from 1) of the component.
    pub fn subcomponent(&mut self, n: u16) -> &mut Self {
        self.go(Place { subcomponent: n, ..self.target })
    }

    /// An instrument's text, decoded and escaped. A line break becomes one space.
    pub fn text(&mut self, text: Text<'_>) -> &mut Self {
        self.put_text(text, Breaks::Space)
    }

    /// Our own text, escaped. A line break becomes one space.
    pub fn str(&mut self, text: &str) -> &mut Self {
        self.put_str(text, Breaks::Space)
    }

    /// One character, escaped.
    pub fn chr(&mut self, c: char) -> &mut Self {
        self.put(c, Breaks::Space)
    }

    /// Anything that can be displayed, escaped.
    pub fn fmt(&mut self, value: impl fmt::Display) -> &mut Self {
        let _ = write!(self, "{value}"); // Trouble is remembered by the writer.
        self
    }

    /// An instrument's text for an FT or TX field: a line break becomes `\.br\`.
    pub fn formatted_text(&mut self, text: Text<'_>) -> &mut Self {
        self.put_text(text, Breaks::Formatted)
    }

    /// Our own text for an FT or TX field: a line break becomes `\.br\`.
    pub fn formatted_str(&mut self, text: &str) -> &mut Self {
        self.put_str(text, Breaks::Formatted)
    }

    /// Bytes of a message with the same delimiters, copied with their escapes and inner delimiters, in whatever
    /// charset. A field delimiter or a byte that breaks framing or segments cannot be in a field; should one come it
    /// is escaped.
    pub fn verbatim(&mut self, bytes: &[u8]) -> &mut Self {
        if bytes.is_empty() {
            return self;
        }
        self.open();
        let field = self.writer.delimiters.field();
        let bad = |b: &u8| matches!(*b, CR | LF | VT | FS) || *b == field;
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(bad) {
            let (good, tail) = rest.split_at_checked(at).unwrap_or((rest, &[]));
            self.writer.raw(good);
            let Some((byte, tail)) = tail.split_first() else { return self };
            self.writer.hex(*byte);
            rest = tail;
        }
        self.writer.raw(rest);
        self
    }

    /// Ends the segment with its CR, as dropping it does.
    pub fn end(self) {}

    fn go(&mut self, place: Place) -> &mut Self {
        self.after_cr = false;
        self.target = place;
        self
    }

    /// Writes the delimiters between the last content and the place of the next.
    fn open(&mut self) {
        let (from, to) = (self.written, self.target);
        if from == to && to.field > 0 {
            return;
        }
        let d = self.writer.delimiters;
        let least = to.field.min(to.repeat).min(to.component).min(to.subcomponent);
        if to < from || least == 0 {
            self.writer.fail(WriteError::Order { segment: self.name, field: to.field });
            return;
        }
        let mut from = from;
        for _ in from.field..to.field {
            self.writer.raw(&[d.field()]);
        }
        if to.field > from.field {
            from = Place::field(to.field);
        }
        for _ in from.repeat..to.repeat {
            self.writer.raw(&[d.repeat()]);
        }
        if to.repeat > from.repeat {
            from = Place { repeat: to.repeat, ..Place::field(to.field) };
        }
        for _ in from.component..to.component {
            self.writer.raw(&[d.component()]);
        }
        if to.component > from.component {
            from.subcomponent = 1;
        }
        for _ in from.subcomponent..to.subcomponent {
            self.writer.raw(&[self.writer.subcomponent]);
        }
        self.written = to;
    }

    fn put_text(&mut self, text: Text<'_>, breaks: Breaks) -> &mut Self {
        if let Some(text) = text.as_printable_ascii() {
            return self.put_str(text, breaks);
        }
        for c in text.chars() {
            match c {
                Ok(c) => self.put(c, breaks),
                Err(Undecodable { offset }) => {
                    let field = self.target.field;
                    self.writer.fail(WriteError::Undecodable { segment: self.name, field, offset });
                    return self;
                }
            };
        }
        self
    }

    fn put_str(&mut self, text: &str, breaks: Breaks) -> &mut Self {
        let mut rest = text;
        // Everything that needs care is ASCII, so runs between are whole characters.
        while let Some(at) =
            rest.bytes().position(|b| b.is_ascii_control() || self.writer.delimiters.letter(b).is_some())
        {
            let (plain, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
            self.put_plain(plain);
            let mut tail = tail.chars();
            let Some(c) = tail.next() else { return self };
            self.put(c, breaks);
            rest = tail.as_str();
        }
        self.put_plain(rest);
        self
    }

    fn put_plain(&mut self, text: &str) {
        if !text.is_empty() {
            self.after_cr = false;
            self.open();
            if self.writer.charset == Charset::Utf8 || text.is_ascii() {
                self.writer.raw(text.as_bytes());
            } else {
                text.chars().for_each(|c| self.put_encoded(c));
            }
        }
    }

    /// A character that needs no escape.
    fn put_encoded(&mut self, c: char) {
        let mut bytes = [0; 4];
        match self.writer.charset.encode(c, &mut bytes).and_then(|len| bytes.get(..len)) {
            Some(bytes) => self.writer.raw(bytes),
            None => {
                let field = self.target.field;
                self.writer.fail(WriteError::Inexpressible { segment: self.name, field });
            }
        }
    }

    fn put(&mut self, c: char, breaks: Breaks) -> &mut Self {
        let joined = c == '\n' && self.after_cr;
        self.after_cr = c == '\r';
        if joined {
            return self;
        }
        self.open();
        let escape = self.writer.escape;
        let letter = u8::try_from(c).ok().and_then(|b| self.writer.delimiters.letter(b));
        match (c, letter) {
            ('\r' | '\n', _) => match breaks {
                Breaks::Space => self.writer.raw(b" "),
                Breaks::Formatted => self.writer.raw(&[escape, b'.', b'b', b'r', escape]),
            },
            (_, Some(letter)) => self.writer.raw(&[escape, letter, escape]),
            ('\0'..='\x1F' | '\x7F', None) => self.writer.hex(u8::try_from(c).unwrap_or(b'?')),
            (_, None) => self.put_encoded(c),
        }
        self
    }
}

impl fmt::Write for Segment<'_, '_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.str(s);
        Ok(())
    }
}

impl Drop for Segment<'_, '_> {
    fn drop(&mut self) {
        self.writer.raw(&[CR]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Charset, Escapes};
    use std::string::{String, ToString};

    fn written(build: impl FnOnce(&mut Writer<'_>)) -> Result<String, WriteError> {
        let mut buffer = [0; 512];
        let mut writer = Writer::new(&mut buffer);
        build(&mut writer);
        writer.finish().map(|m| String::from_utf8(m.to_vec()).unwrap())
    }

    fn field(build: impl FnOnce(&mut Segment<'_, '_>)) -> String {
        let whole = written(|w| build(w.segment("ZZZ").field(1))).unwrap();
        whole.strip_prefix("ZZZ|").and_then(|f| f.strip_suffix('\r')).unwrap_or(&whole).to_string()
    }

    #[test]
    fn escapes() {
        for (text, st, ft) in [
            ("a|b^c&d~e\\f", r"a\F\b\S\c\T\d\R\e\E\f", r"a\F\b\S\c\T\d\R\e\E\f"),
            ("10^3/uL", r"10\S\3/uL", r"10\S\3/uL"),
            ("a\rb", "a b", r"a\.br\b"),
            ("a\nb", "a b", r"a\.br\b"),
            ("a\r\nb", "a b", r"a\.br\b"),
            ("a\n\rb", "a  b", r"a\.br\\.br\b"),
            ("a\r\r\nb", "a  b", r"a\.br\\.br\b"),
            ("\0\t\x0b\x1c\x1f\x7f", r"\X00\\X09\\X0B\\X1C\\X1F\\X7F\", r"\X00\\X09\\X0B\\X1C\\X1F\\X7F\"),
            ("Müller µ 检", "Müller µ 检", "Müller µ 检"),
            ("#\"'<>", "#\"'<>", "#\"'<>"),
        ] {
            assert_eq!(field(|s| _ = s.str(text)), st);
            assert_eq!(field(|s| _ = s.text(Text::plain(text))), st);
            assert_eq!(field(|s| _ = s.fmt(text)), st);
            assert_eq!(field(|s| text.chars().for_each(|c| _ = s.chr(c))), st);
            assert_eq!(field(|s| _ = s.formatted_str(text)), ft);
            assert_eq!(field(|s| _ = s.formatted_text(Text::plain(text))), ft);
        }
    }

    #[test]
    fn delimiters_only_before_content() {
        for (build, expected) in [
            ((|s| _ = s.field(9)) as fn(&mut Segment<'_, '_>), "OBX\r"),
            (|s| _ = s.field(1).str("1").field(5).component(3).str("").field(8), "OBX|1\r"),
            (|s| _ = s.field(3).component(4).str("GLU").component(6).str("99A"), "OBX|||^^^GLU^^99A\r"),
            (|s| _ = s.field(2).component(2).subcomponent(3).str("x").component(3).str("y"), "OBX||^&&x^y\r"),
            (|s| _ = s.field(1).str("a").str("b").chr('c'), "OBX|abc\r"),
            (|s| _ = s.field(8).repeat().str("L").repeat().str("<").repeat(), "OBX||||||||L~<\r"),
            (|s| _ = s.field(1).component(2).repeat().component(2).str("x").repeat().str("y"), "OBX|^x~y\r"),
            (|s| _ = s.field(1).repeat().str("").repeat().str("x"), "OBX|x\r"),
            (|s| _ = s.field(1).str("x").repetition(3).str("y"), "OBX|x~~y\r"),
            (|s| _ = s.field(1).repetition(2).component(2).subcomponent(2).str("y"), "OBX|~^&y\r"),
        ] {
            assert_eq!(written(|w| build(&mut w.segment("OBX"))).unwrap(), expected);
        }
    }

    #[test]
    fn msh_counts_its_separator() {
        let message = written(|w| {
            w.msh().field(3).str("GW").field(9).str("ORU").component(2).str("R01");
            w.segment("PID").field(1).str("1");
        });
        assert_eq!(message.unwrap(), "MSH|^~\\&|GW||||||ORU^R01\rPID|1\r");
    }

    #[test]
    fn other_delimiters_are_escaped_by_their_own_letters() {
        let mut buffer = [0; 64];
        let d = Delimiters::new(b'#', b"!@%*+").unwrap();
        let mut writer = Writer::with_delimiters(&mut buffer, d);
        writer.msh().field(3).str("a#!@%*+|^").component(2).verbatim(b"x*y%F%\xE9\x0B#");
        assert_eq!(writer.finish().unwrap(), b"MSH#!@%*+#a%F%%S%%R%%E%%T%%P%|^!x*y%F%\xE9%X0B%%X23%\r");
    }

    #[test]
    fn the_first_trouble_is_remembered() {
        let obx = Name::new(b"OBX").unwrap();
        let bad = Text::new(b"ab\xFF", Charset::Ascii, Escapes::None);
        assert_eq!(
            written(|w| {
                w.segment("OBX").field(5).text(bad).field(3).str("x");
            }),
            Err(WriteError::Undecodable { segment: obx, field: 5, offset: 2 })
        );
        for build in [
            (|s| _ = s.field(5).str("x").field(4).str("y")) as fn(&mut Segment<'_, '_>),
            |s| _ = s.str("before any field").field(4),
            |s| _ = s.field(4).component(2).str("x").component(1).str("y"),
            |s| _ = s.field(4).component(0).str("x"),
        ] {
            let result = written(|w| build(&mut w.segment("OBX")));
            assert!(matches!(result, Err(WriteError::Order { segment, .. }) if segment == obx), "{result:?}");
        }
        assert_eq!(written(|w| w.segment("O|X").end()), Err(WriteError::Name));
    }

    #[test]
    fn text_is_escaped_and_then_encoded() {
        let write = |charset, text: &str| {
            let mut buffer = [0; 64];
            let mut writer = Writer::new(&mut buffer).in_charset(charset);
            writer.segment("OBX").field(5).str(text).component(2).text(Text::plain(text));
            writer.finish().map(<[u8]>::to_vec)
        };
        assert_eq!(write(Charset::Latin1, "5 µ|").unwrap(), b"OBX|||||5 \xB5\\F\\^5 \xB5\\F\\\r");
        let refused = WriteError::Inexpressible { segment: Name::new(b"OBX").unwrap(), field: 5 };
        assert_eq!(write(Charset::Ascii, "5 µ"), Err(refused));
        for (name, text, bytes) in [
            ("GB18030", "\u{4E02}|", &b"\x81\x40\\F\\"[..]),
            ("Big5", "\u{8A31}^", b"\xB3\x5C\\S\\"),
            ("windows-1251", "Ж", b"\xC6"),
        ] {
            let Some(charset) = Charset::named(name) else { continue };
            let expected = [b"OBX|||||", bytes, b"^", bytes, b"\r"].concat();
            assert_eq!(write(charset, text).unwrap(), expected, "{name}");
        }
    }

    #[test]
    fn every_buffer_that_is_too_small_is_full() {
        let build = |w: &mut Writer<'_>| {
            w.msh().field(3).str("GW\n|").repeat().chr('µ').field(10).fmt(12);
        };
        let whole = written(build).unwrap();
        for size in 0..whole.len() {
            let mut buffer = [0; 64];
            let mut writer = Writer::new(&mut buffer[..size]);
            build(&mut writer);
            assert!(writer.len() <= size);
            assert_eq!(writer.finish(), Err(WriteError::Full));
        }
        let mut buffer = [0; 64];
        let mut writer = Writer::new(&mut buffer[..whole.len()]);
        build(&mut writer);
        assert_eq!(writer.finish().unwrap(), whole.as_bytes());
    }

    proptest::proptest! {
        #[test]
        fn no_input_breaks_framing_or_segments(
            name: String,
            places in proptest::collection::vec((0u16..40, 0u16..4, 0u16..4, 0u16..4), 0..8),
            text: String,
            raw: std::vec::Vec<u8>,
            how in 0u8..6,
        ) {
            let mut buffer = [0; 4096];
            let mut writer = Writer::new(&mut buffer);
            writer.segment(&name).field(1).str(&text);
            let before = usize::from(writer.problem.take().is_none());
            let mut segment = writer.segment("OBX");
            for (f, r, c, s) in places {
                segment.field(f).repetition(r).component(c).subcomponent(s);
                match how {
                    0 => segment.str(&text),
                    1 => segment.formatted_str(&text),
                    2 => segment.verbatim(&raw),
                    3 => segment.text(Text::new(&raw, Charset::Latin1, Escapes::None)),
                    4 => segment.fmt(&text),
                    _ => text.chars().fold(&mut segment, |s, c| s.chr(c)),
                };
                segment.writer.problem = None;
            }
            segment.end();
            let message = writer.finish().unwrap();
            proptest::prop_assert!(!message.iter().any(|b| matches!(*b, VT | FS | LF)));
            proptest::prop_assert_eq!(message.iter().filter(|b| **b == CR).count(), before + 1);
            proptest::prop_assert_eq!(message.last(), Some(&CR));
        }
    }
}
