//! What a destination's configuration means to its forwarder, and how a message's number becomes its MSH-10.
//!
//! Promises nothing about ranges: the configuration has judged them. Zero waits work, but help nobody.

use std::time::Duration;

/// How one destination is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Makes MSH-10 from numbers.
    pub ids: ControlIds,
    /// How long an answer may take, and how long writing a message may take. Then the connection is closed.
    pub answer: Duration,
    /// The longest silence inside a frame of the engine.
    pub frame: Duration,
    /// How long to wait for the CR after FS before the frame is taken without it; `None` never takes it.
    pub missing_cr: Option<Duration>,
    /// The longest acknowledgment, in bytes.
    pub longest: usize,
    /// How often a refused message is sent again before `on_refusal` applies.
    pub retries: u32,
    /// What then becomes of it.
    pub on_refusal: OnRefusal,
    /// True: CA is not enough, a message is delivered when AA comes.
    pub require_application_ack: bool,
    /// True takes an answer with an empty MSA-2 for the message in flight.
    pub accept_blank_msa2: bool,
    /// How many messages may be settled here and not yet journalled: as many may come twice after a power cut.
    pub unsettled: usize,
    /// How long the message in flight is still waited for after a stop was asked for.
    pub stop: Duration,
}

/// What becomes of a message that the engine refuses again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRefusal {
    /// It is parked, and the next one goes.
    Park,
    /// It stays in front and is sent again every minute until it is taken or a person acts.
    Stop,
}

impl Settings {
    /// The defaults of the configuration.
    #[must_use]
    pub fn new(ids: ControlIds) -> Self {
        Self {
            ids,
            answer: Duration::from_secs(30),
            frame: Duration::from_secs(10),
            missing_cr: None,
            longest: 64 * 1024,
            retries: 3,
            on_refusal: OnRefusal::Park,
            require_application_ack: false,
            accept_blank_msa2: false,
            unsettled: 256,
            stop: Duration::from_secs(5),
        }
    }
}

/// Numbers to MSH-10 and back: the gateway's four characters and sixteen digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlIds {
    gateway: Box<str>,
}

impl ControlIds {
    /// Ids that begin with these four characters.
    #[must_use]
    pub fn new(gateway: &str) -> Self {
        Self { gateway: gateway.into() }
    }

    /// The MSH-10 of a number.
    #[must_use]
    pub fn id(&self, number: u64) -> String {
        format!("{}{number:016}", self.gateway)
    }

    /// The number whose MSH-10 these bytes are, byte for byte.
    #[must_use]
    pub fn number(&self, id: &[u8]) -> Option<u64> {
        let digits = id.strip_prefix(self.gateway.as_bytes())?;
        let digits = std::str::from_utf8(digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?;
        let number = digits.parse().ok()?;
        // One number has one spelling: neither a lost zero nor one too many is ours.
        (self.id(number).as_bytes() == id).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_go_there_and_back_and_nothing_else_is_one() {
        let ids = ControlIds::new("GW01");
        assert_eq!(ids.id(12345), "GW010000000000012345");
        for number in [0, 1, 1_795_400_000_000_000, u64::MAX] {
            assert_eq!(ids.number(ids.id(number).as_bytes()), Some(number));
        }
        let others: [&[u8]; 8] = [
            b"",
            b"GW01",
            b"GW0112345",
            b"GW0100000000000012345",
            b"gw010000000000012345",
            b"GW010000000000012345 ",
            b"GW01+000000000012345",
            b"GW020000000000012345",
        ];
        for other in others {
            assert_eq!(ids.number(other), None, "{}", other.escape_ascii());
        }
    }
}
