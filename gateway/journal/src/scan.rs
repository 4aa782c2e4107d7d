//! Walking through the segments of one lane, commit by commit. It tells three things apart: the end of what was
//! written, a tail that a crash tore (nothing valid follows it in its segment), and damage (something valid does,
//! or the chain of commits says that something is missing). A commit whose records are lost keeps its say in that chain, and
//! in what counts. It never repairs and changes nothing: what was written stays as it is.

use crate::error::{DiskError, OpenError};
use crate::format::{COMMIT_HEADER, CommitHeader, page_up, segment_name};
use crate::record::Lane;
use crate::recover::{Damage, DamageKind, Recovery};
use crate::seal::KeyRing;
use crate::storage::Storage;
use std::collections::VecDeque;
use std::io::ErrorKind;

mod walk;
mod watch;
use walk::Hollow;
pub(crate) use walk::{Entered, Found, Holds, Step, Walk};
pub(crate) use watch::{Mark, Watch};

/// A journal's files, what opens them, and which numbers there can be in them.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) storage: &'a dyn Storage,
    pub(crate) journal: [u8; 16],
    pub(crate) keys: Option<&'a KeyRing>,
    /// No commit has this number or a larger one; `None` where the ceiling cannot be read.
    pub(crate) beyond: Option<u64>,
}

impl Place<'_> {
    /// Whether a commit with this header cannot be: then nothing that it says is to be believed.
    pub(crate) const fn is_beyond(&self, header: &CommitHeader) -> bool {
        matches!(self.beyond, Some(beyond) if header.number >= beyond)
    }
}

pub(crate) struct LaneScan<'a> {
    place: Place<'a>,
    lane: Lane,
    waiting: VecDeque<u64>,
    walk: Option<Walk>,
    pub(crate) body: Vec<u8>,
    /// A whole commit that waits for what the next one says of it.
    unconfirmed: Option<Unconfirmed>,
    spare: Vec<u8>,
    /// The last commit with a right header.
    pub(crate) last: u64,
    /// The last whole commit.
    whole: u64,
    /// Segment and offset behind the last commit with a right header.
    pub(crate) behind: (u64, u64),
    /// The last commit that counts.
    pub(crate) counted: u64,
    /// Commits up to here are known already, and not shown.
    known: u64,
    /// The lane's first commit says that there were others. Whether they were given back, the records tell that follow.
    pub(crate) front: Option<Front>,
    /// Damage was reported since then, so a gap in the chain is explained.
    pub(crate) explained: bool,
    /// The last commit has lost its records, at the end of its segment: damage if it was synced, torn if not.
    pub(crate) untold: Option<(u64, Damage)>,
    /// Segments without a commit since the last one.
    empty: Vec<Empty>,
    /// Segments in which nothing was ever written, as far as can be told: a crash left them, or a disk that refused.
    pub(crate) unused: Vec<u64>,
    /// Somebody only looks, perhaps while the journal is in use: nothing is changed, and nothing is damage that is not so a
    /// second time.
    pub(crate) watch: Option<Watch>,
}

/// A whole commit of which it is not known yet whether it counts.
struct Unconfirmed {
    found: Found,
    body: Vec<u8>,
    /// What is left of the one behind it, if that has lost its records.
    next: Option<CommitHeader>,
}

/// What the lane's first commit says is missing before it.
pub(crate) struct Front {
    pub(crate) segment: u64,
    pub(crate) damaged: Vec<Damage>,
}

/// A segment that no commit begins in.
struct Empty {
    segment: u64,
    bytes: u64,
    unused: bool,
}

