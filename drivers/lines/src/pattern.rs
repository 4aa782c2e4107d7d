//! The pattern language: how a line is told from others, and where in it the named parts are.
//!
//! Promises: a pattern fits or it does not, in time that grows with the line and the pattern alone; nothing is tried twice,
//! but for optional parts. Leaves out what the parts mean.
//!
//! A pattern is text that must stand there, with named parts in braces. A blank stands for one or more blanks or tabs, and
//! for none at the line's end. `<STX>` and `<x1F>` are bytes by name or number, `<lt>` is `<`. `{name}` is everything up to
//! what follows it; `{name:word}` up to a blank; `{name:8}` eight characters; `{name:rest}` what is left; a part named `_` is
//! passed over. `[ ... ]` may be missing; `<x5B>` is `[`.

use std::ops::Range;

/// Named parts that one pattern may have.
pub(crate) const PARTS: usize = 64;

/// Where the parts of a line are, by their number in the pattern.
pub(crate) type Parts = [Option<(usize, usize)>; PARTS];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Blanks,
    Part { number: Option<usize>, take: Take },
    Optional(Vec<Self>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Take {
    UpToNext,
    Word,
    Exactly(usize),
    Rest,
}

/// A pattern, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    pieces: Vec<Piece>,
    names: Vec<String>,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// A sentence that says what is wrong in it.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut names = Vec::new();
        let mut rest = text;
        let pieces = pieces(&mut rest, &mut names, false)?;
        if names.len() > PARTS {
            return Err(format!("the pattern has {} named parts; {PARTS} are taken", names.len()));
        }
        Ok(Self { pieces, names })
    }

    /// The number of a part.
    pub(crate) fn part(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Where its parts are in a line that it fits from end to end.
    pub(crate) fn fits(&self, line: &[u8]) -> Option<Parts> {
        let (parts, end) = self.begins(line)?;
        line.get(end..)?.iter().all(|byte| is_blank(*byte)).then_some(parts)
    }

    /// Where its parts are in a line that begins as it says, and where that ends.
    pub(crate) fn begins(&self, line: &[u8]) -> Option<(Parts, usize)> {
        let mut parts = [None; PARTS];
        let end = run(&self.pieces, line, 0, &mut parts)?;
        Some((parts, end))
    }
}

/// A part's bytes without blanks around them.
pub(crate) fn of(line: &[u8], part: Option<(usize, usize)>) -> Option<Range<usize>> {
    let (start, end) = part?;
    Some(trimmed(line, start..end))
}

/// A range without blanks and line ends where it begins.
pub(crate) fn begun(line: &[u8], range: Range<usize>) -> Range<usize> {
    let (mut start, end) = (range.start, range.end.min(line.len()));
    while start < end && line.get(start).is_some_and(u8::is_ascii_whitespace) {
        start = start.saturating_add(1);
    }
    start..end
}

/// A range without blanks and line ends at its ends.
pub(crate) fn trimmed(line: &[u8], range: Range<usize>) -> Range<usize> {
    let Range { start, mut end } = begun(line, range);
    while start < end
        && end.checked_sub(1).and_then(|last| line.get(last)).is_some_and(u8::is_ascii_whitespace)
    {
        end = end.saturating_sub(1);
    }
    start..end
}

pub(crate) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn run(pieces: &[Piece], line: &[u8], mut at: usize, parts: &mut Parts) -> Option<usize> {
    for (n, piece) in pieces.iter().enumerate() {
        let rest = line.get(at..)?;
        at = match piece {
            Piece::Text(text) => rest.starts_with(text).then(|| at.saturating_add(text.len()))?,
            Piece::Blanks => {
                let blanks = rest.iter().take_while(|byte| is_blank(**byte)).count();
                if blanks == 0 && !rest.is_empty() {
                    return None;
                }
                at.saturating_add(blanks)
            }
            Piece::Part { number, take } => {
                let length = match take {
                    Take::Exactly(length) => rest.get(..*length)?.len(),
                    Take::Rest => rest.len(),
                    Take::Word => rest.iter().take_while(|byte| !is_blank(**byte)).count(),
                    Take::UpToNext => up_to(rest, pieces.get(n.saturating_add(1)))?,
                };
                let end = at.saturating_add(length);
                if let Some(place) = number.and_then(|number| parts.get_mut(number)) {
                    *place = Some((at, end));
                }
                end
            }
            Piece::Optional(inner) => {
                let mut tried = *parts;
                match run(inner, line, at, &mut tried) {
                    Some(end) => {
                        *parts = tried;
                        end
                    }
                    None => at,
                }
            }
        };
    }
    Some(at)
}

/// How much stands before what follows a part.
fn up_to(rest: &[u8], next: Option<&Piece>) -> Option<usize> {
    match next {
        None => Some(rest.len()),
        Some(Piece::Text(text)) => rest.windows(text.len()).position(|window| window == text),
        Some(Piece::Optional(inner)) => match inner.first() {
            Some(Piece::Text(text)) => {
                Some(rest.windows(text.len()).position(|window| window == text).unwrap_or(rest.len()))
            }
            _ => Some(rest.iter().take_while(|byte| !is_blank(**byte)).count()),
        },
        Some(Piece::Blanks | Piece::Part { .. }) => {
            Some(rest.iter().take_while(|byte| !is_blank(**byte)).count())
        }
    }
}

