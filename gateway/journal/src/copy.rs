//! A journal copied file by file, beside its running writer or from a medium that is at rest.
//!
//! Promises that what is copied is a state that the journal was in, by the rules of `FORMAT.md` (Reading beside the
//! writer): files that were given back meanwhile are left out with all older ones of their lane, and what was carried
//! out of them is in; a half copy does not open; damaged bytes go along as they are, those that cannot be read as zeros and
//! told. Needs no lock of the source and no key. Leaves out where the copy is kept and who may read it.

use crate::bytes::all_zero;
use crate::catalog::ASIDE;
use crate::error::{DiskError, OpenError};
use crate::format::{PAGE, PAGE_LEN, SEGMENT_START, parse_segment_name, segment_name};
use crate::identity::{self, IDENTITY_FILE, PART};
use crate::record::Lane;
use crate::segment::read_headers;
use crate::storage::{Storage, StorageFile, read_exact, write_all};
use crate::survey;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, ErrorKind};

/// What is read at once.
const BLOCK: usize = 16 * PAGE_LEN;
/// So often the directory is looked at again; a writer that fills a segment in less time than it takes to copy one, again and
/// again, writes faster than the copy can.
const PASSES: u32 = 1_000;

/// Why nothing was copied. What the target holds by then does not open.
#[derive(Debug)]
pub enum CopyError {
    /// The source.
    Source(OpenError),
    /// The target.
    Target(DiskError),
    /// The target has a journal, or a part of one; this file.
    Occupied(String),
    /// The source is written faster than it can be copied.
    Outrun,
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(error) => write!(f, "{error}"),
            Self::Target(error) => write!(f, "{error}"),
            Self::Occupied(name) => write!(f, "there is a journal already, or a part of one: {name}"),
            Self::Outrun => f.write_str("the journal is written faster than it can be copied"),
        }
    }
}

impl std::error::Error for CopyError {}

/// What was copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// Segments in the copy.
    pub segments: u64,
    /// Bytes that were written, those of files that were copied again included.
    pub bytes: u64,
    /// Segments that went meanwhile.
    pub given_back: u64,
    /// Files with bytes that could not be read, and how many; zeros are in their place.
    pub unreadable: BTreeMap<String, u64>,
}

/// Copies a journal into a directory that is [`clear`](crate::clear), whose lock the caller holds; [`finish`](crate::finish)
/// makes a journal of it. With a `ceiling`, the copy's numbers go on there. `progress` is told bytes so far, and about of
/// how many.
///
/// # Errors
/// [`CopyError`]. Damage in the source is none.
pub fn copy(
    from: &dyn Storage,
    to: &dyn Storage,
    ceiling: Option<u64>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Copied, CopyError> {
    copy_identity(from, to, ceiling)?;
    let mut copying =
        Copying { from, to, have: BTreeMap::new(), done: Copied::default(), total: 0, progress };
    for pass in 0..PASSES {
        if copying.pass(pass == 0)? {
            copying.aside()?;
            return copying.end();
        }
    }
    Err(CopyError::Outrun)
}

/// Segments by number, which is in order of writing over both lanes.
type Listed = BTreeSet<(u64, Lane)>;

struct Copying<'a> {
    from: &'a dyn Storage,
    to: &'a dyn Storage,
    /// What the copy has, and whether more may come to it.
    have: BTreeMap<(u64, Lane), bool>,
    done: Copied,
    total: u64,
    progress: &'a mut dyn FnMut(u64, u64),
}

/// What became of one file.
enum One {
    Copied,
    /// Nothing was ever committed to it.
    Empty,
    /// It is not there any more, or it is another segment.
    Gone,
}

