//! `orugate journal export`: what is in a journal, in files of its owner.

use super::{DAMAGED, Filter, IO, Stop, USAGE, remark};
use crate::archive::{Archive, Journal, names};
use crate::records::{Chunk, Meta, Oru};
use crate::words::count;
use orugate_journal::{Commit, RecordRef, Spot};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// What is exported.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Raw,
    Oru,
    All,
}

/// A file that was not there, for its owner only.
pub(in crate::cli) fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Where it goes.
enum To {
    Folder(PathBuf),
    File(Box<dyn Write>),
}

impl To {
    fn new(to: &Path, what: What) -> Result<Self, Stop> {
        if to == Path::new("-") {
            return Ok(Self::File(Box::new(io::stdout())));
        }
        if to.is_dir() && what != What::All {
            return Ok(Self::Folder(to.to_owned()));
        }
        let path = if to.is_dir() { to.join("records.jsonl") } else { to.to_owned() };
        match new_file(&path) {
            Ok(file) => Ok(Self::File(Box::new(BufWriter::new(file)))),
            Err(error) => {
                eprintln!("{}: {error}. Give a folder that is there, or a file that is not.", path.display());
                Err(Stop::Said(if error.kind() == io::ErrorKind::AlreadyExists { USAGE } else { IO }))
            }
        }
    }

    fn write(&mut self, name: &str, bytes: &[u8], framed: bool) -> io::Result<()> {
        match self {
            Self::Folder(folder) => new_file(&folder.join(name))?.write_all(bytes),
            Self::File(file) if framed => {
                file.write_all(b"\x0B")?;
                file.write_all(bytes)?;
                file.write_all(b"\x1C\r")
            }
            Self::File(file) => file.write_all(bytes),
        }
    }

    fn end(self) -> io::Result<()> {
        match self {
            Self::Folder(_) => Ok(()),
            Self::File(mut file) => file.flush(),
        }
    }
}

/// What is wanted, and what was written.
struct Export<'a> {
    archive: &'a Archive,
    /// Messages whose raw bytes are not given out any more.
    withheld: BTreeSet<u64>,
    /// The messages; `None` for all, and all that is about none.
    wanted: Option<BTreeSet<u64>>,
    what: What,
    to: To,
    /// Chunks of messages that are not whole yet.
    parts: BTreeMap<u64, BTreeMap<u64, Vec<u8>>>,
    /// ORUs that were written: a copy of one that was carried forward is the same.
    written: BTreeSet<u64>,
    /// Messages of `withheld` that were asked for.
    left_out: BTreeSet<u64>,
    count: u64,
}

pub(super) fn run(journal: &Journal, filter: &Filter, what: What, to: &Path) -> Result<u8, Stop> {
    let (archive, _) = journal.archive()?;
    let from = filter.from();
    let takes = |message: &crate::archive::Message| filter.takes(&archive, message, from);
    let chosen = archive.messages.iter().filter(|(_, message)| takes(message)).map(|(number, _)| *number);
    let wanted = (!filter.is_all()).then(|| chosen.collect::<BTreeSet<_>>());
    let to_words = to.display();
    let old = archive.messages.iter().filter(|(_, message)| journal.withholds(&archive, message));
    let mut export = Export {
        archive: &archive,
        withheld: old.map(|(number, _)| *number).collect(),
        wanted,
        what,
        to: To::new(to, what)?,
        parts: BTreeMap::new(),
        written: BTreeSet::new(),
        left_out: BTreeSet::new(),
        count: 0,
    };
    let mut failed = Ok(());
    let inspected = journal.walk(&mut |commit| {
        if failed.is_ok() {
            failed = export.commit(commit);
        }
    })?;
    let left_out = export.left_out.len() as u64;
    let count_of = failed.and_then(|()| export.end(&inspected.damaged));
    let exported = match count_of {
        Ok(exported) => exported,
        Err(error) if to == Path::new("-") => return Err(error.into()),
        Err(error) => {
            eprintln!("{to_words}: {error}. The export is not whole.");
            return Err(Stop::Said(IO));
        }
    };
    let things = match what {
        What::Raw => count(exported, "message", "messages"),
        What::Oru => count(exported, "ORU", "ORUs"),
        What::All => count(exported, "record", "records"),
    };
    if to != Path::new("-") {
        println!("{things} in {to_words}. They hold patients' data.");
    }
    if left_out > 0 {
        eprintln!(
            "{} settled and older than keep_raw in [journal]: what instruments sent of them is left out.",
            count(left_out, "message is", "messages are")
        );
    }
    remark(inspected.damaged.len());
    Ok(if inspected.damaged.is_empty() { 0 } else { DAMAGED })
}

