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
    /// A byte of a frame does not arrive.
    LoseByte {
        /// Which frame.
        frame: usize,
        /// Which byte of it, from its STX.
        byte: usize,
    },
    /// A byte of a frame arrives twice.
    DoubleByte {
        /// Which frame.
        frame: usize,
        /// Which byte of it, from its STX.
        byte: usize,
    },
    /// A byte that nobody sent comes before one of a frame.
    InsertByte {
        /// Which frame.
        frame: usize,
        /// Before which byte of it, from its STX.
        byte: usize,
        /// What comes.
        code: u8,
    },
    /// A whole frame does not arrive.
    LoseFrame {
        /// Which frame.
        frame: usize,
    },
    /// A frame arrives twice at once, before its ACK.
    Twice {
        /// Which frame.
        frame: usize,
    },
    /// A frame has another number, and the checksum that goes with it.
    Renumber {
        /// Which frame.
        frame: usize,
        /// The number, 0 to 9.
        number: u8,
    },
    /// A frame's checksum is another one's.
    WrongChecksum {
        /// Which frame.
        frame: usize,
    },
    /// A frame comes without its STX and number.
    LoseStart {
        /// Which frame.
        frame: usize,
    },
    /// A frame comes without its CR LF.
    LoseTail {
        /// Which frame.
        frame: usize,
    },
    /// The reply is not heard, and waited for in vain.
    LoseReply {
        /// To which frame; `None` for the reply to ENQ.
        frame: Option<usize>,
    },
    /// The line is silent in the middle of a frame.
    Stall {
        /// Which frame.
        frame: usize,
        /// For how long.
        seconds: u32,
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
    /// The device begins anew in place of a frame, as after its power was cut.
    Restart {
        /// Which frame.
        frame: usize,
    },
    /// From a frame on the device says nothing any more, and hears nothing.
    Silence {
        /// Which frame.
        frame: usize,
    },
    /// Bytes of a stream of another kind stand between those of a frame, where the protocol has such a stream.
    Stream {
        /// Which frame.
        frame: usize,
    },
    /// The device refuses a command, always.
    Refuse {
        /// Its code.
        command: u8,
    },
    /// A frame arrives after the next one, as datagrams may.
    Overtake {
        /// Which frame.
        frame: usize,
    },
    /// The device's clock is set after a frame.
    SetClock {
        /// Which frame.
        frame: usize,
        /// By so many seconds, back or forward.
        seconds: i32,
    },
    /// The device denies a connection so many times: somebody else has it.
    Deny {
        /// How many times.
        times: u32,
    },
}

