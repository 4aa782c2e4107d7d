//! `orugate check --against`: a dry run of a configuration over captures, beside what another makes of them.

use super::files::Capture;
use super::service::{load, load_configured};
use super::{INSTALLED, runtime};
use crate::admin::{self, Request, Response};
use crate::apart::MESSAGE;
use crate::clock::Clock;
use crate::config::{InstrumentPlan, Plan, admin_socket, main_file};
use crate::dryrun::{Seen, compare, see};
use crate::profiles::examples::line_by_line;
use crate::words::count;
use orugate_drivers::Catalogue;
use orugate_protocol::time::Utc;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const DIFFERS: u8 = 1;
const USAGE: u8 = 64;
const NO_MESSAGE: u8 = 65;
const IO: u8 = 74;

/// What to run it over.
#[derive(Debug, clap::Args)]
pub(super) struct Against {
    /// Say what it makes of this capture: INSTRUMENT=FILE, or FILE with --instrument; may be several
    #[arg(long, num_args = 1.., value_name = "CAPTURE")]
    against: Vec<String>,
    /// The configuration to compare with, a file or a folder [there: what the service runs by; if it does not answer, the installed one]
    #[arg(long, requires = "against", value_name = "FILE")]
    old: Option<PathBuf>,
    /// The instrument of captures that name none [there: the only one]
    #[arg(long, requires = "against", value_name = "NAME")]
    instrument: Option<String>,
    /// Show the ORUs too, line by line: - before, + now
    #[arg(long, requires = "against")]
    full: bool,
    /// Exit with 1 when something differs
    #[arg(long, requires = "against")]
    exit_code: bool,
}

impl Against {
    pub(super) const fn is_asked(&self) -> bool {
        !self.against.is_empty()
    }
}

/// What to compare with, and where it comes from, as a sentence.
fn base(catalogue: &Catalogue, asked: &Against, new: &Path) -> Result<(Option<Plan>, String), u8> {
    if let Some(old) = &asked.old {
        let said = format!("Compared with {}.", main_file(old).display());
        return Ok((Some(load(catalogue, old)?.plan), said));
    }
    let installed = Path::new(INSTALLED);
    let served = if installed.is_file() { installed } else { new };
    let silent = match running(catalogue, served) {
        Ok((plan, socket)) => {
            let said = format!("Compared with what the service at {} runs by now.", socket.display());
            return Ok((Some(plan), said));
        }
        Err(why) => why,
    };
    let same = main_file(new).canonicalize().ok() == installed.canonicalize().ok();
    if installed.is_file() && !same {
        let said = format!(
            "{silent}, so this is compared with the installed file {}, which may be another than what runs.",
            installed.display()
        );
        return Ok((Some(load(catalogue, installed)?.plan), said));
    }
    Ok((None, format!("There is nothing to compare with: {silent}, and no --old FILE was given.")))
}

/// The plan of the running service, and where it was asked; or why there is none, to be followed by a comma.
fn running(catalogue: &Catalogue, served: &Path) -> Result<(Plan, PathBuf), String> {
    let socket = admin_socket(served).map_err(|_| format!("{} cannot be read", served.display()))?;
    let at = socket.display();
    match admin::ask(&socket, &Request::Running) {
        Ok(Response::Running { id, texts }) => {
            let mut plan = texts
                .load(catalogue)
                .map_err(|_| {
                    format!(
                        "the service at {at} is of another version and its configuration cannot be read here"
                    )
                })?
                .plan;
            plan.gateway.id = id;
            Ok((plan, socket))
        }
        Ok(_) => Err(format!("the service at {at} does not say what it runs by")),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Err(format!("you may not ask the service at {at} (ask as root)"))
        }
        Err(_) => Err(format!("no service answers at {at}")),
    }
}

pub(super) fn run(catalogue: &Catalogue, path: &Path, asked: &Against) -> u8 {
    match dry_run(catalogue, path, asked) {
        Ok(code) | Err(code) => code,
    }
}

