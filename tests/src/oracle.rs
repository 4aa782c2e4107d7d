//! An invented message in three framings, and what must come of a part of it, told without Orugate's parsers.
//!
//! Promises that what is expected follows from the message's text alone: a result whose record and CR are there is
//! sent, one that broke in between is held, and nothing else counts. Leaves out everything that other tests look at:
//! comments, times, units.

use crate::oru::Seen;
use orugate_protocol::ascii::{ENQ, EOT};
use orugate_protocol::astm::link::{FrameEnd, encode_frame, next_number};

/// How records are put into frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One record in each frame, which ends with ETX.
    Records,
    /// All records in one frame.
    Whole,
    /// Frames of 37 bytes, cut with ETB in the middle of records.
    Split,
}

impl Layout {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Records, Self::Whole, Self::Split];
}

/// A message of two invented specimens.
pub struct Invented {
    /// The specimens are called this and A or B.
    pub sample: String,
    /// What each frame carries.
    pub texts: Vec<String>,
    /// The frames.
    pub frames: Vec<Vec<u8>>,
}

/// What comes of a message or a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Came {
    /// It ended as it should.
    pub complete: bool,
    /// Results that are sent.
    pub sent: Vec<Seen>,
    /// Results that are held.
    pub held: usize,
}

/// The codes have letters that one flipped bit makes to control characters: B to STX, C to ETX, D to EOT, E to ENQ.
const RESULTS: [(&str, &str, &str); 3] = [("A", "BDE", "5.4"), ("A", "CF", "141"), ("B", "GLU", "0.05")];

impl Invented {
    /// A message whose specimens' names begin with `sample`.
    ///
    /// # Panics
    /// When it cannot be framed.
    #[must_use]
    #[allow(clippy::unwrap_used)] // Its own text.
    pub fn new(sample: &str, layout: Layout) -> Self {
        let record = |code: &str, value: &str, n: u8| {
            format!("R|{n}|^^^{code}|{value}|mmol/L||N||F||||20261122092913\r")
        };
        let order = |n: u8, which: &str| format!("O|{n}|{sample}{which}||^^^ALL|R||||||N||||||||||||||F\r");
        let [bde, cf, glu] = RESULTS.map(|(_, code, value)| (code, value));
        let records = vec![
            "H|\\^&|||RIG^1|||||||P|1|20261122093000\r".to_owned(),
            "P|1\r".to_owned(),
            order(1, "A"),
            record(bde.0, bde.1, 1),
            "C|1|I|Remark of the first|G\r".to_owned(),
            record(cf.0, cf.1, 2),
            order(2, "B"),
            record(glu.0, glu.1, 1),
            "L|1|N\r".to_owned(),
        ];
        let all = records.concat();
        let texts = match layout {
            Layout::Records => records,
            Layout::Whole => vec![all],
            Layout::Split => {
                all.as_bytes().chunks(37).map(|c| String::from_utf8_lossy(c).into_owned()).collect()
            }
        };
        let mut number = 1;
        let mut frames = Vec::new();
        for (text, left) in texts.iter().zip((0..texts.len()).rev()) {
            let end = if layout == Layout::Split && left > 0 { FrameEnd::Etb } else { FrameEnd::Etx };
            let mut frame = vec![0; text.len() + 7];
            encode_frame(number, text.as_bytes(), end, &mut frame).unwrap();
            frames.push(frame);
            number = next_number(number);
        }
        Self { sample: sample.to_owned(), texts, frames }
    }

    /// The bytes of the session, from ENQ to EOT.
    #[must_use]
    pub fn wire(&self) -> Vec<u8> {
        let frames = self.frames.concat();
        [&[ENQ], frames.as_slice(), &[EOT]].concat()
    }

    /// What must come of the first frames alone; of all of them, the whole message.
    #[must_use]
    pub fn of(&self, frames: usize) -> Came {
        let text = self.texts.get(..frames).unwrap_or_default().concat();
        let complete = frames == self.texts.len();
        let (mut sent, mut held) = (Vec::new(), 0);
        let mut results = RESULTS.into_iter();
        for record in text.split_inclusive('\r').filter(|record| record.starts_with('R')) {
            let Some((which, code, value)) = results.next() else { break };
            if record.ends_with('\r') {
                sent.push(Seen::new(&format!("{}{which}", self.sample), code, value));
            } else {
                held += 1;
            }
        }
        Came { complete, sent, held }
    }

    /// What must come when the instrument has to send all of it again after so many acknowledged frames.
    #[must_use]
    pub fn again_after(&self, frames: usize) -> Vec<Came> {
        let before = (frames > 0).then(|| self.of(frames));
        before.into_iter().chain([self.of(self.frames.len())]).collect()
    }

    /// How many frames are whole in the first bytes of the session.
    #[must_use]
    pub fn whole_within(&self, bytes: usize) -> usize {
        let mut end = 1;
        let ends = self.frames.iter().map(|frame| {
            end += frame.len();
            end
        });
        ends.filter(|end| *end <= bytes).count()
    }
}
