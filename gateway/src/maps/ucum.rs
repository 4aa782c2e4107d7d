//! Units of UCUM: whether a text is one, and whether two of them mean the same.
//!
//! Promises: reading allocates nothing; two [`Unit`]s are equal exactly when a number beside the one says the same as that
//! number beside the other (`g/dl` and `g/dL`, `10*3/mm3` and `10*9/L`). Case counts, as in UCUM. What is in braces counts
//! too, although UCUM lets it pass: `ng/mL{FEU}` and `ng/mL{DDU}` differ by a factor of two. `eq`, `osm`, `[IU]` and the
//! arbitrary units equal nothing but themselves. Leaves out conversion, and symbols that no laboratory report has (inches,
//! acres): those are not known here.

use std::fmt;

/// The longest text that is read.
const LENGTH: usize = 80;
/// Different base units in one unit.
const PARTS: usize = 6;
/// Brackets within brackets, and definitions within definitions.
const DEPTH: u8 = 8;
/// The primes of which nearly all factors are made.
const PRIMES: [u64; 4] = [2, 3, 5, 7];

/// What a unit means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// How often each of [`PRIMES`] is in the factor.
    primes: [i16; 4],
    /// What else is in it, in lowest terms.
    rest: (u64, u64),
    /// Base units by their place in [`SYMBOLS`], ascending, with exponents; an exponent of 0 stands for no more.
    parts: [(u16, i8); PARTS],
    /// Of the annotations.
    notes: u64,
}

/// Why a text is no unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing, or more than any unit has.
    Length,
    /// Nothing is called so; from where to where in the text.
    Symbol(usize, usize),
    /// A character that cannot stand there; where.
    Character(usize),
    /// It ends too early.
    End,
    /// Numbers or brackets beyond reason.
    Beyond,
}

/// Symbols: the text, whether it takes prefixes, and what it means in others; nothing for a base unit.
const SYMBOLS: &[(&str, bool, &str)] = &[
    // Base units, and those that are kept apart on purpose.
    ("m", true, ""),
    ("g", true, ""),
    ("s", true, ""),
    ("mol", true, ""),
    ("K", true, ""),
    ("Cel", true, ""),
    ("A", true, ""),
    ("cd", true, ""),
    ("rad", true, ""),
    ("Pa", true, ""),
    ("J", true, ""),
    ("W", true, ""),
    ("V", true, ""),
    ("Ohm", true, ""),
    ("S", true, ""),
    ("F", true, ""),
    ("Hz", true, ""),
    ("Bq", true, ""),
    ("Gy", true, ""),
    ("Sv", true, ""),
    ("eq", true, ""),
    ("osm", true, ""),
    ("m[Hg]", true, ""),
    ("m[H2O]", true, ""),
    ("deg", false, ""),
    ("a", false, ""),
    ("mo", false, ""),
    ("[pH]", false, ""),
    ("[degF]", false, ""),
    ("[HPF]", false, ""),
    ("[LPF]", false, ""),
    ("[drp]", false, ""),
    ("[diop]", false, ""),
    ("[CFU]", true, ""),
    ("[PFU]", true, ""),
    ("[FFU]", true, ""),
    ("[CCID_50]", true, ""),
    ("[TCID_50]", true, ""),
    ("[EID_50]", true, ""),
    ("[iU]", true, ""),
    ("[arb'U]", false, ""),
    ("[USP'U]", false, ""),
    ("[GPL'U]", false, ""),
    ("[MPL'U]", false, ""),
    ("[APL'U]", false, ""),
    ("[beth'U]", false, ""),
    ("[anti'Xa'U]", false, ""),
    ("[todd'U]", false, ""),
    ("[dye'U]", false, ""),
    ("[smgy'U]", false, ""),
    ("[bdsk'U]", false, ""),
    ("[ka'U]", false, ""),
    ("[knk'U]", false, ""),
    ("[mclg'U]", false, ""),
    ("[tb'U]", false, ""),
    ("[Amb'a'1'U]", false, ""),
    ("[D'ag'U]", false, ""),
    ("[PNU]", false, ""),
    ("[Lf]", false, ""),
    ("[BAU]", false, ""),
    ("[AU]", false, ""),
    ("[IR]", false, ""),
    ("[EU]", false, ""),
    ("[ELU]", false, ""),
    ("[S]", false, ""),
    ("[MET]", false, ""),
    ("[Ch]", false, ""),
    ("dyn", true, ""),
    ("Ci", true, ""),
    ("B", true, ""),
    ("Np", true, ""),
    ("eV", true, ""),
    ("u", true, ""),
    ("[cal]", true, ""),
    // Numbers.
    ("%", false, "10*-2"),
    ("[ppth]", false, "10*-3"),
    ("[ppm]", false, "10*-6"),
    ("[ppb]", false, "10*-9"),
    ("[pptr]", false, "10*-12"),
    // What is made of others.
    ("L", true, "10*-3.m3"),
    ("l", true, "10*-3.m3"),
    ("t", true, "10*6.g"),
    ("min", false, "60.s"),
    ("h", false, "3600.s"),
    ("d", false, "86400.s"),
    ("wk", false, "7.d"),
    ("kat", true, "mol/s"),
    ("U", true, "10*-6.mol/min"),
    ("[IU]", true, "[iU]"),
    ("bar", true, "10*5.Pa"),
    ("N", true, "J/m"),
    ("St", true, "10*-4.m2/s"),
    ("P", true, "10*-1.Pa.s"),
    ("g%", true, "10*-2.g/mL"),
    ("cal", true, "[cal]"),
    ("[Cal]", false, "10*3.[cal]"),
    ("C", true, "A.s"),
    ("ar", true, "100.m2"),
];

