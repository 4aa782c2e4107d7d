//! The units of one kept piece: an answer in parts is kept as its units one after the other, exactly as they came.

use crate::pdu::parse;

/// The first unit as it came, and what is behind it; `None` at the end, or when what is there is no unit.
pub(crate) fn split(raw: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = if is_framed(raw) {
        // A frame's end mark stands nowhere within it.
        raw.iter().position(|byte| *byte == 0xC1)?.checked_add(1)?
    } else {
        parse(raw)?.1
    };
    raw.split_at_checked(len)
}

/// It is a frame of the serial port; units of datagrams begin otherwise.
pub(crate) fn is_framed(raw: &[u8]) -> bool {
    raw.first() == Some(&0xC0)
}

/// A frame or a unit begins here, and no text: the kinds of association messages are also a tab and line ends.
pub(crate) fn begins(raw: &[u8]) -> bool {
    matches!(
        raw,
        [0xC0, ..]
            | [0xE1, 0, 0, 2, ..]
            | [0x0D | 0x0E, _, 0x05, 0x08, ..]
            | [0x0D | 0x0E, 0xFF, _, _, 0x05, 0x08, ..]
    )
}

/// The plain bytes of each unit, for who may allocate.
pub(crate) fn plain(raw: &[u8]) -> Vec<Vec<u8>> {
    let (mut rest, mut all) = (raw, Vec::new());
    while let Some((unit, after)) = split(rest) {
        rest = after;
        if is_framed(unit) {
            let mut space = vec![0; unit.len()];
            all.extend(crate::frame::open(unit, &mut space).ok().map(<[u8]>::to_vec));
        } else {
            all.push(unit.to_vec());
        }
    }
    all
}
