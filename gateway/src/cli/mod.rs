//! The command line. The only part of the gateway that prints.
//!
//! Exit codes: 0 done; 1 it was refused, the ledger does not balance, or `--exit-code` and something differs; 2 or 64 the
//! command is wrong; 65 the input holds no message, or the journal is damaged; 69 the service does not answer; 74 the
//! journal, a file or a wire failed; 78 the configuration is wrong.
//! [`Arguments`] prints the same list.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod against;
mod backup;
mod capture;
mod discover;
mod files;
mod holds;
mod journal;
mod ledger;
mod map;
mod profile;
mod service;
mod show;
mod trace;
mod verify;

use crate::replay::Shows;
use clap::{Parser, Subcommand};
use orugate_drivers::Catalogue;
use orugate_protocol::text::Charset;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Edge gateway for medical instruments: every result into the hospital's systems, right and never lost.
#[derive(Debug, Parser)]
#[command(name = "orugate", version, disable_help_subcommand = true, after_help = AFTER)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const AFTER: &str = "\
A new box, in this order: orugate check, orugate journal init, orugate run (or the unit in deploy/), orugate status.
No analyzer at hand: orugate demo. An analyzer that no profile fits: orugate profile new --from CAPTURE.

Exit codes: 0 done; 1 refused, the ledger does not balance, or --exit-code and something differs; 2 or 64 the command
is wrong; 65 the input holds no message, or the journal is damaged; 69 the service does not answer; 74 the journal,
a file or a wire failed; 78 the configuration is wrong.";

/// The configuration that the service of the unit runs by.
const INSTALLED: &str = "/etc/orugate/orugate.toml";

