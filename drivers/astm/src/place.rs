//! Places in a message, as people and manuals name them: `R.4`, `O.4.3`.
//!
//! Promises: a [`Place`] is checked when the profile is read, and reading one from a message cannot fail; what is
//! not there is empty. A place is in the first repeat of its field unless it names another: `R.13[2]`, `R.13[last]`.

use orugate_driver::intern;
use orugate_protocol::astm::record::{Field, Record, RecordType};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// A field of a record, or a component of one of its repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    record: RecordType,
    field: u8,
    repeat: Repeat,
    /// From 1; `None` is the whole field.
    component: Option<u8>,
    name: &'static str,
}

/// Which repeat of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeat {
    /// None was named: the whole field, or a component of the first.
    Unnamed,
    /// From 1.
    Number(u8),
    /// The last that is filled.
    Last,
}

/// The records that a place can be read from: the latest of each kind, as far as there is one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Current<'m> {
    pub(crate) header: Option<Record<'m>>,
    pub(crate) patient: Option<Record<'m>>,
    pub(crate) order: Option<Record<'m>>,
    pub(crate) result: Option<Record<'m>>,
    pub(crate) query: Option<Record<'m>>,
}

impl Place {
    /// As it was written: `O.4.3`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// True when it is a whole field.
    #[must_use]
    pub const fn is_field(&self) -> bool {
        self.component.is_none()
    }

    /// True for O.3, where LIS02 has the laboratory's specimen id, and for the patient's id fields, which hold one
    /// thing or nothing.
    pub(crate) fn is_standard_sample_id(&self) -> bool {
        self.record == RecordType::Patient || (self.record == RecordType::Order && self.field == 3)
    }

    /// True for this component of this field, in its first repeat.
    pub(crate) fn is_component(&self, record: RecordType, field: usize, component: usize) -> bool {
        self.record == record
            && self.field() == field
            && self.component.map(usize::from) == Some(component)
            && self.repeat == Repeat::Unnamed
    }

    /// A whole field of R.
    pub(crate) fn of_result(field: u8) -> Self {
        let name = intern(&format!("R.{field}"));
        Self { record: RecordType::Result, field, repeat: Repeat::Unnamed, component: None, name }
    }

    /// What this record has there, whichever record the place names; the whole field with all its repeats or one component.
    pub(crate) fn in_record<'m>(&self, record: Record<'m>) -> Field<'m> {
        let field = record.field(self.field());
        self.component.map_or(field, |n| field.component(usize::from(n)))
    }

    /// True for a whole field, with all its repeats, of this record.
    pub(crate) fn is_field_of(&self, record: RecordType) -> bool {
        self.record == record && self.component.is_none() && self.repeat == Repeat::Unnamed
    }

    /// The record's type.
    #[must_use]
    pub const fn record(&self) -> RecordType {
        self.record
    }

    /// The field's number.
    pub(crate) const fn field(&self) -> usize {
        self.field as usize
    }

    /// What is there, without the spaces around it; `None` when there is nothing else.
    pub(crate) fn read<'m>(&self, current: &Current<'m>) -> Option<Field<'m>> {
        let field = self.read_field(current)?;
        let part = match self.component {
            Some(n) => field.component(usize::from(n)).trimmed(),
            None => field,
        };
        (!part.is_empty() && !part.is_delete()).then_some(part)
    }

    /// The whole field with its repeats, or the repeat that the place names.
    pub(crate) fn read_field<'m>(&self, current: &Current<'m>) -> Option<Field<'m>> {
        let record = match self.record {
            RecordType::Header => current.header,
            RecordType::Patient => current.patient,
            RecordType::Order => current.order,
            RecordType::Result => current.result,
            RecordType::Query => current.query,
            _ => None,
        }?;
        let field = record.field(usize::from(self.field)).trimmed();
        let field = match self.repeat {
            Repeat::Unnamed => field,
            Repeat::Number(n) => field.repeat(usize::from(n)).trimmed(),
            Repeat::Last => field.repeats().map(|f| f.trimmed()).filter(|f| !f.is_empty()).last()?,
        };
        (!field.is_empty() && !field.is_delete()).then_some(field)
    }

    /// The same in one repeat of a field, which need not be the first.
    pub(crate) fn read_repeat<'m>(&self, repeat: Field<'m>) -> Option<Field<'m>> {
        let part = self.component.map_or(repeat, |n| repeat.component(usize::from(n))).trimmed();
        (!part.is_empty() && !part.is_delete()).then_some(part)
    }
}

