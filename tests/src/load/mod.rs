//! A ward on loopback: monitors, ventilators and analyzers on the real program, with the two destinations that it delivers to.
//!
//! Promises to know nothing of the program but its command line, its configuration, its protocols and what the system says of
//! its process; that each snapshot that has to come in the window is looked for by device and second; and that results of
//! the laboratory are timed with and without the ward in one run. What it finds is a [`Report`], which says what is wrong by
//! counts and ratios, never by a time. Leaves out serial ports, TLS, and destinations that are slow.

// A rig in real time.
#![allow(clippy::disallowed_methods)]

mod devices;
mod receiver;
mod report;
mod service;

pub use report::Report;

use devices::{Device, Laboratory, VENTILATOR_PROFILE, Ward, free};
use orugate_protocol::hl7::ack::Code;
use receiver::{Receiver, What};
use report::Sent;
use service::Service;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Analyzers.
const ANALYZERS: usize = 2;
/// How long the devices may take until each has sent its first snapshot, and what is waited for may not move.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the beginning of anything costs is not in the window.
const WARM: Duration = Duration::from_secs(10);
const SECOND: i64 = 1_000_000;

/// What is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The gateway.
    pub program: PathBuf,
    /// An empty folder of its own; what the gateway logs is in `gateway.log` afterwards.
    pub folder: PathBuf,
    /// IntelliVue monitors over UDP, a snapshot each second.
    pub monitors: usize,
    /// MEDIBUS ventilators over TCP at 19200 bits per second, a snapshot each second.
    pub ventilators: usize,
    /// Analyzers alone, before the devices at the bedside are switched on.
    pub quiet: Duration,
    /// What is measured then.
    pub window: Duration,
}

/// Runs it; `tell` hears how far it is.
///
/// # Errors
/// It could not be set up, or a device never sent anything.
pub fn run(options: &Options, tell: &mut dyn FnMut(&str)) -> io::Result<Report> {
    let chart = Receiver::start(Code::CommitAccept)?;
    let lis = Receiver::start(Code::ApplicationAccept)?;
    let devices = Device::all(options.monitors, options.ventilators)?;
    let analyzers: Vec<SocketAddr> = (0..ANALYZERS).map(|_| free()).collect::<io::Result<_>>()?;
    let config = configure(&options.folder, &chart, &lis, &devices, &analyzers)?;
    let service = Service::start(&options.program, &config, &options.folder.join("gateway.log"))?;

    tell(&format!("analyzers alone for {} s", options.quiet.as_secs()));
    let laboratory = Laboratory::start(&analyzers);
    std::thread::sleep(options.quiet);
    let on = now();
    let ward = Ward::start(&devices);
    tell(&format!("{} devices are switched on", devices.len()));
    all_speak(&chart, &devices)?;
    std::thread::sleep(WARM.min(options.window));

    // The window's first and last second, in which intervals end.
    let first = now() / SECOND + 2;
    let last = first + i64::try_from(options.window.as_secs()).unwrap_or(i64::MAX / 2) - 1;
    wait_until(first * SECOND - SECOND / 2);
    tell(&format!("measuring for {} s", options.window.as_secs()));
    let (began, before) = (Instant::now(), Reading::of(&service, &options.folder)?);
    let mut resident = Vec::new();
    // A second more, since what is switched off ends its interval early.
    let over = (last + 1) * SECOND + SECOND / 2;
    while now() < over {
        resident.push(service.resident()?);
        std::thread::sleep(Duration::from_secs(1).min(until(over)));
    }
    let (seconds, after) = (began.elapsed().as_secs_f64(), Reading::of(&service, &options.folder)?);
    let sent = laboratory_done(laboratory, &lis, on, first, last);
    arrived(&chart, devices.len(), first, last);
    // Gone, so that everything comes to its end and can be counted.
    drop(ward);
    let status = settled(&service)?;
    let stopped = service.stop()?;
    let seen = lock(&chart.seen);
    let mut report = Report {
        monitors: options.monitors,
        ventilators: options.ventilators,
        seconds,
        processor: (after.processor - before.processor) / seconds * 100.0,
        threads: share(&before.threads, &after.threads, seconds),
        resident,
        written: per_hour(after.journal.saturating_sub(before.journal), seconds),
        written_to_disk: after
            .disk
            .zip(before.disk)
            .map(|(after, before)| per_hour(after.saturating_sub(before), seconds)),
        sent,
        status,
        stopped,
        again: seen.again,
        conflicts: seen.conflicts,
        unknown: seen.unknown,
        ..Report::default()
    };
    let names: BTreeSet<&str> = devices.iter().map(|device| device.name.as_str()).collect();
    report.find(&seen.arrivals, &names, first, last);
    let seen = lock(&lis.seen);
    report.conflicts += seen.conflicts;
    report.unknown += seen.unknown;
    report.again += seen.again;
    Ok(report)
}

