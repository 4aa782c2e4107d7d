//! Commands about the service: run, check, status, holds, journal.

use super::{DestinationAction, ParkedAction, log, runtime, show};
use crate::admin::{self, Request, Response};
use crate::alerts;
use crate::clock::{Clock, vouched};
use crate::config::{self, Difference, Loaded, Mistakes};
use crate::reload::{self, Applied};
use crate::run::{Gateway, StartError, init_journal};
use crate::seal;
use crate::systemd;
use crate::tls;
use crate::words::count;
use orugate_drivers::Catalogue;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// When the reader of the configuration panicked.
const UNREAD: &str = "the configuration could not be read: a part of the gateway panicked";

const REFUSED: u8 = 1;
const UNAVAILABLE: u8 = 69;
const IO: u8 = 74;
const CONFIG: u8 = 78;

pub(super) fn load(catalogue: &Catalogue, path: &Path) -> Result<Loaded, u8> {
    config::load(path, catalogue).map_err(|mistakes| {
        eprintln!("{mistakes}");
        CONFIG
    })
}

/// [`load`] of what `--config` names.
pub(super) fn load_configured(catalogue: &Catalogue, path: &Path) -> Result<Loaded, u8> {
    load(catalogue, path).inspect_err(|_| {
        if !config::main_file(path).is_file() {
            eprintln!("Say where the configuration is: --config FILE. The README has one to begin with.");
        }
    })
}

pub(super) fn check(catalogue: &Catalogue, path: &Path) -> u8 {
    match load_configured(catalogue, path) {
        Ok(loaded) => {
            let Ok(runtime) = runtime() else { return IO };
            let clock = runtime.block_on(async { Clock::system(0) });
            let (wrong, warnings) = tls::check(&loaded, &clock);
            let (bad_keys, remarks) = seal::check(&loaded);
            for warning in loaded.warnings.iter().chain(&warnings).chain(&remarks) {
                println!("warning: {warning}");
            }
            if let Some(why) = alerts::unusable(&loaded.plan.alerts.on_condition) {
                println!("warning: {why}");
            }
            for mistake in wrong.iter().chain(&bad_keys) {
                eprintln!("{mistake}");
            }
            if !bad_keys.is_empty() {
                eprintln!("The service would not start: its journal is sealed, and a key cannot be used.");
                return CONFIG;
            }
            if !wrong.is_empty() {
                let files = count(wrong.len() as u64, "file", "files");
                eprintln!("{files} of TLS cannot be used. The service would run, without what needs them.");
                return CONFIG;
            }
            for line in loaded.plan.describe() {
                println!("{line}");
            }
            clock.vouch(runtime.block_on(vouched::is_kept(clock.utc())));
            println!("this machine's clock: {}", clock.words());
            println!("The configuration is good.");
            0
        }
        Err(code) => code,
    }
}

pub(super) fn init(catalogue: &Catalogue, path: &Path) -> u8 {
    let loaded = match load_configured(catalogue, path) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    // Tokio keeps the clocks.
    let Ok(runtime) = runtime() else { return IO };
    let now = runtime.block_on(async { Clock::system(0).utc() });
    let plan = &loaded.plan.journal;
    // A credential is there for the service only. Nothing is sealed yet, so it is enough that the service can read it.
    if seal::is_for_the_service(plan) {
        println!("The journal's key is a credential: the service reads it when it starts.");
    } else if let Err(why) = seal::keys(plan) {
        eprintln!("{why}. No journal was made.");
        return IO;
    }
    let journal = &plan.path;
    if let Err(error) = std::fs::create_dir_all(journal) {
        eprintln!("The journal's folder {} cannot be made: {error}.", journal.display());
        return IO;
    }
    match init_journal(journal, now) {
        Ok(()) => {
            println!("A new journal is in {}.", journal.display());
            println!("Next: orugate run --config {0}, and then: orugate status --config {0}", path.display());
            0
        }
        Err(why) => {
            eprintln!("{why}. Nothing was changed.");
            IO
        }
    }
}

/// A file for a key of the journal.
pub(super) fn new_key(file: &Path) -> u8 {
    match seal::new_key(file) {
        Ok(id) => {
            println!("A new key is in {}; its id is {id}, which is no secret.", file.display());
            println!(
                "Keep a copy of it away from this box before anything is sealed: a lost key is a lost journal. Then name \
                 it in [journal]: seal = {{ key = \"{}\" }}, or better as a systemd credential (docs/sealing.md).",
                file.display()
            );
            0
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            eprintln!(
                "There is a file {} already, and what it sealed could be read by nobody without it. Nothing was changed.",
                file.display()
            );
            REFUSED
        }
        Err(error) => {
            eprintln!("The key cannot be written to {}: {error}.", file.display());
            IO
        }
    }
}

