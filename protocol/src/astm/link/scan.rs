//! Bytes to frames and control characters, one byte at a time, whatever comes.
//!
//! Promises: the frame is kept in the caller's buffer and nowhere else, every byte is taken in constant time, and a
//! damaged byte never makes the link answer while the peer still sends. The last is why two things wait for silence:
//!
//! - a frame that cannot be right any more is skipped until the line is silent (or the next STX), then refused;
//! - ENQ or EOT amid other bytes, and any ENQ in an open transfer, is believed only when silence or another control
//!   character follows. One flipped bit turns an E or an EOT into ENQ; an ACK sent for that would be taken by the peer
//!   as the ACK for the frame that it sends just then. If a frame follows at once, the peer does not wait for an
//!   answer to its ENQ, and gets none. If a line end follows one that stands in a frame, it was a character of the
//!   checksum or the CR before that line end.
//!
//! Leaves out numbers, replies and timers.

use super::event::{Part, Trouble, TroubleKind};
use super::frame::is_restricted;
use super::settings::Checksum;
use crate::ascii::{ACK, CR, ENQ, EOT, ETB, ETX, LF, NAK, STX, hex_value};

/// A run of stray bytes is noted at the latest after so many, so that a babbling line is seen while it babbles.
const LONGEST_RUN: u64 = 65_536;

/// What the link's state and settings make of the bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mode {
    /// STX begins a frame; otherwise it is noise.
    pub(super) frames: bool,
    /// A transfer is open.
    pub(super) in_transfer: bool,
    pub(super) checksum: Checksum,
}

/// What a byte or a silence completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Nothing,
    /// A frame began.
    Started,
    /// ENQ; `awaited` when the peer waits for an answer.
    Enq {
        awaited: bool,
    },
    /// EOT; `cut` when it ended a frame that was not whole.
    Eot {
        cut: bool,
    },
    /// A frame is whole and stands in the buffer.
    Frame(Whole),
    /// A frame that is no good is over.
    Missed,
}

/// A whole frame, before anyone judged it. `found` is its checksum, if it was read; `expected` the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) number: u8,
    pub(super) last: bool,
    pub(super) expected: u8,
    pub(super) found: Option<u8>,
}

/// Takes what the scanner has to note.
pub(super) trait Notes {
    fn note(&mut self, at: u64, kind: TroubleKind) {
        self.trouble(Trouble { at, kind });
    }
    fn trouble(&mut self, trouble: Trouble);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Outside frames.
    Between,
    /// From STX to before ETB or ETX.
    Text,
    /// After ETB or ETX, with the first character of the checksum once it is there.
    Checksum(Option<u8>),
    /// After the checksum; `cr` when its CR has come.
    Tail { found: Option<u8>, cr: bool },
    /// In a frame that is no good.
    Spoilt,
    /// After ENQ or EOT amid other bytes, from outside (`spoilt: false`) or inside a frame.
    Doubt { control: u8, at: u64, spoilt: bool },
    /// ENQ in place of a tail's CR: the frame is whole and the peer begins anew, or the CR was damaged.
    TailDoubt { found: Option<u8>, at: u64 },
    /// A whole frame waits in the buffer.
    Whole,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Scanner {
    stage: Stage,
    /// Bytes of the frame in the buffer.
    len: usize,
    /// Index of ETB or ETX in the buffer.
    text_end: usize,
    /// Place of the frame's STX.
    start: u64,
    number: u8,
    last: bool,
    sum: u8,
    run: Run,
    /// Stray bytes have come since the last silence or frame, noted or not.
    amid: bool,
    restricted: Option<(u64, u8, u32)>,
    /// Where an ENQ stood that was taken with the tail of the frame in the buffer.
    enq: Option<u64>,
}

/// Stray bytes that were not noted yet.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    count: u64,
    first: u8,
    at: u64,
}

impl Scanner {
    pub(super) const fn new() -> Self {
        Self {
            stage: Stage::Between,
            len: 0,
            text_end: 0,
            start: 0,
            number: 0,
            last: false,
            sum: 0,
            run: Run { count: 0, first: 0, at: 0 },
            amid: false,
            restricted: None,
            enq: None,
        }
    }

    /// The place of the frame's STX.
    pub(super) const fn start(&self) -> u64 {
        self.start
    }

