//! The header page of a ring's file, and of each part of it that another process wrote. FORMAT.md says the same.

use super::NAME;
use crate::bytes::{Fields, put};
use crate::format::{FORMAT, PAGE_LEN, checked_page, finish_page};
use crate::seal::KeyId;

const MAGIC: [u8; 8] = *b"ORUGATEW";
const OLDEST_READER: u16 = 1;
const SEALED: u8 = 1;

/// One header page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RingHeader {
    pub(crate) oldest_reader: u16,
    pub(crate) salt: [u8; 16],
    /// Of the file; the same in all its header pages.
    pub(crate) number: u64,
    /// When this part was begun, Unix milliseconds; 0: the clock was not set.
    pub(crate) begun: u64,
    pub(crate) journal: [u8; 16],
    pub(crate) key: Option<KeyId>,
    /// The ring's.
    pub(crate) name: String,
}

impl RingHeader {
    pub(crate) const fn new(
        name: String,
        number: u64,
        salt: [u8; 16],
        journal: [u8; 16],
        begun: u64,
    ) -> Self {
        Self { oldest_reader: OLDEST_READER, salt, number, begun, journal, key: None, name }
    }

    pub(crate) fn encode(&self) -> [u8; PAGE_LEN] {
        let mut page = [0; PAGE_LEN];
        let name = self.name.as_bytes();
        let name = name.get(..NAME).unwrap_or(name);
        put(&mut page, 0, &MAGIC);
        put(&mut page, 8, &FORMAT.to_le_bytes());
        put(&mut page, 10, &self.oldest_reader.to_le_bytes());
        put(&mut page, 13, &[u8::try_from(name.len()).unwrap_or(0)]);
        put(&mut page, 16, &self.salt);
        put(&mut page, 32, &self.number.to_le_bytes());
        put(&mut page, 40, &self.begun.to_le_bytes());
        put(&mut page, 48, &self.journal);
        if let Some(key) = self.key {
            put(&mut page, 12, &[SEALED]);
            put(&mut page, 64, &key.0);
        }
        put(&mut page, 72, name);
        finish_page(&mut page);
        page
    }

    /// `None`: not a header page, a damaged one, or one of a format that must not be read.
    pub(crate) fn parse(page: &[u8]) -> Option<Self> {
        let mut fields = Fields(checked_page(page)?);
        if fields.array()? != MAGIC {
            return None;
        }
        let _format = fields.u16()?;
        let oldest_reader = fields.u16()?;
        let sealed = fields.u8()?;
        let length = usize::from(fields.u8()?);
        fields.bytes(2)?;
        let salt = fields.array()?;
        let number = fields.u64()?;
        let begun = fields.u64()?;
        let journal = fields.array()?;
        let key = fields.array()?;
        let key = match sealed {
            0 => None,
            SEALED => Some(KeyId(key)),
            _ => return None,
        };
        let name = String::from_utf8(fields.bytes(length)?.to_vec()).ok()?;
        (oldest_reader <= FORMAT && length <= NAME).then_some(Self {
            oldest_reader,
            salt,
            number,
            begun,
            journal,
            key,
            name,
        })
    }
}
