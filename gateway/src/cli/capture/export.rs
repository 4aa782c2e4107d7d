//! `orugate capture export`.

use super::{output, place};
use crate::admin::{self, Request, Response};
use crate::archive::Journal;
use crate::capture::scrub::Scrubber;
use crate::capture::text::Writer;
use crate::capture::{Entry, read};
use crate::cli::journal::text::{Since, moment, now, since};
use crate::cli::journal::{At, open};
use crate::cli::profile::Site;
use crate::config::{self, main_file};
use crate::records::{CaptureExported, Meta as _};
use crate::words::count;
use orugate_driver::Profile;
use orugate_drivers::Catalogue;
use orugate_journal::{
    Batch, Claim, FileStorage, Journal as Writing, Kind, Lane, NewRecord, OpenError, Options, Urgency,
};
use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const REFUSED: u8 = 1;
const USAGE: u8 = 64;
const NOTHING: u8 = 65;
const IO: u8 = 74;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Asked {
    #[command(flatten)]
    at: At,
    /// The instrument, from orugate capture list
    instrument: String,
    /// From this time on: 2026-11-25, 2026-11-25T06:30:00Z, or 36h or 7d ago
    #[arg(long, value_name = "TIME", value_parser = since)]
    from: Option<Since>,
    /// Up to this time
    #[arg(long, value_name = "TIME", value_parser = since)]
    to: Option<Since>,
    /// Of this last time only: 10m, 2h, 1d
    #[arg(long, value_name = "AGE", conflicts_with = "from", value_parser = since)]
    last: Option<Since>,
    /// Into this new file, for its owner only [there: standard output]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The profile that knows what is a name and an id [there: that of the instrument in the configuration]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// With persons in it, as it was; into a file or onto a terminal. Who, when and why is written into the journal
    #[arg(long, requires = "reason")]
    private: bool,
    /// Why, for whoever asks later
    #[arg(long, value_name = "WHY", requires = "private")]
    reason: Option<String>,
}

/// A stretch of time, microseconds since 1970.
#[derive(Clone, Copy)]
struct Span {
    from: i64,
    to: i64,
}

pub(super) fn run(catalogue: &Catalogue, config: &Path, asked: &Asked) -> u8 {
    let journal = match open(catalogue, config, &asked.at) {
        Ok(journal) => journal,
        Err(code) => return code,
    };
    match export(catalogue, config, asked, &journal) {
        Ok(code) | Err(code) => code,
    }
}

fn export(catalogue: &Catalogue, config: &Path, asked: &Asked, journal: &Journal) -> Result<u8, u8> {
    let from = asked.from.or(asked.last).map_or(i64::MIN, Since::micros);
    let span = Span { from: from.max(journal.raw_from()), to: asked.to.map_or(i64::MAX, Since::micros) };
    let plan = asked.at.is_configured().then(|| config::load(config, catalogue).ok()).flatten();
    let plan =
        plan.or_else(|| main_file(config).is_file().then(|| config::load(config, catalogue).ok()).flatten());
    let plan = plan.map(|loaded| loaded.plan);
    known(journal, &asked.instrument)?;
    let of_plan = || {
        let instrument = plan.as_ref()?.instruments.iter().find(|known| known.name == asked.instrument)?;
        Some((instrument.profile_name.clone(), Arc::clone(&instrument.profile)))
    };
    let profile: Option<(String, Arc<dyn Profile>)> = match &asked.profile {
        Some(name) => match Site::of(catalogue, config).profile(name) {
            Ok(site) => Some((name.clone(), site.profile)),
            Err(why) => {
                eprintln!("{why}");
                return Err(USAGE);
            }
        },
        None => of_plan(),
    };
    if asked.private {
        if asked.out.as_deref().is_none_or(|path| path == Path::new("-")) && !io::stdout().is_terminal() {
            eprintln!(
                "With persons in it, it goes into a file of its owner or onto a terminal only: --out FILE. Without --private \
                 it goes anywhere."
            );
            return Err(USAGE);
        }
        // First, so that nothing is given out that nobody can find later.
        let reason = asked.reason.clone().unwrap_or_default();
        let socket = plan.as_ref().map(|plan| plan.gateway.admin_socket.clone());
        journalled(asked, journal, socket.as_ref(), span, &reason)?;
    }
    let head = head(asked, profile.as_ref().map(|(name, _)| name.as_str()));
    let out = output(asked.out.as_deref())?;
    let written = write(journal, asked, span, profile.as_ref().map(|(_, profile)| &**profile), &head, out);
    let Written { entries, by_rule, damaged } = match written {
        Ok(written) => written,
        // Whoever reads has seen enough.
        Err(Failed::Out(error)) if error.kind() == ErrorKind::BrokenPipe => return Ok(0),
        Err(Failed::Out(error)) => {
            eprintln!("{}: {error}. The export is not whole.", place(asked.out.as_ref()));
            return Err(IO);
        }
        Err(Failed::Journal(why)) => {
            eprintln!("{why}");
            return Err(IO);
        }
    };
    let to = place(asked.out.as_ref());
    if entries == 0 {
        eprintln!(
            "Nothing was captured of {} in that time. How far it goes back: orugate capture list",
            asked.instrument
        );
        return Ok(NOTHING);
    }
    let entries = count(entries, "entry", "entries");
    if asked.private {
        eprintln!("{entries} in {to}, with persons' data. That it was taken out is in the journal.");
    } else {
        eprintln!("{entries} in {to}, scrubbed: names, ids, days of birth and texts are stand-ins.");
        if profile.is_none() {
            eprintln!(
                "No profile of {} is known here, so all letters and digits were replaced by rule: give --profile NAME.",
                asked.instrument
            );
        } else if by_rule > 0 {
            eprintln!(
                "{} stood in no record that can be read and were replaced by rule (letters x, digits 9).",
                count(by_rule as u64, "letter or digit", "letters and digits")
            );
        }
    }
    if damaged > 0 {
        eprintln!("{} of the capture cannot be read, and is left out.", count(damaged, "place", "places"));
    }
    Ok(0)
}

