//! A finished ORU in another charset, for one that was never sent because its destination's charset lacked a
//! character.
//!
//! Promises the same message, character by character, with another MSH-10, and MSH-18 of the new charset; a character
//! that the new charset lacks is refused with its place. The ORU is not made anew from the raw message: what was
//! decided about it (fates, corrections, numbers, remarks) was decided once, and all of it is in the kept text.

use orugate_protocol::text::Charset;

/// The place of a character that a charset does not have: segment and field, as the standard counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// The segment's name.
    pub segment: String,
    /// The field.
    pub field: usize,
}

/// `kept`, an ORU in UTF-8, in this charset and with this MSH-10.
///
/// # Errors
/// The charset does not have a character of it.
pub fn recode(kept: &str, charset: Charset, control_id: &str) -> Result<Vec<u8>, Lacking> {
    let mut out = Vec::with_capacity(kept.len());
    for (line, segment) in kept.split('\r').enumerate() {
        if line > 0 {
            out.push(b'\r');
        }
        let name = segment.get(..3).unwrap_or_default();
        // The separator behind MSH is itself MSH-1.
        let first = usize::from(name == "MSH");
        for (at, field) in segment.split('|').enumerate() {
            let number = at.saturating_add(first);
            let field = match (name, number) {
                ("MSH", 10) => control_id,
                ("MSH", 18) => charset.msh_18(),
                _ => field,
            };
            if at > 0 {
                out.push(b'|');
            }
            let mut bytes = [0; 4];
            for c in field.chars() {
                let Some(len) = charset.encode(c, &mut bytes) else {
                    return Err(Lacking { segment: name.to_owned(), field: number });
                };
                out.extend_from_slice(bytes.get(..len).unwrap_or_default());
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use orugate_protocol::text::{Escapes, Text};

    const KEPT: &str = "MSH|^~\\&|ORUGATE|LAB|||20261122101500||ORU^R01|GW010000000000000007|P|2.5.1||||||UNICODE UTF-8|||PROFILE\r\
                        PID|1||||试^验\rOBX|1|NM|T^\\T\\^L||7|µg/L|||||F\r";

    #[test]
    fn only_the_bytes_the_number_and_the_charset_change() {
        let gb = Charset::named("GB18030").unwrap();
        let again = recode(KEPT, gb, "GW010000000000000009").unwrap();
        let expected = KEPT.replace("0007|", "0009|").replace("UNICODE UTF-8", "GB 18030-2000");
        let text: String = Text::new(&again, gb, Escapes::None).chars().map(Result::unwrap).collect();
        assert_eq!(text, expected);
        let utf8 = recode(KEPT, Charset::Utf8, "GW010000000000000007").unwrap();
        assert_eq!(utf8, KEPT.as_bytes());
        let last = KEPT.replace("|||PROFILE", "");
        let last = recode(&last, gb, "9").unwrap();
        assert!(last.windows(17).any(|w| w == b"|GB 18030-2000\rPI"), "MSH-18 at the end keeps its CR");
    }

    #[test]
    fn a_character_that_is_not_there_is_refused_with_its_place() {
        let lacking = |charset| recode(KEPT, charset, "8").map_err(|l| (l.segment, l.field));
        assert_eq!(lacking(Charset::Latin1), Err(("PID".to_owned(), 5)));
        let unit = KEPT.replace("试^验", "A");
        let unit = recode(&unit, Charset::Ascii, "8").map_err(|l| (l.segment, l.field));
        assert_eq!(unit, Err(("OBX".to_owned(), 6)));
    }
}
