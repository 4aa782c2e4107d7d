//! What `FORMAT.md` says of the metas is what the structs are: the list there is made from them.
//!
//! `UPDATE_EXPECT=1` writes it anew. A line that changes is a format that changes: it must be a new version instead.

use super::*;
use serde::de::value::U32Deserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, SeqAccess, VariantAccess, Visitor,
};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

type Fault = serde::de::value::Error;

/// Follows the types while something is read that is not there.
#[derive(Default)]
struct Tracer {
    said: String,
    /// What each enum's variants hold, as far as they were seen.
    enums: BTreeMap<&'static str, Vec<(&'static str, Option<String>)>>,
}

macro_rules! plain {
    ($($method:ident $visit:ident $word:literal $value:expr),*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            self.said += $word;
            visitor.$visit($value)
        })*
    };
}

macro_rules! unused {
    ($($method:ident),*) => {
        $(fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Fault> {
            Err(Fault::custom(concat!("no word for ", stringify!($method))))
        })*
    };
}

impl<'de> Deserializer<'de> for &mut Tracer {
    type Error = Fault;

    plain! {
        deserialize_bool visit_bool "bool" false,
        deserialize_u8 visit_u8 "u8" 0,
        deserialize_u16 visit_u16 "u16" 0,
        deserialize_u32 visit_u32 "u32" 0,
        deserialize_u64 visit_u64 "u64" 0,
        deserialize_u128 visit_u128 "u128" 0,
        deserialize_i64 visit_i64 "i64" 0,
        deserialize_str visit_str "text" "",
        deserialize_string visit_str "text" ""
    }

    unused! {
        deserialize_any, deserialize_i8, deserialize_i16, deserialize_i32, deserialize_f32, deserialize_f64,
        deserialize_char, deserialize_bytes, deserialize_byte_buf, deserialize_unit, deserialize_map,
        deserialize_identifier, deserialize_ignored_any
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.said += "option of ";
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.said += "list of ";
        visitor.visit_seq(Parts { tracer: self, names: None, left: 1 })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        self.said += "(";
        let value = visitor.visit_seq(Parts { tracer: &mut *self, names: Some(&[]), left: len })?;
        self.said += ")";
        Ok(value)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.said += "(";
        let parts = Parts { tracer: &mut *self, names: Some(fields), left: fields.len() };
        let value = visitor.visit_seq(parts)?;
        self.said += ")";
        Ok(value)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.said += name;
        let seen = || variants.iter().map(|variant| (*variant, None)).collect();
        let known = self.enums.entry(name).or_insert_with(seen);
        let next = known.iter().position(|(_, holds)| holds.is_none()).unwrap_or(0);
        let before = std::mem::take(&mut self.said);
        let value = visitor.visit_enum(Variant { tracer: &mut *self, number: next as u32 })?;
        let holds = std::mem::replace(&mut self.said, before);
        self.enums.get_mut(name).unwrap()[next].1 = Some(holds);
        Ok(value)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, _: V) -> Result<V::Value, Fault> {
        Err(Fault::custom("no word for a unit struct"))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_tuple(len, visitor)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The fields of a struct or a tuple, or one element of a list.
struct Parts<'a> {
    tracer: &'a mut Tracer,
    names: Option<&'static [&'static str]>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Parts<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        if self.left == 0 {
            return Ok(None);
        }
        if let Some(names) = self.names {
            if !self.tracer.said.ends_with('(') {
                self.tracer.said += ", ";
            }
            if let Some(at) = names.len().checked_sub(self.left) {
                write!(self.tracer.said, "{} ", names[at]).unwrap();
            }
        }
        self.left -= 1;
        seed.deserialize(&mut *self.tracer).map(Some)
    }
}

struct Variant<'a> {
    tracer: &'a mut Tracer,
    number: u32,
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), Fault> {
        let number: U32Deserializer<Fault> = self.number.into_deserializer();
        Ok((seed.deserialize(number)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        self.tracer.said += " (";
        let value = seed.deserialize(&mut *self.tracer)?;
        self.tracer.said += ")";
        Ok(value)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        self.tracer.said += " ";
        self.tracer.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.tracer.said += " ";
        self.tracer.deserialize_struct("", fields, visitor)
    }
}

impl Tracer {
    /// A kind's line, without the brackets around it all.
    fn line<M: for<'a> Deserialize<'a>>(
        &mut self,
        list: &mut Vec<(u16, u8, String)>,
        kind: u16,
        version: u8,
    ) {
        // Each turn sees one more variant of an enum.
        for _ in 0..16 {
            self.said.clear();
            M::deserialize(&mut *self).unwrap();
        }
        let name = std::any::type_name::<M>().rsplit("::").next().unwrap();
        let name = name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('V');
        let fields = self.said.strip_prefix('(').and_then(|said| said.strip_suffix(')')).unwrap();
        list.push((kind, version, format!("| {kind} | {version} | {name} | {fields} |\n")));
    }

    fn of<M: Meta>(&mut self, list: &mut Vec<(u16, u8, String)>) {
        self.line::<M>(list, M::KIND, M::VERSION);
    }
}

fn listing() -> String {
    let (mut tracer, mut list) = (Tracer::default(), Vec::new());
    // It stands inside another enum's variant, which each turn but one leaves alone.
    for _ in 0..16 {
        Answer::deserialize(&mut tracer).unwrap();
    }
    tracer.of::<Chunk>(&mut list);
    tracer.of::<Abandoned>(&mut list);
    tracer.of::<Life>(&mut list);
    tracer.line::<before::OutcomeV1>(&mut list, Outcome::KIND, 1);
    tracer.line::<before::OutcomeV2>(&mut list, Outcome::KIND, 2);
    tracer.of::<Outcome>(&mut list);
    tracer.of::<Oru>(&mut list);
    tracer.of::<Delivery>(&mut list);
    tracer.of::<Hold>(&mut list);
    tracer.of::<HoldSettled>(&mut list);
    tracer.of::<Attempt>(&mut list);
    tracer.of::<Reconfigured>(&mut list);
    tracer.of::<NeverSent>(&mut list);
    tracer.of::<ParkedSettled>(&mut list);
    tracer.line::<before::DroppedV1>(&mut list, Dropped::KIND, 1);
    tracer.of::<Dropped>(&mut list);
    tracer.of::<Restored>(&mut list);
    tracer.of::<Redriven>(&mut list);
    tracer.of::<Verification>(&mut list);
    tracer.of::<ClockAccepted>(&mut list);
    tracer.of::<CaptureExported>(&mut list);
    tracer.of::<Observed>(&mut list);
    list.sort();
    let mut text = String::from("| kind | version | name | meta |\n|---:|---:|---|---|\n");
    text.extend(list.into_iter().map(|(_, _, line)| line));
    text += "\n| enum | variants, from 0 on |\n|---|---|\n";
    for (name, variants) in tracer.enums {
        let variant = |(name, holds): (&str, Option<String>)| format!("{name}{}", holds.unwrap());
        let variants: Vec<_> = variants.into_iter().map(variant).collect();
        writeln!(text, "| {name} | {} |", variants.join("; ")).unwrap();
    }
    text
}

#[test]
fn the_format_lists_every_kind_as_its_struct_is() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("journal/FORMAT.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let (begin, end) = ("<!-- kinds: made from the structs -->\n", "<!-- end of the kinds -->\n");
    let (before, rest) = text.split_once(begin).unwrap();
    let (there, after) = rest.split_once(end).unwrap();
    let listing = listing();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&file, [before, begin, &listing, end, after].concat()).unwrap();
    } else {
        assert_eq!(there, listing);
    }
}
