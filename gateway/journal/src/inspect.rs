//! A journal as somebody sees it who only looks: a tool beside the running service, or one over a copy.
//!
//! Promises that no lock is taken and nothing is written; that every whole commit of both lanes is shown in the order of
//! writing, void ones and the journal's own records included; and that damage is told with its place and with the commits
//! beside it. What was given back or written while it was looked at is no damage. Leaves out what records mean.

use crate::catalog::{ASIDE, Freed, is_free_name};
use crate::checkpoint::{Collector, Part};
use crate::error::{DiskError, OpenError};
use crate::expected::{Expected, is_end_in_doubt, is_given_back_before};
use crate::format::{COMMIT_HEADER, page_up, parse_segment_name};
use crate::identity::{self, Identity};
use crate::record::{Lane, RecordRef, UnixMillis};
use crate::recover::{Damage, DamageKind, Recovery, look_for_key, records};
use crate::scan::{Found, LaneScan, Mark, Place};
use crate::seal::{KeyId, KeyRing};
use crate::segment::read_headers;
use crate::storage::Storage;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

mod gather;
pub use gather::Gathered;

/// A journal that is only looked at.
pub struct Inspector<'a> {
    storage: &'a dyn Storage,
    keys: Option<&'a KeyRing>,
    identity: Identity,
    ceiling: u64,
    beyond: Option<u64>,
    damaged: Vec<Damage>,
    files: Files,
}

/// A segment's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFile {
    /// Its name.
    pub name: String,
    /// The lane.
    pub lane: Lane,
    /// Its number.
    pub number: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// The key that its records are sealed with.
    pub key: Option<KeyId>,
    /// The file held another segment before.
    pub reused: bool,
}

/// One commit.
#[derive(Debug, Clone, Copy)]
pub struct Commit<'a> {
    /// Its segment.
    pub segment: &'a SegmentFile,
    /// Where it is in the file.
    pub offset: u64,
    /// What it takes there, header and filling to the page included.
    pub bytes: u64,
    /// Bytes of its records, of their headers and of what sealing adds.
    pub body: u64,
    /// What sealing adds to each record.
    pub tag: u64,
    /// Its number, which orders commits over both lanes.
    pub number: u64,
    /// Every sequence below this had been given.
    pub next_sequence: u64,
    /// The newest trusted time that was given so far.
    pub time: Option<UnixMillis>,
    /// It does not count: both its attempts failed, and its callers were told so.
    pub void: bool,
    /// All its records, the journal's own included.
    pub records: &'a [RecordRef<'a>],
    /// Bytes of the journal's files up to its end, about; of [`Inspector::bytes`].
    pub read: u64,
}

/// What one of the journal's own records says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// A segment is given back.
    GivenBack {
        /// The lane.
        lane: Lane,
        /// Its number.
        segment: u64,
    },
    /// A part of a checkpoint.
    Checkpoint {
        /// Which, from 0.
        part: u32,
        /// Of how many.
        parts: u32,
    },
    /// A kind or version of the journal's that this program does not know.
    Unknown,
}

/// The lane at the commit before or behind a damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Around {
    /// The commit's number.
    pub commit: u64,
    /// Every sequence below this had been given when it was written.
    pub next_sequence: u64,
    /// The newest trusted time that had been given by then.
    pub time: Option<UnixMillis>,
}

/// Damage, and what is beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// What is damaged.
    pub damage: Damage,
    /// The lane; `None` for `journal.id`.
    pub lane: Option<Lane>,
    /// The lane's last commit before it; `None` when there is none.
    pub before: Option<Around>,
    /// The lane's first commit behind it.
    pub after: Option<Around>,
}

/// What was found over all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspected {
    /// What is damaged.
    pub damaged: Vec<Spot>,
    /// Bytes of commits that a crash cut off, or that are just being written.
    pub torn_bytes: u64,
    /// Segments that were given back while it was looked at them.
    pub gone: u64,
}

#[derive(Default)]
struct Files {
    segments: BTreeMap<(Lane, u64), SegmentFile>,
    /// Files that wait to be segments again, and their bytes.
    waiting: (u64, u64),
    aside: Vec<(String, u64)>,
}

impl RecordRef<'_> {
    /// What the record says, if it is one of the journal's own.
    #[must_use]
    pub fn own(&self) -> Option<Own> {
        if self.kind.0 < crate::format::FIRST_OWN_KIND {
            return None;
        }
        if let Some(freed) = Freed::decode(self)
            && let Some(lane) = freed.lane()
        {
            return Some(Own::GivenBack { lane, segment: freed.segment });
        }
        Some(
            Part::decode(self)
                .map_or(Own::Unknown, |part| Own::Checkpoint { part: part.part, parts: part.parts }),
        )
    }
}

