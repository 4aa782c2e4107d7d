//! A profile of the driver `lines` as people write it; `docs/lines.md` teaches it.
//!
//! Promises: what is read is valid word by word, and every mistake names its line. Leaves out what needs several fields at
//! once, which [`Plan`](crate::plan::Plan) checks.

use orugate_driver::{Evidence, Example, QcProof, UsualLine};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::time::Duration;

/// The whole file.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinesProfile {
    /// The profile's name, as `profile = "…"` in a configuration.
    pub name: String,
    /// `lines`.
    pub driver: String,
    /// What it is for, one line.
    pub title: String,
    /// How far it is proven.
    pub evidence: Evidence,
    /// Inputs and what must come of them.
    #[serde(default)]
    pub example: Vec<Example>,

    /// What its lines are: values of a bedside device, or results of an analyzer.
    pub feed: FeedWord,
    /// How bytes become characters, by IANA's name.
    #[serde(default = "ascii")]
    pub charset: String,
    /// The coding system of the device's own codes in HL7, `99` and up to ten letters or digits.
    pub coding_system: CodingSystem,
    /// A bedside value that was not renewed for so long is none any more: about three lines or questions.
    #[serde(default)]
    pub stale_after: Option<Wait>,
    /// How a serial line to such a device is usually set; a configuration that has it otherwise is told so.
    #[serde(default)]
    pub serial: Option<UsualLine>,
    /// How units are told apart.
    #[serde(default)]
    pub frame: Frame,
    /// What the device is asked; without it, it speaks by itself.
    #[serde(default)]
    pub poll: Option<Poll>,
    /// What is answered when a result is stored.
    #[serde(default)]
    pub reply: Option<Reply>,
    /// What the device is.
    #[serde(default)]
    pub device: DeviceWords,
    /// Kinds of lines; the first that fits is it.
    pub line: Vec<Line>,
    /// How a value is written, when there is more in its place: a pattern with `{value}`, `{flags}` and `{unit}`.
    #[serde(default)]
    pub value: Option<String>,
    /// What a device writes when it has no value, beside dashes and nothing.
    #[serde(default)]
    pub absent: Vec<String>,
    /// Values.
    #[serde(default)]
    pub field: Vec<Field>,
    /// What the words of alarms mean.
    #[serde(default)]
    pub alarms: AlarmWords,
    /// What the device says of the validity of its values.
    #[serde(default)]
    pub mark: Vec<Mark>,
    /// Where the parts of a laboratory result are.
    #[serde(default)]
    pub sample: Sample,
    /// Texts that go along as remarks on the order.
    #[serde(default)]
    pub note: Vec<NoteField>,
    /// Flags and what they mean.
    #[serde(default)]
    pub flag: Vec<FlagWord>,
    /// Quality control.
    #[serde(default)]
    pub qc: Qc,
    /// What a line says beside, and why nothing is made of it.
    #[serde(default)]
    pub known: Vec<Known>,
}

/// What a device's lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FeedWord {
    /// Values that are measured again and again.
    Bedside,
    /// Results, each of which counts.
    Results,
}

/// How units are told apart.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Frame {
    /// The byte that begins a unit, such as `<STX>`.
    pub start: Option<String>,
    /// The bytes of which one ends a unit.
    pub end: String,
    /// A checksum behind the end.
    pub check: Option<Check>,
    /// The most bytes of a unit, up to 65536.
    pub most: usize,
    /// For results: a unit that has no end after so long ends there.
    pub quiet: Option<Wait>,
}

impl Default for Frame {
    fn default() -> Self {
        Self { start: None, end: "<CR><LF>".into(), check: None, most: 4096, quiet: None }
    }
}

/// A checksum of one byte.
#[derive(Clone, Copy, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// How it is made.
    pub kind: CheckKind,
    /// How it is written.
    pub form: CheckForm,
    /// The first byte counts.
    #[serde(default)]
    pub with_start: bool,
    /// The last byte counts.
    #[serde(default)]
    pub with_end: bool,
}

/// How a checksum is made.
#[derive(Clone, Copy, Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum CheckKind {
    Sum,
    Xor,
}

/// How a checksum is written.
#[derive(Clone, Copy, Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CheckForm {
    /// As it is.
    Byte,
    /// Two hexadecimal digits.
    Hex,
}

