//! How a start behaves on a journal that is full of messages: the released program, from exec to `READY=1`, what memory it has,
//! and how long it takes to find a sample. Writes the section *Start* of the page.
//!
//! Promises: the journal is the gateway's own (`filling`), each start reads it from the disk where the page cache can be
//! dropped, and says so where not. Leaves out unsettled messages: nothing waits in it.

mod filling;
mod report;
mod service;

use crate::{Anything, sections};
use orugate::store::Store;
use orugate_journal::{FileStorage, KeyRing, Options};
use orugate_protocol::time::Utc;
use orugate_tests::world::{Plug, configuration};
use service::{End, Start};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// What `tests/bench/run start` gives along.
#[derive(Default)]
struct Asked {
    out: PathBuf,
    program: PathBuf,
    /// Where journals are kept from one run to the next.
    journal: PathBuf,
    revision: String,
    quick: bool,
    /// A sealed journal as well.
    sealed: bool,
}

const MESSAGES: u64 = 1_000_000;
/// What the journal may take; the messages take about four fifths of it.
const ROOM: u64 = 5 << 30;
const ROUNDS: usize = 3;
/// What it was made with; another text has it made anew.
const MADE: &str = "made";

/// A journal, and what was measured on it.
struct Measured {
    sealed: bool,
    messages: u64,
    /// Bytes of its files.
    bytes: u64,
    /// The page cache was dropped before each start and each search.
    cold: bool,
    /// After a clean stop, and after the process was killed.
    starts: Vec<(End, Start)>,
    /// Seconds to list a sample that came so many messages from the beginning; `None` where the program cannot.
    searches: Option<Vec<(u64, f64)>>,
}

pub fn measure(mut arguments: impl Iterator<Item = String>) -> Anything<()> {
    let mut asked = Asked::default();
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "--out" => asked.out = value()?.into(),
            "--program" => asked.program = value()?.into(),
            "--journal" => asked.journal = value()?.into(),
            "--revision" => asked.revision = value()?,
            "--quick" => asked.quick = true,
            "--sealed" => asked.sealed = true,
            _ => return Err(format!("unknown option {name}").into()),
        }
    }
    let machine = crate::machine::describe("journal", &asked.journal)?;
    let mut measured = Vec::new();
    for sealed in [false, true] {
        if !sealed || asked.sealed {
            measured.push(journal(&asked, sealed)?);
        }
    }
    let section = report::write(&asked, &machine, &measured)?;
    sections::put(&asked.out, "Start", &section)
}

fn journal(asked: &Asked, sealed: bool) -> Anything<Measured> {
    let messages = if asked.quick { MESSAGES / 50 } else { MESSAGES };
    let kind = if sealed { "sealed" } else { "plain" };
    let folder = asked.journal.join(format!("start-{kind}-{messages}"));
    let files = folder.join("journal");
    let made = format!("{messages} messages of {} results, {ROOM} bytes\n", filling::RESULTS);
    if std::fs::read_to_string(folder.join(MADE)).ok().as_deref() != Some(&*made) {
        make(&folder, messages, sealed)?;
        std::fs::write(folder.join(MADE), made)?;
    }
    let engine = TcpListener::bind("127.0.0.1:0")?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let text = configuration(&folder, engine.local_addr()?, &[("rig-00", "generic-astm", Plug::Tcp)]);
    let text = text.replace("\"127.0.0.1:1\"", &format!("\"{port}\""));
    let mut more = format!(
        "{}/journal\"\nmax_size = \"{} GiB\"\nkeep_delivered = \"3650 days\"\n",
        folder.display(),
        ROOM >> 30
    );
    if sealed {
        more.push_str(&format!("seal = {{ key = \"{}\" }}\n", key_file(&folder).display()));
    }
    let text = text.replace(&format!("{}/journal\"\n", folder.display()), &more);
    let config = folder.join("orugate.toml");
    std::fs::write(&config, text)?;

    let can_search = can_search(&asked.program)?;
    let (mut starts, mut searches) = (Vec::new(), can_search.then(Vec::new));
    let mut cold = true;
    // The first one ends what the making left open, and is not counted.
    service::start(&asked.program, &folder, &config)?.end(End::Stopped)?;
    for round in 1..=ROUNDS {
        for (before, end) in [(End::Stopped, End::Killed), (End::Killed, End::Stopped)] {
            eprintln!("{kind} journal, round {round}");
            cold &= drop_page_cache();
            let running = service::start(&asked.program, &folder, &config)?;
            if let (Some(searches), End::Stopped) = (&mut searches, end) {
                for number in [0, messages / 2, messages - 1] {
                    cold &= drop_page_cache();
                    searches.push((number, search(&asked.program, &config, number)?));
                }
            }
            starts.push((before, running.end(end)?));
        }
    }
    let mut bytes = 0;
    for entry in std::fs::read_dir(&files)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(Measured { sealed, messages, bytes, cold, starts, searches })
}

fn key_file(folder: &Path) -> PathBuf {
    folder.join("key")
}

fn make(folder: &Path, messages: u64, sealed: bool) -> Anything<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    let files = folder.join("journal");
    std::fs::create_dir_all(&files)?;
    let mut keys: Option<KeyRing> = None;
    if sealed {
        orugate::seal::new_key(&key_file(folder))?;
        keys = orugate::seal::from_files(&[key_file(folder)])?;
    }
    let now = jiff::Timestamp::now().as_microsecond();
    orugate::run::init_journal(&files, Utc(now))?;
    let options = Options { max_size: ROOM, keys, ..Options::default() };
    let (store, _) = Store::open(FileStorage::new(&files)?, options)?;
    filling::fill(&store, messages, now)
}

/// False where this user may not.
fn drop_page_cache() -> bool {
    let synced = Command::new("sync").status().is_ok_and(|status| status.success());
    synced && std::fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
}

fn can_search(program: &Path) -> Anything<bool> {
    let help = Command::new(program).args(["journal", "list", "--help"]).output()?;
    Ok(String::from_utf8_lossy(&help.stdout).contains("--sample"))
}

/// Seconds to list the one message of a sample.
fn search(program: &Path, config: &Path, number: u64) -> Anything<f64> {
    let mut list = Command::new(program);
    list.args(["journal", "list", "--sample", &filling::sample(number), "--json", "--config"]).arg(config);
    let began = Instant::now();
    let found = list.output()?;
    let took = began.elapsed().as_secs_f64();
    let lines = String::from_utf8_lossy(&found.stdout).lines().count();
    if !found.status.success() || lines != 1 {
        let said = String::from_utf8_lossy(&found.stderr).into_owned();
        return Err(format!("the list of a sample has {lines} messages instead of one; {said}").into());
    }
    Ok(took)
}
