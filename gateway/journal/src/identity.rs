//! The file `journal.id`: who this journal is, written once, and how far its numbers may go, written now and then.
//! The two ceiling pages are written in turn, so the valid one is never the one being written.

use crate::bytes::{Fields, put};
use crate::error::{DiskError, OpenError};
use crate::format::{FORMAT, PAGE, PAGE_LEN, checked_page, finish_page};
use crate::record::{Seq, UnixMillis};
use crate::recover::{Damage, DamageKind};
use crate::sequence::{LEAP, beyond};
use crate::storage::{Storage, StorageFile, read_exact, write_all};
use std::fs::File;
use std::io::{self, Read};

pub(crate) const IDENTITY_FILE: &str = "journal.id";
/// Its name while the rest of a copy is not there yet.
pub(crate) const PART: &str = "journal.id.part";
const MAGIC: [u8; 8] = *b"ORUGATEJ";
const CEILING_MAGIC: [u8; 8] = *b"ORUGATEC";
/// Pages 0 and 1: the identity. Pages 2 and 3: the ceiling.
const CEILING_PAGE: u64 = 2;
const OLDEST_READER: u16 = 1;

/// What a journal was born with; it never changes.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    pub(crate) journal: [u8; 16],
    pub(crate) hash_key: [u8; 16],
    pub(crate) created: UnixMillis,
    pub(crate) start: Seq,
}

/// Without the key: it keeps specimen hashes from being guessed, and debug output ends up in logs.
impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("created", &self.created)
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}

impl Identity {
    pub(crate) fn new(now: UnixMillis) -> io::Result<Self> {
        Ok(Self {
            journal: random()?,
            hash_key: random()?,
            created: now,
            start: Seq(now.0.saturating_mul(1000)),
        })
    }

    /// Random bytes that tell this journal from every other.
    #[must_use]
    pub const fn journal(&self) -> &[u8; 16] {
        &self.journal
    }

    /// The key for keyed hashes of identifiers, so that a hash in a file or a log does not give them away.
    #[must_use]
    pub const fn hash_key(&self) -> &[u8; 16] {
        &self.hash_key
    }

    /// When the journal was created.
    #[must_use]
    pub const fn created(&self) -> UnixMillis {
        self.created
    }

    /// The first number of the sequence.
    #[must_use]
    pub const fn start(&self) -> Seq {
        self.start
    }

    fn encode(&self) -> [u8; PAGE_LEN] {
        let mut page = [0; PAGE_LEN];
        put(&mut page, 0, &MAGIC);
        put(&mut page, 8, &FORMAT.to_le_bytes());
        put(&mut page, 10, &OLDEST_READER.to_le_bytes());
        put(&mut page, 16, &self.journal);
        put(&mut page, 32, &self.hash_key);
        put(&mut page, 48, &self.created.0.to_le_bytes());
        put(&mut page, 56, &self.start.0.to_le_bytes());
        finish_page(&mut page);
        page
    }

    /// With the oldest reader that may go on.
    fn parse(page: &[u8]) -> Option<(Self, u16)> {
        let mut fields = Fields(checked_page(page)?);
        if fields.array()? != MAGIC {
            return None;
        }
        let _format = fields.u16()?;
        let oldest_reader = fields.u16()?;
        fields.bytes(4)?;
        let (journal, hash_key) = (fields.array()?, fields.array()?);
        let created = UnixMillis(fields.u64()?);
        let start = Seq(fields.u64()?);
        Some((Self { journal, hash_key, created, start }, oldest_reader))
    }
}

fn ceiling_page(generation: u64, ceiling: u64) -> [u8; PAGE_LEN] {
    let mut page = [0; PAGE_LEN];
    put(&mut page, 0, &CEILING_MAGIC);
    put(&mut page, 8, &generation.to_le_bytes());
    put(&mut page, 16, &ceiling.to_le_bytes());
    finish_page(&mut page);
    page
}

fn parse_ceiling(page: &[u8]) -> Option<(u64, u64)> {
    let mut fields = Fields(checked_page(page)?);
    (fields.array()? == CEILING_MAGIC).then_some(())?;
    Some((fields.u64()?, fields.u64()?))
}

/// The ceiling's side of the file, kept open by the writer.
pub(crate) struct CeilingFile {
    file: Box<dyn StorageFile>,
    generation: u64,
    /// What the newest page says, when that is known from reading only: it may be in no more than the page cache.
    unproven: Option<u64>,
}

impl Loaded {
    /// Makes sure that this number and some more can be given.
    pub(crate) fn raise_for(&mut self, number: u64) -> Result<(), DiskError> {
        if number.saturating_add(LEAP / 2) > self.ceiling {
            let ceiling = number.saturating_add(LEAP);
            self.file.raise(ceiling)?;
            self.ceiling = ceiling;
        }
        Ok(())
    }
}

impl CeilingFile {
    pub(crate) fn raise(&mut self, ceiling: u64) -> Result<(), DiskError> {
        // The other page is written over only when this one is certainly on flash.
        if let Some(newest) = self.unproven {
            self.write(self.generation, newest)?;
            self.unproven = None;
        }
        let generation = self.generation.saturating_add(1);
        self.write(generation, ceiling)?;
        self.generation = generation;
        Ok(())
    }

    fn write(&self, generation: u64, ceiling: u64) -> Result<(), DiskError> {
        let offset = (CEILING_PAGE + generation % 2) * u64::from(PAGE);
        write_all(&*self.file, &ceiling_page(generation, ceiling), offset)
            .and_then(|()| self.file.sync_data())
            .map_err(|error| DiskError::new("raising the sequence's ceiling in journal.id", error))
    }
}

