//! The one thread that writes. It gathers what has arrived into a commit, and waits for no more: under load the
//! group grows by itself while a sync runs. It is a shell: it alone in this crate looks at a clock, for the second
//! that a patient batch may wait.

use crate::commit::{Core, Request};
use crate::journal::Shared;
use crate::record::Urgency;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// The heartbeat counts at least this often while the disk answers.
const IDLE: Duration = Duration::from_millis(500);

pub(crate) enum Command {
    Append(Request),
    /// Reservations have come near the ceiling.
    RaiseCeiling,
}

/// `lock` is held as long as the thread can write.
pub(crate) fn start(
    core: Core,
    commands: Receiver<Command>,
    shared: Arc<Shared>,
    lock: Box<dyn Send + Sync>,
) -> io::Result<JoinHandle<()>> {
    Builder::new().name("journal".into()).spawn(move || {
        let _lock = lock;
        run(core, &commands, &shared);
    })
}

/// What waits for the next commit.
#[derive(Default)]
struct Pending {
    requests: Vec<Request>,
    bytes: u64,
    urgent: bool,
    deadline: Option<Instant>,
}

impl Pending {
    fn add(&mut self, request: Request, soon: Duration) {
        self.bytes = self.bytes.saturating_add(request.queued.bytes);
        match request.batch.urgency {
            Urgency::Now => self.urgent = true,
            Urgency::Soon => {
                self.deadline.get_or_insert_with(|| now() + soon);
            }
        }
        self.requests.push(request);
    }

    fn is_due(&self, half_queue: u64) -> bool {
        self.urgent || self.bytes >= half_queue || self.deadline.is_some_and(|deadline| deadline <= now())
    }

    fn wait(&self) -> Duration {
        self.deadline.map_or(IDLE, |deadline| deadline.saturating_duration_since(now()).min(IDLE))
    }
}

fn run(mut core: Core, commands: &Receiver<Command>, shared: &Shared) {
    let soon = shared.options.soon;
    let half_queue = shared.options.queue_bytes / 2;
    let mut pending = Pending::default();
    let began = now();
    loop {
        shared.heartbeat.fetch_add(1, Ordering::Relaxed);
        let mut command = commands.recv_timeout(pending.wait());
        let stopping = matches!(command, Err(RecvTimeoutError::Disconnected));
        while let Ok(next) = command {
            match next {
                Command::Append(request) => pending.add(request, soon),
                Command::RaiseCeiling => shared.raise_asked.store(false, Ordering::Release),
            }
            command = commands.try_recv().map_err(|_| RecvTimeoutError::Timeout);
        }
        if stopping || pending.is_due(half_queue) {
            core.commit(std::mem::take(&mut pending).requests);
        }
        if stopping {
            core.stop();
            return;
        }
        core.keep_ahead();
        core.keep_house(now().saturating_duration_since(began));
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this thread is a shell; the time is only compared with itself"
)]
fn now() -> Instant {
    Instant::now()
}