/// What the device is asked. It must ask for data only.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Poll {
    /// The question, such as `SNDF<CR>`.
    pub send: String,
    /// How often.
    pub every: Wait,
    /// Without an answer for so long it is asked again.
    #[serde(default)]
    pub retry: Option<Wait>,
}

/// What is answered when a result is stored, and when it is not.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// When it is on flash.
    pub stored: String,
    /// When it could not be stored.
    #[serde(default)]
    pub refused: Option<String>,
}

/// What the device is, as far as its lines do not say.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeviceWords {
    /// MDC code of its kind, such as 69641 for a pulse oximeter.
    pub mds: u32,
    /// Who makes it.
    pub manufacturer: String,
    /// The model.
    pub model: String,
    /// Where its serial number is.
    pub serial: Option<String>,
    /// Where its software version is.
    pub version: Option<String>,
}

/// A kind of line.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Its pattern.
    pub pattern: String,
    /// It says nothing that is wanted: a heading, a menu.
    #[serde(default)]
    pub skip: bool,
    /// Pairs of a key and a value.
    #[serde(default)]
    pub keys: Option<Keys>,
    /// Values by their number.
    #[serde(default)]
    pub columns: Option<Columns>,
    /// The same again and again: parts `{code}`, `{value}` and `{unit}`.
    #[serde(default)]
    pub repeat: Option<Repeat>,
    /// Where the time is at which it was measured.
    #[serde(default)]
    pub time: Option<TimePlace>,
}

/// Pairs of a key and a value in a part of the line.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// The part.
    pub of: String,
    /// What stands between pairs; a blank is one or more.
    pub between: String,
    /// What stands between a key and its value.
    pub assign: String,
}

/// Values by their number in a part of the line.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Columns {
    /// The part.
    pub of: String,
    /// What stands between them.
    pub between: String,
    /// The number of the first one, as the manual counts.
    #[serde(default = "one")]
    pub first: usize,
    /// The part that says how many there are; a line with another number is thrown away.
    #[serde(default)]
    pub count: Option<String>,
}

/// The same again and again in a part of the line.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// The part.
    pub of: String,
    /// One of them.
    pub pattern: String,
}

/// Where a time is, and how it is written.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimePlace {
    /// The part, key or column.
    pub from: String,
    /// `%d %m %y %Y %b %H %M %S` and what stands between.
    pub format: String,
}

/// A value: what a bedside device measures, or a test of an analyzer.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// The part, key, column or repeated code.
    pub from: String,
    /// The device's code; `from` when it is not said.
    #[serde(default)]
    pub code: Option<String>,
    /// The device's name of it.
    #[serde(default)]
    pub name: String,
    /// MDC code, where a source proves it.
    #[serde(default)]
    pub mdc: u32,
    /// The unit as the device or its manual writes it; for results, in UCUM.
    #[serde(default)]
    pub unit: String,
    /// MDC code of the unit.
    #[serde(default)]
    pub unit_mdc: u32,
    /// Characters that may stand behind the value and are not of it.
    #[serde(default)]
    pub trim: String,
    /// It is taken now and then and stands until the next time: it goes once.
    #[serde(default)]
    pub once: bool,
    /// What kind of thing it is.
    #[serde(default)]
    pub kind: KindWord,
    /// What tells it from others of its kind.
    #[serde(default)]
    pub label: String,
    /// A value of these exactly is not given at all: an alarm word that says that there is no alarm.
    #[serde(default)]
    pub none: Vec<String>,
}

/// What the words mean that stand in the place of a field of kind `alarm`.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlarmWords {
    /// There is no alarm.
    pub none: Vec<String>,
    /// There is one, of low priority.
    pub low: Vec<String>,
    /// Of medium priority.
    pub medium: Vec<String>,
    /// Of high priority.
    pub high: Vec<String>,
}

/// What kind of thing a bedside value is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KindWord {
    /// Measured.
    #[default]
    Measured,
    /// Set by a person.
    Set,
    /// Calculated from others.
    Calculated,
    /// The mode in which the device works.
    Mode,
    /// An alarm that is active.
    Alarm,
    /// Words.
    Text,
    /// A number that says how long ago a value that goes once was taken: not given, but a smaller one makes it new.
    Age,
}

