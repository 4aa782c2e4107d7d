//! The site's own command, run for each condition that is raised, repeated or cleared.
//!
//! Promises that nothing waits for it: who raises a condition only puts it into a bounded queue, in which a newer word on the
//! same condition takes the place of the older. One command runs at a time and for at most [`LIMIT`]; then it and its process
//! group are killed. What fails is tried again some times and is a condition itself, of which the command is not told. It
//! gets no shell, no descriptor but its three, no environment but a path, and no patient's data, since no condition has any.
//! Leaves out what it does with it.

use crate::clock::Clock;
use crate::conditions::{Code, Condition, Conditions, Event, Fault, What};
use crate::lineup::Current;
use crate::words::count;
use orugate_protocol::time::{Tick, Utc};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, watch};
use tokio::time::{timeout, timeout_at};

/// How long the command may take.
pub const LIMIT: Duration = Duration::from_secs(30);
/// What waits for it.
const WAITING: usize = 64;
/// After so long one that failed is tried again.
const AGAIN: Duration = Duration::from_secs(60);
/// Of one condition so often at most, so that one that comes and goes is no flood.
const PACE: Duration = AGAIN;
/// How often one is tried.
const TRIES: u32 = 5;
/// How long what a command said is read when it has ended.
const STILL: Duration = Duration::from_millis(100);
/// What of its standard error is kept for the log, and read at all.
const SAID: usize = 300;
const HEARD: u64 = 64 << 10;
/// Where it finds other programs.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Where conditions of its own come from.
const SOURCE: &str = "alerts";

/// What waits for the command. Cheap to clone; all clones are one queue.
#[derive(Clone, Default)]
pub struct Queue(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    more: Notify,
}

#[derive(Default)]
struct Waiting {
    events: Vec<Due>,
    /// When something was told of a condition last, as far as it counts still.
    told: BTreeMap<(Code, String), Tick>,
    /// What found no place.
    lost: u64,
}

impl Waiting {
    /// When a word is due: that on a condition of which something was said just now waits.
    fn due(&self, due: &Due) -> Tick {
        let Condition { code, subject, .. } = &due.event.condition;
        let told = self.told.get(&(*code, subject.clone()));
        told.map_or(due.at, |told| due.at.max(told.after(PACE)))
    }
}

/// An event and when it is to be told.
#[derive(Clone, Debug)]
struct Due {
    event: Event,
    at: Tick,
    tries: u32,
}

impl Due {
    fn is_of(&self, condition: &Condition) -> bool {
        let own = &self.event.condition;
        (own.code, &own.subject) == (condition.code, &condition.subject)
    }
}

impl Queue {
    /// Puts an event into the queue; never waits.
    pub fn push(&self, event: Event) {
        self.put(Due { event, at: Tick::ZERO, tries: 0 });
    }

    fn put(&self, due: Due) {
        // The command cannot be told that it fails.
        if due.event.condition.code == Code::AlertFailed {
            return;
        }
        let mut waiting = self.waiting();
        let full = waiting.events.len() >= WAITING;
        match waiting.events.iter_mut().find(|other| other.is_of(&due.event.condition)) {
            // What failed and comes back is older than what came in meanwhile.
            Some(_) if due.tries > 0 => {}
            Some(other) => *other = due,
            None if full => waiting.lost += 1,
            None => waiting.events.push(due),
        }
        drop(waiting);
        self.0.more.notify_one();
    }

    /// The first that is due, or when the next one is.
    fn take(&self, now: Tick) -> Result<Due, Option<Tick>> {
        let mut waiting = self.waiting();
        waiting.told.retain(|_, told| now.since(*told) < PACE);
        match waiting.events.iter().position(|due| waiting.due(due) <= now) {
            Some(first) => {
                let due = waiting.events.remove(first);
                let Condition { code, subject, .. } = &due.event.condition;
                waiting.told.insert((*code, subject.clone()), now);
                Ok(due)
            }
            None => Err(waiting.events.iter().map(|due| waiting.due(due)).min()),
        }
    }

    fn clear(&self) {
        self.waiting().events.clear();
    }

    fn lost(&self) -> u64 {
        self.waiting().lost
    }

