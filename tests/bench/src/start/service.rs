//! One start of the released program, watched from outside: when it says that it is ready, and what memory it has.

use crate::Anything;
use crate::system::{Service, memory};
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(900);
/// When memory is looked at again.
const LATER: Duration = Duration::from_secs(10);
/// How often it is asked whether its index is whole.
const ASK: Duration = Duration::from_millis(100);

/// What a start took.
pub struct Start {
    /// Seconds from exec to `READY=1`.
    pub ready: f64,
    /// Resident KiB then.
    pub at_ready: u64,
    /// Ten seconds later.
    pub later: u64,
    /// Seconds from exec until its index was whole, and resident KiB then; `None` where the program has none.
    pub indexed: Option<(f64, u64)>,
    /// The most that it ever had.
    pub peak: u64,
}

/// How it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    Stopped,
    Killed,
}

/// The program while it runs.
pub struct Running {
    service: Service,
    pub start: Start,
}

/// Starts it and watches it for ten seconds, or until its index is whole.
pub fn start(program: &Path, folder: &Path, config: &Path) -> Anything<Running> {
    let notify = folder.join("notify.sock");
    let _ = std::fs::remove_file(&notify);
    let socket = UnixDatagram::bind(&notify)?;
    socket.set_read_timeout(Some(ASK))?;
    let mut run = Command::new(program);
    run.args(["run", "--config"]).arg(config).env("NOTIFY_SOCKET", &notify).env_remove("ORUGATE_LOG");
    run.stdin(Stdio::null()).stdout(Stdio::null());
    run.stderr(std::fs::File::create(folder.join("log"))?);
    let began = Instant::now();
    let mut service = Service(run.spawn()?);
    let pid = service.0.id();
    while !is_ready(&socket)? {
        if let Some(status) = service.0.try_wait()? {
            return Err(
                format!("the program ended with {status}; see the log in {}", folder.display()).into()
            );
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("the program does not get ready; see the log in {}", folder.display()).into());
        }
    }
    let ready = began.elapsed();
    let at_ready = memory(pid, "VmRSS:")?;
    let mut indexed = None;
    let mut later = None;
    while began.elapsed() < PATIENCE {
        std::thread::sleep(ASK);
        if later.is_none() && began.elapsed() >= ready + LATER {
            later = Some(memory(pid, "VmRSS:")?);
        }
        if indexed.is_none() {
            match unread(program, config)? {
                None => {}
                Some(0) => indexed = Some((began.elapsed().as_secs_f64(), memory(pid, "VmRSS:")?)),
                Some(_) => continue,
            }
        }
        if later.is_some() {
            break;
        }
    }
    let start = Start {
        ready: ready.as_secs_f64(),
        at_ready,
        later: later.ok_or("its index is not whole after a long time")?,
        indexed,
        peak: memory(pid, "VmHWM:")?,
    };
    Ok(Running { service, start })
}

/// Whether it has said so by now; waits a moment for it.
fn is_ready(socket: &UnixDatagram) -> Anything<bool> {
    let mut words = [0; 4096];
    match socket.recv(&mut words) {
        Ok(len) => {
            let said = String::from_utf8_lossy(words.get(..len).unwrap_or_default());
            Ok(said.lines().any(|line| line == "READY=1"))
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Segments that the running program's index does not have yet; `None` when it has no index.
fn unread(program: &Path, config: &Path) -> Anything<Option<u64>> {
    let asked = Command::new(program).args(["status", "--json", "--config"]).arg(config).output()?;
    let text = String::from_utf8_lossy(&asked.stdout);
    if !text.contains("\"journal\":") {
        return Err(format!("orugate status: {}", String::from_utf8_lossy(&asked.stderr)).into());
    }
    let Some((_, rest)) = text.split_once("\"unread\":") else { return Ok(None) };
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    Ok(Some(digits.parse()?))
}

impl Running {
    pub fn end(mut self, end: End) -> Anything<Start> {
        if end == End::Stopped {
            let asked = Command::new("kill").arg("-TERM").arg(self.service.0.id().to_string()).status()?;
            if !asked.success() || !self.service.0.wait()?.success() {
                return Err("the program did not stop as it should".into());
            }
        }
        Ok(self.start)
    }
}
