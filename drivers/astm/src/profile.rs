//! An ASTM profile as people write it, field by field.
//!
//! Promises: what is read is valid, place by place and number by number, and every mistake names its line. The
//! defaults are LIS02's own meanings, so a profile says only what a model does otherwise. Leaves out the few checks
//! that need two fields at once; [`Plan`](crate::plan::Plan) makes them.

use crate::place::{AnyPlace, Place};
use crate::values::{Ack, Charset, CodingSystem, Component, FlagSeparator, Framing, Letter, StatusWord};
use orugate_driver::{Evidence, Example};
use serde::Deserialize;
use std::collections::BTreeMap;

pub use crate::link_options::LinkOptions;
pub use crate::qc_options::{QcMark, QcRules};
pub use crate::result_options::{
    CodePart, CodeParts, Flag, NotReportable, ResultFields, Split, Unit, Value, ValueWhen,
};

/// The whole file.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AstmProfile {
    /// The profile's name, as `profile = "…"` in a configuration.
    pub name: String,
    /// `astm`.
    pub driver: String,
    /// What it is for, one line.
    pub title: String,
    /// How far it is proven.
    pub evidence: Evidence,
    /// Inputs and what must come of them.
    #[serde(default)]
    pub example: Vec<Example>,

    /// How bytes become characters.
    pub charset: Charset,
    /// How they do in a message that `charset` does not read to its end: for an instrument whose parts write different
    /// ones.
    #[serde(default)]
    pub charset_fallback: Option<Charset>,
    /// The coding system of the vendor's codes in HL7, `99` and up to ten letters or digits: `99SYSMEX`.
    pub coding_system: CodingSystem,
    /// What is on the wire.
    #[serde(default)]
    pub framing: Framing,
    /// What the instrument waits to be acknowledged.
    #[serde(default)]
    pub ack: Ack,
    /// Who operated the instrument.
    #[serde(default = "operator")]
    pub operator: Option<Place>,
    /// Who verified the result.
    #[serde(default = "verifier")]
    pub verifier: Option<Place>,
    /// The device or module that measured.
    #[serde(default = "device")]
    pub device: Option<Place>,
    /// The model sends no L record: a message ends with its transfer, and that none came is no trouble.
    #[serde(default)]
    pub no_terminator: bool,
    /// What stands between the flags of R.7.
    #[serde(default)]
    pub flag_separator: FlagSeparator,
    /// Words that an instrument writes for nothing, exactly: for an operator, a verifier, a device, a sender, a remark by
    /// `[[note]]`.
    #[serde(default)]
    pub absent: Vec<String>,

    /// Deviations of the link from LIS01-A2.
    #[serde(default)]
    pub link: LinkOptions,
    /// Where the sample id is.
    pub sample: Sample,
    /// Where the parts of a test code are.
    #[serde(default)]
    pub code: CodeParts,
    /// What an order of several tests is called.
    #[serde(default)]
    pub panel: Panel,
    /// Fields of R that a model has elsewhere than LIS02.
    #[serde(default)]
    pub result: ResultFields,
    /// How a value is written.
    #[serde(default)]
    pub value: Value,
    /// Value fields that are no values.
    #[serde(default)]
    pub not_reportable: Vec<NotReportable>,
    /// Flags and what they mean.
    #[serde(default)]
    pub flag: Vec<Flag>,
    /// What the instrument means by a unit that it writes as a code or with a font of its own.
    #[serde(default)]
    pub unit: Vec<Unit>,
    /// Fields for which HL7 has no place and which go along as remarks.
    #[serde(default)]
    pub note: Vec<PlaceNote>,
    /// What makes groups of results within an order: the isolates of microbiology.
    #[serde(default)]
    pub isolate: Isolate,
    /// Where times are.
    #[serde(default)]
    pub time: Times,
    /// What tells one run from another.
    #[serde(default)]
    pub run: Run,
    /// What the header says about the sender.
    #[serde(default)]
    pub sender: SenderPlaces,
    /// What marks quality control beside LIS02's own codes.
    #[serde(default)]
    pub qc: QcRules,
    /// R.9 letters that mean something else than in LIS02; `""` is an empty field.
    #[serde(default)]
    pub status: BTreeMap<Letter, StatusWord>,
    /// Comments.
    #[serde(default)]
    pub comment: Comments,
    /// Queries and their answers.
    #[serde(default)]
    pub query: Queries,
    /// What a message says beside results, and why nothing is made of it. A test of the shipped profiles finds each part
    /// of their examples either in what is printed or here.
    #[serde(default)]
    pub known: Vec<Known>,
}

