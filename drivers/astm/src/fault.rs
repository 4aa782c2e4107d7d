//! How a simulator makes the faults that it was asked for, each once.

use orugate_driver::SimulatedFault as Fault;
use orugate_protocol::ascii::LF;

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