pub(super) fn run(catalogue: &Catalogue, path: &Path) -> u8 {
    log("info");
    let loaded = match load_configured(catalogue, path) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no runtime: {error}");
            return IO;
        }
    };
    let (catalogue, path) = (*catalogue, path.to_owned());
    match runtime.block_on(serve(loaded, move || config::load(&path, &catalogue))) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("Not started: {error}.");
            IO
        }
    }
}

/// Serves until told to stop. `again` reads the configuration anew.
async fn serve(
    loaded: Loaded,
    again: impl Fn() -> Result<Loaded, Mistakes> + Clone + Send + 'static,
) -> Result<(), StartError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Thread)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Thread)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(StartError::Thread)?;
    let socket = loaded.plan.gateway.admin_socket.clone();
    let gateway = Gateway::start(loaded.plan, Clock::system).await?;
    gateway.admin.runs_by(loaded.texts);
    let mut requests = gateway.requests();
    let lineup = gateway.lineup();
    for served in &lineup.instruments {
        tracing::info!(instrument = served.plan.name, "{}, {}", served.wire(), served.mode());
    }
    for reached in &lineup.destinations {
        tracing::info!(destination = reached.plan.name, "sends to {}", reached.plan.address);
    }
    ready(&gateway);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "ready; orugate status asks at {}", socket.display());
    {
        let mut reloading: Option<Pin<Box<dyn Future<Output = ()> + '_>>> = None;
        loop {
            let idle = reloading.is_none();
            let at_hand = async {
                match reloading.as_mut() {
                    Some(reload) => reload.await,
                    None => std::future::pending().await,
                }
            };
            // One reload at a time; whoever else asks meanwhile waits in the channel.
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                () = at_hand => reloading = None,
                _ = hangup.recv(), if idle => {
                    let request = reload::Request {
                        actor: "SIGHUP".to_owned(),
                        only_plan: false,
                        reply: oneshot::channel().0,
                    };
                    reloading = Some(Box::pin(reload(&gateway, again.clone(), request)));
                }
                Some(request) = requests.recv(), if idle => {
                    reloading = Some(Box::pin(reload(&gateway, again.clone(), request)));
                }
            }
        }
    }
    systemd::stopping();
    tracing::info!("stopping: open messages may finish, for at most 10 seconds");
    gateway.stop().await;
    tracing::info!("stopped");
    Ok(())
}

fn ready(gateway: &Gateway) {
    let lineup = gateway.lineup();
    systemd::ready(&format!(
        "{}, {}",
        count(lineup.instruments.len() as u64, "instrument", "instruments"),
        count(lineup.destinations.len() as u64, "destination", "destinations")
    ));
}

async fn reload(
    gateway: &Gateway,
    again: impl FnOnce() -> Result<Loaded, Mistakes> + Send + 'static,
    request: reload::Request,
) {
    let actor = &request.actor;
    if request.only_plan {
        let read = tokio::task::spawn_blocking(again).await;
        let result = match read {
            Ok(Ok(loaded)) => {
                let difference = gateway.difference(&loaded.plan);
                Ok(Applied { difference, failed: Vec::new(), config: loaded.plan.hash.to_string() })
            }
            Ok(Err(mistakes)) => Err(mistakes.to_string()),
            Err(_) => Err(UNREAD.to_owned()),
        };
        let _ = request.reply.send(result);
        return;
    }
    systemd::reloading();
    let read = tokio::task::spawn_blocking(again).await;
    let result = match read {
        Ok(Ok(loaded)) => {
            for warning in &loaded.warnings {
                tracing::warn!(actor, "{warning}");
            }
            let applied = gateway.reload(loaded.plan, actor).await;
            gateway.admin.runs_by(loaded.texts);
            Ok(applied)
        }
        Ok(Err(mistakes)) => Err(mistakes.to_string()),
        Err(_) => Err(UNREAD.to_owned()),
    };
    if let Err(why) = &result {
        for line in why.lines() {
            tracing::error!(actor, "not reloaded: {line}");
        }
        gateway.rejected(why, actor);
    }
    ready(gateway);
    // Nobody may be waiting for it any more.
    let _ = request.reply.send(result);
}

/// Asks the service that runs by this configuration. A mistake in the file is no reason not to: the service runs by
/// what it read before.
pub(super) fn ask(path: &Path, request: &Request) -> Result<Response, u8> {
    let socket = config::admin_socket(path).map_err(|mistakes| {
        eprintln!("{mistakes}");
        eprintln!("Say where the configuration is: --config FILE.");
        CONFIG
    })?;
    admin::ask(&socket, request).map_err(|error| {
        let socket = socket.display();
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => eprintln!(
                "The service is not running: nobody answers at {socket}. Start it: systemctl start orugate, or \
                 orugate run. What it said last: journalctl -u orugate"
            ),
            ErrorKind::PermissionDenied => eprintln!(
                "You may not ask the service at {socket}. Ask as root, or as a member of the socket's group."
            ),
            _ => eprintln!("The service at {socket} gave no answer: {error}. What it says: journalctl -u orugate"),
        }
        UNAVAILABLE
    })
}