impl<'a> Inspector<'a> {
    /// Looks at the directory. Nothing of the log is read yet.
    ///
    /// # Errors
    /// There is no journal; its identity cannot be read; a newer version wrote it; the disk.
    pub fn new(storage: &'a dyn Storage, keys: Option<&'a KeyRing>) -> Result<Self, OpenError> {
        let loaded = identity::load(storage)?;
        let files = Files::find(storage)?;
        let (ceiling, beyond, damaged) = (loaded.ceiling, loaded.beyond(), loaded.damage().collect());
        Ok(Self { storage, keys, damaged, files, ceiling, beyond, identity: loaded.identity })
    }

    fn place(&self) -> Place<'_> {
        let Self { storage, keys, beyond, .. } = *self;
        Place { storage, journal: *self.identity.journal(), keys, beyond }
    }

    /// What the journal was born with.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The segments that there are, those of each lane oldest first.
    pub fn segments(&self) -> impl Iterator<Item = &SegmentFile> {
        self.files.segments.values()
    }

    /// How many files wait to be segments again, and their bytes.
    #[must_use]
    pub const fn waiting(&self) -> (u64, u64) {
        self.files.waiting
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments().map(|segment| segment.bytes).sum()
    }

    /// Shows every whole commit, in the order of writing. Memory does not grow with the journal.
    ///
    /// # Errors
    /// A segment's key was not given; a newer version wrote a segment; the disk. Damage is no error.
    pub fn walk(&self, visit: &mut dyn FnMut(&Commit<'_>)) -> Result<Inspected, OpenError> {
        for (lane, number) in self.files.segments.keys() {
            look_for_key(self.place(), *lane, *number)?;
        }
        let scan = |lane| LaneScan::new(self.place(), lane, self.files.numbers(lane)).watching();
        let mut lanes = [LaneWalk::new(scan(Lane::Results)), LaneWalk::new(scan(Lane::Snapshots))];
        let mut told = Told::default();
        let mut passed = 0;
        let begins = self.segments().map(|segment| {
            passed += segment.bytes;
            ((segment.lane, segment.number), passed - segment.bytes)
        });
        let begins: BTreeMap<_, u64> = begins.collect();
        for lane in &mut lanes {
            lane.advance()?;
        }
        let mut read = 0;
        loop {
            let [results, snapshots] = &mut lanes;
            let (of, lane) = if results.number() < snapshots.number() {
                (Lane::Results, results)
            } else {
                (Lane::Snapshots, snapshots)
            };
            let Some((found, void)) = lane.found else { break };
            let Some(segment) = self.files.segments.get(&(of, found.segment)) else { break };
            // A file may have been used again since the directory was listed.
            let segment = &SegmentFile { reused: found.reused, ..segment.clone() };
            let records = records(&found, of, &lane.scan.body);
            let offset = u64::from(found.body_at.saturating_sub(COMMIT_HEADER));
            let header = found.header;
            let bytes = page_up(u64::from(COMMIT_HEADER) + u64::from(header.body_len));
            // The lanes take turns, so that one's place says little of the other's.
            read = read.max(begins.get(&(of, found.segment)).copied().unwrap_or(0) + offset + bytes);
            let time = (header.newest_time > 0).then_some(UnixMillis(header.newest_time));
            told.reached = told.reached.max(header.number.saturating_add(1)).max(header.next_sequence);
            if !void {
                told.look(&records, header.number);
            }
            visit(&Commit {
                segment,
                offset,
                bytes,
                body: header.body_len.into(),
                tag: found.tag as u64,
                number: header.number,
                next_sequence: header.next_sequence,
                time,
                void,
                records: &records,
                read,
            });
            lane.advance()?;
        }
        self.sum_up(lanes, &told)
    }

    fn sum_up(&self, mut lanes: [LaneWalk<'_>; 2], told: &Told) -> Result<Inspected, OpenError> {
        let plain = |damage: &Damage| Spot { damage: damage.clone(), lane: None, before: None, after: None };
        let mut inspected =
            Inspected { damaged: self.damaged.iter().map(plain).collect(), ..Inspected::default() };
        let now = Files::find(self.storage)?;
        let in_use = !now.segments.keys().eq(self.files.segments.keys())
            || lanes.iter().any(|lane| lane.scan.watch.as_ref().is_some_and(|watch| !watch.gone.is_empty()));
        let expected = told.checkpoints.newest.as_ref().map(|found| Expected {
            place: self.place(),
            head: &found.head,
            freed: &told.freed,
            end_in_doubt: is_end_in_doubt(self.ceiling, told.reached),
        });
        for (lane, walked) in Lane::ALL.into_iter().zip(&mut lanes) {
            let mut watch = walked.scan.watch.take().unwrap_or_default();
            inspected.torn_bytes += walked.recovery.torn_bytes;
            inspected.gone += watch.gone.len() as u64;
            let spot = |damage: Damage| Spot { lane: Some(lane), ..plain(&damage) };
            if expected.is_none()
                && let Some(front) = walked.scan.front.take()
                && !is_given_back_before(&told.freed, lane, front.segment)
            {
                inspected.damaged.extend(front.damaged.into_iter().map(spot));
            }
            let mut around = std::mem::take(&mut watch.around).into_iter();
            for damage in &walked.recovery.damaged {
                let [before, after] =
                    around.next().unwrap_or([walked.last, None]).map(|mark| mark.map(Into::into));
                inspected.damaged.push(Spot { damage: damage.clone(), lane: Some(lane), before, after });
            }
            let Some(expected) = &expected else { continue };
            let oldest = now.numbers(lane).front().copied();
            let there = |number: u64| {
                let listed = |files: &Files| files.segments.contains_key(&(lane, number));
                // The oldest go first. The record that says so may be in a segment that went as well.
                listed(&self.files) || listed(&now) || in_use && oldest.is_none_or(|oldest| number < oldest)
            };
            for damage in expected.lost(lane, there, oldest, &walked.recovery.damaged) {
                // What the first commit behind it says is missing is this one, told better.
                let number = parse_segment_name(&damage.file).map_or(0, |(_, number)| number);
                let behind = self.files.segments.range((lane, number.saturating_add(1))..).next();
                let behind = behind.map(|(_, file)| file.name.as_str());
                let same = inspected.damaged.iter_mut().find(|spot| {
                    spot.damage.kind == DamageKind::MissingBefore && Some(spot.damage.file.as_str()) == behind
                });
                match same {
                    Some(spot) => spot.damage = damage,
                    None => inspected.damaged.push(spot(damage)),
                }
            }
            if let Some(damage) = expected.end(lane, &walked.scan) {
                let before = walked.last.map(Into::into);
                inspected.damaged.push(Spot { before, ..spot(damage) });
            }
        }
        for (name, bytes) in &self.files.aside {
            let kind = DamageKind::SetAside;
            inspected.damaged.push(plain(&Damage { file: name.clone(), offset: 0, bytes: *bytes, kind }));
        }
        Ok(inspected)
    }
}

/// One lane on its way.
struct LaneWalk<'a> {
    scan: LaneScan<'a>,
    recovery: Recovery,
    found: Option<(Found, bool)>,
    /// The last commit that was shown.
    last: Option<Mark>,
}