impl<'a> LaneScan<'a> {
    /// `segments` in ascending order.
    pub(crate) fn new(place: Place<'a>, lane: Lane, segments: VecDeque<u64>) -> Self {
        Self {
            place,
            lane,
            waiting: segments,
            walk: None,
            body: Vec::new(),
            unconfirmed: None,
            spare: Vec::new(),
            last: 0,
            whole: 0,
            behind: (0, 0),
            counted: 0,
            known: 0,
            front: None,
            explained: false,
            untold: None,
            empty: Vec::new(),
            unused: Vec::new(),
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

    /// The next whole commit, and whether it must not count.
    pub(crate) fn next_or_void(
        &mut self,
        recovery: &mut Recovery,
    ) -> Result<Option<(Found, bool)>, OpenError> {
        loop {
            let mut body = std::mem::take(&mut self.spare);
            let step = self.next_step(&mut body, recovery)?;
            let Some(before) = &mut self.unconfirmed else {
                match step {
                    Some(Step::Whole(found)) => {
                        self.unconfirmed = Some(Unconfirmed { found, body, next: None })
                    }
                    Some(Step::Hollow(_)) => self.spare = body,
                    None => return Ok(None),
                }
                continue;
            };
            let number = before.found.header.number;
            let next = match step {
                Some(Step::Whole(found)) if found.header.number == number => {
                    // The sync of the first attempt failed: it may be in the page cache only, and gone tomorrow.
                    self.spare = std::mem::replace(&mut before.body, body);
                    (before.found, before.next) = (found, None);
                    continue;
                }
                Some(Step::Whole(found)) => Some((found, body)),
                Some(Step::Hollow(Hollow { header, .. })) => {
                    // Whoever wrote it knew. But a start may have taken it for torn, and have written the one before it again.
                    if header.number != number {
                        before.next.get_or_insert(header);
                    }
                    self.spare = body;
                    continue;
                }
                None => None,
            };
            let Some(Unconfirmed { found: before, body: earlier, next: hollow }) = self.unconfirmed.take()
            else {
                continue;
            };
            let decides = hollow.or(next.as_ref().map(|(found, _)| found.header));
            let void = decides.is_some_and(|next| next.previous < number);
            self.unconfirmed = next.map(|(found, body)| Unconfirmed { found, body, next: None });
            if void {
                recovery.void_commits += 1;
            } else {
                self.counted = number;
            }
            self.spare = std::mem::replace(&mut self.body, earlier);
            return Ok(Some((before, void)));
        }
    }

    fn next_step(&mut self, body: &mut Vec<u8>, recovery: &mut Recovery) -> Result<Option<Step>, OpenError> {
        loop {
            let Some(mut walk) = self.walk.take() else {
                let Some(segment) = self.waiting.pop_front() else { return Ok(None) };
                self.walk = self.enter(segment, recovery)?;
                continue;
            };
            let reported = recovery.damaged.len();
            let step = walk.step(body, recovery);
            self.explained |= recovery.damaged.len() > reported;
            let Some(step) = step else {
                self.leave(&walk, recovery);
                self.confirm(&walk, recovery)?;
                continue;
            };
            let segment = walk.segment;
            self.walk = Some(walk);
            let accepted = match &step {
                Step::Whole(found) => {
                    let accepted = self.accept(found, recovery);
                    self.note(found, accepted, recovery);
                    accepted
                }
                Step::Hollow(hollow) => self.hear(hollow, segment, recovery),
            };
            if accepted {
                return Ok(Some(step));
            }
        }
    }

    /// Goes on behind a commit, at this offset of this segment: everything before it is known already.
    pub(crate) fn resume_behind(
        &mut self,
        (segment, offset): (u64, u64),
        commit: u64,
        recovery: &mut Recovery,
    ) -> Result<(), OpenError> {
        (self.last, self.whole, self.behind) = (commit, commit, (segment, offset));
        self.skip_to(segment, commit);
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

    /// Begins with this segment: those before it are known already, and so are commits up to this one.
    pub(crate) fn skip_to(&mut self, segment: u64, commit: u64) {
        (self.known, self.counted) = (commit, commit);
        while self.waiting.front().is_some_and(|&first| first < segment) {
            self.waiting.pop_front();
        }
    }

    fn enter(&mut self, segment: u64, recovery: &mut Recovery) -> Result<Option<Walk>, OpenError> {
        let name = segment_name(self.lane, segment);
        let failed = |error| DiskError::new(format!("opening {name}"), error);
        let opened = self.place.storage.open(&name);
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
        match Walk::enter(file, len, self.place, self.lane, segment)? {
            Entered::Segment(walk) => {
                self.begin(recovery);
                Ok(Some(*walk))
            }
            Entered::Unborn => {
                self.empty.push(Empty { segment, bytes: len, unused: true });
                Ok(None)
            }
            Entered::Unusable(kind) => {
                recovery.damaged.push(Damage { file: name, offset: 0, bytes: len, kind });
                // A stray file is none of the lane's commits.
                self.explained |= kind == DamageKind::Header;
                Ok(None)
            }
        }
    }

    /// The end of a segment: its tail, its headers.
    fn leave(&mut self, walk: &Walk, recovery: &mut Recovery) {
        let reported = recovery.damaged.len();
        let unused = walk.end(recovery);
        let bytes = |damage: &Damage| damage.kind == DamageKind::Unreadable;
        let unreadable = recovery.damaged.iter().skip(reported).any(bytes);
        self.explained |= unreadable;
        if walk.commits == 0 && !unreadable {
            self.empty.push(Empty { segment: walk.segment, bytes: walk.len, unused });
        }
    }

    /// Whether a whole commit is to be seen: it is new, or the second attempt of the one before.
    fn accept(&mut self, found: &Found, recovery: &mut Recovery) -> bool {
        let header = found.header;
        let at = u64::from(found.body_at.saturating_sub(COMMIT_HEADER));
        let damage = self.damage(&header, found.segment, at);
        let new = header.number > self.last;
        let again = self.is_again(&header);
        if self.place.is_beyond(&header) || !new && !again && header.number > self.known {
            recovery.damaged.push(Damage { kind: DamageKind::OutOfOrder, ..damage });
            return false;
        }
        if new {
            self.follow(&header, found.segment, damage, recovery);
        }
        if new || again {
            // The first attempt's sync failed, yet it reached the disk: the same records, and only these are synced. What a crash
            // tore behind it has no say any more.
            (self.last, self.whole) = (header.number, header.number);
            (self.explained, self.untold) = (false, None);
            self.behind = (found.segment, end_of(&header, at));
        }
        (new || again) && header.number > self.known
    }

    /// Whether the header of a commit that has lost its records has a say.
    fn hear(&mut self, hollow: &Hollow, segment: u64, recovery: &mut Recovery) -> bool {
        let header = hollow.header;
        let damage = self.damage(&header, segment, hollow.at);
        let new = header.number > self.last;
        let again = self.is_again(&header);
        if self.place.is_beyond(&header) {
            recovery
                .damaged
                .extend((!hollow.told).then_some(Damage { kind: DamageKind::OutOfOrder, ..damage }));
            return false;
        }
        if new {
            self.follow(&header, segment, damage.clone(), recovery);
        }
        // Of a second attempt nothing is lost if the first one is whole.
        let lost = new || again && header.number != self.whole && self.untold.is_some();
        if lost {
            self.untold = (!hollow.told).then_some((header.number, damage));
        }
        if new {
            self.behind = (segment, end_of(&header, hollow.at));
        }
        (new || again) && header.number > self.known
    }

    /// The second attempt of the last commit, or of the last whole one: a start writes that again, whatever a crash tore
    /// behind it.
    const fn is_again(&self, header: &CommitHeader) -> bool {
        header.retry && (header.number == self.last || header.number == self.whole)
    }

    /// What a new commit says of those before it.
    fn follow(&mut self, header: &CommitHeader, segment: u64, here: Damage, recovery: &mut Recovery) {
        if let Some((number, damage)) = self.untold.take()
            && header.previous >= number
        {
            recovery.damaged.push(damage);
            self.explained = true;
        }
        let empty = std::mem::take(&mut self.empty);
        let missing = header.previous > self.last;
        let first = self.last == 0;
        self.last = header.number;
        if !missing {
            self.unused.extend(empty.iter().filter(|empty| empty.unused).map(|empty| empty.segment));
            return;
        }
        // What is before the first one that is read of a lane, the checkpoint knows.
        if self.explained || first && self.known > 0 {
            return;
        }
        let nothing_in = |empty: &Empty| Damage {
            file: segment_name(self.lane, empty.segment),
            offset: 0,
            bytes: empty.bytes,
            kind: DamageKind::Emptied,
        };
        let mut damaged: Vec<_> = empty.iter().map(nothing_in).collect();
        if damaged.is_empty() {
            damaged.push(Damage { kind: DamageKind::MissingBefore, ..here });
        }
        if first {
            self.front = Some(Front { segment, damaged });
        } else {
            recovery.damaged.extend(damaged);
        }
    }

    fn damage(&self, header: &CommitHeader, segment: u64, at: u64) -> Damage {
        let bytes = end_of(header, at) - at;
        Damage { file: segment_name(self.lane, segment), offset: at, bytes, kind: DamageKind::Commit }
    }

    /// At the end of the lane: segments in which nothing was ever written, but for these.
    pub(crate) fn unused_but(&self, listed: impl Fn(u64) -> bool) -> Vec<u64> {
        let last = self.empty.iter().filter(|empty| empty.unused).map(|empty| empty.segment);
        self.unused.iter().copied().chain(last).filter(|segment| !listed(*segment)).collect()
    }
}

fn end_of(header: &CommitHeader, at: u64) -> u64 {
    page_up(at + u64::from(COMMIT_HEADER) + u64::from(header.body_len))
}
