//! Commands about the service: run, check, status, holds, journal.

use super::{HoldAction, log, runtime, show};
use crate::admin::{self, Request, Response};
use crate::clock::Clock;
use crate::config::{self, Loaded};
use crate::run::{Gateway, StartError, init_journal};
use crate::systemd;
use crate::tls;
use crate::words::count;
use orugate_drivers::Catalogue;
use std::io::ErrorKind;
use std::path::Path;
use tokio::signal::unix::{SignalKind, signal};

const REFUSED: u8 = 1;
const UNAVAILABLE: u8 = 69;
const IO: u8 = 74;
const CONFIG: u8 = 78;

fn load(catalogue: &Catalogue, path: &Path) -> Result<Loaded, u8> {
    config::load(path, catalogue).map_err(|mistakes| {
        eprintln!("{mistakes}");
        if !path.is_file() {
            eprintln!("Say where the configuration is: --config FILE. The README has one to begin with.");
        }
        CONFIG
    })
}

pub(super) fn check(catalogue: &Catalogue, path: &Path) -> u8 {
    match load(catalogue, path) {
        Ok(loaded) => {
            let Ok(runtime) = runtime() else { return IO };
            let clock = runtime.block_on(async { Clock::system(0) });
            let (wrong, warnings) = tls::check(&loaded, &clock);
            for warning in loaded.warnings.iter().chain(&warnings) {
                println!("warning: {warning}");
            }
            if !wrong.is_empty() {
                for mistake in &wrong {
                    eprintln!("{mistake}");
                }
                let files = count(wrong.len() as u64, "file", "files");
                eprintln!("{files} of TLS cannot be used. The service would run, without what needs them.");
                return CONFIG;
            }
            for line in loaded.plan.describe() {
                println!("{line}");
            }
            println!("The configuration is good.");
            0
        }
        Err(code) => code,
    }
}

pub(super) fn init(catalogue: &Catalogue, path: &Path) -> u8 {
    let loaded = match load(catalogue, path) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    // Tokio keeps the clocks.
    let Ok(runtime) = runtime() else { return IO };
    let now = runtime.block_on(async { Clock::system(0).utc() });
    let journal = &loaded.plan.journal.path;
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

pub(super) fn run(catalogue: &Catalogue, path: &Path) -> u8 {
    log("info");
    let loaded = match load(catalogue, path) {
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
    match runtime.block_on(serve(loaded)) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("Not started: {error}.");
            IO
        }
    }
}

async fn serve(loaded: Loaded) -> Result<(), StartError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Thread)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Thread)?;
    let socket = loaded.plan.gateway.admin_socket.clone();
    let gateway = Gateway::start(loaded.plan, Clock::system).await?;
    for instrument in &gateway.admin.instruments {
        let (instrument, mode, wire) = (&instrument.name, &instrument.mode, &instrument.wire);
        tracing::info!(instrument, "{wire}, {mode}");
    }
    for (destination, address) in &gateway.admin.destinations {
        tracing::info!(destination, "sends to {address}");
    }
    systemd::ready(&format!(
        "{}, {}",
        count(gateway.admin.instruments.len() as u64, "instrument", "instruments"),
        count(gateway.admin.destinations.len() as u64, "destination", "destinations")
    ));
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "ready; orugate status asks at {}", socket.display());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    systemd::stopping();
    tracing::info!("stopping: open messages may finish, for at most 10 seconds");
    gateway.stop().await;
    tracing::info!("stopped");
    Ok(())
}

fn ask(catalogue: &Catalogue, path: &Path, request: &Request) -> Result<Response, u8> {
    let socket = load(catalogue, path)?.plan.gateway.admin_socket;
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

pub(super) fn status(catalogue: &Catalogue, path: &Path, json: bool) -> u8 {
    match ask(catalogue, path, &Request::Status) {
        Ok(Response::Status(status)) if json => match serde_json::to_string_pretty(&status) {
            Ok(text) => {
                println!("{text}");
                0
            }
            Err(_) => IO,
        },
        Ok(Response::Status(status)) => {
            print!("{}", show::status(&status));
            0
        }
        Ok(other) => answer(other),
        Err(code) => code,
    }
}

pub(super) fn holds(catalogue: &Catalogue, path: &Path, action: HoldAction) -> u8 {
    let request = match action {
        HoldAction::List => Request::Holds,
        HoldAction::Show { hold } => Request::Hold { hold },
        HoldAction::Release { hold, sample } => Request::Release { hold, sample },
        HoldAction::Discard { hold, reason } => Request::Discard { hold, reason },
    };
    match ask(catalogue, path, &request) {
        Ok(Response::Holds(holds)) => {
            print!("{}", show::holds(&holds, matches!(request, Request::Hold { .. })));
            0
        }
        Ok(other) => answer(other),
        Err(code) => code,
    }
}

fn answer(response: Response) -> u8 {
    match response {
        Response::Done(text) => {
            println!("{text}");
            0
        }
        Response::Refused(why) => {
            eprintln!("{why}");
            REFUSED
        }
        Response::Status(_) | Response::Holds(_) => REFUSED,
    }
}