/// Something that goes nowhere, by decision.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// A record's letter, or a field or component of it: `O.26`, `C.4.2`.
    pub place: AnyPlace,
    /// Why it goes nowhere, for people.
    pub why: String,
}

/// Where the sample id is.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Places in order; the first that is not empty wins. A place without a component is the component of that
    /// field that looks like an id, and nothing when several do.
    pub id: Vec<Place>,
    /// Other places for one of several models that a profile serves; the first that fits wins.
    #[serde(default)]
    pub when: Vec<SampleWhen>,
    /// The places are a search: a note says where the id was found, and which other place has another.
    #[serde(default)]
    pub search: bool,
    /// Beginnings of what the instrument writes when it could read no id. Such a text is none, and the result is held.
    #[serde(default)]
    pub none_prefixes: Vec<String>,
}

/// Places that hold for one model only.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SampleWhen {
    /// Where the model's name is.
    pub place: Place,
    /// The name, exactly.
    pub is: String,
    /// The places then.
    pub id: Vec<Place>,
}

/// What an order of several tests is called in OBR-4; an order of one test has that test's code.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Panel {
    /// Code.
    pub code: String,
    /// Name.
    pub name: String,
}

impl Default for Panel {
    fn default() -> Self {
        Self { code: "PANEL".into(), name: "Results of one order".into() }
    }
}

/// A field for which HL7 has no place.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceNote {
    /// In O, for a remark on the order, or in R.
    pub place: Place,
    /// What it is; the text follows it.
    pub label: String,
    /// Only when the text is this; then the label says it all.
    #[serde(default)]
    pub is: Option<String>,
    /// Only for these tests (codes without their parts); for a place in R.
    #[serde(default)]
    pub codes: Vec<String>,
    /// Not when the first of these places that is filled has the same text.
    #[serde(default)]
    pub unless_same_as: Vec<Place>,
}

/// What makes groups of results within an order. Their number goes into OBX-4, which ties an antibiogram to its
/// organism.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Isolate {
    /// Where the isolate's number is.
    pub number: Option<Place>,
    /// Where there is none: codes (without their parts) whose result begins the next isolate.
    pub heads: Vec<String>,
}

/// Where times are.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Times {
    /// When the measurement began.
    pub started: Option<Place>,
    /// When the result was there.
    pub completed: Option<Place>,
    /// When the specimen was taken.
    pub collected: Option<Place>,
    /// When the laboratory got it.
    pub received: Option<Place>,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            started: place("R.12"),
            completed: place("R.13"),
            collected: place("O.8"),
            received: place("O.15"),
        }
    }
}

/// What tells one run from another.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Places in order; the first that is not empty.
    pub discriminator: Vec<Place>,
    /// Several results of a test in one order are replicates of one run, whatever their times: all of them go, and none is
    /// another run of another one.
    #[serde(default)]
    pub replicates: bool,
}

impl Default for Run {
    fn default() -> Self {
        Self { discriminator: places(&["R.13", "R.12"]), replicates: false }
    }
}

/// What the header says about the sender.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SenderPlaces {
    /// Model.
    pub name: Option<Place>,
    /// Serial number.
    pub serial: Option<Place>,
    /// A serial number is digits; any other text in its place is the model.
    pub serial_is_digits: bool,
    /// Software version.
    pub version: Option<Place>,
}

impl Default for SenderPlaces {
    fn default() -> Self {
        Self { name: place("H.5.1"), serial: None, serial_is_digits: false, version: None }
    }
}

/// Comments.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Comments {
    /// The fields of a C record that hold texts, each a remark of its own.
    pub fields: Vec<Component>,
    /// Texts that say nothing, exactly.
    pub ignore: Vec<String>,
}

impl Default for Comments {
    fn default() -> Self {
        Self { fields: vec![Component::FOURTH], ignore: Vec::new() }
    }
}

/// Queries and their answers.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Queries {
    /// Where the specimen is, in order; read in each repeat of Q.3.
    pub specimen: Vec<Place>,
    /// L.3 of the answer "no order".
    pub no_order: Letter,
}

impl Default for Queries {
    fn default() -> Self {
        Self { specimen: places(&["Q.3.2", "Q.3.1"]), no_order: Letter::of(b'I') }
    }
}

pub(crate) fn place(name: &str) -> Option<Place> {
    Place::try_from(name.to_owned()).ok()
}

fn places(names: &[&str]) -> Vec<Place> {
    names.iter().filter_map(|name| place(name)).collect()
}

fn operator() -> Option<Place> {
    place("R.11.1")
}

fn verifier() -> Option<Place> {
    place("R.11.2")
}

fn device() -> Option<Place> {
    place("R.14")
}
