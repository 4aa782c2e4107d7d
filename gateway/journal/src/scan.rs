//! Walking through the segments of one lane, commit by commit. It tells three things apart: the end of what was
//! written, a tail that a crash tore (nothing valid follows it in its segment), and damage (something valid does,
//! or the chain of commits says that something is missing). It never repairs: what was written stays as it is,
//! but for zeros at the end of a segment and segments with nothing in them, which only take space.

use crate::bytes::all_zero;
use crate::error::{DiskError, OpenError};
use crate::format::{
    COMMIT_HEADER, CommitHeader, FORMAT, PAGE, PAGE_LEN, SEGMENT_START, Seed, page_up, segment_name,
};
use crate::record::Lane;
use crate::recover::{Damage, DamageKind, Recovery};
use crate::seal::{KeyRing, SegmentKey, TAG, key_of};
use crate::segment::read_headers;
use crate::storage::{Storage, StorageFile, read_exact};
use std::collections::VecDeque;
use std::io::ErrorKind;

mod watch;
pub(crate) use watch::{Mark, Watch};

/// A whole commit; its records are in [`LaneScan::body`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) header: CommitHeader,
    pub(crate) segment: u64,
    /// Where the records start in the file.
    pub(crate) body_at: u32,
    /// Bytes of the tag behind each record, which is open.
    pub(crate) tag: usize,
    /// The file held another segment before.
    pub(crate) reused: bool,
}

pub(crate) struct LaneScan<'a> {
    storage: &'a dyn Storage,
    journal: [u8; 16],
    keys: Option<&'a KeyRing>,
    lane: Lane,
    waiting: VecDeque<u64>,
    walk: Option<Walk>,
    pub(crate) body: Vec<u8>,
    /// A whole commit that waits for what the next one says of it.
    unconfirmed: Option<(Found, Vec<u8>)>,
    spare: Vec<u8>,
    /// The last commit that was found.
    pub(crate) last: u64,
    /// Commits up to here are known already.
    resumed: u64,
    /// The lane's first commit says that there were others. Whether they were given back, the records tell that follow.
    pub(crate) front_missing: Option<Damage>,
    /// Damage was reported since then, so a gap in the chain is explained.
    explained: bool,
    /// Somebody only looks, perhaps while the journal is in use: nothing is changed, and nothing is damage that is not so a
    /// second time.
    pub(crate) watch: Option<Watch>,
}

/// A segment being walked through.
pub(crate) struct Walk {
    name: String,
    segment: u64,
    seed: Seed,
    /// The file held another segment before: what is left of that is no trace of this one.
    reused: bool,
    key: Option<SegmentKey>,
    file: Box<dyn StorageFile>,
    len: u64,
    /// Where the next commit may start.
    pub(crate) offset: u64,
    gap: Option<Gap>,
    went_back: u64,
    /// Offset of a damaged copy of the header.
    header_damage: Option<u64>,
    commits: u64,
}

/// Pages without a valid commit.
struct Gap {
    start: u64,
    /// End of the last page that is not all zeros; `start` when there is none.
    used_until: u64,
    unreadable: bool,
}

/// What a segment file turned out to be.
pub(crate) enum Entered {
    Segment(Box<Walk>),
    /// A crash while it was made left it, with nothing behind the headers.
    Unborn,
    Unusable(DamageKind),
}

/// What one page turned out to be.
enum Page {
    Commit(CommitHeader, u64),
    /// A whole commit that the segment's key does not open; it goes on after it.
    Sealed(u64),
    /// A header whose body is wrong; it goes on after that body.
    Torn(u64),
    /// Never written in this segment.
    Unused,
    Other,
    Unreadable,
}

impl<'a> LaneScan<'a> {
    /// `segments` in ascending order.
    pub(crate) fn new(
        storage: &'a dyn Storage,
        journal: [u8; 16],
        keys: Option<&'a KeyRing>,
        lane: Lane,
        segments: VecDeque<u64>,
    ) -> Self {
        Self {
            storage,
            journal,
            keys,
            lane,
            waiting: segments,
            walk: None,
            body: Vec::new(),
            unconfirmed: None,
            spare: Vec::new(),
            last: 0,
            resumed: 0,
            front_missing: None,
            explained: false,
            watch: None,
        }
    }

