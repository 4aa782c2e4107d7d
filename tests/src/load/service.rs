//! The gateway as a child process, and what the system says of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// How long a start may take.
const START: Duration = Duration::from_secs(60);
/// Ticks of /proc in a second (USER_HZ).
const HZ: f64 = 100.0;

/// It is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Service {
    child: Child,
    program: PathBuf,
    config: PathBuf,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Service {
    /// Makes the journal and starts; what it logs goes to this file.
    pub(super) fn start(program: &Path, config: &Path, log: &Path) -> io::Result<Self> {
        let init = Command::new(program).args(["journal", "init", "--config"]).arg(config).output()?;
        if !init.status.success() {
            let said = String::from_utf8_lossy(&init.stderr).into_owned();
            return Err(io::Error::other(format!("journal init: {said}")));
        }
        let mut run = Command::new(program);
        run.args(["run", "--config"]).arg(config).env_remove("ORUGATE_LOG").env_remove("NOTIFY_SOCKET");
        run.envs(of_unit()?);
        let mut child = run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let stderr = child.stderr.take();
        let service = Self { child, program: program.to_owned(), config: config.to_owned() };
        let (tell, told) = channel();
        let mut log = File::create(log)?;
        std::thread::spawn(move || {
            for line in stderr.into_iter().flat_map(|stderr| BufReader::new(stderr).lines()) {
                let Ok(line) = line else { break };
                let _ = writeln!(log, "{line}");
                if line.contains("ready") {
                    let _ = tell.send(());
                }
            }
        });
        told.recv_timeout(START)
            .map_err(|_| io::Error::other("the gateway did not get ready; see gateway.log"))?;
        Ok(service)
    }

    /// `orugate status --json`.
    pub(super) fn status(&self) -> io::Result<serde_json::Value> {
        let said =
            Command::new(&self.program).args(["status", "--json", "--config"]).arg(&self.config).output()?;
        serde_json::from_slice(&said.stdout).map_err(|error| {
            io::Error::other(format!("status: {error}: {}", String::from_utf8_lossy(&said.stderr)))
        })
    }

    /// Seconds of processor time, by kind of thread: their names without numbers and what stands behind.
    pub(super) fn processor(&self) -> io::Result<BTreeMap<String, f64>> {
        let mut all = BTreeMap::new();
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // One that ended meanwhile has no file.
            let Ok(stat) = std::fs::read_to_string(task?.path().join("stat")) else { continue };
            if let Some((name, seconds)) = of_stat(&stat) {
                *all.entry(name).or_default() += seconds;
            }
        }
        Ok(all)
    }

    /// Seconds of processor time, ended threads too.
    pub(super) fn processor_of_all(&self) -> io::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        of_stat(&stat).map(|(_, seconds)| seconds).ok_or_else(|| io::Error::other("no times in /proc"))
    }

    /// KiB that are resident.
    pub(super) fn resident(&self) -> io::Result<u64> {
        self.number("status", "VmRSS:")
    }

    /// Bytes that all of the system had written to the disk that holds `folder`; nothing where it is no disk. What the system says of
    /// one process counts whole pages of the cache, many times what reaches a disk.
    pub(super) fn written(folder: &Path) -> Option<u64> {
        let device = std::fs::metadata(folder).ok()?.dev();
        // As Linux packs the two numbers of a device into one.
        let (major, minor) = ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00));
        let stat = std::fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat")).ok()?;
        let sectors: u64 = stat.split_ascii_whitespace().nth(6)?.parse().ok()?;
        Some(sectors * 512)
    }

    fn number(&self, file: &str, what: &str) -> io::Result<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix(what));
        let number = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok());
        number.ok_or_else(|| io::Error::other(format!("no {what} in /proc")))
    }

    /// Asks it to stop, as a system does, and waits.
    pub(super) fn stop(mut self) -> io::Result<bool> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        Ok(self.child.wait()?.success())
    }
}

/// The environment that the shipped unit gives it.
fn of_unit() -> io::Result<Vec<(String, String)>> {
    let unit = std::fs::read_to_string(crate::root().join("deploy/orugate.service"))?;
    let set = unit.lines().filter_map(|line| line.strip_prefix("Environment=")?.split_once('='));
    Ok(set.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn of_stat(stat: &str) -> Option<(String, f64)> {
    let (head, tail) = stat.rsplit_once(')')?;
    let name = head.split_once('(')?.1;
    let name = name.split(|c: char| c.is_ascii_digit()).next().unwrap_or(name).trim_end_matches('-');
    let mut fields = tail.split_ascii_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((name.to_owned(), (user + system) / HZ))
}