/// Where the configuration is, for the commands that need one.
#[derive(Debug, clap::Args)]
struct Configured {
    /// The configuration; conf.d/*.toml beside it belongs to it
    #[arg(long, short, global = true, value_name = "FILE", default_value = INSTALLED)]
    config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the instruments of the configuration until told to stop
    Run(Configured),
    /// Say all mistakes in a configuration at once; open nothing
    ///
    /// With --against: what it would make of captures, and how that differs from what the configuration before makes of
    /// them. Nothing is stored or sent.
    Check {
        #[command(flatten)]
        configured: Configured,
        #[command(flatten)]
        against: against::Against,
    },
    /// Show each instrument, destination and hold of the running service
    Status {
        #[command(flatten)]
        configured: Configured,
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Say what a new configuration changes, in words, and what of it a reload applies; change nothing
    ///
    /// Without a file: from what the running service runs by to what is in its files now. With one: from the
    /// configuration that is installed to that one. With two: from the first to the second. Each is a file, or a folder
    /// with orugate.toml in it; conf.d and profiles.d beside it belong to it.
    Plan {
        #[command(flatten)]
        configured: Configured,
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
        /// Exit with 1 when something differs
        #[arg(long)]
        exit_code: bool,
        /// OLD and NEW, or NEW
        #[arg(num_args = 0..=2, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Print the JSON schema of the configuration, for editors
    Schema {
        /// Of a file in conf.d
        #[arg(long)]
        part: bool,
    },
    /// Apply the configuration to the running service, without a restart
    ///
    /// Prints what is applied and what needs a restart. When the new configuration is wrong, says all mistakes, and the
    /// old one goes on. Look before: orugate plan. Signal HUP does the same and says it in the log.
    Reload {
        #[command(flatten)]
        configured: Configured,
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Look at results that wait for a person, and decide on them
    Holds {
        #[command(flatten)]
        configured: Configured,
        #[command(subcommand)]
        action: holds::Action,
    },
    /// Look at messages that wait parked, because an engine refused them or its charset lacks a character of them, and
    /// send them again
    Parked {
        #[command(flatten)]
        configured: Configured,
        #[command(subcommand)]
        action: ParkedAction,
    },
    /// List all destinations that messages were ever made for; give up what waits for one that is gone for good
    Destination {
        #[command(flatten)]
        configured: Configured,
        #[command(subcommand)]
        action: DestinationAction,
    },
    /// Say that this box's clock is right, although its journal has a later time
    ///
    /// For a clock that once ran ahead and was set right, where no NTP vouches for it: results wait for it otherwise, and then go
    /// with a note, until it has caught up. Look at it first: orugate status. Who said so is kept.
    AcceptClock(Configured),
    /// Tell what became of a sample's results, of a message, an ORU or a hold: bytes, decisions, sends and answers
    ///
    /// The first lines say what became of each result. Patients' data is shown on a terminal only, or with --private. The
    /// service may run; nothing is written.
    Trace {
        #[command(flatten)]
        configured: Configured,
        #[command(flatten)]
        what: trace::What,
    },
    /// Count results by where they went, for a day or for all that the journal has; shows no patient data
    ///
    /// Exits with 1 when a result is not in exactly one place, and with 65 when the journal is damaged.
    Ledger {
        #[command(flatten)]
        configured: Configured,
        #[command(flatten)]
        asked: ledger::Asked,
    },
    /// Prove that results arrive as they were sent: a profile's examples, or a session with an analyzer and its screen
    Verify {
        #[command(flatten)]
        configured: Configured,
        #[command(subcommand)]
        action: verify::Action,
    },
    /// Read a capture file through a profile; nothing is stored or sent
    ///
    /// Prints each ORU, and for each result that is in none a line that begins with hold, qc or note, with its test
    /// code and the reason. With --map also which row of which map decided.
    Replay {
        #[command(flatten)]
        configured: Configured,
        /// The profile to read it with: a name, or a profile's file
        #[arg(long, short, value_name = "NAME")]
        profile: String,
        /// The capture, a script or records, one a line; - is standard input
        file: PathBuf,
        /// What the destination reads, as its key charset has it (MSH-18); shown is UTF-8, --mllp has the bytes
        #[arg(long, value_name = "NAME", default_value = "UNICODE UTF-8", value_parser = files::charset)]
        charset: Charset,
        /// A map that the instrument would have: its name in maps.d, or its file; several are asked in their order
        #[arg(long = "map", value_name = "MAP")]
        maps: Vec<String>,
        /// Results without a row wait, as with `require_map = true`
        #[arg(long, requires = "maps")]
        require_map: bool,
        /// Of a bedside device: in place of ORUs a table of what it gives and what goes out of it, to hold its screen beside
        #[arg(long)]
        values: bool,
        /// Write the ORUs that would be sent, MLLP-framed, into this file too
        #[arg(long, value_name = "FILE")]
        mllp: Option<PathBuf>,
    },
    /// Look at what came and went on the instruments' lines, and take it out for others
    Capture {
        #[command(flatten)]
        configured: Configured,
        #[command(subcommand)]
        action: capture::Action,
    },
    /// Show which bedside monitors say on the network that they are there, and how the configuration has them
    ///
    /// Nothing is asked, stored or sent. A monitor whose address changed is found by its EUI-64, which device_id of its
    /// [instrument.bedside] names.
    Discover {
        #[command(flatten)]
        configured: Configured,
        #[command(flatten)]
        discover: discover::Asked,
    },
    /// Play an instrument on a wire, with faults when asked
    Simulate(files::Simulate),
    /// List the profiles, shipped and of the site (profiles.d/*.toml beside the configuration)
    Profiles(Configured),
    /// Show, check and write profiles
    Profile {
        #[command(flatten)]
        configured: Configured,
        #[command(subcommand)]
        action: profile::Action,
    },
    /// Show which LOINC code an instrument's codes get, and make a map of a manufacturer's LIVD table
    Map {
        #[command(flatten)]
        configured: Configured,
        #[command(subcommand)]
        action: map::Action,
    },
    /// Show the whole road on simulated instruments; needs nothing
    Demo {
        /// Keep everything running and say how to connect a real instrument or engine
        #[arg(long)]
        stay: bool,
    },
    /// Copy the journal into a new folder: for a spare box, for another look
    ///
    /// The service may run. Or name the folder on a card of a box that is broken: --path. TO is made, for its owner only, and is
    /// there only when it is whole; a name with the day keeps one for each (docs/backup.md). Keys and configuration are not
    /// in it. Without the key of a sealed journal it is copied all the same. Exits with 0 when the copy is whole, with
    /// 65 when the journal is damaged and all that can be read of it was copied.
    Backup {
        #[command(flatten)]
        configured: Configured,
        #[command(flatten)]
        at: journal::At,
        /// The new folder, on another medium than the journal
        to: PathBuf,
    },
    /// Go on, on this box, from a copy of another box's journal
    ///
    /// Says first what will happen: what waits and will be sent, with the MSH-10 that it has, and until when the copy
    /// reaches. The folder must be empty and the service stopped. Without --old-box-is-off nothing is done, so that this is how to look.
    /// After a power cut, give the command again.
    Restore {
        #[command(flatten)]
        configured: Configured,
        #[command(flatten)]
        from: backup::From,
    },
    /// Make the journal of a new box, and keys to seal it; look into a journal, its own or a copy
    Journal {
        #[command(flatten)]
        configured: Configured,
        #[command(subcommand)]
        action: JournalAction,
    },
}

#[derive(Debug, Subcommand)]
enum ParkedAction {
    /// List parked messages with the reason of each
    List,
    /// Show one parked message and what can be done
    Show {
        /// Its number, from orugate parked list, or its MSH-10
        #[arg(value_parser = message_number)]
        number: u64,
    },
    /// Send parked messages again
    ///
    /// What an engine refused goes again byte by byte, with the same MSH-10. What was never sent, because the
    /// destination's charset lacked a character, goes in the charset that is configured now. One that a later report
    /// overtook is not sent.
    Send {
        /// Their numbers, from orugate parked list, or their MSH-10
        #[arg(value_parser = message_number, required = true)]
        numbers: Vec<u64>,
    },
    /// Give a parked message up; its bytes stay in the journal
    Discard {
        /// Its number, from orugate parked list, or its MSH-10
        #[arg(value_parser = message_number)]
        number: u64,
        /// Why, for whoever asks later
        #[arg(long, value_name = "WHY")]
        reason: String,
    },
}

#[derive(Debug, Subcommand)]
enum DestinationAction {
    /// List each with what waits for it, configured or not
    List,
    /// Give up all that waits for a destination, parked or not; it must be out of the configuration
    ///
    /// For a destination that is gone for good. Nothing of it is sent any more, also when a destination of this name is
    /// configured again. The bytes stay in the journal as long as those of delivered messages, and who did it and why
    /// is kept with them.
    Drop {
        /// Its name, from orugate destination list
        name: String,
        /// Why, for whoever asks later
        #[arg(long, value_name = "WHY")]
        reason: String,
    },
}

/// A message's number: as it is, or as the last sixteen digits of an MSH-10.
fn message_number(typed: &str) -> Result<u64, String> {
    let digits = match typed.split_at_checked(4) {
        Some((_, digits)) if digits.len() == 16 => digits,
        _ => typed,
    };
    digits.parse().map_err(|_| "not a number, and not an MSH-10 of this gateway".to_owned())
}

#[derive(Debug, Subcommand)]
enum JournalAction {
    /// Create the journal where the configuration says; refuses when there is one
    Init,
    /// Write a fresh key for a sealed journal into a new file that only its owner can read
    NewKey {
        /// Where; not in the journal's folder
        file: PathBuf,
    },
    #[command(flatten)]
    Look(journal::Look),
}

/// The program with these drivers and profiles. Returns its exit code.
#[must_use]
pub fn main(catalogue: &Catalogue) -> ExitCode {
    let arguments = Arguments::parse();
    quiet_panics();
    let code = match arguments.command {
        Command::Run(configured) => service::run(catalogue, &configured.config),
        Command::Check { configured, against } if against.is_asked() => {
            against::run(catalogue, &configured.config, &against)
        }
        Command::Check { configured, .. } => service::check(catalogue, &configured.config),
        Command::Status { configured, json } => service::status(&configured.config, json),
        Command::Holds { configured, action } => holds::run(catalogue, &configured.config, action),
        Command::Parked { configured, action } => service::parked(&configured.config, action),
        Command::Destination { configured, action } => service::destination(&configured.config, action),
        Command::AcceptClock(configured) => service::accept_clock(&configured.config),
        Command::Plan { configured, json, exit_code, files } => {
            service::plan(catalogue, &configured.config, &files, json, exit_code)
        }
        Command::Schema { part } => service::schema(part),
        Command::Reload { configured, json } => service::reload_running(&configured.config, json),
        Command::Trace { configured, what } => trace::run(catalogue, &configured.config, &what),
        Command::Verify { configured, action } => verify::run(catalogue, &configured.config, action),
        Command::Ledger { configured, asked } => ledger::run(catalogue, &configured.config, &asked),
        Command::Replay { configured, profile, file, charset, maps, require_map, values, mllp } => {
            let shows = if values { Shows::Values } else { Shows::Orus };
            let site = profile::Site::of(catalogue, &configured.config);
            match map::table(&configured.config, &maps, require_map) {
                Ok(table) => files::replay(&site, &profile, &file, (charset, shows), table, mllp.as_deref()),
                Err(code) => code,
            }
        }
        Command::Capture { configured, action } => capture::run(catalogue, &configured.config, &action),
        Command::Discover { configured, discover } => discover::run(catalogue, &configured.config, &discover),
        Command::Simulate(simulate) => files::simulate(catalogue, simulate),
        Command::Profiles(configured) => profile::list(catalogue, &configured.config),
        Command::Profile { configured, action } => profile::run(catalogue, &configured.config, action),
        Command::Map { configured, action } => map::run(catalogue, &configured.config, &action),
        Command::Demo { stay } => crate::demo::run(stay),
        Command::Backup { configured, at, to } => backup::run(catalogue, &configured.config, &at, &to),
        Command::Restore { configured, from } => backup::restore(catalogue, &configured.config, &from),
        Command::Journal { configured, action: JournalAction::Init } => {
            service::init(catalogue, &configured.config)
        }
        Command::Journal { action: JournalAction::NewKey { file }, .. } => service::new_key(&file),
        Command::Journal { configured, action: JournalAction::Look(look) } => {
            journal::run(catalogue, &configured.config, &look)
        }
    };
    ExitCode::from(code)
}

/// A panic's message may hold a patient's name, so only its place is reported.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| match info.location() {
        Some(place) => {
            tracing::error!(file = place.file(), line = place.line(), "a part of the gateway panicked")
        }
        None => tracing::error!("a part of the gateway panicked"),
    }));
}

/// Logs to standard error, where systemd picks them up; `ORUGATE_LOG` chooses what (`info` by default).
fn log(default: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("ORUGATE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_writer(std::io::stderr)
        .try_init();
}

/// One runtime thread for everything that waits.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_can_be_asked_for() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }
}
