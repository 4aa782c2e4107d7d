//! Sidecars: the entries of one complete segment as a file beside it. Derived, and never believed against the segment: one
//! that is torn, of another segment, of other terms or of a newer format is as good as absent.
//!
//! In a sealed journal a sidecar is sealed as its segment is. What it holds are hashes of things that can be guessed, and the
//! key of those hashes lies in the same folder.

use super::entries::{Entries, Entry};
use crate::bytes::{Fields, put};
use crate::format::{FORMAT, SegmentHeader, segment_name};
use crate::identity::random;
use crate::record::Lane;
use crate::scan::Place;
use crate::seal::{KeyId, KeyRing, SegmentKey, TAG};
use crate::segment::read_headers;
use crate::storage::{Storage, read_exact, write_all};
use crc32c::{crc32c, crc32c_append};
use std::io;

const MAGIC: [u8; 8] = *b"ORUGATEX";
/// The oldest reader that may use what this version writes.
const OLDEST_READER: u16 = 1;
const SEALED: u8 = 1;
const HEADER: usize = 80;
const CRC: usize = 76;
const ENTRY: usize = 8;
const EXTENSION: &str = ".idx";
/// Behind a name: being written.
const UNFINISHED: &str = ".new";

pub(crate) fn sidecar_name(segment: u64) -> String {
    format!("{}-{segment:016x}{EXTENSION}", Lane::Results.name())
}

/// Whether it is a sidecar's name or one of a sidecar that is being written, and of which segment.
pub(crate) fn parse_sidecar_name(name: &str) -> Option<(u64, bool)> {
    let finished = name.strip_suffix(UNFINISHED);
    let stem = finished.unwrap_or(name).strip_suffix(EXTENSION)?;
    let segment =
        u64::from_str_radix(stem.strip_prefix(Lane::Results.name())?.strip_prefix('-')?, 16).ok()?;
    (sidecar_name(segment) == finished.unwrap_or(name)).then_some((segment, finished.is_none()))
}

/// The bytes of a sidecar. `salt` was never used before.
pub(crate) fn encode(
    entries: &Entries,
    segment: &SegmentHeader,
    version: u32,
    salt: [u8; 16],
    keys: Option<&KeyRing>,
) -> io::Result<Vec<u8>> {
    let count = |list: &[Entry]| u32::try_from(list.len()).map_err(io::Error::other);
    let mut header = [0; HEADER];
    put(&mut header, 0, &MAGIC);
    put(&mut header, 8, &FORMAT.to_le_bytes());
    put(&mut header, 10, &OLDEST_READER.to_le_bytes());
    put(&mut header, 16, &salt);
    put(&mut header, 32, &segment.salt);
    put(&mut header, 48, &segment.segment.to_le_bytes());
    put(&mut header, 64, &version.to_le_bytes());
    put(&mut header, 68, &count(&entries.at_hand)?.to_le_bytes());
    put(&mut header, 72, &count(&entries.on_file)?.to_le_bytes());
    let mut body = Vec::new();
    for (fingerprint, offset) in entries.at_hand.iter().chain(&entries.on_file) {
        body.extend_from_slice(&fingerprint.to_le_bytes());
        body.extend_from_slice(&offset.to_le_bytes());
    }
    if let Some(id) = segment.key {
        put(&mut header, 12, &[SEALED]);
        put(&mut header, 56, &id.0);
        let key = SegmentKey::of_sidecar(id, keys, &salt, &segment.journal);
        key.ok_or(io::ErrorKind::NotFound)?.seal_whole(&header, &mut body)?;
    }
    let crc = crc32c_append(crc32c(&header), &body);
    put(&mut header, CRC, &crc.to_le_bytes());
    Ok([&header[..], &body].concat())
}

/// The entries of a sidecar of exactly this segment. `None`: it cannot be used.
pub(crate) fn decode(
    mut bytes: Vec<u8>,
    segment: &SegmentHeader,
    version: u32,
    keys: Option<&KeyRing>,
) -> Option<Entries> {
    let mut fields = Fields(&bytes);
    (fields.array()? == MAGIC).then_some(())?;
    let _format = fields.u16()?;
    (fields.u16()? <= FORMAT).then_some(())?;
    let sealed = fields.u8()?;
    fields.bytes(3)?;
    let salt: [u8; 16] = fields.array()?;
    let mine = fields.array()? == segment.salt && fields.u64()? == segment.segment;
    let id = KeyId(fields.array()?);
    let key = match sealed {
        0 => None,
        SEALED => Some(id),
        _ => return None,
    };
    let same_terms = fields.u32()? == version;
    let at_hand = usize::try_from(fields.u32()?).ok()?;
    let on_file = usize::try_from(fields.u32()?).ok()?;
    let crc = fields.u32()?;
    (mine && same_terms && key == segment.key).then_some(())?;
    put(&mut bytes, CRC, &[0; 4]);
    (crc32c(&bytes) == crc).then_some(())?;
    let mut body = bytes.split_off(HEADER);
    if let Some(id) = key {
        SegmentKey::of_sidecar(id, keys, &salt, &segment.journal)?.open_whole(&bytes, &mut body)?;
    }
    let entry = |entry: &[u8]| {
        let mut fields = Fields(entry);
        Some((fields.u32()?, fields.u32()?))
    };
    let all: Option<Vec<Entry>> = body.chunks(ENTRY).map(entry).collect();
    let mut at = all.filter(|all| all.len() == at_hand.saturating_add(on_file))?;
    let on_file = at.split_off(at_hand);
    Some(Entries { at_hand: at, on_file })
}