/// What the device says of the validity of its values.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// The part, key or column that says it; empty: any word of a line of keys that has no value.
    #[serde(default)]
    pub from: String,
    /// It says so when this bit of a hexadecimal number is set, such as `0x20`.
    #[serde(default)]
    pub bit: Option<u32>,
    /// It says so when this word is in it.
    #[serde(default)]
    pub word: Option<String>,
    /// It says so when it is this exactly.
    #[serde(default)]
    pub is: Option<String>,
    /// It says so when it ends with this.
    #[serde(default)]
    pub ends: Option<String>,
    /// What that means of the value: no words when it is only an alarm.
    #[serde(default)]
    pub marks: Vec<MarkWord>,
    /// Why, as a clause without a value in it.
    #[serde(default)]
    pub why: String,
    /// Of which fields, by their `from`; all when none is named.
    #[serde(default)]
    pub fields: Vec<String>,
    /// An alarm is active on them.
    #[serde(default)]
    pub alarm: Option<AlarmWord>,
}

/// What a mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MarkWord {
    /// The value is not valid.
    Invalid,
    /// The device doubts it.
    Questionable,
    /// There is none.
    NotAvailable,
    /// The sensor is calibrated.
    Calibrating,
    /// A test signal.
    Test,
    /// A demonstration.
    Demo,
    /// An early estimate.
    Early,
    /// The measurement goes on.
    Busy,
    /// It is switched off.
    Off,
    /// Above what can be measured.
    Over,
    /// Below what can be measured.
    Under,
    /// Alarms are switched off.
    AlarmsOff,
}

/// On which side of its limits a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum AlarmWord {
    Low,
    High,
    Unknown,
}

/// Where the parts of a laboratory result are; each is a part, a key or a column.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sample {
    /// The sample id.
    pub id: Option<String>,
    /// The material.
    pub kind: Option<String>,
    /// What tells one run from another, when the time does not.
    pub run: Option<String>,
    /// The operator.
    pub operator: Option<String>,
    /// The code of the order that all tests belong to.
    pub panel: String,
    /// Its name.
    pub panel_name: String,
}

/// A text that goes along as a remark.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoteField {
    /// The part, key or column.
    pub from: String,
    /// What it is; the text follows it.
    pub label: String,
    /// Texts that say nothing.
    #[serde(default)]
    pub none: Vec<String>,
}

/// A vendor's flag.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlagWord {
    /// As the instrument writes it.
    pub code: String,
    /// The same thing in HL7 table 0078.
    #[serde(default)]
    pub hl7: Option<String>,
    /// What it means, for people.
    #[serde(default)]
    pub meaning: String,
}

/// Quality control.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Qc {
    /// How it is proven that controls are marked so.
    pub proof: QcProof,
    /// Beginnings of a control's sample id.
    pub id_prefixes: Vec<String>,
    /// Beginnings of a sample id that may be a control's; the site asks a person.
    pub suspects: Vec<String>,
}

/// Something that goes nowhere, by decision.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The part, key or column.
    pub from: String,
    /// Why, for people.
    pub why: String,
}

fn ascii() -> String {
    "US-ASCII".into()
}

const fn one() -> usize {
    1
}

/// HL7 table 0396 name of a local coding system: `99` and one to ten letters or digits.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct CodingSystem(pub(crate) String);

impl TryFrom<String> for CodingSystem {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let name = text.strip_prefix("99").unwrap_or_default();
        if (1..=10).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric()) {
            Ok(Self(text))
        } else {
            Err(format!("`{text}` is no local coding system; it is 99 and one to ten letters or digits"))
        }
    }
}

/// A time such as `"15 s"` or `"500 ms"`, at most an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Wait(pub(crate) Duration);

impl TryFrom<String> for Wait {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wait = text.split_once(' ').and_then(|(number, unit)| {
            let number = number.parse::<u64>().ok().filter(|n| *n > 0 && !number.starts_with('+'))?;
            match unit {
                "ms" => Some(Duration::from_millis(number)),
                "s" => Some(Duration::from_secs(number)),
                _ => None,
            }
        });
        wait.filter(|wait| *wait <= Duration::from_secs(3600))
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no time; write \"15 s\" or \"500 ms\", at most an hour"))
    }
}

/// Schemas of the types that are strings with a rule.
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
    Wait { "type": "string", "pattern": "^[0-9]+ (ms|s)$" }
}
