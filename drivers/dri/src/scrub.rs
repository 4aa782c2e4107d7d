//! Persons in what a monitor sent: the network's records have names, and no others do.
//!
//! Promises: the length stays, and records of values, curves and alarms stay byte for byte, but that texts of alarms are kept too,
//! since they are the monitor's own. A record of the network, and bytes that are no good record, become nothing that names
//! anybody.

use crate::frame::{FLAG, RECORD_MAX, decode};
use crate::record::{Main, Record};

/// Takes persons out; how many bytes were only replaced by rule.
pub(crate) fn scrub(line: &mut [u8]) -> usize {
    let mut count = 0usize;
    let mut start = 0usize;
    while start < line.len() {
        let rest = line.get(start..).unwrap_or_default();
        let length = match rest.split_first() {
            // A record with its flag behind it, which is the next one's as well.
            Some((&FLAG, after)) => {
                after.iter().position(|byte| *byte == FLAG).map_or(rest.len(), |at| at.saturating_add(2))
            }
            _ => rest.iter().position(|byte| *byte == FLAG).unwrap_or(rest.len()),
        };
        let end = start.saturating_add(length);
        let Some(piece) = line.get_mut(start..end) else { break };
        count = count.saturating_add(piece_of(piece));
        let shared = length > 1 && line.get(end.saturating_sub(1)) == Some(&FLAG) && end < line.len();
        start = if shared { end.saturating_sub(1) } else { end };
    }
    count
}

fn piece_of(piece: &mut [u8]) -> usize {
    let mut space = [0; RECORD_MAX + 1];
    let known = decode(piece, &mut space).map(|record| Record::new(record).main());
    if matches!(known, Some(Main::Physiological | Main::Wave | Main::Alarm)) {
        return 0;
    }
    let inner: &mut [u8] = match piece {
        [FLAG, inner @ .., FLAG] | [FLAG, inner @ ..] | inner => inner,
    };
    let mut count = 0usize;
    for byte in inner.iter_mut().filter(|byte| byte.is_ascii_alphanumeric() || **byte >= 0x80) {
        *byte = 0;
        count = count.saturating_add(1);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::encode;
    use crate::record::build;

    #[test]
    fn values_stay_and_the_networks_names_go() {
        let values = encode(&build(10, 1, Main::Physiological, &[(1, vec![7; 278])]));
        let names = encode(&build(10, 1, Main::Network, &[(1, b"SMITH JOHN".to_vec())]));
        let mut line = [b"PARTIAL".as_slice(), &values, &names, &values[1..], b"\x7ESMI"].concat();
        let before = line.clone();
        assert!(scrub(&mut line) > 10);
        assert_eq!(line.len(), before.len());
        let text = String::from_utf8_lossy(&line);
        assert!(!text.contains("SMI") && !text.contains("JOHN") && !text.contains("PART"));
        assert_eq!(line.windows(values.len()).filter(|window| *window == values).count(), 2);
    }
}