    /// The next commit of the lane that counts; its records are in [`body`](Self::body).
    ///
    /// A commit whose two attempts both failed may be on the disk all the same. Its callers were told so and went on, so it
    /// must not count: the next commit of the lane names an older one as the last that was known to be synced.
    pub(crate) fn next(&mut self, recovery: &mut Recovery) -> Result<Option<Found>, OpenError> {
        while let Some((found, void)) = self.next_or_void(recovery)? {
            if !void {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The next commit, and whether it must not count.
    pub(crate) fn next_or_void(
        &mut self,
        recovery: &mut Recovery,
    ) -> Result<Option<(Found, bool)>, OpenError> {
        loop {
            let mut body = std::mem::take(&mut self.spare);
            let found = self.next_whole(&mut body, recovery)?;
            let Some((before, earlier)) = self.unconfirmed.take() else {
                let Some(found) = found else { return Ok(None) };
                self.unconfirmed = Some((found, body));
                continue;
            };
            if found.is_some_and(|found| found.header.number == before.header.number) {
                // The sync of the first attempt failed: it may be in the page cache only, and gone tomorrow.
                self.unconfirmed = found.map(|found| (found, body));
                self.spare = earlier;
                continue;
            }
            let void = found.is_some_and(|found| found.header.previous < before.header.number);
            self.unconfirmed = found.map(|found| (found, body));
            recovery.void_commits += u64::from(void);
            self.spare = std::mem::replace(&mut self.body, earlier);
            return Ok(Some((before, void)));
        }
    }

    fn next_whole(
        &mut self,
        body: &mut Vec<u8>,
        recovery: &mut Recovery,
    ) -> Result<Option<Found>, OpenError> {
        loop {
            let Some(mut walk) = self.walk.take() else {
                let Some(segment) = self.waiting.pop_front() else { return Ok(None) };
                self.walk = self.enter(segment, recovery)?;
                continue;
            };
            let reported = recovery.damaged.len();
            let found = walk.next(body, recovery);
            self.explained |= recovery.damaged.len() > reported;
            let Some(found) = found else {
                self.leave(&walk, recovery);
                self.confirm(&walk, recovery)?;
                continue;
            };
            self.walk = Some(walk);
            let accepted = self.accept(&found, recovery);
            self.note(&found, accepted, recovery);
            if accepted {
                return Ok(Some(found));
            }
        }
    }

    /// Goes on at this place: everything before it in the segment, and the segments before it, are known already.
    /// `last` is the lane's last commit up to there.
    pub(crate) fn resume(
        &mut self,
        at: Option<(u64, u64)>,
        last: u64,
        recovery: &mut Recovery,
    ) -> Result<(), OpenError> {
        self.last = last;
        self.resumed = last;
        let Some((segment, offset)) = at else { return Ok(()) };
        while self.waiting.front().is_some_and(|&first| first < segment) {
            self.waiting.pop_front();
        }
        if self.waiting.front() == Some(&segment) {
            self.waiting.pop_front();
            self.walk = self.enter(segment, recovery)?;
            if let Some(walk) = &mut self.walk {
                walk.offset = walk.offset.max(offset);
                // There are commits before that place.
                walk.commits = 1;
            }
        }
        Ok(())
    }

    fn enter(&mut self, segment: u64, recovery: &mut Recovery) -> Result<Option<Walk>, OpenError> {
        let name = segment_name(self.lane, segment);
        let failed = |error| DiskError::new(format!("opening {name}"), error);
        let opened = self.storage.open(&name);
        if self.watch.is_some() && opened.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            self.went(segment);
            return Ok(None);
        }
        let file = opened.map_err(failed)?;
        if self.waiting.is_empty() && self.watch.is_none() {
            // A killed process may have left its last commit in the page cache only. What is shown from here on
            // is acted on, so it must be durable first.
            file.sync_data().map_err(failed)?;
        }
        let len = file.size().map_err(failed)?;
        match Walk::enter(file, len, self.journal, self.keys, self.lane, segment)? {
            Entered::Segment(walk) => {
                self.begin(recovery);
                Ok(Some(*walk))
            }
            Entered::Unborn => {
                self.remove_unused(&name);
                Ok(None)
            }
            Entered::Unusable(kind) => {
                recovery.damaged.push(Damage { file: name, offset: 0, bytes: len, kind });
                self.explained = true;
                Ok(None)
            }
        }
    }

    fn remove_unused(&self, name: &str) {
        if self.watch.is_none() {
            let _ = self.storage.remove(name);
        }
    }

    /// The end of a segment: its tail, its headers, its space.
    fn leave(&mut self, walk: &Walk, recovery: &mut Recovery) {
        let reported = recovery.damaged.len();
        if walk.end(recovery) {
            self.remove_unused(&walk.name);
        }
        let bytes = |damage: &Damage| damage.kind == DamageKind::Unreadable;
        self.explained |= recovery.damaged.iter().skip(reported).any(bytes);
    }

    /// Whether the commit is to be seen: it is new, or the second attempt of the one before.
    fn accept(&mut self, found: &Found, recovery: &mut Recovery) -> bool {
        let header = found.header;
        let at = u64::from(found.body_at.saturating_sub(COMMIT_HEADER));
        let bytes = u64::from(header.body_len) + u64::from(COMMIT_HEADER);
        let damage = |kind| Damage { file: segment_name(self.lane, found.segment), offset: at, bytes, kind };
        if header.number <= self.resumed {
            return false;
        }
        if header.number <= self.last {
            // The first attempt's sync failed, yet it reached the disk: the same records, and only these are synced.
            let again = header.retry && header.number == self.last;
            if !again {
                recovery.damaged.push(damage(DamageKind::OutOfOrder));
            }
            return again;
        }
        if header.previous > self.last && !self.explained {
            let missing = damage(DamageKind::MissingBefore);
            if self.last == 0 {
                self.front_missing = Some(missing);
            } else {
                recovery.damaged.push(missing);
            }
        }
        self.last = header.number;
        self.explained = false;
        true
    }
}

impl Walk {
    /// Opens a segment and looks at its headers. A newer version's segment is an error.
    pub(crate) fn enter(
        file: Box<dyn StorageFile>,
        len: u64,
        journal: [u8; 16],
        keys: Option<&KeyRing>,
        lane: Lane,
        segment: u64,
    ) -> Result<Entered, OpenError> {
        let name = segment_name(lane, segment);
        let copies = read_headers(&*file);
        let header_damage = copies.iter().position(Option::is_none).map(|copy| copy as u64 * u64::from(PAGE));
        if let Some(newer) = copies.iter().flatten().find(|header| header.oldest_reader > FORMAT) {
            return Err(OpenError::TooNew { file: name, needs: newer.oldest_reader });
        }
        Ok(match copies.into_iter().flatten().next() {
            Some(header) if header.lane == lane && header.segment == segment && header.journal == journal => {
                Entered::Segment(Box::new(Self {
                    name,
                    segment,
                    seed: Seed::new(&header.salt),
                    key: key_of(&header, keys)?,
                    reused: header.reused,
                    file,
                    len,
                    offset: SEGMENT_START.into(),
                    gap: None,
                    went_back: 0,
                    header_damage,
                    commits: 0,
                }))
            }
            Some(_) => Entered::Unusable(DamageKind::Foreign),
            None if is_zero_from(&*file, SEGMENT_START.into(), len) => Entered::Unborn,
            None => Entered::Unusable(DamageKind::Header),
        })
    }

    /// The whole commit that this byte of the segment is in; what its records hold is in `body`.
    pub(crate) fn commit_around(&self, offset: u32, body: &mut Vec<u8>) -> Option<Found> {
        let mut at = u64::from(offset - offset % PAGE);
        while at >= SEGMENT_START.into() && at < self.len {
            if let Page::Commit(header, end) = self.look_at(at, body) {
                return (u64::from(offset) < end).then(|| self.found(header, at));
            }
            at -= u64::from(PAGE);
        }
        None
    }

    fn found(&self, header: CommitHeader, at: u64) -> Found {
        let body_at = u32::try_from(at).unwrap_or(u32::MAX).saturating_add(COMMIT_HEADER);
        let tag = if self.key.is_some() { TAG } else { 0 };
        Found { header, segment: self.segment, body_at, tag, reused: self.reused }
    }

    pub(crate) fn next(&mut self, body: &mut Vec<u8>, recovery: &mut Recovery) -> Option<Found> {
        while self.offset < self.len {
            let at = self.offset;
            let gap = || Gap { start: at, used_until: at, unreadable: false };
            match self.look_at(at, body) {
                Page::Commit(..) if self.is_filled_meanwhile() => self.go_back(),
                Page::Commit(header, end) => {
                    self.arrive(end, recovery);
                    return Some(self.found(header, at));
                }
                // Its checksums are right, so no crash tore it: damage, even if nothing follows.
                Page::Sealed(end) => {
                    self.arrive(end, recovery);
                    self.report(recovery, at, end - at, DamageKind::Seal);
                }
                Page::Torn(end) => {
                    self.offset = end;
                    self.gap.get_or_insert_with(gap).used_until = end;
                }
                Page::Unused => {
                    self.offset += u64::from(PAGE);
                    self.gap.get_or_insert_with(gap);
                }
                Page::Other => {
                    self.offset = (at + u64::from(PAGE)).min(self.len);
                    self.gap.get_or_insert_with(gap).used_until = self.offset;
                }
                Page::Unreadable => {
                    self.offset = (at + u64::from(PAGE)).min(self.len);
                    self.gap.get_or_insert_with(gap).unreadable = true;
                }
            }
        }
        None
    }

    /// What is behind the last commit, and the headers. True when nothing was ever in it.
    fn end(&self, recovery: &mut Recovery) -> bool {
        let gap = self.gap.as_ref();
        if let Some(gap) = gap.filter(|gap| gap.unreadable) {
            self.report(recovery, gap.start, self.len - gap.start, DamageKind::Unreadable);
        } else if let Some(gap) = gap {
            recovery.torn_bytes += gap.used_until - gap.start;
        }
        let used_until = match gap {
            Some(gap) if gap.unreadable => self.len,
            Some(gap) => gap.used_until,
            None => self.len,
        };
        if self.commits == 0 && used_until <= SEGMENT_START.into() {
            return true;
        }
        // A crash while a segment is made can tear a header; only beside data is it damage.
        if let Some(offset) = self.header_damage.filter(|_| self.commits > 0) {
            self.report(recovery, offset, PAGE.into(), DamageKind::HeaderCopy);
        }
        false
    }

    /// At a commit that ends at `end`: what came before it has been lost.
    fn arrive(&mut self, end: u64, recovery: &mut Recovery) {
        if let Some(gap) = self.gap.take() {
            let kind = if gap.unreadable { DamageKind::Unreadable } else { DamageKind::Commit };
            self.report(recovery, gap.start, self.offset - gap.start, kind);
        }
        self.commits += 1;
        self.offset = end;
    }

    fn look_at(&self, at: u64, body: &mut Vec<u8>) -> Page {
        let mut page = [0; PAGE_LEN];
        if self.len - at < PAGE_LEN as u64 {
            return Page::Other;
        }
        if read_exact(&*self.file, &mut page, at).is_err() {
            return Page::Unreadable;
        }
        let number = u32::try_from(at / u64::from(PAGE)).unwrap_or(u32::MAX);
        let Some(header) = CommitHeader::parse(&page, self.seed, number) else {
            return if self.is_unused(&page) { Page::Unused } else { Page::Other };
        };
        let body_at = at + u64::from(COMMIT_HEADER);
        let end = page_up(body_at + u64::from(header.body_len));
        if end > self.len {
            return Page::Other;
        }
        let Ok(body_len) = usize::try_from(header.body_len) else { return Page::Other };
        body.clear();
        body.resize(body_len, 0);
        match read_exact(&*self.file, body, body_at) {
            Ok(()) if header.matches(body, self.seed) => {
                let body_at = u32::try_from(body_at).unwrap_or(u32::MAX);
                if self.key.as_ref().is_none_or(|key| key.open_all(body_at, body)) {
                    Page::Commit(header, end)
                } else {
                    Page::Sealed(end)
                }
            }
            Ok(()) => Page::Torn(end),
            Err(_) => Page::Unreadable,
        }
    }

    /// Whether a page without a valid commit shows no trace of this segment. In a reused file nothing does: what a crash tore
    /// cannot be told from what the file held before.
    fn is_unused(&self, page: &[u8]) -> bool {
        self.reused || all_zero(page)
    }

    fn report(&self, recovery: &mut Recovery, offset: u64, bytes: u64, kind: DamageKind) {
        recovery.damaged.push(Damage { file: self.name.clone(), offset, bytes, kind });
    }
}

/// Whether everything from `offset` on reads as zeros.
fn is_zero_from(file: &dyn StorageFile, mut offset: u64, len: u64) -> bool {
    let mut page = [0; PAGE_LEN];
    while offset < len {
        let count = usize::try_from(len - offset).unwrap_or(PAGE_LEN).min(PAGE_LEN);
        let part = page.get_mut(..count).unwrap_or_default();
        if read_exact(file, part, offset).is_err() || !all_zero(part) {
            return false;
        }
        offset += count as u64;
    }
    true
}
