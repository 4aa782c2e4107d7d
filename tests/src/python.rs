//! The outside checker and receiver in `tests/python`, none of whose code is Orugate's.
//!
//! Promises that a receiver ends with its test. Leaves out what they judge, which their own files say.

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
        crate::skipped("ORUGATE_PYTHON is not set: no outside checker of HL7");
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
    let output = Command::new(python).arg(script("check_oru.py")).arg(file).output()?;
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    Ok((said, output.status.success()))
}

/// A running `mllp_receiver.py`.
pub struct Receiver {
    child: Child,
    said: BufReader<ChildStdout>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Receiver {
    /// Starts one that appends to `file` and answers with `code`.
    ///
    /// # Errors
    /// It does not start, or says no port.
    pub fn start(python: &OsStr, file: &Path, code: &str) -> io::Result<Self> {
        Self::run(python, "mllp_receiver.py", [file.as_os_str(), code.as_ref()])
    }

    /// Starts a script of `tests/python` that prints its port first and ends with its standard input.
    ///
    /// # Errors
    /// It does not start, or says no port.
    pub fn run<'a>(
        python: &OsStr,
        name: &str,
        arguments: impl IntoIterator<Item = &'a OsStr>,
    ) -> io::Result<Self> {
        let mut child = Command::new(python)
            .arg(script(name))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut receiver =
            Self { child, said: BufReader::new(stdout), address: (Ipv4Addr::LOCALHOST, 0).into() };
        let mut line = String::new();
        receiver.said.read_line(&mut line)?;
        let port = line.trim().parse().map_err(|_| io::Error::other(format!("no port: {line:?}")))?;
        receiver.address.set_port(port);
        Ok(receiver)
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

    /// Ends it; gives what it printed after its port.
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

impl Drop for Receiver {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