/// What is read of the process at one moment.
struct Reading {
    processor: f64,
    threads: BTreeMap<String, f64>,
    journal: u64,
    disk: Option<u64>,
}

impl Reading {
    fn of(service: &Service, folder: &Path) -> io::Result<Self> {
        let written = |status: &serde_json::Value| status["journal"]["wear"]["written"].as_u64().unwrap_or(0);
        Ok(Self {
            journal: written(&service.status()?),
            processor: service.processor_of_all()?,
            threads: service.processor()?,
            disk: Service::written(folder),
        })
    }
}

/// Percent of one processor, the most first.
fn share(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>, seconds: f64) -> Vec<(String, f64)> {
    let since = |(name, now): (&String, &f64)| {
        (name.clone(), (now - before.get(name).unwrap_or(&0.0)) / seconds * 100.0)
    };
    let mut all: Vec<_> = after.iter().map(since).collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all
}

fn per_hour(bytes: u64, seconds: f64) -> f64 {
    bytes as f64 / seconds * 3600.0
}

/// Waits until a snapshot of each device came.
fn all_speak(chart: &Receiver, devices: &[Device]) -> io::Result<()> {
    let began = Instant::now();
    loop {
        let spoke: BTreeSet<String> = {
            let seen = lock(&chart.seen);
            let devices = seen.arrivals.iter().filter_map(|(what, _)| match what {
                What::Snapshot { device, .. } => Some(device.clone()),
                What::Sample(_) => None,
            });
            devices.collect()
        };
        let mut missing = devices.iter().filter(|device| !spoke.contains(&device.name));
        let Some(first) = missing.next() else { return Ok(()) };
        if began.elapsed() > PATIENCE {
            let more = missing.count();
            return Err(io::Error::other(format!("no snapshot came of {} and {more} more", first.name)));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until all results have come that analyzers have sent, and says how long each took.
fn laboratory_done(laboratory: Laboratory, lis: &Receiver, on: i64, first: i64, last: i64) -> Sent {
    let all = laboratory.sent.clone();
    let trouble = laboratory.stop().err().map(|error| error.to_string());
    let all = std::mem::take(&mut *lock(&all));
    let began = Instant::now();
    let mut sent = loop {
        let mut times: HashMap<String, i64> = HashMap::new();
        let mut sent = Sent::default();
        let seen = lock(&lis.seen);
        for (what, at) in &seen.arrivals {
            if let What::Sample(sample) = what
                && times.insert(sample.clone(), *at).is_some()
            {
                sent.double += 1;
            }
        }
        drop(seen);
        for (sample, enq) in &all {
            let Some(came) = times.get(sample) else {
                sent.lost += 1;
                continue;
            };
            let took = (came - enq) as f64 / 1000.0;
            // What was sent while devices were switched on counts for neither.
            if *enq < on {
                sent.alone.push(took);
            } else if (first * SECOND..=last * SECOND).contains(enq) {
                sent.beside.push(took);
            }
        }
        if sent.lost == 0 || began.elapsed() > PATIENCE {
            break sent;
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    sent.trouble = trouble;
    sent
}

/// Waits until all snapshots of the window came, or none comes any more.
fn arrived(chart: &Receiver, devices: usize, first: i64, last: i64) {
    let wanted = devices.saturating_mul(usize::try_from(last - first + 1).unwrap_or(0));
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let ends: BTreeSet<(String, i64)> = {
            let seen = lock(&chart.seen);
            let ends = seen.arrivals.iter().filter_map(|(what, _)| match what {
                What::Snapshot { device, end } => Some((device.clone(), *end)),
                What::Sample(_) => None,
            });
            ends.filter(|(_, end)| (first..=last).contains(end)).collect()
        };
        // One of the next second says that no older one comes: they go in order.
        if ends.len() >= wanted || now() > (last + 10) * SECOND {
            return;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// What the program says when nothing waits in it and nothing comes any more, or nothing moves.
fn settled(service: &Service) -> io::Result<serde_json::Value> {
    let began = Instant::now();
    let mut before = None;
    loop {
        let status = service.status()?;
        let numbers = |of: &str, what: &str| -> u64 {
            let all = status[of].as_array().into_iter().flatten();
            all.filter_map(|one| one.pointer(what).and_then(serde_json::Value::as_u64)).sum()
        };
        let left = numbers("destinations", "/waiting") + status["pending"].as_u64().unwrap_or(0);
        let come = (left == 0).then(|| numbers("instruments", "/counts/messages"));
        if (come.is_some() && come == before) || began.elapsed() > PATIENCE {
            return Ok(status);
        }
        before = come;
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn configure(
    folder: &Path,
    chart: &Receiver,
    lis: &Receiver,
    devices: &[Device],
    analyzers: &[SocketAddr],
) -> io::Result<PathBuf> {
    let at = folder.display();
    // Small enough that segments are given back before long, as on a box all its life: until then memory grows by their indexes.
    let mut text = format!(
        "version = 1\n[gateway]\nid = \"LOAD\"\nfacility = \"RIG\"\ntimezone = \"UTC\"\nadmin_socket = \"{at}/admin.sock\"\n\
         [journal]\npath = \"{at}/journal\"\nmax_size = \"64 MiB\"\nsnapshots_size = \"24 MiB\"\n\
         [[destination]]\nname = \"chart\"\nrole = \"record\"\nreceiving = {{ application = \"CHART\", facility = \"HOSP\" }}\n\
         mllp = {{ address = \"{}\" }}\npcd = {{}}\n\
         [[destination]]\nname = \"lis\"\nrole = \"lis\"\nreceiving = {{ application = \"LIS\", facility = \"HOSP\" }}\n\
         mllp = {{ address = \"{}\" }}\n",
        chart.address, lis.address
    );
    for (n, address) in (1..).zip(analyzers) {
        let _ = write!(
            text,
            "[[instrument]]\nname = \"analyzer-{n}\"\nprofile = \"generic-astm\"\nmode = \"live\"\nsend_to = [\"lis\"]\n\
             wire = {{ listen = \"{address}\", allow = [\"127.0.0.1\"] }}\n"
        );
    }
    for device in devices {
        text.push_str(&device.configuration());
    }
    std::fs::create_dir_all(folder.join("profiles.d"))?;
    std::fs::write(folder.join("profiles.d/rig-ventilator.toml"), VENTILATOR_PROFILE)?;
    let config = folder.join("orugate.toml");
    std::fs::write(&config, text)?;
    Ok(config)
}

/// Microseconds since 1970.
fn now() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

fn until(then: i64) -> Duration {
    Duration::from_micros(u64::try_from(then - now()).unwrap_or(0))
}

fn wait_until(then: i64) {
    std::thread::sleep(until(then));
}

/// What one thread left behind is as good as ever.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
