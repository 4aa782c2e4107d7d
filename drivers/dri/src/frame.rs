//! Records on the line: `7E`, the record and its checksum with escapes, `7E`.
//!
//! Promises: a record is given only when its checksum and its own length are right; what else came is told with its place
//! and size, once; after damage the next flag is a fresh start, so damage costs the records that it hit and none more.
//! Memory is bounded by the longest record there is. Leaves out what a record says.

/// Begins and ends a record; one flag may do both.
pub(crate) const FLAG: u8 = 0x7E;
/// The next byte has bit 5 taken out.
const ESCAPE: u8 = 0x7D;
const BIT_5: u8 = 0x20;

/// Header of a record, bytes.
pub(crate) const HEADER: usize = 40;
/// The longest record: the header and 1450 bytes.
pub(crate) const RECORD_MAX: usize = 1490;

/// What the line brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard<'a> {
    /// A good record.
    Record {
        /// Where it began: bytes since the channel was opened.
        at: u64,
        /// As it came, from flag to flag.
        raw: &'a [u8],
        /// Without flags, escapes and checksum.
        record: &'a [u8],
    },
    /// Bytes that are no record.
    Damage {
        /// Where they began: bytes since the channel was opened.
        at: u64,
        /// What is wrong with them.
        what: Damage,
    },
}

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// Before the first flag: the end of what began before we listened. How many bytes.
    Joined(u32),
    /// Between two flags, and fewer than any record has. How many.
    Stray(u32),
    /// The checksum that the bytes have, and the one that came.
    Checksum(u8, u8),
    /// The length that the record names, and the one that it has.
    Length(u32, u32),
    /// No flag within the longest record.
    Long,
    /// An escape with nothing to escape: the sender broke off.
    Broken,
    /// The channel ended in the middle.
    Cut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No flag was seen yet.
    Joining,
    /// After a flag.
    In,
    /// After more than a record may have, until the next flag.
    Skipping,
}

/// Finds records in bytes.
#[derive(Debug)]
pub(crate) struct Deframer {
    raw: Vec<u8>,
    record: Vec<u8>,
    escaped: bool,
    state: State,
    /// Bytes since the channel was opened.
    offset: u64,
    /// Where what is gathered began.
    began: u64,
}

impl Deframer {
    pub(crate) fn new() -> Self {
        Self {
            raw: Vec::with_capacity(2048),
            record: Vec::with_capacity(RECORD_MAX),
            escaped: false,
            state: State::Joining,
            offset: 0,
            began: 0,
        }
    }

    /// For the moment in which another one works.
    pub(crate) const fn empty() -> Self {
        Self {
            raw: Vec::new(),
            record: Vec::new(),
            escaped: false,
            state: State::Joining,
            offset: 0,
            began: 0,
        }
    }

