//! A storage that counts the bytes which are written through it, whoever writes them, so that the wear of the medium can be
//! told. A write that failed halfway counts as far as it came; what the file system adds of its own is not seen here.

use crate::storage::{Storage, StorageFile};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The storage that is counted.
pub(crate) struct Counted {
    inner: Box<dyn Storage>,
    written: Arc<AtomicU64>,
}

struct CountedFile {
    inner: Box<dyn StorageFile>,
    written: Arc<AtomicU64>,
}

impl Counted {
    /// The storage, and its count.
    pub(crate) fn over(inner: Box<dyn Storage>) -> (Box<dyn Storage>, Arc<AtomicU64>) {
        let written = Arc::new(AtomicU64::new(0));
        (Box::new(Self { inner, written: Arc::clone(&written) }), written)
    }

    fn file(&self, inner: Box<dyn StorageFile>) -> Box<dyn StorageFile> {
        Box::new(CountedFile { inner, written: Arc::clone(&self.written) })
    }
}

impl Storage for Counted {
    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        self.inner.lock()
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        Ok(self.file(self.inner.create(name)?))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        Ok(self.file(self.inner.open(name)?))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner.remove(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.inner.rename(from, to)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.inner.list()
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.inner.sync_dir()
    }
}

impl StorageFile for CountedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let count = self.inner.write_at(bytes, offset)?;
        self.written.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.inner.sync_data()
    }

    fn size(&self) -> io::Result<u64> {
        self.inner.size()
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.inner.allocate(len)?;
        self.written.fetch_add(len, Ordering::Relaxed);
        Ok(())
    }

    fn trim(&self, len: u64) -> io::Result<()> {
        self.inner.trim(len)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test that cannot go on has failed.
    use crate::model::ModelDisk;
    use crate::{Batch, Journal, Kind, Lane, NewRecord, Options, UnixMillis, Urgency};

    const NOW: UnixMillis = UnixMillis(1_795_305_600_000);

    #[test]
    fn commits_headers_zeros_and_the_ceiling_are_counted() {
        let disk = ModelDisk::new();
        let options =
            Options { segment_size: 64 << 10, max_commit: 32 << 10, max_size: 4 << 20, ..Options::default() };
        drop(Journal::create(disk.clone(), NOW, options.clone()).unwrap());
        let (journal, _) = Journal::open(disk, options, &mut |_| {}).unwrap();
        let append = |bytes| {
            let record = NewRecord::new(Kind(1), 1, Vec::new(), vec![7; bytes]);
            let _ = journal.append_wait(Batch::new(Lane::Results, Urgency::Now, record)).unwrap();
            journal.written()
        };
        let begun = journal.written();
        // A start raises the ceiling: what it found, and the next one.
        assert_eq!(begun, 2 * 4096);
        // A segment of zeros, its two headers, and a page.
        let first = append(100);
        assert_eq!(first, begun + (64 << 10) + 2 * 4096 + 4096);
        assert_eq!(append(100), first + 4096);
        // A commit is whole pages.
        assert_eq!(append(5000), first + 3 * 4096);
        let mut last = journal.written();
        let mut zeros = 0;
        for _ in 0..100 {
            let now = append(8000);
            zeros += u64::from(now - last > 8192);
            last = now;
        }
        assert!(zeros > 10, "each new segment costs its zeros");
    }
}