pub(super) fn print_json(value: &impl serde::Serialize) -> u8 {
    match serde_json::to_string_pretty(value) {
        Ok(text) => {
            println!("{text}");
            0
        }
        Err(_) => IO,
    }
}

pub(super) fn status(path: &Path, json: bool) -> u8 {
    match ask(path, &Request::Status) {
        Ok(Response::Status(status)) if json => print_json(&status),
        Ok(Response::Status(status)) => {
            print!("{}", show::status(&status));
            0
        }
        Ok(other) => answer(other),
        Err(code) => code,
    }
}

pub(super) fn parked(path: &Path, action: ParkedAction) -> u8 {
    let (request, whole) = match action {
        ParkedAction::List => (Request::Parked { number: None }, false),
        ParkedAction::Show { number } => (Request::Parked { number: Some(number) }, true),
        ParkedAction::Discard { number, reason } => (Request::DiscardParked { number, reason }, false),
        ParkedAction::Send { numbers } => {
            // One that is refused does not keep the others.
            let send = |number| ask(path, &Request::SendParked { number }).map_or_else(|code| code, answer);
            return numbers.into_iter().map(send).max().unwrap_or(0);
        }
    };
    match ask(path, &request) {
        Ok(Response::Parked(parked)) => {
            print!("{}", show::parked(&parked, whole));
            0
        }
        Ok(other) => answer(other),
        Err(code) => code,
    }
}

pub(super) fn destination(path: &Path, action: DestinationAction) -> u8 {
    let request = match action {
        DestinationAction::List => Request::Destinations,
        DestinationAction::Drop { name, reason } => Request::DropDestination { destination: name, reason },
    };
    match ask(path, &request) {
        Ok(Response::Destinations(lines)) => {
            print!("{}", show::destination_lines(&lines));
            0
        }
        Ok(other) => answer(other),
        Err(code) => code,
    }
}

pub(super) fn accept_clock(path: &Path) -> u8 {
    ask(path, &Request::AcceptClock).map_or_else(|code| code, answer)
}

/// `orugate plan`: what changes, in words. Without a file the service compares what it runs by with what is in its
/// files; with one, the configuration that is installed with that; with two, the first with the second.
pub(super) fn plan(
    catalogue: &Catalogue,
    installed: &Path,
    files: &[PathBuf],
    json: bool,
    exit_code: bool,
) -> u8 {
    let difference = match files {
        [] => match ask(installed, &Request::Plan) {
            Ok(Response::Planned(difference)) => difference,
            Ok(other) => return answer(other),
            Err(code) => return code,
        },
        [new] => match between(catalogue, installed, new) {
            Ok(difference) => difference,
            Err(code) => return code,
        },
        [old, new, ..] => match between(catalogue, old, new) {
            Ok(difference) => difference,
            Err(code) => return code,
        },
    };
    if json {
        let code = print_json(&difference);
        if code != 0 {
            return code;
        }
    } else if difference.is_empty() {
        println!("Nothing differs.");
    } else {
        print!("{}", show::changes(&difference));
        let restart = difference.for_restart().count();
        if restart > 0 {
            println!("A reload applies all but what needs a restart: systemctl restart orugate");
        }
    }
    if exit_code && !difference.is_empty() { REFUSED } else { 0 }
}

fn between(catalogue: &Catalogue, old: &Path, new: &Path) -> Result<Difference, u8> {
    let old = load(catalogue, old)?;
    let new = load(catalogue, new)?;
    for warning in &new.warnings {
        eprintln!("warning: {warning}");
    }
    Ok(Difference::between(&old.plan, &new.plan))
}

pub(super) fn schema(part: bool) -> u8 {
    let schema = if part { config::json_schema_of_part() } else { config::json_schema() };
    print_json(schema.as_value())
}

pub(super) fn reload_running(path: &Path, json: bool) -> u8 {
    match ask(path, &Request::Reload) {
        Ok(Response::Reloaded(applied)) if json => print_json(&applied),
        Ok(other) => answer(other),
        Err(code) => code,
    }
}

pub(super) fn answer(response: Response) -> u8 {
    match response {
        Response::Waits(text) => {
            println!("{text}");
            REFUSED
        }
        Response::Done(text) => {
            println!("{text}");
            0
        }
        Response::Refused(why) => {
            eprintln!("{why}");
            REFUSED
        }
        Response::Reloaded(applied) => {
            print!("{}", show::applied(&applied));
            0
        }
        Response::Planned(difference) => {
            print!("{}", show::changes(&difference));
            0
        }
        Response::Mistakes(mistakes) => {
            eprintln!("{mistakes}");
            eprintln!("The old configuration goes on.");
            CONFIG
        }
        Response::Status(_)
        | Response::Holds(_)
        | Response::Parked(_)
        | Response::Destinations(_)
        | Response::Verifications(_)
        | Response::Running { .. } => REFUSED,
    }
}
