//! What a journal's bytes say without a key: whether checksums are right, and how far numbers and times go.
//!
//! Promises that nothing is opened and nothing is written, that each whole commit is counted by the rules of `FORMAT.md`, and
//! that [`Survey::next`] is above every number that the files know of. Leaves out the chain over segments and what
//! records hold; an [`Inspector`](crate::Inspector) with the key tells these.

use crate::error::{DiskError, OpenError};
use crate::format::{
    COMMIT_HEADER, CommitHeader, FORMAT, PAGE, PAGE_LEN, SEGMENT_START, Seed, page_up, parse_segment_name,
};
use crate::identity;
use crate::journal::CLOCK_IS_SET;
use crate::record::UnixMillis;
use crate::segment::read_headers;
use crate::sequence::LEAP_WHEN_DAMAGED;
use crate::storage::{Storage, StorageFile, read_exact};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Every number below this may have been given.
    pub next: u64,
    /// The newest trusted time in any commit.
    pub newest_time: Option<UnixMillis>,
    /// Whole commits.
    pub commits: u64,
    /// The largest number of a commit; 0 without any.
    pub newest_commit: u64,
    /// Bytes of all segments.
    pub bytes: u64,
    /// Segments with records that only a key opens.
    pub sealed: u64,
    /// Places that are not what was written there, with a whole commit behind them, and segments that cannot be read.
    pub damaged: u64,
    created: UnixMillis,
}

/// One segment's commits.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// Behind the last whole commit; 0 when neither header is intact.
    pub(crate) end: u64,
    commits: u64,
    newest_commit: u64,
    next: u64,
    newest_time: u64,
    gaps: u64,
    sealed: bool,
}

impl Survey {
    /// Reads all segments.
    ///
    /// # Errors
    /// There is no journal; its identity cannot be read; a newer version wrote it; the disk.
    pub fn of(storage: &dyn Storage) -> Result<Self, OpenError> {
        let loaded = identity::load(storage)?;
        let leap = if loaded.damaged_ceilings() > 0 { LEAP_WHEN_DAMAGED } else { 0 };
        let mut survey = Self {
            next: loaded.ceiling,
            newest_time: None,
            commits: 0,
            newest_commit: 0,
            bytes: 0,
            sealed: 0,
            damaged: 0,
            created: loaded.identity.created(),
        };
        let listing = |error| DiskError::new("listing the journal's directory", error);
        let mut newest_time = 0;
        for name in storage.list().map_err(listing)? {
            let Some((_, number)) = parse_segment_name(&name) else { continue };
            let failed = |error| DiskError::new(format!("opening {name}"), error);
            let file = storage.open(&name).map_err(failed)?;
            let len = file.size().map_err(failed)?;
            let walked = walk(&*file, len, &name, loaded.beyond())?;
            let unreadable = walked.end == 0 && len > u64::from(SEGMENT_START);
            survey.next = survey.next.max(number.saturating_add(1)).max(walked.next);
            survey.commits += walked.commits;
            survey.newest_commit = survey.newest_commit.max(walked.newest_commit);
            survey.bytes += len;
            survey.sealed += u64::from(walked.sealed);
            survey.damaged += walked.gaps + u64::from(unreadable);
            newest_time = newest_time.max(walked.newest_time);
        }
        survey.next = survey.next.saturating_add(leap);
        survey.newest_time = (newest_time > 0).then_some(UnixMillis(newest_time));
        Ok(survey)
    }

    /// Where numbers go on when this journal is taken up again at `now`, after its own box went on for a time and gave numbers
    /// that are not in here. A box gives fewer than 1,000 in each millisecond, on which all its numbers rest: so neither
    /// those before nor any that another restored copy gave earlier are at or above it.
    #[must_use]
    pub fn ceiling_at(&self, now: UnixMillis) -> u64 {
        let known = self.newest_time.unwrap_or(self.created);
        // A clock that was ahead says nothing about how long the box went on; it was built after that day.
        let since = now.0.checked_sub(known.0).unwrap_or(now.0.saturating_sub(CLOCK_IS_SET.0));
        let gone_on = self.next.saturating_add(since.saturating_mul(1_000));
        gone_on.max(now.0.saturating_mul(1_000)).saturating_add(LEAP_WHEN_DAMAGED)
    }
}

/// Walks through one segment. Records are compared with their checksums as they are stored, so no key is needed.
pub(crate) fn walk(
    file: &dyn StorageFile,
    len: u64,
    name: &str,
    beyond: Option<u64>,
) -> Result<Walked, OpenError> {
    let mut walked = Walked::default();
    let copies = read_headers(file);
    if let Some(newer) = copies.iter().flatten().find(|header| header.oldest_reader > FORMAT) {
        return Err(OpenError::TooNew { file: name.into(), needs: newer.oldest_reader });
    }
    let Some(header) = copies.into_iter().flatten().next() else { return Ok(walked) };
    let seed = Seed::new(&header.salt);
    walked.sealed = header.key.is_some();
    walked.end = SEGMENT_START.into();
    let (mut at, mut body, mut page) = (walked.end, Vec::new(), [0; PAGE_LEN]);
    while at.saturating_add(PAGE.into()) <= len {
        let number = u32::try_from(at / u64::from(PAGE)).unwrap_or(u32::MAX);
        let found =
            read_exact(file, &mut page, at).ok().and_then(|()| CommitHeader::parse(&page, seed, number));
        let whole = found.map(|commit| {
            let end = page_up(at + u64::from(COMMIT_HEADER) + u64::from(commit.body_len));
            (commit, end)
        });
        let Some((commit, end)) = whole.filter(|(_, end)| *end <= len) else {
            at += u64::from(PAGE);
            continue;
        };
        body.clear();
        body.resize(usize::try_from(commit.body_len).unwrap_or(0), 0);
        let is_there = read_exact(file, &mut body, at + u64::from(COMMIT_HEADER)).is_ok();
        if is_there && commit.matches(&body, seed) && beyond.is_none_or(|beyond| commit.number < beyond) {
            walked.gaps += u64::from(at > walked.end);
            walked.commits += 1;
            walked.newest_commit = walked.newest_commit.max(commit.number);
            walked.next = walked.next.max(commit.next_sequence).max(commit.number.saturating_add(1));
            walked.newest_time = walked.newest_time.max(commit.newest_time);
            walked.end = end;
        }
        at = end;
    }
    Ok(walked)
}
