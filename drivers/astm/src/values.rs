//! The small values of a profile, each valid once it exists.

use orugate_driver::report::Status;
use orugate_driver::{intern, text};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::time::Duration;

/// How bytes become characters, by IANA's name: `"US-ASCII"`, `"UTF-8"`, `"ISO-8859-1"`, `"windows-1251"`, `"KOI8-R"`,
/// `"GB18030"` (GBK and GB2312 too), `"Big5"`, `"Shift_JIS"` and others. A byte that the charset does not define holds
/// the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charset(pub text::Charset);

/// What profiles of the first version wrote.
const SHORT: [(&str, text::Charset); 2] =
    [("ascii", text::Charset::Ascii), ("latin-1", text::Charset::Latin1)];

impl TryFrom<String> for Charset {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let short = SHORT.iter().find(|(short, _)| *short == name).map(|(_, charset)| *charset);
        short.or_else(|| text::Charset::named(&name)).map(Self).ok_or_else(|| {
            let all: Vec<_> = text::Charset::all().map(text::Charset::name).collect();
            format!(
                "`{name}` is no charset that is known here; write one of {} (GB18030 reads GBK and GB2312 too)",
                all.join(", ")
            )
        })
    }
}

impl schemars::JsonSchema for Charset {
    fn schema_name() -> Cow<'static, str> {
        "Charset".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names =
            text::Charset::all().map(text::Charset::name).chain(SHORT.iter().map(|(short, _)| *short));
        // The reader takes any case; an editor offers IANA's, and what profiles have.
        let names: Vec<_> = names.chain(["utf-8"]).collect();
        schemars::json_schema!({
            "type": "string",
            "description": "How bytes become characters, by IANA's name. A byte that the charset does not define \
                            holds the result.",
            "enum": names,
        })
    }
}

/// What is on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Framing {
    /// ENQ, frames, EOT.
    #[default]
    Lis01,
    /// Bare records, from H to L; nothing is acknowledged.
    Records,
}

/// What the instrument waits to be acknowledged. Either way an acknowledgment follows the sync of what it covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ack {
    /// Each frame, as LIS01 has it.
    #[default]
    Frame,
    /// Only a frame that ends with ETX; the instrument sends those with ETB without waiting for a reply.
    Message,
}

/// What stands between the flags of R.7.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FlagSeparator {
    /// The repeat delimiter, as LIS02 has it.
    #[default]
    Repeat,
    /// The component delimiter.
    Component,
    /// A comma.
    Comma,
}

/// What an R.9 letter is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum StatusWord {
    Final,
    Preliminary,
    Corrected,
    NotDone,
    Pending,
    Questionable,
    RerunInformation,
    Absent,
}

impl From<StatusWord> for Status {
    fn from(word: StatusWord) -> Self {
        match word {
            StatusWord::Final => Self::Final,
            StatusWord::Preliminary => Self::Preliminary,
            StatusWord::Corrected => Self::Corrected,
            StatusWord::NotDone => Self::NotDone,
            StatusWord::Pending => Self::Pending,
            StatusWord::Questionable => Self::Questionable,
            StatusWord::RerunInformation => Self::RerunInformation,
            StatusWord::Absent => Self::Absent,
        }
    }
}

/// HL7 table 0396 name of a local coding system: `99` and one to ten letters or digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodingSystem(pub(crate) &'static str);

impl TryFrom<String> for CodingSystem {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let name = text.strip_prefix("99").unwrap_or_default();
        if (1..=10).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric()) {
            Ok(Self(intern(&text)))
        } else {
            Err(format!("`{text}` is no local coding system; it is 99 and one to ten letters or digits"))
        }
    }
}

/// The name of a rule: small letters, digits and `-`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleName(pub(crate) &'static str);

impl TryFrom<String> for RuleName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let good = !text.is_empty()
            && text.len() <= 40
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if good {
            Ok(Self(intern(&text)))
        } else {
            Err(format!("`{text}` is no rule name; it is up to 40 small letters, digits and hyphens"))
        }
    }
}

