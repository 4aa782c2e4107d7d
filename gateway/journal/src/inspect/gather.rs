//! What belongs together, without reading the whole journal: records that have a term, and those that share a term with them.
//!
//! Promises that each record of *results* that is linked so is shown once, in the order of the log, in the commit that it is
//! in; that nothing is written; and that a segment without a sidecar that can be used is read whole. What is written meanwhile
//! may be shown or not. Leaves out void commits, the journal's own records, and the lane *snapshots*.

use super::{Commit, Files, Inspector};
use crate::error::{DiskError, OpenError, ReadError};
use crate::format::{COMMIT_HEADER, page_up, segment_name};
use crate::index::{Entries, Term, Terms, build, load};
use crate::record::{Lane, Seq, UnixMillis};
use crate::recover::{Damage, DamageKind, records};
use crate::scan::{Entered, Walk};
use crate::segment::Readers;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;

/// How often it begins anew because a segment was given back meanwhile. Each time takes moments, a segment takes minutes.
const TURNS: u32 = 3;

/// How a [`gather`](Inspector::gather) went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gathered {
    /// Segments that were looked at.
    pub segments: u64,
    /// Of these, those that were read whole.
    pub walked: u64,
    /// What is damaged in those that were read whole, and records that may belong to it and cannot be read.
    pub damaged: Vec<Damage>,
    /// Segments that were given back meanwhile, again and again: what was in them may be missing.
    pub gone: u64,
}

/// What is known so far.
struct Search<'a> {
    inspector: &'a Inspector<'a>,
    files: Files,
    tables: BTreeMap<u64, Entries>,
    readers: Readers,
    /// By sequence, where it was found last.
    found: BTreeMap<Seq, (u64, u32)>,
    report: Gathered,
}

impl Inspector<'_> {
    /// Shows everything that is linked to these terms: records that have one of `from`, then those that share an on-file term
    /// with what was found, and so on. At-hand terms are not followed: what a message shares with strangers leads to them.
    /// Each record is shown once, at its newest place, with [`Commit::records`] only those; [`Commit::read`] is 0.
    ///
    /// # Errors
    /// As for [`walk`](Self::walk).
    pub fn gather(
        &self,
        from: &[Term],
        terms: &Terms<'_>,
        visit: &mut dyn FnMut(&Commit<'_>),
    ) -> Result<Gathered, OpenError> {
        let mut turn = 1;
        let mut search = loop {
            let mut search = Search::begin(self)?;
            search.read_tables(terms)?;
            search.follow(from, terms)?;
            if search.report.gone == 0 || turn == TURNS {
                break search;
            }
            turn += 1;
        };
        search.show(visit)?;
        Ok(search.report)
    }
}

impl<'a> Search<'a> {
    fn begin(inspector: &'a Inspector<'a>) -> Result<Self, OpenError> {
        Ok(Self {
            inspector,
            files: Files::find(inspector.storage)?,
            tables: BTreeMap::new(),
            readers: Readers::default(),
            found: BTreeMap::new(),
            report: Gathered::default(),
        })
    }

    fn read_tables(&mut self, terms: &Terms<'_>) -> Result<(), OpenError> {
        let mut waiting = self.files.numbers(Lane::Results);
        while let Some(&segment) = waiting.front() {
            self.report.segments += 1;
            if let Some(entries) = load(self.inspector.place(), segment, terms.version) {
                self.tables.insert(segment, entries);
                waiting.pop_front();
                continue;
            }
            match build(self.inspector.place(), waiting.clone(), terms)? {
                Some(built) => {
                    self.report.walked += 1;
                    self.report.damaged.extend(built.damaged);
                    self.tables.insert(segment, built.entries);
                }
                None => self.report.gone += 1,
            }
            waiting.pop_front();
        }
        Ok(())
    }

