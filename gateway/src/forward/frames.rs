//! Frames of the engine, put together from the pieces that a socket gives.
//!
//! Promises: memory stays below the given limit whatever comes, noise is counted and bounded, and after a failure
//! nothing more is found. Leaves out time: the delivery asks how a frame stands and knows how long that may last.

use super::events::Failure;
use orugate_protocol::mllp::{Decoder, Event, Progress, Rules};

/// So many bytes outside frames are forgiven on one connection.
const NOISE: u64 = 16 * 1024;

/// Something in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A frame's content, and whether its CR came.
    Frame(Vec<u8>, bool),
    /// So many bytes stood outside frames.
    Noise(u32),
    /// A frame of so many bytes was cut off by the next one.
    Restarted(usize),
    /// The stream cannot be followed any further.
    Failed(Failure),
}

/// Where the stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stall {
    /// Between frames.
    Between,
    /// In a frame.
    Inside,
    /// After FS, before CR.
    AfterFs,
}

/// The reader of one connection.
#[derive(Debug)]
pub(super) struct Frames {
    decoder: Decoder<Vec<u8>>,
    noise: u64,
    failed: bool,
}

impl Frames {
    /// Frames of at most `limit` bytes; `lenient` takes those without a CR.
    pub(super) fn new(limit: usize, lenient: bool) -> Self {
        let rules = Rules { lenient, ..Rules::default() };
        Self { decoder: Decoder::new(vec![0; limit], rules), noise: 0, failed: false }
    }

    /// Takes what a read gave.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        while !bytes.is_empty() && !self.failed {
            let (taken, event) = self.decoder.receive(bytes);
            bytes = bytes.get(taken..).unwrap_or_default();
            match (found.last_mut(), event.and_then(|event| judged(event, &mut self.noise))) {
                // The decoder tells a flood piece by piece; one line in the log is enough for it.
                (Some(Found::Noise(sum)), Some(Found::Noise(count))) => *sum = sum.saturating_add(count),
                (_, new) => found.extend(new),
            }
            self.failed = matches!(found.last(), Some(Found::Failed(_)));
        }
        found
    }

    pub(super) const fn stall(&self) -> Stall {
        match self.decoder.progress() {
            Progress::Outside { .. } => Stall::Between,
            Progress::Inside { .. } => Stall::Inside,
            Progress::AwaitingTrailer => Stall::AfterFs,
        }
    }

    /// Ends a frame whose CR does not come; without one nothing is found.
    pub(super) fn end_without_cr(&mut self) -> Vec<Found> {
        self.decoder.flush().and_then(|event| judged(event, &mut self.noise)).into_iter().collect()
    }
}

fn judged(event: Event<'_>, noise: &mut u64) -> Option<Found> {
    Some(match event {
        Event::Frame { payload, missing_trailer, .. } => Found::Frame(payload.to_vec(), !missing_trailer),
        Event::Noise { count, first, .. } => {
            *noise = noise.saturating_add(u64::from(count));
            if *noise > NOISE {
                Found::Failed(Failure::Noise)
            } else if count <= 2 && matches!(first, b'\r' | b'\n') {
                // Some engines end each frame with CR LF. Not worth a line in the log for each acknowledgment.
                return None;
            } else {
                Found::Noise(count)
            }
        }
        Event::Restarted { dropped, .. } => Found::Restarted(dropped),
        Event::TooLong { limit, .. } => Found::Failed(Failure::TooLong { limit }),
        Event::BadEnd { found, .. } => Found::Failed(Failure::FrameEnd(found)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(limit: usize, lenient: bool, pieces: &[&[u8]]) -> (Vec<Found>, Stall) {
        let mut frames = Frames::new(limit, lenient);
        let found = pieces.iter().flat_map(|piece| frames.push(piece)).collect();
        (found, frames.stall())
    }

    fn frame(bytes: &[u8]) -> Found {
        Found::Frame(bytes.to_vec(), true)
    }

    #[test]
    fn any_cut_gives_the_same_frames() {
        let stream = b"xx\x0bone\x1c\r\n\x0bcut\x0btwo\x1c\r\x0b\x1c\r";
        let expected = vec![Found::Noise(2), frame(b"one"), Found::Restarted(3), frame(b"two"), frame(b"")];
        for cut in 0..=stream.len() {
            let (left, right) = stream.split_at(cut);
            assert_eq!(all(9, false, &[left, right]), (expected.clone(), Stall::Between), "cut at {cut}");
        }
    }

    #[test]
    fn failures_end_it() {
        let failed = |failure| vec![Found::Failed(failure)];
        assert_eq!(all(3, false, &[b"\x0babcd\x1c\r\x0babc\x1c\r"]).0, failed(Failure::TooLong { limit: 3 }));
        assert_eq!(all(3, false, &[b"\x0babc\x1c\r"]).0, vec![frame(b"abc")]);
        assert_eq!(all(9, false, &[b"\x0ba\x1cb\x0bc\x1c\r"]).0, failed(Failure::FrameEnd(b'b')));
        assert_eq!(all(9, false, &[b"\x0ba\x1c", b"\x0bc\x1c\r"]).0, failed(Failure::FrameEnd(0x0b)));
        let noise = vec![b'.'; 70_000];
        let found = all(9, false, &[&noise, b"\x0ba\x1c\r"]).0;
        assert_eq!(found, [Found::Noise(16 * 1024), Found::Failed(Failure::Noise)]);
    }

    #[test]
    fn a_lenient_reader_takes_frames_without_cr() {
        let cut = |bytes: &[u8]| Found::Frame(bytes.to_vec(), false);
        assert_eq!(all(9, true, &[b"\x0ba\x1c", b"\x0bb\x1c"]), (vec![cut(b"a")], Stall::AfterFs));
        let mut frames = Frames::new(9, true);
        assert_eq!(frames.end_without_cr(), vec![]);
        assert_eq!(frames.push(b"\x0ba\x1c"), vec![]);
        assert_eq!(frames.end_without_cr(), vec![cut(b"a")]);
        assert_eq!(frames.push(b"\r\x0bb\x1c\r"), vec![frame(b"b")]);
    }
}
