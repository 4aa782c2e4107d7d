//! What was on a line, without persons.
//!
//! PID, NK1, PV1, SPM-2, OBR-2, OBR-3, ORC-2, ORC-3, SAC-3, NTE-3 and names of staff have stand-ins; what stands in segments
//! that are not known here is scrubbed by rule. Structure and lengths stay.

use orugate_driver::{StandIns, scrub_by_rule};
use orugate_protocol::ascii::{CR, FS, LF, VT};

/// Gives back how many letters and digits were replaced by rule.
pub(crate) fn scrub(line: &mut [u8], stand_ins: &mut StandIns) -> usize {
    let mut replaced = 0usize;
    for segment in line.split_mut(|byte| matches!(*byte, CR | LF | VT | FS)) {
        let Some((name, rest)) = segment.split_at_mut_checked(3) else {
            replaced = replaced.saturating_add(scrub_by_rule(segment));
            continue;
        };
        let fields = |n: usize| -> bool {
            match &*name {
                b"PID" => n > 1,
                b"PV1" | b"PV2" | b"NK1" | b"PD1" => n > 2,
                b"OBR" => matches!(n, 2 | 3 | 10 | 16 | 18..=21 | 28 | 32..=35),
                b"ORC" => matches!(n, 2..=4 | 10..=12),
                b"SPM" => matches!(n, 2 | 3),
                b"SAC" => matches!(n, 2..=4),
                b"NTE" => n == 3,
                b"OBX" => matches!(n, 16 | 25),
                _ => false,
            }
        };
        match &*name {
            b"MSH" | b"MSA" | b"ERR" | b"TQ1" | b"TCD" | b"INV" | b"EQU" | b"PID" | b"PV1" | b"PV2"
            | b"NK1" | b"PD1" | b"OBR" | b"ORC" | b"SPM" | b"SAC" | b"NTE" | b"OBX" => {
                for (n, field) in rest.split_mut(|byte| *byte == b'|').enumerate() {
                    if fields(n) {
                        for part in field.split_mut(|byte| matches!(*byte, b'^' | b'&' | b'~')) {
                            stand_ins.replace(part, &|_| false);
                        }
                    }
                }
            }
            _ => replaced = replaced.saturating_add(scrub_by_rule(segment)),
        }
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn persons_go_and_values_stay() {
        let mut line =
            b"\x0bMSH|^~\\&|A\rPID|1||4711^^^H||Smith^Anna\rOBX|1|NM|150456^X^MDC||98\rZZZ|Smith\r\x1c\r"
                .to_vec();
        let length = line.len();
        assert_eq!(scrub(&mut line, &mut StandIns::new()), 8);
        let text = String::from_utf8_lossy(&line).into_owned();
        assert_eq!(line.len(), length);
        assert!(!text.contains("Smith") && !text.contains("Anna") && !text.contains("4711"), "{text:?}");
        assert!(text.contains("OBX|1|NM|150456^X^MDC||98"), "{text:?}");
    }
}