/// Whether there is a capture of it.
fn known(journal: &Journal, instrument: &str) -> Result<(), u8> {
    let names = read::names(journal).map_err(|why| {
        eprintln!("{why}");
        IO
    })?;
    if names.iter().any(|name| name == instrument) {
        return Ok(());
    }
    match &names[..] {
        [] => eprintln!("Nothing is captured in {}.", journal.folder().display()),
        names => eprintln!("Nothing is captured of {instrument}. There are: {}.", names.join(", ")),
    }
    Err(NOTHING)
}

fn head(asked: &Asked, profile: Option<&str>) -> Vec<String> {
    let profile = profile.map_or(String::new(), |name| format!(", profile {name}"));
    let mut head = vec![
        format!("instrument: {}{profile}", asked.instrument),
        format!(
            "exported: {} by Orugate {}",
            now().map_or("?".to_owned(), moment),
            env!("CARGO_PKG_VERSION")
        ),
    ];
    head.push(if asked.private {
        "private: as it was, with persons in it".to_owned()
    } else {
        "scrubbed: names, ids, days of birth and texts are stand-ins of the same length; codes, values and times are as \
         they were"
            .to_owned()
    });
    head.push(
        "each line: time in UTC (with ? while the clock was not set), in from the instrument, out to it, or what became of \
         the line; an indented line goes on with the one before"
            .to_owned(),
    );
    head
}

struct Written {
    entries: u64,
    by_rule: usize,
    damaged: u64,
}

enum Failed {
    Journal(String),
    Out(io::Error),
}

fn write(
    journal: &Journal,
    asked: &Asked,
    span: Span,
    profile: Option<&dyn Profile>,
    head: &[String],
    out: Box<dyn Write>,
) -> Result<Written, Failed> {
    let mut writer = Writer::new(out, head).map_err(Failed::Out)?;
    let mut scrubber = (!asked.private).then(|| Scrubber::new(profile));
    let (mut entries, mut failed) = (0, Ok(()));
    let damaged = read::entries(journal, &asked.instrument, &mut |entry: Entry| {
        if failed.is_err() || entry.at.0 < span.from || entry.at.0 > span.to {
            return;
        }
        entries += 1;
        failed = match &mut scrubber {
            Some(scrubber) => scrubber.take(entry, &mut |entry| writer.entry(entry)),
            None => writer.entry(&entry),
        };
    })
    .map_err(|error| Failed::Journal(error.to_string()))?;
    failed.map_err(Failed::Out)?;
    let by_rule = match scrubber {
        Some(scrubber) => scrubber.end(&mut |entry| writer.entry(entry)).map_err(Failed::Out)?,
        None => 0,
    };
    writer.end().map_err(Failed::Out)?;
    Ok(Written { entries, by_rule, damaged })
}

/// Writes into the journal who takes out what, and why: through the service, or itself where none runs.
fn journalled(
    asked: &Asked,
    journal: &Journal,
    socket: Option<&PathBuf>,
    span: Span,
    reason: &str,
) -> Result<(), u8> {
    if reason.trim().is_empty() {
        eprintln!("It needs a reason, which is kept for whoever asks later: --reason \"…\"");
        return Err(USAGE);
    }
    let instrument = asked.instrument.clone();
    if let Some(socket) = socket.filter(|_| asked.at.is_configured()) {
        let request = Request::CaptureExported {
            instrument: instrument.clone(),
            from: span.from,
            to: span.to,
            reason: reason.to_owned(),
        };
        match admin::ask(socket, &request) {
            Ok(Response::Done(_)) => return Ok(()),
            Ok(Response::Refused(why)) => {
                eprintln!("{why}");
                return Err(REFUSED);
            }
            Ok(_) => {
                eprintln!("The service does not know captures: it is of another version. Restart it.");
                return Err(REFUSED);
            }
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {}
            Err(error) => {
                eprintln!(
                    "{}: {error}. Who takes out a capture with persons in it is told to the service.",
                    socket.display()
                );
                return Err(IO);
            }
        }
    }
    let meta = CaptureExported {
        at: now().unwrap_or(0),
        actor: crate::who::actor(rustix::process::getuid().as_raw()),
        instrument,
        from: span.from,
        to: span.to,
        reason: reason.to_owned(),
    };
    write_into(journal, &meta).map_err(|why| {
        eprintln!(
            "Nothing was given out: that somebody takes out a capture with persons in it must be written into the journal \
             in {}, and {why}.",
            journal.folder().display()
        );
        REFUSED
    })
}

fn write_into(journal: &Journal, meta: &CaptureExported) -> Result<(), String> {
    let storage = FileStorage::new(journal.folder()).map_err(|error| error.to_string())?;
    // Nobody makes room here, so none is needed by a limit.
    let options = Options { max_size: 1 << 50, keys: journal.keys(), ..Options::default() };
    let (writing, _) = Writing::open(storage, options, &mut |_| {}).map_err(|error| match error {
        OpenError::Locked => "another orugate has it open: leave --path away".to_owned(),
        error => error.to_string(),
    })?;
    let record =
        NewRecord::new(Kind(CaptureExported::KIND), CaptureExported::VERSION, meta.encode(), Vec::new());
    let batch = Batch::new(Lane::Results, Urgency::Now, record).claim(Claim::Settling);
    writing.append_wait(batch).map(drop).map_err(|error| error.to_string())
}
