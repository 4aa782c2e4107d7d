//! Writing rings. It knows no time: whoever calls says what it is.

use super::header::RingHeader;
use super::read::{files_of, is_nobodys, numbers, parts, whole};
use super::{LONGEST, NAME, PIECES, PIECES_VERSION, RingFile, ring_name};
use crate::error::DiskError;
use crate::format::{PAGE, PAGE_LEN, Position, RawRecord, Seed, page_up};
use crate::identity::random;
use crate::journal::Shared;
use crate::record::{NewRecord, Seq, UnixMillis};
use crate::seal::{SegmentKey, seal_new_ring};
use crate::storage::{StorageFile, write_all};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Files that a ring of full size has.
const FILES: u64 = 16;
/// The smallest file: some of the longest records.
const SMALLEST: u64 = 128 << 10;
/// The largest: what a start reads to go on in it.
const LARGEST: u64 = 4 << 20;
/// A start does not go on in a file that has less room.
const WORTH: u64 = 16 << 10;
/// After the disk was full, rings take no more than they had then for so long.
const SHORT: Duration = Duration::from_secs(86_400);

/// What time it is.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Runs steadily.
    pub uptime: Duration,
    /// `None`: the clock was not set.
    pub utc: Option<UnixMillis>,
}

/// The rings of an open journal, for the one who writes them. It must be gone when the journal is.
pub struct Rings {
    shared: Arc<Shared>,
    /// `None`: to be listed, at the start and when files went behind this one's back.
    files: Option<BTreeMap<String, VecDeque<Known>>>,
    active: BTreeMap<String, Active>,
    next: u64,
    /// [`Shared::shed`] as it was seen last.
    shed: u64,
    /// The disk was full then, and all rings together took so much afterwards.
    short: Option<(Duration, u64)>,
}

/// A file.
struct Known {
    number: u64,
    bytes: u64,
    /// Nothing in it is younger, Unix milliseconds; 0 while that is not known.
    last: u64,
}

/// The file that a ring is written to.
struct Active {
    number: u64,
    file: Box<dyn StorageFile>,
    size: u64,
    /// Where the next record begins.
    offset: u64,
    /// What the page of `offset` holds before it: pages are written whole.
    tail: Vec<u8>,
    seed: Seed,
    key: Option<SegmentKey>,
    count: u64,
    /// Written and not synced.
    dirty: bool,
}