/// Prefixes and the power of ten of each; those of two letters first.
const PREFIXES: [(&str, i16); 20] = [
    ("da", 1),
    ("Y", 24),
    ("Z", 21),
    ("E", 18),
    ("P", 15),
    ("T", 12),
    ("G", 9),
    ("M", 6),
    ("k", 3),
    ("h", 2),
    ("d", -1),
    ("c", -2),
    ("m", -3),
    ("u", -6),
    ("n", -9),
    ("p", -12),
    ("f", -15),
    ("a", -18),
    ("z", -21),
    ("y", -24),
];

/// What people and analyzers write, and what it is in UCUM.
const SPELLINGS: [(&str, &str); 34] = [
    ("IU/L", "[IU]/L"),
    ("IU/mL", "[IU]/mL"),
    ("IU/ml", "[IU]/mL"),
    ("mIU/L", "m[IU]/L"),
    ("mIU/mL", "m[IU]/mL"),
    ("uIU/mL", "u[IU]/mL"),
    ("kIU/L", "k[IU]/L"),
    ("µg/L", "ug/L"),
    ("µg/dL", "ug/dL"),
    ("µmol/L", "umol/L"),
    ("μmol/L", "umol/L"),
    ("μg/L", "ug/L"),
    ("mcg/L", "ug/L"),
    ("mEq/L", "meq/L"),
    ("mOsm/kg", "mosm/kg"),
    ("mmHg", "mm[Hg]"),
    ("cmH2O", "cm[H2O]"),
    ("sec", "s"),
    ("Sec", "s"),
    ("seconds", "s"),
    ("hr", "h"),
    ("mm/hr", "mm/h"),
    ("mm/1h", "mm/h"),
    ("gm/dL", "g/dL"),
    ("K/uL", "10*3/uL"),
    ("M/uL", "10*6/uL"),
    ("x10^3/uL", "10*3/uL"),
    ("x10^6/uL", "10*6/uL"),
    ("x10^9/L", "10*9/L"),
    ("x10^12/L", "10*12/L"),
    ("cells/uL", "{cells}/uL"),
    ("/HPF", "/[HPF]"),
    ("ratio", "{ratio}"),
    ("S/CO", "{s_co_ratio}"),
];

/// What a spelling that is no UCUM, or means something else there, most probably means.
#[must_use]
pub fn probably(text: &str) -> Option<&'static str> {
    SPELLINGS.iter().find(|(written, _)| *written == text).map(|(_, ucum)| *ucum)
}

impl Unit {
    const ONE: Self = Self { primes: [0; 4], rest: (1, 1), parts: [(0, 0); PARTS], notes: 0 };

    /// Reads a unit.
    ///
    /// # Errors
    /// [`Fault`]: it is none that is known here.
    pub fn read(text: &str) -> Result<Self, Fault> {
        Self::within(text, DEPTH)
    }

    fn within(text: &str, depth: u8) -> Result<Self, Fault> {
        if text.is_empty() || text.len() > LENGTH {
            return Err(Fault::Length);
        }
        let mut reader = Reader { text, at: 0, depth };
        let first = if reader.take(b'/') { -1 } else { 1 };
        let unit = reader.term(first)?;
        if reader.at < text.len() { Err(Fault::Character(reader.at)) } else { Ok(unit) }
    }

