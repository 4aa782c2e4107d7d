//! Walking through one segment, page by page. Promises that each commit whose header is right is met in the order of writing:
//! whole, or with its records lost, since its header still says what the lane was like when it was written. Leaves out what
//! the commits of a lane say of each other.

use super::Place;
use crate::bytes::all_zero;
use crate::error::OpenError;
use crate::format::{
    COMMIT_HEADER, COMMIT_HEADER_LEN, CommitHeader, FORMAT, PAGE, PAGE_LEN, SEGMENT_START, Seed, page_up,
    segment_name,
};
use crate::record::Lane;
use crate::recover::{Damage, DamageKind, Recovery};
use crate::seal::{SegmentKey, TAG, key_of};
use crate::segment::read_headers;
use crate::storage::{StorageFile, read_exact};
use std::collections::VecDeque;

/// A whole commit; its records are beside it.
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

/// A commit of which only the header is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hollow {
    pub(crate) header: CommitHeader,
    pub(crate) at: u64,
    /// The damage that it is in was reported. Otherwise it is behind the last whole commit, where a crash can have torn it.
    pub(crate) told: bool,
}

/// What comes next in a segment.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Whole(Found),
    Hollow(Hollow),
}

impl Step {
    pub(crate) const fn header(&self) -> &CommitHeader {
        match self {
            Self::Whole(found) => &found.header,
            Self::Hollow(hollow) => &hollow.header,
        }
    }
}

/// A segment being walked through.
pub(crate) struct Walk {
    pub(super) name: String,
    pub(super) segment: u64,
    pub(super) seed: Seed,
    /// The file held another segment before: what is left of that is no trace of this one.
    reused: bool,
    key: Option<SegmentKey>,
    file: Box<dyn StorageFile>,
    pub(super) len: u64,
    /// Where the next commit may start.
    pub(crate) offset: u64,
    gap: Option<Gap>,
    /// Commits of a gap that was reported, to be given first.
    hollow: VecDeque<Hollow>,
    went_back: u64,
    /// Offset of a damaged copy of the header.
    header_damage: Option<u64>,
    /// Commits with a right header.
    pub(super) commits: u64,
}

/// Pages without a whole commit.
struct Gap {
    start: u64,
    /// End of the last page that is not all zeros; `start` when there is none.
    used_until: u64,
    unreadable: bool,
    hollow: VecDeque<Hollow>,
}

/// What a segment file turned out to be.
pub(crate) enum Entered {
    Segment(Box<Walk>),
    /// Neither header is there, and nothing is behind them: a crash while it was made leaves that.
    Unborn,
    Unusable(DamageKind),
}

/// Whether a segment has commits, as far as that can be told without its key.
pub(crate) enum Holds {
    Commits,
    /// The file is there, and no commit begins anywhere in it.
    Nothing,
    Unusable(DamageKind),
    Gone,
}

/// What one page turned out to be.
enum Page {
    Commit(CommitHeader, u64),
    /// A whole commit that the segment's key does not open; it goes on after it.
    Sealed(CommitHeader, u64),
    /// A header whose body is wrong; it goes on after that body.
    Torn(CommitHeader, u64),
    /// A header whose body the disk cannot read.
    Unread(CommitHeader, u64),
    /// Never written in this segment.
    Unused,
    Other,
    Unreadable,
}

