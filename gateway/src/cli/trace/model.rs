//! What a trace says, as JSON has it and as the page prints it. What may be a patient's is `Option`: `None` where it is not
//! to be shown, or not known.

use crate::bedside;
use crate::cli::journal::text::moment;
use serde::{Serialize, Serializer};

/// All of it.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Trace {
    /// The form of what follows. It grows when a field goes or means something else, not when one is added.
    pub(in crate::cli) trace: u32,
    /// Patients' data is in it.
    pub(in crate::cli) private: bool,
    /// False when the journal is damaged, or was given back while it was read: something may be missing.
    pub(in crate::cli) whole: bool,
    /// The oldest first.
    pub(in crate::cli) messages: Vec<Told>,
}

/// One message.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Told {
    pub(in crate::cli) message: u64,
    pub(in crate::cli) instrument: String,
    pub(in crate::cli) received: Option<Moment>,
    pub(in crate::cli) clock: &'static str,
    /// What it says of its instrument's clock.
    pub(in crate::cli) device_time: Option<DeviceTime>,
    pub(in crate::cli) complete: Option<bool>,
    pub(in crate::cli) begins: bool,
    pub(in crate::cli) bytes: u64,
    pub(in crate::cli) chunks: usize,
    /// Only what concerns the sample, the ORU or the hold that was asked for is in it; there is more in the message.
    pub(in crate::cli) in_part: bool,
    /// What the instrument sent is not given out any more.
    pub(in crate::cli) withheld: bool,
    pub(in crate::cli) read_with: ReadWith,
    pub(in crate::cli) results: Vec<Outcome>,
    /// What a bedside device gave, which has no results.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::cli) values: Vec<bedside::Told>,
    pub(in crate::cli) wire: Vec<Piece>,
    pub(in crate::cli) records: Vec<Record>,
    pub(in crate::cli) orus: Vec<Oru>,
    pub(in crate::cli) holds: Vec<Hold>,
    pub(in crate::cli) events: Vec<Event>,
    /// What the driver noted, with its place in the message's text.
    pub(in crate::cli) notes: Vec<String>,
    /// What of this is not known, and why.
    pub(in crate::cli) gaps: Vec<String>,
}

/// A time that the instrument wrote, by its own clock.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct DeviceTime {
    pub(in crate::cli) at: Moment,
    /// `message`: when that was made; `result`: when the newest was there.
    pub(in crate::cli) of: &'static str,
    /// Seconds from its receipt to it: more than 0 only when the instrument's clock is ahead of this box's.
    pub(in crate::cli) ahead: i64,
    /// The same in a sentence.
    pub(in crate::cli) words: String,
}

/// By what the bytes are explained.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct ReadWith {
    pub(in crate::cli) software: &'static str,
    pub(in crate::cli) profile: Option<String>,
    pub(in crate::cli) profile_hash: Option<String>,
    /// Version and profile are those of the last outcome; `None` when there is none.
    pub(in crate::cli) as_then: Option<bool>,
}

/// One result.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Outcome {
    /// Its place in the message, from 0.
    pub(in crate::cli) observation: u32,
    pub(in crate::cli) code: Option<String>,
    pub(in crate::cli) name: Option<String>,
    pub(in crate::cli) status: Option<&'static str>,
    pub(in crate::cli) sample: Option<String>,
    pub(in crate::cli) sample_in: Option<&'static str>,
    pub(in crate::cli) value: Option<String>,
    pub(in crate::cli) unit: Option<String>,
    pub(in crate::cli) range: Option<String>,
    pub(in crate::cli) flags: Option<String>,
    /// From where to where in the message's bytes, from 0; several where it goes over a frame's end.
    pub(in crate::cli) bytes: Vec<[u32; 2]>,
    /// Which of the pieces on the wire these are in, from 0.
    pub(in crate::cli) pieces: Vec<usize>,
    /// These bytes.
    pub(in crate::cli) record: Option<String>,
    /// Which row of the instrument's maps is for it; `None` for none.
    pub(in crate::cli) map: Option<MapRow>,
    pub(in crate::cli) fate: &'static str,
    /// The rule, the evidence or the hold's reason.
    pub(in crate::cli) why: Option<String>,
    pub(in crate::cli) hold: Option<u64>,
    /// It is read today as it was then: value, unit, flags and remarks.
    pub(in crate::cli) read_as_then: Option<bool>,
    pub(in crate::cli) became: Vec<Became>,
    /// The same in a sentence.
    pub(in crate::cli) words: String,
    /// Where it stands, for counting.
    #[serde(skip)]
    pub(in crate::cli) stands: &'static str,
}

