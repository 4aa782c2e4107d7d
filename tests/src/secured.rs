//! A gateway whose clock a test sets, for TLS: what a date means must not depend on the day the test is run.

use crate::pki::Day;
use crate::python::Receiver;
use crate::sender::{Sender, invented};
use crate::world::{PATIENCE, Plug, configuration, plan};
use orugate::admin::{Request, Response, Status};
use orugate::clock::Clock;
use orugate::conditions::{Code, Condition};
use orugate::run::{Gateway, init_journal};
use orugate_protocol::time::Utc;
use std::net::SocketAddr;
use std::path::Path;

/// The day on which these gateways live.
pub const TODAY: Day = (2026, 6, 1);

/// Noon of a day.
///
/// # Panics
/// There is no such day.
#[must_use]
#[allow(clippy::unwrap_used)] // A test's own day.
pub fn noon((year, month, day): Day) -> Utc {
    let year = i16::try_from(year).unwrap();
    let date = jiff::civil::date(year, i8::try_from(month).unwrap(), i8::try_from(day).unwrap());
    Utc(date.at(12, 0, 0, 0).in_tz("UTC").unwrap().timestamp().as_microsecond())
}

/// Configuration of one instrument on plain TCP and an engine with this `tls` table.
#[must_use]
pub fn towards(folder: &Path, engine: SocketAddr, tls: &str) -> String {
    let text = configuration(folder, engine, &[("analyzer", "generic-astm", Plug::Tcp)]);
    text.replace(
        &format!("{{ address = \"{engine}\" }}"),
        &format!("{{ address = \"{engine}\", tls = {tls} }}"),
    )
}

/// Starts a gateway with this clock; the journal is of [`TODAY`].
///
/// # Panics
/// When it does not start.
#[allow(clippy::unwrap_used)] // A test that cannot start has failed.
pub async fn start(folder: &Path, text: &str, now: Utc) -> Gateway {
    start_by(folder, text, &Clock::starting_at(now)).await
}

/// The same, by a clock that the test can set.
///
/// # Panics
/// When it does not start.
#[allow(clippy::unwrap_used)] // A test that cannot start has failed.
pub async fn start_by(folder: &Path, text: &str, clock: &Clock) -> Gateway {
    let plan = plan(folder, text);
    if !plan.journal.path.exists() {
        std::fs::create_dir(&plan.journal.path).unwrap();
        init_journal(&plan.journal.path, noon(TODAY)).unwrap();
    }
    Gateway::start(plan, |_| clock.clone()).await.unwrap()
}

/// Sends one message to the instrument's plain port.
///
/// # Panics
/// When it is not acknowledged.
#[allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test that cannot send has failed.
pub async fn send(gateway: &Gateway, sample: &'static str) {
    let address = gateway.listening()["analyzer"];
    let sent = tokio::task::spawn_blocking(move || {
        let mut sender = Sender::connect(address).unwrap();
        sender.message(&invented(sample, "20260601101500", &[5]), &mut |_| {}).unwrap();
    });
    sent.await.unwrap();
}

/// Waits until the engine's queue has delivered so many.
///
/// # Panics
/// When it does not come.
#[allow(clippy::unwrap_used, clippy::panic)] // A test that waits in vain has failed.
pub async fn delivered(gateway: &Gateway, wanted: u64) {
    let mut applied = gateway.store.applied();
    let waited = tokio::time::timeout(PATIENCE, async {
        while gateway.store.state().queue("engine").map_or(0, |queue| queue.delivered) < wanted {
            applied.changed().await.unwrap();
        }
    });
    if waited.await.is_err() {
        panic!("{wanted} were not delivered: {}", status(gateway).await.destinations[0].link);
    }
}

/// Waits until so many messages wait for the engine.
///
/// # Panics
/// When it does not come.
#[allow(clippy::unwrap_used)] // A test that waits in vain has failed.
pub async fn waits(gateway: &Gateway, wanted: usize) {
    let mut applied = gateway.store.applied();
    let waited = tokio::time::timeout(PATIENCE, async {
        while gateway.store.state().queue("engine").map_or(0, |queue| queue.waiting.len()) < wanted {
            applied.changed().await.unwrap();
        }
    });
    waited.await.unwrap();
}

/// Waits until the words of the engine's link have this in them, and gives them.
///
/// # Panics
/// When it does not come.
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test that waits in vain has failed.
pub async fn link_says(gateway: &Gateway, what: &str) -> String {
    let mut changes = gateway.lineup().destinations[0].forwarder.watch();
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            let words = status(gateway).await.destinations[0].link.clone();
            if words.contains(what) {
                return words;
            }
            changes.changed().await.unwrap();
        }
    });
    match waited.await {
        Ok(words) => words,
        Err(_) => panic!("no {what:?} in {:?}", status(gateway).await.destinations[0].link),
    }
}

/// What `orugate status` shows.
///
/// # Panics
/// When it shows nothing.
#[allow(clippy::panic)] // A test without a status has failed.
pub async fn status(gateway: &Gateway) -> Status {
    match gateway.admin.answer(Request::Status, "test").await {
        Response::Status(status) => *status,
        other => panic!("{other:?}"),
    }
}

/// Looks at the files as the gateway does every few seconds: twice, because a file is read when it has come to rest.
pub fn look(gateway: &Gateway) {
    gateway.tls.look(&gateway.admin.conditions);
    gateway.tls.look(&gateway.admin.conditions);
}

/// The conditions of this code, after a look.
#[must_use]
pub fn conditions(gateway: &Gateway, code: Code) -> Vec<Condition> {
    look(gateway);
    gateway.admin.conditions.list().into_iter().filter(|condition| condition.code == code).collect()
}

/// Waits until what an engine printed has this in it.
///
/// # Panics
/// When it does not come.
#[allow(clippy::panic)] // A test that waits in vain has failed.
pub fn engine_says(engine: &mut Receiver, what: &str) -> String {
    loop {
        match engine.line() {
            Ok(line) if line.contains(what) => return line,
            Ok(line) if line.is_empty() => panic!("the engine ended and never said {what:?}"),
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
