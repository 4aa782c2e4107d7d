//! A capture on its way out, without persons.
//!
//! Promises that what one side sent on one connection is given to the driver as one piece, however many reads it came in, so
//! that nothing is missed at a border, and that memory is bounded. Leaves out which bytes say who it is: the driver knows.

use super::entry::{Entry, What};
use orugate_driver::{Profile, StandIns, scrub_by_rule};
use orugate_protocol::ascii::EOT;
use std::io;

/// From here on a stretch ends with the next end of a transmission.
const ENOUGH: usize = 256 << 10;
/// And from here on wherever it is.
const MOST: usize = 8 << 20;

/// Scrubs entries in their order.
pub struct Scrubber<'a> {
    profile: Option<&'a dyn Profile>,
    stand_ins: StandIns,
    waiting: Vec<Entry>,
    bytes: usize,
    /// Letters and digits that were replaced by rule.
    by_rule: usize,
}

impl<'a> Scrubber<'a> {
    /// By the profile of the instrument; without one all is replaced by rule.
    #[must_use]
    pub fn new(profile: Option<&'a dyn Profile>) -> Self {
        Self { profile, stand_ins: StandIns::new(), waiting: Vec::new(), bytes: 0, by_rule: 0 }
    }

    /// Takes the next entry, and gives those out that are done.
    ///
    /// # Errors
    /// What `out` says.
    pub fn take(&mut self, entry: Entry, out: &mut dyn FnMut(&Entry) -> io::Result<()>) -> io::Result<()> {
        // What is behind a gap does not go on with what is before it.
        let breaks = match entry.what {
            What::Closed | What::Opened | What::Fell | What::Lost | What::Port => true,
            What::In => self.bytes > ENOUGH && entry.bytes.ends_with(&[EOT]),
            What::Out | What::Unopened | What::Note => false,
        };
        self.bytes = self.bytes.saturating_add(entry.bytes.len());
        self.waiting.push(entry);
        if breaks || self.bytes > MOST { self.flush(out) } else { Ok(()) }
    }

    /// Gives out the rest, and how many letters and digits were replaced by rule.
    ///
    /// # Errors
    /// What `out` says.
    pub fn end(mut self, out: &mut dyn FnMut(&Entry) -> io::Result<()>) -> io::Result<usize> {
        self.flush(out)?;
        Ok(self.by_rule)
    }

    fn flush(&mut self, out: &mut dyn FnMut(&Entry) -> io::Result<()>) -> io::Result<()> {
        for side in [What::In, What::Out] {
            let of_side = |entry: &&mut Entry| entry.what == side;
            let mut line: Vec<u8> = self
                .waiting
                .iter_mut()
                .filter(of_side)
                .flat_map(|entry| entry.bytes.iter().copied())
                .collect();
            self.by_rule = self.by_rule.saturating_add(match self.profile {
                Some(profile) => profile.scrub(&mut line, &mut self.stand_ins),
                None => scrub_by_rule(&mut line),
            });
            let mut rest = line.as_slice();
            for entry in self.waiting.iter_mut().filter(of_side) {
                let (bytes, after) = rest.split_at_checked(entry.bytes.len()).unwrap_or((&[], &[]));
                entry.bytes.copy_from_slice(bytes);
                rest = after;
            }
        }
        self.bytes = 0;
        std::mem::take(&mut self.waiting).iter().try_for_each(out)
    }
}