    /// Takes bytes; `each` hears what they complete.
    pub(crate) fn bytes(&mut self, bytes: &[u8], each: &mut dyn FnMut(Heard<'_>)) {
        for byte in bytes {
            let at = self.offset;
            self.offset = at.saturating_add(1);
            if *byte == FLAG {
                self.flag(at, each);
                continue;
            }
            match self.state {
                State::Joining | State::Skipping => {}
                State::In => self.take(*byte, each),
            }
        }
    }

    /// The channel is gone: what is half heard is told, and the next byte is the first of another one.
    pub(crate) fn end(&mut self, each: &mut dyn FnMut(Heard<'_>)) {
        if self.state == State::In && !self.record.is_empty() {
            each(Heard::Damage { at: self.began, what: Damage::Cut });
        }
        *self = Self::new();
    }

    fn take(&mut self, byte: u8, each: &mut dyn FnMut(Heard<'_>)) {
        self.raw.push(byte);
        if byte == ESCAPE && !self.escaped {
            self.escaped = true;
            return;
        }
        let byte = if std::mem::take(&mut self.escaped) { byte | BIT_5 } else { byte };
        // One more than a record: its checksum.
        if self.record.len() > RECORD_MAX {
            each(Heard::Damage { at: self.began, what: Damage::Long });
            self.state = State::Skipping;
            return;
        }
        self.record.push(byte);
    }

    fn flag(&mut self, at: u64, each: &mut dyn FnMut(Heard<'_>)) {
        match self.state {
            State::Joining if at > 0 => {
                each(Heard::Damage { at: 0, what: Damage::Joined(u32::try_from(at).unwrap_or(u32::MAX)) });
            }
            State::In if !self.record.is_empty() || self.escaped => {
                self.raw.push(FLAG);
                let heard = match self.judge() {
                    Ok(record) => Heard::Record { at: self.began, raw: &self.raw, record },
                    Err(what) => Heard::Damage { at: self.began, what },
                };
                each(heard);
            }
            State::Joining | State::In | State::Skipping => {}
        }
        self.state = State::In;
        self.began = at;
        self.escaped = false;
        self.record.clear();
        self.raw.clear();
        self.raw.push(FLAG);
    }

    fn judge(&self) -> Result<&[u8], Damage> {
        if self.record.len() <= HEADER {
            return Err(Damage::Stray(u32::try_from(self.record.len()).unwrap_or(u32::MAX)));
        }
        if self.escaped {
            return Err(Damage::Broken);
        }
        let Some((found, record)) = self.record.split_last() else { return Err(Damage::Broken) };
        let sum = checksum(record);
        if sum != *found {
            return Err(Damage::Checksum(sum, *found));
        }
        let named = match record {
            [low, high, ..] => u16::from_le_bytes([*low, *high]),
            _ => 0,
        };
        let has = record.len();
        if usize::from(named) != has {
            return Err(Damage::Length(named.into(), u32::try_from(has).unwrap_or(u32::MAX)));
        }
        Ok(record)
    }
}

/// The sum of a record's bytes.
pub(crate) fn checksum(record: &[u8]) -> u8 {
    record.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte))
}

/// A record as it goes on the line.
pub(crate) fn encode(record: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(record.len().saturating_add(8));
    out.push(FLAG);
    for byte in record.iter().copied().chain([checksum(record)]) {
        if matches!(byte, FLAG | ESCAPE) {
            out.extend([ESCAPE, byte & !BIT_5]);
        } else {
            out.push(byte);
        }
    }
    out.push(FLAG);
    out
}

/// Takes the flags, escapes and checksum off one framed record, into `space`; `None` when it is none or does not fit.
pub(crate) fn decode<'s>(raw: &[u8], space: &'s mut [u8]) -> Option<&'s [u8]> {
    let [FLAG, inner @ .., FLAG] = raw else { return None };
    let mut length = 0usize;
    let mut rest = inner.iter();
    while let Some(byte) = rest.next() {
        let byte = if *byte == ESCAPE { *rest.next()? | BIT_5 } else { *byte };
        *space.get_mut(length)? = byte;
        length = length.checked_add(1)?;
    }
    let (sum, record) = space.get(..length)?.split_last()?;
    (checksum(record) == *sum).then_some(record)
}

/// From places in a record to places in its framed bytes, for places that only grow; cheap because it never goes back.
pub(crate) struct Places<'r> {
    raw: &'r [u8],
    plain: usize,
    at: usize,
}

impl<'r> Places<'r> {
    pub(crate) const fn new(raw: &'r [u8]) -> Self {
        Self { raw, plain: 0, at: 1 }
    }

    /// Where the record's byte `plain` stands in the framed bytes.
    pub(crate) fn of(&mut self, plain: usize) -> usize {
        if plain < self.plain {
            *self = Self::new(self.raw);
        }
        while self.plain < plain {
            let step = if self.raw.get(self.at) == Some(&ESCAPE) { 2 } else { 1 };
            self.at = self.at.saturating_add(step);
            self.plain = self.plain.saturating_add(1);
        }
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(fill: u8, length: usize) -> Vec<u8> {
        let mut record = vec![fill; length];
        record[..2].copy_from_slice(&u16::try_from(length).unwrap().to_le_bytes());
        record
    }

    /// Good records and damages, from bytes cut into pieces of `size`.
    fn hear(bytes: &[u8], size: usize) -> (Vec<Vec<u8>>, Vec<(u64, Damage)>) {
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        let mut deframer = Deframer::new();
        let mut each = |heard: Heard<'_>| match heard {
            Heard::Record { raw, record, .. } => {
                let mut space = [0; RECORD_MAX + 1];
                assert_eq!(decode(raw, &mut space), Some(record));
                assert_eq!(encode(record), raw);
                good.push(record.to_vec());
            }
            Heard::Damage { at, what } => bad.push((at, what)),
        };
        for piece in bytes.chunks(size) {
            deframer.bytes(piece, &mut each);
        }
        deframer.end(&mut each);
        (good, bad)
    }