    fn lose(&self) {
        self.waiting().lost += 1;
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What runs the command.
pub struct Teller {
    /// What is to be told.
    pub queue: Queue,
    /// Which command, and whose gateway.
    pub lineup: Current,
    /// Clocks.
    pub clock: Clock,
    /// Where it is said that the command fails.
    pub conditions: Conditions,
}

impl Teller {
    /// Works until told to stop. What waits then is told after the next start, if it is so still.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut failed = 0u64;
        loop {
            let due = match self.queue.take(self.clock.tick()) {
                Ok(due) => due,
                Err(next) => {
                    let more = self.queue.0.more.notified();
                    let wait = async {
                        match next {
                            Some(at) => drop(timeout_at(self.clock.instant(at), more).await),
                            None => more.await,
                        }
                    };
                    tokio::select! {
                        _ = stop.wait_for(|stop| *stop) => return,
                        () = wait => continue,
                    }
                }
            };
            let (command, gateway) = {
                let lineup = self.lineup.get();
                (lineup.plan.alerts.on_condition.clone(), lineup.plan.gateway.id.clone())
            };
            let now = self.clock.reckoned();
            if command.is_empty() {
                self.queue.clear();
                self.conditions.replace(SOURCE, now, Vec::new());
                continue;
            }
            let words = words(&due.event, now, &gateway);
            let done = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                done = give(&command, &words, LIMIT) => done,
            };
            match done {
                Ok(()) => {
                    failed = 0;
                    self.conditions.replace(SOURCE, now, Vec::new());
                }
                Err(why) => {
                    failed += 1;
                    let program = command.first().map_or("", |program| program);
                    tracing::warn!(
                        program,
                        code = due.event.condition.code.as_str(),
                        "on_condition failed: {why:#}"
                    );
                    let tries = due.tries + 1;
                    if tries < TRIES {
                        self.queue.put(Due { at: self.clock.tick().after(AGAIN), tries, ..due });
                    } else {
                        self.queue.lose();
                    }
                    let fails = fails(program, failed, &why, self.queue.lost());
                    self.conditions.replace(SOURCE, self.clock.reckoned(), vec![fails]);
                }
            }
        }
    }
}

fn fails(program: &str, failed: u64, why: &Failure, lost: u64) -> Condition {
    let lost = match lost {
        0 => String::new(),
        n => format!(" {} given up.", count(n, "word was", "words were")),
    };
    Condition {
        code: Code::AlertFailed,
        subject: String::new(),
        fault: Fault::Operator,
        since: 0,
        text: format!(
            "on_condition, {program}, failed {} in a row, the last time because it {why}: nobody is told by it what is wrong.{lost}",
            count(failed, "time", "times")
        ),
        next: "Run it by hand as the service's user, with the JSON of docs/holds.md on its standard input; what it said is in \
               the log: journalctl -u orugate"
            .to_owned(),
    }
}

/// What the command reads.
#[derive(Serialize)]
struct Words<'a> {
    event: What,
    code: &'static str,
    subject: &'a str,
    fault: Fault,
    since: i64,
    at: i64,
    text: &'a str,
    next: &'a str,
    gateway: &'a str,
    version: &'static str,
}

fn words(event: &Event, now: Utc, gateway: &str) -> Vec<u8> {
    let Condition { code, subject, fault, since, text, next } = &event.condition;
    let words = Words {
        event: event.what,
        code: code.as_str(),
        subject,
        fault: *fault,
        since: *since,
        at: now.0,
        text,
        next,
        gateway,
        version: env!("CARGO_PKG_VERSION"),
    };
    // It fails only on types that are not in it.
    let mut line = serde_json::to_vec(&words).unwrap_or_default();
    line.push(b'\n');
    line
}

/// Why the command did not take it, as a clause behind "it".
#[derive(Debug)]
pub enum Failure {
    /// It could not be started.
    Start(io::Error),
    /// It ended otherwise than with 0; the first line of what it said on standard error.
    Exit(ExitStatus, String),
    /// It did not end.
    NoEnd(Duration),
    /// What became of it is not known.
    Lost(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => write!(f, "could not be started ({error})"),
            // What it said is for the log alone: {:#}.
            Self::Exit(status, said) if f.alternate() && !said.is_empty() => {
                write!(f, "ended with {status}: {said}")
            }
            Self::Exit(status, _) => write!(f, "ended with {status}"),
            Self::NoEnd(limit) => write!(f, "did not end within {} s and was killed", limit.as_secs()),
            Self::Lost(error) => write!(f, "cannot be waited for ({error})"),
        }
    }
}

/// Why the command cannot be run on this machine, as far as its file tells.
#[must_use]
pub fn unusable(command: &[String]) -> Option<String> {
    let program = command.first()?;
    let why = match std::fs::metadata(program) {
        Ok(file) if file.is_file() && file.permissions().mode() & 0o111 != 0 => return None,
        Ok(_) => "is no program: allowed is a file that may be executed (chmod 755)".to_owned(),
        Err(error) => format!("is not there: {error}"),
    };
    Some(format!("alerts.on_condition: {program} {why}. On the box nobody would be told by it what is wrong"))
}