fn dry_run(catalogue: &Catalogue, path: &Path, asked: &Against) -> Result<u8, u8> {
    let new = load_configured(catalogue, path)?;
    for warning in &new.warnings {
        eprintln!("warning: {warning}");
    }
    let (old, compared) = base(catalogue, asked, path)?;
    let captures: Vec<(String, PathBuf)> = asked
        .against
        .iter()
        .map(|capture| named(capture, asked.instrument.as_deref(), old.as_ref(), &new.plan))
        .collect::<Result<_, _>>()?;
    let runtime = runtime().map_err(|_| IO)?;
    let now: Utc = runtime.block_on(async { Clock::system(0).utc() });
    println!("{compared} Nothing is stored or sent.");
    let (mut differing, mut observations, mut empty) = (0, 0, false);
    for (name, file) in &captures {
        let bytes = Capture::read(file)?;
        let seen = |plan| sight(plan, name, &bytes, now);
        let (before, after) = (old.as_ref().map(seen), seen(&new.plan));
        let messages = after.messages.len().max(before.as_ref().map_or(0, |before| before.messages.len()));
        println!(
            "\n{name}, {}: {}, {}",
            file.display(),
            count(after.messages.len() as u64, "message", "messages"),
            count(after.observations() as u64, "observation", "observations"),
        );
        if messages == 0 {
            eprintln!(
                "No message was found: {}. A capture holds the line's bytes, or records, one a line. Is it of {name}?",
                file.display()
            );
            empty = true;
            continue;
        }
        observations += after.observations();
        match &before {
            Some(before) => {
                for (plan, which) in [(old.as_ref(), "old"), (Some(&new.plan), "new")] {
                    if plan.is_some_and(|plan| instrument(plan, name).is_none()) {
                        println!("  the {which} configuration does not have {name}");
                    }
                }
                let comparison = compare(before, &after);
                print!("{}", comparison.text);
                differing += usize::from(comparison.differs);
                if asked.full {
                    full(before, &after);
                }
            }
            None => alone(&after),
        }
    }
    println!();
    let of = count(captures.len() as u64, "capture", "captures");
    let observations = count(observations as u64, "observation", "observations");
    match (old.is_some(), differing) {
        (false, _) => println!("{observations} of {of}, compared with nothing."),
        (true, 0) => println!("No difference in {observations} of {of}."),
        (true, _) => println!("{differing} of {of} would give something else."),
    }
    Ok(match differing {
        _ if empty => NO_MESSAGE,
        1.. if asked.exit_code => DIFFERS,
        _ => 0,
    })
}

fn instrument<'p>(plan: &'p Plan, name: &str) -> Option<&'p InstrumentPlan> {
    plan.instruments.iter().find(|instrument| instrument.name == name)
}

/// An instrument that a configuration does not have sends nothing and reaches nobody.
fn sight(plan: &Plan, name: &str, capture: &Capture, now: Utc) -> Seen {
    instrument(plan, name).map_or_else(Seen::default, |instrument| {
        let profile = &*instrument.profile;
        see(plan, instrument, &capture.heard(profile), now, MESSAGE)
    })
}

/// Which instrument a capture is of, and its file.
fn named(
    capture: &str,
    given: Option<&str>,
    old: Option<&Plan>,
    new: &Plan,
) -> Result<(String, PathBuf), u8> {
    let mut names: Vec<&str> = new.instruments.iter().map(|instrument| &*instrument.name).collect();
    for instrument in old.iter().flat_map(|old| &old.instruments) {
        if !names.contains(&&*instrument.name) {
            names.push(&instrument.name);
        }
    }
    // An equals sign may also stand in a file's name.
    if let Some((name, file)) = capture.split_once('=')
        && (names.contains(&name) || !Path::new(capture).exists())
    {
        return known(name, &names).map(|name| (name, PathBuf::from(file)));
    }
    match (given, &*names) {
        (Some(name), _) => known(name, &names).map(|name| (name, PathBuf::from(capture))),
        (None, [only]) => Ok(((*only).to_owned(), PathBuf::from(capture))),
        (None, _) => {
            eprintln!(
                "Say which instrument {capture} is of: --against NAME={capture}, or --instrument NAME. There are: {}.",
                names.join(", ")
            );
            Err(USAGE)
        }
    }
}

fn known(name: &str, names: &[&str]) -> Result<String, u8> {
    if names.contains(&name) {
        return Ok(name.to_owned());
    }
    eprintln!("There is no instrument {name}. There are: {}.", names.join(", "));
    Err(USAGE)
}

fn full(before: &Seen, after: &Seen) {
    let gone = before.reached.iter().filter(|name| !after.reached.contains(name));
    for name in after.reached.iter().chain(gone) {
        println!("  ORUs to {name}:");
        print!("{}", line_by_line(&before.orus(name), &after.orus(name)));
    }
}

fn alone(after: &Seen) {
    for name in &after.reached {
        println!("  ORUs to {name}:");
        print!("{}", after.orus(name));
    }
    for line in after.not_sent().lines() {
        println!("  {line}");
    }
}
