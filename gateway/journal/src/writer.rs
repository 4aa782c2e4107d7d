//! The one thread that writes. It gathers what has arrived into a commit, and waits for no more: under load the
//! group grows by itself while a sync runs. Each lane has its own time: an analyzer waits for its ACK, so *results* go first, wait
//! for one commit of *snapshots* at most, and never cause one. It is a shell: it alone in this crate looks at a clock, for the
//! second that a patient batch may wait.

use crate::commit::{Core, Request};
use crate::journal::Shared;
use crate::record::{Lane, Urgency};
use std::collections::VecDeque;
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

/// Patient snapshots wait so many times shorter than [`Options::soon`](crate::Options::soon): no result's commit takes them along.
/// Those of all devices come at the end of the same interval, so that they share one anyway.
const SHORTER: u32 = 4;

/// What waits for its lane's next commit.
struct Pending {
    lane: Lane,
    /// How long a patient batch may wait.
    soon: Duration,
    requests: VecDeque<Request>,
    bytes: u64,
    urgent: bool,
    deadline: Option<Instant>,
}

impl Pending {
    const fn new(lane: Lane, soon: Duration) -> Self {
        Self { lane, soon, requests: VecDeque::new(), bytes: 0, urgent: false, deadline: None }
    }

    fn add(&mut self, request: Request) {
        self.bytes = self.bytes.saturating_add(request.queued.bytes);
        match request.batch.urgency {
            Urgency::Now => self.urgent = true,
            Urgency::Soon => {
                let soon = self.soon;
                self.deadline.get_or_insert_with(|| now() + soon);
            }
        }
        self.requests.push_back(request);
    }

    fn is_due(&self, half_queue: u64) -> bool {
        self.urgent || self.bytes >= half_queue || self.deadline.is_some_and(|deadline| deadline <= now())
    }

    /// One commit of what waits, if it is due. What does not fit into it stays due.
    fn commit(&mut self, core: &mut Core, half_queue: u64) {
        if !self.is_due(half_queue) {
            return;
        }
        core.commit(self.lane, &mut self.requests);
        if self.requests.is_empty() {
            *self = Self::new(self.lane, self.soon);
        } else {
            self.urgent = true;
        }
    }

    fn wait(&self) -> Duration {
        match self.deadline {
            _ if self.urgent => Duration::ZERO,
            Some(deadline) => deadline.saturating_duration_since(now()).min(IDLE),
            None => IDLE,
        }
    }
}

fn run(mut core: Core, commands: &Receiver<Command>, shared: &Shared) {
    let soon = shared.options.soon;
    let half_queue = shared.options.queue_bytes / 2;
    let mut results = Pending::new(Lane::Results, soon);
    let mut snapshots = Pending::new(Lane::Snapshots, soon / SHORTER);
    let began = now();
    loop {
        shared.heartbeat.fetch_add(1, Ordering::Relaxed);
        let mut command = commands.recv_timeout(results.wait().min(snapshots.wait()));
        let stopping = matches!(command, Err(RecvTimeoutError::Disconnected));
        while let Ok(next) = command {
            match next {
                Command::Append(request) if request.batch.lane == Lane::Results => results.add(request),
                Command::Append(request) => snapshots.add(request),
                Command::RaiseCeiling => shared.raise_asked.store(false, Ordering::Release),
            }
            command = commands.try_recv().map_err(|_| RecvTimeoutError::Timeout);
        }
        if stopping {
            for pending in [&mut results, &mut snapshots] {
                while !pending.requests.is_empty() {
                    core.commit(pending.lane, &mut pending.requests);
                }
            }
            core.stop();
            return;
        }
        results.commit(&mut core, half_queue);
        snapshots.commit(&mut core, half_queue);
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