impl Copying<'_> {
    fn list(&self) -> Result<Listed, CopyError> {
        let names = self.from.list().map_err(|error| reading("the journal's directory", error))?;
        Ok(names
            .iter()
            .filter_map(|name| parse_segment_name(name))
            .map(|(lane, number)| (number, lane))
            .collect())
    }

    /// Copies what is new, and what was being written when it was copied before. True when nothing is left to do.
    fn pass(&mut self, first: bool) -> Result<bool, CopyError> {
        let listed = self.list()?;
        let newest = written_to(&listed);
        // The one behind it may have come to nothing, and then it is written on.
        newest.iter().for_each(|segment| {
            self.have.entry(*segment).and_modify(|open| *open = true);
        });
        let mut todo: Vec<_> = listed
            .iter()
            .copied()
            .filter(|segment| self.have.get(segment).is_none_or(|open| *open))
            .collect();
        // What a checkpoint in *results* says of *snapshots* must be in the copy as well.
        todo.sort_by_key(|segment @ (_, lane)| newest.contains(segment).then_some(*lane));
        if first {
            let size = |(number, lane): &(u64, Lane)| {
                self.from.open(&segment_name(*lane, *number)).and_then(|file| file.size()).unwrap_or(0)
            };
            self.total = todo.iter().map(size).sum();
        }
        let mut settled = true;
        for segment in todo {
            let (number, lane) = segment;
            let open = newest.contains(&segment);
            match self.segment(lane, number, open)? {
                // What was just being made is looked at again, as long as it is the newest.
                One::Copied | One::Empty => {
                    self.have.insert(segment, open);
                }
                One::Gone => {
                    settled = false;
                    self.went(lane, number)?;
                }
            }
        }
        let now = self.list()?;
        let written = written_to(&now).iter().all(|segment| self.have.get(segment) == Some(&true));
        Ok(settled && written && now.iter().all(|segment| self.have.contains_key(segment)))
    }

    /// A segment went. If it was given back, all older ones of its lane were so before it, and what was needed of them is at
    /// the end of the log, where it will be copied. Those that are there still are copied again.
    fn went(&mut self, lane: Lane, number: u64) -> Result<(), CopyError> {
        self.done.given_back += 1;
        let older: Vec<u64> = self
            .have
            .keys()
            .filter(|(had, of)| *of == lane && *had <= number)
            .map(|(number, _)| *number)
            .collect();
        for number in older {
            self.drop(lane, number)?;
        }
        Ok(())
    }

    fn drop(&mut self, lane: Lane, number: u64) -> Result<(), CopyError> {
        self.have.remove(&(number, lane));
        remove(self.to, &segment_name(lane, number))
    }

    fn segment(&mut self, lane: Lane, number: u64, open: bool) -> Result<One, CopyError> {
        let name = segment_name(lane, number);
        remove(self.to, &name)?;
        let file = match self.from.open(&name) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(One::Gone),
            Err(error) => return Err(reading(&name, error)),
        };
        let size = file.size().map_err(|error| reading(&name, error))?;
        let before = header_pages(&*file);
        let walked = survey::walk(&*file, size, &name, None).map_err(CopyError::Source)?;
        // Everything before a whole commit was written before it, and is never written again.
        let until = if open && walked.end > 0 { walked.end } else { size };
        let copied = self.bytes(&*file, &name, until)?;
        // New headers are written before anything else of the segment that the file is used for next.
        if header_pages(&*file) != before {
            remove(self.to, &name)?;
            return Ok(One::Gone);
        }
        // A crash, or the writer just now, was about to make it.
        if copied <= SEGMENT_START.into() && read_headers(&*file).iter().all(Option::is_none) {
            remove(self.to, &name)?;
            return Ok(One::Empty);
        }
        Ok(One::Copied)
    }

    /// Files that were set aside as damaged are for a person, wherever that one looks.
    fn aside(&mut self) -> Result<(), CopyError> {
        let names = self.from.list().map_err(|error| reading("the journal's directory", error))?;
        for name in names.iter().filter(|name| name.strip_suffix(ASIDE).is_some_and(is_segment_name)) {
            let file = self.from.open(name).map_err(|error| reading(name, error))?;
            let size = file.size().map_err(|error| reading(name, error))?;
            self.bytes(&*file, name, size)?;
        }
        Ok(())
    }

    /// Copies a file up to `until`, without zeros at its end, and syncs it. Gives how long it became.
    fn bytes(&mut self, file: &dyn StorageFile, name: &str, until: u64) -> Result<u64, CopyError> {
        let failed = |error| CopyError::Target(DiskError::new(format!("writing {name}"), error));
        let copy = self.to.create(name).map_err(failed)?;
        let (mut at, mut end, mut block) = (0, 0, vec![0; BLOCK]);
        while at < until {
            let count = usize::try_from(until - at).unwrap_or(BLOCK).min(BLOCK);
            let part = block.get_mut(..count).unwrap_or_default();
            if read_exact(file, part, at).is_err() {
                self.page_by_page(file, name, part, at);
            }
            let pages = part.chunks(PAGE_LEN).rposition(|page| !all_zero(page)).map_or(0, |last| last + 1);
            let used = part.get(..(pages * PAGE_LEN).min(count)).unwrap_or_default();
            // Zeros in between need not be written, for what is behind them makes them.
            if !used.is_empty() {
                write_all(&*copy, used, at).map_err(failed)?;
                end = at + used.len() as u64;
            }
            at += count as u64;
            self.done.bytes += count as u64;
            (self.progress)(self.done.bytes, self.total.max(self.done.bytes));
        }
        copy.sync_data().map_err(failed)?;
        Ok(end)
    }

    /// Reads what can be read of a block that cannot be read as a whole.
    fn page_by_page(&mut self, file: &dyn StorageFile, name: &str, block: &mut [u8], at: u64) {
        for (page, offset) in block.chunks_mut(PAGE_LEN).zip((at..).step_by(PAGE_LEN)) {
            if read_exact(file, page, offset).is_err() {
                page.fill(0);
                *self.done.unreadable.entry(name.to_owned()).or_default() += page.len() as u64;
            }
        }
    }

    fn end(mut self) -> Result<Copied, CopyError> {
        let failed = |error| CopyError::Target(DiskError::new("syncing the new folder", error));
        self.to.sync_dir().map_err(failed)?;
        let names = self.to.list().map_err(failed)?;
        self.done.segments = names.iter().filter(|name| is_segment_name(name)).count() as u64;
        Ok(self.done)
    }
}

