//! How a simulator makes the faults that it was asked for, each once. On a line without frames a record counts as one.

use orugate_driver::SimulatedFault as Fault;
use orugate_protocol::ascii::{CR, LF, STX};
use std::time::Duration;

/// The faults that are still to come.
#[derive(Debug)]
pub(crate) struct Faults {
    left: Vec<Fault>,
    /// Bytes that have left.
    sent: u64,
}

impl Faults {
    pub(crate) fn new(faults: &[Fault]) -> Self {
        Self { left: faults.to_vec(), sent: 0 }
    }

    /// A frame as it leaves.
    pub(crate) fn spoil(&mut self, frame: usize, mut bytes: Vec<u8>) -> Vec<u8> {
        self.left.retain(|fault| match *fault {
            Fault::FlipBit { frame: of, byte, bit } if of == frame => {
                if let Some(spoilt) = bytes.get_mut(byte) {
                    *spoilt ^= 1u8.wrapping_shl(bit.into());
                }
                false
            }
            Fault::LoseByte { frame: of, byte } if of == frame => {
                if byte < bytes.len() {
                    bytes.remove(byte);
                }
                false
            }
            Fault::DoubleByte { frame: of, byte } if of == frame => {
                if let Some(twice) = bytes.get(byte).copied() {
                    bytes.insert(byte, twice);
                }
                false
            }
            Fault::InsertByte { frame: of, byte, code } if of == frame => {
                if byte <= bytes.len() {
                    bytes.insert(byte, code);
                }
                false
            }
            Fault::LoseFrame { frame: of } if of == frame => {
                bytes.clear();
                false
            }
            Fault::Twice { frame: of } if of == frame => {
                bytes.extend_from_within(..);
                false
            }
            Fault::Renumber { frame: of, number } if of == frame => {
                renumber(&mut bytes, number);
                false
            }
            Fault::WrongChecksum { frame: of } if of == frame => {
                add_to_checksum(&mut bytes, 1);
                false
            }
            Fault::LoseStart { frame: of } if of == frame => {
                if bytes.first() == Some(&STX) {
                    bytes.drain(..bytes.len().min(2));
                }
                false
            }
            Fault::LoseTail { frame: of } if of == frame => {
                if bytes.ends_with(&[CR, LF]) {
                    bytes.truncate(bytes.len().saturating_sub(2));
                }
                false
            }
            Fault::LoseLf { frame: of } if of == frame => {
                if bytes.last() == Some(&LF) {
                    bytes.pop();
                }
                false
            }
            _ => true,
        });
        bytes
    }

    pub(crate) fn loses_ack(&mut self, frame: usize) -> bool {
        self.once(Fault::LoseAck { frame })
    }

    pub(crate) fn loses_reply(&mut self, frame: Option<usize>) -> bool {
        self.once(Fault::LoseReply { frame })
    }

    /// How long the line is silent in the middle of this frame.
    pub(crate) fn stalls(&mut self, frame: usize) -> Option<Duration> {
        let at = self
            .left
            .iter()
            .position(|fault| matches!(fault, Fault::Stall { frame: of, .. } if *of == frame));
        match self.left.swap_remove(at?) {
            Fault::Stall { seconds, .. } => Some(Duration::from_secs(seconds.into())),
            _ => None,
        }
    }

    pub(crate) fn repeats(&mut self, frame: usize) -> bool {
        self.once(Fault::RepeatFrame { frame })
    }

    pub(crate) fn hangs_up(&mut self, frame: usize) -> bool {
        self.once(Fault::Disconnect { after_frame: frame })
    }

    /// The bytes that still leave, and whether the line breaks after them.
    pub(crate) fn cut<'b>(&mut self, bytes: &'b [u8]) -> (&'b [u8], bool) {
        let before = self.sent;
        self.sent = before.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let at =
            self.left.iter().position(|fault| matches!(fault, Fault::CutAt { byte } if *byte <= self.sent));
        let Some(index) = at else { return (bytes, false) };
        let Fault::CutAt { byte } = self.left.swap_remove(index) else { return (bytes, false) };
        let leave = usize::try_from(byte.saturating_sub(before)).unwrap_or(usize::MAX);
        (bytes.get(..leave).unwrap_or(bytes), true)
    }

    fn once(&mut self, wanted: Fault) -> bool {
        let at = self.left.iter().position(|fault| *fault == wanted);
        at.map(|index| self.left.swap_remove(index)).is_some()
    }
}

/// Gives a frame another number, and the checksum that goes with it.
fn renumber(frame: &mut [u8], number: u8) {
    if frame.first() != Some(&STX) {
        return;
    }
    let Some(place) = frame.get_mut(1) else { return };
    let was = std::mem::replace(place, b'0'.saturating_add(number));
    let by = place.wrapping_sub(was);
    add_to_checksum(frame, by);
}

/// Raises a frame's checksum, whose two digits stand behind the last ETX or ETB; without them nothing happens.
fn add_to_checksum(frame: &mut [u8], by: u8) {
    let end = frame.iter().rposition(|b| matches!(b, 0x03 | 0x17));
    let Some(digits) = end.and_then(|end| frame.get_mut(end.saturating_add(1)..end.saturating_add(3))) else {
        return;
    };
    let sum = std::str::from_utf8(digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok());
    if let Some(sum) = sum {
        digits.copy_from_slice(format!("{:02X}", sum.wrapping_add(by)).as_bytes());
    }
}