    /// The frame in the buffer: all of it, and its text.
    pub(super) fn frame<'a>(&self, buffer: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        (
            buffer.get(..self.len).unwrap_or_default(),
            buffer.get(2.min(self.text_end)..self.text_end).unwrap_or_default(),
        )
    }

    /// What the checksum covers, FN through ETB or ETX.
    pub(super) fn covered<'a>(&self, buffer: &'a [u8]) -> &'a [u8] {
        buffer.get(1..=self.text_end).unwrap_or_default()
    }

    /// What a silence would settle: nothing, a frame's tail, or a run of garbage.
    pub(super) const fn waits_for(&self) -> Waits {
        match self.stage {
            Stage::Tail { .. } | Stage::TailDoubt { .. } => Waits::Tail,
            Stage::Spoilt | Stage::Doubt { .. } => Waits::Quiet,
            Stage::Between if self.amid => Waits::Quiet,
            Stage::Between | Stage::Text | Stage::Checksum(_) | Stage::Whole => Waits::Nothing,
        }
    }

    /// True in a frame, good or not.
    pub(super) const fn is_inside(&self) -> bool {
        matches!(
            self.stage,
            Stage::Text | Stage::Checksum(_) | Stage::Tail { .. } | Stage::TailDoubt { .. } | Stage::Spoilt
        )
    }

    /// An ENQ was taken with the frame in the buffer: the peer waits for one answer to both.
    pub(super) const fn is_renewed(&self) -> bool {
        self.enq.is_some()
    }

    /// True when nothing has come that is not yet settled.
    pub(super) const fn is_quiet(&self) -> bool {
        matches!(self.stage, Stage::Between) && !self.amid
    }

    /// Done with the frame and with the stray bytes, which are noted. The buffer keeps the frame until the next one.
    /// An ENQ that was taken with the frame is next.
    pub(super) fn reset(&mut self, notes: &mut impl Notes) {
        self.flush(notes);
        self.amid = false;
        self.stage = match self.enq.take() {
            Some(at) => Stage::Doubt { control: ENQ, at, spoilt: false },
            None => Stage::Between,
        };
    }

    /// Done with everything: the bytes of one connection mean nothing on the next.
    pub(super) fn forget(&mut self, notes: &mut impl Notes) {
        self.enq = None;
        self.reset(notes);
    }

    /// Counts a stray byte.
    pub(super) fn stray(&mut self, byte: u8, at: u64, notes: &mut impl Notes) {
        if self.run.count == 0 {
            self.run = Run { count: 0, first: byte, at };
            self.amid = true;
        }
        self.run.count = self.run.count.saturating_add(1);
        if self.run.count >= LONGEST_RUN {
            self.flush(notes);
        }
    }

    /// Notes the run of stray bytes, if there is one.
    fn flush(&mut self, notes: &mut impl Notes) {
        let Run { count, first, at } = core::mem::take(&mut self.run);
        match count {
            0 => {}
            1 if matches!(first, ACK | NAK | EOT | ENQ) => notes.note(at, TroubleKind::Unexpected(first)),
            _ => notes.note(at, TroubleKind::Noise { count, first }),
        }
    }

    /// The line was silent for the tail wait.
    pub(super) fn silence(&mut self, notes: &mut impl Notes) -> Seen {
        match self.stage {
            Stage::Between => {
                self.reset(notes);
                Seen::Nothing
            }
            Stage::Tail { found, .. } => self.whole(found, notes),
            Stage::TailDoubt { found, at } => self.whole_before(found, at, notes),
            Stage::Spoilt => self.missed(notes),
            Stage::Doubt { control, spoilt, .. } => self.believe(control, spoilt, true, notes),
            Stage::Text | Stage::Checksum(_) | Stage::Whole => Seen::Nothing,
        }
    }

    /// Takes one byte; `false` when it is not taken, because what came before it must be dealt with first.
    pub(super) fn push(
        &mut self,
        byte: u8,
        at: u64,
        buffer: &mut [u8],
        mode: Mode,
        notes: &mut impl Notes,
    ) -> (bool, Seen) {
        match self.stage {
            Stage::Between => (true, self.between(byte, at, buffer, mode, notes)),
            Stage::Text => (true, self.text(byte, at, buffer, mode, notes)),
            Stage::Checksum(first) => (true, self.checksum(byte, at, buffer, first, mode, notes)),
            Stage::Tail { found, cr } => self.tail(byte, at, buffer, found, cr, notes),
            Stage::Spoilt => match byte {
                STX => (false, self.missed(notes)),
                ENQ | EOT => {
                    self.stage = Stage::Doubt { control: byte, at, spoilt: true };
                    (true, Seen::Nothing)
                }
                CR | LF | 0 if self.run.count == 0 => (true, Seen::Nothing),
                _ => {
                    self.stray(byte, at, notes);
                    (true, Seen::Nothing)
                }
            },
            Stage::Doubt { control, at: since, spoilt } => match byte {
                ENQ | EOT if control == ENQ => {
                    // The peer can wait for one answer only: to its last word.
                    self.stage = Stage::Doubt { control: byte, at, spoilt };
                    (true, Seen::Nothing)
                }
                ENQ | EOT => (false, self.believe(control, spoilt, true, notes)),
                STX if mode.frames || control == ENQ => (false, self.believe(control, spoilt, false, notes)),
                CR | LF if spoilt => {
                    // The end of the frame, and not of its peer's patience: it is refused when the line is silent.
                    self.stage = Stage::Spoilt;
                    (true, Seen::Nothing)
                }
                CR | LF | 0 => (true, Seen::Nothing),
                _ => {
                    self.stage = if spoilt { Stage::Spoilt } else { Stage::Between };
                    self.stray(control, since, notes);
                    (false, Seen::Nothing)
                }
            },
            Stage::TailDoubt { at: since, .. } if byte == LF => {
                (true, self.malformed(Part::Tail, ENQ, since, notes))
            }
            Stage::TailDoubt { found, at: since } => (false, self.whole_before(found, since, notes)),
            Stage::Whole => (false, Seen::Nothing),
        }
    }

    fn between(&mut self, byte: u8, at: u64, buffer: &mut [u8], mode: Mode, notes: &mut impl Notes) -> Seen {
        match byte {
            STX if mode.frames => {
                self.begin(byte, at, buffer, notes);
                return Seen::Started;
            }
            ENQ if !self.amid && !mode.in_transfer => return Seen::Enq { awaited: true },
            EOT if !self.amid => return Seen::Eot { cut: false },
            ENQ | EOT => self.stage = Stage::Doubt { control: byte, at, spoilt: false },
            // The frame's STX was damaged: answered NAK, it comes again at once and not after the peer's time-out.
            ETX | ETB if mode.in_transfer && self.amid => {
                notes.note(at, TroubleKind::NoStart);
                self.len = 0;
                self.stage = Stage::Spoilt;
            }
            // What is left of a frame's tail, and line ends of peers that send some.
            CR | LF | 0 if !self.amid => {}
            _ => self.stray(byte, at, notes),
        }
        Seen::Nothing
    }

    fn begin(&mut self, byte: u8, at: u64, buffer: &mut [u8], notes: &mut impl Notes) {
        self.reset(notes);
        self.stage = Stage::Text;
        self.len = 0;
        self.text_end = 0;
        self.start = at;
        self.sum = 0;
        self.restricted = None;
        // A buffer without room for this is found out by the next byte.
        let _ = self.keep(byte, buffer);
    }

    fn text(&mut self, byte: u8, at: u64, buffer: &mut [u8], mode: Mode, notes: &mut impl Notes) -> Seen {
        if matches!(byte, STX | ENQ | EOT) {
            return self.control_inside(byte, at, buffer, notes);
        }
        if self.len < 2 {
            if !byte.is_ascii_digit() {
                return self.malformed(Part::Number, byte, at, notes);
            }
            self.number = byte.wrapping_sub(b'0');
        }
        let Some(index) = self.keep(byte, buffer) else { return self.over_long(byte, at, buffer, notes) };
        self.sum = self.sum.wrapping_add(byte);
        if matches!(byte, ETX | ETB) {
            self.text_end = index;
            self.last = byte == ETX;
            self.stage = match mode.checksum {
                Checksum::Absent => Stage::Tail { found: None, cr: false },
                Checksum::Verified | Checksum::Unchecked => Stage::Checksum(None),
            };
        } else if is_restricted(byte) {
            let (first_at, first, count) = self.restricted.unwrap_or((at, byte, 0));
            self.restricted = Some((first_at, first, count.saturating_add(1)));
        }
        Seen::Nothing
    }

    fn checksum(
        &mut self,
        byte: u8,
        at: u64,
        buffer: &mut [u8],
        first: Option<u8>,
        mode: Mode,
        notes: &mut impl Notes,
    ) -> Seen {
        let good = match mode.checksum {
            Checksum::Verified | Checksum::Absent => byte.is_ascii_hexdigit(),
            Checksum::Unchecked => byte.is_ascii_graphic() || byte == b' ',
        };
        if matches!(byte, STX | ENQ | EOT) {
            return self.control_inside(byte, at, buffer, notes);
        }
        if !good {
            return self.malformed(Part::Checksum, byte, at, notes);
        }
        if self.keep(byte, buffer).is_none() {
            return self.over_long(byte, at, buffer, notes);
        }
        self.stage = match first {
            None => Stage::Checksum(Some(byte)),
            Some(first) => {
                let found = hex_value(first).zip(hex_value(byte)).map(|(high, low)| high << 4 | low);
                Stage::Tail { found, cr: false }
            }
        };
        Seen::Nothing
    }

    fn tail(
        &mut self,
        byte: u8,
        at: u64,
        buffer: &mut [u8],
        found: Option<u8>,
        cr: bool,
        notes: &mut impl Notes,
    ) -> (bool, Seen) {
        match byte {
            CR if !cr => {
                let _ = self.keep(byte, buffer); // The frame is whole without it.
                self.stage = Stage::Tail { found, cr: true };
                (true, Seen::Nothing)
            }
            LF => {
                let _ = self.keep(byte, buffer);
                (true, self.whole(found, notes))
            }
            ENQ if !cr => {
                self.stage = Stage::TailDoubt { found, at };
                (true, Seen::Nothing)
            }
            STX | ENQ | EOT => (false, self.whole(found, notes)),
            _ if cr => (false, self.whole(found, notes)),
            _ => (true, self.malformed(Part::Tail, byte, at, notes)),
        }
    }

    fn whole(&mut self, found: Option<u8>, notes: &mut impl Notes) -> Seen {
        self.stage = Stage::Whole;
        if let Some((at, first, count)) = self.restricted.take() {
            notes.note(at, TroubleKind::Restricted { first, count });
        }
        Seen::Frame(Whole { number: self.number, last: self.last, expected: self.sum, found })
    }

    /// A whole frame, and an ENQ behind it that was taken already.
    fn whole_before(&mut self, found: Option<u8>, enq: u64, notes: &mut impl Notes) -> Seen {
        self.enq = Some(enq);
        self.whole(found, notes)
    }

    fn control_inside(&mut self, byte: u8, at: u64, buffer: &mut [u8], notes: &mut impl Notes) -> Seen {
        notes.note(at, TroubleKind::ControlInFrame(byte));
        if byte == STX {
            self.begin(byte, at, buffer, notes);
            return Seen::Started;
        }
        self.stage = Stage::Doubt { control: byte, at, spoilt: true };
        Seen::Nothing
    }

    fn malformed(&mut self, part: Part, found: u8, at: u64, notes: &mut impl Notes) -> Seen {
        notes.note(at, TroubleKind::Malformed { part, found });
        self.stage = Stage::Spoilt;
        Seen::Nothing
    }

    fn over_long(&mut self, byte: u8, at: u64, buffer: &[u8], notes: &mut impl Notes) -> Seen {
        notes.note(self.start, TroubleKind::OverLong { limit: buffer.len() });
        self.stage = Stage::Spoilt;
        self.stray(byte, at, notes);
        Seen::Nothing
    }

    fn missed(&mut self, notes: &mut impl Notes) -> Seen {
        self.reset(notes);
        Seen::Missed
    }

    fn believe(&mut self, control: u8, cut: bool, awaited: bool, notes: &mut impl Notes) -> Seen {
        self.reset(notes);
        if control == ENQ { Seen::Enq { awaited } } else { Seen::Eot { cut } }
    }

    /// Appends to the frame in the buffer and says where; `None` when it is full.
    fn keep(&mut self, byte: u8, buffer: &mut [u8]) -> Option<usize> {
        let index = self.len;
        *buffer.get_mut(index)? = byte;
        self.len = index.saturating_add(1);
        Some(index)
    }
}

/// What a silence would settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    Nothing,
    Tail,
    Quiet,
}