/// The first of several places that has something.
pub(crate) fn first<'m>(places: &[Place], current: &Current<'m>) -> Option<Field<'m>> {
    places.iter().find_map(|place| place.read(current))
}

impl TryFrom<String> for Place {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        parse(&text).ok_or_else(|| {
            format!(
                "`{text}` is no place; a place is a record letter (H, P, O, R or Q), a field from 2 and, for a part \
                 of it, a repeat in brackets and a component from 1, such as \"O.3\", \"O.4.3\" or \"R.13[last]\""
            )
        })
    }
}

fn parse(text: &str) -> Option<Place> {
    let mut parts = text.split('.');
    let record = match parts.next()? {
        "H" => RecordType::Header,
        "P" => RecordType::Patient,
        "O" => RecordType::Order,
        "R" => RecordType::Result,
        "Q" => RecordType::Query,
        _ => return None,
    };
    let (field, repeat) = match parts.next()?.split_once('[') {
        None => (text.split('.').nth(1)?, Repeat::Unnamed),
        Some((field, "last]")) => (field, Repeat::Last),
        Some((field, n)) => (field, Repeat::Number(number(n.strip_suffix(']')?)?)),
    };
    let field = number(field)?;
    let component = match parts.next() {
        Some(n) => Some(number(n)?),
        None => None,
    };
    // H.2 declares the delimiters; it has no parts and holds nothing about a result.
    let least = if record == RecordType::Header { 3 } else { 2 };
    let good = parts.next().is_none() && field >= least;
    good.then(|| Place { record, field, repeat, component, name: intern(text) })
}

/// A record of any letter, or a field or a component of it: `M`, `O.26`, `C.4.2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnyPlace(pub String);

impl TryFrom<String> for AnyPlace {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut parts = text.split('.');
        let record = matches!(parts.next().map(str::as_bytes), Some([b'A'..=b'Z']));
        let numbers = parts.clone().count() <= 2 && parts.all(|part| number(part).is_some());
        if record && numbers {
            return Ok(Self(text));
        }
        Err(format!(
            "`{text}` is no place in a record; it is a record's letter and, for a part of it, a field and a component, \
             such as \"M\", \"O.26\" or \"C.4.2\""
        ))
    }
}

impl<'de> Deserialize<'de> for AnyPlace {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::try_from(String::deserialize(from)?).map_err(D::Error::custom)
    }
}

impl schemars::JsonSchema for AnyPlace {
    fn schema_name() -> Cow<'static, str> {
        "AnyPlace".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A record's letter and, for a part of it, a field and a component: `M`, `O.26`, `C.4.2`.",
            "pattern": r"^[A-Z](\.[1-9][0-9]?){0,2}$",
        })
    }
}

// By hand: derived for a type with a `&'static str`, it would want to borrow that from the file.
impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::try_from(String::deserialize(from)?).map_err(D::Error::custom)
    }
}

// Only for the defaults in the schema.
impl Serialize for Place {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name)
    }
}

/// 1 to 99 without a leading zero.
fn number(text: &str) -> Option<u8> {
    let plain =
        (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    if plain { text.parse().ok() } else { None }
}

impl schemars::JsonSchema for Place {
    fn schema_name() -> Cow<'static, str> {
        "Place".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A record letter, a field and, for a part of it, a repeat and a component: `O.3`, `O.4.3`, \
                            `R.13[last]`.",
            "pattern": r"^[HPORQ]\.[1-9][0-9]?(\[([1-9][0-9]?|last)\])?(\.[1-9][0-9]?)?$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_places_and_refuses_what_is_none() {
        for good in ["H.3", "P.6.2", "O.4.3", "R.14", "Q.3.2", "O.31.12", "R.13[2]", "R.13[last].1"] {
            assert_eq!(Place::try_from(good.to_owned()).unwrap().name(), good);
        }
        for bad in [
            "", "O", "O.", "O.0", "O.1", "H.2", "X.3", "o.3", "O.3.", "O.3.0", "O.3.1.1", "O.03", "O.100",
            "O.+3", "O.3[]", "O.3[0]", "O.3[last", "O.3.1[2]", "O.[2]", "O.3[2]]",
        ] {
            let error = Place::try_from(bad.to_owned()).unwrap_err();
            assert!(error.contains("is no place"), "{bad}: {error}");
        }
    }
}