impl Rings {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let shed = shared.shed.load(Ordering::Acquire);
        Self { shared, files: None, active: BTreeMap::new(), next: 1, shed, short: None }
    }

    /// Bytes of one record beside its payload, about.
    pub const ABOUT: usize = 64;

    /// Puts a record behind what this ring has; with it the ring takes at most `size` bytes, its oldest files go before.
    /// It is durable after the next [`sync`](Self::sync).
    ///
    /// # Errors
    /// The disk: then the record may be there or not, and the next one goes elsewhere. A record or a name that is too long.
    pub fn append(
        &mut self,
        name: &str,
        size: u64,
        now: Now,
        meta: Vec<u8>,
        payload: Vec<u8>,
    ) -> Result<(), DiskError> {
        let record = NewRecord::new(PIECES, PIECES_VERSION, meta, payload);
        let needed = record.encoded_len(self.shared.options.tag());
        if needed > LONGEST || name.len() > NAME {
            return Err(DiskError::new("writing a capture", io::ErrorKind::InvalidInput.into()));
        }
        self.look(now)?;
        let mut active = match self.active.remove(name) {
            Some(active) if active.has_room(needed) => active,
            full => {
                // What is in it must not wait for a sync that does not come any more.
                if let Some(full) = full.filter(|full| full.dirty) {
                    full.file.sync_data().map_err(|error| DiskError::new("writing a capture", error))?;
                    self.begin(name, size, now)?
                } else {
                    match self.resume(name, needed, now)? {
                        Some(active) => active,
                        None => self.begin(name, size, now)?,
                    }
                }
            }
        };
        active.write(&record).map_err(|error| DiskError::new("writing a capture", error))?;
        let number = active.number;
        self.active.insert(name.to_owned(), active);
        if let Some(utc) = now.utc {
            let known = self.files.as_mut().and_then(|files| files.get_mut(name));
            for known in known.into_iter().flatten().filter(|known| known.number == number) {
                known.last = utc.0;
            }
        }
        Ok(())
    }

    /// Makes all that was appended durable. A file whose sync fails is not written to any more.
    ///
    /// # Errors
    /// The disk.
    pub fn sync(&mut self) -> Result<(), DiskError> {
        let mut failed = None;
        self.active.retain(|_, active| {
            if !active.dirty {
                return true;
            }
            let synced = active.file.sync_data();
            active.dirty = false;
            let good = synced.is_ok();
            if let Err(error) = synced {
                failed.get_or_insert(error);
            }
            good
        });
        failed.map_or(Ok(()), |error| Err(DiskError::new("writing a capture", error)))
    }

    /// Takes files away in which nothing is younger than that, whoever's they are.
    ///
    /// # Errors
    /// The disk.
    pub fn age(&mut self, before: UnixMillis, now: Now) -> Result<(), DiskError> {
        self.look(now)?;
        let mut files = self.files.take().unwrap_or_default();
        for (name, ring) in &mut files {
            while let Some(old) = ring.front().filter(|file| file.last > 0 && file.last < before.0) {
                if self.active.get(name).is_some_and(|active| active.number == old.number) {
                    self.active.remove(name);
                }
                self.remove(old.number)?;
                ring.pop_front();
            }
        }
        files.retain(|_, ring| !ring.is_empty());
        self.files = Some(files);
        Ok(())
    }

    /// Bytes that each ring takes, by its name, as far as that is known.
    pub fn sizes(&self) -> impl Iterator<Item = (&str, u64)> {
        let size = |ring: &VecDeque<Known>| ring.iter().map(|file| file.bytes).sum::<u64>();
        self.files.iter().flatten().map(move |(name, ring)| (name.as_str(), size(ring)))
    }

    /// The disk was full, and rings take no more than they did then.
    #[must_use]
    pub const fn is_short(&self) -> bool {
        self.short.is_some()
    }

    /// Lists the files anew where somebody else took some away.
    fn look(&mut self, now: Now) -> Result<(), DiskError> {
        let shed = self.shared.shed.load(Ordering::Acquire);
        if shed != self.shed {
            self.shed = shed;
            self.files = None;
            self.active.clear();
        } else if self.files.is_some() {
            if self.short.is_some_and(|(since, _)| now.uptime.saturating_sub(since) > SHORT) {
                self.short = None;
            }
            return Ok(());
        }
        for number in numbers(&*self.shared.storage)? {
            self.next = self.next.max(number.saturating_add(1));
            if is_nobodys(&*self.shared.storage, number) {
                self.remove(number)?;
            }
        }
        let listed = files_of(&*self.shared.storage, self.shared.identity.journal)?;
        let newest = now.utc.map_or(0, |at| at.0);
        let mut files: BTreeMap<String, VecDeque<Known>> = BTreeMap::new();
        for RingFile { number, name, bytes, begun, .. } in listed {
            let ring = files.entry(name).or_default();
            if let (Some(before), Some(begun)) = (ring.back_mut(), begun) {
                before.last = begun.0;
            }
            ring.push_back(Known { number, bytes, last: newest });
        }
        self.files = Some(files);
        if shed > 0 {
            self.short = Some((now.uptime, self.total()));
        }
        Ok(())
    }

    fn total(&self) -> u64 {
        self.sizes().map(|(_, size)| size).sum()
    }

    /// The ring's newest file once more, behind a header page of its own: what another process sealed there has another key.
    fn resume(&mut self, name: &str, needed: usize, now: Now) -> Result<Option<Active>, DiskError> {
        let newest = self.files.as_ref().and_then(|files| files.get(name)).and_then(VecDeque::back);
        let Some(number) = newest.map(|known| known.number) else { return Ok(None) };
        let file = ring_name(number);
        let storage = &*self.shared.storage;
        let Some(bytes) = whole(storage, &file)? else { return Ok(None) };
        let parts = parts(&bytes, number, self.shared.identity.journal);
        let Some(last) = parts.last() else { return Ok(None) };
        let (start, size) = (page_up(last.end as u64), bytes.len() as u64);
        let needed = u64::from(PAGE).saturating_add(needed as u64);
        if start.saturating_add(needed).max(start.saturating_add(WORTH)) > size {
            return Ok(None);
        }
        let failed = |error| DiskError::new(format!("writing {file}"), error);
        let (header, key) = self.header(name, number, now)?;
        let open = storage.open(&file).map_err(failed)?;
        write_all(&*open, &header.encode(), start).map_err(failed)?;
        Ok(Some(Active::behind(start, number, open, size, &header, key)))
    }

    /// A new file.
    fn begin(&mut self, name: &str, size: u64, now: Now) -> Result<Active, DiskError> {
        let wanted = page_up((size / FILES).clamp(SMALLEST, LARGEST)).min(size.max(SMALLEST));
        self.fit(name, size.saturating_sub(wanted))?;
        if let Some((_, most)) = self.short
            && self.total().saturating_add(wanted) > most
        {
            self.fit(name, 0)?;
            if self.total().saturating_add(wanted) > most {
                return Err(DiskError::new("making a capture's file", io::ErrorKind::StorageFull.into()));
            }
        }
        let number = self.next;
        self.next = self.next.saturating_add(1);
        let (header, key) = self.header(name, number, now)?;
        let (storage, file) = (&*self.shared.storage, ring_name(number));
        let made = storage.create(&file).and_then(|open| {
            open.allocate(wanted)?;
            write_all(&*open, &header.encode(), 0)?;
            open.sync_data()?;
            storage.sync_dir()?;
            Ok(open)
        });
        match made {
            Ok(open) => {
                let known = Known { number, bytes: wanted, last: now.utc.map_or(0, |at| at.0) };
                let files = self.files.get_or_insert_default();
                files.entry(name.to_owned()).or_default().push_back(known);
                Ok(Active::behind(0, number, open, wanted, &header, key))
            }
            Err(error) => {
                let _ = storage.remove(&file);
                let error = DiskError::new(format!("making {file}"), error);
                if error.is_full() {
                    self.short = Some((now.uptime, self.total()));
                }
                Err(error)
            }
        }
    }

    /// Takes the oldest files of a ring away until it takes no more than that.
    fn fit(&mut self, name: &str, most: u64) -> Result<(), DiskError> {
        let Some(mut ring) = self.files.as_mut().and_then(|files| files.remove(name)) else { return Ok(()) };
        let mut result = Ok(());
        while ring.iter().map(|file| file.bytes).sum::<u64>() > most
            && let Some(oldest) = ring.front()
        {
            result = self.remove(oldest.number);
            if result.is_err() {
                break;
            }
            ring.pop_front();
        }
        if let Some(files) = self.files.as_mut().filter(|_| !ring.is_empty()) {
            files.insert(name.to_owned(), ring);
        }
        result
    }

    fn remove(&self, number: u64) -> Result<(), DiskError> {
        let file = ring_name(number);
        match self.shared.storage.remove(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(DiskError::new(format!("removing {file}"), error))
            }
            _ => Ok(()),
        }
    }

    fn header(
        &self,
        name: &str,
        number: u64,
        now: Now,
    ) -> Result<(RingHeader, Option<SegmentKey>), DiskError> {
        let salt = random().map_err(|error| DiskError::new("making a capture's salt", error))?;
        let (journal, begun) = (self.shared.identity.journal, now.utc.map_or(0, |at| at.0));
        let mut header = RingHeader::new(name.to_owned(), number, salt, journal, begun);
        let key = seal_new_ring(&mut header, self.shared.options.keys.as_ref())?;
        Ok((header, key))
    }
}