impl Walk {
    /// Opens a segment and looks at its headers. A newer version's segment is an error.
    pub(crate) fn enter(
        file: Box<dyn StorageFile>,
        len: u64,
        place: Place<'_>,
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
            Some(header)
                if header.lane == lane && header.segment == segment && header.journal == place.journal =>
            {
                Entered::Segment(Box::new(Self {
                    name,
                    segment,
                    seed: Seed::new(&header.salt),
                    key: key_of(&header, place.keys)?,
                    reused: header.reused,
                    file,
                    len,
                    offset: SEGMENT_START.into(),
                    gap: None,
                    hollow: VecDeque::new(),
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

    /// The next whole commit.
    pub(crate) fn next(&mut self, body: &mut Vec<u8>, recovery: &mut Recovery) -> Option<Found> {
        loop {
            match self.step(body, recovery)? {
                Step::Whole(found) => return Some(found),
                Step::Hollow(_) => {}
            }
        }
    }

    /// The next commit; if it is whole, its records are in `body`.
    pub(crate) fn step(&mut self, body: &mut Vec<u8>, recovery: &mut Recovery) -> Option<Step> {
        loop {
            if let Some(hollow) = self.hollow.pop_front() {
                self.commits += 1;
                return Some(Step::Hollow(hollow));
            }
            if self.offset >= self.len {
                // What is behind the last whole commit.
                let gap = self.gap.as_mut()?;
                let hollow = gap.hollow.pop_front()?;
                self.commits += 1;
                return Some(Step::Hollow(Hollow { told: gap.unreadable, ..hollow }));
            }
            let at = self.offset;
            match self.look_at(at, body) {
                Page::Commit(..) if self.is_filled_meanwhile() => self.go_back(),
                Page::Commit(header, end) => {
                    self.close_gap(recovery);
                    // What is in the gap comes before it; then this page is looked at once more.
                    if self.hollow.is_empty() {
                        self.commits += 1;
                        self.offset = end;
                        return Some(Step::Whole(self.found(header, at)));
                    }
                }
                // Its checksums are right, so no crash tore it: damage, even if nothing follows.
                Page::Sealed(header, end) => {
                    self.close_gap(recovery);
                    self.report(recovery, at, end - at, DamageKind::Seal);
                    self.hollow.push_back(Hollow { header, at, told: true });
                    self.offset = end;
                }
                Page::Torn(header, end) => {
                    let gap = self.pass_over(at, end);
                    gap.used_until = end;
                    gap.hollow.push_back(Hollow { header, at, told: false });
                }
                Page::Unread(header, end) => {
                    let gap = self.pass_over(at, end);
                    gap.unreadable = true;
                    gap.hollow.push_back(Hollow { header, at, told: false });
                }
                Page::Unused => {
                    self.pass_over(at, at + u64::from(PAGE));
                }
                Page::Other => {
                    let end = (at + u64::from(PAGE)).min(self.len);
                    self.pass_over(at, end).used_until = end;
                }
                Page::Unreadable => {
                    let end = (at + u64::from(PAGE)).min(self.len);
                    self.pass_over(at, end).unreadable = true;
                }
            }
        }
    }

    fn pass_over(&mut self, at: u64, end: u64) -> &mut Gap {
        self.offset = end;
        let gap = || Gap { start: at, used_until: at, unreadable: false, hollow: VecDeque::new() };
        self.gap.get_or_insert_with(gap)
    }

    /// What is behind the last commit, and the headers. True when nothing was ever in it.
    pub(super) fn end(&self, recovery: &mut Recovery) -> bool {
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

    /// At a whole commit: what came before it has been lost.
    fn close_gap(&mut self, recovery: &mut Recovery) {
        let Some(gap) = self.gap.take() else { return };
        let kind = if gap.unreadable { DamageKind::Unreadable } else { DamageKind::Commit };
        self.report(recovery, gap.start, self.offset - gap.start, kind);
        self.hollow = gap.hollow.into_iter().map(|hollow| Hollow { told: true, ..hollow }).collect();
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
                    Page::Sealed(header, end)
                }
            }
            Ok(()) => Page::Torn(header, end),
            Err(_) => Page::Unread(header, end),
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

    /// A commit stands where a gap began: it was written after that was looked at, and before the one that is there now.
    fn is_filled_meanwhile(&self) -> bool {
        let Some(gap) = self.gap.as_ref().filter(|gap| gap.start > self.went_back && !gap.unreadable) else {
            return false;
        };
        matches!(self.look_at(gap.start, &mut Vec::new()), Page::Commit(..))
    }

    fn go_back(&mut self) {
        if let Some(gap) = self.gap.take() {
            self.went_back = gap.start;
            self.offset = gap.start;
        }
    }
}

impl Holds {
    /// Looks for the first page that a commit begins on. Reads no more of a sound segment than its headers and that page.
    pub(crate) fn of(place: Place<'_>, lane: Lane, segment: u64) -> Self {
        let unreadable = Self::Unusable(DamageKind::Unreadable);
        let file = match place.storage.open(&segment_name(lane, segment)) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Self::Gone,
            Err(_) => return unreadable,
        };
        let Ok(len) = file.size() else { return unreadable };
        let Some(header) = read_headers(&*file).into_iter().flatten().next() else {
            let zero = is_zero_from(&*file, SEGMENT_START.into(), len);
            return if zero { Self::Nothing } else { Self::Unusable(DamageKind::Header) };
        };
        if header.lane != lane || header.segment != segment || header.journal != place.journal {
            return Self::Unusable(DamageKind::Foreign);
        }
        let seed = Seed::new(&header.salt);
        let (mut begin, mut failed) = ([0; COMMIT_HEADER_LEN], false);
        let pages = (u64::from(SEGMENT_START)..len).step_by(PAGE_LEN);
        for at in pages.filter(|at| len - at >= PAGE_LEN as u64) {
            let page = u32::try_from(at / u64::from(PAGE)).unwrap_or(u32::MAX);
            match read_exact(&*file, &mut begin, at) {
                Ok(()) if CommitHeader::parse(&begin, seed, page).is_some() => return Self::Commits,
                Ok(()) => {}
                Err(_) => failed = true,
            }
        }
        if failed { unreadable } else { Self::Nothing }
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
