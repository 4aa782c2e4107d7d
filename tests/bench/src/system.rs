//! The released program as a child, with instruments that send as fast as they are acknowledged, and an engine.
//!
//! Measured from outside: from a frame's last byte to its ACK, from a message's last frame to its ORU at the engine,
//! how many messages a second, and what memory the child takes. One ORU is in flight at a time, as to any destination.

use crate::Anything;
use crate::disk::{self, Rate};
use crate::timing::quantile;
use orugate::clock::Clock;
use orugate::engine::{Engine, Received};
use orugate_tests::sender::{Sender, invented};
use orugate_tests::world::{Plug, configuration};
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How many instruments send at once.
const POPULATIONS: [usize; 3] = [1, 8, 32];
/// Results in a message.
const RESULTS: u64 = 12;
/// How long the last ORU may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// What so many instruments got.
pub struct Load {
    pub instruments: usize,
    pub messages: usize,
    /// Messages delivered in a second, from the first byte to the last ORU.
    pub messages_each_second: f64,
    /// Frames acknowledged in a second while instruments sent.
    pub frames_each_second: f64,
    /// Milliseconds from a frame's last byte to its ACK: median, 99th percentile.
    pub ack: (f64, f64),
    /// Milliseconds from the last frame's last byte to the ORU at the engine.
    pub oru: (f64, f64),
    /// Just before the load, and just after.
    pub disk: (Rate, Rate),
    pub memory: Memory,
}

/// Of the child, in KiB.
pub struct Memory {
    /// All instruments are connected, and none has sent anything.
    pub connected: u64,
    /// All is delivered.
    pub after: u64,
    /// The most that it ever had.
    pub peak: u64,
}

/// The program's file, in bytes.
pub struct Size {
    pub built: u64,
    /// Without symbols; `None` when there is no `strip`.
    pub stripped: Option<u64>,
}

pub fn size(program: &Path, folder: &Path) -> Anything<Size> {
    let copy = folder.join("stripped");
    let ran = Command::new("strip").arg("-o").arg(&copy).arg(program).status();
    let stripped = match ran {
        Ok(status) if status.success() => Some(std::fs::metadata(&copy)?.len()),
        _ => None,
    };
    let _ = std::fs::remove_file(copy);
    Ok(Size { built: std::fs::metadata(program)?.len(), stripped })
}

pub fn measure(program: &Path, folder: &Path, quick: bool) -> Anything<Vec<Load>> {
    let loads = POPULATIONS.map(|instruments| {
        let messages = if quick { 3 } else { 640 / instruments.max(4) };
        load(program, folder, instruments, messages, if quick { 50 } else { 500 })
    });
    loads.into_iter().collect()
}

