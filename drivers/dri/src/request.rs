//! What is asked of a monitor. All of it asks for data; nothing changes what the monitor does at the bedside.

use crate::frame::encode;
use crate::record::{AUXILIARY, DISPLAYED, Main, build};

/// Subrecord type of a request for values, and of a command about alarms.
const COMMAND: u8 = 0;
/// All classes: the basic one unless it is denied, and three extensions.
const CLASSES: u32 = 0x0E;

/// Displayed values of all classes, each so many seconds; 0 ends them.
pub(crate) fn displayed(seconds: u16) -> Vec<u8> {
    values(DISPLAYED, seconds)
}

/// The times of intermittent measurements, each so many seconds; 0 ends them.
pub(crate) fn auxiliary(seconds: u16) -> Vec<u8> {
    values(AUXILIARY, seconds)
}

fn values(kind: u8, seconds: u16) -> Vec<u8> {
    let mut body = vec![kind];
    body.extend(seconds.to_le_bytes());
    body.extend(CLASSES.to_le_bytes());
    body.extend([0, 0]);
    encode(&build(0, 0, Main::Physiological, &[(COMMAND, body)]))
}

/// The list of alarms, once.
pub(crate) fn alarms() -> Vec<u8> {
    encode(&build(0, 0, Main::Alarm, &[(COMMAND, vec![0; 12])]))
}

/// What a request asks for: the simulator's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Displayed values each so many seconds; 0 ends, negative asks once.
    Displayed(i16),
    /// Times of intermittent measurements.
    Auxiliary(i16),
    /// The list of alarms.
    Alarms,
}

/// Reads a request.
pub(crate) fn asked(record: &[u8]) -> Option<Asked> {
    let record = crate::record::Record::new(record);
    let part = record.subrecords().next()??;
    let seconds = crate::record::i16_at(part.bytes, 1);
    match (record.main(), part.kind, part.bytes.first()) {
        (Main::Physiological, COMMAND, Some(&DISPLAYED)) => seconds.map(Asked::Displayed),
        (Main::Physiological, COMMAND, Some(&AUXILIARY)) => seconds.map(Asked::Auxiliary),
        (Main::Alarm, COMMAND, _) => Some(Asked::Alarms),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_the_one_that_monitors_are_known_to_answer() {
        // A published vector: values each 10 s, all classes, checksum 49.
        let mut expected = vec![0x7E, 0x31, 0x00];
        expected.extend([0; 17]);
        expected.extend([0, 0, 0xFF]);
        expected.extend([0; 18]);
        expected.extend([0x01, 0x0A, 0x00, 0x0E, 0, 0, 0, 0, 0]);
        expected.extend([0x49, 0x7E]);
        let sent = displayed(10);
        assert_eq!(sent.len(), expected.len());
        assert_eq!(sent, expected);
    }

    #[test]
    fn requests_can_be_read_back() {
        let read = |framed: &[u8]| {
            let mut space = [0; 100];
            asked(crate::frame::decode(framed, &mut space).unwrap())
        };
        assert_eq!(read(&displayed(5)), Some(Asked::Displayed(5)));
        assert_eq!(read(&displayed(0)), Some(Asked::Displayed(0)));
        assert_eq!(read(&auxiliary(10)), Some(Asked::Auxiliary(10)));
        assert_eq!(read(&alarms()), Some(Asked::Alarms));
    }
}
