//! What a profile says about a result: which test it is, its value, what is no value, its flags and its unit.
//!
//! Promises and defaults are those of the [`profile`](crate::profile) that these tables are part of.

use crate::place::Place;
use crate::values::{Component, One, RuleName, Ucum};
use serde::Deserialize;

/// Where the parts of a test code are, as components of R.3 and O.5.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CodeParts {
    /// The vendor's code.
    pub id: Component,
    /// Where it is when that component is empty, in order.
    pub or: Vec<Component>,
    /// When all of these are empty, the first component that is not.
    pub or_first: bool,
    /// The vendor's name of the test.
    pub name: Option<Component>,
    /// A LOINC code.
    pub loinc: Option<Component>,
    /// Dilution or replicate.
    pub replicate: Option<Component>,
    /// A character at which the code ends; what follows it is the dilution (`136/1/not`).
    pub ends_at: Option<One>,
    /// The code is a part of its component (`1.0000+950+1.0`); the others are dilutions.
    pub split: Option<Split>,
    /// Components of R.3 that belong to the code where they are filled, each behind a `/`: the analyte of a panel,
    /// what a number is (`Ct`), an antibiotic.
    pub part: Vec<CodePart>,
    /// Where results of an order have the same code, each other component of R.3 in which they differ belongs to it as
    /// well, unless it holds a number: for an analyzer of which nobody knows what tells its results apart.
    pub apart: bool,
    /// Texts of `replicate`, or of the other parts of a split, that say "undiluted".
    pub undiluted: Vec<String>,
}

/// A code that is a part of its component.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// What stands between the parts.
    pub at: One,
    /// Which part, from 1. A component with fewer parts is the code as it is.
    pub part: Component,
    /// Which other part is the dilution. Without it each other part is one.
    #[serde(default)]
    pub dilution: Option<Component>,
}

/// A component that belongs to the code.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CodePart {
    /// The component of R.3.
    pub component: Component,
    /// Only where this other component is empty.
    #[serde(default)]
    pub without: Option<Component>,
    /// Texts that are no part of the code.
    #[serde(default)]
    pub except: Vec<String>,
    /// A result without it is held: its code would be that of another thing.
    #[serde(default)]
    pub required: bool,
    /// Only where another result of the order has the same code but another text here.
    #[serde(default)]
    pub repeated: bool,
    /// Only where the code is digits alone: a number that a site gave, which each panel may use again.
    #[serde(default)]
    pub of_number: bool,
}

impl Default for CodeParts {
    fn default() -> Self {
        Self {
            id: Component::FOURTH,
            or: Vec::new(),
            or_first: false,
            name: None,
            loinc: None,
            replicate: None,
            ends_at: None,
            split: None,
            part: Vec::new(),
            apart: false,
            undiluted: Vec::new(),
        }
    }
}

/// Fields of R that a model has elsewhere than LIS02. Each is a whole field of R; the flags may be a component of R.4.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResultFields {
    /// The reference range.
    pub range: Place,
    /// The range is `low^high`, and goes out as `low-high`.
    pub low_high: bool,
    /// The flags; a component of R.4 where they stand beside the value.
    pub flags: Place,
    /// The nature of abnormality testing.
    pub nature: Place,
    /// The status.
    pub status: Place,
}

impl Default for ResultFields {
    fn default() -> Self {
        let field = Place::of_result;
        Self { range: field(6), low_high: false, flags: field(7), nature: field(8), status: field(9) }
    }
}

/// How a value is written.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Value {
    /// The components of R.4 in which the value may be. The one that is filled is it; where several are and
    /// differ, and without this, the whole field is, components and all.
    pub components: Vec<Component>,
    /// `5,4` is written for `5.4`: a comma between digits becomes a point, in the reference range too.
    pub decimal_comma: bool,
    /// Tests whose R.4 has its parts elsewhere; the first that lists the code counts.
    pub when: Vec<ValueWhen>,
}

/// Where the parts of R.4 are for some tests. Nothing is lost that nobody named.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ValueWhen {
    /// The codes, without their parts. A part of R.4 that is filled and neither in `components` or `flags` nor in a
    /// `[[note]]` makes the whole field the value, and so does a filled R.7 beside `flags`.
    pub codes: Vec<String>,
    /// The components in which the value may be, as in `[value]`; none of them filled is no value.
    pub components: Vec<Component>,
    /// Places of R.4 with a flag (an interpretation S, I or R), in order; the first that is not empty goes where R.7's
    /// flags go.
    #[serde(default)]
    pub flags: Vec<Place>,
}

/// A value field that is no value.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotReportable {
    /// The exact text, spaces around it aside; `""` is an empty field.
    #[serde(default)]
    pub value: Option<String>,
    /// Instead of it: the value has at least one of these characters and no other (`-.` for `-----` and `--.-`).
    #[serde(default)]
    pub only: Option<String>,
    /// Instead of them: the first and the last character of the value (`()` for `(934)`).
    #[serde(default)]
    pub between: Option<String>,
    /// The rule's name, for the ledger: small letters, digits and `-`.
    pub rule: RuleName,
    /// What it means is not known here: the result is held for a person, with the rule's name.
    #[serde(default)]
    pub hold: bool,
}

/// A flag of R.7.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flag {
    /// As the instrument writes it.
    pub code: String,
    /// The same in HL7 table 0078; absent when HL7 has no such flag or means something else by the letter; `""` when
    /// it says that there is nothing to flag.
    pub hl7: Option<String>,
    /// What it means, for people.
    #[serde(default)]
    pub meaning: String,
}

/// A unit that the instrument writes as a code or with a font of its own. The text as sent goes along in OBX-6.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// As the instrument writes it in R.5, exactly.
    pub sent: String,
    /// The tests for which it means this; without them, for all.
    #[serde(default)]
    pub codes: Vec<String>,
    /// The unit in UCUM; `""` when it is no unit, and OBX-6 stays empty.
    pub ucum: Ucum,
}