/// One that stops when it is dropped, whatever happened.
pub struct Service(pub Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn load(program: &Path, folder: &Path, instruments: usize, messages: usize, syncs: usize) -> Anything<Load> {
    let folder = tempfile::tempdir_in(folder)?;
    let arrivals = Arrivals::listen()?;
    let plugs: Vec<(String, SocketAddr)> =
        (0..instruments).map(|n| Ok((format!("rig-{n:02}"), free()?))).collect::<Anything<_>>()?;
    let config = configure(folder.path(), arrivals.address, &plugs)?;
    let service = start(program, &config)?;
    let mut senders = plugs.iter().map(|(_, at)| Sender::connect(*at)).collect::<Result<Vec<_>, _>>()?;
    let pid = service.0.id();
    let connected = memory(pid, "VmRSS:")?;
    let before = disk::rate(folder.path(), syncs)?;

    let began = Instant::now();
    let sent: Vec<Sent> = std::thread::scope(|scope| {
        let rigs: Vec<_> = (0..)
            .zip(&mut senders)
            .map(|(n, sender)| scope.spawn(move || send(sender, n, messages)))
            .collect();
        rigs.into_iter()
            .map(|rig| rig.join().map_err(|_| "a rig failed")?.map_err(Into::into))
            .collect::<Anything<_>>()
    })?;
    let sending = began.elapsed();
    let arrived = arrivals.all(instruments * messages)?;
    let last = arrived.values().max().ok_or("nothing arrived")?;
    let delivered = last.duration_since(began);
    let memory = Memory { connected, after: memory(pid, "VmRSS:")?, peak: memory(pid, "VmHWM:")? };
    let after = disk::rate(folder.path(), syncs)?;

    let mut acks: Vec<f64> = sent.iter().flat_map(|s| &s.acks).map(|t| t.as_secs_f64() * 1000.0).collect();
    let mut orus = Vec::new();
    for (sample, at) in sent.iter().flat_map(|s| &s.ends) {
        let arrival = arrived.get(sample).ok_or(format!("no ORU of {sample}"))?;
        orus.push(arrival.duration_since(*at).as_secs_f64() * 1000.0);
    }
    Ok(Load {
        instruments,
        messages: orus.len(),
        messages_each_second: orus.len() as f64 / delivered.as_secs_f64(),
        frames_each_second: sent.iter().map(|s| s.frames).sum::<usize>() as f64 / sending.as_secs_f64(),
        ack: (quantile(&mut acks, 0.5), quantile(&mut acks, 0.99)),
        oru: (quantile(&mut orus, 0.5), quantile(&mut orus, 0.99)),
        disk: (before, after),
        memory,
    })
}

/// What one instrument saw.
#[derive(Default)]
struct Sent {
    frames: usize,
    /// From the ACK before to the ACK of each frame: in between it was made, written and acknowledged.
    acks: Vec<Duration>,
    /// Sample ids, and when the last frame of each began to be written.
    ends: Vec<(String, Instant)>,
}

fn send(sender: &mut Sender, rig: usize, messages: usize) -> std::io::Result<Sent> {
    let mut sent = Sent::default();
    for n in 0..messages {
        let sample = format!("S{rig:02}{n:04}");
        let values: Vec<u64> = (1..=RESULTS).map(|v| v * 1000 + n as u64).collect();
        let records = invented(&sample, "20261122093407", &values);
        let (mut before, mut end) = (None, Instant::now());
        sender.message(&records, &mut |index| {
            let now = Instant::now();
            sent.frames += 1;
            sent.acks.extend(before.replace(now).map(|before| now.duration_since(before)));
            if index + 2 == records.len() {
                end = now;
            }
        })?;
        sent.ends.push((sample, end));
    }
    Ok(sent)
}

/// The engine on a thread of its own, and when each message came.
struct Arrivals {
    address: SocketAddr,
    wanted: std::sync::mpsc::Sender<usize>,
    all: std::sync::mpsc::Receiver<HashMap<String, Instant>>,
}

impl Arrivals {
    fn listen() -> Anything<Self> {
        let (started, start) = std::sync::mpsc::channel();
        let (wanted, want) = std::sync::mpsc::channel::<usize>();
        let (give, all) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
                return;
            };
            runtime.block_on(async {
                let Ok(engine) = Engine::start(Clock::system(0)) else { return };
                let _ = started.send(engine.address());
                let mut counts = engine.watch();
                let mut times: Vec<Instant> = Vec::new();
                let mut target = None;
                let began = Instant::now();
                while began.elapsed() < PATIENCE {
                    target = target.or_else(|| want.try_recv().ok());
                    if target.is_some_and(|target| times.len() >= target) {
                        break;
                    }
                    let _ = tokio::time::timeout(Duration::from_millis(100), counts.changed()).await;
                    let distinct = usize::try_from(counts.borrow_and_update().distinct).unwrap_or(usize::MAX);
                    times.resize(distinct, Instant::now());
                }
                let named = engine.messages().iter().map(sample).zip(times).collect();
                let _ = give.send(named);
            });
        });
        Ok(Self { address: start.recv()?, wanted, all })
    }

    /// When the ORU of each sample came, once there are so many.
    fn all(self, wanted: usize) -> Anything<HashMap<String, Instant>> {
        self.wanted.send(wanted)?;
        Ok(self.all.recv_timeout(PATIENCE)?)
    }
}

/// SPM-2.
fn sample(message: &Received) -> String {
    let text = String::from_utf8_lossy(&message.bytes);
    let spm = text.split('\r').find(|segment| segment.starts_with("SPM|")).unwrap_or_default();
    spm.split('|').nth(2).unwrap_or_default().to_owned()
}

fn free() -> Anything<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn configure(folder: &Path, engine: SocketAddr, plugs: &[(String, SocketAddr)]) -> Anything<PathBuf> {
    let named: Vec<_> = plugs.iter().map(|(name, _)| (name.as_str(), "generic-astm", Plug::Tcp)).collect();
    let mut text = configuration(folder, engine, &named);
    // The text numbers its ports from 1.
    for (number, (_, address)) in (1..).zip(plugs) {
        text = text.replace(&format!("\"127.0.0.1:{number}\""), &format!("\"{address}\""));
    }
    let config = folder.join("orugate.toml");
    std::fs::write(&config, text)?;
    Ok(config)
}

fn start(program: &Path, config: &Path) -> Anything<Service> {
    let init = Command::new(program).args(["journal", "init", "--config"]).arg(config).output()?;
    if !init.status.success() {
        return Err(format!("journal init: {}", String::from_utf8_lossy(&init.stderr)).into());
    }
    let mut run = Command::new(program);
    run.args(["run", "--config"]).arg(config).env_remove("ORUGATE_LOG");
    let mut service = Service(run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?);
    let mut lines = BufReader::new(service.0.stderr.take().ok_or("no output")?).lines();
    let mut said = String::new();
    loop {
        let line = lines.next().ok_or_else(|| format!("the program ended:\n{said}"))??;
        if line.contains("ready") {
            break;
        }
        said.push_str(&line);
        said.push('\n');
    }
    // Nobody reads on, but the pipe must not fill.
    std::thread::spawn(move || lines.for_each(drop));
    Ok(service)
}

/// KiB of a line of the process's status.
pub fn memory(pid: u32, what: &str) -> Anything<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(what)).ok_or("no such line")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
