//! How a simulated device makes the faults that it was asked for. A frame is an answer with data, counted from 0.

use orugate_driver::SimulatedFault as Fault;
use std::time::Duration;

/// The faults that are still to come.
#[derive(Debug)]
pub(crate) struct Faults {
    left: Vec<Fault>,
    /// Bytes of answers that have left.
    sent: u64,
}

impl Faults {
    pub(crate) fn new(faults: &[Fault]) -> Self {
        Self { left: faults.to_vec(), sent: 0 }
    }

    /// An answer as it leaves.
    pub(crate) fn spoil(&mut self, answer: usize, mut bytes: Vec<u8>) -> Vec<u8> {
        self.left.retain(|fault| match *fault {
            Fault::FlipBit { frame, byte, bit } if frame == answer => {
                if let Some(spoilt) = bytes.get_mut(byte) {
                    *spoilt ^= 1u8.wrapping_shl(bit.into());
                }
                false
            }
            Fault::LoseByte { frame, byte } if frame == answer => {
                if byte < bytes.len() {
                    bytes.remove(byte);
                }
                false
            }
            Fault::DoubleByte { frame, byte } if frame == answer => {
                if let Some(twice) = bytes.get(byte).copied() {
                    bytes.insert(byte, twice);
                }
                false
            }
            Fault::InsertByte { frame, byte, code } if frame == answer => {
                if byte <= bytes.len() {
                    bytes.insert(byte, code);
                }
                false
            }
            Fault::LoseFrame { frame } if frame == answer => {
                bytes.clear();
                false
            }
            Fault::Twice { frame } if frame == answer => {
                bytes.extend_from_within(..);
                false
            }
            Fault::WrongChecksum { frame } if frame == answer => {
                let low = bytes.len().saturating_sub(2);
                if let Some(digit) = bytes.get_mut(low) {
                    *digit = if *digit == b'0' { b'1' } else { b'0' };
                }
                false
            }
            Fault::LoseStart { frame } if frame == answer => {
                bytes.drain(..bytes.len().min(2));
                false
            }
            Fault::LoseTail { frame } if frame == answer => {
                bytes.pop();
                false
            }
            Fault::Stream { frame } if frame == answer => {
                // A sync byte and two bytes of a stream, between any two bytes.
                let stream = [0xD1, 0x94, 0x81];
                bytes = bytes.iter().flat_map(|byte| [stream[0], stream[1], stream[2], *byte]).collect();
                false
            }
            _ => true,
        });
        bytes
    }

    /// How late this answer comes.
    pub(crate) fn stalls(&mut self, answer: usize) -> Option<Duration> {
        let at = self
            .left
            .iter()
            .position(|fault| matches!(fault, Fault::Stall { frame, .. } if *frame == answer));
        match self.left.swap_remove(at?) {
            Fault::Stall { seconds, .. } => Some(Duration::from_secs(seconds.into())),
            _ => None,
        }
    }

    pub(crate) fn hangs_up(&mut self, answer: usize) -> bool {
        self.once(Fault::Disconnect { after_frame: answer })
    }

    pub(crate) fn restarts(&mut self, answer: usize) -> bool {
        self.once(Fault::Restart { frame: answer })
    }

    pub(crate) fn falls_silent(&mut self, answer: usize) -> bool {
        self.once(Fault::Silence { frame: answer })
    }

    /// For ever.
    pub(crate) fn refuses(&self, command: u8) -> bool {
        self.left.contains(&Fault::Refuse { command })
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
