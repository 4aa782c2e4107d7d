//! The ways to keep records that are compared, each with what its makers recommend for a queue that must not lose anything.

use super::payloads::Payloads;
use crate::Anything;
use orugate_journal::{
    Batch, Journal, Keeper, KeyRing, Kind, Lane, Location, NewRecord, Options, RecordRef, SealKey,
    UnixMillis, Urgency, storage::FileStorage,
};
use redb::{Database, TableDefinition};
use rusqlite::Connection;
use std::fs::File;
use std::io::Write as _;
use std::iter::Sum;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("queue");
/// What our journals may take, but for those that are to grow: eight segments of the default size, the least there is.
const ROOM: u64 = 32 << 20;
/// Bytes that a record has besides its payload, and a commit besides its records (`FORMAT.md`).
const RECORD_HEADER: u64 = 24;
const COMMIT_HEADER: u64 = 64;
const TAG: u64 = 16;
const PAGE: u64 = 4096;
const CREATED: UnixMillis = UnixMillis(1_760_000_000_000);

/// Who takes part.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Our journal, full, so that each segment's file is used again.
    Journal,
    /// The same with AES-256-GCM.
    Sealed,
    /// Our journal while it has room to grow, so that each segment is filled with zeros first.
    Growing,
    /// Our journal, full, and as many threads as the group has records; each waits for its own record.
    Appenders,
    Sqlite,
    Redb,
    /// No log at all: each group's payload, up to whole pages, over zeros and synced. Nobody can be sparing and faster.
    Disk,
}

impl Engine {
    /// Its name on the page.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Sealed => "journal, sealed",
            Self::Growing => "journal, while it grows",
            Self::Appenders => "journal, each record from a thread of its own",
            Self::Sqlite => "SQLite",
            Self::Redb => "redb",
            Self::Disk => "the disk itself",
        }
    }

    /// Makes a new store in an empty folder.
    pub fn create(self, folder: &Path) -> Anything<Box<dyn Store>> {
        Ok(match self {
            Self::Journal => Box::new(Ours { journal: journal(folder, ROOM, None)?, alone: false }),
            Self::Sealed => Box::new(Ours { journal: journal(folder, ROOM, Some(key()?))?, alone: false }),
            Self::Growing => Box::new(Ours { journal: journal(folder, 1 << 30, None)?, alone: false }),
            Self::Appenders => Box::new(Ours { journal: journal(folder, ROOM, None)?, alone: true }),
            Self::Sqlite => Box::new(sqlite(folder)?),
            Self::Redb => Box::new(Redb { database: Database::create(folder.join("queue.redb"))?, next: 0 }),
            Self::Disk => Box::new(disk(folder)?),
        })
    }

    /// Bytes of payload after which it is as it will stay: our journal has been once round its room, SQLite's log has its
    /// full size.
    pub const fn settles_after(self) -> u64 {
        match self {
            Self::Growing | Self::Disk => 0,
            Self::Journal | Self::Sealed | Self::Appenders => ROOM,
            Self::Sqlite | Self::Redb => ROOM / 8,
        }
    }

    /// What a commit of ours takes; the rest of what is measured is housekeeping. `None` for others, and where it depends
    /// on chance what is in a commit.
    pub fn own(self, group: &[&[u8]]) -> Option<Own> {
        let tag = match self {
            Self::Journal | Self::Growing => 0,
            Self::Sealed => TAG,
            Self::Appenders | Self::Sqlite | Self::Redb | Self::Disk => return None,
        };
        let headers = COMMIT_HEADER + (RECORD_HEADER + tag) * group.len() as u64;
        let payload: u64 = group.iter().map(|payload| payload.len() as u64).sum();
        let all = headers + payload;
        Some(Own { headers, filling: all.next_multiple_of(PAGE) - all })
    }
}

/// Bytes of our own commits besides the payload.
#[derive(Clone, Copy, Default)]
pub struct Own {
    /// Of commits and records, tags included.
    pub headers: u64,
    /// Up to whole pages.
    pub filling: u64,
}

impl Sum for Own {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            headers: sum.headers + one.headers,
            filling: sum.filling + one.filling,
        })
    }
}

/// One store, new or in use.
pub trait Store {
    /// Puts these records on the disk in one step and returns when they are durable.
    fn commit(&mut self, group: &[&[u8]]) -> Anything<()>;

    /// Does what it has put off.
    fn settle(&mut self) -> Anything<()> {
        Ok(())
    }

    /// So many commits of so many records each.
    fn run(&mut self, payloads: &mut Payloads<'_>, commits: usize, group: usize) -> Anything<()> {
        for _ in 0..commits {
            self.commit(&payloads.take(group))?;
        }
        Ok(())
    }
}

struct Ours {
    journal: Journal,
    /// Each record of a group comes from a thread of its own.
    alone: bool,
}

