//! What a person was shown when asked, and what the person said: the payload of a record.

use serde::{Deserialize, Serialize};

/// The longest that is kept of what an instrument sent for one result, in characters.
const INPUT: usize = 2048;
/// Results of a control, a blank or a calibration that are kept.
const READS: usize = 40;

/// What was shown of one result, or of one order of quality control.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// When its message came, in UTC.
    #[serde(default)]
    pub received: String,
    /// The model that sent it, as the message says.
    #[serde(default)]
    pub model: String,
    /// Its serial number.
    #[serde(default)]
    pub serial: String,
    /// The sample id.
    #[serde(default)]
    pub sample: String,
    /// What the gateway read.
    #[serde(default)]
    pub read: Vec<Read>,
    /// Why it is no patient's, when it is none.
    #[serde(default)]
    pub qc: Option<String>,
    /// What went out.
    #[serde(default)]
    pub sent: Vec<Sent>,
    /// What the person said.
    #[serde(default)]
    pub words: String,
}

/// A result as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Read {
    /// Its place in the message.
    pub result: u32,
    pub code: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub value: String,
    #[serde(default)]
    pub unit: String,
    #[serde(default)]
    pub range: String,
    #[serde(default)]
    pub flags: String,
    #[serde(default)]
    pub status: String,
    /// The instrument's bytes, with control characters by name.
    #[serde(default)]
    pub input: String,
}

/// A result as it went to a destination, field by field as HL7 has it, unescaped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The destination.
    pub destination: String,
    /// MSH-10.
    pub msh_10: String,
    /// OBX-3.
    #[serde(default)]
    pub code: String,
    /// OBX-5.
    #[serde(default)]
    pub value: String,
    /// OBX-6.
    #[serde(default)]
    pub unit: String,
    /// OBX-7.
    #[serde(default)]
    pub range: String,
    /// OBX-8.
    #[serde(default)]
    pub flags: String,
    /// OBX-11.
    #[serde(default)]
    pub status: String,
    /// The NTE under it.
    #[serde(default)]
    pub remarks: Vec<String>,
    /// MSH, PID, ORC, OBR and SPM of its ORU, its OBX and its NTE.
    #[serde(default)]
    pub segments: Vec<String>,
    /// MSA-1, when it was acknowledged.
    #[serde(default)]
    pub acknowledged: Option<String>,
    /// When, in UTC.
    #[serde(default)]
    pub acknowledged_at: String,
}

/// What a session left open when it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// Results that nobody answered for.
    #[serde(default)]
    pub left: Vec<Left>,
    /// Results beyond those.
    #[serde(default)]
    pub more: usize,
    /// Codes of the profile's examples that no confirmed result had.
    #[serde(default)]
    pub codes: Vec<String>,
    /// Messages that were read by another profile or map.
    #[serde(default)]
    pub strange: u32,
}

/// A result that nobody answered for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Its message.
    pub message: u64,
    /// The sample id.
    pub sample: String,
    /// The test's code.
    pub code: String,
    /// What became of it, in words.
    pub became: String,
}

impl Evidence {
    /// As the payload of a record.
    #[must_use]
    pub fn encode(mut self) -> String {
        self.read.truncate(READS);
        serde_json::to_string(&self).unwrap_or_default()
    }

    /// The first that went out.
    #[must_use]
    pub fn first(&self) -> Option<&Sent> {
        let acknowledged = self.sent.iter().find(|sent| sent.acknowledged.is_some());
        acknowledged.or_else(|| self.sent.first())
    }
}

impl Closing {
    /// As the payload of a record.
    #[must_use]
    pub fn encode(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What an instrument sent, as far as it is kept.
#[must_use]
pub fn cut(text: &str) -> String {
    match text.char_indices().nth(INPUT) {
        None => text.to_owned(),
        Some((end, _)) => format!(
            "{} … cut: {} more characters are in the journal",
            text.get(..end).unwrap_or_default(),
            text.chars().count().saturating_sub(INPUT)
        ),
    }
}
