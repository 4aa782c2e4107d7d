//! Places in a message as profiles name them: `OBX-19`, `OBX-3.1`, `OBX-3.1.2`.
//!
//! Promises: a place of a segment that is not at hand is empty.

use orugate_driver::intern;
use orugate_protocol::hl7::Name;
use orugate_protocol::hl7::reader::{Part, Segment};

/// A field, or a part of its first repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    segment: Name,
    field: usize,
    /// 0: all of the field.
    component: usize,
    /// 0: all of the component.
    part: usize,
    name: &'static str,
}

impl Place {
    pub(crate) fn named(name: &str) -> Option<Self> {
        let (segment, rest) = name.split_once('-')?;
        let mut numbers =
            rest.split('.').map(|number| number.parse::<usize>().ok().filter(|n| (1..=99).contains(n)));
        let field = numbers.next()??;
        let component = numbers.next().map_or(Some(0), |n| n)?;
        let part = numbers.next().map_or(Some(0), |n| n)?;
        let over = numbers.next().is_none();
        let segment = Name::new(segment.as_bytes())?;
        over.then(|| Self { segment, field, component, part, name: intern(name) })
    }

    /// As the profile wrote it.
    pub(crate) const fn name(self) -> &'static str {
        self.name
    }

    pub(crate) fn is_of(self, segment: &str) -> bool {
        self.segment == *segment
    }

    /// It names a field with all its components.
    pub(crate) const fn is_field(self) -> bool {
        self.component == 0
    }

    /// What stands there, when this segment is the one that is meant.
    pub(crate) fn read<'m>(self, segment: &Segment<'m, '_>) -> Option<Part<'m>> {
        if segment.name() != self.segment {
            return None;
        }
        let field = segment.field(self.field);
        let found = match (self.component, self.part) {
            (0, _) => field,
            (component, 0) => field.component(component),
            (component, part) => field.component(component).subcomponent(part),
        };
        Some(found).filter(|found| !found.is_empty())
    }
}

impl TryFrom<String> for Place {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::named(&text)
            .ok_or_else(|| format!("`{text}` is no place in a message; write OBX-19, OBX-3.1 or OBX-3.1.2"))
    }
}