    fn follow(&mut self, from: &[Term], terms: &Terms<'_>) -> Result<(), OpenError> {
        let mut wanted: BTreeSet<Term> = from.iter().copied().collect();
        let mut pending: Vec<Term> = wanted.iter().copied().collect();
        let mut read = BTreeSet::new();
        let mut of_record = Vec::new();
        let (storage, keys) = (self.inspector.storage, self.inspector.keys);
        while let Some(term) = pending.pop() {
            for (&segment, table) in &self.tables {
                for offset in table.places(term) {
                    if read.contains(&(segment, offset)) {
                        continue;
                    }
                    let record = match self.readers.read_at(storage, keys, segment, offset) {
                        Ok(record) => record,
                        Err(ReadError::NoKey(no_key)) => return Err(OpenError::NoKey(no_key)),
                        Err(ReadError::NoSegment(..)) => {
                            self.report.gone += 1;
                            break;
                        }
                        Err(_) => {
                            read.insert((segment, offset));
                            self.report.damaged.push(damage(segment, offset));
                            continue;
                        }
                    };
                    terms.collect(&record.as_ref(), &mut of_record);
                    if !of_record.contains(&term) {
                        continue;
                    }
                    read.insert((segment, offset));
                    let place = self.found.entry(record.sequence()).or_insert((segment, offset));
                    *place = (*place).max((segment, offset));
                    let on_file = of_record.iter().filter(|term| !term.is_at_hand());
                    pending.extend(on_file.copied().filter(|term| wanted.insert(*term)));
                }
            }
        }
        Ok(())
    }

    fn show(&mut self, visit: &mut dyn FnMut(&Commit<'_>)) -> Result<(), OpenError> {
        let mut places: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
        for (segment, offset) in self.found.values() {
            places.entry(*segment).or_default().insert(*offset);
        }
        for (segment, offsets) in places {
            self.show_segment(segment, &offsets, visit)?;
        }
        Ok(())
    }

    fn show_segment(
        &mut self,
        segment: u64,
        offsets: &BTreeSet<u32>,
        visit: &mut dyn FnMut(&Commit<'_>),
    ) -> Result<(), OpenError> {
        let place = self.inspector.place();
        let name = segment_name(Lane::Results, segment);
        let failed = |error| DiskError::new(format!("opening {name}"), error);
        let file = match place.storage.open(&name) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.report.gone += 1;
                return Ok(());
            }
            file => file.map_err(failed)?,
        };
        let len = file.size().map_err(failed)?;
        let entered = Walk::enter(file, len, place, Lane::Results, segment)?;
        let (Entered::Segment(walk), Some(known)) =
            (entered, self.files.segments.get(&(Lane::Results, segment)))
        else {
            self.report.damaged.extend(offsets.iter().map(|offset| damage(segment, *offset)));
            return Ok(());
        };
        let (mut body, mut shown_to) = (Vec::new(), 0);
        for &offset in offsets {
            if u64::from(offset) < shown_to {
                continue;
            }
            let Some(found) = walk.commit_around(offset, &mut body) else {
                self.report.damaged.push(damage(segment, offset));
                continue;
            };
            let mut records = records(&found, Lane::Results, &body);
            records.retain(|record| offsets.contains(&record.location.offset));
            let header = found.header;
            let begin = u64::from(found.body_at.saturating_sub(COMMIT_HEADER));
            let bytes = page_up(u64::from(COMMIT_HEADER) + u64::from(header.body_len));
            shown_to = begin + bytes;
            visit(&Commit {
                segment: known,
                offset: begin,
                bytes,
                body: header.body_len.into(),
                tag: found.tag as u64,
                number: header.number,
                next_sequence: header.next_sequence,
                time: (header.newest_time > 0).then_some(UnixMillis(header.newest_time)),
                void: false,
                records: &records,
                read: 0,
            });
        }
        Ok(())
    }
}

/// A record that cannot be read, or whose commit cannot be.
fn damage(segment: u64, offset: u32) -> Damage {
    let file = segment_name(Lane::Results, segment);
    Damage { file, offset: offset.into(), bytes: 0, kind: DamageKind::Commit }
}
