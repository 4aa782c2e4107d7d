//! Check digits of sample ids, as label printers and analyzers reckon them.
//!
//! Promises that [`CheckDigit::fits`] is true only of an id whose last character is the one that the others give. Leaves
//! out what readers check and never hand on (Code 128 modulus 103), and what depends on start and stop characters.

use schemars::JsonSchema;
use serde::Deserialize;

/// How the last character of a sample id follows from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum CheckDigit {
    /// Every second digit doubled (Luhn); hyphens, points, slashes and blanks do not count.
    #[serde(rename = "luhn")]
    Luhn,
    /// Weights 3 and 1 from the right (Interleaved 2 of 5, EAN, JAN); hyphens, points, slashes and blanks do not count.
    #[serde(rename = "mod10")]
    Mod10,
    /// Weights 2 to 10, 1, 2 … from the right (NW-7, Codabar, Code 11), 10 and 11 as 0; what is no digit counts as 0 in its place.
    #[serde(rename = "mod11")]
    Mod11,
    /// Sum of the values of Code 39.
    #[serde(rename = "mod43")]
    Mod43,
    /// ISO 7064 MOD 37-2, as the eye-readable check character of ISBT 128; blanks do not count.
    #[serde(rename = "mod37-2")]
    Mod37Two,
    /// ISO 7064 MOD 37,36; hyphens and blanks do not count.
    #[serde(rename = "mod37-36")]
    Mod37ThirtySix,
}

const CODE_39: &[u8; 43] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%";
const ISO_7064: &[u8; 37] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*";

impl CheckDigit {
    /// As it is typed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Luhn => "luhn",
            Self::Mod10 => "mod10",
            Self::Mod11 => "mod11",
            Self::Mod43 => "mod43",
            Self::Mod37Two => "mod37-2",
            Self::Mod37ThirtySix => "mod37-36",
        }
    }

    /// Whether the id ends with the character that belongs to the rest of it.
    #[must_use]
    pub fn fits(self, id: &str) -> bool {
        let Some((check, rest)) = id.as_bytes().split_last() else { return false };
        !rest.is_empty() && self.of(rest) == Some(*check)
    }

    /// The check character of an id without one; `None` when it has a character that the method does not know.
    fn of(self, id: &[u8]) -> Option<u8> {
        let digit = |sum: u32| u8::try_from(sum).ok().map(|sum| b'0'.wrapping_add(sum));
        match self {
            Self::Luhn => {
                let doubled = |value: u32| if value > 4 { value * 2 - 9 } else { value * 2 };
                let sum = numbered(id)?.fold(0, |sum, (place, value)| {
                    sum + if place.is_multiple_of(2) { doubled(value) } else { value }
                });
                digit((10 - sum % 10) % 10)
            }
            Self::Mod10 => {
                let sum = numbered(id)?.fold(0, |sum, (place, value)| {
                    sum + if place.is_multiple_of(2) { 3 * value } else { value }
                });
                digit((10 - sum % 10) % 10)
            }
            Self::Mod11 => {
                let weights = [2, 3, 4, 5, 6, 7, 8, 9, 10, 1].iter().cycle();
                let value = |byte: &u8| if byte.is_ascii_digit() { u32::from(byte - b'0') } else { 0 };
                let sum =
                    id.iter().rev().zip(weights).fold(0, |sum, (byte, weight)| sum + weight * value(byte));
                let check = 11 - sum % 11;
                digit(if check > 9 { 0 } else { check })
            }
            Self::Mod43 => {
                let sum = id.iter().try_fold(0, |sum, byte| Some(sum + value_in(CODE_39, *byte)?))?;
                CODE_39.get(sum % 43).copied()
            }
            Self::Mod37Two => {
                let values = id.iter().filter(|byte| **byte != b' ').map(|byte| value_in(ISO_7064, *byte));
                let sum = values.into_iter().try_fold(0, |sum, value| Some((sum + value?) * 2 % 37))?;
                ISO_7064.get((38 - sum) % 37).copied()
            }
            Self::Mod37ThirtySix => {
                let bytes = id.iter().filter(|byte| !matches!(**byte, b' ' | b'-'));
                let product = bytes.copied().try_fold(36, |product, byte| {
                    let value = value_in(ISO_7064, byte).filter(|value| *value < 36)?;
                    let sum = (product + value) % 36;
                    Some((if sum == 0 { 36 } else { sum }) * 2 % 37)
                })?;
                ISO_7064.get((37 - product) % 36).copied()
            }
        }
    }
}

/// Digits with their place from the right, from 0; `None` when there is something that is neither digit nor separator.
fn numbered(id: &[u8]) -> Option<impl Iterator<Item = (usize, u32)> + '_> {
    let separates = |byte: &u8| matches!(*byte, b'-' | b'.' | b'/' | b' ');
    let readable = id.iter().all(|byte| byte.is_ascii_digit() || separates(byte));
    let digits = id.iter().rev().filter(|byte| byte.is_ascii_digit()).map(|byte| u32::from(byte - b'0'));
    readable.then(|| digits.enumerate())
}

fn value_in(alphabet: &[u8], byte: u8) -> Option<usize> {
    alphabet.iter().position(|known| *known == byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [CheckDigit; 6] = [
        CheckDigit::Luhn,
        CheckDigit::Mod10,
        CheckDigit::Mod11,
        CheckDigit::Mod43,
        CheckDigit::Mod37Two,
        CheckDigit::Mod37ThirtySix,
    ];

    /// Worked examples of those who print such labels: manuals of haematology analyzers (mod10, mod11, mod43), a blood service's
    /// guide (mod37-2), and the usual ones of the other two.
    const EXAMPLES: [(CheckDigit, &str); 6] = [
        (CheckDigit::Luhn, "79927398713"),
        (CheckDigit::Mod10, "1256789"),
        (CheckDigit::Mod11, "15-2345-67894"),
        (CheckDigit::Mod43, "258-416J"),
        (CheckDigit::Mod37Two, "G123 498 654 321H"),
        (CheckDigit::Mod37ThirtySix, "A1-2425G-ABC1234002-M"),
    ];

    #[test]
    fn the_worked_examples_fit() {
        for (method, id) in EXAMPLES {
            assert!(method.fits(id), "{method:?} {id}");
        }
        assert_eq!(CheckDigit::Mod11.of(b"0000"), Some(b'0'), "11 is written 0");
    }

    #[test]
    fn each_other_last_character_and_each_changed_digit_is_found() {
        for (method, id) in EXAMPLES {
            for at in 0..id.len() {
                if !id.as_bytes()[at].is_ascii_alphanumeric() {
                    continue;
                }
                for digit in b'0'..=b'9' {
                    let mut wrong = id.as_bytes().to_vec();
                    let same = std::mem::replace(&mut wrong[at], digit) == digit;
                    let wrong = String::from_utf8(wrong).unwrap();
                    // A letter that becomes a digit may be another by less than the modulus; 10 and 11 are both 0.
                    let known_weakness = method == CheckDigit::Mod11;
                    assert!(same || known_weakness || !method.fits(&wrong), "{method:?} {wrong}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_id_does_not_fit() {
        for method in ALL {
            for id in ["", "0", "7", "ä1", "\u{1}\u{2}", "€"] {
                assert!(!method.fits(id), "{method:?} {id:?}");
            }
        }
        assert!(!CheckDigit::Mod10.fits("12A6789"));
        assert!(!CheckDigit::Mod37ThirtySix.fits("A*M"));
    }
}