fn pieces(rest: &mut &str, names: &mut Vec<String>, inside: bool) -> Result<Vec<Piece>, String> {
    let mut all: Vec<Piece> = Vec::new();
    while let Some(first) = rest.chars().next() {
        match first {
            '{' => {
                let (part, after) = rest
                    .get(1..)
                    .and_then(|after| after.split_once('}'))
                    .ok_or("a brace is opened and not closed")?;
                let after_part =
                    all.last().is_some_and(|last| matches!(last, Piece::Part { take: Take::UpToNext, .. }));
                if after_part {
                    return Err(format!("nothing tells where the part before {{{part}}} ends"));
                }
                all.push(named(part, names)?);
                *rest = after;
            }
            '[' if inside => return Err("an optional part stands in an optional part".into()),
            '[' => {
                *rest = rest.get(1..).unwrap_or_default();
                let inner = pieces(rest, names, true)?;
                if inner.is_empty() {
                    return Err("an optional part is empty".into());
                }
                all.push(Piece::Optional(inner));
            }
            ']' if inside => {
                *rest = rest.get(1..).unwrap_or_default();
                return Ok(all);
            }
            ']' | '}' => return Err(format!("`{first}` closes nothing")),
            ' ' | '\t' => {
                *rest = rest.trim_start_matches([' ', '\t']);
                all.push(Piece::Blanks);
            }
            _ => {
                let (byte, after) = crate::script::one(rest)?;
                if let Some(Piece::Text(text)) = all.last_mut() {
                    text.extend(byte);
                } else {
                    all.push(Piece::Text(byte));
                }
                *rest = after;
            }
        }
    }
    if inside { Err("a bracket is opened and not closed".into()) } else { Ok(all) }
}

fn named(part: &str, names: &mut Vec<String>) -> Result<Piece, String> {
    let (name, take) = part.split_once(':').unwrap_or((part, ""));
    let take = match take {
        "" => Take::UpToNext,
        "word" => Take::Word,
        "rest" => Take::Rest,
        number => match number.parse() {
            Ok(length @ 1..=1000) => Take::Exactly(length),
            _ => {
                return Err(format!(
                    "`{{{part}}}`: behind the colon stands word, rest or a number of characters"
                ));
            }
        },
    };
    if name == "_" {
        return Ok(Piece::Part { number: None, take });
    }
    let good = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !good {
        return Err(format!("`{{{part}}}`: a name has letters, digits and `_`"));
    }
    if names.iter().any(|known| known == name) {
        return Err(format!("the part `{name}` stands twice"));
    }
    names.push(name.to_owned());
    Ok(Piece::Part { number: Some(names.len().saturating_sub(1)), take })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of a line, by name, or `None`.
    fn parts(pattern: &str, line: &str) -> Option<Vec<(String, String)>> {
        let pattern = Pattern::read(pattern).unwrap();
        let parts = pattern.fits(line.as_bytes())?;
        let text = |range: Range<usize>| line[range].to_owned();
        let all = pattern.names().iter().zip(parts);
        Some(all.filter_map(|(name, part)| Some((name.clone(), text(of(line.as_bytes(), part)?)))).collect())
    }

    fn pairs(all: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
        Some(all.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
    }

    #[test]
    fn parts_are_found_where_the_pattern_says() {
        assert_eq!(
            parts(
                "{time:18} {spo2} {bpm} {pa} {status:rest}",
                "12-NOV-98 14:00:05   100    120*   50   PH SS"
            ),
            pairs(&[
                ("time", "12-NOV-98 14:00:05"),
                ("spo2", "100"),
                ("bpm", "120*"),
                ("pa", "50"),
                ("status", "PH SS")
            ])
        );
        assert_eq!(parts("{a} {b} {c:rest}", "1 2"), pairs(&[("a", "1"), ("b", "2"), ("c", "")]));
        assert_eq!(parts("P:{a},{b}", "P:97,--"), pairs(&[("a", "97"), ("b", "--")]));
        assert_eq!(
            parts("ID# {id:word} <x5B>{kind}<x5D> {_:rest}", "ID# 12 [B. Plasma] Na 1"),
            pairs(&[("id", "12"), ("kind", "B. Plasma")])
        );
        assert_eq!(parts("A[,{b}]", "A"), pairs(&[]));
        assert_eq!(parts("A[,{b}]", "A,7"), pairs(&[("b", "7")]));
        assert_eq!(parts("<STX>{a},<ETX>", "\u{2}1,2,\u{3}"), pairs(&[("a", "1,2")]));
    }

    #[test]
    fn a_line_that_is_other_does_not_fit() {
        for (pattern, line) in [
            ("P:{a},{b}", "P:97"),
            ("P:{a}", "Q:97"),
            ("{a:5}", "1234"),
            ("{a} {b}x", "1 2"),
            ("A {b:word}", "AB 1"),
            ("{a:2}", "123"),
        ] {
            assert_eq!(parts(pattern, line), None, "{pattern} {line}");
        }
    }

    #[test]
    fn mistakes_are_said() {
        for (pattern, said) in [
            ("{a", "a brace is opened and not closed"),
            ("{a}{b}", "nothing tells where the part before {b} ends"),
            ("{a:long}", "behind the colon stands word, rest or a number"),
            ("{a} {a}", "the part `a` stands twice"),
            ("{a b}", "a name has letters"),
            ("[a", "a bracket is opened and not closed"),
            ("a]", "`]` closes nothing"),
            ("<STY>", "is no byte"),
        ] {
            let error = Pattern::read(pattern).unwrap_err();
            assert!(error.contains(said), "{pattern}: {error}");
        }
    }
}