    #[test]
    fn records_are_found_however_the_bytes_are_cut_and_flags_shared() {
        let records = [record(0x7E, 41), record(0x7D, 60), record(0x11, RECORD_MAX)];
        let framed: Vec<Vec<u8>> = records.iter().map(|r| encode(r)).collect();
        let doubled = framed.concat();
        let mut shared = vec![FLAG];
        for frame in &framed {
            shared.extend(&frame[1..]);
        }
        for bytes in [doubled, shared] {
            for size in [1, 2, 7, 5000] {
                assert_eq!(hear(&bytes, size), (records.to_vec(), vec![]));
            }
        }
    }

    #[test]
    fn damage_costs_the_record_that_it_hit_and_no_other() {
        let good = encode(&record(0x22, 50));
        let long = encode(&record(0x33, RECORD_MAX));
        let cases: [(&str, Vec<u8>, usize, Damage); 8] = [
            ("the end of what began before", [b"xyz".as_slice(), &good].concat(), 1, Damage::Joined(3)),
            ("stray bytes", [&good[..], b"\xFF\x00", &good].concat(), 2, Damage::Stray(2)),
            ("broken off", [&good[..good.len() - 1], b"\x7D\x7E", &good].concat(), 1, Damage::Broken),
            ("cut", [&good[..], &good[..20]].concat(), 1, Damage::Cut),
            ("a lost byte", [&good[..20], &good[21..], &good].concat(), 1, Damage::Checksum(0, 0)),
            ("two flags lost", [&long[..long.len() - 1], &long[1..], &good].concat(), 1, Damage::Long),
            ("another length", [encode(&[0; 50]), good.clone()].concat(), 1, Damage::Length(0, 50)),
            (
                "a flag in the middle",
                [&good[..30], &[FLAG], &good[31..], &good].concat(),
                1,
                Damage::Stray(29),
            ),
        ];
        for (what, bytes, count, damage) in cases {
            let (found, bad) = hear(&bytes, 3);
            assert_eq!(found.len(), count, "{what}: {bad:?}");
            let same = |seen: &Damage| match (seen, &damage) {
                (Damage::Checksum(..), Damage::Checksum(..)) => true,
                _ => *seen == damage,
            };
            assert!(bad.iter().any(|(_, seen)| same(seen)), "{what}: {bad:?}");
        }
    }

    #[test]
    fn no_flipped_lost_or_doubled_byte_gives_a_wrong_record() {
        let first = encode(
            &(0..90)
                .map(|n| {
                    if n == 0 {
                        90
                    } else if n == 1 {
                        0
                    } else {
                        n
                    }
                })
                .collect::<Vec<u8>>(),
        );
        let second = encode(&record(0x44, 45));
        let sound = [first.clone(), second].concat();
        let (all, _) = hear(&sound, 9999);
        for at in 0..sound.len() {
            for change in 0..10 {
                let mut bytes = sound.clone();
                match change {
                    8 => drop(bytes.remove(at)),
                    9 => bytes.insert(at, bytes[at]),
                    bit => bytes[at] ^= 1 << bit,
                }
                let (found, _) = hear(&bytes, 9999);
                for record in found {
                    assert!(all.contains(&record), "byte {at}, change {change}");
                }
            }
        }
    }

    #[test]
    fn places_in_a_record_are_found_on_the_line() {
        let record = [1, FLAG, 2, ESCAPE, 3, 4];
        let raw = encode(&record);
        let mut places = Places::new(&raw);
        for (plain, at) in [(0, 1), (1, 2), (2, 4), (3, 5), (4, 7), (5, 8), (0, 1)] {
            assert_eq!(places.of(plain), at, "{plain}");
        }
    }
}
