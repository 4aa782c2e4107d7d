//! What a trace says, as JSON has it and as the page prints it. What may be a patient's is `Option`: `None` where it is not
//! to be shown, or not known.

use crate::cli::journal::text::moment;
use serde::{Serialize, Serializer};

/// All of it.
#[derive(Debug, Serialize)]
pub(super) struct Trace {
    /// The form of what follows. It grows when a field goes or means something else, not when one is added.
    pub(super) trace: u32,
    /// Patients' data is in it.
    pub(super) private: bool,
    /// False when the journal is damaged, or was given back while it was read: something may be missing.
    pub(super) whole: bool,
    /// The oldest first.
    pub(super) messages: Vec<Told>,
}

/// One message.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    pub(super) message: u64,
    pub(super) instrument: String,
    pub(super) received: Option<Moment>,
    pub(super) clock: &'static str,
    /// What it says of its instrument's clock.
    pub(super) device_time: Option<DeviceTime>,
    pub(super) complete: Option<bool>,
    pub(super) begins: bool,
    pub(super) bytes: u64,
    pub(super) chunks: usize,
    /// Only what concerns the sample, the ORU or the hold that was asked for is in it; there is more in the message.
    pub(super) in_part: bool,
    /// What the instrument sent is not given out any more.
    pub(super) withheld: bool,
    pub(super) read_with: ReadWith,
    pub(super) results: Vec<Outcome>,
    pub(super) wire: Vec<Piece>,
    pub(super) records: Vec<Record>,
    pub(super) orus: Vec<Oru>,
    pub(super) holds: Vec<Hold>,
    pub(super) events: Vec<Event>,
    /// What the driver noted, with its place in the message's text.
    pub(super) notes: Vec<String>,
    /// What of this is not known, and why.
    pub(super) gaps: Vec<String>,
}

/// A time that the instrument wrote, by its own clock.
#[derive(Debug, Serialize)]
pub(super) struct DeviceTime {
    pub(super) at: Moment,
    /// `message`: when that was made; `result`: when the newest was there.
    pub(super) of: &'static str,
    /// Seconds from its receipt to it: more than 0 only when the instrument's clock is ahead of this box's.
    pub(super) ahead: i64,
    /// The same in a sentence.
    pub(super) words: String,
}

/// By what the bytes are explained.
#[derive(Debug, Serialize)]
pub(super) struct ReadWith {
    pub(super) software: &'static str,
    pub(super) profile: Option<String>,
    pub(super) profile_hash: Option<String>,
    /// Version and profile are those of the last outcome; `None` when there is none.
    pub(super) as_then: Option<bool>,
}

/// One result.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    /// Its place in the message, from 0.
    pub(super) observation: u32,
    pub(super) code: Option<String>,
    pub(super) name: Option<String>,
    pub(super) status: Option<&'static str>,
    pub(super) sample: Option<String>,
    pub(super) sample_in: Option<&'static str>,
    pub(super) value: Option<String>,
    pub(super) unit: Option<String>,
    pub(super) range: Option<String>,
    pub(super) flags: Option<String>,
    /// From where to where in the message's bytes, from 0; several where it goes over a frame's end.
    pub(super) bytes: Vec<[u32; 2]>,
    /// Which of the pieces on the wire these are in, from 0.
    pub(super) pieces: Vec<usize>,
    /// These bytes.
    pub(super) record: Option<String>,
    pub(super) fate: &'static str,
    /// The rule, the evidence or the hold's reason.
    pub(super) why: Option<String>,
    pub(super) hold: Option<u64>,
    /// It is read today as it was then: value, unit, flags and remarks.
    pub(super) read_as_then: Option<bool>,
    pub(super) became: Vec<Became>,
    /// The same in a sentence.
    pub(super) words: String,
    /// Where it stands, for counting.
    #[serde(skip)]
    pub(super) stands: &'static str,
}

/// A result in an ORU.
#[derive(Debug, Serialize)]
pub(super) struct Became {
    pub(super) oru: u64,
    pub(super) msh_10: String,
    pub(super) destination: String,
    /// OBX-1 of its segment; `None` when it could not be told.
    pub(super) obx: Option<u32>,
    pub(super) state: &'static str,
    /// What that destination had of it, where it had something.
    pub(super) beside: Option<Beside>,
    /// Fields that today's reading would write otherwise than they were sent.
    pub(super) differs: Vec<String>,
}

/// An earlier result, and how it stood at a destination when a later one was decided on.
#[derive(Debug, Serialize)]
pub(super) struct Beside {
    pub(super) message: u64,
    /// From 0, in that message.
    pub(super) observation: u32,
    /// `delivered`, `waiting`, `unknown` or `parked`.
    pub(super) stood: &'static str,
}

/// A piece of the wire.
#[derive(Debug, Serialize)]
pub(super) struct Piece {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) frame: Option<u8>,
    pub(super) last: Option<bool>,
    /// `ok`, `bad`, or `none` where the frame has none.
    pub(super) checksum: Option<&'static str>,
    pub(super) bytes: Option<String>,
}

/// A record that says something of what is told.
#[derive(Debug, Serialize)]
pub(super) struct Record {
    /// What the driver took it for: sender, patient, specimen, order, result, comment, query.
    pub(super) what: Vec<&'static str>,
    /// As [`Outcome::bytes`].
    pub(super) bytes: Vec<[u32; 2]>,
    pub(super) text: Option<String>,
}

/// One ORU.
#[derive(Debug, Serialize)]
pub(super) struct Oru {
    pub(super) oru: u64,
    pub(super) msh_10: String,
    pub(super) destination: String,
    pub(super) group: u16,
    pub(super) results: u32,
    pub(super) made: Moment,
    pub(super) state: &'static str,
    pub(super) detail: Option<String>,
    pub(super) never_sent: bool,
    pub(super) segments: Option<Vec<String>>,
    pub(super) answers: Vec<Answer>,
}

/// What a destination said.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    pub(super) at: Moment,
    /// MSA-1, when it was acknowledged.
    pub(super) code: Option<String>,
    /// Why it was parked.
    pub(super) parked: Option<String>,
    pub(super) segments: Option<Vec<String>>,
}

/// One hold.
#[derive(Debug, Serialize)]
pub(super) struct Hold {
    pub(super) hold: u64,
    pub(super) reason: String,
    pub(super) sentence: Option<String>,
    pub(super) since: Moment,
    pub(super) observations: Vec<u32>,
    /// Everything from this place on as well; 0 is the whole message.
    pub(super) rest_from: Option<u32>,
    /// `released`, `discarded`, `superseded`; `None` while it is open.
    pub(super) ended: Option<&'static str>,
}

/// Something that happened.
#[derive(Debug, Serialize)]
pub(super) struct Event {
    pub(super) at: Moment,
    /// A machine's word for it.
    pub(super) what: &'static str,
    pub(super) words: String,
    /// Who, when it was a person.
    pub(super) actor: Option<String>,
    /// What the person wrote.
    pub(super) reason: Option<String>,
}

/// Microseconds since 1970, written in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(pub(super) i64);

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
