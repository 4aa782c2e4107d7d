//! The program as a child process, a site to run it in, and an engine for it.

use std::io::{BufRead, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How long any line may take to come.
const PATIENCE: Duration = Duration::from_secs(25);

/// What a command printed, and how it ended.
pub(crate) struct Ran {
    pub(crate) out: String,
    err: String,
    code: Option<i32>,
}

impl Ran {
    pub(crate) fn is(&self, code: i32) {
        assert_eq!(self.code, Some(code), "printed:\n{}{}", self.out, self.err);
    }

    pub(crate) fn says(&self, what: &str) {
        assert!(
            self.out.contains(what) || self.err.contains(what),
            "no {what:?} in:\n{}{}",
            self.out,
            self.err
        );
    }

    pub(crate) fn hides(&self, what: &str) {
        assert!(
            !self.out.contains(what) && !self.err.contains(what),
            "{what:?} in:\n{}{}",
            self.out,
            self.err
        );
    }
}

pub(crate) fn orugate(arguments: &[&str]) -> Ran {
    orugate_with(arguments, "")
}

/// With this on its standard input.
pub(crate) fn orugate_with(arguments: &[&str], input: &str) -> Ran {
    ran(&mut command(arguments), input)
}

fn ran(command: &mut Command, input: &str) -> Ran {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    // A command that does not read closes its end; that is its right.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let ended = child.wait_with_output().unwrap();
    Ran {
        out: String::from_utf8(ended.stdout).unwrap(),
        err: String::from_utf8(ended.stderr).unwrap(),
        code: ended.status.code(),
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orugate"));
    command
        .args(arguments)
        .env_remove("ORUGATE_LOG")
        .env_remove("CREDENTIALS_DIRECTORY")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// An address of this machine that nobody uses now.
fn free() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// A configuration with one listening instrument and one engine, in a folder of its own.
pub(crate) struct Site {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) config: PathBuf,
    pub(crate) address: String,
    pub(crate) engine: String,
}

impl Site {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (address, engine) = (free(), free());
        let at = folder.path().display();
        let text = format!(
            "version = 1\n[gateway]\nid = \"TEST\"\nfacility = \"LAB\"\ntimezone = \"UTC\"\n\
             admin_socket = \"{at}/admin.sock\"\n[journal]\npath = \"{at}/journal\"\n\
             [[destination]]\nname = \"engine\"\nrole = \"lis\"\n\
             receiving = {{ application = \"ENGINE\", facility = \"HOSP\" }}\nmllp = {{ address = \"{engine}\" }}\n\
             [[instrument]]\nname = \"haem-1\"\nprofile = \"sysmex-xn-l\"\nmode = \"live\"\n\
             wire = {{ listen = \"{address}\", allow = [\"127.0.0.1\"] }}\nsend_to = [\"engine\"]\n"
        );
        let config = folder.path().join("orugate.toml");
        std::fs::write(&config, text).unwrap();
        Self { folder, config, address, engine }
    }

    fn arguments<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        [arguments, &["--config", self.config.to_str().unwrap()]].concat()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, &[])
    }

    /// With these in its environment.
    pub(crate) fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
        ran(command(&self.arguments(arguments)).envs(environment.iter().copied()), "")
    }

    pub(crate) fn start(&self) -> Service {
        self.start_with(&[])
    }

    /// With these in its environment.
    pub(crate) fn start_with(&self, environment: &[(&str, &str)]) -> Service {
        let mut run = command(&self.arguments(&["run"]));
        run.envs(environment.iter().copied());
        Service::of(run)
    }
}

/// A child that stays; its lines, of both outputs, as they come.
pub(crate) struct Service {
    child: Child,
    lines: Receiver<String>,
    seen: String,
}

impl Service {
    pub(crate) fn spawn(arguments: &[&str]) -> Self {
        Self::of(command(arguments))
    }

    fn of(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).spawn().unwrap();
        let (sender, lines) = channel();
        let outputs: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for output in outputs {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Self { child, lines, seen: String::new() }
    }

    /// Waits for the next line with this in it.
    pub(crate) fn until(&mut self, what: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("no {what:?} in:\n{}", self.seen)
            };
            self.seen.push_str(&line);
            self.seen.push('\n');
            if line.contains(what) {
                return line;
            }
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let (signal, pid) = (format!("-{name}"), self.child.id().to_string());
        assert!(Command::new("kill").args([&signal, &pid]).status().unwrap().success());
    }

    /// As the power does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As systemd does; returns all that it said.
    pub(crate) fn stop(mut self) -> String {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        // Both outputs end with the process.
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.seen.push_str(&line);
            self.seen.push('\n');
        }
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{}", self.seen);
        std::mem::take(&mut self.seen)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The built-in engine on a thread of its own.
pub(crate) struct Engine(Receiver<String>);

impl Engine {
    pub(crate) fn start(address: &str) -> Self {
        let address: SocketAddr = address.parse().unwrap();
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let clock = orugate::clock::Clock::system(0);
                let engine = orugate::engine::Engine::start_at(address, clock).unwrap();
                let mut counts = engine.watch();
                let mut given = 0;
                while counts.changed().await.is_ok() {
                    for message in engine.messages().into_iter().skip(given) {
                        given += 1;
                        if sender.send(String::from_utf8(message.bytes).unwrap()).is_err() {
                            return;
                        }
                    }
                }
            });
        });
        Self(messages)
    }

    /// The next new message.
    pub(crate) fn next(&self) -> String {
        self.0.recv_timeout(PATIENCE).expect("a message at the engine")
    }
}