/// A row of a map, as the map is today.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct MapRow {
    pub(in crate::cli) map: String,
    pub(in crate::cli) file: String,
    pub(in crate::cli) line: u32,
    pub(in crate::cli) loinc: String,
    /// The unit that it expects, in words.
    pub(in crate::cli) expects: String,
    /// The result's unit is that one.
    pub(in crate::cli) unit_agrees: bool,
    /// All maps are those that were asked then; `None` when nothing was decided yet.
    pub(in crate::cli) as_then: Option<bool>,
}

/// A result in an ORU.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Became {
    pub(in crate::cli) oru: u64,
    pub(in crate::cli) msh_10: String,
    pub(in crate::cli) destination: String,
    /// OBX-1 of its segment; `None` when it could not be told.
    pub(in crate::cli) obx: Option<u32>,
    pub(in crate::cli) state: &'static str,
    /// What that destination had of it, where it had something.
    pub(in crate::cli) beside: Option<Beside>,
    /// Fields that today's reading would write otherwise than they were sent.
    pub(in crate::cli) differs: Vec<String>,
}

/// An earlier result, and how it stood at a destination when a later one was decided on.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Beside {
    pub(in crate::cli) message: u64,
    /// From 0, in that message.
    pub(in crate::cli) observation: u32,
    /// `delivered`, `waiting`, `unknown` or `parked`.
    pub(in crate::cli) stood: &'static str,
}

/// A piece of the wire.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Piece {
    pub(in crate::cli) start: u32,
    pub(in crate::cli) end: u32,
    pub(in crate::cli) frame: Option<u8>,
    pub(in crate::cli) last: Option<bool>,
    /// `ok`, `bad`, or `none` where the frame has none.
    pub(in crate::cli) checksum: Option<&'static str>,
    pub(in crate::cli) bytes: Option<String>,
}

/// A record that says something of what is told.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Record {
    /// What the driver took it for: sender, patient, specimen, order, result, comment, query.
    pub(in crate::cli) what: Vec<&'static str>,
    /// As [`Outcome::bytes`].
    pub(in crate::cli) bytes: Vec<[u32; 2]>,
    pub(in crate::cli) text: Option<String>,
}

/// One ORU.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Oru {
    pub(in crate::cli) oru: u64,
    pub(in crate::cli) msh_10: String,
    pub(in crate::cli) destination: String,
    pub(in crate::cli) group: u16,
    pub(in crate::cli) results: u32,
    pub(in crate::cli) made: Moment,
    pub(in crate::cli) state: &'static str,
    pub(in crate::cli) detail: Option<String>,
    pub(in crate::cli) never_sent: bool,
    pub(in crate::cli) segments: Option<Vec<String>>,
    pub(in crate::cli) answers: Vec<Answer>,
}

/// What a destination said.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Answer {
    pub(in crate::cli) at: Moment,
    /// MSA-1, when it was acknowledged.
    pub(in crate::cli) code: Option<String>,
    /// Why it was parked.
    pub(in crate::cli) parked: Option<String>,
    pub(in crate::cli) segments: Option<Vec<String>>,
}

/// One hold.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Hold {
    pub(in crate::cli) hold: u64,
    pub(in crate::cli) reason: String,
    pub(in crate::cli) sentence: Option<String>,
    pub(in crate::cli) since: Moment,
    pub(in crate::cli) observations: Vec<u32>,
    /// Everything from this place on as well; 0 is the whole message.
    pub(in crate::cli) rest_from: Option<u32>,
    /// `released`, `discarded`, `superseded`; `None` while it is open.
    pub(in crate::cli) ended: Option<&'static str>,
}

/// Something that happened.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Event {
    pub(in crate::cli) at: Moment,
    /// A machine's word for it.
    pub(in crate::cli) what: &'static str,
    pub(in crate::cli) words: String,
    /// Who, when it was a person.
    pub(in crate::cli) actor: Option<String>,
    /// What the person wrote.
    pub(in crate::cli) reason: Option<String>,
}

/// Microseconds since 1970, written in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) struct Moment(pub(in crate::cli) i64);

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&moment(self.0))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
