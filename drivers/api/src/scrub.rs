//! What was on a line, without persons: stand-ins for names and ids, and a rule for what nobody can read.
//!
//! Promises that each has the length of what it stands for, that the same text has the same stand-in as long as one
//! [`StandIns`] lives, another text of the same shape another one, and none itself, as far as there are enough of them.
//! Leaves out which bytes are a name or an id: that is the driver's.

use std::collections::{BTreeMap, BTreeSet};

/// Stand-ins that were given so far.
#[derive(Debug, Default)]
pub struct StandIns {
    known: BTreeMap<Vec<u8>, Vec<u8>>,
    shapes: BTreeMap<Vec<u8>, Shape>,
}

/// Texts whose characters are of the same sorts.
#[derive(Debug, Default)]
struct Shape {
    next: u64,
    /// Given back because they were what they should have stood for.
    left: BTreeSet<u64>,
}

impl StandIns {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a stand-in in the place of a name or an id; spaces around it do not count. `avoid` says what a stand-in must not
    /// look like.
    pub fn replace(&mut self, text: &mut [u8], avoid: &dyn Fn(&[u8]) -> bool) {
        let start = text.iter().take_while(|byte| **byte == b' ').count();
        let rest = text.get_mut(start..).unwrap_or_default();
        let end = rest.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last.saturating_add(1));
        let Some(core) = rest.get_mut(..end).filter(|core| core.iter().any(says_who)) else { return };
        let stand_in = match self.known.get(&*core) {
            Some(known) => known.clone(),
            None => {
                let made = self.make(core, avoid);
                self.known.insert(core.to_vec(), made.clone());
                made
            }
        };
        core.copy_from_slice(&stand_in);
    }

    /// Whether this text has a stand-in.
    #[must_use]
    pub fn knows(&self, text: &[u8]) -> bool {
        self.known.contains_key(text)
    }

    fn make(&mut self, text: &[u8], avoid: &dyn Fn(&[u8]) -> bool) -> Vec<u8> {
        let sorts: Vec<u8> = text.iter().map(|byte| sort(*byte)).collect();
        let room = sorts.iter().filter_map(|sort| radix(*sort)).fold(1u64, u64::saturating_mul);
        let shape = self.shapes.entry(sorts).or_default();
        let good = |made: &Vec<u8>| made != text && !avoid(made);
        let given_back = shape.left.iter().copied().find(|number| good(&numbered(text, *number)));
        if let Some(number) = given_back {
            shape.left.remove(&number);
            return numbered(text, number);
        }
        // What is to be avoided may be all there is.
        for _ in 0..ENOUGH {
            if shape.next >= room {
                break;
            }
            let number = shape.next;
            shape.next = shape.next.saturating_add(1);
            let made = numbered(text, number);
            if good(&made) {
                return made;
            }
            shape.left.insert(number);
        }
        // All are given: two texts share one, which is better than telling one of them.
        let first = numbered(text, 0);
        if first == text { numbered(text, 1) } else { first }
    }
}

/// Candidates that may be passed over for one text.
const ENOUGH: u32 = 1000;

/// A letter, a digit, or a byte of a character outside ASCII.
fn says_who(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte >= 0x80
}

const fn sort(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => b'9',
        b'A'..=b'Z' => b'A',
        b'a'..=b'z' => b'a',
        0x80.. => b'x',
        other => other,
    }
}

const fn radix(sort: u8) -> Option<u64> {
    match sort {
        b'9' => Some(10),
        b'A' | b'a' => Some(26),
        _ => None,
    }
}

/// The text of this shape with this number, written from the end; what is outside ASCII becomes an x.
fn numbered(text: &[u8], mut number: u64) -> Vec<u8> {
    let mut made = text.to_vec();
    for byte in made.iter_mut().rev() {
        let (zero, radix) = match *byte {
            b'0'..=b'9' => (b'0', 10),
            b'A'..=b'Z' => (b'A', 26),
            b'a'..=b'z' => (b'a', 26),
            0x80.. => {
                *byte = b'x';
                continue;
            }
            _ => continue,
        };
        *byte = zero.saturating_add(u8::try_from(number.checked_rem(radix).unwrap_or(0)).unwrap_or(0));
        number = number.checked_div(radix).unwrap_or(0);
    }
    made
}

/// The rule for what nobody can read: letters become x, digits 9, bytes above 127 become 255. Control characters and
/// punctuation stay. How many bytes it changed or would have changed.
pub fn scrub_by_rule(bytes: &mut [u8]) -> usize {
    let mut count = 0usize;
    for byte in bytes {
        let new = match *byte {
            b'0'..=b'9' => b'9',
            b'A'..=b'Z' | b'a'..=b'z' => b'x',
            0x80.. => 0xFF,
            _ => continue,
        };
        *byte = new;
        count = count.saturating_add(1);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(stand_ins: &mut StandIns, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        stand_ins.replace(&mut bytes, &|made| made.starts_with(b"QC"));
        assert_eq!(bytes.len(), text.len());
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_same_has_the_same_and_another_another() {
        let mut all = StandIns::new();
        assert_eq!(of(&mut all, "24-118834"), "00-000000");
        assert_eq!(of(&mut all, "24-118835"), "00-000001");
        assert_eq!(of(&mut all, "  24-118834 "), "  00-000000 ");
        assert_eq!(of(&mut all, "Smith"), "Aaaaa");
        assert_eq!(of(&mut all, "Brown"), "Aaaab");
        assert_eq!(of(&mut all, "M\u{fc}ller"), "Axxaaaa");
        assert_eq!(of(&mut all, " ^-"), " ^-");
    }

    #[test]
    fn none_is_itself_and_as_many_as_there_are_differ() {
        let mut all = StandIns::new();
        let digits: Vec<String> = (0..10).map(|n| of(&mut all, &n.to_string())).collect();
        let differing: BTreeSet<&String> = digits.iter().collect();
        assert!(digits.iter().enumerate().all(|(n, digit)| *digit != n.to_string()), "{digits:?}");
        assert!(differing.len() >= 9, "{digits:?}");
        let mut all = StandIns::new();
        let many: BTreeSet<String> = (0..10_000).map(|n| of(&mut all, &format!("{n:04}"))).collect();
        assert!(many.len() >= 9_999);
        let mut all = StandIns::new();
        assert!((0..700).all(|n| !of(&mut all, &format!("ZZ{n:03}")).starts_with("QC")));
    }

    #[test]
    fn what_nobody_can_read_keeps_its_shape() {
        let mut bytes = *b"\x02Doe^J1\xC3\xA4|\r";
        assert_eq!(scrub_by_rule(&mut bytes), 7);
        assert_eq!(&bytes, b"\x02xxx^x9\xFF\xFF|\r");
    }
}