/// A unit in UCUM: visible ASCII characters, at most 40; none of them for "no unit".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ucum(pub(crate) &'static str);

impl TryFrom<String> for Ucum {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.len() <= 40 && text.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self(intern(&text)))
        } else {
            Err(format!("`{text}` is no UCUM unit; it is up to 40 visible ASCII characters"))
        }
    }
}

/// The number of a component, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "i64")]
pub struct Component(u8);

impl Component {
    /// LIS02's place for the manufacturer's code.
    pub const FOURTH: Self = Self(4);

    /// As the record views count.
    #[must_use]
    pub const fn number(self) -> usize {
        self.0 as usize
    }
}

impl TryFrom<i64> for Component {
    type Error = String;

    fn try_from(n: i64) -> Result<Self, String> {
        match u8::try_from(n) {
            Ok(n @ 1..=99) => Ok(Self(n)),
            _ => Err(format!("{n} is no component; components count from 1 to 99")),
        }
    }
}

/// One character code, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Letter(Option<u8>);

impl Letter {
    pub(crate) const fn of(letter: u8) -> Self {
        Self(Some(letter))
    }

    /// The letter as a field has it.
    pub(crate) const fn byte(self) -> Option<u8> {
        self.0
    }

    /// The letter that a field of at most one byte is.
    pub(crate) const fn from_field(field: &[u8]) -> Option<Self> {
        match field {
            [] => Some(Self(None)),
            [letter] => Some(Self(Some(*letter))),
            _ => None,
        }
    }
}

impl TryFrom<String> for Letter {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_bytes() {
            [] => Ok(Self(None)),
            [letter] if letter.is_ascii_graphic() => Ok(Self(Some(*letter))),
            _ => Err(format!("`{text}` is no code; it is one character, or nothing")),
        }
    }
}

// Only for the defaults in the schema.
impl Serialize for Letter {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0.map(char::from).map_or_else(String::new, String::from))
    }
}

/// One visible ASCII character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct One(pub(crate) u8);

impl TryFrom<String> for One {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_bytes() {
            [one] if one.is_ascii_graphic() => Ok(Self(*one)),
            _ => Err(format!("`{text}` is not one character")),
        }
    }
}

/// A time such as `"15 s"` or `"200 ms"`, at most an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Wait(pub(crate) Duration);

impl TryFrom<String> for Wait {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wait = text.split_once(' ').and_then(|(number, unit)| {
            let number = number.parse::<u64>().ok().filter(|_| !number.starts_with('+'))?;
            match unit {
                "ms" => Some(Duration::from_millis(number)),
                "s" => Some(Duration::from_secs(number)),
                _ => None,
            }
        });
        wait.filter(|wait| *wait <= Duration::from_secs(3600))
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no time; write \"15 s\" or \"200 ms\", at most an hour"))
    }
}

/// By hand: derived for a type with a `&'static str`, it would want to borrow that from the file.
macro_rules! from_string {
    ($($name:ident)*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Self::try_from(String::deserialize(from)?).map_err(D::Error::custom)
            }
        }
    )*};
}
from_string! { Charset CodingSystem RuleName Ucum }

/// Schemas of the types that are strings or numbers with a rule.
macro_rules! schema {
    ($($name:ident { $($schema:tt)* })*) => {$(
        impl schemars::JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ $($schema)* })
            }
        }
    )*};
}
schema! {
    CodingSystem { "type": "string", "pattern": "^99[A-Za-z0-9]{1,10}$" }
    RuleName { "type": "string", "pattern": "^[a-z0-9-]{1,40}$" }
    Ucum { "type": "string", "pattern": "^[!-~]{0,40}$" }
    Component { "type": "integer", "minimum": 1, "maximum": 99 }
    Letter { "type": "string", "maxLength": 1 }
    One { "type": "string", "minLength": 1, "maxLength": 1 }
    Wait { "type": "string", "pattern": "^[0-9]+ (ms|s)$" }
}