/// Runs the command once, with these bytes on its standard input.
///
/// # Errors
/// [`Failure`]: it did not end with 0.
pub async fn give(command: &[String], words: &[u8], limit: Duration) -> Result<(), Failure> {
    let [program, arguments @ ..] = command else { return Ok(()) };
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(Failure::Start)?;
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let ended = timeout(limit, talk(&mut child, words)).await;
    let Ok(ended) = ended else {
        // Nobody has waited for it yet, so the number is still its own.
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = timeout(limit, child.wait()).await;
        return Err(Failure::NoEnd(limit));
    };
    let (status, said) = ended.map_err(Failure::Lost)?;
    if status.success() { Ok(()) } else { Err(Failure::Exit(status, first_line(&said))) }
}

/// Writes, listens and waits, all at once: it may do them in any order, or not at all.
async fn talk(child: &mut Child, words: &[u8]) -> io::Result<(ExitStatus, Vec<u8>)> {
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let write = async {
        if let Some(mut stdin) = stdin {
            // One that ends without reading is its own judge.
            let _ = stdin.write_all(words).await;
            let _ = stdin.shutdown().await;
        }
    };
    let mut said = Vec::new();
    let listen = async {
        let Some(stderr) = stderr else { return };
        let mut stderr = stderr.take(HEARD);
        let mut piece = [0; 1024];
        while let Ok(n @ 1..) = stderr.read(&mut piece).await {
            let room = SAID.saturating_sub(said.len());
            said.extend(piece.iter().take(n.min(room)));
        }
        // Who says more hears that nobody listens.
    };
    // Ends before `said` is looked at.
    let status = {
        let both = async { tokio::join!(write, listen) };
        tokio::pin!(both);
        // What it left running may keep its standard error open, and it may close that and go on: its end is what counts.
        let ended = tokio::select! {
            biased;
            status = child.wait() => Some(status),
            _ = &mut both => None,
        };
        match ended {
            Some(status) => {
                // What it said before it ended is still on its way.
                let _ = timeout(STILL, &mut both).await;
                status?
            }
            None => child.wait().await?,
        }
    };
    Ok((status, said))
}

fn first_line(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let line = text.lines().next().unwrap_or_default();
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(what: What, subject: &str) -> Event {
        let condition = Condition {
            code: Code::LineDown,
            subject: subject.to_owned(),
            fault: Fault::Instrument,
            since: 0,
            text: "Down.".to_owned(),
            next: "Look.".to_owned(),
        };
        Event { what, condition }
    }

    fn at(seconds: u64) -> Tick {
        Tick::from_micros(seconds * 1_000_000)
    }

    fn taken(queue: &Queue, now: Tick) -> Option<(What, String)> {
        queue.take(now).ok().map(|due| (due.event.what, due.event.condition.subject))
    }

    #[test]
    fn of_one_condition_the_newest_word_waits_and_one_a_minute_is_told() {
        let queue = Queue::default();
        queue.push(event(What::Raised, "a"));
        queue.push(event(What::Raised, "b"));
        queue.push(event(What::Cleared, "a"));
        assert_eq!(taken(&queue, at(0)), Some((What::Cleared, "a".to_owned())));
        // It comes and goes; another is not held up by that.
        queue.push(event(What::Raised, "a"));
        assert_eq!(taken(&queue, at(1)), Some((What::Raised, "b".to_owned())));
        assert_eq!(queue.take(at(2)).err(), Some(Some(at(60))));
        queue.push(event(What::Cleared, "a"));
        assert_eq!(taken(&queue, at(60)), Some((What::Cleared, "a".to_owned())));
        assert_eq!(queue.take(at(999)).err(), Some(None));
    }

    #[test]
    fn what_failed_gives_way_to_what_came_in_meanwhile_and_a_full_queue_counts_what_it_loses() {
        let queue = Queue::default();
        queue.push(event(What::Raised, "a"));
        let failed = queue.take(at(0)).unwrap();
        queue.push(event(What::Cleared, "a"));
        queue.put(Due { tries: 1, at: at(60), ..failed });
        assert_eq!(taken(&queue, at(60)), Some((What::Cleared, "a".to_owned())));
        assert_eq!(taken(&queue, at(999)), None);
        for n in 0..WAITING + 3 {
            queue.push(event(What::Raised, &n.to_string()));
        }
        assert_eq!(queue.lost(), 3);
        assert_eq!(queue.waiting().events.len(), WAITING);
    }

    #[test]
    fn what_cannot_be_run_is_known_before() {
        let unusable = |program: &str| unusable(&[program.to_owned()]).unwrap_or_default();
        assert_eq!(unusable("/bin/sh"), "");
        assert!(unusable("/etc/passwd").contains("is no program"));
        assert!(unusable("/nonexistent/alert").contains("is not there"));
    }
}
