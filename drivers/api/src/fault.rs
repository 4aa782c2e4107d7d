//! Faults that a simulated instrument makes on purpose, so that a test or a technician sees how the gateway takes them.

use std::str::FromStr;

/// A fault, made once. Frames count from 0 within a message; the first message that has such a frame gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SimulatedFault {
    /// One bit of a frame is wrong, as noise makes it.
    FlipBit {
        /// Which frame.
        frame: usize,
        /// Which byte of it, from its STX; beyond its end: none.
        byte: usize,
        /// Which bit, 0 to 7.
        bit: u8,
    },
    /// A frame comes without its LF.
    LoseLf {
        /// Which frame.
        frame: usize,
    },
    /// The ACK of a frame is not heard, so the frame is sent again.
    LoseAck {
        /// Which frame.
        frame: usize,
    },
    /// A frame is sent again although its ACK was heard.
    RepeatFrame {
        /// Which frame.
        frame: usize,
    },
    /// The line breaks after so many bytes from the start.
    CutAt {
        /// How many bytes still leave.
        byte: u64,
    },
    /// The line breaks after the ACK of a frame.
    Disconnect {
        /// Which frame.
        after_frame: usize,
    },
}

/// `flip-bit:2`, `lose-lf:1`, `lose-ack:3`, `repeat:2`, `cut:500`, `disconnect:4`; here people count frames from 1. A
/// flipped bit is the lowest of the frame's tenth byte unless `flip-bit:FRAME:BYTE:BIT` says another.
impl FromStr for SimulatedFault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const ALLOWED: &str = "flip-bit:FRAME, flip-bit:FRAME:BYTE:BIT, lose-lf:FRAME, lose-ack:FRAME, repeat:FRAME, \
                               cut:BYTE, disconnect:FRAME, with frames from 1 and bits from 0 to 7";
        let wrong = || format!("`{text}` is no fault; allowed are {ALLOWED}");
        let (name, rest) = text.split_once(':').ok_or_else(wrong)?;
        let numbers: Vec<u32> =
            rest.split(':').map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?;
        let frame = |n: u32| n.checked_sub(1).and_then(|n| usize::try_from(n).ok()).ok_or_else(wrong);
        match (name, numbers.as_slice()) {
            ("flip-bit", [n]) => Ok(Self::FlipBit { frame: frame(*n)?, byte: 10, bit: 0 }),
            ("flip-bit", [n, byte, bit @ 0..=7]) => Ok(Self::FlipBit {
                frame: frame(*n)?,
                byte: usize::try_from(*byte).map_err(|_| wrong())?,
                bit: u8::try_from(*bit).map_err(|_| wrong())?,
            }),
            ("lose-lf", [n]) => Ok(Self::LoseLf { frame: frame(*n)? }),
            ("lose-ack", [n]) => Ok(Self::LoseAck { frame: frame(*n)? }),
            ("repeat", [n]) => Ok(Self::RepeatFrame { frame: frame(*n)? }),
            ("cut", [byte]) => Ok(Self::CutAt { byte: (*byte).into() }),
            ("disconnect", [n]) => Ok(Self::Disconnect { after_frame: frame(*n)? }),
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_count_from_one() {
        assert_eq!("repeat:2".parse(), Ok(SimulatedFault::RepeatFrame { frame: 1 }));
        assert_eq!("flip-bit:1:5:7".parse(), Ok(SimulatedFault::FlipBit { frame: 0, byte: 5, bit: 7 }));
        for wrong in ["repeat", "repeat:0", "repeat:x", "flip-bit:1:5:8", "burn:1"] {
            assert!(wrong.parse::<SimulatedFault>().unwrap_err().contains("allowed are"), "{wrong}");
        }
    }
}