/// What `journal.id` holds, and which of its pages were unreadable.
pub(crate) struct Loaded {
    pub(crate) identity: Identity,
    pub(crate) file: CeilingFile,
    pub(crate) ceiling: u64,
    pub(crate) damaged_pages: Vec<u64>,
}

impl Loaded {
    /// No number from here on was ever given; `None` when the ceiling is not known.
    pub(crate) fn beyond(&self) -> Option<u64> {
        (self.damaged_ceilings() < 2).then(|| beyond(self.ceiling))
    }

    /// Pages of the ceiling that are damaged.
    pub(crate) fn damaged_ceilings(&self) -> usize {
        self.damaged_pages.iter().filter(|&&number| number >= CEILING_PAGE).count()
    }

    /// What of it is damage. A power cut may tear the one ceiling page that was being written, so only both are.
    pub(crate) fn damage(&self) -> impl Iterator<Item = Damage> {
        let both = self.damaged_ceilings() == 2;
        self.damaged_pages.iter().filter(move |&&number| number < CEILING_PAGE || both).map(|number| Damage {
            file: IDENTITY_FILE.into(),
            offset: number * u64::from(PAGE),
            bytes: u64::from(PAGE),
            kind: DamageKind::Identity,
        })
    }
}

/// All four pages.
fn encode_all(identity: &Identity, ceiling: u64) -> Vec<u8> {
    let page = identity.encode();
    [page, page, ceiling_page(0, ceiling), ceiling_page(1, ceiling)].concat()
}

/// Writes a new identity durably, the file's name included.
pub(crate) fn create(storage: &dyn Storage, identity: &Identity) -> io::Result<()> {
    let file = storage.create(IDENTITY_FILE)?;
    write_all(&*file, &encode_all(identity, identity.start.0), 0)?;
    file.sync_data()?;
    storage.sync_dir()
}

/// The file for a copy: as it is, or with this ceiling in place of its own.
pub(crate) fn pages(storage: &dyn Storage, ceiling: Option<u64>) -> Result<Vec<u8>, OpenError> {
    let loaded = load(storage)?;
    if let Some(ceiling) = ceiling {
        return Ok(encode_all(&loaded.identity, ceiling));
    }
    let mut pages = vec![0; 4 * PAGE_LEN];
    // The writer may be in the middle of a page. One that stays so was torn or damaged before.
    for _ in 0..8 {
        for (page, offset) in pages.chunks_mut(PAGE_LEN).zip((0..).step_by(PAGE_LEN)) {
            if read_exact(&*loaded.file.file, page, offset).is_err() {
                page.fill(0);
            }
        }
        if pages.chunks(PAGE_LEN).all(|page| checked_page(page).is_some()) {
            break;
        }
    }
    Ok(pages)
}

pub(crate) fn load(storage: &dyn Storage) -> Result<Loaded, OpenError> {
    let file = storage.open(IDENTITY_FILE).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => OpenError::Missing,
        _ => OpenError::Disk(DiskError::new("opening journal.id", error)),
    })?;
    let mut damaged_pages = Vec::new();
    let mut identity = None;
    let mut ceiling: Option<(u64, u64)> = None;
    for number in 0..4 {
        let mut page = [0; PAGE_LEN];
        let readable = read_exact(&*file, &mut page, number * u64::from(PAGE)).is_ok();
        let intact = readable
            && if number < CEILING_PAGE {
                Identity::parse(&page).is_some_and(|found| {
                    identity.get_or_insert(found);
                    true
                })
            } else {
                parse_ceiling(&page).is_some_and(|found| {
                    ceiling = ceiling.max(Some(found));
                    true
                })
            };
        if !intact {
            damaged_pages.push(number);
        }
    }
    let (identity, oldest_reader) = identity.ok_or(OpenError::IdentityDamaged)?;
    if oldest_reader > FORMAT {
        return Err(OpenError::TooNew { file: IDENTITY_FILE.into(), needs: oldest_reader });
    }
    let unproven = ceiling.map(|(_, ceiling)| ceiling);
    let (generation, ceiling) = ceiling.unwrap_or((1, identity.start.0));
    Ok(Loaded { file: CeilingFile { file, generation, unproven }, ceiling, identity, damaged_pages })
}

/// Bytes from the operating system's generator.
pub(crate) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelDisk;

    #[test]
    fn the_ceiling_pages_take_turns() {
        let disk = ModelDisk::new();
        let identity = Identity::new(UnixMillis(1_800_000_000_000)).unwrap();
        create(&disk, &identity).unwrap();
        let mut loaded = load(&disk).unwrap();
        assert_eq!((&loaded.identity, loaded.ceiling), (&identity, 1_800_000_000_000_000));
        for ceiling in [2_000_000_000_000_000, 2_000_000_000_000_001] {
            loaded.file.raise(ceiling).unwrap();
            assert_eq!(load(&disk).unwrap().ceiling, ceiling);
        }
        // The newest is in page 3; losing it leaves the one before, and says so.
        disk.edit(IDENTITY_FILE, |bytes| bytes[3 * PAGE_LEN + 20] ^= 1);
        let loaded = load(&disk).unwrap();
        assert_eq!((loaded.ceiling, &loaded.damaged_pages[..]), (2_000_000_000_000_000, &[3][..]));
    }

    #[test]
    fn debug_output_hides_the_key() {
        let identity = Identity::new(UnixMillis(1_800_000_000_000)).unwrap();
        assert_eq!(
            format!("{identity:?}"),
            "Identity { created: UnixMillis(1800000000000), start: Seq(1800000000000000), .. }"
        );
    }
}
