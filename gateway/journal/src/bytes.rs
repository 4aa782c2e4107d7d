//! Little-endian fields in a byte slice: a reader that cannot run over the end, and the padding to a page.

use crate::format::PAGE_LEN;

/// Takes fields off the front; `None` when too few bytes are left.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(front)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (front, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*front)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}

/// Overwrites `field` at `offset`. The offset is one of the format's constants within a buffer that the caller
/// has just made long enough; a wrong one leaves the buffer alone, and the checksum over it will tell.
pub(crate) fn put(buffer: &mut [u8], offset: usize, field: &[u8]) {
    if let Some(place) = buffer.get_mut(offset..).and_then(|rest| rest.get_mut(..field.len())) {
        place.copy_from_slice(field);
    }
}

/// As comparisons of whole pages, so that skipping the unused end of a segment costs next to nothing.
pub(crate) fn all_zero(bytes: &[u8]) -> bool {
    static ZEROS: [u8; PAGE_LEN] = [0; PAGE_LEN];
    bytes.chunks(PAGE_LEN).all(|chunk| ZEROS.get(..chunk.len()) == Some(chunk))
}
