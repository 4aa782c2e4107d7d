//! What is in a journal, for whoever has to decide about it: how far it reaches, and what of it waits for whom.
//!
//! Promises counts, times, names of destinations and the gateway's four characters, and nothing of a patient.

use crate::archive::{Archive, Journal, LookError, Way};
use crate::records::{Chunk, Life, Meta, Oru};
use orugate_journal::{RecordRef, Spot, UnixMillis};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a journal stands.
#[derive(Debug, Default)]
pub struct Contents {
    /// Messages of instruments, as far as they are not given back.
    pub messages: u64,
    /// Bytes of its segments.
    pub bytes: u64,
    /// The newest trusted time in it.
    pub reaches: Option<UnixMillis>,
    /// Every number below this had been given.
    pub next: u64,
    /// Its newest commit.
    pub commit: u64,
    /// Messages that nothing ended.
    pub open: u64,
    /// Messages that wait to be interpreted.
    pub unread: u64,
    /// ORUs that wait, by destination.
    pub waiting: BTreeMap<Arc<str>, u64>,
    /// ORUs that are parked, by destination.
    pub parked: BTreeMap<Arc<str>, u64>,
    /// Open holds.
    pub holds: u64,
    /// The four characters that the newest MSH-10 in it begins with.
    pub gateway: Option<String>,
    /// The last thing in it is that the service stopped as it should.
    pub stopped: bool,
    /// What is damaged.
    pub damaged: Vec<Spot>,
}

impl Contents {
    /// Reads all of a journal.
    ///
    /// # Errors
    /// As [`Journal::walk`].
    pub fn of(journal: &Journal) -> Result<Self, LookError> {
        let mut contents = Self { bytes: journal.inspector()?.bytes(), ..Self::default() };
        let mut archive = Archive::default();
        let mut newest = 0;
        let inspected = journal.walk(&mut |commit| {
            archive.see(commit);
            contents.commit = contents.commit.max(commit.number);
            contents.next = contents.next.max(commit.next_sequence);
            contents.reaches = contents.reaches.max(commit.time);
            for record in commit.records.iter().filter(|record| !commit.void && record.own().is_none()) {
                // Marks of the last deliveries may be behind it.
                match record.kind.0 {
                    Life::KIND => {
                        let life = Life::decode(record.meta_version, record.meta);
                        contents.stopped = life.is_some_and(|life| !life.started);
                    }
                    Chunk::KIND => contents.stopped = false,
                    _ => {}
                }
                if record.kind.0 == Oru::KIND && record.sequence.0 > newest {
                    newest = record.sequence.0;
                    contents.gateway = gateway_of(record).or(contents.gateway.take());
                }
            }
        })?;
        contents.damaged = inspected.damaged;
        contents.count(&archive);
        Ok(contents)
    }

    fn count(&mut self, archive: &Archive) {
        self.messages = archive.messages.len() as u64;
        for message in archive.messages.values() {
            let waits = !message.is_interpreted() && message.orus.is_empty() && message.holds.is_empty();
            self.open += u64::from(waits && message.complete.is_none());
            self.unread += u64::from(waits && message.complete.is_some());
        }
        for oru in archive.orus.values() {
            let queue = match oru.standing {
                Way::Waiting => &mut self.waiting,
                Way::Parked(_) => &mut self.parked,
                _ => continue,
            };
            *queue.entry(oru.destination.clone()).or_default() += 1;
        }
        self.holds = archive.holds.values().filter(|hold| hold.settled.is_none()).count() as u64;
    }
}

/// The gateway's characters in an ORU's MSH-10, which ends with the record's own number.
fn gateway_of(record: &RecordRef<'_>) -> Option<String> {
    let segment = record.payload.split(|byte| *byte == b'\r').next()?;
    let separator = *segment.get(3)?;
    let id = segment.split(|byte| *byte == separator).nth(9)?;
    let (gateway, number) = id.split_at_checked(4)?;
    let number: u64 = std::str::from_utf8(number).ok()?.parse().ok()?;
    (number == record.sequence.0).then(|| std::str::from_utf8(gateway).ok().map(str::to_owned))?
}
