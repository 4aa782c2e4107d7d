//! The outside checker and receiver in `tests/python`, none of whose code is Orugate's.
//!
//! Promises that a script ends with its test. Leaves out what they judge, which their own files say.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// The Python that has the packages of `tests/python/requirements.txt`, or `None` (said on standard error) when
/// `ORUGATE_PYTHON` is not set.
#[must_use]
pub fn python() -> Option<OsString> {
    let python = std::env::var_os("ORUGATE_PYTHON");
    if python.is_none() {
        crate::skipped("ORUGATE_PYTHON is not set: no outside checker");
    }
    python
}

/// A file in `tests/python`.
#[must_use]
pub fn script(name: &str) -> PathBuf {
    crate::root().join("tests/python").join(name)
}

/// What `check_oru.py` says of a file of MLLP frames, and whether all passed.
///
/// # Errors
/// It cannot be started.
pub fn check(python: &OsStr, file: &Path) -> io::Result<(String, bool)> {
    said(python, "check_oru.py", &[file.as_os_str()])
}

/// What `check_pcd.py` says of a file of MLLP frames with PCD-01 messages, by the MDC table of this project, and whether all passed.
///
/// # Errors
/// It cannot be started.
pub fn check_pcd(python: &OsStr, file: &Path) -> io::Result<(String, bool)> {
    let table = crate::root().join("protocol/mdc");
    said(python, "check_pcd.py", &[table.as_os_str(), file.as_os_str()])
}

/// What `charsets.py` prints, and whether it found no difference.
///
/// # Errors
/// It cannot be started.
pub fn charsets(python: &OsStr, arguments: &[&OsStr]) -> io::Result<(String, bool)> {
    said(python, "charsets.py", arguments)
}

/// What `schema.py` says of TOML files by a JSON schema, and whether all are valid.
///
/// # Errors
/// It cannot be started.
pub fn schema(python: &OsStr, arguments: &[&OsStr]) -> io::Result<(String, bool)> {
    said(python, "schema.py", arguments)
}

fn said(python: &OsStr, name: &str, arguments: &[&OsStr]) -> io::Result<(String, bool)> {
    let output = Command::new(python).arg(script(name)).args(arguments).output()?;
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    Ok((said, output.status.success()))
}

/// A running script of `tests/python`, which ends with its standard input.
pub struct Script {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Script {
    /// Starts it.
    ///
    /// # Errors
    /// It does not start.
    pub fn run<'a>(
        python: &OsStr,
        name: &str,
        arguments: impl IntoIterator<Item = &'a OsStr>,
    ) -> io::Result<Self> {
        let mut command = Command::new(python);
        command.arg(script(name)).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { child, said: BufReader::new(stdout) })
    }

    /// The next line that it prints; empty at its end.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.said.read_line(&mut line)?;
        Ok(line)
    }

    /// Ends it; gives what it printed besides.
    ///
    /// # Errors
    /// It cannot be waited for, or failed.
    pub fn stop(mut self) -> io::Result<String> {
        drop(self.child.stdin.take());
        let mut said = String::new();
        self.said.read_to_string(&mut said)?;
        let status = self.child.wait()?;
        if status.success() { Ok(said) } else { Err(io::Error::other(format!("{status}: {said}"))) }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A script that listens.
pub struct Receiver {
    script: Script,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Receiver {
    /// Starts `mllp_receiver.py`, which appends to `file` and answers with `code`.
    ///
    /// # Errors
    /// It does not start, or says no port.
    pub fn start(python: &OsStr, file: &Path, code: &str) -> io::Result<Self> {
        Self::run(python, "mllp_receiver.py", [file.as_os_str(), code.as_ref()])
    }

    /// Starts a script that prints its port first.
    ///
    /// # Errors
    /// It does not start, or says no port.
    pub fn run<'a>(
        python: &OsStr,
        name: &str,
        arguments: impl IntoIterator<Item = &'a OsStr>,
    ) -> io::Result<Self> {
        let mut script = Script::run(python, name, arguments)?;
        let line = script.line()?;
        let port: u16 = line.trim().parse().map_err(|_| io::Error::other(format!("no port: {line:?}")))?;
        Ok(Self { script, address: (Ipv4Addr::LOCALHOST, port).into() })
    }

    /// The next line that it prints; empty at its end.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn line(&mut self) -> io::Result<String> {
        self.script.line()
    }

    /// Ends it; gives what it printed after its port.
    ///
    /// # Errors
    /// It cannot be waited for, or failed.
    pub fn stop(self) -> io::Result<String> {
        self.script.stop()
    }
}