/// `flip-bit:2`, `insert:3:0:255`, `cut:500` and so on; here people count frames from 1, and bytes from 0. Without a byte
/// the frame's tenth is meant, without a bit the lowest.
impl FromStr for SimulatedFault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const ALLOWED: &str = "flip-bit:FRAME, flip-bit:FRAME:BYTE:BIT, lose-byte:FRAME[:BYTE], double-byte:FRAME[:BYTE], \
                               insert:FRAME:BYTE:CODE, lose-lf:FRAME, lose-tail:FRAME, lose-start:FRAME, lose-frame:FRAME, \
                               twice:FRAME, number:FRAME:NUMBER, checksum:FRAME, lose-ack:FRAME, lose-reply:FRAME, \
                               repeat:FRAME, stall:FRAME:SECONDS, cut:BYTE, disconnect:FRAME, restart:FRAME, \
                               silence:FRAME, stream:FRAME, refuse:CODE, overtake:FRAME, clock:FRAME:SECONDS, \
                               deny:TIMES, with frames from 1, bits from 0 to 7, codes from 0 to 255, numbers from 0 to \
                               9, and lose-reply:0 for the reply to ENQ";
        let wrong = || format!("`{text}` is no fault; allowed are {ALLOWED}");
        let (name, rest) = text.split_once(':').ok_or_else(wrong)?;
        let numbers: Vec<u32> =
            rest.split(':').map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?;
        let place = |n: u32| usize::try_from(n).map_err(|_| wrong());
        let small = |n: u32| u8::try_from(n).map_err(|_| wrong());
        if let ("lose-reply", [0]) = (name, numbers.as_slice()) {
            return Ok(Self::LoseReply { frame: None });
        }
        if let ("cut", [byte]) = (name, numbers.as_slice()) {
            return Ok(Self::CutAt { byte: (*byte).into() });
        }
        if let ("refuse", [command]) = (name, numbers.as_slice()) {
            return Ok(Self::Refuse { command: small(*command)? });
        }
        if let ("deny", [times]) = (name, numbers.as_slice()) {
            return Ok(Self::Deny { times: *times });
        }
        let (first, rest) = numbers.split_first().ok_or_else(wrong)?;
        let frame = place(first.checked_sub(1).ok_or_else(wrong)?)?;
        match (name, rest) {
            ("flip-bit", []) => Ok(Self::FlipBit { frame, byte: TENTH, bit: 0 }),
            ("flip-bit", [byte, bit @ 0..=7]) => {
                Ok(Self::FlipBit { frame, byte: place(*byte)?, bit: small(*bit)? })
            }
            ("lose-byte", []) => Ok(Self::LoseByte { frame, byte: TENTH }),
            ("lose-byte", [byte]) => Ok(Self::LoseByte { frame, byte: place(*byte)? }),
            ("double-byte", []) => Ok(Self::DoubleByte { frame, byte: TENTH }),
            ("double-byte", [byte]) => Ok(Self::DoubleByte { frame, byte: place(*byte)? }),
            ("insert", [byte, code]) => {
                Ok(Self::InsertByte { frame, byte: place(*byte)?, code: small(*code)? })
            }
            ("lose-lf", []) => Ok(Self::LoseLf { frame }),
            ("lose-tail", []) => Ok(Self::LoseTail { frame }),
            ("lose-start", []) => Ok(Self::LoseStart { frame }),
            ("lose-frame", []) => Ok(Self::LoseFrame { frame }),
            ("twice", []) => Ok(Self::Twice { frame }),
            ("number", [number @ 0..=9]) => Ok(Self::Renumber { frame, number: small(*number)? }),
            ("checksum", []) => Ok(Self::WrongChecksum { frame }),
            ("lose-ack", []) => Ok(Self::LoseAck { frame }),
            ("lose-reply", []) => Ok(Self::LoseReply { frame: Some(frame) }),
            ("repeat", []) => Ok(Self::RepeatFrame { frame }),
            ("stall", [seconds]) => Ok(Self::Stall { frame, seconds: *seconds }),
            ("restart", []) => Ok(Self::Restart { frame }),
            ("silence", []) => Ok(Self::Silence { frame }),
            ("stream", []) => Ok(Self::Stream { frame }),
            ("disconnect", []) => Ok(Self::Disconnect { after_frame: frame }),
            ("overtake", []) => Ok(Self::Overtake { frame }),
            ("clock", [seconds]) => {
                Ok(Self::SetClock { frame, seconds: i32::try_from(*seconds).map_err(|_| wrong())? })
            }
            _ => Err(wrong()),
        }
    }
}

/// The byte that is meant when none is named: in a record's text.
const TENTH: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_count_from_one() {
        assert_eq!("repeat:2".parse(), Ok(SimulatedFault::RepeatFrame { frame: 1 }));
        assert_eq!("flip-bit:1:5:7".parse(), Ok(SimulatedFault::FlipBit { frame: 0, byte: 5, bit: 7 }));
        assert_eq!("lose-reply:0".parse(), Ok(SimulatedFault::LoseReply { frame: None }));
        assert_eq!("refuse:74".parse(), Ok(SimulatedFault::Refuse { command: 74 }));
        assert_eq!("restart:1".parse(), Ok(SimulatedFault::Restart { frame: 0 }));
        assert_eq!("overtake:1".parse(), Ok(SimulatedFault::Overtake { frame: 0 }));
        assert_eq!("clock:1:60".parse(), Ok(SimulatedFault::SetClock { frame: 0, seconds: 60 }));
        assert_eq!("deny:3".parse(), Ok(SimulatedFault::Deny { times: 3 }));
        assert_eq!("stall:2:40".parse(), Ok(SimulatedFault::Stall { frame: 1, seconds: 40 }));
        for wrong in [
            "repeat",
            "repeat:0",
            "repeat:x",
            "flip-bit:1:5:8",
            "burn:1",
            "insert:1:2:256",
            "number:1:10",
            "cut:1:2",
        ] {
            assert!(wrong.parse::<SimulatedFault>().unwrap_err().contains("allowed are"), "{wrong}");
        }
    }
}