/// The segments that may be written to: the newest of each lane.
fn written_to(listed: &Listed) -> Vec<(u64, Lane)> {
    let of = |lane| listed.iter().rev().find(move |(_, of)| *of == lane).copied();
    Lane::ALL.into_iter().filter_map(of).collect()
}

/// `journal.id` under the name of an unfinished journal, durable before anything else is there.
fn copy_identity(from: &dyn Storage, to: &dyn Storage, ceiling: Option<u64>) -> Result<(), CopyError> {
    let pages = identity::pages(from, ceiling).map_err(CopyError::Source)?;
    let failed = |error| CopyError::Target(DiskError::new(format!("writing {IDENTITY_FILE}"), error));
    let file = to.create(PART).map_err(failed)?;
    write_all(&*file, &pages, 0).map_err(failed)?;
    file.sync_data().map_err(failed)?;
    to.sync_dir().map_err(failed)
}

fn is_segment_name(name: &str) -> bool {
    parse_segment_name(name).is_some()
}

fn reading(name: &str, error: io::Error) -> CopyError {
    CopyError::Source(OpenError::Disk(DiskError::new(format!("reading {name}"), error)))
}

fn remove(to: &dyn Storage, name: &str) -> Result<(), CopyError> {
    match to.remove(name) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(CopyError::Target(DiskError::new(format!("removing {name}"), error)))
        }
        _ => Ok(()),
    }
}

/// The bytes of both header pages; those that cannot be read are zeros.
fn header_pages(file: &dyn StorageFile) -> Vec<u8> {
    let mut pages = vec![0; 2 * PAGE_LEN];
    for (page, offset) in pages.chunks_mut(PAGE_LEN).zip([0, u64::from(PAGE)]) {
        if read_exact(file, page, offset).is_err() {
            page.fill(0);
        }
    }
    pages
}