impl Active {
    /// Behind a header page at this place.
    fn behind(
        start: u64,
        number: u64,
        file: Box<dyn StorageFile>,
        size: u64,
        header: &RingHeader,
        key: Option<SegmentKey>,
    ) -> Self {
        let (offset, seed) = (start.saturating_add(PAGE.into()), Seed::new(&header.salt));
        Self { number, file, size, offset, tail: Vec::new(), seed, key, count: 0, dirty: true }
    }

    const fn has_room(&self, needed: usize) -> bool {
        self.offset.saturating_add(needed as u64) <= self.size
    }

    fn write(&mut self, record: &NewRecord) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.tail);
        let before = buffer.len();
        let offset = u32::try_from(self.offset).unwrap_or(u32::MAX);
        let seal = self.key.as_ref().map(|key| (key, offset));
        let position = Position { first: true, last: true };
        RawRecord::write(&mut buffer, self.seed, Seq(self.count), record, position, seal)?;
        let end = buffer.len();
        buffer.resize(end.next_multiple_of(PAGE_LEN), 0);
        let start = self.offset.saturating_sub(before as u64);
        write_all(&*self.file, &buffer, start)?;
        self.offset = start.saturating_add(end as u64);
        buffer.truncate(end);
        buffer.drain(..end - end % PAGE_LEN);
        self.tail = buffer;
        self.count = self.count.saturating_add(1);
        self.dirty = true;
        Ok(())
    }
}
