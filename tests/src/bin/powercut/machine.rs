//! A virtual machine that runs the gateway, and whose power can be cut.
//!
//! Promises that [`Machine::cut`] is a SIGKILL of the emulator: what the kernel inside had not yet written to its disk
//! is gone with its memory, and what it had written is in the image. Every machine has its own console log, which says
//! what the kernel and the program said; ports are on 127.0.0.1 only.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// A boot on a busy machine, and the program's own start.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// How often a machine may not come to its first word: somebody took one of its ports, or the host has no room.
const TRIES: u32 = 5;

/// What a machine is made of.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) kernel: PathBuf,
    pub(crate) initramfs: PathBuf,
    pub(crate) disk: PathBuf,
    pub(crate) console: PathBuf,
    /// Where the engine listens outside.
    pub(crate) engine: u16,
    /// The control: syncs do nothing.
    pub(crate) without_sync: bool,
}

/// What the machine is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Make the journal.
    Init,
    /// Serve.
    Run,
    /// Serve, with a clock that begins in 1970.
    RunIn1970,
}

/// A machine under power.
pub(crate) struct Machine {
    child: Child,
    lines: Receiver<String>,
    /// Of the questions and then of each instrument.
    ports: Vec<u16>,
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It may be dead already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Machine {
    /// Boots, and waits until the machine has made the journal, or has told the program to serve `instruments`.
    pub(crate) fn boot(parts: &Parts, task: Task, instruments: u16) -> io::Result<Self> {
        let mut tries = 0;
        loop {
            let mut machine = Self::power_on(parts, task, instruments)?;
            let (awaited, bad) = match task {
                Task::Init => ("vm: init ended with 0", "vm: init ended with"),
                Task::Run | Task::RunIn1970 => ("vm: serves", "vm: the disk cannot"),
            };
            let until = Instant::now() + PATIENCE;
            let (mut said, mut alive) = (Vec::new(), true);
            while alive && Instant::now() < until {
                match machine.line(until) {
                    Ok(Some(line)) if line.starts_with(awaited) => return Ok(machine),
                    Ok(Some(line)) => {
                        alive = !line.starts_with(bad);
                        said.push(line);
                    }
                    Ok(None) => {}
                    Err(_) => alive = false,
                }
            }
            tries += 1;
            // Before the machine's first word only the host can be the cause: a port that was free just now, or no
            // memory and no time for an emulator.
            if said.iter().any(|line| line.starts_with("vm: ")) || tries == TRIES {
                let tail = said.iter().rev().take(5).rev().cloned().collect::<Vec<_>>().join("\n");
                let console = parts.console.display();
                return Err(io::Error::other(format!("the machine does not start; see {console}\n{tail}")));
            }
            drop(machine);
        }
    }

    fn power_on(parts: &Parts, task: Task, instruments: u16) -> io::Result<Self> {
        let ports = free_ports(usize::from(instruments) + 1, parts.engine)?;
        let forwards: String = (4000..)
            .zip(&ports)
            .map(|(inside, outside): (u16, _)| format!(",hostfwd=tcp:127.0.0.1:{outside}-:{inside}"))
            .collect();
        let what = match task {
            Task::Init => "do=init",
            Task::Run if parts.without_sync => "do=run nosync=1",
            Task::Run => "do=run",
            Task::RunIn1970 => "do=run clock=7",
        };
        let mut log = OpenOptions::new().create(true).append(true).open(&parts.console)?;
        writeln!(log, "--- power on, {what}")?;
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args([
            "-accel",
            "tcg",
            "-cpu",
            "max",
            "-m",
            "256",
            "-smp",
            "1",
            "-nodefaults",
            "-no-user-config",
        ]);
        qemu.args(["-display", "none", "-no-reboot", "-rtc", "base=utc", "-serial", "stdio"]);
        qemu.arg("-kernel").arg(&parts.kernel).arg("-initrd").arg(&parts.initramfs);
        // The switches make the boot shorter; a panic ends the emulator.
        let kernel =
            "console=ttyS0 quiet panic=-1 mitigations=off apparmor=0 no_timer_check random.trust_cpu=on";
        qemu.args(["-append", &format!("{kernel} engine={} {what}", parts.engine)]);
        // The guest sees a disk with a write cache and has to flush it; a flush is an fdatasync of the image.
        let disk = format!("if=none,id=disk,format=raw,cache=writeback,file={}", parts.disk.display());
        qemu.args(["-drive", &disk, "-device", "virtio-blk-pci,drive=disk"]);
        qemu.args([
            "-netdev",
            &format!("user,id=net{forwards}"),
            "-device",
            "virtio-net-pci,netdev=net,romfile=",
        ]);
        qemu.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log.try_clone()?);
        let mut child = qemu.spawn()?;
        let (tell, lines) = channel();
        if let Some(console) = child.stdout.take() {
            std::thread::spawn(move || copy(console, log, |line| tell.send(line).is_ok()));
        }
        Ok(Self { child, lines, ports })
    }

    /// The next line of the console; none when there is none until then, and an error when the emulator has ended.
    fn line(&mut self, until: Instant) -> io::Result<Option<String>> {
        match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("the emulator ended by itself")),
        }
    }

    /// Lets it run until then.
    ///
    /// # Errors
    /// The program or the machine ended before.
    pub(crate) fn run_until(&mut self, until: Instant) -> io::Result<()> {
        while Instant::now() < until {
            if let Some(line) = self.line(until)?
                && line.starts_with("vm: the program ended")
            {
                return Err(io::Error::other(line));
            }
        }
        Ok(())
    }

    /// Where an instrument, counted from 0, is plugged in.
    pub(crate) fn instrument(&self, number: usize) -> SocketAddr {
        self.address(number + 1)
    }

    fn address(&self, number: usize) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.get(number).copied().unwrap_or_default()).into()
    }

    /// What `orugate WORDS` answers inside, and an error when it refuses.
    pub(crate) fn ask(&self, words: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(self.address(0))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        writeln!(stream, "{words}")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        match answer.strip_suffix("exit 0\n") {
            Some(answer) => Ok(answer.to_owned()),
            None => Err(io::Error::other(format!("orugate {words}: {answer}"))),
        }
    }

    /// Cuts the power.
    pub(crate) fn cut(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

/// Writes a console into its log and tells each line, without its CR.
fn copy(console: impl io::Read, mut log: File, tell: impl Fn(String) -> bool) {
    for line in BufReader::new(console).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        // A log that cannot be written is only missed by whoever looks for a cause.
        let _ = writeln!(log, "{line}");
        if !tell(line) {
            break;
        }
    }
}

/// Ports of 127.0.0.1 that nobody has just now; never the engine's, which is free while it is away.
fn free_ports(count: usize, engine: u16) -> io::Result<Vec<u16>> {
    // All at once, so that none is given twice.
    let listeners: Vec<_> =
        (0..=count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<_, _>>()?;
    let ports = listeners.iter().map(|l| Ok(l.local_addr()?.port())).collect::<io::Result<Vec<_>>>()?;
    Ok(ports.into_iter().filter(|port| *port != engine).take(count).collect())
}