    /// True for a plain 1, with or without a word in braces: a number without a unit.
    #[must_use]
    pub fn is_one(&self) -> bool {
        Self { notes: 0, ..*self } == Self::ONE
    }

    fn ten(exponent: i16) -> Self {
        Self { primes: [exponent, 0, exponent, 0], ..Self::ONE }
    }

    fn number(mut number: u64) -> Result<Self, Fault> {
        if number == 0 {
            return Err(Fault::Beyond);
        }
        let mut unit = Self::ONE;
        for (count, prime) in unit.primes.iter_mut().zip(PRIMES) {
            while number.is_multiple_of(prime) {
                number /= prime;
                *count += 1;
            }
        }
        unit.rest.0 = number;
        Ok(unit)
    }

    /// This one times the other to a power.
    fn times(self, other: &Self, power: i8) -> Result<Self, Fault> {
        let mut unit = self;
        for (mine, theirs) in unit.primes.iter_mut().zip(other.primes) {
            let more = theirs.checked_mul(power.into()).ok_or(Fault::Beyond)?;
            *mine = mine.checked_add(more).ok_or(Fault::Beyond)?;
        }
        let (up, down) = if power < 0 { (other.rest.1, other.rest.0) } else { other.rest };
        for _ in 0..power.unsigned_abs() {
            let (top, bottom) = (unit.rest.0.checked_mul(up), unit.rest.1.checked_mul(down));
            let (top, bottom) = top.zip(bottom).ok_or(Fault::Beyond)?;
            let common = divisor(top, bottom);
            unit.rest = (top / common, bottom / common);
        }
        for (symbol, exponent) in other.parts.into_iter().filter(|(_, exponent)| *exponent != 0) {
            unit.part(symbol, exponent.checked_mul(power).ok_or(Fault::Beyond)?)?;
        }
        // In which order they stand, and above or below the line, tells nothing apart.
        unit.notes = unit.notes.wrapping_add(other.notes);
        Ok(unit)
    }

    fn part(&mut self, symbol: u16, exponent: i8) -> Result<(), Fault> {
        let free = |(_, exponent): &(u16, i8)| *exponent == 0;
        let at = self.parts.iter().position(|part| !free(part) && part.0 == symbol);
        let at = at.or_else(|| self.parts.iter().position(free)).ok_or(Fault::Beyond)?;
        let slot = self.parts.get_mut(at).ok_or(Fault::Beyond)?;
        *slot = (symbol, slot.1.checked_add(exponent).ok_or(Fault::Beyond)?);
        if slot.1 == 0 {
            *slot = (0, 0);
        }
        self.parts.sort_unstable_by_key(|part| (free(part), part.0));
        Ok(())
    }
}