impl<'a> LaneWalk<'a> {
    fn new(scan: LaneScan<'a>) -> Self {
        Self { scan, recovery: Recovery::default(), found: None, last: None }
    }

    fn advance(&mut self) -> Result<(), OpenError> {
        if let Some((found, _)) = &self.found {
            self.last = Some(Mark::of(&found.header));
        }
        self.found = self.scan.next_or_void(&mut self.recovery)?;
        Ok(())
    }

    fn number(&self) -> u64 {
        self.found.map_or(u64::MAX, |(found, _)| found.header.number)
    }
}

/// What the log says of its own segments.
#[derive(Default)]
struct Told {
    freed: BTreeSet<Freed>,
    checkpoints: Collector,
    /// Above every number that a commit speaks of.
    reached: u64,
}

impl Told {
    fn look(&mut self, records: &[RecordRef<'_>], commit: u64) {
        for record in records {
            self.freed.extend(Freed::decode(record));
            self.checkpoints.look(record, commit, (0, 0));
        }
    }
}

impl Files {
    fn find(storage: &dyn Storage) -> Result<Self, OpenError> {
        let listing = |error| OpenError::Disk(DiskError::new("listing the journal's directory", error));
        let mut files = Self::default();
        for name in storage.list().map_err(listing)? {
            // It may go between the list and this; then it is not there.
            let size = || storage.open(&name).and_then(|file| Ok((file.size()?, file)));
            if let Some((lane, number)) = parse_segment_name(&name) {
                let Ok((bytes, file)) = size() else {
                    let unread = SegmentFile { name, lane, number, bytes: 0, key: None, reused: false };
                    files.segments.insert((lane, number), unread);
                    continue;
                };
                let header = read_headers(&*file).into_iter().flatten().next();
                let (key, reused) = header.map_or((None, false), |header| (header.key, header.reused));
                files.segments.insert((lane, number), SegmentFile { name, lane, number, bytes, key, reused });
            } else if is_free_name(&name) {
                let (count, bytes) = files.waiting;
                files.waiting = (count + 1, bytes + size().map_or(0, |(bytes, _)| bytes));
            } else if name.strip_suffix(ASIDE).is_some_and(|name| parse_segment_name(name).is_some()) {
                let bytes = size().map_or(0, |(bytes, _)| bytes);
                files.aside.push((name, bytes));
            }
        }
        Ok(files)
    }

    fn numbers(&self, lane: Lane) -> VecDeque<u64> {
        self.segments.keys().filter(|(of, _)| *of == lane).map(|(_, number)| *number).collect()
    }
}

impl From<Mark> for Around {
    fn from(mark: Mark) -> Self {
        let time = (mark.time > 0).then_some(UnixMillis(mark.time));
        Self { commit: mark.commit, next_sequence: mark.next_sequence, time }
    }
}