impl Store for Ours {
    fn commit(&mut self, group: &[&[u8]]) -> Anything<()> {
        let mut records = group.iter().map(|payload| record(payload));
        let mut batch = Batch::new(Lane::Results, Urgency::Now, records.next().ok_or("an empty group")?);
        records.for_each(|record| batch.push(record));
        Ok(self.journal.append_wait(batch).map(drop)?)
    }

    fn run(&mut self, payloads: &mut Payloads<'_>, commits: usize, group: usize) -> Anything<()> {
        if !self.alone {
            for _ in 0..commits {
                self.commit(&payloads.take(group))?;
            }
            return Ok(());
        }
        let all: Vec<_> = (0..commits).map(|_| payloads.take(group)).collect();
        std::thread::scope(|scope| {
            let appenders: Vec<_> = (0..group)
                .map(|n| {
                    let (journal, all) = (self.journal.clone(), &all);
                    scope.spawn(move || {
                        all.iter().filter_map(|group| group.get(n)).try_for_each(|payload| {
                            let batch = Batch::new(Lane::Results, Urgency::Now, record(payload));
                            journal.append_wait(batch).map(drop)
                        })
                    })
                })
                .collect();
            appenders
                .into_iter()
                .try_for_each(|appender| Ok(appender.join().map_err(|_| "an appender failed")??))
        })
    }
}

fn record(payload: &[u8]) -> NewRecord {
    NewRecord::new(Kind(1), 1, Vec::new(), payload.to_vec())
}

fn journal(folder: &Path, room: u64, keys: Option<KeyRing>) -> Anything<Journal> {
    let options = Options { max_size: room, keys, ..Options::default() };
    drop(Journal::create(FileStorage::new(folder)?, CREATED, options.clone())?);
    Ok(Journal::open_for(FileStorage::new(folder)?, options, Arc::new(NothingNeeded))?.0)
}

fn key() -> Anything<KeyRing> {
    let bytes = SealKey::random_bytes().ok_or("no random numbers")?;
    Ok(KeyRing::new(SealKey::new(bytes).ok_or("the crypto library does not work")?, Vec::new()))
}

/// A keeper with little to say, to which everything is settled at once: what is measured is the log, not what is in it.
struct NothingNeeded;

impl Keeper for NothingNeeded {
    fn seen(&self, _: &[RecordRef<'_>]) {}

    fn checkpoint(&self) -> Vec<u8> {
        vec![1]
    }

    fn restore(&self, _: &[u8]) -> bool {
        true
    }

    fn needed_in(&self, _: Lane, _: u64) -> Vec<Location> {
        Vec::new()
    }

    fn needed_bytes(&self) -> u64 {
        0
    }

    fn thinned(&self, _: u64) {}
}

struct Sqlite(Connection);

fn sqlite(folder: &Path) -> Anything<Sqlite> {
    let connection = Connection::open(folder.join("queue.sqlite"))?;
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err("SQLite has no WAL here".into());
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch("CREATE TABLE queue (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")?;
    Ok(Sqlite(connection))
}

impl Store for Sqlite {
    fn commit(&mut self, group: &[&[u8]]) -> Anything<()> {
        let transaction = self.0.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO queue (body) VALUES (?1)")?;
            for payload in group {
                insert.execute([payload])?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// What its log has goes into its table, before and after what is measured, so that neither is charged to the other.
    fn settle(&mut self) -> Anything<()> {
        let busy: i64 = self.0.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get(0))?;
        if busy == 0 { Ok(()) } else { Err("SQLite could not empty its log".into()) }
    }
}

struct Redb {
    database: Database,
    next: u64,
}

impl Store for Redb {
    fn commit(&mut self, group: &[&[u8]]) -> Anything<()> {
        let transaction = self.database.begin_write()?;
        {
            let mut table = transaction.open_table(TABLE)?;
            for payload in group {
                table.insert(self.next, payload)?;
                self.next += 1;
            }
        }
        Ok(transaction.commit()?)
    }
}

struct Disk {
    file: File,
    at: u64,
}

fn disk(folder: &Path) -> Anything<Disk> {
    let mut file = File::create(folder.join("pages"))?;
    file.write_all(&vec![0; ROOM as usize])?;
    file.sync_all()?;
    Ok(Disk { file, at: 0 })
}

impl Store for Disk {
    fn commit(&mut self, group: &[&[u8]]) -> Anything<()> {
        let mut bytes = group.concat();
        bytes.resize(bytes.len().next_multiple_of(PAGE as usize), 0);
        if self.at + bytes.len() as u64 > ROOM {
            self.at = 0;
        }
        self.file.write_all_at(&bytes, self.at)?;
        self.at += bytes.len() as u64;
        Ok(self.file.sync_data()?)
    }
}