impl Export<'_> {
    fn commit(&mut self, commit: &Commit<'_>) -> io::Result<()> {
        for record in commit.records {
            let about = self.archive.about(record);
            let wanted = self.wanted.as_ref();
            if wanted.is_some_and(|wanted| about.is_none_or(|message| !wanted.contains(&message))) {
                continue;
            }
            let raw = record.kind.0 == Chunk::KIND;
            let withheld = raw && about.is_some_and(|message| self.withheld.contains(&message));
            self.left_out.extend(about.filter(|_| withheld && self.what != What::Oru));
            match self.what {
                What::All => {
                    self.to.write("", line(commit, record, about, withheld).as_bytes(), false)?;
                    self.count += 1;
                }
                What::Raw if raw && !withheld && !commit.void => self.chunk(record, about)?,
                What::Oru if record.kind.0 == Oru::KIND && !commit.void => self.oru(record)?,
                What::Raw | What::Oru => {}
            }
        }
        Ok(())
    }

    fn chunk(&mut self, record: &RecordRef<'_>, about: Option<u64>) -> io::Result<()> {
        let Some(number) = about.filter(|number| !self.written.contains(number)) else { return Ok(()) };
        let parts = self.parts.entry(number).or_default();
        parts.insert(record.sequence.0, record.payload.to_vec());
        let all = self.archive.messages.get(&number).map_or(0, |message| message.chunks.len());
        if parts.len() >= all { self.message(number) } else { Ok(()) }
    }

    fn message(&mut self, number: u64) -> io::Result<()> {
        let bytes =
            self.parts.remove(&number).into_iter().flatten().flat_map(|(_, chunk)| chunk).collect::<Vec<_>>();
        let instrument = self.archive.messages.get(&number).map(|message| message.instrument.clone());
        let name = format!("{number}-{}.raw", file_name(&instrument.unwrap_or_default()));
        self.to.write(&name, &bytes, false)?;
        self.written.insert(number);
        self.count += 1;
        Ok(())
    }

    fn oru(&mut self, record: &RecordRef<'_>) -> io::Result<()> {
        let number = record.sequence.0;
        let Some(made) = self.archive.orus.get(&number).filter(|_| !self.written.contains(&number)) else {
            return Ok(());
        };
        let name = format!("{number}-{}.hl7", file_name(&made.destination));
        self.to.write(&name, record.payload, true)?;
        self.written.insert(number);
        self.count += 1;
        Ok(())
    }

    fn end(mut self, damaged: &[Spot]) -> io::Result<u64> {
        // What came while the journal was read the second time is not whole; it is in the next export.
        let left: Vec<u64> = self.parts.keys().copied().collect();
        for number in left {
            self.message(number)?;
        }
        if self.what == What::All {
            for spot in damaged {
                let damage = &spot.damage;
                let line = serde_json::json!({ "damage": format!("{:?}", damage.kind), "file": damage.file,
                    "offset": damage.offset, "bytes": damage.bytes });
                self.to.write("", format!("{line}\n").as_bytes(), false)?;
            }
        }
        self.to.end()?;
        Ok(self.count)
    }
}

/// A record as JSON. Numbers of the gateway's hashes are larger than many readers of JSON take.
fn line(commit: &Commit<'_>, record: &RecordRef<'_>, about: Option<u64>, withheld: bool) -> String {
    let (name, decoded) = names(record);
    let number = |number: Option<u64>| number.map_or("null".to_owned(), |number| number.to_string());
    format!(
        "{{\"file\":\"{}\",\"offset\":{},\"commit\":{},\"time\":{},\"void\":{},\"sealed\":{},\"sequence\":{},\"kind\":{},\
         \"version\":{},\"carried\":{},\"name\":\"{name}\",\"message\":{},\"decoded\":{},\"meta\":\"{}\",\"payload\":{}}}\n",
        commit.segment.name,
        record.location.offset(),
        commit.number,
        number(commit.time.map(|time| time.0)),
        commit.void,
        commit.segment.key.is_some(),
        record.sequence.0,
        record.kind.0,
        record.meta_version,
        record.carried,
        number(about),
        decoded.as_deref().unwrap_or("null"),
        hex(record.meta),
        if withheld { "null".to_owned() } else { format!("\"{}\"", hex(record.payload)) },
    )
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// A configured name, with nothing in it that would be another folder.
fn file_name(name: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    if name.is_empty() { "unknown".to_owned() } else { name.chars().map(safe).collect() }
}