/// The sidecar of a segment, if there is one that can be used.
pub(crate) fn load(place: Place<'_>, segment: u64, version: u32) -> Option<Entries> {
    let file = place.storage.open(&sidecar_name(segment)).ok()?;
    let (header, size) = segment_header(place, segment)?;
    let len = file.size().ok().filter(|len| *len <= largest(size))?;
    let mut bytes = vec![0; usize::try_from(len).ok()?];
    read_exact(&*file, &mut bytes, 0).ok()?;
    decode(bytes, &header, version, place.keys)
}

/// The bytes of a new sidecar for a segment as it is on the disk.
pub(crate) fn make(place: Place<'_>, segment: u64, version: u32, entries: &Entries) -> io::Result<Vec<u8>> {
    let (header, size) = segment_header(place, segment).ok_or(io::ErrorKind::NotFound)?;
    let bytes = encode(entries, &header, version, random()?, place.keys)?;
    if bytes.len() as u64 > largest(size) { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

/// Writes a sidecar. There is none of this name, and no half one gets it. It is synced, once for a whole segment, although it
/// could be made again: where the power goes again and again, each start would begin with all segments, and results that wait
/// for the index would wait for ever.
pub(crate) fn write(storage: &dyn Storage, segment: u64, bytes: &[u8]) -> io::Result<()> {
    let name = sidecar_name(segment);
    let unfinished = format!("{name}{UNFINISHED}");
    let written = storage
        .create(&unfinished)
        .and_then(|file| write_all(&*file, bytes, 0).and_then(|()| file.sync_data()))
        .and_then(|()| storage.rename(&unfinished, &name))
        .and_then(|()| storage.sync_dir());
    if written.is_err() {
        for name in [&unfinished, &name] {
            let _ = storage.remove(name);
        }
    }
    written
}

/// No sidecar is larger than this: what claims to be is not read into memory.
const fn largest(segment_size: u64) -> u64 {
    segment_size.saturating_add(HEADER as u64).saturating_add(TAG as u64)
}

fn segment_header(place: Place<'_>, segment: u64) -> Option<(SegmentHeader, u64)> {
    let file = place.storage.open(&segment_name(Lane::Results, segment)).ok()?;
    let header = read_headers(&*file).into_iter().flatten().next()?;
    let mine = header.lane == Lane::Results
        && header.segment == segment
        && header.journal == place.journal
        && header.oldest_reader <= FORMAT;
    Some((header, file.size().ok()?)).filter(|_| mine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Term;
    use crate::seal::SealKey;

    fn counting<const N: usize>(from: u8) -> [u8; N] {
        std::array::from_fn(|index| from + index as u8)
    }

    fn entries() -> Entries {
        let entry = |number| (Term::number(number).fingerprint(), 8256);
        Entries { at_hand: vec![entry(1)], on_file: vec![entry(1_800_000_000_000_000)] }
    }

    /// The numbers came from another program, written from FORMAT.md with its own AES.
    #[test]
    fn the_worked_example_in_the_format_is_right() {
        let format = include_str!("../../FORMAT.md");
        let example = format.split("### A sidecar, worked").nth(1).unwrap();
        let row = |name: &str| {
            let row = example.lines().find(|line| line.starts_with(&format!("| {name} |"))).unwrap();
            row.split('`').nth(1).unwrap().replace(' ', "")
        };
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let key = SealKey::new(counting(0).into()).unwrap();
        let mut segment = SegmentHeader::new(Lane::Results, 1, counting(0xa0), counting(0xc0), 1 << 20);
        let plain = encode(&entries(), &segment, 1, counting(0xb0), None).unwrap();
        assert_eq!(hex(&plain[HEADER..]), row("entries"));
        segment.key = Some(key.id());
        let ring = KeyRing::new(key, vec![]);
        let bytes = encode(&entries(), &segment, 1, counting(0xb0), Some(&ring)).unwrap();
        assert_eq!((hex(&bytes), hex(&counting::<16>(0xb0))), (row("file"), row("own salt")));
        assert_eq!(decode(bytes, &segment, 1, Some(&ring)), Some(entries()));
    }

    #[test]
    fn names_are_strict() {
        assert_eq!(sidecar_name(0x1f), "results-000000000000001f.idx");
        assert_eq!(parse_sidecar_name("results-000000000000001f.idx"), Some((0x1f, true)));
        assert_eq!(parse_sidecar_name("results-000000000000001f.idx.new"), Some((0x1f, false)));
        for wrong in [
            "results-1f.idx",
            "results-000000000000001F.idx",
            "snapshots-000000000000001f.idx",
            "results-000000000000001f.seg",
            "results-000000000000001f.new",
            "results-000000000000001f.idx.new.new",
        ] {
            assert_eq!(parse_sidecar_name(wrong), None, "{wrong}");
        }
    }
}
