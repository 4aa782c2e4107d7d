//! Faults that a simulated instrument can make, so that a test or a technician sees how the gateway takes them.

use std::str::FromStr;

/// A fault, made once. Frames and bytes are counted from 1 over everything that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// One bit of this frame is flipped on the wire.
    FlipBit(u32),
    /// This frame ends without its line feed.
    LoseLf(u32),
    /// The instrument does not hear the ACK of this frame and sends it again after its time-out.
    LoseAck(u32),
    /// This frame is sent twice in a row, as after a reply that was lost.
    Repeat(u32),
    /// After this many bytes the wire goes dead in mid-frame and is opened again.
    Cut(u32),
    /// After this frame the wire is closed and opened again.
    Disconnect(u32),
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no fault; allowed are flip-bit:N, lose-lf:N, lose-ack:N, repeat:N, cut:N, disconnect:N"
            )
        };
        let (name, number) = text.split_once(':').ok_or_else(wrong)?;
        let number = number.parse().map_err(|_| wrong())?;
        Ok(match name {
            "flip-bit" => Self::FlipBit(number),
            "lose-lf" => Self::LoseLf(number),
            "lose-ack" => Self::LoseAck(number),
            "repeat" => Self::Repeat(number),
            "cut" => Self::Cut(number),
            "disconnect" => Self::Disconnect(number),
            _ => return Err(wrong()),
        })
    }
}
