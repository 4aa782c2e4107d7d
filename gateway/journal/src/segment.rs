//! One segment file: making it, and reading single records from it. Commits are the writer's (`commit`), walking
//! through a segment is recovery's (`scan`).

use crate::error::{DiskError, ReadError};
use crate::format::{FORMAT, PAGE, PAGE_LEN, RawRecord, SEGMENT_START, Seed, SegmentHeader, segment_name};
use crate::identity::random;
use crate::record::{Lane, Location, Record};
use crate::seal::{KeyRing, SegmentKey, TAG, key_of, seal_new};
use crate::storage::{Storage, StorageFile, read_exact, write_all};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// The segment that a lane writes to. Only the process that made a segment has one of these for it.
pub(crate) struct Active {
    pub(crate) lane: Lane,
    pub(crate) segment: u64,
    pub(crate) seed: Seed,
    pub(crate) key: Option<SegmentKey>,
    pub(crate) file: Box<dyn StorageFile>,
    /// Where the next commit starts; a multiple of the page.
    pub(crate) offset: u32,
    pub(crate) size: u32,
}

impl Active {
    /// Makes a segment that is durable, name included, before anything is committed to it: zeros, two headers,
    /// sync of file and directory. With `reuse`, a file of that name and size takes the place of the zeros, and gets its new
    /// name only when its new headers are on flash. What is left of a failed attempt is removed.
    pub(crate) fn create(
        storage: &dyn Storage,
        lane: Lane,
        segment: u64,
        journal: [u8; 16],
        size: u32,
        keys: Option<&KeyRing>,
        reuse: Option<&str>,
    ) -> Result<Self, DiskError> {
        let name = segment_name(lane, segment);
        let failed = |error| DiskError::new(format!("making {name}"), error);
        let salt = random().map_err(failed)?;
        let mut header = SegmentHeader {
            reused: reuse.is_some(),
            ..SegmentHeader::new(lane, segment, salt, journal, size)
        };
        let key = seal_new(&mut header, keys)?;
        let header = header.encode();
        let begin = || match reuse {
            Some(old) => storage.open(old),
            None => storage.create(&name).and_then(|file| file.allocate(size.into()).map(|()| file)),
        };
        let written = begin().and_then(|file| {
            write_all(&*file, &header, 0)?;
            write_all(&*file, &header, PAGE.into())?;
            file.sync_data()?;
            if let Some(old) = reuse {
                storage.rename(old, &name)?;
            }
            storage.sync_dir()?;
            Ok(file)
        });
        match written {
            Ok(file) => {
                Ok(Self { lane, segment, seed: Seed::new(&salt), key, file, offset: SEGMENT_START, size })
            }
            Err(error) => {
                // Nothing was committed to it. If even this fails, the next start removes it.
                let _ = storage.remove(&name);
                if let Some(old) = reuse {
                    let _ = storage.remove(old);
                }
                Err(failed(error))
            }
        }
    }

    pub(crate) const fn room(&self) -> u32 {
        self.size.saturating_sub(self.offset)
    }
}

/// The two copies of a segment's header page, each if intact.
pub(crate) fn read_headers(file: &dyn StorageFile) -> [Option<SegmentHeader>; 2] {
    [0, u64::from(PAGE)].map(|offset| {
        let mut page = [0; PAGE_LEN];
        read_exact(file, &mut page, offset).ok()?;
        SegmentHeader::parse(&page)
    })
}

/// Open segments for reading, the most recently used last.
#[derive(Default)]
pub(crate) struct Readers {
    open: Mutex<Vec<Arc<Reader>>>,
}

struct Reader {
    lane: Lane,
    segment: u64,
    seed: Seed,
    key: Option<SegmentKey>,
    size: u32,
    file: Box<dyn StorageFile>,
}

impl Readers {
    const KEPT: usize = 16;

    /// Forgets a segment that was given back.
    pub(crate) fn forget(&self, lane: Lane, segment: u64) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|reader| reader.lane != lane || reader.segment != segment);
    }

    pub(crate) fn read(
        &self,
        storage: &dyn Storage,
        keys: Option<&KeyRing>,
        at: Location,
    ) -> Result<Record, ReadError> {
        let reader = self.reader(storage, keys, at)?;
        let damaged = || ReadError::Damaged(at);
        // A location may come from anywhere that serde reads; do not allocate whatever it says.
        if at.len > reader.size {
            return Err(damaged());
        }
        let mut bytes = vec![0; usize::try_from(at.len).map_err(|_| damaged())?];
        read_exact(&*reader.file, &mut bytes, at.offset.into()).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged(),
            _ => ReadError::Disk(DiskError::new(
                format!("reading {}", segment_name(at.lane, at.segment)),
                error,
            )),
        })?;
        let record = RawRecord::parse(&bytes)
            .filter(|record| record.len == bytes.len() && RawRecord::is_intact(&bytes, reader.seed))
            .ok_or_else(damaged)?;
        let (sequence, kind, meta_version) = (record.sequence, record.kind, record.meta_version);
        let (meta_len, carried) = (record.meta.len(), record.carried);
        if let Some(key) = &reader.key {
            if !key.open(at.offset, &mut bytes) {
                return Err(ReadError::Seal(at));
            }
            bytes.truncate(bytes.len().saturating_sub(TAG));
        }
        Ok(Record { bytes, location: at, sequence, kind, meta_version, meta_len, carried })
    }

    /// The record of *results* whose header is at this place.
    pub(crate) fn read_at(
        &self,
        storage: &dyn Storage,
        keys: Option<&KeyRing>,
        segment: u64,
        offset: u32,
    ) -> Result<Record, ReadError> {
        let mut at = Location { lane: Lane::Results, segment, offset, len: 0 };
        let mut len = [0; 4];
        let reader = self.reader(storage, keys, at)?;
        read_exact(&*reader.file, &mut len, offset.into()).map_err(|_| ReadError::Damaged(at))?;
        at.len = u32::from_le_bytes(len);
        self.read(storage, keys, at)
    }

    fn reader(
        &self,
        storage: &dyn Storage,
        keys: Option<&KeyRing>,
        at: Location,
    ) -> Result<Arc<Reader>, ReadError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let known = open.iter().position(|reader| reader.lane == at.lane && reader.segment == at.segment);
        let reader = match known {
            Some(index) => open.remove(index),
            None => Arc::new(Reader::open(storage, keys, at)?),
        };
        if open.len() >= Self::KEPT {
            open.remove(0);
        }
        open.push(Arc::clone(&reader));
        Ok(reader)
    }
}

impl Reader {
    fn open(storage: &dyn Storage, keys: Option<&KeyRing>, at: Location) -> Result<Self, ReadError> {
        let name = segment_name(at.lane, at.segment);
        let file = storage.open(&name).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ReadError::NoSegment(at.lane, at.segment),
            _ => ReadError::Disk(DiskError::new(format!("opening {name}"), error)),
        })?;
        let header = read_headers(&*file)
            .into_iter()
            .flatten()
            .find(|header| {
                header.lane == at.lane && header.segment == at.segment && header.oldest_reader <= FORMAT
            })
            .ok_or(ReadError::Damaged(at))?;
        Ok(Self {
            lane: at.lane,
            segment: at.segment,
            seed: Seed::new(&header.salt),
            key: key_of(&header, keys)?,
            size: header.size,
            file,
        })
    }
}
