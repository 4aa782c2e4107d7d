//! Frames of the engine, put together from the pieces that a socket gives (MLLP release 1).
//!
//! Promises: memory stays below the given limit whatever comes, noise is counted, and after a failure nothing more is
//! found. Leaves out time: the delivery asks how a frame stands and knows how long that may last.

use super::events::Failure;

const VT: u8 = 0x0B;
const FS: u8 = 0x1C;
const CR: u8 = b'\r';
const LF: u8 = b'\n';

/// So many bytes outside frames are forgiven on one connection.
const NOISE: u64 = 64 * 1024;

/// Something in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A frame's content.
    Frame(Vec<u8>),
    /// So many bytes stood before a frame.
    Noise(u64),
    /// A frame of so many bytes was cut off by the next one.
    Restarted(u64),
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
    stall: Stall,
    frame: Vec<u8>,
    limit: usize,
    /// True takes VT where CR should be: the next frame, and the end of this one.
    lenient: bool,
    noise: u64,
    noise_in_all: u64,
    failed: bool,
}

impl Frames {
    pub(super) const fn new(limit: usize, lenient: bool) -> Self {
        let frame = Vec::new();
        Self { stall: Stall::Between, frame, limit, lenient, noise: 0, noise_in_all: 0, failed: false }
    }

    /// Takes what a read gave.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        for byte in bytes {
            if self.failed {
                break;
            }
            self.byte(*byte, &mut found);
        }
        found
    }

    pub(super) const fn stall(&self) -> Stall {
        self.stall
    }

    /// Ends a frame whose CR does not come; without one nothing is found.
    pub(super) fn end_without_cr(&mut self) -> Vec<Found> {
        let mut found = Vec::new();
        if self.stall == Stall::AfterFs {
            self.end(&mut found);
        }
        found
    }

    fn byte(&mut self, byte: u8, found: &mut Vec<Found>) {
        match (self.stall, byte) {
            (Stall::Between, VT) => {
                if self.noise > 0 {
                    found.push(Found::Noise(self.noise));
                    self.noise = 0;
                }
                self.stall = Stall::Inside;
            }
            // Line ends between frames are the commonest noise and mean nothing: the CR of a frame that was taken
            // without it, or the LF of an engine that ends frames with CR LF.
            (Stall::Between, CR | LF) => self.noise_in_all += 1,
            (Stall::Between, _) => {
                self.noise += 1;
                self.noise_in_all += 1;
            }
            (Stall::Inside, VT) => {
                found.push(Found::Restarted(self.frame.len() as u64));
                self.frame.clear();
            }
            (Stall::Inside, FS) => self.stall = Stall::AfterFs,
            (Stall::Inside, _) if self.frame.len() < self.limit => self.frame.push(byte),
            (Stall::Inside, _) => self.fail(Failure::TooLong { limit: self.limit }, found),
            (Stall::AfterFs, CR) => self.end(found),
            (Stall::AfterFs, VT) if self.lenient => {
                self.end(found);
                self.stall = Stall::Inside;
            }
            (Stall::AfterFs, _) => self.fail(Failure::FrameEnd(byte), found),
        }
        if self.noise_in_all > NOISE && !self.failed {
            self.fail(Failure::Noise, found);
        }
    }

    fn end(&mut self, found: &mut Vec<Found>) {
        found.push(Found::Frame(std::mem::take(&mut self.frame)));
        self.stall = Stall::Between;
    }

    fn fail(&mut self, failure: Failure, found: &mut Vec<Found>) {
        self.failed = true;
        found.push(Found::Failed(failure));
    }
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
        Found::Frame(bytes.to_vec())
    }

    #[test]
    fn any_cut_gives_the_same_frames() {
        let stream = b"\r\nxx\x0bone\x1c\r\n\x0bcut\x0btwo\x1c\r\x0b\x1c\r";
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
        assert_eq!(all(9, false, &[b"\x0ba\x1c", b"\x0bc\x1c\r"]).0, failed(Failure::FrameEnd(VT)));
        let noise = vec![b'.'; 70_000];
        assert_eq!(all(9, false, &[&noise, b"\x0ba\x1c\r"]).0, failed(Failure::Noise));
    }

    #[test]
    fn a_lenient_reader_takes_frames_without_cr() {
        assert_eq!(all(9, true, &[b"\x0ba\x1c", b"\x0bb\x1c"]), (vec![frame(b"a")], Stall::AfterFs));
        let mut frames = Frames::new(9, true);
        assert_eq!(frames.end_without_cr(), vec![]);
        assert_eq!(frames.push(b"\x0ba\x1c"), vec![]);
        assert_eq!(frames.end_without_cr(), vec![frame(b"a")]);
        assert_eq!(frames.push(b"\r\x0bb\x1c\r"), vec![frame(b"b")]);
    }
}