fn divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: u8,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    /// Factors one after the other; a `/` is about the next one only.
    fn term(&mut self, first: i8) -> Result<Unit, Fault> {
        let (mut unit, mut power) = (Unit::ONE, first);
        loop {
            let factor = self.component()?;
            unit = unit.times(&factor, power)?;
            power = if self.take(b'.') {
                1
            } else if self.take(b'/') {
                -1
            } else {
                return Ok(unit);
            };
        }
    }

    fn component(&mut self) -> Result<Unit, Fault> {
        match self.peek() {
            None => Err(Fault::End),
            Some(b'(') => {
                self.depth = self.depth.checked_sub(1).ok_or(Fault::Beyond)?;
                self.at += 1;
                let unit = self.term(1)?;
                self.depth += 1;
                if self.take(b')') { Ok(unit) } else { Err(self.stray()) }
            }
            Some(b'{') => self.annotated(Unit::ONE),
            Some(b'0'..=b'9') => {
                let number = self.digits()?;
                if number == 10 && (self.take(b'*') || self.take(b'^')) {
                    let ten = Unit::ten(1);
                    let power = self.exponent()?;
                    return self.annotated(Unit::ONE.times(&ten, power)?);
                }
                Unit::number(number)
            }
            Some(_) => {
                let unit = self.symbol()?;
                let power = self.exponent()?;
                self.annotated(Unit::ONE.times(&unit, power)?)
            }
        }
    }

    fn stray(&self) -> Fault {
        if self.at < self.text.len() { Fault::Character(self.at) } else { Fault::End }
    }

    fn digits(&mut self) -> Result<u64, Fault> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        let digits = self.text.get(start..self.at).unwrap_or_default();
        if digits.is_empty() { Err(self.stray()) } else { digits.parse().map_err(|_| Fault::Beyond) }
    }

    /// 1 when there is none.
    fn exponent(&mut self) -> Result<i8, Fault> {
        let minus = match self.peek() {
            Some(b'0'..=b'9') => false,
            Some(sign @ (b'+' | b'-')) => {
                self.at += 1;
                sign == b'-'
            }
            _ => return Ok(1),
        };
        let number = i8::try_from(self.digits()?).map_err(|_| Fault::Beyond)?;
        Ok(if minus { -number } else { number })
    }

    /// With the words in braces behind it, if there are any.
    fn annotated(&mut self, mut unit: Unit) -> Result<Unit, Fault> {
        if !self.take(b'{') {
            return Ok(unit);
        }
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'}') => break,
                Some(b'!'..=b'~') if self.peek() != Some(b'{') => self.at += 1,
                _ => return Err(self.stray()),
            }
        }
        let words = self.text.as_bytes().get(start..self.at).unwrap_or_default();
        self.at += 1;
        // FNV-1a: it tells texts apart and needs no table.
        let hash = words.iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
        });
        unit.notes = unit.notes.wrapping_add(hash);
        Ok(unit)
    }

    fn symbol(&mut self) -> Result<Unit, Fault> {
        let start = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b'[' => {
                    let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
                    let Some(length) = rest.iter().position(|b| *b == b']') else { return Err(Fault::End) };
                    self.at += length + 1;
                }
                b'.' | b'/' | b'(' | b')' | b'{' | b'}' | b'+' | b'-' | b'0'..=b'9' => break,
                b'!'..=b'~' => self.at += 1,
                _ => return Err(Fault::Character(self.at)),
            }
        }
        let symbol = self.text.get(start..self.at).unwrap_or_default();
        if symbol.is_empty() {
            return Err(self.stray());
        }
        let plain = named(symbol, false).map(|at| (at, 0));
        let prefixed = || {
            PREFIXES.iter().find_map(|(prefix, power)| {
                Some((symbol.strip_prefix(prefix).and_then(|rest| named(rest, true))?, *power))
            })
        };
        let (at, power) = plain.or_else(prefixed).ok_or(Fault::Symbol(start, self.at))?;
        let definition = SYMBOLS.get(at).map_or("", |(_, _, definition)| *definition);
        let base = if definition.is_empty() {
            let mut base = Unit::ONE;
            base.part(u16::try_from(at).unwrap_or(u16::MAX), 1)?;
            base
        } else {
            Unit::within(definition, self.depth.checked_sub(1).ok_or(Fault::Beyond)?)?
        };
        base.times(&Unit::ten(power), 1)
    }
}

/// The place of a symbol; `metric`: it must take prefixes.
fn named(symbol: &str, metric: bool) -> Option<usize> {
    SYMBOLS.iter().position(|(text, prefixes, _)| *text == symbol && (*prefixes || !metric))
}

/// Why a text is no unit, as a clause that follows it.
pub struct Explained<'t>(pub &'t str, pub Fault);

impl fmt::Display for Explained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text, fault) = self;
        match *fault {
            Fault::Length => write!(f, "a unit has 1 to {LENGTH} characters"),
            Fault::Symbol(start, end) => {
                write!(f, "nothing is called {:?} in UCUM", text.get(start..end).unwrap_or_default())
            }
            Fault::Character(at) => match text.get(at..).and_then(|rest| rest.chars().next()) {
                Some(c) => write!(f, "{c:?} cannot stand there"),
                None => f.write_str("it is cut"),
            },
            Fault::End => f.write_str("it ends too early"),
            Fault::Beyond => f.write_str("its numbers are beyond reason"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        Unit::read(a).unwrap_or_else(|e| panic!("{a}: {e:?}"))
            == Unit::read(b).unwrap_or_else(|e| panic!("{b}: {e:?}"))
    }

    #[test]
    fn every_definition_can_be_read_and_no_symbol_stands_twice() {
        for (at, (symbol, _, _)) in SYMBOLS.iter().enumerate() {
            assert_eq!(named(symbol, false), Some(at), "{symbol}");
            assert!(Unit::read(symbol).is_ok(), "{symbol}");
        }
        for (written, ucum) in SPELLINGS {
            assert!(Unit::read(ucum).is_ok(), "{ucum}");
            assert!(Unit::read(written) != Unit::read(ucum), "{written} needs no hint");
        }
    }

    #[test]
    fn units_that_laboratories_use_are_read() {
        for unit in [
            "mg/dL",
            "mmol/L",
            "umol/L",
            "g/L",
            "g/dL",
            "fL",
            "pg",
            "%",
            "10*3/uL",
            "10*6/uL",
            "10*9/L",
            "10*12/L",
            "10^3/uL",
            "U/L",
            "[IU]/mL",
            "m[IU]/L",
            "u[IU]/mL",
            "kU/L",
            "ukat/L",
            "meq/L",
            "mosm/kg",
            "mm[Hg]",
            "kPa",
            "s",
            "mm/h",
            "ng/mL{FEU}",
            "{INR}",
            "{ratio}",
            "1",
            "/[HPF]",
            "/uL",
            "{cells}/uL",
            "mL/min/{1.73_m2}",
            "[pH]",
            "Cel",
            "10*3{copies}/mL",
            "mg/(24.h)",
            "ug/min",
            "nmol/mmol{creat}",
            "[GPL'U]",
            "[arb'U]/mL",
            "10*6.[CFU]/L",
            "m2",
            "um3",
            "10*3/mm3",
            "g%",
            "[ppm]",
            "mmol/mol",
        ] {
            assert!(Unit::read(unit).is_ok(), "{unit}: {:?}", Unit::read(unit));
        }
    }

    #[test]
    fn what_a_number_means_the_same_beside_is_the_same_unit() {
        for (a, b) in [
            ("g/dl", "g/dL"),
            ("10*3/uL", "10*9/L"),
            ("10*3/mm3", "10*3/uL"),
            ("10^3/uL", "10*3/uL"),
            ("mg/L", "ug/mL"),
            ("g/L", "mg/mL"),
            ("g%", "g/dL"),
            ("U/L", "umol/min/L"),
            ("[IU]/L", "[iU]/L"),
            ("um3", "fL"),
            ("%", "10*-2"),
            ("60.s", "min"),
            ("mg/(24.h)", "mg/d"),
            ("hPa", "mbar"),
            ("/L", "L-1"),
            ("m[IU]/L", "u[IU]/mL"),
        ] {
            assert!(same(a, b), "{a} {b}");
        }
    }

    #[test]
    fn what_differs_by_as_much_as_a_letter_differs() {
        for (a, b) in [
            ("mg/dL", "mmol/L"),
            ("mg/dL", "Mg/dL"),
            ("mg/dL", "mg/L"),
            ("g/dL", "g/L"),
            ("ng/mL{FEU}", "ng/mL{DDU}"),
            ("ng/mL{FEU}", "ng/mL"),
            ("U/L", "[IU]/L"),
            ("U/L", "nkat/L"),
            ("meq/L", "mmol/L"),
            ("mosm/kg", "mmol/kg"),
            ("pg", "Pg"),
            ("K/uL", "10*3/uL"),
            ("%", "1"),
            ("m/s", "m.s"),
            ("kPa", "mm[Hg]"),
            ("s", "S"),
        ] {
            assert!(!same(a, b), "{a} {b}");
        }
    }

    #[test]
    fn what_is_no_unit_is_refused_with_its_place() {
        for (text, fault) in [
            ("", Fault::Length),
            ("MG/DL", Fault::Symbol(0, 2)),
            ("IU/L", Fault::Symbol(0, 2)),
            ("µg/L", Fault::Character(0)),
            ("mg/", Fault::End),
            ("mg//L", Fault::Character(3)),
            ("mg dL", Fault::Character(2)),
            ("(mg", Fault::End),
            ("mg)", Fault::Character(2)),
            ("{a", Fault::End),
            ("[IU", Fault::End),
            ("10*999", Fault::Beyond),
            ("m99999999999999999999", Fault::Beyond),
            ("0", Fault::Beyond),
        ] {
            assert_eq!(Unit::read(text), Err(fault), "{text}");
        }
        assert_eq!(Unit::read(&"(".repeat(40)), Err(Fault::Beyond));
        assert_eq!(Unit::read(&"m.".repeat(80)), Err(Fault::Length));
    }

    #[test]
    fn one_is_one_with_and_without_words() {
        for (text, one) in
            [("1", true), ("{INR}", true), ("1{ratio}", false), ("%", false), ("10*0", true), ("m/m", true)]
        {
            assert_eq!(Unit::read(text).is_ok_and(|unit| unit.is_one()), one, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(text in "[ -~µ]{0,30}") {
            let _ = Unit::read(&text);
        }
        #[test]
        fn and_nothing_of_the_right_letters_either(text in "[mgsLUlkdu0-9*^./(){}\\[\\]I%+-]{0,24}") {
            let _ = Unit::read(&text);
        }
    }
}
